//! Random days beside oracles that keep every event in a list and look at all of them.

use super::Asked;
use super::Counters;
use super::Desk;
use super::desk;
use super::sale;
use proptest::prelude::*;
use std::collections::HashMap;
use tollgate::model::BusinessDate;
use tollgate::model::Kind;
use tollgate::risk::Counted;
use tollgate::risk::CounterKey;
use tollgate::risk::Fate;
use tollgate::risk::Memory;
use tollgate::risk::Reservation;

/// An event as the oracle keeps it.
#[derive(Clone, Debug)]
struct Event {
    asked: Asked,
    fate: Fate,
}

/// One thing that happens: a request, or an earlier one's fate.
#[derive(Clone, Debug)]
enum Happening {
    /// So many seconds after the one before; may be before it.
    Asked {
        after: i64,
        terminal: u32,
        card: u8,
        amount: u64,
        region: Option<u16>,
        kind: Kind,
    },
    Fate {
        which: prop::sample::Index,
        fate: Fate,
    },
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        Just(Fate::Live),
        Just(Fate::Undone),
        Just(Fate::Declined { pin: false }),
        Just(Fate::Declined { pin: true }),
    ]
}

fn happening() -> impl Strategy<Value = Happening> {
    let kind = prop_oneof![4 => Just(Kind::Sale), 1 => Just(Kind::Authorization), 1 => Just(Kind::Refund)];
    let region = prop::option::weighted(0.8, prop_oneof![Just(1_100), Just(2_900)]);
    // Often exactly at the ends of windows.
    let after = prop_oneof![4 => 0_i64..400, 2 => Just(600_i64), 1 => Just(1_800_i64), 1 => Just(-300_i64)];
    let asked = (after, 1_u32..3, 1_u8..4, 1_u64..5, region, kind).prop_map(
        |(after, terminal, card, hundreds, region, kind)| Happening::Asked {
            after,
            terminal,
            card,
            amount: hundreds * 100,
            region,
            kind,
        },
    );
    prop_oneof![
        3 => asked,
        1 => (any::<prop::sample::Index>(), fate()).prop_map(|(which, fate)| Happening::Fate { which, fate }),
    ]
}

fn counts(fate: Fate, counting: &str) -> bool {
    match counting {
        "live" => fate == Fate::Live,
        "attempts" => true,
        _ => matches!(fate, Fate::Declined { .. }),
    }
}

/// Sum and count of a card's earlier events within a window.
fn window(events: &[Event], asked: &Asked, within: i64, counting: &str) -> (u64, u64) {
    let inside = events.iter().filter(|event| {
        let spends = event.asked.kind != Kind::Refund || counting == "declines";
        let is_young = asked.at - event.asked.at < within * 1_000_000;
        event.asked.card == asked.card && spends && is_young && counts(event.fate, counting)
    });
    inside.fold((0, 0), |(sum, count), event| (sum + event.asked.amount, count + 1))
}

fn jumps(events: &[Event], asked: &Asked) -> bool {
    let Some(here) = asked.scene.region else { return false };
    events.iter().any(|event| {
        let same = event.asked.card == asked.card || event.asked.terminal == asked.terminal;
        let elsewhere = event.asked.scene.region.is_some_and(|region| region != here);
        let is_young = asked.at - event.asked.at < 1_800 * 1_000_000;
        same && elsewhere && is_young && event.fate == Fate::Live
    })
}

