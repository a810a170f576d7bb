//! What may be approved on behalf of an issuer that cannot be asked (rules of the money, 8).

use super::{Amount, EntryMethod, Kind};

/// One issuer's permission. An issuer without one is never stood in for.
///
/// No PIN is ever stood in for: nobody but the issuer can verify it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StandIn {
    /// The most of one transaction.
    pub most: Amount,
    /// Of which kinds: sale, authorization.
    pub kinds: Box<[Kind]>,
    /// By cards that were read in which ways.
    pub methods: Box<[EntryMethod]>,
    /// In a business date with one card.
    pub card: DayLimit,
    /// In a business date at one terminal.
    pub terminal: DayLimit,
}

/// Bounds of a business date. `None` is no bound.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DayLimit {
    /// Sum of live amounts.
    pub amount: Option<Amount>,
    /// Count of live transactions.
    pub count: Option<u32>,
}

impl DayLimit {
    /// Whether it bounds nothing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.amount.is_none() && self.count.is_none()
    }
}
