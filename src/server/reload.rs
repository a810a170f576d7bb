//! `SIGHUP`: the lists are read again. The station goes on with the new ones, or, where they have a breach,
//! with those it has.

use super::config;
use super::config::Config;
use crate::model::Breach;
use crate::model::DownloadSet;
use crate::model::IssuerName;
use crate::model::TerminalId;
use crate::registry::Issuer;
use crate::registry::Registry;
use arc_swap::ArcSwap;
use std::path::PathBuf;
use std::sync::Arc;

/// Why nothing was taken over.
#[derive(Debug, thiserror::Error)]
pub enum ReloadFault {
    /// Breaches, all of them.
    #[error("{}", .0.iter().map(Breach::to_string).collect::<Vec<_>>().join("; "))]
    Breaches(Vec<Breach>),
    /// Something else than merchants, terminals, routes and limits is not what it was.
    #[error("{0} changed: that needs a restart")]
    NeedsRestart(&'static str),
    /// Terminals could not tell that there is something new to fetch.
    #[error("the {} changed, but not their version", .0.name())]
    SameVersion(DownloadSet),
    /// A terminal's row is gone: it could not undo any more what it was answered before.
    #[error("terminal {0} is gone from the lists: keep its row and terminate it")]
    TerminalGone(TerminalId),
}

/// What can be read again while the station runs: merchants, terminals, routes and their limits; operators, what
/// terminals fetch, and when they are to sign in again.
///
/// Doors, certificates, issuers, keys, the ledger and the station's own row are what they were at the start.
/// A terminal whose master key is new to the station can sign in after the next restart.
#[derive(Debug)]
pub struct Reload {
    file: PathBuf,
    config: Config,
    registry: Arc<ArcSwap<Registry>>,
}

impl Reload {
    /// Reads `file`, with which the station was started as `config`, again when asked to.
    #[must_use]
    pub fn new(file: PathBuf, config: Config, registry: Arc<ArcSwap<Registry>>) -> Self {
        Self { file, config, registry }
    }

    /// Reads all files again and swaps the registry whole: a request sees the old rows or the new ones, never
    /// some of both. Returns how many terminals there are now.
    ///
    /// # Errors
    /// Why not; the station goes on with what it has.
    pub fn run(&self) -> Result<usize, ReloadFault> {
        let known = |name: &str| crate::channel::builtin::profile(name).is_some();
        let loaded = config::load(&self.file, &known).map_err(ReloadFault::Breaches)?;
        if loaded.config.defaults.days != self.config.defaults.days {
            return Err(ReloadFault::NeedsRestart("a business day"));
        }
        let as_before = Config {
            defaults: self.config.defaults.clone(),
            rules: self.config.rules.clone(),
            lists: self.config.lists.clone(),
            ..loaded.config
        };
        if as_before != self.config {
            return Err(ReloadFault::NeedsRestart("the station's file, beyond [files] and [risk],"));
        }
        if rows(&loaded.registry) != rows(&self.registry.load()) {
            return Err(ReloadFault::NeedsRestart("an issuer"));
        }
        if let Some(set) = loaded.registry.downloads().changed_unnoticed(self.registry.load().downloads()) {
            return Err(ReloadFault::SameVersion(set));
        }
        let gone = |terminal: &TerminalId| loaded.registry.terminal(*terminal).is_none();
        if let Some(facts) = self.registry.load().terminals().find(|facts| gone(&facts.terminal)) {
            return Err(ReloadFault::TerminalGone(facts.terminal));
        }
        let terminals = loaded.registry.terminals().count();
        self.registry.store(Arc::new(loaded.registry));
        Ok(terminals)
    }

    /// The same, with its outcome in the log.
    pub fn run_and_say(&self) {
        match self.run() {
            Ok(terminals) => tracing::info!(event = "reloaded", terminals, "the lists were read again"),
            Err(fault) => {
                tracing::error!(event = "reload-refused", fault = %fault, "the station goes on with the lists it has");
            }
        }
    }
}

fn rows(registry: &Registry) -> Vec<(IssuerName, Arc<Issuer>)> {
    let mut rows: Vec<_> = registry.issuers().map(|issuer| (issuer.name.clone(), Arc::clone(issuer))).collect();
    rows.sort_by(|one, other| one.0.cmp(&other.0));
    rows
}
