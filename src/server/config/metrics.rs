//! Where a station tells its figures: `[metrics]`.

use crate::registry::Breaches;
use crate::registry::Document;
use std::net::SocketAddr;

const METRICS: &[&str; 2] = &["listen", "stages"];

/// Where a station tells its figures, and which.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Metrics {
    /// Where `/metrics`, `/livez`, `/readyz` and `/links` are answered; without it, nowhere.
    pub listen: Option<SocketAddr>,
    /// Whether it is measured how long stages take. Counting goes on without it.
    pub stages: bool,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { listen: None, stages: true }
    }
}

impl Metrics {
    /// Whether clocks are read for stages: somebody must be able to read what comes of it.
    #[must_use]
    pub fn measures(&self) -> bool {
        self.listen.is_some() && self.stages
    }

    pub(super) fn read(document: &Document<'_>, breaches: &mut Breaches) -> Self {
        let row = document.table("metrics", METRICS, breaches);
        let listen = row.optional("listen", "ADDRESS:PORT", |text| text.parse().ok(), breaches);
        let stages = row.optional("stages", "true or false", |text| text.parse().ok(), breaches).unwrap_or(true);
        Self { listen, stages }
    }
}
