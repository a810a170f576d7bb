//! Risk: which requests are refused, with which code, and what the others reserve.

use proptest::prelude::*;
use std::borrow::Cow;
use std::sync::Arc;
use tollgate::model::Acquirer;
use tollgate::model::Amount;
use tollgate::model::BusinessDate;
use tollgate::model::Currency;
use tollgate::model::Kind;
use tollgate::model::Limits;
use tollgate::model::MerchantId;
use tollgate::model::Pan;
use tollgate::model::PosEntryMode;
use tollgate::model::ProcessingCode;
use tollgate::model::Request;
use tollgate::model::Site;
use tollgate::model::Stan;
use tollgate::model::Standing;
use tollgate::model::TerminalFacts;
use tollgate::model::TerminalId;
use tollgate::model::Timestamp;
use tollgate::risk::assess;
use tollgate::risk::refusals;

fn facts() -> TerminalFacts {
    TerminalFacts {
        terminal: TerminalId::parse(b"10000001").unwrap(),
        merchant: MerchantId::parse(b"898110054110001").unwrap(),
        acquirer: Acquirer::parse(b"89811000").unwrap(),
        standing: Standing::Active,
        merchant_standing: Standing::Active,
        test_mode: false,
        currency: Currency::CNY,
        limits: Limits {
            least: Amount::new(100),
            most: Amount::new(100_000),
            daily_amount: Amount::new(500_000),
            daily_count: Some(20),
        },
        offset_minutes: 480,
        day: Arc::default(),
        master_key: None,
        sign_in_after: None,
        device: None,
        certificate: None,
        site: Site::default(),
    }
}

fn request(kind: Kind, minor: u64) -> Request {
    Request {
        kind,
        terminal: facts().terminal,
        merchant: facts().merchant,
        stan: Stan::FIRST,
        batch: None,
        processing_code: ProcessingCode::parse(b"000000").unwrap(),
        amount: Amount::new(minor).unwrap(),
        currency: Currency::CNY,
        pan: Pan::parse(b"6225000000000253").unwrap(),
        expiry: None,
        entry_mode: PosEntryMode::parse(b"051").unwrap(),
        card_sequence: None,
        condition_code: None,
        track2: None,
        pin_block: None,
        icc: None,
        acquirer: facts().acquirer,
        received: Timestamp(0),
    }
}

fn today() -> BusinessDate {
    BusinessDate::new(2026, 11, 21).unwrap()
}

fn refused(request: &Request, facts: &TerminalFacts) -> Option<(&'static str, &'static str)> {
    let refusal = assess(request, facts, today()).refusal?;
    let Cow::Borrowed(rule) = refusal.rule else { panic!("a rule's id is its own") };
    Some((refusal.code.code(), rule))
}

#[test]
fn a_sale_within_its_bounds_reserves_amount_and_count() {
    let assessment = assess(&request(Kind::Sale, 100_000), &facts(), today());
    assert_eq!(assessment.refusal, None);
    let [reservation] = assessment.reservations[..] else { panic!("one reservation") };
    assert_eq!(reservation.key.date, today());
    assert_eq!(reservation.amount, Amount::new(100_000).unwrap());
    assert_eq!(reservation.amount_limit, Amount::new(500_000));
    assert_eq!(reservation.count_limit, Some(20));
}

#[test]
fn amounts_are_bounded_on_both_sides() {
    assert_eq!(refused(&request(Kind::Sale, 99), &facts()), Some(("13", "amount-below-least")));
    assert_eq!(refused(&request(Kind::Sale, 100), &facts()), None);
    assert_eq!(refused(&request(Kind::Sale, 100_001), &facts()), Some(("61", "amount-above-most")));
    assert_eq!(refused(&request(Kind::Authorization, 100_001), &facts()), Some(("61", "amount-above-most")));
}

#[test]
fn nothing_may_be_sold_for_nothing() {
    let free = TerminalFacts { limits: Limits::default(), ..facts() };
    assert_eq!(refused(&request(Kind::Sale, 0), &free), Some(("13", "amount-zero")));
    assert_eq!(refused(&request(Kind::Balance, 0), &free), None);
}

