//! Rules on the wire: a terminal that jumps between regions, what is said of it afterwards, and rules tried on the past.

use super::CARD_A;
use super::rig::{KEPT, Recipe, Rig, Till, await_that};
use serde_json::Value;
use std::path::PathBuf;
use tollgate::cli;
use tollgate::cli::Exit;
use tollgate::ledger::Recorded;
use tollgate::model::Kind;
use tollgate::model::MerchantId;
use tollgate::model::ResponseCode;
use tollgate::sim::terminal::Entry;
use tollgate::sim::terminal::Habits;
use tollgate::sim::terminal::Setup;

const TERMINAL: u32 = 10_000_001;
const DEMO: &str = include_str!("../../../specs/demo/risk.toml");

fn ruled(rules: &str) -> Rig {
    let tables = format!("{KEPT}[risk]\nrules = \"risk.toml\"\n");
    Rig::of(&Recipe { tables: &tables, lists: &[("risk.toml", rules)], ..Recipe::default() })
}

/// Runs a command.
fn run(words: &[&str]) -> (Exit, String) {
    let mut out = Vec::new();
    match cli::run_from(words, &mut out) {
        Ok(exit) => (exit, String::from_utf8(out).unwrap()),
        Err(failure) => (failure.exit, failure.message),
    }
}

fn text(path: PathBuf) -> String {
    path.to_str().unwrap().to_owned()
}

fn explained(rig: &Rig, rrn: &str) -> Value {
    let (exit, said) = run(&["tollgate", "risk", "explain", "--data", &text(rig.file("ledger")), rrn, "--json"]);
    assert_eq!(exit, Exit::Ok, "{said}");
    serde_json::from_str(&said).unwrap()
}

fn replayed(rig: &Rig, rules: &str) -> (Exit, Value) {
    let file = rig.file("tried.toml");
    std::fs::write(&file, rules).unwrap();
    let (data, file) = (text(rig.file("ledger")), text(file));
    let (exit, said) = run(&["tollgate", "risk", "replay", "--data", &data, "--rules", &file, "--json"]);
    (exit, serde_json::from_str(&said).unwrap_or(Value::String(said)))
}

/// Sells in region 1100, then under a number of region 2900.
fn jump(till: &mut Till) -> ResponseCode {
    assert_eq!(till.ask(Kind::Sale, 10_00, CARD_A).code, Some(ResponseCode::Approved));
    till.terminal.pretend(MerchantId::parse(b"898290054110001"));
    let second = till.ask(Kind::Sale, 20_00, CARD_A);
    till.terminal.pretend(None);
    second.code.unwrap()
}

#[test]
fn a_terminal_that_jumps_between_regions_is_declined_suspended_shown_and_explained() {
    let mut rig = ruled(DEMO);
    rig.watch_over();
    let mut till = rig.signed_in(TERMINAL);
    assert_eq!(
        jump(&mut till),
        ResponseCode::FraudSuspected,
        "the rule's answer, not that of another merchant's number"
    );
    assert_eq!(till.ask(Kind::Sale, 10_00, CARD_A).code, Some(ResponseCode::TerminalForbidden), "suspended at once");
    let folder = text(rig.file(""));
    let (_, state) = run(&["tollgate", "risk", "state", "--data", &folder, "--terminal", "10000001"]);
    assert!(state.contains("suspended") && state.contains("rule:region-jump"), "{state}");
    let declined = rig.records().into_iter().find(|record| record.intent.amount.minor() == 20_00).unwrap();
    let said = explained(&rig, declined.intent.rrn.as_str());
    assert_eq!((&said["rule"], &said["version"]), (&"region-jump".into(), &"demo-1".into()), "{said}");
    assert_eq!(
        (&said["seen"]["region"], &said["seen"]["registered region"]),
        (&"2900".into(), &"1100".into()),
        "{said}"
    );
    assert!(!said.to_string().contains(CARD_A), "no card number");
    let listed = || run(&["tollgate", "alarms", "list", "--data", &folder]).1;
    await_that("an alarm of the rule and one of who tries all the same", || {
        let listed = listed();
        listed.contains("region-jump") && listed.contains("suspended-terminal")
    });
}

