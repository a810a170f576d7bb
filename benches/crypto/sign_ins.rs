//! Sign-ins with key issue through a whole station: TCP, flow, HSM, and a ledger on disk that has the keys before the
//! terminal does. Each is another terminal's, from a handful of addresses, as in the morning of a large estate.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tollgate::channel::Profile;
use tollgate::channel::builtin::profile;
use tollgate::cli;
use tollgate::hsm::payshield::behaviour::Behaviour;
use tollgate::hsm::payshield::behaviour::Delay;
use tollgate::hsm::payshield::counterpart::Counterpart;
use tollgate::hsm::payshield::serve::Served;
use tollgate::hsm::payshield::serve::serve;
use tollgate::iso8583::Role;
use tollgate::model::Clock;
use tollgate::model::Currency;
use tollgate::model::Entropy;
use tollgate::model::MerchantId;
use tollgate::model::TerminalId;
use tollgate::server::SystemClock;
use tollgate::server::SystemEntropy;
use tollgate::server::config;
use tollgate::server::run::Running;
use tollgate::sim::issuer;
use tollgate::sim::terminal::Habits;
use tollgate::sim::terminal::Memory;
use tollgate::sim::terminal::PinPad;
use tollgate::sim::terminal::Setup;
use tollgate::sim::terminal::Terminal;

/// Connections, with one sign-in under way each.
const CONNECTIONS: u32 = 64;
/// Terminals begin here; the demo's are below.
const FIRST: u32 = 20_000_001;
/// Of the demo.
const MERCHANT: &str = "898110054110001";
/// A modelled HSM of a few hundred commands a second, which no station is too slow for.
fn model() -> Behaviour {
    Behaviour { delay: Delay::Fixed(Duration::from_millis(20)), engines: 8, ..Behaviour::default() }
}

/// The share of an HSM's commands that wait for it where it is the limit.
const NEARLY: f64 = 0.8;

/// What came of a run.
struct Rate {
    /// Sign-ins a second, as they were answered.
    a_second: f64,
    /// Processor time of one in the station, in nanoseconds: its threads, not the terminals'.
    busy: f64,
}

/// Prints what a sign-in costs a whole station, beside the HSM's part of it in nanoseconds, and who is the limit on a
/// modelled HSM.
pub(super) fn print(terminals: u32, hsm_part: f64) {
    let fast = on_software(terminals);
    println!(
        "sign-ins with key issue, ledger on disk, {CONNECTIONS} at once: {:.0} a second; {:.0} a second and core, \
         {:.1} times the HSM's part",
        fast.a_second,
        1e9 / fast.busy,
        fast.busy / hsm_part,
    );
    print_limit(terminals.min(1_600));
}

/// The same sign-ins on a modelled HSM that takes its time, and on one that takes none.
fn print_limit(terminals: u32) {
    let model = model();
    let (slow, free) = (on_modelled(terminals, model), on_modelled(terminals, Behaviour::default()));
    let limit = model.limit_per_second().unwrap_or(f64::INFINITY) / slow.commands;
    println!(
        "modelled HSM, {} a command, {} at once, {:.1} commands a sign-in: {:.0} sign-ins a second of {limit:.0} that \
         it can do, {:.0} in 100 commands waited for it; {:.0} a second if it took no time",
        model.delay,
        model.engines,
        slow.commands,
        slow.rate.a_second,
        slow.waited * 100.0,
        free.rate.a_second,
    );
    println!("{}", verdict(slow.rate.a_second, slow.waited));
}

/// Who is the limit: the HSM if nearly all commands waited for it.
fn verdict(done: f64, waited: f64) -> String {
    let (who, not) = if waited >= NEARLY { ("your HSM", "the switch") } else { ("the switch", "your HSM") };
    format!("{who}, not {not}, is the limit at {done:.0}/s")
}

/// Everything once, and little of it.
pub(super) fn check() {
    on_software(CONNECTIONS);
    let one = Behaviour { delay: Delay::Fixed(Duration::from_millis(5)), ..Behaviour::default() };
    let asked = on_modelled(CONNECTIONS, one);
    assert!((asked.commands - 2.0).abs() < 0.01, "an HSM makes two keys for a sign-in");
    println!("{}", verdict(asked.rate.a_second, asked.waited));
    assert_eq!(verdict(95.4, 0.9), "your HSM, not the switch, is the limit at 95/s");
}

