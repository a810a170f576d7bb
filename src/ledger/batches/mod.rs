//! Batches: what a terminal did between two settlements, closed once and then never changed.
//!
//! A batch is open from its first transaction. Closing it is one commit: its totals, what the terminal claims
//! they are, and the session's next batch number. From then on no transaction enters it (77). Where the totals
//! differ the terminal uploads its transactions, and the end of the upload says what differs.

mod compare;
mod count;
mod index;
mod plan;
mod read;
mod row;

pub use compare::{Difference, ItemDifference};
pub use read::{Batches, read};
pub use row::{BatchRow, DifferenceRow, SideRow, TotalsRow};

pub(super) use count::{binds, direction};
pub(super) use index::Index;

use crate::model::Amount;
use crate::model::BatchNumber;
use crate::model::BatchTotals;
use crate::model::BusinessDate;
use crate::model::MerchantId;
use crate::model::PanToken;
use crate::model::Rrn;
use crate::model::SessionFacts;
use crate::model::Stan;
use crate::model::TerminalId;
use crate::model::Timestamp;
use crate::model::VoidsInTotals;
use smallvec::SmallVec;
use std::borrow::Cow;

use super::TxnId;

/// How far a batch has come that takes no transactions any more.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum BatchState {
    /// The terminal's totals were the ledger's; it may say yet that it has ended.
    Balanced,
    /// They were not, and the terminal is to upload its transactions.
    Unbalanced,
    /// It has uploaded some.
    Uploading,
    /// Over.
    Closed,
    /// Over: its upload was awaited, and never ended. Nothing was compared.
    GivenUp,
}

impl BatchState {
    /// The word for it in lists.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Balanced => "balanced",
            Self::Unbalanced => "unbalanced",
            Self::Uploading => "uploading",
            Self::Closed => "closed",
            Self::GivenUp => "given-up",
        }
    }

    /// Whether nothing can come of it any more.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Closed | Self::GivenUp)
    }

    /// Whether the terminal's transactions are awaited.
    #[must_use]
    pub fn awaits_items(self) -> bool {
        matches!(self, Self::Unbalanced | Self::Uploading)
    }
}

/// Who closed a batch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ClosedBy {
    /// Its terminal, by settling.
    Terminal,
    /// A person.
    Operator {
        /// Who.
        actor: Cow<'static, str>,
        /// Why.
        reason: Cow<'static, str>,
    },
}

/// A batch that takes no transactions any more: closed, or closing while its terminal uploads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BatchRecord {
    /// The ledger's number of the close, of which its reference number is made.
    pub number: TxnId,
    /// DE 41.
    pub terminal: TerminalId,
    /// Its number.
    pub batch: BatchNumber,
    /// Its terminal's own number of it, where that is another: some count for themselves and are told none.
    pub told_as: Option<BatchNumber>,
    /// DE 42.
    pub merchant: MerchantId,
    /// Of a terminal that never settles.
    pub test_mode: bool,
    /// How far it has come.
    pub state: BatchState,
    /// What the terminal said; `None` where an operator closed it.
    pub claimed: Option<BatchTotals>,
    /// What the ledger has.
    pub counted: BatchTotals,
    /// What voids did to [`BatchRecord::counted`].
    pub voids: VoidsInTotals,
    /// The business date of the close.
    pub closed_on: BusinessDate,
    /// When: DE 12 and 13 of the answer.
    pub closed_at: Timestamp,
    /// The reference number of the close, DE 37.
    pub rrn: Rrn,
    /// Who closed it.
    pub by: ClosedBy,
    /// How many transactions the terminal uploaded.
    pub items: u32,
    /// What differs, once the upload has ended.
    pub differences: SmallVec<[ItemDifference; 0]>,
}

impl BatchRecord {
    /// Whether the terminal's totals were the ledger's; `None` where it did not say.
    #[must_use]
    pub fn is_balanced(&self) -> Option<bool> {
        self.claimed.map(|claimed| claimed == self.counted)
    }

