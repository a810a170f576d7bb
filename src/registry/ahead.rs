//! The rows that are still to come, by their numbers: what is in force says nothing of them.

use super::load::Sources;
use super::sheet::List;
use super::table::Breaches;
use crate::model::Timestamp;
use std::collections::BTreeMap;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;

/// A row of a list: the list, its number, and from when on it holds.
pub(super) type Key = (&'static str, String, Timestamp);

/// Those rows, each with a digest of what it says.
#[derive(Debug, Default)]
pub(super) struct Ahead(pub(super) BTreeMap<Key, u64>);

impl Ahead {
    /// Of lists that were read before, without a breach.
    pub(super) fn read(sources: &Sources<'_>, at: Timestamp) -> Self {
        let mut rows = BTreeMap::new();
        let fleet = &sources.fleet;
        let lists = [
            (List::Merchants, &sources.merchants),
            (List::Terminals, &sources.terminals),
            (List::Devices, &fleet.devices),
            (List::Templates, &fleet.templates),
            (List::Groups, &fleet.groups),
        ];
        for (list, files) in lists {
            let first = list.columns().first().copied().unwrap_or_default();
            for source in files {
                list.scan(*source, &mut Breaches::default(), &mut |row| {
                    let from = row.cell("from").and_then(Timestamp::parse).filter(|from| *from > at);
                    if let Some((number, from)) = row.cell(first).zip(from) {
                        let mut digest = DefaultHasher::new();
                        for cell in row.all() {
                            cell.map(|(text, _)| text).hash(&mut digest);
                        }
                        rows.insert((list.table(), number.to_owned(), from), digest.finish());
                    }
                });
            }
        }
        Self(rows)
    }
}
