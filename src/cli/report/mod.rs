//! `tollgate report`: what was asked and answered, and what it came to.

mod export;
mod period;

use super::Exit;
use super::Failure;
use super::Outcome;
use super::ledger;
use super::settle::date;
use crate::ledger::archive::Archive;
use crate::ledger::archive::Query;
use crate::model::BusinessDate;
use crate::settle::activity::Activity;
use crate::settle::activity::By;
use crate::settle::day::read;
use crate::settle::table::Table;
use clap::Args;
use clap::Subcommand;
use clap::ValueEnum;
use serde_json::Map;
use serde_json::Value;
use std::io::BufWriter;
use std::io::Write;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  tollgate report day /var/lib/tollgate                                  # every business date
  tollgate report codes /var/lib/tollgate --date 2026-11-21             # why was declined
  tollgate report merchant /var/lib/tollgate --from 2026-11-01 --to 2026-11-30 --format csv > november.csv
  tollgate report period -c station.toml --from 2026-11-01 --to 2026-11-30   # settled sums and fees, per merchant
  tollgate report export /var/lib/tollgate --date 2026-11-21 > day.jsonl # for other programs, cards as tokens only

DIR is the folder of the station's `[ledger]`; a station may be running. Amounts are minor units in CSV and JSON.
Terminals in test mode are left out. Exit codes: 0 written, 1 nothing on record fits, 2 usage, or the ledger cannot be
read, 3 the station's file has breaches (period).";

/// Reports: by day, merchant, terminal, issuer, response code, hour; settled sums of a period; export
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Report {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// By business date: requests, answers, sums
    Day(OfArchive),
    /// By merchant
    Merchant(OfArchive),
    /// By terminal
    Terminal(OfArchive),
    /// By issuer
    Issuer(OfArchive),
    /// By response code (DE 39), with its meaning in English and Chinese
    Codes(OfArchive),
    /// By hour of the day, by the terminals' clocks
    Hours(OfArchive),
    Period(period::Period),
    Export(export::Export),
}

impl Report {
    pub(super) fn run(self, out: &mut dyn Write) -> Outcome {
        match self.command {
            Command::Day(of) => of.run(By::Day, out),
            Command::Merchant(of) => of.run(By::Merchant, out),
            Command::Terminal(of) => of.run(By::Terminal, out),
            Command::Issuer(of) => of.run(By::Issuer, out),
            Command::Codes(of) => of.run(By::Code, out),
            Command::Hours(of) => of.run(By::Hour, out),
            Command::Period(command) => command.run(out),
            Command::Export(command) => command.run(out),
        }
    }
}

/// Of which days
#[derive(Args, Debug)]
struct Days {
    /// One business date
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date, conflicts_with_all = ["from", "to"])]
    date: Option<BusinessDate>,
    /// First business date
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date)]
    from: Option<BusinessDate>,
    /// Last business date
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date)]
    to: Option<BusinessDate>,
}

impl Days {
    fn query(&self) -> Query {
        Query { from: self.date.or(self.from), to: self.date.or(self.to), ..Query::default() }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Format {
    Text,
    Json,
    Csv,
}

impl Format {
    fn write(self, table: &Table, about: &Map<String, Value>, out: &mut dyn Write) -> Outcome {
        let mut out = BufWriter::new(out);
        match self {
            Self::Text => table.text(&mut out)?,
            Self::Json => table.json(about, &mut out)?,
            Self::Csv => table.csv(&mut out)?,
        }
        out.flush()?;
        Ok(Exit::Ok)
    }
}

#[derive(Args, Debug)]
struct OfArchive {
    /// The ledger's folder, or the one that has it as `ledger`
    #[arg(value_name = "DIR", value_parser = ledger::folder())]
    folder: PathBuf,
    #[command(flatten)]
    days: Days,
    /// Columns for people, JSON, or CSV
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Read the journal even if there is an archive
    #[arg(long)]
    scan: bool,
}

impl OfArchive {
    fn archive(&self, query: &Query) -> Result<Archive, Failure> {
        ledger::archive(&self.folder, query, self.scan)
    }

    fn run(&self, by: By, out: &mut dyn Write) -> Outcome {
        let query = self.days.query();
        let mut activity = Activity::new(by);
        self.archive(&query)?.each(&query, &mut |row| {
            activity.add(&read(row)?);
            Ok::<(), Failure>(())
        })?;
        let table = activity.table();
        if activity.test_mode > 0 {
            eprintln!("note: {} transactions of terminals in test mode are left out", activity.test_mode);
        }
        if table.rows.is_empty() {
            return Err(nothing());
        }
        self.format.write(&table, &about(&query), out)
    }
}

fn about(query: &Query) -> Map<String, Value> {
    let date = |date: Option<BusinessDate>| date.map_or(Value::Null, |date| date.to_string().into());
    [("from", date(query.from)), ("to", date(query.to))]
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
}

fn nothing() -> Failure {
    Failure::new(Exit::No, "nothing on record fits")
}
