//! What an approved request of each kind does to the money.

use super::Books;
use super::Effect;
use super::account::Account;
use super::posting::Entry;
use super::posting::Money;
use super::posting::Posting;
use crate::model::Amount;
use crate::model::BusinessDate;
use crate::model::Kind;
use crate::model::Pan;
use crate::model::ResponseCode;
use jiff::ToSpan;
use jiff::civil::Date;

const OVERFLOW: ResponseCode = ResponseCode::SystemFailure;

/// Sales, holds and what adds to them may be approved for a part.
pub(super) fn may_be_partial(entry: &Entry) -> bool {
    matches!(entry.kind, Kind::Sale | Kind::Authorization | Kind::Increment) && entry.amount.minor() >= 2
}

/// Kinds that took money for a merchant, which a refund gives back.
const TAKEN: &[Kind] = &[Kind::Sale, Kind::OfflineSale, Kind::Completion, Kind::CompletionAdvice];
const HELD: &[Kind] = &[Kind::Authorization, Kind::AuthorizationAdvice];
const COMPLETED: &[Kind] = &[Kind::Completion, Kind::CompletionAdvice];
const SOLD: &[Kind] = &[Kind::Sale, Kind::OfflineSale];

/// Whether a kind holds money, and does not take it.
pub(super) fn holds(kind: Kind) -> bool {
    HELD.contains(&kind) || kind == Kind::Increment
}

impl Books {
    /// Moves the money that the kind moves.
    pub(super) fn take(&mut self, entry: &Entry, approved: Amount) -> Result<Effect, ResponseCode> {
        let effect = |money| Effect { money, follows: None, amount: Some(approved) };
        match entry.kind {
            Kind::Sale => {
                self.afford(&entry.pan, approved, Amount::ZERO)?;
                self.change(&entry.pan, |account| account.taken(approved))?;
                Ok(effect(Money::Booked))
            }
            Kind::Authorization => {
                self.afford(&entry.pan, approved, Amount::ZERO)?;
                self.change(&entry.pan, |account| account.holding(approved))?;
                Ok(effect(Money::Held))
            }
            // An advice tells what has been done: it is booked whatever is on the account.
            Kind::OfflineSale => {
                self.change(&entry.pan, |account| account.taken(approved))?;
                Ok(effect(Money::Booked))
            }
            Kind::AuthorizationAdvice => {
                self.change(&entry.pan, |account| account.holding(approved))?;
                Ok(effect(Money::Held))
            }
            Kind::Transfer => self.transfer(entry),
            Kind::Increment => self.increment(entry, approved),
            Kind::Completion | Kind::CompletionAdvice => self.complete(entry),
            Kind::SaleVoid => self.void(entry, SOLD),
            Kind::AuthorizationVoid => self.void(entry, HELD),
            Kind::CompletionVoid => self.void(entry, COMPLETED),
            Kind::Refund => self.refund(entry),
            // Most are given without their sale at hand; one that names it may not go above its rest.
            Kind::OfflineRefund if entry.follows.is_empty() || self.named(&entry.follows).is_none() => {
                self.change(&entry.pan, |account| account.returned(entry.amount))?;
                Ok(effect(Money::Given))
            }
            Kind::OfflineRefund => self.refund(entry),
            Kind::Adjustment => self.adjust(entry),
            _ => self.change(&entry.pan, Some).map(|()| Effect::NONE),
        }
    }

    /// Whether so much may still be spent, when `released` comes free.
    fn afford(&self, pan: &Pan, amount: Amount, released: Amount) -> Result<(), ResponseCode> {
        let account = self.account(pan).ok_or(ResponseCode::CardInvalid)?;
        let free = account.released(released).ok_or(OVERFLOW)?.available();
        if free < amount { Err(ResponseCode::FundsInsufficient) } else { Ok(()) }
    }

    pub(super) fn change(
        &mut self,
        pan: &Pan,
        change: impl FnOnce(Account) -> Option<Account>,
    ) -> Result<(), ResponseCode> {
        let account = self.accounts.get_mut(pan.clear()).ok_or(ResponseCode::CardInvalid)?;
        *account = change(*account).ok_or(OVERFLOW)?;
        Ok(())
    }

