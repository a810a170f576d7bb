//! Batches on the wire: settlement, upload, and what an operator closes.

use super::rig::{Recipe, Rig, Till, await_that, connect, receive};
use super::slip::{APPROVAL, Slip, selling, willing};
use super::{CARD_A, CARD_B};
use bytes::Bytes;
use std::io::Write;
use tollgate::channel::builtin::profile;
use tollgate::cli::Exit;
use tollgate::cli::run_from;
use tollgate::iso8583::Message;
use tollgate::iso8583::Mti;
use tollgate::iso8583::Role;
use tollgate::iso8583::settlement::Detail;
use tollgate::iso8583::settlement::Totals;
use tollgate::iso8583::settlement::Verdict;
use tollgate::ledger::BatchRecord;
use tollgate::ledger::BatchState;
use tollgate::ledger::Difference;
use tollgate::ledger::Ledger;
use tollgate::ledger::journal::Folder;
use tollgate::ledger::verify::verify;
use tollgate::model::Amount;
use tollgate::model::BatchNumber;
use tollgate::model::BatchTotals;
use tollgate::model::Kind;
use tollgate::model::Pan;
use tollgate::model::ResponseCode;
use tollgate::model::Side;
use tollgate::model::Stan;
use tollgate::model::Sum;
use tollgate::model::TerminalId;

const SALE: Kind = Kind::Sale;
const APPROVED: Option<ResponseCode> = Some(ResponseCode::Approved);
const AGAIN: Option<ResponseCode> = Some(ResponseCode::SignInRequired);
const TILL: u32 = 10_000_001;

fn debit(count: u32, amount: u64) -> BatchTotals {
    let debit = Sum { count, amount };
    BatchTotals { domestic: Side { debit, credit: Sum::default() }, foreign: Side::default() }
}

fn batch(number: u32) -> BatchNumber {
    BatchNumber::new(number).unwrap()
}

/// A management message of a terminal: MTI, trace number, batch, 60.3 and DE 48.
fn unit(till: &Till, mti: &[u8; 4], stan: u32, batch: u32, code: &str, private: &str) -> Bytes {
    unit_in(till, mti, (stan, batch), (code, private), b"156")
}

fn unit_in(
    till: &Till,
    mti: &[u8; 4],
    (stan, batch): (u32, u32),
    (code, private): (&str, &str),
    currency: &[u8; 3],
) -> Bytes {
    let (profile, setup) = (profile("pos").unwrap(), till.terminal.setup());
    let mut message = profile.dialect.build(Mti::parse(mti).unwrap());
    message.role(Role::Stan, format!("{stan:06}").as_bytes()).unwrap();
    message.role(Role::Terminal, setup.terminal.as_bytes()).unwrap();
    message.role(Role::Merchant, setup.merchant.as_bytes()).unwrap();
    message.role(Role::AdditionalPrivate, private.as_bytes()).unwrap();
    if mti == b"0500" {
        message.role(Role::Currency, currency).unwrap();
    }
    message.role(Role::MessageTypeCode, b"00").unwrap();
    message.role(Role::Batch, format!("{batch:06}").as_bytes()).unwrap();
    message.role(Role::NetworkCode, code.as_bytes()).unwrap();
    profile.enclose(&message.finish().unwrap(), None).unwrap()
}

fn settlement(till: &Till, batch: u32, totals: BatchTotals) -> Bytes {
    let asked = Totals { totals, domestic: Verdict::Asked, foreign: Verdict::Asked };
    unit(till, b"0500", 900_000 + batch, batch, "201", &asked.digits().unwrap())
}

fn read(unit: Bytes) -> Message {
    let profile = profile("pos").unwrap();
    profile.decode(&profile.split(unit).unwrap()).ok().unwrap()
}

fn ask(till: &mut Till, unit: &Bytes) -> Message {
    till.send(unit);
    read(till.receive().expect("an answer"))
}

