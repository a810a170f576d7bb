//! When an acquirer's business date begins: its time zone, and the minute at which it cuts over.

use super::{BusinessDate, Timestamp};
use jiff::civil::{Date, Time};
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};
use std::fmt;

/// A time zone of the IANA database that is built in, or a fixed offset. The machine's own files are not read:
/// two nodes with the same program agree on every date.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Zone(TimeZone);

impl Zone {
    /// A zone by its IANA name, such as `Asia/Shanghai`; `None` if the database has no such name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        TimeZoneDatabase::bundled().get(name).ok().map(Self)
    }

    /// A clock that is always so many minutes east of UTC.
    #[must_use]
    pub fn fixed(offset_minutes: i16) -> Self {
        let offset = Offset::from_seconds(i32::from(offset_minutes) * 60).unwrap_or(Offset::UTC);
        Self(TimeZone::fixed(offset))
    }
}

/// The local time at which the next business date begins, to the minute.
///
/// From noon on it stands on the eve: with `23:00`, what comes at 23:00 or later belongs to the next calendar
/// day. Before noon it stands in the night: with `02:30`, what comes before half past two still belongs to the
/// day before.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct CutOver {
    hour: i8,
    minute: i8,
}

impl CutOver {
    /// `hh:mm`, 00:00 to 23:59.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digit = |byte: &u8| byte.is_ascii_digit().then(|| byte - b'0');
        let [a, b, b':', c, d] = text.as_bytes() else { return None };
        let hour = i8::try_from(digit(a)? * 10 + digit(b)?).ok()?;
        let minute = i8::try_from(digit(c)? * 10 + digit(d)?).ok()?;
        (hour < 24 && minute < 60).then_some(Self { hour, minute })
    }

    fn on_the_eve(self) -> bool {
        self.hour >= 12
    }
}

impl fmt::Display for CutOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour, self.minute)
    }
}

/// Which business date an instant belongs to.
///
/// Dates never go back while time goes on, whatever the clocks of the zone do: a date begins at the first
/// instant that shows its cut-over time, or, where clocks jump over that time, as much later as they jumped.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DayRule {
    zone: Zone,
    cut_over: CutOver,
}

/// The calendar day of UTC.
impl Default for DayRule {
    fn default() -> Self {
        Self::new(Zone::fixed(0), CutOver::default())
    }
}

impl DayRule {
    /// Dates of `zone` that begin at `cut_over`.
    #[must_use]
    pub fn new(zone: Zone, cut_over: CutOver) -> Self {
        Self { zone, cut_over }
    }

    /// The business date of an instant.
    #[must_use]
    pub fn date(&self, at: Timestamp) -> BusinessDate {
        let at = jiff::Timestamp::from_microsecond(at.0).unwrap_or_default();
        let local = self.zone.0.to_datetime(at).date();
        let mut date = local.tomorrow().unwrap_or(local);
        // A jump of the clocks is a day at most, so that the date is one of these.
        for _ in 0..3 {
            match (self.start(date), date.yesterday()) {
                (Some(start), Ok(before)) if start > at => date = before,
                _ => break,
            }
        }
        BusinessDate::of(date)
    }

    /// When the date that follows the one of this instant begins. `None` at the end of the calendar.
    #[must_use]
    pub fn next_cut_over(&self, at: Timestamp) -> Option<Timestamp> {
        let mut date = self.date(at);
        // A date that the clocks jump over has no length.
        for _ in 0..3 {
            date = date.tomorrow()?;
            if let Some(begins) = self.begins(date).filter(|begins| *begins > at) {
                return Some(begins);
            }
        }
        None
    }

    /// The first instant of a business date. `None` at the ends of the calendar.
    #[must_use]
    pub fn begins(&self, date: BusinessDate) -> Option<Timestamp> {
        let (year, month, day) = date.parts();
        self.start(Date::new(year, month, day).ok()?).map(|start| Timestamp(start.as_microsecond()))
    }

    fn start(&self, date: Date) -> Option<jiff::Timestamp> {
        let CutOver { hour, minute } = self.cut_over;
        let day = if self.cut_over.on_the_eve() { date.yesterday().ok()? } else { date };
        let local = day.to_datetime(Time::new(hour, minute, 0, 0).ok()?);
        self.zone.0.to_ambiguous_timestamp(local).compatible().ok()
    }
}
