//! A plan from a seed: which faults are on, how much, and who does what.

use super::chance::Chance;
use super::disk::Loss;
use super::plan::Crash;
use super::plan::Keeping;
use super::plan::Manner;
use super::plan::Plan;
use super::plan::StandIn;
use super::plan::Step;
use super::plan::TillPlan;
use super::plan::Way;
use super::rules::Rules;
use super::setup::TERMINALS;
use super::weather::Faults;
use crate::model::CutOver;
use crate::model::Kind;

/// The plan of a seed. Swarm testing (Groce et al., ISSTA 2012): each seed has most faults off, and those that are on
/// are on in earnest.
#[must_use]
pub fn seeded(seed: u64) -> Plan {
    let mut chance = Chance::new(seed, 0);
    let terminals = 1 + u32::try_from(chance.below(3)).unwrap_or(0);
    let tills = (0..terminals).map(|index| till(&mut chance, TERMINALS[0] + index)).collect();
    let (mut faults, stand_in) = (faults(&mut chance), stand_in(&mut chance));
    if stand_in != StandIn::Never {
        faults.links_down += 1 + u32::try_from(chance.below(4)).unwrap_or(0);
    }
    let count = if chance.below(4) == 0 { 0 } else { 1 + chance.below(3) };
    Plan {
        seed,
        tills,
        faults,
        crashes: (0..count).map(|_| crash(&mut chance)).collect(),
        daily_amount: (chance.below(3) == 0).then(|| 100 * (300 + chance.below(900))),
        strict: chance.below(8) == 0,
        fallback: chance.below(2) == 0,
        stand_in,
        keeping: keeping(&mut chance),
        cut_over: cut_over(&mut chance),
        key_changes: key_changes(&mut chance),
        rules: rules(&mut chance),
    }
}

fn till(chance: &mut Chance, number: u32) -> TillPlan {
    let way = match chance.below(6) {
        0 | 1 => Way::Host,
        2 => Way::Device,
        _ => Way::Pos,
    };
    let count = 2 + chance.below(7);
    let mut steps: Vec<Step> = (0..count).map(|_| step(chance)).collect();
    if let Some(story) = story(chance) {
        let at = chance.place(steps.len());
        steps.splice(at..at, story);
    }
    TillPlan { number, way, steps }
}

fn step(chance: &mut Chance) -> Step {
    match chance.below(40) {
        0 => Step::SignIn,
        1 | 2 => Step::Undo,
        3 | 4 => Step::Repeat,
        5 => Step::OtherContent,
        6 => Step::WrongMac,
        7 => Step::Rest(chance.below(30_000)),
        8 => Step::Buy(Kind::Balance, 0, chance.place(3), Manner::Plain),
        9 => Step::Buy(Kind::Authorization, minor(chance), chance.place(3), manner(chance)),
        14..=22 => follow(chance),
        23 => Step::Offline(Kind::OfflineSale, 1_000 * (1 + chance.below(40)), chance.place(3)),
        24 => Step::Offline(Kind::OfflineRefund, 1_000 * (1 + chance.below(9)), chance.place(3)),
        25 | 26 => Step::Settle { lies: chance.below(4) == 0 },
        27 => Step::ForceClose(chance.below(4_000)),
        28 => Step::Buy(Kind::Transfer, minor(chance), 1 + chance.place(2), Manner::Plain),
        29 => Step::Buy(Kind::Verification, 0, chance.place(3), Manner::Plain),
        30 | 31 => Step::Buy(Kind::Authorization, minor(chance), chance.place(3), manner(chance)),
        10..=13 => Step::Tap(500 * (1 + chance.below(20)), chance.place(3)),
        _ => Step::Buy(Kind::Sale, minor(chance), chance.place(3), manner(chance)),
    }
}

/// Steps that only mean something one after the other.
fn story(chance: &mut Chance) -> Option<Vec<Step>> {
    let hold = Step::Buy(Kind::Authorization, 1_000 * (1 + chance.below(20)), chance.place(3), Manner::Plain);
    let sale = Step::Buy(Kind::Sale, 1_000 * (1 + chance.below(20)), chance.place(3), Manner::Plain);
    let (void, next_day) = (Step::Follow(Kind::SaleVoid, 100), [Step::ClockJump(600), Step::Rest(9_000)]);
    Some(match chance.below(14) {
        0 => vec![hold, Step::Follow(Kind::Completion, 100), Step::Follow(Kind::CompletionVoid, 100)],
        1 => vec![hold, Step::Follow(Kind::CompletionAdvice, 110), Step::Follow(Kind::CompletionVoid, 100)],
        2 => vec![hold, Step::Follow(Kind::Increment, 50), Step::Follow(Kind::AuthorizationVoid, 100)],
        3 => vec![sale, void, Step::Undo],
        4 => [&[sale][..], &next_day, &[Step::Undo]].concat(),
        5 => [&[sale][..], &next_day, &[Step::Follow(Kind::Refund, 50)]].concat(),
        6 => [&[hold][..], &next_day, &[Step::Follow(Kind::Completion, 100), Step::Repeat]].concat(),
        7 => vec![sale, Step::Settle { lies: false }, Step::RepeatLast],
        8 => vec![sale, Step::Follow(Kind::Refund, 50), Step::Undo],
        9 => vec![hold, Step::Follow(Kind::CompletionAdvice, 90), Step::Undo],
        _ => return None,
    })
}

