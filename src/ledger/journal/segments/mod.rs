//! The real disk: a folder of the file system, used by one process at a time.

use super::Disk;
use super::Fault;
use super::JournalFault;
use super::Place;
use std::fs::DirBuilder;
use std::fs::File;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

/// Who holds this file's lock uses the folder.
const LOCK: &str = "lock";

/// A folder of a file system. Files are made for their owner alone (0600), the folder too (0700).
///
/// Clones share the lock; it is free again once the last of them is dropped, or the process ends.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    /// `None`: to read only.
    lock: Option<Arc<File>>,
}

impl Folder {
    /// Opens a folder for this process alone, and makes it if it is not there.
    ///
    /// # Errors
    /// [`Fault::InUse`] if another process has it; or the file system's.
    pub fn open(path: &Path) -> Result<Self, JournalFault> {
        let refuse = |what| move |error| fault(path, what, error);
        if !path.is_dir() {
            make(path).map_err(refuse("the folder cannot be made"))?;
        }
        let mut options = OpenOptions::new();
        let lock = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path.join(LOCK));
        let lock = lock.map_err(refuse("the lock file cannot be opened"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), lock: Some(Arc::new(lock)) }),
            Err(TryLockError::WouldBlock) => {
                let place = Place::new(LOCK, 0, 0);
                Err(JournalFault::at(path.display().to_string(), place, Fault::InUse))
            }
            Err(TryLockError::Error(error)) => Err(fault(path, "the folder cannot be locked", error)),
        }
    }

    /// Opens a folder to look at, also one that a station is using. Whatever would change it is refused.
    ///
    /// # Errors
    /// It is no folder.
    pub fn read_only(path: &Path) -> Result<Self, JournalFault> {
        if !path.is_dir() {
            return Err(fault(path, "it cannot be read", io::ErrorKind::NotADirectory.into()));
        }
        Ok(Self { path: path.to_owned(), lock: None })
    }

    fn may_change(&self) -> io::Result<()> {
        match self.lock {
            Some(_) => Ok(()),
            None => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
        }
    }
}

fn fault(path: &Path, what: &'static str, error: io::Error) -> JournalFault {
    JournalFault { folder: path.display().to_string(), place: None, fault: Fault::Io(what, error) }
}

/// Makes a folder with all above it, and sees that their names survive power loss.
fn make(path: &Path) -> io::Result<()> {
    let missing = |above: &&Path| !above.as_os_str().is_empty() && !above.exists();
    let made: Vec<&Path> = path.ancestors().take_while(missing).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    for above in made.iter().filter_map(|made| made.parent()) {
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        File::open(above)?.sync_all()?;
    }
    Ok(())
}

impl Disk for Folder {
    type File = File;

    fn folder(&self) -> String {
        self.path.display().to_string()
    }

    fn list(&mut self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                names.extend(entry.file_name().into_string());
            }
        }
        Ok(names)
    }

    fn create(&mut self, name: &str) -> io::Result<File> {
        self.may_change()?;
        OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(self.path.join(name))
    }

    fn open(&mut self, name: &str) -> io::Result<File> {
        OpenOptions::new().read(true).write(self.lock.is_some()).open(self.path.join(name))
    }

    fn len(&mut self, file: &File) -> io::Result<u64> {
        Ok(file.metadata()?.len())
    }

    fn read_at(&mut self, file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        file.read_at(buffer, at)
    }

    fn write_at(&mut self, file: &mut File, bytes: &[u8], at: u64) -> io::Result<()> {
        self.may_change()?;
        file.write_all_at(bytes, at)
    }

    fn sync(&mut self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.may_change()?;
        std::fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.may_change()?;
        std::fs::remove_file(self.path.join(name))
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        self.may_change()?;
        File::open(&self.path)?.sync_all()
    }
}
