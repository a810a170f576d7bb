//! What goes into the ledger and what comes out.

use crate::model::Acquirer;
use crate::model::Amount;
use crate::model::ApprovalCode;
use crate::model::BatchNumber;
use crate::model::BusinessDate;
use crate::model::CardClass;
use crate::model::Currency;
use crate::model::Expiry;
use crate::model::IssuerName;
use crate::model::Kind;
use crate::model::MaskedPan;
use crate::model::MerchantId;
use crate::model::MessageClass;
use crate::model::OnUnknown;
use crate::model::Operator;
use crate::model::Organisation;
use crate::model::PanToken;
use crate::model::PosEntryMode;
use crate::model::ProcessingCode;
use crate::model::ResponseCode;
use crate::model::Rrn;
use crate::model::SealedPan;
use crate::model::Stan;
use crate::model::TerminalId;
use crate::model::Timestamp;
use crate::model::Voucher;
use crate::risk::Refusal;
use crate::risk::Reservation;
use crate::risk::RiskNote;
use crate::risk::Scene;
use crate::risk::Situation;
use bytes::Bytes;
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::Duration;

/// The ledger's own number of a transaction, rising by one; never reused.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TxnId(pub u64);

/// What tells two uses of a STAN apart: the batch, or the local date, as the profile says. At most 12
/// ASCII digits.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Scope(pub SmallVec<[u8; 12]>);

/// What makes two messages the same message (rules of the money, 2).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Identity {
    /// DE 41.
    pub terminal: TerminalId,
    /// DE 11.
    pub stan: Stan,
    /// Batch or date.
    pub scope: Scope,
    /// The message's class.
    pub class: MessageClass,
}

/// How a reversal names its original. Without a class, any request of that number is meant.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct OriginalKey {
    /// DE 41 of the reversal: nobody reverses another terminal's transaction.
    pub terminal: TerminalId,
    /// The original's DE 11.
    pub stan: Stan,
    /// The original's batch or date.
    pub scope: Scope,
    /// The original's class, where the dialect tells it.
    pub class: Option<MessageClass>,
}

/// Where a request goes and what of it a later reversal must repeat (rules of the money, 3).
#[derive(Clone, Debug)]
pub struct Outbound {
    /// Over whose link.
    pub issuer: IssuerName,
    /// The STAN on that link; chosen before the intent.
    pub stan: Stan,
    /// DE 7, 12 and 13 as sent.
    pub sent: Timestamp,
    /// The parts of DE 55 that a reversal may carry; no track data, no PIN data.
    pub icc: Option<Bytes>,
}

/// One financial request, about to happen. Everything recovery needs, and no card secret.
#[derive(Clone, Debug)]
pub struct Intent {
    /// From [`super::Ledger::number`].
    pub id: TxnId,
    /// From [`super::Ledger::number`].
    pub rrn: Rrn,
    /// What makes it the same message when it comes again.
    pub identity: Identity,
    /// Keyed hash of its business elements; never of PIN block, KSN, MAC, transmission time.
    pub content: [u8; 32],
    /// What is asked.
    pub kind: Kind,
    /// DE 42.
    pub merchant: MerchantId,
    /// DE 32.
    pub acquirer: Acquirer,
    /// Of a terminal that never settles.
    pub test_mode: bool,
    /// The day it belongs to.
    pub date: BusinessDate,
    /// When its frame was complete; also the answer's DE 12 and 13.
    pub received: Timestamp,
    /// Minutes east of UTC of the terminal's clock.
    pub offset_minutes: i16,
    /// DE 3.
    pub processing_code: ProcessingCode,
    /// DE 4.
    pub amount: Amount,
    /// DE 49.
    pub currency: Currency,
    /// DE 22.
    pub entry_mode: PosEntryMode,
    /// DE 23.
    pub card_sequence: Option<[u8; 3]>,
    /// DE 25.
    pub condition_code: Option<[u8; 2]>,
    /// DE 14.
    pub expiry: Option<Expiry>,
    /// The card number, sealed for this transaction.
    pub pan: SealedPan,
    /// Its token.
    pub token: PanToken,
    /// Its masked form.
    pub masked: MaskedPan,
    /// Why it is declined here, if it is.
    pub refusal: Option<Refusal>,
    /// What it takes from counters.
    pub reservations: SmallVec<[Reservation; 2]>,
    /// Where it goes; `None` with a refusal, or where no issuer is told.
    pub outbound: Option<Outbound>,
    /// What it follows: the sale it voids or refunds, the authorization it completes.
    pub follows: Option<TxnId>,
    /// The terminal's batch it belongs to; `None` where the dialect has no batches.
    pub batch: Option<BatchNumber>,
    /// What sort of card it is.
    pub card: CardClass,
    /// Who was signed in at the terminal.
    pub operator: Option<Operator>,
    /// What rules see of it besides.
    pub scene: Scene,
    /// The rules that spoke of it, if any did; the ledger's to say.
    pub risk: Option<Box<RiskNote>>,
    /// It was refused by a rule that counts declines, and is no decline to such rules: else they would feed on what they
    /// do, and never end. The ledger's to say.
    pub echo: bool,
}

