//! `tollgate bench run`.

use super::files;
use super::knee::Search;
use super::machine;
use super::options::{Callers, LedgerPlace, Limits, Load, OwnStation, Requests};
use super::print;
use super::station::{Recipe, Station};
use crate::channel::Profile;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::Outcome;
use crate::server::Stopper;
use crate::server::descriptors;
use crate::server::stop_on_signals;
use crate::sim::bench::Drive;
use crate::sim::bench::Generator;
use crate::sim::bench::Plan;
use crate::sim::bench::Ran;
use crate::sim::bench::Signed;
use crate::sim::bench::proxy::Proxy;
use crate::sim::bench::summary::Cpu;
use crate::sim::bench::summary::Knee;
use crate::sim::bench::summary::PlanFacts;
use crate::sim::bench::summary::Summary;
use crate::sim::bench::summary::Timed;
use crate::sim::bench::summary::Verified;
use crate::sim::bench::threshold;
use crate::sim::bench::threshold::Threshold;
use crate::sim::bench::threshold::Verdict;
use crate::sim::load::Belief;
use clap::Args;
use std::io::IsTerminal;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Open files besides connections.
const SPARE: usize = 64;
/// How long terminals may take to undo what they owe, once a run is over.
const SETTLE_WITHIN: Duration = Duration::from_secs(15);
/// How long the switch may take to hand on what it owes.
const HANDED_ON: Duration = Duration::from_secs(20);

/// Terminals that sign in and sell, at a rate that does not wait for answers
///
/// Without a host, a whole station is started for the run, in child processes of this program: a switch with its
/// ledger, two issuers, TEST KEYS.
#[derive(Args, Debug)]
pub(super) struct Run {
    /// The host [default: a station of its own]
    #[arg(value_name = "HOST:PORT")]
    target: Option<String>,
    #[command(flatten)]
    load: Load,
    #[command(flatten)]
    callers: Callers,
    #[command(flatten)]
    requests: Requests,
    #[command(flatten)]
    limits: Limits,
    #[command(flatten)]
    station: OwnStation,
    /// Write summary.json, latency.hgrm, intervals.hlog and report.html into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The summary as JSON instead of the report
    #[arg(long)]
    json: bool,
}

/// What a run came to, besides what was counted.
struct Done {
    ran: Ran,
    knee: Option<Knee>,
    cpu: Option<Cpu>,
    beliefs: Vec<Belief>,
}

