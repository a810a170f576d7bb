//! Somebody guesses a card's PIN.

use super::{Per, Said, Speaks, View};
use crate::model::ResponseCode;
use crate::risk::Fate;
use crate::risk::kind_set::KindSet;
use crate::risk::rule_set::Row;
use std::time::Duration;

/// `count`, `within_s`: so many wrong PINs with one card, at whatever terminal.
#[derive(Debug)]
pub(in crate::risk) struct PinTries {
    count: u32,
    within: Duration,
}

impl Speaks for PinTries {
    const SCOPE: KindSet = KindSet::ASKING;

    fn read(row: &mut Row<'_>) -> Option<Self> {
        let (count, within) = (row.count("count", 100), row.window());
        let (count, within) = (row.need("count", count), row.need("within_s", within));
        Some(Self { count: count?, within: within? })
    }

    fn speaks(&self, view: &View<'_>) -> Option<Said> {
        let trail = view.trail(Per::Card).filter(|trail| trail.declines() >= self.count)?;
        let earlier = trail.within(view.now(), self.within);
        let wrong = earlier.filter(|slot| slot.fate() == Fate::Declined { pin: true });
        let tries = wrong.fold(0_u32, |sum, slot| sum.saturating_add(slot.count()));
        let evidence = || format!("{}: {tries} wrong PINs within {} s", Per::Card.name(view.s), self.within.as_secs());
        (tries >= self.count).then(evidence).and_then(|evidence| Said::new(ResponseCode::PinTriesLimit, evidence))
    }
}
