//! A run's figures as they are reported and kept: `summary.json`, whose schema is `specs/schemas/bench-summary.json`.

use super::tally::{Fault, Tally};
use super::threshold::{Measure, Measured, Verdict};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The name of the schema.
pub const SCHEMA: &str = "tollgate/bench-summary/v1";

/// Everything that is said of a run.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Summary {
    /// [`SCHEMA`].
    pub schema: String,
    /// The version of the program.
    pub tollgate: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// What was asked for.
    pub plan: PlanFacts,
    /// Seconds that were measured.
    pub measured_s: f64,
    /// Somebody stopped it before its time.
    pub interrupted: bool,
    /// Every threshold was kept, the books agree, and nobody stopped it.
    pub passed: bool,
    /// The thresholds and what became of each.
    pub thresholds: Vec<Judged>,
    /// Requests by what became of them.
    pub requests: Requests,
    /// A second.
    pub throughput: Throughput,
    /// How late requests left.
    pub lag_us: Lag,
    /// How long answers took.
    pub latency_us: Latency,
    /// Answers by response code.
    pub codes: BTreeMap<String, u64>,
    /// What went wrong, by name; zeros too.
    pub faults: BTreeMap<String, u64>,
    /// How often an element of an answer was not the request's, by its role.
    pub elements: BTreeMap<String, u64>,
    /// Connections made again, and attempts that failed.
    pub reconnects: u64,
    /// Attempts to connect that failed.
    pub refused: u64,
    /// Processor time, where it is known.
    pub cpu: Option<Cpu>,
    /// Where it ran.
    pub machine: Machine,
    /// Whether clients, ledger and issuers agree, if that was asked.
    pub verify: Option<Verified>,
    /// What the search for the knee found, if there was one.
    pub knee: Option<Knee>,
}

/// What was asked for.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct PlanFacts {
    /// `host:port`, or `station` for a whole one in child processes.
    pub target: String,
    /// The profile's name.
    pub profile: String,
    /// In words: `open loop 2000/s, uniform`.
    pub load: String,
    /// How many terminals there were, and how many of them could sell.
    pub terminals: usize,
    /// How many of them had signed in when it began.
    pub ready: usize,
    /// How many connections they shared.
    pub connections: usize,
    /// Threads of the generator.
    pub workers: usize,
    /// Where choices began.
    pub seed: u64,
    /// How long an answer might take, in milliseconds.
    pub timeout_ms: u64,
    /// What stood between, in words.
    pub impair: Option<String>,
}

/// A threshold and what became of it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Judged {
    /// As it was written.
    pub threshold: String,
    /// What was found.
    pub found: String,
    /// Whether it was kept.
    pub kept: bool,
}

/// Requests by what became of them.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Requests {
    /// They fell due.
    pub scheduled: u64,
    /// No terminal was free until the end.
    pub unsent: u64,
    /// They were sent.
    pub sent: u64,
    /// No terminal was free when they were due.
    pub starved: u64,
    /// An answer came, right or wrong.
    pub answered: u64,
    /// Approved, and to be believed.
    pub approved: u64,
    /// No answer.
    pub unanswered: u64,
    /// Hung up on purpose before the answer.
    pub cut: u64,
    /// Messages besides: sign-ins, reversals, repeats.
    pub besides: u64,
    /// Reversals that were accepted.
    pub reversed: u64,
}

/// A second.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Throughput {
    /// Requests that fell due.
    pub offered: f64,
    /// Requests sent.
    pub sent: f64,
    /// Answers.
    pub achieved: f64,
}

/// How late requests left, in microseconds.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Lag {
    /// On average.
    pub mean: f64,
    /// The 99th percentile.
    pub p99: u64,
    /// The latest.
    pub max: u64,
    /// The 99th percentile of those for which a terminal was free: the generator's own.
    pub own_p99: u64,
    /// Whether the generator kept its schedule.
    pub kept: bool,
}

/// Latencies in microseconds.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Latency {
    /// From when a request was due; what was not answered counts until it was given up.
    pub from_schedule: Quantiles,
    /// From when it was sent.
    pub from_send: Quantiles,
}

/// A distribution in seven numbers.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Quantiles {
    /// The mean.
    pub mean: f64,
    /// The median.
    pub p50: u64,
    /// Nine in ten.
    pub p90: u64,
    /// 99 in a hundred.
    pub p99: u64,
    /// 999 in a thousand.
    pub p99_9: u64,
    /// 9,999 in ten thousand.
    pub p99_99: u64,
    /// The longest.
    pub max: u64,
}

/// Processor time of a run, in seconds, and what that is of all that the machine had.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Cpu {
    /// This process.
    pub generator_s: f64,
    /// The switch, where it is a child of ours.
    pub switch_s: Option<f64>,
    /// The issuers, likewise.
    pub issuers_s: Option<f64>,
    /// The generator's share of all cores, in percent.
    pub generator_percent: f64,
    /// The switch's.
    pub switch_percent: Option<f64>,
    /// The issuers'.
    pub issuers_percent: Option<f64>,
    /// Microseconds of the switch an answer.
    pub switch_us_per_answer: Option<f64>,
}

