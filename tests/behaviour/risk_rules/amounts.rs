//! Amounts, counts and windows.

use super::Asked;
use super::desk;
use super::sale;
use tollgate::model::Amount;
use tollgate::model::BusinessDate;
use tollgate::model::EntryMethod;
use tollgate::model::Kind;
use tollgate::risk::Counted;
use tollgate::risk::CounterKey;
use tollgate::risk::Fate;

#[test]
fn a_single_amount_may_reach_its_bounds_and_not_pass_them() {
    let desk = desk(&["kind = \"single\"\nleast = 100\nmost = 5000"]);
    let refused = |amount| desk.refused(&sale(0).amount(amount));
    assert_eq!((refused(99), refused(100), refused(5_000), refused(5_001)), (Some("13"), None, None, Some("61")));
    assert_eq!(desk.evidence(&sale(0).amount(5_001)), "50.01 is above 50.00");
}

#[test]
fn a_daily_limit_may_be_reached_and_not_passed_and_begins_anew_with_the_date() {
    for (per, other) in
        [("card", sale(0).card(2)), ("merchant", Asked { merchant: 2, ..sale(0) }), ("entry", sale(0).entry("071"))]
    {
        let mut desk = desk(&[&format!("kind = \"daily\"\nper = \"{per}\"\namount = 20000")]);
        assert_eq!(desk.sell(&sale(0)), None);
        assert_eq!(desk.sell(&sale(1)), None, "reached");
        assert_eq!(desk.sell(&sale(2).amount(1)), Some("61"), "{per}");
        assert_eq!(desk.sell(&other), None, "{per}");
        let tomorrow = Asked { date: BusinessDate::new(2026, 11, 24).unwrap(), ..sale(3) };
        assert_eq!(desk.sell(&tomorrow), None);
    }
}

#[test]
fn a_daily_count_counts_what_stands() {
    let mut desk = desk(&["kind = \"daily\"\nper = \"bin\"\ncount = 2"]);
    assert_eq!((desk.sell(&sale(0)), desk.sell(&sale(1))), (None, None));
    assert_eq!(desk.evidence(&sale(2)), "range 622588 would come to 3 of 2 transactions on 2026-11-23");
    assert_eq!(desk.refused(&sale(2)), Some("65"));
    desk.counters.0.values_mut().for_each(|(_, count)| *count -= 1);
    assert_eq!(desk.refused(&sale(2)), None, "one was reversed");
}

#[test]
fn a_terminals_own_counter_is_looked_at_and_not_reserved_on_twice() {
    let mut desk = desk(&["kind = \"daily\"\nper = \"terminal\"\namount = 20000"]);
    assert!(desk.judge(&sale(0)).reservations.is_empty());
    let key = CounterKey { counted: Counted::Terminal(sale(0).situation().terminal), date: sale(0).date };
    desk.counters.0.insert(key, (10_001, 1));
    assert_eq!(desk.refused(&sale(0)), Some("61"));
}

#[test]
fn a_daily_rule_reserves_whether_or_not_it_limits_and_only_what_takes_money() {
    let desk = desk(&[
        "kind = \"daily\"\nper = \"entry\"\namount = 50000\nentries = [\"swipe\"]",
        "kind = \"daily\"\nper = \"card\"\naction = \"alert\"\namount = 1",
        "kind = \"daily\"\nper = \"card\"\namount = 30000",
        "kind = \"daily\"\nper = \"card\"\namount = 40000\ncount = 9",
    ]);
    let judgement = desk.judge(&sale(0));
    let [entry, card] = judgement.reservations[..] else { panic!("two counters") };
    assert_eq!(entry.key.counted, Counted::Entry(sale(0).situation().terminal, EntryMethod::Chip));
    assert_eq!((entry.amount_limit, entry.count_limit), (None, None), "not a swipe: counted, not limited");
    assert_eq!(card.key.counted, Counted::Card(sale(0).situation().card));
    assert_eq!((card.amount_limit, card.count_limit), (Amount::new(30_000), Some(9)), "the least of the limits");
    for kind in [Kind::Balance, Kind::Refund, Kind::OfflineSale, Kind::SaleVoid] {
        assert!(desk.judge(&sale(0).kind(kind)).reservations.is_empty(), "{kind:?}");
    }
    assert!(desk.judge(&sale(0).amount(30_001)).reservations.is_empty(), "what is declined takes nothing");
}

