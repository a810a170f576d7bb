//! `tollgate bench run`.

use super::machine;
use super::options::{Callers, Limits, Load};
use super::print;
use crate::channel::Profile;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::Outcome;
use crate::server::Stopper;
use crate::server::stop_on_signals;
use crate::sim::bench::Drive;
use crate::sim::bench::Generator;
use crate::sim::bench::Plan;
use crate::sim::bench::Ran;
use crate::sim::bench::Signed;
use crate::sim::bench::mix::Held;
use crate::sim::bench::mix::Mix;
use crate::sim::bench::summary::Cpu;
use crate::sim::bench::summary::PlanFacts;
use crate::sim::bench::summary::Summary;
use crate::sim::bench::summary::Timed;
use crate::sim::bench::threshold;
use crate::sim::cards;
use crate::sim::cards::CardUse;
use clap::Args;
use std::io::IsTerminal;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long terminals may take to undo what they owe, once a run is over.
const SETTLE_WITHIN: Duration = Duration::from_secs(15);

/// Terminals that sign in and sell, at a rate that does not wait for answers
#[derive(Args, Debug)]
pub(super) struct Run {
    /// The host
    #[arg(value_name = "HOST:PORT")]
    target: String,
    #[command(flatten)]
    load: Load,
    #[command(flatten)]
    callers: Callers,
    #[command(flatten)]
    limits: Limits,
    /// The summary as JSON instead of the report
    #[arg(long)]
    json: bool,
}

impl Run {
    pub(super) fn run(self, out: &mut dyn Write) -> Outcome {
        let profile = self.callers.wire.conventions("pos")?;
        let stopper = Stopper::default();
        stop_on_signals(stopper.clone())?;
        let plan = self.plan(&profile, &self.target)?;
        let drive = self.load.drive(plan.terminals.len())?;
        let mut summary = Summary { plan: self.facts(&profile, &drive, &plan), ..Summary::default() };
        let generator = Generator::start(plan)?;
        let signed = generator.signed_in(self.patience(), &|| stopper.is_stopping());
        if signed.ready == 0 {
            return Err(nobody(&signed, &self.target));
        }
        summary.plan.ready = signed.ready;
        if !self.json {
            print::opening(out, &summary.plan, &signed)?;
        }
        let started = jiff::Timestamp::now().to_string();
        let spent = (machine::cpu_seconds(std::process::id()), Instant::now());
        let ran = self.go(&generator, &drive, &stopper)?;
        let cpu = cpu(spent, &ran);
        generator.settle(if stopper.is_forced() { Duration::ZERO } else { SETTLE_WITHIN });
        generator.finish()?;
        summary = Summary { started, cpu, machine: machine::facts(), plan: summary.plan, ..figures(&ran) };
        let seconds = ran.time.as_secs_f64();
        let thresholds = threshold::with_usual(self.limits.thresholds.clone());
        summary.judged(thresholds.iter().map(|threshold| threshold.judge(&Timed(&ran.tally, seconds))).collect());
        summary.passed = !ran.interrupted && summary.thresholds.iter().all(|judged| judged.kept);
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&summary).unwrap_or_default())?;
        } else {
            print::report(out, &summary)?;
        }
        Ok(if summary.passed { Exit::Ok } else { Exit::No })
    }

    fn plan(&self, profile: &Arc<Profile>, address: &str) -> Result<Plan, Failure> {
        let target = self.callers.target(address, self.load.timeout)?;
        let terminals = self.callers.terminals(profile, address)?;
        let cards = cards::demo();
        let cards = cards.iter().filter(|card| card.used_by == CardUse::Traffic).map(Held::of).collect();
        Ok(Plan {
            connections: self.callers.connections.map_or(terminals.len(), |many| many as usize).min(terminals.len()),
            terminals,
            target,
            profile: Arc::clone(profile),
            workers: usize::from(self.callers.workers),
            mix: Mix::sales(),
            cards,
            loose: self.callers.loose.clone(),
            seed: self.load.seed,
            keeps_beliefs: false,
        })
    }

    fn facts(&self, profile: &Profile, drive: &Drive, plan: &Plan) -> PlanFacts {
        PlanFacts {
            target: self.target.clone(),
            profile: profile.name.to_string(),
            load: self.load.words(drive),
            terminals: plan.terminals.len(),
            ready: 0,
            connections: plan.connections,
            workers: plan.workers,
            seed: self.load.seed,
            timeout_ms: u64::try_from(self.load.timeout.as_millis()).unwrap_or(u64::MAX),
            impair: None,
        }
    }

    /// How long signing in may take.
    fn patience(&self) -> Duration {
        self.load.timeout + Duration::from_secs(2)
    }

    fn go(&self, generator: &Generator, drive: &Drive, stopper: &Stopper) -> Result<Ran, Failure> {
        let shown = std::io::stderr().is_terminal() && !self.json;
        let mut drawn = Instant::now();
        let mut look = |glimpse: &_| {
            if shown && drawn.elapsed() >= Duration::from_millis(200) {
                drawn = Instant::now();
                print::progress(glimpse);
            }
            !stopper.is_stopping()
        };
        let ran = generator.run(drive, self.load.warmup, &mut look);
        if shown {
            print::wipe();
        }
        ran.map_err(|fault| Failure::new(Exit::No, fault.to_string()))
    }
}

fn figures(ran: &Ran) -> Summary {
    Summary::of(&ran.tally, ran.time.as_secs_f64(), ran.interrupted)
}

/// The generator's own processor time.
fn cpu((before, since): (Option<f64>, Instant), _ran: &Ran) -> Option<Cpu> {
    let generator_s = machine::cpu_seconds(std::process::id())? - before?;
    let had = since.elapsed().as_secs_f64() * machine::facts().cores as f64;
    Some(Cpu { generator_s, generator_percent: 100.0 * generator_s / had.max(1e-9), ..Cpu::default() })
}

/// Nobody could sell: why, and what scripts are told.
fn nobody(signed: &Signed, target: &str) -> Failure {
    let troubles: Vec<String> = signed.troubles.iter().map(|(what, many)| format!("{many} x {what}")).collect();
    let why = troubles.join("; ");
    if signed.connected == 0 {
        return Failure::new(Exit::NoConnection, format!("no connection to {target}: {why}"));
    }
    let silent = signed.troubles.keys().all(|what| what.starts_with("no answer"));
    let exit = if silent { Exit::Timeout } else { Exit::No };
    Failure::new(exit, format!("{target} is there, and no terminal could sign in: {why}"))
}
