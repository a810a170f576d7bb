//! Live session facts, shared between workers.

use crate::model::DownloadSet;
use crate::model::SessionFacts;
use crate::model::TerminalId;
use dashmap::DashMap;

/// Session facts by terminal. Access is by closures, so that no lock outlives a call or an await.
///
/// The ledger keeps the durable copy; this one is for speed. It begins with what the ledger has, and each
/// change gives the facts the next version: whoever notes them later with an older one changes nothing.
#[derive(Debug, Default)]
pub struct Sessions {
    facts: DashMap<TerminalId, SessionFacts>,
    fetching: DashMap<(TerminalId, DownloadSet), u32>,
}

impl Sessions {
    /// Reads one terminal's facts. `None` if it has none yet. `read` must not call back into `self`.
    pub fn read<R>(&self, terminal: TerminalId, read: impl FnOnce(&SessionFacts) -> R) -> Option<R> {
        self.facts.get(&terminal).map(|facts| read(&facts))
    }

    /// Takes in what the ledger kept, before the first change.
    pub fn refill(&self, kept: impl IntoIterator<Item = (TerminalId, SessionFacts)>) {
        for (terminal, facts) in kept {
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
