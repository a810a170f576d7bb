//! Terminals' reversals, and answers that come late.

use super::*;

pub(in crate::ledger) async fn a_reversal_of_a_running_sale_wins_and_the_issuers_answer_is_late<L: Ledger>(ledger: L) {
    let original = fresh(&ledger, limited_sale(&ledger, 1, 1, AMOUNT_LIMIT)).await;
    let mut copy = pin!(ledger.decided(original.id));
    assert!(poll!(&mut copy).is_pending());
    let reversed = ledger.reverse(reversal(1, 2, 1, AMOUNT_LIMIT)).await.unwrap();
    assert!(matches!(reversed, Reversed::Accepted(told) if told.answer.code == ResponseCode::Approved));
    let heard = copy.await.unwrap();
    assert_eq!((heard.outcome, heard.answer.code), (TimedOut, ResponseCode::Timeout));
    let read = ledger.decide(original.id, decision(Approved, original.received)).await.unwrap();
    assert_eq!(told(&read), told(&heard));
    let record = found(&ledger, original.id);
    assert_eq!((record.effect, record.late), (Effect::Reversing, Some(Approved)));
    assert_eq!(owed(&ledger), 1);
    fresh(&ledger, limited_sale(&ledger, 1, 3, AMOUNT_LIMIT)).await;
}

pub(in crate::ledger) async fn a_reversal_of_a_running_inquiry_ends_it_and_owes_nothing<L: Ledger>(ledger: L) {
    let inquiry = fresh(&ledger, balance(&ledger, 1, 1)).await;
    let reversed = ledger.reverse(reversal(1, 2, 1, 0)).await.unwrap();
    assert!(matches!(reversed, Reversed::Accepted(_)));
    assert_eq!(ledger.decided(inquiry.id).await.unwrap().outcome, TimedOut);
    assert_eq!((found(&ledger, inquiry.id).effect, owed(&ledger)), (Effect::Live, 0));
}

pub(in crate::ledger) async fn a_reversal_of_an_approval_is_due_once_however_often_it_comes<L: Ledger>(ledger: L) {
    let original = ended(&ledger, sale(&ledger, 1, 1, 100), Approved).await;
    let Reversed::Accepted(first) = ledger.reverse(reversal(1, 2, 1, 100)).await.unwrap() else { panic!() };
    assert_ne!(first.rrn, original.rrn);
    let mut repeat = reversal(1, 2, 1, 100);
    repeat.received.0 += 60_000_000;
    let Reversed::Repeat(second) = ledger.reverse(repeat).await.unwrap() else { panic!() };
    assert_eq!(told(&first), told(&second));
    let other = ledger.reverse(reversal(1, 3, 1, 100)).await.unwrap();
    assert!(matches!(other, Reversed::Accepted(told) if told.rrn != first.rrn));
    let clock = StoppedClock::at(NOW);
    let due_once = due(&ledger, &clock).await.unwrap();
    assert_eq!(due_once.original.id, original.id);
    assert_eq!(due_once.approval.unwrap().as_str(), "A1B2C3");
    ledger.acknowledge(original.id, Owed::Reversal, Forwarded::Acknowledged).await.unwrap();
    ledger.reverse(reversal(1, 4, 1, 100)).await.unwrap();
    assert!(due(&ledger, &clock).await.is_none());
    let record = found(&ledger, original.id);
    assert_eq!((record.decided.unwrap().outcome, record.effect), (Approved, Effect::Reversed));
}

pub(in crate::ledger) async fn a_reversal_of_a_decline_is_accepted_and_owes_nothing<L: Ledger>(ledger: L) {
    let original = ended(&ledger, sale(&ledger, 1, 1, 100), Declined).await;
    let reversed = ledger.reverse(reversal(1, 2, 1, 100)).await.unwrap();
    assert!(matches!(reversed, Reversed::Accepted(_)));
    assert_eq!((found(&ledger, original.id).effect, owed(&ledger)), (Effect::Live, 0));
}

pub(in crate::ledger) async fn a_reversal_of_a_timeout_adds_nothing_to_the_reversal_that_is_owed<L: Ledger>(ledger: L) {
    ended(&ledger, sale(&ledger, 1, 1, 100), TimedOut).await;
    let reversed = ledger.reverse(reversal(1, 2, 1, 100)).await.unwrap();
    assert!(matches!(reversed, Reversed::Accepted(_)));
    assert_eq!(owed(&ledger), 1);
}

