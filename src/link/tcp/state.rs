//! What requests and connections share: the multiplexer, a queue per connection, counters.

use super::LinkStats;
use super::TcpLinkSetup;
use crate::channel::CorrelationKey;
use crate::channel::Received;
use crate::link::LinkReply;
use crate::link::mux;
use crate::link::mux::Arrival;
use crate::link::mux::Mux;
use crate::link::mux::Ticket;
use bytes::Bytes;
use bytes::BytesMut;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use tokio::sync::Notify;
use tokio::sync::oneshot;

/// Bytes that one write takes from the queue at most, unless a single unit is longer.
const WRITE_MOST: usize = 64 * 1024;

/// How far a connection has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    /// Nothing can be written.
    Down,
    /// Only management messages may be written.
    SigningOn,
    /// Requests may be written.
    Up,
}

/// A request as the multiplexer keeps it.
pub(super) struct Waiter {
    reply: oneshot::Sender<LinkReply<Received>>,
    /// Whether a byte of it has left.
    left: Arc<AtomicBool>,
}

/// A unit that waits for its connection's writer.
struct Queued {
    /// Of a request; an answer has none.
    ticket: Option<Ticket>,
    unit: Bytes,
    left: Arc<AtomicBool>,
}

/// One connection as requests see it.
struct Slot {
    phase: Phase,
    queue: VecDeque<Queued>,
}

/// What the lock guards.
struct State {
    mux: Mux<CorrelationKey, Waiter>,
    slots: Vec<Slot>,
    stats: LinkStats,
}

/// The link's state; its lock is never held across an await.
pub(super) struct Shared {
    pub(super) setup: TcpLinkSetup,
    state: Mutex<State>,
    /// One a connection: its queue is no longer empty.
    wake: Vec<Notify>,
    /// A connection came up.
    came_up: Notify,
}

/// Units on their way into the socket.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) bytes: BytesMut,
    /// Where each unit begins, counted from the first byte of the batch.
    starts: VecDeque<(usize, Arc<AtomicBool>)>,
    written: usize,
}

impl Batch {
    /// Takes note that so many bytes were accepted by the socket.
    pub(super) fn wrote(&mut self, bytes: usize) {
        self.written += bytes;
        while self.starts.front().is_some_and(|(start, _)| *start < self.written) {
            let Some((_, left)) = self.starts.pop_front() else { break };
            left.store(true, Ordering::Release);
        }
    }
}

impl Shared {
    pub(super) fn new(setup: TcpLinkSetup) -> Self {
        let connections = setup.connections.max(1);
        let slot = || Slot { phase: Phase::Down, queue: VecDeque::new() };
        let state = State {
            mux: Mux::new(connections, setup.in_flight, mux::REMEMBERED),
            slots: std::iter::repeat_with(slot).take(connections).collect(),
            stats: LinkStats::default(),
        };
        let wake = std::iter::repeat_with(Notify::new).take(connections).collect();
        Self { setup, state: Mutex::new(state), wake, came_up: Notify::new() }
    }

    pub(super) fn slots(&self) -> usize {
        self.wake.len()
    }

    pub(super) fn is_up(&self) -> bool {
        self.state.lock().slots.iter().any(|slot| slot.phase == Phase::Up)
    }

    pub(super) async fn until_up(&self) {
        loop {
            let came_up = self.came_up.notified();
            if self.is_up() {
                return;
            }
            came_up.await;
        }
    }

    pub(super) fn stats(&self) -> LinkStats {
        let state = self.state.lock();
        let up = state.slots.iter().filter(|slot| slot.phase == Phase::Up).count();
        LinkStats { mux: state.mux.counters(), up, ..state.stats }
    }

    /// Changes the counters.
    pub(super) fn count(&self, change: impl FnOnce(&mut LinkStats)) {
        change(&mut self.state.lock().stats);
    }

    /// Queues a request on the connection that is up and has the fewest in flight. `None`: not sent.
    pub(super) fn send(self: &Arc<Self>, key: CorrelationKey, unit: Bytes) -> Option<Waiting> {
        let mut state = self.state.lock();
        let up = state.slots.iter().enumerate().filter(|(_, slot)| slot.phase == Phase::Up).map(|(at, _)| at);
        let slot = up.min_by_key(|at| state.mux.in_flight(*at));
        let waiting = slot.and_then(|slot| self.queue(&mut state, slot, key, unit));
        if waiting.is_none() {
            state.stats.not_sent += 1;
        }
        waiting
    }

    /// Queues a management message on one connection, signed on or not.
    pub(super) fn send_on(self: &Arc<Self>, slot: usize, key: CorrelationKey, unit: Bytes) -> Option<Waiting> {
        let mut state = self.state.lock();
        let open = state.slots.get(slot).is_some_and(|slot| slot.phase != Phase::Down);
        if open { self.queue(&mut state, slot, key, unit) } else { None }
    }

    /// Queues an answer on the connection by which its request came. False if that is gone, or its queue too long.
    pub(super) fn say(&self, slot: usize, unit: Bytes) -> bool {
        let mut state = self.state.lock();
        let most = self.setup.in_flight;
        let open = state.slots.get_mut(slot).filter(|slot| slot.phase != Phase::Down && slot.queue.len() < most);
        let Some(open) = open else { return false };
        open.queue.push_back(Queued { ticket: None, unit, left: Arc::default() });
        drop(state);
        if let Some(wake) = self.wake.get(slot) {
            wake.notify_one();
        }
        true
    }

