//! One request's walk through the house, measured: where its time went, and what came of it.

use crate::model::Histogram;
use crate::model::Kind;
use crate::model::ResponseCode;
use crate::model::Spread;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

/// A part of the walk. The end of one is the beginning of the next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// Bytes are taken from the connection, once for all frames that came together.
    Read,
    /// They become a message.
    Decode,
    /// It waits for what its terminal asked before.
    Queue,
    /// Its MAC is verified.
    Mac,
    /// It is validated, its original found, its bounds looked at.
    Risk,
    /// Its PIN is translated, MACs of issuer and answer are made and verified.
    Hsm,
    /// An issuer is chosen.
    Route,
    /// The intent is judged by the rules and made durable.
    Intent,
    /// The issuer is asked, until it answers.
    Issuer,
    /// The decision is made durable.
    Decision,
    /// Messages are written, to the issuer and to the terminal.
    Encode,
    /// The answer goes to the connection, once for all that go together.
    Write,
}

impl Stage {
    /// Every stage, in the order of the walk.
    pub const ALL: [Self; 12] = [
        Self::Read,
        Self::Decode,
        Self::Queue,
        Self::Mac,
        Self::Risk,
        Self::Route,
        Self::Intent,
        Self::Hsm,
        Self::Encode,
        Self::Issuer,
        Self::Decision,
        Self::Write,
    ];

    /// Its name in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Decode => "decode",
            Self::Queue => "queue",
            Self::Mac => "mac",
            Self::Risk => "risk",
            Self::Hsm => "hsm",
            Self::Route => "route",
            Self::Intent => "intent",
            Self::Issuer => "issuer",
            Self::Decision => "decision",
            Self::Encode => "encode",
            Self::Write => "write",
        }
    }
}

/// How long stages and whole requests took: of one worker.
#[derive(Debug, Default)]
pub struct Stages {
    stages: [Histogram; Stage::ALL.len()],
    whole: Histogram,
}

impl Stages {
    /// Counts a stage that belongs to no single request.
    pub fn add(&self, stage: Stage, took: Duration) {
        if let Some(histogram) = self.stages.get(stage as usize) {
            histogram.add(took);
        }
    }

    /// Counts a walk that is over: each stage once, however often it was entered.
    pub fn take_in(&self, walk: &Walk) {
        if !walk.is_measured {
            return;
        }
        for (histogram, spent) in self.stages.iter().zip(&walk.spent) {
            let spent = spent.load(Ordering::Relaxed);
            if spent > 0 {
                histogram.add_nanos(spent);
            }
        }
        self.whole.add_nanos(walk.at.load(Ordering::Relaxed).saturating_sub(walk.begun));
    }

    /// Adds one stage's durations to what others have.
    pub fn merge(&self, stage: Stage, spread: &mut Spread) {
        self.stages.get(stage as usize).into_iter().for_each(|histogram| spread.take_in(histogram));
    }

    /// The same of whole requests, from the frame to the answer.
    pub fn merge_whole(&self, spread: &mut Spread) {
        spread.take_in(&self.whole);
    }
}

/// One request on its way. It is handed along, and whoever ends a stage says so.
#[derive(Debug)]
pub struct Walk {
    is_measured: bool,
    begun: u64,
    /// The end of the last stage, in nanoseconds of the station's clock.
    at: AtomicU64,
    spent: [AtomicU64; Stage::ALL.len()],
    /// Place in [`Kind::ALL`] and one; 0 is none.
    kind: AtomicU8,
    /// Place in [`ResponseCode::ALL`] and one; 0 is none.
    code: AtomicU8,
    repeats: AtomicU8,
}

impl Walk {
    /// A walk without a watch: no clock is read for it.
    #[must_use]
    pub fn unmeasured() -> Self {
        Self {
            is_measured: false,
            begun: 0,
            at: AtomicU64::new(0),
            spent: [const { AtomicU64::new(0) }; Stage::ALL.len()],
            kind: AtomicU8::new(0),
            code: AtomicU8::new(0),
            repeats: AtomicU8::new(0),
        }
    }

