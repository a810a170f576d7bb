//! Bounds of one amount.

use super::{Said, Speaks, View};
use crate::model::Amount;
use crate::model::ResponseCode;
use crate::risk::kind_set::KindSet;
use crate::risk::rule_set::Row;

/// `least`, `most`: what an amount may be. Both may be reached.
#[derive(Debug)]
pub(in crate::risk) struct Single {
    least: Option<Amount>,
    most: Option<Amount>,
}

impl Speaks for Single {
    const SCOPE: KindSet = KindSet::SPENDING;

    fn read(row: &mut Row<'_>) -> Option<Self> {
        let (least, most) = (row.amount("least"), row.amount("most"));
        if !row.has("least") && !row.has("most") {
            row.fault("kind", "kind: single needs least, most or both");
        }
        if most.is_some() && least > most {
            row.fault("least", "least: is above most: no amount fits");
        }
        Some(Self { least, most })
    }

    fn speaks(&self, view: &View<'_>) -> Option<Said> {
        let amount = view.amount();
        if let Some(most) = self.most.filter(|most| amount > *most) {
            return Said::new(ResponseCode::AmountLimit, format!("{amount} is above {most}"));
        }
        let least = self.least.filter(|least| amount < *least)?;
        Said::new(ResponseCode::AmountInvalid, format!("{amount} is below {least}"))
    }
}
