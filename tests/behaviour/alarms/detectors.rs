//! A sentence for each kind of alarm: what raises it, what does not, what clears it.

use super::{ms, s};
use proptest::prelude::*;
use std::time::Duration;
use tollgate::model::IssuerName;
use tollgate::model::TerminalId;
use tollgate::model::Timestamp;
use tollgate::ops::alarms::Alarm;
use tollgate::ops::alarms::AlarmKind;
use tollgate::ops::alarms::Counted;
use tollgate::ops::alarms::Minute;
use tollgate::ops::alarms::Moment;
use tollgate::ops::alarms::Noted;
use tollgate::ops::alarms::Sample;
use tollgate::ops::alarms::Watchman;
use tollgate::server::Links;
use tollgate::server::config::Thresholds;
use tollgate::server::expiry::Ending;

fn watchman() -> Watchman {
    Watchman::new(Thresholds { silent: Some(Duration::from_secs(600)), ..Thresholds::default() })
}

fn bank() -> IssuerName {
    IssuerName::parse("bank-a").unwrap()
}

fn terminal() -> TerminalId {
    TerminalId::parse(b"10000001").unwrap()
}

fn links(up: usize) -> Sample {
    Sample { links: vec![Links { issuer: bank(), up, of: 3 }], ..Sample::default() }
}

fn counted(asked: u64, declined: u64) -> Sample {
    Sample { counted: vec![Counted { issuer: Some(bank()), asked, declined }], ..Sample::default() }
}

fn owed(count: usize) -> Sample {
    Sample { owed: vec![(bank(), count)], ..Sample::default() }
}

fn found(watchman: &Watchman, kind: AlarmKind, subject: &str) -> Option<Alarm> {
    watchman.board().find(kind, subject).cloned()
}

#[test]
fn a_link_that_is_down_longer_than_it_may_is_an_alarm_until_one_is_up() {
    let mut watchman = watchman();
    watchman.sampled(&links(0), s(10));
    watchman.sampled(&links(0), s(40));
    assert!(found(&watchman, AlarmKind::LinkDown, "bank-a").is_none(), "thirty seconds are not more than thirty");
    watchman.sampled(&links(0), s(41));
    let alarm = found(&watchman, AlarmKind::LinkDown, "bank-a").unwrap();
    assert_eq!(&*alarm.sentence, "none of 3 links is up for 31 s");
    watchman.sampled(&links(1), s(42));
    assert!(found(&watchman, AlarmKind::LinkDown, "bank-a").is_none());
    watchman.sampled(&links(0), s(43));
    watchman.sampled(&links(0), s(73));
    assert!(found(&watchman, AlarmKind::LinkDown, "bank-a").is_none(), "it begins anew");
}

#[test]
fn a_terminal_that_was_heard_and_is_silent_is_an_alarm_until_it_is_heard_again() {
    let mut watchman = watchman();
    let heard = |at| Sample { heard: Some(vec![(terminal(), Duration::from_secs(at))]), ..Sample::default() };
    watchman.sampled(&heard(5), s(605));
    assert_eq!(watchman.board().live().count(), 0);
    watchman.sampled(&heard(5), s(606));
    assert_eq!(
        &*found(&watchman, AlarmKind::SilentTerminal, "terminal 10000001").unwrap().sentence,
        "it says nothing for 10 min"
    );
    watchman.sampled(&heard(607), s(610));
    assert_eq!(watchman.board().live().count(), 0);
    let mut off = Watchman::new(Thresholds::default());
    off.sampled(&heard(5), s(1_000_000));
    assert_eq!(off.board().live().count(), 0, "off unless it is asked for");
}

#[test]
fn half_of_twenty_declined_within_a_minute_is_a_spike_and_of_nineteen_is_none() {
    let mut watchman = watchman();
    watchman.sampled(&counted(19, 19), s(1));
    assert!(found(&watchman, AlarmKind::DeclineSpike, "bank-a").is_none(), "too few to say");
    watchman.sampled(&counted(0, 0), s(100));
    watchman.sampled(&counted(20, 9), s(101));
    assert!(found(&watchman, AlarmKind::DeclineSpike, "bank-a").is_none(), "nine of twenty are less than half");
    watchman.sampled(&counted(2, 2), s(102));
    let alarm = found(&watchman, AlarmKind::DeclineSpike, "bank-a").unwrap();
    assert_eq!(&*alarm.sentence, "11 of 22 transactions of the last minute were declined or timed out");
    // It does not come and go around the threshold: four fifths of it end it.
    watchman.sampled(&counted(5, 0), s(103));
    assert!(found(&watchman, AlarmKind::DeclineSpike, "bank-a").is_some(), "11 of 27 are more than two fifths");
    watchman.sampled(&counted(1, 0), s(104));
    assert!(found(&watchman, AlarmKind::DeclineSpike, "bank-a").is_none(), "11 of 28 are less");
}

