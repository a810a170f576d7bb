//! The transport header that concentrators route by, and a frame with its headers told apart.

use bytes::Bytes;
use std::fmt;

/// Transport protocol data unit header: `60`, destination, source; five bytes of packed digits.
///
/// The addresses are network international identifiers, normally decimal; hex digits occur in the
/// field and are accepted. The answer carries the two addresses swapped.
///
/// Source: public descriptions of NAC terminals and of UnionPay POS links.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Tpdu {
    /// Whither: of a terminal's request, the acquirer's network identifier.
    pub destination: [u8; 2],
    /// Whence: of a terminal's request, its line at the concentrator; `0000` without one.
    pub source: [u8; 2],
}

impl Tpdu {
    /// Bytes on the wire.
    pub const LENGTH: usize = 5;
    /// The first byte: an ISO 8583 transaction.
    const ID: u8 = 0x60;

    /// `None` unless the bytes are `60` and two addresses.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        match *bytes {
            [Self::ID, a, b, c, d] => Some(Self { destination: [a, b], source: [c, d] }),
            _ => None,
        }
    }

    /// The five bytes.
    #[must_use]
    pub fn bytes(self) -> [u8; Self::LENGTH] {
        let ([a, b], [c, d]) = (self.destination, self.source);
        [Self::ID, a, b, c, d]
    }

    /// The same between the same two, the other way.
    #[must_use]
    pub fn swapped(self) -> Self {
        Self { destination: self.source, source: self.destination }
    }
}

/// Ten hex digits.
impl fmt::Display for Tpdu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes().iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

/// One unit of a stream, its headers told apart from the message. No `Debug`: the body holds card data.
#[derive(Clone)]
pub struct Frame {
    /// The TPDU, where the profile has one.
    pub tpdu: Option<Tpdu>,
    /// The fixed header; empty where the profile has none.
    pub header: Bytes,
    /// The ISO 8583 message.
    pub body: Bytes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_goes_back_where_the_request_came_from() {
        let request = Tpdu::parse(&[0x60, 0x05, 0x25, 0x00, 0x00]).unwrap();
        assert_eq!(request.swapped().to_string(), "6000000525");
        assert_eq!(Tpdu::parse(&request.bytes()), Some(request));
    }

    #[test]
    fn hex_digits_are_addresses_and_another_first_byte_is_no_tpdu() {
        assert_eq!(Tpdu::parse(&[0x60, 0xAB, 0xCD, 0xEF, 0x01]).unwrap().to_string(), "60ABCDEF01");
        assert_eq!(Tpdu::parse(&[0x61, 0, 0, 0, 0]), None);
        assert_eq!(Tpdu::parse(&[0x60, 0, 0, 0]), None);
    }
}
