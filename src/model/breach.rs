//! What is wrong with a file that people wrote.

use std::borrow::Cow;
use std::fmt;

/// One fault of a configuration file: where, and what. Loaders report all of them at once.
///
/// `what` names keys and rules; it never holds a secret value.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Breach {
    /// The file as the operator named it.
    pub file: String,
    /// Its line, counted from 1; 0 where the fault has none (a missing file).
    pub line: usize,
    /// What is wrong, for people.
    pub what: String,
}

impl Breach {
    /// A breach at a line of a file.
    #[must_use]
    pub fn new(file: &str, line: usize, what: impl Into<String>) -> Self {
        Self { file: file.into(), line, what: what.into() }
    }
}

/// With control characters as people write them: nothing that is cited from a file steers a screen.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let plain = text.chars().map(|letter| match letter.is_control() {
        true => letter.escape_default().to_string(),
        false => letter.to_string(),
    });
    Cow::Owned(plain.collect())
}

/// `stations.toml:12: unknown key "adress"`; without a line where there is none.
impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", escaped(&self.file), escaped(&self.what)),
            line => write!(f, "{}:{line}: {}", escaped(&self.file), escaped(&self.what)),
        }
    }
}

/// The line, counted from 1, in which byte `offset` of `text` stands.
#[must_use]
pub fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}
