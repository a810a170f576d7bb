//! The requests of one session: terminals at the same time, each terminal in order.

use super::config::Ceilings;
use super::door::Door;
use super::serve::{Peer, Serve};
use crate::channel::LaneKey;
use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, Stream};
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Boxed for each request, so that an idle session does not hold the room of a whole flow.
type Running = Pin<Box<dyn Future<Output = (LaneKey, Option<Bytes>)> + Send>>;

/// The lanes of one session. A lane exists while something of it is being served.
pub(super) struct Lanes<H: Serve> {
    handler: Arc<H>,
    door: Arc<Door>,
    peer: Peer,
    running: FuturesUnordered<Running>,
    waiting: HashMap<LaneKey, VecDeque<H::Parsed>>,
    held: usize,
}

impl<H: Serve> Lanes<H> {
    /// Requests of one session at once, over all its lanes: 500 terminals with four each, and some room.
    pub(super) const IN_FLIGHT: usize = 2048;

    pub(super) fn new(handler: Arc<H>, door: Arc<Door>, peer: Peer) -> Self {
        let (running, waiting) = (FuturesUnordered::new(), HashMap::new());
        Self { handler, door, peer, running, waiting, held: 0 }
    }

    /// Whether nothing is being served.
    pub(super) fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Serves `parsed` after what the lane holds already; gives it back if the lane or the session is full.
    pub(super) fn offer(&mut self, lane: LaneKey, parsed: H::Parsed, ceilings: &Ceilings) -> Option<H::Parsed> {
        if self.held >= Self::IN_FLIGHT {
            return Some(parsed);
        }
        if let Some(waiting) = self.waiting.get_mut(&lane) {
            if waiting.len() + 1 >= ceilings.in_flight_per_terminal {
                return Some(parsed);
            }
            waiting.push_back(parsed);
        } else {
            self.waiting.insert(lane, VecDeque::new());
            self.run(lane, parsed);
        }
        self.held += 1;
        None
    }

    /// The next answer, whoever's it is.
    pub(super) fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<(LaneKey, Option<Bytes>)> {
        let Poll::Ready(Some((lane, answer))) = Pin::new(&mut self.running).poll_next(cx) else {
            return Poll::Pending;
        };
        self.held -= 1;
        match self.waiting.get_mut(&lane).and_then(VecDeque::pop_front) {
            Some(next) => self.run(lane, next),
            None => drop(self.waiting.remove(&lane)),
        }
        Poll::Ready((lane, answer))
    }

    fn run(&mut self, lane: LaneKey, parsed: H::Parsed) {
        let (handler, door, peer) = (Arc::clone(&self.handler), Arc::clone(&self.door), self.peer);
        self.running.push(Box::pin(async move { (lane, handler.answer(&door, &peer, parsed).await) }));
    }
}
