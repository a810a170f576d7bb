//! What merchants pay, as rules ask it.

use super::{BusinessDate, CardClass, Currency, Mcc, MerchantId};
use std::fmt;

/// What a merchant pays for one transaction.
#[derive(Clone, Copy, Debug)]
pub struct Priced {
    /// Whose transaction.
    pub merchant: MerchantId,
    /// The merchant's category, where the registry has one.
    pub mcc: Option<Mcc>,
    /// What sort of card.
    pub card: CardClass,
    /// In which currency.
    pub currency: Currency,
    /// On which day.
    pub date: BusinessDate,
}

/// A table of what merchants pay.
pub trait Rates: Send + Sync {
    /// Hundredths of a percent of the amount; `None` where nobody said.
    fn rate(&self, priced: &Priced) -> Option<u16>;
}

/// The table in use; without one nothing is known.
#[derive(Default)]
pub struct RateTable(pub Option<Box<dyn Rates>>);

impl RateTable {
    /// What the table says.
    #[must_use]
    pub fn rate(&self, priced: &Priced) -> Option<u16> {
        self.0.as_ref()?.rate(priced)
    }
}

impl fmt::Debug for RateTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateTable").finish_non_exhaustive()
    }
}
