//! Differences over time: found, explained by a later file, cleared by a person. A fold of events; the events are
//! lines of JSON which the caller keeps.

use super::difference::Difference;
use super::difference::Key;
use super::difference::With;
use super::event::Event;
use super::event::FileFacts;
use crate::model::BusinessDate;
use crate::model::Currency;
use crate::model::IssuerName;
use crate::model::Timestamp;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;

/// The longest actor and the longest reason, in bytes.
pub const LONGEST_WORDS: usize = 400;

/// What became of a difference.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum State {
    /// Somebody must look at it.
    Open,
    /// A file of this date explained it.
    Matched {
        /// The file's.
        date: BusinessDate,
        /// How.
        reason: String,
    },
    /// Its day was compared again, and it was found no more.
    Gone,
    /// A person cleared it.
    Cleared {
        /// Who.
        actor: String,
        /// Why.
        reason: String,
        /// When.
        at: Timestamp,
    },
}

/// A difference and what became of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Its number, by which a person clears it.
    pub id: u64,
    /// What differs.
    pub difference: Difference,
    /// What became of it.
    pub state: State,
}

/// Every difference so far.
#[derive(Clone, Debug, Default)]
pub struct DifferenceBook {
    entries: BTreeMap<u64, Entry>,
    /// The entries of each key, in order.
    keys: HashMap<Key, Vec<u64>>,
    files: BTreeMap<(IssuerName, BusinessDate, [u8; 3]), FileFacts>,
}

/// What one comparison found out, to be noted in one go.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The business date compared.
    pub date: BusinessDate,
    /// With whom.
    pub with: With,
    /// The money of the file, if it was one.
    pub currency: Option<Currency>,
    /// What does not agree.
    pub differences: Vec<Difference>,
    /// Earlier differences that are explained now, and how.
    pub explained: Vec<(u64, String)>,
}

