//! `tollgate ledger find`: which transactions fit?

use super::Where;
use super::search;
use super::search::Which;
use crate::cli::Exit;
use crate::cli::Outcome;
use crate::ledger::archive::Row;
use clap::Args;
use std::io;
use std::io::Write;

const EXAMPLES: &str = "\
Examples:
  tollgate ledger find /var/lib/tollgate --rrn 632600000017
  tollgate ledger find /var/lib/tollgate --terminal 10000001 --stan 000123
  tollgate ledger find /var/lib/tollgate --card-ends 0253 --amount 1251 --from 2026-11-20 --to 2026-11-21 --json

Everything said must fit. Amounts are minor units: 12.51 is 1251. The archive is searched where there is one that is
up to date, otherwise the journal is read. Exit codes: 0 found, 1 nothing fits, 2 the folder cannot be read.";

/// Find transactions by number, terminal, card, amount, date
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Find {
    #[command(flatten)]
    folder: Where,
    #[command(flatten)]
    which: Which,
    /// The last so many
    #[arg(long, value_name = "N", default_value_t = 100)]
    most: usize,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

impl Find {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let query = self.which.query();
        let archive = self.which.archive(&self.folder.folder, &query)?;
        let rows = archive.find(&query, self.most)?;
        if rows.is_empty() {
            return Err(search::nothing());
        }
        if !self.json {
            writeln!(
                out,
                "{:>10} {:12} {:27} {:8} {:6} {:17} {:19} {:>14} {:3} {:2} standing",
                "number", "RRN", "received", "terminal", "STAN", "kind", "card", "amount", "", "rc"
            )?;
        }
        for row in &rows {
            if self.json { json(row, out)? } else { line(row, out)? }
        }
        if rows.len() == self.most {
            eprintln!("note: the last {} are shown; --most shows more", self.most);
        }
        Ok(Exit::Ok)
    }
}

fn json(row: &Row, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, row)?;
    writeln!(out)
}

fn line(row: &Row, out: &mut dyn Write) -> io::Result<()> {
    let Row { id, rrn, received, terminal, stan, kind, masked_pan, amount, currency, standing, .. } = row;
    let code = row.code.as_deref().unwrap_or("");
    writeln!(
        out,
        "{id:>10} {rrn} {received} {terminal} {stan} {kind:17} {masked_pan:19} {amount:>14} {currency} {code:2} {standing}"
    )?;
    row.risk.as_deref().unwrap_or_default().lines().try_for_each(|spoke| writeln!(out, "{:>10} rule {spoke}", ""))
}
