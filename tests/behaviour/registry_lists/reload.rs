//! Lists that a running station reads again: asked by an operator, or because a row's time has come.

use crate::switch::CARD_A;
use crate::switch::rig::{KEPT, Recipe, Rig, connect};
use serde_json::Value;
use std::time::Duration;
use tollgate::cli::Exit;
use tollgate::cli::run_from;
use tollgate::ledger::Ledger;
use tollgate::model::Clock;
use tollgate::model::Kind;
use tollgate::model::MerchantId;
use tollgate::model::ResponseCode;
use tollgate::model::Subject;
use tollgate::model::TerminalId;
use tollgate::model::Timestamp;
use tollgate::server::ReloadFault;
use tollgate::server::SystemClock;

fn change(rig: &Rig, file: &str, from: &str, to: &str) {
    let text = std::fs::read_to_string(rig.file(file)).unwrap();
    assert!(text.contains(from), "{file} has {from}");
    std::fs::write(rig.file(file), text.replacen(from, to, 1)).unwrap();
}

/// Runs `tollgate reload` beside a station.
fn reload(rig: &Rig, more: &[&str]) -> (Exit, String) {
    let data = rig.file("ledger").display().to_string();
    let arguments = ["tollgate", "reload", "--data", &data, "--actor", "alice", "--reason", "a test"];
    let mut out = Vec::new();
    let outcome = run_from([&arguments, more].concat(), &mut out);
    let text = String::from_utf8(out).unwrap();
    match outcome {
        Ok(exit) => (exit, text),
        Err(failure) => (failure.exit, text + &failure.message),
    }
}

#[test]
fn an_operator_sees_what_would_change_and_then_has_it_changed() {
    let rig = Rig::kept(5_000);
    // The station knows from now on which file it was started from.
    assert!(rig.reload().unwrap().diff.is_empty());
    let mut till = rig.signed_in(10_000_001);
    change(&rig, "station.toml", "[files]", "[risk]\nmost = 15000\n[files]");
    let (exit, said) = reload(&rig, &["--check"]);
    assert_eq!(exit, Exit::Ok, "{said}");
    assert!(said.contains("changed terminal 10000001  most \"\" -> \"15000\""), "{said}");
    assert!(said.ends_with("would be read again: 0 rows added, 400 changed, 0 removed\n"), "{said}");
    assert_eq!(till.ask(Kind::Sale, 20_000, CARD_A).code, Some(ResponseCode::Approved), "only looked at");
    let (exit, said) = reload(&rig, &["--json"]);
    assert_eq!(exit, Exit::Ok, "{said}");
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&said["ok"], &said["terminals"], &said["diff"]["changed"]), (&true.into(), &200.into(), &400.into()));
    assert_eq!(till.ask(Kind::Sale, 20_000, CARD_A).code, Some(ResponseCode::AmountLimit), "on the same connection");
}

#[test]
fn an_error_in_the_last_line_leaves_everything_as_it_was_and_is_told() {
    let rig = Rig::kept(5_000);
    rig.reload().unwrap();
    let mut till = rig.signed_in(10_000_001);
    change(&rig, "station.toml", "[files]", "[risk]\nmost = 15000\n[files]");
    let lists = std::fs::read_to_string(rig.file("terminals.csv")).unwrap();
    std::fs::write(rig.file("terminals.csv"), lists + "20000001,898110054119999,\n").unwrap();
    let (exit, said) = reload(&rig, &[]);
    assert_eq!(exit, Exit::No);
    assert!(said.contains("the files have breaches, 1 in all"), "{said}");
    assert!(said.contains("terminals.csv:205: merchant 898110054119999 is not listed"), "{said}");
    assert_eq!(till.ask(Kind::Sale, 20_000, CARD_A).code, Some(ResponseCode::Approved));
    let nobody = ["--actor", ""];
    let data = rig.file("ledger").display().to_string();
    let arguments = [&["tollgate", "reload", "--data", &*data, "--reason", "r"][..], &nobody].concat();
    let failure = run_from(arguments, &mut Vec::new()).unwrap_err();
    assert!(failure.exit == Exit::No && failure.message.contains("an actor has"), "{failure:?}");
}

#[test]
fn a_merchant_that_is_closed_stays_closed() {
    let rig = Rig::start(5_000);
    let states = |state: &str| {
        let text = std::fs::read_to_string(rig.file("merchants.csv")).unwrap();
        let rows = text.lines().map(|line| match line.split_once(",region") {
            _ if line.starts_with('#') => String::new(),
            Some((head, _)) if line.starts_with("merchant,") => format!("{head},region,state\n"),
            _ => {
                let cells: Vec<&str> = line.split(',').take(8).collect();
                let state = if line.starts_with("898110054110001,") { state } else { "" };
                format!("{},{state}\n", cells.join(","))
            }
        });
        let rows: String = rows.collect();
        std::fs::write(rig.file("merchants.csv"), rows).unwrap();
        rig.reload()
    };
    let mut till = rig.signed_in(10_000_001);
    let ask = |till: &mut crate::switch::rig::Till| till.ask(Kind::Sale, 100, CARD_A).code;
    states("suspended").unwrap();
    assert_eq!(ask(&mut till), Some(ResponseCode::TerminalForbidden));
    states("active").unwrap();
    assert_eq!(ask(&mut till), Some(ResponseCode::Approved));
    let diff = states("closed").unwrap().diff;
    assert!(diff.to_string().contains("state active -> closed"), "{diff}");
    let fault = states("active").unwrap_err();
    assert!(matches!(&fault, ReloadFault::Risen(all) if all.len() == 1), "{fault}");
    let told = "merchants.csv:2: merchant 898110054110001 was closed, and cannot become active";
    assert_eq!(fault.to_string(), told, "with its row");
    assert_eq!(ask(&mut till), Some(ResponseCode::TerminalForbidden));
}

