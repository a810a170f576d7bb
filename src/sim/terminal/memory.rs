//! What a terminal remembers between two transactions, and over a power cut.

use super::chip::{Chips, RawChips};
use super::log::Log;
use super::memory_file::{RawLog, RawUndo};
use super::pin_pad::{PinPad, hex, unhex};
use crate::iso8583::De;
use crate::iso8583::Mti;
use crate::model::Amount;
use crate::model::ApprovalCode;
use crate::model::BatchNumber;
use crate::model::Kind;
use crate::model::Ksn;
use crate::model::Pan;
use crate::model::Stan;
use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeMap;

/// A terminal's memory. Holds no clear key, no PIN, no track; card numbers leave it enciphered.
#[derive(Clone, Default)]
pub struct Memory {
    /// The batch that the last sign-in named.
    pub batch: BatchNumber,
    /// The number of the next message; `None` is the first.
    pub next_stan: Option<Stan>,
    /// The working keys as they came, under the master key.
    pub key_data: Option<Vec<u8>>,
    /// A request that may have moved money and has no valid answer: it must be undone before anything else.
    pub pending: Option<Undo>,
    /// The last approved request, should its receipt fail to print.
    pub last: Option<Undo>,
    /// Who is signed in, 2 or 3 characters; `None`: nobody said.
    pub operator: Option<String>,
    /// The lists it fetched from the host, by their names, in blocks.
    pub lists: BTreeMap<String, Vec<Vec<u8>>>,
    /// The last serial number that it used as a DUKPT device; kept before the message leaves, never used again.
    pub serial: Option<Ksn>,
    /// The counters of the chips that it reads, and how often one refused an answer.
    pub chips: Chips,
    /// Its batch, what it has not told the host yet, and a settlement under way.
    pub log: Log,
}

/// What it takes to undo one request.
#[derive(Clone)]
pub struct Undo {
    /// What it asked.
    pub kind: Kind,
    /// The request's type.
    pub mti: Mti,
    /// The request's number.
    pub stan: Stan,
    /// Its amount.
    pub amount: Amount,
    /// Its card.
    pub pan: Option<Pan>,
    /// The other elements that its reversal repeats, in canonical form.
    pub elements: Vec<(De, Vec<u8>)>,
    /// DE 7 and the local YYMMDDhhmmss of the request.
    pub sent: ([u8; 10], [u8; 12]),
    /// DE 38, if an answer brought one.
    pub approval: Option<ApprovalCode>,
    /// DE 39 of the reversal: 98 no answer, A0 its MAC was wrong, 06 other.
    pub reason: [u8; 2],
    /// The reversal's own number, where the dialect gives it one.
    pub own_stan: Option<Stan>,
    /// How often the reversal went out.
    pub attempts: u32,
}

/// A memory as its file has it.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct RawMemory {
    schema: String,
    profile: String,
    terminal: String,
    merchant: String,
    batch: u32,
    next_stan: u32,
    key_data: Option<String>,
    pending: Option<RawUndo>,
    last: Option<RawUndo>,
    /// Files of older terminals have none of these.
    #[serde(default)]
    operator: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    lists: BTreeMap<String, Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    serial: Option<String>,
    #[serde(default, skip_serializing_if = "RawChips::is_empty")]
    chips: RawChips,
    #[serde(default)]
    log: RawLog,
}

const SCHEMA: &str = "tollgate/terminal-state/v1";

/// Why a state file is not this terminal's memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MemoryFault {
    /// It is not of the form that terminals write.
    #[error("not a terminal's state file, or damaged")]
    Form,
    /// It is another terminal's, merchant's or profile's.
    #[error("state file of another terminal, merchant or profile")]
    Other,
}

impl Memory {
    /// The memory as JSON, for `owner`: profile, terminal and merchant.
    #[must_use]
    pub fn to_json(&self, owner: [&str; 3], pad: &PinPad) -> String {
        let [profile, terminal, merchant] = owner.map(str::to_owned);
        let raw = RawMemory {
            schema: SCHEMA.into(),
            profile,
            terminal,
            merchant,
            batch: self.batch.value(),
            next_stan: self.next_stan.unwrap_or(Stan::FIRST).value(),
            key_data: self.key_data.as_deref().map(hex),
            pending: self.pending.as_ref().map(|undo| RawUndo::of(undo, pad)),
            last: self.last.as_ref().map(|undo| RawUndo::of(undo, pad)),
            operator: self.operator.clone(),
            lists: self
                .lists
                .iter()
                .map(|(name, came)| (name.clone(), came.iter().map(|one| hex(one)).collect()))
                .collect(),
            serial: self.serial.map(|serial| hex(serial.as_bytes())),
            chips: RawChips::of(&self.chips, pad),
            log: RawLog::of(&self.log, pad),
        };
        serde_json::to_string_pretty(&raw).unwrap_or_default()
    }

    /// Reads what [`Memory::to_json`] wrote for the same owner.
    ///
    /// # Errors
    /// [`MemoryFault`].
    pub fn from_json(text: &str, owner: [&str; 3], pad: &PinPad) -> Result<Self, MemoryFault> {
        let raw: RawMemory = serde_json::from_str(text).map_err(|_| MemoryFault::Form)?;
        if raw.schema != SCHEMA {
            return Err(MemoryFault::Form);
        }
        if [raw.profile.as_str(), &raw.terminal, &raw.merchant] != owner {
            return Err(MemoryFault::Other);
        }
        let list = |(name, came): (String, Vec<String>)| {
            Some((name, came.iter().map(|one| unhex(one)).collect::<Option<_>>()?))
        };
        let undo = |raw: Option<RawUndo>| raw.map(|raw| raw.read(pad).ok_or(MemoryFault::Form)).transpose();
        Ok(Self {
            batch: BatchNumber::new(raw.batch).ok_or(MemoryFault::Form)?,
            next_stan: Some(Stan::new(raw.next_stan).ok_or(MemoryFault::Form)?),
            key_data: raw.key_data.map(|digits| unhex(&digits).ok_or(MemoryFault::Form)).transpose()?,
            pending: undo(raw.pending)?,
            last: undo(raw.last)?,
            operator: raw.operator,
            lists: raw.lists.into_iter().map(list).collect::<Option<_>>().ok_or(MemoryFault::Form)?,
            serial: raw.serial.map(|digits| Ksn::read(digits.as_bytes()).ok_or(MemoryFault::Form)).transpose()?,
            chips: raw.chips.read(pad).ok_or(MemoryFault::Form)?,
            log: raw.log.read(pad).ok_or(MemoryFault::Form)?,
        })
    }

    /// Takes the next number.
    pub(super) fn take_stan(&mut self) -> Stan {
        let stan = self.next_stan.unwrap_or(Stan::FIRST);
        self.next_stan = Some(stan.next());
        stan
    }
}
