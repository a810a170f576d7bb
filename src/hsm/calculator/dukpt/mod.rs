//! DUKPT: a device holds one initial key and makes a key of its own for every transaction, which the
//! host derives again from the base key and the serial number that came along.
//!
//! * [`tdes`]: ANSI X9.24-1:2009, 10-byte serial numbers, a 21-bit counter.
//! * [`aes`]: ANSI X9.24-3:2017, 12-byte serial numbers, a 32-bit counter.

pub mod aes;
pub mod tdes;

use super::CalcError;
use super::CipherKey;
use crate::hsm::KeyAlgorithm;
use crate::model::DukptScheme;
use crate::model::Ksn;
use zeroize::Zeroizing;

/// Which way a message goes, as the device sees it. The keys of the two ways differ.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Direction {
    /// From the device.
    Request,
    /// To the device.
    Response,
}

/// What a transaction's working key is for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Purpose {
    /// Enciphers the PIN block; one way only.
    Pin,
    /// Makes and checks MACs.
    Mac(Direction),
    /// Enciphers data.
    Data(Direction),
}

/// The family that a serial number belongs to, by its length.
fn is_aes(ksn: &Ksn) -> bool {
    ksn.scheme() == DukptScheme::Aes
}

/// The working key of one transaction, straight from a base key: what a host does.
///
/// The serial number's length says which standard applies. Under TDES the working key is a two-key
/// TDES key; under AES it is an AES key as long as the base key.
///
/// # Errors
/// [`CalcError::Ksn`] if the counter is none that a device may use, [`CalcError::KeyLength`] if the
/// base key is not the standard's.
pub fn working_key(bdk: &[u8], ksn: &Ksn, purpose: Purpose) -> Result<CipherKey, CalcError> {
    device_key(&initial_key(bdk, ksn)?, ksn, purpose)
}

/// The key that is loaded into a device, straight from a base key.
///
/// # Errors
/// [`CalcError::KeyLength`] if the base key is not the standard's.
pub fn initial_key(bdk: &[u8], ksn: &Ksn) -> Result<Zeroizing<Vec<u8>>, CalcError> {
    if is_aes(ksn) {
        aes::initial_key(bdk, ksn)
    } else {
        tdes::initial_key(bdk, ksn).map(|key| Zeroizing::new(key.to_vec()))
    }
}

/// The working key of one transaction, from the device's initial key: what a device comes to by its own way.
///
/// # Errors
/// As [`working_key`], of the initial key.
pub fn device_key(initial: &[u8], ksn: &Ksn, purpose: Purpose) -> Result<CipherKey, CalcError> {
    if is_aes(ksn) {
        let kind = aes::Derived::of_length(initial.len())?;
        let transaction = aes::transaction_key(initial, ksn)?;
        let key = aes::working_key(&transaction, ksn, purpose, kind)?;
        let algorithm = match key.len() {
            16 => KeyAlgorithm::Aes128,
            24 => KeyAlgorithm::Aes192,
            _ => KeyAlgorithm::Aes256,
        };
        CipherKey::new(algorithm, &key)
    } else {
        let initial = initial.try_into().map_err(|_| CalcError::KeyLength)?;
        let transaction = tdes::transaction_key(initial, ksn)?;
        let key = tdes::working_key(&transaction, purpose)?;
        CipherKey::new(KeyAlgorithm::Tdes2, key.as_slice())
    }
}

/// The transaction counter of a serial number: 21 bits (TDES) or 32 (AES).
///
/// # Errors
/// [`CalcError::Ksn`] if it is zero (the initial key is no transaction key) or has more one bits than
/// a device uses: 10 (TDES), 16 (AES).
pub fn counter(ksn: &Ksn) -> Result<u32, CalcError> {
    ksn.counter().ok_or(CalcError::Ksn)
}
