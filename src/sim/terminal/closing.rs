//! Settlement: totals, and if they differ every transaction, one message at a time. What was claimed and how
//! far it has come is in the memory before each message leaves.

use super::account::Account;
use super::advice::is_to_be_told_again;
use super::answer::Answer;
use super::log::{Closing, Settled, Step};
use super::request::Sent;
use super::slip::Slip;
use super::{Terminal, TerminalFault};
use crate::iso8583::Builder;
use crate::iso8583::De;
use crate::iso8583::Role;
use crate::iso8583::settlement::DETAILS_AT_MOST;
use crate::iso8583::settlement::Detail;
use crate::iso8583::settlement::Totals;
use crate::iso8583::settlement::Verdict;
use crate::model::BatchNumber;
use crate::model::BatchTotals;
use crate::model::Direction;
use crate::model::Kind;
use crate::model::Pan;
use crate::model::Stan;
use crate::model::Timestamp;
use crate::model::VoidsInTotals;
use std::ops::Range;

impl Terminal {
    /// What the open batch comes to, as a settlement would claim it.
    #[must_use]
    pub fn totals(&self) -> BatchTotals {
        self.memory.log.totals(self.voids()).unwrap_or_default()
    }

    /// Begins to settle, or goes on with a settlement that was interrupted. From now on [`Terminal::settlement`]
    /// makes the messages.
    ///
    /// # Errors
    /// [`TerminalFault::ReversalFirst`] and [`TerminalFault::UntoldFirst`] while something is to be undone or
    /// told; [`TerminalFault::NoKind`] if the dialect has no settlement.
    pub fn begin_settlement(&mut self) -> Result<(), TerminalFault> {
        self.nothing_pending()?;
        if !self.has(Role::AdditionalPrivate) || self.setup.profile.dialect.kind_row(Kind::Settlement).is_none() {
            return Err(TerminalFault::NoKind(Kind::Settlement));
        }
        if self.memory.log.closing.is_some() {
            return Ok(());
        }
        if !self.memory.log.advices.is_empty() {
            return Err(TerminalFault::UntoldFirst);
        }
        let (batch, totals, stan) = (self.memory.batch, self.totals(), self.memory.take_stan());
        self.memory.log.closing =
            Some(Closing { batch, stan, attempts: 0, totals, step: Step::Totals, balanced: false, upload: None });
        Ok(())
    }

    /// The next message of the settlement that began; `None` if none is under way. The same message again if
    /// the last one was not answered.
    ///
    /// # Errors
    /// [`TerminalFault`].
    pub fn settlement(&mut self, now: Timestamp) -> Result<Option<Sent>, TerminalFault> {
        let Some(closing) = self.memory.log.closing.clone() else { return Ok(None) };
        let numbered = matches!(closing.step, Step::Details(_) | Step::End);
        let stan = match closing.upload {
            Some(stan) => stan,
            None if numbered => self.memory.take_stan(),
            None => closing.stan,
        };
        if let Some(closing) = &mut self.memory.log.closing {
            closing.upload = closing.upload.or(numbered.then_some(stan));
            closing.attempts = closing.attempts.saturating_add(u32::from(closing.step == Step::Totals));
        }
        match closing.step {
            Step::Totals => self.claim(&closing, now),
            Step::Details(done) => self.details(done, stan, now),
            Step::Notices(done) => self.notice(done, now),
            Step::Certificates(done) => self.certificate(done, now),
            Step::End => self.end(closing.balanced, stan, now),
        }
        .map(Some)
    }

    fn claim(&self, closing: &Closing, now: Timestamp) -> Result<Sent, TerminalFault> {
        let mut message = self.addressed(Kind::Settlement, closing.stan, now)?;
        let claimed = Totals { totals: closing.totals, domestic: Verdict::Asked, foreign: Verdict::Asked };
        let digits = claimed.digits().ok_or(TerminalFault::BatchTooLarge)?;
        message.role(Role::AdditionalPrivate, digits.as_bytes())?;
        message.role(Role::Currency, &self.setup.currency.digits())?;
        if self.has(Role::Operator) {
            let length = usize::from(self.setup.profile.switches.operator_length);
            message.role(Role::Operator, self.operator(length).as_bytes())?;
        }
        self.finish(Kind::Settlement, message)
    }

    /// A message that only says which terminal of which merchant it is from.
    fn addressed(&self, kind: Kind, stan: Stan, now: Timestamp) -> Result<Builder, TerminalFault> {
        let mut message = self.start(kind, stan, now, 11)?;
        message.role(Role::Terminal, self.setup.terminal.as_bytes())?;
        message.role(Role::Merchant, self.setup.merchant.as_bytes())?;
        Ok(message)
    }

