//! Voids, refunds, completions: what follows a transaction, over real doors and links.

use super::peer::{Peer, answer};
use super::rig::{Recipe, Rig, Till, await_that, now};
use super::slip::{APPROVAL, Slip, last, selling, willing};
use super::{CARD_A, CARD_B};
use crate::ledger_command::Kept;
use tollgate::iso8583::Role;
use tollgate::ledger::Effect;
use tollgate::ledger::Ledger;
use tollgate::ledger::Outcome;
use tollgate::ledger::journal::Folder;
use tollgate::model::Amount;
use tollgate::model::Kind;
use tollgate::model::ResponseCode;
use tollgate::model::ResponseCode::{
    AmountInvalid, Approved, IssuerInoperative, OriginalAmountWrong, OriginalNotFound, RelatedInvalid,
};

const SALE: Kind = Kind::Sale;

/// A sale or hold of a terminal: its batch, number, reference number and date, as its receipt has them.
struct Receipt {
    batch: Vec<u8>,
    stan: Vec<u8>,
    rrn: Vec<u8>,
    date: Vec<u8>,
}

fn paid(till: &mut Till, kind: Kind, minor: u64) -> Receipt {
    let sent = till.prepare(kind, minor, CARD_A);
    let told = till.exchange(&sent);
    assert_eq!(told.code, Some(Approved));
    Receipt {
        batch: sent.message.role(Role::Batch).unwrap().to_vec(),
        stan: sent.message.role(Role::Stan).unwrap().to_vec(),
        rrn: told.rrn.unwrap().as_bytes().to_vec(),
        date: told.message.role(Role::LocalDate).unwrap().to_vec(),
    }
}

/// A void as terminals send it: number and reference number of the original, and the card.
fn void<'a>(stan: u32, minor: u64, of: &'a Receipt) -> Slip<'a> {
    Slip::new(Kind::SaleVoid, stan, minor)
        .says(Role::Pan, CARD_A.as_bytes())
        .says(Role::OriginalRrn, &of.rrn)
        .says(Role::OriginalBatch, &of.batch)
        .says(Role::OriginalStan, &of.stan)
}

/// A refund: no batch and no number, but reference number and date.
fn refund<'a>(stan: u32, minor: u64, of: &'a Receipt) -> Slip<'a> {
    Slip::new(Kind::Refund, stan, minor)
        .says(Role::Pan, CARD_A.as_bytes())
        .says(Role::OriginalRrn, &of.rrn)
        .says(Role::OriginalDate, &of.date)
}

/// What follows a hold: approval code, number and date.
fn of_hold<'a>(kind: Kind, stan: u32, minor: u64, of: &'a Receipt) -> Slip<'a> {
    Slip::new(kind, stan, minor)
        .says(Role::Pan, CARD_A.as_bytes())
        .says(Role::ApprovalCode, APPROVAL)
        .says(Role::OriginalBatch, &of.batch)
        .says(Role::OriginalStan, &of.stan)
        .says(Role::OriginalDate, &of.date)
}

#[test]
fn a_sale_is_voided_once_whole_and_its_issuer_is_told_which_one() {
    let (rig, peer) = willing(&Recipe::default());
    let mut till = selling(&rig, 10_000_001);
    let sale = paid(&mut till, SALE, 20_00);
    assert_eq!(void(901, 19_99, &sale).code(&mut till), OriginalAmountWrong, "a void is whole");
    let told = void(902, 20_00, &sale).send(&mut till);
    assert_eq!((told.code, told.valid, told.amount), (Some(Approved), true, Amount::new(20_00)));
    assert_eq!(last(&rig, SALE).effect, Effect::Voided);
    assert_eq!(void(903, 20_00, &sale).code(&mut till), RelatedInvalid, "it is voided already");
    let seen = peer.seen();
    let (asked, undone) = (seen.iter().find(|seen| seen.kind == SALE), seen.last());
    assert_eq!(undone.map(|seen| seen.kind), Some(Kind::SaleVoid));
    assert_eq!(undone.unwrap().original_stan.as_ref(), asked.map(|asked| &asked.stan));
    assert_eq!(seen.iter().filter(|seen| seen.kind == Kind::SaleVoid).count(), 1, "nobody else asked the issuer");
}

