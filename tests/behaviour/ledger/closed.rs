//! Closed days: what left the book is answered, reversed and followed as if it had not, wherever it is kept:
//! in memory, in the files of its day, after a restart, with the index of its keys lost.

use super::contract;
use super::driven;
use super::driven::Driven;
use super::run;
use super::shop::*;
use std::future::Future;
use tollgate::ledger::Effect;
use tollgate::ledger::Forwarded;
use tollgate::ledger::Intended;
use tollgate::ledger::Intent;
use tollgate::ledger::Ledger;
use tollgate::ledger::OriginalKey;
use tollgate::ledger::Outcome;
use tollgate::ledger::Owed;
use tollgate::ledger::Reversed;
use tollgate::ledger::journal::MemoryDisk;
use tollgate::ledger::journal::memory::Operation;
use tollgate::model::BusinessDate;
use tollgate::model::Kind;
use tollgate::model::PanToken;
use tollgate::model::ResponseCode;
use tollgate::model::Stan;

type Memory = Driven<MemoryDisk, ()>;

/// What happens to the ledger between the closing and the question.
const PLACES: [fn(Memory) -> Memory; 5] = [
    |ledger| ledger,
    |ledger| ledger.reopened(),
    Driven::tidied,
    |ledger| ledger.tidied().reopened(),
    |ledger| {
        let ledger = ledger.tidied();
        assert!(ledger.remove(".tgk") > 0);
        ledger.reopened()
    },
];

/// Runs `before`, closes the day, and runs `after` wherever the day may be kept.
fn closed<T, B: Future<Output = (Memory, T)>, A: Future<Output = ()>>(
    before: impl Fn(Memory) -> B,
    after: impl Fn(Memory, T) -> A,
) {
    for place in PLACES {
        run(async {
            let (ledger, known) = before(driven::in_memory(100)).await;
            ledger.close_day(day(21)).await.unwrap();
            assert!(ledger.records().is_empty(), "the day left the book");
            after(place(ledger), known).await;
        });
    }
}

async fn sold(ledger: Memory, amount: u64) -> (Memory, Intent) {
    let intent = limited_sale(&ledger, 1, 1, amount);
    assert!(matches!(ledger.intend(intent.clone()).await.unwrap(), Intended::Fresh));
    ledger.decide(intent.id, decision(Outcome::Approved, intent.received)).await.unwrap();
    (ledger, intent)
}

fn on(date: BusinessDate, intent: Intent) -> Intent {
    Intent { date, ..intent }
}

#[test]
fn a_copy_of_a_closed_days_request_gets_the_recorded_answer() {
    closed(
        |ledger| sold(ledger, 100),
        async |ledger, known| {
            let copy = on(day(22), sale(&ledger, 1, 1, 100));
            assert!(ledger.knows(&copy.identity));
            let Intended::Duplicate(decided) = ledger.intend(copy).await.unwrap() else { panic!("no duplicate") };
            assert_eq!((decided.rrn, decided.answer), (known.rrn, decision(Outcome::Approved, known.received).answer));
            assert!(matches!(ledger.intend(on(day(22), sale(&ledger, 1, 1, 101))).await.unwrap(), Intended::Mismatch));
            assert_eq!(ledger.decided(known.id).await.unwrap().rrn, known.rrn);
            assert_eq!(ledger.find(known.id).unwrap().effect, Effect::Live);
            assert!(ledger.find(tollgate::ledger::TxnId(99)).is_none());
            assert!(matches!(ledger.intend(sale(&ledger, 1, 2, 100)).await.unwrap(), Intended::Fresh));
            assert_eq!(ledger.records().len(), 1, "nothing came back");
        },
    );
}

