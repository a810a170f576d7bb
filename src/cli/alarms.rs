//! `tollgate alarms`: what a running station wants a person to look at.

use super::Exit;
use super::Failure;
use super::Outcome;
use super::batch;
use super::ledger;
use crate::ops::alarms::AlarmOrder;
use crate::server::control::SOCKET;
use clap::Args;
use clap::Subcommand;
use serde_json::Value;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  tollgate alarms list --data /var/lib/tollgate
  tollgate alarms list --data /var/lib/tollgate --all --json
  tollgate alarms watch --data /var/lib/tollgate
  tollgate alarms acknowledge 3 --data /var/lib/tollgate --actor alice --reason 'the bank is on it'

DIR is the folder of the station's `[ledger]`, or one that has it as `ledger`. All of them ask the running station,
whose user must be yours. What an alarm is raised and cleared by, `[alarms]` of the station's file says.
Exit codes: 0 yes (`list`: no alarm, or acknowledged ones only), 1 no (`list`: there are alarms that nobody has
acknowledged; `acknowledge`: no such live alarm, or somebody was first), 2 usage, 4 no station runs there,
5 it does not answer.";

/// Between two questions whether something changed.
const PAUSE: Duration = Duration::from_secs(1);

/// Shows the alarms of a running station, and acknowledges them
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Alarms {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The alarms that are so
    List(List),
    /// Prints each change as it comes, until it is interrupted or the station ends
    Watch(Watch),
    /// Says that somebody knows: the alarm is not told again while it lasts
    Acknowledge(Acknowledge),
}

#[derive(Args, Debug)]
struct List {
    /// The ledger's folder, or the one that has it as `ledger`
    #[arg(long, value_name = "DIR", value_parser = ledger::folder())]
    data: PathBuf,
    /// Also the last ones that are over
    #[arg(long)]
    all: bool,
    /// JSON instead of lines
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct Watch {
    /// The ledger's folder, or the one that has it as `ledger`
    #[arg(long, value_name = "DIR", value_parser = ledger::folder())]
    data: PathBuf,
    /// One JSON object a line instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct Acknowledge {
    /// The alarm's number, as `list` shows it
    id: u64,
    /// The ledger's folder, or the one that has it as `ledger`
    #[arg(long, value_name = "DIR", value_parser = ledger::folder())]
    data: PathBuf,
    /// Who says so
    #[arg(long)]
    actor: String,
    /// What they say
    #[arg(long)]
    reason: String,
    /// JSON instead of a line
    #[arg(long)]
    json: bool,
}

impl Alarms {
    pub(super) fn run(self, out: &mut dyn Write) -> Outcome {
        match self.command {
            Command::List(list) => list.run(out),
            Command::Watch(watch) => watch.run(out),
            Command::Acknowledge(acknowledge) => acknowledge.run(out),
        }
    }
}

impl List {
    fn run(&self, out: &mut dyn Write) -> Outcome {
        let said = ask(&self.data, &AlarmOrder::Alarms { all: self.all })?;
        let alarms = rows(&said, "alarms");
        if self.json {
            writeln!(out, "{:#}", Value::from(alarms))?;
        } else if alarms.is_empty() {
            writeln!(out, "no alarms")?;
        } else {
            alarms.iter().try_for_each(|alarm| line(alarm, word(alarm, "state"), out))?;
        }
        let unknown = alarms.iter().any(|alarm| word(alarm, "state") == "raised");
        Ok(if unknown { Exit::No } else { Exit::Ok })
    }
}

impl Watch {
    fn run(&self, out: &mut dyn Write) -> Outcome {
        let mut sequence = number(&ask(&self.data, &AlarmOrder::Alarms { all: false })?, "sequence");
        loop {
            let asked = Instant::now();
            let said = ask(&self.data, &AlarmOrder::AlarmsSince { sequence })?;
            if rows(&said, "events").is_empty() {
                // Where too many wait, the station does not let one wait more.
                std::thread::sleep(PAUSE.saturating_sub(asked.elapsed()));
            }
            if said.get("missed") == Some(&Value::Bool(true)) {
                eprintln!("the station was started again, or more happened than it keeps");
            }
            for event in rows(&said, "events") {
                match self.json {
                    true => writeln!(out, "{event}")?,
                    false => line(event.get("alarm").unwrap_or(&Value::Null), word(event, "change"), out)?,
                }
            }
            out.flush()?;
            sequence = number(&said, "sequence");
        }
    }
}

impl Acknowledge {
    fn run(self, out: &mut dyn Write) -> Outcome {
        let order = AlarmOrder::Acknowledge { alarm: self.id, actor: self.actor, reason: self.reason };
        let said = ask(&self.data, &order)?;
        let alarm = said.get("alarm").cloned().unwrap_or_default();
        match self.json {
            true => writeln!(out, "{alarm:#}")?,
            false => line(&alarm, word(&alarm, "state"), out)?,
        }
        Ok(Exit::Ok)
    }
}

/// What the station says, if it does not refuse.
fn ask(data: &Path, order: &AlarmOrder) -> Result<Value, Failure> {
    let said = batch::ask(&data.join(SOCKET), order)?;
    match said.get("ok") {
        Some(Value::Bool(true)) => Ok(said),
        _ => {
            let why = said.get("error").and_then(Value::as_str).unwrap_or("the station refused");
            Err(Failure::new(Exit::No, why))
        }
    }
}

fn line(alarm: &Value, what: &str, out: &mut dyn Write) -> io::Result<()> {
    let known = alarm.get("acknowledged").filter(|known| !known.is_null());
    let known = known.map_or(String::new(), |known| format!("  [{}: {}]", word(known, "actor"), word(known, "reason")));
    writeln!(
        out,
        "{:>4}  {what:12}  {:8}  {:18}  {:20}  {:>5} x  since {}  {}{known}",
        number(alarm, "id"),
        word(alarm, "severity"),
        word(alarm, "kind"),
        word(alarm, "subject"),
        number(alarm, "count"),
        word(alarm, "first"),
        word(alarm, "sentence"),
    )
}

fn rows<'a>(said: &'a Value, name: &str) -> &'a [Value] {
    said.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn word<'a>(row: &'a Value, name: &str) -> &'a str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn number(row: &Value, name: &str) -> u64 {
    row.get(name).and_then(Value::as_u64).unwrap_or_default()
}
