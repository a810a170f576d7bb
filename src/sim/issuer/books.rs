//! An issuer's accounts and what was posted to them. Pure, and right to the cent.

use crate::model::Amount;
use crate::model::ApprovalCode;
use crate::model::Currency;
use crate::model::Kind;
use crate::model::Pan;
use crate::model::ResponseCode;
use crate::model::Rrn;
use crate::model::Stan;
use crate::model::TerminalId;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::VecDeque;

/// Postings that one issuer keeps. When they are all used, requests are answered 96 and nothing more
/// is booked.
pub const MOST_POSTINGS: usize = 4_000_000;
/// References by which postings are found again, the newest so many: some 500,000 requests may come
/// between a request and its repeat or its reversal.
pub const MOST_REFERENCES: usize = 1_500_000;

/// One of the ways in which a message names a request: itself, or the original it undoes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Reference {
    /// By STAN and transmission time, `MMDDhhmmss` (DE 7).
    Sent(TerminalId, Stan, [u8; 10]),
    /// By STAN and local time, `YYMMDDhhmmss` (DE 12 of 1993); year 00 where the dialect has none.
    Local(TerminalId, Stan, [u8; 12]),
    /// By STAN and retrieval reference number. Only undoes: after a restart of the switch the numbers
    /// may come round again within the issuer's memory, and a new request is not a repeat then.
    Retrieval(TerminalId, Stan, Rrn),
    /// By retrieval reference number alone: how an advice is known again, whatever else of it changed.
    Advised(TerminalId, Rrn),
}

/// A request as it reaches the books.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What is asked.
    pub kind: Kind,
    /// DE 41.
    pub terminal: TerminalId,
    /// DE 11, the switch's.
    pub stan: Stan,
    /// DE 37, where the request has one.
    pub rrn: Option<Rrn>,
    /// Whose account.
    pub pan: Pan,
    /// How much.
    pub amount: Amount,
    /// Of which money.
    pub currency: Option<Currency>,
    /// All the ways in which a later message may name it. Taken when it is entered: a posting has none.
    pub references: Vec<Reference>,
}

/// What became of the money of one posting.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Money {
    /// None was to move, or the request was declined.
    Untouched,
    /// It was taken from the account.
    Booked,
    /// It is held on the account.
    Held,
    /// It was booked or held, and came back.
    Undone,
}

/// One line of the books.
#[derive(Clone, Debug)]
pub struct Posting {
    /// The request.
    pub entry: Entry,
    /// How it was answered.
    pub code: ResponseCode,
    /// The approval code given, if it was approved.
    pub approval: Option<ApprovalCode>,
    /// What became of the money.
    pub money: Money,
}

/// An account and what is on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Account {
    /// On the account, without regard to holds.
    pub balance: Amount,
    /// Held for authorizations.
    pub held: Amount,
    /// Owed to the bank: booked by advice where there was nothing left.
    pub overdrawn: Amount,
}

impl Account {
    /// What may still be spent.
    #[must_use]
    pub fn available(&self) -> Amount {
        self.balance.minus(self.held).unwrap_or(Amount::ZERO)
    }

    /// Takes an amount, on credit where there is not enough. `None` where it cannot be counted.
    fn taken(self, amount: Amount) -> Option<Self> {
        match self.balance.minus(amount) {
            Some(balance) => Some(Self { balance, ..self }),
            None => {
                let overdrawn = self.overdrawn.plus(amount.minus(self.balance)?)?;
                Some(Self { balance: Amount::ZERO, overdrawn, ..self })
            }
        }
    }

    /// Gives an amount back: first what is owed to the bank.
    fn returned(self, amount: Amount) -> Option<Self> {
        match self.overdrawn.minus(amount) {
            Some(overdrawn) => Some(Self { overdrawn, ..self }),
            None => {
                let balance = self.balance.plus(amount.minus(self.overdrawn)?)?;
                Some(Self { balance, overdrawn: Amount::ZERO, ..self })
            }
        }
    }
}

/// How the books answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Entered {
    /// The answer.
    pub code: ResponseCode,
    /// The approval code, if approved.
    pub approval: Option<ApprovalCode>,
    /// What may still be spent, if the account exists.
    pub available: Option<Amount>,
    /// Whether the request had been entered before: nothing moved this time.
    pub again: bool,
}

/// What a reversal found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Undo {
    /// Money came back.
    Undone,
    /// The original had moved none, or had been undone before.
    Nothing,
    /// There is no original yet. Should it come, it will be declined.
    Tombstone,
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
}

