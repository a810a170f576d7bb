//! Feeds the archive from what is durable.

use super::ARCHIVE;
use super::Archive;
use super::ArchiveFault;
use super::feed::Feed;
use super::follower::Follower;
use crate::ledger::history;
use crate::ledger::history::Reader;
use crate::ledger::journal::Disk;
use crate::ledger::journal::Fault;
use crate::ledger::journal::Head;
use crate::ledger::journal::JournalFault;
use crate::ledger::journal::JournalId;
use crate::ledger::journal::Place;
use crate::ledger::journal::anchor;
use crate::ledger::journal::codec::Decoder;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// Groups of one commit of the archive.
const GROUPS_A_STEP: u64 = 512;

/// How far the archive is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Progress {
    /// The last group that the archive holds.
    pub held: u64,
    /// The last group that is known to be durable.
    pub durable: u64,
}

impl Progress {
    /// Whether there is nothing to do for now.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.held >= self.durable
    }
}

/// The one writer of an archive: brings what is durable, by the anchor's word, into the tables. To be stepped
/// by a thread of its own, or by a command; it reads files only and is in nobody's way.
pub struct Archiver<D: Disk> {
    disk: D,
    path: PathBuf,
    archive: Archive,
    id: JournalId,
    follower: Follower<D>,
    decoder: Decoder,
    failed: bool,
    /// It was made anew because it did not fit; if it still does not, the fault is the journal's.
    renewed: bool,
}

impl<D: Disk> Archiver<D> {
    /// Goes on with the archive in `folder`, or makes it anew if there is none, if it is of another journal or
    /// release, or if it cannot be read. `disk` is the same folder.
    ///
    /// # Errors
    /// There is no journal, or no archive can be made.
    pub fn open(mut disk: D, folder: &Path) -> Result<Self, ArchiveFault> {
        let path = folder.join(ARCHIVE);
        let (id, durable) = match anchor::read(&mut disk)? {
            Some(anchored) => (anchored.id, anchored.head().number),
            None => return Err(JournalFault::at(disk.folder(), Place::new("", 0, 0), Fault::Nothing).into()),
        };
        let kept = Archive::open(&path).and_then(|archive| Ok((archive.head()?, archive)));
        let (archive, head) = match kept {
            Ok((Some((of, head)), archive)) if of == id && head.number <= durable => (archive, head),
            Ok((None, archive)) => Self::begin(&mut disk, archive, id)?,
            Ok(_) | Err(ArchiveFault::Sqlite(_) | ArchiveFault::Schema) => {
                remove(&path).map_err(ArchiveFault::Io)?;
                Self::begin(&mut disk, Archive::open(&path)?, id)?
            }
            Err(fault) => return Err(fault),
        };
        let follower = Follower::new(disk.clone(), id, head);
        Ok(Self { disk, path, archive, id, follower, decoder: Decoder::default(), failed: false, renewed: false })
    }

    /// Where an empty archive begins: with the first group, or if that is gone, with a snapshot.
    fn begin(disk: &mut D, archive: Archive, id: JournalId) -> Result<(Archive, Head), ArchiveFault> {
        archive.connection.execute_batch("BEGIN IMMEDIATE")?;
        let mut feed = Feed::new(&archive, None);
        let base = history::base(disk, &mut feed)?;
        feed.finish()?;
        if let Some(head) = base {
            archive.set_head(id, head)?;
        }
        archive.connection.execute_batch("COMMIT")?;
        Ok((archive, base.unwrap_or_else(|| Head::genesis(&id))))
    }

    /// Deletes the archive and begins again with the first group.
    ///
    /// # Errors
    /// As [`Archiver::open`].
    pub fn rebuild(disk: D, folder: &Path) -> Result<Self, ArchiveFault> {
        remove(&folder.join(ARCHIVE)).map_err(ArchiveFault::Io)?;
        Self::open(disk, folder)
    }

    /// Brings up to 512 groups into the archive, all or none. To be called again at once until
    /// [`Progress::is_done`], and then every so often. After a fault, what was done stands and the next call
    /// tries again; where the archive does not fit the journal it is made anew first.
    ///
    /// # Errors
    /// The journal cannot be read, or the archive not be written.
    pub fn step(&mut self) -> Result<Progress, ArchiveFault> {
        if self.failed {
            self.restart()?;
        }
        let stepped = self.groups();
        self.failed = stepped.is_err();
        match &stepped {
            Err(ArchiveFault::Journal(fault))
                if matches!(fault.fault, Fault::Chain | Fault::Nothing) && !self.renewed =>
            {
                *self = Self { renewed: true, ..Self::rebuild(self.disk.clone(), self.folder())? };
                self.step()
            }
            _ => stepped,
        }
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Goes back to what the archive really holds.
    fn restart(&mut self) -> Result<(), ArchiveFault> {
        if !self.archive.connection.is_autocommit() {
            self.archive.connection.execute_batch("ROLLBACK")?;
        }
        *self = Self { renewed: self.renewed, ..Self::open(self.disk.clone(), self.folder())? };
        Ok(())
    }

    fn groups(&mut self) -> Result<Progress, ArchiveFault> {
        let anchored = anchor::read(&mut self.disk)?.map(|anchored| anchored.head().number).unwrap_or_default();
        let until = anchored.min(self.follower.head().number + GROUPS_A_STEP);
        if self.follower.head().number < until {
            self.archive.connection.execute_batch("BEGIN IMMEDIATE")?;
            let mut feed = Feed::new(&self.archive, None);
            let folder = self.disk.folder();
            while self.follower.head().number < until {
                let group = self.follower.next()?;
                let number = group.header.number;
                feed.group(&group);
                for (index, bytes) in (0..).zip(group.records()) {
                    let record = self.decoder.decode(bytes).map_err(|fault| {
                        JournalFault::at(folder.clone(), Place::new("", 0, number), Fault::Record { index, fault })
                    })?;
                    feed.record(&record);
                }
                feed.group_ends();
            }
            feed.finish()?;
            self.archive.set_head(self.id, self.follower.head())?;
            self.archive.connection.execute_batch("COMMIT")?;
        }
        Ok(Progress { held: self.follower.head().number, durable: anchored })
    }
}

/// Removes an archive and what SQLite has beside it.
fn remove(path: &Path) -> io::Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(PathBuf::from(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