impl Intent {
    /// It as rules see it.
    #[must_use]
    pub fn situation(&self) -> Situation<'_> {
        Situation {
            kind: self.kind,
            terminal: self.identity.terminal,
            merchant: self.merchant,
            card: self.token,
            amount: self.amount,
            currency: self.currency,
            entry: self.entry_mode,
            date: self.date,
            at: self.received,
            offset_minutes: self.offset_minutes,
            scene: &self.scene,
        }
    }
}

/// What a terminal is told, kept so that it can be told again to the byte (but MAC and DE 7).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// DE 39, canonical.
    pub code: ResponseCode,
    /// DE 38.
    pub approval: Option<ApprovalCode>,
    /// DE 4 where it differs from the request's: a partial approval.
    pub amount: Option<Amount>,
    /// DE 12 and 13.
    pub stamped: Timestamp,
    /// DE 15.
    pub settlement: Option<BusinessDate>,
    /// DE 54: ASCII, 20 characters a balance.
    pub balance: Option<Bytes>,
    /// DE 55 of the issuer: issuer authentication data, scripts.
    pub icc: Option<Bytes>,
    /// The voucher of a payment by code.
    pub voucher: Option<Voucher>,
}

impl Answer {
    /// An answer of a code alone.
    #[must_use]
    pub fn of(code: ResponseCode, stamped: Timestamp) -> Self {
        Self { code, approval: None, amount: None, stamped, settlement: None, balance: None, icc: None, voucher: None }
    }
}

/// What was decided. Once, and never changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The issuer said yes.
    Approved,
    /// The issuer, or a rule, said no.
    Declined,
    /// Nobody knows; treated as undone.
    TimedOut,
}

/// A decision about to be made: outcome and the answer that says it.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The outcome.
    pub outcome: Outcome,
    /// What the terminal will be told.
    pub answer: Answer,
    /// Whether the issuer, which has not been asked, must be told of the approval: stand-in, and advices
    /// accepted from terminals. Means nothing for other outcomes.
    pub advise: bool,
}

impl Decision {
    /// A decision after which the issuer need not be told.
    #[must_use]
    pub fn of(outcome: Outcome, answer: Answer) -> Self {
        Self { outcome, answer, advise: false }
    }
}

/// The decision that stands.
#[derive(Clone, Debug)]
pub struct Decided {
    /// The outcome.
    pub outcome: Outcome,
    /// What the terminal is told, now and whenever it asks again.
    pub answer: Answer,
    /// DE 37.
    pub rrn: Rrn,
    /// Whose mark the card bears, where the terminal is told: of everything but inquiries and reversals.
    pub organisation: Option<Organisation>,
}

impl Decided {
    /// What is said of a transaction.
    pub(super) fn of(intent: &Intent, outcome: Outcome, answer: Answer) -> Self {
        let told = super::kinds::of(intent.kind).on_unknown != OnUnknown::Nothing;
        Self { outcome, answer, rrn: intent.rrn, organisation: told.then_some(intent.card.organisation) }
    }
}

/// A terminal's wish to undo.
#[derive(Clone, Debug)]
pub struct Reversal {
    /// Its own identity: repeats are legal and get the same answer.
    pub identity: Identity,
    /// What it undoes.
    pub original: OriginalKey,
    /// DE 4 of the reversal.
    pub amount: Amount,
    /// When its frame was complete; DE 12 and 13 of its answer.
    pub received: Timestamp,
    /// The business date, for its RRN.
    pub date: BusinessDate,
}

