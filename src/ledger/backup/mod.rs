//! A copy of a ledger up to a durable group, made while a station runs; and back, with proof.
//!
//! The copy is a journal like any other: the same files, an anchor that names its last group, and beside them
//! a [`Manifest`] and `SHA256SUMS`, which `sha256sum -c` reads too. Generic over [`Disk`].

mod copy;
mod manifest;
mod numbers;

pub use manifest::{FileEntry, HeadEntry, Manifest, TotalEntry};
pub use numbers::SKIPPED;

use super::closed;
use super::history;
use super::journal::Disk;
use super::journal::Fault;
use super::journal::Head;
use super::journal::JournalFault;
use super::journal::JournalId;
use super::journal::Place;
use super::journal::anchor;
use super::journal::format::SECTOR;
use super::journal::format::Slot;
use super::journal::layout;
use super::verify;
use super::verify::Invariant;
use super::verify::Report;
use crate::model::Timestamp;
use copy::Source;

/// The manifest's name.
pub const MANIFEST: &str = "manifest.json";
/// The name of the list of check sums.
pub const SUMS: &str = "SHA256SUMS";
/// How often files may vanish between being listed and being opened, before that is an error.
const TRIES: usize = 5;

/// Why there is no backup, or nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupFault {
    /// The ledger's own, or its disk's.
    #[error("{0}")]
    Journal(#[from] JournalFault),
    /// The other folder's disk.
    #[error("{0}: {1}")]
    Io(String, #[source] std::io::Error),
    /// There is no backup, or not all of it.
    #[error("{0}")]
    Incomplete(String),
    /// A file is not as it was written.
    #[error("{0}: it is not as it was written: the check sum differs")]
    Changed(String),
    /// What was copied is not what it should be.
    #[error("the copy does not prove itself: {0}")]
    Unproved(String),
    /// Something is there already.
    #[error("{0}: there are files already; nothing was written")]
    NotEmpty(String),
}

impl BackupFault {
    /// Whether it says that a backup is damaged, and not that something could not be done.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Incomplete(_) | Self::Changed(_) | Self::Unproved(_))
    }
}

/// Copies the ledger in `from` as of its anchor to the empty folder `to`, and verifies the copy. A station may
/// be writing to `from`. What the ledger itself has wrong is copied too, and counted in the manifest.
///
/// # Errors
/// See [`BackupFault`]; what was written by then is no backup, for the manifest comes last.
pub fn backup<D: Disk, T: Disk>(from: &mut D, to: &mut T, made: Timestamp) -> Result<(Manifest, Report), BackupFault> {
    is_empty(to)?;
    let (id, head, sources) = sources(from)?;
    let mut files = Vec::new();
    for source in &sources {
        files.push(source.copy(from, to)?);
    }
    files.push(anchor_of(to, id, head)?);
    to.sync_folder().map_err(|error| BackupFault::Io(to.folder(), error))?;
    let report = proved(to, head)?;
    let manifest = Manifest::new(made, id, head, files, &report);
    manifest.write(to)?;
    Ok((manifest, report))
}

/// Copies the backup in `from` to the empty folder `to` and proves the copy: check sums, chain, anchor, and
/// the totals of the manifest. Only then is it a ledger to start from, and gets one group more, of the time
/// `now`: it goes on with numbers that are [`SKIPPED`] higher, for those after the backup have been given out.
///
/// # Errors
/// See [`BackupFault`]; then what is in `to` must not be used.
pub fn restore<F: Disk, T: Disk>(from: &mut F, to: &mut T, now: Timestamp) -> Result<(Manifest, Report), BackupFault> {
    is_empty(to)?;
    let manifest = Manifest::read(from)?;
    for file in &manifest.files {
        let source = Source::whole(from, &file.name)
            .map_err(|_| BackupFault::Incomplete(format!("{}/{} is missing", from.folder(), file.name)))?;
        let copied = source.copy(from, to)?;
        if copied != *file {
            return Err(BackupFault::Changed(format!("{}/{}", from.folder(), file.name)));
        }
    }
    to.sync_folder().map_err(|error| BackupFault::Io(to.folder(), error))?;
    let head = manifest.head()?;
    let report = proved(to, head)?;
    let again = Manifest::new(Timestamp(0), manifest.journal()?, head, Vec::new(), &report);
    if again.totals != manifest.totals {
        return Err(BackupFault::Unproved("its totals are not those of the manifest".to_owned()));
    }
    if again.violations != manifest.violations {
        return Err(BackupFault::Unproved("it verifies otherwise than when it was made".to_owned()));
    }
    numbers::skip(to, now)?;
    Ok((manifest, report))
}