/// Lets it all happen, with every request's judgement; `each` looks at them.
fn day(happenings: &[Happening], desk: &mut Desk, mut each: impl FnMut(&Desk, &[Event], &Asked)) {
    let (mut events, mut second): (Vec<Event>, i64) = (Vec::new(), 0);
    for (number, happening) in happenings.iter().enumerate() {
        match happening {
            Happening::Asked { after, terminal, card, amount, region, kind } => {
                second += after;
                let mut asked = sale(second).terminal(*terminal).card(*card).amount(*amount).kind(*kind);
                asked.scene.region = region.and_then(tollgate::model::Region::new);
                asked.at += i64::try_from(number).unwrap() % 2;
                each(desk, &events, &asked);
                desk.memory.note(&asked.situation(), Fate::Live);
                events.push(Event { asked, fate: Fate::Live });
            }
            Happening::Fate { which, fate } => {
                if events.is_empty() {
                    continue;
                }
                let event = which.get(&events).clone();
                let place = which.index(events.len());
                desk.memory.change(&event.asked.situation(), event.fate, *fate);
                events[place].fate = *fate;
            }
        }
    }
}

fn spoke(desk: &Desk, asked: &Asked) -> Vec<String> {
    let note = desk.judge(asked).note;
    note.map_or_else(Vec::new, |note| note.hits.iter().map(|hit| hit.rule.to_string()).collect())
}

