//! Requests: duplicates, decisions, refusals, reservations.

use super::*;

pub(in crate::ledger) async fn reference_numbers_are_unique_within_a_date_and_carry_its_day<L: Ledger>(ledger: L) {
    let numbers: Vec<(TxnId, Rrn)> = (0..100).map(|_| ledger.number(day(21))).collect();
    let rrns: std::collections::HashSet<Rrn> = numbers.iter().map(|(_, rrn)| *rrn).collect();
    assert_eq!(rrns.len(), 100);
    assert!(numbers.windows(2).all(|pair| pair[0].0 < pair[1].0));
    assert!(numbers.iter().all(|(_, rrn)| rrn.as_str().starts_with("6325")), "2026, day 325");
}

pub(in crate::ledger) async fn a_repeat_gets_the_recorded_answer<L: Ledger>(ledger: L) {
    let first = ended(&ledger, sale(&ledger, 1, 1, 100), Approved).await;
    let mut again = sale(&ledger, 1, 1, 100);
    again.received.0 += 60_000_000;
    let Intended::Duplicate(decided) = ledger.intend(again).await.unwrap() else { panic!("not a duplicate") };
    assert_eq!(told(&decided), (Approved, decision(Approved, first.received).answer, first.rrn));
    assert_eq!(ledger.records().len(), 1);
}

pub(in crate::ledger) async fn a_repeat_of_a_decline_gets_the_decline_although_the_counter_has_room_again<L: Ledger>(
    ledger: L,
) {
    let big = ended(&ledger, limited_sale(&ledger, 1, 1, 900), Approved).await;
    assert_eq!(declined(&ledger, limited_sale(&ledger, 1, 2, 200)).await, ResponseCode::AmountLimit);
    ledger.reverse(reversal(1, 3, 1, big.amount.minor())).await.unwrap();
    let again = ledger.intend(limited_sale(&ledger, 1, 2, 200)).await.unwrap();
    assert!(matches!(again, Intended::Duplicate(decided) if decided.answer.code == ResponseCode::AmountLimit));
}

pub(in crate::ledger) async fn a_repeat_is_not_declined_by_its_own_reservation<L: Ledger>(ledger: L) {
    let first = ended(&ledger, limited_sale(&ledger, 1, 1, AMOUNT_LIMIT), Approved).await;
    let again = ledger.intend(limited_sale(&ledger, 1, 1, AMOUNT_LIMIT)).await.unwrap();
    assert!(matches!(again, Intended::Duplicate(decided) if decided.rrn == first.rrn));
}

pub(in crate::ledger) async fn the_same_identity_with_other_content_is_a_mismatch_and_leaves_no_trace<L: Ledger>(
    ledger: L,
) {
    let first = fresh(&ledger, limited_sale(&ledger, 1, 1, 100)).await;
    let told = ledger.intend(limited_sale(&ledger, 1, 1, 101)).await.unwrap();
    assert!(matches!(told, Intended::Mismatch));
    assert_eq!(ledger.records().len(), 1);
    assert_eq!(ledger.open_intents(), [first.id]);
    fresh(&ledger, limited_sale(&ledger, 1, 2, 900)).await;
}

pub(in crate::ledger) async fn terminal_scope_stan_and_class_tell_messages_apart<L: Ledger>(ledger: L) {
    fresh(&ledger, sale(&ledger, 1, 1, 100)).await;
    fresh(&ledger, sale(&ledger, 2, 1, 100)).await;
    fresh(&ledger, sale(&ledger, 1, 2, 100)).await;
    let mut next_batch = sale(&ledger, 1, 1, 100);
    next_batch.identity.scope.0[5] = b'2';
    fresh(&ledger, next_batch).await;
    let mut hold = Intent { kind: Kind::Authorization, ..sale(&ledger, 1, 1, 100) };
    hold.identity.class = MessageClass::Authorization;
    fresh(&ledger, hold).await;
}

pub(in crate::ledger) async fn copies_of_a_running_request_all_get_its_answer<L: Ledger>(ledger: L) {
    let first = fresh(&ledger, sale(&ledger, 1, 1, 100)).await;
    let told_running = ledger.intend(sale(&ledger, 1, 1, 100)).await.unwrap();
    assert!(matches!(told_running, Intended::Running(id) if id == first.id));
    let (mut one, mut two) = (pin!(ledger.decided(first.id)), pin!(ledger.decided(first.id)));
    assert!(poll!(&mut one).is_pending() && poll!(&mut two).is_pending());
    let winner = ledger.decide(first.id, decision(Approved, first.received)).await.unwrap();
    assert_eq!(told(&one.await.unwrap()), told(&winner));
    assert_eq!(told(&two.await.unwrap()), told(&winner));
    assert_eq!(told(&ledger.decided(first.id).await.unwrap()), told(&winner));
}

pub(in crate::ledger) async fn a_copy_that_gives_up_waiting_disturbs_nobody<L: Ledger>(ledger: L) {
    let first = fresh(&ledger, sale(&ledger, 1, 1, 100)).await;
    assert!(poll!(pin!(ledger.decided(first.id))).is_pending());
    let mut patient = pin!(ledger.decided(first.id));
    assert!(poll!(&mut patient).is_pending());
    ledger.decide(first.id, decision(Declined, first.received)).await.unwrap();
    assert_eq!(patient.await.unwrap().outcome, Declined);
}

