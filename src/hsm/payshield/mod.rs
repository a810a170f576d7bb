//! A payShield-style HSM on the network: host commands over TCP or TLS.
//!
//! [`PayshieldHsm`] is the [`Hsm`](super::Hsm) of a station; the codec beneath it
//! ([`frame`], [`command`]) is pure and serves either side of the wire. The other side is a
//! [`counterpart`](counterpart::Counterpart) under the public test key, on a socket by [`serve`], which
//! can be slow and fail as its [`behaviour`] says.

mod backend;
pub mod behaviour;
mod block;
pub mod code;
pub mod command;
pub mod counterpart;
pub mod fields;
pub mod frame;
pub mod key;
mod key_types;
mod pool;
pub mod serve;
mod setup;

pub use backend::PayshieldHsm;
pub use key_types::KeyTypes;
pub use pool::{PoolStats, SlotView};
pub use setup::{HostTls, NamedHostKey, PORT, PayshieldSetup, SealingKeys, SetupFault};
