//! Follow-ups, closed days, and what else a ledger remembers.

use super::*;

pub(in crate::ledger) async fn a_sale_is_voided_once_and_gives_its_reservation_back<L: Ledger>(ledger: L) {
    let paid = ended(&ledger, limited_sale(&ledger, 1, 1, AMOUNT_LIMIT), Approved).await;
    let amount = paid.amount.minor();
    let wrong = following(Kind::SaleVoid, &paid, sale(&ledger, 1, 2, amount - 1));
    assert_eq!(declined(&ledger, wrong).await, ResponseCode::OriginalAmountWrong);
    let void = fresh(&ledger, following(Kind::SaleVoid, &paid, sale(&ledger, 1, 3, amount))).await;
    let second = following(Kind::SaleVoid, &paid, sale(&ledger, 1, 4, amount));
    assert_eq!(declined(&ledger, second).await, ResponseCode::RelatedInvalid, "the first one runs");
    assert_eq!(declined(&ledger, limited_sale(&ledger, 1, 5, 1)).await, ResponseCode::AmountLimit);
    ledger.decide(void.id, decision(Approved, void.received)).await.unwrap();
    assert_eq!(found(&ledger, paid.id).effect, Effect::Voided);
    ended(&ledger, limited_sale(&ledger, 1, 6, AMOUNT_LIMIT), Approved).await;
    let late = following(Kind::Refund, &paid, sale(&ledger, 1, 7, 1));
    assert_eq!(declined(&ledger, late).await, ResponseCode::RelatedInvalid);
}

pub(in crate::ledger) async fn a_void_that_is_undone_leaves_the_sale_as_it_was<L: Ledger>(ledger: L) {
    let paid = ended(&ledger, limited_sale(&ledger, 1, 1, 900), Approved).await;
    let void = ended(&ledger, following(Kind::SaleVoid, &paid, sale(&ledger, 1, 2, 900)), TimedOut).await;
    assert_eq!(found(&ledger, paid.id).effect, Effect::Live);
    let again = following(Kind::SaleVoid, &paid, sale(&ledger, 1, 3, 900));
    assert_eq!(declined(&ledger, again).await, ResponseCode::RelatedInvalid, "the issuer may hold the first void");
    due(&ledger, &StoppedClock::at(NOW)).await.unwrap();
    ledger.acknowledge(void.id, Owed::Reversal, Forwarded::Acknowledged).await.unwrap();
    ended(&ledger, following(Kind::SaleVoid, &paid, sale(&ledger, 1, 4, 900)), Approved).await;
    ledger.reverse(reversal(1, 5, 4, 900)).await.unwrap();
    assert_eq!(found(&ledger, paid.id).effect, Effect::Live);
    assert_eq!(declined(&ledger, limited_sale(&ledger, 1, 6, 200)).await, ResponseCode::AmountLimit);
}

pub(in crate::ledger) async fn refunds_never_pass_what_was_paid<L: Ledger>(ledger: L) {
    let paid = ended(&ledger, sale(&ledger, 1, 1, 100), Approved).await;
    ended(&ledger, following(Kind::Refund, &paid, sale(&ledger, 1, 2, 60)), Approved).await;
    let over = following(Kind::Refund, &paid, sale(&ledger, 1, 3, 41));
    assert_eq!(declined(&ledger, over).await, ResponseCode::OriginalAmountWrong);
    ended(&ledger, following(Kind::Refund, &paid, sale(&ledger, 1, 4, 40)), Declined).await;
    ended(&ledger, following(Kind::Refund, &paid, sale(&ledger, 1, 5, 40)), Approved).await;
    assert_eq!(found(&ledger, paid.id).effect, Effect::Refunded(paid.amount));
}

pub(in crate::ledger) async fn a_hold_is_completed_once_within_the_ceiling_and_holds_again_when_that_is_voided<
    L: Ledger,
>(
    ledger: L,
) {
    let hold = Intent { kind: Kind::Authorization, ..sale(&ledger, 1, 1, 1_000) };
    let hold = ended(&ledger, hold, Approved).await;
    let over = following(Kind::Completion, &hold, sale(&ledger, 1, 2, 1_151));
    assert_eq!(declined(&ledger, over).await, ResponseCode::OriginalAmountWrong);
    let taken = ended(&ledger, following(Kind::Completion, &hold, sale(&ledger, 1, 3, 1_150)), Approved).await;
    assert_eq!(found(&ledger, hold.id).effect, Effect::Completed);
    let twice = following(Kind::Completion, &hold, sale(&ledger, 1, 4, 1));
    assert_eq!(declined(&ledger, twice).await, ResponseCode::RelatedInvalid);
    ended(&ledger, following(Kind::CompletionVoid, &taken, sale(&ledger, 1, 5, 1_150)), Approved).await;
    assert_eq!((found(&ledger, taken.id).effect, found(&ledger, hold.id).effect), (Effect::Voided, Effect::Live));
    ended(&ledger, following(Kind::Completion, &hold, sale(&ledger, 1, 6, 900)), Approved).await;
}

