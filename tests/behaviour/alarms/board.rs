//! The board: one alarm for one thing, told again while nobody knows, bounded.

use super::{ms, s};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;
use tollgate::ops::alarms::AcknowledgeFault;
use tollgate::ops::alarms::AlarmKind;
use tollgate::ops::alarms::Board;
use tollgate::ops::alarms::CLEARED_KEPT;
use tollgate::ops::alarms::Change;
use tollgate::ops::alarms::EVENTS_KEPT;
use tollgate::ops::alarms::LIVE_MOST;
use tollgate::ops::alarms::State;

const AGAIN: Duration = Duration::from_secs(900);

fn board() -> Board {
    Board::new(AGAIN)
}

fn changes(board: &Board) -> Vec<Change> {
    board.since(0).events.into_iter().map(|event| event.change).collect()
}

#[test]
fn a_thing_that_is_raised_twice_is_one_alarm_with_two_counts() {
    let mut board = board();
    board.raise(AlarmKind::DuplicateMismatch, "terminal 10000001", "once", s(1));
    board.raise(AlarmKind::DuplicateMismatch, "terminal 10000001", "twice", s(2));
    board.raise(AlarmKind::DuplicateMismatch, "terminal 10000002", "another", s(2));
    assert_eq!(board.live().count(), 2);
    let alarm = board.find(AlarmKind::DuplicateMismatch, "terminal 10000001").unwrap();
    assert_eq!((alarm.count, &*alarm.sentence, alarm.state), (2, "twice", State::Raised));
    assert_eq!((alarm.first, alarm.last), (s(1).wall, s(2).wall));
    assert_eq!(changes(&board), [Change::Raised, Change::Raised]);
}

#[test]
fn what_goes_on_being_so_is_not_counted() {
    let mut board = board();
    (0..100).for_each(|second| board.hold(AlarmKind::LinkDown, "bank-a", "down", s(second)));
    let alarm = board.find(AlarmKind::LinkDown, "bank-a").unwrap();
    assert_eq!((alarm.count, alarm.last), (1, s(99).wall));
}

#[test]
fn what_nobody_acknowledged_is_told_again_at_the_interval_and_not_before() {
    let mut board = board();
    board.hold(AlarmKind::LinkDown, "bank-a", "down", s(0));
    board.hold(AlarmKind::LinkDown, "bank-a", "down", ms(899_999));
    assert_eq!(changes(&board), [Change::Raised]);
    board.hold(AlarmKind::LinkDown, "bank-a", "down", s(900));
    board.hold(AlarmKind::LinkDown, "bank-a", "down", s(901));
    assert_eq!(changes(&board), [Change::Raised, Change::Again]);
    let id = board.find(AlarmKind::LinkDown, "bank-a").unwrap().id;
    board.acknowledge(id, ("alice", "the bank is on it"), s(902)).unwrap();
    board.hold(AlarmKind::LinkDown, "bank-a", "down", s(5_000));
    assert_eq!(changes(&board), [Change::Raised, Change::Again, Change::Acknowledged]);
}

#[test]
fn an_alarm_is_acknowledged_once_and_only_while_it_lasts() {
    let mut board = board();
    board.raise(AlarmKind::ClockJump, "back", "3 s", s(1));
    let id = board.find(AlarmKind::ClockJump, "back").unwrap().id;
    assert_eq!(board.acknowledge(id + 1, ("alice", "r"), s(2)), Err(AcknowledgeFault::Unknown(id + 1)));
    let alarm = board.acknowledge(id, ("alice", "ntp"), s(2)).unwrap();
    assert_eq!(alarm.state, State::Acknowledged);
    assert_eq!(board.acknowledge(id, ("bob", "r"), s(3)), Err(AcknowledgeFault::Already("alice".to_owned())));
    board.clear(AlarmKind::ClockJump, "back", s(4));
    assert_eq!(board.acknowledge(id, ("bob", "r"), s(5)), Err(AcknowledgeFault::Unknown(id)));
    let over = board.cleared().next().unwrap();
    assert_eq!((over.state, over.cleared), (State::Cleared, Some(s(4).wall)));
    assert_eq!(over.acknowledged.as_ref().unwrap().actor, "alice");
}

#[test]
fn what_comes_back_after_it_was_cleared_is_a_new_alarm_that_nobody_knows_of() {
    let mut board = board();
    board.hold(AlarmKind::LinkDown, "bank-a", "down", s(0));
    let first = board.find(AlarmKind::LinkDown, "bank-a").unwrap().id;
    board.acknowledge(first, ("alice", "r"), s(1)).unwrap();
    board.clear(AlarmKind::LinkDown, "bank-a", s(2));
    board.clear(AlarmKind::LinkDown, "bank-a", s(3));
    board.hold(AlarmKind::LinkDown, "bank-a", "down", s(4));
    let second = board.find(AlarmKind::LinkDown, "bank-a").unwrap();
    assert!(second.id != first && second.state == State::Raised && second.acknowledged.is_none());
    assert_eq!(changes(&board), [Change::Raised, Change::Acknowledged, Change::Cleared, Change::Raised]);
}

