//! Reads a journal on from where one was, group by group, while a station writes it.

use crate::ledger::journal::Disk;
use crate::ledger::journal::Fault;
use crate::ledger::journal::Group;
use crate::ledger::journal::Head;
use crate::ledger::journal::JournalFault;
use crate::ledger::journal::JournalId;
use crate::ledger::journal::Place;
use crate::ledger::journal::format::GROUP_HEADER;
use crate::ledger::journal::format::GroupHeader;
use crate::ledger::journal::format::SECTOR;
use crate::ledger::journal::format::SEGMENT_HEADER;
use crate::ledger::journal::format::padded;
use crate::ledger::journal::layout;

pub(super) struct Follower<D: Disk> {
    disk: D,
    id: JournalId,
    head: Head,
    current: Option<Current<D::File>>,
    buffer: Vec<u8>,
}

struct Current<F> {
    name: String,
    file: F,
    at: u64,
}

impl<D: Disk> Follower<D> {
    /// Will go on after `head` of the journal `id`.
    pub(super) fn new(disk: D, id: JournalId, head: Head) -> Self {
        Self { disk, id, head, current: None, buffer: Vec::new() }
    }

    pub(super) fn head(&self) -> Head {
        self.head
    }

    /// The next group, which must be on disk.
    pub(super) fn next(&mut self) -> Result<Group<'_>, JournalFault> {
        let number = self.head.number + 1;
        let mut length = self.read(number)?;
        if length.is_none() {
            self.begin(number)?;
            length = self.read(number)?;
        }
        let folder = self.disk.folder();
        let at = self.current.as_ref().map_or(0, |current| current.at);
        let place = Place::new(self.current.as_ref().map_or("", |current| current.name.as_str()), at, number);
        let refuse = |fault: Fault| JournalFault::at(folder.clone(), place.clone(), fault);
        let bytes = length.and_then(|length| self.buffer.get(..length)).ok_or_else(|| refuse(Fault::Chain))?;
        let group = Group::decode(bytes, &self.id).map_err(|fault| refuse(Fault::Header(fault)))?;
        if group.header.number != number || group.header.previous != self.head.hash {
            return Err(refuse(Fault::Chain));
        }
        self.head = group.head();
        if let Some(current) = &mut self.current {
            current.at += layout::offset(padded(bytes.len()));
        }
        Ok(group)
    }

    /// Reads what should be group `number` into the buffer; `None` if it is not in this segment.
    fn read(&mut self, number: u64) -> Result<Option<usize>, JournalFault> {
        let Some(current) = &self.current else { return Ok(None) };
        let place = || Place::new(&current.name, current.at, number);
        self.buffer.resize(SECTOR.max(GROUP_HEADER), 0);
        let read = layout::read_full(&mut self.disk, &current.file, &mut self.buffer, current.at);
        let read = read.map_err(layout::at(&self.disk, "the segment cannot be read", place()))?;
        let header = self.buffer.get(..read).map(GroupHeader::peek);
        let Some(Ok(header)) = header.filter(|header| header.is_ok_and(|header| header.number == number)) else {
            return Ok(None);
        };
        self.buffer.resize(header.group_length(), 0);
        let read = layout::read_full(&mut self.disk, &current.file, &mut self.buffer, current.at);
        let read = read.map_err(layout::at(&self.disk, "the segment cannot be read", place()))?;
        Ok((read == self.buffer.len()).then_some(read))
    }

    /// Goes to where group `number` begins.
    fn begin(&mut self, number: u64) -> Result<(), JournalFault> {
        let names = self.disk.list();
        let names = names.map_err(layout::at(&self.disk, "the folder cannot be listed", Place::new("", 0, 0)))?;
        let firsts = names.iter().filter_map(|name| layout::segment_number(name));
        let Some(first) = firsts.filter(|first| *first <= number).max() else {
            let place = Place::new(&layout::segment_name(number), 0, number);
            return Err(JournalFault::at(self.disk.folder(), place, Fault::Nothing));
        };
        let name = layout::segment_name(first);
        let place = Place::new(&name, 0, number);
        let file = self.disk.open(&name).map_err(layout::at(&self.disk, "the segment cannot be opened", place))?;
        self.current = Some(Current { name, file, at: layout::offset(SEGMENT_HEADER) });
        for earlier in first..number {
            let Some(length) = self.read(earlier)? else { break };
            // The group before tells whether this is the journal that was followed.
            let same = earlier + 1 < number || self.is_head(length);
            if !same {
                let place = Place::new(&layout::segment_name(first), 0, earlier);
                return Err(JournalFault::at(self.disk.folder(), place, Fault::Chain));
            }
            if let Some(current) = &mut self.current {
                current.at += layout::offset(padded(length));
            }
        }
        Ok(())
    }

    fn is_head(&self, length: usize) -> bool {
        let group = self.buffer.get(..length).map(|bytes| Group::decode(bytes, &self.id));
        matches!(group, Some(Ok(group)) if group.head() == self.head)
    }
}
