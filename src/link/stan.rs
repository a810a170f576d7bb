//! The trace numbers that all connections to one issuer share.

use crate::model::Stan;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

/// Hands out STANs towards one issuer: each once in 999,999, whichever connection or thread asks.
///
/// One for an issuer, handed to all its links, so that two workers never use the same number within
/// the time in which an answer may still come.
#[derive(Debug)]
pub struct StanSpace(AtomicU32);

/// The last number of the space.
const MOST: u32 = 999_999;
/// How far after the last one on record a link's numbers start: more than can have been used unrecorded.
pub const AFTER_RESTART: u32 = 10_000;

impl StanSpace {
    /// Goes on after a restart, [`AFTER_RESTART`] after the last number on record, also across the end of
    /// the space: what was used since the last mark is not used again while an answer to it may come.
    #[must_use]
    pub fn resuming(last: Stan) -> Self {
        let first = (last.value() + AFTER_RESTART - 1) % MOST + 1;
        Self(AtomicU32::new(first))
    }

    /// The number given out last; that before the first one if none was.
    #[must_use]
    pub fn last(&self) -> Stan {
        let next = self.0.load(Ordering::Relaxed);
        Stan::new(if next <= 1 { MOST } else { next - 1 }).unwrap_or(Stan::FIRST)
    }

    /// The first STAN given out is `first`.
    #[must_use]
    pub fn starting_at(first: Stan) -> Self {
        Self(AtomicU32::new(first.value()))
    }

    /// The next one; 999999 is followed by 1, never by 0.
    #[must_use]
    pub fn next(&self) -> Stan {
        let after = |value| Stan::new(value).map(|stan| stan.next().value());
        match self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, after) {
            Ok(value) | Err(value) => Stan::new(value).unwrap_or(Stan::FIRST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_number_is_followed_by_one_and_never_by_zero() {
        let space = StanSpace::starting_at(Stan::new(999_998).unwrap());
        let given: Vec<u32> = (0..4).map(|_| space.next().value()).collect();
        assert_eq!(given, [999_998, 999_999, 1, 2]);
    }

    #[test]
    fn after_a_restart_the_numbers_go_on_ten_thousand_after_the_last_on_record_and_across_the_end() {
        for (last, first) in [(1, 10_001), (500_000, 510_000), (989_999, 999_999), (990_000, 1), (999_999, 10_000)] {
            let space = StanSpace::resuming(Stan::new(last).unwrap());
            assert_eq!(space.next().value(), first, "{last}");
            assert_eq!(space.last().value(), first, "{last}");
        }
    }

    #[test]
    fn the_number_before_the_first_of_all_is_the_last_of_all() {
        assert_eq!(StanSpace::starting_at(Stan::FIRST).last().value(), 999_999);
    }

    #[test]
    fn no_number_is_given_twice_before_all_were() {
        let space = StanSpace::starting_at(Stan::new(500_000).unwrap());
        let mut seen = vec![false; 1_000_000];
        for _ in 0..999_999 {
            let stan = usize::try_from(space.next().value()).unwrap();
            assert!(!std::mem::replace(&mut seen[stan], true));
        }
        assert_eq!(space.next().value(), 500_000);
    }
}
