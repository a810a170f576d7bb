//! An upload beside the ledger: what differs, item by item.

use super::UploadedGroup;
use super::UploadedItem;
use crate::ledger::OriginalKey;
use crate::ledger::Scope;
use crate::ledger::TxnId;
use crate::ledger::book::Book;
use crate::ledger::book::Entry;
use crate::model::Amount;
use crate::model::BatchEntry;
use crate::model::BatchNumber;
use crate::model::Rrn;
use crate::model::Stan;
use crate::model::TerminalId;
use crate::model::VoidsInTotals;
use smallvec::SmallVec;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::fmt;

/// In what a transaction differs between its terminal and the ledger.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Difference {
    /// The ledger counts it, and the terminal did not upload it.
    MissingThere,
    /// The terminal uploaded it, and here it was declined or undone.
    MissingHere,
    /// The terminal uploaded it, and it is not on record in this batch.
    Unknown,
    /// The amounts differ.
    Amount,
    /// The cards differ.
    Card,
    /// It is a foreign card for one of them.
    CardClass,
    /// The terminal uploaded it more than once.
    Duplicate,
}

impl Difference {
    /// The word for it in lists.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MissingThere => "missing-there",
            Self::MissingHere => "missing-here",
            Self::Unknown => "unknown",
            Self::Amount => "amount",
            Self::Card => "card",
            Self::CardClass => "card-class",
            Self::Duplicate => "duplicate",
        }
    }
}

/// One difference between an upload and the ledger. `Display` is a sentence for the operator.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ItemDifference {
    /// In what.
    pub what: Difference,
    /// The transaction's trace number at its terminal.
    pub stan: Stan,
    /// The ledger's number, where it is on record.
    pub id: Option<TxnId>,
    /// Its reference number, where it is on record.
    pub rrn: Option<Rrn>,
    /// What it counts here; `None`: nothing.
    pub here: Option<Amount>,
    /// What it counts at the terminal; `None`: nothing.
    pub there: Option<Amount>,
}

impl fmt::Display for ItemDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = |amount: Option<Amount>| amount.map_or("nothing".to_owned(), |amount| amount.to_string());
        let (here, there) = (amount(self.here), amount(self.there));
        write!(f, "STAN {}", self.stan)?;
        if let Some(rrn) = self.rrn {
            write!(f, " (RRN {rrn})")?;
        }
        match self.what {
            Difference::MissingThere => write!(f, ": {here} here, the terminal did not upload it"),
            Difference::MissingHere => write!(f, ": {there} at the terminal, declined or undone here"),
            Difference::Unknown => write!(f, ": {there} at the terminal, not on record in this batch"),
            Difference::Amount => write!(f, ": {here} here, {there} at the terminal"),
            Difference::Card => write!(f, ": {here} here and {there} at the terminal, on different cards"),
            Difference::CardClass => f.write_str(": one of the two took the card for a foreign one"),
            Difference::Duplicate => write!(f, ": {there}, uploaded more than once"),
        }
    }
}

/// An item's counterpart in the ledger.
struct Known<'a> {
    entry: &'a Entry,
    adds: Option<BatchEntry>,
}

impl Book {
    /// What differs between the uploaded groups and the transactions that count: first what the terminal has, in
    /// its order, then what it has not.
    pub(super) fn differences(
        &self,
        (terminal, batch): (TerminalId, BatchNumber),
        groups: &[UploadedGroup],
        voids: VoidsInTotals,
    ) -> SmallVec<[ItemDifference; 0]> {
        let none = BTreeSet::new();
        let members = self.batches.members(terminal, batch).unwrap_or(&none);
        let members: Vec<_> = members.iter().filter_map(|id| self.entries.get(id)).collect();
        let by_stan: HashMap<Stan, &Entry> = members.iter().map(|entry| (entry.intent.identity.stan, *entry)).collect();
        let known = |stan: Stan| {
            let entry = by_stan.get(&stan).copied().or_else(|| self.of_number(terminal, stan, batch))?;
            Some(Known { entry, adds: self.adds(entry, voids) })
        };
        let (mut differences, mut seen) = (SmallVec::new(), HashSet::new());
        for item in groups.iter().flatten() {
            let known = known(item.stan);
            if !seen.insert(item.stan) {
                differences.push(difference(Difference::Duplicate, item.stan, known.as_ref(), Some(item.amount)));
            } else if let Some(what) = item.differs(known.as_ref()) {
                differences.push(difference(what, item.stan, known.as_ref(), Some(item.amount)));
            }
        }
        for entry in members {
            let (stan, adds) = (entry.intent.identity.stan, self.adds(entry, voids));
            if adds.is_some() && !seen.contains(&stan) {
                differences.push(difference(Difference::MissingThere, stan, Some(&Known { entry, adds }), None));
            }
        }
        differences
    }

    /// The transaction of this number of the batch, whatever became of it.
    fn of_number(&self, terminal: TerminalId, stan: Stan, batch: BatchNumber) -> Option<&Entry> {
        let scope = Scope(SmallVec::from_slice(&batch.digits()));
        let id = self.identities.original(&OriginalKey { terminal, stan, scope, class: None })?;
        self.entries.get(&id)
    }
}

fn difference(what: Difference, stan: Stan, known: Option<&Known<'_>>, there: Option<Amount>) -> ItemDifference {
    ItemDifference {
        what,
        stan,
        id: known.map(|known| known.entry.intent.id),
        rrn: known.map(|known| known.entry.intent.rrn),
        here: known.and_then(|known| known.adds).map(|adds| adds.amount),
        there,
    }
}

impl UploadedItem {
    /// In what it differs from what is on record, if it does.
    fn differs(&self, known: Option<&Known<'_>>) -> Option<Difference> {
        let Some(known) = known else { return Some(Difference::Unknown) };
        let Some(adds) = known.adds else { return Some(Difference::MissingHere) };
        if adds.amount != self.amount {
            return Some(Difference::Amount);
        }
        // Where the terminal does not say the card, nothing of it is compared: a payment code does not fit there.
        let token = self.token?;
        if token != known.entry.intent.token {
            return Some(Difference::Card);
        }
        (adds.foreign != self.foreign).then_some(Difference::CardClass)
    }
}
