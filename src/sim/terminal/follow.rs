//! What follows an earlier transaction: voids, increments, completions, refunds, tips.

use super::account::Account;
use super::card::{Card, Entry};
use super::request::Sent;
use super::slip::{Slip, Standing};
use super::{Terminal, TerminalFault};
use crate::hsm::calculator::ClearPin;
use crate::iso8583::Builder;
use crate::iso8583::Mti;
use crate::iso8583::Role;
use crate::ledger::kinds;
use crate::model::Amount;
use crate::model::ApprovalCode;
use crate::model::BatchNumber;
use crate::model::Expiry;
use crate::model::Kind;
use crate::model::OnUnknown;
use crate::model::Rrn;
use crate::model::Stan;
use crate::model::Timestamp;

/// How an earlier transaction is named: what the operator reads from its receipt, as far as it is needed.
#[derive(Clone, Default)]
pub struct Original {
    /// Its number.
    pub stan: Option<Stan>,
    /// Its batch.
    pub batch: Option<BatchNumber>,
    /// Its date, MMDD.
    pub date: Option<[u8; 4]>,
    /// DE 37 of its answer.
    pub rrn: Option<Rrn>,
    /// DE 38 of its answer.
    pub approval: Option<ApprovalCode>,
    /// The voucher of a payment by code.
    pub voucher: Option<String>,
    /// What it was charged to, if the card is not presented again.
    pub account: Option<Account>,
    /// The card's expiry.
    pub expiry: Option<Expiry>,
    /// Its type, DE 7 and local time, for dialects that name it by them.
    pub sent: Option<(Mti, [u8; 10], [u8; 12])>,
}

impl From<&Slip> for Original {
    fn from(slip: &Slip) -> Self {
        Self {
            stan: Some(slip.stan),
            batch: Some(slip.batch),
            date: slip.date(),
            rrn: slip.rrn,
            approval: slip.approval,
            voucher: slip.voucher.clone(),
            account: slip.account.clone(),
            expiry: slip.expiry,
            sent: slip.sent.map(|(transmission, local)| (slip.mti, transmission, local)),
        }
    }
}

/// A follow-up at the counter.
pub struct FollowUp<'a> {
    /// What it is to do.
    pub kind: Kind,
    /// How much: of a void all of it, of a refund a part or all, of an adjustment the new whole amount.
    pub amount: Amount,
    /// The tip in the new amount, of an adjustment.
    pub tip: Amount,
    /// What it follows.
    pub original: &'a Original,
    /// The card, if it is presented again, and how it is read.
    pub card: Option<(&'a Card, Entry)>,
    /// The PIN, if one was entered. A refund takes none.
    pub pin: Option<&'a ClearPin>,
}

/// Which elements name the original.
struct Names {
    rrn: bool,
    approval: bool,
    reference: Reference,
}

/// What the original's reference says of it.
#[derive(Clone, Copy)]
enum Reference {
    /// Batch and number: it is in the terminal's own batch.
    Number,
    /// Batch, number and date.
    Whole,
    /// The date alone: RRN and date find it wherever it was made.
    Date,
}

/// The table: `None` is no follow-up.
fn names(follow: &FollowUp<'_>) -> Option<Names> {
    let row = |rrn, approval, reference| Some(Names { rrn, approval, reference });
    match follow.kind {
        Kind::SaleVoid | Kind::CompletionVoid => row(true, true, Reference::Number),
        Kind::AuthorizationVoid | Kind::Increment | Kind::Completion | Kind::CompletionAdvice => {
            row(false, true, Reference::Whole)
        }
        // A sale made offline that the host does not know yet has a number only.
        Kind::OfflineRefund if follow.original.rrn.is_none() => row(false, false, Reference::Number),
        Kind::Refund | Kind::OfflineRefund => row(true, false, Reference::Date),
        Kind::Adjustment => row(true, true, Reference::Whole),
        _ => None,
    }
}

impl Terminal {
    /// Voids, increments, completes, refunds or adjusts. What it takes to undo it, or to tell it again, is in
    /// the terminal's memory when this returns: keep the memory before the unit leaves.
    ///
    /// # Errors
    /// [`TerminalFault::ReversalFirst`] while a reversal is pending; [`TerminalFault::NoKind`] if `kind` is no
    /// follow-up; others if the message cannot be made.
    pub fn follow_up(&mut self, follow: &FollowUp<'_>, now: Timestamp) -> Result<Sent, TerminalFault> {
        self.may_ask()?;
        if follow.kind == Kind::OfflineRefund {
            return Err(TerminalFault::NoKind(follow.kind));
        }
        let message = self.follow_message(follow, now)?;
        match kinds::of(follow.kind).on_unknown {
            OnUnknown::Repeat => self.tell(follow.kind, message),
            OnUnknown::Reverse | OnUnknown::Nothing => self.ask(follow.kind, message, now),
        }
    }

    /// Whether the host was told of what this slip says.
    pub(super) fn is_told(&self, slip: &Slip) -> bool {
        !self.memory.log.advices.iter().any(|advice| advice.stan == slip.stan && advice.kind == slip.kind)
    }

