//! What store-and-forward owes one issuer: first in, first out per terminal, one in flight per
//! terminal, terminals side by side.

use super::TxnId;
use crate::model::TerminalId;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::time::Duration;

/// When a lane's head may go, and the order among those of one time.
type Turn = (Duration, u64);

/// The queue of one issuer.
#[derive(Debug, Default)]
pub(super) struct Queue {
    lanes: HashMap<TerminalId, Lane>,
    turns: BTreeMap<Turn, TerminalId>,
    tickets: u64,
    owed: usize,
    /// The latest time anybody asked at: what is new is due from there on, so that it does not pass
    /// what has waited longer.
    latest: Duration,
}

/// What one terminal is owed. Never empty.
#[derive(Debug)]
struct Lane {
    waiting: VecDeque<TxnId>,
    /// The head's turn; `None` while it is in flight.
    turn: Option<Turn>,
}

/// What there is to do now.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Next<T> {
    /// This, which is in flight from here on.
    Now(T),
    /// Something, but not before this time.
    At(Duration),
    /// Nothing until the queue changes.
    Nothing,
}

impl Queue {
    /// How many entries wait or are in flight.
    pub(super) fn len(&self) -> usize {
        self.owed
    }

    /// All entries, lane by lane and each in its order; the lane of the lowest head first.
    pub(super) fn all(&self) -> impl Iterator<Item = TxnId> {
        let mut lanes: Vec<&VecDeque<TxnId>> = self.lanes.values().map(|lane| &lane.waiting).collect();
        lanes.sort_unstable_by_key(|lane| lane.front().copied());
        lanes.into_iter().flatten().copied()
    }

    /// Adds an entry at the end of its terminal's lane.
    pub(super) fn push(&mut self, terminal: TerminalId, id: TxnId) {
        self.owed += 1;
        if let Some(lane) = self.lanes.get_mut(&terminal) {
            lane.waiting.push_back(id);
            return;
        }
        let turn = Some(self.give_turn(terminal, self.latest));
        self.lanes.insert(terminal, Lane { waiting: VecDeque::from([id]), turn });
    }

    /// The entry that has been due longest, now in flight.
    pub(super) fn take(&mut self, now: Duration) -> Next<TxnId> {
        self.latest = self.latest.max(now);
        let Some((&turn, &terminal)) = self.turns.first_key_value() else {
            return Next::Nothing;
        };
        if turn.0 > now {
            return Next::At(turn.0);
        }
        self.turns.remove(&turn);
        let lane = self.lanes.get_mut(&terminal);
        lane.and_then(|lane| {
            lane.turn = None;
            lane.waiting.front().copied()
        })
        .map_or(Next::Nothing, Next::Now)
    }

    /// The head of the terminal's lane comes back at `at`.
    pub(super) fn postpone(&mut self, terminal: TerminalId, id: TxnId, at: Duration) {
        if self.lanes.get(&terminal).is_some_and(|lane| lane.waiting.front() == Some(&id)) {
            self.turn_at(terminal, at);
        }
    }

    /// Removes an entry that is done, in flight or not; the next of its terminal may go.
    pub(super) fn settle(&mut self, terminal: TerminalId, id: TxnId) {
        let Some(lane) = self.lanes.get_mut(&terminal) else { return };
        let Some(place) = lane.waiting.iter().position(|waiting| *waiting == id) else { return };
        lane.waiting.remove(place);
        self.owed -= 1;
        if place == 0 {
            self.turn_at(terminal, self.latest);
        }
    }

    /// Gives the lane's head its turn at `at`, or removes the lane if nothing waits in it.
    fn turn_at(&mut self, terminal: TerminalId, at: Duration) {
        let Some(mut lane) = self.lanes.remove(&terminal) else { return };
        if let Some(turn) = lane.turn.take() {
            self.turns.remove(&turn);
        }
        if !lane.waiting.is_empty() {
            lane.turn = Some(self.give_turn(terminal, at));
            self.lanes.insert(terminal, lane);
        }
    }

    fn give_turn(&mut self, terminal: TerminalId, at: Duration) -> Turn {
        let turn = (at, self.tickets);
        self.tickets += 1;
        self.turns.insert(turn, terminal);
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terminal(last: u8) -> TerminalId {
        TerminalId::parse(&[b'1', b'0', b'0', b'0', b'0', b'0', b'0', last]).unwrap()
    }

    const NOW: Duration = Duration::from_secs(10);

    #[test]
    fn a_terminal_has_one_in_flight_and_the_others_go_on() {
        let mut queue = Queue::default();
        queue.push(terminal(b'1'), TxnId(1));
        queue.push(terminal(b'1'), TxnId(2));
        queue.push(terminal(b'2'), TxnId(3));
        assert_eq!(queue.take(NOW), Next::Now(TxnId(1)));
        assert_eq!(queue.take(NOW), Next::Now(TxnId(3)));
        assert_eq!(queue.take(NOW), Next::Nothing);
        queue.settle(terminal(b'1'), TxnId(1));
        assert_eq!(queue.take(NOW), Next::Now(TxnId(2)));
        assert_eq!(queue.len(), 2);
    }

    #[test]
    fn a_postponed_head_holds_back_only_its_own_terminal_and_only_until_its_time() {
        let mut queue = Queue::default();
        queue.push(terminal(b'1'), TxnId(1));
        queue.push(terminal(b'1'), TxnId(2));
        assert_eq!(queue.take(NOW), Next::Now(TxnId(1)));
        queue.postpone(terminal(b'1'), TxnId(1), NOW * 2);
        queue.push(terminal(b'2'), TxnId(3));
        assert_eq!(queue.take(NOW), Next::Now(TxnId(3)));
        assert_eq!(queue.take(NOW), Next::At(NOW * 2));
        assert_eq!(queue.take(NOW * 2), Next::Now(TxnId(1)));
    }

    #[test]
    fn what_is_new_does_not_pass_what_has_been_due_longer() {
        let mut queue = Queue::default();
        queue.push(terminal(b'1'), TxnId(1));
        assert_eq!(queue.take(NOW), Next::Now(TxnId(1)));
        queue.postpone(terminal(b'1'), TxnId(1), NOW + Duration::from_secs(1));
        assert_eq!(queue.take(NOW * 2), Next::Now(TxnId(1)));
        queue.postpone(terminal(b'1'), TxnId(1), NOW * 2);
        queue.push(terminal(b'2'), TxnId(2));
        assert_eq!(queue.take(NOW * 3), Next::Now(TxnId(1)));
        assert_eq!(queue.take(NOW * 3), Next::Now(TxnId(2)));
    }

    #[test]
    fn an_entry_settled_without_having_been_taken_leaves_nothing_behind() {
        let mut queue = Queue::default();
        queue.push(terminal(b'1'), TxnId(1));
        queue.push(terminal(b'1'), TxnId(2));
        queue.settle(terminal(b'1'), TxnId(2));
        queue.settle(terminal(b'1'), TxnId(1));
        assert_eq!(queue.take(NOW), Next::Nothing);
        assert!(queue.lanes.is_empty() && queue.turns.is_empty() && queue.len() == 0);
    }
}
