//! Transactions for analysis elsewhere: of a card, its token only.

use super::Days;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::Outcome;
use crate::cli::ledger;
use crate::cli::ledger::RowFormat;
use crate::settle::activity::EXPORT;
use crate::settle::activity::export_cells;
use crate::settle::day::read;
use crate::settle::table::CsvLines;
use crate::settle::table::json_line;
use clap::Args;
use std::io::BufWriter;
use std::io::Write;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  tollgate report export /var/lib/tollgate --date 2026-11-21 > day.jsonl
  tollgate report export /var/lib/tollgate --from 2026-11-01 --to 2026-11-30 --format csv > november.csv

One line a transaction, in order of their numbers, terminals in test mode included and marked. No card number, not even
masked: `token` is equal for equal cards and says nothing without the station's key. Amounts are minor units.";

/// Write transactions with tokens instead of card numbers, as JSON lines or CSV
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Export {
    /// The ledger's folder, or the one that has it as `ledger`
    #[arg(value_name = "DIR", value_parser = ledger::folder())]
    folder: PathBuf,
    #[command(flatten)]
    days: Days,
    /// One JSON object a line, or CSV with a line of names
    #[arg(long, value_enum, default_value_t = RowFormat::Jsonl)]
    format: RowFormat,
    /// Read the journal even if there is an archive
    #[arg(long)]
    scan: bool,
}

impl Export {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let query = self.days.query();
        let archive = ledger::archive(&self.folder, &query, self.scan)?;
        let mut out = BufWriter::new(out);
        match self.format {
            RowFormat::Jsonl => archive.each(&query, &mut |row| {
                json_line(EXPORT, &export_cells(&read(row)?), &mut out)?;
                Ok::<(), Failure>(())
            })?,
            RowFormat::Csv => {
                let mut csv = CsvLines::new(&mut out, EXPORT)?;
                archive.each(&query, &mut |row| {
                    csv.row(&export_cells(&read(row)?))?;
                    Ok::<(), Failure>(())
                })?;
                csv.finish()?;
            }
        }
        out.flush()?;
        Ok(Exit::Ok)
    }
}
