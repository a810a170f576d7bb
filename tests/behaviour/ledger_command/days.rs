//! Closed days: compared with the journal, and read where its segments are gone.

use super::*;
use crate::ledger::shop::day;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use tollgate::ledger::Reversed;
use tollgate::ledger::TxnId;
use tollgate::ledger::journal::layout::segment_number;

/// [`a_day`], closed and in its files; and more on the next day. Of what is `forgetful` the first segments are gone.
fn a_closed_day(folder: &Path, forgetful: bool) -> Kept<Folder> {
    let kept = a_day(folder);
    kept.wait(kept.ledger.close_day(day(21))).unwrap();
    kept.housekeeper.borrow_mut().options.remove_segments = forgetful;
    for stans in [20..40, 40..80] {
        for stan in stans {
            kept.end(Intent { date: day(22), ..sale(&kept.ledger, 3, stan, 5) }, Outcome::Approved);
        }
        kept.snapshot();
    }
    kept.anchor();
    let first = names(folder).iter().filter_map(|name| segment_number(name)).min().unwrap();
    assert_eq!(first > 1, forgetful);
    kept
}

fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// The only file with this ending.
fn file(folder: &Path, ending: &str) -> PathBuf {
    let names: Vec<_> = names(folder).into_iter().filter(|name| name.ends_with(ending)).collect();
    assert_eq!(names.len(), 1, "{names:?}");
    folder.join(&names[0])
}

fn flip(file: &Path, at: usize) -> Vec<u8> {
    let whole = fs::read(file).unwrap();
    let mut rotten = whole.clone();
    rotten[at] ^= 0x20;
    fs::write(file, rotten).unwrap();
    whole
}

/// What is exported: number, standing, whether its day is closed.
fn exported(folder: &Path, how: &[&str]) -> Vec<(u64, String, bool)> {
    let (exit, said) = ledger(&[&["export", text(folder)], how].concat());
    assert_eq!(exit, Exit::Ok, "{said}");
    let rows = said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let row = |row: Value| {
        (row["id"].as_u64().unwrap(), row["standing"].as_str().unwrap().to_owned(), row["closed"].as_bool().unwrap())
    };
    rows.map(row).collect()
}

fn verdict(folder: &Path) -> (Exit, String) {
    ledger(&["verify", text(folder)])
}

fn finds(folder: &Path, wanted: &str) {
    let (exit, said) = verdict(folder);
    assert_eq!(exit, Exit::No, "{said}");
    assert!(said.contains(wanted), "{wanted} in {said}");
}

#[test]
fn closed_transactions_are_still_told_where_their_segments_are_gone() {
    let (whole, cut) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(a_closed_day(whole.path(), false));
    drop(a_closed_day(cut.path(), true));
    let wanted = exported(whole.path(), &[]);
    assert_eq!(wanted.len(), 68);
    assert!(wanted.contains(&(1, "approved".to_owned(), true)) && wanted.contains(&(8, "open".to_owned(), false)));
    assert_eq!(exported(cut.path(), &[]), wanted);
    let (exit, said) = ledger(&["rebuild-archive", text(cut.path())]);
    assert_eq!(exit, Exit::Ok, "{said}");
    assert_eq!(exported(cut.path(), &[]), wanted, "of the archive");
    assert_eq!(exported(cut.path(), &["--scan"]), wanted);
    let shown = ledger(&["show", text(cut.path()), "1"]).1;
    assert!(shown.contains("its day is closed") && shown.contains("on record as: sale 9.00 156"), "{shown}");
    for folder in [whole.path(), cut.path()] {
        let (exit, said) = verdict(folder);
        assert_eq!(exit, Exit::Ok, "{said}");
        assert!(said.contains("closed days 1 in 1 files"), "{said}");
    }
    let totals = |folder: &Path| ledger(&["stat", text(folder), "--json"]).1;
    let totals = |folder: &Path| serde_json::from_str::<Value>(&totals(folder)).unwrap()["totals"].clone();
    assert_eq!(totals(cut.path()), totals(whole.path()));
}

#[test]
fn what_came_back_and_left_again_is_told_as_it_left_last() {
    let folder = tempfile::tempdir().unwrap();
    let kept = a_closed_day(folder.path(), true);
    assert!(matches!(kept.wait(kept.ledger.reverse(reversal(1, 90, 1, 900))).unwrap(), Reversed::Accepted(_)));
    let standing = |kept: &Kept<Folder>| {
        kept.anchor();
        let (exit, said) = verdict(folder.path());
        assert_eq!(exit, Exit::Ok, "{said}");
        exported(folder.path(), &["--scan"]).into_iter().find(|row| row.0 == 1).unwrap()
    };
    assert_eq!(standing(&kept), (1, "reversing".to_owned(), false));
    for stan in 100..140 {
        kept.end(Intent { date: day(22), ..sale(&kept.ledger, 3, stan, 5) }, Outcome::Approved);
    }
    kept.snapshot();
    assert_eq!(standing(&kept), (1, "reversing".to_owned(), false));
    // The message of terminal 2 is older.
    kept.send(Forwarded::Acknowledged);
    kept.send(Forwarded::Acknowledged);
    kept.wait(kept.ledger.close_day(day(21))).unwrap();
    for stans in [140..180, 180..220, 220..260] {
        for stan in stans {
            kept.end(Intent { date: day(22), ..sale(&kept.ledger, 3, stan, 5) }, Outcome::Approved);
        }
        kept.snapshot();
    }
    assert_eq!(standing(&kept), (1, "reversed".to_owned(), true));
}