#[test]
fn a_closed_days_approval_is_reversed_and_stays_reversed_when_its_day_is_closed_again() {
    closed(
        |ledger| sold(ledger, 100),
        async |ledger, known| {
            let undo = reversal(1, 9, 1, 100);
            assert!(matches!(ledger.reverse(undo.clone()).await.unwrap(), Reversed::Accepted(_)));
            assert_eq!(ledger.owed(), [(issuer(), 1)]);
            assert!(matches!(ledger.reverse(undo.clone()).await.unwrap(), Reversed::Repeat(_)));
            assert!(ledger.sending(known.id, Owed::Reversal, Stan::FIRST).await.unwrap());
            ledger.acknowledge(known.id, Owed::Reversal, Forwarded::Acknowledged).await.unwrap();
            ledger.close_day(day(21)).await.unwrap();
            assert!(ledger.records().is_empty());
            let ledger = ledger.tidied().reopened();
            assert_eq!(ledger.find(known.id).unwrap().effect, Effect::Reversed, "the latest is told");
            assert!(matches!(ledger.reverse(undo).await.unwrap(), Reversed::Repeat(_)));
            assert!(matches!(ledger.reverse(reversal(1, 10, 1, 100)).await.unwrap(), Reversed::Accepted(_)));
            assert!(ledger.owed().is_empty(), "what is undone is not undone again");
        },
    );
}

#[test]
fn a_reversal_of_another_amount_or_terminal_does_not_touch_a_closed_day() {
    closed(
        |ledger| sold(ledger, 100),
        async |ledger, known| {
            assert!(matches!(ledger.reverse(reversal(1, 9, 1, 99)).await.unwrap(), Reversed::AmountDiffers));
            assert!(matches!(ledger.reverse(reversal(2, 9, 1, 100)).await.unwrap(), Reversed::Unknown(_)));
            assert_eq!(ledger.find(known.id).unwrap().effect, Effect::Live);
            let key = OriginalKey { class: None, ..reversal(1, 9, 1, 100).original };
            assert_eq!(ledger.original(&key).unwrap().intent.id, known.id);
        },
    );
}

#[test]
fn refunds_of_a_closed_days_sale_never_pass_what_was_paid_however_often_it_leaves() {
    closed(
        |ledger| sold(ledger, 100),
        async |ledger, known| {
            let mut ledger = ledger;
            for (stan, amount, code) in [
                (2, 60, None),
                (3, 50, Some(ResponseCode::OriginalAmountWrong)),
                (4, 40, None),
                (5, 1, Some(ResponseCode::OriginalAmountWrong)),
            ] {
                let refund = on(day(22), following(Kind::Refund, &known, sale(&ledger, 1, stan, amount)));
                let id = refund.id;
                match (ledger.intend(refund).await.unwrap(), code) {
                    (Intended::Fresh, None) => {
                        ledger.decide(id, decision(Outcome::Approved, known.received)).await.unwrap();
                    }
                    (Intended::Declined(decided, _), Some(code)) => assert_eq!(decided.answer.code, code),
                    (told, _) => panic!("{stan}: {told:?}"),
                }
                ledger.close_day(day(22)).await.unwrap();
                ledger.close_day(day(21)).await.unwrap();
                assert!(ledger.records().is_empty());
                ledger = ledger.tidied().reopened();
            }
            let refunded = Effect::Refunded(tollgate::model::Amount::new(100).unwrap());
            assert_eq!(ledger.find(known.id).unwrap().effect, refunded);
        },
    );
}

#[test]
fn a_void_of_a_closed_days_sale_that_is_reversed_leaves_the_sale_as_it_was() {
    closed(
        |ledger| sold(ledger, 100),
        async |ledger, known| {
            let void = following(Kind::SaleVoid, &known, sale(&ledger, 1, 2, 100));
            ledger.intend(void.clone()).await.unwrap();
            ledger.decide(void.id, decision(Outcome::Approved, known.received)).await.unwrap();
            ledger.close_day(day(22)).await.unwrap();
            ledger.close_day(day(21)).await.unwrap();
            let ledger = ledger.tidied().reopened();
            assert_eq!(ledger.find(known.id).unwrap().effect, Effect::Voided);
            assert!(matches!(ledger.reverse(reversal(1, 9, 2, 100)).await.unwrap(), Reversed::Accepted(_)));
            assert_eq!(ledger.find(known.id).unwrap().effect, Effect::Live, "both came back");
        },
    );
}

