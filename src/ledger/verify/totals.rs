//! How many transactions there are of each kind of end, and for how much.

use crate::ledger::Effect;
use crate::ledger::Outcome;
use crate::ledger::lifecycle::State;
use crate::model::Amount;
use crate::model::BusinessDate;
use crate::model::Currency;
use std::collections::BTreeMap;

/// What is counted together. The order is the order of reports.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Line {
    /// The business date.
    pub date: BusinessDate,
    /// Of a terminal that never settles.
    pub test_mode: bool,
    /// The currency.
    pub currency: Currency,
    /// `open`, `approved`, `declined`, `timed-out`, `advising`, `reversing`, `reversed` or `dead-letter`.
    pub standing: &'static str,
}

/// So many transactions of so much.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Sum {
    /// Transactions.
    pub count: u64,
    /// Minor units: what was approved, or asked where nothing was.
    pub amount: u128,
}

/// All totals.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Totals(pub BTreeMap<Line, Sum>);

/// The word for where a transaction is.
pub(in crate::ledger) fn standing(state: State) -> &'static str {
    match (state, state.effect()) {
        (State::Open, _) => "open",
        (_, Effect::Advising) => "advising",
        (_, Effect::Reversing) => "reversing",
        (_, Effect::Reversed) => "reversed",
        (_, Effect::DeadLetter) => "dead-letter",
        (State::Stands(Outcome::Declined), _) => "declined",
        (State::Stands(Outcome::TimedOut), _) => "timed-out",
        _ => "approved",
    }
}

impl Totals {
    pub(super) fn add(&mut self, line: Line, amount: Amount) {
        let sum = self.0.entry(line).or_default();
        *sum = Sum { count: sum.count + 1, amount: sum.amount + u128::from(amount.minor()) };
    }

    pub(super) fn subtract(&mut self, line: Line, amount: Amount) {
        let Some(sum) = self.0.get_mut(&line) else { return };
        *sum =
            Sum { count: sum.count.saturating_sub(1), amount: sum.amount.saturating_sub(u128::from(amount.minor())) };
        if sum.count == 0 {
            self.0.remove(&line);
        }
    }
}
