//! Rules as data.

mod filters;
mod read;
mod row;
mod sense;
mod wording;

pub(super) use filters::{ENTRIES, merchant, terminal};
pub(super) use row::Row;
pub use wording::Wording;

use super::kind_set::KindSet;
use super::kinds::{Per, Test};
use super::{Action, RiskNote, Situation};
use crate::model::Amount;
use crate::model::Breach;
use crate::model::ResponseCode;
use crate::model::Timestamp;
use filters::Filters;
use std::collections::HashMap;
use std::sync::Arc;

/// What a rule does to the terminal besides answering.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RuleStep {
    /// It is warned.
    Warn,
    /// It is fined: so many minor units are entered for its merchant.
    Fine(Amount),
    /// It is suspended.
    Suspend,
}

/// One rule.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) id: Arc<str>,
    pub(super) test: Test,
    pub(super) action: Action,
    /// What is answered, if not what its kind answers.
    pub(super) code: Option<ResponseCode>,
    pub(super) step: Option<RuleStep>,
    /// It only counts.
    pub(super) shadow: bool,
    kinds: KindSet,
    /// It has a time or filters.
    is_narrowed: bool,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    filters: Option<Box<Filters>>,
    /// What its file says.
    wording: Box<Wording>,
}

impl Rule {
    /// Whether the request is of those that the rule is for, at its time.
    pub(super) fn is_for(&self, s: &Situation<'_>) -> bool {
        self.kinds.has(s.kind) && (!self.is_narrowed || self.fits(s))
    }

    fn fits(&self, s: &Situation<'_>) -> bool {
        self.from.is_none_or(|from| s.at >= from)
            && self.until.is_none_or(|until| s.at < until)
            && self.filters.as_ref().is_none_or(|filters| filters.fit(s))
    }
}

/// A set of rules, read from one file. Immutable.
#[derive(Debug)]
pub struct RuleSet {
    /// Its version, as the file says.
    pub version: Arc<str>,
    pub(super) rules: Vec<Rule>,
    /// What its daily rules count, and the places of those that limit it.
    pub(super) counts: Vec<(Per, Vec<usize>)>,
    places: HashMap<Arc<str>, usize>,
    digest: [u8; 32],
}

impl Default for RuleSet {
    fn default() -> Self {
        let (rules, counts, places) = (Vec::new(), Vec::new(), HashMap::new());
        Self { version: "none".into(), rules, counts, places, digest: [0; 32] }
    }
}

impl RuleSet {
    /// A rule file with every kind of rule, with values that suit most shops. It is to be copied and changed.
    pub const SAMPLE: &str = include_str!("../default.toml");
    /// The most rules of a file.
    pub const MOST: usize = 256;

    /// Reads a file's text.
    ///
    /// # Errors
    /// Every breach of it, with its line.
    pub fn read(file: &str, text: &str) -> Result<Self, Vec<Breach>> {
        read::read(file, text)
    }

    /// Names the text it was read from: SHA-256. Zeros if there was none.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// How many rules it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rules' ids, in the order of the file.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| &*rule.id)
    }

    /// The rules' ids with what the file says of each, key by key in order of the keys; in the order of the file.
    pub fn wordings(&self) -> impl Iterator<Item = (&str, &Wording)> {
        self.rules.iter().map(|rule| (&*rule.id, &*rule.wording))
    }

    /// What the rule of this id does to a terminal besides answering. A rule that holds terminals suspends them.
    #[must_use]
    pub fn step(&self, id: &str) -> Option<RuleStep> {
        let rule = self.rules.get(*self.places.get(id)?)?;
        rule.step.or_else(|| (rule.action == Action::Hold).then_some(RuleStep::Suspend))
    }

    /// What of it has ended by `now`, in words: rules that never speak again, and lists with entries that mean nothing any more.
    #[must_use]
    pub fn lapsed(&self, now: Timestamp) -> Vec<String> {
        let mut said = Vec::new();
        for rule in &self.rules {
            if let Some(until) = rule.until.filter(|until| *until <= now) {
                said.push(format!("rule {:?}: until {until} is past: it never speaks again", rule.id));
                continue;
            }
            match rule.test.lapsed(now) {
                (0, _) => {}
                (gone, all) if gone == all => {
                    said.push(format!("rule {:?}: every entry of its list has ended: it never speaks", rule.id));
                }
                (gone, all) => said.push(format!("rule {:?}: {gone} of {all} entries of its list have ended", rule.id)),
            }
        }
        said
    }

    /// Whether the rule of this id counts declines: what it declines itself is none to it.
    #[must_use]
    pub fn counts_declines(&self, id: &str) -> bool {
        let rule = self.places.get(id).and_then(|place| self.rules.get(*place));
        rule.is_some_and(|rule| rule.test.counts_declines())
    }

    /// The steps that follow from what the rules of this set said live, each with its rule's id.
    ///
    /// A hit that was lessened, because its kind is never refused, has its rule's step all the same, but for a hold's.
    pub fn steps<'n>(&'n self, note: &'n RiskNote) -> impl Iterator<Item = (&'n str, RuleStep)> {
        note.hits.iter().filter(|hit| !hit.shadow).filter_map(|hit| {
            let rule = self.rules.get(*self.places.get(&hit.rule)?)?;
            let holds = hit.action == Action::Hold;
            rule.step.or_else(|| holds.then_some(RuleStep::Suspend)).map(|step| (&*hit.rule, step))
        })
    }
}
