//! The terminal's day: what follows a sale, what it keeps of its batch, how it settles, what survives a power cut.
//!
//! Oracle: frames of another encoder (tests/golden/cn_pos_samples.json), compared to the byte, MAC and all.

use crate::sample_terminal::{card, noon, pad, setup, signed_in_at, unhex};
use bytes::Bytes;
use tollgate::hsm::calculator::ClearPin;
use tollgate::iso8583::Role;
use tollgate::iso8583::settlement::Verdict;
use tollgate::iso8583::tlv;
use tollgate::model::Amount;
use tollgate::model::ApprovalCode;
use tollgate::model::BatchNumber;
use tollgate::model::Kind;
use tollgate::model::Rrn;
use tollgate::model::Stan;
use tollgate::sim::terminal::Answer;
use tollgate::sim::terminal::Entry;
use tollgate::sim::terminal::FollowUp;
use tollgate::sim::terminal::Heard;
use tollgate::sim::terminal::Memory;
use tollgate::sim::terminal::Original;
use tollgate::sim::terminal::Purchase;
use tollgate::sim::terminal::SLIPS_AT_MOST;
use tollgate::sim::terminal::Sent;
use tollgate::sim::terminal::Standing;
use tollgate::sim::terminal::Terminal;
use tollgate::sim::terminal::TerminalFault;

/// The frame of a sample by the number its name begins with.
fn sample(number: &str) -> Vec<u8> {
    let text = include_str!("../golden/cn_pos_samples.json");
    let samples: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
    let found = samples.iter().find(|sample| sample["name"].as_str().unwrap().starts_with(number)).unwrap();
    unhex(found["hex"].as_str().unwrap())
}

/// The terminal after a power cut: everything but what its file holds is gone.
pub(crate) fn switched_on_again(terminal: &Terminal) -> Terminal {
    let memory = Memory::from_json(&terminal.to_json(), setup("pos").owner(), terminal.pad()).unwrap();
    Terminal::new(setup("pos"), pad(), memory).unwrap()
}

fn yuan(minor: u64) -> Amount {
    Amount::new(minor).unwrap()
}

/// A unit that answers `sent` with a code; `more` are elements on top.
pub(crate) fn answer_to(terminal: &Terminal, sent: &Sent, code: &[u8; 2], more: &[(Role, &[u8])]) -> Vec<u8> {
    let profile = &terminal.setup().profile;
    let mti = sent.mti.response();
    let mut builder = profile.dialect.build(mti);
    for de in profile.dialect.echo(mti) {
        builder.copy(*de, &sent.message).unwrap();
    }
    builder.role(Role::ResponseCode, code).unwrap();
    for (role, value) in more {
        builder.role(*role, value).unwrap();
    }
    let body = if profile.mac_required(mti) {
        let unsigned = builder.finish_unsigned().unwrap();
        let mac = terminal.pad().mac(&profile.mac.scheme, unsigned.mac_input()).unwrap();
        unsigned.sign(&mac).unwrap()
    } else {
        builder.finish().unwrap()
    };
    profile.enclose(&body, None).unwrap().to_vec()
}

pub(crate) fn hear(terminal: &mut Terminal, sent: &Sent, unit: &[u8]) -> Answer {
    match terminal.on_answer(sent, Bytes::copy_from_slice(&unit[2..])) {
        Heard::Answer(answer) => *answer,
        Heard::Other(unexpected) => panic!("{unexpected}"),
    }
}

const RRN: (Role, &[u8]) = (Role::Rrn, b"101730000002");
const DATE: [(Role, &[u8]); 2] = [(Role::LocalDate, b"1121"), (Role::LocalTime, b"101730")];

/// Answers with 00, a reference number, and date and time.
fn approve(terminal: &mut Terminal, sent: &Sent) -> Answer {
    let unit = answer_to(terminal, sent, b"00", &[RRN, DATE[0], DATE[1]]);
    hear(terminal, sent, &unit)
}