#[test]
fn a_void_without_the_card_is_for_the_card_of_its_original() {
    let (rig, _peer) = willing(&Recipe::default());
    let mut till = selling(&rig, 10_000_001);
    let sale = paid(&mut till, SALE, 20_00);
    let mut slip = void(902, 20_00, &sale);
    slip.says.retain(|(role, _)| *role != Role::Pan);
    assert_eq!(slip.code(&mut till), Approved);
    let record = last(&rig, Kind::SaleVoid);
    assert_eq!(
        (record.intent.token, record.intent.masked),
        (last(&rig, SALE).intent.token, last(&rig, SALE).intent.masked)
    );
}

#[test]
fn what_is_not_the_terminals_own_sale_of_today_is_not_voided() {
    let (rig, peer) = willing(&Recipe::default());
    let (mut till, mut other) = (selling(&rig, 10_000_001), selling(&rig, 10_000_002));
    let sale = paid(&mut till, SALE, 20_00);
    assert_eq!(void(901, 20_00, &sale).code(&mut other), OriginalNotFound, "another terminal's");
    let unknown = Receipt { stan: b"777777".to_vec(), ..paid(&mut till, SALE, 20_00) };
    assert_eq!(void(902, 20_00, &unknown).code(&mut till), OriginalNotFound, "a number that was never used");
    let mixed = Receipt { rrn: b"000000000001".to_vec(), ..paid(&mut till, SALE, 20_00) };
    assert_eq!(void(903, 20_00, &mixed).code(&mut till), OriginalNotFound, "its reference number is another's");
    let hold = paid(&mut till, Kind::Authorization, 20_00);
    assert_eq!(void(904, 20_00, &hold).code(&mut till), RelatedInvalid, "a hold is no sale");
    let voided = void(905, 20_00, &sale).send(&mut till);
    let of_void = Receipt { stan: b"000905".to_vec(), rrn: voided.rrn.unwrap().as_bytes().to_vec(), ..sale };
    assert_eq!(void(906, 20_00, &of_void).code(&mut till), RelatedInvalid, "a void is not voided");
    assert_eq!(peer.seen().iter().filter(|seen| seen.kind == Kind::SaleVoid).count(), 1);
}

#[test]
fn another_cards_void_finds_nothing() {
    let (rig, _peer) = willing(&Recipe::default());
    let mut till = selling(&rig, 10_000_001);
    let sale = paid(&mut till, SALE, 20_00);
    let mut slip = void(901, 20_00, &sale);
    slip.says[0].1 = b"6225000000001111";
    assert_eq!(slip.code(&mut till), OriginalNotFound);
    assert_eq!(last(&rig, SALE).effect, Effect::Live);
}

#[test]
fn a_repeated_void_gets_the_recorded_answer_and_a_reversed_one_leaves_the_sale_alive() {
    let (rig, peer) = willing(&Recipe::default());
    let mut till = selling(&rig, 10_000_001);
    let sale = paid(&mut till, SALE, 20_00);
    let slip = void(901, 20_00, &sale);
    let first = slip.send(&mut till);
    let again = slip.send(&mut till);
    assert_eq!((first.rrn, first.approval), (again.rrn, again.approval));
    let reversal = Slip { kind: Kind::Reversal, ..void(901, 20_00, &sale) }
        .says(Role::ProcessingCode, b"200000")
        .says(Role::MessageTypeCode, b"23")
        .says(Role::ResponseCode, b"98");
    assert_eq!(reversal.code(&mut till), Approved);
    rig.await_undone();
    assert_eq!(last(&rig, SALE).effect, Effect::Live);
    assert_eq!(void(902, 20_00, &sale).code(&mut till), Approved, "it may be voided again");
    let reversed = peer.seen().into_iter().find(|seen| seen.kind == Kind::Reversal).unwrap();
    let voided = peer.seen().into_iter().find(|seen| seen.kind == Kind::SaleVoid).unwrap();
    assert_eq!(reversed.original_stan, Some(voided.stan));
}

