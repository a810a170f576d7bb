//! The books of an issuer over the life of its process: every operation as a line, done again at the next
//! start. Holds no whole card number.

use super::bank::Bank;
use super::books::Entry;
use super::books::Reference;
use crate::hsm::Hsm;
use crate::hsm::ZoneKeyText;
use crate::model::Amount;
use crate::model::BusinessDate;
use crate::model::Currency;
use crate::model::Kind;
use crate::model::MerchantId;
use crate::model::Pan;
use crate::model::ResponseCode;
use crate::model::Rrn;
use crate::model::Stan;
use crate::model::TerminalId;
use crate::server::lines::Lines;
use futures_util::FutureExt;
use serde::Deserialize;
use serde::Serialize;
use std::io;
use std::path::Path;

/// One operation, as its line has it.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Operation {
    Enter(Box<RawEntry>),
    /// A reversal of books before they knew days.
    Undo(Vec<RawReference>),
    UndoOn(String, Vec<RawReference>),
    /// A zone key that is used from here on, as it came or went: under the key that both sides have.
    UseKey(String),
    /// One that the station was sent.
    OfferKey(String),
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    kind: String,
    terminal: String,
    stan: u32,
    rrn: Option<String>,
    /// First six and last four digits: enough to tell the issuer's own cards apart.
    card: String,
    amount: u64,
    currency: Option<String>,
    references: Vec<RawReference>,
    code: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    merchant: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    date: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    by_code: bool,
    /// The payment code's digits after the account's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    one_time: Option<Box<str>>,
    /// Where a transfer goes, if that is a card of this issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    follows: Vec<RawReference>,
}

/// How, terminal, trace number, and the rest.
#[derive(Deserialize, Serialize)]
struct RawReference(String, String, u32, String);

/// Where an issuer's operations are kept.
pub(super) struct BookFile(Lines);

impl BookFile {
    /// Notes a request before it is entered. One on a card that is not the issuer's moves no money, and is
    /// not noted.
    pub(super) fn enter(&mut self, entry: &Entry, code: ResponseCode) -> io::Result<()> {
        self.0.add(&Operation::Enter(Box::new(RawEntry {
            kind: entry.kind.name().to_owned(),
            terminal: entry.terminal.to_string(),
            stan: entry.stan.value(),
            rrn: entry.rrn.map(|rrn| rrn.to_string()),
            card: entry.pan.masked().to_string(),
            amount: entry.amount.minor(),
            currency: entry.currency.map(|currency| currency.to_string()),
            references: entry.references.iter().map(RawReference::of).collect(),
            code: code.code().to_owned(),
            merchant: entry.merchant.map(|merchant| merchant.to_string()),
            date: entry.date.map(|date| date.to_string()),
            by_code: entry.code.is_some(),
            one_time: entry.code.clone().filter(|code| !code.is_empty()),
            to: entry.to.map(|to| to.masked().to_string()),
            follows: entry.follows.iter().map(RawReference::of).collect(),
        })))
    }

    fn zone_key(&mut self, text: String, used: bool) -> io::Result<()> {
        self.0.add(&if used { Operation::UseKey(text) } else { Operation::OfferKey(text) })
    }

    /// Notes a reversal before it is done.
    pub(super) fn undo(&mut self, original: &[Reference], date: BusinessDate) -> io::Result<()> {
        self.0.add(&Operation::UndoOn(date.to_string(), original.iter().map(RawReference::of).collect()))
    }
}

impl RawReference {
    fn of(reference: &Reference) -> Self {
        let raw = |how: &str, terminal: &TerminalId, stan: Stan, rest: &[u8]| {
            Self(how.to_owned(), terminal.to_string(), stan.value(), String::from_utf8_lossy(rest).into_owned())
        };
        let any = |how: &str, stan: Stan, rest: &[u8]| {
            Self(how.to_owned(), String::new(), stan.value(), String::from_utf8_lossy(rest).into_owned())
        };
        match reference {
            Reference::Sent(terminal, stan, at) => raw("sent", terminal, *stan, at),
            Reference::Local(terminal, stan, at) => raw("local", terminal, *stan, at),
            Reference::Retrieval(terminal, stan, rrn) => raw("retrieval", terminal, *stan, rrn.as_bytes()),
            Reference::Advised(terminal, rrn) => raw("advised", terminal, Stan::FIRST, rrn.as_bytes()),
            Reference::Number(rrn) => any("number", Stan::FIRST, rrn.as_bytes()),
            Reference::Trace(stan, at) => any("trace", *stan, at),
            Reference::LocalTrace(stan, at) => any("local-trace", *stan, at),
            Reference::Voucher(voucher) => any("voucher", Stan::FIRST, voucher),
        }
    }

