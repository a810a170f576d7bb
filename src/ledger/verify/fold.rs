//! The checks: a fold over the records that keeps just enough to doubt the next one.
//!
//! It shares the lifecycle's table with the ledger, for that is the law; everything else (identities,
//! counters, queues, follow-ups) it reckons by itself, so that a mistake of the ledger is not repeated.

use super::Counts;
use super::batches::Batches;
use super::counters::Counters;
use super::counters::Taken;
use super::invariant::Invariant;
use super::invariant::Violation;
use super::ladders::Ladders;
use super::lanes::IssuerIndex;
use super::lanes::Lanes;
use super::numbers::Numbers;
use super::totals::Line;
use super::totals::Totals;
use super::totals::standing;
use crate::ledger::Answer;
use crate::ledger::DataKeyName;
use crate::ledger::Decision;
use crate::ledger::Intent;
use crate::ledger::Outbound;
use crate::ledger::Outcome;
use crate::ledger::Owed;
use crate::ledger::TxnId;
use crate::ledger::history::Reader;
use crate::ledger::journal::Group;
use crate::ledger::journal::Place;
use crate::ledger::kinds;
use crate::ledger::kinds::Money;
use crate::ledger::lifecycle::Change;
use crate::ledger::lifecycle::Event;
use crate::ledger::lifecycle::State;
use crate::ledger::lifecycle::Terms;
use crate::ledger::lifecycle::Undone;
use crate::ledger::lifecycle::step;
use crate::ledger::record::KeptReversal;
use crate::ledger::record::Record;
use crate::ledger::record::Standing;
use crate::ledger::standing::CLOSED_AT_ONCE;
use crate::model::Amount;
use crate::model::BatchNumber;
use crate::model::BusinessDate;
use crate::model::Currency;
use crate::model::IssuerName;
use crate::model::Kind;
use crate::model::Rrn;
use crate::model::Subject;
use crate::model::TerminalId;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;

/// Violations that are told one by one; more are only counted.
pub(super) const TOLD: usize = 1_000;

const EVENTS: [Event; 9] = [
    Event::Decide(Outcome::Approved),
    Event::Decide(Outcome::Declined),
    Event::Decide(Outcome::TimedOut),
    Event::ApproveUntold,
    Event::TerminalReversal,
    Event::LateAnswer,
    Event::Acknowledged,
    Event::Postponed,
    Event::Refused,
];

/// One transaction: what the checks need of it.
#[derive(Clone, Debug)]
pub(super) struct Txn {
    pub(super) rrn: Rrn,
    pub(super) terminal: TerminalId,
    pub(super) kind: Kind,
    pub(super) batch: Option<BatchNumber>,
    pub(super) foreign: bool,
    pub(super) date: BusinessDate,
    pub(super) currency: Currency,
    pub(super) test_mode: bool,
    pub(super) asked: Amount,
    pub(super) partial: Option<Amount>,
    pub(super) follows: Option<TxnId>,
    pub(super) state: State,
    issuer: Option<IssuerIndex>,
    pub(super) late: Option<Outcome>,
    pub(super) attempts: u32,
    pub(super) taken: Taken,
    /// What had cancelled it when it came as it stands.
    pub(super) voided_by: Option<TxnId>,
}

impl Txn {
    fn terms(&self) -> Terms {
        Terms::of(kinds::of(self.kind).on_unknown, self.issuer.is_some())
    }

    /// What was approved, or asked while nothing is.
    pub(super) fn amount(&self) -> Amount {
        self.partial.unwrap_or(self.asked)
    }

    fn line(&self) -> Line {
        let standing = standing(self.state);
        Line { date: self.date, test_mode: self.test_mode, currency: self.currency, standing }
    }
}

