//! What sort of card it is: what settlement and totals ask of it.

/// The product behind a card number prefix.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Product {
    /// A debit card.
    Debit,
    /// A credit card.
    Credit,
    /// A prepaid card.
    Prepaid,
    /// A payment code shown by a telephone.
    Qr,
    /// The table of prefixes does not say.
    #[default]
    Unknown,
}

impl Product {
    /// All of them. Their places are what a journal writes: only ever add at the end.
    pub const ALL: [Self; 5] = [Self::Debit, Self::Credit, Self::Prepaid, Self::Qr, Self::Unknown];

    /// The name in files and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Debit => "debit",
            Self::Credit => "credit",
            Self::Prepaid => "prepaid",
            Self::Qr => "qr",
            Self::Unknown => "unknown",
        }
    }

    /// From its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|product| product.name() == name)
    }
}

/// What the table of card number prefixes says of a card. Where it says nothing: unknown, domestic.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CardClass {
    /// Its product.
    pub product: Product,
    /// Whether it was issued abroad: batch totals keep such cards apart.
    pub foreign: bool,
}
