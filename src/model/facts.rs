//! What the registry says of a terminal, as flows and risk use it.

use super::{
    Acquirer, Amount, BusinessDate, Currency, DayRule, DeviceId, KeyName, MerchantId, Site, TerminalId, Timestamp,
};
use std::sync::Arc;

/// Whether a terminal or merchant may trade.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It may.
    #[default]
    Active,
    /// Not for now: requests are answered 58; reversals, advices and settlements are served.
    Suspended,
    /// Never again: as suspended, and irreversible.
    Terminated,
}

impl Standing {
    /// Whether a terminal or merchant that had the one may have the other: terminated is for good.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        self != Self::Terminated || next == Self::Terminated
    }

    /// Its name in the lists.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Terminated => "terminated",
        }
    }
}

/// Bounds on what a terminal may sell. `None` is no bound.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Limits {
    /// Smallest single amount.
    pub least: Option<Amount>,
    /// Largest single amount (61).
    pub most: Option<Amount>,
    /// Sum of live amounts in a business date (61).
    pub daily_amount: Option<Amount>,
    /// Count of live transactions in a business date (65).
    pub daily_count: Option<u32>,
}

/// One terminal, joined with its merchant: an immutable row of the registry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TerminalFacts {
    /// DE 41.
    pub terminal: TerminalId,
    /// The merchant it stands at; another DE 42 is answered 03.
    pub merchant: MerchantId,
    /// Its acquirer, DE 32 towards issuers and in answers.
    pub acquirer: Acquirer,
    /// The terminal's standing.
    pub standing: Standing,
    /// The merchant's standing.
    pub merchant_standing: Standing,
    /// Never settles (rules of the money, 8).
    pub test_mode: bool,
    /// The currency it sells in; another DE 49 is answered 13.
    pub currency: Currency,
    /// Its bounds.
    pub limits: Limits,
    /// Minutes east of UTC of its clock.
    pub offset_minutes: i16,
    /// Its acquirer's business day.
    pub day: Arc<DayRule>,
    /// The terminal master key, where its door has sign-in.
    pub master_key: Option<KeyName>,
    /// Keys that were handed out before this instant are to be renewed by a sign-in.
    pub sign_in_after: Option<Timestamp>,
    /// The DUKPT device it has; `None`: the first one that it shows.
    pub device: Option<DeviceId>,
    /// SHA-256 of the client certificate that proves it, where it has one: then it signs in and off with that alone.
    pub certificate: Option<[u8; 32]>,
    /// What else the registry says of it.
    pub site: Site,
}

impl TerminalFacts {
    /// The business date of what it asks at this instant (rules of the money, 9).
    #[must_use]
    pub fn date(&self, at: Timestamp) -> BusinessDate {
        self.day.date(at)
    }
}
