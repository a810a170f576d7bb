//! The files of a settlement: all of them or none, and never other bytes in place of those that are there.

use crate::cli::Exit;
use crate::cli::Failure;
use crate::server::private_file;
use sha2::Digest;
use sha2::Sha256;
use std::fs;
use std::fs::DirBuilder;
use std::fs::File;
use std::io;
use std::io::BufReader;
use std::io::BufWriter;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::path::PathBuf;

/// The list of the others, written last: where it is, all are.
pub(super) const MANIFEST: &str = "settlement.json";
const NEW: &str = ".new";

/// A file that was written.
pub(super) struct Written {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// A folder that is being filled. Nothing in it is replaced before [`Folder::keep`].
pub(super) struct Folder {
    path: PathBuf,
    pub(super) written: Vec<Written>,
}

/// Counts and hashes what it writes.
pub(super) struct Hashing {
    out: BufWriter<File>,
    hash: Sha256,
    bytes: u64,
}

impl Write for Hashing {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.out.write(buffer)?;
        self.hash.update(buffer.get(..written).unwrap_or_default());
        self.bytes += u64::try_from(written).unwrap_or_default();
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Folder {
    /// Makes the folder, its owner's alone, if it is not there.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| failure(path, &error))?;
        Ok(Self { path: path.to_owned(), written: Vec::new() })
    }

    /// Begins a file, its owner's alone, beside the one that may be there.
    pub(super) fn begin(&self, name: &str) -> Result<Hashing, Failure> {
        let path = self.path.join(format!("{name}{NEW}"));
        let file = private_file::create(&path).map_err(|error| failure(&path, &error))?;
        Ok(Hashing { out: BufWriter::new(file), hash: Sha256::new(), bytes: 0 })
    }

    /// Ends a file.
    pub(super) fn end(&mut self, name: &str, mut file: Hashing) -> Result<(), Failure> {
        file.flush()?;
        file.out.get_ref().sync_all()?;
        let sha256 = file.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        self.written.push(Written { name: name.to_owned(), bytes: file.bytes, sha256 });
        Ok(())
    }

    /// Puts the new files in the place of old ones, if those say the same or may be replaced.
    pub(super) fn keep(self, may_replace: bool) -> Result<(), Failure> {
        let differing: Vec<&str> =
            self.written.iter().map(|file| file.name.as_str()).filter(|name| self.differs(name)).collect();
        if !differing.is_empty() && !may_replace {
            let names = differing.join(", ");
            self.discard();
            let message = format!(
                "{}: {names}: would change; what was settled stays as it is. Settle into another folder and compare, \
                 or say --replace",
                self.path.display()
            );
            return Err(Failure::new(Exit::No, message));
        }
        for Written { name, .. } in &self.written {
            fs::rename(self.path.join(format!("{name}{NEW}")), self.path.join(name))?;
        }
        File::open(&self.path)?.sync_all()?;
        Ok(())
    }

    /// Removes what was begun.
    pub(super) fn discard(&self) {
        for Written { name, .. } in &self.written {
            // What is left over is overwritten by the next run.
            let _ = fs::remove_file(self.path.join(format!("{name}{NEW}")));
        }
    }

    /// Whether there is an older file that says something else.
    fn differs(&self, name: &str) -> bool {
        let (old, new) = (self.path.join(name), self.path.join(format!("{name}{NEW}")));
        old.exists() && !equal(&old, &new).unwrap_or(false)
    }

    /// The settlement that is there already.
    pub(super) fn manifest(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&fs::read(self.path.join(MANIFEST)).ok()?).ok()
    }
}

fn equal(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (File::open(one)?, File::open(other)?);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let mut pair = (BufReader::new(one).bytes(), BufReader::new(other).bytes());
    loop {
        match (pair.0.next().transpose()?, pair.1.next().transpose()?) {
            (None, None) => return Ok(true),
            (one, other) if one == other => {}
            _ => return Ok(false),
        }
    }
}

fn failure(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::Usage, format!("{}: {error}", path.display()))
}
