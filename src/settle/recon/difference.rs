//! What does not agree, typed.

use super::clearing::Sign;
use crate::model::Amount;
use crate::model::BatchNumber;
use crate::model::BusinessDate;
use crate::model::Currency;
use crate::model::IssuerName;
use crate::model::Rrn;
use crate::model::TerminalId;
use std::fmt;

/// Declares the types once: variant, name in files and on the command line, meaning.
macro_rules! sorts {
    ($($name:ident = $text:literal, $doc:literal;)+) => {
        /// How two books differ.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Sort {
            $(
                #[doc = concat!("`", $text, "`: ", $doc, ".")]
                $name,
            )+
        }

        impl Sort {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The name in files and reports.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// From its name.
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$name),)+ _ => None }
            }
        }
    };
}

sorts! {
    MissingThere = "missing-there", "it stands in the ledger, and not with the other side";
    MissingHere = "missing-here", "it stands with the other side, and not in the ledger";
    Amount = "amount", "both have it, with other amounts or the other way round";
    Duplicate = "duplicate", "the other side has it twice";
    LateReversal = "late-reversal", "the ledger undid it, and the other side still has it: its reversal comes in a later file, or never";
    Card = "card", "both have it, on other cards";
    Currency = "currency", "both have it, in other moneys";
    Terminal = "terminal", "both have it, of other terminals";
    Merchant = "merchant", "both have it, of other merchants";
    Kind = "kind", "both have it, as something else: a sale here and a transfer there";
}

/// Whose books are compared with the ledger's.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum With {
    /// An issuer's clearing file.
    Issuer(IssuerName),
    /// A terminal's batch.
    Batch(TerminalId, BatchNumber),
}

impl fmt::Display for With {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issuer(name) => name.fmt(f),
            Self::Batch(terminal, batch) => write!(f, "{terminal}/{batch}"),
        }
    }
}

/// An amount and which way it goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Moved {
    /// Which way.
    pub sign: Sign,
    /// How much.
    pub amount: Amount,
    /// Of which money.
    pub currency: Currency,
}

/// What tells one difference from another: it is found again under the same key when a day is compared again.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Key {
    /// The business date on which it was found: the file's, or that on which a batch was closed.
    pub date: BusinessDate,
    /// With whom.
    pub with: With,
    /// In which money the file is; batches do not say.
    pub currency: Option<Currency>,
    /// Of which type.
    pub sort: Sort,
    /// DE 37, where there is one.
    pub rrn: Option<Rrn>,
    /// Whether it is about the undo and not the original.
    pub is_undo: bool,
    /// Which of several otherwise equal ones, from 0.
    pub nth: u32,
}

/// One difference.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    /// Which one.
    pub key: Key,
    /// What the ledger has.
    pub here: Option<Moved>,
    /// What the other side has.
    pub there: Option<Moved>,
    /// A sentence for people. Never card data.
    pub text: String,
}

impl Difference {
    /// Whether the same differs: the same amounts, or the same other facts.
    pub(super) fn moves_as(&self, other: &Self) -> bool {
        let is_told = matches!(self.key.sort, Sort::Terminal | Sort::Merchant | Sort::Kind);
        (self.here, self.there) == (other.here, other.there) && (!is_told || self.text == other.text)
    }
}
