//! What the journal needs of a disk: one flat folder of files.

use std::io;

/// A folder of files. The real one is `journal::segments::Folder`; the simulated world has one that
/// forgets what was not synced.
///
/// A clone is another handle to the same folder, for another thread.
pub trait Disk: Clone + Send + 'static {
    /// An open file.
    type File: Send;

    /// The folder as an operator would name it in a command, for messages.
    fn folder(&self) -> String {
        "DIR".to_owned()
    }

    /// The names of all files, in any order.
    ///
    /// # Errors
    /// As the disk says, here and below.
    fn list(&mut self) -> io::Result<Vec<String>>;

    /// Makes a new, empty file, to read and write; fails if there is one of this name.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`], or as the disk says.
    fn create(&mut self, name: &str) -> io::Result<Self::File>;

    /// Opens a file that exists, to read and write (only to read, if the folder is read only).
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`], or as the disk says.
    fn open(&mut self, name: &str) -> io::Result<Self::File>;

    /// Length in bytes.
    ///
    /// # Errors
    /// As the disk says.
    fn len(&mut self, file: &Self::File) -> io::Result<u64>;

    /// Reads into `buffer` from byte `at` on; fewer than asked for, or 0 bytes, only at the end of the file
    /// or when interrupted.
    ///
    /// # Errors
    /// As the disk says.
    fn read_at(&mut self, file: &Self::File, buffer: &mut [u8], at: u64) -> io::Result<usize>;

    /// Writes all of `bytes` from byte `at` on. Durable only after [`Disk::sync`].
    ///
    /// # Errors
    /// As the disk says; then any part of `bytes` may have been written.
    fn write_at(&mut self, file: &mut Self::File, bytes: &[u8], at: u64) -> io::Result<()>;

    /// Makes everything written to the file, and its length, survive power loss (`fdatasync`).
    ///
    /// # Errors
    /// As the disk says; then nothing is known of what was written since the last success, and a second
    /// call would prove nothing.
    fn sync(&mut self, file: &Self::File) -> io::Result<()>;

    /// Renames a file, replacing one that has the new name; who has it open keeps it open. Durable only after
    /// [`Disk::sync_folder`].
    ///
    /// # Errors
    /// As the disk says.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file. Durable only after [`Disk::sync_folder`].
    ///
    /// # Errors
    /// As the disk says.
    fn remove(&mut self, name: &str) -> io::Result<()>;

    /// Makes names (created, renamed, removed) survive power loss.
    ///
    /// # Errors
    /// As the disk says.
    fn sync_folder(&mut self) -> io::Result<()>;
}
