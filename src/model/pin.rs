//! PINs, which this house only ever sees encrypted.

use serde::Deserialize;
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A PIN block format of ISO 9564-1.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum PinFormat {
    /// Format 0: PIN field XOR account field.
    #[serde(rename = "0")]
    Iso0,
    /// Format 1: no PAN, transaction or random digits.
    #[serde(rename = "1")]
    Iso1,
    /// Format 2: inside chip cards only.
    #[serde(rename = "2")]
    Iso2,
    /// Format 3: as 0 with random fill.
    #[serde(rename = "3")]
    Iso3,
    /// Format 4: AES, 16 bytes.
    #[serde(rename = "4")]
    Iso4,
}

/// An enciphered PIN block, DE 52: 8 bytes (formats 0 to 3) or 16 (format 4).
///
/// Still sensitive authentication data: no `Debug`, no `Clone`, never stored, wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct EncryptedPinBlock {
    bytes: [u8; 16],
    length: usize,
}

impl EncryptedPinBlock {
    /// 8 or 16 bytes; anything else is `None`.
    #[must_use]
    pub fn new(block: &[u8]) -> Option<Self> {
        if block.len() != 8 && block.len() != 16 {
            return None;
        }
        let mut bytes = [0; 16];
        bytes[..block.len()].copy_from_slice(block);
        Some(Self { bytes, length: block.len() })
    }

    /// The enciphered bytes, for the wire and the HSM.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Key serial number of a DUKPT device: 10 bytes (TDES) or 12 (AES). ANSI X9.24-1, X9.24-3.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Ksn {
    bytes: [u8; 12],
    length: u8,
}

impl Ksn {
    /// 10 or 12 bytes; anything else is `None`.
    #[must_use]
    pub fn new(ksn: &[u8]) -> Option<Self> {
        if ksn.len() != 10 && ksn.len() != 12 {
            return None;
        }
        let mut bytes = [0; 12];
        bytes[..ksn.len()].copy_from_slice(ksn);
        Some(Self { bytes, length: u8::try_from(ksn.len()).ok()? })
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl fmt::Debug for Ksn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}
