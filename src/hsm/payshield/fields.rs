//! Fields of a host command: fixed widths, digits and hex in ASCII, binary in places.

use zeroize::Zeroizing;

/// The body of a command or an answer, from its two-letter code on; wiped on drop.
///
/// It may hold PIN blocks, keys under the LMK and data in clear: it has no `Debug`.
pub type Body = Zeroizing<Vec<u8>>;

/// Room that a body begins with; most never need more, and what grows leaves a copy behind.
const ROOM: usize = 1024;

/// An empty body.
pub(super) fn body() -> Body {
    Zeroizing::new(Vec::with_capacity(ROOM))
}

/// Why a body cannot be read. A place and what was expected there, never what stood there.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("byte {at}: {what}")]
pub struct FieldFault {
    /// Bytes before the field, from the command code on.
    pub at: usize,
    /// What does not hold.
    pub what: &'static str,
}

/// A reader over a body. Every read names the field, for the fault.
pub struct Fields<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    /// Reads from the first byte on.
    #[must_use]
    pub fn new(all: &'a [u8]) -> Self {
        Self { all, at: 0 }
    }

    /// A fault at the current place.
    #[must_use]
    pub fn fault(&self, what: &'static str) -> FieldFault {
        FieldFault { at: self.at, what }
    }

    /// What has not been read.
    #[must_use]
    pub fn left(&self) -> &'a [u8] {
        self.all.get(self.at..).unwrap_or_default()
    }

    /// The next byte, if there is one.
    #[must_use]
    pub fn peek(&self) -> Option<u8> {
        self.left().first().copied()
    }

    /// The next `length` bytes, whatever they are.
    ///
    /// # Errors
    /// If there are fewer.
    pub fn take(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], FieldFault> {
        let field = self.left().get(..length).ok_or_else(|| self.fault(what))?;
        self.at += length;
        Ok(field)
    }

    /// The next `length` bytes if `accepts` all of them, as text.
    fn text(&mut self, length: usize, what: &'static str, accepts: fn(u8) -> bool) -> Result<&'a str, FieldFault> {
        let before = self.fault(what);
        let field = self.take(length, what)?;
        if !field.iter().all(|byte| byte.is_ascii() && accepts(*byte)) {
            self.at = before.at;
            return Err(before);
        }
        std::str::from_utf8(field).map_err(|_| before)
    }

    /// `length` decimal digits.
    ///
    /// # Errors
    /// If they are not.
    pub fn digits(&mut self, length: usize, what: &'static str) -> Result<&'a str, FieldFault> {
        self.text(length, what, |byte| byte.is_ascii_digit())
    }

    /// `length` hex digits of either case.
    ///
    /// # Errors
    /// If they are not.
    pub fn hex(&mut self, length: usize, what: &'static str) -> Result<&'a str, FieldFault> {
        self.text(length, what, |byte| byte.is_ascii_hexdigit())
    }

    /// `length` printable characters without a space.
    ///
    /// # Errors
    /// If they are not.
    pub fn graphic(&mut self, length: usize, what: &'static str) -> Result<&'a str, FieldFault> {
        self.text(length, what, |byte| byte.is_ascii_graphic())
    }

    /// A decimal number of `length` digits, at most nine.
    ///
    /// # Errors
    /// If it is none.
    pub fn number(&mut self, length: usize, what: &'static str) -> Result<usize, FieldFault> {
        let before = self.fault(what);
        self.digits(length, what)?.parse().map_err(|_| before)
    }

    /// A hex number of `length` digits, at most eight.
    ///
    /// # Errors
    /// If it is none.
    pub fn hex_number(&mut self, length: usize, what: &'static str) -> Result<usize, FieldFault> {
        let before = self.fault(what);
        usize::from_str_radix(self.hex(length, what)?, 16).map_err(|_| before)
    }

    /// `N` bytes written as hex.
    ///
    /// # Errors
    /// If they are not.
    pub fn packed<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], FieldFault> {
        let before = self.fault(what);
        let mut bytes = [0; N];
        unpack_hex(self.hex(2 * N, what)?.as_bytes(), &mut bytes).ok_or(before)?;
        Ok(bytes)
    }

    /// `N` binary bytes.
    ///
    /// # Errors
    /// If there are fewer.
    pub fn binary<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], FieldFault> {
        let before = self.fault(what);
        self.take(N, what)?.try_into().map_err(|_| before)
    }

    /// One character.
    ///
    /// # Errors
    /// If there is none.
    pub fn one(&mut self, what: &'static str) -> Result<u8, FieldFault> {
        let [byte] = self.binary(what)?;
        Ok(byte)
    }

    /// Steps over `mark` if it comes next.
    pub fn skip(&mut self, mark: u8) -> bool {
        let there = self.peek() == Some(mark);
        self.at += usize::from(there);
        there
    }

    /// Steps over `mark`, which must come next.
    ///
    /// # Errors
    /// If it does not.
    pub fn expect(&mut self, mark: u8, what: &'static str) -> Result<(), FieldFault> {
        if self.skip(mark) { Ok(()) } else { Err(self.fault(what)) }
    }

    /// All characters before `mark`, at most `most` and all digits; then steps over `mark`.
    ///
    /// # Errors
    /// If there is no mark in reach, or not only digits before it.
    pub fn digits_until(&mut self, mark: u8, most: usize, what: &'static str) -> Result<&'a str, FieldFault> {
        let length = self.left().iter().take(most + 1).position(|byte| *byte == mark);
        let digits = self.digits(length.ok_or_else(|| self.fault(what))?, what)?;
        self.expect(mark, what)?;
        Ok(digits)
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        let rest = self.left();
        self.at += rest.len();
        rest
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// If something is.
    pub fn end(&self) -> Result<(), FieldFault> {
        if self.left().is_empty() { Ok(()) } else { Err(self.fault("nothing more")) }
    }
}

/// Reads hex digits of either case into `out`, which must have half as many bytes.
pub(super) fn unpack_hex(digits: &[u8], out: &mut [u8]) -> Option<()> {
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != out.len() {
        return None;
    }
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    for (byte, [high, low]) in out.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(())
}

/// Appends upper-case hex.
pub(super) fn put_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 };
    out.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0F)]));
}

/// Appends a number as `width` decimal digits, or a length as hex digits below.
pub(super) fn put_number(out: &mut Vec<u8>, value: usize, width: usize) {
    out.extend_from_slice(format!("{value:0width$}").as_bytes());
}

/// Appends a number as `width` upper-case hex digits.
pub(super) fn put_hex_number(out: &mut Vec<u8>, value: usize, width: usize) {
    out.extend_from_slice(format!("{value:0width$X}").as_bytes());
}