/// Doubts one record after the other.
#[derive(Debug, Default)]
pub(in crate::ledger) struct Verifier {
    pub(super) counts: Counts,
    pub(super) totals: Totals,
    pub(super) violations: Vec<Violation>,
    /// In the book.
    pub(super) open: BTreeMap<TxnId, Txn>,
    /// Left with their closed day; what follow-ups need of them.
    pub(super) gone: HashMap<TxnId, Txn>,
    pub(super) followers: HashMap<TxnId, Vec<TxnId>>,
    pub(super) batches: Batches,
    pub(super) numbers: Numbers,
    lanes: Lanes,
    pub(super) counters: Counters,
    pub(super) ladders: Ladders,
    /// Terminals that rules held in this group and that were not suspended yet, and the records.
    pub(super) held: Vec<(Subject, u32)>,
    keys: HashSet<DataKeyName>,
    /// Approvals undone in this group whose terminal's reversal has not been seen yet, and their records.
    undone: Vec<(TxnId, u32)>,
    group: u64,
    pub(super) record: u32,
    /// Whose record it is.
    pub(super) subject: Option<(TxnId, Option<Rrn>)>,
    /// Reading what a snapshot says: states, not how they came about.
    pub(super) in_snapshot: bool,
    /// Reading began with a snapshot: what left before it is not known.
    is_based: bool,
}

impl Reader for Verifier {
    fn departed(&mut self, record: &Record) {
        self.is_based = true;
        self.counts.records += 1;
        match record {
            Record::Standing(standing) => self.left(standing),
            Record::Reversal(kept) => self.left_reversal(kept),
            _ => {}
        }
        self.record += 1;
    }

    fn snapshot(&mut self, begins: bool) {
        self.in_snapshot = begins;
        self.is_based = true;
        self.record = 0;
    }

    fn group(&mut self, group: &Group<'_>) {
        self.group = group.header.number;
        self.record = 0;
        self.counts.groups += 1;
    }

    fn group_ends(&mut self) {
        self.holds_follow();
        for (id, record) in std::mem::take(&mut self.undone) {
            self.record = record;
            self.about(id);
            self.check(Invariant::I5, false, "an approval is undone without a reversal of its terminal");
        }
    }

    fn record(&mut self, record: &Record) {
        self.subject = None;
        self.counts.records += 1;
        match record {
            Record::Intended(intent) => self.intended(intent),
            Record::Declined(intent, answer) => self.declined(intent, answer),
            Record::Rerouted(id, outbound) => self.rerouted(*id, outbound),
            Record::Decided(id, decision, to) => self.decided(*id, decision, *to),
            Record::Moved(id, to) => self.moved(*id, *to, None),
            Record::Refused(id, _, to, _) => self.moved(*id, *to, Some(Event::Refused)),
            Record::Attempted(id, _) => self.attempted(*id),
            Record::Late(id, outcome) => self.late(*id, *outcome),
            Record::Reversal(kept) => self.reversal(kept),
            Record::Terminal(terminal, facts) => {
                self.counts.terminals += 1;
                let on = self.numbers.serial(*terminal, facts);
                self.check(Invariant::I6, on, "a serial number of a DUKPT device that is below one on record");
            }
            Record::DataKey(name, _) => {
                let fresh = self.keys.insert(*name);
                self.check(Invariant::I6, fresh, "a data key of this name is on record already");
            }
            Record::Stan(issuer, _) => {
                self.lanes.issuer(issuer);
            }
            Record::Zone(..) | Record::Remembered(_) | Record::Revision(_) => {}
            Record::Step(entry) => self.stepped(entry),
            Record::Ladder(subject, ladder) => self.ladders.set(*subject, ladder.standing),
            Record::Closed(date) => self.closed(*date),
            Record::Standing(standing) => self.stands(standing),
            Record::Marks(_) => {}
            Record::Batch(record) => self.batch_closed(record),
            Record::Uploaded(terminal, batch, group) => self.batch_uploaded(*terminal, *batch, group),
            Record::Opened(terminal, batch) => self.batch_opened(*terminal, *batch),
        }
        self.record += 1;
    }
}

impl Verifier {
    /// How many messages each issuer is owed.
    pub(super) fn owed(&self) -> BTreeMap<IssuerName, u64> {
        self.lanes.owed()
    }

    pub(super) fn check(&mut self, invariant: Invariant, holds: bool, what: &str) {
        // A snapshot says where things are, not how they came there.
        if self.in_snapshot && invariant != Invariant::I6 {
            return;
        }
        *self.counts.checks.entry(invariant).or_default() += 1;
        if holds {
            return;
        }
        self.counts.violations += 1;
        if self.violations.len() < TOLD {
            let (id, rrn) = self.subject.map_or((None, None), |(id, rrn)| (Some(id), rrn));
            let place = Place::new("", 0, self.group);
            let what = what.to_owned();
            self.violations.push(Violation { invariant, what, id, rrn, place, record: self.record });
        }
    }

