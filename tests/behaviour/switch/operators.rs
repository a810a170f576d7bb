//! Who stands at a terminal: operators, supervisors, and keys that are to be renewed.

use super::CARD_A;
use super::rig::{Recipe, Rig, Till, await_that, now};
use super::slip::{Slip, last, willing};
use bytes::Bytes;
use tollgate::iso8583::Role;
use tollgate::model::Kind;
use tollgate::model::ResponseCode;
use tollgate::model::Timestamp;
use tollgate::server::ReloadFault;

const APPROVED: Option<ResponseCode> = Some(ResponseCode::Approved);
const FORBIDDEN: Option<ResponseCode> = Some(ResponseCode::TerminalForbidden);
const SIGN_IN: Option<ResponseCode> = Some(ResponseCode::SignInRequired);

const OPERATORS: &str = "merchant,operator,role\n\
    898110054110001,00,supervisor\n898110054110001,01,operator\n898110054110001,02,operator\n";
const FILES: &str = "operators = [\"operators.csv\"]\n";
const SUPERVISED: &str = "[operators]\nsupervisor_for = [\"authorization\"]\n";

/// The demo's station with operators; an authorization needs a supervisor.
fn rig() -> Rig {
    let lists = [("operators.csv", OPERATORS)];
    Rig::of(&Recipe { tables: SUPERVISED, files: FILES, lists: &lists, ..Recipe::default() })
}

/// A sign-in of this operator, and the code of its answer.
fn sign_in_as(till: &mut Till, operator: &str) -> Option<ResponseCode> {
    let sent = till.terminal.sign_in(now()).unwrap();
    let mut unit = sent.unit.to_vec();
    // DE 63, the operator, is the last element.
    let place = unit.len() - 3;
    unit[place..].copy_from_slice(format!("{operator:<3}").as_bytes());
    till.send(&unit);
    let answer = till.receive().unwrap();
    till.judge(&sent, answer).code
}

/// What the header of an answer asks of the terminal.
pub(super) fn asked(unit: &Bytes) -> u8 {
    unit[7] & 0x0F
}

/// An echo, and what the header of its answer asks.
pub(super) fn asked_by_echo(till: &mut Till) -> u8 {
    let sent = till.terminal.echo(now()).unwrap();
    till.send(&sent.unit);
    asked(&till.receive().unwrap())
}

fn operators_on_record(rig: &Rig) -> Vec<Option<String>> {
    let sales = rig.records().into_iter().filter(|record| record.intent.kind == Kind::Sale);
    sales.map(|record| record.intent.operator.map(|operator| operator.to_string())).collect()
}

#[test]
fn the_operator_of_the_sign_in_is_on_every_record_also_after_a_restart() {
    let mut rig = Rig::kept(5_000);
    let mut till = rig.terminal(10_000_001);
    assert_eq!(sign_in_as(&mut till, "07"), APPROVED);
    assert_eq!(till.ask(Kind::Sale, 10_00, CARD_A).code, APPROVED);
    rig.stop();
    rig.start_again();
    rig.await_links();
    till.line = super::rig::connect(rig.door("pos"));
    assert_eq!(till.ask(Kind::Sale, 11_00, CARD_A).code, APPROVED);
    assert_eq!(operators_on_record(&rig), [Some("07".to_owned()), Some("07".to_owned())]);
}

#[test]
fn an_operator_that_the_merchant_does_not_list_cannot_sign_in() {
    let rig = rig();
    let mut till = rig.terminal(10_000_001);
    assert_eq!(sign_in_as(&mut till, "03"), FORBIDDEN);
    assert_eq!(sign_in_as(&mut till, ""), FORBIDDEN, "nobody is none of them either");
    assert_eq!(sign_in_as(&mut till, "02"), APPROVED);
    // A merchant that lists nobody knows everybody.
    assert_eq!(sign_in_as(&mut rig.terminal(10_000_002), "77"), APPROVED);
    assert_eq!(sign_in_as(&mut rig.terminal(10_000_003), ""), APPROVED);
}

#[test]
fn what_is_no_operator_is_a_format_error() {
    let rig = rig();
    assert_eq!(sign_in_as(&mut rig.terminal(10_000_002), "0*1"), Some(ResponseCode::FormatError));
}

