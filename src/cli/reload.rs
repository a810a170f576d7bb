//! `tollgate reload`: a running station reads its lists again.

use super::batch::ask;
use super::ledger;
use super::{Exit, Failure, Outcome};
use crate::server::control::Order;
use crate::server::control::SOCKET;
use clap::Args;
use serde_json::Value;
use std::io;
use std::io::Write;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  tollgate reload --data /var/lib/tollgate --actor alice --reason 'two new shops' --check
  tollgate reload --data /var/lib/tollgate --actor alice --reason 'two new shops'

DIR is the folder of the station's `[ledger]`, or one that has it as `ledger`. The station, whose user must be yours,
reads merchants, terminals, devices, routes and limits again and says what differs; no connection is dropped. Where a
file has a breach it goes on with what it has.
Exit codes: 0 yes, 1 no (breaches, or something that needs a restart), 2 usage, 4 no station runs there, 5 it does not
answer.";

/// Has a running station read its lists again
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Reload {
    /// The ledger's folder, or the one that has it as `ledger`
    #[arg(long, value_name = "DIR", value_parser = ledger::folder())]
    data: PathBuf,
    /// Who says so; in the log
    #[arg(long)]
    actor: String,
    /// Why; in the log
    #[arg(long)]
    reason: String,
    /// Only shows what would change
    #[arg(long)]
    check: bool,
    /// JSON instead of lines
    #[arg(long)]
    json: bool,
}

impl Reload {
    pub(super) fn run(self, out: &mut dyn Write) -> Outcome {
        let order = Order::Reload { actor: self.actor, reason: self.reason, check: self.check };
        let said = ask(&self.data.join(SOCKET), &order)?;
        let is_ok = said.get("ok") == Some(&Value::Bool(true));
        if self.json {
            writeln!(out, "{said:#}")?;
            return Ok(if is_ok { Exit::Ok } else { Exit::No });
        }
        if !is_ok {
            let breaches = said.get("breaches").and_then(Value::as_array).into_iter().flatten();
            let lines: Vec<&str> = breaches.filter_map(Value::as_str).collect();
            let why = word(&said, "error");
            return Err(Failure::new(Exit::No, [&[why], lines.as_slice()].concat().join("\n")));
        }
        let rows = said.pointer("/diff/rows").and_then(Value::as_array);
        for row in rows.into_iter().flatten() {
            line(row, out)?;
        }
        if let Some([before, now]) = said.get("rules").and_then(Value::as_array).map(Vec::as_slice) {
            let version = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            writeln!(out, "rules {} -> {}", version(before), version(now))?;
        }
        let done = if self.check { "would be read again" } else { "were read again" };
        writeln!(out, "the lists {done}: {}", word(&said, "summary"))?;
        if let Some(later) = said.pointer("/later/summary").and_then(Value::as_str) {
            writeln!(out, "{later}")?;
        }
        Ok(Exit::Ok)
    }
}

fn word<'a>(said: &'a Value, name: &str) -> &'a str {
    said.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn line(row: &Value, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{} {} {}", word(row, "change"), word(row, "list"), word(row, "id"))?;
    if let Some(from) = row.get("from").and_then(Value::as_str) {
        write!(out, "  from {from}")?;
    }
    for column in row.get("columns").and_then(Value::as_array).into_iter().flatten() {
        let value = |name: &str| column.get(name).and_then(Value::as_str);
        match (value("old"), value("new")) {
            (Some(old), Some(new)) => write!(out, "  {} {old:?} -> {new:?}", word(column, "column"))?,
            _ => write!(out, "  {} differs", word(column, "column"))?,
        }
    }
    writeln!(out)
}
