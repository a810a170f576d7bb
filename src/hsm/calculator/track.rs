//! Track 2 under a terminal's data key, as UnionPay POS terminals send it (DE 53, third digit 1).

use super::CalcError;
use super::DesKey;
use super::cipher::BlockKey;
use crate::model::Track2;
use zeroize::Zeroizing;

/// Most digits of a track 2, its separator among them.
const MOST: usize = 37;

/// The eight bytes before the last one: what is enciphered of a packed track.
pub(in crate::hsm) fn track_secret(packed: &mut [u8]) -> Option<&mut [u8; 8]> {
    packed.split_last_mut()?.1.last_chunk_mut::<8>()
}

/// Packs a track into BCD (separator as D, a zero behind an odd count) and enciphers the eight bytes
/// before the last one. Gives the element's bytes; the digit count is the track's own.
///
/// # Errors
/// [`CalcError::DataLength`] if the track has fewer than 17 digits.
pub fn encrypt_track(tdk: &DesKey, track: &Track2) -> Result<Vec<u8>, CalcError> {
    let nibble = |byte: u8| if byte == b'=' { 0x0D } else { byte & 0x0F };
    let pairs = track.clear().chunks(2);
    let mut packed: Zeroizing<Vec<u8>> = Zeroizing::new(
        pairs
            .map(|pair| pair.iter().take(2).fold(0, |byte, digit| byte << 4 | nibble(*digit)) << (8 - 4 * pair.len()))
            .collect(),
    );
    tdk.encrypt(track_secret(&mut packed).ok_or(CalcError::DataLength)?);
    Ok(std::mem::take(&mut *packed))
}

/// Undoes [`encrypt_track`]: `digits` of the nibbles of `packed` count. `None` if what comes out is
/// no track, or the lengths cannot be.
#[must_use]
pub fn decrypt_track(tdk: &DesKey, packed: &[u8], digits: usize) -> Option<Track2> {
    let mut clear = Zeroizing::new([0; MOST.div_ceil(2)]);
    let clear = clear.get_mut(..packed.len())?;
    clear.copy_from_slice(packed);
    tdk.decrypt(track_secret(clear)?);
    unpack_track(clear, digits)
}

/// A track out of its BCD bytes, of whose nibbles `digits` count. `None` if it is none.
pub(in crate::hsm) fn unpack_track(packed: &[u8], digits: usize) -> Option<Track2> {
    if packed.len() != digits.div_ceil(2) {
        return None;
    }
    let mut text = Zeroizing::new([0; MOST + 1]);
    for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(packed) {
        *pair = [*byte >> 4, *byte & 0x0F].map(|nibble| match nibble {
            0..=9 => b'0' + nibble,
            0x0D => b'=',
            _ => b'?',
        });
    }
    Track2::parse(text.get(..digits)?)
}
