//! Which bytes a value may have, checked eight at a time.

use super::spec::Side;
use super::tables;

/// Characters, as ASCII. What a kind allows once the encoding is taken off.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Text {
    /// 0-9.
    Digits,
    /// Letters and space.
    Alpha,
    /// Letters, digits and space.
    Alnum,
    /// 20 to 7E.
    Print,
    /// Digits and the track separator, `=` or `D`.
    Track,
    /// The same, or hexadecimal when the track is enciphered.
    AnyTrack,
    /// Hexadecimal, either case.
    Hex,
    /// `C` or `D`, then digits.
    Signed,
}

impl Text {
    /// Whether `byte` may stand at `position`.
    fn allows(self, byte: u8, position: usize) -> bool {
        match self {
            Self::Digits => byte.is_ascii_digit(),
            Self::Alpha => byte.is_ascii_alphabetic() || byte == b' ',
            Self::Alnum => byte.is_ascii_alphanumeric() || byte == b' ',
            Self::Print => (0x20..0x7F).contains(&byte),
            Self::Track => byte.is_ascii_digit() || byte == b'=' || byte == b'D',
            Self::AnyTrack => byte.is_ascii_hexdigit() || byte == b'=',
            Self::Hex => byte.is_ascii_hexdigit(),
            Self::Signed if position == 0 => matches!(byte, b'C' | b'D'),
            Self::Signed => byte.is_ascii_digit(),
        }
    }
}

/// Which nibbles a BCD value may have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Nibbles {
    /// 0 to 9.
    Digits,
    /// And the separator, D.
    Track,
    /// Any: the track may be enciphered.
    Any,
}

impl Nibbles {
    fn allows(self, nibble: u8) -> bool {
        match self {
            Self::Digits => nibble <= 9,
            Self::Track => nibble <= 9 || nibble == 13,
            Self::Any => true,
        }
    }
}

/// Which bytes a value may have on the wire.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Class {
    /// The dialect has no such element.
    Undefined,
    /// Any.
    Bytes,
    /// Characters in ASCII.
    Ascii(Text),
    /// Characters in EBCDIC, code page 037.
    Ebcdic037(Text),
    /// Characters in EBCDIC, code page 1047.
    Ebcdic1047(Text),
    /// Two digits a byte; an odd one is filled up on that side.
    Bcd(Nibbles, Side),
    /// A sign letter in ASCII, then BCD digits.
    SignedBcd(Side),
    /// Chinese text.
    Gbk,
}

impl Class {
    /// Whether every byte of `value` is allowed. `units` tells whether a BCD value is filled up.
    pub(super) fn holds(self, value: &[u8], units: usize) -> bool {
        self.check().passes(self, value, units)
    }

    /// Whether a value looks the same on the wire as in canonical form, when it is written.
    pub(super) const fn is_canonical(self) -> bool {
        match self {
            Self::Bytes => true,
            Self::Ascii(text) => !matches!(text, Text::Hex),
            _ => false,
        }
    }

    /// The check that is quickest for this class.
    pub(super) const fn check(self) -> Check {
        match self {
            Self::Bytes => Check::Nothing,
            Self::Ascii(Text::Digits) => Check::Digits,
            Self::Ascii(Text::Print) => Check::Print,
            Self::Ascii(Text::Alnum) => Check::Alnum,
            Self::Ascii(Text::Hex) => Check::Hex,
            Self::Ascii(Text::Track) => Check::Track,
            Self::Bcd(Nibbles::Digits, _) => Check::Bcd,
            _ => Check::Slow,
        }
    }

    /// The first byte that is not allowed. Slow and plain: it also is what the fast checks are tested against.
    #[inline(never)]
    pub(super) fn fault_at(self, value: &[u8], units: usize) -> Option<usize> {
        let first = |allowed: &dyn Fn(usize, u8) -> bool| {
            value.iter().enumerate().find(|(at, byte)| !allowed(*at, **byte)).map(|(at, _)| at)
        };
        match self {
            Self::Bytes => None,
            Self::Undefined => Some(0),
            Self::Ascii(text) => first(&|at, byte| text.allows(byte, at)),
            Self::Ebcdic037(text) => first(&|at, byte| text.allows(from(&tables::EBCDIC_037, byte), at)),
            Self::Ebcdic1047(text) => first(&|at, byte| text.allows(from(&tables::EBCDIC_1047, byte), at)),
            Self::Bcd(nibbles, side) => nibble_fault(value, units, nibbles, side),
            Self::SignedBcd(side) => match value.split_first() {
                Some((b'C' | b'D', digits)) => nibble_fault(digits, units, Nibbles::Digits, side).map(|at| at + 1),
                _ => Some(0),
            },
            Self::Gbk => gbk_fault(value),
        }
    }
}

