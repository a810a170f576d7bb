//! Which message is which (rules of the money, 2): requests by their identity, tombstones of originals
//! that a reversal overtook, reversals by what they are and what they undo.

use super::Decided;
use super::Identity;
use super::OriginalKey;
use super::Reversal;
use super::Scope;
use super::TxnId;
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
    reversals: HashMap<(Identity, OriginalKey), Decided>,
}

impl Identities {
    /// The request with this identity.
    pub(super) fn request(&self, identity: &Identity) -> Option<TxnId> {
        let known = self.requests.get(&number(identity))?;
        known.iter().find(|(class, _)| *class == identity.class).map(|(_, id)| *id)
    }

    /// The request that a reversal means: of its class, or the latest of any class.
    ///
    /// The terminal is the reversal's own: nobody reverses another terminal's transaction.
    pub(super) fn original(&self, reversal: &Reversal) -> Option<TxnId> {
        let known = self.requests.get(&original_number(reversal))?;
        let wanted = |class: MessageClass| reversal.original.class.is_none_or(|wanted| wanted == class);
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
    pub(super) fn reversal(&self, reversal: &Reversal) -> Option<&Decided> {
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
    pub(super) fn add_reversal(&mut self, reversal: &Reversal, decided: Decided, original: Option<TxnId>) {
        if original.is_none() {
            let classes = self.tombstones.entry(original_number(reversal)).or_default();
            if !classes.contains(&reversal.original.class) {
                classes.push(reversal.original.class);
            }
        }
        self.reversals.insert((reversal.identity.clone(), reversal.original.clone()), decided);
    }
}

fn number(identity: &Identity) -> Number {
    (identity.terminal, identity.stan, identity.scope.clone())
}

fn original_number(reversal: &Reversal) -> Number {
    (reversal.identity.terminal, reversal.original.stan, reversal.original.scope.clone())
}
