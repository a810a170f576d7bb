//! Reading a journal from its files: every group in order, or the place where it cannot be believed.

use super::Disk;
use super::Fault;
use super::Head;
use super::JournalFault;
use super::JournalId;
use super::Place;
use super::anchor;
use super::anchor::Anchored;
use super::codec::CodecFault;
use super::cursor::Cursor;
use super::cursor::Found;
use super::format::Group;
use super::format::SECTOR;
use super::format::padded;
use super::layout;
use super::layout::SegmentFile;
use crate::mutant;
use crate::mutant::Mutant;

/// A record that the visitor cannot read: replay ends with its place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RecordFault {
    /// Which record of the group, from 0.
    pub index: u32,
    /// Why.
    pub fault: CodecFault,
}

/// Is shown every group, in order.
pub type Visit<'a> = dyn FnMut(&Group<'_>) -> Result<(), RecordFault> + 'a;

/// Bytes behind the last whole group that are no group: the last write before a crash, which nobody was told of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Torn {
    /// Where they begin.
    pub place: Place,
    /// How many, to the last that is not zero.
    pub bytes: u64,
}

/// What a journal holds.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// The journal's id.
    pub id: JournalId,
    /// What the anchor says.
    pub anchor: Anchored,
    /// Where reading began: the groups after this one were visited.
    pub start: Head,
    /// The last whole group.
    pub head: Head,
    /// The segments, in order.
    pub segments: Vec<SegmentFile>,
    /// Where the next group goes, if there is a segment for it.
    pub end: Option<Place>,
    /// Bytes of the last whole group with its padding, which end where the next one goes; 0 if there is none.
    pub last: u64,
    /// What is behind the last group and is none.
    pub torn: Option<Torn>,
}

/// Reads the journal and changes nothing. The groups after `from` (by default: all of them) are visited in
/// order. May run while a station writes: then what is being written at that moment looks torn.
///
/// # Errors
/// Everything that is not an unbroken chain of groups up to a torn last one: see [`Fault`]. What was
/// visited by then is whole and in order.
pub fn replay<D: Disk>(disk: &mut D, from: Option<Head>, visit: &mut Visit<'_>) -> Result<Replayed, JournalFault> {
    // First the anchor: a station may be writing, and what it says now is on disk when the segments are read.
    let anchored = anchor::read(disk)?;
    let segments = layout::segments(disk)?;
    let Some(anchor) = anchored else {
        let fault = if segments.is_empty() { Fault::Nothing } else { Fault::NoAnchor };
        return Err(JournalFault::at(disk.folder(), Place::new(layout::ANCHOR, 0, 0), fault));
    };
    let start = from.unwrap_or_else(|| Head::genesis(&anchor.id));
    let mut walk = Walk { folder: disk.folder(), anchor, start, head: start, last: 0, visit };
    let (end, torn) = walk.all(disk, &segments)?;
    walk.ends_late_enough(end.as_ref())?;
    let Walk { anchor, head, last, .. } = walk;
    Ok(Replayed { id: anchor.id, anchor, start, head, segments, end, last, torn })
}

struct Walk<'v, 'c> {
    folder: String,
    anchor: Anchored,
    start: Head,
    head: Head,
    last: u64,
    visit: &'v mut Visit<'c>,
}

impl Walk<'_, '_> {
    fn refuse(&self, place: Place, fault: Fault) -> JournalFault {
        JournalFault::at(self.folder.clone(), place, fault)
    }

    /// Walks the segments that hold what comes after `start`.
    fn all<D: Disk>(
        &mut self,
        disk: &mut D,
        segments: &[SegmentFile],
    ) -> Result<(Option<Place>, Option<Torn>), JournalFault> {
        if let Some(foreign) = segments.iter().find(|segment| segment.header.id != self.anchor.id) {
            return Err(self.refuse(Place::new(&foreign.name, 0, foreign.header.first), Fault::Foreign));
        }
        let covered = segments.iter().take_while(|segment| segment.header.first <= self.start.number + 1).count();
        let Some(needed) = segments.get(covered.saturating_sub(1)..).filter(|needed| !needed.is_empty()) else {
            return Ok((None, None));
        };
        self.begin(needed)?;
        let mut end = None;
        let mut torn = None;
        for (index, segment) in needed.iter().enumerate() {
            let mut cursor = Cursor::open(disk, segment)?;
            let at = self.groups(disk, &mut cursor, layout::offset(super::format::SEGMENT_HEADER))?;
            match needed.get(index + 1) {
                Some(next) => self.goes_on(next, cursor.place(at, self.head.number + 1))?,
                None => (end, torn) = self.tail(disk, &mut cursor, at)?,
            }
        }
        Ok((end, torn))
    }

    /// Takes the first needed segment's word for the group before it, as far as nothing contradicts it.
    fn begin(&mut self, needed: &[SegmentFile]) -> Result<(), JournalFault> {
        let Some(segment) = needed.first() else { return Ok(()) };
        let place = Place::new(&segment.name, 0, self.start.number + 1);
        if segment.header.first > self.start.number + 1 {
            let fault = Fault::Gap { next: segment.header.first, file: segment.name.clone() };
            return Err(self.refuse(place, fault));
        }
        self.head = Head { number: segment.header.first - 1, hash: segment.header.previous };
        if self.head.number == 0 && self.head != Head::genesis(&self.anchor.id) {
            return Err(self.refuse(place, Fault::Chain));
        }
        self.is_expected(&place)
    }