fn decline(terminal: &mut Terminal, sent: &Sent, code: &[u8; 2]) -> Answer {
    let unit = answer_to(terminal, sent, code, &[]);
    hear(terminal, sent, &unit)
}

fn order(terminal: &mut Terminal, kind: Kind, minor: u64) -> Sent {
    let pin = ClearPin::parse(b"123456").unwrap();
    let purchase = Purchase { kind, amount: yuan(minor), card: &card(), entry: Entry::Chip, pin: Some(&pin) };
    terminal.purchase(&purchase, noon()).unwrap()
}

fn sell(terminal: &mut Terminal, minor: u64) -> Stan {
    let sent = order(terminal, Kind::Sale, minor);
    assert!(approve(terminal, &sent).approved);
    terminal.memory().log.slips.last().unwrap().stan
}

fn follow(terminal: &mut Terminal, kind: Kind, minor: u64, original: &Original) -> Sent {
    let follow = FollowUp { kind, amount: yuan(minor), tip: Amount::ZERO, original, card: None, pin: None };
    terminal.follow_up(&follow, noon()).unwrap()
}

fn original(terminal: &Terminal, stan: Stan) -> Original {
    Original::from(terminal.memory().log.find(stan).unwrap())
}

/// The same terminal with this number next.
fn at(terminal: &mut Terminal, stan: u32) -> &mut Terminal {
    let memory = Memory { next_stan: Stan::new(stan), ..terminal.memory().clone() };
    *terminal = Terminal::new(setup("pos"), pad(), memory).unwrap();
    terminal
}

/// The samples' day up to its settlement: a sale of 1.23, a refund of 1.00, a completion of 450.00.
fn samples_day() -> (Terminal, [Sent; 2]) {
    let mut terminal = signed_in_at(2);
    let sale = order(&mut terminal, Kind::Sale, 123);
    assert!(hear(&mut terminal, &sale, &sample("05")).approved);
    let card = card();
    let earlier = Original { date: Some(*b"1120"), rrn: Rrn::parse(b"101730000002"), ..Original::default() };
    let refund = FollowUp {
        kind: Kind::Refund,
        amount: yuan(100),
        tip: Amount::ZERO,
        original: &earlier,
        card: Some((&card, Entry::Chip)),
        pin: None,
    };
    let refund = at(&mut terminal, 6).follow_up(&refund, noon()).unwrap();
    assert!(approve(at(&mut terminal, 8), &refund).approved);
    let held = Original {
        stan: Stan::new(7),
        batch: Some(BatchNumber::FIRST),
        date: Some(*b"1121"),
        approval: ApprovalCode::parse(b"B54321"),
        ..Original::default()
    };
    let pin = ClearPin::parse(b"123456").unwrap();
    let completion = FollowUp {
        kind: Kind::Completion,
        amount: yuan(45_000),
        tip: Amount::ZERO,
        original: &held,
        card: Some((&card, Entry::Chip)),
        pin: Some(&pin),
    };
    let completion = at(&mut terminal, 8).follow_up(&completion, noon()).unwrap();
    assert!(approve(at(&mut terminal, 9), &completion).approved);
    (terminal, [refund, completion])
}

#[test]
fn refund_and_completion_are_the_samples_to_the_byte() {
    let (_, [refund, completion]) = samples_day();
    assert_eq!(refund.unit.to_vec(), sample("11"));
    assert_eq!(completion.unit.to_vec(), sample("13"));
}

