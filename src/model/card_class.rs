//! What sort of card it is: what settlement and totals ask of it.

use std::fmt;

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
    /// Whose mark it bears: what terminals are told.
    pub organisation: Organisation,
}

/// An international card company, as DE 63 of the China POS dialect names it in answers: CUP, VIS, MCC, MAE, JCB, DCC,
/// AMX. Three capital letters. Terminals count cards of any other than CUP as foreign.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Organisation([u8; 3]);

impl Organisation {
    /// China UnionPay: every card of which nobody said otherwise.
    pub const CUP: Self = Self(*b"CUP");

    /// Three capital ASCII letters; anything else is `None`.
    #[must_use]
    pub fn parse(ascii: &[u8]) -> Option<Self> {
        let letters: [u8; 3] = ascii.try_into().ok()?;
        letters.iter().all(u8::is_ascii_uppercase).then_some(Self(letters))
    }

    /// Its letters.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 3] {
        &self.0
    }

    /// Whether terminals count its cards as foreign.
    #[must_use]
    pub fn is_foreign(self) -> bool {
        self != Self::CUP
    }
}

impl Default for Organisation {
    fn default() -> Self {
        Self::CUP
    }
}

impl fmt::Debug for Organisation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Organisation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|letter| write!(f, "{}", char::from(*letter)))
    }
}
