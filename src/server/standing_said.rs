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
use std::collections::HashMap;
use std::collections::HashSet;
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

/// For each of some where its row stands, the file as the station's file has it, and the line.
pub(super) type Places = HashMap<Subject, String>;

/// The files of a station, at an instant.
pub(super) struct Files {
    pub(super) folder: PathBuf,
    pub(super) lists: config::Lists,
    pub(super) at: Timestamp,
}

impl Files {
    /// Where the rows of all these stand that are in force, on the line that says how they stand if they say it.
    /// Each list is read once.
    pub(super) fn places(&self, subjects: &[Subject]) -> Places {
        let mut found: HashMap<Subject, (Option<Timestamp>, String)> = HashMap::new();
        for (list, first) in [(List::Terminals, "terminal"), (List::Merchants, "merchant")] {
            let parse = |name: &str| match list {
                List::Terminals => TerminalId::parse(name.as_bytes()).map(Subject::Terminal),
                _ => MerchantId::parse(name.as_bytes()).map(Subject::Merchant),
            };
            let wanted = |subject: &Subject| matches!(subject, Subject::Terminal(_)) == (list == List::Terminals);
            let names: HashSet<Subject> = subjects.iter().copied().filter(wanted).collect();
            if names.is_empty() {
                continue;
            }
            for file in self.lists.of(list) {
                let Ok(text) = text_file::read(&self.folder.join(file)) else { continue };
                list.scan(Source { file, text: &text }, &mut Breaches::default(), &mut |row| {
                    let Some(subject) = row.cell(first).and_then(parse).filter(|subject| names.contains(subject))
                    else {
                        return;
                    };
                    let from = row.cell("from").and_then(Timestamp::parse);
                    let is_due = from.is_none_or(|from| from <= self.at);
                    if is_due && found.get(&subject).is_none_or(|(before, _)| *before <= from) {
                        let column = if row.cell("state").is_some() { "state" } else { "standing" };
                        found.insert(subject, (from, format!("{file}:{}", row.line(column))));
                    }
                });
            }
        }
        found.into_iter().map(|(subject, (_, place))| (subject, place)).collect()
    }

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
    let files = files(station, at)?;
    match subject {
        Subject::Terminal(terminal) => files.of_terminal(*terminal),
        Subject::Merchant(merchant) => files.of_merchant(*merchant),
    }
}

/// Where the rows of all these stand; of none if the station's file cannot be read.
pub(super) fn places(station: &Path, subjects: &[Subject], at: Timestamp) -> Places {
    files(station, at).map(|files| files.places(subjects)).unwrap_or_default()
}

fn files(station: &Path, at: Timestamp) -> Option<Files> {
    let (file, text) = (station.display().to_string(), text_file::read(station).ok()?);
    let known = |name: &str| crate::channel::builtin::profile(name).is_some();
    let config = config::parse(Source { file: &file, text: &text }, &known).ok()?;
    let folder = station.parent().unwrap_or(Path::new("")).to_owned();
    Some(Files { folder, lists: config.lists, at })
}
