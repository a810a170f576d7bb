//! What durability costs, and what a restart costs. Prints figures; judges none but that it runs.
//!
//! * `cargo bench --bench ledger -- restart [N]`: a journal of N transactions of the open day (default 1,000,000),
//!   opened from the journal alone, then from a snapshot; processor seconds of the thread that opens.
//! * `-- growth [N]`: one authorization (intent and decision) in a book of none and of N (default 1,000,000).
//! * `-- sync`: group commit beside the plain yardstick: the same bytes written and synced into a zero-filled
//!   file, in turns, medians of the rounds.
//!
//! Without a word: all three.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench that cannot run has nobody to answer to")]

use bytes::Bytes;
use smallvec::SmallVec;
use std::fs::File;
use std::future::Future;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::pin::pin;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::time::Instant;
use tollgate::ledger::Answer;
use tollgate::ledger::Decision;
use tollgate::ledger::EmbeddedLedger;
use tollgate::ledger::Housekeeping;
use tollgate::ledger::Identity;
use tollgate::ledger::Intent;
use tollgate::ledger::Ledger;
use tollgate::ledger::OpenedLedger;
use tollgate::ledger::Outbound;
use tollgate::ledger::Outcome;
use tollgate::ledger::Scope;
use tollgate::ledger::journal::Folder;
use tollgate::ledger::journal::JournalId;
use tollgate::ledger::journal::Opened;
use tollgate::ledger::journal::Options;
use tollgate::ledger::journal::Step;
use tollgate::ledger::journal::open;
use tollgate::model::Acquirer;
use tollgate::model::Amount;
use tollgate::model::ApprovalCode;
use tollgate::model::BusinessDate;
use tollgate::model::CardClass;
use tollgate::model::Currency;
use tollgate::model::IssuerName;
use tollgate::model::Kind;
use tollgate::model::MerchantId;
use tollgate::model::MessageClass;
use tollgate::model::Pan;
use tollgate::model::PanToken;
use tollgate::model::PosEntryMode;
use tollgate::model::ProcessingCode;
use tollgate::model::ResponseCode;
use tollgate::model::SealedPan;
use tollgate::model::Stan;
use tollgate::model::TerminalId;
use tollgate::model::Timestamp;
use tollgate::risk::Counted;
use tollgate::risk::CounterKey;
use tollgate::risk::Reservation;

const ROUNDS: usize = 7;
const OPTIONS: Options = Options { segment_bytes: 64 << 20, new_id: JournalId(*b"made for a bench") };
const TERMINALS: u64 = 10_000;

/// Does what needs nobody else; records are pushed by then, whether or not they are durable.
fn once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

fn date() -> BusinessDate {
    BusinessDate::new(2026, 11, 22).unwrap()
}

/// The sale number `number` of a day, as a terminal with a chip card sends it.
fn sale(ledger: &EmbeddedLedger, number: u64) -> Intent {
    let (id, rrn) = ledger.number(date());
    let terminal = TerminalId::parse(format!("{:08}", number % TERMINALS).as_bytes()).unwrap();
    let stan = Stan::new(u32::try_from(number / TERMINALS % 999_999 + 1).unwrap()).unwrap();
    let received = Timestamp(1_795_305_600_000_000 + i64::try_from(number).unwrap() * 1_000);
    let amount = Amount::new(100 + number % 10_000).unwrap();
    let key = CounterKey { counted: Counted::Terminal(terminal), date: date() };
    let reservation = Reservation { key, amount, amount_limit: None, count_limit: None };
    let icc = Bytes::from_static(&[0x9F; 40]);
    Intent {
        id,
        rrn,
        identity: Identity {
            terminal,
            stan,
            scope: Scope(SmallVec::from_slice(b"000001")),
            class: MessageClass::Financial,
        },
        content: [7; 32],
        kind: Kind::Sale,
        merchant: MerchantId::parse(b"898110054110001").unwrap(),
        acquirer: Acquirer::parse(b"89811000").unwrap(),
        test_mode: false,
        date: date(),
        received,
        offset_minutes: 480,
        processing_code: ProcessingCode::parse(b"000000").unwrap(),
        amount,
        currency: Currency::CNY,
        entry_mode: PosEntryMode::parse(b"051").unwrap(),
        card_sequence: Some(*b"001"),
        condition_code: Some(*b"00"),
        expiry: None,
        pan: SealedPan::new(Bytes::from_static(&[0x5A; 44])),
        token: PanToken([3; 32]),
        masked: Pan::parse(b"6225000000000253").unwrap().masked(),
        refusal: None,
        reservations: SmallVec::from_slice(&[reservation]),
        outbound: Some(Outbound { issuer: IssuerName::parse("bank-a").unwrap(), stan, sent: received, icc: Some(icc) }),
        follows: None,
        batch: None,
        card: CardClass::default(),
        operator: None,
    }
}