/// What became of a reversal. The terminal is told 00 but for `AmountDiffers`.
#[derive(Clone, Debug)]
pub enum Reversed {
    /// Recorded; the issuer's reversal, if money may have moved, is due.
    Accepted(Decided),
    /// It came before: the recorded answer.
    Repeat(Decided),
    /// Recorded, and nothing is undone: what was done to the original since stands, and both would be too much.
    Moot(Decided, Followed),
    /// What was begun on the original since is not decided, or being undone: whether this undoes anything is known
    /// then. Nothing was recorded; the terminal asks again.
    NotYet,
    /// The original is not known: a tombstone stands, and declines it should it come.
    Unknown(Decided),
    /// The original was for another amount: nothing was recorded; answered 64, alarm.
    AmountDiffers,
    /// The original was of another card: nothing was recorded; answered 25, alarm.
    CardDiffers,
}

/// What was done to a transaction since it was approved.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Followed {
    /// It was cancelled, or what it added to was.
    Voided,
    /// It was taken, or what it added to was.
    Completed,
    /// Some of it was given back, or is about to be.
    Refunded,
    /// Its amount was changed again.
    Adjusted,
}

/// What store-and-forward owes an issuer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Owed {
    /// The reversal of the transaction (0400, 0420).
    Reversal,
    /// The transaction itself, as an advice (0120, 0220): it stands whatever the issuer says.
    Advice,
}

/// A message that store-and-forward owes an issuer, on account of one transaction.
#[derive(Clone, Debug)]
pub struct Due {
    /// Whose message.
    pub original: Arc<Intent>,
    /// Which message.
    pub what: Owed,
    /// The approval code, if there is one.
    pub approval: Option<ApprovalCode>,
    /// The amount that was approved where it is not the request's: a partial approval.
    pub partial: Option<Amount>,
    /// How often it may have gone before; repeats are marked (0401, 0421, 0221).
    pub attempts: u32,
    /// Under which STAN it went before: a repeat carries the number of what it repeats.
    pub stan: Option<Stan>,
}

/// How a due message fared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Forwarded {
    /// The issuer has it: done.
    Acknowledged,
    /// It was not acknowledged, or nothing went: again at this monotonic time.
    Retry(Duration),
    /// The issuer will never take it: a person must look (dead letter, alarm). On this business date, on which
    /// settlement has an exception.
    Refused(ResponseCode, BusinessDate),
}

/// What stands of a decided transaction (rules of the money, 4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Effect {
    /// What was decided stands.
    Live,
    /// Approved here; the issuer is yet to be told.
    Advising,
    /// A reversal is owed to the issuer.
    Reversing,
    /// The issuer acknowledged the reversal.
    Reversed,
    /// The issuer refused what it was owed for good; an alarm stands, and settlement has an exception.
    DeadLetter,
    /// An approved void cancelled it.
    Voided,
    /// An approved completion took it.
    Completed,
    /// So much of it was given back.
    Refunded(Amount),
}

/// A message that an issuer refused for good.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// Whose message.
    pub original: Arc<Intent>,
    /// Which message.
    pub what: Owed,
    /// What the issuer said.
    pub code: ResponseCode,
}

/// Which data key a key block holds.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum DataKeyName {
    /// Makes the station's tokens and content hashes.
    Token,
    /// Seals the card numbers of one business date.
    Seal(BusinessDate),
}

/// One transaction as the ledger remembers it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The intent.
    pub intent: Arc<Intent>,
    /// The decision, once made.
    pub decided: Option<Decided>,
    /// What stands of it.
    pub effect: Effect,
    /// What an adjustment made of its amount.
    pub adjusted: Option<Amount>,
    /// An issuer's answer that came after the decision.
    pub late: Option<Outcome>,
}

impl Recorded {
    /// The amount that stands for it: what an adjustment made of it, else the part that was approved, else what
    /// was asked.
    #[must_use]
    pub fn amount(&self) -> Amount {
        let approved = self.decided.as_ref().and_then(|decided| decided.answer.amount);
        self.adjusted.or(approved).unwrap_or(self.intent.amount)
    }
}

/// The ledger could not keep something.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LedgerFault {
    /// No room for another intent: answered 96 before anything was recorded.
    #[error("ledger is full")]
    Full,
    /// The transaction is not known.
    #[error("transaction is not in the ledger")]
    Unknown,
    /// A write failed, or what is kept contradicts itself: the station stops.
    #[error("ledger failed: {0}")]
    Failed(String),
}
