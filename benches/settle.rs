//! A day of a million transactions, settled and reconciled from the ledger's files. Prints figures; judges none but that it runs
//! and that the sums are those that were sold.
//!
//! `cargo bench --bench settle -- [N]` (default 1,000,000): 10,000 terminals of the demo's shops, each with one batch
//! that is closed at the day's end. The day is settled from the archive, as a station leaves it, and once more from
//! the journal alone; then compared with the clearing files of two issuers. Each of these is a process of its own, which
//! reads what is on disk and nothing else; its processor time is user and system together, its memory the most that
//! was resident.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench that cannot run has nobody to answer to")]

mod till;

use std::path::Path;
use std::process::Command;
use std::time::Instant;
use tollgate::cli::Exit;
use tollgate::cli::run_from;
use tollgate::ledger::EmbeddedLedger;
use tollgate::ledger::Identity;
use tollgate::ledger::Intent;
use tollgate::ledger::Ledger;
use tollgate::ledger::archive::ARCHIVE;
use tollgate::ledger::archive::Archive;
use tollgate::ledger::archive::ArchiveFault;
use tollgate::ledger::archive::Archiver;
use tollgate::ledger::archive::Row;
use tollgate::ledger::journal::Folder;
use tollgate::model::Amount;
use tollgate::model::BatchNumber;
use tollgate::model::BusinessDate;
use tollgate::model::CardClass;
use tollgate::model::Currency;
use tollgate::model::IssuerName;
use tollgate::model::Kind;
use tollgate::model::MaskedPan;
use tollgate::model::MerchantId;
use tollgate::model::Product;
use tollgate::model::Rrn;
use tollgate::model::Stan;
use tollgate::model::TerminalId;
use tollgate::model::Timestamp;
use tollgate::settle::recon::ClearingFile;
use tollgate::settle::recon::ClearingRow;
use tollgate::settle::recon::sign;

/// Makes this binary run one command of `tollgate`, and say what that took.
const AS_COMMAND: &str = "--as-command";
const SHOPS: u64 = 199;
const DATE: &str = "2020-03-05";
/// 2020-03-05T00:00:00Z.
const BEGIN: i64 = 1_583_366_400_000_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((AS_COMMAND, words)) = arguments.split_first().map(|(first, words)| (first.as_str(), words)) {
        return command(words);
    }
    let transactions = std::env::args().skip(1).find_map(|text| text.parse().ok()).unwrap_or(1_000_000);
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger");
    std::fs::create_dir(&ledger).unwrap();
    let sold = measured(&format!("{transactions} transactions sold"), || sell(&ledger, transactions));
    measured("into the archive, which a station does as it goes", || archive(&ledger));
    let settled = settle(&folder.path().join("settlement"), &ledger, &[]);
    assert_eq!(settled, sold);
    let again = folder.path().join("again");
    assert_eq!(settle(&again, &ledger, &["--scan"]), sold);
    reconcile(folder.path(), &ledger);
    for file in ["lines.csv", "settlement.json"] {
        let read = |folder: &str| std::fs::read(folder_of(folder, &again, file)).unwrap();
        assert!(read("settlement") == read("again"), "{file}");
    }
}

fn folder_of(name: &str, beside: &Path, file: &str) -> std::path::PathBuf {
    beside.with_file_name(name).join(file)
}

fn measured<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let (start, before) = (Instant::now(), till::processor());
    let done = work();
    println!("{what}: {:.1} s processor, {:.1} s", till::processor() - before, start.elapsed().as_secs_f64());
    done
}

fn date() -> BusinessDate {
    BusinessDate::parse(DATE).unwrap()
}

fn merchant(number: u64) -> MerchantId {
    MerchantId::parse(format!("898110054110{:03}", number % till::TERMINALS % SHOPS + 1).as_bytes()).unwrap()
}

fn sale(ledger: &EmbeddedLedger, number: u64) -> Intent {
    let received = Timestamp(BEGIN + i64::try_from(number).unwrap() * 10_000);
    let mut intent = till::sale(ledger, number, date(), received);
    if let Some(outbound) = &mut intent.outbound {
        outbound.issuer = IssuerName::parse(if number.is_multiple_of(3) { "bank-b" } else { "bank-a" }).unwrap();
    }
    let product = Product::ALL[usize::try_from(number % 5).unwrap()];
    let card = CardClass { product, foreign: number.is_multiple_of(50), ..CardClass::default() };
    Intent { merchant: merchant(number), batch: Some(BatchNumber::FIRST), card, ..intent }
}

