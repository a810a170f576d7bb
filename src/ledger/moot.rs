//! What a terminal's reversal does not undo any more: what was cancelled, taken or given back since would be
//! undone twice, and what was done on the strength of an amount would lose its ground.

use super::Followed;
use super::TxnId;
use super::book::Book;
use super::book::Entry;
use super::followers::Followers;
use super::kinds;
use super::kinds::Following;

impl Book {
    /// What was done since to an approval, or to what it follows, so that it is not undone any more.
    pub(super) fn moot(&self, entry: &Entry) -> Option<Followed> {
        if !entry.state.is_approved() {
            return None;
        }
        let intent = &entry.intent;
        self.followers.get(&intent.id).and_then(Followers::over).or_else(|| {
            let (following, _) = kinds::of(intent.kind).follows?;
            let followed = intent.follows?;
            match following {
                Following::Voids => self.taken_anew(followed),
                Following::Increments => self.followers.get(&followed)?.taken(),
                Following::Adjusts => self.followers.get(&followed)?.relies_on(intent.id),
                Following::Completes | Following::Refunds => None,
            }
        })
    }

    /// What was done to a hold since its completion was voided: that cannot stand again beside it.
    fn taken_anew(&self, completion: TxnId) -> Option<Followed> {
        let hold = self.entries.get(&completion)?.intent.follows?;
        self.followers.get(&hold)?.ended_without(completion)
    }
}
