//! A list as people write it: rows of texts, to be exported, merged and written again. What they mean is not looked at.

use super::fleet::DEVICE;
use super::given::{GROUP, TEMPLATE, TERMINAL};
use super::merchant;
use super::regions::COLUMNS as REGION;
use super::table::{Breaches, Row, Source, rows};
use crate::model::Breach;
use std::collections::HashMap;
use std::sync::Arc;

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

/// A row of whichever list.
pub trait Cells {
    /// What it says in a column, if that is one text.
    fn cell(&self, column: &str) -> Option<&str>;
    /// The line on which it says that, else its first.
    fn line(&self, column: &str) -> usize;
    /// What it says in each column of the list, and on which lines.
    fn all(&self) -> Vec<Option<(String, usize)>>;
}

impl<const N: usize> Cells for Row<'_, N> {
    fn cell(&self, column: &str) -> Option<&str> {
        self.text(column)
    }

    fn line(&self, column: &str) -> usize {
        self.line_of(column)
    }

    fn all(&self) -> Vec<Option<(String, usize)>> {
        self.texts().collect()
    }
}

impl List {
    /// Reads a text row by row.
    pub fn scan(self, source: Source<'_>, breaches: &mut Breaches, each: &mut dyn FnMut(&dyn Cells)) {
        let table = self.table();
        match self {
            Self::Merchants => rows(source, table, merchant::COLUMNS, breaches, |row, _| each(row)),
            Self::Terminals => rows(source, table, TERMINAL, breaches, |row, _| each(row)),
            Self::Devices => rows(source, table, DEVICE, breaches, |row, _| each(row)),
            Self::Templates => rows(source, table, TEMPLATE, breaches, |row, _| each(row)),
            Self::Groups => rows(source, table, GROUP, breaches, |row, _| each(row)),
            Self::Regions => rows(source, table, REGION, breaches, |row, _| each(row)),
        }
    }
}

/// One row: a text or nothing for each column of the list, in their order. Rows are equal that say the same, wherever they
/// stand.
#[derive(Clone, Debug)]
pub struct SheetRow {
    cells: Vec<Option<String>>,
    /// Where it was read, if it was.
    origin: Option<Origin>,
}

impl PartialEq for SheetRow {
    fn eq(&self, other: &Self) -> bool {
        self.cells == other.cells
    }
}

impl Eq for SheetRow {}

/// Where a row was read.
#[derive(Clone, Debug)]
struct Origin {
    file: Arc<str>,
    line: usize,
    /// Of columns that stand on lines of their own.
    lines: Vec<(usize, usize)>,
}

/// Where the rows of a written file came from.
#[derive(Debug)]
pub struct Origins {
    list: List,
    /// The line on which a row begins in the written text, and where it stood.
    rows: Vec<(usize, Option<Origin>)>,
}

impl Origins {
    /// A breach of the written text, told of the file from which its row came: people do not see what would be written.
    #[must_use]
    pub fn of(&self, breach: &Breach) -> Option<Breach> {
        let behind = self.rows.partition_point(|(line, _)| *line <= breach.line);
        let origin = self.rows.get(behind.checked_sub(1)?)?.1.as_ref()?;
        // What is said of a column begins with its name.
        let word = breach.what.split([':', ' ']).next()?;
        let place = self.list.columns().iter().position(|column| *column == word);
        let own = origin.lines.iter().find(|(column, _)| Some(*column) == place);
        Some(Breach::new(&origin.file, own.map_or(origin.line, |(_, line)| *line), &*breach.what))
    }

    /// The same, with so many lines before the text.
    #[must_use]
    pub fn below(mut self, lines: usize) -> Self {
        self.rows.iter_mut().for_each(|(line, _)| *line += lines);
        self
    }
}

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
        let file: Arc<str> = source.file.into();
        list.scan(source, &mut breaches, &mut |row| {
            let line = row.line("");
            let all = row.all();
            let lines = all.iter().enumerate().filter_map(|(place, cell)| Some((place, cell.as_ref()?.1)));
            let lines = lines.filter(|(_, own)| *own != line).collect();
            let cells =
                all.into_iter().map(|cell| cell.map(|(text, _)| text).filter(|text| !text.is_empty())).collect();
            sheet.rows.push(SheetRow { cells, origin: Some(Origin { file: Arc::clone(&file), line, lines }) });
        });
        breaches.or(sheet)
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
        self.rows.push(SheetRow { cells: row.collect(), origin: None });
    }

    /// What a row says in a column.
    #[must_use]
    pub fn cell<'a>(&self, row: &'a SheetRow, column: &str) -> Option<&'a str> {
        row.cells.get(self.place(column)?)?.as_deref()
    }

    fn place(&self, column: &str) -> Option<usize> {
        self.list.columns().iter().position(|name| *name == column)
    }

    /// Puts a text into a column of the rows that `which` picks; how many there were.
    pub fn set(&mut self, column: &str, text: Option<&str>, which: impl Fn(&Self, &SheetRow) -> bool) -> usize {
        let Some(place) = self.place(column) else { return 0 };
        let picked: Vec<bool> = self.rows.iter().map(|row| which(self, row)).collect();
        let mut rows = self.rows.iter_mut().zip(&picked).filter(|(_, picked)| **picked).map(|(row, _)| row);
        rows.by_ref().filter_map(|row| row.cells.get_mut(place)).map(|cell| *cell = text.map(str::to_owned)).count()
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

    /// Where the rows of [`Self::written`] came from.
    #[must_use]
    pub fn origins(&self, form: SheetForm) -> Origins {
        // The first line of CSV names the columns; a table of TOML has one line before its keys and one behind.
        let (mut line, around) = match form {
            SheetForm::Csv => (2, 1),
            SheetForm::Toml => (1, 2),
        };
        let rows = self.rows.iter().map(|row| {
            let begins = line;
            let cells = || row.cells.iter().flatten();
            line += around + if form == SheetForm::Toml { cells().count() } else { 0 };
            line += cells().map(|cell| cell.bytes().filter(|byte| *byte == b'\n').count()).sum::<usize>();
            (begins, row.origin.clone())
        });
        Origins { list: self.list, rows: rows.collect() }
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
            for (column, cell) in self.list.columns().iter().zip(&row.cells) {
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
            |place: usize| place == 0 || self.rows.iter().any(|row| row.cells.get(place).is_some_and(Option::is_some));
        let used: Vec<usize> = (0..columns.len()).filter(|place| is_used(*place)).collect();
        let mut writer = csv::WriterBuilder::new().comment(Some(b'#')).from_writer(Vec::new());
        let header = used.iter().filter_map(|place| columns.get(*place).copied());
        let mut fine = writer.write_record(header).is_ok();
        for row in &self.rows {
            let cells = used.iter().map(|place| row.cells.get(*place).and_then(Option::as_deref).unwrap_or_default());
            fine &= writer.write_record(cells).is_ok();
        }
        // Memory takes whatever is written.
        let bytes = writer.into_inner().ok().filter(|_| fine).unwrap_or_default();
        String::from_utf8(bytes).unwrap_or_default()
    }
}
