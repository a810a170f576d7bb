//! Chip applications and contactless parameters: one tag a column.

use super::super::table::{Breaches, Row, Source};
use super::{Catalogue, Entry, catalogue, hex};
use std::ops::RangeInclusive;

/// A column, its tag, how many bytes it has, whether it must be there.
struct Column(&'static str, &'static [u8], RangeInclusive<usize>, bool);

/// In the order in which they are sent. Values are as the terminal gets them, in hex.
const APPLICATION: &[Column] = &[
    Column("aid", &[0x9F, 0x06], 5..=16, true),
    Column("partial_match", &[0xDF, 0x01], 1..=1, true),
    Column("version", &[0x9F, 0x08], 2..=2, true),
    Column("tac_default", &[0xDF, 0x11], 5..=5, true),
    Column("tac_online", &[0xDF, 0x12], 5..=5, true),
    Column("tac_denial", &[0xDF, 0x13], 5..=5, true),
    Column("floor_limit", &[0x9F, 0x1B], 4..=4, true),
    Column("threshold", &[0xDF, 0x15], 4..=4, true),
    Column("target_most", &[0xDF, 0x16], 1..=1, true),
    Column("target", &[0xDF, 0x17], 1..=1, true),
    Column("ddol", &[0xDF, 0x14], 1..=252, true),
    Column("online_pin", &[0xDF, 0x18], 1..=1, true),
    Column("cash_limit", &[0x9F, 0x7B], 6..=6, false),
    Column("contactless_floor_limit", &[0xDF, 0x19], 6..=6, false),
    Column("contactless_limit", &[0xDF, 0x20], 6..=6, false),
    Column("contactless_cvm_limit", &[0xDF, 0x21], 6..=6, false),
];
const APPLICATION_COLUMNS: &[&str; 16] = &[
    "aid",
    "partial_match",
    "version",
    "tac_default",
    "tac_online",
    "tac_denial",
    "floor_limit",
    "threshold",
    "target_most",
    "target",
    "ddol",
    "online_pin",
    "cash_limit",
    "contactless_floor_limit",
    "contactless_limit",
    "contactless_cvm_limit",
];

const CONTACTLESS_COLUMNS: &[&str; 2] = &["tag", "value"];
/// The tags that terminals know.
const CONTACTLESS: &[&[u8; 3]] = &[
    &[0xFF, 0x80, 0x5D],
    &[0xFF, 0x80, 0x3A],
    &[0xFF, 0x80, 0x3C],
    &[0xFF, 0x80, 0x54],
    &[0xFF, 0x80, 0x55],
    &[0xFF, 0x80, 0x56],
    &[0xFF, 0x80, 0x57],
    &[0xFF, 0x80, 0x58],
    &[0xFF, 0x80, 0x59],
    &[0xFF, 0x80, 0x5A],
];

pub(super) fn applications(source: Source<'_>, breaches: &mut Breaches) -> Option<Catalogue> {
    catalogue(source, "aid", APPLICATION_COLUMNS, breaches, |row, breaches| {
        let values: Vec<_> = APPLICATION.iter().map(|column| value(row, column, breaches)).collect();
        let tags: Option<Vec<_>> = values.into_iter().flatten().collect();
        Some(Entry { tags: tags?, key: 1, told: 1 })
    })
}

/// `None`: the column is left out and may be. `Some(None)`: it is missing or wrong.
#[allow(clippy::option_option, reason = "left out, wrong, there: three cases, as collected above")]
fn value<const N: usize>(
    row: &Row<'_, N>,
    Column(name, tag, length, needed): &Column,
    breaches: &mut Breaches,
) -> Option<Option<(Vec<u8>, Vec<u8>)>> {
    if !needed && !row.has(name) {
        return None;
    }
    let form = match (length.start(), length.end()) {
        (1, 1) => "1 byte in hex".to_owned(),
        (least, most) if least == most => format!("{most} bytes in hex"),
        (least, most) => format!("{least} to {most} bytes in hex"),
    };
    let parse = |text: &str| hex(text).filter(|bytes| length.contains(&bytes.len()));
    Some(row.required(name, &form, parse, breaches).map(|value| (tag.to_vec(), value)))
}

pub(super) fn contactless(source: Source<'_>, breaches: &mut Breaches) -> Option<Catalogue> {
    catalogue(source, "contactless", CONTACTLESS_COLUMNS, breaches, |row, breaches| {
        let known = |text: &str| hex(text).filter(|tag| CONTACTLESS.iter().any(|known| known.as_slice() == tag));
        let tag = row.required("tag", "FF803A, FF803C, FF8054 to FF805A or FF805D", known, breaches);
        let value = row.required(
            "value",
            "1 to 240 bytes in hex",
            |text| hex(text).filter(|bytes| (1..=240).contains(&bytes.len())),
            breaches,
        );
        Some(Entry { tags: vec![(tag?, value?)], key: 1, told: 1 })
    })
}
