//! PIN blocks that are none, counted: who holds a terminal's MAC key must not try them out without end.

use crate::model::TerminalId;
use dashmap::DashMap;
use std::fmt;
use std::time::Duration;

/// For how long errors are counted together, and PINs then refused.
const HOUR: Duration = Duration::from_secs(3_600);

/// PIN block errors of one generation of a terminal's keys, and of those before it.
#[derive(Clone, Copy)]
struct Errors {
    generation: Option<u32>,
    since: Duration,
    count: u32,
}

/// PIN block errors of all terminals; nothing of it outlives the process. Instants are of the monotonic clock.
#[derive(Default)]
pub struct PinErrors(DashMap<TerminalId, Errors>);

impl fmt::Debug for PinErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinErrors").finish_non_exhaustive()
    }
}

impl PinErrors {
    /// Counts one; whether it is the one with which the bound is reached. `generation` is that of the keys, `None` where
    /// keys have none.
    #[must_use]
    pub fn count(&self, terminal: TerminalId, generation: Option<u32>, now: Duration, most: u32) -> bool {
        let mut errors = self.0.entry(terminal).or_insert(Errors { generation, since: now, count: 0 });
        if errors.generation < generation || now >= errors.since + HOUR {
            *errors = Errors { generation, since: now, count: 0 };
        }
        errors.count = errors.count.saturating_add(1);
        errors.count == most
    }

    /// Whether there were so many that no PIN under these keys is served for now.
    #[must_use]
    pub fn too_many(&self, terminal: TerminalId, generation: Option<u32>, now: Duration, most: u32) -> bool {
        self.0
            .get(&terminal)
            .is_some_and(|errors| errors.generation >= generation && now < errors.since + HOUR && errors.count >= most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_count_for_an_hour_or_until_newer_keys_and_older_keys_are_no_way_out() {
        let (errors, terminal) = (PinErrors::default(), TerminalId::parse(b"10000001").unwrap());
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let counted: Vec<_> = (0..4).map(|at| errors.count(terminal, Some(2), minutes(at), 3)).collect();
        assert_eq!(counted, [false, false, true, false], "told once");
        let refused = |generation, at| errors.too_many(terminal, generation, minutes(at), 3);
        assert!(refused(Some(2), 59) && refused(Some(1), 59) && !refused(Some(3), 59) && !refused(Some(2), 60));
        assert!(!errors.count(terminal, Some(1), minutes(5), 3) && refused(Some(2), 59));
        assert!(!errors.count(terminal, Some(3), minutes(5), 3) && !refused(Some(3), 59));
    }
}
