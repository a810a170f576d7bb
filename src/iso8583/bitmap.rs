//! Bitmaps: which elements a message carries.

use super::class::Check;
use super::class::Class;
use super::class::Text;
use super::error::De;
use super::error::Fault;
use super::spec::BitmapEncoding;
use super::tables;
use super::wire::Parsed;
use super::wire::stop;
use nom::bytes::complete::take;
use smallvec::SmallVec;

/// Element numbers as bits, in wire order: the highest bit of the first word is DE 1.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Bitmap(pub(super) [u64; 3]);

/// The bit that announces another bitmap.
const FURTHER: u64 = 1 << 63;

impl Bitmap {
    /// Whether the element is there.
    #[inline]
    pub(super) fn has(&self, de: De) -> bool {
        let bit = usize::from(de).wrapping_sub(1);
        self.0.get(bit / 64).is_some_and(|word| word & (FURTHER >> (bit % 64)) != 0)
    }

    /// Adds or removes an element.
    #[inline]
    pub(super) fn put(&mut self, de: De, present: bool) {
        let bit = usize::from(de).wrapping_sub(1);
        if let Some(word) = self.0.get_mut(bit / 64) {
            let mask = FURTHER >> (bit % 64);
            *word = if present { *word | mask } else { *word & !mask };
        }
    }

    /// The elements, ascending.
    pub(super) fn elements(self) -> impl Iterator<Item = De> {
        self.0.into_iter().zip([1_u8, 65, 129]).flat_map(|(word, first)| Bits::of(word).map(move |bit| first + bit))
    }

    /// How many bitmaps are needed for these elements: 1 to 3.
    pub(super) fn count(&self) -> u8 {
        match self.0 {
            [_, 0, 0] => 1,
            [_, _, 0] => 2,
            _ => 3,
        }
    }

    /// Reads the primary bitmap and those it announces, at most `max`; gives how many there were.
    /// The announcing bits are taken off.
    #[inline]
    pub(super) fn read(encoding: BitmapEncoding, max: u8, input: &[u8]) -> Parsed<'_, (Self, u8)> {
        let (mut rest, first) = word(encoding, input)?;
        let mut words = [first, 0, 0];
        let mut count = 1;
        if first & FURTHER != 0 {
            if max < 2 {
                return Err(stop(input, Fault::BitmapUnexpected));
            }
            words[0] &= !FURTHER;
            (rest, words[1]) = word(encoding, rest)?;
            count = 2;
            if max > 2 && words[1] & FURTHER != 0 {
                words[1] &= !FURTHER;
                (rest, words[2]) = word(encoding, rest)?;
                count = 3;
            }
        }
        Ok((rest, (Self(words), count)))
    }

    /// As many bitmaps as [`Bitmap::count`] says, as they stand on the wire.
    pub(super) fn wire(&self, encoding: BitmapEncoding) -> impl Iterator<Item = SmallVec<[u8; 16]>> {
        let count = self.count();
        (1..=count).zip(self.0).map(move |(index, word)| {
            let word = if index < count { word | FURTHER } else { word };
            match encoding {
                BitmapEncoding::Binary => SmallVec::from_slice(&word.to_be_bytes()),
                BitmapEncoding::HexAscii => SmallVec::from_slice(&hex(word)),
                BitmapEncoding::HexEbcdic => {
                    SmallVec::from_slice(&hex(word).map(|digit| super::class::from(&tables::TO_037, digit)))
                }
            }
        })
    }
}

/// The set bits of a word, from its high end.
pub(super) struct Bits(u64);

impl Bits {
    /// Numbers the highest bit 0.
    #[inline]
    pub(super) fn of(word: u64) -> Self {
        Self(word.reverse_bits())
    }
}

impl Iterator for Bits {
    type Item = u8;

    #[inline]
    fn next(&mut self) -> Option<u8> {
        if self.0 == 0 {
            return None;
        }
        let bit = self.0.trailing_zeros();
        self.0 &= self.0 - 1;
        Some(bit as u8)
    }
}

