//! The ledger of one machine: the book in memory, and a journal that makes its facts durable.
//!
//! One lock, held for a look-up and an insertion or two: decide, apply, queue for the journal. Then,
//! without it, wait until the journal has the fact, and only then answer. Every answer waits, also one
//! that changes nothing: what it was read from may not be durable yet, and an answer given is an effect.

use super::Asked;
use super::BatchClose;
use super::BatchClosed;
use super::BatchRecord;
use super::DataKeyName;
use super::DeadLetter;
use super::Decided;
use super::Decision;
use super::Due;
use super::FollowTerms;
use super::Forwarded;
use super::Identity;
use super::Intended;
use super::Ledger;
use super::LedgerFault;
use super::OpenBatch;
use super::OriginalKey;
use super::OriginalQuery;
use super::Outbound;
use super::Outcome;
use super::Owed;
use super::Recorded;
use super::Reversal;
use super::Reversed;
use super::Stepped;
use super::TxnId;
use super::Uploaded;
use super::UploadedGroup;
use super::book::Book;
use super::closed::ClosedDays;
use super::journal::Groups;
use super::journal::Ticket;
use super::journal::codec;
use super::owed::Next;
use super::plan::Planned;
use super::plan::Room;
use super::record::Commit;
use super::record::Record;
use super::record::Standing;
use super::waiters::Waiters;
use crate::model::BatchNumber;
use crate::model::BusinessDate;
use crate::model::Clock;
use crate::model::IssuerName;
use crate::model::KeyBlock;
use crate::model::Ladder;
use crate::model::LadderEntry;
use crate::model::PanToken;
use crate::model::Revision;
use crate::model::Rrn;
use crate::model::SessionFacts;
use crate::model::Stan;
use crate::model::Subject;
use crate::model::TerminalId;
use crate::model::ZoneFacts;
use crate::mutant;
use crate::mutant::Mutant;
use crate::risk::CounterKey;
use crate::risk::MemoryRow;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The book and what makes it durable, shared by all workers behind an `Arc`.
pub struct EmbeddedLedger {
    capacity: usize,
    next: AtomicU64,
    groups: Option<Arc<Groups>>,
    /// What left the book with closed days, where that is kept.
    pub(super) closed: Option<Arc<ClosedDays>>,
    pub(super) kept: Mutex<Kept>,
}

/// What is behind the ledger's lock.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) book: Book,
    waiters: Waiters,
    /// What is owed, and may not be durable yet: the promise that it will be. A sender waits for that of its own
    /// message, not for all that others do meanwhile.
    promised: HashMap<TxnId, Ticket>,
}

impl Kept {
    /// Takes note of the ticket of a record by which something becomes owed, or is not owed any more.
    fn promise(&mut self, record: &Record, ticket: &Ticket) {
        let (Record::Decided(id, _, to) | Record::Moved(id, to) | Record::Refused(id, _, to, _)) = record else {
            return;
        };
        if to.owes().is_some() && !ticket.is_kept() {
            self.promised.insert(*id, ticket.clone());
        } else {
            self.promised.remove(id);
        }
    }
}

impl EmbeddedLedger {
    /// An empty ledger without a journal, which forgets with its process: for tests, for demonstrations,
    /// and as the yardstick of the durable one. It takes `capacity` transactions (about 1 KiB each) and
    /// twice as many reversals, and then says [`LedgerFault::Full`]; what it has, it goes on serving.
    #[must_use]
    pub fn volatile(capacity: usize) -> Self {
        Self::over(Book::default(), None, capacity)
    }

    /// A ledger that goes on from `book`, which is the fold of what `groups` follows.
    pub(super) fn durable(book: Book, groups: Arc<Groups>, closed: Arc<ClosedDays>, capacity: usize) -> Self {
        Self { closed: Some(closed), ..Self::over(book, Some(groups), capacity) }
    }

