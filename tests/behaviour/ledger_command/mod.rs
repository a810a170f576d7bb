//! `tollgate ledger` on the files of a real ledger, in process.

mod archive;
mod backup;
mod days;
mod recon;
mod search;
mod settle;
mod snapshots;
mod verify;

use crate::ledger::shop::StoppedClock;
use crate::ledger::shop::decision;
use crate::ledger::shop::following;
use crate::ledger::shop::issuer;
use crate::ledger::shop::limited_sale;
use crate::ledger::shop::reversal;
use crate::ledger::shop::sale;
use futures_util::poll;
use std::cell::Cell;
use std::cell::RefCell;
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::time::Duration;
use tollgate::cli::Exit;
use tollgate::cli::run_from;
use tollgate::ledger::EmbeddedLedger;
use tollgate::ledger::Forwarded;
use tollgate::ledger::Housekeeper;
use tollgate::ledger::Intended;
use tollgate::ledger::Intent;
use tollgate::ledger::Ledger;
use tollgate::ledger::OpenedLedger;
use tollgate::ledger::Outcome;
use tollgate::ledger::Tidied;
use tollgate::ledger::journal::AnchorKeeper;
use tollgate::ledger::journal::Disk;
use tollgate::ledger::journal::Folder;
use tollgate::ledger::journal::JournalId;
use tollgate::ledger::journal::Options;
use tollgate::ledger::journal::Preparer;
use tollgate::ledger::journal::Step;
use tollgate::ledger::journal::Writer;
use tollgate::ledger::journal::blocks::Purpose;
use tollgate::ledger::journal::blocks::RecordFile;
use tollgate::ledger::journal::blocks::RecordReader;
use tollgate::model::Kind;
use tollgate::model::Stan;
use tollgate::model::Timestamp;

/// The shop's card, in clear: it must be nowhere.
const CANARY: &str = "6225000000000253";
/// 2026-11-21T12:00:00Z.
const NOON: Timestamp = Timestamp(1_795_262_400_000_000);

/// Runs `tollgate ledger ..`: exit code, and what it printed, the failure's text included.
fn ledger(arguments: &[&str]) -> (Exit, String) {
    let mut out = Vec::new();
    let outcome = run_from([&["tollgate", "ledger"], arguments].concat(), &mut out);
    let text = String::from_utf8(out).unwrap();
    let (exit, text) = match outcome {
        Ok(exit) => (exit, text),
        Err(failure) => (failure.exit, text + &failure.message),
    };
    assert!(!text.contains(CANARY), "a card number in clear: {text}");
    (exit, text)
}

/// A ledger over a disk.
pub(crate) struct Kept<D: Disk> {
    pub(crate) ledger: EmbeddedLedger,
    keeper: Keeper<D>,
    housekeeper: RefCell<Housekeeper<D>>,
}

/// Writes while somebody waits.
pub(crate) struct Keeper<D: Disk> {
    parts: RefCell<(Writer<D>, Preparer<D>, AnchorKeeper<D>)>,
    /// What the clock says while a group is written.
    wall: Cell<Timestamp>,
}

