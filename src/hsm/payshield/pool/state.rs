//! What calls and connections share: a table of calls, a queue and a breaker per connection, counters.

use super::Ended;
use super::PoolStats;
use super::SlotView;
use super::breaker::Breaker;
use crate::hsm::payshield::fields::Body;
use crate::hsm::payshield::frame;
use crate::hsm::payshield::frame::Frame;
use crate::hsm::payshield::setup::PayshieldSetup;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;
use tokio::sync::Notify;
use tokio::sync::oneshot;

/// What a call is told in the end.
pub(super) type Outcome = Result<Body, Ended>;

/// A call in the table of its connection.
enum Pending {
    /// Somebody waits for it.
    Waiting(oneshot::Sender<Outcome>),
    /// Given up at this time; its number is not used again before its answer came or the connection ended.
    Abandoned(Duration),
}

/// One connection as calls see it.
struct Slot {
    up: bool,
    /// Counts connections, so that a late complaint does not hit the next one.
    generation: u64,
    breaker: Breaker,
    pending: HashMap<u64, Pending>,
    queue: VecDeque<Body>,
    next: u64,
    /// The number, among all calls, of the last one that went to it.
    last: u64,
    /// Calls of `pending` that were given up.
    abandoned: usize,
    /// Somebody found its answers unusable.
    distrusted: bool,
    /// Since when it takes no more calls, because too many of its answers are missing.
    retiring: Option<Duration>,
}

impl Slot {
    /// Whether calls may go to it.
    fn is_usable(&self) -> bool {
        self.up && !self.distrusted && self.retiring.is_none() && !self.breaker.is_open()
    }

    /// Whether nobody waits for it, or has waited long enough.
    fn has_drained(&self, now: Duration, within: Duration) -> bool {
        self.retiring.is_some_and(|since| self.pending.len() <= self.abandoned || now >= since + within)
    }
}

/// What the lock guards.
struct State {
    slots: Vec<Slot>,
    stats: PoolStats,
}

/// The pool's state; its lock is never held across an await.
pub(super) struct Shared {
    pub(super) setup: PayshieldSetup,
    start: Instant,
    state: Mutex<State>,
    /// One a connection: there is something to write.
    pub(super) write: Vec<Notify>,
    /// One a connection: its breaker opened, or it is distrusted.
    pub(super) look: Vec<Notify>,
    /// A connection can be used.
    pub(super) usable: Notify,
}

/// Where a call went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::hsm::payshield) struct Place {
    pub(super) slot: usize,
    pub(super) generation: u64,
    id: u64,
}

impl Shared {
    pub(super) fn new(setup: PayshieldSetup) -> Self {
        let count = setup.connections * setup.addresses.len();
        let slot = || Slot {
            up: false,
            generation: 0,
            breaker: Breaker::new(setup.trip_after, setup.cool_down),
            pending: HashMap::new(),
            queue: VecDeque::new(),
            next: 0,
            last: 0,
            abandoned: 0,
            distrusted: false,
            retiring: None,
        };
        let slots = std::iter::repeat_with(slot).take(count).collect();
        let notifies = || std::iter::repeat_with(Notify::new).take(count).collect();
        let state = Mutex::new(State { slots, stats: PoolStats::default() });
        let (write, look) = (notifies(), notifies());
        Self { setup, start: Instant::now(), state, write, look, usable: Notify::new() }
    }

    pub(super) fn slots(&self) -> usize {
        self.write.len()
    }

    /// Connections to one HSM are neighbours only every so often: the first of each HSM come first.
    pub(super) fn address(&self, slot: usize) -> &str {
        let addresses = &self.setup.addresses;
        addresses.get(slot % addresses.len().max(1)).map_or("", String::as_str)
    }

    pub(super) fn stats(&self) -> PoolStats {
        self.state.lock().stats
    }

    pub(super) fn views(&self) -> Vec<SlotView> {
        let state = self.state.lock();
        let view = |(at, slot): (usize, &Slot)| SlotView {
            address: self.address(at).to_owned(),
            up: slot.up && !slot.distrusted && slot.retiring.is_none(),
            open: slot.breaker.is_open(),
            outstanding: slot.pending.len(),
        };
        state.slots.iter().enumerate().map(view).collect()
    }

    /// Changes the counters.
    pub(super) fn count(&self, change: impl FnOnce(&mut PoolStats)) {
        change(&mut self.state.lock().stats);
    }

