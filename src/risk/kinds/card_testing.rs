//! Many cards at one terminal: somebody tries which of them live.

use super::{Per, Said, Speaks, View};
use crate::model::Amount;
use crate::model::ResponseCode;
use crate::risk::Fate;
use crate::risk::kind_set::KindSet;
use crate::risk::memory::{Class, card_tag};
use crate::risk::rule_set::Row;
use smallvec::SmallVec;
use std::time::Duration;

/// `cards`, `within_s`: so many different cards at one terminal, this one counted in. `most`: only amounts up to this
/// are looked at. `declines`: so many of the requests before must have been declined.
#[derive(Debug)]
pub(in crate::risk) struct CardTesting {
    cards: usize,
    within: Duration,
    most: Option<Amount>,
    declines: u32,
}

impl CardTesting {
    pub(super) fn counts_declines(&self) -> bool {
        self.declines > 0
    }
}

impl Speaks for CardTesting {
    const SCOPE: KindSet = KindSet::ASKING;

    fn read(row: &mut Row<'_>) -> Option<Self> {
        let (cards, within) = (row.number("cards", 2..=100), row.window());
        let (cards, within) = (row.need("cards", cards), row.need("within_s", within));
        let (most, declines) = (row.amount("most"), row.count("declines", 100));
        let cards = cards.and_then(|cards| usize::try_from(cards).ok());
        Some(Self { cards: cards?, within: within?, most, declines: declines.unwrap_or_default() })
    }

    fn speaks(&self, view: &View<'_>) -> Option<Said> {
        let is_small = |minor: u64| self.most.is_none_or(|most| minor <= most.minor());
        if !is_small(view.amount().minor()) {
            return None;
        }
        let trail = view.trail(Per::Terminal)?;
        let events = usize::try_from(trail.events()).unwrap_or(usize::MAX);
        if events.saturating_add(1) < self.cards || trail.declines() < self.declines {
            return None;
        }
        let mut cards: SmallVec<[u64; 16]> = SmallVec::from_slice(&[card_tag(view.s)]);
        let mut declines = 0_u32;
        for slot in trail.within(view.now(), self.within) {
            // What is told together may have been small or not, of many cards or of few.
            let counts = slot.class() != Class::Refund && is_small(slot.amount());
            let Some(card) = slot.tag().filter(|_| counts && (slot.is_exact() || self.most.is_none())) else {
                continue;
            };
            if matches!(slot.fate(), Fate::Declined { .. }) {
                declines = declines.saturating_add(slot.count());
            }
            if cards.len() < self.cards && !cards.contains(&card) {
                cards.push(card);
            }
            if cards.len() >= self.cards && declines >= self.declines {
                break;
            }
        }
        if cards.len() < self.cards || declines < self.declines {
            return None;
        }
        let small = self.most.map_or_else(String::new, |most| format!(" for {most} or less"));
        let declined = if self.declines > 0 { format!(", {declines} declined") } else { String::new() };
        let (name, window) = (Per::Terminal.name(view.s), self.within.as_secs());
        let evidence = format!("{name}: {} cards{small} within {window} s{declined}", cards.len());
        Said::new(ResponseCode::FraudSuspected, evidence)
    }
}