#[test]
fn a_void_names_batch_and_number_and_says_the_whole_amount() {
    let mut terminal = signed_in_at(2);
    let stan = sell(&mut terminal, 123);
    let void = {
        let original = original(&terminal, stan);
        follow(&mut terminal, Kind::SaleVoid, 123, &original)
    };
    let text = |role| String::from_utf8(void.message.role(role).unwrap().to_vec()).unwrap();
    assert_eq!(void.mti.as_str(), "0200");
    assert_eq!((text(Role::ProcessingCode), text(Role::Rrn)), ("200000".into(), "101730000002".into()));
    assert_eq!(text(Role::MessageTypeCode), "23");
    assert_eq!(void.message.value(61).unwrap().to_vec(), b"000001000002", "batch and number, twelve digits");
    assert!(terminal.memory().pending.is_some(), "an unanswered void is undone");
    let reversal = terminal.reversal(noon()).unwrap().unwrap();
    assert_eq!(reversal.message.value(61).unwrap().to_vec(), b"000001000002", "and its reversal names the sale too");
    assert_eq!(reversal.message.value(3).unwrap().to_vec(), b"200000");
}

#[test]
fn settlement_upload_and_end_are_the_samples_to_the_byte() {
    let (mut terminal, _) = samples_day();
    terminal.begin_settlement().unwrap();
    let claim = terminal.settlement(noon()).unwrap().unwrap();
    assert_eq!(claim.unit.to_vec(), sample("14"));
    assert_eq!(terminal.settlement(noon()).unwrap().unwrap().unit, claim.unit, "a repeat is the same message");
    let digits = "00000004512300200000000010000120000000000000000000000000000001";
    let unit = answer_to(&terminal, &claim, b"00", &[(Role::AdditionalPrivate, digits.as_bytes())]);
    assert_eq!(hear(&mut terminal, &claim, &unit).verdicts, Some([Verdict::Unbalanced, Verdict::Balanced]));
    let details = terminal.settlement(noon()).unwrap().unwrap();
    assert_eq!(details.unit.to_vec(), sample("17"));
    assert!(approve(&mut terminal, &details).approved);
    // What was given back follows as a notice of its own.
    let notice = terminal.settlement(noon()).unwrap().unwrap();
    assert_eq!(notice.message.value(60).unwrap().to_vec(), b"2500000120660".to_vec());
    assert_eq!(notice.message.role(Role::Stan).unwrap().to_vec(), b"000006");
    assert_eq!(notice.message.role(Role::Amount).unwrap().to_vec(), b"000000000100");
    assert!(approve(&mut terminal, &notice).approved);
    let end = terminal.settlement(noon()).unwrap().unwrap();
    assert_eq!(end.unit.to_vec(), sample("18"));
    assert!(hear(&mut terminal, &end, &sample("19")).approved);
    assert!(terminal.settlement(noon()).unwrap().is_none());
    let memory = terminal.memory();
    assert_eq!((memory.batch.value(), memory.log.slips.len(), memory.log.before.len()), (2, 0, 3));
    assert!(!memory.log.settled.as_ref().unwrap().balanced);
}

#[test]
fn a_balanced_batch_ends_at_once_and_the_next_one_begins() {
    let (mut terminal, _) = samples_day();
    terminal.begin_settlement().unwrap();
    let claim = terminal.settlement(noon()).unwrap().unwrap();
    let said = hear(&mut terminal, &claim, &sample("15")).verdicts;
    assert_eq!(said, Some([Verdict::Balanced, Verdict::Balanced]));
    // The chip's certificate proves its sale; it was told by a stripe or a number where there is none.
    let proof = terminal.settlement(noon()).unwrap().unwrap();
    assert_eq!(proof.message.value(60).unwrap().to_vec(), b"2200000120360");
    assert_eq!(proof.message.role(Role::Stan).unwrap().to_vec(), b"000002");
    let icc = proof.message.role(Role::Icc).unwrap().to_vec();
    assert_eq!(tlv::Reader::new(&icc).find(&[0x9F, 0x27]), Some(&[0x40][..]), "a certificate");
    approve(&mut terminal, &proof);
    let end = terminal.settlement(noon()).unwrap().unwrap();
    assert_eq!(end.message.role(Role::NetworkCode).unwrap().to_vec(), b"207");
    decline(&mut terminal, &end, b"77");
    assert_eq!(terminal.memory().batch.value(), 2, "whatever the host says of the end: it has closed the batch");
}