impl Run {
    pub(super) fn run(self, out: &mut dyn Write) -> Outcome {
        let profile = self.callers.wire.conventions("pos")?;
        self.fits(&profile)?;
        let stopper = Stopper::default();
        stop_on_signals(stopper.clone())?;
        let mut station = match self.target {
            None => Some(Station::start(&self.recipe())?),
            Some(_) => None,
        };
        let named = self.target.clone();
        let address = named.unwrap_or_else(|| station.as_ref().map_or_else(String::new, |own| own.door.to_string()));
        let proxy = match &self.requests.impair {
            Some(impair) => Some(Proxy::start(impair.clone(), address.clone(), self.load.seed)?),
            None => None,
        };
        let called = proxy.as_ref().map_or_else(|| address.clone(), |proxy| proxy.address.to_string());
        let plan = self.plan(&profile, &called)?;
        let drive = self.load.drive(plan.terminals.len())?;
        let mut facts = self.facts(&profile, &drive, &plan);
        let generator = Generator::start(plan)?;
        let signed = generator.signed_in(self.patience(), &|| stopper.is_stopping());
        if signed.ready == 0 {
            return Err(nobody(&signed, &address));
        }
        facts.ready = signed.ready;
        if !self.json {
            print::opening(out, &facts, &signed)?;
        }
        let began = SystemTime::now();
        let thresholds = threshold::with_usual(self.limits.thresholds.clone());
        let done = self.driven(generator, (&drive, &thresholds), station.as_ref(), &stopper, out)?;
        drop(proxy);
        let verify = self.verified(station.as_mut(), &done)?;
        let summary = summary(&done, verify, facts, (&thresholds, began));
        if let Some(folder) = &self.out {
            let began = began.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
            files::write(folder, &summary, &done.ran.tally, began)?;
        }
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&summary).unwrap_or_default())?;
        } else {
            print::report(out, &summary)?;
            if let Some(folder) = &self.out {
                writeln!(out, "Wrote summary.json, latency.hgrm, intervals.hlog, report.html in {}", folder.display())?;
            }
        }
        Ok(if summary.passed { Exit::Ok } else { Exit::No })
    }

    /// What does not go together.
    fn fits(&self, profile: &Profile) -> Result<(), Failure> {
        let usage = |what: &str| Err(Failure::new(Exit::Usage, what.to_owned()));
        match &self.target {
            Some(_) if self.station.verify => usage("--verify needs a station of its own: no HOST:PORT"),
            None if &*profile.name != "pos" => usage("a station of its own speaks the profile pos: say HOST:PORT"),
            None if self.callers.terminal_list.is_some() => usage("--terminal-list is for a HOST:PORT"),
            None if self.station.verify && self.station.ledger == LedgerPlace::Memory => {
                usage("--verify reads the ledger's files: not with --ledger memory")
            }
            _ => Ok(()),
        }
    }

    fn recipe(&self) -> Recipe {
        Recipe {
            terminals: (self.callers.first_terminal, self.callers.terminals),
            workers: self.station.station_workers,
            durable: self.station.ledger == LedgerPlace::Disk,
        }
    }

    fn plan(&self, profile: &Arc<Profile>, address: &str) -> Result<Plan, Failure> {
        let target = self.callers.target(address, self.load.timeout)?;
        let terminals = self.callers.terminals(profile, (address, self.load.seed))?;
        let (mix, cards) = self.requests.mix()?;
        let connections = self.callers.connections.map_or(terminals.len(), |many| many as usize).min(terminals.len());
        // A bad wire has both ends of each in this process, and one more.
        let needed = if self.requests.impair.is_some() { 3 * connections } else { connections };
        if let Some(limit) = descriptors::raised().filter(|limit| needed + SPARE > *limit) {
            let what = format!("{connections} connections: this process may open {limit} files (ulimit -n)");
            return Err(Failure::new(Exit::Usage, what));
        }
        Ok(Plan {
            connections,
            terminals,
            target,
            profile: Arc::clone(profile),
            workers: usize::from(self.callers.workers),
            mix: mix.allowing(&self.limits.codes),
            cards,
            loose: self.callers.loose.clone(),
            seed: self.load.seed,
            keeps_beliefs: self.station.verify,
        })
    }

    fn facts(&self, profile: &Profile, drive: &Drive, plan: &Plan) -> PlanFacts {
        PlanFacts {
            target: self.target.clone().unwrap_or_else(|| "station".to_owned()),
            profile: profile.name.to_string(),
            load: self.load.words(drive),
            terminals: plan.terminals.len(),
            ready: 0,
            connections: plan.connections,
            workers: plan.workers,
            seed: self.load.seed,
            timeout_ms: u64::try_from(self.load.timeout.as_millis()).unwrap_or(u64::MAX),
            impair: self.requests.impair.as_ref().map(|impair| impair.text.clone()),
        }
    }

    /// How long signing in may take.
    fn patience(&self) -> Duration {
        self.load.timeout + Duration::from_secs(2)
    }

    /// Runs, and lets the terminals go home.
    fn driven(
        &self,
        generator: Generator,
        (drive, thresholds): (&Drive, &[Threshold]),
        station: Option<&Station>,
        stopper: &Stopper,
        out: &mut dyn Write,
    ) -> Result<Done, Failure> {
        let spent = Spent::now(station);
        let (ran, knee) = if self.load.find_knee {
            let (knee, ran) = self.knee(&generator, thresholds, stopper, out)?;
            (ran, Some(knee))
        } else {
            (self.go(&generator, drive, stopper)?, None)
        };
        let cpu = spent.and_then(|spent| spent.since(station, ran.tally.answered));
        generator.settle(if stopper.is_forced() { Duration::ZERO } else { SETTLE_WITHIN });
        let beliefs = generator.beliefs();
        generator.finish()?;
        // The search has many runs: what they took together says nothing of one.
        Ok(Done { ran, cpu: cpu.filter(|_| knee.is_none()), knee, beliefs })
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

    /// Searches for the knee; the run at it.
    fn knee(
        &self,
        generator: &Generator,
        thresholds: &[Threshold],
        stopper: &Stopper,
        out: &mut dyn Write,
    ) -> Result<(Knee, Ran), Failure> {
        let mut run = |drive: &Drive| {
            let ran = self.go(generator, drive, stopper).ok().filter(|ran| !ran.interrupted)?;
            generator.settle(SETTLE_WITHIN);
            let kept = judged(&ran, thresholds).iter().all(|verdict| verdict.kept);
            Some((ran, kept))
        };
        let mut see = |step: &_| {
            if !self.json {
                // A report that nobody reads is no reason to stop.
                let _ = print::step(out, step);
            }
        };
        let time = self.load.warmup + self.load.duration;
        let arrivals = self.load.arrivals();
        let search = Search { from: self.load.rate, time, arrivals, run: &mut run, see: &mut see };
        let (knee, ran) = search.find();
        match ran {
            Some(ran) => Ok((knee, ran)),
            None => Err(Failure::new(
                Exit::No,
                format!("no rate was kept, the lowest that was tried included ({} steps)", knee.steps.len()),
            )),
        }
    }

    /// Ends the station and compares, if that was asked.
    fn verified(&self, station: Option<&mut Station>, done: &Done) -> Result<Option<Verified>, Failure> {
        let Some(station) = station else { return Ok(None) };
        if self.station.verify {
            // What is still owed then is a difference that the comparison names.
            station.settled(HANDED_ON);
        }
        let clean = station.end();
        if !self.station.verify {
            return Ok(None);
        }
        let comparison = station.compare(&done.beliefs)?;
        let mut differences = comparison.differences;
        if !clean {
            differences.push("the station did not end by itself".to_owned());
        }
        Ok(Some(Verified {
            clients: comparison.terminals,
            ledger: comparison.simulated,
            issuers: comparison.issuers,
            differences,
        }))
    }
}

