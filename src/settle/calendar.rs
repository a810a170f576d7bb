//! When money arrives: cycles, cut-offs, holidays, value dates.

use crate::model::BusinessDate;
use crate::model::TimeOfDay;
use crate::model::Timestamp;
use crate::registry::Breaches;
use crate::registry::Cycle;
use crate::registry::Payout;
use crate::registry::Source;
use crate::registry::rows;
use std::collections::BTreeMap;

const HOLIDAY: &[&str; 3] = &["date", "day", "name"];

/// Which days banks work. Saturdays and Sundays they do not, but for days that a list makes working ones.
#[derive(Clone, Debug, Default)]
pub struct Calendar(BTreeMap<BusinessDate, bool>);

impl Calendar {
    /// Reads `date,day,name`: `day` is `holiday`, the usual, or `working` for a weekend's day that is worked on.
    pub fn load(sources: &[Source<'_>], breaches: &mut Breaches) -> Self {
        let mut calendar = Self::default();
        for source in sources {
            rows(*source, "holiday", HOLIDAY, breaches, |row, breaches| {
                let date = row.required("date", "a date as 2026-10-01", BusinessDate::parse, breaches);
                let working = |text: &str| match text {
                    "holiday" => Some(false),
                    "working" => Some(true),
                    _ => None,
                };
                let working = row.optional("day", "holiday or working", working, breaches).unwrap_or(false);
                if date.is_some_and(|date| calendar.0.insert(date, working).is_some()) {
                    breaches.add(row.file(), row.line(), "date: is listed twice");
                }
            });
        }
        calendar
    }

    /// Whether banks work on that day.
    #[must_use]
    pub fn is_working(&self, date: BusinessDate) -> bool {
        self.0.get(&date).copied().unwrap_or(!date.is_weekend())
    }

    /// The first working day after `date`. A list that has no such day within ten years counts for nothing.
    #[must_use]
    pub fn next_working(&self, date: BusinessDate) -> BusinessDate {
        let days = (1..=3_653).map(|days| date.plus_days(days));
        days.into_iter().find(|date| self.is_working(*date)).unwrap_or(date.plus_days(1))
    }

    /// How many working days lie between the two: `earlier` not counted, `later` counted if it is one.
    #[must_use]
    pub fn working_days_between(&self, earlier: BusinessDate, later: BusinessDate) -> usize {
        let days = later.days_since(earlier).max(0);
        (1..=days).filter(|days| self.is_working(earlier.plus_days(*days))).count()
    }

    /// When a merchant who is paid so has the money of something that was settled on `date`, at `instant` of a
    /// clock `offset_minutes` east of UTC. From the cut-off of that date on, it counts as the next day's; without
    /// an instant it was in time.
    #[must_use]
    pub fn value_date(
        &self,
        payout: &Payout,
        date: BusinessDate,
        instant: Option<Timestamp>,
        offset_minutes: i16,
    ) -> BusinessDate {
        let shown = instant.map(|instant| (instant.date(offset_minutes), TimeOfDay::of(instant, offset_minutes)));
        let late = shown.zip(payout.cut_off).is_some_and(|(shown, cut_off)| shown >= (date, cut_off));
        let date = if late { date.plus_days(1) } else { date };
        match payout.cycle {
            Cycle::SameDay => date,
            Cycle::NextWorkingDay => self.next_working(date),
        }
    }
}
