//! What terminals tell has been done: answered at once, carried on until the issuer has it.

use super::CARD_A;
use super::peer::{Peer, answer};
use super::rig::{Recipe, Rig, Till, await_that};
use super::slip::{APPROVAL, Slip, last, selling, willing};
use tollgate::iso8583::Role;
use tollgate::ledger::Effect;
use tollgate::model::Amount;
use tollgate::model::Kind;
use tollgate::model::ResponseCode;
use tollgate::model::ResponseCode::{
    Approved, IssuerUnknown, OriginalAmountWrong, OriginalNotFound, SignInRequired, SystemFailure,
};

/// Offline refunds may name no sale.
pub(super) const ALONE: &str = "[follow_ups]\nrefund_without_original = true\n";

fn told(kind: Kind, stan: u32, minor: u64) -> Slip<'static> {
    Slip::new(kind, stan, minor).says(Role::Pan, CARD_A.as_bytes())
}

#[test]
fn offline_sales_refunds_and_script_results_are_answered_at_once_and_told_to_the_issuer() {
    let (rig, peer) = willing(&Recipe { tables: ALONE, ..Recipe::default() });
    let mut till = selling(&rig, 10_000_001);
    let kinds = [Kind::OfflineSale, Kind::OfflineRefund, Kind::ScriptNotice];
    for (stan, kind) in (901..).zip(kinds) {
        let answer = told(kind, stan, 12_00).send(&mut till);
        assert_eq!((answer.code, answer.valid), (Some(Approved), true), "{}", kind.name());
    }
    rig.await_undone();
    let seen: Vec<_> = peer.seen().into_iter().filter(|seen| kinds.contains(&seen.kind)).collect();
    assert_eq!(seen.iter().map(|seen| seen.kind).collect::<Vec<_>>(), kinds);
    assert_eq!(seen.iter().map(|seen| seen.mti.as_str()).collect::<Vec<_>>(), ["0220", "0220", "0620"]);
    assert_eq!(last(&rig, Kind::OfflineSale).effect, Effect::Live);
}

#[test]
fn offline_refunds_of_a_sale_never_give_back_more_than_its_rest() {
    let (rig, peer) = willing(&Recipe::default());
    let mut till = selling(&rig, 10_000_001);
    let sent = till.prepare(Kind::Sale, 10_000, CARD_A);
    let rrn = till.exchange(&sent).rrn.unwrap();
    let back =
        |stan, kind, minor, till: &mut Till| told(kind, stan, minor).says(Role::OriginalRrn, rrn.as_bytes()).code(till);
    assert_eq!(back(901, Kind::OfflineRefund, 60_00, &mut till), Approved);
    assert_eq!(back(902, Kind::OfflineRefund, 40_01, &mut till), OriginalAmountWrong);
    assert_eq!(back(903, Kind::Refund, 30_00, &mut till), Approved);
    assert_eq!(back(904, Kind::OfflineRefund, 10_01, &mut till), OriginalAmountWrong, "whichever way it was refunded");
    assert_eq!(back(905, Kind::OfflineRefund, 10_00, &mut till), Approved);
    rig.await_undone();
    assert_eq!(last(&rig, Kind::Sale).effect, Effect::Refunded(Amount::new(10_000).unwrap()));
    let sold = peer.seen().into_iter().find(|seen| seen.kind == Kind::Sale).unwrap();
    let refunds: Vec<_> = peer.seen().into_iter().filter(|seen| seen.kind == Kind::OfflineRefund).collect();
    assert_eq!(refunds.len(), 2);
    assert!(refunds.iter().all(|seen| seen.original_stan.as_ref() == Some(&sold.stan)));
}

#[test]
fn an_offline_refund_of_no_sale_is_taken_only_where_the_station_says_so() {
    let (rig, peer) = willing(&Recipe::default());
    let mut till = selling(&rig, 10_000_001);
    let (alone, unknown) = (told(Kind::OfflineRefund, 901, 12_00), told(Kind::OfflineRefund, 902, 12_00));
    let unknown = unknown.says(Role::OriginalRrn, b"000000000001");
    assert_eq!((alone.code(&mut till), unknown.code(&mut till)), (OriginalNotFound, OriginalNotFound));
    assert!(peer.seen().iter().all(|seen| seen.kind == Kind::Balance));
    let (rig, _peer) = willing(&Recipe { tables: ALONE, ..Recipe::default() });
    let mut till = selling(&rig, 10_000_001);
    assert_eq!((alone.code(&mut till), unknown.code(&mut till)), (Approved, OriginalNotFound));
}

