//! Counters of live reservations: sums and counts that limits are checked against.

use crate::model::ResponseCode;
use crate::mutant;
use crate::mutant::Mutant;
use crate::risk::Counted;
use crate::risk::CounterKey;
use crate::risk::Refusal;
use crate::risk::Reservation;
use crate::risk::Sums;
use std::collections::HashMap;

/// What is reserved on one counter.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Sum {
    /// Minor units.
    amount: u64,
    /// Transactions.
    count: u32,
}

/// All counters. One that nothing is reserved on takes no room.
#[derive(Debug, Default)]
pub(super) struct Counters(HashMap<CounterKey, Sum>);

impl Counters {
    /// Why these reservations cannot all be made, if they cannot: 61 before 65, by precedence.
    pub(super) fn refusal(&self, reservations: &[Reservation]) -> Option<Refusal> {
        let of_one = |(index, reservation): (usize, &Reservation)| {
            let mut before = reservations.iter().take(index).filter(|earlier| earlier.key == reservation.key);
            let now = self.0.get(&reservation.key).copied().unwrap_or_default();
            let Some(sum) = before.try_fold(now, Sum::with) else { return Some(ResponseCode::AmountLimit) };
            reservation.refusal(sum.amount, sum.count)
        };
        let codes = reservations.iter().enumerate().filter_map(|(at, one)| Some((of_one((at, one))?, one)));
        let (code, one) = codes.min_by_key(|(code, _)| *code)?;
        Some(Refusal { code, rule: rule(&one.key.counted).into() })
    }

    /// Every counter on which something is reserved: its sum in minor units and its count; in any order.
    pub(super) fn all(&self) -> impl Iterator<Item = (CounterKey, u64, u32)> {
        self.0.iter().map(|(key, sum)| (*key, sum.amount, sum.count))
    }

    /// All counters, for tests; in any order.
    #[cfg(test)]
    pub(super) fn told(&self) -> Vec<String> {
        self.0.iter().map(|row| format!("{row:?}")).collect()
    }

    /// Makes reservations that were found possible.
    pub(super) fn take(&mut self, reservations: &[Reservation]) {
        for reservation in reservations {
            let sum = self.0.entry(reservation.key).or_default();
            debug_assert!(sum.with(reservation).is_some(), "reserved without asking");
            *sum = sum.with(reservation).unwrap_or(*sum);
        }
    }

    /// Gives them back to the counters they were taken from, whatever the date is now.
    pub(super) fn give_back(&mut self, reservations: &[Reservation]) {
        for reservation in reservations {
            let is_kept = mutant::is(Mutant::CardKept) && matches!(reservation.key.counted, Counted::Card(_));
            if is_kept {
                continue;
            }
            let key = self.of_then(reservation.key);
            let Some(sum) = self.0.get_mut(&key) else {
                debug_assert!(false, "given back twice");
                continue;
            };
            debug_assert!(sum.count > 0 && sum.amount >= reservation.amount.minor(), "given back twice");
            sum.amount = sum.amount.saturating_sub(reservation.amount.minor());
            sum.count = sum.count.saturating_sub(1);
            if sum.count == 0 {
                self.0.remove(&key);
            }
        }
    }

    /// The counter that was taken from: of the date then.
    fn of_then(&self, key: CounterKey) -> CounterKey {
        let newest = || self.0.keys().filter(|other| other.counted == key.counted).map(|other| other.date).max();
        let date = mutant::is(Mutant::GivenBackToday).then(newest).flatten();
        CounterKey { date: date.unwrap_or(key.date), ..key }
    }
}

impl Sums for Counters {
    fn sum(&self, key: &CounterKey) -> (u64, u32) {
        self.0.get(key).map_or((0, 0), |sum| (sum.amount, sum.count))
    }
}

/// By which name a full counter refuses.
fn rule(counted: &Counted) -> &'static str {
    match counted {
        Counted::Terminal(_) => "terminal-daily",
        Counted::StandInTerminal(_) => "stand-in-terminal-daily",
        Counted::StandInCard(_) => "stand-in-card-daily",
        Counted::Card(_) => "card-daily",
        Counted::Merchant(_) => "merchant-daily",
        Counted::Bin(_) => "range-daily",
        Counted::Entry(..) => "entry-daily",
    }
}

impl Sum {
    /// The sum with one more reservation, or `None` where it cannot be counted.
    fn with(self, reservation: &Reservation) -> Option<Self> {
        let amount = self.amount.checked_add(reservation.amount.minor())?;
        Some(Self { amount, count: self.count.checked_add(1)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Amount;
    use crate::model::BusinessDate;
    use crate::model::TerminalId;

    fn reservation(day: i8, amount: u64, amount_limit: Option<u64>, count_limit: Option<u32>) -> Reservation {
        Reservation {
            key: CounterKey {
                counted: Counted::Terminal(TerminalId::parse(b"10000001").unwrap()),
                date: BusinessDate::new(2026, 11, day).unwrap(),
            },
            amount: Amount::new(amount).unwrap(),
            amount_limit: amount_limit.and_then(Amount::new),
            count_limit,
        }
    }

    fn refused(counters: &Counters, reservations: &[Reservation]) -> Option<ResponseCode> {
        counters.refusal(reservations).map(|refusal| refusal.code)
    }

    #[test]
    fn a_limit_may_be_reached_and_not_passed() {
        let mut counters = Counters::default();
        let half = [reservation(21, 50, Some(100), Some(3))];
        counters.take(&half);
        assert_eq!(refused(&counters, &half), None);
        counters.take(&half);
        assert_eq!(refused(&counters, &half), Some(ResponseCode::AmountLimit));
        let nothing = [reservation(21, 0, Some(100), Some(2))];
        assert_eq!(refused(&counters, &nothing), Some(ResponseCode::CountLimit));
    }

    #[test]
    fn the_amount_limit_is_answered_before_the_count_limit() {
        let both = [reservation(21, 1, None, Some(0)), reservation(21, 1, Some(0), None)];
        assert_eq!(refused(&Counters::default(), &both), Some(ResponseCode::AmountLimit));
    }

    #[test]
    fn two_reservations_on_one_counter_count_together() {
        let twice = [reservation(21, 60, Some(100), None), reservation(21, 60, Some(100), None)];
        assert_eq!(refused(&Counters::default(), &twice), Some(ResponseCode::AmountLimit));
    }

    #[test]
    fn each_business_date_has_its_own_counter() {
        let mut counters = Counters::default();
        counters.take(&[reservation(21, 100, Some(100), None)]);
        assert_eq!(refused(&counters, &[reservation(22, 100, Some(100), None)]), None);
        counters.give_back(&[reservation(21, 100, Some(100), None)]);
        assert!(counters.0.is_empty());
    }
}
