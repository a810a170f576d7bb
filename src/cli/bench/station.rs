//! A whole station in child processes: the switch in one, each bank in one of its own. It goes away with the run.

use super::fleet::demo_merchant;
use super::machine;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::demo::verify;
use crate::cli::demo::verify::Comparison;
use crate::ledger::EmbeddedLedger;
use crate::ledger::Ledger;
use crate::ledger::journal::Folder;
use crate::ledger::journal::JournalId;
use crate::ledger::journal::Options;
use crate::ledger::verify::verify as ledger_verify;
use crate::model::IssuerName;
use crate::model::TerminalId;
use crate::registry::Breaches;
use crate::registry::Source;
use crate::server::SystemEntropy;
use crate::server::config::key_rows;
use crate::sim::cards;
use crate::sim::issuer;
use crate::sim::issuer::books::Posting;
use crate::sim::load::Belief;
use crate::sim::terminal::demo_master_key;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{DirBuilder, File};
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a child may take to listen.
const START_WITHIN: Duration = Duration::from_secs(20);
/// How long it may take to end once it is told to.
const END_WITHIN: Duration = Duration::from_secs(40);
/// The banks, which own the demo's cards.
const BANKS: [&str; 2] = ["bank-a", "bank-b"];
/// Transactions that the switch keeps in memory.
const CAPACITY: usize = 4_000_000;
const BINS: &str = include_str!("../../../specs/demo/bins.csv");

/// What kind of station.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recipe {
    /// The first terminal's number, and how many there are.
    pub(super) terminals: (u32, u32),
    /// Workers of the switch; 0: one for each core.
    pub(super) workers: u16,
    /// Whether the ledger is on disk.
    pub(super) durable: bool,
}

/// A station that runs.
pub(super) struct Station {
    folder: PathBuf,
    switch: Option<Child>,
    banks: Vec<Child>,
    /// Where terminals call.
    pub(super) door: SocketAddr,
    durable: bool,
}

fn broken(what: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Config, format!("the station for this run: {what}"))
}

