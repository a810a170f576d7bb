//! Approving on behalf of an issuer that cannot be asked, and telling it.

use super::rig::{Recipe, Rig, Till, await_that};
use super::{CARD_A, CARD_B};
use std::net::SocketAddr;
use tollgate::ledger::Effect;
use tollgate::ledger::Ledger;
use tollgate::ledger::Outcome;
use tollgate::ledger::Owed;
use tollgate::ledger::Recorded;
use tollgate::model::Kind;
use tollgate::model::ResponseCode;
use tollgate::sim::terminal::Entry;

const SALE: Kind = Kind::Sale;

/// A station that stands in with these further lines, its banks closed, and where they were.
struct Outage {
    rig: Rig,
    till: Till,
    addresses: [SocketAddr; 2],
}

impl Outage {
    fn of(lines: &str) -> Self {
        let lines = format!("stand_in_most = 100000\n{lines}");
        let mut rig = Rig::of(&Recipe { bank_a: &lines, bank_b: &lines, timeout_ms: 1_000, ..Recipe::default() });
        let till = rig.signed_in(10_000_001);
        let addresses = [&mut rig.bank_a, &mut rig.bank_b].map(|bank| bank.1.take().unwrap().address());
        let mut outage = Self { rig, till, addresses };
        for card in [CARD_A, CARD_B] {
            await_that("the link is seen to be down", || {
                outage.till.ask(Kind::Balance, 0, card).code == Some(ResponseCode::IssuerInoperative)
            });
        }
        outage
    }

    /// The banks are back.
    fn end(&mut self) {
        Rig::reopen(&mut self.rig.bank_a, self.addresses[0]);
        Rig::reopen(&mut self.rig.bank_b, self.addresses[1]);
    }

    fn sale(&mut self, minor: u64, card: &str) -> Option<ResponseCode> {
        self.till.ask_without_pin(SALE, minor, card).code
    }

    fn last(&self) -> Recorded {
        self.rig.records().pop().unwrap()
    }
}

#[test]
fn an_approval_on_behalf_of_an_issuer_is_told_when_it_is_back_and_booked_once() {
    let mut outage = Outage::of("stand_in_kinds = [\"sale\", \"authorization\"]");
    for (card, kind) in [(CARD_A, SALE), (CARD_A, Kind::Authorization), (CARD_B, SALE), (CARD_B, Kind::Authorization)] {
        let sent = outage.till.prepare_without_pin(kind, 12_00, card, Entry::Chip);
        outage.till.send(&sent.unit);
        let first = outage.till.receive().unwrap();
        outage.till.send(&sent.unit);
        assert_eq!(outage.till.receive().unwrap(), first, "its copy gets the recorded answer");
        let answer = outage.till.judge(&sent, first);
        assert_eq!((answer.code, answer.valid), (Some(ResponseCode::Approved), true));
        assert!(answer.approval.is_some() && answer.rrn.is_some());
        assert_eq!(outage.last().effect, Effect::Advising);
    }
    assert_eq!(outage.rig.owed(), 4);
    outage.end();
    outage.rig.await_undone();
    for bank in [&outage.rig.bank_a, &outage.rig.bank_b] {
        assert_eq!((Rig::booked(bank), bank.0.stats().advices), (24_00, 2));
    }
    let told = outage.rig.records().into_iter().filter(|record| record.intent.kind != Kind::Balance);
    for record in told {
        let outcome = record.decided.map(|decided| decided.outcome);
        assert_eq!((outcome, record.effect), (Some(Outcome::Approved), Effect::Live));
    }
}

