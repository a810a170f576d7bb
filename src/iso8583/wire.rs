//! An element's row, compiled: what the hot path needs and nothing else.

use super::class::Check;
use super::class::Class;
use super::encoding;
use super::error::BuildFault;
use super::error::Fault;
use super::spec::PrefixEncoding;
use super::spec::Side;
use super::value::Value;
use nom::IResult;
use nom::bytes::complete::take;
use nom::error::ErrorKind;
use nom::error::ParseError;

/// Where parsing stopped, as the number of bytes that were left, and why.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Stop {
    pub(super) left: usize,
    pub(super) fault: Fault,
}

impl ParseError<&[u8]> for Stop {
    fn from_error_kind(input: &[u8], _: ErrorKind) -> Self {
        Self { left: input.len(), fault: Fault::Short }
    }

    fn append(_: &[u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}

/// What a parser gives.
pub(super) type Parsed<'a, T> = IResult<&'a [u8], T, Stop>;

/// Refuses the input at its first byte.
#[cold]
pub(super) fn stop(at: &[u8], fault: Fault) -> nom::Err<Stop> {
    nom::Err::Failure(Stop { left: at.len(), fault })
}

/// How a length stands in front of a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Prefix {
    /// There is none: the length is fixed.
    None,
    /// So many ASCII digits.
    Ascii(u8),
    /// So many EBCDIC digits.
    Ebcdic(u8),
    /// So many bytes of two digits.
    Bcd(u8),
    /// So many bytes, big endian.
    Binary(u8),
}

impl Prefix {
    /// So many bytes of that encoding.
    pub(super) fn of(encoding: PrefixEncoding, bytes: u8) -> Self {
        match encoding {
            PrefixEncoding::Ascii => Self::Ascii(bytes),
            PrefixEncoding::Ebcdic => Self::Ebcdic(bytes),
            PrefixEncoding::Bcd => Self::Bcd(bytes),
            PrefixEncoding::Binary => Self::Binary(bytes),
        }
    }

    /// Bytes on the wire.
    pub(super) fn bytes(self) -> usize {
        usize::from(match self {
            Self::None => 0,
            Self::Ascii(bytes) | Self::Ebcdic(bytes) | Self::Bcd(bytes) | Self::Binary(bytes) => bytes,
        })
    }

    /// The greatest number it can write.
    pub(super) fn most(self) -> usize {
        match self {
            Self::None => 0,
            Self::Ascii(bytes) | Self::Ebcdic(bytes) => 10_usize.pow(u32::from(bytes)) - 1,
            Self::Bcd(bytes) => 100_usize.pow(u32::from(bytes)) - 1,
            Self::Binary(bytes) => 256_usize.pow(u32::from(bytes)) - 1,
        }
    }

    /// Reads it.
    #[inline(always)]
    pub(super) fn read(self, input: &[u8]) -> Parsed<'_, usize> {
        let (rest, bytes) = take(self.bytes())(input)?;
        let number = match self {
            Self::Ascii(_) => decimal(bytes, b'0'),
            Self::Bcd(_) => bytes.iter().try_fold(0, |sum, byte| {
                (byte >> 4 <= 9 && byte & 15 <= 9)
                    .then(|| sum * 100 + usize::from(byte >> 4) * 10 + usize::from(byte & 15))
            }),
            Self::Binary(_) => Some(bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))),
            Self::Ebcdic(_) => decimal(bytes, 0xF0),
            Self::None => Some(0),
        };
        number.map(|number| (rest, number)).ok_or_else(|| stop(input, Fault::LengthUnreadable))
    }

    /// Writes `number`, which must not exceed [`Prefix::most`].
    #[inline]
    fn write(self, number: usize, out: &mut Vec<u8>) {
        match self {
            Self::None => {}
            Self::Ascii(bytes) => digits::<10>(number, bytes, |digit| b'0' + digit, out),
            Self::Ebcdic(bytes) => digits::<10>(number, bytes, |digit| 0xF0 + digit, out),
            Self::Bcd(bytes) => digits::<100>(number, bytes, |digit| digit / 10 * 16 + digit % 10, out),
            Self::Binary(bytes) => digits::<256>(number, bytes, |digit| digit, out),
        }
    }
}

/// `number` in so many digits of that base, at most four.
#[inline]
fn digits<const BASE: usize>(mut number: usize, count: u8, write: impl Fn(u8) -> u8, out: &mut Vec<u8>) {
    let mut text = [0; 4];
    let count = usize::from(count).min(text.len());
    for byte in text.iter_mut().take(count).rev() {
        *byte = write((number % BASE) as u8);
        number /= BASE;
    }
    out.extend_from_slice(text.get(..count).unwrap_or_default());
}

/// Decimal digits above `zero`.
#[inline]
fn decimal(bytes: &[u8], zero: u8) -> Option<usize> {
    bytes.iter().try_fold(0, |sum, byte| {
        let digit = byte.wrapping_sub(zero);
        (digit <= 9).then(|| sum * 10 + usize::from(digit))
    })
}

