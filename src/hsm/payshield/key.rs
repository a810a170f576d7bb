//! Keys as host commands carry them: under the LMK, under a zone or terminal master key, by place.

use super::fields::FieldFault;
use super::fields::Fields;
use super::fields::put_hex;
use std::fmt;
use std::sync::Arc;

/// Most characters of a key block, its scheme letter among them.
const BLOCK_MOST: usize = 2048;

/// How a key is written.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Scheme {
    /// Sixteen hex digits: a single-length DES key. Written `Z` where a scheme is asked for.
    Single,
    /// Thirty-two hex digits without a letter: two single-length keys side by side.
    Pair,
    /// `U`, 32 hex digits: double length, each half under its own variant of the LMK.
    DoubleVariant,
    /// `T`, 48 hex digits: triple length, each third under its own variant of the LMK.
    TripleVariant,
    /// `X`, 32 hex digits: double length, plain ECB (ANSI X9.17).
    DoubleEcb,
    /// `Y`, 48 hex digits: triple length, plain ECB (ANSI X9.17).
    TripleEcb,
    /// `S`: a key block under a key block LMK.
    Block,
    /// `R`: a TR-31 block under a zone master key.
    Tr31,
    /// `K`, three digits: a place in the HSM's user storage.
    Stored,
}

/// One key field. Useless without the HSM's master key, yet not for logs: `Debug` shows its scheme only.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct HostKey(Arc<str>);

impl HostKey {
    /// A key field by itself, nothing behind it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut fields = Fields::new(text.as_bytes());
        let key = if text.len() == 32 { Self::read_double(&mut fields) } else { Self::read(&mut fields) };
        key.ok().filter(|_| fields.end().is_ok())
    }

    /// From a scheme letter and the cipher's bytes.
    pub(super) fn from_cipher(letter: Option<u8>, cipher: &[u8]) -> Self {
        let mut text: Vec<u8> = letter.into_iter().collect();
        put_hex(&mut text, cipher);
        Self(String::from_utf8_lossy(&text).as_ref().into())
    }

    /// As it stands in a command.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How it is written.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        match self.0.as_bytes() {
            [b'U', ..] => Scheme::DoubleVariant,
            [b'T', ..] => Scheme::TripleVariant,
            [b'X', ..] => Scheme::DoubleEcb,
            [b'Y', ..] => Scheme::TripleEcb,
            [b'S', ..] => Scheme::Block,
            [b'R', ..] => Scheme::Tr31,
            [b'K', ..] => Scheme::Stored,
            all if all.len() == 32 => Scheme::Pair,
            _ => Scheme::Single,
        }
    }

    /// Whether it is a key block that says of itself that it holds an AES key.
    #[must_use]
    pub fn is_aes(&self) -> bool {
        self.scheme() == Scheme::Block && self.0.as_bytes().get(8) == Some(&b'A')
    }

    /// The hex digits without the letter; empty unless it is a cipher in hex.
    #[must_use]
    pub fn digits(&self) -> &str {
        match self.scheme() {
            Scheme::Single | Scheme::Pair => &self.0,
            Scheme::Block | Scheme::Tr31 | Scheme::Stored => "",
            _ => self.0.get(1..).unwrap_or_default(),
        }
    }

    /// Reads a key whose scheme stands in front; sixteen digits without one are single length.
    ///
    /// # Errors
    /// If there is none.
    pub fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        let start = fields.left();
        let before = fields.fault("a key");
        match fields.peek() {
            Some(b'U' | b'X') => drop((fields.one("a key")?, fields.hex(32, "32 hex digits of a key")?)),
            Some(b'T' | b'Y') => drop((fields.one("a key")?, fields.hex(48, "48 hex digits of a key")?)),
            Some(b'Z') => {
                fields.one("a key")?;
                return Ok(Self(fields.hex(16, "16 hex digits of a key")?.into()));
            }
            Some(b'K') => drop((fields.one("a key")?, fields.digits(3, "a place in user storage")?)),
            Some(b'S' | b'R') => {
                let mut ahead = Fields::new(start.get(2..).unwrap_or_default());
                let length = ahead.number(4, "length of a key block").map_err(|_| before)?;
                if !(16..BLOCK_MOST).contains(&length) {
                    return Err(before);
                }
                fields.graphic(1 + length, "a key block")?;
            }
            _ => drop(fields.hex(16, "16 hex digits of a key")?),
        }
        let length = start.len() - fields.left().len();
        let text = start.get(..length).and_then(|key| std::str::from_utf8(key).ok());
        text.map(|text| Self(text.into())).ok_or(before)
    }

    /// Reads a double-length key, which may come as two single-length ones.
    ///
    /// # Errors
    /// If there is none.
    pub fn read_double(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        match fields.peek() {
            Some(byte) if byte.is_ascii_hexdigit() => Ok(Self(fields.hex(32, "a key of 32 hex digits")?.into())),
            _ => Self::read(fields),
        }
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostKey({:?}, {} characters)", self.scheme(), self.0.len())
    }
}
