//! The state file: read once, replaced whole before anything leaves.

use std::fs::File;
use std::fs::OpenOptions;
use std::fs::Permissions;
use std::fs::TryLockError;
use std::io;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

/// It has working keys in it, enciphered as they came.
const OWNER_ONLY: u32 = 0o600;

/// How long a lock may outlive its holder: what a process starts has its files until it is a program of its own.
const LINGERS: Duration = Duration::from_millis(500);

/// Where a terminal keeps its memory. One process at a time: two would use the same numbers twice.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    _lock: File,
}

impl StateFile {
    /// The file at `path`, which need not exist yet, for this process alone until it is dropped or the process ends.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if another process has it; its folder cannot be made or written to.
    pub fn open(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let lock = writable().truncate(false).open(beside(path, ".lock"))?;
        own(&lock)?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Its text, `None` if there is no such file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self) -> io::Result<Option<String>> {
        match std::fs::read_to_string(&self.path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces it in one step: a power cut leaves the old text or the new, never half of one.
    ///
    /// # Errors
    /// It cannot be written; the old text stands.
    pub fn write(&self, text: &str) -> io::Result<()> {
        let fresh = beside(&self.path, ".new");
        let mut file = writable().truncate(true).open(&fresh)?;
        file.set_permissions(Permissions::from_mode(OWNER_ONLY))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&fresh, &self.path)?;
        // Not before the folder knows: a sale that left must find its pending reversal after a power cut.
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

fn own(lock: &File) -> io::Result<()> {
    let until = Instant::now() + LINGERS;
    loop {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < until => std::thread::sleep(LINGERS / 50),
            other => return Ok(other?),
        }
    }
}

fn writable() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(OWNER_ONLY);
    options
}

/// The whole name and more: files that differ in their ending alone are two terminals' memories.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(ending);
    PathBuf::from(name)
}
