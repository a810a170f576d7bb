//! Tables of figures as bytes: CSV and JSON for programs, with exact minor units, and text for people.

use crate::model::Currency;
use serde_json::Map;
use serde_json::Value;
use std::io;
use std::io::Write;

/// One value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Cell {
    /// Words, numbers of things, dates.
    Text(String),
    /// A count.
    Count(u64),
    /// Minor units; negative is owed the other way.
    Money(i128, Currency),
    /// Yes or no.
    Truth(bool),
    /// Nothing to say.
    Nothing,
}

impl Cell {
    /// Words, or nothing.
    #[must_use]
    pub fn of(text: Option<impl ToString>) -> Self {
        text.map_or(Self::Nothing, |text| Self::Text(text.to_string()))
    }

    /// Words.
    #[must_use]
    pub fn text(text: impl ToString) -> Self {
        Self::Text(text.to_string())
    }

    fn csv(&self) -> String {
        match self {
            Self::Text(text) => text.trim_end().to_owned(),
            Self::Count(count) => count.to_string(),
            Self::Money(minor, _) => minor.to_string(),
            Self::Truth(truth) => truth.to_string(),
            Self::Nothing => String::new(),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Text(text) => text.trim_end().into(),
            Self::Count(count) => (*count).into(),
            // What is beyond the numbers of JSON's readers is text, as exact.
            Self::Money(minor, _) => i64::try_from(*minor).map_or_else(|_| minor.to_string().into(), Value::from),
            Self::Truth(truth) => (*truth).into(),
            Self::Nothing => Value::Null,
        }
    }

    fn plain(&self) -> String {
        match self {
            Self::Money(minor, currency) => money(*minor, *currency),
            Self::Count(count) => grouped(*count),
            other => other.csv(),
        }
    }

    fn is_number(&self) -> bool {
        matches!(self, Self::Money(..) | Self::Count(_))
    }
}

/// `1,234.56`, with as many decimals as the currency has.
#[must_use]
pub fn money(minor: i128, currency: Currency) -> String {
    let exponent = usize::from(currency.exponent());
    let unit = 10_u128.pow(u32::from(currency.exponent()));
    let (whole, part) = (minor.unsigned_abs() / unit, minor.unsigned_abs() % unit);
    let sign = if minor < 0 { "-" } else { "" };
    let whole = grouped(whole);
    if exponent == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part:0exponent$}") }
}

/// 1234567 as `1,234,567`.
#[must_use]
pub fn grouped(number: impl Into<u128>) -> String {
    let digits = number.into().to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Rows of figures under names. Columns of money are minor units in CSV and JSON.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Table {
    /// What it is of: the name of its file, and of its schema.
    pub name: &'static str,
    /// The names of its columns.
    pub columns: &'static [&'static str],
    /// As many cells each as there are columns.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty one.
    #[must_use]
    pub fn new(name: &'static str, columns: &'static [&'static str]) -> Self {
        Self { name, columns, rows: Vec::new() }
    }

    /// Comma separated, a line of names first.
    ///
    /// # Errors
    /// The writer's.
    pub fn csv(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut csv = CsvLines::new(out, self.columns)?;
        self.rows.iter().try_for_each(|row| csv.row(row))?;
        csv.finish()
    }

    /// One object: `schema`, what `about` says, and `rows`.
    ///
    /// # Errors
    /// The writer's.
    pub fn json(&self, about: &Map<String, Value>, out: &mut dyn Write) -> io::Result<()> {
        let mut said = Map::new();
        said.insert("schema".to_owned(), format!("tollgate/{}/v1", self.name).into());
        said.extend(about.clone());
        said.insert("rows".to_owned(), self.rows.iter().map(|row| object(self.columns, row)).collect());
        serde_json::to_writer_pretty(&mut *out, &said)?;
        writeln!(out)
    }

    /// Columns side by side, numbers on the right.
    ///
    /// # Errors
    /// The writer's.
    pub fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let plain: Vec<Vec<String>> = self.rows.iter().map(|row| row.iter().map(Cell::plain).collect()).collect();
        let names: Vec<String> = self.columns.iter().map(|name| name.replace('_', " ")).collect();
        let widest = |column: usize| {
            let cells = plain.iter().filter_map(|row| row.get(column));
            cells.chain(names.get(column)).map(|cell| width(cell)).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(widest).collect();
        let right: Vec<bool> = (0..self.columns.len())
            .map(|column| self.rows.iter().any(|row| row.get(column).is_some_and(Cell::is_number)))
            .collect();
        for row in std::iter::once(&names).chain(&plain) {
            let mut line = String::new();
            for ((cell, wide), right) in row.iter().zip(&widths).zip(&right) {
                let fill = " ".repeat(wide.saturating_sub(width(cell)));
                let (before, after) = if *right { (fill.as_str(), "") } else { ("", fill.as_str()) };
                line.push_str(before);
                line.push_str(cell);
                line.push_str(after);
                line.push_str("  ");
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Columns on a screen: characters beyond Latin take two.
fn width(text: &str) -> usize {
    text.chars().map(|letter| if u32::from(letter) >= 0x1100 { 2 } else { 1 }).sum()
}

fn object(columns: &[&str], row: &[Cell]) -> Value {
    columns.iter().zip(row).map(|(name, cell)| ((*name).to_owned(), cell.json())).collect()
}

/// What went wrong beneath: a reader that went away must be known as one.
#[must_use]
pub fn cause(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// CSV, row by row.
pub struct CsvLines<W: Write>(csv::Writer<W>);

impl<W: Write> CsvLines<W> {
    /// Writes the line of names.
    ///
    /// # Errors
    /// The writer's.
    pub fn new(out: W, columns: &[&str]) -> io::Result<Self> {
        let mut csv = csv::Writer::from_writer(out);
        csv.write_record(columns).map_err(cause)?;
        Ok(Self(csv))
    }

    /// Writes a row.
    ///
    /// # Errors
    /// The writer's.
    pub fn row(&mut self, row: &[Cell]) -> io::Result<()> {
        self.0.write_record(row.iter().map(Cell::csv)).map_err(cause)
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// The writer's.
    pub fn finish(mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// One JSON object for a row, and the end of its line.
///
/// # Errors
/// The writer's.
pub fn json_line(columns: &[&str], row: &[Cell], out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &object(columns, row))?;
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that went away.
    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_known_as_one() {
        let row = [Cell::text("a".repeat(1 << 16))];
        let mut lines = CsvLines::new(Gone, &["a"]).unwrap();
        assert_eq!(lines.row(&row).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        let table = Table { rows: vec![row.to_vec()], ..Table::new("a", &["a"]) };
        assert_eq!(table.csv(&mut Gone).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(table.json(&Map::new(), &mut Gone).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(table.text(&mut Gone).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn thousands_are_told_apart() {
        assert_eq!([0_u64, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
