//! The key index of a closed day: sorted keys and where their records are, behind a filter and fences that
//! are kept in memory. A look-up that finds nothing reads nothing, mostly; one that finds reads a page.

use super::key::Key;
use crate::ledger::journal::Disk;
use crate::ledger::journal::JournalId;
use crate::ledger::journal::blocks::FileFault;
use crate::ledger::journal::blocks::RecordPlace;
use crate::ledger::journal::layout;
use std::io;

const MAGIC: &[u8; 8] = b"TGDAYKEY";
const HEADER: usize = 64;
const PAGE: usize = 4096;
const ENTRY: usize = 24;
/// Entries of a page; its last four bytes are its check sum.
const PER_PAGE: usize = (PAGE - 4) / ENTRY;
/// Bits a key; about one look-up in a hundred for what is not there reads a page.
const BITS: usize = 10;
const PROBES: u64 = 7;

/// The part of an index that is kept in memory.
#[derive(Debug)]
pub(super) struct Index {
    filter: Vec<u8>,
    /// First half of the first key of each page.
    fences: Vec<u64>,
    entries: usize,
    pages_at: u64,
}

fn halves(key: &Key) -> (u64, u64) {
    let half = |at: usize| key.0.get(at..at + 8).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
    (u64::from_be_bytes(half(0)), u64::from_be_bytes(half(8)))
}

/// The places of a key's bits in a filter of so many bytes.
fn bits(key: &Key, bytes: usize) -> impl Iterator<Item = (usize, u8)> {
    let (first, second) = halves(key);
    let length = (bytes as u64 * 8).max(1);
    (0..PROBES).map(move |probe| {
        let bit = first.wrapping_add(probe.wrapping_mul(second | 1)) % length;
        (usize::try_from(bit / 8).unwrap_or_default(), 1 << (bit % 8))
    })
}

fn header(id: &JournalId, closing: u64, entries: usize, filter: usize) -> [u8; HEADER] {
    let mut out = [0; HEADER];
    let (entries, filter) = (entries as u64, filter as u64);
    let parts: [(usize, &[u8]); 5] = [
        (0, MAGIC),
        (8, &id.0),
        (24, &closing.to_be_bytes()),
        (32, &entries.to_be_bytes()),
        (40, &filter.to_be_bytes()),
    ];
    for (at, part) in parts {
        if let Some(place) = out.get_mut(at..at + part.len()) {
            place.copy_from_slice(part);
        }
    }
    let sum = out.split_last_chunk::<4>().map_or(0, |(body, _)| crc32c::crc32c(body));
    if let Some(place) = out.last_chunk_mut() {
        *place = sum.to_be_bytes();
    }
    out
}

/// The bytes of the index of these keys, which it sorts.
pub(super) fn encode((id, closing): (&JournalId, u64), keys: &mut [(Key, RecordPlace)]) -> Vec<u8> {
    keys.sort_unstable();
    let mut filter = vec![0; (keys.len() * BITS).div_ceil(8)];
    for (key, _) in keys.iter() {
        for (byte, bit) in bits(key, filter.len()) {
            if let Some(byte) = filter.get_mut(byte) {
                *byte |= bit;
            }
        }
    }
    let mut out = header(id, closing, keys.len(), filter.len()).to_vec();
    out.extend_from_slice(&filter);
    for page in keys.chunks(PER_PAGE) {
        out.extend_from_slice(&page.first().map_or(0, |(key, _)| halves(key).0).to_be_bytes());
    }
    let sum = crc32c::crc32c(&out);
    out.extend_from_slice(&sum.to_be_bytes());
    for page in keys.chunks(PER_PAGE) {
        let start = out.len();
        for (key, place) in page {
            out.extend_from_slice(&key.0);
            out.extend_from_slice(&(place.block << 16 | u64::from(place.index)).to_be_bytes());
        }
        out.resize(start + PAGE - 4, 0);
        let sum = crc32c::crc32c(out.get(start..).unwrap_or_default());
        out.extend_from_slice(&sum.to_be_bytes());
    }
    out
}

