//! The terminal's day against the whole switch: real doors, real links, mock banks.

use crate::switch::rig::{Recipe, Rig, Till, now};
use std::path::Path;
use std::sync::Arc;
use tollgate::cli::Exit;
use tollgate::cli::run_from;
use tollgate::ledger::BatchState;
use tollgate::ledger::Ledger;
use tollgate::model::BatchNumber;
use tollgate::model::Kind;
use tollgate::model::TerminalId;
use tollgate::server::SystemEntropy;
use tollgate::sim::terminal::Memory;
use tollgate::sim::terminal::Terminal;
use tollgate::sim::terminal::demo_pin_pad;

/// `tollgate terminal` at the door `pos`, with its memory in `folder`.
pub(crate) fn run(rig: &Rig, folder: &Path, arguments: &[&str]) -> (Exit, String) {
    run_at(rig, "pos", folder, arguments)
}

/// The same at another door.
pub(crate) fn run_at(rig: &Rig, door: &str, folder: &Path, arguments: &[&str]) -> (Exit, String) {
    let (state, address) = (folder.join("terminal.json"), rig.door(door).to_string());
    let common = ["tollgate", "terminal", "--door", door, "--connect", &address, "--state", state.to_str().unwrap()];
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

pub(crate) fn closed(rig: &Rig, batch: u32) -> tollgate::ledger::BatchRecord {
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
    assert_eq!((record.counted.domestic.debit.count, record.counted.foreign.debit.count), (4, 1), "{out}");
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

/// The terminal of this folder claims its totals without the first slip; they arrive, and it does not hear the answer.
fn claims_unheard(rig: &Rig, folder: &Path) {
    let path = folder.join("terminal.json");
    let mut till = Till::new(rig, 10_000_001, "pos");
    let setup = till.terminal.setup().clone();
    let text = std::fs::read_to_string(&path).unwrap();
    let memory = Memory::from_json(&text, setup.owner(), till.terminal.pad()).unwrap();
    let pad = demo_pin_pad(setup.terminal, true, Arc::new(SystemEntropy)).unwrap().unwrap();
    till.terminal = Terminal::new(setup, pad, memory).unwrap();
    assert!(till.terminal.lose(1));
    till.terminal.begin_settlement().unwrap();
    let claim = till.terminal.settlement(now()).unwrap().unwrap();
    till.send(&claim.unit);
    till.receive().expect("an answer that nobody reads");
    std::fs::write(&path, till.terminal.to_json()).unwrap();
}

#[test]
fn a_batch_that_differs_is_uploaded_although_the_terminal_signed_in_before_it_heard_so() {
    let rig = Rig::start(2_000);
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| run(&rig, folder.path(), arguments);
    assert_eq!((run(&["sale", "10.00"]).0, run(&["sale", "20.00"]).0), (Exit::Ok, Exit::Ok));
    claims_unheard(&rig, folder.path());
    let (exit, out) = run(&["sign-in"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    let (exit, out) = run(&["settle"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    assert!(out.contains("UNBALANCED"), "{out}");
    let record = closed(&rig, 1);
    assert_eq!((record.state, record.items, record.differences.len()), (BatchState::Closed, 1, 1), "{out}");
    assert_eq!((run(&["sale", "1.00"]).0, run(&["settle"]).0), (Exit::Ok, Exit::Ok));
    assert_eq!(closed(&rig, 2).is_balanced(), Some(true));
}

#[test]
fn a_batch_that_an_operator_closed_while_its_totals_were_claimed_is_left_behind() {
    let rig = Rig::kept(2_000);
    let folder = tempfile::tempdir().unwrap();
    let (state, run) = (folder.path().join("terminal.json"), |arguments: &[&str]| run(&rig, folder.path(), arguments));
    assert_eq!(run(&["sale", "10.00"]).0, Exit::Ok);
    let ledger = rig.file("ledger");
    let close = ["tollgate", "batch", "close", "--data", ledger.to_str().unwrap(), "--terminal", "10000001"];
    let why = ["--actor", "alice", "--reason", "till is broken"];
    assert_eq!(run_from(close.iter().chain(&why), &mut Vec::new()).ok(), Some(Exit::Ok));
    // Its totals were on their way when the power failed.
    let text = std::fs::read_to_string(&state).unwrap();
    let mut till = Till::new(&rig, 10_000_001, "pos");
    let memory = Memory::from_json(&text, till.terminal.setup().owner(), till.terminal.pad()).unwrap();
    let setup = till.terminal.setup().clone();
    let pad = demo_pin_pad(setup.terminal, true, Arc::new(SystemEntropy)).unwrap().unwrap();
    till.terminal = Terminal::new(setup, pad, memory).unwrap();
    till.terminal.begin_settlement().unwrap();
    till.terminal.settlement(now()).unwrap().unwrap();
    std::fs::write(&state, till.terminal.to_json()).unwrap();
    assert_eq!(run(&["sign-in"]).0, Exit::Ok);
    let (exit, out) = run(&["settle"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    assert!(out.contains("the host had closed the batch"), "{out}");
    let (exit, out) = run(&["sale", "20.00"]);
    assert_eq!(exit, Exit::Ok, "{out}");
}

#[test]
fn an_offline_refund_gives_the_last_sale_back_or_the_one_that_is_named() {
    let rig = Rig::start(2_000);
    for door in ["pos", "host"] {
        let folder = tempfile::tempdir().unwrap();
        let told = |arguments: &[&str], ends: Exit| {
            let (exit, out) = run_at(&rig, door, folder.path(), arguments);
            assert_eq!(exit, Exit::Ok, "{arguments:?}: {out}");
            let (exit, out) = run_at(&rig, door, folder.path(), &["upload"]);
            assert_eq!(exit, ends, "{door} {arguments:?}: {out}");
            out
        };
        for amount in ["10.00", "20.00"] {
            let (exit, out) = run_at(&rig, door, folder.path(), &["sale", amount]);
            assert_eq!(exit, Exit::Ok, "{out}");
        }
        told(&["offline-refund", "5.00"], Exit::Ok);
        told(&["offline-refund", "15.00", "--present", "--card", "visitor-a"], Exit::Ok);
        let over = told(&["offline-refund", "0.01"], Exit::No);
        assert!(over.contains(" 64 "), "{over}");
        let first = if door == "pos" { "2" } else { "1" };
        let whole = told(&["offline-refund", "--of", first], Exit::Ok);
        assert!(whole.contains("-> 0220 offline-refund  10.00"), "{whole}");
        let alone = told(&["offline-refund", "1.00", "--alone"], Exit::No);
        assert!(alone.contains(" 25 "), "{alone}");
    }
}

#[test]
fn an_offline_refund_of_a_sale_that_the_host_does_not_know_yet_is_told_after_it() {
    let rig = Rig::start(2_000);
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| run(&rig, folder.path(), arguments);
    for arguments in [&["sign-in"][..], &["offline-sale", "7.00"], &["offline-refund", "2.00"], &["upload"]] {
        let (exit, out) = run(arguments);
        assert_eq!(exit, Exit::Ok, "{arguments:?}: {out}");
    }
    let (exit, out) = run(&["settle"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    let counted = closed(&rig, 1).counted.domestic;
    assert_eq!((counted.debit.amount, counted.credit.amount), (700, 200), "{out}");
}

#[test]
fn a_refund_of_nothing_is_13_at_every_door() {
    let rig = Rig::start(2_000);
    for door in ["pos", "host"] {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(run_at(&rig, door, folder.path(), &["sale", "10.00"]).0, Exit::Ok);
        for verb in ["refund", "sale"] {
            let (exit, out) = run_at(&rig, door, folder.path(), &[verb, "0.00"]);
            assert_eq!(exit, Exit::No, "{out}");
            assert!(out.contains("0 13 "), "{door}: {out}");
        }
    }
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
    let again = run_from(close.iter().chain(&why), &mut Vec::new()).unwrap_err();
    assert!(again.exit == Exit::No && again.message.contains("closed already"), "{}", again.message);
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
    for code in ["62210000000000180005", "6221000000000018004", "62210000000000180003"] {
        let (exit, out) = run(&rig, folder.path(), &["qr-sale", "1.00", "--code", code]);
        assert_eq!(exit, Exit::Ok, "{out}");
    }
    let (exit, out) = run(&rig, folder.path(), &["refund", "1.00"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    assert!(out.contains("****************0003"), "{out}");
    let (exit, out) = run(&rig, folder.path(), &["settle", "--lie", "1"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    let record = closed(&rig, 1);
    let told: Vec<_> = record.differences.iter().map(|one| one.what.name()).collect();
    assert_eq!((record.items, told), (3, vec!["missing-there"]), "{out}");
}

#[test]
fn a_code_of_nobody_is_no_card() {
    let rig = Rig::start(2_000);
    let folder = tempfile::tempdir().unwrap();
    let (exit, out) = run(&rig, folder.path(), &["qr-sale", "5.00", "--code", "62219999999999990001"]);
    assert_eq!(exit, Exit::No, "{out}");
    assert!(out.contains("<- 0210 14"), "{out}");
}

#[test]
fn a_batch_with_foreign_cards_balances_for_answers_name_the_organisation() {
    let rig = Rig::start(2_000);
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let (exit, out) = run(&rig, folder.path(), arguments);
        assert_eq!(exit, Exit::Ok, "{arguments:?}: {out}");
        out
    };
    let out = run(&["--verbose", "sale", "10.00"]);
    assert!(out.contains("texts     CUP"), "{out}");
    let out = run(&["--verbose", "sale", "20.00", "--card", "visitor-b", "--repeat"]);
    assert_eq!(out.matches("texts     VIS").count(), 2, "the recorded answer names it too: {out}");
    run(&["refund", "5.00"]);
    run(&["offline-sale", "7.00", "--card", "visitor-b"]);
    run(&["preauth", "50.00", "--card", "visitor-c"]);
    run(&["complete", "40.00"]);
    let out = run(&["settle"]);
    assert!(out.contains("外卡借记 FOREIGN DEBIT"), "{out}");
    let record = closed(&rig, 1);
    assert_eq!(record.is_balanced(), Some(true), "{out}");
    let sum = |sum: tollgate::model::Sum| (sum.count, sum.amount);
    let (domestic, foreign) = (record.counted.domestic, record.counted.foreign);
    assert_eq!((sum(domestic.debit), sum(domestic.credit)), ((1, 1_000), (0, 0)));
    assert_eq!((sum(foreign.debit), sum(foreign.credit)), ((3, 6_700), (1, 500)));
}

#[test]
fn foreign_slips_are_uploaded_as_foreign_ones() {
    let rig = Rig::start(2_000);
    let folder = tempfile::tempdir().unwrap();
    for card in ["visitor-a", "visitor-b", "visitor-c"] {
        assert_eq!(run(&rig, folder.path(), &["sale", "10.00", "--card", card]).0, Exit::Ok);
    }
    let (exit, out) = run(&rig, folder.path(), &["settle", "--lie", "1"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    let told: Vec<_> = closed(&rig, 1).differences.iter().map(|one| one.what.name()).collect();
    assert_eq!(told, ["missing-there"], "{out}");
}

#[test]
fn a_script_for_the_chip_is_answered_with_a_notice_that_reaches_the_issuer() {
    let rig = Rig::start(2_000);
    let folder = tempfile::tempdir().unwrap();
    let (exit, out) = run(&rig, folder.path(), &["sale", "10.72"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    assert!(!out.contains("script-notice"), "before the next request: {out}");
    let (exit, out) = run(&rig, folder.path(), &["sale", "1.00"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    let (told, sold) = (out.find("-> 0620 script-notice"), out.find("-> 0200 sale"));
    assert!(told.is_some() && told < sold && out.contains("<- 0630 00"), "{out}");
    rig.await_undone();
    let books = rig.bank_a.0.books();
    let notices: Vec<_> = books.iter().filter(|posting| posting.entry.kind == Kind::ScriptNotice).collect();
    assert_eq!(notices.len(), 1, "the issuer knows");
    assert_eq!(Rig::booked(&rig.bank_a), 11_72);
    let (exit, out) = run(&rig, folder.path(), &["settle"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    assert_eq!(out.matches("-> 0320 batch-upload").count(), 3, "two certificates of the chip, and the end: {out}");
    assert_eq!(closed(&rig, 1).is_balanced(), Some(true));
}
