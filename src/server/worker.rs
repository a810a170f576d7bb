//! One thread, one runtime, its own listeners; and the server as all of its workers.

use super::config::Ceilings;
use super::crash::CrashOnPanic;
use super::door::Door;
use super::listener::Listener;
use super::seats::Seats;
use super::serve::Serve;
use super::session::House;
use super::tap::Tap;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What a server is to be.
pub struct Plan {
    /// Where it listens.
    pub doors: Vec<Door>,
    /// What it never goes beyond.
    pub ceilings: Ceilings,
    /// Worker threads; 0 is one for each core.
    pub workers: usize,
    /// How long a drain may take before it becomes a forced stop.
    pub drain: Duration,
    /// Where sessions show their frames.
    pub tap: Tap,
}

/// A server that is running. Dropping it does not stop it.
pub struct Server {
    doors: Vec<Door>,
    stopper: Stopper,
    workers: Vec<JoinHandle<Ending>>,
}

/// How a server ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// Everything taken was answered.
    Drained,
    /// Something was still in flight: recovery will undo it.
    Forced,
}

/// Stops a server, from anywhere.
#[derive(Clone, Debug, Default)]
pub struct Stopper {
    drain: CancellationToken,
    force: CancellationToken,
}

impl Stopper {
    /// No new connections and frames; what is in flight is answered, then sessions are closed.
    pub fn drain(&self) {
        self.drain.cancel();
    }

    /// Everything is dropped where it stands.
    pub fn force(&self) {
        self.drain.cancel();
        self.force.cancel();
    }

    /// Completes when a drain or a forced stop began.
    pub async fn stopping(&self) {
        self.drain.cancelled().await;
    }

    /// Whether a drain or a forced stop began.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.drain.is_cancelled()
    }

    /// Whether a forced stop began.
    #[must_use]
    pub fn is_forced(&self) -> bool {
        self.force.is_cancelled()
    }
}

impl Server {
    /// Opens the doors and starts the workers. `make` runs once on each worker, inside its runtime: what
    /// it spawns (links, senders) lives as long as the worker. It is given the worker's number.
    ///
    /// # Errors
    /// A door cannot be opened, or a thread not started.
    pub fn start<H: Serve>(
        mut plan: Plan,
        make: impl Fn(usize) -> Arc<H> + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let count = if plan.workers == 0 { cores() } else { plan.workers };
        let mut sockets: Vec<Vec<TcpListener>> = (0..count).map(|_| Vec::new()).collect();
        for door in &mut plan.doors {
            for (worker, socket) in sockets.iter_mut().zip(door.open(count)?) {
                worker.push(socket);
            }
        }
        let mut server = Self { doors: plan.doors, stopper: Stopper::default(), workers: Vec::new() };
        let seats = Seats::new(plan.ceilings);
        for (number, sockets) in sockets.into_iter().enumerate() {
            let worker = Worker {
                doors: server.doors.iter().cloned().map(Arc::new).zip(sockets).collect(),
                ceilings: plan.ceilings,
                drain: plan.drain,
                tap: plan.tap.clone(),
                seats: Arc::clone(&seats),
                stopper: server.stopper(),
            };
            let make = make.clone();
            match worker.start(number, move || make(number)) {
                Ok(thread) => server.workers.push(thread),
                Err(error) => {
                    server.stopper.force();
                    return Err(error);
                }
            }
        }
        Ok(server)
    }

    /// The doors, with the addresses they really have.
    #[must_use]
    pub fn doors(&self) -> &[Door] {
        &self.doors
    }

    /// Stops it; may be kept after the server was waited for.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Waits, blocking the thread, until a stop has come to its end.
    #[must_use]
    pub fn wait(self) -> Ending {
        let mut ending = Ending::Drained;
        for worker in self.workers {
            // A worker that panicked has ended the process.
            if !matches!(worker.join(), Ok(Ending::Drained)) {
                ending = Ending::Forced;
            }
        }
        ending
    }
}

struct Worker {
    doors: Vec<(Arc<Door>, TcpListener)>,
    ceilings: Ceilings,
    drain: Duration,
    tap: Tap,
    seats: Arc<Seats>,
    stopper: Stopper,
}

impl Worker {
    fn start<H: Serve>(
        self,
        number: usize,
        make: impl FnOnce() -> Arc<H> + Send + 'static,
    ) -> io::Result<JoinHandle<Ending>> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
            let _crash = CrashOnPanic;
            runtime.block_on(self.run(make))
        })
    }

    async fn run<H: Serve>(self, make: impl FnOnce() -> Arc<H>) -> Ending {
        let Stopper { drain, force } = self.stopper;
        let (handler, ceilings, tap) = (make(), self.ceilings, self.tap);
        let house = Arc::new(House { handler, ceilings, tap, stop: drain.clone() });
        let tasks = TaskTracker::new();
        for (door, socket) in self.doors {
            let socket = match tokio::net::TcpListener::from_std(socket) {
                Ok(socket) => socket,
                Err(error) => {
                    tracing::error!(event = "door", door = &*door.name, %error, "cannot listen");
                    force.cancel();
                    drain.cancel();
                    return Ending::Forced;
                }
            };
            let (house, seats, tracker) = (Arc::clone(&house), Arc::clone(&self.seats), tasks.clone());
            tasks.spawn(Listener { socket, door, house, seats, tasks: tracker }.run());
        }
        drain.cancelled().await;
        tasks.close();
        tokio::select! {
            biased;
            () = force.cancelled() => Ending::Forced,
            drained = timeout(self.drain, tasks.wait()) => match drained {
                Ok(()) => Ending::Drained,
                Err(_) => Ending::Forced,
            },
        }
    }
}
