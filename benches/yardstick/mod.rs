//! What a careful programmer would write by hand for exactly one dialect: the yardstick of the codec.
//!
//! The rules are constants, one pass goes over the set bits, every byte's class is checked eight at a time, spans
//! go into a fixed array, nothing is allocated for reading. It reads and writes `iso87-ascii` and nothing else.

/// How one element stands on the wire: so many bytes, or a prefix of so many digits; and its class.
#[derive(Clone, Copy)]
struct Rule {
    fixed: u16,
    digits: u8,
    class: Class,
}

#[derive(Clone, Copy)]
enum Class {
    None,
    Digits,
    Alnum,
    Print,
    Track,
    Hex,
}

const fn rules() -> [Rule; 65] {
    use Class::{Alnum, Digits, Hex, Print, Track};
    let mut rules = [Rule { fixed: 0, digits: 0, class: Class::None }; 65];
    let rows: [(usize, u16, u8, Class); 20] = [
        (2, 19, 2, Digits),
        (3, 6, 0, Digits),
        (4, 12, 0, Digits),
        (7, 10, 0, Digits),
        (11, 6, 0, Digits),
        (12, 6, 0, Digits),
        (13, 4, 0, Digits),
        (14, 4, 0, Digits),
        (18, 4, 0, Digits),
        (22, 3, 0, Digits),
        (25, 2, 0, Digits),
        (32, 11, 2, Digits),
        (35, 37, 2, Track),
        (37, 12, 0, Alnum),
        (41, 8, 0, Print),
        (42, 15, 0, Print),
        (43, 40, 0, Print),
        (49, 3, 0, Alnum),
        (52, 16, 0, Hex),
        (55, 510, 3, Hex),
    ];
    let mut row = 0;
    while row < rows.len() {
        let (de, fixed, digits, class) = rows[row];
        rules[de] = Rule { fixed, digits, class };
        row += 1;
    }
    rules
}

static RULES: [Rule; 65] = rules();

/// Where each value lies.
#[derive(Clone, Copy)]
pub(crate) struct Scan {
    pub(crate) present: u64,
    pub(crate) spans: [(u16, u16); 65],
}

/// Reads a body; `None` for anything that is wrong.
#[inline(never)]
pub(crate) fn scan(body: &[u8]) -> Option<Scan> {
    let mti = body.first_chunk::<4>()?;
    if !mti.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut present = 0_u64;
    for digit in body.get(4..20)? {
        let nibble = match digit {
            b'0'..=b'9' => digit - b'0',
            b'A'..=b'F' => digit - b'A' + 10,
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        present = present << 4 | u64::from(nibble);
    }
    let mut scan = Scan { present, spans: [(0, 0); 65] };
    let mut at = 20;
    let mut bits = present;
    while bits != 0 {
        let de = bits.leading_zeros() as usize + 1;
        bits &= !(1 << (64 - de));
        let rule = RULES[de];
        let mut length = usize::from(rule.fixed);
        if rule.digits != 0 {
            let mut told = 0;
            for digit in body.get(at..at + usize::from(rule.digits))? {
                if !digit.is_ascii_digit() {
                    return None;
                }
                told = told * 10 + usize::from(digit - b'0');
            }
            if told > length {
                return None;
            }
            at += usize::from(rule.digits);
            length = told;
        }
        let value = body.get(at..at + length)?;
        let clean = match rule.class {
            Class::None => false,
            Class::Digits => swar(value, digits),
            Class::Alnum => swar(value, alnum),
            Class::Print => swar(value, print),
            Class::Hex => swar(value, hex),
            Class::Track => value.iter().all(|byte| byte.is_ascii_digit() || *byte == b'=' || *byte == b'D'),
        };
        if !clean {
            return None;
        }
        scan.spans[de] = (at as u16, length as u16);
        at += length;
    }
    (at == body.len()).then_some(scan)
}

/// Writes a body from elements in ascending order; hexadecimal elements are given as bytes.
#[inline(never)]
pub(crate) fn pack(mti: &[u8; 4], elements: &[(u8, &[u8])]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(mti);
    out.extend_from_slice(&[0; 16]);
    let mut present = 0_u64;
    for (de, value) in elements {
        let rule = RULES[usize::from(*de)];
        present |= 1 << (64 - de);
        let is_hex = matches!(rule.class, Class::Hex);
        let length = if is_hex { value.len() * 2 } else { value.len() };
        if rule.digits == 0 {
            if length != usize::from(rule.fixed) {
                return None;
            }
        } else {
            if length > usize::from(rule.fixed) {
                return None;
            }
            if rule.digits == 3 {
                out.push(b'0' + (length / 100) as u8);
            }
            out.push(b'0' + (length / 10 % 10) as u8);
            out.push(b'0' + (length % 10) as u8);
        }
        let clean = match rule.class {
            Class::None => false,
            Class::Digits => swar(value, digits),
            Class::Alnum => swar(value, alnum),
            Class::Print => swar(value, print),
            Class::Hex => true,
            Class::Track => value.iter().all(|byte| byte.is_ascii_digit() || *byte == b'=' || *byte == b'D'),
        };
        if !clean {
            return None;
        }
        if is_hex {
            out.extend(value.iter().flat_map(|byte| {
                [b"0123456789ABCDEF"[usize::from(byte >> 4)], b"0123456789ABCDEF"[usize::from(byte & 15)]]
            }));
        } else {
            out.extend_from_slice(value);
        }
    }
    for (place, nibble) in out[4..20].iter_mut().zip((0..16).rev()) {
        *place = b"0123456789ABCDEF"[(present >> (4 * nibble)) as usize & 15];
    }
    Some(out)
}

const fn all(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

const HIGH: u64 = all(0x80);

#[inline(always)]
fn swar(value: &[u8], bad: impl Fn(u64) -> u64) -> bool {
    let (chunks, tail) = value.as_chunks::<8>();
    let mut found = 0;
    for chunk in chunks {
        found |= bad(u64::from_le_bytes(*chunk));
    }
    if !tail.is_empty() {
        let mut last = [b'0'; 8];
        last[..tail.len()].copy_from_slice(tail);
        found |= bad(u64::from_le_bytes(last));
    }
    found == 0
}

const fn within(x: u64, low: u8, high: u8) -> u64 {
    (x + all(0x80 - low)) & !(x + all(0x7F - high)) & HIGH
}

fn digits(x: u64) -> u64 {
    ((x & all(0xF0)) ^ all(0x30)) | ((x & all(0x0F)) + all(0x06)) & all(0x10)
}

fn print(x: u64) -> u64 {
    let low = x & !HIGH;
    (x | !(low + all(0x60)) | (low + all(0x01))) & HIGH
}

fn alnum(x: u64) -> u64 {
    let low = x & !HIGH;
    let letter = within(low | all(0x20), b'a', b'z');
    (x | !(letter | within(low, b'0', b'9') | within(low, b' ', b' '))) & HIGH
}

fn hex(x: u64) -> u64 {
    let low = x & !HIGH;
    (x | !(within(low | all(0x20), b'a', b'f') | within(low, b'0', b'9'))) & HIGH
}
