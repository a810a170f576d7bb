//! Which row of the lists says how a terminal or a merchant stands, for the person who is to change it. The registry does
//! not remember: the files are looked at again.

use super::config;
use super::text_file;
use crate::model::MerchantId;
use crate::model::Subject;
use crate::model::TerminalId;
use crate::model::Timestamp;
use crate::registry::Breaches;
use crate::registry::List;
use crate::registry::Source;
use std::path::Path;
use std::path::PathBuf;

/// How many templates may stand behind one another.
const DEEP: usize = 16;

/// Where it is said.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Saying {
    /// Of a template or a group, which.
    pub(super) whose: Option<String>,
    /// The file as the station's file has it, and the line.
    pub(super) place: String,
}

/// A row that is in force.
struct Row {
    file: String,
    list: List,
    from: Option<Timestamp>,
    cells: Vec<Option<(String, usize)>>,
}

impl Row {
    fn says(&self, column: &str) -> Option<&(String, usize)> {
        let place = self.list.columns().iter().position(|name| *name == column)?;
        self.cells.get(place)?.as_ref()
    }

    fn text(&self, column: &str) -> Option<String> {
        self.says(column).map(|(text, _)| text.clone())
    }

    /// If it says how somebody stands.
    fn saying(&self, whose: Option<String>) -> Option<Saying> {
        let (_, line) = self.says("state").or_else(|| self.says("standing"))?;
        Some(Saying { whose, place: format!("{}:{line}", self.file) })
    }
}

/// The files of a station, at an instant.
struct Files {
    folder: PathBuf,
    lists: config::Lists,
    at: Timestamp,
}

impl Files {
    /// The row of this name that is in force.
    fn row(&self, list: List, name: &str) -> Option<Row> {
        let mut found: Option<Row> = None;
        for file in self.lists.of(list) {
            let Ok(text) = text_file::read(&self.folder.join(file)) else { continue };
            let first = list.columns().first().copied().unwrap_or_default();
            // Breaches are told by a reload.
            list.scan(Source { file, text: &text }, &mut Breaches::default(), &mut |row| {
                let from = row.cell("from").and_then(Timestamp::parse);
                let is_it = row.cell(first) == Some(name) && from.is_none_or(|from| from <= self.at);
                if is_it && found.as_ref().is_none_or(|before| before.from <= from) {
                    found = Some(Row { file: file.clone(), list, from, cells: row.all() });
                }
            });
        }
        found
    }

    fn of_terminal(&self, terminal: TerminalId) -> Option<Saying> {
        let row = self.row(List::Terminals, terminal.as_str().trim_end())?;
        if let Some(own) = row.saying(None) {
            return Some(own);
        }
        let (mut group, mut next) = (row.text("group"), row.text("template"));
        for _ in 0..=DEEP {
            let Some(name) = next else { break };
            let template = self.row(List::Templates, &name)?;
            if let Some(said) = template.saying(Some(format!("template {name}"))) {
                return Some(said);
            }
            group = group.or_else(|| template.text("group"));
            next = template.text("inherits");
        }
        let name = group?;
        self.row(List::Groups, &name)?.saying(Some(format!("group {name}")))
    }

    fn of_merchant(&self, merchant: MerchantId) -> Option<Saying> {
        self.row(List::Merchants, merchant.as_str().trim_end())?.saying(None)
    }
}

/// Where the files of the station say it; `None` if they cannot be read, or say nothing.
pub(super) fn find(station: &Path, subject: &Subject, at: Timestamp) -> Option<Saying> {
    let (file, text) = (station.display().to_string(), text_file::read(station).ok()?);
    let known = |name: &str| crate::channel::builtin::profile(name).is_some();
    let config = config::parse(Source { file: &file, text: &text }, &known).ok()?;
    let folder = station.parent().unwrap_or(Path::new("")).to_owned();
    let files = Files { folder, lists: config.lists, at };
    match subject {
        Subject::Terminal(terminal) => files.of_terminal(*terminal),
        Subject::Merchant(merchant) => files.of_merchant(*merchant),
    }
}
