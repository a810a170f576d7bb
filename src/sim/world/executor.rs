//! One thread, no runtime: futures polled one at a time, in an order that the seed draws.

use super::chance::Chance;
use super::nature::Nature;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::Wake;
use std::task::Waker;
use std::time::Duration;

/// Who owns a task: what the station does ends with its process, what the others do goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Realm {
    /// The switch's process.
    Station,
    /// Terminals, networks, issuers.
    Outside,
}

/// Why the executor came back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Pause {
    /// The station's power is gone, or it ended itself.
    Down,
    /// Nothing will ever happen again.
    Idle,
    /// The time is up.
    Time,
    /// What was waited for is so.
    Done,
    /// More steps than any sane history has: something spins.
    Spinning,
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Default)]
struct Tasks {
    /// A task that is being polled is out.
    all: BTreeMap<u64, (Realm, Option<Task>)>,
    next: u64,
}

/// Who may be polled. Ordered, so that the order of wake-ups does not matter, only their set.
type Ready = Arc<Mutex<BTreeSet<u64>>>;

struct Bell {
    task: u64,
    ready: Ready,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ready.lock().insert(self.task);
    }
}

/// Starts tasks. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Spawner {
    tasks: Arc<Mutex<Tasks>>,
    ready: Ready,
}

impl Spawner {
    /// Starts one.
    pub(super) fn spawn(&self, realm: Realm, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock();
        let number = tasks.next;
        tasks.next += 1;
        tasks.all.insert(number, (realm, Some(Box::pin(task))));
        self.ready.lock().insert(number);
    }

    /// Drops every task of a realm. What their destructors want to do comes too late.
    pub(super) fn drop_all(&self, realm: Realm) {
        let dropped: Vec<_> = {
            let mut tasks = self.tasks.lock();
            let of_realm = tasks.all.iter().filter(|(_, task)| task.0 == realm).map(|(number, _)| *number);
            let numbers: Vec<u64> = of_realm.collect();
            numbers.iter().filter_map(|number| tasks.all.remove(number)).collect()
        };
        drop(dropped);
    }
}

/// Steps after which a run is given up.
const MOST_STEPS: u64 = 50_000;

/// The loop.
pub(super) struct Executor {
    pub(super) spawner: Spawner,
    nature: Arc<Nature>,
    order: Chance,
    steps: u64,
}

impl Executor {
    pub(super) fn new(nature: Arc<Nature>, order: Chance) -> Self {
        Self { spawner: Spawner::default(), nature, order, steps: 0 }
    }

    /// Runs until `done`, until the station is down (unless `alone`), until `until`, or until nothing moves.
    pub(super) fn run(&mut self, until: Duration, mut done: impl FnMut() -> bool) -> Pause {
        loop {
            if self.nature.is_down() {
                return Pause::Down;
            }
            if done() {
                return Pause::Done;
            }
            if let Some(paused) = self.step(until) {
                return paused;
            }
        }
    }

    /// The same while there is no station: only the outside lives.
    pub(super) fn run_without_station(&mut self, until: Duration) {
        while self.step(until).is_none() {}
    }

    fn step(&mut self, until: Duration) -> Option<Pause> {
        self.steps += 1;
        if self.steps > MOST_STEPS {
            return Some(Pause::Spinning);
        }
        let next = {
            let mut ready = self.spawner.ready.lock();
            let place = self.order.place(ready.len());
            let next = ready.iter().nth(place).copied();
            next.inspect(|next| {
                ready.remove(next);
            })
        };
        if let Some(next) = next {
            self.poll(next);
            return None;
        }
        match self.nature.next_timer() {
            None => Some(Pause::Idle),
            Some(at) if at > until => {
                self.nature.advance(until);
                Some(Pause::Time)
            }
            Some(at) => {
                self.nature.advance(at);
                None
            }
        }
    }

    fn poll(&mut self, number: u64) {
        let task = self.spawner.tasks.lock().all.get_mut(&number).and_then(|(_, task)| task.take());
        let Some(mut task) = task else { return };
        let waker = Waker::from(Arc::new(Bell { task: number, ready: Arc::clone(&self.spawner.ready) }));
        let polled = task.as_mut().poll(&mut Context::from_waker(&waker));
        let mut tasks = self.spawner.tasks.lock();
        match polled {
            Poll::Ready(()) => drop(tasks.all.remove(&number)),
            Poll::Pending => {
                if let Some(slot) = tasks.all.get_mut(&number) {
                    slot.1 = Some(task);
                }
            }
        }
    }
}
