//! What the switch remembers of the keys it shares with an issuer, while they change. Pure: the ledger keeps it, flows
//! move it.

use super::{KeyBlock, KeyName, Timestamp};

/// Which of the two zone keys.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ZoneUse {
    /// ZPK: enciphers PIN blocks.
    Pin,
    /// ZAK: makes and checks MACs.
    Mac,
}

/// One generation of a zone key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ZoneKey {
    /// 0 is the key that the station's files name; each key change makes the next.
    pub generation: u32,
    /// The key; `None` of generation 0, which the HSM knows by its name.
    pub block: Option<KeyBlock>,
}

/// The generations of one zone key that are good side by side.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ZoneLine {
    /// The key of generation 0. When the station's files name another, this line is over: people have agreed anew.
    pub configured: KeyName,
    /// What is sent goes out under it.
    pub current: ZoneKey,
    /// What came before, and until when the issuer may still use it.
    pub before: Option<ZoneKey>,
    /// See `before`.
    pub before_until: Option<Timestamp>,
    /// Sent to the issuer and not acknowledged: it may have it or not, so what it sends may be under this key already.
    pub pending: Option<ZoneKey>,
}

/// The zone keys of one issuer. They survive restarts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ZoneFacts {
    /// Rises by one with every change, so that of two notes under way the newer one stands.
    pub version: u64,
    /// Its PIN key, once it was changed.
    pub pin: Option<ZoneLine>,
    /// Its MAC key, once it was changed.
    pub mac: Option<ZoneLine>,
}

impl ZoneLine {
    /// The key of the station's files alone.
    #[must_use]
    pub fn new(configured: KeyName) -> Self {
        let current = ZoneKey { generation: 0, block: None };
        Self { configured, current, before: None, before_until: None, pending: None }
    }

    /// The generation that the next change makes.
    #[must_use]
    pub fn next_generation(&self) -> u32 {
        let all = [Some(&self.current), self.before.as_ref(), self.pending.as_ref()];
        all.into_iter().flatten().map(|key| key.generation).max().unwrap_or(0).wrapping_add(1)
    }

    /// The line after a new key was made, before a byte of it is sent.
    #[must_use]
    pub fn offered(self, block: KeyBlock) -> Self {
        let generation = self.next_generation();
        Self { pending: Some(ZoneKey { generation, block: Some(block) }), ..self }
    }

    /// The line after the issuer showed that it has this generation: by its acknowledgement, or by using it. The one
    /// before stays good for checking until `until`.
    #[must_use]
    pub fn proven(mut self, generation: u32, until: Timestamp) -> Self {
        match self.pending.take_if(|pending| pending.generation == generation) {
            Some(pending) => {
                let before = std::mem::replace(&mut self.current, pending);
                Self { before: Some(before), before_until: Some(until), ..self }
            }
            None => self,
        }
    }

    /// The line after the issuer gave this key itself: it has it. What was sent and not acknowledged may still be what
    /// it uses.
    #[must_use]
    pub fn taken(mut self, block: KeyBlock, until: Timestamp) -> Self {
        let fresh = ZoneKey { generation: self.next_generation(), block: Some(block) };
        let before = std::mem::replace(&mut self.current, fresh);
        Self { before: Some(before), before_until: Some(until), ..self }
    }

    /// The line after the issuer refused this generation: it has it not.
    #[must_use]
    pub fn refused(mut self, generation: u32) -> Self {
        self.pending.take_if(|pending| pending.generation == generation);
        self
    }

    /// What a message of the issuer may be under, the likeliest first.
    pub fn good_at(&self, now: Timestamp) -> impl Iterator<Item = &ZoneKey> {
        let before = self.before.iter().filter(move |_| self.before_until.is_none_or(|until| now <= until));
        [&self.current].into_iter().chain(&self.pending).chain(before)
    }
}

impl ZoneFacts {
    /// The line of a key, from the beginning if it was never changed, or not since the files name this one.
    #[must_use]
    pub fn line(&self, which: ZoneUse, configured: &KeyName) -> ZoneLine {
        let line = match which {
            ZoneUse::Pin => &self.pin,
            ZoneUse::Mac => &self.mac,
        };
        let same = line.as_ref().filter(|line| line.configured == *configured);
        same.cloned().unwrap_or_else(|| ZoneLine::new(configured.clone()))
    }

    /// The facts with another line.
    #[must_use]
    pub fn with(self, which: ZoneUse, line: ZoneLine) -> Self {
        match which {
            ZoneUse::Pin => Self { pin: Some(line), ..self },
            ZoneUse::Mac => Self { mac: Some(line), ..self },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> ZoneLine {
        ZoneLine::new(KeyName::parse("bank-a/zak").unwrap())
    }

    fn generations(line: &ZoneLine, at: i64) -> Vec<u32> {
        line.good_at(Timestamp(at)).map(|key| key.generation).collect()
    }

    #[test]
    fn a_key_that_was_sent_is_checked_with_and_not_sent_under_until_it_is_proven() {
        let sent = line().offered(KeyBlock::new("one"));
        assert_eq!((sent.current.generation, generations(&sent, 0)), (0, vec![0, 1]));
        let proven = sent.proven(1, Timestamp(10));
        assert_eq!((proven.current.generation, generations(&proven, 10)), (1, vec![1, 0]));
        assert_eq!(generations(&proven, 11), [1], "the overlap is over");
    }

    #[test]
    fn a_key_that_was_refused_is_gone_and_its_number_is_not_another_keys() {
        let twice = line().offered(KeyBlock::new("one")).proven(1, Timestamp(10)).offered(KeyBlock::new("two"));
        let refused = twice.clone().refused(1);
        assert_eq!(refused, twice, "of another generation");
        let refused = twice.refused(2);
        assert_eq!(generations(&refused, 0), [1, 0]);
        assert_eq!(refused.clone().proven(2, Timestamp(10)), refused, "too late");
    }

    #[test]
    fn a_key_of_the_issuers_own_is_current_and_what_was_sent_may_still_prove_itself() {
        let taken = line().offered(KeyBlock::new("ours")).taken(KeyBlock::new("theirs"), Timestamp(10));
        assert_eq!((taken.current.generation, generations(&taken, 10)), (2, vec![2, 1, 0]));
        let proven = taken.proven(1, Timestamp(20));
        assert_eq!((proven.current.generation, generations(&proven, 20)), (1, vec![1, 2]));
        assert_eq!(proven.next_generation(), 3);
    }

    #[test]
    fn another_key_in_the_files_begins_anew() {
        let facts = ZoneFacts::default().with(ZoneUse::Mac, line().offered(KeyBlock::new("one")));
        let other = KeyName::parse("bank-a/zak-2").unwrap();
        assert_eq!(facts.line(ZoneUse::Mac, &other), ZoneLine::new(other.clone()));
        assert!(facts.line(ZoneUse::Mac, &line().configured).pending.is_some());
    }
}