/// How many bytes a unit of the value takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Scale {
    /// One.
    One,
    /// Half of one.
    Half,
    /// Two.
    Double,
    /// One, and one for the sign.
    Signed,
    /// Half of one, and one for the sign.
    SignedHalf,
}

impl Scale {
    /// Bytes for so many units.
    #[inline(always)]
    pub(super) fn bytes(self, units: usize) -> usize {
        match self {
            Self::One => units,
            Self::Half => units.div_ceil(2),
            Self::Double => units * 2,
            Self::Signed => units + 1,
            Self::SignedHalf => units.div_ceil(2) + 1,
        }
    }
}

/// What the prefix counts, against the units of the value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Count {
    /// The same.
    Units,
    /// Bytes on the wire, and so pairs of units.
    Pairs,
    /// Two to a unit: hexadecimal characters.
    Halves,
    /// Units and the sign.
    WithSign,
    /// Bytes on the wire of a sign and pairs.
    PairsWithSign,
}

/// How one element stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Wire {
    pub(super) class: Class,
    /// The class's own.
    pub(super) check: Check,
    pub(super) prefix: Prefix,
    pub(super) scale: Scale,
    pub(super) count: Count,
    /// The filling nibble, when written.
    pub(super) nibble: u8,
    /// Whether the canonical form is the wire form, and the prefix counts it.
    pub(super) verbatim: bool,
    /// Whether decoding walks the inner structure too.
    pub(super) strict: bool,
    /// Whether another element may say that the digits are enciphered.
    pub(super) flagged: bool,
    /// Bytes of a value of fixed length.
    pub(super) bytes: u16,
    pub(super) min: u16,
    pub(super) max: u16,
}

impl Wire {
    /// The rule of an element that the dialect does not have.
    pub(super) const UNDEFINED: Self = Self {
        class: Class::Undefined,
        check: Class::Undefined.check(),
        prefix: Prefix::None,
        scale: Scale::One,
        count: Count::Units,
        nibble: 0,
        verbatim: false,
        strict: false,
        flagged: false,
        bytes: 0,
        min: 0,
        max: 0,
    };

