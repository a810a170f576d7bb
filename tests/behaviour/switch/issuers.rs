//! Issuers that are slow, silent, wrong or late, and those beside them.

use super::peer::{Peer, answer};
use super::rig::{Recipe, Rig, await_that};
use super::{CARD_A, CARD_B};
use std::io::ErrorKind;
use tollgate::iso8583::Role;
use tollgate::ledger::Effect;
use tollgate::ledger::Ledger;
use tollgate::ledger::Outcome;
use tollgate::model::IssuerName;
use tollgate::model::Kind;
use tollgate::model::ResponseCode;

const SALE: Kind = Kind::Sale;

#[test]
fn an_issuer_that_swallows_everything_slows_nobody_else() {
    let peer = Peer::start(|_, _, _| Vec::new());
    let rig = Rig::of(&Recipe { timeout_ms: 10_000, in_place_of_a: Some(peer.address), ..Recipe::default() });
    let mut waiting: Vec<_> = (20..50).map(|serial| rig.signed_in(10_000_000 + serial)).collect();
    for till in &mut waiting {
        let sent = till.prepare(SALE, 10_00, CARD_A);
        till.send(&sent.unit);
    }
    await_that("bank A has them all", || peer.seen().iter().filter(|seen| seen.kind == SALE).count() == waiting.len());
    let mut till = rig.signed_in(10_000_001);
    for _ in 0..30 {
        assert_eq!(till.ask(SALE, 10_00, CARD_B).code, Some(ResponseCode::Approved));
    }
    for till in &mut waiting {
        till.line.set_nonblocking(true).unwrap();
        let answered = till.line.peek(&mut [0]);
        assert_eq!(answered.unwrap_err().kind(), ErrorKind::WouldBlock, "the sales of bank A still wait");
    }
    assert_eq!(Rig::booked(&rig.bank_b), 30_000);
}

#[test]
fn an_answer_for_another_amount_reference_or_terminal_decides_nothing() {
    let peer = Peer::start(|side, message, _| match message.dialect().kind_of(message) {
        Some(SALE) => {
            let changed: (Role, &[u8]) = match message.role(Role::Terminal).unwrap().as_str().unwrap() {
                "10000021" => (Role::Amount, b"000000000999"),
                "10000022" => (Role::Rrn, b"999999999999"),
                "10000023" => (Role::Terminal, b"10000099"),
                _ => (Role::Stan, b"999999"),
            };
            vec![answer(side, message, "00", &[changed])]
        }
        _ => vec![answer(side, message, "00", &[])],
    });
    let rig = Rig::of(&Recipe { timeout_ms: 600, in_place_of_a: Some(peer.address), ..Recipe::default() });
    for number in [10_000_021, 10_000_022, 10_000_023, 10_000_024] {
        let mut till = rig.signed_in(number);
        await_that("the link is up", || till.ask(SALE, 10_00, CARD_A).code == Some(ResponseCode::Timeout));
    }
    rig.await_undone();
    for record in
        rig.records().into_iter().filter(|record| record.intent.outbound.is_some() && record.intent.kind == SALE)
    {
        let outcome = record.decided.map(|decided| decided.outcome);
        assert_eq!((outcome, record.effect), (Some(Outcome::TimedOut), Effect::Reversed));
    }
}

#[test]
fn the_first_valid_answer_decides_and_those_after_it_change_nothing() {
    let peer = Peer::start(|side, message, _| {
        let say = |code| answer(side, message, code, &[]);
        // In one segment: an answer to nobody, the answer, another one, the same again.
        let foreign = answer(side, message, "00", &[(Role::Stan, b"999999")]);
        vec![[foreign, say("51"), say("00"), say("51")].concat().into()]
    });
    let rig = Rig::of(&Recipe { in_place_of_a: Some(peer.address), ..Recipe::default() });
    let mut till = rig.signed_in(10_000_021);
    await_that("the link is up", || till.ask(SALE, 10_00, CARD_A).code == Some(ResponseCode::FundsInsufficient));
    assert_eq!(till.ask(SALE, 10_00, CARD_A).code, Some(ResponseCode::FundsInsufficient));
    assert_eq!(rig.owed(), 0);
}

