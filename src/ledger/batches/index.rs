//! Which transactions belong to which batch, and what became of batches: a part of the book.

use super::BatchRecord;
use super::BatchState;
use super::CLOSED_KEPT;
use super::UploadedGroup;
use crate::ledger::Intent;
use crate::ledger::TxnId;
use crate::ledger::record::Record;
use crate::model::BatchNumber;
use crate::model::TerminalId;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

type Key = (TerminalId, BatchNumber);

/// All batches: those that take transactions, and those that do not any more.
#[derive(Debug, Default)]
pub(in crate::ledger) struct Index {
    /// The transactions of batches that are open, or whose upload has not ended. Only what was intended is in
    /// one: a number that somebody wrote into a request which was declined at once opens no batch.
    members: BTreeMap<Key, BTreeSet<TxnId>>,
    over: BTreeMap<Key, Over>,
}

/// A batch that takes no transactions any more.
#[derive(Debug)]
struct Over {
    record: BatchRecord,
    /// What was uploaded, message by message, until the upload ends.
    groups: Vec<UploadedGroup>,
}

impl Index {
    /// A transaction begins.
    pub(in crate::ledger) fn enter(&mut self, intent: &Intent) {
        if let Some(batch) = intent.batch {
            self.members.entry((intent.identity.terminal, batch)).or_default().insert(intent.id);
        }
    }

    /// A transaction comes as it stands: it belongs to its batch if that is not over.
    pub(in crate::ledger) fn restore(&mut self, intent: &Intent) {
        let batch = intent.batch.and_then(|batch| self.members.get_mut(&(intent.identity.terminal, batch)));
        if let Some(members) = batch {
            members.insert(intent.id);
        }
    }

    /// A snapshot says that a batch is open.
    pub(in crate::ledger) fn opened(&mut self, terminal: TerminalId, batch: BatchNumber) {
        self.members.entry((terminal, batch)).or_default();
    }

    /// A batch is closed, or moves on.
    pub(in crate::ledger) fn closed(&mut self, record: &BatchRecord) {
        let key = (record.terminal, record.batch);
        let groups = self.over.remove(&key).map(|over| over.groups).filter(|_| record.state.awaits_items());
        if record.state.awaits_items() {
            self.members.entry(key).or_default();
        } else {
            self.members.remove(&key);
        }
        self.over.insert(key, Over { record: record.clone(), groups: groups.unwrap_or_default() });
        self.trim(record.terminal);
    }

    /// A terminal uploads transactions.
    pub(in crate::ledger) fn uploaded(&mut self, terminal: TerminalId, batch: BatchNumber, group: &UploadedGroup) {
        let Some(over) = self.over.get_mut(&(terminal, batch)) else { return };
        over.record.state = BatchState::Uploading;
        over.record.items = over.record.items.saturating_add(u32::try_from(group.len()).unwrap_or(u32::MAX));
        over.groups.push(group.clone());
    }

    /// Lets go the oldest closed batch of a terminal that has too many.
    fn trim(&mut self, terminal: TerminalId) {
        let closed = self.of(terminal).filter(|record| !record.state.awaits_items());
        let (mut count, mut oldest) = (0, None);
        for record in closed {
            count += 1;
            if oldest.is_none_or(|(at, _)| record.closed_at < at) {
                oldest = Some((record.closed_at, record.batch));
            }
        }
        if let Some((_, batch)) = oldest.filter(|_| count > CLOSED_KEPT) {
            self.over.remove(&(terminal, batch));
        }
    }

    /// The transactions of a batch that is open, or whose upload has not ended.
    pub(super) fn members(&self, terminal: TerminalId, batch: BatchNumber) -> Option<&BTreeSet<TxnId>> {
        self.members.get(&(terminal, batch))
    }

    /// Whether the batch of a transaction still needs its transactions.
    pub(in crate::ledger) fn needs(&self, intent: &Intent) -> bool {
        intent.batch.is_some_and(|batch| self.members.contains_key(&(intent.identity.terminal, batch)))
    }

    /// A batch that takes no transactions any more.
    pub(in crate::ledger) fn record(&self, terminal: TerminalId, batch: BatchNumber) -> Option<&BatchRecord> {
        self.over.get(&(terminal, batch)).map(|over| &over.record)
    }

    /// The batch that was closed last of those that are wanted.
    pub(in crate::ledger) fn latest(
        &self,
        terminal: TerminalId,
        wanted: impl Fn(&BatchRecord) -> bool,
    ) -> Option<&BatchRecord> {
        self.of(terminal).filter(|record| wanted(record)).max_by_key(|record| record.number)
    }

    /// What was uploaded of a batch.
    pub(super) fn groups(&self, terminal: TerminalId, batch: BatchNumber) -> &[UploadedGroup] {
        self.over.get(&(terminal, batch)).map_or(&[], |over| &over.groups)
    }

    /// A terminal's batches that take no transactions any more, in order of their numbers.
    pub(in crate::ledger) fn of(&self, terminal: TerminalId) -> impl Iterator<Item = &BatchRecord> {
        let keys = (terminal, BatchNumber::default())..=(terminal, BatchNumber::LAST);
        self.over.range(keys).map(|(_, over)| &over.record)
    }

    /// The batches that take transactions, by terminal and number.
    pub(in crate::ledger) fn open(&self) -> impl Iterator<Item = Key> {
        self.members.keys().copied().filter(|key| !self.over.contains_key(key))
    }

    /// The records that rebuild it. Transactions come after them.
    pub(in crate::ledger) fn dump(&self) -> impl Iterator<Item = Record> {
        let open = self.open().map(|(terminal, batch)| Record::Opened(terminal, batch));
        open.chain(self.over.values().flat_map(Over::dump))
    }
}

impl Over {
    /// The batch as it was before its upload, then the upload.
    fn dump(&self) -> impl Iterator<Item = Record> {
        let mut record = self.record.clone();
        let (terminal, batch) = (record.terminal, record.batch);
        if !self.groups.is_empty() {
            (record.state, record.items) = (BatchState::Unbalanced, 0);
        }
        let groups = self.groups.iter().map(move |group| Record::Uploaded(terminal, batch, group.clone()));
        [Record::Batch(Box::new(record))].into_iter().chain(groups)
    }
}
