//! `tollgate ledger stat`: how much there is.

use super::Where;
use super::print;
use crate::cli::Exit;
use crate::cli::Outcome;
use crate::ledger::archive::ARCHIVE;
use crate::ledger::archive::Archive;
use crate::ledger::journal::Disk;
use crate::ledger::journal::Folder;
use crate::ledger::verify;
use crate::ledger::verify::Report;
use crate::settle::table::grouped;
use clap::Args;
use serde_json::json;
use std::io;
use std::io::Write;

const EXAMPLES: &str = "\
Examples:
  tollgate ledger stat /var/lib/tollgate
  tollgate ledger stat /var/lib/tollgate --json | jq .owed";

/// Groups, segments, days, what is open and owed, totals, sizes
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Stat {
    #[command(flatten)]
    folder: Where,
    /// JSON instead of lines
    #[arg(long)]
    json: bool,
}

impl Stat {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let mut folder = self.folder.open()?;
        let report = verify::verify(&mut folder)?;
        let held = Archive::read_only(&self.folder.folder.join(ARCHIVE)).and_then(|archive| archive.head());
        let held = held.ok().flatten().map(|(_, head)| head.number);
        let files = sizes(&mut folder)?;
        if self.json {
            json(&report, held, &files, out)?
        } else {
            text(&report, held, &files, out)?
        }
        Ok(if report.journal.is_some() { Exit::Ok } else { Exit::No })
    }
}

/// Names and lengths of the files.
fn sizes(folder: &mut Folder) -> io::Result<Vec<(String, u64)>> {
    let mut names = folder.list()?;
    names.sort();
    let mut sizes = Vec::new();
    for name in names {
        // A file may go while one looks.
        let length = folder.open(&name).and_then(|file| folder.len(&file));
        sizes.extend(length.ok().map(|length| (name, length)));
    }
    Ok(sizes)
}

fn text(report: &Report, held: Option<u64>, files: &[(String, u64)], out: &mut dyn Write) -> io::Result<()> {
    match &report.journal {
        Some(journal) => {
            let (head, anchor) = (journal.head, journal.anchor.head());
            writeln!(out, "journal   {}", print::hex(&journal.id.0))?;
            writeln!(out, "head      group {}, SHA-256 {}", grouped(head.number), print::hex(&head.hash))?;
            writeln!(out, "anchor    group {}", grouped(anchor.number))?;
            writeln!(out, "segments  {}", journal.segments.len())?;
        }
        None => writeln!(out, "journal   BROKEN: run `tollgate ledger verify`")?,
    }
    let held = held.map_or("none".to_owned(), |held| format!("up to group {}", grouped(held)));
    writeln!(out, "archive   {held}")?;
    let length: u64 = files.iter().map(|(_, length)| length).sum();
    writeln!(out, "files     {}, {}", files.len(), print::bytes(length))?;
    writeln!(out, "records   {}", grouped(report.counts.records))?;
    let requests = report.counts.intents + report.counts.declined_here;
    writeln!(out, "requests  {}", grouped(requests))?;
    writeln!(out, "open      {}", grouped(report.open))?;
    writeln!(out, "owed      {}", print::owed(report))?;
    writeln!(out, "dead      {} letters", grouped(report.dead_letters))?;
    let closed: Vec<String> = report.counts.closed.iter().map(ToString::to_string).collect();
    writeln!(out, "closed    {}", if closed.is_empty() { "no day".to_owned() } else { closed.join(", ") })?;
    writeln!(out, "totals    business date, currency, standing, transactions, minor units")?;
    print::totals(report, out)
}

fn json(report: &Report, held: Option<u64>, files: &[(String, u64)], out: &mut dyn Write) -> io::Result<()> {
    let journal = report.journal.as_ref();
    let said = json!({
        "journal": journal.map(|journal| print::hex(&journal.id.0)),
        "head": journal.map(|journal| json!({"group": journal.head.number, "sha256": print::hex(&journal.head.hash)})),
        "anchor": journal.map(|journal| journal.anchor.head().number),
        "segments": journal.map(|journal| journal.segments.len()),
        "archive": held,
        "files": files.iter().map(|(name, bytes)| json!({"name": name, "bytes": bytes})).collect::<Vec<_>>(),
        "groups": report.counts.groups,
        "records": report.counts.records,
        "requests": report.counts.intents + report.counts.declined_here,
        "open": report.open,
        "owed": print::owed_json(report),
        "dead_letters": report.dead_letters,
        "closed": report.counts.closed.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "totals": print::totals_json(report),
    });
    writeln!(out, "{said:#}")
}
