//! `tollgate diff-config`: what another station's file changes, in words and on what was traded.

use crate::switch::rig::{KEPT, Recipe, Rig};
use crate::switch::{CARD_A, CARD_B};
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;
use tollgate::cli::Exit;
use tollgate::cli::run_from;
use tollgate::model::Bin;
use tollgate::model::BinPrefix;
use tollgate::model::BinTable;
use tollgate::model::CardClass;
use tollgate::model::IssuerName;
use tollgate::model::Kind;
use tollgate::model::ResponseCode;

/// Runs `tollgate diff-config …`.
fn diff(arguments: &[&str]) -> (Exit, String) {
    let mut out = Vec::new();
    let outcome = run_from([&["tollgate", "diff-config"], arguments].concat(), &mut out);
    let text = String::from_utf8(out).unwrap();
    match outcome {
        Ok(exit) => (exit, text),
        Err(failure) => (failure.exit, text + &failure.message),
    }
}

/// The files of a station, the ledger left out.
fn copied(from: &Path) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}

fn demo() -> TempDir {
    copied(&Path::new(env!("CARGO_MANIFEST_DIR")).join("specs/demo"))
}

fn station(folder: &Path) -> String {
    folder.join("station.toml").display().to_string()
}

/// Replaces a text of a file, which has it.
fn change(folder: &TempDir, file: &str, old: &str, new: &str) {
    let text = fs::read_to_string(folder.path().join(file)).unwrap();
    assert!(text.contains(old), "{file} has {old}");
    fs::write(folder.path().join(file), text.replacen(old, new, 1)).unwrap();
}

/// The demo, and the demo with these changes.
fn demos(changes: &[(&str, &str, &str)]) -> (Exit, String) {
    let (old, new) = (demo(), demo());
    changes.iter().for_each(|(file, from, to)| change(&new, file, from, to));
    diff(&[&station(old.path()), &station(new.path()), "--most", "3"])
}

#[test]
fn equal_stations_do_not_differ() {
    assert_eq!(demos(&[]), (Exit::Ok, "nothing differs\n".to_owned()));
}

#[test]
fn comments_and_the_order_of_keys_are_no_difference_of_rules() {
    let changes = [
        ("risk.toml", "action = \"hold\"\nper = [\"terminal\"]", "per = [ \"terminal\" ] # here\naction = \"hold\""),
        ("risk.toml", "# What one card may buy", "# What a card may buy"),
    ];
    assert_eq!(demos(&changes), (Exit::Ok, "nothing differs\n".to_owned()));
}

#[test]
fn rules_are_added_changed_removed_and_put_in_another_order() {
    let (exit, said) = demos(&[
        ("risk.toml", "within_s = 1800", "within_s = 900"),
        ("risk.toml", "id = \"mcc-jump\"", "id = \"mcc\""),
        ("risk.toml", "\"demo-1\"", "\"demo-2\""),
    ]);
    assert_eq!(exit, Exit::No);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines,
        [
            "~ rules demo-1 -> demo-2",
            "+ rule mcc  action alert  id mcc  kind mcc-jump",
            "- rule mcc-jump  action alert  id mcc-jump  kind mcc-jump",
            "~ rule region-jump  within_s 1800 -> 900",
        ]
    );
    let swapped = demos(&[
        ("risk.toml", "id = \"mcc-jump\"\nkind = \"mcc-jump\"\naction = \"alert\"", "MCC"),
        ("risk.toml", "id = \"fallback\"\nkind = \"fallback\"\naction = \"decline\"", "FALLBACK"),
        ("risk.toml", "MCC", "id = \"fallback\"\nkind = \"fallback\"\naction = \"decline\""),
        ("risk.toml", "FALLBACK", "id = \"mcc-jump\"\nkind = \"mcc-jump\"\naction = \"alert\""),
    ]);
    assert_eq!(swapped, (Exit::No, "~ rules stand in another order\n".to_owned()));
}

