//! What durability costs the whole switch (P5): sales a second of a station over TCP with its ledger on disk,
//! beside the same station with its ledger in memory; in turns, medians of the rounds.
//!
//! `cargo bench --bench station [-- ROUNDS SECONDS]`. Terminals on cn-pos with a PIN in most sales and one sale in
//! flight each, mock bank, all on the machine's own cores. `TMPDIR` says where the ledger lies.

#![expect(clippy::expect_used, reason = "a bench that cannot run has nobody to answer to")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;
use std::time::Instant;
use tokio::sync::watch;
use tollgate::channel::builtin::profile;
use tollgate::model::Currency;
use tollgate::model::IssuerName;
use tollgate::model::MerchantId;
use tollgate::model::TerminalId;
use tollgate::registry::Breaches;
use tollgate::registry::Source;
use tollgate::server::SystemEntropy;
use tollgate::server::config;
use tollgate::server::config::key_rows;
use tollgate::server::run::Running;
use tollgate::sim::cards;
use tollgate::sim::issuer;
use tollgate::sim::issuer::IssuerThread;
use tollgate::sim::load;
use tollgate::sim::load::Live;
use tollgate::sim::load::Plan;
use tollgate::sim::terminal::Habits;
use tollgate::sim::terminal::Setup;
use tollgate::sim::terminal::drive::Target;

/// The demo's lists have 191 terminals for simulations.
const CONNECTIONS: [u32; 2] = [16, 190];
const WARM_UP: Duration = Duration::from_secs(1);
/// More than anybody can: each terminal sells again as soon as it was answered.
const RATE: f64 = 1e6;

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|text| text.parse::<u64>().ok());
    let (rounds, seconds) = (numbers.next().unwrap_or(5), numbers.next().unwrap_or(4));
    for connections in CONNECTIONS {
        let (mut disk, mut memory) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            disk.push(sales(connections, Duration::from_secs(seconds), true));
            memory.push(sales(connections, Duration::from_secs(seconds), false));
        }
        let (disk, memory) = (median(disk), median(memory));
        let ratio = disk / memory;
        println!("{connections:>4} connections: {disk:.0} sales/s on disk, {memory:.0} in memory, ratio {ratio:.2}");
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

/// Sales answered a second, after a warm-up in which everybody signs in.
fn sales(connections: u32, time: Duration, durable: bool) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let bank = bank();
    write_station(folder.path(), bank.address(), durable);
    let known = |name: &str| profile(name).is_some();
    let loaded = config::load(&folder.path().join("station.toml"), &known).expect("a station");
    let running = Running::start(loaded, folder.path()).expect("a running station");
    let door = running.doors().first().expect("a door").listen;
    let live = Arc::new(Live::new().expect("a histogram"));
    let (stop, stopped) = watch::channel(false);
    let (plan, shared) = (plan(door, connections), Arc::clone(&live));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let thread = std::thread::spawn(move || runtime.block_on(load::run(&plan, &shared, &stopped)));
    sleep(WARM_UP);
    let (before, begun) = (answered(&live), Instant::now());
    sleep(time);
    let (sales, took) = (answered(&live) - before, begun.elapsed());
    stop.send(true).expect("terminals");
    thread.join().expect("terminals").expect("beliefs");
    running.finish(Duration::from_secs(10)).expect("the ledger held");
    sales as f64 / took.as_secs_f64()
}

fn answered(live: &Live) -> u64 {
    live.codes().iter().filter(|(code, _)| *code != "--").map(|(_, count)| count).sum()
}

fn plan(door: SocketAddr, connections: u32) -> Plan {
    let seconds = Duration::from_secs;
    let target =
        Target { address: door.to_string(), tls: None, connect_within: seconds(5), answer_within: seconds(20) };
    let terminals = (10..10 + connections).map(setup).collect();
    let cards = cards::demo().into_iter().filter(|card| card.used_by == cards::CardUse::Traffic).collect();
    Plan { terminals, target, cards, rate: RATE, declines: 0, trouble: 0, seed: 1, follow_ups: 0, batch: None }
}

fn setup(serial: u32) -> Setup {
    Setup {
        profile: profile("pos").expect("a profile"),
        terminal: TerminalId::parse(format!("1000{serial:04}").as_bytes()).expect("a number"),
        merchant: MerchantId::parse(format!("89811005411{serial:04}").as_bytes()).expect("a number"),
        currency: Currency::CNY,
        offset_minutes: 480,
        encrypt_tracks: false,
        habits: Habits::default(),
    }
}

fn bank() -> IssuerThread {
    let keys = key_rows(Source { file: "keys.csv", text: issuer::DEMO_KEYS }, &mut Breaches::default());
    let parts = issuer::Parts {
        name: IssuerName::parse("bank-a").expect("a name"),
        profile: profile("bank-a").expect("a profile"),
        keys: &keys,
        cards: &cards::demo(),
        late: issuer::LATE,
        entropy: Arc::new(SystemEntropy),
    };
    let bank = Arc::new(issuer::assemble(&parts).expect("a bank"));
    IssuerThread::start(bank, SocketAddr::from(([127, 0, 0, 1], 0))).expect("the issuer's host")
}

fn write_station(folder: &Path, address: SocketAddr, durable: bool) {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("specs/demo");
    for file in ["merchants.csv", "terminals.csv", "keys.csv"] {
        std::fs::copy(demo.join(file), folder.join(file)).expect("a copy");
    }
    let issuers = format!("[[issuer]]\nname = \"bank-a\"\naddress = \"{address}\"\nprofile = \"bank-a\"\n");
    let ledger = if durable { "[ledger]\nfolder = \"ledger\"\n[hsm]\nmaster = \"master.key\"\n" } else { "" };
    let station = format!(
        "[station]\nname = \"bench\"\ntest_keys = true\nworkers = 1\nacquirer = \"89811000\"\ncurrency = \"156\"\n\
         offset_minutes = 480\n\
         [[door]]\nname = \"pos\"\nlisten = \"127.0.0.1:0\"\nprofile = \"pos\"\n{ledger}\
         [files]\nmerchants = [\"merchants.csv\"]\nterminals = [\"terminals.csv\"]\nissuers = [\"issuers.toml\"]\n\
         bins = [\"bins.csv\"]\nkeys = [\"keys.csv\"]\n"
    );
    let routes = "prefix,issuer\n2,bank-a\n3,bank-a\n4,bank-a\n5,bank-a\n6,bank-a\n9,bank-a\n".to_owned();
    for (name, text) in [("issuers.toml", issuers), ("bins.csv", routes), ("station.toml", station)] {
        std::fs::write(folder.join(name), text).expect("a file");
    }
}
