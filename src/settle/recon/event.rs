//! The lines of a book of differences.

use super::clearing::Sign;
use super::difference::Difference;
use super::difference::Key;
use super::difference::Moved;
use super::difference::Sort;
use super::difference::With;
use crate::model::Amount;
use crate::model::BatchNumber;
use crate::model::BusinessDate;
use crate::model::Currency;
use crate::model::IssuerName;
use crate::model::Rrn;
use crate::model::TerminalId;
use crate::model::Timestamp;
use serde::Deserialize;
use serde::Serialize;

/// Something that happened to a book. Facts are never edited.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// A difference was found, under this number; one that is known by it is open again, with what is said now.
    Opened(u64, Difference),
    /// A file of this date explained it, so.
    Matched(u64, BusinessDate, String),
    /// It was found no more.
    Gone(u64),
    /// A person cleared it.
    Cleared {
        /// Which.
        id: u64,
        /// Who.
        actor: String,
        /// Why.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// A clearing file was taken.
    File(FileFacts),
    /// The file of this issuer, day and money was taken back: it is as if it had never been given.
    Withdrawn(IssuerName, BusinessDate, Currency),
}

/// What is known of a file that was taken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileFacts {
    /// Whose.
    pub issuer: IssuerName,
    /// Which day.
    pub date: BusinessDate,
    /// Which money.
    pub currency: Currency,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
    /// How many rows.
    pub rows: u64,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Raw {
    Opened(RawOpened),
    Matched { id: u64, date: String, reason: String },
    Gone { id: u64 },
    Cleared { id: u64, actor: String, reason: String, at: i64 },
    File { issuer: String, date: String, currency: String, sha256: String, rows: u64 },
    Withdrawn { issuer: String, date: String, currency: String },
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RawOpened {
    id: u64,
    date: String,
    sort: String,
    issuer: Option<String>,
    terminal: Option<String>,
    batch: Option<u32>,
    currency: Option<String>,
    rrn: Option<String>,
    is_undo: bool,
    nth: u32,
    here: Option<RawMoved>,
    there: Option<RawMoved>,
    text: String,
}

/// Sign, minor units, currency.
#[derive(Deserialize, Serialize)]
struct RawMoved(String, u64, String);

impl Event {
    /// One line of JSON, its end included.
    #[must_use]
    pub fn line(&self) -> String {
        let raw = match self {
            Self::Opened(id, difference) => Raw::Opened(RawOpened::of(*id, difference)),
            Self::Matched(id, date, reason) => Raw::Matched { id: *id, date: date.to_string(), reason: reason.clone() },
            Self::Gone(id) => Raw::Gone { id: *id },
            Self::Cleared { id, actor, reason, at } => {
                Raw::Cleared { id: *id, actor: actor.clone(), reason: reason.clone(), at: at.0 }
            }
            Self::File(FileFacts { issuer, date, currency, sha256, rows }) => Raw::File {
                issuer: issuer.to_string(),
                date: date.to_string(),
                currency: currency.to_string(),
                sha256: sha256.clone(),
                rows: *rows,
            },
            Self::Withdrawn(issuer, date, currency) => {
                Raw::Withdrawn { issuer: issuer.to_string(), date: date.to_string(), currency: currency.to_string() }
            }
        };
        // Strings and numbers: there is nothing that could not be written.
        serde_json::to_string(&raw).unwrap_or_default() + "\n"
    }

    /// From its line.
    #[must_use]
    pub fn read(line: &str) -> Option<Self> {
        Some(match serde_json::from_str(line).ok()? {
            Raw::Opened(raw) => Self::Opened(raw.id, raw.read()?),
            Raw::Matched { id, date, reason } => Self::Matched(id, BusinessDate::parse(&date)?, reason),
            Raw::Gone { id } => Self::Gone(id),
            Raw::Cleared { id, actor, reason, at } => Self::Cleared { id, actor, reason, at: Timestamp(at) },
            Raw::File { issuer, date, currency, sha256, rows } => Self::File(FileFacts {
                issuer: IssuerName::parse(&issuer)?,
                date: BusinessDate::parse(&date)?,
                currency: Currency::parse(currency.as_bytes())?,
                sha256,
                rows,
            }),
            Raw::Withdrawn { issuer, date, currency } => Self::Withdrawn(
                IssuerName::parse(&issuer)?,
                BusinessDate::parse(&date)?,
                Currency::parse(currency.as_bytes())?,
            ),
        })
    }
}

impl RawOpened {
    fn of(id: u64, difference: &Difference) -> Self {
        let Difference { key, here, there, text } = difference;
        let (issuer, terminal, batch) = match &key.with {
            With::Issuer(name) => (Some(name.to_string()), None, None),
            With::Batch(terminal, batch) => (None, Some(terminal.to_string()), Some(batch.value())),
        };
        Self {
            id,
            date: key.date.to_string(),
            sort: key.sort.name().to_owned(),
            issuer,
            terminal,
            batch,
            currency: key.currency.map(|currency| currency.to_string()),
            rrn: key.rrn.map(|rrn| rrn.to_string()),
            is_undo: key.is_undo,
            nth: key.nth,
            here: here.map(RawMoved::of),
            there: there.map(RawMoved::of),
            text: text.clone(),
        }
    }

    fn read(self) -> Option<Difference> {
        let with = match (self.issuer, self.terminal, self.batch) {
            (Some(issuer), None, None) => With::Issuer(IssuerName::parse(&issuer)?),
            (None, Some(terminal), Some(batch)) => {
                With::Batch(TerminalId::parse(terminal.as_bytes())?, BatchNumber::new(batch)?)
            }
            _ => return None,
        };
        let rrn = match self.rrn {
            Some(rrn) => Some(Rrn::parse(rrn.as_bytes())?),
            None => None,
        };
        let currency = match self.currency {
            Some(currency) => Some(Currency::parse(currency.as_bytes())?),
            None => None,
        };
        let moved = |raw: Option<RawMoved>| match raw {
            Some(raw) => raw.read().map(Some),
            None => Some(None),
        };
        let (date, sort) = (BusinessDate::parse(&self.date)?, Sort::parse(&self.sort)?);
        let key = Key { date, with, currency, sort, rrn, is_undo: self.is_undo, nth: self.nth };
        Some(Difference { key, here: moved(self.here)?, there: moved(self.there)?, text: self.text })
    }
}

impl RawMoved {
    fn of(Moved { sign, amount, currency }: Moved) -> Self {
        Self(sign.letter().to_owned(), amount.minor(), currency.to_string())
    }

    fn read(self) -> Option<Moved> {
        let Self(sign, amount, currency) = self;
        let currency = Currency::parse(currency.as_bytes())?;
        Some(Moved { sign: Sign::parse(&sign)?, amount: Amount::new(amount)?, currency })
    }
}
