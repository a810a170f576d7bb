//! What is remembered, how long, and in how much room.

use super::Asked;
use super::Desk;
use super::desk;
use super::sale;
use bytes::Bytes;
use proptest::prelude::*;
use tollgate::model::Region;
use tollgate::risk::Fate;
use tollgate::risk::Memory;
use tollgate::risk::MemoryRow;

const DAY: i64 = 86_400;

fn rows(memory: &Memory) -> usize {
    memory.rows().len()
}

/// The count of a velocity rule that speaks of everything.
fn counted(desk: &Desk, asked: &Asked) -> u64 {
    let evidence = desk.evidence(asked);
    evidence.split_once(": ").unwrap().1.split(' ').next().unwrap().parse().unwrap()
}

fn counting(counting: &str, within: i64) -> Desk {
    desk(&[&format!(
        "kind = \"velocity\"\nper = \"terminal\"\nwithin_s = {within}\ncounting = \"{counting}\"\ncount = 1\n"
    )])
}

#[test]
fn a_busy_trail_keeps_its_bound_and_counts_too_long_but_never_too_short() {
    for within in [60, 600, 3_600] {
        let mut desk = counting("live", within);
        for second in 0..5_000 {
            desk.memory.note(&sale(second).situation(), Fate::Live);
        }
        let row = desk.memory.rows().into_iter().map(|row| row.0.len()).max().unwrap();
        assert!(row <= 64 + Memory::SLOTS * 32, "{row} bytes");
        // One a second: so many within the window, and this one.
        let (exact, told) = (u64::try_from(within).unwrap(), counted(&desk, &sale(5_000)));
        assert!((exact..=exact + exact / 4).contains(&told), "{told} of {exact}");
        if within == 60 {
            assert_eq!(told, exact, "the newest are told apart");
        }
    }
}

#[test]
fn what_is_undone_is_found_also_among_what_was_told_together() {
    let mut desk = counting("live", 3_600);
    for second in 0..3_000 {
        desk.memory.note(&sale(second).situation(), Fate::Live);
    }
    for second in 0..2_990 {
        desk.memory.change(&sale(second).situation(), Fate::Live, Fate::Undone);
    }
    assert_eq!(counted(&desk, &sale(3_000)), 11);
    let attempts = counting("attempts", 3_600);
    let attempts = Desk { memory: desk.memory, ..attempts };
    assert_eq!(counted(&attempts, &sale(3_000)), 3_001, "undone is not untried");
}

#[test]
fn a_clock_that_steps_back_loses_nothing_and_one_that_was_far_ahead_is_forgotten() {
    let mut desk = counting("live", 60);
    desk.memory.note(&sale(3_600).situation(), Fate::Live);
    desk.memory.note(&sale(0).situation(), Fate::Live);
    assert_eq!(counted(&desk, &sale(1)), 3, "what lies ahead counts as of now");
    let mut desk = counting("live", 60);
    desk.memory.note(&sale(400 * DAY).situation(), Fate::Live);
    for day in 0..4 {
        desk.memory.note(&sale(day * DAY).terminal(2).situation(), Fate::Live);
    }
    assert!(desk.judge(&sale(4 * DAY)).note.is_none(), "it was another terminal's future");
}

#[test]
fn who_is_not_heard_of_for_two_days_is_forgotten() {
    let mut memory = Memory::default();
    memory.note(&sale(0).situation(), Fate::Live);
    let before = rows(&memory);
    memory.note(&Asked { merchant: 2, ..sale(DAY).terminal(2).card(2) }.situation(), Fate::Live);
    assert_eq!(memory.subjects(), [2, 2, 2, 1]);
    memory.note(&Asked { merchant: 3, ..sale(2 * DAY).terminal(3).card(3) }.situation(), Fate::Live);
    assert_eq!(memory.subjects(), [2, 2, 2, 1]);
    assert_eq!(before, 8, "a beginning and a trail of each sort");
}

#[test]
fn subjects_are_bounded_and_the_oldest_go_first() {
    let mut memory = Memory::bounded(100);
    for number in 0..1_000_u32 {
        memory.note(&sale(i64::from(number)).terminal(number).situation(), Fate::Live);
        assert!(memory.subjects().iter().all(|count| *count <= 200));
    }
    let desk = Desk { memory, ..counting("live", 3_600) };
    assert_eq!(counted(&desk, &sale(1_000).terminal(999)), 2);
    assert_eq!(counted(&desk, &sale(1_000).terminal(901)), 2, "a generation's worth is always there");
    assert!(desk.judge(&sale(1_000).terminal(700)).note.is_none());
}