fn code(message: &Message) -> Option<ResponseCode> {
    ResponseCode::parse(message.role(Role::ResponseCode)?.as_str()?)
}

fn said(message: &Message) -> (Verdict, Verdict) {
    let totals = Totals::parse(&message.role(Role::AdditionalPrivate).unwrap()).unwrap();
    (totals.domestic, totals.foreign)
}

fn settle(till: &mut Till, batch: u32, totals: BatchTotals) -> Message {
    let unit = settlement(till, batch, totals);
    ask(till, &unit)
}

fn upload(till: &mut Till, batch: u32, code: &str, private: &str) -> Message {
    let unit = unit(till, b"0320", 910_000, batch, code, private);
    ask(till, &unit)
}

fn detail(stan: u32, card: &str, amount: u64) -> Detail {
    Detail {
        foreign: false,
        stan: Stan::new(stan).unwrap(),
        pan: Pan::parse(card.as_bytes()),
        amount: Amount::new(amount).unwrap(),
    }
}

/// A sale that must be approved; its trace number.
fn sale(till: &mut Till, amount: u64, card: &str) -> u32 {
    let sent = till.prepare(SALE, amount, card);
    let stan = sent.message.role(Role::Stan).unwrap().as_str().unwrap().parse().unwrap();
    assert_eq!(till.exchange(&sent).code, APPROVED);
    stan
}

fn record(rig: &Rig, number: u32) -> BatchRecord {
    let terminal = TerminalId::parse(TILL.to_string().as_bytes()).unwrap();
    rig.ledger().batch(terminal, batch(number)).expect("a closed batch")
}

/// Every promise holds in the files of a station that has stopped.
pub(super) fn verified(rig: &Rig) {
    let report = verify(&mut Folder::read_only(&rig.file("ledger")).unwrap()).unwrap();
    assert_eq!(report.violations, []);
}

#[test]
fn a_batch_that_balances_is_closed_and_the_next_number_follows() {
    let rig = Rig::start(5_000);
    let mut till = rig.signed_in(TILL);
    sale(&mut till, 12_00, CARD_A);
    sale(&mut till, 3_00, CARD_A);
    assert_eq!(till.ask(SALE, 10_51, CARD_A).code, Some(ResponseCode::FundsInsufficient), "counts nothing");
    let answer = settle(&mut till, 1, debit(2, 15_00));
    assert_eq!((code(&answer), said(&answer)), (APPROVED, (Verdict::Balanced, Verdict::Balanced)));
    assert_eq!(till.ask(SALE, 10_00, CARD_A).code, AGAIN, "the batch takes none any more");
    let end = upload(&mut till, 1, "207", "0000");
    assert_eq!((code(&end), record(&rig, 1).state), (APPROVED, BatchState::Closed));
    till.sign_in();
    sale(&mut till, 10_00, CARD_A);
    let answer = settle(&mut till, 2, debit(1, 10_00));
    assert_eq!((code(&answer), said(&answer)), (APPROVED, (Verdict::Balanced, Verdict::Balanced)));
    assert_eq!(record(&rig, 2).counted, debit(1, 10_00));
}

/// Elements and lengths are those of frames that another encoder made.
#[test]
fn answers_have_the_elements_of_another_encoders_answers() {
    let rig = Rig::start(5_000);
    let mut till = rig.signed_in(TILL);
    let samples = include_str!("../../golden/cn_pos_samples.json");
    let samples: serde_json::Value = serde_json::from_str(samples).unwrap();
    let sample = |name: &str| {
        let found = samples.as_array().unwrap().iter().find(|one| one["name"].as_str().unwrap().starts_with(name));
        let hex = found.unwrap()["hex"].as_str().unwrap();
        let bytes: Vec<u8> =
            (2..hex.len() / 2).map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap()).collect();
        read(Bytes::from(bytes))
    };
    let settled = settle(&mut till, 1, BatchTotals::default());
    let ended = upload(&mut till, 1, "202", "0000");
    for (ours, theirs) in [(settled, sample("15")), (ended, sample("19"))] {
        let elements = |message: &Message| message.elements().collect::<Vec<_>>();
        assert_eq!(ours.mti(), theirs.mti());
        assert_eq!(elements(&ours), elements(&theirs));
        let lengths =
            |message: &Message| message.elements().map(|de| message.raw(de).unwrap().len()).collect::<Vec<_>>();
        assert_eq!(lengths(&ours), lengths(&theirs));
    }
}

