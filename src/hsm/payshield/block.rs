//! Key blocks under a key block master key: what their headers say, in this manufacturer's numbers.

use super::code::KeyType;
use super::command::keys::BlockAttributes;
use super::command::keys::Under;
use crate::hsm::KeyAlgorithm;
use crate::hsm::KeyUsage;
use crate::hsm::exportable;

/// The mode of use of a new key: as wide as this house needs it, no wider. What a terminal enciphers is only deciphered
/// here; a zone's PIN and data keys work both ways, for the call does not say which way the zone goes.
fn mode(usage: KeyUsage, under: Under) -> u8 {
    match (usage, under) {
        (KeyUsage::Pin | KeyUsage::Data, Under::Terminal) => b'D',
        (KeyUsage::Pin | KeyUsage::Data, Under::Zone) | (KeyUsage::Kek | KeyUsage::KeyBlock, _) => b'B',
        (KeyUsage::Mac | KeyUsage::Pvv | KeyUsage::IbmPin | KeyUsage::Cvv, _) => b'C',
        (
            KeyUsage::Bdk
            | KeyUsage::InitialKey
            | KeyUsage::EmvCryptogram
            | KeyUsage::EmvConfidentiality
            | KeyUsage::EmvIntegrity
            | KeyUsage::EmvDynamic,
            _,
        ) => b'X',
    }
}

/// The header of a new key block.
pub(super) fn attributes(of: KeyUsage, under: Under, algorithm: KeyAlgorithm) -> BlockAttributes {
    let usage = match (of, under) {
        (KeyUsage::Kek, Under::Terminal) => b"51",
        (KeyUsage::Kek, Under::Zone) => b"52",
        (KeyUsage::KeyBlock, _) => b"K1",
        (KeyUsage::Pin, Under::Terminal) => b"71",
        (KeyUsage::Mac, _) => match algorithm {
            KeyAlgorithm::Des => b"M1",
            KeyAlgorithm::Tdes2 | KeyAlgorithm::Tdes3 => b"M3",
            KeyAlgorithm::Aes128 | KeyAlgorithm::Aes192 | KeyAlgorithm::Aes256 => b"M6",
        },
        (KeyUsage::Data, Under::Terminal) => b"23",
        (KeyUsage::Data, Under::Zone) => b"22",
        (KeyUsage::Pvv, _) => b"V2",
        (KeyUsage::IbmPin, _) => b"V1",
        (KeyUsage::Cvv, _) => b"C0",
        (KeyUsage::Bdk, _) => b"B0",
        (KeyUsage::EmvCryptogram, _) => b"E0",
        (KeyUsage::EmvIntegrity, _) => b"E2",
        _ => b"72",
    };
    let length = match algorithm {
        KeyAlgorithm::Des => b"D1",
        KeyAlgorithm::Tdes2 => b"T2",
        KeyAlgorithm::Tdes3 => b"T3",
        KeyAlgorithm::Aes128 => b"A1",
        KeyAlgorithm::Aes192 => b"A2",
        KeyAlgorithm::Aes256 => b"A3",
    };
    let exportability = if exportable(of) { b'S' } else { b'N' };
    BlockAttributes([usage[0], usage[1], length[0], length[1], mode(of, under), b'0', b'0', exportability, b'0', b'0'])
}

/// What a usage of a header may be used as, in the key types that commands without blocks have.
pub(super) fn roles(usage: [u8; 2]) -> &'static [KeyType] {
    match &usage {
        b"51" => &[KeyType::TMK],
        b"52" | b"K1" => &[KeyType::ZMK],
        b"K0" => &[KeyType::TMK, KeyType::ZMK],
        b"71" => &[KeyType::TMK],
        b"72" => &[KeyType::ZPK],
        b"P0" => &[KeyType::TMK, KeyType::ZPK],
        b"M0" | b"M1" | b"M3" | b"M5" | b"M6" => &[KeyType::TAK, KeyType::ZAK],
        b"21" => &[KeyType::DEK],
        b"22" => &[KeyType::ZEK],
        b"23" => &[KeyType::TEK],
        b"D0" => &[KeyType::DEK, KeyType::ZEK, KeyType::TEK],
        b"V1" | b"V2" => &[KeyType::TMK],
        b"C0" => &[KeyType::CVK],
        b"B0" => &[KeyType::BDK],
        b"E0" => &[KeyType::MK_AC],
        b"E2" => &[KeyType::MK_SMI],
        _ => &[],
    }
}

/// The algorithm of attributes, or of a header and the length of its key.
pub(super) fn algorithm(letter: u8, length: usize) -> Option<KeyAlgorithm> {
    match (letter, length) {
        (b'D', 8) => Some(KeyAlgorithm::Des),
        (b'T', 16) => Some(KeyAlgorithm::Tdes2),
        (b'T', 24) => Some(KeyAlgorithm::Tdes3),
        (b'A', 16) => Some(KeyAlgorithm::Aes128),
        (b'A', 24) => Some(KeyAlgorithm::Aes192),
        (b'A', 32) => Some(KeyAlgorithm::Aes256),
        _ => None,
    }
}
