//! What a running station counts of itself: each worker for itself, added up when somebody reads.
//!
//! Names of doors, kinds and response codes are all that is told apart: no terminal, no card.

use super::door::Door;
use crate::flow::Stages;
use crate::flow::Walk;
use crate::model::Histogram;
use crate::model::Kind;
use crate::model::ResponseCode;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// A number that only rises.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// One more.
    pub fn one(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, more: usize) {
        self.0.fetch_add(more as u64, Ordering::Relaxed);
    }

    /// How many there are.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why a connection was not let in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NotIn {
    /// Its address is not admitted at the door.
    Address,
    /// No seat is free, in all or for its address; or too many handshakes.
    Full,
    /// Its handshake failed or took too long.
    Tls,
}

impl NotIn {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::Address, Self::Full, Self::Tls];

    /// Its name in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Full => "full",
            Self::Tls => "tls",
        }
    }
}

/// Kinds, and none of them.
const KINDS: usize = Kind::ALL.len() + 1;
/// Response codes, and silence.
const CODES: usize = ResponseCode::ALL.len() + 1;

/// What one worker counts at one door.
pub struct DoorMeter {
    /// The door's name.
    pub door: Box<str>,
    /// How long things took there, and at the worker's other doors; none if that is not measured.
    pub stages: Option<Arc<Stages>>,
    /// Connections let in.
    pub opened: Count,
    /// Connections of those that are over.
    pub closed: Count,
    /// Connections not let in, in the order of [`NotIn::ALL`].
    pub not_in: [Count; NotIn::ALL.len()],
    /// Bytes that came.
    pub bytes_in: Count,
    /// Bytes that went.
    pub bytes_out: Count,
    /// Whole frames that came.
    pub frames: Count,
    /// Connections closed because their bytes mean nothing.
    pub rejected: Count,
    /// Frames that are messages, but not of the dialect.
    pub unreadable: Count,
    /// Requests refused for want of room.
    pub shed: Count,
    /// Requests being served, and all before them.
    pub taken: Count,
    /// Requests that are over.
    pub done: Count,
    /// Requests that had been answered before, and got the same answer.
    pub repeats: Count,
    answers: Box<[Count]>,
}

impl DoorMeter {
    fn new(door: &str, stages: Option<Arc<Stages>>) -> Self {
        Self {
            door: door.into(),
            stages,
            opened: Count::default(),
            closed: Count::default(),
            not_in: [const { Count(AtomicU64::new(0)) }; NotIn::ALL.len()],
            bytes_in: Count::default(),
            bytes_out: Count::default(),
            frames: Count::default(),
            rejected: Count::default(),
            unreadable: Count::default(),
            shed: Count::default(),
            taken: Count::default(),
            done: Count::default(),
            repeats: Count::default(),
            answers: (0..KINDS * CODES).map(|_| Count::default()).collect(),
        }
    }

    /// A connection was not let in.
    pub fn refuse(&self, why: NotIn) {
        self.not_in.get(why as usize).into_iter().for_each(Count::one);
    }

    /// A request is over.
    pub(super) fn take_in(&self, walk: &Walk, is_answered: bool) {
        self.done.one();
        if walk.is_repeat() {
            self.repeats.one();
        }
        let kind = walk.kind().map_or(0, |kind| 1 + kind as usize);
        let code = walk.code().filter(|_| is_answered).map_or(0, |code| 1 + code as usize);
        self.answers.get(kind * CODES + code).into_iter().for_each(Count::one);
        self.stages.iter().for_each(|stages| stages.take_in(walk));
    }

    /// Requests that are over, by what was asked (`None`: that was not to be seen) and what was answered (`None`:
    /// nothing). Only those that there were.
    pub fn answers(&self) -> impl Iterator<Item = (Option<Kind>, Option<ResponseCode>, u64)> {
        let named = |(place, count): (usize, &Count)| {
            let kind = (place / CODES).checked_sub(1).and_then(|place| Kind::ALL.get(place).copied());
            let code = (place % CODES).checked_sub(1).and_then(|place| ResponseCode::ALL.get(place).copied());
            (kind, code, count.get())
        };
        self.answers.iter().enumerate().map(named).filter(|(.., count)| *count > 0)
    }
}

