//! Why an archive cannot be read or fed.

use crate::ledger::journal::JournalFault;

/// A fault of the archive. Never a reason to stop a station: the archive can be made anew.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveFault {
    /// SQLite's.
    #[error("archive: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The file system's.
    #[error("archive: {0}")]
    Io(#[source] std::io::Error),
    /// Of another release, or no archive.
    #[error("archive: not of this release's schema; `tollgate ledger rebuild-archive` makes it anew")]
    Schema,
    /// It holds groups that the journal has not.
    #[error("archive: it is of another journal than the one in its folder")]
    Foreign,
    /// The journal's.
    #[error("{0}")]
    Journal(#[source] JournalFault),
}
