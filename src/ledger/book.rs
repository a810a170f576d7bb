//! The book: the ledger's state in memory, a fold of its records.
//!
//! Questions and plans take `&self`; [`Book::apply`] is the only way a fact gets in. What must not
//! survive a restart (what is in flight, when a retry is due) is moved by [`Book::take_due`] and
//! [`Book::postpone`] and is no record: monotonic time means nothing to the next process.

use super::Answer;
use super::DataKeyName;
use super::DeadLetter;
use super::Decided;
use super::Decision;
use super::Due;
use super::Intent;
use super::Outcome;
use super::Owed;
use super::Recorded;
use super::TxnId;
use super::batches;
use super::fates::Changed;
use super::followers::Followers;
use super::identities::Identities;
use super::kinds;
use super::kinds::FollowTerms;
use super::lifecycle::Change;
use super::lifecycle::State;
use super::lifecycle::Terms;
use super::originals::Originals;
use super::owed::Next;
use super::owed::Queue;
use super::record::Marks;
use super::record::Record;
use super::record::Standing;
use super::standing::Departed;
use crate::model::Amount;
use crate::model::IssuerName;
use crate::model::KeyBlock;
use crate::model::Ladder;
use crate::model::ResponseCode;
use crate::model::Revision;
use crate::model::Rrn;
use crate::model::SessionFacts;
use crate::model::Stan;
use crate::model::Subject;
use crate::model::TerminalId;
use crate::model::ZoneFacts;
use crate::mutant;
use crate::mutant::Mutant;
use crate::risk::Counters;
use crate::risk::Memory;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// The state of the open days.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// By number: order of intent, but for requests that raced for their numbers.
    pub(super) entries: BTreeMap<TxnId, Entry>,
    pub(super) identities: Identities,
    pub(super) rrns: HashMap<Rrn, TxnId>,
    pub(super) counters: Counters,
    pub(super) terminals: BTreeMap<TerminalId, SessionFacts>,
    pub(super) data_keys: BTreeMap<DataKeyName, KeyBlock>,
    pub(super) stans: BTreeMap<IssuerName, Stan>,
    pub(super) zones: BTreeMap<IssuerName, ZoneFacts>,
    /// By what is followed.
    pub(super) followers: HashMap<TxnId, Followers>,
    pub(super) marks: Marks,
    pub(super) batches: batches::Index,
    pub(super) owed: BTreeMap<IssuerName, Queue>,
    /// What the acquirer allows follow-ups; no fact, and not kept.
    pub(super) terms: FollowTerms,
    /// By what else than their numbers some are found.
    pub(super) originals: Originals,
    /// What left with closed days and was not taken yet.
    pub(super) departed: Vec<Departed>,
    /// What rules remember of requests.
    pub(super) memory: Memory,
    pub(super) ladders: BTreeMap<Subject, Ladder>,
    /// The last [`Revision::KEPT`], the oldest first.
    pub(super) revisions: VecDeque<Revision>,
    /// What fares otherwise than before, where somebody wants to know; no fact, and not kept.
    pub(super) changes: Option<Vec<Changed>>,
}

/// One transaction.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) intent: Arc<Intent>,
    pub(super) answer: Option<Answer>,
    pub(super) state: State,
    pub(super) late: Option<Outcome>,
    /// Why the issuer refused what it was owed.
    pub(super) refused: Option<ResponseCode>,
    /// How often what is owed may have gone.
    pub(super) attempts: u32,
    /// Under which STAN it went last.
    pub(super) sent_as: Option<Stan>,
}

impl Entry {
    fn new(intent: &Arc<Intent>, answer: Option<Answer>, state: State) -> Self {
        Self { intent: Arc::clone(intent), answer, state, late: None, refused: None, attempts: 0, sent_as: None }
    }

    /// As it stood.
    pub(super) fn standing(standing: &Standing) -> Self {
        Self {
            intent: Arc::clone(&standing.intent),
            answer: standing.answer.clone(),
            state: standing.state,
            late: standing.late,
            refused: standing.refused,
            attempts: standing.attempts,
            sent_as: standing.sent_as,
        }
    }

    /// The decision that stands.
    pub(super) fn decided(&self) -> Option<Decided> {
        let (outcome, answer) = self.state.outcome().zip(self.answer.clone())?;
        Some(Decided::of(&self.intent, outcome, answer))
    }

