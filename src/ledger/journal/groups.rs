//! Group commit: what is pushed while one group is being written becomes the next group.

use super::Batch;
use super::Head;
use super::Ticket;
use super::codec;
use super::format::MAX_RECORDS;
use super::ticket::Fate;
use crate::ledger::record::Record;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::Notify;

/// A batch takes records up to this many bytes; then another is opened. One commit is never split.
pub const BATCH_BYTES: usize = 1 << 20;

/// The core of group commit, shared by the ledger, which pushes, and the writer, which takes. Knows
/// neither time nor disk: the simulated world runs it as it is.
#[derive(Debug)]
pub struct Groups {
    limit: usize,
    state: Mutex<State>,
    work: Notify,
}

#[derive(Debug)]
struct State {
    /// Last durable group.
    durable: Head,
    /// Number of the next batch to be opened.
    next: u64,
    /// What the next batch will likely need, in bytes: as much as the last one.
    size: usize,
    /// Batches not yet taken, none of them empty; the last one is open.
    waiting: VecDeque<Pending>,
    /// The group being written.
    writing: Option<(u64, Arc<Fate>)>,
    failed: Option<Arc<Fate>>,
    closed: bool,
    room: bool,
}

#[derive(Debug)]
struct Pending {
    batch: Batch,
    fate: Arc<Fate>,
}

impl Groups {
    /// A core that goes on after `head`, the last durable group.
    #[must_use]
    pub fn new(head: Head) -> Self {
        Self::with_limit(head, BATCH_BYTES)
    }

    /// The same with batches of at most `limit` bytes of records (a single commit may exceed it).
    #[must_use]
    pub fn with_limit(head: Head, limit: usize) -> Self {
        let state = State {
            durable: head,
            next: head.number + 1,
            size: 0,
            waiting: VecDeque::new(),
            writing: None,
            failed: None,
            closed: false,
            room: true,
        };
        Self { limit, state: Mutex::new(state), work: Notify::new() }
    }

    /// Takes the records of one commit, all into one group. Not yet durable: that is what the ticket says.
    /// Without records it is [`Groups::head`].
    #[allow(dead_code, reason = "the embedded ledger pushes")]
    pub(in crate::ledger) fn push(&self, records: &[Record]) -> Ticket {
        self.push_with(records.len(), |batch| {
            for record in records {
                batch.append(|out| codec::encode(record, out));
            }
        })
    }

    /// The same for records that are bytes already: each is a tag and its payload, at least one byte.
    pub fn push_encoded(&self, records: &[&[u8]]) -> Ticket {
        self.push_with(records.len(), |batch| {
            for record in records {
                batch.append(|out| out.extend_from_slice(record));
            }
        })
    }

    fn push_with(&self, count: usize, append: impl FnOnce(&mut Batch)) -> Ticket {
        let mut state = self.state.lock();
        if count == 0 || state.failed.is_some() {
            return state.head();
        }
        if state.waiting.is_empty() {
            state.open();
        }
        let Some(open) = state.waiting.back_mut() else { return state.head() };
        let (length, before) = (open.batch.records().len(), open.batch.count());
        append(&mut open.batch);
        let added = open.batch.records().len() - length;
        if added > MAX_RECORDS {
            drop(state);
            self.fail("a commit is larger than a group may be");
            return self.head();
        }
        if length > 0 && length + added > self.limit {
            let count = open.batch.count() - before;
            let batch = open.batch.split(length, count);
            state.next = batch.number() + 1;
            state.waiting.push_back(Pending { batch, fate: Arc::default() });
        }
        let ticket = state.head();
        drop(state);
        self.work.notify_one();
        ticket
    }

    /// The ticket of everything pushed so far. Kept, if all of it is durable.
    pub fn head(&self) -> Ticket {
        self.state.lock().head()
    }

    /// Hands out the oldest batch, closed, to be written. `None` if there is nothing to write, or while
    /// the batch handed out last is not [`Groups::synced`], or after a failure.
    #[must_use]
    pub fn take(&self) -> Option<Batch> {
        let mut state = self.state.lock();
        if state.writing.is_some() || state.failed.is_some() {
            return None;
        }
        let Pending { batch, fate } = state.waiting.pop_front()?;
        state.writing = Some((batch.number(), fate));
        state.size = batch.size();
        Some(batch)
    }

    /// The batch handed out last is durable, as the group that `head` names. Wakes who waits for it.
    pub fn synced(&self, head: Head) {
        let fate = {
            let mut state = self.state.lock();
            match state.writing.take() {
                Some((number, fate)) if number == head.number && state.failed.is_none() => {
                    state.durable = head;
                    fate
                }
                other => {
                    state.writing = other;
                    return;
                }
            }
        };
        fate.settle(Ok(()));
    }

    /// A write or a sync failed: what was pushed and is not durable, and whatever is pushed from now on,
    /// fails with [`LedgerFault::Failed`](crate::ledger::LedgerFault::Failed). There is no way back.
    pub fn fail(&self, why: &str) {
        // Woken without the lock: a waker may come back here.
        let waiting = self.state.lock().fail(why);
        waiting.iter().for_each(|fate| fate.settle(Err(why.to_owned())));
        self.work.notify_one();
    }

    /// Whether it failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.state.lock().failed.is_some()
    }

    /// Completes when [`Groups::take`] would give something, and after a failure or [`Groups::close`].
    /// For one waiter: the writer.
    pub async fn work(&self) {
        loop {
            let pushed = self.work.notified();
            if self.state.lock().has_work() {
                return;
            }
            pushed.await;
        }
    }

    /// Nothing will be pushed any more: the writer ends after what waits. What is pushed nevertheless is
    /// written while the writer still runs.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.work.notify_one();
    }

    /// Whether [`Groups::close`] was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// Says whether there is room for the next segment. While there is not, intents are told
    /// [`LedgerFault::Full`](crate::ledger::LedgerFault::Full); what is under way ends in the present segment.
    pub fn set_room(&self, room: bool) {
        self.state.lock().room = room;
    }

    /// Whether there is room for the next segment, as far as is known.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.state.lock().room
    }

    /// The last durable group, for the anchor.
    #[must_use]
    pub fn durable(&self) -> Head {
        self.state.lock().durable
    }
}

impl State {
    fn open(&mut self) {
        let batch = Batch::new(self.next, self.size);
        self.next += 1;
        self.waiting.push_back(Pending { batch, fate: Arc::default() });
    }

    fn head(&self) -> Ticket {
        let waiting = self.waiting.back().map(|pending| &pending.fate);
        let writing = self.writing.as_ref().map(|(_, fate)| fate);
        self.failed.as_ref().or(waiting).or(writing).map_or_else(Ticket::now, Ticket::of)
    }

    fn has_work(&self) -> bool {
        self.failed.is_some() || self.closed || (!self.waiting.is_empty() && self.writing.is_none())
    }

    /// Fails, and gives back those whose waiters must be told.
    fn fail(&mut self, why: &str) -> Vec<Arc<Fate>> {
        if self.failed.is_some() {
            return Vec::new();
        }
        self.failed = Some(Fate::failed(why));
        let waiting = self.waiting.drain(..).map(|pending| pending.fate);
        waiting.chain(self.writing.take().map(|(_, fate)| fate)).collect()
    }
}
