//! A file laid over those it extends: which row holds.

use super::sheet::Cell;
use super::sheet::Place;
use super::sheet::Rows;
use crate::iso8583::error::De;
use std::collections::BTreeMap;

const KEYS: &[&str] = &[
    "name",
    "title",
    "source",
    "oracle",
    "extends",
    "drop",
    "mac",
    "mti",
    "bitmap",
    "defaults",
    "element",
    "mandatory",
    "echo",
    "roles",
    "kind",
    "codes",
];
const KINDS: &[&str] = &["n", "a", "an", "ans", "b", "z", "xn"];
const DEFAULTS: &[&str] = &["encoding", "prefix-encoding", "counts", "pad", "variable-pad", "nibble"];

/// A row that holds, and the source of its file for rows without one.
#[derive(Clone, Copy)]
pub(super) struct ElementRow<'a> {
    pub(super) rows: Rows<'a>,
    pub(super) source: &'a str,
}

/// What holds after all files were laid over each other.
pub(super) struct Layers<'a> {
    /// The file itself, for complaints about what no file says.
    pub(super) top: Rows<'a>,
    /// Single values by key.
    pub(super) values: BTreeMap<&'static str, Cell<'a>>,
    pub(super) mti: Option<Cell<'a>>,
    pub(super) bitmap: Option<Rows<'a>>,
    /// By kind and key: the tables that may have it, the latest first.
    pub(super) defaults: BTreeMap<(&'static str, &'static str), Rows<'a>>,
    pub(super) elements: BTreeMap<De, ElementRow<'a>>,
    pub(super) mandatory: BTreeMap<&'a str, (Place, Cell<'a>)>,
    pub(super) echo: BTreeMap<&'a str, (Place, Cell<'a>)>,
    pub(super) roles: BTreeMap<&'a str, (Place, Cell<'a>)>,
    pub(super) kinds: Vec<Rows<'a>>,
    /// In file order, a replaced one at its old place.
    pub(super) codes: Vec<(&'a str, Place, Cell<'a>)>,
    pub(super) fallback: Option<Cell<'a>>,
}

impl<'a> Layers<'a> {
    /// Lays the files over each other, the first at the bottom. `None` if there are none.
    pub(super) fn merge(files: impl Iterator<Item = Rows<'a>>) -> Option<Self> {
        let mut layers: Option<Self> = None;
        for file in files {
            file.only(KEYS);
            let layers = layers.get_or_insert_with(|| Self::empty(file));
            layers.top = file;
            layers.lay_values(file);
            layers.lay_elements(file);
            layers.lay_lists(file);
            layers.lay_kinds(file);
            layers.lay_codes(file);
        }
        layers
    }

    fn empty(top: Rows<'a>) -> Self {
        Self {
            top,
            values: BTreeMap::new(),
            mti: None,
            bitmap: None,
            defaults: BTreeMap::new(),
            elements: BTreeMap::new(),
            mandatory: BTreeMap::new(),
            echo: BTreeMap::new(),
            roles: BTreeMap::new(),
            kinds: Vec::new(),
            codes: Vec::new(),
            fallback: None,
        }
    }

    /// A file says its own name.
    pub(super) fn expect_name(&self, name: &str) {
        match self.top.need("name").and_then(|cell| Some((cell, cell.text()?))) {
            Some((cell, written)) if written != name => cell.say(format!("the file is called `{name}`")),
            _ => {}
        }
    }

    fn lay_values(&mut self, file: Rows<'a>) {
        for key in ["name", "title", "source", "oracle", "mac"] {
            if let Some(cell) = file.get(key) {
                self.values.insert(key, cell);
            }
        }
        if let Some(table) = file.get("mti").and_then(|cell| cell.table()) {
            table.only(&["encoding"]);
            self.mti = table.need("encoding").or(self.mti);
        }
        if let Some(table) = file.get("bitmap").and_then(|cell| cell.table()) {
            table.only(&["encoding", "max"]);
            self.bitmap = Some(table);
        }
        let Some(defaults) = file.get("defaults").and_then(|cell| cell.table()) else { return };
        defaults.only(KINDS);
        for kind in KINDS {
            let Some(table) = defaults.get(kind).and_then(|cell| cell.table()) else { continue };
            table.only(DEFAULTS);
            for key in DEFAULTS.iter().filter(|key| table.get(key).is_some()) {
                self.defaults.insert((kind, key), table);
            }
        }
    }

    fn lay_elements(&mut self, file: Rows<'a>) {
        for (de, cell) in file.get("drop").map(|cell| cell.elements()).unwrap_or_default() {
            if self.elements.remove(&de).is_none() {
                cell.say(format!("element {de} is not inherited"));
            }
        }
        let Some(table) = file.get("element").and_then(|cell| cell.table()) else { return };
        let source = self.values.get("source").and_then(|cell| cell.text()).unwrap_or_default();
        for (key, place, cell) in table.entries() {
            let Some(rows) = cell.table() else { continue };
            match key.parse::<De>() {
                Ok(de) if (2..=192).contains(&de) && !key.starts_with(['0', '+']) => {
                    self.elements.insert(de, ElementRow { rows: Rows { place, ..rows }, source });
                }
                _ => file.sheet.report.say(place, format!("`{key}` is no element number from 2 to 192")),
            }
        }
    }

    fn lay_lists(&mut self, file: Rows<'a>) {
        for (key, lists) in [("mandatory", &mut self.mandatory), ("echo", &mut self.echo), ("roles", &mut self.roles)] {
            for (name, place, cell) in
                file.get(key).and_then(|cell| cell.table()).map(|table| table.entries()).unwrap_or_default()
            {
                lists.insert(name, (place, cell));
            }
        }
    }

    fn lay_kinds(&mut self, file: Rows<'a>) {
        let rows: Vec<_> =
            file.get("kind").and_then(|cell| cell.list()).unwrap_or_default().iter().filter_map(Cell::table).collect();
        let names: Vec<_> = rows.iter().filter_map(|row| row.text("name")).collect();
        self.kinds.retain(|row| !row.text("name").is_some_and(|name| names.contains(&name)));
        self.kinds.extend(rows);
    }

    fn lay_codes(&mut self, file: Rows<'a>) {
        for (wire, place, cell) in
            file.get("codes").and_then(|cell| cell.table()).map(|table| table.entries()).unwrap_or_default()
        {
            if wire == "fallback" {
                self.fallback = Some(cell);
            } else if let Some(old) = self.codes.iter_mut().find(|(known, ..)| *known == wire) {
                *old = (wire, place, cell);
            } else {
                self.codes.push((wire, place, cell));
            }
        }
    }
}
