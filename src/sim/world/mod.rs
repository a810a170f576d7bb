//! The whole switch in one thread and one number: the real flows, terminals and banks, over a clock, a disk,
//! wires and an HSM of its own, with everything going wrong that a seed draws.
//!
//! [`Plan`] says who takes part and what goes wrong, [`run()`] lets it happen and checks the invariants. The same
//! plan gives the same history, to the byte.

mod aside;
mod by_rules;
mod chance;
mod checks;
mod counter;
mod counters;
mod coverage;
mod days;
mod disk;
mod executor;
mod history;
mod host;
mod journal;
mod keeping;
mod nature;
mod operator;
mod outside;
mod plan;
mod probe;
mod records;
mod rules;
mod run;
mod scenario;
mod setup;
mod station;
mod strangers;
mod swarm;
mod till;
mod vault;
mod watch;
mod weather;
mod wire;
mod zone;

pub use coverage::{Coverage, Sometimes};
pub use nature::SimClock;
pub use plan::Plan;
pub use run::{Report, run};
pub use scenario::{Scenario, crashes, scenarios};
pub use station::SimWorld;
pub use swarm::seeded;
pub use vault::Vault;
pub use watch::Watcher;
pub use wire::SimLink;
