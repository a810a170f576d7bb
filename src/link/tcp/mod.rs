//! A way to an issuer over TCP: one or more connections, each kept up by a task of its own.
//!
//! The tasks run on the tokio runtime on which [`TcpLink::start`] was called; requests may come from
//! any thread. A request that was not written is [`LinkReply::NotSent`]; once a byte of it may have
//! left, silence, loss of the connection and garbage are all [`LinkReply::Unknown`].

mod connection;
mod state;

use super::IssuerLink;
use super::LinkReply;
use super::StanSpace;
use super::mux;
use super::mux::MuxCounters;
use crate::channel::CorrelationKey;
use crate::channel::Profile;
use crate::channel::Received;
use crate::model::Histogram;
use crate::model::IssuerName;
use crate::model::Stan;
use bytes::Bytes;
use state::Shared;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// How one link is run.
pub struct TcpLinkSetup {
    /// Whose link.
    pub issuer: IssuerName,
    /// `host:port`, resolved anew at each attempt.
    pub address: String,
    /// The issuer's wire conventions.
    pub profile: Arc<Profile>,
    /// The issuer's trace numbers, shared by all its links.
    pub stans: Arc<StanSpace>,
    /// How many connections; at least one is made.
    pub connections: usize,
    /// Requests in flight on each connection.
    pub in_flight: usize,
    /// How long an attempt to connect, and a sign-on, may take.
    pub connect_within: Duration,
    /// The pause before the second attempt; it doubles with each further one, half of it is chance.
    pub back_off: Duration,
    /// The longest such pause.
    pub back_off_most: Duration,
    /// After how long without a byte from the issuer it is asked whether it is there (0800).
    pub idle: Duration,
    /// How long it may then stay silent before the connection is given up. `idle` and `silence` are
    /// 20 s together unless changed: a connection whose other end is gone is found within 30 s.
    pub silence: Duration,
    /// Whether a connection begins with a sign-on (0800) that must be approved.
    pub sign_on: bool,
    /// Where answers go that come after their requests were given up. Full means dropped and counted.
    pub late: Option<mpsc::Sender<Received>>,
    /// Where requests go that the issuer makes of us; without it they are ignored. Full means ignored and counted.
    pub asked: Option<mpsc::Sender<Asked>>,
}

/// A request that an issuer makes of us, and the connection it came by.
pub struct Asked {
    /// The request. Its MAC is not checked here.
    pub received: Received,
    shared: Arc<Shared>,
    slot: usize,
}

impl Asked {
    fn new(received: Received, shared: Arc<Shared>, slot: usize) -> Self {
        Self { received, shared, slot }
    }

    /// Sends the answer, a whole unit. False if the connection is gone.
    #[must_use]
    pub fn answer(&self, unit: Bytes) -> bool {
        self.shared.say(self.slot, unit)
    }
}

impl TcpLinkSetup {
    /// The defaults: one connection, 1,024 requests on it, found dead within 20 s, no sign-on.
    #[must_use]
    pub fn new(issuer: IssuerName, address: String, profile: Arc<Profile>, stans: Arc<StanSpace>) -> Self {
        Self {
            issuer,
            address,
            profile,
            stans,
            connections: 1,
            in_flight: mux::IN_FLIGHT,
            connect_within: Duration::from_secs(5),
            back_off: Duration::from_millis(100),
            back_off_most: Duration::from_secs(5),
            idle: Duration::from_secs(10),
            silence: Duration::from_secs(10),
            sign_on: false,
            late: None,
            asked: None,
        }
    }
}

/// What a link reports of itself. The counters only rise.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LinkStats {
    /// Requests and answers.
    pub mux: MuxCounters,
    /// Connections that are up now.
    pub up: usize,
    /// Connections that came up.
    pub connected: u64,
    /// Connections that were lost.
    pub lost: u64,
    /// Requests of which not one byte left.
    pub not_sent: u64,
    /// Units that are no message.
    pub garbage: u64,
    /// Messages that are no answer, or carry no key.
    pub no_answer: u64,
    /// Echo requests sent.
    pub echoes: u64,
    /// Late answers that the owner had no room for.
    pub late_dropped: u64,
}

impl LinkStats {
    /// Adds another link's.
    pub fn add(&mut self, other: &Self) {
        let Self { mux, up, connected, lost, not_sent, garbage, no_answer, echoes, late_dropped } = other;
        self.mux.add(mux);
        self.up += up;
        for (own, other) in [
            (&mut self.connected, connected),
            (&mut self.lost, lost),
            (&mut self.not_sent, not_sent),
            (&mut self.garbage, garbage),
            (&mut self.no_answer, no_answer),
            (&mut self.echoes, echoes),
            (&mut self.late_dropped, late_dropped),
        ] {
            *own += other;
        }
    }
}

/// A TCP link. Dropping it closes its connections.
pub struct TcpLink {
    shared: Arc<Shared>,
    answers: Histogram,
    _tasks: Vec<AbortOnDropHandle<()>>,
}

impl TcpLink {
    /// Starts the connections' tasks on the current runtime and returns at once; the link is up when
    /// the first of them is.
    #[must_use]
    pub fn start(setup: TcpLinkSetup) -> Self {
        let shared = Arc::new(Shared::new(setup));
        let task = |slot| AbortOnDropHandle::new(tokio::spawn(connection::keep_up(Arc::clone(&shared), slot)));
        let tasks = (0..shared.slots()).map(task).collect();
        Self { shared, answers: Histogram::default(), _tasks: tasks }
    }

    /// The counters now.
    #[must_use]
    pub fn stats(&self) -> LinkStats {
        self.shared.stats()
    }

    /// How long answers took, where somebody measured it.
    #[must_use]
    pub fn answers(&self) -> &Histogram {
        &self.answers
    }

    /// Completes when the link is up, at once if it is.
    pub async fn until_up(&self) {
        self.shared.until_up().await;
    }
}

impl IssuerLink for TcpLink {
    type Received = Received;
    type Key = CorrelationKey;

    fn issuer(&self) -> &IssuerName {
        &self.shared.setup.issuer
    }

    fn is_up(&self) -> bool {
        self.shared.is_up()
    }

    fn next_stan(&self) -> Stan {
        self.shared.setup.stans.next()
    }

    async fn request(
        &self,
        key: CorrelationKey,
        unit: Bytes,
        deadline: impl Future<Output = ()> + Send,
    ) -> LinkReply<Received> {
        let Some(waiting) = self.shared.send(key, unit) else { return LinkReply::NotSent };
        waiting.until(deadline).await
    }

    fn took(&self, took: Duration) {
        self.answers.add(took);
    }
}