#[test]
fn refunds_go_in_parts_up_to_what_was_paid_and_from_any_terminal_of_the_merchant() {
    let (rig, peer) = willing(&Recipe::default());
    let (mut till, mut other) = (selling(&rig, 10_000_001), selling(&rig, 10_000_002));
    let sale = paid(&mut till, SALE, 10_000);
    for (stan, minor, code) in [
        (901, 60_00, Approved),
        (902, 40_01, OriginalAmountWrong),
        (903, 40_00, Approved),
        (904, 1, OriginalAmountWrong),
    ] {
        assert_eq!(refund(stan, minor, &sale).code(&mut till), code, "{minor}");
    }
    assert_eq!(last(&rig, SALE).effect, Effect::Refunded(Amount::new(10_000).unwrap()));
    assert_eq!(refund(905, 1, &sale).code(&mut other), OriginalNotFound, "another merchant's");
    assert_eq!(void(906, 10_000, &sale).code(&mut till), RelatedInvalid, "what was refunded is not voided");
    let elsewhen = Receipt { date: b"0101".to_vec(), ..sale };
    assert_eq!(refund(907, 1, &elsewhen).code(&mut till), OriginalNotFound, "of another date");
    assert_eq!(peer.seen().iter().filter(|seen| seen.kind == Kind::Refund).count(), 2);
}

#[test]
fn a_reversal_of_a_refunded_sale_is_answered_00_and_told_to_nobody() {
    let (rig, peer) = willing(&Recipe::default());
    let mut till = selling(&rig, 10_000_001);
    let of_sale = |kind| Slip::new(kind, 801, 10_000).says(Role::Pan, CARD_A.as_bytes());
    let sent = of_sale(SALE).signed(&till);
    let told = till.exchange(&sent);
    let rrn = told.rrn.unwrap().as_bytes().to_vec();
    let date = told.message.role(Role::LocalDate).unwrap().to_vec();
    let sale = Receipt { batch: Vec::new(), stan: Vec::new(), rrn, date };
    assert_eq!(refund(901, 60_00, &sale).code(&mut till), Approved);
    let reversal = of_sale(Kind::Reversal)
        .says(Role::ProcessingCode, b"000000")
        .says(Role::MessageTypeCode, b"22")
        .says(Role::ResponseCode, b"98");
    assert_eq!(reversal.code(&mut till), Approved);
    assert_eq!(last(&rig, SALE).effect, Effect::Refunded(Amount::new(60_00).unwrap()));
    rig.await_undone();
    assert!(peer.seen().iter().all(|seen| seen.kind != Kind::Reversal), "it would give the money back twice");
}

#[test]
fn a_part_of_a_void_is_no_answer_and_the_void_is_undone() {
    let peer = Peer::start(|side, message, _| match message.dialect().kind_of(message) {
        Some(Kind::SaleVoid) => vec![answer(side, message, "10", &[(Role::Amount, b"000000001000")])],
        _ => vec![answer(side, message, "00", &[(Role::ApprovalCode, APPROVAL)])],
    });
    let rig = Rig::of(&Recipe { in_place_of_a: Some(peer.address), ..Recipe::default() });
    let mut till = selling(&rig, 10_000_001);
    let sale = paid(&mut till, SALE, 20_00);
    assert_ne!(void(901, 20_00, &sale).code(&mut till), Approved);
    rig.await_undone();
    assert_eq!(last(&rig, Kind::SaleVoid).effect, Effect::Reversed);
    assert_eq!((last(&rig, SALE).effect, last(&rig, SALE).amount()), (Effect::Live, Amount::new(20_00).unwrap()));
}