#[test]
fn the_demos_rule_of_fallback_speaks_at_its_terminals_that_read_chips() {
    let rig = ruled(DEMO);
    let swiped = |till: &mut Till| {
        let sent = till.prepare_without_pin(Kind::Sale, 10_00, CARD_A, Entry::Swipe);
        till.exchange(&sent).code
    };
    let mut till = rig.signed_in(TERMINAL + 1);
    assert_eq!(swiped(&mut till), Some(ResponseCode::FallbackForbidden));
    let declined = rig.records().into_iter().find(|record| record.intent.amount.minor() == 10_00).unwrap();
    assert_eq!(explained(&rig, declined.intent.rrn.as_str())["rule"], "fallback");
    assert_eq!(till.ask(Kind::Sale, 10_00, CARD_A).code, Some(ResponseCode::Approved), "by its chip");
    assert_ne!(swiped(&mut rig.signed_in(TERMINAL)), Some(ResponseCode::FallbackForbidden), "it says nothing of chips");
}

#[test]
fn what_is_suspended_by_a_rule_stays_so_after_a_crash() {
    let mut rig = ruled(DEMO);
    let mut till = rig.signed_in(TERMINAL);
    assert_eq!(jump(&mut till), ResponseCode::FraudSuspected);
    rig.stop();
    rig.start_again();
    let sign_in = till.terminal.sign_in(super::rig::now()).unwrap();
    let mut till = Till::of(&rig, till.terminal.setup().clone(), "pos");
    assert_eq!(till.exchange(&sign_in).code, Some(ResponseCode::TerminalForbidden));
}

#[test]
fn rules_are_tried_on_the_past_and_the_same_ledger_gives_the_same_report() {
    let rig = ruled("version = \"none\"\n");
    let mut till = rig.signed_in(TERMINAL);
    assert_eq!(jump(&mut till), ResponseCode::MerchantInvalid, "without a rule it is the number that is refused");
    for minor in [10_00, 30_00, 50_00] {
        assert_eq!(till.ask(Kind::Sale, minor, CARD_A).code, Some(ResponseCode::Approved));
    }
    let (exit, same) = replayed(&rig, "version = \"nothing\"\n");
    assert_eq!((exit, &same["report"]["declined"]["count"]), (Exit::Ok, &0.into()), "{same}");
    let single = "version = \"s\"\n[[rule]]\nid = \"large\"\nkind = \"single\"\naction = \"decline\"\nmost = 2500\n";
    let (exit, report) = replayed(&rig, single);
    assert_eq!(exit, Exit::No);
    assert_eq!(report["report"]["declined"]["count"], 2, "{report}");
    assert_eq!(report["report"]["rules"]["large"]["declines"]["sums"]["156"], 80_00, "{report}");
    assert_eq!(replayed(&rig, single).1, report, "twice the same");
    let (exit, breaches) = replayed(&rig, "version = \"s\"\n[[rule]]\nid = \"large\"\nkind = \"singel\"\n");
    assert_eq!(exit, Exit::Config, "{breaches}");
    assert!(breaches.as_str().unwrap().contains("tried.toml:"), "{breaches}");
}

#[test]
fn rules_that_come_with_a_reload_judge_the_next_request_and_a_typo_in_them_keeps_the_old_ones() {
    let rig = ruled("version = \"one\"\n");
    let mut till = rig.signed_in(TERMINAL);
    assert_eq!(till.ask(Kind::Sale, 30_00, CARD_A).code, Some(ResponseCode::Approved));
    let rule = "[[rule]]\nid = \"large\"\nkind = \"single\"\naction = \"decline\"\nmost = 2500\n";
    std::fs::write(rig.file("risk.toml"), format!("version = \"two\"\n{rule}")).unwrap();
    let reloaded = rig.reload().unwrap();
    assert_eq!(reloaded.rules.unwrap().map(String::from), ["one", "two"]);
    assert_eq!(till.ask(Kind::Sale, 30_00, CARD_A).code, Some(ResponseCode::AmountLimit));
    std::fs::write(rig.file("risk.toml"), format!("version = \"three\"\n{rule}most = 1\n")).unwrap();
    assert!(rig.reload().is_err());
    std::fs::write(rig.file("risk.toml"), "version = \"two\"\n").unwrap();
    assert!(
        rig.reload().unwrap_err().to_string().contains("not their version"),
        "which rules decided would not be known"
    );
    assert_eq!(till.ask(Kind::Sale, 20_00, CARD_A).code, Some(ResponseCode::Approved), "as before");
}

