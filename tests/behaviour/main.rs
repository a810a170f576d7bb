//! Behaviours, one module each.
