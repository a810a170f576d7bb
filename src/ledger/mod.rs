//! Money's memory. What is intended, what was decided, what must still be undone.
//!
//! A [`Ledger`] is semantic, not bytes: it makes the duplicate check, the local decline and the
//! reservations of an intent one commit, lets exactly one decision stand, and puts a reversal into
//! the same commit as the decision that needs it.

pub mod archive;
mod asked;
pub mod backup;
pub mod batches;
mod book;
mod closed;
mod counters;
mod durable;
mod embedded;
mod enforce;
mod fates;
mod followers;
mod history;
mod housekeeper;
mod identities;
pub mod journal;
pub mod judged;
pub mod kinds;
mod lifecycle;
mod moot;
mod originals;
mod owed;
mod plan;
mod recall;
mod record;
mod refused;
mod standing;
mod types;
pub mod verify;
mod waiters;

pub use asked::{Asked, Explained, Intended};
pub use batches::{
    BatchClose, BatchClosed, BatchRecord, BatchState, ClosedBy, Difference, ItemDifference, OpenBatch, Uploaded,
    UploadedGroup, UploadedItem,
};
pub use durable::{Found, OpenedLedger};
pub use embedded::EmbeddedLedger;
pub use enforce::Stepped;
pub use housekeeper::{Housekeeper, Housekeeping, Tidied};
pub use kinds::FollowTerms;
pub use originals::OriginalQuery;
pub use types::{
    Answer, DataKeyName, DeadLetter, Decided, Decision, Due, Effect, Followed, Forwarded, Identity, Intent,
    LedgerFault, OriginalKey, Outbound, Outcome, Owed, Recorded, Reversal, Reversed, Scope, TxnId,
};

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

    /// Records the intent, or says why not. Order: duplicate check, tombstone, whether the terminal must sign in
    /// first, whether it may follow what it follows, then the refusal it carries, then its reservations. No byte may
    /// leave for an issuer before this returned `Fresh`.
    ///
    /// A follow-up goes after the advice of its original, and what ends a transaction or gives it back after that of an
    /// adjustment, never beside it: their issuer would not know it, or the amount.
    ///
    /// An advice whose batch takes no transactions any more is recorded in no batch: it tells of money that has moved.
    ///
    /// Rules judge it in the same commit, if it brings them, and nothing comes between what they look at and what is
    /// reserved. Where one of them and the binding of DE 42 both refuse it, the rule is named.
    fn intend(&self, asked: impl Into<Asked> + Send) -> impl Future<Output = Result<Intended, LedgerFault>> + Send;

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
    /// winner, and an approval that loses is noted as late. In the same commit: a timeout of a kind whose
    /// `on_unknown` is *reverse* makes its reversal due, of one that is *repeat* turns into an approval and
    /// makes the message itself due; a decline or timeout gives its reservations back.
    fn decide(&self, id: TxnId, decision: Decision) -> impl Future<Output = Result<Decided, LedgerFault>> + Send;

    /// Waits until the transaction is decided and its issuer is owed nothing on account of it: neither advice nor
    /// reversal.
    fn told(&self, id: TxnId) -> impl Future<Output = ()> + Send;

    /// Records a terminal's reversal and makes the issuer's due, in one commit (rules of the money, 5).
    fn reverse(&self, reversal: Reversal) -> impl Future<Output = Result<Reversed, LedgerFault>> + Send {
        self.reverse_of(reversal, None)
    }

    /// The same, of a reversal that brings a card: its original's, else nothing is recorded.
    fn reverse_of(
        &self,
        reversal: Reversal,
        card: Option<PanToken>,
    ) -> impl Future<Output = Result<Reversed, LedgerFault>> + Send;

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

    /// Keeps a terminal's session facts, unless a newer version is kept already: two changes may be noted in
    /// another order than they were made in.
    fn note_terminal(
        &self,
        terminal: TerminalId,
        facts: SessionFacts,
    ) -> impl Future<Output = Result<(), LedgerFault>> + Send;

    /// A terminal's session facts as last kept.
    fn terminal(&self, terminal: TerminalId) -> Option<SessionFacts>;

    /// All session facts, in order of the terminals.
    fn terminals(&self) -> Vec<(TerminalId, SessionFacts)>;

    /// Closes a batch, in one commit with the session's next batch number: from then on no transaction enters it
    /// (77). Once: the same totals again get what was recorded. Waits for nothing: see [`BatchClosed::Running`].
    fn close_batch(&self, close: BatchClose) -> impl Future<Output = Result<BatchClosed, LedgerFault>> + Send;

    /// Takes in one message of the upload of a batch that did not balance. The same message again changes nothing.
    fn note_items(
        &self,
        terminal: TerminalId,
        batch: BatchNumber,
        group: UploadedGroup,
    ) -> impl Future<Output = Result<Uploaded, LedgerFault>> + Send;

    /// Ends an upload: what differs is found and kept with the batch, which is over.
    fn end_upload(
        &self,
        terminal: TerminalId,
        batch: BatchNumber,
    ) -> impl Future<Output = Result<Uploaded, LedgerFault>> + Send;

    /// A batch that takes no transactions any more. Of each terminal the last [`batches::CLOSED_KEPT`] are known.
    fn batch(&self, terminal: TerminalId, batch: BatchNumber) -> Option<BatchRecord>;

    /// The batch that was closed last of a terminal's, of those that are `wanted`.
    fn latest_batch(&self, terminal: TerminalId, wanted: impl Fn(&BatchRecord) -> bool) -> Option<BatchRecord>;

    /// A terminal's batches that take no transactions any more, by number.
    fn batches(&self, terminal: TerminalId) -> Vec<BatchRecord>;

    /// A batch that takes transactions, and has any, as it is now.
    fn open_batch(&self, terminal: TerminalId, batch: BatchNumber) -> Option<OpenBatch>;

    /// The data keys kept so far.
    fn data_keys(&self) -> Vec<(DataKeyName, KeyBlock)>;

    /// Keeps a data key before anything is sealed under it. The first of its name stands, and is returned.
    fn keep_data_key(
        &self,
        name: DataKeyName,
        block: KeyBlock,
    ) -> impl Future<Output = Result<KeyBlock, LedgerFault>> + Send;

    /// The last trace number on record towards an issuer: of an intent, of a message owed, or noted by
    /// [`Ledger::keep_stan`], whichever came last.
    fn last_stan(&self, issuer: &IssuerName) -> Option<Stan>;

    /// Notes how far a link's trace numbers have come: echo tests and sign-ons use them up too.
    fn keep_stan(&self, issuer: &IssuerName, stan: Stan) -> impl Future<Output = Result<(), LedgerFault>> + Send;

    /// Keeps the keys shared with an issuer, as [`Ledger::note_terminal`] does with a terminal's.
    fn note_zone(&self, issuer: &IssuerName, facts: ZoneFacts) -> impl Future<Output = Result<(), LedgerFault>> + Send;

    /// The keys of all issuers whose keys have changed, in order of their names.
    fn zones(&self) -> Vec<(IssuerName, ZoneFacts)>;

    /// Waits for the next message that store-and-forward owes this issuer and that is due by `clock`:
    /// first in, first out per terminal, one in flight per terminal, the longest due first.
    ///
    /// Safe to cancel: an entry is in flight only once it was returned, and then until
    /// [`Ledger::acknowledge`] says how it fared. Whoever takes one must say it, whatever happened.
    fn next_due<C: Clock>(&self, issuer: &IssuerName, clock: &C) -> impl Future<Output = Due> + Send;

    /// Records that a due message is about to go under this trace number, before its first byte leaves: after
    /// a crash, what may have gone goes again marked as a repeat. False if it is not owed any more: then it
    /// must not go, and [`Ledger::acknowledge`] frees its lane.
    fn sending(&self, id: TxnId, what: Owed, stan: Stan) -> impl Future<Output = Result<bool, LedgerFault>> + Send;

    /// Says how a due message fared: acknowledged is done, refused is a dead letter, anything else comes
    /// back at its time.
    fn acknowledge(
        &self,
        id: TxnId,
        what: Owed,
        forwarded: Forwarded,
    ) -> impl Future<Output = Result<(), LedgerFault>> + Send;

    /// The record of one transaction.
    fn find(&self, id: TxnId) -> Option<Recorded>;

    /// The transaction that a reversal or follow-up names.
    fn original(&self, key: &OriginalKey) -> Option<Recorded>;

    /// The transaction that a follow-up names, of open and closed days: found by one of the keys of its kind's row,
    /// and agreeing with all that the query brings.
    ///
    /// # Errors
    /// [`LedgerFault`] if a closed day cannot be read now: what cannot be read is not unknown.
    fn find_original(&self, query: &OriginalQuery) -> Result<Option<Recorded>, LedgerFault>;

    /// Intents without a decision: what recovery decides timed out on start.
    fn open_intents(&self) -> Vec<TxnId>;

    /// How many messages store-and-forward still owes, per issuer.
    fn owed(&self) -> Vec<(IssuerName, usize)>;

    /// Messages that issuers refused for good: a person must settle them.
    fn dead_letters(&self) -> Vec<DeadLetter>;

    /// Lets go what is finished of a business date; what is not stays until it is and the day is closed again.
    fn close_day(&self, date: BusinessDate) -> impl Future<Output = Result<(), LedgerFault>> + Send;

    /// Takes a step on the enforcement ladder. It holds from the next message on: requests of who is suspended or
    /// terminated are declined (58) in the commit that records them; what tells of money that has moved never is.
    fn step(&self, entry: LadderEntry) -> impl Future<Output = Result<Stepped, LedgerFault>> + Send;

    /// Where a subject stands on the ladder, if anything was ever done to it.
    fn ladder(&self, subject: &Subject) -> Option<Ladder>;

    /// Everybody to whom something was done, terminals first, each in order.
    fn ladders(&self) -> Vec<(Subject, Ladder)>;

    /// Records what is in force from now on; what is in force already changes nothing. The reply: what is wrong with
    /// its texts, if anything is, and then nothing was recorded.
    fn revise(&self, revision: Revision) -> impl Future<Output = Result<Option<&'static str>, LedgerFault>> + Send;

    /// What was in force since when: the last [`Revision::KEPT`] changes, the oldest first.
    fn revisions(&self) -> Vec<Revision>;

    /// Every record of the open days, in order of their numbers, for totals and verification.
    fn records(&self) -> Vec<Recorded>;
}
