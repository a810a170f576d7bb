//! The journal: what was synced comes back, whatever happens to the disk, or the journal says where it is hurt.

mod damage;
mod faults;
mod folder;
mod golden;
mod group_commit;
mod restart;

use std::future::Future;
use std::pin::pin;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use tollgate::ledger::journal::Disk;
use tollgate::ledger::journal::Head;
use tollgate::ledger::journal::JournalFault;
use tollgate::ledger::journal::JournalId;
use tollgate::ledger::journal::MemoryDisk;
use tollgate::ledger::journal::Opened;
use tollgate::ledger::journal::Options;
use tollgate::ledger::journal::Prepared;
use tollgate::ledger::journal::Replayed;
use tollgate::ledger::journal::Step;
use tollgate::ledger::journal::memory::Image;
use tollgate::ledger::journal::open;
use tollgate::ledger::journal::replay;
use tollgate::model::Timestamp;

const ID: JournalId = JournalId(*b"a journal's name");
const SMALL: u64 = 8 << 10;

/// The records of one group.
type Records = Vec<Vec<u8>>;

fn options() -> Options {
    Options { segment_bytes: SMALL, new_id: ID }
}

/// A future that needs nobody else must be ready at once.
fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Opens a journal for writing; the groups it had.
fn opened<D: Disk>(disk: &D, from: Option<Head>) -> Result<(Opened<D>, Vec<Records>), JournalFault> {
    let mut seen = Vec::new();
    let opened = open(disk.clone(), &options(), from, &mut |group| {
        seen.push(group.records().map(<[u8]>::to_vec).collect());
        Ok(())
    })?;
    Ok((opened, seen))
}

/// Reads a journal without changing it.
fn read<D: Disk>(disk: &D) -> Result<(Replayed, Vec<Records>), JournalFault> {
    let mut seen = Vec::new();
    let replayed = replay(&mut disk.clone(), None, &mut |group| {
        seen.push(group.records().map(<[u8]>::to_vec).collect());
        Ok(())
    })?;
    Ok((replayed, seen))
}

fn push<D: Disk>(journal: &Opened<D>, records: &[Vec<u8>]) -> tollgate::ledger::journal::Ticket {
    let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
    journal.groups.push_encoded(&records)
}

/// Writes everything that waits, with new segments as they are needed, each group a second after the one before.
fn write_all<D: Disk>(journal: &mut Opened<D>) -> Result<Vec<Head>, JournalFault> {
    let mut heads = Vec::new();
    loop {
        let second = i64::try_from(journal.groups.durable().number).unwrap();
        match journal.writer.step(Timestamp(1_795_305_600_000_000 + second * 1_000_000))? {
            Step::Wrote(head) => heads.push(head),
            Step::Blocked => assert!(matches!(journal.preparer.step()?, Prepared::Made), "no room"),
            Step::Idle | Step::Ended => return Ok(heads),
        }
    }
}

/// A group of its own for these records.
fn write<D: Disk>(journal: &mut Opened<D>, records: &[Vec<u8>]) -> Head {
    let ticket = push(journal, records);
    let heads = write_all(journal).unwrap();
    assert!(ticket.is_kept());
    *heads.last().unwrap()
}

/// Some records, of this many bytes in all, different for every `seed`.
fn records(seed: u8, count: usize, length: usize) -> Records {
    (0..count).map(|index| vec![seed.wrapping_mul(31).wrapping_add(u8::try_from(index).unwrap()) | 1; length]).collect()
}

/// A journal of three segments, the anchor at its head, and what is in it.
fn three_segments() -> (Image, Vec<Records>) {
    let disk = MemoryDisk::default();
    let (mut journal, _) = opened(&disk, None).unwrap();
    let groups: Vec<Records> = (1..=9).map(|seed| records(seed, 1 + usize::from(seed) % 3, 400)).collect();
    for group in &groups {
        write(&mut journal, group);
    }
    assert!(journal.anchor.step().unwrap());
    let image = disk.synced();
    assert_eq!(image.keys().filter(|name| name.starts_with("segment-")).count(), 3, "three segments");
    (image, groups)
}
