//! A receipt, printed again.

use super::Books;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::Outcome;
use crate::ledger::archive::Query;
use crate::model::Rrn;
use crate::settle::day::read;
use crate::settle::slip;
use clap::Args;
use std::io::Write;

const EXAMPLES: &str = "\
Examples:
  tollgate settle slip 632600000017 -c station.toml
  tollgate settle slip 632600000017 -c station.toml --data /backup/ledger

The reference number is on the receipt, and in `tollgate ledger find`. Where two years gave the same number, all are
printed. Exit codes: 0 printed, 1 not on record, 2 the ledger cannot be read, 3 the station's file has breaches.";

/// Print the receipt of a transaction again, by its reference number
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Slip {
    /// Reference number, DE 37: 12 letters or digits
    #[arg(value_name = "RRN", value_parser = rrn)]
    rrn: Rrn,
    #[command(flatten)]
    books: Books,
}

impl Slip {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let query = Query { rrn: Some(self.rrn), ..Query::default() };
        let books = self.books.open(&query)?;
        let rows = books.archive.find(&query, 100)?;
        if rows.is_empty() {
            return Err(Failure::new(Exit::No, "no transaction of this number is on record"));
        }
        for row in rows {
            let transaction = read(row)?;
            let merchant = books.loaded.registry.merchant(transaction.merchant);
            write!(out, "{}", slip::text(&transaction, merchant))?;
        }
        Ok(Exit::Ok)
    }
}

fn rrn(text: &str) -> Result<Rrn, &'static str> {
    Rrn::parse(text.as_bytes()).ok_or("12 letters or digits")
}
