//! `tollgate bench compare`.

use super::files;
use crate::cli::Exit;
use crate::cli::Outcome;
use crate::sim::bench::compare::TooMuch;
use crate::sim::bench::compare::changes;
use clap::Args;
use std::io::Write;
use std::path::PathBuf;

/// Two runs side by side
#[derive(Args, Debug)]
pub(super) struct Compare {
    /// The run before: the folder of its --out, or its summary.json
    before: PathBuf,
    /// The run after
    after: PathBuf,
    /// A change that is too much, and ends this with 1: p99>+10%, rate<-5%
    #[arg(long = "fail-if", value_name = "CHANGE", value_parser = TooMuch::parse)]
    fail_if: Vec<TooMuch>,
}

impl Compare {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let (before, after) = (files::read(&self.before)?, files::read(&self.after)?);
        let changes = changes(&before, &after);
        for (name, one, other) in [
            ("load", &before.plan.load, &after.plan.load),
            ("target", &before.plan.target, &after.plan.target),
            ("machine", &before.machine.cpu, &after.machine.cpu),
        ] {
            if one != other {
                writeln!(out, "note: another {name}: {one} / {other}")?;
            }
        }
        writeln!(out, "{:<12} {:>14} {:>14} {:>10}", "", "before", "after", "change")?;
        for change in &changes {
            let shown = |value: f64| format!("{value:.2} {:<2}", change.figure.unit);
            let percent = change.percent();
            let percent = if percent.is_finite() { format!("{percent:+.1} %") } else { "new".to_owned() };
            let (before, after) = (shown(change.values.0), shown(change.values.1));
            writeln!(out, "{:<12} {before:>14} {after:>14} {percent:>10}", change.figure.name)?;
        }
        let broken: Vec<&TooMuch> = self.fail_if.iter().filter(|bound| bound.holds(&changes)).collect();
        for bound in &self.fail_if {
            let mark = if broken.contains(&bound) { '✗' } else { '✓' };
            writeln!(out, "{mark} fail if {}", bound.text)?;
        }
        Ok(if broken.is_empty() { Exit::Ok } else { Exit::No })
    }
}