    pub(super) fn is_usable(&self) -> bool {
        self.state.lock().slots.iter().any(Slot::is_usable)
    }

    /// Which HSM a connection goes to, by its place among the addresses.
    fn host(&self, slot: usize) -> usize {
        slot % self.setup.addresses.len().max(1)
    }

    /// Queues a call on the usable connection with the fewest outstanding, among equals the one that was idle longest: a
    /// spare HSM that does not work is known before it is needed. `not` is where the call failed before: any other HSM
    /// is better than that one.
    pub(super) fn send(&self, body: &[u8], not: Option<Place>) -> Result<(Place, oneshot::Receiver<Outcome>), Ended> {
        let mut state = self.state.lock();
        state.stats.calls += 1;
        let usable = state.slots.iter().enumerate().filter(|(_, slot)| slot.is_usable());
        let same = |at| not.is_some_and(|not| self.host(not.slot) == self.host(at));
        let full = |slot: &Slot| slot.pending.len() >= self.setup.in_flight;
        let Some((at, slot)) = usable.min_by_key(|(at, slot)| (full(slot), same(*at), slot.pending.len(), slot.last))
        else {
            state.stats.unavailable += 1;
            return Err(Ended::Unavailable);
        };
        if full(slot) {
            state.stats.busy += 1;
            return Err(Ended::Busy);
        }
        let calls = state.stats.calls;
        state.slots.get_mut(at).into_iter().for_each(|slot| slot.last = calls);
        self.queue(&mut state, at, body).ok_or(Ended::TooLong)
    }

    /// Queues a probe on one connection, usable or not.
    pub(super) fn send_on(&self, slot: usize, body: &[u8]) -> Option<(Place, oneshot::Receiver<Outcome>)> {
        self.queue(&mut self.state.lock(), slot, body)
    }

    fn queue(&self, state: &mut State, at: usize, body: &[u8]) -> Option<(Place, oneshot::Receiver<Outcome>)> {
        let slot = state.slots.get_mut(at)?;
        // The setup leaves more numbers than calls and probes can be open.
        let numbers = 16_u64.checked_pow(u32::try_from(self.setup.header.min(15)).ok()?)?;
        let id = (0..numbers).map(|more| (slot.next + more) % numbers).find(|id| !slot.pending.contains_key(id))?;
        let frame = frame::frame(&self.header(id), body).ok()?;
        slot.next = (id + 1) % numbers;
        let (reply, answer) = oneshot::channel();
        slot.pending.insert(id, Pending::Waiting(reply));
        slot.queue.push_back(frame);
        let place = Place { slot: at, generation: slot.generation, id };
        self.write.get(at)?.notify_one();
        Some((place, answer))
    }

    /// A call's number as a header: hex digits, zeros in front.
    fn header(&self, id: u64) -> Vec<u8> {
        format!("{id:0width$X}", width = self.setup.header).into_bytes()
    }

    /// What the connection's writer takes next, nothing if nothing waits.
    pub(super) fn take(&self, slot: usize) -> Option<Body> {
        let mut state = self.state.lock();
        state.slots.get_mut(slot)?.queue.pop_front()
    }

    /// Pairs an answer with its call. False if nobody ever asked: the stream is not to be trusted.
    pub(super) fn arrived(&self, slot: usize, frame: Frame) -> bool {
        let digits = std::str::from_utf8(&frame.header).ok();
        let id = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        let mut state = self.state.lock();
        let State { slots, stats } = &mut *state;
        let Some(slot) = slots.get_mut(slot) else { return false };
        // The header must come back as it went out, not only mean the same number.
        let id = id.filter(|id| self.header(*id) == frame.header);
        match id.and_then(|id| slot.pending.remove(&id)) {
            Some(Pending::Waiting(reply)) => {
                // Whoever gave up at this very moment has counted it.
                let _ = reply.send(Ok(frame.body));
                true
            }
            Some(Pending::Abandoned(_)) => {
                slot.abandoned = slot.abandoned.saturating_sub(1);
                stats.late += 1;
                true
            }
            None => {
                stats.unmatched += 1;
                false
            }
        }
    }

    /// Nobody waits for this call any more. Where too many answers are missing the connection takes no more calls
    /// and is made again: its place would else be filled by answers that never come.
    pub(super) fn abandon(&self, place: Place) {
        let now = self.start.elapsed();
        let mut state = self.state.lock();
        let Some(slot) = state.slots.get_mut(place.slot).filter(|slot| slot.generation == place.generation) else {
            return;
        };
        let Some(pending @ Pending::Waiting(_)) = slot.pending.get_mut(&place.id) else { return };
        *pending = Pending::Abandoned(now);
        slot.abandoned += 1;
        let many = 4 * slot.abandoned > self.setup.in_flight;
        if many && slot.retiring.is_none() {
            slot.retiring = Some(now);
        }
        let look = slot.retiring.is_some();
        drop(state);
        self.look_at(place.slot, look);
    }

