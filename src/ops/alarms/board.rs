//! The board: which alarms are live, which were, and what changed. Pure: it is told what time it is.

use super::kind::AlarmKind;
use super::kind::Severity;
use crate::model::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::time::Duration;

/// Alarms that may be live; beyond that there is one alarm more, which says so.
pub const LIVE_MOST: usize = 10_000;
/// Alarms that are over and still shown.
pub const CLEARED_KEPT: usize = 1_000;
/// Changes that are kept for those who ask what happened since.
pub const EVENTS_KEPT: usize = 4_096;
/// The longest subject and the longest sentence, in characters.
const SUBJECT: usize = 128;
const SENTENCE: usize = 512;
/// Changes in one answer.
const EVENTS_AT_ONCE: usize = 500;

/// An instant by both clocks: people read the first, intervals are of the second.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Moment {
    /// The wall clock.
    pub wall: Timestamp,
    /// Monotonic time since some fixed start.
    pub mono: Duration,
}

/// Where an alarm stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is so, and nobody has said that they know.
    Raised,
    /// It is so, and somebody knows.
    Acknowledged,
    /// It is over.
    Cleared,
}

/// What changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It began.
    Raised,
    /// It goes on, and nobody has acknowledged it for a while.
    Again,
    /// Somebody knows.
    Acknowledged,
    /// It is over.
    Cleared,
}

/// Who knows of an alarm.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Acknowledgement {
    /// Who.
    pub actor: String,
    /// What they said.
    pub reason: String,
    /// When, RFC 3339.
    #[serde(serialize_with = "in_words")]
    pub at: Timestamp,
}

/// One alarm, from its beginning to its end. `specs/schemas/alarm.json` is its JSON.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Alarm {
    /// Its number in this run of the station.
    pub id: u64,
    /// What it is about.
    pub kind: AlarmKind,
    /// Of whom: an issuer, a terminal, a file.
    pub subject: Box<str>,
    /// How soon a person should look.
    pub severity: Severity,
    /// Where it stands.
    pub state: State,
    /// When it was seen first.
    #[serde(serialize_with = "in_words")]
    pub first: Timestamp,
    /// When it was seen last.
    #[serde(serialize_with = "in_words")]
    pub last: Timestamp,
    /// How often it was raised.
    pub count: u64,
    /// What is so, for people.
    pub sentence: Box<str>,
    /// Who knows.
    pub acknowledged: Option<Acknowledgement>,
    /// When it was over.
    #[serde(serialize_with = "in_words_if")]
    pub cleared: Option<Timestamp>,
    #[serde(skip)]
    seen: Duration,
    #[serde(skip)]
    told: Duration,
}

/// One change of the board.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct AlarmEvent {
    /// One higher with each change in this run of the station.
    pub sequence: u64,
    /// What changed.
    pub change: Change,
    /// The alarm after it.
    pub alarm: Alarm,
}

/// What changed since a number.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Events {
    /// Ask from here next time.
    pub sequence: u64,
    /// Some that were asked for are not kept any more: look at the whole board.
    pub missed: bool,
    /// In order.
    pub events: Vec<AlarmEvent>,
}

/// Why an alarm is not acknowledged.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AcknowledgeFault {
    /// There is none of this number, or it is over.
    #[error("no live alarm has number {0}")]
    Unknown(u64),
    /// Somebody was first.
    #[error("{0} has acknowledged it already")]
    Already(String),
}

type Key = (AlarmKind, Box<str>);

/// All alarms of a station.
pub struct Board {
    live: BTreeMap<Key, Alarm>,
    keys: HashMap<u64, Key>,
    cleared: VecDeque<Alarm>,
    events: VecDeque<AlarmEvent>,
    sequence: u64,
    ids: u64,
    again: Duration,
}

impl Board {
    /// An empty board, which tells again of what nobody has acknowledged for so long.
    #[must_use]
    pub fn new(again: Duration) -> Self {
        let (live, keys) = (BTreeMap::new(), HashMap::new());
        Self { live, keys, cleared: VecDeque::new(), events: VecDeque::new(), sequence: 0, ids: 0, again }
    }

    /// It happened: a new alarm, or one more count of a live one.
    pub fn raise(&mut self, kind: AlarmKind, subject: &str, sentence: &str, at: Moment) {
        self.see(kind, subject, sentence, 1, at);
    }

    /// It is so: a new alarm, or a live one that goes on, which is not counted again.
    pub fn hold(&mut self, kind: AlarmKind, subject: &str, sentence: &str, at: Moment) {
        self.see(kind, subject, sentence, 0, at);
    }

    /// It is over. Nothing, if it never was.
    pub fn clear(&mut self, kind: AlarmKind, subject: &str, at: Moment) {
        let key = (kind, clipped(subject, SUBJECT));
        let Some(mut alarm) = self.live.remove(&key) else { return };
        self.keys.remove(&alarm.id);
        (alarm.state, alarm.cleared) = (State::Cleared, Some(at.wall));
        self.note(Change::Cleared, alarm.clone());
        self.cleared.push_back(alarm);
        if self.cleared.len() > CLEARED_KEPT {
            self.cleared.pop_front();
        }
        if kind != AlarmKind::TooMany && self.live.len() <= LIVE_MOST / 10 * 9 {
            self.clear(AlarmKind::TooMany, ALL, at);
        }
    }

