//! `tollgate settle` and `tollgate report` on the files of a real ledger.

use super::*;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use tollgate::ledger::BatchClose;
use tollgate::ledger::BatchClosed;
use tollgate::ledger::ClosedBy;
use tollgate::ledger::Reversal;
use tollgate::ledger::Scope;
use tollgate::ledger::archive::Archiver;
use tollgate::model::BatchNumber;
use tollgate::model::BusinessDate;
use tollgate::model::CardClass;
use tollgate::model::MerchantId;
use tollgate::model::Product;
use tollgate::model::ResponseCode;
use tollgate::model::VoidsInTotals;

/// A Thursday and a Friday long ago, so that both are over whatever the clock says.
const THURSDAY: &str = "2020-03-05";
const FRIDAY: &str = "2020-03-06";
const SATURDAY: &str = "2020-03-07";
const SUNDAY: &str = "2020-03-08";
/// 2020-03-05T04:00:00Z: noon in the shop.
const LONG_AGO: i64 = 1_583_380_800_000_000;
const HOUR: i64 = 3_600_000_000;

fn parsed(date: &str) -> BusinessDate {
    BusinessDate::parse(date).unwrap()
}

fn on(date: &str, intent: Intent) -> Intent {
    let date = BusinessDate::parse(date).unwrap();
    let days = date.days_since(BusinessDate::parse(THURSDAY).unwrap());
    let seconds = i64::from(intent.identity.stan.value());
    let received = Timestamp(LONG_AGO + i64::from(days) * 86_400_000_000 + seconds * 1_000_000);
    Intent { date, received, ..intent }
}

fn batch(number: u32, intent: Intent) -> Intent {
    Intent { batch: BatchNumber::new(number), ..intent }
}

fn close(kept: &Kept<Folder>, terminal: u8, number: u32, date: &str) {
    let close = BatchClose {
        terminal: crate::ledger::shop::terminal(terminal),
        batch: BatchNumber::new(number).unwrap(),
        told_as: None,
        apart: true,
        merchant: MerchantId::parse(b"898110054110001").unwrap(),
        test_mode: false,
        claimed: None,
        voids: VoidsInTotals::default(),
        date: BusinessDate::parse(date).unwrap(),
        received: Timestamp(LONG_AGO + 36_000_000_000),
        by: ClosedBy::Terminal,
        session: None,
    };
    assert!(matches!(kept.wait(kept.ledger.close_batch(close)).unwrap(), BatchClosed::Closed { .. }));
}

/// Of terminal 1, closed on Thursday: 1 a sale of 100.00; 2 one of 50.00, voided by 3; 4 one of 200.00 with a debit
/// card, refunded for 30.00 by a later transaction of a second batch, closed on Friday; 5 one of 10.00, reversed on
/// Friday; 6 a decline. Of terminal 2, whose shop has no account, without batches: 7 a sale of 40.00. Of terminal 3,
/// whose batch is open: 8 one of 70.00. Of terminal 4, in test mode: 9 one of 1.00.
fn two_days(folder: &Path) -> Kept<Folder> {
    let kept = Kept::open(Folder::open(folder).unwrap());
    let shop = &kept.ledger;
    kept.end(batch(1, on(THURSDAY, sale(shop, 1, 1, 10_000))), Outcome::Approved);
    let voided = kept.end(batch(1, on(THURSDAY, sale(shop, 1, 2, 5_000))), Outcome::Approved);
    let void = following(Kind::SaleVoid, &voided, sale(shop, 1, 3, 5_000));
    kept.end(batch(1, on(THURSDAY, void)), Outcome::Approved);
    let debit = Intent {
        card: CardClass { product: Product::Debit, ..CardClass::default() },
        ..batch(1, on(THURSDAY, sale(shop, 1, 4, 20_000)))
    };
    let refunded = kept.end(debit, Outcome::Approved);
    kept.end(batch(1, on(THURSDAY, sale(shop, 1, 5, 1_000))), Outcome::Approved);
    kept.end(batch(1, on(THURSDAY, sale(shop, 1, 6, 999))), Outcome::Declined);
    let homeless = MerchantId::parse(b"898110054110200").unwrap();
    kept.end(Intent { merchant: homeless, ..on(THURSDAY, sale(shop, 2, 7, 4_000)) }, Outcome::Approved);
    kept.end(batch(1, on(THURSDAY, sale(shop, 3, 8, 7_000))), Outcome::Approved);
    kept.end(Intent { test_mode: true, ..on(THURSDAY, sale(shop, 4, 9, 100)) }, Outcome::Approved);
    close(&kept, 1, 1, THURSDAY);
    let refund = following(Kind::Refund, &refunded, sale(shop, 1, 10, 3_000));
    kept.end(batch(2, on(FRIDAY, refund)), Outcome::Approved);
    let late = Reversal { date: BusinessDate::parse(FRIDAY).unwrap(), ..reversal(1, 11, 5, 1_000) };
    kept.wait(shop.reverse(late)).unwrap();
    close(&kept, 1, 2, FRIDAY);
    kept.anchor();
    kept
}

