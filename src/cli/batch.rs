//! `tollgate batch`: the batches of terminals, to look at, and to close where a terminal does not.

use super::Exit;
use super::Failure;
use super::Outcome;
use super::ledger;
use crate::ledger::batches;
use crate::ledger::batches::BatchRow;
use crate::ledger::batches::SideRow;
use crate::ledger::batches::TotalsRow;
use crate::model::BatchNumber;
use crate::model::TerminalId;
use crate::server::control::Order;
use crate::server::control::SOCKET;
use crate::server::control::signed;
use clap::Args;
use clap::Subcommand;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  tollgate batch list --data /var/lib/tollgate
  tollgate batch list --data /var/lib/tollgate --terminal 10000001 --json
  tollgate batch show --data /var/lib/tollgate --terminal 10000001 --batch 7
  tollgate batch close --data /var/lib/tollgate --terminal 10000001 --actor alice --reason 'till is broken'

DIR is the folder of the station's `[ledger]`, or one that has it as `ledger`. `list` and `show` read files, also
of a station that does not run; `close` asks the running station, whose user must be yours. The terminal is then
answered 77 until it signs in, and gets the next number.
Exit codes: 0 yes, 1 no (no such batch, none of the terminal, closed already), 2 usage, or the folder cannot be read, 4 no station runs
there, 5 it does not answer.";

/// How long a station may take to close a batch: as long as its slowest issuer.
const PATIENCE: Duration = Duration::from_secs(120);

/// Lists, shows and closes terminals' batches
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Batch {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// All batches that the journal tells of
    List(List),
    /// One batch, with what differs
    Show(Show),
    /// Closes a batch because a person says so
    Close(Close),
}

