//! What differs between two readings of the lists, for people and for scripts. Keys are never in it, nor what is
//! personal: of those only that they differ.

use super::load::Registry;
use super::merchant::Merchant;
use crate::model::Amount;
use crate::model::Currency;
use crate::model::Hardware;
use crate::model::Limits;
use crate::model::Subject;
use crate::model::TerminalClass;
use crate::model::TerminalFacts;
use crate::model::Timestamp;
use crate::model::escaped;
use serde::Serialize;
use std::collections::HashMap;
use std::fmt;
use std::fmt::Display;
use std::hash::Hash;
use std::sync::Arc;

/// What happened to a row.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is new.
    Added,
    /// It says something else.
    Changed,
    /// It is gone.
    Removed,
}

/// A column that says something else.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ColumnChange {
    /// Its name.
    pub column: &'static str,
    /// What it said, empty if nothing; `None` if that is not shown.
    pub old: Option<String>,
    /// What it says, likewise.
    pub new: Option<String>,
}

/// A row that differs.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct RowChange {
    /// `merchant`, `terminal` or `device`; of a row for later also `template` or `group`.
    pub list: &'static str,
    /// The row's number.
    pub id: String,
    /// From when on it holds, of a row for later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What happened to it.
    pub change: Change,
    /// Where it differs, of a row that changed.
    pub columns: Vec<ColumnChange>,
}

/// What differs.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Diff {
    /// How many rows are new.
    pub added: usize,
    /// How many rows say something else.
    pub changed: usize,
    /// How many rows are gone.
    pub removed: usize,
    /// How many rows have other limits because the station's file has, and say nothing else; they are not among those that
    /// changed. Counted only where that is asked for.
    pub inherited: usize,
    /// How many rows differ that take effect later; they are not among the others.
    pub for_later: usize,
    /// Other lists that differ.
    pub also: Vec<&'static str>,
    /// The rows: merchants, terminals, devices, each in order of their numbers, then those for later; the first ones, if
    /// there are too many.
    pub rows: Vec<RowChange>,
}

impl Registry {
    /// What is different in `new`, with at most so many rows written out.
    #[must_use]
    pub fn diff(&self, new: &Self, most: usize) -> Diff {
        self.compared(new, most, None)
    }

    /// The same; rows that only inherit other limits from the station's file are counted apart. `limits`: those it had, and
    /// those it has.
    #[must_use]
    pub fn diff_of_rows(&self, new: &Self, most: usize, limits: [&Limits; 2]) -> Diff {
        self.compared(new, most, (limits[0] != limits[1]).then_some(limits))
    }

    fn compared(&self, new: &Self, most: usize, by: Option<[&Limits; 2]>) -> Diff {
        let mut diff = Diff::default();
        let inherits = |old: &Merchant, new: &Merchant| {
            inherit(&old.limits, &new.limits, by) && Merchant { limits: new.limits, ..old.clone() } == *new
        };
        diff.compare(("merchant", most), &self.merchants, &new.merchants, (described_merchant, inherits));
        let inherits = |old: &Arc<TerminalFacts>, new: &Arc<TerminalFacts>| {
            inherit(&old.limits, &new.limits, by)
                && TerminalFacts { limits: new.limits, ..TerminalFacts::clone(old) } == **new
        };
        let described = |facts: &Arc<TerminalFacts>| described_terminal(facts);
        diff.compare(("terminal", most), &self.terminals, &new.terminals, (described, inherits));
        let [before, after] = [self, new].map(|registry| {
            registry.all_hardware().map(|device| (&*device.serial, device.as_ref())).collect::<HashMap<_, _>>()
        });
        diff.compare(
            ("device", most),
            &before,
            &after,
            (|device: &&Hardware| described_device(device), |_: &&Hardware, _: &&Hardware| false),
        );
        diff.compare_ahead(self, new, most);
        diff.also = self.other_lists(new);
        diff
    }

    /// The merchants and terminals that were at their end and would trade again, or would be where no step leads from where
    /// they were; each with that in words, in order of these.
    #[must_use]
    pub fn risen(&self, new: &Self) -> Vec<(Subject, String)> {
        let merchants = self.merchants.values().filter_map(|old| {
            let now = new.merchants.get(&old.id)?.state;
            let what = || format!("merchant {} was {}, and cannot become {}", old.id, old.state.name(), now.name());
            (!now.may_come_of(old.state)).then(|| (Subject::Merchant(old.id), what()))
        });
        let terminals = self.terminals.values().filter_map(|old| {
            let now = new.terminals.get(&old.terminal)?.standing;
            let what = || format!("terminal {} was terminated, and cannot become {}", old.terminal, now.name());
            (!old.standing.may_become(now)).then(|| (Subject::Terminal(old.terminal), what()))
        });
        let mut all: Vec<_> = merchants.chain(terminals).collect();
        all.sort_unstable_by(|one, other| one.1.cmp(&other.1));
        all
    }
}

