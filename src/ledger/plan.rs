//! What an operation records, decided from the book alone. Pure: nothing here changes the book.

use super::Answer;
use super::Decided;
use super::Decision;
use super::Explained;
use super::Forwarded;
use super::Intended;
use super::Intent;
use super::LedgerFault;
use super::OriginalKey;
use super::Outbound;
use super::Outcome;
use super::Owed;
use super::Reversal;
use super::Reversed;
use super::TxnId;
use super::book::Book;
use super::book::Entry;
use super::followers::Followers;
use super::kinds;
use super::kinds::Effects;
use super::kinds::FollowTerms;
use super::kinds::Following;
use super::kinds::Money;
use super::lifecycle::Event;
use super::lifecycle::State;
use super::lifecycle::step;
use super::moot::Moot;
use super::record::Commit;
use super::record::KeptReversal;
use super::record::Record;
use super::record::Records;
use crate::model::Amount;
use crate::model::IssuerName;
use crate::model::PanToken;
use crate::model::ResponseCode;
use crate::model::Rrn;
use crate::model::SessionFacts;
use crate::model::Stan;
use crate::model::TerminalId;
use crate::mutant;
use crate::mutant::Mutant;
use crate::risk::Checks;
use crate::risk::Refusal;
use std::sync::Arc;

/// Reversals that are kept for each transaction there is room for: a full ledger still undoes.
const REVERSALS_A_TRANSACTION: usize = 2;

pub(super) type Planned<T> = Result<Commit<T>, LedgerFault>;

impl Book {
    /// Duplicate, tombstone, standing, sign-in, original, refusal, rules, reservations: in this order, the first that
    /// has something to say. `buried`: a closed day knows that a reversal of it came first.
    pub(super) fn plan_intent(
        &self,
        (mut intent, checks): (Intent, Option<&Checks>),
        room: Room,
        buried: bool,
    ) -> Planned<Intended> {
        let known = self.identities.request(&intent.identity);
        if mutant::is(Mutant::RepeatDeclined)
            && known.is_some()
            && let Some(Refusal { code, .. }) = self.counters.refusal(&intent.reservations)
        {
            let decided = Decided::of(&intent, Outcome::Declined, Answer::of(code, intent.received));
            return Ok(Commit::nothing(Intended::Declined(decided, Explained::default())));
        }
        let forwarded = |known: TxnId| mutant::is(Mutant::DuplicateForwarded) && self.open(known);
        if let Some(known) = known.filter(|known| !forwarded(*known)) {
            return Ok(Commit::nothing(self.again(known, &intent)?));
        }
        if self.entries.len() >= room.capacity || !room.on_disk {
            return Err(LedgerFault::Full);
        }
        if self.entries.contains_key(&intent.id) {
            return Err(LedgerFault::Failed("a transaction number was used twice".to_owned()));
        }
        let row = kinds::of(intent.kind);
        (intent.risk, intent.echo) = (None, false);
        if !row.reserves {
            intent.reservations.clear();
        }
        if row.is_advice && self.batch_is_over(&intent) {
            intent.batch = None;
        }
        let buried = buried || self.identities.has_tombstone(&intent.identity);
        let tombstone = buried.then(|| Refusal { code: ResponseCode::RelatedInvalid, rule: "tombstone".into() });
        let barred = tombstone.or_else(|| self.barred(&intent));
        if barred.is_none() && (self.batch_is_over(&intent) || must_sign_in(&intent)) {
            return Ok(Commit::nothing(Intended::NotNow));
        }
        let misfit = self.follow_refusal(&intent, row);
        let adrift = misfit.filter(|_| !kinds::must_fit(intent.kind));
        if adrift.is_some() {
            (intent.follows, intent.outbound) = (None, None);
        }
        let misfit = misfit.filter(|_| adrift.is_none());
        intent.refusal = barred.or_else(|| self.refusal(&mut intent, checks, misfit));
        if intent.refusal.is_none()
            && let Some(earlier) = self.untold(&intent, row)
        {
            return Ok(Commit::nothing(Intended::Untold(earlier)));
        }
        Ok(self.entered(intent, checks, adrift))
    }

