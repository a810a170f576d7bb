//! Keeps what one simulated terminal knows, and what it believes of the money.

use super::terminal::drive::Attendant;
use super::terminal::{Memory, Slip, Standing, Terminal};
use super::till_roll::{Step, TillRoll};
use crate::model::Amount;
use crate::model::BatchNumber;
use crate::model::Kind;
use crate::model::Rrn;
use crate::model::Stan;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a slip says of the money.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Says {
    /// So much was charged.
    Charges(Rrn, Amount),
    /// So much was given back.
    Gives(Rrn, Amount),
}

/// Follows the slips of one terminal from step to step.
pub(super) struct Teller {
    roll: Option<Arc<TillRoll>>,
    /// Of the slips that the terminal has.
    said: BTreeMap<(BatchNumber, Stan), Says>,
    believed: Step,
}

impl Teller {
    /// Goes on from what was believed when the memory was kept.
    pub(super) fn new(roll: Option<Arc<TillRoll>>, believed: Step, memory: &Memory) -> Self {
        Self { roll, said: said(memory), believed }
    }

    /// What it believes in the end.
    pub(super) fn believed(&mut self) -> Step {
        std::mem::take(&mut self.believed)
    }

    /// What is new since the last step.
    fn step(&mut self, memory: &Memory) -> Step {
        let now = said(memory);
        let mut step = Step::default();
        for (key, says) in &now {
            match self.said.get(key) {
                Some(before) if before == says => continue,
                // Another amount, of a tip, in place of the one before.
                Some(Says::Charges(rrn, _)) => step.undone.push(*rrn),
                _ => {}
            }
            match *says {
                Says::Charges(rrn, amount) => step.sales.push((rrn, amount)),
                Says::Gives(rrn, amount) => step.given.push((rrn, amount)),
            }
        }
        // A slip that says nothing any more was taken back; one that is not there any more was put away.
        let slips = memory.log.before.iter().chain(&memory.log.slips);
        for key in slips.map(|slip| (slip.batch, slip.stan)).filter(|key| !now.contains_key(key)) {
            if let Some(Says::Charges(rrn, _)) = self.said.get(&key) {
                step.undone.push(*rrn);
            }
        }
        self.said = now;
        step
    }
}

impl Attendant for Teller {
    fn keep(&mut self, terminal: &Terminal) -> std::io::Result<()> {
        let step = self.step(terminal.memory());
        let kept = self.roll.as_ref().map_or(Ok(()), |roll| roll.add(terminal, &step));
        self.believed.follow(step);
        kept
    }
}

fn said(memory: &Memory) -> BTreeMap<(BatchNumber, Stan), Says> {
    let all = || memory.log.before.iter().chain(&memory.log.slips);
    let completed = |hold: &Slip| all().any(|slip| slip.kind == Kind::Completion && slip.original == Some(hold.stan));
    let standing = all().filter(|slip| slip.standing == Standing::Stands);
    let telling = standing.filter(|slip| !(slip.kind == Kind::Authorization && completed(slip)));
    telling.filter_map(|slip| Some(((slip.batch, slip.stan), says(slip)?))).collect()
}

/// A sale made offline says nothing before the host gave it a number.
fn says(slip: &Slip) -> Option<Says> {
    let rrn = || slip.rrn.or_else(|| Rrn::parse(&[b' '; 12]));
    match slip.kind {
        Kind::Sale | Kind::Authorization | Kind::Completion => Some(Says::Charges(rrn()?, slip.amount)),
        Kind::OfflineSale => Some(Says::Charges(slip.rrn?, slip.amount)),
        Kind::Refund => Some(Says::Gives(rrn()?, slip.amount)),
        _ => None,
    }
}
