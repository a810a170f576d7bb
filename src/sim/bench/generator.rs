//! The threads of the fleet, and one run after the other.

use super::fleet::{Common, Fleet, Mode, nanos};
use super::mix::{Held, Mix};
use super::schedule::{Arrivals, Schedule, Shape};
use super::tally::{Fault, NoHistogram, Tally};
use super::{line, pacer};
use crate::channel::Profile;
use crate::iso8583::Role;
use crate::sim::load::Belief;
use crate::sim::terminal::Terminal;
use crate::sim::terminal::drive::Target;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// How often a run is looked at from outside.
const LOOK: Duration = Duration::from_millis(20);

/// How often its figures are: a quantile is some work, and the lock is the worker's.
const GLANCE: Duration = Duration::from_millis(100);
/// How long late answers are waited for after a run, at most.
const LINGER: Duration = Duration::from_secs(2);

/// Who takes part, and how.
pub struct Plan {
    /// The terminals, each with a PIN pad of its own.
    pub terminals: Vec<Terminal>,
    /// Where they call.
    pub target: Target,
    /// How they speak.
    pub profile: Arc<Profile>,
    /// How many connections they share; each has its own if there are as many.
    pub connections: usize,
    /// Threads.
    pub workers: usize,
    /// What they do.
    pub mix: Mix,
    /// What they do it with.
    pub cards: Vec<Held>,
    /// Elements that the host need not echo.
    pub loose: Vec<Role>,
    /// Where choices begin.
    pub seed: u64,
    /// Whether approved charges are remembered, for [`Generator::beliefs`].
    pub keeps_beliefs: bool,
}

/// What one run asks for.
#[derive(Clone, Debug)]
pub enum Drive {
    /// A schedule that waits for nobody.
    Open(Shape, Arrivals),
    /// So many requests at once, each anew as soon as it is answered.
    Closed(usize, Duration),
}

impl Drive {
    /// How long it goes.
    #[must_use]
    pub fn time(&self) -> Duration {
        match self {
            Self::Open(shape, _) => shape.time(),
            Self::Closed(_, time) => *time,
        }
    }
}

/// How the sign-ins went.
#[derive(Clone, Debug, Default)]
pub struct Signed {
    /// Terminals that may sell.
    pub ready: usize,
    /// Connections that were ever made.
    pub connected: usize,
    /// What keeps the others, and how many of them.
    pub troubles: BTreeMap<Box<str>, usize>,
}

/// A look at a run that goes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Glimpse {
    /// Since it began.
    pub since: Duration,
    /// Of how long.
    pub of: Duration,
    /// Requests sent.
    pub sent: u64,
    /// Answers.
    pub answered: u64,
    /// What went wrong.
    pub faults: u64,
    /// The 99th percentile from schedule so far, in microseconds.
    pub p99: u64,
}

/// What a run came to.
pub struct Ran {
    /// Everything counted, of all workers.
    pub tally: Tally,
    /// How long was measured.
    pub time: Duration,
    /// Whether somebody stopped it.
    pub interrupted: bool,
}

/// A fleet that runs.
pub struct Generator {
    fleets: Vec<Arc<Mutex<Fleet>>>,
    threads: Vec<JoinHandle<io::Result<()>>>,
    stop: CancellationToken,
    seed: u64,
    base: Instant,
    timeout: Duration,
}

