//! What a running station can be asked from outside while it runs: links, what is owed, room on the disk.

use super::expiry;
use super::expiry::Ending;
use super::station::Built;
use crate::ledger::Ledger;
use crate::model::IssuerName;
use std::path::PathBuf;
use std::sync::Arc;

/// The links of all workers to one issuer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Links {
    /// Whose.
    pub issuer: IssuerName,
    /// How many are up.
    pub up: usize,
    /// How many there are.
    pub of: usize,
}

/// A look at a running station.
#[derive(Clone)]
pub struct Gauges {
    pub(super) built: Arc<Built>,
    /// The ledger's folder, if it is kept.
    pub(super) place: Option<PathBuf>,
    pub(super) certificates: Vec<PathBuf>,
}

impl Gauges {
    /// The links to each issuer, of all workers and of store-and-forward.
    #[must_use]
    pub fn links(&self) -> Vec<Links> {
        self.built.links()
    }

    /// The messages owed to each issuer.
    #[must_use]
    pub fn owed(&self) -> Vec<(IssuerName, usize)> {
        self.built.parts().ledger.owed()
    }

    /// Bytes that are free where the ledger is; `None` of one in memory, and where the system does not say.
    #[must_use]
    pub fn disk_free(&self) -> Option<u64> {
        let stat = rustix::fs::statvfs(self.place.as_ref()?).ok()?;
        Some(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// Certificates of the doors that end soon. `now` is in seconds since 1970.
    #[must_use]
    pub fn endings(&self, now: i64) -> Vec<Ending> {
        let read = |file: &PathBuf| Some((file.display().to_string(), std::fs::read(file).ok()?));
        let files = self.certificates.iter().filter_map(read);
        files.flat_map(|(file, pem)| expiry::endings(&file, &pem, now)).collect()
    }
}
