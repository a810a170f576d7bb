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
use smallvec::SmallVec;
use std::collections::HashMap;

/// An identity but for its class.
type Number = (TerminalId, Stan, Scope);

/// The index of all identities. Keys are chosen by peers, hence a keyed hash.
#[derive(Debug, Default)]
pub(super) struct Identities {
    requests: HashMap<Number, SmallVec<[(MessageClass, TxnId); 1]>>,
    tombstones: HashMap<Number, SmallVec<[Option<MessageClass>; 1]>>,
    reversals: HashMap<(Identity, OriginalKey), KeptReversal>,
}

impl Identities {
    /// The request with this identity.
    pub(super) fn request(&self, identity: &Identity) -> Option<TxnId> {
        let known = self.requests.get(&number(identity))?;
        known.iter().find(|(class, _)| *class == identity.class).map(|(_, id)| *id)
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
        standing.is_some_and(|classes| classes.iter().any(|class| class.is_none_or(|class| class == identity.class)))
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
        if kept.original.is_none() {
            let classes = self.tombstones.entry(original_number(reversal)).or_default();
            if !classes.contains(&reversal.original.class) {
                classes.push(reversal.original.class);
            }
        }
        self.reversals.insert((reversal.identity.clone(), reversal.original.clone()), kept.clone());
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

    /// Lets the reversals of a business date go, and their tombstones.
    pub(super) fn forget_reversals(&mut self, date: BusinessDate) {
        let Self { reversals, tombstones, .. } = self;
        reversals.retain(|_, kept| {
            let stays = kept.reversal.date != date;
            if !stays && kept.original.is_none() {
                tombstones.remove(&original_number(&kept.reversal));
            }
            stays
        });
    }
}

fn number(identity: &Identity) -> Number {
    (identity.terminal, identity.stan, identity.scope.clone())
}

fn original_number(reversal: &Reversal) -> Number {
    (reversal.identity.terminal, reversal.original.stan, reversal.original.scope.clone())
}
