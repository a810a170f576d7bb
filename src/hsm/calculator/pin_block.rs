//! PIN blocks of ISO 9564-1, formats 0 to 4, in clear and enciphered.

use super::CalcError;
use super::CipherKey;
use super::cipher::BlockKey;
use super::cipher::xor;
use super::pin::ClearPin;
use super::pin::pack;
use super::pin::unpack;
use crate::model::EncryptedPinBlock;
use crate::model::Entropy;
use crate::model::Pan;
use crate::model::PinFormat;
use zeroize::Zeroize;
use zeroize::ZeroizeOnDrop;
use zeroize::Zeroizing;

/// A clear PIN block: 8 bytes, or the 16-byte PIN field of format 4. No `Debug`, no `Clone`; wiped
/// on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct ClearBlock {
    /// Formats 0 to 3 use the first eight.
    bytes: [u8; 16],
    /// Whether all sixteen count.
    wide: bool,
}

impl ClearBlock {
    /// 8 or 16 bytes; anything else is `None`.
    #[must_use]
    pub fn new(clear: &[u8]) -> Option<Self> {
        if clear.len() != 8 && clear.len() != 16 {
            return None;
        }
        let mut bytes = [0; 16];
        xor(&mut bytes, clear);
        Some(Self { bytes, wide: clear.len() == 16 })
    }

    /// The clear bytes; they must be enciphered before they leave.
    #[must_use]
    pub fn clear(&self) -> &[u8] {
        if self.wide { &self.bytes } else { &self.bytes[..8] }
    }
}

/// What fills a block up behind the PIN: up to 16 nibbles, one a byte.
pub struct Fill([u8; 16]);

impl Fill {
    /// For formats 0 and 2, which bring their own.
    pub const NONE: Self = Self([0; 16]);

    /// Takes the nibbles as they are to stand behind the PIN, in order; the rest are zero, which
    /// format 3 refuses.
    ///
    /// # Errors
    /// [`CalcError::DataLength`] if there are more than 16, or one is over 15.
    pub fn new(nibbles: &[u8]) -> Result<Self, CalcError> {
        if nibbles.len() > 16 || nibbles.iter().any(|nibble| *nibble > 15) {
            return Err(CalcError::DataLength);
        }
        let mut fill = [0; 16];
        xor(&mut fill, nibbles);
        Ok(Self(fill))
    }

    /// Draws a fill for `format`: A to F for format 3, any nibble for formats 1 and 4.
    ///
    /// Nibbles are taken in the order drawn, high one first; what format 3 cannot use is dropped,
    /// so that the rest stay uniform.
    ///
    /// # Errors
    /// [`CalcError::DataLength`] if the source yields nothing usable in 512 bytes: it is broken.
    pub fn draw(format: PinFormat, entropy: &dyn Entropy) -> Result<Self, CalcError> {
        let least = match format {
            PinFormat::Iso0 | PinFormat::Iso2 => return Ok(Self::NONE),
            PinFormat::Iso1 | PinFormat::Iso4 => 0,
            PinFormat::Iso3 => 10,
        };
        let mut fill = [0; 16];
        let mut filled = 0;
        for _ in 0..64 {
            let mut drawn = [0; 8];
            entropy.fill(&mut drawn);
            let usable = unpack(&drawn).into_iter().filter(|nibble| *nibble >= least);
            for (slot, nibble) in fill[filled..].iter_mut().zip(usable) {
                *slot = nibble;
                filled += 1;
            }
            if filled == fill.len() {
                return Ok(Self(fill));
            }
        }
        Err(CalcError::DataLength)
    }
}

/// What is wrong with a clear block. For calculators only: an HSM tells one code for all.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PinBlockFault {
    /// The control nibble, or the block's length, is another format's.
    #[error("format")]
    Format,
    /// The PIN length is not 4 to 12.
    #[error("PIN length")]
    PinLength,
    /// A PIN digit is none: as a rule a wrong key or PAN.
    #[error("PIN digit")]
    PinDigit,
    /// The fill behind the PIN is none of the format's.
    #[error("fill")]
    Fill,
}

