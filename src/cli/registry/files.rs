//! The files of a station that have its lists.

use super::super::{Exit, Failure};
use crate::channel;
use crate::model::Breach;
use crate::model::Clock;
use crate::model::Timestamp;
use crate::registry::Diff;
use crate::registry::List;
use crate::registry::Origins;
use crate::registry::Sheet;
use crate::registry::SheetForm;
use crate::registry::Source;
use crate::server::SystemClock;
use crate::server::config;
use crate::server::config::{Config, Loaded, Look};
use crate::server::control::signed as signed_by;
use crate::server::private_file;
use crate::server::text_file;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::fs;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

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

fn no_text(breach: Breach) -> Failure {
    Failure::new(Exit::Config, breach.to_string())
}

pub(super) fn refused(what: &str, breaches: &[Breach]) -> Failure {
    let lines: Vec<String> = breaches.iter().map(Breach::to_string).collect();
    Failure::new(Exit::Config, format!("{what}\n{}", lines.join("\n")))
}

impl Files {
    pub(super) fn open(path: PathBuf) -> Result<Self, Failure> {
        let text = text_file::read(&path).map_err(no_text)?;
        let file = path.display().to_string();
        let config = config::parse(Source { file: &file, text: &text }, &known)
            .map_err(|breaches| refused(&format!("{file} cannot be used"), &breaches))?;
        Ok(Self { path, config, at: SystemClock::start().wall() })
    }

    /// Everything, as the files are.
    pub(super) fn loaded(&self) -> Result<Loaded, Failure> {
        self.look(HashMap::new())
            .map_err(|breaches| refused(&format!("{} cannot be used", self.path.display()), &breaches))
    }

    fn look(&self, instead: HashMap<PathBuf, String>) -> Result<Loaded, Vec<Breach>> {
        config::load_as(&self.path, &known, &Look { at: self.at, instead })
    }

    /// Everything, as it would be with these files; breaches are told of the files that their rows came from.
    fn would_be(&self, files: &[Written]) -> Result<Loaded, Failure> {
        let instead = files.iter().map(|file| (file.path.clone(), file.text.clone())).collect();
        self.look(instead).map_err(|mut breaches| {
            for breach in &mut breaches {
                let file = files.iter().find(|file| file.path.display().to_string() == breach.file);
                if let Some(told) = file.and_then(|file| file.origins.of(breach)) {
                    *breach = told;
                }
            }
            refused("nothing was written: the files would not be in order", &breaches)
        })
    }

    /// The files of a list, as the station's file has them.
    pub(super) fn paths(&self, list: List) -> Vec<PathBuf> {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        self.config.lists.of(list).iter().map(|name| folder.join(name)).collect()
    }

    /// Keeps other runs from the folders of all lists while this one reads, changes and writes: of two that change one
    /// file at once, the second begins with what the first wrote.
    ///
    /// # Errors
    /// A folder cannot be opened, or another run has it for too long.
    pub(super) fn lock(&self) -> Result<Vec<File>, Failure> {
        let paths = List::ALL.into_iter().flat_map(|list| self.paths(list)).chain([self.path.clone()]);
        let mut folders = BTreeSet::new();
        for path in paths {
            let real = fs::canonicalize(&path).map_err(|error| unreadable(&path, &error))?;
            folders.extend(real.parent().map(Path::to_owned));
        }
        let until = Instant::now() + PATIENCE;
        // In one order: no two runs wait for each other.
        folders.iter().map(|folder| locked(folder, until)).collect()
    }

    /// The rows of a list, of all its files.
    pub(super) fn sheet(&self, list: List) -> Result<Sheet, Failure> {
        let mut all = Sheet::new(list);
        for path in self.paths(list) {
            all.append(sheet(list, &path)?);
        }
        Ok(all)
    }

