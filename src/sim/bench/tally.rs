//! What happened, counted. Each worker has its own; they are merged when the run is over.

use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// Slower than this counts as this, in microseconds.
pub const SLOWEST: u64 = 600_000_000;
/// Different response codes that are told apart; a host that makes up more is told under the last.
const CODES: usize = 64;

/// What may go wrong with a request or its answer, each counted under its own name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// No answer in time.
    Silent,
    /// The connection closed while the answer was awaited.
    Closed,
    /// The answer has no MAC and should.
    NoMac,
    /// The answer's MAC is wrong.
    WrongMac,
    /// The answer came, and an element of it is not the request's.
    Differs,
    /// The answer's code is none of those that the mix allows.
    Code,
    /// The chip did not believe its issuer's answer.
    Chip,
    /// A repeated request was answered otherwise than the first time.
    RepeatDiffers,
    /// An answer came after its request was given up.
    Late,
    /// An answer came twice.
    Twice,
    /// An answer for a terminal of ours came on another one's connection.
    OtherConnection,
    /// An answer for a terminal that is none of ours.
    OtherTerminal,
    /// An answer to nothing that was asked.
    Unmatched,
    /// What came is no message.
    Garbage,
}

impl Fault {
    /// Each with its name in reports, and what it means.
    pub const ALL: [(Self, &'static str, &'static str); 14] = [
        (Self::Silent, "no-answer", "no answer in time"),
        (Self::Closed, "closed", "connection closed while an answer was awaited"),
        (Self::NoMac, "no-mac", "answer without its MAC"),
        (Self::WrongMac, "wrong-mac", "answer with a wrong MAC"),
        (Self::Differs, "differs", "answer that does not match its request"),
        (Self::Code, "code", "response code that the mix does not allow"),
        (Self::Chip, "chip", "the chip refused its issuer's answer"),
        (Self::RepeatDiffers, "repeat-differs", "repeat answered otherwise than the first time"),
        (Self::Late, "late", "answer after its request was given up"),
        (Self::Twice, "twice", "answered twice"),
        (Self::OtherConnection, "other-connection", "another terminal's answer: wrong connection"),
        (Self::OtherTerminal, "other-terminal", "answer for a terminal that is none of ours"),
        (Self::Unmatched, "unmatched", "answer to nothing that was asked"),
        (Self::Garbage, "garbage", "no message of the dialect"),
    ];

    /// Whether the request stays without an answer.
    #[must_use]
    pub fn is_silence(self) -> bool {
        matches!(self, Self::Silent | Self::Closed)
    }

    /// Whether what came belongs to no request that waits.
    #[must_use]
    pub fn is_stray(self) -> bool {
        matches!(
            self,
            Self::Late | Self::Twice | Self::OtherConnection | Self::OtherTerminal | Self::Unmatched | Self::Garbage
        )
    }
}

/// A second of the run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Interval {
    /// Requests sent in it.
    pub sent: u64,
    /// Requests answered in it.
    pub answered: u64,
    /// What went wrong in it.
    pub faults: u64,
    /// Latencies from schedule of what was answered in it: microseconds and how many, ascending.
    pub spectrum: Vec<(u64, u64)>,
}

/// What one worker counted.
pub struct Tally {
    /// Requests that fell due.
    pub scheduled: u64,
    /// Those that could not be sent before the end, no terminal being free.
    pub unsent: u64,
    /// Those that were sent.
    pub sent: u64,
    /// Those for which no terminal was free when they were due.
    pub starved: u64,
    /// Those whose answer came, right or wrong.
    pub answered: u64,
    /// Those approved, and to be believed.
    pub approved: u64,
    /// Those given up on purpose: the mix hung up.
    pub cut: u64,
    /// Messages besides: reversals, repeats, sign-ins.
    pub besides: u64,
    /// Reversals that the host accepted.
    pub reversed: u64,
    /// Connections made again.
    pub reconnects: u64,
    /// Attempts to connect that failed.
    pub refused: u64,
    /// Answers by code as it came.
    pub codes: BTreeMap<Box<str>, u64>,
    /// How often an element was not what it should be, by its role.
    pub elements: BTreeMap<&'static str, u64>,
    faults: [u64; Fault::ALL.len()],
    /// From when a request was due to its answer; what was not answered counts until it was given up.
    pub from_schedule: Histogram<u64>,
    /// From when it was sent to its answer.
    pub from_send: Histogram<u64>,
    /// From when it was due to when it was sent.
    pub lag: Histogram<u64>,
    /// The same of those for which a terminal was free: what the generator itself was late.
    pub own_lag: Histogram<u64>,
    /// The seconds of the run.
    pub intervals: Vec<Interval>,
    current: Histogram<u64>,
    counted: Interval,
    /// When the first interval began, in nanoseconds.
    began: u64,
}

