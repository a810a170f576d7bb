//! What rules remember of the last day: a fold of what the ledger records.

mod generations;
mod row;
mod trail;

pub use row::MemoryRow;
pub(super) use trail::{Class, Slot, Trail};

use super::Situation;
use crate::model::Bin;
use crate::model::MerchantId;
use crate::model::PanToken;
use crate::model::TerminalId;
use generations::Generations;
use trail::Group;

/// What became of a request, as far as rules count it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// It moves money, or may yet.
    Live,
    /// It was declined; `pin`: for a wrong PIN.
    Declined {
        /// Whether for a wrong PIN (55, 75).
        pin: bool,
    },
    /// It was undone: timed out, reversed, voided.
    Undone,
}

/// The memory: trails of what terminals, cards, merchants and card ranges did in the last day.
///
/// An event is never removed; it is marked with what became of it. A trail has at most [`Memory::SLOTS`] slots (those
/// of merchants and ranges half as many): beyond that, older events are told together, at the time of the newer, and
/// count too long rather than too short. What was not touched for one to two days is dropped.
#[derive(Debug)]
pub struct Memory {
    terminals: Generations<TerminalId, { Memory::SLOTS }>,
    cards: Generations<PanToken, { Memory::SLOTS }>,
    merchants: Generations<MerchantId, { Memory::SLOTS / 2 }>,
    bins: Generations<Bin, { Memory::SLOTS / 2 }>,
}

impl Default for Memory {
    fn default() -> Self {
        Self::bounded(Self::SUBJECTS)
    }
}

impl Memory {
    /// The most slots of a trail.
    pub const SLOTS: usize = 256;
    /// The most subjects of one sort in a generation.
    pub const SUBJECTS: usize = 1 << 21;

    /// With room for so many subjects of each sort in each of the two generations.
    #[must_use]
    pub fn bounded(subjects: usize) -> Self {
        let most = subjects.max(1);
        Self {
            terminals: Generations::new(most),
            cards: Generations::new(most),
            merchants: Generations::new(most),
            bins: Generations::new(most),
        }
    }

    /// Takes note of a request and its fate so far.
    pub fn note(&mut self, situation: &Situation<'_>, fate: Fate) {
        let Some(class) = Class::of(situation.kind) else { return };
        if class == Class::Look && !matches!(fate, Fate::Declined { .. }) {
            return;
        }
        let (at, group) = (situation.at.0, Group::of(class, fate, situation.is_bare_tap()));
        let event = |tag| Slot::new(at, tag, situation.amount, situation.scene.region, group);
        let card = card_tag(situation);
        self.terminals.add(situation.terminal, event(card), at);
        self.cards.add(situation.card, event(terminal_tag(situation)), at);
        self.merchants.add(situation.merchant, event(card), at);
        if let Some(bin) = situation.scene.bin {
            self.bins.add(bin, event(card), at);
        }
    }

    /// A request that was noted fares otherwise now.
    pub fn change(&mut self, situation: &Situation<'_>, from: Fate, to: Fate) {
        let Some(class) = Class::of(situation.kind) else { return };
        let is_declined = matches!(to, Fate::Declined { .. });
        let add = is_declined || (to == Fate::Live && class != Class::Look);
        if from == to {
            return;
        }
        let (at, tap) = (situation.at.0, situation.is_bare_tap());
        let (from, to) = (Group::of(class, from, tap), Group::of(class, to, tap));
        let event = |tag| Slot::new(at, tag, situation.amount, situation.scene.region, from);
        let card = card_tag(situation);
        self.terminals.mark(situation.terminal, event(card), to, add);
        self.cards.mark(situation.card, event(terminal_tag(situation)), to, add);
        self.merchants.mark(situation.merchant, event(card), to, add);
        if let Some(bin) = situation.scene.bin {
            self.bins.mark(bin, event(card), to, add);
        }
    }

    /// How many subjects it tells of: terminals, cards, merchants, ranges.
    #[must_use]
    pub fn subjects(&self) -> [usize; 4] {
        [
            self.terminals.young.len() + self.terminals.old.len(),
            self.cards.young.len() + self.cards.old.len(),
            self.merchants.young.len() + self.merchants.old.len(),
            self.bins.young.len() + self.bins.old.len(),
        ]
    }

    pub(super) fn terminal(&self, terminal: &TerminalId) -> Option<&Trail> {
        self.terminals.get(terminal)
    }

    pub(super) fn card(&self, card: &PanToken) -> Option<&Trail> {
        self.cards.get(card)
    }

    pub(super) fn merchant(&self, merchant: &MerchantId) -> Option<&Trail> {
        self.merchants.get(merchant)
    }

    pub(super) fn bin(&self, bin: &Bin) -> Option<&Trail> {
        self.bins.get(bin)
    }
}

/// A card in a terminal's trail: the head of its token, which is as good as chance.
pub(super) fn card_tag(situation: &Situation<'_>) -> u64 {
    situation.card.0.first_chunk().map_or(0, |head| u64::from_be_bytes(*head)).max(1)
}

fn terminal_tag(situation: &Situation<'_>) -> u64 {
    situation.terminal.as_bytes().first_chunk().map_or(0, |name| u64::from_be_bytes(*name))
}
