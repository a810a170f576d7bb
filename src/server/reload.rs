//! `SIGHUP`, `tollgate reload`, or a row whose time has come: the lists are read again. The station goes on with the
//! new ones, or, where they have a breach, with those it has.

use super::clock::SystemClock;
use super::config;
use super::config::{Config, Look};
use super::ended;
use super::in_force::InForce;
use super::logging::LINE;
use super::standing_said;
use super::standing_said::Saying;
use super::station::Real;
use crate::flow::Parts;
use crate::ledger::EmbeddedLedger;
use crate::ledger::Ledger;
use crate::model::Breach;
use crate::model::Clock;
use crate::model::DownloadSet;
use crate::model::IssuerName;
use crate::model::RateTable;
use crate::model::SessionFacts;
use crate::model::Subject;
use crate::model::TerminalFacts;
use crate::model::TerminalId;
use crate::model::Timestamp;
use crate::registry::Diff;
use crate::registry::Issuer;
use crate::registry::Later;
use crate::registry::Registry;
use crate::registry::Sessions;
use crate::risk::Checks;
use crate::risk::RuleSet;
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Why nothing was taken over.
#[derive(Debug, thiserror::Error)]
pub enum ReloadFault {
    /// Breaches, all of them; the first ones are told here.
    #[error("{}", first(.0))]
    Breaches(Vec<Breach>),
    /// Something else than merchants, terminals, routes and limits is not what it was.
    #[error("{0} changed: that needs a restart")]
    NeedsRestart(&'static str),
    /// Terminals could not tell that there is something new to fetch.
    #[error("the {} changed, but not their version", .0.name())]
    SameVersion(DownloadSet),
    /// Decisions could not tell by which rules they were made.
    #[error("the rules changed, but not their version {0:?}")]
    SameRules(Box<str>),
    /// A terminal's row is gone: it could not undo any more what it was answered before.
    #[error("terminal {0} is gone from the lists: keep its row and terminate it")]
    TerminalGone(TerminalId),
    /// Who was at an end would trade again: all of them, each with its row; the first ones are told here.
    #[error("{}", first(.0))]
    Risen(Vec<String>),
}

/// What was taken over, or would be.
#[derive(Clone, Debug)]
pub struct Reloaded {
    /// How many terminals there are with it.
    pub terminals: usize,
    /// What differs from before.
    pub diff: Diff,
    /// The versions of the rules, where those that decide or those that only count are others: before and now.
    pub rules: Option<[Box<str>; 2]>,
    /// Rows that take effect later, if there are any.
    pub later: Option<Later>,
    /// SHA-256 of the lists' texts.
    pub(super) digest: [u8; 32],
    /// Terminals that are another device now: they sign in anew.
    pub(super) swapped: Vec<TerminalId>,
}

/// Rows of a difference that are written out.
const MOST: usize = 1_000;
/// Rows of a difference, or breaches, that the log has.
const LOGGED: usize = 20;
/// Bytes of those that a line of the log has room for: some are written as two or more.
const ROOM: usize = LINE / 2;
/// How often is looked whether a row's time has come, while one is ahead: wall clocks step.
const LOOK: Duration = Duration::from_secs(1);
/// How often else.
const SELDOM: Duration = Duration::from_secs(30);

/// What can be read again while the station runs: merchants, terminals, devices, routes and their limits; operators, what
/// terminals fetch, and when they are to sign in again.
///
/// Doors, certificates, issuers, keys, the ledger and the station's own row are what they were at the start.
/// A terminal whose master key is new to the station can sign in after the next restart.
pub struct Reload {
    file: PathBuf,
    config: Config,
    registry: Arc<ArcSwap<Registry>>,
    checks: Arc<ArcSwap<Checks>>,
    rates: Arc<ArcSwap<RateTable>>,
    ledger: Arc<EmbeddedLedger>,
    sessions: Arc<Sessions>,
    /// One at a time; in it the instant up to which rows were tried.
    tried: Mutex<Timestamp>,
    /// Other rows are ahead than were a moment ago.
    taken_over: Notify,
}

impl Reload {
    /// Reads `file`, with which the station was started as `config`, again when asked to.
    #[must_use]
    pub fn new(file: PathBuf, config: Config, parts: &Parts<Real>) -> Self {
        let tried = Mutex::new(parts.registry.load().at().unwrap_or_default());
        let (registry, checks) = (Arc::clone(&parts.registry), Arc::clone(&parts.checks));
        let rates = Arc::clone(&parts.rates);
        Self {
            file,
            config,
            registry,
            checks,
            rates,
            ledger: Arc::clone(&parts.ledger),
            sessions: Arc::clone(&parts.sessions),
            tried,
            taken_over: Notify::new(),
        }
    }

