//! The judgement of one request by a set of rules. Pure.

use super::CounterKey;
use super::Memory;
use super::Refusal;
use super::Reservation;
use super::RiskNote;
use super::RuleSet;
use super::Situation;
use smallvec::SmallVec;
use std::sync::Arc;

/// The rule sets by which requests are judged from now on; swapped as a whole.
#[derive(Clone, Debug, Default)]
pub struct Checks {
    /// Decides.
    pub live: Arc<RuleSet>,
    /// Only counts.
    pub shadow: Option<Arc<RuleSet>>,
}

/// The day's counters, as far as rules look at them.
pub trait Sums {
    /// Sum in minor units and count of what is reserved on a counter now.
    fn sum(&self, key: &CounterKey) -> (u64, u32);
}

/// What a set of rules says of one request.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// Why it is declined, if it is: of the rules that decline, the first of the file.
    pub refusal: Option<Refusal>,
    /// What it takes while it lives; none with a refusal.
    pub reservations: SmallVec<[Reservation; 2]>,
    /// The rules that spoke, if any did.
    pub note: Option<Box<RiskNote>>,
}

/// Judges `situation` by `rules`, given what is remembered.
#[must_use]
pub fn judge(_rules: &RuleSet, _situation: &Situation<'_>, _memory: &Memory, _sums: &impl Sums) -> Judgement {
    Judgement::default()
}
