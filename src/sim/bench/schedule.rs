//! When requests are due: an open schedule, which does not wait for answers.

use crate::model::SplitMix64;
use std::time::Duration;

/// How many requests fall due, second by second: a rate that goes in straight lines from point to point.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Seconds from the start, and requests a second from there. In order; two at one time are a step.
    points: Vec<(f64, f64)>,
}

impl Shape {
    /// The same rate all along.
    #[must_use]
    pub fn steady(rate: f64, time: Duration) -> Self {
        Self { points: vec![(0.0, rate), (time.as_secs_f64(), rate)] }
    }

    /// From nothing up to `rate`, then steady; `time` is that of both.
    #[must_use]
    pub fn ramp(rate: f64, up: Duration, time: Duration) -> Self {
        let (up, end) = (up.as_secs_f64(), time.as_secs_f64());
        Self { points: vec![(0.0, 0.0), (up, rate), (end.max(up), rate)] }
    }

    /// From points in time and rates. `None` unless there are two at least, in order, with some time between first
    /// and last, and rates that are numbers from zero.
    #[must_use]
    pub fn points(points: Vec<(Duration, f64)>) -> Option<Self> {
        let points: Vec<(f64, f64)> = points.into_iter().map(|(at, rate)| (at.as_secs_f64(), rate)).collect();
        let ordered = points.is_sorted_by(|one, next| one.0 <= next.0);
        let lasts = points.first().zip(points.last()).is_some_and(|(first, last)| last.0 > first.0);
        let whole = points.iter().all(|(_, rate)| rate.is_finite() && *rate >= 0.0);
        let mut shape = Self { points };
        // The first point's rate is that of the start.
        if let Some((_, rate)) = shape.points.first().copied().filter(|(at, _)| *at > 0.0) {
            shape.points.insert(0, (0.0, rate));
        }
        (ordered && lasts && whole && shape.expected() > 0.0).then_some(shape)
    }

    /// How long it goes.
    #[must_use]
    pub fn time(&self) -> Duration {
        Duration::from_secs_f64(self.points.last().map_or(0.0, |(at, _)| *at))
    }

    /// How many requests it is.
    #[must_use]
    pub fn expected(&self) -> f64 {
        self.pieces().map(|piece| piece.count()).sum()
    }

    /// The highest rate.
    #[must_use]
    pub fn peak(&self) -> f64 {
        self.points.iter().map(|(_, rate)| *rate).fold(0.0, f64::max)
    }

    fn pieces(&self) -> impl Iterator<Item = Piece> {
        let nexts = self.points.iter().skip(1);
        self.points.iter().zip(nexts).map(|(from, to)| Piece {
            start: from.0,
            time: to.0 - from.0,
            from: from.1,
            to: to.1,
        })
    }
}

/// A straight line of a shape.
#[derive(Clone, Copy, Debug)]
struct Piece {
    start: f64,
    time: f64,
    from: f64,
    to: f64,
}

impl Piece {
    fn count(&self) -> f64 {
        self.time * (self.from + self.to) / 2.0
    }

    /// When so many of it have fallen due. The form of the root that is exact for a level line too.
    fn at(&self, count: f64) -> f64 {
        let slope = if self.time > 0.0 { (self.to - self.from) / self.time } else { 0.0 };
        let speed = (self.from * self.from + 2.0 * slope * count).max(0.0).sqrt();
        let after = if self.from + speed > 0.0 { 2.0 * count / (self.from + speed) } else { 0.0 };
        self.start + after.min(self.time)
    }
}

/// How requests fall within the rate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Arrivals {
    /// Evenly.
    Uniform,
    /// As customers come: each without regard to the one before.
    Poisson,
}

/// The times at which requests are due, in nanoseconds from the start, one after the other.
#[derive(Clone, Debug)]
pub struct Schedule {
    pieces: std::vec::IntoIter<Piece>,
    piece: Option<Piece>,
    /// How many have fallen due before this piece, and when the next one falls due, as a count.
    before: f64,
    next: f64,
    step: f64,
    chance: Option<SplitMix64>,
    due: Option<u64>,
}

