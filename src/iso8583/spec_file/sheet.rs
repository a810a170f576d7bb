//! A parsed file with places: every cell knows its line, every complaint is kept.

use super::Breach;
use std::cell::RefCell;
use std::ops::RangeInclusive;
use toml::Spanned;
use toml::de::DeTable;
use toml::de::DeValue;

/// File (by position in the chain) and byte; the line is counted only when somebody is told.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Place {
    pub(super) file: usize,
    pub(super) offset: usize,
}

/// All complaints so far.
#[derive(Default)]
pub(super) struct Report {
    found: RefCell<Vec<(Place, String)>>,
}

impl Report {
    pub(super) fn say(&self, place: Place, what: impl Into<String>) {
        self.found.borrow_mut().push((place, what.into()));
    }

    /// The breaches in order; empty if there are none.
    pub(super) fn breaches(self, chain: &[(String, String)]) -> Vec<Breach> {
        let mut found = self.found.into_inner();
        found.sort();
        let breach = |(place, what): (Place, String)| {
            let (file, text) = chain.get(place.file).map_or(("", ""), |(name, text)| (name, text));
            let before = text.as_bytes().get(..place.offset).unwrap_or(text.as_bytes());
            let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
            Breach { file: file.to_owned(), line, what }
        };
        let mut breaches: Vec<Breach> = found.into_iter().map(breach).collect();
        breaches.dedup();
        breaches
    }
}

/// One file.
#[derive(Clone, Copy)]
pub(super) struct Sheet<'a> {
    pub(super) file: usize,
    pub(super) text: &'a str,
    pub(super) report: &'a Report,
}

impl Sheet<'_> {
    /// The place of a byte of the file.
    pub(super) fn place(&self, offset: usize) -> Place {
        Place { file: self.file, offset }
    }
}

/// One value and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Cell<'a> {
    sheet: Sheet<'a>,
    value: &'a DeValue<'a>,
    pub(super) place: Place,
}

impl<'a> Cell<'a> {
    fn new(sheet: Sheet<'a>, value: &'a Spanned<DeValue<'a>>) -> Self {
        Self { sheet, value: value.get_ref(), place: sheet.place(value.span().start) }
    }

    pub(super) fn say(&self, what: impl Into<String>) {
        self.sheet.report.say(self.place, what);
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        if let DeValue::String(text) = self.value {
            return Some(text);
        }
        self.say("text is wanted here");
        None
    }

    pub(super) fn is_text(&self) -> bool {
        matches!(self.value, DeValue::String(_))
    }

    pub(super) fn number(&self, range: &RangeInclusive<u16>) -> Option<u16> {
        let number = match self.value {
            DeValue::Integer(digits) => u16::from_str_radix(digits.as_str(), digits.radix()).ok(),
            _ => None,
        };
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            self.say(format!("a number from {} to {} is wanted here", range.start(), range.end()));
        }
        number
    }

    pub(super) fn list(&self) -> Option<Vec<Self>> {
        if let DeValue::Array(list) = self.value {
            return Some(list.iter().map(|value| Self::new(self.sheet, value)).collect());
        }
        self.say("a list is wanted here");
        None
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self.value, DeValue::Array(_))
    }

    pub(super) fn table(&self) -> Option<Rows<'a>> {
        if let DeValue::Table(table) = self.value {
            return Some(Rows { sheet: self.sheet, table, place: self.place });
        }
        self.say("a table is wanted here");
        None
    }

    /// Element numbers, each once.
    pub(super) fn elements(&self) -> Vec<(u8, Self)> {
        let mut seen = Vec::new();
        for cell in self.list().unwrap_or_default() {
            let Some(de) = cell.number(&(2..=192)).and_then(|number| u8::try_from(number).ok()) else { continue };
            if seen.iter().any(|(other, _)| *other == de) {
                cell.say(format!("element {de} is listed twice"));
            }
            seen.push((de, cell));
        }
        seen
    }
}

/// One table and where it begins.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) sheet: Sheet<'a>,
    pub(super) table: &'a DeTable<'a>,
    pub(super) place: Place,
}

impl<'a> Rows<'a> {
    pub(super) fn say(&self, what: impl Into<String>) {
        self.sheet.report.say(self.place, what);
    }

    /// Complains of every key that is not in `known`.
    pub(super) fn only(&self, known: &[&str]) {
        for key in self.table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            let place = self.sheet.place(key.span().start);
            self.sheet.report.say(place, format!("unknown key `{}`", key.get_ref()));
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<Cell<'a>> {
        self.table.get(key).map(|value| Cell::new(self.sheet, value))
    }

    /// A value that must be there.
    pub(super) fn need(&self, key: &str) -> Option<Cell<'a>> {
        let cell = self.get(key);
        if cell.is_none() {
            self.say(format!("`{key}` is missing"));
        }
        cell
    }

    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        self.get(key)?.text()
    }

    /// A word out of a list of words.
    pub(super) fn word<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Option<T> {
        let cell = self.get(key)?;
        let text = cell.text()?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            cell.say(format!("`{key}` is one of {}", words.join(", ")));
        }
        found
    }

    pub(super) fn flag(&self, key: &str) -> bool {
        self.word_or_bool(key).unwrap_or(false)
    }

    fn word_or_bool(&self, key: &str) -> Option<bool> {
        let cell = self.get(key)?;
        if let DeValue::Boolean(value) = cell.value {
            return Some(*value);
        }
        cell.say("true or false is wanted here");
        None
    }

    /// All entries in file order; a key's place is its own.
    pub(super) fn entries(&self) -> Vec<(&'a str, Place, Cell<'a>)> {
        let mut entries: Vec<_> = self.table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let entry = |(key, value): (&'a Spanned<std::borrow::Cow<'a, str>>, &'a Spanned<DeValue<'a>>)| {
            (key.get_ref().as_ref(), self.sheet.place(key.span().start), Cell::new(self.sheet, value))
        };
        entries.into_iter().map(entry).collect()
    }
}
