//! Behaviours, one module each.

mod registry;
mod risk;
mod route;
