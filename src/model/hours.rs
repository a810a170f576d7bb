//! Times of a day.

use super::Timestamp;
use std::fmt;

/// Hours and minutes of a day, local to whoever says it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct TimeOfDay {
    minutes: u16,
}

impl TimeOfDay {
    /// From `22:30`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (hours, minutes) = text.split_once(':')?;
        let two = |text: &str, below: u16| {
            let is_pair = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            is_pair.then(|| text.parse::<u16>().ok()).flatten().filter(|value| *value < below)
        };
        Some(Self { minutes: two(hours, 24)? * 60 + two(minutes, 60)? })
    }

    /// What a clock `offset_minutes` east of UTC shows.
    #[must_use]
    pub fn of(instant: Timestamp, offset_minutes: i16) -> Self {
        let digits = instant.digits(offset_minutes);
        let pair = |at: usize| {
            digits.get(at..at + 2).map_or(0, |pair| pair.iter().fold(0, |sum, d| sum * 10 + u16::from(d - b'0')))
        };
        Self { minutes: pair(6) * 60 + pair(8) }
    }

    /// The hour, 0 to 23.
    #[must_use]
    pub fn hour(self) -> u16 {
        self.minutes / 60
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.minutes / 60, self.minutes % 60)
    }
}