#[test]
fn a_spike_in_all_is_the_stations_and_is_over_when_nobody_asks() {
    let mut watchman = watchman();
    let all =
        |asked, declined| Sample { counted: vec![Counted { issuer: None, asked, declined }], ..Sample::default() };
    watchman.sampled(&all(100, 100), s(1));
    assert!(found(&watchman, AlarmKind::DeclineSpike, "station").is_some());
    watchman.sampled(&all(0, 0), s(60));
    assert!(found(&watchman, AlarmKind::DeclineSpike, "station").is_some(), "within the minute");
    watchman.sampled(&all(0, 0), s(61));
    assert!(found(&watchman, AlarmKind::DeclineSpike, "station").is_none());
}

#[test]
fn ten_wrong_macs_within_a_minute_are_a_burst_of_their_source_and_of_their_terminal() {
    let mut watchman = watchman();
    let failed = |from: &str| Noted::MacFailed { terminal: Some(terminal()), from: from.parse().unwrap() };
    (0..9).for_each(|second| watchman.noted(&failed("10.0.0.1"), s(second)));
    // From another source: the terminal has ten, no source has.
    watchman.noted(&failed("10.0.0.2"), s(59));
    assert!(found(&watchman, AlarmKind::MacFailures, "terminal 10000001").is_some());
    assert!(found(&watchman, AlarmKind::MacFailures, "source 10.0.0.1").is_none());
    watchman.noted(&failed("10.0.0.1"), s(59));
    assert!(found(&watchman, AlarmKind::MacFailures, "source 10.0.0.1").is_some());
    watchman.sampled(&Sample::default(), s(118));
    assert_eq!(watchman.board().live().count(), 2);
    watchman.sampled(&Sample::default(), s(119));
    assert_eq!(watchman.board().live().count(), 0, "a minute without one");
}

#[test]
fn wrong_macs_that_come_slowly_are_no_burst_and_forged_sources_are_bounded() {
    let mut watchman = watchman();
    for second in 0..1_000 {
        let from = "10.0.0.1".parse().unwrap();
        watchman.noted(&Noted::MacFailed { terminal: None, from }, s(second * 7));
    }
    assert_eq!(watchman.board().live().count(), 0, "nine within sixty-three seconds");
    for number in 0..100_000_u32 {
        let from = std::net::Ipv4Addr::from(number).into();
        (0..10).for_each(|_| watchman.noted(&Noted::MacFailed { terminal: None, from }, s(100_000)));
    }
    assert!(watchman.board().live().count() <= 10_001);
    watchman.sampled(&Sample::default(), s(100_060));
    assert_eq!(watchman.board().live().count(), 0);
}

#[test]
fn more_than_a_hundred_messages_owed_to_an_issuer_are_an_alarm() {
    let mut watchman = watchman();
    watchman.sampled(&owed(100), s(1));
    assert!(found(&watchman, AlarmKind::QueueGrowth, "bank-a").is_none());
    watchman.sampled(&owed(101), s(2));
    assert_eq!(&*found(&watchman, AlarmKind::QueueGrowth, "bank-a").unwrap().sentence, "101 messages are owed to it");
    // An issuer that is owed nothing is not in the list.
    watchman.sampled(&Sample::default(), s(3));
    assert!(found(&watchman, AlarmKind::QueueGrowth, "bank-a").is_none());
}