#[test]
fn a_refund_whose_issuer_is_silent_goes_until_it_is_acknowledged_marked_as_a_repeat() {
    let peer = Peer::start(|side, message, before| {
        let refunds = before.iter().filter(|seen| seen.kind == Kind::Refund).count();
        let silent = message.dialect().kind_of(message) == Some(Kind::Refund) && refunds < 2;
        if silent { Vec::new() } else { vec![answer(side, message, "00", &[(Role::ApprovalCode, APPROVAL)])] }
    });
    let rig = Rig::of(&Recipe { timeout_ms: 500, in_place_of_a: Some(peer.address), ..Recipe::default() });
    let mut till = selling(&rig, 10_000_001);
    let sale = paid(&mut till, SALE, 10_000);
    assert_eq!(refund(901, 60_00, &sale).code(&mut till), Approved, "it will come true");
    rig.await_undone();
    let sent: Vec<_> = peer.seen().into_iter().filter(|seen| seen.kind == Kind::Refund).collect();
    assert_eq!(sent.iter().map(|seen| seen.mti.as_str()).collect::<Vec<_>>(), ["0200", "0201", "0201"]);
    assert!(
        sent.iter().all(|seen| (&seen.stan, &seen.rrn, &seen.original_stan)
            == (&sent[0].stan, &sent[0].rrn, &sent[0].original_stan))
    );
    assert!(sent[0].original_stan.is_some());
}

#[test]
fn a_hold_is_completed_once_up_to_its_ceiling() {
    let (rig, peer) = willing(&Recipe::default());
    let mut till = selling(&rig, 10_000_001);
    let hold = paid(&mut till, Kind::Authorization, 10_000);
    assert_eq!(of_hold(Kind::Completion, 901, 11_501, &hold).code(&mut till), OriginalAmountWrong);
    let taken = of_hold(Kind::Completion, 902, 11_500, &hold).send(&mut till);
    assert_eq!(taken.code, Some(Approved));
    assert_eq!(last(&rig, Kind::Authorization).effect, Effect::Completed);
    assert_eq!(of_hold(Kind::Completion, 903, 1_00, &hold).code(&mut till), RelatedInvalid, "twice");
    assert_eq!(of_hold(Kind::AuthorizationVoid, 904, 10_000, &hold).code(&mut till), RelatedInvalid);
    let rrn = taken.rrn.unwrap().as_bytes().to_vec();
    let completion = Receipt { stan: b"000902".to_vec(), rrn, ..hold };
    let undo = of_hold(Kind::CompletionVoid, 905, 11_500, &completion).says(Role::OriginalRrn, &completion.rrn);
    assert_eq!(undo.code(&mut till), Approved);
    assert_eq!(last(&rig, Kind::Authorization).effect, Effect::Live, "it holds again");
    let kinds: Vec<Kind> = peer.seen().iter().map(|seen| seen.kind).filter(|kind| *kind != Kind::Balance).collect();
    assert_eq!(kinds, [Kind::Authorization, Kind::Completion, Kind::CompletionVoid]);
}

#[test]
fn a_hold_is_found_by_approval_code_and_card_where_no_number_is_told() {
    let (rig, _peer) = willing(&Recipe::default());
    let mut till = selling(&rig, 10_000_001);
    let hold = paid(&mut till, Kind::Authorization, 10_000);
    let by_code = |kind, stan, minor, code| {
        Slip::new(kind, stan, minor).says(Role::Pan, CARD_A.as_bytes()).says(Role::ApprovalCode, code)
    };
    assert_eq!(by_code(Kind::Completion, 901, 90_00, b"ZZZZZZ").code(&mut till), OriginalNotFound);
    let dated = by_code(Kind::Completion, 902, 90_00, APPROVAL).says(Role::OriginalDate, &hold.date);
    assert_eq!(dated.code(&mut till), Approved);
}

#[test]
fn a_hold_is_added_to_and_voided_with_what_was_added() {
    let (rig, peer) = willing(&Recipe::default());
    let mut till = selling(&rig, 10_000_001);
    let hold = paid(&mut till, Kind::Authorization, 10_000);
    assert_eq!(of_hold(Kind::Increment, 901, 50_00, &hold).code(&mut till), Approved);
    assert_eq!(of_hold(Kind::AuthorizationVoid, 902, 10_000, &hold).code(&mut till), OriginalAmountWrong);
    assert_eq!(of_hold(Kind::AuthorizationVoid, 903, 15_000, &hold).code(&mut till), Approved);
    assert_eq!(of_hold(Kind::Completion, 904, 10_00, &hold).code(&mut till), RelatedInvalid);
    assert_eq!(last(&rig, Kind::Authorization).effect, Effect::Voided);
    assert_eq!(peer.seen().last().map(|seen| seen.kind), Some(Kind::AuthorizationVoid));
}