#[test]
fn whatever_moves_money_moves_some() {
    for kind in Kind::ALL {
        let expected = kind.moves_money().then_some(("13", "amount-zero"));
        assert_eq!(refused(&request(kind, 0), &facts()), expected, "{}", kind.name());
    }
    let moves = [Kind::Refund, Kind::CompletionAdvice, Kind::SaleVoid, Kind::OfflineRefund, Kind::Adjustment];
    assert!(moves.into_iter().all(Kind::moves_money));
    assert!(![Kind::Verification, Kind::Balance, Kind::ScriptNotice].into_iter().any(Kind::moves_money));
}

#[test]
fn another_currency_is_an_invalid_amount() {
    let sale = Request { currency: Currency::parse(b"840").unwrap(), ..request(Kind::Sale, 500) };
    assert_eq!(refused(&sale, &facts()), Some(("13", "currency")));
}

#[test]
fn a_merchant_of_another_terminal_is_refused() {
    let sale = Request { merchant: MerchantId::parse(b"898110054110002").unwrap(), ..request(Kind::Sale, 500) };
    assert_eq!(refused(&sale, &facts()), Some(("03", "merchant-binding")));
    let inquiry = Request { merchant: sale.merchant, ..request(Kind::Balance, 0) };
    assert_eq!(refused(&inquiry, &facts()), Some(("03", "merchant-binding")));
}

#[test]
fn suspended_and_terminated_parties_do_not_trade() {
    for standing in [Standing::Suspended, Standing::Terminated] {
        let terminal = TerminalFacts { standing, ..facts() };
        assert_eq!(refused(&request(Kind::Sale, 500), &terminal), Some(("58", "terminal-standing")));
        assert_eq!(refused(&request(Kind::Balance, 0), &terminal), Some(("58", "terminal-standing")));
        let merchant = TerminalFacts { merchant_standing: standing, ..facts() };
        assert_eq!(refused(&request(Kind::Sale, 500), &merchant), Some(("58", "merchant-standing")));
    }
}

#[test]
fn what_is_added_to_a_hold_reserves_for_itself() {
    let assessment = assess(&request(Kind::Increment, 700), &facts(), today());
    let [reservation] = assessment.reservations[..] else { panic!("one reservation") };
    assert_eq!((reservation.amount, reservation.amount_limit), (Amount::new(700).unwrap(), Amount::new(500_000)));
}

#[test]
fn a_balance_inquiry_reserves_nothing() {
    assert!(assess(&request(Kind::Balance, 0), &facts(), today()).reservations.is_empty());
}

#[test]
fn risk_never_refuses_a_reversal_or_management() {
    let worst = TerminalFacts { standing: Standing::Terminated, merchant_standing: Standing::Terminated, ..facts() };
    for kind in [Kind::Reversal, Kind::SignIn, Kind::SignOff, Kind::Echo] {
        let assessment = assess(&request(kind, 0), &worst, today());
        assert!(assessment.refusal.is_none() && assessment.reservations.is_empty(), "{kind:?}");
    }
}

proptest! {
    /// Whatever is wrong at once, the answer is the first of all codes in precedence, and a refused
    /// request reserves nothing.
    #[test]
    fn the_first_code_in_precedence_wins(
        minor in prop_oneof![Just(0), 1..200u64, 99_900..100_100u64],
        other_merchant: bool, other_currency: bool, suspended: bool, merchant_suspended: bool,
    ) {
        let standing = |bad: bool| if bad { Standing::Suspended } else { Standing::Active };
        let facts = TerminalFacts {
            standing: standing(suspended), merchant_standing: standing(merchant_suspended), ..facts()
        };
        let mut sale = request(Kind::Sale, minor);
        if other_merchant { sale.merchant = MerchantId::parse(b"898110054110002").unwrap(); }
        if other_currency { sale.currency = Currency::parse(b"840").unwrap(); }
        let assessment = assess(&sale, &facts, today());
        let all: Vec<_> = refusals(&sale, &facts).collect();
        prop_assert_eq!(assessment.refusal.as_ref().map(|refusal| refusal.code), all.iter().map(|refusal| refusal.code).min());
        prop_assert_eq!(assessment.refusal.is_none(), !assessment.reservations.is_empty());
        let wrong = other_merchant || other_currency || suspended || merchant_suspended;
        prop_assert_eq!(assessment.refusal.is_some(), wrong || !(100..=100_000).contains(&minor));
    }
}
