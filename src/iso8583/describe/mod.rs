//! Messages for people and for scripts: text and JSON, masked unless somebody asks for the clear values.
//!
//! Masking fails closed: an element whose row does not say how sensitive it is stays hidden if it could hold a card
//! number, and so does every part that nobody described inside such an element.

mod json;
mod mask;
mod text;

use super::error::DecodeError;
use super::message::Message;
use super::message::Rejected;

pub use json::{JsonFault, from_json};

/// What is described: a message, or what could be read of one and why no more.
#[derive(Clone, Copy)]
pub struct Described<'a> {
    message: &'a Message,
    error: Option<&'a DecodeError>,
}

impl<'a> From<&'a Message> for Described<'a> {
    fn from(message: &'a Message) -> Self {
        Self { message, error: None }
    }
}

impl<'a> From<&'a Rejected> for Described<'a> {
    fn from(rejected: &'a Rejected) -> Self {
        Self { message: &rejected.partial, error: Some(&rejected.error) }
    }
}

/// A line for the MTI, one for the bitmap, one an element and one a part: offset and length in bytes from the MTI
/// on, number, name and value. What could not be read ends with the fault and the number of bytes left.
///
/// Masked unless `unmask`.
#[must_use]
pub fn text<'a>(what: impl Into<Described<'a>>, unmask: bool) -> String {
    text::write(what.into(), unmask)
}

/// `{"mti": "0200", "fields": {"2": "..."}}`: digits, text, or upper-case hex for bytes; a composite is
/// `{"value": "...", "parts": {"1": "..."}}`, where a part that repeats is a list and one that is made of others is
/// a composite itself. What could not be read adds `"error"`.
///
/// Masked unless `unmask`; `"masked": true` then says that something was.
#[must_use]
pub fn json<'a>(what: impl Into<Described<'a>>, unmask: bool) -> serde_json::Value {
    json::write(what.into(), unmask)
}
