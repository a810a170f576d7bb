//! What store-and-forward owes issuers.

use super::*;

pub(in crate::ledger) async fn a_due_reversal_comes_back_until_it_is_acknowledged<L: Ledger>(ledger: L) {
    let intent = ended(&ledger, sale(&ledger, 1, 1, 100), TimedOut).await;
    let clock = StoppedClock::at(NOW);
    for attempts in 0..3 {
        let due_now = due(&ledger, &clock).await.unwrap();
        assert_eq!((due_now.original.id, due_now.attempts), (intent.id, attempts));
        assert!(due(&ledger, &clock).await.is_none(), "one in flight");
        assert!(ledger.sending(intent.id, Owed::Reversal, STAN).await.unwrap());
        ledger.acknowledge(intent.id, Owed::Reversal, Forwarded::Retry(NOW)).await.unwrap();
    }
    due(&ledger, &clock).await.unwrap();
    ledger.acknowledge(intent.id, Owed::Reversal, Forwarded::Acknowledged).await.unwrap();
    assert_eq!((found(&ledger, intent.id).effect, owed(&ledger)), (Effect::Reversed, 0));
    ledger.acknowledge(intent.id, Owed::Reversal, Forwarded::Retry(NOW)).await.unwrap();
    assert!(due(&ledger, &clock).await.is_none());
    assert!(!ledger.sending(intent.id, Owed::Reversal, STAN).await.unwrap(), "not owed any more");
}

pub(in crate::ledger) async fn what_must_come_true_is_approved_although_the_issuer_is_silent_and_repeated_until_it_has_it<
    L: Ledger,
>(
    ledger: L,
) {
    let paid = ended(&ledger, sale(&ledger, 1, 1, 100), Approved).await;
    let refund = fresh(&ledger, following(Kind::Refund, &paid, sale(&ledger, 1, 2, 40))).await;
    let told = ledger.decide(refund.id, decision(TimedOut, refund.received)).await.unwrap();
    assert_eq!((told.outcome, told.answer.code), (Approved, ResponseCode::Approved));
    let clock = StoppedClock::at(NOW);
    let message = due(&ledger, &clock).await.unwrap();
    assert_eq!((message.original.id, message.what), (refund.id, Owed::Advice));
    ledger.acknowledge(refund.id, Owed::Advice, Forwarded::Acknowledged).await.unwrap();
    assert_eq!((found(&ledger, refund.id).effect, owed(&ledger)), (Effect::Live, 0));
    assert_eq!(found(&ledger, paid.id).effect, Effect::Refunded(Amount::new(40).unwrap()));
}

pub(in crate::ledger) async fn an_approval_the_issuer_does_not_know_of_is_owed_to_it_and_its_reversal_takes_the_place<
    L: Ledger,
>(
    ledger: L,
) {
    let intent = fresh(&ledger, sale(&ledger, 1, 1, 100)).await;
    let stand_in = Decision { advise: true, ..decision(Approved, intent.received) };
    ledger.decide(intent.id, stand_in).await.unwrap();
    assert_eq!(found(&ledger, intent.id).effect, Effect::Advising);
    let clock = StoppedClock::at(NOW);
    assert_eq!(due(&ledger, &clock).await.unwrap().what, Owed::Advice);
    ledger.sending(intent.id, Owed::Advice, STAN).await.unwrap();
    ledger.reverse(reversal(1, 2, 1, 100)).await.unwrap();
    ledger.acknowledge(intent.id, Owed::Advice, Forwarded::Acknowledged).await.unwrap();
    let message = due(&ledger, &clock).await.unwrap();
    assert_eq!((message.what, message.attempts), (Owed::Reversal, 0), "the advice's answer does not end it");
}

pub(in crate::ledger) async fn a_refused_reversal_is_a_dead_letter_and_frees_its_terminal<L: Ledger>(ledger: L) {
    let first = ended(&ledger, sale(&ledger, 1, 1, 100), TimedOut).await;
    let second = ended(&ledger, sale(&ledger, 1, 2, 100), TimedOut).await;
    let clock = StoppedClock::at(NOW);
    assert_eq!(due(&ledger, &clock).await.unwrap().original.id, first.id);
    ledger.acknowledge(first.id, Owed::Reversal, Forwarded::Refused(ResponseCode::FormatError, day(21))).await.unwrap();
    assert_eq!(found(&ledger, first.id).effect, Effect::DeadLetter);
    assert_eq!(due(&ledger, &clock).await.unwrap().original.id, second.id);
}

