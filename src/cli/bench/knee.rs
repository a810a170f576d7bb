//! The highest rate that is kept: doubled until it is not, then between the two.

use crate::sim::bench::Drive;
use crate::sim::bench::Ran;
use crate::sim::bench::schedule::Arrivals;
use crate::sim::bench::schedule::Shape;
use crate::sim::bench::summary::Knee;
use crate::sim::bench::summary::KneeStep;
use std::time::Duration;

/// Close enough: the rate that was not kept is so much more than the one that was.
const CLOSE: f64 = 1.06;
/// Rates tried at most.
const STEPS: usize = 20;
/// Of what was offered, at least so much must be answered.
const ACHIEVED: f64 = 0.98;

/// What runs at a rate, and judges it.
pub(super) struct Search<'a> {
    /// Begins here.
    pub(super) from: f64,
    /// Each rate for so long, warm-up and all.
    pub(super) time: Duration,
    pub(super) arrivals: Arrivals,
    /// Runs, and says whether its limits were kept. `None`: somebody stopped it.
    pub(super) run: &'a mut dyn FnMut(&Drive) -> Option<(Ran, bool)>,
    /// Sees each step.
    pub(super) see: &'a mut dyn FnMut(&KneeStep),
}

impl Search<'_> {
    /// The knee, and the run at it; no run if not even the first rate was kept.
    pub(super) fn find(mut self) -> (Knee, Option<Ran>) {
        let (mut knee, mut best) = (Knee::default(), None);
        let (mut low, mut high) = (0.0, None);
        let mut rate = self.from;
        while knee.steps.len() < STEPS && high.is_none_or(|high: f64| high > low * CLOSE) {
            let Some((step, ran)) = self.step(rate) else { break };
            knee.steps.push(step);
            if step.kept {
                (low, best) = (rate, Some(ran));
            } else {
                high = Some(rate);
            }
            rate = match high {
                None => rate * 2.0,
                // Below the first rate there is nothing to go between.
                Some(high) if low > 0.0 => (low + high) / 2.0,
                Some(high) => high / 2.0,
            };
            if rate < 1.0 {
                break;
            }
        }
        knee.rate = low;
        (knee, best)
    }

    fn step(&mut self, rate: f64) -> Option<(KneeStep, Ran)> {
        let drive = Drive::Open(Shape::steady(rate, self.time), self.arrivals);
        let (ran, kept) = (self.run)(&drive)?;
        let seconds = ran.time.as_secs_f64().max(1e-9);
        let (offered, achieved) = (ran.tally.scheduled as f64 / seconds, ran.tally.answered as f64 / seconds);
        let p99_us = ran.tally.from_schedule.value_at_quantile(0.99);
        let step = KneeStep { rate, achieved, p99_us, kept: kept && achieved >= ACHIEVED * offered };
        (self.see)(&step);
        Some((step, ran))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::bench::tally::Tally;

    /// A host that answers so many a second and no more.
    fn ran(drive: &Drive, most: f64) -> Ran {
        let Drive::Open(shape, _) = drive else { unreachable!("the search is open") };
        let mut tally = Tally::new(0).unwrap();
        (tally.scheduled, tally.answered) = (shape.peak() as u64, shape.peak().min(most) as u64);
        Ran { tally, time: Duration::from_secs(1), interrupted: false }
    }

    fn knee(from: f64, most: f64) -> Knee {
        let mut run = |drive: &Drive| Some((ran(drive, most), true));
        let time = Duration::from_secs(1);
        Search { from, time, arrivals: Arrivals::Uniform, run: &mut run, see: &mut |_| {} }.find().0
    }

    #[test]
    fn the_knee_is_found_from_below_and_from_above() {
        for (from, most) in [(100.0, 3_300.0), (5_000.0, 3_300.0), (100.0, 100.0), (64_000.0, 900.0)] {
            let knee = knee(from, most);
            assert!((most * 0.9..=most * 1.03).contains(&knee.rate), "{from} {most}: {knee:?}");
        }
    }

    #[test]
    fn a_host_that_keeps_nothing_has_no_knee() {
        assert_eq!(knee(1_000.0, 0.0).rate, 0.0);
    }
}