    /// To another account here, or to another bank.
    fn transfer(&mut self, entry: &Entry) -> Result<Effect, ResponseCode> {
        let to = entry.to.filter(|to| *to != entry.pan).ok_or(ResponseCode::RelatedInvalid)?;
        self.afford(&entry.pan, entry.amount, Amount::ZERO)?;
        if self.account(&to).is_some() {
            self.change(&to, |account| account.returned(entry.amount))?;
        }
        self.change(&entry.pan, |account| account.taken(entry.amount))?;
        Ok(Effect { money: Money::Booked, follows: None, amount: Some(entry.amount) })
    }

    /// The posting of one of these kinds, on the same card, that a follow-up names, and its place.
    fn original(&self, entry: &Entry, kinds: &[Kind]) -> Result<usize, ResponseCode> {
        let at = self.named(&entry.follows).ok_or(ResponseCode::OriginalNotFound)?;
        let original = self.postings.get(at).ok_or(ResponseCode::OriginalNotFound)?;
        let fits = kinds.contains(&original.entry.kind) && original.entry.pan == entry.pan;
        if fits { Ok(at) } else { Err(ResponseCode::OriginalNotFound) }
    }

    /// Its original, if it still stands as `money`; else why it cannot be followed any more.
    fn standing(&self, entry: &Entry, kinds: &[Kind], money: Money) -> Result<(usize, &Posting), ResponseCode> {
        let at = self.original(entry, kinds)?;
        let original = self.postings.get(at).ok_or(ResponseCode::OriginalNotFound)?;
        match original.money {
            stands if stands == money => Ok((at, original)),
            Money::Expired => Err(ResponseCode::RelatedFailed),
            _ => Err(ResponseCode::RelatedInvalid),
        }
    }

    /// A hold and what was held on top of it: their places, and how much that is.
    pub(super) fn held(&self, at: usize) -> (Vec<usize>, Amount) {
        let more = self.postings.get(at).map(|posting| posting.followed_by.clone()).unwrap_or_default();
        let all: Vec<usize> = std::iter::once(at).chain(more).filter(|at| self.stands_as(*at, Money::Held)).collect();
        let sum = all
            .iter()
            .filter_map(|at| self.postings.get(*at))
            .fold(Amount::ZERO, |sum, posting| sum.plus(posting.amount).unwrap_or(Amount::MAX));
        (all, sum)
    }

    fn stands_as(&self, at: usize, money: Money) -> bool {
        self.postings.get(at).is_some_and(|posting| posting.money == money)
    }

    /// What refunds have given back of a posting.
    fn given_back(&self, original: &Posting) -> Amount {
        let followers = original.followed_by.iter().filter_map(|at| self.postings.get(*at));
        let given = followers.filter(|follower| follower.money == Money::Given);
        given.fold(Amount::ZERO, |sum, refund| sum.plus(refund.amount).unwrap_or(Amount::MAX))
    }

    fn increment(&mut self, entry: &Entry, approved: Amount) -> Result<Effect, ResponseCode> {
        let (at, _) = self.standing(entry, HELD, Money::Held)?;
        self.afford(&entry.pan, approved, Amount::ZERO)?;
        self.change(&entry.pan, |account| account.holding(approved))?;
        Ok(Effect { money: Money::Held, follows: Some(at), amount: Some(approved) })
    }

    /// Lets the hold go and takes the amount. What is told may not be refused for lack of funds.
    fn complete(&mut self, entry: &Entry) -> Result<Effect, ResponseCode> {
        let (at, _) = self.standing(entry, HELD, Money::Held)?;
        let (all, held) = self.held(at);
        let ceiling = u128::from(held.minor()) * u128::from(self.terms.completion_percent) / 100;
        if u128::from(entry.amount.minor()) > ceiling {
            return Err(ResponseCode::AmountLimit);
        }
        if entry.kind == Kind::Completion {
            self.afford(&entry.pan, entry.amount, held)?;
        }
        self.change(&entry.pan, |account| account.released(held)?.taken(entry.amount))?;
        self.turn(&all, Money::Completed);
        Ok(Effect { money: Money::Booked, follows: Some(at), amount: Some(entry.amount) })
    }

