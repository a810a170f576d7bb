//! `tollgate demo`: a switch, three issuers and busy terminals on loopback, and the proof that they agree.

mod closing;
mod folder;
mod jumper;
mod print;
mod traffic;
pub(in crate::cli) mod verify;

use self::folder::{Folder, Visitor};
use self::traffic::Traffic;
use super::{Exit, Failure, Outcome, serve};
use crate::channel;
use crate::hsm::software::SoftwareHsm;
use crate::model::IssuerName;
use crate::ops::alarms::AlarmThread;
use crate::ops::metrics::MetricsThread;
use crate::registry::Issuer;
use crate::server::Stopper;
use crate::server::SystemEntropy;
use crate::server::config::Loaded;
use crate::server::logging;
use crate::server::reload_on_hangup;
use crate::server::run::Running;
use crate::server::stop_on_signals;
use crate::sim::cards;
use crate::sim::cards::TestCard;
use crate::sim::issuer;
use crate::sim::issuer::Bank;
use crate::sim::issuer::IssuerThread;
use crate::sim::till_roll::TillRoll;
use clap::Args;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Run a switch, three mock issuers and simulated terminals on loopback, with TEST KEYS.
///
/// Prints its doors, test cards and commands to try, and a live line. At the end it undoes what is owed,
/// compares terminals, switch and issuers to the cent, settles the day, and reconciles it with the clearing files that
/// the issuers write. With --data all three go on where they were, also
/// after `kill -9`, and the comparison is over all runs in that folder.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  tollgate demo\n  tollgate demo --for 10s --rate 50/s\n  \
    tollgate demo --data demo-data                      kill it as you like, and start it again\n  \
    tollgate demo --listen 0.0.0.0:8583 --terminal 30000001:898110054119001 --tmk-file tmk.hex\n\n\
    Exit codes: 0 everything agrees, 1 it does not or a difference is open, 4 a port is in use, 6 another demo uses the folder;\n\
    7, 8, 9 of the ledger as with `tollgate serve`.")]
pub(super) struct Demo {
    #[command(flatten)]
    options: Options,
}

#[derive(Args, Debug)]
struct Options {
    /// End by itself after this time, such as 10s or 2m; until Ctrl-C otherwise
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    time: Option<Duration>,
    /// Simulated sales a second; 0 for none
    #[arg(long, default_value = "50/s", value_parser = rate)]
    rate: f64,
    /// Where the simulated sales' choices begin
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Keep everything in this folder and go on with what is there; a scratch folder that goes away otherwise
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where the door `pos` listens instead of 127.0.0.1:8583
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Let a real terminal in: its number and its merchant's
    #[arg(long, value_name = "TID:MID", requires = "tmk_file")]
    terminal: Option<String>,
    /// Its master key, double length, as 32 hex digits in a file
    #[arg(long, value_name = "FILE", requires = "terminal")]
    tmk_file: Option<PathBuf>,
    /// What is logged to standard error: off, error, warn, info, debug
    #[arg(long, default_value = "off", env = "TOLLGATE_LOG")]
    log: String,
}

/// How long reversals may take to reach the issuers at the end.
const SETTLING: Duration = Duration::from_secs(60);
/// How often the live line is drawn.
const LIVE: Duration = Duration::from_millis(500);

impl Demo {
    /// Runs the demo to its end.
    ///
    /// # Errors
    /// A port in use, a folder that cannot be written.
    pub(super) fn run(self, out: &mut dyn Write) -> Outcome {
        let options = self.options;
        // Only a second start in one process could fail, and then the first one's logging stands.
        let _ = logging::start(logging::Form::of_stderr(), &options.log);
        let folder = Folder::make(&options)?;
        let loaded = serve::load(&folder.path().join("station.toml"))?;
        let cards = cards::demo();
        let banks = loaded.registry.issuers().map(|row| bank(row, &loaded, &cards, &folder));
        let banks = banks.collect::<Result<Vec<_>, _>>()?;
        let roll = folder.kept("terminals.log").map(|path| till_roll(&path)).transpose()?;
        let alarms = serve::alarms(&loaded, folder.path())?;
        let metrics = serve::metrics(&loaded)?;
        let running = Running::start(loaded, folder.path()).map_err(|fault| serve::start_failure(&fault))?;
        // The lists are read again when an operator says so, at SIGHUP, and when the time of a row has come.
        reload_on_hangup(running.reload(folder.path().join("station.toml")))?;
        let watched = AlarmThread::start(alarms, &running)?;
        let _metrics = metrics.map(|plan| MetricsThread::start(plan, &running, Some(&watched))).transpose()?;
        let asked = Stopper::default();
        stop_on_signals(asked.clone())?;
        leave_at_once_when_forced(asked.clone(), folder.scratch())?;
        print::welcome(out, &running, &folder, &cards)?;
        print::recovered(out, running.recovered(), &folder)?;
        let started = Instant::now();
        let registry = running.parts().registry.load_full();
        let traffic = Traffic::start(&registry, &cards, pos_address(&running), (options.rate, options.seed), roll)?;
        jumper::jump(out, &running, &cards, traffic::target(pos_address(&running)))?;
        watch(out, &running, &asked, options.time)?;
        let live = traffic.as_ref().map(|traffic| Arc::clone(&traffic.live));
        // A station that stopped itself has nobody to undo anything with.
        let traffic = traffic.filter(|_| !running.stopper().is_forced());
        let beliefs = traffic.map(Traffic::finish).transpose()?.unwrap_or_default();
        let parts = running.parts().clone();
        let went_on = running.recovered().found.as_ref().is_some_and(|found| !found.is_new);
        running.finish(SETTLING).map_err(|fault| Failure::new(Exit::LedgerFailed, fault.to_string()))?;
        let books: Vec<_> = banks.iter().map(|(name, bank, _)| (name.clone(), bank.books())).collect();
        let records = crate::ledger::Ledger::records(&*parts.ledger);
        let mut comparison = verify::compare(&records, &books, &beliefs);
        comparison.batches(live.as_deref());
        print::goodbye(out, &parts, live.as_deref(), started.elapsed())?;
        print::verdict(out, &comparison, went_on)?;
        let is_clean = closing::close(&folder, &banks, (&records, comparison.to_settle), out)?;
        Ok(if comparison.differences.is_empty() && is_clean { Exit::Ok } else { Exit::No })
    }
}

