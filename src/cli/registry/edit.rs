//! What changes the lists of a station: rows brought in, a device put in another one's place.

use super::super::{Exit, Failure, Outcome};
use super::ListName;
use super::files::{Files, Signed, Written, sheet, written_like};
use crate::model::Standing;
use crate::model::TerminalFacts;
use crate::model::TerminalId;
use crate::registry::List;
use crate::registry::Registry;
use crate::registry::Sheet;
use crate::registry::SheetRow;
use clap::Args;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

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
    /// The terminal that has it now, and is to be without
    #[arg(long, value_name = "TERMINAL", value_parser = terminal)]
    take_from: Option<TerminalId>,
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
        let _alone = files.lock()?;
        let mut paths = files.paths(list);
        if let Some(into) = &self.into {
            paths.retain(|path| path.ends_with(into));
        }
        let path = match paths.as_slice() {
            [path] => path.clone(),
            [] => return Err(usage(format!("the station's [files] have no such file of {}", list.name()))),
            _ => return Err(usage(format!("the station has several files of {}: say --into FILE", list.name()))),
        };
        let (old, new) = (sheet(list, &path)?, sheet(list, &self.rows)?);
        let mut all = if self.replace { Sheet::new(list) } else { old.clone() };
        let count = new.len();
        all.merge(new);
        if all == old {
            let why = match count {
                0 => format!("{} has no rows", self.rows.display()),
                _ => format!("{} says all that already", path.display()),
            };
            writeln!(out, "nothing differs\nnothing was written: {why}")?;
            return Ok(Exit::Ok);
        }
        let file = written_like(&path, &all)?;
        let what = format!("import of {count} {}", list.name());
        let diff = files.replace(&[file], &self.signed, &what, self.dry_run)?;
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
        let _alone = files.lock()?;
        let registry = files.loaded()?.registry;
        let facts = registry.terminal(self.terminal).ok_or_else(|| usage(format!("terminal {id} is not listed")))?;
        if registry.hardware(serial).is_none() {
            return Err(usage(format!("device {serial} is not listed: import its row first")));
        }
        let old = facts.site.hardware.as_ref().map_or("none", |device| &*device.serial);
        if old == serial {
            return Err(Failure::new(Exit::No, format!("terminal {id} has device {serial} already")));
        }
        let holder = self.holder(&registry)?;
        let changed = self.changed(&files, holder)?;
        let mut what = format!("swap of terminal {id}: {old} to {serial}");
        if let Some(holder) = holder {
            what += &format!(", taken from terminal {holder}");
        }
        let diff = files.replace(&changed, &self.signed, &what, self.dry_run)?;
        writeln!(out, "{diff}")?;
        if self.dry_run {
            writeln!(out, "nothing was written")?;
        } else {
            let paths: Vec<_> = changed.iter().map(|file| file.path.display().to_string()).collect();
            let (paths, are) = (paths.join(" and "), if paths.len() == 1 { "is" } else { "are" });
            writeln!(out, "terminal {id} has device {serial} now, {old} before; {paths} {are} written")?;
            if let Some(holder) = holder {
                writeln!(out, "terminal {holder} has no device now")?;
            }
        }
        writeln!(
            out,
            "After tollgate reload it must sign in: the new device gets keys of its own, which needs its master key {}.",
            facts.master_key.as_ref().map_or("(it has none)", |key| key.as_str())
        )?;
        writeln!(out, "Its batch goes on: it is the terminal's, and kept in the ledger.")?;
        Ok(Exit::Ok)
    }

    /// The terminal that has the device now, if the device may be taken from there: it was named, or is at its end.
    fn holder(&self, registry: &Registry) -> Result<Option<TerminalId>, Failure> {
        let serial = self.serial.as_str();
        let has =
            |facts: &&Arc<TerminalFacts>| facts.site.hardware.as_ref().is_some_and(|device| &*device.serial == serial);
        let Some(facts) = registry.terminals().find(has) else {
            return match self.take_from {
                Some(_) => Err(usage(format!("device {serial} is at no terminal"))),
                None => Ok(None),
            };
        };
        let holder = facts.terminal;
        let is_over = [facts.standing, facts.merchant_standing].contains(&Standing::Terminated);
        match self.take_from {
            Some(named) if named != holder => Err(usage(format!("device {serial} is at terminal {holder}"))),
            None if !is_over => {
                let what = format!(
                    "device {serial} is at terminal {holder}, which trades with it: --take-from {holder} takes it from there"
                );
                Err(Failure::new(Exit::No, what))
            }
            _ => Ok(Some(holder)),
        }
    }

    /// The files that say which device these terminals have, as they will be.
    fn changed(&self, files: &Files, holder: Option<TerminalId>) -> Result<Vec<Written>, Failure> {
        let (id, serial) = (self.terminal.as_str(), self.serial.as_str());
        let all = |list| -> Result<Vec<(PathBuf, Sheet)>, Failure> {
            files.paths(list).into_iter().map(|path| Ok((path.clone(), sheet(list, &path)?))).collect()
        };
        let (mut terminals, mut devices) = (all(List::Terminals)?, all(List::Devices)?);
        let before = [terminals.clone(), devices.clone()].concat();
        let says = |sheet: &Sheet, row: &SheetRow, column: &str, what: &str| sheet.cell(row, column) == Some(what);
        let mut is_named = false;
        for (_, sheet) in &mut terminals {
            if let Some(holder) = holder {
                let theirs = |sheet: &Sheet, row: &SheetRow| {
                    says(sheet, row, "terminal", holder.as_str()) && says(sheet, row, "device", serial)
                };
                sheet.set("device", None, theirs);
            }
            let own =
                |sheet: &Sheet, row: &SheetRow| says(sheet, row, "terminal", id) && sheet.cell(row, "device").is_some();
            is_named |= sheet.set("device", Some(serial), own) > 0;
        }
        for (_, sheet) in &mut devices {
            let old =
                |sheet: &Sheet, row: &SheetRow| says(sheet, row, "terminal", id) && !says(sheet, row, "serial", serial);
            sheet.set("terminal", None, old);
            // Where the terminal's row names it, its own need not say so too; but it names nobody else.
            let new = |sheet: &Sheet, row: &SheetRow| {
                says(sheet, row, "serial", serial) && (!is_named || sheet.cell(row, "terminal").is_some())
            };
            sheet.set("terminal", Some(id), new);
        }
        let after = [terminals, devices].concat();
        let changed = before.iter().zip(&after).filter(|(before, after)| before != after);
        changed.map(|(_, (path, sheet))| written_like(path, sheet)).collect()
    }
}
