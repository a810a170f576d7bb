//! What a rule sees: the request, and what is remembered of its subjects.

use crate::model::Amount;
use crate::risk::memory::Trail;
use crate::risk::rule_set::ENTRIES;
use crate::risk::{Counted, CounterKey, Memory, Situation, Sums};

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

/// One request before the rules, with all that they may ask for.
///
/// A look-up waits for memory, not for the processor: asked for one right after the other, they wait together.
pub(in crate::risk) struct View<'a> {
    pub(in crate::risk) s: &'a Situation<'a>,
    terminal: Option<&'a Trail>,
    card: Option<&'a Trail>,
    merchant: Option<&'a Trail>,
    bin: Option<&'a Trail>,
    /// What is reserved today, by subject; `None` where no rule asks.
    today: [Option<(u64, u32)>; Per::ALL.len()],
}

impl<'a> View<'a> {
    /// `counts`: whose counters the rules ask for.
    pub(in crate::risk) fn new(
        s: &'a Situation<'a>,
        memory: &'a Memory,
        sums: &impl Sums,
        counts: impl Iterator<Item = Per>,
    ) -> Self {
        let (terminal, card) = (memory.terminal(&s.terminal), memory.card(&s.card));
        let (merchant, bin) = (memory.merchant(&s.merchant), s.scene.bin.and_then(|bin| memory.bin(&bin)));
        let mut today = [None; Per::ALL.len()];
        for per in counts {
            if let (Some(sum), Some(counted)) = (today.get_mut(per as usize), per.counted(s)) {
                *sum = Some(sums.sum(&CounterKey { counted, date: s.date }));
            }
        }
        Self { s, terminal, card, merchant, bin, today }
    }

    /// Now, in microseconds.
    pub(super) fn now(&self) -> i64 {
        self.s.at.0
    }

    /// What is remembered of one of the request's subjects, if anything is.
    pub(super) fn trail(&self, per: Per) -> Option<&'a Trail> {
        match per {
            Per::Terminal | Per::Entry => self.terminal,
            Per::Card => self.card,
            Per::Merchant => self.merchant,
            Per::Bin => self.bin,
        }
    }

    /// What is reserved on a subject's counter of the request's date: minor units and transactions; `None` without
    /// a subject.
    pub(super) fn today(&self, per: Per) -> Option<(u64, u32)> {
        self.today.get(per as usize).copied().flatten()
    }

    pub(super) fn amount(&self) -> Amount {
        self.s.amount
    }
}

impl Per {
    const ALL: [Self; 5] = [Self::Terminal, Self::Card, Self::Merchant, Self::Bin, Self::Entry];

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
