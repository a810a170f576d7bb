//! `tollgate keys list`: what a key file has, whether it holds, and what was done to it.

use super::Exit;
use super::Failure;
use super::Hand;
use super::Outcome;
use super::Place;
use super::audit::Audit;
use super::audit::Line;
use super::compare;
use super::file::KeyFile;
use super::refused;
use super::safe::CTX;
use super::safe::Safe;
use super::safe::located;
use super::today;
use crate::hsm::HsmError;
use crate::hsm::KeyBlock;
use crate::hsm::KeyRef;
use crate::server::config::KeptKey;
use crate::server::config::KeyState;
use crate::server::probe::other_check;
use crate::server::probe::other_kind;
use clap::Args;
use jiff::civil::Date;
use serde_json::Value;
use serde_json::json;
use std::io;
use std::io::Write;

/// List keys by name, generation and check value; the audit file's chain is checked
#[derive(Args, Debug)]
pub(super) struct List {
    #[command(flatten)]
    place: Place,
    /// Compare every row with the audit file, and open its key with the station's master key too
    #[arg(long)]
    verify: bool,
    /// What was done to them as well
    #[arg(long)]
    audit: bool,
    /// JSON instead of lines
    #[arg(long)]
    json: bool,
}

/// What is to be said of a key beside its columns.
fn remark(key: &KeptKey, today: Date) -> Option<&'static str> {
    match key.state {
        KeyState::Retired => None,
        _ if key.not_after.is_some_and(|last| last < today) => Some("its time is over"),
        KeyState::Current if key.not_before.is_some_and(|first| first > today) => Some("its time has not come"),
        _ => None,
    }
}

impl List {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let (file, audit, wrong) = if self.verify {
            let hand = Hand { place: self.place.clone(), by: String::new() };
            let safe = Safe::open(&hand)?;
            let wrong = wrong(&safe);
            (safe.file, safe.audit, wrong)
        } else {
            let (_, path) = located(&self.place)?;
            let audit = Audit::open(&path, false)?;
            let file = KeyFile::read(path)?;
            if file.audited.as_ref().is_none_or(|head| !audit.reaches(head)) {
                let fault = "its audit file lacks lines that were there when this was written";
                return Err(Failure::new(Exit::Config, format!("{}: {fault}", file.path.display())));
            }
            (file, audit, Vec::new())
        };
        let today = today();
        if self.json {
            let keys: Vec<Value> = file.keys.iter().map(|key| object(key, today)).collect();
            let lines = self.audit.then_some(&audit.lines);
            let master = file.master.as_ref().map(ToString::to_string);
            writeln!(out, "{:#}", json!({ "master": master, "keys": keys, "wrong": wrong, "audit": lines }))?;
        } else {
            table(&file.keys, today, out)?;
            if self.audit {
                writeln!(out)?;
                audit.lines.iter().try_for_each(|line| told(line, out))?;
            }
            for fault in &wrong {
                writeln!(out, "WRONG: {fault}")?;
            }
        }
        Ok(if wrong.is_empty() { Exit::Ok } else { Exit::No })
    }
}

/// What is wrong with a key's block: it does not open, or is another key than its row says.
fn other_key(safe: &Safe, key: &KeptKey, block: &KeyBlock) -> Result<Option<String>, HsmError> {
    let reference = KeyRef::Block(block.clone());
    if let Some(fault) = other_kind(&safe.hsm, &reference, (key.usage, key.algorithm))? {
        return Ok(Some(fault));
    }
    let found = safe.runtime.block_on(other_check(&safe.hsm, &CTX, &reference, key.check.as_ref()))?;
    let stated = key.check.as_ref().map(ToString::to_string).unwrap_or_default();
    Ok(found.map(|found| format!("its check value is {found}, not {stated}")))
}

/// Every row that is not what the audit file says, and every key that is not what its row says.
fn wrong(safe: &Safe) -> Vec<String> {
    let mut wrong = compare::rows(&safe.file.keys, &safe.audit.lines);
    for key in &safe.file.keys {
        let Some(block) = &key.block else { continue };
        let fault = other_key(safe, key, block).unwrap_or_else(|fault| Some(refused(&fault).message));
        wrong.extend(fault.map(|fault| format!("{} generation {}: {fault}", key.name.as_str(), key.generation)));
    }
    wrong
}

fn object(key: &KeptKey, today: Date) -> Value {
    json!({
        "name": key.name.as_str(),
        "usage": key.usage.word(),
        "algorithm": key.algorithm.word(),
        "generation": key.generation,
        "state": key.state.word(),
        "check": key.check.as_ref().map(ToString::to_string),
        "not_before": key.not_before.map(|date| date.to_string()),
        "not_after": key.not_after.map(|date| date.to_string()),
        "test": key.test,
        "remark": remark(key, today),
    })
}

fn table(keys: &[KeptKey], today: Date, out: &mut dyn Write) -> io::Result<()> {
    let width = keys.iter().map(|key| key.name.as_str().len()).max().unwrap_or(0).max(4);
    writeln!(
        out,
        "{:width$}  {:19} {:9} {:>5} {:8} {:10} period",
        "name", "usage", "algorithm", "gen", "state", "check"
    )?;
    for key in keys {
        let (name, usage, algorithm) = (key.name.as_str(), key.usage.word(), key.algorithm.word());
        let (generation, state) = (key.generation, key.state.word());
        let check = key.check.as_ref().map(ToString::to_string).unwrap_or_default();
        let date = |date: Option<Date>| date.map(|date| date.to_string()).unwrap_or_default();
        let mut period = match (key.not_before, key.not_after) {
            (None, None) => "-".to_owned(),
            (first, last) => format!("{}..{}", date(first), date(last)),
        };
        if key.test {
            period.push_str("  TEST KEY");
        }
        if let Some(remark) = remark(key, today) {
            period.push_str("  ");
            period.push_str(remark);
        }
        writeln!(out, "{name:width$}  {usage:19} {algorithm:9} {generation:>5} {state:8} {check:10} {period}")?;
    }
    Ok(())
}

fn told(line: &Line, out: &mut dyn Write) -> io::Result<()> {
    let Line { number, at, by, account, what, key, generation, check, under, refused, .. } = line;
    write!(out, "{number:5} {at} {by} ({account}) {what}")?;
    if let Some(key) = key {
        write!(out, " {key}")?;
    }
    if let Some(generation) = generation {
        write!(out, " generation {generation}")?;
    }
    if let Some(check) = check {
        write!(out, " check {check}")?;
    }
    if let Some(under) = under {
        write!(out, " under {under}")?;
    }
    if let Some(refused) = refused {
        write!(out, " REFUSED: {refused}")?;
    }
    writeln!(out)
}
