//! The watchman: what was heard and seen of a station, made alarms of. Pure: it is told what time it is.

use super::board::Alarm;
use super::board::Board;
use super::board::Moment;
use super::detect::Clocks;
use super::detect::Growth;
use super::detect::Lasting;
use super::detect::Queue;
use super::detect::Share;
use super::kind::AlarmKind;
use super::window::Minute;
use crate::model::IssuerName;
use crate::model::TerminalId;
use crate::server::Links;
use crate::server::config::Thresholds;
use crate::server::expiry::Ending;
use std::collections::HashMap;
use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

/// Sources and terminals whose wrong MACs are counted at once; further ones wait until a minute was quiet.
const MAC_WINDOWS: usize = 10_000;
/// The subject of declines in all, and of a ledger without room.
const STATION: &str = "station";
const LEDGER: &str = "ledger";

/// Something rare that was heard of a flow.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Noted {
    /// A wrong MAC.
    MacFailed {
        /// Whose, if DE 41 was read.
        terminal: Option<TerminalId>,
        /// The household it came from.
        from: IpAddr,
    },
    /// A terminal asks that is suspended or terminated, or whose merchant is.
    Standing {
        /// Whose.
        terminal: Option<TerminalId>,
        /// Which check refused.
        rule: Box<str>,
    },
    /// A number was used again for another request.
    DuplicateMismatch {
        /// Whose.
        terminal: Option<TerminalId>,
    },
    /// A request was refused because the ledger has no room.
    LedgerFull,
    /// A rule of risk was hit.
    Risk {
        /// Its id.
        rule: Box<str>,
        /// Whom it is about: a terminal, a merchant. Never a card's number.
        subject: Box<str>,
        /// What it saw, masked.
        evidence: Box<str>,
    },
}

/// Transactions since the last look.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Counted {
    /// Which issuer they went to; `None`: all of them, also those that went nowhere.
    pub issuer: Option<IssuerName>,
    /// How many.
    pub asked: u64,
    /// How many of them were declined or timed out.
    pub declined: u64,
}

/// A look at a station. What was not looked at is empty, and changes nothing.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// The links.
    pub links: Vec<Links>,
    /// Messages owed, by issuer: those that are owed none may be left out.
    pub owed: Vec<(IssuerName, usize)>,
    /// Transactions since the last look.
    pub counted: Vec<Counted>,
    /// Bytes that are free where the ledger is.
    pub disk_free: Option<u64>,
    /// Certificates that end soon: all of them, if it was looked.
    pub endings: Option<Vec<Ending>>,
    /// When each terminal was last heard: all of them, if it was looked.
    pub heard: Option<Vec<(TerminalId, Duration)>>,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Source {
    Household(IpAddr),
    Terminal(TerminalId),
}

/// Makes alarms of what it is told.
pub struct Watchman {
    board: Board,
    terms: Thresholds,
    links: HashMap<IssuerName, Lasting>,
    shares: HashMap<Option<IssuerName>, Share>,
    queues: HashMap<IssuerName, Queue>,
    macs: HashMap<Source, Minute<1>>,
    full_at: Option<Duration>,
    clocks: Clocks,
}

impl Watchman {
    /// One who has seen nothing yet.
    #[must_use]
    pub fn new(terms: Thresholds) -> Self {
        Self {
            board: Board::new(terms.again),
            terms,
            links: HashMap::new(),
            shares: HashMap::new(),
            queues: HashMap::new(),
            macs: HashMap::new(),
            full_at: None,
            clocks: Clocks::default(),
        }
    }

    /// The board.
    #[must_use]
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// The board, to acknowledge.
    pub fn board_mut(&mut self) -> &mut Board {
        &mut self.board
    }