/// The first nibble of a format.
fn control(format: PinFormat) -> u8 {
    match format {
        PinFormat::Iso0 => 0,
        PinFormat::Iso1 => 1,
        PinFormat::Iso2 => 2,
        PinFormat::Iso3 => 3,
        PinFormat::Iso4 => 4,
    }
}

/// The account field of formats 0 and 3: zeros and the rightmost 12 digits without the check digit.
fn account_field(format: PinFormat, pan: &Pan) -> [u8; 8] {
    let mut nibbles = [0; 16];
    if matches!(format, PinFormat::Iso0 | PinFormat::Iso3) {
        let digits = pan.clear().bytes().rev().skip(1);
        nibbles[4..].iter_mut().rev().zip(digits).for_each(|(to, digit)| *to = digit & 0x0F);
    }
    pack(&nibbles)
}

/// The PAN field of format 4: length less 12, the PAN with zeros in front up to 12, zeros behind.
#[must_use]
pub fn pan_field(pan: &Pan) -> [u8; 16] {
    let digits = pan.clear().as_bytes();
    let mut nibbles = [0; 32];
    nibbles[0] = u8::try_from(digits.len().saturating_sub(12)).unwrap_or_default();
    let start = 1 + 12_usize.saturating_sub(digits.len());
    nibbles[start..].iter_mut().zip(digits).for_each(|(to, digit)| *to = digit & 0x0F);
    let mut field = [0; 16];
    let pairs = nibbles.as_chunks::<2>().0;
    field.iter_mut().zip(pairs).for_each(|(byte, [high, low])| *byte = high << 4 | low);
    field
}

/// Joins a PIN and a PAN into a clear block; formats 1 and 2 do not look at the PAN.
///
/// Behind the PIN stand F (formats 0 and 2), `fill` (formats 1 and 3), or A and then sixteen nibbles
/// of `fill` (format 4). Source: ISO 9564-1:2017, 9.3.
///
/// # Errors
/// [`CalcError::Digits`] if a nibble of `fill` is none of format 3's.
pub fn encode(format: PinFormat, pin: &ClearPin, pan: &Pan, fill: &Fill) -> Result<ClearBlock, CalcError> {
    let digits = pin.digits();
    let mut nibbles = Zeroizing::new([0; 16]);
    let (head, body) = nibbles.split_at_mut(2);
    head.copy_from_slice(&[control(format), u8::try_from(digits.len()).unwrap_or_default()]);
    let (front, behind) = body.split_at_mut(digits.len());
    front.copy_from_slice(digits);
    match format {
        PinFormat::Iso0 | PinFormat::Iso2 => behind.fill(0x0F),
        PinFormat::Iso4 => behind.fill(0x0A),
        PinFormat::Iso1 | PinFormat::Iso3 => behind.iter_mut().zip(fill.0).for_each(|(to, nibble)| *to = nibble),
    }
    if format == PinFormat::Iso3 && behind.iter().any(|nibble| *nibble < 10) {
        return Err(CalcError::Digits);
    }
    let mut block = ClearBlock { bytes: [0; 16], wide: format == PinFormat::Iso4 };
    let (pin_half, random_half) = block.bytes.split_at_mut(8);
    xor(pin_half, &pack(&nibbles));
    xor(pin_half, &account_field(format, pan));
    if format == PinFormat::Iso4 {
        xor(random_half, &pack(&fill.0));
    }
    Ok(block)
}

