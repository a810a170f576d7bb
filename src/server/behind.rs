//! What stands behind the doors: a worker's station, as the shell asks it.

use super::door::Door as Listening;
use super::serve::{Peer, Reading, Serve};
use super::station::Real;
use crate::channel::Frame;
use crate::flow::Door;
use crate::flow::Station;
use crate::iso8583::Message;
use crate::iso8583::Rejected;
use crate::iso8583::Role;
use crate::model::Clock;
use crate::model::TerminalId;
use crate::model::Timestamp;
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// A worker's station and the doors it answers at.
pub(super) struct Behind {
    station: Arc<Station<Real>>,
    doors: HashMap<Box<str>, Door>,
    in_hand: Arc<InHand>,
}

/// A frame as it was read, once.
pub(super) struct Parsed {
    frame: Frame,
    read: Result<Message, Box<Rejected>>,
    received: Timestamp,
    held: Option<Held>,
}

impl Behind {
    /// The station of one worker behind `doors`, by their names.
    #[must_use]
    pub(super) fn new(station: Arc<Station<Real>>, doors: &[Door], in_hand: Arc<InHand>) -> Self {
        let doors = doors.iter().map(|door| (door.name.as_str().into(), door.clone())).collect();
        Self { station, doors, in_hand }
    }
}

impl Serve for Behind {
    type Parsed = Parsed;

    fn read(&self, door: &Listening, _: &Peer, frame: Frame) -> Reading<Parsed> {
        let read = door.profile.decode(&frame);
        let message = match &read {
            Ok(message) => message,
            Err(rejected) if rejected.partial.mti().is_none() || rejected.partial.role(Role::Stan).is_none() => {
                return Reading::Close(rejected.error.to_string());
            }
            Err(rejected) => &rejected.partial,
        };
        let lane = door.profile.lane(&frame, message);
        let held = number(message).map(|number| self.in_hand.hold(number));
        Reading::Serve(lane, Parsed { frame, read, received: self.station.clock().wall(), held })
    }

    async fn answer(&self, door: &Listening, _: &Peer, parsed: Parsed) -> Option<Bytes> {
        let door = self.doors.get(&door.name)?;
        let answer = self.station.answer(door, &parsed.frame, parsed.read, parsed.received).await;
        drop(parsed.held);
        answer
    }

    fn overloaded(&self, door: &Listening, _: &Peer, parsed: Parsed) -> Option<Bytes> {
        let door = self.doors.get(&door.name)?;
        let message = parsed.read.ok()?;
        if parsed.held.is_some_and(|held| held.is_copy()) {
            return None;
        }
        self.station.overloaded(door, &parsed.frame, &message, parsed.received)
    }
}

fn number(message: &Message) -> Option<Number> {
    let terminal = TerminalId::parse(&message.role(Role::Terminal)?)?;
    Some((terminal, message.role(Role::Stan)?.get(..6)?.try_into().ok()?))
}

/// Terminal and STAN.
type Number = (TerminalId, [u8; 6]);

/// The numbers that were read and not answered yet: a copy of one of them must never be told 96, since
/// a terminal drops its reversal on any answer. Shared by all workers: copies may come by other connections.
#[derive(Default)]
pub(super) struct InHand(Mutex<HashMap<Number, usize>>);

impl InHand {
    fn hold(self: &Arc<Self>, number: Number) -> Held {
        *self.0.lock().entry(number).or_default() += 1;
        Held { numbers: Arc::clone(self), number }
    }
}

/// One number in hand, until dropped.
struct Held {
    numbers: Arc<InHand>,
    number: Number,
}

impl Held {
    fn is_copy(&self) -> bool {
        self.numbers.0.lock().get(&self.number).is_some_and(|count| *count > 1)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut numbers = self.numbers.0.lock();
        if let Some(count) = numbers.get_mut(&self.number) {
            *count -= 1;
            if *count == 0 {
                numbers.remove(&self.number);
            }
        }
    }
}
