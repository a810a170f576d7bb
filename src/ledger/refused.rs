//! Why a request is declined here: who speaks first is named.

use super::Intent;
use super::book::Book;
use super::kinds;
use crate::model::ResponseCode;
use crate::risk::Checks;
use crate::risk::Hit;
use crate::risk::Judgement;
use crate::risk::Refusal;
use crate::risk::RiskNote;
use crate::risk::judge_both;
use std::sync::Arc;

/// The check of DE 42 against the registry. A rule that refuses the same request says more.
const BINDING: &str = "merchant-binding";
/// The most bytes of a rule's id and of a version.
const NAME: usize = 64;
/// The most bytes of evidence.
const EVIDENCE: usize = 256;

impl Book {
    /// Why it is refused, if it is: the misfit of what it follows, the flow's refusal, a rule, the binding of its merchant,
    /// the counters. What rules said stays with it; what they reserve is added to what it reserves.
    pub(super) fn refusal(
        &self,
        intent: &mut Intent,
        checks: Option<&Checks>,
        misfit: Option<ResponseCode>,
    ) -> Option<Refusal> {
        let judged = checks.map(|checks| self.judged(intent, checks)).unwrap_or_default();
        intent.risk = judged.note.map(bounded);
        let (binding, own) = match intent.refusal.take() {
            Some(refusal) if refusal.rule == BINDING => (Some(refusal), None),
            own => (None, own),
        };
        let misfit = misfit.map(|code| Refusal { code, rule: "follow-up".into() });
        let by_rule = judged.refusal.filter(|_| intent.kind.may_be_refused());
        let refused = misfit.or(own);
        let counts_declines =
            |refusal: &Refusal| checks.is_some_and(|checks| checks.live.counts_declines(&refusal.rule));
        intent.echo = refused.is_none() && by_rule.as_ref().is_some_and(counts_declines);
        let refusal = refused.or(by_rule).or(binding);
        if refusal.is_none() && kinds::of(intent.kind).reserves {
            intent.reservations.extend(judged.reservations);
        }
        refusal.or_else(|| self.counters.refusal(&intent.reservations))
    }

    fn judged(&self, intent: &Intent, checks: &Checks) -> Judgement {
        judge_both(checks, &intent.situation(), &self.memory, &self.counters)
    }
}

/// What can be kept: whatever rules say, the journal reads it again.
fn bounded(mut note: Box<RiskNote>) -> Box<RiskNote> {
    note.hits.truncate(RiskNote::MOST);
    if note.version.len() > NAME {
        note.version = head(&note.version, NAME).into();
    }
    for hit in note.hits.iter_mut().filter(|hit| hit.rule.len() > NAME || hit.evidence.len() > EVIDENCE) {
        let (rule, evidence) = (head(&hit.rule, NAME), head(&hit.evidence, EVIDENCE));
        *hit = Hit { rule: Arc::from(rule), evidence: evidence.into(), ..*hit };
    }
    note
}

/// As many whole characters as have room.
fn head(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or_default()
}
