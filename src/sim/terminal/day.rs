//! A terminal's whole day as data: `day.toml`.

use super::account::Account;
use super::card::{Card, Entry};
use super::deed::{Deed, Presented};
use super::follow::Original;
use crate::hsm::calculator::ClearPin;
use crate::ledger::kinds;
use crate::model::Amount;
use crate::model::ApprovalCode;
use crate::model::BatchNumber;
use crate::model::Breach;
use crate::model::Expiry;
use crate::model::Kind;
use crate::model::OnUnknown;
use crate::model::Pan;
use crate::model::Rrn;
use crate::model::Stan;
use crate::model::line_of;
use crate::registry::Breaches;
use crate::registry::Source;
use crate::sim::cards;
use crate::sim::cards::CardUse;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use toml::Spanned;

/// The most steps of a script.
const STEPS_AT_MOST: usize = 10_000;
/// The demo's cards for visitors, in their order.
const VISITORS: [&str; 3] = ["visitor-a", "visitor-b", "visitor-c"];

/// What a step is expected to end with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Expected {
    /// An answer with this code.
    Code(String),
    /// No answer.
    Silence,
    /// The terminal itself does not ask.
    Refused,
    /// Totals that agree.
    Balanced,
    /// Totals that differ; every transaction is uploaded.
    Unbalanced,
    /// Anything.
    Any,
}

/// What a step follows.
pub enum Named {
    /// The slip of the step of this name.
    Step(String),
    /// What a receipt says.
    Receipt(Box<Original>),
}

/// One step of a day. No `Debug`: it holds cards and PINs.
pub struct Step {
    /// Its line in the script.
    pub line: usize,
    /// What is done.
    pub deed: Deed,
    /// What later steps call it.
    pub name: Option<String>,
    /// How much; `None`: what the original says.
    pub amount: Option<Amount>,
    /// The tip.
    pub tip: Option<Amount>,
    /// The card at the reader.
    pub card: Option<Presented>,
    /// What it follows.
    pub of: Option<Named>,
    /// A payment code.
    pub code: Option<Account>,
    /// The other account of a transfer.
    pub to: Option<String>,
    /// What somebody gave by voice.
    pub approval: Option<ApprovalCode>,
    /// Who is at the terminal from this step on.
    pub operator: Option<String>,
    /// Before it settles, the terminal loses the slip of this place, counted from one.
    pub lie: Option<usize>,
    /// What it ends with.
    pub expect: Expected,
}

/// A script, read and checked.
pub struct Day {
    /// What it is about.
    pub title: String,
    /// Its steps.
    pub steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDay {
    #[serde(default)]
    title: String,
    #[serde(default)]
    card: BTreeMap<String, RawCard>,
    step: Vec<Spanned<RawStep>>,
}

/// A test card.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCard {
    number: String,
    expiry: String,
    pin: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawStep {
    r#do: String,
    name: Option<String>,
    amount: Option<String>,
    tip: Option<String>,
    card: Option<String>,
    entry: Option<String>,
    pin: Option<String>,
    of: Option<String>,
    stan: Option<u32>,
    batch: Option<u32>,
    date: Option<String>,
    rrn: Option<String>,
    approval: Option<String>,
    code: Option<String>,
    to: Option<String>,
    operator: Option<String>,
    lie: Option<usize>,
    times: Option<usize>,
    expect: Option<String>,
}

/// Reads a script.
///
/// # Errors
/// Every breach, with its line; never a card number or a PIN.
pub fn parse(source: Source<'_>) -> Result<Day, Vec<Breach>> {
    let raw: RawDay = toml::from_str(source.text).map_err(|error| {
        let line = error.span().map_or(0, |span| line_of(source.text, span.start));
        // Not the text of the line: it may be a card's.
        vec![Breach::new(source.file, line, error.message())]
    })?;
    let mut reader = Reader { source, cards: &raw.card, names: BTreeSet::new(), breaches: Breaches::default() };
    let mut steps = Vec::new();
    for row in &raw.step {
        let (line, row) = (line_of(source.text, row.span().start), row.get_ref());
        for _ in 0..row.times.unwrap_or(1).min(STEPS_AT_MOST) {
            steps.extend(reader.step(line, row));
        }
        if steps.len() > STEPS_AT_MOST {
            reader.says(line, "a script has at most 10000 steps");
            break;
        }
    }
    reader.breaches.or(Day { title: raw.title, steps })
}

struct Reader<'a> {
    source: Source<'a>,
    cards: &'a BTreeMap<String, RawCard>,
    names: BTreeSet<String>,
    breaches: Breaches,
}

