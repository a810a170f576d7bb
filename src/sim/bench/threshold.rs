//! What a run must keep to pass: `p99<15ms`, `unanswered==0`, `rate>=1900/s`.

use std::fmt;

/// What is measured of a run, by the name that people write.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measure {
    /// A quantile of the latency from schedule, 0 to 1; `p99.9` is 0.999. In microseconds.
    Quantile(f64),
    /// The mean of it.
    Mean,
    /// The longest.
    Max,
    /// A quantile of how late requests left. In microseconds.
    Lag(f64),
    /// Answers that failed a check, or that answered nothing.
    Wrong,
    /// Answers that matched no request: late, twice, another terminal's, garbage.
    Unmatched,
    /// Requests without an answer.
    Unanswered,
    /// Requests that fell due and were not sent.
    Unsent,
    /// Requests approved.
    Approved,
    /// Answers a second.
    Rate,
}

/// How a limit is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Unit {
    Time,
    Count,
    Percent,
    Rate,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Order {
    Below,
    AtMost,
    Equal,
    AtLeast,
    Above,
}

const ORDERS: [(&str, Order); 5] =
    [("<=", Order::AtMost), (">=", Order::AtLeast), ("==", Order::Equal), ("<", Order::Below), (">", Order::Above)];

/// One threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// As it was written.
    pub text: Box<str>,
    /// What it looks at.
    pub measure: Measure,
    order: Order,
    unit: Unit,
    /// In microseconds, as a count, in percent of the requests scheduled, or a second.
    limit: f64,
}

/// What a run came to, for thresholds.
pub trait Measured {
    /// Its figure: microseconds, a count, or a second.
    fn figure(&self, measure: Measure) -> f64;
    /// How many requests were scheduled.
    fn scheduled(&self) -> f64;
}

/// A threshold and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The threshold as it was written.
    pub text: Box<str>,
    /// What was found, as people read it.
    pub found: String,
    /// Whether it was kept.
    pub kept: bool,
}

/// Thresholds of every run whose user names none of the same measure: each answer is right, and each request has one.
pub const ALWAYS: [&str; 2] = ["wrong==0", "unanswered==0"];

impl Threshold {
    /// Reads one.
    ///
    /// # Errors
    /// What is not understood, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text: String = text.split_whitespace().collect();
        let found = ORDERS.iter().filter_map(|(sign, order)| Some((text.find(sign)?, sign.len(), *order)));
        let (at, length, order) =
            found.min_by_key(|(at, length, _)| (*at, 9 - length)).ok_or("needs <, <=, ==, >= or >, as in p99<15ms")?;
        let (name, limit) = (text.get(..at).unwrap_or_default(), text.get(at + length..).unwrap_or_default());
        let measure = Measure::parse(name)
            .ok_or_else(|| format!("`{name}` is not measured: p50 to p99.99, mean, max, lag.p99, wrong, unmatched, unanswered, unsent, approved, rate"))?;
        let (limit, unit) =
            number(limit).ok_or("the limit is a number, with ms, us, s, % or /s behind it where that fits")?;
        let fits = match unit {
            Unit::Time => measure.is_time(),
            Unit::Rate => measure == Measure::Rate,
            Unit::Percent => measure.is_count(),
            Unit::Count => measure.is_count() || measure == Measure::Rate,
        };
        if !fits {
            let wanted = if measure.is_time() { "a time, as 15ms" } else { "a number" };
            return Err(format!("the limit of `{name}` is {wanted}"));
        }
        Ok(Self { text: text.into(), measure, order, unit, limit })
    }

    /// Looks at a run.
    #[must_use]
    pub fn judge(&self, run: &dyn Measured) -> Verdict {
        let raw = run.figure(self.measure);
        let figure = match self.unit {
            Unit::Percent if run.scheduled() > 0.0 => 100.0 * raw / run.scheduled(),
            _ => raw,
        };
        let kept = match self.order {
            Order::Below => figure < self.limit,
            Order::AtMost => figure <= self.limit,
            Order::Equal => (figure - self.limit).abs() < 1e-9,
            Order::AtLeast => figure >= self.limit,
            Order::Above => figure > self.limit,
        };
        let found = match self.unit {
            Unit::Time => format!("{:.3} ms", figure / 1e3),
            Unit::Percent => format!("{figure:.3} %"),
            Unit::Rate => format!("{figure:.1}/s"),
            Unit::Count => format!("{figure:.0}"),
        };
        // A run with nothing in it proves nothing.
        Verdict { text: self.text.clone(), found, kept: kept && run.scheduled() > 0.0 }
    }
}

