//! A payShield-style HSM: its commands on the wire, the trait over them, and everything that can go wrong.

mod codec;
mod command;
mod faults;
mod operations;
mod pool;
mod rig;