#[test]
fn an_original_of_a_closed_day_is_found_by_each_of_its_keys() {
    closed(
        async |ledger: Memory| {
            let known = contract::known(&ledger).await;
            (ledger, known)
        },
        async |ledger, (hold, paid)| contract::find_each(&ledger, &hold, &paid),
    );
}

#[test]
fn a_request_whose_reversal_came_on_a_closed_day_is_declined() {
    closed(
        async |ledger: Memory| {
            assert!(matches!(ledger.reverse(reversal(1, 9, 1, 100)).await.unwrap(), Reversed::Unknown(_)));
            (ledger, ())
        },
        async |ledger, ()| {
            let Intended::Declined(decided, _) = ledger.intend(on(day(22), sale(&ledger, 1, 1, 100))).await.unwrap()
            else {
                panic!("not declined")
            };
            assert_eq!(decided.answer.code, ResponseCode::RelatedInvalid);
        },
    );
}

#[test]
fn a_late_answer_to_a_closed_day_is_noted_once() {
    closed(
        |ledger| sold(ledger, 100),
        async |ledger, known| {
            for _ in 0..2 {
                let whose = ledger.note_late(&issuer(), known.rrn, Outcome::Declined).await.unwrap();
                assert_eq!(whose, Some(known.id));
            }
            ledger.close_day(day(21)).await.unwrap();
            let whose = ledger.note_late(&issuer(), known.rrn, Outcome::Declined).await.unwrap();
            assert_eq!((whose, ledger.records().len()), (Some(known.id), 0), "it does not come back for nothing");
            assert_eq!(ledger.find(known.id).unwrap().late, Some(Outcome::Declined));
        },
    );
}

#[test]
fn a_number_a_year_later_is_another_request_and_its_reversal_another_reversal() {
    closed(
        async |ledger: Memory| {
            let (ledger, sold) = sold(ledger, 100).await;
            assert!(matches!(ledger.reverse(reversal(1, 9, 1, 100)).await.unwrap(), Reversed::Accepted(_)));
            assert!(ledger.sending(sold.id, Owed::Reversal, Stan::FIRST).await.unwrap());
            ledger.acknowledge(sold.id, Owed::Reversal, Forwarded::Acknowledged).await.unwrap();
            (ledger, sold)
        },
        async |ledger, sold| {
            let date = BusinessDate::new(2027, 11, 21).unwrap();
            let next = on(date, sale(&ledger, 1, 1, 100));
            let id = next.id;
            assert!(matches!(ledger.intend(next).await.unwrap(), Intended::Fresh));
            ledger.decide(id, decision(Outcome::Approved, sold.received)).await.unwrap();
            let undo = tollgate::ledger::Reversal { date, ..reversal(1, 9, 1, 100) };
            assert!(matches!(ledger.reverse(undo).await.unwrap(), Reversed::Accepted(_)));
            assert_eq!(ledger.find(id).unwrap().effect, Effect::Reversing);
        },
    );
}

#[test]
fn a_reversal_of_another_card_than_its_originals_of_a_closed_day_undoes_nothing() {
    closed(
        async |ledger: Memory| sold(ledger, 100).await,
        async |ledger, sold| {
            let stranger = Some(PanToken([99; 32]));
            assert_ne!(stranger, Some(sold.token));
            let told = ledger.reverse_of(reversal(1, 9, 1, 100), stranger).await.unwrap();
            assert!(matches!(told, Reversed::CardDiffers), "{told:?}");
            assert_eq!(ledger.find(sold.id).unwrap().effect, Effect::Live);
            let told = ledger.reverse_of(reversal(1, 9, 1, 100), Some(sold.token)).await.unwrap();
            assert!(matches!(told, Reversed::Accepted(_)), "nothing was on record: {told:?}");
        },
    );
}

