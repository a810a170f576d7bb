//! What an operation records, decided from the book alone. Pure: nothing here changes the book.

use super::Answer;
use super::Decided;
use super::Decision;
use super::Forwarded;
use super::Intended;
use super::Intent;
use super::LedgerFault;
use super::Outbound;
use super::Outcome;
use super::Reversal;
use super::Reversed;
use super::TxnId;
use super::book::Book;
use super::book::Entry;
use super::kinds;
use super::kinds::Money;
use super::lifecycle::Event;
use super::lifecycle::State;
use super::lifecycle::step;
use super::record::Commit;
use super::record::KeptReversal;
use super::record::Record;
use super::record::Records;
use crate::model::Amount;
use crate::model::IssuerName;
use crate::model::ResponseCode;
use crate::model::Rrn;
use std::sync::Arc;

/// Reversals that are kept for each transaction there is room for: a full ledger still undoes.
const REVERSALS_A_TRANSACTION: usize = 2;

type Planned<T> = Result<Commit<T>, LedgerFault>;

impl Book {
    /// Duplicate, tombstone, refusal, reservations: in this order, the first that has something to say.
    pub(super) fn plan_intent(&self, mut intent: Intent, capacity: usize) -> Planned<Intended> {
        if let Some(known) = self.identities.request(&intent.identity) {
            return Ok(Commit::nothing(self.again(known, &intent)?));
        }
        if self.entries.len() >= capacity {
            return Err(LedgerFault::Full);
        }
        if self.entries.contains_key(&intent.id) {
            return Err(LedgerFault::Failed("a transaction number was used twice".to_owned()));
        }
        if !kinds::of(intent.kind).reserves {
            intent.reservations.clear();
        }
        let tombstone = self.identities.has_tombstone(&intent.identity).then_some(ResponseCode::RelatedInvalid);
        let refusal = tombstone
            .or(intent.refusal.map(|refusal| refusal.code))
            .or_else(|| self.counters.refusal(&intent.reservations));
        let intent = Arc::new(intent);
        Ok(match refusal {
            None => Commit::of([Record::Intended(intent)], Intended::Fresh),
            Some(code) => {
                let answer = Answer::of(code, intent.received);
                let decided = Decided { outcome: Outcome::Declined, answer: answer.clone(), rrn: intent.rrn };
                Commit::of([Record::Declined(intent, answer)], Intended::Declined(decided))
            }
        })
    }

    /// What a request is told whose identity is known.
    fn again(&self, known: TxnId, intent: &Intent) -> Result<Intended, LedgerFault> {
        let entry = self.entry(known)?;
        if entry.intent.content != intent.content {
            return Ok(Intended::Mismatch);
        }
        Ok(entry.decided().map_or(Intended::Running(known), Intended::Duplicate))
    }

    /// Another way for a transaction on whose first way nothing was sent; or what was decided meanwhile.
    pub(super) fn plan_reroute(&self, id: TxnId, outbound: Outbound) -> Planned<Option<Decided>> {
        Ok(match self.entry(id)?.decided() {
            Some(standing) => Commit::nothing(Some(standing)),
            None => Commit::of([Record::Rerouted(id, outbound)], None),
        })
    }

    /// Compare and set: only an open transaction takes the decision. A loser who brings an approval
    /// brings a late one.
    pub(super) fn plan_decision(&self, id: TxnId, decision: Decision) -> Planned<Decided> {
        let entry = self.entry(id)?;
        let Some(standing) = entry.decided() else {
            let to = step(entry.state, Event::Decide(decision.outcome), entry.is_undoable());
            let decided = Decided { outcome: decision.outcome, answer: decision.answer.clone(), rrn: entry.intent.rrn };
            return Ok(Commit::of([Record::Decided(id, decision, to)], decided));
        };
        let late = decision.outcome == Outcome::Approved && standing.outcome != Outcome::Approved;
        let records = if late { late_records(entry, decision.outcome) } else { Records::new() };
        Ok(Commit { records, reply: standing })
    }

