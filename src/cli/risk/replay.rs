//! `tollgate risk replay`: rules tried on what was traded.

use super::check;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::Outcome;
use crate::cli::ledger;
use crate::ledger::judged::judged;
use crate::model::Timestamp;
use crate::ops::backtest::Backtest;
use crate::ops::backtest::Report;
use crate::ops::backtest::Span;
use crate::ops::backtest::Tally;
use clap::Args;
use std::io;
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  tollgate risk replay --data /var/lib/tollgate --rules new.toml
  tollgate risk replay --data /var/lib/tollgate --rules new.toml --from 2026-11-20T00:00:00+08:00 --to 2026-11-21T00:00:00+08:00
  tollgate risk replay --data /var/lib/tollgate --rules new.toml --json > changes.json

Each request is judged with what the ledger remembered just before it, and with the money that moved then: a request that the
new rules would have declined still counts for those behind it. Requests before the span are remembered, and not compared.
Declines for other reasons than a rule stand. The same ledger and rules give the same output.
Exit codes: 0 nothing would change, 1 something would, 2 usage, or the ledger or the file cannot be read, 3 the rules have breaches.";

/// Try rules on the ledger's past requests
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Replay {
    /// The ledger's folder, or the one that has it as `ledger`
    #[arg(long, value_name = "DIR", value_parser = ledger::folder())]
    data: PathBuf,
    /// The rules to try
    #[arg(long, value_name = "FILE")]
    rules: PathBuf,
    /// Compare requests from this instant on, as 2026-11-20T00:00:00+08:00
    #[arg(long, value_name = "TIME", value_parser = instant)]
    from: Option<Timestamp>,
    /// Compare requests before this instant
    #[arg(long, value_name = "TIME", value_parser = instant)]
    to: Option<Timestamp>,
    /// Show so many changes one by one
    #[arg(long, value_name = "N", default_value_t = 20)]
    most: usize,
    /// JSON instead of lines
    #[arg(long)]
    json: bool,
}

impl Replay {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        if self.from.zip(self.to).is_some_and(|(from, to)| from >= to) {
            return Err(Failure::new(Exit::Usage, "--from is not before --to"));
        }
        let rules = check::read(&self.rules)?;
        let began = Instant::now();
        let mut backtest = Backtest::new(&rules, Span { from: self.from, to: self.to });
        judged(&mut ledger::open(&self.data)?, &mut backtest)?;
        let report = backtest.report;
        if self.json {
            writeln!(out, "{:#}", serde_json::json!({ "version": &*rules.version, "report": report }))?;
        } else {
            self.text(&rules.version, &report, out)?;
        }
        let seconds = began.elapsed().as_secs_f64();
        eprintln!("{} requests in {seconds:.2} s", report.judged);
        Ok(if report.is_the_same() { Exit::Ok } else { Exit::No })
    }

    fn text(&self, version: &str, report: &Report, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "rules {version}: {} requests compared", report.judged)?;
        tally("let through then, declined now", &report.declined, out)?;
        tally("declined by a rule then, let through now", &report.passed, out)?;
        tally("declined otherwise than then", &report.otherwise, out)?;
        for (rule, said) in &report.rules {
            writeln!(
                out,
                "  {rule:<24} speaks of {:>8}, declines {:>8} that passed{}",
                said.spoke,
                said.declines.count,
                sums(&said.declines)
            )?;
        }
        for change in report.changes.iter().take(self.most) {
            writeln!(
                out,
                "  {:>10} {} {} {:<14} {} {:>12} {}: {} -> {} {}",
                change.number,
                change.rrn,
                change.terminal,
                change.kind,
                change.card,
                change.amount,
                change.currency,
                change.was,
                change.would,
                change.evidence
            )?;
        }
        Ok(())
    }
}

/// A line of a tally.
pub(in crate::cli) fn tally(what: &str, tally: &Tally, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "  {what}: {}{}", tally.count, sums(tally))
}

/// Sums in minor units, by currency.
fn sums(tally: &Tally) -> String {
    tally.sums.iter().map(|(currency, sum)| format!(", {sum} of {currency}")).collect()
}

/// Reads an instant of a command line.
pub(in crate::cli) fn instant(text: &str) -> Result<Timestamp, &'static str> {
    Timestamp::parse(text).ok_or("an instant is written as 2026-11-20T00:00:00+08:00")
}
