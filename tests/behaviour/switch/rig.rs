//! A whole station on free ports: the real switch, two mock banks, and a terminal that writes bytes.

use super::{CARD_A, CARD_B};
use bytes::Bytes;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tollgate::channel::builtin::profile;
use tollgate::hsm::HsmCounts;
use tollgate::hsm::calculator::ClearPin;
use tollgate::hsm::software::SoftwareHsm;
use tollgate::ledger::EmbeddedLedger;
use tollgate::ledger::Ledger;
use tollgate::ledger::Recorded;
use tollgate::model::Amount;
use tollgate::model::Clock;
use tollgate::model::Currency;
use tollgate::model::IssuerName;
use tollgate::model::Kind;
use tollgate::model::MerchantId;
use tollgate::model::ResponseCode;
use tollgate::model::SessionFacts;
use tollgate::model::TerminalId;
use tollgate::model::ZoneFacts;
use tollgate::ops::alarms::AlarmPlan;
use tollgate::ops::alarms::AlarmThread;
use tollgate::ops::alarms::Noted;
use tollgate::ops::metrics::MetricsPlan;
use tollgate::ops::metrics::MetricsThread;
use tollgate::registry::Breaches;
use tollgate::registry::Source;
use tollgate::server::Ending;
use tollgate::server::ReloadFault;
use tollgate::server::Reloaded;
use tollgate::server::SystemClock;
use tollgate::server::SystemEntropy;
use tollgate::server::config;
use tollgate::server::config::key_rows;
use tollgate::server::run::Recovered;
use tollgate::server::run::Running;
use tollgate::server::run::StartFault;
use tollgate::sim::cards;
use tollgate::sim::cards::TestCard;
use tollgate::sim::issuer;
use tollgate::sim::issuer::Bank;
use tollgate::sim::issuer::IssuerThread;
use tollgate::sim::issuer::books::Money;
use tollgate::sim::terminal::Answer;
use tollgate::sim::terminal::Card;
use tollgate::sim::terminal::Entry;
use tollgate::sim::terminal::Habits;
use tollgate::sim::terminal::Heard;
use tollgate::sim::terminal::Memory;
use tollgate::sim::terminal::PinPad;
use tollgate::sim::terminal::Purchase;
use tollgate::sim::terminal::Sent;
use tollgate::sim::terminal::Setup;
use tollgate::sim::terminal::Terminal;
use tollgate::sim::terminal::demo_dukpt_pad;
use tollgate::sim::terminal::demo_pin_pad;

/// How long a test waits for something that must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A bank with its host, while it lives.
pub(crate) type OpenBank = (Arc<Bank<SoftwareHsm>>, Option<IssuerThread>);

/// What a station is to be.
pub(crate) struct Recipe<'a> {
    /// How long it waits for its banks.
    pub(crate) timeout_ms: u64,
    /// Further tables of its file.
    pub(crate) tables: &'a str,
    /// Its routes.
    pub(crate) bins: &'a str,
    /// Further lines of bank A's row.
    pub(crate) bank_a: &'a str,
    /// Further lines of bank B's row.
    pub(crate) bank_b: &'a str,
    /// Who listens in place of bank A.
    pub(crate) in_place_of_a: Option<SocketAddr>,
    /// Further lines of its row.
    pub(crate) station: &'a str,
    /// Further lines of `[files]`.
    pub(crate) files: &'a str,
    /// Further lines of the doors `pos` and `side`.
    pub(crate) pos: &'a str,
    /// Files beside the station's, or in place of them: name and text.
    pub(crate) lists: &'a [(&'a str, &'a str)],
}

impl Default for Recipe<'_> {
    fn default() -> Self {
        let bins = include_str!("../../../specs/demo/bins.csv");
        Self {
            timeout_ms: 5_000,
            tables: "",
            bins,
            bank_a: "",
            bank_b: "",
            in_place_of_a: None,
            station: "",
            files: "",
            pos: "",
            lists: &[],
        }
    }
}

/// A running station with its banks.
pub(crate) struct Rig {
    alarms: Option<AlarmThread>,
    metrics: Option<MetricsThread>,
    running: Option<Running>,
    pub(crate) bank_a: OpenBank,
    pub(crate) bank_b: OpenBank,
    /// The issuer of payment codes.
    pub(crate) wallets: OpenBank,
    folder: TempDir,
}

