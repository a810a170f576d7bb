//! Behaviours, one module each.

mod dialects;
mod registry;
mod risk;
mod route;
