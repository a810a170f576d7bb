//! The anchor: a second file that says which group was durable, so that a journal that lost its end is known.

use super::Disk;
use super::Fault;
use super::Groups;
use super::Head;
use super::JournalFault;
use super::JournalId;
use super::Place;
use super::format::SECTOR;
use super::format::Slot;
use super::layout;
use super::layout::ANCHOR;
use super::layout::ANCHOR_NEW;
use std::sync::Arc;

/// What the anchor says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Anchored {
    /// The journal's id.
    pub id: JournalId,
    /// What its readable slots name, the newer first.
    pub heads: Vec<Head>,
    /// The slot to be written next: an unreadable one, or the older.
    slot: u64,
}

impl Anchored {
    /// The newest group that was durable when the anchor was written.
    #[must_use]
    pub fn head(&self) -> Head {
        self.heads.first().copied().unwrap_or_else(|| Head::genesis(&self.id))
    }
}

/// Reads the anchor; `None` if there is none.
///
/// # Errors
/// Neither slot readable, or slots of two journals; or the disk's.
pub fn read<D: Disk>(disk: &mut D) -> Result<Option<Anchored>, JournalFault> {
    let here = || Place::new(ANCHOR, 0, 0);
    let names = disk.list().map_err(layout::at(disk, "the folder cannot be listed", Place::new("", 0, 0)))?;
    if !names.iter().any(|name| name == ANCHOR) {
        return Ok(None);
    }
    let file = disk.open(ANCHOR).map_err(layout::at(disk, "the anchor cannot be opened", here()))?;
    let mut bytes = [0; 2 * SECTOR];
    let length =
        layout::read_full(disk, &file, &mut bytes, 0).map_err(layout::at(disk, "the anchor cannot be read", here()))?;
    decode(bytes.get(..length).unwrap_or_default())
        .map(Some)
        .map_err(|fault| JournalFault::at(disk.folder(), here(), fault))
}

/// Reads the bytes of an anchor.
///
/// # Errors
/// [`Fault::Anchor`] or [`Fault::Foreign`].
pub fn decode(bytes: &[u8]) -> Result<Anchored, Fault> {
    let (first, second) = bytes.split_at_checked(SECTOR).unwrap_or((bytes, &[]));
    let (id, mut heads, slot) = match (Slot::decode(first), Slot::decode(second)) {
        (Ok(first), Ok(second)) if first.id != second.id => return Err(Fault::Foreign),
        (Ok(first), Ok(second)) => {
            (first.id, vec![first.head, second.head], u64::from(first.head.number > second.head.number))
        }
        (Ok(only), Err(_)) => (only.id, vec![only.head], 1),
        (Err(_), Ok(only)) => (only.id, vec![only.head], 0),
        (Err(_), Err(_)) => return Err(Fault::Anchor),
    };
    heads.sort_by_key(|head| std::cmp::Reverse(head.number));
    Ok(Anchored { id, heads, slot })
}

/// Makes the anchor of a new journal. A crash leaves none or a whole one.
pub(super) fn create<D: Disk>(disk: &mut D, id: JournalId) -> Result<Anchored, JournalFault> {
    let head = Head::genesis(&id);
    let mut made = || {
        let mut file = disk.create(ANCHOR_NEW)?;
        let mut bytes = [0; 2 * SECTOR];
        bytes[..SECTOR].copy_from_slice(&Slot { id, head }.encode());
        disk.write_at(&mut file, &bytes, 0)?;
        disk.sync(&file)?;
        disk.rename(ANCHOR_NEW, ANCHOR)?;
        disk.sync_folder()
    };
    made().map_err(layout::at(disk, "the anchor cannot be made", Place::new(ANCHOR, 0, 0)))?;
    Ok(Anchored { id, heads: vec![head], slot: 1 })
}

/// Writes the anchor, beside the writer and never in its way.
pub struct AnchorKeeper<D: Disk> {
    disk: D,
    file: D::File,
    groups: Arc<Groups>,
    id: JournalId,
    kept: u64,
    slot: u64,
}

impl<D: Disk> AnchorKeeper<D> {
    /// The newer slot is written again first: its sync may have failed in the last run, and the other one, which then
    /// alone is durable, is the next to be written over. A slot that is alone was durable before the other was begun.
    pub(super) fn open(mut disk: D, groups: Arc<Groups>, anchored: &Anchored) -> Result<Self, JournalFault> {
        let place = Place::new(ANCHOR, 0, 0);
        let file = disk.open(ANCHOR).map_err(layout::at(&disk, "the anchor cannot be opened", place))?;
        let (id, head) = (anchored.id, anchored.head());
        let mut keeper = Self { disk, file, groups, id, kept: head.number, slot: anchored.slot };
        if anchored.heads.len() > 1 {
            keeper.write(head, 1 - anchored.slot)?;
        }
        Ok(keeper)
    }

    /// Writes the last durable group into the older slot and syncs it, if there is a newer one since the last
    /// time. To be called every so often, and once more after the writer has ended.
    ///
    /// # Errors
    /// The disk's; then the journal has failed too, for a sync cannot be made up for.
    pub fn step(&mut self) -> Result<bool, JournalFault> {
        let head = self.groups.durable();
        if head.number <= self.kept {
            return Ok(false);
        }
        if let Err(fault) = self.write(head, self.slot) {
            self.groups.fail(&fault.to_string());
            return Err(fault);
        }
        self.kept = head.number;
        self.slot = 1 - self.slot;
        Ok(true)
    }

    fn write(&mut self, head: Head, slot: u64) -> Result<(), JournalFault> {
        let at = slot * layout::offset(SECTOR);
        let bytes = Slot { id: self.id, head }.encode();
        let written = self.disk.write_at(&mut self.file, &bytes, at).and_then(|()| self.disk.sync(&self.file));
        let place = Place::new(ANCHOR, at, head.number);
        written.map_err(layout::at(&self.disk, "the anchor cannot be written", place))
    }
}
