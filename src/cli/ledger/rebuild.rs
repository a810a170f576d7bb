//! `tollgate ledger rebuild-archive`: the archive anew, from the journal.

use super::Where;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::Outcome;
use crate::ledger::archive::ARCHIVE;
use crate::ledger::archive::Archiver;
use crate::ledger::journal::Folder;
use crate::settle::table::grouped;
use clap::Args;
use std::io::Write;

const EXAMPLES: &str = "\
Examples:
  tollgate ledger rebuild-archive /var/lib/tollgate

The archive is a SQLite file beside the journal that makes searches quick. It is never read for an answer, a running
station keeps it up to date by itself, and it can be deleted at any time. With the station stopped, this makes it anew.";

/// Make the archive anew from the journal
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct RebuildArchive {
    #[command(flatten)]
    folder: Where,
}

impl RebuildArchive {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let folder = &self.folder.folder;
        // The lock keeps a station away, whose own archiver would lose its file.
        if !folder.is_dir() {
            return Err(Failure::new(Exit::Usage, format!("{}: there is no such folder", folder.display())));
        }
        let disk = Folder::open(folder)?;
        let mut archiver = Archiver::rebuild(disk, folder)?;
        let progress = loop {
            let progress = archiver.step()?;
            if progress.is_done() {
                break progress;
            }
        };
        let path = folder.join(ARCHIVE);
        writeln!(out, "{}: made anew, up to group {}", path.display(), grouped(progress.held))?;
        Ok(Exit::Ok)
    }
}
