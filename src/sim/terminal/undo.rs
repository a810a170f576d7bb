//! What a terminal undoes, and how.

use super::card::reversal_subset;
use super::memory::Undo;
use super::request::{Sent, transmission_time};
use super::{Terminal, TerminalFault};
use crate::channel::ReversalIcc;
use crate::iso8583::Builder;
use crate::iso8583::De;
use crate::iso8583::Role;
use crate::model::Amount;
use crate::model::Kind;
use crate::model::Pan;
use crate::model::Stan;
use crate::model::Timestamp;

/// The roles of a request that its reversal repeats as they were.
const REPEATED: [Role; 11] = [
    Role::ProcessingCode,
    Role::Amount,
    Role::Expiry,
    Role::EntryMode,
    Role::CardSequence,
    Role::ConditionCode,
    Role::Terminal,
    Role::Merchant,
    Role::Currency,
    Role::MessageTypeCode,
    Role::OriginalBatch,
];

impl Terminal {
    /// What it takes to undo a request; `None` if it has no number.
    pub(super) fn undo(&self, sent: &Sent, now: Timestamp) -> Option<Undo> {
        let value = |role| sent.message.role(role).map(|value| value.to_vec());
        let switches = &self.setup.profile.switches;
        let security = switches.reversal_security_control.then_some(Role::SecurityControl);
        let roles = REPEATED.into_iter().chain(security);
        let mut elements: Vec<(De, Vec<u8>)> = Vec::new();
        for de in roles.filter_map(|role| self.setup.profile.dialect.role(role).map(|row| row.de)) {
            if let Some(value) = sent.message.value(de) {
                elements.push((de, value.to_vec()));
            }
        }
        if let (Some(row), Some(icc)) = (self.setup.profile.dialect.role(Role::Icc), sent.message.role(Role::Icc)) {
            let kept = match switches.reversal_icc {
                ReversalIcc::None => Vec::new(),
                ReversalIcc::Subset => reversal_subset(&icc),
                ReversalIcc::Full => icc.to_vec(),
            };
            if !kept.is_empty() {
                elements.push((row.de, kept));
            }
        }
        Some(Undo {
            kind: sent.kind,
            mti: sent.mti,
            stan: value(Role::Stan).and_then(|stan| Stan::parse(&stan))?,
            amount: value(Role::Amount).and_then(|amount| Amount::parse(&amount)).unwrap_or(Amount::ZERO),
            pan: value(Role::Pan).and_then(|pan| Pan::parse(&pan)),
            elements,
            sent: (transmission_time(now), now.digits(self.setup.offset_minutes)),
            approval: None,
            reason: *b"98",
            own_stan: None,
            attempts: 0,
        })
    }

    /// Makes the pending request's reversal; `None` if nothing is pending. A repeat is the same message
    /// again, marked where the dialect marks repeats. Keep the memory before it leaves.
    ///
    /// # Errors
    /// [`TerminalFault`].
    pub fn reversal(&mut self, now: Timestamp) -> Result<Option<Sent>, TerminalFault> {
        let Some(mut undo) = self.memory.pending.clone() else { return Ok(None) };
        // Dialects that name the original in an element of its own give the reversal its own number; the
        // others repeat the original's.
        let names_original = self.has(Role::OriginalMti);
        let stan = match undo.own_stan {
            Some(stan) => stan,
            None if names_original => self.memory.take_stan(),
            None => undo.stan,
        };
        undo.own_stan = Some(stan);
        undo.attempts = undo.attempts.saturating_add(1);
        self.memory.pending = Some(undo.clone());
        let row = self.setup.profile.dialect.kind_row(Kind::Reversal).ok_or(TerminalFault::NoKind(Kind::Reversal))?;
        let repeated = undo.attempts > 1 && names_original;
        let mut message = self.setup.profile.dialect.build(if repeated { row.mti.repeat() } else { row.mti });
        message.role(Role::Stan, &stan.digits())?;
        self.stamps(&mut message, now)?;
        self.original_local_time(&mut message, &undo)?;
        for (de, value) in &undo.elements {
            message.set(*de, value)?;
        }
        if let Some(pan) = &undo.pan {
            message.role(Role::Pan, pan.clear().as_bytes())?;
        }
        if let Some(code) = undo.approval {
            message.role(Role::ApprovalCode, code.as_bytes())?;
        }
        if names_original {
            self.name_original(&mut message, &undo)?;
        } else {
            message.role(Role::ResponseCode, &undo.reason)?;
        }
        self.finish_under_next(Kind::Reversal, message).map(Some)
    }

    /// The local date and time are the original's: of two uses of a number they tell which one is meant.
    fn original_local_time(&self, message: &mut Builder, undo: &Undo) -> Result<(), TerminalFault> {
        let local = &undo.sent.1;
        let values = [(Role::LocalYear, &local[..2]), (Role::LocalDate, &local[2..6]), (Role::LocalTime, &local[6..])];
        for (role, value) in values.into_iter().filter(|(role, _)| self.has(*role) && !self.has(Role::Batch)) {
            message.role(role, value)?;
        }
        Ok(())
    }

    fn name_original(&self, message: &mut Builder, undo: &Undo) -> Result<(), TerminalFault> {
        message.role(Role::OriginalMti, &undo.mti.digits())?.role(Role::OriginalStan, &undo.stan.digits())?;
        for (role, value) in [
            (Role::OriginalTransmissionTime, undo.sent.0.as_slice()),
            (Role::OriginalLocalTime, undo.sent.1.as_slice()),
        ] {
            if self.has(role) {
                message.role(role, value)?;
            }
        }
        Ok(())
    }

    /// Forgets that `sent` is pending: not one byte of it left.
    pub fn not_sent(&mut self, sent: &Sent) {
        let stan = sent.message.role(Role::Stan).and_then(|stan| Stan::parse(&stan));
        if self.memory.pending.as_ref().is_some_and(|undo| undo.attempts == 0 && Some(undo.stan) == stan) {
            self.memory.pending = None;
        }
        self.memory.log.not_sent(stan);
    }

    /// Makes the last approved request the pending one: its receipt did not print. Nothing is undone while the batch is
    /// being settled: its totals are said.
    pub fn undo_last(&mut self) -> bool {
        if self.memory.pending.is_some() {
            return true;
        }
        if self.memory.log.closing.is_some() {
            return false;
        }
        let Some(last) = self.memory.last.take() else { return false };
        self.memory.log.undo(last.stan);
        self.memory.pending = Some(Undo { reason: *b"06", ..last });
        true
    }
}
