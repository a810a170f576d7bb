//! What a request costs, whatever happens to it.

use super::rig::{Rig, Till, await_that};
use super::{CARD_A, CARD_B};
use tollgate::iso8583::Role;
use tollgate::ledger::Effect;
use tollgate::ledger::Outcome;
use tollgate::model::Kind;
use tollgate::model::ResponseCode;

const SALE: Kind = Kind::Sale;

/// An amount that makes the issuer behave: 666.01 to 666.10, in minor units.
fn trouble(cents: u64) -> u64 {
    66_600 + cents
}

#[test]
fn a_sale_with_pin_is_booked_once_at_either_bank() {
    let rig = Rig::start(5_000);
    let mut till = rig.signed_in(10_000_001);
    for (card, bank) in [(CARD_A, &rig.bank_a), (CARD_B, &rig.bank_b)] {
        let before = till.balance(card);
        let answer = till.ask(SALE, 12_00, card);
        assert_eq!((answer.code, answer.valid), (Some(ResponseCode::Approved), true));
        assert!(answer.rrn.is_some() && answer.approval.is_some());
        assert_eq!((before - till.balance(card), Rig::booked(bank)), (12_00, 12_00));
    }
}

#[test]
fn a_wrong_pin_is_the_issuers_decline() {
    let rig = Rig::start(5_000);
    let mut till = rig.signed_in(10_000_001);
    for card in [CARD_A, CARD_B] {
        let sent = till.prepare_with(SALE, 12_00, card, "9999");
        assert_eq!(till.exchange(&sent).code, Some(ResponseCode::PinWrong));
    }
}

#[test]
fn the_cents_choose_the_answer() {
    let rig = Rig::start(5_000);
    let mut till = rig.signed_in(10_000_001);
    for card in [CARD_A, CARD_B] {
        for code in [ResponseCode::FundsInsufficient, ResponseCode::CardExpired, ResponseCode::AmountLimit] {
            let cents: u64 = code.code().parse().unwrap();
            assert_eq!(till.ask(SALE, 10_00 + cents, card).code, Some(code));
        }
    }
    assert_eq!(Rig::booked(&rig.bank_a) + Rig::booked(&rig.bank_b), 0);
}

#[test]
fn a_repeat_gets_the_recorded_answer_to_the_byte_and_is_booked_once() {
    let rig = Rig::start(5_000);
    let mut till = rig.signed_in(10_000_001);
    let sent = till.prepare(SALE, 15_00, CARD_A);
    till.send(&sent.unit);
    let first = till.receive().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    till.send(&sent.unit);
    assert_eq!(till.receive().unwrap(), first, "the clock has moved on, the answer has not");
    let mut elsewhere = Till::new(&rig, 10_000_001, "pos");
    elsewhere.send(&sent.unit);
    assert_eq!(elsewhere.receive().unwrap(), first, "from another connection too");
    assert_eq!(Rig::booked(&rig.bank_a), 15_00);
}

#[test]
fn a_copy_of_a_running_request_waits_for_its_answer() {
    let rig = Rig::start(5_000);
    let mut till = rig.signed_in(10_000_001);
    let sent = till.prepare(SALE, trouble(1), CARD_B);
    let mut elsewhere = Till::new(&rig, 10_000_001, "pos");
    till.send(&sent.unit);
    elsewhere.send(&sent.unit);
    let first = till.receive().unwrap();
    assert_eq!(elsewhere.receive().unwrap(), first);
    assert_eq!(till.judge(&sent, first).code, Some(ResponseCode::Approved));
    assert_eq!(Rig::booked(&rig.bank_b), trouble(1));
}

#[test]
fn the_same_number_for_another_amount_is_94() {
    let rig = Rig::start(5_000);
    let mut till = rig.signed_in(10_000_001);
    let mut twin = rig.terminal(10_000_001);
    till.ask(SALE, 15_00, CARD_A);
    // A second device under the same number signs in, and so has the same STAN before it.
    twin.sign_in();
    let sent = twin.prepare(SALE, 16_00, CARD_A);
    assert_eq!(twin.exchange(&sent).code, Some(ResponseCode::DuplicateMismatch));
    assert_eq!(Rig::booked(&rig.bank_a), 15_00);
}

#[test]
fn whatever_the_issuer_does_the_money_is_undone_or_answered() {
    let rig = Rig::start(600);
    // Silence, booked silence, late, wrong STAN, wrong MAC, garbage, a broken frame.
    for (index, cents) in [2, 3, 4, 6, 7, 8, 9].into_iter().enumerate() {
        for (offset, card) in [(20, CARD_A), (40, CARD_B)] {
            let number = 10_000_000 + offset + u32::try_from(index).unwrap();
            let answer = rig.signed_in(number).ask(SALE, trouble(cents), card);
            assert_eq!((answer.code, answer.valid), (Some(ResponseCode::Timeout), true), "666.{cents:02} {card}");
        }
    }
    rig.await_undone();
    assert_eq!((Rig::booked(&rig.bank_a), Rig::booked(&rig.bank_b)), (0, 0));
    let timed_out = rig.records().into_iter().filter(|record| record.intent.kind == SALE).collect::<Vec<_>>();
    assert_eq!(timed_out.len(), 14);
    for record in timed_out {
        let outcome = record.decided.map(|decided| decided.outcome);
        assert_eq!((outcome, record.effect), (Some(Outcome::TimedOut), Effect::Reversed));
    }
}

