//! A list as people write it: rows of texts, to be exported, merged and written again. What they mean is not looked at.

use super::fleet::{DEVICE, GROUP, TEMPLATE};
use super::merchant;
use super::regions::COLUMNS as REGION;
use super::table::{Breaches, Source, rows};
use super::terminals::TERMINAL;
use crate::model::Breach;
use std::collections::HashMap;

/// The lists that are exported and imported.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum List {
    /// Merchants.
    Merchants,
    /// Terminals.
    Terminals,
    /// Devices.
    Devices,
    /// Templates.
    Templates,
    /// Groups.
    Groups,
    /// Regions.
    Regions,
}

impl List {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Merchants, Self::Terminals, Self::Devices, Self::Templates, Self::Groups, Self::Regions];

    /// Its name in `[files]`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Merchants => "merchants",
            Self::Terminals => "terminals",
            Self::Devices => "devices",
            Self::Templates => "templates",
            Self::Groups => "groups",
            Self::Regions => "regions",
        }
    }

    /// The name of one of its rows: `[[terminal]]`.
    #[must_use]
    pub fn table(self) -> &'static str {
        match self {
            Self::Merchants => "merchant",
            Self::Terminals => "terminal",
            Self::Devices => "device",
            Self::Templates => "template",
            Self::Groups => "group",
            Self::Regions => "region",
        }
    }

    /// Its columns; the first one names a row.
    #[must_use]
    pub fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Merchants => merchant::COLUMNS,
            Self::Terminals => TERMINAL,
            Self::Devices => DEVICE,
            Self::Templates => TEMPLATE,
            Self::Groups => GROUP,
            Self::Regions => REGION,
        }
    }
}

/// One row: a text or nothing for each column of the list, in their order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SheetRow(Vec<Option<String>>);

/// Rows of one list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sheet {
    list: List,
    rows: Vec<SheetRow>,
}

/// How a sheet is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SheetForm {
    /// Comma-separated values, the first line names the columns.
    Csv,
    /// A table for each row.
    Toml,
}

impl SheetForm {
    /// By the name of a file, as the lists are read.
    #[must_use]
    pub fn of(file: &str) -> Self {
        if file.ends_with(".toml") { Self::Toml } else { Self::Csv }
    }
}

impl Sheet {
    /// An empty one.
    #[must_use]
    pub fn new(list: List) -> Self {
        Self { list, rows: Vec::new() }
    }

    /// Reads the rows of one text.
    ///
    /// # Errors
    /// Its form is not that of a list, or it has columns that the list has not.
    pub fn read(list: List, source: Source<'_>) -> Result<Self, Vec<Breach>> {
        let (mut sheet, mut breaches) = (Self::new(list), Breaches::default());
        match list {
            List::Merchants => sheet.take(source, merchant::COLUMNS, &mut breaches),
            List::Terminals => sheet.take(source, TERMINAL, &mut breaches),
            List::Devices => sheet.take(source, DEVICE, &mut breaches),
            List::Templates => sheet.take(source, TEMPLATE, &mut breaches),
            List::Groups => sheet.take(source, GROUP, &mut breaches),
            List::Regions => sheet.take(source, REGION, &mut breaches),
        }
        breaches.or(sheet)
    }

