//! What stands behind the doors: a worker's station, as the shell asks it.

use super::door::Door as Listening;
use super::meter::{DoorMeter, WorkerMeter};
use super::serve::{Peer, Reading, Serve};
use super::station::Real;
use crate::channel::Frame;
use crate::flow::Door;
use crate::flow::Stage;
use crate::flow::Station;
use crate::flow::Walk;
use crate::iso8583::Message;
use crate::iso8583::Rejected;
use crate::iso8583::Role;
use crate::model::Caller;
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
    most: usize,
    meter: Arc<WorkerMeter>,
}

/// A frame as it was read, once.
pub(super) struct Parsed {
    frame: Frame,
    read: Result<Message, Box<Rejected>>,
    received: Timestamp,
    held: Option<Held>,
    walk: Walk,
}

impl Behind {
    /// The station of one worker behind `doors`, by their names, with at most `most` requests of one
    /// terminal at once, whatever connections they come by.
    #[must_use]
    pub(super) fn new(
        station: Arc<Station<Real>>,
        doors: &[Door],
        (in_hand, most): (Arc<InHand>, usize),
        meter: Arc<WorkerMeter>,
    ) -> Self {
        let doors = doors.iter().map(|door| (door.name.as_str().into(), door.clone())).collect();
        Self { station, doors, in_hand, most, meter }
    }

    /// A stage of a walk is over.
    fn ended(&self, walk: &Walk, stage: Stage) {
        walk.ends(stage, || self.station.clock().monotonic());
    }
}

impl Serve for Behind {
    type Parsed = Parsed;

    fn read(&self, door: &Listening, _: &Peer, frame: Frame) -> Reading<Parsed> {
        let walk = match self.meter.stages {
            Some(_) => Walk::begun(self.station.clock().monotonic()),
            None => Walk::unmeasured(),
        };
        let read = door.profile.decode(&frame);
        let message = match &read {
            Ok(message) => message,
            Err(rejected) if rejected.partial.mti().is_none() || rejected.partial.role(Role::Stan).is_none() => {
                return Reading::Close(rejected.error.to_string());
            }
            Err(rejected) => &rejected.partial,
        };
        let lane = door.profile.lane(&frame, message);
        let held = number(message).filter(|_| !lane.undoes).map(|number| self.in_hand.hold(number));
        self.ended(&walk, Stage::Decode);
        Reading::Serve(lane, Parsed { frame, read, received: self.station.clock().wall(), held, walk })
    }

    async fn answer(&self, door: &Listening, peer: &Peer, parsed: Parsed) -> Option<Bytes> {
        if parsed.held.as_ref().is_some_and(|held| held.in_hand() > self.most) {
            return self.overloaded(door, peer, parsed);
        }
        let meter = self.meter(door);
        let (door, came) = (self.doors.get(&door.name)?, (parsed.received, caller(peer)));
        let Parsed { frame, read, held, walk, .. } = parsed;
        self.ended(&walk, Stage::Queue);
        if let Some(meter) = &meter {
            meter.taken.one();
            if read.is_err() {
                meter.unreadable.one();
            }
        }
        let answer = self.station.answer_on(&walk, door, &frame, read, came).await;
        self.ended(&walk, Stage::Encode);
        if let Some(meter) = meter {
            meter.take_in(&walk, answer.is_some());
        }
        drop(held);
        answer
    }

    fn overloaded(&self, door: &Listening, peer: &Peer, parsed: Parsed) -> Option<Bytes> {
        if let Some(meter) = self.meter(door) {
            meter.shed.one();
        }
        let door = self.doors.get(&door.name)?;
        let message = parsed.read.ok()?;
        if parsed.held.is_some_and(|held| held.is_copy()) {
            return None;
        }
        self.station.overloaded(door, &parsed.frame, &message, (parsed.received, caller(peer)))
    }

    fn meter(&self, door: &Listening) -> Option<Arc<DoorMeter>> {
        self.meter.door(door)
    }
}

fn caller(peer: &Peer) -> Caller {
    Caller::new(peer.address.ip(), peer.certificate)
}

fn number(message: &Message) -> Option<Number> {
    let terminal = TerminalId::parse(&message.role(Role::Terminal)?)?;
    Some((terminal, message.role(Role::Stan)?.get(..6)?.try_into().ok()?))
}

/// Terminal and STAN.
type Number = (TerminalId, [u8; 6]);

/// The numbers that were read and not answered yet, by terminal. A copy of one of them must never be told
/// 96, since a terminal drops its reversal on any answer. Shared by all workers: copies may come by other
/// connections. Reversals are not counted.
#[derive(Default)]
pub(super) struct InHand(Mutex<HashMap<TerminalId, Vec<[u8; 6]>>>);

impl InHand {
    fn hold(self: &Arc<Self>, (terminal, stan): Number) -> Held {
        self.0.lock().entry(terminal).or_default().push(stan);
        Held { numbers: Arc::clone(self), number: (terminal, stan) }
    }
}

/// One number in hand, until dropped.
struct Held {
    numbers: Arc<InHand>,
    number: Number,
}

impl Held {
    fn is_copy(&self) -> bool {
        let numbers = self.numbers.0.lock();
        let own = numbers.get(&self.number.0).into_iter().flatten();
        own.filter(|stan| **stan == self.number.1).count() > 1
    }

    /// Numbers of this terminal in hand, this one among them; a copy of another is not one more.
    fn in_hand(&self) -> usize {
        let numbers = self.numbers.0.lock();
        let mut own = numbers.get(&self.number.0).cloned().unwrap_or_default();
        own.sort_unstable();
        own.dedup();
        own.len()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let (terminal, stan) = self.number;
        let mut numbers = self.numbers.0.lock();
        let Some(own) = numbers.get_mut(&terminal) else { return };
        if let Some(at) = own.iter().position(|held| *held == stan) {
            own.swap_remove(at);
        }
        if own.is_empty() {
            numbers.remove(&terminal);
        }
    }
}
