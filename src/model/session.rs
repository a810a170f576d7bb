//! What the switch remembers of a signed-in terminal. Pure: the ledger keeps it, flows move it.

use super::{BatchNumber, KeyBlock, Operator, SerialMark, Timestamp, Versions};
use smallvec::SmallVec;

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
    /// Keys that a message has verified under.
    pub current: Option<WorkingKeys>,
    /// Keys handed out by the last sign-in and not used yet: a sign-in carries no MAC, so it must not
    /// lock the terminal out of the keys it has.
    pub pending: Option<WorkingKeys>,
    /// Keys handed out by sign-ins before that and not used yet, the newest first; three at most. Who of all that signed
    /// in was the terminal is known when it uses its keys.
    pub unused: SmallVec<[WorkingKeys; 1]>,
    /// What was current before: messages under it may still be under way.
    pub before: Option<WorkingKeys>,
    /// Until when `before` is good.
    pub before_until: Option<Timestamp>,
    /// Which versions of the lists of the switch it has fetched.
    pub downloaded: Versions,
    /// How far its DUKPT device has come, where it has one. It rises only after a MAC verified.
    pub serial: Option<SerialMark>,
}

impl SessionFacts {
    /// Of how many sign-ins before the last one the keys may wait for their first use.
    pub const UNUSED: usize = 3;

    /// The generation that the next sign-in issues.
    #[must_use]
    pub fn next_generation(&self) -> u32 {
        self.generations().map(|keys| keys.generation).max().unwrap_or(0).wrapping_add(1)
    }

    /// All generations there are, the likeliest first: those of the last sign-in, those in use, those before them, and
    /// those of earlier sign-ins.
    pub fn generations(&self) -> impl Iterator<Item = &WorkingKeys> {
        self.pending.iter().chain(&self.current).chain(&self.before).chain(&self.unused)
    }

    /// The keys of this generation, if they wait for their first use.
    #[must_use]
    pub fn waiting(&self, generation: u32) -> Option<&WorkingKeys> {
        self.pending.iter().chain(&self.unused).find(|keys| keys.generation == generation)
    }

    /// The facts after a sign-in handed out `keys`. Keys handed out before and not used yet stay for a while: another's
    /// sign-in must not take a terminal's new keys away.
    #[must_use]
    pub fn signed_in(mut self, keys: WorkingKeys) -> Self {
        if let Some(pending) = self.pending.replace(keys) {
            self.unused.insert(0, pending);
        }
        self.unused.truncate(Self::UNUSED);
        Self { signed_in: true, ..self }
    }

    /// The facts after a message verified under `generation`: keys that waited for it become current, older ones that
    /// wait go, and what was current before stays good until `until`, if at all.
    #[must_use]
    pub fn verified_under(mut self, generation: u32, until: Option<Timestamp>) -> Self {
        let proven = match self.unused.iter().position(|keys| keys.generation == generation) {
            Some(at) => self.unused.drain(at..).next(),
            None => {
                let pending = self.pending.take_if(|keys| keys.generation == generation);
                if pending.is_some() {
                    self.unused.clear();
                }
                pending
            }
        };
        if proven.is_some() {
            self.before = std::mem::replace(&mut self.current, proven).filter(|_| until.is_some());
            self.before_until = until.filter(|_| self.before.is_some());
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(generation: u32) -> WorkingKeys {
        let block = || KeyBlock::new("block");
        WorkingKeys { generation, pin: block(), mac: block(), data: None, opening: Opening::default() }
    }

    /// The facts after sign-ins that got the first so many generations.
    fn signed_in(generations: u32) -> SessionFacts {
        (1..=generations).fold(SessionFacts::default(), |facts, generation| facts.signed_in(keys(generation)))
    }

    fn generations(facts: &SessionFacts) -> Vec<u32> {
        facts.generations().map(|keys| keys.generation).collect()
    }

    #[test]
    fn keys_wait_for_their_first_use_beside_those_of_other_sign_ins_and_not_for_ever() {
        assert_eq!(generations(&signed_in(4)), [4, 3, 2, 1]);
        assert_eq!(generations(&signed_in(5)), [5, 4, 3, 2]);
        assert_eq!(signed_in(5).next_generation(), 6);
        assert!(signed_in(5).waiting(2).is_some() && signed_in(5).waiting(1).is_none());
    }

    #[test]
    fn the_first_use_ends_what_was_handed_out_before_and_nothing_newer() {
        let used = signed_in(4).verified_under(2, Some(Timestamp(9)));
        assert_eq!(generations(&used), [4, 2, 3]);
        assert_eq!((used.current.as_ref().map(|keys| keys.generation), used.before_until), (Some(2), None));
        let again = used.verified_under(4, Some(Timestamp(9)));
        assert_eq!((generations(&again), again.before_until), (vec![4, 2], Some(Timestamp(9))));
        assert_eq!(again.clone().verified_under(2, Some(Timestamp(10))), again, "the one before stays that");
        assert_eq!(again.clone().verified_under(4, Some(Timestamp(10))), again, "the one in use stays that");
    }

    #[test]
    fn without_an_overlap_nothing_stays_behind() {
        let used = signed_in(1).verified_under(1, None).signed_in(keys(2)).verified_under(2, None);
        assert_eq!((generations(&used), used.before_until), (vec![2], None));
    }
}