    fn take<const N: usize>(
        &mut self,
        source: Source<'_>,
        columns: &'static [&'static str; N],
        breaches: &mut Breaches,
    ) {
        let table = self.list.table();
        rows(source, table, columns, breaches, |row, _| {
            self.rows.push(SheetRow(row.texts().map(|text| text.filter(|text| !text.is_empty())).collect()));
        });
    }

    /// The rows.
    #[must_use]
    pub fn rows(&self) -> &[SheetRow] {
        &self.rows
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds a row; what is no column of the list is left out.
    pub fn push(&mut self, cells: &[(&str, &str)]) {
        let cell = |column: &&str| cells.iter().find(|(name, _)| name == column).map(|(_, text)| (*text).to_owned());
        let row = self.list.columns().iter().map(|column| cell(column).filter(|text| !text.is_empty()));
        self.rows.push(SheetRow(row.collect()));
    }

    /// What a row says in a column.
    #[must_use]
    pub fn cell<'a>(&self, row: &'a SheetRow, column: &str) -> Option<&'a str> {
        row.0.get(self.place(column)?)?.as_deref()
    }

    fn place(&self, column: &str) -> Option<usize> {
        self.list.columns().iter().position(|name| *name == column)
    }

    /// Puts a text into a column of the rows that `which` picks; how many there were.
    pub fn set(&mut self, column: &str, text: Option<&str>, which: impl Fn(&Self, &SheetRow) -> bool) -> usize {
        let Some(place) = self.place(column) else { return 0 };
        let picked: Vec<bool> = self.rows.iter().map(|row| which(self, row)).collect();
        let mut rows = self.rows.iter_mut().zip(&picked).filter(|(_, picked)| **picked).map(|(row, _)| row);
        rows.by_ref().filter_map(|row| row.0.get_mut(place)).map(|cell| *cell = text.map(str::to_owned)).count()
    }

    /// Takes in the rows of another sheet of the list, behind its own.
    pub fn append(&mut self, others: Self) {
        self.rows.extend(others.rows);
    }

    /// By what a row is known: its number, and from when on it holds.
    fn key(&self, row: &SheetRow) -> (String, String) {
        let cell = |column| self.cell(row, column).unwrap_or_default().to_owned();
        (self.list.columns().first().map_or_else(String::new, |first| cell(first)), cell("from"))
    }

    /// Takes in the rows of another sheet: one of the same number and instant takes the place of the old one.
    pub fn merge(&mut self, others: Self) {
        let keys: Vec<_> = self.rows.iter().map(|row| self.key(row)).collect();
        let places: HashMap<_, usize> = keys.into_iter().enumerate().map(|(place, key)| (key, place)).collect();
        let known = self.rows.len();
        for row in others.rows {
            // Rows that are twice among the others stay twice: the lists are checked afterwards.
            match places.get(&self.key(&row)).and_then(|place| self.rows.get_mut(..known)?.get_mut(*place)) {
                Some(old) => *old = row,
                None => self.rows.push(row),
            }
        }
    }

    /// The text of a file.
    #[must_use]
    pub fn written(&self, form: SheetForm) -> String {
        match form {
            SheetForm::Csv => self.csv(),
            SheetForm::Toml => self.toml(),
        }
    }

    fn toml(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            text.push_str(&format!("[[{}]]\n", self.list.table()));
            for (column, cell) in self.list.columns().iter().zip(&row.0) {
                if let Some(cell) = cell {
                    text.push_str(&format!("{column} = {}\n", toml::Value::String(cell.clone())));
                }
            }
            text.push('\n');
        }
        text
    }

    /// Only the columns that some row has; the first one and those that must be there in any case.
    fn csv(&self) -> String {
        let columns = self.list.columns();
        let is_used =
            |place: usize| place == 0 || self.rows.iter().any(|row| row.0.get(place).is_some_and(Option::is_some));
        let used: Vec<usize> = (0..columns.len()).filter(|place| is_used(*place)).collect();
        let mut writer = csv::WriterBuilder::new().comment(Some(b'#')).from_writer(Vec::new());
        let header = used.iter().filter_map(|place| columns.get(*place).copied());
        let mut fine = writer.write_record(header).is_ok();
        for row in &self.rows {
            let cells = used.iter().map(|place| row.0.get(*place).and_then(Option::as_deref).unwrap_or_default());
            fine &= writer.write_record(cells).is_ok();
        }
        // Memory takes whatever is written.
        let bytes = writer.into_inner().ok().filter(|_| fine).unwrap_or_default();
        String::from_utf8(bytes).unwrap_or_default()
    }
}
