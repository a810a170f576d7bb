//! Tables that people write: CSV for long lists, TOML for short ones; the same columns in both.
//!
//! Every row of a file is looked at, and every fault is reported with its line.

use crate::model::Breach;
use crate::model::line_of;
use toml::de::{DeTable, DeValue};

/// A file's name, for reports, and its text. A name that ends in `.toml` is TOML, any other is CSV.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The name that breaches carry.
    pub file: &'a str,
    /// The whole text.
    pub text: &'a str,
}

/// Faults found so far.
#[derive(Debug, Default)]
pub struct Breaches(Vec<Breach>);

impl Breaches {
    /// Notes one.
    pub fn add(&mut self, file: &str, line: usize, what: impl Into<String>) {
        self.0.push(Breach::new(file, line, what));
    }

    /// Takes over another loader's.
    pub fn extend(&mut self, others: impl IntoIterator<Item = Breach>) {
        self.0.extend(others);
    }

    /// `value` if there was no fault, else every fault.
    ///
    /// # Errors
    /// All faults, in the order they were found.
    pub fn or<T>(self, value: T) -> Result<T, Vec<Breach>> {
        if self.0.is_empty() { Ok(value) } else { Err(self.0) }
    }
}

/// One value of a row as text; numbers and truth values of TOML as they are written.
#[derive(Clone, Copy)]
pub struct Cell<'a> {
    text: &'a str,
    line: usize,
}

/// One row: a cell or nothing for each of the table's columns.
pub struct Row<'a, const N: usize> {
    file: &'a str,
    line: usize,
    columns: &'static [&'static str; N],
    cells: [Option<Cell<'a>>; N],
}

impl<'a, const N: usize> Row<'a, N> {
    /// The line on which the row starts.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The file it stands in.
    #[must_use]
    pub fn file(&self) -> &'a str {
        self.file
    }

    fn cell(&self, column: &str) -> Option<Cell<'a>> {
        let index = self.columns.iter().position(|name| *name == column)?;
        self.cells.get(index).copied().flatten()
    }

    /// The text of a column, if the row has one.
    #[must_use]
    pub fn text(&self, column: &str) -> Option<&'a str> {
        self.cell(column).map(|cell| cell.text)
    }

    /// A column that may be left out. `form` says in words what `parse` accepts.
    pub fn optional<T>(
        &self,
        column: &str,
        form: &str,
        parse: impl FnOnce(&'a str) -> Option<T>,
        breaches: &mut Breaches,
    ) -> Option<T> {
        let cell = self.cell(column)?;
        let value = parse(cell.text);
        if value.is_none() {
            breaches.add(self.file, cell.line, format!("{column}: is not {form}"));
        }
        value
    }

    /// A column that must be there.
    pub fn required<T>(
        &self,
        column: &str,
        form: &str,
        parse: impl FnOnce(&'a str) -> Option<T>,
        breaches: &mut Breaches,
    ) -> Option<T> {
        if self.cell(column).is_none() {
            breaches.add(self.file, self.line, format!("{column}: is missing"));
        }
        self.optional(column, form, parse, breaches)
    }
}

/// Reads every row of `source` and hands it to `each`. `table` names the TOML array of tables
/// (`[[terminal]]`); `columns` are all that a row may have.
pub fn rows<const N: usize>(
    source: Source<'_>,
    table: &str,
    columns: &'static [&'static str; N],
    breaches: &mut Breaches,
    each: impl FnMut(&Row<'_, N>, &mut Breaches),
) {
    if source.file.ends_with(".toml") {
        toml_rows(source, table, columns, breaches, each);
    } else {
        csv_rows(source, columns, breaches, each);
    }
}

fn csv_rows<const N: usize>(
    source: Source<'_>,
    columns: &'static [&'static str; N],
    breaches: &mut Breaches,
    mut each: impl FnMut(&Row<'_, N>, &mut Breaches),
) {
    let Source { file, text } = source;
    let mut reader =
        csv::ReaderBuilder::new().comment(Some(b'#')).trim(csv::Trim::All).flexible(true).from_reader(text.as_bytes());
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(error) => return breaches.add(file, 1, error.to_string()),
    };
    let line = header.position().map_or(1, |position| line_number(position.line()));
    for (index, name) in header.iter().enumerate() {
        if !columns.contains(&name) {
            breaches.add(file, line, format!("unknown column {name:?}"));
        }
        if header.iter().take(index).any(|earlier| earlier == name) {
            breaches.add(file, line, format!("column {name:?} stands twice"));
        }
    }
    let places = columns.map(|column| header.iter().position(|name| name == column));
    let mut record = csv::StringRecord::new();
    loop {
        match reader.read_record(&mut record) {
            Ok(false) => return,
            Ok(true) => {}
            Err(error) => {
                let line = error.position().map_or(0, |position| line_number(position.line()));
                breaches.add(file, line, "cannot be read as CSV");
                continue;
            }
        }
        let line = record.position().map_or(0, |position| line_number(position.line()));
        if record.len() != header.len() {
            breaches.add(file, line, format!("{} values for {} columns", record.len(), header.len()));
            continue;
        }
        let cells = places.map(|place| {
            let text = record.get(place?)?;
            (!text.is_empty()).then_some(Cell { text, line })
        });
        each(&Row { file, line, columns, cells }, breaches);
    }
}

fn line_number(line: u64) -> usize {
    usize::try_from(line).unwrap_or(usize::MAX)
}

fn toml_rows<const N: usize>(
    source: Source<'_>,
    table: &str,
    columns: &'static [&'static str; N],
    breaches: &mut Breaches,
    mut each: impl FnMut(&Row<'_, N>, &mut Breaches),
) {
    let Source { file, text } = source;
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let line = error.span().map_or(0, |span| line_of(text, span.start));
        breaches.add(file, line, error.message());
    }
    for (key, value) in document.get_ref() {
        let line = line_of(text, key.span().start);
        if key.get_ref() != table {
            breaches.add(file, line, format!("unknown key {:?}", key.get_ref()));
            continue;
        }
        let Some(entries) = value.get_ref().as_array() else {
            breaches.add(file, line, format!("write [[{table}]] for each row"));
            continue;
        };
        for entry in entries.iter() {
            let line = line_of(text, entry.span().start);
            match entry.get_ref().as_table() {
                Some(entry) => each(&toml_row(source, line, columns, entry, breaches), breaches),
                None => breaches.add(file, line, format!("write [[{table}]] for each row")),
            }
        }
    }
}

fn toml_row<'a, const N: usize>(
    source: Source<'a>,
    line: usize,
    columns: &'static [&'static str; N],
    entry: &'a DeTable<'a>,
    breaches: &mut Breaches,
) -> Row<'a, N> {
    let mut cells = [None; N];
    for (key, value) in entry {
        let line = line_of(source.text, key.span().start);
        let text = match value.get_ref() {
            DeValue::String(text) => Some(text.as_ref()),
            DeValue::Integer(number) => Some(number.as_str()),
            DeValue::Boolean(truth) => Some(if *truth { "true" } else { "false" }),
            _ => None,
        };
        let place = columns.iter().position(|name| *name == key.get_ref().as_ref());
        match (place.and_then(|place| cells.get_mut(place)), text) {
            (None, _) => breaches.add(source.file, line, format!("unknown key {:?}", key.get_ref())),
            (Some(_), None) => {
                breaches.add(
                    source.file,
                    line,
                    format!("{}: is not text, a whole number or a truth value", key.get_ref()),
                );
            }
            (Some(cell), Some(text)) => *cell = Some(Cell { text, line }),
        }
    }
    Row { file: source.file, line, columns, cells }
}
