//! Everything on record, in order: what left with closed days before a snapshot, what the snapshot says, then
//! every group of the journal.

use super::closed;
use super::journal::Disk;
use super::journal::Fault;
use super::journal::Group;
use super::journal::Head;
use super::journal::JournalFault;
use super::journal::JournalId;
use super::journal::Place;
use super::journal::RecordFault;
use super::journal::Replayed;
use super::journal::anchor;
use super::journal::blocks::FileFault;
use super::journal::blocks::HEADER;
use super::journal::blocks::Purpose;
use super::journal::blocks::RecordPlace;
use super::journal::blocks::RecordReader;
use super::journal::codec::Decoder;
use super::journal::format::GROUP_HEADER;
use super::journal::format::GroupHeader;
use super::journal::format::SEGMENT_HEADER;
use super::journal::format::padded;
use super::journal::layout;
use super::journal::replay;
use super::record::Marks;
use super::record::Record;
use crate::model::Timestamp;
use std::cmp::Ordering;
use std::io;

/// Is told everything on record, in order.
pub(super) trait Reader {
    /// A record of a day that was closed before the snapshot which follows: a transaction as it left, or a reversal.
    /// One that left more than once comes more than once, the last time last.
    fn departed(&mut self, record: &Record);

    /// Records of a snapshot follow, which say where things stand; or they have ended.
    fn snapshot(&mut self, begins: bool);

