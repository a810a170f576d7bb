//! The book as a list of records that rebuild it, and what leaves it when a day is closed.
//!
//! A transaction stands for itself: its record holds where it is and what its follow-ups did to it, so it can
//! be kept apart from the history that led there, in a snapshot or in the archive of a closed day, and come
//! back from it.

use super::TxnId;
use super::batches;
use super::book::Book;
use super::book::Entry;
use super::counters::give_back;
use super::followers::Followers;
use super::owed::Queue;
use super::record::KeptReversal;
use super::record::Record;
use super::record::Standing;
use crate::model::BusinessDate;
use std::sync::Arc;

/// How many transactions leave by one record. Part of the format: a journal is read with the number that it was
/// written with.
pub(super) const CLOSED_AT_ONCE: usize = 4_096;

/// What left the book when a day was closed.
#[derive(Clone, Debug)]
pub(super) struct Departed {
    /// The day.
    pub(super) date: BusinessDate,
    /// Which closing it was, of all, from 1.
    pub(super) closing: u64,
    /// The finished transactions, in order of their numbers.
    pub(super) transactions: Vec<Standing>,
    /// The terminals' reversals, in order of their numbers.
    pub(super) reversals: Vec<KeptReversal>,
}

impl Book {
    /// The records that rebuild the book. What is owed comes last, in the order of its queues; everything
    /// else in an order of its own, so that equal books give equal records.
    pub(super) fn dump(&self) -> impl Iterator<Item = Record> {
        let keys = self.data_keys.iter().map(|(name, block)| Record::DataKey(*name, block.clone()));
        let stans = self.stans.iter().map(|(issuer, stan)| Record::Stan(issuer.clone(), *stan));
        let terminals = self.terminals.iter().map(|(terminal, facts)| Record::Terminal(*terminal, facts.clone()));
        let zones = self.zones.iter().map(|(issuer, facts)| Record::Zone(issuer.clone(), facts.clone()));
        let memory = self.memory.rows().into_iter().map(Record::Remembered);
        let ladders = self.ladders.iter();
        let ladders = ladders.map(|(subject, ladder)| Record::Ladder(*subject, Box::new(ladder.clone())));
        let revisions = self.revisions.iter().map(|revision| Record::Revision(Box::new(revision.clone())));
        let reversals = self.identities.all_reversals().into_iter();
        let reversals = reversals.map(|kept| Record::Reversal(Box::new(kept.clone())));
        let settled = self.entries.values().filter(|entry| entry.state.owes().is_none());
        let owed = self.owed.values().flat_map(Queue::all).filter_map(|id| self.entries.get(&id));
        let transactions = settled.chain(owed).map(|entry| Record::Standing(Box::new(self.standing(entry))));
        [Record::Marks(self.marks)]
            .into_iter()
            .chain(keys)
            .chain(stans)
            .chain(terminals)
            .chain(zones)
            .chain(reversals)
            .chain(self.batches.dump())
            .chain(memory)
            .chain(ladders)
            .chain(revisions)
            .chain(transactions)
    }

    /// A transaction as it stands.
    pub(super) fn standing(&self, entry: &Entry) -> Standing {
        Standing {
            intent: Arc::clone(&entry.intent),
            answer: entry.answer.clone(),
            state: entry.state,
            late: entry.late,
            refused: entry.refused,
            attempts: entry.attempts,
            sent_as: entry.sent_as,
            followers: self.followers.get(&entry.intent.id).cloned().unwrap_or_default(),
        }
    }

