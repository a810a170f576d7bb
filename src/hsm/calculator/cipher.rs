//! Block cipher keys with their schedules: the DES family and AES.

use super::CalcError;
use crate::hsm::KeyAlgorithm;
use aes::Aes128;
use aes::Aes192;
use aes::Aes256;
use aes::cipher::BlockCipherDecrypt;
use aes::cipher::BlockCipherEncrypt;
use aes::cipher::KeyInit;
use des::Des;

/// One block in, one block out, under one key. `N` is the block's length in bytes.
pub(in crate::hsm) trait BlockKey<const N: usize> {
    /// Enciphers one block in place.
    fn encrypt(&self, block: &mut [u8; N]);
    /// Deciphers one block in place.
    fn decrypt(&self, block: &mut [u8; N]);
}

/// A DES, two-key TDES or three-key TDES key. No `Debug`, no `Clone`; schedules are wiped on drop.
///
/// Not constant time (table look-ups by secret data), as in every common library. Parity bits are
/// ignored and never enforced.
pub struct DesKey(Parts);

/// DES keys are kept apart, because a retail MAC needs the first alone.
enum Parts {
    One([Des; 1]),
    Two([Des; 2]),
    Three([Des; 3]),
}

/// Splits a key of N parts into schedules.
fn parts<const N: usize>(key: &[u8]) -> Option<[Des; N]> {
    let (parts, rest) = key.as_chunks::<8>();
    let parts: &[[u8; 8]; N] = parts.try_into().ok()?;
    rest.is_empty().then(|| parts.each_ref().map(|part| Des::new(part.into())))
}

impl DesKey {
    /// Expands a key of 8, 16 or 24 bytes.
    ///
    /// # Errors
    /// [`CalcError::KeyLength`].
    pub fn new(key: &[u8]) -> Result<Self, CalcError> {
        let expanded = match key.len() {
            8 => parts(key).map(Parts::One),
            16 => parts(key).map(Parts::Two),
            _ => parts(key).map(Parts::Three),
        };
        expanded.map(Self).ok_or(CalcError::KeyLength)
    }

    /// What kind of key this is.
    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        match self.0 {
            Parts::One(_) => KeyAlgorithm::Des,
            Parts::Two(_) => KeyAlgorithm::Tdes2,
            Parts::Three(_) => KeyAlgorithm::Tdes3,
        }
    }

    /// The two halves of a double-length key, for a retail MAC; any other key is refused.
    pub(super) fn halves(&self) -> Result<(&Des, &Des), CalcError> {
        match &self.0 {
            Parts::Two([left, right]) => Ok((left, right)),
            Parts::One(_) | Parts::Three(_) => Err(CalcError::KeyAlgorithm),
        }
    }
}

impl BlockKey<8> for Des {
    fn encrypt(&self, block: &mut [u8; 8]) {
        self.encrypt_block(block.into());
    }

    fn decrypt(&self, block: &mut [u8; 8]) {
        self.decrypt_block(block.into());
    }
}

impl BlockKey<8> for DesKey {
    fn encrypt(&self, block: &mut [u8; 8]) {
        let (first, second, third) = match &self.0 {
            Parts::One([only]) => return only.encrypt(block),
            Parts::Two([left, right]) => (left, right, left),
            Parts::Three([first, second, third]) => (first, second, third),
        };
        first.encrypt(block);
        second.decrypt(block);
        third.encrypt(block);
    }

    fn decrypt(&self, block: &mut [u8; 8]) {
        let (first, second, third) = match &self.0 {
            Parts::One([only]) => return only.decrypt(block),
            Parts::Two([left, right]) => (left, right, left),
            Parts::Three([first, second, third]) => (first, second, third),
        };
        third.decrypt(block);
        second.encrypt(block);
        first.decrypt(block);
    }
}

/// An AES key. No `Debug`, no `Clone`; the schedule is wiped on drop. Constant time.
pub struct AesKey(Aes);

/// The three lengths.
enum Aes {
    K128(Aes128),
    K192(Aes192),
    K256(Aes256),
}

impl AesKey {
    /// Expands a key of 16, 24 or 32 bytes.
    ///
    /// # Errors
    /// [`CalcError::KeyLength`].
    pub fn new(key: &[u8]) -> Result<Self, CalcError> {
        let expanded = match key.len() {
            16 => Aes128::new_from_slice(key).ok().map(Aes::K128),
            24 => Aes192::new_from_slice(key).ok().map(Aes::K192),
            _ => Aes256::new_from_slice(key).ok().map(Aes::K256),
        };
        expanded.map(Self).ok_or(CalcError::KeyLength)
    }

    /// What kind of key this is.
    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        match self.0 {
            Aes::K128(_) => KeyAlgorithm::Aes128,
            Aes::K192(_) => KeyAlgorithm::Aes192,
            Aes::K256(_) => KeyAlgorithm::Aes256,
        }
    }
}

impl BlockKey<16> for AesKey {
    fn encrypt(&self, block: &mut [u8; 16]) {
        match &self.0 {
            Aes::K128(key) => key.encrypt_block(block.into()),
            Aes::K192(key) => key.encrypt_block(block.into()),
            Aes::K256(key) => key.encrypt_block(block.into()),
        }
    }

    fn decrypt(&self, block: &mut [u8; 16]) {
        match &self.0 {
            Aes::K128(key) => key.decrypt_block(block.into()),
            Aes::K192(key) => key.decrypt_block(block.into()),
            Aes::K256(key) => key.decrypt_block(block.into()),
        }
    }
}

/// A key of either family.
pub enum CipherKey {
    /// DES or TDES, blocks of 8 bytes.
    Des(DesKey),
    /// AES, blocks of 16 bytes.
    Aes(AesKey),
}

