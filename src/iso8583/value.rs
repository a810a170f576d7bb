//! A value in canonical form.

use smallvec::SmallVec;
use std::ops::Deref;

/// An element's value in canonical form: the same bytes whatever the dialect writes.
///
/// n: ASCII digits; z: digits and `=`; xn: sign letter and digits; a, an, ans: UTF-8 text, trailing spaces as sent;
/// b: bytes. Borrowed from the message where the wire has the same bytes, else held inline up to 64 bytes.
/// Has neither `Debug` nor `Display`: a value never reaches a log by accident.
#[derive(Clone)]
pub struct Value<'a>(Repr<'a>);

#[derive(Clone)]
enum Repr<'a> {
    Borrowed(&'a [u8]),
    Owned(SmallVec<[u8; 64]>),
}

impl<'a> Value<'a> {
    /// A value that lies in the message as it is.
    pub(super) fn borrowed(bytes: &'a [u8]) -> Self {
        Self(Repr::Borrowed(bytes))
    }

    /// A value that had to be converted.
    pub(super) fn owned(bytes: SmallVec<[u8; 64]>) -> Self {
        Self(Repr::Owned(bytes))
    }

    /// The canonical bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Borrowed(bytes) => bytes,
            Repr::Owned(bytes) => bytes,
        }
    }

    /// As text; `None` for bytes that are none.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self.as_bytes()).ok()
    }

    /// The bytes `range`, if all of them are there.
    pub(super) fn slice(self, range: std::ops::Range<usize>) -> Option<Self> {
        Some(match self.0 {
            Repr::Borrowed(bytes) => Self::borrowed(bytes.get(range)?),
            Repr::Owned(bytes) => Self::owned(SmallVec::from_slice(bytes.get(range)?)),
        })
    }
}

impl Deref for Value<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl AsRef<[u8]> for Value<'_> {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}