pub(in crate::ledger) async fn a_sender_that_waits_is_woken_by_what_becomes_owed<L: Ledger>(ledger: L) {
    let clock = StoppedClock::at(NOW);
    let bank = issuer();
    let mut waiting = pin!(ledger.next_due(&bank, &clock));
    assert!(poll!(&mut waiting).is_pending());
    let intent = ended(&ledger, sale(&ledger, 1, 1, 100), TimedOut).await;
    assert_eq!(waiting.await.original.id, intent.id);
    let next = ended(&ledger, sale(&ledger, 1, 2, 100), TimedOut).await;
    let mut waiting = pin!(ledger.next_due(&bank, &clock));
    assert!(poll!(&mut waiting).is_pending(), "its terminal has one in flight");
    ledger.acknowledge(intent.id, Owed::Reversal, Forwarded::Acknowledged).await.unwrap();
    assert_eq!(waiting.await.original.id, next.id);
}

pub(in crate::ledger) async fn a_sender_that_waits_is_woken_by_the_time_of_a_retry<L: Ledger>(ledger: L) {
    let clock = StoppedClock::at(NOW);
    let bank = issuer();
    let intent = ended(&ledger, sale(&ledger, 1, 1, 100), TimedOut).await;
    due(&ledger, &clock).await.unwrap();
    ledger.acknowledge(intent.id, Owed::Reversal, Forwarded::Retry(LATER)).await.unwrap();
    let mut waiting = pin!(ledger.next_due(&bank, &clock));
    assert!(poll!(&mut waiting).is_pending());
    clock.move_to(LATER - Duration::from_millis(1));
    assert!(poll!(&mut waiting).is_pending());
    clock.move_to(LATER);
    assert_eq!(waiting.await.original.id, intent.id);
}

pub(in crate::ledger) async fn a_sender_that_stops_waiting_loses_nothing<L: Ledger>(ledger: L) {
    let clock = StoppedClock::at(NOW);
    let bank = issuer();
    {
        let mut given_up = pin!(ledger.next_due(&bank, &clock));
        assert!(poll!(&mut given_up).is_pending());
        ended(&ledger, sale(&ledger, 1, 1, 100), TimedOut).await;
    }
    assert!(due(&ledger, &clock).await.is_some());
}

pub(in crate::ledger) async fn two_senders_of_one_issuer_share_its_terminals<L: Ledger>(ledger: L) {
    let clock = StoppedClock::at(NOW);
    let bank = issuer();
    let (mut one, mut two) = (pin!(ledger.next_due(&bank, &clock)), pin!(ledger.next_due(&bank, &clock)));
    assert!(poll!(&mut one).is_pending() && poll!(&mut two).is_pending());
    let first = ended(&ledger, sale(&ledger, 1, 1, 100), TimedOut).await;
    let second = ended(&ledger, sale(&ledger, 2, 1, 100), TimedOut).await;
    assert_eq!(one.await.original.id, first.id);
    assert_eq!(two.await.original.id, second.id);
}

pub(in crate::ledger) async fn one_issuers_queue_holds_back_no_other<L: Ledger>(ledger: L) {
    let other = IssuerName::parse("bank-b").unwrap();
    ended(&ledger, sale(&ledger, 1, 1, 100), TimedOut).await;
    let mut elsewhere = sale(&ledger, 1, 2, 100);
    elsewhere.outbound.as_mut().unwrap().issuer = other.clone();
    let elsewhere = ended(&ledger, elsewhere, TimedOut).await;
    assert_eq!(ledger.owed(), [(issuer(), 1), (other.clone(), 1)]);
    let clock = StoppedClock::at(NOW);
    assert_eq!(ledger.next_due(&other, &clock).await.original.id, elsewhere.id);
}

pub(in crate::ledger) async fn a_rerouted_sale_is_reversed_where_it_went<L: Ledger>(ledger: L) {
    let other = IssuerName::parse("bank-b").unwrap();
    let intent = fresh(&ledger, sale(&ledger, 1, 1, 100)).await;
    let outbound = Outbound { issuer: other.clone(), ..intent.outbound.clone().unwrap() };
    assert!(ledger.reroute(intent.id, outbound).await.unwrap().is_none());
    ledger.decide(intent.id, decision(TimedOut, intent.received)).await.unwrap();
    assert_eq!(ledger.owed(), [(other, 1)]);
    let standing = ledger.reroute(intent.id, intent.outbound.unwrap()).await.unwrap();
    assert_eq!(standing.unwrap().outcome, TimedOut);
}