#[test]
fn a_completion_may_be_an_advice_which_is_answered_at_once_and_carried_on() {
    let peer = Peer::start(|side, message, before| {
        let told = before.iter().filter(|seen| seen.kind == Kind::CompletionAdvice).count();
        let silent = message.dialect().kind_of(message) == Some(Kind::CompletionAdvice) && told == 0;
        if silent { Vec::new() } else { vec![answer(side, message, "00", &[(Role::ApprovalCode, APPROVAL)])] }
    });
    let rig = Rig::of(&Recipe { timeout_ms: 500, in_place_of_a: Some(peer.address), ..Recipe::default() });
    let mut till = selling(&rig, 10_000_001);
    let hold = paid(&mut till, Kind::Authorization, 10_000);
    assert_eq!(of_hold(Kind::CompletionAdvice, 901, 11_600, &hold).code(&mut till), OriginalAmountWrong);
    assert_eq!(of_hold(Kind::CompletionAdvice, 902, 80_00, &hold).code(&mut till), Approved);
    assert_eq!(of_hold(Kind::CompletionAdvice, 903, 80_00, &hold).code(&mut till), RelatedInvalid, "twice");
    rig.await_undone();
    let told: Vec<_> = peer.seen().into_iter().filter(|seen| seen.kind == Kind::CompletionAdvice).collect();
    assert_eq!(told.iter().map(|seen| seen.mti.as_str()).collect::<Vec<_>>(), ["0220", "0221"]);
    let held = peer.seen().into_iter().find(|seen| seen.kind == Kind::Authorization).unwrap();
    assert!(told.iter().all(|seen| seen.original_stan.as_ref() == Some(&held.stan)));
}

#[test]
fn silence_after_a_completion_is_undone_and_the_hold_may_be_completed_again() {
    let peer = Peer::start(|side, message, before| {
        let asked = before.iter().filter(|seen| seen.kind == Kind::Completion).count();
        let silent = message.dialect().kind_of(message) == Some(Kind::Completion) && asked == 0;
        if silent { Vec::new() } else { vec![answer(side, message, "00", &[(Role::ApprovalCode, APPROVAL)])] }
    });
    let rig = Rig::of(&Recipe { timeout_ms: 500, in_place_of_a: Some(peer.address), ..Recipe::default() });
    let mut till = selling(&rig, 10_000_001);
    let hold = paid(&mut till, Kind::Authorization, 10_000);
    assert_eq!(of_hold(Kind::Completion, 901, 80_00, &hold).code(&mut till), ResponseCode::Timeout);
    rig.await_undone();
    assert_eq!(of_hold(Kind::Completion, 902, 80_00, &hold).code(&mut till), Approved);
}

#[test]
fn the_ceiling_of_completions_is_the_acquirers() {
    let (rig, _peer) = willing(&Recipe {
        tables: "[follow_ups]\ncompletion_days = 0\nrefund_days = 0\ncompletion_percent = 100\n",
        ..Recipe::default()
    });
    let mut till = selling(&rig, 10_000_001);
    let (sale, hold) = (paid(&mut till, SALE, 10_00), paid(&mut till, Kind::Authorization, 10_000));
    assert_eq!(of_hold(Kind::Completion, 901, 10_001, &hold).code(&mut till), OriginalAmountWrong, "100 percent");
    assert_eq!(refund(902, 1_00, &sale).code(&mut till), Approved, "on the same day");
    let terms = tollgate::ledger::FollowTerms { completion_days: 30, ..tollgate::ledger::FollowTerms::USUAL };
    rig.ledger().set_follow_terms(terms);
    assert_eq!(of_hold(Kind::Completion, 903, 11_500, &hold).code(&mut till), Approved);
}

