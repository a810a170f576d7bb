//! Journals that were hurt: either all that was synced comes back, or the place is named and nothing is changed.

use super::*;
use proptest::prelude::*;
use tollgate::ledger::journal::Fault;
use tollgate::ledger::journal::anchor;
use tollgate::ledger::journal::format::SECTOR;
use tollgate::ledger::journal::format::SEGMENT_HEADER;

/// Opens what is left of a journal that had these groups, all synced, the last of them anchored.
/// `true` if all came back; `false` if it was refused, a place named and nothing changed.
#[track_caller]
fn survives_or_is_refused(image: &Image, groups: &[Records], what: &str) -> bool {
    let disk = MemoryDisk::of(image);
    match opened(&disk, None) {
        Ok((_, seen)) => {
            assert!(seen == groups, "{what}: opened with other groups");
            true
        }
        Err(fault) => {
            assert!(fault.place.is_some(), "{what}: {fault} names no place");
            assert!(fault.to_string().contains("tollgate ledger verify DIR"), "{what}: {fault}");
            assert!(disk.written() == *image, "{what}: refused, but changed");
            false
        }
    }
}

#[test]
fn every_byte_flipped_is_survived_or_refused() {
    let (image, groups) = three_segments();
    let (mut survived, mut refused) = (0, 0);
    for (name, bytes) in &image {
        let mut hurt = image.clone();
        for at in 0..bytes.len() {
            let flip = 1 << (at % 8);
            hurt.get_mut(name).unwrap()[at] ^= flip;
            match survives_or_is_refused(&hurt, &groups, &format!("{name} at {at}")) {
                true => survived += 1,
                false => refused += 1,
            }
            hurt.get_mut(name).unwrap()[at] ^= flip;
        }
    }
    // What is survived is padding, the room behind the last groups, and one slot of the anchor.
    let meant = groups.concat().iter().map(|record| 4 + record.len()).sum::<usize>() + groups.len() * 68;
    assert_eq!(refused, meant + 3 * SEGMENT_HEADER, "{survived} flips were survived");
}

#[test]
fn every_file_cut_short_anywhere_is_survived_or_refused() {
    let (image, groups) = three_segments();
    for (name, bytes) in &image {
        for length in 0..bytes.len() {
            let mut hurt = image.clone();
            hurt.get_mut(name).unwrap().truncate(length);
            let survived = survives_or_is_refused(&hurt, &groups, &format!("{name} cut to {length}"));
            // Of the anchor one slot is enough; a prepared segment is made again.
            assert_eq!(
                survived,
                !name.starts_with("segment-") && (name != "anchor" || length >= SECTOR),
                "{name} {length}"
            );
        }
    }
}

#[test]
fn every_file_missing_is_survived_or_refused() {
    let (image, groups) = three_segments();
    for name in image.keys() {
        let mut hurt = image.clone();
        hurt.remove(name);
        assert_eq!(survives_or_is_refused(&hurt, &groups, name), name == "prepared.tgj", "{name}");
    }
    let only_an_anchor: Image = image.into_iter().filter(|(name, _)| name == "anchor").collect();
    assert!(!survives_or_is_refused(&only_an_anchor, &groups, "all segments missing"));
}

/// Where the groups are: file, begin and end, in order.
fn places(image: &Image) -> Vec<(String, usize, usize)> {
    let mut disk = MemoryDisk::of(image);
    let mut lengths = Vec::new();
    let replayed = replay(&mut disk, None, &mut |group| {
        lengths.push(group.bytes.len().next_multiple_of(SECTOR));
        Ok(())
    })
    .unwrap();
    let mut lengths = lengths.into_iter().zip(1..).peekable();
    let mut places = Vec::new();
    for (index, segment) in replayed.segments.iter().enumerate() {
        let next = replayed.segments.get(index + 1).map_or(u64::MAX, |next| next.header.first);
        let mut at = SEGMENT_HEADER;
        while let Some((length, _)) = lengths.next_if(|(_, number)| *number < next) {
            places.push((segment.name.clone(), at, at + length));
            at += length;
        }
    }
    places
}