    /// Takes something that was heard.
    pub fn noted(&mut self, noted: &Noted, at: Moment) {
        match noted {
            Noted::MacFailed { terminal, from } => {
                self.mac_failed(Source::Household(*from), at);
                terminal.iter().for_each(|terminal| self.mac_failed(Source::Terminal(*terminal), at));
            }
            Noted::Standing { terminal, rule } => {
                let (subject, sentence) = (named(terminal), format!("it asks, and is refused: {rule}"));
                self.board.raise(AlarmKind::SuspendedTerminal, &subject, &sentence, at);
            }
            Noted::DuplicateMismatch { terminal } => {
                let sentence = "it used a number again for another request: answered 94";
                self.board.raise(AlarmKind::DuplicateMismatch, &named(terminal), sentence, at);
            }
            Noted::LedgerFull => {
                self.full_at = Some(at.mono);
                let sentence = "the ledger has no room: requests are answered 96";
                self.board.raise(AlarmKind::Disk, LEDGER, sentence, at);
            }
            Noted::Risk { rule, subject, evidence } => {
                self.board.raise(AlarmKind::Risk, &format!("{rule} {subject}"), evidence, at);
            }
        }
    }

    /// Takes a look, about once a second.
    pub fn sampled(&mut self, sample: &Sample, at: Moment) {
        self.look_at_links(&sample.links, at);
        self.look_at_queues(&sample.owed, at);
        self.look_at_declines(&sample.counted, at);
        self.look_at_macs(at);
        self.look_at_disk(sample.disk_free, at);
        self.look_at_clock(at);
        sample.endings.iter().for_each(|endings| self.look_at_endings(endings, at));
        sample.heard.iter().for_each(|heard| self.look_at_silence(heard, at));
        self.board.clear_quiet(self.terms.quiet, at);
    }

    fn is(&mut self, kind: AlarmKind, subject: &str, sentence: Option<String>, at: Moment) {
        match sentence {
            Some(sentence) => self.board.hold(kind, subject, &sentence, at),
            None => self.board.clear(kind, subject, at),
        }
    }

    fn look_at_links(&mut self, links: &[Links], at: Moment) {
        for Links { issuer, up, of } in links {
            let lasting = self.links.entry(issuer.clone()).or_default();
            let down = lasting.look(*up == 0 && *of > 0, at.mono).filter(|down| *down > self.terms.link_down);
            let sentence = down.map(|down| format!("none of {of} links is up for {}", in_words(down)));
            self.is(AlarmKind::LinkDown, issuer.as_str(), sentence, at);
        }
    }

    fn look_at_queues(&mut self, owed: &[(IssuerName, usize)], at: Moment) {
        for (issuer, _) in owed {
            self.queues.entry(issuer.clone()).or_default();
        }
        let now: HashMap<&IssuerName, usize> = owed.iter().map(|(issuer, count)| (issuer, *count)).collect();
        let terms = (self.terms.owed, self.terms.owed_growth);
        let board = &mut self.board;
        for (issuer, queue) in &mut self.queues {
            let owed = now.get(issuer).map_or(0, |count| u64::try_from(*count).unwrap_or(u64::MAX));
            match queue.growth(at.mono, owed, terms) {
                None => board.clear(AlarmKind::QueueGrowth, issuer.as_str(), at),
                Some(growth) => {
                    let more = match growth {
                        Growth::Long => String::new(),
                        Growth::Grows(lasts) => format!(", and none have become fewer for {}", in_words(lasts)),
                    };
                    let sentence = format!("{owed} messages are owed to it{more}");
                    board.hold(AlarmKind::QueueGrowth, issuer.as_str(), &sentence, at);
                }
            }
        }
    }

    fn look_at_declines(&mut self, counted: &[Counted], at: Moment) {
        for Counted { issuer, asked, declined } in counted {
            let share = self.shares.entry(issuer.clone()).or_default();
            let high = share.look(at.mono, (*asked, *declined), (self.terms.decline_percent, self.terms.decline_least));
            let sentence = high.map(|(asked, declined)| {
                format!("{declined} of {asked} transactions of the last minute were declined or timed out")
            });
            let subject = issuer.as_ref().map_or(STATION, |issuer| issuer.as_str());
            self.is(AlarmKind::DeclineSpike, subject, sentence, at);
        }
    }

