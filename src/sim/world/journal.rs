//! The journal's threads of a world: its writer, the maker of segments, the keeper of the anchor, as tasks.

use super::coverage::Sometimes;
use super::disk::SimDisk;
use super::executor::Realm;
use super::outside::Outside;
use crate::ledger::journal::AnchorKeeper;
use crate::ledger::journal::Prepared;
use crate::ledger::journal::Preparer;
use crate::ledger::journal::Step;
use crate::ledger::journal::Writer;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How often the anchor is written.
const ANCHOR_EVERY: Duration = Duration::from_millis(100);
/// How long the maker of segments waits when there was no room.
const ROOM_EVERY: Duration = Duration::from_secs(1);

/// Puts them to work. Any of their faults ends the process.
pub(super) fn start(
    outside: &Arc<Outside>,
    writer: Writer<SimDisk>,
    preparer: Preparer<SimDisk>,
    anchor: AnchorKeeper<SimDisk>,
    failed: &CancellationToken,
) {
    let wrote = Arc::new(Notify::new());
    let spawner = &outside.spawner;
    spawner.spawn(Realm::Station, write(Arc::clone(outside), writer, Arc::clone(&wrote), failed.clone()));
    spawner.spawn(Realm::Station, prepare(Arc::clone(outside), preparer, failed.clone()));
    spawner.spawn(Realm::Station, keep_anchor(Arc::clone(outside), anchor, wrote, failed.clone()));
}

async fn write(outside: Arc<Outside>, mut writer: Writer<SimDisk>, wrote: Arc<Notify>, failed: CancellationToken) {
    loop {
        writer.ready().await;
        let takes = outside.weather.faults().sync_ms;
        let takes = outside.nature.draw(|chance| chance.millis(0, takes + 1));
        outside.nature.after(takes).await;
        match writer.step(outside.nature.wall()) {
            Ok(Step::Wrote(_)) => wrote.notify_one(),
            Ok(Step::Idle | Step::Blocked) => {}
            Ok(Step::Ended) => return failed.cancel(),
            Err(fault) => {
                outside.nature.say(&format!("station: the journal failed: {}", fault.fault));
                return failed.cancel();
            }
        }
    }
}

async fn prepare(outside: Arc<Outside>, mut preparer: Preparer<SimDisk>, failed: CancellationToken) {
    let mut refused = false;
    loop {
        preparer.wanted().await;
        outside.nature.after(Duration::from_millis(1)).await;
        match preparer.step() {
            Ok(Prepared::Refused(fault)) => {
                outside.nature.say(&format!("station: no next segment: {fault}"));
                refused = true;
                outside.nature.after(ROOM_EVERY).await;
            }
            Ok(Prepared::Made) if refused => {
                refused = false;
                outside.nature.sometimes(Sometimes::DiskRoom);
            }
            Ok(Prepared::Made | Prepared::Already) => {}
            Err(fault) => {
                outside.nature.say(&format!("station: the journal failed: {}", fault.fault));
                return failed.cancel();
            }
        }
    }
}

async fn keep_anchor(
    outside: Arc<Outside>,
    mut anchor: AnchorKeeper<SimDisk>,
    wrote: Arc<Notify>,
    failed: CancellationToken,
) {
    loop {
        wrote.notified().await;
        outside.nature.after(ANCHOR_EVERY).await;
        if let Err(fault) = anchor.step() {
            outside.nature.say(&format!("station: the anchor failed: {}", fault.fault));
            return failed.cancel();
        }
    }
}
