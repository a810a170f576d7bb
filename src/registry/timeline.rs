//! Rows that take effect at an instant: several of one terminal or merchant, one of them in force.

use crate::model::Timestamp;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::hash::Hash;

/// What becomes of a row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Turn {
    /// It is in force, instead of the one before if there was one.
    Now,
    /// It takes effect later.
    Later,
    /// Another one has taken its place.
    Over,
    /// It says what another one says already, from the same instant on.
    Twice,
}

/// The instants of those rows that have one, and of the others of the same key.
#[derive(Debug)]
pub(super) struct Timeline<K> {
    at: Option<Timestamp>,
    dated: HashMap<K, SmallVec<[Option<Timestamp>; 2]>>,
}

impl<K: Copy + Eq + Hash> Timeline<K> {
    /// Seen from `at`; without it everything has taken effect.
    pub(super) fn new(at: Option<Timestamp>) -> Self {
        Self { at, dated: HashMap::new() }
    }

    fn is_due(&self, from: Option<Timestamp>) -> bool {
        from.is_none_or(|from| self.at.is_none_or(|at| from <= at))
    }

    /// Takes in a row that holds from `from` on; `has_row`: one of this key is in force already.
    pub(super) fn turn(&mut self, key: K, from: Option<Timestamp>, has_row: bool) -> Turn {
        if from.is_none() && !self.dated.contains_key(&key) {
            return if has_row { Turn::Twice } else { Turn::Now };
        }
        let before = self.dated.get(&key).cloned().unwrap_or_else(|| has_row.then_some(None).into_iter().collect());
        if before.contains(&from) {
            return Turn::Twice;
        }
        let turn = match self.is_due(from) {
            false => Turn::Later,
            true if before.iter().any(|other| *other > from && self.is_due(*other)) => Turn::Over,
            true => Turn::Now,
        };
        self.dated.entry(key).or_insert(before).push(from);
        turn
    }

    /// Since when the row that is in force holds.
    pub(super) fn since(&self, key: &K) -> Option<Timestamp> {
        self.dated.get(key)?.iter().copied().filter(|from| self.is_due(*from)).max().flatten()
    }

    /// When the first row of this key takes effect, if that is still to come.
    pub(super) fn begins(&self, key: &K) -> Option<Timestamp> {
        self.dated.get(key)?.iter().copied().min().flatten().filter(|from| !self.is_due(Some(*from)))
    }

    /// The instants that are still to come, in no order.
    pub(super) fn ahead(&self) -> impl Iterator<Item = Timestamp> {
        self.dated.values().flatten().copied().flatten().filter(|from| !self.is_due(Some(*from)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Turn::{Later, Now, Over, Twice};

    #[test]
    fn the_latest_row_that_has_come_is_in_force_in_whatever_order_they_stand() {
        let mut line = Timeline::new(Some(Timestamp(50)));
        let mut turn = |from: Option<i64>, has_row| line.turn(7, from.map(Timestamp), has_row);
        assert_eq!(turn(None, false), Now);
        assert_eq!(turn(None, true), Twice);
        assert_eq!(turn(Some(30), true), Now);
        assert_eq!(turn(Some(20), true), Over);
        assert_eq!(turn(None, true), Twice);
        assert_eq!(turn(Some(51), true), Later);
        assert_eq!(turn(Some(51), true), Twice);
        assert_eq!(turn(Some(50), true), Now);
        assert_eq!((line.since(&7), line.begins(&7)), (Some(Timestamp(50)), None));
        assert_eq!(line.ahead().collect::<Vec<_>>(), [Timestamp(51)]);
        assert_eq!((line.turn(8, Some(Timestamp(60)), false), line.begins(&8)), (Later, Some(Timestamp(60))));
    }
}
