//! A whole station: what happens on the wire becomes an alarm, which an operator sees, acknowledges and sees go.

use crate::switch::CARD_A;
use crate::switch::rig::{KEPT, Recipe, Rig, await_that};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use tollgate::cli;
use tollgate::cli::Exit;
use tollgate::model::Kind;
use tollgate::model::ResponseCode;
use tollgate::ops::alarms::Noted;

pub(super) fn watched(table: &str, lists: &[(&str, &str)]) -> Rig {
    let tables = format!("{KEPT}[alarms]\ndisk_free_mb = 1\n{table}");
    let mut rig = Rig::of(&Recipe { tables: &tables, lists, ..Recipe::default() });
    rig.watch_over();
    rig
}

/// `tollgate alarms` with these words.
fn alarms(rig: &Rig, words: &[&str]) -> (Exit, String) {
    let folder = rig.file("");
    let place = ["--data", folder.to_str().unwrap()];
    let line = ["tollgate", "alarms"].iter().chain(words).chain(&place);
    let mut out = Vec::new();
    match cli::run_from(line, &mut out) {
        Ok(exit) => (exit, String::from_utf8(out).unwrap()),
        Err(failure) => (failure.exit, failure.message),
    }
}

fn listed(rig: &Rig, all: bool) -> Vec<Value> {
    let words: &[&str] = if all { &["list", "--json", "--all"] } else { &["list", "--json"] };
    serde_json::from_str(&alarms(rig, words).1).unwrap()
}

fn about(rig: &Rig, kind: &str, subject: &str) -> Option<Value> {
    listed(rig, false).into_iter().find(|alarm| alarm["kind"] == kind && alarm["subject"] == subject)
}

fn ask(rig: &Rig, line: &str) -> Value {
    let mut stream = UnixStream::connect(rig.file("ledger").join("control.sock")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    writeln!(stream, "{line}").unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    serde_json::from_str(&answer).unwrap()
}

fn risk(subject: &str) -> Noted {
    Noted::Risk { rule: "R1".into(), subject: subject.into(), evidence: "two regions".into() }
}

#[test]
fn a_link_that_goes_down_is_an_alarm_that_is_acknowledged_and_cleared_when_it_is_up_again() {
    let mut rig = watched("link_down_s = 1\n", &[]);
    let address = rig.bank_a.1.take().unwrap().address();
    await_that("the alarm", || about(&rig, "link-down", "bank-a").is_some());
    let alarm = about(&rig, "link-down", "bank-a").unwrap();
    assert_eq!((alarm["state"].as_str(), alarm["severity"].as_str()), (Some("raised"), Some("critical")));
    assert_eq!(alarms(&rig, &["list"]).0, Exit::No, "nobody knows");
    let number = alarm["id"].as_u64();
    let id = number.unwrap().to_string();
    let (exit, said) = alarms(&rig, &["acknowledge", &id, "--actor", "alice", "--reason", "the bank is on it"]);
    assert!(exit == Exit::Ok && said.contains("acknowledged") && said.contains("[alice: the bank is on it]"), "{said}");
    let (exit, said) = alarms(&rig, &["acknowledge", &id, "--actor", "bob", "--reason", "r"]);
    assert!(exit == Exit::No && said.contains("alice has acknowledged it already"), "{said}");
    Rig::reopen(&mut rig.bank_a, address);
    await_that("it is cleared", || about(&rig, "link-down", "bank-a").is_none());
    let over = listed(&rig, true).into_iter().find(|alarm| alarm["id"].as_u64() == number).unwrap();
    assert_eq!((over["state"].as_str(), over["acknowledged"]["actor"].as_str()), (Some("cleared"), Some("alice")));
    assert!(over["cleared"].is_string());
    let (exit, said) = alarms(&rig, &["acknowledge", &id, "--actor", "bob", "--reason", "r"]);
    assert!(exit == Exit::No && said.contains("no live alarm"), "{said}");
}

#[test]
fn what_terminals_do_on_the_wire_is_heard() {
    let suspended = include_str!("../../../specs/demo/terminals.csv").replacen(
        "terminal,merchant,capabilities",
        "terminal,merchant,capabilities,standing",
        1,
    );
    let suspended: String = suspended
        .lines()
        .map(|line| match line {
            line if line.starts_with("10000002") => format!("{line},suspended\n"),
            line if line.starts_with('1') => format!("{line},\n"),
            line => format!("{line}\n"),
        })
        .collect();
    let table = "mac_failures = 3\ndecline_least = 2\nsilent_s = 1\n";
    let rig = watched(table, &[("terminals.csv", &suspended)]);
    let mut till = rig.signed_in(10_000_001);
    for _ in 0..3 {
        let sent = till.prepare(Kind::Sale, 10_00, CARD_A).with_wrong_mac();
        assert_eq!(till.exchange(&sent).code, Some(ResponseCode::MacFailure));
    }
    let mut twin = rig.terminal(10_000_001);
    till.ask(Kind::Sale, 15_00, CARD_A);
    twin.sign_in();
    for _ in 0..5 {
        // Until it comes to the number that the other one used.
        let sent = twin.prepare(Kind::Sale, 16_00, CARD_A);
        if twin.exchange(&sent).code == Some(ResponseCode::DuplicateMismatch) {
            break;
        }
    }
    let mut out = rig.terminal(10_000_002);
    let sent = out.terminal.sign_in(crate::switch::rig::now()).unwrap();
    assert_eq!(out.exchange(&sent).code, Some(ResponseCode::TerminalForbidden));
    for (kind, subject) in [
        ("mac-failures", "terminal 10000001"),
        ("mac-failures", "source 127.0.0.1"),
        ("duplicate-mismatch", "terminal 10000001"),
        ("suspended-terminal", "terminal 10000002"),
        ("silent-terminal", "terminal 10000001"),
    ] {
        await_that(&format!("{kind} of {subject}"), || about(&rig, kind, subject).is_some());
    }
    assert!(!listed(&rig, true).iter().any(|alarm| alarm.to_string().contains(CARD_A)), "no card data");
}

#[test]
fn whoever_asks_what_happened_since_waits_until_something_does_and_keeps_nobody_else_waiting() {
    let rig = watched("", &[]);
    let sequence = ask(&rig, "{\"do\":\"alarms\"}")["sequence"].as_u64().unwrap();
    let since = format!("{{\"do\":\"alarms-since\",\"sequence\":{sequence}}}");
    let told = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| ask(&rig, &since));
        std::thread::sleep(Duration::from_millis(200));
        let began = Instant::now();
        assert_eq!(ask(&rig, "{\"do\":\"alarms\"}")["ok"], true);
        assert!(began.elapsed() < Duration::from_secs(2));
        rig.note_alarm(&risk("terminal 10000001"));
        waiting.join().unwrap()
    });
    assert_eq!((told["sequence"].as_u64(), told["missed"].as_bool()), (Some(sequence + 1), Some(false)));
    assert_eq!(told["events"][0]["change"], "raised");
    assert_eq!(told["events"][0]["alarm"]["subject"], "R1 terminal 10000001");
    let began = Instant::now();
    let nothing = ask(&rig, &format!("{{\"do\":\"alarms-since\",\"sequence\":{}}}", sequence + 1));
    assert_eq!(nothing["events"].as_array().unwrap().len(), 0);
    assert!((4..10).contains(&began.elapsed().as_secs()), "five seconds");
}

