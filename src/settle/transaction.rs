//! A transaction as settlement sees it: what the archive says of it, as nouns.

use crate::ledger::TxnId;
use crate::ledger::archive::Row;
use crate::ledger::kinds;
use crate::model::Amount;
use crate::model::BatchNumber;
use crate::model::BusinessDate;
use crate::model::Currency;
use crate::model::IssuerName;
use crate::model::Kind;
use crate::model::MerchantId;
use crate::model::Product;
use crate::model::Rrn;
use crate::model::Stan;
use crate::model::TerminalId;
use crate::model::Timestamp;

/// Where a transaction is. The words of `tollgate ledger`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// Not decided.
    Open,
    /// Approved; the issuer may have to be told yet.
    Approved,
    /// Declined, timed out: nothing was moved, or it was undone before it was approved.
    Nothing,
    /// Approved, and undone by its terminal.
    Undone,
    /// Approved or timed out, and something is left that the issuer refused for good.
    DeadLetter,
}

impl Standing {
    /// The word in exports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Nothing => "not-approved",
            Self::Undone => "undone",
            Self::DeadLetter => "dead-letter",
        }
    }
}

/// Why something is not settled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Why {
    /// It is not decided.
    Open,
    /// Its issuer refused the approval that was given for it, for good.
    Unadvised,
    /// Its issuer refused its reversal, for good: the merchant is not paid, and the cardholder may have.
    Irreversible,
    /// The terminal was told yes, and it changes no sale: it did not fit the one that it named. The terminal's totals
    /// have it, and the merchant is not paid it.
    Adrift,
    /// It is settled, and no batch's totals have it: an advice of a batch that was closed before, or a tip on a sale
    /// of one.
    NoTotals,
}

impl Why {
    /// The word in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Unadvised => "approval refused by the issuer",
            Self::Irreversible => "reversal refused by the issuer",
            Self::Adrift => "adjustment that fits no sale",
            Self::NoTotals => "settled, and in no batch's totals",
        }
    }
}

/// One transaction.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// The ledger's number.
    pub id: TxnId,
    /// DE 37.
    pub rrn: Rrn,
    /// The business date on which it was asked.
    pub date: BusinessDate,
    /// When its frame was complete.
    pub received: Timestamp,
    /// Minutes east of UTC of its terminal's clock.
    pub offset_minutes: i16,
    /// DE 41.
    pub terminal: TerminalId,
    /// DE 11.
    pub stan: Stan,
    /// Its batch, where the dialect has batches.
    pub batch: Option<BatchNumber>,
    /// Whether the batch that its terminal named was closed before it came, so that it is in none.
    pub lost_its_batch: bool,
    /// DE 42.
    pub merchant: MerchantId,
    /// What was asked.
    pub kind: Kind,
    /// DE 4.
    pub asked: Amount,
    /// The part of it that was approved, where that is less.
    pub partial: Option<Amount>,
    /// DE 49.
    pub currency: Currency,
    /// Of a terminal that never settles.
    pub test_mode: bool,
    /// First six and last four.
    pub masked_pan: Box<str>,
    /// Keyed token of the card number, hex.
    pub token: Box<str>,
    /// What kind of card.
    pub product: Product,
    /// Whether the card is of another country.
    pub foreign: bool,
    /// Whose card.
    pub issuer: Option<IssuerName>,
    /// DE 38.
    pub approval: Option<Box<str>>,
    /// What it follows.
    pub follows: Option<TxnId>,
    /// Where it is.
    pub standing: Standing,
    /// Whether the terminal was told yes. A dead letter may also be of a silence.
    pub approved: bool,
    /// DE 39, canonical.
    pub code: Option<Box<str>>,
    /// The date it settles on: on which its batch was closed, or its own where there are no batches. `None` while
    /// its batch is open.
    pub settles: Option<BusinessDate>,
    /// When its batch was closed.
    pub closed_at: Option<Timestamp>,
    /// The date on which its terminal reversed it.
    pub undone_on: Option<BusinessDate>,
    /// The date on which its issuer refused its approval for good.
    pub refused_on: Option<BusinessDate>,
    /// The date on which its issuer refused its reversal for good.
    pub undo_refused_on: Option<BusinessDate>,
    /// The date from which on it counts no more: the first on which it was undone, or its approval refused for good.
    pub ended: Option<BusinessDate>,
}

