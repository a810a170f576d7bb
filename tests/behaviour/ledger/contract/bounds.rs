//! Follow-ups that do not fit what they name, what binds, and what is not undone twice.

use super::*;
use tollgate::ledger::Answer;
use tollgate::model::Currency;

fn whole(minor: u64) -> Amount {
    Amount::new(minor).unwrap()
}

/// Intends an adjustment that does not fit, decides it as advices are, and says why it does not.
async fn adrift<L: Ledger>(ledger: &L, intent: Intent) -> ResponseCode {
    let advice = Decision { advise: true, ..decision(Approved, intent.received) };
    let id = intent.id;
    let Intended::Adrift(why, _) = ledger.intend(intent).await.unwrap() else { panic!("it fits") };
    let decided = ledger.decide(id, advice).await.unwrap();
    assert_eq!(decided.outcome, Approved, "an advice tells what has been done");
    let kept = found(ledger, id).intent;
    assert!(kept.follows.is_none() && kept.outbound.is_none(), "it follows nothing, and nobody is told");
    why
}

async fn hold<L: Ledger>(ledger: &L, stan: u32, minor: u64) -> Intent {
    ended(ledger, Intent { kind: Kind::Authorization, ..sale(ledger, 1, stan, minor) }, Approved).await
}

pub(in crate::ledger) async fn an_adjustment_that_does_not_fit_is_kept_and_changes_nothing<L: Ledger>(ledger: L) {
    let of = |original: &Intent, stan, minor| following(Kind::Adjustment, original, sale(&ledger, 1, stan, minor));
    let held = hold(&ledger, 1, 100).await;
    assert_eq!(adrift(&ledger, of(&held, 2, 9_000)).await, ResponseCode::RelatedInvalid, "a hold has no tip");
    let over = following(Kind::Completion, &held, sale(&ledger, 1, 3, 116));
    assert_eq!(declined(&ledger, over).await, ResponseCode::OriginalAmountWrong);
    let paid = ended(&ledger, sale(&ledger, 1, 4, 100), Approved).await;
    let foreign = Intent { currency: Currency::parse(b"840").unwrap(), ..of(&paid, 5, 9_000) };
    assert_eq!(adrift(&ledger, foreign).await, ResponseCode::RelatedInvalid);
    ended(&ledger, following(Kind::Refund, &paid, sale(&ledger, 1, 6, 60)), Approved).await;
    assert_eq!(adrift(&ledger, of(&paid, 7, 59)).await, ResponseCode::OriginalAmountWrong, "more was given back");
    let refused = ended(&ledger, sale(&ledger, 1, 8, 100), Declined).await;
    assert_eq!(adrift(&ledger, of(&refused, 9, 9_000)).await, ResponseCode::RelatedInvalid);
    let voided = ended(&ledger, sale(&ledger, 1, 10, 100), Approved).await;
    ended(&ledger, following(Kind::SaleVoid, &voided, sale(&ledger, 1, 11, 100)), Approved).await;
    assert_eq!(adrift(&ledger, of(&voided, 12, 9_000)).await, ResponseCode::RelatedInvalid);
    let nothing = Intent { kind: Kind::Adjustment, ..sale(&ledger, 1, 13, 100) };
    assert_eq!(adrift(&ledger, nothing).await, ResponseCode::OriginalNotFound);
    for original in [&held, &paid, &refused, &voided] {
        assert_eq!(found(&ledger, original.id).adjusted, None);
    }
    assert_eq!(owed(&ledger), 0);
}

pub(in crate::ledger) async fn an_adjustment_is_told_after_the_reversal_of_a_void<L: Ledger>(ledger: L) {
    let paid = ended(&ledger, sale(&ledger, 1, 1, 100), Approved).await;
    ended(&ledger, following(Kind::SaleVoid, &paid, sale(&ledger, 1, 2, 100)), TimedOut).await;
    ended(&ledger, following(Kind::Adjustment, &paid, sale(&ledger, 1, 3, 110)), Approved).await;
    assert_eq!(found(&ledger, paid.id).adjusted, Some(whole(110)));
}

