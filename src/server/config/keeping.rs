//! Where money's memory is kept: `[ledger]`.

use super::HsmSetup;
use super::SoftwareSetup;
use crate::ledger::FollowTerms;
use crate::ledger::journal::MIN_SEGMENT_BYTES;
use crate::ledger::journal::SEGMENT_BYTES;
use crate::registry::Breaches;
use crate::registry::Document;
use std::path::Path;
use std::time::Duration;

const LEDGER: &[&str; 6] = &["folder", "capacity", "segment_bytes", "anchor_ms", "snapshot_s", "days_kept"];
const FOLLOW_UPS: &[&str; 5] =
    &["completion_percent", "adjustment_percent", "completion_days", "refund_days", "refund_without_original"];

/// Where and how the ledger is kept. Paths are relative to the station's file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Keeping {
    /// The ledger's folder. Without one it is in memory, and ends with the process.
    pub folder: Option<String>,
    /// Transactions the ledger has room for, about 1 KiB of memory each.
    pub capacity: usize,
    /// Length of a segment of the journal.
    pub segment_bytes: u64,
    /// How often the anchor is written.
    pub anchor: Duration,
    /// How often is looked whether a segment is full, and a snapshot due.
    pub snapshot: Duration,
    /// Business dates before today whose finished transactions stay in memory.
    pub days_kept: u16,
    /// What the acquirer allows follow-ups.
    pub follow_ups: FollowTerms,
}

impl Default for Keeping {
    fn default() -> Self {
        Self {
            folder: None,
            capacity: 2_000_000,
            segment_bytes: SEGMENT_BYTES,
            anchor: Duration::from_millis(100),
            snapshot: Duration::from_secs(10),
            days_kept: 7,
            follow_ups: FollowTerms::USUAL,
        }
    }
}

impl Keeping {
    /// `hsm`: whose keys seal the card numbers in the ledger.
    pub(super) fn read(document: &Document<'_>, hsm: Option<&HsmSetup>, breaches: &mut Breaches) -> Option<Self> {
        let usual = Self::default();
        let path = |text: &str| Some(text.to_owned());
        let row = document.table("ledger", LEDGER, breaches);
        let folder = row.optional("folder", "a path", path, breaches);
        if let (Some(folder), Some(hsm)) = (&folder, hsm) {
            if matches!(hsm, HsmSetup::Software(SoftwareSetup { master: None, .. })) {
                breaches.add(row.file(), row.line(), "folder: a ledger that is kept needs [hsm] master");
            }
            if hsm.master_file().is_some_and(|master| Path::new(master).starts_with(folder)) {
                breaches.add(row.file(), row.line(), "folder: [hsm] master must not be kept in the ledger's folder");
            }
        }
        let capacity = u64::try_from(usual.capacity).ok()?;
        let capacity = row.bounded("capacity", capacity, 1..=100_000_000, breaches);
        let segment = row.bounded("segment_bytes", usual.segment_bytes, MIN_SEGMENT_BYTES..=4 << 30, breaches);
        let anchor = row.bounded("anchor_ms", 100, 1..=60_000, breaches);
        let snapshot = row.bounded("snapshot_s", usual.snapshot.as_secs(), 1..=86_400, breaches);
        let days = row.bounded("days_kept", usual.days_kept.into(), 1..=3_650, breaches);
        Some(Self {
            folder,
            capacity: usize::try_from(capacity?).ok()?,
            segment_bytes: segment?,
            anchor: Duration::from_millis(anchor?),
            snapshot: Duration::from_secs(snapshot?),
            days_kept: u16::try_from(days?).ok()?,
            follow_ups: follow_ups(document, breaches)?,
        })
    }
}

/// The `[follow_ups]` table.
fn follow_ups(document: &Document<'_>, breaches: &mut Breaches) -> Option<FollowTerms> {
    let usual = FollowTerms::USUAL;
    let row = document.table("follow_ups", FOLLOW_UPS, breaches);
    let most = FollowTerms::MOST_PERCENT.into();
    let percent = row.bounded("completion_percent", usual.completion_percent.into(), 100..=most, breaches);
    let most = FollowTerms::MOST_ADJUSTED.into();
    let adjusted = row.bounded("adjustment_percent", usual.adjustment_percent.into(), 100..=most, breaches);
    let completion = row.bounded("completion_days", usual.completion_days.into(), 0..=3_650, breaches);
    let refund = row.bounded("refund_days", usual.refund_days.into(), 0..=3_650, breaches);
    let alone = row.optional("refund_without_original", "true or false", |text| text.parse().ok(), breaches);
    Some(FollowTerms {
        completion_percent: u16::try_from(percent?).ok()?,
        adjustment_percent: u16::try_from(adjusted?).ok()?,
        completion_days: u16::try_from(completion?).ok()?,
        refund_days: u16::try_from(refund?).ok()?,
        refund_without_original: alone.unwrap_or(usual.refund_without_original),
    })
}
