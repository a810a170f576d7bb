//! The arithmetic of payment keys over clear bytes.
//!
//! Pure functions for whoever legitimately holds clear keys: the software backend, a PIN pad in the
//! simulated world, a mock issuer, test vectors. Faults are told in detail here; an HSM must not
//! (a detailed answer about a PIN block is a PIN oracle), so backends fold them into one code.

mod card;
mod cipher;
pub mod dukpt;
pub mod emv;
pub mod ibm;
pub mod keys;
pub mod lmk;
mod mac;
mod pin;
mod pin_block;
pub mod tr31;
mod track;

pub use card::{cvc3, cvv};
pub use cipher::{AesKey, CipherKey, DesKey};
pub(in crate::hsm) use keys::equal;
pub use mac::{hmac_sha256, mac, mac_as};
pub use pin::{ClearPin, pvv};
pub use pin_block::{ClearBlock, Fill, PinBlockFault, decipher, decode, encipher, encode, encrypt_pin, pan_field};
pub use track::{decrypt_track, encrypt_track};
pub(in crate::hsm) use track::{track_secret, unpack_track};

/// Why a calculation was refused. Never carries a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CalcError {
    /// The key's length is none its algorithm knows.
    #[error("key length")]
    KeyLength,
    /// The algorithm does not work with this kind of key.
    #[error("key algorithm")]
    KeyAlgorithm,
    /// The data have no acceptable length.
    #[error("data length")]
    DataLength,
    /// A result of this length cannot be asked for.
    #[error("result length")]
    ResultLength,
    /// A value that must be digits is not, or is out of its range.
    #[error("digits")]
    Digits,
    /// The key serial number is of the other family, or its counter is none a device uses.
    #[error("key serial number")]
    Ksn,
}
