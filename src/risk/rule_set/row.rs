//! One table of a rule file, read key by key, so that every fault has its line.

use crate::model::Amount;
use crate::model::Breach;
use crate::model::Timestamp;
use crate::model::line_of;
use std::collections::HashSet;
use std::hash::Hash;
use std::ops::RangeInclusive;
use std::time::Duration;
use toml::de::{DeTable, DeValue};

/// The most entries in all lists of a file.
const LIST_ENTRIES: usize = 100_000;
/// The longest window.
const LONGEST: u64 = 86_400;

/// A table. What was asked of it is what it may hold: [`Row::nothing_else`] reports the rest.
pub(in crate::risk) struct Row<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
    pub(super) table: &'a DeTable<'a>,
    /// Where the table begins.
    pub(super) offset: usize,
    pub(super) breaches: &'a mut Vec<Breach>,
    /// List entries of the file so far.
    pub(super) entries: &'a mut usize,
    pub(super) asked: Vec<&'static str>,
}

impl<'a> Row<'a> {
    fn value(&mut self, key: &'static str) -> Option<&'a DeValue<'a>> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        let table = self.table;
        table.get(key).map(|value| value.get_ref())
    }

    /// Whether it says anything of `key`.
    pub(in crate::risk) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// What it says of `key`, if anything, without a judgement.
    pub(super) fn said(&self, key: &str) -> Option<&'a DeValue<'a>> {
        let table = self.table;
        table.get(key).map(|value| value.get_ref())
    }

    /// The number that it says of `key`, if it is one.
    pub(super) fn said_number(&self, key: &str) -> Option<u64> {
        match self.said(key)? {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().parse().ok(),
            _ => None,
        }
    }

    /// The values of a dated list and the ends of its entries, as far as they are any.
    pub(super) fn said_in_list(&self, key: &str) -> (Vec<&'a str>, Vec<Timestamp>) {
        let (mut values, mut ends) = (Vec::new(), Vec::new());
        for value in self.said(key).and_then(|value| value.as_array()).into_iter().flat_map(|list| list.iter()) {
            match value.get_ref() {
                DeValue::String(text) => values.push(text.as_ref()),
                DeValue::Table(table) => {
                    values.extend(table.get("value").and_then(|value| value.get_ref().as_str()));
                    ends.extend(table.get("until").and_then(|until| instant(until.get_ref())));
                }
                _ => {}
            }
        }
        (values, ends)
    }

    /// Reports a fault where `key` stands; where it does not, where the table begins.
    pub(in crate::risk) fn fault(&mut self, key: &str, what: impl Into<String>) {
        let offset = self.table.get_key_value(key).map_or(self.offset, |(key, _)| key.span().start);
        self.breaches.push(Breach::new(self.file, line_of(self.text, offset), what));
    }

    /// Reports `key` as missing, if it is; a value that is wrong was reported already.
    pub(in crate::risk) fn need<T>(&mut self, key: &'static str, value: Option<T>) -> Option<T> {
        if value.is_none() && !self.has(key) {
            self.fault(key, format!("{key}: is missing"));
        }
        value
    }

    /// A text that `parse` takes; `form` says in words what that is. Dates may stand without quotes.
    pub(in crate::risk) fn text<T>(
        &mut self,
        key: &'static str,
        form: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = match self.value(key)? {
            DeValue::String(text) => parse(text),
            DeValue::Datetime(date) => parse(&date.to_string()),
            _ => None,
        };
        if value.is_none() {
            self.fault(key, format!("{key}: is not {form}"));
        }
        value
    }