    fn over(book: Book, groups: Option<Arc<Groups>>, capacity: usize) -> Self {
        let next = AtomicU64::new(book.marks.last.0 + 1);
        Self { capacity, next, groups, closed: None, kept: Mutex::new(Kept { book, ..Kept::default() }) }
    }

    /// What the acquirer allows follow-ups from now on.
    pub fn set_follow_terms(&self, terms: FollowTerms) {
        self.kept.lock().book.terms = terms;
    }

    /// The business date of the oldest transaction in the book: no older date has anything to close.
    #[must_use]
    pub fn oldest(&self) -> Option<BusinessDate> {
        self.kept.lock().book.entries.first_key_value().map(|(_, entry)| entry.intent.date)
    }

    /// Plans, keeps, and answers once what the answer says is durable.
    async fn commit<T>(&self, plan: impl FnOnce(&Book) -> Planned<T>) -> Result<T, LedgerFault> {
        let (reply, ticket) = {
            let mut kept = self.kept.lock();
            let commit = plan(&kept.book)?;
            self.keep(&mut kept, commit)
        };
        if !mutant::is(Mutant::AnswerBeforeCommit) {
            ticket.kept().await?;
        }
        Ok(reply)
    }

    fn keep<T>(&self, kept: &mut Kept, commit: Commit<T>) -> (T, Ticket) {
        let ticket = self.push(&commit.records);
        for record in &commit.records {
            self.take_in(kept, record, &ticket);
        }
        (commit.reply, ticket)
    }

    /// Queues records for the journal: all of one commit.
    pub(super) fn push(&self, records: &[Record]) -> Ticket {
        match &self.groups {
            None => Ticket::now(),
            Some(groups) if records.is_empty() => groups.head(),
            Some(groups) => groups.push(records),
        }
    }

    /// Takes a record in that was pushed.
    pub(super) fn take_in(&self, kept: &mut Kept, record: &Record, ticket: &Ticket) {
        kept.promise(record, ticket);
        kept.book.apply(record);
        kept.waiters.announce(&kept.book, record);
        for departed in kept.book.take_departed() {
            if let Some(closed) = &self.closed {
                closed.add(departed);
            }
        }
    }

    /// The records that rebuild the book, each a tag and its payload: equal ledgers give equal dumps. Retries'
    /// times and what is in flight are not in it, for they mean nothing to another process.
    #[must_use]
    pub fn dump(&self) -> Vec<Vec<u8>> {
        let kept = self.kept.lock();
        let encoded = |record| {
            let mut out = Vec::new();
            codec::encode(&record, &mut out);
            out
        };
        kept.book.dump().map(encoded).collect()
    }

    /// What rules remember, as snapshots keep it.
    #[must_use]
    pub fn remembered(&self) -> Vec<MemoryRow> {
        self.kept.lock().book.memory.rows()
    }

    /// Every counter on which something is reserved: its sum in minor units and its count; in any order.
    #[must_use]
    pub fn reserved(&self) -> Vec<(CounterKey, u64, u32)> {
        self.kept.lock().book.counters.all().collect()
    }

    /// Everything that is in the book now.
    pub(super) fn head(&self) -> Ticket {
        self.groups.as_ref().map_or_else(Ticket::now, |groups| groups.head())
    }

    pub(super) fn room(&self) -> Room {
        Room { capacity: self.capacity, on_disk: self.groups.as_ref().is_none_or(|groups| groups.has_room()) }
    }

    /// The next due entry, now in flight, with the ticket of what made it due.
    fn take_due(&self, issuer: &IssuerName, now: Duration) -> (Next<Due>, Ticket) {
        let mut kept = self.kept.lock();
        let next = kept.book.take_due(issuer, now);
        let ticket = match &next {
            Next::Now(due) => kept.promised.get(&due.original.id).cloned(),
            Next::At(_) | Next::Nothing => None,
        };
        (next, ticket.unwrap_or_else(Ticket::now))
    }
}

