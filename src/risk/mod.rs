//! Risk per terminal: pure, explainable, decided before a byte leaves.

mod counters;
mod judge;
mod kind_set;
mod kinds;
mod memory;
mod note;
mod rule_set;
mod rules;
mod scene;
mod situation;

pub use counters::{Counters, Sums};
pub use judge::{Checks, Judgement, counted, judge, judge_both};
pub use memory::{Fate, Memory, MemoryRow};
pub use note::{Action, Hit, RiskNote};
pub use rule_set::{RuleSet, RuleStep, Wording};
pub use rules::{Assessment, assess, assess_again, is_built_in, refusals};
pub use scene::{Scene, Signs};
pub use situation::Situation;

use crate::model::Amount;
use crate::model::Bin;
use crate::model::BusinessDate;
use crate::model::EntryMethod;
use crate::model::MerchantId;
use crate::model::PanToken;
use crate::model::ResponseCode;
use crate::model::TerminalId;
use std::borrow::Cow;

/// What a counter counts.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Counted {
    /// All that a terminal sells.
    Terminal(TerminalId),
    /// What was approved at a terminal on behalf of issuers that could not be asked.
    StandInTerminal(TerminalId),
    /// What was approved for a card on behalf of its issuer.
    StandInCard(PanToken),
    /// All that is sold to a card.
    Card(PanToken),
    /// All that a merchant sells.
    Merchant(MerchantId),
    /// All that is sold to cards of one range.
    Bin(Bin),
    /// What a terminal sells to cards that are entered in one way.
    Entry(TerminalId, EntryMethod),
}

/// Which counter a reservation is made on. A row of its own for what is counted and business date.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct CounterKey {
    /// What it counts.
    pub counted: Counted,
    /// On which business date: the intent's, also when it is given back after midnight.
    pub date: BusinessDate,
}

/// What a transaction takes from a counter while it is live, and the most the counter may reach.
///
/// The ledger makes it in the same commit as the intent and gives it back in the same commit as a
/// decline, a timeout or a reversal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reservation {
    /// The counter.
    pub key: CounterKey,
    /// Added to its sum; one is added to its count.
    pub amount: Amount,
    /// The sum may not pass this (61).
    pub amount_limit: Option<Amount>,
    /// The count may not pass this (65).
    pub count_limit: Option<u32>,
}

impl Reservation {
    /// What is answered if a counter would pass its most with it; the amount's limit comes first. What cannot be counted
    /// passes any limit.
    #[must_use]
    pub fn refusal(&self, amount: u64, count: u32) -> Option<ResponseCode> {
        let sums = amount.checked_add(self.amount.minor()).zip(count.checked_add(1));
        let Some((amount, count)) = sums else { return Some(ResponseCode::AmountLimit) };
        if self.amount_limit.is_some_and(|limit| amount > limit.minor()) {
            return Some(ResponseCode::AmountLimit);
        }
        self.count_limit.is_some_and(|limit| count > limit).then_some(ResponseCode::CountLimit)
    }
}

/// A decline by a rule: the answer, and the rule that made it, for logs and explanation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// What is answered.
    pub code: ResponseCode,
    /// The rule's id: `amount-above-most`, `merchant-binding`, `currency`.
    pub rule: Cow<'static, str>,
}
