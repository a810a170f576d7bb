//! From a text to a set of rules, or to everything that is wrong with it.

use super::filters::Filters;
use super::row::{Row, meant};
use super::sense::{self, Narrowed};
use super::{Rule, RuleSet, RuleStep, wording};
use crate::model::Breach;
use crate::model::Kind;
use crate::model::ResponseCode;
use crate::model::line_of;
use crate::risk::Action;
use crate::risk::kind_set::KindSet;
use crate::risk::kinds::{Per, Test, kind_names};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use toml::de::{DeTable, DeValue};

const ACTIONS: [(&str, Action); 5] = [
    ("allow", Action::Allow),
    ("alert", Action::Alert),
    ("step-up", Action::StepUp),
    ("decline", Action::Decline),
    ("hold", Action::Hold),
];

/// Steps as files write them; a fine's amount stands beside it.
#[derive(Clone, Copy, PartialEq)]
enum StepWord {
    Warn,
    Fine,
    Suspend,
}

pub(super) fn read(file: &str, text: &str) -> Result<RuleSet, Vec<Breach>> {
    let mut breaches = Vec::new();
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let line = error.span().map_or(0, |span| line_of(text, span.start));
        breaches.push(Breach::new(file, line, error.message()));
    }
    let mut entries = 0;
    let root = root.get_ref();
    let version = top(file, text, root, &mut breaches, &mut entries);
    let mut rules: Vec<Rule> = Vec::new();
    let mut places: HashMap<Arc<str>, usize> = HashMap::new();
    for (offset, table) in tables(file, text, root, &mut breaches) {
        let asked = Vec::new();
        let mut row = Row { file, text, table, offset, breaches: &mut breaches, entries: &mut entries, asked };
        let Some(rule) = rule(&mut row, &mut places, rules.len()) else { continue };
        rules.push(rule);
    }
    if !breaches.is_empty() {
        breaches.sort_by_key(|breach| breach.line);
        return Err(breaches);
    }
    let counts = counts(&rules);
    let version = version.unwrap_or_default();
    Ok(RuleSet { version, rules, counts, places, digest: Sha256::digest(text).into() })
}

/// What daily rules count, and the places of those that limit it.
fn counts(rules: &[Rule]) -> Vec<(Per, Vec<usize>)> {
    let mut counts: Vec<(Per, Vec<usize>)> = Vec::new();
    for (place, rule) in rules.iter().enumerate() {
        let Some(per) = rule.test.counts() else { continue };
        if counts.iter().all(|(known, _)| *known != per) {
            counts.push((per, Vec::new()));
        }
        let limits = !rule.shadow && matches!(rule.action, Action::Decline | Action::Hold);
        if let Some((_, places)) = counts.iter_mut().find(|(known, _)| limits && *known == per) {
            places.push(place);
        }
    }
    counts
}

/// What stands outside the rules.
fn top<'a>(
    file: &'a str,
    text: &'a str,
    root: &'a DeTable<'a>,
    breaches: &'a mut Vec<Breach>,
    entries: &'a mut usize,
) -> Option<Arc<str>> {
    let mut row = Row { file, text, table: root, offset: 0, breaches, entries, asked: vec!["rule"] };
    let printable =
        |text: &str| (1..=64).contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let version = row.text("version", "a text of 1 to 64 printable ASCII characters", |text| {
        printable(text).then(|| Arc::<str>::from(text))
    });
    let version = row.need("version", version);
    row.nothing_else();
    version
}

/// The tables `[[rule]]`, each with its place.
fn tables<'a>(
    file: &str,
    text: &str,
    root: &'a DeTable<'a>,
    breaches: &mut Vec<Breach>,
) -> Vec<(usize, &'a DeTable<'a>)> {
    let Some((key, value)) = root.get_key_value("rule") else { return Vec::new() };
    let mut fault = |offset, what: String| breaches.push(Breach::new(file, line_of(text, offset), what));
    let DeValue::Array(rules) = value.get_ref() else {
        fault(key.span().start, "write [[rule]] for each rule".into());
        return Vec::new();
    };
    if let Some(beyond) = rules.get(RuleSet::MOST) {
        fault(beyond.span().start, format!("more than {} rules", RuleSet::MOST));
        return Vec::new();
    }
    let mut tables = Vec::new();
    for rule in rules.iter() {
        match rule.get_ref().as_table() {
            Some(table) => tables.push((rule.span().start, table)),
            None => fault(rule.span().start, "write [[rule]] for each rule".into()),
        }
    }
    tables
}