/// Runs a command over the demo's station and this ledger.
fn run(arguments: &[&str]) -> (Exit, String) {
    let mut out = Vec::new();
    let outcome = run_from([&["tollgate"], arguments].concat(), &mut out);
    let text = String::from_utf8(out).unwrap();
    let (exit, text) = match outcome {
        Ok(exit) => (exit, text),
        Err(failure) => (failure.exit, text + &failure.message),
    };
    assert!(!text.contains(CANARY), "a card number in clear: {text}");
    (exit, text)
}

fn station() -> String {
    format!("{}/specs/demo/station.toml", env!("CARGO_MANIFEST_DIR"))
}

fn settle(ledger: &Path, date: &str, to: &Path, more: &[&str]) -> (Exit, String) {
    let station = station();
    let said = ["settle", "-c", &station, "--data", text(ledger), "--date", date, "--out", text(to)];
    run(&[&said, more].concat())
}

/// Settles a date that can be; all files by name.
fn settled(ledger: &Path, date: &str) -> (tempfile::TempDir, Vec<(String, Vec<u8>)>) {
    let to = tempfile::tempdir().unwrap();
    let (exit, said) = settle(ledger, date, to.path(), &[]);
    assert_eq!(exit, Exit::Ok, "{said}");
    let files = files(to.path());
    (to, files)
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let file = |path: PathBuf| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap());
    paths.into_iter().map(file).collect()
}

/// A table's column, row by row.
fn column(folder: &Path, table: &str, name: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_path(folder.join(format!("{table}.csv"))).unwrap();
    let at = reader.headers().unwrap().iter().position(|column| column == name).unwrap();
    reader.records().map(|row| row.unwrap()[at].to_owned()).collect()
}

#[test]
fn a_day_settles_what_was_in_the_batches_closed_on_it_and_always_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let kept = two_days(folder.path());
    let (to, first) = settled(folder.path(), THURSDAY);
    assert_eq!(column(to.path(), "lines", "amount"), ["10000", "5000", "-5000", "20000", "1000", "4000"]);
    // 0.380 % of the shop's category, whatever the card: 38, 19, 76 and 3.8.
    assert_eq!(column(to.path(), "lines", "fee"), ["38", "19", "-19", "76", "4", "15"]);
    assert_eq!(column(to.path(), "lines", "value_date"), [FRIDAY; 6]);
    assert_eq!(column(to.path(), "currencies", "net"), ["35000"]);
    assert_eq!(column(to.path(), "products", "net"), ["20000", "15000"]);
    assert_eq!(column(to.path(), "issuers", "net"), ["35000"]);
    assert_eq!(column(to.path(), "terminals", "net"), ["31000", "4000"]);
    // Also once more has happened, by the journal and by the archive.
    kept.end(on("2020-03-10", sale(&kept.ledger, 2, 12, 4_000)), Outcome::Approved);
    kept.anchor();
    assert!(settled(folder.path(), THURSDAY).1 == first);
    drop(kept);
    assert_eq!(run(&["ledger", "rebuild-archive", text(folder.path())]).0, Exit::Ok);
    assert!(settled(folder.path(), THURSDAY).1 == first);
    let (exit, said) = settle(folder.path(), THURSDAY, to.path(), &[]);
    assert_eq!(exit, Exit::Ok, "into the same folder: {said}");
    let manifest: Value = serde_json::from_slice(&fs::read(to.path().join("settlement.json")).unwrap()).unwrap();
    assert_eq!((&manifest["date"], &manifest["provisional"]), (&THURSDAY.into(), &false.into()));
    assert_eq!(manifest["files"].as_array().unwrap().len() + 1, first.len());
}

