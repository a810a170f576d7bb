//! The journal in a real folder.

use super::*;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use tollgate::ledger::journal::Fault;
use tollgate::ledger::journal::Folder;

#[test]
fn a_folder_keeps_a_journal_and_nobody_else_may_read_it() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("station/ledger");
    let groups: Vec<Records> = (1..=9).map(|seed| records(seed, 2, 500)).collect();
    {
        let disk = Folder::open(&path).unwrap();
        let (mut journal, _) = opened(&disk, None).unwrap();
        for group in &groups {
            write(&mut journal, group);
        }
        journal.anchor.step().unwrap();
    }
    let disk = Folder::open(&path).unwrap();
    assert_eq!(opened(&disk, None).unwrap().1, groups);
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for entry in std::fs::read_dir(&path).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}

#[test]
fn a_folder_has_one_user_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let first = Folder::open(folder.path()).unwrap();
    let clone = first.clone();
    for _ in 0..2 {
        let refused = Folder::open(folder.path()).err().unwrap();
        assert!(matches!(refused.fault, Fault::InUse), "{refused}");
        assert!(refused.to_string().contains("another process"), "{refused}");
    }
    drop(first);
    assert!(Folder::open(folder.path()).is_err(), "a clone still uses it");
    drop(clone);
    assert!(Folder::open(folder.path()).is_ok());
}

#[test]
fn a_folder_opened_to_look_at_is_never_changed() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Folder::open(folder.path()).unwrap();
    let (mut journal, _) = opened(&disk, None).unwrap();
    write(&mut journal, &records(1, 1, 10));
    let mut look = Folder::read_only(folder.path()).unwrap();
    assert_eq!(read(&look).unwrap().1.len(), 1);
    assert!(look.create("x").is_err() && look.rename("anchor", "x").is_err() && look.remove("anchor").is_err());
    let mut file = look.open("anchor").unwrap();
    assert!(look.write_at(&mut file, b"x", 0).is_err());
    assert!(Folder::read_only(&folder.path().join("nothing")).is_err());
    let empty = tempfile::tempdir().unwrap();
    let refused = read(&Folder::read_only(empty.path()).unwrap()).err().unwrap();
    assert!(matches!(refused.fault, Fault::Nothing), "{refused}");
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0);
}

#[test]
fn a_journal_can_be_read_while_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Folder::open(folder.path()).unwrap();
    let (mut journal, _) = opened(&disk, None).unwrap();
    let written = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for seed in 1..=100 {
                write(&mut journal, &records(seed, 1, 600));
                journal.anchor.step().unwrap();
            }
            written.store(true, Ordering::Release);
        });
        let look = Folder::read_only(folder.path()).unwrap();
        let mut last = 0;
        loop {
            let done = written.load(Ordering::Acquire);
            let (replayed, seen) = read(&look).unwrap();
            assert!(seen.len() >= last && replayed.head.number == seen.len() as u64);
            last = seen.len();
            if done {
                break;
            }
        }
        assert_eq!(last, 100);
    });
}
