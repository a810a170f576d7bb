//! A message as JSON, and back.

use super::Described;
use super::mask::Mask;
use super::text::part;
use super::text::plain;
use crate::iso8583::build::Builder;
use crate::iso8583::encoding;
use crate::iso8583::error::De;
use crate::iso8583::error::EncodeError;
use crate::iso8583::message::Message;
use crate::iso8583::mti::Mti;
use crate::iso8583::parts::Part;
use crate::iso8583::spec::Dialect;
use crate::iso8583::spec::ElementKind;
use crate::iso8583::spec::ElementSpec;
use crate::iso8583::spec::Layout;
use crate::iso8583::tlv;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

pub(super) fn write(what: Described<'_>, unmask: bool) -> Value {
    let mut mask = Mask::new(unmask);
    let message = what.message;
    let mut fields = Map::new();
    for de in message.elements() {
        if let Some(value) = field(message, de, &mut mask) {
            fields.insert(de.to_string(), value);
        }
    }
    let mut object = Map::new();
    object.insert("mti".into(), message.mti().map_or(Value::Null, |mti| Value::from(mti.as_str())));
    object.insert("fields".into(), Value::Object(fields));
    if let Some(error) = what.error {
        let fault = error.fault.to_string();
        let error = json!({ "path": error.path.to_string(), "offset": error.offset, "fault": fault });
        object.insert("error".into(), error);
    }
    if mask.hidden {
        object.insert("masked".into(), Value::Bool(true));
    }
    Value::Object(object)
}

fn field(message: &Message, de: De, mask: &mut Mask) -> Option<Value> {
    let spec = message.dialect().element(de)?;
    let value = plain(spec.kind, &message.value(de)?);
    let shown = Value::from(mask.element(spec, &value).into_owned());
    let Some(parts) = message.parts(de) else { return Some(shown) };
    let mut composite = Map::new();
    composite.insert("value".into(), shown);
    composite.insert("parts".into(), Value::Object(nest(spec, &parts.list, 0, mask)));
    if let Some(fault) = parts.fault {
        composite.insert("error".into(), Value::from(fault.to_string()));
    }
    Some(Value::Object(composite))
}

/// The parts of one depth, each with the deeper ones that follow it.
fn nest(spec: &ElementSpec, list: &[Part], depth: usize, mask: &mut Mask) -> Map<String, Value> {
    let mut map = Map::new();
    for (at, entry) in list.iter().enumerate().filter(|(_, entry)| entry.depth == depth) {
        let value = if entry.constructed {
            let inside = list.get(at + 1..).unwrap_or_default();
            let end = inside.iter().position(|deeper| deeper.depth <= depth).unwrap_or(inside.len());
            json!({ "parts": nest(spec, inside.get(..end).unwrap_or_default(), depth + 1, mask) })
        } else {
            Value::from(mask.part(spec, entry, &part(spec, entry)).into_owned())
        };
        match map.get_mut(entry.id.as_str()) {
            None => {
                map.insert(entry.id.as_str().to_owned(), value);
            }
            Some(Value::Array(list)) => list.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    map
}

/// Why JSON is no message. Names places, never values.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum JsonFault {
    /// `mti` is absent or not four digits.
    #[error("\"mti\" is not text of four digits")]
    Mti,
    /// `fields` is absent or no object.
    #[error("\"fields\" is not an object")]
    Fields,
    /// It says of itself that values were masked.
    #[error("the values are masked: decode with --unmask")]
    Masked,
    /// A key of `fields` that is no element number.
    #[error("a key of \"fields\" is not an element number from 2 to 192")]
    Number,
    /// A value that is neither text nor a composite that can be put together.
    #[error("DE {0}: text, or an object with \"value\", is wanted")]
    Shape(De),
    /// Bytes that are not written as pairs of hexadecimal digits.
    #[error("DE {0}: not hexadecimal")]
    Hex(De),
    /// The dialect does not take the value.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// Starts a message from what [`super::json()`] writes. Of a composite `value` counts; without it the parts of a
/// positional or BER-TLV element are put together.
///
/// # Errors
/// The JSON has another shape, or the dialect does not take a value; the first fault found.
pub fn from_json(dialect: &Arc<Dialect>, json: &Value) -> Result<Builder, JsonFault> {
    if json.get("masked").and_then(Value::as_bool) == Some(true) {
        return Err(JsonFault::Masked);
    }
    let mti = json.get("mti").and_then(Value::as_str).and_then(|mti| Mti::parse(mti.as_bytes()));
    let mut builder = dialect.build(mti.ok_or(JsonFault::Mti)?);
    for (key, value) in json.get("fields").and_then(Value::as_object).ok_or(JsonFault::Fields)? {
        let de: De =
            key.parse().ok().filter(|de| (2..=crate::iso8583::MAX_DE).contains(de)).ok_or(JsonFault::Number)?;
        let canonical = match (value, dialect.element(de)) {
            (Value::String(text), spec) => bytes(de, spec, text)?,
            (Value::Object(composite), spec) => match (composite.get("value"), composite.get("parts"), spec) {
                (Some(Value::String(text)), ..) => bytes(de, spec, text)?,
                (None, Some(Value::Object(parts)), Some(spec)) => compose(spec, parts)?,
                _ => return Err(JsonFault::Shape(de)),
            },
            _ => return Err(JsonFault::Shape(de)),
        };
        builder.set(de, &canonical)?;
    }
    Ok(builder)
}

fn bytes(de: De, spec: Option<&ElementSpec>, text: &str) -> Result<Vec<u8>, JsonFault> {
    if spec.is_some_and(|spec| spec.kind == ElementKind::B) {
        encoding::from_hex(text.as_bytes()).ok_or(JsonFault::Hex(de))
    } else {
        Ok(text.as_bytes().to_vec())
    }
}

fn compose(spec: &ElementSpec, parts: &Map<String, Value>) -> Result<Vec<u8>, JsonFault> {
    let de = spec.number;
    let mut out = Vec::new();
    match &spec.layout {
        Some(Layout::Positional) => {
            for row in &spec.parts {
                let Some(text) = parts.get(&*row.id) else { continue };
                out.extend(bytes(de, Some(spec), text.as_str().ok_or(JsonFault::Shape(de))?)?);
            }
        }
        Some(Layout::BerTlv) => objects(de, parts, tlv::MAX_DEPTH, &mut out)?,
        _ => return Err(JsonFault::Shape(de)),
    }
    Ok(out)
}

/// Appends BER-TLV objects, in the order of the JSON.
fn objects(de: De, parts: &Map<String, Value>, depth: usize, out: &mut Vec<u8>) -> Result<(), JsonFault> {
    for (id, value) in parts {
        let tag = encoding::from_hex(id.as_bytes()).ok_or(JsonFault::Hex(de))?;
        let one = std::slice::from_ref(value);
        for value in value.as_array().map_or(one, Vec::as_slice) {
            let mut inside = Vec::new();
            match (value.as_str(), value.get("parts").and_then(Value::as_object), depth.checked_sub(1)) {
                (Some(text), ..) => inside = encoding::from_hex(text.as_bytes()).ok_or(JsonFault::Hex(de))?,
                (None, Some(parts), Some(depth)) => objects(de, parts, depth, &mut inside)?,
                _ => return Err(JsonFault::Shape(de)),
            }
            if !tlv::write(&tag, &inside, out) {
                return Err(JsonFault::Shape(de));
            }
        }
    }
    Ok(())
}
