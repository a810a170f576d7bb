//! What is entered into the books, and what becomes of it.

use crate::model::Amount;
use crate::model::ApprovalCode;
use crate::model::BusinessDate;
use crate::model::Currency;
use crate::model::Kind;
use crate::model::MerchantId;
use crate::model::Pan;
use crate::model::ResponseCode;
use crate::model::Rrn;
use crate::model::Stan;
use crate::model::TerminalId;

/// One of the ways in which a message names a request: itself, or the original it undoes or follows.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Reference {
    /// By STAN and transmission time, `MMDDhhmmss` (DE 7).
    Sent(TerminalId, Stan, [u8; 10]),
    /// By STAN and local time, `YYMMDDhhmmss` (DE 12 of 1993); year 00 where the dialect has none.
    Local(TerminalId, Stan, [u8; 12]),
    /// By STAN and retrieval reference number. Only undoes: after a restart of the switch the numbers
    /// may come round again within the issuer's memory, and a new request is not a repeat then.
    Retrieval(TerminalId, Stan, Rrn),
    /// By retrieval reference number alone: how an advice is known again, whatever else of it changed.
    Advised(TerminalId, Rrn),
    /// By retrieval reference number, from whatever terminal. This and the rest only name originals of follow-ups.
    Number(Rrn),
    /// By STAN and transmission time, from whatever terminal.
    Trace(Stan, [u8; 10]),
    /// By STAN and local time, from whatever terminal.
    LocalTrace(Stan, [u8; 12]),
    /// By the voucher that a payment by code was given, 20 digits.
    Voucher([u8; 20]),
}

impl Reference {
    /// Whether a new request that has it is a repeat of the one that had it before. The others only name
    /// originals.
    pub(super) fn tells_repeats(&self) -> bool {
        matches!(self, Self::Sent(..) | Self::Local(..) | Self::Advised(..))
    }
}

/// A request as it reaches the books.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What is asked.
    pub kind: Kind,
    /// DE 41.
    pub terminal: TerminalId,
    /// DE 42, where the request has one.
    pub merchant: Option<MerchantId>,
    /// DE 11, the switch's.
    pub stan: Stan,
    /// DE 37, where the request has one.
    pub rrn: Option<Rrn>,
    /// Whose account.
    pub pan: Pan,
    /// How much.
    pub amount: Amount,
    /// Of which money.
    pub currency: Option<Currency>,
    /// The issuer's day on which it came; `None` in books kept before days were: such a hold never expires, and
    /// such a movement is in no clearing file.
    pub date: Option<BusinessDate>,
    /// Of a payment by a customer's code, which is given a voucher: the code's digits after the number of its account.
    /// Empty in books kept before codes were good once.
    pub code: Option<Box<str>>,
    /// Whose account a transfer goes to.
    pub to: Option<Pan>,
    /// All the ways in which it names what it follows; empty if it names nothing.
    pub follows: Vec<Reference>,
    /// All the ways in which a later message may name it. Taken when it is entered: a posting has none.
    pub references: Vec<Reference>,
}

/// What became of the money of one posting.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Money {
    /// None was to move, or the request was declined.
    Untouched,
    /// It was taken from the account, and stands.
    Booked,
    /// It is held on the account.
    Held,
    /// It was given to the account, and stands.
    Given,
    /// A void: it gave back what its original took, or let go what it held.
    Voids,
    /// It changed the amount of a sale.
    Adjusted,
    /// It was held, and a completion took it.
    Completed,
    /// It was booked or held, and a void cancelled it.
    Voided,
    /// It was held for longer than holds last.
    Expired,
    /// It was undone by a reversal.
    Undone,
}

/// One line of the books.
#[derive(Clone, Debug)]
pub struct Posting {
    /// The request.
    pub entry: Entry,
    /// How it was answered.
    pub code: ResponseCode,
    /// The approval code given, if it was approved.
    pub approval: Option<ApprovalCode>,
    /// What was approved: less than was asked where the code says so; of an adjustment, the amount that it changed.
    pub approved: Amount,
    /// What stands of it now: adjustments change it.
    pub amount: Amount,
    /// What became of the money.
    pub money: Money,
    /// The posting that it follows, by its place.
    pub follows: Option<usize>,
    /// The postings that follow it, by their places.
    pub followed_by: Vec<usize>,
    /// The issuer's day on which a reversal undid it.
    pub undone: Option<BusinessDate>,
}