    fn upload(&self, stan: Stan, network: &str, digits: &str, now: Timestamp) -> Result<Sent, TerminalFault> {
        let mut message = self.addressed(Kind::BatchUpload, stan, now)?;
        self.composite(&mut message, "00", network, 11)?;
        message.role(Role::AdditionalPrivate, digits.as_bytes())?;
        self.finish(Kind::BatchUpload, message)
    }

    fn details(&self, done: usize, stan: Stan, now: Timestamp) -> Result<Sent, TerminalFault> {
        let group = self.uploaded(Direction::Debit).skip(done).take(DETAILS_AT_MOST);
        let details: Vec<Detail> = group.map(Slip::detail).collect();
        let digits = Detail::digits_of(&details).ok_or(TerminalFault::BatchTooLarge)?;
        self.upload(stan, "201", &digits, now)
    }

    /// What was given back is told in full, as itself.
    fn notice(&self, done: usize, now: Timestamp) -> Result<Sent, TerminalFault> {
        let slip = self.uploaded(Direction::Credit).nth(done).ok_or(TerminalFault::Unreadable)?;
        self.in_full(slip, "206", now)
    }

    /// What a chip approved, with its certificate: proof, after the totals were found equal.
    fn certificate(&self, done: usize, now: Timestamp) -> Result<Sent, TerminalFault> {
        let slip = self.certified_slips().nth(done).ok_or(TerminalFault::Unreadable)?;
        self.in_full(slip, "203", now)
    }

    /// An upload of one transaction with its elements and its own number.
    fn in_full(&self, slip: &Slip, network: &str, now: Timestamp) -> Result<Sent, TerminalFault> {
        let mut message = self.addressed(Kind::BatchUpload, slip.stan, now)?;
        let row = self.setup.profile.dialect.kind_row(slip.kind).ok_or(TerminalFault::NoKind(slip.kind))?;
        let said = |role| row.when.iter().find(|(when, _)| *when == role).map(|(_, pattern)| pattern.replace('.', "0"));
        for role in [Role::ProcessingCode, Role::ConditionCode] {
            if let Some(value) = said(role) {
                message.role(role, value.as_bytes())?;
            }
        }
        self.at_the_counter(&mut message, Some(slip.amount), slip.entry, false)?;
        if let Some(pan) = slip.account.as_ref().and_then(Account::pan) {
            message.role(Role::Pan, pan.clear().as_bytes())?;
        }
        if let Some(code) = slip.account.as_ref().filter(|account| account.is_code() && self.has(Role::PaymentCode)) {
            message.role(Role::PaymentCode, code.clear().as_bytes())?;
        }
        if let Some(rrn) = slip.rrn {
            message.role(Role::Rrn, rrn.as_bytes())?;
        }
        if let Some(certificate) = &slip.certificate {
            message.role(Role::Icc, certificate)?;
        }
        let code = said(Role::MessageTypeCode);
        self.composite(&mut message, code.as_deref().unwrap_or("00"), network, self.financial_digits())?;
        self.finish(Kind::BatchUpload, message)
    }

    /// Everything was uploaded, or nothing had to be. The count is of the details; notices are not in it.
    fn end(&self, balanced: bool, stan: Stan, now: Timestamp) -> Result<Sent, TerminalFault> {
        let network = if balanced { "207" } else { "202" };
        let count = if balanced { 0 } else { self.uploaded(Direction::Debit).count() };
        self.upload(stan, network, &format!("{count:04}"), now)
    }

    /// The slips that are in the totals, of one side.
    fn uploaded(&self, side: Direction) -> impl Iterator<Item = &Slip> {
        self.memory.log.items(self.voids()).filter(move |(_, direction)| *direction == side).map(|(slip, _)| slip)
    }

    /// Debits that a chip approved.
    fn certified_slips(&self) -> impl Iterator<Item = &Slip> {
        self.uploaded(Direction::Debit).filter(|slip| slip.certificate.is_some())
    }

    /// What the host says of the totals.
    pub(super) fn compared(&mut self, answer: &mut Answer) {
        let digits = answer.message.role(Role::AdditionalPrivate).map(|value| value.to_vec());
        let verdicts = digits.and_then(|digits| Totals::parse(&digits)).map(|said| [said.domestic, said.foreign]);
        answer.verdicts = verdicts;
        let Some(closing) = &mut self.memory.log.closing else { return };
        match verdicts {
            Some(said) if said.contains(&Verdict::Error) => self.memory.log.closing = None,
            Some(said) if said.contains(&Verdict::Unbalanced) => {
                closing.step = Step::Details(0);
                closing.balanced = false;
                self.skip_empty();
            }
            Some([Verdict::Balanced, Verdict::Balanced]) => {
                closing.step = Step::Certificates(0);
                closing.balanced = true;
                self.skip_empty();
            }
            // This copy was not looked at. An earlier one may have been: only a verdict says whether it was.
            _ if closing.attempts > 1 && answer.code.is_some_and(|code| is_to_be_told_again(code, true)) => {}
            // Refused outright: the next attempt begins anew, after a sign-in if the host wants one.
            _ => self.memory.log.closing = None,
        }
    }

