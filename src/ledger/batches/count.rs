//! What a transaction adds to its batch.

use crate::ledger::book::Book;
use crate::ledger::book::Entry;
use crate::ledger::followers::Followers;
use crate::ledger::kinds;
use crate::ledger::kinds::Following;
use crate::ledger::kinds::Money;
use crate::model::Amount;
use crate::model::BatchEntry;
use crate::model::BatchNumber;
use crate::model::BatchTotals;
use crate::model::Direction;
use crate::model::Kind;
use crate::model::TerminalId;
use crate::model::VoidsInTotals;

/// Which way the money of a kind goes in a batch's totals; `None` if it is not in them.
pub(in crate::ledger) fn direction(kind: Kind, voids: VoidsInTotals) -> Option<Direction> {
    match kinds::of(kind).money {
        Money::Taken => Some(Direction::Debit),
        Money::Given => Some(Direction::Credit),
        _ if is_void(kind) && voids == VoidsInTotals::Credit => Some(Direction::Credit),
        _ => None,
    }
}

/// Whether it cancels something that is in totals.
fn is_void(kind: Kind) -> bool {
    kinds::of(kind).follows.is_some_and(|(following, kinds)| {
        following == Following::Voids && kinds.iter().any(|kind| kinds::of(*kind).money == Money::Taken)
    })
}

/// Whether an approval of the kind, or what it does to another, may be needed until its batch is over.
pub(in crate::ledger) fn binds(kind: Kind) -> bool {
    let adjusts = kinds::of(kind).follows.is_some_and(|(following, _)| following == Following::Adjusts);
    adjusts || direction(kind, VoidsInTotals::Credit).is_some()
}

impl Book {
    /// What a transaction adds to the totals of its batch, if it does: approved, not undone, not taken out by a
    /// void.
    pub(super) fn adds(&self, entry: &Entry, voids: VoidsInTotals) -> Option<BatchEntry> {
        let intent = &entry.intent;
        let followers = self.followers.get(&intent.id);
        let voided = voids == VoidsInTotals::Removed && followers.is_some_and(Followers::is_voided);
        if voided || !entry.state.is_approved() {
            return None;
        }
        let direction = direction(intent.kind, voids)?;
        Some(BatchEntry { foreign: intent.card.foreign, direction, amount: entry.settled(followers) })
    }

    /// The totals of a batch that takes transactions, or whose transactions are uploaded.
    pub(super) fn totals(&self, terminal: TerminalId, batch: BatchNumber, voids: VoidsInTotals) -> BatchTotals {
        let members = self.batches.members(terminal, batch).into_iter().flatten();
        let adds = members.filter_map(|id| self.adds(self.entries.get(id)?, voids));
        // Amounts have twelve digits: more of them than fit cannot be in memory.
        adds.fold(BatchTotals::default(), |totals, entry| totals.plus(entry).unwrap_or(totals))
    }
}

impl Entry {
    /// What is settled of it: what its last adjustment says, else what was approved.
    fn settled(&self, followers: Option<&Followers>) -> Amount {
        followers.and_then(|followers| followers.adjusted(self.intent.kind)).unwrap_or_else(|| self.amount())
    }
}
