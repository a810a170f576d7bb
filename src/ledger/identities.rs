//! Which message is which (rules of the money, 2): requests by their identity, tombstones of originals
//! that a reversal overtook, reversals by what they are and what they undo.

use super::Identity;
use super::OriginalKey;
use super::Reversal;
use super::Scope;
use super::TxnId;
use super::record::KeptReversal;
use crate::model::BusinessDate;
use crate::model::MessageClass;
use crate::model::Stan;
use crate::model::TerminalId;
use crate::mutant;
use crate::mutant::Mutant;
use smallvec::SmallVec;
use std::collections::HashMap;

/// Days after which a scope that is a date without a year may mean another day.
const SAME_DAYS: i32 = 300;

/// Whether two messages of one number, on these business dates, can be one message.
pub(super) fn can_be_one(before: BusinessDate, date: BusinessDate) -> bool {
    let days = |date: BusinessDate| i32::from(date.year()) * 365 + i32::from(date.day_of_year());
    days(date) - days(before) <= SAME_DAYS
}

/// An identity but for its class.
type Number = (TerminalId, Stan, Scope);
/// The class of the original, if its reversal told it, and the number of that reversal.
type Tombstone = (Option<MessageClass>, TxnId);

/// The index of all identities. Keys are chosen by peers, hence a keyed hash.
#[derive(Debug, Default)]
pub(super) struct Identities {
    requests: HashMap<Number, SmallVec<[(MessageClass, TxnId); 1]>>,
    tombstones: HashMap<Number, SmallVec<[Tombstone; 1]>>,
    reversals: HashMap<(Identity, OriginalKey), KeptReversal>,
}

impl Identities {
    /// The request with this identity: the latest, should one of a closed day have come back.
    pub(super) fn request(&self, identity: &Identity) -> Option<TxnId> {
        let known = self.requests.get(&number(identity))?;
        known.iter().filter(|(class, _)| *class == identity.class).map(|(_, id)| *id).max()
    }

    /// The request that a reversal means: of its class, or the latest of any class.
    pub(super) fn original(&self, key: &OriginalKey) -> Option<TxnId> {
        let known = self.requests.get(&(key.terminal, key.stan, key.scope.clone()))?;
        let wanted = |class: MessageClass| key.class.is_none_or(|wanted| wanted == class);
        known.iter().filter(|(class, _)| wanted(*class)).map(|(_, id)| *id).max()
    }

    /// Whether a reversal of this request came before it did.
    pub(super) fn has_tombstone(&self, identity: &Identity) -> bool {
        if self.tombstones.is_empty() {
            return false;
        }
        let standing = self.tombstones.get(&number(identity));
        let means = |class: Option<MessageClass>| class.is_none_or(|class| class == identity.class);
        standing.is_some_and(|standing| standing.iter().any(|(class, _)| means(*class)))
    }

    /// The recorded answer of a reversal that came before. The same identity with another original is
    /// another reversal: to answer it without undoing its original would lose money.
    pub(super) fn reversal(&self, reversal: &Reversal) -> Option<&KeptReversal> {
        self.reversals.get(&(reversal.identity.clone(), reversal.original.clone()))
    }

    /// How many reversals are known.
    pub(super) fn reversals(&self) -> usize {
        self.reversals.len()
    }

    /// Adds a request.
    pub(super) fn add_request(&mut self, identity: &Identity, id: TxnId) {
        self.requests.entry(number(identity)).or_default().push((identity.class, id));
    }

    /// Adds a reversal; one without an original leaves a tombstone.
    pub(super) fn add_reversal(&mut self, kept: &KeptReversal) {
        let reversal = &kept.reversal;
        if kept.original.is_none() && !mutant::is(Mutant::NoTombstone) {
            let standing = self.tombstones.entry(original_number(reversal)).or_default();
            standing.push((reversal.original.class, kept.number));
        }
        self.reversals.insert((reversal.identity.clone(), reversal.original.clone()), kept.clone());
    }

    /// All that is known, for tests; in any order.
    #[cfg(test)]
    pub(super) fn told(&self) -> Vec<String> {
        let mut all: Vec<String> = self.reversals.values().map(|kept| format!("{kept:?}")).collect();
        for (number, known) in &self.requests {
            all.extend(known.iter().map(|known| format!("{number:?} {known:?}")));
        }
        for (number, standing) in &self.tombstones {
            all.extend(standing.iter().map(|standing| format!("{number:?} {standing:?}")));
        }
        all
    }

    /// Lets a request go.
    pub(super) fn forget_request(&mut self, identity: &Identity, id: TxnId) {
        let number = number(identity);
        let Some(known) = self.requests.get_mut(&number) else { return };
        known.retain(|(_, known)| *known != id);
        if known.is_empty() {
            self.requests.remove(&number);
        }
    }

    /// All reversals, in order of their numbers.
    pub(super) fn all_reversals(&self) -> Vec<&KeptReversal> {
        let mut all: Vec<&KeptReversal> = self.reversals.values().collect();
        all.sort_unstable_by_key(|kept| kept.number);
        all
    }

    /// Lets the reversals of a business date go, and their tombstones; in order of their numbers.
    pub(super) fn forget_reversals(&mut self, date: BusinessDate) -> Vec<KeptReversal> {
        let leaving = self.reversals.extract_if(|_, kept| kept.reversal.date == date);
        let mut leaving: Vec<KeptReversal> = leaving.map(|(_, kept)| kept).collect();
        leaving.sort_unstable_by_key(|kept| kept.number);
        for kept in leaving.iter().filter(|kept| kept.original.is_none()) {
            let number = original_number(&kept.reversal);
            let Some(standing) = self.tombstones.get_mut(&number) else { continue };
            standing.retain(|(_, left_by)| *left_by != kept.number);
            if standing.is_empty() {
                self.tombstones.remove(&number);
            }
        }
        leaving
    }
}

fn number(identity: &Identity) -> Number {
    (identity.terminal, identity.stan, identity.scope.clone())
}

fn original_number(reversal: &Reversal) -> Number {
    (reversal.identity.terminal, reversal.original.stan, reversal.original.scope.clone())
}