#[test]
fn a_refund_and_a_late_reversal_are_negative_lines_of_their_own_day() {
    let folder = tempfile::tempdir().unwrap();
    drop(two_days(folder.path()));
    let (to, _) = settled(folder.path(), FRIDAY);
    assert_eq!(column(to.path(), "lines", "what"), ["refund", "late"]);
    assert_eq!(column(to.path(), "lines", "amount"), ["-3000", "-1000"]);
    assert_eq!(column(to.path(), "lines", "fee"), ["0", "-4"]);
    assert_eq!(column(to.path(), "merchants", "payable"), ["-3996"]);
    assert_eq!(column(to.path(), "merchants", "status"), ["collect"]);
    assert_eq!(column(to.path(), "merchants", "value_date"), ["2020-03-09"], "over the weekend");
}

#[test]
fn a_merchant_without_a_registered_account_is_held_and_test_terminals_never_settle() {
    let folder = tempfile::tempdir().unwrap();
    drop(two_days(folder.path()));
    let (to, _) = settled(folder.path(), THURSDAY);
    assert_eq!(column(to.path(), "merchants", "status"), ["pay", "held: no registered account"]);
    assert_eq!(column(to.path(), "merchants", "account"), ["TESTACCOUNT0001", ""]);
    assert_eq!(column(to.path(), "currencies", "paid"), [(31_000 - 118).to_string()]);
    assert_eq!(column(to.path(), "currencies", "held"), [(4_000 - 15).to_string()]);
    let manifest: Value = serde_json::from_slice(&fs::read(to.path().join("settlement.json")).unwrap()).unwrap();
    assert_eq!(manifest["test_mode_left_out"], 1);
}

#[test]
fn an_open_batch_waits_and_is_told_and_settles_once_it_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let kept = two_days(folder.path());
    let (to, _) = settled(folder.path(), THURSDAY);
    assert_eq!(column(to.path(), "waiting", "terminal"), ["10000003"]);
    assert_eq!(column(to.path(), "waiting", "amount"), ["7000"]);
    close(&kept, 3, 1, "2020-03-09");
    kept.anchor();
    let (to, _) = settled(folder.path(), "2020-03-09");
    assert_eq!(column(to.path(), "lines", "amount"), ["7000"]);
    assert_eq!(column(to.path(), "lines", "business_date"), [THURSDAY]);
}

#[test]
fn a_transaction_that_is_not_decided_keeps_its_day_open() {
    let folder = tempfile::tempdir().unwrap();
    let kept = two_days(folder.path());
    let open = kept.intend(on(THURSDAY, sale(&kept.ledger, 2, 20, 500)));
    kept.anchor();
    let to = tempfile::tempdir().unwrap();
    let (exit, said) = settle(folder.path(), THURSDAY, to.path(), &[]);
    assert!(exit == Exit::No && said.contains("not decided") && said.contains(open.rrn.as_str()), "{said}");
    let (exit, said) = settle(folder.path(), THURSDAY, to.path(), &["--provisional"]);
    assert!(exit == Exit::Ok && said.contains("PROVISIONAL"), "{said}");
    assert_eq!(column(to.path(), "exceptions", "why"), ["open"]);
    kept.wait(kept.ledger.decide(open.id, decision(Outcome::Approved, open.received))).unwrap();
    kept.anchor();
    let (exit, said) = settle(folder.path(), THURSDAY, to.path(), &[]);
    assert_eq!(exit, Exit::Ok, "what was provisional is replaced: {said}");
    assert_eq!(column(to.path(), "currencies", "net"), ["35500"]);
}

