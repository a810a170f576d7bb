//! Why the journal cannot be opened or written. Every fault names its place and what to do.

use super::blocks::FileFault;
use super::codec::CodecFault;
use super::format::HeaderFault;
use std::fmt;
use std::io;

/// A place in the journal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// The file's name within the folder.
    pub file: String,
    /// Byte offset in the file.
    pub offset: u64,
    /// Number of the group that is there or should be; 0 where no group is meant.
    pub group: u64,
}

impl Place {
    /// A place in `file`.
    #[must_use]
    pub fn new(file: &str, offset: u64, group: u64) -> Self {
        Self { file: file.to_owned(), offset, group }
    }
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The operating system refused.
    #[error("{0}: {1}")]
    Io(&'static str, #[source] io::Error),
    /// Another process has the folder.
    #[error("another process uses this folder")]
    InUse,
    /// A file's header is not readable.
    #[error("{0}")]
    Header(#[from] HeaderFault),
    /// A file of another journal.
    #[error("this file belongs to another journal")]
    Foreign,
    /// There is no journal.
    #[error("there is no journal in this folder")]
    Nothing,
    /// A segment under another segment's name.
    #[error("the file is the segment that begins with group {first}, under another name")]
    Renamed {
        /// The first group by its header.
        first: u64,
    },
    /// A segment is shorter than it was made.
    #[error("the segment has {length} bytes of {made}")]
    Truncated {
        /// Its length now.
        length: u64,
        /// The length it was made with.
        made: u64,
    },
    /// Groups are missing: the journal goes on later.
    #[error("the group is missing or damaged, but the journal goes on with group {next} in {file}")]
    Gap {
        /// The next group there is.
        next: u64,
        /// Where it is.
        file: String,
    },
    /// A group that is whole but does not follow the one before it.
    #[error("the chain is broken: the group does not follow the one before it")]
    Chain,
    /// The snapshot is of another journal, or of other groups.
    #[error("the chain is broken: the snapshot does not match this group")]
    Snapshot,
    /// The journal ends before its snapshot.
    #[error("the journal ends before this group, but there is a snapshot up to group {snapshot}")]
    BeforeSnapshot {
        /// The group of the snapshot.
        snapshot: u64,
    },
    /// There are groups, but no anchor.
    #[error("there is no anchor, but there are groups")]
    NoAnchor,
    /// The anchor cannot be read.
    #[error("neither slot of the anchor is readable")]
    Anchor,
    /// The journal ends before the group that the anchor names.
    #[error("the journal ends before this group, but the anchor says that group {anchor} was kept")]
    BeforeAnchor {
        /// The group of the anchor.
        anchor: u64,
    },
    /// The group is another one than the anchor says.
    #[error("the group is not the one that the anchor names")]
    NotAnchored,
    /// A record of a group cannot be read: the journal is of a later release, or its bytes were forged.
    #[error("record {index} of the group: {fault}")]
    Record {
        /// Which record, from 0.
        index: u32,
        /// Why.
        fault: CodecFault,
    },
    /// What is kept of a closed day cannot be read.
    #[error("a closed day: {0}")]
    ClosedDays(FileFault),
    /// A group that fits no segment.
    #[error("a group of {0} bytes fits no segment")]
    TooLarge(usize),
    /// Closed while there was no room for what was still to be kept.
    #[error("no room for the next segment")]
    NoRoom,
}

impl Fault {
    /// Of what is kept of a closed day. A disk that refuses is not a file that is damaged: it may be tried again.
    #[must_use]
    pub fn of_closed_days(fault: FileFault) -> Self {
        match fault {
            FileFault::Io(error) => Self::Io("a closed day", error),
            damaged => Self::ClosedDays(damaged),
        }
    }
}

/// A fault of the journal, and where.
#[derive(Debug)]
pub struct JournalFault {
    /// The folder.
    pub folder: String,
    /// Where in it; `None` if it is all of it.
    pub place: Option<Place>,
    /// What.
    pub fault: Fault,
}

impl JournalFault {
    /// The fault of a place.
    #[must_use]
    pub fn at(folder: String, place: Place, fault: Fault) -> Self {
        Self { folder, place: Some(place), fault }
    }

    /// What the operator can do about it.
    fn advice(&self) -> String {
        let folder = &self.folder;
        match &self.fault {
            Fault::InUse => "stop the other process first".to_owned(),
            Fault::Io(..) | Fault::TooLarge(_) | Fault::NoRoom => {
                format!(
                    "see to the disk, then start again: what was answered is kept (`tollgate ledger verify {folder}`)"
                )
            }
            Fault::Nothing => "name the ledger's folder".to_owned(),
            Fault::NoAnchor | Fault::Anchor => {
                format!("run `tollgate ledger verify {folder}`; `tollgate ledger restore` brings a backup back")
            }
            _ => format!(
                "nothing was changed; run `tollgate ledger verify {folder}` to see all of it, \
                 and `tollgate ledger restore` to bring a backup back"
            ),
        }
    }
}

impl fmt::Display for JournalFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.folder)?;
        if let Some(place) = &self.place {
            write!(f, "/{} at byte {}", place.file, place.offset)?;
            if place.group > 0 {
                write!(f, ", group {}", place.group)?;
            }
        }
        write!(f, ": {}; {}", self.fault, self.advice())
    }
}

impl std::error::Error for JournalFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.fault)
    }
}
