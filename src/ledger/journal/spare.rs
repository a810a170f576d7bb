//! The next segment, made before it is needed.

use super::Disk;
use super::Groups;
use super::JournalFault;
use super::Place;
use super::layout;
use super::layout::PREPARED;
use super::layout::PREPARED_NEW;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use tokio::sync::Notify;

/// Bytes of zeros written and synced at once: few enough that the writer's own sync does not wait long behind them.
const CHUNK: usize = 1 << 20;

/// Whether the next segment is there; shared by who makes it and who uses it.
#[derive(Debug, Default)]
pub(super) struct Spare {
    ready: AtomicBool,
    tried: Notify,
    wanted: Notify,
}

impl Spare {
    pub(super) fn new(ready: bool) -> Self {
        Self { ready: AtomicBool::new(ready), ..Self::default() }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// The writer uses it.
    pub(super) fn take(&self) {
        self.ready.store(false, Ordering::Release);
        self.wanted.notify_one();
    }

    /// Waits until it is there, or until another attempt to make it has failed.
    pub(super) async fn tried(&self) {
        if !self.is_ready() {
            self.tried.notified().await;
        }
    }
}

/// How an attempt to make the next segment ended.
#[derive(Debug)]
pub enum Prepared {
    /// It is there already.
    Already,
    /// It was made.
    Made,
    /// There is no room, or the disk refused the new file. The ledger knows ([`Groups::has_room`]); to be
    /// tried again after a second.
    Refused(io::Error),
}

/// Makes the next segment, beside the writer and never in its way.
pub struct Preparer<D: Disk> {
    disk: D,
    groups: Arc<Groups>,
    spare: Arc<Spare>,
    length: u64,
}

impl<D: Disk> Preparer<D> {
    pub(super) fn new(disk: D, groups: Arc<Groups>, spare: Arc<Spare>, length: u64) -> Self {
        Self { disk, groups, spare, length }
    }

    /// Waits until a next segment is wanted. Completes at once if the last attempt failed: who calls
    /// [`Preparer::step`] in a loop waits a second after a refusal.
    pub async fn wanted(&self) {
        while self.spare.is_ready() {
            self.spare.wanted.notified().await;
        }
    }

    /// Makes the next segment, if there is none: zero-filled and synced under a temporary name, then renamed.
    ///
    /// # Errors
    /// Only if the folder itself fails: then the journal has failed too. A refused file is no error.
    pub fn step(&mut self) -> Result<Prepared, JournalFault> {
        if self.spare.is_ready() {
            return Ok(Prepared::Already);
        }
        if let Err(error) = self.fill() {
            // Not in use yet, so nothing is lost with it; what cannot be removed now is removed next time.
            let _ = self.disk.remove(PREPARED_NEW);
            self.groups.set_room(false);
            self.spare.tried.notify_one();
            return Ok(Prepared::Refused(error));
        }
        let named = self.disk.rename(PREPARED_NEW, PREPARED).and_then(|()| self.disk.sync_folder());
        if let Err(error) = named {
            let place = Place::new(PREPARED, 0, 0);
            let fault = layout::at(&self.disk, "the next segment cannot be named", place)(error);
            self.groups.fail(&fault.to_string());
            return Err(fault);
        }
        self.spare.ready.store(true, Ordering::Release);
        self.groups.set_room(true);
        self.spare.tried.notify_one();
        Ok(Prepared::Made)
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.disk.list()?.iter().any(|name| name == PREPARED_NEW) {
            self.disk.remove(PREPARED_NEW)?;
        }
        let mut file = self.disk.create(PREPARED_NEW)?;
        let zeros = vec![0; CHUNK];
        let mut at = 0;
        while at < self.length {
            let rest = usize::try_from(self.length - at).unwrap_or(CHUNK).min(CHUNK);
            self.disk.write_at(&mut file, zeros.get(..rest).unwrap_or(&zeros), at)?;
            self.disk.sync(&file)?;
            at += layout::offset(rest);
        }
        Ok(())
    }
}
