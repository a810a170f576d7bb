//! Named scenarios, small enough to crash at every effect.

use super::by_rules;
use super::days;
use super::disk::Loss;
use super::plan::Crash;
use super::plan::Keeping;
use super::plan::Manner;
use super::plan::Plan;
use super::plan::StandIn;
use super::plan::Step;
use super::plan::TillPlan;
use super::plan::Way;
use super::run::Report;
use super::setup::TERMINALS;
use super::weather::Faults;
use crate::model::CutOver;
use crate::model::Kind;
use std::time::Duration;

/// One scenario: its name and its world without a crash.
pub struct Scenario {
    /// What happens in it.
    pub name: &'static str,
    /// Its world.
    pub plan: Plan,
}

/// Cards: of the first issuer, and of the second.
pub(super) const CARD_A: usize = 0;
pub(super) const CARD_B: usize = 1;
/// Amounts that make an issuer misbehave (`tollgate issuer rules`).
pub(super) const SLOW: u64 = 66_601;
const SILENT: u64 = 66_603;
const LATE: u64 = 66_604;

pub(super) const fn sale(minor: u64, card: usize, manner: Manner) -> Step {
    Step::Buy(Kind::Sale, minor, card, manner)
}

pub(super) fn quiet() -> Faults {
    Faults { way_ms: 20, issuer_way_ms: 20, ..Faults::default() }
}

pub(super) fn scenario(name: &'static str, tills: &[(Way, &[Step])], faults: Faults) -> Scenario {
    let numbered = (TERMINALS[0]..).zip(tills);
    let tills = numbered.map(|(number, (way, steps))| TillPlan { number, way: *way, steps: steps.to_vec() }).collect();
    Scenario { name, plan: Plan { tills, faults, strict: true, ..Plan::quiet(1) } }
}

/// One terminal that signs in before the part that counts.
fn till(name: &'static str, steps: &[Step]) -> Scenario {
    let steps = [&[Step::SignIn, sale(5_00, CARD_B, Manner::Plain), Step::Mark], steps].concat();
    scenario(name, &[(Way::Pos, &steps)], quiet())
}

