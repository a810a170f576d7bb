//! The ledger that forgets with its process: for the demo, for tests, and as the yardstick of the others.

use super::Decided;
use super::Decision;
use super::Due;
use super::Forwarded;
use super::Identity;
use super::Intended;
use super::Intent;
use super::Ledger;
use super::LedgerFault;
use super::Outbound;
use super::Outcome;
use super::Recorded;
use super::Reversal;
use super::Reversed;
use super::TxnId;
use super::book::Book;
use super::book::Entry;
use super::owed::Next;
use super::record::Commit;
use super::record::Record;
use super::waiters::Waiters;
use crate::model::BusinessDate;
use crate::model::Clock;
use crate::model::IssuerName;
use crate::model::Rrn;
use crate::model::SessionFacts;
use crate::model::TerminalId;
use parking_lot::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

/// A ledger in memory, shared by all workers behind an `Arc`. One lock, held for a look-up and an
/// insertion or two.
pub struct MemoryLedger {
    capacity: usize,
    next: AtomicU64,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    book: Book,
    waiters: Waiters,
}

impl Kept {
    /// Keeps the records of a commit and tells who waits.
    fn keep<T>(&mut self, commit: Commit<T>) -> T {
        for record in &commit.records {
            self.book.apply(record);
            self.waiters.announce(&self.book, record);
        }
        commit.reply
    }
}

impl MemoryLedger {
    /// An empty ledger that takes `capacity` transactions (about 1 KiB each) and twice as many
    /// reversals, and then says [`LedgerFault::Full`]; what it has, it goes on serving.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { capacity, next: AtomicU64::new(1), kept: Mutex::default() }
    }
}

impl Ledger for MemoryLedger {
    fn number(&self, date: BusinessDate) -> (TxnId, Rrn) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        (TxnId(id), Rrn::numbered(date, id))
    }

    async fn intend(&self, intent: Intent) -> Result<Intended, LedgerFault> {
        let mut kept = self.kept.lock();
        let commit = kept.book.plan_intent(intent, self.capacity)?;
        Ok(kept.keep(commit))
    }

    async fn reroute(&self, id: TxnId, outbound: Outbound) -> Result<Option<Decided>, LedgerFault> {
        let mut kept = self.kept.lock();
        let commit = kept.book.plan_reroute(id, outbound)?;
        Ok(kept.keep(commit))
    }

    async fn decided(&self, id: TxnId) -> Result<Decided, LedgerFault> {
        let mut decision = {
            let mut kept = self.kept.lock();
            match kept.book.entry(id)?.decided() {
                Some(decided) => return Ok(decided),
                None => kept.waiters.decision(id),
            }
        };
        let decided = decision.wait_for(Option::is_some).await.ok().and_then(|decided| decided.clone());
        decided.ok_or(LedgerFault::Unknown)
    }

    async fn decide(&self, id: TxnId, decision: Decision) -> Result<Decided, LedgerFault> {
        let mut kept = self.kept.lock();
        let commit = kept.book.plan_decision(id, decision)?;
        Ok(kept.keep(commit))
    }

    async fn reverse(&self, reversal: Reversal) -> Result<Reversed, LedgerFault> {
        let (_, rrn) = self.number(reversal.date);
        let mut kept = self.kept.lock();
        let commit = kept.book.plan_reversal(reversal, rrn, self.capacity)?;
        Ok(kept.keep(commit))
    }

    fn knows(&self, identity: &Identity) -> bool {
        self.kept.lock().book.identities.request(identity).is_some()
    }

    async fn note_late(&self, issuer: &IssuerName, rrn: Rrn, outcome: Outcome) -> Result<Option<TxnId>, LedgerFault> {
        let mut kept = self.kept.lock();
        let commit = kept.book.plan_late(issuer, rrn, outcome)?;
        Ok(kept.keep(commit))
    }

    async fn note_terminal(&self, terminal: TerminalId, facts: SessionFacts) -> Result<(), LedgerFault> {
        self.kept.lock().keep(Commit::of([Record::Terminal(terminal, facts)], ()));
        Ok(())
    }

    fn terminal(&self, terminal: TerminalId) -> Option<SessionFacts> {
        self.kept.lock().book.terminals.get(&terminal).cloned()
    }

    async fn next_due<C: Clock>(&self, issuer: &IssuerName, clock: &C) -> Due {
        let bell = self.kept.lock().waiters.queue(issuer);
        loop {
            let now = clock.monotonic();
            let next = self.kept.lock().book.take_due(issuer, now);
            match next {
                Next::Now(due) => {
                    // Another sender of this issuer may wait for what is left.
                    bell.notify_one();
                    return due;
                }
                Next::Nothing => bell.notified().await,
                Next::At(at) => tokio::select! {
                    biased;
                    () = bell.notified() => {}
                    () = clock.deadline(at.saturating_sub(now)) => {}
                },
            }
        }
    }

    async fn acknowledge(&self, id: TxnId, forwarded: Forwarded) -> Result<(), LedgerFault> {
        let mut kept = self.kept.lock();
        let commit = kept.book.plan_acknowledgement(id, forwarded)?;
        if let Forwarded::Retry(at) | Forwarded::NotSent(at) = forwarded {
            kept.book.postpone(id, at);
        }
        kept.keep(commit);
        Ok(())
    }

    fn find(&self, id: TxnId) -> Option<Recorded> {
        self.kept.lock().book.entries.get(&id).map(Entry::recorded)
    }

    fn open_intents(&self) -> Vec<TxnId> {
        let kept = self.kept.lock();
        let open = kept.book.entries.iter().filter(|(_, entry)| entry.answer.is_none());
        open.map(|(id, _)| *id).collect()
    }

    fn owed(&self) -> Vec<(IssuerName, usize)> {
        self.kept.lock().book.owed()
    }

    fn records(&self) -> Vec<Recorded> {
        self.kept.lock().book.entries.values().map(Entry::recorded).collect()
    }
}
