//! Card verification values: what proves that a stripe, a chip or a printed card was read.

use super::CalcError;
use super::CipherKey;
use super::cipher::BlockKey;
use super::cipher::DesKey;
use super::cipher::xor;
use super::mac::mac;
use super::pin::pack;
use super::pin::unpack;
use crate::hsm::KeyAlgorithm;
use crate::model::MacAlgorithm;
use crate::model::Padding;
use crate::model::Pan;

/// CVV, CVC, CVV2, CVC2 or iCVV: three ASCII digits.
///
/// `expiry` are four digits in the order the scheme wants (YYMM on a track, MMYY for some printed
/// values). `service_code` is the track's, 000 for the printed value (CVV2, CVC2), 999 for a chip's
/// track equivalent (iCVV). Source: Visa CVV method, as published in IBM CCA manuals.
///
/// # Errors
/// [`CalcError::Digits`] unless expiry and service code are digits, [`CalcError::KeyAlgorithm`]
/// unless the key is double length.
pub fn cvv(cvk: &DesKey, pan: &Pan, expiry: &[u8; 4], service_code: &[u8; 3]) -> Result<[u8; 3], CalcError> {
    if !expiry.iter().chain(service_code).all(u8::is_ascii_digit) {
        return Err(CalcError::Digits);
    }
    let (left, _) = cvk.halves()?;
    let mut nibbles = [0; 32];
    let digits = pan.clear().as_bytes().iter().chain(expiry).chain(service_code).map(|digit| digit & 0x0F);
    nibbles.iter_mut().zip(digits).for_each(|(to, digit)| *to = digit);
    let [first, second] = nibbles.as_chunks::<16>().0 else { return Err(CalcError::DataLength) };
    let mut block = pack(first);
    left.encrypt(&mut block);
    xor(&mut block, &pack(second));
    cvk.encrypt(&mut block);
    let mut value = [b'0'; 3];
    value.iter_mut().zip(decimals(&unpack(&block))).for_each(|(to, digit)| *to += digit);
    Ok(value)
}

/// Decimal digits first, then the letters less ten.
pub(super) fn decimals(nibbles: &[u8; 16]) -> impl Iterator<Item = u8> {
    let decimals = nibbles.iter().filter(|nibble| **nibble < 10).copied();
    decimals.chain(nibbles.iter().filter(|nibble| **nibble >= 10).map(|nibble| nibble - 10))
}

/// Dynamic CVC3 of a contactless stripe profile: up to five ASCII digits.
///
/// `icc_key` is the card's own CVC3 key (master key option A), `track` the static track data as the
/// card hashes them, `atc` the counter, `un` the terminal's unpredictable number.
/// Source: EMV Contactless Book C-2, annex on CVC3; PayPass Mag Stripe.
///
/// # Errors
/// [`CalcError::KeyAlgorithm`] unless the key is double length, [`CalcError::ResultLength`] unless 1
/// to 5 digits are asked for.
pub fn cvc3(icc_key: &[u8], track: &[u8], atc: [u8; 2], un: [u8; 4], digits: usize) -> Result<String, CalcError> {
    if !(1..=5).contains(&digits) {
        return Err(CalcError::ResultLength);
    }
    let key = CipherKey::new(KeyAlgorithm::Tdes2, icc_key)?;
    let hash = mac(&key, MacAlgorithm::X919, Padding::Bit, track)?;
    let hash = hash.last_chunk::<2>().ok_or(CalcError::DataLength)?;
    let mut block = [0; 8];
    [hash.as_slice(), &un, &atc].concat().iter().zip(&mut block).for_each(|(from, to)| *to = *from);
    key.des()?.encrypt(&mut block);
    let value = block.last_chunk::<2>().map(|last| u16::from_be_bytes(*last)).ok_or(CalcError::DataLength)?;
    let text = format!("{value:05}");
    text.get(5 - digits..).map(str::to_owned).ok_or(CalcError::ResultLength)
}
