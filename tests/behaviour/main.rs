//! Behaviours, one module each.

mod crypto_vectors;
mod dialects;
mod hsm;
mod registry;
mod risk;
mod route;
