//! What rules saw, or would have seen: every request of a ledger's folder, in the order in which they were recorded, with
//! what was remembered and counted just before it.
//!
//! It is the ledger's own book that remembers and counts here, folded as at a start. Closed days before the oldest
//! snapshot are not gone through: their groups are gone.

use super::Intent;
use super::book::Book;
use super::history;
use super::history::Reader;
use super::journal::Disk;
use super::journal::Group;
use super::journal::JournalFault;
use super::journal::Replayed;
use super::kinds;
use super::record::Record;
use super::record::Standing;
use crate::model::LadderEntry;
use crate::risk::Fate;
use crate::risk::Memory;
use crate::risk::Reservation;
use crate::risk::Sums;
use smallvec::SmallVec;
use std::sync::Arc;

/// Is shown requests, and how they fare.
pub trait Visitor {
    /// A request as it came: its refusal says why it was declined here, if it was, and its note which rules spoke.
    ///
    /// What is returned is reserved with it and given back with it, on counters that were not reserved on then: the sums of
    /// rules that were not in force. It is left out where the request was declined here.
    fn asked(
        &mut self,
        intent: &Intent,
        memory: &Memory,
        sums: &impl Sums,
        declined: bool,
    ) -> SmallVec<[Reservation; 2]>;

    /// It stands on record, and how it came there is not: of a snapshot, or come back from its closed day. It is no request
    /// of now; what is returned is reserved with it as in [`Visitor::asked`], while it lives.
    fn stood(&mut self, _intent: &Intent) -> SmallVec<[Reservation; 2]> {
        SmallVec::new()
    }

    /// It fares otherwise from here on: it was declined by its issuer, undone, cancelled, or lives again.
    fn fared(&mut self, _intent: &Intent, _from: Fate, _to: Fate) {}

    /// A step was taken on the ladder; of those before the oldest snapshot, the last of each subject.
    fn stepped(&mut self, _entry: &LadderEntry) {}
}

/// Shows `visitor` every request in a ledger's folder. Changes nothing; a station may be writing. The same folder gives
/// the same, every time.
///
/// # Errors
/// What keeps the journal from being believed; what was shown by then is whole and in order.
pub fn judged<D: Disk>(disk: &mut D, visitor: &mut impl Visitor) -> Result<Replayed, JournalFault> {
    let book = Book { changes: Some(Vec::new()), ..Book::default() };
    history::read(disk, &mut Judged { book, visitor, in_snapshot: false })
}

struct Judged<'a, V> {
    book: Book,
    visitor: &'a mut V,
    in_snapshot: bool,
}

impl<V: Visitor> Reader for Judged<'_, V> {
    fn departed(&mut self, _: &Record) {}

    fn snapshot(&mut self, begins: bool) {
        self.in_snapshot = begins;
    }

    fn group(&mut self, _: &Group<'_>) {}

    fn record(&mut self, record: &Record) {
        match record {
            Record::Intended(intent) => self.intended(record, intent),
            Record::Declined(intent, _) => {
                self.visitor.asked(intent, &self.book.memory, &self.book.counters, true);
                self.book.apply(record);
            }
            Record::Standing(standing) => self.stood(record, standing),
            Record::Step(entry) => {
                self.visitor.stepped(entry);
                self.book.apply(record);
            }
            Record::Ladder(_, ladder) => {
                ladder.entries.iter().for_each(|entry| self.visitor.stepped(entry));
                self.book.apply(record);
            }
            _ => self.book.apply(record),
        }
        // What a snapshot is made of is no change.
        let in_snapshot = self.in_snapshot;
        for changed in self.book.changes.iter_mut().flat_map(|changes| changes.drain(..)).filter(|_| !in_snapshot) {
            self.visitor.fared(&changed.intent, changed.from, changed.to);
        }
        self.book.take_departed();
    }

    fn group_ends(&mut self) {}
}

impl<V: Visitor> Judged<'_, V> {
    fn intended(&mut self, record: &Record, intent: &Arc<Intent>) {
        let more = self.visitor.asked(intent, &self.book.memory, &self.book.counters, false);
        match with_more(intent, more) {
            Some(intent) => self.book.apply(&Record::Intended(intent)),
            None => self.book.apply(record),
        }
    }

    fn stood(&mut self, record: &Record, standing: &Standing) {
        let more = self.visitor.stood(&standing.intent);
        match with_more(&standing.intent, more) {
            Some(intent) => self.book.apply(&Record::Standing(Box::new(Standing { intent, ..standing.clone() }))),
            None => self.book.apply(record),
        }
    }
}

/// A request with what it reserves besides, if it does.
fn with_more(intent: &Arc<Intent>, mut more: SmallVec<[Reservation; 2]>) -> Option<Arc<Intent>> {
    more.retain(|one| intent.reservations.iter().all(|made| made.key != one.key));
    if more.is_empty() || !kinds::of(intent.kind).reserves {
        return None;
    }
    let mut intent = (**intent).clone();
    intent.reservations.extend(more);
    Some(Arc::new(intent))
}
