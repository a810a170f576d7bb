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

impl StanSpace {
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
