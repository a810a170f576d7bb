//! `tollgate ledger export`: transactions for other programs.

use super::Where;
use super::search::Which;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::Outcome;
use crate::ledger::archive::Archive;
use crate::ledger::archive::Query;
use crate::ledger::archive::Row;
use crate::settle::table::cause;
use clap::Args;
use clap::ValueEnum;
use std::io;
use std::io::BufWriter;
use std::io::Write;

const EXAMPLES: &str = "\
Examples:
  tollgate ledger export /var/lib/tollgate > transactions.jsonl
  tollgate ledger export /var/lib/tollgate --format csv --from 2026-11-21 --to 2026-11-21 > day.csv

One line a transaction, in order of their numbers: what was asked, what was decided, where it stands. Card numbers are
masked; `token` is equal for equal cards and says nothing without the station's key. Amounts are minor units.
Exit codes: 0 written, 2 the folder cannot be read.";

/// Write transactions as JSON lines or CSV
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Export {
    #[command(flatten)]
    folder: Where,
    #[command(flatten)]
    which: Which,
    /// One JSON object a line, or CSV with a line of names
    #[arg(long, value_enum, default_value_t = RowFormat::Jsonl)]
    format: RowFormat,
}

/// How rows are written, a line each.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(in crate::cli) enum RowFormat {
    /// JSON objects.
    Jsonl,
    /// Comma separated, behind a line of names.
    Csv,
}

impl Export {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let query = self.which.query();
        let archive = self.which.archive(&self.folder.folder, &query)?;
        let mut out = BufWriter::new(out);
        match self.format {
            RowFormat::Jsonl => each(&archive, &query, &mut |row| {
                serde_json::to_writer(&mut out, row)?;
                writeln!(out)
            })?,
            RowFormat::Csv => {
                let mut csv = csv::Writer::from_writer(&mut out);
                each(&archive, &query, &mut |row| csv.serialize(row).map_err(cause))?;
                csv.flush()?;
            }
        }
        out.flush()?;
        Ok(Exit::Ok)
    }
}

fn each(archive: &Archive, query: &Query, write: &mut dyn FnMut(&Row) -> io::Result<()>) -> Result<(), Failure> {
    archive.each(query, &mut |row| write(&row).map_err(Failure::from))
}
