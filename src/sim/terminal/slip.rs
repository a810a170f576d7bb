//! The terminal's own record of its batch: a slip for everything approved.

use super::Entry;
use super::account::Account;
use super::answer::Answer;
use super::request::Sent;
use crate::iso8583::Message;
use crate::iso8583::Mti;
use crate::iso8583::Role;
use crate::model::Amount;
use crate::model::ApprovalCode;
use crate::model::BatchNumber;
use crate::model::Expiry;
use crate::model::Kind;
use crate::model::Organisation;
use crate::model::Pan;
use crate::model::Rrn;
use crate::model::Stan;

/// What became of what a slip says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// It stands.
    Stands,
    /// It was cancelled, whole.
    Voided,
    /// It was made offline, and the host would not take it.
    Refused,
}

/// One approved transaction, as the terminal keeps it until its batch and the next one are closed. No
/// `Debug`: it holds a card number.
#[derive(Clone)]
pub struct Slip {
    /// What it was.
    pub kind: Kind,
    /// The request's type.
    pub mti: Mti,
    /// Its number: the voucher number on the receipt.
    pub stan: Stan,
    /// The batch it belongs to.
    pub batch: BatchNumber,
    /// What was approved; a tip is in it.
    pub amount: Amount,
    /// How much of that is tip.
    pub tip: Amount,
    /// What it was charged to.
    pub account: Option<Account>,
    /// The card's expiry.
    pub expiry: Option<Expiry>,
    /// How the card was read.
    pub entry: Entry,
    /// DE 37.
    pub rrn: Option<Rrn>,
    /// DE 38.
    pub approval: Option<ApprovalCode>,
    /// The host's local date, MMDD, and time, hhmmss; the terminal's own if it was made offline.
    pub at: Option<([u8; 4], [u8; 6])>,
    /// DE 39.
    pub code: String,
    /// The number, in the same batch, of what it follows.
    pub original: Option<Stan>,
    /// The voucher of a payment by code.
    pub voucher: Option<String>,
    /// DE 7 and the local YYMMDDhhmmss of the request, where the dialect names originals by them.
    pub sent: Option<([u8; 10], [u8; 12])>,
    /// Whether the host said that the card is another country's organisation's (DE 63): totals are told apart
    /// by it.
    pub foreign: bool,
    /// Who was at the terminal.
    pub operator: Option<String>,
    /// What became of it.
    pub standing: Standing,
    /// DE 55 after the chip approved a charge, with its certificate: uploaded when the batch is settled.
    pub certificate: Option<Vec<u8>>,
}

impl Slip {
    /// The slip of an approved request; `None` if the request has no number.
    pub(super) fn of(sent: &Sent, answer: &Answer, batch: BatchNumber, operator: Option<&str>) -> Option<Self> {
        let mut slip = Self::asked(sent, batch, operator)?;
        let came = |role| answer.message.role(role).map(|value| value.to_vec());
        slip.amount = answer.amount.unwrap_or(slip.amount);
        slip.rrn = answer.rrn;
        slip.approval = answer.approval.or(slip.approval);
        slip.code.clone_from(&answer.wire_code);
        slip.voucher = came(Role::Voucher).and_then(|voucher| String::from_utf8(voucher).ok()).or(slip.voucher);
        let organisation = came(Role::CardOrganisation).and_then(|text| <[u8; 3]>::try_from(text.get(..3)?).ok());
        slip.foreign = organisation.and_then(|name| Organisation::parse(&name)).is_some_and(Organisation::is_foreign);
        let (date, time) = (came(Role::LocalDate), came(Role::LocalTime));
        slip.at = date.zip(time).and_then(|(date, time)| Some((date.try_into().ok()?, time.try_into().ok()?)));
        Some(slip)
    }

    /// What the request alone says.
    pub(super) fn asked(sent: &Sent, batch: BatchNumber, operator: Option<&str>) -> Option<Self> {
        let value = |role| sent.message.role(role).map(|value| value.to_vec());
        let digits = |role| value(role).and_then(|value| String::from_utf8(value).ok());
        let card = value(Role::Pan).and_then(|pan| Pan::parse(&pan)).map(|pan| Account::card(&pan));
        let code = digits(Role::PaymentCode).and_then(|code| Account::code(&code));
        Some(Self {
            kind: sent.kind,
            mti: sent.mti,
            stan: value(Role::Stan).and_then(|stan| Stan::parse(&stan))?,
            batch: value(Role::Batch).and_then(|batch| BatchNumber::parse(&batch)).unwrap_or(batch),
            amount: value(Role::Amount).and_then(|amount| Amount::parse(&amount)).unwrap_or(Amount::ZERO),
            tip: Amount::ZERO,
            account: card.or(code),
            expiry: value(Role::Expiry).and_then(|expiry| Expiry::parse(&expiry)),
            entry: Entry::of(&value(Role::EntryMode).unwrap_or_default()),
            rrn: None,
            approval: value(Role::ApprovalCode).and_then(|code| ApprovalCode::parse(&code)),
            at: None,
            code: String::new(),
            original: value(Role::OriginalStan).and_then(|stan| Stan::parse(&stan)),
            voucher: digits(Role::Voucher),
            sent: times(&sent.message),
            foreign: false,
            operator: operator.map(str::to_owned),
            standing: Standing::Stands,
            certificate: None,
        })
    }

    /// The host's local date, MMDD.
    #[must_use]
    pub fn date(&self) -> Option<[u8; 4]> {
        self.at.map(|(date, _)| date)
    }

    /// Whether it cancels another.
    #[must_use]
    pub fn is_void(&self) -> bool {
        matches!(self.kind, Kind::SaleVoid | Kind::AuthorizationVoid | Kind::CompletionVoid)
    }

    /// Which side of the batch it is on; `None` moves nothing there.
    #[must_use]
    pub fn side(&self) -> Option<Side> {
        match self.kind {
            Kind::Sale | Kind::OfflineSale | Kind::Completion | Kind::CompletionAdvice => Some(Side::Debit),
            Kind::Refund | Kind::OfflineRefund => Some(Side::Credit),
            Kind::SaleVoid | Kind::CompletionVoid => Some(Side::Void),
            _ => None,
        }
    }
}

/// What a slip does to the merchant's money.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// The merchant is owed.
    Debit,
    /// The merchant owes.
    Credit,
    /// It takes a debit back.
    Void,
}

/// DE 7 and local times as a message has them, where a dialect has all of them.
fn times(message: &Message) -> Option<([u8; 10], [u8; 12])> {
    let value = |role| message.role(role).map(|value| value.to_vec());
    let transmission = value(Role::TransmissionTime)?;
    let year = value(Role::LocalYear).unwrap_or_else(|| b"00".to_vec());
    let local = [year, value(Role::LocalDate)?, value(Role::LocalTime)?].concat();
    Some((transmission.try_into().ok()?, local.try_into().ok()?))
}
