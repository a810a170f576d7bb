//! The software HSM's master key: in a file or a variable in clear, for tests and small trusted hosts, where the
//! file is the key; or in a file wrapped under a key of a PKCS#11 token.

use super::config::MasterPlace;
use super::hsm::Opening;
use super::private_file;
use super::secret::{SecretFault, private_bytes, secret_variable};
use crate::hsm::Ctx;
use crate::hsm::HsmError;
use crate::hsm::MasterKey;
use crate::hsm::pkcs11::Pkcs11Hsm;
use crate::model::Entropy;
use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// What a fresh file says above the key.
const LABEL: &str = "# Tollgate TEST HSM: AES-256 master key in clear. Who has this file and the ledger can read what is sealed there.\n";
/// The same above a wrapped key.
const WRAPPED: &str = "# Tollgate HSM: AES-256 master key under a key of a PKCS#11 token.\n";

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
    /// The variable is not set, or what it holds is no master key of 64 hex digits.
    #[error("[hsm] master_env: {0}")]
    Variable(SecretFault),
    /// The token does not open it, or keeps none.
    #[error("{}: the token does not open it: {fault}", file.display())]
    Token {
        /// The file with the wrapped key.
        file: PathBuf,
        /// What the token says.
        fault: HsmError,
    },
    /// The operating system refused.
    #[error("{}: {fault}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What it said.
        fault: io::Error,
    },
}

/// The token that keeps a master key.
pub(super) struct Token {
    pub(super) hsm: Pkcs11Hsm,
    pub(super) ctx: Ctx,
}

/// The master key of the ledger: from its place, or random where it has none, which only a ledger in memory can
/// do with. A file that is not there is made, for its owner alone, if the ledger is new.
///
/// # Errors
/// [`MasterFault`]; it never holds the key.
pub(super) async fn key_of(
    place: Option<&MasterPlace>,
    token: Option<&Token>,
    opening: &Opening<'_>,
) -> Result<MasterKey, MasterFault> {
    match (place, token) {
        (None, _) => Ok(drawn(&**opening.entropy)),
        (Some(MasterPlace::Variable(name)), _) => from_variable(name),
        (Some(MasterPlace::File(file) | MasterPlace::Token(file, _)), None) => {
            from_file(&opening.folder.join(file), opening)
        }
        (Some(MasterPlace::File(file) | MasterPlace::Token(file, _)), Some(token)) => {
            from_token(&opening.folder.join(file), token, opening).await
        }
    }
}

/// Whether what is in its place can be read; a file that is not there yet is well.
pub(super) fn check(place: &MasterPlace, folder: &Path) -> Result<(), MasterFault> {
    match place {
        MasterPlace::Variable(name) => from_variable(name).map(drop),
        MasterPlace::File(file) => lines(&folder.join(file))?
            .map_or(Ok(()), |line| unhex(&line).map(drop).ok_or_else(|| MasterFault::Form(folder.join(file)))),
        MasterPlace::Token(file, _) => lines(&folder.join(file)).map(drop),
    }
}

fn drawn(entropy: &impl Entropy) -> MasterKey {
    let mut key = Box::new(Zeroizing::new([0; 32]));
    entropy.fill(key.as_mut_slice());
    key
}

fn from_variable(name: &str) -> Result<MasterKey, MasterFault> {
    let text = secret_variable(name).map_err(MasterFault::Variable)?;
    let form = || MasterFault::Variable(SecretFault::Form(format!("the variable {name}")));
    unhex(text.as_bytes()).ok_or_else(form)
}

/// The one line of a file that is no remark; `None` if there is no file.
fn lines(file: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, MasterFault> {
    let opened = match File::open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(fault) => return Err(MasterFault::Io { file: file.to_owned(), fault }),
    };
    let text = private_bytes(opened, file).map_err(|fault| match fault {
        SecretFault::Io { file, fault } => MasterFault::Io { file, fault },
        SecretFault::Exposed(file) => MasterFault::Exposed(file),
        SecretFault::Form(_) | SecretFault::Unset(_) => MasterFault::Form(file.to_owned()),
    })?;
    let mut lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && line.first() != Some(&b'#'));
    let line = lines.next().filter(|_| lines.next().is_none());
    let line = line.map(|line| Zeroizing::new(line.trim_ascii().to_vec()));
    line.map(Some).ok_or_else(|| MasterFault::Form(file.to_owned()))
}

/// A file that is not there may be made for a new ledger only.
fn may_be_made(file: &Path, opening: &Opening<'_>) -> Result<(), MasterFault> {
    let (folder, is_new) = opening.ledger;
    let missing = || MasterFault::Missing { file: file.to_owned(), folder: folder.to_owned() };
    if is_new { Ok(()) } else { Err(missing()) }
}

fn from_file(file: &Path, opening: &Opening<'_>) -> Result<MasterKey, MasterFault> {
    if let Some(line) = lines(file)? {
        return unhex(&line).ok_or_else(|| MasterFault::Form(file.to_owned()));
    }
    may_be_made(file, opening)?;
    let key = drawn(&**opening.entropy);
    let digits = hex(&key);
    let made = make(file, LABEL, &digits);
    made.map(|()| key).map_err(|fault| MasterFault::Io { file: file.to_owned(), fault })
}

async fn from_token(file: &Path, token: &Token, opening: &Opening<'_>) -> Result<MasterKey, MasterFault> {
    let refuse = |fault| MasterFault::Token { file: file.to_owned(), fault };
    if let Some(line) = lines(file)? {
        let wrapped = std::str::from_utf8(&line).map_err(|_| MasterFault::Form(file.to_owned()))?;
        return token.hsm.unwrap_master(&token.ctx, wrapped).await.map_err(refuse);
    }
    may_be_made(file, opening)?;
    let key = drawn(&**opening.entropy);
    let wrapped = token.hsm.wrap_master(&token.ctx, &key).await.map_err(refuse)?;
    let made = make(file, WRAPPED, wrapped.as_bytes());
    made.map(|()| key).map_err(|fault| MasterFault::Io { file: file.to_owned(), fault })
}

fn unhex(digits: &[u8]) -> Option<MasterKey> {
    let digits: &[u8; 64] = digits.trim_ascii().try_into().ok()?;
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let mut key = Box::new(Zeroizing::new([0; 32]));
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = *pair else { return None };
        *byte = nibble(high)? << 4 | nibble(low)?;
    }
    Some(key)
}

fn hex(key: &[u8; 32]) -> Zeroizing<Vec<u8>> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
    let mut digits = Zeroizing::new(Vec::with_capacity(64));
    digits.extend(key.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
    digits
}

/// Makes the file. It survives power loss before anything is sealed under its key, and under its name there
/// is a whole key or none.
fn make(file: &Path, label: &str, key: &[u8]) -> io::Result<()> {
    let mut text = Zeroizing::new(Vec::with_capacity(label.len() + key.len() + 1));
    text.extend_from_slice(label.as_bytes());
    text.extend_from_slice(key);
    text.push(b'\n');
    private_file::replace(file, &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_its_owners_alone_whatever_lay_where_it_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for left in ["hsm.new", "hsm.key.new"] {
            std::fs::write(at(left), "left over").unwrap();
            std::fs::set_permissions(at(left), Permissions::from_mode(0o644)).unwrap();
        }
        make(&at("hsm.key"), LABEL, b"00").unwrap();
        let made = std::fs::metadata(at("hsm.key")).unwrap();
        assert_eq!(made.permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read(at("hsm.key")).unwrap(), [LABEL.as_bytes(), b"00\n"].concat());
        assert!(at("hsm.new").exists(), "that may be another file's");
    }
}
