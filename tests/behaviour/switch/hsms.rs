//! The same day on every HSM: chosen by the station's file, and what happens when it is slow, gone or lies.

use super::peer::{Peer, answer};
use super::rig::{Recipe, Rig, Till, await_that, connect};
use super::{CARD_A, CARD_B};
use crate::blackbox::memory::Memory;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tollgate::cli;
use tollgate::hsm::HsmCounts;
use tollgate::hsm::payshield::behaviour::Behaviour;
use tollgate::hsm::payshield::behaviour::Delay;
use tollgate::hsm::payshield::counterpart::Counterpart;
use tollgate::hsm::payshield::serve::Served;
use tollgate::hsm::payshield::serve::serve;
use tollgate::ledger::Effect;
use tollgate::model::Kind;
use tollgate::model::ResponseCode;
use tollgate::server::SystemEntropy;
use tollgate::sim::issuer;
use tollgate::sim::terminal::MacCheck;

const SALE: Kind = Kind::Sale;
const APPROVED: Option<ResponseCode> = Some(ResponseCode::Approved);
const DECLINED: Option<ResponseCode> = Some(ResponseCode::SystemFailure);
/// What a request may take that waits for an HSM in vain: its MAC is asked for once, for a second.
const SOON: Duration = Duration::from_secs(8);

/// The counterpart on a socket, on a thread of its own.
pub(super) struct HsmHost {
    pub(super) served: Arc<Served>,
    address: SocketAddr,
    open: Option<(CancellationToken, JoinHandle<()>)>,
}

impl HsmHost {
    pub(super) fn start() -> Self {
        let host = Counterpart::new(Arc::new(SystemEntropy));
        let served = Arc::new(Served::new(host, 4, Behaviour::default(), 1));
        let mut host = Self { served, address: "127.0.0.1:0".parse().unwrap(), open: None };
        host.come();
        host
    }

    /// Listens where it did before.
    fn come(&mut self) {
        let (served, end) = (Arc::clone(&self.served), CancellationToken::new());
        let mut listener = None;
        await_that("the port is free", || {
            listener = std::net::TcpListener::bind(self.address).ok();
            listener.is_some()
        });
        let listener = listener.unwrap();
        self.address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let until = end.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                serve(served, listener, None, until).await;
            });
        });
        self.open = Some((end, thread));
    }

    /// Its machine is switched off.
    fn go(&mut self) {
        if let Some((end, thread)) = self.open.take() {
            end.cancel();
            thread.join().unwrap();
        }
    }

    /// Commands of these letters that were carried out.
    fn done(&self, letters: &[u8; 2]) -> u64 {
        self.served.counts().get(&(*letters, *b"00")).copied().unwrap_or(0)
    }

    pub(super) fn tables(&self) -> String {
        tables(self.address)
    }
}

impl Drop for HsmHost {
    fn drop(&mut self) {
        self.go();
    }
}

fn tables(hsm: SocketAddr) -> String {
    format!(
        "[hsm]\nkind = \"payshield\"\naddresses = [\"{hsm}\"]\nconnections = 2\nlegacy_single_des = true\n\
         long_check_values = true\n\
         connect_ms = 2000\nprobe_after_ms = 200\nprobe_within_ms = 200\ncool_down_ms = 100\n\
         sealing_key = \"sealing/data\"\nsealing_mac = \"sealing/mac\"\n"
    )
}

