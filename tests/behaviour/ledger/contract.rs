//! What every ledger keeps. Each behaviour takes an empty ledger with room for [`CAPACITY`].

use super::shop::*;
use futures_util::poll;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tollgate::ledger::DataKeyName;
use tollgate::ledger::Decided;
use tollgate::ledger::Decision;
use tollgate::ledger::Due;
use tollgate::ledger::Effect;
use tollgate::ledger::Forwarded;
use tollgate::ledger::Intended;
use tollgate::ledger::Intent;
use tollgate::ledger::Ledger;
use tollgate::ledger::LedgerFault;
use tollgate::ledger::Outbound;
use tollgate::ledger::Outcome;
use tollgate::ledger::Outcome::*;
use tollgate::ledger::Owed;
use tollgate::ledger::Recorded;
use tollgate::ledger::Reversed;
use tollgate::ledger::TxnId;
use tollgate::model::Amount;
use tollgate::model::BatchNumber;
use tollgate::model::IssuerName;
use tollgate::model::KeyBlock;
use tollgate::model::Kind;
use tollgate::model::MessageClass;
use tollgate::model::ResponseCode;
use tollgate::model::Rrn;
use tollgate::model::SessionFacts;
use tollgate::model::Stan;
use tollgate::risk::Refusal;

pub(super) const CAPACITY: usize = 32;
const NOW: Duration = Duration::from_secs(100);
/// The trace number of a message owed.
const STAN: Stan = Stan::FIRST;
const LATER: Duration = Duration::from_secs(200);

/// Intends what must be fresh.
async fn fresh<L: Ledger>(ledger: &L, intent: Intent) -> Intent {
    let told = ledger.intend(intent.clone()).await.unwrap();
    assert!(matches!(told, Intended::Fresh), "{told:?}");
    intent
}

/// Intends what must be fresh, and decides it.
async fn ended<L: Ledger>(ledger: &L, intent: Intent, outcome: Outcome) -> Intent {
    let intent = fresh(ledger, intent).await;
    let decided = ledger.decide(intent.id, decision(outcome, intent.received)).await.unwrap();
    assert_eq!(decided.outcome, outcome);
    intent
}

/// Intends what must be declined at once, and says by what.
async fn declined<L: Ledger>(ledger: &L, intent: Intent) -> ResponseCode {
    match ledger.intend(intent).await.unwrap() {
        Intended::Declined(decided) => decided.answer.code,
        other => panic!("{other:?}"),
    }
}

/// What is due now, if anything is.
async fn due<L: Ledger>(ledger: &L, clock: &StoppedClock) -> Option<Due> {
    match poll!(pin!(ledger.next_due(&issuer(), clock))) {
        Poll::Ready(due) => Some(due),
        Poll::Pending => None,
    }
}

fn found<L: Ledger>(ledger: &L, id: TxnId) -> Recorded {
    ledger.find(id).unwrap()
}

fn owed<L: Ledger>(ledger: &L) -> usize {
    ledger.owed().iter().map(|(_, count)| count).sum()
}

/// All that a terminal sees of a decision.
fn told(decided: &Decided) -> (Outcome, tollgate::ledger::Answer, Rrn) {
    (decided.outcome, decided.answer.clone(), decided.rrn)
}

pub(super) async fn reference_numbers_are_unique_within_a_date_and_carry_its_day<L: Ledger>(ledger: L) {
    let numbers: Vec<(TxnId, Rrn)> = (0..100).map(|_| ledger.number(day(21))).collect();
    let rrns: std::collections::HashSet<Rrn> = numbers.iter().map(|(_, rrn)| *rrn).collect();
    assert_eq!(rrns.len(), 100);
    assert!(numbers.windows(2).all(|pair| pair[0].0 < pair[1].0));
    assert!(numbers.iter().all(|(_, rrn)| rrn.as_str().starts_with("6325")), "2026, day 325");
}

