//! The small codes of host commands: errors, key types, PIN block formats.

use super::fields::FieldFault;
use super::fields::Fields;
use crate::model::PinFormat;
use std::fmt;

/// The two characters of an answer that say how it went; `00` is success.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct ErrorCode([u8; 2]);

impl ErrorCode {
    /// Success.
    pub const OK: Self = Self(*b"00");
    /// A comparison failed; with imported keys, a parity that was mended.
    pub const VERIFICATION: Self = Self(*b"01");
    /// A field of the command has a value the command does not know.
    pub const FIELD: Self = Self(*b"04");
    /// The parity of the first key: as a rule it is not under this LMK.
    pub const SOURCE_KEY: Self = Self(*b"10");
    /// The parity of the second key.
    pub const DESTINATION_KEY: Self = Self(*b"11");
    /// The LMK identifier is none of this HSM's.
    pub const LMK: Self = Self(*b"13");
    /// The input cannot be read.
    pub const INPUT: Self = Self(*b"15");
    /// A PIN block whose content does not hold.
    pub const PIN_BLOCK: Self = Self(*b"20");
    /// A PIN block format that is not known.
    pub const PIN_FORMAT: Self = Self(*b"23");
    /// A PIN of fewer than 4 or more than 12 digits.
    pub const PIN_LENGTH: Self = Self(*b"24");
    /// A decimalization table that gives PINs away.
    pub const DECIMALIZATION: Self = Self(*b"25");
    /// A key scheme that is not known.
    pub const KEY_SCHEME: Self = Self(*b"26");
    /// A key of the wrong length.
    pub const KEY_LENGTH: Self = Self(*b"27");
    /// A key type that is not known.
    pub const KEY_TYPE: Self = Self(*b"28");
    /// This key may not be used so.
    pub const KEY_FUNCTION: Self = Self(*b"29");
    /// The hardware failed.
    pub const HARDWARE: Self = Self(*b"41");
    /// The command, or this form of it, is not on this HSM.
    pub const DISABLED: Self = Self(*b"68");
    /// The format, or the translation between two, is switched off.
    pub const FORMAT_DISABLED: Self = Self(*b"69");
    /// A key block whose MAC does not hold.
    pub const BLOCK_MAC: Self = Self(*b"A4");
    /// A key block of another usage.
    pub const BLOCK_USAGE: Self = Self(*b"A6");
    /// A key block of another algorithm.
    pub const BLOCK_ALGORITHM: Self = Self(*b"A7");
    /// A longer key that is a shorter one in disguise.
    pub const MASQUERADE: Self = Self(*b"75");
    /// A data length that is too long, or no whole number of blocks.
    pub const DATA_LENGTH: Self = Self(*b"80");

    /// Two upper-case letters or digits.
    #[must_use]
    pub fn parse(code: [u8; 2]) -> Option<Self> {
        code.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()).then_some(Self(code))
    }

    /// As it stands in the answer.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 2] {
        &self.0
    }

    /// Reads it.
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        let before = fields.fault("an error code");
        Self::parse(fields.binary("an error code")?).ok_or(before)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.0).unwrap_or_default())
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a key is for, as three hex digits: the variant, and a code of the LMK pair.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct KeyType([u8; 3]);

impl KeyType {
    /// Zone master key.
    pub const ZMK: Self = Self(*b"000");
    /// Zone PIN key.
    pub const ZPK: Self = Self(*b"001");
    /// Terminal master key, terminal PIN key, PIN verification key: one pair for the three.
    pub const TMK: Self = Self(*b"002");
    /// Terminal MAC key.
    pub const TAK: Self = Self(*b"003");
    /// Zone MAC key.
    pub const ZAK: Self = Self(*b"008");
    /// Base derivation key of DUKPT.
    pub const BDK: Self = Self(*b"009");
    /// Zone data key.
    pub const ZEK: Self = Self(*b"00A");
    /// Data key of this house.
    pub const DEK: Self = Self(*b"00B");
    /// Terminal data key.
    pub const TEK: Self = Self(*b"30B");
    /// Card verification key.
    pub const CVK: Self = Self(*b"402");
    /// Issuer master key of application cryptograms.
    pub const MK_AC: Self = Self(*b"109");
    /// Issuer master key of scripts (integrity).
    pub const MK_SMI: Self = Self(*b"209");
    /// A key block says itself what it is for.
    pub const KEY_BLOCK: Self = Self(*b"FFF");

    /// Three upper-case hex digits.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        let digits: [u8; 3] = code.as_bytes().try_into().ok()?;
        digits.iter().all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(byte)).then_some(Self(digits))
    }

    /// The three digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Reads it.
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        let before = fields.fault("a key type");
        Self::parse(fields.hex(3, "a key type")?).ok_or(before)
    }
}

impl fmt::Debug for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A PIN block format as two digits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PinCode(pub u8);

impl PinCode {
    /// The code of a format.
    #[must_use]
    pub fn of(format: PinFormat) -> Self {
        Self(match format {
            PinFormat::Iso0 => 1,
            PinFormat::Iso1 => 5,
            PinFormat::Iso2 => 34,
            PinFormat::Iso3 => 47,
            PinFormat::Iso4 => 48,
        })
    }

    /// The ISO format it stands for; `None` for all others.
    #[must_use]
    pub fn format(self) -> Option<PinFormat> {
        match self.0 {
            1 => Some(PinFormat::Iso0),
            5 => Some(PinFormat::Iso1),
            34 => Some(PinFormat::Iso2),
            47 => Some(PinFormat::Iso3),
            48 => Some(PinFormat::Iso4),
            _ => None,
        }
    }

    /// Reads it.
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        let before = fields.fault("a PIN block format");
        u8::try_from(fields.number(2, "a PIN block format")?).map(Self).map_err(|_| before)
    }
}
