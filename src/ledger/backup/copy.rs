//! Files from one folder to another, with their check sums.

use super::BackupFault;
use super::FileEntry;
use crate::ledger::journal::Disk;
use crate::ledger::journal::layout;
use sha2::Digest;
use sha2::Sha256;
use std::io;

const CHUNK: usize = 256 << 10;

/// A file that is open to be copied.
pub(super) struct Source<F> {
    pub(super) name: String,
    pub(super) file: F,
    pub(super) length: u64,
    /// Bytes from here on are written as zeros.
    pub(super) end: u64,
}

impl<F> Source<F> {
    /// All of a file.
    pub(super) fn whole<D: Disk<File = F>>(disk: &mut D, name: &str) -> io::Result<Self> {
        let file = disk.open(name)?;
        let length = disk.len(&file)?;
        Ok(Self { name: name.to_owned(), file, length, end: length })
    }

    /// Copies it and syncs the copy.
    pub(super) fn copy<D: Disk<File = F>, T: Disk>(&self, from: &mut D, to: &mut T) -> Result<FileEntry, BackupFault> {
        let of = |folder: String| move |error| BackupFault::Io(format!("{folder}/{}", self.name), error);
        let mut copy = to.create(&self.name).map_err(of(to.folder()))?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; CHUNK];
        let mut at = 0;
        while at < self.length {
            let wanted = usize::try_from(self.length - at).unwrap_or(CHUNK).min(CHUNK);
            let Some(chunk) = buffer.get_mut(..wanted) else { break };
            let read = layout::read_full(from, &self.file, chunk, at).map_err(of(from.folder()))?;
            if read < wanted {
                return Err(of(from.folder())(io::ErrorKind::UnexpectedEof.into()));
            }
            let kept = usize::try_from(self.end.saturating_sub(at)).unwrap_or(wanted).min(wanted);
            chunk.iter_mut().skip(kept).for_each(|byte| *byte = 0);
            hash.update(&*chunk);
            to.write_at(&mut copy, chunk, at).map_err(of(to.folder()))?;
            at += layout::offset(wanted);
        }
        to.sync(&copy).map_err(of(to.folder()))?;
        Ok(FileEntry { name: self.name.clone(), bytes: self.length, sha256: hex(&hash.finalize()) })
    }
}

/// Writes a new file of these bytes and syncs it.
pub(super) fn write<T: Disk>(to: &mut T, name: &str, bytes: &[u8]) -> Result<FileEntry, BackupFault> {
    let mut made = || {
        let mut file = to.create(name)?;
        to.write_at(&mut file, bytes, 0)?;
        to.sync(&file)
    };
    let made: io::Result<()> = made();
    made.map_err(|error| BackupFault::Io(format!("{}/{name}", to.folder()), error))?;
    Ok(FileEntry { name: name.to_owned(), bytes: layout::offset(bytes.len()), sha256: hex(&Sha256::digest(bytes)) })
}

/// Reads a small file; `None` if it is not there, or larger than `most`.
pub(super) fn read<D: Disk>(from: &mut D, name: &str, most: usize) -> io::Result<Option<Vec<u8>>> {
    let file = match from.open(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let Some(length) = usize::try_from(from.len(&file)?).ok().filter(|length| *length <= most) else {
        return Ok(None);
    };
    let mut bytes = vec![0; length];
    let read = layout::read_full(from, &file, &mut bytes, 0)?;
    bytes.truncate(read);
    Ok(Some(bytes))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
