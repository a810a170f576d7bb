//! The shell: configuration, listeners, sessions and workers.

pub mod config;
pub mod trace;
pub mod watch;
