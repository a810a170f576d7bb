//! Why a message was not read or not written. Places and lengths only, never a value.

use std::fmt;
use thiserror::Error;

/// A data element's number: 2 to 192.
pub type De = u8;

/// The name of a part inside an element: a position, or a tag as upper hex or text. At most 8 characters.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct PartId {
    text: [u8; 8],
    length: u8,
}

impl PartId {
    /// Takes the first eight characters; anything but letters and digits becomes `?`, so that a hostile
    /// tag cannot carry text into a log.
    #[must_use]
    pub fn new(name: &[u8]) -> Self {
        let mut text = [0; 8];
        let mut length = 0;
        for (to, from) in text.iter_mut().zip(name) {
            *to = if from.is_ascii_alphanumeric() { *from } else { b'?' };
            length += 1;
        }
        Self { text, length }
    }

    /// Up to four tag bytes, as upper hex.
    #[must_use]
    pub fn from_tag(tag: &[u8]) -> Self {
        let mut text = [0; 8];
        let mut length = 0;
        for (pair, byte) in text.chunks_exact_mut(2).zip(tag) {
            pair[0] = super::encoding::hex_digit(byte >> 4);
            pair[1] = super::encoding::hex_digit(byte & 15);
            length += 2;
        }
        Self { text, length }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.text.get(..usize::from(self.length)).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
    }
}

impl fmt::Debug for PartId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where in a message something is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Path {
    /// The message type indicator.
    Mti,
    /// A bitmap.
    Bitmap,
    /// A data element.
    De(De),
    /// A part of a data element.
    Part(De, PartId),
    /// Behind the last element.
    End,
}

impl Path {
    /// The element, if it is one or lies in one.
    #[must_use]
    pub fn element(self) -> Option<De> {
        match self {
            Self::De(de) | Self::Part(de, _) => Some(de),
            Self::Mti | Self::Bitmap | Self::End => None,
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mti => f.write_str("MTI"),
            Self::Bitmap => f.write_str("bitmap"),
            Self::De(de) => write!(f, "DE {de}"),
            Self::Part(de, part) => write!(f, "DE {de}.{}", part.as_str()),
            Self::End => f.write_str("end of message"),
        }
    }
}

/// What is wrong at that place.
#[derive(Clone, Copy, Debug, Eq, Error, Hash, PartialEq)]
pub enum Fault {
    /// Fewer bytes left than the part needs.
    #[error("message ends inside the element")]
    Short,
    /// The length prefix is not a number in its encoding.
    #[error("length prefix is not a number")]
    LengthUnreadable,
    /// More than the dialect allows, in the units the length counts.
    #[error("length {length} exceeds {max}")]
    TooLong {
        /// As found.
        length: usize,
        /// As allowed.
        max: usize,
    },
    /// Less than the dialect allows.
    #[error("length {length} is below {min}")]
    TooShort {
        /// As found.
        length: usize,
        /// As allowed.
        min: usize,
    },
    /// An odd count where whole pairs are needed.
    #[error("length {length} is odd")]
    OddLength {
        /// As found.
        length: usize,
    },
    /// A byte or nibble that the element's kind does not have.
    #[error("byte outside the element's class")]
    Class,
    /// The nibble that fills up an odd count is neither 0 nor F.
    #[error("padding nibble is neither 0 nor F")]
    Pad,
    /// The bitmap announces an element that the dialect does not know.
    #[error("element is not defined in this dialect")]
    Undefined,
    /// The MTI is not four digits.
    #[error("not four digits")]
    NotDigits,
    /// The bitmap is not hexadecimal.
    #[error("bitmap is not hexadecimal")]
    NotHex,
    /// The bitmap announces another bitmap that the dialect does not have.
    #[error("a further bitmap is announced that the dialect does not have")]
    BitmapUnexpected,
    /// Bytes follow the last element.
    #[error("{bytes} bytes follow the last element")]
    Trailing {
        /// How many.
        bytes: usize,
    },
    /// The whole message is longer than any message may be.
    #[error("message of {length} bytes exceeds {max}")]
    Oversize {
        /// As found.
        length: usize,
        /// [`super::MAX_BODY`].
        max: usize,
    },
    /// A composite's inner structure is broken.
    #[error("{0}")]
    Tlv(#[from] super::tlv::TlvFault),
}

/// Why a body is not a message of its dialect. `Display`: `DE 43 at byte 143: message ends inside the element`.
#[derive(Clone, Copy, Debug, Eq, Error, Hash, PartialEq)]
#[error("{path} at byte {offset}: {fault}")]
pub struct DecodeError {
    /// Which part of the message.
    pub path: Path,
    /// Bytes from the start of the body (the MTI) to the offending byte.
    pub offset: usize,
    /// What is wrong.
    pub fault: Fault,
}

/// Why a value cannot be written into an element.
#[derive(Clone, Copy, Debug, Eq, Error, Hash, PartialEq)]
pub enum BuildFault {
    /// The dialect has no such element.
    #[error("element is not defined in this dialect")]
    Undefined,
    /// The dialect has no element for the role.
    #[error("the dialect has no element for {}", .0.as_str())]
    NoRole(super::Role),
    /// Longer than the element.
    #[error("length {length} exceeds {max}")]
    TooLong {
        /// Units offered.
        length: usize,
        /// Units allowed.
        max: usize,
    },
    /// Shorter than the element, and its kind is not filled up.
    #[error("length {length} is below {min}")]
    TooShort {
        /// Units offered.
        length: usize,
        /// Units needed.
        min: usize,
    },
    /// A character that the element's kind or encoding does not have.
    #[error("character outside the element's class")]
    Class,
    /// An odd number of digits where the length counts whole bytes.
    #[error("an odd number of digits cannot be told apart here")]
    OddLength,
    /// The message has no room for a MAC: the dialect names none, or an element follows it.
    #[error("no MAC element for this message")]
    NoMac,
    /// The message would exceed [`super::MAX_BODY`].
    #[error("message exceeds its limit")]
    Oversize,
}

/// Why a message cannot be written. Names the element, never the value.
#[derive(Clone, Copy, Debug, Eq, Error, Hash, PartialEq)]
#[error("{path}: {fault}")]
pub struct EncodeError {
    /// Which element.
    pub path: Path,
    /// What is wrong.
    pub fault: BuildFault,
}