#[test]
fn rules_in_shadow_are_compared_apart() {
    let (exit, said) = demos(&[("station.toml", "# shadow = \"risk-next.toml\"", "shadow = \"risk.toml\"")]);
    assert_eq!(exit, Exit::No);
    assert!(said.starts_with("~ shadow rules none -> demo-1\n+ shadow rule card-daily  action decline"), "{said}");
    assert!(said.ends_with("and 2 shadow rules more\n"), "{said}");
}

#[test]
fn routes_are_compared_prefix_by_prefix() {
    let (exit, said) = demos(&[
        ("bins.csv", "622500,bank-a,,debit,", "622501,bank-a,,debit,"),
        ("bins.csv", "4,bank-b,,credit,VIS", "4,bank-b,bank-a,credit,VIS"),
    ]);
    assert_eq!(exit, Exit::No);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines,
        [
            "0 rows added, 0 changed, 0 removed; also bins",
            "~ route 4  fallback - -> bank-a",
            "- route 622500  issuer bank-a  organisation CUP  product debit",
            "+ route 622501  issuer bank-a  organisation CUP  product debit",
        ]
    );
}

#[test]
fn limits_of_the_file_and_the_terminals_that_have_them_are_named() {
    let (exit, said) = demos(&[("station.toml", "most = 10000000", "most = 5000")]);
    assert_eq!(exit, Exit::No);
    let inherits = "400 rows have other limits of the station's file, and say nothing else";
    assert_eq!(said.lines().collect::<Vec<_>>(), [inherits, "~ limit most 10000000 -> 5000"]);
    // Who says something else beside, or something else by itself, is shown.
    let (_, said) = demos(&[
        ("station.toml", "most = 10000000", "most = 5000"),
        ("merchants.csv", "cut_off,region\n898110054110001,示范商店001", "cut_off,region\n898110054110001,新店"),
    ]);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines,
        [
            "~ merchant 898110054110001  name 示范商店001 -> 新店  most 10000000 -> 5000",
            "~ terminal 10000001  most 10000000 -> 5000",
            "0 rows added, 2 changed, 0 removed",
            "398 rows have other limits of the station's file, and say nothing else",
            "~ limit most 10000000 -> 5000",
        ]
    );
}

#[test]
fn what_no_reload_takes_over_is_said() {
    let (exit, said) = demos(&[("station.toml", "sessions = 20000", "sessions = 20001")]);
    let expected = "~ the station's file beyond [files] and [risk]: that needs a restart\n";
    assert_eq!((exit, said.as_str()), (Exit::No, expected));
}

#[test]
fn every_breach_of_either_station_is_told() {
    let (old, new) = (demo(), demo());
    change(&old, "risk.toml", "action = \"alert\"", "action = \"alarm\"");
    change(&new, "bins.csv", "4,bank-b", "4,bank-c");
    change(&new, "risk.toml", "within_s = 1800", "within_s = 0");
    let (exit, said) = diff(&[&station(old.path()), &station(new.path())]);
    assert_eq!(exit, Exit::Config);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    assert!(lines.iter().any(|line| line.contains("action: is not one of")), "{said}");
    assert!(lines.iter().any(|line| line.contains("issuer: is not a listed issuer")), "{said}");
    assert!(lines.iter().any(|line| line.contains("within_s: is not a whole number from 1 to 86400")), "{said}");
}

#[test]
fn a_replay_needs_a_ledger_and_a_span_a_replay() {
    let (old, nowhere) = (demo(), demo().path().join("nowhere").display().to_string());
    let file = station(old.path());
    assert_eq!(diff(&[&file, &file, "--replay"]).0, Exit::Usage);
    assert_eq!(diff(&[&file, &file, "--from", "2026-11-20T00:00:00+08:00"]).0, Exit::Usage);
    let (exit, said) = diff(&[&file, &file, "--replay", "--data", &nowhere]);
    assert_eq!(exit, Exit::Usage);
    assert!(said.contains("there is no such folder"), "{said}");
}

/// A day's trade: at 10000001 with card A 100.00, 60.00 and 30.00, and 200.00, which is more than may be sold at once; at
/// 10000002 with card B 20.00.
struct Traded(Rig);