pub(in crate::ledger) async fn a_reversal_for_another_amount_leaves_no_trace<L: Ledger>(ledger: L) {
    let original = ended(&ledger, sale(&ledger, 1, 1, 100), Approved).await;
    let reversed = ledger.reverse(reversal(1, 2, 1, 99)).await.unwrap();
    assert!(matches!(reversed, Reversed::AmountDiffers));
    assert_eq!((found(&ledger, original.id).effect, owed(&ledger)), (Effect::Live, 0));
    let right = ledger.reverse(reversal(1, 2, 1, 100)).await.unwrap();
    assert!(matches!(right, Reversed::Accepted(_)));
}

pub(in crate::ledger) async fn a_reversal_may_name_the_part_that_was_approved<L: Ledger>(ledger: L) {
    let original = fresh(&ledger, sale(&ledger, 1, 1, 100)).await;
    let mut part = decision(Approved, original.received);
    part.answer.code = ResponseCode::ApprovedPartial;
    part.answer.amount = Amount::new(60);
    ledger.decide(original.id, part).await.unwrap();
    let reversed = ledger.reverse(reversal(1, 2, 1, 60)).await.unwrap();
    assert!(matches!(reversed, Reversed::Accepted(_)));
    assert_eq!(owed(&ledger), 1);
}

pub(in crate::ledger) async fn a_reversal_that_tells_the_class_means_only_that_class<L: Ledger>(ledger: L) {
    let original = ended(&ledger, sale(&ledger, 1, 1, 100), Approved).await;
    let mut of_class = reversal(1, 2, 1, 100);
    of_class.original.class = Some(MessageClass::Authorization);
    assert!(matches!(ledger.reverse(of_class.clone()).await.unwrap(), Reversed::Unknown(_)));
    assert_eq!(found(&ledger, original.id).effect, Effect::Live);
    of_class.original.class = Some(MessageClass::Financial);
    assert!(matches!(ledger.reverse(of_class).await.unwrap(), Reversed::Accepted(_)));
    assert_eq!(found(&ledger, original.id).effect, Effect::Reversing);
}

pub(in crate::ledger) async fn nobody_reverses_another_terminals_sale<L: Ledger>(ledger: L) {
    let original = ended(&ledger, sale(&ledger, 1, 1, 100), Approved).await;
    let mut foreign = reversal(2, 2, 1, 100);
    foreign.original.terminal = terminal(1);
    assert!(matches!(ledger.reverse(foreign).await.unwrap(), Reversed::Unknown(_)));
    assert_eq!(found(&ledger, original.id).effect, Effect::Live);
}

pub(in crate::ledger) async fn an_original_that_its_reversal_overtook_is_declined_and_recorded<L: Ledger>(ledger: L) {
    let Reversed::Unknown(first) = ledger.reverse(reversal(1, 2, 1, 100)).await.unwrap() else { panic!() };
    assert_eq!(first.answer.code, ResponseCode::Approved);
    let overtaken = limited_sale(&ledger, 1, 1, 100);
    assert_eq!(declined(&ledger, overtaken.clone()).await, ResponseCode::RelatedInvalid);
    assert_eq!(found(&ledger, overtaken.id).decided.unwrap().outcome, Declined);
    let again = ledger.intend(limited_sale(&ledger, 1, 1, 100)).await.unwrap();
    assert!(matches!(again, Intended::Duplicate(decided) if decided.rrn == overtaken.rrn));
    let Reversed::Repeat(second) = ledger.reverse(reversal(1, 2, 1, 100)).await.unwrap() else { panic!() };
    assert_eq!(told(&first), told(&second));
    assert_eq!(owed(&ledger), 0);
    fresh(&ledger, limited_sale(&ledger, 1, 3, AMOUNT_LIMIT)).await;
}

pub(in crate::ledger) async fn a_late_answer_is_noted_and_changes_nothing<L: Ledger>(ledger: L) {
    let intent = ended(&ledger, sale(&ledger, 1, 1, 100), TimedOut).await;
    let asked = intent.outbound.as_ref().unwrap().issuer.clone();
    let other = IssuerName::parse("nobody-asked").unwrap();
    assert_eq!(ledger.note_late(&other, intent.rrn, Approved).await.unwrap(), None);
    assert_eq!(found(&ledger, intent.id).late, None);
    assert_eq!(ledger.note_late(&asked, intent.rrn, Approved).await.unwrap(), Some(intent.id));
    assert_eq!(ledger.note_late(&asked, intent.rrn, Declined).await.unwrap(), Some(intent.id));
    let record = found(&ledger, intent.id);
    assert_eq!((record.late, record.effect), (Some(Approved), Effect::Reversing));
    assert_eq!(record.decided.unwrap().outcome, TimedOut);
    let (_, foreign) = ledger.number(day(21));
    assert_eq!(ledger.note_late(&asked, foreign, Approved).await.unwrap(), None);
}