    /// An upload message was answered.
    pub(super) fn uploaded_one(&mut self, answer: &Answer) {
        let Some(closing) = self.memory.log.closing.as_mut() else { return };
        // A batch that balanced is closed whatever the host says of its end.
        let closed = closing.balanced;
        if !(answer.approved || closed) {
            return;
        }
        closing.upload = None;
        match closing.step {
            Step::Totals => {}
            Step::Details(done) => closing.step = Step::Details(done + DETAILS_AT_MOST),
            Step::Notices(done) => closing.step = Step::Notices(done + 1),
            Step::Certificates(done) => closing.step = Step::Certificates(done + 1),
            Step::End => return self.closed(),
        }
        self.skip_empty();
    }

    /// Goes on to the step that has something to say.
    fn skip_empty(&mut self) {
        let [debits, credits] = [Direction::Debit, Direction::Credit].map(|side| self.uploaded(side).count());
        let certified = self.certified_slips().count();
        let Some(closing) = &mut self.memory.log.closing else { return };
        if matches!(closing.step, Step::Details(done) if done >= debits) {
            closing.step = Step::Notices(0);
        }
        if matches!(closing.step, Step::Notices(done) if done >= credits) {
            closing.step = Step::End;
        }
        if matches!(closing.step, Step::Certificates(done) if done >= certified) {
            closing.step = Step::End;
        }
    }

    /// The batch is over: the next one begins.
    fn closed(&mut self) {
        let Some(Closing { batch, totals, balanced, .. }) = self.memory.log.closing.take() else { return };
        self.memory.log.close(Some(Settled { batch, totals, balanced }));
        self.memory.last = None;
        self.memory.batch = batch.next();
    }

    /// The host does not answer the end of a batch that balanced, or what proves it: it is closed all the same.
    pub(super) fn end_unanswered(&mut self) {
        if self.memory.log.closing.as_ref().is_some_and(|closing| closing.balanced) {
            self.closed();
        }
    }

    /// The host does not know the batch that is uploaded, a sign-in notwithstanding: somebody has ended it there.
    pub(super) fn give_up_upload(&mut self) {
        let Some(closing) = self.memory.log.closing.take() else { return };
        self.moved_on(closing.batch.next());
    }

    /// The host names another batch than ours: it has closed ours without us. What never went out belongs to the
    /// new one. (Once it may have our totals it may name another because it has ours: then its verdict and the
    /// upload come first.)
    pub(super) fn moved_on(&mut self, batch: BatchNumber) {
        self.memory.log.move_on(batch, self.batch_place());
        self.memory.last = None;
        self.memory.batch = batch;
    }

    /// What the host does not have is of the batch that is open: a 77 may have said so late.
    pub(super) fn take_along(&mut self) {
        let (batch, place) = (self.memory.batch, self.batch_place());
        self.memory.log.take_along(batch, place);
    }

    fn batch_place(&self) -> Option<(De, Range<usize>)> {
        let row = self.setup.profile.dialect.role(Role::Batch)?;
        Some((row.de, row.slice.clone()?))
    }

    /// Loses a slip, as a terminal does whose memory fails: for tests of unbalanced batches. `number` counts
    /// from one; `false` if there is no such slip.
    pub fn lose(&mut self, number: usize) -> bool {
        let Some(at) = number.checked_sub(1).filter(|at| *at < self.memory.log.slips.len()) else { return false };
        self.memory.log.slips.remove(at);
        true
    }

    /// Forgets the slips of its batch: for traffic that never settles.
    pub fn forget_slips(&mut self) {
        self.memory.log.slips.clear();
    }

    fn voids(&self) -> VoidsInTotals {
        self.setup.profile.switches.voids
    }
}

impl Slip {
    fn detail(&self) -> Detail {
        // Of a payment code of twenty digits the first nineteen stand in a card number's place.
        let digits = self.account.as_ref().map(|account| account.clear().as_bytes());
        let pan = digits.and_then(|digits| Pan::parse(digits.get(..Pan::MOST).unwrap_or(digits)));
        Detail { foreign: self.foreign, stan: self.stan, pan, amount: self.amount }
    }
}