#[test]
fn single_events_are_over_when_none_came_for_a_while_and_lasting_things_are_not() {
    let mut board = board();
    board.raise(AlarmKind::Risk, "R7 terminal 10000001", "region jump", s(0));
    board.hold(AlarmKind::LinkDown, "bank-a", "down", s(0));
    board.raise(AlarmKind::Risk, "R7 terminal 10000001", "region jump", s(200));
    board.clear_quiet(Duration::from_secs(300), ms(499_999));
    assert_eq!(board.live().count(), 2);
    board.clear_quiet(Duration::from_secs(300), s(500));
    assert_eq!(board.live().map(|alarm| alarm.kind).collect::<Vec<_>>(), [AlarmKind::LinkDown]);
}

#[test]
fn beyond_ten_thousand_alarms_there_is_one_that_says_so() {
    let mut board = board();
    let name = |number: usize| format!("terminal {number:08}");
    (0..LIVE_MOST + 500).for_each(|number| board.raise(AlarmKind::SilentTerminal, &name(number), "silent", s(0)));
    assert_eq!(board.live().count(), LIVE_MOST + 1);
    assert_eq!(board.find(AlarmKind::TooMany, "alarms").unwrap().count, 500);
    // Those that are there go on being counted.
    board.raise(AlarmKind::SilentTerminal, &name(7), "silent", s(1));
    assert_eq!(board.find(AlarmKind::SilentTerminal, &name(7)).unwrap().count, 2);
    (0..LIVE_MOST / 10).for_each(|number| board.clear(AlarmKind::SilentTerminal, &name(number), s(2)));
    assert!(board.find(AlarmKind::TooMany, "alarms").is_some());
    board.clear(AlarmKind::SilentTerminal, &name(LIVE_MOST / 10), s(2));
    assert!(board.find(AlarmKind::TooMany, "alarms").is_none(), "there is room again");
}

#[test]
fn what_is_over_and_what_changed_is_kept_for_a_while_only() {
    let mut board = board();
    for number in 0..5_000 {
        board.raise(AlarmKind::Risk, &number.to_string(), "r", s(number));
        board.clear(AlarmKind::Risk, &number.to_string(), s(number));
    }
    assert_eq!(board.cleared().count(), CLEARED_KEPT);
    let told = board.since(0);
    assert!(told.missed && told.events.first().unwrap().sequence == 10_001 - EVENTS_KEPT as u64);
    let told = board.since(10_000 - 3);
    assert!(!told.missed && told.events.len() == 3 && told.sequence == 10_000);
    let told = board.since(10_000);
    assert!(!told.missed && told.events.is_empty() && told.sequence == 10_000);
    assert!(board.since(10_001).missed, "a number of another run");
}

#[test]
fn text_from_outside_is_one_short_line() {
    let mut board = board();
    board.raise(AlarmKind::Risk, &format!("a\nb{}", "x".repeat(1_000)), &"\u{1b}".repeat(5_000), s(0));
    let alarm = board.live().next().unwrap();
    assert!(alarm.subject.starts_with("a bx") && alarm.subject.chars().count() == 128);
    assert!(alarm.sentence.chars().all(|symbol| symbol == ' ') && alarm.sentence.len() == 512);
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Raise(u8),
    Hold(u8),
    Clear(u8),
    Acknowledge(u8),
}

fn act() -> impl Strategy<Value = Act> {
    let subject = 0_u8..4;
    prop_oneof![
        subject.clone().prop_map(Act::Raise),
        subject.clone().prop_map(Act::Hold),
        subject.clone().prop_map(Act::Clear),
        subject.prop_map(Act::Acknowledge),
    ]
}

proptest! {
    /// Whoever follows the changes has the board.
    #[test]
    fn the_changes_in_order_make_the_board(acts in prop::collection::vec((act(), 0_u64..600), 0..60)) {
        let mut board = board();
        let mut now = 0;
        let mut raised: BTreeSet<u8> = BTreeSet::new();
        for (act, after) in acts {
            now += after;
            match act {
                Act::Raise(subject) => {
                    board.raise(AlarmKind::Risk, &subject.to_string(), "r", s(now));
                    raised.insert(subject);
                }
                Act::Hold(subject) => {
                    board.hold(AlarmKind::Risk, &subject.to_string(), "r", s(now));
                    raised.insert(subject);
                }
                Act::Clear(subject) => {
                    board.clear(AlarmKind::Risk, &subject.to_string(), s(now));
                    raised.remove(&subject);
                }
                Act::Acknowledge(subject) => {
                    if let Some(id) = board.find(AlarmKind::Risk, &subject.to_string()).map(|alarm| alarm.id) {
                        let _ = board.acknowledge(id, ("alice", "r"), s(now));
                    }
                }
            }
        }
        let events = board.since(0).events;
        let mut followed = BTreeMap::new();
        for (place, event) in events.iter().enumerate() {
            prop_assert_eq!(event.sequence, place as u64 + 1);
            followed.remove(&event.alarm.id);
            if event.change != Change::Cleared {
                followed.insert(event.alarm.id, event.alarm.state);
            }
        }
        let live: BTreeMap<_, _> = board.live().map(|alarm| (alarm.id, alarm.state)).collect();
        prop_assert_eq!(followed, live);
        let subjects: BTreeSet<u8> = board.live().map(|alarm| alarm.subject.parse().unwrap()).collect();
        prop_assert_eq!(subjects, raised);
    }
}