    /// The commit of an intent that was looked at, declined where it has a refusal; and of what rules do to its terminal.
    fn entered(&self, intent: Intent, checks: Option<&Checks>, adrift: Option<ResponseCode>) -> Commit<Intended> {
        let (steps, note) = (self.steps(&intent, checks), intent.risk.clone());
        let (record, reply) = match intent.refusal.clone() {
            None => {
                let told = match (adrift, note) {
                    (Some(code), note) => Intended::Adrift(code, note),
                    (None, Some(note)) => Intended::Flagged(note),
                    (None, None) => Intended::Fresh,
                };
                (Record::Intended(Arc::new(intent)), told)
            }
            Some(Refusal { code, rule }) => {
                let answer = Answer::of(code, intent.received);
                let decided = Decided::of(&intent, Outcome::Declined, answer.clone());
                let told = Intended::Declined(decided, Explained { rule, note });
                (Record::Declined(Arc::new(intent), answer), told)
            }
        };
        let steps = steps.into_iter().filter(|_| !mutant::is(Mutant::HoldNotRecorded));
        Commit { records: [record].into_iter().chain(steps).collect(), reply }
    }

    /// The record of a terminal's facts, unless these or newer ones are kept.
    pub(super) fn note(&self, terminal: TerminalId, facts: SessionFacts) -> Option<Record> {
        let known = self.terminals.get(&terminal).is_some_and(|kept| kept.version > facts.version || *kept == facts);
        (!known).then_some(Record::Terminal(terminal, facts))
    }

    /// Why it may not follow what it follows, if it may not.
    fn follow_refusal(&self, intent: &Intent, row: Effects) -> Option<ResponseCode> {
        let (following, of_kinds) = row.follows?;
        let alone = self.terms.refund_without_original && kinds::may_stand_alone(intent.kind);
        if alone && intent.follows.is_none() {
            return None;
        }
        let Some(original) = intent.follows.and_then(|id| self.entries.get(&id)) else {
            return Some(ResponseCode::OriginalNotFound);
        };
        let fits = of_kinds.contains(&original.intent.kind)
            && original.state.is_approved()
            && original.intent.currency == intent.currency
            && original.intent.test_mode == intent.test_mode;
        if !fits {
            return Some(ResponseCode::RelatedInvalid);
        }
        let id = original.intent.id;
        let none = Followers::default();
        let followers = self.followers.get(&id).unwrap_or(&none);
        let refusal =
            || followers.refusal(following, intent.amount, (original.intent.kind, original.amount()), &self.terms);
        time_refusal(intent, &original.intent, following, &self.terms).or_else(refusal)
    }

    /// What its issuer has yet to hear of before it can follow: the original itself, or an adjustment of what it voids or
    /// refunds. An advice goes behind an adjustment once that is decided.
    fn untold(&self, intent: &Intent, row: Effects) -> Option<TxnId> {
        let (following, _) = row.follows?;
        let original = self.entries.get(&intent.follows?)?;
        let followers = self.followers.get(&original.intent.id);
        match following {
            _ if intent.outbound.is_none() => None,
            _ if row.is_advice => followers?.undecided_adjustment(),
            _ if original.state.is_untold() => Some(original.intent.id),
            Following::Voids | Following::Refunds => followers?.untold(),
            Following::Completes | Following::Increments | Following::Adjusts => None,
        }
    }

    /// What a request is told whose identity is known.
    fn again(&self, known: TxnId, intent: &Intent) -> Result<Intended, LedgerFault> {
        let entry = self.entry(known)?;
        if entry.intent.content != intent.content {
            return Ok(Intended::Mismatch);
        }
        Ok(entry.decided().map_or(Intended::Running(known), Intended::Duplicate))
    }

