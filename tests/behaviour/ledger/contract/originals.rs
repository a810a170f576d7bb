//! How follow-ups find what they follow, and how long they may.

use super::*;
use tollgate::ledger::Answer;
use tollgate::ledger::OriginalQuery;
use tollgate::model::ApprovalCode;
use tollgate::model::BusinessDate;
use tollgate::model::MerchantId;
use tollgate::model::PanToken;
use tollgate::model::Voucher;

/// A query of terminal 1 that brings nothing yet; its number would be that of `original`.
pub(in crate::ledger) fn query(kind: Kind, original: &Intent) -> OriginalQuery {
    OriginalQuery {
        kind,
        merchant: original.merchant,
        number: reversal(1, 99, original.identity.stan.value(), 0).original,
        numbered: false,
        rrn: None,
        approval: None,
        token: None,
        voucher: None,
        date: None,
    }
}

/// A hold with an approval code, and a payment by code with a voucher.
pub(in crate::ledger) async fn known<L: Ledger>(ledger: &L) -> (Intent, Intent) {
    let hold = fresh(ledger, Intent { kind: Kind::Authorization, ..sale(ledger, 1, 1, 1_000) }).await;
    let (approval, voucher) = (ApprovalCode::parse(b"HOLD01"), Voucher::parse(b"V0001"));
    let answer = Answer { approval, ..Answer::of(ResponseCode::Approved, hold.received) };
    ledger.decide(hold.id, Decision::of(Approved, answer)).await.unwrap();
    let paid = fresh(ledger, sale(ledger, 1, 2, 500)).await;
    let answer = Answer { voucher, ..Answer::of(ResponseCode::Approved, paid.received) };
    ledger.decide(paid.id, Decision::of(Approved, answer)).await.unwrap();
    (hold, paid)
}

/// Every key finds what it should, and nothing else.
pub(in crate::ledger) fn find_each<L: Ledger>(ledger: &L, hold: &Intent, paid: &Intent) {
    let found = |query: &OriginalQuery| ledger.find_original(query).unwrap().map(|record| record.intent.id);
    let completion = query(Kind::Completion, hold);
    assert_eq!(found(&completion), None, "nothing is named");
    let numbered = OriginalQuery { numbered: true, ..completion.clone() };
    assert_eq!(found(&numbered), Some(hold.id));
    let by_code = OriginalQuery {
        approval: ApprovalCode::parse(b"HOLD01"),
        token: Some(hold.token),
        date: Some(*b"1121"),
        ..completion.clone()
    };
    assert_eq!(found(&by_code), Some(hold.id));
    let other_card = OriginalQuery { token: Some(PanToken([8; 32])), ..numbered.clone() };
    let other_day = OriginalQuery { date: Some(*b"1120"), ..by_code.clone() };
    let other_code = OriginalQuery { approval: ApprovalCode::parse(b"HOLD02"), ..numbered.clone() };
    let other_shop = OriginalQuery { merchant: MerchantId::parse(b"898110054110002").unwrap(), ..by_code };
    for wrong in [other_card, other_day, other_code, other_shop] {
        assert_eq!(found(&wrong), None, "{wrong:?}");
    }
    let void = query(Kind::SaleVoid, paid);
    let by_voucher = OriginalQuery { voucher: Voucher::parse(b"V0001"), ..void.clone() };
    assert_eq!(found(&by_voucher), Some(paid.id));
    assert_eq!(found(&OriginalQuery { voucher: Voucher::parse(b"V0002"), ..void.clone() }), None);
    let refund = OriginalQuery { kind: Kind::Refund, rrn: Some(paid.rrn), ..void.clone() };
    assert_eq!(found(&refund), Some(paid.id));
    assert_eq!(found(&OriginalQuery { rrn: Some(hold.rrn), numbered: true, ..void }), None, "two name two");
}

pub(in crate::ledger) async fn a_follow_up_finds_its_original_by_each_of_its_keys_and_only_if_all_agree<L: Ledger>(
    ledger: L,
) {
    let (hold, paid) = known(&ledger).await;
    find_each(&ledger, &hold, &paid);
    let running = fresh(&ledger, sale(&ledger, 1, 3, 1)).await;
    let of_running = OriginalQuery { rrn: Some(running.rrn), ..query(Kind::Refund, &running) };
    assert!(ledger.find_original(&of_running).unwrap().is_none(), "what runs cannot be followed");
    let mut elsewhere = OriginalQuery { rrn: Some(paid.rrn), ..query(Kind::SaleVoid, &paid) };
    elsewhere.number.terminal = terminal(2);
    assert!(ledger.find_original(&elsewhere).unwrap().is_none(), "a void comes from the terminal that sold");
    elsewhere.kind = Kind::Refund;
    assert!(ledger.find_original(&elsewhere).unwrap().is_some(), "a refund from any of the merchant");
}

pub(in crate::ledger) async fn a_void_is_of_the_same_terminal_batch_and_day<L: Ledger>(ledger: L) {
    let paid = Intent { batch: BatchNumber::new(7), ..sale(&ledger, 1, 1, 100) };
    let paid = ended(&ledger, paid, Approved).await;
    let void = |stan| following(Kind::SaleVoid, &paid, sale(&ledger, 1, stan, 100));
    let later_batch = Intent { batch: BatchNumber::new(8), ..void(2) };
    assert_eq!(declined(&ledger, later_batch).await, ResponseCode::RelatedInvalid);
    let next_day = Intent { batch: paid.batch, date: day(22), ..void(3) };
    assert_eq!(declined(&ledger, next_day).await, ResponseCode::RelatedInvalid);
    ended(&ledger, Intent { batch: paid.batch, ..void(4) }, Approved).await;
}

pub(in crate::ledger) async fn what_comes_too_late_is_22<L: Ledger>(ledger: L) {
    let paid = ended(&ledger, sale(&ledger, 1, 1, 100), Approved).await;
    let hold = ended(&ledger, Intent { kind: Kind::Authorization, ..sale(&ledger, 1, 2, 100) }, Approved).await;
    let december = |day| BusinessDate::new(2026, 12, day).unwrap();
    let of =
        |kind, original: &Intent, stan, date| Intent { date, ..following(kind, original, sale(&ledger, 1, stan, 10)) };
    for (stan, kind, original) in [
        (3, Kind::Refund, &paid),
        (4, Kind::Completion, &hold),
        (5, Kind::CompletionAdvice, &hold),
        (6, Kind::Increment, &hold),
        (7, Kind::AuthorizationVoid, &hold),
    ] {
        let late = of(kind, original, stan, december(22));
        assert_eq!(declined(&ledger, late).await, ResponseCode::RelatedFailed, "{}", kind.name());
    }
    ended(&ledger, of(Kind::Refund, &paid, 8, december(21)), Approved).await;
    ended(&ledger, of(Kind::Completion, &hold, 9, december(21)), Approved).await;
}

pub(in crate::ledger) async fn what_is_repeated_after_silence_has_gone_once<L: Ledger>(ledger: L) {
    let paid = ended(&ledger, sale(&ledger, 1, 1, 100), Approved).await;
    let refund = fresh(&ledger, following(Kind::Refund, &paid, sale(&ledger, 1, 2, 60))).await;
    let decided = ledger.decide(refund.id, decision(TimedOut, refund.received)).await.unwrap();
    assert_eq!(decided.outcome, Approved, "it will come true");
    let message = due(&ledger, &StoppedClock::at(NOW)).await.unwrap();
    assert_eq!((message.what, message.attempts), (Owed::Advice, 1), "it goes as a repeat");
}
