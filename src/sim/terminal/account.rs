//! What a request is charged to: a card's number, or the code on a customer's telephone.

use crate::model::Pan;
use zeroize::Zeroizing;

/// A card number (8 to 19 digits) or a payment code (19 or 20). No `Debug`; people see it masked.
#[derive(Clone, Eq, PartialEq)]
pub struct Account {
    digits: Zeroizing<String>,
    scanned: bool,
}

impl Account {
    /// A card's.
    #[must_use]
    pub fn card(pan: &Pan) -> Self {
        Self { digits: Zeroizing::new(pan.clear().to_owned()), scanned: false }
    }

    /// A payment code's: 16 to 20 digits, or `None`.
    #[must_use]
    pub fn code(digits: &str) -> Option<Self> {
        let fits = (16..=20).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
        fits.then(|| Self { digits: Zeroizing::new(digits.to_owned()), scanned: true })
    }

    /// Whether it is a payment code.
    #[must_use]
    pub fn is_code(&self) -> bool {
        self.scanned
    }

    /// The card number, if it is one.
    #[must_use]
    pub fn pan(&self) -> Option<Pan> {
        if self.scanned { None } else { Pan::parse(self.digits.as_bytes()) }
    }

    /// The digits, for the wire and the state file's seal only.
    pub(super) fn clear(&self) -> &str {
        &self.digits
    }

    /// First six and last four; of a code the last four alone.
    #[must_use]
    pub fn masked(&self) -> String {
        match self.pan() {
            Some(pan) => pan.masked().to_string(),
            None => {
                let shown = self.digits.len().saturating_sub(4);
                format!("{}{}", "*".repeat(shown), self.digits.get(shown..).unwrap_or_default())
            }
        }
    }

    /// The organisation whose mark it bears, as DE 63 writes it: by its first digits, as terminals go by
    /// their own list of card prefixes.
    #[must_use]
    pub fn organisation(&self) -> &'static str {
        let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| self.digits.starts_with(prefix));
        match () {
            () if self.scanned => "CUP",
            () if starts(&["4"]) => "VIS",
            () if starts(&["51", "52", "53", "54", "55", "2"]) => "MCC",
            () if starts(&["34", "37"]) => "AEX",
            () if starts(&["35"]) => "JCB",
            () => "CUP",
        }
    }
}
