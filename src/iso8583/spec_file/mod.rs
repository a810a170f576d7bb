//! Reads a dialect file, or says everything that is wrong with it.
//!
//! The format is explained in the manual: [`crate::manual::dialects`].

mod check;
mod element;
mod layers;
mod part;
mod sheet;

pub use crate::model::Breach;

use super::spec::Dialect;
use layers::Layers;
use sheet::Place;
use sheet::Report;
use sheet::Rows;
use sheet::Sheet;
use toml::de::DeTable;

/// No file extends a longer chain than this.
const MAX_CHAIN: usize = 8;

/// Reads the dialect `name` from `text`; `parent` gives the text of a dialect that it extends.
///
/// # Errors
/// All breaches of the file and of the rows it takes over from others, by file (the one it extends first) and line.
pub fn load(name: &str, text: &str, parent: &dyn Fn(&str) -> Option<String>) -> Result<Dialect, Vec<Breach>> {
    let report = Report::default();
    let chain = chain(name, text, parent, &report);
    let dialect = read(&chain, &report);
    let breaches = report.breaches(&chain);
    match dialect {
        Some(dialect) if breaches.is_empty() => Ok(dialect),
        _ if breaches.is_empty() => {
            Err(vec![Breach { file: name.to_owned(), line: 1, what: "the file holds no dialect".to_owned() }])
        }
        _ => Err(breaches),
    }
}

/// The file and those it extends, the outermost ancestor first.
fn chain(name: &str, text: &str, parent: &dyn Fn(&str) -> Option<String>, report: &Report) -> Vec<(String, String)> {
    let mut chain = vec![(name.to_owned(), text.to_owned())];
    let mut complaint = None;
    while let Some((_, text)) = chain.last() {
        let (table, _) = DeTable::parse_recoverable(text);
        let Some(extends) = table.get_ref().get("extends") else { break };
        let offset = extends.span().start;
        let Some(wanted) = extends.get_ref().as_str().map(str::to_owned) else { break };
        let cycle = chain.len() >= MAX_CHAIN || chain.iter().any(|(known, _)| *known == wanted);
        match parent(&wanted) {
            Some(text) if !cycle => chain.push((wanted, text)),
            Some(_) => {
                complaint = Some((offset, format!("`extends = \"{wanted}\"` comes back to itself")));
                break;
            }
            None => {
                complaint = Some((offset, format!("there is no dialect `{wanted}` to extend")));
                break;
            }
        }
    }
    chain.reverse();
    if let Some((offset, what)) = complaint {
        report.say(Place { file: 0, offset }, what);
    }
    chain
}

/// Parses and merges the chain, then compiles and checks what came out.
fn read(chain: &[(String, String)], report: &Report) -> Option<Dialect> {
    let sheets: Vec<Sheet<'_>> =
        chain.iter().enumerate().map(|(file, (_, text))| Sheet { file, text, report }).collect();
    let mut tables = Vec::new();
    for sheet in &sheets {
        let (table, errors) = DeTable::parse_recoverable(sheet.text);
        for error in &errors {
            let place = sheet.place(error.span().map_or(0, |span| span.start));
            report.say(place, error.message().replace('\n', " "));
        }
        tables.push(table.into_inner());
    }
    let rows = sheets.iter().zip(&tables);
    let rows = rows.map(|(sheet, table)| Rows { sheet: *sheet, table, place: sheet.place(0) });
    let layers = Layers::merge(rows)?;
    if let Some((name, _)) = chain.last() {
        layers.expect_name(name);
    }
    check::dialect(&layers)
}

#[cfg(test)]
mod tests;
