//! Rules as data.

use std::sync::Arc;

/// A set of rules, read from one file. Immutable.
#[derive(Debug)]
pub struct RuleSet {
    /// Its version, as the file says.
    pub version: Arc<str>,
}

impl Default for RuleSet {
    fn default() -> Self {
        Self { version: "none".into() }
    }
}