type OpenBank = (IssuerName, Arc<Bank<SoftwareHsm>>, IssuerThread);

/// One mock issuer, listening where the station will look for it.
fn bank(row: &Issuer, loaded: &Loaded, cards: &[TestCard], folder: &Folder) -> Result<OpenBank, Failure> {
    let config = |what: String| Failure::new(Exit::Config, what);
    let profile =
        channel::builtin::profile(&row.profile).ok_or_else(|| config(format!("no profile {}", row.profile)))?;
    let parts = issuer::Parts {
        name: row.name.clone(),
        profile,
        keys: loaded.keys.clear(),
        cards,
        late: issuer::LATE,
        entropy: Arc::new(SystemEntropy),
    };
    let bank = Arc::new(issuer::assemble(&parts).map_err(|error| config(error.to_string()))?);
    if let Some(path) = folder.kept(&format!("{}.log", row.name)) {
        bank.keep_books(&path).map_err(|error| config(format!("{}: {error}", path.display())))?;
    }
    let address: SocketAddr = row.address.parse().map_err(|_| config(format!("{} is no address", row.address)))?;
    let thread = IssuerThread::start(Arc::clone(&bank), address)
        .map_err(|error| Failure::new(Exit::NoConnection, format!("issuer {} at {address}: {error}", row.name)))?;
    Ok((row.name.clone(), bank, thread))
}

fn till_roll(path: &Path) -> Result<Arc<TillRoll>, Failure> {
    let roll = TillRoll::open(path).map(Arc::new);
    roll.map_err(|error| Failure::new(Exit::Config, format!("{}: {error}", path.display())))
}

fn pos_address(running: &Running) -> SocketAddr {
    let door = running.doors().iter().find(|door| &*door.name == "pos");
    let mut address = door.map_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8583)), |door| door.listen);
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    address
}

/// Draws the live line until the time is over or somebody says stop.
fn watch(out: &mut dyn Write, running: &Running, asked: &Stopper, time: Option<Duration>) -> std::io::Result<()> {
    let started = Instant::now();
    let live = std::io::stdout().is_terminal();
    let ended = running.stopper();
    while !asked.is_stopping() && !ended.is_stopping() && time.is_none_or(|time| started.elapsed() < time) {
        let left = time.map_or(LIVE, |time| time.saturating_sub(started.elapsed()));
        std::thread::sleep(left.min(LIVE));
        if live {
            print::live(out, running, started.elapsed())?;
        }
    }
    Ok(())
}

/// The first signal stops the traffic, so that terminals can still undo what they owe through the doors;
/// a second one does not wait for anything.
fn leave_at_once_when_forced(asked: Stopper, scratch: Option<PathBuf>) -> std::io::Result<()> {
    let body = move || {
        while !asked.is_forced() {
            std::thread::sleep(LIVE);
        }
        if let Some(scratch) = &scratch {
            // What cannot be removed is left in the machine's scratch folder.
            let _ = std::fs::remove_dir_all(scratch);
        }
        eprintln!("stopped at once: nothing was compared");
        std::process::exit(130);
    };
    std::thread::Builder::new().name("force".to_owned()).spawn(body).map(drop)
}

impl Options {
    fn visitor(&self) -> Result<Option<Visitor>, Failure> {
        self.terminal
            .as_deref()
            .zip(self.tmk_file.as_deref())
            .map(|(named, file)| Visitor::read(named, file))
            .transpose()
    }
}

/// `500ms`, `10s`, `2m`, `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or("needs a unit: ms, s, m or h")?;
    let (count, unit) = text.split_at(split);
    let count: u64 = count.parse().map_err(|_| "is not a whole number and a unit")?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("needs a unit: ms, s, m or h".to_owned()),
    };
    count
        .checked_mul(millis)
        .filter(|total| *total <= 30 * 86_400_000)
        .map(Duration::from_millis)
        .ok_or("is too long".to_owned())
}

/// `50/s`, or a plain number a second.
fn rate(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix("/s").unwrap_or(text);
    let rate: f64 = number.parse().map_err(|_| "is not a rate such as 50/s")?;
    if (0.0..=100_000.0).contains(&rate) { Ok(rate) } else { Err("is not between 0/s and 100000/s".to_owned()) }
}