#[test]
fn only_a_supervisor_may_do_what_the_station_reserves_for_one() {
    let rig = rig();
    let mut till = rig.terminal(10_000_001);
    assert_eq!(sign_in_as(&mut till, "01"), APPROVED);
    let answer = till.ask(Kind::Authorization, 30_00, CARD_A);
    assert_eq!((answer.code, answer.valid), (FORBIDDEN, true));
    assert_eq!(Rig::booked(&rig.bank_a), 0, "the issuer was not asked");
    assert_eq!(till.ask(Kind::Sale, 10_00, CARD_A).code, APPROVED);
    assert_eq!(sign_in_as(&mut till, "00"), APPROVED);
    assert_eq!(till.ask(Kind::Authorization, 31_00, CARD_A).code, APPROVED);
    // Where nobody is listed, 00 is the supervisor.
    let mut other = rig.terminal(10_000_002);
    assert_eq!(sign_in_as(&mut other, "05"), APPROVED);
    assert_eq!(other.ask(Kind::Authorization, 32_00, CARD_A).code, FORBIDDEN);
    assert_eq!(sign_in_as(&mut other, "00"), APPROVED);
    assert_eq!(other.ask(Kind::Authorization, 33_00, CARD_A).code, APPROVED);
}

#[test]
fn voids_and_refunds_need_a_supervisor_where_the_station_says_so() {
    let tables = "[operators]\nsupervisor_for = [\"sale-void\", \"refund\"]\n";
    let lists = [("operators.csv", OPERATORS)];
    let (rig, peer) = willing(&Recipe { tables, files: FILES, lists: &lists, ..Recipe::default() });
    let mut till = rig.terminal(10_000_001);
    assert_eq!(sign_in_as(&mut till, "01"), APPROVED);
    let of = |sent: &tollgate::sim::terminal::Sent, role| sent.message.role(role).unwrap().to_vec();
    let mut sold = Vec::new();
    for minor in [20_00, 30_00] {
        let sent = till.prepare(Kind::Sale, minor, CARD_A);
        let told = till.exchange(&sent);
        assert_eq!(told.code, APPROVED);
        let date = told.message.role(Role::LocalDate).unwrap().to_vec();
        sold.push((of(&sent, Role::Batch), of(&sent, Role::Stan), told.rrn.unwrap(), date));
    }
    let (batch, stan, rrn, _) = &sold[0];
    let void = |number| {
        let slip = Slip::new(Kind::SaleVoid, number, 20_00).says(Role::Pan, CARD_A.as_bytes());
        let slip = slip.says(Role::OriginalRrn, rrn.as_bytes());
        slip.says(Role::OriginalBatch, batch).says(Role::OriginalStan, stan)
    };
    let (_, _, rrn, date) = &sold[1];
    let refund = |number| {
        let slip = Slip::new(Kind::Refund, number, 10_00).says(Role::Pan, CARD_A.as_bytes());
        slip.says(Role::OriginalRrn, rrn.as_bytes()).says(Role::OriginalDate, date)
    };
    assert_eq!((void(901).send(&mut till).code, refund(902).send(&mut till).code), (FORBIDDEN, FORBIDDEN));
    let asked = || peer.seen().iter().filter(|seen| [Kind::SaleVoid, Kind::Refund].contains(&seen.kind)).count();
    assert_eq!(asked(), 0, "the issuer was not asked");
    assert_eq!(last(&rig, Kind::SaleVoid).intent.refusal.as_ref().map(|refusal| &*refusal.rule), Some("supervisor"));
    assert_eq!(sign_in_as(&mut till, "00"), APPROVED);
    assert_eq!((void(903).send(&mut till).code, refund(904).send(&mut till).code), (APPROVED, APPROVED));
    assert_eq!(last(&rig, Kind::Refund).intent.operator.map(|operator| operator.to_string()).as_deref(), Some("00"));
}

#[test]
fn an_advice_is_taken_whoever_tells_it() {
    let lists = [("operators.csv", OPERATORS)];
    let (rig, _peer) = willing(&Recipe { files: FILES, lists: &lists, ..Recipe::default() });
    let mut till = rig.terminal(10_000_001);
    assert_eq!(sign_in_as(&mut till, "01"), APPROVED);
    assert_eq!(till.ask(Kind::Sale, 10_00, CARD_A).code, APPROVED);
    std::fs::write(rig.file("operators.csv"), OPERATORS.replace("898110054110001,01,operator\n", "")).unwrap();
    rig.reload().unwrap();
    assert_eq!(till.ask(Kind::Sale, 11_00, CARD_A).code, SIGN_IN);
    let told = Slip::new(Kind::OfflineSale, 901, 12_00).says(Role::Pan, CARD_A.as_bytes()).send(&mut till);
    assert_eq!(told.code, APPROVED);
}

