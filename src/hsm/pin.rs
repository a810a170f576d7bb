//! What a PIN operation is told: under which key a block came, and how the issuer checks PINs.

use super::BdKey;
use super::OffsetKey;
use super::PinKey;
use super::PvKey;
use super::calculator::ibm::Offset;
use crate::model::Ksn;
use crate::model::PinFormat;

/// An enciphered PIN block's key and format.
#[derive(Clone, Copy)]
pub struct PinSource<'a> {
    /// Under which key it is enciphered.
    pub key: &'a PinKey,
    /// Which format is inside.
    pub format: PinFormat,
}

/// A key of one transaction: a base key, and the serial number that came along.
#[derive(Clone, Copy)]
pub struct DukptKey<'a> {
    /// The base key of the device's family.
    pub base: &'a BdKey,
    /// The serial number: 10 bytes (TDES) or 12 (AES).
    pub ksn: &'a Ksn,
}

/// Where an enciphered PIN block comes from.
#[derive(Clone, Copy)]
pub enum PinOrigin<'a> {
    /// Under a key that serves many transactions.
    Static(PinSource<'a>),
    /// Under a key of its own.
    Dukpt(DukptKey<'a>, PinFormat),
}

impl PinOrigin<'_> {
    /// Which format is inside.
    #[must_use]
    pub fn format(&self) -> PinFormat {
        match self {
            Self::Static(source) => source.format,
            Self::Dukpt(_, format) => *format,
        }
    }
}

/// Which digits of the PAN an IBM 3624 PIN follows from. The decimalization table is not here: it
/// belongs into the HSM's own configuration.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct IbmRule {
    /// The first digit, counted from 0.
    pub start: usize,
    /// How many digits, at most 16.
    pub length: usize,
    /// The nibble that fills up to 16, 0 to 15.
    pub pad: u8,
}

/// How an issuer checks a PIN.
#[derive(Clone, Copy)]
pub enum PinMethod<'a> {
    /// Visa PVV.
    Pvv {
        /// The verification key.
        key: &'a PvKey,
        /// The key's index, ASCII 0 to 6.
        index: u8,
        /// The value on file: four ASCII digits.
        pvv: [u8; 4],
    },
    /// IBM 3624 with offset.
    Ibm {
        /// The verification key.
        key: &'a OffsetKey,
        /// What the PIN follows from.
        rule: IbmRule,
        /// The offset on file: 4 to 12 ASCII digits, the rightmost ones of the PIN.
        offset: &'a [u8],
    },
}

/// What an issuer is to keep for a new PIN.
#[derive(Clone, Copy)]
pub enum ReferenceMethod<'a> {
    /// Visa PVV.
    Pvv {
        /// The verification key.
        key: &'a PvKey,
        /// The key's index, ASCII 0 to 6.
        index: u8,
    },
    /// IBM 3624 offset.
    Ibm {
        /// The verification key.
        key: &'a OffsetKey,
        /// What the PIN follows from.
        rule: IbmRule,
        /// How many digits are checked, 4 to 12 and no more than the PIN has.
        check: usize,
    },
}

/// What an issuer keeps of a PIN.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PinReference {
    /// Four ASCII digits.
    Pvv([u8; 4]),
    /// ASCII digits, as many as are checked.
    Offset(Offset),
}
