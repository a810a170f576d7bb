//! `tollgate risk check` and `risk default`: rule files.

use super::Exit;
use super::Outcome;
use crate::cli::Failure;
use crate::model::Breach;
use crate::model::Clock;
use crate::risk::RuleSet;
use crate::server::SystemClock;
use crate::server::text_file;
use clap::Args;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

/// Read a rule file and say everything that is wrong with it
#[derive(Args, Debug)]
pub(super) struct Check {
    /// The rules
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Print a rule file with every kind of rule and values to begin with
#[derive(Args, Debug)]
pub(super) struct Default {}

impl Check {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let rules = read(&self.file)?;
        writeln!(out, "{}: version {}, {} rules", self.file.display(), rules.version, rules.len())?;
        // A file is no worse for its age: it is told, and stays a file.
        for lapsed in rules.lapsed(SystemClock::start().wall()) {
            writeln!(out, "{}: warning: {lapsed}", self.file.display())?;
        }
        Ok(Exit::Ok)
    }
}

impl Default {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        write!(out, "{}", RuleSet::SAMPLE)?;
        Ok(Exit::Ok)
    }
}

/// Reads a rule file, or says all that is wrong with it.
pub(super) fn read(file: &Path) -> Result<RuleSet, Failure> {
    let name = file.display().to_string();
    let text = text_file::read(file).map_err(|breach| {
        // Without a line it is the file that is not to be had.
        let exit = if breach.line == 0 { Exit::Usage } else { Exit::Config };
        Failure::new(exit, breach.to_string())
    })?;
    RuleSet::read(&name, &text).map_err(|breaches| {
        let lines: Vec<_> = breaches.iter().map(Breach::to_string).collect();
        Failure::new(Exit::Config, lines.join("\n"))
    })
}
