//! Whether a journal kept the ledger's promises, as far as files can say: I1 to I12, and I15. (I13 and
//! I14, that everything comes to an end and keys can be changed, only a running station shows.)
//!
//! Pure, and generic over [`Disk`]: the command line runs it over a folder, also one that a station is
//! writing to, and the simulated world over its own disk. About 300 bytes of memory a transaction,
//! and once days were closed the ledger's own book beside it.

mod batches;
mod counters;
mod days;
mod fold;
mod follow_ups;
mod invariant;
mod ladders;
mod lanes;
mod lives;
mod numbers;
mod snapshots;
mod totals;

pub use invariant::Invariant;
pub use invariant::Violation;
pub use totals::Line;
pub use totals::Sum;
pub use totals::Totals;

use fold::Verifier;
use snapshots::Beside;
pub(super) use totals::standing;

use super::history;
use super::journal::Disk;
use super::journal::Fault;
use super::journal::JournalFault;
use super::journal::Place;
use super::journal::Replayed;
use super::lifecycle::State;
use crate::model::BusinessDate;
use crate::model::IssuerName;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

/// What was looked at.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Groups of the journal.
    pub groups: u64,
    /// Records, those of a snapshot included.
    pub records: u64,
    /// Intents.
    pub intents: u64,
    /// Requests declined by the commit that records them.
    pub declined_here: u64,
    /// Decisions.
    pub decisions: u64,
    /// Moves of decided transactions.
    pub moves: u64,
    /// Terminals' reversals.
    pub reversals: u64,
    /// Owed messages that went, or may have.
    pub attempts: u64,
    /// Late answers.
    pub late: u64,
    /// Session facts.
    pub terminals: u64,
    /// Business dates that were closed.
    pub closed: BTreeSet<BusinessDate>,
    /// Follow-ups whose original is in none of these files, so that their bounds could not be checked.
    pub foreign_originals: u64,
    /// Snapshots that were compared with the journal.
    pub snapshots: u64,
    /// Files of closed days that were found whole and, where the groups are still there, as the journal let them go.
    pub days: u64,
    /// How often each promise was checked.
    pub checks: BTreeMap<Invariant, u64>,
    /// How often one was not kept.
    pub violations: u64,
}

/// What verification found.
#[derive(Debug)]
pub struct Report {
    /// What was looked at.
    pub counts: Counts,
    /// Transactions by business date and standing.
    pub totals: Totals,
    /// Promises not kept; at most 1,000 are told, [`Counts::violations`] says how many there are.
    pub violations: Vec<Violation>,
    /// Intents without a decision: requests in flight, or cut off by a crash; the next start decides them.
    pub open: u64,
    /// Messages owed, per issuer.
    pub owed: BTreeMap<IssuerName, u64>,
    /// Messages that an issuer refused for good.
    pub dead_letters: u64,
    /// The journal as it was read; `None` if its structure is broken.
    pub journal: Option<Replayed>,
}

/// Reads a journal and checks everything. What the structure breaks at is a violation of I12, and what comes
/// after that place is not looked at.
///
/// # Errors
/// There is no journal, or the disk does not let it be read.
pub fn verify<D: Disk>(disk: &mut D) -> Result<Report, JournalFault> {
    let mut beside = Beside::new(disk)?;
    let read = history::read(disk, &mut beside);
    let Beside { mut verifier, snapshots, days, .. } = beside;
    let journal = match read {
        Ok(replayed) => {
            verifier.ends(&snapshots, replayed.head.number);
            days.ends(disk, &mut verifier);
            Some(replayed)
        }
        Err(fault) if matches!(fault.fault, Fault::Io(..) | Fault::Nothing | Fault::InUse) => return Err(fault),
        Err(fault) => {
            verifier.broken(&fault);
            None
        }
    };
    let mut report = verifier.report(journal);
    locate(disk, &mut report.violations)?;
    Ok(report)
}

/// Says in which file the groups of the violations are.
fn locate<D: Disk>(disk: &mut D, violations: &mut [Violation]) -> Result<(), JournalFault> {
    let mut last: Option<Place> = None;
    for violation in violations.iter_mut().filter(|violation| violation.place.file.is_empty()) {
        let group = violation.place.group;
        if last.as_ref().is_none_or(|last| last.group != group) {
            last = history::place_of(disk, group)?;
        }
        if let Some(place) = &last {
            violation.place = place.clone();
        }
    }
    Ok(())
}

impl Verifier {
    /// The structure is broken here.
    fn broken(&mut self, fault: &JournalFault) {
        self.counts.violations += 1;
        let place = fault.place.clone().unwrap_or_else(|| Place::new("", 0, 0));
        let what = fault.fault.to_string();
        self.violations.push(Violation { invariant: Invariant::I12, what, id: None, rrn: None, place, record: 0 });
    }

    fn report(mut self, journal: Option<Replayed>) -> Report {
        // Each group's chain and check sum, and the anchor.
        let structure = self.counts.groups + u64::from(journal.is_some());
        *self.counts.checks.entry(Invariant::I12).or_default() += structure;
        let everybody = || self.open.values().chain(self.gone.values());
        let count = |is: &dyn Fn(State) -> bool| everybody().filter(|txn| is(txn.state)).count() as u64;
        let open = count(&|state| state == State::Open);
        let dead_letters = count(&|state| matches!(state, State::Unadvised | State::Irreversible(_)));
        let owed = self.owed();
        let Self { counts, totals, violations, .. } = self;
        Report { counts, totals, violations, open, owed, dead_letters, journal }
    }
}

#[cfg(test)]
mod tests;