impl Traded {
    fn new() -> Self {
        let mut rig = Rig::of(&Recipe { tables: &format!("{KEPT}[risk]\nmost = 15000\n"), ..Recipe::default() });
        let mut till = rig.signed_in(10_000_001);
        for minor in [10_000, 6_000, 3_000] {
            assert_eq!(till.ask(Kind::Sale, minor, CARD_A).code, Some(ResponseCode::Approved));
        }
        assert_eq!(till.ask(Kind::Sale, 20_000, CARD_A).code, Some(ResponseCode::AmountLimit));
        let mut other = rig.signed_in(10_000_002);
        assert_eq!(other.ask(Kind::Sale, 2_000, CARD_B).code, Some(ResponseCode::Approved));
        rig.stop();
        Self(rig)
    }

    /// What another file would have made of it.
    fn tried(&self, changes: &[(&str, &str, &str)], lists: &[(&str, &str)]) -> (Exit, Value) {
        let new = copied(self.0.file("station.toml").parent().unwrap());
        changes.iter().for_each(|(file, from, to)| change(&new, file, from, to));
        lists.iter().for_each(|(file, text)| fs::write(new.path().join(file), text).unwrap());
        let (old, new) = (self.0.file("station.toml").display().to_string(), station(new.path()));
        let ledger = self.0.file("ledger").display().to_string();
        let arguments = [old.as_str(), &new, "--replay", "--data", &ledger, "--json"];
        let (exit, said) = diff(&arguments);
        assert_eq!(diff(&arguments), (exit, said.clone()), "the same again");
        let said: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"));
        (exit, said["decisions"].clone())
    }

    /// The sales that would be decided otherwise: how much, what was and what would be.
    fn turned(&self, changes: &[(&str, &str, &str)], lists: &[(&str, &str)]) -> Vec<(u64, String, String)> {
        sales(&self.tried(changes, lists).1)
    }
}

fn sales(decisions: &Value) -> Vec<(u64, String, String)> {
    let text = |change: &Value, key: &str| change[key].as_str().unwrap().to_owned();
    let changes = decisions["changes"].as_array().unwrap().iter().filter(|change| change["kind"] == "sale");
    changes.map(|change| (change["amount"].as_u64().unwrap(), text(change, "old"), text(change, "new"))).collect()
}

/// Of sales of card A at its issuer, each with what would be made of it.
fn at_a(rows: &[(u64, &str)]) -> Vec<(u64, String, String)> {
    rows.iter().map(|(minor, would)| (*minor, "to bank-a".to_owned(), (*would).to_owned())).collect()
}

#[test]
fn limits_change_what_is_above_them_and_nothing_else() {
    let traded = Traded::new();
    let (exit, same) = traded.tried(&[], &[]);
    assert_eq!((exit, same["changes"].as_array().unwrap().len()), (Exit::Ok, 0));
    assert!(same["compared"].as_u64().unwrap() >= 7);

    let (exit, lower) = traded.tried(&[("station.toml", "most = 15000", "most = 5000")], &[]);
    assert_eq!(exit, Exit::No);
    assert_eq!(sales(&lower), at_a(&[(10_000, "61 amount-above-most"), (6_000, "61 amount-above-most")]));
    assert_eq!(lower["declined"]["count"], 2);
    assert_eq!(lower["declined"]["sums"]["156"], 16_000);

    let (_, higher) = traded.tried(&[("station.toml", "most = 15000", "most = 20000")], &[]);
    let passed = [(20_000, "61 amount-above-most".to_owned(), "to bank-a".to_owned())];
    assert_eq!(sales(&higher), passed);
    assert_eq!((&higher["passed"]["count"], &higher["declined"]["count"]), (&1.into(), &0.into()));

    // 100.00 and 30.00 reach the day's most: what would have been declined takes nothing of it.
    let daily = traded.turned(&[("station.toml", "most = 15000", "most = 15000\ndaily_amount = 13000")], &[]);
    assert_eq!(daily, at_a(&[(6_000, "61 terminal-daily")]));
    let daily = traded.turned(&[("station.toml", "most = 15000", "most = 15000\ndaily_count = 2")], &[]);
    assert_eq!(daily, at_a(&[(3_000, "65 terminal-daily")]));
    // And what would have been let through does.
    let both = ("station.toml", "most = 15000", "most = 20000\ndaily_amount = 39000\ndaily_count = 4");
    assert_eq!(traded.turned(&[both], &[]), passed);
}

