//! `tollgate risk explain`: why a request was decided as it was.

use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::Outcome;
use crate::cli::ledger;
use crate::ledger::Intent;
use crate::ledger::judged::Visitor;
use crate::ledger::judged::judged;
use crate::model::LadderEntry;
use crate::model::Region;
use crate::model::Rrn;
use crate::model::Subject;
use crate::risk::Memory;
use crate::risk::Reservation;
use crate::risk::Signs;
use crate::risk::Sums;
use clap::Args;
use serde_json::Value;
use serde_json::json;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::io;
use std::io::Write;
use std::path::PathBuf;

/// Say which rules spoke of a request, why, and what they saw
#[derive(Args, Debug)]
#[command(after_help = "Exit codes: 0 explained, 1 not on record, 2 usage, or the ledger cannot be read.")]
pub(super) struct Explain {
    /// The ledger's folder, or the one that has it as `ledger`
    #[arg(long, value_name = "DIR", value_parser = ledger::folder())]
    data: PathBuf,
    /// Reference number (12 characters) or the ledger's number
    #[arg(value_name = "RRN|NUMBER")]
    number: String,
    /// JSON instead of lines
    #[arg(long)]
    json: bool,
}

/// A request on record, whether it was declined here, and what was done to its terminal by it.
struct Found(Box<Intent>, bool, Vec<LadderEntry>);

/// How many steps on the ladder are remembered until their request comes.
const STEPS: usize = 256;

/// Looks for requests of a number. Reference numbers come again with another year: all are told.
struct Search {
    rrn: Option<Rrn>,
    number: Option<u64>,
    found: Vec<Found>,
    /// The last steps: a device's report is on record before the request that brought it.
    steps: VecDeque<LadderEntry>,
}

/// Whether a step was taken by a request: its terminal's, at its very instant.
fn is_by(entry: &LadderEntry, intent: &Intent) -> bool {
    entry.subject == Subject::Terminal(intent.identity.terminal) && entry.at == intent.received
}

impl Visitor for Search {
    fn asked(&mut self, intent: &Intent, _: &Memory, _: &impl Sums, declined: bool) -> SmallVec<[Reservation; 2]> {
        if self.rrn == Some(intent.rrn) || self.number == Some(intent.id.0) {
            let steps = self.steps.iter().filter(|entry| is_by(entry, intent)).cloned().collect();
            self.found.push(Found(Box::new(intent.clone()), declined, steps));
        }
        SmallVec::new()
    }

    fn stepped(&mut self, entry: &LadderEntry) {
        for Found(_, _, steps) in self.found.iter_mut().filter(|Found(intent, ..)| is_by(entry, intent)) {
            steps.push(entry.clone());
        }
        if self.steps.len() >= STEPS {
            self.steps.pop_front();
        }
        self.steps.push_back(entry.clone());
    }
}

impl Explain {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let rrn = Rrn::parse(self.number.as_bytes());
        let number = self.number.parse().ok().filter(|_| rrn.is_none());
        if rrn.is_none() && number.is_none() {
            return Err(Failure::new(Exit::Usage, "neither a reference number nor a number of the ledger"));
        }
        let mut search = Search { rrn, number, found: Vec::new(), steps: VecDeque::new() };
        judged(&mut ledger::open(&self.data)?, &mut search)?;
        if search.found.is_empty() {
            return Err(Failure::new(Exit::No, "no request of this number is on record"));
        }
        for found in &search.found {
            if self.json { writeln!(out, "{:#}", found.json())? } else { found.text(out)? }
        }
        Ok(Exit::Ok)
    }
}