#[test]
fn a_follow_up_goes_where_its_original_went_or_nowhere() {
    let mut rig = Rig::with_routes(5_000, "", "prefix,issuer,fallback\n62,bank-a,bank-b\n4,bank-b,\n");
    let mut till = rig.signed_in(10_000_001);
    let sale = paid(&mut till, SALE, 10_00);
    drop(rig.bank_a.1.take());
    await_that("the link is down", || till.ask(SALE, 10_00, CARD_A).code == Some(ResponseCode::CardInvalid));
    assert_eq!(void(901, 10_00, &sale).code(&mut till), IssuerInoperative, "the fallback knows nothing of it");
    assert_eq!(last(&rig, Kind::SaleVoid).decided.unwrap().outcome, Outcome::Declined);
}

#[test]
fn a_follow_up_of_an_issuer_that_left_the_station_is_for_no_other_issuer() {
    let tables = "[ledger]\nfolder = \"ledger\"\nsegment_bytes = 65536\n[hsm]\nmaster = \"master.key\"\n";
    let mut rig = Rig::of(&Recipe { tables, ..Recipe::default() });
    let mut till = rig.signed_in(10_000_001);
    let (sale, hold) = (paid(&mut till, SALE, 20_00), paid(&mut till, Kind::Authorization, 10_000));
    rig.stop();
    std::fs::write(rig.file("bins.csv"), "prefix,issuer\n62,bank-b\n4,bank-b\n").unwrap();
    let issuers = std::fs::read_to_string(rig.file("issuers.toml")).unwrap();
    let others = issuers.split("[[issuer]]").filter(|row| row.contains("name = ") && !row.contains("bank-a"));
    let others: String = others.map(|row| format!("[[issuer]]{row}")).collect();
    std::fs::write(rig.file("issuers.toml"), others).unwrap();
    rig.start_again();
    till.line = super::rig::connect(rig.door("pos"));
    await_that("bank B's link is up", || till.ask(Kind::Balance, 0, CARD_B).code == Some(Approved));
    assert_eq!(refund(901, 5_00, &sale).code(&mut till), IssuerInoperative);
    assert_eq!(void(902, 20_00, &sale).code(&mut till), IssuerInoperative);
    let mut advice = of_hold(Kind::CompletionAdvice, 903, 10_000, &hold);
    advice.says.retain(|(role, _)| *role != Role::ApprovalCode);
    assert_eq!(advice.code(&mut till), IssuerInoperative);
    assert_eq!(Rig::booked(&rig.bank_b), 0);
    assert_eq!(rig.owed(), 0, "nobody is told of it either");
}

#[test]
fn a_refund_or_completion_of_nothing_is_no_valid_amount() {
    let (rig, peer) = willing(&Recipe::default());
    let mut till = selling(&rig, 10_000_001);
    let (sale, hold) = (paid(&mut till, SALE, 20_00), paid(&mut till, Kind::Authorization, 10_000));
    assert_eq!(refund(901, 0, &sale).code(&mut till), AmountInvalid);
    for (stan, kind) in (902..).zip([Kind::Completion, Kind::CompletionAdvice, Kind::Increment]) {
        assert_eq!(of_hold(kind, stan, 0, &hold).code(&mut till), AmountInvalid, "{}", kind.name());
    }
    let offline = Slip::new(Kind::OfflineSale, 905, 0).says(Role::Pan, CARD_A.as_bytes());
    assert_eq!(offline.code(&mut till), AmountInvalid);
    let verified = Slip::new(Kind::Verification, 906, 0).says(Role::Pan, CARD_A.as_bytes());
    assert_eq!(verified.code(&mut till), Approved, "it asks for no money");
    let asked: Vec<Kind> = peer.seen().iter().map(|seen| seen.kind).filter(|kind| *kind != Kind::Balance).collect();
    assert_eq!(asked, [SALE, Kind::Authorization, Kind::Verification]);
}

