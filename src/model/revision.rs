//! What was in force since when.

use super::Timestamp;
use super::ladder::text_fault;

/// What is revised.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Revised {
    /// The registry: terminals, merchants, issuers, devices.
    Registry,
    /// The rules that decide.
    Rules,
    /// The rules that only count.
    Shadow,
    /// The station: doors, links, routes.
    Station,
}

impl Revised {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Registry, Self::Rules, Self::Shadow, Self::Station];

    /// As commands and reports write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::Rules => "rules",
            Self::Shadow => "shadow",
            Self::Station => "station",
        }
    }
}

/// From here on, this is in force.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Revision {
    /// What is revised.
    pub what: Revised,
    /// Its version, as its author calls it: 1 to [`Revision::VERSION`] characters.
    pub version: Box<str>,
    /// SHA-256 of it.
    pub digest: [u8; 32],
    /// By whom. 1 to [`super::LadderEntry::ACTOR`] characters.
    pub actor: Box<str>,
    /// Why. 1 to [`super::LadderEntry::REASON`] characters.
    pub reason: Box<str>,
    /// Since when.
    pub at: Timestamp,
}

impl Revision {
    /// The most characters of a version.
    pub const VERSION: usize = 64;
    /// How many the ledger keeps at hand; its journal has all.
    pub const KEPT: usize = 64;

    /// What is wrong with its texts, if anything is.
    #[must_use]
    pub fn fault(&self) -> Option<&'static str> {
        let version = "the version has more than 64 characters";
        text_fault(&self.version, Self::VERSION, "the version is empty", version)
            .or_else(|| super::ladder::by_whom_and_why(&self.actor, &self.reason))
    }

    /// Whether both put the same thing in force.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        (self.what, &self.version, self.digest) == (other.what, &other.version, other.digest)
    }
}