    /// `original` with what has changed since the slip that it names was as in `before`. What somebody said
    /// otherwise stays.
    ///
    /// # Errors
    /// [`TerminalFault::OriginalRefused`] if the host would not take it.
    pub(super) fn as_told(&self, original: &Original, before: &Slip) -> Result<Original, TerminalFault> {
        let found = self.memory.log.find(before.stan);
        let Some(slip) = found.filter(|slip| slip.kind == before.kind) else { return Ok(original.clone()) };
        if slip.standing == Standing::Refused {
            return Err(TerminalFault::OriginalRefused);
        }
        let (was, is) = (Original::from(before), Original::from(slip));
        let mut original = original.clone();
        if original.batch == was.batch {
            original.batch = is.batch;
        }
        if original.date == was.date {
            original.date = is.date;
        }
        if original.rrn == was.rrn {
            original.rrn = is.rrn;
        }
        if original.approval == was.approval {
            original.approval = is.approval;
        }
        Ok(original)
    }

    /// The message of a follow-up, under the next number.
    pub(super) fn follow_message(&mut self, follow: &FollowUp<'_>, now: Timestamp) -> Result<Builder, TerminalFault> {
        let named = names(follow).ok_or(TerminalFault::NoKind(follow.kind))?;
        let stan = self.memory.take_stan();
        let mut message = self.start(follow.kind, stan, now, self.financial_digits())?;
        let entry = match (&follow.card, &follow.original.account) {
            (Some((_, entry)), _) => *entry,
            (None, Some(account)) if account.is_code() => Entry::Qr,
            (None, _) => Entry::Manual,
        };
        // A refund takes no PIN: its DE 22 says that the terminal could.
        let refunds = matches!(follow.kind, Kind::Refund | Kind::OfflineRefund);
        let pin = follow.pin.filter(|_| !refunds);
        let able = pin.is_some() || (refunds && follow.card.is_some());
        self.at_the_counter(&mut message, Some(follow.amount), entry, able)?;
        self.charged(&mut message, follow, entry, pin)?;
        self.name(&mut message, &named, follow.original)?;
        self.particulars(&mut message, follow)?;
        Ok(message)
    }

    /// The card, presented again or from the slip; or the voucher of a payment by code.
    fn charged(
        &self,
        message: &mut Builder,
        follow: &FollowUp<'_>,
        entry: Entry,
        pin: Option<&ClearPin>,
    ) -> Result<(), TerminalFault> {
        if let Some((card, _)) = follow.card {
            message.role(Role::Pan, card.pan.clear().as_bytes())?;
            message.role(Role::Expiry, &card.expiry.digits())?;
            return self.card_data(message, card, entry, pin);
        }
        let original = follow.original;
        if let Some(pan) = original.account.as_ref().and_then(Account::pan) {
            message.role(Role::Pan, pan.clear().as_bytes())?;
            if let Some(expiry) = original.expiry {
                message.role(Role::Expiry, &expiry.digits())?;
            }
        }
        if let Some(voucher) = original.voucher.as_ref().filter(|_| self.has(Role::Voucher)) {
            message.role(Role::Voucher, voucher.as_bytes())?;
        }
        Ok(())
    }

    fn name(&self, message: &mut Builder, named: &Names, original: &Original) -> Result<(), TerminalFault> {
        let rrn = if self.has(Role::OriginalRrn) { Role::OriginalRrn } else { Role::Rrn };
        // Where no element names the original by its number, the reference number does.
        let by_rrn = named.rrn || !(self.has(Role::OriginalBatch) || self.has(Role::OriginalMti));
        if let Some(value) = original.rrn.filter(|_| by_rrn) {
            message.role(rrn, value.as_bytes())?;
        }
        if let Some(code) = original.approval.filter(|_| named.approval) {
            message.role(Role::ApprovalCode, code.as_bytes())?;
        }
        if self.has(Role::OriginalBatch) {
            return self.refer(message, named.reference, original);
        }
        let (Some((mti, transmission, local)), Some(stan)) = (original.sent, original.stan) else { return Ok(()) };
        for (role, value) in [
            (Role::OriginalMti, mti.digits().as_slice()),
            (Role::OriginalStan, stan.digits().as_slice()),
            (Role::OriginalTransmissionTime, transmission.as_slice()),
            (Role::OriginalLocalTime, local.as_slice()),
        ] {
            if self.has(role) {
                message.role(role, value)?;
            }
        }
        Ok(())
    }

    /// Batch, number and date of the original, as many as the kind says.
    fn refer(&self, message: &mut Builder, reference: Reference, original: &Original) -> Result<(), TerminalFault> {
        let numbered = original.batch.zip(original.stan).filter(|_| !matches!(reference, Reference::Date));
        if let Some((batch, stan)) = numbered {
            message.role(Role::OriginalBatch, &batch.digits())?.role(Role::OriginalStan, &stan.digits())?;
        }
        if let Some(date) = original.date.filter(|_| !matches!(reference, Reference::Number)) {
            message.role(Role::OriginalDate, &date)?;
        }
        Ok(())
    }

    /// What single kinds have of their own: a refund the card's organisation, an adjustment the tip.
    fn particulars(&self, message: &mut Builder, follow: &FollowUp<'_>) -> Result<(), TerminalFault> {
        if matches!(follow.kind, Kind::Refund | Kind::OfflineRefund) && self.has(Role::Operator) {
            let presented = follow.card.map(|(card, _)| Account::card(&card.pan));
            let account = presented.as_ref().or(follow.original.account.as_ref());
            message.role(Role::Operator, account.map_or("CUP", Account::organisation).as_bytes())?;
        }
        if follow.kind == Kind::Adjustment && self.has(Role::AdditionalPrivate) {
            if self.has(Role::MessageTypeCode) {
                self.composite(message, "34", "000", self.financial_digits())?;
            }
            message.role(Role::AdditionalPrivate, &follow.tip.digits())?;
        }
        Ok(())
    }
}
