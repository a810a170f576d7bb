//! Rows that take effect at an instant: several of one key, one of them in force.

use crate::model::Timestamp;
use serde::Serialize;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

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

/// Whether what begins at `from` has begun at an instant; without it everything has.
fn is_due(from: Option<Timestamp>, at: Option<Timestamp>) -> bool {
    from.is_none_or(|from| at.is_none_or(|at| from <= at))
}

impl<K: Clone + Eq + Hash> Timeline<K> {
    /// Seen from `at`; without it everything has taken effect.
    pub(super) fn new(at: Option<Timestamp>) -> Self {
        Self { at, dated: HashMap::new() }
    }

    /// Takes in a row that holds from `from` on; `has_row`: one of this key is in force already.
    pub(super) fn turn(&mut self, key: &K, from: Option<Timestamp>, has_row: bool) -> Turn {
        if from.is_none() && !self.dated.contains_key(key) {
            return if has_row { Turn::Twice } else { Turn::Now };
        }
        let before = self.dated.get(key).cloned().unwrap_or_else(|| has_row.then_some(None).into_iter().collect());
        if before.contains(&from) {
            return Turn::Twice;
        }
        let turn = match is_due(from, self.at) {
            false => Turn::Later,
            true if before.iter().any(|other| *other > from && is_due(*other, self.at)) => Turn::Over,
            true => Turn::Now,
        };
        self.dated.entry(key.clone()).or_insert(before).push(from);
        turn
    }

    /// Since when the row that is in force holds.
    pub(super) fn since(&self, key: &K) -> Option<Timestamp> {
        self.dated.get(key)?.iter().copied().filter(|from| is_due(*from, self.at)).max().flatten()
    }

    /// When the first row of this key takes effect, if that is still to come.
    pub(super) fn begins(&self, key: &K) -> Option<Timestamp> {
        self.dated.get(key)?.iter().copied().min().flatten().filter(|from| !is_due(Some(*from), self.at))
    }

    /// The instants that are still to come, one for each row, in no order.
    pub(super) fn ahead(&self) -> impl Iterator<Item = Timestamp> {
        self.dated.values().flatten().copied().flatten().filter(|from| !is_due(Some(*from), self.at))
    }
}

/// Whether a row is there when another one, which needs it, takes effect.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Presence {
    /// It is.
    There,
    /// It begins later than that one.
    Later,
    /// There is no such row.
    Missing,
}

/// The rows of one name, each with the instant from which it holds.
type RowsOf<V> = SmallVec<[(Option<Timestamp>, V); 1]>;

/// The rows of a list that others are filled from, all of them, by their names.
#[derive(Debug)]
pub(super) struct Dated<V> {
    at: Option<Timestamp>,
    rows: HashMap<Arc<str>, RowsOf<V>>,
}

impl<V> Dated<V> {
    /// Seen from `at`; without it everything has taken effect.
    pub(super) fn new(at: Option<Timestamp>) -> Self {
        Self { at, rows: HashMap::new() }
    }

    /// Takes in a row; not if there is one of this name from the same instant on.
    pub(super) fn add(&mut self, name: Arc<str>, from: Option<Timestamp>, row: V) -> bool {
        let rows = self.rows.entry(name).or_default();
        let is_new = rows.iter().all(|(other, _)| *other != from);
        if is_new {
            rows.push((from, row));
        }
        is_new
    }

    /// The row of this name that holds when one from `from` on does: now, or when that takes effect.
    pub(super) fn beside(&self, name: &str, from: Option<Timestamp>) -> Option<(&Arc<str>, &V)> {
        let at = self.at.map(|at| from.map_or(at, |from| from.max(at)));
        let (name, rows) = self.rows.get_key_value(name)?;
        let begun = rows.iter().filter(|(from, _)| is_due(*from, at));
        begun.max_by_key(|(from, _)| *from).map(|(_, row)| (name, row))
    }

    /// Whether a row from `from` on may need one of this name.
    pub(super) fn presence(&self, name: &str, from: Option<Timestamp>) -> Presence {
        match self.rows.contains_key(name) {
            false => Presence::Missing,
            true if self.beside(name, from).is_some() => Presence::There,
            true => Presence::Later,
        }
    }

    /// The names.
    pub(super) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.rows.keys()
    }

    /// The instants that are still to come, one for each row, in no order.
    pub(super) fn ahead(&self) -> impl Iterator<Item = Timestamp> {
        self.rows.values().flatten().filter_map(|(from, _)| *from).filter(|from| !is_due(Some(*from), self.at))
    }
}

/// Rows that take effect later.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Later {
    /// How many there are.
    pub rows: usize,
    /// When the first of them does.
    #[serde(serialize_with = "as_text")]
    pub first: Timestamp,
}

fn as_text<S: serde::Serializer>(instant: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(instant)
}

impl fmt::Display for Later {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rows {
            1 => write!(f, "1 row takes effect later, at {}", self.first),
            rows => write!(f, "{rows} rows take effect later, the first at {}", self.first),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Turn::{Later, Now, Over, Twice};

    #[test]
    fn the_latest_row_that_has_come_is_in_force_in_whatever_order_they_stand() {
        let mut line = Timeline::new(Some(Timestamp(50)));
        let mut turn = |from: Option<i64>, has_row| line.turn(&7, from.map(Timestamp), has_row);
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
        assert_eq!((line.turn(&8, Some(Timestamp(60)), false), line.begins(&8)), (Later, Some(Timestamp(60))));
    }
}
