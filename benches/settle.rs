//! A day of a million transactions, settled and reconciled from the ledger's files. Prints figures; judges none but that it runs
//! and that the sums are those that were sold.
//!
//! `cargo bench --bench settle -- [N]` (default 1,000,000): 10,000 terminals of the demo's shops, each with one batch
//! that is closed at the day's end. The day is settled from the archive, as a station leaves it, and once more from
//! the journal alone.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench that cannot run has nobody to answer to")]

use bytes::Bytes;
use smallvec::SmallVec;
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::time::Instant;
use tollgate::cli::Exit;
use tollgate::cli::run_from;
use tollgate::ledger::Answer;
use tollgate::ledger::BatchClose;
use tollgate::ledger::ClosedBy;
use tollgate::ledger::Decision;
use tollgate::ledger::EmbeddedLedger;
use tollgate::ledger::Identity;
use tollgate::ledger::Intent;
use tollgate::ledger::Ledger;
use tollgate::ledger::OpenedLedger;
use tollgate::ledger::Outbound;
use tollgate::ledger::Outcome;
use tollgate::ledger::Scope;
use tollgate::ledger::archive::ARCHIVE;
use tollgate::ledger::archive::Archive;
use tollgate::ledger::archive::ArchiveFault;
use tollgate::ledger::archive::Archiver;
use tollgate::ledger::archive::Row;
use tollgate::ledger::journal::Folder;
use tollgate::ledger::journal::JournalId;
use tollgate::ledger::journal::Options;
use tollgate::ledger::journal::Step;
use tollgate::model::Acquirer;
use tollgate::model::Amount;
use tollgate::model::ApprovalCode;
use tollgate::model::BatchNumber;
use tollgate::model::BusinessDate;
use tollgate::model::CardClass;
use tollgate::model::Currency;
use tollgate::model::IssuerName;
use tollgate::model::Kind;
use tollgate::model::MaskedPan;
use tollgate::model::MerchantId;
use tollgate::model::MessageClass;
use tollgate::model::Pan;
use tollgate::model::PanToken;
use tollgate::model::PosEntryMode;
use tollgate::model::ProcessingCode;
use tollgate::model::Product;
use tollgate::model::ResponseCode;
use tollgate::model::Rrn;
use tollgate::model::SealedPan;
use tollgate::model::Stan;
use tollgate::model::TerminalId;
use tollgate::model::Timestamp;
use tollgate::model::VoidsInTotals;
use tollgate::settle::recon::ClearingFile;
use tollgate::settle::recon::ClearingRow;
use tollgate::settle::recon::sign;

const OPTIONS: Options = Options { segment_bytes: 64 << 20, new_id: JournalId(*b"made for a bench") };
const TERMINALS: u64 = 10_000;
const SHOPS: u64 = 199;
const DATE: &str = "2020-03-05";
/// 2020-03-05T00:00:00Z.
const BEGIN: i64 = 1_583_366_400_000_000;

fn main() {
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
    let (start, before) = (Instant::now(), processor());
    let done = work();
    println!("{what}: {:.1} s processor, {:.1} s", processor() - before, start.elapsed().as_secs_f64());
    done
}

/// Processor seconds of this thread so far.
fn processor() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

/// Does what needs nobody else; records are pushed by then, whether or not they are durable.
fn once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

fn date() -> BusinessDate {
    BusinessDate::parse(DATE).unwrap()
}

fn terminal(number: u64) -> TerminalId {
    TerminalId::parse(format!("{:08}", number % TERMINALS).as_bytes()).unwrap()
}

fn merchant(number: u64) -> MerchantId {
    MerchantId::parse(format!("898110054110{:03}", number % TERMINALS % SHOPS + 1).as_bytes()).unwrap()
}

