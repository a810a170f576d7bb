//! Files of records that are written once, whole, and never changed: snapshots, and archives of closed days.
//!
//! A header, blocks of records with a check sum each, and a trailer that says how many there were. A file
//! gets its name when all of it is synced, so one that has its name and is not whole was hurt afterwards.

use super::Disk;
use super::Head;
use super::JournalId;
use super::format::MAX_RECORDS;
use super::format::SECTOR;
use super::layout;
use crate::model::Timestamp;
use std::io;

/// Length of the header.
pub const HEADER: usize = SECTOR;
const VERSION: u16 = 1;
/// Length and count of records, in front of a block.
const PREFIX: usize = 8;
/// Count of records and of blocks, check sum of the blocks' check sums.
const TRAILER: usize = 16;

/// Which files these are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// The book after a group.
    Snapshot,
    /// What left the book when a day was closed.
    Day,
}

impl Purpose {
    fn magic(self) -> &'static [u8; 8] {
        match self {
            Self::Snapshot => b"TGSNAPSH",
            Self::Day => b"TGDAYEND",
        }
    }

    /// Bytes of records after which a block ends: read at once, or one at a time.
    fn block(self) -> usize {
        match self {
            Self::Snapshot => 256 << 10,
            Self::Day => 4 << 10,
        }
    }
}

/// What a file says of itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FileHeader {
    /// What it is.
    pub purpose: Purpose,
    /// The journal it was made from.
    pub id: JournalId,
    /// Of a snapshot: the group after which the book was so. Of a day: which closing it was, and zeros.
    pub head: Head,
    /// When it was made, by the wall clock.
    pub created: Timestamp,
}

/// Why a file of records cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileFault {
    /// The operating system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The header is not one, or of another version.
    #[error("the header is not readable")]
    Header,
    /// Of another journal, or under another file's name.
    #[error("the file is not what its name says")]
    Foreign,
    /// A block is damaged or missing.
    #[error("the block at byte {0} is damaged")]
    Block(u64),
    /// A record cannot be read.
    #[error("the block at byte {0}: {1}")]
    Record(u64, super::CodecFault),
}

impl FileHeader {
    fn encode(&self) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        let parts: [(usize, &[u8]); 6] = [
            (0, self.purpose.magic()),
            (8, &VERSION.to_be_bytes()),
            (16, &self.id.0),
            (32, &self.head.number.to_be_bytes()),
            (40, &self.head.hash),
            (72, &self.created.0.to_be_bytes()),
        ];
        for (at, part) in parts {
            if let Some(place) = out.get_mut(at..at + part.len()) {
                place.copy_from_slice(part);
            }
        }
        let sum = out.split_last_chunk::<4>().map_or(0, |(body, _)| crc32c::crc32c(body));
        if let Some(place) = out.last_chunk_mut::<4>() {
            *place = sum.to_be_bytes();
        }
        out
    }

    fn decode(input: &[u8; HEADER], purpose: Purpose) -> Result<Self, FileFault> {
        let (body, sum) = input.split_last_chunk::<4>().ok_or(FileFault::Header)?;
        let version = u16::from_be_bytes(at(body, 8));
        if !body.starts_with(purpose.magic()) || crc32c::crc32c(body) != u32::from_be_bytes(*sum) || version != VERSION
        {
            return Err(FileFault::Header);
        }
        let head = Head { number: u64::from_be_bytes(at(body, 32)), hash: at(body, 40) };
        let created = Timestamp(i64::from_be_bytes(at(body, 72)));
        Ok(Self { purpose, id: JournalId(at(body, 16)), head, created })
    }
}

/// `N` bytes at a fixed place; zeros beyond the end, which every caller has ruled out.
fn at<const N: usize>(input: &[u8], at: usize) -> [u8; N] {
    input.get(at..).and_then(<[u8]>::first_chunk::<N>).copied().unwrap_or([0; N])
}

/// The check sum of a block: also over its file's header and its place, so that none can stand in for another.
fn check_sum(seed: u32, at: u64, block: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(seed, &at.to_be_bytes()), block)
}

/// Where a record is: its block's offset in the file, and which of the block's records it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct RecordPlace {
    /// Offset of the block.
    pub block: u64,
    /// Which record of it, from 0.
    pub index: u16,
}

