//! What a day moves: each transaction's line, from the state before the day and the state after it.
//!
//! A transaction and what follows it are a family: a sale, its tip, its void, its refunds. What a member is worth
//! on a date depends on the family alone, and the line of a day is the difference between what it is worth at the
//! end of the day and what it was worth at the end of the day before. So something undone after it was settled
//! is a negative line on the day on which it was undone, nothing is settled twice, and the lines of all days
//! add up to what stands.

use super::calendar::Calendar;
use super::fees::Asked;
use super::fees::Fee;
use super::fees::Fees;
use super::fees::Refunds;
use super::fees::rounded;
use super::transaction::Transaction;
use crate::ledger::TxnId;
use crate::ledger::kinds;
use crate::ledger::kinds::Following;
use crate::ledger::kinds::Money;
use crate::model::BusinessDate;
use crate::model::Kind;
use crate::registry::Payout;
use crate::registry::Registry;

/// What a line is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum What {
    /// Money taken from a card.
    Sale,
    /// A sale's amount changed: a tip.
    Adjustment,
    /// A sale cancelled.
    Void,
    /// Money given back.
    Refund,
    /// Something settled on an earlier day changed on this one: undone, or refused by its issuer for good.
    Late,
}

impl What {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Sale, Self::Adjustment, Self::Void, Self::Refund, Self::Late];

    /// The word in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::Adjustment => "adjustment",
            Self::Void => "void",
            Self::Refund => "refund",
            Self::Late => "late",
        }
    }
}

/// What one transaction moves on one day.
#[derive(Clone, Debug)]
pub struct Line {
    /// Whose.
    pub transaction: Transaction,
    /// What.
    pub what: What,
    /// Minor units that the issuer owes for it; negative is owed to the issuer.
    pub amount: i128,
    /// What of it is kept from the merchant; negative is given back.
    pub fee: i128,
    /// On which date it is settled.
    pub settled: BusinessDate,
    /// When the merchant has it.
    pub value_date: BusinessDate,
    /// Whether it is settled on its day and in the totals of no batch.
    pub is_in_no_totals: bool,
}

/// What a kind does in a family.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Role {
    Takes,
    Gives,
    Adjusts,
    Voids,
    Nothing,
}

fn role(kind: Kind) -> Role {
    let row = kinds::of(kind);
    match (row.money, row.follows) {
        (Money::Taken, _) => Role::Takes,
        (Money::Given, _) => Role::Gives,
        (Money::Untouched, Some((Following::Voids, voided)))
            if voided.iter().any(|kind| role(*kind) == Role::Takes) =>
        {
            Role::Voids
        }
        (Money::Untouched, Some((Following::Adjusts, _))) => Role::Adjusts,
        _ => Role::Nothing,
    }
}

/// Whether transactions of this kind are settled at all.
#[must_use]
pub fn settles(kind: Kind) -> bool {
    role(kind) != Role::Nothing
}

/// What one member is worth at the end of a day.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Worth {
    amount: i128,
    fee: i128,
}

/// What the members of a family are worth at the end of `date`; in order of their numbers, as they are.
fn worths(family: &[Transaction], fee: &Fee, date: BusinessDate) -> Vec<Worth> {
    let (mut whole, mut refunded, mut stands) = (0, 0, false);
    let mut worth_of = |member: &Transaction| {
        if !member.counts_on(date) {
            return Worth::default();
        }
        let amount = member.approved();
        match role(member.kind) {
            Role::Takes => {
                (whole, stands) = (amount, true);
                Worth { amount, fee: fee.of(amount) }
            }
            Role::Adjusts if stands => {
                let worth = Worth { amount: amount - whole, fee: fee.of(amount) - fee.of(whole) };
                whole = amount;
                worth
            }
            Role::Voids if stands => {
                stands = false;
                Worth { amount: -whole, fee: -fee.of(whole) }
            }
            Role::Gives => {
                let before = given_back(fee, stands, whole, refunded);
                refunded += amount;
                Worth { amount: -amount, fee: before - given_back(fee, stands, whole, refunded) }
            }
            Role::Adjusts | Role::Voids | Role::Nothing => Worth::default(),
        }
    };
    family.iter().map(&mut worth_of).collect()
}

/// What the members of a family would be worth at the end of `date`, had every batch been closed by then.
pub(super) fn closed_by(family: &[Transaction], date: BusinessDate) -> Vec<i128> {
    let close = |member: &Transaction| Transaction {
        settles: member.settles.filter(|settles| *settles <= date).or(Some(date)),
        ..member.clone()
    };
    let closed: Vec<Transaction> = family.iter().map(close).collect();
    worths(&closed, &Fee::default(), date).into_iter().map(|worth| worth.amount).collect()
}

