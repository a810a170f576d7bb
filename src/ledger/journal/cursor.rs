//! A segment read from front to end through a bounded window.

use super::Disk;
use super::JournalFault;
use super::JournalId;
use super::Place;
use super::format::GROUP_HEADER;
use super::format::Group;
use super::format::GroupHeader;
use super::format::HeaderFault;
use super::format::SECTOR;
use super::layout;
use super::layout::SegmentFile;

/// Bytes read at once; more only for a group that is larger.
const WINDOW: usize = 256 << 10;

/// What is at a group's place.
pub(super) enum Found<'a> {
    Group(Group<'a>),
    /// Nothing that could have been a group: zeros, the end of the file, or bytes without a right check sum.
    None,
    /// Bytes whose check sum is right and that this release cannot read.
    Unreadable(HeaderFault),
}

pub(super) struct Cursor<D: Disk> {
    file: D::File,
    name: String,
    length: u64,
    window: Vec<u8>,
    /// Offset in the file of the window's first byte.
    start: u64,
}

impl<D: Disk> Cursor<D> {
    pub(super) fn open(disk: &mut D, segment: &SegmentFile) -> Result<Self, JournalFault> {
        let place = Place::new(&segment.name, 0, segment.header.first);
        let file = disk.open(&segment.name).map_err(layout::at(disk, "the segment cannot be opened", place))?;
        Ok(Self { file, name: segment.name.clone(), length: segment.length, window: Vec::new(), start: 0 })
    }

    /// Forgets what was read: somebody may have written since.
    pub(super) fn forget(&mut self) {
        self.window.clear();
    }

    /// Whether nothing more fits at `at`.
    pub(super) fn ended(&self, at: u64) -> bool {
        at.saturating_add(layout::offset(SECTOR)) > self.length
    }

    /// Up to `wanted` bytes from `at` on; fewer only at the end of the file.
    fn bytes(&mut self, disk: &mut D, at: u64, wanted: usize) -> Result<&[u8], JournalFault> {
        let rest = usize::try_from(self.length.saturating_sub(at)).unwrap_or(usize::MAX);
        let wanted = wanted.min(rest);
        let inside = |start: u64, have: usize| {
            let skip = usize::try_from(at.checked_sub(start)?).ok()?;
            (skip.checked_add(wanted)? <= have).then_some(skip)
        };
        let skip = match inside(self.start, self.window.len()) {
            Some(skip) => skip,
            None => {
                self.start = at;
                self.window.resize(wanted.max(WINDOW).min(rest), 0);
                let read = layout::read_full(disk, &self.file, &mut self.window, at);
                let read = read.map_err(layout::at(disk, "the segment cannot be read", self.place(at, 0)))?;
                self.window.truncate(read);
                0
            }
        };
        let end = (skip + wanted).min(self.window.len());
        Ok(self.window.get(skip..end).unwrap_or_default())
    }

    /// A place in this segment.
    pub(super) fn place(&self, at: u64, group: u64) -> Place {
        Place::new(&self.name, at, group)
    }

    /// What is at `at`.
    pub(super) fn group(&mut self, disk: &mut D, at: u64, id: &JournalId) -> Result<Found<'_>, JournalFault> {
        let Ok(header) = GroupHeader::peek(self.bytes(disk, at, GROUP_HEADER)?) else { return Ok(Found::None) };
        let bytes = self.bytes(disk, at, header.group_length())?;
        Ok(match Group::decode(bytes, id) {
            Ok(group) => Found::Group(group),
            Err(fault @ (HeaderFault::Version(_) | HeaderFault::Records)) => Found::Unreadable(fault),
            Err(_) => Found::None,
        })
    }

    /// Whether the sector at `at` is all zeros.
    pub(super) fn blank(&mut self, disk: &mut D, at: u64) -> Result<bool, JournalFault> {
        const BLANK: [u8; SECTOR] = [0; SECTOR];
        let sector = self.bytes(disk, at, SECTOR)?;
        Ok(BLANK.starts_with(sector))
    }
}
