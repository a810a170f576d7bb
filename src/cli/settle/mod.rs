//! `tollgate settle`: what a day moved, who is paid when, as files; and slips printed again.

mod folder;
mod run;
mod slip;

pub(super) use run::Order;

use super::Exit;
use super::Failure;
use super::Outcome;
use super::ledger;
use super::serve;
use crate::ledger::archive::Archive;
use crate::ledger::archive::Query;
use crate::model::BusinessDate;
use crate::server::config::Loaded;
use crate::settle::day::RowFault;
use crate::settle::line::Terms;
use clap::Args;
use clap::Subcommand;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  tollgate settle -c station.toml --date 2026-11-21 --out settlement/2026-11-21
  tollgate settle -c station.toml --date 2026-11-22 --out /tmp/so-far --provisional
  tollgate settle slip 632600000017 -c station.toml        # a receipt, printed again

Settles what belongs to one business date: what was in batches that were closed on it, and where a dialect has no
batches, what was asked on it. A reversal of something settled earlier is a negative line of its own day. Writes
merchants, terminals, issuers, products, currencies, exceptions and waiting (batches that are still open) as .csv, .json
and .txt, every line as lines.csv and lines.jsonl, and settlement.json, last, with the SHA-256 of each file. Amounts are
minor units in CSV and JSON. The same day gives the same bytes, however often; files that would change are not replaced
unless --replace says so. Fees, holidays and accounts: `fees`, `holidays` and `merchants` under [files] of the station's
file. A station may be running.

Exit codes: 0 settled, 1 refused (the date is not over, something is not decided, the files there say something else),
2 usage, or the ledger cannot be read, 3 the station's file has breaches.";

/// Settle a business date: files per merchant, terminal, issuer, product, currency
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Settle {
    #[command(flatten)]
    run: run::Run,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Slip(slip::Slip),
}

impl Settle {
    pub(super) fn run(self, out: &mut dyn Write) -> Outcome {
        match self.command {
            Some(Command::Slip(command)) => command.run(out),
            None => self.run.run(out),
        }
    }
}

/// Which station, and where its ledger is
#[derive(Args, Debug)]
pub(super) struct Books {
    /// The station's file
    #[arg(short, long, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
    /// The ledger's folder, if it is not the one that the station's file names
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Read the journal even if there is an archive
    #[arg(long)]
    scan: bool,
}

/// A station and what is on record of it.
pub(super) struct OpenBooks {
    pub(super) loaded: Loaded,
    pub(super) archive: Archive,
}

impl Books {
    /// Reads the station's file, and what `query` asks for if the journal must be read.
    pub(super) fn open(&self, query: &Query) -> Result<OpenBooks, Failure> {
        let Some(config) = &self.config else { return Err(Failure::new(Exit::Usage, "say -c STATION")) };
        let loaded = serve::load(config)?;
        let beside = config.parent().unwrap_or(Path::new(""));
        let named = loaded.config.keeping.folder.as_ref().map(|folder| beside.join(folder));
        let Some(folder) = self.data.clone().or(named) else {
            let message = "the station's file names no [ledger] folder: say --data DIR";
            return Err(Failure::new(Exit::Usage, message));
        };
        let archive = ledger::archive(&folder, query, self.scan)?;
        Ok(OpenBooks { loaded, archive })
    }
}

impl OpenBooks {
    pub(super) fn terms(&self) -> Terms<'_> {
        let Loaded { registry, fees, calendar, .. } = &self.loaded;
        Terms { registry, fees, calendar }
    }
}

impl From<RowFault> for Failure {
    fn from(fault: RowFault) -> Self {
        Self::new(Exit::Usage, fault.to_string())
    }
}

pub(super) fn date(text: &str) -> Result<BusinessDate, &'static str> {
    BusinessDate::parse(text).ok_or("a date as 2026-11-21")
}