    /// Clears the alarms of single events of which none happened for so long.
    pub fn clear_quiet(&mut self, quiet: Duration, at: Moment) {
        let over = |alarm: &Alarm| alarm.kind.is_of_events() && at.mono.saturating_sub(alarm.seen) >= quiet;
        self.clear_where(over, at);
    }

    /// Clears all for which it is so.
    pub fn clear_where(&mut self, over: impl Fn(&Alarm) -> bool, at: Moment) {
        let keys: Vec<Key> = self.live.iter().filter(|(_, alarm)| over(alarm)).map(|(key, _)| key.clone()).collect();
        for (kind, subject) in keys {
            self.clear(kind, &subject, at);
        }
    }

    /// Somebody knows: it is not told again while it lasts.
    ///
    /// # Errors
    /// No live alarm has this number, or somebody was first.
    pub fn acknowledge(
        &mut self,
        id: u64,
        (actor, reason): (&str, &str),
        at: Moment,
    ) -> Result<Alarm, AcknowledgeFault> {
        let alarm = self.keys.get(&id).and_then(|key| self.live.get_mut(key));
        let alarm = alarm.ok_or(AcknowledgeFault::Unknown(id))?;
        if let Some(first) = &alarm.acknowledged {
            return Err(AcknowledgeFault::Already(first.actor.clone()));
        }
        alarm.state = State::Acknowledged;
        alarm.acknowledged = Some(Acknowledgement { actor: actor.to_owned(), reason: reason.to_owned(), at: at.wall });
        let alarm = alarm.clone();
        self.note(Change::Acknowledged, alarm.clone());
        Ok(alarm)
    }

    /// The alarms that are so, by kind and subject.
    pub fn live(&self) -> impl Iterator<Item = &Alarm> {
        self.live.values()
    }

    /// The last alarms that are over, oldest first.
    pub fn cleared(&self) -> impl Iterator<Item = &Alarm> {
        self.cleared.iter()
    }

    /// The live alarm about somebody.
    #[must_use]
    pub fn find(&self, kind: AlarmKind, subject: &str) -> Option<&Alarm> {
        self.live.get(&(kind, clipped(subject, SUBJECT)))
    }

    /// The number of the last change.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// What changed after this number, up to some hundred changes at once. A number that is yet to come is another
    /// run's: all that is kept is told.
    #[must_use]
    pub fn since(&self, sequence: u64) -> Events {
        let foreign = sequence > self.sequence;
        let from = if foreign { 0 } else { sequence };
        let first = self.events.front().map_or(self.sequence.saturating_add(1), |event| event.sequence);
        let skip = usize::try_from(from.saturating_add(1).saturating_sub(first)).unwrap_or(usize::MAX);
        let events: Vec<AlarmEvent> = self.events.iter().skip(skip).take(EVENTS_AT_ONCE).cloned().collect();
        let sequence = events.last().map_or(self.sequence, |event| event.sequence);
        Events { sequence, missed: foreign || from.saturating_add(1) < first, events }
    }

    fn see(&mut self, kind: AlarmKind, subject: &str, sentence: &str, times: u64, at: Moment) {
        let (key, sentence) = ((kind, clipped(subject, SUBJECT)), clipped(sentence, SENTENCE));
        let Some(alarm) = self.live.get_mut(&key) else { return self.begin(key, sentence, at) };
        alarm.count = alarm.count.saturating_add(times);
        (alarm.last, alarm.seen, alarm.sentence) = (at.wall, at.mono, sentence);
        if alarm.state == State::Raised && at.mono.saturating_sub(alarm.told) >= self.again {
            alarm.told = at.mono;
            let alarm = alarm.clone();
            self.note(Change::Again, alarm);
        }
    }

    fn begin(&mut self, key: Key, sentence: Box<str>, at: Moment) {
        let (kind, subject) = key.clone();
        if self.live.len() >= LIVE_MOST && kind != AlarmKind::TooMany {
            let sentence = format!("more than {LIVE_MOST} alarms are live: further ones are not shown");
            return self.raise(AlarmKind::TooMany, ALL, &sentence, at);
        }
        self.ids += 1;
        let alarm = Alarm {
            id: self.ids,
            kind,
            subject,
            severity: kind.severity(),
            state: State::Raised,
            first: at.wall,
            last: at.wall,
            count: 1,
            sentence,
            acknowledged: None,
            cleared: None,
            seen: at.mono,
            told: at.mono,
        };
        self.keys.insert(alarm.id, key.clone());
        self.note(Change::Raised, alarm.clone());
        self.live.insert(key, alarm);
    }

    fn note(&mut self, change: Change, alarm: Alarm) {
        self.sequence += 1;
        self.events.push_back(AlarmEvent { sequence: self.sequence, change, alarm });
        if self.events.len() > EVENTS_KEPT {
            self.events.pop_front();
        }
    }
}

/// The subject of the alarm that says there are too many.
const ALL: &str = "alarms";

impl Change {
    /// As the log and JSON write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Again => "again",
            Self::Acknowledged => "acknowledged",
            Self::Cleared => "cleared",
        }
    }
}

impl State {
    /// As the log and JSON write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Acknowledged => "acknowledged",
            Self::Cleared => "cleared",
        }
    }
}

/// One line of at most so many characters.
fn clipped(text: &str, most: usize) -> Box<str> {
    let plain = |symbol: char| if symbol.is_control() { ' ' } else { symbol };
    text.chars().take(most).map(plain).collect::<String>().into()
}

fn in_words<S: serde::Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(at)
}

fn in_words_if<S: serde::Serializer>(at: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => to.collect_str(at),
        None => to.serialize_none(),
    }
}
