//! A positive control for each promise: a journal that breaks it, written through codec and writer, is found out,
//! and the place named; a journal that keeps them all is not.

mod batches;
mod follow_ups;
mod ladder;

use super::*;
use crate::ledger::Answer;
use crate::ledger::DataKeyName;
use crate::ledger::Decision;
use crate::ledger::Identity;
use crate::ledger::Intent;
use crate::ledger::OriginalKey;
use crate::ledger::Outbound;
use crate::ledger::Outcome;
use crate::ledger::Reversal;
use crate::ledger::Scope;
use crate::ledger::TxnId;
use crate::ledger::journal;
use crate::ledger::journal::JournalId;
use crate::ledger::journal::MemoryDisk;
use crate::ledger::journal::Options;
use crate::ledger::journal::Prepared;
use crate::ledger::journal::Step;
use crate::ledger::lifecycle::Undone;
use crate::ledger::record::KeptReversal;
use crate::ledger::record::Record;
use crate::model::Acquirer;
use crate::model::Amount;
use crate::model::CardClass;
use crate::model::Currency;
use crate::model::KeyBlock;
use crate::model::Kind;
use crate::model::Ksn;
use crate::model::MerchantId;
use crate::model::MessageClass;
use crate::model::Pan;
use crate::model::PanToken;
use crate::model::PosEntryMode;
use crate::model::ProcessingCode;
use crate::model::ResponseCode;
use crate::model::Rrn;
use crate::model::SealedPan;
use crate::model::SerialMark;
use crate::model::SessionFacts;
use crate::model::Stan;
use crate::model::TerminalId;
use crate::model::Timestamp;
use crate::risk::Counted;
use crate::risk::CounterKey;
use crate::risk::Reservation;
use crate::risk::Scene;
use Invariant::*;
use bytes::Bytes;
use smallvec::SmallVec;
use std::sync::Arc;

const NOON: Timestamp = Timestamp(1_795_262_400_000_000);
const LIMIT: u64 = 1_000;

fn day(day: i8) -> BusinessDate {
    BusinessDate::new(2026, 11, day).unwrap()
}

fn stan(stan: u32) -> Stan {
    Stan::new(stan).unwrap()
}

fn amount(minor: u64) -> Amount {
    Amount::new(minor).unwrap()
}

fn terminal(number: u8) -> TerminalId {
    TerminalId::parse(format!("1000000{number}").as_bytes()).unwrap()
}

fn identity(number: u8, of: u32, class: MessageClass) -> Identity {
    Identity { terminal: terminal(number), stan: stan(of), scope: Scope(SmallVec::from_slice(b"000001")), class }
}

fn outbound(issuer: &str, of: u32) -> Outbound {
    Outbound { issuer: IssuerName::parse(issuer).unwrap(), stan: stan(of), sent: NOON, icc: None }
}

/// A sale of terminal 1 whose STAN is its number.
fn sale(id: u64, minor: u64) -> Intent {
    let number = u32::try_from(id).unwrap();
    Intent {
        id: TxnId(id),
        rrn: Rrn::numbered(day(21), id),
        identity: identity(1, number, MessageClass::Financial),
        content: [0; 32],
        kind: Kind::Sale,
        merchant: MerchantId::parse(b"898110054110001").unwrap(),
        acquirer: Acquirer::parse(b"89811000").unwrap(),
        test_mode: false,
        date: day(21),
        received: NOON,
        offset_minutes: 480,
        processing_code: ProcessingCode::parse(b"000000").unwrap(),
        amount: amount(minor),
        currency: Currency::CNY,
        entry_mode: PosEntryMode::parse(b"051").unwrap(),
        card_sequence: None,
        condition_code: None,
        expiry: None,
        pan: SealedPan::new(Bytes::from_static(b"sealed")),
        token: PanToken([7; 32]),
        masked: Pan::parse(b"6225000000000253").unwrap().masked(),
        refusal: None,
        reservations: SmallVec::new(),
        outbound: Some(outbound("bank-a", number)),
        follows: None,
        batch: None,
        card: CardClass::default(),
        operator: None,
        scene: Scene::default(),
        risk: None,
        echo: false,
    }
}

fn limited(id: u64, minor: u64) -> Intent {
    let mut intent = sale(id, minor);
    intent.reservations.push(Reservation {
        key: CounterKey { counted: Counted::Terminal(terminal(1)), date: day(21) },
        amount: amount(minor),
        amount_limit: Amount::new(LIMIT),
        count_limit: Some(3),
    });
    intent
}

