//! Key files as `tollgate keys` keeps them: a station's list of blocks, with generations and what became of them.

use super::keys::{Head, is_block, word};
use crate::hsm::Kcv;
use crate::hsm::KeyAlgorithm;
use crate::hsm::KeyBlock;
use crate::hsm::KeyName;
use crate::hsm::KeyUsage;
use crate::registry::Breaches;
use crate::registry::Row;
use crate::registry::Source;
use crate::registry::rows;
use jiff::civil::Date;
use serde::Deserialize;

/// What a generation of a key is good for now.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    /// Made or taken in; the station does not use it yet.
    Pending,
    /// What the station uses under this name.
    #[default]
    Current,
    /// The one before the current, while the peer may still use it.
    Before,
    /// Over, and its block destroyed.
    Retired,
}

impl KeyState {
    /// Its word in the file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Current => "current",
            Self::Before => "before",
            Self::Retired => "retired",
        }
    }
}

/// One generation of one key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeptKey {
    /// Its name.
    pub name: KeyName,
    /// What it is for.
    pub usage: KeyUsage,
    /// Algorithm and length.
    pub algorithm: KeyAlgorithm,
    /// Which generation, from 1.
    pub generation: u16,
    /// What it is good for now.
    pub state: KeyState,
    /// Its check value, if the file tells it.
    pub check: Option<Kcv>,
    /// The first day it may be used.
    pub not_before: Option<Date>,
    /// The last one.
    pub not_after: Option<Date>,
    /// It is a test key, which no station without `test_keys` takes.
    pub test: bool,
    /// The key under the master key; none once it is retired.
    pub block: Option<KeyBlock>,
}

/// What a station's list says beside name, usage, algorithm and key.
pub(super) struct Life {
    pub(super) generation: u16,
    pub(super) state: KeyState,
    pub(super) test: bool,
    pub(super) check: Option<Kcv>,
    not_before: Option<Date>,
    not_after: Option<Date>,
}

/// The columns of a list of keys.
pub(super) const COLUMNS: &[&str; 11] =
    &["name", "usage", "algorithm", "type", "key", "generation", "state", "check", "not_before", "not_after", "test"];

pub(super) type Cells<'a> = Row<'a, 11>;

impl Life {
    /// A row that says nothing of it is the first generation, in use.
    pub(super) fn read(row: &Cells<'_>, breaches: &mut Breaches) -> Self {
        let generation = |text: &str| text.parse().ok().filter(|generation| *generation > 0);
        let date = |text: &str| text.parse().ok();
        let life = Self {
            generation: row.optional("generation", "a number from 1 to 65535", generation, breaches).unwrap_or(1),
            state: row.optional("state", "pending, current, before or retired", word, breaches).unwrap_or_default(),
            test: row.optional("test", "true or false", |text| text.parse().ok(), breaches).unwrap_or(false),
            check: row.optional("check", "6 to 10 hex digits", Kcv::parse, breaches),
            not_before: row.optional("not_before", "a date", date, breaches),
            not_after: row.optional("not_after", "a date", date, breaches),
        };
        if life.not_before.zip(life.not_after).is_some_and(|(first, last)| first > last) {
            breaches.add(row.file(), row.line(), "not_after: is before not_before");
        }
        if row.has("state") && (life.state == KeyState::Retired) == row.has("key") {
            breaches.add(row.file(), row.line(), "key: a retired key has none, any other has one");
        }
        life
    }
}

/// Reads a file of `tollgate keys`: blocks only. A breach never holds a block.
pub fn kept_rows(source: Source<'_>, breaches: &mut Breaches) -> Vec<KeptKey> {
    let mut keys: Vec<KeptKey> = Vec::new();
    rows(source, "key", COLUMNS, breaches, |row, breaches| {
        let (head, life) = (Head::read(row, breaches), Life::read(row, breaches));
        let Some(Head { name, usage, algorithm }) = head else { return };
        let block = row.text("key").filter(|text| is_block(text)).map(KeyBlock::new);
        if life.state != KeyState::Retired && block.is_none() {
            breaches.add(row.file(), row.line(), "key: is no version D block; `tollgate keys init --from` makes them");
        }
        let same_name = |other: &&KeptKey| other.name == name;
        if keys.iter().filter(same_name).any(|other| other.generation == life.generation) {
            breaches.add(row.file(), row.line(), "generation: this key has it already");
        }
        let is_once = life.state != KeyState::Retired;
        if is_once && keys.iter().filter(same_name).any(|other| other.state == life.state) {
            breaches.add(row.file(), row.line(), format!("state: another generation is {}", life.state.word()));
        }
        let Life { generation, state, test, check, not_before, not_after } = life;
        keys.push(KeptKey { name, usage, algorithm, generation, state, check, not_before, not_after, test, block });
    });
    keys
}
