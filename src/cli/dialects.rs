//! Dialects by name or by file.

use super::Exit;
use super::Failure;
use crate::iso8583::Dialect;
use crate::iso8583::builtin;
use crate::iso8583::spec_file;
use crate::iso8583::spec_file::Breach;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// A built-in dialect, or the one in a file.
///
/// # Errors
/// [`Exit::Config`] with all breaches, one a line.
pub(super) fn find(name: &str) -> Result<Arc<Dialect>, Failure> {
    if let Some(dialect) = builtin::dialect(name) {
        return Ok(dialect);
    }
    let path = Path::new(name);
    let text = read(path)?;
    load(path, &text).map(Arc::new).map_err(|breaches| {
        let lines: Vec<String> = breaches.iter().map(|breach| told(path, breach)).collect();
        Failure::new(Exit::Config, lines.join("\n"))
    })
}

/// The text of a file.
///
/// # Errors
/// [`Exit::Config`]: it cannot be read.
pub(super) fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| {
        let what = format!("{}: {error}; built-in names: `tollgate spec list`", path.display());
        Failure::new(Exit::Config, what)
    })
}

/// A dialect that is no built-in one. What it extends is looked for beside it, then among the built-in ones.
pub(super) fn load(path: &Path, text: &str) -> Result<Dialect, Vec<Breach>> {
    let beside = |parent: &str| fs::read_to_string(path.with_file_name(format!("{parent}.toml"))).ok();
    let parent = |name: &str| beside(name).or_else(|| builtin::text(name).map(str::to_owned));
    spec_file::load(&stem(path), text, &parent)
}

/// The name of a file without folder and `.toml`.
pub(super) fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// A breach with the file as the user called it, where it is that file.
pub(super) fn told(path: &Path, breach: &Breach) -> String {
    if breach.file == stem(path) {
        format!("{}:{}: {}", path.display(), breach.line, breach.what)
    } else {
        breach.to_string()
    }
}
