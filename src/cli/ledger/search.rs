//! Where to search: the archive, if there is one and it is up to date; else the journal itself.

use super::open;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::ledger::archive::ARCHIVE;
use crate::ledger::archive::Archive;
use crate::ledger::archive::Query;
use crate::ledger::archive::Reach;
use crate::ledger::journal::anchor;
use crate::model::Amount;
use crate::model::BusinessDate;
use crate::model::Clock;
use crate::model::Rrn;
use crate::model::Stan;
use crate::model::TerminalId;
use crate::model::Timestamp;
use crate::server::SystemClock;
use clap::Args;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

/// How long an archive that is behind may stand still, and how long it is waited for while it is brought up.
const STANDSTILL: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(20);

/// Which transactions
#[derive(Args, Debug)]
pub(super) struct Which {
    /// Reference number, DE 37
    #[arg(long, value_parser = rrn)]
    rrn: Option<Rrn>,
    /// Terminal, DE 41
    #[arg(long, value_parser = terminal)]
    terminal: Option<TerminalId>,
    /// The terminal's trace number, DE 11
    #[arg(long, value_parser = stan)]
    stan: Option<Stan>,
    /// Last digits of the card number: one to four
    #[arg(long, value_name = "DIGITS", value_parser = card_ends)]
    card_ends: Option<String>,
    /// Amount in minor units, DE 4
    #[arg(long, value_name = "MINOR", value_parser = amount)]
    amount: Option<Amount>,
    /// First business date
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date)]
    from: Option<BusinessDate>,
    /// Last business date
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date)]
    to: Option<BusinessDate>,
    /// Read the journal even if there is an archive
    #[arg(long)]
    scan: bool,
}

impl Which {
    pub(super) fn query(&self) -> Query {
        Query {
            id: None,
            rrn: self.rrn,
            terminal: self.terminal,
            stan: self.stan,
            card_ends: self.card_ends.clone(),
            amount: self.amount,
            from: self.from,
            to: self.to,
            most: None,
        }
    }

    /// An archive that has what `query` asks for.
    pub(in crate::cli) fn archive(&self, folder: &Path, query: &Query) -> Result<Archive, Failure> {
        archive(folder, query, self.scan)
    }
}

/// What is on record, and how far it reaches.
pub(in crate::cli) struct OnRecord {
    pub(in crate::cli) archive: Archive,
    /// Whatever was recorded before this instant is in it.
    pub(in crate::cli) until: Timestamp,
    /// When the last group of it was written.
    pub(in crate::cli) last: Option<Timestamp>,
}

/// The folder's archive, or one made of the journal for this query.
pub(in crate::cli) fn archive(folder: &Path, query: &Query, scan: bool) -> Result<Archive, Failure> {
    Ok(on_record(folder, query, scan, None)?.archive)
}

/// The folder's archive, if that reaches far enough, where that is asked; else one made of the journal for this query.
pub(in crate::cli) fn on_record(
    folder: &Path,
    query: &Query,
    scan: bool,
    reaches: Option<&dyn Fn(Timestamp) -> bool>,
) -> Result<OnRecord, Failure> {
    let mut disk = open(folder)?;
    let now = SystemClock::start().wall();
    let path = folder.join(ARCHIVE);
    if !scan && path.exists() {
        let anchored = anchor::read(&mut disk)?;
        let kept = Archive::read_only(&path).and_then(|archive| Ok((archive.head()?, archive)));
        match (kept, anchored) {
            (Ok((Some((id, head)), archive)), Some(anchored)) if id == anchored.id => {
                let durable = anchored.head().number;
                let held = caught_up(&archive, head.number, durable)?;
                let reach =
                    if reaches.is_some() { archive.reach(&mut disk)? } else { Reach { last: None, is_end: true } };
                let until = if reach.is_end { now } else { reach.last.unwrap_or(Timestamp(0)) };
                if held >= durable && reaches.is_none_or(|reaches| reaches(until)) {
                    return Ok(OnRecord { archive, until, last: reach.last });
                }
                match held >= durable {
                    true => eprintln!("note: the journal goes on behind the archive: reading the journal"),
                    false => eprintln!("note: the archive holds groups up to {held} of {durable}: reading the journal"),
                }
            }
            (Err(fault), _) => eprintln!("note: {fault}: reading the journal"),
            _ => eprintln!("note: the archive is of another journal: reading the journal"),
        }
    }
    let (archive, replayed) = Archive::of(&mut disk, query)?;
    if let Some(torn) = replayed.torn {
        eprintln!("note: {} bytes behind the last group are none; nobody was told of them", torn.bytes);
    }
    let last = Reach::of(&mut disk, replayed.head.number)?.last;
    Ok(OnRecord { archive, until: now, last })
}

/// Waits while a running station brings its archive up to `durable`; up to which group it holds then.
fn caught_up(archive: &Archive, held: u64, durable: u64) -> Result<u64, Failure> {
    let (mut held, begun, mut moved) = (held, Instant::now(), Instant::now());
    while held < durable && moved.elapsed() < STANDSTILL && begun.elapsed() < PATIENCE {
        std::thread::sleep(STANDSTILL / 10);
        let now = archive.head()?.map_or(held, |(_, head)| head.number);
        if now != held {
            (held, moved) = (now, Instant::now());
        }
    }
    Ok(held)
}

fn rrn(text: &str) -> Result<Rrn, &'static str> {
    Rrn::parse(text.as_bytes()).ok_or("12 letters or digits")
}

fn terminal(text: &str) -> Result<TerminalId, &'static str> {
    TerminalId::parse(text.as_bytes()).ok_or("8 characters")
}

fn stan(text: &str) -> Result<Stan, &'static str> {
    Stan::parse(text.as_bytes()).ok_or("1 to 999999")
}

fn amount(text: &str) -> Result<Amount, &'static str> {
    Amount::parse(text.as_bytes()).ok_or("up to 12 digits, minor units")
}

fn card_ends(text: &str) -> Result<String, &'static str> {
    let digits = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.to_owned()).ok_or("one to four digits; card numbers are kept masked")
}

fn date(text: &str) -> Result<BusinessDate, &'static str> {
    let parsed = || {
        let mut parts = text.splitn(3, '-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        BusinessDate::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
    };
    parsed().ok_or("a date as 2026-11-21")
}

/// Nothing was found.
pub(super) fn nothing() -> Failure {
    Failure::new(Exit::No, "nothing on record fits")
}