#[test]
fn sign_off_is_the_samples_and_the_keys_are_gone() {
    let mut terminal = signed_in_at(12);
    let sent = terminal.sign_off(noon()).unwrap();
    assert_eq!(sent.unit.to_vec(), sample("22"));
    assert!(approve(&mut terminal, &sent).approved);
    assert!(terminal.needs_sign_in());
    assert!(switched_on_again(&terminal).needs_sign_in());
}

#[test]
fn an_interrupted_settlement_resumes_at_the_step_that_failed() {
    let mut terminal = signed_in_at(1);
    for minor in 1..=18 {
        sell(&mut terminal, minor * 100);
    }
    terminal.begin_settlement().unwrap();
    let claim = terminal.settlement(noon()).unwrap().unwrap();
    let mut terminal = switched_on_again(&terminal);
    let again = terminal.settlement(noon()).unwrap().unwrap();
    assert_eq!(again.unit, claim.unit, "the totals are claimed again, as they were");
    let mut said = claim.message.role(Role::AdditionalPrivate).unwrap().to_vec();
    (said[30], said[61]) = (b'2', b'1');
    let unit = answer_to(&terminal, &again, b"00", &[(Role::AdditionalPrivate, &said)]);
    hear(&mut terminal, &again, &unit);
    let mut seen = Vec::new();
    while let Some(sent) = terminal.settlement(noon()).unwrap() {
        // Power fails before the answer comes, and the message goes again.
        terminal = switched_on_again(&terminal);
        let repeat = terminal.settlement(noon()).unwrap().unwrap();
        assert_eq!(repeat.unit, sent.unit);
        seen.push(String::from_utf8(sent.message.role(Role::AdditionalPrivate).unwrap()[..2].to_vec()).unwrap());
        approve(&mut terminal, &repeat);
        terminal = switched_on_again(&terminal);
    }
    assert_eq!(seen, ["08", "08", "02", "00"], "two groups of eight, one of two, the end");
    assert_eq!(terminal.memory().batch.value(), 2);
}

#[test]
fn nothing_is_sold_while_a_settlement_is_under_way() {
    let mut terminal = signed_in_at(1);
    sell(&mut terminal, 100);
    terminal.begin_settlement().unwrap();
    let card = card();
    let sale = Purchase { kind: Kind::Sale, amount: yuan(1), card: &card, entry: Entry::Tap, pin: None };
    assert!(matches!(terminal.purchase(&sale, noon()), Err(TerminalFault::SettlementFirst)));
    let offline = Purchase { kind: Kind::OfflineSale, ..sale };
    assert!(matches!(terminal.offline(&offline, None, noon()), Err(TerminalFault::SettlementFirst)));
}

#[test]
fn a_voided_sale_is_in_no_total_and_stands_again_if_its_void_is_undone() {
    let mut terminal = signed_in_at(1);
    let (one, two) = (sell(&mut terminal, 100), sell(&mut terminal, 250));
    assert_eq!(terminal.totals().domestic.debit.amount, 350);
    let named = original(&terminal, one);
    let void = follow(&mut terminal, Kind::SaleVoid, 100, &named);
    approve(&mut terminal, &void);
    assert_eq!(terminal.memory().log.find(one).unwrap().standing, Standing::Voided);
    let totals = terminal.totals();
    assert_eq!((totals.domestic.debit.count, totals.domestic.debit.amount, totals.domestic.credit.count), (1, 250, 0));
    assert!(terminal.undo_last(), "the void's receipt did not print");
    assert_eq!(terminal.totals().domestic.debit.amount, 350);
    assert_eq!(terminal.memory().log.find(two).unwrap().amount, yuan(250));
}

#[test]
fn a_partial_approval_counts_for_what_was_approved() {
    let mut terminal = signed_in_at(1);
    let sale = order(&mut terminal, Kind::Sale, 10_000);
    let unit = answer_to(&terminal, &sale, b"10", &[(Role::Amount, b"000000004000"), RRN]);
    assert!(hear(&mut terminal, &sale, &unit).approved);
    assert_eq!(terminal.totals().domestic.debit.amount, 4_000);
}