#[test]
fn groups_that_are_zeroed_repeated_or_swapped_are_refused() {
    let (image, groups) = three_segments();
    let places = places(&image);
    assert_eq!(places.len(), groups.len());
    for (number, (name, from, to)) in places.iter().enumerate() {
        let mut hurt = image.clone();
        hurt.get_mut(name).unwrap()[*from..*to].fill(0);
        assert!(!survives_or_is_refused(&hurt, &groups, &format!("group {} zeroed", number + 1)));
        for (other, (other_name, other_from, other_to)) in places.iter().enumerate() {
            let mut hurt = image.clone();
            let bytes = image[other_name][*other_from..*other_to].to_vec();
            let target = hurt.get_mut(name).unwrap();
            let end = (from + bytes.len()).min(target.len());
            target[*from..end].copy_from_slice(&bytes[..end - from]);
            let what = format!("group {} over group {}", other + 1, number + 1);
            assert_eq!(survives_or_is_refused(&hurt, &groups, &what), other == number, "{what}");
        }
    }
}

#[test]
fn segments_that_are_swapped_or_foreign_are_refused() {
    let (image, groups) = three_segments();
    let names: Vec<&String> = image.keys().filter(|name| name.starts_with("segment-")).collect();
    for name in &names {
        for other in &names {
            let mut hurt = image.clone();
            hurt.insert((*name).clone(), image[*other].clone());
            assert_eq!(survives_or_is_refused(&hurt, &groups, &format!("{other} as {name}")), name == other);
        }
        let foreign = MemoryDisk::default();
        let stranger = Options { new_id: JournalId([7; 16]), ..options() };
        let mut journal = open(foreign.clone(), &stranger, None, &mut |_| Ok(())).unwrap();
        for group in &groups {
            write(&mut journal, group);
        }
        let mut hurt = image.clone();
        hurt.insert((*name).clone(), foreign.synced()[*name].clone());
        let refused = opened(&MemoryDisk::of(&hurt), None).err().unwrap();
        assert!(matches!(refused.fault, Fault::Foreign), "{refused}");
        hurt = image.clone();
        hurt.insert("anchor".to_owned(), foreign.synced()["anchor"].clone());
        let refused = opened(&MemoryDisk::of(&hurt), None).err().unwrap();
        assert!(matches!(refused.fault, Fault::Foreign), "{refused}");
    }
}

#[test]
fn groups_of_another_history_of_the_same_journal_are_refused() {
    let (image, groups) = three_segments();
    // The same journal, gone on with in another way after its third group: every group of it is whole.
    let disk = MemoryDisk::default();
    let (mut journal, _) = opened(&disk, None).unwrap();
    for (number, group) in groups.iter().enumerate() {
        let other: Records = group.iter().map(|record| vec![3; record.len()]).collect();
        write(&mut journal, if number < 3 { group } else { &other });
    }
    journal.anchor.step().unwrap();
    let other = disk.synced();
    for (number, (name, from, to)) in (1..).zip(places(&image)) {
        let mut hurt = image.clone();
        hurt.get_mut(&name).unwrap()[from..to].copy_from_slice(&other[&name][from..to]);
        let what = format!("the other group {number}");
        assert_eq!(survives_or_is_refused(&hurt, &groups, &what), number <= 3, "{what}");
    }
    for name in image.keys().filter(|name| *name != "segment-00000000000000000001.tgj") {
        let mut hurt = image.clone();
        hurt.insert(name.clone(), other[name].clone());
        let refused = opened(&MemoryDisk::of(&hurt), None).err().unwrap();
        assert!(matches!(refused.fault, Fault::Chain | Fault::NotAnchored), "{name}: {refused}");
    }
}

#[test]
fn a_torn_anchor_leaves_the_one_before() {
    let disk = MemoryDisk::default();
    let mut journal = opened(&disk, None).unwrap().0;
    for round in 0..6 {
        if round % 3 == 0 {
            journal = opened(&disk, None).unwrap().0;
        }
        let before = anchor::read(&mut disk.clone()).unwrap().unwrap().head();
        let old = disk.written()["anchor"].clone();
        let head = write(&mut journal, &records(round, 1, 10));
        assert!(journal.anchor.step().unwrap() && !journal.anchor.step().unwrap());
        let image = disk.synced();
        let new = &image["anchor"];
        assert_eq!(anchor::read(&mut disk.clone()).unwrap().unwrap().heads, [head, before]);
        for at in 1..new.len() {
            let torn = [&new[..at], &old[at..]].concat();
            let read = anchor::decode(&torn).unwrap().head();
            assert!(read == head || read == before, "torn at {at}");
        }
        for slot in 0..2 {
            let mut garbled = new.clone();
            garbled[slot * SECTOR..][..SECTOR].fill(0xA5);
            let read = anchor::decode(&garbled).unwrap().head();
            assert!(read == head || read == before, "slot {slot} garbled");
        }
        assert!(matches!(anchor::decode(&[0xA5; 2 * SECTOR]), Err(Fault::Anchor)));
    }
}

