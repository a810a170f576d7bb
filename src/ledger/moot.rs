//! What a terminal's reversal does not undo any more: what was cancelled, taken or given back since would be
//! undone twice, and what was done on the strength of an amount would lose its ground.

use super::Followed;
use super::TxnId;
use super::book::Book;
use super::book::Entry;
use super::followers::Follower;
use super::kinds;
use super::kinds::Following;

/// What becomes of a terminal's reversal for what was done since.
pub(super) enum Moot {
    /// This was done: nothing is undone any more.
    By(Followed),
    /// This may be done any moment, or come to nothing: only then is known whether the reversal undoes.
    NotYet,
}

impl Book {
    /// What was done since to an approval, or to what it follows, so that it is not undone any more.
    pub(super) fn moot(&self, entry: &Entry) -> Option<Moot> {
        match self.followed(entry, Follower::has_come) {
            Some(followed) => Some(Moot::By(followed)),
            None => self.followed(entry, Follower::binds).map(|_| Moot::NotYet),
        }
    }

    fn followed(&self, entry: &Entry, counts: fn(&Follower) -> bool) -> Option<Followed> {
        if !entry.state.is_approved() {
            return None;
        }
        let intent = &entry.intent;
        self.followers.get(&intent.id).and_then(|followers| followers.over(counts)).or_else(|| {
            let (following, _) = kinds::of(intent.kind).follows?;
            let followed = intent.follows?;
            match following {
                Following::Voids => self.taken_anew(followed, counts),
                Following::Increments => self.followers.get(&followed)?.taken(counts),
                Following::Adjusts => self.followers.get(&followed)?.relies_on(intent.id, counts),
                Following::Completes | Following::Refunds => None,
            }
        })
    }

    /// What was done to a hold since its completion was voided: that cannot stand again beside it.
    fn taken_anew(&self, completion: TxnId, counts: fn(&Follower) -> bool) -> Option<Followed> {
        let hold = self.entries.get(&completion)?.intent.follows?;
        self.followers.get(&hold)?.ended_without(completion, counts)
    }
}
