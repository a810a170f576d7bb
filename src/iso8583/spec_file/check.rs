//! Rows against rows: what no single row can know.

use super::element;
use super::layers::Layers;
use super::sheet::Cell;
use super::sheet::Place;
use super::sheet::Rows;
use crate::iso8583::error::De;
use crate::iso8583::mti::Mti;
use crate::iso8583::mti::MtiPattern;
use crate::iso8583::role::Role;
use crate::iso8583::spec::BitmapEncoding;
use crate::iso8583::spec::CodeRow;
use crate::iso8583::spec::Dialect;
use crate::iso8583::spec::ElementSpec;
use crate::iso8583::spec::KindRow;
use crate::iso8583::spec::Length;
use crate::iso8583::spec::MtiEncoding;
use crate::iso8583::spec::RoleRow;
use crate::iso8583::spec::WireCode;
use crate::iso8583::wire::Wire;
use crate::model::Kind;
use crate::model::ResponseCode;
use serde::Deserialize;
use serde::de::value::StrDeserializer;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Elements by number, with the place of their rows.
type Elements = BTreeMap<De, (Place, ElementSpec)>;

/// Patterns and their lists.
type Lists = Box<[(MtiPattern, Box<[De]>)]>;

/// Compiles what the layers say. `None` where even a skeleton is missing; all complaints are in the report.
pub(super) fn dialect(layers: &Layers<'_>) -> Option<Dialect> {
    let text = |key| layers.values.get(key).and_then(|cell| cell.text()).unwrap_or_default();
    for key in ["title", "oracle", "source"] {
        if !layers.values.contains_key(key) {
            layers.top.say(format!("`{key}` is missing"));
        }
    }
    let mti = mti_encoding(layers);
    let (bitmap, bitmaps) = bitmap(layers);
    let elements = elements(layers, bitmaps.unwrap_or(3));
    let roles = roles(layers, &elements);
    let kinds = kinds(layers, &elements, &roles);
    let (codes, fallback) = codes(layers, &elements, &roles);
    let lists = |lists| lists_of(layers, lists, &elements);
    let (echo, mandatory) = (lists(&layers.echo), lists(&layers.mandatory));
    let mac = mac(layers, &elements, bitmaps.unwrap_or(3));
    let mut wires = Box::new([Wire::UNDEFINED; 193]);
    for (de, (_, spec)) in &elements {
        if let Some(wire) = wires.get_mut(usize::from(*de)) {
            *wire = spec.wire;
        }
    }
    Some(Dialect {
        name: text("name").into(),
        title: text("title").into(),
        source: text("source").into(),
        oracle: text("oracle").into(),
        mti: mti?,
        bitmap: bitmap?,
        bitmaps: bitmaps?,
        wires,
        elements: elements.into_values().map(|(_, spec)| spec).collect(),
        roles,
        kinds,
        codes,
        fallback,
        echo,
        mandatory,
        mac,
    })
}

fn mti_encoding(layers: &Layers<'_>) -> Option<MtiEncoding> {
    let Some(cell) = layers.mti else {
        layers.top.say("`[mti]` is missing");
        return None;
    };
    let encoding = match cell.text()? {
        "ascii" => MtiEncoding::Ascii,
        "ebcdic" => MtiEncoding::Ebcdic,
        "bcd" => MtiEncoding::Bcd,
        _ => {
            cell.say("`encoding` is one of ascii, ebcdic, bcd");
            return None;
        }
    };
    Some(encoding)
}

fn bitmap(layers: &Layers<'_>) -> (Option<BitmapEncoding>, Option<u8>) {
    let Some(table) = layers.bitmap else {
        layers.top.say("`[bitmap]` is missing");
        return (None, None);
    };
    let words = &[
        ("binary", BitmapEncoding::Binary),
        ("hex-ascii", BitmapEncoding::HexAscii),
        ("hex-ebcdic", BitmapEncoding::HexEbcdic),
    ];
    table.need("encoding");
    let max = table.need("max").and_then(|cell| cell.number(&(1..=3)));
    (table.word("encoding", words), max.and_then(|max| u8::try_from(max).ok()))
}

fn elements(layers: &Layers<'_>, bitmaps: u8) -> Elements {
    let mut elements = Elements::new();
    for (de, row) in &layers.elements {
        if de.div_ceil(64) > bitmaps || (bitmaps == 3 && matches!(de, 65 | 129)) {
            row.rows.say(format!("element {de} has no bit in {bitmaps} bitmaps"));
        }
        if let Some(spec) = element::compile(layers, row.rows, *de, row.source, &[]) {
            elements.insert(*de, (row.rows.place, spec));
        }
    }
    for (place, spec) in elements.values() {
        let Some(flag) = spec.cipher_flag else { continue };
        let there = layers.elements.contains_key(&flag.de);
        if !there || elements.get(&flag.de).is_some_and(|(_, other)| usize::from(flag.position) >= *width(other).end())
        {
            layers.top.sheet.report.say(*place, format!("`enciphered-when` reads DE {} where it has nothing", flag.de));
        }
    }
    if elements.is_empty() {
        layers.top.say("there is no element");
    }
    elements
}

