//! Counts within the last minute.

/// Seconds of the window.
const SECONDS: usize = 60;

/// Counts of `N` things in the sixty seconds that end with this one. Time that goes back stands still.
#[derive(Clone, Debug)]
pub struct Minute<const N: usize> {
    seconds: [[u64; N]; SECONDS],
    sums: [u64; N],
    now: u64,
}

impl<const N: usize> Default for Minute<N> {
    fn default() -> Self {
        Self { seconds: [[0; N]; SECONDS], sums: [0; N], now: 0 }
    }
}

impl<const N: usize> Minute<N> {
    /// Counts so many in this second.
    pub fn add(&mut self, second: u64, counts: [u64; N]) {
        self.pass(second);
        let at = place(self.now);
        if let Some(slot) = self.seconds.get_mut(at) {
            for ((slot, sum), count) in slot.iter_mut().zip(&mut self.sums).zip(counts) {
                *slot = slot.saturating_add(count);
                *sum = sum.saturating_add(count);
            }
        }
    }

    /// The counts of the minute that ends with this second.
    pub fn sums(&mut self, second: u64) -> [u64; N] {
        self.pass(second);
        self.sums
    }

    /// Forgets what is older than a minute.
    fn pass(&mut self, second: u64) {
        let gone = second.saturating_sub(self.now);
        for passed in 1..=gone.min(SECONDS as u64) {
            if let Some(slot) = self.seconds.get_mut(place(self.now.saturating_add(passed))) {
                for (slot, sum) in slot.iter_mut().zip(&mut self.sums) {
                    *sum = sum.saturating_sub(std::mem::take(slot));
                }
            }
        }
        self.now = self.now.max(second);
    }
}

fn place(second: u64) -> usize {
    usize::try_from(second % SECONDS as u64).unwrap_or(0)
}