    fn read(&self) -> Option<Reference> {
        let Self(how, terminal, stan, rest) = self;
        let (stan, rest) = (Stan::new(*stan)?, rest.as_bytes());
        let terminal = || TerminalId::parse(terminal.as_bytes());
        Some(match how.as_str() {
            "sent" => Reference::Sent(terminal()?, stan, rest.try_into().ok()?),
            "local" => Reference::Local(terminal()?, stan, rest.try_into().ok()?),
            "retrieval" => Reference::Retrieval(terminal()?, stan, Rrn::parse(rest)?),
            "advised" => Reference::Advised(terminal()?, Rrn::parse(rest)?),
            "number" => Reference::Number(Rrn::parse(rest)?),
            "trace" => Reference::Trace(stan, rest.try_into().ok()?),
            "local-trace" => Reference::LocalTrace(stan, rest.try_into().ok()?),
            "voucher" => Reference::Voucher(rest.try_into().ok()?),
            _ => return None,
        })
    }
}

impl RawEntry {
    fn read(self, cards: &[Pan]) -> Option<(Entry, ResponseCode)> {
        let references = |raw: &[RawReference]| raw.iter().map(RawReference::read).collect::<Option<Vec<_>>>();
        let entry = Entry {
            kind: Kind::ALL.into_iter().find(|kind| kind.name() == self.kind)?,
            terminal: TerminalId::parse(self.terminal.as_bytes())?,
            merchant: optional(self.merchant.as_deref(), |text| MerchantId::parse(text.as_bytes()))?,
            stan: Stan::new(self.stan)?,
            rrn: optional(self.rrn.as_deref(), |text| Rrn::parse(text.as_bytes()))?,
            pan: card(&self.card, cards)?,
            amount: Amount::new(self.amount)?,
            currency: optional(self.currency.as_deref(), |text| Currency::parse(text.as_bytes()))?,
            date: optional(self.date.as_deref(), BusinessDate::parse)?,
            code: self.one_time.or_else(|| self.by_code.then(Box::default)),
            // Another bank's account is not told apart from none: the money leaves either way.
            to: self.to.as_deref().and_then(|to| card(to, cards).or_else(|| elsewhere(cards))),
            follows: references(&self.follows)?,
            references: references(&self.references)?,
        };
        Some((entry, ResponseCode::parse(&self.code)?))
    }
}

/// The one card of the issuer that is masked so.
fn card(masked: &str, cards: &[Pan]) -> Option<Pan> {
    let mut own = cards.iter().filter(|card| card.masked().as_str() == masked);
    own.next().copied().filter(|_| own.next().is_none())
}

/// An account that is no card of the issuer.
fn elsewhere(cards: &[Pan]) -> Option<Pan> {
    [b"00000000", b"00000001"].iter().filter_map(|pan| Pan::parse(*pan)).find(|pan| !cards.contains(pan))
}

/// `None` if it is there and does not read.
fn optional<T>(text: Option<&str>, read: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    match text {
        Some(text) => read(text).map(Some),
        None => Some(None),
    }
}

impl<H: Hsm> Bank<H> {
    /// Notes a zone key before it is used, or sent. False if that cannot be.
    pub(super) fn keep_key(&self, text: &ZoneKeyText, used: bool) -> bool {
        let mut file = self.file.lock();
        let Some(file) = file.as_mut() else { return true };
        text.write().is_some_and(|text| file.zone_key(text, used).is_ok())
    }

    /// Takes up a key that was noted.
    fn again(&self, text: &str, used: bool) -> Option<()> {
        // The HSM of a mock issuer is in its process, and answers at once.
        self.take_up(ZoneKeyText::parse(text.as_bytes())?, used).now_or_never()?
    }

    /// Keeps the books in `path` from now on, and first does again what is there already. Returns how many
    /// operations that were. What is killed between a line and its answer has booked and not answered.
    ///
    /// # Errors
    /// The file cannot be used, or is not this issuer's.
    pub fn keep_books(&self, path: &Path) -> io::Result<usize> {
        let (lines, text) = Lines::open(path)?;
        let cards: Vec<Pan> = self.accounts().into_iter().map(|(pan, _)| pan).collect();
        let broken =
            |line: usize| io::Error::new(io::ErrorKind::InvalidData, format!("line {}: not of these books", line + 1));
        let mut file = self.file.lock();
        let mut books = self.books.lock();
        let mut count = 0;
        for (at, line) in text.lines().enumerate() {
            match serde_json::from_str(line).map_err(|_| broken(at))? {
                Operation::Enter(raw) => {
                    let (entry, code) = raw.read(&cards).ok_or_else(|| broken(at))?;
                    books.enter(entry, code);
                }
                Operation::Undo(raw) => {
                    let original: Option<Vec<_>> = raw.iter().map(RawReference::read).collect();
                    books.undo(&original.ok_or_else(|| broken(at))?, None);
                }
                Operation::UndoOn(day, raw) => {
                    let original: Option<Vec<_>> = raw.iter().map(RawReference::read).collect();
                    let day = BusinessDate::parse(&day).ok_or_else(|| broken(at))?;
                    books.undo(&original.ok_or_else(|| broken(at))?, Some(day));
                }
                Operation::UseKey(text) => self.again(&text, true).ok_or_else(|| broken(at))?,
                Operation::OfferKey(text) => self.again(&text, false).ok_or_else(|| broken(at))?,
            }
            count += 1;
        }
        *file = Some(BookFile(lines));
        Ok(count)
    }
}
