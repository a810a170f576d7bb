//! Batches: closed once, entered by nothing afterwards, uploaded where they do not balance.

use super::*;
use smallvec::SmallVec;
use std::borrow::Cow;
use tollgate::ledger::Answer;
use tollgate::ledger::BatchClose;
use tollgate::ledger::BatchClosed;
use tollgate::ledger::BatchRecord;
use tollgate::ledger::BatchState;
use tollgate::ledger::ClosedBy;
use tollgate::ledger::Difference;
use tollgate::ledger::Uploaded;
use tollgate::ledger::UploadedGroup;
use tollgate::ledger::UploadedItem;
use tollgate::ledger::batches::CLOSED_KEPT;
use tollgate::model::BatchTotals;
use tollgate::model::CardClass;
use tollgate::model::PanToken;
use tollgate::model::Side;
use tollgate::model::Sum;
use tollgate::model::Timestamp;
use tollgate::model::VoidsInTotals;

fn batch(number: u32) -> BatchNumber {
    BatchNumber::new(number).unwrap()
}

fn first() -> BatchNumber {
    BatchNumber::FIRST
}

/// A sale of the terminal's first batch.
fn batched<L: Ledger>(ledger: &L, number: u8, stan: u32, amount: u64) -> Intent {
    Intent { batch: Some(first()), ..sale(ledger, number, stan, amount) }
}

fn of_batch(kind: Kind, original: &Intent, intent: Intent) -> Intent {
    Intent { batch: Some(first()), ..following(kind, original, intent) }
}

fn sums(debit: (u32, u64), credit: (u32, u64)) -> BatchTotals {
    let sum = |(count, amount)| Sum { count, amount };
    BatchTotals { domestic: Side { debit: sum(debit), credit: sum(credit) }, foreign: Side::default() }
}

fn close(number: u8, batch: BatchNumber, claimed: Option<BatchTotals>) -> BatchClose {
    let session = SessionFacts { version: 5, signed_in: true, batch: batch.next(), ..SessionFacts::default() };
    BatchClose {
        terminal: terminal(number),
        batch,
        told_as: None,
        apart: true,
        merchant: MerchantId::parse(b"898110054110001").unwrap(),
        test_mode: false,
        claimed,
        voids: VoidsInTotals::Removed,
        date: day(21),
        received: Timestamp(1_000_000 + i64::from(batch.value())),
        by: ClosedBy::Terminal,
        session: Some(session),
    }
}

async fn closed<L: Ledger>(ledger: &L, close: BatchClose) -> BatchRecord {
    match ledger.close_batch(close).await.unwrap() {
        BatchClosed::Closed { record, .. } => *record,
        other => panic!("{other:?}"),
    }
}

fn item(stan: u32, amount: u64) -> UploadedItem {
    UploadedItem {
        stan: Stan::new(stan).unwrap(),
        foreign: false,
        amount: Amount::new(amount).unwrap(),
        token: Some(PanToken([7; 32])),
    }
}

fn group(items: &[UploadedItem]) -> UploadedGroup {
    items.iter().copied().collect()
}

async fn ended_upload<L: Ledger>(ledger: &L, number: u8) -> BatchRecord {
    match ledger.end_upload(terminal(number), first()).await.unwrap() {
        Uploaded::Ended(record) => *record,
        other => panic!("{other:?}"),
    }
}