    fn about(&mut self, id: TxnId) {
        let rrn = self.open.get(&id).or_else(|| self.gone.get(&id)).map(|txn| txn.rrn);
        self.subject = Some((id, rrn));
    }

    /// The transaction that a record is about, if a record may be about it.
    fn known(&mut self, id: TxnId) -> Option<Txn> {
        self.about(id);
        let is_gone = self.gone.contains_key(&id);
        self.check(Invariant::I11, !is_gone, "the transaction left with its closed day");
        let txn = self.open.get(&id).cloned();
        if !is_gone {
            self.check(Invariant::I2, txn.is_some(), "no intent of this number is on record");
        }
        txn
    }

    fn intended(&mut self, intent: &Intent) {
        self.counts.intents += 1;
        self.subject = Some((intent.id, Some(intent.rrn)));
        let buried = self.numbers.is_buried(&intent.identity);
        self.check(Invariant::I4, !buried, "a reversal came first, and the request was not declined");
        if !self.enter(intent, None, State::Open) {
            return;
        }
        self.enters_batch(intent);
        self.balance(&[(intent.id, false)].into_iter().collect());
        let within = self.counters.within(&intent.reservations);
        self.check(Invariant::I10, within, "its reservations bring a counter above its limit");
        self.may_follow(intent);
        self.may_ask(intent);
        self.may_hold(intent);
    }

    fn declined(&mut self, intent: &Intent, answer: &Answer) {
        self.counts.declined_here += 1;
        self.subject = Some((intent.id, Some(intent.rrn)));
        self.check(Invariant::I1, !answer.code.is_approval(), "declined with an answer that approves");
        self.enter(intent, Some(answer), State::Stands(Outcome::Declined));
        self.may_hold(intent);
    }

    /// Adds a transaction; false if its number is in use, and then nothing else is believed of it.
    fn enter(&mut self, intent: &Intent, answer: Option<&Answer>, state: State) -> bool {
        let fresh = self.numbers.id(intent.id);
        self.check(Invariant::I6, fresh, "the transaction number is on record already");
        let fresh_rrn = self.numbers.rrn(intent.date, intent.rrn);
        self.check(Invariant::I6, fresh_rrn, "the reference number is on record already for this date");
        let fresh_request = self.numbers.request(&intent.identity, intent.id, intent.date);
        self.check(Invariant::I6, fresh_request, "a request of this identity is on record already");
        let reserves = kinds::of(intent.kind).reserves || intent.reservations.is_empty();
        self.check(Invariant::I10, reserves, "a kind that reserves nothing has reservations");
        if fresh {
            self.admit(intent, answer, state);
        }
        fresh
    }

    /// Puts a transaction into the book.
    fn admit(&mut self, intent: &Intent, answer: Option<&Answer>, state: State) {
        let txn = Txn {
            rrn: intent.rrn,
            terminal: intent.identity.terminal,
            kind: intent.kind,
            batch: intent.batch,
            foreign: intent.card.foreign,
            date: intent.date,
            currency: intent.currency,
            test_mode: intent.test_mode,
            asked: intent.amount,
            partial: answer.and_then(|answer| answer.amount),
            follows: intent.follows,
            state,
            issuer: intent.outbound.as_ref().map(|outbound| self.lanes.issuer(&outbound.issuer)),
            late: None,
            attempts: 0,
            taken: taken(intent),
            voided_by: None,
        };
        self.totals.add(txn.line(), txn.amount());
        if let Some(followed) = txn.follows {
            let followers = self.followers.entry(followed).or_default();
            if !followers.contains(&intent.id) {
                followers.push(intent.id);
            }
        }
        self.open.insert(intent.id, txn);
    }

