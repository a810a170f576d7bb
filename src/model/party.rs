//! Who takes part: terminal, merchant, acquirer, issuer.

use super::Mcc;
use super::Region;
use super::number::fixed_text;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

fixed_text!(
    /// Card acceptor terminal identification, DE 41 (`ans8`), space filled on the right.
    TerminalId, 8, |byte| (b' '..=b'~').contains(byte)
);
fixed_text!(
    /// Card acceptor identification code, DE 42 (`ans15`), space filled on the right.
    ///
    /// In China: acquirer 3, region 4, merchant category 4, serial 4.
    MerchantId, 15, |byte| (b' '..=b'~').contains(byte)
);

impl MerchantId {
    /// Places 4 to 7, where Chinese numbers have the region; `None` unless all 15 are digits.
    #[must_use]
    pub fn region(&self) -> Option<Region> {
        self.numbered(3..7).and_then(Region::parse)
    }

    /// Places 8 to 11, where Chinese numbers have the category; `None` unless all 15 are digits.
    #[must_use]
    pub fn mcc(&self) -> Option<Mcc> {
        self.numbered(7..11).and_then(|digits| std::str::from_utf8(digits).ok()).and_then(Mcc::parse)
    }

    fn numbered(&self, places: Range<usize>) -> Option<&[u8]> {
        let digits = self.as_bytes();
        digits.iter().all(u8::is_ascii_digit).then(|| digits.get(places)).flatten()
    }
}

/// Acquiring institution identification code, DE 32 (`n..11`).
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Acquirer {
    digits: [u8; 11],
    length: u8,
}

impl Acquirer {
    /// One to eleven ASCII digits.
    #[must_use]
    pub fn parse(ascii: &[u8]) -> Option<Self> {
        if ascii.is_empty() || !ascii.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let mut digits = [0; 11];
        digits.get_mut(..ascii.len())?.copy_from_slice(ascii);
        Some(Self { digits, length: u8::try_from(ascii.len()).ok()? })
    }

    /// The digits, as DE 32 carries them.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.digits[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl fmt::Debug for Acquirer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The configured name of an issuer (`bank-a`); routes, links and queues are named by it.
///
/// Lower-case letters, digits and hyphens, 1 to 32 characters. Cheap to clone.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct IssuerName(Arc<str>);

impl IssuerName {
    /// `None` unless the name is of the form above.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        ((1..=32).contains(&name.len()) && name.bytes().all(plain)).then(|| Self(name.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IssuerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
