//! Hears what the flows say. What is approved costs a few atomic additions; what is rare goes through a queue.

use super::watchman::Counted;
use super::watchman::Noted;
use crate::flow::Event;
use crate::flow::Witness;
use crate::ledger::Outcome;
use crate::model::IssuerName;
use crate::model::TerminalId;
use dashmap::DashMap;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::mpsc;

/// Rare events that may wait to be looked at; further ones are counted and dropped.
const RARE_WAITING: usize = 4_096;
/// The rules by which who may not trade is refused: by the registry, by the ladder.
const STANDING: [&str; 7] = [
    "terminal-standing",
    "merchant-standing",
    "standing",
    "terminal-suspended",
    "merchant-suspended",
    "terminal-terminated",
    "merchant-terminated",
];

#[derive(Default)]
struct Tally {
    asked: AtomicU64,
    declined: AtomicU64,
}

/// Hears what the flows of a station say.
pub(super) struct Ears {
    all: Tally,
    issuers: Vec<(IssuerName, Tally)>,
    /// When each terminal was heard, in seconds; only if somebody asks for silent ones.
    heard: Option<DashMap<TerminalId, AtomicU64>>,
    now: AtomicU64,
    rare: mpsc::Sender<Noted>,
    missed: AtomicU64,
}

impl Ears {
    pub(super) fn new(
        issuers: impl Iterator<Item = IssuerName>,
        hears_terminals: bool,
    ) -> (Self, mpsc::Receiver<Noted>) {
        let (rare, noted) = mpsc::channel(RARE_WAITING);
        let ears = Self {
            all: Tally::default(),
            issuers: issuers.map(|issuer| (issuer, Tally::default())).collect(),
            heard: hears_terminals.then(DashMap::new),
            now: AtomicU64::new(0),
            rare,
            missed: AtomicU64::new(0),
        };
        (ears, noted)
    }

    /// Sets the time at which terminals are heard from now on.
    pub(super) fn set_now(&self, now: Duration) {
        self.now.store(now.as_secs(), Relaxed);
    }

    /// The transactions since the last time this was asked.
    pub(super) fn counted(&self) -> Vec<Counted> {
        let counted = |issuer: Option<&IssuerName>, tally: &Tally| Counted {
            issuer: issuer.cloned(),
            asked: tally.asked.swap(0, Relaxed),
            declined: tally.declined.swap(0, Relaxed),
        };
        let issuers = self.issuers.iter().map(|(issuer, tally)| counted(Some(issuer), tally));
        std::iter::once(counted(None, &self.all)).chain(issuers).collect()
    }

    /// When each terminal was last heard, if that is noted.
    pub(super) fn heard(&self) -> Option<Vec<(TerminalId, Duration)>> {
        let heard = self.heard.as_ref()?;
        Some(heard.iter().map(|row| (*row.key(), Duration::from_secs(row.value().load(Relaxed)))).collect())
    }

    /// How many rare events were dropped since the last time this was asked.
    pub(super) fn missed(&self) -> u64 {
        self.missed.swap(0, Relaxed)
    }

    fn say(&self, noted: Noted) {
        if self.rare.try_send(noted).is_err() {
            self.missed.fetch_add(1, Relaxed);
        }
    }

    fn hear(&self, terminal: &TerminalId) {
        let Some(heard) = &self.heard else { return };
        let now = self.now.load(Relaxed);
        match heard.get(terminal) {
            Some(row) => row.store(now, Relaxed),
            None => drop(heard.insert(*terminal, AtomicU64::new(now))),
        }
    }

    fn count(&self, issuer: Option<&IssuerName>, outcome: Outcome) {
        let declined = u64::from(outcome != Outcome::Approved);
        let of_issuer = self.issuers.iter().find(|(name, _)| Some(name) == issuer).map(|(_, tally)| tally);
        for tally in std::iter::once(&self.all).chain(of_issuer) {
            tally.asked.fetch_add(1, Relaxed);
            if declined > 0 {
                tally.declined.fetch_add(declined, Relaxed);
            }
        }
    }
}

impl Witness for Ears {
    fn note(&self, terminal: Option<&TerminalId>, event: &Event<'_>) {
        match event {
            // Its MAC says that it is the terminal itself.
            Event::MacVerified { .. } => terminal.into_iter().for_each(|terminal| self.hear(terminal)),
            Event::Decided { repeat: false, outcome, issuer, rule, .. } => {
                self.count(*issuer, *outcome);
                if let Some(rule) = rule.filter(|rule| STANDING.contains(rule)) {
                    self.say(Noted::Standing { terminal: terminal.copied(), rule: rule.into() });
                }
            }
            Event::MacFailed { from, .. } => {
                self.say(Noted::MacFailed { terminal: terminal.copied(), from: from.household });
            }
            Event::Refused { rule: "duplicate-mismatch", .. } => {
                self.say(Noted::DuplicateMismatch { terminal: terminal.copied() });
            }
            Event::Rule { hit, .. } if !hit.shadow => {
                let subject = terminal.map_or_else(|| "-".to_owned(), ToString::to_string);
                let (rule, evidence) = (hit.rule.to_string().into(), hit.evidence.to_string().into());
                self.say(Noted::Risk { rule, subject: subject.into(), evidence });
            }
            Event::Refused { rule: "ledger-full", .. } => self.say(Noted::LedgerFull),
            Event::Refused { rule, .. } if STANDING.contains(rule) => {
                self.say(Noted::Standing { terminal: terminal.copied(), rule: (*rule).into() });
            }
            _ => {}
        }
    }

    fn watches(&self, _: &TerminalId) -> bool {
        false
    }
}
