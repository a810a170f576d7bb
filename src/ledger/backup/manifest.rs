//! What a backup says of itself.

use super::BackupFault;
use super::MANIFEST;
use super::SUMS;
use super::copy;
use super::copy::hex;
use crate::ledger::journal::Disk;
use crate::ledger::journal::Head;
use crate::ledger::journal::JournalId;
use crate::ledger::journal::layout;
use crate::ledger::verify::Report;
use crate::model::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use sha2::Digest;
use sha2::Sha256;

/// Most bytes of a manifest or a list of sums.
const MOST: usize = 64 << 20;
/// The version of the manifest.
const FORMAT: u32 = 1;

/// One file of a backup.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct FileEntry {
    /// Its name in the folder.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256, hex.
    pub sha256: String,
}

/// The last group of a backup.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct HeadEntry {
    /// Its number.
    pub group: u64,
    /// Its hash, hex.
    pub sha256: String,
}

/// How many transactions stand so, and for how much.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct TotalEntry {
    /// Business date.
    pub date: String,
    /// Of terminals that never settle.
    pub test_mode: bool,
    /// DE 49.
    pub currency: String,
    /// approved, declined, reversed, ..
    pub standing: String,
    /// Transactions.
    pub count: u64,
    /// Minor units, in decimal digits.
    pub amount: String,
}

/// `manifest.json` of a backup.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this list.
    pub format: u32,
    /// When it was made, RFC 3339 UTC.
    pub made: String,
    /// The journal's id, hex.
    pub journal: String,
    /// Its last group.
    pub head: HeadEntry,
    /// Its files but for this one and the check sums.
    pub files: Vec<FileEntry>,
    /// Transactions by business date and standing.
    pub totals: Vec<TotalEntry>,
    /// How many promises the ledger had broken when it was copied: 0, unless something is wrong.
    pub violations: u64,
}

impl Manifest {
    pub(super) fn new(made: Timestamp, id: JournalId, head: Head, files: Vec<FileEntry>, report: &Report) -> Self {
        let totals = report.totals.0.iter().map(|(line, sum)| TotalEntry {
            date: line.date.to_string(),
            test_mode: line.test_mode,
            currency: line.currency.to_string(),
            standing: line.standing.to_owned(),
            count: sum.count,
            amount: sum.amount.to_string(),
        });
        Self {
            format: FORMAT,
            made: made.to_string(),
            journal: hex(&id.0),
            head: HeadEntry { group: head.number, sha256: hex(&head.hash) },
            files,
            totals: totals.collect(),
            violations: report.counts.violations,
        }
    }

    /// Writes it, and last of all the check sums.
    pub(super) fn write<T: Disk>(&self, to: &mut T) -> Result<(), BackupFault> {
        let text = serde_json::to_string_pretty(self).map_err(|fault| BackupFault::Unproved(fault.to_string()))?;
        let itself = copy::write(to, MANIFEST, (text + "\n").as_bytes())?;
        copy::write(to, SUMS, sums(self.files.iter().chain([&itself])).concat().as_bytes())?;
        to.sync_folder().map_err(|error| BackupFault::Io(to.folder(), error))
    }

    /// Reads it and checks it against the list of sums, and that its names are names of files in this folder.
    pub(super) fn read<D: Disk>(from: &mut D) -> Result<Self, BackupFault> {
        let text = part(from, MANIFEST)?;
        let listed = part(from, SUMS)?;
        let here = format!("{}/{MANIFEST}", from.folder());
        let mut listed: Vec<String> =
            listed.split_inclusive(|byte| *byte == b'\n').map(|line| String::from_utf8_lossy(line).into()).collect();
        listed.sort();
        let sha256 = hex(&Sha256::digest(&text));
        let itself = FileEntry { name: MANIFEST.to_owned(), bytes: layout::offset(text.len()), sha256 };
        if !sums([&itself]).iter().all(|sum| listed.contains(sum)) {
            return Err(BackupFault::Changed(here));
        }
        let read: Self = serde_json::from_slice(&text)
            .map_err(|fault| BackupFault::Incomplete(format!("{here}: line {}: not a manifest", fault.line())))?;
        if read.format != FORMAT {
            return Err(BackupFault::Incomplete(format!("{here}: of a format that this release does not know")));
        }
        if read.files.iter().any(|file| !is_plain(&file.name)) {
            return Err(BackupFault::Incomplete(format!("{here}: names what is no file of a ledger")));
        }
        let mut due = sums(read.files.iter().chain([&itself]));
        due.sort();
        if due != listed {
            return Err(BackupFault::Changed(format!("{}/{SUMS}", from.folder())));
        }
        Ok(read)
    }

    /// Its last group.
    pub(super) fn head(&self) -> Result<Head, BackupFault> {
        let hash = bytes(&self.head.sha256)?;
        Ok(Head { number: self.head.group, hash })
    }

    /// The journal's id.
    pub(super) fn journal(&self) -> Result<JournalId, BackupFault> {
        bytes(&self.journal).map(JournalId)
    }
}

/// The lines of the list of check sums.
fn sums<'a>(files: impl IntoIterator<Item = &'a FileEntry>) -> Vec<String> {
    files.into_iter().map(|file| format!("{}  {}\n", file.sha256, file.name)).collect()
}

fn part<D: Disk>(from: &mut D, name: &str) -> Result<Vec<u8>, BackupFault> {
    let here = format!("{}/{name}", from.folder());
    let read = copy::read(from, name, MOST).map_err(|error| BackupFault::Io(here.clone(), error))?;
    read.ok_or_else(|| BackupFault::Incomplete(format!("{here} is missing: this is no whole backup")))
}

/// A name that stays in its folder.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    (1..=100).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(plain) && name != "lock"
}

fn bytes<const N: usize>(hex: &str) -> Result<[u8; N], BackupFault> {
    let digit = |at: usize| hex.get(at..at + 1).and_then(|digit| u8::from_str_radix(digit, 16).ok());
    let mut out = [0; N];
    for (place, at) in out.iter_mut().zip((0..).step_by(2)) {
        *place = digit(at).zip(digit(at + 1)).map(|(high, low)| high << 4 | low).unwrap_or_default();
    }
    match hex.len() == 2 * N && copy::hex(&out) == hex {
        true => Ok(out),
        false => Err(BackupFault::Incomplete("the manifest has no hash where one belongs".to_owned())),
    }
}
