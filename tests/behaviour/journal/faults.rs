//! Disks that fill and fail.

use super::*;
use tollgate::ledger::journal::Fault;
use tollgate::ledger::journal::anchor;
use tollgate::ledger::journal::format::SECTOR;
use tollgate::ledger::journal::memory::Operation;

#[test]
fn without_room_for_the_next_segment_the_ledger_knows_and_the_present_one_is_used_up() {
    let disk = MemoryDisk::default();
    let (mut journal, _) = opened(&disk, None).unwrap();
    write(&mut journal, &records(1, 1, 10));
    disk.set_room(Some(10 << 10));
    assert!(matches!(journal.preparer.step().unwrap(), Prepared::Refused(_)));
    assert!(!journal.groups.has_room());
    assert!(!disk.written().contains_key("prepared.tmp"), "a refused file is not left lying about");
    let kept = push(&journal, &records(2, 1, 10));
    assert!(matches!(journal.writer.step(Timestamp(0)).unwrap(), Step::Wrote(_)));
    assert!(kept.is_kept());

    // What no longer fits waits; nobody is told what is not so.
    let waits = push(&journal, &records(3, 1, 4000));
    assert_eq!(journal.writer.step(Timestamp(0)).unwrap(), Step::Blocked);
    assert!(now(journal.writer.ready()).is_some(), "an attempt was made since");
    assert_eq!(journal.writer.step(Timestamp(0)).unwrap(), Step::Blocked);
    assert!(now(journal.writer.ready()).is_none() && !waits.is_kept());
    assert!(matches!(journal.preparer.step().unwrap(), Prepared::Refused(_)));

    disk.set_room(None);
    assert!(matches!(journal.preparer.step().unwrap(), Prepared::Made));
    assert!(journal.groups.has_room() && now(journal.writer.ready()).is_some());
    assert!(matches!(journal.writer.step(Timestamp(0)).unwrap(), Step::Wrote(_)));
    assert!(waits.is_kept());
    assert_eq!(read(&disk).unwrap().1.len(), 3);
}

#[test]
fn closing_without_room_fails_what_still_waits() {
    let disk = MemoryDisk::default();
    let (mut journal, _) = opened(&disk, None).unwrap();
    disk.set_room(Some(2 << 10));
    assert!(matches!(journal.preparer.step().unwrap(), Prepared::Refused(_)));
    let waits = push(&journal, &records(1, 1, 10));
    journal.groups.close();
    let refused = journal.writer.step(Timestamp(0)).unwrap_err();
    assert!(matches!(refused.fault, Fault::NoRoom), "{refused}");
    assert!(matches!(now(waits.kept()), Some(Err(_))));
    assert_eq!(journal.writer.step(Timestamp(0)).unwrap(), Step::Ended);
}

#[test]
fn the_preparer_makes_one_segment_ahead_and_is_called_when_it_is_used() {
    let disk = MemoryDisk::default();
    let (mut journal, _) = opened(&disk, None).unwrap();
    assert!(now(journal.preparer.wanted()).is_some());
    assert!(matches!(journal.preparer.step().unwrap(), Prepared::Made));
    assert!(now(journal.preparer.wanted()).is_none());
    assert!(matches!(journal.preparer.step().unwrap(), Prepared::Already));
    write(&mut journal, &records(1, 1, 10));
    assert!(now(journal.preparer.wanted()).is_some());
}

#[test]
fn a_prepared_segment_is_taken_over_by_the_next_run() {
    let disk = MemoryDisk::default();
    let (mut journal, _) = opened(&disk, None).unwrap();
    journal.preparer.step().unwrap();
    let (mut journal, _) = opened(&disk, None).unwrap();
    assert!(matches!(journal.preparer.step().unwrap(), Prepared::Already));
    write(&mut journal, &records(1, 1, 10));
}

/// One fault, then the disk says that all is well again: nobody may believe it.
#[track_caller]
fn a_fault_ends_the_journal(operation: Operation, skip: usize, begun: bool) {
    let disk = MemoryDisk::default();
    let (mut journal, _) = opened(&disk, None).unwrap();
    journal.preparer.step().unwrap();
    if begun {
        write(&mut journal, &records(1, 1, 10));
    }
    let lost = push(&journal, &records(2, 1, 10));
    let later = push(&journal, &records(3, 1, 10));
    disk.fail(operation, skip);
    let refused = journal.writer.step(Timestamp(0)).unwrap_err();
    assert!(matches!(refused.fault, Fault::Io(..)), "{refused}");
    assert!(refused.to_string().contains("group"), "{refused}");
    for ticket in [lost, later, push(&journal, &records(4, 1, 10))] {
        assert!(matches!(now(ticket.kept()), Some(Err(_))));
    }
    let before = disk.written();
    assert_eq!(journal.writer.step(Timestamp(0)).unwrap(), Step::Ended);
    assert!(!journal.anchor.step().unwrap() || begun);
    assert_eq!(disk.written().get("segment-00000000000000000001.tgj"), before.get("segment-00000000000000000001.tgj"));
    for image in [disk.synced(), disk.written()] {
        let seen = opened(&MemoryDisk::of(&image), None).unwrap().1;
        assert_eq!(seen.first() == Some(&records(1, 1, 10)), begun, "what was kept is kept");
    }
}

#[test]
fn a_write_error_ends_the_journal() {
    a_fault_ends_the_journal(Operation::Write, 0, true);
    a_fault_ends_the_journal(Operation::Write, 0, false);
}

