//! A world from its plan to its end.

use super::aside;
use super::chance::Chance;
use super::chance::SimEntropy;
use super::checks;
use super::checks::Decisions;
use super::counters;
use super::coverage::Coverage;
use super::coverage::Sometimes;
use super::disk::Loss;
use super::executor::Executor;
use super::executor::Pause;
use super::executor::Realm;
use super::history::History;
use super::host::Host;
use super::nature::Cut;
use super::nature::Nature;
use super::operator;
use super::outside::Day;
use super::outside::Outside;
use super::plan::Crash;
use super::plan::Plan;
use super::records::Records;
use super::rules::Rules;
use super::setup;
use super::station;
use super::station::Ground;
use super::till::Till;
use super::weather;
use super::weather::Weather;
use super::zone;
use crate::ledger::Ledger;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// What came of a world.
#[derive(Clone, Debug)]
pub struct Report {
    /// Everything observable in one number: the same plan gives the same.
    pub hash: u64,
    /// Everything observable, a line each.
    pub trace: Vec<String>,
    /// What was wrong. None is what is wanted.
    pub breaches: Vec<String>,
    /// What happened now and then.
    pub coverage: Coverage,
    /// How many effects there were before the part that a crash matrix is about, and at its end.
    pub effects: (u64, u64),
}

/// How long faults may rage.
const DAY: Duration = Duration::from_secs(3_600);
/// How long it may take to come to rest when they have stopped.
const REST: Duration = Duration::from_secs(3_600);

/// Lets a world happen.
#[must_use]
pub fn run(plan: &Plan) -> Report {
    let Some(mut world) = Running::new(plan) else {
        let breaches = vec!["the world cannot be built".to_owned()];
        return Report { hash: 0, trace: Vec::new(), breaches, coverage: Coverage::default(), effects: (0, 0) };
    };
    world.rage();
    world.rest();
    world.report()
}

struct Running {
    executor: Executor,
    outside: Arc<Outside>,
    ground: Arc<Ground>,
    /// The tills, and whoever else has something to do until the day is over.
    parts: usize,
    crashes: std::vec::IntoIter<Crash>,
    next: Option<Crash>,
    life: u32,
    decisions: Decisions,
    rules: Rules,
    before_rest: u64,
}

impl Running {
    fn new(plan: &Plan) -> Option<Self> {
        let nature = Nature::new(plan.seed);
        let weather = Weather::of(plan.faults.clone());
        let executor = Executor::new(Arc::clone(&nature), Chance::new(plan.seed, 2));
        let entropy = Arc::new(SimEntropy::new(Chance::new(plan.seed, 3)));
        let history = Arc::new(History::default());
        let around = (&nature, &weather, &history, &executor.spawner);
        let hosts = setup::banks(&entropy)?.into_iter().map(|bank| Host::new(bank, around)).collect();
        let outside = Arc::new(Outside {
            nature: Arc::clone(&nature),
            spawner: executor.spawner.clone(),
            weather: Arc::clone(&weather),
            history,
            hosts,
            platter: Arc::default(),
            day: Day::new(),
            strict: plan.strict,
            keeping: plan.keeping,
            calendar: setup::calendar(plan),
            daily_amount: plan.daily_amount,
            doors: setup::doors()?,
            front: parking_lot::Mutex::new(None),
            lost: false.into(),
            in_hand: parking_lot::Mutex::default(),
            marked: 0.into(),
        });
        let ground = Arc::new(setup::ground(plan, &outside, &entropy)?);
        let cards = Arc::new(setup::cards());
        for of in &plan.tills {
            let till = Till::new(&outside, of, &cards, Arc::clone(&entropy) as Arc<_>)?;
            executor.spawner.spawn(Realm::Outside, till.trade(of.steps.clone()));
        }
        let changes_keys = plan.changes_keys();
        if changes_keys {
            zone::in_the_course(&outside, plan.key_changes);
            executor.spawner.spawn(Realm::Outside, zone::last_look(Arc::clone(&outside)));
        }
        let others = plan.tills.len() + usize::from(changes_keys);
        if plan.rules.holds {
            executor.spawner.spawn(Realm::Outside, operator::watch(Arc::clone(&outside), others));
        }
        weather::rage(&weather, &nature, &executor.spawner);
        let mut running = Self {
            executor,
            outside,
            ground,
            parts: others + usize::from(plan.rules.holds),
            crashes: plan.crashes.clone().into_iter(),
            next: None,
            life: 0,
            decisions: Decisions::new(),
            rules: plan.rules,
            before_rest: 0,
        };
        running.next_crash();
        running.start();
        Some(running)
    }

    fn next_crash(&mut self) {
        self.next = self.crashes.next();
        let before = self.outside.nature.effects();
        let cut = self.next.map(|crash| Cut { effect: before + crash.effects, after: crash.after });
        self.outside.nature.cut_at(cut);
    }

    fn start(&self) {
        let boot = station::boot(Arc::clone(&self.outside), Arc::clone(&self.ground), self.life);
        self.executor.spawner.spawn(Realm::Station, boot);
    }

