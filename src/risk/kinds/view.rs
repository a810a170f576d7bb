//! What a rule sees: the request, and what is remembered of its subjects.

use crate::model::Amount;
use crate::risk::memory::Trail;
use crate::risk::rule_set::ENTRIES;
use crate::risk::{Counted, Memory, Situation, Sums};
use std::cell::OnceCell;

/// Whose a limit is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::risk) enum Per {
    Terminal,
    Card,
    Merchant,
    Bin,
    /// One way of entry at one terminal.
    Entry,
}

/// One request before the rules. Each trail is looked up once, when a rule first asks for it.
pub(in crate::risk) struct View<'a> {
    pub(in crate::risk) s: &'a Situation<'a>,
    pub(in crate::risk) sums: &'a dyn Sums,
    memory: &'a Memory,
    trails: [OnceCell<Option<&'a Trail>>; 4],
}

impl<'a> View<'a> {
    pub(in crate::risk) fn new(s: &'a Situation<'a>, memory: &'a Memory, sums: &'a dyn Sums) -> Self {
        Self { s, sums, memory, trails: [const { OnceCell::new() }; 4] }
    }

    /// Now, in microseconds.
    pub(super) fn now(&self) -> i64 {
        self.s.at.0
    }

    /// What is remembered of one of the request's subjects, if anything is.
    pub(super) fn trail(&self, per: Per) -> Option<&'a Trail> {
        let [terminal, card, merchant, bin] = &self.trails;
        match per {
            Per::Terminal | Per::Entry => *terminal.get_or_init(|| self.memory.terminal(&self.s.terminal)),
            Per::Card => *card.get_or_init(|| self.memory.card(&self.s.card)),
            Per::Merchant => *merchant.get_or_init(|| self.memory.merchant(&self.s.merchant)),
            Per::Bin => *bin.get_or_init(|| self.memory.bin(&self.s.scene.bin?)),
        }
    }

    pub(super) fn amount(&self) -> Amount {
        self.s.amount
    }
}

impl Per {
    /// The subject of a request, for people: nothing in it is secret.
    pub(super) fn name(self, s: &Situation<'_>) -> String {
        match self {
            Self::Terminal => format!("terminal {}", s.terminal.as_str().trim_end()),
            Self::Card => format!("card {:?}", s.card),
            Self::Merchant => format!("merchant {}", s.merchant.as_str().trim_end()),
            Self::Bin => s.scene.bin.map_or_else(String::new, |bin| format!("range {bin}")),
            Self::Entry => {
                let way =
                    ENTRIES.iter().find(|(_, entry)| *entry == s.entry.method()).map_or("other", |(name, _)| name);
                format!("terminal {} by {way}", s.terminal.as_str().trim_end())
            }
        }
    }

    /// The day's counter of a request's subject; `None` where the range is not known.
    pub(in crate::risk) fn counted(self, s: &Situation<'_>) -> Option<Counted> {
        Some(match self {
            Self::Terminal => Counted::Terminal(s.terminal),
            Self::Card => Counted::Card(s.card),
            Self::Merchant => Counted::Merchant(s.merchant),
            Self::Bin => Counted::Bin(s.scene.bin?),
            Self::Entry => Counted::Entry(s.terminal, s.entry.method()),
        })
    }
}
