//! `tollgate ledger`: a durable ledger's files, to check, to search, to keep and to bring back.
//!
//! Everything here reads files only; but for `restore` and `rebuild-archive`, nothing is changed, and a station
//! may be running.

mod backup;
mod export;
mod find;
mod print;
mod rebuild;
mod search;
mod show;
mod stat;
mod verify;

pub(super) use export::RowFormat;
pub(super) use search::OnRecord;
pub(super) use search::archive;
pub(super) use search::on_record;

use super::Exit;
use super::Failure;
use super::Outcome;
use crate::ledger::archive::ArchiveFault;
use crate::ledger::backup::BackupFault;
use crate::ledger::journal::Folder;
use crate::ledger::journal::JournalFault;
use clap::Args;
use clap::Subcommand;
use clap::builder::PathBufValueParser;
use clap::builder::TypedValueParser;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  tollgate ledger verify /var/lib/tollgate             # every promise, as far as files can say
  tollgate ledger stat /var/lib/tollgate
  tollgate ledger find /var/lib/tollgate --terminal 10000001 --card-ends 0253 --from 2026-11-21
  tollgate ledger show /var/lib/tollgate 632600000017  # what happened to one transaction
  tollgate ledger export /var/lib/tollgate --format csv > transactions.csv
  tollgate ledger backup /var/lib/tollgate /backup/2026-11-21
  tollgate ledger restore /backup/2026-11-21 /var/lib/tollgate-new
  tollgate ledger rebuild-archive /var/lib/tollgate

DIR is the folder of the station's `[ledger]`, or one that has it as `ledger`. A station may be running. Card numbers are shown masked.
Exit codes: 0 yes, 1 no (a promise broken, nothing found, a damaged backup), 2 usage, or the folder cannot be read.";

/// Checks, searches, copies and restores the files of a durable ledger
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Ledger {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Verify(verify::Verify),
    Stat(stat::Stat),
    Find(find::Find),
    Show(show::Show),
    Export(export::Export),
    Backup(backup::Backup),
    Restore(backup::Restore),
    RebuildArchive(rebuild::RebuildArchive),
}

impl Ledger {
    pub(super) fn run(self, out: &mut dyn Write) -> Outcome {
        match self.command {
            Command::Verify(command) => command.run(out),
            Command::Stat(command) => command.run(out),
            Command::Find(command) => command.run(out),
            Command::Show(command) => command.run(out),
            Command::Export(command) => command.run(out),
            Command::Backup(command) => command.run(out),
            Command::Restore(command) => command.run(out),
            Command::RebuildArchive(command) => command.run(out),
        }
    }
}

/// The folder that every command is about.
#[derive(Args, Debug)]
struct Where {
    /// The ledger's folder, or the one that has it as `ledger`
    #[arg(value_name = "DIR", value_parser = folder())]
    folder: PathBuf,
}

impl Where {
    /// To look at, also while a station uses it.
    fn open(&self) -> Result<Folder, Failure> {
        open(&self.folder)
    }
}

/// Reads the name of a ledger's folder: what has it as `ledger`, as a demo's folder and a station's, stands for it.
pub(super) fn folder() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().map(|named| {
        let inside = named.join("ledger");
        if inside.is_dir() { inside } else { named }
    })
}

pub(super) fn open(folder: &Path) -> Result<Folder, Failure> {
    if !folder.is_dir() {
        return Err(Failure::new(Exit::Usage, format!("{}: there is no such folder", folder.display())));
    }
    Folder::read_only(folder).map_err(Failure::from)
}

impl From<JournalFault> for Failure {
    fn from(fault: JournalFault) -> Self {
        Self::new(Exit::Usage, fault.to_string())
    }
}

impl From<ArchiveFault> for Failure {
    fn from(fault: ArchiveFault) -> Self {
        Self::new(Exit::Usage, fault.to_string())
    }
}

impl From<BackupFault> for Failure {
    fn from(fault: BackupFault) -> Self {
        Self::new(if fault.is_damage() { Exit::No } else { Exit::Usage }, fault.to_string())
    }
}