#[test]
fn a_settlement_again_gets_the_recorded_answer_to_the_byte_also_after_a_restart() {
    let mut rig = Rig::kept(5_000);
    let mut till = rig.signed_in(TILL);
    sale(&mut till, 12_00, CARD_A);
    let asked = settlement(&till, 1, debit(1, 12_00));
    till.send(&asked);
    let first = till.receive().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    till.send(&asked);
    assert_eq!(till.receive().unwrap(), first, "the clock has moved on, the answer has not");
    rig.stop();
    verified(&rig);
    rig.start_again();
    let mut line = connect(rig.door("pos"));
    line.write_all(&asked).unwrap();
    assert_eq!(receive(&mut line).unwrap(), first);
    till.line = line;
    till.sign_in();
    assert_eq!(code(&upload(&mut till, 1, "207", "0000")), APPROVED);
    till.send(&asked);
    assert_eq!(till.receive().unwrap(), first, "also when it is over and the next batch is open");
}

#[test]
fn other_totals_for_a_closed_batch_and_an_old_batch_are_77_and_change_nothing() {
    let rig = Rig::start(5_000);
    let mut till = rig.signed_in(TILL);
    sale(&mut till, 12_00, CARD_A);
    settle(&mut till, 1, debit(1, 12_00));
    let before = record(&rig, 1);
    let error = (Verdict::Error, Verdict::Error);
    for (number, totals) in [(1, debit(1, 12_01)), (1, debit(0, 0)), (0, debit(0, 0)), (7, debit(1, 12_00))] {
        let answer = settle(&mut till, number, totals);
        assert_eq!((code(&answer), said(&answer)), (AGAIN, error), "batch {number}");
    }
    assert_eq!(record(&rig, 1), before);
}

#[test]
fn a_settlement_in_another_currency_is_a_format_error_and_closes_nothing() {
    let rig = Rig::start(5_000);
    let mut till = rig.signed_in(TILL);
    sale(&mut till, 12_00, CARD_A);
    let totals = Totals { totals: debit(1, 12_00), domestic: Verdict::Asked, foreign: Verdict::Asked };
    let foreign = unit_in(&till, b"0500", (900_000, 1), ("201", &totals.digits().unwrap()), b"840");
    assert_eq!(code(&ask(&mut till, &foreign)), Some(ResponseCode::FormatError));
    assert_eq!(code(&settle(&mut till, 1, debit(1, 12_00))), APPROVED);
}

