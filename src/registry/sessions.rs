//! Live session facts, shared between workers.

use crate::model::DeviceId;
use crate::model::DownloadSet;
use crate::model::SerialFault;
use crate::model::SerialMark;
use crate::model::SerialStep;
use crate::model::SessionFacts;
use crate::model::TerminalId;
use dashmap::DashMap;

/// A serial number that a terminal showed, in a message whose MAC verified.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// The terminal.
    pub terminal: TerminalId,
    /// The device that the registry gives it; `None`: the first one that it shows.
    pub named: Option<DeviceId>,
    /// The serial number and what was said under it.
    pub mark: SerialMark,
}

/// Session facts by terminal. Access is by closures, so that no lock outlives a call or an await.
///
/// The ledger keeps the durable copy; this one is for speed. It begins with what the ledger has, and each
/// change gives the facts the next version: whoever notes them later with an older one changes nothing.
#[derive(Debug, Default)]
pub struct Sessions {
    facts: DashMap<TerminalId, SessionFacts>,
    fetching: DashMap<(TerminalId, DownloadSet), u32>,
    /// Whose each DUKPT device is. Taken only with the terminal's facts in hand.
    devices: DashMap<DeviceId, TerminalId>,
}

impl Sessions {
    /// Reads one terminal's facts. `None` if it has none yet. `read` must not call back into `self`.
    pub fn read<R>(&self, terminal: TerminalId, read: impl FnOnce(&SessionFacts) -> R) -> Option<R> {
        self.facts.get(&terminal).map(|facts| read(&facts))
    }

    /// Takes in what the ledger kept, before the first change.
    pub fn refill(&self, kept: impl IntoIterator<Item = (TerminalId, SessionFacts)>) {
        for (terminal, facts) in kept {
            if let Some(mark) = facts.serial {
                self.devices.insert(mark.device(), terminal);
            }
            self.facts.insert(terminal, facts);
        }
    }

    /// Replaces one terminal's facts by what `change` makes of them, as the next version; a new terminal
    /// starts from the default. Returns the new facts. `change` must not call back into `self`.
    pub fn change(&self, terminal: TerminalId, change: impl FnOnce(SessionFacts) -> SessionFacts) -> SessionFacts {
        let mut entry = self.facts.entry(terminal).or_default();
        let version = entry.version + 1;
        *entry = SessionFacts { version, ..change(std::mem::take(&mut *entry)) };
        entry.clone()
    }

    /// Judges a serial number and raises the terminal's mark to it, in one step. Gives the new facts if the mark rose.
    /// More than `jump` counters left out is a jump.
    ///
    /// # Errors
    /// [`SerialFault`]: it must not be served, and nothing changed.
    pub fn show(&self, shown: &Shown, jump: u32) -> Result<(SerialStep, Option<SessionFacts>), SerialFault> {
        let Shown { terminal, named, mark } = *shown;
        let device = mark.device();
        let mut entry = self.facts.entry(terminal).or_default();
        let before = entry.serial;
        // A device that the registry gives to the terminal replaces the one it had.
        let last = before.filter(|last| named.is_none() || last.device() == device);
        let step = match last {
            _ if named.is_some_and(|named| named != device) => return Err(SerialFault::Device),
            Some(last) => last.step(&mark, jump)?,
            None => {
                self.bind(device, terminal, named.is_some())?;
                SerialStep::Bound
            }
        };
        if step == SerialStep::Repeat {
            return Ok((step, None));
        }
        if let Some(gone) = before.map(|before| before.device()).filter(|gone| *gone != device) {
            self.devices.remove_if(&gone, |_, whose| *whose == terminal);
        }
        *entry = SessionFacts { version: entry.version + 1, serial: Some(mark), ..std::mem::take(&mut *entry) };
        Ok((step, Some(entry.clone())))
    }

    /// Makes a device a terminal's; `named`: whosever it was.
    fn bind(&self, device: DeviceId, terminal: TerminalId, named: bool) -> Result<(), SerialFault> {
        let mut whose = self.devices.entry(device).or_insert(terminal);
        if named {
            *whose = terminal;
        }
        if *whose == terminal { Ok(()) } else { Err(SerialFault::Elsewhere) }
    }

    /// Notes which version of a list a terminal fetches: one that begins anew, or goes on where nothing is noted.
    /// Only terminals of the registry may be noted.
    pub fn begin_download(&self, terminal: TerminalId, set: DownloadSet, version: u32, anew: bool) {
        let mut noted = self.fetching.entry((terminal, set)).or_insert(version);
        if anew {
            *noted = version;
        }
    }

    /// The version that it began with; `None` if it did not begin, or ended.
    pub fn end_download(&self, terminal: TerminalId, set: DownloadSet) -> Option<u32> {
        self.fetching.remove(&(terminal, set)).map(|(_, version)| version)
    }

    /// How many terminals have facts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.facts.len()
    }

    /// Whether none has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }
}