#[test]
fn an_answer_twice_and_one_byte_at_a_time_is_one_answer() {
    let rig = Rig::start(5_000);
    let mut till = rig.signed_in(10_000_001);
    for card in [CARD_A, CARD_B] {
        for cents in [5, 10] {
            assert_eq!(till.ask(SALE, trouble(cents), card).code, Some(ResponseCode::Approved));
        }
    }
    assert_eq!(Rig::booked(&rig.bank_a), trouble(5) + trouble(10));
}

#[test]
fn a_late_answer_is_noted_and_changes_nothing() {
    let rig = Rig::start(600);
    let mut till = rig.signed_in(10_000_001);
    assert_eq!(till.ask(SALE, trouble(4), CARD_B).code, Some(ResponseCode::Timeout));
    let late = || rig.records().into_iter().find(|record| record.intent.kind == SALE).unwrap();
    await_that("the late answer is noted", || late().late == Some(Outcome::Approved));
    assert_eq!(late().decided.unwrap().outcome, Outcome::TimedOut);
    rig.await_undone();
    assert_eq!(Rig::booked(&rig.bank_b), 0);
}

#[test]
fn a_terminals_reversal_gives_the_money_back_and_may_be_repeated() {
    let rig = Rig::start(5_000);
    let mut till = rig.signed_in(10_000_001);
    for card in [CARD_A, CARD_B] {
        let before = till.balance(card);
        till.ask(SALE, 20_00, card);
        assert!(till.terminal.undo_last());
        let reversal = till.terminal.reversal(super::rig::now()).unwrap().unwrap();
        till.send(&reversal.unit);
        let first = till.receive().unwrap();
        till.send(&reversal.unit);
        assert_eq!(till.receive().unwrap(), first, "a repeat is legal and answered the same");
        assert_eq!(till.judge(&reversal, first).code, Some(ResponseCode::Approved));
        rig.await_undone();
        assert_eq!(till.balance(card), before);
    }
}

#[test]
fn a_reversal_of_another_card_undoes_nothing() {
    let rig = Rig::start(5_000);
    let mut till = rig.signed_in(10_000_001);
    till.ask(SALE, 20_00, CARD_A);
    assert!(till.terminal.undo_last());
    let reversal = till.terminal.reversal(super::rig::now()).unwrap().unwrap();
    let profile = &till.terminal.setup().profile;
    let mut builder = profile.dialect.build(reversal.mti);
    for de in reversal.message.elements() {
        builder.copy(de, &reversal.message).unwrap();
    }
    builder.role(Role::Pan, b"4111111111111111").unwrap();
    let unsigned = builder.finish_unsigned().unwrap();
    let mac = till.terminal.pad().mac(&profile.mac.scheme, unsigned.mac_input()).unwrap();
    let other = profile.enclose(&unsigned.sign(&mac).unwrap(), None).unwrap();
    till.send(&other);
    let answer = till.receive().unwrap();
    assert_eq!(till.judge(&reversal, answer).code, Some(ResponseCode::OriginalNotFound));
    assert_eq!((rig.records()[0].effect, Rig::booked(&rig.bank_a)), (Effect::Live, 20_00));
    assert_eq!(till.exchange(&reversal).code, Some(ResponseCode::Approved), "of its own card it does");
}

#[test]
fn a_reversal_that_overtakes_its_original_declines_it() {
    let rig = Rig::start(5_000);
    let mut till = rig.signed_in(10_000_001);
    // The terminal keeps what it would have to undo before it sends; here the sale itself is held up.
    let sale = till.prepare(SALE, 20_00, CARD_A);
    let reversal = till.terminal.reversal(super::rig::now()).unwrap().unwrap();
    assert_eq!(till.exchange(&reversal).code, Some(ResponseCode::Approved));
    assert_eq!(till.exchange(&sale).code, Some(ResponseCode::RelatedInvalid));
    assert_eq!(Rig::booked(&rig.bank_a), 0);
}

#[test]
fn a_reversal_while_the_original_runs_wins() {
    let rig = Rig::start(5_000);
    let mut till = rig.signed_in(10_000_001);
    let sale = till.prepare(SALE, trouble(1), CARD_B);
    let reversal = till.terminal.reversal(super::rig::now()).unwrap().unwrap();
    let mut elsewhere = Till::new(&rig, 10_000_001, "pos");
    till.send(&sale.unit);
    await_that("the sale is intended", || rig.records().iter().any(|record| record.intent.kind == SALE));
    elsewhere.send(&reversal.unit);
    let answer = elsewhere.receive().unwrap();
    assert_eq!(till.judge(&reversal, answer).code, Some(ResponseCode::Approved));
    let answer = till.receive().unwrap();
    assert_eq!(till.judge(&sale, answer).code, Some(ResponseCode::Timeout));
    rig.await_undone();
    assert_eq!(Rig::booked(&rig.bank_b), 0);
}