#[test]
fn a_refund_whose_original_cannot_be_read_now_is_96_and_may_come_again() {
    let tables = "[ledger]\nfolder = \"ledger\"\nsegment_bytes = 65536\n[hsm]\nmaster = \"master.key\"\n";
    let (mut rig, _peer) = willing(&Recipe { tables, ..Recipe::default() });
    let mut till = Till::new(&rig, 10_000_001, "host");
    await_that("the link is up", || till.ask(Kind::Balance, 0, CARD_A).code == Some(Approved));
    let sale = till.ask(SALE, 20_00, CARD_A).rrn.unwrap();
    let today = last(&rig, SALE).intent.date;
    rig.stop();
    let kept = Kept::open(Folder::open(&rig.file("ledger")).unwrap());
    kept.wait(kept.ledger.close_day(today)).unwrap();
    kept.fill();
    drop(kept);
    rig.start_again();
    till.line = super::rig::connect(rig.door("host"));
    await_that("the link is up", || till.ask(Kind::Balance, 0, CARD_A).code == Some(Approved));
    let mut files = std::fs::read_dir(rig.file("ledger")).unwrap().map(|entry| entry.unwrap().path());
    let day = files.find(|path| path.extension().is_some_and(|ending| ending == "tgd")).unwrap();
    let whole = std::fs::read(&day).unwrap();
    let rotten: Vec<u8> = whole.iter().enumerate().map(|(at, byte)| if at < 512 { *byte } else { !byte }).collect();
    std::fs::write(&day, rotten).unwrap();
    let refund = Slip::new(Kind::Refund, 904, 5_00).says(Role::OriginalRrn, sale.as_bytes());
    assert_eq!(refund.code(&mut till), ResponseCode::SystemFailure);
    assert!(rig.records().iter().all(|record| record.intent.kind != Kind::Refund), "nothing is on record");
    std::fs::write(&day, whole).unwrap();
    assert_eq!(refund.code(&mut till), Approved, "the same once more");
}

#[test]
fn an_original_is_found_after_a_restart() {
    let (mut rig, _peer) = {
        let peer = Peer::start(|side, message, _| vec![answer(side, message, "00", &[(Role::ApprovalCode, APPROVAL)])]);
        let tables = "[ledger]\nfolder = \"ledger\"\nsegment_bytes = 65536\n[hsm]\nmaster = \"master.key\"\n";
        (Rig::of(&Recipe { in_place_of_a: Some(peer.address), tables, ..Recipe::default() }), peer)
    };
    let mut till = selling(&rig, 10_000_001);
    let (sale, hold) = (paid(&mut till, SALE, 20_00), paid(&mut till, Kind::Authorization, 10_000));
    rig.stop();
    rig.start_again();
    till.line = super::rig::connect(rig.door("pos"));
    await_that("the link is up", || till.ask(Kind::Balance, 0, CARD_A).code == Some(Approved));
    assert_eq!(refund(901, 5_00, &sale).code(&mut till), Approved);
    assert_eq!(of_hold(Kind::Completion, 902, 10_000, &hold).code(&mut till), Approved);
    let by_code = Slip::new(Kind::Completion, 903, 1_00).says(Role::Pan, CARD_A.as_bytes());
    assert_eq!(by_code.says(Role::ApprovalCode, APPROVAL).code(&mut till), RelatedInvalid, "the same hold");
}

#[test]
fn a_part_that_was_approved_is_voided_and_reversed_as_that_part() {
    let peer = Peer::start(|side, message, _| {
        let part: &[(Role, &[u8])] = &[(Role::ApprovalCode, APPROVAL), (Role::Amount, b"000000001500")];
        let whole: &[(Role, &[u8])] = &[(Role::ApprovalCode, APPROVAL)];
        match message.dialect().kind_of(message) {
            Some(Kind::Sale) => vec![answer(side, message, "10", part)],
            Some(Kind::Reversal) if message.role(Role::Amount).unwrap().as_bytes() != b"000000001500" => Vec::new(),
            _ => vec![answer(side, message, "00", whole)],
        }
    });
    let rig = Rig::of(&Recipe { timeout_ms: 500, in_place_of_a: Some(peer.address), ..Recipe::default() });
    let mut till = selling(&rig, 10_000_001);
    let sent = till.prepare(SALE, 20_00, CARD_A);
    let told = till.exchange(&sent);
    assert_eq!((told.code, told.amount), (Some(ResponseCode::ApprovedPartial), Amount::new(15_00)));
    let sale = Receipt {
        batch: sent.message.role(Role::Batch).unwrap().to_vec(),
        stan: sent.message.role(Role::Stan).unwrap().to_vec(),
        rrn: told.rrn.unwrap().as_bytes().to_vec(),
        date: told.message.role(Role::LocalDate).unwrap().to_vec(),
    };
    assert_eq!(void(901, 20_00, &sale).code(&mut till), OriginalAmountWrong);
    assert_eq!(refund(902, 15_01, &sale).code(&mut till), OriginalAmountWrong);
    assert_eq!(void(903, 15_00, &sale).code(&mut till), Approved);
    assert_eq!(till.ask(SALE, 20_00, CARD_A).code, Some(ResponseCode::ApprovedPartial));
    assert!(till.terminal.undo_last());
    let reversal = till.terminal.reversal(now()).unwrap().unwrap();
    assert_eq!(till.exchange(&reversal).code, Some(Approved));
    rig.await_undone();
    assert_eq!(last(&rig, SALE).effect, Effect::Reversed);
}

