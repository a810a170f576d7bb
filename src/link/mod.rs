//! The issuer side: one live connection, or several, to an issuer's host.

pub mod mux;
mod stan;
pub mod tcp;

pub use stan::{AFTER_RESTART, StanSpace};

use crate::model::IssuerName;
use crate::model::Stan;
use bytes::Bytes;
use std::future::Future;
use std::time::Duration;

/// How a request to an issuer ended. `R` is the decoded answer as the channel room gives it.
#[derive(Debug)]
pub enum LinkReply<R> {
    /// An answer whose correlation key matched. Its MAC is not checked here.
    Answer(R),
    /// Not one byte left: another issuer may be tried, or the request declined.
    NotSent,
    /// It left, and nobody knows: deadline, connection lost, garbage.
    Unknown,
}

/// A way to an issuer. Correlation is by the profile's key, never by STAN alone.
pub trait IssuerLink: Send + Sync + 'static {
    /// What an answer is: frame and message.
    type Received: Send + 'static;
    /// What pairs a request with its answer.
    type Key: Send + 'static;

    /// Whose link.
    fn issuer(&self) -> &IssuerName;

    /// Whether a request would leave now. A route prefers links that are up.
    fn is_up(&self) -> bool;

    /// The next STAN of this link; not used again within the link's window.
    fn next_stan(&self) -> Stan;

    /// Sends one whole unit and waits for the answer with this key, until `deadline` completes.
    /// Dropping the future forgets the request; an answer that comes then is *late*.
    fn request(
        &self,
        key: Self::Key,
        unit: Bytes,
        deadline: impl Future<Output = ()> + Send,
    ) -> impl Future<Output = LinkReply<Self::Received>> + Send;

    /// Its issuer took so long to answer: somebody measured it anyway.
    fn took(&self, _: Duration) {}
}
