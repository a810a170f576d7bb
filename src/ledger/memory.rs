//! The ledger that forgets with its process: for the demo, for tests, and as the yardstick of the others.

use super::Decided;
use super::Decision;
use super::Due;
use super::Forwarded;
use super::Intended;
use super::Intent;
use super::Ledger;
use super::LedgerFault;
use super::Outcome;
use super::Recorded;
use super::Reversal;
use super::Reversed;
use super::TxnId;
use crate::model::BusinessDate;
use crate::model::Clock;
use crate::model::IssuerName;
use crate::model::Rrn;
use crate::model::SessionFacts;
use crate::model::TerminalId;

/// A ledger in memory, shared by all workers. Clone it behind an `Arc`.
pub struct MemoryLedger {
    capacity: usize,
}

impl MemoryLedger {
    /// An empty ledger that takes `capacity` transactions and then says [`LedgerFault::Full`].
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { capacity }
    }

    fn missing(&self) -> LedgerFault {
        LedgerFault::Failed(format!("not built yet, capacity {}", self.capacity))
    }
}

impl Ledger for MemoryLedger {
    fn number(&self, _date: BusinessDate) -> (TxnId, Rrn) {
        (TxnId(0), Rrn::parse(b"000000000000").unwrap_or_else(|| unreachable!()))
    }
    async fn intend(&self, _intent: Intent) -> Result<Intended, LedgerFault> {
        Err(self.missing())
    }
    async fn decided(&self, _id: TxnId) -> Result<Decided, LedgerFault> {
        Err(self.missing())
    }
    async fn decide(&self, _id: TxnId, _decision: Decision) -> Result<Decided, LedgerFault> {
        Err(self.missing())
    }
    async fn reverse(&self, _reversal: Reversal) -> Result<Reversed, LedgerFault> {
        Err(self.missing())
    }
    async fn note_late(&self, _rrn: Rrn, _outcome: Outcome) -> Result<Option<TxnId>, LedgerFault> {
        Err(self.missing())
    }
    async fn note_terminal(&self, _terminal: TerminalId, _facts: SessionFacts) -> Result<(), LedgerFault> {
        Err(self.missing())
    }
    fn terminal(&self, _terminal: TerminalId) -> Option<SessionFacts> {
        None
    }
    async fn next_due<C: Clock>(&self, _issuer: &IssuerName, _clock: &C) -> Due {
        std::future::pending().await
    }
    async fn acknowledge(&self, _id: TxnId, _forwarded: Forwarded) -> Result<(), LedgerFault> {
        Err(self.missing())
    }
    fn find(&self, _id: TxnId) -> Option<Recorded> {
        None
    }
    fn open_intents(&self) -> Vec<TxnId> {
        Vec::new()
    }
    fn owed(&self) -> Vec<(IssuerName, usize)> {
        Vec::new()
    }
    fn records(&self) -> Vec<Recorded> {
        Vec::new()
    }
}