/// A histogram could not be made: a bug.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no histogram")]
pub struct NoHistogram;

fn histogram() -> Result<Histogram<u64>, NoHistogram> {
    Histogram::new_with_bounds(1, SLOWEST, 3).map_err(|_| NoHistogram)
}

impl Tally {
    /// Nothing has happened; seconds count from `began`, in nanoseconds.
    ///
    /// # Errors
    /// [`NoHistogram`].
    pub fn new(began: u64) -> Result<Self, NoHistogram> {
        Ok(Self {
            scheduled: 0,
            unsent: 0,
            sent: 0,
            starved: 0,
            answered: 0,
            approved: 0,
            cut: 0,
            besides: 0,
            reversed: 0,
            reconnects: 0,
            refused: 0,
            codes: BTreeMap::new(),
            elements: BTreeMap::new(),
            faults: [0; Fault::ALL.len()],
            from_schedule: histogram()?,
            from_send: histogram()?,
            lag: histogram()?,
            own_lag: histogram()?,
            intervals: Vec::new(),
            current: histogram()?,
            counted: Interval::default(),
            began,
        })
    }

    /// How often it happened.
    #[must_use]
    pub fn fault(&self, fault: Fault) -> u64 {
        self.faults.get(fault as usize).copied().unwrap_or_default()
    }

    /// The sum of what a question picks.
    #[must_use]
    pub fn faults(&self, which: impl Fn(Fault) -> bool) -> u64 {
        Fault::ALL.iter().filter(|(fault, _, _)| which(*fault)).map(|(fault, _, _)| self.fault(*fault)).sum()
    }

    /// Counts what went wrong.
    pub fn count(&mut self, fault: Fault, now: u64) {
        self.roll(now);
        self.counted.faults += 1;
        if let Some(count) = self.faults.get_mut(fault as usize) {
            *count += 1;
        }
    }

    /// Names an element that was not what it should be.
    pub fn differed(&mut self, role: &'static str) {
        *self.elements.entry(role).or_default() += 1;
    }

    /// A request left, so late.
    pub fn left(&mut self, due: u64, was_starved: bool, now: u64) {
        self.roll(now);
        self.sent += 1;
        self.counted.sent += 1;
        let lag = micros(due, now);
        self.lag.saturating_record(lag);
        if was_starved {
            self.starved += 1;
        } else {
            self.own_lag.saturating_record(lag);
        }
    }

    /// Its answer came.
    pub fn came(&mut self, code: &str, (due, sent): (u64, u64), now: u64) {
        self.roll(now);
        self.answered += 1;
        self.counted.answered += 1;
        let from_schedule = micros(due, now);
        self.from_schedule.saturating_record(from_schedule);
        self.current.saturating_record(from_schedule);
        self.from_send.saturating_record(micros(sent, now));
        if let Some(count) = self.codes.get_mut(code) {
            *count += 1;
        } else {
            let name = if self.codes.len() < CODES { code } else { "other" };
            *self.codes.entry(name.into()).or_default() += 1;
        }
    }

    /// It was given up without one: it took at least so long.
    pub fn gave_up(&mut self, due: u64, now: u64) {
        self.from_schedule.saturating_record(micros(due, now));
    }

    /// Closes the seconds before `now`.
    fn roll(&mut self, now: u64) {
        let second = now.saturating_sub(self.began) / 1_000_000_000;
        while (self.intervals.len() as u64) < second {
            self.close();
        }
    }

    fn close(&mut self) {
        let recorded = self.current.iter_recorded();
        let spectrum = recorded.map(|step| (step.value_iterated_to(), step.count_since_last_iteration()));
        let spectrum = if self.current.is_empty() { Vec::new() } else { spectrum.collect() };
        self.intervals.push(Interval { spectrum, ..std::mem::take(&mut self.counted) });
        if !self.current.is_empty() {
            self.current.reset();
        }
    }