#[test]
fn nothing_is_approved_with_a_pin_or_beyond_what_the_issuers_row_allows() {
    let mut outage = Outage::of("");
    let inoperative = Some(ResponseCode::IssuerInoperative);
    assert_eq!(outage.till.ask(SALE, 10_00, CARD_A).code, inoperative, "a PIN");
    assert_eq!(outage.sale(100_001, CARD_A), inoperative, "the amount");
    assert_eq!(outage.till.ask_without_pin(Kind::Authorization, 10_00, CARD_A).code, inoperative, "the kind");
    for entry in [Entry::Swipe, Entry::Manual] {
        let sent = outage.till.prepare_without_pin(SALE, 10_00, CARD_A, entry);
        assert_eq!(outage.till.exchange(&sent).code, inoperative, "how the card was read");
    }
    assert_eq!(outage.rig.owed(), 0);
    assert_eq!(outage.sale(100_000, CARD_A), Some(ResponseCode::Approved));
}

#[test]
fn without_a_permission_nobody_is_stood_in_for() {
    let mut rig = Rig::start(1_000);
    let mut till = rig.signed_in(10_000_001);
    drop(rig.bank_a.1.take());
    let mut ask = || till.ask_without_pin(SALE, 10_00, CARD_A).code;
    await_that("the link is seen to be down", || ask() == Some(ResponseCode::IssuerInoperative));
    assert_eq!(ask(), Some(ResponseCode::IssuerInoperative));
}

#[test]
fn the_day_of_a_card_and_of_a_terminal_bounds_what_is_approved_without_the_issuer() {
    let mut outage = Outage::of("stand_in_card_count = 2\nstand_in_terminal_amount = 5000");
    assert_eq!(outage.sale(20_00, CARD_A), Some(ResponseCode::Approved));
    assert_eq!(outage.sale(31_00, CARD_B), Some(ResponseCode::AmountLimit), "50.00 a day at the terminal");
    assert_eq!(outage.sale(10_00, CARD_A), Some(ResponseCode::Approved));
    assert_eq!(outage.sale(1_00, CARD_A), Some(ResponseCode::CountLimit), "twice a day with the card");
    assert_eq!(outage.sale(20_00, CARD_B), Some(ResponseCode::Approved));
    outage.end();
    outage.rig.await_undone();
    let mut online = || outage.till.ask_without_pin(SALE, 40_00, CARD_A).code;
    await_that("the link is up", || online() == Some(ResponseCode::Approved));
    assert_eq!(online(), Some(ResponseCode::Approved), "the issuer itself is asked again");
}

#[test]
fn an_approval_taken_back_before_the_issuer_heard_of_it_moves_nothing() {
    let mut outage = Outage::of("");
    for card in [CARD_A, CARD_B] {
        assert_eq!(outage.sale(20_00, card), Some(ResponseCode::Approved));
        assert!(outage.till.terminal.undo_last());
        let reversal = outage.till.terminal.reversal(super::rig::now()).unwrap().unwrap();
        assert_eq!(outage.till.exchange(&reversal).code, Some(ResponseCode::Approved));
        assert_eq!(outage.last().effect, Effect::Reversing);
    }
    outage.end();
    outage.rig.await_undone();
    assert_eq!(Rig::booked(&outage.rig.bank_a) + Rig::booked(&outage.rig.bank_b), 0);
    assert_eq!(outage.last().effect, Effect::Reversed);
}

#[test]
fn an_advice_that_the_issuer_refuses_is_a_dead_letter_and_an_unanswered_one_is_booked_once() {
    let mut outage = Outage::of("");
    // 14 whenever it is told; booked without an answer the first time.
    for minor in [10_14, 66_603] {
        assert_eq!(outage.sale(minor, CARD_A), Some(ResponseCode::Approved));
    }
    outage.end();
    outage.rig.await_undone();
    let dead = outage.rig.ledger().dead_letters();
    let letters: Vec<_> =
        dead.iter().map(|letter| (letter.what, letter.code, letter.original.amount.minor())).collect();
    assert_eq!(letters, [(Owed::Advice, ResponseCode::CardInvalid, 10_14)]);
    let stats = outage.rig.bank_a.0.stats();
    assert_eq!((Rig::booked(&outage.rig.bank_a), stats.advices, stats.repeats), (66_603, 3, 1));
}