pub(in crate::ledger) async fn an_adjustment_that_its_issuer_refused_lifts_no_refund<L: Ledger>(ledger: L) {
    let paid = ended(&ledger, sale(&ledger, 1, 1, 100), Approved).await;
    let tip = fresh(&ledger, following(Kind::Adjustment, &paid, sale(&ledger, 1, 2, 150))).await;
    ledger.decide(tip.id, Decision { advise: true, ..decision(Approved, tip.received) }).await.unwrap();
    due(&ledger, &StoppedClock::at(NOW)).await.unwrap();
    ledger.acknowledge(tip.id, Owed::Advice, Forwarded::Refused(ResponseCode::RelatedInvalid, day(21))).await.unwrap();
    let over = following(Kind::Refund, &paid, sale(&ledger, 1, 3, 101));
    assert_eq!(declined(&ledger, over).await, ResponseCode::OriginalAmountWrong);
    ended(&ledger, following(Kind::Refund, &paid, sale(&ledger, 1, 4, 100)), Approved).await;
}

/// What timed out, and its issuer will not undo.
async fn irreversible<L: Ledger>(ledger: &L, intent: Intent) {
    let intent = ended(ledger, intent, TimedOut).await;
    assert_eq!(due(ledger, &StoppedClock::at(NOW)).await.unwrap().original.id, intent.id);
    let refused = Forwarded::Refused(ResponseCode::FormatError, day(21));
    ledger.acknowledge(intent.id, Owed::Reversal, refused).await.unwrap();
    assert_eq!(found(ledger, intent.id).effect, Effect::DeadLetter);
}

pub(in crate::ledger) async fn what_its_issuer_will_not_undo_still_binds<L: Ledger>(ledger: L) {
    let paid = ended(&ledger, sale(&ledger, 1, 1, 100), Approved).await;
    irreversible(&ledger, following(Kind::SaleVoid, &paid, sale(&ledger, 1, 2, 100))).await;
    for (stan, kind) in [(3, Kind::SaleVoid), (4, Kind::Refund)] {
        let again = following(kind, &paid, sale(&ledger, 1, stan, 100));
        assert_eq!(declined(&ledger, again).await, ResponseCode::RelatedInvalid, "the issuer may hold the void");
    }
    for (stan, kind) in [(10, Kind::Completion), (20, Kind::Increment)] {
        let held = hold(&ledger, stan, 100).await;
        irreversible(&ledger, following(kind, &held, sale(&ledger, 1, stan + 1, 50))).await;
        for (stan, kind) in [(stan + 2, Kind::AuthorizationVoid), (stan + 3, Kind::Completion)] {
            let again = following(kind, &held, sale(&ledger, 1, stan, 100));
            assert_eq!(declined(&ledger, again).await, ResponseCode::RelatedInvalid);
        }
    }
}

pub(in crate::ledger) async fn what_takes_back_a_tip_waits_until_its_issuer_has_heard_of_it<L: Ledger>(ledger: L) {
    let paid = ended(&ledger, sale(&ledger, 1, 1, 100), Approved).await;
    let tip = fresh(&ledger, following(Kind::Adjustment, &paid, sale(&ledger, 1, 2, 150))).await;
    ledger.decide(tip.id, Decision { advise: true, ..decision(Approved, tip.received) }).await.unwrap();
    let void = following(Kind::SaleVoid, &paid, sale(&ledger, 1, 3, 150));
    let refund = following(Kind::Refund, &paid, sale(&ledger, 1, 4, 20));
    for asked in [&void, &refund] {
        let told = ledger.intend(asked.clone()).await.unwrap();
        assert!(matches!(told, Intended::Untold(untold) if untold == tip.id), "{told:?}");
        assert!(ledger.find(asked.id).is_none(), "nothing is on record");
    }
    let small = following(Kind::SaleVoid, &paid, sale(&ledger, 1, 5, 100));
    assert_eq!(declined(&ledger, small).await, ResponseCode::OriginalAmountWrong, "what cannot be is said at once");
    let offline = following(Kind::OfflineRefund, &paid, sale(&ledger, 1, 6, 10));
    assert!(
        matches!(ledger.intend(offline.clone()).await.unwrap(), Intended::Fresh),
        "an advice goes behind the tip's"
    );
    ledger.decide(offline.id, decision(Declined, offline.received)).await.unwrap();
    let mut told = pin!(ledger.told(tip.id));
    assert!(poll!(&mut told).is_pending());
    due(&ledger, &StoppedClock::at(NOW)).await.unwrap();
    ledger.acknowledge(tip.id, Owed::Advice, Forwarded::Retry(LATER)).await.unwrap();
    assert!(poll!(&mut told).is_pending());
    due(&ledger, &StoppedClock::at(LATER)).await.unwrap();
    ledger.acknowledge(tip.id, Owed::Advice, Forwarded::Acknowledged).await.unwrap();
    assert!(poll!(&mut told).is_ready());
    assert!(poll!(pin!(ledger.told(tip.id))).is_ready(), "nor does anybody wait for it afterwards");
    ended(&ledger, void, Approved).await;
}

