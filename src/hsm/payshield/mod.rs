//! A payShield-style HSM on the network: host commands over TCP or TLS.

pub mod code;
pub mod command;
pub mod fields;
pub mod frame;
pub mod key;
