//! A TOML file as tables of plain values, read so that every fault has its line.

use super::table::{Breaches, Cell, CellValue, Row, Source};
use toml::de::{DeTable, DeValue};

/// A parsed TOML file. What could not be parsed is already among the breaches.
pub struct Document<'a> {
    source: Source<'a>,
    root: DeTable<'a>,
    /// Where lines end.
    ends: Vec<usize>,
}

impl<'a> Document<'a> {
    /// Parses `source`; every syntax fault is a breach, and what is readable is kept.
    #[must_use]
    pub fn parse(source: Source<'a>, breaches: &mut Breaches) -> Self {
        let (root, errors) = DeTable::parse_recoverable(source.text);
        let ends = source.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(place, _)| place).collect();
        let document = Self { source, root: root.into_inner(), ends };
        for error in errors {
            let line = error.span().map_or(0, |span| document.line_of(span.start));
            breaches.add(source.file, line, error.message());
        }
        document
    }

    /// The line, counted from 1, in which this byte stands.
    fn line_of(&self, offset: usize) -> usize {
        1 + self.ends.partition_point(|end| *end < offset)
    }

    /// Reports every top-level key that is not one of `names`.
    pub fn only(&self, names: &[&str], breaches: &mut Breaches) {
        for key in self.root.keys().filter(|key| !names.contains(&key.get_ref().as_ref())) {
            let line = self.line_of(key.span().start);
            breaches.add(self.source.file, line, format!("unknown key {:?}", key.get_ref()));
        }
    }

    /// The table `[name]`; a row without cells, on line 1, if the file has none.
    pub fn table<const N: usize>(
        &self,
        name: &str,
        columns: &'static [&'static str; N],
        breaches: &mut Breaches,
    ) -> Row<'_, N> {
        let Some((key, value)) = self.root.get_key_value(name) else {
            return Row::new(self.source.file, 1, columns, [None; N]);
        };
        let line = self.line_of(key.span().start);
        match value.get_ref().as_table() {
            Some(table) => self.row(line, columns, table, breaches),
            None => {
                breaches.add(self.source.file, line, format!("write [{name}]"));
                Row::new(self.source.file, line, columns, [None; N])
            }
        }
    }

    /// The keys outside all tables, as a row on line 1. Tables beside them are left to [`Self::only`].
    pub fn top<const N: usize>(&self, columns: &'static [&'static str; N]) -> Row<'_, N> {
        let cells = columns.map(|column| {
            let (key, value) = self.root.get_key_value(column)?;
            Some(Cell { value: cell_value(value.get_ref())?, line: self.line_of(key.span().start) })
        });
        Row::new(self.source.file, 1, columns, cells)
    }

    /// Every table `[[name]]`.
    pub fn tables<const N: usize>(
        &self,
        name: &str,
        columns: &'static [&'static str; N],
        breaches: &mut Breaches,
        mut each: impl FnMut(&Row<'_, N>, &mut Breaches),
    ) {
        let Some((key, value)) = self.root.get_key_value(name) else { return };
        let Some(entries) = value.get_ref().as_array() else {
            let line = self.line_of(key.span().start);
            return breaches.add(self.source.file, line, format!("write [[{name}]] for each row"));
        };
        for entry in entries.iter() {
            let line = self.line_of(entry.span().start);
            match entry.get_ref().as_table() {
                Some(table) => each(&self.row(line, columns, table, breaches), breaches),
                None => breaches.add(self.source.file, line, format!("write [[{name}]] for each row")),
            }
        }
    }

    fn row<'b, const N: usize>(
        &'b self,
        line: usize,
        columns: &'static [&'static str; N],
        table: &'b DeTable<'b>,
        breaches: &mut Breaches,
    ) -> Row<'b, N> {
        let mut cells = [None; N];
        for (key, value) in table {
            let line = self.line_of(key.span().start);
            let name = key.get_ref().as_ref();
            let value = cell_value(value.get_ref());
            let place = columns.iter().position(|column| *column == name);
            match (place.and_then(|place| cells.get_mut(place)), value) {
                (None, _) => breaches.add(self.source.file, line, format!("unknown key {name:?}")),
                (Some(_), None) => {
                    breaches.add(self.source.file, line, format!("{name}: is not text, a whole number or a list"));
                }
                (Some(cell), Some(value)) => *cell = Some(Cell { value, line }),
            }
        }
        Row::new(self.source.file, line, columns, cells)
    }
}

fn cell_value<'a>(value: &'a DeValue<'_>) -> Option<CellValue<'a>> {
    match value {
        DeValue::String(text) => Some(CellValue::Text(text)),
        DeValue::Integer(number) => Some(CellValue::Text(number.as_str())),
        DeValue::Boolean(truth) => Some(CellValue::Text(if *truth { "true" } else { "false" })),
        DeValue::Array(list) => Some(CellValue::List(list)),
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}