    /// Splits one element off the front of `input`: its units and its checked value. The only code that knows
    /// the shapes.
    #[inline(always)]
    pub(super) fn split<'a>(&self, input: &'a [u8]) -> Parsed<'a, (usize, &'a [u8])> {
        if self.prefix == Prefix::None {
            let (rest, value) = take(usize::from(self.bytes))(input)?;
            return self.checked(input, rest, value, usize::from(self.max));
        }
        let (input, units) = self.length(input)?;
        let (rest, value) = take(self.scale.bytes(units))(input)?;
        let units = if self.count == Count::Pairs { self.digits(value, units) } else { units };
        self.checked(input, rest, value, units)
    }

    /// Lets a value pass if every byte is of the class.
    #[inline(always)]
    fn checked<'a>(
        &self,
        input: &'a [u8],
        rest: &'a [u8],
        value: &'a [u8],
        units: usize,
    ) -> Parsed<'a, (usize, &'a [u8])> {
        if self.check.passes(self.class, value, units) {
            Ok((rest, (units, value)))
        } else {
            Err(self.unclean(input, value, units))
        }
    }

    /// Reads the prefix and gives the units it means, within the element's bounds.
    #[inline(always)]
    fn length<'a>(&self, input: &'a [u8]) -> Parsed<'a, usize> {
        let (rest, number) = self.prefix.read(input)?;
        let units = match self.count {
            Count::Units => number,
            _ => self.units(number).map_err(|fault| stop(input, fault))?,
        };
        if units > usize::from(self.max) && !(self.count == Count::Pairs && units == usize::from(self.max) + 1) {
            return Err(stop(input, Fault::TooLong { length: units, max: usize::from(self.max) }));
        }
        if units < usize::from(self.min) {
            return Err(stop(input, Fault::TooShort { length: units, min: usize::from(self.min) }));
        }
        Ok((rest, units))
    }

    /// What a prefix that does not count units means.
    fn units(&self, number: usize) -> Result<usize, Fault> {
        match self.count {
            Count::Units => Ok(number),
            Count::Pairs => Ok(number * 2),
            Count::Halves if number % 2 == 1 => Err(Fault::OddLength { length: number }),
            Count::Halves => Ok(number / 2),
            Count::WithSign => number.checked_sub(1).ok_or(Fault::TooShort { length: number, min: 1 }),
            Count::PairsWithSign => {
                number.checked_sub(1).map(|pairs| pairs * 2).ok_or(Fault::TooShort { length: number, min: 1 })
            }
        }
    }

    /// Names the first byte that is not of the class.
    #[cold]
    fn unclean(&self, input: &[u8], value: &[u8], units: usize) -> nom::Err<Stop> {
        let fault = match self.class {
            Class::Undefined => Fault::Undefined,
            _ => Fault::Class,
        };
        let at = self.class.fault_at(value, units).unwrap_or_default();
        nom::Err::Failure(Stop { left: input.len().saturating_sub(at), fault })
    }

    /// The canonical form of a checked value.
    pub(super) fn value<'a>(&self, wire: &'a [u8], units: usize, enciphered: bool) -> Value<'a> {
        encoding::read(self.class, wire, units, enciphered)
    }

    /// How many of so many digits count, where the prefix counts bytes: a filling nibble shows by being F, or by
    /// being one too many.
    #[cold]
    fn digits(&self, wire: &[u8], units: usize) -> usize {
        let filler = match self.class {
            Class::Bcd(_, Side::Left) => wire.first().map(|byte| byte >> 4),
            _ => wire.last().map(|byte| byte & 15),
        };
        let filled = units > usize::from(self.max) || filler == Some(15);
        if filled { units.saturating_sub(1) } else { units }
    }

    /// Appends prefix and wire form of a canonical value. What was appended before an error stays: the caller cuts it off.
    #[inline]
    pub(super) fn write(&self, value: &[u8], out: &mut Vec<u8>) -> Result<(), BuildFault> {
        let units = value.len();
        if self.verbatim && units <= usize::from(self.max) && units >= usize::from(self.min) {
            if self.prefix != Prefix::None {
                self.prefix.write(units, out);
            }
            if self.check.passes(self.class, value, units) {
                out.extend_from_slice(value);
                return Ok(());
            }
            return Err(BuildFault::Class);
        }
        self.write_sized(value, out)
    }

    /// The same for values that need filling up or another form.
    fn write_sized(&self, value: &[u8], out: &mut Vec<u8>) -> Result<(), BuildFault> {
        let chinese;
        let (class, value) = match self.class {
            Class::Undefined => return Err(BuildFault::Undefined),
            Class::Gbk => {
                chinese = encoding::gbk(value).ok_or(BuildFault::Class)?;
                (Class::Bytes, chinese.as_slice())
            }
            class => (class, value),
        };
        let sign = usize::from(matches!(self.scale, Scale::Signed | Scale::SignedHalf));
        let units = value.len().checked_sub(sign).ok_or(BuildFault::TooShort { length: 0, min: 1 })?;
        let (min, max) = (usize::from(self.min), usize::from(self.max));
        if units > max {
            return Err(BuildFault::TooLong { length: units, max });
        }
        if units < min {
            return self.fill_up(value, units, out);
        }
        if self.prefix != Prefix::None {
            self.prefix.write(self.number(units)?, out);
        }
        if encoding::write(class, value, self.nibble, out) { Ok(()) } else { Err(BuildFault::Class) }
    }

    /// The greatest number its prefix has to say.
    pub(super) fn greatest(&self) -> usize {
        let max = usize::from(self.max);
        match self.count {
            Count::Units => max,
            Count::Halves => max * 2,
            Count::WithSign => max + 1,
            Count::Pairs => max.div_ceil(2),
            Count::PairsWithSign => max.div_ceil(2) + 1,
        }
    }

    /// What the prefix says of so many units.
    fn number(&self, units: usize) -> Result<usize, BuildFault> {
        match self.count {
            Count::Units => Ok(units),
            Count::Halves => Ok(units * 2),
            Count::WithSign => Ok(units + 1),
            Count::PairsWithSign if units.is_multiple_of(2) => Ok(units / 2 + 1),
            Count::Pairs if units.is_multiple_of(2) || units == usize::from(self.max) || self.nibble == 15 => {
                Ok(units.div_ceil(2))
            }
            Count::Pairs | Count::PairsWithSign => Err(BuildFault::OddLength),
        }
    }

    /// A short value of a fixed element: numbers get zeros in front, text gets spaces behind, bytes are refused.
    ///
    /// Source: ISO 8583:1987, 4.3.1 (numeric right justified, others left justified).
    fn fill_up(&self, value: &[u8], units: usize, out: &mut Vec<u8>) -> Result<(), BuildFault> {
        use super::class::Nibbles;
        use super::class::Text;
        let min = usize::from(self.min);
        let missing = min - units;
        let numeric = match self.class {
            Class::Bcd(Nibbles::Digits, _) => true,
            Class::Ascii(text) | Class::Ebcdic037(text) | Class::Ebcdic1047(text) => match text {
                Text::Digits => true,
                Text::Alpha | Text::Alnum | Text::Print => false,
                Text::Track | Text::AnyTrack | Text::Hex | Text::Signed => {
                    return Err(BuildFault::TooShort { length: units, min });
                }
            },
            Class::Gbk => false,
            _ => return Err(BuildFault::TooShort { length: units, min }),
        };
        if self.prefix != Prefix::None {
            return Err(BuildFault::TooShort { length: units, min });
        }
        let mut full = smallvec::SmallVec::<[u8; 64]>::new();
        if numeric {
            full.resize(missing, b'0');
        }
        full.extend_from_slice(value);
        full.resize(min, b' ');
        let class = if self.class == Class::Gbk { Class::Bytes } else { self.class };
        if encoding::write(class, &full, self.nibble, out) { Ok(()) } else { Err(BuildFault::Class) }
    }
}