#[test]
fn a_queue_that_grows_for_five_minutes_is_an_alarm_and_one_that_stands_or_drains_is_none() {
    let run = |counts: &dyn Fn(u64) -> usize| {
        let mut watchman = watchman();
        (0..=310).for_each(|second| watchman.sampled(&owed(counts(second)), s(second)));
        found(&watchman, AlarmKind::QueueGrowth, "bank-a").map(|alarm| alarm.sentence)
    };
    let grows = run(&|second| 1 + usize::try_from(second).unwrap() / 10).unwrap();
    assert!(grows.starts_with("32 messages are owed to it, and none have become fewer for 5 min"), "{grows}");
    assert_eq!(run(&|_| 50), None, "it stands");
    assert_eq!(
        run(&|second| if second == 200 { 1 } else { 2 + usize::try_from(second).unwrap() / 10 }),
        None,
        "it drained"
    );
}

#[test]
fn a_certificate_is_an_alarm_from_thirty_days_before_its_end_until_it_is_renewed() {
    let mut watchman = watchman();
    let ends = |file: &str, days| Ending { file: file.to_owned(), days };
    let look = |endings| Sample { endings: Some(endings), ..Sample::default() };
    watchman.sampled(&look(vec![ends("a.pem", 30), ends("b.pem", 29), ends("c.pem", -1)]), s(1));
    assert!(found(&watchman, AlarmKind::KeyExpiry, "a.pem").is_none());
    assert!(found(&watchman, AlarmKind::KeyExpiry, "b.pem").unwrap().sentence.contains("in 29 days"));
    assert!(found(&watchman, AlarmKind::KeyExpiry, "c.pem").unwrap().sentence.contains("has ended"));
    watchman.sampled(&Sample::default(), s(2));
    assert_eq!(watchman.board().live().count(), 2, "not looked at is not renewed");
    watchman.sampled(&look(vec![ends("c.pem", -1)]), s(3));
    assert_eq!(watchman.board().live().count(), 1);
}

#[test]
fn little_room_is_an_alarm_until_there_is_a_tenth_more_than_the_least() {
    let mut watchman = watchman();
    let free = |mib: u64| Sample { disk_free: Some(mib << 20), ..Sample::default() };
    watchman.sampled(&free(1_024), s(1));
    assert!(found(&watchman, AlarmKind::Disk, "station").is_none());
    watchman.sampled(&free(1_023), s(2));
    assert_eq!(
        &*found(&watchman, AlarmKind::Disk, "station").unwrap().sentence,
        "1023 MiB are free where the ledger is"
    );
    watchman.sampled(&free(1_100), s(3));
    assert!(found(&watchman, AlarmKind::Disk, "station").is_some());
    watchman.sampled(&Sample::default(), s(4));
    assert!(found(&watchman, AlarmKind::Disk, "station").is_some(), "what is not known changes nothing");
    watchman.sampled(&free(1_127), s(5));
    assert!(found(&watchman, AlarmKind::Disk, "station").is_none());
}

#[test]
fn a_request_refused_by_a_full_ledger_is_an_alarm_until_none_was_for_a_while() {
    let mut watchman = watchman();
    watchman.noted(&Noted::LedgerFull, s(1));
    watchman.noted(&Noted::LedgerFull, s(100));
    assert_eq!(found(&watchman, AlarmKind::Disk, "ledger").unwrap().count, 2);
    watchman.sampled(&Sample::default(), s(399));
    assert!(found(&watchman, AlarmKind::Disk, "ledger").is_some());
    watchman.sampled(&Sample::default(), s(400));
    assert!(found(&watchman, AlarmKind::Disk, "ledger").is_none());
}

#[test]
fn a_wall_clock_that_steps_more_than_two_seconds_either_way_is_an_alarm_and_slow_looks_are_none() {
    let mut watchman = watchman();
    let at =
        |wall_ms: i64, mono_ms: u64| Moment { wall: Timestamp(wall_ms * 1_000), mono: Duration::from_millis(mono_ms) };
    watchman.sampled(&Sample::default(), at(1_000_000, 0));
    watchman.sampled(&Sample::default(), at(1_060_000, 60_000)); // the station slept
    watchman.sampled(&Sample::default(), at(1_063_000, 61_000)); // just two
    assert_eq!(watchman.board().live().count(), 0);
    watchman.sampled(&Sample::default(), at(1_066_001, 62_000));
    assert!(found(&watchman, AlarmKind::ClockJump, "ahead").is_some());
    watchman.sampled(&Sample::default(), at(0, 63_000));
    let alarm = found(&watchman, AlarmKind::ClockJump, "back").unwrap();
    assert!(alarm.sentence.contains("went back by 17 min"), "{}", alarm.sentence);
    watchman.sampled(&Sample::default(), at(300_000, 363_000));
    assert_eq!(watchman.board().live().count(), 0, "each is over after a while");
}

