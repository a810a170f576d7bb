//! `tollgate recon`: terminals' batches, the ledger and the issuers' clearing files, compared; what differs is
//! followed until it is explained or cleared.

mod clear;
mod list;
mod print;
mod run;
mod store;

pub(super) use run::Order;
pub(super) use run::Report;

use super::Exit;
use super::Failure;
use super::Outcome;
use super::ledger;
use super::serve;
use crate::model::BusinessDate;
use crate::model::Currency;
use crate::model::IssuerName;
use crate::model::Timestamp;
use crate::settle::calendar::Calendar;
use clap::Args;
use clap::Subcommand;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;

const EXAMPLES: &str = "\
Examples:
  tollgate recon --data ledger --date 2026-11-22 --clearing bank-a=bank-a-2026-11-22.csv --clearing bank-b=b.csv
  tollgate recon --data ledger --date 2026-11-22 --withdraw bank-a=840 --clearing bank-a=right.csv
  tollgate recon list --data ledger                   # what is open, and for how many working days
  tollgate recon clear 3 --data ledger --actor li.na --reason \"refunded by bank-a on 2026-11-24, letter 118\"

Compares the batches that were closed on a business date and every transaction of that date with the issuers' files, and
notes what differs in DIR/recon: missing-there, missing-here, amount, currency, duplicate, late-reversal, and card,
terminal, merchant or kind where a row is of something else than the ledger's transaction. A later file explains what it
can. The same day compared again changes nothing. The format of the files, and how a difference is cleared: the manual's
chapter on clearing. A station may be running.

Exit codes: 0 nothing is open, 1 something is, or a file was refused, or an issuer's file was not given; 2 usage, or the
ledger or a file cannot be read; 3 the station's file has breaches; 6 another recon is at work.";

/// Compare terminals, ledger and issuers' clearing files; follow what differs
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(super) struct Recon {
    #[command(flatten)]
    asked: run::Asked,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::List),
    Clear(clear::Clear),
}

impl Recon {
    pub(super) fn run(self, out: &mut dyn Write) -> Outcome {
        match self.command {
            Some(Command::List(command)) => command.run(out),
            Some(Command::Clear(command)) => command.run(out),
            None => self.asked.run(out),
        }
    }
}

/// Where the ledger is
#[derive(Args, Debug)]
struct Where {
    /// The ledger's folder, or the one that has it as `ledger`; differences are kept in its folder `recon`
    #[arg(long, value_name = "DIR", value_parser = ledger::folder())]
    data: PathBuf,
    /// The station's file, for its holidays: working days are counted without them
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Where {
    fn calendar(&self) -> Result<Calendar, Failure> {
        match &self.config {
            Some(file) => Ok(serve::load(file)?.calendar),
            None => Ok(Calendar::default()),
        }
    }
}

fn date(text: &str) -> Result<BusinessDate, &'static str> {
    BusinessDate::parse(text).ok_or("a date as 2026-11-22")
}

/// `bank-a=FILE`.
fn clearing(text: &str) -> Result<(IssuerName, PathBuf), &'static str> {
    let parsed = || {
        let (name, path) = text.split_once('=')?;
        Some((IssuerName::parse(name)?, PathBuf::from(path))).filter(|(_, path)| !path.as_os_str().is_empty())
    };
    parsed().ok_or("an issuer's name, `=`, and its file")
}

/// `bank-a=840`.
fn withdrawn(text: &str) -> Result<(IssuerName, Currency), &'static str> {
    let parsed = || {
        let (name, currency) = text.split_once('=')?;
        Some((IssuerName::parse(name)?, Currency::parse(currency.as_bytes())?))
    };
    parsed().ok_or("an issuer's name, `=`, and a currency's three digits")
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or_default())
}

/// A fault of a file or folder.
fn at(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Usage, format!("{}: {error}", path.display()))
}