pub(super) async fn a_repeat_gets_the_recorded_answer<L: Ledger>(ledger: L) {
    let first = ended(&ledger, sale(&ledger, 1, 1, 100), Approved).await;
    let mut again = sale(&ledger, 1, 1, 100);
    again.received.0 += 60_000_000;
    let Intended::Duplicate(decided) = ledger.intend(again).await.unwrap() else { panic!("not a duplicate") };
    assert_eq!(told(&decided), (Approved, decision(Approved, first.received).answer, first.rrn));
    assert_eq!(ledger.records().len(), 1);
}

pub(super) async fn a_repeat_of_a_decline_gets_the_decline_although_the_counter_has_room_again<L: Ledger>(ledger: L) {
    let big = ended(&ledger, limited_sale(&ledger, 1, 1, 900), Approved).await;
    assert_eq!(declined(&ledger, limited_sale(&ledger, 1, 2, 200)).await, ResponseCode::AmountLimit);
    ledger.reverse(reversal(1, 3, 1, big.amount.minor())).await.unwrap();
    let again = ledger.intend(limited_sale(&ledger, 1, 2, 200)).await.unwrap();
    assert!(matches!(again, Intended::Duplicate(decided) if decided.answer.code == ResponseCode::AmountLimit));
}

pub(super) async fn a_repeat_is_not_declined_by_its_own_reservation<L: Ledger>(ledger: L) {
    let first = ended(&ledger, limited_sale(&ledger, 1, 1, AMOUNT_LIMIT), Approved).await;
    let again = ledger.intend(limited_sale(&ledger, 1, 1, AMOUNT_LIMIT)).await.unwrap();
    assert!(matches!(again, Intended::Duplicate(decided) if decided.rrn == first.rrn));
}

pub(super) async fn the_same_identity_with_other_content_is_a_mismatch_and_leaves_no_trace<L: Ledger>(ledger: L) {
    let first = fresh(&ledger, limited_sale(&ledger, 1, 1, 100)).await;
    let told = ledger.intend(limited_sale(&ledger, 1, 1, 101)).await.unwrap();
    assert!(matches!(told, Intended::Mismatch));
    assert_eq!(ledger.records().len(), 1);
    assert_eq!(ledger.open_intents(), [first.id]);
    fresh(&ledger, limited_sale(&ledger, 1, 2, 900)).await;
}

