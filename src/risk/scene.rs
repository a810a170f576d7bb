//! What rules see of a request beside the request itself.

use crate::model::Bin;
use crate::model::Firmware;
use crate::model::Mcc;
use crate::model::Region;

/// Where a request takes place and what is odd about it: all that rules see and an intent does not hold. It is kept
/// with the intent, so that a decision can be explained, and other rules tried on it, later.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Scene {
    /// Where it takes place: by DE 42, else the registry, else DE 43, else the location in DE 59.
    pub region: Option<Region>,
    /// Where the terminal stands by the registry.
    pub home: Option<Region>,
    /// What is traded by the message: DE 18, else DE 42.
    pub mcc: Option<Mcc>,
    /// What the merchant trades in by the registry.
    pub registered_mcc: Option<Mcc>,
    /// The card's first six digits.
    pub bin: Option<Bin>,
    /// What the device says it runs, else what the registry says.
    pub firmware: Option<Firmware>,
    /// What the merchant pays for a purchase, in hundredths of a percent, where that is known.
    pub fee: Option<u16>,
    /// Seconds since the terminal was heard of last, where it was.
    pub silent: Option<u32>,
    /// Messages with a wrong MAC from this source within ten minutes, as far as they were counted.
    pub mac_failures: u16,
    /// What else was noticed.
    pub signs: Signs,
}

/// A set of things that a request was seen to be.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Signs(u32);

impl Signs {
    /// The track says that the card has a chip: service code 2xx or 6xx.
    pub const CHIP_CARD: Self = Self(1);
    /// The terminal reads chips, by the registry.
    pub const CHIP_TERMINAL: Self = Self(1 << 1);
    /// The request brought a PIN.
    pub const PIN: Self = Self(1 << 2);
    /// The card was entered in a way that the terminal does not have, by the registry.
    pub const BEYOND_CAPABILITIES: Self = Self(1 << 3);
    /// DE 42 is not of the terminal.
    pub const OTHER_MERCHANT: Self = Self(1 << 4);
    /// DE 43 is not what the registry says.
    pub const OTHER_NAME: Self = Self(1 << 5);
    /// It came from another address than before.
    pub const SOURCE_CHANGED: Self = Self(1 << 6);
    /// The registry knows no device of the terminal.
    pub const DEVICE_UNKNOWN: Self = Self(1 << 7);
    /// The device says another serial number than the registry.
    pub const DEVICE_DIFFERS: Self = Self(1 << 8);
    /// The device's certification has expired.
    pub const CERTIFICATION_EXPIRED: Self = Self(1 << 9);
    /// The device says that it was opened.
    pub const DEVICE_OPENED: Self = Self(1 << 10);
    /// All of them.
    const ALL: u32 = (1 << 11) - 1;

    /// These and those.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These, and those too if `seen`.
    #[must_use]
    pub fn with_if(self, seen: bool, other: Self) -> Self {
        if seen { self.with(other) } else { self }
    }

    /// Whether all of `other` are among them.
    #[must_use]
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// As a number, a bit a sign: what the ledger keeps.
    #[must_use]
    pub fn bits(self) -> u32 {
        self.0
    }

    /// From such a number; `None` if a bit means nothing.
    #[must_use]
    pub fn of_bits(bits: u32) -> Option<Self> {
        (bits & !Self::ALL == 0).then_some(Self(bits))
    }
}
