//! Follow-ups within the bounds of what they follow.

use super::fold::Txn;
use super::fold::Verifier;
use super::invariant::Invariant;
use crate::ledger::Intent;
use crate::ledger::TxnId;
use crate::ledger::kinds;
use crate::ledger::kinds::FollowTerms;
use crate::ledger::kinds::Following;
use crate::ledger::lifecycle::State;
use crate::model::Amount;

impl Verifier {
    fn anywhere(&self, id: TxnId) -> Option<&Txn> {
        self.open.get(&id).or_else(|| self.gone.get(&id))
    }

    /// Whether an approved void cancels it.
    pub(super) fn is_voided(&self, id: TxnId) -> bool {
        // What is not on record here cancelled it before the first group that is there.
        let before = self.open.get(&id).and_then(|txn| txn.voided_by);
        self.standing(id, Following::Voids).next().is_some() || before.is_some_and(|id| self.anywhere(id).is_none())
    }

    /// The follow-ups of one sort that stand, advices with them.
    pub(super) fn standing(&self, id: TxnId, following: Following) -> impl Iterator<Item = &Txn> {
        self.followed_by(id, following).map(|(_, txn)| txn).filter(|txn| txn.state.is_approved())
    }

    /// The follow-ups of one sort that its issuer may hold, or come to hold.
    fn binding(&self, id: TxnId, following: Following) -> impl Iterator<Item = (TxnId, &Txn)> {
        self.followed_by(id, following).filter(|(_, txn)| txn.state.may_bind())
    }

    /// The follow-ups of one sort that were not voided, whatever became of them.
    fn followed_by(&self, id: TxnId, following: Following) -> impl Iterator<Item = (TxnId, &Txn)> {
        let all = self.followers.get(&id).map(Vec::as_slice).unwrap_or_default();
        all.iter().filter_map(move |follower| {
            let txn = self.anywhere(*follower)?;
            let (sort, _) = kinds::of(txn.kind).follows?;
            // Only a void is never voided itself; so this goes two steps deep, not further.
            let counts = sort == following && (sort == Following::Voids || !self.is_voided(*follower));
            counts.then_some((*follower, txn))
        })
    }

    /// What the last adjustment of a transaction makes of its amount.
    pub(super) fn adjusted(&self, id: TxnId) -> Option<Amount> {
        self.adjustments(id).last().map(|txn| txn.asked)
    }

    /// The same without those that their issuer refused.
    fn acknowledged(&self, id: TxnId) -> Option<Amount> {
        self.adjustments(id).filter(|txn| txn.state != State::Unadvised).last().map(|txn| txn.asked)
    }

    fn adjustments(&self, id: TxnId) -> impl Iterator<Item = &Txn> {
        let adjustable = self.anywhere(id).is_none_or(|txn| kinds::is_adjustable(txn.kind));
        self.standing(id, Following::Adjusts).filter(move |_| adjustable)
    }

    fn sum(&self, id: TxnId, following: Following) -> u64 {
        self.standing(id, following).fold(0, |sum, txn| sum.saturating_add(txn.amount().minor()))
    }

    /// What was, or may yet be, given back, but for one refund.
    fn given_back(&self, id: TxnId, but: TxnId) -> u64 {
        let refunds = self.binding(id, Following::Refunds).filter(|(refund, _)| *refund != but);
        refunds.fold(0, |sum, (_, txn)| sum.saturating_add(txn.amount().minor()))
    }