/// How much of a sale's fee is given back once `refunded` of it was: in proportion, rounded half up, so that with
/// the last part the whole fee is back.
fn given_back(fee: &Fee, stands: bool, whole: i128, refunded: i128) -> i128 {
    match fee.refunds {
        Refunds::GiveBack if stands && whole > 0 => rounded(fee.of(whole) * refunded.min(whole), whole),
        _ => 0,
    }
}

/// Whether no batch's totals have what it moves: it came for a batch that was closed, or changes a sale of one. A
/// sale counts in its batch with the tips that came until the batch was closed.
fn is_in_no_totals(of: &Transaction, sale: Option<&Transaction>) -> bool {
    let Some(sale) = sale.filter(|_| role(of.kind) == Role::Adjusts) else { return of.lost_its_batch };
    let was_closed = sale.batch != of.batch && sale.closed_at.is_some_and(|closed| closed <= of.received);
    was_closed || sale.lost_its_batch
}

/// What lines are made with.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    /// Who is paid how.
    pub registry: &'a Registry,
    /// What it costs.
    pub fees: &'a Fees,
    /// When banks work.
    pub calendar: &'a Calendar,
}

/// Makes the lines of the days from one date to another, of families that come one after the other.
pub struct Lines<'a> {
    terms: Terms<'a>,
    from: BusinessDate,
    to: BusinessDate,
    family: Vec<Transaction>,
    first: Option<TxnId>,
}

impl<'a> Lines<'a> {
    /// Of everything that these days move; one day, if they are equal.
    #[must_use]
    pub fn new(terms: Terms<'a>, from: BusinessDate, to: BusinessDate) -> Self {
        Self { terms, from, to, family: Vec::new(), first: None }
    }

    /// Takes the next transaction; all of a family must come in a row, in order of their numbers. The lines of the
    /// family before go to `each` if this one begins another.
    pub fn push<E>(&mut self, next: Transaction, each: &mut dyn FnMut(Line) -> Result<(), E>) -> Result<(), E> {
        let first = kinds::family_of(next.kind, next.id, next.follows);
        if self.first != Some(first) {
            self.finish(each)?;
            self.first = Some(first);
        }
        self.family.push(next);
        Ok(())
    }

    /// The lines of the last family.
    pub fn finish<E>(&mut self, each: &mut dyn FnMut(Line) -> Result<(), E>) -> Result<(), E> {
        let family = std::mem::take(&mut self.family);
        let Some(first) = family.first() else { return Ok(()) };
        let fee = self.fee(first);
        let before = worths(&family, &fee, self.from.plus_days(-1));
        let after = worths(&family, &fee, self.to);
        let sale = family.iter().find(|member| role(member.kind) == Role::Takes).cloned();
        for ((transaction, before), after) in family.into_iter().zip(before).zip(after) {
            if before != after {
                let is_in_no_totals = is_in_no_totals(&transaction, sale.as_ref());
                let line = self.line(transaction, after.amount - before.amount, after.fee - before.fee);
                each(Line { is_in_no_totals: is_in_no_totals && line.what != What::Late, ..line })?;
            }
        }
        Ok(())
    }

    /// The fee of a family is that of the day on which its first was settled, also when more of it follows later.
    fn fee(&self, first: &Transaction) -> Fee {
        let merchant = self.terms.registry.merchant(first.merchant);
        self.terms.fees.fee(&Asked {
            merchant: first.merchant,
            mcc: merchant.and_then(|merchant| merchant.payout.mcc),
            product: first.product,
            foreign: first.foreign,
            currency: first.currency,
            date: first.settles.unwrap_or(self.to),
        })
    }

    fn line(&self, transaction: Transaction, amount: i128, fee: i128) -> Line {
        let on_its_day = transaction.settles.is_some_and(|settles| (self.from..=self.to).contains(&settles));
        let what = match role(transaction.kind) {
            _ if !on_its_day => What::Late,
            Role::Gives => What::Refund,
            Role::Adjusts => What::Adjustment,
            Role::Voids => What::Void,
            Role::Takes | Role::Nothing => What::Sale,
        };
        let none = Payout::default();
        let merchant = self.terms.registry.merchant(transaction.merchant);
        let payout = merchant.map_or(&none, |merchant| &merchant.payout);
        let instant = on_its_day.then(|| transaction.closed_at.unwrap_or(transaction.received));
        let settled = transaction.settles.filter(|_| on_its_day).unwrap_or(self.to);
        let value_date = self.terms.calendar.value_date(payout, settled, instant, transaction.offset_minutes);
        Line { transaction, what, amount, fee, settled, value_date, is_in_no_totals: false }
    }
}
