//! Trails by subject, in two generations: what nobody touched for a day is dropped as a whole.

use super::trail::{DAY, Group, Slot, Trail};
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::collections::hash_map::{Entry, IntoIter};
use std::hash::Hash;

/// Subjects are looked up with every request: their hash is a quick one, with a seed of the process.
type Trails<K> = HashMap<K, Trail, RandomState>;

/// The trails of one sort of subjects; `SLOTS` are the most that one has.
#[derive(Debug)]
pub(super) struct Generations<K, const SLOTS: usize> {
    pub(super) young: Trails<K>,
    pub(super) old: Trails<K>,
    /// Forgotten already; let go a few at a time, so that no request waits for all of them.
    leaving: Option<IntoIter<K, Trail>>,
    /// Since when the young generation is young.
    pub(super) since: Option<i64>,
    /// The most subjects of a generation.
    most: usize,
}

/// How many forgotten trails are let go with each event.
const LET_GO: usize = 4;

impl<K: Copy + Eq + Hash, const SLOTS: usize> Generations<K, SLOTS> {
    pub(super) fn new(most: usize) -> Self {
        Self { young: Trails::default(), old: Trails::default(), leaving: None, since: None, most }
    }

    pub(super) fn get(&self, key: &K) -> Option<&Trail> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// Adds an event; generations follow its time.
    pub(super) fn add(&mut self, key: K, slot: Slot, now: i64) {
        let since = *self.since.get_or_insert(now);
        // A clock that went back by more than a day was wrong before: its events are dropped in their turn.
        if now.abs_diff(since) >= DAY.unsigned_abs() || self.young.len() >= self.most {
            self.rotate(now);
        }
        if let Some(leaving) = &mut self.leaving
            && leaving.by_ref().take(LET_GO).count() < LET_GO
        {
            self.leaving = None;
        }
        self.trail(key).add(slot, SLOTS);
    }

    /// An event fares otherwise now. One that cannot be found is added, unless it is undone: better once too often.
    pub(super) fn mark(&mut self, key: K, event: Slot, to: Group, add: bool) {
        let trail = if self.young.contains_key(&key) { self.young.get_mut(&key) } else { self.old.get_mut(&key) };
        let found = trail.is_some_and(|trail| trail.mark(event, to, SLOTS));
        if !found && add && (self.young.contains_key(&key) || self.young.len() < self.most) {
            self.trail(key).add(event.of(to), SLOTS);
        }
    }

    fn trail(&mut self, key: K) -> &mut Trail {
        match self.young.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(self.old.remove(&key).unwrap_or_default()),
        }
    }

    fn rotate(&mut self, now: i64) {
        let young = Trails::with_capacity_and_hasher(self.young.len().min(self.most), RandomState::default());
        let old = std::mem::replace(&mut self.young, young);
        self.leaving = Some(std::mem::replace(&mut self.old, old).into_iter());
        self.since = Some(now);
    }

    /// Takes a trail in again. `None` if there is one, or no room.
    pub(super) fn put(&mut self, key: K, trail: Trail, young: bool) -> Option<()> {
        let generation = if young { &mut self.young } else { &mut self.old };
        if generation.len() >= self.most {
            return None;
        }
        let known = self.young.contains_key(&key) || self.old.contains_key(&key);
        let generation = if young { &mut self.young } else { &mut self.old };
        (!known).then(|| generation.insert(key, trail)).map(|_| ())
    }
}
