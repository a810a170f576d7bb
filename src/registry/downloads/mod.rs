//! What terminals fetch: parameters, public keys, chip applications, contactless parameters. Each is one file
//! with a version of its own; a terminal whose version is another one is asked to fetch it.

mod capk;
mod parameters;
mod rows;

pub use parameters::{Parameter, Parameters};

use super::document::Document;
use super::table::{Breaches, Row, Source};
use crate::model::DownloadSet;
use crate::model::Versions;

/// The files, those there are.
#[derive(Clone, Copy, Default)]
pub struct DownloadSources<'a> {
    /// `version`, `[parameters]`.
    pub parameters: Option<Source<'a>>,
    /// `version`, `[[capk]]`.
    pub capks: Option<Source<'a>>,
    /// `version`, `[[aid]]`.
    pub applications: Option<Source<'a>>,
    /// `version`, `[[contactless]]`.
    pub contactless: Option<Source<'a>>,
}

/// One object of a list: tags of BER and their values, those that identify it first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    tags: Vec<(Vec<u8>, Vec<u8>)>,
    key: usize,
    told: usize,
}

impl Entry {
    /// All of it: tag and value.
    pub fn tags(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.tags.iter().map(|(tag, value)| (tag.as_slice(), value.as_slice()))
    }

    /// What a query is told of it.
    pub fn told(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.tags().take(self.told)
    }

    /// Its length in bytes, as it is sent.
    fn length(&self) -> usize {
        let of_length = |value: &[u8]| match value.len() {
            0..=0x7F => 1,
            0x80..=0xFF => 2,
            _ => 3,
        };
        self.tags().map(|(tag, value)| tag.len() + of_length(value) + value.len()).sum()
    }

    /// What a terminal asks for it by.
    pub fn key(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.tags().take(self.key)
    }
}

/// A list of objects.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Catalogue {
    version: u32,
    entries: Vec<Entry>,
}

impl Catalogue {
    /// The objects, in the order of the file; at most [`Self::MOST`].
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// A terminal counts with two digits what it has got.
    pub const MOST: usize = 99;
    /// Longest object in bytes, as it is sent: it must fit into one block.
    pub const ENTRY: usize = 384;
}

/// Everything that terminals fetch. Immutable, a part of the registry.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Downloads {
    parameters: Option<Parameters>,
    capks: Option<Catalogue>,
    applications: Option<Catalogue>,
    contactless: Option<Catalogue>,
}

impl Downloads {
    /// Reads the files there are.
    pub(super) fn load(sources: &DownloadSources<'_>, breaches: &mut Breaches) -> Self {
        let parameters = sources.parameters.and_then(|source| Parameters::load(source, breaches));
        let mut list = |source: Option<Source<'_>>, read: fn(Source<'_>, &mut Breaches) -> Option<Catalogue>| {
            source.and_then(|source| read(source, breaches))
        };
        Self {
            parameters,
            capks: list(sources.capks, capk::load),
            applications: list(sources.applications, rows::applications),
            contactless: list(sources.contactless, rows::contactless),
        }
    }

    /// The parameters.
    #[must_use]
    pub fn parameters(&self) -> Option<&Parameters> {
        self.parameters.as_ref()
    }

    /// A list of objects; the parameters are none.
    #[must_use]
    pub fn catalogue(&self, set: DownloadSet) -> Option<&Catalogue> {
        match set {
            DownloadSet::Parameters => None,
            DownloadSet::Capks => self.capks.as_ref(),
            DownloadSet::Applications => self.applications.as_ref(),
            DownloadSet::Contactless => self.contactless.as_ref(),
        }
    }

    /// The versions of what there is.
    #[must_use]
    pub fn versions(&self) -> Versions {
        let of = |set| match set {
            DownloadSet::Parameters => self.parameters.as_ref().map(Parameters::version),
            set => self.catalogue(set).map(|list| list.version),
        };
        DownloadSet::ALL.into_iter().fold(Versions::default(), |all, set| all.with(set, of(set).unwrap_or_default()))
    }

    /// The first list that there is and of which a terminal has another version.
    #[must_use]
    pub fn wanted(&self, has: &Versions) -> Option<DownloadSet> {
        let versions = self.versions();
        DownloadSet::ALL.into_iter().find(|set| versions.of(*set) != 0 && versions.of(*set) != has.of(*set))
    }

    /// A list that is another one than in `before`, under the same version.
    #[must_use]
    pub fn changed_unnoticed(&self, before: &Self) -> Option<DownloadSet> {
        let same = |set| match set {
            DownloadSet::Parameters => self.parameters == before.parameters,
            set => self.catalogue(set) == before.catalogue(set),
        };
        let (now, then) = (self.versions(), before.versions());
        DownloadSet::ALL.into_iter().find(|set| now.of(*set) == then.of(*set) && !same(*set))
    }
}

/// A file with a version and rows of one name.
fn catalogue<const N: usize>(
    source: Source<'_>,
    name: &str,
    columns: &'static [&'static str; N],
    breaches: &mut Breaches,
    read: impl Fn(&Row<'_, N>, &mut Breaches) -> Option<Entry>,
) -> Option<Catalogue> {
    let document = Document::parse(source, breaches);
    document.only(&["version", name], breaches);
    let version = version(&document, breaches);
    let mut entries: Vec<Entry> = Vec::new();
    document.tables(name, columns, breaches, |row, breaches| {
        let Some(entry) = read(row, breaches) else { return };
        if entries.iter().any(|known| known.key().eq(entry.key())) {
            return breaches.add(row.file(), row.line(), "is listed twice");
        }
        if entry.length() > Catalogue::ENTRY {
            return breaches.add(row.file(), row.line(), format!("is longer than {} bytes", Catalogue::ENTRY));
        }
        entries.push(entry);
    });
    if entries.len() > Catalogue::MOST {
        breaches.add(source.file, 1, format!("has more than {} rows", Catalogue::MOST));
    }
    Some(Catalogue { version: version?, entries })
}

const VERSION: &[&str; 1] = &["version"];

fn version(document: &Document<'_>, breaches: &mut Breaches) -> Option<u32> {
    let number = |text: &str| text.parse().ok().filter(|version| *version > 0);
    document.top(VERSION).required("version", "a whole number from 1", number, breaches)
}

/// Pairs of hex digits.
fn hex(text: &str) -> Option<Vec<u8>> {
    let nibble = |digit: &u8| char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(nibble(high)? << 4 | nibble(low)?),
        _ => None,
    };
    text.as_bytes().chunks(2).map(pair).collect()
}
