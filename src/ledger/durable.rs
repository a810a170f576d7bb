//! A ledger opened from its folder: the book is the fold of what the journal holds.

use super::EmbeddedLedger;
use super::book::Book;
use super::closed::ClosedDays;
use super::housekeeper;
use super::housekeeper::Housekeeper;
use super::housekeeper::Loaded;
use super::journal;
use super::journal::AnchorKeeper;
use super::journal::Disk;
use super::journal::Fault;
use super::journal::Group;
use super::journal::Groups;
use super::journal::JournalFault;
use super::journal::Options;
use super::journal::Place;
use super::journal::Preparer;
use super::journal::RecordFault;
use super::journal::Writer;
use super::journal::codec::Decoder;
use super::journal::replay::Torn;
use crate::mutant;
use crate::mutant::Mutant;
use crate::risk::Memory;
use std::sync::Arc;

/// What a ledger's folder held when it was opened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// Whether the ledger was made just now.
    pub is_new: bool,
    /// Transactions in the book.
    pub transactions: usize,
    /// Groups that were read.
    pub groups: u64,
    /// What was behind the last whole group and was cut: the last write before a crash, which nobody was told of.
    pub torn: Option<Torn>,
    /// The group of the snapshot that was read first, if there was one.
    pub snapshot: Option<u64>,
    /// Snapshots that could not be used, and why.
    pub refused: Vec<String>,
}

/// An opened ledger and the parts that make it durable, each for a thread of its own.
pub struct OpenedLedger<D: Disk> {
    /// The ledger.
    pub ledger: EmbeddedLedger,
    /// Group commit.
    pub groups: Arc<Groups>,
    /// Writes what the ledger decides. Nothing is answered before it runs.
    pub writer: Writer<D>,
    /// Makes the next segment.
    pub preparer: Preparer<D>,
    /// Writes the anchor.
    pub anchor: AnchorKeeper<D>,
    /// Makes snapshots.
    pub housekeeper: Housekeeper<D>,
    /// What was found.
    pub found: Found,
}

impl EmbeddedLedger {
    /// Opens the ledger in a folder, or makes one there. It takes `capacity` transactions, as
    /// [`EmbeddedLedger::volatile`]. What was open when the last run ended is open still: recovery decides it.
    ///
    /// # Errors
    /// What keeps the journal from being believed; nothing was changed then.
    pub fn open<D: Disk>(mut disk: D, options: &Options, capacity: usize) -> Result<OpenedLedger<D>, JournalFault> {
        let Loaded { mut book, head, refused } = housekeeper::load(&mut disk)?;
        let mut decoder = Decoder::default();
        let opened = journal::open(disk.clone(), options, head, &mut |group| fold(&mut book, &mut decoder, group))?;
        let closed = ClosedDays::open(&mut disk, opened.replayed.id);
        let closed =
            Arc::new(closed.map_err(|fault| {
                JournalFault::at(disk.folder(), Place::new("", 0, 0), Fault::of_closed_days(fault))
            })?);
        if mutant::is(Mutant::OwedForgotten) {
            book.owed.clear();
        }
        if mutant::is(Mutant::MemoryForgotten) {
            book.memory = Memory::default();
        }
        if mutant::is(Mutant::LadderForgotten) {
            book.ladders.clear();
        }
        for departed in book.take_departed().into_iter().filter(|_| !mutant::is(Mutant::ClosedForgotten)) {
            closed.add(departed);
        }
        let housekeeper = Housekeeper::new(disk, Arc::clone(&closed));
        let found = Found {
            is_new: opened.is_new,
            transactions: book.entries.len(),
            groups: opened.replayed.head.number - opened.replayed.start.number,
            torn: opened.replayed.torn,
            snapshot: head.map(|head| head.number),
            refused: refused.iter().map(ToString::to_string).collect(),
        };
        Ok(OpenedLedger {
            ledger: Self::durable(book, Arc::clone(&opened.groups), closed, capacity),
            groups: opened.groups,
            writer: opened.writer,
            preparer: opened.preparer,
            anchor: opened.anchor,
            housekeeper,
            found,
        })
    }
}

/// Takes the facts of one group in.
pub(super) fn fold(book: &mut Book, decoder: &mut Decoder, group: &Group<'_>) -> Result<(), RecordFault> {
    for (index, bytes) in (0..).zip(group.records()) {
        let record = decoder.decode(bytes).map_err(|fault| RecordFault { index, fault })?;
        book.apply(&record);
    }
    Ok(())
}
