//! Do terminals, switch and issuers agree to the cent?

use crate::ledger::Effect;
use crate::ledger::Outcome;
use crate::ledger::Recorded;
use crate::ledger::TxnId;
use crate::ledger::kinds;
use crate::model::Amount;
use crate::model::IssuerName;
use crate::model::Kind;
use crate::model::Rrn;
use crate::model::TerminalId;
use crate::settle::line;
use crate::sim::issuer::books::Money;
use crate::sim::issuer::books::Posting;
use crate::sim::load::Belief;
use crate::sim::load::Live;
use std::collections::HashMap;
use std::sync::atomic::Ordering;

/// The three totals, in minor units, charges less refunds, and every place where they part.
#[derive(Debug, Default)]
pub(in crate::cli) struct Comparison {
    /// What simulated terminals believe.
    pub terminals: i64,
    /// What the ledger says of simulated terminals.
    pub simulated: i64,
    /// What the ledger says of all terminals.
    pub switch: i64,
    /// What the issuers booked or hold, less what they gave back.
    pub issuers: i64,
    /// What the ledger says of all terminals, but for holds and transfers, which no settlement has.
    pub to_settle: i64,
    /// A line each.
    pub differences: Vec<String>,
}

/// Compares transaction by transaction.
#[must_use]
pub(in crate::cli) fn compare(
    records: &[Recorded],
    books: &[(IssuerName, Vec<Posting>)],
    beliefs: &[Belief],
) -> Comparison {
    let mut comparison = Comparison::default();
    let ids: HashMap<TxnId, &Recorded> = records.iter().map(|record| (record.intent.id, record)).collect();
    // What was added to a hold goes with it.
    let held = |record: &Recorded| {
        let hold = record.intent.follows.filter(|_| record.intent.kind == Kind::Increment);
        hold.and_then(|hold| ids.get(&hold)).is_none_or(|hold| stands(hold))
    };
    let standing: HashMap<Rrn, &Recorded> = records
        .iter()
        .filter(|record| stands(record) && held(record))
        .map(|record| (record.intent.rrn, record))
        .collect();
    comparison.switch = standing.values().map(|record| paid(record)).sum();
    let settled = standing.values().filter(|record| line::settles(record.intent.kind) && !record.intent.test_mode);
    comparison.to_settle = settled.map(|record| paid(record)).sum();
    comparison.issuers(&standing, books);
    comparison.terminals(&standing, beliefs);
    comparison.open(records);
    comparison
}

impl Comparison {
    fn issuers(&mut self, standing: &HashMap<Rrn, &Recorded>, books: &[(IssuerName, Vec<Posting>)]) {
        let mut booked: HashMap<Rrn, i64> = HashMap::new();
        let postings = books.iter().flat_map(|(name, postings)| postings.iter().map(move |posting| (name, posting)));
        for (name, posting) in postings {
            let amount = match posting.money {
                Money::Booked | Money::Held => signed(posting.amount),
                Money::Given => -signed(posting.amount),
                _ => continue,
            };
            self.issuers += amount;
            let Some(rrn) = posting.entry.rrn else {
                self.differences.push(format!("{name} booked {amount} without a reference number"));
                continue;
            };
            *booked.entry(rrn).or_default() += amount;
            if !standing.contains_key(&rrn) {
                self.differences
                    .push(format!("{name} booked {amount} for {rrn}, which the switch does not hold approved"));
            }
        }
        for (rrn, record) in standing {
            let (ours, theirs) = (paid(record), booked.get(rrn).copied().unwrap_or(0));
            if ours != theirs {
                self.differences.push(format!("{rrn}: approved {ours} here, {theirs} at the issuer"));
            }
        }
    }

    fn terminals(&mut self, standing: &HashMap<Rrn, &Recorded>, beliefs: &[Belief]) {
        let mut ours: HashMap<TerminalId, (u64, i64)> = HashMap::new();
        for record in standing.values() {
            let (number, sum) = ours.entry(record.intent.identity.terminal).or_default();
            *number += 1;
            *sum += paid(record);
        }
        for Belief { terminal, sales, given, unresolved } in beliefs {
            let charged = sales.iter().map(|(rrn, amount)| (rrn, signed(*amount)));
            let told: Vec<_> = charged.chain(given.iter().map(|(rrn, amount)| (rrn, -signed(*amount)))).collect();
            let sum = told.iter().map(|(_, amount)| amount).sum();
            let count = u64::try_from(told.len()).unwrap_or(u64::MAX);
            let (number, here) = ours.get(terminal).copied().unwrap_or_default();
            self.terminals += sum;
            self.simulated += here;
            if (number, here) != (count, sum) {
                let theirs = format!("{count} charges and refunds of {sum}");
                self.differences.push(format!("terminal {terminal} believes {theirs}, the switch {number} of {here}"));
            }
            for (rrn, amount) in told {
                if standing.get(rrn).is_none_or(|record| paid(record) != amount) {
                    self.differences.push(format!("terminal {terminal} believes {rrn}, the switch does not"));
                }
            }
            if *unresolved {
                self.differences.push(format!("terminal {terminal} has a reversal that nobody acknowledged"));
            }
        }
    }

    /// Every batch was settled, and balanced.
    pub(super) fn batches(&mut self, live: Option<&Live>) {
        let Some(live) = live else { return };
        for (count, what) in
            [(&live.unbalanced, "batches did not balance"), (&live.unsettled, "terminals could not settle")]
        {
            let count = count.load(Ordering::Relaxed);
            if count > 0 {
                self.differences.push(format!("{count} {what}"));
            }
        }
    }

    /// Nothing may be left undecided or owed.
    fn open(&mut self, records: &[Recorded]) {
        for record in records {
            let rrn = record.intent.rrn;
            match (&record.decided, record.effect) {
                (None, _) => self.differences.push(format!("{rrn} is not decided")),
                (Some(_), Effect::Reversing) => self.differences.push(format!("the reversal of {rrn} is still owed")),
                (Some(_), Effect::Advising) => self.differences.push(format!("the issuer is not told of {rrn} yet")),
                (Some(_), Effect::DeadLetter) => self.differences.push(format!("{rrn} was refused for good")),
                (Some(_), _) => {}
            }
        }
    }
}

/// Approved, moves money, and nobody took it back. What was partly given back was paid all the same: the refund
/// stands beside it.
fn stands(record: &Recorded) -> bool {
    let approved = record.decided.as_ref().is_some_and(|decided| decided.outcome == Outcome::Approved);
    approved && matches!(record.effect, Effect::Live | Effect::Refunded(_)) && way(record.intent.kind) != 0
}

/// Charges are 1, refunds -1, what moves nothing is 0.
fn way(kind: Kind) -> i64 {
    match kinds::of(kind).money {
        kinds::Money::Taken | kinds::Money::Held | kinds::Money::Moved => 1,
        kinds::Money::Given => -1,
        kinds::Money::Untouched => 0,
    }
}

/// Tips included.
fn paid(record: &Recorded) -> i64 {
    way(record.intent.kind) * signed(record.amount())
}

fn signed(amount: Amount) -> i64 {
    i64::try_from(amount.minor()).unwrap_or(i64::MAX)
}