fn on_software(terminals: u32) -> Rate {
    let pads = keys(terminals);
    let text = format!("{}{}", issuer::DEMO_KEYS, list(&pads));
    run(&pads, "[hsm]\nmaster = \"master.key\"\n", &text)
}

/// What came of a run on a modelled HSM.
struct Asked {
    rate: Rate,
    /// Keys that it made for one sign-in.
    commands: f64,
    /// The share of those that waited for it.
    waited: f64,
}

fn on_modelled(terminals: u32, behaviour: Behaviour) -> Asked {
    let host = Modelled::start(behaviour);
    let pads = keys(terminals);
    let own = "sealing/data,data,tdes2,51515151515151515252525252525252\n\
        sealing/mac,mac,tdes2,31313131313131313434343434343434\n";
    let text = under_test_master(&format!("{}{own}{}", issuer::DEMO_KEYS, list(&pads)));
    let hsm = format!(
        "[hsm]\nkind = \"payshield\"\naddresses = [\"{}\"]\nconnections = 2\nlong_check_values = true\n\
         sealing_key = \"sealing/data\"\nsealing_mac = \"sealing/mac\"\n",
        host.address
    );
    let rate = run(&pads, &hsm, &text);
    let made = host.served.counts().get(&(*b"A0", *b"00")).copied().unwrap_or_default() as f64;
    Asked { rate, commands: made / f64::from(terminals), waited: (host.served.waited() as f64 / made).min(1.0) }
}

/// The terminals' master keys.
fn keys(terminals: u32) -> Vec<[u8; 16]> {
    let drawn = |_| {
        let mut key = [0; 16];
        SystemEntropy.fill(&mut key);
        key
    };
    (0..terminals).map(drawn).collect()
}

fn number(place: usize) -> u32 {
    FIRST + u32::try_from(place).expect("a few thousand terminals")
}

fn list(keys: &[[u8; 16]]) -> String {
    let hex = |key: &[u8; 16]| key.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
    let rows = keys.iter().enumerate().map(|(place, key)| (number(place), hex(key)));
    rows.map(|(terminal, key)| format!("terminal/{terminal}/tmk,kek,tdes2,{key}\n")).collect()
}

/// Clear keys as `tollgate hsm keys` prints them for the modelled HSM.
fn under_test_master(list: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("keys.csv");
    std::fs::write(&file, list).expect("a file");
    let mut out = Vec::new();
    let path = file.to_str().expect("a path");
    cli::run_from(["tollgate", "hsm", "keys", "--test-keys", path], &mut out).expect("keys under the test master key");
    String::from_utf8(out).expect("text")
}

fn run(pads: &[[u8; 16]], hsm: &str, keys: &str) -> Rate {
    let folder = tempfile::tempdir().expect("a folder");
    write_station(folder.path(), hsm, keys, pads.len());
    let known = |name: &str| profile(name).is_some();
    let loaded = config::load(&folder.path().join("station.toml"), &known).expect("a station");
    let running = Running::start(loaded, folder.path()).expect("a running station");
    let door = running.doors().first().expect("a door").listen;
    let units: Vec<Vec<u8>> = pads.iter().enumerate().map(|(place, key)| sign_in(number(place), key)).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let lines = runtime.block_on(open(door));
    let (before, begun) = (busy(), Instant::now());
    let each = units.len().div_ceil(lines.len());
    let asked = lines.into_iter().zip(units.chunks(each)).map(|(line, units)| ask(line, units));
    runtime.block_on(futures_util::future::join_all(asked));
    let (took, busy) = (begun.elapsed().as_secs_f64(), busy() - before);
    running.finish(Duration::ZERO).expect("the ledger held");
    let count = units.len() as f64;
    Rate { a_second: count / took, busy: busy / count }
}

/// Nanoseconds that all threads of this process but the calling one have run.
fn busy() -> f64 {
    let ran = |file: &Path| -> u64 {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_default()
    };
    let threads = std::fs::read_dir("/proc/self/task").expect("Linux");
    let all: u64 = threads.flatten().map(|thread| ran(&thread.path().join("schedstat"))).sum();
    all.saturating_sub(ran(Path::new("/proc/thread-self/schedstat"))) as f64
}

