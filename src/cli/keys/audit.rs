//! The audit file of keys: lines that are only ever added, each with the hash of the one before.
//!
//! A line that is changed or taken out breaks the chain. Lines that are cut off at the end do not, so the key file says
//! how far the chain went when it was last written.

use super::Exit;
use super::Failure;
use crate::server::config::KeptKey;
use serde::Deserialize;
use serde::Serialize;
use sha2::Digest;
use sha2::Sha256;
use std::fmt::Write as _;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

/// What stands before the first line.
const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// What a line has behind its own text.
const HASH: &str = ",\"hash\":\"";
/// More is no audit file of keys.
const MOST: u64 = 64 << 20;

/// One line: who did what to which key, when. Nothing secret.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    /// From 1.
    pub(super) number: u64,
    /// UTC.
    pub(super) at: String,
    /// Who says to have done it.
    pub(super) by: String,
    /// The account it was done under.
    pub(super) account: u32,
    /// What.
    pub(super) what: String,
    /// To which key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<String>,
    /// Which generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) generation: Option<u16>,
    /// The check value of the key, or of the component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) check: Option<String>,
    /// What it is for, of a key that was made or taken in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) usage: Option<String>,
    /// Its algorithm, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) algorithm: Option<String>,
    /// Whether it is a test key, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) test: Option<bool>,
    /// The key it travelled under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) under: Option<String>,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refused: Option<String>,
    /// The hash of the line before.
    pub(super) before: String,
}

/// What is to be noted.
#[derive(Clone, Debug, Default)]
pub(super) struct Note {
    pub(super) what: &'static str,
    pub(super) key: Option<String>,
    pub(super) generation: Option<u16>,
    pub(super) check: Option<String>,
    pub(super) usage: Option<String>,
    pub(super) algorithm: Option<String>,
    pub(super) test: Option<bool>,
    pub(super) under: Option<String>,
    pub(super) refused: Option<String>,
}

impl Note {
    /// That a key came to be.
    pub(super) fn of(what: &'static str, key: &KeptKey) -> Self {
        Self {
            what,
            key: Some(key.name.as_str().to_owned()),
            generation: Some(key.generation),
            check: key.check.as_ref().map(ToString::to_string),
            usage: Some(key.usage.word().to_owned()),
            algorithm: Some(key.algorithm.word().to_owned()),
            test: Some(key.test),
            ..Self::default()
        }
    }
}

/// How far the chain goes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Head {
    pub(super) number: u64,
    pub(super) hash: String,
}

/// The file, for this process alone as long as it is open.
pub(super) struct Audit {
    path: PathBuf,
    file: File,
    hashes: Vec<String>,
    /// All of it.
    pub(super) lines: Vec<Line>,
}

/// The audit file of a key file.
pub(super) fn path_of(keys: &Path) -> PathBuf {
    keys.with_extension("audit")
}

fn at(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::Config, format!("{}: {error}", path.display()))
}

fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Into a string nothing fails.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// A line's own text and its hash.
fn split(line: &str) -> Option<(String, &str)> {
    let (text, rest) = line.rsplit_once(HASH)?;
    Some((format!("{text}}}"), rest.strip_suffix("\"}")?))
}

impl Audit {
    /// Opens the file, makes it if it is to be, and checks its chain.
    ///
    /// # Errors
    /// It is not there, another run has it, or it is not as it was written.
    pub(super) fn open(keys: &Path, fresh: bool) -> Result<Self, Failure> {
        let path = path_of(keys);
        let mut options = OpenOptions::new();
        options.read(true).append(true).create_new(fresh).mode(0o600);
        let file = options.open(&path).map_err(|error| at(&path, &error))?;
        if file.try_lock().is_err() {
            return Err(Failure::new(Exit::No, format!("{}: another run has it", path.display())));
        }
        let mut text = String::new();
        (&file).take(MOST).read_to_string(&mut text).map_err(|error| at(&path, &error))?;
        let mut audit = Self { path, file, hashes: Vec::new(), lines: Vec::new() };
        for line in text.lines() {
            let (read, hash) = audit.checked(line).ok_or_else(|| audit.broken())?;
            audit.lines.push(read);
            audit.hashes.push(hash);
        }
        if !text.is_empty() && !text.ends_with('\n') {
            return Err(audit.broken());
        }
        Ok(audit)
    }

    fn broken(&self) -> Failure {
        let line = self.lines.len() + 1;
        let fault = "was changed after it was written: its chain of hashes does not hold";
        Failure::new(Exit::Config, format!("{}:{line}: {fault}", self.path.display()))
    }

    /// The next line, if it is one.
    fn checked(&self, line: &str) -> Option<(Line, String)> {
        let (text, stated) = split(line)?;
        let read: Line = serde_json::from_str(&text).ok()?;
        let Head { number, hash: before } = self.head();
        let holds = read.number == number + 1 && read.before == before && hash(&text) == stated;
        holds.then(|| (read, stated.to_owned()))
    }

    /// How far it goes.
    pub(super) fn head(&self) -> Head {
        let number = u64::try_from(self.hashes.len()).unwrap_or(u64::MAX);
        Head { number, hash: self.hashes.last().map_or(NOTHING, String::as_str).to_owned() }
    }

    /// Whether it went as far as `head` once: where the key file says so, nothing was cut off.
    pub(super) fn reaches(&self, head: &Head) -> bool {
        let place = head.number.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        place.and_then(|place| self.hashes.get(place)).is_some_and(|hash| *hash == head.hash)
    }

    /// Adds a line, which is on disk when this returns.
    ///
    /// # Errors
    /// The operating system's.
    pub(super) fn add(&mut self, by: &str, note: Note) -> Result<(), Failure> {
        let Head { number, hash: before } = self.head();
        let Note { what, key, generation, check, usage, algorithm, test, under, refused } = note;
        let line = Line {
            number: number + 1,
            at: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            by: by.to_owned(),
            account: rustix::process::getuid().as_raw(),
            what: what.to_owned(),
            key,
            generation,
            check,
            usage,
            algorithm,
            test,
            under,
            refused,
            before,
        };
        let text = serde_json::to_string(&line).map_err(|error| Failure::new(Exit::No, error.to_string()))?;
        let hash = hash(&text);
        let written = format!("{}{HASH}{hash}\"}}\n", text.strip_suffix('}').unwrap_or(&text));
        let write = self.file.write_all(written.as_bytes()).and_then(|()| self.file.sync_all());
        write.map_err(|error| at(&self.path, &error))?;
        self.lines.push(line);
        self.hashes.push(hash);
        Ok(())
    }
}
