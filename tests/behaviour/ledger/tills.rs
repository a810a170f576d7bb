//! Batches in random histories: I11 nothing enters a closed batch, and it never changes; I9 its totals are those of
//! its transactions as they stood.

use super::shop::*;
use std::collections::HashMap;
use std::collections::HashSet;
use tollgate::ledger::BatchClose;
use tollgate::ledger::BatchClosed;
use tollgate::ledger::BatchRecord;
use tollgate::ledger::BatchState;
use tollgate::ledger::ClosedBy;
use tollgate::ledger::Difference;
use tollgate::ledger::Effect;
use tollgate::ledger::Ledger;
use tollgate::ledger::Outcome;
use tollgate::ledger::Recorded;
use tollgate::ledger::Uploaded;
use tollgate::ledger::UploadedItem;
use tollgate::model::BatchNumber;
use tollgate::model::BatchTotals;
use tollgate::model::Kind;
use tollgate::model::MerchantId;
use tollgate::model::Side;
use tollgate::model::Stan;
use tollgate::model::Sum;
use tollgate::model::Timestamp;
use tollgate::model::VoidsInTotals;

/// What a watcher remembers of batches.
#[derive(Default)]
pub(super) struct Tills {
    open: HashMap<u8, BatchNumber>,
    closed: HashMap<(u8, BatchNumber), BatchRecord>,
    uploaded: HashMap<(u8, BatchNumber), HashSet<Stan>>,
}

impl Tills {
    /// The batch that a terminal's transactions go into.
    pub(super) fn batch(&self, number: u8) -> BatchNumber {
        self.open.get(&number).copied().unwrap_or(BatchNumber::FIRST)
    }

    pub(super) async fn settle<L: Ledger>(&mut self, ledger: &L, number: u8, wrong: bool) {
        let batch = self.batch(number);
        let records = ledger.records();
        let counted = totals(counting(&records, number, batch));
        let running = of_batch(&records, number, batch).find(|record| record.decided.is_none());
        let claimed = if wrong { one_more(counted) } else { counted };
        match ledger.close_batch(close(number, batch, claimed)).await.unwrap() {
            BatchClosed::Running(id) => assert_eq!(running.map(|record| record.intent.id), Some(id), "I11"),
            BatchClosed::Closed { record, .. } => {
                assert!(running.is_none(), "I11: a transaction straddles");
                assert_eq!((record.counted, record.claimed), (counted, Some(claimed)), "I9");
                let state = if wrong { BatchState::Unbalanced } else { BatchState::Balanced };
                assert_eq!(record.state, state);
                self.closed.insert((number, batch), *record);
                self.open.insert(number, batch.next());
            }
            other => panic!("{other:?}"),
        }
        for ((number, batch), record) in &self.closed {
            let again = ledger.close_batch(close(*number, *batch, record.claimed.unwrap())).await.unwrap();
            assert!(matches!(again, BatchClosed::Repeat(_)), "{again:?}");
        }
    }

    /// Uploads a transaction of the terminal's oldest batch that awaits some, or ends the upload.
    pub(super) async fn upload<L: Ledger>(&mut self, ledger: &L, number: u8, pick: usize) {
        let batches = ledger.batches(terminal(number));
        let Some(awaiting) = batches.iter().find(|record| record.state.awaits_items()) else { return };
        let (batch, records) = (awaiting.batch, ledger.records());
        let seen = self.uploaded.entry((number, batch)).or_default();
        let counts: Vec<&Recorded> = counting(&records, number, batch).collect();
        let next = counts.get(pick % (counts.len() + 1)).map(|record| &record.intent);
        if let Some(intent) = next {
            let stan = intent.identity.stan;
            let item = UploadedItem { stan, foreign: false, amount: intent.amount, token: Some(intent.token) };
            let noted = ledger.note_items(terminal(number), batch, [item].into_iter().collect()).await.unwrap();
            let is_new = seen.insert(stan);
            assert!(matches!(noted, Uploaded::Noted) == is_new, "{noted:?}");
            return;
        }
        let Uploaded::Ended(ended) = ledger.end_upload(terminal(number), batch).await.unwrap() else { panic!() };
        let missing = counts.iter().filter(|record| !seen.contains(&record.intent.identity.stan)).count();
        let found = ended.differences.iter().filter(|one| one.what == Difference::MissingThere).count();
        assert_eq!((found, ended.state), (missing, BatchState::Closed));
        // What was uploaded was right then; what was undone since is missing here.
        assert!(
            ended.differences.iter().all(|one| matches!(one.what, Difference::MissingThere | Difference::MissingHere))
        );
    }

    /// I11: what was closed stays as it was, whatever comes.
    pub(super) fn look<L: Ledger>(&self, ledger: &L) {
        for ((number, batch), before) in &self.closed {
            let now = ledger.batch(terminal(*number), *batch).expect("I11: a closed batch went away");
            let same = BatchRecord {
                state: before.state,
                items: before.items,
                differences: before.differences.clone(),
                ..now.clone()
            };
            assert_eq!(same, *before, "I11: a closed batch changed");
            assert!(now.state >= before.state, "I11: a batch went back");
        }
    }
}

fn close(number: u8, batch: BatchNumber, claimed: BatchTotals) -> BatchClose {
    BatchClose {
        terminal: terminal(number),
        batch,
        told_as: None,
        apart: true,
        merchant: MerchantId::parse(b"898110054110001").unwrap(),
        test_mode: false,
        claimed: Some(claimed),
        voids: VoidsInTotals::Removed,
        date: day(21),
        received: Timestamp(i64::from(batch.value())),
        by: ClosedBy::Terminal,
        session: None,
    }
}

fn of_batch(records: &[Recorded], number: u8, batch: BatchNumber) -> impl Iterator<Item = &Recorded> {
    let ours = move |record: &&Recorded| {
        record.intent.identity.terminal == terminal(number) && record.intent.batch == Some(batch)
    };
    records.iter().filter(ours)
}

/// Sales that are approved and not undone.
fn counting(records: &[Recorded], number: u8, batch: BatchNumber) -> impl Iterator<Item = &Recorded> {
    of_batch(records, number, batch).filter(|record| {
        let approved = record.decided.as_ref().is_some_and(|decided| decided.outcome == Outcome::Approved);
        approved && record.effect == Effect::Live && record.intent.kind == Kind::Sale
    })
}

fn totals<'a>(records: impl Iterator<Item = &'a Recorded>) -> BatchTotals {
    let debit = records.fold(Sum::default(), |sum, record| sum.plus(record.intent.amount).unwrap());
    BatchTotals { domestic: Side { debit, credit: Sum::default() }, foreign: Side::default() }
}

fn one_more(mut totals: BatchTotals) -> BatchTotals {
    totals.domestic.debit.count += 1;
    totals
}
