//! `tollgate ledger verify`: were the promises kept, as far as files can say?

use super::Where;
use super::print;
use crate::cli::Exit;
use crate::cli::Outcome;
use crate::ledger::verify;
use crate::ledger::verify::Invariant;
use crate::ledger::verify::Report;
use crate::ledger::verify::Violation;
use crate::settle::table::grouped;
use clap::Args;
use serde_json::json;
use std::io;
use std::io::Write;

const EXAMPLES: &str = "\
Examples:
  tollgate ledger verify /var/lib/tollgate
  tollgate ledger verify /var/lib/tollgate --json | jq .violations

Reads everything: the chain of groups, the anchor, snapshots, closed days, and every record against what came before it.
A station may be writing meanwhile; then what is being written at that moment may look torn, which is said and is
no violation. What files cannot say (that nothing was answered or sent before it was durable) they are not asked.
Exit codes: 0 every promise was kept, 1 one was not, 2 the folder cannot be read.";

/// Check the chain, the anchor and every record: was each promise kept?
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Verify {
    #[command(flatten)]
    folder: Where,
    /// JSON instead of lines
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let report = verify::verify(&mut self.folder.open()?)?;
        if self.json {
            json(&report, out)?
        } else {
            text(&report, out)?
        }
        Ok(if report.counts.violations == 0 { Exit::Ok } else { Exit::No })
    }
}

fn of(report: &Report, invariant: Invariant) -> u64 {
    report.violations.iter().filter(|found| found.invariant == invariant).count() as u64
}

fn text(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let counts = &report.counts;
    let number = |number: u64| grouped(number);
    if let Some(journal) = &report.journal {
        let length = journal.segments.iter().map(|segment| segment.length).sum();
        let (id, head, segments) = (print::hex(&journal.id.0), journal.head.number, journal.segments.len());
        writeln!(out, "journal {id}: {segments} segments, {}, last group {}", print::bytes(length), number(head))?;
        if let Some(torn) = &journal.torn {
            let (file, offset) = (&torn.place.file, torn.place.offset);
            writeln!(out, "torn end: {} bytes in {file} at byte {offset}; nobody was told of them", torn.bytes)?;
        }
    }
    writeln!(
        out,
        "read {} groups, {} records: {} intents, {} declined here, {} decisions, {} moves, {} reversals, {} sent, {} late",
        number(counts.groups),
        number(counts.records),
        number(counts.intents),
        number(counts.declined_here),
        number(counts.decisions),
        number(counts.moves),
        number(counts.reversals),
        number(counts.attempts),
        number(counts.late),
    )?;
    let (open, dead, closed) = (number(report.open), number(report.dead_letters), counts.closed.len());
    writeln!(
        out,
        "open {open}, owed {}, dead letters {dead}, closed days {closed} in {} files, snapshots {}",
        print::owed(report),
        counts.days,
        counts.snapshots
    )?;
    if counts.foreign_originals > 0 {
        let foreign = number(counts.foreign_originals);
        writeln!(out, "note: {foreign} follow-ups follow what is not in these files: their amounts were not checked")?;
    }
    for invariant in Invariant::ALL {
        let checks = number(counts.checks.get(&invariant).copied().unwrap_or(0));
        let verdict = match of(report, invariant) {
            0 => "kept".to_owned(),
            broken => format!("BROKEN {broken} times"),
        };
        writeln!(out, "{:4} {:40} {checks:>14} checks  {verdict}", invariant.to_string(), invariant.promise())?;
    }
    for found in &report.violations {
        writeln!(out, "{found}")?;
    }
    let told = report.violations.len() as u64;
    if counts.violations > told {
        writeln!(out, "and {} more", number(counts.violations - told))?;
    }
    if report.journal.is_none() {
        writeln!(out, "what comes after the broken place was not read")?;
    }
    match counts.violations {
        0 => writeln!(out, "every promise was kept"),
        broken => writeln!(out, "{} promises were not kept", number(broken)),
    }
}

fn json(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let counts = &report.counts;
    let promise = |invariant: Invariant| {
        let checks = counts.checks.get(&invariant).copied().unwrap_or(0);
        json!({
            "invariant": invariant.to_string(),
            "promise": invariant.promise(),
            "checks": checks,
            "broken": of(report, invariant),
        })
    };
    let said = json!({
        "ok": counts.violations == 0,
        "groups": counts.groups,
        "records": counts.records,
        "head": report.journal.as_ref().map(|journal| journal.head.number),
        "snapshots": counts.snapshots,
        "closed_day_files": counts.days,
        "torn_bytes": report.journal.as_ref().and_then(|journal| journal.torn.as_ref()).map(|torn| torn.bytes),
        "open": report.open,
        "owed": print::owed_json(report),
        "dead_letters": report.dead_letters,
        "unchecked_follow_ups": counts.foreign_originals,
        "promises": Invariant::ALL.map(promise),
        "broken": counts.violations,
        "violations": report.violations.iter().map(print::violation_json as fn(&Violation) -> _).collect::<Vec<_>>(),
    });
    writeln!(out, "{said:#}")
}
