//! The book: the ledger's state in memory, a fold of its records.
//!
//! Questions and plans take `&self`; [`Book::apply`] is the only way a fact gets in. What must not
//! survive a restart (what is in flight, when a retry is due) is moved by [`Book::take_due`] and
//! [`Book::postpone`] and is no record: monotonic time means nothing to the next process.

use super::Answer;
use super::Decided;
use super::Due;
use super::Intent;
use super::Outcome;
use super::Recorded;
use super::TxnId;
use super::counters::Counters;
use super::identities::Identities;
use super::kinds;
use super::lifecycle::Change;
use super::lifecycle::State;
use super::owed::Next;
use super::owed::Queue;
use super::record::Record;
use crate::model::IssuerName;
use crate::model::Rrn;
use crate::model::SessionFacts;
use crate::model::TerminalId;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// The state of the open day.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// By number: order of intent, but for requests that raced for their numbers.
    pub(super) entries: BTreeMap<TxnId, Entry>,
    pub(super) identities: Identities,
    pub(super) rrns: HashMap<Rrn, TxnId>,
    pub(super) counters: Counters,
    pub(super) terminals: HashMap<TerminalId, SessionFacts>,
    owed: BTreeMap<IssuerName, Queue>,
}

/// One transaction.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) intent: Arc<Intent>,
    pub(super) answer: Option<Answer>,
    pub(super) state: State,
    pub(super) late: Option<Outcome>,
    /// How often its reversal went.
    attempts: u32,
}

impl Entry {
    fn new(intent: &Arc<Intent>, answer: Option<Answer>, state: State) -> Self {
        Self { intent: Arc::clone(intent), answer, state, late: None, attempts: 0 }
    }

    /// The decision that stands.
    pub(super) fn decided(&self) -> Option<Decided> {
        let (outcome, answer) = self.state.outcome().zip(self.answer.clone())?;
        Some(Decided { outcome, answer, rrn: self.intent.rrn })
    }

    /// Whether an issuer may have done something that a reversal undoes.
    pub(super) fn is_undoable(&self) -> bool {
        kinds::of(self.intent.kind).is_undone_by_reversal() && self.intent.outbound.is_some()
    }

    /// The whole record.
    pub(super) fn recorded(&self) -> Recorded {
        Recorded {
            intent: Arc::clone(&self.intent),
            decided: self.decided(),
            effect: self.state.effect(),
            late: self.late,
        }
    }
}

impl Book {
    /// Takes a fact in. Total: a fact about an unknown transaction changes nothing.
    pub(super) fn apply(&mut self, record: &Record) {
        match record {
            Record::Intended(intent) => {
                self.counters.take(&intent.reservations);
                self.enter(Entry::new(intent, None, State::Open));
            }
            Record::Declined(intent, answer) => {
                self.enter(Entry::new(intent, Some(answer.clone()), State::Stands(Outcome::Declined)));
            }
            Record::Rerouted(id, outbound) => {
                if let Some(entry) = self.entries.get_mut(id) {
                    Arc::make_mut(&mut entry.intent).outbound = Some(outbound.clone());
                }
            }
            Record::Decided(id, decision, to) => {
                if let Some(entry) = self.entries.get_mut(id) {
                    entry.answer = Some(decision.answer.clone());
                }
                self.move_to(*id, *to);
            }
            Record::Moved(id, to) => self.move_to(*id, *to),
            Record::Attempted(id) => {
                if let Some(entry) = self.entries.get_mut(id) {
                    entry.attempts = entry.attempts.saturating_add(1);
                }
            }
            Record::Late(id, outcome) => {
                if let Some(entry) = self.entries.get_mut(id) {
                    entry.late = Some(*outcome);
                }
            }
            Record::Reversal(kept) => self.identities.add_reversal(&kept.reversal, kept.decided(), kept.original),
            Record::Terminal(terminal, facts) => {
                self.terminals.insert(*terminal, facts.clone());
            }
        }
    }

    fn enter(&mut self, entry: Entry) {
        let id = entry.intent.id;
        self.identities.add_request(&entry.intent.identity, id);
        self.rrns.insert(entry.intent.rrn, id);
        self.entries.insert(id, entry);
    }

    /// Moves a transaction and does what follows: reservations back, reversal into or out of the queue.
    fn move_to(&mut self, id: TxnId, to: State) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let change = Change::between(entry.state, to);
        entry.state = to;
        if change.gives_back {
            self.counters.give_back(&entry.intent.reservations);
        }
        let Some(outbound) = &entry.intent.outbound else { return };
        let terminal = entry.intent.identity.terminal;
        if change.owes {
            self.owed.entry(outbound.issuer.clone()).or_default().push(terminal, id);
        } else if change.settles
            && let Some(queue) = self.owed.get_mut(&outbound.issuer)
        {
            queue.settle(terminal, id);
        }
    }

    /// The next due entry of an issuer, now in flight.
    pub(super) fn take_due(&mut self, issuer: &IssuerName, now: Duration) -> Next<Due> {
        let Some(queue) = self.owed.get_mut(issuer) else { return Next::Nothing };
        match queue.take(now) {
            Next::At(at) => Next::At(at),
            Next::Nothing => Next::Nothing,
            Next::Now(id) => self.entries.get(&id).map_or(Next::Nothing, |entry| {
                Next::Now(Due {
                    original: Arc::clone(&entry.intent),
                    approval: entry.answer.as_ref().and_then(|answer| answer.approval),
                    attempts: entry.attempts,
                })
            }),
        }
    }

    /// An entry that was in flight comes back at `at`.
    pub(super) fn postpone(&mut self, id: TxnId, at: Duration) {
        let Some(intent) = self.entries.get(&id).map(|entry| &entry.intent) else { return };
        let Some(outbound) = &intent.outbound else { return };
        if let Some(queue) = self.owed.get_mut(&outbound.issuer) {
            queue.postpone(intent.identity.terminal, id, at);
        }
    }

    /// How many messages are owed, per issuer; issuers that are owed nothing are not named.
    pub(super) fn owed(&self) -> Vec<(IssuerName, usize)> {
        let counts = self.owed.iter().map(|(issuer, queue)| (issuer.clone(), queue.len()));
        counts.filter(|(_, count)| *count > 0).collect()
    }
}
