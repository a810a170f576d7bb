//! Made-up cards: what the demo's issuers hold and its terminals present.

use crate::model::Amount;
use crate::model::Expiry;
use crate::model::IssuerName;
use crate::model::Pan;
use serde::Deserialize;
use std::fmt;

/// The demo's own cards, `specs/demo/cards.csv`.
pub const DEMO: &str = include_str!("../../specs/demo/cards.csv");
/// More rows than this are refused: a mock issuer is no card management system.
pub const MOST: usize = 100_000;

/// Who presents a card.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum CardUse {
    /// People who try the demo.
    Visitor,
    /// The demo's simulated terminals.
    Traffic,
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

/// A row of a card file that breaks a rule. Names the row and the column, never what stands there.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct CardBreach {
    /// The line of the file, from 1.
    pub line: u64,
    /// The rule.
    pub what: &'static str,
}

/// A row as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCard {
    pan: String,
    expiry: String,
    pin: String,
    issuer: String,
    balance: String,
    #[serde(rename = "use")]
    used_by: CardUse,
}

/// Reads a card file: `pan,expiry,pin,issuer,balance,use` in the first line, `#` starts a comment.
///
/// # Errors
/// Every breach, in order of lines.
pub fn parse(text: &str) -> Result<Vec<TestCard>, Vec<CardBreach>> {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).trim(csv::Trim::All).from_reader(text.as_bytes());
    let (mut cards, mut breaches) = (Vec::new(), Vec::new());
    let headers = reader.headers().cloned().unwrap_or_default();
    for record in reader.records().take(MOST + 1) {
        let line = record.as_ref().ok().and_then(csv::StringRecord::position).map_or(0, csv::Position::line);
        let raw = record.ok().and_then(|record| record.deserialize::<RawCard>(Some(&headers)).ok());
        match raw.ok_or("six columns: pan,expiry,pin,issuer,balance,use").and_then(|raw| card(&raw)) {
            Ok(card) => cards.push(card),
            Err(what) => breaches.push(CardBreach { line, what }),
        }
    }
    if cards.len() > MOST {
        breaches.push(CardBreach { line: 0, what: "too many cards" });
    }
    if breaches.is_empty() { Ok(cards) } else { Err(breaches) }
}

fn card(raw: &RawCard) -> Result<TestCard, &'static str> {
    let pan = Pan::parse(raw.pan.as_bytes()).filter(check_digit_holds).ok_or("pan: not a card number")?;
    let expiry = Expiry::parse(raw.expiry.as_bytes()).ok_or("expiry: not YYMM")?;
    let digits = raw.pin.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || !(4..=12).contains(&raw.pin.len()) {
        return Err("pin: not 4 to 12 digits");
    }
    let issuer = IssuerName::parse(&raw.issuer).ok_or("issuer: not a name")?;
    let balance = decimal_amount(&raw.balance).ok_or("balance: not an amount with two decimals")?;
    Ok(TestCard { pan, expiry, issuer, balance, used_by: raw.used_by, pin: raw.pin.clone() })
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
            Self::Traffic => "traffic",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_has_its_three_cards_for_visitors_and_others_for_traffic() {
        let cards = parse(DEMO).unwrap_or_default();
        let visitors: Vec<&TestCard> = cards.iter().filter(|card| card.used_by == CardUse::Visitor).collect();
        let known: Vec<(&str, &str, u64)> =
            visitors.iter().map(|card| (card.pan.clear(), card.pin(), card.balance.minor())).collect();
        let expected = [
            ("6225000000000253", "123456", 10_000_000),
            ("4111111111111111", "1234", 10_000_000),
            ("5555555555554444", "4321", 10_000_000),
        ];
        assert_eq!(known, expected);
        assert_eq!(cards.len(), 103);
    }

    #[test]
    fn every_bad_row_is_named_by_line_and_none_by_value() {
        let text = "pan,expiry,pin,issuer,balance,use\n\
                    4111111111111112,3012,1234,bank-b,1.00,visitor\n\
                    4111111111111111,3013,1234,bank-b,1.00,visitor\n\
                    4111111111111111,3012,12x4,bank-b,1.00,visitor\n\
                    4111111111111111,3012,1234,bank-b,1,visitor\n\
                    4111111111111111,3012,1234,bank-b,1.00,nobody\n";
        let breaches = parse(text).err().unwrap();
        let lines: Vec<u64> = breaches.iter().map(|breach| breach.line).collect();
        assert_eq!(lines, [2, 3, 4, 5, 6]);
        assert!(breaches.iter().all(|breach| !breach.to_string().contains("4111")));
    }
}
