//! What a running station can be asked from outside while it runs: links, what is owed, room on the disk.

use super::expiry;
use super::expiry::Ending;
use super::meter::StationMeter;
use super::station::Built;
use super::worker::Stopper;
use crate::hsm::HsmCounts;
use crate::ledger::Ledger;
use crate::link::IssuerLink;
use crate::link::tcp::LinkStats;
use crate::model::IssuerName;
use crate::model::Spread;
use crate::registry::Registry;
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
    pub(super) stopper: Stopper,
}

/// What the links of all workers to one issuer report, added up.
#[derive(Clone, Debug)]
pub struct LinkFigures {
    /// Whose.
    pub issuer: IssuerName,
    /// How many links are up.
    pub up: usize,
    /// How many there are.
    pub of: usize,
    /// Their counters.
    pub stats: LinkStats,
    /// How long answers took, where stages are measured.
    pub answers: Spread,
}

impl Gauges {
    /// The links to each issuer, of all workers and of store-and-forward.
    #[must_use]
    pub fn links(&self) -> Vec<Links> {
        self.built.links()
    }

    /// What the links to each issuer report, by name.
    #[must_use]
    pub fn link_figures(&self) -> Vec<LinkFigures> {
        let links = self.built.every_link();
        let figures = self.built.links().into_iter().map(|Links { issuer, up, of }| {
            let (mut stats, mut answers) = (LinkStats::default(), Spread::default());
            for link in links.iter().filter(|link| *link.issuer() == issuer) {
                stats.add(&link.stats());
                answers.take_in(link.answers());
            }
            LinkFigures { issuer, up, of, stats, answers }
        });
        let mut figures: Vec<LinkFigures> = figures.collect();
        figures.sort_by(|one, other| one.issuer.as_str().cmp(other.issuer.as_str()));
        figures
    }

    /// What the station counts.
    #[must_use]
    pub fn meter(&self) -> &StationMeter {
        self.built.meter()
    }

    /// How calls of the HSM ended.
    #[must_use]
    pub fn hsm(&self) -> HsmCounts {
        self.built.parts().hsm.counts()
    }

    /// What HSM it is.
    #[must_use]
    pub fn hsm_product(&self) -> String {
        crate::hsm::Hsm::capabilities(&*self.built.parts().hsm).product.clone()
    }

    /// Who takes part.
    #[must_use]
    pub fn registry(&self) -> Arc<Registry> {
        self.built.parts().registry.load_full()
    }

    /// Whether the ledger failed: the station stops itself.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.built.parts().failed.is_cancelled()
    }

    /// Whether the station is on its way out.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopper.is_stopping()
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
