//! The arithmetic of payment keys over clear bytes.
//!
//! Pure functions for whoever legitimately holds clear keys: the software backend, a PIN pad in the
//! simulated world, a mock issuer, test vectors. Faults are told in detail here; an HSM must not
//! (a detailed answer about a PIN block is a PIN oracle), so backends fold them into one code.

mod cipher;
pub mod keys;
mod mac;
mod pin;
mod pin_block;
pub mod tr31;
mod track;

pub use cipher::{AesKey, CipherKey, DesKey};
pub(in crate::hsm) use keys::equal;
pub use mac::{mac, mac_as};
pub use pin::{ClearPin, pvv};
pub use pin_block::{ClearBlock, Fill, PinBlockFault, decipher, decode, encipher, encode, encrypt_pin};
pub use track::{decrypt_track, encrypt_track};

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
}
