//! A merchant's day from the doors to the issuers' files: sold, closed, settled, cleared, reconciled; and issuers' files
//! and batches that do not agree. Sums and fees are reckoned by hand beside the script.

use crate::switch::rig::{KEPT, Recipe, Rig};
use crate::switch_side::demo_bank;
use crate::terminal_switch::day;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tollgate::cli::Exit;
use tollgate::cli::run_from;
use tollgate::model::Amount;
use tollgate::model::BusinessDate;
use tollgate::model::Currency;
use tollgate::model::IssuerName;
use tollgate::settle::recon::ClearingFile;
use tollgate::settle::recon::ClearingRow;

/// What stands: 15.00 with its tip (fee 0.06), 30.00 (0.11) less 10.00, 3.00 and its void, a hold completed for
/// 110.00 (0.42), 7.00 sold offline (0.03): 152.00, and 0.62 of it is the fee, 0.380 % of each.
const SCRIPT: &str = r#"
[[step]]
do = "sale"
name = "one"
amount = "12.00"

[[step]]
do = "sale"
name = "two"
amount = "30.00"
card = "visitor-b"

[[step]]
do = "sale"
amount = "5.51"
expect = "51"

[[step]]
do = "sale"
amount = "666.02"
card = "visitor-b"
expect = "68"

[[step]]
do = "sale"
name = "three"
amount = "3.00"

[[step]]
do = "void"
of = "three"

[[step]]
do = "refund"
of = "two"
amount = "10.00"

[[step]]
do = "preauth"
name = "room"
amount = "100.00"

[[step]]
do = "complete"
of = "room"
amount = "110.00"

[[step]]
do = "offline-sale"
amount = "7.00"

[[step]]
do = "upload"

[[step]]
do = "tip"
of = "one"
tip = "3.00"

[[step]]
do = "settle"
"#;

/// A station that has ended, and what it left.
struct Evening {
    rig: Rig,
    date: BusinessDate,
    /// The issuers' clearing files.
    files: Vec<(IssuerName, PathBuf)>,
}

impl Evening {
    /// Lives the script's day, and waits until the issuers know all of it.
    fn of(script: &str) -> Self {
        let recipe = Recipe {
            timeout_ms: 2_000,
            tables: KEPT,
            files: "fees = [\"fees.toml\"]\nholidays = [\"holidays.csv\"]\n",
            lists: &[
                ("fees.toml", include_str!("../../specs/demo/fees.toml")),
                ("holidays.csv", include_str!("../../specs/demo/holidays.csv")),
            ],
            ..Recipe::default()
        };
        let mut rig = Rig::of(&recipe);
        rig.bank_a.0.keep_books(&rig.file("bank-a.log")).unwrap();
        let (exit, out) = day(&rig, script);
        assert_eq!(exit, Exit::Ok, "{out}");
        rig.await_undone();
        let date = rig.records()[0].intent.date;
        rig.drain();
        let to = rig.file("clearing");
        let mut files = Vec::new();
        for (bank, _) in [&rig.bank_a, &rig.bank_b] {
            let written = bank.write_clearing(&to, &[date].into()).unwrap();
            files.extend(written.into_iter().map(|path| (bank.setup().name.clone(), path)));
        }
        Self { rig, date, files }
    }

