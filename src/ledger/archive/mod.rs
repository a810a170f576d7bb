//! The archive: what the journal says, as tables to search. Never read for an answer.
//!
//! A SQLite file `archive.sqlite` beside the journal. It is fed from durable groups, after the fact, by one
//! [`Archiver`]; it remembers the last group it holds, and can be deleted at any time: the next archiver
//! makes it anew. Card numbers are in it masked, and as tokens. The tables are in [`SCHEMA`].

mod archiver;
mod enforced;
mod fault;
mod feed;
mod follower;
mod query;
mod row;
mod schema;
mod settling;
mod words;

pub use archiver::{Archiver, Progress};
pub use fault::ArchiveFault;
pub use query::Query;
pub use row::{Event, Row};
pub use schema::SCHEMA;

use super::TxnId;
use super::history;
use super::journal::Disk;
use super::journal::Head;
use super::journal::JournalFault;
use super::journal::JournalId;
use super::journal::Replayed;
use crate::model::Timestamp;
use feed::Feed;
use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::OptionalExtension;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// The archive's name in a journal's folder.
pub const ARCHIVE: &str = "archive.sqlite";
/// How long a reader or the writer waits for the other.
const PATIENCE: Duration = Duration::from_secs(5);

/// An archive that is open.
pub struct Archive {
    connection: Connection,
}

impl Archive {
    /// Opens the archive to write, and makes it if it is not there. The file is its owner's alone (0600).
    ///
    /// # Errors
    /// It is not an archive of this schema, or the file system's.
    pub fn open(path: &Path) -> Result<Self, ArchiveFault> {
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map_err(ArchiveFault::Io)?;
        let archive = Self { connection: Connection::open(path)? };
        archive.connection.busy_timeout(PATIENCE)?;
        // No write-ahead log: its index is a mapped file, and a full disk under a mapped file ends the process.
        archive.connection.execute_batch("PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = NORMAL;")?;
        archive.prepare()?;
        Ok(archive)
    }

    /// Opens an archive to search; it may be written to at the same time.
    ///
    /// # Errors
    /// There is none, or it is not of this schema.
    pub fn read_only(path: &Path) -> Result<Self, ArchiveFault> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(PATIENCE)?;
        let archive = Self { connection };
        match archive.version()? {
            schema::VERSION => Ok(archive),
            _ => Err(ArchiveFault::Schema),
        }
    }

    /// An empty archive that nobody else sees.
    ///
    /// # Errors
    /// SQLite's.
    pub fn in_memory() -> Result<Self, ArchiveFault> {
        let archive = Self { connection: Connection::open_in_memory()? };
        archive.prepare()?;
        Ok(archive)
    }

    /// An archive in memory of those transactions of a journal that `query` asks for.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn of<D: Disk>(disk: &mut D, query: &Query) -> Result<(Self, Replayed), ArchiveFault> {
        let archive = Self::in_memory()?;
        archive.connection.execute_batch("BEGIN")?;
        let mut feed = Feed::new(&archive, Some(query));
        let replayed = history::read(disk, &mut feed)?;
        feed.finish()?;
        archive.connection.execute_batch("COMMIT")?;
        Ok((archive, replayed))
    }

    fn version(&self) -> Result<i64, ArchiveFault> {
        Ok(self.connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
    }

    /// Makes the tables of an empty file.
    fn prepare(&self) -> Result<(), ArchiveFault> {
        match self.version()? {
            schema::VERSION => Ok(()),
            0 if self.is_empty()? => Ok(self.connection.execute_batch(SCHEMA)?),
            _ => Err(ArchiveFault::Schema),
        }
    }

    fn is_empty(&self) -> Result<bool, ArchiveFault> {
        let tables: i64 = self.connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok(tables == 0)
    }

    /// The last group it holds, and of which journal; `None` if it holds nothing.
    ///
    /// # Errors
    /// SQLite's.
    pub fn head(&self) -> Result<Option<(JournalId, Head)>, ArchiveFault> {
        let read = "SELECT journal, number, hash FROM head";
        let row = self.connection.query_row(read, [], |row| {
            let (id, number, hash): ([u8; 16], i64, [u8; 32]) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok((JournalId(id), Head { number: number.unsigned_abs(), hash }))
        });
        Ok(row.optional()?)
    }

    /// How far the journal in `disk` goes beyond what is held here.
    ///
    /// # Errors
    /// SQLite's, or the journal cannot be read.
    pub fn reach<D: Disk>(&self, disk: &mut D) -> Result<Reach, ArchiveFault> {
        let number = self.head()?.map(|(_, head)| head.number).unwrap_or_default();
        Reach::of(disk, number)
    }

    fn set_head(&self, id: JournalId, head: Head) -> Result<(), ArchiveFault> {
        let write = "INSERT INTO head (one, journal, number, hash) VALUES (1, ?1, ?2, ?3)
                     ON CONFLICT (one) DO UPDATE SET journal = ?1, number = ?2, hash = ?3";
        self.connection.prepare_cached(write)?.execute((id.0, feed::integer(head.number), head.hash))?;
        Ok(())
    }

    /// Shows every transaction that `query` asks for to `visit`, in order of their numbers.
    ///
    /// # Errors
    /// SQLite's, or the visitor's.
    pub fn each<E: From<ArchiveFault>>(
        &self,
        query: &Query,
        visit: &mut dyn FnMut(Row) -> Result<(), E>,
    ) -> Result<(), E> {
        query.each(&self.connection, visit)
    }

    /// The transactions that `query` asks for, in order of their numbers; at most `most`.
    ///
    /// # Errors
    /// SQLite's.
    pub fn find(&self, query: &Query, most: usize) -> Result<Vec<Row>, ArchiveFault> {
        let mut rows = Vec::new();
        let query = Query { most: Some(most), ..query.clone() };
        self.each(&query, &mut |row| {
            rows.push(row);
            Ok::<(), ArchiveFault>(())
        })?;
        Ok(rows)
    }

    /// Terminals' reversals that have the number or reference number that `query` asks for.
    ///
    /// # Errors
    /// SQLite's.
    pub fn reversals(&self, query: &Query) -> Result<Vec<TxnId>, ArchiveFault> {
        query.reversals(&self.connection)
    }

    /// What happened to a transaction, or to a terminal's reversal, in order.
    ///
    /// # Errors
    /// SQLite's.
    pub fn timeline(&self, id: TxnId) -> Result<Vec<Event>, ArchiveFault> {
        row::timeline(&self.connection, id)
    }
}

/// How far something read of a journal reaches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reach {
    /// When the last group was written that was read; `None` if it is not in a segment any more.
    pub last: Option<Timestamp>,
    /// Whether nothing is behind it.
    pub is_end: bool,
}

impl Reach {
    /// What was read up to the group of this number.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn of<D: Disk>(disk: &mut D, number: u64) -> Result<Self, ArchiveFault> {
        // First the end: a station may be writing.
        let is_end = history::place_of(disk, number + 1)?.is_none();
        Ok(Self { last: history::wall_of(disk, number)?, is_end })
    }
}

impl From<JournalFault> for ArchiveFault {
    fn from(fault: JournalFault) -> Self {
        Self::Journal(fault)
    }
}