#[test]
fn a_refusal_names_the_file_the_offset_and_the_group() {
    let (image, _) = three_segments();
    let places = places(&image);
    // A group in the middle: the next one is there.
    let (name, from, _) = &places[1];
    let mut hurt = image.clone();
    hurt.get_mut(name).unwrap()[from + 70] ^= 1;
    let refused = opened(&MemoryDisk::of(&hurt), None).err().unwrap();
    assert_eq!(refused.place.as_ref().map(|p| (&p.file, p.offset, p.group)), Some((name, *from as u64, 2)));
    assert!(matches!(refused.fault, Fault::Gap { next: 5, .. }), "the next segment is there: {refused}");
    // The last one: only the anchor knows.
    let (name, from, _) = places.last().unwrap();
    let mut hurt = image.clone();
    hurt.get_mut(name).unwrap()[from + 70] ^= 1;
    let refused = opened(&MemoryDisk::of(&hurt), None).err().unwrap();
    assert_eq!(refused.place.as_ref().map(|p| (&p.file, p.offset, p.group)), Some((name, *from as u64, 9)));
    assert!(matches!(refused.fault, Fault::BeforeAnchor { anchor: 9 }), "{refused}");
}

/// The journal before and after its last group, which nobody was told of: the anchor names the one before.
fn a_last_group(length: usize) -> (Image, Image, Vec<Records>, (String, usize, usize)) {
    let disk = MemoryDisk::of(&three_segments().0);
    let (mut journal, mut groups) = opened(&disk, None).unwrap();
    journal.preparer.step().unwrap();
    let before = disk.written();
    groups.push(records(77, 1, length));
    write(&mut journal, groups.last().unwrap());
    let after = disk.written();
    let place = places(&after).pop().unwrap();
    (before, after, groups, place)
}

/// Opens a journal whose last group may be torn: it is there as a whole or not at all, and the journal goes on.
#[track_caller]
fn is_cut_or_whole(image: &Image, groups: &[Records]) -> bool {
    let disk = MemoryDisk::of(image);
    let (mut journal, seen) = opened(&disk, None).unwrap();
    let whole = seen.len() == groups.len();
    assert_eq!(seen, groups[..if whole { groups.len() } else { groups.len() - 1 }]);
    assert!(!(whole && journal.replayed.torn.is_some()));
    let mut expected = seen;
    // Some behind it, and some in the segment after it.
    for length in [30, 900, 900, 900] {
        expected.push(records(5, 1, length));
        write(&mut journal, expected.last().unwrap());
    }
    let (replayed, seen) = read(&MemoryDisk::of(&disk.synced())).unwrap();
    assert!(seen == expected && replayed.torn.is_none(), "nothing of the torn group is left behind");
    whole
}

#[test]
fn a_torn_last_group_is_cut_wherever_it_was_torn() {
    let (before, after, groups, (name, from, to)) = a_last_group(1000);
    assert!(before.contains_key(&name), "in a segment already begun");
    let mut whole = 0;
    for at in from..=to {
        let mut torn = after.clone();
        torn.get_mut(&name).unwrap()[at..to].fill(0);
        whole += usize::from(is_cut_or_whole(&torn, &groups));
        let mut torn = before.clone();
        torn.get_mut(&name).unwrap()[at..to].copy_from_slice(&after[&name][at..to]);
        whole += usize::from(is_cut_or_whole(&torn, &groups));
    }
    assert!(whole >= 2);
}

#[test]
fn rot_in_the_last_group_newer_than_the_anchor_looks_torn() {
    // The limit that the manual states: nothing tells the two apart.
    let (_, after, groups, (name, from, _)) = a_last_group(1000);
    let mut rotten = after.clone();
    rotten.get_mut(&name).unwrap()[from + 100] ^= 1;
    let disk = MemoryDisk::of(&rotten);
    let (journal, seen) = opened(&disk, None).unwrap();
    let torn = journal.replayed.torn.unwrap();
    assert_eq!(seen, groups[..groups.len() - 1]);
    assert_eq!((torn.place.offset, torn.place.group), (from as u64, groups.len() as u64));
    // One group more, and it is known to be rot.
    let disk = MemoryDisk::of(&after);
    let (mut journal, _) = opened(&disk, None).unwrap();
    write(&mut journal, &records(1, 1, 10));
    let mut rotten = disk.written();
    rotten.get_mut(&name).unwrap()[from + 100] ^= 1;
    let refused = opened(&MemoryDisk::of(&rotten), None).err().unwrap();
    assert!(matches!(refused.fault, Fault::Gap { .. }), "{refused}");
}

