//! The bytes of a journal: segment headers, groups, anchor slots. Pure functions; whatever the bytes, they
//! are read or refused, and nothing is believed before its check sum was right. All numbers are big-endian.

use crate::model::Timestamp;
use sha2::Digest;
use sha2::Sha256;
use std::fmt;

/// What is written at once begins on a multiple of this many bytes: no durable sector is written again.
pub const SECTOR: usize = 512;
/// Length of a segment's header.
pub const SEGMENT_HEADER: usize = 4096;
/// Length of a group's header.
pub const GROUP_HEADER: usize = 64;
/// Most bytes of records that a group may have.
pub const MAX_RECORDS: usize = 4 << 20;
/// Most bytes that a group may have, its padding included.
pub const MAX_GROUP: usize = padded(GROUP_HEADER + MAX_RECORDS + 4);
/// Version of all formats here.
pub const VERSION: u16 = 1;

const SEGMENT_MAGIC: &[u8; 8] = b"TGSEGMNT";
const GROUP_MAGIC: &[u8; 4] = b"TGRP";
const ANCHOR_MAGIC: &[u8; 8] = b"TGANCHOR";
/// Least bytes of a record: its length and its tag.
const MIN_RECORD: u32 = 5;

/// SHA-256 of a group.
pub type Hash = [u8; 32];

/// What tells one journal from another: 16 random bytes, made with it.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct JournalId(pub [u8; 16]);

impl fmt::Debug for JournalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A group, by number and hash: the end of everything before it.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Head {
    /// The group's number; groups count from 1, and 0 is before the first.
    pub number: u64,
    /// SHA-256 of its header, records and check sum.
    pub hash: Hash,
}

impl Head {
    /// Before the first group: number 0, and the SHA-256 of the journal's id in place of a hash, which
    /// chains the first group to its journal.
    #[must_use]
    pub fn genesis(id: &JournalId) -> Self {
        Self { number: 0, hash: Sha256::digest(id.0).into() }
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "group {} ", self.number)?;
        self.hash.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why a header, group or slot cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HeaderFault {
    /// Too few bytes.
    #[error("too short")]
    Short,
    /// It begins with something else.
    #[error("not of this format")]
    Magic,
    /// Of a version that this release does not know.
    #[error("version {0} is not known to this release")]
    Version(u16),
    /// A length or count beyond its limit.
    #[error("a length is beyond its limit")]
    Limit,
    /// The check sum is wrong.
    #[error("the check sum is wrong")]
    CheckSum,
    /// The records do not fill their group.
    #[error("the records do not fill their group")]
    Records,
}

/// The next multiple of [`SECTOR`].
#[must_use]
pub const fn padded(length: usize) -> usize {
    length.next_multiple_of(SECTOR)
}

/// Reads a fixed number of bytes at a fixed place; zeros beyond the end, which every caller has ruled out.
fn bytes<const N: usize>(input: &[u8], at: usize) -> [u8; N] {
    input.get(at..).and_then(<[u8]>::first_chunk::<N>).copied().unwrap_or([0; N])
}

fn put(out: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = out.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

/// The header of a segment file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SegmentHeader {
    /// The journal it belongs to.
    pub id: JournalId,
    /// Number of its first group.
    pub first: u64,
    /// Hash of the group before that.
    pub previous: Hash,
    /// When it was begun, by the wall clock.
    pub created: Timestamp,
    /// Length in bytes with which the file was made.
    pub length: u64,
}

impl SegmentHeader {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; SEGMENT_HEADER] {
        let mut out = [0; SEGMENT_HEADER];
        put(&mut out, 0, SEGMENT_MAGIC);
        put(&mut out, 8, &VERSION.to_be_bytes());
        put(&mut out, 16, &self.id.0);
        put(&mut out, 32, &self.first.to_be_bytes());
        put(&mut out, 40, &self.previous);
        put(&mut out, 72, &self.created.0.to_be_bytes());
        put(&mut out, 80, &self.length.to_be_bytes());
        finish(&mut out);
        out
    }

