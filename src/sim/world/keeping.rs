//! What is done beside the running station: snapshots, room, and days that are closed when they are over.

use super::coverage::Sometimes;
use super::disk::SimDisk;
use super::outside::Outside;
use super::station::SimWorld;
use crate::flow::Station;
use crate::ledger::Effect;
use crate::ledger::Housekeeper;
use crate::ledger::Housekeeping;
use crate::ledger::Ledger;
use crate::ledger::Recorded;
use crate::ledger::Tidied;
use crate::model::BusinessDate;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks for segments that are full.
const TIDY_EVERY: Duration = Duration::from_secs(4);
/// Between two looks for days that are over.
const CLOSE_EVERY: Duration = Duration::from_secs(7);

/// Makes snapshots. What it cannot do is said, and tried again.
pub(super) async fn tidy(outside: Arc<Outside>, mut housekeeper: Housekeeper<SimDisk>) {
    // One full segment is enough.
    let remove_segments = outside.keeping.removes;
    housekeeper.options = Housekeeping { journal_bytes: 1, remove_segments, ..Housekeeping::default() };
    loop {
        outside.nature.after(TIDY_EVERY).await;
        match housekeeper.step(outside.nature.wall()) {
            Ok(Tidied::Nothing) => {}
            Ok(Tidied::Snapshot { group, .. }) => {
                outside.nature.say(&format!("station: snapshot after group {group}"));
                outside.nature.sometimes(Sometimes::Snapshot);
            }
            Err(_) if outside.nature.is_down() => outside.nature.sometimes(Sometimes::CrashTidying),
            Err(fault) => outside.nature.say(&format!("station: no snapshot: {fault}")),
        }
    }
}

/// Closes the days before today, again and again: what was not finished is then.
pub(super) async fn close_days(outside: Arc<Outside>, station: Arc<Station<SimWorld>>) {
    loop {
        outside.nature.after(CLOSE_EVERY).await;
        for date in over(&station, outside.today()) {
            let before = station.ledger().records().len();
            if station.ledger().close_day(date).await.is_err() {
                return;
            }
            let left = before.saturating_sub(station.ledger().records().len());
            outside.nature.say(&format!("station: {date} closed, {left} left"));
            if left > 0 {
                outside.nature.sometimes(Sometimes::DayClosed);
            }
        }
    }
}

/// The dates before `today` of which something is in the book and finished.
fn over(station: &Station<SimWorld>, today: BusinessDate) -> BTreeSet<BusinessDate> {
    let finished = |record: &Recorded| {
        let owed = matches!(record.effect, Effect::Advising | Effect::Reversing | Effect::DeadLetter);
        record.decided.is_some() && !owed
    };
    let records = station.ledger().records().into_iter();
    records.filter(finished).map(|record| record.intent.date).filter(|date| *date < today).collect()
}