    fn queue(self: &Arc<Self>, state: &mut State, slot: usize, key: CorrelationKey, unit: Bytes) -> Option<Waiting> {
        let (reply, answer) = oneshot::channel();
        let left = Arc::new(AtomicBool::new(false));
        let waiter = Waiter { reply, left: Arc::clone(&left) };
        let ticket = state.mux.register(slot, key.clone(), waiter).ok()?;
        state.slots.get_mut(slot)?.queue.push_back(Queued { ticket: Some(ticket), unit, left });
        self.wake.get(slot)?.notify_one();
        Some(Waiting { shared: Arc::clone(self), slot, key, ticket, answer, ended: false })
    }

    /// What the connection's writer takes next; waits until there is something.
    pub(super) async fn next_batch(&self, slot: usize) -> Batch {
        loop {
            let batch = self.take_batch(slot);
            if !batch.bytes.is_empty() {
                return batch;
            }
            match self.wake.get(slot) {
                Some(wake) => wake.notified().await,
                None => std::future::pending().await,
            }
        }
    }

    fn take_batch(&self, slot: usize) -> Batch {
        let mut state = self.state.lock();
        let mut batch = Batch::default();
        let Some(slot) = state.slots.get_mut(slot) else { return batch };
        while slot.queue.front().is_some_and(|next| batch.fits(next.unit.len())) {
            let Some(next) = slot.queue.pop_front() else { break };
            batch.starts.push_back((batch.bytes.len(), next.left));
            batch.bytes.extend_from_slice(&next.unit);
        }
        batch
    }

    /// Moves a connection on; requests may be written, or no longer only management messages.
    pub(super) fn open(&self, slot: usize, phase: Phase) {
        let mut state = self.state.lock();
        let Some(of) = state.slots.get_mut(slot) else { return };
        of.phase = phase;
        if phase == Phase::Up {
            state.stats.connected += 1;
            drop(state);
            self.came_up.notify_waiters();
        }
    }

    /// Ends a connection: whoever waits on it hears at once whether a byte of the request had left.
    pub(super) fn close(&self, slot: usize) {
        let mut state = self.state.lock();
        let Some(of) = state.slots.get_mut(slot) else { return };
        let was = std::mem::replace(&mut of.phase, Phase::Down);
        of.queue.clear();
        if was == Phase::Up {
            state.stats.lost += 1;
        }
        let lost = state.mux.lose(slot, |waiter| waiter.left.load(Ordering::Acquire));
        state.stats.not_sent += u64::try_from(lost.iter().filter(|(_, left)| !left).count()).unwrap_or(0);
        drop(state);
        for (waiter, left) in lost {
            // A waiter that is gone has ended already.
            let _ = waiter.reply.send(if left { LinkReply::Unknown } else { LinkReply::NotSent });
        }
    }

    /// Pairs an answer with its request. Returns what to log if there is none.
    pub(super) fn arrived(&self, key: &CorrelationKey, received: Received) -> Option<Arrival<()>> {
        let profile = &self.setup.profile;
        let arrival = self.state.lock().mux.answer(key, |pending| profile.key_differences(key, pending).collect());
        match arrival {
            Arrival::Answer(waiter) => {
                if let Err(LinkReply::Answer(received)) = waiter.reply.send(LinkReply::Answer(received)) {
                    self.late(received);
                }
                None
            }
            Arrival::Late => {
                self.late(received);
                None
            }
            Arrival::Repeated => Some(Arrival::Repeated),
            Arrival::Unmatched { differs } => Some(Arrival::Unmatched { differs }),
        }
    }

    fn late(&self, received: Received) {
        let Some(late) = &self.setup.late else { return };
        if late.try_send(received).is_err() {
            self.count(|stats| stats.late_dropped += 1);
        }
    }

    /// Gives a request up, whose unit may still be in the queue.
    fn give_up(&self, slot: usize, key: &CorrelationKey, ticket: Ticket) -> Option<LinkReply<Received>> {
        let mut state = self.state.lock();
        let queue = state.slots.get_mut(slot).map(|slot| &mut slot.queue);
        let queued = queue.and_then(|queue| {
            let at = queue.iter().position(|queued| queued.ticket == Some(ticket))?;
            queue.remove(at)
        });
        if queued.is_some() {
            state.stats.not_sent += 1;
            state.mux.withdraw(key, ticket)?;
            return Some(LinkReply::NotSent);
        }
        state.mux.give_up(key, ticket)?;
        Some(LinkReply::Unknown)
    }
}

impl Batch {
    fn fits(&self, more: usize) -> bool {
        self.bytes.is_empty() || self.bytes.len() + more <= WRITE_MOST
    }
}

/// A request that was queued. Dropping it gives it up.
pub(super) struct Waiting {
    shared: Arc<Shared>,
    slot: usize,
    key: CorrelationKey,
    ticket: Ticket,
    answer: oneshot::Receiver<LinkReply<Received>>,
    ended: bool,
}

impl Waiting {
    /// Waits for the answer, the loss of the connection, or the deadline, whichever comes first.
    pub(super) async fn until(mut self, deadline: impl Future<Output = ()>) -> LinkReply<Received> {
        let reply = tokio::select! {
            biased;
            reply = &mut self.answer => Some(reply.unwrap_or(LinkReply::Unknown)),
            () = deadline => None,
        };
        self.ended = true;
        match reply {
            Some(reply) => reply,
            None => self.end(),
        }
    }

    /// Gives up, unless the answer came at the very last moment.
    fn end(&mut self) -> LinkReply<Received> {
        let given_up = self.shared.give_up(self.slot, &self.key, self.ticket);
        given_up.or_else(|| self.answer.try_recv().ok()).unwrap_or(LinkReply::Unknown)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        if let LinkReply::Answer(received) = self.end() {
            self.shared.late(received);
        }
    }
}