/// A ledger in a folder, in small segments so that tests see more than one.
pub(crate) const KEPT: &str = "[ledger]\nfolder = \"ledger\"\nsegment_bytes = 65536\n[hsm]\nmaster = \"master.key\"\n";

impl Rig {
    /// The demo's station on free ports, waiting `timeout_ms` for its banks.
    pub(crate) fn start(timeout_ms: u64) -> Self {
        Self::with_limits(timeout_ms, "")
    }

    /// The same with a `[risk]` table of its own.
    pub(crate) fn with_limits(timeout_ms: u64, risk: &str) -> Self {
        Self::with_routes(timeout_ms, risk, include_str!("../../../specs/demo/bins.csv"))
    }

    /// The same with routes of its own too.
    pub(crate) fn with_routes(timeout_ms: u64, risk: &str, bins: &str) -> Self {
        Self::of(&Recipe { timeout_ms, tables: &format!("[risk]\n{risk}\n"), bins, ..Recipe::default() })
    }

    /// A station whose ledger is kept in a folder.
    pub(crate) fn kept(timeout_ms: u64) -> Self {
        Self::of(&Recipe { timeout_ms, tables: KEPT, ..Recipe::default() })
    }

    /// What the recipe says, waiting for the banks that are mock banks.
    pub(crate) fn of(recipe: &Recipe<'_>) -> Self {
        let rig = Self::at_once(recipe);
        rig.await_cards(if recipe.in_place_of_a.is_some() { &[CARD_B] } else { &[CARD_A, CARD_B] });
        rig
    }

    /// What the recipe says, waiting for nobody.
    pub(crate) fn at_once(recipe: &Recipe<'_>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (bank_a, bank_b, wallets) = (bank("bank-a"), bank("bank-b"), bank("qr-a"));
        write_station(folder.path(), [&bank_a, &bank_b, &wallets], recipe);
        std::fs::write(folder.path().join("bins.csv"), recipe.bins).unwrap();
        let mut rig = Self { alarms: None, metrics: None, running: None, bank_a, bank_b, wallets, folder };
        rig.run();
        rig
    }

    fn run(&mut self) {
        self.running = Some(self.try_run().unwrap_or_else(|fault| panic!("{fault}")));
    }

    /// Another start of the same station.
    pub(crate) fn try_run(&self) -> Result<Running, StartFault> {
        let known = |name: &str| profile(name).is_some();
        let loaded = config::load(&self.folder.path().join("station.toml"), &known).unwrap();
        Running::start(loaded, self.folder.path())
    }

    /// Watches over the station, as `serve` does.
    pub(crate) fn watch_over(&mut self) {
        let plan = AlarmPlan::read(self.running().config(), self.folder.path()).unwrap();
        self.alarms = Some(AlarmThread::start(plan, self.running()).unwrap());
    }

    /// Tells its figures, as `serve` does: where.
    pub(crate) fn measure(&mut self) -> SocketAddr {
        let plan = MetricsPlan::open(&self.running().config().metrics).unwrap().unwrap();
        let metrics = MetricsThread::start(plan, self.running(), self.alarms.as_ref()).unwrap();
        self.metrics.insert(metrics).address()
    }

    /// Tells those who watch over it of something.
    pub(crate) fn note_alarm(&self, noted: &Noted) {
        self.alarms.as_ref().unwrap().note(noted);
    }

    /// Stops the switch where it stands.
    pub(crate) fn stop(&mut self) {
        let running = self.running.take().unwrap();
        running.stopper().force();
        assert!(running.wait(Duration::ZERO).is_ok(), "the ledger held");
    }

    /// Stops it as SIGTERM does, without patience for what is owed.
    pub(crate) fn drain(&mut self) -> Ending {
        self.running.take().unwrap().finish(Duration::ZERO).unwrap()
    }

    /// Starts it again; the banks have lived on. What it found.
    pub(crate) fn start_again(&mut self) -> Recovered {
        self.run();
        self.running().recovered().clone()
    }

    /// Reads the station's lists again, as SIGHUP does.
    pub(crate) fn reload(&self) -> Result<Reloaded, ReloadFault> {
        self.running().reload(self.file("station.toml")).run()
    }

