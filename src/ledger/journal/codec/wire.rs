//! What values are made of on disk: big-endian numbers, lengths, presence.

use super::CodecFault;
use crate::model::IssuerName;
use bytes::Bytes;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

/// A value that has bytes.
pub(super) trait Wire: Sized {
    /// Appends its bytes.
    fn put(&self, out: &mut Vec<u8>);

    /// Takes it off the front of `input`.
    fn take(input: &mut Input<'_>) -> Result<Self, CodecFault>;
}

/// How many different names are kept.
const NAMES: usize = 64;

/// Names read before, so that equal ones share their memory. The latest is found first.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: Vec<IssuerName>,
    latest: usize,
}

impl Names {
    fn issuer(&mut self, name: &str) -> Option<IssuerName> {
        if let Some(latest) = self.known.get(self.latest).filter(|known| known.as_str() == name) {
            return Some(latest.clone());
        }
        let place = self.known.iter().position(|known| known.as_str() == name);
        if let Some(known) = place.and_then(|place| self.known.get(place)) {
            self.latest = place.unwrap_or_default();
            return Some(known.clone());
        }
        let new = IssuerName::parse(name)?;
        if self.known.len() < NAMES {
            self.latest = self.known.len();
            self.known.push(new.clone());
        }
        Some(new)
    }
}

/// What is left to be read of a record.
pub(super) struct Input<'a> {
    rest: &'a [u8],
    names: &'a mut Names,
}

impl<'a> Input<'a> {
    pub(super) fn new(rest: &'a [u8], names: &'a mut Names) -> Self {
        Self { rest, names }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `length` bytes.
    fn bytes(&mut self, length: usize) -> Result<&'a [u8], CodecFault> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(CodecFault::Short)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecFault> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(CodecFault::Short)?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// The next byte.
    pub(super) fn byte(&mut self) -> Result<u8, CodecFault> {
        self.array().map(|[byte]| byte)
    }

    /// A length and that many bytes, all of which are there.
    pub(super) fn counted(&mut self) -> Result<&'a [u8], CodecFault> {
        let length = self.length()?;
        self.bytes(length)
    }

    /// A length: seven bits a byte, the lowest first, the top bit set in all bytes but the last; at most
    /// four bytes, and the last is not zero unless it is the only one.
    fn length(&mut self) -> Result<usize, CodecFault> {
        let mut length = 0usize;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            length |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return if byte == 0 && shift > 0 { Err(CodecFault::Value("length")) } else { Ok(length) };
            }
        }
        Err(CodecFault::Value("length"))
    }

    /// A counted text.
    pub(super) fn text(&mut self) -> Result<&'a str, CodecFault> {
        std::str::from_utf8(self.counted()?).map_err(|_| CodecFault::Value("text"))
    }

    /// A counted issuer's name.
    pub(super) fn issuer(&mut self) -> Result<IssuerName, CodecFault> {
        let name = self.text()?;
        self.names.issuer(name).ok_or(CodecFault::Value("issuer name"))
    }
}

/// Writes a length. What would need more than four bytes is longer than a group may be, which refuses it.
fn put_length(mut length: usize, out: &mut Vec<u8>) {
    while length >= 0x80 {
        out.push(u8::try_from(length & 0x7f).unwrap_or_default() | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap_or_default());
}

/// Writes a length and the bytes.
pub(super) fn put_counted(bytes: &[u8], out: &mut Vec<u8>) {
    put_length(bytes.len(), out);
    out.extend_from_slice(bytes);
}

macro_rules! number {
    ($($type:ty),+) => {$(
        impl Wire for $type {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }

            fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
                input.array().map(Self::from_be_bytes)
            }
        }
    )+};
}

number!(u16, u32, u64, i16, i64);

impl<const N: usize> Wire for [u8; N] {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
        input.array()
    }
}

impl Wire for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
        match input.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(CodecFault::Value("presence")),
        }
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
        if bool::take(input)? { T::take(input).map(Some) } else { Ok(None) }
    }
}

impl<T: Wire, const N: usize> Wire for SmallVec<[T; N]>
where
    [T; N]: smallvec::Array<Item = T>,
{
    fn put(&self, out: &mut Vec<u8>) {
        put_length(self.len(), out);
        self.iter().for_each(|item| item.put(out));
    }

    /// Grows as items are read: a count alone reserves nothing.
    fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
        let count = input.length()?;
        let mut items = Self::new();
        for _ in 0..count {
            items.push(T::take(input)?);
        }
        Ok(items)
    }
}

impl<T: Wire> Wire for VecDeque<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put_length(self.len(), out);
        self.iter().for_each(|item| item.put(out));
    }

    fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
        let count = input.length()?;
        let mut items = Self::new();
        for _ in 0..count {
            items.push_back(T::take(input)?);
        }
        Ok(items)
    }
}

impl<T: Wire, U: Wire> Wire for (T, U) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }

    fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
        Ok((T::take(input)?, U::take(input)?))
    }
}

impl<T: Wire> Wire for Arc<T> {
    fn put(&self, out: &mut Vec<u8>) {
        T::put(self, out);
    }

    fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
        T::take(input).map(Self::new)
    }
}

impl<T: Wire> Wire for Box<T> {
    fn put(&self, out: &mut Vec<u8>) {
        T::put(self, out);
    }

    fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
        T::take(input).map(Self::new)
    }
}

impl Wire for Bytes {
    fn put(&self, out: &mut Vec<u8>) {
        put_counted(self, out);
    }

    fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
        input.counted().map(Self::copy_from_slice)
    }
}

impl Wire for Cow<'static, str> {
    fn put(&self, out: &mut Vec<u8>) {
        put_counted(self.as_bytes(), out);
    }

    fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
        input.text().map(|text| Self::Owned(text.to_owned()))
    }
}

impl Wire for Arc<str> {
    fn put(&self, out: &mut Vec<u8>) {
        put_counted(self.as_bytes(), out);
    }

    fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
        input.text().map(Self::from)
    }
}

impl Wire for Box<str> {
    fn put(&self, out: &mut Vec<u8>) {
        put_counted(self.as_bytes(), out);
    }

    fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
        input.text().map(Self::from)
    }
}
