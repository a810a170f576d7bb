//! A PIN in clear, and the values an issuer keeps to check one.

use super::CalcError;
use super::DesKey;
use super::card::decimals;
use super::cipher::BlockKey;
use crate::hsm::KeyAlgorithm;
use crate::model::Pan;
use zeroize::Zeroize;
use zeroize::ZeroizeOnDrop;

/// A clear PIN of 4 to 12 digits. No `Debug`, no `Clone`, no `Display`; wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct ClearPin {
    /// 0 to 9 each; zero beyond the length.
    digits: [u8; 12],
    length: u8,
}

impl ClearPin {
    /// Takes what a cardholder typed: 4 to 12 ASCII digits.
    ///
    /// # Errors
    /// [`CalcError::Digits`].
    pub fn parse(ascii: &[u8]) -> Result<Self, CalcError> {
        if !(4..=12).contains(&ascii.len()) || !ascii.iter().all(u8::is_ascii_digit) {
            return Err(CalcError::Digits);
        }
        let mut pin = Self { digits: [0; 12], length: u8::try_from(ascii.len()).map_err(|_| CalcError::Digits)? };
        pin.digits.iter_mut().zip(ascii).for_each(|(to, digit)| *to = digit - b'0');
        Ok(pin)
    }

    /// For decoders, which checked digits and length.
    pub(super) fn from_checked(digits: [u8; 12], length: u8) -> Self {
        Self { digits, length }
    }

    /// How many digits it has: 4 to 12.
    #[must_use]
    pub fn length(&self) -> usize {
        usize::from(self.length)
    }

    /// The clear digits in ASCII, for a calculator's result only. Wiped on drop.
    #[must_use]
    pub fn clear(&self) -> zeroize::Zeroizing<Vec<u8>> {
        zeroize::Zeroizing::new(self.digits().iter().map(|digit| b'0' + digit).collect())
    }

    /// The digits, 0 to 9 each.
    pub(super) fn digits(&self) -> &[u8] {
        self.digits.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// Visa PIN verification value: four ASCII digits.
///
/// `index` is the PVV key index, 0 to 6. Over 11 PAN digits (the rightmost but for the check
/// digit), the index and the first four PIN digits; the decimal digits of the enciphered block come
/// first, then its letters less ten. Source: Visa PVV as published in IBM CCA and Thales manuals.
///
/// # Errors
/// [`CalcError::Digits`] for another index or a PAN of fewer than 12 digits;
/// [`CalcError::KeyAlgorithm`] unless the key is double length.
pub fn pvv(pvk: &DesKey, index: u8, pin: &ClearPin, pan: &Pan) -> Result<[u8; 4], CalcError> {
    if pvk.algorithm() != KeyAlgorithm::Tdes2 {
        return Err(CalcError::KeyAlgorithm);
    }
    let (_, account) = pan.clear().as_bytes().split_last().ok_or(CalcError::Digits)?;
    let account = account.last_chunk::<11>().ok_or(CalcError::Digits)?;
    if index > 6 {
        return Err(CalcError::Digits);
    }
    let mut nibbles = [0; 16];
    let digits = account.iter().map(|digit| digit & 0x0F).chain([index]).chain(pin.digits.iter().take(4).copied());
    nibbles.iter_mut().zip(digits).for_each(|(to, digit)| *to = digit);
    let mut block = pack(&nibbles);
    pvk.encrypt(&mut block);
    nibbles.zeroize();
    let mut value = [b'0'; 4];
    value.iter_mut().zip(decimals(&unpack(&block))).for_each(|(to, digit)| *to += digit);
    Ok(value)
}

/// Sixteen nibbles as eight bytes.
pub(super) fn pack(nibbles: &[u8; 16]) -> [u8; 8] {
    let mut bytes = [0; 8];
    let pairs = nibbles.as_chunks::<2>().0;
    bytes.iter_mut().zip(pairs).for_each(|(byte, [high, low])| *byte = high << 4 | low);
    bytes
}

/// Eight bytes as sixteen nibbles.
pub(super) fn unpack(bytes: &[u8; 8]) -> [u8; 16] {
    let mut nibbles = [0; 16];
    let pairs = nibbles.as_chunks_mut::<2>().0;
    pairs.iter_mut().zip(bytes).for_each(|(pair, byte)| *pair = [byte >> 4, byte & 0x0F]);
    nibbles
}
