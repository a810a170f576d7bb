//! What a terminal tells until it is acknowledged: advices, refunds, what was done offline.

use super::account::Account;
use super::follow::FollowUp;
use super::log::Advice;
use super::request::{Purchase, Sent};
use super::slip::Slip;
use super::{Terminal, TerminalFault};
use crate::iso8583::Builder;
use crate::iso8583::De;
use crate::iso8583::Role;
use crate::model::Amount;
use crate::model::ApprovalCode;
use crate::model::Kind;
use crate::model::ResponseCode;
use crate::model::Stan;
use crate::model::Timestamp;

/// What of a message is never kept to be told again: the card goes sealed, track, PIN and MAC not at all; nor its
/// serial number, for the next telling has one of its own.
const NOT_KEPT: [Role; 8] = [
    Role::Pan,
    Role::Track2,
    Role::Track3,
    Role::PinBlock,
    Role::PinCapture,
    Role::SecurityControl,
    Role::Ksn,
    Role::Mac,
];

impl Terminal {
    /// Sells or refunds without the host ([`Kind::OfflineSale`], [`Kind::OfflineRefund`]): the slip is in the
    /// log at once, and the host is told when there is a connection. `approval` is what somebody gave by voice.
    /// Keep the memory before the goods are handed over.
    ///
    /// # Errors
    /// [`TerminalFault`] if the message cannot be made.
    pub fn offline(
        &mut self,
        purchase: &Purchase<'_>,
        approval: Option<ApprovalCode>,
        now: Timestamp,
    ) -> Result<Slip, TerminalFault> {
        if self.memory.log.closing.is_some() {
            return Err(TerminalFault::SettlementFirst);
        }
        self.room_for_a_slip()?;
        let stan = self.memory.take_stan();
        let mut message = self.start(purchase.kind, stan, now, self.financial_digits())?;
        self.at_the_counter(&mut message, Some(purchase.amount), purchase.entry, false)?;
        message.role(Role::Pan, purchase.card.pan.clear().as_bytes())?;
        message.role(Role::Expiry, &purchase.card.expiry.digits())?;
        if let Some(code) = approval {
            message.role(Role::ApprovalCode, code.as_bytes())?;
        }
        if purchase.kind == Kind::OfflineRefund && self.has(Role::Operator) {
            let organisation = Account::card(&purchase.card.pan).organisation();
            message.role(Role::Operator, organisation.as_bytes())?;
        }
        self.done_offline(purchase.kind, message, now)
    }

    /// Gives money of a sale back without the host ([`Kind::OfflineRefund`]); otherwise as [`Terminal::offline`].
    ///
    /// # Errors
    /// [`TerminalFault`] if the message cannot be made.
    pub fn offline_refund(&mut self, follow: &FollowUp<'_>, now: Timestamp) -> Result<Slip, TerminalFault> {
        if follow.kind != Kind::OfflineRefund {
            return Err(TerminalFault::NoKind(follow.kind));
        }
        if self.memory.log.closing.is_some() {
            return Err(TerminalFault::SettlementFirst);
        }
        self.room_for_a_slip()?;
        let message = self.follow_message(follow, now)?;
        self.done_offline(follow.kind, message, now)
    }

    /// The slip of what was done, and the message that will tell of it.
    fn done_offline(&mut self, kind: Kind, message: Builder, now: Timestamp) -> Result<Slip, TerminalFault> {
        let sent = self.tell(kind, message)?;
        if let Some(advice) = self.memory.log.advices.last_mut() {
            advice.attempts = 0;
        }
        let mut slip =
            Slip::asked(&sent, self.memory.batch, self.memory.operator.as_deref()).ok_or(TerminalFault::Unreadable)?;
        let (mut date, mut time) = ([0; 4], [0; 6]);
        let local = now.digits(self.setup.offset_minutes);
        date.copy_from_slice(&local[2..6]);
        time.copy_from_slice(&local[6..]);
        slip.at = Some((date, time));
        slip.code = "00".to_owned();
        self.memory.log.add(slip.clone(), self.memory.batch);
        Ok(slip)
    }

    /// Finishes a message that will be told until it is acknowledged, at the next occasion.
    pub(super) fn tell_later(&mut self, kind: Kind, message: Builder) -> Result<(), TerminalFault> {
        self.tell(kind, message)?;
        if let Some(advice) = self.memory.log.advices.last_mut() {
            (advice.attempts, advice.is_asked) = (0, false);
        }
        Ok(())
    }