#[test]
fn rules_in_shadow_only_count() {
    let rule = "version = \"s\"\n[[rule]]\nid = \"large\"\nkind = \"single\"\naction = \"decline\"\nmost = 2500\n";
    let tables = format!("{KEPT}[risk]\nshadow = \"shadow.toml\"\n");
    let rig = Rig::of(&Recipe { tables: &tables, lists: &[("shadow.toml", rule)], ..Recipe::default() });
    let mut till = rig.signed_in(TERMINAL);
    assert_eq!(till.ask(Kind::Sale, 30_00, CARD_A).code, Some(ResponseCode::Approved));
    let record = rig.records().into_iter().find(|record| record.intent.amount.minor() == 30_00).unwrap();
    let said = explained(&rig, record.intent.rrn.as_str());
    assert_eq!((&said["declined"], &said["hits"][0]["shadow"]), (&false.into(), &true.into()), "{said}");
}

#[test]
fn a_merchant_that_pays_less_than_anybody_of_its_trade_is_noticed() {
    let rule = "version = \"f\"\n[[rule]]\nid = \"cheap\"\nkind = \"fee-floor\"\naction = \"alert\"\nleast = 50\n";
    let fees = "[[fee]]\nrate = 600\n[[fee]]\nmerchant = \"898110054110001\"\nrate = 380\n";
    let tables = format!("{KEPT}[risk]\nrules = \"risk.toml\"\n");
    let lists = [("risk.toml", rule), ("fees.toml", fees)];
    let rig =
        Rig::of(&Recipe { tables: &tables, files: "fees = [\"fees.toml\"]\n", lists: &lists, ..Recipe::default() });
    for (number, hits) in [(TERMINAL, 1), (TERMINAL + 1, 0)] {
        let mut till = rig.signed_in(number);
        assert_eq!(till.ask(Kind::Sale, 30_00, CARD_A).code, Some(ResponseCode::Approved));
        let of = |record: &Recorded| record.intent.identity.terminal == till.terminal.setup().terminal;
        let record = rig.records().into_iter().find(of).unwrap();
        let said = explained(&rig, record.intent.rrn.as_str());
        assert_eq!(said["hits"].as_array().unwrap().len(), hits, "{said}");
    }
}

/// Who spoke of each sale of so many minor units, and whether it was declined.
fn said_of(rig: &Rig, minor: u64) -> Vec<(bool, Vec<String>)> {
    let sales = rig.records().into_iter().filter(|record| record.intent.amount.minor() == minor);
    let spoke = |said: &Value| {
        let rules = said["hits"].as_array().unwrap().iter();
        rules.map(|hit| hit["rule"].as_str().unwrap().to_owned()).collect()
    };
    let said = sales.map(|record| explained(rig, record.intent.rrn.as_str()));
    said.map(|said| (said["declined"].as_bool().unwrap(), spoke(&said))).collect()
}

#[test]
fn a_terminal_that_calls_from_another_address_is_noticed_as_its_policy_says() {
    let rule = |action: &str| {
        format!("version = \"s\"\n[[rule]]\nid = \"moved\"\nkind = \"source-change\"\naction = \"{action}\"\n")
    };
    let rows = "terminal,merchant,network\n10000001,898110054110001,learn\n10000002,898110054110002,warn\n\
                10000003,898110054110003,any\n10000009,898110054110009,\n";
    let (decline, tables) = (rule("decline"), format!("{KEPT}[risk]\nrules = \"risk.toml\"\n"));
    let lists = [("risk.toml", &*decline), ("terminals.csv", rows)];
    let rig = Rig::of(&Recipe { tables: &tables, lists: &lists, ..Recipe::default() });
    let (forbidden, approved) = (Some(ResponseCode::TerminalForbidden), Some(ResponseCode::Approved));
    for (number, then) in [
        (TERMINAL, [forbidden, approved, forbidden]),
        (TERMINAL + 1, [forbidden, forbidden, approved]),
        (TERMINAL + 2, [approved; 3]),
    ] {
        let mut till = rig.signed_in(number);
        assert_eq!(till.ask(Kind::Sale, 10_00, CARD_A).code, approved);
        till.calls_from("127.0.0.2");
        let moved = till.ask(Kind::Sale, 20_00, CARD_A).code;
        let stayed = till.ask(Kind::Sale, 30_00, CARD_A).code;
        till.calls_from("127.0.0.1");
        assert_eq!([moved, stayed, till.ask(Kind::Sale, 40_00, CARD_A).code], then, "{number}");
    }
    let moved = || (true, vec!["moved".to_owned()]);
    assert_eq!(said_of(&rig, 10_00), vec![(false, vec![]); 3]);
    assert_eq!(said_of(&rig, 20_00), [moved(), moved(), (false, vec![])]);
}