    /// A group begins.
    fn group(&mut self, group: &Group<'_>);

    /// A record.
    fn record(&mut self, record: &Record);

    /// The group's records end.
    fn group_ends(&mut self);
}

/// Reads a journal: all of its groups, and before them, where the first ones were removed, the oldest snapshot
/// that tells of them and the days that were closed before it. Changes nothing; a station may be writing.
///
/// # Errors
/// Every fault of [`replay()`]; what was read by then is whole and in order.
pub(super) fn read<D: Disk>(disk: &mut D, reader: &mut impl Reader) -> Result<Replayed, JournalFault> {
    let from = base(disk, reader)?;
    let mut decoder = Decoder::default();
    let mut records = Vec::new();
    replay(disk, from, &mut |group| {
        // All or none: a group with an unreadable record tells nothing.
        records.clear();
        for (index, bytes) in (0..).zip(group.records()) {
            records.push(decoder.decode(bytes).map_err(|fault| RecordFault { index, fault })?);
        }
        reader.group(group);
        records.iter().for_each(|record| reader.record(record));
        reader.group_ends();
        Ok(())
    })
}

/// Reads the oldest whole snapshot from which the segments go on, if they do not begin with the first group; and
/// before it the files of the days that were closed by then.
///
/// # Errors
/// The segments' headers, a damaged day, or the disk's.
pub(super) fn base<D: Disk>(disk: &mut D, reader: &mut impl Reader) -> Result<Option<Head>, JournalFault> {
    let Some(anchored) = anchor::read(disk)? else { return Ok(None) };
    let segments = layout::segments(disk)?;
    let Some(first) = segments.first().map(|segment| segment.header.first).filter(|first| *first > 1) else {
        return Ok(None);
    };
    for number in snapshots(disk)?.into_iter().filter(|number| number + 1 >= first) {
        let Ok(file) = RecordReader::open(disk, &layout::snapshot_name(number), Purpose::Snapshot) else { continue };
        let (mut decoder, mut marks) = (Decoder::default(), Marks::default());
        let read = file.read(disk, &mut |_, bytes| {
            if let Record::Marks(said) = decoder.decode(bytes)? {
                marks = said;
            }
            Ok(())
        });
        let is_whole = read.is_ok();
        if file.header.id != anchored.id || file.header.head.number != number || !is_whole {
            continue;
        }
        departed(disk, anchored.id, marks.closings, reader)?;
        reader.snapshot(true);
        let read = file.read(disk, &mut |_, bytes| {
            reader.record(&decoder.decode(bytes)?);
            Ok(())
        });
        reader.snapshot(false);
        let place = || Place::new(&layout::snapshot_name(number), 0, number);
        let changed = |fault| Fault::Io("the snapshot changed while it was read", io::Error::other(fault));
        read.map_err(|fault| JournalFault::at(disk.folder(), place(), changed(fault)))?;
        return Ok(Some(file.header.head));
    }
    Ok(None)
}

/// Reads the days that were closed up to this closing.
fn departed<D: Disk>(disk: &mut D, id: JournalId, closings: u64, reader: &mut impl Reader) -> Result<(), JournalFault> {
    let names = closed::names(disk).map_err(layout::at(disk, "the folder cannot be listed", Place::new("", 0, 0)))?;
    let mut names: Vec<_> = names.into_iter().filter(|name| name.closing <= closings).collect();
    names.sort_unstable_by_key(|name| name.closing);
    for name in names {
        match closed::read(disk, name, id, &mut |_, _, record| reader.departed(&record)) {
            // Beyond the days that are kept, and removed meanwhile by a station that runs.
            Err(FileFault::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
            read => {
                let at = |fault| {
                    JournalFault::at(disk.folder(), Place::new(&name.records(), 0, 0), Fault::of_closed_days(fault))
                };
                read.map_err(at)?;
            }
        }
    }
    Ok(())
}

/// How many days a snapshot says were closed; `None` if it is not readable, or of another journal.
pub(super) fn closings<D: Disk>(disk: &mut D, snapshot: u64, id: JournalId) -> Option<u64> {
    let file = RecordReader::open(disk, &layout::snapshot_name(snapshot), Purpose::Snapshot).ok()?;
    let first = file.one(disk, RecordPlace { block: layout::offset(HEADER), index: 0 }).ok()?;
    match Decoder::default().decode(&first).ok()? {
        Record::Marks(marks) if file.header.id == id => Some(marks.closings),
        _ => None,
    }
}

/// The snapshots of a folder by their groups, the oldest first.
///
/// # Errors
/// The disk's.
pub(super) fn snapshots<D: Disk>(disk: &mut D) -> Result<Vec<u64>, JournalFault> {
    let names = disk.list().map_err(layout::at(disk, "the folder cannot be listed", Place::new("", 0, 0)))?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| layout::snapshot_number(name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Where a group is, if it is in one of the segments.
pub(super) fn place_of<D: Disk>(disk: &mut D, number: u64) -> Result<Option<Place>, JournalFault> {
    let names = disk.list().map_err(layout::at(disk, "the folder cannot be listed", Place::new("", 0, 0)))?;
    let firsts = names.iter().filter_map(|name| layout::segment_number(name));
    let Some(first) = firsts.filter(|first| *first <= number).max() else { return Ok(None) };
    let name = layout::segment_name(first);
    let place = Place::new(&name, 0, number);
    let file = disk.open(&name).map_err(layout::at(disk, "the segment cannot be opened", place))?;
    Ok(span_in(disk, &file, &name, number)?.map(|(at, _)| Place::new(&name, at, number)))
}

/// When a group was written, if it is in one of the segments.
pub(super) fn wall_of<D: Disk>(disk: &mut D, number: u64) -> Result<Option<Timestamp>, JournalFault> {
    let Some(place) = place_of(disk, number)? else { return Ok(None) };
    let file = disk.open(&place.file);
    let file = file.map_err(layout::at(disk, "the segment cannot be opened", place.clone()))?;
    let mut buffer = [0; GROUP_HEADER];
    let read = layout::read_full(disk, &file, &mut buffer, place.offset);
    read.map_err(layout::at(disk, "the segment cannot be read", place))?;
    Ok(GroupHeader::peek(&buffer).ok().map(|header| header.wall))
}

/// From where to where a group is in a segment, its padding included; `None` if it is not in it.
pub(super) fn span_in<D: Disk>(
    disk: &mut D,
    file: &D::File,
    name: &str,
    number: u64,
) -> Result<Option<(u64, u64)>, JournalFault> {
    let mut at = layout::offset(SEGMENT_HEADER);
    loop {
        let mut buffer = [0; GROUP_HEADER];
        let read = layout::read_full(disk, file, &mut buffer, at);
        read.map_err(layout::at(disk, "the segment cannot be read", Place::new(name, at, number)))?;
        let Ok(header) = GroupHeader::peek(&buffer) else { return Ok(None) };
        let end = at + layout::offset(padded(header.group_length()));
        match header.number.cmp(&number) {
            Ordering::Less => at = end,
            Ordering::Equal => return Ok(Some((at, end))),
            Ordering::Greater => return Ok(None),
        }
    }
}