    /// One of these words.
    pub(in crate::risk) fn word<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        let form = format!("one of {}", names.join(", "));
        self.text(key, &form, |text| words.iter().find(|(name, _)| *name == text).map(|(_, value)| *value))
    }

    pub(in crate::risk) fn number(&mut self, key: &'static str, within: RangeInclusive<u64>) -> Option<u64> {
        let value = self.value(key)?;
        let number = match value {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| within.contains(number));
        if number.is_none() {
            self.fault(key, format!("{key}: is not a whole number from {} to {}", within.start(), within.end()));
        }
        number
    }

    /// How many, at least one.
    pub(in crate::risk) fn count(&mut self, key: &'static str, most: u32) -> Option<u32> {
        self.number(key, 1..=u64::from(most)).and_then(|count| count.try_into().ok())
    }

    /// An amount in minor units.
    pub(in crate::risk) fn amount(&mut self, key: &'static str) -> Option<Amount> {
        self.number(key, 0..=Amount::MAX.minor()).and_then(Amount::new)
    }

    /// `within_s`: a window, 1 second to 24 hours.
    pub(in crate::risk) fn window(&mut self) -> Option<Duration> {
        self.number("within_s", 1..=LONGEST).map(Duration::from_secs)
    }

    pub(in crate::risk) fn instant(&mut self, key: &'static str) -> Option<Timestamp> {
        self.text(key, "an instant with an offset, such as 2026-11-22T23:00:00+08:00", Timestamp::parse)
    }

    pub(in crate::risk) fn flag(&mut self, key: &'static str) -> bool {
        match self.value(key) {
            None => false,
            Some(DeValue::Boolean(truth)) => *truth,
            Some(_) => {
                self.fault(key, format!("{key}: is not true or false"));
                false
            }
        }
    }

    /// A list, each of its entries with its place in the file; `None` if it is left out or is none.
    fn items(&mut self, key: &'static str) -> Option<Vec<(usize, &'a DeValue<'a>)>> {
        let Some(list) = self.value(key)?.as_array() else {
            self.fault(key, format!("{key}: is not a list"));
            return None;
        };
        if list.is_empty() {
            let instead = match key {
                "list" => ": the rule would never speak; list somebody, or take the rule out",
                _ => "; leave it out, and the rule is for all",
            };
            self.fault(key, format!("{key}: is empty{instead}"));
            return None;
        }
        let before = *self.entries;
        *self.entries = before.saturating_add(list.len());
        if *self.entries > LIST_ENTRIES {
            if before <= LIST_ENTRIES {
                self.fault(key, format!("more than {LIST_ENTRIES} list entries in the file"));
            }
            return None;
        }
        Some(list.iter().map(|value| (value.span().start, value.get_ref())).collect())
    }

    fn entry_fault(&mut self, key: &str, offset: usize, form: &str) {
        let what = format!("{key}: has an entry that is not {form}");
        self.breaches.push(Breach::new(self.file, line_of(self.text, offset), what));
    }

    /// Reports an entry that says what another said before it, if it does.
    fn once<T: Eq + Hash + Clone>(&mut self, key: &str, offset: usize, known: &mut HashSet<T>, value: &T) {
        if !known.insert(value.clone()) {
            let what = format!("{key}: has an entry that stands twice");
            self.breaches.push(Breach::new(self.file, line_of(self.text, offset), what));
        }
    }

    /// A list of texts, each but once.
    pub(in crate::risk) fn list<T: Eq + Hash + Clone>(
        &mut self,
        key: &'static str,
        form: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let (mut values, mut known) = (Vec::new(), HashSet::new());
        for (offset, value) in self.items(key)? {
            match value.as_str().and_then(&parse) {
                Some(value) => {
                    self.once(key, offset, &mut known, &value);
                    values.push(value);
                }
                None => self.entry_fault(key, offset, form),
            }
        }
        Some(values)
    }

    /// A list of texts, or of tables `{ value = "..", until = .. }`, each value but once.
    pub(in crate::risk) fn dated_list<T: Eq + Hash + Clone>(
        &mut self,
        key: &'static str,
        form: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<(T, Option<Timestamp>)>> {
        let dated = |table: &DeTable<'_>| {
            let until = match table.get("until").map(|until| until.get_ref()) {
                None => None,
                Some(until) => Some(instant(until)?),
            };
            let only = table.keys().all(|key| matches!(key.get_ref().as_ref(), "value" | "until"));
            let value = table.get("value")?.get_ref().as_str().and_then(&parse)?;
            only.then_some((value, until))
        };
        let (mut values, mut known) = (Vec::new(), HashSet::new());
        for (offset, value) in self.items(key)? {
            let read = match value {
                DeValue::String(text) => parse(text).map(|value| (value, None)),
                DeValue::Table(table) => dated(table),
                _ => None,
            };
            match read {
                Some(value) => {
                    self.once(key, offset, &mut known, &value.0);
                    values.push(value);
                }
                None => self.entry_fault(key, offset, &format!("{form}, or {{ value = \"..\", until = .. }}")),
            }
        }
        Some(values)
    }

    /// Reports every key that nobody asked for, with what may have been meant.
    pub(in crate::risk) fn nothing_else(&mut self) {
        let table = self.table;
        for (key, _) in table {
            let name = key.get_ref().as_ref();
            if self.asked.contains(&name) {
                continue;
            }
            let what = format!("unknown key {name:?}{}", meant(name, self.asked.iter().copied()));
            self.breaches.push(Breach::new(self.file, line_of(self.text, key.span().start), what));
        }
    }
}

/// An instant with an offset, with quotes or without.
fn instant(value: &DeValue<'_>) -> Option<Timestamp> {
    match value {
        DeValue::String(text) => Timestamp::parse(text),
        DeValue::Datetime(date) => Timestamp::parse(&date.to_string()),
        _ => None,
    }
}

/// `; did you mean "…"?`, if one of `known` is but a slip or two away.
pub(super) fn meant<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> String {
    let near = known.map(|known| (slips(name, known), known)).min().filter(|(slips, _)| *slips <= 2);
    near.map_or_else(String::new, |(_, known)| format!("; did you mean {known:?}?"))
}

/// How many letters must be put in, taken out or changed to make one word of the other.
fn slips(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.bytes().take(64).enumerate() {
        let mut diagonal = std::mem::replace(row.first_mut().unwrap_or(&mut 0), at + 1);
        let mut left = at + 1;
        for (cell, theirs) in row.iter_mut().skip(1).zip(other.bytes()) {
            let changed = diagonal + usize::from(letter != theirs);
            diagonal = *cell;
            left = changed.min(left + 1).min(*cell + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}
