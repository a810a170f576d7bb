//! What the simulated terminals know over the life of their process: each one's memory, and what it sold.

use super::lines::Lines;
use super::terminal::Terminal;
use crate::model::Amount;
use crate::model::Rrn;
use crate::model::TerminalId;
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
}

/// What one terminal knew when its process ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Remembered {
    /// Its memory, as its state file would have it.
    pub(super) memory: Option<String>,
    /// What it sold: approved, and not undone.
    pub(super) sales: Vec<(Rrn, Amount)>,
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
            known.sales.extend(step.sales);
        }
        let mut short = String::new();
        for (terminal, known) in &begun {
            let memory = known.memory.as_deref().and_then(|memory| serde_json::from_str(memory).ok());
            short += &serde_json::to_string(&Line::of(*terminal, memory.unwrap_or_default(), &known.sales))?;
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
    pub(super) fn add(&self, terminal: &Terminal, sale: Option<(Rrn, Amount)>) -> io::Result<()> {
        let memory = serde_json::from_str(&terminal.to_json())?;
        self.lines.lock().add(&Line::of(terminal.setup().terminal, memory, sale.as_slice()))
    }
}

impl Line {
    fn of(terminal: TerminalId, memory: Value, sales: &[(Rrn, Amount)]) -> Self {
        let sales = sales.iter().map(|(rrn, amount)| (rrn.to_string(), amount.minor()));
        Self { terminal: terminal.to_string(), memory, sales: sales.collect() }
    }

    fn read(&self) -> Option<(TerminalId, Remembered)> {
        let sale = |(rrn, amount): &(String, u64)| Some((Rrn::parse(rrn.as_bytes())?, Amount::new(*amount)?));
        let sales = self.sales.iter().map(sale).collect::<Option<_>>()?;
        let step = Remembered { memory: Some(self.memory.to_string()), sales };
        Some((TerminalId::parse(self.terminal.as_bytes())?, step))
    }
}