    /// Reads all files again, as of now, and swaps the registry whole: a request sees the old rows or the new ones, never
    /// some of both.
    ///
    /// # Errors
    /// Why not; the station goes on with what it has.
    pub fn run(&self) -> Result<Reloaded, ReloadFault> {
        self.run_at(SystemClock::start().wall())
    }

    /// The same at another instant. Rows that have taken effect stay so, also if the clock stepped back.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn run_at(&self, now: Timestamp) -> Result<Reloaded, ReloadFault> {
        let mut tried = self.tried.lock();
        let at = now.max(self.registry.load().at().unwrap_or(now));
        *tried = at;
        let (registry, (checks, rates), reloaded) = self.read(at)?;
        self.registry.store(Arc::new(registry));
        self.checks.store(Arc::new(checks));
        self.rates.store(Arc::new(rates));
        self.taken_over.notify_one();
        Ok(reloaded)
    }

    /// Keeps on record what is in force now. Who is another device now is signed off, its batch as it was: the old
    /// device's keys sell nothing more.
    pub(super) async fn note(&self, reloaded: &Reloaded, actor: &str, reason: &str) {
        for terminal in &reloaded.swapped {
            let Some(true) = self.sessions.read(*terminal, |session| session.signed_in) else { continue };
            let off = |session| SessionFacts { signed_in: false, ..session };
            let facts = self.sessions.change(*terminal, off);
            tracing::info!(event = "device-swapped", %terminal, "the terminal is another device now: it must sign in");
            if let Err(fault) = self.ledger.note_terminal(*terminal, facts).await {
                tracing::error!(event = "device-swapped", %terminal, %fault, "that it must sign in is not on record");
            }
        }
        let (registry, checks) = (self.registry.load_full(), self.checks.load_full());
        let in_force = InForce { registry: &registry, digest: reloaded.digest, checks: &checks };
        in_force.note(&*self.ledger, actor, reason).await;
        let at = registry.at().unwrap_or_else(|| SystemClock::start().wall());
        ended::note(&registry, &*self.ledger, |subjects| standing_said::places(&self.file, subjects, at)).await;
    }

    /// Reads all files again and says what [`Self::run`] would do.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn look(&self) -> Result<Reloaded, ReloadFault> {
        let now = SystemClock::start().wall();
        let at = now.max(self.registry.load().at().unwrap_or(now));
        self.read(at).map(|(_, _, reloaded)| reloaded)
    }

    /// Reads the files again if the time of a row has come by `now`. What was refused is not tried again for that row.
    pub fn run_if_due(&self, now: Timestamp) -> Option<Result<Reloaded, ReloadFault>> {
        let tried = *self.tried.lock();
        let due = self.registry.load().next_change(tried).is_some_and(|due| due <= now);
        due.then(|| self.run_at(now))
    }

    /// Where the files say how somebody stands, as of now.
    pub(super) fn standing_said(&self, subject: &Subject) -> Option<Saying> {
        standing_said::find(&self.file, subject, SystemClock::start().wall())
    }

    /// How long until [`Self::run_if_due`] is to be asked: to the very instant of the next row, or a second.
    #[must_use]
    pub fn patience(&self, now: Timestamp) -> Duration {
        let tried = *self.tried.lock();
        self.registry.load().next_change(tried).map_or(SELDOM, |due| due.since(now).min(LOOK))
    }

    /// Waits until [`Self::run_if_due`] is to be asked, or other rows are ahead than were before.
    pub(super) async fn rest(&self, clock: &impl Clock) {
        // A sleep begun for a row far ahead does not last over one that has come in before it.
        tokio::select! {
            () = tokio::time::sleep(self.patience(clock.wall())) => {}
            () = self.taken_over.notified() => {}
        }
    }

    fn read(&self, at: Timestamp) -> Result<(Registry, (Checks, RateTable), Reloaded), ReloadFault> {
        let known = |name: &str| crate::channel::builtin::profile(name).is_some();
        let loaded = config::load_as(&self.file, &known, &Look::at(at)).map_err(ReloadFault::Breaches)?;
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
        let (old, new) = (self.registry.load(), loaded.registry);
        if rows(&new) != rows(&old) {
            return Err(ReloadFault::NeedsRestart("an issuer"));
        }
        if let Some(set) = new.downloads().changed_unnoticed(old.downloads()) {
            return Err(ReloadFault::SameVersion(set));
        }
        let gone = |terminal: &TerminalId| new.terminal(*terminal).is_none();
        if let Some(facts) = old.terminals().find(|facts| gone(&facts.terminal)) {
            return Err(ReloadFault::TerminalGone(facts.terminal));
        }
        let risen = old.risen(&new);
        if !risen.is_empty() {
            return Err(ReloadFault::Risen(self.placed(risen, at)));
        }
        let versions = |checks: &Checks| {
            let shadow = checks.shadow.as_ref().map(|rules| format!(", in shadow {}", rules.version));
            format!("{}{}", checks.live.version, shadow.unwrap_or_default()).into_boxed_str()
        };
        let digests = |checks: &Checks| (checks.live.digest(), checks.shadow.as_ref().map(|rules| rules.digest()));
        let (before, now) = (self.checks.load(), loaded.checks);
        let unnoticed = |old: &RuleSet, new: &RuleSet| old.version == new.version && old.digest() != new.digest();
        let shadows = before.shadow.as_ref().zip(now.shadow.as_ref());
        let live = unnoticed(&before.live, &now.live).then_some(&now.live);
        if let Some(same) = live.or(shadows.filter(|(old, new)| unnoticed(old, new)).map(|(_, new)| new)) {
            return Err(ReloadFault::SameRules(Box::from(&*same.version)));
        }
        let rules = (digests(&before) != digests(&now)).then(|| [versions(&before), versions(&now)]);
        let (terminals, diff) = (new.terminals().count(), old.diff(&new, MOST));
        let swapped = swapped(&old, &new);
        let reloaded = Reloaded { terminals, diff, rules, later: new.later(at), digest: loaded.digest, swapped };
        Ok((new, (now, RateTable(Some(Box::new(loaded.fees)))), reloaded))
    }

    /// What is said of these, behind the places of their rows.
    fn placed(&self, said: Vec<(Subject, String)>, at: Timestamp) -> Vec<String> {
        let subjects: Vec<Subject> = said.iter().map(|(subject, _)| *subject).collect();
        let places = standing_said::places(&self.file, &subjects, at);
        let place = |subject| places.get(subject).map_or_else(String::new, |place| format!("{place}: "));
        said.iter().map(|(subject, what)| place(subject) + what).collect()
    }

    /// [`Self::run`], with its outcome in the log and on record.
    pub async fn run_and_say(&self) {
        self.conclude(self.run(), "SIGHUP").await;
    }

    /// [`Self::run_if_due`], with its outcome in the log and on record.
    pub async fn run_if_due_and_say(&self, now: Timestamp) {
        if let Some(outcome) = self.run_if_due(now) {
            self.conclude(outcome, "the time of a row").await;
        }
    }

    async fn conclude(&self, outcome: Result<Reloaded, ReloadFault>, why: &str) {
        say(&outcome, why);
        if let Ok(reloaded) = &outcome {
            self.note(reloaded, "switch", why).await;
        }
    }
}