/// How a class is checked: flat, so that the hot loop jumps once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Check {
    /// All bytes are legal.
    Nothing,
    /// [`Text::Digits`] in ASCII.
    Digits,
    /// [`Text::Print`] in ASCII.
    Print,
    /// [`Text::Alnum`] in ASCII.
    Alnum,
    /// [`Text::Hex`] in ASCII.
    Hex,
    /// [`Text::Track`] in ASCII.
    Track,
    /// [`Nibbles::Digits`], the filling nibble on either side.
    Bcd,
    /// Byte by byte.
    Slow,
}

impl Check {
    /// Whether every byte of `value` is allowed in `class`, whose check this is.
    #[inline(always)]
    pub(super) fn passes(self, class: Class, value: &[u8], units: usize) -> bool {
        match self {
            Self::Nothing => true,
            Self::Digits => swar(value, digits),
            Self::Print => swar(value, print),
            Self::Alnum => swar(value, alnum),
            Self::Hex => swar(value, hex),
            Self::Track => swar(value, track),
            Self::Bcd if units & 1 == 0 => swar(value, bcd),
            Self::Bcd => odd(class, value, units),
            Self::Slow => class.fault_at(value, units).is_none(),
        }
    }
}

/// A BCD value with a filling nibble: mostly 0, which is a digit too.
fn odd(class: Class, value: &[u8], units: usize) -> bool {
    let Class::Bcd(_, side) = class else { return false };
    padded(value, side) && (swar(value, bcd) || class.fault_at(value, units).is_none())
}

/// The table's entry.
pub(super) fn from(table: &[u8; 256], byte: u8) -> u8 {
    table[usize::from(byte)]
}

/// The first byte with a nibble that is not allowed; the filling nibble of an odd count may be 0 or F.
fn nibble_fault(value: &[u8], units: usize, nibbles: Nibbles, side: Side) -> Option<usize> {
    let count = value.len() * 2;
    let filler = (units % 2 == 1).then_some(if side == Side::Left { 0 } else { count.wrapping_sub(1) });
    (0..count)
        .find(|at| {
            let byte = value.get(at / 2).copied().unwrap_or_default();
            let nibble = if at % 2 == 0 { byte >> 4 } else { byte & 15 };
            if filler == Some(*at) { nibble != 0 && nibble != 15 } else { !nibbles.allows(nibble) }
        })
        .map(|at| at / 2)
}

/// Whether the filling nibble on `side` is 0 or F.
#[inline]
fn padded(value: &[u8], side: Side) -> bool {
    let nibble = match side {
        Side::Left => value.first().map(|byte| byte >> 4),
        Side::Right => value.last().map(|byte| byte & 15),
    };
    matches!(nibble, Some(0 | 15))
}

/// The first byte that does not belong to a GBK character or to printable ASCII.
///
/// Source: GBK 1.0 as the WHATWG encoding standard decodes it; unassigned pairs are refused.
fn gbk_fault(value: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(byte) = value.get(at) {
        if (0x20..0x7F).contains(byte) {
            at += 1;
            continue;
        }
        let mut text = [0; 8];
        let Some(pair) = value.get(at..at + 2).filter(|pair| pair[0] > 0x80 && pair[1] >= 0x40) else {
            return Some(at);
        };
        let mut decoder = encoding_rs::GBK.new_decoder_without_bom_handling();
        let (result, ..) = decoder.decode_to_utf8_without_replacement(pair, &mut text, true);
        if result != encoding_rs::DecoderResult::InputEmpty {
            return Some(at);
        }
        at += 2;
    }
    None
}