pub(in crate::ledger) async fn a_batch_is_closed_with_the_totals_of_its_transactions_and_the_next_number<L: Ledger>(
    ledger: L,
) {
    let paid = ended(&ledger, batched(&ledger, 1, 1, 100), Approved).await;
    ended(&ledger, batched(&ledger, 1, 2, 23), Approved).await;
    ended(&ledger, of_batch(Kind::Refund, &paid, sale(&ledger, 1, 3, 40)), Approved).await;
    let abroad = CardClass { foreign: true, ..CardClass::default() };
    ended(&ledger, Intent { card: abroad, ..batched(&ledger, 1, 4, 7) }, Approved).await;
    ended(&ledger, batched(&ledger, 2, 1, 1_000), Approved).await;
    ended(&ledger, Intent { batch: Some(batch(2)), ..sale(&ledger, 1, 5, 9) }, Approved).await;
    let foreign = Side { debit: Sum { count: 1, amount: 7 }, credit: Sum::default() };
    let counted = BatchTotals { foreign, ..sums((2, 123), (1, 40)) };
    assert_eq!(ledger.open_batch(terminal(1), first()).unwrap().counted, counted);
    let record = closed(&ledger, close(1, first(), Some(counted))).await;
    assert_eq!((record.counted, record.state, record.is_balanced()), (counted, BatchState::Balanced, Some(true)));
    assert_eq!(ledger.terminal(terminal(1)).unwrap().batch, batch(2));
    assert_eq!(ledger.batch(terminal(1), first()), Some(record.clone()));
    assert_eq!(ledger.batches(terminal(1)), [record]);
    assert_eq!(ledger.open_batch(terminal(1), first()), None);
    assert_eq!(ledger.open_batch(terminal(1), batch(2)).unwrap().counted, sums((1, 9), (0, 0)));
    assert_eq!((ledger.batch(terminal(2), first()), ledger.batches(terminal(2))), (None, Vec::new()));
}

pub(in crate::ledger) async fn what_is_declined_undone_or_unknown_counts_nothing_and_a_part_counts_itself<L: Ledger>(
    ledger: L,
) {
    ended(&ledger, batched(&ledger, 1, 1, 100), Declined).await;
    ended(&ledger, batched(&ledger, 1, 2, 100), TimedOut).await;
    ended(&ledger, batched(&ledger, 1, 3, 100), Approved).await;
    ledger.reverse(reversal(1, 4, 3, 100)).await.unwrap();
    let part = fresh(&ledger, batched(&ledger, 1, 5, 100)).await;
    let amount = Amount::new(60);
    let answer = Answer { amount, ..Answer::of(ResponseCode::ApprovedPartial, part.received) };
    ledger.decide(part.id, Decision::of(Approved, answer)).await.unwrap();
    ended(&ledger, Intent { kind: Kind::Authorization, ..batched(&ledger, 1, 6, 100) }, Approved).await;
    ended(&ledger, Intent { batch: Some(first()), ..balance(&ledger, 1, 7) }, Approved).await;
    let record = closed(&ledger, close(1, first(), Some(sums((2, 160), (0, 0))))).await;
    assert_eq!((record.counted, record.state), (sums((1, 60), (0, 0)), BatchState::Unbalanced));
    assert_eq!(record.is_balanced(), Some(false));
}

pub(in crate::ledger) async fn a_void_takes_its_sale_out_of_the_totals_or_is_a_credit_as_the_door_says<L: Ledger>(
    ledger: L,
) {
    for number in [1, 2] {
        let paid = ended(&ledger, batched(&ledger, number, 1, 100), Approved).await;
        ended(&ledger, of_batch(Kind::SaleVoid, &paid, sale(&ledger, number, 2, 100)), Approved).await;
        ended(&ledger, batched(&ledger, number, 3, 5), Approved).await;
    }
    let net = closed(&ledger, close(1, first(), None)).await;
    assert_eq!((net.counted, net.state), (sums((1, 5), (0, 0)), BatchState::Closed));
    let gross = closed(&ledger, BatchClose { voids: VoidsInTotals::Credit, ..close(2, first(), None) }).await;
    assert_eq!(gross.counted, sums((2, 105), (1, 100)));
}

pub(in crate::ledger) async fn an_adjusted_sale_counts_its_new_amount<L: Ledger>(ledger: L) {
    let paid = ended(&ledger, batched(&ledger, 1, 1, 100), Approved).await;
    ended(&ledger, of_batch(Kind::Adjustment, &paid, sale(&ledger, 1, 2, 110)), Approved).await;
    ended(&ledger, of_batch(Kind::Adjustment, &paid, sale(&ledger, 1, 3, 115)), Approved).await;
    assert_eq!(closed(&ledger, close(1, first(), None)).await.counted, sums((1, 115), (0, 0)));
}