    /// What its issuer may be owed.
    pub(super) fn terms(&self) -> Terms {
        Terms::of(kinds::of(self.intent.kind).on_unknown, self.intent.outbound.is_some())
    }

    /// What was approved, or asked while nothing is.
    pub(super) fn amount(&self) -> Amount {
        let partial = self.answer.as_ref().and_then(|answer| answer.amount);
        partial.filter(|_| !mutant::is(Mutant::PartialInFull)).unwrap_or(self.intent.amount)
    }

    fn due(&self, what: Owed) -> Due {
        let answer = self.answer.as_ref();
        Due {
            original: Arc::clone(&self.intent),
            what,
            approval: answer.and_then(|answer| answer.approval),
            partial: answer.and_then(|answer| answer.amount),
            attempts: self.attempts,
            stan: self.sent_as,
        }
    }
}

impl Book {
    /// Takes a fact in. Total: a fact about an unknown transaction changes nothing.
    pub(super) fn apply(&mut self, record: &Record) {
        match record {
            Record::Intended(intent) => self.enter(Entry::new(intent, None, State::Open)),
            Record::Declined(intent, answer) => {
                self.enter(Entry::new(intent, Some(answer.clone()), State::Stands(Outcome::Declined)));
            }
            Record::Rerouted(id, outbound) => {
                self.change(*id, |entry| Arc::make_mut(&mut entry.intent).outbound = Some(outbound.clone()));
                self.stans.insert(outbound.issuer.clone(), outbound.stan);
            }
            Record::Decided(id, decision, to) => {
                self.change(*id, |entry| entry.answer = Some(decision.answer.clone()));
                if let Some(entry) = self.entries.get(id) {
                    self.originals.add(&entry.intent, &decision.answer);
                }
                self.move_to(*id, *to);
                self.note_asked(*id, decision, *to);
            }
            Record::Moved(id, to) => self.move_to(*id, *to),
            Record::Attempted(id, stan) => self.attempted(*id, *stan),
            Record::Refused(id, code, to, _) => {
                self.change(*id, |entry| entry.refused = Some(*code));
                self.move_to(*id, *to);
            }
            Record::Late(id, outcome) => self.change(*id, |entry| entry.late = Some(*outcome)),
            Record::Reversal(kept) => {
                self.marks.last = self.marks.last.max(kept.number);
                self.identities.add_reversal(kept);
            }
            Record::Terminal(terminal, facts) => {
                self.terminals.insert(*terminal, facts.clone());
            }
            Record::DataKey(name, block) => {
                self.data_keys.entry(*name).or_insert_with(|| block.clone());
            }
            Record::Stan(issuer, stan) => {
                self.stans.insert(issuer.clone(), *stan);
            }
            Record::Zone(issuer, facts) => {
                self.zones.insert(issuer.clone(), facts.clone());
            }
            Record::Closed(date) => self.close(*date),
            Record::Standing(standing) => self.restore(standing),
            Record::Marks(marks) => self.marks = *marks,
            Record::Batch(record) => {
                self.marks.last = self.marks.last.max(record.number);
                self.batches.closed(record);
            }
            Record::Uploaded(terminal, batch, group) => self.batches.uploaded(*terminal, *batch, group),
            Record::Opened(terminal, batch) => self.batches.opened(*terminal, *batch),
            // A row of another release's memory tells nothing: rules begin anew.
            Record::Remembered(row) => drop(self.memory.restore(row)),
            Record::Step(entry) => self.ladders.entry(entry.subject).or_default().take((**entry).clone()),
            Record::Ladder(subject, ladder) => drop(self.ladders.insert(*subject, (**ladder).clone())),
            Record::Revision(revision) => self.revise(revision),
        }
    }

    fn revise(&mut self, revision: &Revision) {
        if self.revisions.len() >= Revision::KEPT {
            self.revisions.pop_front();
        }
        self.revisions.push_back(revision.clone());
    }

    fn change(&mut self, id: TxnId, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.entries.get_mut(&id) {
            change(entry);
        }
    }

