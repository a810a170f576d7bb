//! Card numbers at rest: sealed for the few who must read them again, tokens for look-ups.

use super::BusinessDate;
use super::Pan;
use bytes::Bytes;
use std::fmt;

/// A PAN under authenticated encryption: nonce, ciphertext and tag. Bound to one transaction.
#[derive(Clone, Eq, PartialEq)]
pub struct SealedPan(Bytes);

impl SealedPan {
    /// Wraps what a [`Sealer`] made.
    #[must_use]
    pub fn new(sealed: Bytes) -> Self {
        Self(sealed)
    }

    /// What a [`Sealer`] made.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SealedPan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedPan({} bytes)", self.0.len())
    }
}

/// A keyed token of a PAN (HMAC-SHA-256): equal for equal PANs, says nothing without the key.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
pub struct PanToken(pub [u8; 32]);

/// By its head: each part of a token is as good as chance to who has no key.
impl std::hash::Hash for PanToken {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.first_chunk().into_iter().for_each(|head| state.write_u64(u64::from_le_bytes(*head)));
    }
}

impl fmt::Debug for PanToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..6].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A card number was not sealed or not opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SealFault {
    /// The key of that business date has not been opened.
    #[error("no key of this business date is open")]
    NoKey,
    /// Other key, other transaction, or changed bytes.
    #[error("sealed card number does not open under this key for this transaction")]
    Differs,
}

/// Seals PANs and makes tokens under data keys that the HSM opened: a sealing key a business date, one
/// token key a station. Handed to flows by the shell.
pub trait Sealer: Send + Sync + 'static {
    /// Whether the key of `date` is open.
    fn knows(&self, date: BusinessDate) -> bool;

    /// Seals `pan` under the key of `date`, for the transaction that `bound_to` names (additional
    /// authenticated data).
    ///
    /// # Errors
    /// [`SealFault::NoKey`].
    fn seal(&self, date: BusinessDate, pan: &Pan, bound_to: &[u8]) -> Result<SealedPan, SealFault>;

    /// Opens what [`Sealer::seal`] made with the same `date` and `bound_to`.
    ///
    /// # Errors
    /// [`SealFault`] if anything differs.
    fn open(&self, date: BusinessDate, sealed: &SealedPan, bound_to: &[u8]) -> Result<Pan, SealFault>;

    /// The look-up token of `pan`.
    fn token(&self, pan: &Pan) -> PanToken;

    /// Keyed hash (HMAC-SHA-256) of business elements: what makes two requests the same request.
    fn digest(&self, content: &[u8]) -> [u8; 32];
}
