//! Instants, business dates, and the two traits by which time and chance come in from outside.

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::{Offset, TimeZone};
use std::fmt;
use std::future::Future;
use std::time::Duration;

/// A wall-clock instant: microseconds since 1970-01-01T00:00:00Z. For stamps, never for deadlines.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The civil date and time at `offset_minutes` east of UTC.
    fn civil(self, offset_minutes: i16) -> DateTime {
        let offset = Offset::from_seconds(i32::from(offset_minutes) * 60).unwrap_or(Offset::UTC);
        jiff::Timestamp::from_microsecond(self.0).unwrap_or_default().to_zoned(TimeZone::fixed(offset)).datetime()
    }

    /// From RFC 3339, with an offset: `2026-11-22T23:00:00+08:00`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|at| Self(at.as_microsecond()))
    }

    /// The instant `by` before this one.
    #[must_use]
    pub fn earlier(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The instant `by` after this one.
    #[must_use]
    pub fn later(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; nothing if it is before.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The calendar date at `offset_minutes` east of UTC.
    #[must_use]
    pub fn date(self, offset_minutes: i16) -> BusinessDate {
        BusinessDate::of(self.civil(offset_minutes).date())
    }

    /// `YYMMDDhhmmss`, twelve ASCII digits: DE 12 of ISO 8583:1993. The other stamps are parts of it:
    /// DE 13 (`MMDD`) is `[2..6]`, DE 12 of 1987 (`hhmmss`) is `[6..12]`, DE 7 is `[2..12]` in UTC.
    #[must_use]
    pub fn digits(self, offset_minutes: i16) -> [u8; 12] {
        let civil = self.civil(offset_minutes);
        let pair = |value: i8| u64::from(value.unsigned_abs());
        let year = u64::from(civil.year().unsigned_abs()) % 100;
        let parts =
            [pair(civil.month()), pair(civil.day()), pair(civil.hour()), pair(civil.minute()), pair(civil.second())];
        super::number::fixed_digits(parts.iter().fold(year, |sum, part| sum * 100 + part))
    }
}

/// RFC 3339 in UTC, to the microsecond.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}", jiff::Timestamp::from_microsecond(self.0).unwrap_or_default())
    }
}

/// The day a transaction belongs to. Fixed at intent and never moved (rules of the money, 9).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BusinessDate {
    year: i16,
    month: i8,
    day: i8,
}

impl BusinessDate {
    /// `None` for a day that no calendar has.
    #[must_use]
    pub fn new(year: i16, month: i8, day: i8) -> Option<Self> {
        Date::new(year, month, day).ok().map(|_| Self { year, month, day })
    }

    pub(super) fn of(date: Date) -> Self {
        Self { year: date.year(), month: date.month(), day: date.day() }
    }

    /// The date after it. `None` at the end of the calendar.
    #[must_use]
    pub fn tomorrow(self) -> Option<Self> {
        Date::new(self.year, self.month, self.day).ok()?.tomorrow().ok().map(Self::of)
    }

    /// The date before it. `None` at the beginning of the calendar.
    #[must_use]
    pub fn yesterday(self) -> Option<Self> {
        Date::new(self.year, self.month, self.day).ok()?.yesterday().ok().map(Self::of)
    }

    /// How many days it lies after `earlier`; negative if it lies before.
    #[must_use]
    pub fn days_after(self, earlier: Self) -> i32 {
        let date = |date: Self| Date::new(date.year, date.month, date.day).unwrap_or_default();
        (date(self) - date(earlier)).get_days()
    }

    /// `MMDD`, four ASCII digits: DE 13, DE 15.
    #[must_use]
    pub fn month_day(self) -> [u8; 4] {
        super::number::fixed_digits(u64::from(self.month.unsigned_abs()) * 100 + u64::from(self.day.unsigned_abs()))
    }

    /// The day of the year, 1 to 366.
    #[must_use]
    pub fn day_of_year(self) -> u16 {
        Date::new(self.year, self.month, self.day).map_or(1, |date| date.day_of_year().unsigned_abs())
    }

    /// Year, month and day, as [`BusinessDate::new`] takes them.
    #[must_use]
    pub fn parts(self) -> (i16, i8, i8) {
        (self.year, self.month, self.day)
    }

    /// The year in full.
    #[must_use]
    pub fn year(self) -> i16 {
        self.year
    }

    /// From `2026-11-22`, as [`fmt::Display`] writes it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        let date = Self::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)?;
        (date.to_string() == text).then_some(date)
    }

    fn civil(self) -> Date {
        Date::new(self.year, self.month, self.day).unwrap_or(Date::MIN)
    }

    /// The date so many calendar days later, or earlier; the calendar ends with the year 9999.
    #[must_use]
    pub fn plus_days(self, days: i32) -> Self {
        let civil = self.civil().saturating_add(jiff::Span::new().days(days));
        Self { year: civil.year(), month: civil.month(), day: civil.day() }
    }

    /// How many calendar days it lies after `earlier`; negative if before.
    #[must_use]
    pub fn days_since(self, earlier: Self) -> i32 {
        (self.civil() - earlier.civil()).get_days()
    }

    /// Whether it is a Saturday or a Sunday.
    #[must_use]
    pub fn is_weekend(self) -> bool {
        matches!(self.civil().weekday(), Weekday::Saturday | Weekday::Sunday)
    }
}

impl fmt::Display for BusinessDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// Time from outside: the shell's is the machine's, the simulated world's is its own.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock. It may step; nothing expires or is reordered by it.
    fn wall(&self) -> Timestamp;

    /// Monotonic time since some fixed start. Deadlines and intervals only.
    fn monotonic(&self) -> Duration;

    /// Completes when `after` of monotonic time has passed.
    fn deadline(&self, after: Duration) -> impl Future<Output = ()> + Send + 'static;
}

/// Unpredictable bytes from outside.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `out`. A source that cannot answer is a bug of the machine: it panics.
    fn fill(&self, out: &mut [u8]);
}
