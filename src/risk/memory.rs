//! What rules remember of the last day: a fold of what the ledger records.

use super::Situation;
use bytes::Bytes;

/// What became of a request, as far as rules count it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// It moves money, or may yet.
    Live,
    /// It was declined; `pin`: for a wrong PIN.
    Declined {
        /// Whether for a wrong PIN (55, 75).
        pin: bool,
    },
    /// It was undone: timed out, reversed, voided.
    Undone,
}

/// A subject's part of the memory, in bytes: what snapshots keep.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MemoryRow(pub Bytes);

/// The memory.
#[derive(Debug, Default)]
pub struct Memory {}

impl Memory {
    /// Takes note of a request and its fate so far.
    pub fn note(&mut self, _situation: &Situation<'_>, _fate: Fate) {}

    /// A request that was noted fares otherwise now.
    pub fn change(&mut self, _situation: &Situation<'_>, _from: Fate, _to: Fate) {}

    /// All of it, in an order of its own: equal memories give equal rows.
    #[must_use]
    pub fn rows(&self) -> Vec<MemoryRow> {
        Vec::new()
    }

    /// Takes a row back in. `None`, and no change, if its bytes are none.
    pub fn restore(&mut self, _row: &MemoryRow) -> Option<()> {
        Some(())
    }
}