/// Where it ran.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// How many cores this process may use.
    pub cores: usize,
    /// Memory in megabytes.
    pub memory_mb: u64,
    /// The kernel.
    pub kernel: String,
}

/// Clients' truth, ledger and issuers' books, in minor units.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Verified {
    /// What the terminals believe.
    pub clients: i64,
    /// What the ledger says of them.
    pub ledger: i64,
    /// What the issuers booked.
    pub issuers: i64,
    /// Every place where they part; none if they agree.
    pub differences: Vec<String>,
}

/// The highest rate that was kept.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Knee {
    /// Requests a second.
    pub rate: f64,
    /// Each rate that was tried: a second, achieved, 99th percentile from schedule in microseconds, kept.
    pub steps: Vec<KneeStep>,
}

/// One rate that was tried.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct KneeStep {
    /// Offered a second.
    pub rate: f64,
    /// Answered a second.
    pub achieved: f64,
    /// 99th percentile from schedule, in microseconds.
    pub p99_us: u64,
    /// Whether it was kept.
    pub kept: bool,
}

/// Later than this, and the generator was the bottleneck, in microseconds.
const LATE: u64 = 2_000;

impl Summary {
    /// The figures of what was counted in so many seconds.
    #[must_use]
    pub fn of(tally: &Tally, seconds: f64, interrupted: bool) -> Self {
        let second = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        let own_p99 = tally.own_lag.value_at_quantile(0.99);
        Self {
            schema: SCHEMA.to_owned(),
            tollgate: env!("CARGO_PKG_VERSION").to_owned(),
            measured_s: seconds,
            interrupted,
            requests: Requests {
                scheduled: tally.scheduled,
                unsent: tally.unsent,
                sent: tally.sent,
                starved: tally.starved,
                answered: tally.answered,
                approved: tally.approved,
                unanswered: tally.faults(Fault::is_silence),
                cut: tally.cut,
                besides: tally.besides,
                reversed: tally.reversed,
            },
            throughput: Throughput {
                offered: second(tally.scheduled),
                sent: second(tally.sent),
                achieved: second(tally.answered),
            },
            lag_us: Lag {
                mean: tally.lag.mean(),
                p99: tally.lag.value_at_quantile(0.99),
                max: tally.lag.max(),
                own_p99,
                kept: own_p99 <= LATE,
            },
            latency_us: Latency {
                from_schedule: Quantiles::of(&tally.from_schedule),
                from_send: Quantiles::of(&tally.from_send),
            },
            codes: tally.codes.iter().map(|(code, count)| (code.to_string(), *count)).collect(),
            faults: Fault::ALL.iter().map(|(fault, name, _)| ((*name).to_owned(), tally.fault(*fault))).collect(),
            elements: tally.elements.iter().map(|(role, count)| ((*role).to_owned(), *count)).collect(),
            reconnects: tally.reconnects,
            refused: tally.refused,
            ..Self::default()
        }
    }

    /// Notes what became of the thresholds.
    pub fn judged(&mut self, verdicts: Vec<Verdict>) {
        let judged =
            |verdict: Verdict| Judged { threshold: verdict.text.into(), found: verdict.found, kept: verdict.kept };
        self.thresholds = verdicts.into_iter().map(judged).collect();
    }
}

impl Quantiles {
    fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| if histogram.is_empty() { 0 } else { histogram.value_at_quantile(quantile) };
        Self {
            mean: histogram.mean(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            p99_99: at(0.9999),
            max: if histogram.is_empty() { 0 } else { histogram.max() },
        }
    }
}

/// A tally and the seconds it is of.
pub struct Timed<'a>(pub &'a Tally, pub f64);

impl Measured for Timed<'_> {
    fn figure(&self, measure: Measure) -> f64 {
        let tally = self.0;
        match measure {
            Measure::Quantile(at) => tally.from_schedule.value_at_quantile(at) as f64,
            Measure::Mean => tally.from_schedule.mean(),
            Measure::Max => tally.from_schedule.max() as f64,
            Measure::Lag(at) => tally.lag.value_at_quantile(at) as f64,
            Measure::Wrong => tally.faults(|fault| !fault.is_silence()) as f64,
            Measure::Unmatched => tally.faults(Fault::is_stray) as f64,
            Measure::Unanswered => tally.faults(Fault::is_silence) as f64,
            Measure::Unsent => tally.unsent as f64,
            Measure::Approved => tally.approved as f64,
            Measure::Rate if self.1 > 0.0 => tally.answered as f64 / self.1,
            Measure::Rate => 0.0,
        }
    }

    fn scheduled(&self) -> f64 {
        self.0.scheduled as f64
    }
}