    /// A file of the station.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Opens a bank's host again where it was, after it was dropped.
    pub(crate) fn reopen(bank: &mut OpenBank, address: SocketAddr) {
        await_that("the port is free", || {
            bank.1 = IssuerThread::start(Arc::clone(&bank.0), address).ok();
            bank.1.is_some()
        });
    }

    /// How calls of the station's HSM ended.
    pub(crate) fn hsm(&self) -> HsmCounts {
        self.running().parts().hsm.counts()
    }

    /// The ledger of the station.
    pub(crate) fn ledger(&self) -> &EmbeddedLedger {
        &self.running().parts().ledger
    }

    /// Keeps other facts of an issuer's keys than those that came about.
    pub(crate) fn note_zone(&self, issuer: &IssuerName, facts: ZoneFacts) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(self.ledger().note_zone(issuer, facts)).unwrap();
    }

    /// The batch that a terminal's next transactions belong to, as the switch has it now.
    pub(crate) fn live_batch(&self, terminal: TerminalId) -> u32 {
        let batch = self.running().parts().sessions.read(terminal, |session| session.batch.value());
        batch.unwrap_or(0)
    }

    /// What the switch knows of a terminal's session.
    pub(crate) fn facts(&self, terminal: TerminalId) -> SessionFacts {
        self.running().parts().sessions.read(terminal, Clone::clone).unwrap_or_default()
    }

    pub(crate) fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    pub(crate) fn door(&self, name: &str) -> SocketAddr {
        self.running().doors().iter().find(|door| &*door.name == name).unwrap().listen
    }

    pub(crate) fn owed(&self) -> usize {
        self.running().owed()
    }

    pub(crate) fn records(&self) -> Vec<Recorded> {
        self.running().parts().ledger.records()
    }

    /// A terminal that has not signed in.
    pub(crate) fn terminal(&self, number: u32) -> Till {
        Till::new(self, number, "pos")
    }

    /// A terminal with working keys.
    pub(crate) fn signed_in(&self, number: u32) -> Till {
        let mut till = self.terminal(number);
        till.sign_in();
        till
    }

    /// Money that stands in a bank's books, in minor units.
    pub(crate) fn booked(bank: &OpenBank) -> u64 {
        let standing =
            bank.0.books().into_iter().filter(|posting| matches!(posting.money, Money::Booked | Money::Held));
        standing.map(|posting| posting.entry.amount.minor()).sum()
    }

    /// Waits until nothing is owed to an issuer.
    pub(crate) fn await_undone(&self) {
        await_that("everything owed is delivered", || self.owed() == 0);
    }

    /// Inquiries until both banks answer: their links are up.
    pub(crate) fn await_links(&self) {
        self.await_cards(&[CARD_A, CARD_B]);
    }

    fn await_cards(&self, cards: &[&str]) {
        let mut till = self.signed_in(10_000_009);
        for card in cards {
            await_that("the links are up", || till.ask(Kind::Balance, 0, card).code == Some(ResponseCode::Approved));
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            let ended = running.finish(Duration::ZERO);
            assert!(ended.is_ok(), "the ledger held");
        }
    }
}

