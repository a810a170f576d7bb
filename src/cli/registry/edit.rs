//! What changes the lists of a station: rows brought in, a device put in another one's place.

use super::super::{Exit, Failure, Outcome};
use super::ListName;
use super::files::{Files, Signed, sheet, written_like};
use crate::model::TerminalId;
use crate::registry::List;
use crate::registry::Sheet;
use clap::Args;
use std::io::Write;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub(super) struct Import {
    /// The station's file
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// Which list
    list: ListName,
    /// The rows: CSV, or TOML if its name ends in .toml
    rows: PathBuf,
    /// Which of the list's files gets them, if it has several
    #[arg(long, value_name = "FILE")]
    into: Option<String>,
    /// The rows that are there go: these are all
    #[arg(long)]
    replace: bool,
    /// Only shows what would change
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    signed: Signed,
}

#[derive(Args, Debug)]
pub(super) struct Swap {
    /// The station's file
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// Whose device
    #[arg(value_parser = terminal)]
    terminal: TerminalId,
    /// The serial number of the new one, which the list of devices has
    serial: String,
    /// Only shows what would change
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    signed: Signed,
}

fn terminal(text: &str) -> Result<TerminalId, &'static str> {
    TerminalId::parse(text.as_bytes()).ok_or("8 characters")
}

fn usage(what: impl Into<String>) -> Failure {
    Failure::new(Exit::Usage, what)
}

impl Import {
    pub(super) fn run(self, out: &mut dyn Write) -> Outcome {
        let list = List::from(self.list);
        let files = Files::open(self.config)?;
        let mut paths = files.paths(list);
        if let Some(into) = &self.into {
            paths.retain(|path| path.ends_with(into));
        }
        let path = match paths.as_slice() {
            [path] => path.clone(),
            [] => return Err(usage(format!("the station's [files] have no such file of {}", list.name()))),
            _ => return Err(usage(format!("the station has several files of {}: say --into FILE", list.name()))),
        };
        let new = sheet(list, &self.rows)?;
        let mut all = if self.replace { Sheet::new(list) } else { sheet(list, &path)? };
        let count = new.len();
        all.merge(new);
        let text = written_like(&path, &all)?;
        let what = format!("import of {count} {}", list.name());
        let diff = files.replace((&path, text), &self.signed, &what, self.dry_run)?;
        writeln!(out, "{diff}")?;
        match self.dry_run {
            true => writeln!(out, "nothing was written")?,
            false => writeln!(out, "{} is written; a running station has it after tollgate reload", path.display())?,
        }
        Ok(Exit::Ok)
    }
}

impl Swap {
    pub(super) fn run(self, out: &mut dyn Write) -> Outcome {
        let (id, serial) = (self.terminal.as_str(), self.serial.as_str());
        let files = Files::open(self.config.clone())?;
        let registry = files.loaded(std::collections::HashMap::new())?.registry;
        let facts = registry.terminal(self.terminal).ok_or_else(|| usage(format!("terminal {id} is not listed")))?;
        if registry.hardware(serial).is_none() {
            return Err(usage(format!("device {serial} is not listed: import its row first")));
        }
        let old = facts.site.hardware.as_ref().map_or("none", |device| &*device.serial);
        if old == serial {
            return Err(Failure::new(Exit::No, format!("terminal {id} has device {serial} already")));
        }
        let (path, changed) = self.rows(&files)?;
        let text = written_like(&path, &changed)?;
        let what = format!("swap of terminal {id}: {old} to {serial}");
        let diff = files.replace((&path, text), &self.signed, &what, self.dry_run)?;
        writeln!(out, "{diff}")?;
        if self.dry_run {
            writeln!(out, "nothing was written")?;
        } else {
            writeln!(out, "terminal {id} has device {serial} now, {old} before; {} is written", path.display())?;
        }
        writeln!(
            out,
            "After tollgate reload it must sign in: the new device gets keys of its own, which needs its master key {}.",
            facts.master_key.as_ref().map_or("(it has none)", |key| key.as_str())
        )?;
        writeln!(out, "Its batch goes on: it is the terminal's, and kept in the ledger.")?;
        Ok(Exit::Ok)
    }

    /// The file whose rows say which device the terminal has, as it will be.
    fn rows(&self, files: &Files) -> Result<(PathBuf, Sheet), Failure> {
        let (id, serial) = (self.terminal.as_str(), self.serial.as_str());
        for path in files.paths(List::Terminals) {
            let mut sheet = sheet(List::Terminals, &path)?;
            let names_one =
                |sheet: &Sheet, row: &_| sheet.cell(row, "terminal") == Some(id) && sheet.cell(row, "device").is_some();
            if sheet.set("device", Some(serial), names_one) > 0 {
                return Ok((path, sheet));
            }
        }
        for path in files.paths(List::Devices) {
            let mut sheet = sheet(List::Devices, &path)?;
            if sheet.set("terminal", Some(id), |sheet, row| sheet.cell(row, "serial") == Some(serial)) > 0 {
                sheet.set("terminal", None, |sheet, row| {
                    sheet.cell(row, "terminal") == Some(id) && sheet.cell(row, "serial") != Some(serial)
                });
                return Ok((path, sheet));
            }
        }
        Err(usage(format!("device {serial} is not listed: import its row first")))
    }
}