pub(super) async fn terminal_scope_stan_and_class_tell_messages_apart<L: Ledger>(ledger: L) {
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

pub(super) async fn copies_of_a_running_request_all_get_its_answer<L: Ledger>(ledger: L) {
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

pub(super) async fn a_copy_that_gives_up_waiting_disturbs_nobody<L: Ledger>(ledger: L) {
    let first = fresh(&ledger, sale(&ledger, 1, 1, 100)).await;
    assert!(poll!(pin!(ledger.decided(first.id))).is_pending());
    let mut patient = pin!(ledger.decided(first.id));
    assert!(poll!(&mut patient).is_pending());
    ledger.decide(first.id, decision(Declined, first.received)).await.unwrap();
    assert_eq!(patient.await.unwrap().outcome, Declined);
}

pub(super) async fn a_decision_stands_and_its_loser_reads_the_winner<L: Ledger>(ledger: L) {
    let intent = ended(&ledger, sale(&ledger, 1, 1, 100), TimedOut).await;
    let read = ledger.decide(intent.id, decision(Approved, intent.received)).await.unwrap();
    assert_eq!(read.outcome, TimedOut);
    assert_eq!(read.answer.code, ResponseCode::Timeout);
    let record = found(&ledger, intent.id);
    assert_eq!((record.effect, record.late), (Effect::Reversing, Some(Approved)));
    assert_eq!(owed(&ledger), 1);
}

pub(super) async fn a_timeout_that_loses_to_an_approval_reverses_nothing<L: Ledger>(ledger: L) {
    let intent = ended(&ledger, sale(&ledger, 1, 1, 100), Approved).await;
    let read = ledger.decide(intent.id, decision(TimedOut, intent.received)).await.unwrap();
    assert_eq!(read.outcome, Approved);
    let record = found(&ledger, intent.id);
    assert_eq!((record.effect, record.late, owed(&ledger)), (Effect::Live, None, 0));
}

pub(super) async fn a_refusal_is_recorded_as_a_decline_and_reserves_nothing<L: Ledger>(ledger: L) {
    let mut refused = limited_sale(&ledger, 1, 1, 900);
    refused.refusal = Some(Refusal { code: ResponseCode::MerchantInvalid, rule: "merchant-binding".into() });
    refused.outbound = None;
    assert_eq!(declined(&ledger, refused.clone()).await, ResponseCode::MerchantInvalid);
    let record = found(&ledger, refused.id);
    assert_eq!(told(&record.decided.unwrap()).1.stamped, refused.received);
    assert!(ledger.open_intents().is_empty());
    fresh(&ledger, limited_sale(&ledger, 1, 2, AMOUNT_LIMIT)).await;
}

pub(super) async fn limits_decline_61_and_65_and_a_refusal_comes_first<L: Ledger>(ledger: L) {
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

pub(super) async fn reservations_come_back_with_a_decline_a_timeout_and_a_reversal_and_only_once<L: Ledger>(ledger: L) {
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

pub(super) async fn a_reversal_after_midnight_gives_back_to_the_originals_date<L: Ledger>(ledger: L) {
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

pub(super) async fn a_balance_inquiry_reserves_nothing_and_its_timeout_is_followed_by_nothing<L: Ledger>(ledger: L) {
    for stan in 1..=COUNT_LIMIT + 1 {
        let mut inquiry = balance(&ledger, 1, stan);
        inquiry.reservations.push(reservation(1, day(21), 0));
        let inquiry = ended(&ledger, inquiry, TimedOut).await;
        assert_eq!(found(&ledger, inquiry.id).effect, Effect::Live);
    }
    assert_eq!(owed(&ledger), 0);
    fresh(&ledger, limited_sale(&ledger, 1, 9, AMOUNT_LIMIT)).await;
}

pub(super) async fn a_reversal_of_a_running_sale_wins_and_the_issuers_answer_is_late<L: Ledger>(ledger: L) {
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

pub(super) async fn a_reversal_of_a_running_inquiry_ends_it_and_owes_nothing<L: Ledger>(ledger: L) {
    let inquiry = fresh(&ledger, balance(&ledger, 1, 1)).await;
    let reversed = ledger.reverse(reversal(1, 2, 1, 0)).await.unwrap();
    assert!(matches!(reversed, Reversed::Accepted(_)));
    assert_eq!(ledger.decided(inquiry.id).await.unwrap().outcome, TimedOut);
    assert_eq!((found(&ledger, inquiry.id).effect, owed(&ledger)), (Effect::Live, 0));
}

pub(super) async fn a_reversal_of_an_approval_is_due_once_however_often_it_comes<L: Ledger>(ledger: L) {
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

pub(super) async fn a_reversal_of_a_decline_is_accepted_and_owes_nothing<L: Ledger>(ledger: L) {
    let original = ended(&ledger, sale(&ledger, 1, 1, 100), Declined).await;
    let reversed = ledger.reverse(reversal(1, 2, 1, 100)).await.unwrap();
    assert!(matches!(reversed, Reversed::Accepted(_)));
    assert_eq!((found(&ledger, original.id).effect, owed(&ledger)), (Effect::Live, 0));
}

pub(super) async fn a_reversal_of_a_timeout_adds_nothing_to_the_reversal_that_is_owed<L: Ledger>(ledger: L) {
    ended(&ledger, sale(&ledger, 1, 1, 100), TimedOut).await;
    let reversed = ledger.reverse(reversal(1, 2, 1, 100)).await.unwrap();
    assert!(matches!(reversed, Reversed::Accepted(_)));
    assert_eq!(owed(&ledger), 1);
}

pub(super) async fn a_reversal_for_another_amount_leaves_no_trace<L: Ledger>(ledger: L) {
    let original = ended(&ledger, sale(&ledger, 1, 1, 100), Approved).await;
    let reversed = ledger.reverse(reversal(1, 2, 1, 99)).await.unwrap();
    assert!(matches!(reversed, Reversed::AmountDiffers));
    assert_eq!((found(&ledger, original.id).effect, owed(&ledger)), (Effect::Live, 0));
    let right = ledger.reverse(reversal(1, 2, 1, 100)).await.unwrap();
    assert!(matches!(right, Reversed::Accepted(_)));
}

pub(super) async fn a_reversal_may_name_the_part_that_was_approved<L: Ledger>(ledger: L) {
    let original = fresh(&ledger, sale(&ledger, 1, 1, 100)).await;
    let mut part = decision(Approved, original.received);
    part.answer.code = ResponseCode::ApprovedPartial;
    part.answer.amount = Amount::new(60);
    ledger.decide(original.id, part).await.unwrap();
    let reversed = ledger.reverse(reversal(1, 2, 1, 60)).await.unwrap();
    assert!(matches!(reversed, Reversed::Accepted(_)));
    assert_eq!(owed(&ledger), 1);
}

pub(super) async fn a_reversal_that_tells_the_class_means_only_that_class<L: Ledger>(ledger: L) {
    let original = ended(&ledger, sale(&ledger, 1, 1, 100), Approved).await;
    let mut of_class = reversal(1, 2, 1, 100);
    of_class.original.class = Some(MessageClass::Authorization);
    assert!(matches!(ledger.reverse(of_class.clone()).await.unwrap(), Reversed::Unknown(_)));
    assert_eq!(found(&ledger, original.id).effect, Effect::Live);
    of_class.original.class = Some(MessageClass::Financial);
    assert!(matches!(ledger.reverse(of_class).await.unwrap(), Reversed::Accepted(_)));
    assert_eq!(found(&ledger, original.id).effect, Effect::Reversing);
}

pub(super) async fn nobody_reverses_another_terminals_sale<L: Ledger>(ledger: L) {
    let original = ended(&ledger, sale(&ledger, 1, 1, 100), Approved).await;
    let mut foreign = reversal(2, 2, 1, 100);
    foreign.original.terminal = terminal(1);
    assert!(matches!(ledger.reverse(foreign).await.unwrap(), Reversed::Unknown(_)));
    assert_eq!(found(&ledger, original.id).effect, Effect::Live);
}

pub(super) async fn an_original_that_its_reversal_overtook_is_declined_and_recorded<L: Ledger>(ledger: L) {
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

pub(super) async fn a_late_answer_is_noted_and_changes_nothing<L: Ledger>(ledger: L) {
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

pub(super) async fn a_due_reversal_comes_back_until_it_is_acknowledged<L: Ledger>(ledger: L) {
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

pub(super) async fn what_must_come_true_is_approved_although_the_issuer_is_silent_and_repeated_until_it_has_it<
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

pub(super) async fn an_approval_the_issuer_does_not_know_of_is_owed_to_it_and_its_reversal_takes_the_place<
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

pub(super) async fn a_sale_is_voided_once_and_gives_its_reservation_back<L: Ledger>(ledger: L) {
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

pub(super) async fn a_void_that_is_undone_leaves_the_sale_as_it_was<L: Ledger>(ledger: L) {
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

pub(super) async fn refunds_never_pass_what_was_paid<L: Ledger>(ledger: L) {
    let paid = ended(&ledger, sale(&ledger, 1, 1, 100), Approved).await;
    ended(&ledger, following(Kind::Refund, &paid, sale(&ledger, 1, 2, 60)), Approved).await;
    let over = following(Kind::Refund, &paid, sale(&ledger, 1, 3, 41));
    assert_eq!(declined(&ledger, over).await, ResponseCode::OriginalAmountWrong);
    ended(&ledger, following(Kind::Refund, &paid, sale(&ledger, 1, 4, 40)), Declined).await;
    ended(&ledger, following(Kind::Refund, &paid, sale(&ledger, 1, 5, 40)), Approved).await;
    assert_eq!(found(&ledger, paid.id).effect, Effect::Refunded(paid.amount));
}

pub(super) async fn a_hold_is_completed_once_within_the_ceiling_and_holds_again_when_that_is_voided<L: Ledger>(
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

pub(super) async fn what_follows_nothing_it_may_follow_is_declined_but_an_advice_never<L: Ledger>(ledger: L) {
    let paid = ended(&ledger, sale(&ledger, 1, 1, 100), Declined).await;
    let of_declined = following(Kind::Refund, &paid, sale(&ledger, 1, 2, 100));
    assert_eq!(declined(&ledger, of_declined).await, ResponseCode::RelatedInvalid);
    let of_nothing = Intent { kind: Kind::Refund, ..sale(&ledger, 1, 3, 100) };
    assert_eq!(declined(&ledger, of_nothing).await, ResponseCode::OriginalNotFound);
    let of_wrong_kind = following(Kind::CompletionVoid, &paid, sale(&ledger, 1, 4, 100));
    assert_eq!(declined(&ledger, of_wrong_kind).await, ResponseCode::RelatedInvalid);
    fresh(&ledger, Intent { kind: Kind::CompletionAdvice, ..sale(&ledger, 1, 5, 100) }).await;
}

pub(super) async fn a_closed_day_leaves_the_book_but_for_what_is_open_or_owed<L: Ledger>(ledger: L) {
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

pub(super) async fn the_first_data_key_of_a_name_stands<L: Ledger>(ledger: L) {
    let name = DataKeyName::Seal(day(21));
    let (one, two) = (KeyBlock::new("D0ONE"), KeyBlock::new("D0TWO"));
    assert_eq!(ledger.keep_data_key(name, one.clone()).await.unwrap(), one);
    assert_eq!(ledger.keep_data_key(name, two).await.unwrap(), one);
    assert_eq!(ledger.data_keys(), [(name, one)]);
}

pub(super) async fn the_last_trace_number_towards_an_issuer_is_on_record<L: Ledger>(ledger: L) {
    assert_eq!(ledger.last_stan(&issuer()), None);
    ended(&ledger, sale(&ledger, 1, 7, 100), TimedOut).await;
    assert_eq!(ledger.last_stan(&issuer()), Stan::new(7));
    let message = due(&ledger, &StoppedClock::at(NOW)).await.unwrap();
    ledger.sending(message.original.id, message.what, STAN).await.unwrap();
    assert_eq!(ledger.last_stan(&issuer()), Some(STAN));
    ledger.keep_stan(&issuer(), Stan::FIRST).await.unwrap();
    assert_eq!(ledger.last_stan(&issuer()), Some(Stan::FIRST));
}

pub(super) async fn a_refused_reversal_is_a_dead_letter_and_frees_its_terminal<L: Ledger>(ledger: L) {
    let first = ended(&ledger, sale(&ledger, 1, 1, 100), TimedOut).await;
    let second = ended(&ledger, sale(&ledger, 1, 2, 100), TimedOut).await;
    let clock = StoppedClock::at(NOW);
    assert_eq!(due(&ledger, &clock).await.unwrap().original.id, first.id);
    ledger.acknowledge(first.id, Owed::Reversal, Forwarded::Refused(ResponseCode::FormatError)).await.unwrap();
    assert_eq!(found(&ledger, first.id).effect, Effect::DeadLetter);
    assert_eq!(due(&ledger, &clock).await.unwrap().original.id, second.id);
}

pub(super) async fn a_sender_that_waits_is_woken_by_what_becomes_owed<L: Ledger>(ledger: L) {
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

pub(super) async fn a_sender_that_waits_is_woken_by_the_time_of_a_retry<L: Ledger>(ledger: L) {
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

pub(super) async fn a_sender_that_stops_waiting_loses_nothing<L: Ledger>(ledger: L) {
    let clock = StoppedClock::at(NOW);
    let bank = issuer();
    {
        let mut given_up = pin!(ledger.next_due(&bank, &clock));
        assert!(poll!(&mut given_up).is_pending());
        ended(&ledger, sale(&ledger, 1, 1, 100), TimedOut).await;
    }
    assert!(due(&ledger, &clock).await.is_some());
}

pub(super) async fn two_senders_of_one_issuer_share_its_terminals<L: Ledger>(ledger: L) {
    let clock = StoppedClock::at(NOW);
    let bank = issuer();
    let (mut one, mut two) = (pin!(ledger.next_due(&bank, &clock)), pin!(ledger.next_due(&bank, &clock)));
    assert!(poll!(&mut one).is_pending() && poll!(&mut two).is_pending());
    let first = ended(&ledger, sale(&ledger, 1, 1, 100), TimedOut).await;
    let second = ended(&ledger, sale(&ledger, 2, 1, 100), TimedOut).await;
    assert_eq!(one.await.original.id, first.id);
    assert_eq!(two.await.original.id, second.id);
}

pub(super) async fn one_issuers_queue_holds_back_no_other<L: Ledger>(ledger: L) {
    let other = IssuerName::parse("bank-b").unwrap();
    ended(&ledger, sale(&ledger, 1, 1, 100), TimedOut).await;
    let mut elsewhere = sale(&ledger, 1, 2, 100);
    elsewhere.outbound.as_mut().unwrap().issuer = other.clone();
    let elsewhere = ended(&ledger, elsewhere, TimedOut).await;
    assert_eq!(ledger.owed(), [(issuer(), 1), (other.clone(), 1)]);
    let clock = StoppedClock::at(NOW);
    assert_eq!(ledger.next_due(&other, &clock).await.original.id, elsewhere.id);
}

pub(super) async fn a_rerouted_sale_is_reversed_where_it_went<L: Ledger>(ledger: L) {
    let other = IssuerName::parse("bank-b").unwrap();
    let intent = fresh(&ledger, sale(&ledger, 1, 1, 100)).await;
    let outbound = Outbound { issuer: other.clone(), ..intent.outbound.clone().unwrap() };
    assert!(ledger.reroute(intent.id, outbound).await.unwrap().is_none());
    ledger.decide(intent.id, decision(TimedOut, intent.received)).await.unwrap();
    assert_eq!(ledger.owed(), [(other, 1)]);
    let standing = ledger.reroute(intent.id, intent.outbound.unwrap()).await.unwrap();
    assert_eq!(standing.unwrap().outcome, TimedOut);
}

pub(super) async fn a_full_ledger_takes_no_intent_and_still_answers_undoes_and_decides<L: Ledger>(ledger: L) {
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

pub(super) async fn what_is_open_is_known_for_recovery<L: Ledger>(ledger: L) {
    let open = fresh(&ledger, sale(&ledger, 1, 1, 100)).await;
    ended(&ledger, sale(&ledger, 1, 2, 100), Approved).await;
    assert_eq!(ledger.open_intents(), [open.id]);
}

pub(super) async fn unknown_numbers_are_told_so<L: Ledger>(ledger: L) {
    let (id, _) = ledger.number(day(21));
    let timed_out = decision(TimedOut, sale(&ledger, 1, 1, 1).received);
    assert!(matches!(ledger.decide(id, timed_out).await, Err(LedgerFault::Unknown)));
    assert!(matches!(ledger.decided(id).await, Err(LedgerFault::Unknown)));
    assert!(matches!(ledger.acknowledge(id, Owed::Reversal, Forwarded::Acknowledged).await, Err(LedgerFault::Unknown)));
    assert!(ledger.find(id).is_none());
}

pub(super) async fn session_facts_are_kept_per_terminal<L: Ledger>(ledger: L) {
    assert_eq!(ledger.terminal(terminal(1)), None);
    let facts = SessionFacts { signed_in: true, batch: BatchNumber::new(7).unwrap(), ..SessionFacts::default() };
    ledger.note_terminal(terminal(1), facts.clone()).await.unwrap();
    assert_eq!(ledger.terminal(terminal(1)), Some(facts));
    assert_eq!(ledger.terminal(terminal(2)), None);
}

pub(super) async fn older_session_facts_that_come_later_change_nothing<L: Ledger>(ledger: L) {
    let facts = |version, signed_in| SessionFacts { version, signed_in, ..SessionFacts::default() };
    ledger.note_terminal(terminal(1), facts(2, true)).await.unwrap();
    ledger.note_terminal(terminal(1), facts(1, false)).await.unwrap();
    assert_eq!(ledger.terminal(terminal(1)), Some(facts(2, true)));
    ledger.note_terminal(terminal(1), facts(3, false)).await.unwrap();
    assert_eq!(ledger.terminal(terminal(1)), Some(facts(3, false)));
}

/// One test a behaviour, for the ledger that `$make` makes of a capacity.
macro_rules! keeps_the_contract {
    ($name:ident, $make:expr) => {
        $crate::ledger::contract::keeps_the_contract! { $name, $make;
            reference_numbers_are_unique_within_a_date_and_carry_its_day
            a_repeat_gets_the_recorded_answer
            a_repeat_of_a_decline_gets_the_decline_although_the_counter_has_room_again
            a_repeat_is_not_declined_by_its_own_reservation
            the_same_identity_with_other_content_is_a_mismatch_and_leaves_no_trace
            terminal_scope_stan_and_class_tell_messages_apart
            copies_of_a_running_request_all_get_its_answer
            a_copy_that_gives_up_waiting_disturbs_nobody
            a_decision_stands_and_its_loser_reads_the_winner
            a_timeout_that_loses_to_an_approval_reverses_nothing
            a_refusal_is_recorded_as_a_decline_and_reserves_nothing
            limits_decline_61_and_65_and_a_refusal_comes_first
            reservations_come_back_with_a_decline_a_timeout_and_a_reversal_and_only_once
            a_reversal_after_midnight_gives_back_to_the_originals_date
            a_balance_inquiry_reserves_nothing_and_its_timeout_is_followed_by_nothing
            a_reversal_of_a_running_sale_wins_and_the_issuers_answer_is_late
            a_reversal_of_a_running_inquiry_ends_it_and_owes_nothing
            a_reversal_of_an_approval_is_due_once_however_often_it_comes
            a_reversal_of_a_decline_is_accepted_and_owes_nothing
            a_reversal_of_a_timeout_adds_nothing_to_the_reversal_that_is_owed
            a_reversal_for_another_amount_leaves_no_trace
            a_reversal_may_name_the_part_that_was_approved
            a_reversal_that_tells_the_class_means_only_that_class
            nobody_reverses_another_terminals_sale
            an_original_that_its_reversal_overtook_is_declined_and_recorded
            a_late_answer_is_noted_and_changes_nothing
            a_due_reversal_comes_back_until_it_is_acknowledged
            what_must_come_true_is_approved_although_the_issuer_is_silent_and_repeated_until_it_has_it
            an_approval_the_issuer_does_not_know_of_is_owed_to_it_and_its_reversal_takes_the_place
            a_sale_is_voided_once_and_gives_its_reservation_back
            a_void_that_is_undone_leaves_the_sale_as_it_was
            refunds_never_pass_what_was_paid
            a_hold_is_completed_once_within_the_ceiling_and_holds_again_when_that_is_voided
            what_follows_nothing_it_may_follow_is_declined_but_an_advice_never
            a_closed_day_leaves_the_book_but_for_what_is_open_or_owed
            the_first_data_key_of_a_name_stands
            the_last_trace_number_towards_an_issuer_is_on_record
            a_refused_reversal_is_a_dead_letter_and_frees_its_terminal
            a_sender_that_waits_is_woken_by_what_becomes_owed
            a_sender_that_waits_is_woken_by_the_time_of_a_retry
            a_sender_that_stops_waiting_loses_nothing
            two_senders_of_one_issuer_share_its_terminals
            one_issuers_queue_holds_back_no_other
            a_rerouted_sale_is_reversed_where_it_went
            a_full_ledger_takes_no_intent_and_still_answers_undoes_and_decides
            what_is_open_is_known_for_recovery
            unknown_numbers_are_told_so
            session_facts_are_kept_per_terminal
            older_session_facts_that_come_later_change_nothing
        }
    };
    ($name:ident, $make:expr; $($behaviour:ident)+) => {
        mod $name {
            use super::*;
            $(
                #[test]
                fn $behaviour() {
                    run(contract::$behaviour($make(contract::CAPACITY)));
                }
            )+
        }
    };
}
pub(super) use keeps_the_contract;
