//! How a merchant is paid: its category, its account, its cycle.

use super::table::{Breaches, Row};
use crate::model::Timestamp;
use std::fmt;

/// A merchant category code, DE 18 (`n4`).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Mcc(u16);

impl Mcc {
    /// Exactly four digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_code = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_code.then(|| text.parse().ok().map(Self)).flatten()
    }
}

impl fmt::Display for Mcc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.0)
    }
}

/// When a merchant has its money.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Cycle {
    /// `D0`: on the day itself, also on a holiday.
    SameDay,
    /// `T1`: on the next day on which banks work.
    #[default]
    NextWorkingDay,
}

impl Cycle {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "D0" => Some(Self::SameDay),
            "T1" => Some(Self::NextWorkingDay),
            _ => None,
        }
    }
}

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

/// How a merchant is paid.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Payout {
    /// Its category.
    pub mcc: Option<Mcc>,
    /// The account that it registered, up to 34 letters and digits (an IBAN's length). Without one it is not paid.
    pub account: Option<Box<str>>,
    /// When it has its money.
    pub cycle: Cycle,
    /// From when on something counts as the next day's, by the terminal's clock.
    pub cut_off: Option<TimeOfDay>,
}

impl Payout {
    /// The columns `mcc`, `account`, `cycle`, `cut_off`.
    pub(super) fn read<const N: usize>(row: &Row<'_, N>, breaches: &mut Breaches) -> Self {
        Self {
            mcc: row.optional("mcc", "4 digits", Mcc::parse, breaches),
            account: row.optional("account", "1 to 34 letters and digits", account, breaches),
            cycle: row.optional("cycle", "D0 or T1", Cycle::parse, breaches).unwrap_or_default(),
            cut_off: row.optional("cut_off", "a time as 22:30", TimeOfDay::parse, breaches),
        }
    }
}

fn account(text: &str) -> Option<Box<str>> {
    let is_account = (1..=34).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_account.then(|| text.into())
}