#[test]
fn a_batch_that_does_not_balance_is_uploaded_and_the_differences_are_found_item_by_item() {
    let mut rig = Rig::kept(5_000);
    let mut till = rig.signed_in(TILL);
    let amounts = [10_00, 20_00, 30_00, 40_00];
    let stans = amounts.map(|amount| sale(&mut till, amount, CARD_A));
    assert_eq!(till.ask(SALE, 10_51, CARD_A).code, Some(ResponseCode::FundsInsufficient));
    let declined = stans[3] + 1;
    let answer = settle(&mut till, 1, debit(4, 99_00));
    assert_eq!((code(&answer), said(&answer)), (APPROVED, (Verdict::Unbalanced, Verdict::Balanced)));
    let details = [
        detail(stans[0], CARD_A, 10_00),
        detail(stans[1], CARD_A, 19_00),
        detail(stans[2], CARD_B, 30_00),
        detail(declined, CARD_A, 10_51),
    ];
    let more = [detail(777_777, CARD_A, 5_00), detail(stans[0], CARD_A, 10_00)];
    for group in [&details[..], &more[..], &more[..]] {
        let answer = upload(&mut till, 1, "201", &Detail::digits_of(group).unwrap());
        assert_eq!(code(&answer), APPROVED);
    }
    for other in ["203", "204", "205", "206"] {
        assert_eq!(code(&upload(&mut till, 1, other, "0000")), APPROVED, "{other} is taken");
    }
    assert_eq!(code(&upload(&mut till, 1, "202", "0006")), APPROVED);
    let record = record(&rig, 1);
    let found: Vec<_> = record.differences.iter().map(|one| (one.what, one.stan.value())).collect();
    let expected = [
        (Difference::Amount, stans[1]),
        (Difference::Card, stans[2]),
        (Difference::MissingHere, declined),
        (Difference::Unknown, 777_777),
        (Difference::Duplicate, stans[0]),
        (Difference::MissingThere, stans[3]),
    ];
    assert_eq!((found, record.items, record.state), (expected.to_vec(), 6, BatchState::Closed));
    rig.stop();
    verified(&rig);
    let shown = command(&["show", "--batch", "1", "--terminal", &TILL.to_string()], &rig);
    assert_eq!(shown.0, Exit::Ok);
    assert!(shown.1.contains("20.00 here, 19.00 at the terminal"), "{}", shown.1);
    assert!(!shown.1.contains(CARD_A), "no card number");
}

#[test]
fn what_is_uploaded_without_a_card_is_compared_by_number_and_amount() {
    let rig = Rig::start(5_000);
    let mut till = rig.signed_in(TILL);
    let stans = [10_00, 20_00, 30_00].map(|amount| sale(&mut till, amount, CARD_A));
    settle(&mut till, 1, debit(3, 99_00));
    let without = |stan, amount| Detail { pan: None, ..detail(stan, CARD_A, amount) };
    let group = Detail::digits_of(&[without(stans[0], 10_00), without(stans[1], 19_00)]).unwrap();
    assert_eq!(code(&upload(&mut till, 1, "201", &group)), APPROVED);
    // A notice of a payment by code has no DE 2.
    let profile = profile("pos").unwrap();
    let mut notice = profile.dialect.build(Mti::parse(b"0320").unwrap());
    let setup = till.terminal.setup();
    for (role, value) in [
        (Role::Stan, format!("{:06}", stans[2]).as_bytes()),
        (Role::Amount, b"000000003000"),
        (Role::Terminal, setup.terminal.as_bytes()),
        (Role::Merchant, setup.merchant.as_bytes()),
        (Role::MessageTypeCode, b"00"),
        (Role::Batch, b"000001"),
        (Role::NetworkCode, b"206"),
    ] {
        notice.role(role, value).unwrap();
    }
    let notice = profile.enclose(&notice.finish().unwrap(), None).unwrap();
    assert_eq!(code(&ask(&mut till, &notice)), APPROVED);
    assert_eq!(code(&upload(&mut till, 1, "202", "0003")), APPROVED);
    let found: Vec<_> = record(&rig, 1).differences.iter().map(|one| (one.what, one.stan.value())).collect();
    assert_eq!(found, [(Difference::Amount, stans[1])]);
}

/// `tollgate batch` on the station's folder.
pub(super) fn command(arguments: &[&str], rig: &Rig) -> (Exit, String) {
    let mut out = Vec::new();
    let data = rig.file("ledger");
    let whole = [&["tollgate", "batch", arguments[0], "--data", data.to_str().unwrap()], &arguments[1..]].concat();
    match run_from(whole, &mut out) {
        Ok(exit) => (exit, String::from_utf8(out).unwrap()),
        Err(failure) => (failure.exit, failure.message),
    }
}

