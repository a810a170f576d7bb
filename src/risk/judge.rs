//! The judgement of one request by a set of rules. Pure.

use super::kind_set::KindSet;
use super::kinds::{Per, View};
use super::rule_set::Rule;
use super::{Action, CounterKey, Hit, Memory, Refusal, Reservation, RiskNote, RuleSet, Situation, Sums};
use crate::model::ResponseCode;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::sync::Arc;

/// The rule sets by which requests are judged from now on; swapped as a whole.
#[derive(Clone, Debug, Default)]
pub struct Checks {
    /// Decides.
    pub live: Arc<RuleSet>,
    /// Only counts.
    pub shadow: Option<Arc<RuleSet>>,
}

/// What a set of rules says of one request.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// Why it is declined, if it is: of the rules that decline, the first of the file.
    pub refusal: Option<Refusal>,
    /// What it takes while it lives; none with a refusal. At most one on each counter, and none on a terminal's own,
    /// on which every request reserves anyway ([`super::assess`]).
    pub reservations: SmallVec<[Reservation; 2]>,
    /// The rules that spoke, if any did.
    pub note: Option<Box<RiskNote>>,
}

/// The longest evidence of a hit, in bytes.
const EVIDENCE: usize = 256;

/// Judges `situation` by `rules`, given what is remembered.
#[must_use]
pub fn judge(rules: &RuleSet, situation: &Situation<'_>, memory: &Memory, sums: &impl Sums) -> Judgement {
    let view = View::new(situation, memory, sums, rules.counts.iter().map(|(per, _)| *per));
    let mut judgement = Judgement::default();
    let asked = spoken(rules, &view, false, &mut judgement);
    if judgement.refusal.is_none() {
        reserve(rules, situation, asked, &mut judgement.reservations);
    }
    judgement
}

/// Judges `situation` by the live rules; those in shadow add only their hits.
///
/// What rules in shadow count is reserved as well, without limits: it is then known when they come to decide.
#[must_use]
pub fn judge_both(checks: &Checks, situation: &Situation<'_>, memory: &Memory, sums: &impl Sums) -> Judgement {
    let Some(shadow) = checks.shadow.as_deref() else { return judge(&checks.live, situation, memory, sums) };
    let counts = checks.live.counts.iter().chain(&shadow.counts);
    let view = View::new(situation, memory, sums, counts.map(|(per, _)| *per));
    let mut judgement = Judgement::default();
    let asked = spoken(&checks.live, &view, false, &mut judgement);
    spoken(shadow, &view, true, &mut judgement);
    if judgement.refusal.is_none() {
        reserve(&checks.live, situation, asked, &mut judgement.reservations);
        reserve(shadow, situation, 0, &mut judgement.reservations);
    }
    if let Some(note) = &mut judgement.note {
        note.version = Arc::clone(&checks.live.version);
    }
    judgement
}

/// What the daily rules of a set count of a request that is let through, without their limits.
#[must_use]
pub fn counted(rules: &RuleSet, situation: &Situation<'_>) -> SmallVec<[Reservation; 2]> {
    let mut reservations = SmallVec::new();
    reserve(rules, situation, 0, &mut reservations);
    reservations
}

/// Asks the rules one by one, in the order of the file. How many were asked: one that allows is the last.
fn spoken(rules: &RuleSet, view: &View<'_>, shadow: bool, into: &mut Judgement) -> usize {
    let refusable = view.s.kind.may_be_refused();
    for (place, rule) in rules.rules.iter().enumerate() {
        // Asked for a PIN that it brought: nothing to say.
        let is_met = rule.action == Action::StepUp && view.s.scene.signs.has(super::Signs::PIN);
        if is_met || !rule.is_for(view.s) {
            continue;
        }
        let Some(said) = rule.test.speaks(view) else { continue };
        let action = if refusable || rule.action == Action::Allow { rule.action } else { Action::Alert };
        let counts_only = shadow || rule.shadow;
        if !counts_only && into.refusal.is_none() {
            into.refusal = refusal(rule, action, said.code);
        }
        // A note has the version of the set that decides.
        let evidence = if shadow { format!("{} (rules {})", said.evidence, rules.version) } else { said.evidence };
        let hit = Hit { rule: Arc::clone(&rule.id), action, evidence: clipped(evidence), shadow: counts_only };
        keep(rules, into, hit);
        if action == Action::Allow && !rule.shadow {
            return place + 1;
        }
    }
    rules.rules.len()
}

fn refusal(rule: &Rule, action: Action, code: ResponseCode) -> Option<Refusal> {
    let code = match action {
        Action::Allow | Action::Alert => return None,
        Action::StepUp => ResponseCode::PinRequired,
        Action::Decline | Action::Hold => code,
    };
    Some(Refusal { code: rule.code.unwrap_or(code), rule: Cow::Owned(rule.id.to_string()) })
}

/// Adds a hit; where there are too many, what decides is kept before what only tells.
fn keep(rules: &RuleSet, into: &mut Judgement, hit: Hit) {
    let note = into.note.get_or_insert_with(|| {
        let (version, hits) = (Arc::clone(&rules.version), SmallVec::new());
        Box::new(RiskNote { version, hits })
    });
    if note.hits.len() < RiskNote::MOST {
        return note.hits.push(hit);
    }
    let weight = |hit: &Hit| if hit.shadow { None } else { Some(hit.action) };
    let lightest = note.hits.iter().enumerate().rev().min_by_key(|(_, hit)| weight(hit)).map(|(place, _)| place);
    if let Some(place) = lightest.filter(|place| note.hits.get(*place).map(weight) < Some(weight(&hit))) {
        note.hits.remove(place);
        note.hits.push(hit);
    }
}

fn clipped(evidence: String) -> Box<str> {
    let end = evidence.floor_char_boundary(EVIDENCE);
    evidence.get(..end).unwrap_or_default().into()
}

/// What the daily rules of a set count of a request; the first `asked` rules of it limit, if they decline.
fn reserve(rules: &RuleSet, s: &Situation<'_>, asked: usize, into: &mut SmallVec<[Reservation; 2]>) {
    if !KindSet::RESERVING.has(s.kind) {
        return;
    }
    // A set has each counter once: only another set's may be there already.
    let others = into.len();
    into.reserve(rules.counts.len());
    for (per, limiting) in rules.counts.iter().filter(|(per, _)| *per != Per::Terminal) {
        let Some(counted) = per.counted(s) else { continue };
        let key = CounterKey { counted, date: s.date };
        let place = into.iter().take(others).position(|reservation| reservation.key == key).unwrap_or(into.len());
        if place == into.len() {
            into.push(Reservation { key, amount: s.amount, amount_limit: None, count_limit: None });
        }
        let Some(reservation) = into.get_mut(place) else { continue };
        for rule in limiting.iter().filter(|place| **place < asked).filter_map(|place| rules.rules.get(*place)) {
            let Some(daily) = rule.test.limits().filter(|_| rule.is_for(s)) else { continue };
            reservation.amount_limit = least(reservation.amount_limit, daily.amount);
            reservation.count_limit = least(reservation.count_limit, daily.count);
        }
    }
}

/// The smaller of two limits, where there are two.
fn least<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
