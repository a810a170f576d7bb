//! Lives a day: does each step of a script and compares how it ended with what was expected.

use super::day::{Day, Expected, Named, Step};
use super::deed::{Deed, Done, Task};
use super::drive::{Attendant, DriveFault, Driver, Outcome};
use super::follow::Original;
use super::shift::Settlement;
use super::slip::Slip;
use crate::model::Amount;
use crate::model::Kind;
use std::collections::BTreeMap;

/// How a step ended.
pub struct Lived<'a> {
    /// The step.
    pub step: &'a Step,
    /// Its place, counted from one.
    pub number: usize,
    /// How much it was about.
    pub amount: Amount,
    /// What it ended with: a code of two characters, or a word.
    pub outcome: String,
    /// Whether that was expected.
    pub as_expected: bool,
    /// Its slip, if it left one.
    pub slip: Option<Slip>,
}

/// Lives a whole day. Steps after one that did not go as expected are done all the same, but without a
/// connection the day ends. `tell` hears of each step. Returns how many steps went wrong, those that were
/// not reached included.
///
/// # Errors
/// [`DriveFault::Keep`]: the memory cannot be kept.
pub async fn live<A: Attendant>(
    driver: &mut Driver<A>,
    day: &Day,
    mut tell: impl FnMut(&mut Driver<A>, &Lived<'_>),
) -> Result<usize, DriveFault> {
    let mut named: BTreeMap<&str, Slip> = BTreeMap::new();
    let mut wrong = 0;
    for (place, step) in day.steps.iter().enumerate() {
        prepare(driver, step);
        let (original, amount) = charged(driver, step, &named);
        let (outcome, slip) = match driver.perform(&task(step, original.as_ref(), amount)).await {
            Ok(done) => ended(done),
            Err(DriveFault::Terminal(fault)) => (format!("refused: {fault}"), None),
            Err(fault) => return Err(fault),
        };
        if let (Some(name), Some(slip)) = (&step.name, &slip) {
            named.insert(name, slip.clone());
        }
        let as_expected = meets(&step.expect, &outcome);
        wrong += usize::from(!as_expected);
        let number = place + 1;
        let over = outcome == UNREACHABLE;
        tell(driver, &Lived { step, number, amount, outcome, as_expected, slip });
        if over {
            return Ok(wrong + day.steps.len() - number);
        }
    }
    Ok(wrong)
}

/// What a day without a host ends with.
pub const UNREACHABLE: &str = "no connection";

/// Who is there, and what the terminal loses before this step.
fn prepare<A: Attendant>(driver: &mut Driver<A>, step: &Step) {
    if let Some(operator) = &step.operator {
        driver.terminal_mut().set_operator(operator);
    }
    if let Some(number) = step.lie {
        driver.terminal_mut().lose(number);
    }
}

fn task<'a>(step: &'a Step, original: Option<&'a Original>, amount: Amount) -> Task<'a> {
    Task {
        deed: step.deed,
        amount,
        tip: step.tip.unwrap_or(Amount::ZERO),
        card: step.card.as_ref(),
        original,
        code: step.code.as_ref(),
        to: step.to.as_deref(),
        approval: step.approval,
    }
}

/// What the step follows and how much it is about: what the script says, or else what the original was.
fn charged<A: Attendant>(driver: &Driver<A>, step: &Step, named: &BTreeMap<&str, Slip>) -> (Option<Original>, Amount) {
    let said = step.amount.unwrap_or(Amount::ZERO);
    match &step.of {
        None => (None, said),
        Some(Named::Receipt(original)) => (Some((**original).clone()), said),
        Some(Named::Step(name)) => {
            let Some(kept) = named.get(name.as_str()) else { return (None, said) };
            // The log knows what became of it since: a tip, a number.
            let slip = driver.terminal().memory().log.find(kept.stan);
            let slip = slip.filter(|slip| slip.kind == kept.kind && slip.batch == kept.batch).unwrap_or(kept);
            (Some(Original::from(slip)), step.amount.unwrap_or_else(|| whole(step, slip)))
        }
    }
}

/// All of the original; with the new tip instead of the old one, if the step is a tip.
fn whole(step: &Step, slip: &Slip) -> Amount {
    match (step.deed, step.tip) {
        (Deed::Follow(Kind::Adjustment), Some(tip)) => {
            slip.amount.minus(slip.tip).and_then(|bare| bare.plus(tip)).unwrap_or(slip.amount)
        }
        _ => slip.amount,
    }
}

fn ended(done: Done) -> (String, Option<Slip>) {
    match done {
        Done::Asked(_, outcome, slip) => (word(&outcome), slip.map(|slip| *slip)),
        Done::Offline(slip) => ("offline".to_owned(), Some(*slip)),
        Done::Settled(Settlement::Closed(settled)) => {
            (if settled.balanced { "balanced" } else { "unbalanced" }.to_owned(), None)
        }
        Done::Settled(Settlement::ByHost) => ("closed by the host".to_owned(), None),
        Done::Settled(Settlement::Stopped(outcome)) | Done::NotReady(outcome) => {
            (outcome.as_ref().map_or("not ready".to_owned(), word), None)
        }
        Done::Nothing => ("nothing to do".to_owned(), None),
    }
}

fn word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Answered(answer) if !answer.valid => "not believed".to_owned(),
        Outcome::Answered(answer) => answer.wire_code.clone(),
        Outcome::Silent => "silence".to_owned(),
        Outcome::NoConnection(_) => UNREACHABLE.to_owned(),
    }
}

fn meets(expected: &Expected, outcome: &str) -> bool {
    match expected {
        Expected::Code(code) => code == outcome,
        Expected::Silence => outcome == "silence",
        Expected::Refused => outcome.starts_with("refused"),
        Expected::Balanced => outcome == "balanced",
        Expected::Unbalanced => outcome == "unbalanced",
        Expected::Any => outcome != UNREACHABLE,
    }
}