fn follow_up(id: u64, kind: Kind, minor: u64, follows: u64) -> Intent {
    Intent { kind, follows: Some(TxnId(follows)), ..sale(id, minor) }
}

fn intended(intent: Intent) -> Record {
    Record::Intended(Arc::new(intent))
}

fn answer(code: ResponseCode) -> Answer {
    Answer::of(code, NOON)
}

fn decided(id: u64, outcome: Outcome, to: State) -> Record {
    let code = match outcome {
        Outcome::Approved => ResponseCode::Approved,
        Outcome::Declined => ResponseCode::FundsInsufficient,
        Outcome::TimedOut => ResponseCode::Timeout,
    };
    Record::Decided(TxnId(id), Decision::of(outcome, answer(code)), to)
}

fn approved(id: u64) -> Record {
    decided(id, Outcome::Approved, State::Stands(Outcome::Approved))
}

fn timed_out(id: u64) -> Record {
    decided(id, Outcome::TimedOut, State::Reversing(Undone::Silence))
}

fn moved(id: u64, to: State) -> Record {
    Record::Moved(TxnId(id), to)
}

fn sent(id: u64) -> Record {
    Record::Attempted(TxnId(id), stan(500))
}

/// A reversal of terminal 1 by the number of what it undoes.
fn reversal(id: u64, undoes: u64, known: bool, minor: u64) -> Record {
    let number = u32::try_from(id).unwrap();
    let original = OriginalKey {
        terminal: terminal(1),
        stan: stan(u32::try_from(undoes).unwrap()),
        scope: Scope(SmallVec::from_slice(b"000001")),
        class: None,
    };
    let identity = identity(1, number, MessageClass::Reversal);
    let reversal = Reversal { identity, original, amount: amount(minor), received: NOON, date: day(21) };
    Record::Reversal(Box::new(KeptReversal {
        number: TxnId(id),
        reversal,
        rrn: Rrn::numbered(day(21), id),
        answer: answer(ResponseCode::Approved),
        original: known.then_some(TxnId(undoes)),
    }))
}

/// A journal with a group for each of these commits.
fn journal(commits: Vec<Vec<Record>>) -> MemoryDisk {
    let disk = MemoryDisk::default();
    let options = Options { segment_bytes: 16 << 10, new_id: JournalId(*b"0123456789abcdef") };
    let mut opened = journal::open(disk.clone(), &options, None, &mut |_| Ok(())).unwrap();
    for commit in commits {
        let ticket = opened.groups.push(&commit);
        while !ticket.is_kept() {
            if opened.writer.step(NOON).unwrap() == Step::Blocked {
                assert!(matches!(opened.preparer.step().unwrap(), Prepared::Made));
            }
        }
    }
    opened.anchor.step().unwrap();
    disk
}

fn report(commits: Vec<Vec<Record>>) -> Report {
    verify(&mut journal(commits)).unwrap()
}

/// The first violation is of `invariant`, by the record given by its group, and about the transaction.
#[track_caller]
fn finds(invariant: Invariant, what: &str, group: u64, id: u64, commits: Vec<Vec<Record>>) {
    let report = report(commits);
    let said: Vec<String> = report.violations.iter().map(Violation::to_string).collect();
    let found = report.violations.iter().find(|found| found.invariant == invariant && found.what.contains(what));
    let found = found.unwrap_or_else(|| panic!("no {invariant} {what:?} in {said:#?}"));
    assert_eq!((found.place.group, found.id), (group, Some(TxnId(id))), "{said:#?}");
    assert!(found.place.file.starts_with("segment-") && found.place.offset >= 4096, "{said:#?}");
    assert!(report.counts.violations >= 1);
}

