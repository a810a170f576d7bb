//! Values between the wire and canonical form.

use super::class::Class;
use super::class::Nibbles;
use super::class::Text;
use super::class::from;
use super::spec::Side;
use super::tables;
use super::value::Value;
use smallvec::SmallVec;

/// The upper-case hexadecimal digit of the low nibble; no branch, so that the compiler does sixteen at a time.
pub(super) fn hex_digit(nibble: u8) -> u8 {
    let nibble = nibble & 15;
    nibble + b'0' + if nibble > 9 { b'A' - b'0' - 10 } else { 0 }
}

/// The nibble of a hexadecimal digit, either case; zero for anything else.
pub(super) fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}

/// Bytes from pairs of hexadecimal digits; `None` for anything else.
pub(super) fn from_hex(digits: &[u8]) -> Option<Vec<u8>> {
    let pairs = digits.len().is_multiple_of(2) && digits.iter().all(u8::is_ascii_hexdigit);
    pairs.then(|| unhex(digits.iter().copied()).into_vec())
}

/// Pairs of hexadecimal digits as bytes.
fn unhex(digits: impl Iterator<Item = u8>) -> SmallVec<[u8; 64]> {
    let mut bytes = SmallVec::new();
    let mut high = None;
    for digit in digits {
        match high.take() {
            None => high = Some(nibble(digit) << 4),
            Some(high) => bytes.push(high | nibble(digit)),
        }
    }
    bytes
}

/// The canonical form of a checked wire value. `enciphered`: track nibbles are given as hexadecimal.
pub(super) fn read(class: Class, wire: &[u8], units: usize, enciphered: bool) -> Value<'_> {
    match class {
        Class::Undefined | Class::Bytes => Value::borrowed(wire),
        Class::Ascii(Text::Hex) => Value::owned(unhex(wire.iter().copied())),
        Class::Ascii(Text::Track | Text::AnyTrack) => {
            if enciphered {
                Value::owned(wire.iter().map(u8::to_ascii_uppercase).collect())
            } else if wire.contains(&b'D') {
                Value::owned(wire.iter().map(|byte| separator(*byte)).collect())
            } else {
                Value::borrowed(wire)
            }
        }
        Class::Ascii(_) => Value::borrowed(wire),
        Class::Ebcdic037(text) => from_ebcdic(&tables::EBCDIC_037, text, wire, enciphered),
        Class::Ebcdic1047(text) => from_ebcdic(&tables::EBCDIC_1047, text, wire, enciphered),
        Class::Bcd(nibbles, side) => {
            let mut digits = unpack(wire, units, side);
            if nibbles != Nibbles::Digits && !enciphered {
                digits.iter_mut().for_each(|digit| *digit = separator(*digit));
            }
            Value::owned(digits)
        }
        Class::SignedBcd(side) => {
            let (sign, digits) = wire.split_at(wire.len().min(1));
            let mut value = SmallVec::from_slice(sign);
            value.extend_from_slice(&unpack(digits, units, side));
            Value::owned(value)
        }
        Class::Gbk if wire.is_ascii() => Value::borrowed(wire),
        Class::Gbk => {
            let (text, _) = encoding_rs::GBK.decode_without_bom_handling(wire);
            Value::owned(SmallVec::from_slice(text.as_bytes()))
        }
    }
}

/// `D` separates a track as `=` does.
fn separator(byte: u8) -> u8 {
    if byte == b'D' { b'=' } else { byte }
}

fn from_ebcdic<'a>(table: &[u8; 256], text: Text, wire: &[u8], enciphered: bool) -> Value<'a> {
    let ascii = wire.iter().map(|byte| from(table, *byte));
    Value::owned(match text {
        Text::Hex => unhex(ascii),
        Text::Track | Text::AnyTrack if !enciphered => ascii.map(separator).collect(),
        _ => ascii.collect(),
    })
}

/// `units` digits out of BCD, as ASCII or upper hex; the filling nibble is on `side`.
fn unpack(wire: &[u8], units: usize, side: Side) -> SmallVec<[u8; 64]> {
    let mut digits: SmallVec<[u8; 64]> = SmallVec::with_capacity(wire.len() * 2);
    for byte in wire {
        digits.extend_from_slice(&[hex_digit(byte >> 4), hex_digit(*byte)]);
    }
    if digits.len() > units {
        match side {
            Side::Right => digits.truncate(units),
            Side::Left => drop(digits.drain(..digits.len() - units)),
        }
    }
    digits
}

