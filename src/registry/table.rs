//! Tables that people write: CSV for long lists, TOML for short ones; the same columns in both.
//!
//! Every row of a file is looked at, and every fault is reported with its line.

use super::document::Document;
use crate::model::Breach;
use smallvec::SmallVec;
use std::hint::black_box;
use std::io::Read;
use std::ops::RangeInclusive;
use toml::de::DeArray;

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

    /// All of them, by their lines in these files.
    pub(super) fn in_order(mut self, files: &[Source<'_>]) -> Vec<Breach> {
        let place = |file: &str| files.iter().position(|source| source.file == file);
        self.0.sort_by_key(|breach| (place(&breach.file), breach.line));
        self.0
    }

    /// All of them.
    #[must_use]
    pub fn into_inner(self) -> Vec<Breach> {
        self.0
    }

    /// `value` if there was no fault, else every fault.
    ///
    /// # Errors
    /// All faults, in the order they were found.
    pub fn or<T>(self, value: T) -> Result<T, Vec<Breach>> {
        if self.0.is_empty() { Ok(value) } else { Err(self.0) }
    }
}

/// One value of a row: text, or a list of texts. Numbers and truth values of TOML are text as written.
#[derive(Clone, Copy)]
pub(super) struct Cell<'a> {
    pub(super) value: CellValue<'a>,
    pub(super) line: usize,
}

/// What a cell holds.
#[derive(Clone, Copy)]
pub(super) enum CellValue<'a> {
    /// One value.
    Text(&'a str),
    /// Several, in TOML only.
    List(&'a DeArray<'a>),
}

/// One row: a cell or nothing for each of the table's columns.
pub struct Row<'a, const N: usize> {
    pub(super) file: &'a str,
    pub(super) line: usize,
    columns: &'static [&'static str; N],
    cells: [Option<Cell<'a>>; N],
    /// Where the column was that was looked for last: readers go through a row from left to right.
    last: std::cell::Cell<usize>,
}

impl<'a, const N: usize> Row<'a, N> {
    pub(super) fn new(
        file: &'a str,
        line: usize,
        columns: &'static [&'static str; N],
        cells: [Option<Cell<'a>>; N],
    ) -> Self {
        Self { file, line, columns, cells, last: std::cell::Cell::new(0) }
    }

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

    /// The line on which a column stands, or the row if it says nothing there.
    #[must_use]
    pub fn line_of(&self, column: &str) -> usize {
        self.cell(column).map_or(self.line, |cell| cell.line)
    }

    /// A fault of what the row says in a column, on its line.
    pub fn breach(&self, column: &str, what: impl Into<String>, breaches: &mut Breaches) {
        breaches.add(self.file, self.line_of(column), what);
    }

    fn cell(&self, column: &str) -> Option<Cell<'a>> {
        let from = self.last.get();
        let named = |name: &&str| *name == column;
        let (before, after) = self.columns.split_at_checked(from)?;
        let ahead = after.iter().position(named).map(|index| from + index);
        let index = ahead.or_else(|| before.iter().position(named))?;
        self.last.set(index);
        self.cells.get(index).copied().flatten()
    }

    /// What the row says in each of its columns, and on which line; a list as one text, with `+` between its words.
    pub fn texts(&self) -> impl Iterator<Item = Option<(String, usize)>> {
        self.cells.iter().map(|cell| {
            let cell = cell.as_ref()?;
            let text = match cell.value {
                CellValue::Text(text) => text.to_owned(),
                CellValue::List(list) => {
                    let words: Vec<&str> = list.iter().filter_map(|value| value.get_ref().as_str()).collect();
                    words.join("+")
                }
            };
            Some((text, cell.line))
        })
    }

    /// The text of a column, if the row has one.
    #[must_use]
    pub fn text(&self, column: &str) -> Option<&'a str> {
        match self.cell(column)?.value {
            CellValue::Text(text) => Some(text),
            CellValue::List(_) => None,
        }
    }

    /// Whether the row says anything in this column.
    #[must_use]
    pub fn has(&self, column: &str) -> bool {
        self.cell(column).is_some()
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
        let value = self.text(column).and_then(parse);
        if value.is_none() {
            breaches.add(self.file, cell.line, format!("{column}: is not {form}"));
        }
        value
    }

    /// A whole number within bounds; `default` if the row leaves it out.
    pub fn bounded(
        &self,
        column: &str,
        default: u64,
        within: RangeInclusive<u64>,
        breaches: &mut Breaches,
    ) -> Option<u64> {
        if !self.has(column) {
            return Some(default);
        }
        let form = format!("a whole number from {} to {}", within.start(), within.end());
        self.optional(column, &form, |text| text.parse().ok().filter(|value| within.contains(value)), breaches)
    }

    /// A column with a list of texts; empty if it is left out.
    pub fn list<T>(
        &self,
        column: &str,
        form: &str,
        parse: impl Fn(&'a str) -> Option<T>,
        breaches: &mut Breaches,
    ) -> Vec<T> {
        let Some(cell) = self.cell(column) else { return Vec::new() };
        let CellValue::List(list) = cell.value else {
            breaches.add(self.file, cell.line, format!("{column}: is not a list"));
            return Vec::new();
        };
        let values: Vec<T> = list.iter().filter_map(|value| value.get_ref().as_str().and_then(&parse)).collect();
        if values.len() != list.len() {
            breaches.add(self.file, cell.line, format!("{column}: has a value that is not {form}"));
        }
        values
    }

    /// A column with several words: a list in TOML, or in one text with `+` between them. `None` if it is left out;
    /// the words of what has a breach are none.
    pub fn words(&self, column: &str, form: &str, breaches: &mut Breaches) -> Option<SmallVec<[&'a str; 8]>> {
        let cell = self.cell(column)?;
        let words: Option<SmallVec<_>> = match cell.value {
            CellValue::Text(text) => Some(text.split('+').map(str::trim).collect()),
            CellValue::List(list) => list.iter().map(|value| value.get_ref().as_str()).collect(),
        };
        if words.is_none() {
            breaches.add(self.file, cell.line, format!("{column}: is not {form}"));
        }
        Some(words.unwrap_or_default())
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
        let document = Document::parse(source, breaches);
        document.only(&[table], breaches);
        document.tables(table, columns, breaches, each);
    } else {
        csv_rows(source, columns, breaches, each);
    }
}