pub(in crate::ledger) async fn what_follows_an_advice_waits_until_its_issuer_has_heard_of_that<L: Ledger>(ledger: L) {
    let offline = Intent { kind: Kind::OfflineSale, ..sale(&ledger, 1, 1, 100) };
    let offline = fresh(&ledger, offline).await;
    ledger.decide(offline.id, Decision { advise: true, ..decision(Approved, offline.received) }).await.unwrap();
    for (kind, stan) in [(Kind::SaleVoid, 2), (Kind::Refund, 3)] {
        let told = ledger.intend(following(kind, &offline, sale(&ledger, 1, stan, 100))).await.unwrap();
        assert!(matches!(told, Intended::Untold(untold) if untold == offline.id), "{told:?}");
    }
    due(&ledger, &StoppedClock::at(NOW)).await.unwrap();
    ledger.acknowledge(offline.id, Owed::Advice, Forwarded::Acknowledged).await.unwrap();
    fresh(&ledger, following(Kind::SaleVoid, &offline, sale(&ledger, 1, 4, 100))).await;
}

pub(in crate::ledger) async fn a_tip_goes_behind_one_that_is_under_way_and_has_a_ceiling<L: Ledger>(ledger: L) {
    let paid = ended(&ledger, sale(&ledger, 1, 1, 100), Approved).await;
    let first = fresh(&ledger, following(Kind::Adjustment, &paid, sale(&ledger, 1, 2, 110))).await;
    let second = following(Kind::Adjustment, &paid, sale(&ledger, 1, 3, 120));
    let told = ledger.intend(second.clone()).await.unwrap();
    assert!(matches!(told, Intended::Untold(untold) if untold == first.id), "{told:?}");
    ledger.decide(first.id, Decision { advise: true, ..decision(Approved, first.received) }).await.unwrap();
    assert!(
        matches!(ledger.intend(second).await.unwrap(), Intended::Fresh),
        "its place in the queue is behind the first's"
    );
    let most = following(Kind::Adjustment, &paid, sale(&ledger, 1, 4, 151));
    let told = ledger.intend(most).await.unwrap();
    assert!(matches!(told, Intended::Adrift(ResponseCode::OriginalAmountWrong, _)), "{told:?}");
}

/// An approval of a part.
fn part(minor: u64, received: Timestamp) -> Decision {
    let answer = Answer { amount: Some(whole(minor)), ..Answer::of(ResponseCode::ApprovedPartial, received) };
    Decision::of(Approved, answer)
}

pub(in crate::ledger) async fn a_hold_grows_by_the_part_of_an_increment_that_was_approved<L: Ledger>(ledger: L) {
    let held = hold(&ledger, 1, 1_000).await;
    let more = fresh(&ledger, following(Kind::Increment, &held, sale(&ledger, 1, 2, 500))).await;
    ledger.decide(more.id, part(200, more.received)).await.unwrap();
    let over = following(Kind::Completion, &held, sale(&ledger, 1, 3, 1_381));
    assert_eq!(declined(&ledger, over).await, ResponseCode::OriginalAmountWrong);
    let void = following(Kind::AuthorizationVoid, &held, sale(&ledger, 1, 4, 1_500));
    assert_eq!(declined(&ledger, void).await, ResponseCode::OriginalAmountWrong);
    ended(&ledger, following(Kind::Completion, &held, sale(&ledger, 1, 5, 1_380)), Approved).await;
}

/// A terminal's reversal that undoes nothing, and by what.
async fn moot<L: Ledger>(ledger: &L, stan: u32, original: &Intent) -> Followed {
    let (before, owed_before) = (found(ledger, original.id).effect, owed(ledger));
    let wish = reversal(1, stan, original.identity.stan.value(), original.amount.minor());
    let told = ledger.reverse(wish.clone()).await.unwrap();
    let Reversed::Moot(decided, followed) = told else { panic!("{told:?}") };
    assert_eq!((decided.outcome, decided.answer.code), (Approved, ResponseCode::Approved), "it is told 00");
    assert!(matches!(ledger.reverse(wish).await.unwrap(), Reversed::Repeat(_)), "and is on record");
    assert_eq!((found(ledger, original.id).effect, owed(ledger)), (before, owed_before), "and nothing is undone");
    followed
}

