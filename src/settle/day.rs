//! A settlement: the lines of a date, what they come to, and what could not be settled.

use super::line::Line;
use super::line::Lines;
use super::line::Terms;
use super::line::settles;
use super::statement::Statement;
use super::table::Cell;
use super::table::Table;
use super::transaction::Standing;
use super::transaction::Transaction;
use crate::ledger::archive::Row;
use crate::model::BusinessDate;
use crate::model::Currency;
use crate::model::MerchantId;
use crate::model::TerminalId;
use std::collections::BTreeMap;

/// A row of the archive says something that this release does not write.
#[derive(Debug, thiserror::Error)]
#[error("transaction {id} of the archive: {column} cannot be read; `tollgate ledger rebuild-archive` makes it anew")]
pub struct RowFault {
    /// The ledger's number.
    pub id: u64,
    /// Which column.
    pub column: &'static str,
}

/// Something a person must see to.
#[derive(Clone, Debug)]
pub struct Exception {
    /// Whose, what, and how much.
    pub transaction: Transaction,
    /// Why it is one.
    pub why: Why,
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
}

impl Why {
    /// The word in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Unadvised => "approval refused by the issuer",
            Self::Irreversible => "reversal refused by the issuer",
        }
    }
}

/// Batches that wait to be closed: terminal, batch, currency.
type Waiting = BTreeMap<(MerchantId, TerminalId, String, Currency), (u64, i128)>;

/// One settlement, from the archive's rows.
pub struct Settlement<'a> {
    terms: Terms<'a>,
    date: BusinessDate,
    lines: Lines<'a>,
    /// What the lines come to.
    pub statement: Statement,
    /// What is not settled.
    pub exceptions: Vec<Exception>,
    waiting: Waiting,
    /// Transactions of terminals that never settle.
    pub test_mode: u64,
}

/// The columns of a line.
pub const LINE: &[&str; 19] = &[
    "rrn",
    "number",
    "what",
    "kind",
    "merchant",
    "terminal",
    "batch",
    "stan",
    "business_date",
    "issuer",
    "product",
    "foreign",
    "card",
    "token",
    "approval",
    "currency",
    "amount",
    "fee",
    "value_date",
];

impl<'a> Settlement<'a> {
    /// Of one date.
    #[must_use]
    pub fn new(terms: Terms<'a>, date: BusinessDate) -> Self {
        Self {
            terms,
            date,
            lines: Lines::new(terms, date, date),
            statement: Statement::default(),
            exceptions: Vec::new(),
            waiting: Waiting::new(),
            test_mode: 0,
        }
    }

    /// Takes a row of [`crate::ledger::archive::Archive::moved`]; the lines that are complete by then go to `each`.
    ///
    /// # Errors
    /// The row cannot be read, or `each` fails.
    pub fn moved<E: From<RowFault>>(
        &mut self,
        row: Row,
        each: &mut dyn FnMut(&Line) -> Result<(), E>,
    ) -> Result<(), E> {
        let transaction = read(row)?;
        if transaction.test_mode && transaction.settles == Some(self.date) && settles(transaction.kind) {
            self.test_mode += u64::from(transaction.is_approved());
            return Ok(());
        }
        let why = match transaction.standing {
            Standing::DeadLetter if transaction.refused_on == Some(self.date) => Some(match transaction.undone_on {
                Some(_) => Why::Irreversible,
                None => Why::Unadvised,
            }),
            _ => None,
        };
        if let Some(why) = why {
            self.exceptions.push(Exception { transaction: transaction.clone(), why });
        }
        let statement = &mut self.statement;
        self.lines.push(transaction, &mut |line| {
            statement.add(&line);
            each(&line)
        })
    }

    /// The lines that were not complete yet.
    ///
    /// # Errors
    /// `each` fails.
    pub fn finish<E>(&mut self, each: &mut dyn FnMut(&Line) -> Result<(), E>) -> Result<(), E> {
        let statement = &mut self.statement;
        self.lines.finish(&mut |line| {
            statement.add(&line);
            each(&line)
        })
    }

