//! How a MAC stands in its element, for backends whose HSM gives it whole.

use super::HsmError;
use super::Mac;
use crate::model::MacOutput;
use crate::model::MacScheme;

/// One nibble as an upper-case hex digit.
fn digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 }
}

/// Bytes of MAC behind the element, at most `whole`.
///
/// # Errors
/// [`HsmError::Input`] for a length that no MAC has: less than 4 bytes, that is 8 characters in hex, or half a byte.
pub(in crate::hsm) fn binary_length(scheme: &MacScheme, whole: usize) -> Result<usize, HsmError> {
    let length = usize::from(scheme.length);
    let (binary, halved) = match scheme.output {
        MacOutput::Binary => (length, false),
        MacOutput::AsciiHex => (length / 2, length % 2 == 1),
    };
    // Also in hex: four characters are 16 bits, which anybody guesses.
    let fits = (4..=16).contains(&binary) && binary <= whole && !halved;
    if fits { Ok(binary) } else { Err(HsmError::Input("MAC length")) }
}

/// The MAC as its element has it.
pub(in crate::hsm) fn write(scheme: &MacScheme, mac: &[u8]) -> Mac {
    match scheme.output {
        MacOutput::Binary => Mac::from_slice(mac),
        MacOutput::AsciiHex => mac.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0F)]).collect(),
    }
}

/// The UnionPay fold: data to 8 bytes, written as 16 characters. Its MAC is a CBC-MAC over these.
pub(in crate::hsm) fn union_pay_fold(data: &[u8]) -> [u8; 16] {
    let mut folded = [0_u8; 8];
    for block in data.chunks(8) {
        folded.iter_mut().zip(block).for_each(|(into, byte)| *into ^= byte);
    }
    let mut text = [0; 16];
    let pairs = text.as_chunks_mut::<2>().0;
    pairs.iter_mut().zip(folded).for_each(|(pair, byte)| *pair = [digit(byte >> 4), digit(byte & 0x0F)]);
    text
}
