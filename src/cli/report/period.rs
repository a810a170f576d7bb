//! Settled sums of a period.

use super::Format;
use super::nothing;
use crate::cli::Failure;
use crate::cli::Outcome;
use crate::cli::settle::Books;
use crate::cli::settle::date;
use crate::ledger::archive::Query;
use crate::model::BusinessDate;
use crate::settle::day::read;
use crate::settle::line::Lines;
use crate::settle::line::settles;
use crate::settle::statement::Statement;
use clap::Args;
use std::io::Write;

const EXAMPLES: &str = "\
Examples:
  tollgate report period -c station.toml --from 2026-11-01 --to 2026-11-30
  tollgate report period -c station.toml --from 2026-01-01 --to 2026-12-31 --by terminal --format csv > year.csv

What was settled on these dates, and what it cost: exact sums, the same as those of the days' settlements together.
A sale that was settled and undone within the period is in neither.";

/// Settled sums and fees of a period, per merchant: for books and tax
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Period {
    #[command(flatten)]
    books: Books,
    /// First date
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date)]
    from: BusinessDate,
    /// Last date
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date)]
    to: BusinessDate,
    /// What is added up
    #[arg(long, value_enum, default_value_t = By::Merchant)]
    by: By,
    /// Columns for people, JSON, or CSV
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
enum By {
    Merchant,
    Terminal,
    Issuer,
    Product,
    Currency,
}

impl Period {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let books = self.books.open(&Query::default())?;
        let (mut lines, mut statement) = (Lines::new(books.terms(), self.from, self.to), Statement::default());
        let mut each = |line| {
            statement.add(&line);
            Ok::<(), Failure>(())
        };
        books.archive.moved((self.from, self.to), &mut |row| {
            let transaction = read(row)?;
            if transaction.test_mode || !settles(transaction.kind) {
                Ok(())
            } else {
                lines.push(transaction, &mut each)
            }
        })?;
        lines.finish(&mut each)?;
        let table = match self.by {
            By::Merchant => statement.sums_by_merchant(),
            By::Terminal => statement.terminals_table(),
            By::Issuer => statement.issuers_table(),
            By::Product => statement.products_table(),
            By::Currency => statement.currencies_table(books.terms()),
        };
        if table.rows.is_empty() {
            return Err(nothing());
        }
        let query = Query { from: Some(self.from), to: Some(self.to), ..Query::default() };
        self.format.write(&table, &super::about(&query), out)
    }
}