#[test]
fn a_row_whose_time_has_come_takes_effect_and_stays_if_the_clock_steps_back() {
    let rig = Rig::of(&Recipe { tables: KEPT, ..Recipe::default() });
    let now = SystemClock::start().wall();
    let hour = Duration::from_secs(3_600);
    let due = now.later(hour);
    let rows = std::fs::read_to_string(rig.file("terminals.csv")).unwrap();
    let rows: String = rows
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| match line {
            head if head.starts_with("terminal,") => format!("{head},from,most\n"),
            row => format!("{row},,\n"),
        })
        .collect();
    let later = format!("10000001,898110054110001,,{due},500\n");
    std::fs::write(rig.file("terminals.csv"), rows + &later).unwrap();
    let reload = rig.running().reload(rig.file("station.toml"));
    let (exit, said) = self::reload(&rig, &["--check"]);
    assert_eq!(exit, Exit::Ok, "{said}");
    assert!(said.ends_with(&format!("1 row takes effect later, at {due}\n")), "{said}");
    let (_, said) = self::reload(&rig, &["--check", "--json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&said["later"]["rows"], &said["later"]["first"]), (&1.into(), &due.to_string().into()));
    let diff = reload.run().unwrap().diff;
    assert_eq!(diff.summary(), "0 rows added, 0 changed, 0 removed; 1 row for later", "nothing yet");
    assert!(reload.run().unwrap().diff.is_empty(), "that was told");
    assert!(reload.run_if_due(now).is_none() && reload.run_if_due(due.earlier(hour / 2)).is_none());
    assert!(reload.patience(now) <= Duration::from_secs(30) && reload.patience(due) == Duration::ZERO);
    let mut till = rig.signed_in(10_000_001);
    assert_eq!(till.ask(Kind::Sale, 1_000, CARD_A).code, Some(ResponseCode::Approved));
    let diff = reload.run_if_due(due).unwrap().unwrap().diff;
    assert!(diff.to_string().contains("~ terminal 10000001  most - -> 500"), "{diff}");
    assert_eq!(till.ask(Kind::Sale, 1_000, CARD_A).code, Some(ResponseCode::AmountLimit));
    assert!(reload.run_if_due(due).is_none(), "once");
    assert!(reload.run_at(Timestamp(0)).unwrap().diff.is_empty(), "what has come does not go again");
    assert_eq!(till.ask(Kind::Sale, 1_000, CARD_A).code, Some(ResponseCode::AmountLimit));
}

#[test]
fn who_was_at_an_end_in_the_lists_does_not_trade_after_a_restart_with_other_lists() {
    let mut rig = Rig::kept(5_000);
    let [terminals, merchants] =
        ["terminals.csv", "merchants.csv"].map(|name| std::fs::read_to_string(rig.file(name)).unwrap());
    let mut closed = rig.signed_in(10_000_002);
    let mut ended = rig.signed_in(10_000_001);
    rig.stop();
    let with = |text: &str, column: &str, key: &str, word: &str| -> String {
        let cell = |line: &str| match line {
            line if line.starts_with('#') => String::new(),
            line if line.starts_with("terminal,") || line.starts_with("merchant,") => format!(",{column}"),
            line if line.starts_with(key) => format!(",{word}"),
            _ => ",".to_owned(),
        };
        text.lines().map(|line| format!("{line}{}\n", cell(line))).collect()
    };
    let merchant = |text: &str, key: &str| {
        let row = text.lines().find(|line| line.starts_with(key)).unwrap();
        row.split(',').nth(1).unwrap().to_owned()
    };
    let (shut, own) = (merchant(&terminals, "10000002"), merchant(&terminals, "10000001"));
    assert_ne!(shut, own);
    std::fs::write(rig.file("terminals.csv"), with(&terminals, "standing", "10000001", "terminated")).unwrap();
    std::fs::write(rig.file("merchants.csv"), with(&merchants, "state", &shut, "closed")).unwrap();
    rig.start_again();
    rig.stop();
    std::fs::write(rig.file("terminals.csv"), &terminals).unwrap();
    std::fs::write(rig.file("merchants.csv"), &merchants).unwrap();
    rig.start_again();
    rig.await_links();
    for till in [&mut ended, &mut closed] {
        till.line = connect(rig.door("pos"));
        assert_eq!(till.ask(Kind::Sale, 100, CARD_A).code, Some(ResponseCode::TerminalForbidden));
    }
    let ladder = |subject| rig.running().parts().ledger.ladder(&subject).unwrap();
    let last = ladder(Subject::Terminal(TerminalId::parse(b"10000001").unwrap())).entries.back().cloned().unwrap();
    assert_eq!((&*last.actor, &*last.reason), ("registry", "the lists terminate it, terminals.csv:5"));
    let last = ladder(Subject::Merchant(MerchantId::parse(shut.as_bytes()).unwrap())).entries.back().cloned().unwrap();
    assert!(last.reason.starts_with("the lists close it, merchants.csv:"), "{}", last.reason);
}
