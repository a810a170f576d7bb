//! How a modelled HSM behaves: how long a command takes, and what goes wrong how often. Pure and seeded.

use super::code::ErrorCode;
use crate::model::SplitMix64;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How long one command takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Delay {
    /// Always so long.
    Fixed(Duration),
    /// Anything from the first to the second, all alike.
    Uniform(Duration, Duration),
    /// Exponential with this mean, at most twenty times it.
    Exponential(Duration),
}

impl Delay {
    /// None at all.
    pub const NONE: Self = Self::Fixed(Duration::ZERO);

    /// What one command takes on average.
    #[must_use]
    pub fn mean(self) -> Duration {
        match self {
            Self::Fixed(delay) | Self::Exponential(delay) => delay,
            Self::Uniform(least, most) => least.saturating_add(most) / 2,
        }
    }
}

/// Text that is no delay.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a delay: 2ms, 1ms..5ms or exp:2ms, with us, ms or s, an hour at most")]
pub struct NoDelay;

/// No HSM takes longer, and sums of such times do not overflow.
const LONGEST: Duration = Duration::from_secs(3600);

/// A time with its unit.
fn time(text: &str) -> Result<Duration, NoDelay> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or(NoDelay)?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| NoDelay)?;
    let time = match unit {
        "us" => Duration::from_micros(number),
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        _ => return Err(NoDelay),
    };
    if time <= LONGEST { Ok(time) } else { Err(NoDelay) }
}

impl FromStr for Delay {
    type Err = NoDelay;

    fn from_str(text: &str) -> Result<Self, NoDelay> {
        if let Some(mean) = text.strip_prefix("exp:") {
            return time(mean).map(Self::Exponential);
        }
        match text.split_once("..") {
            None => time(text).map(Self::Fixed),
            Some((least, most)) => {
                let (least, most) = (time(least)?, time(most)?);
                if least <= most { Ok(Self::Uniform(least, most)) } else { Err(NoDelay) }
            }
        }
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(delay) => write!(f, "{delay:?}"),
            Self::Uniform(least, most) => write!(f, "{least:?}..{most:?}"),
            Self::Exponential(mean) => write!(f, "exp:{mean:?}"),
        }
    }
}

/// A modelled HSM. Shares are of all commands but diagnostics, 0 to 1, and exclude each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Behaviour {
    /// How long a command takes.
    pub delay: Delay,
    /// How many commands are worked on at once; the others wait.
    pub engines: usize,
    /// Share answered with `error_code` instead.
    pub errors: f64,
    /// What these say.
    pub error_code: ErrorCode,
    /// Share that is never answered.
    pub drop: f64,
    /// Share at which the connection is closed instead.
    pub close: f64,
    /// Share of which half the answer is written, then the connection closed.
    pub half: f64,
    /// Share answered with bytes that are no answer.
    pub garbage: f64,
    /// Share answered under a header that no call has.
    pub other: f64,
    /// Share whose answers two calls on one connection get of each other: the first waits for the second.
    pub swap: f64,
    /// Diagnostics fail like everything else.
    pub spoils_diagnostics: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            delay: Delay::NONE,
            engines: 1,
            errors: 0.0,
            error_code: ErrorCode::HARDWARE,
            drop: 0.0,
            close: 0.0,
            half: 0.0,
            garbage: 0.0,
            other: 0.0,
            swap: 0.0,
            spoils_diagnostics: false,
        }
    }
}

/// What happens to one command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// It is answered.
    Answer,
    /// It is answered with this code.
    Error(ErrorCode),
    /// It is not answered.
    Drop,
    /// The connection ends.
    Close,
    /// The connection ends in the middle of the answer.
    Half,
    /// The answer is none.
    Garbage,
    /// The answer has a header that no call has.
    Other,
    /// The answer goes to the next such call, and that one's to this.
    Swap,
}

impl Behaviour {
    /// Commands that can be answered in a second, if that is bounded at all.
    #[must_use]
    pub fn limit_per_second(&self) -> Option<f64> {
        let mean = self.delay.mean().as_secs_f64();
        // Engines are a handful.
        let engines = f64::from(u32::try_from(self.engines).unwrap_or(u32::MAX));
        (mean > 0.0).then(|| engines / mean)
    }

