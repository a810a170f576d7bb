//! `tollgate ledger backup` and `restore`: a copy that is proved, and back.

use super::Where;
use super::open;
use super::print;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::Outcome;
use crate::ledger::backup;
use crate::ledger::backup::Manifest;
use crate::ledger::journal::Folder;
use crate::ledger::verify::Report;
use crate::model::Clock;
use crate::server::SystemClock;
use crate::settle::table::grouped;
use clap::Args;
use serde_json::json;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

const BACKUP: &str = "\
Examples:
  tollgate ledger backup /var/lib/tollgate /backup/2026-11-21
  tollgate ledger backup /var/lib/tollgate /backup/$(date +%F) && (cd /backup/$(date +%F) && sha256sum -c SHA256SUMS)

The station may be running: the copy is the ledger as of its anchor, a tenth of a second ago at most. TO is made, or
must be empty; the copy is made beside it as TO.part and gets its name once it is verified and has its manifest. The HSM's master key is not in it: without that, the
sealed card numbers of a restored ledger cannot be opened.
Exit codes: 0 done, 1 the ledger has a broken promise (the copy is kept) or the copy does not prove itself, 2 not done.";

const RESTORE: &str = "\
Examples:
  tollgate ledger restore /backup/2026-11-21 /var/lib/tollgate-new
  tollgate ledger verify /var/lib/tollgate-new

Nothing is ever overwritten: TO must not exist, or be empty. The copy is made beside it as TO.part and gets its name
once it is proved: check sums, the chain, the anchor, and totals per date and standing equal to those of the manifest.
What was answered after the backup was made is not in it, and its numbers must not be given out again: the restored
ledger goes on with numbers that are 1,000,000 higher. See the manual, operations.
Exit codes: 0 done and proved, 1 the backup is damaged or not whole, 2 not done.";

/// Copy the ledger, also of a running station, and verify the copy
#[derive(Args, Debug)]
#[command(after_help = BACKUP)]
pub(super) struct Backup {
    #[command(flatten)]
    folder: Where,
    /// Where the copy goes: a new folder, or an empty one
    to: PathBuf,
    /// JSON instead of lines
    #[arg(long)]
    json: bool,
}

/// Bring a backup back into a new folder, and prove it
#[derive(Args, Debug)]
#[command(after_help = RESTORE)]
pub(super) struct Restore {
    /// The backup's folder
    from: PathBuf,
    /// The new folder; must not exist, or be empty
    to: PathBuf,
    /// JSON instead of lines
    #[arg(long)]
    json: bool,
}

impl Backup {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        must_be_free(&self.to)?;
        let mut from = self.folder.open()?;
        let now = SystemClock::start().wall();
        let (manifest, report) = made_beside(&self.to, |to| Ok(backup::backup(&mut from, to, now)?))?;
        tell("backed up", &self.to, &manifest, &report, self.json, out)?;
        Ok(if manifest.violations == 0 { Exit::Ok } else { Exit::No })
    }
}

impl Restore {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        must_be_free(&self.to)?;
        let mut from = open(&self.from)?;
        let now = SystemClock::start().wall();
        let (manifest, report) = made_beside(&self.to, |to| Ok(backup::restore(&mut from, to, now)?))?;
        tell("restored and proved", &self.to, &manifest, &report, self.json, out)?;
        Ok(Exit::Ok)
    }
}

/// Makes something in `TO.part`, which gets the name `TO` once it is whole, and goes if that fails.
fn made_beside<T>(to: &Path, make: impl FnOnce(&mut Folder) -> Result<T, Failure>) -> Result<T, Failure> {
    let part = beside(to);
    if part.exists() {
        let what = "is left from a run that did not end; remove it first";
        return Err(Failure::new(Exit::Usage, format!("{} {what}", part.display())));
    }
    let made = Folder::open(&part).map_err(Failure::from).and_then(|mut folder| {
        let made = make(&mut folder)?;
        drop(folder);
        put(&part, to).map_err(|error| cannot(to, &error))?;
        Ok(made)
    });
    made.inspect_err(|_| {
        // It was made here and is of no use; the fault is what matters.
        let _ = fs::remove_dir_all(&part);
    })
}

/// `TO.part`.
fn beside(to: &Path) -> PathBuf {
    let plain: PathBuf = to.components().collect();
    let mut name = plain.into_os_string();
    name.push(".part");
    PathBuf::from(name)
}

/// Gives the proved folder its name, and sees that the name survives power loss.
fn put(part: &Path, to: &Path) -> io::Result<()> {
    if to.exists() {
        // Empty, or this fails.
        fs::remove_dir(to)?;
    }
    fs::rename(part, to)?;
    match to.canonicalize()?.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// Nothing may be there that could be overwritten.
fn must_be_free(to: &Path) -> Result<(), Failure> {
    let entries = match fs::read_dir(to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(|error| cannot(to, &error))?,
    };
    if entries.count() == 0 {
        return Ok(());
    }
    Err(Failure::new(Exit::Usage, format!("{}: there are files already; nothing was written", to.display())))
}

fn cannot(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::Usage, format!("{}: {error}", path.display()))
}

fn tell(
    what: &str,
    to: &Path,
    manifest: &Manifest,
    report: &Report,
    json: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    if json {
        let said = json!({ "done": what, "folder": to.display().to_string(), "manifest": manifest });
        return writeln!(out, "{said:#}");
    }
    let length: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    let (group, files) = (grouped(manifest.head.group), manifest.files.len());
    writeln!(out, "{what}: {}, {files} files, {}, up to group {group}", to.display(), print::bytes(length))?;
    writeln!(out, "chain, anchor and {} records verified; totals", grouped(report.counts.records))?;
    print::totals(report, out)?;
    match manifest.violations {
        0 => Ok(()),
        broken => {
            let broken = grouped(broken);
            writeln!(out, "the ledger itself has {broken} broken promises: run `tollgate ledger verify`")
        }
    }
}
