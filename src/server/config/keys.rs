//! The lists of keys: `name,usage,algorithm,type,key`, of which each kind of HSM has its own part.

use super::HsmKind;
use super::kept::{COLUMNS, Cells, KeyState, Life};
use super::needs::{Need, StatedKey};
use crate::hsm::KeyAlgorithm;
use crate::hsm::KeyBlock;
use crate::hsm::KeyName;
use crate::hsm::KeyUsage;
use crate::hsm::payshield::NamedHostKey;
use crate::registry::Breaches;
use crate::registry::Source;
use crate::registry::rows;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error;
use std::sync::Arc;
use zeroize::Zeroizing;

/// One key in clear. No `Debug`, no `Clone`; wiped on drop.
pub struct NamedKey {
    /// Its name.
    pub name: KeyName,
    /// What it is for.
    pub usage: KeyUsage,
    /// Algorithm and length.
    pub algorithm: KeyAlgorithm,
    /// Its bytes, as many as the algorithm says.
    pub key: Zeroizing<Vec<u8>>,
}

/// A key as a version D block under the software HSM's master key.
pub struct NamedBlock {
    /// Its name.
    pub name: KeyName,
    /// What it is for.
    pub usage: KeyUsage,
    /// The block.
    pub block: KeyBlock,
}

/// A key that a token knows by its name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenKey {
    /// Its name, which is its label.
    pub name: KeyName,
    /// What it is for.
    pub usage: KeyUsage,
}

/// A station's keys, as its HSM takes them.
pub enum KeyList {
    /// Blocks under the master key; test keys may be in clear.
    Software {
        /// In clear.
        clear: Vec<NamedKey>,
        /// In blocks.
        blocks: Vec<NamedBlock>,
    },
    /// What the HSM gave out under its own master key.
    Payshield(Vec<NamedHostKey>),
    /// Names only.
    Pkcs11(Vec<TokenKey>),
}

impl KeyList {
    /// Names and usages, in the order of the lists.
    #[must_use]
    pub fn names(&self) -> Vec<(&KeyName, KeyUsage)> {
        match self {
            Self::Software { clear, blocks } => {
                let clear = clear.iter().map(|key| (&key.name, key.usage));
                clear.chain(blocks.iter().map(|key| (&key.name, key.usage))).collect()
            }
            Self::Payshield(keys) => keys.iter().map(|key| (&key.name, key.usage)).collect(),
            Self::Pkcs11(keys) => keys.iter().map(|key| (&key.name, key.usage)).collect(),
        }
    }

    /// The keys that are here in clear: test keys of a software HSM.
    #[must_use]
    pub fn clear(&self) -> &[NamedKey] {
        match self {
            Self::Software { clear, .. } => clear,
            Self::Payshield(_) | Self::Pkcs11(_) => &[],
        }
    }

    /// The same, taken out.
    #[must_use]
    pub fn into_clear(self) -> Vec<NamedKey> {
        match self {
            Self::Software { clear, .. } => clear,
            Self::Payshield(_) | Self::Pkcs11(_) => Vec::new(),
        }
    }

