//! Closed days: whole, of this journal, and what the journal let go, as long as it still has the groups.
//!
//! The ledger's own book is folded beside the checks for this, and what leaves it is compared record by record
//! with the files: eight bytes of memory for each.

use super::fold::TOLD;
use super::fold::Verifier;
use super::invariant::Invariant;
use super::invariant::Violation;
use crate::ledger::TxnId;
use crate::ledger::book::Book;
use crate::ledger::closed;
use crate::ledger::closed::DayName;
use crate::ledger::history;
use crate::ledger::journal::Disk;
use crate::ledger::journal::JournalFault;
use crate::ledger::journal::JournalId;
use crate::ledger::journal::Place;
use crate::ledger::journal::anchor;
use crate::ledger::journal::blocks::FileFault;
use crate::ledger::journal::codec;
use crate::ledger::journal::layout;
use crate::ledger::record::Record;
use crate::ledger::standing::Departed;
use crate::model::Rrn;
use sha2::Digest;
use sha2::Sha256;
use std::io;

/// The files of days as they were when reading began, and what should be in them.
pub(super) struct Days {
    /// There is nothing to compare without files of days, and without snapshots that leave days out.
    book: Option<Book>,
    id: JournalId,
    files: Vec<Due>,
    /// Closings that a snapshot leaves out.
    written: u64,
    /// Closings before the first group that is there.
    before: u64,
    missing: Vec<DayName>,
}

struct Due {
    name: DayName,
    records: Vec<u64>,
}

/// The first record that differs: where, and whose it is.
struct Differs {
    at: u64,
    whose: Option<(TxnId, Rrn)>,
}

impl Days {
    pub(super) fn new<D: Disk>(disk: &mut D, snapshots: &[u64]) -> Result<Self, JournalFault> {
        let id = anchor::read(disk)?.map(|anchored| anchored.id).unwrap_or(JournalId([0; 16]));
        // A day is written before the snapshot that leaves it out; so they are listed the other way round.
        let written = snapshots.iter().filter_map(|number| history::closings(disk, *number, id)).max().unwrap_or(0);
        let names = closed::names(disk);
        let names = names.map_err(layout::at(disk, "the folder cannot be listed", Place::new("", 0, 0)))?;
        let files: Vec<Due> = names.into_iter().map(|name| Due { name, records: Vec::new() }).collect();
        let book = (written > 0 || !files.is_empty()).then(Book::default);
        Ok(Self { book, id, files, written, before: 0, missing: Vec::new() })
    }

    /// Follows the journal, from the snapshot that it may begin with.
    pub(super) fn record(&mut self, record: &Record, in_snapshot: bool) {
        let Some(book) = &mut self.book else { return };
        book.apply(record);
        if in_snapshot {
            self.before = book.marks.closings;
        }
        let departed = book.take_departed();
        departed.iter().for_each(|departed| self.left(departed));
    }

    fn left(&mut self, departed: &Departed) {
        let name = DayName::new(departed.date, departed.closing);
        // They are in order: the first that ends with this closing or a later one has it.
        let due = self.files.iter_mut().find(|due| due.name.date == name.date && due.name.closing >= name.closing);
        let Some(due) = due else {
            // Of days beyond those that are kept there is nothing left.
            let is_kept = self.files.first().is_none_or(|oldest| oldest.name.date <= name.date);
            if is_kept && name.closing <= self.written {
                self.missing.push(name);
            }
            return;
        };
        let transactions = departed.transactions.iter().cloned().map(|one| Record::Standing(Box::new(one)));
        let reversals = departed.reversals.iter().cloned().map(|one| Record::Reversal(Box::new(one)));
        let mut bytes = Vec::new();
        for record in transactions.chain(reversals) {
            bytes.clear();
            codec::encode(&record, &mut bytes);
            due.records.push(digest(&bytes));
        }
    }

    /// Compares the files with what left.
    pub(super) fn ends<D: Disk>(&self, disk: &mut D, verifier: &mut Verifier) {
        let Some(book) = &self.book else { return };
        for name in &self.missing {
            verifier.day(Invariant::I12, &name.records(), "a closed day that a snapshot leaves out is not there", None);
        }
        for due in &self.files {
            let file = due.name.records();
            if due.name.closing > book.marks.closings {
                verifier.day(Invariant::I12, &file, "there is a closed day that the journal has not closed", None);
                continue;
            }
            match self.compare(disk, due) {
                // Beyond the days that are kept, and removed meanwhile by a station that runs.
                Err(FileFault::Io(error)) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(fault) => verifier.day(Invariant::I12, &file, &fault.to_string(), None),
                Ok(Some(differs)) => {
                    verifier.day(
                        Invariant::I11,
                        &file,
                        "the closed day is not what the journal let go",
                        Some(&differs),
                    );
                }
                Ok(None) => verifier.day_is_whole(due.records.len()),
            }
            if matches!(closed::has_right_keys(disk, due.name, self.id), Ok(false) | Err(FileFault::Io(_))) {
                let what = "not the index of its day; remove it, and the next start makes it again";
                verifier.day(Invariant::I12, &due.name.keys(), what, None);
            }
        }
    }

    /// The first record that is not what left; of days that left before the first group it is not known.
    fn compare<D: Disk>(&self, disk: &mut D, due: &Due) -> Result<Option<Differs>, FileFault> {
        let is_known = due.name.closing > self.before;
        let (mut expected, mut differs) = (due.records.iter(), None);
        closed::read(disk, due.name, self.id, &mut |place, bytes, record| {
            if is_known && differs.is_none() && expected.next() != Some(&digest(bytes)) {
                differs = Some(Differs { at: place.block, whose: whose(&record) });
            }
        })?;
        let is_short = is_known && differs.is_none() && expected.next().is_some();
        Ok(differs.or_else(|| is_short.then_some(Differs { at: 0, whose: None })))
    }
}

fn digest(bytes: &[u8]) -> u64 {
    let hash: [u8; 32] = Sha256::digest(bytes).into();
    hash.first_chunk().copied().map(u64::from_be_bytes).unwrap_or_default()
}

fn whose(record: &Record) -> Option<(TxnId, Rrn)> {
    match record {
        Record::Standing(standing) => Some((standing.intent.id, standing.intent.rrn)),
        Record::Reversal(kept) => Some((kept.number, kept.rrn)),
        _ => None,
    }
}

impl Verifier {
    fn day_is_whole(&mut self, records: usize) {
        self.counts.days += 1;
        *self.counts.checks.entry(Invariant::I12).or_default() += 1;
        *self.counts.checks.entry(Invariant::I11).or_default() += records as u64;
    }

    fn day(&mut self, invariant: Invariant, file: &str, what: &str, differs: Option<&Differs>) {
        *self.counts.checks.entry(invariant).or_default() += 1;
        self.counts.violations += 1;
        if self.violations.len() < TOLD {
            let (id, rrn) = differs.and_then(|differs| differs.whose).unzip();
            let place = Place::new(file, differs.map_or(0, |differs| differs.at), 0);
            self.violations.push(Violation { invariant, what: what.to_owned(), id, rrn, place, record: 0 });
        }
    }
}