impl CipherKey {
    /// Expands `key`, which must have exactly the length of `algorithm`.
    ///
    /// # Errors
    /// [`CalcError::KeyLength`].
    pub fn new(algorithm: KeyAlgorithm, key: &[u8]) -> Result<Self, CalcError> {
        if key.len() != algorithm.key_length() {
            return Err(CalcError::KeyLength);
        }
        match algorithm {
            KeyAlgorithm::Des | KeyAlgorithm::Tdes2 | KeyAlgorithm::Tdes3 => DesKey::new(key).map(Self::Des),
            KeyAlgorithm::Aes128 | KeyAlgorithm::Aes192 | KeyAlgorithm::Aes256 => AesKey::new(key).map(Self::Aes),
        }
    }

    /// What kind of key this is.
    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        match self {
            Self::Des(key) => key.algorithm(),
            Self::Aes(key) => key.algorithm(),
        }
    }

    /// The DES family key this must be.
    ///
    /// # Errors
    /// [`CalcError::KeyAlgorithm`].
    pub fn des(&self) -> Result<&DesKey, CalcError> {
        match self {
            Self::Des(key) => Ok(key),
            Self::Aes(_) => Err(CalcError::KeyAlgorithm),
        }
    }

    /// The AES key this must be.
    ///
    /// # Errors
    /// [`CalcError::KeyAlgorithm`].
    pub fn aes(&self) -> Result<&AesKey, CalcError> {
        match self {
            Self::Aes(key) => Ok(key),
            Self::Des(_) => Err(CalcError::KeyAlgorithm),
        }
    }

    /// Enciphers whole blocks in place, each by itself (ECB).
    ///
    /// # Errors
    /// [`CalcError::DataLength`] unless `data` are whole blocks.
    pub fn encrypt_ecb(&self, data: &mut [u8]) -> Result<(), CalcError> {
        match self {
            Self::Des(key) => each_block::<8>(data, |block| key.encrypt(block)),
            Self::Aes(key) => each_block::<16>(data, |block| key.encrypt(block)),
        }
    }

    /// Deciphers whole blocks in place, each by itself (ECB).
    ///
    /// # Errors
    /// [`CalcError::DataLength`] unless `data` are whole blocks.
    pub fn decrypt_ecb(&self, data: &mut [u8]) -> Result<(), CalcError> {
        match self {
            Self::Des(key) => each_block::<8>(data, |block| key.decrypt(block)),
            Self::Aes(key) => each_block::<16>(data, |block| key.decrypt(block)),
        }
    }
}

impl CipherKey {
    /// Enciphers whole blocks in place, chained (CBC). `start` is one block.
    ///
    /// # Errors
    /// [`CalcError::DataLength`] unless `data` are whole blocks and `start` is one.
    pub fn encrypt_cbc(&self, start: &[u8], data: &mut [u8]) -> Result<(), CalcError> {
        match self {
            Self::Des(key) => chained::<8>(start, data, |start, blocks| encrypt_cbc(key, start, blocks)),
            Self::Aes(key) => chained::<16>(start, data, |start, blocks| encrypt_cbc(key, start, blocks)),
        }
    }

    /// Deciphers whole blocks in place, chained (CBC). `start` is one block.
    ///
    /// # Errors
    /// As [`encrypt_cbc`](Self::encrypt_cbc).
    pub fn decrypt_cbc(&self, start: &[u8], data: &mut [u8]) -> Result<(), CalcError> {
        match self {
            Self::Des(key) => chained::<8>(start, data, |start, blocks| decrypt_cbc(key, start, blocks)),
            Self::Aes(key) => chained::<16>(start, data, |start, blocks| decrypt_cbc(key, start, blocks)),
        }
    }
}

/// Runs `run` over whole blocks from a start of one block.
fn chained<const N: usize>(
    start: &[u8],
    data: &mut [u8],
    run: impl FnOnce(&[u8; N], &mut [[u8; N]]),
) -> Result<(), CalcError> {
    let start = start.try_into().map_err(|_| CalcError::DataLength)?;
    let (blocks, rest) = data.as_chunks_mut::<N>();
    if !rest.is_empty() {
        return Err(CalcError::DataLength);
    }
    run(start, blocks);
    Ok(())
}

/// Runs `step` over whole blocks.
fn each_block<const N: usize>(data: &mut [u8], step: impl FnMut(&mut [u8; N])) -> Result<(), CalcError> {
    let (blocks, rest) = data.as_chunks_mut::<N>();
    if !rest.is_empty() {
        return Err(CalcError::DataLength);
    }
    blocks.iter_mut().for_each(step);
    Ok(())
}

/// `into ^= with`, for as many bytes as both have.
pub(in crate::hsm) fn xor(into: &mut [u8], with: &[u8]) {
    into.iter_mut().zip(with).for_each(|(a, b)| *a ^= b);
}

/// Enciphers whole blocks in place, chained (CBC).
pub(in crate::hsm) fn encrypt_cbc<const N: usize>(key: &impl BlockKey<N>, iv: &[u8; N], blocks: &mut [[u8; N]]) {
    let mut before = *iv;
    for block in blocks {
        xor(block, &before);
        key.encrypt(block);
        before = *block;
    }
}

/// Deciphers whole blocks in place, chained (CBC).
pub(in crate::hsm) fn decrypt_cbc<const N: usize>(key: &impl BlockKey<N>, iv: &[u8; N], blocks: &mut [[u8; N]]) {
    let mut before = *iv;
    for block in blocks {
        let cipher = *block;
        key.decrypt(block);
        xor(block, &before);
        before = cipher;
    }
}
