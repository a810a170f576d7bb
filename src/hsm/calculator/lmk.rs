//! Keys under a variant local master key, as payShield-style HSMs and their simulators keep them.
//!
//! For talking to such an HSM in tests, with the public test keys. At rest this house writes
//! [key blocks](super::tr31) only: a variant says little of a key's use and nothing of its integrity.

use super::CalcError;
use super::cipher::BlockKey;
use super::cipher::DesKey;
use zeroize::Zeroizing;

/// How a key is written under a variant key: its length, and whether its parts are told apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scheme {
    /// `Z`: single length, no variant of the parts.
    Z,
    /// `U`: double length.
    U,
    /// `T`: triple length.
    T,
    /// `X`: double length, no variant of the parts (ANSI X9.17).
    X,
    /// `Y`: triple length, no variant of the parts (ANSI X9.17).
    Y,
}

/// What is added to the first byte of the master key for a key type's variant, 1 to 9.
const VARIANTS: [u8; 9] = [0xA6, 0x5A, 0x6A, 0xDE, 0x2B, 0x50, 0x74, 0x9C, 0xFA];

impl Scheme {
    /// What is added to the first byte of the master key's right half, for each part of the key.
    fn parts(self) -> &'static [u8] {
        match self {
            Self::Z => &[0],
            Self::U => &[0xA6, 0x5A],
            Self::T => &[0x6A, 0xDE, 0x2B],
            Self::X => &[0; 2],
            Self::Y => &[0; 3],
        }
    }

    /// The key's length in bytes.
    #[must_use]
    pub fn key_length(self) -> usize {
        8 * self.parts().len()
    }
}

/// Runs every part of a key through `step` under its own variant of the pair.
fn each_part(
    pair: &[u8; 16],
    variant: u8,
    scheme: Scheme,
    key: &[u8],
    step: impl Fn(&DesKey, &mut [u8; 8]),
) -> Result<Zeroizing<Vec<u8>>, CalcError> {
    if key.len() != scheme.key_length() {
        return Err(CalcError::KeyLength);
    }
    let mut under = Zeroizing::new(*pair);
    if let Some(place) = usize::from(variant).checked_sub(1) {
        under[0] ^= VARIANTS.get(place).ok_or(CalcError::KeyAlgorithm)?;
    }
    let mut out = Zeroizing::new(key.to_vec());
    for (part, difference) in out.as_chunks_mut::<8>().0.iter_mut().zip(scheme.parts()) {
        let mut own = under.clone();
        own[8] ^= difference;
        step(&DesKey::new(own.as_slice())?, part);
    }
    Ok(out)
}

/// Enciphers a key under a pair of local master keys. `variant` is the key type's, 0 to 9.
///
/// # Errors
/// [`CalcError::KeyLength`] if the key is not as long as the scheme says, [`CalcError::KeyAlgorithm`]
/// for a variant over 9.
pub fn encrypt_key(pair: &[u8; 16], variant: u8, scheme: Scheme, key: &[u8]) -> Result<Vec<u8>, CalcError> {
    let mut cipher = each_part(pair, variant, scheme, key, |key, part| key.encrypt(part))?;
    Ok(std::mem::take(&mut *cipher))
}

/// Undoes [`encrypt_key`].
///
/// # Errors
/// As [`encrypt_key`].
pub fn decrypt_key(
    pair: &[u8; 16],
    variant: u8,
    scheme: Scheme,
    cipher: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CalcError> {
    each_part(pair, variant, scheme, cipher, |key, part| key.decrypt(part))
}
