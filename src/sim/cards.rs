//! Made-up cards: what the demo's issuers hold and its terminals present.

use crate::model::Amount;
use crate::model::Breach;
use crate::model::Expiry;
use crate::model::IssuerName;
use crate::model::Pan;
use crate::registry::Breaches;
use crate::registry::Source;
use crate::registry::rows;
use std::fmt;

/// The demo's own cards, `specs/demo/cards.csv`.
pub const DEMO: &str = include_str!("../../specs/demo/cards.csv");

/// Who presents a card.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CardUse {
    /// People who try the demo.
    Visitor,
    /// People who pay by the codes of a telephone.
    Wallet,
    /// The demo's simulated terminals.
    Traffic,
}

impl CardUse {
    fn parse(word: &str) -> Option<Self> {
        [Self::Visitor, Self::Wallet, Self::Traffic].into_iter().find(|used_by| used_by.to_string() == word)
    }
}

/// A card as whoever made it knows it, PIN included. For invented cards only; has no `Debug`.
#[derive(Clone)]
pub struct TestCard {
    /// Its number; the check digit holds.
    pub pan: Pan,
    /// The last month in which it may be used.
    pub expiry: Expiry,
    /// Whose it is.
    pub issuer: IssuerName,
    /// What is on its account at the start.
    pub balance: Amount,
    /// Who presents it.
    pub used_by: CardUse,
    pin: String,
}

impl TestCard {
    /// The PIN, 4 to 12 ASCII digits.
    #[must_use]
    pub fn pin(&self) -> &str {
        &self.pin
    }

    /// Track 2 as its stripe and chip show it: service code 201 (international, chip), then zeros.
    #[must_use]
    pub fn track2(&self) -> String {
        let expiry = self.expiry.digits();
        format!("{}={}2010000000", self.pan.clear(), String::from_utf8_lossy(&expiry))
    }
}

/// The columns of a card file.
const COLUMNS: &[&str; 6] = &["pan", "expiry", "pin", "issuer", "balance", "use"];

/// The demo's own cards.
#[must_use]
pub fn demo() -> Vec<TestCard> {
    parse(Source { file: "specs/demo/cards.csv", text: DEMO }).unwrap_or_default()
}

/// Reads a card file: `pan,expiry,pin,issuer,balance,use` in the first line, `#` starts a comment.
///
/// # Errors
/// Every breach, with its line; never a value.
pub fn parse(source: Source<'_>) -> Result<Vec<TestCard>, Vec<Breach>> {
    let (mut cards, mut breaches) = (Vec::new(), Breaches::default());
    rows(source, "card", COLUMNS, &mut breaches, |row, breaches| {
        let number = |text: &str| Pan::parse(text.as_bytes()).filter(check_digit_holds);
        let pan = row.required("pan", "a card number whose check digit holds", number, breaches);
        let expiry = row.required("expiry", "YYMM", |text| Expiry::parse(text.as_bytes()), breaches);
        let pin = row.required("pin", "4 to 12 digits", pin, breaches);
        let issuer = row.required("issuer", "an issuer's name", IssuerName::parse, breaches);
        let balance = row.required("balance", "an amount with two decimals", decimal_amount, breaches);
        let used_by = row.required("use", "visitor, wallet or traffic", CardUse::parse, breaches);
        let (Some(pan), Some(expiry), Some(pin), Some(issuer)) = (pan, expiry, pin, issuer) else { return };
        let (Some(balance), Some(used_by)) = (balance, used_by) else { return };
        cards.push(TestCard { pan, expiry, issuer, balance, used_by, pin });
    });
    breaches.or(cards)
}

fn pin(text: &str) -> Option<String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    (digits && (4..=12).contains(&text.len())).then(|| text.to_owned())
}

/// `12.34` as 1,234 minor units.
fn decimal_amount(text: &str) -> Option<Amount> {
    let (whole, cents) = text.split_once('.')?;
    (cents.len() == 2).then(|| Amount::parse(format!("{whole}{cents}").as_bytes()))?
}

/// The check digit of ISO/IEC 7812-1 annex B.
fn check_digit_holds(pan: &Pan) -> bool {
    let digits = pan.clear().bytes().rev().map(|byte| u32::from(byte - b'0'));
    let weighed = digits.enumerate().map(|(at, digit)| match (at % 2, digit * 2) {
        (0, _) => digit,
        (_, double) => double / 10 + double % 10,
    });
    weighed.sum::<u32>() % 10 == 0
}

impl fmt::Display for CardUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Visitor => "visitor",
            Self::Wallet => "wallet",
            Self::Traffic => "traffic",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_has_its_three_cards_for_visitors_and_others_for_traffic() {
        let cards = demo();
        let visitors: Vec<&TestCard> = cards.iter().filter(|card| card.used_by == CardUse::Visitor).collect();
        let known: Vec<(&str, &str, u64)> =
            visitors.iter().map(|card| (card.pan.clear(), card.pin(), card.balance.minor())).collect();
        let expected = [
            ("6225000000000253", "123456", 10_000_000),
            ("4111111111111111", "1234", 10_000_000),
            ("5555555555554444", "4321", 10_000_000),
        ];
        assert_eq!(known, expected);
        assert_eq!(cards.iter().filter(|card| card.used_by == CardUse::Wallet).count(), 1);
        assert_eq!(cards.len(), 104);
    }

    #[test]
    fn every_bad_row_is_named_by_line_and_none_by_value() {
        let text = "pan,expiry,pin,issuer,balance,use\n\
                    4111111111111112,3012,1234,bank-b,1.00,visitor\n\
                    4111111111111111,3013,1234,bank-b,1.00,visitor\n\
                    4111111111111111,3012,12x4,bank-b,1.00,visitor\n\
                    4111111111111111,3012,1234,bank-b,1,visitor\n\
                    4111111111111111,3012,1234,bank-b,1.00,nobody\n";
        let breaches = parse(Source { file: "cards.csv", text }).err().unwrap();
        let lines: Vec<usize> = breaches.iter().map(|breach| breach.line).collect();
        assert_eq!(lines, [2, 3, 4, 5, 6]);
        assert!(breaches.iter().all(|breach| !breach.to_string().contains("4111")));
    }
}