#[test]
fn an_upload_of_nothing_that_is_closing_and_what_is_no_upload_are_refused() {
    let rig = Rig::start(5_000);
    let mut till = rig.signed_in(TILL);
    sale(&mut till, 12_00, CARD_A);
    let one = Detail::digits_of(&[detail(1, CARD_A, 12_00)]).unwrap();
    assert_eq!(code(&upload(&mut till, 1, "201", &one)), AGAIN, "the batch is open");
    assert_eq!(code(&upload(&mut till, 1, "202", "0001")), AGAIN);
    settle(&mut till, 1, debit(0, 0));
    for (network, private) in [("201", "0200000001"), ("201", "99"), ("202", "1"), ("207", "00001")] {
        assert_eq!(code(&upload(&mut till, 1, network, private)), Some(ResponseCode::FormatError), "{network}");
    }
    let short = unit(&till, b"0500", 5, 1, "201", "0000");
    assert_eq!(code(&ask(&mut till, &short)), Some(ResponseCode::FormatError));
    assert_eq!((record(&rig, 1).state, record(&rig, 1).items), (BatchState::Unbalanced, 0));
}

#[test]
fn a_settlement_waits_for_a_sale_under_way_and_nothing_comes_after_it() {
    let rig = Rig::start(10_000);
    let mut till = rig.signed_in(TILL);
    // The same terminal once more, to send while the first one waits; its numbers are others.
    let mut other = rig.terminal(TILL);
    (0..4).for_each(|_| other.sign_in());
    let late = other.prepare(SALE, 5_00, CARD_A);
    let slow = till.prepare(SALE, 66_601, CARD_A);
    till.send(&slow.unit);
    await_that("the bank has it", || Rig::booked(&rig.bank_a) == 66_601);
    let mut line = connect(rig.door("pos"));
    line.write_all(&settlement(&till, 1, debit(1, 66_601))).unwrap();
    let terminal = till.terminal.setup().terminal;
    await_that("the session has moved on", || rig.live_batch(terminal) == 2);
    assert_eq!(other.exchange(&late).code, AGAIN);
    assert!(rig.ledger().batch(terminal, batch(1)).is_none(), "not closed while the sale runs");
    assert_eq!(till.receive().map(|unit| till.judge(&slow, unit).code), Some(APPROVED));
    let answer = read(receive(&mut line).unwrap());
    assert_eq!((code(&answer), said(&answer)), (APPROVED, (Verdict::Balanced, Verdict::Balanced)));
}

#[test]
fn a_power_cut_between_settlement_and_answer_closes_once() {
    let mut rig = Rig::kept(5_000);
    let mut till = rig.signed_in(TILL);
    sale(&mut till, 12_00, CARD_A);
    let asked = settlement(&till, 1, debit(1, 12_00));
    till.send(&asked);
    rig.stop();
    rig.start_again();
    till.line = connect(rig.door("pos"));
    let answer = ask(&mut till, &asked);
    assert_eq!((code(&answer), said(&answer)), (APPROVED, (Verdict::Balanced, Verdict::Balanced)));
    assert_eq!(record(&rig, 1).counted, debit(1, 12_00));
    rig.stop();
    verified(&rig);
    rig.start_again();
}

#[test]
fn an_upload_that_a_power_cut_interrupts_goes_on_where_it_was() {
    let mut rig = Rig::kept(5_000);
    let mut till = rig.signed_in(TILL);
    let stans: Vec<u32> = (1..=3).map(|unit| sale(&mut till, unit * 10_00, CARD_A)).collect();
    settle(&mut till, 1, debit(3, 61_00));
    let first = Detail::digits_of(&[detail(stans[0], CARD_A, 10_00), detail(stans[1], CARD_A, 20_00)]).unwrap();
    let second = Detail::digits_of(&[detail(stans[2], CARD_A, 31_00)]).unwrap();
    assert_eq!(code(&upload(&mut till, 1, "201", &first)), APPROVED);
    rig.stop();
    rig.start_again();
    till.line = connect(rig.door("pos"));
    // It does not know whether the first message arrived.
    for group in [&first, &second] {
        assert_eq!(code(&upload(&mut till, 1, "201", group)), APPROVED);
    }
    assert_eq!(code(&upload(&mut till, 1, "202", "0003")), APPROVED);
    assert_eq!(code(&upload(&mut till, 1, "202", "0003")), APPROVED, "the end again");
    let record = record(&rig, 1);
    let found: Vec<_> = record.differences.iter().map(|one| (one.what, one.stan.value())).collect();
    assert_eq!((record.items, found), (3, vec![(Difference::Amount, stans[2])]));
    rig.stop();
    verified(&rig);
    rig.start_again();
}

