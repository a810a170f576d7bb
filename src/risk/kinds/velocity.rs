//! What a subject may do in a sliding window.

use super::{Per, Said, Speaks, View, money};
use crate::model::Amount;
use crate::model::ResponseCode;
use crate::risk::Fate;
use crate::risk::kind_set::KindSet;
use crate::risk::memory::{Class, Slot, Trail};
use crate::risk::rule_set::Row;
use std::time::Duration;

/// Which earlier requests are counted.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Counting {
    /// Purchases and holds that stand.
    Live,
    /// All that were asked for.
    Attempts,
    /// Any request that was declined.
    Declines,
}

/// `per`, `within_s`, `counting`, `amount`, `count`: the most within the window, this request counted in; it may be
/// reached.
#[derive(Debug)]
pub(in crate::risk) struct Velocity {
    per: Per,
    within: Duration,
    counting: Counting,
    amount: Option<Amount>,
    count: Option<u32>,
}

impl Velocity {
    pub(super) fn counts_declines(&self) -> bool {
        self.counting == Counting::Declines
    }

    fn counts(&self, slot: &Slot) -> bool {
        match self.counting {
            Counting::Live => slot.class() == Class::Spend && slot.is_live(),
            Counting::Attempts => slot.class() == Class::Spend,
            Counting::Declines => matches!(slot.fate(), Fate::Declined { .. }),
        }
    }
}

impl Velocity {
    /// Whether all that is remembered of the subject could pass a limit.
    fn may_pass(&self, trail: &Trail, amount: u64) -> bool {
        let by_amount = |most: Amount| trail.amount().saturating_add(amount) > most.minor();
        let events = if self.counting == Counting::Declines { trail.declines() } else { trail.events() };
        events > 0 && (self.amount.is_some_and(by_amount) || self.count.is_some_and(|most| events >= most))
    }
}

impl Speaks for Velocity {
    const SCOPE: KindSet = KindSet::SPENDING;

    fn read(row: &mut Row<'_>) -> Option<Self> {
        let subjects =
            [("terminal", Per::Terminal), ("merchant", Per::Merchant), ("card", Per::Card), ("bin", Per::Bin)];
        let per = row.word("per", &subjects);
        let per = row.need("per", per);
        let within = row.window();
        let within = row.need("within_s", within);
        let counting = [("live", Counting::Live), ("attempts", Counting::Attempts), ("declines", Counting::Declines)];
        let counting = row.word("counting", &counting).unwrap_or(Counting::Live);
        let (amount, count) = (row.amount("amount"), row.count("count", 1_000_000));
        if !row.has("amount") && !row.has("count") {
            row.fault("kind", "kind: velocity needs amount, count or both");
        }
        Some(Self { per: per?, within: within?, counting, amount, count })
    }

    fn speaks(&self, view: &View<'_>) -> Option<Said> {
        let (mut sum, mut count) = (view.amount().minor(), 1_u32);
        if let Some(trail) = view.trail(self.per).filter(|trail| self.may_pass(trail, sum)) {
            for slot in trail.within(view.now(), self.within).filter(|slot| self.counts(slot)) {
                sum = sum.saturating_add(slot.amount());
                count = count.saturating_add(slot.count());
            }
        }
        let passes = self.amount.is_some_and(|most| sum > most.minor()) || self.count.is_some_and(|most| count > most);
        passes.then(|| self.said(view, sum, count)).flatten()
    }
}

impl Velocity {
    fn said(&self, view: &View<'_>, sum: u64, count: u32) -> Option<Said> {
        let within = self.within.as_secs();
        let what = match self.counting {
            Counting::Live => "",
            Counting::Attempts => " attempts",
            Counting::Declines => " declines",
        };
        let name = self.per.name(view.s);
        if let Some(most) = self.amount.filter(|most| sum > most.minor()) {
            let evidence = format!("{name}: {}{what} within {within} s, {most} at most", money(sum));
            return Said::new(ResponseCode::AmountLimit, evidence);
        }
        let most = self.count?;
        let evidence = format!("{name}: {count}{what} within {within} s, {most} at most");
        Said::new(ResponseCode::CountLimit, evidence)
    }
}
