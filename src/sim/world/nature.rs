//! What nobody in a world can argue with: time, chance, power, and the record of what happened.

use super::chance::Chance;
use super::coverage::Coverage;
use super::coverage::Sometimes;
use crate::model::Clock;
use crate::model::Timestamp;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::time::Duration;

/// Where a world's wall clock starts: 2026-11-21T07:00:00Z, afternoon at the terminals, six hours of wall time
/// before their midnight.
const START: i64 = 1_795_244_400_000_000;

/// Lines of a record: none that is sane has so many.
const MOST_LINES: usize = 20_000;

/// When the station goes down by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Cut {
    /// At which effect, counted from the start of the world.
    pub(super) effect: u64,
    /// Whether that effect still happens.
    pub(super) after: bool,
}

/// Shared by everything in a world.
pub(super) struct Nature(Mutex<Inner>);

struct Inner {
    chance: Chance,
    now: Duration,
    wall_step: i64,
    timers: BTreeMap<(Duration, u64), Waker>,
    next_timer: u64,
    effects: u64,
    cut: Option<Cut>,
    down: bool,
    hash: u64,
    lines: Vec<String>,
    coverage: Coverage,
}

impl Nature {
    pub(super) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Inner {
            chance: Chance::new(seed, 1),
            now: Duration::ZERO,
            wall_step: 0,
            timers: BTreeMap::new(),
            next_timer: 0,
            effects: 0,
            cut: None,
            down: false,
            hash: 0xCBF2_9CE4_8422_2325,
            lines: Vec::new(),
            coverage: Coverage::default(),
        })))
    }

    /// Draws.
    pub(super) fn draw<T>(&self, of: impl FnOnce(&mut Chance) -> T) -> T {
        of(&mut self.0.lock().chance)
    }

    /// Something that can be seen from outside happened.
    pub(super) fn say(&self, what: &str) {
        let mut inner = self.0.lock();
        let line = format!("{:>12.6} {what}", inner.now.as_secs_f64());
        for byte in line.bytes() {
            inner.hash = (inner.hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
        inner.lines.push(line);
        // A task that never waits cannot be stopped otherwise.
        assert!(inner.lines.len() < MOST_LINES, "more happens than in any sane world: something spins");
    }

    /// The station does something that the world outside can see, or that a disk keeps. Whether it happens:
    /// after a power cut nothing does.
    pub(super) fn effect(&self, what: &str) -> bool {
        let happens = {
            let mut inner = self.0.lock();
            if inner.down {
                return false;
            }
            inner.effects += 1;
            let hit = inner.cut.filter(|cut| cut.effect == inner.effects);
            inner.down = hit.is_some();
            hit.is_none_or(|cut| cut.after)
        };
        self.say(&if happens { what.to_owned() } else { format!("not any more: {what}") });
        happens
    }

    /// How many effects there were.
    pub(super) fn effects(&self) -> u64 {
        self.0.lock().effects
    }

    /// The station goes down at an effect to come; `None`: not by itself.
    pub(super) fn cut_at(&self, cut: Option<Cut>) {
        self.0.lock().cut = cut;
    }

    /// The station goes down now.
    pub(super) fn cut_now(&self) {
        self.0.lock().down = true;
    }

    /// Whether it went down by a planned cut, and not by itself.
    pub(super) fn was_cut(&self) -> bool {
        let inner = self.0.lock();
        inner.down && inner.cut.is_some_and(|cut| cut.effect <= inner.effects)
    }

    pub(super) fn is_down(&self) -> bool {
        self.0.lock().down
    }

    /// The power is back.
    pub(super) fn restore(&self) {
        let mut inner = self.0.lock();
        inner.down = false;
    }

    /// One of the things that must happen now and then did.
    pub(super) fn sometimes(&self, what: Sometimes) {
        self.0.lock().coverage.count(what);
    }

    pub(super) fn coverage(&self) -> Coverage {
        self.0.lock().coverage.clone()
    }

    pub(super) fn now(&self) -> Duration {
        self.0.lock().now
    }

    pub(super) fn wall(&self) -> Timestamp {
        let inner = self.0.lock();
        let run = i64::try_from(inner.now.as_micros()).unwrap_or(i64::MAX);
        Timestamp(START.saturating_add(run).saturating_add(inner.wall_step))
    }

    /// The wall clock jumps.
    pub(super) fn step_wall(&self, minutes: i64) {
        self.say(&format!("the wall clock jumps by {minutes} minutes"));
        self.0.lock().wall_step += minutes * 60_000_000;
        self.sometimes(Sometimes::ClockStep);
    }

    /// When something is due next.
    pub(super) fn next_timer(&self) -> Option<Duration> {
        self.0.lock().timers.first_key_value().map(|((at, _), _)| *at)
    }

    /// Lets time pass and wakes whoever waited for it.
    pub(super) fn advance(&self, to: Duration) {
        let due: Vec<Waker> = {
            let mut inner = self.0.lock();
            inner.now = inner.now.max(to);
            let later = inner.timers.split_off(&(to, u64::MAX));
            std::mem::replace(&mut inner.timers, later).into_values().collect()
        };
        due.into_iter().for_each(Waker::wake);
    }

    /// Completes when so much time has passed.
    pub(super) fn after(self: &Arc<Self>, after: Duration) -> Timer {
        let at = self.now() + after;
        Timer { nature: Arc::clone(self), at, number: None }
    }

    /// The hash of the whole record, and the record.
    pub(super) fn record(&self) -> (u64, Vec<String>) {
        let inner = self.0.lock();
        (inner.hash, inner.lines.clone())
    }
}

/// A wait in virtual time.
pub(super) struct Timer {
    nature: Arc<Nature>,
    at: Duration,
    number: Option<u64>,
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let at = self.at;
        let number = {
            let mut inner = self.nature.0.lock();
            if inner.now >= at {
                return Poll::Ready(());
            }
            let number = self.number.unwrap_or(inner.next_timer);
            if self.number.is_none() {
                inner.next_timer += 1;
            }
            inner.timers.insert((at, number), context.waker().clone());
            number
        };
        self.number = Some(number);
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.nature.0.lock().timers.remove(&(self.at, number));
        }
    }
}

/// A world's clock: monotonic time that only the world moves, and a wall clock that may jump.
pub struct SimClock(pub(super) Arc<Nature>);

impl Clock for SimClock {
    fn wall(&self) -> Timestamp {
        self.0.wall()
    }

    fn monotonic(&self) -> Duration {
        self.0.now()
    }

    fn deadline(&self, after: Duration) -> impl Future<Output = ()> + Send + 'static {
        self.0.after(after)
    }
}
