//! Numbers that look random, for invented terminals: what chips and PIN pads draw, without asking the system each time.

use crate::model::Entropy;
use crate::model::SplitMix64;
use std::sync::atomic::{AtomicU64, Ordering};

/// The same numbers for the same seed. For TEST keys only: whoever knows the seed knows them.
pub struct Drawn(AtomicU64);

impl Drawn {
    /// Begins at a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Entropy for Drawn {
    fn fill(&self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            // As far from the last one as SplitMix64 goes in a step.
            let state = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            let bytes = SplitMix64::new(state).draw().to_le_bytes();
            chunk.iter_mut().zip(bytes).for_each(|(byte, drawn)| *byte = drawn);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_again_and_no_draw_is_the_one_before() {
        let draws = |seed| {
            let (drawn, mut all) = (Drawn::new(seed), [[0; 12]; 4]);
            all.iter_mut().for_each(|one| drawn.fill(one));
            all
        };
        assert_eq!(draws(7), draws(7));
        assert_ne!(draws(7), draws(8));
        assert!(draws(7).windows(2).all(|pair| pair[0] != pair[1]));
    }
}