    /// Takes a transaction in as it stands; one that is there already stays as it is. Trace numbers are not
    /// touched: they have records of their own.
    pub(super) fn restore(&mut self, standing: &Standing) {
        let intent = &standing.intent;
        let id = intent.id;
        if self.entries.contains_key(&id) {
            return;
        }
        let before = self.fates(id);
        self.marks.last = self.marks.last.max(id);
        self.identities.add_request(&intent.identity, id);
        self.rrns.insert(intent.rrn, id);
        self.batches.restore(intent);
        if let Some(answer) = &standing.answer {
            self.originals.add(intent, answer);
        }
        if !standing.followers.0.is_empty() {
            self.followers.insert(id, standing.followers.clone());
        }
        let entry = Entry::standing(standing);
        let amount = entry.amount();
        self.entries.insert(id, entry);
        self.balance_counters(&before);
        if let Some(outbound) = intent.outbound.as_ref().filter(|_| standing.state.owes().is_some()) {
            self.owed.entry(outbound.issuer.clone()).or_default().push(intent.identity.terminal, id);
        }
        if let Some(followed) = intent.follows {
            // What it follows knows it already, if it is in the book.
            let followers = self.followers.entry(followed).or_default();
            followers.note(intent, standing.state, amount);
            followers.note_voided(id, standing.followers.is_voided());
        }
    }

    /// Lets go what is finished of a business date: of so many of the lowest numbers, so that nobody waits long,
    /// and with the last of them of the day's reversals too. What has follow-ups in the book waits for them:
    /// they may still change what stands of it. What counts in a batch waits until that is over.
    pub(super) fn close(&mut self, date: BusinessDate) {
        self.marks.closings += 1;
        let finished: Vec<TxnId> = self.leaving(date).take(CLOSED_AT_ONCE).collect();
        let mut transactions = Vec::with_capacity(finished.len());
        for id in &finished {
            let mut next = Some(*id);
            while let Some(standing) = next.and_then(|id| self.let_go(id)) {
                next = standing.intent.follows.filter(|followed| self.leaves(date, *followed));
                transactions.push(standing);
            }
        }
        transactions.sort_unstable_by_key(|standing| standing.intent.id);
        let is_last = finished.len() < CLOSED_AT_ONCE;
        let reversals = if is_last { self.identities.forget_reversals(date) } else { Vec::new() };
        if !transactions.is_empty() || !reversals.is_empty() {
            self.departed.push(Departed { date, closing: self.marks.closings, transactions, reversals });
        }
    }

    /// Whether closing the date once more would let more go.
    pub(super) fn closes_in_parts(&self, date: BusinessDate) -> bool {
        self.leaving(date).take(CLOSED_AT_ONCE).count() == CLOSED_AT_ONCE
    }

    /// What closing the date lets go, in order.
    fn leaving(&self, date: BusinessDate) -> impl Iterator<Item = TxnId> {
        self.entries.keys().copied().filter(move |id| self.leaves(date, *id))
    }

    fn leaves(&self, date: BusinessDate, id: TxnId) -> bool {
        let waits = |followers: &Followers| followers.ids().any(|follower| self.entries.contains_key(&follower));
        let unsettled = |entry: &Entry| {
            entry.state.is_approved() && batches::binds(entry.intent.kind) && self.batches.needs(&entry.intent)
        };
        self.entries
            .get(&id)
            .is_some_and(|entry| entry.intent.date == date && entry.state.is_finished() && !unsettled(entry))
            && !self.followers.get(&id).is_some_and(waits)
    }

    fn let_go(&mut self, id: TxnId) -> Option<Standing> {
        let live = self.is_live(id);
        let entry = self.entries.remove(&id)?;
        let intent = &entry.intent;
        if live {
            give_back(&mut self.counters, &intent.reservations);
        }
        self.identities.forget_request(&intent.identity, id);
        self.rrns.remove(&intent.rrn);
        if let Some(answer) = &entry.answer {
            self.originals.forget(intent, answer);
        }
        let standing = self.standing(&entry);
        self.followers.remove(&id);
        if let Some(followed) = intent.follows.filter(|followed| !self.entries.contains_key(followed))
            && self.followers.get_mut(&followed).is_some_and(|followers| followers.forget(id))
        {
            self.followers.remove(&followed);
        }
        Some(standing)
    }

    /// What left with closed days since the last call.
    pub(super) fn take_departed(&mut self) -> Vec<Departed> {
        std::mem::take(&mut self.departed)
    }
}

#[cfg(test)]
mod tests;
