//! The message type indicator.

use crate::model::MessageClass;
use std::fmt;

/// Message type indicator: version, class, function, origin; four ASCII digits.
///
/// Source: ISO 8583:1987, 4.1; ISO 8583:1993, 4.1.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Mti([u8; 4]);

impl Mti {
    /// Exactly four ASCII digits.
    #[must_use]
    pub fn parse(digits: &[u8]) -> Option<Self> {
        let digits: [u8; 4] = digits.try_into().ok()?;
        digits.iter().all(u8::is_ascii_digit).then_some(Self(digits))
    }

    /// The four digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The four digits as ASCII bytes.
    #[must_use]
    pub fn digits(self) -> [u8; 4] {
        self.0
    }

    /// The first digit as ASCII: `0` for 1987, `1` for 1993, `2` for 2003.
    #[must_use]
    pub fn version(self) -> u8 {
        self.0[0]
    }

    /// What the second digit says.
    #[must_use]
    pub fn class(self) -> Option<MessageClass> {
        MessageClass::from_digit(self.0[1])
    }

    /// Whether the third digit is odd: 1 and 3 answer 0 and 2.
    #[must_use]
    pub fn is_response(self) -> bool {
        self.0[2] & 1 == 1
    }

    /// Whether it tells what has been done already, or answers such a message: x12x, x22x, x42x and x13x,
    /// x23x, x43x.
    #[must_use]
    pub fn is_advice(self) -> bool {
        matches!(self.0[2], b'2' | b'3')
    }

    /// The answer to this request: 0200 gives 0210, 0420 gives 0430, 0401 gives 0410. An answer is its own.
    #[must_use]
    pub fn response(self) -> Self {
        let plain = self.without_repeat().0;
        Self([plain[0], plain[1], plain[2] | 1, plain[3]])
    }

    /// The same message sent again: 0400 gives 0401.
    #[must_use]
    pub fn repeat(self) -> Self {
        Self([self.0[0], self.0[1], self.0[2], self.0[3] | 1])
    }

    /// Whether the last digit is odd.
    #[must_use]
    pub fn is_repeat(self) -> bool {
        self.0[3] & 1 == 1
    }

    /// The message without its repeat mark: 0401 gives 0400.
    #[must_use]
    pub fn without_repeat(self) -> Self {
        Self([self.0[0], self.0[1], self.0[2], self.0[3] & !1])
    }
}

impl fmt::Debug for Mti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Mti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An MTI as dialect rows write it: `x` stands for any digit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MtiPattern([u8; 4]);

impl MtiPattern {
    /// Four characters, each a digit or `x`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let pattern: [u8; 4] = text.as_bytes().try_into().ok()?;
        pattern.iter().all(|byte| byte.is_ascii_digit() || *byte == b'x').then_some(Self(pattern))
    }

    /// Whether `mti` is one of those meant.
    #[must_use]
    pub fn matches(&self, mti: Mti) -> bool {
        self.0.iter().zip(mti.0).all(|(pattern, digit)| *pattern == b'x' || *pattern == digit)
    }

    /// How many digits are fixed: the more, the closer the row.
    pub(super) fn weight(self) -> usize {
        self.0.iter().filter(|byte| **byte != b'x').count()
    }
}

#[cfg(test)]
mod tests {
    use super::{Mti, MtiPattern};

    fn mti(text: &str) -> Mti {
        Mti::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn an_answer_turns_the_third_digit_odd_and_drops_the_repeat_mark() {
        for (request, response) in [("0200", "0210"), ("0420", "0430"), ("0401", "0410"), ("1200", "1210")] {
            assert_eq!(mti(request).response(), mti(response));
            assert!(mti(response).is_response() && !mti(request).is_response());
        }
        assert_eq!(mti("0400").repeat(), mti("0401"));
        assert_eq!(mti("0421").without_repeat(), mti("0420"));
        assert_eq!(mti("0401").repeat(), mti("0401"));
    }

    #[test]
    fn an_mti_is_four_digits_and_nothing_else() {
        assert!(Mti::parse(b"02a0").is_none() && Mti::parse(b"020").is_none() && Mti::parse(b"02000").is_none());
    }

    #[test]
    fn x_in_a_pattern_is_any_digit() {
        let pattern = MtiPattern::parse("02x0").unwrap();
        assert!(pattern.matches(mti("0210")) && pattern.matches(mti("0220")) && !pattern.matches(mti("0211")));
        assert!(MtiPattern::parse("02X0").is_none() && MtiPattern::parse("020").is_none());
    }
}
