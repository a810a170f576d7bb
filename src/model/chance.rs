//! Chance where no secret hangs on it: numbers that a seed repeats, and pauses that are not all alike.

use std::time::Duration;

/// Numbers that look random, the same for the same seed: SplitMix64 (Steele, Lea, Flood 2014). For choices
/// of simulations and traffic, never for keys.
#[derive(Clone, Debug)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// Begins at a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

/// Pauses double so often at most.
const DOUBLINGS: u32 = 16;

/// The pause before another attempt to connect: `first` doubled so often, at most `most`, half of it by
/// `chance` (any number will do), so that many connections do not return at the same moment.
#[must_use]
pub fn back_off(first: Duration, most: Duration, doublings: u32, chance: u32) -> Duration {
    let whole = first.saturating_mul(1 << doublings.min(DOUBLINGS)).min(most);
    whole / 2 + whole.mul_f64(f64::from(chance) / f64::from(u32::MAX)) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_published_generator() {
        let mut chance = SplitMix64::new(1_234_567);
        let drawn = [chance.draw(), chance.draw(), chance.draw()];
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_half_of_each_is_chance() {
        let (first, most) = (Duration::from_millis(100), Duration::from_secs(5));
        assert_eq!(back_off(first, most, 0, u32::MAX), first);
        assert_eq!(back_off(first, most, 0, 0), first / 2);
        assert_eq!(back_off(first, most, 3, u32::MAX), first * 8);
        assert_eq!(back_off(first, most, 99, u32::MAX), most);
        assert_eq!(back_off(first, most, 99, 0), most / 2);
    }
}