    /// A walk that begins at this monotonic time.
    #[must_use]
    pub fn begun(at: Duration) -> Self {
        let begun = nanos(at);
        Self { is_measured: true, begun, at: AtomicU64::new(begun), ..Self::unmeasured() }
    }

    /// What was done since the last stage ended was this one. How long that was; `None` of what is not measured.
    pub fn ends(&self, stage: Stage, clock: impl FnOnce() -> Duration) -> Option<Duration> {
        if !self.is_measured {
            return None;
        }
        let now = nanos(clock());
        // One at a time has the walk: plain loads and stores do.
        let took = now.saturating_sub(self.at.load(Ordering::Relaxed));
        self.at.store(now, Ordering::Relaxed);
        if let Some(spent) = self.spent.get(stage as usize) {
            spent.store(spent.load(Ordering::Relaxed) + took, Ordering::Relaxed);
        }
        Some(Duration::from_nanos(took))
    }

    /// When the last stage ended: a reading of the clock that need not be made again.
    #[must_use]
    pub fn last(&self) -> Option<Duration> {
        self.is_measured.then(|| Duration::from_nanos(self.at.load(Ordering::Relaxed)))
    }

    pub(super) fn is_of(&self, kind: Kind) {
        self.kind.store(1 + kind as u8, Ordering::Relaxed);
    }

    pub(super) fn answers(&self, code: ResponseCode) {
        self.code.store(1 + code as u8, Ordering::Relaxed);
    }

    pub(super) fn repeats(&self) {
        self.repeats.store(1, Ordering::Relaxed);
    }

    /// What was asked, if that was to be seen.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        Kind::ALL.get(usize::from(self.kind.load(Ordering::Relaxed)).checked_sub(1)?).copied()
    }

    /// What was answered at last.
    #[must_use]
    pub fn code(&self) -> Option<ResponseCode> {
        ResponseCode::ALL.get(usize::from(self.code.load(Ordering::Relaxed)).checked_sub(1)?).copied()
    }

    /// Whether the answer was on record already.
    #[must_use]
    pub fn is_repeat(&self) -> bool {
        self.repeats.load(Ordering::Relaxed) > 0
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> impl FnOnce() -> Duration {
        move || Duration::from_millis(millis)
    }

    #[test]
    fn the_end_of_a_stage_is_the_beginning_of_the_next_and_the_stages_are_the_whole() {
        let (stages, walk) = (Stages::default(), Walk::begun(Duration::from_millis(100)));
        for (stage, at) in [(Stage::Mac, 103), (Stage::Hsm, 105), (Stage::Issuer, 125), (Stage::Hsm, 128)] {
            walk.ends(stage, ms(at));
        }
        stages.take_in(&walk);
        let of = |stage| {
            let mut spread = Spread::default();
            stages.merge(stage, &mut spread);
            (spread.count(), spread.sum())
        };
        assert_eq!(of(Stage::Mac), (1, Duration::from_millis(3)));
        assert_eq!(of(Stage::Hsm), (1, Duration::from_millis(5)), "entered twice, counted once");
        assert_eq!(of(Stage::Issuer), (1, Duration::from_millis(20)));
        assert_eq!(of(Stage::Route), (0, Duration::ZERO), "not entered");
        let mut whole = Spread::default();
        stages.merge_whole(&mut whole);
        assert_eq!((whole.count(), whole.sum()), (1, Duration::from_millis(28)));
    }

    #[test]
    fn what_is_not_measured_reads_no_clock_and_still_tells_what_came_of_it() {
        let walk = Walk::unmeasured();
        assert_eq!(walk.ends(Stage::Mac, || panic!("the clock was read")), None);
        assert_eq!((walk.kind(), walk.code(), walk.is_repeat()), (None, None, false));
        walk.is_of(Kind::Sale);
        walk.answers(ResponseCode::Approved);
        assert_eq!((walk.kind(), walk.code()), (Some(Kind::Sale), Some(ResponseCode::Approved)));
        for (kind, code) in Kind::ALL.iter().flat_map(|kind| ResponseCode::ALL.iter().map(move |code| (kind, code))) {
            walk.is_of(*kind);
            walk.answers(*code);
            assert_eq!((walk.kind(), walk.code()), (Some(*kind), Some(*code)));
        }
    }
}
