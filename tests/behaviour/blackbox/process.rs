//! A station as a process, with banks that outlive it.

use crate::switch::CARD_A;
use crate::switch::CARD_B;
use crate::switch::rig::OpenBank;
use crate::switch::rig::Recipe;
use crate::switch::rig::Till;
use crate::switch::rig::await_that;
use crate::switch::rig::bank;
use crate::switch::rig::write_station;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::BufRead;
use std::io::BufReader;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Output;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tollgate::model::Kind;
use tollgate::model::ResponseCode;
use tollgate::model::Rrn;
use tollgate::sim::issuer::books::Money;

const TOLLGATE: &str = env!("CARGO_BIN_EXE_tollgate");

/// A station whose process a test starts, kills and asks.
pub(super) struct Station {
    folder: TempDir,
    banks: [OpenBank; 3],
    door: SocketAddr,
    child: Option<Child>,
    level: &'static str,
}

impl Station {
    /// Its files, and two banks that listen. `tables` goes into the station's file; the ledger is kept.
    pub(super) fn new(tables: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let banks = [bank("bank-a"), bank("bank-b"), bank("qr-a")];
        let kept = format!("{tables}[hsm]\nmaster = \"master.key\"\n[risk]\n");
        let recipe = Recipe { timeout_ms: 800, tables: &kept, ..Recipe::default() };
        write_station(folder.path(), banks.each_ref(), &recipe);
        std::fs::write(folder.path().join("bins.csv"), recipe.bins).unwrap();
        // A port that nobody has now: the station must come back to the same door after each death.
        let door = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let station = Self { folder, banks, door, child: None, level: "warn" };
        station.edit("127.0.0.1:0", &door.to_string());
        station
    }

    /// A ledger of small segments, in a folder beside the station's file.
    pub(super) fn kept() -> Self {
        Self::new("[ledger]\nfolder = \"ledger\"\nsegment_bytes = 262144\nsnapshot_s = 1\nanchor_ms = 20\n")
    }

    /// A file or folder of the station.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where terminals call.
    pub(super) fn door(&self) -> SocketAddr {
        self.door
    }

    /// What it logs from now on: `warn` at first.
    pub(super) fn says(&mut self, level: &'static str) {
        self.level = level;
    }

    /// The command that serves.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(TOLLGATE);
        command.args(["serve", "--log", self.level, "-c"]).arg(self.file("station.toml"));
        command
    }

    /// Starts it and waits until its doors are open.
    pub(super) fn start(&mut self) {
        self.start_as(self.command());
    }

    /// The same by a command of the test's own.
    pub(super) fn start_as(&mut self, command: Command) {
        if let Err(status) = self.try_start_as(command) {
            panic!("it did not start: {status}\n{}", self.log());
        }
    }

    /// The same where it may be refused: how it ended then.
    pub(super) fn try_start_as(&mut self, mut command: Command) -> Result<(), ExitStatus> {
        assert!(self.child.is_none(), "one at a time");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.file("log")).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        if !lines.any(|line| line.unwrap().starts_with("door pos ")) {
            return Err(child.wait().unwrap());
        }
        // What it prints later must not block it.
        std::thread::spawn(move || lines.for_each(drop));
        self.child = Some(child);
        Ok(())
    }

    /// A start that must be refused: its exit code, and what it said.
    pub(super) fn refusal(&mut self) -> (Option<i32>, String) {
        let said = self.log().len();
        let refused = self.try_start_as(self.command());
        let status = refused.expect_err("it must not start");
        (status.code(), self.log().get(said..).unwrap_or_default().to_owned())
    }

    /// Changes a line of the station's file.
    pub(super) fn edit(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.file("station.toml")).unwrap();
        assert!(text.contains(from), "no `{from}` in\n{text}");
        std::fs::write(self.file("station.toml"), text.replacen(from, to, 1)).unwrap();
    }

    /// What it logged, over all its lives.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.file("log")).unwrap_or_default()
    }

    /// Kills it as a power cut would: no handler, no last word.
    pub(super) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Asks it to end (SIGTERM), and how it ended.
    pub(super) fn stop(&mut self) -> ExitStatus {
        assert!(Command::new("kill").args(["-TERM", &self.id().to_string()]).status().unwrap().success());
        self.ended()
    }

    /// Its process number.
    pub(super) fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Waits until it has ended by itself.
    pub(super) fn ended(&mut self) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        let mut ended = None;
        await_that("the process ends", || {
            ended = child.try_wait().unwrap();
            ended.is_some()
        });
        ended.unwrap()
    }

    /// Whether it runs.
    pub(super) fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// Waits until both banks answer.
    pub(super) fn await_links(&self) {
        let mut till = Till::at(self.door, 10_000_009, "pos");
        till.sign_in();
        for card in [CARD_A, CARD_B] {
            let mut up = || till.ask(Kind::Balance, 0, card).code == Some(ResponseCode::Approved);
            await_that("the links are up", &mut up);
        }
    }

    /// `tollgate ledger VERB DIR ..`
    pub(super) fn ledger(&self, verb: &str, more: &[&str]) -> Output {
        Command::new(TOLLGATE).args(["ledger", verb]).arg(self.file("ledger")).args(more).output().unwrap()
    }

    /// What is open and owed, as the files say.
    pub(super) fn unfinished(&self) -> u64 {
        let said = self.stat();
        let owed = said["owed"].as_object().map_or(0, |owed| owed.values().filter_map(|count| count.as_u64()).sum());
        said["open"].as_u64().unwrap() + owed
    }

    /// What the banks hold or have taken, by reference number.
    pub(super) fn booked(&self) -> BTreeMap<Rrn, u64> {
        let postings = self.banks.iter().flat_map(|(bank, _)| bank.books());
        let standing = postings.filter(|posting| matches!(posting.money, Money::Booked | Money::Held));
        let mut booked = BTreeMap::new();
        for posting in standing {
            let amount = posting.entry.amount.minor();
            if amount > 0 {
                *booked.entry(posting.entry.rrn.unwrap()).or_default() += amount;
            }
        }
        booked
    }

    /// The transactions of the ledger's files.
    pub(super) fn rows(&self) -> Vec<Value> {
        let exported = self.ledger("export", &[]);
        assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
        let lines = exported.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
    }

    /// What the ledger's files hold approved and not undone, by reference number: terminal and amount.
    pub(super) fn standing(&self) -> BTreeMap<Rrn, (String, u64)> {
        let standing = self.rows().into_iter().filter(|row| row["standing"] == "approved" && row["kind"] == "sale");
        standing
            .map(|row| {
                let amount = row["approved_amount"].as_u64().or(row["amount"].as_u64()).unwrap();
                let rrn = Rrn::parse(row["rrn"].as_str().unwrap().as_bytes()).unwrap();
                (rrn, (row["terminal"].as_str().unwrap().to_owned(), amount))
            })
            .collect()
    }

    /// What `tollgate ledger stat` says.
    pub(super) fn stat(&self) -> Value {
        serde_json::from_slice(&self.ledger("stat", &["--json"]).stdout).unwrap()
    }

    /// Waits until nothing is open or owed any more.
    pub(super) fn await_finished(&self) {
        await_that("nothing is open or owed", || {
            std::thread::sleep(Duration::from_millis(200));
            self.unfinished() == 0
        });
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Nothing is asked of it any more.
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("its log:\n{}", self.log());
        }
    }
}

/// Copies the files of a folder, without its folders.
pub(super) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
