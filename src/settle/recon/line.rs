//! The ledger's transactions, as far as clearing goes.

use super::clearing::Sign;
use crate::ledger::TxnId;
use crate::ledger::archive::Row;
use crate::ledger::kinds;
use crate::ledger::kinds::Following;
use crate::ledger::kinds::Money;
use crate::model::Amount;
use crate::model::BusinessDate;
use crate::model::Currency;
use crate::model::IssuerName;
use crate::model::Kind;
use crate::model::MaskedPan;
use crate::model::MerchantId;
use crate::model::Product;
use crate::model::Rrn;
use crate::model::TerminalId;
use crate::settle::day::RowFault;

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
    /// DE 37.
    pub rrn: Rrn,
    /// What was asked.
    pub kind: Kind,
    /// DE 41.
    pub terminal: TerminalId,
    /// DE 42.
    pub merchant: MerchantId,
    /// First six and last four; `None` of a payment by a code, of which the issuer says the account.
    pub card: Option<MaskedPan>,
    /// Its business date here.
    pub date: BusinessDate,
    /// Which way its money goes in a clearing file, and how much; `None` if it is in none.
    pub moves: Option<(Sign, Amount)>,
    /// Of which money.
    pub currency: Currency,
    /// Which issuer was asked, or is told.
    pub issuer: IssuerName,
    /// What stands of it.
    pub standing: Standing,
    /// The business date on which its terminal undid it.
    pub undone_on: Option<BusinessDate>,
    /// Of a terminal that never settles.
    pub test_mode: bool,
    /// How the ledger puts it: approved, declined, advising, reversing, reversed, dead-letter, ..
    pub word: Box<str>,
    /// DE 39.
    pub code: Option<Box<str>>,
}

/// Makes lines of the archive's rows. The rows of a family (a sale, its tip, its void, its refunds) must come one
/// after the other in order of their numbers: what a tip moves depends on what was there before.
#[derive(Debug, Default)]
pub struct Lines {
    family: TxnId,
    /// The amount of the family's sale by now, whether or not it stands.
    whole: Amount,
    /// Since when the sale does not stand, if it does not.
    undone: Option<Option<BusinessDate>>,
    /// Those made so far.
    pub lines: Vec<Line>,
}

impl Lines {
    /// Takes the next row; what no issuer was to hear of makes no line.
    ///
    /// # Errors
    /// A column that does not read.
    pub fn push(&mut self, row: &Row) -> Result<(), RowFault> {
        self.read(row).map_err(|column| RowFault { id: row.id, column })
    }

    fn read(&mut self, row: &Row) -> Result<(), &'static str> {
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == row.kind).ok_or("kind")?;
        let family = kinds::family_of(kind, TxnId(row.id), row.follows.map(|id| TxnId(id.unsigned_abs())));
        if family != self.family {
            (self.family, self.whole, self.undone) = (family, Amount::ZERO, None);
        }
        let minor = u64::try_from(row.approved_amount.unwrap_or(row.amount)).map_err(|_| "amount")?;
        let amount = Amount::new(minor).ok_or("amount")?;
        let mut undone_on =
            row.undone_on.as_deref().map(|date| BusinessDate::parse(date).ok_or("undone_on")).transpose()?;
        let mut standing = standing(row);
        let moves = match sign(kind) {
            None if kind == Kind::Adjustment => difference(self.whole, amount),
            sign => sign.map(|sign| (sign, amount)),
        };
        let takes = kinds::of(kind).money == Money::Taken;
        if (takes && standing != Standing::Nothing) || (kind == Kind::Adjustment && standing == Standing::Stands) {
            self.whole = amount;
        }
        match self.undone {
            _ if takes => self.undone = (standing == Standing::Undone).then_some(undone_on),
            // With its sale, its tip is undone.
            Some(since) if kind == Kind::Adjustment && standing == Standing::Stands => {
                (standing, undone_on) = (Standing::Undone, since);
            }
            _ => {}
        }
        let Some(issuer) = row.issuer.as_deref() else { return Ok(()) };
        self.lines.push(Line {
            rrn: Rrn::parse(row.rrn.as_bytes()).ok_or("rrn")?,
            kind,
            terminal: TerminalId::parse(row.terminal.as_bytes()).ok_or("terminal")?,
            merchant: MerchantId::parse(row.merchant.as_bytes()).ok_or("merchant")?,
            card: (row.product != Product::Qr.name())
                .then(|| MaskedPan::parse(row.masked_pan.as_bytes()).ok_or("masked_pan"))
                .transpose()?,
            date: BusinessDate::parse(&row.business_date).ok_or("business_date")?,
            moves,
            currency: Currency::parse(row.currency.as_bytes()).ok_or("currency")?,
            issuer: IssuerName::parse(issuer).ok_or("issuer")?,
            standing,
            undone_on,
            test_mode: row.test_mode,
            word: row.standing.as_str().into(),
            code: row.code.as_deref().map(Into::into),
        });
        Ok(())
    }
}

/// A `dead-letter` is an advice that its issuer refused, and stands here; or a reversal that it refused, and is
/// undone here: of a timeout, or by its terminal's wish.
fn standing(row: &Row) -> Standing {
    let approved = row.outcome.as_deref() == Some("approved");
    match row.standing.as_str() {
        "approved" | "advising" => Standing::Stands,
        "dead-letter" if approved && row.undone_on.is_none() => Standing::Stands,
        "reversing" | "reversed" | "dead-letter" => Standing::Undone,
        _ => Standing::Nothing,
    }
}

/// What a new amount moves.
fn difference(before: Amount, after: Amount) -> Option<(Sign, Amount)> {
    let more = after.minus(before).map(|more| (Sign::Debit, more));
    more.or_else(|| Some((Sign::Credit, before.minus(after)?))).filter(|(_, by)| *by > Amount::ZERO)
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
