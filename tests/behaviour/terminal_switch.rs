//! The terminal's day against the whole switch: real doors, real links, mock banks.

use crate::switch::rig::{Recipe, Rig};
use std::path::Path;
use tollgate::cli::Exit;
use tollgate::cli::run_from;
use tollgate::ledger::BatchState;
use tollgate::ledger::Ledger;
use tollgate::model::BatchNumber;
use tollgate::model::TerminalId;

fn run(rig: &Rig, folder: &Path, arguments: &[&str]) -> (Exit, String) {
    let (state, door) = (folder.join("terminal.json"), rig.door("pos").to_string());
    let common = ["tollgate", "terminal", "--connect", &door, "--state", state.to_str().unwrap()];
    let mut out = Vec::new();
    let ended = run_from(common.iter().chain(arguments), &mut out);
    let (exit, message) = match ended {
        Ok(exit) => (exit, String::new()),
        Err(failure) => (failure.exit, failure.message),
    };
    (exit, String::from_utf8(out).unwrap() + &message)
}

pub(crate) fn day(rig: &Rig, text: &str) -> (Exit, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("day.toml");
    std::fs::write(&path, text).unwrap();
    run(rig, folder.path(), &["day", "--script", path.to_str().unwrap()])
}

fn closed(rig: &Rig, batch: u32) -> tollgate::ledger::BatchRecord {
    let terminal = TerminalId::parse(b"10000001").unwrap();
    rig.ledger().batch(terminal, BatchNumber::new(batch).unwrap()).expect("the batch is closed")
}

#[test]
fn the_example_day_goes_as_it_says_and_its_batch_balances() {
    let rig = Rig::of(&Recipe { timeout_ms: 2_000, ..Recipe::default() });
    let (exit, out) = day(&rig, include_str!("../../specs/demo/day.toml"));
    assert_eq!(exit, Exit::Ok, "{out}");
    let record = closed(&rig, 1);
    assert_eq!(record.is_balanced(), Some(true), "{out}");
    assert!(record.counted.domestic.debit.count >= 5, "{out}");
}

#[test]
fn a_batch_that_lost_a_slip_is_uploaded_and_the_switch_names_what_is_missing() {
    let rig = Rig::start(2_000);
    let text = "[[step]]\ndo = \"sale\"\namount = \"10.00\"\ntimes = 10\n\
        [[step]]\ndo = \"settle\"\nlie = 4\nexpect = \"unbalanced\"\n\
        [[step]]\ndo = \"sale\"\namount = \"1.00\"\n[[step]]\ndo = \"settle\"\n";
    let (exit, out) = day(&rig, text);
    assert_eq!(exit, Exit::Ok, "{out}");
    let record = closed(&rig, 1);
    assert_eq!((record.state, record.items, record.differences.len()), (BatchState::Closed, 9, 1));
    assert_eq!(record.differences[0].here.map(|amount| amount.minor()), Some(1_000));
    assert_eq!(closed(&rig, 2).is_balanced(), Some(true));
}

#[test]
fn a_batch_that_an_operator_closed_is_left_behind_at_the_next_sale() {
    let rig = Rig::kept(2_000);
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(&rig, folder.path(), &["sale", "10.00"]).0, Exit::Ok);
    let ledger = rig.file("ledger");
    let close = ["tollgate", "batch", "close", "--data", ledger.to_str().unwrap(), "--terminal", "10000001"];
    let why = ["--actor", "alice", "--reason", "till is broken"];
    assert_eq!(run_from(close.iter().chain(&why), &mut Vec::new()).ok(), Some(Exit::Ok));
    let (exit, out) = run(&rig, folder.path(), &["sale", "20.00"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    assert!(out.contains("<- 0210 77") && out.contains("<- 0810 00"), "{out}");
    let (_, out) = run(&rig, folder.path(), &["log"]);
    assert!(out.contains("batch 000002") && out.contains("totals: debit 1/2000"), "{out}");
    let (exit, out) = run(&rig, folder.path(), &["settle"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    assert!(out.contains("对账平"), "{out}");
}

/// A code of the demo's wallet.
const CODE: &str = "62210000000000180001";

/// What its account has and what stands against it.
fn wallet(rig: &Rig) -> (u64, u64) {
    let (_, account) = rig.wallets.0.accounts()[0];
    (account.balance.minor(), Rig::booked(&rig.wallets))
}

#[test]
fn a_code_is_sold_refunded_and_settled_and_spent_once() {
    let rig = Rig::start(2_000);
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| run(&rig, folder.path(), arguments);
    let (exit, out) = run(&["qr-sale", "5.00", "--code", CODE]);
    assert_eq!(exit, Exit::Ok, "{out}");
    assert!(out.contains("****************0001") && !out.contains("6221000000000018"), "{out}");
    assert_eq!(wallet(&rig), (9_999_500, 500));
    let (exit, out) = run(&["qr-sale", "5.00", "--code", CODE]);
    assert_eq!(exit, Exit::No, "{out}");
    assert!(out.contains("<- 0210 54"), "a code pays once: {out}");
    let (exit, out) = run(&["qr-sale", "7.00", "--code", "62210000000000180002"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    let (exit, out) = run(&["void"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    let (exit, out) = run(&["refund", "2.00"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    rig.await_undone();
    assert_eq!(wallet(&rig).0, 9_999_700);
    let (exit, out) = run(&["refund", "3.01"]);
    assert_eq!(exit, Exit::No, "more than the rest: {out}");
    let (exit, out) = run(&["settle"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    assert_eq!(closed(&rig, 1).is_balanced(), Some(true), "{out}");
}

#[test]
fn a_batch_of_codes_is_uploaded_with_their_digits() {
    let rig = Rig::start(2_000);
    let folder = tempfile::tempdir().unwrap();
    for code in ["62210000000000180003", "6221000000000018004", "62210000000000180005"] {
        let (exit, out) = run(&rig, folder.path(), &["qr-sale", "1.00", "--code", code]);
        assert_eq!(exit, Exit::Ok, "{out}");
    }
    let (exit, out) = run(&rig, folder.path(), &["settle", "--lie", "3"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    let record = closed(&rig, 1);
    let told: Vec<_> = record.differences.iter().map(|one| one.what.name()).collect();
    assert_eq!((record.items, told), (2, vec!["missing-there"]), "{out}");
}

#[test]
fn a_code_of_nobody_is_no_card() {
    let rig = Rig::start(2_000);
    let folder = tempfile::tempdir().unwrap();
    let (exit, out) = run(&rig, folder.path(), &["qr-sale", "5.00", "--code", "62219999999999990001"]);
    assert_eq!(exit, Exit::No, "{out}");
    assert!(out.contains("<- 0210 14"), "{out}");
}
