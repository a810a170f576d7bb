//! What the terminals do: kinds, cards, amounts, and how often they make trouble on purpose.

use crate::hsm::calculator::ClearPin;
use crate::model::Amount;
use crate::model::Kind;
use crate::model::SplitMix64;
use crate::sim::cards::TestCard;
use crate::sim::terminal::Card;
use crate::sim::terminal::Entry;
use crate::sim::terminal::day;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Kinds that a mix may have.
const KINDS: [Kind; 5] = [Kind::Sale, Kind::Authorization, Kind::Balance, Kind::Verification, Kind::SaleVoid];

/// What is done on purpose with a request or after it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Twist {
    /// Nothing.
    None,
    /// It is sent again after its answer: the host must say the same.
    Repeat,
    /// It is undone after its approval.
    Undo,
    /// The terminal hangs up before the answer.
    Cut,
}

/// A card that is held, and its PIN.
pub struct Held {
    /// The card.
    pub card: Card,
    /// Its PIN, if it has one.
    pub pin: Option<ClearPin>,
}

impl Held {
    /// A test card.
    #[must_use]
    pub fn of(card: &TestCard) -> Self {
        Self { card: Card::of(card), pin: ClearPin::parse(card.pin().as_bytes()).ok() }
    }
}

/// What one request is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pick {
    /// What it asks.
    pub kind: Kind,
    /// Which card, by its place.
    pub card: usize,
    /// How it is read.
    pub entry: Entry,
    /// Whether its PIN is entered.
    pub pin: bool,
    /// How much.
    pub amount: Amount,
    /// What is done on purpose.
    pub twist: Twist,
}

/// A mix as its file has it. An unknown key is an error: a typo is not a default.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawMix {
    kinds: BTreeMap<String, f64>,
    entry: BTreeMap<String, f64>,
    /// Of a hundred requests, how many have a PIN.
    pin_percent: Option<f64>,
    /// The list of cards, for `tollgate issuer --accounts` too.
    pub cards: Option<String>,
    amounts: RawAmounts,
    /// Response codes that are as they should be; approvals if nothing is said.
    codes: Vec<String>,
    on_purpose: RawTwists,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawAmounts {
    from: Option<String>,
    to: Option<String>,
    step: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawTwists {
    repeats_percent: f64,
    reversals_percent: f64,
    disconnects_percent: f64,
}

/// What is chosen from, by weight.
#[derive(Debug)]
struct Weighted<T>(Vec<(f64, T)>);

impl<T: Copy> Weighted<T> {
    /// The choice for `at`, 0 to 1.
    fn pick(&self, at: f64, otherwise: T) -> T {
        let total = self.0.last().map_or(0.0, |(sum, _)| *sum);
        self.0.iter().find(|(sum, _)| at * total < *sum).map_or(otherwise, |(_, choice)| *choice)
    }

    fn of(weights: Vec<(f64, T)>) -> Self {
        let mut sum = 0.0;
        Self(
            weights
                .into_iter()
                .map(|(weight, choice)| {
                    sum += weight;
                    (sum, choice)
                })
                .collect(),
        )
    }
}

/// A mix as the generator uses it.
#[derive(Debug)]
pub struct Mix {
    kinds: Weighted<Kind>,
    entry: Weighted<Entry>,
    pin: f64,
    amounts: (u64, u64, u64),
    /// Codes that are as they should be; none: approvals.
    pub codes: Vec<Box<str>>,
    twists: Weighted<Twist>,
}

impl Mix {
    /// Sales by chip with a PIN, of 1.00 to 300.00.
    #[must_use]
    pub fn sales() -> Self {
        Self::read(&RawMix::default()).unwrap_or_else(|_| Self {
            kinds: Weighted(Vec::new()),
            entry: Weighted(Vec::new()),
            pin: 1.0,
            amounts: (100, 300, 100),
            codes: Vec::new(),
            twists: Weighted(Vec::new()),
        })
    }

    /// The same with these response codes as they should be; with none of them as it was.
    #[must_use]
    pub fn allowing(mut self, codes: &[String]) -> Self {
        if !codes.is_empty() {
            self.codes = codes.iter().map(|code| code.as_str().into()).collect();
        }
        self
    }

    /// Reads a mix file's text.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<(Self, RawMix), String> {
        let raw: RawMix = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        Ok((Self::read(&raw)?, raw))
    }

    fn read(raw: &RawMix) -> Result<Self, String> {
        let kind = |name: &str| KINDS.into_iter().find(|kind| kind.name() == name);
        let kinds = weights("kinds", &raw.kinds, kind, Kind::Sale)?;
        let entry =
            weights("entry", &raw.entry, |name| Entry::named(name).filter(|entry| *entry != Entry::Qr), Entry::Chip)?;
        let twists = &raw.on_purpose;
        let shares = [
            (twists.repeats_percent, Twist::Repeat),
            (twists.reversals_percent, Twist::Undo),
            (twists.disconnects_percent, Twist::Cut),
        ];
        let percent = |share: f64| (0.0..=100.0).contains(&share);
        let (sum, pin) = (shares.iter().map(|(share, _)| share).sum::<f64>(), raw.pin_percent.unwrap_or(100.0));
        if !shares.iter().all(|(share, _)| percent(*share)) || !percent(sum) {
            return Err("on_purpose: shares are percent, 100 in all at most".to_owned());
        }
        if !percent(pin) {
            return Err("pin_percent: 0 to 100".to_owned());
        }
        let rest = std::iter::once((100.0 - sum, Twist::None));
        Ok(Self {
            kinds,
            entry,
            pin: pin / 100.0,
            amounts: amounts(&raw.amounts)?,
            codes: raw.codes.iter().map(|code| code.as_str().into()).collect(),
            twists: Weighted::of(rest.chain(shares).collect()),
        })
    }

    /// The request that `chance` makes, with one of `cards` cards.
    pub fn pick(&self, chance: &mut SplitMix64, cards: usize) -> Pick {
        let (least, count, step) = self.amounts;
        let amount = least + chance.draw() % count.max(1) * step;
        Pick {
            kind: self.kinds.pick(unit(chance), Kind::Sale),
            card: (chance.draw() % cards.max(1) as u64) as usize,
            entry: self.entry.pick(unit(chance), Entry::Chip),
            pin: unit(chance) < self.pin,
            amount: Amount::new(amount).unwrap_or(Amount::ZERO),
            twist: self.twists.pick(unit(chance), Twist::None),
        }
    }
}