    /// Cancels its original, whole.
    fn void(&mut self, entry: &Entry, kinds: &[Kind]) -> Result<Effect, ResponseCode> {
        let stands_as = if kinds == HELD { Money::Held } else { Money::Booked };
        let (at, original) = self.standing(entry, kinds, stands_as)?;
        let (own, completes) = (original.amount, original.follows);
        if self.given_back(original) > Amount::ZERO {
            return Err(ResponseCode::RelatedInvalid);
        }
        let (holds, held) = self.held(at);
        let whole = if stands_as == Money::Held { held } else { own };
        if entry.amount != whole && entry.amount != own {
            return Err(ResponseCode::OriginalAmountWrong);
        }
        if stands_as == Money::Held {
            self.change(&entry.pan, |account| account.released(held))?;
            self.turn(&holds, Money::Voided);
        } else {
            self.change(&entry.pan, |account| account.returned(own))?;
            self.turn(&[at], Money::Voided);
            self.hold_again(completes)?;
        }
        Ok(Effect { money: Money::Voids, follows: Some(at), amount: Some(whole) })
    }

    /// What a completion had taken is held again.
    pub(super) fn hold_again(&mut self, hold: Option<usize>) -> Result<(), ResponseCode> {
        let Some(at) = hold else { return Ok(()) };
        let more = self.postings.get(at).map(|posting| posting.followed_by.clone()).unwrap_or_default();
        for at in std::iter::once(at).chain(more) {
            let Some(posting) = self.postings.get(at).filter(|posting| posting.money == Money::Completed) else {
                continue;
            };
            let (pan, amount) = (posting.entry.pan, posting.amount);
            self.change(&pan, |account| account.holding(amount))?;
            self.turn(&[at], Money::Held);
            self.remember_hold(at);
        }
        Ok(())
    }

    /// From its own day on, however often it is held anew.
    pub(super) fn remember_hold(&mut self, at: usize) {
        if let Some(date) = self.postings.get(at).and_then(|posting| posting.entry.date) {
            self.holds.entry(date).or_default().push(at);
        }
    }

    /// Gives back a part or all of what is left of its original.
    fn refund(&mut self, entry: &Entry) -> Result<Effect, ResponseCode> {
        let (at, original) = self.standing(entry, TAKEN, Money::Booked)?;
        let rest = original.amount.minus(self.given_back(original)).unwrap_or(Amount::ZERO);
        if rest < entry.amount {
            return Err(ResponseCode::AmountLimit);
        }
        self.change(&entry.pan, |account| account.returned(entry.amount))?;
        Ok(Effect { money: Money::Given, follows: Some(at), amount: Some(entry.amount) })
    }

    /// Sets the amount of a sale anew; takes or gives the difference.
    fn adjust(&mut self, entry: &Entry) -> Result<Effect, ResponseCode> {
        let (at, original) = self.standing(entry, SOLD, Money::Booked)?;
        let (before, given) = (original.amount, self.given_back(original));
        if entry.amount < given {
            return Err(ResponseCode::AmountLimit);
        }
        self.change(&entry.pan, |account| account.returned(before)?.taken(entry.amount))?;
        if let Some(original) = self.postings.get_mut(at) {
            original.amount = entry.amount;
        }
        Ok(Effect { money: Money::Adjusted, follows: Some(at), amount: Some(before) })
    }

    pub(super) fn turn(&mut self, all: &[usize], money: Money) {
        for at in all {
            if let Some(posting) = self.postings.get_mut(*at) {
                posting.money = money;
            }
        }
    }

    /// Lets holds go that are older than holds last by this day.
    pub(super) fn expire(&mut self, today: BusinessDate) {
        let (year, month, day) = today.parts();
        let days = i64::from(self.terms.hold_days);
        let oldest = Date::new(year, month, day).ok().and_then(|date| date.checked_sub(days.days()).ok());
        let Some(oldest) = oldest.and_then(|date| BusinessDate::new(date.year(), date.month(), date.day())) else {
            return;
        };
        let kept = self.holds.split_off(&oldest);
        for at in std::mem::replace(&mut self.holds, kept).into_values().flatten() {
            let Some(posting) = self.postings.get(at).filter(|posting| posting.money == Money::Held) else { continue };
            let (pan, amount) = (posting.entry.pan, posting.amount);
            if self.change(&pan, |account| account.released(amount)).is_ok() {
                self.turn(&[at], Money::Expired);
            }
        }
    }
}