    /// The number that its terminal gives it.
    #[must_use]
    pub fn own_number(&self) -> BatchNumber {
        self.told_as.unwrap_or(self.batch)
    }

    /// Whether it was closed with these totals; `apart` says whether they tell foreign cards from domestic ones.
    #[must_use]
    pub fn was_claimed(&self, totals: &BatchTotals, apart: bool) -> bool {
        self.claimed.is_some_and(|claimed| claimed == *totals || (!apart && claimed.together() == totals.together()))
    }
}

/// A batch that takes transactions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OpenBatch {
    /// DE 41.
    pub terminal: TerminalId,
    /// Its number at the terminal.
    pub batch: BatchNumber,
    /// What the ledger has by now.
    pub counted: BatchTotals,
    /// A transaction of it that is not decided yet.
    pub running: Option<TxnId>,
}

/// A batch about to be closed.
#[derive(Clone, Debug)]
pub struct BatchClose {
    /// DE 41.
    pub terminal: TerminalId,
    /// Which batch.
    pub batch: BatchNumber,
    /// What its terminal calls it, if it counts for itself: by that number it is known when it is closed again.
    pub told_as: Option<BatchNumber>,
    /// DE 42.
    pub merchant: MerchantId,
    /// Of a terminal that never settles.
    pub test_mode: bool,
    /// What the terminal says it is; `None` where an operator closes it.
    pub claimed: Option<BatchTotals>,
    /// Whether the claim tells foreign cards from domestic ones; where it does not, sums of both are compared.
    pub apart: bool,
    /// What voids do to totals.
    pub voids: VoidsInTotals,
    /// The business date.
    pub date: BusinessDate,
    /// When it was asked.
    pub received: Timestamp,
    /// Who closes it.
    pub by: ClosedBy,
    /// The terminal's session with its next batch, kept in the same commit; `None` leaves it as it is.
    pub session: Option<SessionFacts>,
}

/// What became of a close.
#[derive(Clone, Debug)]
pub enum BatchClosed {
    /// It is closed now.
    Closed {
        /// The close.
        record: Box<BatchRecord>,
        /// Older batches of the terminal whose uploads are not awaited any more: there were too many.
        given_up: SmallVec<[BatchNumber; 1]>,
    },
    /// It was closed before, with the same totals.
    Repeat(Box<BatchRecord>),
    /// It was closed before, with other totals or by an operator: nothing was changed.
    Differs(Box<BatchRecord>),
    /// A transaction of it is not decided yet: await [`super::Ledger::decided`], and close again.
    Running(TxnId),
}

/// A transaction as its terminal uploads it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UploadedItem {
    /// Its trace number.
    pub stan: Stan,
    /// Of a foreign card.
    pub foreign: bool,
    /// Its amount.
    pub amount: Amount,
    /// The token of its card, where it has a card number.
    pub token: Option<PanToken>,
}

/// One message's transactions.
pub type UploadedGroup = SmallVec<[UploadedItem; 1]>;

/// What became of an upload, or of its end.
#[derive(Clone, Debug)]
pub enum Uploaded {
    /// Taken in.
    Noted,
    /// It came before, or the batch is over and does not need it: nothing was changed.
    Nothing,
    /// The upload has ended: what the batch is now.
    Ended(Box<BatchRecord>),
    /// More transactions than a batch may have.
    TooMany,
    /// No batch of this number is closing.
    Unknown,
}

/// The most transactions that are taken of one upload: four digits tell how many there were.
pub const ITEMS_AT_MOST: usize = 9_999;
/// Batches of one terminal whose uploads are awaited: settlements carry no MAC, and what is awaited takes memory.
/// When another one comes, the oldest is given up.
pub const AWAITED_AT_MOST: usize = 2;
/// Closed batches that are remembered for each terminal; older ones are in the journal.
pub const CLOSED_KEPT: usize = 31;
