//! Files that people write, read as text.

use crate::model::Breach;
use std::path::Path;
use zeroize::Zeroize;

/// The whole text of a file.
///
/// # Errors
/// A breach without a line if the file cannot be read; with that of the first wrong byte if it is no text.
pub fn read(path: &Path) -> Result<String, Breach> {
    let file = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| Breach::new(&file, 0, error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| {
        let right = error.utf8_error().valid_up_to();
        let mut bytes = error.into_bytes();
        let line = 1 + bytes.iter().take(right).filter(|byte| **byte == b'\n').count();
        // It may be a list of keys.
        bytes.zeroize();
        Breach::new(&file, line, "is not UTF-8 text")
    })
}