pub(in crate::ledger) async fn what_follows_nothing_it_may_follow_is_declined_but_an_advice_never<L: Ledger>(
    ledger: L,
) {
    let paid = ended(&ledger, sale(&ledger, 1, 1, 100), Declined).await;
    let of_declined = following(Kind::Refund, &paid, sale(&ledger, 1, 2, 100));
    assert_eq!(declined(&ledger, of_declined).await, ResponseCode::RelatedInvalid);
    let of_nothing = Intent { kind: Kind::Refund, ..sale(&ledger, 1, 3, 100) };
    assert_eq!(declined(&ledger, of_nothing).await, ResponseCode::OriginalNotFound);
    let of_wrong_kind = following(Kind::CompletionVoid, &paid, sale(&ledger, 1, 4, 100));
    assert_eq!(declined(&ledger, of_wrong_kind).await, ResponseCode::RelatedInvalid);
    let completed = Intent { kind: Kind::CompletionAdvice, ..sale(&ledger, 1, 5, 100) };
    assert_eq!(declined(&ledger, completed).await, ResponseCode::OriginalNotFound, "it would take money");
    let told = ledger.intend(Intent { kind: Kind::Adjustment, ..sale(&ledger, 1, 6, 100) }).await.unwrap();
    assert!(matches!(told, Intended::Adrift(ResponseCode::OriginalNotFound, _)), "{told:?}");
}

pub(in crate::ledger) async fn a_closed_day_leaves_the_book_but_for_what_is_open_or_owed<L: Ledger>(ledger: L) {
    let paid = ended(&ledger, limited_sale(&ledger, 1, 1, 100), Approved).await;
    let open = fresh(&ledger, sale(&ledger, 1, 2, 100)).await;
    let undone = ended(&ledger, sale(&ledger, 1, 3, 100), TimedOut).await;
    ledger.close_day(paid.date).await.unwrap();
    let left: Vec<TxnId> = ledger.records().iter().map(|record| record.intent.id).collect();
    assert_eq!(left, [open.id, undone.id]);
    due(&ledger, &StoppedClock::at(NOW)).await.unwrap();
    ledger.acknowledge(undone.id, Owed::Reversal, Forwarded::Acknowledged).await.unwrap();
    ledger.decide(open.id, decision(Approved, open.received)).await.unwrap();
    ledger.close_day(paid.date).await.unwrap();
    assert!(ledger.records().is_empty());
}

pub(in crate::ledger) async fn the_first_data_key_of_a_name_stands<L: Ledger>(ledger: L) {
    let name = DataKeyName::Seal(day(21));
    let (one, two) = (KeyBlock::new("D0ONE"), KeyBlock::new("D0TWO"));
    assert_eq!(ledger.keep_data_key(name, one.clone()).await.unwrap(), one);
    assert_eq!(ledger.keep_data_key(name, two).await.unwrap(), one);
    assert_eq!(ledger.data_keys(), [(name, one)]);
}

pub(in crate::ledger) async fn the_last_trace_number_towards_an_issuer_is_on_record<L: Ledger>(ledger: L) {
    assert_eq!(ledger.last_stan(&issuer()), None);
    ended(&ledger, sale(&ledger, 1, 7, 100), TimedOut).await;
    assert_eq!(ledger.last_stan(&issuer()), Stan::new(7));
    let message = due(&ledger, &StoppedClock::at(NOW)).await.unwrap();
    ledger.sending(message.original.id, message.what, STAN).await.unwrap();
    assert_eq!(ledger.last_stan(&issuer()), Some(STAN));
    ledger.keep_stan(&issuer(), Stan::FIRST).await.unwrap();
    assert_eq!(ledger.last_stan(&issuer()), Some(Stan::FIRST));
}

