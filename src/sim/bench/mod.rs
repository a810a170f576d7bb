//! Honest load: a fleet of terminals against any host, on a schedule that does not wait, with every answer checked.
//!
//! A terminal is the same [`Terminal`](crate::sim::terminal::Terminal) that a counter has: it signs in, owns its
//! numbers and keys, and undoes what was not answered; one request of each is under way at a time. What is due while
//! all are busy is sent late, and its latency counts from when it was due: a host that stalls does not slow down the
//! ruler it is measured with.
//!
//! [`Generator`] has the threads; what they decide is without IO: [`schedule`], [`mix`], [`tally`], [`threshold`].

mod check;
pub mod compare;
mod drawn;
mod fleet;
mod generator;
mod hear;
pub mod hlog;
mod line;
pub mod mix;
mod pacer;
pub mod proxy;
pub mod schedule;
mod seat;
pub mod summary;
pub mod tally;
pub mod threshold;

pub use drawn::Drawn;
pub use generator::{Drive, Generator, Glimpse, Plan, Ran, Signed};