#[test]
fn a_date_that_is_not_over_is_not_settled_and_other_files_are_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    drop(two_days(folder.path()));
    let to = tempfile::tempdir().unwrap();
    let (exit, said) = settle(folder.path(), "9000-01-01", to.path(), &[]);
    assert!(exit == Exit::No && said.contains("is not over"), "{said}");
    assert_eq!(settle(folder.path(), THURSDAY, to.path(), &[]).0, Exit::Ok);
    let (exit, said) = settle(folder.path(), FRIDAY, to.path(), &[]);
    assert!(exit == Exit::No && said.contains("holds the settlement of 2020-03-05"), "{said}");
    let issuers = to.path().join("issuers.csv");
    fs::write(&issuers, "somebody wrote here").unwrap();
    let (exit, said) = settle(folder.path(), THURSDAY, to.path(), &[]);
    assert!(exit == Exit::No && said.contains("issuers.csv: would change"), "{said}");
    assert_eq!(fs::read(&issuers).unwrap(), b"somebody wrote here");
    assert!(files(to.path()).iter().all(|(name, _)| !name.ends_with(".new")));
    assert_eq!(settle(folder.path(), THURSDAY, to.path(), &["--replace"]).0, Exit::Ok);
    assert_eq!(column(to.path(), "issuers", "net"), ["35000"]);
}

#[test]
fn what_an_issuer_refuses_for_good_is_an_exception_and_not_settled() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::open(Folder::open(folder.path()).unwrap());
    let told = kept.intend(on(THURSDAY, sale(&kept.ledger, 2, 1, 500)));
    let approval = tollgate::ledger::Decision { advise: true, ..decision(Outcome::Approved, told.received) };
    kept.wait(kept.ledger.decide(told.id, approval)).unwrap();
    // On Thursday evening, after the cut-over: the business date is Friday, the calendar's is not.
    kept.at(Timestamp(LONG_AGO + 11 * HOUR));
    kept.send(Forwarded::Refused(ResponseCode::CardInvalid, parsed(FRIDAY)));
    kept.at(NOON);
    kept.anchor();
    let (to, _) = settled(folder.path(), THURSDAY);
    assert_eq!(column(to.path(), "lines", "amount"), ["500"]);
    assert!(column(to.path(), "exceptions", "why").is_empty());
    let (to, _) = settled(folder.path(), FRIDAY);
    assert_eq!(column(to.path(), "lines", "amount"), ["-500"]);
    assert_eq!(column(to.path(), "exceptions", "why"), ["approval refused by the issuer"]);
}

#[test]
fn an_advice_that_is_refused_and_then_reversed_is_taken_back_once_and_its_day_stays_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::open(Folder::open(folder.path()).unwrap());
    let told = kept.intend(on(THURSDAY, sale(&kept.ledger, 2, 1, 500)));
    let approval = tollgate::ledger::Decision { advise: true, ..decision(Outcome::Approved, told.received) };
    kept.wait(kept.ledger.decide(told.id, approval)).unwrap();
    kept.send(Forwarded::Refused(ResponseCode::CardInvalid, parsed(FRIDAY)));
    kept.anchor();
    let (_, friday) = settled(folder.path(), FRIDAY);
    let late = Reversal { date: parsed(SATURDAY), ..reversal(2, 2, 1, 500) };
    kept.wait(kept.ledger.reverse(late)).unwrap();
    kept.anchor();
    assert!(settled(folder.path(), FRIDAY).1 == friday, "its reversal is on its way");
    kept.send(Forwarded::Refused(ResponseCode::CardInvalid, parsed(SUNDAY)));
    kept.anchor();
    assert!(settled(folder.path(), FRIDAY).1 == friday, "its reversal is refused too");
    let told = |date: &str| {
        let (to, _) = settled(folder.path(), date);
        (column(to.path(), "lines", "amount"), column(to.path(), "exceptions", "why"))
    };
    let row = |amounts: &[&str], why: &[&str]| {
        let owned = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        (owned(amounts), owned(why))
    };
    assert_eq!(told(THURSDAY), row(&["500"], &[]));
    assert_eq!(told(FRIDAY), row(&["-500"], &["approval refused by the issuer"]));
    assert_eq!(told(SATURDAY), row(&[], &[]));
    assert_eq!(told(SUNDAY), row(&[], &["reversal refused by the issuer"]));
}