pub(in crate::ledger) async fn what_was_voided_refunded_or_completed_is_not_undone_a_second_time<L: Ledger>(ledger: L) {
    let voided = ended(&ledger, limited_sale(&ledger, 1, 1, 100), Approved).await;
    let void = ended(&ledger, following(Kind::SaleVoid, &voided, sale(&ledger, 1, 2, 100)), Approved).await;
    assert_eq!(moot(&ledger, 3, &voided).await, Followed::Voided);
    ledger.reverse(reversal(1, 4, void.identity.stan.value(), 100)).await.unwrap();
    assert_eq!(found(&ledger, voided.id).effect, Effect::Live, "the void itself can be undone");
    let refunded = ended(&ledger, sale(&ledger, 1, 5, 100), Approved).await;
    let refund = fresh(&ledger, following(Kind::Refund, &refunded, sale(&ledger, 1, 6, 60))).await;
    let early = ledger.reverse(reversal(1, 7, 5, 100)).await.unwrap();
    assert!(matches!(early, Reversed::NotYet), "it may be given back any moment, or not: {early:?}");
    ledger.decide(refund.id, decision(Approved, refund.received)).await.unwrap();
    assert_eq!(moot(&ledger, 8, &refunded).await, Followed::Refunded);
    let held = hold(&ledger, 10, 100).await;
    let taken = ended(&ledger, following(Kind::Completion, &held, sale(&ledger, 1, 11, 90)), Approved).await;
    assert_eq!(moot(&ledger, 12, &held).await, Followed::Completed);
    ended(&ledger, following(Kind::CompletionVoid, &taken, sale(&ledger, 1, 13, 90)), Approved).await;
    assert_eq!(moot(&ledger, 14, &taken).await, Followed::Voided);
    ledger.reverse(reversal(1, 15, 10, 100)).await.unwrap();
    assert_eq!(found(&ledger, held.id).effect, Effect::Reversing, "what holds again can be undone");
}

pub(in crate::ledger) async fn a_follow_up_that_came_to_nothing_keeps_no_reversal_from_undoing<L: Ledger>(ledger: L) {
    let paid = ended(&ledger, sale(&ledger, 1, 1, 100), Approved).await;
    let refund = fresh(&ledger, following(Kind::Refund, &paid, sale(&ledger, 1, 2, 60))).await;
    assert!(matches!(ledger.reverse(reversal(1, 3, 1, 100)).await.unwrap(), Reversed::NotYet));
    ledger.decide(refund.id, decision(Declined, refund.received)).await.unwrap();
    assert!(matches!(ledger.reverse(reversal(1, 3, 1, 100)).await.unwrap(), Reversed::Accepted(_)));
    assert_eq!(found(&ledger, paid.id).effect, Effect::Reversing);
    let sold = ended(&ledger, sale(&ledger, 1, 4, 100), Approved).await;
    let void = fresh(&ledger, following(Kind::SaleVoid, &sold, sale(&ledger, 1, 5, 100))).await;
    assert!(matches!(ledger.reverse(reversal(1, 6, 4, 100)).await.unwrap(), Reversed::NotYet), "of a void too");
    ledger.decide(void.id, decision(Declined, void.received)).await.unwrap();
    assert!(matches!(ledger.reverse(reversal(1, 6, 4, 100)).await.unwrap(), Reversed::Accepted(_)));
}