proptest! {
    #[test]
    fn sliding_windows_are_what_a_list_of_all_events_says(happenings in prop::collection::vec(happening(), 1..150)) {
        let rule = |counting: &str, what: &str| {
            format!(
                "id = \"{counting}-{what}\"\nkind = \"velocity\"\naction = \"alert\"\nper = \"card\"\nwithin_s = 600\n\
                 counting = \"{counting}\"\nkinds = [\"sale\", \"authorization\", \"refund\"]\n{what} = 3"
            )
        };
        let all = ["live", "attempts", "declines"];
        let rules: Vec<String> = all.iter().map(|counting| rule(counting, "count")).collect();
        let mut desk = desk(&rules.iter().map(String::as_str).collect::<Vec<_>>());
        let mut failed = None;
        day(&happenings, &mut desk, |desk, events, asked| {
            let expected: Vec<String> = all
                .iter()
                .filter(|counting| window(events, asked, 600, counting).1 + 1 > 3)
                .map(|counting| format!("{counting}-count"))
                .collect();
            let told = spoke(desk, asked);
            if told != expected {
                failed = Some(format!("{asked:?}: {told:?}, not {expected:?}"));
            }
        });
        prop_assert_eq!(failed, None);
    }

    #[test]
    fn sums_are_what_a_list_of_all_events_says(happenings in prop::collection::vec(happening(), 1..150)) {
        let rules = ["kind = \"velocity\"\naction = \"alert\"\nper = \"card\"\nwithin_s = 600\namount = 900"];
        let mut desk = desk(&rules);
        let mut failed = None;
        day(&happenings, &mut desk, |desk, events, asked| {
            let expected = asked.kind != Kind::Refund && window(events, asked, 600, "live").0 + asked.amount > 900;
            if spoke(desk, asked).is_empty() == expected {
                failed = Some(format!("{asked:?}: {expected}"));
            }
        });
        prop_assert_eq!(failed, None);
    }

    #[test]
    fn a_region_jump_is_what_a_list_of_all_events_says(happenings in prop::collection::vec(happening(), 1..150)) {
        let mut desk = desk(&["kind = \"region-jump\"\nkinds = [\"sale\", \"authorization\", \"refund\"]"]);
        let mut failed = None;
        day(&happenings, &mut desk, |desk, events, asked| {
            if desk.refused(asked).is_some() != jumps(events, asked) {
                failed = Some(format!("{asked:?}"));
            }
        });
        prop_assert_eq!(failed, None);
    }

    /// Sales over three dates, some undone on a later one: each counter is what stands of its own date.
    #[test]
    fn daily_limits_are_what_stands_of_the_date(
        steps in prop::collection::vec((0_i8..3, 1_u8..3, 1_u64..6, any::<bool>(), any::<prop::sample::Index>()), 1..120),
    ) {
        let desk = &mut desk(&["kind = \"daily\"\nper = \"card\"\namount = 1000\ncount = 4"]);
        let mut standing: Vec<(Asked, Vec<Reservation>)> = Vec::new();
        let mut latest = 0;
        for (second, (day, card, hundreds, undo, which)) in steps.into_iter().enumerate() {
            latest = latest.max(day);
            if undo && !standing.is_empty() {
                let (_, reservations) = standing.swap_remove(which.index(standing.len()));
                give_back(&mut desk.counters, &reservations);
                continue;
            }
            let date = BusinessDate::new(2026, 11, 23 + latest).unwrap();
            let asked = Asked { date, ..sale(i64::try_from(second).unwrap()).card(card).amount(hundreds * 100) };
            let same = standing.iter().filter(|(other, _)| other.card == card && other.date == date);
            let (sum, count) = same.fold((0, 0), |(sum, count), (other, _)| (sum + other.amount, count + 1));
            let expected = sum + asked.amount > 1_000 || count + 1 > 4;
            let judgement = desk.judge(&asked);
            prop_assert_eq!(judgement.refusal.is_some(), expected);
            prop_assert_eq!(judgement.reservations.is_empty(), expected);
            if !expected {
                take(&mut desk.counters, &judgement.reservations);
                standing.push((asked, judgement.reservations.to_vec()));
            }
        }
        let mut sums: HashMap<CounterKey, (u64, u32)> = HashMap::new();
        for (asked, _) in &standing {
            let key = CounterKey { counted: Counted::Card(asked.situation().card), date: asked.date };
            let (sum, count) = sums.entry(key).or_default();
            *sum += asked.amount;
            *count += 1;
        }
        desk.counters.0.retain(|_, (_, count)| *count > 0);
        prop_assert_eq!(&desk.counters.0, &sums);
    }

    #[test]
    fn a_memory_restored_at_any_point_is_the_same_memory(
        happenings in prop::collection::vec(happening(), 1..200), cut in any::<prop::sample::Index>(),
    ) {
        let cut = cut.index(happenings.len());
        let mut whole = desk(&["kind = \"region-jump\""]);
        let mut judged = Vec::new();
        day(&happenings, &mut whole, |desk, _, asked| judged.push(desk.refused(asked)));

        let mut broken = desk(&["kind = \"region-jump\""]);
        let mut again = Vec::new();
        let mut asked_so_far = 0;
        let stop = happenings[..cut].iter().filter(|happening| matches!(happening, Happening::Asked { .. })).count();
        day(&happenings[..cut], &mut broken, |_, _, _| asked_so_far += 1);
        prop_assert_eq!(asked_so_far, stop);
        let rows = broken.memory.rows();
        let mut restored = Memory::default();
        for row in rows.iter().rev() {
            prop_assert!(restored.restore(row).is_some());
        }
        prop_assert_eq!(restored.rows(), rows);
        // The whole day once more, with a memory that is written down and read again before every request.
        let mut often = desk(&["kind = \"region-jump\""]);
        let mut events = Vec::new();
        day(&happenings, &mut often, |desk, _, asked| {
            let mut copy = Memory::default();
            let good = desk.memory.rows().iter().all(|row| copy.restore(row).is_some());
            let copy = Desk {
                rules: tollgate::risk::RuleSet::read(
                    "r",
                    "version = \"1\"\n[[rule]]\nid = \"j\"\nkind = \"region-jump\"\naction = \"decline\"",
                )
                .unwrap(),
                memory: copy,
                counters: Counters::default(),
            };
            again.push(copy.refused(asked));
            events.push(good);
        });
        prop_assert!(events.iter().all(|good| *good));
        prop_assert_eq!(again, judged);
        prop_assert_eq!(often.memory.rows(), whole.memory.rows());
    }
}

fn take(counters: &mut Counters, reservations: &[Reservation]) {
    for reservation in reservations {
        let (sum, count) = counters.0.entry(reservation.key).or_default();
        *sum += reservation.amount.minor();
        *count += 1;
    }
}

fn give_back(counters: &mut Counters, reservations: &[Reservation]) {
    for reservation in reservations {
        let (sum, count) = counters.0.entry(reservation.key).or_default();
        *sum -= reservation.amount.minor();
        *count -= 1;
    }
}