#[test]
fn a_change_of_what_was_never_noted_is_counted_where_it_matters() {
    let mut desk = counting("declines", 60);
    desk.memory.change(&sale(0).situation(), Fate::Live, Fate::Declined { pin: false });
    assert_eq!(counted(&desk, &sale(1)), 2);
    let mut memory = Memory::default();
    memory.change(&sale(0).situation(), Fate::Live, Fate::Undone);
    assert_eq!(rows(&memory), 0);
}

#[test]
fn equal_days_make_equal_rows_whatever_the_hash_seeds() {
    let make = || {
        let mut memory = Memory::default();
        for number in 0..500_u32 {
            let mut asked =
                sale(i64::from(number) * 700).terminal(number % 40).card(u8::try_from(number % 200).unwrap());
            asked.scene.region = Region::new(u16::try_from(number % 5).unwrap());
            memory.note(&asked.situation(), Fate::Live);
            if number % 3 == 0 {
                memory.change(&asked.situation(), Fate::Live, Fate::Undone);
            }
        }
        memory.rows()
    };
    assert_eq!(make(), make());
}

#[test]
fn a_row_is_taken_in_once() {
    let mut memory = Memory::default();
    memory.note(&sale(0).situation(), Fate::Live);
    let rows = memory.rows();
    for row in &rows {
        assert_eq!(memory.restore(row), None);
    }
    assert_eq!(memory.rows(), rows);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Beside a list of all events, whatever becomes of them and whenever.
    #[test]
    fn a_window_of_a_busy_terminal_is_never_short(
        steps in prop::collection::vec((0_i64..20, 0_usize..4, any::<prop::sample::Index>()), 300..1_200),
        within in prop_oneof![Just(60_i64), Just(600), Just(3_600)],
    ) {
        let fates = [Fate::Live, Fate::Declined { pin: false }, Fate::Declined { pin: true }, Fate::Undone];
        let mut desks = ["live", "attempts", "declines"].map(|of| counting(of, within));
        let (mut events, mut second): (Vec<(Asked, Fate)>, i64) = (Vec::new(), 0);
        for (after, fate, which) in steps {
            second += after;
            let asked = Asked { at: sale(second).at + i64::try_from(events.len()).unwrap(), ..sale(second) };
            for desk in &mut desks {
                desk.memory.note(&asked.situation(), Fate::Live);
            }
            events.push((asked, Fate::Live));
            let (changed, from) = which.get(&events).clone();
            for desk in &mut desks {
                desk.memory.change(&changed.situation(), from, fates[fate]);
            }
            let place = which.index(events.len());
            events[place].1 = fates[fate];
        }
        let now = sale(second + 1);
        let young = |event: &&(Asked, Fate)| now.at - event.0.at < within * 1_000_000;
        let count = |is: &dyn Fn(Fate) -> bool| {
            u64::try_from(events.iter().filter(young).filter(|event| is(event.1)).count()).unwrap() + 1
        };
        let declined = |fate| matches!(fate, Fate::Declined { .. });
        let exact = [count(&|fate| fate == Fate::Live), count(&|_| true), count(&declined)];
        for (desk, exact) in desks.iter().zip(exact) {
            let told = desk.judge(&now).note.map_or(1, |_| counted(desk, &now));
            prop_assert!(told >= exact && told <= exact + exact / 2 + 8, "{told} of {exact}");
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_restore_panic_and_bad_ones_change_nothing(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut memory = Memory::default();
        if memory.restore(&MemoryRow(Bytes::from(bytes))).is_none() {
            prop_assert_eq!(rows(&memory), 0);
        }
    }

    #[test]
    fn damage_to_a_good_row_is_refused_or_taken_for_what_it_says(
        cut in any::<prop::sample::Index>(), byte in any::<u8>(), place in any::<prop::sample::Index>(),
        which in any::<prop::sample::Index>(),
    ) {
        let mut memory = Memory::default();
        for second in 0..700 {
            memory.note(&sale(second).situation(), Fate::Live);
        }
        let rows = memory.rows();
        let mut bytes = which.get(&rows).0.to_vec();
        let at = place.index(bytes.len());
        bytes[at] = byte;
        let mut restored = Memory::default();
        if restored.restore(&MemoryRow(Bytes::from(bytes.clone()))).is_some() {
            prop_assert_eq!(restored.rows(), [MemoryRow(Bytes::from(bytes.clone()))]);
            // And the memory is of use.
            let desk = Desk { memory: restored, ..counting("live", 3_600) };
            let _ = desk.judge(&sale(700));
            let mut memory = desk.memory;
            for second in 700..1_500 {
                memory.note(&sale(second).situation(), Fate::Live);
                memory.change(&sale(second - 3).situation(), Fate::Live, Fate::Undone);
            }
        }
        bytes.truncate(cut.index(bytes.len()));
        let _ = Memory::default().restore(&MemoryRow(Bytes::from(bytes)));
    }
}