#[test]
fn an_operator_closes_a_batch_and_its_terminal_is_77_until_it_signs_in() {
    let mut rig = Rig::kept(5_000);
    let mut till = rig.signed_in(TILL);
    sale(&mut till, 12_00, CARD_A);
    let terminal = TILL.to_string();
    let close = ["close", "--terminal", &terminal, "--actor", "alice", "--reason", "till is broken"];
    let (exit, told) = command(&close, &rig);
    assert_eq!(exit, Exit::Ok, "{told}");
    assert!(told.contains("batch 000001 of terminal 10000001 is closed"), "{told}");
    assert_eq!(till.ask(SALE, 10_00, CARD_A).code, AGAIN);
    let answer = settle(&mut till, 1, debit(1, 12_00));
    assert_eq!((code(&answer), said(&answer)), (AGAIN, (Verdict::Error, Verdict::Error)));
    till.sign_in();
    sale(&mut till, 10_00, CARD_A);
    let again = command(&[&close[..], &["--batch", "1"]].concat(), &rig);
    assert_eq!(again, (Exit::No, "the batch is closed already".to_owned()));
    let stranger = command(&["close", "--terminal", "99999999", "--actor", "a", "--reason", "b"], &rig);
    assert_eq!(stranger, (Exit::No, "the station has no such terminal".to_owned()));
    let (_, listed) = command(&["list", "--terminal", &terminal], &rig);
    assert!(listed.contains("000001  closed") && listed.contains("000002  open"), "{listed}");
    let unknown = command(&["list", "--terminal", "99999999"], &rig);
    assert_eq!(unknown, (Exit::No, "no batch of terminal 99999999 is on record".to_owned()));
    rig.stop();
    verified(&rig);
    assert_eq!(command(&close, &rig).0, Exit::NoConnection);
    let (_, shown) = command(&["show", "--terminal", &terminal, "--batch", "1"], &rig);
    assert!(shown.contains("by operator alice: till is broken"), "{shown}");
    rig.start_again();
}

/// A batch without transactions, which balances.
pub(super) fn settle_nothing(till: &mut Till, number: u32) {
    let answer = settle(till, number, BatchTotals::default());
    assert_eq!((code(&answer), said(&answer)), (APPROVED, (Verdict::Balanced, Verdict::Balanced)));
}

#[test]
fn a_refund_that_is_77_after_a_close_is_served_after_the_sign_in() {
    let (rig, _peer) = willing(&Recipe::default());
    let mut till = selling(&rig, TILL);
    let sold = receipt(&mut till, SALE, 20_00);
    settle(&mut till, 1, debit(1, 20_00));
    let slip = Slip::new(Kind::Refund, 903, 20_00).says(Role::Pan, CARD_A.as_bytes());
    let slip = slip.says(Role::OriginalRrn, sold.1.as_bytes()).says(Role::OriginalDate, sold.2.as_bytes());
    let refused = slip.send(&mut till);
    assert_eq!((refused.code, refused.valid), (AGAIN, true), "it is signed");
    assert!(rig.records().iter().all(|record| record.intent.kind != Kind::Refund), "and not on record");
    till.sign_in();
    assert_eq!(slip.code(&mut till), ResponseCode::Approved);
}

