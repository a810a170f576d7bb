//! How a zone key stands in a key change: what it is, its cipher under the key both sides have, and its check value.
//!
//! ISO 8583 leaves the element's content to the parties. This is a key block's words without its binding: usage
//! (`P0`, `M0`), algorithm (`D`, `T`, `A`), length in bytes (two digits), the cipher in hex, six hex digits of check value:
//! `P0T16` and 32 and 6 digits. The message that carries it has a MAC.

use super::Kcv;
use super::KeyAlgorithm;
use super::KeyUsage;
use super::WrappedKey;
use crate::model::MacAlgorithm;
use crate::model::PinFormat;
use std::fmt::Write;

/// A zone key on its way.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ZoneKeyText {
    /// A PIN key or a MAC key.
    pub usage: KeyUsage,
    /// Algorithm and length.
    pub algorithm: KeyAlgorithm,
    /// The cipher.
    pub wrapped: WrappedKey,
    /// Three bytes of check value.
    pub check: Kcv,
}

/// What stands in front: usage, and algorithm with length.
const USAGES: [(&str, KeyUsage); 2] = [("P0", KeyUsage::Pin), ("M0", KeyUsage::Mac)];
const ALGORITHMS: [(&str, KeyAlgorithm); 6] = [
    ("D08", KeyAlgorithm::Des),
    ("T16", KeyAlgorithm::Tdes2),
    ("T24", KeyAlgorithm::Tdes3),
    ("A16", KeyAlgorithm::Aes128),
    ("A24", KeyAlgorithm::Aes192),
    ("A32", KeyAlgorithm::Aes256),
];
/// Hex digits of the check value.
const CHECK: usize = 6;

impl ZoneKeyText {
    /// The element's value; `None` for a usage that zones have no keys of.
    #[must_use]
    pub fn write(&self) -> Option<String> {
        let (usage, _) = USAGES.iter().find(|(_, usage)| *usage == self.usage)?;
        let (algorithm, _) = ALGORITHMS.iter().find(|(_, algorithm)| *algorithm == self.algorithm)?;
        let check = self.check.as_bytes().get(..CHECK / 2)?;
        let mut text = format!("{usage}{algorithm}");
        for byte in self.wrapped.as_bytes().iter().chain(check) {
            // Into a string nothing fails.
            let _ = write!(text, "{byte:02X}");
        }
        Some(text)
    }

    /// Reads an element; `None` if it is anything else, or its cipher of another length than the key it says.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?.trim_end();
        let (usage, rest) = text.split_at_checked(2)?;
        let (algorithm, rest) = rest.split_at_checked(3)?;
        let (_, usage) = *USAGES.iter().find(|(word, _)| *word == usage)?;
        let (_, algorithm) = *ALGORITHMS.iter().find(|(word, _)| *word == algorithm)?;
        let (cipher, check) = rest.split_at_checked(algorithm.key_length() * 2)?;
        let check = (check.len() == CHECK).then(|| Kcv::parse(check))??;
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        let byte = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
        let cipher: Option<Vec<u8>> = cipher.as_bytes().as_chunks::<2>().0.iter().map(byte).collect();
        Some(Self { usage, algorithm, wrapped: WrappedKey::new(cipher?.into()), check })
    }
}

/// What the keys of a zone are: those of PINs as the PIN format wants it, those of MACs as the scheme wants it. `None`
/// for a usage that zones have no keys of.
#[must_use]
pub fn zone_algorithm(usage: KeyUsage, format: PinFormat, scheme: MacAlgorithm) -> Option<KeyAlgorithm> {
    let is_aes = match usage {
        KeyUsage::Pin => format == PinFormat::Iso4,
        KeyUsage::Mac => scheme == MacAlgorithm::AesCmac,
        _ => return None,
    };
    Some(if is_aes { KeyAlgorithm::Aes128 } else { KeyAlgorithm::Tdes2 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_key_reads_back_and_anything_else_is_none() {
        let text = "P0T16493B6DBFF5B0428B0AC23A2CDA8944C7832DAC";
        let read = ZoneKeyText::parse(text.as_bytes()).unwrap();
        assert_eq!((read.usage, read.algorithm), (KeyUsage::Pin, KeyAlgorithm::Tdes2));
        assert_eq!(read.check.to_string(), "832DAC");
        assert_eq!(read.write().as_deref(), Some(text));
        for other in [
            "",
            "P0T16",
            "K0T16493B6DBFF5B0428B0AC23A2CDA8944C7832DAC",
            &text[..42],
            &format!("{text}00"),
            &text.replace("T16", "T24"),
            &text.replace("49", "4x"),
            "P\u{e9}T16",
        ] {
            assert_eq!(ZoneKeyText::parse(other.as_bytes()), None, "{other}");
        }
        assert!(ZoneKeyText::parse(&[0xFF; 43]).is_none());
    }
}
