//! TDES DUKPT, ANSI X9.24-1:2009.

use super::Direction;
use super::Purpose;
use super::counter;
use super::is_aes;
use crate::hsm::calculator::CalcError;
use crate::hsm::calculator::cipher::BlockKey;
use crate::hsm::calculator::cipher::DesKey;
use crate::hsm::calculator::cipher::xor;
use crate::model::Ksn;
use zeroize::Zeroizing;

/// A double-length key on its way: wiped on drop.
pub type DoubleKey = Zeroizing<[u8; 16]>;

/// What tells the right half of a derivation from the left.
const SPLIT: [u8; 16] = [0xC0, 0xC0, 0xC0, 0xC0, 0, 0, 0, 0, 0xC0, 0xC0, 0xC0, 0xC0, 0, 0, 0, 0];

/// The double-length key that `key` must be.
fn double(key: &[u8]) -> Result<DoubleKey, CalcError> {
    key.try_into().map(Zeroizing::new).map_err(|_| CalcError::KeyLength)
}

/// The serial number this must be.
fn serial(ksn: &Ksn) -> Result<&[u8; 10], CalcError> {
    ksn.as_bytes().try_into().map_err(|_| CalcError::Ksn)
}

/// The device's initial key (IPEK): the base key over the serial number without its counter.
///
/// # Errors
/// [`CalcError::KeyLength`] unless the base key has 16 bytes, [`CalcError::Ksn`] unless the serial
/// number has 10.
pub fn initial_key(bdk: &[u8], ksn: &Ksn) -> Result<DoubleKey, CalcError> {
    let mut base = double(bdk)?;
    let [device @ .., _, _] = serial(ksn)?;
    let mut bare = *device;
    bare[7] &= 0xE0;
    let mut initial = DoubleKey::default();
    for half in initial.as_chunks_mut::<8>().0 {
        *half = bare;
        DesKey::new(base.as_slice())?.encrypt(half);
        xor(base.as_mut_slice(), &SPLIT);
    }
    Ok(initial)
}

/// The key of one transaction: one step from the initial key for every one bit of the counter.
///
/// # Errors
/// [`CalcError::Ksn`] as [`counter`].
pub fn transaction_key(initial: &[u8; 16], ksn: &Ksn) -> Result<DoubleKey, CalcError> {
    if is_aes(ksn) {
        return Err(CalcError::Ksn);
    }
    let counter = counter(ksn)?;
    let last = serial(ksn)?.last_chunk::<8>().ok_or(CalcError::Ksn)?;
    let mut register = u64::from_be_bytes(*last) & !0x001F_FFFF;
    let mut key = Zeroizing::new(*initial);
    for bit in (0..21).rev().map(|place| 1_u32 << place).filter(|bit| counter & bit != 0) {
        register |= u64::from(bit);
        step(&mut key, register.to_be_bytes())?;
    }
    Ok(key)
}

/// One step that cannot be walked back: each half enciphers the register under one half of the key,
/// between two additions of the other.
fn step(key: &mut DoubleKey, register: [u8; 8]) -> Result<(), CalcError> {
    let mut next = DoubleKey::default();
    let (new_left, new_right) = next.split_at_mut(8);
    for new_half in [new_right, new_left] {
        let (left, right) = key.split_at(8);
        let half: &mut [u8; 8] = new_half.try_into().map_err(|_| CalcError::KeyLength)?;
        *half = register;
        xor(half, right);
        DesKey::new(left)?.encrypt(half);
        xor(half, right);
        xor(key.as_mut_slice(), &SPLIT);
    }
    *key = next;
    Ok(())
}

/// The variant of a transaction's key for one purpose. Data keys are enciphered under themselves on
/// top, so that one cannot be turned into another.
///
/// # Errors
/// None in practice: the lengths are fixed.
pub fn working_key(transaction: &[u8; 16], purpose: Purpose) -> Result<DoubleKey, CalcError> {
    let place = match purpose {
        Purpose::Pin => 7,
        Purpose::Mac(Direction::Request) => 6,
        Purpose::Mac(Direction::Response) => 4,
        Purpose::Data(Direction::Request) => 5,
        Purpose::Data(Direction::Response) => 3,
    };
    let mut key = Zeroizing::new(*transaction);
    for half in key.as_chunks_mut::<8>().0 {
        half[place] ^= 0xFF;
    }
    if let Purpose::Data(_) = purpose {
        let own = DesKey::new(key.as_slice())?;
        key.as_chunks_mut::<8>().0.iter_mut().for_each(|half| own.encrypt(half));
    }
    Ok(key)
}