#[test]
fn a_sync_error_ends_the_journal_and_is_never_tried_again() {
    a_fault_ends_the_journal(Operation::Sync, 0, true);
    a_fault_ends_the_journal(Operation::Sync, 0, false);
}

#[test]
fn an_error_of_the_folder_ends_the_journal() {
    a_fault_ends_the_journal(Operation::Folder, 0, false);
    a_fault_ends_the_journal(Operation::Folder, 1, false);
    let disk = MemoryDisk::default();
    let (mut journal, _) = opened(&disk, None).unwrap();
    // Create, then rename.
    disk.fail(Operation::Folder, 1);
    assert!(journal.preparer.step().is_err() && journal.groups.has_failed());
}

#[test]
fn an_error_while_the_next_segment_is_filled_is_tried_again_with_a_new_file() {
    for operation in [Operation::Write, Operation::Sync] {
        let disk = MemoryDisk::default();
        let (mut journal, _) = opened(&disk, None).unwrap();
        disk.fail(operation, 0);
        assert!(matches!(journal.preparer.step().unwrap(), Prepared::Refused(_)));
        assert!(matches!(journal.preparer.step().unwrap(), Prepared::Made));
        assert!(journal.groups.has_room());
        write(&mut journal, &records(1, 1, 10));
    }
}

#[test]
fn an_anchor_that_cannot_be_synced_ends_the_journal() {
    let disk = MemoryDisk::default();
    let (mut journal, _) = opened(&disk, None).unwrap();
    write(&mut journal, &records(1, 1, 10));
    disk.fail(Operation::Sync, 0);
    assert!(journal.anchor.step().is_err() && journal.groups.has_failed());
    assert_eq!(journal.writer.step(Timestamp(0)).unwrap(), Step::Ended);
}

#[test]
fn an_anchor_whose_last_sync_failed_is_never_without_a_durable_slot_after_the_next_start() {
    let disk = MemoryDisk::default();
    let (mut journal, _) = opened(&disk, None).unwrap();
    write(&mut journal, &records(1, 1, 10));
    assert!(journal.anchor.step().unwrap());
    for seed in 2..6 {
        write(&mut journal, &records(seed, 1, 10));
        disk.fail(Operation::Sync, 0);
        assert!(journal.anchor.step().is_err());

        // The power goes: what was written since the last sync may be there, or not, or half of it.
        let (synced, written) = (disk.synced()["anchor"].clone(), disk.written()["anchor"].clone());
        let mut torn = written.clone();
        for slot in [0..SECTOR, SECTOR..2 * SECTOR] {
            if synced[slot.clone()] != written[slot.clone()] {
                torn[slot].fill(0xA5);
            }
        }
        assert_eq!(anchor::decode(&torn).unwrap().head().number, u64::from(seed) - 1);
        // It stays, and the next run reads what it last wrote.
        journal = opened(&disk, None).unwrap().0;
    }
}

#[test]
fn a_group_that_fits_no_segment_ends_the_journal() {
    let disk = MemoryDisk::default();
    let (mut journal, _) = opened(&disk, None).unwrap();
    journal.preparer.step().unwrap();
    let _ = push(&journal, &records(1, 1, 5000));
    let refused = journal.writer.step(Timestamp(0)).unwrap_err();
    assert!(matches!(refused.fault, Fault::TooLarge(_)), "{refused}");
}

/// What a machine did until it was switched off: every acknowledged group, and where it ended.
fn run_until_off(disk: &MemoryDisk, groups: &[Records]) -> Result<Vec<Records>, Box<(Vec<Records>, JournalFault)>> {
    let mut kept = Vec::new();
    let (mut journal, seen) = opened(disk, None).map_err(|fault| Box::new((Vec::new(), fault)))?;
    kept.extend(seen);
    for group in groups.iter().skip(kept.len()) {
        let ticket = push(&journal, group);
        loop {
            match journal.writer.step(Timestamp(0)).map_err(|fault| Box::new((kept.clone(), fault)))? {
                Step::Blocked => {
                    let prepared = journal.preparer.step().map_err(|fault| Box::new((kept.clone(), fault)))?;
                    if let Prepared::Refused(error) = prepared {
                        let fault = Fault::Io("prepare", error);
                        return Err(Box::new((kept, JournalFault { folder: String::new(), place: None, fault })));
                    }
                }
                Step::Wrote(_) => break,
                Step::Idle | Step::Ended => unreachable!("there was something to write"),
            }
        }
        assert!(ticket.is_kept());
        kept.push(group.clone());
        journal.anchor.step().map_err(|fault| Box::new((kept.clone(), fault)))?;
    }
    Ok(kept)
}

#[test]
fn switched_off_before_any_operation_nothing_acknowledged_is_lost() {
    let groups: Vec<Records> = (1..=9).map(|seed| records(seed, 2, 400)).collect();
    for operations in 0.. {
        let disk = MemoryDisk::default();
        disk.stop_after(operations);
        let kept = match run_until_off(&disk, &groups) {
            Ok(_) => {
                assert!(operations > 40, "the run has this many operations: {operations}");
                break;
            }
            Err(ended) => ended.0,
        };
        for image in [disk.synced(), disk.written()] {
            let again = MemoryDisk::of(&image);
            let (_, seen) = opened(&again, None).unwrap_or_else(|fault| panic!("after {operations}: {fault}"));
            assert!(seen.len() >= kept.len() && seen.len() <= kept.len() + 1, "after {operations} operations");
            assert_eq!(seen, groups[..seen.len()]);
            assert_eq!(run_until_off(&again, &groups).unwrap(), groups, "and it goes on");
        }
    }
}