/// Everything that may happen, lawfully.
fn lawful() -> Vec<Vec<Record>> {
    use State::{Advising, Irreversible, Reversed, Reversing, Stands, Unadvised};
    let stands = Stands(Outcome::Approved);
    let reversing = Reversing(Undone::Silence);
    let undone = Reversing(Undone::Approval);
    let key = KeyBlock::new("D0112D0AD00E0000");
    vec![
        vec![Record::DataKey(DataKeyName::Token, key.clone()), Record::DataKey(DataKeyName::Seal(day(21)), key)],
        vec![intended(limited(1, 400)), intended(limited(2, 600))],
        vec![approved(1)],
        vec![Record::Rerouted(TxnId(2), outbound("bank-b", 77)), timed_out(2)],
        vec![Record::Late(TxnId(2), Outcome::Approved)],
        vec![Record::Declined(Arc::new(sale(3, 5)), answer(ResponseCode::AmountLimit))],
        vec![sent(2), sent(2), moved(2, Reversed(Undone::Silence))],
        vec![moved(1, undone), reversal(4, 1, true, 400)],
        vec![intended(limited(5, 1_000))],
        vec![sent(1), Record::Refused(TxnId(1), ResponseCode::RelatedInvalid, Irreversible(Undone::Approval), None)],
        vec![decided(5, Outcome::Declined, Stands(Outcome::Declined))],
        vec![reversal(6, 5, true, 1_000), reversal(7, 99, false, 10)],
        vec![Record::Declined(Arc::new(sale(99, 10)), answer(ResponseCode::RelatedInvalid))],
        vec![intended(limited(8, 700)), approved(8)],
        vec![intended(follow_up(9, Kind::SaleVoid, 700, 8)), approved(9)],
        vec![intended(limited(10, 1_000)), approved(10)],
        vec![intended(follow_up(11, Kind::Refund, 300, 10))],
        vec![decided(11, Outcome::Approved, Advising), sent(11), moved(11, stands)],
        vec![intended(follow_up(12, Kind::Refund, 700, 10)), decided(12, Outcome::Approved, Advising)],
        vec![sent(12), Record::Refused(TxnId(12), ResponseCode::FormatError, Unadvised, Some(day(21)))],
        vec![intended(sale(13, 1)), timed_out(13), intended(sale(14, 1)), timed_out(14)],
        vec![sent(13), moved(13, Reversed(Undone::Silence)), sent(14), moved(14, Reversed(Undone::Silence))],
        vec![Record::Stan(IssuerName::parse("bank-a").unwrap(), stan(9)), intended(sale(15, 1)), timed_out(15)],
        vec![intended(sale(16, 1)), decided(16, Outcome::TimedOut, reversing), Record::Closed(day(21))],
        vec![Record::Closed(day(21)), intended(Intent { date: day(22), ..sale(17, 1) })],
    ]
}

#[test]
fn a_journal_that_keeps_every_promise_is_found_in_order_and_counted() {
    let report = report(lawful());
    let said: Vec<String> = report.violations.iter().map(Violation::to_string).collect();
    assert!(said.is_empty() && report.counts.violations == 0, "{said:#?}");
    assert_eq!((report.counts.intents, report.counts.declined_here, report.counts.reversals), (13, 2, 3));
    assert_eq!((report.open, report.dead_letters), (1, 2));
    assert_eq!(report.owed.values().sum::<u64>(), 2);
    assert_eq!(report.counts.closed.len(), 1);
    let checked: Vec<Invariant> = report.counts.checks.keys().copied().collect();
    assert_eq!(checked, Invariant::ALL, "every promise was checked at least once");
}

#[test]
fn totals_count_each_transaction_once_where_it_stands() {
    let totals = report(lawful()).totals;
    let sum = |standing: &str| {
        let lines = totals.0.iter().filter(|(line, _)| line.standing == standing);
        lines.fold((0, 0), |(count, amount), (_, sum)| (count + sum.count, amount + sum.amount))
    };
    assert_eq!(sum("approved"), (4, 700 + 700 + 1_000 + 300));
    assert_eq!(sum("declined"), (3, 5 + 1_000 + 10));
    assert_eq!(sum("reversed"), (3, 600 + 1 + 1));
    assert_eq!(sum("reversing"), (2, 2));
    assert_eq!(sum("dead-letter"), (2, 400 + 700));
    assert_eq!(sum("open"), (1, 1));
}

#[test]
fn i1_an_answer_that_does_not_say_what_was_decided() {
    let liar = Decision::of(Outcome::Declined, answer(ResponseCode::Approved));
    let liar = Record::Decided(TxnId(1), liar, State::Stands(Outcome::Declined));
    finds(I1, "the answer does not say", 2, 1, vec![vec![intended(sale(1, 1))], vec![liar]]);
    let approving = Record::Declined(Arc::new(sale(1, 1)), answer(ResponseCode::Approved));
    finds(I1, "declined with an answer", 1, 1, vec![vec![approving]]);
}

#[test]
fn i2_what_happens_to_a_request_whose_intent_is_not_on_record() {
    finds(I2, "no intent", 1, 7, vec![vec![approved(7)]]);
    finds(I2, "no intent", 1, 7, vec![vec![sent(7)]]);
    finds(I2, "not on record", 1, 2, vec![vec![reversal(2, 1, true, 1)]]);
    let unsent = vec![intended(sale(1, 1)), timed_out(1), moved(1, State::Reversed(Undone::Silence))];
    finds(I2, "not on record as sent", 1, 1, vec![unsent]);
}