/// All of them.
#[must_use]
pub fn scenarios() -> Vec<Scenario> {
    use Manner::{Again, Overtaken, Plain, PowerCut, Reversed};
    let first = [Step::SignIn, Step::Strangers, sale(10_00, CARD_A, Plain)];
    let mut all = vec![
        scenario("first sign-in, new keys", &[(Way::Pos, &[Step::SignIn, sale(10_00, CARD_A, Plain)])], quiet()),
        till("sign-in again, new keys", &[Step::SignIn, sale(10_00, CARD_A, Plain)]),
        till(
            "sign-in unheard, old keys",
            &[Step::SignInUnheard, Step::WrongMac, Step::Rest(61_000), sale(10_00, CARD_A, Plain)],
        ),
        till("strangers sign in, new keys", &[Step::SignIn, Step::Strangers, sale(10_00, CARD_A, Plain)]),
        scenario("strangers sign in, first keys", &[(Way::Pos, &first)], quiet()),
        till("sale approved", &[sale(10_00, CARD_A, Plain)]),
        till("sale declined", &[sale(10_51, CARD_A, Plain)]),
        till("balance inquiry", &[Step::Buy(Kind::Balance, 0, CARD_B, Plain)]),
        till("issuer silent", &[sale(SILENT, CARD_A, Plain)]),
        till("answer late", &[sale(LATE, CARD_B, Plain), Step::Rest(10_000)]),
        till("reversed before the answer", &[sale(SLOW, CARD_B, Reversed(1_000))]),
        till("reversed after the answer", &[sale(10_00, CARD_A, Plain), Step::Undo]),
        till("reversal overtakes its original", &[sale(10_00, CARD_A, Overtaken), Step::Rest(3_000)]),
        till("duplicate while running", &[sale(SLOW, CARD_A, Again)]),
        till("repeat after the answer", &[sale(10_00, CARD_A, Plain), Step::Repeat]),
        till("other content under the same number", &[sale(10_00, CARD_A, Plain), Step::OtherContent]),
        till("terminal loses its power", &[sale(10_00, CARD_A, PowerCut(10))]),
        till("segments follow each other", &[sale(10_00, CARD_A, Plain); 5]),
    ];
    let refusing = Faults { owed_later: 600, ..quiet() };
    all.push(scenario(
        "store-and-forward goes on",
        &[(Way::Host, &[Step::Mark, sale(SILENT, CARD_B, Plain)])],
        refusing,
    ));
    let never = Faults { owed_never: 1_000, ..quiet() };
    all.push(scenario("dead letter", &[(Way::Host, &[Step::Mark, sale(SILENT, CARD_A, Plain)])], never));
    let not_taken = Faults { not_taken: 1_000, ..quiet() };
    let mut rerouted =
        scenario("not sent, rerouted", &[(Way::Host, &[Step::Mark, sale(10_00, CARD_A, Plain)])], not_taken);
    rerouted.plan.fallback = true;
    all.push(rerouted);
    let slow = Faults { hsm_slow_ms: 900, ..quiet() };
    let early = [Step::Mark, sale(10_00, CARD_A, Reversed(300)), sale(10_00, CARD_B, Reversed(700))];
    all.push(scenario("reversed while the HSM is at it", &[(Way::Host, &early)], slow));
    let next_day = [Step::Mark, sale(10_00, CARD_A, Plain), Step::ClockJump(600), Step::Undo];
    all.push(scenario("reversed on the next day", &[(Way::Host, &next_day)], quiet()));
    let failing = Faults { disk_errors: 150, ..quiet() };
    all.push(scenario(
        "disk errors",
        &[(Way::Host, &[sale(10_00, CARD_A, Plain), sale(10_00, CARD_B, Plain)])],
        failing,
    ));
    all.extend(devices());
    all.extend(beside());
    all.extend(zone_keys());
    all.extend(days::days());
    all.extend(by_rules::by_rules());
    let steps: [&[Step]; 2] = [
        &[Step::Buy(Kind::Authorization, 10_00, CARD_A, Plain), Step::Undo],
        &[Step::SignIn, sale(SILENT, CARD_B, Plain)],
    ];
    all.push(scenario("two terminals, two issuers", &[(Way::Host, steps[0]), (Way::Pos, steps[1])], quiet()));
    let mut limited = till("limit reached and given back", &[sale(20_00, CARD_A, Plain), Step::Repeat, Step::Undo]);
    limited.plan.daily_amount = Some(30_00);
    all.push(limited);
    all
}

/// Terminals that are DUKPT devices: what comes again, and what comes after something later.
fn devices() -> [Scenario; 2] {
    use Manner::{Again, Overtaken, Plain};
    let back = [Step::Mark, sale(10_00, CARD_A, Plain), Step::Undo, Step::RepeatLast, sale(20_00, CARD_B, Plain)];
    let again = [Step::Mark, sale(SLOW, CARD_A, Again), Step::RepeatLast, sale(20_00, CARD_B, Overtaken)];
    let again = [&again[..], &[Step::Rest(3_000), Step::WrongMac, Step::OtherContent]].concat();
    [
        scenario("device, serial number below its mark", &[(Way::Device, &back)], quiet()),
        scenario("device, copies and other content", &[(Way::Device, &again)], quiet()),
    ]
}

