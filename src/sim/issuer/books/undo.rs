//! What a reversal does.

use super::Books;
use super::Slot;
use super::posting::Money;
use super::posting::Reference;
use crate::model::Amount;
use crate::model::BusinessDate;
use crate::model::Kind;
use crate::model::ResponseCode;

/// What a reversal found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Undo {
    /// Money came back, or was taken again.
    Undone,
    /// The original had moved none, had been undone before, or something followed it that stands.
    Nothing,
    /// There is no original yet. Should it come, it will be declined.
    Tombstone,
}

impl Books {
    /// Undoes the request that any of `original` names, on this day of the issuer. The same reversal any number of
    /// times undoes once.
    pub fn undo(&mut self, original: &[Reference], date: Option<BusinessDate>) -> Undo {
        if let Some(date) = date {
            self.expire(date);
        }
        match original.iter().find_map(|reference| self.slots.get(reference)).copied() {
            Some(Slot::Posting(at)) => match self.give_back(at) {
                Some(undone) => {
                    self.mark(&undone, date);
                    Undo::Undone
                }
                None => Undo::Nothing,
            },
            Some(Slot::Tombstone) => Undo::Tombstone,
            None => {
                original.iter().for_each(|reference| self.remember(*reference, Slot::Tombstone));
                Undo::Tombstone
            }
        }
    }

    fn mark(&mut self, undone: &[usize], date: Option<BusinessDate>) {
        for at in undone {
            if let Some(posting) = self.postings.get_mut(*at) {
                (posting.money, posting.undone) = (Money::Undone, date);
            }
        }
    }

    /// Moves the money of a posting back. The postings that are undone by it; `None` if nothing is to be undone.
    fn give_back(&mut self, at: usize) -> Option<Vec<usize>> {
        let posting = self.postings.get(at)?;
        let (pan, amount, money) = (posting.entry.pan, posting.amount, posting.money);
        let to = posting.entry.to.filter(|_| posting.entry.kind == Kind::Transfer);
        let (follows, followed_by) = (posting.follows, posting.followed_by.clone());
        let standing = |money: Money| {
            let all = followed_by.iter().copied();
            all.filter(|at| self.postings.get(*at).is_some_and(|posting| posting.money == money)).collect::<Vec<_>>()
        };
        let done = |changed: Result<(), ResponseCode>| changed.ok().map(|()| vec![at]);
        match money {
            // What was given back of it stays given: nobody undoes a sale that was refunded.
            Money::Booked if !standing(Money::Given).is_empty() => None,
            Money::Booked => {
                let adjustments = standing(Money::Adjusted);
                if let Some(to) = to.filter(|to| self.account(to).is_some()) {
                    self.change(&to, |account| account.taken(amount)).ok()?;
                }
                self.change(&pan, |account| account.returned(amount)).ok()?;
                self.hold_again(follows).ok()?;
                Some([vec![at], adjustments].concat())
            }
            // With a hold goes what was added to it.
            Money::Held => {
                let (all, held) = self.held(at);
                self.change(&pan, |account| account.released(held)).ok().map(|()| all)
            }
            Money::Given => done(self.change(&pan, |account| account.taken(amount))),
            // Nor a completion that stands again beside another one, or beside its hold's void.
            Money::Voids if self.was_taken_anew(follows?) => None,
            Money::Voids => {
                self.stand_again(follows?);
                Some(vec![at])
            }
            Money::Adjusted => self.readjust(at, follows?),
            Money::Untouched | Money::Completed | Money::Voided | Money::Expired | Money::Undone => None,
        }
    }

    /// Whether the hold of a completion that was voided has ended otherwise since.
    fn was_taken_anew(&self, at: usize) -> bool {
        let hold = self.postings.get(at).and_then(|posting| self.postings.get(posting.follows?));
        hold.is_some_and(|hold| matches!(hold.money, Money::Completed | Money::Voided | Money::Undone))
    }

    /// What a void had cancelled stands again: it is taken on credit where it must be, and held whatever is there.
    fn stand_again(&mut self, at: usize) {
        let mut more = self.postings.get(at).map(|posting| posting.followed_by.clone()).unwrap_or_default();
        // With a hold what was added to it; a completion that was voided by itself stays so.
        more.retain(|at| self.postings.get(*at).is_some_and(|posting| super::moves::holds(posting.entry.kind)));
        for at in std::iter::once(at).chain(more) {
            let Some(posting) = self.postings.get(at).filter(|posting| posting.money == Money::Voided) else {
                continue;
            };
            let (pan, amount, kind, completes) =
                (posting.entry.pan, posting.amount, posting.entry.kind, posting.follows);
            let was_held = super::moves::holds(kind);
            if !was_held && let Some(hold) = completes {
                let (all, held) = self.held(hold);
                if self.change(&pan, |account| account.released(held)).is_ok() {
                    self.turn(&all, Money::Completed);
                }
            }
            let changed =
                self.change(&pan, |account| if was_held { account.holding(amount) } else { account.taken(amount) });
            if changed.is_ok() {
                self.turn(&[at], if was_held { Money::Held } else { Money::Booked });
                if was_held {
                    self.remember_hold(at);
                }
            }
        }
    }

    /// The amount before an adjustment; only the last one of a sale that stands can be taken back.
    fn readjust(&mut self, at: usize, sale: usize) -> Option<Vec<usize>> {
        let (before, pan) = self.postings.get(at).map(|posting| (posting.approved, posting.entry.pan))?;
        let original = self.postings.get(sale)?;
        let later = original.followed_by.iter().filter_map(|at| self.postings.get(*at).map(|posting| (*at, posting)));
        let mut later = later.filter(|(_, posting)| matches!(posting.money, Money::Adjusted | Money::Given));
        let is_last = later.next_back().is_some_and(|(last, _)| last == at);
        let now: Amount = original.amount;
        if !is_last || original.money != Money::Booked {
            return None;
        }
        self.change(&pan, |account| account.returned(now)?.taken(before)).ok()?;
        if let Some(original) = self.postings.get_mut(sale) {
            original.amount = before;
        }
        Some(vec![at])
    }
}
