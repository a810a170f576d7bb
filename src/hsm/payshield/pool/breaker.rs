//! When a connection is left alone. Pure: time is handed in, counted from any start.

use std::time::Duration;

/// A circuit breaker. Closed, it counts failures in a row; open, it waits; then it asks for a probe.
#[derive(Clone, Copy, Debug)]
pub(super) struct Breaker {
    trip_after: u32,
    cool_down: Duration,
    failures: u32,
    /// When a probe may be sent, if it is open.
    probe_at: Option<Duration>,
}

impl Breaker {
    pub(super) fn new(trip_after: u32, cool_down: Duration) -> Self {
        Self { trip_after, cool_down, failures: 0, probe_at: None }
    }

    pub(super) fn is_open(&self) -> bool {
        self.probe_at.is_some()
    }

    /// When to probe, if it is open.
    pub(super) fn probe_at(&self) -> Option<Duration> {
        self.probe_at
    }

    /// A call got its answer.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// A call failed through the HSM or the connection. True if this opened it.
    pub(super) fn failed(&mut self, now: Duration) -> bool {
        self.failures = self.failures.saturating_add(1);
        self.failures >= self.trip_after && self.open(now)
    }

    /// Opens it at once: the HSM says itself that it is broken. True if it was closed.
    pub(super) fn open(&mut self, now: Duration) -> bool {
        let opened = self.probe_at.is_none();
        self.probe_at = Some(now + self.cool_down);
        opened
    }

    /// The probe was answered: it closes, and one more failure opens it again. True if it was open.
    pub(super) fn probed(&mut self) -> bool {
        self.failures = self.trip_after - 1;
        self.probe_at.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::Breaker;
    use std::time::Duration;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn only_failures_in_a_row_open_it() {
        let mut breaker = Breaker::new(3, S);
        assert!(!breaker.failed(S) && !breaker.failed(S));
        breaker.succeeded();
        assert!(!breaker.failed(S) && !breaker.failed(S) && !breaker.is_open());
        assert!(breaker.failed(S) && breaker.is_open());
        assert_eq!(breaker.probe_at(), Some(2 * S));
    }

    #[test]
    fn after_a_probe_one_failure_opens_it_again_and_one_success_forgets_all() {
        let mut breaker = Breaker::new(3, S);
        assert!(breaker.open(S) && !breaker.open(2 * S));
        assert!(breaker.probed() && !breaker.is_open());
        assert!(breaker.failed(4 * S));
        assert!(breaker.probed());
        breaker.succeeded();
        assert!(!breaker.failed(5 * S) && !breaker.is_open());
    }
}
