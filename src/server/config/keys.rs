//! The list of keys in clear, for the software HSM: `name,usage,algorithm,key`.

use crate::hsm::KeyAlgorithm;
use crate::hsm::KeyName;
use crate::hsm::KeyUsage;
use crate::registry::Breaches;
use crate::registry::Source;
use crate::registry::rows;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error;
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

const COLUMNS: &[&str; 4] = &["name", "usage", "algorithm", "key"];

/// Reads a list of keys. A breach never holds a key's value.
pub fn key_rows(source: Source<'_>, breaches: &mut Breaches) -> Vec<NamedKey> {
    let mut keys = Vec::new();
    rows(source, "key", COLUMNS, breaches, |row, breaches| {
        let name = row.required("name", "a key name", KeyName::parse, breaches);
        let usage = row.required("usage", "a key usage", word::<KeyUsage>, breaches);
        let algorithm = row.required("algorithm", "a key algorithm", word::<KeyAlgorithm>, breaches);
        let key = row.required("key", "pairs of hex digits", unhex, breaches);
        let (Some(name), Some(usage), Some(algorithm), Some(key)) = (name, usage, algorithm, key) else { return };
        if key.len() != algorithm.key_length() {
            breaches.add(row.file(), row.line(), "key: its length is not the algorithm's");
        }
        keys.push(NamedKey { name, usage, algorithm, key });
    });
    keys
}

fn word<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
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
