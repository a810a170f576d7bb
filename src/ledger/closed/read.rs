//! The files of a closed day as they lie in the folder, for whoever reads everything.

use super::day::DayName;
use super::day::keys_of;
use super::index;
use super::key::Keyed;
use crate::ledger::journal::CodecFault;
use crate::ledger::journal::Disk;
use crate::ledger::journal::JournalId;
use crate::ledger::journal::blocks::FileFault;
use crate::ledger::journal::blocks::Purpose;
use crate::ledger::journal::blocks::RecordPlace;
use crate::ledger::journal::blocks::RecordReader;
use crate::ledger::journal::codec::Decoder;
use crate::ledger::journal::layout;
use crate::ledger::record::Record;
use std::io;

fn open<D: Disk>(disk: &mut D, name: DayName, id: JournalId) -> Result<RecordReader<D::File>, FileFault> {
    let records = RecordReader::open(disk, &name.records(), Purpose::Day)?;
    match records.header.id == id && records.header.head.number == name.closing {
        true => Ok(records),
        false => Err(FileFault::Foreign),
    }
}

/// Shows every record of a day, with its place and bytes, to `visit`; then the file is whole, of this journal and
/// of this day. Returns how many there are.
pub(in crate::ledger) fn read<D: Disk>(
    disk: &mut D,
    name: DayName,
    id: JournalId,
    visit: &mut dyn FnMut(RecordPlace, &[u8], Record),
) -> Result<u64, FileFault> {
    let mut decoder = Decoder::default();
    open(disk, name, id)?.read(disk, &mut |place, bytes| {
        let record = decoder.decode(bytes)?;
        let date = match &record {
            Record::Standing(standing) => Some(standing.intent.date),
            Record::Reversal(kept) => Some(kept.reversal.date),
            _ => None,
        };
        // Nothing else leaves with a day.
        if date.is_none_or(|date| date.parts() != name.date) {
            return Err(CodecFault::Value("record of this date"));
        }
        visit(place, bytes, record);
        Ok(())
    })
}

/// Whether the index of a day is what its records make; also if there is none, for then the next start makes it.
pub(in crate::ledger) fn has_right_keys<D: Disk>(
    disk: &mut D,
    name: DayName,
    id: JournalId,
) -> Result<bool, FileFault> {
    let file = match disk.open(&name.keys()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        opened => opened?,
    };
    let records = open(disk, name, id)?;
    let mut keys = keys_of(disk, &records, Keyed(id))?;
    let due = index::encode((&id, name.closing), &mut keys);
    let mut there = vec![0; due.len()];
    let read = layout::read_full(disk, &file, &mut there, 0)?;
    Ok(read == due.len() && disk.len(&file)? == layout::offset(due.len()) && there == due)
}
