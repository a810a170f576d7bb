//! `tollgate recon list`: what is open, and for how long.

use super::Where;
use super::date;
use super::now;
use super::print;
use super::store::Store;
use crate::cli::Exit;
use crate::cli::Outcome;
use crate::model::BusinessDate;
use crate::settle::recon::Entry;
use crate::settle::recon::State;
use clap::Args;
use std::io::Write;

/// Show differences: the open ones, or all of them
#[derive(Args, Debug)]
pub(super) struct List {
    #[command(flatten)]
    ledger: Where,
    /// Those too that were explained or cleared
    #[arg(long)]
    all: bool,
    /// Count working days up to this date [default: today, UTC]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date)]
    as_of: Option<BusinessDate>,
    /// As JSON, one object
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let book = Store::look(&self.ledger.data)?;
        let calendar = self.ledger.calendar()?;
        let as_of = self.as_of.unwrap_or_else(|| now().date(0));
        let entries: Vec<&Entry> = book.entries().filter(|entry| self.all || entry.state == State::Open).collect();
        let open = book.open().count();
        if self.json {
            let entries: Vec<_> = entries.iter().map(|entry| print::json(entry, &calendar, as_of)).collect();
            writeln!(out, "{}", serde_json::json!({ "open": open, "differences": entries }))?;
        } else {
            print::differences(&entries, &calendar, as_of, out)?;
            writeln!(out, "{open} open")?;
        }
        Ok(if open == 0 { Exit::Ok } else { Exit::No })
    }
}
