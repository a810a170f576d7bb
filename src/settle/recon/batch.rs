//! A terminal's batch beside the ledger. Pure.

use super::difference::Difference;
use super::difference::Key;
use super::difference::Sort;
use super::difference::With;
use crate::ledger::batches;
use crate::ledger::batches::BatchRecord;
use crate::ledger::batches::ItemDifference;

/// What differs between what a terminal said of its batch and what the ledger counts: item by item where it uploaded
/// its transactions, else its totals as one difference. What an operator closed without it differs from nothing.
#[must_use]
pub fn batch_differences(record: &BatchRecord) -> Vec<Difference> {
    if !record.differences.is_empty() {
        return record.differences.iter().map(|item| of_item(record, item)).collect();
    }
    let Some(claimed) = record.claimed.filter(|_| record.is_balanced() == Some(false)) else { return Vec::new() };
    let text = format!("the terminal says {claimed}; the ledger counts {}; {}", record.counted, record.state.name());
    vec![Difference { key: key(record, Sort::Amount), here: None, there: None, text }]
}

fn of_item(record: &BatchRecord, item: &ItemDifference) -> Difference {
    let sort = match item.what {
        batches::Difference::MissingThere => Sort::MissingThere,
        batches::Difference::MissingHere | batches::Difference::Unknown => Sort::MissingHere,
        batches::Difference::Amount => Sort::Amount,
        batches::Difference::Card | batches::Difference::CardClass => Sort::Card,
        batches::Difference::Duplicate => Sort::Duplicate,
    };
    let key = Key { rrn: item.rrn, nth: item.stan.value(), ..key(record, sort) };
    Difference { key, here: None, there: None, text: item.to_string() }
}

fn key(record: &BatchRecord, sort: Sort) -> Key {
    let with = With::Batch(record.terminal, record.batch);
    Key { date: record.closed_on, with, currency: None, sort, rrn: None, is_undo: false, nth: 0 }
}
