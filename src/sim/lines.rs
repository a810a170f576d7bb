//! A file of lines that only grows, for what a simulated outside must remember when its process is killed.
//!
//! A line is handed to the operating system in one piece before anybody is told what it says, so that it
//! outlives the process (not a power cut: nothing is synced). A line that was cut short is forgotten.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// An open file of lines, at its end.
#[derive(Debug)]
pub(super) struct Lines {
    file: File,
    length: u64,
}

impl Lines {
    /// Opens a file, or makes it for its owner alone, and reads what it has.
    pub(super) fn open(path: &Path) -> io::Result<(Self, String)> {
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        // It may have been cut short inside a character.
        bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
        let text = String::from_utf8(bytes).map_err(io::Error::other)?;
        let mut lines = Self { file, length: u64::try_from(text.len()).unwrap_or(u64::MAX) };
        lines.cut()?;
        Ok((lines, text))
    }

    /// Replaces the file by one with these lines, in one step.
    pub(super) fn replace(path: &Path, text: &str) -> io::Result<Self> {
        let fresh = path.with_extension("new");
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        std::fs::rename(&fresh, path)?;
        Ok(Self { file, length: u64::try_from(text.len()).unwrap_or(u64::MAX) })
    }

    /// Adds a line. If it cannot be added whole, nothing of it stays.
    pub(super) fn add(&mut self, line: &impl serde::Serialize) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        if let Err(error) = self.file.write_all(&bytes) {
            self.cut()?;
            return Err(error);
        }
        self.length += u64::try_from(bytes.len()).unwrap_or_default();
        Ok(())
    }

    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length)).map(drop)
    }
}
