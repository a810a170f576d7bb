//! Which answer belongs to which request. Pure: no socket, no clock; told what happened, says what follows.
//!
//! Requests are paired by the profile's whole key, never by STAN alone. What is no longer waited for
//! is remembered for a while, so that a late answer is told from one that nobody asked for.

use smallvec::SmallVec;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::hash::Hash;

/// Requests in flight on one connection. One more is refused at once: [`Refused::Full`].
pub const IN_FLIGHT: usize = 1_024;
/// How many closed requests are remembered. At 200 a second these are the last twenty seconds.
pub const REMEMBERED: usize = 4_096;

/// Names of the parts of a key in which it differs from another. Never values.
pub type Parts = SmallVec<[&'static str; 8]>;

/// Why a request was not taken. Nothing was sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// The connection has [`IN_FLIGHT`] requests, or as many as it may, or there is no such connection.
    #[error("too many requests in flight")]
    Full,
    /// A request with the same key is in flight: two answers could not be told apart.
    #[error("key in flight")]
    Taken,
}

/// What an answer turned out to be.
#[derive(Debug, Eq, PartialEq)]
pub enum Arrival<W> {
    /// The answer of a request in flight; its waiter.
    Answer(W),
    /// The answer of a request that was given up.
    Late,
    /// Another answer of a request that has one.
    Repeated,
    /// Nobody asked for it.
    Unmatched {
        /// The parts in which its key differs from the nearest one in flight, if any is.
        differs: Option<Parts>,
    },
}

/// What the link counts. All of them only rise, but for `in_flight`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct MuxCounters {
    /// Requests taken.
    pub registered: u64,
    /// Answers handed to their requests.
    pub answered: u64,
    /// Requests given up with their fate unknown.
    pub given_up: u64,
    /// Answers of requests that had been given up.
    pub late: u64,
    /// Second answers.
    pub repeated: u64,
    /// Answers that nobody asked for.
    pub unmatched: u64,
    /// Requests refused, in flight elsewhere or over the limit.
    pub refused: u64,
    /// Requests in flight now.
    pub in_flight: usize,
}

impl MuxCounters {
    /// Adds another link's.
    pub fn add(&mut self, other: &Self) {
        let Self { registered, answered, given_up, late, repeated, unmatched, refused, in_flight } = other;
        self.in_flight += in_flight;
        for (own, other) in [
            (&mut self.registered, registered),
            (&mut self.answered, answered),
            (&mut self.given_up, given_up),
            (&mut self.late, late),
            (&mut self.repeated, repeated),
            (&mut self.unmatched, unmatched),
            (&mut self.refused, refused),
        ] {
            *own += other;
        }
    }
}

/// Names one registration, so that whoever made it cannot end a later one of the same key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ticket(u64);

/// A request in flight.
struct Pending<W> {
    ticket: u64,
    connection: usize,
    waiter: W,
}

/// How a remembered request ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ended {
    Answered,
    GivenUp,
}

/// Pairs answers with requests over all connections of one link. `W` is whatever waits.
pub struct Mux<K, W> {
    pending: HashMap<K, Pending<W>>,
    per_connection: Vec<usize>,
    limit: usize,
    ended: HashMap<K, (Ended, u64)>,
    ended_order: VecDeque<(K, u64)>,
    remembered: usize,
    next_ticket: u64,
    counters: MuxCounters,
}

impl<K: Clone + Eq + Hash, W> Mux<K, W> {
    /// For so many connections, with `limit` requests in flight on each and `remembered` ended ones.
    #[must_use]
    pub fn new(connections: usize, limit: usize, remembered: usize) -> Self {
        Self {
            pending: HashMap::new(),
            per_connection: vec![0; connections],
            limit,
            ended: HashMap::new(),
            ended_order: VecDeque::new(),
            remembered,
            next_ticket: 0,
            counters: MuxCounters::default(),
        }
    }

