//! `tollgate registry`: the lists of a station, to check, to compare, to take out and to bring in.

mod bulk;
mod edit;
mod files;

use super::{Exit, Failure, Outcome};
use crate::registry::List;
use crate::registry::MerchantState;
use crate::registry::Registry as Joined;
use crate::registry::SheetForm;
use clap::Args;
use clap::Subcommand;
use clap::ValueEnum;
use files::Files;
use serde_json::json;
use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  tollgate registry check -c station.toml
  tollgate registry diff old/station.toml new/station.toml
  tollgate registry export -c station.toml terminals --format toml
  tollgate registry import -c station.toml terminals new.csv --actor alice --reason 'two new shops' --dry-run
  tollgate registry make --from 10000001 --count 500 --template counter --merchant 898110054110001 > new.csv
  tollgate registry swap -c station.toml 10000001 A920-77123 --actor alice --reason 'broken screen'
  tollgate registry swap -c station.toml 10000001 A920-77124 --take-from 10000002 --actor alice --reason 'shop closed'
  tollgate registry template devices > devices.csv

What is brought in is checked with everything else before a byte is written, and written whole or not at all; the lines of
comment at the head of a file stay, others do not. Who did what and why is kept beside the station's file, as
FILE.changes.jsonl. A running station has it after tollgate reload.
Exit codes: 0 yes, 1 no (what is compared differs), 2 usage, 3 the files have breaches.";

/// Checks, compares, exports and imports a station's merchants, terminals and devices
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Registry {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Reads everything and says what is wrong, or how much there is
    Check(Check),
    /// What differs between two stations' lists
    Diff(Diff),
    /// Prints a list
    Export(Export),
    /// Brings rows into a list
    Import(edit::Import),
    /// Prints rows for many terminals
    Make(bulk::Make),
    /// Puts another device in a terminal's place
    Swap(edit::Swap),
    /// Prints an empty list with all its columns
    Template(bulk::Template),
}

/// A list by its name.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ListName {
    Merchants,
    Terminals,
    Devices,
    Templates,
    Groups,
    Regions,
}

impl From<ListName> for List {
    fn from(name: ListName) -> Self {
        match name {
            ListName::Merchants => Self::Merchants,
            ListName::Terminals => Self::Terminals,
            ListName::Devices => Self::Devices,
            ListName::Templates => Self::Templates,
            ListName::Groups => Self::Groups,
            ListName::Regions => Self::Regions,
        }
    }
}

/// How rows are written.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Form {
    #[default]
    Csv,
    Toml,
}

impl From<Form> for SheetForm {
    fn from(form: Form) -> Self {
        match form {
            Form::Csv => Self::Csv,
            Form::Toml => Self::Toml,
        }
    }
}

#[derive(Args, Debug)]
struct Check {
    /// The station's file
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// JSON instead of lines
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct Diff {
    /// The one station's file
    old: PathBuf,
    /// The other station's file
    new: PathBuf,
    /// Rows that are written out at most
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    most: usize,
    /// JSON instead of lines
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct Export {
    /// The station's file
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// Which list
    list: ListName,
    /// How
    #[arg(long, value_enum, default_value_t)]
    format: Form,
}

impl Registry {
    pub(super) fn run(self, out: &mut dyn Write) -> Outcome {
        match self.command {
            Command::Check(check) => check.run(out),
            Command::Diff(diff) => diff.run(out),
            Command::Export(export) => export.run(out),
            Command::Import(import) => import.run(out),
            Command::Make(make) => make.run(out),
            Command::Swap(swap) => swap.run(out),
            Command::Template(template) => template.run(out),
        }
    }
}

impl Check {
    fn run(self, out: &mut dyn Write) -> Outcome {
        let registry = Files::open(self.config)?.loaded()?.registry;
        let states = states(&registry);
        let (merchants, terminals) = (registry.merchants().count(), registry.terminals().count());
        let devices = registry.all_hardware().count();
        let later = registry.at().and_then(|at| registry.later(at));
        if self.json {
            let states: HashMap<_, _> = states.into_iter().collect();
            let all = json!({ "merchants": merchants, "states": states, "terminals": terminals, "devices": devices,
                "next_change": later.map(|later| later.first.to_string()), "later": later });
            writeln!(out, "{all:#}")?;
            return Ok(Exit::Ok);
        }
        let states: Vec<_> = states.iter().map(|(state, count)| format!("{count} {state}")).collect();
        writeln!(
            out,
            "in order: {merchants} merchants ({}), {terminals} terminals, {devices} devices",
            states.join(", ")
        )?;
        if let Some(later) = later {
            writeln!(out, "{later}")?;
        }
        Ok(Exit::Ok)
    }
}

/// How many merchants are in each state that some merchant is in.
fn states(registry: &Joined) -> Vec<(&'static str, usize)> {
    use MerchantState::{Active, Applied, Closed, Reviewing, Suspended};
    let count = |state| registry.merchants().filter(|merchant| merchant.state == state).count();
    let all = [Applied, Reviewing, Active, Suspended, Closed].map(|state| (state.name(), count(state)));
    all.into_iter().filter(|(_, count)| *count > 0).collect()
}

impl Diff {
    fn run(self, out: &mut dyn Write) -> Outcome {
        let load = |file: PathBuf| -> Result<Joined, Failure> { Ok(Files::open(file)?.loaded()?.registry) };
        let diff = load(self.old)?.diff(&load(self.new)?, self.most);
        match self.json {
            true => writeln!(out, "{:#}", json!(diff))?,
            false => writeln!(out, "{diff}")?,
        }
        Ok(if diff.is_empty() { Exit::Ok } else { Exit::No })
    }
}

impl Export {
    fn run(self, out: &mut dyn Write) -> Outcome {
        let sheet = Files::open(self.config)?.sheet(self.list.into())?;
        write!(out, "{}", sheet.written(self.format.into()))?;
        Ok(Exit::Ok)
    }
}
