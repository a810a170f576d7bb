//! Two stations compared before the one becomes the other: what their lists, routes, limits and rules say otherwise, and
//! which past requests they would have decided otherwise. Pure but for the ledger that the second reads.

mod replay;

pub use replay::{Comparison, Counterpart, Decisions, Ruled, Rulings, Turned};

use crate::model::Amount;
use crate::model::BinPrefix;
use crate::model::BinRow;
use crate::model::BinTable;
use crate::model::Limits;
use crate::registry::Change;
use crate::registry::Diff;
use crate::registry::Registry;
use crate::risk::Checks;
use crate::risk::RuleSet;
use crate::risk::Wording;
use serde::Serialize;
use std::collections::HashMap;
use std::collections::HashSet;
use std::fmt;
use std::fmt::Display;

/// What decides in a station: its lists, its limits, its rules.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The lists.
    pub registry: &'a Registry,
    /// Bounds where no row says any.
    pub limits: Limits,
    /// The rules.
    pub checks: &'a Checks,
}

/// A value that says something else.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Value {
    /// Its key or column.
    pub key: String,
    /// What it said, if anything.
    pub old: Option<String>,
    /// What it says, if anything.
    pub new: Option<String>,
}

/// A route or a rule that differs.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Item {
    /// The card number prefix, or the rule's id.
    pub id: String,
    /// What happened to it.
    pub change: Change,
    /// What it says otherwise; all of it where it is new or gone.
    pub values: Vec<Value>,
}

/// Routes or rules that differ.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Items {
    /// How many differ.
    pub count: usize,
    /// The first ones.
    pub items: Vec<Item>,
}

/// How two sets of rules differ.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct RulesDifference {
    /// Their versions, before and now, where these differ.
    pub versions: Option<[String; 2]>,
    /// The rules that differ.
    pub rules: Items,
    /// Rules of both sets stand in another order: the first that declines is named, and none is asked behind one that
    /// allows.
    pub reordered: bool,
}

/// What two stations say otherwise.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Difference {
    /// Merchants, terminals and devices; and which other lists.
    pub lists: Diff,
    /// The limits of the station's file.
    pub limits: Vec<Value>,
    /// Routes by card number prefix.
    pub routes: Items,
    /// The rules that decide.
    pub rules: RulesDifference,
    /// The rules that only count.
    pub shadow: RulesDifference,
}

impl RulesDifference {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Difference {
    /// Compares two stations, with at most so many rows of the lists, routes and rules of each set written out.
    #[must_use]
    pub fn between(old: &Plan<'_>, new: &Plan<'_>, most: usize) -> Self {
        let shadow = |checks: &'_ Checks| checks.shadow.clone().unwrap_or_default();
        let (before, now) = (shadow(old.checks), shadow(new.checks));
        Self {
            lists: old.registry.diff_of_rows(new.registry, most, [&old.limits, &new.limits]),
            limits: values(&limits(&old.limits), &limits(&new.limits)),
            routes: routes(old.registry.bins(), new.registry.bins(), most),
            rules: rules(&old.checks.live, &new.checks.live, most),
            shadow: rules(&before, &now, most),
        }
    }

    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let rules = self.rules.is_empty() && self.shadow.is_empty();
        self.lists.is_empty() && self.limits.is_empty() && self.routes.count == 0 && rules
    }
}

/// Keys and what they say, in order of the keys.
type Said = Vec<(String, String)>;

/// Where the two say something else.
fn values(old: &[(String, String)], new: &[(String, String)]) -> Vec<Value> {
    let find = |said: &[(String, String)], key: &str| {
        said.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone())
    };
    let gone = old.iter().map(|(key, _)| key).filter(|key| find(new, key).is_none());
    let mut keys: Vec<&String> = new.iter().map(|(key, _)| key).chain(gone).collect();
    keys.sort_unstable();
    let all = keys.into_iter().map(|key| Value { key: key.clone(), old: find(old, key), new: find(new, key) });
    all.filter(|value| value.old != value.new).collect()
}