/// What one worker counts.
pub struct WorkerMeter {
    /// How long things took; none if that is not measured.
    pub stages: Option<Arc<Stages>>,
    /// By door.
    pub doors: Vec<Arc<DoorMeter>>,
}

impl WorkerMeter {
    pub(super) fn door(&self, door: &Door) -> Option<Arc<DoorMeter>> {
        self.doors.iter().find(|meter| *meter.door == *door.name).cloned()
    }
}

/// What the journal's writer counts.
#[derive(Debug, Default)]
pub struct JournalMeter {
    /// How long a group took to be sealed, written and synced.
    pub append: Histogram,
    /// Records of each group, a record as 1.024 us.
    pub sizes: Histogram,
    /// Groups made durable.
    pub groups: Count,
    /// Records in them.
    pub records: Count,
    /// Their bytes.
    pub bytes: Count,
}

impl JournalMeter {
    /// What a record is in [`JournalMeter::sizes`], in nanoseconds: the least bound of a [`crate::model::Spread`].
    pub const RECORD: u64 = 1_024;

    /// A group is durable.
    pub(super) fn wrote(&self, took: Duration, records: usize, bytes: usize) {
        self.append.add(took);
        self.sizes.add_nanos((records as u64).saturating_mul(Self::RECORD));
        self.groups.one();
        self.records.add(records);
        self.bytes.add(bytes);
    }
}

/// What a station counts.
#[derive(Default)]
pub struct StationMeter {
    /// The journal's; stays empty while the ledger is in memory.
    pub journal: Arc<JournalMeter>,
    workers: Mutex<Vec<Arc<WorkerMeter>>>,
    no_hsm: AtomicBool,
}

impl StationMeter {
    /// One more worker, with these doors; `measured` says whether clocks are read for it.
    pub(super) fn worker<'a>(&self, doors: impl Iterator<Item = &'a str>, measured: bool) -> Arc<WorkerMeter> {
        let stages = measured.then(Arc::<Stages>::default);
        let doors = doors.map(|door| Arc::new(DoorMeter::new(door, stages.clone()))).collect();
        let worker = Arc::new(WorkerMeter { stages, doors });
        self.workers.lock().push(Arc::clone(&worker));
        worker
    }

    /// All workers' meters.
    #[must_use]
    pub fn workers(&self) -> Vec<Arc<WorkerMeter>> {
        self.workers.lock().clone()
    }

    pub(super) fn hsm_is(&self, is_there: bool) {
        self.no_hsm.store(!is_there, Ordering::Relaxed);
    }

    /// Whether the HSM was there when somebody looked last, which is every second.
    #[must_use]
    pub fn hsm_is_there(&self) -> bool {
        !self.no_hsm.load(Ordering::Relaxed)
    }
}

/// A connection that is in, until dropped.
pub(super) struct Inside(pub(super) Arc<DoorMeter>);

impl Inside {
    pub(super) fn of(meter: Option<Arc<DoorMeter>>) -> Option<Self> {
        let meter = meter?;
        meter.opened.one();
        Some(Self(meter))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.closed.one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_counts_by_what_was_asked_and_answered_and_names_nothing_else() {
        let station = StationMeter::default();
        let worker = station.worker(["pos", "host"].into_iter(), true);
        let [pos, host] = &worker.doors[..] else { panic!("two doors") };
        pos.take_in(&Walk::unmeasured(), false);
        pos.take_in(&Walk::begun(Duration::ZERO), false);
        assert_eq!(pos.answers().collect::<Vec<_>>(), [(None, None, 2)]);
        assert_eq!((pos.done.get(), host.answers().count()), (2, 0));
    }
}
