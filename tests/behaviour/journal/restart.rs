//! Writing, and reading again after a restart.

use super::*;
use proptest::prelude::*;
use tollgate::ledger::journal::Fault;

#[test]
fn what_was_written_comes_back_in_order_after_a_restart() {
    let (image, groups) = three_segments();
    let disk = MemoryDisk::of(&image);
    let (mut journal, seen) = opened(&disk, None).unwrap();
    assert_eq!(seen, groups);
    assert!(!journal.is_new && journal.replayed.torn.is_none());
    let head = write(&mut journal, &records(10, 1, 100));
    assert_eq!(head.number, 10);
    let (replayed, seen) = read(&disk).unwrap();
    assert_eq!((seen.len(), replayed.head), (10, head));
}

#[test]
fn a_restart_goes_on_in_the_segment_that_is_begun() {
    let disk = MemoryDisk::default();
    for number in 1..=5 {
        let (mut journal, seen) = opened(&disk, None).unwrap();
        assert_eq!((seen.len(), journal.is_new), (number - 1, number == 1));
        write(&mut journal, &records(1, 1, 10));
    }
    assert_eq!(disk.written().keys().filter(|name| name.starts_with("segment-")).count(), 1);
}

#[test]
fn replay_begins_after_the_group_of_a_snapshot() {
    let (image, groups) = three_segments();
    let disk = MemoryDisk::of(&image);
    let mut heads = vec![Head::genesis(&ID)];
    replay(&mut disk.clone(), None, &mut |group| {
        heads.push(group.head());
        Ok(())
    })
    .unwrap();
    for (number, from) in heads.iter().enumerate() {
        let (journal, seen) = opened(&disk, Some(*from)).unwrap();
        assert_eq!(seen, groups[number..], "after group {number}");
        assert_eq!(journal.groups.durable(), heads[9]);
        let other = Head { hash: [9; 32], ..*from };
        let refused = opened(&disk, Some(other)).err().unwrap();
        assert!(matches!(refused.fault, Fault::Snapshot), "{refused}");
    }
    let later = opened(&disk, Some(Head { number: 10, hash: [9; 32] })).err().unwrap();
    assert!(matches!(later.fault, Fault::BeforeSnapshot { snapshot: 10 }), "{later}");
}

#[test]
fn segments_that_a_snapshot_covers_may_be_gone() {
    let (mut image, groups) = three_segments();
    let disk = MemoryDisk::of(&image);
    let segments = read(&disk).unwrap().0.segments;
    let second = segments[1].header;
    let from = Head { number: second.first - 1, hash: second.previous };
    image.remove(&segments[0].name);
    let disk = MemoryDisk::of(&image);
    assert_eq!(opened(&disk, Some(from)).unwrap().1, groups[usize::try_from(from.number).unwrap()..]);
    let refused = opened(&disk, None).err().unwrap();
    assert!(matches!(refused.fault, Fault::Gap { .. }), "{refused}");
    assert_eq!(refused.place.unwrap().group, 1);
}

#[test]
fn a_record_that_cannot_be_read_is_named_by_its_place() {
    use tollgate::ledger::journal::CodecFault;
    use tollgate::ledger::journal::RecordFault;
    let (image, _) = three_segments();
    let refused = replay(&mut MemoryDisk::of(&image), None, &mut |group| match group.header.number {
        5 => Err(RecordFault { index: 1, fault: CodecFault::Tag }),
        _ => Ok(()),
    });
    let refused = refused.err().unwrap();
    assert!(matches!(refused.fault, Fault::Record { index: 1, .. }));
    assert!(refused.to_string().contains("group 5"), "{refused}");
    assert!(refused.to_string().contains("tollgate ledger verify"), "{refused}");
}

proptest! {
    /// However commits fall into groups and groups into segments, all comes back in order.
    #[test]
    fn any_batches_come_back(
        commits in prop::collection::vec((prop::collection::vec(1_usize..1300, 1..4), any::<bool>()), 1..40),
    ) {
        let disk = MemoryDisk::default();
        let (mut journal, _) = opened(&disk, None).unwrap();
        let mut sent = Vec::new();
        for (index, (lengths, sync)) in commits.iter().enumerate() {
            let commit: Records = lengths.iter().map(|length| vec![u8::try_from(index).unwrap(); *length]).collect();
            let _ = push(&journal, &commit);
            sent.extend(commit);
            if *sync {
                write_all(&mut journal).unwrap();
            }
        }
        write_all(&mut journal).unwrap();
        let (replayed, seen) = read(&MemoryDisk::of(&disk.synced())).unwrap();
        prop_assert_eq!(seen.concat(), sent);
        prop_assert_eq!(replayed.head, journal.groups.durable());
    }
}