/// Nothing of a settlement is signed: whoever can write to a door may send it.
#[test]
fn a_terminal_that_never_uploads_is_awaited_for_two_batches_only() {
    let mut rig = Rig::kept(5_000);
    let mut till = rig.signed_in(TILL);
    for number in 1..=4 {
        sale(&mut till, 12_00, CARD_A);
        let answer = settle(&mut till, number, debit(9, 99_00));
        assert_eq!((code(&answer), said(&answer)), (APPROVED, (Verdict::Unbalanced, Verdict::Balanced)));
        till.sign_in();
    }
    let states: Vec<BatchState> = (1..=4).map(|number| record(&rig, number).state).collect();
    use BatchState::{GivenUp, Unbalanced};
    assert_eq!(states, [GivenUp, GivenUp, Unbalanced, Unbalanced]);
    let late = Detail::digits_of(&[detail(1, CARD_A, 12_00)]).unwrap();
    assert_eq!(code(&upload(&mut till, 1, "201", &late)), APPROVED);
    assert_eq!(code(&upload(&mut till, 1, "202", "0001")), APPROVED);
    assert_eq!((record(&rig, 1).state, record(&rig, 1).items), (GivenUp, 0), "it changes nothing");
    let terminal = TILL.to_string();
    let close = ["close", "--terminal", &terminal, "--batch", "1", "--actor", "a", "--reason", "b"];
    assert_eq!(command(&close, &rig), (Exit::No, "the batch is closed already".to_owned()));
    let shown = command(&["show", "--terminal", &terminal, "--batch", "1"], &rig).1;
    assert!(shown.contains("given-up"), "{shown}");
    rig.stop();
    verified(&rig);
    rig.start_again();
}

#[test]
fn a_terminal_that_is_not_signed_in_or_not_the_merchants_does_not_settle() {
    let rig = Rig::start(5_000);
    let mut till = rig.terminal(TILL);
    assert_eq!(code(&settle(&mut till, 1, debit(0, 0))), AGAIN);
    till.sign_in();
    let mut stranger = rig.signed_in(10_000_002);
    let foreign = settlement(&till, 1, debit(0, 0));
    let merchant = stranger.terminal.setup().merchant;
    let mut bytes = foreign.to_vec();
    let at = bytes.windows(15).position(|window| window == till.terminal.setup().merchant.as_bytes()).unwrap();
    bytes[at..at + 15].copy_from_slice(merchant.as_bytes());
    assert_eq!(code(&ask(&mut stranger, &Bytes::from(bytes))), Some(ResponseCode::MerchantInvalid));
    super::sessions::sign_off(&mut till);
    assert_eq!(code(&settle(&mut till, 1, debit(0, 0))), AGAIN);
}

/// Number and reference number of an approved request.
fn receipt(till: &mut Till, kind: Kind, amount: u64) -> (String, String, String) {
    let sent = till.prepare(kind, amount, CARD_A);
    let told = till.exchange(&sent);
    assert_eq!(told.code, APPROVED);
    let text = |message: &Message, role| message.role(role).unwrap().as_str().unwrap().to_owned();
    (text(&sent.message, Role::Stan), told.rrn.unwrap().to_string(), text(&told.message, Role::LocalDate))
}

/// What follows a receipt: the elements by which its kind finds the original.
fn follow_up(till: &mut Till, kind: Kind, stan: u32, amount: u64, (of, rrn, date): &(String, String, String)) {
    let slip = Slip::new(kind, stan, amount).says(Role::Pan, CARD_A.as_bytes());
    let slip = match kind {
        Kind::Refund => slip.says(Role::OriginalRrn, rrn.as_bytes()).says(Role::OriginalDate, date.as_bytes()),
        Kind::SaleVoid | Kind::Adjustment => slip
            .says(Role::OriginalRrn, rrn.as_bytes())
            .says(Role::OriginalBatch, b"000001")
            .says(Role::OriginalStan, of.as_bytes()),
        _ => slip
            .says(Role::ApprovalCode, APPROVAL)
            .says(Role::OriginalBatch, b"000001")
            .says(Role::OriginalStan, of.as_bytes())
            .says(Role::OriginalDate, date.as_bytes()),
    };
    assert_eq!(slip.code(till), ResponseCode::Approved, "{}", kind.name());
}

