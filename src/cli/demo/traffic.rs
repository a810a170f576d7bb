//! The demo's simulated terminals, on a thread of their own.

use crate::channel;
use crate::cli::{Exit, Failure};
use crate::model::TerminalFacts;
use crate::registry::Registry;
use crate::sim::cards::CardUse;
use crate::sim::cards::TestCard;
use crate::sim::load;
use crate::sim::load::Belief;
use crate::sim::load::Live;
use crate::sim::load::LoadFault;
use crate::sim::load::Plan;
use crate::sim::terminal::Habits;
use crate::sim::terminal::Setup;
use crate::sim::terminal::drive::Target;
use crate::sim::till_roll::TillRoll;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;

/// Whose sales are simulated; the ones below are for visitors.
const TERMINALS: RangeInclusive<&str> = "10000010"..="10000200";
/// Of a thousand simulated sales, how many are declined and how many make trouble.
const DECLINES: u16 = 60;
const TROUBLE: u16 = 4;
/// Of a thousand approved sales, how many are followed by a void, a refund, a completion, an offline sale.
const FOLLOW_UPS: u16 = 200;
/// How many slips a terminal's batch has when it settles by itself.
const BATCH: usize = 50;
/// Longer than the switch waits for an issuer.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// How long the switch's doors may take to open.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// Traffic that runs.
pub(super) struct Traffic {
    /// What happened so far.
    pub(super) live: Arc<Live>,
    stop: watch::Sender<bool>,
    thread: JoinHandle<Result<Vec<Belief>, LoadFault>>,
}

impl Traffic {
    /// Starts selling at `rate` a second. None at all for a rate of zero, but terminals that go on from a
    /// record undo what they owe.
    ///
    /// # Errors
    /// No thread, no runtime.
    pub(super) fn start(
        registry: &Registry,
        cards: &[TestCard],
        door: SocketAddr,
        (rate, seed): (f64, u64),
        roll: Option<Arc<TillRoll>>,
    ) -> Result<Option<Self>, Failure> {
        if rate <= 0.0 && roll.as_ref().is_none_or(|roll| roll.is_new()) {
            return Ok(None);
        }
        let broken = |what: &str| Failure::new(Exit::Config, what.to_owned());
        let live = Arc::new(Live::new().ok_or_else(|| broken("no histogram"))?);
        let plan = Plan {
            terminals: setups(registry).ok_or_else(|| broken("no profile pos"))?,
            target: target(door),
            cards: cards.iter().filter(|card| card.used_by == CardUse::Traffic).cloned().collect(),
            rate,
            declines: DECLINES,
            trouble: TROUBLE,
            seed,
            follow_ups: FOLLOW_UPS,
            batch: Some(BATCH),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::clone(&live);
        let body = move || runtime.block_on(load::go_on(&plan, roll.as_ref(), &shared, &stopped));
        let thread = std::thread::Builder::new().name("terminals".to_owned()).spawn(body)?;
        Ok(Some(Self { live, stop, thread }))
    }

    /// Ends it: every terminal undoes what it owes, and says what it believes.
    ///
    /// # Errors
    /// There was no traffic, and why.
    pub(super) fn finish(self) -> Result<Vec<Belief>, Failure> {
        // The receiver is gone only if the traffic has ended already.
        let _ = self.stop.send(true);
        match self.thread.join() {
            Ok(beliefs) => beliefs.map_err(|fault| Failure::new(Exit::Config, fault.to_string())),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// How a terminal of the demo calls.
pub(super) fn target(door: SocketAddr) -> Target {
    Target { address: door.to_string(), tls: None, connect_within: CONNECT_WITHIN, answer_within: ANSWER_WITHIN }
}

fn setups(registry: &Registry) -> Option<Vec<Setup>> {
    let profile = channel::builtin::profile("pos")?;
    let simulated = |facts: &&Arc<TerminalFacts>| TERMINALS.contains(&facts.terminal.as_str());
    let mut terminals: Vec<Setup> = registry
        .terminals()
        .filter(simulated)
        .map(|facts| Setup {
            profile: Arc::clone(&profile),
            terminal: facts.terminal,
            merchant: facts.merchant,
            currency: facts.currency,
            offset_minutes: facts.offset_minutes,
            encrypt_tracks: false,
            habits: Habits::default(),
        })
        .collect();
    terminals.sort_by_key(|setup| setup.terminal);
    Some(terminals)
}
