//! What closing a batch records, decided from the book alone.

use super::AWAITED_AT_MOST;
use super::BatchClose;
use super::BatchClosed;
use super::BatchRecord;
use super::BatchState;
use super::ClosedBy;
use super::ITEMS_AT_MOST;
use super::OpenBatch;
use super::Uploaded;
use super::UploadedGroup;
use crate::ledger::Intent;
use crate::ledger::TxnId;
use crate::ledger::book::Book;
use crate::ledger::lifecycle::State;
use crate::ledger::plan::Planned;
use crate::ledger::record::Commit;
use crate::ledger::record::Record;
use crate::ledger::record::Records;
use crate::model::BatchNumber;
use crate::model::BatchTotals;
use crate::model::Rrn;
use crate::model::TerminalId;
use crate::model::VoidsInTotals;
use crate::mutant;
use crate::mutant::Mutant;
use smallvec::SmallVec;

impl Book {
    /// Whether the batch of a transaction takes none any more.
    pub(in crate::ledger) fn batch_is_over(&self, intent: &Intent) -> bool {
        intent.batch.is_some_and(|batch| self.batches.record(intent.identity.terminal, batch).is_some())
    }

    /// A batch's close with its totals and the session's next batch, in one commit; once. A transaction that is
    /// not decided yet is waited for.
    pub(in crate::ledger) fn plan_close_batch(&self, close: BatchClose, number: (TxnId, Rrn)) -> Planned<BatchClosed> {
        if let Some(record) = self.closed_before(&close) {
            return Ok(self.plan_close_again(record, close));
        }
        let running = self.running(close.terminal, close.batch);
        if let Some(running) = running.filter(|_| !mutant::is(Mutant::StraddlesClose)) {
            return Ok(Commit::nothing(BatchClosed::Running(running)));
        }
        let counted = self.totals(close.terminal, close.batch, close.voids);
        // The ledger has them apart: by its own sums, if together they are what is claimed.
        let same = |claimed: &BatchTotals| !close.apart && claimed.together() == counted.together();
        let claimed = close.claimed.map(|claimed| if same(&claimed) { counted } else { claimed });
        let state = match claimed {
            None => BatchState::Closed,
            Some(claimed) if claimed == counted => BatchState::Balanced,
            Some(_) => BatchState::Unbalanced,
        };
        let given_up = self.given_up(close.terminal, state);
        let record = Box::new(BatchRecord {
            number: number.0,
            terminal: close.terminal,
            batch: close.batch,
            told_as: close.told_as.filter(|own| *own != close.batch),
            merchant: close.merchant,
            test_mode: close.test_mode,
            state,
            claimed,
            counted,
            voids: close.voids,
            closed_on: close.date,
            closed_at: close.received,
            rrn: number.1,
            by: close.by,
            items: 0,
            differences: SmallVec::new(),
        });
        let known = self.terminals.get(&close.terminal).map_or(0, |facts| facts.version);
        let session = close.session.filter(|session| session.version >= known);
        let session = session.map(|session| Record::Terminal(close.terminal, session));
        let numbers = given_up.iter().map(|record| record.batch).collect();
        let closed = given_up.into_iter().map(|record| Record::Batch(Box::new(record)));
        let records: Records = closed.chain([Record::Batch(record.clone())]).chain(session).collect();
        Ok(Commit { records, reply: BatchClosed::Closed { record, given_up: numbers } })
    }

    /// The terminal's oldest batches whose uploads are awaited, where it would have too many of them with one in
    /// `state`.
    fn given_up(&self, terminal: TerminalId, state: BatchState) -> Vec<BatchRecord> {
        let awaiting = self.batches.of(terminal).filter(|record| record.state.awaits_items());
        let mut awaiting: Vec<&BatchRecord> = awaiting.collect();
        awaiting.sort_unstable_by_key(|record| record.number);
        let over = (awaiting.len() + usize::from(state.awaits_items())).saturating_sub(AWAITED_AT_MOST);
        let given_up = |record: &&BatchRecord| BatchRecord { state: BatchState::GivenUp, ..(*record).clone() };
        awaiting.iter().take(over).map(given_up).collect()
    }