/// Writes the day again with one amount changed.
fn change_one(folder: &Path) {
    let path = file(folder, ".tgd");
    let name = path.file_name().unwrap().to_str().unwrap();
    rewrite(folder, name, Purpose::Day, |records| {
        let amount = 900u64.to_be_bytes();
        let at = records[0].windows(8).position(|window| window == amount).unwrap();
        records[0][at..at + 8].copy_from_slice(&901u64.to_be_bytes());
    });
}

#[test]
fn one_record_changed_in_a_closed_day_is_found_although_every_check_sum_is_right() {
    let folder = tempfile::tempdir().unwrap();
    drop(a_closed_day(folder.path(), false));
    change_one(folder.path());
    finds(
        folder.path(),
        "I11: transaction 1 (RRN 632500000001): the closed day is not what the journal let go, day-2026-11-21-",
    );
}

#[test]
fn a_closed_day_that_is_rotten_missing_or_too_many_is_found() {
    for forgetful in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        drop(a_closed_day(folder.path(), forgetful));
        let day = file(folder.path(), ".tgd");
        let whole = flip(&day, 700);
        finds(folder.path(), "the block at byte 512 is damaged");
        fs::write(&day, &whole[..whole.len() - 1]).unwrap();
        finds(folder.path(), "is damaged");
        fs::write(&day, &whole).unwrap();
        let keys = file(folder.path(), ".tgk");
        let index = flip(&keys, 4096);
        finds(folder.path(), "I12: not the index of its day");
        fs::write(&keys, index).unwrap();
        fs::remove_file(&keys).unwrap();
        assert_eq!(verdict(folder.path()).0, Exit::Ok, "the next start makes it again");
        let renamed = folder.path().join("day-2026-11-21-0000000009.tgd");
        fs::rename(&day, &renamed).unwrap();
        finds(folder.path(), "a closed day that the journal has not closed");
        fs::remove_file(&renamed).unwrap();
        if !forgetful {
            finds(folder.path(), "I12: a closed day that a snapshot leaves out is not there, day-2026-11-21-");
        }
    }
}

#[test]
fn a_backup_holds_closed_days_and_a_flipped_byte_in_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (live, copy, new) = (folder.path().join("live"), folder.path().join("copy"), folder.path().join("new"));
    let kept = a_closed_day(&live, true);
    let (exit, said) = ledger(&["backup", text(&live), text(&copy)]);
    assert_eq!(exit, Exit::Ok, "{said}");
    for ending in [".tgd", ".tgk"] {
        let file = file(&copy, ending);
        let whole = flip(&file, 700);
        let (exit, said) = ledger(&["restore", text(&copy), text(&new)]);
        assert_eq!(exit, Exit::No, "{said}");
        assert!(said.contains(file.to_str().unwrap()) && !new.exists(), "{said}");
        fs::remove_file(&file).unwrap();
        assert_eq!(ledger(&["restore", text(&copy), text(&new)]).0, Exit::No, "missing");
        fs::write(&file, whole).unwrap();
    }
    let (exit, said) = ledger(&["restore", text(&copy), text(&new)]);
    assert_eq!(exit, Exit::Ok, "{said}");
    assert!(said.contains("2026-11-21  156  approved"), "totals of the closed day: {said}");
    assert_eq!(exported(&new, &[]), exported(&live, &[]));
    drop(kept);
    let kept = Kept::open(Folder::open(&new).unwrap());
    let copy = Intent { date: day(22), ..limited_sale(&kept.ledger, 1, 1, 900) };
    assert!(matches!(kept.wait(kept.ledger.intend(copy)).unwrap(), Intended::Duplicate(_)));
}

#[test]
fn a_backup_of_a_ledger_with_a_rotten_day_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let (live, copy) = (folder.path().join("live"), folder.path().join("copy"));
    drop(a_closed_day(&live, true));
    flip(&file(&live, ".tgd"), 700);
    let (exit, said) = ledger(&["backup", text(&live), text(&copy)]);
    assert_eq!(exit, Exit::No, "{said}");
    assert!(said.contains("the block at byte 512 is damaged") && !copy.join("manifest.json").exists(), "{said}");
}

#[test]
fn numbers_given_out_after_the_backup_are_not_given_out_again_by_what_is_restored() {
    let folder = tempfile::tempdir().unwrap();
    let (live, copy, new) = (folder.path().join("live"), folder.path().join("copy"), folder.path().join("new"));
    let kept = a_day(&live);
    assert_eq!(ledger(&["backup", text(&live), text(&copy)]).0, Exit::Ok);
    let (exit, said) = ledger(&["restore", text(&copy), text(&new)]);
    assert_eq!(exit, Exit::Ok, "{said}");
    assert_eq!(kept.ledger.number(day(21)).0, TxnId(10));
    let restored = Kept::open(Folder::open(&new).unwrap());
    let (id, rrn) = restored.ledger.number(day(21));
    assert_eq!((id, rrn.as_str()), (TxnId(1_000_010), "632501000010"));
    restored.end(sale(&restored.ledger, 3, 30, 5), Outcome::Approved);
    restored.anchor();
    drop(restored);
    let (exit, said) = verdict(&new);
    assert_eq!(exit, Exit::Ok, "{said}");
    let restored = Kept::open(Folder::open(&new).unwrap());
    assert_eq!(restored.ledger.number(day(21)).0, TxnId(1_000_012), "once, not at every start");
}
