//! What the switch remembers of a signed-in terminal. Pure: the ledger keeps it, flows move it.

use super::{BatchNumber, KeyBlock, Operator, SerialMark, Timestamp, Versions};

/// Who signed in for a set of working keys, and when.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Opening {
    /// Who stands at the terminal; `None` if the sign-in did not say.
    pub operator: Option<Operator>,
    /// When its sign-in came; `None` in records made before this was kept.
    pub at: Option<Timestamp>,
}

/// One set of working keys, issued by one sign-in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WorkingKeys {
    /// Counts the sign-ins of this terminal.
    pub generation: u32,
    /// Enciphers its PIN blocks (TPK, PIK).
    pub pin: KeyBlock,
    /// Makes its MACs (TAK, MAK).
    pub mac: KeyBlock,
    /// Enciphers its tracks (TDK), where the sign-in asked for one.
    pub data: Option<KeyBlock>,
    /// Whose they are. Anyone can send a sign-in, but only the terminal can use its keys: who signed in counts
    /// for messages that verify under them.
    pub opening: Opening,
}

/// Session facts of one terminal (rules of the money, 10). They survive restarts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SessionFacts {
    /// Rises by one with every change, so that of two notes under way the newer one stands.
    pub version: u64,
    /// Whether the terminal has signed in and not signed off.
    pub signed_in: bool,
    /// The batch its next transactions belong to.
    pub batch: BatchNumber,
    /// Keys that a message has verified under; before there are any, those of the last sign-in but one.
    pub current: Option<WorkingKeys>,
    /// Keys handed out by the last sign-in and not used yet: a sign-in carries no MAC, so it must not
    /// lock the terminal out of the keys it has.
    pub pending: Option<WorkingKeys>,
    /// Which versions of the lists of the switch it has fetched.
    pub downloaded: Versions,
    /// How far its DUKPT device has come, where it has one. It rises only after a MAC verified.
    pub serial: Option<SerialMark>,
}

impl SessionFacts {
    /// The generation that the next sign-in issues.
    #[must_use]
    pub fn next_generation(&self) -> u32 {
        self.generations().map(|keys| keys.generation).max().unwrap_or(0).wrapping_add(1)
    }

    /// The generations a message may verify under, the likeliest first: pending, then current.
    pub fn generations(&self) -> impl Iterator<Item = &WorkingKeys> {
        self.pending.iter().chain(self.current.iter())
    }

    /// The facts after a sign-in handed out `keys`. Keys handed out before and not used yet stay, if there are
    /// no proven ones: another's sign-in must not take a terminal's first keys away.
    #[must_use]
    pub fn signed_in(self, keys: WorkingKeys) -> Self {
        let current = self.current.or(self.pending);
        Self { signed_in: true, current, pending: Some(keys), ..self }
    }

    /// The facts after a message verified under `generation`: pending keys in use become current.
    #[must_use]
    pub fn verified_under(mut self, generation: u32) -> Self {
        if self.pending.as_ref().is_some_and(|keys| keys.generation == generation) {
            self.current = self.pending.take();
        }
        self
    }
}
