//! A terminal's batch in sums: what it and the switch compare when it is settled.

use super::Amount;
use std::fmt;

/// So many transactions of so much together. Never wraps: what does not fit is not added.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Sum {
    /// Transactions.
    pub count: u32,
    /// Minor units.
    pub amount: u64,
}

impl Sum {
    /// One more transaction; `None` if that cannot be counted.
    #[must_use]
    pub fn plus(self, amount: Amount) -> Option<Self> {
        Some(Self { count: self.count.checked_add(1)?, amount: self.amount.checked_add(amount.minor())? })
    }

    /// Both together; `None` if that cannot be counted.
    #[must_use]
    pub fn with(self, other: Self) -> Option<Self> {
        let count = self.count.checked_add(other.count)?;
        Some(Self { count, amount: self.amount.checked_add(other.amount)? })
    }
}

/// What goes to the merchant and what comes from him.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Side {
    /// Sales, completions, offline sales, with their tips.
    pub debit: Sum,
    /// Refunds; and voids, where they count as transactions of their own.
    pub credit: Sum,
}

/// A batch's totals, as a settlement message compares them: cards of the country apart from foreign ones.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct BatchTotals {
    /// Domestic cards.
    pub domestic: Side,
    /// Foreign cards.
    pub foreign: Side,
}

impl BatchTotals {
    /// The totals with one more transaction; `None` if that cannot be counted.
    #[must_use]
    pub fn plus(self, entry: BatchEntry) -> Option<Self> {
        let mut totals = self;
        let side = if entry.foreign { &mut totals.foreign } else { &mut totals.domestic };
        let sum = match entry.direction {
            Direction::Debit => &mut side.debit,
            Direction::Credit => &mut side.credit,
        };
        *sum = sum.plus(entry.amount)?;
        Some(totals)
    }

    /// Domestic and foreign cards together, for dialects that do not tell them apart; `None` if that cannot be counted.
    #[must_use]
    pub fn together(&self) -> Option<Side> {
        let debit = self.domestic.debit.with(self.foreign.debit)?;
        Some(Side { debit, credit: self.domestic.credit.with(self.foreign.credit)? })
    }

    /// How many transactions, both sides and both kinds of cards.
    #[must_use]
    pub fn count(&self) -> u64 {
        let sums = [self.domestic.debit, self.domestic.credit, self.foreign.debit, self.foreign.credit];
        sums.iter().map(|sum| u64::from(sum.count)).sum()
    }
}

/// `debit COUNT/MINOR credit COUNT/MINOR`, and the same for foreign cards where there are any.
impl fmt::Display for BatchTotals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |f: &mut fmt::Formatter<'_>, Side { debit, credit }: Side| {
            write!(f, "debit {}/{} credit {}/{}", debit.count, debit.amount, credit.count, credit.amount)
        };
        side(f, self.domestic)?;
        if self.foreign != Side::default() {
            f.write_str(", foreign ")?;
            side(f, self.foreign)?;
        }
        Ok(())
    }
}

/// Which way a transaction's money goes in a batch.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Direction {
    /// To the merchant.
    Debit,
    /// From the merchant.
    Credit,
}

/// What one transaction adds to its batch.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct BatchEntry {
    /// Of a foreign card.
    pub foreign: bool,
    /// Which way.
    pub direction: Direction,
    /// How much: what was approved, with its tip.
    pub amount: Amount,
}

/// What an approved void does to a batch's totals.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum VoidsInTotals {
    /// It takes what it cancels out of them, and is not in them itself: the totals are net.
    #[default]
    Removed,
    /// What it cancels stays a debit, and it is a credit.
    Credit,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(foreign: bool, direction: Direction, minor: u64) -> BatchEntry {
        BatchEntry { foreign, direction, amount: Amount::new(minor).unwrap() }
    }

    #[test]
    fn each_transaction_is_in_one_sum() {
        let entries = [
            entry(false, Direction::Debit, 100),
            entry(false, Direction::Debit, 23),
            entry(false, Direction::Credit, 5),
            entry(true, Direction::Debit, 7),
        ];
        let totals = entries.into_iter().try_fold(BatchTotals::default(), BatchTotals::plus).unwrap();
        assert_eq!(totals.domestic.debit, Sum { count: 2, amount: 123 });
        assert_eq!(totals.domestic.credit, Sum { count: 1, amount: 5 });
        assert_eq!(totals.foreign, Side { debit: Sum { count: 1, amount: 7 }, credit: Sum::default() });
        assert_eq!(totals.count(), 4);
        let together = totals.together().unwrap();
        assert_eq!((together.debit, together.credit), (Sum { count: 3, amount: 130 }, Sum { count: 1, amount: 5 }));
        assert_eq!(totals.to_string(), "debit 2/123 credit 1/5, foreign debit 1/7 credit 0/0");
    }

    #[test]
    fn a_sum_that_cannot_be_counted_is_none() {
        let full = Sum { count: u32::MAX, amount: 0 };
        assert_eq!(full.plus(Amount::ZERO), None);
        let full = Sum { count: 0, amount: u64::MAX };
        assert_eq!(full.plus(Amount::new(1).unwrap()), None);
    }
}
