//! What durability costs, and what a restart costs. Prints figures; judges none but that it runs.
//!
//! * `cargo bench --bench ledger -- restart [N]`: a journal of N transactions of the open day (default 1,000,000),
//!   opened from the journal alone, then from a snapshot; processor seconds of the thread that opens.
//! * `-- growth [N]`: one authorization (intent and decision) in a book of none and of N (default 1,000,000).
//! * `-- sync`: group commit beside the plain yardstick: the same bytes written and synced into a zero-filled
//!   file, in turns, medians of the rounds.
//! * `-- close [N]`: the settlement (0500) of a batch of 1,000 among N open ones (default 200).
//! * `-- replay [N]`: the sample rules tried on a journal of N sales (default 1,000,000), as `tollgate risk replay` does.
//!
//! Without a word: all five.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench that cannot run has nobody to answer to")]

mod till;

use bytes::Bytes;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;
use tollgate::ledger::BatchClose;
use tollgate::ledger::EmbeddedLedger;
use tollgate::ledger::Housekeeping;
use tollgate::ledger::Intent;
use tollgate::ledger::Ledger;
use tollgate::ledger::OpenedLedger;
use tollgate::ledger::journal::Folder;
use tollgate::ledger::journal::Opened;
use tollgate::ledger::journal::Step;
use tollgate::ledger::journal::open;
use tollgate::ledger::judged::judged;
use tollgate::model::BatchNumber;
use tollgate::model::BusinessDate;
use tollgate::model::MerchantId;
use tollgate::model::PanToken;
use tollgate::model::SplitMix64;
use tollgate::model::Timestamp;
use tollgate::ops::backtest::Backtest;
use tollgate::ops::backtest::Span;
use tollgate::risk::Counted;
use tollgate::risk::CounterKey;
use tollgate::risk::Reservation;
use tollgate::risk::RuleSet;

const ROUNDS: usize = 7;
/// Slips of the batch that is closed.
const SLIPS: u64 = 1_000;

fn date() -> BusinessDate {
    BusinessDate::new(2026, 11, 22).unwrap()
}

fn received(number: u64) -> Timestamp {
    Timestamp(1_795_305_600_000_000 + i64::try_from(number).unwrap() * 1_000)
}

/// One authorization, with a limit and chip data: its intent and its decision.
fn authorize(ledger: &EmbeddedLedger, number: u64) {
    let mut intent = till::sale(ledger, number, date(), received(number));
    let key = CounterKey { counted: Counted::Terminal(intent.identity.terminal), date: date() };
    intent.reservations.push(Reservation { key, amount: intent.amount, amount_limit: None, count_limit: None });
    if let Some(outbound) = &mut intent.outbound {
        outbound.icc = Some(Bytes::from_static(&[0x9F; 40]));
    }
    till::approve(ledger, intent);
}

fn resident() -> u64 {
    till::memory("VmRSS:")
}

fn measured<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let (start, before) = (Instant::now(), till::processor());
    let done = work();
    println!("{what}: {:.2} s processor, {:.2} s", till::processor() - before, start.elapsed().as_secs_f64());
    done
}

fn opened(folder: &Path, capacity: usize) -> OpenedLedger<Folder> {
    EmbeddedLedger::open(Folder::open(folder).unwrap(), &till::OPTIONS, capacity).unwrap()
}

fn restart(transactions: u64) {
    let folder = tempfile::tempdir().unwrap();
    let capacity = usize::try_from(transactions).unwrap() * 2;
    let mut ledger = opened(folder.path(), capacity);
    for number in 0..transactions {
        authorize(&ledger.ledger, number);
        if number % 1_024 == 0 {
            till::write_all(&mut ledger);
        }
    }
    till::write_all(&mut ledger);
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

/// One settlement of a batch of [`SLIPS`] (0500, totals that agree), among `terminals` batches that are open.
fn close(terminals: u64) {
    let ledger = EmbeddedLedger::volatile(usize::MAX);
    for number in 0..terminals {
        for slip in 0..SLIPS {
            let sale = till::sale(&ledger, number + slip * till::TERMINALS, date(), received(slip));
            till::approve(&ledger, Intent { batch: Some(BatchNumber::FIRST), ..sale });
        }
    }
    let merchant = MerchantId::parse(b"898110054110001").unwrap();
    let closes = (0..terminals).map(|number| {
        let terminal = till::terminal(number);
        let counted = ledger.open_batch(terminal, BatchNumber::FIRST).unwrap().counted;
        let close = BatchClose { claimed: Some(counted), ..till::close(terminal, merchant, date(), received(SLIPS)) };
        let start = Instant::now();
        let _ = till::once(ledger.close_batch(close));
        let took = start.elapsed().as_secs_f64() * 1e6;
        let record = ledger.batch(terminal, BatchNumber::FIRST).unwrap();
        assert_eq!((record.is_balanced(), u64::from(record.counted.domestic.debit.count)), (Some(true), SLIPS));
        took
    });
    let closes = median(closes.collect());
    println!("a batch of {SLIPS} settled: {closes:.0} us, one of {terminals} open ones");
}

/// The card of a sale: 200,000 of them, each used now and then.
fn card(number: u64) -> PanToken {
    let mut random = SplitMix64::new(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 200_000);
    let mut token = [0; 32];
    token.as_chunks_mut().0.iter_mut().for_each(|part| *part = random.draw().to_be_bytes());
    PanToken(token)
}

/// The merchant of a sale's terminal: each has five.
fn merchant(number: u64) -> MerchantId {
    MerchantId::parse(format!("89811005{:07}", number % till::TERMINALS / 5).as_bytes()).unwrap()
}

/// A day's sales, then what rules would have said of them: how many a second of processor time.
fn replay(transactions: u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = opened(folder.path(), usize::MAX);
    for number in 0..transactions {
        let sale = till::sale(&ledger.ledger, number, date(), received(number * 50));
        till::approve(&ledger.ledger, Intent { token: card(number), merchant: merchant(number), ..sale });
        if number % 1_024 == 0 {
            till::write_all(&mut ledger);
        }
    }
    till::write_all(&mut ledger);
    ledger.anchor.step().unwrap();
    drop(ledger);
    let rules = RuleSet::read("sample", RuleSet::SAMPLE).unwrap();
    let rates: Vec<f64> = (0..5)
        .map(|_| {
            let (mut backtest, start) = (Backtest::new(&rules, Span::default()), till::processor());
            judged(&mut Folder::open(folder.path()).unwrap(), &mut backtest).unwrap();
            let took = till::processor() - start;
            assert_eq!(backtest.report.judged, transactions);
            transactions as f64 / took
        })
        .collect();
    println!("{transactions} sales judged again by {} rules: {:.0} a second of one core", rules.len(), median(rates));
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
    let mut journal = open(Folder::open(&journal).unwrap(), &till::OPTIONS, None, &mut |_| Ok(())).unwrap();
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
        Some("close") => close(count(200)),
        Some("replay") => replay(count(1_000_000)),
        // `cargo test --benches` only wants to know that it runs.
        Some("--test") => {
            restart(2_000);
            growth(2_000);
            close(2);
            replay(2_000);
        }
        None => {
            restart(1_000_000);
            growth(1_000_000);
            sync();
            close(200);
            replay(1_000_000);
        }
        Some(other) => panic!("{other}: restart, growth, sync, close or replay"),
    }
}
