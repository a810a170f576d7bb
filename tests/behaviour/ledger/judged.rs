//! What rules saw is seen again from the ledger's files.

use super::driven;
use super::shop::*;
use smallvec::SmallVec;
use tollgate::ledger::Intent;
use tollgate::ledger::Ledger;
use tollgate::ledger::Outcome;
use tollgate::ledger::judged::Visitor;
use tollgate::risk::Counted;
use tollgate::risk::CounterKey;
use tollgate::risk::Fate;
use tollgate::risk::Memory;
use tollgate::risk::Reservation;
use tollgate::risk::Sums;

/// A request's number, whether it was declined, sum and count of its terminal and its card, terminals remembered.
type Shown = (u64, bool, (u64, u32), (u64, u32), usize);

/// Writes down what it is shown, and counts cards, which nobody did then.
#[derive(Debug, Default, Eq, PartialEq)]
struct Notes {
    asked: Vec<Shown>,
    fared: Vec<(u64, Fate)>,
}

impl Visitor for Notes {
    fn asked(
        &mut self,
        intent: &Intent,
        memory: &Memory,
        sums: &impl Sums,
        declined: bool,
    ) -> SmallVec<[Reservation; 2]> {
        let on = |counted| CounterKey { counted, date: intent.date };
        let (till, card) = (on(Counted::Terminal(intent.identity.terminal)), on(Counted::Card(intent.token)));
        let [terminals, ..] = memory.subjects();
        self.asked.push((intent.id.0, declined, sums.sum(&till), sums.sum(&card), terminals));
        let reservation = reservation(1, intent.date, intent.amount.minor());
        SmallVec::from_slice(&[Reservation { key: card, ..reservation }, reservation])
    }

    fn stood(&mut self, intent: &Intent) -> SmallVec<[Reservation; 2]> {
        let card = CounterKey { counted: Counted::Card(intent.token), date: intent.date };
        SmallVec::from_slice(&[Reservation { key: card, ..reservation(1, intent.date, intent.amount.minor()) }])
    }

    fn fared(&mut self, intent: &Intent, _: Fate, to: Fate) {
        self.fared.push((intent.id.0, to));
    }
}

#[test]
fn every_request_is_shown_with_what_was_remembered_and_counted_before_it() {
    super::run(async {
        let ledger = driven::in_memory(100);
        let paid = limited_sale(&ledger, 1, 1, 400);
        ledger.intend(paid.clone()).await.unwrap();
        ledger.decide(paid.id, decision(Outcome::Approved, paid.received)).await.unwrap();
        ledger.intend(limited_sale(&ledger, 1, 2, 700)).await.unwrap();
        let declined = limited_sale(&ledger, 2, 1, 500);
        ledger.intend(declined.clone()).await.unwrap();
        ledger.decide(declined.id, decision(Outcome::Declined, declined.received)).await.unwrap();
        ledger.reverse(reversal(1, 3, 1, 400)).await.unwrap();
        ledger.intend(limited_sale(&ledger, 1, 4, 1)).await.unwrap();
        let mut notes = Notes::default();
        ledger.judged(&mut notes);
        let [first, second, third, fourth] = &notes.asked[..] else { panic!("{notes:?}") };
        assert_eq!(*first, (1, false, (0, 0), (0, 0), 0));
        assert_eq!(*second, (2, true, (400, 1), (400, 1), 1));
        assert_eq!(*third, (3, false, (0, 0), (400, 1), 1));
        assert_eq!((fourth.1, fourth.2, fourth.3), (false, (0, 0), (0, 0)));
        assert_eq!(notes.fared, [(3, Fate::Declined { pin: false }), (1, Fate::Undone)]);
        let mut again = Notes::default();
        ledger.judged(&mut again);
        assert_eq!(again, notes);
    });
}

/// What is shown of a ledger that sold in three segments and tidied up after each, and where its journal begins.
async fn over_segments(forgetful: bool) -> (Notes, u64) {
    let mut ledger = driven::in_memory(100);
    if forgetful {
        ledger.forgetful(400);
    }
    let mut stan = 0;
    for _ in 0..3 {
        for _ in 0..4 {
            stan += 1;
            let outcome = if stan % 3 == 0 { Outcome::Declined } else { Outcome::Approved };
            let paid = limited_sale(&ledger, 1, stan, 10);
            ledger.intend(paid.clone()).await.unwrap();
            ledger.decide(paid.id, decision(outcome, paid.received)).await.unwrap();
        }
        ledger.reverse(reversal(1, 100 + stan, stan - 3, 10)).await.unwrap();
        ledger = ledger.tidied();
    }
    ledger.intend(limited_sale(&ledger, 1, stan + 1, 10)).await.unwrap();
    let mut notes = Notes::default();
    ledger.judged(&mut notes);
    (notes, ledger.journal_begins())
}

#[test]
fn where_the_first_segments_are_gone_what_is_left_is_shown_as_with_them() {
    super::run(async {
        let ((whole, first), (cut, later)) = (over_segments(false).await, over_segments(true).await);
        assert_eq!((first, whole.asked.len()), (1, 13));
        assert!(later > 1 && !cut.asked.is_empty() && cut.asked.len() < whole.asked.len(), "{cut:?}");
        let tail = whole.asked.len() - cut.asked.len();
        assert_eq!(cut.asked, whole.asked[tail..], "what a snapshot tells of is no request of now, and counts");
        let tail = whole.fared.len() - cut.fared.len();
        assert_eq!(cut.fared, whole.fared[tail..]);
    });
}
