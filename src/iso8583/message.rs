//! A decoded message: one buffer and where each value lies in it.

use super::bitmap::Bitmap;
use super::error::De;
use super::error::DecodeError;
use super::mti::Mti;
use super::parts;
use super::role::Role;
use super::spec::Dialect;
use super::value::Value;
use bytes::Bytes;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Where a value lies: bytes from the start of the body, and its units.
#[derive(Clone, Copy, Default)]
pub(super) struct Span {
    pub(super) start: u16,
    pub(super) units: u16,
}

/// A message as it came. Cloning copies spans and shares the buffer. `Debug` shows the MTI and element numbers only.
#[derive(Clone)]
pub struct Message {
    pub(super) dialect: Arc<Dialect>,
    pub(super) body: Bytes,
    pub(super) mti: Option<Mti>,
    pub(super) bitmaps: u8,
    /// Elements whose spans are set.
    pub(super) present: Bitmap,
    /// By element number.
    pub(super) spans: [Span; 193],
}

/// A body that is no message: why, and what was read before the fault.
#[derive(Debug)]
pub struct Rejected {
    /// Where and why.
    pub error: DecodeError,
    /// The elements before the fault; they stay readable.
    pub partial: Message,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

impl std::error::Error for Rejected {}

impl Message {
    /// Its dialect.
    #[must_use]
    pub fn dialect(&self) -> &Arc<Dialect> {
        &self.dialect
    }

    /// All bytes, from the MTI on.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The message type. `None` only in a [`Rejected::partial`] whose MTI was not read.
    #[must_use]
    pub fn mti(&self) -> Option<Mti> {
        self.mti
    }

    /// How many bitmaps the message has.
    #[must_use]
    pub fn bitmap_count(&self) -> u8 {
        self.bitmaps
    }

    /// Whether the element is there.
    #[must_use]
    pub fn has(&self, de: De) -> bool {
        self.present.has(de)
    }

    /// The elements that are there, ascending.
    pub fn elements(&self) -> impl Iterator<Item = De> + use<> {
        self.present.elements()
    }

    /// Where the value lies in the body, without its length prefix.
    #[must_use]
    pub fn span(&self, de: De) -> Option<Range<usize>> {
        let span = self.entry(de)?;
        let wire = self.dialect.wires.get(usize::from(de))?;
        let start = usize::from(span.start);
        Some(start..start + wire.scale.bytes(usize::from(span.units)))
    }

    fn entry(&self, de: De) -> Option<Span> {
        if self.has(de) { self.spans.get(usize::from(de)).copied() } else { None }
    }

    /// The value as it stands on the wire.
    #[must_use]
    pub fn raw(&self, de: De) -> Option<&[u8]> {
        self.body.get(self.span(de)?)
    }

    /// Prefix and value as they stand on the wire.
    pub(super) fn whole(&self, de: De) -> Option<&[u8]> {
        let span = self.span(de)?;
        let prefix = self.dialect.wires.get(usize::from(de))?.prefix.bytes();
        self.body.get(span.start.checked_sub(prefix)?..span.end)
    }

    /// The value in canonical form.
    #[must_use]
    pub fn value(&self, de: De) -> Option<Value<'_>> {
        let span = self.entry(de)?;
        let wire = self.dialect.wires.get(usize::from(de))?;
        Some(wire.value(self.raw(de)?, usize::from(span.units), self.enciphered(de)))
    }

    /// Whether the element is enciphered, because another element says so: its digits are none then.
    #[must_use]
    pub fn enciphered(&self, de: De) -> bool {
        let flag = || self.dialect.element(de)?.cipher_flag;
        let set = || {
            let flag = flag()?;
            let span = self.entry(flag.de)?;
            let wire = self.dialect.wires.get(usize::from(flag.de))?;
            let value = wire.value(self.raw(flag.de)?, usize::from(span.units), false);
            Some(value.get(usize::from(flag.position)) == Some(&flag.value))
        };
        self.dialect.wires.get(usize::from(de)).is_some_and(|wire| wire.flagged) && set().unwrap_or(false)
    }

    /// The value in that role: an element, a slice or a tagged part of one. `None` also if the element ends before the slice does.
    #[must_use]
    pub fn role(&self, role: Role) -> Option<Value<'_>> {
        let row = self.dialect.role(role)?;
        let value = self.value(row.de)?;
        if let Some(part) = &row.part {
            let range = parts::tagged_range(self.dialect.element(row.de)?, &value, part)?;
            return value.slice(range);
        }
        match &row.slice {
            None => Some(value),
            Some(range) => value.slice(range.clone()),
        }
    }

    /// What the MAC is computed over: from the MTI up to the MAC element, the bitmap as sent.
    #[must_use]
    pub fn mac_input(&self) -> Option<&[u8]> {
        let de = self.dialect.mac_element(self)?;
        let prefix = self.dialect.wires.get(usize::from(de))?.prefix.bytes();
        self.body.get(..self.span(de)?.start.checked_sub(prefix)?)
    }

    /// The MAC in canonical form.
    #[must_use]
    pub fn mac(&self) -> Option<Value<'_>> {
        self.value(self.dialect.mac_element(self)?)
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("mti", &self.mti)
            .field("elements", &self.elements().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