    fn rerouted(&mut self, id: TxnId, outbound: &Outbound) {
        let Some(txn) = self.known(id) else { return };
        self.check(Invariant::I3, txn.state == State::Open, "it goes another way after its decision");
        let issuer = self.lanes.issuer(&outbound.issuer);
        if let Some(txn) = self.open.get_mut(&id) {
            txn.issuer = Some(issuer);
        }
    }

    fn decided(&mut self, id: TxnId, decision: &Decision, to: State) {
        self.counts.decisions += 1;
        let Some(txn) = self.known(id) else { return };
        let outcome = decision.outcome;
        let says = decision.answer.code.is_approval() == (outcome == Outcome::Approved);
        self.check(Invariant::I1, says, "the answer does not say what was decided");
        let first = txn.state == State::Open;
        self.check(Invariant::I3, first, "it is decided a second time");
        if !first && !self.in_snapshot {
            return;
        }
        let silent = outcome == Outcome::TimedOut && txn.terms() == Terms::Reverse;
        let undone = to == State::Reversing(Undone::Silence);
        self.check(Invariant::I4, !silent || undone, "it timed out, and no reversal is owed");
        let leads = EVENTS.into_iter().any(|event| step(State::Open, event, txn.terms()) == to);
        let lawful = (leads && to != State::Open && to.outcome() == Some(outcome)) || (silent && !undone);
        self.check(Invariant::I3, lawful, "the decision leads where none leads");
        let part = decision.answer.amount.filter(|_| outcome == Outcome::Approved);
        let may_be = part.is_none_or(|part| kinds::may_be_partial(txn.kind) && part < txn.asked);
        self.check(Invariant::I9, may_be, "a part is approved of what is done whole");
        self.set_partial(id, decision.answer.amount);
        self.go(id, to);
        if to == State::Advising && !decision.advise {
            // The issuer was asked, and kept silent: what is repeated has gone once.
            self.open.entry(id).and_modify(|txn| txn.attempts = 1);
        }
    }

    fn set_partial(&mut self, id: TxnId, partial: Option<Amount>) {
        let Some(txn) = self.open.get_mut(&id) else { return };
        self.totals.subtract(txn.line(), txn.amount());
        txn.partial = partial;
        self.totals.add(txn.line(), txn.amount());
    }

    fn moved(&mut self, id: TxnId, to: State, by: Option<Event>) {
        self.counts.moves += 1;
        let Some(txn) = self.known(id) else { return };
        let (from, terms) = (txn.state, txn.terms());
        let again = matches!(from, State::Reversed(_) | State::Irreversible(_)) && matches!(to, State::Reversing(_));
        self.check(Invariant::I4, !again, "a second reversal is owed");
        if to == State::Reversing(Undone::Approval) && !again && !self.in_snapshot {
            self.undone.push((id, self.record));
            // What may come to something is waited for, and what has come to something stands.
            let moot = self.is_moot(id, State::may_bind);
            self.check(Invariant::I9, !moot, "it is undone although what was done to it since stands");
        }
        let mut events = EVENTS.into_iter().filter(|event| by.is_none_or(|by| by == *event));
        let lawful = from != State::Open && from != to && events.any(|event| step(from, event, terms) == to);
        self.check(Invariant::I3, lawful || again, "it moves where nothing leads");
        if let (Some(_), None, Some(issuer)) = (from.owes(), to.owes(), txn.issuer) {
            let first = self.lanes.is_first(issuer, txn.terminal, id);
            self.check(Invariant::I8, first, "a message is done that was not its terminal's turn");
            let sent = by.is_some() || txn.attempts > 0;
            self.check(Invariant::I2, sent, "a message is acknowledged that is not on record as sent");
        }
        self.go(id, to);
    }

    /// Moves a transaction, with what follows from it.
    fn go(&mut self, id: TxnId, to: State) {
        let followed = self.open.get(&id).and_then(|txn| txn.follows);
        let before = self.lives([Some(id), followed]);
        let Some(txn) = self.open.get_mut(&id) else { return };
        let change = Change::between(txn.state, to);
        self.totals.subtract(txn.line(), txn.amount());
        txn.state = to;
        self.totals.add(txn.line(), txn.amount());
        if change.owes || change.owes_other {
            // A snapshot may leave out how often a message went.
            txn.attempts = u32::from(self.in_snapshot);
        }
        let (terminal, issuer) = (txn.terminal, txn.issuer);
        match issuer {
            Some(issuer) if change.owes => self.lanes.push(issuer, terminal, id),
            Some(issuer) if change.settles => self.lanes.remove(issuer, terminal, id),
            _ => {}
        }
        self.balance(&before);
        if let Some(followed) = followed {
            self.follow_up_moved(id, followed);
        }
    }

