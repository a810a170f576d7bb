//! The shell: configuration, doors, workers, sessions, and the machine's time and randomness.
//!
//! A [`Server`] is a number of workers. Each is one thread with one runtime and its own listeners on
//! shared ports. A session reads into its worker's scratch, cuts frames, and asks the [`Serve`] behind
//! it; it keeps nothing but an unfinished frame and the answers that wait to be written.

mod behind;
pub mod clock;
pub mod config;
pub mod control;
mod crash;
mod days;
pub mod descriptors;
mod desk;
mod door;
mod ended;
pub mod enforce;
pub mod entropy;
pub mod expiry;
mod gauges;
pub mod hsm;
mod in_force;
pub mod keeper;
mod lanes;
pub mod lines;
mod listener;
pub mod logging;
pub mod master;
pub mod memory;
pub mod meter;
mod outbox;
pub mod private_file;
pub mod probe;
mod reload;
pub mod run;
mod seats;
pub mod secret;
mod serve;
mod session;
mod signals;
mod standing_said;
pub mod station;
mod tap;
pub mod text_file;
pub mod tls;
pub mod trace;
pub mod watch;
mod whereabouts;
mod worker;

pub use clock::SystemClock;
pub use desk::{Desk, DeskPlace};
pub use door::Door;
pub use entropy::SystemEntropy;
pub use gauges::{Gauges, LinkFigures, Links};
pub use reload::{Reload, ReloadFault, Reloaded};
pub use serve::{Peer, Reading, Serve};
pub use signals::{reload_on_hangup, stop_on_signals};
pub use tap::{Direction, Seen, Tap};
pub use worker::{Ending, Plan, Server, Stopper};
