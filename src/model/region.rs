//! Where something takes place.

use std::fmt;

/// An administrative region: four decimal digits, as in places 4 to 7 of a Chinese merchant number (DE 42, `1100` is
/// Beijing, `2900` Shanghai) and in the registry.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Region(u16);

impl Region {
    /// `None` above 9,999.
    #[must_use]
    pub fn new(value: u16) -> Option<Self> {
        (value <= 9_999).then_some(Self(value))
    }

    /// Exactly four ASCII digits.
    #[must_use]
    pub fn parse(digits: &[u8]) -> Option<Self> {
        let value = super::number::decimal(digits, 4).filter(|_| digits.len() == 4)?;
        u16::try_from(value).ok().map(Self)
    }

    /// The number itself, 0 to 9,999.
    #[must_use]
    pub fn value(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_four_digits_and_nothing_else() {
        assert_eq!(Region::parse(b"1100").map(|region| region.to_string()).as_deref(), Some("1100"));
        assert_eq!(Region::parse(b"0001").map(Region::value), Some(1));
        for bad in [&b"110"[..], b"11000", b"11 0", b""] {
            assert_eq!(Region::parse(bad), None);
        }
    }
}
