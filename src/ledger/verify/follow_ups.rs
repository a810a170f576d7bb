//! Follow-ups within the bounds of what they follow.

use super::fold::Txn;
use super::fold::Verifier;
use super::invariant::Invariant;
use crate::ledger::Intent;
use crate::ledger::TxnId;
use crate::ledger::kinds;
use crate::ledger::kinds::FollowTerms;
use crate::ledger::kinds::Following;
use crate::model::Amount;

impl Verifier {
    fn anywhere(&self, id: TxnId) -> Option<&Txn> {
        self.open.get(&id).or_else(|| self.gone.get(&id))
    }

    /// Whether an approved void cancels it.
    pub(super) fn is_voided(&self, id: TxnId) -> bool {
        self.standing(id, Following::Voids).next().is_some()
    }

    /// The follow-ups of one sort that stand, advices with them.
    pub(super) fn standing(&self, id: TxnId, following: Following) -> impl Iterator<Item = &Txn> {
        let all = self.followers.get(&id).map(Vec::as_slice).unwrap_or_default();
        all.iter().filter_map(move |follower| {
            let txn = self.anywhere(*follower)?;
            let (sort, _) = kinds::of(txn.kind).follows?;
            // Only a void is never voided itself; so this goes two steps deep, not further.
            let stands = sort == following && txn.state.is_approved();
            (stands && (sort == Following::Voids || !self.is_voided(*follower))).then_some(txn)
        })
    }

    fn sum(&self, id: TxnId, following: Following) -> u64 {
        self.standing(id, following).fold(0, |sum, txn| sum.saturating_add(txn.asked.minor()))
    }

    fn any(&self, id: TxnId, followings: &[Following]) -> bool {
        followings.iter().any(|following| self.standing(id, *following).next().is_some())
    }

    /// Whether what was let in may follow what it follows. Of a completion's ceiling the highest counts that a
    /// station may be given: the journal does not hold the station's own.
    pub(super) fn may_follow(&mut self, intent: &Intent) {
        let row = kinds::of(intent.kind);
        let Some((following, of_kinds)) = row.follows.filter(|_| kinds::must_fit(intent.kind)) else { return };
        let Some(followed) = intent.follows else {
            if kinds::may_stand_alone(intent.kind) {
                return;
            }
            return self.check(Invariant::I9, false, "a follow-up follows nothing");
        };
        let Some(original) = self.anywhere(followed) else {
            self.counts.foreign_originals += 1;
            return;
        };
        let fits = of_kinds.contains(&original.kind)
            && original.state.is_approved()
            && original.currency == intent.currency
            && original.test_mode == intent.test_mode;
        let whole = self.adjusted(followed).unwrap_or(original.amount()).minor();
        let held = whole.saturating_add(self.sum(followed, Following::Increments));
        let amount = intent.amount.minor();
        let (collides, bounded): (&[Following], bool) = match following {
            Following::Voids => (&[Following::Voids, Following::Completes, Following::Refunds], amount == held),
            Following::Completes => (
                &[Following::Voids, Following::Completes],
                u128::from(amount) * 100 <= u128::from(held) * u128::from(FollowTerms::MOST_PERCENT),
            ),
            Following::Increments => (&[Following::Voids, Following::Completes], true),
            Following::Refunds => {
                let refunded = self.sum(followed, Following::Refunds).checked_add(amount);
                (&[Following::Voids], refunded.is_some_and(|sum| sum <= whole))
            }
            Following::Adjusts => (&[Following::Voids], true),
        };
        let free = !self.any(followed, collides);
        self.check(Invariant::I9, fits, "a follow-up of what cannot be followed so");
        self.check(Invariant::I9, free, "a follow-up of what was voided, completed or refunded before");
        self.check(Invariant::I9, bounded, "a follow-up beyond the amount it follows");
    }

    /// A follow-up has moved: what it follows is not cancelled or given back twice.
    pub(super) fn follow_up_moved(&mut self, id: TxnId, followed: TxnId) {
        let follower = self.anywhere(id).and_then(|txn| kinds::of(txn.kind).follows);
        match follower.map(|(following, _)| following) {
            Some(Following::Voids) => {
                let voids = self.standing(followed, Following::Voids).count();
                self.check(Invariant::I9, voids <= 1, "it is voided twice");
            }
            Some(Following::Refunds) => {
                let whole = self.adjusted(followed).or(self.anywhere(followed).map(Txn::amount)).map(Amount::minor);
                let refunded = self.sum(followed, Following::Refunds);
                let within = whole.is_none_or(|whole| refunded <= whole);
                self.check(Invariant::I9, within, "more is refunded than was taken");
            }
            _ => {}
        }
    }
}
