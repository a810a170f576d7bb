//! Who is owed what, in order: a lane per issuer and terminal.

use crate::ledger::TxnId;
use crate::model::IssuerName;
use crate::model::TerminalId;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::VecDeque;

/// An issuer by its place in the order of first mention.
pub(super) type IssuerIndex = u32;

#[derive(Debug, Default)]
pub(super) struct Lanes {
    names: Vec<IssuerName>,
    indices: HashMap<IssuerName, IssuerIndex>,
    lanes: HashMap<(IssuerIndex, TerminalId), VecDeque<TxnId>>,
}

impl Lanes {
    pub(super) fn issuer(&mut self, name: &IssuerName) -> IssuerIndex {
        if let Some(index) = self.indices.get(name) {
            return *index;
        }
        let index = IssuerIndex::try_from(self.names.len()).unwrap_or(IssuerIndex::MAX);
        self.names.push(name.clone());
        self.indices.insert(name.clone(), index);
        index
    }

    pub(super) fn push(&mut self, issuer: IssuerIndex, terminal: TerminalId, id: TxnId) {
        self.lanes.entry((issuer, terminal)).or_default().push_back(id);
    }

    /// Whether it is its lane's turn.
    pub(super) fn is_first(&self, issuer: IssuerIndex, terminal: TerminalId, id: TxnId) -> bool {
        self.lanes.get(&(issuer, terminal)).is_some_and(|lane| lane.front() == Some(&id))
    }

    pub(super) fn remove(&mut self, issuer: IssuerIndex, terminal: TerminalId, id: TxnId) {
        let Some(lane) = self.lanes.get_mut(&(issuer, terminal)) else { return };
        lane.retain(|waiting| *waiting != id);
        if lane.is_empty() {
            self.lanes.remove(&(issuer, terminal));
        }
    }

    /// How many messages each issuer is owed.
    pub(super) fn owed(&self) -> BTreeMap<IssuerName, u64> {
        let mut owed = BTreeMap::new();
        for ((issuer, _), lane) in &self.lanes {
            let name = usize::try_from(*issuer).ok().and_then(|index| self.names.get(index));
            if let Some(name) = name {
                *owed.entry(name.clone()).or_default() += lane.len() as u64;
            }
        }
        owed
    }
}
