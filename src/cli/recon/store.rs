//! `DIR/recon`: the book of differences, line by line, and the clearing files that were taken.

use super::at;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::model::BusinessDate;
use crate::model::Currency;
use crate::model::IssuerName;
use crate::model::Kind;
use crate::model::Rrn;
use crate::settle::recon::BookFault;
use crate::settle::recon::ClearingFile;
use crate::settle::recon::DifferenceBook;
use crate::settle::recon::Event;
use crate::settle::recon::MOST_BYTES;
use std::collections::HashSet;
use std::fs;
use std::fs::DirBuilder;
use std::fs::File;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

const FOLDER: &str = "recon";
const BOOK: &str = "differences.jsonl";

/// An open folder; one process at a time.
pub(super) struct Store {
    folder: PathBuf,
    file: File,
    pub(super) book: DifferenceBook,
}

impl Store {
    /// Opens the folder of a ledger, and makes it if it is not there. What a killed process began to write is cut off.
    pub(super) fn open(data: &Path) -> Result<Self, Failure> {
        if !data.is_dir() {
            return Err(Failure::new(Exit::Usage, format!("{}: there is no such folder", data.display())));
        }
        let folder = data.join(FOLDER);
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(|error| at(&folder, &error))?;
        let path = folder.join(BOOK);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&path).map_err(|error| at(&path, &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Failure::new(Exit::LedgerInUse, "another recon is at work on this ledger"));
            }
            Err(TryLockError::Error(error)) => return Err(at(&path, &error)),
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(|error| at(&path, &error))?;
        let book = DifferenceBook::read(&text).map_err(|fault| damaged(&path, &fault))?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        cut(&mut file, whole).map_err(|error| at(&path, &error))?;
        Ok(Self { folder, file, book })
    }

    /// Keeps events for good.
    pub(super) fn keep(&mut self, events: &[Event]) -> Result<(), Failure> {
        let lines: String = events.iter().map(Event::line).collect();
        let written = self.file.write_all(lines.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(|error| at(&self.folder.join(BOOK), &error))
    }

    /// Keeps a clearing file that was taken, whole or not at all.
    pub(super) fn keep_file(&self, file: &ClearingFile, bytes: &[u8]) -> Result<(), Failure> {
        let path = self.path(&file.issuer, file.date, file.currency);
        let new = path.with_extension("new");
        let write = || -> io::Result<()> {
            let mut options = OpenOptions::new();
            let mut out = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            out.write_all(bytes)?;
            out.sync_all()?;
            fs::rename(&new, &path)?;
            File::open(&self.folder)?.sync_all()
        };
        write().map_err(|error| at(&path, &error))
    }

    /// The reference numbers of a file that was taken before, undos left out; `None` if none was.
    pub(super) fn cleared(
        &self,
        issuer: &IssuerName,
        date: BusinessDate,
        currency: Currency,
    ) -> Result<Option<HashSet<Rrn>>, Failure> {
        if self.book.file(issuer, date, currency).is_none() {
            return Ok(None);
        }
        let path = self.path(issuer, date, currency);
        let file = ClearingFile::read(&read(&path)?);
        let file = file.map_err(|fault| Failure::new(Exit::Usage, format!("{}: {fault}", path.display())))?;
        let rows = file.rows.iter().filter(|row| row.kind != Kind::Reversal);
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

fn cut(file: &mut File, length: usize) -> io::Result<()> {
    let length = u64::try_from(length).map_err(io::Error::other)?;
    file.set_len(length)?;
    file.seek(SeekFrom::Start(length)).map(drop)
}

fn damaged(path: &Path, fault: &BookFault) -> Failure {
    Failure::new(Exit::Usage, format!("{}: {fault}; bring the file back from a backup", path.display()))
}
