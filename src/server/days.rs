//! Closes business dates that lie far enough back: what is finished of them leaves the book.

use super::clock::SystemClock;
use super::config::Keeping;
use crate::ledger::DataKeyName;
use crate::ledger::EmbeddedLedger;
use crate::ledger::Ledger;
use crate::model::BusinessDate;
use crate::model::Clock;
use crate::model::DayRule;
use crate::model::Timestamp;
use crate::registry::Registry;
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(600);
/// Between two dates that are closed: nobody waits for many at once.
const PAUSE: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

/// Closes what is due, once a day and at the start, until the ledger fails. What is not finished of a date
/// stays, and the date is closed again the next day.
///
/// Cut-overs only show here: nothing stops for one, and no batch is closed by it.
pub(super) async fn close_old_days(ledger: &EmbeddedLedger, keeping: &Keeping, registry: &ArcSwap<Registry>) {
    let (clock, mut today, mut done) = (SystemClock::start(), None, None);
    loop {
        let (registry, now) = (registry.load_full(), clock.wall());
        let dates = dates(registry.days(), now);
        if today.replace(dates.clone()).is_some_and(|before| before != dates) {
            let dates = dates.iter().map(BusinessDate::to_string).collect::<Vec<_>>().join(" ");
            tracing::info!(event = "cut-over", dates, "what comes from now on has another business date");
        }
        let kept_from = self::dates(registry.days(), now.earlier(DAY * u32::from(keeping.days_kept))).first().copied();
        if let Some(kept_from) = kept_from.filter(|kept_from| done != Some(*kept_from)) {
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
        clock.deadline(pause(registry.days(), clock.wall())).await;
    }
}

/// The business dates that there are at an instant, the earliest first: one, or where acquirers have days of
/// their own, a few.
fn dates(days: &[Arc<DayRule>], at: Timestamp) -> Vec<BusinessDate> {
    let mut dates: Vec<BusinessDate> = days.iter().map(|day| day.date(at)).collect();
    dates.sort_unstable();
    dates.dedup();
    dates
}

/// Until the next cut-over, but not longer than [`LOOK`].
fn pause(days: &[Arc<DayRule>], now: Timestamp) -> Duration {
    let next = days.iter().filter_map(|day| day.next_cut_over(now)).min();
    let until = next.and_then(|next| u64::try_from(next.0.saturating_sub(now.0)).ok()).map(Duration::from_micros);
    until.map_or(LOOK, |until| until.clamp(PAUSE, LOOK))
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
