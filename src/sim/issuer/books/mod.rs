//! An issuer's accounts and what was posted to them. Pure, and right to the cent.

mod account;
mod moves;
mod posting;
mod undo;

pub use account::Account;
pub use posting::{Entry, Money, Posting, Reference};
pub use undo::Undo;

use crate::model::Amount;
use crate::model::ApprovalCode;
use crate::model::BusinessDate;
use crate::model::Pan;
use crate::model::ResponseCode;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;
use std::collections::VecDeque;

/// Postings that one issuer keeps. When they are all used, requests are answered 96 and nothing more
/// is booked.
pub const MOST_POSTINGS: usize = 4_000_000;
/// References by which postings are found again, the newest so many: some 500,000 requests may come
/// between a request and its repeat or its reversal.
pub const MOST_REFERENCES: usize = 3_000_000;

/// What an issuer agreed with the switch on holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Terms {
    /// The most of a hold that a completion may take, in hundredths.
    pub completion_percent: u16,
    /// For how many days after its own a hold may be completed; then it is let go.
    pub hold_days: u16,
}

/// 115 in a hundred, 30 days.
impl Default for Terms {
    fn default() -> Self {
        Self { completion_percent: 115, hold_days: 30 }
    }
}

/// How the books answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Entered {
    /// The answer.
    pub code: ResponseCode,
    /// The approval code, if approved.
    pub approval: Option<ApprovalCode>,
    /// What was approved, where it is less than was asked.
    pub partial: Option<Amount>,
    /// What may still be spent, if the account exists.
    pub available: Option<Amount>,
    /// The voucher of a payment by code, 20 digits.
    pub voucher: Option<[u8; 20]>,
    /// Whether the request had been entered before: nothing moved this time.
    pub again: bool,
}

/// What a reference leads to.
#[derive(Clone, Copy)]
enum Slot {
    Posting(usize),
    Tombstone,
}

/// Accounts and postings of one issuer.
#[derive(Default)]
pub struct Books {
    accounts: BTreeMap<String, Account>,
    postings: Vec<Posting>,
    slots: HashMap<Reference, Slot>,
    /// The references in `slots`, the oldest first.
    order: VecDeque<Reference>,
    terms: Terms,
    /// Holds by the day they began on.
    holds: BTreeMap<BusinessDate, Vec<usize>>,
    /// Payment codes that paid: account, and the digits after its number.
    spent: HashSet<(Pan, Box<str>)>,
}

impl Books {
    /// Keeps to these terms from now on.
    pub fn agree(&mut self, terms: Terms) {
        self.terms = terms;
    }

    /// Opens an account. Opening it again sets its balance and drops its holds.
    pub fn open(&mut self, pan: &Pan, balance: Amount) {
        self.accounts.insert(pan.clear().to_owned(), Account::of(balance));
    }

    /// What is on an account.
    #[must_use]
    pub fn account(&self, pan: &Pan) -> Option<Account> {
        self.accounts.get(pan.clear()).copied()
    }

    /// All accounts, in order of their numbers.
    pub fn accounts(&self) -> impl Iterator<Item = (Pan, Account)> {
        self.accounts.iter().filter_map(|(pan, account)| Some((Pan::parse(pan.as_bytes())?, *account)))
    }

    /// Every posting, in order of receipt.
    #[must_use]
    pub fn postings(&self) -> &[Posting] {
        &self.postings
    }

    /// Enters a request: the recorded answer if it was entered before, a decline if its reversal came
    /// first, else `code`; an approval moves the money if funds and what it follows allow it.
    /// [`ResponseCode::ApprovedPartial`] approves half of a sale, a hold or an increment.
    pub fn enter(&mut self, entry: Entry, code: ResponseCode) -> Entered {
        if let Some(date) = entry.date {
            self.expire(date);
        }
        match entry.references.iter().find_map(|reference| self.met(reference)) {
            Some(Slot::Posting(at)) => return self.again(at, &entry),
            Some(Slot::Tombstone) => return self.post(entry, ResponseCode::RelatedFailed, Effect::NONE),
            None => {}
        }
        if self.postings.len() >= MOST_POSTINGS {
            return self.refused(&entry.pan, ResponseCode::SystemFailure, false);
        }
        if !code.is_approval() {
            return self.post(entry, code, Effect::NONE);
        }
        let partial = code == ResponseCode::ApprovedPartial && moves::may_be_partial(&entry);
        let approved = if partial { Amount::new(entry.amount.minor() / 2) } else { None }.unwrap_or(entry.amount);
        let code = match code {
            ResponseCode::ApprovedPartial if !partial => ResponseCode::Approved,
            code => code,
        };
        if self.is_spent(&entry) {
            return self.post(entry, ResponseCode::CardExpired, Effect::NONE);
        }
        match self.take(&entry, approved) {
            Ok(effect) => {
                self.spend(&entry);
                self.post(entry, code, effect)
            }
            Err(decline) => self.post(entry, decline, Effect::NONE),
        }
    }