fn judged(ran: &Ran, thresholds: &[Threshold]) -> Vec<Verdict> {
    let seconds = ran.time.as_secs_f64();
    thresholds.iter().map(|threshold| threshold.judge(&Timed(&ran.tally, seconds))).collect()
}

fn summary(
    done: &Done,
    verify: Option<Verified>,
    plan: PlanFacts,
    (thresholds, began): (&[Threshold], SystemTime),
) -> Summary {
    let ran = &done.ran;
    let mut summary = Summary::of(&ran.tally, ran.time.as_secs_f64(), ran.interrupted);
    summary.started = jiff::Timestamp::try_from(began).map(|time| time.to_string()).unwrap_or_default();
    summary.plan = plan;
    summary.cpu = done.cpu;
    summary.machine = machine::facts();
    summary.knee.clone_from(&done.knee);
    summary.judged(judged(ran, thresholds));
    let agree = verify.as_ref().is_none_or(|verified| verified.differences.is_empty());
    summary.verify = verify;
    summary.passed = agree && !ran.interrupted && summary.thresholds.iter().all(|judged| judged.kept);
    summary
}

/// Processor time that was spent when a run began.
struct Spent {
    own: f64,
    station: Option<(f64, f64)>,
    at: Instant,
}

impl Spent {
    fn now(station: Option<&Station>) -> Option<Self> {
        let own = machine::cpu_seconds(std::process::id())?;
        Some(Self { own, station: station.and_then(Station::cpu), at: Instant::now() })
    }

    fn since(&self, station: Option<&Station>, answers: u64) -> Option<Cpu> {
        let now = Self::now(station)?;
        let had = self.at.elapsed().as_secs_f64() * machine::facts().cores as f64;
        let percent = |seconds: f64| 100.0 * seconds / had.max(1e-9);
        let generator_s = now.own - self.own;
        let station = self.station.zip(now.station).map(|(before, now)| (now.0 - before.0, now.1 - before.1));
        Some(Cpu {
            generator_s,
            generator_percent: percent(generator_s),
            switch_s: station.map(|(switch, _)| switch),
            issuers_s: station.map(|(_, issuers)| issuers),
            switch_percent: station.map(|(switch, _)| percent(switch)),
            issuers_percent: station.map(|(_, issuers)| percent(issuers)),
            // The warm-up's answers are in the time and not in the count: the figure is a little high.
            switch_us_per_answer: station.filter(|_| answers > 0).map(|(switch, _)| switch * 1e6 / answers as f64),
        })
    }
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
