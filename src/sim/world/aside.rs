//! A look at the disk as it would be if the power went now.

use super::disk::SimDisk;
use super::outside::Outside;
use super::station::CAPACITY;
use super::station::SEGMENT_BYTES;
use crate::ledger::EmbeddedLedger;
use crate::ledger::Ledger;
use crate::ledger::Recorded;
use crate::ledger::journal::JournalFault;
use crate::ledger::journal::JournalId;
use crate::ledger::journal::Options;
use crate::model::Rrn;
use crate::model::TerminalId;
use std::sync::Arc;

/// The ledger that a start would find.
fn ledger(outside: &Outside) -> Result<EmbeddedLedger, JournalFault> {
    open(SimDisk::aside(outside.platter.if_power_went_now(), Arc::clone(&outside.nature)))
}

fn open(disk: SimDisk) -> Result<EmbeddedLedger, JournalFault> {
    let options = Options { segment_bytes: SEGMENT_BYTES, ..Options::new(JournalId([1; 16])) };
    EmbeddedLedger::open(disk, &options, CAPACITY).map(|opened| opened.ledger)
}

/// Its records; a start that is refused is a breach.
pub(super) fn records(outside: &Outside) -> Option<Vec<Recorded>> {
    match ledger(outside) {
        Ok(ledger) => Some(ledger.records()),
        Err(fault) => {
            outside.history.breach(format!("I12: if the power went now: {fault}"));
            None
        }
    }
}

/// One of them.
pub(super) fn record(outside: &Outside, rrn: Rrn) -> Option<Recorded> {
    records(outside)?.into_iter().find(|record| record.intent.rrn == rrn)
}

/// Whether it knows of a terminal's session.
pub(super) fn knows_session(outside: &Outside, terminal: TerminalId) -> bool {
    ledger(outside).is_ok_and(|ledger| ledger.terminal(terminal).is_some())
}

/// Takes the last synced group away, and sees whether a start notices. Only the anchor can know.
pub(super) fn rot(outside: &Outside) {
    let platter = outside.platter.if_power_went_now();
    if platter.rot() && open(SimDisk::aside(platter, Arc::clone(&outside.nature))).is_ok() {
        outside.history.breach("I12: a synced group is gone, and a start does not notice".to_owned());
    }
}