/// Writes a file of records.
pub struct RecordFile<D: Disk> {
    disk: D,
    file: D::File,
    temporary: String,
    limit: usize,
    seed: u32,
    at: u64,
    block: Vec<u8>,
    count: u32,
    blocks: u32,
    records: u64,
    sums: u32,
}

impl<D: Disk> RecordFile<D> {
    /// Begins a file under a temporary name; what an earlier attempt left behind goes.
    ///
    /// # Errors
    /// The disk's, here and below; then nothing has the file's name.
    pub fn create(mut disk: D, temporary: &str, header: &FileHeader) -> io::Result<Self> {
        if disk.list()?.iter().any(|name| name == temporary) {
            disk.remove(temporary)?;
        }
        let mut file = disk.create(temporary)?;
        let bytes = header.encode();
        disk.write_at(&mut file, &bytes, 0)?;
        Ok(Self {
            disk,
            file,
            temporary: temporary.to_owned(),
            limit: header.purpose.block(),
            seed: crc32c::crc32c(&bytes),
            at: layout::offset(HEADER),
            block: vec![0; PREFIX],
            count: 0,
            blocks: 0,
            records: 0,
            sums: 0,
        })
    }

    /// Appends the record that `write` writes; says where it will be.
    ///
    /// # Errors
    /// The disk's.
    pub fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> io::Result<RecordPlace> {
        if self.block.len() >= self.limit || self.count >= u32::from(u16::MAX) {
            self.flush()?;
        }
        let start = self.block.len();
        self.block.extend_from_slice(&[0; 4]);
        write(&mut self.block);
        let length = u32::try_from(self.block.len() - start - 4).map_err(io::Error::other)?;
        if let Some(prefix) = self.block.get_mut(start..start + 4) {
            prefix.copy_from_slice(&length.to_be_bytes());
        }
        let index = u16::try_from(self.count).map_err(io::Error::other)?;
        self.count += 1;
        self.records += 1;
        Ok(RecordPlace { block: self.at, index })
    }

    fn flush(&mut self) -> io::Result<()> {
        let length = u32::try_from(self.block.len() - PREFIX).map_err(io::Error::other)?;
        if let Some(prefix) = self.block.get_mut(..PREFIX) {
            let (first, second) = prefix.split_at_mut(4);
            first.copy_from_slice(&length.to_be_bytes());
            second.copy_from_slice(&self.count.to_be_bytes());
        }
        let sum = check_sum(self.seed, self.at, &self.block).to_be_bytes();
        self.block.extend_from_slice(&sum);
        self.disk.write_at(&mut self.file, &self.block, self.at)?;
        self.at += layout::offset(self.block.len());
        self.sums = crc32c::crc32c_append(self.sums, &sum);
        self.blocks += 1;
        self.count = 0;
        self.block.truncate(PREFIX);
        Ok(())
    }

    /// Ends the file: synced, then renamed, then the folder synced. Returns its length.
    ///
    /// # Errors
    /// The disk's.
    pub fn finish(mut self, name: &str) -> io::Result<u64> {
        if self.count > 0 {
            self.flush()?;
        }
        let mut trailer = vec![0; PREFIX];
        trailer.extend_from_slice(&self.records.to_be_bytes());
        trailer.extend_from_slice(&self.blocks.to_be_bytes());
        trailer.extend_from_slice(&self.sums.to_be_bytes());
        trailer.extend_from_slice(&check_sum(self.seed, self.at, &trailer).to_be_bytes());
        self.disk.write_at(&mut self.file, &trailer, self.at)?;
        self.disk.sync(&self.file)?;
        drop(self.file);
        self.disk.rename(&self.temporary, name)?;
        self.disk.sync_folder()?;
        Ok(self.at + layout::offset(trailer.len()))
    }
}

/// Is shown every record and where it is.
pub type VisitRecord<'a> = dyn FnMut(RecordPlace, &[u8]) -> Result<(), super::CodecFault> + 'a;

/// An open file of records.
pub struct RecordReader<F> {
    file: F,
    /// What the file says of itself.
    pub header: FileHeader,
    seed: u32,
}