    /// Takes a request that is about to leave over `connection`.
    ///
    /// # Errors
    /// [`Refused`]; nothing is kept then.
    pub fn register(&mut self, connection: usize, key: K, waiter: W) -> Result<Ticket, Refused> {
        let refusal = match self.per_connection.get(connection) {
            Some(count) if *count < self.limit => self.pending.contains_key(&key).then_some(Refused::Taken),
            _ => Some(Refused::Full),
        };
        if let Some(refused) = refusal {
            self.counters.refused += 1;
            return Err(refused);
        }
        self.next_ticket += 1;
        let ticket = self.next_ticket;
        self.ended.remove(&key);
        self.pending.insert(key, Pending { ticket, connection, waiter });
        self.count(connection, 1);
        self.counters.registered += 1;
        Ok(Ticket(ticket))
    }

    /// An answer with this key has come, over whichever connection. `differing` says in which parts it
    /// differs from another key; it is asked only about an answer that nobody waits for.
    pub fn answer(&mut self, key: &K, differing: impl Fn(&K) -> Parts) -> Arrival<W> {
        if let Some(pending) = self.remove(key) {
            self.remember(key.clone(), Ended::Answered);
            self.counters.answered += 1;
            return Arrival::Answer(pending.waiter);
        }
        match self.ended.get(key) {
            Some((Ended::GivenUp, _)) => {
                self.counters.late += 1;
                Arrival::Late
            }
            Some((Ended::Answered, _)) => {
                self.counters.repeated += 1;
                Arrival::Repeated
            }
            None => {
                self.counters.unmatched += 1;
                Arrival::Unmatched { differs: self.pending.keys().map(differing).min_by_key(SmallVec::len) }
            }
        }
    }

    /// Gives a request up whose bytes may have left: an answer that comes now is late.
    /// `None` if it has ended already.
    pub fn give_up(&mut self, key: &K, ticket: Ticket) -> Option<W> {
        let waiter = self.withdraw(key, ticket)?;
        self.remember(key.clone(), Ended::GivenUp);
        self.counters.given_up += 1;
        Some(waiter)
    }

    /// Forgets a request of which not one byte left. `None` if it has ended already.
    pub fn withdraw(&mut self, key: &K, ticket: Ticket) -> Option<W> {
        if self.pending.get(key)?.ticket != ticket.0 {
            return None;
        }
        self.remove(key).map(|pending| pending.waiter)
    }

    /// Ends every request of a connection that was lost. `sent` says whether bytes of one may have
    /// left; those are given up, the others forgotten. Returns each waiter with that verdict.
    pub fn lose(&mut self, connection: usize, sent: impl Fn(&W) -> bool) -> Vec<(W, bool)> {
        let of_connection = self.pending.iter().filter(|(_, pending)| pending.connection == connection);
        let mut keys: Vec<(u64, K)> = of_connection.map(|(key, pending)| (pending.ticket, key.clone())).collect();
        // In the order in which they came: whoever is told first acts first.
        keys.sort_unstable_by_key(|(ticket, _)| *ticket);
        let mut lost = Vec::with_capacity(keys.len());
        for (_, key) in keys {
            let Some(pending) = self.remove(&key) else { continue };
            let left = sent(&pending.waiter);
            if left {
                self.remember(key, Ended::GivenUp);
                self.counters.given_up += 1;
            }
            lost.push((pending.waiter, left));
        }
        lost
    }

    /// Requests in flight on a connection.
    #[must_use]
    pub fn in_flight(&self, connection: usize) -> usize {
        self.per_connection.get(connection).copied().unwrap_or(0)
    }

    /// The counters now.
    #[must_use]
    pub fn counters(&self) -> MuxCounters {
        MuxCounters { in_flight: self.pending.len(), ..self.counters }
    }

    fn remove(&mut self, key: &K) -> Option<Pending<W>> {
        let pending = self.pending.remove(key)?;
        self.count(pending.connection, -1);
        Some(pending)
    }

    fn count(&mut self, connection: usize, by: isize) {
        if let Some(count) = self.per_connection.get_mut(connection) {
            *count = count.saturating_add_signed(by);
        }
    }

