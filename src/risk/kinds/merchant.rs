//! Messages that say other things of a merchant than the registry.

use super::{Said, Speaks, View};
use crate::model::ResponseCode;
use crate::risk::Signs;
use crate::risk::kind_set::KindSet;
use crate::risk::rule_set::Row;

/// The message trades in something else than the merchant is registered for.
#[derive(Debug)]
pub(in crate::risk) struct MccJump;

impl Speaks for MccJump {
    const SCOPE: KindSet = KindSet::CARDS;

    fn read(_: &mut Row<'_>) -> Option<Self> {
        Some(Self)
    }

    fn speaks(&self, view: &View<'_>) -> Option<Said> {
        let (sent, registered) = (view.s.scene.mcc?, view.s.scene.registered_mcc?);
        let evidence = || format!("category {sent}, registered for {registered}");
        (sent != registered).then(evidence).and_then(|evidence| Said::new(ResponseCode::MerchantInvalid, evidence))
    }
}

/// DE 43 is not what the registry says.
#[derive(Debug)]
pub(in crate::risk) struct MerchantName;

impl Speaks for MerchantName {
    const SCOPE: KindSet = KindSet::CARDS;

    fn read(_: &mut Row<'_>) -> Option<Self> {
        Some(Self)
    }

    fn speaks(&self, view: &View<'_>) -> Option<Said> {
        let differs = view.s.scene.signs.has(Signs::OTHER_NAME);
        differs.then(|| Said::new(ResponseCode::MerchantInvalid, "the name in DE 43 is not the registered one"))?
    }
}

/// `least`: what a merchant must at least pay for a purchase, in hundredths of a percent.
#[derive(Debug)]
pub(in crate::risk) struct FeeFloor {
    least: u16,
}

impl Speaks for FeeFloor {
    const SCOPE: KindSet = KindSet::SPENDING;

    fn read(row: &mut Row<'_>) -> Option<Self> {
        let least = row.number("least", 1..=10_000);
        let least = row.need("least", least)?;
        Some(Self { least: u16::try_from(least).ok()? })
    }

    fn speaks(&self, view: &View<'_>) -> Option<Said> {
        let fee = view.s.scene.fee.filter(|fee| *fee < self.least)?;
        let percent = |fee: u16| format!("{}.{:02} %", fee / 100, fee % 100);
        let evidence = format!("a fee of {}, at least {}", percent(fee), percent(self.least));
        Said::new(ResponseCode::MerchantInvalid, evidence)
    }
}
