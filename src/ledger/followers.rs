//! What follow-ups did to a transaction: voided, completed, refunded, and what still may.

use super::Effect;
use super::Followed;
use super::Intent;
use super::TxnId;
use super::kinds;
use super::kinds::FollowTerms;
use super::kinds::Following;
use super::lifecycle::State;
use crate::model::Amount;
use crate::model::Kind;
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
    /// undone, and if the issuer refuses to undo it: the issuer may hold it.
    pub(super) fn binds(&self) -> bool {
        !self.voided && self.state.may_bind()
    }

    /// Whether nobody knows yet what it comes to.
    fn is_unsettled(&self) -> bool {
        self.binds() && !self.stands()
    }

    /// Whether it came to something: it stands, or its issuer will not undo it.
    pub(super) fn has_come(&self) -> bool {
        !self.voided && self.state.has_come()
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

    /// Adds a follow-up, or moves one that is known. `amount`: what was approved of it, or asked while nothing is.
    pub(super) fn note(&mut self, intent: &Intent, state: State, amount: Amount) {
        let Some((following, _)) = kinds::of(intent.kind).follows else { return };
        match self.0.iter_mut().find(|follower| follower.id == intent.id) {
            Some(follower) => (follower.state, follower.amount) = (state, amount),
            None => self.0.push(Follower { id: intent.id, following, amount, state, voided: false }),
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

    /// The approved void that stands.
    pub(super) fn voided_by(&self) -> Option<TxnId> {
        let void = self.0.iter().find(|follower| follower.following == Following::Voids && follower.stands());
        void.map(|void| void.id)
    }

    /// Why a follow-up of `amount` may not begin on a transaction of this kind and amount, if it may not.
    pub(super) fn refusal(
        &self,
        following: Following,
        amount: Amount,
        (kind, own): (Kind, Amount),
        terms: &FollowTerms,
    ) -> Option<ResponseCode> {
        let binding = |kind| self.any(kind, Follower::binds);
        let amount = amount.minor();
        let held = self
            .adjusted(kind)
            .unwrap_or(own)
            .minor()
            .saturating_add(self.sum(Following::Increments, Follower::stands));
        let given_back = self.sum(Following::Refunds, Follower::binds);
        let related = match following {
            // What was completed or refunded is not undone whole any more.
            Following::Voids => [Following::Voids, Following::Completes, Following::Refunds].into_iter().any(binding),
            Following::Completes if mutant::is(Mutant::CompletedTwice) => false,
            Following::Completes | Following::Increments => {
                [Following::Voids, Following::Completes].into_iter().any(binding)
            }
            Following::Refunds => binding(Following::Voids),
            // It is told after the void's reversal, and finds the sale as it was.
            Following::Adjusts => self.any(Following::Voids, |void| void.binds() && !void.state.is_reversing()),
        };
        if related {
            return Some(ResponseCode::RelatedInvalid);
        }
        // How much is held is not known while somebody asks for more, or takes that back.
        let ends = matches!(following, Following::Voids | Following::Completes);
        if ends && self.any(Following::Increments, Follower::is_unsettled) {
            return Some(ResponseCode::RelatedInvalid);
        }
        let fits = match following {
            Following::Voids => amount == held,
            Following::Completes => is_within(amount, terms.completion_percent, held),
            Following::Refunds if mutant::is(Mutant::RefundOverRest) => true,
            Following::Refunds => {
                let whole = self.acknowledged(kind).unwrap_or(own).minor();
                given_back.checked_add(amount).is_some_and(|sum| sum <= whole)
            }
            Following::Adjusts => given_back <= amount && is_within(amount, terms.adjustment_percent, own.minor()),
            Following::Increments => true,
        };
        (!fits).then_some(ResponseCode::OriginalAmountWrong)
    }

    /// What the last adjustment that stands makes of the amount of a transaction of this kind.
    pub(super) fn adjusted(&self, kind: Kind) -> Option<Amount> {
        self.last_adjustment(kind, |_| true)
    }

    /// The same without those that their issuer refused: it gives nothing back that it did not take.
    fn acknowledged(&self, kind: Kind) -> Option<Amount> {
        self.last_adjustment(kind, |follower| follower.state != State::Unadvised)
    }

    /// The last adjustment that is not decided yet.
    pub(super) fn undecided_adjustment(&self) -> Option<TxnId> {
        self.0
            .iter()
            .rev()
            .find(|one| one.following == Following::Adjusts && one.state == State::Open)
            .map(|one| one.id)
    }

    /// The last adjustment of which the issuer has yet to hear, or that it has yet to undo.
    pub(super) fn untold(&self) -> Option<TxnId> {
        let owed = |one: &&Follower| one.following == Following::Adjusts && one.state.is_untold();
        self.0.iter().rev().find(owed).map(|follower| follower.id)
    }

    fn last_adjustment(&self, kind: Kind, counts: impl Fn(&Follower) -> bool) -> Option<Amount> {
        let standing = |one: &&Follower| one.following == Following::Adjusts && one.stands() && counts(one);
        let last = self.0.iter().rev().find(standing).map(|follower| follower.amount);
        last.filter(|_| kinds::is_adjustable(kind))
    }

    /// What was done to the transaction that is over with it; `counts` says which follow-ups did something.
    pub(super) fn over(&self, counts: impl Fn(&Follower) -> bool) -> Option<Followed> {
        if self.is_or_may_be_voided(&counts) {
            return Some(Followed::Voided);
        }
        let refunded = self.any(Following::Refunds, counts).then_some(Followed::Refunded);
        refunded.or(self.any(Following::Completes, Follower::stands).then_some(Followed::Completed))
    }

    /// Behind a void that is being undone, its issuer is told in order.
    fn is_or_may_be_voided(&self, counts: impl Fn(&Follower) -> bool) -> bool {
        self.is_voided() || self.any(Following::Voids, |void| void.state == State::Open && counts(void))
    }

    /// What was done to a hold with all that was added to it.
    pub(super) fn taken(&self, counts: impl Fn(&Follower) -> bool) -> Option<Followed> {
        let voided = self.is_or_may_be_voided(&counts).then_some(Followed::Voided);
        voided.or(self.any(Following::Completes, counts).then_some(Followed::Completed))
    }

    /// What was done by the amount that this adjustment made.
    pub(super) fn relies_on(&self, adjustment: TxnId, counts: impl Fn(&Follower) -> bool) -> Option<Followed> {
        let later = self.0.iter().skip_while(|follower| follower.id != adjustment).skip(1);
        let adjusted = later.filter(|one| one.following == Following::Adjusts).any(Follower::stands);
        self.over(counts).or(adjusted.then_some(Followed::Adjusted))
    }

    /// How a hold ended otherwise than by this completion.
    pub(super) fn ended_without(&self, completion: TxnId, counts: impl Fn(&Follower) -> bool) -> Option<Followed> {
        let mut others = self.0.iter().filter(|follower| follower.id != completion && counts(follower));
        others.find_map(|follower| match follower.following {
            Following::Voids => Some(Followed::Voided),
            Following::Completes => Some(Followed::Completed),
            Following::Refunds | Following::Increments | Following::Adjusts => None,
        })
    }

    /// The numbers of what was added to a hold.
    pub(super) fn increments(&self) -> impl Iterator<Item = TxnId> {
        let increments = self.0.iter().filter(|follower| follower.following == Following::Increments);
        increments.map(|follower| follower.id)
    }

    fn any(&self, following: Following, counts: impl Fn(&Follower) -> bool) -> bool {
        self.0.iter().any(|follower| follower.following == following && counts(follower))
    }

    fn sum(&self, following: Following, counts: impl Fn(&Follower) -> bool) -> u64 {
        let of_kind = self.0.iter().filter(|follower| follower.following == following && counts(follower));
        of_kind.fold(0, |sum, follower| sum.saturating_add(follower.amount.minor()))
    }
}

/// Whether `amount` is at most so many hundredths of `whole`.
fn is_within(amount: u64, percent: u16, whole: u64) -> bool {
    u128::from(amount) * 100 <= u128::from(whole) * u128::from(percent)
}
