//! What a card shows: number, expiry, track, chip data, and how it was read.

use bytes::Bytes;
use smallvec::SmallVec;
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Primary account number, DE 2 (`n..19`). `Debug` shows at most first six and last four.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Pan {
    digits: [u8; 19],
    length: u8,
}

impl Pan {
    /// The most digits of one.
    pub const MOST: usize = 19;

    /// `None` unless `ascii` is 8 to 19 decimal digits: a `Pan` is well formed by birth.
    #[must_use]
    pub fn parse(ascii: &[u8]) -> Option<Self> {
        if ascii.len() < 8 || !ascii.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let mut digits = [0; 19];
        digits.get_mut(..ascii.len())?.copy_from_slice(ascii);
        Some(Self { digits, length: u8::try_from(ascii.len()).ok()? })
    }

    /// The clear digits. For the wire, the HSM and the sealer only; never for a log.
    #[must_use]
    pub fn clear(&self) -> &str {
        std::str::from_utf8(&self.digits[..usize::from(self.length)]).unwrap_or_default()
    }

    /// Its first six digits, which may be shown and kept in clear (PCI DSS 3.4.1).
    #[must_use]
    pub fn bin(&self) -> Bin {
        let head = self.digits.iter().take(6);
        Bin(head.fold(0, |value, digit| value * 10 + u32::from(digit - b'0')))
    }

    /// First six and last four, the rest starred; shorter numbers show the last four only.
    #[must_use]
    pub fn masked(&self) -> MaskedPan {
        let mut shown = *self;
        let length = usize::from(self.length);
        let from = if length >= 13 { 6 } else { 0 };
        shown.digits[from..length - 4].fill(b'*');
        MaskedPan(shown)
    }
}

impl fmt::Debug for Pan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.masked(), f)
    }
}

/// The first six digits of a card number.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Bin(u32);

impl Bin {
    /// `None` above 999,999.
    #[must_use]
    pub fn new(value: u32) -> Option<Self> {
        (value <= 999_999).then_some(Self(value))
    }

    /// Exactly six ASCII digits.
    #[must_use]
    pub fn parse(digits: &[u8]) -> Option<Self> {
        let value = super::number::decimal(digits, 6).filter(|_| digits.len() == 6)?;
        u32::try_from(value).ok().map(Self)
    }

    /// The number itself.
    #[must_use]
    pub fn value(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Bin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

/// A PAN with its middle gone for good: what logs, receipts and reports may show (PCI DSS 3.4.1).
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct MaskedPan(Pan);

impl MaskedPan {
    /// Reads what [`Pan::masked`] showed: 8 to 19 characters, stars where they hide digits and nowhere else.
    #[must_use]
    pub fn parse(ascii: &[u8]) -> Option<Self> {
        let digits: SmallVec<[u8; 19]> = ascii.iter().map(|byte| if *byte == b'*' { b'0' } else { *byte }).collect();
        let masked = Pan::parse(&digits)?.masked();
        (masked.as_str().as_bytes() == ascii).then_some(masked)
    }

    /// Digits and stars.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.clear()
    }
}

impl fmt::Display for MaskedPan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.clear())
    }
}

impl fmt::Debug for MaskedPan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Expiry of a card, DE 14 (`n4`, YYMM).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Expiry {
    /// Two digits of the year.
    year: u8,
    /// 1 to 12.
    month: u8,
}

impl Expiry {
    /// Four ASCII digits YYMM with a month from 01 to 12.
    #[must_use]
    pub fn parse(yymm: &[u8]) -> Option<Self> {
        if yymm.len() != 4 {
            return None;
        }
        let value = super::number::decimal(yymm, 4)?;
        let (year, month) = (u8::try_from(value / 100).ok()?, u8::try_from(value % 100).ok()?);
        (1..=12).contains(&month).then_some(Self { year, month })
    }

    /// DE 14: YYMM in ASCII digits.
    #[must_use]
    pub fn digits(self) -> [u8; 4] {
        super::number::fixed_digits(u64::from(self.year) * 100 + u64::from(self.month))
    }
}