/// The demo's keys as such an HSM gives them out, as `tollgate hsm keys` does.
pub(super) fn keys() -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.csv");
    let own = "sealing/data,data,tdes2,51515151515151515252525252525252\n\
        sealing/mac,mac,tdes2,31313131313131313434343434343434\n";
    std::fs::write(&file, format!("{}{own}", issuer::DEMO_KEYS)).unwrap();
    let mut out = Vec::new();
    cli::run_from(["tollgate", "hsm", "keys", file.to_str().unwrap()], &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// A station on this HSM.
fn station(host: &HsmHost, more: &str, in_place_of_a: Option<SocketAddr>) -> Rig {
    let tables = format!("{more}{}", host.tables());
    Rig::of(&Recipe { tables: &tables, lists: &[("keys.csv", &keys())], in_place_of_a, ..Recipe::default() })
}

/// Sign-in, sales with PIN at both banks, a wrong PIN, a cancelled sale, and the same after a restart.
fn a_day(rig: &mut Rig) {
    let mut till = rig.signed_in(10_000_001);
    for card in [CARD_A, CARD_B] {
        let answer = till.ask(SALE, 12_00, card);
        assert_eq!((answer.code, answer.valid), (APPROVED, true), "{card}");
        let wrong = till.prepare_with(SALE, 12_00, card, "9999");
        assert_eq!(till.exchange(&wrong).code, Some(ResponseCode::PinWrong));
    }
    let sale = till.prepare(SALE, 30_00, CARD_B);
    till.send(&sale.unit);
    till.receive().expect("an answer, which the terminal does not see");
    let reversal = till.terminal.reversal(super::rig::now()).unwrap().unwrap();
    assert_eq!(till.exchange(&reversal).code, APPROVED);
    rig.await_undone();
    assert_eq!((Rig::booked(&rig.bank_a), Rig::booked(&rig.bank_b)), (12_00, 12_00));
    rig.stop();
    rig.start_again();
    rig.await_links();
    till.line = connect(rig.door("pos"));
    assert_eq!(till.ask(SALE, 5_00, CARD_A).code, APPROVED, "working keys and sealing keys outlive the restart");
    assert_eq!(rig.hsm().faults(), 0);
}

const KEPT: &str = "[ledger]\nfolder = \"ledger\"\nsegment_bytes = 65536\n";

#[test]
fn the_same_day_is_lived_on_the_software_hsm_and_on_a_network_hsm() {
    a_day(&mut Rig::kept(5_000));
    let host = HsmHost::start();
    a_day(&mut station(&host, KEPT, None));
    // Keys made and told, PINs from terminals to zones, MACs both ways.
    for letters in [b"A0", b"BU", b"CA", b"M6", b"M8"] {
        assert!(host.done(letters) > 0, "{}", String::from_utf8_lossy(letters));
    }
}

#[test]
fn dukpt_devices_are_served_by_a_network_hsm() {
    let host = HsmHost::start();
    let rig = station(&host, super::dukpt::DOOR, None);
    let mut till = Till::new(&rig, 10_000_001, "dukpt");
    for card in [CARD_A, CARD_B] {
        let answer = till.ask(SALE, 12_00, card);
        assert_eq!((answer.code, answer.mac), (APPROVED, MacCheck::Ok), "{card}");
        let wrong = till.prepare_with(SALE, 12_00, card, "9999");
        assert_eq!(till.exchange(&wrong).code, Some(ResponseCode::PinWrong));
    }
    for letters in [b"G0", b"GW"] {
        assert!(host.done(letters) > 0, "{}", String::from_utf8_lossy(letters));
    }
    assert_eq!(rig.hsm().faults(), 0);
}

/// One request meets an HSM in this mood: declined in bounded time, nothing recorded, counted. Then it is well.
fn declined_before_the_intent(mood: Behaviour, counted: fn(HsmCounts) -> u64) {
    let host = HsmHost::start();
    let rig = station(&host, "", None);
    let mut till = rig.signed_in(10_000_001);
    let (records, before) = (rig.records().len(), counted(rig.hsm()));
    host.served.behave(mood);
    let began = Instant::now();
    assert_eq!(till.ask(SALE, 12_00, CARD_A).code, DECLINED);
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    assert_eq!(rig.records().len(), records, "nothing was recorded");
    assert!(counted(rig.hsm()) > before, "{:?}", rig.hsm());
    // Another terminal: this one would get the keys that it has not used yet, without the HSM.
    let mut other = rig.terminal(10_000_002);
    for _ in 0..4 {
        let sign_in = other.terminal.sign_in(super::rig::now()).unwrap();
        assert_eq!(other.exchange(&sign_in).code, DECLINED, "no keys either");
    }
    host.served.behave(Behaviour::default());
    await_that("it serves again", || till.ask(SALE, 12_00, CARD_A).code == APPROVED);
    other.sign_in();
    assert_eq!(Rig::booked(&rig.bank_a), 12_00);
}

#[test]
fn an_hsm_that_is_slow_is_not_waited_for_beyond_its_time() {
    let slow = Behaviour { delay: Delay::Fixed(Duration::from_secs(3)), ..Behaviour::default() };
    declined_before_the_intent(slow, |counts| counts.timed_out + counts.unavailable);
}

#[test]
fn an_hsm_that_never_answers_declines_requests_before_their_intent() {
    let silent = Behaviour { drop: 1.0, spoils_diagnostics: true, ..Behaviour::default() };
    declined_before_the_intent(silent, |counts| counts.timed_out + counts.unavailable);
}

#[test]
fn an_hsm_that_answers_garbage_declines_requests_before_their_intent() {
    let garbage = Behaviour { garbage: 1.0, ..Behaviour::default() };
    declined_before_the_intent(garbage, |counts| counts.backend + counts.unavailable);
}

#[test]
fn an_hsm_that_gives_another_calls_answer_declines_requests_before_their_intent() {
    let other = Behaviour { other: 1.0, ..Behaviour::default() };
    declined_before_the_intent(other, |counts| counts.faults());
}

#[test]
fn an_hsm_that_is_gone_declines_at_once_and_is_found_again() {
    let mut host = HsmHost::start();
    let rig = station(&host, "", None);
    let mut till = rig.signed_in(10_000_001);
    let records = rig.records().len();
    host.go();
    await_that("the loss is noticed", || till.ask(SALE, 12_00, CARD_A).code == DECLINED && rig.hsm().unavailable > 0);
    let began = Instant::now();
    assert_eq!(till.ask(SALE, 12_00, CARD_A).code, DECLINED);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(rig.records().len(), records, "nothing was recorded");
    host.come();
    await_that("it serves again", || till.ask(SALE, 12_00, CARD_A).code == APPROVED);
}

#[test]
fn what_is_owed_waits_for_an_hsm_that_is_gone_and_goes_once_it_is_back() {
    let peer = Peer::start(|side, message, _| match message.dialect().kind_of(message) {
        Some(Kind::Reversal) => vec![answer(side, message, "00", &[])],
        _ => Vec::new(),
    });
    let mut host = HsmHost::start();
    let tables = host.tables();
    let lists: &[(&str, &str)] = &[("keys.csv", &keys())];
    let in_place_of_a = Some(peer.address);
    let rig = Rig::of(&Recipe { timeout_ms: 1_000, tables: &tables, lists, in_place_of_a, ..Recipe::default() });
    let mut till = rig.signed_in(10_000_001);
    // The issuer has the sale and keeps silent; before that is known, the HSM goes.
    let sale = till.prepare(SALE, 12_00, CARD_A);
    till.send(&sale.unit);
    await_that("the issuer has it", || !peer.seen().is_empty());
    host.go();
    await_that("it is decided", || rig.owed() == 1);
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!((rig.owed(), peer.seen().len()), (1, 1), "no reversal goes without its MAC");
    host.come();
    rig.await_undone();
    let seen: Vec<Kind> = peer.seen().iter().map(|seen| seen.kind).collect();
    assert_eq!(seen, [SALE, Kind::Reversal]);
    let record = rig.records().into_iter().find(|record| record.intent.kind == SALE).unwrap();
    assert_eq!(record.effect, Effect::Reversed);
    // Its answer's MAC could not be made, so the terminal heard nothing; its repeat gets what is recorded.
    let mut again = Till::new(&rig, 10_000_001, "pos");
    again.send(&sale.unit);
    let unit = again.receive().unwrap();
    assert_eq!(till.judge(&sale, unit).code, Some(ResponseCode::Timeout));
}

/// A process of the switch, killed with the test.
pub(super) struct Process(pub(super) Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(super) fn tollgate(arguments: &[&str], file: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.args(arguments).arg(file).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Exit code and what was said on standard error.
pub(super) fn ended(mut command: Command) -> (Option<i32>, String) {
    let out = command.output().unwrap();
    (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
}

/// The demo's station with this `[hsm]` table, these keys, and this in its own row.
pub(super) fn demo(hsm: &str, keys: &str, row: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("specs/demo");
    for entry in std::fs::read_dir(&demo).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
    }
    std::fs::write(folder.path().join("keys.csv"), keys).unwrap();
    let text = std::fs::read_to_string(demo.join("station.toml")).unwrap();
    let text = text.replace("[hsm]\n", hsm).replace("trace = 8586", "").replace("test_keys = true", row);
    let text = text.replace("127.0.0.1:8583", "127.0.0.1:0").replace("127.0.0.1:8584", "127.0.0.1:0");
    std::fs::write(folder.path().join("station.toml"), text).unwrap();
    folder
}

#[test]
fn a_production_station_refuses_to_start_with_an_hsm_that_may_not_do_pins() {
    let software = demo("[hsm]\n", "name,usage,algorithm,key\n", "profile = \"production\"");
    for arguments in [&["serve", "--check", "-c"][..], &["serve", "-c"]] {
        let (code, said) = ended(tollgate(arguments, &software.path().join("station.toml")));
        assert_eq!(code, Some(3), "{said}");
        for words in ["kind: software may not handle PINs", "PINs of real cards need a PTS HSM"] {
            assert!(said.contains(words), "{said}");
        }
    }
    // The counterpart would do them, but under a key that everybody has.
    let host = HsmHost::start();
    let test_master = demo(&host.tables(), &keys(), "profile = \"production\"");
    let file = test_master.path().join("station.toml");
    assert_eq!(ended(tollgate(&["serve", "--check", "-c"], &file)).0, Some(0), "the file is in order");
    let (code, said) = ended(tollgate(&["serve", "-c"], &file));
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("does not start with this HSM: it is under the published test master key"), "{said}");
}

#[test]
fn a_station_whose_hsm_does_not_answer_does_not_start_and_says_where_it_looked() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = demo(&tables(nobody).replace("connect_ms = 2000", "connect_ms = 100"), &keys(), "");
    let (code, said) = ended(tollgate(&["serve", "-c"], &folder.path().join("station.toml")));
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains(&format!("no HSM answers at {nobody}")), "{said}");
}

