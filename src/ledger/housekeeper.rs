//! What is made beside the running station of segments that are full: snapshots, so that a start need not
//! read everything, and room, by removing what they cover.
//!
//! What left with closed days goes into files of its own first.
//!
//! Nothing here is in the ledger's way: the housekeeper has a book of its own, made of the last snapshot and the
//! full segments after it. Losing any of its files costs time at the next start and nothing else.

use super::book::Book;
use super::closed::ClosedDays;
use super::durable::fold;
use super::journal::Disk;
use super::journal::Fault;
use super::journal::Head;
use super::journal::JournalFault;
use super::journal::JournalId;
use super::journal::Place;
use super::journal::anchor;
use super::journal::blocks::FileFault;
use super::journal::blocks::FileHeader;
use super::journal::blocks::Purpose;
use super::journal::blocks::RecordFile;
use super::journal::blocks::RecordReader;
use super::journal::codec;
use super::journal::codec::Decoder;
use super::journal::layout;
use super::journal::layout::SegmentFile;
use super::journal::layout::snapshot_name;
use super::journal::layout::snapshot_number;
use super::journal::replay;
use crate::model::Timestamp;
use std::io;
use std::sync::Arc;

/// A snapshot while it is made.
const SNAPSHOT_NEW: &str = "snapshot.tmp";
/// How many snapshots are kept: the second is for the case that the first was hurt.
const KEPT: usize = 2;

/// When snapshots are made.
#[derive(Clone, Copy, Debug)]
pub struct Housekeeping {
    /// Bytes of full segments since the last snapshot that are worth the next one: 256 MiB, or half the last
    /// snapshot if that is more.
    pub journal_bytes: u64,
    /// How many closed days stay: duplicates and originals of older ones are not known any more.
    pub days: usize,
    /// Whether segments are removed that the older of two snapshots covers: what closed days need of them is in
    /// the files of the days. Without, the whole history stays, for the archive to be made again from.
    pub remove_segments: bool,
}

impl Default for Housekeeping {
    fn default() -> Self {
        Self { journal_bytes: 256 << 20, days: 400, remove_segments: false }
    }
}

/// What a step of the housekeeper did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tidied {
    /// There was too little to do.
    Nothing,
    /// A snapshot was made.
    Snapshot {
        /// Of the book after this group.
        group: u64,
        /// Its length.
        bytes: u64,
    },
}

/// A snapshot that could not be used.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {fault}")]
pub(super) struct Refused {
    name: String,
    fault: FileFault,
}

/// A book as the newest whole snapshot has it, and the group after which it was so.
pub(super) struct Loaded {
    pub(super) book: Book,
    pub(super) head: Option<Head>,
    pub(super) refused: Vec<Refused>,
}

/// Loads the newest snapshot that is whole; an empty book if there is none.
///
/// # Errors
/// The disk's, or the anchor's. A damaged snapshot is no error.
pub(super) fn load<D: Disk>(disk: &mut D) -> Result<Loaded, JournalFault> {
    let mut refused = Vec::new();
    let Some(anchor) = anchor::read(disk)? else { return Ok(Loaded { book: Book::default(), head: None, refused }) };
    for number in snapshots(disk)?.into_iter().rev() {
        match read(disk, number, anchor.id) {
            Ok((book, head)) => return Ok(Loaded { book, head: Some(head), refused }),
            Err(fault) => refused.push(Refused { name: snapshot_name(number), fault }),
        }
    }
    Ok(Loaded { book: Book::default(), head: None, refused })
}