#[test]
fn a_card_of_a_year_ago_is_not_the_card_of_an_unknown_original() {
    closed(
        async |ledger: Memory| sold(ledger, 100).await,
        async |ledger, sold| {
            let date = BusinessDate::new(2027, 11, 21).unwrap();
            let undo = tollgate::ledger::Reversal { date, ..reversal(1, 9, 1, 100) };
            let told = ledger.reverse_of(undo, Some(PanToken([99; 32]))).await.unwrap();
            assert!(matches!(told, Reversed::Unknown(_)), "{told:?}");
            assert_eq!(ledger.find(sold.id).unwrap().effect, Effect::Live);
        },
    );
}

#[test]
fn a_dead_letter_does_not_leave_with_its_day() {
    for place in PLACES.into_iter().take(2) {
        run(async {
            let (ledger, sold) = sold(driven::in_memory(100), 100).await;
            ledger.reverse(reversal(1, 9, 1, 100)).await.unwrap();
            let refused = Forwarded::Refused(ResponseCode::FormatError, day(21));
            ledger.acknowledge(sold.id, Owed::Reversal, refused).await.unwrap();
            ledger.close_day(day(21)).await.unwrap();
            let dead = place(ledger).dead_letters();
            assert_eq!(dead.iter().map(|letter| letter.original.id).collect::<Vec<_>>(), [sold.id]);
        });
    }
}

#[test]
fn segments_that_snapshots_cover_go_and_days_beyond_the_last_too() {
    run(async {
        let (mut ledger, known) = sold(driven::in_memory(100), 100).await;
        ledger.close_day(day(21)).await.unwrap();
        ledger.forgetful(1);
        for _ in 0..3 {
            ledger = ledger.tidied();
        }
        assert!(ledger.journal_begins() > 1);
        let ledger = ledger.reopened();
        assert_eq!(ledger.find(known.id).unwrap().effect, Effect::Live, "its day is kept");
        let next = Intent { date: day(22), ..sale(&ledger, 1, 2, 100) };
        ledger.intend(next.clone()).await.unwrap();
        ledger.decide(next.id, decision(Outcome::Approved, next.received)).await.unwrap();
        ledger.close_day(day(22)).await.unwrap();
        ledger.forgetful(1);
        let ledger = ledger.tidied().reopened();
        assert!(ledger.find(known.id).is_none() && ledger.find(next.id).is_some());
    });
}

#[test]
fn a_days_file_without_its_index_is_not_written_into_the_next_one_again() {
    run(async {
        let (ledger, _) = sold(driven::in_memory(100), 100).await;
        ledger.reverse(reversal(1, 9, 99, 100)).await.unwrap();
        ledger.close_day(day(21)).await.unwrap();
        // The file of the day is written in three; the fourth is its index.
        let ledger = ledger.untidied(|disk| disk.fail(Operation::Write, 3));
        assert_eq!((ledger.files(".tgd"), ledger.files(".tgk")), (1, 0));
        let next = sale(&ledger, 1, 2, 100);
        ledger.intend(next.clone()).await.unwrap();
        ledger.decide(next.id, decision(Outcome::Approved, next.received)).await.unwrap();
        ledger.close_day(day(21)).await.unwrap();
        let mut ledger = ledger.tidied();
        assert_eq!(ledger.breaches(), Vec::<String>::new());
        ledger.forgetful(9);
        for _ in 0..3 {
            ledger = ledger.tidied();
        }
        assert!(ledger.journal_begins() > 1);
        assert_eq!(ledger.breaches(), Vec::<String>::new(), "with the days' files alone");
    });
}