impl Diff {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added + self.changed + self.removed + self.inherited + self.for_later == 0 && self.also.is_empty()
    }

    /// Rows that take effect later. One whose time has come meanwhile is among the others.
    fn compare_ahead(&mut self, old: &Registry, new: &Registry, most: usize) {
        let (before, after) = (&old.ahead.0, &new.ahead.0);
        let is_ahead = |from: &Timestamp| new.at().is_none_or(|at| *from > at);
        let gone = before.keys().filter(|key| !after.contains_key(*key) && is_ahead(&key.2));
        let mut keys: Vec<_> = gone.map(|key| (key, Change::Removed)).collect();
        keys.extend(after.iter().filter_map(|(key, digest)| match before.get(key) {
            None => Some((key, Change::Added)),
            Some(before) => (before != digest).then_some((key, Change::Changed)),
        }));
        self.for_later = keys.len();
        keys.sort_unstable_by_key(|(key, _)| *key);
        keys.truncate(most.saturating_sub(self.rows.len()));
        self.rows.extend(keys.into_iter().map(|((list, id, from), change)| RowChange {
            list,
            id: id.clone(),
            from: Some(from.to_string()),
            change,
            columns: Vec::new(),
        }));
    }

    fn compare<K: Copy + Eq + Hash + Ord + Display, V: PartialEq>(
        &mut self,
        (list, most): (&'static str, usize),
        old: &HashMap<K, V>,
        new: &HashMap<K, V>,
        (describe, inherits): (impl Fn(&V) -> Vec<Said>, impl Fn(&V, &V) -> bool),
    ) {
        let mut keys: Vec<(K, Change)> = Vec::new();
        keys.extend(old.keys().filter(|key| !new.contains_key(*key)).map(|key| (*key, Change::Removed)));
        keys.extend(new.iter().filter_map(|(key, row)| match old.get(key) {
            None => Some((*key, Change::Added)),
            Some(before) if before == row => None,
            Some(before) if inherits(before, row) => {
                self.inherited += 1;
                None
            }
            Some(_) => Some((*key, Change::Changed)),
        }));
        for (_, change) in &keys {
            match change {
                Change::Added => self.added += 1,
                Change::Changed => self.changed += 1,
                Change::Removed => self.removed += 1,
            }
        }
        keys.sort_unstable_by_key(|(key, _)| *key);
        keys.truncate(most.saturating_sub(self.rows.len()));
        for (key, change) in keys {
            let columns = match (old.get(&key), new.get(&key)) {
                (Some(old), Some(new)) => differing(describe(old), describe(new)),
                _ => Vec::new(),
            };
            let id = key.to_string().trim_end().to_owned();
            self.rows.push(RowChange { list, id, from: None, change, columns });
        }
    }
}

const INHERITED: &str = "rows have other limits of the station's file, and say nothing else";

/// Whether limits differ only where those of the station's file do, and in the same way.
fn inherit(old: &Limits, new: &Limits, by: Option<[&Limits; 2]>) -> bool {
    fn moved<T: PartialEq>(old: T, new: T, from: T, to: T) -> bool {
        old == new || (old == from && new == to)
    }
    by.is_some_and(|[from, to]| {
        moved(old.least, new.least, from.least, to.least)
            && moved(old.most, new.most, from.most, to.most)
            && moved(old.daily_amount, new.daily_amount, from.daily_amount, to.daily_amount)
            && moved(old.daily_count, new.daily_count, from.daily_count, to.daily_count)
    })
}

/// One line a row, then how many there are in all.
impl Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.rows {
            writeln!(f, "{row}")?;
        }
        let all = self.added + self.changed + self.removed + self.for_later;
        let rest = all.saturating_sub(self.rows.len());
        if rest > 0 {
            writeln!(f, "and {rest} rows more")?;
        }
        let is_silent = all == 0 && self.also.is_empty();
        match self.inherited {
            0 => write!(f, "{}", self.summary()),
            rows if is_silent => write!(f, "{rows} {INHERITED}"),
            rows => write!(f, "{}\n{rows} {INHERITED}", self.summary()),
        }
    }
}

impl Diff {
    /// In one line.
    #[must_use]
    pub fn summary(&self) -> String {
        if self.is_empty() {
            return "nothing differs".to_owned();
        }
        let Self { added, changed, removed, also, .. } = self;
        let mut rows = format!("{added} rows added, {changed} changed, {removed} removed");
        match self.for_later {
            0 => {}
            1 => rows += "; 1 row for later",
            later => rows += &format!("; {later} rows for later"),
        }
        if also.is_empty() { rows } else { format!("{rows}; also {}", also.join(", ")) }
    }
}