#[test]
fn whoever_watches_sees_each_change_until_the_station_ends() {
    let mut rig = watched("", &[]);
    let folder = rig.file("").to_str().unwrap().to_owned();
    let watching = std::thread::spawn(move || {
        let mut out = Vec::new();
        let ended = cli::run_from(["tollgate", "alarms", "watch", "--data", &folder], &mut out);
        (ended.unwrap_err().exit, String::from_utf8(out).unwrap())
    });
    // Until it asks, there is nothing to see that it would show.
    std::thread::sleep(Duration::from_millis(500));
    rig.note_alarm(&risk("terminal 10000001"));
    std::thread::sleep(Duration::from_millis(500));
    rig.drain();
    let (exit, said) = watching.join().unwrap();
    assert!(matches!(exit, Exit::NoConnection | Exit::Timeout), "{exit:?}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("raised") && said.contains("R1 terminal 10000001") && said.contains("two regions"), "{said}");
}

#[test]
fn orders_about_alarms_that_are_none_are_refused() {
    let rig = watched("", &[]);
    rig.note_alarm(&risk("s"));
    for (order, why) in [
        ("{\"do\":\"alarms\",\"some\":true}", "not an order"),
        ("{\"do\":\"alarms-since\",\"sequence\":-1}", "not an order"),
        ("{\"do\":\"acknowledge\",\"alarm\":1}", "not an order"),
        ("{\"do\":\"acknowledge\",\"alarm\":999,\"actor\":\"a\",\"reason\":\"r\"}", "no live alarm has number 999"),
        ("{\"do\":\"acknowledge\",\"alarm\":1,\"actor\":\" \",\"reason\":\"r\"}", "an actor has 1 to 64"),
    ] {
        let said = ask(&rig, order);
        assert_eq!(said["ok"], false);
        assert!(said["error"].as_str().unwrap().contains(why), "{order}: {said}");
    }
    let folder = tempfile::tempdir().unwrap();
    let line = ["tollgate", "alarms", "list", "--data", folder.path().to_str().unwrap()];
    assert_eq!(cli::run_from(line, &mut Vec::new()).unwrap_err().exit, Exit::NoConnection);
}
