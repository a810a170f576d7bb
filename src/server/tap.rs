//! Frames as they pass, for who traces a terminal. Costs one load when nobody listens.

use crate::channel::LaneKey;
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::broadcast;

/// Which way a frame went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// From the peer.
    In,
    /// To the peer.
    Out,
}

/// One frame as a session saw it. No `Debug`: it holds card data.
pub struct Seen {
    /// The door's name.
    pub door: Box<str>,
    /// Whom the session is with.
    pub peer: SocketAddr,
    /// Which way.
    pub direction: Direction,
    /// Whose it is, if it could be read.
    pub lane: Option<LaneKey>,
    /// TPDU, header and body; without the length header.
    pub unit: Bytes,
    /// Why the frame was refused, if it was.
    pub reject: Option<String>,
}

/// Where sessions show frames. A listener that is slower than the traffic misses the oldest; sessions
/// never wait for it.
#[derive(Clone)]
pub struct Tap(broadcast::Sender<Arc<Seen>>);

impl Tap {
    /// Frames a slow listener may be behind before it misses some.
    pub const BEHIND: usize = 1024;

    /// A tap to which nobody listens yet.
    #[must_use]
    pub fn new() -> Self {
        Self(broadcast::Sender::new(Self::BEHIND))
    }

    /// Listens from now on, until the receiver is dropped.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Arc<Seen>> {
        self.0.subscribe()
    }

    /// Shows a frame; it is only put together if somebody listens.
    pub fn show(&self, seen: impl FnOnce() -> Seen) {
        if self.0.receiver_count() > 0 {
            // The last listener may have left just now: then nobody misses it.
            drop(self.0.send(Arc::new(seen())));
        }
    }
}

impl Default for Tap {
    fn default() -> Self {
        Self::new()
    }
}
