//! What is declined here says why; counters of cards and merchants; the ladder; what is in force.

use super::*;

/// `intent` with a reservation of its amount on each of these counters of its date.
fn reserving<const N: usize>(intent: Intent, counted: [Counted; N]) -> Intent {
    let limited = reservation(1, intent.date, intent.amount.minor());
    let on = |counted| Reservation { key: CounterKey { counted, date: intent.date }, ..limited };
    Intent { reservations: counted.map(on).into_iter().collect(), ..intent }
}

/// Everything that can be counted of the shop's sales, and how a full counter of it refuses.
fn counters() -> [(Counted, &'static str); 7] {
    let card = PanToken([7; 32]);
    [
        (Counted::Terminal(terminal(1)), "terminal-daily"),
        (Counted::StandInTerminal(terminal(1)), "stand-in-terminal-daily"),
        (Counted::StandInCard(card), "stand-in-card-daily"),
        (Counted::Card(card), "card-daily"),
        (Counted::Merchant(MerchantId::parse(b"898110054110001").unwrap()), "merchant-daily"),
        (Counted::Bin(Bin::new(622_500).unwrap()), "range-daily"),
        (Counted::Entry(terminal(1), EntryMethod::Chip), "entry-daily"),
    ]
}

/// Intends what must be declined at once, and says by which rule: told and recorded.
async fn refused_by<L: Ledger>(ledger: &L, intent: Intent) -> (ResponseCode, String) {
    let id = intent.id;
    let Intended::Declined(decided, explained) = ledger.intend(intent).await.unwrap() else { panic!("not declined") };
    let recorded = found(ledger, id).intent.refusal.clone().unwrap();
    assert_eq!((recorded.code, &recorded.rule), (decided.answer.code, &explained.rule));
    (recorded.code, recorded.rule.into_owned())
}

fn entry(subject: Subject, step: LadderStep) -> LadderEntry {
    LadderEntry { subject, step, actor: "zhao".into(), reason: "seen on camera".into(), at: Timestamp(1) }
}

async fn step<L: Ledger>(ledger: &L, subject: Subject, step: LadderStep) -> Stepped {
    ledger.step(entry(subject, step)).await.unwrap()
}

pub(in crate::ledger) async fn a_full_counter_says_which_it_is<L: Ledger>(ledger: L) {
    for ((counted, rule), stan) in counters().into_iter().zip(1..) {
        let full = fresh(&ledger, reserving(sale(&ledger, 1, stan, AMOUNT_LIMIT), [counted])).await;
        let over = reserving(sale(&ledger, 1, 10 + stan, 1), [counted]);
        assert_eq!(refused_by(&ledger, over).await, (ResponseCode::AmountLimit, rule.to_owned()));
        ledger.decide(full.id, decision(Declined, full.received)).await.unwrap();
    }
}

pub(in crate::ledger) async fn counters_of_cards_and_merchants_are_given_back_like_those_of_terminals<L: Ledger>(
    ledger: L,
) {
    let all = counters().map(|(counted, _)| counted);
    let whole = |stan| reserving(sale(&ledger, 1, stan, AMOUNT_LIMIT), all);
    ended(&ledger, whole(1), Declined).await;
    ended(&ledger, whole(2), TimedOut).await;
    ended(&ledger, whole(3), Approved).await;
    ledger.reverse(reversal(1, 4, 3, AMOUNT_LIMIT)).await.unwrap();
    let paid = ended(&ledger, whole(5), Approved).await;
    assert_eq!(declined(&ledger, whole(6)).await, ResponseCode::AmountLimit);
    let again = ledger.intend(whole(5)).await.unwrap();
    assert!(matches!(again, Intended::Duplicate(decided) if decided.outcome == Approved), "the counters are full");
    ended(&ledger, following(Kind::SaleVoid, &paid, sale(&ledger, 1, 7, AMOUNT_LIMIT)), Approved).await;
    fresh(&ledger, whole(8)).await;
}

pub(in crate::ledger) async fn a_reversal_after_midnight_gives_a_card_back_its_own_day<L: Ledger>(ledger: L) {
    let all = counters().map(|(counted, _)| counted);
    let dated = |stan, date| reserving(Intent { date: day(date), ..sale(&ledger, 1, stan, AMOUNT_LIMIT) }, all);
    ended(&ledger, dated(1, 21), Approved).await;
    ended(&ledger, dated(2, 22), Approved).await;
    let mut after_midnight = reversal(1, 3, 1, AMOUNT_LIMIT);
    after_midnight.date = day(22);
    ledger.reverse(after_midnight).await.unwrap();
    assert_eq!(declined(&ledger, dated(4, 22)).await, ResponseCode::AmountLimit);
    fresh(&ledger, dated(5, 21)).await;
}

pub(in crate::ledger) async fn a_tombstone_and_a_follow_up_that_does_not_fit_say_so<L: Ledger>(ledger: L) {
    ledger.reverse(reversal(1, 2, 1, 100)).await.unwrap();
    let overtaken = refused_by(&ledger, sale(&ledger, 1, 1, 100)).await;
    assert_eq!(overtaken, (ResponseCode::RelatedInvalid, "tombstone".to_owned()));
    let of_nothing = Intent { kind: Kind::SaleVoid, ..sale(&ledger, 1, 3, 100) };
    let refused = refused_by(&ledger, of_nothing).await;
    assert_eq!(refused, (ResponseCode::OriginalNotFound, "follow-up".to_owned()));
}

pub(in crate::ledger) async fn who_is_suspended_makes_no_new_request_from_the_next_message_on<L: Ledger>(ledger: L) {
    let running = fresh(&ledger, sale(&ledger, 1, 1, 100)).await;
    let paid = ended(&ledger, sale(&ledger, 1, 2, 200), Approved).await;
    let who = Subject::Terminal(terminal(1));
    let Stepped::Done(ladder) = step(&ledger, who, LadderStep::Suspend).await else { panic!("not suspended") };
    assert_eq!((ladder.standing, Some(&ladder)), (Standing::Suspended, ledger.ladder(&who).as_ref()));
    let refused = refused_by(&ledger, sale(&ledger, 1, 3, 100)).await;
    assert_eq!(refused, (ResponseCode::TerminalForbidden, "terminal-suspended".to_owned()));
    assert_eq!(declined(&ledger, balance(&ledger, 1, 4)).await, ResponseCode::TerminalForbidden);
    let void = following(Kind::SaleVoid, &paid, sale(&ledger, 1, 5, 200));
    assert_eq!(declined(&ledger, void).await, ResponseCode::TerminalForbidden);
    fresh(&ledger, sale(&ledger, 2, 1, 100)).await;
    // What has happened is told and undone all the same.
    fresh(&ledger, Intent { kind: Kind::OfflineSale, ..sale(&ledger, 1, 6, 100) }).await;
    ledger.decide(running.id, decision(Approved, running.received)).await.unwrap();
    assert!(matches!(ledger.reverse(reversal(1, 7, 1, 100)).await.unwrap(), Reversed::Accepted(_)));
    let again = ledger.intend(sale(&ledger, 1, 2, 200)).await.unwrap();
    assert!(matches!(again, Intended::Duplicate(decided) if decided.outcome == Approved), "a repeat gets its answer");
    step(&ledger, who, LadderStep::Resume).await;
    fresh(&ledger, sale(&ledger, 1, 8, 100)).await;
}

pub(in crate::ledger) async fn a_suspended_merchant_takes_all_of_its_terminals_with_it<L: Ledger>(ledger: L) {
    let merchant = Subject::Merchant(MerchantId::parse(b"898110054110001").unwrap());
    step(&ledger, merchant, LadderStep::Suspend).await;
    for number in 1..=2 {
        let refused = refused_by(&ledger, sale(&ledger, number, 1, 100)).await;
        assert_eq!(refused, (ResponseCode::TerminalForbidden, "merchant-suspended".to_owned()));
    }
    step(&ledger, Subject::Terminal(terminal(2)), LadderStep::Terminate).await;
    assert_eq!(refused_by(&ledger, sale(&ledger, 2, 2, 100)).await.1, "terminal-terminated");
    let elsewhere = Intent { merchant: MerchantId::parse(b"898110054110002").unwrap(), ..sale(&ledger, 1, 2, 100) };
    fresh(&ledger, elsewhere).await;
}

pub(in crate::ledger) async fn the_ladder_goes_one_way_at_its_end<L: Ledger>(ledger: L) {
    let who = Subject::Terminal(terminal(1));
    let fine = LadderStep::Fine(Amount::new(50_000).unwrap());
    for taken in [LadderStep::Warn, fine, LadderStep::Suspend, LadderStep::Ask(RemoteAction::Upgrade)] {
        assert!(matches!(step(&ledger, who, taken).await, Stepped::Done(_)), "{taken:?}");
    }
    assert!(matches!(step(&ledger, who, LadderStep::Suspend).await, Stepped::Refused(_)));
    step(&ledger, who, LadderStep::Terminate).await;
    for taken in [LadderStep::Resume, LadderStep::Warn, LadderStep::Terminate, LadderStep::Suspend] {
        assert!(matches!(step(&ledger, who, taken).await, Stepped::Refused(_)), "{taken:?}");
    }
    let ladder = ledger.ladder(&who).unwrap();
    assert_eq!((ladder.standing, ladder.warnings, ladder.fines), (Standing::Terminated, 1, (1, 50_000)));
    assert!(ladder.asked.has(RemoteAction::Upgrade) && ladder.entries.len() == 5);
    let other = Subject::Terminal(terminal(2));
    assert!(matches!(step(&ledger, other, LadderStep::Resume).await, Stepped::Refused(_)), "it is not suspended");
    let nobody = LadderEntry { actor: "".into(), ..entry(other, LadderStep::Warn) };
    assert!(matches!(ledger.step(nobody).await.unwrap(), Stepped::Refused(_)));
    assert_eq!(ledger.ladders(), [(who, ladder)]);
}

pub(in crate::ledger) async fn what_is_in_force_since_when_is_on_record<L: Ledger>(ledger: L) {
    let revision = |what, version: u32| Revision {
        what,
        version: version.to_string().into(),
        digest: [7; 32],
        actor: "zhao".into(),
        reason: "reload".into(),
        at: Timestamp(i64::from(version)),
    };
    for (what, version) in [(Revised::Rules, 1), (Revised::Registry, 1), (Revised::Rules, 1), (Revised::Rules, 2)] {
        assert_eq!(ledger.revise(revision(what, version)).await.unwrap(), None);
    }
    let known = ledger.revisions();
    assert_eq!(known, [revision(Revised::Rules, 1), revision(Revised::Registry, 1), revision(Revised::Rules, 2)]);
    let unsaid = Revision { reason: "".into(), ..revision(Revised::Rules, 3) };
    assert!(ledger.revise(unsaid).await.unwrap().is_some());
    for version in 3..100 {
        ledger.revise(revision(Revised::Rules, version)).await.unwrap();
    }
    let kept = ledger.revisions();
    assert_eq!((kept.len(), &kept[0], &kept[63]), (64, &revision(Revised::Rules, 36), &revision(Revised::Rules, 99)));
}