/// Track 2 in clear, DE 35, with `=` as separator. Sensitive: no `Debug`, no `Clone`, wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Track2(Vec<u8>);

impl Track2 {
    /// Up to 37 characters: 8 to 19 digits, `=`, then digits. A `D` separator reads as `=`.
    #[must_use]
    pub fn parse(ascii: &[u8]) -> Option<Self> {
        if ascii.len() > 37 {
            return None;
        }
        let track: Vec<u8> = ascii.iter().map(|b| if *b == b'D' { b'=' } else { *b }).collect();
        let track = Self(track);
        let separator = track.0.iter().position(|b| *b == b'=')?;
        Pan::parse(&track.0[..separator])?;
        track.0[separator + 1..].iter().all(u8::is_ascii_digit).then_some(track)
    }

    /// The number before the separator.
    #[must_use]
    pub fn pan(&self) -> Option<Pan> {
        Pan::parse(self.0.split(|b| *b == b'=').next()?)
    }

    /// The four digits after the separator, if they are a date.
    #[must_use]
    pub fn expiry(&self) -> Option<Expiry> {
        Expiry::parse(self.0.split(|b| *b == b'=').nth(1)?.get(..4)?)
    }

    /// The three digits after the expiry. 2xx and 6xx say that the card has a chip.
    #[must_use]
    pub fn service_code(&self) -> Option<[u8; 3]> {
        self.0.split(|b| *b == b'=').nth(1)?.get(4..7)?.try_into().ok()
    }

    /// The clear track, for the issuer's wire only.
    #[must_use]
    pub fn clear(&self) -> &[u8] {
        &self.0
    }
}

/// Chip data, DE 55: opaque BER-TLV on its way to the issuer. Has no `Debug`; parts are sensitive.
#[derive(Clone)]
pub struct Icc(Bytes);

impl Icc {
    /// Takes the element's value as it came.
    #[must_use]
    pub fn new(value: Bytes) -> Self {
        Self(value)
    }

    /// The value, for the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// How the card was read: DE 22, positions 1 and 2.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum EntryMethod {
    /// 00: not said.
    Unspecified,
    /// 01: typed by hand.
    Manual,
    /// 02, 90: magnetic stripe.
    Swipe,
    /// 03, 04: bar or QR code.
    Code,
    /// 05, 95: contact chip.
    Chip,
    /// 07, 91, 96, 98: contactless.
    Tap,
    /// 80: magnetic stripe after the chip failed.
    Fallback,
    /// Any other two digits.
    Other,
}

/// Whether the terminal took a PIN: DE 22, position 3.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum PinCapability {
    /// 0: not said.
    Unspecified,
    /// 1: a PIN was entered.
    Entered,
    /// 2: none was.
    NotEntered,
}

/// Point of service entry mode, DE 22 (`n3`).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct PosEntryMode([u8; 3]);

impl PosEntryMode {
    /// Exactly three ASCII digits.
    #[must_use]
    pub fn parse(digits: &[u8]) -> Option<Self> {
        let value: [u8; 3] = digits.try_into().ok()?;
        value.iter().all(u8::is_ascii_digit).then_some(Self(value))
    }

    /// The three digits.
    #[must_use]
    pub fn digits(&self) -> [u8; 3] {
        self.0
    }

    /// Positions 1 and 2.
    #[must_use]
    pub fn method(&self) -> EntryMethod {
        match &self.0[..2] {
            b"00" => EntryMethod::Unspecified,
            b"01" => EntryMethod::Manual,
            b"02" | b"90" => EntryMethod::Swipe,
            b"03" | b"04" => EntryMethod::Code,
            b"05" | b"95" => EntryMethod::Chip,
            b"07" | b"91" | b"96" | b"98" => EntryMethod::Tap,
            b"80" => EntryMethod::Fallback,
            _ => EntryMethod::Other,
        }
    }

    /// Position 3.
    #[must_use]
    pub fn pin(&self) -> PinCapability {
        match self.0[2] {
            b'1' => PinCapability::Entered,
            b'2' => PinCapability::NotEntered,
            _ => PinCapability::Unspecified,
        }
    }
}
