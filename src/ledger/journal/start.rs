//! Opening a journal to write: replay, then make the files ready.

use super::AnchorKeeper;
use super::BATCH_BYTES;
use super::Disk;
use super::Groups;
use super::Head;
use super::JournalFault;
use super::JournalId;
use super::Place;
use super::Preparer;
use super::Replayed;
use super::Visit;
use super::Writer;
use super::anchor;
use super::format::GROUP_HEADER;
use super::format::MAX_GROUP;
use super::format::SECTOR;
use super::format::SEGMENT_HEADER;
use super::layout;
use super::layout::ANCHOR_NEW;
use super::layout::PREPARED;
use super::layout::PREPARED_NEW;
use super::replay;
use super::replay::Torn;
use super::spare::Spare;
use super::writer::Current;
use crate::mutant;
use crate::mutant::Mutant;
use std::io;
use std::sync::Arc;

/// Length of a segment, if nothing else is said: 64 MiB.
pub const SEGMENT_BYTES: u64 = 64 << 20;
/// Least length of a segment.
pub const MIN_SEGMENT_BYTES: u64 = 8 << 10;

/// How a journal is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Length of the segments that are begun from now on: [`SEGMENT_BYTES`], or less for tests; taken as a
    /// multiple of 512 and at least [`MIN_SEGMENT_BYTES`]. Older segments keep theirs.
    pub segment_bytes: u64,
    /// The id of the journal, if it is new: 16 random bytes.
    pub new_id: JournalId,
}

impl Options {
    /// The options of a journal with this id, if it is new.
    #[must_use]
    pub fn new(new_id: JournalId) -> Self {
        Self { segment_bytes: SEGMENT_BYTES, new_id }
    }
}

/// A journal ready to be written: three parts for four threads, all sharing `groups`.
pub struct Opened<D: Disk> {
    /// Group commit: the ledger pushes here.
    pub groups: Arc<Groups>,
    /// Writes groups.
    pub writer: Writer<D>,
    /// Makes the next segment. Its first step is best done before the station accepts anything.
    pub preparer: Preparer<D>,
    /// Writes the anchor.
    pub anchor: AnchorKeeper<D>,
    /// What was found. A torn end has been cut.
    pub replayed: Replayed,
    /// Whether the journal was made just now.
    pub is_new: bool,
}

/// Opens a journal, or makes one in a folder that has none. The groups after `from`, the last group of a
/// snapshot, are shown to `visit` in order. A torn last group is cut, and said in [`Replayed::torn`].
///
/// # Errors
/// Every fault of [`replay()`]: then nothing was changed. Or the disk's.
pub fn open<D: Disk>(
    mut disk: D,
    options: &Options,
    from: Option<Head>,
    visit: &mut Visit<'_>,
) -> Result<Opened<D>, JournalFault> {
    let is_new = from.is_none() && anchor::read(&mut disk)?.is_none() && layout::segments(&mut disk)?.is_empty();
    if is_new {
        remove(&mut disk, ANCHOR_NEW)?;
        anchor::create(&mut disk, options.new_id)?;
    }
    let replayed = replay(&mut disk, from, visit)?;
    if let Some(torn) = &replayed.torn {
        cut(&mut disk, torn)?;
    }
    if !mutant::is(Mutant::UnsyncedBelieved) {
        settle(&mut disk, &replayed)?;
    }
    let length = options.segment_bytes.next_multiple_of(layout::offset(SECTOR)).max(MIN_SEGMENT_BYTES);
    remove(&mut disk, PREPARED_NEW)?;
    let spare = Arc::new(Spare::new(reclaim(&mut disk, length)?));
    let current = current(&mut disk, &replayed)?;
    let fits = usize::try_from(length).unwrap_or(usize::MAX) - SEGMENT_HEADER - GROUP_HEADER - 4;
    let groups = Arc::new(Groups::with_limit(replayed.head, BATCH_BYTES.min(fits)));
    let anchor = AnchorKeeper::open(disk.clone(), Arc::clone(&groups), &replayed.anchor)?;
    let preparer = Preparer::new(disk.clone(), Arc::clone(&groups), Arc::clone(&spare), length);
    let writer = Writer::new(disk, Arc::clone(&groups), spare, replayed.id, length, current);
    Ok(Opened { groups, writer, preparer, anchor, replayed, is_new })
}

