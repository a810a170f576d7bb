//! What a subject may spend on one business date.

use super::{Per, Said, Speaks, View, money};
use crate::model::Amount;
use crate::model::ResponseCode;
use crate::risk::kind_set::KindSet;
use crate::risk::rule_set::Row;

/// `per`, `amount`, `count`: the day's most, which may be reached.
///
/// The counter holds all that the subject reserved on the date; filters say which requests are held to it.
#[derive(Debug)]
pub(in crate::risk) struct Daily {
    per: Per,
    pub(in crate::risk) amount: Option<Amount>,
    pub(in crate::risk) count: Option<u32>,
}

impl Daily {
    pub(in crate::risk) fn per(&self) -> Per {
        self.per
    }
}

impl Speaks for Daily {
    const SCOPE: KindSet = KindSet::RESERVING;

    fn read(row: &mut Row<'_>) -> Option<Self> {
        let subjects = [
            ("terminal", Per::Terminal),
            ("merchant", Per::Merchant),
            ("card", Per::Card),
            ("bin", Per::Bin),
            ("entry", Per::Entry),
        ];
        let per = row.word("per", &subjects);
        let per = row.need("per", per);
        let (amount, count) = (row.amount("amount"), row.count("count", 1_000_000));
        if !row.has("amount") && !row.has("count") {
            row.fault("kind", "kind: daily needs amount, count or both");
        }
        Some(Self { per: per?, amount, count })
    }

    fn speaks(&self, view: &View<'_>) -> Option<Said> {
        let (sum, count) = view.today(self.per)?;
        let (sum, count) = (sum.saturating_add(view.amount().minor()), count.saturating_add(1));
        let name = || self.per.name(view.s);
        if let Some(most) = self.amount.filter(|most| sum > most.minor()) {
            let evidence = format!("{} would come to {} of {most} on {}", name(), money(sum), view.s.date);
            return Said::new(ResponseCode::AmountLimit, evidence);
        }
        let most = self.count.filter(|most| count > *most)?;
        let evidence = format!("{} would come to {count} of {most} transactions on {}", name(), view.s.date);
        Said::new(ResponseCode::CountLimit, evidence)
    }
}
