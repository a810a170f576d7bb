//! IBM 3624: a PIN that follows from the account, and the offset that lets the cardholder choose.

use super::CalcError;
use super::DesKey;
use super::cipher::BlockKey;
use super::pin::ClearPin;
use super::pin::pack;
use super::pin::unpack;
use crate::hsm::KeyAlgorithm;
use crate::model::Pan;
use smallvec::SmallVec;

/// Which digit each nibble of the enciphered validation data becomes.
///
/// It belongs into an HSM's configuration, never into a message: who may choose the table can ask
/// for a PIN digit by digit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DecimalizationTable([u8; 16]);

impl DecimalizationTable {
    /// The usual table: 0 to 9, then 0 to 5.
    pub const USUAL: Self = Self([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5]);

    /// Sixteen ASCII digits.
    ///
    /// # Errors
    /// [`CalcError::Digits`].
    pub fn parse(ascii: &[u8]) -> Result<Self, CalcError> {
        let digits: &[u8; 16] = ascii.try_into().map_err(|_| CalcError::Digits)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(CalcError::Digits);
        }
        Ok(Self(digits.map(|digit| digit - b'0')))
    }

    /// Sixteen ASCII digits, as commands carry it.
    #[must_use]
    pub fn ascii(&self) -> [u8; 16] {
        self.0.map(|digit| b'0' + digit)
    }

    /// Whether it mixes enough that nobody can learn much by it: at least eight different digits,
    /// none more than four times (the check of common HSMs).
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        let count = |digit: u8| self.0.iter().filter(|value| **value == digit).count();
        (0..10).filter(|digit| count(*digit) > 0).count() >= 8 && (0..10).all(|digit| count(digit) <= 4)
    }
}

/// What is enciphered to make the natural PIN: 16 nibbles, as a rule out of the PAN.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct ValidationData([u8; 16]);

impl ValidationData {
    /// Sixteen ASCII hex characters.
    ///
    /// # Errors
    /// [`CalcError::Digits`].
    pub fn parse(ascii: &[u8]) -> Result<Self, CalcError> {
        let text: &[u8; 16] = ascii.try_into().map_err(|_| CalcError::Digits)?;
        let mut nibbles = [0; 16];
        for (nibble, character) in nibbles.iter_mut().zip(text) {
            let value = char::from(*character).to_digit(16).ok_or(CalcError::Digits)?;
            *nibble = u8::try_from(value).map_err(|_| CalcError::Digits)?;
        }
        Ok(Self(nibbles))
    }

    /// Sixteen upper-case hex characters.
    #[must_use]
    pub fn ascii(&self) -> [u8; 16] {
        self.0.map(|nibble| if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 })
    }

    /// `length` digits of the PAN from place `start` (0 is the first), then `pad` up to sixteen.
    ///
    /// # Errors
    /// [`CalcError::Digits`] if the PAN has no such digits, they are over sixteen, or the pad is no
    /// nibble.
    pub fn of_pan(pan: &Pan, start: usize, length: usize, pad: u8) -> Result<Self, CalcError> {
        let end = start.checked_add(length).ok_or(CalcError::Digits)?;
        let digits = pan.clear().as_bytes().get(start..end).ok_or(CalcError::Digits)?;
        if length > 16 || pad > 15 {
            return Err(CalcError::Digits);
        }
        let mut nibbles = [pad; 16];
        nibbles.iter_mut().zip(digits).for_each(|(nibble, digit)| *nibble = digit & 0x0F);
        Ok(Self(nibbles))
    }
}

/// Offset digits in ASCII: as many as are checked.
pub type Offset = SmallVec<[u8; 12]>;

/// The PIN that follows from the validation data: its first `length` digits, 4 to 12.
///
/// # Errors
/// [`CalcError::Digits`] for another length, [`CalcError::KeyAlgorithm`] for single DES.
pub fn natural_pin(
    pvk: &DesKey,
    table: &DecimalizationTable,
    data: &ValidationData,
    length: usize,
) -> Result<ClearPin, CalcError> {
    if pvk.algorithm() == KeyAlgorithm::Des {
        return Err(CalcError::KeyAlgorithm);
    }
    if !(4..=12).contains(&length) {
        return Err(CalcError::Digits);
    }
    let mut block = pack(&data.0);
    pvk.encrypt(&mut block);
    let mut digits = [0; 12];
    for (digit, nibble) in digits.iter_mut().zip(unpack(&block)).take(length) {
        // All sixteen are looked at, so that the time does not tell which one it was.
        *digit = (0_u8..).zip(table.0).map(|(place, value)| value & u8::from(place == nibble).wrapping_neg()).sum();
    }
    Ok(ClearPin::from_checked(digits, u8::try_from(length).map_err(|_| CalcError::Digits)?))
}

/// The offset of a PIN: PIN less natural PIN, digit by digit without carry; of that the rightmost
/// `check` digits (IBM's "PIN check length"), as many as the PIN has or fewer, at least 4.
///
/// # Errors
/// As [`natural_pin`]; [`CalcError::Digits`] if more digits are to be checked than there are.
pub fn pin_offset(
    pvk: &DesKey,
    table: &DecimalizationTable,
    data: &ValidationData,
    pin: &ClearPin,
    check: usize,
) -> Result<Offset, CalcError> {
    let digits = pin.digits();
    if check < 4 || check > digits.len() {
        return Err(CalcError::Digits);
    }
    let natural = natural_pin(pvk, table, data, digits.len())?;
    let offset = digits.iter().zip(natural.digits()).map(|(chosen, natural)| b'0' + (chosen + 10 - natural) % 10);
    Ok(offset.skip(digits.len() - check).collect())
}
