//! An element's row to its wire rule.

use super::layers::Layers;
use super::part;
use super::sheet::Rows;
use crate::iso8583::class::Class;
use crate::iso8583::class::Nibbles;
use crate::iso8583::class::Text;
use crate::iso8583::error::De;
use crate::iso8583::spec::CipherFlag;
use crate::iso8583::spec::Counts;
use crate::iso8583::spec::ElementKind;
use crate::iso8583::spec::ElementSpec;
use crate::iso8583::spec::Encoding;
use crate::iso8583::spec::Length;
use crate::iso8583::spec::PrefixEncoding;
use crate::iso8583::spec::Sensitivity;
use crate::iso8583::spec::Side;
use crate::iso8583::wire::Count;
use crate::iso8583::wire::Prefix;
use crate::iso8583::wire::Scale;
use crate::iso8583::wire::Wire;

const KEYS: &[&str] = &[
    "name",
    "source",
    "kind",
    "length",
    "prefix",
    "max",
    "min",
    "prefix-encoding",
    "counts",
    "encoding",
    "pad",
    "variable-pad",
    "nibble",
    "sensitivity",
    "enciphered-when",
    "parts",
];
const ENCODINGS: &[(&str, Encoding)] = &[
    ("ascii", Encoding::Ascii),
    ("ebcdic-037", Encoding::Ebcdic037),
    ("ebcdic-1047", Encoding::Ebcdic1047),
    ("bcd", Encoding::Bcd),
    ("binary", Encoding::Binary),
    ("hex", Encoding::Hex),
    ("hex-ebcdic", Encoding::HexEbcdic),
    ("gbk", Encoding::Gbk),
];
pub(super) const PREFIXES: &[(&str, PrefixEncoding)] = &[
    ("ascii", PrefixEncoding::Ascii),
    ("ebcdic", PrefixEncoding::Ebcdic),
    ("bcd", PrefixEncoding::Bcd),
    ("binary", PrefixEncoding::Binary),
];
const COUNTS: &[(&str, Counts)] =
    &[("digits", Counts::Digits), ("characters", Counts::Characters), ("bytes", Counts::Bytes)];
const SIDES: &[(&str, Side)] = &[("left", Side::Left), ("right", Side::Right)];
const SENSITIVITIES: &[(&str, Sensitivity)] = &[
    ("plain", Sensitivity::Plain),
    ("pan", Sensitivity::Pan),
    ("track", Sensitivity::Track),
    ("pin", Sensitivity::Pin),
    ("secret", Sensitivity::Secret),
];

/// The kind's word.
fn kind_word(kind: ElementKind) -> &'static str {
    match kind {
        ElementKind::N => "n",
        ElementKind::A => "a",
        ElementKind::An => "an",
        ElementKind::Ans => "ans",
        ElementKind::B => "b",
        ElementKind::Z => "z",
        ElementKind::Xn => "xn",
    }
}

const KIND_WORDS: &[(&str, ElementKind)] = &[
    ("n", ElementKind::N),
    ("a", ElementKind::A),
    ("an", ElementKind::An),
    ("ans", ElementKind::Ans),
    ("b", ElementKind::B),
    ("z", ElementKind::Z),
    ("xn", ElementKind::Xn),
];

/// A row together with the defaults of its kind.
struct Row<'a, 'l> {
    rows: Rows<'a>,
    layers: &'l Layers<'a>,
    kind: &'static str,
}

impl Row<'_, '_> {
    /// The row's own word, or its kind's default.
    fn word<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        self.rows.word(key, words).or_else(|| self.layers.defaults.get(&(self.kind, key))?.word(key, words))
    }
}

/// The sensitivity that the row gives.
pub(super) fn sensitivity(rows: Rows<'_>) -> Option<Sensitivity> {
    rows.word("sensitivity", SENSITIVITIES)
}