/// One authorization: its intent and its decision.
fn authorize(ledger: &EmbeddedLedger, number: u64) {
    let intent = sale(ledger, number);
    let (id, received) = (intent.id, intent.received);
    let _ = once(ledger.intend(intent));
    let approval = ApprovalCode::parse(b"A1B2C3");
    let answer = Answer { approval, ..Answer::of(ResponseCode::Approved, received) };
    let _ = once(ledger.decide(id, Decision::of(Outcome::Approved, answer)));
}

/// Processor seconds of this thread so far.
fn processor() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

fn measured<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let (start, before) = (Instant::now(), processor());
    let done = work();
    println!("{what}: {:.2} s processor, {:.2} s", processor() - before, start.elapsed().as_secs_f64());
    done
}

fn opened(folder: &Path, capacity: usize) -> OpenedLedger<Folder> {
    EmbeddedLedger::open(Folder::open(folder).unwrap(), &OPTIONS, capacity).unwrap()
}

fn write_all(opened: &mut OpenedLedger<Folder>) {
    loop {
        match opened.writer.step(Timestamp(0)).unwrap() {
            Step::Wrote(_) => {}
            Step::Blocked => _ = opened.preparer.step().unwrap(),
            Step::Idle | Step::Ended => break,
        }
    }
}

fn restart(transactions: u64) {
    let folder = tempfile::tempdir().unwrap();
    let capacity = usize::try_from(transactions).unwrap() * 2;
    let mut ledger = opened(folder.path(), capacity);
    for number in 0..transactions {
        authorize(&ledger.ledger, number);
        if number % 1_024 == 0 {
            write_all(&mut ledger);
        }
    }
    write_all(&mut ledger);
    ledger.anchor.step().unwrap();
    drop(ledger);
    let mut ledger =
        measured(&format!("restart of {transactions} from the journal"), || opened(folder.path(), capacity));
    println!(
        "  {} transactions, {} groups, {} MiB resident",
        ledger.found.transactions,
        ledger.found.groups,
        resident()
    );
    ledger.housekeeper.options = Housekeeping { journal_bytes: 0, ..Housekeeping::default() };
    let made = measured("snapshot of it, beside", || ledger.housekeeper.step(Timestamp(0)).unwrap());
    println!("  {made:?}");
    drop(ledger);
    for _ in 0..3 {
        let ledger =
            measured(&format!("restart of {transactions} from the snapshot"), || opened(folder.path(), capacity));
        println!("  {} transactions, {} groups after the snapshot", ledger.found.transactions, ledger.found.groups);
    }
}

/// Microseconds an authorization, the median of the rounds.
fn cost(ledger: &EmbeddedLedger, from: u64) -> f64 {
    const BATCH: u64 = 2_000;
    let rounds = (0..31u64).map(|round| {
        let start = Instant::now();
        for number in 0..BATCH {
            authorize(ledger, from + round * BATCH + number);
        }
        start.elapsed().as_secs_f64() * 1e6 / f64::from(u32::try_from(BATCH).unwrap())
    });
    median(rounds.collect())
}