#[test]
fn a_tip_changes_the_sale_it_belongs_to() {
    let mut terminal = signed_in_at(1);
    let stan = sell(&mut terminal, 10_000);
    let named = original(&terminal, stan);
    let tip = FollowUp {
        kind: Kind::Adjustment,
        amount: yuan(11_500),
        tip: yuan(1_500),
        original: &named,
        card: None,
        pin: None,
    };
    let sent = terminal.follow_up(&tip, noon()).unwrap();
    assert_eq!(sent.message.role(Role::MessageTypeCode).unwrap().to_vec(), b"34");
    assert_eq!(sent.message.role(Role::AdditionalPrivate).unwrap().to_vec(), b"000000001500");
    assert_eq!(terminal.untold(), 1);
    approve(&mut terminal, &sent);
    let totals = terminal.totals().domestic.debit;
    assert_eq!((terminal.untold(), totals.count, totals.amount), (0, 1, 11_500));
}

#[test]
fn an_offline_sale_is_told_until_the_host_has_it_and_before_the_batch_is_settled() {
    let mut terminal = signed_in_at(1);
    let card = card();
    let sale = Purchase { kind: Kind::OfflineSale, amount: yuan(700), card: &card, entry: Entry::Manual, pin: None };
    let slip = terminal.offline(&sale, ApprovalCode::parse(b"V00001"), noon()).unwrap();
    assert_eq!(terminal.totals().domestic.debit.amount, 700, "it counts at once");
    assert!(matches!(terminal.begin_settlement(), Err(TerminalFault::UntoldFirst)));
    let first = terminal.advice().unwrap().unwrap();
    assert_eq!((first.mti.as_str(), first.message.role(Role::Stan).unwrap().to_vec()), ("0220", b"000001".to_vec()));
    let mut terminal = switched_on_again(&terminal);
    let again = terminal.advice().unwrap().unwrap();
    assert_eq!(again.unit, first.unit, "also after a power cut");
    decline(&mut terminal, &again, b"96");
    assert_eq!(terminal.untold(), 1, "a host in trouble is told again");
    decline(&mut terminal, &again, b"94");
    assert_eq!(terminal.untold(), 0, "94: it has it already");
    assert_eq!(terminal.memory().log.find(slip.stan).unwrap().standing, Standing::Stands);
    terminal.begin_settlement().unwrap();
}

#[test]
fn an_offline_sale_that_the_host_refuses_is_in_no_total() {
    let mut terminal = signed_in_at(1);
    let card = card();
    let sale = Purchase { kind: Kind::OfflineSale, amount: yuan(700), card: &card, entry: Entry::Manual, pin: None };
    terminal.offline(&sale, None, noon()).unwrap();
    let sent = terminal.advice().unwrap().unwrap();
    decline(&mut terminal, &sent, b"14");
    assert_eq!((terminal.untold(), terminal.totals().count()), (0, 0));
}

#[test]
fn an_unanswered_refund_is_told_again_without_its_track() {
    let mut terminal = signed_in_at(6);
    let (card, earlier) =
        (card(), Original { date: Some(*b"1120"), rrn: Rrn::parse(b"101730000002"), ..Original::default() });
    let refund = FollowUp {
        kind: Kind::Refund,
        amount: yuan(100),
        tip: Amount::ZERO,
        original: &earlier,
        card: Some((&card, Entry::Swipe)),
        pin: None,
    };
    let sent = terminal.follow_up(&refund, noon()).unwrap();
    assert!(terminal.memory().pending.is_none(), "a refund is not undone");
    let json = terminal.to_json();
    assert!(!json.contains("6225000000000253") && !json.to_uppercase().contains("363232353030303030303030303235"));
    let mut terminal = switched_on_again(&terminal);
    let again = terminal.advice().unwrap().unwrap();
    assert_eq!(again.message.role(Role::Stan).unwrap().to_vec(), b"000006");
    assert!(again.message.role(Role::Track2).is_none() && sent.message.role(Role::Track2).is_some());
    approve(&mut terminal, &again);
    assert_eq!((terminal.untold(), terminal.totals().domestic.credit.amount), (0, 100));
}