/// The lengths of an element's canonical value.
fn width(spec: &ElementSpec) -> RangeInclusive<usize> {
    let sign = usize::from(spec.kind == crate::iso8583::spec::ElementKind::Xn);
    match spec.length {
        Length::Fixed(units) => usize::from(units) + sign..=usize::from(units) + sign,
        Length::Variable { min, max, .. } => usize::from(min) + sign..=usize::from(max) + sign,
    }
}

fn roles(layers: &Layers<'_>, elements: &Elements) -> Box<[Option<RoleRow>]> {
    let mut rows: Box<[Option<RoleRow>]> = Role::ALL.iter().map(|_| None).collect();
    for (name, (place, cell)) in &layers.roles {
        let Some(role) = Role::parse(name) else {
            layers.top.sheet.report.say(*place, format!("there is no role `{name}`"));
            continue;
        };
        let Some(text) = cell.text() else { continue };
        let Some(row) = role_row(text) else {
            cell.say(
                "a role is an element like \"4\", a slice of one like \"60[2..8]\" or a part of one like \"59/A3\"",
            );
            continue;
        };
        match elements.get(&row.de) {
            None if layers.elements.contains_key(&row.de) => {}
            None => cell.say(format!("role {name}: element {} is not defined", row.de)),
            Some((_, spec)) => {
                let end = row.slice.as_ref().map_or(0, |slice| slice.end);
                if row.part.as_ref().is_some_and(|part| !spec.has_tagged_part(part)) {
                    cell.say(format!("role {name}: element {} has no row for that tag", row.de));
                }
                if end > *width(spec).end() {
                    cell.say(format!("role {name}: element {} ends before {end}", row.de));
                }
            }
        }
        if let Some(place) = rows.get_mut(role as usize) {
            *place = Some(row);
        }
    }
    rows
}

fn role_row(text: &str) -> Option<RoleRow> {
    if let Some((de, part)) = text.split_once('/') {
        return Some(RoleRow { de: de.parse().ok()?, slice: None, part: Some(part.into()) });
    }
    let Some((de, rest)) = text.split_once('[') else {
        return Some(RoleRow { de: text.parse().ok()?, slice: None, part: None });
    };
    let (start, end) = rest.strip_suffix(']')?.split_once("..")?;
    let (start, end): (usize, usize) = (start.parse().ok()?, end.parse().ok()?);
    (start < end).then_some(RoleRow { de: de.parse().ok()?, slice: Some(start..end), part: None })
}

fn kinds(layers: &Layers<'_>, elements: &Elements, roles: &[Option<RoleRow>]) -> Box<[KindRow]> {
    let mut kinds: Vec<KindRow> = Vec::new();
    for row in &layers.kinds {
        let Some(kind) = kind(layers, *row, elements, roles) else { continue };
        if let Some(earlier) = kinds.iter().find(|earlier| covers(earlier, &kind)) {
            row.say(format!("this {} cannot be told from the {} row before it", kind.kind.name(), earlier.kind.name()));
        }
        kinds.push(kind);
    }
    kinds.into()
}

fn kind(layers: &Layers<'_>, row: Rows<'_>, elements: &Elements, roles: &[Option<RoleRow>]) -> Option<KindRow> {
    row.only(&["name", "mti", "when", "mandatory"]);
    let name = row.need("name").and_then(|cell| {
        let kind = Kind::deserialize(StrDeserializer::<serde::de::value::Error>::new(cell.text()?)).ok();
        if kind.is_none() {
            cell.say("there is no such kind");
        }
        kind
    });
    let mti = row.need("mti").and_then(|cell| {
        let mti = Mti::parse(cell.text()?.as_bytes()).filter(|mti| !mti.is_repeat() && !mti.is_response());
        if mti.is_none() {
            cell.say("the MTI of a kind is that of a request and no repeat");
        }
        mti
    });
    let mut when = Vec::new();
    for (name, place, cell) in
        row.get("when").and_then(|cell| cell.table()).map(|table| table.entries()).unwrap_or_default()
    {
        let Some(pattern) = cell.text() else { continue };
        let found = Role::parse(name).and_then(|role| Some((role, roles.get(role as usize)?.as_ref()?)));
        let Some((role, target)) = found else {
            layers.top.sheet.report.say(place, format!("the dialect has no role `{name}`"));
            continue;
        };
        let widths = match (&target.slice, elements.get(&target.de)) {
            _ if target.part.is_some() => 1..=usize::from(u16::MAX),
            (Some(slice), _) => slice.len()..=slice.len(),
            (None, Some((_, spec))) => width(spec),
            (None, None) => continue,
        };
        if !widths.contains(&pattern.len()) || !pattern.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            cell.say(format!("`{name}` has {} characters, the pattern {}", widths.end(), pattern.len()));
        }
        when.push((role, pattern.into()));
    }
    let mandatory = row.get("mandatory").map(|cell| defined(layers, cell, elements)).unwrap_or_default();
    Some(KindRow { kind: name?, mti: mti?, when: when.into(), mandatory })
}