/// Writes the index of these keys, which it sorts.
pub(super) fn write<D: Disk>(
    disk: &mut D,
    temporary: &str,
    name: &str,
    of: (&JournalId, u64),
    keys: &mut [(Key, RecordPlace)],
) -> io::Result<()> {
    let out = encode(of, keys);
    if disk.list()?.iter().any(|left| left == temporary) {
        disk.remove(temporary)?;
    }
    let mut file = disk.create(temporary)?;
    disk.write_at(&mut file, &out, 0)?;
    disk.sync(&file)?;
    drop(file);
    disk.rename(temporary, name)?;
    disk.sync_folder()
}

impl Index {
    /// Opens an index and reads what is kept in memory of it.
    pub(super) fn open<D: Disk>(
        disk: &mut D,
        name: &str,
        (id, closing): (&JournalId, u64),
    ) -> Result<(Self, D::File), FileFault> {
        let file = disk.open(name)?;
        let length = disk.len(&file)?;
        let mut front = vec![0; HEADER];
        layout::read_full(disk, &file, &mut front, 0)?;
        let number = |at: usize| {
            let bytes = front.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
            usize::try_from(u64::from_be_bytes(bytes)).ok().filter(|number| *number as u64 <= length)
        };
        let (entries, filter) = number(32).zip(number(40)).ok_or(FileFault::Header)?;
        if front != header(id, closing, entries, filter) {
            return Err(FileFault::Header);
        }
        let pages = entries.div_ceil(PER_PAGE);
        let mut rest = vec![0; filter + pages * 8 + 4];
        if layout::read_full(disk, &file, &mut rest, layout::offset(HEADER))? < rest.len() {
            return Err(FileFault::Header);
        }
        let pages_at = layout::offset(HEADER + rest.len());
        let sum = rest.split_off(rest.len() - 4);
        if crc32c::crc32c_append(crc32c::crc32c(&front), &rest).to_be_bytes().as_slice() != sum {
            return Err(FileFault::Block(0));
        }
        let fences = rest.split_off(filter);
        let fences = fences.chunks_exact(8).map(|fence| fence.first_chunk().copied().unwrap_or_default());
        let index = Self { filter: rest, fences: fences.map(u64::from_be_bytes).collect(), entries, pages_at };
        Ok((index, file))
    }

    /// Whether the key may be there: false is certain.
    pub(super) fn may_have(&self, key: &Key) -> bool {
        self.entries > 0
            && bits(key, self.filter.len()).all(|(byte, bit)| self.filter.get(byte).is_some_and(|byte| byte & bit != 0))
    }

    /// Where the records of a key are, by the index in `file`.
    pub(super) fn find<D: Disk>(&self, disk: &mut D, file: &D::File, key: &Key) -> Result<Vec<RecordPlace>, FileFault> {
        let mut found = Vec::new();
        if !self.may_have(key) {
            return Ok(found);
        }
        let first = halves(key).0;
        let from = self.fences.partition_point(|fence| *fence < first).saturating_sub(1);
        for page in from..self.fences.len() {
            if self.fences.get(page).is_none_or(|fence| *fence > first) {
                break;
            }
            let at = self.pages_at + layout::offset(page * PAGE);
            let mut bytes = vec![0; PAGE];
            let read = layout::read_full(disk, file, &mut bytes, at)?;
            let whole = bytes.split_last_chunk::<4>().filter(|(body, sum)| crc32c::crc32c(body).to_be_bytes() == **sum);
            let (body, _) = whole.filter(|_| read == PAGE).ok_or(FileFault::Block(at))?;
            let here = PER_PAGE.min(self.entries - page * PER_PAGE);
            for entry in body.chunks_exact(ENTRY).take(here) {
                let Some((known, place)) = entry.split_first_chunk::<16>() else { continue };
                if known == &key.0 {
                    let place = u64::from_be_bytes(place.first_chunk().copied().unwrap_or_default());
                    let index = u16::try_from(place & 0xFFFF).unwrap_or_default();
                    found.push(RecordPlace { block: place >> 16, index });
                }
            }
        }
        Ok(found)
    }
}
