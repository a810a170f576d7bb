//! Behaviours, one module each.

mod config;
mod registry;
mod risk;
mod route;
