//! AES DUKPT, ANSI X9.24-3:2017.

use super::Direction;
use super::Purpose;
use super::counter;
use super::is_aes;
use crate::hsm::calculator::CalcError;
use crate::hsm::calculator::cipher::AesKey;
use crate::hsm::calculator::cipher::BlockKey;
use crate::model::Ksn;
use zeroize::Zeroizing;

/// A derived key on its way: 16, 24 or 32 bytes, wiped on drop.
pub type Key = Zeroizing<Vec<u8>>;

/// What kind of key is derived.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Derived {
    /// Two-key TDES, for devices whose PIN pad is older than their key management.
    Tdes2,
    /// Three-key TDES.
    Tdes3,
    /// AES-128.
    Aes128,
    /// AES-192.
    Aes192,
    /// AES-256.
    Aes256,
    /// HMAC with a key of 128 bits.
    Hmac128,
    /// HMAC with a key of 192 bits.
    Hmac192,
    /// HMAC with a key of 256 bits.
    Hmac256,
}

impl Derived {
    /// The AES key of this length.
    ///
    /// # Errors
    /// [`CalcError::KeyLength`].
    pub fn of_length(length: usize) -> Result<Self, CalcError> {
        match length {
            16 => Ok(Self::Aes128),
            24 => Ok(Self::Aes192),
            32 => Ok(Self::Aes256),
            _ => Err(CalcError::KeyLength),
        }
    }

    /// Algorithm indicator (table 2) and length in bits.
    fn code(self) -> (u8, u16) {
        match self {
            Self::Tdes2 => (0, 128),
            Self::Tdes3 => (1, 192),
            Self::Aes128 => (2, 128),
            Self::Aes192 => (3, 192),
            Self::Aes256 => (4, 256),
            Self::Hmac128 => (5, 128),
            Self::Hmac192 => (5, 192),
            Self::Hmac256 => (5, 256),
        }
    }
}

/// Key usage indicators (table 1).
#[derive(Clone, Copy)]
enum Usage {
    KeyEncryption = 0x0002,
    Pin = 0x1000,
    MacRequest = 0x2000,
    MacResponse = 0x2001,
    DataRequest = 0x3000,
    DataResponse = 0x3001,
    Derivation = 0x8000,
    InitialKey = 0x8001,
}

/// Derives one key: the derivation data, numbered, in ECB under `from`, as many blocks as it takes.
/// `context` is the initial key's number, or its right half and the counter.
fn derive(from: &[u8], usage: Usage, kind: Derived, context: [u8; 8]) -> Result<Key, CalcError> {
    let (algorithm, bits) = kind.code();
    let length = usize::from(bits / 8);
    if !matches!(kind, Derived::Tdes2 | Derived::Tdes3) && length > from.len() {
        return Err(CalcError::KeyLength);
    }
    let cipher = AesKey::new(from)?;
    let [usage_high, usage_low] = (usage as u16).to_be_bytes();
    let [bits_high, bits_low] = bits.to_be_bytes();
    let mut key = Zeroizing::new(vec![0; length.next_multiple_of(16)]);
    for (number, block) in (1..).zip(key.as_chunks_mut::<16>().0) {
        let (head, tail) = block.split_at_mut(8);
        head.copy_from_slice(&[1, number, usage_high, usage_low, 0, algorithm, bits_high, bits_low]);
        tail.copy_from_slice(&context);
        cipher.encrypt(block);
    }
    key.truncate(length);
    Ok(key)
}

/// Right half of the initial key's number, and a counter.
fn context(ksn: &Ksn, counter: u32) -> Result<[u8; 8], CalcError> {
    let mut context = [0; 8];
    let (device, number) = context.split_at_mut(4);
    device.copy_from_slice(ksn.as_bytes().get(4..8).filter(|_| is_aes(ksn)).ok_or(CalcError::Ksn)?);
    number.copy_from_slice(&counter.to_be_bytes());
    Ok(context)
}

/// The device's initial key: as long as the base key, bound to the first 8 bytes of the serial number.
///
/// # Errors
/// [`CalcError::KeyLength`] if the base key is no AES key, [`CalcError::Ksn`] unless the serial number
/// has 12 bytes.
pub fn initial_key(bdk: &[u8], ksn: &Ksn) -> Result<Key, CalcError> {
    let number = ksn.as_bytes().first_chunk::<8>().filter(|_| is_aes(ksn)).ok_or(CalcError::Ksn)?;
    derive(bdk, Usage::InitialKey, Derived::of_length(bdk.len())?, *number)
}

/// The key of one transaction: one derivation for every one bit of the counter, the highest first.
///
/// # Errors
/// [`CalcError::Ksn`] as [`counter`], [`CalcError::KeyLength`].
pub fn transaction_key(initial: &[u8], ksn: &Ksn) -> Result<Key, CalcError> {
    walk(initial, ksn, counter(ksn)?)
}

/// One derivation for every one bit of `counter`.
fn walk(initial: &[u8], ksn: &Ksn, counter: u32) -> Result<Key, CalcError> {
    let kind = Derived::of_length(initial.len())?;
    let mut key = Zeroizing::new(initial.to_vec());
    let mut reached = 0;
    for bit in (0..32).rev().map(|place| 1_u32 << place).filter(|bit| counter & bit != 0) {
        reached |= bit;
        key = derive(&key, Usage::Derivation, kind, context(ksn, reached)?)?;
    }
    Ok(key)
}

/// The working key of a transaction for one purpose.
///
/// # Errors
/// [`CalcError::Ksn`], [`CalcError::KeyLength`] if the working key would be longer than the base key.
pub fn working_key(transaction: &[u8], ksn: &Ksn, purpose: Purpose, kind: Derived) -> Result<Key, CalcError> {
    let usage = match purpose {
        Purpose::Pin => Usage::Pin,
        Purpose::Mac(Direction::Request) => Usage::MacRequest,
        Purpose::Mac(Direction::Response) => Usage::MacResponse,
        Purpose::Data(Direction::Request) => Usage::DataRequest,
        Purpose::Data(Direction::Response) => Usage::DataResponse,
    };
    derive(transaction, usage, kind, context(ksn, counter(ksn)?)?)
}

/// The key under which a device takes in its next initial key: that of the last counter of all, which
/// no transaction uses. `ksn`'s own counter does not matter.
///
/// # Errors
/// As [`working_key`].
pub fn update_key(initial: &[u8], ksn: &Ksn, kind: Derived) -> Result<Key, CalcError> {
    derive(&walk(initial, ksn, u32::MAX)?, Usage::KeyEncryption, kind, context(ksn, u32::MAX)?)
}