fn is_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

fn rule(row: &mut Row<'_>, places: &mut HashMap<Arc<str>, usize>, place: usize) -> Option<Rule> {
    let id = row.text("id", "lower-case letters, digits and hyphens, 1 to 64", |text| {
        is_id(text).then(|| Arc::<str>::from(text))
    });
    let id = row.need("id", id);
    if let Some(id) = &id
        && places.insert(Arc::clone(id), place).is_some()
    {
        row.fault("id", format!("id: {id:?} stands twice"));
    }
    let kind = row.text("kind", "a text", |text| Some(text.to_owned()));
    let kind = row.need("kind", kind);
    let action = row.word("action", &ACTIONS);
    let action = row.need("action", action);
    let code = row.text("code", "a response code of two characters that declines", |text| {
        ResponseCode::parse(text).filter(|code| !code.is_approval())
    });
    let step = step(row);
    let (from, until) = (row.instant("from"), row.instant("until"));
    if until.is_some() && from >= until {
        row.fault("until", "until: is not after from: the rule never holds");
    }
    let shadow = row.word("mode", &[("live", false), ("shadow", true)]).unwrap_or_default();
    let kinds = row.list("kinds", "a transaction kind, such as sale", |name| {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    });
    let filters = Filters::read(row);
    let name = kind?;
    let Some(scope) = Test::scope(&name) else {
        row.fault("kind", format!("kind: {name:?} is none of the kinds of rules{}", meant(&name, kind_names())));
        return None;
    };
    let narrowed = kinds.is_some() || filters.is_some();
    let kinds = kinds.map_or(scope, |kinds| KindSet::of(&kinds));
    let test = Test::read(&name, row);
    row.nothing_else();
    sense::check(row, &Narrowed { name: &name, kinds, filters: filters.as_deref(), from });
    let action = action?;
    contradictions(row, &name, action, kinds, narrowed);
    let wording = wording::of(row.table);
    let is_narrowed = from.is_some() || until.is_some() || filters.is_some();
    Some(Rule { id: id?, test: test?, action, code, step, shadow, kinds, is_narrowed, from, until, filters, wording })
}

fn step(row: &mut Row<'_>) -> Option<RuleStep> {
    let words = [("warn", StepWord::Warn), ("fine", StepWord::Fine), ("suspend", StepWord::Suspend)];
    let (word, fine) = (row.word("step", &words), row.amount("fine"));
    match (word, fine) {
        (Some(StepWord::Fine), Some(fine)) if fine.minor() > 0 => Some(RuleStep::Fine(fine)),
        (Some(StepWord::Fine), _) => {
            row.fault("step", "step: a fine needs its amount, fine = minor units above 0");
            None
        }
        (_, Some(_)) => {
            row.fault("fine", "fine: goes with step = \"fine\"");
            None
        }
        (Some(StepWord::Warn), None) => Some(RuleStep::Warn),
        (Some(StepWord::Suspend), None) => Some(RuleStep::Suspend),
        (None, None) => None,
    }
}

/// What each key says may be right, and the whole may still make no sense.
fn contradictions(row: &mut Row<'_>, name: &str, action: Action, kinds: KindSet, narrowed: bool) {
    let refuses = matches!(action, Action::StepUp | Action::Decline | Action::Hold);
    if !refuses && row.has("code") {
        row.fault("code", format!("code: a rule that says {} answers nothing", action.name()));
    }
    if refuses && !kinds.meets(KindSet::REFUSED) {
        row.fault("kinds", "kinds: none of them is ever refused: reversals, advices and management; say alert");
    }
    if action == Action::StepUp && (!kinds.meets(KindSet::PIN) || name == "pin-tries") {
        row.fault("action", "action: step-up, but nothing that the rule is for is ever asked for a PIN");
    }
    if action == Action::Allow && !matches!(name, "always" | "list") {
        row.fault("action", format!("action: allow goes with kind always or list; {name} says what is wrong"));
    }
    if action == Action::Allow && (row.has("step") || row.has("fine")) {
        row.fault("step", "step: a rule that allows takes no step");
    }
    if action == Action::Hold && row.has("step") {
        row.fault("step", "step: a rule that holds suspends already");
    }
    if name == "always" && !narrowed {
        row.fault("kind", "kind: always without any condition; say for which requests");
    }
}