impl Transaction {
    /// From a row of the archive; the name of the column that says something else than this release writes.
    ///
    /// # Errors
    /// The column's name.
    pub fn read(row: Row) -> Result<Self, &'static str> {
        let approved = row.outcome.as_deref() == Some("approved");
        let standing = match row.standing.as_str() {
            "open" => Standing::Open,
            "dead-letter" => Standing::DeadLetter,
            "reversing" | "reversed" if approved => Standing::Undone,
            "approved" | "advising" => Standing::Approved,
            _ => Standing::Nothing,
        };
        let date = BusinessDate::parse(&row.business_date).ok_or("business_date")?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == row.kind).ok_or("kind")?;
        // Where the dialect has batches, a number is unique in one; else on a day, of which no dialect says it so.
        let named_a_batch = row.scope.len() == 6 && BatchNumber::parse(row.scope.as_bytes()).is_some();
        let undone_on = dated(row.undone_on.as_deref(), "undone_on")?;
        let mut refused_on = dated(row.refused_on.as_deref(), "refused_on")?;
        let mut undo_refused_on = dated(row.undo_refused_on.as_deref(), "undo_refused_on")?;
        if standing == Standing::DeadLetter {
            // An archive that was made anew from a snapshot does not know when the issuer refused.
            match undone_on {
                None if approved => refused_on = refused_on.or(Some(date)),
                undone_on => undo_refused_on = undo_refused_on.or(undone_on).or(Some(date)),
            }
        }
        let ended = match standing {
            Standing::Undone | Standing::DeadLetter if approved => {
                undone_on.into_iter().chain(refused_on).min().or(Some(date))
            }
            _ => None,
        };
        Ok(Self {
            id: TxnId(row.id),
            rrn: Rrn::parse(row.rrn.as_bytes()).ok_or("rrn")?,
            date,
            received: Timestamp(row.received_micros),
            offset_minutes: row.offset_minutes,
            terminal: TerminalId::parse(row.terminal.as_bytes()).ok_or("terminal")?,
            stan: Stan::parse(row.stan.as_bytes()).ok_or("stan")?,
            batch: row.batch.as_deref().map(|text| BatchNumber::parse(text.as_bytes()).ok_or("batch")).transpose()?,
            merchant: MerchantId::parse(row.merchant.as_bytes()).ok_or("merchant")?,
            lost_its_batch: row.batch.is_none() && named_a_batch && kinds::of(kind).is_advice,
            kind,
            asked: amount(row.amount).ok_or("amount")?,
            partial: row.approved_amount.map(|minor| amount(minor).ok_or("approved_amount")).transpose()?,
            currency: Currency::parse(row.currency.as_bytes()).ok_or("currency")?,
            test_mode: row.test_mode,
            masked_pan: row.masked_pan.into(),
            token: row.token.into(),
            product: Product::parse(&row.product).ok_or("product")?,
            foreign: row.foreign,
            issuer: row.issuer.as_deref().map(|name| IssuerName::parse(name).ok_or("issuer")).transpose()?,
            approval: row.approval.map(Into::into),
            follows: row.follows.map(|id| TxnId(id.unsigned_abs())),
            standing,
            approved,
            code: row.code.map(Into::into),
            settles: dated(row.settled_on.as_deref(), "settled_on")?,
            closed_at: row.settled_micros.map(Timestamp),
            undone_on,
            refused_on,
            undo_refused_on,
            ended,
        })
    }

    /// Whether an issuer said yes, or is held to.
    #[must_use]
    pub fn is_approved(&self) -> bool {
        self.approved
    }

    /// Why a person must see to it, if that is so since `date`.
    #[must_use]
    pub fn exception_of(&self, date: BusinessDate) -> Option<Why> {
        let reversed_by_then = self.undone_on.is_some_and(|undone| undone <= date);
        if self.undo_refused_on == Some(date) {
            Some(Why::Irreversible)
        } else if self.refused_on == Some(date) && !reversed_by_then {
            Some(Why::Unadvised)
        } else if self.settles == Some(date) && self.is_adrift() && self.counts_on(date) {
            Some(Why::Adrift)
        } else {
            None
        }
    }

    /// Whether it should follow something, did not fit it, and was taken all the same.
    fn is_adrift(&self) -> bool {
        self.follows.is_none() && !kinds::must_fit(self.kind)
    }

    /// Whether it counts on `date`: approved, settled by then and not undone by then.
    #[must_use]
    pub fn counts_on(&self, date: BusinessDate) -> bool {
        !self.test_mode
            && self.is_approved()
            && self.settles.is_some_and(|settles| settles <= date)
            && self.ended.is_none_or(|ended| ended > date)
    }

    /// What was approved of it, in minor units.
    #[must_use]
    pub fn approved(&self) -> i128 {
        i128::from(self.partial.unwrap_or(self.asked).minor())
    }
}

fn amount(minor: i64) -> Option<Amount> {
    u64::try_from(minor).ok().and_then(Amount::new)
}

fn dated(text: Option<&str>, column: &'static str) -> Result<Option<BusinessDate>, &'static str> {
    text.map(|text| BusinessDate::parse(text).ok_or(column)).transpose()
}
