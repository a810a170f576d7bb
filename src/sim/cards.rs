//! Made-up cards: what the demo's issuers hold and its terminals present.

use super::chip;
use crate::hsm::calculator::CalcError;
use crate::hsm::calculator::DesKey;
use crate::hsm::calculator::cvv;
use crate::hsm::calculator::emv::EmvKey;
use crate::hsm::calculator::emv::master_key;
use crate::hsm::emv::Cvn;
use crate::hsm::emv::EmvCard;
use crate::model::Amount;
use crate::model::Breach;
use crate::model::Expiry;
use crate::model::IssuerName;
use crate::model::Pan;
use crate::registry::Breaches;
use crate::registry::Source;
use crate::registry::rows;
use crate::server::config::NamedKey;
use crate::server::config::key_rows;
use std::fmt;
use std::sync::OnceLock;

/// The demo's own cards, `specs/demo/cards.csv`.
pub const DEMO: &str = include_str!("../../specs/demo/cards.csv");
/// The demo's keys, `specs/demo/keys.csv`. Published and worthless.
pub const DEMO_KEYS: &str = include_str!("../../specs/demo/keys.csv");

/// International card with a chip, goods and services without restriction (ISO/IEC 7813).
const SERVICE_CODE: [u8; 3] = *b"201";
/// Stands for the service code in the value of a chip's track equivalent.
pub(super) const OF_A_CHIP: [u8; 3] = *b"999";

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

/// What an issuer keeps to check a card's PIN.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PinCheck {
    /// Visa PVV: the first four digits count.
    Pvv,
    /// IBM 3624 offset: all digits count.
    Offset,
}

/// What its issuer has put on a card; nothing of it is secret from the card itself.
#[derive(Clone)]
struct Personal {
    cvv: [u8; 3],
    icvv: [u8; 3],
    key: Option<EmvKey>,
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
    /// Which of the cards with its number it is (tag 5F34), 0 to 99.
    pub sequence: u8,
    /// How its chip makes cryptograms; `None`: nobody verifies them.
    pub chip: Option<Cvn>,
    /// How its issuer checks its PIN.
    pub pin_check: PinCheck,
    pin: String,
    personal: Personal,
}

impl TestCard {
    /// The PIN, 4 to 12 ASCII digits.
    #[must_use]
    pub fn pin(&self) -> &str {
        &self.pin
    }

    /// Track 2 as its stripe has it, with the CVV.
    #[must_use]
    pub fn track2(&self) -> String {
        self.track(self.personal.cvv)
    }

    /// Track 2 as its chip tells it, with the iCVV: a stripe written from it is known for a copy.
    #[must_use]
    pub fn track2_equivalent(&self) -> String {
        self.track(self.personal.icvv)
    }

    /// Service code, place of a PVV that is kept elsewhere, verification value, and one digit more.
    fn track(&self, value: [u8; 3]) -> String {
        let (expiry, rest) = (self.expiry.digits(), [&SERVICE_CODE[..], b"00000", &value, b"0"].concat());
        format!("{}={}{}", self.pan.clear(), String::from_utf8_lossy(&expiry), String::from_utf8_lossy(&rest))
    }

    /// Its chip's own master key, once it is personalised.
    pub(super) fn chip_key(&self) -> Option<&EmvKey> {
        self.personal.key.as_ref()
    }

    /// Writes on the card what its issuer would: verification values under `ISSUER/cvk`, the chip's own key out of
    /// `ISSUER/imk`. What there is no key for stays zeros, and a chip without a key makes its cryptograms up.
    ///
    /// # Errors
    /// A key is not double length.
    pub fn personalise(&mut self, keys: &[NamedKey]) -> Result<(), CalcError> {
        let key = |what: &str| {
            let name = format!("{}/{what}", self.issuer);
            keys.iter().find(|key| key.name.as_str() == name).map(|key| DesKey::new(&key.key)).transpose()
        };
        if let Some(cvk) = key("cvk")? {
            let value = |service| cvv(&cvk, &self.pan, &self.expiry.digits(), service);
            (self.personal.cvv, self.personal.icvv) = (value(&SERVICE_CODE)?, value(&OF_A_CHIP)?);
        }
        if let (Some(imk), Some(scheme)) = (key("imk")?, self.chip) {
            let card = EmvCard { pan: self.pan, sequence: self.sequence };
            self.personal.key = Some(master_key(&imk, scheme.scheme().master, &card)?);
        }
        Ok(())
    }
}

/// The columns of a card file.
const COLUMNS: &[&str; 9] = &["pan", "expiry", "pin", "issuer", "balance", "use", "sequence", "chip", "check"];

/// The demo's own cards, personalised with the demo's keys.
#[must_use]
pub fn demo() -> Vec<TestCard> {
    static CARDS: OnceLock<Vec<TestCard>> = OnceLock::new();
    let made = || {
        let keys = key_rows(Source { file: "specs/demo/keys.csv", text: DEMO_KEYS }, &mut Breaches::default());
        let mut cards = parse(Source { file: "specs/demo/cards.csv", text: DEMO }).unwrap_or_default();
        let made = cards.iter_mut().try_for_each(|card| card.personalise(&keys));
        made.map(|()| cards).unwrap_or_default()
    };
    CARDS.get_or_init(made).clone()
}

/// Reads a card file: `pan,expiry,pin,issuer,balance,use` in the first line, `#` starts a comment. More columns may
/// be left out: `sequence` (1), `chip` (a cryptogram version, [`chip::NAMES`]; none), `check` (`pvv` or `offset`;
/// `pvv`).
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
        let sequence = row.bounded("sequence", 1, 0..=99, breaches).and_then(|number| u8::try_from(number).ok());
        let chip = row.optional("chip", "a cryptogram version", chip::named, breaches);
        let pin_check = row.optional("check", "pvv or offset", pin_check, breaches).unwrap_or(PinCheck::Pvv);
        let (Some(pan), Some(expiry), Some(pin), Some(issuer)) = (pan, expiry, pin, issuer) else { return };
        let (Some(balance), Some(used_by), Some(sequence)) = (balance, used_by, sequence) else { return };
        let personal = Personal { cvv: *b"000", icvv: *b"000", key: None };
        cards.push(TestCard { pan, expiry, issuer, balance, used_by, sequence, chip, pin_check, pin, personal });
    });
    breaches.or(cards)
}

fn pin(text: &str) -> Option<String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    (digits && (4..=12).contains(&text.len())).then(|| text.to_owned())
}

fn pin_check(text: &str) -> Option<PinCheck> {
    match text {
        "pvv" => Some(PinCheck::Pvv),
        "offset" => Some(PinCheck::Offset),
        _ => None,
    }
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