#[test]
fn an_adjustment_that_fits_no_sale_is_an_exception_of_the_day_on_which_its_batch_was_closed() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::open(Folder::open(folder.path()).unwrap());
    let paid = kept.end(batch(1, on(THURSDAY, sale(&kept.ledger, 1, 1, 1_000))), Outcome::Approved);
    let void = following(Kind::SaleVoid, &paid, sale(&kept.ledger, 1, 2, 1_000));
    kept.end(batch(1, on(THURSDAY, void)), Outcome::Approved);
    for (stan, terminal) in [(3, 1), (4, 3)] {
        let tip = following(Kind::Adjustment, &paid, sale(&kept.ledger, terminal, stan, 1_100));
        let tip = Intent { test_mode: terminal == 3, ..batch(1, on(THURSDAY, tip)) };
        let told = kept.wait(kept.ledger.intend(tip.clone())).unwrap();
        assert!(matches!(told, Intended::Adrift(..)), "{told:?}");
        let tip = Intent { follows: None, outbound: None, ..tip };
        kept.wait(kept.ledger.decide(tip.id, decision(Outcome::Approved, tip.received))).unwrap();
    }
    close(&kept, 1, 1, FRIDAY);
    close(&kept, 3, 1, FRIDAY);
    kept.anchor();
    let told = |date: &str| {
        let (to, _) = settled(folder.path(), date);
        ["stan", "amount", "why"].map(|name| column(to.path(), "exceptions", name))
    };
    assert_eq!(told(THURSDAY), [const { Vec::<String>::new() }; 3]);
    assert_eq!(
        told(FRIDAY),
        [["000003"], ["1100"], ["adjustment that fits no sale"]].map(|word| word.map(String::from).to_vec())
    );
    assert_eq!(told(SATURDAY), [const { Vec::<String>::new() }; 3]);
}

#[test]
fn what_is_settled_and_in_the_totals_of_no_batch_is_named_with_what_it_moves() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::open(Folder::open(folder.path()).unwrap());
    let shop = &kept.ledger;
    let of_batch = |mut intent: Intent| {
        intent.identity.scope = Scope(intent.batch.unwrap().digits()[..].into());
        intent
    };
    let paid = kept.end(of_batch(batch(1, on(THURSDAY, sale(shop, 1, 1, 500)))), Outcome::Approved);
    let in_time = following(Kind::Adjustment, &paid, sale(shop, 1, 2, 550));
    kept.end(of_batch(batch(1, on(THURSDAY, in_time))), Outcome::Approved);
    close(&kept, 1, 1, THURSDAY);
    // A tip on a sale of the closed batch, and an advice that names it.
    let tip = following(Kind::Adjustment, &paid, sale(shop, 1, 3, 620));
    kept.end(of_batch(batch(2, on(FRIDAY, tip))), Outcome::Approved);
    let advice = Intent { kind: Kind::OfflineSale, ..sale(shop, 1, 4, 800) };
    kept.end(of_batch(batch(1, on(FRIDAY, advice))), Outcome::Approved);
    kept.end(of_batch(batch(2, on(FRIDAY, sale(shop, 1, 5, 300)))), Outcome::Approved);
    // Without batches there are no totals that could lack something.
    let mut of_a_day = Intent { kind: Kind::OfflineSale, ..on(FRIDAY, sale(shop, 2, 6, 100)) };
    of_a_day.identity.scope = Scope(b"0306"[..].into());
    kept.end(of_a_day, Outcome::Approved);
    close(&kept, 1, 2, FRIDAY);
    kept.anchor();
    let told = |date: &str| {
        let (to, _) = settled(folder.path(), date);
        ["stan", "amount", "why"].map(|name| column(to.path(), "exceptions", name))
    };
    assert_eq!(told(THURSDAY), [const { Vec::<String>::new() }; 3]);
    let why = "settled, and in no batch's totals";
    assert_eq!(
        told(FRIDAY),
        [vec!["000003", "000004"], vec!["70", "800"], vec![why, why]]
            .map(|column| column.into_iter().map(String::from).collect::<Vec<_>>())
    );
}

