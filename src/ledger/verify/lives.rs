//! Who keeps what it reserved: recomputed whenever something moves that it depends on.

use super::fold::Verifier;
use super::invariant::Invariant;
use crate::ledger::TxnId;
use crate::ledger::kinds;
use smallvec::SmallVec;

/// Transactions, and whether each keeps what it reserved.
pub(super) type Lives = SmallVec<[(TxnId, bool); 2]>;

impl Verifier {
    /// Whether it keeps what it reserved: nothing undid or cancelled it, nor the hold that it adds to.
    pub(super) fn is_live(&self, id: TxnId) -> bool {
        let Some(txn) = self.open.get(&id).filter(|txn| txn.state.is_live()) else { return false };
        let hold = txn.follows.filter(|_| kinds::adds(txn.kind));
        let ended = |hold: TxnId| self.open.get(&hold).is_some_and(|txn| !txn.state.is_live()) || self.is_voided(hold);
        !self.is_voided(id) && !hold.is_some_and(ended)
    }

    /// Whether these are live, and what was added to them.
    pub(super) fn lives<const N: usize>(&self, ids: [Option<TxnId>; N]) -> Lives {
        let mut lives = Lives::new();
        for id in ids.into_iter().flatten() {
            let added = self.followers.get(&id).into_iter().flatten().copied();
            let added = added.filter(|one| self.open.get(one).is_some_and(|txn| kinds::adds(txn.kind)));
            for one in [id].into_iter().chain(added) {
                if lives.iter().all(|(known, _)| *known != one) {
                    lives.push((one, self.is_live(one)));
                }
            }
        }
        lives
    }

    /// Gives reservations back, or takes them again, where being live has changed.
    pub(super) fn balance(&mut self, before: &Lives) {
        for (id, live_before) in before {
            let live = self.is_live(*id);
            let Some(txn) = self.open.get(id) else { continue };
            if live && !live_before {
                self.counters.take(&txn.taken);
            } else if *live_before && !live {
                let had = self.counters.give_back(&txn.taken);
                self.check(Invariant::I10, had, "more is given back than was reserved");
            }
        }
    }
}