pub(in crate::ledger) async fn nothing_enters_a_closed_batch<L: Ledger>(ledger: L) {
    let first_one = ended(&ledger, batched(&ledger, 1, 1, 100), Approved).await;
    let before = closed(&ledger, close(1, first(), None)).await;
    let late = batched(&ledger, 1, 2, 100);
    assert!(matches!(ledger.intend(late.clone()).await.unwrap(), Intended::NotNow));
    assert!(!ledger.knows(&late.identity) && ledger.find(late.id).is_none(), "it may come again");
    assert!(matches!(ledger.intend(first_one).await.unwrap(), Intended::Duplicate(_)), "a repeat gets its answer");
    ended(&ledger, Intent { batch: Some(batch(2)), ..sale(&ledger, 1, 4, 100) }, Approved).await;
    // A reversal is never refused; what was closed stays as it was.
    ledger.reverse(reversal(1, 5, 1, 100)).await.unwrap();
    assert_eq!(ledger.batch(terminal(1), first()), Some(before));
}

pub(in crate::ledger) async fn an_advice_of_a_closed_batch_is_kept_in_no_batch<L: Ledger>(ledger: L) {
    ended(&ledger, batched(&ledger, 1, 1, 100), Approved).await;
    let before = closed(&ledger, close(1, first(), None)).await;
    let advice = Intent { kind: Kind::OfflineSale, ..batched(&ledger, 1, 3, 100) };
    let told = ended(&ledger, advice.clone(), Approved).await;
    assert_eq!(found(&ledger, told.id).intent.batch, None);
    assert!(matches!(ledger.intend(advice).await.unwrap(), Intended::Duplicate(_)), "its copy is a copy");
    assert_eq!(ledger.batch(terminal(1), first()), Some(before));
}

pub(in crate::ledger) async fn what_waits_for_a_sign_in_leaves_no_trace<L: Ledger>(ledger: L) {
    let code = ResponseCode::SignInRequired;
    let refusal = Some(Refusal { code, rule: "signed-off".into() });
    let asked = Intent { refusal, ..batched(&ledger, 1, 1, 100) };
    assert!(matches!(ledger.intend(asked.clone()).await.unwrap(), Intended::NotNow));
    assert!(ledger.records().is_empty() && ledger.open_batch(terminal(1), first()).is_none());
    let again = Intent { refusal: None, ..asked.clone() };
    ended(&ledger, again, Approved).await;
    assert!(matches!(ledger.intend(asked).await.unwrap(), Intended::Duplicate(_)), "a copy of what is approved");
}

pub(in crate::ledger) async fn uploads_of_two_batches_are_awaited_and_no_more<L: Ledger>(ledger: L) {
    let wrong = Some(sums((9, 900), (0, 0)));
    for number in 1..=4 {
        ended(&ledger, Intent { batch: Some(batch(number)), ..sale(&ledger, 1, number, 100) }, Approved).await;
        if number == 3 {
            let noted = ledger.note_items(terminal(1), batch(2), group(&[item(2, 100)])).await.unwrap();
            assert!(matches!(noted, Uploaded::Noted));
        }
        let expected: &[BatchNumber] = if number < 3 { &[] } else { &[batch(number - 2)] };
        match ledger.close_batch(close(1, batch(number), wrong)).await.unwrap() {
            BatchClosed::Closed { given_up, .. } => assert_eq!(&given_up[..], expected),
            other => panic!("{other:?}"),
        }
    }
    use BatchState::{GivenUp, Unbalanced};
    match ledger.close_batch(close(1, batch(5), Some(BatchTotals::default()))).await.unwrap() {
        BatchClosed::Closed { record, given_up } => {
            assert_eq!((record.state, given_up.len()), (BatchState::Balanced, 0))
        }
        other => panic!("{other:?}"),
    }
    let states = || ledger.batches(terminal(1)).iter().map(|record| record.state).collect::<Vec<_>>();
    assert_eq!(states(), [GivenUp, GivenUp, Unbalanced, Unbalanced, BatchState::Balanced]);
    let late = ledger.note_items(terminal(1), first(), group(&[item(1, 100)])).await.unwrap();
    assert!(matches!(late, Uploaded::Nothing), "{late:?}");
    let ended = ended_upload(&ledger, 1).await;
    assert_eq!((ended.state, ended.differences.len()), (GivenUp, 0), "nothing was compared");
    let again = ledger.close_batch(close(1, first(), wrong)).await.unwrap();
    assert!(matches!(again, BatchClosed::Repeat(_)), "{again:?}");
    // Each other terminal has its own.
    ended_batch_of_another(&ledger, wrong).await;
    assert_eq!(states(), [GivenUp, GivenUp, Unbalanced, Unbalanced, BatchState::Balanced]);
}

