//! All chance of a world, from one number.

use crate::model::Entropy;
use crate::model::SplitMix64;
use parking_lot::Mutex;
use std::time::Duration;

/// What is drawn from one stream of a world's seed.
#[derive(Clone, Debug)]
pub(super) struct Chance(SplitMix64);

impl Chance {
    /// Two streams of one seed, told apart by `stream`, have nothing to do with each other.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut chance = Self(SplitMix64::new(seed ^ stream.wrapping_mul(0xA076_1D64_78BD_642F)));
        chance.next();
        chance
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0.draw()
    }

    /// A number below `limit`; 0 where that is 0.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        if limit == 0 { 0 } else { self.next() % limit }
    }

    /// A place in something of this length; 0 where it is empty.
    pub(super) fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(u64::try_from(length).unwrap_or(u64::MAX))).unwrap_or(0)
    }

    /// True so many times in a thousand.
    pub(super) fn per_mille(&mut self, times: u32) -> bool {
        times > 0 && self.below(1_000) < u64::from(times)
    }

    /// A time from `least` milliseconds to below `most`.
    pub(super) fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.below(most.saturating_sub(least)))
    }

    /// One of several; `None` of none.
    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.place(of.len()))
    }
}

/// What the HSMs and the sealer of a world take for randomness.
pub(super) struct SimEntropy(Mutex<Chance>);

impl SimEntropy {
    pub(super) fn new(chance: Chance) -> Self {
        Self(Mutex::new(chance))
    }
}

impl Entropy for SimEntropy {
    fn fill(&self, out: &mut [u8]) {
        let mut chance = self.0.lock();
        for bytes in out.chunks_mut(8) {
            let value = chance.next().to_be_bytes();
            bytes.iter_mut().zip(value).for_each(|(to, from)| *to = from);
        }
    }
}