/// Whether every message that `later` describes is taken by `earlier`.
fn covers(earlier: &KindRow, later: &KindRow) -> bool {
    let wider = |general: &str, special: &str| {
        general.len() == special.len() && general.bytes().zip(special.bytes()).all(|(g, s)| g == b'.' || g == s)
    };
    earlier.mti == later.mti
        && earlier
            .when
            .iter()
            .all(|(role, general)| later.when.iter().any(|(other, special)| other == role && wider(general, special)))
}

/// The elements of a list; complains of those without a row.
fn defined(layers: &Layers<'_>, cell: Cell<'_>, elements: &Elements) -> Box<[De]> {
    let list = cell.elements();
    for (de, cell) in &list {
        if !elements.contains_key(de) && !layers.elements.contains_key(de) {
            cell.say(format!("element {de} is not defined"));
        }
    }
    list.into_iter().map(|(de, _)| de).collect()
}

fn lists_of(layers: &Layers<'_>, lists: &BTreeMap<&str, (Place, Cell<'_>)>, elements: &Elements) -> Lists {
    let mut rows: Vec<(MtiPattern, Box<[De]>)> = Vec::new();
    for (text, (place, cell)) in lists {
        let list = defined(layers, *cell, elements);
        match MtiPattern::parse(text) {
            Some(pattern) => rows.push((pattern, list)),
            None => layers.top.sheet.report.say(*place, format!("`{text}` is not four digits or x")),
        }
    }
    rows.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.weight()));
    rows.into()
}

fn codes(layers: &Layers<'_>, elements: &Elements, roles: &[Option<RoleRow>]) -> (Box<[WireCode]>, Box<str>) {
    let target = roles.get(Role::ResponseCode as usize).and_then(Option::as_ref);
    let widths = target.and_then(|row| elements.get(&row.de)).map(|(_, spec)| width(spec));
    let mut codes: Vec<WireCode> = Vec::new();
    for (wire, place, cell) in &layers.codes {
        let complain = |what: String| layers.top.sheet.report.say(*place, what);
        if widths.as_ref().is_some_and(|widths| !widths.contains(&wire.len())) {
            complain(format!("code `{wire}` does not fit the element of `response-code`"));
        }
        let Some(row) = cell.table() else { continue };
        row.only(&["code", "approves", "alias"]);
        let Some(meaning) = row.need("code") else { continue };
        let Some(code) = meaning.text().and_then(ResponseCode::parse) else {
            meaning.say("there is no such response code");
            continue;
        };
        let alias = row.flag("alias");
        if !alias && codes.iter().any(|other| !other.alias && other.row.code == code) {
            complain(format!("`{wire}` is a second code for {code}: mark one of them `alias = true`"));
        }
        codes.push(WireCode { wire: (*wire).into(), row: CodeRow { code, approves: row.flag("approves") }, alias });
    }
    let fallback = layers.fallback.and_then(|cell| cell.text()).unwrap_or_default();
    match layers.fallback {
        None if codes.is_empty() => {}
        None => layers.top.say("`fallback` is missing in `[codes]`"),
        Some(cell) if !codes.iter().any(|code| &*code.wire == fallback) => cell.say("`fallback` has no row"),
        Some(_) => {}
    }
    (codes.into(), fallback.into())
}

fn mac(layers: &Layers<'_>, elements: &Elements, bitmaps: u8) -> Box<[De]> {
    let Some(cell) = layers.values.get("mac") else { return Box::default() };
    let list = cell.elements();
    for (de, cell) in &list {
        if !matches!(de, 64 | 128) {
            cell.say(format!("element {de} is not the last of its bitmap: a MAC is in 64 or 128"));
        }
        match elements.get(de) {
            Some((_, spec)) if !matches!(spec.length, Length::Fixed(_)) => cell.say("a MAC has a fixed length"),
            None if !layers.elements.contains_key(de) => cell.say(format!("element {de} is not defined")),
            _ => {}
        }
        if *de > 64 && bitmaps == 3 {
            cell.say("with three bitmaps element 128 need not be the last");
        }
    }
    list.into_iter().map(|(de, _)| de).collect()
}
