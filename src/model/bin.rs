//! Which issuers stand behind which card numbers.

use super::{CardClass, IssuerName, Pan};
use smallvec::SmallVec;
use std::collections::HashMap;

/// The leading digits of a card number: an issuer identification number of ISO/IEC 7812, or a part
/// or an extension of it. 1 to 12 decimal digits.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct BinPrefix {
    value: u64,
    digits: u8,
}

impl BinPrefix {
    /// The most digits a prefix may have.
    pub const MOST: usize = 12;

    /// 1 to 12 ASCII digits; anything else is `None`.
    #[must_use]
    pub fn parse(ascii: &[u8]) -> Option<Self> {
        let value = super::number::decimal(ascii, Self::MOST)?;
        Some(Self { value, digits: u8::try_from(ascii.len()).ok()? })
    }
}

/// Card number prefixes and the issuers behind them. Immutable: a new table replaces it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct BinTable {
    rows: HashMap<BinPrefix, (CardClass, SmallVec<[IssuerName; 2]>)>,
    /// Whether any row has that many digits, so that no length is looked up in vain.
    lengths: [bool; BinPrefix::MOST + 1],
}

impl BinTable {
    /// Adds a row: `issuers` in order of preference. `false`, and no change, if the prefix is there
    /// already.
    pub fn insert(
        &mut self,
        prefix: BinPrefix,
        class: CardClass,
        issuers: impl IntoIterator<Item = IssuerName>,
    ) -> bool {
        if self.rows.contains_key(&prefix) {
            return false;
        }
        if let Some(length) = self.lengths.get_mut(usize::from(prefix.digits)) {
            *length = true;
        }
        self.rows.insert(prefix, (class, issuers.into_iter().collect()));
        true
    }

    /// The issuers of the longest prefix of `pan`, in order of preference; empty if no prefix fits.
    ///
    /// One look-up for each length of prefix that the table has, 12 at most.
    #[must_use]
    pub fn candidates(&self, pan: &Pan) -> &[IssuerName] {
        self.row(pan).map_or(&[], |(_, issuers)| issuers)
    }

    /// What sort of card it is, by the longest prefix; unknown and domestic if no prefix fits.
    #[must_use]
    pub fn class(&self, pan: &Pan) -> CardClass {
        self.row(pan).map(|(class, _)| *class).unwrap_or_default()
    }

    fn row(&self, pan: &Pan) -> Option<&(CardClass, SmallVec<[IssuerName; 2]>)> {
        let digits = pan.clear().as_bytes();
        (1..=BinPrefix::MOST.min(digits.len()))
            .rev()
            .filter(|length| self.lengths.get(*length).is_some_and(|used| *used))
            .filter_map(|length| digits.get(..length).and_then(BinPrefix::parse))
            .find_map(|prefix| self.rows.get(&prefix))
    }

    /// How many rows it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}
