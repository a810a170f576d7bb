//! The journal's files, with any bytes in them.

use crate::ledger::journal::Group;
use crate::ledger::journal::Head;
use crate::ledger::journal::JournalId;
use crate::ledger::journal::MemoryDisk;
use crate::ledger::journal::Options;
use crate::ledger::journal::Step;
use crate::ledger::journal::anchor;
use crate::ledger::journal::codec;
use crate::ledger::journal::format::GROUP_HEADER;
use crate::ledger::journal::format::GroupHeader;
use crate::ledger::journal::format::MAX_RECORDS;
use crate::ledger::journal::format::SECTOR;
use crate::ledger::journal::format::SegmentHeader;
use crate::ledger::journal::format::Slot;
use crate::ledger::journal::layout::segment_name;
use crate::ledger::journal::memory::Image;
use crate::ledger::journal::open;
use crate::model::Timestamp;

/// The journal that all inputs belong to.
const ID: JournalId = JournalId(*b"tollgate.fuzzing");

/// Whatever a segment file holds, the journal opens and can be written, or is refused with its place named; nothing
/// panics and no group is larger than it may be.
pub fn journal(input: &[u8]) {
    let _ = anchor::decode(input);
    as_segment(input);
    let previous = Head::genesis(&ID).hash;
    let length = input.len() as u64;
    let header = SegmentHeader { id: ID, first: 1, previous, created: Timestamp(0), length };
    as_segment(&[&header.encode(), input].concat());
    as_group(input);
    if let Ok(again) = codec::recode(input) {
        assert!(again == input, "a record is written again as it was");
    }
}

/// Opens a journal whose first segment has these bytes, writes a group, and opens it again.
fn as_segment(bytes: &[u8]) {
    let slot = Slot { id: ID, head: Head::genesis(&ID) }.encode();
    let anchor = [slot, [0; SECTOR]].concat();
    let disk = MemoryDisk::of(&Image::from([("anchor".to_owned(), anchor), (segment_name(1), bytes.to_vec())]));
    let options = Options { segment_bytes: 0, new_id: ID };
    let mut before = 0;
    let opened = open(disk.clone(), &options, None, &mut |group| {
        assert!(
            group.bytes.len() <= GROUP_HEADER + MAX_RECORDS + 4 && group.records().all(|record| !record.is_empty())
        );
        before += 1;
        Ok(())
    });
    let mut opened = match opened {
        Ok(opened) => opened,
        Err(fault) => return assert!(fault.place.is_some() && disk.written() == disk.synced()),
    };
    let ticket = opened.groups.push_encoded(&[b"written after all that"]);
    let _ = opened.preparer.step();
    let wrote = opened.writer.step(Timestamp(0));
    assert!(matches!(wrote, Ok(Step::Wrote(_))) && ticket.is_kept(), "an opened journal can be written");
    let mut after = 0;
    let again = open(MemoryDisk::of(&disk.synced()), &options, None, &mut |_| {
        after += 1;
        Ok(())
    });
    assert!(again.is_ok() && after == before + 1, "what was written is read again");
}

/// A group with this header and these records, its check sum right: read as a whole or refused.
fn as_group(input: &[u8]) {
    let Some(fields) = input.get(6..) else { return };
    let mut group = [b"TGRP\x00\x01", fields].concat();
    let Ok(header) = GroupHeader::peek(&group) else { return };
    group.resize(header.group_length() - 4, 0);
    let sum = crc32c::crc32c_append(crc32c::crc32c(&ID.0), &group);
    group.extend_from_slice(&sum.to_be_bytes());
    if let Ok(group) = Group::decode(&group, &ID) {
        let records: usize = group.records().map(|record| 4 + record.len()).sum();
        assert!(records == group.bytes.len() - GROUP_HEADER - 4, "the records fill their group");
        assert!(u32::try_from(group.records().count()) == Ok(group.header.count));
    }
}
