//! The enforcement ladder and what is in force: what people and rules do to terminals and merchants, on record.

use super::Intent;
use super::book::Book;
use super::plan::Planned;
use super::record::Commit;
use super::record::Record;
use super::record::Records;
use crate::model::Ladder;
use crate::model::LadderEntry;
use crate::model::LadderStep;
use crate::model::ResponseCode;
use crate::model::Revision;
use crate::model::Standing;
use crate::model::Subject;
use crate::mutant;
use crate::mutant::Mutant;
use crate::risk::Checks;
use crate::risk::Refusal;
use crate::risk::RuleStep;

/// What became of a step on the ladder.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Stepped {
    /// Recorded; where the subject stands now.
    Done(Ladder),
    /// It cannot be taken from where the subject stands, or says nothing: why. Nothing was recorded.
    Refused(&'static str),
}

impl Book {
    /// A step, if it can be taken.
    pub(super) fn plan_step(&self, entry: LadderEntry) -> Planned<Stepped> {
        let mut ladder = self.ladders.get(&entry.subject).cloned().unwrap_or_default();
        if let Some(why) = entry.fault().or_else(|| ladder.refusal(&entry)) {
            return Ok(Commit::nothing(Stepped::Refused(why)));
        }
        ladder.take(entry.clone());
        Ok(Commit::of([Record::Step(Box::new(entry))], Stepped::Done(ladder)))
    }

    /// A revision, unless the same is in force.
    pub(super) fn plan_revision(&self, revision: Revision) -> Planned<Option<&'static str>> {
        if let Some(fault) = revision.fault() {
            return Ok(Commit::nothing(Some(fault)));
        }
        let latest = self.revisions.iter().rfind(|earlier| earlier.what == revision.what);
        if latest.is_some_and(|latest| latest.is_same(&revision)) {
            return Ok(Commit::nothing(None));
        }
        Ok(Commit::of([Record::Revision(Box::new(revision))], None))
    }

    /// Why a request is refused whose terminal or merchant is suspended or worse, if it is.
    pub(super) fn barred(&self, intent: &Intent) -> Option<Refusal> {
        if self.ladders.is_empty() || mutant::is(Mutant::SuspendedLetIn) || !intent.kind.may_be_refused() {
            return None;
        }
        let standing = |subject| self.ladders.get(&subject).map(|ladder| ladder.standing).unwrap_or_default();
        let terminal = standing(Subject::Terminal(intent.identity.terminal));
        let rule = match (terminal, standing(Subject::Merchant(intent.merchant))) {
            (Standing::Terminated, _) => "terminal-terminated",
            (_, Standing::Terminated) => "merchant-terminated",
            (Standing::Suspended, _) => "terminal-suspended",
            (_, Standing::Suspended) => "merchant-suspended",
            (Standing::Active, Standing::Active) => return None,
        };
        Some(Refusal { code: ResponseCode::TerminalForbidden, rule: rule.into() })
    }

    /// The steps on its terminal's ladder that follow from what rules said of a request: all that can be taken.
    pub(super) fn steps(&self, intent: &Intent, checks: Option<&Checks>) -> Records {
        let mut records = Records::new();
        let Some((note, checks)) = intent.risk.as_deref().zip(checks) else { return records };
        let subject = Subject::Terminal(intent.identity.terminal);
        let mut ladder = self.ladders.get(&subject).cloned().unwrap_or_default();
        for (rule, step) in checks.live.steps(note) {
            let evidence = note.hits.iter().find(|hit| *hit.rule == *rule && !hit.shadow);
            let evidence = evidence.map(|hit| &*hit.evidence).filter(|text| !text.trim().is_empty());
            let entry = LadderEntry {
                subject,
                step: match step {
                    RuleStep::Warn => LadderStep::Warn,
                    RuleStep::Fine(amount) => LadderStep::Fine(amount),
                    RuleStep::Suspend => LadderStep::Suspend,
                },
                actor: said(&format!("rule:{rule}"), LadderEntry::ACTOR),
                reason: said(evidence.unwrap_or("its rule spoke"), LadderEntry::REASON),
                at: intent.received,
            };
            if entry.fault().or_else(|| ladder.refusal(&entry)).is_none() {
                ladder.take(entry.clone());
                records.push(Record::Step(Box::new(entry)));
            }
        }
        records
    }
}

/// As much as has room, on one line.
fn said(text: &str, most: usize) -> Box<str> {
    text.chars().filter(|letter| !letter.is_control()).take(most).collect()
}