#[test]
fn the_loss_of_the_hsm_and_its_return_are_said_once_each() {
    let mut host = HsmHost::start();
    let folder = demo(&host.tables(), &keys(), "");
    let mut station = Process(tollgate(&["serve", "-c"], &folder.path().join("station.toml")).spawn().unwrap());
    let mut doors = BufReader::new(station.0.stdout.take().unwrap()).lines();
    assert!(doors.next().unwrap().unwrap().contains("listens on"));
    let mut lines = BufReader::new(station.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    host.go();
    let down = lines.find(|line| line.contains("\"hsm-down\"")).unwrap();
    assert!(down.contains("\"level\":\"ERROR\"") && down.contains("\"calls\""), "{down}");
    host.come();
    let until_up: Vec<String> = lines.by_ref().take_while(|line| !line.contains("\"hsm-up\"")).collect();
    assert!(!until_up.iter().any(|line| line.contains("\"hsm-down\"")), "said once");
}

/// A list of clear keys as blocks under the station's master key, by `tollgate hsm seal`.
fn sealed(folder: &Path, master: Option<&str>) -> String {
    let clear = folder.join("clear.csv");
    std::fs::write(&clear, issuer::DEMO_KEYS).unwrap();
    let mut command = tollgate(&["hsm", "seal", "-c"], &folder.join("station.toml"));
    let out = command.envs(master.map(|key| ("TOLLGATE_TEST_MASTER", key))).arg(&clear).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn keys_at_rest_are_blocks_under_a_master_key_from_the_environment() {
    let key = "A0A1A2A3A4A5A6A7A8A9AAABACADAEAFB0B1B2B3B4B5B6B7B8B9BABBBCBDBEBF";
    let folder = demo("[hsm]\nmaster_env = \"TOLLGATE_TEST_MASTER\"\n", "name,usage,algorithm,key\n", "");
    let list = sealed(folder.path(), Some(key));
    assert!(list.lines().skip(1).all(|line| line.split(',').nth(3).unwrap().starts_with('D')), "blocks only");
    let secrets = issuer::DEMO_KEYS.lines().filter(|line| !line.starts_with('#') && !line.starts_with("name"));
    assert!(!secrets.map(|line| line.split(',').nth(3).unwrap()).any(|secret| list.contains(secret)));
    std::fs::write(folder.path().join("keys.csv"), &list).unwrap();
    let file = folder.path().join("station.toml");
    let kept = std::fs::read_to_string(&file).unwrap().replace("# folder = \"ledger\"", "folder = \"ledger\"");
    std::fs::write(&file, kept).unwrap();
    let start = |key: &str| {
        let mut command = tollgate(&["serve", "-c"], &file);
        command.env("TOLLGATE_TEST_MASTER", key);
        command
    };
    let mut station = Process(start(key).spawn().unwrap());
    let mut doors = BufReader::new(station.0.stdout.take().unwrap()).lines();
    assert!(doors.next().unwrap().unwrap().contains("listens on"), "without a clear key anywhere");
    drop(station);
    let other = key.replace("A0A1", "1111");
    for (key, why) in [(other.as_str(), "key block does not verify"), ("no key", "holds no secret")] {
        let (code, said) = ended(start(key));
        assert!(matches!(code, Some(3 | 8)), "{code:?} {said}");
        assert!(said.contains(why) && !said.contains(key), "{said}");
    }
    let (code, said) = ended(tollgate(&["serve", "--check", "-c"], &file));
    assert_eq!(code, Some(8), "{said}");
    assert!(said.contains("TOLLGATE_TEST_MASTER is not set"), "{said}");
}

#[test]
#[cfg(target_os = "linux")]
fn nobody_looks_into_a_process_with_keys() {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::process::CommandExt;
    let own = std::fs::metadata("/proc/self").unwrap().uid();
    // What root may see says nothing: then another user runs it.
    let user = if own == 0 { 65_534 } else { own };
    let owner = |traceable: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        command.args(["crypto", "kcv", "--key", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        command.envs(traceable.map(|value| ("TOLLGATE_TRACEABLE", value)));
        if own == 0 {
            command.uid(user);
        }
        let child = Process(command.spawn().ok()?);
        let memory = format!("/proc/{}/mem", child.0.id());
        // It waits for its key; a start takes no longer than this.
        let mut seen = None;
        for _ in 0..150 {
            std::thread::sleep(Duration::from_millis(20));
            seen = std::fs::metadata(&memory).ok().map(|file| file.uid());
            if traceable.is_none() && seen == Some(0) {
                break;
            }
        }
        seen
    };
    if owner(Some("1")) != Some(user) {
        assert!(std::env::var_os("TOLLGATE_REQUIRE_ALL").is_none(), "no other user may run it here");
        println!("left out: no other user may run it here");
        return;
    }
    assert_eq!(owner(None), Some(0), "its memory is the system's alone");
}

#[test]
#[cfg(target_os = "linux")]
fn a_stations_memory_holds_no_key_as_its_list_wrote_it() {
    let (key, place) = ("7C0FA2D15E9B3384E6617A0BD84C2F95", "4ADA9F6253A509EC4042303AF236FE93");
    assert_eq!(issuer::DEMO_KEYS.matches(place).count(), 1);
    // Longer than the buffers it is read through: what is left of a short list is soon written over.
    let spare = (0..400).map(|number| format!("spare/{number:04}/tmk,kek,tdes2,{key}\n"));
    let list = issuer::DEMO_KEYS.replace(place, key) + &spare.collect::<String>();
    let folder = demo("[hsm]\n", &list, "test_keys = true");
    let mut command = tollgate(&["serve", "-c"], &folder.path().join("station.toml"));
    command.env("TOLLGATE_TRACEABLE", "1").env("PLANTED", "4ADA9F62-3A509EC4");
    let mut station = Process(command.spawn().unwrap());
    let mut doors = BufReader::new(station.0.stdout.take().unwrap()).lines();
    assert!(doors.next().unwrap().unwrap().contains("listens on"));
    let remembers = |wanted: &str| Memory::of(station.0.id()).holds(wanted.as_bytes());
    assert!(remembers("4ADA9F62-3A509EC4"), "what is there is found");
    assert!(!remembers(key) && !remembers(&key[..24]), "the key's digits are still there");
}