/// The snapshots of a folder by their groups, the oldest first.
fn snapshots<D: Disk>(disk: &mut D) -> Result<Vec<u64>, JournalFault> {
    let names = disk.list().map_err(layout::at(disk, "the folder cannot be listed", Place::new("", 0, 0)))?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| snapshot_number(name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn read<D: Disk>(disk: &mut D, number: u64, id: JournalId) -> Result<(Book, Head), FileFault> {
    let reader = RecordReader::open(disk, &snapshot_name(number), Purpose::Snapshot)?;
    if reader.header.id != id || reader.header.head.number != number {
        return Err(FileFault::Foreign);
    }
    let (mut book, mut decoder) = (Book::default(), Decoder::default());
    reader.read(disk, &mut |_, bytes| {
        book.apply(&decoder.decode(bytes)?);
        Ok(())
    })?;
    Ok((book, reader.header.head))
}

/// Makes snapshots, and removes what they cover. For a thread of low priority, which calls
/// [`Housekeeper::step`] every so often.
pub struct Housekeeper<D: Disk> {
    disk: D,
    closed: Arc<ClosedDays>,
    /// When it makes snapshots, and what it removes.
    pub options: Housekeeping,
}

impl<D: Disk> Housekeeper<D> {
    pub(super) fn new(disk: D, closed: Arc<ClosedDays>) -> Self {
        Self { disk, closed, options: Housekeeping::default() }
    }

    /// Makes a snapshot if it is worth it; then removes snapshots that are superseded.
    ///
    /// # Errors
    /// The disk's, or what keeps the journal from being believed. The station runs on: nothing that it needs
    /// was touched.
    pub fn step(&mut self, wall: Timestamp) -> Result<Tidied, JournalFault> {
        let segments = layout::segments(&mut self.disk)?;
        let Some((open, full)) = segments.split_last() else { return Ok(Tidied::Nothing) };
        let made = snapshots(&mut self.disk)?;
        let newest = made.last().copied().unwrap_or(0);
        let new = full.iter().filter(|segment| segment.header.first > newest);
        let new: u64 = new.map(|segment| segment.length).sum();
        if new < self.options.journal_bytes.max(self.length(newest)? / 2) || new == 0 {
            return Ok(Tidied::Nothing);
        }
        let loaded = load(&mut self.disk)?;
        let head = Head { number: open.header.first - 1, hash: open.header.previous };
        let mut book = self.book(loaded, head)?;
        // First the days, so that nothing a snapshot leaves out is nowhere.
        let departed = book.take_departed();
        let closed = self.closed.write(&mut self.disk, departed, book.marks.closings, wall);
        closed.map_err(|fault| self.closed_days(fault))?;
        let bytes = self.write(&book, head, open, wall)?;
        self.remove_superseded(full)?;
        let forgotten = self.closed.forget(&mut self.disk, self.options.days);
        forgotten.map_err(|fault| self.closed_days(fault))?;
        Ok(Tidied::Snapshot { group: head.number, bytes })
    }

    fn length(&mut self, snapshot: u64) -> Result<u64, JournalFault> {
        if snapshot == 0 {
            return Ok(0);
        }
        let name = snapshot_name(snapshot);
        let length = self.disk.open(&name).and_then(|file| self.disk.len(&file));
        length.map_err(layout::at(&self.disk, "the snapshot cannot be opened", Place::new(&name, 0, snapshot)))
    }

    /// The book after `head`.
    fn book(&mut self, loaded: Loaded, head: Head) -> Result<Book, JournalFault> {
        let (mut book, mut decoder) = (loaded.book, Decoder::default());
        // What the station writes meanwhile is looked at and not taken in.
        replay(&mut self.disk, loaded.head, &mut |group| match group.header.number > head.number {
            true => Ok(()),
            false => fold(&mut book, &mut decoder, group),
        })?;
        Ok(book)
    }

    fn write(&mut self, book: &Book, head: Head, open: &SegmentFile, wall: Timestamp) -> Result<u64, JournalFault> {
        let header = FileHeader { purpose: Purpose::Snapshot, id: open.header.id, head, created: wall };
        let name = snapshot_name(head.number);
        let written = || {
            let mut file = RecordFile::create(self.disk.clone(), SNAPSHOT_NEW, &header)?;
            for record in book.dump() {
                file.append(|out| codec::encode(&record, out))?;
            }
            file.finish(&name)
        };
        let written: io::Result<u64> = written();
        written.map_err(layout::at(&self.disk, "the snapshot cannot be written", Place::new(&name, 0, head.number)))
    }

    fn closed_days(&self, fault: FileFault) -> JournalFault {
        JournalFault::at(self.disk.folder(), Place::new("", 0, 0), Fault::of_closed_days(fault))
    }

    fn remove_superseded(&mut self, full: &[SegmentFile]) -> Result<(), JournalFault> {
        let made = snapshots(&mut self.disk)?;
        let mut gone: Vec<String> = made.iter().rev().skip(KEPT).map(|number| snapshot_name(*number)).collect();
        let covered = made.iter().rev().nth(KEPT - 1).filter(|_| self.options.remove_segments);
        if let Some(covered) = covered {
            // A segment ends where the next begins; the oldest goes first, so that what is left is a whole journal.
            let ends = full.iter().skip(1).map(|next| next.header.first - 1);
            let over = full.iter().zip(ends).take_while(|(_, end)| end <= covered);
            gone.extend(over.map(|(segment, _)| segment.name.clone()));
        }
        for name in gone {
            let place = Place::new(&name, 0, 0);
            self.disk.remove(&name).map_err(layout::at(&self.disk, "the old file cannot be removed", place))?;
        }
        let synced = self.disk.sync_folder();
        synced.map_err(|error| {
            JournalFault::at(self.disk.folder(), Place::new("", 0, 0), Fault::Io("the folder cannot be synced", error))
        })
    }
}
