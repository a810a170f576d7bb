//! Snapshots: compared with the journal, and read where the journal's first segments are gone.

use super::*;
use std::path::PathBuf;
use tollgate::ledger::archive::Archiver;
use tollgate::ledger::journal::layout::segment_number;
use tollgate::ledger::journal::layout::snapshot_name;

/// [`a_day`], a snapshot of it, and a day more.
fn two_days(folder: &Path) -> u64 {
    let kept = a_day(folder);
    for stan in 20..40 {
        kept.end(sale(&kept.ledger, 3, stan, 5), Outcome::Approved);
    }
    let group = kept.snapshot();
    for stan in 40..60 {
        kept.end(sale(&kept.ledger, 3, stan, 5), Outcome::Approved);
    }
    kept.anchor();
    group
}

fn verdict(folder: &Path) -> (Exit, String) {
    ledger(&["verify", text(folder)])
}

#[test]
fn a_snapshot_that_says_what_the_journal_says_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    two_days(folder.path());
    let (exit, said) = verdict(folder.path());
    assert_eq!(exit, Exit::Ok, "{said}");
    assert!(said.contains("snapshots 1"), "{said}");
}

/// Writes the snapshot again without its last record.
fn forget_one(folder: &Path, group: u64) {
    rewrite(folder, &snapshot_name(group), Purpose::Snapshot, |records| drop(records.pop()));
}

#[test]
fn a_snapshot_that_forgot_a_transaction_or_is_rotten_is_a_violation_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let group = two_days(folder.path());
    let path = folder.path().join(snapshot_name(group));
    let whole = std::fs::read(&path).unwrap();
    forget_one(folder.path(), group);
    let (exit, said) = verdict(folder.path());
    assert_eq!(exit, Exit::No, "{said}");
    assert!(said.contains("I12: transactions are missing from the snapshot"), "{said}");
    assert!(said.contains(&snapshot_name(group)), "{said}");
    let mut rotten = whole.clone();
    rotten[700] ^= 1;
    std::fs::write(&path, rotten).unwrap();
    let (exit, said) = verdict(folder.path());
    assert_eq!(exit, Exit::No, "{said}");
    assert!(said.contains("the block at byte 512 is damaged"), "{said}");
    std::fs::write(&path, &whole).unwrap();
    std::fs::rename(&path, folder.path().join(snapshot_name(group + 1))).unwrap();
    let (exit, said) = verdict(folder.path());
    assert_eq!(exit, Exit::No, "{said}");
    assert!(said.contains("of another group"), "{said}");
}

/// Removes the segments that the snapshot covers.
fn retire(folder: &Path, group: u64) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let number = |path: &PathBuf| segment_number(path.file_name().unwrap().to_str().unwrap());
    let mut segments: Vec<(u64, PathBuf)> = entries.filter_map(|path| Some((number(&path)?, path))).collect();
    segments.sort();
    let covered: Vec<_> = segments.iter().filter(|(first, _)| *first <= group).collect();
    covered.iter().for_each(|(_, path)| std::fs::remove_file(path).unwrap());
    covered.len()
}

#[test]
fn where_the_first_segments_are_gone_everything_goes_on_from_the_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let live = folder.path().join("live");
    let group = two_days(&live);
    let export = |folder: &Path| ledger(&["export", text(folder)]).1;
    let before = export(&live);
    assert!(retire(&live, group) > 0);
    let (exit, said) = verdict(&live);
    assert_eq!(exit, Exit::Ok, "{said}");
    let standing = |export: &str| -> Vec<(u64, String)> {
        let rows = export.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        rows.map(|row| (row["id"].as_u64().unwrap(), row["standing"].as_str().unwrap().to_owned())).collect()
    };
    assert_eq!(standing(&export(&live)), standing(&before));
    assert!(ledger(&["show", text(&live), "2"]).1.contains("on record as: sale 12.51 156"));
    let (copy, new) = (folder.path().join("copy"), folder.path().join("new"));
    let (exit, said) = ledger(&["backup", text(&live), text(&copy)]);
    assert_eq!(exit, Exit::Ok, "{said}");
    let (exit, said) = ledger(&["restore", text(&copy), text(&new)]);
    assert_eq!(exit, Exit::Ok, "{said}");
    let mut archiver = Archiver::open(Folder::read_only(&new).unwrap(), &new).unwrap();
    while !archiver.step().unwrap().is_done() {}
    assert_eq!(standing(&export(&new)), standing(&before));
    std::fs::remove_file(live.join(snapshot_name(group))).unwrap();
    let (exit, said) = verdict(&live);
    assert_eq!(exit, Exit::No, "without the snapshot it is a gap: {said}");
}
