//! Two runs side by side, and what of a change is too much.

use super::summary::Summary;

/// A figure of a run that two runs are compared by.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// As people write it.
    pub name: &'static str,
    /// What it is counted in.
    pub unit: &'static str,
    read: fn(&Summary) -> f64,
}

/// Every figure that is compared.
pub const FIGURES: [Figure; 11] = [
    figure("rate", "/s", |summary| summary.throughput.achieved),
    figure("mean", "ms", |summary| summary.latency_us.from_schedule.mean / 1e3),
    figure("p50", "ms", |summary| summary.latency_us.from_schedule.p50 as f64 / 1e3),
    figure("p90", "ms", |summary| summary.latency_us.from_schedule.p90 as f64 / 1e3),
    figure("p99", "ms", |summary| summary.latency_us.from_schedule.p99 as f64 / 1e3),
    figure("p99.9", "ms", |summary| summary.latency_us.from_schedule.p99_9 as f64 / 1e3),
    figure("p99.99", "ms", |summary| summary.latency_us.from_schedule.p99_99 as f64 / 1e3),
    figure("max", "ms", |summary| summary.latency_us.from_schedule.max as f64 / 1e3),
    figure("wrong", "", |summary| {
        summary.faults.values().sum::<u64>().saturating_sub(summary.requests.unanswered) as f64
    }),
    figure("unanswered", "", |summary| summary.requests.unanswered as f64),
    figure("switch-cpu", "us", |summary| summary.cpu.and_then(|cpu| cpu.switch_us_per_answer).unwrap_or_default()),
];

const fn figure(name: &'static str, unit: &'static str, read: fn(&Summary) -> f64) -> Figure {
    Figure { name, unit, read }
}

/// One figure of both runs.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    /// Which.
    pub figure: Figure,
    /// Of the first run and of the second.
    pub values: (f64, f64),
}

impl Change {
    /// By how much the second is more, in percent; from nothing to something is infinitely more.
    #[must_use]
    pub fn percent(&self) -> f64 {
        match self.values {
            (before, after) if before > 0.0 => 100.0 * (after - before) / before,
            (_, after) if after > 0.0 => f64::INFINITY,
            _ => 0.0,
        }
    }
}

/// Every figure of both.
#[must_use]
pub fn changes(before: &Summary, after: &Summary) -> Vec<Change> {
    FIGURES.into_iter().map(|figure| Change { figure, values: ((figure.read)(before), (figure.read)(after)) }).collect()
}

/// A change that is too much: `p99>+10%`, `rate<-5%`.
#[derive(Clone, Debug, PartialEq)]
pub struct TooMuch {
    /// As it was written.
    pub text: String,
    name: &'static str,
    above: bool,
    percent: f64,
}

impl TooMuch {
    /// Reads one.
    ///
    /// # Errors
    /// What is not understood, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text: String = text.split_whitespace().collect();
        let at = text.find(['<', '>']).ok_or("is written as p99>+10% or rate<-5%")?;
        let (name, rest) = text.split_at(at);
        let figure = FIGURES.iter().find(|figure| figure.name == name);
        let names = || FIGURES.map(|figure| figure.name).join(", ");
        let name = figure.ok_or_else(|| format!("`{name}` is not compared: {}", names()))?.name;
        let percent =
            rest.get(1..).and_then(|rest| rest.strip_suffix('%')).and_then(|number| number.parse::<f64>().ok());
        let percent = percent.filter(|percent| percent.is_finite()).ok_or("the change is in percent, as +10%")?;
        Ok(Self { name, above: rest.starts_with('>'), percent, text })
    }

    /// Whether it is.
    #[must_use]
    pub fn holds(&self, changes: &[Change]) -> bool {
        let change = changes.iter().find(|change| change.figure.name == self.name).map(Change::percent);
        change.is_some_and(|change| if self.above { change > self.percent } else { change < self.percent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(p99: u64, rate: f64) -> Summary {
        let mut summary = Summary::default();
        summary.latency_us.from_schedule.p99 = p99;
        summary.throughput.achieved = rate;
        summary
    }

    #[test]
    fn a_change_is_too_much_beyond_its_bound_and_not_at_it() {
        let changes = changes(&run(10_000, 100.0), &run(11_000, 95.0));
        let holds = |text: &str| TooMuch::parse(text).unwrap().holds(&changes);
        assert!(holds("p99>+9%") && !holds("p99>+10%") && !holds("p99 > 11%"));
        assert!(holds("rate<-4%") && !holds("rate<-5%"));
        assert!(!holds("wrong>+0%"), "none before and after is no change");
    }

    #[test]
    fn what_is_not_compared_is_refused_in_words() {
        for text in ["p99", "p99>10", "p98>+1%", "p99=1%", "p99>x%"] {
            assert!(TooMuch::parse(text).is_err(), "{text}");
        }
    }
}
