//! A file of lines that only grows. A line that a killed process began to write is none, and is cut off.
//!
//! Lines are handed to the operating system in one piece, so that they outlive the process; a power cut they outlive
//! once [`Lines::sync`] is through.

use super::private_file;
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
pub struct Lines {
    file: File,
    length: u64,
}

/// Opens a file to read it and to write behind it, or makes it for its owner alone.
///
/// # Errors
/// Those of opening.
pub fn file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// The whole lines that follow in a file. The last one may have been cut short, also inside a character.
///
/// # Errors
/// Those of reading.
pub fn whole(file: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
    Ok(bytes)
}

impl Lines {
    /// Opens a file, or makes it for its owner alone, and reads what it has.
    ///
    /// # Errors
    /// It cannot be used, or has something else than text.
    pub fn open(path: &Path) -> io::Result<(Self, String)> {
        let mut file = file(path)?;
        let text = String::from_utf8(whole(&mut file)?).map_err(io::Error::other)?;
        Ok((Self::behind(file, text.len())?, text))
    }

    /// Goes on behind the first bytes of a file; what follows them is cut off.
    ///
    /// # Errors
    /// It cannot be cut.
    pub fn behind(file: File, bytes: usize) -> io::Result<Self> {
        let mut lines = Self { file, length: u64::try_from(bytes).map_err(io::Error::other)? };
        lines.cut()?;
        Ok(lines)
    }

    /// Replaces the file by one with these lines, in one step.
    ///
    /// # Errors
    /// It cannot be written; the old one stands.
    pub fn replace(path: &Path, text: &str) -> io::Result<Self> {
        let fresh = private_file::beside(path);
        let mut file = private_file::create(&fresh)?;
        file.write_all(text.as_bytes())?;
        std::fs::rename(&fresh, path)?;
        Ok(Self { file, length: u64::try_from(text.len()).map_err(io::Error::other)? })
    }

    /// Adds a line of JSON. If it cannot be added whole, nothing of it stays.
    ///
    /// # Errors
    /// Those of writing.
    pub fn add(&mut self, line: &impl serde::Serialize) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        self.add_whole(&bytes)
    }

    /// Adds lines with their ends. If they cannot be added whole, nothing of them stays.
    ///
    /// # Errors
    /// Those of writing.
    pub fn add_whole(&mut self, lines: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(lines) {
            self.cut()?;
            return Err(error);
        }
        self.length += u64::try_from(lines.len()).unwrap_or_default();
        Ok(())
    }

    /// Waits until what was added outlives a power cut.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length)).map(drop)
    }
}