#[test]
fn a_suspended_terminal_that_asks_is_an_alarm_with_the_rule() {
    let mut watchman = watchman();
    watchman.noted(&Noted::Standing { terminal: Some(terminal()), rule: "terminal-standing".into() }, s(1));
    let alarm = found(&watchman, AlarmKind::SuspendedTerminal, "terminal 10000001").unwrap();
    assert_eq!(&*alarm.sentence, "it asks, and is refused: terminal-standing");
}

#[test]
fn a_number_used_again_for_another_request_is_an_alarm() {
    let mut watchman = watchman();
    watchman.noted(&Noted::DuplicateMismatch { terminal: Some(terminal()) }, s(1));
    assert!(found(&watchman, AlarmKind::DuplicateMismatch, "terminal 10000001").is_some());
}

#[test]
fn a_hit_of_a_rule_is_an_alarm_of_its_own_for_each_rule_and_subject() {
    let mut watchman = watchman();
    for (rule, at) in [("R7", 1), ("R7", 2), ("R9", 3)] {
        let (subject, evidence) = ("terminal 10000001".into(), "regions 1100 and 2900 within 300 s".into());
        watchman.noted(&Noted::Risk { rule: rule.into(), subject, evidence }, s(at));
    }
    assert_eq!(found(&watchman, AlarmKind::Risk, "R7 terminal 10000001").unwrap().count, 2);
    assert_eq!(found(&watchman, AlarmKind::Risk, "R9 terminal 10000001").unwrap().count, 1);
}

proptest! {
    #[test]
    fn the_sliding_minute_is_the_sum_of_its_sixty_seconds(
        events in prop::collection::vec((0_u64..90, 0_u64..5, 0_u64..5), 0..80),
    ) {
        let mut minute = Minute::<2>::default();
        let (mut now, mut all) = (0, Vec::new());
        for (after, one, two) in events {
            now += after;
            minute.add(now, [one, two]);
            all.push((now, one, two));
            let within = all.iter().filter(|(at, ..)| *at + 60 > now);
            let naive = within.fold([0, 0], |[ones, twos], (_, one, two)| [ones + one, twos + two]);
            prop_assert_eq!(minute.sums(now), naive);
        }
    }

    /// Against counting by hand: it begins at the threshold, ends below four fifths of it, and with too few.
    #[test]
    fn a_spike_is_what_the_shares_of_the_minutes_say(
        looks in prop::collection::vec((1_u64..20, 0_u64..12, 0_u64..12), 1..60),
    ) {
        let mut watchman = watchman();
        let (mut now, mut all, mut high) = (0, Vec::new(), false);
        for (after, approved, declined) in looks {
            now += after;
            let asked = approved + declined;
            all.push((now, asked, declined));
            watchman.sampled(&counted(asked, declined), s(now));
            let within = all.iter().filter(|(at, ..)| *at + 60 > now);
            let (asked, declined) = within.fold((0, 0), |(a, d), (_, asked, declined)| (a + asked, d + declined));
            let share = declined as f64 / asked.max(1) as f64;
            high = asked >= 20 && if high { share >= 0.4 } else { share >= 0.5 };
            prop_assert_eq!(found(&watchman, AlarmKind::DeclineSpike, "bank-a").is_some(), high);
        }
    }

    /// Slow looks and slow drift are no jumps, whatever the times.
    #[test]
    fn a_clock_that_goes_with_time_never_jumps(steps in prop::collection::vec((0_u64..10_000_000, 0_i64..2_000), 1..50)) {
        let mut watchman = watchman();
        let (mut wall, mut mono) = (1_795_000_000_000, 0);
        for (passed, drift) in steps {
            mono += passed;
            wall += i64::try_from(passed).unwrap() - drift;
            watchman.sampled(&Sample::default(), Moment { wall: Timestamp(wall * 1_000), ..ms(mono) });
            prop_assert_eq!(watchman.board().live().count(), 0);
        }
    }
}