async fn ended_batch_of_another<L: Ledger>(ledger: &L, claimed: Option<BatchTotals>) {
    ended(ledger, batched(ledger, 2, 1, 100), Approved).await;
    assert_eq!(closed(ledger, close(2, first(), claimed)).await.state, BatchState::Unbalanced);
}

pub(in crate::ledger) async fn a_transaction_under_way_is_waited_for<L: Ledger>(ledger: L) {
    let open = fresh(&ledger, batched(&ledger, 1, 1, 100)).await;
    let told = ledger.close_batch(close(1, first(), Some(sums((1, 100), (0, 0))))).await.unwrap();
    assert!(matches!(told, BatchClosed::Running(id) if id == open.id), "{told:?}");
    assert_eq!(ledger.open_batch(terminal(1), first()).unwrap().running, Some(open.id));
    ledger.decide(open.id, decision(Approved, open.received)).await.unwrap();
    let record = closed(&ledger, close(1, first(), Some(sums((1, 100), (0, 0))))).await;
    assert_eq!(record.state, BatchState::Balanced);
}

pub(in crate::ledger) async fn the_same_settlement_again_gets_what_was_recorded_and_another_changes_nothing<
    L: Ledger,
>(
    ledger: L,
) {
    ended(&ledger, batched(&ledger, 1, 1, 100), Approved).await;
    let claimed = sums((1, 100), (0, 0));
    let record = closed(&ledger, close(1, first(), Some(claimed))).await;
    let later = BatchClose { received: Timestamp(9_000_000), ..close(1, first(), Some(claimed)) };
    match ledger.close_batch(later).await.unwrap() {
        BatchClosed::Repeat(again) => assert_eq!(*again, record),
        other => panic!("{other:?}"),
    }
    for other in [Some(sums((1, 101), (0, 0))), Some(BatchTotals::default())] {
        let told = ledger.close_batch(close(1, first(), other)).await.unwrap();
        assert!(matches!(told, BatchClosed::Differs(_)), "{told:?}");
    }
    assert_eq!(ledger.batches(terminal(1)), [record]);
}

pub(in crate::ledger) async fn an_upload_finds_every_difference_and_is_over_with_its_end<L: Ledger>(ledger: L) {
    for stan in 1..=6 {
        ended(&ledger, batched(&ledger, 1, stan, 100), Approved).await;
    }
    ended(&ledger, batched(&ledger, 1, 7, 100), Declined).await;
    closed(&ledger, close(1, first(), Some(BatchTotals::default()))).await;
    let other_card = UploadedItem { token: Some(PanToken([8; 32])), ..item(3, 100) };
    let abroad = UploadedItem { foreign: true, ..item(4, 100) };
    let groups =
        [group(&[item(1, 100), item(2, 99), other_card, abroad]), group(&[item(7, 100), item(70, 5), item(1, 100)])];
    for group in groups {
        let told = ledger.note_items(terminal(1), first(), group).await.unwrap();
        assert!(matches!(told, Uploaded::Noted), "{told:?}");
    }
    let uploading = ledger.batch(terminal(1), first()).unwrap();
    assert_eq!((uploading.state, uploading.items), (BatchState::Uploading, 7));
    let record = ended_upload(&ledger, 1).await;
    let found: Vec<_> = record.differences.iter().map(|one| (one.what, one.stan.value())).collect();
    use Difference::*;
    let expected = [
        (Amount, 2),
        (Card, 3),
        (CardClass, 4),
        (MissingHere, 7),
        (Unknown, 70),
        (Duplicate, 1),
        (MissingThere, 5),
        (MissingThere, 6),
    ];
    assert_eq!(found, expected);
    let told = record.differences[0].to_string();
    assert!(told.contains("1.00 here, 0.99 at the terminal"), "{told}");
    assert_eq!((record.state, ledger.batch(terminal(1), first())), (BatchState::Closed, Some(record.clone())));
    assert_eq!(ended_upload(&ledger, 1).await, record, "the end again");
}

