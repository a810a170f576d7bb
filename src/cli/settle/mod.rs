//! `tollgate settle`: what a day moved, who is paid when, as files; and slips printed again.

mod folder;
mod run;
mod slip;

pub(super) use run::Order;

use super::Exit;
use super::Failure;
use super::Outcome;
use super::ledger;
use super::ledger::OnRecord;
use super::serve;
use crate::ledger::archive::Archive;
use crate::ledger::archive::Query;
use crate::model::BusinessDate;
use crate::model::Timestamp;
use crate::server::config::Loaded;
use crate::settle::day::RowFault;
use crate::settle::line::Terms;
use clap::Args;
use clap::Subcommand;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

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
    /// The ledger's folder, or the one that has it as `ledger`, if it is not the one that the station's file names
    #[arg(long, value_name = "DIR", value_parser = ledger::folder())]
    data: Option<PathBuf>,
    /// Read the journal even if there is an archive
    #[arg(long)]
    scan: bool,
}

/// A station and what is on record of it.
pub(super) struct OpenBooks {
    pub(super) loaded: Loaded,
    pub(super) archive: Archive,
    /// Whatever was recorded before this instant is in it.
    until: Timestamp,
    /// When the last of it was written.
    last: Option<Timestamp>,
}

/// Between the end of a date and the instant up to which must be read: what came just before the end is recorded
/// after it.
const SETTLED_DOWN: Duration = Duration::from_secs(60);

impl Books {
    /// Reads the station's file, and what `query` asks for if the journal must be read.
    pub(super) fn open(&self, query: &Query) -> Result<OpenBooks, Failure> {
        self.open_past(query, None)
    }

    /// The same; the journal is read if the archive does not reach beyond the end of the date.
    pub(super) fn open_past(&self, query: &Query, date: Option<BusinessDate>) -> Result<OpenBooks, Failure> {
        let Some(config) = &self.config else { return Err(Failure::new(Exit::Usage, "say -c STATION")) };
        let loaded = serve::load(config)?;
        let beside = config.parent().unwrap_or(Path::new(""));
        let named = loaded.config.keeping.folder.as_ref().map(|folder| beside.join(folder));
        let Some(folder) = self.data.clone().or(named) else {
            let message = "the station's file names no [ledger] folder: say --data DIR";
            return Err(Failure::new(Exit::Usage, message));
        };
        OpenBooks::read(loaded, &folder, (query, date), self.scan)
    }
}

impl OpenBooks {
    /// What the ledger in `folder` says; the journal is read if the archive does not reach beyond the end of the date.
    pub(super) fn read(
        loaded: Loaded,
        folder: &Path,
        (query, date): (&Query, Option<BusinessDate>),
        scan: bool,
    ) -> Result<Self, Failure> {
        let reaches = |until| date.is_none_or(|date| has_ended(&loaded, date, until));
        let asked: Option<&dyn Fn(Timestamp) -> bool> = if date.is_some() { Some(&reaches) } else { None };
        let OnRecord { archive, until, last } = ledger::on_record(folder, query, scan, asked)?;
        Ok(Self { loaded, archive, until, last })
    }

    /// Whether everything of a business date that is over has been read.
    fn has_all_of(&self, date: BusinessDate) -> Result<(), Failure> {
        if !has_ended(&self.loaded, date, self.until) {
            let message = format!(
                "{date} has just ended: the ledger was read up to {}, and what came before the end may still be on its \
                 way there. Again in a minute; --provisional settles what there is so far",
                self.until
            );
            return Err(Failure::new(Exit::No, message));
        }
        if self.last.is_none_or(|last| !has_ended(&self.loaded, date, last)) {
            let last = self.last.map(|last| format!(", {last}")).unwrap_or_default();
            eprintln!(
                "note: the last record{last} is of {date} or before: right of the folder of the station itself, not of \
                 a copy that was made before the date was over"
            );
        }
        Ok(())
    }

    /// The business date of an instant; of several acquirers' the earliest.
    fn date_at(&self, at: Timestamp) -> BusinessDate {
        date_at(&self.loaded, at)
    }

    pub(super) fn terms(&self) -> Terms<'_> {
        let Loaded { registry, fees, calendar, .. } = &self.loaded;
        Terms { registry, fees, calendar }
    }
}

fn date_at(loaded: &Loaded, at: Timestamp) -> BusinessDate {
    let today = loaded.registry.days().iter().map(|day| day.date(at)).min();
    today.unwrap_or_else(|| at.date(loaded.config.defaults.offset_minutes))
}

/// Whether who has read up to an instant has read all of a date.
pub(super) fn has_ended(loaded: &Loaded, date: BusinessDate, until: Timestamp) -> bool {
    date < date_at(loaded, until.earlier(SETTLED_DOWN))
}

impl From<RowFault> for Failure {
    fn from(fault: RowFault) -> Self {
        Self::new(Exit::Usage, fault.to_string())
    }
}

pub(super) fn date(text: &str) -> Result<BusinessDate, &'static str> {
    BusinessDate::parse(text).ok_or("a date as 2026-11-21")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_has_been_read_a_minute_after_it_has_ended_for_the_last_acquirer() {
        let station = Path::new(env!("CARGO_MANIFEST_DIR")).join("specs/demo/station.toml");
        let loaded = serve::load(&station).unwrap();
        let date = BusinessDate::parse("2026-11-21").unwrap();
        let ends = loaded.registry.days().iter().filter_map(|day| day.begins(date.tomorrow().unwrap())).max().unwrap();
        let after = |seconds: i64| has_ended(&loaded, date, Timestamp(ends.0 + seconds * 1_000_000));
        assert_eq!([-1, 0, 59, 60, 86_400].map(after), [false, false, false, true, true]);
    }
}