    /// The batch of this number, or with these totals of this number of its terminal's, that takes none any more.
    fn closed_before(&self, close: &BatchClose) -> Option<&BatchRecord> {
        let repeated = |own: BatchNumber| {
            self.batches.latest(close.terminal, |record| record.own_number() == own && close.repeats(record))
        };
        close.told_as.and_then(repeated).or_else(|| self.batches.record(close.terminal, close.batch))
    }

    /// What is asked of a batch that takes no transactions any more. An operator ends what its terminal does not.
    fn plan_close_again(&self, record: &BatchRecord, close: BatchClose) -> Commit<BatchClosed> {
        let known = Box::new(record.clone());
        match close.by {
            ClosedBy::Operator { .. } if !record.state.is_over() => {
                let record = Box::new(BatchRecord { by: close.by, ..self.ended(record) });
                let given_up = SmallVec::new();
                Commit::of([Record::Batch(record.clone())], BatchClosed::Closed { record, given_up })
            }
            ClosedBy::Terminal if close.repeats(record) => Commit::nothing(BatchClosed::Repeat(known)),
            _ => Commit::nothing(BatchClosed::Differs(known)),
        }
    }

    fn ended(&self, record: &BatchRecord) -> BatchRecord {
        let (terminal, batch) = (record.terminal, record.batch);
        let groups = self.batches.groups(terminal, batch);
        let differences = match record.state.awaits_items() {
            true => self.differences((terminal, batch), groups, record.voids),
            false => record.differences.clone(),
        };
        BatchRecord { state: BatchState::Closed, differences, ..record.clone() }
    }

    /// A message of an upload. The same one again changes nothing.
    pub(in crate::ledger) fn plan_upload(
        &self,
        (terminal, batch): (TerminalId, BatchNumber),
        group: UploadedGroup,
    ) -> Planned<Uploaded> {
        let Some(record) = self.batches.record(terminal, batch) else { return Ok(Commit::nothing(Uploaded::Unknown)) };
        let known = self.batches.groups(terminal, batch).contains(&group);
        if known || group.is_empty() || !record.state.awaits_items() {
            return Ok(Commit::nothing(Uploaded::Nothing));
        }
        let items = usize::try_from(record.items).unwrap_or(usize::MAX);
        if items.saturating_add(group.len()) > ITEMS_AT_MOST {
            return Ok(Commit::nothing(Uploaded::TooMany));
        }
        Ok(Commit::of([Record::Uploaded(terminal, batch, group)], Uploaded::Noted))
    }

    /// An upload's end: the batch is over, and what differs is kept with it.
    pub(in crate::ledger) fn plan_end_upload(&self, terminal: TerminalId, batch: BatchNumber) -> Planned<Uploaded> {
        let Some(record) = self.batches.record(terminal, batch) else { return Ok(Commit::nothing(Uploaded::Unknown)) };
        if record.state.is_over() {
            return Ok(Commit::nothing(Uploaded::Ended(Box::new(record.clone()))));
        }
        let ended = Box::new(self.ended(record));
        Ok(Commit::of([Record::Batch(ended.clone())], Uploaded::Ended(ended)))
    }

    fn running(&self, terminal: TerminalId, batch: BatchNumber) -> Option<TxnId> {
        let mut members = self.batches.members(terminal, batch).into_iter().flatten().copied();
        members.find(|id| self.entries.get(id).is_some_and(|entry| entry.state == State::Open))
    }

    /// A batch that takes transactions, as it is now. Voids are counted as they are by default: how the
    /// terminal's door has them is known when it is closed.
    pub(in crate::ledger) fn open_batch(&self, terminal: TerminalId, batch: BatchNumber) -> Option<OpenBatch> {
        self.batches.members(terminal, batch)?;
        if self.batches.record(terminal, batch).is_some() {
            return None;
        }
        let counted = self.totals(terminal, batch, VoidsInTotals::default());
        Some(OpenBatch { terminal, batch, counted, running: self.running(terminal, batch) })
    }
}

impl BatchClose {
    /// Whether a terminal says again what `record` was closed with.
    fn repeats(&self, record: &BatchRecord) -> bool {
        self.claimed.is_some_and(|claimed| record.was_claimed(&claimed, self.apart))
    }
}
