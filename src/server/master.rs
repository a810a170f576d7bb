//! The software HSM's master key, in a file. For tests and small trusted hosts: the file is the key.

use crate::model::Entropy;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// What a fresh file says above the key.
const LABEL: &str = "# Tollgate TEST HSM: AES-256 master key in clear. Who has this file and the ledger can read what is sealed there.\n";
/// Longest file that is read.
const LONGEST: u64 = 4096;

/// The master key is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum MasterFault {
    /// There is a ledger already, and its keys are under another master key than a new one would be.
    #[error(
        "{}: there is no such file, but the ledger in {} is under its key; \
         bring the file back, or name it as [hsm] master", file.display(), folder.display()
    )]
    Missing {
        /// The file.
        file: PathBuf,
        /// The ledger's folder.
        folder: PathBuf,
    },
    /// It holds no key.
    #[error("{}: holds no master key of 64 hex digits", .0.display())]
    Form(PathBuf),
    /// Others than its owner may read or write it.
    #[error("{}: others may read this key; run `chmod 600` on it", .0.display())]
    Exposed(PathBuf),
    /// The operating system refused.
    #[error("{}: {fault}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What it said.
        fault: io::Error,
    },
}

/// Reads the master key of the ledger in `folder`. A file that is not there is made, for its owner alone, if
/// the ledger is new.
///
/// # Errors
/// [`MasterFault`]; it never holds the key.
pub fn master_key(
    file: &Path,
    (folder, is_new): (&Path, bool),
    entropy: &impl Entropy,
) -> Result<Zeroizing<[u8; 32]>, MasterFault> {
    let refuse = |fault| MasterFault::Io { file: file.to_owned(), fault };
    match File::open(file) {
        Ok(opened) => read(opened, file).map_err(refuse)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound && is_new => {
            make(file, entropy).map(Ok).map_err(refuse)?
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(MasterFault::Missing { file: file.to_owned(), folder: folder.to_owned() })
        }
        Err(error) => Err(refuse(error)),
    }
}

fn read(opened: File, file: &Path) -> io::Result<Result<Zeroizing<[u8; 32]>, MasterFault>> {
    if opened.metadata()?.permissions().mode() & 0o077 != 0 {
        return Ok(Err(MasterFault::Exposed(file.to_owned())));
    }
    // All of it at once: a string that grows leaves copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(usize::try_from(LONGEST).unwrap_or_default()));
    opened.take(LONGEST).read_to_end(&mut text)?;
    let mut lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && line.first() != Some(&b'#'));
    let key = lines.next().filter(|_| lines.next().is_none()).and_then(unhex);
    Ok(key.ok_or_else(|| MasterFault::Form(file.to_owned())))
}

fn unhex(digits: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let digits: &[u8; 64] = digits.trim_ascii().try_into().ok()?;
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let mut key = Zeroizing::new([0; 32]);
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = *pair else { return None };
        *byte = nibble(high)? << 4 | nibble(low)?;
    }
    Some(key)
}

/// Makes the file. It survives power loss before anything is sealed under its key, and under its name there
/// is a whole key or none.
fn make(file: &Path, entropy: &impl Entropy) -> io::Result<Zeroizing<[u8; 32]>> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut key = Zeroizing::new([0; 32]);
    entropy.fill(key.as_mut_slice());
    let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
    let mut text = Zeroizing::new(Vec::with_capacity(LABEL.len() + 65));
    text.extend_from_slice(LABEL.as_bytes());
    text.extend(key.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
    text.push(b'\n');
    let fresh = file.with_extension("new");
    let mut options = OpenOptions::new();
    let mut opened = options.write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    opened.write_all(&text)?;
    opened.sync_all()?;
    std::fs::rename(&fresh, file)?;
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()?;
    Ok(key)
}