    /// Closes the last second.
    pub fn finish(&mut self, now: u64) {
        self.roll(now);
        if self.counted != Interval::default() || !self.current.is_empty() {
            self.close();
        }
    }

    /// Adds another worker's.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.scheduled, other.scheduled),
            (&mut self.unsent, other.unsent),
            (&mut self.sent, other.sent),
            (&mut self.starved, other.starved),
            (&mut self.answered, other.answered),
            (&mut self.approved, other.approved),
            (&mut self.cut, other.cut),
            (&mut self.besides, other.besides),
            (&mut self.reversed, other.reversed),
            (&mut self.reconnects, other.reconnects),
            (&mut self.refused, other.refused),
        ] {
            *mine += theirs;
        }
        self.faults.iter_mut().zip(other.faults).for_each(|(mine, theirs)| *mine += theirs);
        for (code, count) in &other.codes {
            *self.codes.entry(code.clone()).or_default() += count;
        }
        for (role, count) in &other.elements {
            *self.elements.entry(role).or_default() += count;
        }
        for (mine, theirs) in [
            (&mut self.from_schedule, &other.from_schedule),
            (&mut self.from_send, &other.from_send),
            (&mut self.lag, &other.lag),
            (&mut self.own_lag, &other.own_lag),
        ] {
            // Of the same bounds by birth.
            let _same_bounds = mine.add(theirs);
        }
        if self.intervals.len() < other.intervals.len() {
            self.intervals.resize_with(other.intervals.len(), Interval::default);
        }
        self.intervals.iter_mut().zip(&other.intervals).for_each(|(mine, theirs)| mine.merge(theirs));
    }
}

impl Interval {
    fn merge(&mut self, other: &Self) {
        self.sent += other.sent;
        self.answered += other.answered;
        self.faults += other.faults;
        let mut merged: BTreeMap<u64, u64> = self.spectrum.iter().copied().collect();
        for (value, count) in &other.spectrum {
            *merged.entry(*value).or_default() += count;
        }
        self.spectrum = merged.into_iter().collect();
    }
}

fn micros(from: u64, to: u64) -> u64 {
    (to.saturating_sub(from) / 1_000).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn every_fault_has_its_own_place() {
        for (at, (fault, _, _)) in Fault::ALL.iter().enumerate() {
            assert_eq!(*fault as usize, at);
        }
    }

    #[test]
    fn what_was_due_long_before_it_was_sent_is_slow_from_schedule_and_not_from_send() {
        let mut tally = Tally::new(0).unwrap();
        tally.left(0, true, SECOND);
        tally.came("00", (0, SECOND), SECOND + 2_000_000);
        assert!(tally.from_schedule.max() >= 1_001_000 && tally.from_send.max() <= 2_010);
        assert!(tally.lag.max() >= 999_000);
    }

    #[test]
    fn workers_are_merged_second_by_second() {
        let mut tallies = [Tally::new(0).unwrap(), Tally::new(0).unwrap()];
        for (at, tally) in tallies.iter_mut().enumerate() {
            tally.left(0, false, 1);
            tally.came("00", (0, 1), 5_000);
            tally.left(SECOND, false, SECOND);
            tally.count(Fault::Silent, SECOND * (2 + at as u64));
            tally.finish(SECOND * 3);
        }
        let [mut one, other] = tallies;
        one.merge(&other);
        let seconds: Vec<(u64, u64, u64)> = one.intervals.iter().map(|i| (i.sent, i.answered, i.faults)).collect();
        assert_eq!(seconds, [(2, 2, 0), (2, 0, 0), (0, 0, 1), (0, 0, 1)]);
        assert_eq!(one.intervals.first().map(|i| i.spectrum.clone()), Some(vec![(5, 2)]));
        assert_eq!((one.sent, one.answered, one.fault(Fault::Silent), one.codes.get("00")), (4, 2, 2, Some(&2)));
    }

    #[test]
    fn a_host_that_makes_up_codes_fills_no_memory() {
        let mut tally = Tally::new(0).unwrap();
        for code in 0..10_000 {
            tally.came(&format!("{code}"), (0, 0), 1_000);
        }
        assert!(tally.codes.len() <= CODES + 1 && tally.codes.values().sum::<u64>() == 10_000);
    }
}