#[test]
fn a_batch_that_the_host_closed_is_put_away_and_what_was_not_told_goes_into_the_next() {
    let mut terminal = signed_in_at(1);
    sell(&mut terminal, 100);
    let card = card();
    let sale = Purchase { kind: Kind::OfflineSale, amount: yuan(700), card: &card, entry: Entry::Manual, pin: None };
    terminal.offline(&sale, None, noon()).unwrap();
    moved_on(&mut terminal);
    let memory = terminal.memory();
    assert_eq!((memory.batch.value(), memory.log.before.len(), memory.log.slips.len()), (2, 1, 1));
    let advice = terminal.advice().unwrap().unwrap();
    assert_eq!(advice.message.role(Role::Batch).unwrap().to_vec(), b"000002");
}

/// Signs in, and the host names the second batch.
fn moved_on(terminal: &mut Terminal) {
    let sent = terminal.sign_in(noon()).unwrap();
    let keys = terminal.memory().key_data.clone().unwrap();
    let unit = answer_to(terminal, &sent, b"00", &[(Role::Batch, b"000002"), (Role::KeyData, &keys)]);
    assert!(hear(terminal, &sent, &unit).valid);
}

#[test]
fn what_may_have_arrived_keeps_the_batch_it_named_and_counts_in_no_other() {
    let mut terminal = signed_in_at(1);
    let card = card();
    let sale = Purchase { kind: Kind::OfflineSale, amount: yuan(700), card: &card, entry: Entry::Manual, pin: None };
    terminal.offline(&sale, None, noon()).unwrap();
    terminal.advice().unwrap().unwrap();
    moved_on(&mut terminal);
    let memory = terminal.memory();
    assert_eq!((memory.batch.value(), memory.log.before.len(), memory.log.slips.len()), (2, 1, 0));
    let again = terminal.advice().unwrap().unwrap();
    assert_eq!(again.message.role(Role::Batch).unwrap().to_vec(), b"000001", "as the host may know it");
    approve(&mut terminal, &again);
    let log = &terminal.memory().log;
    assert_eq!((log.before[0].rrn.is_some(), terminal.untold(), terminal.totals().count()), (true, 0, 0));
}

#[test]
fn what_the_host_did_not_take_goes_into_the_next_batch() {
    let mut terminal = signed_in_at(1);
    let card = card();
    let sale = Purchase { kind: Kind::OfflineSale, amount: yuan(700), card: &card, entry: Entry::Manual, pin: None };
    terminal.offline(&sale, None, noon()).unwrap();
    let sent = terminal.advice().unwrap().unwrap();
    decline(&mut terminal, &sent, b"77");
    moved_on(&mut terminal);
    let again = terminal.advice().unwrap().unwrap();
    assert_eq!(again.message.role(Role::Batch).unwrap().to_vec(), b"000002");
    assert_eq!(terminal.totals().count(), 1);
}

#[test]
fn an_advice_that_found_no_connection_was_not_told() {
    let mut terminal = signed_in_at(1);
    let card = card();
    let sale = Purchase { kind: Kind::OfflineSale, amount: yuan(700), card: &card, entry: Entry::Manual, pin: None };
    terminal.offline(&sale, None, noon()).unwrap();
    let sent = terminal.advice().unwrap().unwrap();
    terminal.not_sent(&sent);
    moved_on(&mut terminal);
    assert_eq!((terminal.untold(), terminal.totals().count()), (1, 1), "it belongs to the batch that is open");
}

