//! Rules as data: what each kind says, what a file may not say, what is remembered.

mod actions;
mod amounts;
mod cards;
mod files;
mod machines;
mod memory;
mod oracles;
mod sense;

use std::collections::HashMap;
use tollgate::model::Amount;
use tollgate::model::Bin;
use tollgate::model::BusinessDate;
use tollgate::model::Currency;
use tollgate::model::Kind;
use tollgate::model::MerchantId;
use tollgate::model::PanToken;
use tollgate::model::PosEntryMode;
use tollgate::model::Region;
use tollgate::model::TerminalId;
use tollgate::model::Timestamp;
use tollgate::risk::CounterKey;
use tollgate::risk::Fate;
use tollgate::risk::Judgement;
use tollgate::risk::Memory;
use tollgate::risk::RuleSet;
use tollgate::risk::Scene;
use tollgate::risk::Signs;
use tollgate::risk::Situation;
use tollgate::risk::Sums;
use tollgate::risk::judge;

/// 2026-11-23T00:00:00Z, a Monday.
pub(super) const MONDAY: i64 = 1_795_392_000;

/// One request, as the tests change it from an ordinary sale.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) kind: Kind,
    pub(super) terminal: u32,
    pub(super) merchant: u32,
    pub(super) card: u8,
    pub(super) amount: u64,
    pub(super) entry: &'static str,
    pub(super) date: BusinessDate,
    /// Microseconds.
    pub(super) at: i64,
    pub(super) offset_minutes: i16,
    pub(super) scene: Scene,
}

/// A sale of 100.00 by chip with PIN, so many seconds after Monday began.
pub(super) fn sale(second: i64) -> Asked {
    let scene = Scene { bin: Bin::new(622_588), signs: Signs::PIN, ..Scene::default() };
    Asked {
        kind: Kind::Sale,
        terminal: 1,
        merchant: 1,
        card: 1,
        amount: 10_000,
        entry: "051",
        date: BusinessDate::new(2026, 11, 23).unwrap(),
        at: (MONDAY + second) * 1_000_000,
        offset_minutes: 0,
        scene,
    }
}

pub(super) fn token(card: u8) -> PanToken {
    PanToken([card; 32])
}

impl Asked {
    pub(super) fn situation(&self) -> Situation<'_> {
        Situation {
            kind: self.kind,
            terminal: TerminalId::parse(format!("{:08}", self.terminal).as_bytes()).unwrap(),
            merchant: MerchantId::parse(format!("{:015}", self.merchant).as_bytes()).unwrap(),
            card: token(self.card),
            amount: Amount::new(self.amount).unwrap(),
            currency: Currency::CNY,
            entry: PosEntryMode::parse(self.entry.as_bytes()).unwrap(),
            date: self.date,
            at: Timestamp(self.at),
            offset_minutes: self.offset_minutes,
            scene: &self.scene,
        }
    }

    pub(super) fn card(self, card: u8) -> Self {
        Self { card, ..self }
    }

    pub(super) fn terminal(self, terminal: u32) -> Self {
        Self { terminal, ..self }
    }

    pub(super) fn amount(self, amount: u64) -> Self {
        Self { amount, ..self }
    }

    pub(super) fn kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    pub(super) fn entry(self, entry: &'static str) -> Self {
        Self { entry, ..self }
    }

    pub(super) fn region(mut self, region: u16) -> Self {
        self.scene.region = Region::new(region);
        self
    }

    pub(super) fn signs(mut self, signs: Signs) -> Self {
        self.scene.signs = signs;
        self
    }
}

/// The day's counters, as the ledger would keep them.
#[derive(Clone, Debug, Default)]
pub(super) struct Counters(pub(super) HashMap<CounterKey, (u64, u32)>);

impl Sums for Counters {
    fn sum(&self, key: &CounterKey) -> (u64, u32) {
        self.0.get(key).copied().unwrap_or_default()
    }
}

/// A rule set, and what it remembers.
pub(super) struct Desk {
    pub(super) rules: RuleSet,
    pub(super) memory: Memory,
    pub(super) counters: Counters,
}

/// A desk with these rules: `id` is the kind where a rule does not say, the action is decline.
pub(super) fn desk(rules: &[&str]) -> Desk {
    let rules = rules.iter().enumerate().map(|(at, rule)| {
        let action = if rule.contains("action =") { "" } else { "action = \"decline\"\n" };
        let id = if rule.contains("id =") { String::new() } else { format!("id = \"rule-{at}\"\n") };
        format!("[[rule]]\n{id}{action}{rule}\n")
    });
    let text = format!("version = \"test\"\n{}", rules.collect::<String>());
    Desk { rules: RuleSet::read("risk.toml", &text).unwrap(), memory: Memory::default(), counters: Counters::default() }
}

impl Desk {
    pub(super) fn judge(&self, asked: &Asked) -> Judgement {
        judge(&self.rules, &asked.situation(), &self.memory, &self.counters)
    }

    /// The code it is declined with, if it is.
    pub(super) fn refused(&self, asked: &Asked) -> Option<&'static str> {
        self.judge(asked).refusal.map(|refusal| refusal.code.code())
    }

    pub(super) fn evidence(&self, asked: &Asked) -> String {
        let note = self.judge(asked).note.unwrap();
        note.hits.iter().map(|hit| hit.evidence.to_string()).collect::<Vec<_>>().join("; ")
    }

    /// Asks, and notes what came of it, as the ledger does.
    pub(super) fn sell(&mut self, asked: &Asked) -> Option<&'static str> {
        let judgement = self.judge(asked);
        let Some(refusal) = judgement.refusal else {
            for reservation in &judgement.reservations {
                let (sum, count) = self.counters.0.entry(reservation.key).or_default();
                *sum += reservation.amount.minor();
                *count += 1;
            }
            self.memory.note(&asked.situation(), Fate::Live);
            return None;
        };
        self.memory.note(&asked.situation(), Fate::Declined { pin: false });
        Some(refusal.code.code())
    }
}
