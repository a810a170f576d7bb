//! Closes business dates that lie far enough back: what is finished of them leaves the book.

use super::clock::SystemClock;
use super::config::Keeping;
use crate::ledger::DataKeyName;
use crate::ledger::EmbeddedLedger;
use crate::ledger::Ledger;
use crate::model::BusinessDate;
use crate::model::Clock;
use std::time::Duration;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(600);
/// Between two dates that are closed: nobody waits for many at once.
const PAUSE: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

/// Closes what is due, once a day and at the start, until the ledger fails. What is not finished of a date
/// stays, and the date is closed again the next day.
pub(super) async fn close_old_days(ledger: &EmbeddedLedger, keeping: &Keeping, offset_minutes: i16) {
    let (clock, mut done) = (SystemClock::start(), None);
    loop {
        let kept_from = clock.wall().earlier(DAY * u32::from(keeping.days_kept)).date(offset_minutes);
        if done != Some(kept_from) {
            let dates: Vec<BusinessDate> = ledger.data_keys().into_iter().filter_map(|(name, _)| dated(name)).collect();
            for date in due(&dates, ledger.oldest(), kept_from) {
                if ledger.close_day(date).await.is_err() {
                    return;
                }
                tracing::info!(event = "day-closed", date = %date, "what is finished of this date leaves the memory");
                clock.deadline(PAUSE).await;
            }
            done = Some(kept_from);
        }
        clock.deadline(LOOK).await;
    }
}

/// Every date that has transactions has a sealing key.
fn dated(name: DataKeyName) -> Option<BusinessDate> {
    match name {
        DataKeyName::Seal(date) => Some(date),
        DataKeyName::Token => None,
    }
}

/// The dates to be closed: from the oldest in the book up to the first that is kept.
fn due(dates: &[BusinessDate], oldest: Option<BusinessDate>, kept_from: BusinessDate) -> Vec<BusinessDate> {
    let Some(oldest) = oldest else { return Vec::new() };
    dates.iter().copied().filter(|date| (oldest..kept_from).contains(date)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_before_those_kept_are_due_and_what_left_the_book_is_not() {
        let day = |day| BusinessDate::new(2026, 11, day).unwrap();
        let dates: Vec<BusinessDate> = (1..=20).map(day).collect();
        assert_eq!(due(&dates, Some(day(10)), day(13)), [day(10), day(11), day(12)]);
        assert_eq!(due(&dates, Some(day(15)), day(13)), []);
        assert_eq!(due(&dates, None, day(13)), []);
    }
}
