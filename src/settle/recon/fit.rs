//! Whether a row is of the transaction whose number it has. Pure.

use super::clearing::ClearingRow;
use super::clearing::plain;
use super::difference::Sort;
use super::line::Line;
use crate::model::Kind;

/// In what a row is of something else than the transaction of its number: each with a sentence, which never has card
/// data. A merchant that the row does not say fits; the kind of an undo is always `reversal`.
pub(super) fn misfits(row: &ClearingRow, line: &Line) -> Vec<(Sort, String)> {
    let mut found = Vec::new();
    let mut compare = |sort, here: &str, there: &str| {
        if here != there {
            found.push((sort, format!("{here} here, {there} there")));
        }
    };
    if row.kind != Kind::Reversal {
        compare(Sort::Kind, line.kind.name(), row.kind.name());
    }
    compare(Sort::Terminal, &plain(line.terminal.as_str()), &plain(row.terminal.as_str()));
    if let Some(merchant) = row.merchant {
        compare(Sort::Merchant, &plain(line.merchant.as_str()), &plain(merchant.as_str()));
    }
    if line.card.is_some_and(|card| card != row.card) {
        found.push((Sort::Card, "another card there".to_owned()));
    }
    found
}
