//! Message authentication codes. Nothing here allocates.

use super::CalcError;
use super::CipherKey;
use super::cipher::BlockKey;
use super::cipher::DesKey;
use super::cipher::xor;
use crate::hsm::KeyAlgorithm;
use crate::hsm::Mac;
use crate::model::MacAlgorithm;
use crate::model::MacOutput;
use crate::model::MacScheme;
use crate::model::Padding;

/// The whole MAC of `data`: 8 bytes under a DES family key, 16 under AES.
///
/// Sources: ISO/IEC 9797-1 (algorithms 1 and 3, paddings), NIST SP 800-38B (CMAC), Q/CUP 009.1 (the
/// UnionPay fold; of its result the first four bytes, as hex, go into DE 64).
///
/// # Errors
/// [`CalcError::KeyAlgorithm`] if the key is none of the algorithm's.
pub fn mac(key: &CipherKey, algorithm: MacAlgorithm, padding: Padding, data: &[u8]) -> Result<Mac, CalcError> {
    Ok(match algorithm {
        MacAlgorithm::Alg1 => Mac::from_slice(&cbc_mac(key.des()?, padding, data)),
        MacAlgorithm::X919 => Mac::from_slice(&retail_mac(key.des()?, padding, data)?),
        MacAlgorithm::AesCmac => Mac::from_slice(&cmac::<16>(key.aes()?, 0x87, &[data])),
        MacAlgorithm::TdesCmac => {
            let key = key.des()?;
            if key.algorithm() == KeyAlgorithm::Des {
                return Err(CalcError::KeyAlgorithm);
            }
            Mac::from_slice(&cmac::<8>(key, 0x1B, &[data]))
        }
        MacAlgorithm::CupEcb => Mac::from_slice(&cup_ecb(key.des()?, data)),
    })
}

/// A MAC as `scheme` writes it: cut on the right, as bytes or as upper-case hex.
///
/// # Errors
/// [`CalcError::ResultLength`] if the scheme asks for fewer than 4 bytes of MAC (8 characters), for
/// more than there are, or for half a byte; else as [`mac`].
pub fn mac_as(key: &CipherKey, scheme: &MacScheme, data: &[u8]) -> Result<Mac, CalcError> {
    let length = usize::from(scheme.length);
    let binary = match scheme.output {
        MacOutput::Binary => length,
        MacOutput::AsciiHex => length / 2,
    };
    let mut whole = mac(key, scheme.algorithm, scheme.padding, data)?;
    let halved = scheme.output == MacOutput::AsciiHex && length % 2 == 1;
    if !(4..=16).contains(&binary) || binary > whole.len() || halved {
        return Err(CalcError::ResultLength);
    }
    whole.truncate(binary);
    Ok(match scheme.output {
        MacOutput::Binary => whole,
        MacOutput::AsciiHex => whole.iter().flat_map(|byte| [hex(byte >> 4), hex(byte & 0x0F)]).collect(),
    })
}

/// HMAC-SHA-256, RFC 2104 and FIPS 180-4: 32 bytes.
///
/// # Errors
/// [`CalcError::KeyLength`] for an empty key.
pub fn hmac_sha256(key: &[u8], data: &[u8]) -> Result<[u8; 32], CalcError> {
    use hmac::KeyInit;
    use hmac::Mac;
    if key.is_empty() {
        return Err(CalcError::KeyLength);
    }
    let mut keyed = hmac::Hmac::<sha2::Sha256>::new_from_slice(key).map_err(|_| CalcError::KeyLength)?;
    keyed.update(data);
    Ok(keyed.finalize().into_bytes().into())
}

/// One nibble as an upper-case hex digit.
fn hex(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 }
}

/// ISO/IEC 9797-1 algorithm 1: the last block of a CBC encryption with a zero start.
fn cbc_mac(key: &impl BlockKey<8>, padding: Padding, data: &[u8]) -> [u8; 8] {
    let mut state = [0; 8];
    if padding == Padding::Length {
        state = (data.len() as u64 * 8).to_be_bytes();
        key.encrypt(&mut state);
    }
    let (blocks, rest) = data.as_chunks::<8>();
    for block in blocks {
        xor(&mut state, block);
        key.encrypt(&mut state);
    }
    if padding == Padding::Bit || !rest.is_empty() || data.is_empty() {
        let mut last = [0; 8];
        xor(&mut last, rest);
        if padding == Padding::Bit {
            last[rest.len()] = 0x80;
        }
        xor(&mut state, &last);
        key.encrypt(&mut state);
    }
    state
}

/// ISO/IEC 9797-1 algorithm 3, ANSI X9.19: algorithm 1 under the left half, then one round of TDES.
fn retail_mac(key: &DesKey, padding: Padding, data: &[u8]) -> Result<[u8; 8], CalcError> {
    let (left, right) = key.halves()?;
    let mut state = cbc_mac(left, padding, data);
    right.decrypt(&mut state);
    left.encrypt(&mut state);
    Ok(state)
}

/// NIST SP 800-38B over the joined `pieces`. `feedback` is the field's: 1B (8 bytes), 87 (16 bytes).
pub(in crate::hsm) fn cmac<const N: usize>(key: &impl BlockKey<N>, feedback: u8, pieces: &[&[u8]]) -> [u8; N] {
    let mut subkey = [0; N];
    key.encrypt(&mut subkey);
    double(&mut subkey, feedback);
    let mut state = [0; N];
    let mut filled = 0;
    for byte in pieces.iter().copied().flatten() {
        if filled == N {
            key.encrypt(&mut state);
            filled = 0;
        }
        state[filled] ^= byte;
        filled += 1;
    }
    if filled < N {
        state[filled] ^= 0x80;
        double(&mut subkey, feedback);
    }
    xor(&mut state, &subkey);
    key.encrypt(&mut state);
    state
}

/// Doubles in the field of CMAC, without a branch on the secret.
fn double<const N: usize>(value: &mut [u8; N], feedback: u8) {
    let mut carry = 0;
    for byte in value.iter_mut().rev() {
        let next = *byte >> 7;
        *byte = (*byte << 1) | carry;
        carry = next;
    }
    if let Some(last) = value.last_mut() {
        *last ^= carry.wrapping_neg() & feedback;
    }
}

/// The UnionPay POS "ECB" MAC: fold to 8 bytes, write as 16 hex characters, chain two encryptions.
fn cup_ecb(key: &DesKey, data: &[u8]) -> [u8; 8] {
    let mut fold = [0; 8];
    data.chunks(8).for_each(|block| xor(&mut fold, block));
    let text = fold.map(|byte| [hex(byte >> 4), hex(byte & 0x0F)]);
    let (left, right) = text.as_flattened().split_at(8);
    let mut state = [0; 8];
    xor(&mut state, left);
    key.encrypt(&mut state);
    xor(&mut state, right);
    key.encrypt(&mut state);
    state
}