pub(in crate::ledger) async fn what_others_rely_on_is_not_undone<L: Ledger>(ledger: L) {
    let held = hold(&ledger, 1, 100).await;
    let more = ended(&ledger, following(Kind::Increment, &held, sale(&ledger, 1, 2, 100)), Approved).await;
    let taken = ended(&ledger, following(Kind::Completion, &held, sale(&ledger, 1, 3, 200)), Approved).await;
    assert_eq!(moot(&ledger, 4, &more).await, Followed::Completed, "less would be held than was taken");
    let undo = ended(&ledger, following(Kind::CompletionVoid, &taken, sale(&ledger, 1, 5, 200)), Approved).await;
    ended(&ledger, following(Kind::Completion, &held, sale(&ledger, 1, 6, 200)), Approved).await;
    assert_eq!(moot(&ledger, 7, &undo).await, Followed::Completed, "two completions would stand");
    let paid = ended(&ledger, sale(&ledger, 1, 10, 100), Approved).await;
    let tip = ended(&ledger, following(Kind::Adjustment, &paid, sale(&ledger, 1, 11, 150)), Approved).await;
    let other = ended(&ledger, following(Kind::Adjustment, &paid, sale(&ledger, 1, 12, 140)), Approved).await;
    assert_eq!(moot(&ledger, 13, &tip).await, Followed::Adjusted);
    ended(&ledger, following(Kind::Refund, &paid, sale(&ledger, 1, 14, 140)), Approved).await;
    assert_eq!(moot(&ledger, 15, &other).await, Followed::Refunded, "more would be given back than was taken");
}

pub(in crate::ledger) async fn a_hold_is_neither_voided_nor_completed_while_more_is_asked_for<L: Ledger>(ledger: L) {
    let held = hold(&ledger, 1, 100).await;
    let more = fresh(&ledger, following(Kind::Increment, &held, sale(&ledger, 1, 2, 50))).await;
    let void = |stan, minor| following(Kind::AuthorizationVoid, &held, sale(&ledger, 1, stan, minor));
    let completion = |stan| following(Kind::Completion, &held, sale(&ledger, 1, stan, 100));
    assert_eq!(declined(&ledger, void(3, 100)).await, ResponseCode::RelatedInvalid, "it runs");
    assert_eq!(declined(&ledger, completion(4)).await, ResponseCode::RelatedInvalid, "it runs");
    ledger.decide(more.id, decision(TimedOut, more.received)).await.unwrap();
    assert_eq!(declined(&ledger, void(5, 100)).await, ResponseCode::RelatedInvalid, "it is being undone");
    due(&ledger, &StoppedClock::at(NOW)).await.unwrap();
    ledger.acknowledge(more.id, Owed::Reversal, Forwarded::Acknowledged).await.unwrap();
    ended(&ledger, following(Kind::Increment, &held, sale(&ledger, 1, 6, 30)), Approved).await;
    ended(&ledger, void(7, 130), Approved).await;
}

pub(in crate::ledger) async fn an_increment_reserves_for_itself_and_gives_back_with_its_hold<L: Ledger>(ledger: L) {
    let (half, rest) = (AMOUNT_LIMIT / 2, AMOUNT_LIMIT - AMOUNT_LIMIT / 2);
    let raised = async |stan| {
        let held = Intent { kind: Kind::Authorization, ..limited_sale(&ledger, 1, stan, half) };
        let held = ended(&ledger, held, Approved).await;
        let more = following(Kind::Increment, &held, limited_sale(&ledger, 1, stan + 1, rest));
        (held, ended(&ledger, more, Approved).await)
    };
    let full = async |stan| {
        assert_eq!(declined(&ledger, limited_sale(&ledger, 1, stan, 1)).await, ResponseCode::AmountLimit);
    };
    let (held, _) = raised(1).await;
    full(3).await;
    let over = following(Kind::Increment, &held, limited_sale(&ledger, 1, 4, 1));
    assert_eq!(declined(&ledger, over).await, ResponseCode::AmountLimit);
    let void = following(Kind::AuthorizationVoid, &held, sale(&ledger, 1, 5, AMOUNT_LIMIT));
    let void = ended(&ledger, void, Approved).await;
    let other = ended(&ledger, limited_sale(&ledger, 1, 6, AMOUNT_LIMIT), Approved).await;
    ledger.reverse(reversal(1, 7, other.identity.stan.value(), AMOUNT_LIMIT)).await.unwrap();
    ledger.reverse(reversal(1, 8, void.identity.stan.value(), AMOUNT_LIMIT)).await.unwrap();
    full(9).await;
    let held_stan = held.identity.stan.value();
    ledger.reverse(reversal(1, 10, held_stan, half)).await.unwrap();
    let (_, more) = raised(11).await;
    full(13).await;
    ledger.reverse(reversal(1, 14, more.identity.stan.value(), rest)).await.unwrap();
    ended(&ledger, limited_sale(&ledger, 1, 15, rest), Approved).await;
    full(16).await;
}
