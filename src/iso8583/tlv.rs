//! BER-TLV as EMV uses it: a reader that copies nothing and a writer.
//!
//! Source: ISO/IEC 8825-1, 8.1; EMV 4.3 Book 3, Annex B. Only definite lengths; tags of one to three bytes;
//! 00 between objects is padding.

use thiserror::Error;

/// How deep constructed objects may nest.
pub const MAX_DEPTH: usize = 4;

/// How many objects one element may have, all levels together.
pub const MAX_COUNT: usize = 256;

/// What is wrong with a composite's inside.
#[derive(Clone, Copy, Debug, Eq, Error, Hash, PartialEq)]
pub enum TlvFault {
    /// The value ends inside a tag.
    #[error("tag is cut off")]
    TagShort,
    /// More than three bytes.
    #[error("tag is longer than three bytes")]
    TagTooLong,
    /// The value ends inside a length.
    #[error("length is cut off")]
    LengthShort,
    /// The indefinite form, 80.
    #[error("length is indefinite")]
    LengthIndefinite,
    /// More than two bytes of length, or FF.
    #[error("length is too long to be true")]
    LengthTooLong,
    /// A length in text that is none.
    #[error("length is not a number")]
    LengthUnreadable,
    /// The value is shorter than its length says.
    #[error("length {length} exceeds the {left} bytes that are left")]
    ValueShort {
        /// As announced.
        length: usize,
        /// As there.
        left: usize,
    },
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested too deep")]
    TooDeep,
    /// More than [`MAX_COUNT`] objects.
    #[error("too many objects")]
    TooMany,
    /// The bitmap of a composite announces a part without a row.
    #[error("part is not defined in this dialect")]
    Undefined,
    /// A part is cut off.
    #[error("value ends inside the part")]
    PartShort,
}

/// A fault and the byte at which it is, from the start of the value.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("at byte {offset}: {fault}")]
pub struct TlvError {
    /// From the start of the value that was read.
    pub offset: usize,
    /// What is wrong.
    pub fault: TlvFault,
}

/// One object. No `Debug`: values may be sensitive.
#[derive(Clone, Copy)]
pub struct Tlv<'a> {
    /// The tag's bytes, 1 to 3.
    pub tag: &'a [u8],
    /// The value.
    pub value: &'a [u8],
    /// Where the tag begins, in bytes from the start of the outermost value.
    pub offset: usize,
    /// Where the value begins, counted likewise.
    pub value_offset: usize,
}

impl<'a> Tlv<'a> {
    /// Whether the value is itself made of objects.
    #[must_use]
    pub fn is_constructed(&self) -> bool {
        self.tag.first().is_some_and(|byte| byte & 0x20 != 0)
    }

    /// The objects inside.
    #[must_use]
    pub fn inside(&self) -> Reader<'a> {
        Reader { rest: self.value, offset: self.value_offset, count: 0, failed: false }
    }
}

/// Walks the objects of one level. After a fault it ends.
#[derive(Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    offset: usize,
    count: usize,
    failed: bool,
}

impl<'a> Reader<'a> {
    /// Reads `value` from its start.
    #[must_use]
    pub fn new(value: &'a [u8]) -> Self {
        Self { rest: value, offset: 0, count: 0, failed: false }
    }