    /// A connection on which an answer is missing for too long takes no more calls.
    pub(super) fn look_for_missing(&self, slot: usize) {
        let now = self.start.elapsed();
        let mut state = self.state.lock();
        let Some(slot) = state.slots.get_mut(slot).filter(|slot| slot.abandoned > 0) else { return };
        let missing = |pending: &Pending| match pending {
            Pending::Abandoned(since) => now >= *since + self.setup.missing_after,
            Pending::Waiting(_) => false,
        };
        if slot.retiring.is_none() && slot.pending.values().any(missing) {
            slot.retiring = Some(now);
        }
    }

    /// Wakes the watcher of a connection, if there is something to see.
    fn look_at(&self, slot: usize, look: bool) {
        if let Some(notify) = self.look.get(slot).filter(|_| look) {
            notify.notify_one();
        }
    }

    /// How a call went, for the breaker of its connection.
    pub(super) fn judge(&self, place: Place, went: Went) {
        let now = self.start.elapsed();
        let mut state = self.state.lock();
        let State { slots, stats } = &mut *state;
        let Some(slot) = slots.get_mut(place.slot).filter(|slot| slot.generation == place.generation) else { return };
        let opened = match went {
            Went::Well => {
                slot.breaker.succeeded();
                false
            }
            Went::Late => slot.breaker.failed(now),
            Went::Garbage => {
                slot.distrusted = true;
                slot.breaker.failed(now)
            }
        };
        stats.opened += u64::from(opened);
        let look = opened || slot.distrusted;
        drop(state);
        self.look_at(place.slot, look);
    }

    /// An HSM says that it is broken: all connections to it are left alone, not only the one it said so on.
    pub(super) fn broken(&self, place: Place) {
        let now = self.start.elapsed();
        let mut state = self.state.lock();
        let State { slots, stats } = &mut *state;
        stats.hardware += 1;
        if slots.get(place.slot).is_none_or(|slot| slot.generation != place.generation) {
            return;
        }
        let host = self.host(place.slot);
        for (_, slot) in slots.iter_mut().enumerate().filter(|(at, _)| self.host(*at) == host) {
            stats.opened += u64::from(slot.breaker.open(now));
        }
        drop(state);
        self.look.iter().for_each(Notify::notify_one);
    }

    /// A connection is there, but not usable yet.
    pub(super) fn connected(&self, slot: usize) {
        let mut state = self.state.lock();
        let State { slots, stats } = &mut *state;
        let Some(slot) = slots.get_mut(slot) else { return };
        slot.generation += 1;
        slot.distrusted = false;
        slot.retiring = None;
        stats.connected += 1;
    }

    /// A connection may be used, unless its breaker is open.
    pub(super) fn open(&self, slot: usize) {
        if let Some(slot) = self.state.lock().slots.get_mut(slot) {
            slot.up = true;
        }
        self.usable.notify_waiters();
    }

    /// A probe was answered.
    pub(super) fn probed(&self, slot: usize) {
        let mut state = self.state.lock();
        let State { slots, stats } = &mut *state;
        let Some(slot) = slots.get_mut(slot) else { return };
        if slot.breaker.is_open() {
            stats.closed += u64::from(slot.breaker.probed());
        }
        drop(state);
        self.usable.notify_waiters();
    }

    /// What the watcher of a connection needs to know.
    pub(super) fn watched(&self, slot: usize) -> Watched {
        let now = self.start.elapsed();
        let state = self.state.lock();
        let Some(slot) = state.slots.get(slot) else {
            return Watched { distrusted: true, has_drained: false, drained_in: None, probe_in: None };
        };
        let within = self.setup.probe_within;
        Watched {
            distrusted: slot.distrusted,
            has_drained: slot.has_drained(now, within),
            drained_in: slot.retiring.map(|since| (since + within).saturating_sub(now)),
            probe_in: slot.breaker.probe_at().map(|at| at.saturating_sub(now)),
        }
    }