#[test]
fn without_a_link_a_sale_is_91_and_without_a_route_15() {
    let mut rig = Rig::start(5_000);
    let mut till = rig.signed_in(10_000_001);
    drop(rig.bank_a.1.take());
    await_that("the link is seen to be down", || {
        till.ask(SALE, 10_00, CARD_A).code == Some(ResponseCode::IssuerInoperative)
    });
    assert_eq!(till.ask(SALE, 10_00, CARD_B).code, Some(ResponseCode::Approved), "the other bank goes on");
}

#[test]
fn limits_are_reserved_and_given_back() {
    let rig = Rig::with_limits(5_000, "least = 100\nmost = 50000\ndaily_amount = 100000\ndaily_count = 3");
    let mut till = rig.signed_in(10_000_001);
    assert_eq!(till.ask(SALE, 50_001, CARD_A).code, Some(ResponseCode::AmountLimit));
    for _ in 0..2 {
        assert_eq!(till.ask(SALE, 40_000, CARD_A).code, Some(ResponseCode::Approved));
    }
    assert_eq!(till.ask(SALE, 30_000, CARD_A).code, Some(ResponseCode::AmountLimit), "1000.00 a day");
    assert_eq!(till.ask(SALE, 1_51, CARD_A).code, Some(ResponseCode::FundsInsufficient), "a decline gives back");
    assert_eq!(till.ask(SALE, 2_00, CARD_A).code, Some(ResponseCode::Approved));
    assert_eq!(till.ask(SALE, 2_00, CARD_A).code, Some(ResponseCode::CountLimit), "three a day");
    assert!(till.terminal.undo_last());
    let reversal = till.terminal.reversal(super::rig::now()).unwrap().unwrap();
    assert_eq!(till.exchange(&reversal).code, Some(ResponseCode::Approved));
    assert_eq!(till.ask(SALE, 2_00, CARD_A).code, Some(ResponseCode::Approved), "a reversal gives back");
}

#[test]
fn a_reversal_neither_waits_for_what_it_undoes_nor_for_room() {
    let rig = Rig::start(5_000);
    let mut till = rig.signed_in(10_000_001);
    // Four sales that take three seconds each, all in the same line; the last is taken back.
    let mut sale = till.prepare(SALE, trouble(1), CARD_B);
    for _ in 0..3 {
        till.send(&sale.unit);
        till.terminal.not_sent(&sale);
        sale = till.prepare(SALE, trouble(1), CARD_B);
    }
    till.send(&sale.unit);
    let reversal = till.terminal.reversal(super::rig::now()).unwrap().unwrap();
    till.send(&reversal.unit);
    let first = till.receive().unwrap();
    assert_eq!(till.judge(&reversal, first).code, Some(ResponseCode::Approved), "before any of the sales");
}

#[test]
fn the_fifth_request_of_a_terminal_is_96_whatever_line_it_comes_by() {
    let rig = Rig::start(5_000);
    let mut till = rig.signed_in(10_000_001);
    let mut lines = Vec::new();
    for number in 0..5 {
        let sale = till.prepare(SALE, trouble(1), CARD_B);
        till.terminal.not_sent(&sale);
        let mut line = super::rig::connect(rig.door("pos"));
        std::io::Write::write_all(&mut line, &sale.unit).unwrap();
        await_that("the switch has it", || number == 4 || rig.records().len() > number + 2);
        lines.push((line, sale));
    }
    let (mut line, sale) = lines.pop().unwrap();
    let answer = super::rig::receive(&mut line).unwrap();
    assert_eq!(till.judge(&sale, answer).code, Some(ResponseCode::SystemFailure));
    for (mut line, sale) in lines {
        let answer = super::rig::receive(&mut line).unwrap();
        assert_eq!(till.judge(&sale, answer).code, Some(ResponseCode::Approved));
    }
}

#[test]
fn a_fallback_takes_over_for_an_issuer_that_is_gone() {
    let mut rig = Rig::with_routes(5_000, "", "prefix,issuer,fallback\n62,bank-a,bank-b\n4,bank-b,\n");
    let mut till = rig.signed_in(10_000_001);
    assert_eq!(till.ask(SALE, 10_00, CARD_A).code, Some(ResponseCode::Approved));
    drop(rig.bank_a.1.take());
    // Bank B does not know the card of bank A, and says so: it was asked.
    await_that("the fallback is asked", || till.ask(SALE, 10_00, CARD_A).code == Some(ResponseCode::CardInvalid));
    let asked = rig.records().into_iter().filter_map(|record| record.intent.outbound.clone());
    assert_eq!(asked.last().map(|way| way.issuer.to_string()).as_deref(), Some("bank-b"));
    rig.await_undone();
    assert_eq!(Rig::booked(&rig.bank_b), 0);
}
