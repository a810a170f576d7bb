//! The files of a station that have its lists.

use super::super::{Exit, Failure};
use crate::channel;
use crate::model::Breach;
use crate::model::Clock;
use crate::model::Timestamp;
use crate::registry::Diff;
use crate::registry::List;
use crate::registry::Sheet;
use crate::registry::SheetForm;
use crate::registry::Source;
use crate::server::SystemClock;
use crate::server::config;
use crate::server::config::{Config, Loaded, Look};
use crate::server::control::signed as signed_by;
use crate::server::private_file;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;
use std::collections::HashMap;
use std::fs;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

/// A station's file, read, and the instant at which its lists are looked at.
pub(super) struct Files {
    path: PathBuf,
    config: Config,
    at: Timestamp,
}

/// Who changes something, and why.
#[derive(clap::Args, Debug)]
pub(super) struct Signed {
    /// Who says so; kept beside the station's file
    #[arg(long)]
    pub(super) actor: String,
    /// Why; kept beside the station's file
    #[arg(long)]
    pub(super) reason: String,
}

fn known(name: &str) -> bool {
    channel::builtin::profile(name).is_some()
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::Config, format!("{}: {error}", path.display()))
}

pub(super) fn refused(what: &str, breaches: &[Breach]) -> Failure {
    let lines: Vec<String> = breaches.iter().map(Breach::to_string).collect();
    Failure::new(Exit::Config, format!("{what}\n{}", lines.join("\n")))
}

impl Files {
    pub(super) fn open(path: PathBuf) -> Result<Self, Failure> {
        let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
        let file = path.display().to_string();
        let config = config::parse(Source { file: &file, text: &text }, &known)
            .map_err(|breaches| refused(&format!("{file} cannot be used"), &breaches))?;
        Ok(Self { path, config, at: SystemClock::start().wall() })
    }

    /// Everything, with these texts instead of files.
    pub(super) fn loaded(&self, instead: HashMap<PathBuf, String>) -> Result<Loaded, Failure> {
        let what = match instead.is_empty() {
            true => format!("{} cannot be used", self.path.display()),
            false => "nothing was written: the files would not be in order".to_owned(),
        };
        config::load_as(&self.path, &known, &Look { at: self.at, instead })
            .map_err(|breaches| refused(&what, &breaches))
    }

    /// The files of a list, as the station's file has them.
    pub(super) fn paths(&self, list: List) -> Vec<PathBuf> {
        let lists = &self.config.lists;
        let names = match list {
            List::Merchants => &lists.merchants,
            List::Terminals => &lists.terminals,
            List::Devices => &lists.devices,
            List::Templates => &lists.templates,
            List::Groups => &lists.groups,
            List::Regions => &lists.regions,
        };
        let folder = self.path.parent().unwrap_or(Path::new(""));
        names.iter().map(|name| folder.join(name)).collect()
    }

    /// The rows of a list, of all its files.
    pub(super) fn sheet(&self, list: List) -> Result<Sheet, Failure> {
        let mut all = Sheet::new(list);
        for path in self.paths(list) {
            all.append(sheet(list, &path)?);
        }
        Ok(all)
    }

    /// Replaces files by texts if everything is in order with them, and notes who did it and why; only looks if it is a
    /// rehearsal. What differs.
    pub(super) fn replace(
        &self,
        (path, text): (&Path, String),
        signed: &Signed,
        what: &str,
        is_rehearsal: bool,
    ) -> Result<Diff, Failure> {
        signed_by(&signed.actor, &signed.reason).map_err(|why| Failure::new(Exit::Usage, why))?;
        let before = fs::read(path).map_err(|error| unreadable(path, &error))?;
        let old = self.loaded(HashMap::new())?.registry;
        let new = self.loaded(HashMap::from([(path.to_owned(), text.clone())]))?.registry;
        if let Some(what) = old.risen(&new) {
            return Err(Failure::new(Exit::Config, format!("nothing was written: {what}")));
        }
        let diff = old.diff(&new, 1_000);
        if !is_rehearsal {
            // The reason comes first: a change without one would be worse than a reason without a change.
            let hash =
                |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            let Signed { actor, reason } = signed;
            let line = json!({ "at": self.at.to_string(), "actor": actor, "reason": reason, "what": what,
                "file": path.display().to_string(), "before": hash(&before), "after": hash(text.as_bytes()),
                "summary": diff.summary(), "rows": diff.rows });
            self.note(&format!("{line}\n"))?;
            let mode = fs::metadata(path).map_err(|error| unreadable(path, &error))?.permissions();
            private_file::replace(path, text.as_bytes())
                .and_then(|()| fs::set_permissions(path, mode))
                .map_err(|error| unreadable(path, &error))?;
        }
        Ok(diff)
    }

    fn note(&self, line: &str) -> Result<(), Failure> {
        let mut name = self.path.clone().into_os_string();
        name.push(".changes.jsonl");
        let path = PathBuf::from(name);
        let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(&path);
        let written = opened.and_then(|mut file| file.write_all(line.as_bytes()).and_then(|()| file.sync_all()));
        written.map_err(|error| unreadable(&path, &error))
    }
}

/// The rows of one file.
pub(super) fn sheet(list: List, path: &Path) -> Result<Sheet, Failure> {
    let text = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    let file = path.display().to_string();
    Sheet::read(list, Source { file: &file, text: &text })
        .map_err(|breaches| refused(&format!("{file} cannot be read"), &breaches))
}

/// The rows as a file like that one: its form, with the comment at its head.
pub(super) fn written_like(path: &Path, sheet: &Sheet) -> Result<String, Failure> {
    let text = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    let head: String = text.lines().take_while(|line| line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    Ok(head + &sheet.written(SheetForm::of(&path.display().to_string())))
}