fn sale(ledger: &EmbeddedLedger, number: u64) -> Intent {
    let (id, rrn) = ledger.number(date());
    let stan = Stan::new(u32::try_from(number / TERMINALS % 999_999 + 1).unwrap()).unwrap();
    let received = Timestamp(BEGIN + i64::try_from(number).unwrap() * 10_000);
    let scope = Scope(SmallVec::from_slice(b"000001"));
    let card =
        CardClass { product: Product::ALL[usize::try_from(number % 5).unwrap()], foreign: number.is_multiple_of(50) };
    let issuer = IssuerName::parse(if number.is_multiple_of(3) { "bank-b" } else { "bank-a" }).unwrap();
    Intent {
        id,
        rrn,
        identity: Identity { terminal: terminal(number), stan, scope, class: MessageClass::Financial },
        content: [7; 32],
        kind: Kind::Sale,
        merchant: merchant(number),
        acquirer: Acquirer::parse(b"89811000").unwrap(),
        test_mode: false,
        date: date(),
        received,
        offset_minutes: 480,
        processing_code: ProcessingCode::parse(b"000000").unwrap(),
        amount: Amount::new(100 + number % 10_000).unwrap(),
        currency: Currency::CNY,
        entry_mode: PosEntryMode::parse(b"051").unwrap(),
        card_sequence: Some(*b"001"),
        condition_code: Some(*b"00"),
        expiry: None,
        pan: SealedPan::new(Bytes::from_static(&[0x5A; 44])),
        token: PanToken([3; 32]),
        masked: Pan::parse(b"6225000000000253").unwrap().masked(),
        refusal: None,
        reservations: SmallVec::new(),
        outbound: Some(Outbound { issuer, stan, sent: received, icc: None }),
        follows: None,
        batch: Some(BatchNumber::FIRST),
        card,
        operator: None,
    }
}

/// Sells, voids every twentieth sale, closes all batches; what stands, in minor units.
fn sell(folder: &Path, transactions: u64) -> i128 {
    let capacity = usize::try_from(transactions).unwrap() * 2 + 100_000;
    let mut opened = EmbeddedLedger::open(Folder::open(folder).unwrap(), &OPTIONS, capacity).unwrap();
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
        let (id, received) = (intent.id, intent.received);
        last = Some(intent.clone());
        let _ = once(opened.ledger.intend(intent));
        let answer =
            Answer { approval: ApprovalCode::parse(b"A1B2C3"), ..Answer::of(ResponseCode::Approved, received) };
        let _ = once(opened.ledger.decide(id, Decision::of(Outcome::Approved, answer)));
        if number % 1_024 == 0 {
            write_all(&mut opened);
        }
    }
    for number in 0..TERMINALS {
        let close = BatchClose {
            terminal: terminal(number),
            batch: BatchNumber::FIRST,
            merchant: merchant(number),
            test_mode: false,
            claimed: None,
            voids: VoidsInTotals::default(),
            date: date(),
            received: Timestamp(BEGIN + 50_000_000_000),
            by: ClosedBy::Terminal,
            session: None,
        };
        let _ = once(opened.ledger.close_batch(close));
    }
    write_all(&mut opened);
    opened.anchor.step().unwrap();
    sold
}

fn write_all(opened: &mut OpenedLedger<Folder>) {
    loop {
        match opened.writer.step(Timestamp(BEGIN)).unwrap() {
            Step::Wrote(_) => {}
            Step::Blocked => _ = opened.preparer.step().unwrap(),
            Step::Idle | Step::Ended => break,
        }
    }
}

fn archive(folder: &Path) {
    let mut archiver = Archiver::open(Folder::read_only(folder).unwrap(), folder).unwrap();
    while !archiver.step().unwrap().is_done() {}
}

/// Settles, and says what all lines come to.
fn settle(to: &Path, ledger: &Path, how: &[&str]) -> i128 {
    let station = Path::new(env!("CARGO_MANIFEST_DIR")).join("specs/demo/station.toml");
    let (station, ledger, to) = (station.to_str().unwrap(), ledger.to_str().unwrap(), to.to_str().unwrap());
    let said = ["tollgate", "settle", "-c", station, "--data", ledger, "--date", DATE, "--out", to, "--json"];
    let mut out = Vec::new();
    let what = if how.is_empty() { "settled from the archive" } else { "settled from the journal" };
    match measured(what, || run_from([&said[..], how].concat(), &mut out)) {
        Ok(Exit::Ok) => {}
        other => panic!("{other:?}"),
    }
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
    let said = ["tollgate", "recon", "--data", ledger.to_str().unwrap(), "--date", DATE];
    let said = [&said[..], &["--clearing", &given[0], "--clearing", &given[1]]].concat();
    match measured("reconciled with two issuers", || run_from(said, &mut std::io::sink())) {
        Ok(Exit::Ok) => {}
        other => panic!("{other:?}"),
    }
}
