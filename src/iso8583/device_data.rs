//! What a device says of itself inside DE 59 and DE 62 of the Chinese dialects: its serial number, its software,
//! where it is. Source: public descriptions of Q/CUP 009; a part is a tag of two and a length of three characters.

use crate::model::Firmware;

/// The most parts that are looked at.
const PARTS: usize = 32;

/// The first part of this tag.
fn part<'a>(mut value: &'a [u8], tag: &[u8; 2]) -> Option<&'a [u8]> {
    for _ in 0..PARTS {
        let (head, rest) = value.split_first_chunk::<5>()?;
        let length = head[2..]
            .iter()
            .try_fold(0usize, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + usize::from(digit - b'0')))?;
        let (inside, behind) = rest.split_at_checked(length)?;
        if head[..2] == tag[..] {
            return Some(inside);
        }
        value = behind;
    }
    None
}

/// A serial number: 1 to 32 letters, digits, hyphens.
fn serial(text: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(text).ok()?.trim_end();
    let fits = (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    fits.then_some(text)
}

/// The serial number in the data of a device (A2, part 02).
#[must_use]
pub fn serial_number(data: &[u8]) -> Option<&str> {
    serial(part(data, b"02")?)
}

/// The version of its software in the data of a device (A2, part 05).
#[must_use]
pub fn firmware(data: &[u8]) -> Option<Firmware> {
    Firmware::parse(std::str::from_utf8(part(data, b"05")?).ok()?.trim())
}

/// The serial number in a sign-in (DE 62): `Sequence No`, two digits of length, the number.
#[must_use]
pub fn signed_in_as(data: &[u8]) -> Option<&str> {
    let rest = data.strip_prefix(b"Sequence No")?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let [tens, units] = length.map(|digit| digit.is_ascii_digit().then(|| usize::from(digit - b'0')));
    serial(rest.get(..tens? * 10 + units?)?)
}

/// Where a device is, in millionths of a degree: east of Greenwich, north of the equator.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Position {
    /// Longitude, -180,000,000 to 180,000,000.
    pub east: i32,
    /// Latitude, -90,000,000 to 90,000,000.
    pub north: i32,
}

/// Where the location of a device says that it is (A5, parts 01 and 02).
#[must_use]
pub fn position(location: &[u8]) -> Option<Position> {
    let degrees = |tag, most: i32| millionths(part(location, tag)?).filter(|value| value.abs() <= most * 1_000_000);
    Some(Position { east: degrees(b"01", 180)?, north: degrees(b"02", 90)? })
}

/// `+116.3975` and the like: up to three digits, a point, up to six; the sign may be left out.
fn millionths(text: &[u8]) -> Option<i32> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str, most| text.len() <= most && text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole, 3) || !digits(part, 6) {
        return None;
    }
    let part: i32 = format!("{part:0<6}").parse().ok()?;
    Some(sign * (whole.parse::<i32>().ok()? * 1_000_000 + part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_says_its_serial_number_and_software() {
        let data = b"01002040201400001234567890120500" as &[u8];
        assert_eq!(serial_number(data), Some("00001234567890"));
        assert_eq!(firmware(data), None, "cut off");
        assert_eq!(firmware(b"050052.1.3"), Firmware::parse("2.1.3"));
    }

    #[test]
    fn a_sign_in_says_it_in_its_own_way() {
        assert_eq!(signed_in_as(b"Sequence No16TOLLGATE-SIM-001"), Some("TOLLGATE-SIM-001"));
        for bad in
            [&b"Sequence No17TOLLGATE-SIM-001"[..], b"Sequence No", b"", b"Sequence No0x1", b"Sequence No02\xff\xff"]
        {
            assert_eq!(signed_in_as(bad), None);
        }
    }

    #[test]
    fn a_position_is_signed_degrees_and_nothing_else() {
        assert_eq!(position(b"01009+116.397502008+39.9087"), Some(Position { east: 116_397_500, north: 39_908_700 }));
        assert_eq!(position(b"01003-1802001+"), None);
        for bad in [&b"01009+216.397502008+39.9087"[..], b"01009+116.397502008+99.9087", b"01009+11a.397502008+39.9087"]
        {
            assert_eq!(position(bad), None);
        }
    }

    #[test]
    fn no_bytes_make_a_reader_go_too_far() {
        let any = proptest::collection::vec(proptest::arbitrary::any::<u8>(), 0..64);
        proptest::proptest!(|(bytes in any)| {
            let _ = (serial_number(&bytes), firmware(&bytes), signed_in_as(&bytes), position(&bytes));
        });
    }
}
