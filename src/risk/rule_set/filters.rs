//! Which requests a rule is for.

use super::row::Row;
use crate::model::Amount;
use crate::model::Bin;
use crate::model::Currency;
use crate::model::EntryMethod;
use crate::model::Mcc;
use crate::model::MerchantId;
use crate::model::Region;
use crate::model::TerminalId;
use crate::risk::Situation;
use foldhash::fast::RandomState;
use std::collections::HashSet;
use std::hash::Hash;

/// Ways of entry by their names in rule files.
pub(in crate::risk) const ENTRIES: [(&str, EntryMethod); 8] = [
    ("unspecified", EntryMethod::Unspecified),
    ("manual", EntryMethod::Manual),
    ("swipe", EntryMethod::Swipe),
    ("code", EntryMethod::Code),
    ("chip", EntryMethod::Chip),
    ("tap", EntryMethod::Tap),
    ("fallback", EntryMethod::Fallback),
    ("other", EntryMethod::Other),
];

/// A terminal as people write it: without the spaces at its end.
pub(in crate::risk) fn terminal(text: &str) -> Option<TerminalId> {
    (text.len() <= 8).then(|| TerminalId::parse(format!("{text:<8}").as_bytes())).flatten()
}

/// A merchant as people write it.
pub(in crate::risk) fn merchant(text: &str) -> Option<MerchantId> {
    (text.len() <= 15).then(|| MerchantId::parse(format!("{text:<15}").as_bytes())).flatten()
}

type Among<T> = Option<HashSet<T, RandomState>>;

/// What must be so for a rule to be asked. What is left out may be anything.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Filters {
    terminals: Among<TerminalId>,
    merchants: Among<MerchantId>,
    mccs: Among<Mcc>,
    bins: Among<Bin>,
    entries: Among<EntryMethod>,
    regions: Among<Region>,
    currencies: Among<Currency>,
    least: Option<Amount>,
    most: Option<Amount>,
}

fn set<T: Clone + Eq + Hash>(
    row: &mut Row<'_>,
    key: &'static str,
    form: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Among<T> {
    row.list(key, form, parse).map(HashSet::from_iter)
}

impl Filters {
    /// Reads them; `None` if there are none.
    pub(super) fn read(row: &mut Row<'_>) -> Option<Box<Self>> {
        let by_name = |name: &str| ENTRIES.iter().find(|(known, _)| *known == name).map(|(_, entry)| *entry);
        let filters = Self {
            terminals: set(row, "terminals", "a terminal, up to 8 characters", terminal),
            merchants: set(row, "merchants", "a merchant, up to 15 characters", merchant),
            mccs: set(row, "mccs", "a merchant category, four digits", Mcc::parse),
            bins: set(row, "bins", "the first six digits of cards", |text| Bin::parse(text.as_bytes())),
            entries: set(row, "entries", "a way of entry: manual, swipe, code, chip, tap, fallback, ..", by_name),
            regions: set(row, "regions", "a region, four digits", |text| Region::parse(text.as_bytes())),
            currencies: set(row, "currencies", "a currency, three digits", |text| Currency::parse(text.as_bytes())),
            least: row.amount("least_amount"),
            most: row.amount("most_amount"),
        };
        if filters.least > filters.most && filters.most.is_some() {
            row.fault("least_amount", "least_amount: is above most_amount: no request fits");
        }
        (filters != Self::default()).then(|| Box::new(filters))
    }

    /// The least and the most that an amount may be; `None` if nothing fits, which was reported.
    pub(super) fn amounts(&self) -> Option<(Amount, Amount)> {
        let (least, most) = (self.least.unwrap_or(Amount::ZERO), self.most.unwrap_or(Amount::MAX));
        (least <= most).then_some((least, most))
    }

    /// Whether a card may be entered in one of these ways.
    pub(super) fn may_be_entered(&self, ways: &[EntryMethod]) -> bool {
        // Entries that are none were reported.
        let may = |entries: &HashSet<EntryMethod, RandomState>| {
            entries.is_empty() || ways.iter().any(|way| entries.contains(way))
        };
        self.entries.as_ref().is_none_or(may)
    }

    pub(super) fn may_be_terminal(&self, terminal: &TerminalId) -> bool {
        self.terminals.as_ref().is_none_or(|terminals| terminals.is_empty() || terminals.contains(terminal))
    }

    pub(super) fn may_be_merchant(&self, merchant: &MerchantId) -> bool {
        self.merchants.as_ref().is_none_or(|merchants| merchants.is_empty() || merchants.contains(merchant))
    }

    pub(super) fn may_be_bin(&self, bin: &Bin) -> bool {
        self.bins.as_ref().is_none_or(|bins| bins.is_empty() || bins.contains(bin))
    }

    pub(super) fn fit(&self, s: &Situation<'_>) -> bool {
        fn is_in<T: Eq + Hash>(set: &Among<T>, value: Option<T>) -> bool {
            set.as_ref().is_none_or(|set| value.is_some_and(|value| set.contains(&value)))
        }
        self.least.is_none_or(|least| s.amount >= least)
            && self.most.is_none_or(|most| s.amount <= most)
            && is_in(&self.terminals, Some(s.terminal))
            && is_in(&self.merchants, Some(s.merchant))
            && is_in(&self.mccs, s.scene.mcc)
            && is_in(&self.bins, s.scene.bin)
            && is_in(&self.entries, Some(s.entry.method()))
            && is_in(&self.regions, s.scene.region)
            && is_in(&self.currencies, Some(s.currency))
    }
}
