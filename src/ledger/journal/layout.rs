//! The files of a journal's folder, and how they are read.

use super::Disk;
use super::Fault;
use super::JournalFault;
use super::Place;
use super::format::SEGMENT_HEADER;
use super::format::SegmentHeader;
use std::io;

/// The anchor: two slots.
pub(in crate::ledger) const ANCHOR: &str = "anchor";
/// The anchor while it is made.
pub(super) const ANCHOR_NEW: &str = "anchor.tmp";
/// The next segment, zero-filled, without a header.
pub(super) const PREPARED: &str = "prepared.tgj";
/// The next segment while it is filled.
pub(super) const PREPARED_NEW: &str = "prepared.tmp";

/// The name of the segment whose first group has this number.
#[must_use]
pub fn segment_name(first: u64) -> String {
    format!("segment-{first:020}.tgj")
}

/// The number of the first group of a segment, by its name; `None` if it is no segment.
#[must_use]
pub fn segment_number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("segment-")?.strip_suffix(".tgj")?;
    let decimal = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    decimal.then(|| digits.parse().ok()).flatten()
}

/// The name of the snapshot of the book after a group.
#[must_use]
pub fn snapshot_name(group: u64) -> String {
    format!("snapshot-{group:020}.tgs")
}

/// The group of a snapshot, by its name; `None` if it is no snapshot.
#[must_use]
pub fn snapshot_number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("snapshot-")?.strip_suffix(".tgs")?;
    let decimal = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    decimal.then(|| digits.parse().ok()).flatten()
}

/// A segment file and its header.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SegmentFile {
    /// Its name.
    pub name: String,
    /// Its header.
    pub header: SegmentHeader,
    /// Its length in bytes.
    pub length: u64,
}

/// Maps an operating system's error to the fault of a place; one without a file is the folder.
pub(in crate::ledger) fn at<D: Disk>(
    disk: &D,
    what: &'static str,
    place: Place,
) -> impl FnOnce(io::Error) -> JournalFault {
    let folder = disk.folder();
    let place = (!place.file.is_empty()).then_some(place);
    move |error| JournalFault { folder, place, fault: Fault::Io(what, error) }
}

/// Reads until `buffer` is full or the file ends; returns how much was read.
pub(in crate::ledger) fn read_full<D: Disk>(
    disk: &mut D,
    file: &D::File,
    buffer: &mut [u8],
    at: u64,
) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match disk.read_at(file, rest, at + offset(done)) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// A length in memory as a length in a file.
pub(in crate::ledger) fn offset(length: usize) -> u64 {
    length as u64
}

/// The segments of a folder with their headers, in order. Each is whole as it was made; whether they follow
/// one another is what replay says.
///
/// # Errors
/// A segment whose header cannot be read, is of another journal or of another name, or that is shorter than
/// it was made.
pub fn segments<D: Disk>(disk: &mut D) -> Result<Vec<SegmentFile>, JournalFault> {
    let names = disk.list().map_err(at(disk, "the folder cannot be listed", Place::new("", 0, 0)))?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment_number(name)).collect();
    numbers.sort_unstable();
    numbers.into_iter().map(|first| segment(disk, first)).collect()
}

fn segment<D: Disk>(disk: &mut D, first: u64) -> Result<SegmentFile, JournalFault> {
    let name = segment_name(first);
    let here = Place::new(&name, 0, first);
    let file = disk.open(&name).map_err(at(disk, "the segment cannot be opened", here.clone()))?;
    let length = disk.len(&file).map_err(at(disk, "the segment cannot be read", here.clone()))?;
    let mut buffer = [0; SEGMENT_HEADER];
    let read = read_full(disk, &file, &mut buffer, 0).map_err(at(disk, "the segment cannot be read", here.clone()))?;
    let refuse = |fault| JournalFault::at(disk.folder(), here.clone(), fault);
    let header = SegmentHeader::decode(buffer.get(..read).unwrap_or_default()).map_err(|fault| refuse(fault.into()))?;
    if header.first != first {
        return Err(refuse(Fault::Renamed { first: header.first }));
    }
    if length < header.length {
        return Err(refuse(Fault::Truncated { length, made: header.length }));
    }
    Ok(SegmentFile { name, header, length })
}
