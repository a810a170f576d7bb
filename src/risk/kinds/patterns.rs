//! Amounts that look made up.

use super::{Per, Said, Speaks, View, money};
use crate::model::ResponseCode;
use crate::risk::kind_set::KindSet;
use crate::risk::memory::{Class, Slot};
use crate::risk::rule_set::Row;
use std::time::Duration;

/// The most purchases that a pattern may ask for: so many are always told apart.
const MOST: u32 = 100;

/// Purchases of the terminal that stand, this one counted in, as far as they are told apart; one, if all together are
/// fewer than `least`.
fn alike(view: &View<'_>, within: Duration, least: u32, is_alike: impl Fn(u64) -> bool) -> usize {
    let trail = view.trail(Per::Terminal).filter(|trail| trail.events().saturating_add(1) >= least);
    let earlier = trail.into_iter().flat_map(|trail| trail.within(view.now(), within));
    let counts =
        |slot: &&Slot| slot.is_exact() && slot.is_live() && slot.class() == Class::Spend && is_alike(slot.amount());
    earlier.filter(counts).count() + 1
}

fn read(row: &mut Row<'_>) -> (Option<u32>, Option<Duration>) {
    let (count, within) = (row.count("count", MOST), row.window());
    (row.need("count", count), row.need("within_s", within))
}

/// `unit`, `count`, `within_s`: so many purchases of whole `unit`s at one terminal.
#[derive(Debug)]
pub(in crate::risk) struct RoundAmounts {
    unit: u64,
    count: u32,
    within: Duration,
}

impl Speaks for RoundAmounts {
    const SCOPE: KindSet = KindSet::SPENDING;

    fn read(row: &mut Row<'_>) -> Option<Self> {
        let unit = row.number("unit", 2..=1_000_000_000);
        let unit = row.need("unit", unit);
        let (count, within) = read(row);
        Some(Self { unit: unit?, count: count?, within: within? })
    }

    fn speaks(&self, view: &View<'_>) -> Option<Said> {
        let is_round = |minor: u64| minor > 0 && minor.is_multiple_of(self.unit);
        if !is_round(view.amount().minor()) {
            return None;
        }
        let count = alike(view, self.within, self.count, is_round);
        let evidence = || format!("{count} purchases of whole {} within {} s", money(self.unit), self.within.as_secs());
        let enough = count >= usize::try_from(self.count).unwrap_or(usize::MAX);
        enough.then(evidence).and_then(|evidence| Said::new(ResponseCode::FraudSuspected, evidence))
    }
}

/// `count`, `within_s`: so many purchases of the same amount at one terminal.
#[derive(Debug)]
pub(in crate::risk) struct RepeatedAmounts {
    count: u32,
    within: Duration,
}

impl Speaks for RepeatedAmounts {
    const SCOPE: KindSet = KindSet::SPENDING;

    fn read(row: &mut Row<'_>) -> Option<Self> {
        let (count, within) = read(row);
        Some(Self { count: count?, within: within? })
    }

    fn speaks(&self, view: &View<'_>) -> Option<Said> {
        let amount = view.amount();
        let count = alike(view, self.within, self.count, |minor| minor == amount.minor());
        let evidence = || format!("{count} purchases of {amount} within {} s", self.within.as_secs());
        let enough = count >= usize::try_from(self.count).unwrap_or(usize::MAX);
        enough.then(evidence).and_then(|evidence| Said::new(ResponseCode::FraudSuspected, evidence))
    }
}
