//! A terminal that gives more back than its sales explain.

use super::{Per, Said, Speaks, View, money};
use crate::model::ResponseCode;
use crate::risk::kind_set::KindSet;
use crate::risk::memory::Class;
use crate::risk::rule_set::Row;
use std::time::Duration;

/// `percent`, `within_s`, `refunds`: from so many refunds on, this one counted in, they may come to so much of the
/// terminal's sales within the window.
#[derive(Debug)]
pub(in crate::risk) struct RefundRatio {
    percent: u64,
    within: Duration,
    refunds: u32,
}

impl Speaks for RefundRatio {
    const SCOPE: KindSet = KindSet::REFUNDS;

    fn read(row: &mut Row<'_>) -> Option<Self> {
        let percent = row.number("percent", 1..=1_000);
        let percent = row.need("percent", percent);
        let within = row.window();
        let within = row.need("within_s", within);
        let refunds = row.count("refunds", 1_000).unwrap_or(1);
        Some(Self { percent: percent?, within: within?, refunds })
    }

    fn speaks(&self, view: &View<'_>) -> Option<Said> {
        let (mut back, mut count, mut sold) = (view.amount().minor(), 1_u32, 0_u64);
        let earlier = view.trail(Per::Terminal).into_iter().flat_map(|trail| trail.within(view.now(), self.within));
        for slot in earlier.filter(|slot| slot.is_live()) {
            match slot.class() {
                Class::Spend => sold = sold.saturating_add(slot.amount()),
                Class::Refund => {
                    back = back.saturating_add(slot.amount());
                    count = count.saturating_add(slot.count());
                }
                Class::Look => {}
            }
        }
        if count < self.refunds || u128::from(back) * 100 <= u128::from(sold) * u128::from(self.percent) {
            return None;
        }
        let (back, sold, within) = (money(back), money(sold), self.within.as_secs());
        let evidence =
            format!("{count} refunds of {back} on sales of {sold} within {within} s, {} % at most", self.percent);
        Said::new(ResponseCode::FraudSuspected, evidence)
    }
}
