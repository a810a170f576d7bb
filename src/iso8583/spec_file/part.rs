//! The rows inside an element's row.

use super::element;
use super::layers::Layers;
use super::sheet::Cell;
use super::sheet::Rows;
use crate::iso8583::error::PartId;
use crate::iso8583::spec::ElementKind;
use crate::iso8583::spec::ElementSpec;
use crate::iso8583::spec::Layout;
use crate::iso8583::spec::Length;
use crate::iso8583::spec::PartField;
use crate::iso8583::spec::PartSpec;
use crate::iso8583::spec::TagWidth;
use crate::iso8583::tlv;

#[derive(Clone, Copy, PartialEq)]
enum Word {
    Positional,
    BerTlv,
    Tagged,
    Bitmapped,
}

const WORDS: &[(&str, Word)] = &[
    ("positional", Word::Positional),
    ("ber-tlv", Word::BerTlv),
    ("tag-length-value", Word::Tagged),
    ("bitmapped", Word::Bitmapped),
];

/// Fills in layout, parts and strictness from the `parts` cell.
pub(super) fn compile<'a>(layers: &Layers<'a>, cell: Cell<'a>, spec: &mut ElementSpec) {
    let (layout, rows) = if cell.is_list() {
        (Some(Layout::Positional), cell.list().unwrap_or_default())
    } else if cell.is_text() {
        if cell.text() != Some("ber-tlv") {
            cell.say("`parts` is \"ber-tlv\", a list of positional parts, or a table with `layout`");
        }
        (Some(Layout::BerTlv), Vec::new())
    } else {
        let Some(table) = cell.table() else { return };
        spec.strict = table.flag("strict");
        (layout(table), table.get("rows").and_then(|cell| cell.list()).unwrap_or_default())
    };
    let Some(layout) = layout else { return };
    let bytes_inside = !matches!(layout, Layout::Positional | Layout::TagLengthValue { .. });
    if bytes_inside && spec.kind != ElementKind::B {
        cell.say("this layout is for kind b");
    }
    let mut parts: Vec<PartSpec> = Vec::new();
    for row in rows.iter().filter_map(Cell::table) {
        let Some(part) = part(layers, row, &layout, spec) else { continue };
        if parts.iter().any(|other| other.id == part.id) {
            row.say(format!("part {} is listed twice", part.id));
        }
        parts.push(part);
    }
    if layout == Layout::Positional {
        add_up(cell, spec.length, &parts);
    }
    spec.layout = Some(layout);
    spec.parts = parts.into();
}

fn layout(table: Rows<'_>) -> Option<Layout> {
    let known: &[&str] = match table.need("layout").and_then(|_| table.word("layout", WORDS))? {
        Word::Tagged => &["layout", "strict", "rows", "tag", "size"],
        Word::Bitmapped => &["layout", "strict", "rows", "bytes"],
        Word::Positional | Word::BerTlv => &["layout", "strict", "rows"],
    };
    table.only(known);
    Some(match table.word("layout", WORDS)? {
        Word::Positional => Layout::Positional,
        Word::BerTlv => Layout::BerTlv,
        Word::Tagged => {
            let (tag, length) = (width(table, "tag"), width(table, "size"));
            Layout::TagLengthValue { tag: tag?, length: length? }
        }
        Word::Bitmapped => {
            Layout::Bitmapped { bytes: u8::try_from(table.need("bytes")?.number(&(1..=8))?).unwrap_or(8) }
        }
    })
}

fn width(table: Rows<'_>, key: &str) -> Option<TagWidth> {
    let rows = table.need(key)?.table()?;
    rows.only(&["bytes", "encoding"]);
    rows.need("encoding");
    let bytes = rows.need("bytes")?.number(&(1..=4))?;
    Some(TagWidth { bytes: u8::try_from(bytes).ok()?, encoding: rows.word("encoding", element::PREFIXES)? })
}

fn part<'a>(layers: &Layers<'a>, row: Rows<'a>, layout: &Layout, spec: &ElementSpec) -> Option<PartSpec> {
    let id = row.need("id").and_then(|cell| cell.text());
    let field = match layout {
        Layout::Positional => {
            row.only(&["id", "name", "length", "sensitivity"]);
            PartField::Units(row.need("length")?.number(&(0..=9999))?)
        }
        Layout::Bitmapped { bytes } => {
            let bit = id.and_then(|id| id.parse::<u8>().ok()).filter(|bit| (1..=bytes * 8).contains(bit));
            if bit.is_none() {
                row.say("the id of a bitmapped part is its bit, from 1");
            }
            PartField::Field(element::compile(layers, row, spec.number, &spec.source, &["id"])?.wire)
        }
        Layout::BerTlv | Layout::TagLengthValue { .. } => {
            row.only(&["id", "name", "sensitivity"]);
            if *layout == Layout::BerTlv && id.is_some_and(|id| !is_tag(id)) {
                row.say("the id is no tag of one to three bytes in upper hexadecimal");
            }
            PartField::Tagged
        }
    };
    let name = row.need("name").and_then(|cell| cell.text()).unwrap_or_default();
    let id = id?;
    if PartId::new(id.as_bytes()).as_str() != id {
        row.say("an id is one to eight letters and digits");
    }
    Some(PartSpec { id: id.into(), name: name.into(), sensitivity: element::sensitivity(row), field })
}

fn is_tag(id: &str) -> bool {
    let pair = |at: usize| id.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Option<Vec<u8>> = (0..id.len()).step_by(2).map(pair).collect();
    let upper = !id.bytes().any(|byte| byte.is_ascii_lowercase() || byte == b'+');
    upper && bytes.is_some_and(|tag| tlv::write(&tag, &[], &mut Vec::new()))
}

/// Positional parts fill a fixed element exactly and a variable one at most; only the last may be "the rest".
fn add_up(cell: Cell<'_>, length: Length, parts: &[PartSpec]) {
    let units = |part: &PartSpec| if let PartField::Units(units) = part.field { usize::from(units) } else { 0 };
    let sum: usize = parts.iter().map(units).sum();
    let open = parts.iter().filter(|part| units(part) == 0).count();
    if open > 1 || (open == 1 && parts.last().is_some_and(|part| units(part) > 0)) {
        cell.say("only the last part may have length 0, the rest");
    }
    match length {
        Length::Fixed(wanted) if open == 0 && sum != usize::from(wanted) => {
            cell.say(format!("the parts have {sum} units, the element has {wanted}"));
        }
        Length::Fixed(most) | Length::Variable { max: most, .. } if sum > usize::from(most) => {
            cell.say(format!("the parts have {sum} units, the element at most {most}"));
        }
        _ => {}
    }
}
