//! Taps without a PIN: single and together.

use super::{Per, Said, Speaks, View, money};
use crate::model::Amount;
use crate::model::ResponseCode;
use crate::risk::kind_set::KindSet;
use crate::risk::memory::Class;
use crate::risk::rule_set::Row;
use std::time::Duration;

/// `most`: what one tap without a PIN may be. `within_s` with `sum` or `count`: what a card's may come to, this one
/// counted in. All may be reached.
#[derive(Debug)]
pub(in crate::risk) struct Contactless {
    most: Option<Amount>,
    within: Option<Duration>,
    sum: Option<Amount>,
    count: Option<u32>,
}

impl Speaks for Contactless {
    const SCOPE: KindSet = KindSet::SPENDING;

    fn read(row: &mut Row<'_>) -> Option<Self> {
        let (most, within) = (row.amount("most"), row.window());
        let (sum, count) = (row.amount("sum"), row.count("count", 1_000));
        let together = row.has("sum") || row.has("count");
        if row.has("within_s") != together {
            row.fault("within_s", "within_s: goes with sum or count, and they with it");
        }
        if !row.has("most") && !together {
            row.fault("kind", "kind: contactless-no-pin needs most, or within_s with sum or count");
        }
        Some(Self { most, within, sum, count })
    }

    fn speaks(&self, view: &View<'_>) -> Option<Said> {
        if !view.s.is_bare_tap() {
            return None;
        }
        let amount = view.amount();
        if let Some(most) = self.most.filter(|most| amount > *most) {
            return Said::new(ResponseCode::AmountLimit, format!("{amount} by tap without PIN, {most} at most"));
        }
        let within = self.within?;
        let (mut sum, mut count) = (amount.minor(), 1_u32);
        let earlier = view.trail(Per::Card).into_iter().flat_map(|trail| trail.within(view.now(), within));
        for slot in earlier.filter(|slot| slot.is_bare_tap() && slot.is_live() && slot.class() == Class::Spend) {
            sum = sum.saturating_add(slot.amount());
            count = count.saturating_add(slot.count());
        }
        let (name, window) = (|| Per::Card.name(view.s), within.as_secs());
        if let Some(most) = self.sum.filter(|most| sum > most.minor()) {
            let evidence = format!("{}: {} by taps without PIN within {window} s, {most} at most", name(), money(sum));
            return Said::new(ResponseCode::AmountLimit, evidence);
        }
        let most = self.count.filter(|most| count > *most)?;
        let evidence = format!("{}: {count} taps without PIN within {window} s, {most} at most", name());
        Said::new(ResponseCode::CountLimit, evidence)
    }
}