pub(in crate::ledger) async fn a_decision_stands_and_its_loser_reads_the_winner<L: Ledger>(ledger: L) {
    let intent = ended(&ledger, sale(&ledger, 1, 1, 100), TimedOut).await;
    let read = ledger.decide(intent.id, decision(Approved, intent.received)).await.unwrap();
    assert_eq!(read.outcome, TimedOut);
    assert_eq!(read.answer.code, ResponseCode::Timeout);
    let record = found(&ledger, intent.id);
    assert_eq!((record.effect, record.late), (Effect::Reversing, Some(Approved)));
    assert_eq!(owed(&ledger), 1);
}

pub(in crate::ledger) async fn a_timeout_that_loses_to_an_approval_reverses_nothing<L: Ledger>(ledger: L) {
    let intent = ended(&ledger, sale(&ledger, 1, 1, 100), Approved).await;
    let read = ledger.decide(intent.id, decision(TimedOut, intent.received)).await.unwrap();
    assert_eq!(read.outcome, Approved);
    let record = found(&ledger, intent.id);
    assert_eq!((record.effect, record.late, owed(&ledger)), (Effect::Live, None, 0));
}

pub(in crate::ledger) async fn a_refusal_is_recorded_as_a_decline_and_reserves_nothing<L: Ledger>(ledger: L) {
    let mut refused = limited_sale(&ledger, 1, 1, 900);
    refused.refusal = Some(Refusal { code: ResponseCode::MerchantInvalid, rule: "merchant-binding".into() });
    refused.outbound = None;
    assert_eq!(declined(&ledger, refused.clone()).await, ResponseCode::MerchantInvalid);
    let record = found(&ledger, refused.id);
    assert_eq!(told(&record.decided.unwrap()).1.stamped, refused.received);
    assert!(ledger.open_intents().is_empty());
    fresh(&ledger, limited_sale(&ledger, 1, 2, AMOUNT_LIMIT)).await;
}

pub(in crate::ledger) async fn limits_decline_61_and_65_and_a_refusal_comes_first<L: Ledger>(ledger: L) {
    for stan in 1..=COUNT_LIMIT {
        fresh(&ledger, limited_sale(&ledger, 1, stan, 10)).await;
    }
    assert_eq!(declined(&ledger, limited_sale(&ledger, 1, 11, 10)).await, ResponseCode::CountLimit);
    assert_eq!(declined(&ledger, limited_sale(&ledger, 1, 12, 990)).await, ResponseCode::AmountLimit);
    let mut refused = limited_sale(&ledger, 1, 13, 990);
    refused.refusal = Some(Refusal { code: ResponseCode::AmountInvalid, rule: "currency".into() });
    assert_eq!(declined(&ledger, refused).await, ResponseCode::AmountInvalid);
    fresh(&ledger, limited_sale(&ledger, 2, 1, AMOUNT_LIMIT)).await;
}

pub(in crate::ledger) async fn reservations_come_back_with_a_decline_a_timeout_and_a_reversal_and_only_once<
    L: Ledger,
>(
    ledger: L,
) {
    for (stan, outcome) in [(1, Declined), (2, TimedOut), (3, Approved)] {
        ended(&ledger, limited_sale(&ledger, 1, stan, AMOUNT_LIMIT), outcome).await;
        for reversal_stan in [10, 20] {
            ledger.reverse(reversal(1, reversal_stan + stan, stan, AMOUNT_LIMIT)).await.unwrap();
        }
    }
    while let Some(due) = due(&ledger, &StoppedClock::at(NOW)).await {
        ledger.acknowledge(due.original.id, Owed::Reversal, Forwarded::Acknowledged).await.unwrap();
    }
    fresh(&ledger, limited_sale(&ledger, 1, 4, AMOUNT_LIMIT)).await;
    assert_eq!(declined(&ledger, limited_sale(&ledger, 1, 5, 1)).await, ResponseCode::AmountLimit);
}

pub(in crate::ledger) async fn a_reversal_after_midnight_gives_back_to_the_originals_date<L: Ledger>(ledger: L) {
    let dated = |stan: u32, date: i8| {
        let mut intent = sale(&ledger, 1, stan, AMOUNT_LIMIT);
        intent.date = day(date);
        intent.reservations.push(reservation(1, day(date), AMOUNT_LIMIT));
        intent
    };
    ended(&ledger, dated(1, 21), Approved).await;
    ended(&ledger, dated(2, 22), Approved).await;
    let mut after_midnight = reversal(1, 3, 1, AMOUNT_LIMIT);
    after_midnight.date = day(22);
    ledger.reverse(after_midnight).await.unwrap();
    assert_eq!(declined(&ledger, dated(4, 22)).await, ResponseCode::AmountLimit);
    fresh(&ledger, dated(5, 21)).await;
}

pub(in crate::ledger) async fn a_balance_inquiry_reserves_nothing_and_its_timeout_is_followed_by_nothing<L: Ledger>(
    ledger: L,
) {
    for stan in 1..=COUNT_LIMIT + 1 {
        let mut inquiry = balance(&ledger, 1, stan);
        inquiry.reservations.push(reservation(1, day(21), 0));
        let inquiry = ended(&ledger, inquiry, TimedOut).await;
        assert_eq!(found(&ledger, inquiry.id).effect, Effect::Live);
    }
    assert_eq!(owed(&ledger), 0);
    fresh(&ledger, limited_sale(&ledger, 1, 9, AMOUNT_LIMIT)).await;
}