impl Books {
    /// Opens an account. Opening it again sets its balance and drops its holds.
    pub fn open(&mut self, pan: &Pan, balance: Amount) {
        self.accounts.insert(pan.clear().to_owned(), Account { balance, held: Amount::ZERO, overdrawn: Amount::ZERO });
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
    /// first, else `code`; an approval moves the money if the funds allow it and is answered 51 if not.
    pub fn enter(&mut self, entry: Entry, code: ResponseCode) -> Entered {
        match entry.references.iter().find_map(|reference| self.met(reference)) {
            Some(Slot::Posting(at)) => return self.again(at, &entry),
            Some(Slot::Tombstone) => return self.post(entry, ResponseCode::RelatedFailed, Money::Untouched),
            None => {}
        }
        if self.postings.len() >= MOST_POSTINGS {
            return self.answer(&entry.pan, ResponseCode::SystemFailure, None, false);
        }
        if !code.is_approval() {
            return self.post(entry, code, Money::Untouched);
        }
        match self.take(&entry) {
            Ok(money) => self.post(entry, code, money),
            Err(decline) => self.post(entry, decline, Money::Untouched),
        }
    }

    /// Undoes the request that any of `original` names. The same reversal any number of times undoes once.
    pub fn undo(&mut self, original: &[Reference]) -> Undo {
        match original.iter().find_map(|reference| self.slots.get(reference)).copied() {
            Some(Slot::Posting(at)) => self.give_back(at),
            Some(Slot::Tombstone) => Undo::Tombstone,
            None => {
                original.iter().for_each(|reference| self.remember(*reference, Slot::Tombstone));
                Undo::Tombstone
            }
        }
    }

    /// What a new request meets under one of its references.
    fn met(&self, reference: &Reference) -> Option<Slot> {
        match (self.slots.get(reference).copied()?, reference) {
            (Slot::Posting(_), Reference::Retrieval(..)) => None,
            (slot, _) => Some(slot),
        }
    }

    /// The recorded answer, or 94 where the same number came with other content.
    fn again(&self, at: usize, entry: &Entry) -> Entered {
        let Some(posting) = self.postings.get(at) else {
            return self.answer(&entry.pan, ResponseCode::SystemFailure, None, true);
        };
        let of = |entry: &Entry| (entry.kind, entry.pan, entry.amount, entry.currency);
        if of(&posting.entry) != of(entry) {
            return self.answer(&entry.pan, ResponseCode::DuplicateMismatch, None, true);
        }
        self.answer(&entry.pan, posting.code, posting.approval, true)
    }

    /// Moves the money that the kind moves.
    fn take(&mut self, entry: &Entry) -> Result<Money, ResponseCode> {
        let account = self.accounts.get_mut(entry.pan.clear()).ok_or(ResponseCode::CardInvalid)?;
        let asks = matches!(entry.kind, Kind::Sale | Kind::Authorization);
        if asks && account.available() < entry.amount {
            return Err(ResponseCode::FundsInsufficient);
        }
        let overflow = ResponseCode::SystemFailure;
        match entry.kind {
            // An advice tells what has been done: it is booked whatever is on the account.
            Kind::Sale | Kind::OfflineSale => {
                *account = account.taken(entry.amount).ok_or(overflow)?;
                Ok(Money::Booked)
            }
            Kind::Authorization | Kind::AuthorizationAdvice => {
                account.held = account.held.plus(entry.amount).ok_or(overflow)?;
                Ok(Money::Held)
            }
            _ => Ok(Money::Untouched),
        }
    }

    fn post(&mut self, mut entry: Entry, code: ResponseCode, money: Money) -> Entered {
        let at = self.postings.len();
        let approval = code.is_approval().then(|| approval_code(at)).flatten();
        for reference in std::mem::take(&mut entry.references) {
            self.remember(reference, Slot::Posting(at));
        }
        let entered = self.answer(&entry.pan, code, approval, false);
        self.postings.push(Posting { entry, code, approval, money });
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

    fn give_back(&mut self, at: usize) -> Undo {
        let Some(posting) = self.postings.get_mut(at) else { return Undo::Nothing };
        let Some(account) = self.accounts.get_mut(posting.entry.pan.clear()) else { return Undo::Nothing };
        let amount = posting.entry.amount;
        let after = match posting.money {
            Money::Booked => account.returned(amount),
            Money::Held => account.held.minus(amount).map(|held| Account { held, ..*account }),
            Money::Untouched | Money::Undone => None,
        };
        let Some(after) = after else { return Undo::Nothing };
        *account = after;
        posting.money = Money::Undone;
        Undo::Undone
    }

    fn answer(&self, pan: &Pan, code: ResponseCode, approval: Option<ApprovalCode>, again: bool) -> Entered {
        Entered { code, approval, available: self.account(pan).map(|account| account.available()), again }
    }
}

/// Six digits that rise with the postings.
fn approval_code(at: usize) -> Option<ApprovalCode> {
    ApprovalCode::parse(format!("{:06}", (at + 1) % 1_000_000).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: u64 = 1_000;

    fn pan() -> Pan {
        Pan::parse(b"4111111111111111").unwrap()
    }

    fn books() -> Books {
        let mut books = Books::default();
        books.open(&pan(), Amount::new(START).unwrap());
        books
    }

    fn reference(stan: u32) -> Reference {
        Reference::Sent(TerminalId::parse(b"10000001").unwrap(), Stan::new(stan).unwrap(), *b"1121120000")
    }

    fn entry(kind: Kind, stan: u32, amount: u64) -> Entry {
        Entry {
            kind,
            terminal: TerminalId::parse(b"10000001").unwrap(),
            stan: Stan::new(stan).unwrap(),
            rrn: None,
            pan: pan(),
            amount: Amount::new(amount).unwrap(),
            currency: Some(Currency::CNY),
            references: vec![reference(stan)],
        }
    }

    fn balance(books: &Books) -> u64 {
        books.account(&pan()).unwrap().balance.minor()
    }

    #[test]
    fn a_reversal_undoes_once_however_often_it_comes() {
        let mut books = books();
        books.enter(entry(Kind::Sale, 1, 300), ResponseCode::Approved);
        assert_eq!(balance(&books), 700);
        assert_eq!(books.undo(&[reference(1)]), Undo::Undone);
        assert_eq!(books.undo(&[reference(1)]), Undo::Nothing);
        assert_eq!(balance(&books), START);
    }

    #[test]
    fn an_original_that_comes_after_its_reversal_is_declined() {
        let mut books = books();
        assert_eq!(books.undo(&[reference(1)]), Undo::Tombstone);
        let entered = books.enter(entry(Kind::Sale, 1, 300), ResponseCode::Approved);
        assert_eq!(entered.code, ResponseCode::RelatedFailed);
        assert_eq!(books.undo(&[reference(1)]), Undo::Nothing);
        assert_eq!(balance(&books), START);
    }

    #[test]
    fn the_same_request_again_gets_the_recorded_answer_and_other_content_94() {
        let mut books = books();
        let first = books.enter(entry(Kind::Sale, 1, 300), ResponseCode::Approved);
        let second = books.enter(entry(Kind::Sale, 1, 300), ResponseCode::Approved);
        assert_eq!((second.code, second.approval, second.again), (first.code, first.approval, true));
        let other = books.enter(entry(Kind::Sale, 1, 301), ResponseCode::Approved);
        assert_eq!(other.code, ResponseCode::DuplicateMismatch);
        assert_eq!(balance(&books), 700);
    }

    #[test]
    fn an_advice_is_booked_whatever_is_on_the_account_and_once_however_often_it_comes() {
        let mut books = books();
        let advice = |stan, sent: &[u8; 10]| {
            let terminal = TerminalId::parse(b"10000001").unwrap();
            let rrn = Rrn::parse(b"632500000001").unwrap();
            let advised = Reference::Advised(terminal, rrn);
            let references = vec![advised, Reference::Sent(terminal, Stan::new(stan).unwrap(), *sent)];
            Entry { references, ..entry(Kind::OfflineSale, stan, START + 300) }
        };
        let first = books.enter(advice(1, b"1121120000"), ResponseCode::Approved);
        let again = books.enter(advice(2, b"1121120500"), ResponseCode::Approved);
        assert_eq!((first.again, again.again, again.approval), (false, true, first.approval));
        let account = books.account(&pan()).unwrap();
        assert_eq!((account.balance.minor(), account.overdrawn.minor()), (0, 300));
        assert_eq!(books.undo(&[reference(1)]), Undo::Undone);
        let account = books.account(&pan()).unwrap();
        assert_eq!((account.balance.minor(), account.overdrawn.minor()), (START, 0));
    }

    #[test]
    fn a_hold_lowers_what_is_available_and_not_the_balance() {
        let mut books = books();
        books.enter(entry(Kind::Authorization, 1, 900), ResponseCode::Approved);
        let account = books.account(&pan()).unwrap();
        assert_eq!((account.balance.minor(), account.available().minor()), (START, 100));
        let sale = books.enter(entry(Kind::Sale, 2, 101), ResponseCode::Approved);
        assert_eq!(sale.code, ResponseCode::FundsInsufficient);
        books.undo(&[reference(1)]);
        assert_eq!(books.account(&pan()).unwrap().available().minor(), START);
    }

    proptest! {
        /// Whatever comes, in whatever order and how often: what is gone from the account is exactly
        /// what stands booked, and what is held is exactly what stands held.
        #[test]
        fn the_books_agree_with_the_accounts_to_the_cent(
            steps in prop::collection::vec((0u8..5, 1u32..12, 0u64..600), 0..80),
        ) {
            let mut books = books();
            for (what, stan, amount) in steps {
                match what {
                    0 => { books.enter(entry(Kind::Sale, stan, amount), ResponseCode::Approved); }
                    1 => { books.enter(entry(Kind::Authorization, stan, amount), ResponseCode::Approved); }
                    2 => { books.enter(entry(Kind::OfflineSale, stan, amount), ResponseCode::Approved); }
                    3 => { books.enter(entry(Kind::AuthorizationAdvice, stan, amount), ResponseCode::Approved); }
                    _ => { books.undo(&[reference(stan)]); }
                }
                let sum = |money| books.postings().iter().filter(|posting| posting.money == money)
                    .map(|posting| posting.entry.amount.minor()).sum::<u64>();
                let account = books.account(&pan()).unwrap();
                prop_assert_eq!(account.balance.minor() + sum(Money::Booked), START + account.overdrawn.minor());
                prop_assert_eq!(account.held.minor(), sum(Money::Held));
                prop_assert!(account.overdrawn == Amount::ZERO || account.balance == Amount::ZERO);
            }
        }
    }
}
