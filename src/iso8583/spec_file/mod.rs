//! Reads a dialect file, or says everything that is wrong with it.

use super::spec::Dialect;
use std::fmt;

/// One thing that is wrong with a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Breach {
    /// The dialect's name: its file without `.toml`.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// Reads the dialect `name` from `text`; `parent` gives the text of a dialect that it extends.
///
/// # Errors
/// All breaches of the file and of those it extends, in the order of the files and of their lines.
pub fn load(name: &str, _text: &str, _parent: &dyn Fn(&str) -> Option<String>) -> Result<Dialect, Vec<Breach>> {
    Err(vec![Breach { file: name.to_owned(), line: 1, what: "the reader is not written yet".to_owned() }])
}