impl Display for RowChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { list, id, columns, .. } = self;
        let sign = match self.change {
            Change::Added => '+',
            Change::Changed => '~',
            Change::Removed => '-',
        };
        write!(f, "{sign} {list} {}", escaped(id))?;
        if let Some(from) = &self.from {
            write!(f, "  from {from}")?;
        }
        for ColumnChange { column, old, new } in columns {
            match (old, new) {
                (Some(old), Some(new)) => {
                    let said = |text| escaped(or_dash(text));
                    write!(f, "  {column} {} -> {}", said(old), said(new))?;
                }
                _ => write!(f, "  {column} differs")?,
            }
        }
        Ok(())
    }
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

/// What a column says; whether it may be shown.
struct Said {
    column: &'static str,
    text: String,
    is_shown: bool,
}

fn differing(old: Vec<Said>, new: Vec<Said>) -> Vec<ColumnChange> {
    let pairs = old.into_iter().zip(new).filter(|(old, new)| old.text != new.text);
    pairs
        .map(|(old, new)| match old.is_shown {
            true => ColumnChange { column: old.column, old: Some(old.text), new: Some(new.text) },
            false => ColumnChange { column: old.column, old: None, new: None },
        })
        .collect()
}

fn shown(column: &'static str, value: impl Display) -> Said {
    Said { column, text: value.to_string(), is_shown: true }
}

fn told<T: Display>(column: &'static str, value: Option<T>) -> Said {
    Said { column, text: value.map_or_else(String::new, |value| value.to_string()), is_shown: true }
}

fn hidden<T: Display>(column: &'static str, value: Option<T>) -> Said {
    Said { is_shown: false, ..told(column, value) }
}

fn limits(limits: &Limits) -> [Said; 4] {
    let amount = |amount: Option<Amount>| amount.map(Amount::minor);
    [
        told("least", amount(limits.least)),
        told("most", amount(limits.most)),
        told("daily_amount", amount(limits.daily_amount)),
        told("daily_count", limits.daily_count),
    ]
}

fn digits(currency: Currency) -> String {
    currency.digits().into_iter().map(char::from).collect()
}

fn described_merchant(of: &Merchant) -> Vec<Said> {
    let mut said = vec![
        shown("name", &of.name),
        told("name_en", of.name_en.as_ref()),
        shown("state", of.state.name()),
        shown("acquirer", of.acquirer.as_str()),
        told("mcc", of.payout.mcc),
        hidden("account", of.payout.account.as_ref()),
        shown("cycle", of.payout.cycle.name()),
        told("cut_off", of.payout.cut_off),
        shown("currency", digits(of.currency)),
        shown("offset_minutes", of.offset_minutes),
        told("region", of.region),
        told("address", of.address.as_ref()),
        hidden("contact", of.contact.as_ref()),
        hidden("licence", of.licence.as_ref()),
    ];
    said.extend(limits(&of.limits));
    said
}

fn described_terminal(of: &TerminalFacts) -> Vec<Said> {
    let site = &of.site;
    let papers = site.papers.as_deref().cloned().unwrap_or_default();
    let mut said = vec![
        shown("merchant", of.merchant),
        shown("standing", of.standing.name()),
        shown("merchant_standing", of.merchant_standing.name()),
        shown("test_mode", of.test_mode),
        shown("acquirer", of.acquirer.as_str()),
        shown("currency", digits(of.currency)),
        shown("offset_minutes", of.offset_minutes),
        hidden("master_key", of.master_key.as_ref().map(|key| key.as_str())),
        told("sign_in_after", of.sign_in_after),
        hidden("ksn", of.device.map(|device| format!("{device:?}"))),
        hidden("certificate", of.certificate.map(|hash| format!("{hash:?}"))),
        told("mcc", site.shop.mcc),
        told("region", site.region),
        told("class", site.class.map(TerminalClass::name)),
        told("capabilities", site.capabilities),
        shown("network", &site.network),
        told("device", site.hardware.as_ref().map(|device| &device.serial)),
        told("firmware", site.hardware.as_ref().and_then(|device| device.firmware)),
        told("address", papers.address),
        told("custodian", papers.custodian),
        told("template", papers.template),
        told("group", papers.group),
    ];
    said.extend(limits(&of.limits));
    said
}

fn described_device(of: &Hardware) -> Vec<Said> {
    vec![
        told("model", of.model.as_ref()),
        told("maker", of.maker.as_ref()),
        told("firmware", of.firmware),
        told("certification", of.certification.as_ref()),
        told("certified_until", of.certified_until),
        told("custodian", of.custodian.as_ref()),
    ]
}
