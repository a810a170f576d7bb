//! When a shop is open.

use super::{Said, Speaks, View};
use crate::model::ResponseCode;
use crate::model::TimeOfDay;
use crate::risk::kind_set::KindSet;
use crate::risk::rule_set::Row;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const MINUTE: i64 = 60_000_000;
const DAY: i64 = 1_440;

/// `open`, `close`: local times of the terminal, the second not included; may span midnight. `days`: those on which it
/// opens; all, if left out.
#[derive(Debug)]
pub(in crate::risk) struct Hours {
    /// Minutes of the day.
    open: i64,
    close: i64,
    /// Monday first.
    days: [bool; 7],
}

fn minutes(text: &str) -> Option<i64> {
    let time = TimeOfDay::parse(text)?;
    let minutes: i64 = text.get(3..)?.parse().ok()?;
    Some(i64::from(time.hour()) * 60 + minutes)
}

impl Speaks for Hours {
    const SCOPE: KindSet = KindSet::ASKING;

    fn read(row: &mut Row<'_>) -> Option<Self> {
        let form = "a time of day, such as 08:30";
        let open = row.text("open", form, minutes);
        let open = row.need("open", open);
        let close = row.text("close", form, minutes);
        let close = row.need("close", close);
        if open.is_some() && open == close {
            row.fault("close", "close: is the same as open: never closed, or never open");
        }
        let days = row.list("days", "one of mon, tue, wed, thu, fri, sat, sun", |day| {
            DAYS.iter().position(|known| *known == day)
        });
        let is_open = |day: usize| days.as_ref().is_none_or(|days| days.contains(&day));
        Some(Self { open: open?, close: close?, days: std::array::from_fn(is_open) })
    }

    fn speaks(&self, view: &View<'_>) -> Option<Said> {
        let local = view.now().div_euclid(MINUTE).saturating_add(i64::from(view.s.offset_minutes));
        let time = local.rem_euclid(DAY);
        // 1 January 1970 was a Thursday.
        let day = local.div_euclid(DAY).saturating_add(3).rem_euclid(7);
        let opens_on = |day: i64| {
            let day = usize::try_from(day.rem_euclid(7)).unwrap_or_default();
            self.days.get(day).is_some_and(|open| *open)
        };
        let is_open = if self.open < self.close {
            (self.open..self.close).contains(&time) && opens_on(day)
        } else {
            (time >= self.open && opens_on(day)) || (time < self.close && opens_on(day - 1))
        };
        if is_open {
            return None;
        }
        let name = usize::try_from(day).ok().and_then(|day| DAYS.get(day)).copied().unwrap_or_default();
        let clock = |minutes: i64| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        let evidence = format!("{name} {}, open from {} to {}", clock(time), clock(self.open), clock(self.close));
        Said::new(ResponseCode::TerminalForbidden, evidence)
    }
}