    fn enter(&mut self, entry: Entry) {
        let (id, intent, state) = (entry.intent.id, Arc::clone(&entry.intent), entry.state);
        self.marks.last = self.marks.last.max(id);
        self.identities.add_request(&intent.identity, id);
        self.rrns.insert(intent.rrn, id);
        if state == State::Open {
            self.batches.enter(&intent);
        }
        if let Some(outbound) = &intent.outbound {
            self.stans.insert(outbound.issuer.clone(), outbound.stan);
        }
        self.entries.insert(id, entry);
        if self.is_live(id) {
            self.counters.take(&intent.reservations);
        }
        self.remember(id, &intent);
        self.tell_followed(&intent, state, intent.amount);
    }

    /// What is repeated until acknowledged after the issuer kept silent has gone once already.
    fn note_asked(&mut self, id: TxnId, decision: &Decision, to: State) {
        if to == State::Advising && !decision.advise {
            self.change(id, |entry| entry.attempts = 1);
        }
    }

    fn attempted(&mut self, id: TxnId, stan: Stan) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.attempts = entry.attempts.saturating_add(1);
        let before = entry.sent_as.replace(stan);
        // A number that is used again says nothing of how far the link's numbers have come.
        if let Some(outbound) = &entry.intent.outbound
            && before != Some(stan)
            && outbound.stan != stan
        {
            self.stans.insert(outbound.issuer.clone(), stan);
        }
    }

    /// Moves a transaction and does what follows: reservations back, messages into or out of the queue, and
    /// what it means to the transaction it follows.
    fn move_to(&mut self, id: TxnId, to: State) {
        let before = self.fates(id);
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let change = Change::between(entry.state, to);
        entry.state = to;
        if change.owes || change.owes_other {
            entry.attempts = 0;
            entry.sent_as = None;
        }
        let (intent, amount) = (Arc::clone(&entry.intent), entry.amount());
        if let Some(outbound) = &intent.outbound {
            let terminal = intent.identity.terminal;
            if change.owes {
                self.owed.entry(outbound.issuer.clone()).or_default().push(terminal, id);
            } else if change.settles
                && let Some(queue) = self.owed.get_mut(&outbound.issuer)
            {
                queue.settle(terminal, id);
            }
        }
        self.balance(&before);
        self.tell_followed(&intent, to, amount);
    }

    /// Tells the transaction that `intent` follows where it is now; and the one which that follows.
    fn tell_followed(&mut self, intent: &Intent, state: State, amount: Amount) {
        let Some(followed) = intent.follows else { return };
        let before = self.fates(followed);
        let followers = self.followers.entry(followed).or_default();
        followers.note(intent, state, amount);
        let voided = followers.is_voided();
        if !mutant::is(Mutant::VoidKeepsReservations) {
            self.balance(&before);
        }
        let first = self.entries.get(&followed).and_then(|entry| entry.intent.follows);
        if let Some(followers) = first.and_then(|first| self.followers.get_mut(&first)) {
            followers.note_voided(followed, voided);
        }
    }

    /// The whole record.
    pub(super) fn recorded(&self, id: TxnId) -> Option<Recorded> {
        let entry = self.entries.get(&id)?;
        let own = entry.state.effect();
        let followers = self.followers.get(&id);
        Some(Recorded {
            intent: Arc::clone(&entry.intent),
            decided: entry.decided(),
            effect: followers.map_or(own, |followers| followers.effect(own)),
            adjusted: followers.and_then(|followers| followers.adjusted(entry.intent.kind)),
            late: entry.late,
        })
    }

    /// What was refused for good and not undone since.
    pub(super) fn dead_letters(&self) -> Vec<DeadLetter> {
        let dead = self.entries.values().filter_map(|entry| {
            let what = match entry.state {
                State::Unadvised => Owed::Advice,
                State::Irreversible(_) => Owed::Reversal,
                _ => return None,
            };
            Some(DeadLetter { original: Arc::clone(&entry.intent), what, code: entry.refused? })
        });
        dead.collect()
    }

    /// The next due entry of an issuer, now in flight.
    pub(super) fn take_due(&mut self, issuer: &IssuerName, now: Duration) -> Next<Due> {
        let Some(queue) = self.owed.get_mut(issuer) else { return Next::Nothing };
        match queue.take(now) {
            Next::At(at) => Next::At(at),
            Next::Nothing => Next::Nothing,
            Next::Now(id) => {
                let due = self.entries.get(&id).and_then(|entry| Some(entry.due(entry.state.owes()?)));
                due.map_or(Next::Nothing, Next::Now)
            }
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