#[test]
fn a_card_is_verified_and_money_transferred() {
    let (rig, peer) = willing(&Recipe::default());
    let mut till = selling(&rig, 10_000_001);
    let verified = Slip::new(Kind::Verification, 901, 0).says(Role::Pan, CARD_A.as_bytes());
    assert_eq!(verified.code(&mut till), Approved);
    let to = Slip::new(Kind::Transfer, 902, 30_00)
        .says(Role::Pan, CARD_A.as_bytes())
        .says(Role::ToAccount, b"6225000000001111");
    assert_eq!(to.code(&mut till), Approved);
    let kinds: Vec<Kind> = peer.seen().iter().rev().take(2).map(|seen| seen.kind).collect();
    assert_eq!(kinds, [Kind::Transfer, Kind::Verification]);
}

/// In ISO 8583:1987 a follow-up names its original in DE 90, or by reference number.
#[test]
fn a_merchant_host_voids_completes_and_refunds_by_original_data() {
    let (rig, peer) = willing(&Recipe::default());
    let mut till = Till::new(&rig, 10_000_001, "host");
    await_that("the link is up", || till.ask(Kind::Balance, 0, CARD_A).code == Some(Approved));
    let paid = |till: &mut Till, kind| {
        let sent = till.prepare(kind, 20_00, CARD_A);
        let told = till.exchange(&sent);
        assert_eq!(told.code, Some(Approved));
        let value = |role| sent.message.role(role).unwrap().to_vec();
        (value(Role::Stan), value(Role::TransmissionTime), told.rrn.unwrap())
    };
    let (sale, hold, other) = (paid(&mut till, SALE), paid(&mut till, Kind::Authorization), paid(&mut till, SALE));
    let void = Slip::new(Kind::SaleVoid, 901, 20_00)
        .says(Role::Pan, CARD_A.as_bytes())
        .says(Role::OriginalMti, b"0200")
        .says(Role::OriginalStan, &sale.0)
        .says(Role::OriginalTransmissionTime, &sale.1);
    assert_eq!(void.code(&mut till), Approved);
    let completion = Slip::new(Kind::Completion, 902, 22_00)
        .says(Role::Pan, CARD_A.as_bytes())
        .says(Role::OriginalMti, b"0100")
        .says(Role::OriginalStan, &hold.0)
        .says(Role::OriginalTransmissionTime, &hold.1);
    assert_eq!(completion.code(&mut till), Approved);
    let of_class = Slip::new(Kind::SaleVoid, 903, 20_00)
        .says(Role::Pan, CARD_A.as_bytes())
        .says(Role::OriginalMti, b"0100")
        .says(Role::OriginalStan, &other.0)
        .says(Role::OriginalTransmissionTime, &other.1);
    assert_eq!(of_class.code(&mut till), OriginalNotFound, "that number was a sale's");
    let refund = Slip::new(Kind::Refund, 904, 5_00).says(Role::OriginalRrn, other.2.as_bytes());
    assert_eq!(refund.code(&mut till), Approved);
    let kinds: Vec<Kind> = peer.seen().iter().rev().take(3).map(|seen| seen.kind).collect();
    assert_eq!(kinds, [Kind::Refund, Kind::Completion, Kind::SaleVoid]);
}