    /// Remembers how a request ended and forgets the oldest such memory when there are too many.
    fn remember(&mut self, key: K, ended: Ended) {
        let number = self.next_ticket;
        self.ended.insert(key.clone(), (ended, number));
        self.ended_order.push_back((key, number));
        while self.ended_order.len() > self.remembered {
            let Some((oldest, number)) = self.ended_order.pop_front() else { break };
            // A key that was used again since has a younger entry further back.
            if self.ended.get(&oldest).is_some_and(|(_, of)| *of == number) {
                self.ended.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A key of two parts, as a link that correlates by terminal and STAN would have.
    #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
    struct Key(u8, u8);

    fn differing(one: Key, other: Key) -> Parts {
        let parts = [(one.0 != other.0, "terminal"), (one.1 != other.1, "stan")];
        parts.into_iter().filter_map(|(differs, name)| differs.then_some(name)).collect()
    }

    /// An answer with that key comes.
    fn answer(mux: &mut Mux<Key, u32>, key: Key) -> Arrival<u32> {
        mux.answer(&key, |pending| differing(key, *pending))
    }

    fn mux() -> Mux<Key, u32> {
        Mux::new(2, 3, 4)
    }

    #[test]
    fn an_answer_reaches_its_request_once() {
        let mut mux = mux();
        mux.register(0, Key(1, 1), 7).unwrap();
        assert_eq!(answer(&mut mux, Key(1, 1)), Arrival::Answer(7));
        assert_eq!(answer(&mut mux, Key(1, 1)), Arrival::Repeated);
    }

    #[test]
    fn an_answer_after_the_request_was_given_up_is_late() {
        let mut mux = mux();
        let ticket = mux.register(0, Key(1, 1), 7).unwrap();
        assert_eq!(mux.give_up(&Key(1, 1), ticket), Some(7));
        assert_eq!(answer(&mut mux, Key(1, 1)), Arrival::Late);
        assert_eq!(mux.counters().late, 1);
    }

    #[test]
    fn an_unmatched_answer_names_the_part_that_differs() {
        let mut mux = mux();
        mux.register(0, Key(1, 1), 7).unwrap();
        mux.register(0, Key(2, 2), 8).unwrap();
        let stan: Parts = ["stan"].into_iter().collect();
        assert_eq!(answer(&mut mux, Key(2, 9)), Arrival::Unmatched { differs: Some(stan) });
        assert_eq!(mux.counters().in_flight, 2);
        mux.answer(&Key(1, 1), |_| Parts::new());
        mux.answer(&Key(2, 2), |_| Parts::new());
        assert_eq!(answer(&mut mux, Key(8, 9)), Arrival::Unmatched { differs: None });
    }

    #[test]
    fn each_connection_has_its_own_limit_and_a_key_is_in_flight_once() {
        let mut mux = mux();
        (0..3).for_each(|n| assert!(mux.register(0, Key(0, n), 0).is_ok()));
        assert_eq!(mux.register(0, Key(0, 3), 0), Err(Refused::Full));
        assert_eq!(mux.register(1, Key(0, 2), 0), Err(Refused::Taken));
        assert!(mux.register(1, Key(0, 3), 0).is_ok());
        assert_eq!(mux.register(2, Key(0, 4), 0), Err(Refused::Full));
        assert_eq!(mux.counters().refused, 3);
    }

    #[test]
    fn losing_a_connection_ends_its_requests_and_no_others() {
        let mut mux = mux();
        mux.register(0, Key(0, 1), 1).unwrap();
        mux.register(0, Key(0, 2), 2).unwrap();
        mux.register(1, Key(0, 3), 3).unwrap();
        let mut lost = mux.lose(0, |waiter| *waiter == 1);
        lost.sort_unstable();
        assert_eq!(lost, [(1, true), (2, false)]);
        assert_eq!(answer(&mut mux, Key(0, 1)), Arrival::Late);
        assert!(matches!(answer(&mut mux, Key(0, 2)), Arrival::Unmatched { .. }));
        assert_eq!(answer(&mut mux, Key(0, 3)), Arrival::Answer(3));
    }

    #[test]
    fn an_old_ticket_cannot_end_a_new_request_of_the_same_key() {
        let mut mux = mux();
        let old = mux.register(0, Key(0, 1), 1).unwrap();
        answer(&mut mux, Key(0, 1));
        mux.register(0, Key(0, 1), 2).unwrap();
        assert_eq!(mux.give_up(&Key(0, 1), old), None);
        assert_eq!(answer(&mut mux, Key(0, 1)), Arrival::Answer(2));
    }

    /// What may happen to a mux.
    #[derive(Clone, Debug)]
    enum Step {
        Register(usize, Key),
        Answer(Key),
        GiveUp(Key),
        Withdraw(Key),
        Lose(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let key = (0u8..3, 0u8..4).prop_map(|(a, b)| Key(a, b));
        let step = prop_oneof![
            4 => (0usize..3, key.clone()).prop_map(|(connection, key)| Step::Register(connection, key)),
            4 => key.clone().prop_map(Step::Answer),
            2 => key.clone().prop_map(Step::GiveUp),
            1 => key.prop_map(Step::Withdraw),
            1 => (0usize..2).prop_map(Step::Lose),
        ];
        prop::collection::vec(step, 0..120)
    }

    proptest! {
        /// Whatever happens, each request ends exactly once, and neither requests nor memories pile up.
        #[test]
        fn every_request_ends_once_and_nothing_grows(steps in steps()) {
            let mut mux = mux();
            let mut open: HashMap<u32, (Key, usize, Ticket)> = HashMap::new();
            let mut next = 0;
            for step in steps {
                let of = |key: &Key, open: &HashMap<u32, (Key, usize, Ticket)>| {
                    open.iter().find(|(_, of)| of.0 == *key).map(|(waiter, of)| (*waiter, of.2))
                };
                match step {
                    Step::Register(connection, key) => {
                        let busy = open.values().filter(|of| of.1 == connection).count();
                        let allowed = connection < 2 && busy < 3 && of(&key, &open).is_none();
                        let result = mux.register(connection, key, next);
                        prop_assert_eq!(result.is_ok(), allowed);
                        if let Ok(ticket) = result {
                            open.insert(next, (key, connection, ticket));
                            next += 1;
                        }
                    }
                    Step::Answer(key) => match (answer(&mut mux, key), of(&key, &open)) {
                        (Arrival::Answer(waiter), Some((expected, _))) => {
                            prop_assert_eq!(waiter, expected);
                            open.remove(&waiter);
                        }
                        (Arrival::Answer(_), None) | (_, Some(_)) => prop_assert!(false, "wrong pairing"),
                        (_, None) => {}
                    },
                    Step::GiveUp(key) => if let Some((waiter, ticket)) = of(&key, &open) {
                        prop_assert_eq!(mux.give_up(&key, ticket), Some(waiter));
                        open.remove(&waiter);
                        prop_assert_eq!(answer(&mut mux, key), Arrival::Late);
                    },
                    Step::Withdraw(key) => if let Some((waiter, ticket)) = of(&key, &open) {
                        prop_assert_eq!(mux.withdraw(&key, ticket), Some(waiter));
                        open.remove(&waiter);
                        prop_assert_eq!(mux.withdraw(&key, ticket), None);
                    },
                    Step::Lose(connection) => for (waiter, _) in mux.lose(connection, |_| true) {
                        let of = open.remove(&waiter);
                        prop_assert_eq!(of.map(|of| of.1), Some(connection));
                    },
                }
                prop_assert_eq!(mux.counters().in_flight, open.len());
                prop_assert_eq!(mux.in_flight(0) + mux.in_flight(1), open.len());
                prop_assert!(mux.ended.len() <= 4 && mux.ended_order.len() <= 4);
            }
        }
    }
}