/// Sells, voids every twentieth sale, closes all batches; what stands, in minor units.
fn sell(folder: &Path, transactions: u64) -> i128 {
    let capacity = usize::try_from(transactions).unwrap() * 2 + 100_000;
    let mut opened = EmbeddedLedger::open(Folder::open(folder).unwrap(), &till::OPTIONS, capacity).unwrap();
    let mut sold = 0;
    let mut last = None;
    for number in 0..transactions {
        let intent = sale(&opened.ledger, number);
        let intent = match last.take().filter(|_| number % 20 == 19) {
            Some(Intent { id, amount, identity, merchant, card, .. }) => {
                let stan = Stan::new(identity.stan.value() + 500_000).unwrap();
                let identity = Identity { stan, ..identity };
                Intent { kind: Kind::SaleVoid, follows: Some(id), amount, identity, merchant, card, ..intent }
            }
            None => intent,
        };
        let sign = if intent.kind == Kind::Sale { 1 } else { -1 };
        sold += sign * i128::from(intent.amount.minor());
        last = Some(intent.clone());
        till::approve(&opened.ledger, intent);
        if number % 1_024 == 0 {
            till::write_all(&mut opened);
        }
    }
    for number in 0..till::TERMINALS {
        let received = Timestamp(BEGIN + 50_000_000_000);
        let close = till::close(till::terminal(number), merchant(number), date(), received);
        let _ = till::once(opened.ledger.close_batch(close));
    }
    till::write_all(&mut opened);
    opened.anchor.step().unwrap();
    sold
}

fn archive(folder: &Path) {
    let mut archiver = Archiver::open(Folder::read_only(folder).unwrap(), folder).unwrap();
    while !archiver.step().unwrap().is_done() {}
}

/// One command, and on standard error what it took of processor and memory.
fn command(words: &[String]) {
    let words = std::iter::once("tollgate").chain(words.iter().map(String::as_str));
    match run_from(words, &mut std::io::stdout()) {
        Ok(Exit::Ok) => {}
        other => panic!("{other:?}"),
    }
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    // Behind the name, which is in brackets: user and system time are the 12th and 13th, in hundredths of a second.
    let ticks = text.rsplit(") ").next().unwrap().split(' ').skip(11).take(2);
    let ticks: f64 = ticks.map(|ticks| ticks.parse::<f64>().unwrap()).sum();
    eprintln!("{:.1} s processor, at most {} MiB", ticks / 100.0, till::memory("VmHWM:"));
}

/// Runs one command as a process of its own; what it printed.
fn process(what: &str, words: &[&str]) -> Vec<u8> {
    let start = Instant::now();
    let output = Command::new(std::env::current_exe().unwrap()).arg(AS_COMMAND).args(words).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    println!("{what}: {:.1} s, {}", start.elapsed().as_secs_f64(), said.lines().last().unwrap());
    output.stdout
}

/// Settles, and says what all lines come to.
fn settle(to: &Path, ledger: &Path, how: &[&str]) -> i128 {
    let station = Path::new(env!("CARGO_MANIFEST_DIR")).join("specs/demo/station.toml");
    let (station, ledger, to) = (station.to_str().unwrap(), ledger.to_str().unwrap(), to.to_str().unwrap());
    let said = ["settle", "-c", station, "--data", ledger, "--date", DATE, "--out", to, "--json"];
    let what = if how.is_empty() { "settled from the archive" } else { "settled from the journal" };
    let out = process(what, &[&said[..], how].concat());
    let manifest: serde_json::Value = serde_json::from_slice(&out).unwrap();
    manifest["totals"][0]["net"].as_str().unwrap().parse().unwrap()
}

/// Compares the day with clearing files that say the same.
fn reconcile(folder: &Path, ledger: &Path) {
    let archive = Archive::read_only(&ledger.join(ARCHIVE)).unwrap();
    let file = |name| ClearingFile {
        issuer: IssuerName::parse(name).unwrap(),
        date: date(),
        currency: Currency::CNY,
        rows: Vec::new(),
    };
    let mut files = [file("bank-a"), file("bank-b")];
    let add = &mut |row: Row| {
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == row.kind).unwrap();
        let issuer = usize::from(row.issuer.as_deref() == Some("bank-b"));
        files[issuer].rows.push(ClearingRow {
            rrn: Rrn::parse(row.rrn.as_bytes()).unwrap(),
            kind,
            terminal: TerminalId::parse(row.terminal.as_bytes()).unwrap(),
            merchant: MerchantId::parse(row.merchant.as_bytes()),
            amount: Amount::new(row.amount.unsigned_abs()).unwrap(),
            sign: sign(kind).unwrap(),
            card: MaskedPan::parse(row.masked_pan.as_bytes()).unwrap(),
            date: date(),
            approval: None,
        });
        Ok::<(), ArchiveFault>(())
    };
    archive.dealt_on(date(), add).unwrap();
    let given = files.map(|file| {
        let path = folder.join(format!("{}.csv", file.issuer));
        std::fs::write(&path, file.write()).unwrap();
        format!("{}={}", file.issuer, path.display())
    });
    let said = ["recon", "--data", ledger.to_str().unwrap(), "--date", DATE];
    process("reconciled with two issuers", &[&said[..], &["--clearing", &given[0], "--clearing", &given[1]]].concat());
}