/// Compiles the row of element `number`; complaints go to the report. `extra`: keys that are allowed besides.
pub(super) fn compile<'a>(
    layers: &Layers<'a>,
    rows: Rows<'a>,
    number: De,
    source: &str,
    extra: &[&str],
) -> Option<ElementSpec> {
    rows.only(&[KEYS, extra].concat());
    let name = rows.need("name").and_then(|cell| cell.text());
    rows.need("kind");
    let kind = rows.word("kind", KIND_WORDS)?;
    let row = Row { rows, layers, kind: kind_word(kind) };
    let fallback = if kind == ElementKind::B { Encoding::Binary } else { Encoding::Ascii };
    let encoding = row.word("encoding", ENCODINGS).unwrap_or(fallback);
    let length = length(&row, kind)?;
    let cipher_flag = cipher_flag(rows, kind);
    let pad = pad(&row, length);
    let nibble = row.word("nibble", &[("0", 0), ("F", 15)]).unwrap_or(0);
    let Some((class, scale)) = class(kind, encoding, pad, cipher_flag.is_some()) else {
        rows.say(format!("element {number}: kind {} has no such encoding", row.kind));
        return None;
    };
    let mut wire =
        Wire { class, check: class.check(), scale, nibble, flagged: cipher_flag.is_some(), ..Wire::UNDEFINED };
    bound(&row, kind, encoding, length, &mut wire)?;
    wire.verbatim = class.is_canonical() && scale == Scale::One && wire.count == Count::Units;
    let mut spec = ElementSpec {
        number,
        name: name.unwrap_or_default().into(),
        kind,
        length,
        encoding,
        pad,
        nibble,
        sensitivity: sensitivity(rows),
        source: rows.text("source").unwrap_or(source).into(),
        cipher_flag,
        layout: None,
        parts: Box::default(),
        strict: false,
        wire,
    };
    if spec.source.is_empty() {
        rows.say(format!("element {number} has no source"));
    }
    if let Some(cell) = rows.get("parts") {
        part::compile(layers, cell, &mut spec);
        spec.wire.strict = spec.strict;
    }
    Some(spec)
}

fn length(row: &Row<'_, '_>, kind: ElementKind) -> Option<Length> {
    let rows = row.rows;
    if let Some(cell) = rows.get("length") {
        for key in ["prefix", "max", "min"] {
            if let Some(cell) = rows.get(key) {
                cell.say(format!("`{key}` belongs to a variable length, `length` to a fixed one"));
            }
        }
        return cell.number(&(1..=9999)).map(Length::Fixed);
    }
    let (prefix, max) = (rows.need("prefix"), rows.need("max"));
    let prefix = prefix?;
    let text = prefix.text()?;
    if text.is_empty() || text.len() > 4 || text.bytes().any(|byte| byte != b'L') {
        prefix.say("`prefix` is L, LL, LLL or LLLL");
        return None;
    }
    let max = max?.number(&(1..=9999))?;
    let min = rows.get("min").and_then(|cell| cell.number(&(0..=max))).unwrap_or(0);
    let counts = match kind {
        ElementKind::N | ElementKind::Z | ElementKind::Xn => Counts::Digits,
        ElementKind::A | ElementKind::An | ElementKind::Ans => Counts::Characters,
        ElementKind::B => Counts::Bytes,
    };
    Some(Length::Variable {
        min,
        max,
        digits: u8::try_from(text.len()).ok()?,
        encoding: row.word("prefix-encoding", PREFIXES).unwrap_or(PrefixEncoding::Ascii),
        counts: row.word("counts", COUNTS).unwrap_or(counts),
    })
}

/// `pad` of the row, or of its kind for its sort of length.
fn pad(row: &Row<'_, '_>, length: Length) -> Side {
    let own = row.rows.word("pad", SIDES);
    let variable = match length {
        Length::Fixed(_) => None,
        Length::Variable { .. } => row.word("variable-pad", SIDES),
    };
    own.or(variable).or_else(|| row.word("pad", SIDES)).unwrap_or(Side::Left)
}

/// `"53[2]=1"`.
fn cipher_flag(rows: Rows<'_>, kind: ElementKind) -> Option<CipherFlag> {
    let cell = rows.get("enciphered-when")?;
    let parse = |text: &str| {
        let (de, rest) = text.split_once('[')?;
        let (position, value) = rest.split_once("]=")?;
        let [value] = value.as_bytes() else { return None };
        Some(CipherFlag { de: de.parse().ok()?, position: position.parse().ok()?, value: *value })
    };
    let flag = parse(cell.text()?);
    if flag.is_none() || kind != ElementKind::Z {
        cell.say("`enciphered-when` is for kind z and reads like \"53[2]=1\"");
    }
    flag
}