/// Why the book does not do it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BookFault {
    /// A line is none of ours: the file is damaged, and what it says of the rest cannot be believed.
    #[error("line {0} is no event of a book of differences")]
    Line(usize),
    /// There is no such difference.
    #[error("there is no difference {0}")]
    Unknown(u64),
    /// It is not open.
    #[error("difference {0} is not open: {1}")]
    Closed(u64, &'static str),
    /// Who and why must be said, in a few words.
    #[error("{0}: 1 to {LONGEST_WORDS} characters, on one line")]
    Words(&'static str),
}

impl DifferenceBook {
    /// From its lines, in order. A last line without its end never became durable, and is left out.
    ///
    /// # Errors
    /// [`BookFault::Line`].
    pub fn read(text: &str) -> Result<Self, BookFault> {
        let whole = text.rfind('\n').map_or("", |end| text.get(..end).unwrap_or_default());
        let mut book = Self::default();
        for (number, line) in (1..).zip(whole.lines()) {
            book.apply(Event::read(line).ok_or(BookFault::Line(number))?);
        }
        Ok(book)
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Opened(id, difference) => {
                let ids = self.keys.entry(difference.key.clone()).or_default();
                if ids.last() != Some(&id) {
                    ids.push(id);
                }
                self.entries.insert(id, Entry { id, difference, state: State::Open });
            }
            Event::Matched(id, date, reason) => self.set(id, State::Matched { date, reason }),
            Event::Gone(id) => self.set(id, State::Gone),
            Event::Cleared { id, actor, reason, at } => self.set(id, State::Cleared { actor, reason, at }),
            Event::File(facts) => {
                self.files.insert((facts.issuer.clone(), facts.date, facts.currency.digits()), facts);
            }
            Event::Withdrawn(issuer, date, currency) => {
                self.files.remove(&(issuer, date, currency.digits()));
            }
        }
    }

    fn set(&mut self, id: u64, state: State) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.state = state;
        }
    }

    /// Every difference, in order of their numbers.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Those at which somebody must look.
    pub fn open(&self) -> impl Iterator<Item = &Entry> {
        self.entries().filter(|entry| entry.state == State::Open)
    }

    /// The file that was taken for this issuer, day and money, if one was.
    #[must_use]
    pub fn file(&self, issuer: &IssuerName, date: BusinessDate, currency: Currency) -> Option<&FileFacts> {
        self.files.get(&(issuer.clone(), date, currency.digits()))
    }

    /// Notes that a file was taken. The events to keep.
    pub fn take(&mut self, facts: FileFacts) -> Vec<Event> {
        if self.file(&facts.issuer, facts.date, facts.currency) == Some(&facts) {
            return Vec::new();
        }
        self.done(vec![Event::File(facts)])
    }

    /// Takes a file back: what was found in it is gone, and what it explained is open again. The events to keep;
    /// `None` if no such file was taken.
    pub fn withdraw(&mut self, issuer: &IssuerName, date: BusinessDate, currency: Currency) -> Option<Vec<Event>> {
        self.file(issuer, date, currency)?;
        let (with, nothing) = (With::Issuer(issuer.clone()), Vec::new());
        let mut events =
            self.note(Finding { date, with, currency: Some(currency), differences: nothing, explained: Vec::new() });
        events.extend(self.done(vec![Event::Withdrawn(issuer.clone(), date, currency)]));
        Some(events)
    }

    /// Notes a comparison: what is new becomes open, what is found no more is gone, what is explained is closed, and
    /// what this file explained before and explains no more is open again. What a person cleared stays as it is,
    /// also if other amounts were found in between; found with other amounts, it is a new difference. The events to
    /// keep; none when the same is noted again.
    pub fn note(&mut self, finding: Finding) -> Vec<Event> {
        let Finding { date, with, currency, differences, explained } = finding;
        let found: HashSet<&Key> = differences.iter().map(|difference| &difference.key).collect();
        let mut events = Vec::new();
        let ids: HashSet<u64> = explained.iter().map(|(id, _)| *id).collect();
        for (id, reason) in explained {
            if self.entries.get(&id).is_some_and(|entry| entry.state == State::Open) {
                events.push(Event::Matched(id, date, reason));
            }
        }
        let of_this = |key: &Key| key.with == with && key.currency == currency;
        for entry in self.entries().filter(|entry| of_this(&entry.difference.key) && !ids.contains(&entry.id)) {
            let key = &entry.difference.key;
            match &entry.state {
                State::Open if key.date == date && !found.contains(key) => events.push(Event::Gone(entry.id)),
                State::Matched { date: by, .. } if *by == date => {
                    events.push(Event::Opened(entry.id, entry.difference.clone()));
                }
                _ => {}
            }
        }
        let mut next = self.entries.last_key_value().map_or(1, |(id, _)| id + 1);
        for difference in differences {
            let ids = self.keys.get(&difference.key).map(Vec::as_slice).unwrap_or_default();
            let mut kept = ids.iter().filter_map(|id| self.entries.get(id));
            let last = kept.clone().next_back();
            let is_cleared =
                |of: &Entry| matches!(of.state, State::Cleared { .. }) && of.difference.moves_as(&difference);
            if kept.any(is_cleared) {
                events.extend(last.filter(|last| last.state == State::Open).map(|last| Event::Gone(last.id)));
                continue;
            }
            let id = match last {
                None => next,
                Some(entry) if entry.state == State::Gone => next,
                Some(entry) if entry.difference.moves_as(&difference) => continue,
                Some(entry) if entry.state == State::Open => entry.id,
                Some(_) => next,
            };
            events.push(Event::Opened(id, difference));
            next = next.max(id + 1);
        }
        self.done(events)
    }

    /// A person clears a difference. The event to keep.
    ///
    /// # Errors
    /// It is not there, or not open; or who or why is not said.
    pub fn clear(&mut self, id: u64, actor: &str, reason: &str, at: Timestamp) -> Result<Event, BookFault> {
        let says = |words: &str| (1..=LONGEST_WORDS).contains(&words.trim().len()) && !words.contains(char::is_control);
        let entry = self.entries.get(&id).ok_or(BookFault::Unknown(id))?;
        match entry.state {
            State::Open => {}
            State::Matched { .. } => return Err(BookFault::Closed(id, "a later file explained it")),
            State::Gone => return Err(BookFault::Closed(id, "it was found no more")),
            State::Cleared { .. } => return Err(BookFault::Closed(id, "it was cleared before")),
        }
        if !says(actor) {
            return Err(BookFault::Words("the actor"));
        }
        if !says(reason) {
            return Err(BookFault::Words("the reason"));
        }
        let (actor, reason) = (actor.trim().to_owned(), reason.trim().to_owned());
        let event = Event::Cleared { id, actor, reason, at };
        self.apply(event.clone());
        Ok(event)
    }

    fn done(&mut self, events: Vec<Event>) -> Vec<Event> {
        events.iter().cloned().for_each(|event| self.apply(event));
        events
    }
}
