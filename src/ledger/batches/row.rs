//! Batches as rows for people and programs: what lists and the control socket say.

use super::BatchRecord;
use super::ClosedBy;
use super::ItemDifference;
use super::OpenBatch;
use crate::model::Amount;
use crate::model::BatchTotals;
use crate::model::Side;
use serde::Serialize;

/// One batch in words and numbers; amounts are minor units. Carries no card data.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct BatchRow {
    /// DE 41.
    pub terminal: String,
    /// Six digits.
    pub batch: String,
    /// Six digits: what its terminal calls it, where that is another number.
    pub told_as: Option<String>,
    /// DE 42; not known of a batch that is open.
    pub merchant: Option<String>,
    /// `open`, `balanced`, `unbalanced`, `uploading`, `closed` or `given-up`.
    pub state: &'static str,
    /// Whether the terminal's totals were the ledger's, if it said any.
    pub balanced: Option<bool>,
    /// What the terminal said.
    pub claimed: Option<TotalsRow>,
    /// What the ledger has.
    pub counted: TotalsRow,
    /// The business date of the close.
    pub closed_on: Option<String>,
    /// When it was closed.
    pub closed_at: Option<String>,
    /// The reference number of the close.
    pub rrn: Option<String>,
    /// `terminal` or `operator`.
    pub by: Option<&'static str>,
    /// The operator who closed it.
    pub actor: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Of a terminal that never settles.
    pub test_mode: bool,
    /// How many transactions were uploaded.
    pub items: u32,
    /// What differs, once an upload has ended.
    pub differences: Vec<DifferenceRow>,
}

/// Totals of one batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct TotalsRow {
    /// Of domestic cards.
    pub domestic: SideRow,
    /// Of foreign ones.
    pub foreign: SideRow,
}

/// Counts and minor units of one kind of cards.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct SideRow {
    /// How many went to the merchant.
    pub debit_count: u32,
    /// How much.
    pub debit: u64,
    /// How many came from him.
    pub credit_count: u32,
    /// How much.
    pub credit: u64,
}

/// One difference.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct DifferenceRow {
    /// In what.
    pub what: &'static str,
    /// The terminal's trace number.
    pub stan: String,
    /// The reference number, where it is on record.
    pub rrn: Option<String>,
    /// What it counts here.
    pub here: Option<u64>,
    /// What it counts at the terminal.
    pub there: Option<u64>,
    /// The same in a sentence.
    pub sentence: String,
}

impl From<Side> for SideRow {
    fn from(Side { debit, credit }: Side) -> Self {
        Self { debit_count: debit.count, debit: debit.amount, credit_count: credit.count, credit: credit.amount }
    }
}

impl From<BatchTotals> for TotalsRow {
    fn from(BatchTotals { domestic, foreign }: BatchTotals) -> Self {
        Self { domestic: domestic.into(), foreign: foreign.into() }
    }
}

impl From<&ItemDifference> for DifferenceRow {
    fn from(one: &ItemDifference) -> Self {
        Self {
            what: one.what.name(),
            stan: one.stan.to_string(),
            rrn: one.rrn.map(|rrn| rrn.to_string()),
            here: one.here.map(Amount::minor),
            there: one.there.map(Amount::minor),
            sentence: one.to_string(),
        }
    }
}

impl From<&BatchRecord> for BatchRow {
    fn from(record: &BatchRecord) -> Self {
        let (by, actor, reason) = match &record.by {
            ClosedBy::Terminal => ("terminal", None, None),
            ClosedBy::Operator { actor, reason } => ("operator", Some(actor.to_string()), Some(reason.to_string())),
        };
        Self {
            terminal: record.terminal.to_string(),
            batch: record.batch.to_string(),
            told_as: record.told_as.map(|own| own.to_string()),
            merchant: Some(record.merchant.to_string()),
            state: record.state.name(),
            balanced: record.is_balanced(),
            claimed: record.claimed.map(TotalsRow::from),
            counted: record.counted.into(),
            closed_on: Some(record.closed_on.to_string()),
            closed_at: Some(record.closed_at.to_string()),
            rrn: Some(record.rrn.to_string()),
            by: Some(by),
            actor,
            reason,
            test_mode: record.test_mode,
            items: record.items,
            differences: record.differences.iter().map(DifferenceRow::from).collect(),
        }
    }
}

impl From<&OpenBatch> for BatchRow {
    fn from(open: &OpenBatch) -> Self {
        Self {
            terminal: open.terminal.to_string(),
            batch: open.batch.to_string(),
            told_as: None,
            merchant: None,
            state: "open",
            balanced: None,
            claimed: None,
            counted: open.counted.into(),
            closed_on: None,
            closed_at: None,
            rrn: None,
            by: None,
            actor: None,
            reason: None,
            test_mode: false,
            items: 0,
            differences: Vec::new(),
        }
    }
}