    fn attempted(&mut self, id: TxnId) {
        self.counts.attempts += 1;
        let Some(txn) = self.known(id) else { return };
        let owed = txn.state.owes();
        let first = txn.issuer.is_some_and(|issuer| self.lanes.is_first(issuer, txn.terminal, id));
        match owed {
            Some(Owed::Reversal | Owed::Advice) => {
                self.check(Invariant::I8, first, "a message goes before its terminal's turn");
            }
            None => self.check(Invariant::I8, false, "a message goes that is not owed"),
        }
        if let Some(txn) = self.open.get_mut(&id) {
            txn.attempts = txn.attempts.saturating_add(1);
        }
    }

    fn late(&mut self, id: TxnId, outcome: Outcome) {
        self.counts.late += 1;
        let Some(txn) = self.known(id) else { return };
        let stands = txn.late != Some(Outcome::Approved) || outcome == Outcome::Approved;
        self.check(Invariant::I7, stands, "a late approval on record is talked away");
        if let Some(txn) = self.open.get_mut(&id) {
            txn.late = Some(outcome);
        }
    }

    fn reversal(&mut self, kept: &KeptReversal) {
        self.counts.reversals += 1;
        self.subject = Some((kept.number, Some(kept.rrn)));
        let KeptReversal { number, reversal, rrn, answer, original } = kept;
        self.check(Invariant::I1, answer.code.is_approval(), "a reversal is not answered with yes");
        let fresh = self.numbers.id(*number);
        self.check(Invariant::I6, fresh, "the number of the reversal is on record already");
        let fresh = self.numbers.rrn(reversal.date, *rrn);
        self.check(Invariant::I6, fresh, "the reference number is on record already for this date");
        let terminal = reversal.identity.terminal;
        let fresh = self.numbers.reversal(&reversal.identity, &reversal.original, reversal.date);
        self.check(Invariant::I6, fresh, "the same reversal is on record already");
        match original {
            Some(original) => self.undoes(*original, terminal, reversal.amount),
            None => {
                let known = self.numbers.original(terminal, &reversal.original);
                let overlooked = known.is_some_and(|id| self.open.contains_key(&id));
                self.check(Invariant::I4, !overlooked, "a reversal overlooks its original");
                self.numbers.bury(terminal, &reversal.original, reversal.date);
            }
        }
    }

    fn undoes(&mut self, original: TxnId, terminal: TerminalId, amount: Amount) {
        self.undone.retain(|(id, _)| *id != original);
        let txn = self.open.get(&original).or_else(|| self.gone.get(&original)).cloned();
        self.check(Invariant::I2, txn.is_some(), "a reversal undoes what is not on record");
        let Some(txn) = txn else { return };
        self.check(Invariant::I5, txn.terminal == terminal, "a reversal undoes another terminal's transaction");
        let meant = kinds::of(txn.kind).money == Money::Untouched || amount == txn.asked || Some(amount) == txn.partial;
        self.check(Invariant::I9, meant, "a reversal is of another amount than its original");
        let stands = txn.state == State::Open
            || (txn.terms() != Terms::Nothing
                && matches!(txn.state, State::Stands(Outcome::Approved) | State::Advising));
        let left = stands && self.open.contains_key(&original) && !self.is_moot(original, State::has_come);
        self.check(Invariant::I4, !left, "a reversal leaves its original as it was");
    }

