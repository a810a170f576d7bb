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
use super::transaction::Why;
use super::waiting::Waiting;
use crate::ledger::archive::Row;
use crate::model::BusinessDate;

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
    /// How much: what was approved, or of what is settled what it moves. Minor units.
    pub amount: i128,
    /// Why it is one.
    pub why: Why,
}

impl Exception {
    fn of(transaction: Transaction, why: Why) -> Self {
        Self { amount: transaction.approved(), transaction, why }
    }
}

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
            waiting: Waiting::new(date),
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
        if let Some(why) = transaction.exception_of(self.date) {
            self.exceptions.push(Exception::of(transaction.clone(), why));
        }
        let Self { lines, statement, exceptions, .. } = self;
        lines.push(transaction, &mut |line| {
            take(&line, statement, exceptions);
            each(&line)
        })
    }

    /// The lines that were not complete yet.
    ///
    /// # Errors
    /// `each` fails.
    pub fn finish<E>(&mut self, each: &mut dyn FnMut(&Line) -> Result<(), E>) -> Result<(), E> {
        let Self { lines, statement, exceptions, .. } = self;
        lines.finish(&mut |line| {
            take(&line, statement, exceptions);
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
            self.exceptions.push(Exception::of(transaction, Why::Open));
            return Ok(());
        }
        self.waiting.push(transaction);
        Ok(())
    }

    /// No row of them is left.
    pub fn unsettled_end(&mut self) {
        self.waiting.finish();
    }

    /// Whether something is not decided yet: then the date is not over.
    #[must_use]
    pub fn has_open(&self) -> bool {
        self.exceptions.iter().any(|exception| exception.why == Why::Open)
    }

    /// How many batches wait to be closed, each currency of one by itself.
    #[must_use]
    pub fn waiting_batches(&self) -> usize {
        self.waiting.count()
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
            self.waiting.table(),
        ]
    }

    fn exceptions_table(&self) -> Table {
        let columns = &["rrn", "number", "kind", "merchant", "terminal", "stan", "issuer", "currency", "amount", "why"];
        let mut table = Table::new("exceptions", columns);
        for Exception { transaction: of, amount, why } in &self.exceptions {
            table.rows.push(vec![
                Cell::text(of.rrn),
                Cell::text(of.id.0),
                Cell::text(of.kind.name()),
                Cell::text(of.merchant),
                Cell::text(of.terminal),
                Cell::text(of.stan),
                Cell::of(of.issuer.as_ref()),
                Cell::text(of.currency),
                Cell::Money(*amount, of.currency),
                Cell::text(why.name()),
            ]);
        }
        table
    }
}

/// Counts a line; what no batch's totals have is named, so that batches and settlement can be told apart to the cent.
fn take(line: &Line, statement: &mut Statement, exceptions: &mut Vec<Exception>) {
    statement.add(line);
    if line.is_in_no_totals {
        exceptions.push(Exception { transaction: line.transaction.clone(), amount: line.amount, why: Why::NoTotals });
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
