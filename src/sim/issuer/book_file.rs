//! The books of an issuer over the life of its process: every operation as a line, done again at the next
//! start. Holds no whole card number.

use super::bank::Bank;
use super::books::Entry;
use super::books::Reference;
use crate::hsm::Hsm;
use crate::model::Amount;
use crate::model::Currency;
use crate::model::Kind;
use crate::model::Pan;
use crate::model::ResponseCode;
use crate::model::Rrn;
use crate::model::Stan;
use crate::model::TerminalId;
use crate::sim::lines::Lines;
use serde::Deserialize;
use serde::Serialize;
use std::io;
use std::path::Path;

/// One operation, as its line has it.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Operation {
    Enter(RawEntry),
    Undo(Vec<RawReference>),
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
        self.0.add(&Operation::Enter(RawEntry {
            kind: entry.kind.name().to_owned(),
            terminal: entry.terminal.to_string(),
            stan: entry.stan.value(),
            rrn: entry.rrn.map(|rrn| rrn.to_string()),
            card: entry.pan.masked().to_string(),
            amount: entry.amount.minor(),
            currency: entry.currency.map(|currency| currency.to_string()),
            references: entry.references.iter().map(RawReference::of).collect(),
            code: code.code().to_owned(),
        }))
    }

    /// Notes a reversal before it is done.
    pub(super) fn undo(&mut self, original: &[Reference]) -> io::Result<()> {
        self.0.add(&Operation::Undo(original.iter().map(RawReference::of).collect()))
    }
}

impl RawReference {
    fn of(reference: &Reference) -> Self {
        let raw = |how: &str, terminal: &TerminalId, stan: Stan, rest: &[u8]| {
            Self(how.to_owned(), terminal.to_string(), stan.value(), String::from_utf8_lossy(rest).into_owned())
        };
        match reference {
            Reference::Sent(terminal, stan, at) => raw("sent", terminal, *stan, at),
            Reference::Local(terminal, stan, at) => raw("local", terminal, *stan, at),
            Reference::Retrieval(terminal, stan, rrn) => raw("retrieval", terminal, *stan, rrn.as_bytes()),
            Reference::Advised(terminal, rrn) => raw("advised", terminal, Stan::FIRST, rrn.as_bytes()),
        }
    }

    fn read(&self) -> Option<Reference> {
        let Self(how, terminal, stan, rest) = self;
        let (terminal, stan) = (TerminalId::parse(terminal.as_bytes())?, Stan::new(*stan)?);
        Some(match how.as_str() {
            "sent" => Reference::Sent(terminal, stan, rest.as_bytes().try_into().ok()?),
            "local" => Reference::Local(terminal, stan, rest.as_bytes().try_into().ok()?),
            "retrieval" => Reference::Retrieval(terminal, stan, Rrn::parse(rest.as_bytes())?),
            "advised" => Reference::Advised(terminal, Rrn::parse(rest.as_bytes())?),
            _ => return None,
        })
    }
}

impl RawEntry {
    fn read(self, cards: &[Pan]) -> Option<(Entry, ResponseCode)> {
        let mut own = cards.iter().filter(|card| card.masked().as_str() == self.card);
        let pan = own.next().copied().filter(|_| own.next().is_none())?;
        let rrn = match self.rrn {
            Some(rrn) => Some(Rrn::parse(rrn.as_bytes())?),
            None => None,
        };
        let currency = match self.currency {
            Some(currency) => Some(Currency::parse(currency.as_bytes())?),
            None => None,
        };
        let entry = Entry {
            kind: Kind::ALL.into_iter().find(|kind| kind.name() == self.kind)?,
            terminal: TerminalId::parse(self.terminal.as_bytes())?,
            stan: Stan::new(self.stan)?,
            rrn,
            pan,
            amount: Amount::new(self.amount)?,
            currency,
            references: self.references.iter().map(RawReference::read).collect::<Option<_>>()?,
        };
        Some((entry, ResponseCode::parse(&self.code)?))
    }
}

impl<H: Hsm> Bank<H> {
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
                    books.undo(&original.ok_or_else(|| broken(at))?);
                }
            }
            count += 1;
        }
        *file = Some(BookFile(lines));
        Ok(count)
    }
}