/// What may follow, and how much of what it follows.
const FOLLOW_UPS: [(Kind, u64); 14] = [
    (Kind::SaleVoid, 100),
    (Kind::SaleVoid, 100),
    (Kind::Refund, 50),
    (Kind::Refund, 60),
    (Kind::Refund, 100),
    (Kind::AuthorizationVoid, 100),
    (Kind::Increment, 50),
    (Kind::Completion, 100),
    (Kind::Completion, 110),
    (Kind::Completion, 150),
    (Kind::CompletionAdvice, 90),
    (Kind::CompletionVoid, 100),
    (Kind::CompletionVoid, 100),
    (Kind::Adjustment, 110),
];

fn follow(chance: &mut Chance) -> Step {
    let (kind, percent) = chance.pick(&FOLLOW_UPS).copied().unwrap_or((Kind::SaleVoid, 100));
    Step::Follow(kind, percent)
}

/// Amounts that are approved, some in part, some that are declined, and those that make an issuer misbehave by itself.
fn minor(chance: &mut Chance) -> u64 {
    match chance.below(9) {
        2 => 1_000 * (1 + chance.below(9)) + 10,
        0 => 66_600 + 1 + chance.below(10),
        1 => 1_000 * (1 + chance.below(9)) + 51,
        _ => 1_000 * (1 + chance.below(90)),
    }
}

fn manner(chance: &mut Chance) -> Manner {
    match chance.below(10) {
        0 | 1 => Manner::Again,
        2 => Manner::Reversed(chance.below(8_000)),
        3 => Manner::Overtaken,
        4 => Manner::PowerCut(chance.below(8_000)),
        _ => Manner::Plain,
    }
}

/// Each is off in two seeds of three.
fn faults(chance: &mut Chance) -> Faults {
    let mut rate = |most: u64| {
        let on = chance.below(3) == 0;
        let rate = u32::try_from(1 + chance.below(most)).unwrap_or(0);
        if on { rate } else { 0 }
    };
    Faults {
        lost: rate(200),
        way_ms: 20 + u64::from(rate(2_000)),
        issuer_way_ms: 20 + u64::from(rate(4_000)),
        not_taken: rate(300),
        torn: rate(200),
        vanished: rate(200),
        silent: rate(300),
        late: rate(300),
        twice: rate(300),
        wrong_stan: rate(200),
        wrong_amount: rate(200),
        garbage: rate(200),
        wrong_mac: rate(200),
        owed_later: rate(700),
        owed_never: if rate(3) == 1 { 300 } else { 0 },
        forgetful: rate(1) == 1,
        resets: rate(4),
        half_open: rate(3),
        links_down: rate(3),
        hsm_slow_ms: u64::from(rate(1_200)),
        garbled_mac: rate(100),
        hsm_outages: rate(3),
        sync_ms: u64::from(rate(3_000)),
        disk_errors: rate(60),
        disk_full: rate(2),
        clock_steps: rate(3),
    }
}

/// Midnight is far off; in every other world the next date begins while the first steps are taken.
fn cut_over(chance: &mut Chance) -> CutOver {
    let text = ["00:00", "00:00", "15:01", "15:02"];
    chance.pick(&text).and_then(|text| CutOver::parse(text)).unwrap_or_default()
}

/// In every other world.
fn key_changes(chance: &mut Chance) -> u32 {
    let most = 1 + chance.below(4);
    if chance.below(2) == 0 { u32::try_from(most).unwrap_or(1) } else { 0 }
}

/// Limits that some worlds meet and others do not; one world in three has a rule that holds terminals.
fn rules(chance: &mut Chance) -> Rules {
    let mut limit = |least: u64, most: u64| 100 * (least + chance.below(most - least));
    let (card, merchant, entry) = (limit(300, 2_500), limit(400, 3_500), limit(300, 2_500));
    let range_count = 2 + chance.below(8);
    Rules { card, merchant, entry, range_count, holds: chance.below(3) == 0 }
}

fn stand_in(chance: &mut Chance) -> StandIn {
    let drawn = [StandIn::Never, StandIn::Small, StandIn::Counted(60_00)];
    chance.pick(&drawn).copied().unwrap_or(StandIn::Never)
}

fn keeping(chance: &mut Chance) -> Keeping {
    let mut half = || chance.below(2) == 0;
    Keeping { snapshots: half(), removes: half(), closes: half() }
}

fn crash(chance: &mut Chance) -> Crash {
    let loss = [Loss::Nothing, Loss::All, Loss::Some];
    Crash {
        effects: 1 + chance.below(60),
        after: chance.below(2) == 0,
        loss: *chance.pick(&loss).unwrap_or(&Loss::All),
        down: chance.millis(100, 40_000),
    }
}