#[test]
fn rules_change_what_they_speak_of_and_nothing_else() {
    let traded = Traded::new();
    let named = ("station.toml", "most = 15000", "most = 15000\nrules = \"new.toml\"");
    let bin = "version = \"1\"\n[[rule]]\nid = \"no-visa\"\nkind = \"always\"\naction = \"decline\"\nbins = [\"411111\"]\n\
               kinds = [\"sale\"]\n";
    let (exit, decisions) = traded.tried(&[named], &[("new.toml", bin)]);
    let [only] = &sales(&decisions)[..] else { panic!("{decisions}") };
    assert_eq!((exit, only.0, only.1.as_str()), (Exit::No, 2_000, "to bank-b"));
    assert!(only.2.ends_with(" no-visa"), "{}", only.2);

    // Nobody counted cards then; the second of three is declined, and takes nothing from the day.
    let daily = "version = \"1\"\n[[rule]]\nid = \"card\"\nkind = \"daily\"\nper = \"card\"\naction = \"decline\"\namount = 13000\n";
    assert_eq!(traded.turned(&[named], &[("new.toml", daily)]), at_a(&[(6_000, "61 card")]));
    let (_, evident) = traded.tried(&[named], &[("new.toml", daily)]);
    let why = evident["changes"][0]["evidence"].as_str().unwrap();
    assert!(why.contains("160.00 of 130.00"), "{why}");

    let alert = daily.replace("\"decline\"", "\"alert\"");
    assert_eq!(traded.tried(&[named], &[("new.toml", &alert)]).0, Exit::Ok, "an alert declines nothing");
    let in_shadow = ("station.toml", "most = 15000", "most = 15000\nshadow = \"new.toml\"");
    assert_eq!(traded.tried(&[in_shadow], &[("new.toml", daily)]).0, Exit::Ok, "nor does what only counts");
}

#[test]
fn routes_change_where_cards_go_and_nothing_else() {
    let traded = Traded::new();
    let (exit, decisions) = traded.tried(&[("bins.csv", "622500,bank-a,", "622500,bank-b,")], &[]);
    assert_eq!(exit, Exit::No);
    assert_eq!(sales(&decisions), at_a(&[(10_000, "to bank-b"), (6_000, "to bank-b"), (3_000, "to bank-b")]));
    assert_eq!(decisions["routed"]["sums"]["156"], 19_000, "what was declined goes nowhere, with either");
    assert_eq!(decisions["untold"]["count"], 0);

    let gone = traded.turned(&[("bins.csv", "4,bank-b,,credit,VIS\n", "")], &[]);
    assert_eq!(gone, [(2_000, "to bank-b".to_owned(), "15 route".to_owned())]);

    let longer = ("bins.csv", "622500,bank-a,,debit,", "622500,bank-a,,debit,\n6225000000,bank-b,,debit,");
    let (exit, decisions) = traded.tried(&[longer], &[]);
    assert_eq!((exit, decisions["changes"].as_array().unwrap().len()), (Exit::No, 0));
    assert_eq!(decisions["untold"]["sums"]["156"], 19_000, "six digits do not tell");
    let to_the_same = ("bins.csv", "622500,bank-a,,debit,", "622500,bank-a,,debit,\n6225000000,bank-a,,debit,");
    assert_eq!(traded.tried(&[to_the_same], &[]).0, Exit::Ok, "nor need they, to one issuer");
}

