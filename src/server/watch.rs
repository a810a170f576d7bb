//! Who watches the station: one log line a transaction, counters, and the live trace.

use crate::flow::Event;
use crate::flow::Witness;
use crate::ledger::Outcome;
use crate::ledger::Owed;
use crate::model::ResponseCode;
use crate::model::TerminalId;
use crate::risk::Hit;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::broadcast;

/// How many trace lines a slow reader may fall behind before it loses the oldest.
const TRACE_BACKLOG: usize = 1024;

/// One line of the live trace. Masked; carries no card data.
#[derive(Clone, Debug)]
pub struct TraceLine {
    /// The terminal it is about, once DE 41 was read.
    pub terminal: Option<TerminalId>,
    /// What `tollgate trace` prints, as JSON.
    pub line: Value,
}

/// Takes the events of all flows of a station.
pub struct Watch {
    trace: broadcast::Sender<TraceLine>,
    codes: [AtomicU64; ResponseCode::ALL.len()],
    onward: OnceLock<Arc<dyn Witness>>,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            trace: broadcast::channel(TRACE_BACKLOG).0,
            codes: [const { AtomicU64::new(0) }; ResponseCode::ALL.len()],
            onward: OnceLock::new(),
        }
    }
}

impl Watch {
    /// Tells another witness of everything from now on. There is one such place; whether it was free.
    pub fn tell_too(&self, witness: Arc<dyn Witness>) -> bool {
        self.onward.set(witness).is_ok()
    }

    /// Follows the trace from now on. Dropping the receiver ends it.
    pub fn follow(&self) -> broadcast::Receiver<TraceLine> {
        self.trace.subscribe()
    }

    /// Whether anybody follows: nothing is described for nobody.
    #[must_use]
    pub fn followed(&self) -> bool {
        self.trace.receiver_count() > 0
    }

    /// Adds a line to the trace.
    pub fn tell(&self, terminal: Option<TerminalId>, line: Value) {
        // Nobody listening is no failure.
        let _ = self.trace.send(TraceLine { terminal, line });
    }

    /// Transactions answered so far, by canonical response code.
    #[must_use]
    pub fn codes(&self) -> BTreeMap<&'static str, u64> {
        let counts = self.codes.iter().map(|count| count.load(Ordering::Relaxed));
        ResponseCode::ALL.iter().map(|code| code.code()).zip(counts).filter(|(_, count)| *count > 0).collect()
    }

    fn count(&self, code: ResponseCode) {
        self.codes[code as usize].fetch_add(1, Ordering::Relaxed);
    }
}

impl Witness for Watch {
    fn note(&self, terminal: Option<&TerminalId>, event: &Event<'_>) {
        log(terminal, event);
        if let Some(witness) = self.onward.get() {
            witness.note(terminal, event);
        }
        match event {
            Event::Decided { code, .. } | Event::Refused { code, .. } => self.count(*code),
            Event::Rejected { .. } => self.count(ResponseCode::FormatError),
            _ => {}
        }
        if self.followed() {
            self.tell(terminal.copied(), describe(event));
        }
    }

    fn watches(&self, _: &TerminalId) -> bool {
        self.followed()
    }
}

/// One structured line an event; its level says whether a person should look.
fn log(terminal: Option<&TerminalId>, event: &Event<'_>) {
    let terminal = terminal.map_or("-", TerminalId::as_str).trim_end();
    match event {
        Event::Rejected { error } => tracing::warn!(event = "reject", terminal, fault = %error),
        Event::Refused { code, rule } => tracing::info!(event = "refuse", terminal, rc = %code, rule),
        Event::Silent { why } => tracing::warn!(event = "silent", terminal, why),
        Event::MacFailed { .. } => tracing::warn!(event = "mac-failure", terminal),
        Event::MacVerified { .. } => {}
        Event::Rule { hit: Hit { rule, action, evidence, shadow }, version, rrn } => tracing::warn!(
            event = "rule", terminal, rule = &**rule, action = action.name(), evidence = &**evidence, shadow, version,
            rrn = %rrn,
        ),
        Event::Decided { kind, outcome, code, rrn, rule, issuer, repeat, took } => tracing::info!(
            event = "txn",
            terminal,
            kind = kind.name(),
            outcome = outcome_name(*outcome),
            rc = %code,
            rrn = %rrn,
            rule,
            issuer = issuer.map(|name| name.as_str()),
            repeat,
            latency_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        ),
        Event::Forwarded { what, issuer, rrn, attempts, acknowledged, refused: None } => {
            tracing::info!(event = owed_name(*what), terminal, issuer = %issuer, rrn = %rrn, attempts, acknowledged);
        }
        // The flow has raised the alarm.
        Event::Forwarded { .. } => {}
    }
}

/// The same for a terminal's developer.
fn describe(event: &Event<'_>) -> Value {
    match event {
        Event::Rejected { error } => json!({ "event": "reject", "fault": error.to_string(), "answer": "30" }),
        Event::Refused { code, rule } => {
            json!({ "event": "refuse", "answer": code.code(), "meaning": code.text(), "check": rule })
        }
        Event::Silent { why } => json!({ "event": "silent", "why": why }),
        Event::MacFailed { range, tried, .. } => json!({
            "event": "mac-failure",
            "covers": format!("bytes {}..{} of the message: MTI, bitmap as sent, all before the MAC", range.start, range.end),
            "keys tried (KCV)": tried.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }),
        Event::MacVerified { range, key } => json!({
            "event": "mac-ok",
            "covers": format!("bytes {}..{} of the message", range.start, range.end),
            "key (KCV)": key.as_ref().map(ToString::to_string),
        }),
        Event::Rule { hit: Hit { rule, action, evidence, shadow }, version, rrn } => json!({
            "event": "rule",
            "rule": &**rule,
            "action": action.name(),
            "evidence": &**evidence,
            "shadow": shadow,
            "version": version,
            "rrn": rrn.as_str(),
        }),
        Event::Decided { kind, outcome, code, rrn, rule, issuer, repeat, took } => json!({
            "event": "decided",
            "kind": kind.name(),
            "outcome": outcome_name(*outcome),
            "answer": code.code(),
            "meaning": code.text(),
            "rrn": rrn.as_str(),
            "rule": rule,
            "issuer": issuer.map(|name| name.as_str()),
            "repeat": repeat,
            "ms": took.as_secs_f64() * 1e3,
        }),
        Event::Forwarded { what, issuer, rrn, attempts, acknowledged, refused } => json!({
            "event": owed_name(*what),
            "issuer": issuer.as_str(),
            "rrn": rrn.as_str(),
            "attempt": attempts + 1,
            "acknowledged": acknowledged,
            "refused": refused.map(ResponseCode::code),
        }),
    }
}

fn owed_name(what: Owed) -> &'static str {
    match what {
        Owed::Reversal => "reversal",
        Owed::Advice => "advice",
    }
}

fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Approved => "approved",
        Outcome::Declined => "declined",
        Outcome::TimedOut => "timed-out",
    }
}
