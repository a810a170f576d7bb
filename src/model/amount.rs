//! Money: a count of minor units and the currency they are minor units of.

use std::fmt;

/// An amount in minor units (cents, 分) of a [`Currency`]; DE 4 (`n12`).
///
/// At most twelve decimal digits, the most that DE 4 can carry; never negative: direction is the
/// transaction kind's business. Source: ISO 8583:1987, data element 4.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Amount(u64);

impl Amount {
    /// The largest amount of twelve digits.
    pub const MAX: Self = Self(999_999_999_999);
    /// No money at all.
    pub const ZERO: Self = Self(0);

    /// `None` above [`Amount::MAX`].
    #[must_use]
    pub fn new(minor: u64) -> Option<Self> {
        (minor <= Self::MAX.0).then_some(Self(minor))
    }

    /// Twelve or fewer ASCII digits, as DE 4 carries them.
    #[must_use]
    pub fn parse(digits: &[u8]) -> Option<Self> {
        super::number::decimal(digits, 12).map(Self)
    }

    /// The count of minor units.
    #[must_use]
    pub fn minor(self) -> u64 {
        self.0
    }

    /// DE 4: twelve ASCII digits, zero filled on the left.
    #[must_use]
    pub fn digits(self) -> [u8; 12] {
        super::number::fixed_digits(self.0)
    }

    /// The sum, or `None` where it would not fit DE 4.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).and_then(Self::new)
    }

    /// The difference, or `None` where it would be negative.
    #[must_use]
    pub fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
}

/// `12.34`: two decimals, as the demo's currencies have. Reports ask [`Currency::exponent`].
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// An ISO 4217 numeric currency code, DE 49 (`n3`).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Currency(u16);

impl Currency {
    /// Renminbi, 156.
    pub const CNY: Self = Self(156);

    /// Exactly three ASCII digits.
    #[must_use]
    pub fn parse(digits: &[u8]) -> Option<Self> {
        if digits.len() != 3 {
            return None;
        }
        super::number::decimal(digits, 3).and_then(|code| u16::try_from(code).ok()).map(Self)
    }

    /// DE 49: three ASCII digits.
    #[must_use]
    pub fn digits(self) -> [u8; 3] {
        super::number::fixed_digits(u64::from(self.0))
    }

    /// How many decimals the currency has: 2 but for the listed exceptions.
    ///
    /// Source: ISO 4217 list one (0: JPY, KRW, VND, CLP…; 3: KWD, BHD, JOD, OMR, TND, IQD, LYD).
    #[must_use]
    pub fn exponent(self) -> u8 {
        match self.0 {
            108 | 152 | 174 | 262 | 324 | 352 | 392 | 410 | 548 | 600 | 646 | 704 | 800 | 950 | 952 | 953 => 0,
            48 | 368 | 400 | 414 | 434 | 512 | 788 => 3,
            _ => 2,
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.0)
    }
}
