//! What is done to keys themselves: check values, components, strength, transport.

use super::CalcError;
use super::CipherKey;
use super::cipher::BlockKey;
use super::cipher::xor;
use super::mac::cmac;
use crate::hsm::Kcv;
use crate::hsm::KeyAlgorithm;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// How a check value is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KcvMethod {
    /// Leftmost bytes of an enciphered zero block (ANSI X9.24-1): DES family, and legacy AES.
    EncryptZeros,
    /// Leftmost bytes of the CMAC of a zero block (ANSI X9.24-1:2017 annex A): AES, newer TDES.
    CmacZeros,
}

impl KcvMethod {
    /// The method that goes without saying: zeros for the DES family, CMAC for AES.
    #[must_use]
    pub fn usual(key: &CipherKey) -> Self {
        match key {
            CipherKey::Des(_) => Self::EncryptZeros,
            CipherKey::Aes(_) => Self::CmacZeros,
        }
    }
}

/// The check value of a key: 3 to 5 bytes of a CMAC, 3 or 4 of enciphered zeros (PCI PIN 15-1; the fourth is what
/// UnionPay terminals are given).
///
/// # Errors
/// [`CalcError::ResultLength`] for any other length.
pub fn check_value(key: &CipherKey, method: KcvMethod, length: usize) -> Result<Kcv, CalcError> {
    if method == KcvMethod::EncryptZeros && length > 4 {
        return Err(CalcError::ResultLength);
    }
    let mut block = [0; 16];
    match (key, method) {
        (CipherKey::Des(key), KcvMethod::EncryptZeros) => {
            let mut zeros = [0; 8];
            key.encrypt(&mut zeros);
            xor(&mut block, &zeros);
        }
        (CipherKey::Aes(key), KcvMethod::EncryptZeros) => key.encrypt(&mut block),
        (CipherKey::Des(key), KcvMethod::CmacZeros) => xor(&mut block, &cmac::<8>(key, 0x1B, &[&[0; 8]])),
        (CipherKey::Aes(key), KcvMethod::CmacZeros) => block = cmac::<16>(key, 0x87, &[&[0; 16]]),
    }
    block.get(..length).and_then(Kcv::new).ok_or(CalcError::ResultLength)
}

/// Combines key components by exclusive or: two or more, all of one length.
///
/// # Errors
/// [`CalcError::DataLength`].
pub fn combine(components: &[&[u8]]) -> Result<Zeroizing<Vec<u8>>, CalcError> {
    let (first, rest) = components.split_first().ok_or(CalcError::DataLength)?;
    if rest.is_empty() || rest.iter().any(|component| component.len() != first.len()) {
        return Err(CalcError::DataLength);
    }
    let mut key = Zeroizing::new(first.to_vec());
    rest.iter().for_each(|component| xor(&mut key, component));
    Ok(key)
}

/// Sets the parity bit of every byte so that it has an odd number of ones (FIPS 46-3).
pub fn set_odd_parity(key: &mut [u8]) {
    for byte in key {
        *byte = (*byte & 0xFE) | u8::from((*byte >> 1).count_ones().is_multiple_of(2));
    }
}

/// Whether every byte of a DES family key has an odd number of ones.
#[must_use]
pub fn has_odd_parity(key: &[u8]) -> bool {
    key.iter().fold(true, |odd, byte| odd & !byte.count_ones().is_multiple_of(2))
}

/// The weak and semi-weak DES keys (NIST SP 800-67, 3.3.2), parity bits cleared.
const WEAK: [u64; 16] = [
    0x0000_0000_0000_0000,
    0xFEFE_FEFE_FEFE_FEFE,
    0xE0E0_E0E0_F0F0_F0F0,
    0x1E1E_1E1E_0E0E_0E0E,
    0x001E_001E_000E_000E,
    0x1E00_1E00_0E00_0E00,
    0x00E0_00E0_00F0_00F0,
    0xE000_E000_F000_F000,
    0x00FE_00FE_00FE_00FE,
    0xFE00_FE00_FE00_FE00,
    0x1EE0_1EE0_0EF0_0EF0,
    0xE01E_E01E_F00E_F00E,
    0x1EFE_1EFE_0EFE_0EFE,
    0xFE1E_FE1E_FE0E_FE0E,
    0xE0FE_E0FE_F0FE_F0FE,
    0xFEE0_FEE0_FEF0_FEF0,
];