    /// Takes a row of [`crate::ledger::archive::Archive::unsettled`].
    ///
    /// # Errors
    /// The row cannot be read.
    pub fn unsettled(&mut self, row: Row) -> Result<(), RowFault> {
        let transaction = read(row)?;
        if transaction.test_mode || !settles(transaction.kind) {
            return Ok(());
        }
        if transaction.standing == Standing::Open {
            self.exceptions.push(Exception { transaction, why: Why::Open });
            return Ok(());
        }
        // What was undone by this date waits for nothing.
        if transaction.is_approved() && transaction.ended.is_none_or(|ended| ended > self.date) {
            let Transaction { merchant, terminal, batch, currency, .. } = transaction;
            let batch = batch.map(|batch| batch.to_string()).unwrap_or_default();
            let (count, amount) = self.waiting.entry((merchant, terminal, batch, currency)).or_default();
            *count += 1;
            *amount += transaction.approved();
        }
        Ok(())
    }

    /// Whether something is not decided yet: then the date is not over.
    #[must_use]
    pub fn has_open(&self) -> bool {
        self.exceptions.iter().any(|exception| exception.why == Why::Open)
    }

    /// How many batches wait to be closed, each currency of one by itself.
    #[must_use]
    pub fn waiting_batches(&self) -> usize {
        self.waiting.len()
    }

    /// All tables, in the order of their files.
    #[must_use]
    pub fn tables(&self) -> Vec<Table> {
        let Self { statement, terms, .. } = self;
        vec![
            statement.merchants_table(*terms),
            statement.terminals_table(),
            statement.issuers_table(),
            statement.products_table(),
            statement.currencies_table(*terms),
            self.exceptions_table(),
            self.waiting_table(),
        ]
    }

    fn exceptions_table(&self) -> Table {
        let columns = &["rrn", "number", "kind", "merchant", "terminal", "stan", "issuer", "currency", "amount", "why"];
        let mut table = Table::new("exceptions", columns);
        for Exception { transaction: of, why } in &self.exceptions {
            table.rows.push(vec![
                Cell::text(of.rrn),
                Cell::text(of.id.0),
                Cell::text(of.kind.name()),
                Cell::text(of.merchant),
                Cell::text(of.terminal),
                Cell::text(of.stan),
                Cell::of(of.issuer.as_ref()),
                Cell::text(of.currency),
                Cell::Money(of.approved(), of.currency),
                Cell::text(why.name()),
            ]);
        }
        table
    }

    fn waiting_table(&self) -> Table {
        let columns = &["merchant", "terminal", "batch", "currency", "transactions", "amount"];
        let mut table = Table::new("waiting", columns);
        for ((merchant, terminal, batch, currency), (count, amount)) in &self.waiting {
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

/// The cells of a line, in the order of [`LINE`].
#[must_use]
pub fn cells(line: &Line) -> Vec<Cell> {
    let of = &line.transaction;
    vec![
        Cell::text(of.rrn),
        Cell::text(of.id.0),
        Cell::text(line.what.name()),
        Cell::text(of.kind.name()),
        Cell::text(of.merchant),
        Cell::text(of.terminal),
        Cell::of(of.batch),
        Cell::text(of.stan),
        Cell::text(of.date),
        Cell::of(of.issuer.as_ref()),
        Cell::text(of.product.name()),
        Cell::Truth(of.foreign),
        Cell::text(&of.masked_pan),
        Cell::text(&of.token),
        Cell::of(of.approval.as_deref()),
        Cell::text(of.currency),
        Cell::Money(line.amount, of.currency),
        Cell::Money(line.fee, of.currency),
        Cell::text(line.value_date),
    ]
}

/// A transaction from a row of the archive.
///
/// # Errors
/// The row says something that this release does not write.
pub fn read(row: Row) -> Result<Transaction, RowFault> {
    let id = row.id;
    Transaction::read(row).map_err(|column| RowFault { id, column })
}