pub(in crate::ledger) async fn a_message_of_an_upload_that_comes_again_changes_nothing<L: Ledger>(ledger: L) {
    ended(&ledger, batched(&ledger, 1, 1, 100), Approved).await;
    closed(&ledger, close(1, first(), Some(BatchTotals::default()))).await;
    let one = group(&[item(1, 100)]);
    let noted = ledger.note_items(terminal(1), first(), one.clone()).await.unwrap();
    let again = ledger.note_items(terminal(1), first(), one).await.unwrap();
    assert!(matches!((noted, again), (Uploaded::Noted, Uploaded::Nothing)));
    let record = ended_upload(&ledger, 1).await;
    assert_eq!((record.items, record.differences.len()), (1, 0));
}

pub(in crate::ledger) async fn an_upload_of_what_awaits_none_changes_nothing<L: Ledger>(ledger: L) {
    let one = group(&[item(1, 100)]);
    ended(&ledger, batched(&ledger, 1, 1, 100), Approved).await;
    let of_open = ledger.note_items(terminal(1), first(), one.clone()).await.unwrap();
    assert!(matches!(of_open, Uploaded::Unknown));
    assert!(matches!(ledger.end_upload(terminal(1), first()).await.unwrap(), Uploaded::Unknown));
    closed(&ledger, close(1, first(), Some(sums((1, 100), (0, 0))))).await;
    assert!(matches!(ledger.note_items(terminal(1), first(), one).await.unwrap(), Uploaded::Nothing));
    let record = ended_upload(&ledger, 1).await;
    assert_eq!((record.state, record.items, record.differences.len()), (BatchState::Closed, 0, 0));
}

pub(in crate::ledger) async fn an_operator_closes_a_batch_and_ends_an_upload<L: Ledger>(ledger: L) {
    let by = ClosedBy::Operator { actor: Cow::Borrowed("alice"), reason: Cow::Borrowed("till is broken") };
    ended(&ledger, batched(&ledger, 1, 1, 100), Approved).await;
    let forced = closed(&ledger, BatchClose { by: by.clone(), ..close(1, first(), None) }).await;
    assert_eq!((forced.counted, forced.state, &forced.by), (sums((1, 100), (0, 0)), BatchState::Closed, &by));
    let told = ledger.close_batch(close(1, first(), Some(forced.counted))).await.unwrap();
    assert!(matches!(told, BatchClosed::Differs(_)), "the terminal is told that it is over: {told:?}");
    ended(&ledger, batched(&ledger, 2, 1, 100), Approved).await;
    closed(&ledger, close(2, first(), Some(BatchTotals::default()))).await;
    let over = closed(&ledger, BatchClose { by: by.clone(), session: None, ..close(2, first(), None) }).await;
    let found: SmallVec<[_; 1]> = over.differences.iter().map(|one| one.what).collect();
    assert_eq!((over.state, over.by, &found[..]), (BatchState::Closed, by, &[Difference::MissingThere][..]));
    assert_eq!(over.claimed, Some(BatchTotals::default()), "what the terminal said stays");
}

