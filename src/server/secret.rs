//! Secrets that an operator keeps: in a file for its owner alone, or in an environment variable. Never on a
//! command line, which everybody on the machine can read.

use std::fs::File;
use std::io;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Longest file or variable that is read.
pub(super) const LONGEST: usize = 4096;

/// A secret is not to be had. Never holds it.
#[derive(Debug, thiserror::Error)]
pub enum SecretFault {
    /// Others than its owner may read or write the file.
    #[error("{}: others may read it; run `chmod 600` on it", .0.display())]
    Exposed(PathBuf),
    /// It is empty, too long, or no text.
    #[error("{0}: holds no secret")]
    Form(String),
    /// There is no such variable.
    #[error("the environment variable {0} is not set")]
    Unset(String),
    /// The operating system refused.
    #[error("{}: {fault}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What it said.
        fault: io::Error,
    },
}

/// The bytes of a file that its owner alone may read; at most [`LONGEST`].
pub(super) fn private_bytes(opened: File, file: &Path) -> Result<Zeroizing<Vec<u8>>, SecretFault> {
    let refuse = |fault| SecretFault::Io { file: file.to_owned(), fault };
    if opened.metadata().map_err(refuse)?.permissions().mode() & 0o077 != 0 {
        return Err(SecretFault::Exposed(file.to_owned()));
    }
    // All of it at once: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST));
    opened.take(LONGEST as u64).read_to_end(&mut bytes).map_err(refuse)?;
    Ok(bytes)
}

/// The first line of a file that its owner alone may read.
///
/// # Errors
/// It is not to be had, or others may read it.
pub fn secret_file(file: &Path) -> Result<Zeroizing<String>, SecretFault> {
    let opened = File::open(file).map_err(|fault| SecretFault::Io { file: file.to_owned(), fault })?;
    let bytes = private_bytes(opened, file)?;
    first_line(&bytes).ok_or_else(|| SecretFault::Form(file.display().to_string()))
}

/// An environment variable.
///
/// # Errors
/// It is not set, or holds no secret.
pub fn secret_variable(name: &str) -> Result<Zeroizing<String>, SecretFault> {
    let value = std::env::var_os(name).ok_or_else(|| SecretFault::Unset(name.to_owned()))?;
    let bytes = Zeroizing::new(value.into_vec());
    first_line(&bytes).ok_or_else(|| SecretFault::Form(format!("the variable {name}")))
}

fn first_line(bytes: &[u8]) -> Option<Zeroizing<String>> {
    let line = bytes.split(|byte| *byte == b'\n').next()?.trim_ascii();
    let text = std::str::from_utf8(line).ok().filter(|text| !text.is_empty() && text.len() < LONGEST)?;
    let mut secret = Zeroizing::new(String::with_capacity(text.len()));
    secret.push_str(text);
    Some(secret)
}