/// Whether a DES family key has a weak or semi-weak part, or two parts that cancel each other.
/// AES has no weak keys.
#[must_use]
pub fn is_weak(algorithm: KeyAlgorithm, key: &[u8]) -> bool {
    match algorithm {
        KeyAlgorithm::Aes128 | KeyAlgorithm::Aes192 | KeyAlgorithm::Aes256 => false,
        KeyAlgorithm::Des | KeyAlgorithm::Tdes2 | KeyAlgorithm::Tdes3 => has_weak_part(key) || is_short(key),
    }
}

/// Whether a part of a DES family key is weak or semi-weak.
#[must_use]
pub fn has_weak_part(key: &[u8]) -> bool {
    let bare = |part: &[u8; 8]| u64::from_be_bytes(*part) & 0xFEFE_FEFE_FEFE_FEFE;
    key.as_chunks::<8>().0.iter().any(|part| WEAK.contains(&bare(part)))
}

/// Whether a TDES key is a shorter one in disguise: two of its parts are equal but for parity. Equal neighbours cancel
/// each other; a third part equal to the first is a double-length key in a triple one's coat.
#[must_use]
pub fn is_short(key: &[u8]) -> bool {
    let equal = |a: &[u8; 8], b: &[u8; 8]| a.iter().zip(b).all(|(a, b)| (a ^ b) & 0xFE == 0);
    match key.as_chunks::<8>().0 {
        [first, second] => equal(first, second),
        [first, second, third] => equal(first, second) || equal(second, third) || equal(first, third),
        _ => false,
    }
}

/// Rank of a key's strength. A key may only travel under one that ranks as high (PCI PIN 10-1,
/// NIST SP 800-57 part 1 table 2).
#[must_use]
pub fn strength(algorithm: KeyAlgorithm) -> u8 {
    match algorithm {
        KeyAlgorithm::Des => 0,
        KeyAlgorithm::Tdes2 => 1,
        KeyAlgorithm::Tdes3 => 2,
        KeyAlgorithm::Aes128 => 3,
        KeyAlgorithm::Aes192 => 4,
        KeyAlgorithm::Aes256 => 5,
    }
}

/// Enciphers a key under a key encrypting key, block by block without a header (ANSI X9.17 style,
/// UnionPay DE 62). A legacy form: it says nothing of the key's use.
///
/// # Errors
/// [`CalcError::DataLength`] unless the key is whole blocks of the key encrypting key.
pub fn wrap_ecb(kek: &CipherKey, key: &[u8]) -> Result<Vec<u8>, CalcError> {
    if key.is_empty() {
        return Err(CalcError::DataLength);
    }
    let mut buffer = Zeroizing::new(key.to_vec());
    kek.encrypt_ecb(&mut buffer)?;
    Ok(std::mem::take(&mut *buffer))
}

/// Undoes [`wrap_ecb`].
///
/// # Errors
/// [`CalcError::DataLength`] unless the cipher is whole blocks, at most 48 bytes of them.
pub fn unwrap_ecb(kek: &CipherKey, cipher: &[u8]) -> Result<Zeroizing<Vec<u8>>, CalcError> {
    if cipher.is_empty() || cipher.len() > 48 {
        return Err(CalcError::DataLength);
    }
    let mut key = Zeroizing::new(cipher.to_vec());
    kek.decrypt_ecb(&mut key)?;
    Ok(key)
}

/// Compares two check values, or other public results, in constant time.
pub(in crate::hsm) fn equal(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}