    /// Whether what was done to it since, or by what it made, keeps it from being undone. `counts`: what counts as
    /// done, what has come to something, or also what may.
    pub(super) fn is_moot(&self, id: TxnId, counts: fn(State) -> bool) -> bool {
        let any = |id, following| self.standing(id, following).next().is_some();
        let done = |id, following, but| {
            self.followed_by(id, following).any(|(follower, txn)| follower != but && counts(txn.state))
        };
        let may_be = |txn: &Txn| txn.state == State::Open && counts(txn.state);
        let voided =
            |id| any(id, Following::Voids) || self.followed_by(id, Following::Voids).any(|(_, txn)| may_be(txn));
        let over = |id| voided(id) || any(id, Following::Completes) || done(id, Following::Refunds, TxnId(0));
        let of = self.anywhere(id).and_then(|txn| Some((kinds::of(txn.kind).follows?.0, txn.follows?)));
        let beside = of.is_some_and(|(following, followed)| match following {
            Following::Voids => self.anywhere(followed).and_then(|txn| txn.follows).is_some_and(|hold| {
                done(hold, Following::Voids, followed) || done(hold, Following::Completes, followed)
            }),
            Following::Increments => voided(followed) || done(followed, Following::Completes, id),
            Following::Adjusts => {
                let last = self.followed_by(followed, following).filter(|(_, txn)| txn.state.is_approved()).last();
                over(followed) || last.is_some_and(|(last, _)| last != id)
            }
            Following::Completes | Following::Refunds => false,
        });
        over(id) || beside
    }

    /// Whether what was let in may follow what it follows. Of a completion's ceiling the highest counts that a
    /// station may be given: the journal does not hold the station's own.
    pub(super) fn may_follow(&mut self, intent: &Intent) {
        let row = kinds::of(intent.kind);
        let Some((following, of_kinds)) = row.follows else { return };
        let Some(followed) = intent.follows else {
            if kinds::may_stand_alone(intent.kind) {
                return;
            }
            // An advice that fits nothing is kept for a person to look at.
            let adrift = !kinds::must_fit(intent.kind) && intent.outbound.is_none();
            return self.check(Invariant::I9, adrift, "a follow-up follows nothing");
        };
        let Some(original) = self.anywhere(followed) else {
            self.counts.foreign_originals += 1;
            return;
        };
        let fits = of_kinds.contains(&original.kind)
            && original.state.is_approved()
            && original.currency == intent.currency
            && original.test_mode == intent.test_mode;
        let own = original.amount();
        let held =
            self.adjusted(followed).unwrap_or(own).minor().saturating_add(self.sum(followed, Following::Increments));
        let amount = intent.amount.minor();
        let (collides, bounded): (&[Following], bool) = match following {
            Following::Voids => (&[Following::Voids, Following::Completes, Following::Refunds], amount == held),
            Following::Completes => (
                &[Following::Voids, Following::Completes],
                u128::from(amount) * 100 <= u128::from(held) * u128::from(FollowTerms::MOST_PERCENT),
            ),
            Following::Increments => (&[Following::Voids, Following::Completes], true),
            Following::Refunds => {
                let whole = self.acknowledged(followed).unwrap_or(own).minor();
                let refunded = self.given_back(followed, intent.id).checked_add(amount);
                (&[Following::Voids], refunded.is_some_and(|sum| sum <= whole))
            }
            Following::Adjusts => (&[Following::Voids], self.given_back(followed, intent.id) <= amount),
        };
        let ends = matches!(following, Following::Voids | Following::Completes);
        let unsettled = self.binding(followed, Following::Increments).any(|(_, txn)| !txn.state.is_approved());
        let told_after = |txn: &Txn| following == Following::Adjusts && txn.state.is_reversing();
        let in_the_way =
            |sort: &Following| self.binding(followed, *sort).any(|(id, txn)| id != intent.id && !told_after(txn));
        let free = !(collides.iter().any(in_the_way) || (ends && unsettled));
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
                // The most that it ever was: an issuer may refuse to be told of an amount after some was given back.
                let adjusted = self.adjustments(followed).map(|txn| txn.asked);
                let whole = self.anywhere(followed).map(Txn::amount).into_iter().chain(adjusted).max();
                let refunded = self.sum(followed, Following::Refunds);
                let within = whole.is_none_or(|whole| refunded <= whole.minor());
                self.check(Invariant::I9, within, "more is refunded than was taken");
            }
            _ => {}
        }
    }
}