/// One bitmap.
#[inline]
fn word(encoding: BitmapEncoding, input: &[u8]) -> Parsed<'_, u64> {
    let bytes: usize = if encoding == BitmapEncoding::Binary { 8 } else { 16 };
    let (rest, wire) = take(bytes)(input)?;
    let word = match (encoding, wire.first_chunk::<8>(), wire.last_chunk::<8>()) {
        (BitmapEncoding::Binary, Some(word), _) => Some(u64::from_be_bytes(*word)),
        (BitmapEncoding::HexAscii, Some(high), Some(low)) => join(*high, *low),
        (BitmapEncoding::HexEbcdic, Some(high), Some(low)) => join(
            high.map(|byte| super::class::from(&tables::EBCDIC_037, byte)),
            low.map(|byte| super::class::from(&tables::EBCDIC_037, byte)),
        ),
        _ => None,
    };
    word.map(|word| (rest, word)).ok_or_else(|| stop(input, Fault::NotHex))
}

#[inline]
fn join(high: [u8; 8], low: [u8; 8]) -> Option<u64> {
    let hexadecimal = |digits: &[u8]| Check::Hex.passes(Class::Ascii(Text::Hex), digits, 8);
    (hexadecimal(&high) & hexadecimal(&low)).then(|| unhex(high) << 32 | unhex(low))
}

/// Eight hexadecimal digits at once.
#[inline]
const fn unhex(digits: [u8; 8]) -> u64 {
    const fn all(byte: u8) -> u64 {
        u64::from_be_bytes([byte; 8])
    }
    let x = u64::from_be_bytes(digits);
    // Letters have bit 6; their low nibble counts from 1.
    let nibbles = (x & all(0x0F)) + ((x >> 6) & all(0x01)) * 9;
    let pairs = (nibbles | nibbles >> 4) & 0x00FF_00FF_00FF_00FF;
    let quads = (pairs | pairs >> 8) & 0x0000_FFFF_0000_FFFF;
    (quads | quads >> 16) & 0xFFFF_FFFF
}

/// Sixteen upper-case hexadecimal digits.
fn hex(word: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(word.to_be_bytes()) {
        pair[0] = super::encoding::hex_digit(byte >> 4);
        pair[1] = super::encoding::hex_digit(byte);
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::{Bitmap, BitmapEncoding};
    use proptest::prelude::*;

    #[test]
    fn a_bitmap_announces_the_next_and_no_more_than_the_dialect_has() {
        let mut map = Bitmap::default();
        map.put(70, true);
        let wire: Vec<u8> = map.wire(BitmapEncoding::HexAscii).flatten().collect();
        assert_eq!(wire, b"80000000000000000400000000000000");
        assert!(Bitmap::read(BitmapEncoding::HexAscii, 2, &wire).is_ok());
        assert!(Bitmap::read(BitmapEncoding::HexAscii, 1, &wire).is_err());
        assert!(Bitmap::read(BitmapEncoding::HexAscii, 2, &wire[..31]).is_err());
        assert!(Bitmap::read(BitmapEncoding::HexAscii, 2, b"800000000000000G").is_err());
    }

    #[test]
    fn lower_case_hexadecimal_reads_too() {
        let (_, (map, count)) = Bitmap::read(BitmapEncoding::HexAscii, 1, b"7abcdef012345678").unwrap();
        assert_eq!((map.0[0], count), (0x7ABC_DEF0_1234_5678, 1));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(primary in any::<u64>(), secondary in any::<u64>(), tertiary in any::<u64>()) {
            const NOT_FIRST: u64 = u64::MAX >> 1;
            let map = Bitmap([primary & NOT_FIRST, secondary & NOT_FIRST, tertiary]);
            for encoding in [BitmapEncoding::Binary, BitmapEncoding::HexAscii, BitmapEncoding::HexEbcdic] {
                let wire: Vec<u8> = map.wire(encoding).flatten().collect();
                let (rest, (again, count)) = Bitmap::read(encoding, 3, &wire).unwrap();
                prop_assert!(rest.is_empty());
                prop_assert_eq!((again, count), (map, map.count()));
                prop_assert_eq!(map.elements().filter(|de| map.has(*de)).count() as u32, map.0.iter().map(|word| word.count_ones()).sum::<u32>());
            }
        }
    }
}
