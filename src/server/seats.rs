//! How many may be inside at once. Full is an answer at once, never a wait.

use super::config::Ceilings;
use crate::model::Caller;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The sessions and handshakes of a server, counted over all workers and doors.
pub(super) struct Seats {
    ceilings: Ceilings,
    taken: Mutex<Taken>,
    handshakes: Arc<Semaphore>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One session's place; given back on drop.
pub(super) struct Seat {
    seats: Arc<Seats>,
    address: IpAddr,
}

impl Seats {
    pub(super) fn new(ceilings: Ceilings) -> Arc<Self> {
        let handshakes = Arc::new(Semaphore::new(ceilings.handshakes));
        Arc::new(Self { ceilings, taken: Mutex::default(), handshakes })
    }

    /// A place for a session from `address`.
    ///
    /// # Errors
    /// Which ceiling is reached.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Result<Seat, &'static str> {
        let address = Caller::new(address, None).household;
        let mut taken = self.taken.lock();
        if taken.all >= self.ceilings.sessions {
            return Err("too many sessions");
        }
        let here = taken.by_address.entry(address).or_default();
        if *here >= self.ceilings.sessions_per_address {
            return Err("too many sessions from this address");
        }
        *here += 1;
        taken.all += 1;
        Ok(Seat { seats: Arc::clone(self), address })
    }

    /// A place among the handshakes.
    pub(super) fn handshake(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.handshakes).try_acquire_owned().ok()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock();
        taken.all -= 1;
        if let Some(here) = taken.by_address.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seats(sessions: usize, sessions_per_address: usize) -> Arc<Seats> {
        Seats::new(Ceilings { sessions, sessions_per_address, handshakes: 2, ..Ceilings::default() })
    }

    #[test]
    fn a_full_house_and_a_full_address_are_told_apart_and_seats_come_back() {
        let (seats, one, other) = (seats(3, 2), IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let mut inside = vec![seats.take(one).unwrap(), seats.take(one).unwrap()];
        assert_eq!(seats.take(one).err(), Some("too many sessions from this address"));
        inside.push(seats.take(other).unwrap());
        assert_eq!(seats.take(other).err(), Some("too many sessions"));
        inside.clear();
        assert!(seats.taken.lock().by_address.is_empty());
        assert!(seats.take(one).is_ok());
    }

    #[test]
    fn one_ipv6_host_is_one_address_however_many_it_uses() {
        let seats = seats(9, 1);
        let first = seats.take("2001:db8::1".parse().unwrap());
        assert!(first.is_ok() && seats.take("2001:db8::2".parse().unwrap()).is_err());
        assert!(seats.take("2001:db8:0:1::1".parse().unwrap()).is_ok());
    }

    #[test]
    fn handshakes_are_counted_apart_from_sessions() {
        let seats = seats(1, 1);
        let two = (seats.handshake(), seats.handshake());
        assert!(two.0.is_some() && two.1.is_some() && seats.handshake().is_none());
        drop(two);
        assert!(seats.handshake().is_some());
    }
}