/// Removes what an attempt that did not end left behind.
fn remove<D: Disk>(disk: &mut D, name: &str) -> Result<(), JournalFault> {
    let left = disk.list().and_then(|names| match names.iter().any(|have| have == name) {
        true => disk.remove(name),
        false => Ok(()),
    });
    left.map_err(layout::at(disk, "a file left over cannot be removed", Place::new(name, 0, 0)))
}

/// The segment to go on in.
fn current<D: Disk>(disk: &mut D, replayed: &Replayed) -> Result<Option<Current<D::File>>, JournalFault> {
    let (Some(end), Some(segment)) = (&replayed.end, replayed.segments.last()) else { return Ok(None) };
    let file = disk.open(&end.file).map_err(layout::at(disk, "the segment cannot be opened", end.clone()))?;
    Ok(Some(Current { name: end.file.clone(), file, at: end.offset, length: segment.header.length }))
}

/// Cuts a torn end: zeros again, so that what is written next has nothing of it behind.
fn cut<D: Disk>(disk: &mut D, torn: &Torn) -> Result<(), JournalFault> {
    let place = &torn.place;
    let mut file = disk.open(&place.file).map_err(layout::at(disk, "the torn end cannot be cut", place.clone()))?;
    let cut = blank(disk, &mut file, place.offset, place.offset + torn.bytes);
    cut.map_err(layout::at(disk, "the torn end cannot be cut", place.clone()))
}

/// Makes durable what was read, unless the anchor says that it is. The last run may have ended with its last
/// group written and not synced, or its sync failed: the machine remembers the group until its power goes, and
/// takes it for clean. It is written once more and synced before anything is answered from it, and so is the
/// name of its segment. This takes for granted that a power cut does not spoil a sector that is overwritten
/// with what it holds.
fn settle<D: Disk>(disk: &mut D, replayed: &Replayed) -> Result<(), JournalFault> {
    let Some(end) = replayed.end.as_ref().filter(|_| replayed.anchor.head().number < replayed.head.number) else {
        return Ok(());
    };
    let at = end.offset.saturating_sub(replayed.last);
    let place = Place::new(&end.file, at, replayed.head.number);
    let mut again = || {
        let mut file = disk.open(&end.file)?;
        let mut group = vec![0; usize::try_from(end.offset - at).unwrap_or(0)];
        let read = layout::read_full(disk, &file, &mut group, at)?;
        disk.write_at(&mut file, group.get(..read).unwrap_or_default(), at)?;
        disk.sync(&file)?;
        disk.sync_folder()
    };
    again().map_err(layout::at(disk, "the last group cannot be synced", place))
}

/// Takes over the prepared segment of the last run, if there is one of the right length; what a crash while
/// it was begun may have left in it is zeroed.
fn reclaim<D: Disk>(disk: &mut D, length: u64) -> Result<bool, JournalFault> {
    let mut ready = || {
        if !disk.list()?.iter().any(|name| name == PREPARED) {
            return Ok(false);
        }
        let mut file = disk.open(PREPARED)?;
        if disk.len(&file)? != length {
            drop(file);
            disk.remove(PREPARED)?;
            disk.sync_folder()?;
            return Ok(false);
        }
        blank(disk, &mut file, 0, length.min(layout::offset(SEGMENT_HEADER + MAX_GROUP)))?;
        Ok(true)
    };
    let ready: io::Result<bool> = ready();
    ready.map_err(layout::at(disk, "the next segment cannot be taken over", Place::new(PREPARED, 0, 0)))
}

/// Zeroes what is not zero between two offsets, and syncs it.
fn blank<D: Disk>(disk: &mut D, file: &mut D::File, from: u64, to: u64) -> io::Result<()> {
    const CHUNK: usize = 64 << 10;
    let zeros = vec![0; CHUNK];
    let mut buffer = vec![0; CHUNK];
    let mut at = from;
    let mut changed = false;
    while at < to {
        let wanted = usize::try_from(to - at).unwrap_or(CHUNK).min(CHUNK);
        let read = layout::read_full(disk, file, buffer.get_mut(..wanted).unwrap_or_default(), at)?;
        let zero = zeros.get(..read).unwrap_or_default();
        if read == 0 {
            break;
        }
        if buffer.get(..read) != Some(zero) {
            disk.write_at(file, zero, at)?;
            changed = true;
        }
        at += layout::offset(read);
    }
    if changed { disk.sync(file) } else { Ok(()) }
}