impl Schedule {
    /// The part of one of `shares` workers. Together they make the whole shape.
    #[must_use]
    pub fn new(shape: &Shape, arrivals: Arrivals, seed: u64, (worker, shares): (usize, usize)) -> Self {
        let step = shares.max(1) as f64;
        let pieces: Vec<Piece> = shape.pieces().collect();
        let chance = (arrivals == Arrivals::Poisson)
            .then(|| SplitMix64::new(seed ^ (worker as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        let mut schedule =
            Self { pieces: pieces.into_iter(), piece: None, before: 0.0, next: worker as f64, step, chance, due: None };
        schedule.piece = schedule.pieces.next();
        if schedule.chance.is_some() {
            schedule.next = 0.0;
            schedule.advance();
        }
        schedule.due = schedule.find();
        schedule
    }

    /// When the next request is due; `None` after the last.
    #[must_use]
    pub fn peek(&self) -> Option<u64> {
        self.due
    }

    /// Takes the next request.
    pub fn take(&mut self) -> Option<u64> {
        let due = self.due?;
        self.advance();
        self.due = self.find();
        Some(due)
    }

    fn advance(&mut self) {
        self.next += match &mut self.chance {
            None => self.step,
            // Between the customers of a Poisson process lie exponential waits; never none at all.
            Some(chance) => {
                let draw = (chance.draw() >> 11) as f64 / (1_u64 << 53) as f64;
                -(1.0 - draw).ln() * self.step
            }
        };
    }

    fn find(&mut self) -> Option<u64> {
        loop {
            let piece = self.piece?;
            let (within, count) = (self.next - self.before, piece.count());
            // The last one of an even schedule is not due at its very end: that is another one's start.
            if within < count {
                return Some((piece.at(within) * 1e9) as u64);
            }
            self.before += count;
            self.piece = self.pieces.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut schedule: Schedule) -> Vec<u64> {
        std::iter::from_fn(|| schedule.take()).collect()
    }

    #[test]
    fn an_even_schedule_is_due_every_so_often_and_its_number_is_rate_times_time() {
        let shape = Shape::steady(1000.0, Duration::from_secs(2));
        let due = all(Schedule::new(&shape, Arrivals::Uniform, 1, (0, 1)));
        assert_eq!(due.len(), 2000);
        assert_eq!(due.first(), Some(&0));
        assert!(due.windows(2).all(|pair| (999_000..=1_001_000).contains(&(pair[1] - pair[0]))));
    }

    #[test]
    fn the_shares_of_workers_make_the_whole() {
        let shape = Shape::ramp(500.0, Duration::from_secs(1), Duration::from_secs(3));
        let whole = all(Schedule::new(&shape, Arrivals::Uniform, 1, (0, 1)));
        let mut shares: Vec<u64> =
            (0..3).flat_map(|worker| all(Schedule::new(&shape, Arrivals::Uniform, 1, (worker, 3)))).collect();
        shares.sort_unstable();
        assert_eq!(shares, whole);
    }

    #[test]
    fn a_ramp_has_half_of_its_rates_requests_and_they_come_closer_and_closer() {
        let second = Duration::from_secs(1);
        let shape = Shape::ramp(1000.0, second, second);
        let due = all(Schedule::new(&shape, Arrivals::Uniform, 1, (0, 1)));
        assert_eq!(due.len(), 500);
        let first_half = due.iter().filter(|at| **at < 500_000_000).count();
        assert!((124..=126).contains(&first_half), "{first_half}: a quarter of the area");
    }

    #[test]
    fn two_points_at_one_time_are_a_step() {
        let seconds = Duration::from_secs;
        let shape =
            Shape::points(vec![(seconds(0), 100.0), (seconds(1), 100.0), (seconds(1), 400.0), (seconds(2), 400.0)]);
        let due = all(Schedule::new(&shape.unwrap(), Arrivals::Uniform, 1, (0, 1)));
        let (first, second): (Vec<u64>, Vec<u64>) = due.iter().partition(|at| **at < 1_000_000_000);
        assert_eq!((first.len(), second.len()), (100, 400));
    }

    #[test]
    fn customers_come_at_the_rate_and_not_evenly() {
        let shape = Shape::steady(1000.0, Duration::from_secs(20));
        let due = all(Schedule::new(&shape, Arrivals::Poisson, 7, (0, 1)));
        assert!((19_400..=20_600).contains(&due.len()), "{}", due.len());
        let gaps: Vec<f64> = due.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / 1e6).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let spread = (gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64).sqrt();
        assert!((0.9..1.1).contains(&(spread / mean)), "an exponential's deviation is its mean: {spread} of {mean}");
        let again = all(Schedule::new(&shape, Arrivals::Poisson, 7, (0, 1)));
        assert_eq!(due, again, "the same seed, the same customers");
    }

    #[test]
    fn points_out_of_order_or_without_time_or_rate_are_no_shape() {
        let seconds = Duration::from_secs;
        for points in [
            vec![],
            vec![(seconds(0), 5.0)],
            vec![(seconds(2), 5.0), (seconds(1), 5.0)],
            vec![(seconds(1), 5.0), (seconds(1), 9.0)],
            vec![(seconds(0), 0.0), (seconds(1), 0.0)],
            vec![(seconds(0), -1.0), (seconds(1), 5.0)],
            vec![(seconds(0), f64::NAN), (seconds(1), 5.0)],
        ] {
            assert_eq!(Shape::points(points.clone()), None, "{points:?}");
        }
    }
}
