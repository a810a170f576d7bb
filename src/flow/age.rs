//! How old transactions are at least, told by the order of their numbers: no wall clock, whose steps would
//! make them older than they are, and nothing kept for each of them.

use crate::ledger::TxnId;
use std::collections::VecDeque;
use std::time::Duration;

/// How far apart two marks are at least.
const APART: Duration = Duration::from_secs(5);
/// How many marks are kept; ages above the two hours or so that they span are all the same.
const MARKS: usize = 1_440;

/// Which numbers were the next ones at which monotonic times. What has a lower number is older.
#[derive(Debug, Default)]
pub(super) struct Ages(VecDeque<(TxnId, Duration)>);

impl Ages {
    /// Whether it is time for another mark.
    pub(super) fn wants(&self, now: Duration) -> bool {
        self.0.back().is_none_or(|(_, at)| now.saturating_sub(*at) >= APART)
    }

    /// Notes that `next` was the next number at `now`.
    pub(super) fn note(&mut self, next: TxnId, now: Duration) {
        if self.0.len() >= MARKS {
            self.0.pop_front();
        }
        self.0.push_back((next, now));
    }

    /// How long ago at least the transaction was intended.
    pub(super) fn at_least(&self, id: TxnId, now: Duration) -> Duration {
        let first_after = self.0.partition_point(|(next, _)| *next <= id);
        self.0.get(first_after).map_or(Duration::ZERO, |(_, at)| now.saturating_sub(*at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_was_numbered_before_a_mark_is_as_old_as_the_mark() {
        let mut ages = Ages::default();
        ages.note(TxnId(10), seconds(100));
        ages.note(TxnId(20), seconds(110));
        assert_eq!(ages.at_least(TxnId(9), seconds(130)), seconds(30));
        assert_eq!(ages.at_least(TxnId(10), seconds(130)), seconds(20));
        assert_eq!(ages.at_least(TxnId(20), seconds(130)), Duration::ZERO);
    }

    #[test]
    fn marks_are_seconds_apart_and_bounded() {
        let mut ages = Ages::default();
        assert!(ages.wants(Duration::ZERO));
        ages.note(TxnId(1), Duration::ZERO);
        assert!(!ages.wants(seconds(4)) && ages.wants(seconds(5)));
        (0..2_000).for_each(|n| ages.note(TxnId(n), seconds(n)));
        assert_eq!(ages.0.len(), MARKS);
    }
}
