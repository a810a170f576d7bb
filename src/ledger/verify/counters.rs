//! Counters recomputed from live reservations, apart from those that the ledger keeps.

use crate::risk::CounterKey;
use crate::risk::Reservation;
use smallvec::SmallVec;
use std::collections::HashMap;

/// What one transaction took: of which counter, how much.
pub(super) type Taken = SmallVec<[(CounterKey, u64); 1]>;

/// Sums in minor units, and counts.
#[derive(Debug, Default)]
pub(super) struct Counters(HashMap<CounterKey, (u64, u64)>);

impl Counters {
    pub(super) fn take(&mut self, taken: &Taken) {
        for (key, amount) in taken {
            let sum = self.0.entry(*key).or_default();
            *sum = (sum.0.saturating_add(*amount), sum.1 + 1);
        }
    }

    /// Gives back. False if there was not so much: then something was given back twice.
    pub(super) fn give_back(&mut self, taken: &Taken) -> bool {
        taken.iter().all(|(key, amount)| {
            let Some(sum) = self.0.get_mut(key) else { return false };
            let (Some(rest), Some(count)) = (sum.0.checked_sub(*amount), sum.1.checked_sub(1)) else { return false };
            *sum = (rest, count);
            if count == 0 {
                self.0.remove(key);
            }
            true
        })
    }

    /// Whether what was just taken keeps within its own limits.
    pub(super) fn within(&self, reservations: &[Reservation]) -> bool {
        reservations.iter().all(|reservation| {
            let (amount, count) = self.0.get(&reservation.key).copied().unwrap_or_default();
            reservation.amount_limit.is_none_or(|limit| amount <= limit.minor())
                && reservation.count_limit.is_none_or(|limit| count <= u64::from(limit))
        })
    }
}