#[test]
fn lists_change_who_may_trade_and_nothing_else() {
    let traded = Traded::new();
    let tried = |row: &str| {
        let rows = include_str!("../../specs/demo/terminals.csv").lines().filter(|line| !line.starts_with('#'));
        let rows = rows.map(|line| match line {
            _ if line.starts_with("terminal,") => "terminal,merchant,standing,currency\n".to_owned(),
            _ if line.starts_with("10000002,") => format!("{row}\n"),
            _ => format!("{},,\n", line.split(',').take(2).collect::<Vec<_>>().join(",")),
        });
        traded.turned(&[], &[("terminals.csv", &rows.collect::<String>())])
    };
    let at_b = |would: &str| vec![(2_000, "to bank-b".to_owned(), would.to_owned())];
    assert_eq!(tried("10000002,898110054110002,suspended,"), at_b("58 terminal-standing"));
    assert_eq!(tried("10000002,898110054110003,,"), at_b("03 merchant-binding"));
    assert_eq!(tried("10000002,898110054110002,,840"), at_b("13 currency"));
    assert_eq!(tried("# gone"), at_b("97 terminal-unknown"));
}

#[test]
fn what_would_have_been_declined_and_was_undone_is_given_back_once() {
    let mut rig = Rig::of(&Recipe { tables: KEPT, ..Recipe::default() });
    let mut till = rig.signed_in(10_000_001);
    assert_eq!(till.ask(Kind::Sale, 20_000, CARD_A).code, Some(ResponseCode::Approved));
    assert!(till.terminal.undo_last());
    let reversal = till.terminal.reversal(crate::switch::rig::now()).unwrap().unwrap();
    assert_eq!(till.exchange(&reversal).code, Some(ResponseCode::Approved));
    for minor in [6_000, 8_000, 7_000] {
        assert_eq!(till.ask(Kind::Sale, minor, CARD_A).code, Some(ResponseCode::Approved));
    }
    rig.stop();
    let daily = ("station.toml", "[hsm]", "[risk]\ndaily_amount = 13000\n[hsm]");
    let turned = Traded(rig).turned(&[daily], &[]);
    assert_eq!(turned, at_a(&[(20_000, "61 terminal-daily"), (8_000, "61 terminal-daily")]));
}

#[test]
fn a_report_has_lines_for_people_and_shows_no_more_than_it_is_asked_for() {
    let traded = Traded::new();
    let new = copied(traded.0.file("station.toml").parent().unwrap());
    change(&new, "station.toml", "most = 15000", "most = 5000");
    let (old, ledger) = (traded.0.file("station.toml").display().to_string(), traded.0.file("").display().to_string());
    let new = station(new.path());
    let arguments = [&*old, &new, "--replay", "--data", &ledger, "--most", "1"];
    let (exit, said) = diff(&arguments);
    assert_eq!(exit, Exit::No);
    assert!(said.contains("  let through, now declined: 2, 16000 of 156\n"), "{said}");
    assert!(said.contains("    to bank-a -> 61 amount-above-most: 2, 16000 of 156\n"), "{said}");
    assert!(
        said.contains("10000001 sale           622500******0253        10000 156: to bank-a -> 61 amount"),
        "{said}"
    );
    assert!(!said.contains(" 6000 156:") && !said.contains(CARD_A), "{said}");
    let later = diff(&[&arguments[..], &["--from", "2099-01-01T00:00:00Z"]].concat());
    assert_eq!(later.0, Exit::Ok, "nothing is in that span");
}

#[test]
fn longer_prefixes_of_a_range_are_found_with_leading_zeros_too() {
    let prefix = |digits: &str| BinPrefix::parse(digits.as_bytes()).unwrap();
    let issuer = |name| IssuerName::parse(name).unwrap();
    let mut table = BinTable::default();
    for (digits, name) in [("00", "a"), ("00123", "b"), ("0012345", "c"), ("0012344", "d"), ("12345", "e")] {
        assert!(table.insert(prefix(digits), CardClass::default(), [issuer(name)]));
    }
    let (first, longer) = table.of_bin(Bin::new(1_234).unwrap());
    assert_eq!(first, Some(&issuer("b")));
    let longer: Vec<_> = longer.iter().map(|row| row.prefix.to_string()).collect();
    assert_eq!(longer, ["0012344", "0012345"]);
    assert_eq!(table.of_bin(Bin::new(123_451).unwrap()).0, Some(&issuer("e")));
    assert_eq!(table.of_bin(Bin::new(999_999).unwrap()), (None, Vec::new()));
}