#[test]
fn a_silent_sale_whose_reversal_was_refused_is_an_exception_of_that_day() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::open(Folder::open(folder.path()).unwrap());
    let silent = kept.end(on(THURSDAY, sale(&kept.ledger, 2, 1, 500)), Outcome::TimedOut);
    kept.send(Forwarded::Refused(ResponseCode::FormatError, parsed(FRIDAY)));
    kept.anchor();
    assert!(column(settled(folder.path(), THURSDAY).0.path(), "exceptions", "rrn").is_empty());
    let (to, _) = settled(folder.path(), FRIDAY);
    assert_eq!(column(to.path(), "exceptions", "rrn"), [silent.rrn.as_str()]);
    assert_eq!(column(to.path(), "exceptions", "why"), ["reversal refused by the issuer"]);
    assert!(column(to.path(), "lines", "amount").is_empty(), "nothing was ever settled");
    let days = report("day", folder.path(), &[]);
    assert_eq!((&days[0]["approved"], &days[0]["declined"]), (&0.into(), &1.into()), "the terminal was told no");
}

#[test]
fn what_the_journal_has_behind_its_archive_is_read_before_a_date_is_settled() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::open(Folder::open(folder.path()).unwrap());
    kept.at(Timestamp(LONG_AGO));
    kept.end(batch(1, on(THURSDAY, sale(&kept.ledger, 1, 1, 10_000))), Outcome::Approved);
    kept.end(batch(1, on(THURSDAY, sale(&kept.ledger, 1, 2, 2_000))), Outcome::Approved);
    close(&kept, 1, 1, THURSDAY);
    kept.anchor();
    let archived = || {
        let mut archiver = Archiver::open(Folder::read_only(folder.path()).unwrap(), folder.path()).unwrap();
        while !archiver.step().unwrap().is_done() {}
    };
    archived();
    // Just before the end of the date; then the machine stops, before the anchor says so.
    kept.wait(kept.ledger.reverse(Reversal { date: parsed(THURSDAY), ..reversal(1, 3, 2, 2_000) })).unwrap();
    let (to, _) = settled(folder.path(), THURSDAY);
    assert_eq!(column(to.path(), "lines", "amount"), ["10000"]);
    // What came after the end of the date may be missing in the archive.
    kept.at(Timestamp(LONG_AGO + 24 * HOUR));
    kept.end(on(FRIDAY, sale(&kept.ledger, 2, 4, 700)), Outcome::Approved);
    kept.anchor();
    archived();
    kept.end(on(FRIDAY, sale(&kept.ledger, 2, 5, 800)), Outcome::Approved);
    drop(kept);
    assert_eq!(column(settled(folder.path(), THURSDAY).0.path(), "lines", "amount"), ["10000"]);
    assert_eq!(column(settled(folder.path(), FRIDAY).0.path(), "lines", "amount"), ["700", "800"]);
}

#[test]
fn what_waits_is_counted_as_it_would_be_settled() {
    let folder = tempfile::tempdir().unwrap();
    let kept = two_days(folder.path());
    let shop = &kept.ledger;
    let voided = kept.end(batch(1, on(THURSDAY, sale(shop, 3, 21, 10_000))), Outcome::Approved);
    kept.end(batch(1, on(THURSDAY, following(Kind::SaleVoid, &voided, sale(shop, 3, 22, 10_000)))), Outcome::Approved);
    let tipped = kept.end(batch(1, on(THURSDAY, sale(shop, 3, 23, 2_000))), Outcome::Approved);
    kept.end(batch(1, on(THURSDAY, following(Kind::Adjustment, &tipped, sale(shop, 3, 24, 2_500)))), Outcome::Approved);
    kept.anchor();
    let (to, _) = settled(folder.path(), THURSDAY);
    assert_eq!(column(to.path(), "waiting", "transactions"), ["5"]);
    assert_eq!(column(to.path(), "waiting", "amount"), ["9500"]);
}

