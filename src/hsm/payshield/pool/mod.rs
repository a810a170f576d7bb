//! Connections to one or more HSMs, and the choice between them.
//!
//! Several calls are on one connection at once; the header is the number of the call, so answers may
//! come in any order. A call goes to the usable connection with the fewest outstanding.

mod breaker;
mod connection;
mod state;

use super::fields::Body;
use super::setup::PayshieldSetup;
use crate::hsm::HsmError;
use state::OnItsWay;
pub(super) use state::Place;
use state::Shared;
use state::Went;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use tokio::time::Instant;
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PoolStats {
    /// Calls that were asked for, repeats of the pool's own among them.
    pub calls: u64,
    /// Calls that were asked again on another connection.
    pub repeated: u64,
    /// Calls whose time ran out.
    pub timed_out: u64,
    /// Calls whose connection ended under them.
    pub lost: u64,
    /// Answers that were none to their call.
    pub garbage: u64,
    /// Answers to a call nobody made.
    pub unmatched: u64,
    /// Answers that came after their call was given up.
    pub late: u64,
    /// Connections made again because too many answers, or one for too long, were missing on them.
    pub retired: u64,
    /// Calls refused because every connection was full.
    pub busy: u64,
    /// Calls refused because no connection was usable.
    pub unavailable: u64,
    /// Answers in which the HSM said that it is broken.
    pub hardware: u64,
    /// Breakers that opened.
    pub opened: u64,
    /// Breakers that closed again.
    pub closed: u64,
    /// Connections made.
    pub connected: u64,
    /// Connections that ended after they had been usable.
    pub disconnected: u64,
}

/// One connection, for whoever looks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SlotView {
    /// Its HSM.
    pub address: String,
    /// Connected, its first diagnostics were right, and it takes calls.
    pub up: bool,
    /// Its breaker is open: it is left alone.
    pub open: bool,
    /// Calls on it, given up ones among them.
    pub outstanding: usize,
}

/// How a call ended without an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ended {
    /// The connection ended.
    Lost,
    /// No connection was usable.
    Unavailable,
    /// Every connection was full.
    Busy,
    /// Its time ran out.
    TimedOut,
    /// It does not fit into a frame.
    TooLong,
}

impl From<Ended> for HsmError {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Lost | Ended::Unavailable => Self::Unavailable,
            Ended::Busy => Self::Busy,
            Ended::TimedOut => Self::Timeout,
            Ended::TooLong => Self::Input("message too long for a host command"),
        }
    }
}

/// An answer and the connection it came from.
pub(super) struct Answered {
    pub(super) body: Body,
    pub(super) place: Place,
}

/// A call that brought nothing.
pub(super) struct Failed {
    pub(super) ended: Ended,
    /// Where it was, if it came that far.
    pub(super) place: Option<Place>,
}

/// The pool. Its connections live on a thread of their own until it is dropped.
pub(super) struct Pool {
    shared: Arc<Shared>,
    /// How many commands got a trailer.
    trailers: AtomicU64,
    end: CancellationToken,
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

impl Pool {
    /// Starts the thread, which connects and keeps connected.
    pub(super) fn start(setup: PayshieldSetup) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::new(setup));
        let end = CancellationToken::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (on_thread, until) = (Arc::clone(&shared), end.clone());
        std::thread::Builder::new().name("hsm".into()).spawn(move || {
            runtime.block_on(async {
                for slot in 0..on_thread.slots() {
                    tokio::spawn(connection::keep_up(Arc::clone(&on_thread), slot));
                }
                until.cancelled().await;
            });
            // Whoever still waits hears that it is over.
            drop(runtime);
        })?;
        Ok(Self { shared, trailers: AtomicU64::new(0), end })
    }

    /// The trailer of the next command: no other of this pool has it. Empty if the HSM gives none back.
    pub(super) fn trailer(&self) -> Vec<u8> {
        if !self.shared.setup.trailers {
            return Vec::new();
        }
        format!("{:016X}", self.trailers.fetch_add(1, Ordering::Relaxed)).into_bytes()
    }

    /// Sends one command and waits for its answer until `deadline`; rather to another HSM than that of `not`.
    pub(super) async fn ask(&self, body: &[u8], deadline: Instant, not: Option<Place>) -> Result<Answered, Failed> {
        let (place, answer) = self.shared.send(body, not).map_err(|ended| Failed { ended, place: None })?;
        let failed = |ended| Failed { ended, place: Some(place) };
        let mut way = OnItsWay { shared: Arc::clone(&self.shared), place, ended: false };
        let outcome = timeout_at(deadline, answer).await;
        way.ended = true;
        match outcome {
            Ok(Ok(Ok(body))) => Ok(Answered { body, place }),
            Ok(Ok(Err(ended))) => {
                self.shared.count(|stats| stats.lost += 1);
                Err(failed(ended))
            }
            // The pool's thread is gone.
            Ok(Err(_)) => Err(failed(Ended::Unavailable)),
            Err(_) => {
                self.shared.abandon(place);
                self.shared.count(|stats| stats.timed_out += 1);
                self.shared.judge(place, Went::Late);
                Err(failed(Ended::TimedOut))
            }
        }
    }

    /// The answer was one.
    pub(super) fn good(&self, answered: &Answered) {
        self.shared.judge(answered.place, Went::Well);
    }

    /// The answer was none to its call: the connection is not to be trusted any more.
    pub(super) fn garbage(&self, answered: &Answered) {
        self.shared.count(|stats| stats.garbage += 1);
        self.shared.judge(answered.place, Went::Garbage);
    }

    /// The HSM says that it is broken.
    pub(super) fn hardware(&self, answered: &Answered) {
        self.shared.broken(answered.place);
    }

    /// A call is asked again.
    pub(super) fn repeated(&self) {
        self.shared.count(|stats| stats.repeated += 1);
    }

    pub(super) fn stats(&self) -> PoolStats {
        self.shared.stats()
    }

    pub(super) fn views(&self) -> Vec<SlotView> {
        self.shared.views()
    }

    pub(super) fn setup(&self) -> &PayshieldSetup {
        &self.shared.setup
    }

    /// Waits until a connection is usable.
    pub(super) async fn usable(&self) {
        loop {
            let usable = self.shared.usable.notified();
            tokio::pin!(usable);
            usable.as_mut().enable();
            if self.shared.is_usable() {
                return;
            }
            usable.await;
        }
    }
}