#[test]
fn an_advice_waits_for_an_issuer_whose_line_is_down_and_a_copy_is_the_same_advice() {
    let (rig, peer) = willing(&Recipe::default());
    let mut till = selling(&rig, 10_000_001);
    drop(peer);
    await_that("the line is down", || till.ask(Kind::Balance, 0, CARD_A).code != Some(Approved));
    let slip = told(Kind::OfflineSale, 901, 12_00);
    let (first, again) = (slip.send(&mut till), slip.send(&mut till));
    assert_eq!((first.code, first.rrn), (Some(Approved), again.rrn));
    assert_eq!((rig.owed(), last(&rig, Kind::OfflineSale).effect), (1, Effect::Advising));
}

/// A bank that answers an adjustment only when it comes for the `nth` time.
fn hard_of_hearing(nth: usize) -> (Rig, Peer) {
    let peer = Peer::start(move |side, message, before| {
        let is_tip = |kind: Kind| kind == Kind::Adjustment;
        let earlier = before.iter().filter(|seen| is_tip(seen.kind)).count();
        let hears = message.dialect().kind_of(message).is_none_or(|kind| !is_tip(kind)) || earlier + 1 >= nth;
        if hears { vec![answer(side, message, "00", &[(Role::ApprovalCode, APPROVAL)])] } else { Vec::new() }
    });
    let rig = Rig::of(&Recipe { in_place_of_a: Some(peer.address), timeout_ms: 1_000, ..Recipe::default() });
    (rig, peer)
}

/// A sale of 100.00 with a tip of 15.00, and what follows it.
fn tipped(till: &mut Till) -> impl Fn(Kind, u32, u64, &mut Till) -> ResponseCode + use<> {
    let sent = till.prepare(Kind::Sale, 10_000, CARD_A);
    let rrn = till.exchange(&sent).rrn.unwrap();
    let said = |role| sent.message.role(role).unwrap().to_vec();
    let (batch, stan) = (said(Role::Batch), said(Role::Stan));
    let of_it = move |kind, number, minor, till: &mut Till| {
        let slip = told(kind, number, minor).says(Role::OriginalRrn, rrn.as_bytes());
        let slip = slip.says(Role::OriginalBatch, &batch).says(Role::OriginalStan, &stan);
        match kind {
            Kind::Adjustment => slip.says(Role::AdditionalPrivate, b"000000001500").code(till),
            _ => slip.code(till),
        }
    };
    assert_eq!(of_it(Kind::Adjustment, 901, 11_500, till), Approved);
    of_it
}

#[test]
fn a_void_or_refund_goes_to_the_issuer_after_the_tip_that_it_takes_back() {
    for kind in [Kind::SaleVoid, Kind::Refund] {
        let (rig, peer) = hard_of_hearing(2);
        let mut till = selling(&rig, 10_000_001);
        let follow = tipped(&mut till);
        assert_eq!(follow(kind, 902, 11_500, &mut till), Approved);
        let kinds: Vec<Kind> = peer.seen().iter().map(|seen| seen.kind).filter(|kind| *kind != Kind::Balance).collect();
        assert_eq!(kinds, [Kind::Sale, Kind::Adjustment, Kind::Adjustment, kind]);
    }
}

#[test]
fn a_void_that_would_overtake_its_tip_is_96_and_may_come_again() {
    let (rig, peer) = hard_of_hearing(usize::MAX);
    let mut till = selling(&rig, 10_000_001);
    let follow = tipped(&mut till);
    assert_eq!(follow(Kind::SaleVoid, 902, 11_500, &mut till), SystemFailure);
    assert!(peer.seen().iter().all(|seen| seen.kind != Kind::SaleVoid));
    assert!(rig.records().iter().all(|record| record.intent.kind != Kind::SaleVoid), "nothing is on record");
    assert_eq!(follow(Kind::SaleVoid, 903, 10_000, &mut till), OriginalAmountWrong, "what is wrong is said at once");
}

