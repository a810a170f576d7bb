//! Threads that race for the ledger's lock.

use super::shop::*;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use tollgate::ledger::BatchClose;
use tollgate::ledger::BatchClosed;
use tollgate::ledger::ClosedBy;
use tollgate::ledger::EmbeddedLedger;
use tollgate::ledger::Intended;
use tollgate::ledger::Intent;
use tollgate::ledger::Ledger;
use tollgate::ledger::Outcome;
use tollgate::ledger::TxnId;
use tollgate::model::BatchNumber;
use tollgate::model::MerchantId;
use tollgate::model::Timestamp;
use tollgate::model::VoidsInTotals;

const BATCHES: u32 = 400;
/// The terminal sells in bursts, so that a settlement finds it between two sales and in the middle of one.
const SALES: u32 = 60;

fn close(batch: BatchNumber) -> BatchClose {
    BatchClose {
        terminal: terminal(1),
        batch,
        told_as: None,
        apart: true,
        merchant: MerchantId::parse(b"898110054110001").unwrap(),
        test_mode: false,
        claimed: None,
        voids: VoidsInTotals::Removed,
        date: day(21),
        received: Timestamp(1_000_000 + i64::from(batch.value())),
        by: ClosedBy::Terminal,
        session: None,
    }
}

/// Runs what never waits but for the lock.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(future)
}

/// Sells until the batch takes no more; the last number that got in.
fn sell(ledger: &EmbeddedLedger, batch: BatchNumber, first_stan: u32) -> Option<TxnId> {
    let mut last = None;
    for stan in first_stan..first_stan + SALES {
        let intent = Intent { batch: Some(batch), ..sale(ledger, 1, stan, 100) };
        let (id, received) = (intent.id, intent.received);
        if !matches!(at_once(ledger.intend(intent)).unwrap(), Intended::Fresh) {
            break;
        }
        at_once(ledger.decide(id, decision(Outcome::Approved, received))).unwrap();
        last = Some(id);
    }
    last
}

/// Who settles asks which transactions were there by the number of the close.
#[test]
fn every_sale_of_a_closed_batch_has_a_smaller_number_than_its_close() {
    let ledger = EmbeddedLedger::volatile(1_000_000);
    for number in 1..=BATCHES {
        let batch = BatchNumber::new(number).unwrap();
        let begun = AtomicBool::new(false);
        let (last, closed) = thread::scope(|scope| {
            let selling = scope.spawn(|| {
                begun.store(true, Ordering::Release);
                sell(&ledger, batch, number * SALES)
            });
            while !begun.load(Ordering::Acquire) {
                thread::yield_now();
            }
            let closed = loop {
                match at_once(ledger.close_batch(close(batch))).unwrap() {
                    BatchClosed::Closed { record, .. } => break record.number,
                    BatchClosed::Running(_) => thread::sleep(Duration::ZERO),
                    other => panic!("{other:?}"),
                }
            };
            (selling.join().unwrap(), closed)
        });
        assert!(
            last.is_none_or(|last| last < closed),
            "batch {number}: {last:?} is in it, and its close is {closed:?}"
        );
    }
}