#[test]
fn an_offline_refund_gives_money_away_and_may_need_a_supervisor() {
    let tables = "[operators]\nsupervisor_for = [\"offline-refund\"]\n[follow_ups]\nrefund_without_original = true\n";
    let lists = [("operators.csv", OPERATORS)];
    let (rig, peer) = willing(&Recipe { tables, files: FILES, lists: &lists, ..Recipe::default() });
    let mut till = rig.terminal(10_000_001);
    let told = |kind, stan| Slip::new(kind, stan, 12_00).says(Role::Pan, CARD_A.as_bytes());
    assert_eq!(sign_in_as(&mut till, "01"), APPROVED);
    await_that("the link is up", || till.ask(Kind::Balance, 0, CARD_A).code == APPROVED);
    assert_eq!(told(Kind::OfflineRefund, 901).send(&mut till).code, FORBIDDEN);
    assert_eq!(
        last(&rig, Kind::OfflineRefund).intent.refusal.as_ref().map(|refusal| &*refusal.rule),
        Some("supervisor")
    );
    assert_eq!(told(Kind::OfflineSale, 902).send(&mut till).code, APPROVED, "that is a fact");
    assert_eq!(sign_in_as(&mut till, "00"), APPROVED);
    assert_eq!(told(Kind::OfflineRefund, 903).send(&mut till).code, APPROVED);
    rig.await_undone();
    assert_eq!(peer.seen().iter().filter(|seen| seen.kind == Kind::OfflineRefund).count(), 1);
}

#[test]
fn anothers_sign_in_as_supervisor_makes_no_operator_one() {
    let rig = rig();
    let mut till = rig.terminal(10_000_001);
    assert_eq!(sign_in_as(&mut till, "01"), APPROVED);
    assert_eq!(till.ask(Kind::Sale, 10_00, CARD_A).code, APPROVED);
    // Anyone can send a sign-in, but only the terminal can use its keys.
    assert_eq!(sign_in_as(&mut rig.terminal(10_000_001), "00"), APPROVED);
    assert_eq!(till.ask(Kind::Authorization, 30_00, CARD_A).code, FORBIDDEN);
}

#[test]
fn a_repeat_gets_its_answer_and_a_reversal_goes_whoever_stands_there() {
    let rig = rig();
    let mut till = rig.terminal(10_000_001);
    assert_eq!(sign_in_as(&mut till, "00"), APPROVED);
    let sent = till.prepare(Kind::Authorization, 30_00, CARD_A);
    till.send(&sent.unit);
    let first = till.receive().unwrap();
    assert_eq!(till.judge(&sent, first.clone()).code, APPROVED);
    std::fs::write(rig.file("operators.csv"), OPERATORS.replace("00,supervisor", "00,operator")).unwrap();
    rig.reload().unwrap();
    till.send(&sent.unit);
    assert_eq!(till.receive().unwrap(), first);
    assert!(till.terminal.undo_last());
    let reversal = till.terminal.reversal(now()).unwrap().unwrap();
    assert_eq!(till.exchange(&reversal).code, APPROVED);
    rig.await_undone();
    assert_eq!(Rig::booked(&rig.bank_a), 0);
}

#[test]
fn a_host_that_speaks_for_its_terminals_has_its_own_operators() {
    let rig = rig();
    let mut till = Till::new(&rig, 10_000_001, "host");
    assert_eq!(till.ask(Kind::Authorization, 30_00, CARD_A).code, APPROVED);
}