#[derive(Args, Debug)]
struct List {
    /// The ledger's folder, or the one that has it as `ledger`
    #[arg(long, value_name = "DIR", value_parser = ledger::folder())]
    data: PathBuf,
    /// Only of this terminal
    #[arg(long, value_parser = terminal)]
    terminal: Option<TerminalId>,
    /// JSON instead of lines
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct Show {
    /// The ledger's folder, or the one that has it as `ledger`
    #[arg(long, value_name = "DIR", value_parser = ledger::folder())]
    data: PathBuf,
    /// Whose
    #[arg(long, value_parser = terminal)]
    terminal: TerminalId,
    /// Which one
    #[arg(long, value_name = "NUMBER", value_parser = batch)]
    batch: BatchNumber,
    /// JSON instead of lines
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct Close {
    /// The ledger's folder, or the one that has it as `ledger`
    #[arg(long, value_name = "DIR", value_parser = ledger::folder())]
    data: PathBuf,
    /// Whose
    #[arg(long, value_parser = terminal)]
    terminal: TerminalId,
    /// Which one, if not the one that its session is in
    #[arg(long, value_name = "NUMBER", value_parser = batch)]
    batch: Option<BatchNumber>,
    /// Who says so; kept with the batch
    #[arg(long)]
    actor: String,
    /// Why; kept with the batch
    #[arg(long)]
    reason: String,
    /// JSON instead of lines
    #[arg(long)]
    json: bool,
}

impl Batch {
    pub(super) fn run(self, out: &mut dyn Write) -> Outcome {
        match self.command {
            Command::List(list) => list.run(out),
            Command::Show(show) => show.run(out),
            Command::Close(close) => close.run(out),
        }
    }
}

impl List {
    fn run(&self, out: &mut dyn Write) -> Outcome {
        let wanted = |row: &BatchRow| self.terminal.is_none_or(|terminal| row.terminal == terminal.to_string());
        let rows: Vec<BatchRow> = rows(&self.data)?.into_iter().filter(wanted).collect();
        if self.json {
            writeln!(out, "{:#}", json!(rows))?;
        } else {
            for row in &rows {
                line(row, out)?;
            }
        }
        match self.terminal {
            Some(terminal) if rows.is_empty() => {
                Err(Failure::new(Exit::No, format!("no batch of terminal {terminal} is on record")))
            }
            _ => Ok(Exit::Ok),
        }
    }
}

impl Show {
    fn run(&self, out: &mut dyn Write) -> Outcome {
        let (terminal, batch) = (self.terminal.to_string(), self.batch.to_string());
        let mut found = rows(&self.data)?.into_iter().filter(|row| row.terminal == terminal && row.batch == batch);
        // Numbers begin again after the last one: the latest is meant.
        let row = found.next_back().ok_or(Failure::new(Exit::No, "no such batch on record"))?;
        if self.json {
            writeln!(out, "{:#}", json!(row))?;
        } else {
            text(&row, out)?;
        }
        Ok(Exit::Ok)
    }
}

impl Close {
    fn run(self, out: &mut dyn Write) -> Outcome {
        let order = Order::CloseBatch {
            terminal: self.terminal.to_string(),
            batch: self.batch.map(BatchNumber::value),
            actor: self.actor,
            reason: self.reason,
        };
        let said = ask(&self.data.join(SOCKET), &order)?;
        if said.get("ok") != Some(&Value::Bool(true)) {
            let why = said.get("error").and_then(Value::as_str).unwrap_or("the station refused");
            return Err(Failure::new(Exit::No, why));
        }
        let row = said.get("batch").cloned().unwrap_or_default();
        if self.json {
            writeln!(out, "{row:#}")?;
        } else {
            let word = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            writeln!(out, "batch {} of terminal {} is closed, RRN {}", word("batch"), word("terminal"), word("rrn"))?;
        }
        Ok(Exit::Ok)
    }
}

/// Asks a running station. Who asks and why is looked at here as well: a station reads no line that is too long.
pub(super) fn ask(socket: &Path, order: &impl Serialize) -> Result<Value, Failure> {
    let unreachable = |error: io::Error| {
        Failure::new(Exit::NoConnection, format!("{}: no station runs here: {error}", socket.display()))
    };
    let silent = |error: io::Error| Failure::new(Exit::Timeout, format!("the station does not answer: {error}"));
    let order = json!(order);
    let said = |key| order.get(key).and_then(Value::as_str);
    if let (Some(actor), Some(reason)) = (said("actor"), said("reason")) {
        signed(actor, reason).map_err(|why| Failure::new(Exit::No, why))?;
    }
    let mut stream = UnixStream::connect(socket).map_err(unreachable)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(silent)?;
    writeln!(stream, "{}", order).map_err(silent)?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).map_err(silent)?;
    serde_json::from_str(&line).map_err(|_| Failure::new(Exit::Timeout, "the station broke off"))
}

fn rows(data: &Path) -> Result<Vec<BatchRow>, Failure> {
    let read = batches::read(&mut ledger::open(data)?)?;
    let mut rows: Vec<BatchRow> = read.closed.iter().map(BatchRow::from).collect();
    rows.extend(read.open.iter().map(BatchRow::from));
    rows.sort_by(|one, other| one.terminal.cmp(&other.terminal));
    Ok(rows)
}

fn line(row: &BatchRow, out: &mut dyn Write) -> io::Result<()> {
    let BatchRow { terminal, batch, told_as, state, counted, closed_on, differences, .. } = row;
    let told_as = told_as.as_ref().map_or(String::new(), |own| format!("  its terminal calls it {own}"));
    let closed_on = closed_on.as_deref().unwrap_or("          ");
    let differences = match differences.len() {
        0 => String::new(),
        count => format!("  {count} differences"),
    };
    writeln!(out, "{terminal}  {batch}  {state:10}  {closed_on}  {}{differences}{told_as}", totals(counted))
}

fn text(row: &BatchRow, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "terminal {}, batch {}: {}", row.terminal, row.batch, row.state)?;
    if let Some(own) = &row.told_as {
        writeln!(out, "its terminal calls it {own}")?;
    }
    if let (Some(merchant), Some(on), Some(at)) = (&row.merchant, &row.closed_on, &row.closed_at) {
        let test = if row.test_mode { ", test mode" } else { "" };
        writeln!(out, "merchant {merchant}, closed on {on} at {at}{test}")?;
    }
    if let (Some(by), Some(rrn)) = (row.by, &row.rrn) {
        let actor = row.actor.as_deref().map_or(String::new(), |actor| format!(" {actor}"));
        let reason = row.reason.as_deref().map_or(String::new(), |reason| format!(": {reason}"));
        writeln!(out, "RRN {rrn}, by {by}{actor}{reason}")?;
    }
    writeln!(out, "here      {}", totals(&row.counted))?;
    if let Some(claimed) = &row.claimed {
        writeln!(out, "terminal  {}", totals(claimed))?;
    }
    if row.items > 0 {
        writeln!(out, "uploaded  {} transactions", row.items)?;
    }
    for difference in &row.differences {
        writeln!(out, "  {:14} {}", difference.what, difference.sentence)?;
    }
    Ok(())
}

fn totals(totals: &TotalsRow) -> String {
    let side = |side: &SideRow| {
        format!("debit {} of {}, credit {} of {}", side.debit_count, side.debit, side.credit_count, side.credit)
    };
    let foreign = &totals.foreign;
    match foreign.debit_count + foreign.credit_count {
        0 => side(&totals.domestic),
        _ => format!("{}; foreign cards: {}", side(&totals.domestic), side(foreign)),
    }
}

fn terminal(text: &str) -> Result<TerminalId, &'static str> {
    TerminalId::parse(text.as_bytes()).ok_or("8 characters")
}

fn batch(text: &str) -> Result<BatchNumber, &'static str> {
    BatchNumber::parse(text.as_bytes()).ok_or("up to six digits")
}