#[test]
fn the_files_of_a_settlement_are_their_owners_alone() {
    let (folder, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(two_days(folder.path()));
    let to = to.path().join("2020").join(THURSDAY);
    assert_eq!(settle(folder.path(), THURSDAY, &to, &[]).0, Exit::Ok);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&to), mode(to.parent().unwrap())), (0o700, 0o700));
    let modes: Vec<u32> = fs::read_dir(&to).unwrap().map(|entry| mode(&entry.unwrap().path())).collect();
    assert!(modes.len() > 20 && modes.iter().all(|mode| *mode == 0o600), "{modes:?}");
}

#[test]
fn words_that_cannot_be_meant_are_2_and_a_broken_station_is_3() {
    let folder = tempfile::tempdir().unwrap();
    drop(two_days(folder.path()));
    let station = station();
    assert_eq!(run(&["settle"]).0, Exit::Usage);
    assert_eq!(run(&["settle", "-c", &station, "--date", THURSDAY]).0, Exit::Usage);
    assert_eq!(settle(folder.path(), "5.3.2020", folder.path(), &[]).0, Exit::Usage);
    assert_eq!(settle(Path::new("/nowhere"), THURSDAY, folder.path(), &[]).0, Exit::Usage);
    let broken = ["settle", "-c", "Cargo.toml", "--data", text(folder.path()), "--date", THURSDAY, "--out", "x"];
    assert_eq!(run(&broken).0, Exit::Config);
    let no_folder = ["settle", "slip", "632500000001", "-c", &station];
    assert!(run(&no_folder).1.contains("say --data DIR"));
}

#[test]
fn a_slip_is_printed_again_by_its_reference_number() {
    let folder = tempfile::tempdir().unwrap();
    drop(two_days(folder.path()));
    let station = station();
    let slip = |rrn: &str| run(&["settle", "slip", rrn, "-c", &station, "--data", text(folder.path())]);
    let (exit, said) = slip("632500000001");
    assert_eq!(exit, Exit::Ok, "{said}");
    for wanted in [
        "重印凭证 REPRINT",
        "示范商店001",
        "Demo shop 001",
        "卡号 CARD: 622500******0253",
        "交易类型 TYPE: 消费 SALE",
        "批次号 BATCH: 000001",
        "日期时间 DATE: 2020-03-05 12:00:01",
        "金额 AMOUNT: RMB 100.00",
        "应答 ANSWER: 00 交易成功 approved",
    ] {
        assert!(said.contains(wanted), "{wanted} in {said}");
    }
    assert!(slip("632500000005").1.contains("已冲正 reversed"));
    assert_eq!(slip("632500000099").0, Exit::No);
}

/// What a report says, as rows of JSON.
fn report(what: &str, folder: &Path, more: &[&str]) -> Vec<Value> {
    let (exit, said) = run(&[&["report", what, text(folder), "--format", "json"], more].concat());
    assert_eq!(exit, Exit::Ok, "{said}");
    let said: Value = serde_json::from_str(&said).unwrap();
    said["rows"].as_array().unwrap().clone()
}

