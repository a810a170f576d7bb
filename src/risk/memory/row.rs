//! The memory as bytes, for snapshots.
//!
//! A row is: version (1), what it tells of (0 to 3: trails of a terminal, a card, a merchant, a range; 4 to 7: since
//! when their young generation is young), then for a trail its generation (0 old, 1 young), the subject (8, 32, 15
//! or 4 bytes), and the slots, 32 bytes each. Numbers are big-endian.

use super::Memory;
use super::generations::Generations;
use super::trail::{Slot, Trail};
use crate::model::Bin;
use crate::model::MerchantId;
use crate::model::PanToken;
use crate::model::TerminalId;
use bytes::Bytes;
use smallvec::SmallVec;
use std::hash::Hash;

const VERSION: u8 = 1;
/// What a row of a generation's beginning adds to the sort of its subjects.
const SINCE: u8 = 4;

/// A subject's part of the memory, in bytes: what snapshots keep.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MemoryRow(pub Bytes);

/// A subject whose trail is kept.
trait Key: Copy + Eq + Hash + Ord {
    const BYTES: usize;
    fn write(&self, out: &mut Vec<u8>);
    fn read(bytes: &[u8]) -> Option<Self>;
}

impl Key for TerminalId {
    const BYTES: usize = 8;
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
    fn read(bytes: &[u8]) -> Option<Self> {
        Self::parse(bytes)
    }
}

impl Key for PanToken {
    const BYTES: usize = 32;
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
    fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl Key for MerchantId {
    const BYTES: usize = 15;
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
    fn read(bytes: &[u8]) -> Option<Self> {
        Self::parse(bytes)
    }
}

impl Key for Bin {
    const BYTES: usize = 4;
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.value().to_be_bytes());
    }
    fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(u32::from_be_bytes).and_then(Self::new)
    }
}

fn write<K: Key, const SLOTS: usize>(sort: u8, of: &Generations<K, SLOTS>, out: &mut Vec<u8>, ends: &mut Vec<usize>) {
    if let Some(since) = of.since {
        out.extend_from_slice(&[VERSION, SINCE + sort]);
        out.extend_from_slice(&since.to_be_bytes());
        ends.push(out.len());
    }
    for (generation, trails) in [(0, &of.old), (1, &of.young)] {
        let mut rows: Vec<(&K, &Trail)> = trails.iter().collect();
        rows.sort_unstable_by_key(|(key, _)| **key);
        for (key, trail) in rows {
            out.extend_from_slice(&[VERSION, sort, generation]);
            key.write(out);
            trail.slots().iter().for_each(|slot| slot.write(out));
            ends.push(out.len());
        }
    }
}

fn read<K: Key, const SLOTS: usize>(into: &mut Generations<K, SLOTS>, bytes: &[u8]) -> Option<()> {
    let (generation, bytes) = bytes.split_first().filter(|(generation, _)| **generation <= 1)?;
    let (key, bytes) = bytes.split_at_checked(K::BYTES)?;
    let key = K::read(key)?;
    let (slots, rest) = bytes.as_chunks();
    if !rest.is_empty() || slots.is_empty() || slots.len() > SLOTS {
        return None;
    }
    let slots: SmallVec<[Slot; 1]> = slots.iter().map(Slot::read).collect::<Option<_>>()?;
    into.put(key, Trail::of(slots)?, *generation == 1)
}

fn begin<K, const SLOTS: usize>(into: &mut Generations<K, SLOTS>, bytes: &[u8]) -> Option<()> {
    let since = bytes.try_into().ok().map(i64::from_be_bytes)?;
    into.since.is_none().then(|| into.since = Some(since))
}

impl Memory {
    /// All of it, in an order of its own: equal memories give equal rows.
    #[must_use]
    pub fn rows(&self) -> Vec<MemoryRow> {
        let (mut out, mut ends) = (Vec::new(), Vec::new());
        write(0, &self.terminals, &mut out, &mut ends);
        write(1, &self.cards, &mut out, &mut ends);
        write(2, &self.merchants, &mut out, &mut ends);
        write(3, &self.bins, &mut out, &mut ends);
        let (all, mut from) = (Bytes::from(out), 0);
        ends.into_iter().map(|end| MemoryRow(all.slice(std::mem::replace(&mut from, end)..end))).collect()
    }

    /// Takes a row back in. `None`, and no change, if its bytes are none.
    pub fn restore(&mut self, row: &MemoryRow) -> Option<()> {
        let [VERSION, sort, rest @ ..] = &row.0[..] else { return None };
        match sort {
            0 => read(&mut self.terminals, rest),
            1 => read(&mut self.cards, rest),
            2 => read(&mut self.merchants, rest),
            3 => read(&mut self.bins, rest),
            4 => begin(&mut self.terminals, rest),
            5 => begin(&mut self.cards, rest),
            6 => begin(&mut self.merchants, rest),
            7 => begin(&mut self.bins, rest),
            _ => None,
        }
    }
}
