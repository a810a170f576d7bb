//! What the ledger keeps: facts, never edited. The book is their fold; a journal is their list.

use super::Answer;
use super::BatchRecord;
use super::DataKeyName;
use super::Decided;
use super::Decision;
use super::Intent;
use super::Outbound;
use super::Outcome;
use super::Reversal;
use super::TxnId;
use super::UploadedGroup;
use super::followers::Followers;
use super::lifecycle::State;
use crate::model::BatchNumber;
use crate::model::BusinessDate;
use crate::model::IssuerName;
use crate::model::KeyBlock;
use crate::model::Ladder;
use crate::model::LadderEntry;
use crate::model::ResponseCode;
use crate::model::Revision;
use crate::model::Rrn;
use crate::model::SessionFacts;
use crate::model::Stan;
use crate::model::Subject;
use crate::model::TerminalId;
use crate::model::ZoneFacts;
use crate::risk::MemoryRow;
use smallvec::SmallVec;
use std::sync::Arc;

/// One fact. It names the state it leads to, so that replaying it needs no rule that may have changed.
#[derive(Clone, Debug)]
pub(super) enum Record {
    /// An intent, its reservations made.
    Intended(Arc<Intent>),
    /// An intent declined by the commit that records it; nothing is reserved.
    Declined(Arc<Intent>, Answer),
    /// An intent goes another way; nothing was sent on the first.
    Rerouted(TxnId, Outbound),
    /// A decision, and where it leads.
    Decided(TxnId, Decision, State),
    /// A decided transaction moves on.
    Moved(TxnId, State),
    /// What is owed on its account is about to go, under this STAN.
    Attempted(TxnId, Stan),
    /// The issuer refused for good what it was owed, where that leads, and on which business date; journals of
    /// earlier releases do not say the date.
    Refused(TxnId, ResponseCode, State, Option<BusinessDate>),
    /// An issuer answered after the decision.
    Late(TxnId, Outcome),
    /// A terminal's reversal and its answer. What it does to its original is a record of its own.
    Reversal(Box<KeptReversal>),
    /// A terminal's session facts.
    Terminal(TerminalId, SessionFacts),
    /// A data key, as a block under the HSM's master key. The first of its name stands.
    DataKey(DataKeyName, KeyBlock),
    /// How far a link's trace numbers have come.
    Stan(IssuerName, Stan),
    /// What is finished of a business date leaves the book.
    Closed(BusinessDate),
    /// A transaction as it stands: in snapshots and archives of closed days, and where one comes back from
    /// a closed day.
    Standing(Box<Standing>),
    /// How far the book has counted: in snapshots, and where a restored ledger leaves numbers out.
    Marks(Marks),
    /// A batch takes no transactions any more, or moves on from there.
    Batch(Box<BatchRecord>),
    /// A terminal uploads transactions of a batch that did not balance.
    Uploaded(TerminalId, BatchNumber, UploadedGroup),
    /// A batch takes transactions: in snapshots, before its transactions.
    Opened(TerminalId, BatchNumber),
    /// The keys shared with an issuer, as they change.
    Zone(IssuerName, ZoneFacts),
    /// A subject's part of what rules remember: in snapshots.
    Remembered(MemoryRow),
    /// A step on the enforcement ladder.
    Step(Box<LadderEntry>),
    /// Where a subject stands on the ladder: in snapshots.
    Ladder(Subject, Box<Ladder>),
    /// What is in force from here on.
    Revision(Box<Revision>),
}

/// A transaction as it stands, with all that was done to it.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    /// What was asked.
    pub(super) intent: Arc<Intent>,
    /// What the terminal was told, once decided.
    pub(super) answer: Option<Answer>,
    /// Where it is.
    pub(super) state: State,
    /// An issuer's answer that came after the decision.
    pub(super) late: Option<Outcome>,
    /// Why the issuer refused what it was owed.
    pub(super) refused: Option<ResponseCode>,
    /// How often what is owed may have gone.
    pub(super) attempts: u32,
    /// The trace number under which it went last.
    pub(super) sent_as: Option<Stan>,
    /// Its follow-ups.
    pub(super) followers: Followers,
}

/// What the book counts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Marks {
    /// The highest transaction number on record.
    pub(super) last: TxnId,
    /// How many times a day was closed.
    pub(super) closings: u64,
}

/// A terminal's reversal as it is kept.
#[derive(Clone, Debug)]
pub(super) struct KeptReversal {
    /// The ledger's number, of which its reference number is made.
    pub(super) number: TxnId,
    /// What came.
    pub(super) reversal: Reversal,
    /// Its own reference number.
    pub(super) rrn: Rrn,
    /// What the terminal is told.
    pub(super) answer: Answer,
    /// What it undoes; `None` leaves a tombstone.
    pub(super) original: Option<TxnId>,
}

impl KeptReversal {
    /// Its answer, as repeats get it.
    pub(super) fn decided(&self) -> Decided {
        Decided { outcome: Outcome::Approved, answer: self.answer.clone(), rrn: self.rrn, organisation: None }
    }
}

/// The records of one commit, in order.
pub(super) type Records = SmallVec<[Record; 2]>;

/// What an operation wants: records that are kept all or none, and what the caller is then told.
#[derive(Debug)]
pub(super) struct Commit<T> {
    /// Empty if nothing changes.
    pub(super) records: Records,
    /// True once the records are kept.
    pub(super) reply: T,
}

impl<T> Commit<T> {
    /// A commit of `records`.
    pub(super) fn of<const N: usize>(records: [Record; N], reply: T) -> Self {
        Self { records: records.into_iter().collect(), reply }
    }

    /// Nothing to keep.
    pub(super) fn nothing(reply: T) -> Self {
        Self { records: Records::new(), reply }
    }
}