/// One byte eight times.
const fn all(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

const HIGH: u64 = all(0x80);

/// Whether `bad` finds nothing in any eight bytes of `value`; fewer than eight are filled up with copies of their own.
#[inline]
fn swar(value: &[u8], bad: impl Fn(u64) -> u64) -> bool {
    let (chunks, tail) = value.as_chunks::<8>();
    let mut found = 0;
    for chunk in chunks {
        found |= bad(u64::from_le_bytes(*chunk));
    }
    if !tail.is_empty() {
        found |= bad(match value.last_chunk::<8>() {
            Some(last) => u64::from_le_bytes(*last),
            None => few(tail),
        });
    }
    found == 0
}

/// One to seven bytes, spread over eight by repeating some.
#[inline]
fn few(bytes: &[u8]) -> u64 {
    match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (Some(first), Some(last)) => u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32,
        _ => match (bytes.first_chunk::<2>(), bytes.last_chunk::<2>()) {
            (Some(first), Some(last)) => {
                let both = u32::from(u16::from_le_bytes(*first)) | u32::from(u16::from_le_bytes(*last)) << 16;
                u64::from(both) | u64::from(both) << 32
            }
            _ => all(bytes.first().copied().unwrap_or_default()),
        },
    }
}

/// High bit of each byte that lies in `low..=high`; all bytes must be below 80.
#[inline]
const fn within(x: u64, low: u8, high: u8) -> u64 {
    (x + all(0x80 - low)) & !(x + all(0x7F - high)) & HIGH
}

#[inline]
fn digits(x: u64) -> u64 {
    ((x & all(0xF0)) ^ all(0x30)) | ((x & all(0x0F)) + all(0x06)) & all(0x10)
}

#[inline]
fn print(x: u64) -> u64 {
    let low = x & !HIGH;
    (x | !(low + all(0x60)) | (low + all(0x01))) & HIGH
}

#[inline]
fn alnum(x: u64) -> u64 {
    let low = x & !HIGH;
    let letter = within(low | all(0x20), b'a', b'z');
    (x | !(letter | within(low, b'0', b'9') | within(low, b' ', b' '))) & HIGH
}

#[inline]
fn hex(x: u64) -> u64 {
    let low = x & !HIGH;
    (x | !(within(low | all(0x20), b'a', b'f') | within(low, b'0', b'9'))) & HIGH
}

#[inline]
fn track(x: u64) -> u64 {
    let low = x & !HIGH;
    (x | !(within(low, b'0', b'9') | within(low, b'=', b'=') | within(low, b'D', b'D'))) & HIGH
}

#[inline]
fn bcd(x: u64) -> u64 {
    x & (x << 1 | x << 2) & all(0x88)
}

#[cfg(test)]
mod tests {
    use super::{Class, Nibbles, Side, Text};
    use proptest::prelude::*;

    const FAST: [Class; 7] = [
        Class::Ascii(Text::Track),
        Class::Ascii(Text::Digits),
        Class::Ascii(Text::Print),
        Class::Ascii(Text::Alnum),
        Class::Ascii(Text::Hex),
        Class::Bcd(Nibbles::Digits, Side::Left),
        Class::Bcd(Nibbles::Digits, Side::Right),
    ];

    /// Something legal in every class.
    const LEGAL: &[u8] = b"0123456789012345678901234567890123456789";

    #[test]
    fn every_byte_at_every_place_of_every_length_is_checked() {
        for class in FAST {
            for length in 1..=19 {
                for at in 0..length {
                    for byte in 0..=255 {
                        let mut value = LEGAL[..length].to_vec();
                        value[at] = byte;
                        for units in [2 * length, 2 * length - 1] {
                            let slow = class.fault_at(&value, units).is_none();
                            assert_eq!(class.holds(&value, units), slow, "{class:?} {length} {at} {byte}");
                        }
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn the_fast_check_agrees_with_the_plain_one(value in proptest::collection::vec(any::<u8>(), 0..40), odd in 0..2usize) {
            for class in FAST {
                let units = (2 * value.len()).saturating_sub(odd);
                prop_assert_eq!(class.holds(&value, units), class.fault_at(&value, units).is_none());
            }
        }
    }

    #[test]
    fn gbk_refuses_half_a_character_and_unassigned_pairs() {
        assert_eq!(Class::Gbk.fault_at("ab".as_bytes(), 2), None);
        assert_eq!(Class::Gbk.fault_at(&[0xD6, 0xD0, b'x'], 3), None);
        assert_eq!(Class::Gbk.fault_at(&[b'x', 0xD6], 2), Some(1));
        assert_eq!(Class::Gbk.fault_at(&[0xD6, 0x20], 2), Some(0));
        assert_eq!(Class::Gbk.fault_at(&[7], 1), Some(0));
    }
}
