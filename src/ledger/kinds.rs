//! What each kind of transaction means to the money (rules of the money, 1). One row a kind.

use crate::model::Kind;
use crate::model::OnUnknown;

/// What an approval of a kind does to the cardholder's account.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Money {
    /// It is taken, and settled.
    Taken,
    /// It is held, and not settled.
    Held,
    /// It stays as it is.
    Untouched,
}

/// One row of the table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Effects {
    /// What follows when nobody knows whether the issuer did it.
    pub on_unknown: OnUnknown,
    /// What an approval does.
    pub money: Money,
    /// Whether it takes reservations from counters while it is live.
    pub reserves: bool,
}

impl Effects {
    /// Whether a live transaction of the kind can be undone by a reversal.
    #[must_use]
    pub fn is_undone_by_reversal(self) -> bool {
        self.on_unknown == OnUnknown::Reverse
    }
}

/// The row of `kind`.
#[must_use]
pub const fn of(kind: Kind) -> Effects {
    let (on_unknown, money, reserves) = match kind {
        Kind::Sale => (OnUnknown::Reverse, Money::Taken, true),
        Kind::Authorization => (OnUnknown::Reverse, Money::Held, true),
        Kind::Balance => (OnUnknown::Nothing, Money::Untouched, false),
        Kind::Reversal => (OnUnknown::Repeat, Money::Untouched, false),
        Kind::SignIn | Kind::SignOff | Kind::Echo => (OnUnknown::Nothing, Money::Untouched, false),
    };
    Effects { on_unknown, money, reserves }
}