#[test]
fn a_reload_takes_new_operators_whole_or_not_at_all() {
    let rig = rig();
    let mut till = rig.terminal(10_000_001);
    assert_eq!(sign_in_as(&mut till, "01"), APPROVED);
    let without = OPERATORS.replace("898110054110001,01,operator\n", "");
    std::fs::write(rig.file("operators.csv"), format!("{without}898110054110001,0*,chief\n")).unwrap();
    let Err(ReloadFault::Breaches(breaches)) = rig.reload() else { panic!("it must be refused") };
    let told: Vec<String> = breaches.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].ends_with("operators.csv:4: operator: is not 1 to 3 letters and digits"), "{told:?}");
    assert!(told[1].ends_with("operators.csv:4: role: is not operator or supervisor"), "{told:?}");
    assert_eq!(till.ask(Kind::Sale, 10_00, CARD_A).code, APPROVED, "nothing of it was taken");
    std::fs::write(rig.file("operators.csv"), without).unwrap();
    rig.reload().unwrap();
    // Who is gone is told to sign in again, and cannot.
    assert_eq!(till.ask(Kind::Sale, 11_00, CARD_A).code, SIGN_IN);
    assert_eq!(sign_in_as(&mut till, "01"), FORBIDDEN);
    assert_eq!(sign_in_as(&mut till, "02"), APPROVED);
    assert_eq!(till.ask(Kind::Sale, 12_00, CARD_A).code, APPROVED);
}

#[test]
fn a_reload_may_reserve_more_for_supervisors() {
    let rig = rig();
    let mut till = rig.terminal(10_000_001);
    assert_eq!(sign_in_as(&mut till, "01"), APPROVED);
    let station = std::fs::read_to_string(rig.file("station.toml")).unwrap();
    let more = station.replace("[\"authorization\"]", "[\"authorization\", \"sale\"]");
    std::fs::write(rig.file("station.toml"), more).unwrap();
    rig.reload().unwrap();
    assert_eq!(till.ask(Kind::Sale, 10_00, CARD_A).code, FORBIDDEN);
    // What tells of a fact cannot be reserved.
    std::fs::write(rig.file("station.toml"), station.replace("authorization", "offline-sale")).unwrap();
    assert!(matches!(rig.reload(), Err(ReloadFault::Breaches(_))));
}

/// A row of the station's file that demands keys handed out after now.
fn from_now_on() -> String {
    let at = now();
    // The clock must have moved on before the next sign-in.
    await_that("time passes", || now() > Timestamp(at.0 + 1_000));
    format!("sign_in_after = \"{at}\"\n")
}

#[test]
fn a_terminal_is_asked_to_sign_in_when_its_keys_are_due() {
    let rig = Rig::of(&Recipe { tables: "[keys]\nmax_age_h = 24\n", ..Recipe::default() });
    let mut till = rig.signed_in(10_000_001);
    assert_eq!(asked_by_echo(&mut till), 0);
    let station = std::fs::read_to_string(rig.file("station.toml")).unwrap();
    let forced = station.replace("max_age_h = 24\n", &from_now_on());
    std::fs::write(rig.file("station.toml"), forced).unwrap();
    rig.reload().unwrap();
    let sent = till.prepare(Kind::Sale, 10_00, CARD_A);
    till.send(&sent.unit);
    let answer = till.receive().unwrap();
    assert_eq!(asked(&answer), 3, "the transaction is approved, and then it signs in");
    assert_eq!(till.judge(&sent, answer).code, APPROVED);
    till.sign_in();
    assert_eq!(asked_by_echo(&mut till), 0);
    assert_eq!(till.ask(Kind::Sale, 11_00, CARD_A).code, APPROVED);
}

#[test]
fn one_terminal_may_be_asked_to_sign_in() {
    let rig = Rig::start(5_000);
    let (mut one, mut other) = (rig.signed_in(10_000_001), rig.signed_in(10_000_002));
    let after = from_now_on().trim_end().rsplit(' ').next().unwrap().trim_matches('"').to_owned();
    let terminals = std::fs::read_to_string(rig.file("terminals.csv")).unwrap();
    let rows = terminals.lines().map(|line| match line {
        _ if line.starts_with('#') => String::new(),
        _ if line.starts_with("terminal,") => format!("{line},sign_in_after\n"),
        _ if line.starts_with("10000001,") => format!("{line},{after}\n"),
        _ => format!("{line},\n"),
    });
    std::fs::write(rig.file("terminals.csv"), rows.collect::<String>()).unwrap();
    rig.reload().unwrap();
    assert_eq!((asked_by_echo(&mut one), asked_by_echo(&mut other)), (3, 0));
    one.sign_in();
    assert_eq!(asked_by_echo(&mut one), 0);
}
