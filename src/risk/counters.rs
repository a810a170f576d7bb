//! Counters of live reservations: sums and counts that daily limits are checked against.

use super::{Counted, CounterKey, Refusal, Reservation};
use crate::model::Bin;
use crate::model::BusinessDate;
use crate::model::EntryMethod;
use crate::model::MerchantId;
use crate::model::PanToken;
use crate::model::ResponseCode;
use crate::model::TerminalId;
use foldhash::fast::RandomState;
use std::collections::BTreeMap;
use std::collections::HashMap;

/// The counters, as far as rules look at them.
pub trait Sums {
    /// Sum in minor units and count of what is reserved on a counter now.
    fn sum(&self, key: &CounterKey) -> (u64, u32);
}

/// What is reserved on one counter.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Sum {
    /// Minor units.
    amount: u64,
    /// Transactions.
    count: u32,
}

impl Sum {
    /// The sum with one more reservation, or `None` where it cannot be counted.
    fn with(self, reservation: &Reservation) -> Option<Self> {
        let amount = self.amount.checked_add(reservation.amount.minor())?;
        Some(Self { amount, count: self.count.checked_add(1)? })
    }
}

/// Declares the counters of one date: a table for each sort of what is counted, so that keys are short. One is looked up
/// several times with every request.
macro_rules! day {
    ($($table:ident: $sort:ident($($part:ident),+) by $name:tt: $key:ty;)+) => {
        #[derive(Debug, Default)]
        struct Day { $($table: HashMap<$key, Sum, RandomState>),+ }

        impl Day {
            fn get(&self, counted: &Counted) -> Option<Sum> {
                match *counted { $(Counted::$sort($($part),+) => self.$table.get(&$name).copied()),+ }
            }

            fn sum(&mut self, counted: Counted) -> &mut Sum {
                match counted { $(Counted::$sort($($part),+) => self.$table.entry($name).or_default()),+ }
            }

            fn remove(&mut self, counted: &Counted) {
                match *counted { $(Counted::$sort($($part),+) => _ = self.$table.remove(&$name)),+ }
            }

            fn all(&self) -> impl Iterator<Item = (Counted, &Sum)> {
                let none = std::iter::empty();
                none$(.chain(self.$table.iter().map(|(&$name, sum)| (Counted::$sort($($part),+), sum))))+
            }

            fn is_empty(&self) -> bool {
                $(self.$table.is_empty())&&+
            }
        }
    };
}

day! {
    terminals: Terminal(terminal) by terminal: TerminalId;
    stand_in_terminals: StandInTerminal(terminal) by terminal: TerminalId;
    stand_in_cards: StandInCard(card) by card: PanToken;
    cards: Card(card) by card: PanToken;
    merchants: Merchant(merchant) by merchant: MerchantId;
    bins: Bin(bin) by bin: Bin;
    entries: Entry(terminal, way) by (terminal, way): (TerminalId, EntryMethod);
}

/// All counters. One that nothing is reserved on takes no room.
#[derive(Debug, Default)]
pub struct Counters {
    days: BTreeMap<BusinessDate, Day>,
}

impl Counters {
    /// Why these reservations cannot all be made, if they cannot: 61 before 65, by precedence.
    #[must_use]
    pub fn refusal(&self, reservations: &[Reservation]) -> Option<Refusal> {
        let of_one = |(index, reservation): (usize, &Reservation)| {
            let mut before = reservations.iter().take(index).filter(|earlier| earlier.key == reservation.key);
            let now = self.get(&reservation.key).unwrap_or_default();
            let Some(sum) = before.try_fold(now, Sum::with) else { return Some(ResponseCode::AmountLimit) };
            reservation.refusal(sum.amount, sum.count)
        };
        let codes = reservations.iter().enumerate().filter_map(|(at, one)| Some((of_one((at, one))?, one)));
        let (code, one) = codes.min_by_key(|(code, _)| *code)?;
        Some(Refusal { code, rule: rule(&one.key.counted).into() })
    }

    /// Every counter on which something is reserved: its sum in minor units and its count; in any order.
    pub fn all(&self) -> impl Iterator<Item = (CounterKey, u64, u32)> {
        self.days.iter().flat_map(|(&date, day)| {
            day.all().map(move |(counted, sum)| (CounterKey { counted, date }, sum.amount, sum.count))
        })
    }

    /// Makes reservations that were found possible.
    pub fn take(&mut self, reservations: &[Reservation]) {
        for reservation in reservations {
            let sum = self.days.entry(reservation.key.date).or_default().sum(reservation.key.counted);
            debug_assert!(sum.with(reservation).is_some(), "reserved without asking");
            *sum = sum.with(reservation).unwrap_or(*sum);
        }
    }

    /// Gives one back to the counter it was taken from.
    pub fn give_back(&mut self, reservation: &Reservation) {
        let CounterKey { counted, date } = reservation.key;
        let Some(day) = self.days.get_mut(&date).filter(|day| day.get(&counted).is_some()) else {
            debug_assert!(false, "given back twice");
            return;
        };
        let sum = day.sum(counted);
        debug_assert!(sum.count > 0 && sum.amount >= reservation.amount.minor(), "given back twice");
        sum.amount = sum.amount.saturating_sub(reservation.amount.minor());
        sum.count = sum.count.saturating_sub(1);
        if sum.count == 0 {
            day.remove(&counted);
        }
        if day.is_empty() {
            self.days.remove(&date);
        }
    }

    fn get(&self, key: &CounterKey) -> Option<Sum> {
        self.days.get(&key.date)?.get(&key.counted)
    }
}

impl Sums for Counters {
    fn sum(&self, key: &CounterKey) -> (u64, u32) {
        self.get(key).map_or((0, 0), |sum| (sum.amount, sum.count))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Amount;

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
        counters.give_back(&reservation(21, 100, Some(100), None));
        assert!(counters.days.is_empty());
    }
}
