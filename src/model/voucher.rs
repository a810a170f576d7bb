//! The voucher of a payment by code.

use smallvec::SmallVec;
use std::fmt;

/// The voucher code that an issuer gives for a payment by code (DE 59 tag A4 of the China POS dialect): a void
/// or refund names the payment by it. 1 to 40 letters and digits. `Debug` does not show it.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Voucher(SmallVec<[u8; 20]>);

impl Voucher {
    /// The most characters.
    pub const MOST: usize = 40;

    /// 1 to 40 ASCII letters and digits.
    #[must_use]
    pub fn parse(ascii: &[u8]) -> Option<Self> {
        let fits = (1..=Self::MOST).contains(&ascii.len()) && ascii.iter().all(u8::is_ascii_alphanumeric);
        fits.then(|| Self(SmallVec::from_slice(ascii)))
    }

    /// Its characters.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Voucher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Voucher({} characters)", self.0.len())
    }
}