#[test]
fn request_in_progress_is_no_decline_and_the_request_is_undone() {
    let peer = Peer::start(|side, message, _| {
        let code = if message.dialect().kind_of(message) == Some(SALE) { "09" } else { "00" };
        vec![answer(side, message, code, &[])]
    });
    let rig = Rig::of(&Recipe { in_place_of_a: Some(peer.address), ..Recipe::default() });
    let mut till = rig.signed_in(10_000_021);
    await_that("the link is up", || till.ask(SALE, 10_00, CARD_A).code == Some(ResponseCode::Timeout));
    rig.await_undone();
    assert!(peer.seen().iter().any(|seen| seen.kind == Kind::Reversal));
}

#[test]
fn what_an_issuer_says_of_our_keys_and_sign_on_is_not_a_terminals_business() {
    for said in ["A0", "99", "77"] {
        let peer = Peer::start(move |side, message, _| {
            let code = if message.dialect().kind_of(message) == Some(SALE) { said } else { "00" };
            vec![answer(side, message, code, &[])]
        });
        let rig = Rig::of(&Recipe { in_place_of_a: Some(peer.address), ..Recipe::default() });
        let mut till = rig.signed_in(10_000_021);
        let asked = |till: &mut crate::switch::rig::Till| till.ask(SALE, 10_00, CARD_A).code;
        await_that("the link is up", || asked(&mut till) == Some(ResponseCode::SystemFailure));
        let sale = rig.records().into_iter().rfind(|record| record.intent.kind == SALE).unwrap();
        assert_eq!(sale.decided.unwrap().outcome, Outcome::Declined, "{said}");
    }
}

#[test]
fn an_approval_after_its_reversal_was_acknowledged_is_noted_and_moves_nothing() {
    let rig = Rig::start(600);
    let mut till = rig.signed_in(10_000_001);
    for card in [CARD_A, CARD_B] {
        // Booked, and answered 0.9 s after the switch has stopped waiting.
        assert_eq!(till.ask(SALE, 66_604, card).code, Some(ResponseCode::Timeout));
        let sale = || rig.records().into_iter().rfind(|record| record.intent.kind == SALE).unwrap();
        await_that("the reversal is acknowledged", || sale().effect == Effect::Reversed);
        await_that("the late answer is noted", || sale().late == Some(Outcome::Approved));
        let decided = sale().decided.unwrap();
        assert_eq!((sale().effect, decided.outcome), (Effect::Reversed, Outcome::TimedOut));
    }
    assert_eq!(Rig::booked(&rig.bank_a) + Rig::booked(&rig.bank_b), 0);
}

#[test]
fn links_sign_on_again_after_an_outage_and_the_numbers_they_use_are_on_record() {
    let lines = "sign_on = true\nconnections = 2\n";
    let mut rig = Rig::of(&Recipe { bank_a: lines, ..Recipe::default() });
    let name = IssuerName::parse("bank-a").unwrap();
    let mut till = rig.signed_in(10_000_001);
    let before = rig.ledger().last_stan(&name).unwrap();
    let address = rig.bank_a.1.take().unwrap().address();
    await_that("the link is seen to be down", || {
        till.ask(Kind::Balance, 0, CARD_A).code == Some(ResponseCode::IssuerInoperative)
    });
    let requests = rig.bank_a.0.stats().requests;
    Rig::reopen(&mut rig.bank_a, address);
    await_that("the link is up", || till.ask(Kind::Balance, 0, CARD_A).code == Some(ResponseCode::Approved));
    // Two workers and the sender, two connections each, and the inquiry.
    await_that("every connection signs on", || rig.bank_a.0.stats().requests >= requests + 7);
    let used = |stan: tollgate::model::Stan| stan.value().wrapping_sub(before.value());
    await_that("a mark is kept", || rig.ledger().last_stan(&name).is_some_and(|last| used(last) >= 7));
}
