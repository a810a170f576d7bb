//! `DIR/recon`: the book of differences, line by line, and the clearing files that were taken.

use super::at;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::ledger;
use crate::ledger::journal::anchor;
use crate::model::BusinessDate;
use crate::model::Currency;
use crate::model::IssuerName;
use crate::model::Kind;
use crate::model::Rrn;
use crate::server::lines;
use crate::server::lines::Lines;
use crate::server::private_file;
use crate::settle::recon::BookFault;
use crate::settle::recon::ClearingFile;
use crate::settle::recon::DifferenceBook;
use crate::settle::recon::Event;
use crate::settle::recon::MOST_BYTES;
use std::collections::HashSet;
use std::fs;
use std::fs::DirBuilder;
use std::fs::File;
use std::fs::TryLockError;
use std::io;
use std::io::Read;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::path::PathBuf;

const FOLDER: &str = "recon";
const BOOK: &str = "differences.jsonl";

/// Reference numbers of a file, if it was taken.
type Taken = Result<Option<HashSet<Rrn>>, Failure>;

/// An open folder; one process at a time.
pub(super) struct Store {
    folder: PathBuf,
    lines: Lines,
    pub(super) book: DifferenceBook,
}

impl Store {
    /// Opens the folder of a ledger, and makes it if it is not there. What a killed process began to write is cut off.
    pub(super) fn open(data: &Path) -> Result<Self, Failure> {
        has_ledger(data)?;
        let folder = data.join(FOLDER);
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(|error| at(&folder, &error))?;
        let path = folder.join(BOOK);
        let mut file = lines::file(&path).map_err(|error| at(&path, &error))?;
        locked(file.try_lock(), &path)?;
        // Both names, too, must outlive a power cut.
        for folder in [&folder, data] {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| at(folder, &error))?;
        }
        let (book, whole) = read_book(&mut file, &path)?;
        let lines = Lines::behind(file, whole).map_err(|error| at(&path, &error))?;
        Ok(Self { folder, lines, book })
    }

    /// The book as it is, empty if there is none yet. Makes and changes nothing.
    pub(super) fn look(data: &Path) -> Result<DifferenceBook, Failure> {
        has_ledger(data)?;
        let path = data.join(FOLDER).join(BOOK);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(DifferenceBook::default()),
            Err(error) => return Err(at(&path, &error)),
        };
        locked(file.try_lock_shared(), &path)?;
        Ok(read_book(&mut file, &path)?.0)
    }

    /// Keeps events for good.
    pub(super) fn keep(&mut self, events: &[Event]) -> Result<(), Failure> {
        let lines: String = events.iter().map(Event::line).collect();
        let written = self.lines.add_whole(lines.as_bytes()).and_then(|()| self.lines.sync());
        written.map_err(|error| at(&self.folder.join(BOOK), &error))
    }

    /// Keeps a clearing file that was taken, whole or not at all.
    pub(super) fn keep_file(&self, file: &ClearingFile, bytes: &[u8]) -> Result<(), Failure> {
        let path = self.path(&file.issuer, file.date, file.currency);
        private_file::replace(&path, bytes).map_err(|error| at(&path, &error))
    }

    /// Removes the copy of a file that was taken back, unless another one was taken since.
    pub(super) fn drop_file(&self, issuer: &IssuerName, date: BusinessDate, currency: Currency) -> Result<(), Failure> {
        let path = self.path(issuer, date, currency);
        if self.book.file(issuer, date, currency).is_some() {
            return Ok(());
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&path, &error)),
            _ => Ok(()),
        }
    }

    /// The reference numbers of a file that was taken before, undos left out; `None` if none was.
    pub(super) fn cleared(&self, issuer: &IssuerName, date: BusinessDate, currency: Currency) -> Taken {
        self.taken((issuer, date, currency), |kind| kind != Kind::Reversal)
    }

    /// The reference numbers of what a file that was taken before undid; `None` if none was.
    pub(super) fn undone(&self, issuer: &IssuerName, date: BusinessDate, currency: Currency) -> Taken {
        self.taken((issuer, date, currency), |kind| kind == Kind::Reversal)
    }

    fn taken(
        &self,
        (issuer, date, currency): (&IssuerName, BusinessDate, Currency),
        wanted: fn(Kind) -> bool,
    ) -> Taken {
        if self.book.file(issuer, date, currency).is_none() {
            return Ok(None);
        }
        let path = self.path(issuer, date, currency);
        let file = ClearingFile::read(&read(&path)?);
        let file = file.map_err(|fault| Failure::new(Exit::Usage, format!("{}: {fault}", path.display())))?;
        let rows = file.rows.iter().filter(|row| wanted(row.kind));
        Ok(Some(rows.map(|row| row.rrn).collect()))
    }

    fn path(&self, issuer: &IssuerName, date: BusinessDate, currency: Currency) -> PathBuf {
        self.folder.join(format!("{issuer}-{date}-{currency}.csv"))
    }
}

/// A file of at most [`MOST_BYTES`].
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| at(path, &error))?;
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|error| at(path, &error))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MOST_BYTES) {
        return Err(Failure::new(Exit::No, format!("{}: longer than a clearing file may be", path.display())));
    }
    Ok(bytes)
}

/// Refuses a folder without a journal: its book would be empty, and everything would look well.
fn has_ledger(data: &Path) -> Result<(), Failure> {
    let mut disk = ledger::open(data)?;
    if anchor::read(&mut disk)?.is_some() {
        return Ok(());
    }
    Err(Failure::new(Exit::Usage, format!("{}: there is no ledger in this folder", data.display())))
}

fn locked(lock: Result<(), TryLockError>, path: &Path) -> Result<(), Failure> {
    lock.map_err(|fault| match fault {
        TryLockError::WouldBlock => Failure::new(Exit::LedgerInUse, "another recon is at work on this ledger"),
        TryLockError::Error(error) => at(path, &error),
    })
}

/// The book, and how many bytes of the file are whole lines.
fn read_book(file: &mut File, path: &Path) -> Result<(DifferenceBook, usize), Failure> {
    let bytes = lines::whole(file).map_err(|error| at(path, &error))?;
    let text = std::str::from_utf8(&bytes).map_err(|fault| {
        let before = bytes.iter().take(fault.valid_up_to()).filter(|byte| **byte == b'\n').count();
        damaged(path, &BookFault::Line(before + 1))
    })?;
    let book = DifferenceBook::read(text).map_err(|fault| damaged(path, &fault))?;
    Ok((book, bytes.len()))
}

fn damaged(path: &Path, fault: &BookFault) -> Failure {
    Failure::new(Exit::Usage, format!("{}: {fault}; bring the file back from a backup", path.display()))
}