    fn mac_failed(&mut self, source: Source, at: Moment) {
        if self.macs.len() >= MAC_WINDOWS && !self.macs.contains_key(&source) {
            return;
        }
        let minute = self.macs.entry(source).or_default();
        minute.add(at.mono.as_secs(), [1]);
        let [count] = minute.sums(at.mono.as_secs());
        if count >= self.terms.mac_failures {
            let sentence = format!("{count} messages of the last minute had a wrong MAC");
            self.board.raise(AlarmKind::MacFailures, &source.subject(), &sentence, at);
        }
    }

    /// Those that were quiet for a minute are over, and forgotten.
    fn look_at_macs(&mut self, at: Moment) {
        let board = &mut self.board;
        self.macs.retain(|source, minute| {
            let is_busy = minute.sums(at.mono.as_secs()) != [0];
            if !is_busy {
                board.clear(AlarmKind::MacFailures, &source.subject(), at);
            }
            is_busy
        });
    }

    fn look_at_disk(&mut self, free: Option<u64>, at: Moment) {
        let least = self.terms.disk_free;
        if let Some(free) = free {
            let was = self.board.find(AlarmKind::Disk, STATION).is_some();
            // A little more than the least, so that it does not come and go.
            let little = free < if was { least.saturating_add(least / 10) } else { least };
            let sentence = little.then(|| format!("{} MiB are free where the ledger is", free >> 20));
            self.is(AlarmKind::Disk, STATION, sentence, at);
        }
        if self.full_at.is_some_and(|full| at.mono.saturating_sub(full) >= self.terms.quiet) {
            self.full_at = None;
            self.board.clear(AlarmKind::Disk, LEDGER, at);
        }
    }

    fn look_at_clock(&mut self, at: Moment) {
        if let Some(jump) = self.clocks.look(at, self.terms.clock_jump) {
            let subject = if jump < 0 { "back" } else { "ahead" };
            let by = in_words(Duration::from_micros(jump.unsigned_abs()));
            let sentence = format!("the wall clock went {subject} by {by}; nothing expires or is reordered by it");
            self.board.raise(AlarmKind::ClockJump, subject, &sentence, at);
        }
    }

    fn look_at_endings(&mut self, endings: &[Ending], at: Moment) {
        let ending: Vec<&Ending> = endings.iter().filter(|ending| ending.days < self.terms.certificate_days).collect();
        let still: HashSet<&str> = ending.iter().map(|ending| ending.file.as_str()).collect();
        let over = |alarm: &Alarm| alarm.kind == AlarmKind::KeyExpiry && !still.contains(&*alarm.subject);
        self.board.clear_where(over, at);
        for Ending { file, days } in ending {
            let sentence = match days {
                ..0 => "a certificate in it has ended: peers refuse it".to_owned(),
                days => format!("a certificate in it ends in {days} days: renew it and restart"),
            };
            self.board.hold(AlarmKind::KeyExpiry, file, &sentence, at);
        }
    }

    fn look_at_silence(&mut self, heard: &[(TerminalId, Duration)], at: Moment) {
        let Some(most) = self.terms.silent else { return };
        for (terminal, last) in heard {
            let silent = at.mono.saturating_sub(*last);
            let sentence = (silent > most).then(|| format!("it says nothing for {}", in_words(silent)));
            self.is(AlarmKind::SilentTerminal, &named(&Some(*terminal)), sentence, at);
        }
    }
}

impl Source {
    fn subject(self) -> String {
        match self {
            Self::Household(address) => format!("source {address}"),
            Self::Terminal(terminal) => named(&Some(terminal)),
        }
    }
}

fn named(terminal: &Option<TerminalId>) -> String {
    let id = terminal.as_ref().map_or("-", TerminalId::as_str).trim_end();
    format!("terminal {id}")
}

fn in_words(span: Duration) -> String {
    match span.as_secs() {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7_199 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}