impl<D: Disk> Kept<D> {
    pub(crate) fn open(disk: D) -> Self {
        let options = Options { segment_bytes: 8 << 10, new_id: JournalId(*b"a journal's name") };
        let OpenedLedger { ledger, writer, preparer, anchor, mut housekeeper, .. } =
            EmbeddedLedger::open(disk, &options, 1_000).unwrap();
        housekeeper.options.journal_bytes = 1;
        let keeper = Keeper { parts: RefCell::new((writer, preparer, anchor)), wall: Cell::new(NOON) };
        Self { ledger, keeper, housekeeper: RefCell::new(housekeeper) }
    }

    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.keeper.wait(future)
    }

    /// What is written from now on is written then.
    fn at(&self, wall: Timestamp) {
        self.keeper.wall.set(wall);
    }

    pub(crate) fn anchor(&self) {
        self.keeper.anchor();
    }

    /// Makes a snapshot of the full segments; says after which group.
    fn snapshot(&self) -> u64 {
        match self.housekeeper.borrow_mut().step(NOON).unwrap() {
            Tidied::Snapshot { group, .. } => group,
            Tidied::Nothing => panic!("no snapshot"),
        }
    }

    /// Sells on the shop's day until what left with closed days is in files.
    pub(crate) fn fill(&self) {
        for stan in 1_000.. {
            self.end(sale(&self.ledger, 3, stan, 5), Outcome::Approved);
            if matches!(self.housekeeper.borrow_mut().step(NOON).unwrap(), Tidied::Snapshot { .. }) {
                break;
            }
        }
        self.anchor();
    }

    fn intend(&self, intent: Intent) -> Intent {
        self.wait(self.ledger.intend(intent.clone())).unwrap();
        intent
    }

    fn end(&self, intent: Intent, outcome: Outcome) -> Intent {
        let intent = self.intend(intent);
        self.wait(self.ledger.decide(intent.id, decision(outcome, intent.received))).unwrap();
        intent
    }

    /// Sends what is due, and says how it fared.
    fn send(&self, forwarded: Forwarded) {
        let (bank, clock) = (issuer(), StoppedClock::at(Duration::from_secs(1)));
        let due = self.wait(async {
            match poll!(pin!(self.ledger.next_due(&bank, &clock))) {
                Poll::Ready(due) => due,
                Poll::Pending => panic!("nothing is due"),
            }
        });
        let (id, what) = (due.original.id, due.what);
        assert!(self.wait(self.ledger.sending(id, what, Stan::new(900).unwrap())).unwrap());
        self.wait(self.ledger.acknowledge(id, what, forwarded)).unwrap();
    }
}

impl<D: Disk> Keeper<D> {
    /// Waits for something of the ledger.
    fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        for _ in 0..100_000 {
            if let Poll::Ready(done) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return done;
            }
            let mut keeper = self.parts.borrow_mut();
            if keeper.0.step(self.wall.get()).unwrap() == Step::Blocked {
                keeper.1.step().unwrap();
            }
        }
        panic!("it waits for what never comes");
    }

    fn anchor(&self) {
        self.parts.borrow_mut().2.step().unwrap();
    }
}

/// Some of everything: 1 approved, 2 timed out and undone and late, 3 declined by its limit, 4 approved and undone
/// by its terminal (the reversal is 5), 6 approved and voided by 7, 8 open, 9 declined by the issuer.
fn a_day(folder: &Path) -> Kept<Folder> {
    let kept = Kept::open(Folder::open(folder).unwrap());
    let shop = &kept.ledger;
    kept.end(limited_sale(shop, 1, 1, 900), Outcome::Approved);
    let silent = kept.end(sale(shop, 1, 2, 1251), Outcome::TimedOut);
    kept.send(Forwarded::Acknowledged);
    kept.wait(shop.note_late(&issuer(), silent.rrn, Outcome::Approved)).unwrap();
    let declined = kept.wait(shop.intend(limited_sale(shop, 1, 3, 200))).unwrap();
    assert!(matches!(declined, Intended::Declined(..)));
    kept.end(sale(shop, 2, 4, 400), Outcome::Approved);
    kept.wait(shop.reverse(reversal(2, 5, 4, 400))).unwrap();
    let voided = kept.end(sale(shop, 2, 6, 700), Outcome::Approved);
    kept.end(following(Kind::SaleVoid, &voided, sale(shop, 2, 7, 700)), Outcome::Approved);
    kept.intend(sale(shop, 3, 8, 800));
    kept.end(sale(shop, 3, 9, 999), Outcome::Declined);
    kept.anchor();
    kept
}

/// A folder with [`a_day`] in it that nobody uses any more.
fn a_past_day() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    drop(a_day(folder.path()));
    folder
}

/// Writes a file of records again, changed, every check sum right.
fn rewrite(folder: &Path, name: &str, purpose: Purpose, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let mut disk = Folder::open(folder).unwrap();
    let reader = RecordReader::open(&mut disk, name, purpose).unwrap();
    let mut records = Vec::new();
    reader
        .read(&mut disk, &mut |_, record| {
            records.push(record.to_vec());
            Ok(())
        })
        .unwrap();
    change(&mut records);
    let mut file = RecordFile::create(disk, "rewritten.tmp", &reader.header).unwrap();
    for record in &records {
        file.append(|out| out.extend_from_slice(record)).unwrap();
    }
    file.finish(name).unwrap();
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
