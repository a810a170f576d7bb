//! How transactions fare, as counters and the memory of rules have it: live while they may move money.

use super::Intent;
use super::Outcome;
use super::TxnId;
use super::book::Book;
use super::counters::give_back;
use super::followers::Followers;
use super::kinds;
use super::lifecycle::State;
use crate::model::ResponseCode;
use crate::mutant;
use crate::mutant::Mutant;
use crate::risk::Fate;
use smallvec::SmallVec;
use std::sync::Arc;

/// Transactions, and how each fares; `None` while it is not in the book.
pub(super) type Fates = SmallVec<[(TxnId, Option<Fate>); 2]>;

/// A transaction that fares otherwise than before.
#[derive(Clone, Debug)]
pub(super) struct Changed {
    pub(super) intent: Arc<Intent>,
    pub(super) from: Fate,
    pub(super) to: Fate,
}

impl Book {
    /// Whether it keeps what it reserved: it may have moved money, and no approved void cancelled it; what was
    /// added to a hold lives no longer than the hold.
    pub(super) fn is_live(&self, id: TxnId) -> bool {
        let Some(entry) = self.entries.get(&id).filter(|entry| entry.state.is_live()) else { return false };
        let voided = |id| self.followers.get(id).is_some_and(Followers::is_voided);
        let hold = entry.intent.follows.filter(|_| kinds::adds(entry.intent.kind));
        let hold = hold.and_then(|hold| self.entries.get(&hold));
        !voided(&id) && hold.is_none_or(|hold| hold.state.is_live() && !voided(&hold.intent.id))
    }

    fn fate(&self, id: TxnId) -> Option<Fate> {
        if self.is_live(id) {
            return Some(Fate::Live);
        }
        let entry = self.entries.get(&id)?;
        let code = entry.answer.as_ref().map(|answer| answer.code);
        // A rule that answers so has not seen the PIN.
        let by_issuer = entry.intent.refusal.is_none();
        let pin = by_issuer && matches!(code, Some(ResponseCode::PinWrong | ResponseCode::PinTriesLimit));
        // Asked for it was, and it moved nothing: but rules that count declines do not feed on their own.
        let declined = entry.state == State::Stands(Outcome::Declined) && !entry.intent.echo;
        Some(if declined { Fate::Declined { pin } } else { Fate::Undone })
    }

    /// How it fares, and with it what was added to it.
    pub(super) fn fates(&self, id: TxnId) -> Fates {
        let added = self.followers.get(&id).into_iter().flat_map(Followers::increments);
        let added = added.filter(|_| !mutant::is(Mutant::IncrementOutlivesHold));
        [id].into_iter().chain(added).map(|id| (id, self.fate(id))).collect()
    }

    /// What came just now is remembered.
    pub(super) fn remember(&mut self, id: TxnId, intent: &Intent) {
        if let Some(fate) = self.fate(id).filter(|_| kinds::is_remembered(intent.kind)) {
            self.memory.note(&intent.situation(), fate);
        }
    }

    /// Gives reservations back, or takes them again, where being live has changed; what is remembered follows.
    pub(super) fn balance(&mut self, before: &Fates) {
        self.balance_counters(before);
        for (id, from) in before {
            let (Some(from), Some(to)) = (*from, self.fate(*id)) else { continue };
            let Some(entry) = self.entries.get(id).filter(|_| from != to) else { continue };
            if kinds::is_remembered(entry.intent.kind) {
                self.memory.change(&entry.intent.situation(), from, to);
            }
            if let Some(changes) = &mut self.changes {
                changes.push(Changed { intent: Arc::clone(&entry.intent), from, to });
            }
        }
    }

    /// The counters alone: of what comes back as it stands, the memory knows already.
    pub(super) fn balance_counters(&mut self, before: &Fates) {
        for (id, before) in before {
            let live_before = *before == Some(Fate::Live);
            let live = self.is_live(*id);
            let Some(entry) = self.entries.get(id) else { continue };
            if live && !live_before {
                self.counters.take(&entry.intent.reservations);
            } else if live_before && !live && !mutant::is(Mutant::ReservationsKept) {
                give_back(&mut self.counters, &entry.intent.reservations);
            }
        }
    }
}
