//! `tollgate ledger find`, `show` and `export`.

use super::*;
use serde_json::Value;

/// The numbers that `find` finds.
fn found(folder: &Path, wanted: &[&str]) -> Vec<u64> {
    let (exit, said) = ledger(&[&["find", text(folder), "--json"], wanted].concat());
    assert_eq!(exit, Exit::Ok, "{said}");
    let rows = said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    rows.map(|row| row["id"].as_u64().unwrap()).collect()
}

#[test]
fn what_has_the_ledger_as_its_folder_stands_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("ledger");
    drop(a_day(&inside));
    let (parent, inside) = (text(folder.path()), text(&inside));
    let run = |arguments: &[&str]| {
        let mut out = Vec::new();
        let outcome = run_from([&["tollgate"], arguments].concat(), &mut out);
        let said = String::from_utf8(out).unwrap();
        outcome.map_or_else(|failure| (failure.exit, said.clone() + &failure.message), |exit| (exit, said.clone()))
    };
    let station = format!("{}/specs/demo/station.toml", env!("CARGO_MANIFEST_DIR"));
    let slip = ["settle", "slip", "632500000001", "-c", &station, "--data"];
    let asked: [&[&str]; 9] = [
        &["ledger", "stat"],
        &["ledger", "find", "--card-ends", "0253"],
        &["ledger", "export"],
        &["report", "day"],
        &["report", "export"],
        &["batch", "list", "--data"],
        &["recon", "list", "--data"],
        &["recon", "--date", "2026-11-21", "--json", "--data"],
        &slip,
    ];
    for asked in asked {
        let (there, here) = (run(&[asked, &[parent]].concat()), run(&[asked, &[inside]].concat()));
        let cut = |said: &str| said.split("read_up_to").next().unwrap().to_owned();
        assert_eq!((there.0, cut(&there.1)), (here.0, cut(&here.1)), "{asked:?}");
        assert_ne!(there.0, Exit::Usage, "{asked:?} {}", there.1);
    }
    assert!(!folder.path().join("recon").exists());
}

#[test]
fn transactions_are_found_by_everything_one_has_in_hand() {
    let folder = a_past_day();
    let found = |wanted: &[&str]| found(folder.path(), wanted);
    assert_eq!(found(&[]), [1, 2, 3, 4, 6, 7, 8, 9]);
    assert_eq!(found(&["--rrn", "632500000002"]), [2]);
    assert_eq!(found(&["--terminal", "10000002"]), [4, 6, 7]);
    assert_eq!(found(&["--terminal", "10000002", "--stan", "000004"]), [4]);
    assert_eq!(found(&["--amount", "700"]), [6, 7]);
    assert_eq!(found(&["--card-ends", "0253", "--most", "2"]), [8, 9]);
    assert_eq!(found(&["--from", "2026-11-21", "--to", "2026-11-21", "--amount", "1251"]), [2]);
    for nothing in [["--card-ends", "9"], ["--from", "2026-11-22"], ["--to", "2026-11-20"], ["--amount", "1"]] {
        let (exit, said) = ledger(&["find", text(folder.path()), nothing[0], nothing[1]]);
        assert_eq!((exit, said.as_str()), (Exit::No, "nothing on record fits"));
    }
}

#[test]
fn words_that_cannot_be_meant_are_2_and_card_numbers_are_not_asked_for() {
    let folder = a_past_day();
    let bad = [
        ["--rrn", "12"],
        ["--terminal", "1"],
        ["--stan", "0"],
        ["--card-ends", "00253"],
        ["--card-ends", "%"],
        ["--from", "21.11.2026"],
        ["--amount", "12.51"],
    ];
    for bad in bad {
        assert_eq!(ledger(&["find", text(folder.path()), bad[0], bad[1]]).0, Exit::Usage, "{bad:?}");
    }
}

#[test]
fn show_tells_a_timeline_in_words() {
    let folder = a_past_day();
    let (exit, said) = ledger(&["show", text(folder.path()), "632500000002"]);
    assert_eq!(exit, Exit::Ok);
    let order = [
        "transaction 2 (RRN 632500000002): sale, reversed",
        "card 622500******0253",
        "intended: sale 12.51 156, card 622500******0253, for bank-a under STAN 000002",
        "decided: timed-out, 68 issuer did not answer in time; a reversal is owed",
        "the reversal goes to the issuer under STAN 000900, attempt 1",
        "acknowledged: the issuer has the reversal",
        "late answer: approved; the decision stands",
    ];
    let mut rest = said.as_str();
    for wanted in order {
        let at = rest.find(wanted).unwrap_or_else(|| panic!("{wanted} in {said}"));
        rest = &rest[at..];
    }
    assert!(said.contains("2026-11-21T12:00:00.000000Z  group"), "{said}");
}

#[test]
fn show_tells_who_undid_voided_or_declined_what() {
    let folder = a_past_day();
    let show = |number: &str| ledger(&["show", text(folder.path()), number]).1;
    let undone = show("4");
    assert!(undone.contains("the terminal undoes the approval: a reversal is owed"), "{undone}");
    assert!(undone.contains("the terminal reverses it: STAN 000005, RRN 632500000005; answered 00"), "{undone}");
    let reversal = show("632500000005");
    assert!(
        reversal.contains("reversal 5") && reversal.contains("reverses its STAN 000004, transaction 4"),
        "{reversal}"
    );
    assert!(show("6").contains("followed by sale-void 7.00 156, transaction 7"));
    assert!(show("7").contains("follows transaction 6"));
    assert!(show("3").contains("declined here: sale 2.00 156, card 622500******0253: 61 amount limit exceeded"));
    assert_eq!(ledger(&["show", text(folder.path()), "99"]), (Exit::No, "nothing on record fits".to_owned()));
    assert_eq!(ledger(&["show", text(folder.path()), "x"]).0, Exit::Usage);
    let json: Value = serde_json::from_str(&ledger(&["show", text(folder.path()), "2", "--json"]).1).unwrap();
    assert_eq!((&json["transaction"]["late"], &json["timeline"][0]["record"]), (&"approved".into(), &0.into()));
}

#[test]
fn exports_hold_every_transaction_masked_and_with_its_token() {
    let folder = a_past_day();
    let (exit, lines) = ledger(&["export", text(folder.path())]);
    assert_eq!((exit, lines.lines().count()), (Exit::Ok, 8));
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(first["masked_pan"], "622500******0253");
    assert_eq!(first["token"], "07".repeat(32));
    assert_eq!((&first["standing"], &first["code"], &first["amount"]), (&"approved".into(), &"00".into(), &900.into()));
    let (exit, csv) = ledger(&["export", text(folder.path()), "--format", "csv", "--terminal", "10000003"]);
    assert_eq!(exit, Exit::Ok);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let names = reader.headers().unwrap().clone();
    let column = names.iter().position(|name| name == "standing").unwrap();
    let standings: Vec<String> = reader.records().map(|row| row.unwrap()[column].to_owned()).collect();
    assert_eq!(standings, ["open", "declined"]);
}
