//! The profiles that come with the program.

use super::profile::Profile;
use super::profile_file;
use crate::iso8583;
use std::sync::Arc;
use std::sync::OnceLock;

/// Name and text of each file in `specs/profiles`.
const FILES: &[(&str, &str)] = &[
    ("pos", include_str!("../../specs/profiles/pos.toml")),
    ("tls", include_str!("../../specs/profiles/tls.toml")),
    ("host", include_str!("../../specs/profiles/host.toml")),
    ("nac", include_str!("../../specs/profiles/nac.toml")),
    ("dukpt", include_str!("../../specs/profiles/dukpt.toml")),
    ("nac-dukpt", include_str!("../../specs/profiles/nac-dukpt.toml")),
    ("bank-a", include_str!("../../specs/profiles/bank-a.toml")),
    ("bank-b", include_str!("../../specs/profiles/bank-b.toml")),
    ("qr-a", include_str!("../../specs/profiles/qr-a.toml")),
    ("iso93-binary", include_str!("../../specs/profiles/iso93-binary.toml")),
    ("iso2003-binary", include_str!("../../specs/profiles/iso2003-binary.toml")),
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

/// The built-in dialects and profiles, as what another profile may refer to.
#[must_use]
pub fn shelf() -> profile_file::Shelf<'static> {
    profile_file::Shelf { dialect: &iso8583::builtin::dialect, profile: &|name| text(name).map(str::to_owned) }
}

/// The profile of that name, read at its first use. `None` for a name that is not in [`names`]; a test loads all.
#[must_use]
pub fn profile(name: &str) -> Option<Arc<Profile>> {
    static PROFILES: [OnceLock<Option<Arc<Profile>>>; FILES.len()] = [const { OnceLock::new() }; FILES.len()];
    let index = FILES.iter().position(|(known, _)| *known == name)?;
    let load = || profile_file::load(name, text(name)?, &shelf()).ok().map(Arc::new);
    PROFILES.get(index)?.get_or_init(load).clone()
}
