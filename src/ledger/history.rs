//! Everything on record, in order: what a snapshot says, then every group of the journal.

use super::journal::Disk;
use super::journal::Fault;
use super::journal::Group;
use super::journal::Head;
use super::journal::JournalFault;
use super::journal::Place;
use super::journal::RecordFault;
use super::journal::Replayed;
use super::journal::anchor;
use super::journal::blocks::Purpose;
use super::journal::blocks::RecordReader;
use super::journal::codec::Decoder;
use super::journal::format::GROUP_HEADER;
use super::journal::format::GroupHeader;
use super::journal::format::SEGMENT_HEADER;
use super::journal::format::padded;
use super::journal::layout;
use super::journal::replay;
use super::record::Record;
use std::cmp::Ordering;
use std::io;

/// Is told everything on record, in order.
pub(super) trait Reader {
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
/// that tells of them. Changes nothing; a station may be writing.
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

/// Reads the oldest whole snapshot from which the segments go on, if they do not begin with the first group.
///
/// # Errors
/// The segments' headers, or the disk's.
pub(super) fn base<D: Disk>(disk: &mut D, reader: &mut impl Reader) -> Result<Option<Head>, JournalFault> {
    let Some(anchored) = anchor::read(disk)? else { return Ok(None) };
    let segments = layout::segments(disk)?;
    let Some(first) = segments.first().map(|segment| segment.header.first).filter(|first| *first > 1) else {
        return Ok(None);
    };
    for number in snapshots(disk)?.into_iter().filter(|number| number + 1 >= first) {
        let Ok(file) = RecordReader::open(disk, &layout::snapshot_name(number), Purpose::Snapshot) else { continue };
        let mut decoder = Decoder::default();
        let is_whole = file.read(disk, &mut |_, bytes| decoder.decode(bytes).map(|_| ())).is_ok();
        if file.header.id != anchored.id || file.header.head.number != number || !is_whole {
            continue;
        }
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
