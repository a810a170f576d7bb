//! What is approved in batches that are not closed.

use super::line::closed_by;
use super::line::settles;
use super::table::Cell;
use super::table::Table;
use super::transaction::Transaction;
use crate::ledger::TxnId;
use crate::ledger::kinds;
use crate::model::BusinessDate;
use crate::model::Currency;
use crate::model::MerchantId;
use crate::model::TerminalId;
use std::collections::BTreeMap;

/// Terminal, batch, currency.
type Batch = (MerchantId, TerminalId, String, Currency);

/// Batches that wait to be closed, and what they would move if they were closed on a date. Families come one after
/// the other: what a tip or a void moves depends on its sale.
pub(super) struct Waiting {
    date: BusinessDate,
    family: Vec<Transaction>,
    first: Option<TxnId>,
    batches: BTreeMap<Batch, (u64, i128)>,
}

impl Waiting {
    pub(super) fn new(date: BusinessDate) -> Self {
        Self { date, family: Vec::new(), first: None, batches: BTreeMap::new() }
    }

    /// Takes the next transaction; all of a family must come in a row, in order of their numbers.
    pub(super) fn push(&mut self, next: Transaction) {
        let first = kinds::family_of(next.kind, next.id, next.follows);
        if self.first != Some(first) {
            self.finish();
            self.first = Some(first);
        }
        self.family.push(next);
    }

    /// Counts the last family.
    pub(super) fn finish(&mut self) {
        let family = std::mem::take(&mut self.family);
        for (transaction, amount) in family.iter().zip(closed_by(&family, self.date)) {
            if self.waits(transaction) {
                let Transaction { merchant, terminal, batch, currency, .. } = transaction;
                let batch = batch.map(|batch| batch.to_string()).unwrap_or_default();
                let (count, sum) = self.batches.entry((*merchant, *terminal, batch, *currency)).or_default();
                (*count, *sum) = (*count + 1, *sum + amount);
            }
        }
    }

    /// What was undone by the date waits for nothing.
    fn waits(&self, of: &Transaction) -> bool {
        settles(of.kind)
            && of.is_approved()
            && of.settles.is_none_or(|settles| settles > self.date)
            && of.ended.is_none_or(|ended| ended > self.date)
    }

    /// How many, each currency of a batch by itself.
    pub(super) fn count(&self) -> usize {
        self.batches.len()
    }

    pub(super) fn table(&self) -> Table {
        let columns = &["merchant", "terminal", "batch", "currency", "transactions", "amount"];
        let mut table = Table::new("waiting", columns);
        for ((merchant, terminal, batch, currency), (count, amount)) in &self.batches {
            table.rows.push(vec![
                Cell::text(merchant),
                Cell::text(terminal),
                Cell::text(batch),
                Cell::text(currency),
                Cell::Count(*count),
                Cell::Money(*amount, *currency),
            ]);
        }
        table
    }
}