pub(in crate::ledger) async fn a_full_ledger_takes_no_intent_and_still_answers_undoes_and_decides<L: Ledger>(
    ledger: L,
) {
    for stan in 1..=u32::try_from(CAPACITY).unwrap() {
        fresh(&ledger, sale(&ledger, 1, stan, 100)).await;
    }
    let one_more = ledger.intend(sale(&ledger, 1, 99, 100)).await;
    assert!(matches!(one_more, Err(LedgerFault::Full)));
    assert_eq!(ledger.records().len(), CAPACITY);
    assert!(matches!(ledger.intend(sale(&ledger, 1, 1, 100)).await.unwrap(), Intended::Running(_)));
    assert!(matches!(ledger.reverse(reversal(1, 100, 1, 100)).await.unwrap(), Reversed::Accepted(_)));
    let last = ledger.records().pop().unwrap().intent;
    assert_eq!(ledger.decide(last.id, decision(Approved, last.received)).await.unwrap().outcome, Approved);
}

pub(in crate::ledger) async fn what_is_open_is_known_for_recovery<L: Ledger>(ledger: L) {
    let open = fresh(&ledger, sale(&ledger, 1, 1, 100)).await;
    ended(&ledger, sale(&ledger, 1, 2, 100), Approved).await;
    assert_eq!(ledger.open_intents(), [open.id]);
}

pub(in crate::ledger) async fn unknown_numbers_are_told_so<L: Ledger>(ledger: L) {
    let (id, _) = ledger.number(day(21));
    let timed_out = decision(TimedOut, sale(&ledger, 1, 1, 1).received);
    assert!(matches!(ledger.decide(id, timed_out).await, Err(LedgerFault::Unknown)));
    assert!(matches!(ledger.decided(id).await, Err(LedgerFault::Unknown)));
    assert!(matches!(ledger.acknowledge(id, Owed::Reversal, Forwarded::Acknowledged).await, Err(LedgerFault::Unknown)));
    assert!(ledger.find(id).is_none());
}

pub(in crate::ledger) async fn session_facts_are_kept_per_terminal<L: Ledger>(ledger: L) {
    assert_eq!(ledger.terminal(terminal(1)), None);
    let facts = SessionFacts { signed_in: true, batch: BatchNumber::new(7).unwrap(), ..SessionFacts::default() };
    ledger.note_terminal(terminal(1), facts.clone()).await.unwrap();
    assert_eq!(ledger.terminal(terminal(1)), Some(facts));
    assert_eq!(ledger.terminal(terminal(2)), None);
}

pub(in crate::ledger) async fn facts_go_with_the_intent_or_alone<L: Ledger>(ledger: L) {
    let mark = |count: u8| {
        let mut ksn = *b"\xFF\xFF\x98\x76\x54\x32\x10\xE0\x00\x00";
        ksn[9] = count;
        Some(SerialMark { ksn: Ksn::new(&ksn).unwrap(), content: [count; 32] })
    };
    let facts = |version, count| SessionFacts { version, serial: mark(count), ..SessionFacts::default() };
    let serial = || ledger.terminal(terminal(1)).and_then(|facts| facts.serial);
    let intent = sale(&ledger, 1, 1, 100);
    let told = ledger.intend(Asked { noting: Some(facts(1, 1)), ..intent.clone().into() }).await.unwrap();
    assert!(matches!(told, Intended::Fresh) && serial() == mark(1));
    ledger.decide(intent.id, decision(Approved, intent.received)).await.unwrap();
    let again = Intent { id: ledger.number(day(21)).0, ..intent.clone() };
    let told = ledger.intend(Asked { noting: Some(facts(2, 2)), ..again.into() }).await.unwrap();
    assert!(matches!(told, Intended::Duplicate(_)) && serial() == mark(2), "the facts are kept with no intent");
    let other = sale(&ledger, 1, 2, 100);
    let told = ledger.intend(Asked { noting: Some(facts(1, 1)), ..other.into() }).await.unwrap();
    assert!(matches!(told, Intended::Fresh) && serial() == mark(2), "older facts change nothing");
}

pub(in crate::ledger) async fn older_session_facts_that_come_later_change_nothing<L: Ledger>(ledger: L) {
    let facts = |version, signed_in| SessionFacts { version, signed_in, ..SessionFacts::default() };
    ledger.note_terminal(terminal(1), facts(2, true)).await.unwrap();
    ledger.note_terminal(terminal(1), facts(1, false)).await.unwrap();
    assert_eq!(ledger.terminal(terminal(1)), Some(facts(2, true)));
    ledger.note_terminal(terminal(1), facts(3, false)).await.unwrap();
    assert_eq!(ledger.terminal(terminal(1)), Some(facts(3, false)));
}
