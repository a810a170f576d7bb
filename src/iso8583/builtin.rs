//! The dialects that come with the program.

use super::spec::Dialect;
use super::spec_file;
use std::sync::Arc;
use std::sync::OnceLock;

/// Name and text of each file in `specs/dialects`.
const FILES: &[(&str, &str)] = &[
    ("iso87-ascii", include_str!("../../specs/dialects/iso87-ascii.toml")),
    ("iso87-binary", include_str!("../../specs/dialects/iso87-binary.toml")),
    ("iso93-ascii", include_str!("../../specs/dialects/iso93-ascii.toml")),
    ("iso93-binary", include_str!("../../specs/dialects/iso93-binary.toml")),
    ("iso2003-binary", include_str!("../../specs/dialects/iso2003-binary.toml")),
    ("nac-pos", include_str!("../../specs/dialects/nac-pos.toml")),
    ("nac-dukpt", include_str!("../../specs/dialects/nac-dukpt.toml")),
    ("cn-pos", include_str!("../../specs/dialects/cn-pos.toml")),
];

/// The file of that name.
#[must_use]
pub fn text(name: &str) -> Option<&'static str> {
    FILES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The names, in the order in which they are listed.
#[must_use]
pub fn names() -> &'static [&'static str] {
    static NAMES: OnceLock<Vec<&'static str>> = OnceLock::new();
    NAMES.get_or_init(|| FILES.iter().map(|(name, _)| *name).collect())
}

/// The dialect of that name, read at its first use. `None` for a name that is not in [`names`]; a test loads all.
#[must_use]
pub fn dialect(name: &str) -> Option<Arc<Dialect>> {
    static DIALECTS: [OnceLock<Option<Arc<Dialect>>>; FILES.len()] = [const { OnceLock::new() }; FILES.len()];
    let index = FILES.iter().position(|(known, _)| *known == name)?;
    let parent = |parent: &str| text(parent).map(str::to_owned);
    let load = || spec_file::load(name, text(name)?, &parent).ok().map(Arc::new);
    DIALECTS.get(index)?.get_or_init(load).clone()
}
