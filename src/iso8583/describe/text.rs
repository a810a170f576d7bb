//! A message as lines.

use super::Described;
use super::mask::Mask;
use crate::iso8583::encoding::hex_digit;
use crate::iso8583::error::De;
use crate::iso8583::message::Message;
use crate::iso8583::mti::Mti;
use crate::iso8583::parts::Part;
use crate::iso8583::parts::Parts;
use crate::iso8583::spec::BitmapEncoding;
use crate::iso8583::spec::ElementKind;
use crate::iso8583::spec::ElementSpec;
use crate::iso8583::spec::MtiEncoding;
use crate::model::MessageClass;
use std::fmt::Write;

/// Columns of the name.
const NAME: usize = 46;

pub(super) fn write(what: Described<'_>, unmask: bool) -> String {
    let mut lines = Lines { out: String::new(), mask: Mask::new(unmask) };
    let message = what.message;
    lines.head(message);
    for de in message.elements() {
        lines.element(message, de);
    }
    if let Some(error) = what.error {
        let left = message.body().get(error.offset..).unwrap_or_default();
        let _ = writeln!(lines.out, "error: {error}");
        if !left.is_empty() {
            let hex = hex(left);
            let shown = lines.mask.rest(&hex).into_owned();
            lines.line(Some((error.offset, left.len())), "", "not decoded", &shown);
        }
    }
    lines.out
}

/// Upper-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [hex_digit(byte >> 4), hex_digit(*byte)]).map(char::from).collect()
}

/// The value as digits, text, or hex if it is bytes or no text.
pub(super) fn plain(kind: ElementKind, value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) if kind != ElementKind::B => text.to_owned(),
        _ => hex(value),
    }
}

/// The text of a part: like its element's, but parts of byte elements whose bytes are all printable are still hex.
pub(super) fn part(spec: &ElementSpec, part: &Part) -> String {
    plain(spec.kind, &part.value)
}

struct Lines {
    out: String,
    mask: Mask,
}

impl Lines {
    fn line(&mut self, place: Option<(usize, usize)>, label: &str, name: &str, value: &str) {
        let place = place.map_or_else(|| " ".repeat(10), |(at, length)| format!("{at:5}{length:5}"));
        let name = format!("{label}  {name}");
        let value: String = value.chars().flat_map(|letter| escape(letter).chars().collect::<Vec<_>>()).collect();
        let _ = writeln!(self.out, "{place}  {name:NAME$}  {value}");
    }

    fn head(&mut self, message: &Message) {
        let dialect = message.dialect();
        let bytes = message.body().len();
        let (title, mti) = match message.mti() {
            Some(mti) => (meaning(mti), mti.to_string()),
            None => ("unreadable message".to_owned(), String::new()),
        };
        let _ = writeln!(self.out, "{mti} {title}, {}, {bytes} bytes", dialect.name());
        let _ = writeln!(self.out, "   at  len  element");
        if message.mti().is_none() {
            return;
        }
        let mti_bytes = if dialect.mti_encoding() == MtiEncoding::Bcd { 2 } else { 4 };
        self.line(Some((0, mti_bytes)), "MTI", "", &mti);
        let each = if dialect.bitmap_encoding() == BitmapEncoding::Binary { 8 } else { 16 };
        let elements: Vec<String> = message.elements().map(|de| de.to_string()).collect();
        if message.bitmap_count() > 0 {
            let length = each * usize::from(message.bitmap_count());
            self.line(Some((mti_bytes, length)), "bitmap", "", &elements.join(" "));
        }
    }

    fn element(&mut self, message: &Message, de: De) {
        let (Some(spec), Some(span), Some(value)) =
            (message.dialect().element(de), message.span(de), message.value(de))
        else {
            return;
        };
        let value = plain(spec.kind, &value);
        let shown = self.mask.element(spec, &value).into_owned();
        self.line(Some((span.start, span.len())), &format!("DE {de}"), &spec.name, &shown);
        if let Some(parts) = message.parts(de) {
            self.parts(spec, de, &parts);
        }
    }

    fn parts(&mut self, spec: &ElementSpec, de: De, parts: &Parts) {
        for entry in &parts.list {
            let value = if entry.constructed { String::new() } else { part(spec, entry) };
            let shown = self.mask.part(spec, entry, &value).into_owned();
            let label = format!("   {}{de}.{}", "  ".repeat(entry.depth), entry.id.as_str());
            self.line(None, &label, entry.name.as_deref().unwrap_or("unknown"), &shown);
        }
        if let Some(fault) = parts.fault {
            let _ = writeln!(self.out, "{:12}   note: {fault}", "");
        }
    }
}

/// Control characters cannot move a terminal's cursor.
fn escape(letter: char) -> String {
    if letter.is_control() { letter.escape_default().to_string() } else { letter.to_string() }
}

/// The MTI in words.
fn meaning(mti: Mti) -> String {
    let class = match mti.class() {
        Some(MessageClass::Authorization) => "authorization",
        Some(MessageClass::Financial) => "financial",
        Some(MessageClass::FileAction) => "file action",
        Some(MessageClass::Reversal) => "reversal",
        Some(MessageClass::Reconciliation) => "reconciliation",
        Some(MessageClass::Administrative) => "administrative",
        Some(MessageClass::NetworkManagement) => "network management",
        None => "unknown class",
    };
    let function = match mti.digits()[2] {
        b'0' => "request",
        b'1' => "response",
        b'2' => "advice",
        b'3' => "advice response",
        b'4' => "notification",
        _ => "message",
    };
    let repeat = if mti.is_repeat() { ", repeat" } else { "" };
    format!("{class} {function}{repeat}")
}
