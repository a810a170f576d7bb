//! Batches that break a promise, and one that keeps all of them.

use super::*;
use crate::ledger::BatchRecord;
use crate::ledger::BatchState;
use crate::ledger::ClosedBy;
use crate::ledger::UploadedItem;
use crate::model::BatchNumber;
use crate::model::BatchTotals;
use crate::model::Side;
use crate::model::Sum;
use crate::model::VoidsInTotals;

fn batched(id: u64, minor: u64) -> Intent {
    Intent { batch: Some(BatchNumber::FIRST), ..sale(id, minor) }
}

fn debit(count: u32, amount: u64) -> BatchTotals {
    let debit = Sum { count, amount };
    BatchTotals { domestic: Side { debit, credit: Sum::default() }, foreign: Side::default() }
}

/// A close of terminal 1's first batch.
fn close(id: u64, state: BatchState, claimed: BatchTotals, counted: BatchTotals) -> BatchRecord {
    BatchRecord {
        number: TxnId(id),
        terminal: terminal(1),
        batch: BatchNumber::FIRST,
        told_as: None,
        merchant: MerchantId::parse(b"898110054110001").unwrap(),
        test_mode: false,
        state,
        claimed: Some(claimed),
        counted,
        voids: VoidsInTotals::Removed,
        closed_on: day(21),
        closed_at: NOON,
        rrn: Rrn::numbered(day(21), id),
        by: ClosedBy::Terminal,
        items: 0,
        differences: SmallVec::new(),
    }
}

fn balanced(id: u64, totals: BatchTotals) -> Record {
    Record::Batch(Box::new(close(id, BatchState::Balanced, totals, totals)))
}

fn uploaded() -> Record {
    let item = UploadedItem { stan: stan(1), foreign: false, amount: amount(100), token: None };
    Record::Uploaded(terminal(1), BatchNumber::FIRST, [item].into_iter().collect())
}

fn paid() -> Vec<Record> {
    vec![intended(batched(1, 100)), approved(1)]
}

#[test]
fn batches_that_balance_and_that_are_uploaded_keep_every_promise() {
    let voided = vec![
        intended(batched(2, 70)),
        approved(2),
        intended(Intent { batch: Some(BatchNumber::FIRST), ..follow_up(3, Kind::SaleVoid, 70, 2) }),
        approved(3),
        intended(batched(4, 5)),
        timed_out(4),
        Record::Declined(Arc::new(batched(5, 5)), answer(ResponseCode::AmountLimit)),
    ];
    let (unbalanced, over) = (close(6, BatchState::Unbalanced, debit(2, 170), debit(1, 100)), debit(1, 100));
    let ended = BatchRecord { state: BatchState::Closed, items: 1, ..unbalanced.clone() };
    let uploads = vec![
        paid(),
        voided.clone(),
        // It stays, for its batch needs it: only what counts nothing leaves.
        vec![Record::Closed(day(21))],
        vec![Record::Batch(Box::new(unbalanced))],
        vec![uploaded(), uploaded()],
        vec![Record::Batch(Box::new(ended))],
        vec![Record::Closed(day(21))],
    ];
    let ends = vec![
        paid(),
        voided,
        vec![balanced(6, over)],
        vec![Record::Batch(Box::new(close(6, BatchState::Closed, over, over)))],
    ];
    for commits in [uploads, ends] {
        let report = report(commits);
        assert_eq!(report.violations, []);
        assert!(report.counts.checks[&I11] > 0);
    }
}

#[test]
fn a_transaction_that_enters_a_closed_batch_is_found() {
    let straddles = vec![paid(), vec![balanced(2, debit(1, 100))], vec![intended(batched(3, 1))]];
    finds(I11, "enters a batch", 3, 3, straddles);
}

#[test]
fn totals_that_are_not_those_of_the_transactions_are_found() {
    finds(I9, "not those of its transactions", 2, 2, vec![paid(), vec![balanced(2, debit(1, 99))]]);
    let undone = vec![moved(1, State::Reversing(Undone::Approval)), reversal(2, 1, true, 100)];
    finds(I9, "not those of its transactions", 3, 3, vec![paid(), undone, vec![balanced(3, debit(1, 100))]]);
}

#[test]
fn a_close_that_says_it_balances_and_does_not_is_found() {
    let liar = close(2, BatchState::Balanced, debit(2, 200), debit(1, 100));
    finds(I9, "said to balance", 2, 2, vec![paid(), vec![Record::Batch(Box::new(liar))]]);
}

#[test]
fn a_close_while_a_transaction_runs_is_found() {
    finds(
        I11,
        "while a transaction of it runs",
        2,
        2,
        vec![vec![intended(batched(1, 100))], vec![balanced(2, debit(0, 0))]],
    );
}

#[test]
fn a_closed_batch_that_changes_is_found() {
    let first = vec![paid(), vec![balanced(2, debit(1, 100))]];
    let twice = [first.clone(), vec![vec![balanced(2, debit(1, 100))]]].concat();
    finds(I11, "closed again", 3, 2, twice);
    let other = close(2, BatchState::Closed, debit(1, 100), debit(1, 101));
    finds(I11, "totals of a closed batch change", 3, 2, [first, vec![vec![Record::Batch(Box::new(other))]]].concat());
}

#[test]
fn an_upload_that_nobody_awaits_is_found() {
    let report = report(vec![paid(), vec![balanced(2, debit(1, 100))], vec![uploaded()]]);
    assert!(report.violations.iter().any(|found| found.what.contains("awaits none")), "{:?}", report.violations);
}
