//! I10: the day's counters of terminals, cards, shops, ranges and ways of entry are what the records come to.

use super::records::Records;
use super::rules::Rules;
use crate::ledger::EmbeddedLedger;
use crate::ledger::Intent;
use crate::ledger::Outcome;
use crate::ledger::kinds;
use crate::model::Amount;
use crate::risk::Counted;
use crate::risk::CounterKey;
use std::collections::BTreeMap;

/// A counter's sum in minor units and its count, by its name.
type Sums = BTreeMap<String, (u64, u32)>;

/// Compares them.
pub(super) fn agree(ledger: &EmbeddedLedger, rules: &Rules, breaches: &mut Vec<String>) {
    let records = Records::open(ledger, &mut Vec::new());
    let mut due = Sums::new();
    for (rrn, record) in records.iter() {
        let intent = &record.intent;
        let taken = record.decided.as_ref().is_none_or(|decided| decided.outcome == Outcome::Approved);
        let reserves = kinds::of(intent.kind).reserves && intent.refusal.is_none();
        // What was declined by its issuer had its rows too.
        if reserves && intent.outbound.is_some() && !has_rows(intent, rules) {
            breaches.push(format!("I10: {rrn} does not reserve what it should"));
        }
        for reservation in intent.reservations.iter().filter(|_| taken && records.counts(record)) {
            let sum = due.entry(name(&reservation.key)).or_default();
            *sum = (sum.0 + reservation.amount.minor(), sum.1 + 1);
        }
    }
    let kept: Sums = ledger.reserved().into_iter().map(|(key, sum, count)| (name(&key), (sum, count))).collect();
    for counter in due.keys().chain(kept.keys()) {
        let (due, kept) = (due.get(counter), kept.get(counter));
        if due != kept {
            breaches.push(format!("I10: {counter} holds {kept:?}, and {due:?} is reserved"));
        }
    }
}

fn name(key: &CounterKey) -> String {
    format!("{:?} on {}", key.counted, key.date)
}

/// Whether it reserves on its card, its shop, its range and its way of entry, on its own date and within their limits.
fn has_rows(intent: &Intent, rules: &Rules) -> bool {
    let entry = Counted::Entry(intent.identity.terminal, intent.entry_mode.method());
    let range = intent.scene.bin.map(|bin| (Counted::Bin(bin), None));
    let of = |counted, most| Some((counted, Amount::new(most)));
    let rows = [
        of(Counted::Card(intent.token), rules.card),
        of(Counted::Merchant(intent.merchant), rules.merchant),
        of(entry, rules.entry),
        range,
    ];
    rows.into_iter().all(|row| {
        row.is_some_and(|(counted, most)| {
            let key = CounterKey { counted, date: intent.date };
            let mut made = intent.reservations.iter().filter(|one| one.key == key);
            made.any(|one| one.amount == intent.amount && (most.is_none() || one.amount_limit == most))
        })
    })
}
