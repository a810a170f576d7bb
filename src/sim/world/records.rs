//! Everything a ledger has on record, what left with closed days included.

use super::history::Seen;
use crate::ledger::Effect;
use crate::ledger::EmbeddedLedger;
use crate::ledger::Ledger;
use crate::ledger::Outcome;
use crate::ledger::Owed;
use crate::ledger::Recorded;
use crate::ledger::TxnId;
use crate::ledger::kinds;
use crate::ledger::kinds::Following;
use crate::model::Amount;
use crate::model::Kind;
use crate::model::Rrn;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

/// A ledger's transactions by their numbers.
pub(super) struct Records {
    by_number: BTreeMap<Rrn, Recorded>,
    /// What was approved on an issuer's behalf, and it does not want to know.
    unadvised: BTreeSet<Rrn>,
}

impl Records {
    /// Those of the open days; two of one number are a breach.
    pub(super) fn open(ledger: &EmbeddedLedger, breaches: &mut Vec<String>) -> Self {
        Self::from(ledger, ledger.records(), breaches)
    }

    /// Those of closed days too, as far as anybody heard of higher numbers than theirs.
    pub(super) fn all(ledger: &EmbeddedLedger, seen: &Seen, breaches: &mut Vec<String>) -> Self {
        let mut records = Self::open(ledger, breaches);
        let answered = seen.answered.iter().filter_map(|answer| answer.rrn);
        let told: Vec<Rrn> = answered.chain(seen.sent.iter().map(|sent| sent.rrn)).collect();
        if told.iter().any(|rrn| records.get(*rrn).is_none()) {
            let open: BTreeSet<u64> = records.iter().map(|(_, record)| record.intent.id.0).collect();
            let last = told.iter().map(|rrn| number(*rrn)).chain(open.iter().copied()).max().unwrap_or(0);
            let closed = (1..=last).filter(|id| !open.contains(id)).filter_map(|id| ledger.find(TxnId(id)));
            closed.for_each(|record| records.add(record, breaches));
        }
        records
    }

    fn from(ledger: &EmbeddedLedger, all: Vec<Recorded>, breaches: &mut Vec<String>) -> Self {
        let unadvised = ledger.dead_letters().into_iter().filter(|letter| letter.what == Owed::Advice);
        let unadvised = unadvised.map(|letter| letter.original.rrn).collect();
        let mut records = Self { by_number: BTreeMap::new(), unadvised };
        all.into_iter().for_each(|record| records.add(record, breaches));
        records
    }

    fn add(&mut self, record: Recorded, breaches: &mut Vec<String>) {
        let rrn = record.intent.rrn;
        if self.by_number.insert(rrn, record).is_some() {
            breaches.push(format!("the number {rrn} was given twice"));
        }
    }

    pub(super) fn get(&self, rrn: Rrn) -> Option<&Recorded> {
        self.by_number.get(&rrn)
    }

    /// Whether it was kept, and fits nothing.
    pub(super) fn follows_nothing(&self, rrn: Rrn) -> bool {
        self.get(rrn).is_some_and(|record| record.intent.follows.is_none())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Rrn, &Recorded)> {
        self.by_number.iter().map(|(rrn, record)| (*rrn, record))
    }

    /// Whether nobody has undone it.
    pub(super) fn was_undone(&self, record: &Recorded) -> bool {
        match record.effect {
            Effect::Reversing | Effect::Reversed => true,
            Effect::DeadLetter => !self.unadvised.contains(&record.intent.rrn),
            _ => false,
        }
    }

    /// Whether it counts against limits.
    pub(super) fn counts(&self, record: &Recorded) -> bool {
        // What is added to a hold counts as long as the hold.
        let hold = record.intent.follows.filter(|_| kinds::adds(record.intent.kind)).and_then(|id| self.by_id(id));
        let ends = |record: &Recorded| self.was_undone(record) || record.effect == Effect::Voided;
        !ends(record) && !hold.is_some_and(ends)
    }

    /// Whether money moved, and stayed; its issuer may not want to know.
    pub(super) fn lives(&self, record: &Recorded) -> bool {
        let row = kinds::of(record.intent.kind);
        let approved = record.decided.as_ref().is_some_and(|decided| decided.outcome == Outcome::Approved);
        let over = self.was_undone(record) || matches!(record.effect, Effect::Voided | Effect::Completed);
        let first = || record.intent.follows.and_then(|id| self.by_id(id)).is_some_and(|first| self.lives(first));
        let added = matches!(row.follows, Some((Following::Increments, _)));
        approved && !over && row.money != kinds::Money::Untouched && (!added || first())
    }

    pub(super) fn by_id(&self, id: TxnId) -> Option<&Recorded> {
        self.by_number.values().find(|record| record.intent.id == id)
    }

    /// What it comes to: what was approved of it, or what its last adjustment says.
    pub(super) fn worth(&self, record: &Recorded) -> Amount {
        let adjusts = |other: &&Recorded| {
            other.intent.follows == Some(record.intent.id)
                && other.intent.kind == Kind::Adjustment
                && !self.was_undone(other)
                && other.decided.as_ref().is_some_and(|decided| decided.outcome == Outcome::Approved)
        };
        let last = self.by_number.values().rfind(adjusts).unwrap_or(record);
        last.decided.as_ref().and_then(|decided| decided.answer.amount).unwrap_or(last.intent.amount)
    }

    /// Whether an issuer refused for good what it was owed for this, for what it follows or for what follows it.
    pub(super) fn is_disputed(&self, record: &Recorded) -> bool {
        let mut first = record;
        while let Some(before) = first.intent.follows.and_then(|id| self.by_id(id)) {
            first = before;
        }
        self.has_dead_letter(first)
    }

    fn has_dead_letter(&self, record: &Recorded) -> bool {
        let of = |other: &&Recorded| other.intent.follows == Some(record.intent.id);
        record.effect == Effect::DeadLetter
            || self.by_number.values().filter(of).any(|other| self.has_dead_letter(other))
    }

    /// Those of which money moved, and stayed.
    pub(super) fn living(&self) -> impl Iterator<Item = (Rrn, &Recorded)> {
        self.iter().filter(|(_, record)| self.lives(record))
    }
}

/// The ledger's own number of a transaction is the end of its reference number, in a world's few.
pub(super) fn number(rrn: Rrn) -> u64 {
    let digits = rrn.as_bytes().iter().skip(4);
    digits.fold(0, |number, digit| number * 10 + u64::from(digit.saturating_sub(b'0')))
}
