//! A payShield-style HSM on the network: host commands over TCP or TLS.
//!
//! [`PayshieldHsm`] is the [`Hsm`](super::Hsm) of a station; the codec beneath it
//! ([`frame`], [`command`]) is pure and serves either side of the wire.

mod backend;
pub mod code;
pub mod command;
pub mod fields;
pub mod frame;
pub mod key;
mod pool;
mod setup;

pub use backend::PayshieldHsm;
pub use pool::{PoolStats, SlotView};
pub use setup::{HostTls, NamedHostKey, PORT, PayshieldSetup, SealingKeys, SetupFault};