    /// A terminal's reversal: its own record, and what it does to its original, in one commit.
    pub(super) fn plan_reversal(&self, reversal: Reversal, rrn: Rrn, capacity: usize) -> Planned<Reversed> {
        if let Some(decided) = self.identities.reversal(&reversal) {
            return Ok(Commit::nothing(Reversed::Repeat(decided.clone())));
        }
        if self.identities.reversals() >= capacity.saturating_mul(REVERSALS_A_TRANSACTION) {
            return Err(LedgerFault::Full);
        }
        let original = self.identities.original(&reversal).map(|id| self.entry(id)).transpose()?;
        if original.is_some_and(|entry| !entry.is_for(reversal.amount)) {
            return Ok(Commit::nothing(Reversed::AmountDiffers));
        }
        let answer = Answer::of(ResponseCode::Approved, reversal.received);
        let kept = KeptReversal { reversal, rrn, answer, original: original.map(|entry| entry.intent.id) };
        let decided = kept.decided();
        let undo = original.and_then(undo_record);
        let records = undo.into_iter().chain([Record::Reversal(Box::new(kept))]).collect();
        let reply = if original.is_some() { Reversed::Accepted(decided) } else { Reversed::Unknown(decided) };
        Ok(Commit { records, reply })
    }

    /// A late answer, if this issuer was asked under its number.
    pub(super) fn plan_late(&self, issuer: &IssuerName, rrn: Rrn, outcome: Outcome) -> Planned<Option<TxnId>> {
        let Some(id) = self.rrns.get(&rrn).copied() else { return Ok(Commit::nothing(None)) };
        let asked = self.entry(id)?.intent.outbound.as_ref().is_some_and(|outbound| outbound.issuer == *issuer);
        if !asked {
            return Ok(Commit::nothing(None));
        }
        Ok(Commit { records: late_records(self.entry(id)?, outcome), reply: Some(id) })
    }

    /// How a reversal fared at its issuer. What is not owed does not change.
    pub(super) fn plan_acknowledgement(&self, id: TxnId, forwarded: Forwarded) -> Planned<()> {
        let entry = self.entry(id)?;
        let (event, attempt) = match forwarded {
            Forwarded::Acknowledged => (Event::Acknowledged, None),
            Forwarded::Retry(_) => (Event::Postponed, entry.state.owes_reversal().then_some(Record::Attempted(id))),
            Forwarded::NotSent(_) => (Event::Postponed, None),
            Forwarded::Refused(_) => (Event::Refused, None),
        };
        Ok(Commit { records: attempt.into_iter().chain(moved(entry, event)).collect(), reply: () })
    }

    /// One transaction.
    pub(super) fn entry(&self, id: TxnId) -> Result<&Entry, LedgerFault> {
        self.entries.get(&id).ok_or(LedgerFault::Unknown)
    }
}

impl Entry {
    /// Whether a reversal of `amount` can mean this transaction: what was asked, or the part approved.
    fn is_for(&self, amount: Amount) -> bool {
        kinds::of(self.intent.kind).money == Money::Untouched
            || self.intent.amount == amount
            || self.answer.as_ref().is_some_and(|answer| answer.amount == Some(amount))
    }
}

/// The record of what `event` does to a decided transaction, if it does anything.
fn moved(entry: &Entry, event: Event) -> Option<Record> {
    let to = step(entry.state, event, entry.is_undoable());
    (to != entry.state).then_some(Record::Moved(entry.intent.id, to))
}

/// What a terminal's reversal does to its original. A running one is decided by it: the reversal wins.
fn undo_record(entry: &Entry) -> Option<Record> {
    if entry.state != State::Open {
        return moved(entry, Event::TerminalReversal);
    }
    let to = step(entry.state, Event::TerminalReversal, entry.is_undoable());
    let answer = Answer::of(ResponseCode::Timeout, entry.intent.received);
    Some(Record::Decided(entry.intent.id, Decision { outcome: Outcome::TimedOut, answer }, to))
}

/// A late answer, unless it says what is known: a chatty issuer does not grow the ledger, and a noted
/// approval is not talked away.
fn late_records(entry: &Entry, outcome: Outcome) -> Records {
    if entry.late == Some(outcome) || entry.late == Some(Outcome::Approved) {
        return Records::new();
    }
    let noted = Record::Late(entry.intent.id, outcome);
    [noted].into_iter().chain(moved(entry, Event::LateAnswer)).collect()
}
