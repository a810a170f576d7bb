//! What a merchant trades in.

use std::fmt;

/// A merchant category code, DE 18 (`n4`).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Mcc(u16);

impl Mcc {
    /// Exactly four digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_code = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_code.then(|| text.parse().ok().map(Self)).flatten()
    }
}

impl Mcc {
    /// The number itself, 0 to 9,999.
    #[must_use]
    pub fn value(self) -> u16 {
        self.0
    }

    /// `None` above 9,999.
    #[must_use]
    pub fn new(value: u16) -> Option<Self> {
        (value <= 9_999).then_some(Self(value))
    }
}

impl fmt::Display for Mcc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.0)
    }
}
