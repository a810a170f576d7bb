//! How long something has been open.

use crate::model::BusinessDate;
use jiff::civil::Date;

/// The days on which banks work that came after `since`, up to and with `today`: Monday to Friday, holidays left out.
/// 0 on the day itself.
#[must_use]
pub fn business_days(since: BusinessDate, today: BusinessDate, is_holiday: impl Fn(BusinessDate) -> bool) -> u32 {
    let civil = |date: BusinessDate| {
        let (year, month, day) = date.parts();
        Date::new(year, month, day).unwrap_or_default()
    };
    let (mut at, end, mut days) = (civil(since), civil(today), 0);
    while at < end {
        let Ok(next) = at.tomorrow() else { break };
        at = next;
        let works = at.weekday().to_monday_one_offset() <= 5;
        let date = BusinessDate::new(at.year(), at.month(), at.day());
        days += u32::from(works && !date.is_some_and(&is_holiday));
    }
    days
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(day: i8) -> BusinessDate {
        BusinessDate::new(2026, 11, day).unwrap()
    }

    #[test]
    fn weekends_and_holidays_do_not_age() {
        // 2026-11-20 is a Friday.
        assert_eq!(business_days(date(20), date(20), |_| false), 0);
        assert_eq!(business_days(date(20), date(22), |_| false), 0);
        assert_eq!(business_days(date(20), date(23), |_| false), 1);
        assert_eq!(business_days(date(20), date(25), |day| day == date(24)), 2);
        assert_eq!(business_days(date(25), date(20), |_| false), 0);
    }
}