    /// Reads a station's lists, and what they say of each key. Keys in clear are for test keys alone.
    pub(super) fn read(
        kind: HsmKind,
        test_keys: bool,
        sources: &[Source<'_>],
        breaches: &mut Breaches,
    ) -> (Self, Vec<StatedKey>) {
        let mut stated = Vec::new();
        let mut list = match kind {
            HsmKind::Software => Self::Software { clear: Vec::new(), blocks: Vec::new() },
            HsmKind::Payshield => Self::Payshield(Vec::new()),
            HsmKind::Pkcs11 => Self::Pkcs11(Vec::new()),
        };
        for source in sources {
            let file: Arc<str> = source.file.into();
            rows(*source, "key", COLUMNS, breaches, |row, breaches| {
                let (head, life) = (Head::read(row, breaches), Life::read(row, breaches));
                let Some(head) = head else { return };
                // Generations that came before or come next are `tollgate keys`' matter.
                if life.state == KeyState::Current {
                    let Head { name, usage, algorithm } = head.clone();
                    let (check, need, schemes) = (life.check.clone(), Need::Nobody, Vec::new());
                    let (file, line) = (Arc::clone(&file), row.line());
                    stated.push(StatedKey { name, usage, algorithm, check, file, line, need, schemes });
                }
                list.add(row, head, &life, test_keys, breaches);
            });
        }
        (list, stated)
    }

    fn add(&mut self, row: &Cells<'_>, head: Head, life: &Life, test_keys: bool, breaches: &mut Breaches) {
        let Head { name, usage, algorithm } = head;
        if life.test && !test_keys {
            breaches.add(row.file(), row.line(), "test: is a test key, which only a station with test_keys may have");
        }
        if life.state != KeyState::Current {
            return;
        }
        match self {
            Self::Software { clear, blocks } => {
                without(row, "type", "software", breaches);
                if let Some(block) = row.text("key").filter(|text| is_block(text)) {
                    blocks.push(NamedBlock { name, usage, block: KeyBlock::new(block) });
                    return;
                }
                if !test_keys {
                    let fault =
                        "key: is in clear, which only a station with test_keys may have: write a version D block";
                    breaches.add(row.file(), row.line(), fault);
                }
                clear.extend(clear_key(row, Head { name, usage, algorithm }, breaches));
            }
            Self::Payshield(keys) => {
                let key_type = row.required("type", "a key type such as 001", Some, breaches);
                let key = row.required("key", "a key under the HSM's master key", Some, breaches);
                let (Some(key_type), Some(key)) = (key_type, key) else { return };
                match NamedHostKey::parse(name.as_str(), usage, algorithm, (key_type, key)) {
                    Ok(key) => keys.push(key),
                    Err(column) => {
                        breaches.add(
                            row.file(),
                            row.line(),
                            format!("{column}: is not what a payshield HSM gives out"),
                        );
                    }
                }
            }
            Self::Pkcs11(keys) => {
                without(row, "type", "pkcs11", breaches);
                without(row, "key", "pkcs11", breaches);
                keys.push(TokenKey { name, usage });
            }
        }
    }
}

/// What every row has.
#[derive(Clone)]
pub(super) struct Head {
    pub(super) name: KeyName,
    pub(super) usage: KeyUsage,
    pub(super) algorithm: KeyAlgorithm,
}

impl Head {
    pub(super) fn read(row: &Cells<'_>, breaches: &mut Breaches) -> Option<Self> {
        let name = row.required("name", "a key name", KeyName::parse, breaches);
        let usage = row.required("usage", "a key usage", word::<KeyUsage>, breaches);
        let algorithm = row.required("algorithm", "a key algorithm", word::<KeyAlgorithm>, breaches);
        Some(Self { name: name?, usage: usage?, algorithm: algorithm? })
    }
}

fn without(row: &Cells<'_>, column: &str, kind: &str, breaches: &mut Breaches) {
    if row.has(column) {
        breaches.add(row.file(), row.line(), format!("{column}: is nothing to a list for kind {kind}"));
    }
}

/// Whether it is a key block: `D` and its own length, longer than any key in hex.
pub(super) fn is_block(text: &str) -> bool {
    let length = text.strip_prefix('D').and_then(|rest| rest.get(..4)).and_then(|digits| digits.parse().ok());
    text.len() >= 80 && length == Some(text.len())
}

fn clear_key(row: &Cells<'_>, head: Head, breaches: &mut Breaches) -> Option<NamedKey> {
    let Head { name, usage, algorithm } = head;
    let key = row.required("key", "pairs of hex digits", unhex, breaches)?;
    if key.len() != algorithm.key_length() {
        breaches.add(row.file(), row.line(), "key: its length is not the algorithm's");
    }
    Some(NamedKey { name, usage, algorithm, key })
}

/// Reads a list of keys in clear. A breach never holds a key's value.
pub fn key_rows(source: Source<'_>, breaches: &mut Breaches) -> Vec<NamedKey> {
    let mut keys = Vec::new();
    rows(source, "key", COLUMNS, breaches, |row, breaches| {
        without(row, "type", "software", breaches);
        keys.extend(Head::read(row, breaches).and_then(|head| clear_key(row, head, breaches)));
    });
    keys
}

pub(super) fn word<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    let deserializer: serde::de::value::StrDeserializer<'a, Error> = text.into_deserializer();
    T::deserialize(deserializer).ok()
}

fn unhex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let nibble = |digit: &u8| char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(nibble(high)? << 4 | nibble(low)?),
        _ => None,
    };
    // The exact capacity: a vector that grows leaves copies behind.
    let mut key = Zeroizing::new(Vec::with_capacity(text.len() / 2));
    for digits in text.as_bytes().chunks(2) {
        key.push(pair(digits)?);
    }
    Some(key)
}