impl Found {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self(intent, declined, steps) = self;
        writeln!(
            out,
            "transaction {} (RRN {}): {} of {} {} at terminal {}, card {}",
            intent.id.0,
            intent.rrn,
            intent.kind.name(),
            intent.amount,
            intent.currency,
            intent.identity.terminal,
            intent.masked
        )?;
        match (&intent.refusal, declined) {
            (Some(refusal), true) => {
                writeln!(out, "declined here: {} {}, rule {}", refusal.code.code(), refusal.code.text(), refusal.rule)?;
            }
            (None, true) => writeln!(out, "declined here, by no rule")?,
            (_, false) => writeln!(out, "let through: its issuer was asked, or it told of what had been done")?,
        }
        match &intent.risk {
            None => writeln!(out, "no rule spoke")?,
            Some(note) => {
                writeln!(out, "rules {}", note.version)?;
                for hit in &note.hits {
                    let shadow = if hit.shadow { " (in shadow: it only counts)" } else { "" };
                    writeln!(out, "  {:<24} {:<8} {}{shadow}", hit.rule, hit.action.name(), hit.evidence)?;
                }
            }
        }
        for entry in steps {
            let LadderEntry { step, actor, reason, .. } = entry;
            writeln!(out, "by it, its terminal: {} by {actor}: {reason}", step.name())?;
        }
        writeln!(out, "seen")?;
        for (what, value) in self.seen() {
            writeln!(out, "  {what:<24} {value}")?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let Self(intent, declined, steps) = self;
        let steps = steps
            .iter()
            .map(|entry| json!({ "step": entry.step.name(), "actor": &*entry.actor, "reason": &*entry.reason }));
        let hits = intent.risk.iter().flat_map(|note| &note.hits).map(|hit| {
            json!({ "rule": &*hit.rule, "action": hit.action.name(), "evidence": &*hit.evidence, "shadow": hit.shadow })
        });
        let seen: serde_json::Map<String, Value> =
            self.seen().into_iter().map(|(what, value)| (what.to_owned(), Value::String(value))).collect();
        json!({
            "number": intent.id.0,
            "rrn": intent.rrn.as_str(),
            "terminal": intent.identity.terminal.as_str(),
            "kind": intent.kind.name(),
            "amount": intent.amount.minor(),
            "currency": intent.currency.to_string(),
            "card": intent.masked.as_str(),
            "declined": declined,
            "code": intent.refusal.as_ref().map(|refusal| refusal.code.code()),
            "rule": intent.refusal.as_ref().map(|refusal| &*refusal.rule),
            "version": intent.risk.as_ref().map(|note| &*note.version),
            "hits": hits.collect::<Vec<_>>(),
            "steps": steps.collect::<Vec<_>>(),
            "seen": seen,
        })
    }

    /// What the rules saw, as far as it was known.
    fn seen(&self) -> Vec<(&'static str, String)> {
        let scene = &self.0.scene;
        let region = |region: Option<Region>| region.map(|region| region.to_string());
        let values = [
            ("region", region(scene.region)),
            ("registered region", region(scene.home)),
            ("category", scene.mcc.map(|mcc| mcc.to_string())),
            ("registered category", scene.registered_mcc.map(|mcc| mcc.to_string())),
            ("card range", scene.bin.map(|bin| bin.to_string())),
            ("firmware", scene.firmware.map(|firmware| firmware.to_string())),
            ("fee", scene.fee.map(|fee| format!("{}.{:02} %", fee / 100, fee % 100))),
            ("silent for", scene.silent.map(|seconds| format!("{seconds} s"))),
            ("MAC failures of source", (scene.mac_failures > 0).then(|| scene.mac_failures.to_string())),
            ("signs", signs(scene.signs)),
        ];
        values.into_iter().filter_map(|(what, value)| value.map(|value| (what, value))).collect()
    }
}

fn signs(signs: Signs) -> Option<String> {
    let words = [
        (Signs::CHIP_CARD, "the card has a chip"),
        (Signs::CHIP_TERMINAL, "the terminal reads chips"),
        (Signs::PIN, "it brought a PIN"),
        (Signs::BEYOND_CAPABILITIES, "entered in a way that the terminal does not have"),
        (Signs::OTHER_MERCHANT, "DE 42 is not the terminal's"),
        (Signs::OTHER_NAME, "DE 43 is not its merchant's"),
        (Signs::SOURCE_CHANGED, "from another address than before"),
        (Signs::DEVICE_UNKNOWN, "no device is registered"),
        (Signs::DEVICE_DIFFERS, "another serial number"),
        (Signs::CERTIFICATION_EXPIRED, "its certification has expired"),
        (Signs::DEVICE_OPENED, "its device says that it was opened"),
    ];
    let seen: Vec<_> = words.into_iter().filter(|(sign, _)| signs.has(*sign)).map(|(_, word)| word).collect();
    (!seen.is_empty()).then(|| seen.join(", "))
}