impl Generator {
    /// Starts the threads; the terminals connect and sign in.
    ///
    /// # Errors
    /// No thread, no runtime.
    pub fn start(plan: Plan) -> io::Result<Self> {
        let workers = plan.workers.clamp(1, plan.terminals.len().max(1)).min(plan.connections.max(1));
        let base = Instant::now();
        let common = Common {
            profile: plan.profile,
            mix: Arc::new(plan.mix),
            cards: plan.cards.into(),
            known: Arc::new(plan.terminals.iter().map(|terminal| terminal.setup().terminal).collect()),
            loose: plan.loose.into(),
            timeout: plan.target.answer_within,
            seed: plan.seed,
            base,
            keeps_beliefs: plan.keeps_beliefs,
        };
        let mut shares: Vec<Vec<Terminal>> = (0..workers).map(|_| Vec::new()).collect();
        for (at, terminal) in plan.terminals.into_iter().enumerate() {
            if let Some(share) = shares.get_mut(at % workers) {
                share.push(terminal);
            }
        }
        let stop = CancellationToken::new();
        let mut generator = Self {
            fleets: Vec::new(),
            threads: Vec::new(),
            stop,
            seed: plan.seed,
            base,
            timeout: plan.target.answer_within,
        };
        for (at, terminals) in shares.into_iter().enumerate() {
            let lines =
                (plan.connections / workers + usize::from(at < plan.connections % workers)).min(terminals.len());
            let common = Common { seed: plan.seed ^ (at as u64) << 48, ..common.clone() };
            let fleet = Arc::new(Mutex::new(Fleet::new(common, terminals, lines).map_err(io::Error::other)?));
            generator.fleets.push(Arc::clone(&fleet));
            let (target, stop) = (plan.target.clone(), generator.stop.clone());
            let body = move || work(fleet, &target, &stop);
            generator.threads.push(std::thread::Builder::new().name(format!("fleet-{at}")).spawn(body)?);
        }
        Ok(generator)
    }