impl Station {
    /// Writes its lists into a folder of its own, and starts it.
    pub(super) fn start(recipe: &Recipe) -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("tollgate-bench-{}", std::process::id()));
        // Keys are in it, if only TEST keys.
        DirBuilder::new()
            .mode(0o700)
            .create(&folder)
            .map_err(|error| broken(format!("{}: {error}", folder.display())))?;
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut station = Self { folder, switch: None, banks: Vec::new(), door: nowhere, durable: recipe.durable };
        let ports = [free_port()?, free_port()?];
        station.write(recipe, ports)?;
        for (bank, port) in BANKS.into_iter().zip(ports) {
            let child = station
                .child(&["issuer", "-c", "station.toml", "--name", bank, "--books", &format!("{bank}.log")], bank)?;
            station.banks.push(child);
            listens(port)?;
        }
        let mut switch = station.child(&["serve", "-c", "station.toml", "--log", "warn"], "switch")?;
        let said = switch.stdout.take();
        station.switch = Some(switch);
        station.door = said.and_then(door).ok_or_else(|| broken(station.last_words("switch")))?;
        Ok(station)
    }

    fn child(&self, arguments: &[&str], name: &str) -> Result<Child, Failure> {
        let program = std::env::current_exe().map_err(broken)?;
        let log = File::create(self.folder.join(format!("{name}.err"))).map_err(broken)?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.folder).stdin(Stdio::null()).stderr(log);
        command.stdout(if name == "switch" { Stdio::piped() } else { Stdio::null() });
        // A signal for the run must not end the station under it.
        command.process_group(0).spawn().map_err(broken)
    }

    fn last_words(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.folder.join(format!("{name}.err"))).unwrap_or_default();
        let last: Vec<&str> = text.lines().rev().take(3).collect();
        if last.is_empty() { format!("the {name} does not start") } else { last.join("; ") }
    }

    fn write(&self, recipe: &Recipe, ports: [u16; 2]) -> Result<(), Failure> {
        let (first, count) = recipe.terminals;
        let (mut terminals, mut keys) = ("terminal,merchant\n".to_owned(), issuer::DEMO_KEYS.to_owned());
        let mut merchants = BTreeSet::new();
        for number in first..first.saturating_add(count) {
            let terminal = TerminalId::parse(format!("{number:08}").as_bytes());
            let Some((terminal, merchant)) = terminal.zip(demo_merchant(number)) else { continue };
            // Writing to a string does not fail.
            let _ = writeln!(terminals, "{terminal},{}", merchant.as_str());
            let row = format!("terminal/{terminal}/tmk,");
            if !issuer::DEMO_KEYS.contains(&row) {
                let hex: String = demo_master_key(terminal).iter().map(|byte| format!("{byte:02X}")).collect();
                let _ = writeln!(keys, "{row}kek,tdes2,{hex}");
            }
            merchants.insert(merchant.as_str().to_owned());
        }
        let merchants: String = merchants.iter().map(|number| format!("{number},商店,Shop,5411\n")).collect();
        let issuers: Vec<String> = BANKS.into_iter().zip(ports).map(|(bank, port)| issuer_row(bank, port)).collect();
        let bins: Vec<&str> = BINS.lines().filter(|line| !line.contains("qr-a")).collect();
        for (name, text) in [
            ("station.toml", station_file(recipe).as_str()),
            ("merchants.csv", &format!("merchant,name,name_en,mcc\n{merchants}")),
            ("terminals.csv", &terminals),
            ("keys.csv", &keys),
            ("issuers.toml", &issuers.concat()),
            ("bins.csv", &format!("{}\n", bins.join("\n"))),
        ] {
            std::fs::write(self.folder.join(name), text).map_err(broken)?;
        }
        Ok(())
    }

    /// Processor time so far, in seconds: of the switch, of the banks.
    pub(super) fn cpu(&self) -> Option<(f64, f64)> {
        let switch = machine::cpu_seconds(self.switch.as_ref()?.id())?;
        let banks = self.banks.iter().map(|bank| machine::cpu_seconds(bank.id())).sum::<Option<f64>>()?;
        Some((switch, banks))
    }

    /// Ends the switch, then the banks. Whether all went by themselves.
    pub(super) fn end(&mut self) -> bool {
        let children = self.switch.iter_mut().chain(&mut self.banks);
        // Each is told, whatever became of the one before.
        children.map(end).filter(|clean| !clean).count() == 0
    }

    /// Waits until nothing is undecided or owed to a bank, as the ledger's files say; whether it came to that.
    pub(super) fn settled(&self, within: Duration) -> bool {
        let until = Instant::now() + within;
        loop {
            let report =
                Folder::read_only(&self.folder.join("ledger")).and_then(|mut folder| ledger_verify(&mut folder));
            if report.is_ok_and(|report| report.open == 0 && report.owed.values().sum::<u64>() == 0) {
                return true;
            }
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Whether terminals, ledger and banks agree, once it has ended, and the ledger kept its promises.
    pub(super) fn compare(&self, beliefs: &[Belief]) -> Result<Comparison, Failure> {
        if !self.durable {
            return Err(Failure::new(Exit::Usage, "--verify reads the ledger's files: not with --ledger memory"));
        }
        let folder = Folder::open(&self.folder.join("ledger")).map_err(broken)?;
        let opened = EmbeddedLedger::open(folder, &Options::new(JournalId([0; 16])), CAPACITY).map_err(broken)?;
        let mut comparison = verify::compare(&opened.ledger.records(), &self.books()?, beliefs);
        drop(opened);
        let mut folder = Folder::read_only(&self.folder.join("ledger")).map_err(broken)?;
        let report = ledger_verify(&mut folder).map_err(broken)?;
        comparison.differences.extend(report.violations.iter().map(|found| format!("the ledger: {}", found.what)));
        Ok(comparison)
    }

    /// What the banks wrote down.
    fn books(&self) -> Result<Vec<(IssuerName, Vec<Posting>)>, Failure> {
        let keys = key_rows(Source { file: "keys.csv", text: issuer::DEMO_KEYS }, &mut Breaches::default());
        let all = cards::demo();
        let mut books = Vec::new();
        for bank in BANKS {
            let name = IssuerName::parse(bank).ok_or_else(|| broken("a bank without a name"))?;
            let profile = crate::channel::builtin::profile(bank).ok_or_else(|| broken("a bank without a profile"))?;
            let entropy = Arc::new(SystemEntropy);
            let parts =
                issuer::Parts { name: name.clone(), profile, keys: &keys, cards: &all, late: issuer::LATE, entropy };
            let assembled = issuer::assemble(&parts).map_err(broken)?;
            assembled.keep_books(&self.folder.join(format!("{bank}.log"))).map_err(broken)?;
            books.push((name, assembled.books()));
        }
        Ok(books)
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        for child in self.switch.iter_mut().chain(&mut self.banks) {
            if matches!(child.try_wait(), Ok(None)) {
                // It may have ended by itself just now.
                let _ = child.kill();
                let _ = child.wait();
            }
        }
        // What cannot be removed is left in the machine's scratch folder.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn end(child: &mut Child) -> bool {
    let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended by itself just now.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    let until = Instant::now() + END_WITHIN;
    while Instant::now() < until {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(Duration::from_millis(20)),
            Ok(Some(status)) => return status.success(),
            Err(_) => return false,
        }
    }
    false
}

fn station_file(recipe: &Recipe) -> String {
    let ledger = if recipe.durable { "folder = \"ledger\"\n" } else { "" };
    let master = if recipe.durable { "[hsm]\nmaster = \"hsm-master.key\"\n" } else { "" };
    format!(
        "[station]\nname = \"bench\"\ntest_keys = true\nworkers = {}\nacquirer = \"89811000\"\ncurrency = \"156\"\n\
         offset_minutes = 480\n\
         [[door]]\nname = \"pos\"\nlisten = \"127.0.0.1:0\"\nprofile = \"pos\"\nallow = [\"127.0.0.0/8\"]\n\
         [ledger]\n{ledger}capacity = {CAPACITY}\ndays_kept = 3650\n{master}\
         [limits]\nsessions = 120000\nsessions_per_address = 120000\n\
         [keys]\nsign_ins_per_source = 1000000\n\
         [risk]\nleast = 1\nmost = 10000000\n\
         [files]\nmerchants = [\"merchants.csv\"]\nterminals = [\"terminals.csv\"]\nissuers = [\"issuers.toml\"]\n\
         bins = [\"bins.csv\"]\nkeys = [\"keys.csv\"]\n",
        recipe.workers
    )
}

fn issuer_row(bank: &str, port: u16) -> String {
    let sign_on = if bank == "bank-a" { "sign_on = true\n" } else { "" };
    format!(
        "[[issuer]]\nname = \"{bank}\"\naddress = \"127.0.0.1:{port}\"\nprofile = \"{bank}\"\ntimeout_ms = 5000\n{sign_on}\n"
    )
}

/// A port that nobody uses at this moment.
fn free_port() -> Result<u16, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(broken)
}

fn listens(port: u16) -> Result<(), Failure> {
    let until = Instant::now() + START_WITHIN;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if Instant::now() > until {
            return Err(broken("a bank does not listen"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Reads what the switch says until it names its door. What it says afterwards nobody reads.
fn door(said: impl Read) -> Option<SocketAddr> {
    let mut lines = BufReader::new(said).lines().map_while(Result::ok);
    let line = lines.find(|line| line.starts_with("door pos listens on "))?;
    line.split([' ', ',']).nth(4)?.parse().ok()
}