    /// Reads it from the front of a segment.
    ///
    /// # Errors
    /// [`HeaderFault`], if it is none.
    pub fn decode(input: &[u8]) -> Result<Self, HeaderFault> {
        let input = input.first_chunk::<SEGMENT_HEADER>().ok_or(HeaderFault::Short)?;
        check(input, SEGMENT_MAGIC)?;
        let first = u64::from_be_bytes(bytes(input, 32));
        if first == 0 {
            return Err(HeaderFault::Limit);
        }
        Ok(Self {
            id: JournalId(bytes(input, 16)),
            first,
            previous: bytes(input, 40),
            created: Timestamp(i64::from_be_bytes(bytes(input, 72))),
            length: u64::from_be_bytes(bytes(input, 80)),
        })
    }
}

/// One of the two slots of the anchor: a group that was durable when the slot was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Slot {
    /// The journal it belongs to.
    pub id: JournalId,
    /// The group.
    pub head: Head,
}

impl Slot {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; SECTOR] {
        let mut out = [0; SECTOR];
        put(&mut out, 0, ANCHOR_MAGIC);
        put(&mut out, 8, &VERSION.to_be_bytes());
        put(&mut out, 16, &self.id.0);
        put(&mut out, 32, &self.head.number.to_be_bytes());
        put(&mut out, 40, &self.head.hash);
        finish(&mut out);
        out
    }

    /// Reads it from its 512 bytes.
    ///
    /// # Errors
    /// [`HeaderFault`], if it is none.
    pub fn decode(input: &[u8]) -> Result<Self, HeaderFault> {
        let input = input.first_chunk::<SECTOR>().ok_or(HeaderFault::Short)?;
        check(input, ANCHOR_MAGIC)?;
        let head = Head { number: u64::from_be_bytes(bytes(input, 32)), hash: bytes(input, 40) };
        Ok(Self { id: JournalId(bytes(input, 16)), head })
    }
}

/// Writes the check sum of a fixed block into its last four bytes.
fn finish<const N: usize>(out: &mut [u8; N]) {
    let sum = out.split_last_chunk::<4>().map_or(0, |(body, _)| crc32c::crc32c(body));
    put(out, N - 4, &sum.to_be_bytes());
}

/// Check sum, magic and version of a fixed block. A version is believed only with its check sum.
fn check<const N: usize>(input: &[u8; N], magic: &[u8; 8]) -> Result<(), HeaderFault> {
    let Some((body, sum)) = input.split_last_chunk::<4>() else { return Err(HeaderFault::Short) };
    if !body.starts_with(magic) {
        return Err(HeaderFault::Magic);
    }
    if crc32c::crc32c(body) != u32::from_be_bytes(*sum) {
        return Err(HeaderFault::CheckSum);
    }
    version(u16::from_be_bytes(bytes(body, 8)))
}

fn version(version: u16) -> Result<(), HeaderFault> {
    if version == VERSION { Ok(()) } else { Err(HeaderFault::Version(version)) }
}

/// The header of a group.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GroupHeader {
    /// Format version, which also says how its records are read.
    pub version: u16,
    /// Its number: one more than that of the group before.
    pub number: u64,
    /// When it was written, by the wall clock, which may step.
    pub wall: Timestamp,
    /// Hash of the group before.
    pub previous: Hash,
    /// How many records.
    pub count: u32,
    /// Their length in bytes, their own lengths included.
    pub length: u32,
}

impl GroupHeader {
    /// Reads the front of a group, to know its length. Nothing of it may be believed but that the length
    /// is within its limit.
    ///
    /// # Errors
    /// [`HeaderFault`], if it cannot be one.
    pub fn peek(input: &[u8]) -> Result<Self, HeaderFault> {
        let input = input.first_chunk::<GROUP_HEADER>().ok_or(HeaderFault::Short)?;
        if !input.starts_with(GROUP_MAGIC) {
            return Err(HeaderFault::Magic);
        }
        let header = Self {
            version: u16::from_be_bytes(bytes(input, 4)),
            number: u64::from_be_bytes(bytes(input, 8)),
            wall: Timestamp(i64::from_be_bytes(bytes(input, 16))),
            previous: bytes(input, 24),
            count: u32::from_be_bytes(bytes(input, 56)),
            length: u32::from_be_bytes(bytes(input, 60)),
        };
        let fits = usize::try_from(header.length).is_ok_and(|length| length <= MAX_RECORDS);
        if !fits || header.count == 0 || header.count > header.length / MIN_RECORD || header.number == 0 {
            return Err(HeaderFault::Limit);
        }
        Ok(header)
    }

