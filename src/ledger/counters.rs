//! Reservations go back to the counters they were taken from, whatever the date is now.

use crate::mutant;
use crate::mutant::Mutant;
use crate::risk::Counted;
use crate::risk::CounterKey;
use crate::risk::Counters;
use crate::risk::Reservation;

pub(super) fn give_back(counters: &mut Counters, reservations: &[Reservation]) {
    for reservation in reservations {
        let is_kept = mutant::is(Mutant::CardKept) && matches!(reservation.key.counted, Counted::Card(_));
        if !is_kept {
            counters.give_back(&Reservation { key: of_then(counters, reservation.key), ..*reservation });
        }
    }
}

/// The counter that was taken from: of the date then.
fn of_then(counters: &Counters, key: CounterKey) -> CounterKey {
    let same = |(other, ..): &(CounterKey, u64, u32)| other.counted == key.counted;
    let newest = || counters.all().filter(same).map(|(other, ..)| other.date).max();
    let date = mutant::is(Mutant::GivenBackToday).then(newest).flatten();
    CounterKey { date: date.unwrap_or(key.date), ..key }
}
