//! Rules tried on what was traded: which past requests they would have decided otherwise. Pure but for the ledger it reads;
//! the same ledger and the same rules give the same report, every time.

use crate::ledger::Intent;
use crate::ledger::judged::Visitor;
use crate::model::Amount;
use crate::model::Currency;
use crate::model::Timestamp;
use crate::risk;
use crate::risk::Action;
use crate::risk::Judgement;
use crate::risk::Memory;
use crate::risk::Refusal;
use crate::risk::Reservation;
use crate::risk::RiskNote;
use crate::risk::RuleSet;
use crate::risk::Sums;
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// Which requests are compared. Those outside are remembered all the same: rules look back.
#[derive(Clone, Copy, Debug, Default)]
pub struct Span {
    /// From this instant on.
    pub from: Option<Timestamp>,
    /// Before this instant.
    pub to: Option<Timestamp>,
}

impl Span {
    /// Whether it is within.
    #[must_use]
    pub fn has(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| at >= from) && self.to.is_none_or(|to| at < to)
    }
}

/// One request that would have been decided otherwise.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
pub struct Change {
    /// The ledger's number.
    pub number: u64,
    /// DE 37.
    pub rrn: String,
    /// DE 41.
    pub terminal: String,
    /// What was asked.
    pub kind: &'static str,
    /// The card, masked.
    pub card: String,
    /// Minor units.
    pub amount: u64,
    /// DE 49.
    pub currency: String,
    /// `passed`, or the rule that declined it then.
    pub was: String,
    /// `passed`, or the rule that would have declined it.
    pub would: String,
    /// Why.
    pub evidence: String,
}

/// How many requests, and their sums by currency in minor units.
#[derive(Clone, Debug, Default, Eq, PartialEq, serde::Serialize)]
pub struct Tally {
    /// How many.
    pub count: u64,
    /// How much in each currency.
    pub sums: BTreeMap<String, u128>,
}

impl Tally {
    pub(super) fn add(&mut self, currency: Currency, amount: Amount) {
        self.count += 1;
        *self.sums.entry(currency.to_string()).or_default() += u128::from(amount.minor());
    }
}

/// What a rule would have said.
#[derive(Clone, Debug, Default, Eq, PartialEq, serde::Serialize)]
pub struct RuleTally {
    /// Of how many requests it speaks.
    pub spoke: u64,
    /// Which requests, let through then, it would have declined.
    pub declines: Tally,
}

/// What came of it.
#[derive(Clone, Debug, Default, Eq, PartialEq, serde::Serialize)]
pub struct Report {
    /// Requests that were compared: of kinds that may be refused.
    pub judged: u64,
    /// Let through then, declined by these rules.
    pub declined: Tally,
    /// Declined by a rule then, let through by these.
    pub passed: Tally,
    /// Declined by another rule than then, with another answer, or with the terminal held or not.
    pub otherwise: Tally,
    /// By rule.
    pub rules: BTreeMap<String, RuleTally>,
    /// The first [`Report::LISTED`] changes, in the ledger's order.
    pub changes: Vec<Change>,
}

impl Report {
    /// How many changes are listed one by one.
    pub const LISTED: usize = 1_000;

    /// Whether every request would have been decided as it was.
    #[must_use]
    pub fn is_the_same(&self) -> bool {
        self.declined.count + self.passed.count + self.otherwise.count == 0
    }
}

/// Tries rules on every request that it is shown.
pub struct Backtest<'a> {
    rules: &'a RuleSet,
    span: Span,
    /// What came of it so far.
    pub report: Report,
}

impl<'a> Backtest<'a> {
    /// Tries `rules` on the requests of a span.
    #[must_use]
    pub fn new(rules: &'a RuleSet, span: Span) -> Self {
        Self { rules, span, report: Report::default() }
    }

    fn compare(&mut self, intent: &Intent, judgement: &Judgement, declined: bool) {
        let report = &mut self.report;
        report.judged += 1;
        let was = past_rule(intent);
        if declined && was.is_none() {
            // Another reason than a rule stands whatever rules say.
            return;
        }
        let would = judgement.refusal.as_ref().map(|refusal| &*refusal.rule);
        for hit in judgement.note.iter().flat_map(|note| &note.hits) {
            let tally = report.rules.entry(hit.rule.to_string()).or_default();
            tally.spoke += 1;
            if was.is_none() && would == Some(&*hit.rule) {
                tally.declines.add(intent.currency, intent.amount);
            }
        }
        match (was, would) {
            (None, Some(_)) => report.declined.add(intent.currency, intent.amount),
            (Some(_), None) => report.passed.add(intent.currency, intent.amount),
            (Some(was), Some(would)) if was != would || answers_otherwise(intent, judgement) => {
                report.otherwise.add(intent.currency, intent.amount)
            }
            _ => return,
        }
        if report.changes.len() < Report::LISTED {
            report.changes.push(change(intent, was, would, judgement));
        }
    }
}

impl Visitor for Backtest<'_> {
    fn asked(
        &mut self,
        intent: &Intent,
        memory: &Memory,
        sums: &impl Sums,
        declined: bool,
    ) -> SmallVec<[Reservation; 2]> {
        let judgement = risk::judge(self.rules, &intent.situation(), memory, sums);
        if self.span.has(intent.received) && intent.kind.may_be_refused() {
            self.compare(intent, &judgement, declined);
        }
        let known = |key| intent.reservations.iter().any(|reserved| reserved.key == key);
        judgement.reservations.into_iter().filter(|reservation| !known(reservation.key)).collect()
    }

    fn stood(&mut self, intent: &Intent) -> SmallVec<[Reservation; 2]> {
        risk::counted(self.rules, &intent.situation())
    }
}

/// Whether the same rule would have answered another code, or would not have held the terminal that it held, or would
/// have held it.
fn answers_otherwise(intent: &Intent, judgement: &Judgement) -> bool {
    let code = |refusal: Option<&Refusal>| refusal.map(|refusal| refusal.code);
    let holds = |note: Option<&RiskNote>| {
        note.is_some_and(|note| note.hits.iter().any(|hit| !hit.shadow && hit.action == Action::Hold))
    };
    code(intent.refusal.as_ref()) != code(judgement.refusal.as_ref())
        || holds(intent.risk.as_deref()) != holds(judgement.note.as_deref())
}

/// The rule that declined a request then, if a rule of a file did.
pub(super) fn past_rule(intent: &Intent) -> Option<&str> {
    let refusal = intent.refusal.as_ref()?;
    let hits = &intent.risk.as_ref()?.hits;
    let declines = |action| matches!(action, Action::StepUp | Action::Decline | Action::Hold);
    let own = hits.iter().any(|hit| !hit.shadow && declines(hit.action) && *hit.rule == *refusal.rule);
    own.then_some(&*refusal.rule)
}

fn change(intent: &Intent, was: Option<&str>, would: Option<&str>, judgement: &Judgement) -> Change {
    let hits = judgement.note.iter().flat_map(|note| &note.hits);
    let evidence = hits.into_iter().find(|hit| would == Some(&*hit.rule)).map(|hit| hit.evidence.to_string());
    let passed = || "passed".to_owned();
    Change {
        number: intent.id.0,
        rrn: intent.rrn.to_string(),
        terminal: intent.identity.terminal.to_string(),
        kind: intent.kind.name(),
        card: intent.masked.to_string(),
        amount: intent.amount.minor(),
        currency: intent.currency.to_string(),
        was: was.map_or_else(passed, str::to_owned),
        would: would.map_or_else(passed, str::to_owned),
        evidence: evidence.unwrap_or_default(),
    }
}