/// What bytes that kind has in that encoding, and how many a unit takes.
fn class(kind: ElementKind, encoding: Encoding, pad: Side, flagged: bool) -> Option<(Class, Scale)> {
    let text = match kind {
        ElementKind::N => Text::Digits,
        ElementKind::A => Text::Alpha,
        ElementKind::An => Text::Alnum,
        ElementKind::Ans => Text::Print,
        ElementKind::Z if flagged => Text::AnyTrack,
        ElementKind::Z => Text::Track,
        ElementKind::Xn => Text::Signed,
        ElementKind::B => Text::Hex,
    };
    let scale = if kind == ElementKind::Xn { Scale::Signed } else { Scale::One };
    Some(match (encoding, kind) {
        (Encoding::Hex, ElementKind::B) => (Class::Ascii(Text::Hex), Scale::Double),
        (Encoding::HexEbcdic, ElementKind::B) => (Class::Ebcdic037(Text::Hex), Scale::Double),
        (Encoding::Binary, ElementKind::B) => (Class::Bytes, Scale::One),
        (_, ElementKind::B) => return None,
        (Encoding::Ascii, _) => (Class::Ascii(text), scale),
        (Encoding::Ebcdic037, _) => (Class::Ebcdic037(text), scale),
        (Encoding::Ebcdic1047, _) => (Class::Ebcdic1047(text), scale),
        (Encoding::Bcd, ElementKind::N) => (Class::Bcd(Nibbles::Digits, pad), Scale::Half),
        (Encoding::Bcd, ElementKind::Z) if flagged => (Class::Bcd(Nibbles::Any, pad), Scale::Half),
        (Encoding::Bcd, ElementKind::Z) => (Class::Bcd(Nibbles::Track, pad), Scale::Half),
        (Encoding::Bcd, ElementKind::Xn) => (Class::SignedBcd(pad), Scale::SignedHalf),
        (Encoding::Gbk, ElementKind::Ans) => (Class::Gbk, Scale::One),
        _ => return None,
    })
}

/// Bounds, prefix and what it counts.
fn bound(row: &Row<'_, '_>, kind: ElementKind, encoding: Encoding, length: Length, wire: &mut Wire) -> Option<()> {
    let (min, max, digits, prefix, counts) = match length {
        Length::Fixed(units) => {
            (wire.min, wire.max) = (units, units);
            wire.bytes = u16::try_from(wire.scale.bytes(units.into())).unwrap_or(u16::MAX);
            return Some(());
        }
        Length::Variable { min, max, digits, encoding, counts } => (min, max, digits, encoding, counts),
    };
    let bytes = match prefix {
        PrefixEncoding::Ascii | PrefixEncoding::Ebcdic => digits,
        PrefixEncoding::Bcd => digits.div_ceil(2),
        PrefixEncoding::Binary => digits.div_ceil(2),
    };
    let number = matches!(kind, ElementKind::N | ElementKind::Z | ElementKind::Xn);
    wire.count = match (counts, encoding) {
        (Counts::Digits, _) if number => Count::Units,
        (Counts::Characters, Encoding::Hex | Encoding::HexEbcdic) => Count::Halves,
        (Counts::Bytes, Encoding::Bcd) if kind == ElementKind::Xn => Count::PairsWithSign,
        (Counts::Bytes, Encoding::Bcd) => Count::Pairs,
        (Counts::Digits, _) | (Counts::Characters, Encoding::Bcd | Encoding::Binary) => {
            row.rows.say(format!("kind {} in this encoding has no such `counts`", row.kind));
            return None;
        }
        (Counts::Characters | Counts::Bytes, _) if kind == ElementKind::Xn => Count::WithSign,
        (Counts::Characters | Counts::Bytes, _) => Count::Units,
    };
    (wire.min, wire.max, wire.prefix) = (min, max, Prefix::of(prefix, bytes));
    let most = if prefix == PrefixEncoding::Binary { wire.prefix.most() } else { 10_usize.pow(digits.into()) - 1 };
    let wanted = wire.greatest();
    if wanted > most {
        row.rows.say(format!("a prefix of {digits} digits cannot say {wanted}"));
        return None;
    }
    Some(())
}
