//! The archive: follows the journal, can be made anew, is never believed over it.

use super::*;
use std::os::unix::fs::PermissionsExt;
use tollgate::ledger::Followed;
use tollgate::ledger::Reversed;
use tollgate::ledger::Stepped;
use tollgate::ledger::TxnId;
use tollgate::ledger::archive::ARCHIVE;
use tollgate::ledger::archive::Archive;
use tollgate::ledger::archive::ArchiveFault;
use tollgate::ledger::archive::Archiver;
use tollgate::ledger::archive::Query;
use tollgate::ledger::journal::layout::segment_number;
use tollgate::model::Amount;
use tollgate::model::LadderEntry;
use tollgate::model::LadderStep;
use tollgate::model::MerchantId;
use tollgate::model::RemoteAction;
use tollgate::model::Revised;
use tollgate::model::Revision;
use tollgate::model::Subject;
use tollgate::model::TerminalId;

fn archiver(folder: &Path) -> Archiver<Folder> {
    Archiver::open(Folder::read_only(folder).unwrap(), folder).unwrap()
}

fn up_to_date(archiver: &mut Archiver<Folder>) -> u64 {
    while !archiver.step().unwrap().is_done() {}
    archiver.step().unwrap().held
}

fn exported(folder: &Path, how: &[&str]) -> String {
    ledger(&[&["export", text(folder)], how].concat()).1
}

#[test]
fn it_follows_a_running_ledger_over_segments_and_says_what_the_journal_says() {
    let folder = tempfile::tempdir().unwrap();
    let kept = a_day(folder.path());
    let mut archiver = archiver(folder.path());
    let held = up_to_date(&mut archiver);
    let path = folder.path().join(ARCHIVE);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "its owner's alone");
    assert_eq!(exported(folder.path(), &[]), exported(folder.path(), &["--scan"]));
    for stan in 20..40 {
        kept.end(sale(&kept.ledger, 3, stan, 5), Outcome::Approved);
    }
    kept.anchor();
    assert_eq!(exported(folder.path(), &[]).lines().count(), 28, "an archive that is behind is not believed");
    assert!(up_to_date(&mut archiver) > held);
    assert_eq!(exported(folder.path(), &[]), exported(folder.path(), &["--scan"]));
    let timeline = |archive: &Archive| archive.timeline(TxnId(4)).unwrap();
    let scanned = Archive::of(&mut Folder::read_only(folder.path()).unwrap(), &Query::default()).unwrap().0;
    assert_eq!(timeline(&Archive::read_only(&path).unwrap()), timeline(&scanned));
}

#[test]
fn it_goes_on_where_it_was_and_holds_nothing_that_is_not_anchored() {
    let folder = tempfile::tempdir().unwrap();
    let kept = a_day(folder.path());
    let held = up_to_date(&mut archiver(folder.path()));
    kept.end(sale(&kept.ledger, 3, 20, 5), Outcome::Approved);
    assert_eq!(up_to_date(&mut archiver(folder.path())), held, "the anchor has not named it yet");
    kept.anchor();
    assert_eq!(up_to_date(&mut archiver(folder.path())), held + 2);
}

#[test]
fn it_is_made_anew_when_it_is_garbage_another_journals_or_ahead() {
    let (folder, other) = (a_past_day(), tempfile::tempdir().unwrap());
    let path = folder.path().join(ARCHIVE);
    let whole = exported(folder.path(), &["--scan"]);
    std::fs::write(&path, b"this is no database at all").unwrap();
    assert_eq!(exported(folder.path(), &[]), whole, "searches read the journal then");
    up_to_date(&mut archiver(folder.path()));
    assert_eq!(exported(folder.path(), &[]), whole);
    // A shorter history of the same journal, as after a restore of an older backup.
    let kept = Kept::open(Folder::open(other.path()).unwrap());
    kept.end(sale(&kept.ledger, 1, 1, 5), Outcome::Approved);
    kept.anchor();
    std::fs::copy(&path, other.path().join(ARCHIVE)).unwrap();
    up_to_date(&mut archiver(other.path()));
    assert_eq!(exported(other.path(), &[]), exported(other.path(), &["--scan"]));
    assert_eq!(exported(other.path(), &[]).lines().count(), 1);
}