    /// Whether the head is the group that the snapshot and the anchor say, where they name it.
    fn is_expected(&self, place: &Place) -> Result<(), JournalFault> {
        let other = |named: &Head| named.number == self.head.number && named.hash != self.head.hash;
        if other(&self.start) {
            return Err(self.refuse(place.clone(), Fault::Snapshot));
        }
        if self.anchor.heads.iter().any(other) {
            return Err(self.refuse(place.clone(), Fault::NotAnchored));
        }
        Ok(())
    }

    /// Walks groups from `at` on; returns where the first that is none should be.
    fn groups<D: Disk>(&mut self, disk: &mut D, cursor: &mut Cursor<D>, mut at: u64) -> Result<u64, JournalFault> {
        let id = self.anchor.id;
        while !cursor.ended(at) {
            let place = cursor.place(at, self.head.number + 1);
            match cursor.group(disk, at, &id)? {
                Found::Group(group) => {
                    self.follow(&group, place)?;
                    at += layout::offset(padded(group.bytes.len()));
                }
                Found::None => break,
                Found::Unreadable(fault) => return Err(self.refuse(place, Fault::Header(fault))),
            }
        }
        Ok(at)
    }

    fn follow(&mut self, group: &Group<'_>, place: Place) -> Result<(), JournalFault> {
        let header = &group.header;
        if header.number > place.group {
            let fault = Fault::Gap { next: header.number, file: place.file.clone() };
            return Err(self.refuse(place, fault));
        }
        if header.number != place.group || header.previous != self.head.hash {
            return Err(self.refuse(place, Fault::Chain));
        }
        self.head = group.head();
        self.last = layout::offset(padded(group.bytes.len()));
        self.is_expected(&place)?;
        if header.number > self.start.number {
            (self.visit)(group)
                .map_err(|RecordFault { index, fault }| self.refuse(place, Fault::Record { index, fault }))?;
        }
        Ok(())
    }

    /// Whether the next segment goes on where this one ended.
    fn goes_on(&self, next: &SegmentFile, end: Place) -> Result<(), JournalFault> {
        if next.header.first > self.head.number + 1 {
            return Err(self.refuse(end, Fault::Gap { next: next.header.first, file: next.name.clone() }));
        }
        if next.header.first != self.head.number + 1 || next.header.previous != self.head.hash {
            return Err(self.refuse(Place::new(&next.name, 0, next.header.first), Fault::Chain));
        }
        Ok(())
    }

    /// Looks at everything behind the last group of the last segment. A group there means that one before it
    /// was lost; anything else that is not zero is torn.
    fn tail<D: Disk>(
        &mut self,
        disk: &mut D,
        cursor: &mut Cursor<D>,
        mut at: u64,
    ) -> Result<(Option<Place>, Option<Torn>), JournalFault> {
        loop {
            let (torn, beyond) = self.behind(disk, cursor, at)?;
            let Some(fault) = beyond else { return Ok((Some(cursor.place(at, self.head.number + 1)), torn)) };
            // A station may have written the one and the other meanwhile: look again.
            cursor.forget();
            let before = at;
            at = self.groups(disk, cursor, at)?;
            if at == before {
                return Err(self.refuse(cursor.place(at, self.head.number + 1), fault));
            }
        }
    }

    fn behind<D: Disk>(
        &self,
        disk: &mut D,
        cursor: &mut Cursor<D>,
        at: u64,
    ) -> Result<(Option<Torn>, Option<Fault>), JournalFault> {
        let mut torn = None;
        let mut sector = at;
        while !cursor.ended(sector) {
            if !cursor.blank(disk, sector)? {
                match cursor.group(disk, sector, &self.anchor.id)? {
                    Found::Group(group) => {
                        let next = group.header.number;
                        let file = cursor.place(sector, next).file;
                        return Ok((None, Some(Fault::Gap { next, file })));
                    }
                    Found::Unreadable(fault) => return Ok((None, Some(Fault::Header(fault)))),
                    Found::None => {}
                }
                let bytes = sector + layout::offset(SECTOR) - at;
                torn = Some(Torn { place: cursor.place(at, self.head.number + 1), bytes });
            }
            sector += layout::offset(SECTOR);
        }
        Ok((torn, None))
    }

    /// Whether nothing is lost that the anchor or the snapshot knows of.
    fn ends_late_enough(&self, end: Option<&Place>) -> Result<(), JournalFault> {
        let next = self.head.number + 1;
        let place = || end.cloned().unwrap_or_else(|| Place::new(&layout::segment_name(next), 0, next));
        let anchor = self.anchor.head().number;
        if self.head.number < anchor && !mutant::is(Mutant::GapAccepted) {
            return Err(self.refuse(place(), Fault::BeforeAnchor { anchor }));
        }
        if self.head.number < self.start.number {
            return Err(self.refuse(place(), Fault::BeforeSnapshot { snapshot: self.start.number }));
        }
        Ok(())
    }
}