/// Looks until it is so.
pub(crate) fn await_that(what: &str, mut so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < until, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn bank(name: &str) -> OpenBank {
    let keys = key_rows(Source { file: "keys.csv", text: issuer::DEMO_KEYS }, &mut Breaches::default());
    let parts = issuer::Parts {
        name: IssuerName::parse(name).unwrap(),
        profile: profile(name).unwrap(),
        keys: &keys,
        cards: &cards::demo(),
        late: Duration::from_millis(1_500),
        entropy: Arc::new(SystemEntropy),
    };
    let bank = Arc::new(issuer::assemble(&parts).unwrap());
    let thread = IssuerThread::start(Arc::clone(&bank), "127.0.0.1:0".parse().unwrap()).unwrap();
    (bank, Some(thread))
}

pub(crate) fn write_station(folder: &Path, banks: [&OpenBank; 3], recipe: &Recipe<'_>) {
    let Recipe { timeout_ms, tables, bank_a, bank_b, in_place_of_a, station: row, files, pos, lists, .. } = recipe;
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("specs/demo");
    for file in ["merchants.csv", "terminals.csv", "keys.csv"] {
        std::fs::copy(demo.join(file), folder.join(file)).unwrap();
    }
    let rows = banks.map(|(bank, thread)| {
        let name = &bank.setup().name;
        let is_a = name.as_str() == "bank-a";
        let address = in_place_of_a.filter(|_| is_a).unwrap_or(thread.as_ref().unwrap().address());
        let more = match name.as_str() {
            "bank-a" => bank_a,
            "bank-b" => bank_b,
            _ => "",
        };
        format!(
            "[[issuer]]\nname = \"{name}\"\naddress = \"{address}\"\nprofile = \"{name}\"\ntimeout_ms = {timeout_ms}\n{more}\n"
        )
    });
    std::fs::write(folder.join("issuers.toml"), rows.concat()).unwrap();
    let station = format!(
        "[station]\nname = \"rig\"\ntest_keys = true\nworkers = 2\nacquirer = \"89811000\"\ncurrency = \"156\"\n\
         offset_minutes = 480\n{row}\n\
         [[door]]\nname = \"pos\"\nlisten = \"127.0.0.1:0\"\nprofile = \"pos\"\n{pos}\
         [[door]]\nname = \"side\"\nlisten = \"127.0.0.1:0\"\nprofile = \"pos\"\n{pos}\
         [[door]]\nname = \"host\"\nlisten = \"127.0.0.1:0\"\nprofile = \"host\"\npin_key = \"host/zpk\"\nmac_key = \"host/zak\"\n\
         {tables}\
         [files]\nmerchants = [\"merchants.csv\"]\nterminals = [\"terminals.csv\"]\nissuers = [\"issuers.toml\"]\n\
         bins = [\"bins.csv\"]\nkeys = [\"keys.csv\"]\n{files}\n"
    );
    for (name, text) in *lists {
        std::fs::write(folder.join(name), text).unwrap();
    }
    std::fs::write(folder.join("station.toml"), station).unwrap();
}

/// A terminal and its line to a door; the test decides which bytes go.
pub(crate) struct Till {
    pub(crate) terminal: Terminal,
    pub(crate) line: TcpStream,
    cards: Vec<TestCard>,
}

impl Till {
    pub(crate) fn new(rig: &Rig, number: u32, door: &str) -> Self {
        Self::at(rig.door(door), number, door)
    }

    /// A terminal of the demo's lists at a door, wherever its station is.
    pub(crate) fn at(address: SocketAddr, number: u32, door: &str) -> Self {
        let serial = number - 10_000_000;
        let setup = Setup {
            profile: profile(door).unwrap(),
            terminal: TerminalId::parse(number.to_string().as_bytes()).unwrap(),
            merchant: MerchantId::parse(format!("89811005411{serial:04}").as_bytes()).unwrap(),
            currency: Currency::CNY,
            offset_minutes: 480,
            encrypt_tracks: false,
            habits: Habits::default(),
        };
        Self::with(address, setup)
    }

    pub(crate) fn of(rig: &Rig, setup: Setup, door: &str) -> Self {
        Self::with(rig.door(door), setup)
    }

    fn with(address: SocketAddr, setup: Setup) -> Self {
        let (signs_in, entropy) = (setup.profile.sign_in, Arc::new(SystemEntropy));
        let pad = match setup.profile.dukpt {
            Some(_) => demo_dukpt_pad(setup.terminal, entropy),
            None => demo_pin_pad(setup.terminal, signs_in, entropy),
        };
        let terminal = Terminal::new(setup, pad.unwrap().unwrap(), Memory::default()).unwrap();
        Self { terminal, line: connect(address), cards: cards::demo() }
    }

    /// Goes on from another address of this machine: one of 127.0.0.0/8.
    pub(crate) fn calls_from(&mut self, source: &str) {
        let (door, source) = (self.line.peer_addr().unwrap(), format!("{source}:0").parse().unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let line = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind(source).unwrap();
            socket.connect(door).await.unwrap().into_std().unwrap()
        });
        line.set_nonblocking(false).unwrap();
        self.line = ready(line);
    }

    /// The same terminal with another pad or memory, on a line of its own.
    pub(crate) fn again(&self, rig: &Rig, door: &str, pad: PinPad, memory: Memory) -> Self {
        let terminal = Terminal::new(self.terminal.setup().clone(), pad, memory).unwrap();
        Self { terminal, line: connect(rig.door(door)), cards: cards::demo() }
    }

    pub(crate) fn sign_in(&mut self) {
        let sent = self.terminal.sign_in(now()).unwrap();
        let answer = self.exchange(&sent);
        assert_eq!((answer.code, answer.keys), (Some(ResponseCode::Approved), None));
    }

    /// A request with the card's PIN, not sent.
    pub(crate) fn prepare(&mut self, kind: Kind, minor: u64, card: &str) -> Sent {
        let pin = self.cards.iter().find(|known| known.pan.clear() == card).unwrap().pin().to_owned();
        self.prepare_with(kind, minor, card, &pin)
    }

    pub(crate) fn prepare_with(&mut self, kind: Kind, minor: u64, card: &str, pin: &str) -> Sent {
        let pin = ClearPin::parse(pin.as_bytes()).unwrap();
        self.write(kind, minor, card, Entry::Chip, Some(&pin))
    }

    /// A request without a PIN, not sent.
    pub(crate) fn prepare_without_pin(&mut self, kind: Kind, minor: u64, card: &str, entry: Entry) -> Sent {
        self.write(kind, minor, card, entry, None)
    }

    fn write(&mut self, kind: Kind, minor: u64, card: &str, entry: Entry, pin: Option<&ClearPin>) -> Sent {
        let card = Card::of(self.cards.iter().find(|known| known.pan.clear() == card).unwrap());
        let purchase = Purchase { kind, amount: Amount::new(minor).unwrap(), card: &card, entry, pin };
        self.terminal.purchase(&purchase, now()).unwrap()
    }

    /// Sends a request without a PIN and judges the answer.
    pub(crate) fn ask_without_pin(&mut self, kind: Kind, minor: u64, card: &str) -> Answer {
        let sent = self.prepare_without_pin(kind, minor, card, Entry::Chip);
        self.exchange(&sent)
    }

    /// Sends a request and judges the answer.
    pub(crate) fn ask(&mut self, kind: Kind, minor: u64, card: &str) -> Answer {
        let sent = self.prepare(kind, minor, card);
        self.exchange(&sent)
    }

    pub(crate) fn exchange(&mut self, sent: &Sent) -> Answer {
        self.send(&sent.unit);
        let unit = self.receive().expect("an answer");
        self.judge(sent, unit)
    }

    pub(crate) fn judge(&mut self, sent: &Sent, unit: Bytes) -> Answer {
        match self.terminal.on_answer(sent, unit) {
            Heard::Answer(answer) => *answer,
            Heard::Other(unexpected) => panic!("{unexpected}"),
        }
    }

    pub(crate) fn send(&mut self, unit: &[u8]) {
        self.line.write_all(unit).unwrap();
    }

    /// The next unit without its length; `None` if the switch closed the line.
    pub(crate) fn receive(&mut self) -> Option<Bytes> {
        receive(&mut self.line)
    }

    /// What is on the card's account, as the issuer says.
    pub(crate) fn balance(&mut self, card: &str) -> u64 {
        let answer = self.ask(Kind::Balance, 0, card);
        let amounts = answer.message.role(tollgate::iso8583::Role::AdditionalAmounts).expect("a balance").to_vec();
        std::str::from_utf8(&amounts[8..20]).unwrap().parse().unwrap()
    }
}

pub(crate) fn connect(door: SocketAddr) -> TcpStream {
    ready(TcpStream::connect(door).unwrap())
}

fn ready(line: TcpStream) -> TcpStream {
    line.set_read_timeout(Some(PATIENCE)).unwrap();
    line.set_nodelay(true).unwrap();
    line
}

pub(crate) fn receive(line: &mut TcpStream) -> Option<Bytes> {
    let mut length = [0; 2];
    line.read_exact(&mut length).ok()?;
    let mut unit = vec![0; usize::from(u16::from_be_bytes(length))];
    line.read_exact(&mut unit).ok()?;
    Some(unit.into())
}

pub(crate) fn now() -> tollgate::model::Timestamp {
    SystemClock::start().wall()
}