    /// Finishes a message that will be told until it is acknowledged; it counts as told once.
    pub(super) fn tell(&mut self, kind: Kind, message: Builder) -> Result<Sent, TerminalFault> {
        let sent = self.finish_under_next(kind, message)?;
        let dialect = &self.setup.profile.dialect;
        let left_out: Vec<De> = NOT_KEPT.into_iter().filter_map(|role| Some(dialect.role(role)?.de)).collect();
        let kept = sent.message.elements().filter(|de| !left_out.contains(de) && Some(*de) != self.mac_element(&sent));
        let elements = kept.filter_map(|de| Some((de, sent.message.value(de)?.to_vec()))).collect();
        let asked = Slip::asked(&sent, self.memory.batch, None).ok_or(TerminalFault::Unreadable)?;
        let account = asked.account.filter(|account| !account.is_code());
        self.memory.log.advices.push(Advice { kind, stan: asked.stan, account, elements, attempts: 1, is_asked: true });
        Ok(sent)
    }

    fn mac_element(&self, sent: &Sent) -> Option<De> {
        self.setup.profile.dialect.mac_element(&sent.message)
    }

    /// The oldest message that nobody acknowledged, once more; `None` if there is none. Keep the memory
    /// before it leaves.
    ///
    /// # Errors
    /// [`TerminalFault`].
    pub fn advice(&mut self) -> Result<Option<Sent>, TerminalFault> {
        self.advice_at(0)
    }

    /// The message of this number once more, if nobody acknowledged it. Keep the memory before it leaves.
    ///
    /// # Errors
    /// [`TerminalFault`].
    pub(super) fn advice_of(&mut self, stan: Stan) -> Result<Option<Sent>, TerminalFault> {
        let Some(at) = self.memory.log.advices.iter().position(|advice| advice.stan == stan) else { return Ok(None) };
        self.advice_at(at)
    }

    fn advice_at(&mut self, at: usize) -> Result<Option<Sent>, TerminalFault> {
        let Some(advice) = self.memory.log.advices.get_mut(at) else { return Ok(None) };
        advice.attempts = advice.attempts.saturating_add(1);
        advice.is_asked = false;
        let Advice { kind, account, elements, attempts, .. } = advice.clone();
        let row = self.setup.profile.dialect.kind_row(kind).ok_or(TerminalFault::NoKind(kind))?;
        let repeated = attempts > 1 && self.has(Role::OriginalMti);
        let mut message = self.setup.profile.dialect.build(if repeated { row.mti.repeat() } else { row.mti });
        for (de, value) in &elements {
            message.set(*de, value)?;
        }
        if let Some(pan) = account.as_ref().and_then(Account::pan) {
            message.role(Role::Pan, pan.clear().as_bytes())?;
        }
        self.finish_under_next(kind, message).map(Some)
    }

    /// How many messages nobody acknowledged.
    #[must_use]
    pub fn untold(&self) -> usize {
        self.memory.log.advices.len()
    }

    /// What an answer to an advice does. 94 is an acknowledgement too: the host has it already.
    pub(super) fn told(&mut self, sent: &Sent, code: Option<ResponseCode>, approved: bool, slip: Option<Slip>) {
        let stan = sent.message.role(Role::Stan).and_then(|stan| Stan::parse(&stan));
        let (log, open) = (&mut self.memory.log, self.memory.batch);
        let Some(at) = log.advices.iter().position(|advice| Some(advice.stan) == stan && advice.kind == sent.kind)
        else {
            return;
        };
        let offline = matches!(sent.kind, Kind::OfflineSale | Kind::OfflineRefund);
        let accepted = approved || (offline && code == Some(ResponseCode::DuplicateMismatch));
        if !accepted && code.is_some_and(|code| is_to_be_told_again(code, offline)) {
            // The host has looked for it before it said so: it does not have it, and the next batch may.
            if let Some(advice) = log.advices.get_mut(at).filter(|_| code == Some(ResponseCode::SignInRequired)) {
                advice.attempts = 0;
            }
            return;
        }
        let advice = log.advices.remove(at);
        match (accepted, offline) {
            (true, true) => log.accept(advice.stan, slip),
            // How a chip took its scripts is nobody's receipt.
            (true, false) if sent.kind == Kind::ScriptNotice => {}
            (true, false) => slip.into_iter().for_each(|slip| log.add(slip, open)),
            (false, true) => log.refuse(advice.stan),
            (false, false) => {}
        }
    }
}

/// A host that wants a sign-in has not looked at the message. One in trouble is told again of what was done
/// already; of what was only asked, its answer is the last word.
pub(super) fn is_to_be_told_again(code: ResponseCode, offline: bool) -> bool {
    use ResponseCode as Code;
    let unread = matches!(code, Code::SignInRequired | Code::PinFormat | Code::MacFailure);
    let trouble = [Code::IssuerInoperative, Code::IssuerUnreachable, Code::Timeout, Code::NoResponse];
    unread || (offline && (code == Code::SystemFailure || trouble.contains(&code)))
}

impl Slip {
    /// The slip of an adjustment: what it adds is the tip.
    pub(super) fn with_tip(mut self, sent: &Sent) -> Self {
        let tip = sent.message.role(Role::AdditionalPrivate).and_then(|tip| Amount::parse(&tip));
        if let Some(tip) = tip.filter(|_| self.kind == Kind::Adjustment) {
            self.tip = tip;
        }
        self
    }
}