fn limits(limits: &Limits) -> Said {
    let amount = |amount: Option<Amount>| amount.map(|amount| amount.minor().to_string());
    let all = [
        ("least", amount(limits.least)),
        ("most", amount(limits.most)),
        ("daily_amount", amount(limits.daily_amount)),
        ("daily_count", limits.daily_count.map(|count| count.to_string())),
    ];
    all.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

fn route(row: &BinRow<'_>) -> Said {
    let names = ["issuer", "fallback"].into_iter().zip(row.issuers).map(|(key, name)| (key, name.to_string()));
    let class =
        [("product", row.class.product.name().to_owned()), ("organisation", row.class.organisation.to_string())];
    names.chain(class).map(|(key, value)| (key.to_owned(), value)).collect()
}

fn routes(old: &BinTable, new: &BinTable, most: usize) -> Items {
    let said = |table: &BinTable, prefix: &BinPrefix| table.of_prefix(prefix).map(|row| route(&row));
    let gone = old.rows().filter(|row| new.of_prefix(&row.prefix).is_none());
    let mut differing: Vec<(String, BinPrefix)> = new
        .rows()
        .filter(|row| old.of_prefix(&row.prefix) != Some(*row))
        .chain(gone)
        .map(|row| (row.prefix.to_string(), row.prefix))
        .collect();
    differing.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    let count = differing.len();
    let items = differing.into_iter().take(most);
    let items = items.filter_map(|(id, prefix)| item(id, said(old, &prefix), said(new, &prefix))).collect();
    Items { count, items }
}

/// What differs of one thing; `None` if nothing does.
fn item(id: String, old: Option<Said>, new: Option<Said>) -> Option<Item> {
    let change = match (&old, &new) {
        (None, Some(_)) => Change::Added,
        (Some(_), None) => Change::Removed,
        (Some(old), Some(new)) if old != new => Change::Changed,
        _ => return None,
    };
    Some(Item { id, change, values: values(&old.unwrap_or_default(), &new.unwrap_or_default()) })
}

fn rules(old: &RuleSet, new: &RuleSet, most: usize) -> RulesDifference {
    let by_id = |rules: &RuleSet| -> HashMap<String, Said> {
        let said = |wording: &Wording| -> Said {
            wording.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
        };
        rules.wordings().map(|(id, wording)| (id.to_owned(), said(wording))).collect()
    };
    let (mut before, mut now) = (by_id(old), by_id(new));
    let shared: HashSet<&str> = old.ids().filter(|id| now.contains_key(*id)).collect();
    let order =
        |rules: &RuleSet| -> Vec<String> { rules.ids().filter(|id| shared.contains(id)).map(str::to_owned).collect() };
    let reordered = order(old) != order(new);
    let mut ids: Vec<String> = before.keys().chain(now.keys()).cloned().collect();
    ids.sort_unstable();
    ids.dedup();
    let mut items: Vec<Item> =
        ids.into_iter().filter_map(|id| item(id.clone(), before.remove(&id), now.remove(&id))).collect();
    let count = items.len();
    items.truncate(most);
    let versions = (old.version != new.version).then(|| [old.version.to_string(), new.version.to_string()]);
    RulesDifference { versions, rules: Items { count, items }, reordered }
}

/// The most characters of a value that a line shows.
const SHOWN: usize = 80;

/// The beginning of a long value: lists have thousands of entries.
fn shown(text: Option<&String>) -> String {
    let Some(text) = text else { return "-".to_owned() };
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}..", text.get(..end).unwrap_or_default()),
        None => text.clone(),
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} -> {}", self.key, shown(self.old.as_ref()), shown(self.new.as_ref()))
    }
}

impl Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)?;
        for value in &self.values {
            match self.change {
                Change::Changed => write!(f, "  {value}")?,
                Change::Added => write!(f, "  {} {}", value.key, shown(value.new.as_ref()))?,
                Change::Removed => write!(f, "  {} {}", value.key, shown(value.old.as_ref()))?,
            }
        }
        Ok(())
    }
}

/// Nothing, if nothing differs; else a line each.
impl Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.lists.is_empty() {
            writeln!(f, "{}", self.lists)?;
        }
        for value in &self.limits {
            writeln!(f, "~ limit {value}")?;
        }
        items("route", &self.routes, f)?;
        for (what, rules) in [("rule", &self.rules), ("shadow rule", &self.shadow)] {
            if let Some([old, new]) = &rules.versions {
                writeln!(f, "~ {what}s {old} -> {new}")?;
            }
            items(what, &rules.rules, f)?;
            if rules.reordered {
                writeln!(f, "~ {what}s stand in another order")?;
            }
        }
        Ok(())
    }
}

fn items(what: &str, items: &Items, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for item in &items.items {
        let sign = match item.change {
            Change::Added => '+',
            Change::Changed => '~',
            Change::Removed => '-',
        };
        writeln!(f, "{sign} {what} {item}")?;
    }
    match items.count.saturating_sub(items.items.len()) {
        0 => Ok(()),
        rest => writeln!(f, "and {rest} {what}s more"),
    }
}
