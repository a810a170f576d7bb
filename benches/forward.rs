//! How fast store-and-forward drains after an outage: a whole station with its ledger on disk, a link over TCP to
//! a mock issuer, half reversals and half advices of many terminals, all owed before the issuer's host opens.
//!
//! `cargo bench --bench forward [-- MESSAGES TERMINALS]` prints messages a second from the first acknowledgement
//! to the last, and whether each terminal's advices were booked in their order, each once. `MEMORY=1` leaves the
//! ledger in memory, `TMPDIR` says where the ledger lies otherwise. The exit code is 1 if the order is wrong.

#![expect(clippy::expect_used, reason = "a bench that cannot run has nobody to answer to")]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;
use std::time::Instant;
use tollgate::channel::builtin::profile;
use tollgate::hsm::Ctx;
use tollgate::hsm::DataKeyPurpose;
use tollgate::hsm::Hsm;
use tollgate::hsm::KeyRing;
use tollgate::ledger::Answer;
use tollgate::ledger::DataKeyName;
use tollgate::ledger::Decision;
use tollgate::ledger::Identity;
use tollgate::ledger::Intent;
use tollgate::ledger::Ledger;
use tollgate::ledger::Outbound;
use tollgate::ledger::Outcome;
use tollgate::ledger::Scope;
use tollgate::model::Acquirer;
use tollgate::model::Amount;
use tollgate::model::ApprovalCode;
use tollgate::model::BusinessDate;
use tollgate::model::CardClass;
use tollgate::model::Clock;
use tollgate::model::Currency;
use tollgate::model::IssuerName;
use tollgate::model::Kind;
use tollgate::model::MerchantId;
use tollgate::model::MessageClass;
use tollgate::model::Pan;
use tollgate::model::PosEntryMode;
use tollgate::model::ProcessingCode;
use tollgate::model::ResponseCode;
use tollgate::model::Rrn;
use tollgate::model::Sealer;
use tollgate::model::Stan;
use tollgate::model::TerminalId;
use tollgate::registry::Breaches;
use tollgate::registry::Source;
use tollgate::risk::Scene;
use tollgate::server::SystemEntropy;
use tollgate::server::config;
use tollgate::server::config::key_rows;
use tollgate::server::run::Running;
use tollgate::server::station::Real;
use tollgate::sim::cards;
use tollgate::sim::issuer;
use tollgate::sim::issuer::Bank;
use tollgate::sim::issuer::IssuerThread;
use tollgate::sim::issuer::books::Posting;

type Parts = tollgate::flow::Parts<Real>;

const CARD: &[u8] = b"6225000000000253";
/// Intents that are recorded at once: so many share a group of the journal.
const TOGETHER: usize = 2_000;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).filter_map(|text| text.parse::<usize>().ok());
    let (messages, terminals) = (numbers.next().unwrap_or(40_000), numbers.next().unwrap_or(4_000));
    let folder = tempfile::tempdir().expect("a folder");
    let address = free_address();
    write_station(folder.path(), address);
    let known = |name: &str| profile(name).is_some();
    let loaded = config::load(&folder.path().join("station.toml"), &known).expect("a station");
    let running = Running::start(loaded, folder.path()).expect("a running station");
    owe(running.parts(), messages, terminals);
    assert_eq!(running.owed(), messages, "all of it is owed");

    let bank = bank();
    let host = IssuerThread::start(Arc::clone(&bank), address).expect("the issuer's host");
    while running.owed() == messages {
        sleep(Duration::from_micros(200));
    }
    let (begun, rest) = (Instant::now(), running.owed());
    while running.owed() > 0 {
        sleep(Duration::from_millis(1));
    }
    let took = begun.elapsed();
    let books = bank.books();
    let stats = bank.stats();
    println!("owed              {messages}: half reversals, half advices, of {terminals} terminals");
    println!("drained           {:.0} messages/s, {rest} in {took:.2?}", per_second(rest, took));
    println!("repeats           {} of {} requests", stats.repeats, stats.requests);
    let faults = faults(&books, messages);
    println!("order             {}", if faults == 0 { "kept".to_owned() } else { format!("{faults} faults") });
    drop(host);
    running.finish(Duration::ZERO).expect("the ledger held");
    if faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn per_second(count: usize, took: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / took.as_secs_f64()
}

/// Each advice booked once, and each terminal's in the order of their reference numbers.
fn faults(books: &[Posting], messages: usize) -> usize {
    let advices = books.iter().filter(|posting| posting.entry.kind == Kind::OfflineSale);
    let mut last: HashMap<TerminalId, Option<Rrn>> = HashMap::new();
    let mut seen = 0;
    let disordered = advices.filter(|posting| {
        seen += 1;
        let before = last.insert(posting.entry.terminal, posting.entry.rrn).flatten();
        before >= posting.entry.rrn
    });
    disordered.count() + (messages / 2).abs_diff(seen)
}

