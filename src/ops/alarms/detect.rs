//! What makes an alarm of what is seen. Pure: each is told what time it is.

use super::board::Moment;
use super::window::Minute;
use std::time::Duration;

/// Something that may be so for a while before anybody is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lasting {
    since: Option<Duration>,
}

impl Lasting {
    /// For how long it has been so, if it is.
    pub fn look(&mut self, is_so: bool, now: Duration) -> Option<Duration> {
        let since = *self.since.get_or_insert(now);
        if !is_so {
            self.since = None;
            return None;
        }
        Some(now.saturating_sub(since))
    }
}

/// The share of declines in the last minute.
#[derive(Clone, Debug, Default)]
pub struct Share {
    minute: Minute<2>,
    is_high: bool,
}

impl Share {
    /// Takes what was asked and declined since the last look, and answers `(asked, declined)` of the minute if the share
    /// is at least `percent` of at least so many. A share once too high is so until it is below four fifths of that.
    pub fn look(
        &mut self,
        now: Duration,
        (asked, declined): (u64, u64),
        (percent, least): (u64, u64),
    ) -> Option<(u64, u64)> {
        self.minute.add(now.as_secs(), [asked, declined]);
        let [asked, declined] = self.minute.sums(now.as_secs());
        let enough = asked >= least.max(1);
        let reaches = |percent: u64| u128::from(declined) * 500 >= u128::from(asked) * u128::from(percent);
        // In fifths, so that four fifths of a percentage are a whole number.
        self.is_high = enough && reaches(if self.is_high { percent * 4 } else { percent * 5 });
        self.is_high.then_some((asked, declined))
    }
}

/// Messages that are owed to one issuer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Queue {
    last: u64,
    at_first: u64,
    since: Duration,
}

/// What is wrong with a queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Growth {
    /// It is long.
    Long,
    /// It has not become shorter for so long, and is longer than it was.
    Grows(Duration),
}

impl Queue {
    /// Takes how many are owed now. True if they are more than `most`, or have grown for at least `growth` without ever
    /// becoming fewer.
    pub fn look(&mut self, now: Duration, owed: u64, terms: (u64, Duration)) -> bool {
        self.growth(now, owed, terms).is_some()
    }

    pub(super) fn growth(&mut self, now: Duration, owed: u64, (most, growth): (u64, Duration)) -> Option<Growth> {
        if owed < self.last || owed == 0 || self.last == 0 {
            (self.at_first, self.since) = (owed, now);
        }
        self.last = owed;
        let lasts = now.saturating_sub(self.since);
        if owed > most {
            return Some(Growth::Long);
        }
        (owed > self.at_first && lasts >= growth).then_some(Growth::Grows(lasts))
    }
}

/// Compares the two clocks between two looks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clocks {
    last: Option<Moment>,
}

impl Clocks {
    /// By how many microseconds the wall clock went further than time did, if that is more than `most` either way.
    pub fn look(&mut self, at: Moment, most: Duration) -> Option<i64> {
        let last = self.last.replace(at)?;
        let walked = at.wall.0.saturating_sub(last.wall.0);
        let passed = i64::try_from(at.mono.saturating_sub(last.mono).as_micros()).unwrap_or(i64::MAX);
        let jump = walked.saturating_sub(passed);
        (u128::from(jump.unsigned_abs()) > most.as_micros()).then_some(jump)
    }
}
