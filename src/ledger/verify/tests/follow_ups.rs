//! Follow-ups that a careless ledger would have let in, and what it would have undone twice.

use super::*;
use crate::ledger::followers::Followers;
use crate::ledger::history::Reader;
use crate::ledger::record::Standing;
use crate::ledger::verify::fold::Verifier;

fn hold() -> Vec<Record> {
    vec![intended(Intent { kind: Kind::Authorization, ..limited(1, 100) }), approved(1)]
}

fn paid() -> Vec<Record> {
    vec![intended(sale(1, 100)), approved(1)]
}

fn refused(id: u64) -> Vec<Record> {
    let irreversible = State::Irreversible(Undone::Silence);
    vec![timed_out(id), sent(id), Record::Refused(TxnId(id), ResponseCode::FormatError, irreversible, None)]
}

#[test]
fn i9_an_adjustment_that_does_not_fit_follows_nothing_and_goes_nowhere() {
    let tip = |intent: Intent| vec![hold(), vec![intended(intent)]];
    finds(I9, "cannot be followed", 2, 2, tip(follow_up(2, Kind::Adjustment, 900, 1)));
    finds(I9, "follows nothing", 2, 2, tip(Intent { follows: None, ..follow_up(2, Kind::Adjustment, 900, 1) }));
    let adrift = Intent { follows: None, outbound: None, ..follow_up(2, Kind::Adjustment, 900, 1) };
    assert!(report(tip(adrift)).violations.is_empty());
    let refund = vec![intended(follow_up(2, Kind::Refund, 60, 1)), approved(2)];
    let below = vec![intended(follow_up(3, Kind::Adjustment, 59, 1))];
    finds(I9, "beyond the amount", 3, 3, vec![paid(), refund, below]);
}

#[test]
fn i9_what_its_issuer_will_not_undo_or_is_still_asked_binds() {
    let void = |id| intended(follow_up(id, Kind::SaleVoid, 100, 1));
    let again = vec![paid(), vec![void(2)], refused(2), vec![void(3)]];
    finds(I9, "voided, completed or refunded", 4, 3, again);
    let more = vec![intended(follow_up(2, Kind::Increment, 50, 1))];
    let taken = vec![intended(follow_up(3, Kind::Completion, 100, 1))];
    finds(I9, "voided, completed or refunded", 3, 3, vec![hold(), more, taken]);
}

#[test]
fn i9_a_part_counts_as_a_part_and_nobody_voids_by_halves() {
    let part = |id: u64, minor: u64| {
        let answer = Answer { amount: Some(amount(minor)), ..answer(ResponseCode::ApprovedPartial) };
        let to = State::Stands(Outcome::Approved);
        Record::Decided(TxnId(id), Decision::of(Outcome::Approved, answer), to)
    };
    let void = vec![intended(follow_up(2, Kind::SaleVoid, 100, 1)), part(2, 50)];
    finds(I9, "done whole", 2, 2, vec![paid(), void]);
    let more = vec![intended(follow_up(2, Kind::Increment, 100, 1)), part(2, 50)];
    let all = vec![intended(follow_up(3, Kind::AuthorizationVoid, 200, 1))];
    finds(I9, "beyond the amount", 3, 3, vec![hold(), more, all]);
}

#[test]
fn i9_what_was_given_back_is_not_undone_too() {
    let undo = |id, undoes| vec![moved(undoes, State::Reversing(Undone::Approval)), reversal(id, undoes, true, 100)];
    let refund = || vec![intended(follow_up(2, Kind::Refund, 60, 1)), approved(2)];
    finds(I9, "undone although", 3, 1, vec![paid(), refund(), undo(3, 1)]);
    let kept = vec![paid(), refund(), vec![reversal(3, 1, true, 100)]];
    assert!(report(kept).violations.is_empty(), "kept, and nothing undone");
    let taken = vec![intended(follow_up(2, Kind::Completion, 100, 1)), approved(2)];
    finds(I9, "undone although", 3, 1, vec![hold(), taken, undo(3, 1)]);
}

/// Whether a reversal undoes is not known then: it is asked again, and nothing is on record of it.
#[test]
fn i4_a_reversal_waits_for_what_was_begun_since() {
    let runs = || vec![intended(follow_up(2, Kind::Refund, 60, 1))];
    let undone = || vec![intended(follow_up(2, Kind::Refund, 60, 1)), approved(2), moved(2, REVERSING)];
    for since in [runs(), undone()] {
        finds(I4, "leaves its original", 3, 3, vec![paid(), since, vec![reversal(3, 1, true, 100)]]);
    }
    let taken = vec![intended(follow_up(2, Kind::Increment, 100, 1)), approved(2)];
    let completed = vec![intended(follow_up(3, Kind::Completion, 200, 1))];
    finds(I4, "leaves its original", 4, 4, vec![hold(), taken, completed, vec![reversal(4, 2, true, 100)]]);
    let undo = vec![moved(1, REVERSING), reversal(3, 1, true, 100)];
    finds(I9, "undone although", 3, 1, vec![paid(), runs(), undo]);
}

const REVERSING: State = State::Reversing(Undone::Approval);

#[test]
fn i10_what_was_added_to_a_hold_is_given_back_with_it() {
    let more = || vec![intended(Intent { reservations: limited(2, 900).reservations, ..more_of_hold() }), approved(2)];
    let void = vec![intended(follow_up(3, Kind::AuthorizationVoid, 1_000, 1)), approved(3)];
    let after = vec![intended(limited(4, 1_000)), approved(4)];
    assert!(report(vec![hold(), more(), void, after]).violations.is_empty());
    finds(I10, "above its limit", 3, 3, vec![hold(), more(), vec![intended(limited(3, 1))]]);
}

fn more_of_hold() -> Intent {
    follow_up(2, Kind::Increment, 900, 1)
}

#[test]
fn i10_a_hold_that_came_back_for_its_void_to_be_undone_reserves_again() {
    let stands = |intent: &Intent, state| {
        Record::Standing(Box::new(Standing {
            intent: Arc::new(intent.clone()),
            answer: Some(answer(ResponseCode::Approved)),
            state,
            late: None,
            refused: None,
            attempts: 0,
            sent_as: None,
            followers: Followers::default(),
        }))
    };
    let hold = Intent { kind: Kind::Authorization, ..limited(1, 100) };
    let void = follow_up(2, Kind::AuthorizationVoid, 100, 1);
    let approved = State::Stands(Outcome::Approved);
    let mut verifier = Verifier::default();
    verifier.departed(&stands(&hold, approved));
    verifier.departed(&stands(&void, approved));
    verifier.snapshot(true);
    verifier.record(&stands(&hold, approved));
    verifier.record(&stands(&void, State::Reversed(Undone::Approval)));
    verifier.snapshot(false);
    verifier.record(&Record::Closed(day(21)));
    assert!(verifier.violations.is_empty(), "{:?}", verifier.violations);
    assert_eq!(verifier.gone.len(), 2);
}
