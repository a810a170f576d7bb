//! `tollgate ledger verify` and `stat`. That each promise is really checked is shown beside the checks.

use super::*;
use crate::ledger::histories;
use proptest::prelude::*;
use serde_json::Value;
use tollgate::ledger::journal::MemoryDisk;
use tollgate::ledger::journal::replay;
use tollgate::ledger::verify::Invariant;
use tollgate::ledger::verify::verify;

#[test]
fn a_ledger_in_order_is_told_with_counts_also_while_it_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let kept = a_day(folder.path());
    let (exit, said) = ledger(&["verify", text(folder.path())]);
    assert_eq!(exit, Exit::Ok, "{said}");
    for wanted in [
        "7 intents, 1 declined here, 6 decisions",
        "open 1, owed bank-a 1, dead letters 0",
        "I12  chain, anchor, segments, snapshots",
        "I15  no request of who is suspended",
        "every promise was kept",
    ] {
        assert!(said.contains(wanted), "{wanted} in {said}");
    }
    drop(kept);
    let (exit, json) = ledger(&["verify", text(folder.path()), "--json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((exit, &json["ok"], &json["broken"]), (Exit::Ok, &Value::Bool(true), &0.into()));
    assert_eq!(json["promises"].as_array().unwrap().len(), 13);
}

#[test]
fn a_planted_second_decision_is_found_with_its_transaction_group_file_and_offset() {
    let folder = tempfile::tempdir().unwrap();
    let kept = a_day(folder.path());
    drop(kept);
    let mut records: Vec<Vec<u8>> = Vec::new();
    let mut disk = Folder::open(folder.path()).unwrap();
    let replayed = replay(&mut disk, None, &mut |group| {
        records.extend(group.records().map(<[u8]>::to_vec));
        Ok(())
    });
    let last = replayed.unwrap().head.number;
    // Tag 4 is a decision.
    let decision = records.iter().find(|record| record[0] == 4).unwrap().clone();
    let options = Options::new(JournalId([0; 16]));
    let mut opened = tollgate::ledger::journal::open(disk, &options, None, &mut |_| Ok(())).unwrap();
    let ticket = opened.groups.push_encoded(&[&decision]);
    while !ticket.is_kept() {
        if opened.writer.step(NOON).unwrap() == Step::Blocked {
            opened.preparer.step().unwrap();
        }
    }
    drop(opened);
    let (exit, said) = ledger(&["verify", text(folder.path())]);
    assert_eq!(exit, Exit::No, "{said}");
    let line = said.lines().find(|line| line.starts_with("I3: ")).unwrap();
    let wanted = format!("transaction 1 (RRN 632500000001): it is decided a second time; group {}, record 0", last + 1);
    assert!(line.contains(&wanted) && line.contains("segment-") && line.contains(" at byte "), "{line}");
    assert!(said.contains("I3   one decision, lawful moves") && said.contains("BROKEN 1 times"), "{said}");
    let (exit, json) = ledger(&["verify", text(folder.path()), "--json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((exit, &json["violations"][0]["invariant"]), (Exit::No, &"I3".into()));
    assert_eq!(json["violations"][0]["group"], last + 1);
}

/// The segments of a folder, in order.
fn segments(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut segments: Vec<_> =
        entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("segment-")).collect();
    segments.sort();
    segments
}

#[test]
fn rot_a_cut_and_a_missing_segment_are_violations_that_name_the_file() {
    let first = |folder: &Path| segments(folder)[0].clone();
    type Damage<'a> = &'a dyn Fn(&Path);
    let damages: [(Damage<'_>, &str); 5] = [
        (&|folder| flip(&first(folder), 4096 + 100), "missing or damaged"),
        (&|folder| flip(&first(folder), 20), "the check sum is wrong"),
        (
            &|folder| std::fs::OpenOptions::new().write(true).open(first(folder)).unwrap().set_len(5_000).unwrap(),
            "5000 bytes",
        ),
        (&|folder| std::fs::remove_file(first(folder)).unwrap(), "missing or damaged"),
        (&|folder| std::fs::remove_file(folder.join("anchor")).unwrap(), "no anchor"),
    ];
    for (damage, wanted) in damages {
        let folder = a_past_day();
        assert!(segments(folder.path()).len() > 1);
        damage(folder.path());
        let (exit, said) = ledger(&["verify", text(folder.path())]);
        assert_eq!(exit, Exit::No, "{said}");
        assert!(said.contains("I12: ") && said.contains(wanted), "{wanted} in {said}");
        assert!(said.contains("was not read"), "{said}");
    }
}

fn flip(file: &Path, at: usize) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[at] ^= 0x40;
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn a_torn_end_is_said_and_is_no_violation() {
    let folder = a_past_day();
    let last = segments(folder.path()).pop().unwrap();
    let mut bytes = std::fs::read(&last).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap().next_multiple_of(512);
    bytes[end..end + 4].copy_from_slice(b"TGRP");
    std::fs::write(&last, bytes).unwrap();
    let (exit, said) = ledger(&["verify", text(folder.path())]);
    assert_eq!(exit, Exit::Ok, "{said}");
    assert!(said.contains("torn end: 512 bytes"), "{said}");
}

#[test]
fn folders_that_hold_no_ledger_are_2_and_say_why() {
    let empty = tempfile::tempdir().unwrap();
    for command in ["verify", "stat", "find", "export", "rebuild-archive"] {
        let (exit, said) = ledger(&[command, text(empty.path())]);
        assert_eq!(exit, Exit::Usage, "{command}: {said}");
        assert!(said.contains("no journal in this folder"), "{command}: {said}");
    }
    let (exit, said) = ledger(&["verify", text(&empty.path().join("nowhere"))]);
    assert_eq!(exit, Exit::Usage, "{said}");
    assert_eq!(ledger(&["verify"]).0, Exit::Usage);
}

#[test]
fn stat_tells_what_there_is() {
    let folder = a_past_day();
    let (exit, said) = ledger(&["stat", text(folder.path())]);
    assert_eq!(exit, Exit::Ok, "{said}");
    for wanted in ["requests  8", "open      1", "owed      bank-a 1", "archive   none", "2026-11-21  156  reversed"] {
        assert!(said.contains(wanted), "{wanted} in {said}");
    }
    let json: Value = serde_json::from_str(&ledger(&["stat", text(folder.path()), "--json"]).1).unwrap();
    assert_eq!((&json["owed"]["bank-a"], &json["open"]), (&1.into(), &1.into()));
}

proptest! {
    /// What the real ledger does, verification finds in order: the two agree on what is lawful.
    #[test]
    fn any_history_of_the_ledger_verifies(steps in histories::steps()) {
        let disk = MemoryDisk::default();
        let Kept { ledger, keeper, .. } = Kept::open(disk.clone());
        keeper.wait(histories::keep_the_invariants(ledger, steps));
        keeper.anchor();
        let report = verify(&mut disk.clone()).unwrap();
        let said: Vec<String> = report.violations.iter().map(ToString::to_string).collect();
        prop_assert!(said.is_empty(), "{said:#?}");
        prop_assert!(report.counts.checks.contains_key(&Invariant::I12));
    }
}
