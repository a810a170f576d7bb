//! What the shell asks of the station behind it.

use super::door::Door;
use super::meter::DoorMeter;
use crate::channel::Frame;
use crate::channel::LaneKey;
use bytes::Bytes;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

/// Who is at the other end of a session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// SHA-256 of the client certificate that TLS verified, if it showed one. The only identity here that
    /// a stranger cannot write.
    pub certificate: Option<[u8; 32]>,
}

/// A frame, read once.
pub enum Reading<P> {
    /// A request, or something else that gets an answer: it is served in its lane.
    Serve(LaneKey, P),
    /// Nobody could be answered: the session is closed, for this reason. The text is logged and must
    /// hold no value of the message.
    Close(String),
}

/// What stands behind the doors: the station, or a test's stand-in. One for each worker.
pub trait Serve: Send + Sync + 'static {
    /// A frame after reading: the message, or why it is none but can be answered.
    type Parsed: Send + 'static;

    /// Reads a frame: whose is it? Pure and quick; called in the order in which frames came.
    fn read(&self, door: &Door, peer: &Peer, frame: Frame) -> Reading<Self::Parsed>;

    /// Serves what was read. The result is a whole unit for the wire, or `None` for silence.
    ///
    /// Frames of one lane are served one after the other, in the order in which they came; lanes at the
    /// same time. The future is driven to its end even if the peer has gone; only a forced stop drops it.
    /// A panic ends the process.
    fn answer(&self, door: &Door, peer: &Peer, parsed: Self::Parsed) -> impl Future<Output = Option<Bytes>> + Send;

    /// The answer at once where a lane or a session is full; `None` is silence. A terminal drops its
    /// reversal on any answer: a reversal, an advice, or a copy of what is still running gets silence.
    fn overloaded(&self, door: &Door, peer: &Peer, parsed: Self::Parsed) -> Option<Bytes>;

    /// Where what happens at a door is counted, if it is.
    fn meter(&self, _: &Door) -> Option<Arc<DoorMeter>> {
        None
    }
}
