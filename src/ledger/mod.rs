//! Money's memory. What is intended, what was decided, what must still be undone.
//!
//! A [`Ledger`] is semantic, not bytes: it makes the duplicate check, the local decline and the
//! reservations of an intent one commit, lets exactly one decision stand, and puts a reversal into
//! the same commit as the decision that needs it.

mod book;
mod counters;
mod identities;
pub mod journal;
pub mod kinds;
mod lifecycle;
pub mod memory;
mod owed;
mod plan;
mod record;
mod types;
mod waiters;

pub use memory::MemoryLedger;
pub use types::{
    Answer, Decided, Decision, Due, Effect, Forwarded, Identity, Intended, Intent, LedgerFault, OriginalKey, Outbound,
    Outcome, Recorded, Reversal, Reversed, Scope, TxnId,
};

use crate::model::BusinessDate;
use crate::model::Clock;
use crate::model::IssuerName;
use crate::model::Rrn;
use crate::model::SessionFacts;
use crate::model::TerminalId;
use std::future::Future;

/// The switch's durable memory. Every `Ok` is a promise that survives a crash (of the durable ones).
///
/// A [`LedgerFault::Failed`] stops the station: nothing may be answered on what is not known to be
/// kept. `Full` is answered 96; `Unknown` is the caller's mistake about a number.
pub trait Ledger: Send + Sync + 'static {
    /// The next transaction number and the RRN that goes with it, unique per business date.
    ///
    /// Nothing is kept by this; a number not followed by an intent is a gap, which is harmless.
    fn number(&self, date: BusinessDate) -> (TxnId, Rrn);

    /// Records the intent, or says why not. Order: tombstone and duplicate check, then the refusal it
    /// carries, then its reservations. No byte may leave for an issuer before this returned `Fresh`.
    fn intend(&self, intent: Intent) -> impl Future<Output = Result<Intended, LedgerFault>> + Send;

    /// Records that the request goes another way, its first link having sent nothing; before a byte
    /// leaves on the second. Returns what was decided meanwhile, if it was: then nothing may be sent.
    fn reroute(
        &self,
        id: TxnId,
        outbound: Outbound,
    ) -> impl Future<Output = Result<Option<Decided>, LedgerFault>> + Send;

    /// Whether a request of this identity is on record, decided or running.
    fn knows(&self, identity: &Identity) -> bool;

    /// Waits until the transaction is decided: a copy of a running request takes its answer from here.
    fn decided(&self, id: TxnId) -> impl Future<Output = Result<Decided, LedgerFault>> + Send;

    /// Decides a fresh transaction, once. Returns what really stands: the loser of a race reads the
    /// winner, and an approval that loses is noted as late. A timeout of a kind whose `on_unknown` is *reverse* makes its reversal due in the same
    /// commit; a decline or timeout gives its reservations back in the same commit.
    fn decide(&self, id: TxnId, decision: Decision) -> impl Future<Output = Result<Decided, LedgerFault>> + Send;

    /// Records a terminal's reversal and makes the issuer's due, in one commit (rules of the money, 5).
    fn reverse(&self, reversal: Reversal) -> impl Future<Output = Result<Reversed, LedgerFault>> + Send;

    /// Records that an issuer answered after the decision. Changes neither decision nor effect.
    ///
    /// Returns whose answer it was; `None`, and nothing recorded, if this issuer was not asked under this number:
    /// it came from a peer. Where two business dates gave the same number, the later one is meant.
    fn note_late(
        &self,
        issuer: &IssuerName,
        rrn: Rrn,
        outcome: Outcome,
    ) -> impl Future<Output = Result<Option<TxnId>, LedgerFault>> + Send;

    /// Keeps a terminal's session facts.
    fn note_terminal(
        &self,
        terminal: TerminalId,
        facts: SessionFacts,
    ) -> impl Future<Output = Result<(), LedgerFault>> + Send;

    /// A terminal's session facts as last kept.
    fn terminal(&self, terminal: TerminalId) -> Option<SessionFacts>;

    /// Waits for the next message that store-and-forward owes this issuer and that is due by `clock`:
    /// first in, first out per terminal, one in flight per terminal, the longest due first.
    ///
    /// Safe to cancel: an entry is in flight only once it was returned, and then until
    /// [`Ledger::acknowledge`] says how it fared. Whoever takes one must say it, whatever happened.
    fn next_due<C: Clock>(&self, issuer: &IssuerName, clock: &C) -> impl Future<Output = Due> + Send;

    /// Says how a due message fared: acknowledged is done, anything else comes back at `retry_at`.
    fn acknowledge(&self, id: TxnId, forwarded: Forwarded) -> impl Future<Output = Result<(), LedgerFault>> + Send;

    /// The record of one transaction.
    fn find(&self, id: TxnId) -> Option<Recorded>;

    /// Intents without a decision: what recovery decides timed out on start.
    fn open_intents(&self) -> Vec<TxnId>;

    /// How many messages store-and-forward still owes, per issuer.
    fn owed(&self) -> Vec<(IssuerName, usize)>;

    /// Every record of the open day, in order of their numbers, for totals and verification.
    fn records(&self) -> Vec<Recorded>;
}