    /// Length of header, records and check sum.
    #[must_use]
    pub fn group_length(&self) -> usize {
        GROUP_HEADER + usize::try_from(self.length).unwrap_or(MAX_RECORDS) + 4
    }
}

/// A whole group.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Group<'a> {
    /// Its header.
    pub header: GroupHeader,
    /// Header, records and check sum: what its hash is over.
    pub bytes: &'a [u8],
}

impl<'a> Group<'a> {
    /// Reads the group at the front of `input`: check sum right, version known, records filling it. The
    /// check sum begins with the journal's id, so that nobody who does not know it can make up a group,
    /// and a group of another journal is none.
    ///
    /// # Errors
    /// [`HeaderFault`], if there is none.
    pub fn decode(input: &'a [u8], id: &JournalId) -> Result<Self, HeaderFault> {
        let header = GroupHeader::peek(input)?;
        let bytes = input.get(..header.group_length()).ok_or(HeaderFault::Short)?;
        let (body, sum) = bytes.split_last_chunk::<4>().ok_or(HeaderFault::Short)?;
        if check_sum(id, body) != u32::from_be_bytes(*sum) {
            return Err(HeaderFault::CheckSum);
        }
        version(header.version)?;
        let group = Self { header, bytes };
        let mut records = group.records();
        let count = records.by_ref().count();
        if !records.rest.is_empty() || u32::try_from(count) != Ok(header.count) {
            return Err(HeaderFault::Records);
        }
        Ok(group)
    }

    /// The hash that the next group has of it.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Sha256::digest(self.bytes).into()
    }

    /// The group as head.
    #[must_use]
    pub fn head(&self) -> Head {
        Head { number: self.header.number, hash: self.hash() }
    }

    /// Its records, each a tag and its payload.
    #[must_use]
    pub fn records(&self) -> Records<'a> {
        let body = self.bytes.split_last_chunk::<4>().map(|(body, _)| body).unwrap_or_default();
        Records { rest: body.get(GROUP_HEADER..).unwrap_or_default() }
    }
}

/// The records of a group.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Records<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (prefix, rest) = self.rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*prefix)).ok()?;
        let (record, rest) = rest.split_at_checked(length).filter(|_| length > 0)?;
        self.rest = rest;
        Some(record)
    }
}

fn check_sum(id: &JournalId, body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&id.0), body)
}

/// Makes a group of `bytes`, which has room for the header in front and the records behind it: fills in
/// the header, appends check sum and padding. Returns its hash.
pub(super) fn seal(
    bytes: &mut Vec<u8>,
    id: &JournalId,
    number: u64,
    previous: &Hash,
    wall: Timestamp,
    count: u32,
) -> Hash {
    let length = u32::try_from(bytes.len().saturating_sub(GROUP_HEADER)).unwrap_or(u32::MAX);
    put(bytes, 0, GROUP_MAGIC);
    put(bytes, 4, &VERSION.to_be_bytes());
    put(bytes, 8, &number.to_be_bytes());
    put(bytes, 16, &wall.0.to_be_bytes());
    put(bytes, 24, previous);
    put(bytes, 56, &count.to_be_bytes());
    put(bytes, 60, &length.to_be_bytes());
    let sum = check_sum(id, bytes);
    bytes.extend_from_slice(&sum.to_be_bytes());
    let hash = Sha256::digest(&bytes[..]).into();
    bytes.resize(padded(bytes.len()), 0);
    hash
}
