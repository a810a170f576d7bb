//! Machines and cards that are in two places at once.

use super::{Per, Said, Speaks, View};
use crate::model::ResponseCode;
use crate::risk::kind_set::KindSet;
use crate::risk::memory::Class;
use crate::risk::rule_set::Row;
use std::time::Duration;

/// `per`, `within_s`: the same terminal or the same card moved money in another region less than so long ago. Exactly
/// so long ago is long enough; a region that is not known is no other.
#[derive(Debug)]
pub(in crate::risk) struct RegionJump {
    terminal: bool,
    card: bool,
    within: Duration,
}

impl Speaks for RegionJump {
    const SCOPE: KindSet = KindSet::SPENDING;

    fn read(row: &mut Row<'_>) -> Option<Self> {
        let form = "terminal or card";
        let per = row.list("per", form, |name| match name {
            "terminal" => Some(true),
            "card" => Some(false),
            _ => None,
        });
        let within = row.window().unwrap_or(Duration::from_secs(1_800));
        let is_for = |terminal| per.as_ref().is_none_or(|per| per.contains(&terminal));
        Some(Self { terminal: is_for(true), card: is_for(false), within })
    }

    fn speaks(&self, view: &View<'_>) -> Option<Said> {
        let here = view.s.scene.region?;
        let now = view.now();
        [(Per::Terminal, self.terminal), (Per::Card, self.card)].into_iter().find_map(|(per, looked_at)| {
            let trail = view.trail(per).filter(|trail| looked_at && trail.may_be_elsewhere(here))?;
            let mut earlier = trail.within(now, self.within);
            let other =
                earlier.find(|slot| slot.is_live() && slot.class() != Class::Look && slot.is_elsewhere(here))?;
            let (name, age) = (per.name(view.s), other.age(now).as_secs());
            let evidence = format!("{name}: region {here}, and {} {age} s before", other.place());
            Said::new(ResponseCode::FraudSuspected, evidence)
        })
    }
}

/// The terminal is not where the registry says.
#[derive(Debug)]
pub(in crate::risk) struct RegionChange;

impl Speaks for RegionChange {
    const SCOPE: KindSet = KindSet::CARDS;

    fn read(_: &mut Row<'_>) -> Option<Self> {
        Some(Self)
    }

    fn speaks(&self, view: &View<'_>) -> Option<Said> {
        let (here, home) = (view.s.scene.region?, view.s.scene.home?);
        let evidence = || format!("region {here}, registered in {home}");
        (here != home).then(evidence).and_then(|evidence| Said::new(ResponseCode::MerchantInvalid, evidence))
    }
}