/// The first of many sentences, and how many more there are: as much as a line of the log takes.
fn first(all: &[impl ToString]) -> String {
    let mut text = String::new();
    for (told, one) in all.iter().enumerate() {
        let one = one.to_string();
        if told == LOGGED || text.len() + one.len() > ROOM {
            let more = all.len() - told;
            return if told == 0 { format!("{more} in all") } else { format!("{text}; and {more} more") };
        }
        text += if told > 0 { "; " } else { "" };
        text += &one;
    }
    text
}

/// Logs what came of a reload, with the first rows that differ.
pub(super) fn say(outcome: &Result<Reloaded, ReloadFault>, why: &str) {
    match outcome {
        Ok(Reloaded { terminals, diff, rules, later, .. }) => {
            if let Some([before, now]) = rules {
                tracing::info!(event = "rules", why, %before, %now, "other rules judge");
            }
            let summary = diff.summary();
            tracing::info!(event = "reloaded", why, terminals, %summary, "the lists were read again");
            for row in diff.rows.iter().take(LOGGED) {
                tracing::info!(event = "row", "{row}");
            }
            if let Some(later) = later {
                tracing::info!(event = "rows-later", rows = later.rows, first = %later.first, "{later}");
            }
        }
        Err(fault) => {
            tracing::error!(event = "reload-refused", why, %fault, "the station goes on with the lists it has");
        }
    }
}

/// Terminals that the lists give another serial number than before.
fn swapped(old: &Registry, new: &Registry) -> Vec<TerminalId> {
    let serial = |facts: &TerminalFacts| facts.site.hardware.as_ref().map(|hardware| hardware.serial.clone());
    let other = |facts: &&Arc<TerminalFacts>| {
        let before = old.terminal(facts.terminal).and_then(|facts| serial(facts));
        before.is_some() && before != serial(facts)
    };
    new.terminals().filter(other).map(|facts| facts.terminal).collect()
}

fn rows(registry: &Registry) -> Vec<(IssuerName, Arc<Issuer>)> {
    let mut rows: Vec<_> = registry.issuers().map(|issuer| (issuer.name.clone(), Arc::clone(issuer))).collect();
    rows.sort_by(|one, other| one.0.cmp(&other.0));
    rows
}
