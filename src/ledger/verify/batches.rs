//! Batches: closed once, entered by nothing afterwards, and their totals are what the records lead to.

use super::fold::Verifier;
use super::invariant::Invariant;
use crate::ledger::BatchRecord;
use crate::ledger::BatchState;
use crate::ledger::Intent;
use crate::ledger::TxnId;
use crate::ledger::UploadedGroup;
use crate::ledger::batches::binds;
use crate::ledger::batches::direction;
use crate::ledger::lifecycle::State;
use crate::model::BatchEntry;
use crate::model::BatchNumber;
use crate::model::BatchTotals;
use crate::model::TerminalId;
use crate::model::VoidsInTotals;
use std::collections::BTreeSet;
use std::collections::HashMap;

type Key = (TerminalId, BatchNumber);

/// Every batch that is on record.
#[derive(Debug, Default)]
pub(super) struct Batches(HashMap<Key, Batch>);

#[derive(Debug, Default)]
struct Batch {
    /// Its transactions, until it is over.
    members: BTreeSet<TxnId>,
    /// How it was closed, and how far it has come.
    closed: Option<(BatchState, Closing)>,
}

/// What of a closed batch never changes.
#[derive(Debug, Eq, PartialEq)]
struct Closing {
    claimed: Option<BatchTotals>,
    counted: BatchTotals,
}

fn key(intent: &Intent) -> Option<Key> {
    intent.batch.map(|batch| (intent.identity.terminal, batch))
}

impl Batches {
    /// Whether a batch is on record that needs its transactions.
    pub(super) fn needs(&self, terminal: TerminalId, batch: Option<BatchNumber>) -> bool {
        let batch = batch.and_then(|batch| self.0.get(&(terminal, batch)));
        batch.is_some_and(|batch| batch.closed.as_ref().is_none_or(|(state, _)| state.awaits_items()))
    }
}

impl Verifier {
    /// A transaction begins: its batch must take some.
    pub(super) fn enters_batch(&mut self, intent: &Intent) {
        let Some(key) = key(intent) else { return };
        let batch = self.batches.0.entry(key).or_default();
        batch.members.insert(intent.id);
        let takes = batch.closed.is_none();
        self.check(Invariant::I11, takes, "it enters a batch that takes no transactions any more");
    }

    /// A transaction comes as it stands.
    pub(super) fn is_in_batch_again(&mut self, intent: &Intent) {
        let Some(key) = key(intent).filter(|key| self.batches.needs(key.0, Some(key.1))) else { return };
        if let Some(batch) = self.batches.0.get_mut(&key) {
            batch.members.insert(intent.id);
        }
    }

    /// A snapshot says that a batch is open.
    pub(super) fn batch_opened(&mut self, terminal: TerminalId, batch: BatchNumber) {
        self.batches.0.entry((terminal, batch)).or_default();
    }

    /// A batch takes no transactions any more, or moves on.
    pub(super) fn batch_closed(&mut self, record: &BatchRecord) {
        let key = (record.terminal, record.batch);
        self.subject = Some((record.number, Some(record.rrn)));
        let closing = Closing { claimed: record.claimed, counted: record.counted };
        let members = self.batches.0.get(&key).map(|batch| batch.members.clone()).unwrap_or_default();
        let before = self.batches.0.entry(key).or_default().closed.take();
        match before {
            None => self.closes(record, &members),
            Some((state, before)) => {
                let moves = match record.state {
                    BatchState::Closed => !state.is_over(),
                    BatchState::GivenUp => state.awaits_items(),
                    _ => false,
                };
                self.check(Invariant::I11, moves, "a closed batch is closed again");
                self.check(Invariant::I11, before == closing, "the totals of a closed batch change");
            }
        }
        let batch = self.batches.0.entry(key).or_default();
        batch.closed = Some((record.state, closing));
        if !record.state.awaits_items() {
            batch.members.clear();
        }
    }

    /// The totals are what its transactions add up to now, and all of them are decided.
    fn closes(&mut self, record: &BatchRecord, members: &BTreeSet<TxnId>) {
        let open = |id: &TxnId| self.open.get(id).is_some_and(|txn| txn.state == State::Open);
        let (running, counted) = (members.iter().any(open), self.fold(members, record.voids));
        let fresh = self.numbers.id(record.number) && self.numbers.rrn(record.closed_on, record.rrn);
        self.check(Invariant::I6, fresh, "the number of the close is on record already");
        self.check(Invariant::I11, !running, "a batch is closed while a transaction of it runs");
        self.check(Invariant::I9, counted == record.counted, "the totals of a batch are not those of its transactions");
        let lawful = match (record.claimed, record.state) {
            (None, BatchState::Closed) => true,
            (Some(claimed), BatchState::Balanced) => claimed == record.counted,
            (Some(claimed), BatchState::Unbalanced) => claimed != record.counted,
            _ => false,
        };
        self.check(Invariant::I9, lawful, "a batch is said to balance that does not, or the other way round");
    }

    /// A message of an upload.
    pub(super) fn batch_uploaded(&mut self, terminal: TerminalId, batch: BatchNumber, group: &UploadedGroup) {
        let closed = self.batches.0.get_mut(&(terminal, batch)).and_then(|batch| batch.closed.as_mut());
        let awaited = closed.as_ref().is_some_and(|(state, _)| state.awaits_items()) && !group.is_empty();
        if let Some((state, _)) = closed.filter(|_| awaited) {
            *state = BatchState::Uploading;
        }
        self.check(Invariant::I11, awaited, "transactions are uploaded of a batch that awaits none");
    }

    fn fold(&self, members: &BTreeSet<TxnId>, voids: VoidsInTotals) -> BatchTotals {
        let adds = members.iter().filter_map(|id| self.adds(*id, voids));
        adds.fold(BatchTotals::default(), |totals, entry| totals.plus(entry).unwrap_or(totals))
    }

    fn adds(&self, id: TxnId, voids: VoidsInTotals) -> Option<BatchEntry> {
        let txn = self.open.get(&id).filter(|txn| txn.state.is_approved())?;
        if voids == VoidsInTotals::Removed && self.is_voided(id) {
            return None;
        }
        let amount = self.adjusted(id).unwrap_or_else(|| txn.amount());
        Some(BatchEntry { foreign: txn.foreign, direction: direction(txn.kind, voids)?, amount })
    }

    /// Whether a transaction must stay in the book for its batch.
    pub(super) fn is_unsettled(&self, id: TxnId) -> bool {
        let bound = |txn: &super::fold::Txn| {
            txn.state.is_approved() && binds(txn.kind) && self.batches.needs(txn.terminal, txn.batch)
        };
        self.open.get(&id).is_some_and(bound)
    }
}
