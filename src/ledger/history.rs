//! Everything on record, in order: what a snapshot says, then every group of the journal.

use super::journal::Disk;
use super::journal::Head;
use super::journal::JournalFault;
use super::journal::Place;
use super::journal::RecordFault;
use super::journal::Replayed;
use super::journal::codec::Decoder;
use super::journal::format::GROUP_HEADER;
use super::journal::format::GroupHeader;
use super::journal::format::SEGMENT_HEADER;
use super::journal::format::padded;
use super::journal::layout;
use super::journal::replay;
use super::record::Record;
use crate::model::Timestamp;
use std::cmp::Ordering;

/// Is told everything on record, in order.
pub(super) trait Reader {
    /// A group begins, written at `wall`.
    fn group(&mut self, number: u64, wall: Timestamp);

    /// A record of it.
    fn record(&mut self, record: &Record);

    /// Its records end.
    fn group_ends(&mut self);
}

/// Reads a journal. Changes nothing; a station may be writing to it.
///
/// # Errors
/// Every fault of [`replay()`]; what was read by then is whole and in order.
pub(super) fn read<D: Disk>(
    disk: &mut D,
    from: Option<Head>,
    reader: &mut impl Reader,
) -> Result<Replayed, JournalFault> {
    let mut decoder = Decoder::default();
    let mut records = Vec::new();
    replay(disk, from, &mut |group| {
        // All or none: a group with an unreadable record tells nothing.
        records.clear();
        for (index, bytes) in (0..).zip(group.records()) {
            records.push(decoder.decode(bytes).map_err(|fault| RecordFault { index, fault })?);
        }
        reader.group(group.header.number, group.header.wall);
        for record in &records {
            reader.record(record);
        }
        reader.group_ends();
        Ok(())
    })
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