    /// Waits until every terminal may sell, or `within` is over, or `stopped`.
    #[must_use]
    pub fn signed_in(&self, within: Duration, stopped: &dyn Fn() -> bool) -> Signed {
        let until = Instant::now() + within;
        loop {
            let (mut signed, mut all) = (Signed::default(), 0);
            for fleet in &self.fleets {
                let fleet = fleet.lock();
                all += fleet.seats.len();
                signed.connected += fleet.lines.iter().filter(|line| line.was_up).count();
                for seat in &fleet.seats {
                    let line = fleet.lines.get(seat.line);
                    if seat.is_ready() && line.is_some_and(|line| line.is_up) {
                        signed.ready += 1;
                        continue;
                    }
                    let why = seat.trouble.clone().or_else(|| line.and_then(|line| line.trouble.clone()));
                    *signed.troubles.entry(why.unwrap_or_else(|| "no answer to its sign-in".into())).or_default() += 1;
                }
            }
            if signed.ready == all || Instant::now() >= until || stopped() {
                return signed;
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Runs once. What is due in `warm_up`, the first part of it, is not counted. Ends early when `look`, which is
    /// called again and again, says so.
    ///
    /// # Errors
    /// [`NoHistogram`].
    pub fn run(
        &self,
        drive: &Drive,
        warm_up: Duration,
        look: &mut dyn FnMut(&Glimpse) -> bool,
    ) -> Result<Ran, NoHistogram> {
        let start = nanos(self.base.elapsed());
        let measures_from = start + nanos(warm_up);
        for (at, fleet) in self.fleets.iter().enumerate() {
            let share = (at, self.fleets.len());
            let mode = match drive {
                Drive::Open(shape, arrivals) => {
                    Mode::Open { schedule: Schedule::new(shape, *arrivals, self.seed, share), start }
                }
                Drive::Closed(most, _) => {
                    Mode::Closed { most: most / share.1 + usize::from(at < most % share.1), flying: 0 }
                }
            };
            fleet.lock().begin(mode, measures_from, start)?;
        }
        let mut interrupted = false;
        let end = start + nanos(drive.time());
        while nanos(self.base.elapsed()) < end && !interrupted {
            let left = Duration::from_nanos(end.saturating_sub(nanos(self.base.elapsed())));
            std::thread::sleep(left.min(GLANCE));
            interrupted = !look(&self.glimpse(start, drive.time()));
        }
        let ended = nanos(self.base.elapsed()).min(end);
        self.fleets.iter().for_each(|fleet| fleet.lock().end(ended));
        self.drain();
        let mut tally = Tally::new(measures_from)?;
        for fleet in &self.fleets {
            let mut fleet = fleet.lock();
            let done = std::mem::replace(&mut fleet.tally, Tally::new(u64::MAX)?);
            fleet.measures_from = u64::MAX;
            tally.merge(&finished(done, ended));
        }
        Ok(Ran { tally, time: Duration::from_nanos(ended.saturating_sub(measures_from)), interrupted })
    }

    fn glimpse(&self, start: u64, of: Duration) -> Glimpse {
        let mut glimpse = Glimpse {
            since: Duration::from_nanos(nanos(self.base.elapsed()).saturating_sub(start)),
            of,
            ..Glimpse::default()
        };
        for fleet in &self.fleets {
            let fleet = fleet.lock();
            glimpse.sent += fleet.tally.sent;
            glimpse.answered += fleet.tally.answered;
            glimpse.faults += fleet.tally.faults(|_| true);
            glimpse.p99 = glimpse.p99.max(fleet.tally.from_schedule.value_at_quantile(0.99));
        }
        glimpse
    }

    /// Waits for the answers that are still due.
    fn drain(&self) {
        let until = Instant::now() + self.timeout + Duration::from_millis(200);
        while Instant::now() < until && self.fleets.iter().any(|fleet| fleet.lock().in_flight() > 0) {
            std::thread::sleep(LOOK);
        }
        // What was given up may be answered yet: late, and counted so.
        let gave_up = |fleet: &Arc<Mutex<Fleet>>| fleet.lock().tally.fault(Fault::Silent) > 0;
        if self.fleets.iter().any(gave_up) {
            std::thread::sleep(self.timeout.min(LINGER));
        }
    }

    /// Lets the terminals undo what they owe.
    pub fn settle(&self, within: Duration) {
        let until = Instant::now() + within;
        let owes = |fleet: &Arc<Mutex<Fleet>>| {
            fleet.lock().seats.iter().any(|seat| seat.awaiting.is_some() || seat.terminal.memory().pending.is_some())
        };
        while Instant::now() < until && self.fleets.iter().any(owes) {
            std::thread::sleep(LOOK);
        }
    }

    /// What the terminals believe of the money.
    #[must_use]
    pub fn beliefs(&self) -> Vec<Belief> {
        let mut beliefs = Vec::new();
        for fleet in &self.fleets {
            beliefs.extend(fleet.lock().seats.iter().map(|seat| Belief {
                terminal: seat.id,
                sales: seat.believed.clone(),
                given: Vec::new(),
                unresolved: seat.terminal.memory().pending.is_some(),
            }));
        }
        beliefs.sort_by_key(|belief| belief.terminal);
        beliefs
    }

    /// Hangs up.
    ///
    /// # Errors
    /// A worker ended before.
    pub fn finish(self) -> io::Result<()> {
        self.stop.cancel();
        for thread in self.threads {
            thread.join().map_err(|_| io::Error::other("a worker of the generator ended by itself"))??;
        }
        Ok(())
    }
}

fn finished(mut tally: Tally, ended: u64) -> Tally {
    tally.finish(ended);
    tally
}

/// One worker: a thread with a runtime of its own.
fn work(fleet: Arc<Mutex<Fleet>>, target: &Target, stop: &CancellationToken) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let lines = fleet.lock().lines.len();
    runtime.block_on(async {
        let opening = Arc::new(Semaphore::new(line::OPENING));
        for at in 0..lines {
            tokio::spawn(line::keep(Arc::clone(&fleet), at, target.clone(), Arc::clone(&opening)));
        }
        tokio::spawn(pacer::tick(Arc::clone(&fleet)));
        tokio::select! {
            paced = pacer::pace(fleet) => paced,
            () = stop.cancelled() => Ok(()),
        }
    })
}