#[test]
fn a_station_that_writes_can_be_looked_at() {
    let (_, after, groups, (name, from, to)) = a_last_group(1000);
    let mut torn = after.clone();
    torn.get_mut(&name).unwrap()[from + 600..to].fill(0);
    let disk = MemoryDisk::of(&torn);
    let (replayed, seen) = read(&disk).unwrap();
    assert_eq!(seen, groups[..groups.len() - 1]);
    assert_eq!(replayed.torn.map(|torn| (torn.place.offset, torn.bytes)), Some((from as u64, 1024)));
    assert!(disk.written() == torn, "looking changes nothing");
}

/// The station goes on writing while somebody looks: what looked torn is whole by the time a later group is found.
#[test]
fn a_group_that_was_finished_while_one_looked_is_no_gap() {
    let disk = MemoryDisk::default();
    let large = Options { segment_bytes: 1 << 20, ..options() };
    let mut journal = open(disk.clone(), &large, None, &mut |_| Ok(())).unwrap();
    let groups: Vec<Records> = (0..200).map(|seed| records(seed, 1, 4000)).collect();
    for group in &groups[..30] {
        write(&mut journal, group);
    }
    let name = "segment-00000000000000000001.tgj";
    let torn_at = disk.written()[name].iter().rposition(|byte| *byte != 0).unwrap().next_multiple_of(SECTOR);
    for group in &groups[30..] {
        write(&mut journal, group);
    }
    let mut looked_at = disk.written();
    looked_at.get_mut(name).unwrap()[torn_at + 700..].fill(0);
    let looked_at = MemoryDisk::of(&looked_at);
    let mut seen = 0;
    let replayed = replay(&mut looked_at.clone(), None, &mut |group| {
        seen += 1;
        if group.header.number == 30 {
            let mut writer = looked_at.clone();
            let mut file = writer.open(name).unwrap();
            writer.write_at(&mut file, &disk.written()[name], 0).unwrap();
        }
        Ok(())
    });
    assert_eq!((replayed.unwrap().head.number, seen), (200, 200));
}

#[test]
fn a_crash_while_a_segment_is_begun_leaves_the_group_or_not() {
    let (before, after, groups, (name, _, _)) = a_last_group(3000);
    assert!(!before.contains_key(&name), "it begins a segment");
    // Written to any extent, but not renamed.
    for length in (0..=after[&name].len()).step_by(512) {
        let mut torn = before.clone();
        torn.get_mut("prepared.tgj").unwrap()[..length].copy_from_slice(&after[&name][..length]);
        assert!(!is_cut_or_whole(&torn, &groups));
    }
    assert!(is_cut_or_whole(&after, &groups));
}

proptest! {
    /// Sectors of the last write reach the disk in any order, some not at all, some as noise.
    #[test]
    fn a_last_group_torn_into_sectors_is_cut_or_whole(
        length in 1_usize..2500,
        fates in prop::collection::vec((0..4_u8, any::<u8>()), 6),
    ) {
        let (before, after, groups, (name, from, to)) = a_last_group(length);
        prop_assume!(before.contains_key(&name));
        let mut torn = after.clone();
        let bytes = torn.get_mut(&name).unwrap();
        for (sector, (fate, noise)) in (from..to).step_by(SECTOR).zip(&fates) {
            let sector = &mut bytes[sector..sector + SECTOR];
            match fate {
                0 => sector.fill(0),
                1 => sector.fill(*noise),
                2 => sector[usize::from(*noise)..].fill(0),
                _ => {}
            }
        }
        is_cut_or_whole(&torn, &groups);
    }

    /// Anything at all happens to one stretch of a file.
    #[test]
    fn a_garbled_stretch_is_survived_or_refused(
        file in any::<prop::sample::Index>(),
        from in any::<prop::sample::Index>(),
        noise in prop::collection::vec(any::<u8>(), 1..2000),
        from_elsewhere in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let (image, groups) = three_segments();
        let name = image.keys().nth(file.index(image.len())).unwrap();
        let mut hurt = image.clone();
        let bytes = hurt.get_mut(name).unwrap();
        let from = from.index(bytes.len());
        let to = (from + noise.len()).min(bytes.len());
        let source = from_elsewhere.map(|at| at.index(bytes.len() - (to - from) + 1));
        match source {
            Some(at) => bytes.copy_within(at..at + (to - from), from),
            None => bytes[from..to].copy_from_slice(&noise[..to - from]),
        }
        survives_or_is_refused(&hurt, &groups, &format!("{name} from {from} to {to}"));
    }
}
