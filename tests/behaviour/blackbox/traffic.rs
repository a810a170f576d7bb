//! Terminals that sell while their switch dies and comes back, and what they believe in the end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;
use tollgate::channel::builtin::profile;
use tollgate::model::Currency;
use tollgate::model::MerchantId;
use tollgate::model::TerminalId;
use tollgate::sim::cards;
use tollgate::sim::cards::CardUse;
use tollgate::sim::load;
use tollgate::sim::load::Belief;
use tollgate::sim::load::Live;
use tollgate::sim::load::Plan;
use tollgate::sim::terminal::Setup;
use tollgate::sim::terminal::drive::Target;

/// How terminals sell.
pub(super) struct Habits {
    /// How many there are.
    pub(super) terminals: u32,
    /// Sales a second, of all together.
    pub(super) rate: f64,
    /// Of a thousand sales, how many make trouble.
    pub(super) trouble: u16,
    /// How long they wait for an answer.
    pub(super) patience: Duration,
    /// Where the choices begin.
    pub(super) seed: u64,
}

impl Default for Habits {
    fn default() -> Self {
        Self { terminals: 24, rate: 120.0, trouble: 20, patience: Duration::from_secs(3), seed: 1 }
    }
}

/// Terminals on a thread of their own.
pub(super) struct Traffic {
    live: Arc<Live>,
    stop: watch::Sender<bool>,
    thread: JoinHandle<Vec<Belief>>,
}

impl Traffic {
    /// Sells `rate` times a second at this door.
    pub(super) fn start(door: SocketAddr, rate: f64, seed: u64) -> Self {
        Self::of(door, &Habits { rate, seed, ..Habits::default() })
    }

    /// Sells at this door as told.
    pub(super) fn of(door: SocketAddr, habits: &Habits) -> Self {
        let live = Arc::new(Live::new().unwrap());
        let target = Target {
            address: door.to_string(),
            tls: None,
            connect_within: Duration::from_millis(500),
            answer_within: habits.patience,
        };
        let plan = Plan {
            terminals: (1..=habits.terminals).map(setup).collect(),
            target,
            cards: cards::demo().into_iter().filter(|card| card.used_by == CardUse::Traffic).collect(),
            rate: habits.rate,
            declines: 60,
            trouble: habits.trouble,
            seed: habits.seed,
            follow_ups: 0,
            batch: None,
        };
        let (stop, stopped) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let shared = Arc::clone(&live);
        let body = move || runtime.block_on(load::run(&plan, &shared, &stopped)).unwrap();
        let thread = std::thread::Builder::new().name("terminals".to_owned()).spawn(body).unwrap();
        Self { live, stop, thread }
    }

    /// Sales without an answer that could be believed.
    pub(super) fn silent(&self) -> u64 {
        self.live.silent.load(Ordering::Relaxed)
    }

    /// Sales sent and approved so far.
    pub(super) fn so_far(&self) -> (u64, u64) {
        (self.live.sent.load(Ordering::Relaxed), self.live.approved.load(Ordering::Relaxed))
    }

    /// Ends it: every terminal undoes what it owes and says what it believes.
    pub(super) fn finish(self) -> Vec<Belief> {
        self.stop.send(true).unwrap();
        self.thread.join().unwrap()
    }
}

fn setup(serial: u32) -> Setup {
    // From the demo's lists; the first ten are for visitors.
    let serial = serial + 10;
    Setup {
        profile: profile("pos").unwrap(),
        terminal: TerminalId::parse(format!("1000{serial:04}").as_bytes()).unwrap(),
        merchant: MerchantId::parse(format!("89811005411{serial:04}").as_bytes()).unwrap(),
        currency: Currency::CNY,
        offset_minutes: 480,
        encrypt_tracks: false,
        habits: tollgate::sim::terminal::Habits::default(),
    }
}