#[test]
fn an_upload_goes_on_after_a_sign_in_that_names_the_next_batch() {
    let mut terminal = signed_in_at(1);
    sell(&mut terminal, 100);
    terminal.begin_settlement().unwrap();
    let claim = terminal.settlement(noon()).unwrap().unwrap();
    let digits = claim.message.role(Role::AdditionalPrivate).unwrap().to_vec();
    let mut said = digits;
    (said[30], said[61]) = (b'2', b'1');
    let unit = answer_to(&terminal, &claim, b"00", &[(Role::AdditionalPrivate, &said)]);
    hear(&mut terminal, &claim, &unit);
    moved_on(&mut terminal);
    let upload = terminal.settlement(noon()).unwrap().expect("the upload");
    assert_eq!(upload.message.role(Role::Batch).unwrap().to_vec(), b"000001");
    approve(&mut terminal, &upload);
    let end = terminal.settlement(noon()).unwrap().expect("its end");
    approve(&mut terminal, &end);
    let settled = terminal.memory().log.settled.clone().unwrap();
    assert_eq!((settled.batch, settled.balanced, terminal.memory().batch.value()), (BatchNumber::FIRST, false, 2));
}

#[test]
fn a_claim_that_may_have_arrived_is_repeated_although_the_next_batch_is_named() {
    let mut terminal = signed_in_at(1);
    sell(&mut terminal, 100);
    terminal.begin_settlement().unwrap();
    let claim = terminal.settlement(noon()).unwrap().unwrap();
    let mut terminal = switched_on_again(&terminal);
    moved_on(&mut terminal);
    let again = terminal.settlement(noon()).unwrap().expect("the claim");
    assert_eq!((&again.unit, terminal.memory().batch), (&claim.unit, BatchNumber::FIRST));
    decline(&mut terminal, &again, b"96");
    assert!(terminal.memory().log.closing.is_some(), "a host in trouble has not looked whether it had the first");
    let mut said = claim.message.role(Role::AdditionalPrivate).unwrap().to_vec();
    (said[30], said[61]) = (b'3', b'3');
    let unit = answer_to(&terminal, &again, b"77", &[(Role::AdditionalPrivate, &said)]);
    hear(&mut terminal, &again, &unit);
    moved_on(&mut terminal);
    assert_eq!(
        (terminal.memory().batch.value(), terminal.memory().log.before.len()),
        (2, 1),
        "somebody else closed it"
    );
}

#[test]
fn a_claim_that_never_left_is_dropped_when_the_next_batch_is_named() {
    let mut terminal = signed_in_at(1);
    sell(&mut terminal, 100);
    terminal.begin_settlement().unwrap();
    let claim = terminal.settlement(noon()).unwrap().unwrap();
    terminal.not_sent(&claim);
    moved_on(&mut terminal);
    assert_eq!((terminal.memory().batch.value(), terminal.memory().log.closing.is_some()), (2, false));
}

#[test]
fn a_decline_with_a_wrong_mac_ends_nothing() {
    let mut terminal = signed_in_at(1);
    let sent = order(&mut terminal, Kind::Sale, 100);
    let mut unit = answer_to(&terminal, &sent, b"51", &[RRN, DATE[0], DATE[1]]);
    *unit.last_mut().unwrap() ^= 1;
    assert!(!hear(&mut terminal, &sent, &unit).valid);
    assert!(terminal.memory().pending.is_some(), "somebody may have changed it on its way");
    let undo = terminal.reversal(noon()).unwrap().unwrap();
    let mut unit = answer_to(&terminal, &undo, b"12", &[]);
    *unit.last_mut().unwrap() ^= 1;
    hear(&mut terminal, &undo, &unit);
    assert!(terminal.memory().pending.is_some());
}

#[test]
fn offline_sales_end_where_a_settlement_could_not_count_them() {
    let mut terminal = signed_in_at(1);
    let card = card();
    let sale = Purchase { kind: Kind::OfflineSale, amount: yuan(1), card: &card, entry: Entry::Manual, pin: None };
    let made = (0..1_000).take_while(|_| terminal.offline(&sale, None, noon()).is_ok()).count();
    assert_eq!(made, SLIPS_AT_MOST);
}

