//! The writer: batch after batch becomes a durable group.

use super::Batch;
use super::Disk;
use super::Fault;
use super::Groups;
use super::Head;
use super::JournalFault;
use super::JournalId;
use super::Place;
use super::format::SEGMENT_HEADER;
use super::format::SegmentHeader;
use super::layout;
use super::layout::PREPARED;
use super::layout::segment_name;
use super::spare::Spare;
use crate::model::Timestamp;
use crate::mutant;
use crate::mutant::Mutant;
use std::io;
use std::sync::Arc;

/// What a step of the writer did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// A group was made durable.
    Wrote(Head),
    /// There is nothing to write.
    Idle,
    /// The group waits for the next segment.
    Blocked,
    /// Closed and all written, or failed: there will be nothing more.
    Ended,
}

/// Writes a journal. One write and one sync a group; a fault ends it, for after a failed sync nothing that
/// the disk says about the same bytes can be believed.
pub struct Writer<D: Disk> {
    disk: D,
    groups: Arc<Groups>,
    spare: Arc<Spare>,
    id: JournalId,
    /// Length of the segments it begins.
    length: u64,
    head: Head,
    current: Option<Current<D::File>>,
    /// Records and bytes of the group made durable last.
    last: (usize, usize),
    /// Taken, but there is no segment for it yet.
    blocked: Option<Batch>,
}

/// The segment in use.
pub(super) struct Current<F> {
    pub(super) name: String,
    pub(super) file: F,
    /// Where the next group goes.
    pub(super) at: u64,
    pub(super) length: u64,
}

impl<D: Disk> Writer<D> {
    pub(super) fn new(
        disk: D,
        groups: Arc<Groups>,
        spare: Arc<Spare>,
        id: JournalId,
        length: u64,
        current: Option<Current<D::File>>,
    ) -> Self {
        let head = groups.durable();
        Self { disk, groups, spare, id, length, head, current, last: (0, 0), blocked: None }
    }

    /// Waits until [`Writer::step`] has something to do, or an end to report.
    pub async fn ready(&self) {
        if self.blocked.is_some() && !self.groups.has_failed() {
            self.spare.tried().await;
        } else {
            self.groups.work().await;
        }
    }

    /// Writes one batch as a group and syncs it; then who waits for it is woken. `wall` is the time that
    /// the group bears. A batch that does not fit into the segment begins the next one.
    ///
    /// # Errors
    /// The disk's, or a group that fits no segment. The ledger has failed then, and every later step is
    /// [`Step::Ended`].
    pub fn step(&mut self, wall: Timestamp) -> Result<Step, JournalFault> {
        if self.groups.has_failed() {
            return Ok(Step::Ended);
        }
        let Some(batch) = self.blocked.take().or_else(|| self.groups.take()) else {
            return Ok(if self.groups.is_closed() { Step::Ended } else { Step::Idle });
        };
        let size = layout::offset(batch.group_size());
        if self.current.as_ref().is_some_and(|current| current.at + size <= current.length) {
            return self.append(batch, wall).map_err(|fault| self.failed(fault));
        }
        let here = Place::new(&segment_name(batch.number()), 0, batch.number());
        if layout::offset(SEGMENT_HEADER) + size > self.length {
            let fault = JournalFault::at(self.disk.folder(), here, Fault::TooLarge(batch.group_size()));
            return Err(self.failed(fault));
        }
        if self.spare.is_ready() {
            return self.rotate(batch, wall).map_err(|fault| self.failed(fault));
        }
        if self.groups.is_closed() && !self.groups.has_room() {
            return Err(self.failed(JournalFault::at(self.disk.folder(), here, Fault::NoRoom)));
        }
        self.blocked = Some(batch);
        Ok(Step::Blocked)
    }

    fn failed(&self, fault: JournalFault) -> JournalFault {
        self.groups.fail(&fault.to_string());
        fault
    }

    /// How many records the group has that was made durable last, and how many bytes.
    #[must_use]
    pub fn last(&self) -> (usize, usize) {
        self.last
    }

    fn wrote(&mut self, head: Head, size: (usize, usize)) -> Step {
        self.last = size;
        self.head = head;
        self.groups.synced(head);
        Step::Wrote(head)
    }

    fn append(&mut self, batch: Batch, wall: Timestamp) -> Result<Step, JournalFault> {
        let Some(current) = self.current.as_mut() else { return Ok(Step::Idle) };
        let records = usize::try_from(batch.count()).unwrap_or(usize::MAX);
        let (bytes, head) = batch.seal(&self.id, &self.head, wall);
        let place = Place::new(&current.name, current.at, head.number);
        let written = self.disk.write_at(&mut current.file, &bytes, current.at);
        written.map_err(layout::at(&self.disk, "the group cannot be written", place.clone()))?;
        let mut synced = self.disk.sync(&current.file);
        if mutant::is(Mutant::SyncRetried) && synced.is_err() {
            synced = self.disk.sync(&current.file);
        }
        synced.map_err(layout::at(&self.disk, "the group cannot be synced", place))?;
        current.at += layout::offset(bytes.len());
        Ok(self.wrote(head, (records, bytes.len())))
    }

    /// Begins the next segment. Its header and its first group are synced before it gets its name: a segment
    /// that has one is whole.
    fn rotate(&mut self, batch: Batch, wall: Timestamp) -> Result<Step, JournalFault> {
        let first = batch.number();
        let name = segment_name(first);
        let place = Place::new(&name, 0, first);
        let header = SegmentHeader { id: self.id, first, previous: self.head.hash, created: wall, length: self.length };
        let records = usize::try_from(batch.count()).unwrap_or(usize::MAX);
        let (group, head) = batch.seal(&self.id, &self.head, wall);
        let mut bytes = header.encode().to_vec();
        bytes.extend_from_slice(&group);
        let file = self.begin(&name, &bytes);
        let file = file.map_err(layout::at(&self.disk, "the segment cannot be begun", place))?;
        // Only now: whoever makes the next one gives it the name that this one had until here.
        self.spare.take();
        self.current = Some(Current { name, file, at: layout::offset(bytes.len()), length: self.length });
        Ok(self.wrote(head, (records, group.len())))
    }

    fn begin(&mut self, name: &str, bytes: &[u8]) -> io::Result<D::File> {
        let mut file = self.disk.open(PREPARED)?;
        self.disk.write_at(&mut file, bytes, 0)?;
        self.disk.sync(&file)?;
        self.disk.rename(PREPARED, name)?;
        self.disk.sync_folder()?;
        Ok(file)
    }
}