/// Connections, each from an address of its own.
async fn open(door: SocketAddr) -> Vec<TcpStream> {
    let mut lines = Vec::new();
    for place in 0..CONNECTIONS {
        let socket = TcpSocket::new_v4().expect("a socket");
        let source = [127, 0, 1, u8::try_from(place + 1).expect("few connections")];
        socket.bind(SocketAddr::from((source, 0))).expect("an address of the loopback");
        lines.push(socket.connect(door).await.expect("a connection"));
    }
    lines
}

/// One after the other, each answered with keys.
async fn ask(mut line: TcpStream, units: &[Vec<u8>]) {
    let profile = wire();
    for unit in units {
        line.write_all(unit).await.expect("a request");
        let length = usize::from(line.read_u16().await.expect("an answer"));
        let mut answer = vec![0; length];
        line.read_exact(&mut answer).await.expect("the whole answer");
        let frame = profile.split(answer.into()).expect("a frame");
        let Ok(message) = profile.decode(&frame) else { panic!("no message") };
        let code = message.role(Role::ResponseCode).expect("a code");
        assert_eq!((code.as_str(), message.role(Role::KeyData).is_some()), (Some("00"), true), "keys");
    }
}

fn wire() -> Arc<Profile> {
    profile("pos").expect("a profile")
}

fn sign_in(number: u32, key: &[u8; 16]) -> Vec<u8> {
    let setup = Setup {
        profile: wire(),
        terminal: TerminalId::parse(number.to_string().as_bytes()).expect("a number"),
        merchant: MerchantId::parse(MERCHANT.as_bytes()).expect("a number"),
        currency: Currency::CNY,
        offset_minutes: 480,
        encrypt_tracks: false,
        habits: Habits::default(),
    };
    let pad = PinPad::with_master_key(key, Arc::new(SystemEntropy)).expect("a PIN pad");
    let mut terminal = Terminal::new(setup, pad, Memory::default()).expect("a terminal");
    terminal.sign_in(SystemClock::start().wall()).expect("a sign-in").unit.to_vec()
}

fn write_station(folder: &Path, hsm: &str, keys: &str, terminals: usize) {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("specs/demo");
    std::fs::copy(demo.join("merchants.csv"), folder.join("merchants.csv")).expect("a copy");
    let rows: String = (0..terminals).map(|place| format!("{},{MERCHANT}\n", number(place))).collect();
    let station = format!(
        "[station]\nname = \"bench\"\ntest_keys = true\nworkers = 1\nacquirer = \"89811000\"\ncurrency = \"156\"\n\
         offset_minutes = 480\n\
         [[door]]\nname = \"pos\"\nlisten = \"127.0.0.1:0\"\nprofile = \"pos\"\n\
         [ledger]\nfolder = \"ledger\"\n{hsm}\
         [files]\nmerchants = [\"merchants.csv\"]\nterminals = [\"terminals.csv\"]\nissuers = [\"issuers.toml\"]\n\
         bins = [\"bins.csv\"]\nkeys = [\"keys.csv\"]\n"
    );
    // Nobody listens there: no sign-in goes further than the station.
    let issuers = "[[issuer]]\nname = \"bank-a\"\naddress = \"127.0.0.1:1\"\nprofile = \"bank-a\"\n".to_owned();
    let routes = "prefix,issuer\n62,bank-a\n".to_owned();
    let terminals = format!("terminal,merchant\n{rows}");
    let keys = keys.to_owned();
    for (name, text) in [
        ("station.toml", station),
        ("issuers.toml", issuers),
        ("bins.csv", routes),
        ("terminals.csv", terminals),
        ("keys.csv", keys),
    ] {
        std::fs::write(folder.join(name), text).expect("a file");
    }
}

/// The counterpart of payShield-style HSMs on a thread of its own.
struct Modelled {
    served: Arc<Served>,
    address: SocketAddr,
    end: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Modelled {
    fn start(behaviour: Behaviour) -> Self {
        let served = Arc::new(Served::new(Counterpart::new(Arc::new(SystemEntropy)), 4, behaviour, 1));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("an address");
        let end = CancellationToken::new();
        let (own, until) = (Arc::clone(&served), end.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                serve(own, listener, None, until).await;
            });
        });
        Self { served, address, end, thread: Some(thread) }
    }
}

impl Drop for Modelled {
    fn drop(&mut self) {
        self.end.cancel();
        self.thread.take().map(JoinHandle::join);
    }
}