pub(in crate::ledger) async fn what_is_not_settled_stays_when_its_day_is_closed<L: Ledger>(ledger: L) {
    let paid = ended(&ledger, batched(&ledger, 1, 1, 100), Approved).await;
    let no = ended(&ledger, batched(&ledger, 1, 2, 100), Declined).await;
    let elsewhere = ended(&ledger, sale(&ledger, 2, 1, 100), Approved).await;
    let ids = |ledger: &L| ledger.records().iter().map(|record| record.intent.id).collect::<Vec<_>>();
    assert_eq!(ids(&ledger), [paid.id, no.id, elsewhere.id]);
    ledger.close_day(day(21)).await.unwrap();
    assert_eq!(ids(&ledger), [paid.id]);
    closed(&ledger, close(1, first(), Some(BatchTotals::default()))).await;
    ledger.close_day(day(21)).await.unwrap();
    assert_eq!(ids(&ledger), [paid.id], "its terminal has yet to say what it has");
    let differences = ended_upload(&ledger, 1).await.differences;
    assert_eq!(differences.len(), 1);
    ledger.close_day(day(21)).await.unwrap();
    assert_eq!(ids(&ledger), []);
}

pub(in crate::ledger) async fn of_closed_batches_the_last_are_remembered<L: Ledger>(ledger: L) {
    let count = u32::try_from(CLOSED_KEPT).unwrap() + 2;
    for number in 1..=count {
        closed(&ledger, close(1, batch(number), None)).await;
    }
    let kept: Vec<u32> = ledger.batches(terminal(1)).iter().map(|record| record.batch.value()).collect();
    assert_eq!(kept, (3..=count).collect::<Vec<_>>());
}

/// Of a dialect without a place for foreign cards; the void is a credit there.
pub(in crate::ledger) async fn totals_that_tell_no_foreign_cards_are_compared_as_sums_by_the_doors_voids<L: Ledger>(
    ledger: L,
) {
    let abroad = CardClass { foreign: true, ..CardClass::default() };
    ended(&ledger, Intent { card: abroad, ..batched(&ledger, 1, 1, 100) }, Approved).await;
    let paid = ended(&ledger, batched(&ledger, 1, 2, 70), Approved).await;
    ended(&ledger, of_batch(Kind::SaleVoid, &paid, sale(&ledger, 1, 3, 70)), Approved).await;
    let claimed = sums((2, 170), (1, 70));
    let asked = BatchClose { apart: false, voids: VoidsInTotals::Credit, ..close(1, first(), Some(claimed)) };
    let record = closed(&ledger, asked.clone()).await;
    assert_eq!((record.state, record.counted.foreign.debit.amount), (BatchState::Balanced, 100));
    assert!(matches!(ledger.close_batch(asked.clone()).await.unwrap(), BatchClosed::Repeat(_)));
    let other = BatchClose { claimed: Some(sums((1, 100), (0, 0))), ..asked };
    assert!(matches!(ledger.close_batch(other).await.unwrap(), BatchClosed::Differs(_)));
}

pub(in crate::ledger) async fn a_close_is_known_again_by_the_terminals_own_number_and_totals<L: Ledger>(ledger: L) {
    ended(&ledger, batched(&ledger, 1, 1, 100), Approved).await;
    let claimed = Some(sums((1, 100), (0, 0)));
    let asked = BatchClose { told_as: Some(batch(57)), ..close(1, first(), claimed) };
    let record = closed(&ledger, asked.clone()).await;
    assert_eq!((record.told_as, record.own_number()), (Some(batch(57)), batch(57)));
    let again = BatchClose { told_as: Some(batch(57)), ..close(1, batch(2), claimed) };
    let told = ledger.close_batch(again.clone()).await.unwrap();
    assert!(matches!(told, BatchClosed::Repeat(ref known) if known.batch == first()), "{told:?}");
    assert_eq!(ledger.batches(terminal(1)).len(), 1);
    let next = closed(&ledger, BatchClose { claimed: Some(BatchTotals::default()), ..again }).await;
    assert_eq!(next.told_as, Some(batch(57)), "the number again, with other totals: another batch");
    let same = closed(&ledger, BatchClose { told_as: Some(batch(3)), ..close(1, batch(3), claimed) }).await;
    assert_eq!(same.told_as, None);
    let latest = |own: u32| ledger.latest_batch(terminal(1), |record| record.own_number() == batch(own));
    assert_eq!((latest(57), latest(3), latest(1)), (Some(next), Some(same), None));
}
