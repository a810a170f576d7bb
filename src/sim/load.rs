//! Many terminals at once, at a given rate, each keeping its own truth.
//!
//! The rate is an open schedule: terminal `i` of `n` sells at `(i + k·n) / rate`, whatever happened before;
//! one that is still waiting, or still undoing, sells late. What a terminal believes in the end (approved
//! and not undone) is compared to the cent with what the switch and the issuers booked.

use super::cards::TestCard;
use super::teller::Teller;
use super::terminal::drive::{DriveFault, Driver, Outcome, Target};
use super::terminal::{
    Answer, Card, Deed, Done, Entry, Memory, MemoryFault, Original, PadFault, Presented, Purchase, Settlement, Setup,
    Task, Terminal, demo_dukpt_pad, demo_pin_pad,
};
use super::till_roll::{Remembered, Step, TillRoll};
use crate::hsm::calculator::ClearPin;
use crate::model::Amount;
use crate::model::Kind;
use crate::model::Rrn;
use crate::model::SplitMix64;
use crate::model::TerminalId;
use crate::server::SystemEntropy;
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

/// How long a terminal may take at the end to undo what it owes.
const SETTLE_WITHIN: Duration = Duration::from_secs(60);
/// Slower answers than this count as this, in microseconds.
const SLOWEST: u64 = 120_000_000;

/// What the terminals do.
#[derive(Clone)]
pub struct Plan {
    /// The terminals; each needs one of the demo's numbers.
    pub terminals: Vec<Setup>,
    /// Where they call. The wait for an answer must be longer than the switch's own for an issuer.
    pub target: Target,
    /// The cards that are presented, at least one.
    pub cards: Vec<TestCard>,
    /// Sales a second, of all terminals together.
    pub rate: f64,
    /// Of a thousand sales, how many are to be declined.
    pub declines: u16,
    /// Of a thousand sales, how many make trouble (666.01 to 666.10).
    pub trouble: u16,
    /// Where the choices begin: the same seed makes the same sales.
    pub seed: u64,
    /// Of a thousand approved sales, how many are followed by something: a void, a refund of a part, a tip, a hold
    /// and its completion, a sale made offline.
    pub follow_ups: u16,
    /// A terminal settles when its batch has so many slips, and at the end; `None` never does.
    pub batch: Option<usize>,
}

/// What is going on, for a live line. Shared.
pub struct Live {
    /// Sales sent.
    pub sent: AtomicU64,
    /// Sales approved and believed.
    pub approved: AtomicU64,
    /// Sales without an answer that could be believed.
    pub silent: AtomicU64,
    /// Requests undone, as the switch acknowledged.
    pub reversed: AtomicU64,
    /// Slots in which a terminal could not sell: no connection, no sign-in, a reversal not accepted.
    pub missed: AtomicU64,
    /// What followed sales.
    pub follow_ups: AtomicU64,
    /// Batches settled, with totals that agreed.
    pub balanced: AtomicU64,
    /// Batches settled with totals that differed.
    pub unbalanced: AtomicU64,
    /// Terminals that could not settle at the end.
    pub unsettled: AtomicU64,
    codes: Mutex<BTreeMap<String, u64>>,
    latency: Mutex<Histogram<u64>>,
}

impl Live {
    /// Nothing has happened.
    #[must_use]
    pub fn new() -> Option<Self> {
        let count = || AtomicU64::new(0);
        Some(Self {
            sent: count(),
            approved: count(),
            silent: count(),
            reversed: count(),
            missed: count(),
            follow_ups: count(),
            balanced: count(),
            unbalanced: count(),
            unsettled: count(),
            codes: Mutex::default(),
            latency: Mutex::new(Histogram::new_with_bounds(1, SLOWEST, 3).ok()?),
        })
    }

    /// How many sales ended with which code on the wire; `--` is none that could be believed.
    #[must_use]
    pub fn codes(&self) -> BTreeMap<String, u64> {
        self.codes.lock().clone()
    }

    /// Time from request to answer at a quantile (0.5, 0.99).
    #[must_use]
    pub fn latency(&self, quantile: f64) -> Duration {
        Duration::from_micros(self.latency.lock().value_at_quantile(quantile))
    }

    fn note(&self, code: &str, taken: Option<Duration>) {
        *self.codes.lock().entry(code.to_owned()).or_default() += 1;
        if let Some(taken) = taken {
            self.latency.lock().saturating_record(u64::try_from(taken.as_micros()).unwrap_or(SLOWEST).max(1));
        }
    }
}