#[test]
fn i3_a_second_decision_and_a_move_that_no_lifecycle_has() {
    finds(I3, "a second time", 2, 1, vec![vec![intended(sale(1, 1)), approved(1)], vec![timed_out(1)]]);
    let back = vec![intended(sale(1, 1)), approved(1), moved(1, State::Open)];
    finds(I3, "nothing leads", 1, 1, vec![back]);
    let other = decided(1, Outcome::Approved, State::Stands(Outcome::Declined));
    finds(I3, "leads where none leads", 1, 1, vec![vec![intended(sale(1, 1)), other]]);
    let rerouted = Record::Rerouted(TxnId(1), outbound("bank-b", 5));
    finds(I3, "another way", 1, 1, vec![vec![intended(sale(1, 1)), approved(1), rerouted]]);
}

#[test]
fn i4_silence_without_its_reversal_a_second_reversal_and_a_reversal_that_was_overlooked() {
    let forgotten = decided(1, Outcome::TimedOut, State::Stands(Outcome::TimedOut));
    finds(I4, "no reversal is owed", 2, 1, vec![vec![intended(sale(1, 1))], vec![forgotten]]);
    let once = vec![intended(sale(1, 1)), timed_out(1), sent(1), moved(1, State::Reversed(Undone::Silence))];
    finds(I4, "a second reversal", 2, 1, vec![once, vec![moved(1, State::Reversing(Undone::Silence))]]);
    let overtaken = vec![vec![reversal(2, 1, false, 1)], vec![intended(sale(1, 1))]];
    finds(I4, "a reversal came first", 2, 1, overtaken);
    finds(I4, "overlooks", 2, 2, vec![vec![intended(sale(1, 1)), approved(1)], vec![reversal(2, 1, false, 1)]]);
    finds(I4, "as it was", 2, 2, vec![vec![intended(sale(1, 1)), approved(1)], vec![reversal(2, 1, true, 1)]]);
}

#[test]
fn i5_an_approval_undone_by_nobodys_wish() {
    let undone = moved(1, State::Reversing(Undone::Approval));
    finds(I5, "without a reversal", 2, 1, vec![vec![intended(sale(1, 1)), approved(1)], vec![undone.clone()]]);
    let anothers = Intent { identity: identity(2, 1, MessageClass::Financial), ..sale(1, 1) };
    let commits = vec![vec![intended(anothers), approved(1)], vec![undone, reversal(2, 1, true, 1)]];
    finds(I5, "another terminal's", 2, 2, commits);
}

#[test]
fn i6_a_request_a_reversal_and_a_number_on_record_twice() {
    let twin = Intent { identity: sale(1, 1).identity, ..sale(2, 1) };
    finds(I6, "a request of this identity", 2, 2, vec![vec![intended(sale(1, 1)), approved(1)], vec![intended(twin)]]);
    let number = Intent { identity: sale(2, 1).identity, rrn: sale(2, 1).rrn, ..sale(1, 1) };
    finds(I6, "the transaction number", 2, 1, vec![vec![intended(sale(1, 1))], vec![intended(number)]]);
    let rrn = Intent { rrn: sale(1, 1).rrn, ..sale(2, 1) };
    finds(I6, "the reference number", 2, 2, vec![vec![intended(sale(1, 1))], vec![intended(rrn)]]);
    let Record::Reversal(mut again) = reversal(2, 1, false, 1) else { panic!() };
    (again.number, again.rrn) = (TxnId(3), Rrn::numbered(day(21), 3));
    finds(I6, "the same reversal", 2, 3, vec![vec![reversal(2, 1, false, 1)], vec![Record::Reversal(again)]]);
}

#[test]
fn i6_a_device_that_goes_back() {
    let noted = |version, ksn: &[u8]| {
        let serial = Some(SerialMark { ksn: Ksn::read(ksn).unwrap(), content: [0; 32] });
        Record::Terminal(terminal(1), SessionFacts { version, serial, ..SessionFacts::default() })
    };
    let (first, third) = (b"FFFF9876543210E00001", b"FFFF9876543210E00003");
    let back =
        vec![vec![noted(1, third)], vec![noted(2, b"FFFF9876543211000001"), noted(3, third)], vec![noted(4, first)]];
    let said: Vec<String> = report(back).violations.iter().map(Violation::to_string).collect();
    assert!(said.len() == 1 && said[0].starts_with("I6: ") && said[0].contains("below one on record"), "{said:#?}");
    assert!(said[0].contains("group 3"), "{said:#?}");
}

