//! What a follow-up says of the transaction that it follows, and which one that is.

use super::exchange::{Exchange, Stop};
use super::station::{Station, World};
use crate::iso8583::Message;
use crate::iso8583::Role;
use crate::ledger::Ledger;
use crate::ledger::OriginalKey;
use crate::ledger::OriginalQuery;
use crate::ledger::Recorded;
use crate::ledger::Scope;
use crate::ledger::kinds;
use crate::model::ApprovalCode;
use crate::model::BatchNumber;
use crate::model::BusinessDate;
use crate::model::Kind;
use crate::model::MessageClass;
use crate::model::PanToken;
use crate::model::Rrn;
use crate::model::Stan;
use crate::model::TerminalFacts;
use crate::model::Voucher;
use smallvec::SmallVec;

/// What stands for nothing in an element that must be there.
const NOTHING: [u8; 2] = [b'0', b' '];

impl<W: World> Station<W> {
    /// The transaction that a request names as its original, and whether it names one; `None` if its kind follows
    /// nothing, or there is no such transaction. What cannot be read now is not unknown: 96, and the request may come again.
    pub(super) fn find_original(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        kind: Kind,
        token: Option<PanToken>,
    ) -> Result<(Option<Recorded>, bool), Stop> {
        if kinds::found_by(kind).is_empty() {
            return Ok((None, false));
        }
        let message = exchange.message;
        let stan = said(message, Role::OriginalStan, Stan::parse);
        let scope = self.original_scope(exchange, facts);
        let class = message.role(Role::OriginalMti).and_then(|mti| MessageClass::from_digit(*mti.get(1)?));
        let query = OriginalQuery {
            kind,
            merchant: facts.merchant,
            numbered: stan.is_some() && scope.is_some(),
            number: OriginalKey {
                terminal: facts.terminal,
                stan: stan.unwrap_or(Stan::FIRST),
                scope: scope.unwrap_or_default(),
                class,
            },
            rrn: said(message, Role::OriginalRrn, Rrn::parse),
            approval: said(message, Role::ApprovalCode, ApprovalCode::parse),
            token,
            voucher: said(message, Role::Voucher, Voucher::parse),
            date: said(message, Role::OriginalDate, |date| date.try_into().ok()),
        };
        let original = self.parts.ledger.find_original(&query).map_err(|fault| self.ledger_stop(&fault))?;
        Ok((original, query.names_one()))
    }

    /// The original's batch where the dialect has batches, else its local date; `None` if it is not said.
    fn original_scope(&self, exchange: &Exchange<'_>, facts: &TerminalFacts) -> Option<Scope> {
        let message = exchange.message;
        if message.dialect().role(Role::Batch).is_some() {
            let batch = said(message, Role::OriginalBatch, BatchNumber::parse)?;
            return Some(Scope(SmallVec::from_slice(&batch.digits())));
        }
        let date = match message.role(Role::OriginalLocalTime) {
            Some(local) => local.get(2..6)?.try_into().ok()?,
            None => {
                let sent = message.role(Role::OriginalTransmissionTime)?;
                local_date(&sent, facts.date(exchange.received), facts.offset_minutes)?
            }
        };
        Some(Scope(SmallVec::from_slice(&date)))
    }
}

/// A role's value, unless it is not there or filled up with nothing.
fn said<T>(message: &Message, role: Role, parse: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    let value = message.role(role)?;
    if value.iter().all(|byte| NOTHING.contains(byte)) { None } else { parse(&value) }
}

/// The local date, MMDD, of an instant that is told as MMDDhhmmss in UTC, at most a year before `today`.
fn local_date(sent: &[u8], today: BusinessDate, offset_minutes: i16) -> Option<[u8; 4]> {
    let pair = |at: usize| std::str::from_utf8(sent.get(at..at + 2)?).ok()?.parse::<i8>().ok();
    let date = BusinessDate::new(today.year(), pair(0)?, pair(2)?)?;
    let minutes = i16::from(pair(4)?) * 60 + i16::from(pair(6)?) + offset_minutes;
    let local = match minutes {
        ..0 => date.yesterday()?,
        0..1_440 => date,
        _ => date.tomorrow()?,
    };
    Some(local.month_day())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_date_of_an_instant_may_be_the_day_before_or_after_that_of_utc() {
        let today = BusinessDate::new(2026, 3, 1).unwrap();
        let of = |sent: &[u8], offset| local_date(sent, today, offset);
        assert_eq!(of(b"0228170000", 480), Some(*b"0301"));
        assert_eq!(of(b"0228155959", 480), Some(*b"0228"));
        assert_eq!(of(b"0301010000", -300), Some(*b"0228"));
        assert_eq!(of(b"0230010000", 0), None);
        assert_eq!(of(b"03", 0), None);
    }
}
