//! Rules as data.

use crate::model::Breach;
use std::sync::Arc;

/// A set of rules, read from one file. Immutable.
#[derive(Debug)]
pub struct RuleSet {
    /// Its version, as the file says.
    pub version: Arc<str>,
}

impl RuleSet {
    /// Reads a rule file.
    ///
    /// # Errors
    /// Every breach, with its line.
    pub fn read(_file: &str, _text: &str) -> Result<Self, Vec<Breach>> {
        Ok(Self::default())
    }
}

impl Default for RuleSet {
    fn default() -> Self {
        Self { version: "none".into() }
    }
}