    /// Replaces files if everything is in order with them, and notes who did it and why; only looks if it is a rehearsal.
    /// What differs.
    pub(super) fn replace(
        &self,
        files: &[Written],
        signed: &Signed,
        what: &str,
        is_rehearsal: bool,
    ) -> Result<Diff, Failure> {
        signed_by(&signed.actor, &signed.reason).map_err(|why| Failure::new(Exit::Usage, why))?;
        let old = self.loaded()?.registry;
        let new = self.would_be(files)?.registry;
        let risen = old.risen(&new);
        if !risen.is_empty() {
            let mut lines: Vec<String> = risen.iter().take(RISEN).map(|(_, what)| what.clone()).collect();
            lines
                .extend(risen.len().checked_sub(RISEN).filter(|more| *more > 0).map(|more| format!("and {more} more")));
            return Err(Failure::new(Exit::Config, format!("nothing was written: {}", lines.join("\n"))));
        }
        let diff = old.diff(&new, 1_000);
        if !is_rehearsal {
            // The reason comes first: a change without one would be worse than a reason without a change.
            for file in files {
                self.note(&self.line(file, signed, what, &diff)?)?;
            }
            files.iter().try_for_each(put)?;
        }
        Ok(diff)
    }

    /// What is kept of a change of a file.
    fn line(&self, file: &Written, signed: &Signed, what: &str, diff: &Diff) -> Result<String, Failure> {
        let Written { path, text, .. } = file;
        let before = fs::read(path).map_err(|error| unreadable(path, &error))?;
        let hash = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let Signed { actor, reason } = signed;
        let line = json!({ "at": self.at.to_string(), "actor": actor, "reason": reason, "what": what,
            "file": path.display().to_string(), "before": hash(&before), "after": hash(text.as_bytes()),
            "summary": diff.summary(), "rows": diff.rows });
        Ok(format!("{line}\n"))
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

/// Of those who would rise again, how many are told.
const RISEN: usize = 100;
/// How long a run waits for another one that changes the lists.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(20);

fn locked(folder: &Path, until: Instant) -> Result<File, Failure> {
    let file = File::open(folder).map_err(|error| unreadable(folder, &error))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(unreadable(folder, &error)),
            Err(TryLockError::WouldBlock) if Instant::now() >= until => {
                let what = format!("nothing was written: {}: another run changes the lists here", folder.display());
                return Err(Failure::new(Exit::No, what));
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOOK),
        }
    }
}

/// Puts a file in the old one's place, for those who could read that. Of a link it is the place where it leads.
fn put(file: &Written) -> Result<(), Failure> {
    let Written { path, text, .. } = file;
    let real = fs::canonicalize(path).map_err(|error| unreadable(path, &error))?;
    let mode = fs::metadata(&real).map_err(|error| unreadable(path, &error))?.permissions();
    private_file::replace(&real, text.as_bytes())
        .and_then(|()| fs::set_permissions(&real, mode))
        .map_err(|error| unreadable(path, &error))
}

/// The rows of one file.
pub(super) fn sheet(list: List, path: &Path) -> Result<Sheet, Failure> {
    let text = text_file::read(path).map_err(no_text)?;
    let file = path.display().to_string();
    Sheet::read(list, Source { file: &file, text: &text })
        .map_err(|breaches| refused(&format!("{file} cannot be read"), &breaches))
}

/// A file as it will be.
pub(super) struct Written {
    pub(super) path: PathBuf,
    text: String,
    origins: Origins,
}

/// The rows as a file like that one: its form, with the comment at its head.
pub(super) fn written_like(path: &Path, sheet: &Sheet) -> Result<Written, Failure> {
    let text = text_file::read(path).map_err(no_text)?;
    let head: String = text.lines().take_while(|line| line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    let form = SheetForm::of(&path.display().to_string());
    let origins = sheet.origins(form).below(head.lines().count());
    Ok(Written { path: path.to_owned(), text: head + &sheet.written(form), origins })
}
