//! The shell: configuration, listeners, sessions and workers.

pub mod config;