/// Takes the PIN out of a clear block, after checking control nibble, length, digits and fill.
///
/// Every check is made on every block and the outcome decided once, so that the time taken does not
/// tell which one failed.
///
/// # Errors
/// The first of [`PinBlockFault`] that applies.
pub fn decode(format: PinFormat, block: &ClearBlock, pan: &Pan) -> Result<ClearPin, PinBlockFault> {
    let mut half = Zeroizing::new([0; 8]);
    xor(half.as_mut_slice(), &block.bytes);
    xor(half.as_mut_slice(), &account_field(format, pan));
    let nibbles = Zeroizing::new(unpack(&half));
    let length = nibbles[1];
    let (least, most) = match format {
        PinFormat::Iso0 | PinFormat::Iso2 => (15, 15),
        PinFormat::Iso1 => (0, 15),
        PinFormat::Iso3 => (10, 15),
        PinFormat::Iso4 => (10, 10),
    };
    let bad_format = (nibbles[0] != control(format)) | (block.wide != (format == PinFormat::Iso4));
    let bad_length = !(4..=12).contains(&length);
    let (mut bad_digit, mut bad_fill) = (false, false);
    let mut digits = Zeroizing::new([0; 12]);
    for (place, nibble) in (0..).zip(&nibbles[2..]) {
        let in_pin = place < length;
        bad_digit |= in_pin & (*nibble > 9);
        bad_fill |= !in_pin & ((*nibble < least) | (*nibble > most));
        if let Some(digit) = digits.get_mut(usize::from(place)) {
            *digit = nibble & u8::from(in_pin).wrapping_neg();
        }
    }
    let pin = ClearPin::from_checked(*digits, length);
    match (bad_format, bad_length, bad_digit, bad_fill) {
        (false, false, false, false) => Ok(pin),
        (true, ..) => Err(PinBlockFault::Format),
        (_, true, ..) => Err(PinBlockFault::PinLength),
        (_, _, true, _) => Err(PinBlockFault::PinDigit),
        (.., true) => Err(PinBlockFault::Fill),
    }
}

/// Enciphers a clear block: one DES family block for formats 0 to 3; AES twice with the PAN field
/// between for format 4.
///
/// # Errors
/// [`CalcError::KeyAlgorithm`] if the key is none of the format's, [`CalcError::DataLength`] if the
/// block is not.
pub fn encipher(
    key: &CipherKey,
    format: PinFormat,
    block: &ClearBlock,
    pan: &Pan,
) -> Result<EncryptedPinBlock, CalcError> {
    if block.wide != (format == PinFormat::Iso4) {
        return Err(CalcError::DataLength);
    }
    let mut buffer = Zeroizing::new(block.bytes);
    let length = if format == PinFormat::Iso4 {
        let key = key.aes()?;
        key.encrypt(&mut buffer);
        xor(buffer.as_mut_slice(), &pan_field(pan));
        key.encrypt(&mut buffer);
        16
    } else {
        let front = buffer.first_chunk_mut::<8>().ok_or(CalcError::DataLength)?;
        key.des()?.encrypt(front);
        8
    };
    EncryptedPinBlock::new(&buffer[..length]).ok_or(CalcError::DataLength)
}

/// Undoes [`encipher`]. What comes out has not been looked at yet: [`decode`] does that.
///
/// # Errors
/// As [`encipher`].
pub fn decipher(
    key: &CipherKey,
    format: PinFormat,
    block: &EncryptedPinBlock,
    pan: &Pan,
) -> Result<ClearBlock, CalcError> {
    let mut clear = ClearBlock::new(block.as_bytes()).ok_or(CalcError::DataLength)?;
    if format == PinFormat::Iso4 {
        let key = key.aes()?;
        if !clear.wide {
            return Err(CalcError::DataLength);
        }
        key.decrypt(&mut clear.bytes);
        xor(&mut clear.bytes, &pan_field(pan));
        key.decrypt(&mut clear.bytes);
    } else {
        let key = key.des()?;
        if clear.wide {
            return Err(CalcError::DataLength);
        }
        key.decrypt(clear.bytes.first_chunk_mut::<8>().ok_or(CalcError::DataLength)?);
    }
    Ok(clear)
}

/// What a PIN pad does: encodes a PIN for a PAN and enciphers it under its PIN key.
///
/// # Errors
/// As [`encode`] and [`encipher`].
pub fn encrypt_pin(
    key: &CipherKey,
    format: PinFormat,
    pin: &ClearPin,
    pan: &Pan,
    fill: &Fill,
) -> Result<EncryptedPinBlock, CalcError> {
    encipher(key, format, &encode(format, pin, pan, fill)?, pan)
}