impl Ledger for EmbeddedLedger {
    fn number(&self, date: BusinessDate) -> (TxnId, Rrn) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        (TxnId(id), Rrn::numbered(date, id))
    }

    async fn intend(&self, asked: impl Into<Asked> + Send) -> Result<Intended, LedgerFault> {
        let (told, ticket) = self.intend_after(asked.into())?;
        ticket.kept().await?;
        Ok(told)
    }

    async fn reroute(&self, id: TxnId, outbound: Outbound) -> Result<Option<Decided>, LedgerFault> {
        self.commit(|book| book.plan_reroute(id, outbound)).await
    }

    fn knows(&self, identity: &Identity) -> bool {
        let in_book = self.kept.lock().book.identities.request(identity).is_some();
        in_book
            || match self.remember(|closed| vec![closed.keyed.request(identity)]) {
                Ok((_, memory)) => memory.transaction(|standing| standing.intent.identity == *identity).is_some(),
                // What cannot be read is not unknown.
                Err(_) => true,
            }
    }

    async fn decided(&self, id: TxnId) -> Result<Decided, LedgerFault> {
        let (known, mut decision) = {
            let mut kept = self.kept.lock();
            let Ok(entry) = kept.book.entry(id) else {
                drop(kept);
                return self.decided_before(id);
            };
            let known = entry.decided();
            let waits = known.is_none().then(|| kept.waiters.decision(id));
            (known, waits)
        };
        let decided = match &mut decision {
            None => known,
            Some(decision) => decision.wait_for(Option::is_some).await.ok().and_then(|decided| decided.clone()),
        };
        self.head().kept().await?;
        decided.ok_or(LedgerFault::Unknown)
    }

    async fn decide(&self, id: TxnId, decision: Decision) -> Result<Decided, LedgerFault> {
        let (decided, ticket) = self.decide_after(id, decision)?;
        ticket.kept().await?;
        Ok(decided)
    }

    async fn told(&self, id: TxnId) {
        let told = {
            let mut kept = self.kept.lock();
            let owed = kept.book.entry(id).is_ok_and(|entry| entry.state.is_untold());
            owed.then(|| kept.waiters.told(id))
        };
        if let Some(mut told) = told {
            // The sender goes when it is told: that is all it says.
            let _ = told.changed().await;
        }
    }

    async fn reverse_of(&self, reversal: Reversal, card: Option<PanToken>) -> Result<Reversed, LedgerFault> {
        let (reversed, ticket) = self.reverse_after(reversal, card)?;
        ticket.kept().await?;
        Ok(reversed)
    }

    async fn note_late(&self, issuer: &IssuerName, rrn: Rrn, outcome: Outcome) -> Result<Option<TxnId>, LedgerFault> {
        let (whose, ticket) = self.note_late_after(issuer, rrn, outcome)?;
        ticket.kept().await?;
        Ok(whose)
    }

    async fn note_terminal(&self, terminal: TerminalId, facts: SessionFacts) -> Result<(), LedgerFault> {
        self.commit(|book: &Book| Ok(Commit { records: book.note(terminal, facts).into_iter().collect(), reply: () }))
            .await
    }

    fn terminal(&self, terminal: TerminalId) -> Option<SessionFacts> {
        self.kept.lock().book.terminals.get(&terminal).cloned()
    }

    fn terminals(&self) -> Vec<(TerminalId, SessionFacts)> {
        self.kept.lock().book.terminals.iter().map(|(terminal, facts)| (*terminal, facts.clone())).collect()
    }

    async fn close_batch(&self, close: BatchClose) -> Result<BatchClosed, LedgerFault> {
        let plan = |book: &Book| {
            // Drawn with the book in hand: whatever is in the batch has a smaller number.
            let number = self.number(close.date);
            book.plan_close_batch(close, number)
        };
        self.commit(plan).await
    }

    async fn note_items(
        &self,
        terminal: TerminalId,
        batch: BatchNumber,
        group: UploadedGroup,
    ) -> Result<Uploaded, LedgerFault> {
        self.commit(|book| book.plan_upload((terminal, batch), group)).await
    }

    async fn end_upload(&self, terminal: TerminalId, batch: BatchNumber) -> Result<Uploaded, LedgerFault> {
        self.commit(|book| book.plan_end_upload(terminal, batch)).await
    }

    fn batch(&self, terminal: TerminalId, batch: BatchNumber) -> Option<BatchRecord> {
        self.kept.lock().book.batches.record(terminal, batch).cloned()
    }

    fn latest_batch(&self, terminal: TerminalId, wanted: impl Fn(&BatchRecord) -> bool) -> Option<BatchRecord> {
        self.kept.lock().book.batches.latest(terminal, wanted).cloned()
    }

    fn batches(&self, terminal: TerminalId) -> Vec<BatchRecord> {
        self.kept.lock().book.batches.of(terminal).cloned().collect()
    }

    fn open_batch(&self, terminal: TerminalId, batch: BatchNumber) -> Option<OpenBatch> {
        self.kept.lock().book.open_batch(terminal, batch)
    }

    fn data_keys(&self) -> Vec<(DataKeyName, KeyBlock)> {
        self.kept.lock().book.data_keys.iter().map(|(name, block)| (*name, block.clone())).collect()
    }

    async fn keep_data_key(&self, name: DataKeyName, block: KeyBlock) -> Result<KeyBlock, LedgerFault> {
        let plan = |book: &Book| match book.data_keys.get(&name) {
            Some(known) => Ok(Commit::nothing(known.clone())),
            None => Ok(Commit::of([Record::DataKey(name, block.clone())], block)),
        };
        self.commit(plan).await
    }

    fn last_stan(&self, issuer: &IssuerName) -> Option<Stan> {
        self.kept.lock().book.stans.get(issuer).copied()
    }

    async fn keep_stan(&self, issuer: &IssuerName, stan: Stan) -> Result<(), LedgerFault> {
        self.commit(|_| Ok(Commit::of([Record::Stan(issuer.clone(), stan)], ()))).await
    }

    async fn note_zone(&self, issuer: &IssuerName, facts: ZoneFacts) -> Result<(), LedgerFault> {
        let plan = |book: &Book| match book.zones.get(issuer) {
            Some(newer) if newer.version > facts.version => Ok(Commit::nothing(())),
            _ => Ok(Commit::of([Record::Zone(issuer.clone(), facts)], ())),
        };
        self.commit(plan).await
    }

    fn zones(&self) -> Vec<(IssuerName, ZoneFacts)> {
        self.kept.lock().book.zones.iter().map(|(issuer, facts)| (issuer.clone(), facts.clone())).collect()
    }

    async fn next_due<C: Clock>(&self, issuer: &IssuerName, clock: &C) -> Due {
        let bell = self.kept.lock().waiters.queue(issuer);
        loop {
            let now = clock.monotonic();
            match self.take_due(issuer, now) {
                (Next::Now(due), ticket) => {
                    // Another sender of this issuer may wait for what is left.
                    bell.notify_one();
                    let taken = Taken { ledger: self, id: due.original.id, at: now };
                    match ticket.kept().await {
                        Ok(()) => {
                            taken.handed_out();
                            return due;
                        }
                        // The ledger failed: the station stops, and nobody is handed anything any more.
                        Err(_) => std::future::pending().await,
                    }
                }
                (Next::Nothing, _) => bell.notified().await,
                (Next::At(at), _) => tokio::select! {
                    biased;
                    () = bell.notified() => {}
                    () = clock.deadline(at.saturating_sub(now)) => {}
                },
            }
        }
    }

    async fn sending(&self, id: TxnId, what: Owed, stan: Stan) -> Result<bool, LedgerFault> {
        self.commit(|book| book.plan_sending(id, what, stan)).await
    }

    async fn acknowledge(&self, id: TxnId, what: Owed, forwarded: Forwarded) -> Result<(), LedgerFault> {
        let ticket = {
            let mut kept = self.kept.lock();
            let commit = kept.book.plan_acknowledgement(id, what, forwarded)?;
            match forwarded {
                Forwarded::Retry(at) => kept.book.postpone(id, at),
                // Not owed any more: what took its place may go at once.
                _ if commit.records.is_empty() => kept.book.postpone(id, Duration::ZERO),
                _ => {}
            }
            let ((), ticket) = self.keep(&mut kept, commit);
            kept.waiters.ring(&kept.book, id);
            ticket
        };
        ticket.kept().await
    }

    fn find(&self, id: TxnId) -> Option<Recorded> {
        let in_book = self.kept.lock().book.recorded(id);
        in_book.or_else(|| self.recorded_before(|closed| closed.keyed.id(id), |standing| standing.intent.id == id))
    }

    fn original(&self, key: &OriginalKey) -> Option<Recorded> {
        let in_book = {
            let kept = self.kept.lock();
            kept.book.identities.original(key).and_then(|id| kept.book.recorded(id))
        };
        let wanted = |standing: &Standing| key.means(&standing.intent.identity);
        in_book.or_else(|| self.recorded_before(|closed| closed.keyed.original(key.terminal, key), wanted))
    }

    fn find_original(&self, query: &OriginalQuery) -> Result<Option<Recorded>, LedgerFault> {
        let in_book = {
            let kept = self.kept.lock();
            kept.book.original_of(query).and_then(|id| kept.book.recorded(id))
        };
        if in_book.is_some() {
            return Ok(in_book);
        }
        let (_, memory) = self.remember(|closed| query.keys(closed.keyed))?;
        Ok(memory.transaction(|standing| query.means_standing(standing)).map(Standing::recorded))
    }

    fn open_intents(&self) -> Vec<TxnId> {
        let kept = self.kept.lock();
        let open = kept.book.entries.iter().filter(|(_, entry)| entry.answer.is_none());
        open.map(|(id, _)| *id).collect()
    }

    fn owed(&self) -> Vec<(IssuerName, usize)> {
        self.kept.lock().book.owed()
    }

    fn dead_letters(&self) -> Vec<DeadLetter> {
        self.kept.lock().book.dead_letters()
    }

    async fn close_day(&self, date: BusinessDate) -> Result<(), LedgerFault> {
        let close = |book: &Book| Ok(Commit::of([Record::Closed(date)], book.closes_in_parts(date)));
        while self.commit(close).await? {}
        Ok(())
    }

    async fn step(&self, entry: LadderEntry) -> Result<Stepped, LedgerFault> {
        self.commit(|book| book.plan_step(entry)).await
    }

    fn ladder(&self, subject: &Subject) -> Option<Ladder> {
        self.kept.lock().book.ladders.get(subject).cloned()
    }

    fn ladders(&self) -> Vec<(Subject, Ladder)> {
        self.kept.lock().book.ladders.iter().map(|(subject, ladder)| (*subject, ladder.clone())).collect()
    }

    async fn revise(&self, revision: Revision) -> Result<Option<&'static str>, LedgerFault> {
        self.commit(|book| book.plan_revision(revision)).await
    }

    fn revisions(&self) -> Vec<Revision> {
        self.kept.lock().book.revisions.iter().cloned().collect()
    }

    fn records(&self) -> Vec<Recorded> {
        let kept = self.kept.lock();
        kept.book.entries.keys().filter_map(|id| kept.book.recorded(*id)).collect()
    }
}

/// An entry taken from a queue and not handed out yet. Whoever asked for it may go away meanwhile: then
/// it goes back to where it was.
struct Taken<'a> {
    ledger: &'a EmbeddedLedger,
    id: TxnId,
    at: Duration,
}

impl Taken<'_> {
    fn handed_out(self) {
        std::mem::forget(self);
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut kept = self.ledger.kept.lock();
        kept.book.postpone(self.id, self.at);
        kept.waiters.ring(&kept.book, self.id);
    }
}