#[test]
fn a_tip_makes_another_amount_of_a_sale_which_is_then_voided_with_it() {
    let (rig, peer) = willing(&Recipe::default());
    let mut till = selling(&rig, 10_000_001);
    let sent = till.prepare(Kind::Sale, 10_000, CARD_A);
    let paid = till.exchange(&sent);
    let (batch, stan) = (sent.message.role(Role::Batch).unwrap(), sent.message.role(Role::Stan).unwrap());
    let rrn = paid.rrn.unwrap();
    let of_it = |kind, number, minor| {
        told(kind, number, minor)
            .says(Role::OriginalRrn, rrn.as_bytes())
            .says(Role::OriginalBatch, &batch)
            .says(Role::OriginalStan, &stan)
    };
    let tip = of_it(Kind::Adjustment, 901, 11_500).says(Role::AdditionalPrivate, b"000000001500");
    assert_eq!(tip.code(&mut till), Approved);
    let sale = last(&rig, Kind::Sale);
    assert_eq!((sale.adjusted, sale.amount()), (Amount::new(11_500), Amount::new(11_500).unwrap()));
    rig.await_undone();
    let adjusted = peer.seen().into_iter().rfind(|seen| seen.kind == Kind::Adjustment).unwrap();
    assert!(adjusted.original_stan.is_some());
    assert_eq!(of_it(Kind::SaleVoid, 902, 11_500).code(&mut till), Approved);
}

#[test]
fn a_tip_of_what_takes_none_is_answered_00_and_told_to_nobody() {
    let (rig, peer) = willing(&Recipe::default());
    let mut till = selling(&rig, 10_000_001);
    let sent = till.prepare(Kind::Authorization, 10_000, CARD_A);
    let rrn = till.exchange(&sent).rrn.unwrap();
    let (batch, stan) = (sent.message.role(Role::Batch).unwrap(), sent.message.role(Role::Stan).unwrap());
    let tip = told(Kind::Adjustment, 901, 90_000)
        .says(Role::OriginalRrn, rrn.as_bytes())
        .says(Role::OriginalBatch, &batch)
        .says(Role::OriginalStan, &stan);
    assert_eq!(tip.code(&mut till), Approved);
    assert_eq!((last(&rig, Kind::Authorization).adjusted, rig.owed()), (None, 0));
    assert_eq!(last(&rig, Kind::Adjustment).intent.follows, None);
    assert!(peer.seen().iter().all(|seen| seen.kind != Kind::Adjustment));
}

#[test]
fn an_advice_of_a_card_that_nobody_issued_is_not_taken() {
    let (rig, _peer) = willing(&Recipe::default());
    let mut till = selling(&rig, 10_000_001);
    let foreign = Slip::new(Kind::OfflineSale, 901, 12_00).says(Role::Pan, b"9999990000000000");
    assert_eq!(foreign.code(&mut till), IssuerUnknown, "nobody could be told");
}

#[test]
fn an_advice_of_a_closed_batch_is_in_no_batch_and_its_issuer_is_told() {
    let (rig, peer) = willing(&Recipe::default());
    let mut till = selling(&rig, 10_000_001);
    super::settlement::settle_nothing(&mut till, 1);
    till.sign_in();
    let late = told(Kind::OfflineSale, 901, 12_00).says(Role::Batch, b"000001");
    let (first, again) = (late.send(&mut till), late.send(&mut till));
    assert_eq!((first.code, first.rrn, again.code), (Some(Approved), again.rrn, Some(Approved)));
    // Older than what is remembered, or never used: the money has moved all the same.
    let older = told(Kind::OfflineSale, 902, 13_00).says(Role::Batch, b"000999");
    assert_eq!(older.code(&mut till), Approved);
    rig.await_undone();
    let sold = peer.seen().into_iter().filter(|seen| seen.kind == Kind::OfflineSale).count();
    assert_eq!((sold, last(&rig, Kind::OfflineSale).intent.batch), (2, None));
    super::settlement::settle_nothing(&mut till, 2);
}

#[test]
fn an_advice_before_the_sign_in_is_77_and_may_come_again() {
    let (rig, peer) = willing(&Recipe::default());
    let mut till = selling(&rig, 10_000_001);
    super::sessions::sign_off(&mut till);
    let slip = told(Kind::OfflineSale, 901, 12_00);
    assert_eq!(slip.code(&mut till), SignInRequired);
    assert!(rig.records().iter().all(|record| record.intent.kind == Kind::Balance), "it is not on record");
    till.sign_in();
    assert_eq!(slip.code(&mut till), Approved);
    rig.await_undone();
    assert_eq!(peer.seen().last().map(|seen| seen.kind), Some(Kind::OfflineSale));
}
