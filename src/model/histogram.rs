//! Durations, counted in buckets of fixed widths: cheap to add to, and sums of several mean something.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets of each doubling: a value is known within an eighth of itself.
const PARTS: usize = 8;
/// Below 2 to this power, in nanoseconds, buckets are of one width.
const FIRST: u32 = 10;
/// From 2 to this power on, about 69 s, values are not told apart.
const LAST: u32 = 36;
const BUCKETS: usize = PARTS * (1 + (LAST - FIRST) as usize);

/// Counts durations. One for each worker, merged when read; adding is two relaxed additions and no lock.
#[derive(Debug)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    nanos: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: [const { AtomicU64::new(0) }; BUCKETS], nanos: AtomicU64::new(0) }
    }
}

impl Histogram {
    /// Counts a duration.
    pub fn add(&self, duration: Duration) {
        self.add_nanos(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Counts a duration in nanoseconds.
    pub fn add_nanos(&self, nanos: u64) {
        if let Some(bucket) = self.buckets.get(place(nanos)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

/// What histograms hold, added up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Spread {
    buckets: Box<[u64]>,
    nanos: u64,
}

impl Default for Spread {
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS].into(), nanos: 0 }
    }
}

impl Spread {
    /// The upper bounds of [`Spread::up_to`], in nanoseconds: 1.024 us and its doublings up to 34 s.
    pub fn bounds() -> impl Iterator<Item = u64> {
        (FIRST..LAST).map(|power| 1 << power)
    }

    /// Adds what a histogram holds now.
    pub fn take_in(&mut self, histogram: &Histogram) {
        for (own, other) in self.buckets.iter_mut().zip(&histogram.buckets) {
            *own += other.load(Ordering::Relaxed);
        }
        self.nanos += histogram.nanos.load(Ordering::Relaxed);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// All of them together.
    #[must_use]
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.nanos)
    }

    /// How many are at most each of [`Spread::bounds`], in their order.
    pub fn up_to(&self) -> impl Iterator<Item = u64> {
        self.buckets.chunks(PARTS).take((LAST - FIRST) as usize).scan(0, |all, octave| {
            *all += octave.iter().sum::<u64>();
            Some(*all)
        })
    }

    /// The upper end of the bucket in which the given share of them lies at last; zero of none.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Duration {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "a rank"
        )]
        let rank = ((self.count() as f64 * share.clamp(0.0, 1.0)).ceil() as u64).max(1);
        let mut seen = 0;
        for (place, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_nanos(end(place));
            }
        }
        Duration::ZERO
    }
}

/// The bucket of a value. Bounds belong to the bucket below them, as Prometheus has it.
fn place(nanos: u64) -> usize {
    let nanos = nanos.saturating_sub(1).min((1 << LAST) - 1);
    let power = nanos.checked_ilog2().unwrap_or(0);
    let (octave, shift) = if power < FIRST { (0, FIRST - 3) } else { (power - FIRST + 1, power - 3) };
    let part = usize::try_from(nanos >> shift).unwrap_or(usize::MAX) % PARTS;
    octave as usize * PARTS + part
}

/// The greatest value of a bucket.
fn end(place: usize) -> u64 {
    let (octave, part) = (place / PARTS, (place % PARTS) as u64 + 1);
    match u32::try_from(octave).unwrap_or(u32::MAX) {
        0 => part << (FIRST - 3),
        octave => (PARTS as u64 + part) << (octave.min(LAST - FIRST) + FIRST - 4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_value_is_known_within_an_eighth(nanos in 1_u64..1 << LAST) {
            let end = end(place(nanos));
            prop_assert!(nanos <= end && end - nanos <= (nanos / 8).max(128), "{nanos} {end}");
        }

        #[test]
        fn merged_histograms_count_what_each_of_them_counted(some in prop::collection::vec(any::<u64>(), 0..50), more in prop::collection::vec(1_u64..1 << 34, 0..50)) {
            let (one, other) = (Histogram::default(), Histogram::default());
            some.iter().for_each(|nanos| one.add_nanos(nanos >> 6));
            more.iter().for_each(|nanos| other.add_nanos(*nanos));
            let mut spread = Spread::default();
            spread.take_in(&one);
            spread.take_in(&other);
            let all: Vec<u64> = some.iter().map(|nanos| nanos >> 6).chain(more).collect();
            prop_assert_eq!(spread.count(), all.len() as u64);
            for (bound, count) in Spread::bounds().zip(spread.up_to()) {
                prop_assert_eq!(count, all.iter().filter(|nanos| **nanos <= bound).count() as u64, "{}", bound);
            }
        }
    }

    #[test]
    fn quantiles_are_the_bucket_in_which_they_lie() {
        let histogram = Histogram::default();
        (1..=100).for_each(|micros| histogram.add(Duration::from_micros(micros)));
        let mut spread = Spread::default();
        assert_eq!(spread.quantile(0.5), Duration::ZERO);
        spread.take_in(&histogram);
        let near = |share, micros: u64| {
            let found = spread.quantile(share);
            found >= Duration::from_micros(micros) && found <= Duration::from_micros(micros + micros / 8)
        };
        assert!(near(0.5, 50) && near(0.99, 99) && near(1.0, 100), "{:?}", spread.quantile(0.5));
        assert_eq!(spread.sum(), Duration::from_micros(5_050));
    }
}
