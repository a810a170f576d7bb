//! A look at the disk as it would be if the power went now.

use super::disk::SimDisk;
use super::outside::Outside;
use super::records;
use super::station::CAPACITY;
use super::station::SEGMENT_BYTES;
use crate::ledger::EmbeddedLedger;
use crate::ledger::Ledger;
use crate::ledger::Recorded;
use crate::ledger::TxnId;
use crate::ledger::journal::JournalFault;
use crate::ledger::journal::JournalId;
use crate::ledger::journal::Options;
use crate::ledger::verify;
use crate::model::Rrn;
use crate::model::TerminalId;
use std::sync::Arc;

fn open(disk: SimDisk) -> Result<EmbeddedLedger, JournalFault> {
    let options = Options { segment_bytes: SEGMENT_BYTES, ..Options::new(JournalId([1; 16])) };
    EmbeddedLedger::open(disk, &options, CAPACITY).map(|opened| opened.ledger)
}

/// The ledger that a start would find; one that is refused is a breach.
pub(super) fn ledger(outside: &Outside) -> Option<EmbeddedLedger> {
    match open(SimDisk::aside(outside.platter.if_power_went_now(), Arc::clone(&outside.nature))) {
        Ok(ledger) => Some(ledger),
        Err(fault) => {
            outside.history.breach(format!("I12: if the power went now: {fault}"));
            None
        }
    }
}

/// One of its records.
pub(super) fn record(outside: &Outside, rrn: Rrn) -> Option<Recorded> {
    ledger(outside)?.find(TxnId(records::number(rrn))).filter(|record| record.intent.rrn == rrn)
}

/// Whether it knows of a terminal's session.
pub(super) fn knows_session(outside: &Outside, terminal: TerminalId) -> bool {
    ledger(outside).is_some_and(|ledger| ledger.terminal(terminal).is_some())
}

/// What the command line's `ledger verify` finds wrong.
pub(super) fn verify(outside: &Outside) -> Vec<String> {
    let mut disk = SimDisk::aside(outside.platter.if_power_went_now(), Arc::clone(&outside.nature));
    match verify::verify(&mut disk) {
        Ok(report) => report.violations.iter().map(ToString::to_string).collect(),
        Err(fault) => vec![format!("I12: {fault}")],
    }
}

/// Takes the last synced group away, and sees whether a start notices. Only the anchor can know.
pub(super) fn rot(outside: &Outside) {
    let platter = outside.platter.if_power_went_now();
    if platter.rot() && open(SimDisk::aside(platter, Arc::clone(&outside.nature))).is_ok() {
        outside.history.breach("I12: a synced group is gone, and a start does not notice".to_owned());
    }
}
