//! From where terminals call, and how often a source brought a MAC that is none.

use crate::model::NetworkPolicy;
use crate::model::TerminalId;
use core::net::IpAddr;
use dashmap::DashMap;
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
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
    /// `None`: not since the start.
    at: Option<Duration>,
    /// Its policy makes something of where it calls from.
    kept: bool,
}

#[derive(Clone, Copy)]
struct Failures {
    since: Duration,
    count: u16,
}

/// Where all terminals call from. Where those are whose policy makes something of it is to outlive the process
/// ([`Callers::to_keep`], [`Callers::restore`]); of the others the first call after a start is where they are. Instants
/// are of the monotonic clock.
#[derive(Default)]
pub struct Callers {
    seen: DashMap<TerminalId, Seen>,
    /// Something that is kept has changed.
    changed: AtomicBool,
    failures: DashMap<IpAddr, Failures>,
}

impl fmt::Debug for Callers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callers").finish_non_exhaustive()
    }
}

impl Callers {
    /// Takes note of a message whose MAC verified. Only terminals of the registry may be noted. Where one that is pinned, or
    /// warned of, was first heard from is where it is; any other that moved is from then on where it moved to.
    pub fn heard(&self, terminal: TerminalId, household: IpAddr, now: Duration, policy: &NetworkPolicy) -> Heard {
        let stays = matches!(policy, NetworkPolicy::Pin | NetworkPolicy::Warn);
        let kept = stays || *policy == NetworkPolicy::Learn;
        let mut seen = self.seen.entry(terminal).or_insert(Seen { household, at: None, kept: false });
        let before = seen.at.replace(now);
        let moved = seen.household != household;
        if moved && !stays {
            seen.household = household;
        }
        let was_kept = std::mem::replace(&mut seen.kept, kept);
        if was_kept != kept || (kept && moved && !stays) {
            self.changed.store(true, Ordering::Release);
        }
        Heard { moved, silent: before.map(|before| now.saturating_sub(before)) }
    }

    /// What is to be kept of where terminals call from, in their order, if it has changed since this was asked last.
    #[must_use]
    pub fn to_keep(&self) -> Option<Vec<(TerminalId, IpAddr)>> {
        // Before the look: what changes meanwhile is a change of the next time.
        self.changed.swap(false, Ordering::AcqRel).then(|| {
            let kept = self.seen.iter().filter(|seen| seen.kept);
            let mut rows: Vec<_> = kept.map(|seen| (*seen.key(), seen.household)).collect();
            rows.sort_unstable_by_key(|(terminal, _)| *terminal);
            rows
        })
    }

    /// It was not kept after all: it is to be kept the next time.
    pub fn not_kept(&self) {
        self.changed.store(true, Ordering::Release);
    }

    /// Takes in what was kept. Only terminals of the registry may be noted.
    pub fn restore(&self, rows: impl IntoIterator<Item = (TerminalId, IpAddr)>) {
        for (terminal, household) in rows {
            self.seen.entry(terminal).or_insert(Seen { household, at: None, kept: true });
        }
    }

    /// When a terminal was heard last.
    #[must_use]
    pub fn last(&self, terminal: TerminalId) -> Option<Duration> {
        self.seen.get(&terminal).and_then(|seen| seen.at)
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
        let heard = |from, second| callers.heard(terminal, from, at(second), &NetworkPolicy::Any);
        assert_eq!(heard(home, 1), Heard::default());
        assert_eq!(heard(home, 31), Heard { moved: false, silent: Some(at(30)) });
        assert!(heard(away, 32).moved);
        assert!(!heard(away, 33).moved);
        assert_eq!(callers.last(terminal), Some(at(33)));
    }

    #[test]
    fn a_terminal_that_stays_has_moved_as_long_as_it_calls_from_elsewhere() {
        let (callers, terminal) = (Callers::default(), TerminalId::parse(b"10000001").unwrap());
        let [home, away]: [IpAddr; 2] = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse().unwrap());
        let moved =
            [home, away, away, home].map(|from| callers.heard(terminal, from, at(1), &NetworkPolicy::Pin).moved);
        assert_eq!(moved, [false, true, true, false]);
    }

    #[test]
    fn what_is_kept_is_where_terminals_are_whose_policy_asks_and_only_when_it_changed() {
        let callers = Callers::default();
        let [pinned, learnt, any] = [b"10000001", b"10000002", b"10000003"].map(|id| TerminalId::parse(id).unwrap());
        let [home, away]: [IpAddr; 2] = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse().unwrap());
        let from = |from| {
            callers.heard(pinned, from, at(1), &NetworkPolicy::Pin);
            callers.heard(learnt, from, at(1), &NetworkPolicy::Learn);
            callers.heard(any, from, at(1), &NetworkPolicy::Any);
        };
        assert_eq!(callers.to_keep(), None);
        from(home);
        assert_eq!(callers.to_keep(), Some(vec![(pinned, home), (learnt, home)]));
        from(home);
        assert_eq!(callers.to_keep(), None, "nobody moved");
        from(away);
        let rows = callers.to_keep().unwrap();
        assert_eq!(rows, [(pinned, home), (learnt, away)]);
        let later = Callers::default();
        later.restore(rows);
        assert_eq!(later.to_keep(), None);
        assert_eq!(later.heard(pinned, away, at(1), &NetworkPolicy::Pin), Heard { moved: true, silent: None });
        assert!(!later.heard(learnt, away, at(1), &NetworkPolicy::Learn).moved);
        assert!(!later.heard(any, home, at(1), &NetworkPolicy::Any).moved);
        callers.heard(pinned, home, at(2), &NetworkPolicy::Any);
        assert_eq!(callers.to_keep(), Some(vec![(learnt, away)]));
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
