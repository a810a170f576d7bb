//! Random histories of sales, holds and what follows them, judged from the records alone: nothing is given back
//! beyond what was taken, nothing taken beyond its hold, nothing cancelled twice.

use super::shop::*;
use proptest::prelude::*;
use tollgate::ledger::Effect;
use tollgate::ledger::EmbeddedLedger;
use tollgate::ledger::Forwarded;
use tollgate::ledger::Intended;
use tollgate::ledger::Intent;
use tollgate::ledger::Ledger;
use tollgate::ledger::Outcome;
use tollgate::ledger::Owed;
use tollgate::ledger::Recorded;
use tollgate::ledger::kinds;
use tollgate::model::Kind;
use tollgate::model::ResponseCode;

const KINDS: [Kind; 8] = [
    Kind::SaleVoid,
    Kind::AuthorizationVoid,
    Kind::Increment,
    Kind::Completion,
    Kind::CompletionAdvice,
    Kind::CompletionVoid,
    Kind::Refund,
    Kind::Adjustment,
];

#[derive(Clone, Copy, Debug)]
enum Step {
    Take { hold: bool, amount: u64 },
    Follow { kind: usize, pick: usize, amount: u64 },
    Decide { pick: usize, outcome: Outcome },
    Reverse { pick: usize },
    Undone { pick: usize, taken: bool },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let amount = || prop_oneof![3 => Just(100u64), 1 => Just(40u64), 1 => Just(115u64), 1 => Just(60u64)];
    let outcome = prop_oneof![4 => Just(Outcome::Approved), 1 => Just(Outcome::Declined), 1 => Just(Outcome::TimedOut)];
    let step = prop_oneof![
        2 => (any::<bool>(), amount()).prop_map(|(hold, amount)| Step::Take { hold, amount }),
        6 => (0..KINDS.len(), any::<usize>(), amount()).prop_map(
            |(kind, pick, amount)| Step::Follow { kind, pick, amount }),
        6 => (any::<usize>(), outcome).prop_map(|(pick, outcome)| Step::Decide { pick, outcome }),
        2 => any::<usize>().prop_map(|pick| Step::Reverse { pick }),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(pick, taken)| Step::Undone { pick, taken }),
    ];
    proptest::collection::vec(step, 1..60)
}

fn picked(ledger: &EmbeddedLedger, pick: usize, wanted: impl Fn(&Recorded) -> bool) -> Option<Recorded> {
    let mut records: Vec<Recorded> = ledger.records().into_iter().filter(wanted).collect();
    (!records.is_empty()).then(|| records.swap_remove(pick % records.len()))
}

async fn take_step(ledger: &EmbeddedLedger, stan: u32, step: Step) {
    match step {
        Step::Take { hold, amount } => {
            let kind = if hold { Kind::Authorization } else { Kind::Sale };
            ledger.intend(Intent { kind, ..sale(ledger, 1, stan, amount) }).await.unwrap();
        }
        Step::Follow { kind, pick, amount } => {
            let kind = KINDS[kind];
            let Some(original) = picked(ledger, pick, |_| true) else { return };
            let intent = following(kind, &original.intent, sale(ledger, 1, stan, amount));
            let fits = kinds::of(kind).follows.is_some_and(|(_, kinds)| kinds.contains(&original.intent.kind));
            let told = ledger.intend(intent).await.unwrap();
            let kept = |told: &Intended| matches!(told, Intended::Declined(..) | Intended::Adrift(..));
            assert!(fits || kept(&told), "{}", kind.name());
        }
        Step::Decide { pick, outcome } => {
            let Some(record) = picked(ledger, pick, |record| record.decided.is_none()) else { return };
            ledger.decide(record.intent.id, decision(outcome, record.intent.received)).await.unwrap();
        }
        Step::Reverse { pick } => {
            let Some(record) = picked(ledger, pick, |_| true) else { return };
            let (own, amount) = (stan, record.intent.amount.minor());
            ledger.reverse(reversal(1, own, record.intent.identity.stan.value(), amount)).await.unwrap();
        }
        Step::Undone { pick, taken } => {
            let reversing = |record: &Recorded| record.effect == Effect::Reversing;
            let Some(record) = picked(ledger, pick, reversing) else { return };
            let refused = Forwarded::Refused(ResponseCode::FormatError, day(21));
            let fared = if taken { Forwarded::Acknowledged } else { refused };
            ledger.acknowledge(record.intent.id, Owed::Reversal, fared).await.unwrap();
        }
    }
}

/// Whether an approval stands that no reversal undoes.
fn stands(record: &Recorded) -> bool {
    let approved = record.decided.as_ref().is_some_and(|decided| decided.outcome == Outcome::Approved);
    approved && !matches!(record.effect, Effect::Reversing | Effect::Reversed | Effect::Voided | Effect::DeadLetter)
}

fn look(records: &[Recorded]) {
    for original in records {
        let of = |wanted: &[Kind]| -> Vec<u64> {
            let follows = |record: &&Recorded| {
                record.intent.follows == Some(original.intent.id)
                    && wanted.contains(&record.intent.kind)
                    && stands(record)
            };
            records.iter().filter(follows).map(|record| record.intent.amount.minor()).collect()
        };
        let voids = of(&[Kind::SaleVoid, Kind::AuthorizationVoid, Kind::CompletionVoid]);
        let completions = of(&[Kind::Completion, Kind::CompletionAdvice]);
        let refunds = of(&[Kind::Refund]);
        assert!(voids.len() <= 1, "voided twice");
        assert!(completions.len() <= 1, "completed twice");
        assert!(voids.is_empty() || (completions.is_empty() && refunds.is_empty()), "voided, and not only that");
        let held = original.intent.amount.minor() + of(&[Kind::Increment]).iter().sum::<u64>();
        assert!(completions.iter().all(|amount| amount * 100 <= held * 115), "above the ceiling");
        let most = of(&[Kind::Adjustment]).into_iter().chain([original.intent.amount.minor()]).max();
        assert!(refunds.iter().sum::<u64>() <= most.unwrap_or(0), "more given back than was taken");
        let undone = matches!(original.effect, Effect::Reversing | Effect::Reversed | Effect::DeadLetter);
        assert!(!undone || refunds.is_empty(), "given back, and undone");
        let voided = original.effect == Effect::Voided;
        assert!(!voided || voids.len() == 1, "voided by nothing");
    }
}

proptest! {
    #[test]
    fn no_history_of_follow_ups_gives_or_takes_more_than_there_is(steps in steps()) {
        super::run(async {
            let ledger = EmbeddedLedger::volatile(1_000);
            for (stan, step) in (1..).zip(steps) {
                take_step(&ledger, stan, step).await;
                look(&ledger.records());
            }
        });
    }
}
