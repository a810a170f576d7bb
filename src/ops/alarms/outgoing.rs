//! Changes that wait to be sent, in order. Pure.

use super::board::AlarmEvent;
use std::collections::VecDeque;

/// Changes that may wait; then the oldest is dropped, and counted.
pub const WAITING_MOST: usize = 1_024;

/// Changes that wait to be sent, in order.
#[derive(Debug, Default)]
pub struct Outgoing {
    waiting: VecDeque<AlarmEvent>,
    dropped: u64,
}

impl Outgoing {
    /// One more. True if the oldest was dropped for it.
    pub fn push(&mut self, event: AlarmEvent) -> bool {
        let is_full = self.waiting.len() >= WAITING_MOST;
        if is_full {
            self.waiting.pop_front();
            self.dropped += 1;
        }
        self.waiting.push_back(event);
        is_full
    }

    /// The oldest, which stays until it is delivered, and how many were dropped so far.
    #[must_use]
    pub fn front(&self) -> Option<(&AlarmEvent, u64)> {
        Some((self.waiting.front()?, self.dropped))
    }

    /// It arrived. It may have been dropped meanwhile.
    pub fn delivered(&mut self, sequence: u64) {
        if self.waiting.front().is_some_and(|event| event.sequence == sequence) {
            self.waiting.pop_front();
        }
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}