#[test]
fn reports_count_what_was_asked_and_answered() {
    let folder = tempfile::tempdir().unwrap();
    drop(two_days(folder.path()));
    let folder = folder.path();
    let days = report("day", folder, &[]);
    let count = |row: &Value, name: &str| row[name].as_i64().unwrap();
    assert_eq!(days.len(), 2);
    let thursday = ["requests", "approved", "declined", "undone", "sales", "sales_amount", "voids", "voids_amount"];
    assert_eq!(thursday.map(|name| count(&days[0], name)), [8, 6, 1, 1, 5, 46_000, 1, 5_000]);
    assert_eq!(days[0]["approval_percent"], "75.0");
    assert_eq!(["refunds", "refunds_amount"].map(|name| count(&days[1], name)), [1, 3_000]);
    let merchants = report("merchant", folder, &["--date", THURSDAY]);
    assert_eq!(merchants.iter().map(|row| count(row, "requests")).collect::<Vec<_>>(), [7, 1]);
    assert_eq!(report("terminal", folder, &[]).len(), 3);
    assert_eq!(report("issuer", folder, &[])[0]["issuer"], "bank-a");
    assert_eq!(report("hours", folder, &[])[0]["hour"], "12");
    let (exit, said) = run(&["report", "day", text(folder), "--from", "2020-04-01"]);
    assert_eq!((exit, said.as_str()), (Exit::No, "nothing on record fits"));
    let (_, said) = run(&["report", "day", text(folder)]);
    assert!(said.contains("business date") && said.contains("460.00"), "{said}");
}

#[test]
fn response_codes_have_their_meaning_in_two_languages_from_one_table() {
    let folder = tempfile::tempdir().unwrap();
    drop(two_days(folder.path()));
    for row in report("codes", folder.path(), &[]) {
        let code = ResponseCode::parse(row["code"].as_str().unwrap()).unwrap();
        assert_eq!((&row["meaning"], &row["meaning_zh"]), (&code.text().into(), &code.chinese().into()));
    }
}

#[test]
fn the_report_of_a_period_adds_up_to_its_days_settlements() {
    let folder = tempfile::tempdir().unwrap();
    drop(two_days(folder.path()));
    let station = station();
    let period =
        ["report", "period", "-c", &station, "--data", text(folder.path()), "--from", THURSDAY, "--to", FRIDAY];
    let (exit, said) = run(&[&period[..], &["--format", "csv"]].concat());
    assert_eq!(exit, Exit::Ok, "{said}");
    let mut reader = csv::Reader::from_reader(said.as_bytes());
    let names = reader.headers().unwrap().clone();
    let at = |name: &str| names.iter().position(|column| column == name).unwrap();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    let told: Vec<(&str, &str)> = rows.iter().map(|row| (&row[at("net")], &row[at("fee")])).collect();
    // 310.00 - 30.00 - 10.00; its fee is given back with the late reversal.
    assert_eq!(told, [("27000", "114"), ("4000", "15")]);
    let (_, said) = run(&[&period[..], &["--by", "currency", "--format", "json"]].concat());
    assert_eq!(serde_json::from_str::<Value>(&said).unwrap()["rows"][0]["net"], 31_000);
}

#[test]
fn an_export_for_analysis_has_tokens_and_no_card_number_not_even_masked() {
    let folder = tempfile::tempdir().unwrap();
    drop(two_days(folder.path()));
    let (exit, lines) = run(&["report", "export", text(folder.path())]);
    assert_eq!((exit, lines.lines().count()), (Exit::Ok, 10));
    assert!(!lines.contains("622500") && !lines.contains("0253"), "{lines}");
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!((&first["token"], &first["amount"]), (&"07".repeat(32).into(), &10_000.into()));
    let (exit, csv) = run(&["report", "export", text(folder.path()), "--format", "csv", "--date", FRIDAY]);
    assert_eq!((exit, csv.lines().count()), (Exit::Ok, 2), "{csv}");
    assert!(csv.contains("-03-06,") && csv.contains(",refund,"), "{csv}");
}

/// `| head` that has seen enough.
struct Gone;

impl std::io::Write for Gone {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }
}

#[test]
fn a_report_whose_reader_went_away_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    drop(two_days(folder.path()));
    let ledger = text(folder.path());
    for command in [
        &["report", "export", ledger, "--format", "csv"][..],
        &["report", "export", ledger],
        &["report", "day", ledger, "--format", "csv"],
        &["report", "day", ledger],
        &["ledger", "export", ledger, "--format", "csv"],
    ] {
        let outcome = run_from([&["tollgate"], command].concat(), &mut Gone);
        assert!(
            matches!(&outcome, Ok(Exit::Ok)) || outcome.is_err_and(|failure| failure.exit == Exit::Ok),
            "{command:?}"
        );
    }
}