/// Appends the wire form of canonical `value` to `out`; `false` if a character is outside the class.
///
/// The caller has settled the length: every unit of `value` is written. `nibble` fills an odd digit up.
#[inline]
pub(super) fn write(class: Class, value: &[u8], nibble: u8, out: &mut Vec<u8>) -> bool {
    match class {
        Class::Bytes => out.extend_from_slice(value),
        Class::Ascii(Text::Hex) => hex(value, out),
        Class::Ascii(_) => {
            if !class.holds(value, value.len()) {
                return false;
            }
            out.extend_from_slice(value);
        }
        Class::Bcd(nibbles, side) => return pack(nibbles, value, side, nibble, out),
        _ => return write_rare(class, value, nibble, out),
    }
    true
}

/// Upper-case hexadecimal digits, two a byte.
fn hex(value: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + value.len() * 2, 0);
    let (pairs, _) = out.get_mut(start..).unwrap_or_default().as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(value) {
        *pair = [hex_digit(byte >> 4), hex_digit(*byte)];
    }
}

/// The encodings that are not worth a place in the caller.
#[inline(never)]
fn write_rare(class: Class, value: &[u8], nibble: u8, out: &mut Vec<u8>) -> bool {
    match class {
        Class::Ebcdic037(text) => to_ebcdic(&tables::TO_037, text, value, out),
        Class::Ebcdic1047(text) => to_ebcdic(&tables::TO_1047, text, value, out),
        Class::SignedBcd(side) => match value.split_first() {
            Some((sign @ (b'C' | b'D'), digits)) => {
                out.push(*sign);
                pack(Nibbles::Digits, digits, side, nibble, out)
            }
            _ => false,
        },
        Class::Gbk => match gbk(value) {
            Some(wire) => {
                out.extend_from_slice(&wire);
                true
            }
            None => false,
        },
        Class::Undefined | Class::Bytes | Class::Ascii(_) | Class::Bcd(..) => false,
    }
}

fn to_ebcdic(table: &[u8; 256], text: Text, value: &[u8], out: &mut Vec<u8>) -> bool {
    if text == Text::Hex {
        out.extend(
            value.iter().flat_map(|byte| [hex_digit(byte >> 4), hex_digit(*byte)]).map(|digit| from(table, digit)),
        );
        return true;
    }
    let legal = Class::Ascii(text).fault_at(value, value.len()).is_none();
    if legal {
        out.extend(value.iter().map(|byte| from(table, *byte)));
    }
    legal
}

/// UTF-8 text as GBK; `None` if a character has no place there.
pub(super) fn gbk(value: &[u8]) -> Option<SmallVec<[u8; 64]>> {
    let text = std::str::from_utf8(value).ok()?;
    let (wire, _, lossy) = encoding_rs::GBK.encode(text);
    (!lossy && Class::Gbk.fault_at(&wire, wire.len()).is_none()).then(|| SmallVec::from_slice(&wire))
}