#[test]
fn another_history_under_the_same_numbers_is_noticed_by_its_hash() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (folder, amount) in [(&folder, 5), (&other, 6)] {
        let kept = Kept::open(Folder::open(folder.path()).unwrap());
        kept.end(sale(&kept.ledger, 1, 1, amount), Outcome::Approved);
        kept.anchor();
        up_to_date(&mut archiver(folder.path()));
        kept.end(sale(&kept.ledger, 1, 2, amount), Outcome::Approved);
        kept.anchor();
    }
    std::fs::copy(folder.path().join(ARCHIVE), other.path().join(ARCHIVE)).unwrap();
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(other.path().join(format!("{ARCHIVE}{suffix}")));
    }
    up_to_date(&mut archiver(other.path()));
    let amounts: Vec<i64> = Archive::read_only(&other.path().join(ARCHIVE))
        .unwrap()
        .find(&Query::default(), 10)
        .unwrap()
        .iter()
        .map(|row| row.amount)
        .collect();
    assert_eq!(amounts, [6, 6]);
}

#[test]
fn rebuild_archive_makes_it_anew_unless_a_station_uses_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let kept = a_day(folder.path());
    let (exit, said) = ledger(&["rebuild-archive", text(folder.path())]);
    assert_eq!(exit, Exit::Usage);
    assert!(said.contains("another process uses this folder"), "{said}");
    drop(kept);
    std::fs::write(folder.path().join(ARCHIVE), b"garbage").unwrap();
    let (exit, said) = ledger(&["rebuild-archive", text(folder.path())]);
    assert_eq!(exit, Exit::Ok, "{said}");
    assert_eq!(exported(folder.path(), &[]), exported(folder.path(), &["--scan"]));
    let stat = ledger(&["stat", text(folder.path())]).1;
    assert!(stat.contains("archive   up to group"), "{stat}");
}

#[test]
fn a_reversal_that_undid_nothing_gives_its_original_no_date() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::open(Folder::open(folder.path()).unwrap());
    let paid = kept.end(sale(&kept.ledger, 1, 1, 100), Outcome::Approved);
    let refund = kept.end(following(Kind::Refund, &paid, sale(&kept.ledger, 1, 2, 60)), Outcome::Approved);
    let moot = kept.wait(kept.ledger.reverse(reversal(1, 3, 1, 100))).unwrap();
    assert!(matches!(moot, Reversed::Moot(_, Followed::Refunded)), "{moot:?}");
    let undone = || {
        kept.anchor();
        up_to_date(&mut archiver(folder.path()));
        let archive = Archive::read_only(&folder.path().join(ARCHIVE)).unwrap();
        let rows = archive.find(&Query::default(), 10).unwrap();
        rows.into_iter().map(|row| (row.id, row.undone_on)).collect::<Vec<_>>()
    };
    assert!(undone().iter().all(|(_, undone_on)| undone_on.is_none()), "it stands, and the refund too");
    kept.wait(kept.ledger.reverse(reversal(1, 4, 2, 60))).unwrap();
    let dated = |id: TxnId| undone().into_iter().find(|(row, _)| *row == id.0).unwrap().1;
    assert_eq!((dated(paid.id), dated(refund.id)), (None, Some("2026-11-21".to_owned())));
    assert_eq!(exported(folder.path(), &[]), exported(folder.path(), &["--scan"]));
}

#[test]
fn no_clear_card_number_is_in_the_archive_file() {
    let folder = a_past_day();
    up_to_date(&mut archiver(folder.path()));
    let mut seen = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let has = |wanted: &[u8]| bytes.windows(wanted.len()).any(|window| window == wanted);
        assert!(!has(CANARY.as_bytes()) && !has(&[0x62, 0x25, 0, 0, 0, 0, 0x02, 0x53]));
        seen += usize::from(has(b"622500******0253"));
    }
    assert!(seen > 0, "the masked form is there: the search can find something");
}