    /// Ends a connection: whoever waits on it hears at once.
    pub(super) fn close(&self, slot: usize) {
        let now = self.start.elapsed();
        let mut state = self.state.lock();
        let State { slots, stats } = &mut *state;
        let Some(slot) = slots.get_mut(slot) else { return };
        let was_up = std::mem::replace(&mut slot.up, false);
        slot.queue.clear();
        slot.generation += 1;
        slot.abandoned = 0;
        let waiting: Vec<_> = std::mem::take(&mut slot.pending)
            .into_values()
            .filter_map(|pending| match pending {
                Pending::Waiting(reply) => Some(reply),
                Pending::Abandoned(_) => None,
            })
            .collect();
        if was_up {
            stats.disconnected += 1;
            // An idle connection that ends is no failure of a call.
            if !waiting.is_empty() && slot.breaker.failed(now) {
                stats.opened += 1;
            }
        }
        drop(state);
        for reply in waiting {
            // A waiter that is gone has ended already.
            let _ = reply.send(Err(Ended::Lost));
        }
    }
}

/// How a call went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Went {
    /// It was answered, with success or a reason.
    Well,
    /// Not in time.
    Late,
    /// With something that is no answer to it.
    Garbage,
}

/// A connection as its watcher sees it.
pub(super) struct Watched {
    pub(super) distrusted: bool,
    /// It is to be made again, and may be now.
    pub(super) has_drained: bool,
    /// Time until it may be whoever waits, if it is to be made again.
    pub(super) drained_in: Option<Duration>,
    /// Time until its open breaker wants a probe.
    pub(super) probe_in: Option<Duration>,
}

/// A call on its way. Dropping it gives it up.
pub(super) struct OnItsWay {
    pub(super) shared: Arc<Shared>,
    pub(super) place: Place,
    pub(super) ended: bool,
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        if !self.ended {
            self.shared.abandon(self.place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Ended;
    use super::PayshieldSetup;
    use super::Shared;
    use super::Went;

    /// Connections that are up, `each` to each of these HSMs.
    fn up(addresses: &[&str], each: usize) -> Shared {
        let addresses = addresses.iter().map(|address| (*address).to_owned()).collect();
        let shared = Shared::new(PayshieldSetup { addresses, connections: each, ..PayshieldSetup::new("") });
        (0..shared.slots()).for_each(|slot| {
            shared.connected(slot);
            shared.open(slot);
        });
        shared
    }

    #[test]
    fn a_connection_that_brought_garbage_takes_no_call_even_before_it_is_closed() {
        let shared = up(&["a:1"], 1);
        let (place, _answer) = shared.send(b"x", None).unwrap();
        shared.judge(place, Went::Garbage);
        assert!(!shared.is_usable() && !shared.views()[0].up);
        assert_eq!(shared.send(b"x", None).map(|_| ()), Err(Ended::Unavailable));
    }

    #[test]
    fn a_repeat_goes_to_another_hsm_and_not_to_another_connection_of_the_same() {
        let shared = up(&["a:1", "b:1"], 2);
        let (failed, _answer) = shared.send(b"x", None).unwrap();
        let repeats: Vec<_> = (0..6).map(|_| shared.send(b"x", Some(failed)).unwrap()).collect();
        assert!(repeats.iter().all(|(place, _)| place.slot % 2 != failed.slot % 2));
        let alone = up(&["a:1"], 2);
        let (failed, _answer) = alone.send(b"x", None).unwrap();
        assert!(alone.send(b"x", Some(failed)).is_ok(), "where there is no other HSM the same one must do");
    }

    #[test]
    fn an_hsm_that_is_broken_is_left_alone_on_all_its_connections() {
        let shared = up(&["a:1", "b:1"], 2);
        let (place, _answer) = shared.send(b"x", None).unwrap();
        shared.broken(place);
        let open: Vec<_> = shared.views().iter().map(|view| view.open).collect();
        assert_eq!(open, [true, false, true, false]);
    }

    #[test]
    fn a_connection_takes_no_more_calls_once_a_quarter_of_its_answers_is_missing() {
        let shared = up(&["a:1"], 1);
        let most = shared.setup.in_flight / 4;
        for _ in 0..=most {
            assert!(shared.is_usable() && !shared.watched(0).has_drained);
            let (place, _answer) = shared.send(b"x", None).unwrap();
            shared.abandon(place);
            shared.abandon(place);
        }
        assert!(!shared.is_usable() && shared.watched(0).has_drained);
        shared.close(0);
        shared.connected(0);
        shared.open(0);
        assert!(shared.is_usable());
    }
}