/// Digits to BCD, an odd count filled up on `side`.
#[inline]
fn pack(nibbles: Nibbles, value: &[u8], side: Side, filler: u8, out: &mut Vec<u8>) -> bool {
    let text = match nibbles {
        Nibbles::Digits => Text::Digits,
        Nibbles::Track => Text::Track,
        Nibbles::Any => Text::AnyTrack,
    };
    if !Class::Ascii(text).holds(value, value.len()) {
        return false;
    }
    let digit = |byte: u8| {
        if byte == b'=' {
            13
        } else if text == Text::Digits {
            byte & 15
        } else {
            nibble(byte)
        }
    };
    let mut rest = value;
    if value.len() % 2 == 1
        && side == Side::Left
        && let Some((first, others)) = value.split_first()
    {
        out.push(filler << 4 | digit(*first));
        rest = others;
    }
    let (pairs, last) = rest.as_chunks::<2>();
    out.extend(pairs.iter().map(|[high, low]| digit(*high) << 4 | digit(*low)));
    if let [odd] = last {
        out.push(digit(*odd) << 4 | filler & 15);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::{Class, Nibbles, Side, Text, read, tables, write};

    fn wire(class: Class, value: &[u8], nibble: u8) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        write(class, value, nibble, &mut out).then_some(out)
    }

    #[test]
    fn an_odd_bcd_digit_is_filled_up_on_its_side_with_its_nibble() {
        let bcd = |side| Class::Bcd(Nibbles::Digits, side);
        assert_eq!(wire(bcd(Side::Left), b"001", 0), Some(vec![0x00, 0x01]));
        assert_eq!(wire(bcd(Side::Right), b"051", 0), Some(vec![0x05, 0x10]));
        assert_eq!(wire(bcd(Side::Right), b"051", 15), Some(vec![0x05, 0x1F]));
        assert_eq!(wire(bcd(Side::Left), b"051", 15), Some(vec![0xF0, 0x51]));
        for (side, bytes) in [(Side::Left, [0xF0, 0x51]), (Side::Left, [0x00, 0x51]), (Side::Right, [0x05, 0x1F])] {
            assert_eq!(read(bcd(side), &bytes, 3, false).as_bytes(), b"051");
        }
        assert_eq!(wire(bcd(Side::Left), b"0A", 0), None);
    }

    #[test]
    fn track_nibble_d_is_the_separator_unless_enciphered() {
        let class = Class::Bcd(Nibbles::Any, Side::Right);
        let bytes = [0x12, 0xD4, 0xA0];
        assert_eq!(read(class, &bytes, 5, false).as_bytes(), b"12=4A");
        assert_eq!(read(class, &bytes, 5, true).as_bytes(), b"12D4A");
        assert_eq!(wire(class, b"12=4A", 0), Some(bytes.to_vec()));
        assert_eq!(wire(class, b"12D4A", 0), Some(bytes.to_vec()));
        assert_eq!(wire(Class::Bcd(Nibbles::Track, Side::Right), b"12=4A", 0), None);
    }

    #[test]
    fn hex_reads_either_case_and_writes_upper() {
        assert_eq!(read(Class::Ascii(Text::Hex), b"0aFf", 2, false).as_bytes(), [0x0A, 0xFF]);
        assert_eq!(wire(Class::Ascii(Text::Hex), &[0x0A, 0xFF], 0), Some(b"0AFF".to_vec()));
    }

    #[test]
    fn chinese_text_is_gbk_on_the_wire_and_utf8_in_hand() {
        let bytes = [0xD6, 0xD0, 0xB9, 0xFA, b'!'];
        assert_eq!(read(Class::Gbk, &bytes, 5, false).as_str(), Some("中国!"));
        assert_eq!(wire(Class::Gbk, "中国!".as_bytes(), 0), Some(bytes.to_vec()));
        assert_eq!(wire(Class::Gbk, "\u{1F600}".as_bytes(), 0), None);
    }

    /// Pairs from IBM's code page charts. The two pages differ in brackets, caret and a few more.
    #[test]
    fn ebcdic_tables_agree_with_known_pairs() {
        let both = [(b'0', 0xF0), (b'9', 0xF9), (b'A', 0xC1), (b'J', 0xD1), (b'S', 0xE2), (b'z', 0xA9), (b' ', 0x40)];
        for (ascii, ebcdic) in both.into_iter().chain([(b'=', 0x7E), (b'@', 0x7C), (b'"', 0x7F), (b'~', 0xA1)]) {
            for (to, from) in [(&tables::TO_037, &tables::EBCDIC_037), (&tables::TO_1047, &tables::EBCDIC_1047)] {
                assert_eq!((to[usize::from(ascii)], from[usize::from(ebcdic)]), (ebcdic, ascii));
            }
        }
        for (ascii, page_037, page_1047) in [(b'[', 0xBA, 0xAD), (b']', 0xBB, 0xBD), (b'^', 0xB0, 0x5F)] {
            assert_eq!(tables::TO_037[usize::from(ascii)], page_037);
            assert_eq!(tables::TO_1047[usize::from(ascii)], page_1047);
        }
    }

    #[test]
    fn every_printable_character_has_one_ebcdic_byte_in_each_page() {
        for (to, from) in [(&tables::TO_037, &tables::EBCDIC_037), (&tables::TO_1047, &tables::EBCDIC_1047)] {
            for ascii in 0x20..0x7F_u8 {
                assert_eq!(from[usize::from(to[usize::from(ascii)])], ascii);
            }
            assert_eq!(from.iter().filter(|byte| **byte != 0).count(), 95);
        }
    }
}