/// 0 to 1.
fn unit(chance: &mut SplitMix64) -> f64 {
    (chance.draw() >> 11) as f64 / (1_u64 << 53) as f64
}

fn weights<T: Copy>(
    what: &str,
    named: &BTreeMap<String, f64>,
    read: impl Fn(&str) -> Option<T>,
    usual: T,
) -> Result<Weighted<T>, String> {
    let mut weights = Vec::new();
    for (name, weight) in named {
        let choice = read(name).ok_or_else(|| format!("{what}: there is no `{name}` in a mix"))?;
        if !weight.is_finite() || *weight < 0.0 {
            return Err(format!("{what}: the weight of `{name}` is no number from 0"));
        }
        weights.push((*weight, choice));
    }
    if weights.iter().map(|(weight, _)| weight).sum::<f64>() <= 0.0 {
        if !weights.is_empty() {
            return Err(format!("{what}: all weights are 0"));
        }
        weights.push((1.0, usual));
    }
    Ok(Weighted::of(weights))
}

/// The least, how many there are, and what is between two.
fn amounts(raw: &RawAmounts) -> Result<(u64, u64, u64), String> {
    let read = |text: &Option<String>, usual: u64, what: &str| match text {
        None => Ok(usual),
        Some(text) => {
            day::amount(text).map(Amount::minor).ok_or_else(|| format!("amounts.{what}: an amount is written as 12.34"))
        }
    };
    let (from, to, step) = (read(&raw.from, 100, "from")?, read(&raw.to, 30_000, "to")?, read(&raw.step, 100, "step")?);
    if from > to || step == 0 || from == 0 {
        return Err("amounts: from 0.01 up to `to`, in steps of more than nothing".to_owned());
    }
    Ok((from, (to - from) / step + 1, step))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picks(mix: &Mix, many: usize) -> Vec<Pick> {
        let mut chance = SplitMix64::new(1);
        (0..many).map(|_| mix.pick(&mut chance, 10)).collect()
    }

    #[test]
    fn the_usual_mix_is_sales_by_chip_with_a_pin_of_whole_amounts() {
        let picks = picks(&Mix::sales(), 1000);
        assert!(picks.iter().all(|pick| pick.kind == Kind::Sale && pick.entry == Entry::Chip && pick.pin));
        assert!(
            picks.iter().all(|pick| pick.amount.minor() % 100 == 0 && (100..=30_000).contains(&pick.amount.minor()))
        );
        assert!((0..10).all(|card| picks.iter().any(|pick| pick.card == card)));
    }

    #[test]
    fn shares_are_kept() {
        let text = "pin_percent = 50\n[kinds]\nsale = 3\nbalance = 1\n[entry]\nchip = 1\ntap = 1\n\
                    [amounts]\nfrom = \"5.00\"\nto = \"5.00\"\n[on_purpose]\nrepeats_percent = 10\nreversals_percent = 5";
        let picks = picks(&Mix::parse(text).unwrap().0, 10_000);
        let share = |which: &dyn Fn(&&Pick) -> bool| picks.iter().filter(which).count();
        assert!((7_300..7_700).contains(&share(&|pick| pick.kind == Kind::Sale)));
        assert!((4_800..5_200).contains(&share(&|pick| pick.pin)));
        assert!((850..1_150).contains(&share(&|pick| pick.twist == Twist::Repeat)));
        assert!((400..600).contains(&share(&|pick| pick.twist == Twist::Undo)));
        assert!(picks.iter().all(|pick| pick.amount.minor() == 500));
    }

    #[test]
    fn what_is_no_mix_is_refused_in_words() {
        for text in [
            "[kinds]\nrefunds = 1",
            "[kinds]\nsale = -1",
            "[kinds]\nsale = 0",
            "kind = 3",
            "[entry]\nqr = 1",
            "[amounts]\nfrom = \"9.00\"\nto = \"1.00\"",
            "[on_purpose]\nrepeats_percent = 60\nreversals_percent = 60",
            "pin_percent = 101",
        ] {
            assert!(Mix::parse(text).is_err(), "{text}");
        }
    }
}
