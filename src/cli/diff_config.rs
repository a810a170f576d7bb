//! `tollgate diff-config`: what another station's file would change, in words and on what was traded.

use super::ledger;
use super::risk::{instant, tally};
use super::{Exit, Failure, Outcome};
use crate::channel;
use crate::ledger::judged::judged;
use crate::model::Breach;
use crate::model::Clock;
use crate::model::Timestamp;
use crate::ops::backtest::Span;
use crate::ops::difference::Comparison;
use crate::ops::difference::Counterpart;
use crate::ops::difference::Decisions;
use crate::ops::difference::Difference;
use crate::ops::difference::Plan;
use crate::server::SystemClock;
use crate::server::config;
use crate::server::config::{Config, Loaded, Look};
use clap::Args;
use serde_json::json;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  tollgate diff-config station.toml next/station.toml
  tollgate diff-config station.toml next/station.toml --replay --data /var/lib/tollgate
  tollgate diff-config station.toml next/station.toml --replay --data /var/lib/tollgate --from 2026-11-20T00:00:00+08:00 --json

Lists, limits, routes and rules are compared, as they are now. With --replay every request on record is decided by both, and
what differs is shown: terminals that are not listed, standings, merchants, currencies, limits, rules, and the first issuer
of the card's range. What else decided then (sessions, PINs, originals, issuers) is the same to both. Of a card six digits
are on record: where longer prefixes matter, its route cannot be told, which is counted. The same files and ledger give the
same output.
Exit codes: 0 nothing differs; with --replay, no request would be decided or routed otherwise, 1 something does, or cannot be
told, 2 usage, or the ledger cannot be read, 3 either file, or a list of it, has breaches or cannot be read.";

/// Show what another station's file changes: lists, limits, routes, rules, and past decisions
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct DiffConfig {
    /// The station's file as it is
    old: PathBuf,
    /// The station's file as it would be
    new: PathBuf,
    /// Decide the ledger's past requests by both
    #[arg(long, requires = "data")]
    replay: bool,
    /// The ledger's folder, or the one that has it as `ledger`
    #[arg(long, value_name = "DIR", value_parser = ledger::folder(), requires = "replay")]
    data: Option<PathBuf>,
    /// Compare requests from this instant on, as 2026-11-20T00:00:00+08:00
    #[arg(long, value_name = "TIME", value_parser = instant, requires = "replay")]
    from: Option<Timestamp>,
    /// Compare requests before this instant
    #[arg(long, value_name = "TIME", value_parser = instant, requires = "replay")]
    to: Option<Timestamp>,
    /// Show so many rows and changes one by one
    #[arg(long, value_name = "N", default_value_t = 20)]
    most: usize,
    /// JSON instead of lines
    #[arg(long)]
    json: bool,
}

impl DiffConfig {
    pub(super) fn run(self, out: &mut dyn Write) -> Outcome {
        if self.from.zip(self.to).is_some_and(|(from, to)| from >= to) {
            return Err(Failure::new(Exit::Usage, "--from is not before --to"));
        }
        let (old, new) = both(&self.old, &self.new)?;
        let difference = Difference::between(&plan(&old), &plan(&new), self.most);
        let beyond = beyond(&old.config, &new.config);
        let decisions = self.data.as_deref().map(|data| self.replay(data, &old, &new)).transpose()?;
        if self.json {
            let all = json!({ "difference": difference, "restart": beyond, "decisions": decisions });
            writeln!(out, "{all:#}")?;
        } else {
            write!(out, "{difference}")?;
            if beyond {
                writeln!(out, "~ the station's file beyond [files] and [risk]: that needs a restart")?;
            }
            if difference.is_empty() && !beyond {
                writeln!(out, "nothing differs")?;
            }
            if let Some(decisions) = &decisions {
                text(decisions, out)?;
            }
        }
        let same = decisions.map_or(difference.is_empty() && !beyond, |decisions| decisions.are_the_same());
        Ok(if same { Exit::Ok } else { Exit::No })
    }

    fn replay(&self, data: &Path, old: &Loaded, new: &Loaded) -> Result<Decisions, Failure> {
        let began = Instant::now();
        let span = Span { from: self.from, to: self.to };
        let mut comparison = Comparison::new(counterpart(old), counterpart(new), span, self.most);
        judged(&mut ledger::open(data)?, &mut comparison)?;
        let decisions = comparison.report();
        eprintln!("{} requests in {:.2} s", decisions.compared, began.elapsed().as_secs_f64());
        Ok(decisions)
    }
}

/// Both stations as of the same instant, or every breach of both.
fn both(old: &Path, new: &Path) -> Result<(Loaded, Loaded), Failure> {
    let known = |name: &str| channel::builtin::profile(name).is_some();
    let look = Look::at(SystemClock::start().wall());
    let load = |path: &Path| config::load_as(path, &known, &look);
    match (load(old), load(new)) {
        (Ok(old), Ok(new)) => Ok((old, new)),
        (old, new) => {
            let breaches = old.err().into_iter().chain(new.err()).flatten();
            let mut lines: Vec<String> = breaches.map(|breach: Breach| breach.to_string()).collect();
            lines.dedup();
            Err(Failure::new(Exit::Config, lines.join("\n")))
        }
    }
}

fn plan(of: &Loaded) -> Plan<'_> {
    Plan { registry: &of.registry, limits: of.config.defaults.limits, checks: &of.checks }
}

fn counterpart(of: &Loaded) -> Counterpart<'_> {
    Counterpart { registry: &of.registry, rules: &of.checks.live }
}

/// Whether anything differs that no reload takes over.
fn beyond(old: &Config, new: &Config) -> bool {
    let mut defaults = new.defaults.clone();
    defaults.limits = old.defaults.limits;
    let (rules, lists) = (old.rules.clone(), old.lists.clone());
    Config { defaults, rules, lists, ..new.clone() } != *old
}

fn text(decisions: &Decisions, out: &mut dyn Write) -> io::Result<()> {
    let Decisions { compared, stood, declined, passed, otherwise, routed, untold, reasons, changes } = decisions;
    writeln!(out, "{compared} requests compared; {stood} were declined for reasons that stand")?;
    tally("let through, now declined", declined, out)?;
    tally("declined, now let through", passed, out)?;
    tally("declined for another reason", otherwise, out)?;
    tally("sent to another issuer", routed, out)?;
    tally("route cannot be told from six digits", untold, out)?;
    for row in reasons {
        tally(&format!("  {} -> {}", row.old, row.new), &row.requests, out)?;
    }
    for change in changes {
        writeln!(
            out,
            "  {:>10} {} {} {:<14} {} {:>12} {}: {} -> {} {}",
            change.number,
            change.rrn,
            change.terminal,
            change.kind,
            change.card,
            change.amount,
            change.currency,
            change.old,
            change.new,
            change.evidence
        )?;
    }
    Ok(())
}