#[test]
fn a_day_of_all_kinds_balances_by_net_debits_and_credits() {
    let bins = "prefix,issuer,product,organisation\n622500,bank-a,debit,CUP\n411111,bank-b,credit,VIS\n";
    let tables = super::advices::ALONE;
    let (rig, _peer) = willing(&Recipe { bins, tables, ..Recipe::default() });
    let mut till = selling(&rig, TILL);
    let tipped = receipt(&mut till, SALE, 30_00);
    let voided = receipt(&mut till, SALE, 7_00);
    let refunded = receipt(&mut till, SALE, 20_00);
    let (held, dropped) =
        (receipt(&mut till, Kind::Authorization, 45_00), receipt(&mut till, Kind::Authorization, 9_00));
    follow_up(&mut till, Kind::Adjustment, 901, 33_00, &tipped);
    follow_up(&mut till, Kind::SaleVoid, 902, 7_00, &voided);
    follow_up(&mut till, Kind::Refund, 903, 5_00, &refunded);
    follow_up(&mut till, Kind::Completion, 904, 45_00, &held);
    follow_up(&mut till, Kind::AuthorizationVoid, 905, 9_00, &dropped);
    for (kind, stan) in [(Kind::OfflineSale, 906), (Kind::OfflineRefund, 907)] {
        let told = Slip::new(kind, stan, 8_00).says(Role::Pan, CARD_A.as_bytes());
        assert_eq!(told.code(&mut till), ResponseCode::Approved);
    }
    assert_eq!(till.ask(SALE, 11_00, CARD_A).code, APPROVED);
    assert!(till.terminal.undo_last());
    let reversal = till.terminal.reversal(super::rig::now()).unwrap().unwrap();
    assert_eq!(till.exchange(&reversal).code, APPROVED);
    sale(&mut till, 6_00, CARD_B);
    let sum = |count, amount| Sum { count, amount };
    let net = BatchTotals {
        domestic: Side { debit: sum(4, 33_00 + 20_00 + 45_00 + 8_00), credit: sum(2, 5_00 + 8_00) },
        foreign: Side { debit: sum(1, 6_00), credit: Sum::default() },
    };
    let answer = settle(&mut till, 1, net);
    assert_eq!(record(&rig, 1).counted, net);
    assert_eq!((code(&answer), said(&answer)), (APPROVED, (Verdict::Balanced, Verdict::Balanced)));
}

#[test]
fn a_sale_of_a_settled_batch_is_not_voided_but_refunded() {
    let (rig, _peer) = willing(&Recipe::default());
    let mut till = selling(&rig, TILL);
    let sold = receipt(&mut till, SALE, 20_00);
    settle(&mut till, 1, debit(1, 20_00));
    till.sign_in();
    let void = Slip::new(Kind::SaleVoid, 902, 20_00)
        .says(Role::Pan, CARD_A.as_bytes())
        .says(Role::OriginalRrn, sold.1.as_bytes())
        .says(Role::OriginalBatch, b"000001")
        .says(Role::OriginalStan, sold.0.as_bytes());
    let told = void.code(&mut till);
    assert!(matches!(told, ResponseCode::OriginalNotFound | ResponseCode::RelatedInvalid), "{told}");
    follow_up(&mut till, Kind::Refund, 903, 20_00, &sold);
    let credit = Side { debit: Sum::default(), credit: Sum { count: 1, amount: 20_00 } };
    let answer = settle(&mut till, 2, BatchTotals { domestic: credit, foreign: Side::default() });
    assert_eq!(said(&answer), (Verdict::Balanced, Verdict::Balanced));
}
