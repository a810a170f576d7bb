//! All batches of a journal, for those who report and settle.

use super::BatchRecord;
use super::OpenBatch;
use crate::ledger::book::Book;
use crate::ledger::history;
use crate::ledger::history::Reader;
use crate::ledger::journal::Disk;
use crate::ledger::journal::Group;
use crate::ledger::journal::JournalFault;
use crate::ledger::record::Record;
use crate::model::BatchNumber;
use crate::model::TerminalId;
use crate::model::Timestamp;
use std::collections::BTreeMap;

/// What a journal says of batches.
#[derive(Clone, Debug, Default)]
pub struct Batches {
    /// Those that take no transactions any more, by terminal, time of their close, and number.
    pub closed: Vec<BatchRecord>,
    /// Those that do, by terminal and number.
    pub open: Vec<OpenBatch>,
}

/// Reads all batches of a ledger's folder, also one that a station is writing to; it takes the memory of the
/// station's own book. Where the first segments were removed, of older batches only those are known that the
/// oldest snapshot tells of.
///
/// # Errors
/// As far as the journal cannot be believed or read.
pub fn read<D: Disk>(disk: &mut D) -> Result<Batches, JournalFault> {
    let mut reading = Reading::default();
    history::read(disk, &mut reading)?;
    let Reading { book, closed } = reading;
    let open = book.batches.open().filter_map(|(terminal, batch)| book.open_batch(terminal, batch)).collect();
    Ok(Batches { closed: closed.into_values().collect(), open })
}

#[derive(Default)]
struct Reading {
    book: Book,
    closed: BTreeMap<(TerminalId, Timestamp, BatchNumber), BatchRecord>,
}

impl Reader for Reading {
    fn departed(&mut self, _record: &Record) {}

    fn snapshot(&mut self, _begins: bool) {}

    fn group(&mut self, _group: &Group<'_>) {}

    fn record(&mut self, record: &Record) {
        self.book.apply(record);
        self.book.take_departed();
        let key = match record {
            Record::Batch(record) => (record.terminal, record.batch),
            Record::Uploaded(terminal, batch, _) => (*terminal, *batch),
            _ => return,
        };
        if let Some(record) = self.book.batches.record(key.0, key.1) {
            self.closed.insert((key.0, record.closed_at, key.1), record.clone());
        }
    }

    fn group_ends(&mut self) {}
}
