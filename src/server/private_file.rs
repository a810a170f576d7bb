//! Files that are their owner's alone, made anew beside those whose place they take.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

/// Where the next content of a file is written: the whole name and more, so that files that differ in their ending
/// alone are not in each other's way.
#[must_use]
pub fn beside(path: &Path) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(".new");
    PathBuf::from(name)
}

/// Makes a file that only its owner may read. What lies there is removed first: an older release or a killed process
/// may have left something that others may read, and creating would not change that.
///
/// # Errors
/// It cannot be removed or made.
pub fn create(path: &Path) -> io::Result<File> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Puts these bytes in a file's place: under its name there is the old content or the new one, also after a power cut.
///
/// # Errors
/// It cannot be written; the old content stands.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = beside(path);
    let mut file = create(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
