//! Who stands at a terminal.

use std::fmt;

/// Operator of a terminal, as it signs in: DE 63 of the China POS dialect, 1 to 3 letters and digits.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Operator {
    text: [u8; 3],
    length: u8,
}

impl Operator {
    /// One to three ASCII letters and digits; blanks behind them do not count.
    #[must_use]
    pub fn parse(ascii: &[u8]) -> Option<Self> {
        let trimmed = ascii.trim_ascii_end();
        if trimmed.is_empty() || !trimmed.iter().all(u8::is_ascii_alphanumeric) {
            return None;
        }
        let mut text = [0; 3];
        text.get_mut(..trimmed.len())?.copy_from_slice(trimmed);
        Some(Self { text, length: u8::try_from(trimmed.len()).ok()? })
    }

    /// Its letters and digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let text = self.text.get(..usize::from(self.length)).unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Operator;

    #[test]
    fn blanks_behind_an_operator_do_not_count() {
        assert_eq!(Operator::parse(b"01 "), Operator::parse(b"01"));
        assert_eq!(Operator::parse(b"01 ").map(|operator| operator.to_string()).as_deref(), Some("01"));
        assert!([&b""[..], b"   ", b"0 1", b"0001", b"\x80"].iter().all(|text| Operator::parse(text).is_none()));
    }
}
