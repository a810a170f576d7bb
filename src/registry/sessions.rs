//! Live session facts, shared between workers.

use super::callers::Callers;
use super::pin_errors::PinErrors;
use super::sign_ins::SignIns;
use crate::model::DeviceId;
use crate::model::DownloadSet;
use crate::model::IssuerName;
use crate::model::SerialFault;
use crate::model::SerialMark;
use crate::model::SerialStep;
use crate::model::SessionFacts;
use crate::model::TerminalId;
use crate::model::ZoneFacts;
use crate::model::ZoneUse;
use dashmap::DashMap;
use dashmap::DashSet;

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
    sign_ins: SignIns,
    pin_errors: PinErrors,
    callers: Callers,
    zones: DashMap<IssuerName, ZoneFacts>,
    changing: DashSet<(IssuerName, ZoneUse)>,
}

/// A zone key changes, until this goes.
pub struct Changing<'a> {
    among: &'a DashSet<(IssuerName, ZoneUse)>,
    what: (IssuerName, ZoneUse),
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.among.remove(&self.what);
    }
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

    /// Reads the keys shared with an issuer. `None` if they never changed. `read` must not call back into `self`.
    pub fn read_zone<R>(&self, issuer: &IssuerName, read: impl FnOnce(&ZoneFacts) -> R) -> Option<R> {
        self.zones.get(issuer).map(|facts| read(&facts))
    }

    /// As [`refill`](Self::refill), of the keys shared with issuers.
    pub fn refill_zones(&self, kept: impl IntoIterator<Item = (IssuerName, ZoneFacts)>) {
        for (issuer, facts) in kept {
            self.zones.insert(issuer, facts);
        }
    }

    /// As [`change`](Self::change), of the keys shared with an issuer.
    pub fn change_zone(&self, issuer: &IssuerName, change: impl FnOnce(ZoneFacts) -> ZoneFacts) -> ZoneFacts {
        let mut entry = self.zones.entry(issuer.clone()).or_default();
        let version = entry.version + 1;
        *entry = ZoneFacts { version, ..change(std::mem::take(&mut *entry)) };
        entry.clone()
    }

    /// Begins a change of a zone key; `None` while another one of it is under way. Two at once, one from each side,
    /// would leave each side with a key of its own.
    #[must_use]
    pub fn begin_key_change(&self, issuer: &IssuerName, which: ZoneUse) -> Option<Changing<'_>> {
        let what = (issuer.clone(), which);
        self.changing.insert(what.clone()).then_some(Changing { among: &self.changing, what })
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

    /// What is remembered of sign-ins.
    #[must_use]
    pub fn sign_ins(&self) -> &SignIns {
        &self.sign_ins
    }

    /// PIN blocks that were none.
    #[must_use]
    pub fn pin_errors(&self) -> &PinErrors {
        &self.pin_errors
    }

    /// Where terminals call from.
    #[must_use]
    pub fn callers(&self) -> &Callers {
        &self.callers
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