/// Whether it could be the name of a column, and nothing secret.
fn is_a_word(name: &str) -> bool {
    (1..=32).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

fn csv_rows<const N: usize>(
    source: Source<'_>,
    columns: &'static [&'static str; N],
    breaches: &mut Breaches,
    mut each: impl FnMut(&Row<'_, N>, &mut Breaches),
) {
    let Source { file, text: whole } = source;
    // A list may hold keys. Empty lines behind the text write over the reader's buffer, and values are trimmed here,
    // for the reader does that in copies.
    let text = whole.as_bytes().chain(std::io::repeat(b'\n').take(BUFFER as u64));
    let mut reader =
        csv::ReaderBuilder::new().comment(Some(b'#')).flexible(true).buffer_capacity(BUFFER).from_reader(text);
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(error) => return breaches.add(file, 1, error.to_string()),
    };
    let line = line_of_record(whole, header.position());
    let names: Vec<&str> = header.iter().map(str::trim).collect();
    for (index, name) in names.iter().enumerate() {
        let place = index + 1;
        match columns.contains(name) {
            false if is_a_word(name) => breaches.add(file, line, format!("unknown column {name:?}")),
            // A list without its first line begins with a row, which may hold keys or card numbers.
            false => breaches.add(file, line, format!("column {place}: no name; the first line names the columns")),
            true if names.iter().take(index).any(|earlier| earlier == name) => {
                breaches.add(file, line, format!("column {name:?} stands twice"));
            }
            true => {}
        }
    }
    let places = columns.map(|column| names.iter().position(|name| *name == column));
    let (mut record, mut longest) = (csv::StringRecord::with_capacity(BUFFER, columns.len()), 0);
    loop {
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => longest = longest.max(record.as_slice().len()),
            Err(error) => {
                let line = line_of_record(whole, error.position());
                breaches.add(file, line, "cannot be read as CSV");
                continue;
            }
        }
        let line = line_of_record(whole, record.position());
        if record.len() != header.len() {
            breaches.add(file, line, format!("{} values for {} columns", record.len(), header.len()));
            continue;
        }
        let cells = places.map(|place| {
            let text = record.get(place?)?.trim();
            (!text.is_empty()).then_some(Cell { value: CellValue::Text(text), line })
        });
        each(&Row::new(file, line, columns, cells), breaches);
    }
    // The rows that were read, too, are written over.
    record.clear();
    record.push_field(&"0".repeat(longest));
    black_box(&record);
}

/// Bytes of the buffers that a list is read through. A longer row makes its own, and leaves a copy behind.
const BUFFER: usize = 8 * 1024;

/// On which line a record begins. The reader's position is that of what stands before it: comments, empty lines, the
/// second half of a line's end.
fn line_of_record(text: &str, position: Option<&csv::Position>) -> usize {
    let Some(position) = position else { return 0 };
    let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    let mut line = number(position.line());
    let mut rest = text.as_bytes().get(number(position.byte())..).unwrap_or_default();
    loop {
        rest = match rest {
            [b'\n', rest @ ..] => {
                line += 1;
                rest
            }
            [b'\r', rest @ ..] => rest,
            // Its end is looked at in the next round.
            [b'#', rest @ ..] => {
                rest.iter().position(|byte| *byte == b'\n').and_then(|end| rest.get(end..)).unwrap_or(&[])
            }
            _ => return line,
        };
    }
}