    /// A transaction as it stands: in a snapshot, or come back from a closed day, as it left.
    fn stands(&mut self, standing: &Standing) {
        let intent = &standing.intent;
        let id = intent.id;
        self.subject = Some((id, Some(intent.rrn)));
        self.is_in_batch_again(intent);
        // A void that is undone brings back what it voided, and what was added to that.
        let before = self.lives([Some(id), intent.follows]);
        let voided_by = standing.followers.voided_by();
        let left = self.gone.remove(&id);
        if let Some(txn) = left.clone().filter(|_| !self.in_snapshot) {
            self.check(Invariant::I11, txn.state == standing.state, "it did not come back as it left");
            self.open.insert(id, Txn { taken: taken(intent), voided_by, ..txn });
            self.balance(&before);
            return;
        }
        if let Some(txn) = &left {
            // It came back before the snapshot, and may have moved since it left.
            self.totals.subtract(txn.line(), txn.amount());
            self.admit(intent, standing.answer.as_ref(), standing.state);
        } else {
            self.check(Invariant::I2, self.is_based, "it comes as it stands, and nothing on record led to it");
        }
        if left.is_some() || self.enter(intent, standing.answer.as_ref(), standing.state) {
            let Some(txn) = self.open.get_mut(&id) else { return };
            (txn.late, txn.attempts, txn.voided_by) = (standing.late, standing.attempts, voided_by);
            if let Some(issuer) = txn.issuer.filter(|_| standing.state.owes().is_some()) {
                self.lanes.push(issuer, txn.terminal, id);
            }
        }
        self.balance(&before);
    }

    /// A transaction as it left with its day, before the first group that is there.
    fn left(&mut self, standing: &Standing) {
        let intent = &standing.intent;
        let id = intent.id;
        self.subject = Some((id, Some(intent.rrn)));
        self.counts.closed.insert(intent.date);
        self.check(Invariant::I11, standing.state.is_finished(), "it left with its day and was not finished");
        if let Some(txn) = self.gone.remove(&id) {
            // It came back meanwhile, and left again.
            self.totals.subtract(txn.line(), txn.amount());
            self.admit(intent, standing.answer.as_ref(), standing.state);
        } else {
            self.enter(intent, standing.answer.as_ref(), standing.state);
        }
        if let Some(txn) = self.open.remove(&id) {
            let (late, attempts) = (standing.late, standing.attempts);
            self.gone.insert(id, Txn { late, attempts, taken: Taken::new(), ..txn });
        }
    }

    fn left_reversal(&mut self, kept: &KeptReversal) {
        self.counts.reversals += 1;
        self.subject = Some((kept.number, Some(kept.rrn)));
        let reversal = &kept.reversal;
        let fresh = self.numbers.id(kept.number);
        self.check(Invariant::I6, fresh, "the number of the reversal is on record already");
        self.numbers.rrn(reversal.date, kept.rrn);
        self.numbers.reversal(&reversal.identity, &reversal.original, reversal.date);
    }

    fn closed(&mut self, date: BusinessDate) {
        self.counts.closed.insert(date);
        let finished = self.open.keys().copied().filter(|id| self.leaves(date, *id)).take(CLOSED_AT_ONCE);
        let finished: Vec<TxnId> = finished.collect();
        let is_last = finished.len() < CLOSED_AT_ONCE;
        for id in finished {
            let mut next = Some(id);
            while let Some(id) = next {
                let followed = self.open.get(&id).and_then(|txn| txn.follows);
                self.let_go(id);
                next = followed.filter(|followed| self.leaves(date, *followed));
            }
        }
        if is_last {
            self.numbers.close(date);
        }
    }

    /// Whether it is finished and nothing in the book follows it.
    fn leaves(&self, date: BusinessDate, id: TxnId) -> bool {
        let waits = |followers: &Vec<TxnId>| followers.iter().any(|follower| self.open.contains_key(follower));
        self.open.get(&id).is_some_and(|txn| txn.date == date && txn.state.is_finished())
            && !self.is_unsettled(id)
            && !self.followers.get(&id).is_some_and(waits)
    }

    fn let_go(&mut self, id: TxnId) {
        let live = self.is_live(id);
        let Some(txn) = self.open.remove(&id) else { return };
        if live {
            let had = self.counters.give_back(&txn.taken);
            self.check(Invariant::I10, had, "more is given back than was reserved");
        }
        self.gone.insert(id, Txn { taken: Taken::new(), ..txn });
    }
}

/// What a transaction reserves while it is live.
fn taken(intent: &Intent) -> Taken {
    intent.reservations.iter().map(|one| (one.key, one.amount.minor())).collect()
}
