//! The enforcement ladder, reckoned apart from the one that the ledger keeps.

use super::fold::Verifier;
use super::invariant::Invariant;
use crate::ledger::Intent;
use crate::model::LadderEntry;
use crate::model::LadderStep;
use crate::model::Standing;
use crate::model::Subject;
use crate::risk::Action;
use std::collections::HashMap;

/// Who is suspended or terminated.
#[derive(Debug, Default)]
pub(super) struct Ladders(HashMap<Subject, Standing>);

impl Ladders {
    pub(super) fn set(&mut self, subject: Subject, standing: Standing) {
        match standing {
            Standing::Active => self.0.remove(&subject),
            Standing::Suspended | Standing::Terminated => self.0.insert(subject, standing),
        };
    }

    fn of(&self, subject: &Subject) -> Standing {
        self.0.get(subject).copied().unwrap_or_default()
    }
}

impl Verifier {
    /// A step: nothing is done to who is terminated.
    pub(super) fn stepped(&mut self, entry: &LadderEntry) {
        self.subject = None;
        let before = self.ladders.of(&entry.subject);
        let lawful = match entry.step {
            LadderStep::Resume => before == Standing::Suspended,
            _ => before != Standing::Terminated,
        };
        self.check(Invariant::I15, lawful, "a step on the ladder that cannot be taken from where its subject stands");
        let to = match entry.step {
            LadderStep::Suspend => Standing::Suspended,
            LadderStep::Terminate => Standing::Terminated,
            LadderStep::Resume => Standing::Active,
            LadderStep::Warn | LadderStep::Fine(_) | LadderStep::Ask(_) | LadderStep::Done(_) => return,
        };
        if before != Standing::Terminated {
            self.ladders.set(entry.subject, to);
        }
        if to != Standing::Active {
            self.held.retain(|(held, _)| *held != entry.subject);
        }
    }

    /// A terminal that a rule holds is suspended, or is so in the same commit.
    pub(super) fn may_hold(&mut self, intent: &Intent) {
        let terminal = Subject::Terminal(intent.identity.terminal);
        let mut hits = intent.risk.iter().flat_map(|note| &note.hits);
        let holds = hits.any(|hit| hit.action == Action::Hold && !hit.shadow);
        if holds && !self.in_snapshot && self.ladders.of(&terminal) == Standing::Active {
            self.held.push((terminal, self.record));
        }
    }

    /// A group ends, and with it its commits.
    pub(super) fn holds_follow(&mut self) {
        for (_, record) in std::mem::take(&mut self.held) {
            (self.record, self.subject) = (record, None);
            self.check(Invariant::I15, false, "a rule holds a terminal, and it is not suspended");
        }
    }

    /// Nobody who is suspended or terminated makes a new request.
    pub(super) fn may_ask(&mut self, intent: &Intent) {
        let (terminal, merchant) = (Subject::Terminal(intent.identity.terminal), Subject::Merchant(intent.merchant));
        let stands = self.ladders.of(&terminal) == Standing::Active && self.ladders.of(&merchant) == Standing::Active;
        let lawful = stands || !intent.kind.may_be_refused();
        self.check(Invariant::I15, lawful, "a request is let in of a terminal or merchant that is suspended");
    }
}