    /// Draws time and fate of one command.
    pub fn draw(&self, code: [u8; 2], dice: &mut Dice) -> (Duration, Fate) {
        let delay = match self.delay {
            Delay::Fixed(delay) => delay,
            Delay::Uniform(least, most) => least + (most - least).mul_f64(dice.share()),
            Delay::Exponential(mean) => mean.mul_f64((-(1.0 - dice.share()).ln()).min(20.0)),
        };
        let spared = &code == b"NC" && !self.spoils_diagnostics;
        let mut at = dice.share();
        let fates = [
            (self.errors, Fate::Error(self.error_code)),
            (self.drop, Fate::Drop),
            (self.close, Fate::Close),
            (self.half, Fate::Half),
            (self.garbage, Fate::Garbage),
            (self.other, Fate::Other),
            (self.swap, Fate::Swap),
        ];
        for (share, fate) in fates {
            if at < share && !spared {
                return (delay, fate);
            }
            at -= share;
        }
        (delay, Fate::Answer)
    }
}

/// Chance with a seed (SplitMix64): the same seed, the same run.
#[derive(Clone, Debug)]
pub struct Dice(SplitMix64);

impl Dice {
    /// Begins at a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    /// A share: from 0 up to, but not 1.
    pub fn share(&mut self) -> f64 {
        let mixed = self.0.draw();
        // Two halves of 26 bits each are exact in a double.
        let [high, low] = [mixed >> 38, (mixed >> 12) & 0x03FF_FFFF].map(|part| u32::try_from(part).unwrap_or(0));
        (f64::from(high) + f64::from(low) / 67_108_864.0) / 67_108_864.0
    }
}

#[cfg(test)]
mod tests {
    use super::Behaviour;
    use super::Delay;
    use super::Dice;
    use super::Fate;
    use std::time::Duration;

    #[test]
    fn delays_are_read_as_they_are_written() {
        for text in ["2ms", "1ms..5ms", "exp:250us", "0s"] {
            let delay: Delay = text.parse().unwrap();
            assert_eq!(delay.to_string().replace('\u{b5}', "u").replace("0ns", "0s"), text);
        }
        for text in ["", "2", "ms", "5ms..1ms", "exp:", "2 ms", "-1ms", "3601s", "exp:18446744073709551615s"] {
            assert!(text.parse::<Delay>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_same_seed_is_the_same_run_and_shares_come_out_as_asked() {
        let model = Behaviour {
            delay: Delay::Exponential(Duration::from_millis(2)),
            errors: 0.1,
            drop: 0.2,
            close: 0.05,
            ..Behaviour::default()
        };
        let run = |seed| {
            let mut dice = Dice::new(seed);
            (0..20_000).map(|_| model.draw(*b"CA", &mut dice)).collect::<Vec<_>>()
        };
        let (first, again, other) = (run(7), run(7), run(8));
        assert!(first == again && first != other);
        let share = |fate| first.iter().filter(|(_, drawn)| *drawn == fate).count();
        assert!((1_800..2_200).contains(&share(Fate::Error(model.error_code))));
        assert!((3_700..4_300).contains(&share(Fate::Drop)));
        assert!((850..1_150).contains(&share(Fate::Close)));
        let mean = first.iter().map(|(delay, _)| delay.as_secs_f64()).sum::<f64>() / 20_000.0;
        assert!((0.0019..0.0021).contains(&mean), "{mean}");
    }

    #[test]
    fn diagnostics_are_spared_unless_told() {
        let mut model = Behaviour { drop: 1.0, ..Behaviour::default() };
        let mut dice = Dice::new(1);
        assert_eq!(model.draw(*b"NC", &mut dice).1, Fate::Answer);
        model.spoils_diagnostics = true;
        assert_eq!(model.draw(*b"NC", &mut dice).1, Fate::Drop);
    }

    #[test]
    fn the_limit_is_engines_over_mean() {
        let model = Behaviour { delay: "1ms..3ms".parse().unwrap(), engines: 4, ..Behaviour::default() };
        assert_eq!(model.limit_per_second(), Some(2_000.0));
        assert_eq!(Behaviour::default().limit_per_second(), None);
    }
}