    fn open(&self, id: TxnId) -> bool {
        self.entries.get(&id).is_some_and(|entry| entry.state == State::Open)
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
        let Some(standing) = entry.decided().filter(|_| !mutant::is(Mutant::NoCompareAndSet)) else {
            let (decision, to) = standing_decision(entry, decision);
            let decided = Decided::of(&entry.intent, decision.outcome, decision.answer.clone());
            return Ok(Commit::of([Record::Decided(id, decision, to)], decided));
        };
        let late = decision.outcome == Outcome::Approved && standing.outcome != Outcome::Approved;
        let records = if late { late_records(entry, decision.outcome) } else { Records::new() };
        Ok(Commit { records, reply: standing })
    }

    /// A terminal's reversal: its own record, and what it does to its original, in one commit.
    pub(super) fn plan_reversal(
        &self,
        (reversal, card): (Reversal, Option<PanToken>),
        (number, rrn): (TxnId, Rrn),
        room: Room,
    ) -> Planned<Reversed> {
        if let Some(kept) = self.identities.reversal(&reversal) {
            return Ok(Commit::nothing(Reversed::Repeat(kept.decided())));
        }
        if self.identities.reversals() >= room.capacity.saturating_mul(REVERSALS_A_TRANSACTION) {
            return Err(LedgerFault::Full);
        }
        // Nobody reverses another terminal's transaction.
        let key = OriginalKey { terminal: reversal.identity.terminal, ..reversal.original.clone() };
        let original = self.identities.original(&key).map(|id| self.entry(id)).transpose()?;
        if original.is_some_and(|entry| card.is_some_and(|card| card != entry.intent.token)) {
            return Ok(Commit::nothing(Reversed::CardDiffers));
        }
        if original.is_some_and(|entry| !entry.is_for(reversal.amount)) {
            return Ok(Commit::nothing(Reversed::AmountDiffers));
        }
        let answer = Answer::of(ResponseCode::Approved, reversal.received);
        let kept = KeptReversal { number, reversal, rrn, answer, original: original.map(|entry| entry.intent.id) };
        let decided = kept.decided();
        let moot = original.filter(|_| !mutant::is(Mutant::UndoneTwice)).and_then(|entry| self.moot(entry));
        let moot = match moot {
            Some(Moot::NotYet) => return Ok(Commit::nothing(Reversed::NotYet)),
            Some(Moot::By(followed)) => Some(followed),
            None => None,
        };
        let undo = original.filter(|_| moot.is_none()).and_then(undo_record);
        let records = undo.into_iter().chain([Record::Reversal(Box::new(kept))]).collect();
        let reply = match (original, moot) {
            (None, _) => Reversed::Unknown(decided),
            (Some(_), None) => Reversed::Accepted(decided),
            (Some(_), Some(followed)) => Reversed::Moot(decided, followed),
        };
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

    /// What is owed is about to go. The reply: whether it is owed still.
    pub(super) fn plan_sending(&self, id: TxnId, what: Owed, stan: Stan) -> Planned<bool> {
        let entry = self.entry(id)?;
        let owed = entry.state.owes() == Some(what);
        if owed && mutant::is(Mutant::AttemptsNotDurable) {
            return Ok(Commit::nothing(true));
        }
        if owed && mutant::is(Mutant::RemovedBeforeAcknowledged) {
            let gone = moved(entry, Event::Acknowledged);
            return Ok(Commit {
                records: [Record::Attempted(id, stan)].into_iter().chain(gone).collect(),
                reply: true,
            });
        }
        Ok(if owed { Commit::of([Record::Attempted(id, stan)], true) } else { Commit::nothing(false) })
    }

    /// How a message fared at its issuer. What is not owed any more does not change.
    pub(super) fn plan_acknowledgement(&self, id: TxnId, what: Owed, forwarded: Forwarded) -> Planned<()> {
        let entry = self.entry(id)?;
        if entry.state.owes() != Some(what) {
            return Ok(Commit::nothing(()));
        }
        let record = match forwarded {
            Forwarded::Acknowledged => moved(entry, Event::Acknowledged),
            Forwarded::Retry(_) => moved(entry, Event::Postponed),
            Forwarded::Refused(code, date) => {
                Some(Record::Refused(id, code, step(entry.state, Event::Refused, entry.terms()), Some(date)))
            }
        };
        Ok(Commit { records: record.into_iter().collect(), reply: () })
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

/// Whether it would be served after a sign-in. Not recorded, so that it can be: its terminal sends it again.
fn must_sign_in(intent: &Intent) -> bool {
    intent.refusal.as_ref().is_some_and(|refusal| refusal.code == ResponseCode::SignInRequired)
}

/// Why a follow-up comes too late, if it does.
fn time_refusal(intent: &Intent, original: &Intent, following: Following, terms: &FollowTerms) -> Option<ResponseCode> {
    let moved_on = kinds::same_batch(intent.kind) && (intent.date, intent.batch) != (original.date, original.batch);
    let days = i32::from(match following {
        Following::Refunds => terms.refund_days,
        Following::Voids | Following::Completes | Following::Increments | Following::Adjusts => terms.completion_days,
    });
    let expired = !kinds::same_batch(intent.kind) && intent.date.days_after(original.date) > days;
    let related = moved_on.then_some(ResponseCode::RelatedInvalid);
    related.or(expired.then_some(ResponseCode::RelatedFailed))
}

/// Where the book makes room, and the disk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// How many transactions the book takes.
    pub(super) capacity: usize,
    /// Whether the next segment is there.
    pub(super) on_disk: bool,
}

/// A decision as it will stand, and where it leads. What must come true whatever the issuer says is
/// approved, also when the issuer kept silent.
fn standing_decision(entry: &Entry, decision: Decision) -> (Decision, State) {
    let event = match decision.outcome {
        Outcome::Approved if decision.advise => Event::ApproveUntold,
        outcome => Event::Decide(outcome),
    };
    let to = step(entry.state, event, entry.terms());
    let outcome = to.outcome().unwrap_or(decision.outcome);
    let answer = if outcome == decision.outcome {
        decision.answer
    } else {
        Answer { code: ResponseCode::Approved, ..decision.answer }
    };
    (Decision { outcome, answer, advise: decision.advise }, to)
}

/// The record of what `event` does to a decided transaction, if it does anything.
fn moved(entry: &Entry, event: Event) -> Option<Record> {
    if mutant::is(Mutant::TwoReversals)
        && let (State::Reversed(undone), Event::TerminalReversal) = (entry.state, event)
    {
        return Some(Record::Moved(entry.intent.id, State::Reversing(undone)));
    }
    let to = step(entry.state, event, entry.terms());
    (to != entry.state).then_some(Record::Moved(entry.intent.id, to))
}

/// What a terminal's reversal does to its original. A running one is decided by it: the reversal wins.
fn undo_record(entry: &Entry) -> Option<Record> {
    if entry.state != State::Open {
        return moved(entry, Event::TerminalReversal);
    }
    let to = step(entry.state, Event::TerminalReversal, entry.terms());
    let answer = Answer::of(ResponseCode::Timeout, entry.intent.received);
    Some(Record::Decided(entry.intent.id, Decision::of(Outcome::TimedOut, answer), to))
}

/// A late answer, unless it says what is known: a chatty issuer does not grow the ledger, and a noted
/// approval is not talked away.
fn late_records(entry: &Entry, outcome: Outcome) -> Records {
    if entry.late == Some(outcome) || entry.late == Some(Outcome::Approved) {
        return Records::new();
    }
    if mutant::is(Mutant::LateApprovalCounts) && outcome == Outcome::Approved {
        let approved = Decision::of(outcome, Answer::of(ResponseCode::Approved, entry.intent.received));
        return [Record::Decided(entry.intent.id, approved, State::Stands(outcome))].into_iter().collect();
    }
    let noted = Record::Late(entry.intent.id, outcome);
    [noted].into_iter().chain(moved(entry, Event::LateAnswer)).collect()
}