#[test]
fn i7_a_late_approval_talked_away() {
    let late = |outcome| Record::Late(TxnId(1), outcome);
    let talked = vec![vec![intended(sale(1, 1)), timed_out(1), late(Outcome::Approved)], vec![late(Outcome::Declined)]];
    finds(I7, "talked away", 2, 1, talked);
}

#[test]
fn i8_a_message_that_overtakes_and_one_that_is_not_owed() {
    let two = || vec![intended(sale(1, 1)), timed_out(1), intended(sale(2, 1)), timed_out(2)];
    finds(I8, "before its terminal's turn", 2, 2, vec![two(), vec![sent(2)]]);
    let overtaken = vec![two(), vec![sent(1), sent(2), moved(2, State::Reversed(Undone::Silence))]];
    finds(I8, "not its terminal's turn", 2, 2, overtaken);
    finds(I8, "not owed", 2, 1, vec![vec![intended(sale(1, 1)), approved(1)], vec![sent(1)]]);
}

#[test]
fn i9_follow_ups_beyond_what_they_follow() {
    let original = || vec![intended(sale(1, 100)), approved(1)];
    let with = |intent: Intent| vec![original(), vec![intended(intent)]];
    finds(I9, "beyond the amount", 2, 2, with(follow_up(2, Kind::Refund, 101, 1)));
    finds(I9, "beyond the amount", 2, 2, with(follow_up(2, Kind::SaleVoid, 99, 1)));
    finds(I9, "cannot be followed", 2, 2, with(follow_up(2, Kind::Completion, 100, 1)));
    finds(I9, "follows nothing", 2, 2, with(Intent { follows: None, ..follow_up(2, Kind::Refund, 1, 1) }));
    let hold = vec![intended(Intent { kind: Kind::Authorization, ..sale(1, 100) }), approved(1)];
    finds(I9, "beyond the amount", 2, 2, vec![hold, vec![intended(follow_up(2, Kind::Completion, 151, 1))]]);
    let voided = vec![intended(follow_up(2, Kind::SaleVoid, 100, 1)), approved(2)];
    let refund = vec![intended(follow_up(3, Kind::Refund, 1, 1))];
    finds(I9, "voided, completed or refunded", 3, 3, vec![original(), voided, refund]);
    let refunds = [2, 3].map(|id| intended(follow_up(id, Kind::Refund, 60, 1)));
    finds(I9, "more is refunded", 3, 3, vec![original(), refunds.to_vec(), vec![approved(2), approved(3)]]);
    let voids = [2, 3].map(|id| intended(follow_up(id, Kind::SaleVoid, 100, 1)));
    finds(I9, "voided twice", 3, 3, vec![original(), voids.to_vec(), vec![approved(2), approved(3)]]);
    let undone = vec![moved(1, State::Reversing(Undone::Approval)), reversal(2, 1, true, 99)];
    finds(I9, "another amount", 2, 2, vec![original(), undone]);
}

#[test]
fn i10_a_counter_above_its_limit_and_a_reservation_where_none_is() {
    let above = vec![vec![intended(limited(1, 600)), approved(1)], vec![intended(limited(2, 401))]];
    finds(I10, "above its limit", 2, 2, above);
    let fourth = (1..=4).map(|id| vec![intended(limited(id, 1))]).collect();
    finds(I10, "above its limit", 4, 4, fourth);
    let inquiry = Intent { kind: Kind::Balance, ..limited(1, 1) };
    finds(I10, "reserves nothing", 1, 1, vec![vec![intended(inquiry)]]);
}

#[test]
fn i11_a_transaction_touched_after_its_day_was_closed() {
    let closed = vec![intended(sale(1, 1)), approved(1), Record::Closed(day(21))];
    finds(I11, "left with its closed day", 2, 1, vec![closed, vec![moved(1, State::Reversing(Undone::Approval))]]);
}

#[test]
fn i12_a_broken_structure_names_its_place_and_what_came_before_is_checked_still() {
    let disk = journal(lawful());
    let mut image = disk.written();
    let segment = image.keys().find(|name| name.starts_with("segment-")).unwrap().clone();
    image.get_mut(&segment).unwrap()[4096 + 512 + 80] ^= 1;
    let report = verify(&mut MemoryDisk::of(&image)).unwrap();
    let found = &report.violations[0];
    assert_eq!((found.invariant, &found.place.file, found.place.offset), (I12, &segment, 4096 + 512));
    assert_eq!((report.counts.groups, report.journal.is_none()), (1, true));
}

#[test]
fn an_empty_folder_is_no_journal_and_no_violation() {
    let fault = verify(&mut MemoryDisk::default()).unwrap_err();
    assert!(matches!(fault.fault, Fault::Nothing), "{fault}");
}