impl<F> RecordReader<F> {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// [`FileFault`], here and below.
    pub fn open<D: Disk<File = F>>(disk: &mut D, name: &str, purpose: Purpose) -> Result<Self, FileFault> {
        let file = disk.open(name)?;
        let mut bytes = [0; HEADER];
        if layout::read_full(disk, &file, &mut bytes, 0)? < HEADER {
            return Err(FileFault::Header);
        }
        Ok(Self { file, header: FileHeader::decode(&bytes, purpose)?, seed: crc32c::crc32c(&bytes) })
    }

    /// Reads the block at `at` into `buffer`: count, and where the records are in it. A count of none is
    /// the trailer.
    fn block<D: Disk<File = F>>(&self, disk: &mut D, at: u64, buffer: &mut Vec<u8>) -> Result<u32, FileFault> {
        let damaged = || FileFault::Block(at);
        buffer.resize(PREFIX, 0);
        if layout::read_full(disk, &self.file, buffer, at)? < PREFIX {
            return Err(damaged());
        }
        let length = usize::try_from(u32::from_be_bytes(self::at(buffer, 0))).map_err(|_| damaged())?;
        let count = u32::from_be_bytes(self::at(buffer, 4));
        // A record more than a block holds may follow the block's limit.
        if length > 2 * MAX_RECORDS {
            return Err(damaged());
        }
        let whole = PREFIX + 4 + if count == 0 { TRAILER } else { length };
        buffer.resize(whole, 0);
        let rest = buffer.get_mut(PREFIX..).unwrap_or_default();
        let wanted = rest.len();
        if layout::read_full(disk, &self.file, rest, at + layout::offset(PREFIX))? < wanted {
            return Err(damaged());
        }
        let (body, sum) = buffer.split_last_chunk::<4>().ok_or_else(damaged)?;
        if check_sum(self.seed, at, body) != u32::from_be_bytes(*sum) {
            return Err(damaged());
        }
        Ok(count)
    }

    /// Shows every record and its place to `visit`, in order; then the file is whole. What was visited before
    /// an error may not be used.
    ///
    /// # Errors
    /// The first thing that is not as it was written, or what `visit` says.
    pub fn read<D: Disk<File = F>>(&self, disk: &mut D, visit: &mut VisitRecord<'_>) -> Result<u64, FileFault> {
        let (mut at, mut blocks, mut records, mut sums) = (layout::offset(HEADER), 0u32, 0u64, 0u32);
        let mut buffer = Vec::new();
        loop {
            let count = self.block(disk, at, &mut buffer)?;
            let damaged = || FileFault::Block(at);
            if count == 0 {
                let said: (u64, u32, u32) = (
                    u64::from_be_bytes(self::at(&buffer, PREFIX)),
                    u32::from_be_bytes(self::at(&buffer, PREFIX + 8)),
                    u32::from_be_bytes(self::at(&buffer, PREFIX + 12)),
                );
                return if said == (records, blocks, sums) { Ok(records) } else { Err(damaged()) };
            }
            let mut seen = 0;
            for (index, record) in (0..).zip(split(&buffer)) {
                visit(RecordPlace { block: at, index }, record).map_err(|fault| FileFault::Record(at, fault))?;
                seen += 1;
            }
            if seen != count {
                return Err(damaged());
            }
            sums = crc32c::crc32c_append(sums, buffer.last_chunk::<4>().unwrap_or(&[0; 4]));
            at += layout::offset(buffer.len());
            blocks += 1;
            records += u64::from(count);
        }
    }

    /// One record.
    ///
    /// # Errors
    /// If there is none at that place.
    pub fn one<D: Disk<File = F>>(&self, disk: &mut D, place: RecordPlace) -> Result<Vec<u8>, FileFault> {
        let mut buffer = Vec::new();
        self.block(disk, place.block, &mut buffer)?;
        let record = split(&buffer).nth(usize::from(place.index));
        record.map(<[u8]>::to_vec).ok_or(FileFault::Block(place.block))
    }
}

/// The records of a block whose check sum was right.
fn split(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    let body = block.split_last_chunk::<4>().map(|(body, _)| body).unwrap_or_default();
    let mut rest = body.get(PREFIX..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (prefix, behind) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*prefix)).ok()?;
        let (record, behind) = behind.split_at_checked(length)?;
        rest = behind;
        Some(record)
    })
}