#[test]
fn state_files_of_older_terminals_are_read() {
    let old = r#"{"schema": "tollgate/terminal-state/v1", "profile": "pos", "terminal": "12345678",
        "merchant": "123456789012345", "batch": 7, "next_stan": 42, "key_data": null, "last": null,
        "pending": {"mti": "0200", "stan": 41, "amount": 100, "card": null, "elements": [[3, "303030303030"]],
        "transmission_time": "1121020000", "local_time": "261121100000", "approval": null, "reason": "98",
        "own_stan": null, "attempts": 1}}"#;
    let memory = Memory::from_json(old, setup("pos").owner(), &pad()).unwrap();
    assert_eq!((memory.batch.value(), memory.next_stan), (7, Stan::new(42)));
    let pending = memory.pending.as_ref().unwrap();
    assert_eq!((pending.kind, pending.stan.value()), (Kind::Sale, 41));
    assert!(memory.log.slips.is_empty() && memory.operator.is_none());
}

#[test]
fn a_lost_slip_leaves_the_batch_short_of_it() {
    let mut terminal = signed_in_at(1);
    sell(&mut terminal, 100);
    sell(&mut terminal, 200);
    assert!(terminal.lose(1) && !terminal.lose(2) && !terminal.lose(0));
    assert_eq!(terminal.totals().domestic.debit.amount, 200);
}

#[test]
fn another_operator_signs_in_anew() {
    let mut terminal = signed_in_at(1);
    terminal.set_operator("01");
    assert!(!terminal.needs_sign_in(), "where nobody was named it was 01 who signed in");
    terminal.set_operator("03");
    assert!(terminal.needs_sign_in());
    let sent = terminal.sign_in(noon()).unwrap();
    assert_eq!(sent.message.role(Role::Operator).unwrap().to_vec(), b"03 ");
    assert_eq!(switched_on_again(&terminal).memory().operator.as_deref(), Some("03"));
}

/// DE 55 of an approval with one script, number 00000001.
const SCRIPTED: &str = "910A112233445566778830307212\
9F1804000000018609841800000401020304";

#[test]
fn a_script_that_came_with_an_answer_is_told_before_the_next_request() {
    let mut terminal = signed_in_at(2);
    let sale = order(&mut terminal, Kind::Sale, 123);
    let icc = unhex(SCRIPTED);
    let approval = (Role::ApprovalCode, b"A12345".as_slice());
    let unit = answer_to(&terminal, &sale, b"00", &[RRN, DATE[0], DATE[1], approval, (Role::Icc, &icc)]);
    assert!(hear(&mut terminal, &sale, &unit).approved);
    assert_eq!(terminal.untold(), 1);
    assert_eq!(terminal.memory().log.slips.len(), 1, "it is no receipt");
    let mut terminal = switched_on_again(&terminal);
    let notice = terminal.advice().unwrap().unwrap();
    let text = |role| String::from_utf8(notice.message.role(role).unwrap().to_vec()).unwrap();
    assert_eq!(
        (notice.mti.as_str(), text(Role::NetworkCode), text(Role::Stan)),
        ("0620", "951".into(), "000003".into())
    );
    assert_eq!((text(Role::Rrn), text(Role::ApprovalCode)), ("101730000002".into(), "A12345".into()));
    assert_eq!(notice.message.value(61).unwrap().to_vec(), b"0000010000021121", "batch, number and date of the sale");
    assert_eq!((text(Role::Pan), text(Role::Amount)), ("6225000000000253".into(), "000000000123".into()));
    let said = notice.message.role(Role::Icc).unwrap().to_vec();
    assert_eq!(tlv::Reader::new(&said).find(&[0xDF, 0x31]), Some(&[0x20, 0, 0, 0, 1][..]), "it went well");
    assert!(notice.message.mac().is_some());
    approve(&mut terminal, &notice);
    assert_eq!((terminal.untold(), terminal.memory().log.slips.len()), (0, 1));
}
