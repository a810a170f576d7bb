//! Records on their way into a group.

use super::format;
use super::format::GROUP_HEADER;
use super::format::Head;
use super::format::JournalId;
use crate::model::Timestamp;

/// The encoded records of the group to be written next. Room for the group's header is left in front,
/// so that a group becomes bytes without a copy.
#[derive(Debug)]
pub struct Batch {
    number: u64,
    count: u32,
    bytes: Vec<u8>,
}

impl Batch {
    pub(super) fn new(number: u64, capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity.max(GROUP_HEADER));
        bytes.resize(GROUP_HEADER, 0);
        Self { number, count: 0, bytes }
    }

    /// The number its group will have.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// How many records.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The records, each behind its length.
    #[must_use]
    pub fn records(&self) -> &[u8] {
        self.bytes.get(GROUP_HEADER..).unwrap_or_default()
    }

    /// Appends a record that `write` writes.
    pub(super) fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        write(&mut self.bytes);
        let length = u32::try_from(self.bytes.len() - start - 4).unwrap_or(u32::MAX);
        if let Some(prefix) = self.bytes.get_mut(start..start + 4) {
            prefix.copy_from_slice(&length.to_be_bytes());
        }
        self.count += 1;
    }

    /// Moves the records from byte `length` of [`Batch::records`] on, `count` of them, into a batch of their own.
    pub(super) fn split(&mut self, length: usize, count: u32) -> Self {
        let mut next = Self::new(self.number + 1, self.bytes.capacity());
        let tail = self.bytes.split_off((GROUP_HEADER + length).min(self.bytes.len()));
        next.bytes.extend_from_slice(&tail);
        next.count = count;
        self.count -= count;
        next
    }

    /// How much memory a batch like this one needs.
    pub(super) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes of the group, its padding included.
    #[must_use]
    pub fn group_size(&self) -> usize {
        format::padded(self.bytes.len() + 4)
    }

    /// The group's bytes, padded to whole sectors, and what the head is once they are durable.
    #[must_use]
    pub fn seal(self, id: &JournalId, previous: &Head, wall: Timestamp) -> (Vec<u8>, Head) {
        let Self { number, count, mut bytes } = self;
        let hash = format::seal(&mut bytes, id, number, &previous.hash, wall, count);
        (bytes, Head { number, hash })
    }
}