/// What one terminal believes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Belief {
    /// Which terminal.
    pub terminal: TerminalId,
    /// Each charge approved and not taken back, sales, completions and holds: reference number (blanks if the
    /// answer had none) and amount.
    pub sales: Vec<(Rrn, Amount)>,
    /// Each refund, likewise.
    pub given: Vec<(Rrn, Amount)>,
    /// Whether a reversal is still pending: nobody knows about that sale.
    pub unresolved: bool,
}

impl Belief {
    /// The sum of its sales.
    #[must_use]
    pub fn amount(&self) -> Amount {
        self.sales.iter().fold(Amount::ZERO, |sum, (_, amount)| sum.plus(*amount).unwrap_or(Amount::MAX))
    }
}

/// Why there was no traffic.
#[derive(Debug, thiserror::Error)]
pub enum LoadFault {
    /// The plan has no terminals, no cards, or no rate.
    #[error("no terminals, no cards or no rate")]
    Empty,
    /// A terminal has no test key.
    #[error("terminal {0} has no test key")]
    NoKey(TerminalId),
    /// A PIN pad refused its key.
    #[error(transparent)]
    Pad(#[from] PadFault),
    /// What a terminal remembers is not its own.
    #[error("terminal {0}: {1}")]
    Memory(TerminalId, MemoryFault),
}

/// Runs the plan until `stop` says `true`, then lets every terminal undo what it owes. Needs a tokio
/// runtime with time and network; other threads' work does not disturb it.
///
/// # Errors
/// [`LoadFault`]: nothing was sent.
pub async fn run(plan: &Plan, live: &Arc<Live>, stop: &watch::Receiver<bool>) -> Result<Vec<Belief>, LoadFault> {
    if plan.rate.partial_cmp(&0.0).is_none_or(|order| order.is_le()) {
        return Err(LoadFault::Empty);
    }
    go_on(plan, None, live, stop).await
}

/// The same with terminals that go on from a record and keep it. With a rate of zero they only undo what
/// they owe.
///
/// # Errors
/// [`LoadFault`]: nothing was sent.
pub async fn go_on(
    plan: &Plan,
    roll: Option<&Arc<TillRoll>>,
    live: &Arc<Live>,
    stop: &watch::Receiver<bool>,
) -> Result<Vec<Belief>, LoadFault> {
    if plan.terminals.is_empty() || plan.cards.is_empty() || plan.rate.is_nan() || plan.rate < 0.0 {
        return Err(LoadFault::Empty);
    }
    let start = Instant::now();
    let count = plan.terminals.len();
    let cards: Arc<[TestCard]> = plan.cards.clone().into();
    let mut tasks = JoinSet::new();
    for (at, setup) in plan.terminals.iter().enumerate() {
        let mut clerk = Clerk {
            driver: driver(setup, roll, &plan.target)?,
            chance: Chance(SplitMix64::new(plan.seed ^ (at as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15))),
            cards: Arc::clone(&cards),
            mix: (plan.declines, plan.trouble),
            follow_ups: plan.follow_ups,
            batch: plan.batch,
            live: Arc::clone(live),
        };
        let sells = plan.rate > 0.0;
        let slot = sells.then(|| Slot { start, first: at as f64 / plan.rate, every: count as f64 / plan.rate });
        let stop = stop.clone();
        tasks.spawn(async move { clerk.work(slot, stop).await });
    }
    let mut beliefs: Vec<Belief> = Vec::with_capacity(count);
    while let Some(joined) = tasks.join_next().await {
        beliefs.extend(joined.ok());
    }
    beliefs.sort_by_key(|belief| belief.terminal);
    Ok(beliefs)
}

/// A terminal as it was left, and who keeps its record.
fn driver(setup: &Setup, roll: Option<&Arc<TillRoll>>, target: &Target) -> Result<Driver<Teller>, LoadFault> {
    let terminal = setup.terminal;
    let entropy = Arc::new(SystemEntropy);
    let pad = match setup.profile.dukpt {
        Some(_) => demo_dukpt_pad(terminal, entropy)?,
        None => demo_pin_pad(terminal, setup.profile.sign_in, entropy)?,
    };
    let pad = pad.ok_or(LoadFault::NoKey(terminal))?;
    let Remembered { memory, step } = roll.map(|roll| roll.remembered(terminal)).unwrap_or_default();
    let memory = match memory {
        Some(text) => {
            Memory::from_json(&text, setup.owner(), &pad).map_err(|fault| LoadFault::Memory(terminal, fault))?
        }
        None => Memory::default(),
    };
    let teller = Teller::new(roll.map(Arc::clone), step, &memory);
    Ok(Driver::new(Terminal::new(setup.clone(), pad, memory)?, target.clone(), teller))
}

/// When one terminal sells, in seconds from the start.
#[derive(Clone, Copy)]
struct Slot {
    start: Instant,
    first: f64,
    every: f64,
}

impl Slot {
    fn at(&self, round: u32) -> Instant {
        self.start + Duration::from_secs_f64(self.first + self.every * f64::from(round))
    }
}

/// Who stands behind one counter.
struct Clerk {
    driver: Driver<Teller>,
    chance: Chance,
    cards: Arc<[TestCard]>,
    mix: (u16, u16),
    follow_ups: u16,
    batch: Option<usize>,
    live: Arc<Live>,
}

impl Clerk {
    async fn work(&mut self, slot: Option<Slot>, mut stop: watch::Receiver<bool>) -> Belief {
        for round in 0.. {
            let next = async {
                match slot {
                    Some(slot) => sleep_until(slot.at(round)).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = next => {}
                _ = stop.wait_for(|stop| *stop) => break,
            }
            if self.sell().await.is_err() {
                self.live.missed.fetch_add(1, Ordering::Relaxed);
            }
        }
        let deadline = Instant::now() + SETTLE_WITHIN;
        self.undo_within(deadline).await;
        self.settle_within(deadline).await;
        let unresolved = self.driver.terminal().memory().pending.is_some();
        let terminal = self.driver.terminal().setup().terminal;
        let Step { sales, given, .. } = self.driver.attendant_mut().believed();
        Belief { terminal, sales, given, unresolved }
    }

    async fn undo_within(&mut self, deadline: Instant) {
        while self.driver.terminal().memory().pending.is_some() && Instant::now() < deadline {
            let settled = timeout_at(deadline, self.make_ready()).await;
            if !matches!(settled, Ok(Ok(true))) {
                self.driver.hang_up();
                sleep_until(deadline.min(Instant::now() + Duration::from_millis(500))).await;
            }
        }
    }

    async fn settle_within(&mut self, deadline: Instant) {
        while !matches!(timeout_at(deadline, self.close_batch(1)).await, Ok(Ok(true))) {
            if Instant::now() >= deadline {
                self.live.unsettled.fetch_add(1, Ordering::Relaxed);
                return;
            }
            self.driver.hang_up();
            sleep_until(deadline.min(Instant::now() + Duration::from_millis(500))).await;
        }
    }

    /// Settles a batch of at least so many slips, and one whose settlement was interrupted. Whether nothing of
    /// that is left to be done.
    async fn close_batch(&mut self, least: usize) -> Result<bool, DriveFault> {
        let log = &self.driver.terminal().memory().log;
        if self.batch.is_none() || (log.closing.is_none() && log.slips.len() < least) {
            return Ok(true);
        }
        match self.driver.settle().await? {
            Settlement::Closed(settled) => {
                let counter = if settled.balanced { &self.live.balanced } else { &self.live.unbalanced };
                counter.fetch_add(1, Ordering::Relaxed);
                Ok(true)
            }
            Settlement::ByHost => Ok(true),
            Settlement::Stopped(_) => Ok(false),
        }
    }

    /// Signs in and undoes as far as needed. Whether a sale may go.
    async fn make_ready(&mut self) -> Result<bool, DriveFault> {
        let owed = self.driver.terminal().memory().pending.is_some();
        self.driver.make_ready().await?;
        if owed && self.driver.terminal().memory().pending.is_none() {
            self.live.reversed.fetch_add(1, Ordering::Relaxed);
        }
        Ok(self.driver.is_ready())
    }

    async fn sell(&mut self) -> Result<(), DriveFault> {
        if !self.make_ready().await? || !self.close_batch(self.batch.unwrap_or(usize::MAX)).await? {
            self.driver.hang_up();
            self.live.missed.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        let cards = Arc::clone(&self.cards);
        let Some(test) = cards.get(self.chance.below(cards.len() as u64) as usize) else { return Ok(()) };
        let (card, known) = (Card::of(test), ClearPin::parse(test.pin().as_bytes()).ok());
        let (entry, with_pin) = match self.chance.below(10) {
            0..=5 => (Entry::Chip, true),
            6..=7 => (Entry::Tap, false),
            8 => (Entry::Swipe, true),
            _ => (Entry::Tap, true),
        };
        let amount = self.amount();
        let purchase =
            Purchase { kind: Kind::Sale, amount, card: &card, entry, pin: known.as_ref().filter(|_| with_pin) };
        let sent = self.driver.prepare(&purchase)?;
        self.live.sent.fetch_add(1, Ordering::Relaxed);
        let began = Instant::now();
        let outcome = self.driver.send(&sent).await?;
        if self.batch.is_none() {
            self.driver.terminal_mut().forget_slips();
        }
        self.note(&outcome, began.elapsed());
        if outcome.answer().is_some_and(|answer| answer.wants_sign_in() && !answer.approved) {
            self.driver.sign_in().await?;
        }
        let approved = outcome.answer().is_some_and(|answer| answer.approved && answer.valid);
        if approved && amount.minor().is_multiple_of(100) && self.chance.below(1000) < u64::from(self.follow_ups) {
            self.follow_up(&Presented { card, entry: Entry::Manual, pin: None }).await?;
        }
        Ok(())
    }

    /// Something follows the sale just made.
    async fn follow_up(&mut self, shown: &Presented) -> Result<(), DriveFault> {
        let Some(slip) = self.driver.terminal().memory().log.slips.last() else { return Ok(()) };
        let (sale, amount) = (Original::from(slip), slip.amount);
        let half = Amount::new(amount.minor() / 200 * 100).filter(|half| half.minor() > 0).unwrap_or(amount);
        let card = Some(shown);
        // Whole, and at most half of what is paid: stations let tips be no more by default.
        let tip = Amount::new(100 * (1 + self.chance.below(20)).min(amount.minor() / 200)).unwrap_or(Amount::ZERO);
        let tipped = amount.plus(tip).unwrap_or(amount);
        let task = match self.chance.below(5) {
            0 => Task { amount, original: Some(&sale), ..Task::of(Deed::Follow(Kind::SaleVoid)) },
            1 => Task { amount: half, original: Some(&sale), ..Task::of(Deed::Follow(Kind::Refund)) },
            2 => Task { amount, card, ..Task::of(Deed::Offline(Kind::OfflineSale)) },
            3 if tip > Amount::ZERO => {
                Task { amount: tipped, tip, original: Some(&sale), ..Task::of(Deed::Follow(Kind::Adjustment)) }
            }
            _ => Task { amount, card, ..Task::of(Deed::Card(Kind::Authorization)) },
        };
        let done = self.driver.perform(&task).await?;
        self.live.follow_ups.fetch_add(1, Ordering::Relaxed);
        if let (Done::Asked(_, _, Some(slip)), Deed::Card(_)) = (&done, task.deed) {
            let hold = Original::from(&**slip);
            let task = Task { amount: half, original: Some(&hold), ..Task::of(Deed::Follow(Kind::Completion)) };
            self.driver.perform(&task).await?;
            self.live.follow_ups.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn note(&mut self, outcome: &Outcome, taken: Duration) {
        match outcome.answer().filter(|answer| answer.valid) {
            Some(Answer { approved: true, wire_code, .. }) => {
                self.live.approved.fetch_add(1, Ordering::Relaxed);
                self.live.note(wire_code, Some(taken));
            }
            Some(answer) => self.live.note(&answer.wire_code, Some(taken)),
            None if matches!(outcome, Outcome::NoConnection(_)) => {
                self.live.missed.fetch_add(1, Ordering::Relaxed);
            }
            None => {
                self.live.silent.fetch_add(1, Ordering::Relaxed);
                self.live.note("--", None);
            }
        }
    }

    /// 1.00 to 200.00 as a rule; some with cents that decline; some that make trouble.
    fn amount(&mut self) -> Amount {
        const DECLINING: [u64; 5] = [51, 5, 61, 54, 14];
        let (declines, trouble) = self.mix;
        let whole = 1 + self.chance.below(200);
        let minor = match self.chance.below(1000) {
            roll if roll < u64::from(trouble) => 66_600 + 1 + self.chance.below(10),
            roll if roll < u64::from(trouble) + u64::from(declines) => {
                whole * 100 + DECLINING.get(self.chance.below(5) as usize).copied().unwrap_or(51)
            }
            _ => whole * 100,
        };
        Amount::new(minor).unwrap_or(Amount::ZERO)
    }
}

/// The choices of one clerk.
struct Chance(SplitMix64);

impl Chance {
    /// A number below `most`, which is not zero.
    fn below(&mut self, most: u64) -> u64 {
        self.0.draw() % most.max(1)
    }
}