fn growth(transactions: u64) {
    let ledger = EmbeddedLedger::volatile(usize::MAX);
    let empty = cost(&ledger, 0);
    let ledger = EmbeddedLedger::volatile(usize::MAX);
    (0..transactions).for_each(|number| authorize(&ledger, number));
    let full = cost(&ledger, transactions);
    let records = transactions * 2;
    println!("an authorization: {empty:.2} us in an empty book, {full:.2} us at {transactions} ({records} records)");
    println!("  {:.0} % of the empty one, {} MiB resident", full / empty * 100.0, resident());
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A file of zeros, all of it on disk.
fn zeros(path: &Path, length: usize) -> File {
    let file = File::options().create(true).truncate(true).read(true).write(true).open(path).unwrap();
    file.write_all_at(&vec![0; length], 0).unwrap();
    file.sync_all().unwrap();
    file
}

/// Syncs a second of the plain yardstick: `length` bytes written at the next place, and synced.
fn plain(file: &File, at: &mut u64, length: usize, syncs: u32) -> f64 {
    let bytes = vec![0x5A; length];
    let start = Instant::now();
    for _ in 0..syncs {
        file.write_all_at(&bytes, *at).unwrap();
        file.sync_data().unwrap();
        *at += u64::try_from(length).unwrap();
    }
    f64::from(syncs) / start.elapsed().as_secs_f64()
}

/// Groups a second of the journal, `records` records of 300 bytes each.
fn groups(journal: &mut Opened<Folder>, records: usize, syncs: u32) -> f64 {
    let record = [0x5A; 300];
    let batch: Vec<&[u8]> = vec![&record; records];
    let mut elapsed = 0.0;
    for _ in 0..syncs {
        let start = Instant::now();
        let ticket = journal.groups.push_encoded(&batch);
        while !ticket.is_kept() {
            if journal.writer.step(Timestamp(0)).unwrap() == Step::Blocked {
                // The station makes the next segment beside the writer.
                elapsed -= start.elapsed().as_secs_f64();
                journal.preparer.step().unwrap();
                elapsed += start.elapsed().as_secs_f64();
            }
        }
        elapsed += start.elapsed().as_secs_f64();
    }
    f64::from(syncs) / elapsed
}

fn sync() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal");
    std::fs::create_dir(&journal).unwrap();
    let mut journal = open(Folder::open(&journal).unwrap(), &OPTIONS, None, &mut |_| Ok(())).unwrap();
    journal.preparer.step().unwrap();
    let file = zeros(&folder.path().join("plain"), 512 << 20);
    let mut at = 0;
    for records in [1usize, 16, 128, 1_024] {
        let syncs = if records < 100 { 200 } else { 50 };
        let length = (records * 304 + 68).next_multiple_of(512);
        let (mut four, mut same, mut ours) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            four.push(plain(&file, &mut at, 4096, syncs));
            same.push(plain(&file, &mut at, length, syncs));
            ours.push(groups(&mut journal, records, syncs));
        }
        let ratio = median(ours.iter().zip(&same).map(|(ours, same)| ours / same).collect());
        let (four, same, ours) = (median(four), median(same), median(ours));
        let kept = ours * f64::from(u32::try_from(records).unwrap());
        println!(
            "{records} records a group: {kept:.0} records/s, {ours:.0} groups/s; plain {length} bytes {same:.0}/s, \
             4 KiB {four:.0}/s; ratio {ratio:.2}"
        );
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let count = |default: u64| arguments.get(1).map_or(default, |count| count.parse().unwrap());
    match arguments.first().map(String::as_str) {
        Some("restart") => restart(count(1_000_000)),
        Some("growth") => growth(count(1_000_000)),
        Some("sync") => sync(),
        // `cargo test --benches` only wants to know that it runs.
        Some("--test") => {
            restart(2_000);
            growth(2_000);
        }
        None => {
            restart(1_000_000);
            growth(1_000_000);
            sync();
        }
        Some(other) => panic!("{other}: restart, growth or sync"),
    }
}