#[test]
fn a_report_that_a_device_was_opened_is_explained_with_the_request_that_brought_it() {
    let rig = ruled("version = \"none\"\n");
    let habits = Habits { opened: true, ..Habits::default() };
    let mut till = Till::of(&rig, Setup { habits, ..rig.terminal(TERMINAL).terminal.setup().clone() }, "pos");
    till.sign_in();
    for minor in [10_00, 20_00] {
        assert_eq!(till.ask(Kind::Sale, minor, CARD_A).code, Some(ResponseCode::TerminalForbidden));
    }
    let of = |minor| rig.records().into_iter().find(|record| record.intent.amount.minor() == minor).unwrap();
    let said = explained(&rig, of(10_00).intent.rrn.as_str());
    assert_eq!((&said["rule"], &said["steps"][0]["step"]), (&"terminal-suspended".into(), &"suspend".into()), "{said}");
    assert_eq!(said["steps"][0]["reason"], "its device says that it was opened", "{said}");
    let rrn = of(10_00).intent.rrn;
    let (_, said) = run(&["tollgate", "risk", "explain", "--data", &text(rig.file("ledger")), rrn.as_str()]);
    assert!(said.contains("by it, its terminal: suspend by switch: its device says that it was opened"), "{said}");
    assert!(said.contains("signs") && !said.contains(CARD_A), "{said}");
    let later = explained(&rig, of(20_00).intent.rrn.as_str());
    assert_eq!(later["steps"], serde_json::json!([]), "it was suspended by then");
    assert!(later["seen"]["signs"].as_str().unwrap().contains("its device says that it was opened"), "{later}");
}

#[test]
fn what_rules_said_is_in_the_ledgers_timeline_masked() {
    let rig = ruled(DEMO);
    let mut till = rig.signed_in(TERMINAL);
    assert_eq!(jump(&mut till), ResponseCode::FraudSuspected);
    let declined = rig.records().into_iter().find(|record| record.intent.amount.minor() == 20_00).unwrap();
    let (folder, rrn) = (text(rig.file("ledger")), declined.intent.rrn);
    let show = || run(&["tollgate", "ledger", "show", &folder, rrn.as_str()]);
    await_that("the archive has caught up", || show().0 == Exit::Ok);
    let (_, shown) = show();
    assert!(shown.contains("rules spoke: region-jump (hold, rules demo-1): terminal 10000001: region 2900"), "{shown}");
    let (_, found) = run(&["tollgate", "ledger", "find", &folder, "--rrn", rrn.as_str(), "--json"]);
    let found: Value = serde_json::from_str(found.trim()).unwrap();
    assert_eq!(found["rule"], "region-jump", "{found}");
    assert!(found["risk"].as_str().unwrap().contains("region 2900, and 1100"), "{found}");
    assert_eq!(found["masked_pan"], format!("{}******{}", &CARD_A[..6], &CARD_A[CARD_A.len() - 4..]), "{found}");
    for said in [shown, found.to_string()] {
        assert!(!said.contains(CARD_A), "no card number: {said}");
    }
}

#[test]
fn a_rule_file_that_is_not_there_is_no_breach_of_its_rules() {
    let folder = tempfile::tempdir().unwrap();
    let (file, data) = (text(folder.path().join("none.toml")), text(folder.path().to_owned()));
    for words in
        [&["tollgate", "risk", "check", &file][..], &["tollgate", "risk", "replay", "--data", &data, "--rules", &file]]
    {
        let (exit, said) = run(words);
        assert!(exit == Exit::Usage && said.contains("none.toml: No such file"), "{said}");
    }
    std::fs::write(&file, b"version = \"1\"\n# \xFF\n").unwrap();
    let (exit, said) = run(&["tollgate", "risk", "check", &file]);
    assert!(exit == Exit::Config && said.contains("none.toml:2: is not UTF-8 text"), "{said}");
}