    /// The value of the first object with that tag on this level; `None` too if the walk ends in a fault before it.
    #[must_use]
    pub fn find(self, tag: &[u8]) -> Option<&'a [u8]> {
        self.map_while(Result::ok).find(|object| object.tag == tag).map(|object| object.value)
    }

    fn next_object(&mut self) -> Result<Option<Tlv<'a>>, TlvFault> {
        while let Some((0, rest)) = self.rest.split_first() {
            self.rest = rest;
            self.offset += 1;
        }
        if self.rest.is_empty() {
            return Ok(None);
        }
        self.count += 1;
        if self.count > MAX_COUNT {
            return Err(TlvFault::TooMany);
        }
        let width = tag_width(self.rest)?;
        let (tag, rest) = self.rest.split_at_checked(width).ok_or(TlvFault::TagShort)?;
        let (length, size) = length(rest)?;
        let rest = rest.get(size..).ok_or(TlvFault::LengthShort)?;
        let (value, after) = rest.split_at_checked(length).ok_or(TlvFault::ValueShort { length, left: rest.len() })?;
        let object = Tlv { tag, value, offset: self.offset, value_offset: self.offset + width + size };
        self.offset = object.value_offset + length;
        self.rest = after;
        Ok(Some(object))
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Tlv<'a>, TlvError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        match self.next_object() {
            Ok(object) => object.map(Ok),
            Err(fault) => {
                self.failed = true;
                Some(Err(TlvError { offset: self.offset, fault }))
            }
        }
    }
}

/// Bytes of the tag at the front.
fn tag_width(input: &[u8]) -> Result<usize, TlvFault> {
    match input {
        [] => Err(TlvFault::TagShort),
        [first, ..] if first & 0x1F != 0x1F => Ok(1),
        [_, second, ..] if second & 0x80 == 0 => Ok(2),
        [_, _, third, ..] if third & 0x80 == 0 => Ok(3),
        [_, _, _, ..] => Err(TlvFault::TagTooLong),
        _ => Err(TlvFault::TagShort),
    }
}

/// The length at the front, and the bytes that say it.
fn length(input: &[u8]) -> Result<(usize, usize), TlvFault> {
    match input {
        [] | [0x81] | [0x82] | [0x82, _] => Err(TlvFault::LengthShort),
        [short @ ..=0x7F, ..] => Ok((usize::from(*short), 1)),
        [0x80, ..] => Err(TlvFault::LengthIndefinite),
        [0x81, length, ..] => Ok((usize::from(*length), 2)),
        [0x82, high, low, ..] => Ok((usize::from(*high) << 8 | usize::from(*low), 3)),
        _ => Err(TlvFault::LengthTooLong),
    }
}

/// Walks `value` to its depths and hands each object to `visit` with its depth, parents first.
///
/// # Errors
/// The first fault; what came before it has been visited.
pub fn walk<'a>(value: &'a [u8], visit: &mut dyn FnMut(usize, Tlv<'a>)) -> Result<(), TlvError> {
    let mut levels: [Option<Reader<'a>>; MAX_DEPTH] = [const { None }; MAX_DEPTH];
    levels[0] = Some(Reader::new(value));
    let mut depth = 0;
    let mut count = 0;
    loop {
        let next = levels.get_mut(depth).and_then(Option::as_mut).and_then(Reader::next);
        let Some(object) = next else {
            match depth.checked_sub(1) {
                Some(above) => depth = above,
                None => return Ok(()),
            }
            continue;
        };
        let object = object?;
        count += 1;
        if count > MAX_COUNT {
            return Err(TlvError { offset: object.offset, fault: TlvFault::TooMany });
        }
        visit(depth, object);
        if object.is_constructed() {
            depth += 1;
            let Some(level) = levels.get_mut(depth) else {
                return Err(TlvError { offset: object.offset, fault: TlvFault::TooDeep });
            };
            *level = Some(object.inside());
        }
    }
}

/// Appends one object with the shortest length. `false`, and nothing is appended, if `tag` is no tag or the value
/// is longer than 65,535 bytes.
#[must_use]
pub fn write(tag: &[u8], value: &[u8], out: &mut Vec<u8>) -> bool {
    let Ok(length) = u16::try_from(value.len()) else { return false };
    if tag.first() == Some(&0) || tag_width(tag) != Ok(tag.len()) {
        return false;
    }
    out.extend_from_slice(tag);
    let [high, low] = length.to_be_bytes();
    match length {
        0..=0x7F => out.push(low),
        0x80..=0xFF => out.extend_from_slice(&[0x81, low]),
        _ => out.extend_from_slice(&[0x82, high, low]),
    }
    out.extend_from_slice(value);
    true
}