impl Reader<'_> {
    fn says(&mut self, line: usize, what: impl Into<String>) {
        self.breaches.add(self.source.file, line, what);
    }

    /// A value that must be readable if it is there.
    fn read<T>(&mut self, line: usize, key: &str, raw: Option<&str>, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let value = read(raw?);
        if value.is_none() {
            self.says(line, format!("{key}: cannot be read"));
        }
        value
    }

    fn step(&mut self, line: usize, row: &RawStep) -> Option<Step> {
        let Some(deed) = Deed::parse(&row.r#do) else {
            self.says(line, format!("do: there is no such deed; there are {}", Deed::names()));
            return None;
        };
        let whole = self.read(line, "amount", row.amount.as_deref(), amount);
        let tip = self.read(line, "tip", row.tip.as_deref(), amount);
        let approval = row.approval.as_deref();
        let approval = self.read(line, "approval", approval, |code| ApprovalCode::parse(code.as_bytes()));
        let code = self.read(line, "code", row.code.as_deref(), Account::code);
        let expect = row.expect.as_deref().map_or_else(|| Some(usual(deed)), expected);
        if expect.is_none() {
            self.says(line, "expect: two characters, or silence, refused, balanced, unbalanced, any");
        }
        if row.operator.as_ref().is_some_and(|operator| !(1..=3).contains(&operator.len())) {
            self.says(line, "operator: 1 to 3 characters");
        }
        let of = self.named(line, row);
        let step = Step {
            line,
            deed,
            name: row.name.clone(),
            amount: whole,
            tip,
            card: self.presented(line, deed, row, of.is_some()),
            of,
            code,
            to: row.to.clone(),
            approval,
            operator: row.operator.clone(),
            lie: row.lie,
            expect: expect?,
        };
        self.complete(&step);
        self.names.extend(row.name.clone());
        Some(step)
    }

    /// What a deed cannot do without.
    fn complete(&mut self, step: &Step) {
        let needs = match step.deed {
            Deed::Scan if step.code.is_none() => Some("code"),
            Deed::Transfer if step.to.is_none() => Some("to"),
            Deed::Follow(_) if step.of.is_none() => Some("of"),
            Deed::Card(kind) if step.amount.is_none() && asks_an_amount(kind) => Some("amount"),
            Deed::Offline(Kind::OfflineRefund) if step.of.is_some() => None,
            Deed::Scan | Deed::Transfer | Deed::Offline(_) if step.amount.is_none() => Some("amount"),
            Deed::Follow(Kind::Adjustment) if step.tip.is_none() => Some("tip"),
            _ => None,
        };
        if let Some(key) = needs {
            self.says(step.line, format!("{}: needs `{key}`", step.deed.name()));
        }
    }

    fn named(&mut self, line: usize, row: &RawStep) -> Option<Named> {
        if let Some(name) = &row.of {
            if !self.names.contains(name) {
                self.says(line, "of: no step before has this name");
            }
            return Some(Named::Step(name.clone()));
        }
        let date = self.read(line, "date", row.date.as_deref(), |date| date.as_bytes().try_into().ok());
        let rrn = self.read(line, "rrn", row.rrn.as_deref(), |rrn| Rrn::parse(rrn.as_bytes()));
        let (stan, batch) = (row.stan.and_then(Stan::new), row.batch.and_then(BatchNumber::new));
        let approval = row.approval.as_deref().and_then(|code| ApprovalCode::parse(code.as_bytes()));
        let said = stan.is_some() || rrn.is_some();
        let original = Original { stan, batch, date, rrn, approval, ..Original::default() };
        said.then(|| Named::Receipt(Box::new(original)))
    }

    /// The card at the reader: a follow-up needs none, everything else takes the first visitor's.
    fn presented(&mut self, line: usize, deed: Deed, row: &RawStep, follows: bool) -> Option<Presented> {
        let at_the_reader = match deed {
            Deed::Card(_) | Deed::Transfer => true,
            Deed::Offline(kind) => kind != Kind::OfflineRefund || !follows,
            _ => false,
        };
        if !at_the_reader && row.card.is_none() {
            return None;
        }
        let usual = if matches!(deed, Deed::Offline(_)) { "manual" } else { "chip" };
        let entry = self.read(line, "entry", Some(row.entry.as_deref().unwrap_or(usual)), Entry::named)?;
        let found = self.card(row.card.as_deref().unwrap_or("visitor-a"));
        let Some((card, known)) = found else {
            self.says(line, "card: there is no such card, or it cannot be read");
            return None;
        };
        let entered = match row.pin.as_deref() {
            None => known,
            Some("none") => None,
            Some(pin) => Some(pin.to_owned()),
        };
        let takes_a_pin = !matches!(deed, Deed::Offline(_));
        let entered = entered.filter(|_| takes_a_pin);
        let pin = self.read(line, "pin", entered.as_deref(), |pin| ClearPin::parse(pin.as_bytes()).ok());
        Some(Presented { card, entry, pin })
    }

    fn card(&self, name: &str) -> Option<(Card, Option<String>)> {
        if let Some(row) = self.cards.get(name) {
            let (pan, expiry) = (Pan::parse(row.number.as_bytes())?, Expiry::parse(row.expiry.as_bytes())?);
            // What issuers of the demo put on a card of theirs is on it whoever names it.
            let demo = cards::demo();
            let known = demo.iter().find(|card| card.pan == pan && card.expiry == expiry);
            return Some((known.map_or_else(|| Card::new(pan, expiry), Card::of), row.pin.clone()));
        }
        let place = VISITORS.iter().position(|visitor| *visitor == name)?;
        let demo = cards::demo();
        let card = demo.iter().filter(|card| card.used_by == CardUse::Visitor).nth(place)?;
        Some((Card::of(card), Some(card.pin().to_owned())))
    }
}

fn asks_an_amount(kind: Kind) -> bool {
    kinds::of(kind).on_unknown != OnUnknown::Nothing
}

/// What a step ends with if nobody says otherwise.
fn usual(deed: Deed) -> Expected {
    match deed {
        Deed::Settle => Expected::Balanced,
        Deed::Upload | Deed::Reversal | Deed::Offline(_) => Expected::Any,
        _ => Expected::Code("00".to_owned()),
    }
}

fn expected(text: &str) -> Option<Expected> {
    Some(match text {
        "silence" => Expected::Silence,
        "refused" => Expected::Refused,
        "balanced" => Expected::Balanced,
        "unbalanced" => Expected::Unbalanced,
        "any" => Expected::Any,
        code if code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            Expected::Code(code.to_owned())
        }
        _ => return None,
    })
}

/// `12.34` as minor units; `12` is 12.00.
#[must_use]
pub fn amount(text: &str) -> Option<Amount> {
    let (whole, cents) = text.split_once('.').unwrap_or((text, "00"));
    let amount = if cents.len() == 2 { Amount::parse(format!("{whole}{cents}").as_bytes()) } else { None };
    amount.filter(|_| !whole.is_empty())
}