/// What happens when issuers cannot be reached, and beside the running station.
fn beside() -> [Scenario; 6] {
    use Manner::Plain;
    let down = [Step::Mark, Step::LinksDown(4_000), Step::Tap(10_00, CARD_A)];
    let mut stands_in = scenario("stand-in, the issuer told afterwards", &[(Way::Host, &down)], quiet());
    stands_in.plan.stand_in = StandIn::Small;
    let undone = [&down[..], &[Step::Undo, Step::Tap(20_00, CARD_B)]].concat();
    let mut undone = scenario("stand-in undone before the issuer knows", &[(Way::Host, &undone)], quiet());
    undone.plan.stand_in = StandIn::Counted(15_00);
    let refusing = Faults { owed_never: 1_000, ..quiet() };
    let mut refused = scenario("dead letter of an advice", &[(Way::Host, &down)], refusing);
    refused.plan.stand_in = StandIn::Small;
    let keeping = Keeping { snapshots: true, removes: true, closes: true };
    let days = [
        &[Step::Mark][..],
        &[sale(10_00, CARD_A, Plain); 3],
        &[Step::ClockJump(600), Step::Rest(8_000)],
        &[sale(20_00, CARD_B, Plain); 3],
        &[Step::Repeat, Step::Rest(4_000)],
    ];
    let mut days = scenario("the day is closed, snapshots follow", &[(Way::Host, &days.concat())], quiet());
    days.plan.keeping = keeping;
    let back = [Step::Mark, sale(10_00, CARD_A, Plain), Step::ClockJump(600), Step::Rest(8_000), Step::Undo];
    let mut back = scenario("reversed when its day is closed", &[(Way::Host, &back)], quiet());
    back.plan.keeping = keeping;
    let over = [Step::Mark, Step::Rest(59_000), sale(SLOW, CARD_B, Plain), Step::Undo, sale(10_00, CARD_A, Plain)];
    let mut over = scenario("cut-over while a sale runs", &[(Way::Host, &over)], quiet());
    over.plan.cut_over = CutOver::parse("15:01").unwrap_or_default();
    [stands_in, undone, refused, days, back, over]
}

/// Keys that station and issuers share, changed from either side while sales run.
fn zone_keys() -> [Scenario; 3] {
    use Manner::Plain;
    let change = |after, pin, theirs| Step::ZoneKey { after, bank: 0, pin, theirs };
    let (sold, rest) = (sale(10_00, CARD_A, Plain), Step::Rest(6_000));
    let ours = [Step::Mark, change(1, false, false), sold, change(1, true, false), sold, rest];
    let theirs = [Step::Mark, change(1, false, true), sold, change(1, true, true), sold, rest];
    let both = [
        Step::Mark,
        change(1, false, false),
        change(30, false, true),
        sold,
        change(1, true, true),
        change(30, true, false),
        sold,
        rest,
    ];
    [
        scenario("zone keys changed by the station", &[(Way::Host, &ours)], quiet()),
        scenario("zone keys changed by the issuer", &[(Way::Host, &theirs)], quiet()),
        scenario("zone keys changed by both at once", &[(Way::Host, &both)], quiet()),
    ]
}

/// The worlds in which the station goes down before and after every effect of a scenario, by what becomes of what was
/// not synced. `calm` is the report of the scenario without a crash.
#[must_use]
pub fn crashes(scenario: &Scenario, calm: &Report) -> Vec<(String, Plan)> {
    let (from, to) = calm.effects;
    let mut plans = Vec::new();
    for effect in from + 1..=to {
        for (after, loss) in [(false, Loss::All), (true, Loss::All), (true, Loss::Nothing), (true, Loss::Some)] {
            let crash = Crash { effects: effect, after, loss, down: Duration::from_millis(700) };
            // Where the machine only lost the process, the power goes soon after, at each effect of the new start in turn.
            let soon = Crash { effects: 1 + effect % 9, after: effect % 2 == 0, loss: Loss::All, ..crash };
            let crashes = if loss == Loss::Nothing { vec![crash, soon] } else { vec![crash] };
            let when = if after { "after" } else { "before" };
            let name = format!("{}, down {when} effect {effect}, {loss:?} lost", scenario.name);
            plans.push((name, Plan { crashes, strict: false, ..scenario.plan.clone() }));
        }
    }
    plans
}
