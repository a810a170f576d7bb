//! Which issuers stand behind which card numbers.

use super::{Bin, CardClass, IssuerName, Pan};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::fmt;

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

/// Its digits, leading zeros too.
impl fmt::Display for BinPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0width$}", self.value, width = usize::from(self.digits))
    }
}

/// One row of a table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BinRow<'a> {
    /// The cards it is for.
    pub prefix: BinPrefix,
    /// What sort of cards they are.
    pub class: CardClass,
    /// Their issuers, in order of preference.
    pub issuers: &'a [IssuerName],
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
        self.longest(pan.clear().as_bytes())
    }

    fn longest(&self, digits: &[u8]) -> Option<&(CardClass, SmallVec<[IssuerName; 2]>)> {
        (1..=BinPrefix::MOST.min(digits.len()))
            .rev()
            .filter(|length| self.lengths.get(*length).is_some_and(|used| *used))
            .filter_map(|length| digits.get(..length).and_then(BinPrefix::parse))
            .find_map(|prefix| self.rows.get(&prefix))
    }

    /// The first issuer of cards that begin with these six digits, by the longest prefix within them, if there is one; and
    /// the rows with longer prefixes for some of these cards, in order of their digits.
    #[must_use]
    pub fn of_bin(&self, bin: Bin) -> (Option<&IssuerName>, Vec<BinRow<'_>>) {
        let digits = bin.to_string();
        let first = self.longest(digits.as_bytes()).and_then(|(_, issuers)| issuers.first());
        let is_longer = |row: &BinRow<'_>| {
            let more = usize::from(row.prefix.digits).checked_sub(digits.len()).filter(|more| *more > 0);
            let power = more.and_then(|more| 10_u64.checked_pow(u32::try_from(more).ok()?));
            power.is_some_and(|power| row.prefix.value / power == u64::from(bin.value()))
        };
        let longer = if self.lengths.iter().skip(digits.len() + 1).any(|used| *used) {
            let mut longer: Vec<_> = self.rows().filter(is_longer).collect();
            longer.sort_unstable_by_key(|row| (row.prefix.digits, row.prefix.value));
            longer
        } else {
            Vec::new()
        };
        (first, longer)
    }

    /// All rows, in no order.
    pub fn rows(&self) -> impl Iterator<Item = BinRow<'_>> {
        self.rows.iter().map(|(prefix, (class, issuers))| BinRow { prefix: *prefix, class: *class, issuers })
    }

    /// The row of a prefix.
    #[must_use]
    pub fn of_prefix(&self, prefix: &BinPrefix) -> Option<BinRow<'_>> {
        self.rows.get(prefix).map(|(class, issuers)| BinRow { prefix: *prefix, class: *class, issuers })
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