/// The user's thresholds, and those of every run that the user says nothing of.
#[must_use]
pub fn with_usual(mut own: Vec<Threshold>) -> Vec<Threshold> {
    for usual in ALWAYS.iter().filter_map(|text| Threshold::parse(text).ok()) {
        if own.iter().all(|threshold| threshold.measure != usual.measure) {
            own.push(usual);
        }
    }
    own
}

impl Measure {
    /// By its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let quantile = |digits: &str| {
            let percent: f64 = digits.parse().ok()?;
            (0.0..100.0).contains(&percent).then_some(percent / 100.0)
        };
        Some(match name {
            "mean" => Self::Mean,
            "max" => Self::Max,
            "wrong" => Self::Wrong,
            "unmatched" => Self::Unmatched,
            "unanswered" => Self::Unanswered,
            "unsent" => Self::Unsent,
            "approved" => Self::Approved,
            "rate" => Self::Rate,
            _ => match name.strip_prefix("lag.p") {
                Some(digits) => Self::Lag(quantile(digits)?),
                None => Self::Quantile(quantile(name.strip_prefix('p')?)?),
            },
        })
    }

    fn is_time(self) -> bool {
        matches!(self, Self::Quantile(_) | Self::Mean | Self::Max | Self::Lag(_))
    }

    fn is_count(self) -> bool {
        !self.is_time() && self != Self::Rate
    }
}

fn number(text: &str) -> Option<(f64, Unit)> {
    const UNITS: [(&str, Unit, f64); 5] = [
        ("ms", Unit::Time, 1e3),
        ("us", Unit::Time, 1.0),
        ("/s", Unit::Rate, 1.0),
        ("s", Unit::Time, 1e6),
        ("%", Unit::Percent, 1.0),
    ];
    let with = UNITS.iter().find_map(|(name, unit, scale)| Some((text.strip_suffix(name)?, *unit, *scale)));
    let (digits, unit, scale) = with.unwrap_or((text, Unit::Count, 1.0));
    let number: f64 = digits.parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some((number * scale, unit))
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:<18} {}", if self.kept { '✓' } else { '✗' }, self.text, self.found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Run;

    impl Measured for Run {
        fn figure(&self, measure: Measure) -> f64 {
            match measure {
                Measure::Quantile(at) => at * 10_000.0,
                Measure::Unanswered => 5.0,
                Measure::Rate => 1990.0,
                _ => 0.0,
            }
        }

        fn scheduled(&self) -> f64 {
            1000.0
        }
    }

    fn kept(text: &str) -> bool {
        Threshold::parse(text).unwrap().judge(&Run).kept
    }

    #[test]
    fn times_counts_shares_and_rates_are_compared_each_in_its_unit() {
        assert!(kept("p99<15ms") && !kept("p99<9ms") && kept("p99 < 0.0099001s") && kept("p50<=5000us"));
        assert!(kept("unanswered<=5") && !kept("unanswered==0") && kept("unanswered<0.6%") && !kept("unanswered<0.5%"));
        assert!(kept("rate>1900/s") && !kept("rate>=1991"));
    }

    #[test]
    fn what_is_not_measured_or_has_no_such_unit_is_refused_in_words() {
        for text in [
            "",
            "p99",
            "p99<",
            "p101<1ms",
            "p99<15",
            "q<1",
            "wrong<5ms",
            "p99<5%",
            "rate>5%",
            "p99<-1ms",
            "lag.p99<1/s",
        ] {
            assert!(Threshold::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_limit_of_the_users_own_stands_in_for_the_usual_one() {
        let own = with_usual(vec![Threshold::parse("unanswered<1%").unwrap()]);
        let texts: Vec<&str> = own.iter().map(|threshold| &*threshold.text).collect();
        assert_eq!(texts, ["unanswered<1%", "wrong==0"]);
    }
}
