//! `tollgate ledger show`: what happened to one transaction.

use super::Where;
use super::search;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::Outcome;
use crate::ledger::TxnId;
use crate::ledger::archive::Archive;
use crate::ledger::archive::Event;
use crate::ledger::archive::Query;
use crate::ledger::archive::Row;
use crate::model::Rrn;
use clap::Args;
use serde_json::json;
use std::io;
use std::io::Write;

const EXAMPLES: &str = "\
Examples:
  tollgate ledger show /var/lib/tollgate 632600000017   # by reference number, DE 37
  tollgate ledger show /var/lib/tollgate 42             # by the ledger's number
  tollgate ledger show /var/lib/tollgate 42 --json

Also a terminal's reversal, by its own number. Exit codes: 0 found, 1 not on record, 2 the folder cannot be read.";

/// One transaction's timeline: every record of it, in words
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Show {
    #[command(flatten)]
    folder: Where,
    /// Reference number (12 characters) or the ledger's number
    #[arg(value_name = "RRN|NUMBER")]
    number: String,
    /// Read the journal even if there is an archive
    #[arg(long)]
    scan: bool,
    /// JSON instead of lines
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let query = self.query()?;
        let archive = search::archive(&self.folder.folder, &query, self.scan)?;
        let rows = archive.find(&query, 100)?;
        let reversals = archive.reversals(&query)?;
        if rows.is_empty() && reversals.is_empty() {
            return Err(search::nothing());
        }
        for row in &rows {
            self.show(&archive, Some(row), TxnId(row.id), out)?;
        }
        for id in reversals {
            self.show(&archive, None, id, out)?;
        }
        Ok(Exit::Ok)
    }

    fn query(&self) -> Result<Query, Failure> {
        let rrn = Rrn::parse(self.number.as_bytes());
        let id = self.number.parse().ok().map(TxnId);
        match (rrn, id) {
            (Some(rrn), _) => Ok(Query { rrn: Some(rrn), ..Query::default() }),
            (None, Some(id)) => Ok(Query { id: Some(id), ..Query::default() }),
            (None, None) => Err(Failure::new(Exit::Usage, "neither a reference number nor a number of the ledger")),
        }
    }

    fn show(&self, archive: &Archive, row: Option<&Row>, id: TxnId, out: &mut dyn Write) -> Result<(), Failure> {
        let events = archive.timeline(id)?;
        if self.json {
            let said = json!({ "number": id.0, "transaction": row, "timeline": events });
            writeln!(out, "{said:#}")?;
        } else {
            text(row, id, &events, out)?;
        }
        Ok(())
    }
}

fn text(row: Option<&Row>, id: TxnId, events: &[Event], out: &mut dyn Write) -> io::Result<()> {
    match row {
        Some(row) => {
            let Row { rrn, kind, terminal, stan, scope, merchant, business_date, standing, .. } = row;
            writeln!(out, "transaction {} (RRN {rrn}): {kind}, {standing}", id.0)?;
            writeln!(
                out,
                "terminal {terminal}, STAN {stan} in {scope}, merchant {merchant}, business date {business_date}"
            )?;
            let closed = if row.closed { ", its day is closed" } else { "" };
            let test = if row.test_mode { ", test mode" } else { "" };
            writeln!(
                out,
                "card {}, entry mode {}, received {}{test}{closed}",
                row.masked_pan, row.entry_mode, row.received
            )?;
        }
        None => writeln!(out, "reversal {}", id.0)?,
    }
    for spoke in row.and_then(|row| row.risk.as_deref()).unwrap_or_default().lines() {
        writeln!(out, "rule {spoke}")?;
    }
    for event in events {
        writeln!(out, "  {}  group {:>8}.{:<3} {}", event.at, event.group, event.record, event.what)?;
    }
    Ok(())
}
