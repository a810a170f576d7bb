//! How a follow-up finds what it follows: by the keys of its kind's row, all of what it brings agreeing.

use super::Answer;
use super::Intent;
use super::OriginalKey;
use super::TxnId;
use super::book::Book;
use super::closed::Key;
use super::closed::Keyed;
use super::kinds;
use super::kinds::FoundBy;
use super::kinds::Money;
use super::record::Standing;
use crate::model::ApprovalCode;
use crate::model::Kind;
use crate::model::MerchantId;
use crate::model::PanToken;
use crate::model::Rrn;
use crate::model::Voucher;
use smallvec::SmallVec;
use std::collections::HashMap;

/// What a follow-up says of its original. What it does not say is `None`.
#[derive(Clone, Debug)]
pub struct OriginalQuery {
    /// What the follow-up is: the row of its kind says by which of these it may be found.
    pub kind: Kind,
    /// DE 42: nobody follows another merchant's transaction.
    pub merchant: MerchantId,
    /// The original's number; the terminal in it is the one that asks.
    pub number: OriginalKey,
    /// Whether the message brought that number.
    pub numbered: bool,
    /// The original's DE 37.
    pub rrn: Option<Rrn>,
    /// The original's DE 38.
    pub approval: Option<ApprovalCode>,
    /// The card.
    pub token: Option<PanToken>,
    /// The original's voucher.
    pub voucher: Option<Voucher>,
    /// The original's date at the terminal or its business date, MMDD.
    pub date: Option<[u8; 4]>,
}

impl OriginalQuery {
    /// Whether `found_by` names this one.
    fn names(&self, found_by: FoundBy, intent: &Intent, answer: &Answer) -> bool {
        match found_by {
            FoundBy::Number => self.numbered && self.number.means(&intent.identity),
            FoundBy::Rrn => self.rrn == Some(intent.rrn),
            FoundBy::Approval => {
                self.approval.is_some() && self.approval == answer.approval && self.token == Some(intent.token)
            }
            FoundBy::Voucher => self.voucher.is_some() && self.voucher == answer.voucher,
        }
    }

    /// Whether it names any original at all, by a key of its kind.
    #[must_use]
    pub fn names_one(&self) -> bool {
        kinds::found_by(self.kind).iter().any(|found_by| match found_by {
            FoundBy::Number => self.numbered,
            FoundBy::Rrn => self.rrn.is_some(),
            FoundBy::Approval => self.approval.is_some() && self.token.is_some(),
            FoundBy::Voucher => self.voucher.is_some(),
        })
    }

    /// Whether nothing that was brought says that it is another one.
    fn agrees(&self, intent: &Intent, answer: &Answer) -> bool {
        let here = intent.identity.terminal == self.number.terminal;
        let local = intent.received.digits(intent.offset_minutes);
        let dated = |date: [u8; 4]| local.get(2..6) == Some(&date[..]) || intent.date.month_day() == date;
        intent.merchant == self.merchant
            && (here || !kinds::same_batch(self.kind))
            && (!self.numbered || !here || self.number.means(&intent.identity))
            && self.rrn.is_none_or(|rrn| rrn == intent.rrn)
            && self.approval.is_none_or(|code| answer.approval.is_none_or(|given| given == code))
            && self.token.is_none_or(|token| token == intent.token)
            && self.voucher.as_ref().is_none_or(|voucher| answer.voucher.as_ref().is_none_or(|given| given == voucher))
            && self.date.is_none_or(dated)
    }

    /// Whether this is the one that is meant. What was not decided was not approved, and cannot be followed.
    fn means(&self, intent: &Intent, answer: Option<&Answer>) -> bool {
        let Some(answer) = answer else { return false };
        let named = kinds::found_by(self.kind).iter().any(|found_by| self.names(*found_by, intent, answer));
        named && self.agrees(intent, answer)
    }

    /// Whether this one of a closed day is meant.
    pub(super) fn means_standing(&self, standing: &Standing) -> bool {
        self.means(&standing.intent, standing.answer.as_ref())
    }

    /// The keys under which closed days may know it.
    pub(super) fn keys(&self, keyed: Keyed) -> Vec<Key> {
        let key = |found_by: &FoundBy| match found_by {
            FoundBy::Number => self.numbered.then(|| keyed.original(self.number.terminal, &self.number)),
            FoundBy::Rrn => self.rrn.map(|rrn| keyed.rrn(rrn)),
            FoundBy::Approval => Some(keyed.hold(self.approval?, self.token.as_ref()?)),
            FoundBy::Voucher => self.voucher.as_ref().map(|voucher| keyed.voucher(voucher)),
        };
        kinds::found_by(self.kind).iter().filter_map(key).collect()
    }
}

/// Under what an authorization that holds money is found besides its numbers.
pub(super) fn hold(intent: &Intent, answer: &Answer) -> Option<(ApprovalCode, PanToken)> {
    let holds = kinds::of(intent.kind).money == Money::Held && answer.code.is_approval();
    answer.approval.filter(|_| holds).map(|approval| (approval, intent.token))
}

/// By what else than their numbers transactions of the book are found.
#[derive(Debug, Default)]
pub(super) struct Originals {
    vouchers: HashMap<Voucher, TxnId>,
    holds: HashMap<(ApprovalCode, PanToken), SmallVec<[TxnId; 1]>>,
}

impl Originals {
    /// Takes note of a decided transaction.
    pub(super) fn add(&mut self, intent: &Intent, answer: &Answer) {
        if let Some(voucher) = &answer.voucher {
            self.vouchers.insert(voucher.clone(), intent.id);
        }
        if let Some(key) = hold(intent, answer) {
            let held = self.holds.entry(key).or_default();
            if !held.contains(&intent.id) {
                held.push(intent.id);
            }
        }
    }

    /// Forgets a transaction that leaves the book.
    pub(super) fn forget(&mut self, intent: &Intent, answer: &Answer) {
        if let Some(voucher) = &answer.voucher
            && self.vouchers.get(voucher) == Some(&intent.id)
        {
            self.vouchers.remove(voucher);
        }
        if let Some(key) = hold(intent, answer)
            && let Some(held) = self.holds.get_mut(&key)
        {
            held.retain(|id| *id != intent.id);
            if held.is_empty() {
                self.holds.remove(&key);
            }
        }
    }
}

impl Book {
    /// The transaction of the book that is meant; of several the latest.
    pub(super) fn original_of(&self, query: &OriginalQuery) -> Option<TxnId> {
        let meant =
            |id: &TxnId| self.entries.get(id).is_some_and(|entry| query.means(&entry.intent, entry.answer.as_ref()));
        kinds::found_by(query.kind).iter().find_map(|found_by| self.known(query, *found_by).into_iter().rfind(meant))
    }

    fn known(&self, query: &OriginalQuery, found_by: FoundBy) -> SmallVec<[TxnId; 1]> {
        let one = match found_by {
            FoundBy::Number => self.identities.original(&query.number).filter(|_| query.numbered),
            FoundBy::Rrn => query.rrn.and_then(|rrn| self.rrns.get(&rrn).copied()),
            FoundBy::Voucher => query.voucher.as_ref().and_then(|voucher| self.vouchers(voucher)),
            FoundBy::Approval => {
                let key = query.approval.zip(query.token);
                return key.and_then(|key| self.originals.holds.get(&key).cloned()).unwrap_or_default();
            }
        };
        one.into_iter().collect()
    }

    fn vouchers(&self, voucher: &Voucher) -> Option<TxnId> {
        self.originals.vouchers.get(voucher).copied()
    }
}
