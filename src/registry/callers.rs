//! From where terminals call, and how often a source brought a MAC that is none.

use crate::model::TerminalId;
use core::net::IpAddr;
use dashmap::DashMap;
use std::fmt;
use std::time::Duration;

/// For how long MAC failures of a source are counted together.
const FAILURES_FOR: Duration = Duration::from_secs(600);
/// How many sources are counted. Of more, those that are over make room; if none is, the new one is not counted.
const SOURCES: usize = 65_536;

/// What a message whose MAC verified says of its terminal's whereabouts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Heard {
    /// It came from another household than the one before it.
    pub moved: bool,
    /// How long the terminal had been silent, where it was heard before.
    pub silent: Option<Duration>,
}

#[derive(Clone, Copy)]
struct Seen {
    household: IpAddr,
    at: Duration,
}

#[derive(Clone, Copy)]
struct Failures {
    since: Duration,
    count: u16,
}

/// Where all terminals call from. Nothing of it outlives the process: the first call after a start is where a terminal
/// is. Instants are of the monotonic clock.
#[derive(Default)]
pub struct Callers {
    seen: DashMap<TerminalId, Seen>,
    failures: DashMap<IpAddr, Failures>,
}

impl fmt::Debug for Callers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callers").finish_non_exhaustive()
    }
}

impl Callers {
    /// Takes note of a message whose MAC verified. Only terminals of the registry may be noted. `stays`: where it was
    /// first heard from is where it is; else a terminal that moved is from then on where it moved to.
    pub fn heard(&self, terminal: TerminalId, household: IpAddr, now: Duration, stays: bool) -> Heard {
        let mut first = false;
        let mut seen = self.seen.entry(terminal).or_insert_with(|| {
            first = true;
            Seen { household, at: now }
        });
        let before = std::mem::replace(&mut seen.at, now);
        let moved = seen.household != household;
        if moved && !stays {
            seen.household = household;
        }
        Heard { moved, silent: (!first).then(|| now.saturating_sub(before)) }
    }

    /// When a terminal was heard last.
    #[must_use]
    pub fn last(&self, terminal: TerminalId) -> Option<Duration> {
        self.seen.get(&terminal).map(|seen| seen.at)
    }

    /// Takes note of a MAC that is none.
    pub fn failed(&self, source: IpAddr, now: Duration) {
        if self.failures.len() >= SOURCES && !self.failures.contains_key(&source) {
            self.failures.retain(|_, failures| now < failures.since + FAILURES_FOR);
            if self.failures.len() >= SOURCES {
                return;
            }
        }
        let mut failures = self.failures.entry(source).or_insert(Failures { since: now, count: 0 });
        if now >= failures.since + FAILURES_FOR {
            *failures = Failures { since: now, count: 0 };
        }
        failures.count = failures.count.saturating_add(1);
    }

    /// How many there were from this source, of late.
    #[must_use]
    pub fn failures(&self, source: IpAddr, now: Duration) -> u16 {
        let failures = self.failures.get(&source);
        failures.filter(|failures| now < failures.since + FAILURES_FOR).map_or(0, |failures| failures.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_terminal_that_calls_from_elsewhere_has_moved_once() {
        let (callers, terminal) = (Callers::default(), TerminalId::parse(b"10000001").unwrap());
        let [home, away]: [IpAddr; 2] = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse().unwrap());
        assert_eq!(callers.heard(terminal, home, at(1), false), Heard::default());
        assert_eq!(callers.heard(terminal, home, at(31), false), Heard { moved: false, silent: Some(at(30)) });
        assert!(callers.heard(terminal, away, at(32), false).moved);
        assert!(!callers.heard(terminal, away, at(33), false).moved);
        assert_eq!(callers.last(terminal), Some(at(33)));
    }

    #[test]
    fn a_terminal_that_stays_has_moved_as_long_as_it_calls_from_elsewhere() {
        let (callers, terminal) = (Callers::default(), TerminalId::parse(b"10000001").unwrap());
        let [home, away]: [IpAddr; 2] = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse().unwrap());
        let moved = [home, away, away, home].map(|from| callers.heard(terminal, from, at(1), true).moved);
        assert_eq!(moved, [false, true, true, false]);
    }

    #[test]
    fn mac_failures_of_a_source_count_for_ten_minutes() {
        let (callers, source) = (Callers::default(), "10.0.0.1".parse().unwrap());
        (0..3).for_each(|second| callers.failed(source, at(second)));
        assert_eq!([599, 600].map(|second| callers.failures(source, at(second))), [3, 0]);
        callers.failed(source, at(700));
        assert_eq!(callers.failures(source, at(701)), 1);
    }
}
