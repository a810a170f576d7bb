//! The numbers by which the field tells messages apart.

use super::BusinessDate;
use std::fmt;

/// `digits` as a number: one to `most` ASCII digits, nothing else.
pub(super) fn decimal(digits: &[u8], most: usize) -> Option<u64> {
    if digits.is_empty() || digits.len() > most {
        return None;
    }
    digits.iter().try_fold(0u64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u64::from(byte - b'0')))
}

/// `value` as exactly `N` ASCII digits, zero filled on the left; higher digits are the caller's bug.
pub(super) fn fixed_digits<const N: usize>(mut value: u64) -> [u8; N] {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
    }
    digits
}

/// System trace audit number, DE 11 (`n6`), 000001 to 999999. Unique only together with who sent it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Stan(u32);

impl Stan {
    /// The first one of a counter.
    pub const FIRST: Self = Self(1);

    /// `None` for 0 and above 999,999.
    #[must_use]
    pub fn new(value: u32) -> Option<Self> {
        (1..=999_999).contains(&value).then_some(Self(value))
    }

    /// Six or fewer ASCII digits.
    #[must_use]
    pub fn parse(digits: &[u8]) -> Option<Self> {
        decimal(digits, 6).and_then(|value| u32::try_from(value).ok()).and_then(Self::new)
    }

    /// The number itself.
    #[must_use]
    pub fn value(self) -> u32 {
        self.0
    }

    /// The one after it; 999999 is followed by 1.
    #[must_use]
    pub fn next(self) -> Self {
        if self.0 == 999_999 { Self::FIRST } else { Self(self.0 + 1) }
    }

    /// DE 11: six ASCII digits.
    #[must_use]
    pub fn digits(self) -> [u8; 6] {
        fixed_digits(u64::from(self.0))
    }
}

impl fmt::Display for Stan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

/// A terminal's batch number (`n6`; cn-pos 60.2).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BatchNumber(u32);

impl BatchNumber {
    /// Batches count from one.
    pub const FIRST: Self = Self(1);
    /// The last one before they begin again.
    pub const LAST: Self = Self(999_999);

    /// `None` above 999,999.
    #[must_use]
    pub fn new(value: u32) -> Option<Self> {
        (value <= 999_999).then_some(Self(value))
    }

    /// Six or fewer ASCII digits.
    #[must_use]
    pub fn parse(digits: &[u8]) -> Option<Self> {
        decimal(digits, 6).and_then(|value| u32::try_from(value).ok()).and_then(Self::new)
    }

    /// The number itself.
    #[must_use]
    pub fn value(self) -> u32 {
        self.0
    }

    /// The one after it; 999999 is followed by 1.
    #[must_use]
    pub fn next(self) -> Self {
        if self >= Self::LAST { Self::FIRST } else { Self(self.0 + 1) }
    }

    /// The one before it.
    #[must_use]
    pub fn before(self) -> Self {
        if self <= Self::FIRST { Self::LAST } else { Self(self.0 - 1) }
    }

    /// Six ASCII digits.
    #[must_use]
    pub fn digits(self) -> [u8; 6] {
        fixed_digits(u64::from(self.0))
    }
}

impl fmt::Display for BatchNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

/// Defines a fixed-length ASCII value: parse checks length and class, `as_str` reads it back.
macro_rules! fixed_text {
    ($(#[$doc:meta])* $name:ident, $length:literal, $class:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
        pub struct $name([u8; $length]);

        /// By whole words: it is looked up with every request.
        impl std::hash::Hash for $name {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                let (words, rest) = self.0.as_chunks();
                let mut last = [0; 8];
                last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                words.iter().for_each(|word| state.write_u64(u64::from_le_bytes(*word)));
                if !rest.is_empty() {
                    state.write_u64(u64::from_le_bytes(last));
                }
            }
        }

        impl $name {
            /// Exactly the type's length, every byte of its class; anything else is `None`.
            #[must_use]
            pub fn parse(ascii: &[u8]) -> Option<Self> {
                let class: fn(&u8) -> bool = $class;
                let value: [u8; $length] = ascii.try_into().ok()?;
                value.iter().all(class).then_some(Self(value))
            }

            /// The text, its full length.
            #[must_use]
            pub fn as_str(&self) -> &str {
                std::str::from_utf8(&self.0).unwrap_or_default()
            }

            /// The ASCII bytes, its full length.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(super) use fixed_text;

fixed_text!(
    /// Retrieval reference number, DE 37 (`an12`): given by the switch, unique per business day.
    Rrn, 12, |byte| byte.is_ascii_alphanumeric() || *byte == b' '
);
fixed_text!(
    /// Authorization code of the issuer, DE 38 (`an6`).
    ApprovalCode, 6, |byte| byte.is_ascii_graphic() || *byte == b' '
);
fixed_text!(
    /// Processing code, DE 3 (`n6`): two digits of transaction, two of each account.
    ProcessingCode, 6, u8::is_ascii_digit
);

impl Rrn {
    /// `YDDDnnnnnnnn`: last digit of the year, day of the year, and the last eight digits of
    /// `sequence`. Unique within a business date as long as that date takes fewer than 10^8 of them.
    #[must_use]
    pub fn numbered(date: BusinessDate, sequence: u64) -> Self {
        let day = u64::from(date.year().unsigned_abs()) % 10 * 1_000 + u64::from(date.day_of_year());
        Self(fixed_digits(day * 100_000_000 + sequence % 100_000_000))
    }
}
