//! An account: what is on it, what is held, what is owed.

use crate::model::Amount;

/// An account and what is on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Account {
    /// On the account, without regard to holds.
    pub balance: Amount,
    /// Held for authorizations.
    pub held: Amount,
    /// Owed to the bank: booked by advice where there was nothing left.
    pub overdrawn: Amount,
}

impl Account {
    /// With so much on it, and nothing held or owed.
    #[must_use]
    pub fn of(balance: Amount) -> Self {
        Self { balance, held: Amount::ZERO, overdrawn: Amount::ZERO }
    }

    /// What may still be spent.
    #[must_use]
    pub fn available(&self) -> Amount {
        self.balance.minus(self.held).unwrap_or(Amount::ZERO)
    }

    /// Takes an amount, on credit where there is not enough. `None` where it cannot be counted.
    pub(super) fn taken(self, amount: Amount) -> Option<Self> {
        match self.balance.minus(amount) {
            Some(balance) => Some(Self { balance, ..self }),
            None => {
                let overdrawn = self.overdrawn.plus(amount.minus(self.balance)?)?;
                Some(Self { balance: Amount::ZERO, overdrawn, ..self })
            }
        }
    }

    /// Gives an amount back: first what is owed to the bank.
    pub(super) fn returned(self, amount: Amount) -> Option<Self> {
        match self.overdrawn.minus(amount) {
            Some(overdrawn) => Some(Self { overdrawn, ..self }),
            None => {
                let balance = self.balance.plus(amount.minus(self.overdrawn)?)?;
                Some(Self { balance, overdrawn: Amount::ZERO, ..self })
            }
        }
    }

    /// Holds so much more.
    pub(super) fn holding(self, amount: Amount) -> Option<Self> {
        Some(Self { held: self.held.plus(amount)?, ..self })
    }

    /// Holds so much less.
    pub(super) fn released(self, amount: Amount) -> Option<Self> {
        Some(Self { held: self.held.minus(amount)?, ..self })
    }
}
