//! One transaction of the ledger, as far as clearing goes.

use super::clearing::Sign;
use crate::ledger::archive::Row;
use crate::ledger::kinds;
use crate::ledger::kinds::Following;
use crate::ledger::kinds::Money;
use crate::model::Amount;
use crate::model::BusinessDate;
use crate::model::Currency;
use crate::model::IssuerName;
use crate::model::Kind;
use crate::model::Rrn;

/// What the ledger holds of a transaction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// It was approved and stands: its issuer must have it.
    Stands,
    /// It was undone, or its undo is under way, or was refused: no issuer may have it for good.
    Undone,
    /// It was declined, or nobody knows: no issuer has it.
    Nothing,
}

/// One transaction of the ledger towards an issuer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Line {
    /// The ledger's number.
    pub id: u64,
    /// DE 37.
    pub rrn: Rrn,
    /// What was asked.
    pub kind: Kind,
    /// Its business date here.
    pub date: BusinessDate,
    /// The amount that was approved.
    pub amount: Amount,
    /// Of which money.
    pub currency: Currency,
    /// Which issuer was asked, or is told.
    pub issuer: IssuerName,
    /// What stands of it.
    pub standing: Standing,
    /// Of a terminal that never settles.
    pub test_mode: bool,
    /// How the ledger puts it: approved, declined, advising, reversing, reversed, dead-letter, ..
    pub word: String,
    /// DE 39.
    pub code: Option<String>,
}

impl Line {
    /// From a row of the archive. `None` if no issuer was to hear of it, or the row does not read.
    ///
    /// A `dead-letter` is an advice that its issuer refused, or a reversal that it did: `undone_here` says that
    /// a terminal undid it.
    #[must_use]
    pub fn of(row: &Row, undone_here: bool) -> Option<Self> {
        let approved = row.outcome.as_deref() == Some("approved");
        let standing = match row.standing.as_str() {
            "approved" | "advising" => Standing::Stands,
            "dead-letter" if approved && !undone_here => Standing::Stands,
            "reversing" | "reversed" | "dead-letter" => Standing::Undone,
            _ => Standing::Nothing,
        };
        let minor = row.approved_amount.unwrap_or(row.amount).unsigned_abs();
        Some(Self {
            id: row.id,
            rrn: Rrn::parse(row.rrn.as_bytes())?,
            kind: Kind::ALL.into_iter().find(|kind| kind.name() == row.kind)?,
            date: BusinessDate::parse(&row.business_date)?,
            amount: Amount::new(minor)?,
            currency: Currency::parse(row.currency.as_bytes())?,
            issuer: IssuerName::parse(row.issuer.as_deref()?)?,
            standing,
            test_mode: row.test_mode,
            word: row.standing.clone(),
            code: row.code.clone(),
        })
    }

    /// Which way its money goes in a clearing file; `None` if it is in none.
    #[must_use]
    pub fn sign(&self) -> Option<Sign> {
        sign(self.kind)
    }
}

/// Which way a kind's money goes; `None` if it moves none: holds are not cleared, what takes them is.
#[must_use]
pub fn sign(kind: Kind) -> Option<Sign> {
    let row = kinds::of(kind);
    match (row.money, row.follows) {
        (Money::Taken | Money::Moved, _) => Some(Sign::Debit),
        (Money::Given, _) => Some(Sign::Credit),
        (Money::Untouched, Some((Following::Voids, voided))) => {
            voided.first().and_then(|voided| sign(*voided)).map(Sign::opposite)
        }
        _ => None,
    }
}

/// Whether a row of a clearing file may be of this kind.
pub(super) fn clears(kind: Kind) -> bool {
    sign(kind).is_some() || matches!(kind, Kind::Adjustment | Kind::Reversal)
}
