//! The rules by which the station of a world judges requests.

use crate::risk::Checks;
use crate::risk::RuleSet;
use std::sync::Arc;

/// What differs from world to world: the limits of a day in minor units, where nothing else is said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Rules {
    /// With one card, wherever.
    pub(super) card: u64,
    /// In one shop.
    pub(super) merchant: u64,
    /// In one way of entry at one terminal.
    pub(super) entry: u64,
    /// So many purchases with cards of one range.
    pub(super) range_count: u64,
    /// A terminal is suspended whose requests are declined one after the other.
    pub(super) holds: bool,
}

/// What is the same in all worlds.
const TEXT: &str = include_str!("rules.toml");

/// Suspends a terminal.
const HOLD: &str = r#"
[[rule]]
id = "declines"
kind = "velocity"
action = "hold"
per = "terminal"
counting = "declines"
within_s = 10
count = 2
"#;

impl Rules {
    /// Limits that no scenario meets, and nobody is held.
    pub(super) const WIDE: Self =
        Self { card: 10_000_000, merchant: 10_000_000, entry: 10_000_000, range_count: 1_000, holds: false };

    /// The rule set, as an operator would write it.
    pub(super) fn checks(&self) -> Option<Checks> {
        let day = |per: &str, id: &str, what: &str, most: u64| {
            format!(
                "\n[[rule]]\nid = \"{id}\"\nkind = \"daily\"\naction = \"decline\"\nper = \"{per}\"\n{what} = {most}\n"
            )
        };
        let limits = [
            day("card", "card-day", "amount", self.card),
            day("merchant", "merchant-day", "amount", self.merchant),
            day("entry", "entry-day", "amount", self.entry),
            day("bin", "range-day", "count", self.range_count),
        ];
        let hold = if self.holds { HOLD } else { "" };
        let text = [TEXT, &limits.concat(), hold].concat();
        let live = Arc::new(RuleSet::read("rules.toml", &text).ok()?);
        Some(Checks { live, shadow: None })
    }
}
