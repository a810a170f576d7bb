//! A TOML file and those it extends, read key by key; every breach is kept with its file and line.

use crate::model::Breach;
use crate::model::line_of;
use std::collections::BTreeSet;
use toml::de::DeTable;
use toml::de::DeValue;

/// One file of the stack.
struct Layer<'t> {
    file: String,
    text: &'t str,
    table: DeTable<'t>,
}

/// A stack of files, the one asked for first; a key counts where it stands first.
pub(super) struct Sheet<'t> {
    layers: Vec<Layer<'t>>,
    known: BTreeSet<(&'static str, &'static str)>,
    breaches: Vec<Breach>,
}

/// Top-level keys have no section.
pub(super) const TOP: &str = "";

impl<'t> Sheet<'t> {
    pub(super) fn new() -> Self {
        Self { layers: Vec::new(), known: BTreeSet::new(), breaches: Vec::new() }
    }

    /// Puts a file under those there are.
    pub(super) fn add(&mut self, file: &str, text: &'t str) {
        let (table, faults) = DeTable::parse_recoverable(text);
        for fault in faults {
            let line = fault.span().map_or(1, |span| line_of(text, span.start));
            self.breaches.push(Breach::new(file, line, fault.message()));
        }
        self.layers.push(Layer { file: file.to_owned(), text, table: table.into_inner() });
    }

    /// Notes what was found wrong before the files were read.
    pub(super) fn note(&mut self, breach: Option<Breach>) {
        self.breaches.extend(breach);
    }

    /// The value of a key; a value that `read` does not take is a breach, an absent one is not.
    pub(super) fn read<T>(
        &mut self,
        section: &'static str,
        key: &'static str,
        expected: &str,
        read: impl FnOnce(&DeValue<'t>) -> Option<T>,
    ) -> Option<T> {
        self.known.insert((section, key));
        let (layer, value) = self.layers.iter().find_map(|layer| Some((layer, layer.find(section, key)?)))?;
        let got = read(value.get_ref());
        if got.is_none() {
            let what = format!("{}: expected {expected}", place(section, key));
            let line = line_of(layer.text, value.span().start);
            self.breaches.push(Breach { file: layer.file.clone(), line, what });
        }
        got
    }

    /// As [`Self::read`]; an absent key is a breach too.
    pub(super) fn need<T>(
        &mut self,
        section: &'static str,
        key: &'static str,
        expected: &str,
        read: impl FnOnce(&DeValue<'t>) -> Option<T>,
    ) -> Option<T> {
        if !self.layers.iter().any(|layer| layer.find(section, key).is_some()) {
            self.known.insert((section, key));
            let file = self.layers.first().map(|layer| layer.file.clone()).unwrap_or_default();
            self.breaches.push(Breach { file, line: 1, what: format!("{} is missing", place(section, key)) });
            return None;
        }
        self.read(section, key, expected, read)
    }

    /// Notes a breach of a rule about a key's value, where that key stands.
    pub(super) fn breach(&mut self, section: &'static str, key: &'static str, what: &str) {
        let found = self.layers.iter().find_map(|layer| Some((layer, layer.find(section, key)?)));
        let (file, line) = match found {
            Some((layer, value)) => (layer.file.clone(), line_of(layer.text, value.span().start)),
            None => (self.layers.first().map(|layer| layer.file.clone()).unwrap_or_default(), 1),
        };
        self.breaches.push(Breach { file, line, what: format!("{}: {what}", place(section, key)) });
    }

    /// Every breach, unknown keys included; to be called when all keys were asked for.
    pub(super) fn finish(mut self) -> Vec<Breach> {
        for layer in &self.layers {
            for (name, value) in layer.table.iter() {
                let section = self.known.iter().find(|(section, _)| !section.is_empty() && *section == name.get_ref());
                let inner = section.and(value.get_ref().as_table());
                let strangers: Vec<_> = match inner {
                    Some(table) => table.keys().map(|key| (name.get_ref().as_ref(), key)).collect(),
                    None => vec![(TOP, name)],
                };
                for (section, key) in strangers {
                    let known = |(s, k): &(&str, &str)| *s == section && *k == key.get_ref();
                    if !self.known.iter().any(known) {
                        let line = line_of(layer.text, key.span().start);
                        let what = format!("unknown key {}", place(section, key.get_ref()));
                        self.breaches.push(Breach { file: layer.file.clone(), line, what });
                    }
                }
            }
        }
        self.breaches
    }
}

impl<'t> Layer<'t> {
    fn find(&self, section: &str, key: &str) -> Option<&toml::Spanned<DeValue<'t>>> {
        match section {
            TOP => self.table.get(key),
            _ => self.table.get(section)?.get_ref().as_table()?.get(key),
        }
    }
}

fn place(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("[{section}] {key}") }
}

/// Which file a text extends, and the line that says so.
pub(super) fn parent_of(text: &str) -> Option<(String, usize)> {
    let (table, _) = DeTable::parse_recoverable(text);
    let value = table.get_ref().get("extends")?;
    Some((value.get_ref().as_str()?.to_owned(), line_of(text, value.span().start)))
}
