//! What follow-ups did to a transaction: voided, completed, refunded, and what still may.

use super::Effect;
use super::Intent;
use super::TxnId;
use super::kinds;
use super::kinds::FollowTerms;
use super::kinds::Following;
use super::lifecycle::State;
use crate::model::Amount;
use crate::model::ResponseCode;
use crate::mutant;
use crate::mutant::Mutant;
use smallvec::SmallVec;

/// One follow-up of a transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Follower {
    pub(super) id: TxnId,
    pub(super) following: Following,
    pub(super) amount: Amount,
    pub(super) state: State,
    /// An approved void of its own cancelled it.
    pub(super) voided: bool,
}

impl Follower {
    /// Whether it stands.
    fn stands(&self) -> bool {
        self.state.is_approved() && !self.voided
    }

    /// Whether it may still come to stand: nothing that collides with it may begin. Also while it is being
    /// undone: until then the issuer may hold it.
    fn binds(&self) -> bool {
        !self.voided && (self.state.is_live() || matches!(self.state, State::Reversing(_)))
    }
}

/// All follow-ups of one transaction, in order. They leave the book with it.
#[derive(Clone, Debug, Default)]
pub(super) struct Followers(pub(super) SmallVec<[Follower; 1]>);

impl Followers {
    /// Their numbers.
    pub(super) fn ids(&self) -> impl Iterator<Item = TxnId> {
        self.0.iter().map(|follower| follower.id)
    }

    /// Forgets one; true if none is left.
    pub(super) fn forget(&mut self, id: TxnId) -> bool {
        self.0.retain(|follower| follower.id != id);
        self.0.is_empty()
    }

    /// Adds a follow-up, or moves one that is known.
    pub(super) fn note(&mut self, intent: &Intent, state: State) {
        let Some((following, _)) = kinds::of(intent.kind).follows else { return };
        match self.0.iter_mut().find(|follower| follower.id == intent.id) {
            Some(follower) => follower.state = state,
            None => self.0.push(Follower { id: intent.id, following, amount: intent.amount, state, voided: false }),
        }
    }

    /// Says whether an approved void cancels one of the follow-ups.
    pub(super) fn note_voided(&mut self, id: TxnId, voided: bool) {
        if let Some(follower) = self.0.iter_mut().find(|follower| follower.id == id) {
            follower.voided = voided;
        }
    }

    /// What stands of a transaction of `own` effect after its follow-ups.
    pub(super) fn effect(&self, own: Effect) -> Effect {
        if !matches!(own, Effect::Live | Effect::Advising) {
            return own;
        }
        if self.is_voided() {
            return Effect::Voided;
        }
        let refunded = self.sum(Following::Refunds, Follower::stands);
        if refunded > 0 {
            return Effect::Refunded(Amount::new(refunded).unwrap_or(Amount::MAX));
        }
        if self.any(Following::Completes, Follower::stands) { Effect::Completed } else { own }
    }

    /// Whether an approved void stands.
    pub(super) fn is_voided(&self) -> bool {
        self.any(Following::Voids, Follower::stands)
    }

    /// Why a follow-up of `amount` may not begin on a transaction of `whole`, if it may not.
    pub(super) fn refusal(
        &self,
        following: Following,
        amount: Amount,
        whole: Amount,
        terms: &FollowTerms,
    ) -> Option<ResponseCode> {
        let binding = |kind| self.any(kind, Follower::binds);
        let (amount, whole) = (amount.minor(), self.adjusted().unwrap_or(whole).minor());
        let held = whole.saturating_add(self.sum(Following::Increments, Follower::stands));
        let related = match following {
            // What was completed or refunded is not undone whole any more.
            Following::Voids => [Following::Voids, Following::Completes, Following::Refunds].into_iter().any(binding),
            Following::Completes if mutant::is(Mutant::CompletedTwice) => false,
            Following::Completes | Following::Increments => {
                [Following::Voids, Following::Completes].into_iter().any(binding)
            }
            Following::Refunds | Following::Adjusts => binding(Following::Voids),
        };
        if related {
            return Some(ResponseCode::RelatedInvalid);
        }
        let fits = match following {
            Following::Voids => amount == held,
            Following::Completes => u128::from(amount) * 100 <= u128::from(held) * u128::from(terms.completion_percent),
            Following::Refunds if mutant::is(Mutant::RefundOverRest) => true,
            Following::Refunds => {
                self.sum(Following::Refunds, Follower::binds).checked_add(amount).is_some_and(|sum| sum <= whole)
            }
            Following::Increments | Following::Adjusts => true,
        };
        (!fits).then_some(ResponseCode::OriginalAmountWrong)
    }

    /// What the last adjustment that stands says the amount is.
    pub(super) fn adjusted(&self) -> Option<Amount> {
        let standing = |follower: &&Follower| follower.following == Following::Adjusts && follower.stands();
        self.0.iter().rev().find(standing).map(|follower| follower.amount)
    }

    fn any(&self, following: Following, counts: impl Fn(&Follower) -> bool) -> bool {
        self.0.iter().any(|follower| follower.following == following && counts(follower))
    }

    fn sum(&self, following: Following, counts: impl Fn(&Follower) -> bool) -> u64 {
        let of_kind = self.0.iter().filter(|follower| follower.following == following && counts(follower));
        of_kind.fold(0, |sum, follower| sum.saturating_add(follower.amount.minor()))
    }
}