/// Warned, fined, asked and suspended, and back; and what was in force.
fn enforce(kept: &Kept<Folder>) {
    let step = |subject, step, actor: &str| {
        let entry = LadderEntry { subject, step, actor: actor.into(), reason: "letter 118".into(), at: NOON };
        assert!(matches!(kept.wait(kept.ledger.step(entry)).unwrap(), Stepped::Done(_)));
    };
    let till = Subject::Terminal(TerminalId::parse(b"10000001").unwrap());
    let shop = Subject::Merchant(MerchantId::parse(b"898110054110001").unwrap());
    step(till, LadderStep::Warn, "rule:region-jump");
    step(till, LadderStep::Fine(Amount::new(50_00).unwrap()), "alice");
    step(till, LadderStep::Ask(RemoteAction::Download), "alice");
    step(till, LadderStep::Ask(RemoteAction::Upgrade), "alice");
    step(till, LadderStep::Done(RemoteAction::Download), "switch");
    step(shop, LadderStep::Suspend, "bob");
    step(shop, LadderStep::Resume, "bob");
    step(till, LadderStep::Suspend, "switch");
    let (version, actor, reason) = ("2026-11".into(), "alice".into(), "new rules".into());
    let revision = Revision { what: Revised::Rules, version, digest: [7; 32], actor, reason, at: NOON };
    assert_eq!(kept.wait(kept.ledger.revise(revision)).unwrap(), None);
}

/// What a statement gives, a row a line.
fn asked(folder: &Path, statement: &str) -> Vec<String> {
    let connection = rusqlite::Connection::open(folder.join(ARCHIVE)).unwrap();
    let mut statement = connection.prepare(statement).unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

const LADDERS: &str = "SELECT concat_ws(' ', sort, trim(subject), standing, warnings, fines, fined, asked) FROM ladder
    ORDER BY sort, subject";
const STEPS: &str = "SELECT concat_ws(' ', trim(subject), step, amount, asked, actor, reason) FROM step
    ORDER BY sort, subject, number, record, place";
const REVISIONS: &str = "SELECT concat_ws(' ', what, version, hex(digest), actor, reason) FROM revision";

#[test]
fn who_stands_where_on_the_ladder_and_what_was_in_force_is_in_the_archive() {
    let (whole, cut) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (folder, forgetful) in [(whole.path(), false), (cut.path(), true)] {
        let kept = a_day(folder);
        kept.housekeeper.borrow_mut().options.remove_segments = forgetful;
        enforce(&kept);
        kept.fill();
        for stan in 5_000..5_200 {
            kept.end(sale(&kept.ledger, 3, stan, 5), Outcome::Approved);
        }
        kept.snapshot();
        kept.anchor();
        drop(kept);
        drop(Archiver::rebuild(Folder::read_only(folder).unwrap(), folder).unwrap());
        up_to_date(&mut archiver(folder));
        let first = std::fs::read_dir(folder).unwrap();
        let first = first.filter_map(|entry| segment_number(entry.unwrap().file_name().to_str().unwrap())).min();
        assert_eq!(first.unwrap() > 1, forgetful);
    }
    for folder in [whole.path(), cut.path()] {
        assert_eq!(
            asked(folder, LADDERS),
            ["merchant 898110054110001 active 0 0 0 ", "terminal 10000001 suspended 1 1 5000 upgrade"]
        );
        assert_eq!(
            asked(folder, STEPS),
            [
                "898110054110001 suspend bob letter 118",
                "898110054110001 resume bob letter 118",
                "10000001 warn rule:region-jump letter 118",
                "10000001 fine 5000 alice letter 118",
                "10000001 ask download alice letter 118",
                "10000001 ask upgrade alice letter 118",
                "10000001 done download switch letter 118",
                "10000001 suspend switch letter 118",
            ]
        );
        assert_eq!(asked(folder, REVISIONS), [format!("rules 2026-11 {} alice new rules", "07".repeat(32))]);
    }
}

#[test]
fn an_archive_of_an_earlier_release_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let kept = a_day(folder.path());
    enforce(&kept);
    kept.anchor();
    drop(kept);
    up_to_date(&mut archiver(folder.path()));
    let connection = rusqlite::Connection::open(folder.path().join(ARCHIVE)).unwrap();
    connection
        .execute_batch("DROP TABLE step; DROP TABLE ladder; DROP TABLE revision; PRAGMA user_version = 5")
        .unwrap();
    drop(connection);
    assert!(matches!(Archive::read_only(&folder.path().join(ARCHIVE)), Err(ArchiveFault::Schema)));
    up_to_date(&mut archiver(folder.path()));
    assert_eq!(asked(folder.path(), STEPS).len(), 8);
}