    /// The ledger alone, for another look.
    fn copy(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(self.rig.file("ledger")).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
            }
        }
        copy
    }

    fn settle(&self, to: &Path) -> (Exit, String) {
        let (station, data) = (self.rig.file("station.toml"), self.rig.file("ledger"));
        let date = self.date.to_string();
        let said = ["settle", "--provisional", "-c", text(&station), "--data", text(&data), "--date", &date];
        run(&[&said[..], &["--out", text(to)]].concat())
    }

    /// Compares with these files of bank A; those of bank B as they are.
    fn recon(&self, data: &Path, bank_a: &[u8]) -> (Exit, String) {
        let path = data.join("bank-a.csv");
        std::fs::write(&path, bank_a).unwrap();
        let date = self.date.to_string();
        let given = format!("bank-a={}", text(&path));
        let others = self.files.iter().filter(|(name, _)| name.as_str() != "bank-a");
        let others: Vec<String> =
            others.flat_map(|(name, path)| ["--clearing".to_owned(), format!("{name}={}", text(path))]).collect();
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        let said = ["recon", "--replace", "--data", text(data), "--date", &date, "--clearing", &given];
        run(&[&said[..], &others].concat())
    }

    /// Bank A's file as it wrote it.
    fn right(&self) -> ClearingFile {
        let (_, path) = self.files.iter().find(|(name, _)| name.as_str() == "bank-a").unwrap();
        ClearingFile::read(&std::fs::read(path).unwrap()).unwrap()
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Exit code, and what it printed, the failure's text included.
fn run(arguments: &[&str]) -> (Exit, String) {
    let mut out = Vec::new();
    let outcome = run_from([&["tollgate"], arguments].concat(), &mut out);
    let text = String::from_utf8(out).unwrap();
    match outcome {
        Ok(exit) => (exit, text),
        Err(failure) => (failure.exit, text + &failure.message),
    }
}

#[track_caller]
fn says(outcome: &(Exit, String), exit: Exit, words: &[&str]) {
    assert_eq!(outcome.0, exit, "{}", outcome.1);
    for word in words {
        assert!(outcome.1.contains(word), "{word} is not in\n{}", outcome.1);
    }
}

/// Every file of a folder.
fn bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())).collect()
}

#[test]
fn a_merchants_day_is_settled_to_the_cent_and_agrees_with_its_issuers() {
    let evening = Evening::of(SCRIPT);
    let (first, again) = (evening.rig.file("first"), evening.rig.file("again"));
    says(&evening.settle(&first), Exit::Ok, &["net 152.00, fees 0.62", "1 x pay"]);
    evening.settle(&again);
    assert_eq!(bytes(&first), bytes(&again), "the same bytes again");
    let merchants: Value = serde_json::from_slice(&bytes(&first)["merchants.json"]).unwrap();
    let [row] = &merchants["rows"].as_array().unwrap()[..] else { panic!("one merchant: {merchants}") };
    let figures = ["sales_amount", "adjustments_amount", "voids_amount", "refunds_amount", "net", "fee", "payable"];
    let figures = figures.map(|name| row[name].as_i64().unwrap());
    assert_eq!(figures, [16_200, 300, -300, -1_000, 15_200, 62, 15_138]);
    assert_eq!((row["status"].as_str(), row["account"].as_str()), (Some("pay"), Some("TESTACCOUNT0001")));
    let issuers: Value = serde_json::from_slice(&bytes(&first)["issuers.json"]).unwrap();
    let nets: Vec<_> = issuers["rows"].as_array().unwrap().iter().map(|row| (&row["issuer"], &row["net"])).collect();
    assert_eq!(nets, [(&"bank-a".into(), &13_200.into()), (&"bank-b".into(), &2_000.into())]);
    let copy = evening.copy();
    let right = evening.right();
    let report = evening.recon(copy.path(), right.write().as_bytes());
    // What was undone the same day is in no file.
    says(&report, Exit::Ok, &["1 batches closed: 1 balanced", "6 agree, 0 differ", "2 agree, 0 differ", "0 open"]);
    let turnover = right.turnover();
    assert_eq!((turnover.debit, turnover.credit), (13_500, 300), "a void is a row of its own");
    // The issuer's books say the same in another life; its approval codes are counted from the first request.
    let reborn = demo_bank("bank-a");
    assert!(reborn.keep_books(&evening.rig.file("bank-a.log")).unwrap() >= 6);
    let [file] = &reborn.clearing(evening.date)[..] else { panic!("one file") };
    let plain = |file: &ClearingFile| {
        let rows = file.rows.iter().map(|row| ClearingRow { approval: None, ..row.clone() });
        rows.collect::<Vec<_>>()
    };
    assert_eq!(plain(file), plain(&right));
    assert!(file.rows.iter().all(|row| row.merchant.is_some()), "of whose shop");
}

