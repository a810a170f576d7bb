//! What must hold in every journal, and what is said where it does not.

use crate::ledger::TxnId;
use crate::ledger::journal::Place;
use crate::model::Rrn;
use std::fmt;

/// A promise, as far as files can say whether it was kept.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Invariant {
    /// An answer says what was decided, and is on record with the decision.
    I1,
    /// Nothing goes to an issuer, and nothing happens to a request, before the intent is on record.
    I2,
    /// One decision a transaction; it moves only along the lifecycle.
    I3,
    /// What timed out is undone by exactly one reversal; a reversal that came first declines its original.
    I4,
    /// What was approved is undone only by the terminal's wish.
    I5,
    /// No request, reversal, number or reference number is on record twice.
    I6,
    /// A late answer is noted, and changes nothing.
    I7,
    /// What an issuer is owed goes first in, first out per terminal.
    I8,
    /// Follow-ups stay within what they follow; totals agree.
    I9,
    /// A counter is the sum of its live reservations and never above its limit.
    I10,
    /// What left with its closed day is never touched again; nothing enters a closed batch, which does not change.
    I11,
    /// The chain is unbroken and reaches the anchor.
    I12,
    /// Nobody who is suspended or terminated makes a new request; what is terminated stays so; who is held by a rule is
    /// suspended with it.
    I15,
}

impl Invariant {
    /// All of them, in order.
    pub const ALL: [Self; 13] = [
        Self::I1,
        Self::I2,
        Self::I3,
        Self::I4,
        Self::I5,
        Self::I6,
        Self::I7,
        Self::I8,
        Self::I9,
        Self::I10,
        Self::I11,
        Self::I12,
        Self::I15,
    ];

    /// What it promises, in a few words.
    #[must_use]
    pub fn promise(self) -> &'static str {
        match self {
            Self::I1 => "answers say what was decided",
            Self::I2 => "intents come before everything else",
            Self::I3 => "one decision, lawful moves",
            Self::I4 => "one reversal for what timed out",
            Self::I5 => "no reversal of an approval unasked",
            Self::I6 => "nothing on record twice",
            Self::I7 => "late answers change nothing",
            Self::I8 => "owed messages in order",
            Self::I9 => "follow-ups within bounds, totals equal",
            Self::I10 => "counters within limits",
            Self::I11 => "closed days and batches untouched",
            Self::I12 => "chain, anchor, segments, snapshots",
            Self::I15 => "no request of who is suspended",
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A promise that was not kept. Names numbers and places, never card data.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// Which promise.
    pub invariant: Invariant,
    /// What is wrong.
    pub what: String,
    /// Whose it is, where it is a transaction's or a reversal's.
    pub id: Option<TxnId>,
    /// Its reference number, where it is on record.
    pub rrn: Option<Rrn>,
    /// Where the record is that breaks it.
    pub place: Place,
    /// Which record of the group, from 0.
    pub record: u32,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.invariant)?;
        if let Some(id) = self.id {
            write!(f, "transaction {}", id.0)?;
            match self.rrn {
                Some(rrn) => write!(f, " (RRN {rrn}): ")?,
                None => f.write_str(": ")?,
            }
        }
        f.write_str(&self.what)?;
        if self.place.group > 0 {
            write!(f, "; group {}, record {}", self.place.group, self.record)?;
        }
        if !self.place.file.is_empty() {
            write!(f, ", {} at byte {}", self.place.file, self.place.offset)?;
        }
        Ok(())
    }
}
