//! What the simulated terminals know over the life of their process: each one's memory, and what it sold.

use super::terminal::Terminal;
use crate::model::Amount;
use crate::model::Rrn;
use crate::model::TerminalId;
use crate::server::lines::Lines;
use parking_lot::Mutex;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// A terminal's memory after a step, and what that step sold: reference number and amount.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Line {
    terminal: String,
    memory: Value,
    sales: Vec<(String, u64)>,
    /// Lines of older terminals have neither.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    undone: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    given: Vec<(String, u64)>,
}

/// What one step did to what a terminal believes.
#[derive(Clone, Debug, Default)]
pub(super) struct Step {
    /// Charges that were approved.
    pub(super) sales: Vec<(Rrn, Amount)>,
    /// Charges that were taken back.
    pub(super) undone: Vec<Rrn>,
    /// Refunds.
    pub(super) given: Vec<(Rrn, Amount)>,
}

impl Step {
    /// This and what a later step did.
    pub(super) fn follow(&mut self, later: Self) {
        for rrn in later.undone {
            if let Some(at) = self.sales.iter().rposition(|(sold, _)| *sold == rrn) {
                self.sales.remove(at);
            }
        }
        self.sales.extend(later.sales);
        self.given.extend(later.given);
    }
}

/// What one terminal knew when its process ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Remembered {
    /// Its memory, as its state file would have it.
    pub(super) memory: Option<String>,
    /// What it believes of the money.
    pub(super) step: Step,
}

/// The terminals' own record, in one file for all of them. Memory and sale of a step are one line, so that
/// a terminal never forgets a sale whose answer it took, nor takes one that it will undo.
pub struct TillRoll {
    lines: Mutex<Lines>,
    begun: BTreeMap<TerminalId, Remembered>,
}

impl TillRoll {
    /// Opens the record, or makes it; what is there is written anew, a line a terminal.
    ///
    /// # Errors
    /// The file cannot be used, or is no such record.
    pub fn open(path: &Path) -> io::Result<Self> {
        let (_, text) = Lines::open(path)?;
        let mut begun: BTreeMap<TerminalId, Remembered> = BTreeMap::new();
        for (at, line) in text.lines().enumerate() {
            let read = serde_json::from_str::<Line>(line).ok().and_then(|line| line.read());
            let what = || format!("line {}: not of a terminal's record", at + 1);
            let (terminal, step) = read.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, what()))?;
            let known = begun.entry(terminal).or_default();
            known.memory = step.memory;
            known.step.follow(step.step);
        }
        let mut short = String::new();
        for (terminal, known) in &begun {
            let memory = known.memory.as_deref().and_then(|memory| serde_json::from_str(memory).ok());
            short += &serde_json::to_string(&Line::of(*terminal, memory.unwrap_or_default(), &known.step))?;
            short.push('\n');
        }
        Ok(Self { lines: Mutex::new(Lines::replace(path, &short)?), begun })
    }

    /// Whether no terminal has done anything yet.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.begun.is_empty()
    }

    /// What a terminal knew when the record was opened.
    pub(super) fn remembered(&self, terminal: TerminalId) -> Remembered {
        self.begun.get(&terminal).cloned().unwrap_or_default()
    }

    /// Adds a step of a terminal's.
    pub(super) fn add(&self, terminal: &Terminal, step: &Step) -> io::Result<()> {
        let memory = serde_json::from_str(&terminal.to_json())?;
        self.lines.lock().add(&Line::of(terminal.setup().terminal, memory, step))
    }
}

impl Line {
    fn of(terminal: TerminalId, memory: Value, step: &Step) -> Self {
        let told =
            |list: &[(Rrn, Amount)]| list.iter().map(|(rrn, amount)| (rrn.to_string(), amount.minor())).collect();
        let undone = step.undone.iter().map(ToString::to_string).collect();
        Self { terminal: terminal.to_string(), memory, sales: told(&step.sales), undone, given: told(&step.given) }
    }

    fn read(&self) -> Option<(TerminalId, Remembered)> {
        let one = |(rrn, amount): &(String, u64)| Some((Rrn::parse(rrn.as_bytes())?, Amount::new(*amount)?));
        let step = Step {
            sales: self.sales.iter().map(one).collect::<Option<_>>()?,
            undone: self.undone.iter().map(|rrn| Rrn::parse(rrn.as_bytes())).collect::<Option<_>>()?,
            given: self.given.iter().map(one).collect::<Option<_>>()?,
        };
        let remembered = Remembered { memory: Some(self.memory.to_string()), step };
        Some((TerminalId::parse(self.terminal.as_bytes())?, remembered))
    }
}