    /// Whether the code paid before. What undoes that payment does not make the code good again.
    fn is_spent(&self, entry: &Entry) -> bool {
        let code = entry.code.as_ref().filter(|code| !code.is_empty());
        code.is_some_and(|code| self.spent.contains(&(entry.pan, code.clone())))
    }

    fn spend(&mut self, entry: &Entry) {
        if let Some(code) = &entry.code {
            self.spent.insert((entry.pan, code.clone()));
        }
    }

    /// What a new request meets under one of its references.
    fn met(&self, reference: &Reference) -> Option<Slot> {
        match self.slots.get(reference).copied()? {
            Slot::Posting(_) if !reference.tells_repeats() => None,
            slot => Some(slot),
        }
    }

    /// The posting that a follow-up names.
    fn named(&self, references: &[Reference]) -> Option<usize> {
        references.iter().find_map(|reference| match self.slots.get(reference)? {
            Slot::Posting(at) => Some(*at),
            Slot::Tombstone => None,
        })
    }

    /// The recorded answer, or 94 where the same number came with other content.
    fn again(&self, at: usize, entry: &Entry) -> Entered {
        let Some(posting) = self.postings.get(at) else {
            return self.refused(&entry.pan, ResponseCode::SystemFailure, true);
        };
        let of = |entry: &Entry| (entry.kind, entry.pan, entry.amount, entry.currency);
        if of(&posting.entry) != of(entry) {
            return self.refused(&entry.pan, ResponseCode::DuplicateMismatch, true);
        }
        Entered { again: true, ..self.answer(at, posting) }
    }

    fn post(&mut self, mut entry: Entry, code: ResponseCode, effect: Effect) -> Entered {
        let at = self.postings.len();
        let approval = code.is_approval().then(|| approval_code(at)).flatten();
        for reference in std::mem::take(&mut entry.references) {
            self.remember(reference, Slot::Posting(at));
        }
        entry.follows = Vec::new();
        if entry.code.is_some() && effect.money == Money::Booked {
            self.remember(Reference::Voucher(voucher(at)), Slot::Posting(at));
        }
        if let Some(original) = effect.follows.and_then(|original| self.postings.get_mut(original)) {
            original.followed_by.push(at);
        }
        if let Some(date) = entry.date.filter(|_| effect.money == Money::Held) {
            self.holds.entry(date).or_default().push(at);
        }
        let approved = effect.amount.unwrap_or(entry.amount);
        let posting = Posting {
            entry,
            code,
            approval,
            approved,
            amount: approved,
            money: effect.money,
            follows: effect.follows,
            followed_by: Vec::new(),
            undone: None,
        };
        let entered = self.answer(at, &posting);
        self.postings.push(posting);
        entered
    }

    /// Notes where a reference leads, and forgets the oldest when there are too many.
    fn remember(&mut self, reference: Reference, slot: Slot) {
        if self.slots.insert(reference, slot).is_none() {
            self.order.push_back(reference);
        }
        if self.order.len() > MOST_REFERENCES
            && let Some(oldest) = self.order.pop_front()
        {
            self.slots.remove(&oldest);
        }
    }

    /// The answer that a posting was given.
    fn answer(&self, at: usize, posting: &Posting) -> Entered {
        Entered {
            code: posting.code,
            approval: posting.approval,
            partial: (posting.code == ResponseCode::ApprovedPartial).then_some(posting.approved),
            available: self.account(&posting.entry.pan).map(|account| account.available()),
            voucher: (posting.entry.code.is_some() && posting.code.is_approval()).then(|| voucher(at)),
            again: false,
        }
    }

    /// An answer without a posting.
    fn refused(&self, pan: &Pan, code: ResponseCode, again: bool) -> Entered {
        let available = self.account(pan).map(|account| account.available());
        Entered { code, approval: None, partial: None, available, voucher: None, again }
    }
}

/// What an approved request does.
#[derive(Clone, Copy)]
struct Effect {
    money: Money,
    follows: Option<usize>,
    /// Where it is not what was asked.
    amount: Option<Amount>,
}

impl Effect {
    /// Nothing.
    const NONE: Self = Self { money: Money::Untouched, follows: None, amount: None };
}

/// Six digits that rise with the postings.
fn approval_code(at: usize) -> Option<ApprovalCode> {
    ApprovalCode::parse(format!("{:06}", (at + 1) % 1_000_000).as_bytes())
}

/// Twenty digits that rise with the postings.
fn voucher(at: usize) -> [u8; 20] {
    let mut digits = *b"99000000000000000000";
    let mut rest = at + 1;
    for digit in digits.iter_mut().rev().take(18) {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
    digits
}

#[cfg(test)]
mod tests;
