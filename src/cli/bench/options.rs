//! What the user asks of a run.

use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::wire::WireArgs;
use crate::iso8583::Role;
use crate::registry::Source;
use crate::sim::bench::Drive;
use crate::sim::bench::mix::Held;
use crate::sim::bench::mix::Mix;
use crate::sim::bench::proxy::Impair;
use crate::sim::bench::schedule::Arrivals;
use crate::sim::bench::schedule::Shape;
use crate::sim::bench::threshold::Threshold;
use crate::sim::cards;
use crate::sim::cards::CardUse;
use crate::sim::cards::TestCard;
use clap::Args;
use clap::ValueEnum;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How requests fall within the rate.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum ArrivalsName {
    /// Evenly
    Uniform,
    /// As customers come
    Poisson,
}

/// How much, how long.
#[derive(Args, Debug)]
pub(super) struct Load {
    /// Requests a second, whatever the answers do (open loop)
    #[arg(long, default_value = "100/s", value_parser = rate)]
    pub(super) rate: f64,
    /// How they fall within the rate
    #[arg(long, value_enum, default_value = "uniform")]
    pub(super) arrivals: ArrivalsName,
    /// Begin at nothing and reach the rate in this time
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with_all = ["closed", "stages"])]
    pub(super) ramp: Option<Duration>,
    /// Points of time and rate, as 0s:500,30s:2000,60s:2000; the rate goes straight from one to the next
    #[arg(long, value_name = "POINTS", value_parser = stages, conflicts_with_all = ["closed", "rate", "duration"])]
    pub(super) stages: Option<Shape>,
    /// For capacity: a request follows each answer at once (closed loop)
    #[arg(long, conflicts_with = "rate")]
    pub(super) closed: bool,
    /// Find the highest rate at which all is kept: from --rate up, --duration each
    #[arg(long, conflicts_with_all = ["closed", "stages", "ramp"])]
    pub(super) find_knee: bool,
    /// How many at once in a closed loop [default: as many as terminals]
    #[arg(short = 'c', long, value_name = "N", requires = "closed")]
    pub(super) concurrency: Option<usize>,
    /// How long is measured
    #[arg(long, default_value = "10s", value_parser = time)]
    pub(super) duration: Duration,
    /// Before that, the same without being counted
    #[arg(long, default_value = "1s", value_parser = time)]
    pub(super) warmup: Duration,
    /// Where choices begin: the same seed asks the same
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// How long an answer may take; then the terminal undoes what it asked
    #[arg(long, default_value = "10s", value_parser = time)]
    pub(super) timeout: Duration,
}

/// Who calls, and whom.
#[derive(Args, Debug)]
pub(super) struct Callers {
    #[command(flatten)]
    pub(super) wire: WireArgs,
    /// How many terminals; each has one request under way at a time
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) terminals: u32,
    /// How many connections they share [default: one each]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) connections: Option<u32>,
    /// The number of the first one, where no list says their numbers
    #[arg(long, value_name = "TID", default_value_t = 10_000_010, value_parser = clap::value_parser!(u32).range(1..=99_999_999))]
    pub(super) first_terminal: u32,
    /// Terminals with their keys, CSV: terminal,merchant,tmk; without sign-in terminal,merchant,zpk,zak; DUKPT
    /// terminal,merchant,ipek,ksn. Keys in hex [default: the demo's, with its TEST keys]
    #[arg(long, value_name = "FILE")]
    pub(super) terminal_list: Option<PathBuf>,
    /// Threads of the generator; it shares the machine with what it measures
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(super) workers: u16,
    /// TLS: the authority of the host's certificate, PEM
    #[arg(long, value_name = "FILE")]
    pub(super) ca: Option<PathBuf>,
    /// The terminals' certificate for TLS, PEM
    #[arg(long, value_name = "FILE", requires_all = ["ca", "key"])]
    pub(super) cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(super) key: Option<PathBuf>,
    /// An element that answers need not repeat, by its role: pan, local-time, …
    #[arg(long = "loose", value_name = "ROLE", value_parser = role)]
    pub(super) loose: Vec<Role>,
}

/// Where the ledger of a station for this run is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum LedgerPlace {
    /// In files, each answer durable
    Disk,
    /// In memory, to see what that costs
    Memory,
}

/// The station that is started where no host is named.
#[derive(Args, Debug)]
pub(super) struct OwnStation {
    /// Workers of the switch; 0: one for each core
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) station_workers: u16,
    /// Where its ledger is
    #[arg(long, value_enum, default_value = "disk")]
    pub(super) ledger: LedgerPlace,
    /// Afterwards compare what the terminals believe, the ledger and the issuers' books, to the cent
    #[arg(long)]
    pub(super) verify: bool,
}

/// What is asked, and over which wire.
#[derive(Args, Debug)]
pub(super) struct Requests {
    /// Kinds, cards, entry modes, amounts, what is done on purpose; TOML [default: sales by chip with a PIN]
    #[arg(long, value_name = "FILE")]
    pub(super) mix: Option<PathBuf>,
    /// Only cards of this issuer
    #[arg(long, value_name = "ISSUER")]
    pub(super) card_issuer: Option<String>,
    /// A bad wire in between: delay=20ms,jitter=5ms,split=7,reset=0.1%
    #[arg(long, value_name = "HOW", value_parser = Impair::parse)]
    pub(super) impair: Option<Impair>,
}