/// Verifies a copy: its chain is whole and ends with `head`.
fn proved<T: Disk>(to: &mut T, head: Head) -> Result<Report, BackupFault> {
    let report = verify::verify(to)?;
    if let Some(broken) = report.violations.iter().find(|found| found.invariant == Invariant::I12) {
        return Err(BackupFault::Unproved(broken.to_string()));
    }
    match &report.journal {
        Some(journal) if journal.head == head => Ok(report),
        _ => Err(BackupFault::Unproved("it does not end where it should".to_owned())),
    }
}

fn is_empty<T: Disk>(to: &mut T) -> Result<(), BackupFault> {
    let names = to.list().map_err(|error| BackupFault::Io(to.folder(), error))?;
    match names.iter().all(|name| name == "lock") {
        true => Ok(()),
        false => Err(BackupFault::NotEmpty(to.folder())),
    }
}

type Sources<F> = (JournalId, Head, Vec<Source<F>>);

/// What is to be copied, opened: then nothing can take it away any more.
fn sources<D: Disk>(from: &mut D) -> Result<Sources<D::File>, BackupFault> {
    let mut tries = 0;
    loop {
        tries += 1;
        match opened(from) {
            Err(BackupFault::Io(..)) if tries < TRIES => {}
            done => return done,
        }
    }
}

fn opened<D: Disk>(from: &mut D) -> Result<Sources<D::File>, BackupFault> {
    // First the anchor: what it names is in the files that are listed after it.
    let place = Place::new(layout::ANCHOR, 0, 0);
    let anchored = anchor::read(from)?.ok_or_else(|| JournalFault::at(from.folder(), place, Fault::Nothing))?;
    let head = anchored.head();
    let segments = layout::segments(from)?;
    let mut sources = Vec::new();
    for segment in segments.iter().filter(|segment| segment.header.first <= head.number) {
        let opened = Source::whole(from, &segment.name);
        let mut source =
            opened.map_err(|error| BackupFault::Io(format!("{}/{}", from.folder(), segment.name), error))?;
        source.end = end_of(from, &source, head.number)?;
        sources.push(source);
    }
    // Snapshots that are newer than the anchor are of no use without what it does not name yet.
    let mut snapshots = history::snapshots(from)?;
    snapshots.retain(|number| *number <= head.number);
    let names = snapshots.iter().map(|number| layout::snapshot_name(*number));
    sources.extend(whole(from, names)?);
    // Days that no such snapshot leaves out are still in the segments.
    let closings = snapshots.iter().filter_map(|number| history::closings(from, *number, anchored.id)).max();
    let days = closed::names(from).map_err(|error| BackupFault::Io(from.folder(), error))?;
    let days = days.into_iter().filter(|day| closings.is_some_and(|closings| day.closing <= closings));
    let there = from.list().map_err(|error| BackupFault::Io(from.folder(), error))?;
    // An index that is missing is made again by the first start.
    let keys = |name: &String| there.contains(name);
    let days = days.flat_map(|day| [Some(day.records()), Some(day.keys()).filter(keys)]);
    sources.extend(whole(from, days.flatten())?);
    Ok((anchored.id, head, sources))
}

/// Files that are copied whole.
fn whole<D: Disk>(from: &mut D, names: impl Iterator<Item = String>) -> Result<Vec<Source<D::File>>, BackupFault> {
    let mut open = |name: String| {
        let opened = Source::whole(from, &name);
        opened.map_err(|error| BackupFault::Io(format!("{}/{name}", from.folder()), error))
    };
    names.map(&mut open).collect()
}

/// Where group `last` ends, if it is in this segment; the rest of the segment is zeros in the copy.
fn end_of<D: Disk>(from: &mut D, source: &Source<D::File>, last: u64) -> Result<u64, BackupFault> {
    let span = history::span_in(from, &source.file, &source.name, last)?;
    Ok(span.map_or(source.length, |(_, end)| end))
}

/// An anchor that names `head`.
fn anchor_of<T: Disk>(to: &mut T, id: JournalId, head: Head) -> Result<FileEntry, BackupFault> {
    let mut bytes = [0; 2 * SECTOR];
    let slot = Slot { id, head }.encode();
    for (place, byte) in bytes.iter_mut().zip(slot) {
        *place = byte;
    }
    copy::write(to, layout::ANCHOR, &bytes)
}