    /// Faults rage while the terminals do what they do.
    fn rage(&mut self) {
        loop {
            let (outside, parts) = (Arc::clone(&self.outside), self.parts);
            match self.executor.run(DAY, || outside.day.stepped() == parts) {
                Pause::Down if self.outside.lost.load(Ordering::Relaxed) => return,
                Pause::Down => self.outage(),
                Pause::Done => return,
                pause => return self.outside.history.breach(format!("I13: the day does not end: {pause:?}")),
            }
        }
    }

    /// The station is down, and comes back.
    fn outage(&mut self) {
        let own = Crash { effects: 0, after: true, loss: Loss::Nothing, down: Duration::from_secs(1) };
        // If it ended itself, no power was lost, and the crash that was planned is still to come.
        let planned = self.next.filter(|_| self.outside.nature.was_cut());
        let crash = planned.unwrap_or(own);
        self.outside.nature.say(&format!("the station is down: {:?}", crash.loss));
        self.executor.spawner.drop_all(Realm::Station);
        let front = self.outside.front.lock().take();
        match &front {
            None => self.outside.nature.sometimes(Sometimes::CrashRecovering),
            Some(station) => {
                self.outside.went_down(&station.ledger().records());
                if zone::is_under_way(station) {
                    self.outside.nature.sometimes(Sometimes::CrashZoneKey);
                }
            }
        }
        drop(front);
        self.outside.in_hand.lock().clear();
        self.outside.platter.lose(crash.loss, &self.outside.nature);
        let until = self.outside.nature.now() + crash.down;
        self.executor.run_without_station(until);
        self.outside.nature.restore();
        if planned.is_some() {
            self.next_crash();
        }
        self.life += 1;
        self.start();
    }

    /// Faults stop, everything comes to rest, and everything must agree.
    fn rest(&mut self) {
        if self.outside.lost.load(Ordering::Relaxed) {
            return;
        }
        self.outside.nature.say("= = = faults stop");
        self.before_rest = self.outside.nature.effects();
        self.outside.weather.calm_down();
        self.outside.nature.cut_at(None);
        self.outside.day.begin_calm();
        let until = self.outside.nature.now() + REST;
        loop {
            let (outside, parts) = (Arc::clone(&self.outside), self.parts);
            match self.executor.run(until, || outside.day.all_closed() == parts && outside.is_quiet()) {
                Pause::Down if self.outside.lost.load(Ordering::Relaxed) => return,
                Pause::Down => self.outage(),
                Pause::Done => break,
                pause => {
                    self.outside.history.breach(format!("I13: no rest when all faults have stopped: {pause:?}"));
                    break;
                }
            }
        }
        self.check(true);
        self.check_disk();
    }

    /// The same of the disk as it would be if the power went now.
    fn check_disk(&mut self) {
        let Some(ledger) = aside::ledger(&self.outside) else { return };
        let mut breaches = Vec::new();
        if let Some(station) = self.outside.front() {
            breaches.extend(checks::is_remembered(station.ledger(), &ledger));
        }
        self.outside.history.read(|seen| {
            let records = Records::all(&ledger, seen, &mut breaches);
            checks::always(seen, &records, &mut self.decisions, &mut breaches);
        });
        self.outside
            .history
            .note(|seen| seen.breaches.extend(breaches.iter().map(|breach| format!("on disk: {breach}"))));
        for violation in aside::verify(&self.outside) {
            self.outside.history.breach(format!("verify: {violation}"));
        }
        if self.outside.strict {
            // The anchor follows: what is newer than it cannot be missed.
            let mut before = None;
            while before != Some(self.outside.nature.effects()) {
                before = Some(self.outside.nature.effects());
                let soon = self.outside.nature.now() + Duration::from_secs(1);
                self.executor.run(soon, || false);
            }
            aside::rot(&self.outside);
        }
    }

    /// Looks at everything.
    fn check(&mut self, at_rest: bool) {
        let Some(station) = self.outside.front() else { return };
        let mut breaches = Vec::new();
        self.outside.history.read(|seen| {
            let records = Records::all(station.ledger(), seen, &mut breaches);
            checks::always(seen, &records, &mut self.decisions, &mut breaches);
            if at_rest {
                let books = self.outside.hosts.iter().map(|host| (host.name().clone(), host.bank().books()));
                checks::at_rest(seen, &records, &books.collect::<Vec<_>>(), &mut breaches);
                checks::batches_agree(seen, station.ledger(), &mut breaches);
                counters::agree(station.ledger(), &self.rules, &mut breaches);
            }
        });
        self.outside.history.note(|seen| seen.breaches.extend(breaches));
    }

    fn report(self) -> Report {
        let (hash, trace) = self.outside.nature.record();
        let mut breaches = self.outside.history.read(|seen| seen.breaches.clone());
        breaches.dedup();
        Report {
            hash,
            trace,
            breaches,
            coverage: self.outside.nature.coverage(),
            effects: (self.outside.marked.load(Ordering::Relaxed), self.before_rest),
        }
    }
}

/// Tasks hold the world that holds them: thousands of worlds would stay in memory.
impl Drop for Running {
    fn drop(&mut self) {
        let front = self.outside.front.lock().take();
        drop(front);
        for realm in [Realm::Station, Realm::Outside] {
            self.executor.spawner.drop_all(realm);
        }
    }
}