#[test]
fn a_velocity_counts_what_stands_this_request_counted_in() {
    for (per, other) in [
        ("terminal", sale(30).terminal(2)),
        ("card", sale(30).card(2)),
        ("merchant", Asked { merchant: 2, ..sale(30) }),
    ] {
        let mut desk = desk(&[&format!("kind = \"velocity\"\nper = \"{per}\"\nwithin_s = 60\ncount = 2")]);
        assert_eq!((desk.sell(&sale(0)), desk.sell(&sale(10))), (None, None), "{per}");
        assert_eq!(desk.refused(&sale(30)), Some("65"), "{per}");
        assert_eq!(desk.refused(&other), None, "{per}");
        assert_eq!(desk.refused(&sale(60)), None, "the first is 60 s old");
        desk.memory.change(&sale(10).situation(), Fate::Live, Fate::Undone);
        assert_eq!(desk.refused(&sale(30)), None, "one was undone");
    }
}

#[test]
fn a_velocity_may_sum_amounts_and_count_attempts_or_declines() {
    let mut desk = desk(&[
        "id = \"sum\"\nkind = \"velocity\"\nper = \"card\"\nwithin_s = 60\namount = 30000",
        "id = \"tries\"\nkind = \"velocity\"\nper = \"bin\"\nwithin_s = 60\ncounting = \"attempts\"\ncount = 3",
        "id = \"declines\"\nkind = \"velocity\"\nper = \"card\"\nwithin_s = 60\ncounting = \"declines\"\ncount = 1",
    ]);
    let by = |desk: &super::Desk, asked: &Asked| desk.judge(asked).refusal.map(|refusal| refusal.rule.into_owned());
    assert_eq!(desk.sell(&sale(0)), None);
    assert_eq!(by(&desk, &sale(1).amount(20_000)), None, "reached");
    assert_eq!(by(&desk, &sale(1).amount(20_001)).as_deref(), Some("sum"));
    desk.memory.change(&sale(0).situation(), Fate::Live, Fate::Declined { pin: false });
    assert_eq!(by(&desk, &sale(1)).as_deref(), Some("declines"));
    desk.sell(&sale(2).card(2));
    desk.sell(&sale(3).card(3));
    assert_eq!(by(&desk, &sale(4).card(4)).as_deref(), Some("tries"));
}

#[test]
fn round_amounts_are_told_by_their_unit() {
    let mut desk = desk(&["kind = \"round-amounts\"\nunit = 10000\ncount = 3\nwithin_s = 600"]);
    for second in [0, 1] {
        assert_eq!(desk.sell(&sale(second).amount(50_000).card(u8::try_from(second).unwrap())), None);
    }
    assert_eq!(desk.refused(&sale(2).amount(50_001)), None);
    assert_eq!(desk.refused(&sale(2).amount(10_000)), Some("59"));
    assert_eq!(desk.evidence(&sale(2)), "3 purchases of whole 100.00 within 600 s");
    assert_eq!(desk.refused(&sale(600).amount(10_000)), None);
}

#[test]
fn repeated_amounts_are_told_whoever_pays() {
    let mut desk = desk(&["kind = \"repeated-amounts\"\ncount = 3\nwithin_s = 600"]);
    assert_eq!((desk.sell(&sale(0)), desk.sell(&sale(1).card(2))), (None, None));
    assert_eq!(desk.refused(&sale(2).card(3).amount(10_001)), None);
    assert_eq!(desk.refused(&sale(2).card(3).terminal(2)), None);
    assert_eq!(desk.refused(&sale(2).card(3)), Some("59"));
}

#[test]
fn refunds_are_measured_by_what_the_terminal_sold() {
    let mut desk = desk(&["kind = \"refund-ratio\"\npercent = 30\nrefunds = 2\nwithin_s = 3600"]);
    let refund = |second, amount| sale(second).kind(Kind::Refund).amount(amount);
    assert_eq!(desk.sell(&sale(0).amount(100_000)), None);
    assert_eq!(desk.sell(&refund(1, 20_000)), None, "the first is not looked at");
    assert_eq!(desk.refused(&refund(2, 10_000)), None, "30 % are reached");
    assert_eq!(desk.refused(&refund(2, 10_001)), Some("59"));
    assert_eq!(desk.refused(&sale(2)), None, "sales are not refunds");
    let told = refund(2, 10_001).kind(Kind::OfflineRefund);
    assert!(desk.judge(&told).note.is_some() && desk.refused(&told).is_none(), "an advice is told, not refused");
}