/// What must be kept.
#[derive(Args, Debug)]
pub(super) struct Limits {
    /// What the run must keep: p99<15ms, p99.9<40ms, max<1s, lag.p99<1ms, wrong==0, unmatched==0, unanswered<0.1%,
    /// unsent==0, approved>99%, rate>1900/s. wrong==0 and unanswered==0 unless said otherwise
    #[arg(long = "threshold", value_name = "LIMIT", value_parser = Threshold::parse)]
    pub(super) thresholds: Vec<Threshold>,
    /// A response code that is as it should be; approvals if none is said
    #[arg(long = "allow", value_name = "CODE")]
    pub(super) codes: Vec<String>,
}

impl Load {
    /// What is run, warm-up and all.
    pub(super) fn drive(&self, terminals: usize) -> Result<Drive, Failure> {
        let time = self.warmup + self.duration;
        if self.duration.is_zero() {
            return Err(Failure::new(Exit::Usage, "--duration: some time must be measured"));
        }
        if self.closed {
            return Ok(Drive::Closed(self.concurrency.unwrap_or(terminals).clamp(1, terminals.max(1)), time));
        }
        if self.rate <= 0.0 {
            return Err(Failure::new(Exit::Usage, "--rate: more than nothing"));
        }
        let shape = match (&self.stages, self.ramp) {
            (Some(shape), _) => shape.clone(),
            (None, Some(up)) => Shape::ramp(self.rate, up, time.max(up)),
            (None, None) => Shape::steady(self.rate, time),
        };
        Ok(Drive::Open(shape, self.arrivals()))
    }

    /// How requests fall within the rate.
    pub(super) fn arrivals(&self) -> Arrivals {
        match self.arrivals {
            ArrivalsName::Uniform => Arrivals::Uniform,
            ArrivalsName::Poisson => Arrivals::Poisson,
        }
    }

    /// The load in words.
    pub(super) fn words(&self, drive: &Drive) -> String {
        match drive {
            Drive::Open(..) if self.find_knee => format!("search for the knee from {:.0}/s", self.rate),
            Drive::Closed(many, _) => format!("closed loop, {many} at once"),
            Drive::Open(shape, arrivals) => {
                let falls = if *arrivals == Arrivals::Uniform { "uniform" } else { "poisson" };
                let peak = shape.peak();
                match (&self.stages, self.ramp) {
                    (Some(_), _) => format!("open loop in stages up to {peak:.0}/s, {falls}"),
                    (None, Some(up)) => format!("open loop, ramp to {peak:.0}/s in {:.0} s, {falls}", up.as_secs_f64()),
                    (None, None) => format!("open loop {peak:.0}/s, {falls}"),
                }
            }
        }
    }
}

/// `500ms`, `10s`, `1.5s`, `2m`, `1h`.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).ok_or("needs a unit: ms, s, m or h")?;
    let (count, unit) = text.split_at(split);
    let count: f64 = count.parse().map_err(|_| "is no number and a unit")?;
    let seconds = match unit {
        "ms" => count / 1e3,
        "s" => count,
        "m" => count * 60.0,
        "h" => count * 3600.0,
        _ => return Err("needs a unit: ms, s, m or h".to_owned()),
    };
    if seconds <= 7.0 * 86_400.0 {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("is longer than a week".to_owned())
    }
}

/// `2000/s`, or a plain number a second.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.strip_suffix("/s").unwrap_or(text).parse().map_err(|_| "is no rate such as 2000/s")?;
    if (0.0..=10_000_000.0).contains(&rate) { Ok(rate) } else { Err("is not between 0/s and 10000000/s".to_owned()) }
}

fn stages(text: &str) -> Result<Shape, String> {
    let point = |point: &str| {
        let (at, to) = point.split_once(':').ok_or("a point is written as 30s:2000")?;
        Ok((if at == "0" { Duration::ZERO } else { time(at)? }, rate(to)?))
    };
    let points: Result<Vec<(Duration, f64)>, String> = text.split(',').map(point).collect();
    Shape::points(points?).ok_or_else(|| "points in order, two at least, as 0s:500,60s:2000".to_owned())
}

fn role(name: &str) -> Result<Role, String> {
    Role::parse(name).ok_or_else(|| "is no role, such as pan, local-time, currency".to_owned())
}

impl Requests {
    /// The mix, and the cards it is made with.
    pub(super) fn mix(&self) -> Result<(Mix, Vec<Held>), Failure> {
        let refused = |file: &Path, what: String| Failure::new(Exit::Config, format!("{}: {what}", file.display()));
        let read = |file: &Path| std::fs::read_to_string(file).map_err(|error| refused(file, error.to_string()));
        let (mix, listed) = match &self.mix {
            None => (Mix::sales(), None),
            Some(file) => {
                let (mix, raw) = Mix::parse(&read(file)?).map_err(|what| refused(file, what))?;
                let beside = file.parent().unwrap_or(Path::new(""));
                (mix, raw.cards.map(|cards| beside.join(cards)))
            }
        };
        let cards = match listed {
            None => cards::demo().into_iter().filter(|card| card.used_by == CardUse::Traffic).collect(),
            Some(file) => {
                let (shown, text) = (file.display().to_string(), read(&file)?);
                cards::parse(Source { file: &shown, text: &text }).map_err(|breaches| {
                    let lines: Vec<String> = breaches.iter().map(ToString::to_string).collect();
                    Failure::new(Exit::Config, lines.join("\n"))
                })?
            }
        };
        let of = |card: &&TestCard| self.card_issuer.as_ref().is_none_or(|issuer| issuer == card.issuer.as_str());
        let held: Vec<Held> = cards.iter().filter(of).map(Held::of).collect();
        if held.is_empty() { Err(Failure::new(Exit::Config, "there are no such cards")) } else { Ok((mix, held)) }
    }
}