fn owe(parts: &Parts, messages: usize, terminals: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let now = parts.clock.wall();
    let date = now.date(480);
    runtime.block_on(async {
        let ctx = Ctx { within: Duration::from_secs(1) };
        let (block, key) = parts.hsm.data_key_new(&ctx, DataKeyPurpose::Seal).await.expect("a key");
        parts.ledger.keep_data_key(DataKeyName::Seal(date), block).await.expect("a kept key");
        parts.sealer.add(date, &key).expect("a key for sealing");
        for first in (0..messages).step_by(TOGETHER) {
            let some = (first..messages.min(first + TOGETHER)).map(|number| owe_one(parts, number, terminals, date));
            futures_util::future::join_all(some).await;
        }
    });
}

/// An advice or a reversal, by turns of the terminals' rounds.
async fn owe_one(parts: &Parts, number: usize, terminals: usize, date: BusinessDate) {
    let intent = intent(parts, number, terminals, date);
    let (id, received) = (intent.id, intent.received);
    parts.ledger.intend(intent).await.expect("an intent");
    let decision = if number.is_multiple_of(2) {
        let approval = ApprovalCode::parse(format!("{:06}", number % 1_000_000).as_bytes());
        let answer = Answer { approval, ..Answer::of(ResponseCode::Approved, received) };
        Decision { outcome: Outcome::Approved, answer, advise: true }
    } else {
        Decision::of(Outcome::TimedOut, Answer::of(ResponseCode::Timeout, received))
    };
    parts.ledger.decide(id, decision).await.expect("a decision");
}

fn intent(parts: &Parts, number: usize, terminals: usize, date: BusinessDate) -> Intent {
    let (id, rrn) = parts.ledger.number(date);
    let pan = Pan::parse(CARD).expect("a card");
    let stan = Stan::new(u32::try_from(number % 999_999 + 1).unwrap_or(1)).expect("a number");
    let digits = format!("{:08}", 20_000_000 + number / 2 % terminals);
    let terminal = TerminalId::parse(digits.as_bytes()).expect("a terminal");
    let scope = Scope(digits.as_bytes().into());
    let now = parts.clock.wall();
    let issuer = IssuerName::parse("bank-a").expect("a name");
    Intent {
        id,
        rrn,
        identity: Identity { terminal, stan, scope, class: MessageClass::Financial },
        content: [0; 32],
        kind: Kind::Sale,
        merchant: MerchantId::parse(b"898110054110001").expect("a merchant"),
        acquirer: Acquirer::parse(b"89811000").expect("an acquirer"),
        test_mode: false,
        date,
        received: now,
        offset_minutes: 480,
        processing_code: ProcessingCode::parse(b"000000").expect("a code"),
        amount: Amount::new(1_00).expect("an amount"),
        currency: Currency::CNY,
        entry_mode: PosEntryMode::parse(b"051").expect("a mode"),
        card_sequence: None,
        condition_code: Some(*b"00"),
        expiry: None,
        pan: parts.sealer.seal(date, &pan, &id.0.to_be_bytes()).expect("a sealed number"),
        token: parts.sealer.token(&pan),
        masked: pan.masked(),
        refusal: None,
        reservations: Default::default(),
        outbound: Some(Outbound { issuer, stan, sent: now, icc: None }),
        follows: None,
        batch: None,
        card: CardClass::default(),
        operator: None,
        scene: Scene::default(),
        risk: None,
        echo: false,
    }
}

fn bank() -> Arc<Bank<tollgate::hsm::software::SoftwareHsm>> {
    let keys = key_rows(Source { file: "keys.csv", text: issuer::DEMO_KEYS }, &mut Breaches::default());
    let parts = issuer::Parts {
        name: IssuerName::parse("bank-a").expect("a name"),
        profile: profile("bank-a").expect("a profile"),
        keys: &keys,
        cards: &cards::demo(),
        late: issuer::LATE,
        entropy: Arc::new(SystemEntropy),
    };
    Arc::new(issuer::assemble(&parts).expect("a bank"))
}

/// An address on which nobody listens yet.
fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}

fn write_station(folder: &Path, address: SocketAddr) {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("specs/demo");
    for file in ["merchants.csv", "terminals.csv", "keys.csv"] {
        std::fs::copy(demo.join(file), folder.join(file)).expect("a copy");
    }
    let issuers = format!("[[issuer]]\nname = \"bank-a\"\naddress = \"{address}\"\nprofile = \"bank-a\"\n");
    let ledger = "[ledger]\nfolder = \"ledger\"\n[hsm]\nmaster = \"master.key\"\n";
    let ledger = if std::env::var_os("MEMORY").is_some() { "" } else { ledger };
    let station = format!(
        "[station]\nname = \"bench\"\ntest_keys = true\nworkers = 1\nacquirer = \"89811000\"\ncurrency = \"156\"\n\
         offset_minutes = 480\n\
         [[door]]\nname = \"pos\"\nlisten = \"127.0.0.1:0\"\nprofile = \"pos\"\n{ledger}\
         [files]\nmerchants = [\"merchants.csv\"]\nterminals = [\"terminals.csv\"]\nissuers = [\"issuers.toml\"]\n\
         bins = [\"bins.csv\"]\nkeys = [\"keys.csv\"]\n"
    );
    let files =
        [("issuers.toml", issuers), ("bins.csv", "prefix,issuer\n62,bank-a\n".to_owned()), ("station.toml", station)];
    for (name, text) in files {
        std::fs::write(folder.join(name), text).expect("a file");
    }
}