#[test]
fn a_file_that_does_not_agree_leaves_a_typed_difference_until_it_is_cleared_or_the_right_one_comes() {
    let evening = Evening::of(SCRIPT);
    let right = evening.right();
    let with = |change: &dyn Fn(&mut ClearingFile)| {
        let mut file = right.clone();
        change(&mut file);
        file.write()
    };
    let first = right.rows[0].rrn.to_string();
    let cases: [(&str, String, &[&str]); 4] = [
        ("missing-there", with(&|file| _ = file.rows.remove(0)), &["here D 12.00 156, there -", &first, "1 open"]),
        ("duplicate", with(&|file| file.rows.push(file.rows[0].clone())), &["2 times in one file", "1 open"]),
        (
            "amount",
            with(&|file| file.rows[0].amount = Amount::new(1_201).unwrap()),
            &["here D 12.00 156, there D 12.01 156", "1 open"],
        ),
        (
            "currency",
            with(&|file| file.currency = Currency::parse(b"840").unwrap()),
            &["156 here, 840 there", "not compared: 6 of bank-a in 156", "6 open"],
        ),
    ];
    for (sort, file, words) in cases {
        let copy = evening.copy();
        says(&evening.recon(copy.path(), file.as_bytes()), Exit::No, &[&[sort], words].concat());
        says(&run(&["recon", "list", "--data", text(copy.path())]), Exit::No, &[sort]);
        // The right file, in its place, ends it.
        let next = evening.recon(copy.path(), right.write().as_bytes());
        if sort != "currency" {
            says(&next, Exit::Ok, &["6 agree, 0 differ", "0 open"]);
        }
    }
    let copy = evening.copy();
    says(&evening.recon(copy.path(), with(&|file| _ = file.rows.remove(0)).as_bytes()), Exit::No, &["1 new"]);
    let clear = ["recon", "clear", "1", "--data", text(copy.path()), "--actor", "li.na", "--reason"];
    says(&run(&[&clear[..], &["paid by hand, letter 118"]].concat()), Exit::Ok, &["cleared by li.na; 0 open"]);
    let all = run(&["recon", "list", "--all", "--data", text(copy.path())]);
    says(&all, Exit::Ok, &["cleared by li.na", "paid by hand, letter 118"]);
}

#[test]
fn a_file_that_is_cut_short_is_refused_and_the_books_stay_as_they_were() {
    let evening = Evening::of(SCRIPT);
    let whole = evening.right().write();
    let copy = evening.copy();
    says(&evening.recon(copy.path(), whole.as_bytes()), Exit::Ok, &["0 open"]);
    let kept = bytes(&copy.path().join("recon"));
    for length in [0, 20, whole.len() / 2, whole.len() - 1] {
        let (exit, said) = evening.recon(copy.path(), &whole.as_bytes()[..length]);
        assert_eq!(exit, Exit::No, "{length}: {said}");
        assert!(said.contains("bank-a.csv: "), "{length}: {said}");
    }
    let twice = whole.clone() + &whole;
    says(&evening.recon(copy.path(), twice.as_bytes()), Exit::No, &["something follows the trailer"]);
    assert_eq!(bytes(&copy.path().join("recon")), kept, "nothing was noted");
    let verified = run(&["ledger", "verify", text(&evening.rig.file("ledger"))]);
    says(&verified, Exit::Ok, &["every promise was kept"]);
}

#[test]
fn a_batch_that_lost_a_slip_is_a_difference_of_its_own_beside_the_issuers() {
    let lying = SCRIPT.replace("do = \"settle\"", "do = \"settle\"\nlie = 1\nexpect = \"unbalanced\"");
    let evening = Evening::of(&lying);
    let copy = evening.copy();
    let report = evening.recon(copy.path(), evening.right().write().as_bytes());
    let words = ["1 batches closed: 0 balanced, 1 not", "6 agree, 0 differ", "missing-there", "10000001", "1 open"];
    says(&report, Exit::No, &words);
    let clear = ["recon", "clear", "1", "--data", text(copy.path()), "--actor", "wang", "--reason", "slip found"];
    says(&run(&clear), Exit::Ok, &["cleared by wang; 0 open"]);
    says(&evening.recon(copy.path(), evening.right().write().as_bytes()), Exit::Ok, &["0 new", "0 open"]);
    // The money is what the ledger says, not what the terminal forgot.
    says(&evening.settle(&evening.rig.file("settled")), Exit::Ok, &["net 152.00, fees 0.62"]);
}
