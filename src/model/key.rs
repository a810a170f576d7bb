//! Keys as the ledger and the registry know them: names, and blocks that only the HSM can open.

use std::fmt;
use std::sync::Arc;

/// The configured name of a key: `terminal/10000001/tmk`, `bank-a/zpk`. 1 to 64 characters.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct KeyName(Arc<str>);

impl KeyName {
    /// `None` unless it is 1 to 64 ASCII letters, digits, `/`, `-`, `_` or `.`, and no path anywhere else: between its
    /// slashes is something, and neither `.` nor `..`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let plain = !name.split('/').any(|part| matches!(part, "" | "." | ".."));
        Self::recorded(name).filter(|_| plain)
    }

    /// A name as a journal has it: names were once any of those characters.
    #[must_use]
    pub fn recorded(name: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte);
        ((1..=64).contains(&name.len()) && name.bytes().all(plain)).then(|| Self(name.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A key enciphered under the HSM's own master key, with its attributes: TR-31 / X9.143 version D.
/// Useless without that HSM; cheap to clone; may be stored.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct KeyBlock(Arc<str>);

impl KeyBlock {
    /// Takes a block as it was stored. Whether it verifies is the HSM's to say.
    #[must_use]
    pub fn new(block: &str) -> Self {
        Self(block.into())
    }

    /// The block, for storing.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for KeyBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyBlock({} characters)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::KeyName;

    #[test]
    fn a_key_name_is_no_path_out_of_anywhere() {
        for name in ["host/zpk", "terminal/10000001/tmk", "a", "a.b/c-d_e", "..a/b.."] {
            assert!(KeyName::parse(name).is_some(), "{name}");
        }
        for name in ["", "../evil", "a/../b", "a/.", "/a", "a/", "a//b", ".", "..", "a b", "\u{e9}"] {
            assert!(KeyName::parse(name).is_none(), "{name}");
        }
        assert!(KeyName::recorded("../evil").is_some(), "what a journal has is read");
    }
}
