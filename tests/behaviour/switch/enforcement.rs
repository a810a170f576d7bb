//! The enforcement ladder on the wire: warned, suspended, terminated; what devices say against themselves; what is asked
//! from afar.

use super::CARD_A;
use super::rig::{KEPT, Recipe, Rig, Till, await_that, connect};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;
use tollgate::cli::Exit;
use tollgate::cli::run_from;
use tollgate::model::Kind;
use tollgate::model::RemoteRequest;
use tollgate::model::ResponseCode;
use tollgate::sim::terminal::Habits;
use tollgate::sim::terminal::Setup;

const TERMINAL: u32 = 10_000_001;
const FORBIDDEN: Option<ResponseCode> = Some(ResponseCode::TerminalForbidden);
const APPROVED: Option<ResponseCode> = Some(ResponseCode::Approved);

fn ask(rig: &Rig, order: &Value) -> Value {
    let mut stream = UnixStream::connect(rig.file("ledger").join("control.sock")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    writeln!(stream, "{order}").unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    serde_json::from_str(&answer).unwrap()
}

fn step(rig: &Rig, step: &str) -> Value {
    ask(rig, &json!({"do": "step", "terminal": "10000001", "step": step, "actor": "alice", "reason": "letter 118"}))
}

fn of_merchant(rig: &Rig, step: &str) -> Value {
    ask(rig, &json!({"do": "step", "merchant": "898110054110001", "step": step, "actor": "alice", "reason": "r"}))
}

/// The demo's first terminal as a device of the lists.
fn listed(rig: &Rig, habits: Habits) -> Till {
    let setup = Setup { habits, ..rig.terminal(TERMINAL).terminal.setup().clone() };
    Till::of(rig, setup, "pos")
}

fn with_devices() -> Rig {
    let lists = [("devices.csv", "serial,terminal\nA920-0001,10000001\n")];
    Rig::of(&Recipe { tables: KEPT, files: "devices = [\"devices.csv\"]\n", lists: &lists, ..Recipe::default() })
}

#[test]
fn who_is_suspended_sells_nothing_from_the_next_message_on_and_may_still_undo_and_settle() {
    let mut rig = Rig::kept(5_000);
    let mut till = rig.signed_in(TERMINAL);
    assert_eq!(till.ask(Kind::Sale, 10_00, CARD_A).code, APPROVED);
    assert_eq!(step(&rig, "suspend")["ladder"]["standing"], "suspended");
    assert_eq!(till.ask(Kind::Sale, 10_00, CARD_A).code, FORBIDDEN);
    let sign_in = till.terminal.sign_in(super::rig::now()).unwrap();
    assert_eq!(till.exchange(&sign_in).code, FORBIDDEN, "nor does it open its day");
    let settlement = {
        till.terminal.begin_settlement().unwrap();
        till.terminal.settlement(super::rig::now()).unwrap().unwrap()
    };
    assert!(till.exchange(&settlement).approved, "what it sold is settled");
    rig.stop();
    rig.start_again();
    let mut till = rig.terminal(TERMINAL);
    let sign_in = till.terminal.sign_in(super::rig::now()).unwrap();
    assert_eq!(till.exchange(&sign_in).code, FORBIDDEN, "also after a restart");
    assert_eq!(step(&rig, "resume")["ladder"]["standing"], "active");
    till.sign_in();
    assert_eq!(till.ask(Kind::Sale, 10_00, CARD_A).code, APPROVED);
}

#[test]
fn a_merchants_suspension_is_one_of_all_its_terminals_and_nobody_elses() {
    let rig = Rig::kept(5_000);
    let (mut own, mut other) = (rig.signed_in(TERMINAL), rig.signed_in(10_000_002));
    assert_eq!(of_merchant(&rig, "suspend")["ok"], true);
    assert_eq!(own.ask(Kind::Sale, 10_00, CARD_A).code, FORBIDDEN);
    assert_eq!(other.ask(Kind::Sale, 10_00, CARD_A).code, APPROVED);
}

#[test]
fn terminated_is_for_good_and_what_is_no_step_changes_nothing() {
    let rig = Rig::kept(5_000);
    assert_eq!(step(&rig, "warn")["ladder"]["warnings"], 1);
    assert_eq!(step(&rig, "terminate")["ladder"]["standing"], "terminated");
    for word in ["resume", "suspend", "warn", "shoot", "fine"] {
        let said = step(&rig, word);
        assert_eq!(said["ok"], false, "{word}: {said}");
    }
    let unknown = json!({"do": "step", "terminal": "99999999", "step": "warn", "actor": "alice", "reason": "r"});
    assert!(ask(&rig, &unknown)["error"].as_str().unwrap().contains("not listed"));
    let by = |actor: &str, reason: &str| {
        let order = json!({"do": "step", "terminal": "10000002", "step": "warn", "actor": actor, "reason": reason});
        ask(&rig, &order)["error"].as_str().unwrap_or_default().to_owned()
    };
    assert!(by("switch", "r").contains("say who you are") && by("rule:x", "r").contains("say who you are"));
    for reason in ["card 6225000000000253 seen", "6225 0000 0000 0253", "x4111-1111-1111-1111"] {
        assert!(by("alice", reason).contains("card number"), "{reason}");
    }
    assert_eq!(by("alice", "letter 20261122 of 118 pages, 632600000017"), "");
    let nobody = json!({"do": "step", "terminal": "10000001", "step": "warn", "actor": "", "reason": "r"});
    assert!(ask(&rig, &nobody)["error"].as_str().unwrap().contains("an actor has"));
    let ladders = ask(&rig, &json!({"do": "ladders"}));
    assert_eq!(ladders["ladders"][0]["entries"].as_array().unwrap().len(), 2, "of the first one");
}

#[test]
fn a_reason_that_is_too_long_is_told_how_long_one_may_be() {
    let rig = Rig::kept(5_000);
    let bounds = "an actor has 1 to 64 characters, a reason 1 to 256";
    for reason in ["x".repeat(257), "x".repeat(5_000), "\u{e9}".repeat(5_000)] {
        let order = json!({"do": "step", "terminal": "10000001", "step": "warn", "actor": "alice", "reason": reason});
        let said = ask(&rig, &order);
        assert!(said["ok"] == false && said["error"].as_str().unwrap().contains(bounds), "{said}");
        let data = rig.file("ledger");
        let words = ["tollgate", "risk", "suspend", "--data", data.to_str().unwrap(), "--terminal", "10000001"];
        let failure = run_from([&words[..], &["--actor", "alice", "--reason", &reason]].concat(), &mut Vec::new());
        let failure = failure.unwrap_err();
        assert_eq!((failure.exit, &*failure.message), (Exit::No, bounds));
    }
    let garbage = ask(&rig, &json!({"do": "dance"}));
    assert_eq!(garbage["error"], "not an order that this station knows");
    assert_eq!(ask(&rig, &json!({"do": "ladders"}))["ladders"], json!([]));
}

#[test]
fn a_device_that_was_opened_says_so_and_is_suspended_at_once() {
    let rig = Rig::kept(5_000);
    let mut till = listed(&rig, Habits { opened: true, ..Habits::default() });
    till.sign_in();
    assert_eq!(till.ask(Kind::Sale, 10_00, CARD_A).code, FORBIDDEN);
    let ladders = ask(&rig, &json!({"do": "ladders"}));
    assert_eq!(ladders["ladders"][0]["standing"], "suspended");
    assert_eq!(ladders["ladders"][0]["entries"][0]["actor"], "switch");
}

#[test]
fn another_serial_number_under_a_good_mac_suspends_and_one_that_anybody_can_write_does_not() {
    let rig = with_devices();
    let swapped = Habits { serial: Some("A920-0002".into()), tells: true, ..Habits::default() };
    let mut till = listed(&rig, swapped);
    let sign_in = till.terminal.sign_in(super::rig::now()).unwrap();
    assert_eq!(till.exchange(&sign_in).code, FORBIDDEN);
    assert_eq!(ask(&rig, &json!({"do": "ladders"}))["ladders"], json!([]), "a sign-in has no MAC");
    let honest = Habits { serial: Some("A920-0001".into()), tells: true, ..Habits::default() };
    let mut till = listed(&rig, honest);
    till.sign_in();
    assert_eq!(till.ask(Kind::Sale, 10_00, CARD_A).code, APPROVED);
    till.terminal.pretend_to_be("A920-0002");
    assert_eq!(till.ask(Kind::Sale, 10_00, CARD_A).code, FORBIDDEN);
    assert_eq!(ask(&rig, &json!({"do": "ladders"}))["ladders"][0]["standing"], "suspended");
}

#[test]
fn what_an_operator_asks_of_a_terminal_is_told_by_the_next_sign_in_or_echo_once() {
    let rig = Rig::kept(5_000);
    let mut till = rig.signed_in(TERMINAL);
    assert_eq!(step(&rig, "upgrade")["ladder"]["asked"], json!(["upgrade"]));
    assert_eq!(till.ask(Kind::Sale, 10_00, CARD_A).asked, None, "a sale is not disturbed");
    let mut echo = || {
        let sent = till.terminal.echo(super::rig::now()).unwrap();
        till.exchange(&sent).asked
    };
    assert_eq!(echo(), Some(RemoteRequest::Upgrade));
    assert_eq!(echo(), None);
    step(&rig, "sign-in");
    assert_eq!(echo(), Some(RemoteRequest::SignIn));
}

#[test]
fn a_terminal_whose_networks_are_known_comes_from_there_or_is_declined() {
    let rows = "terminal,merchant,network\n10000001,898110054110001,10.0.0.0/8+192.0.2.7\n\
                10000002,898110054110002,127.0.0.0/8\n10000003,898110054110003,pin\n10000009,898110054110009,\n";
    let rig = Rig::of(&Recipe { lists: &[("terminals.csv", rows)], ..Recipe::default() });
    let codes =
        [TERMINAL, TERMINAL + 1, TERMINAL + 2].map(|number| rig.signed_in(number).ask(Kind::Sale, 10_00, CARD_A).code);
    assert_eq!(codes, [FORBIDDEN, APPROVED, APPROVED]);
}

#[test]
fn a_terminal_that_is_another_device_now_signs_in_before_it_sells_and_keeps_its_batch() {
    let rig = with_devices();
    let device = |serial: &str| Habits { serial: Some(serial.into()), ..Habits::default() };
    let mut old = listed(&rig, device("A920-0001"));
    old.sign_in();
    assert_eq!(old.ask(Kind::Sale, 10_00, CARD_A).code, APPROVED);
    let batch = rig.live_batch(old.terminal.setup().terminal);
    std::fs::write(rig.file("devices.csv"), "serial,terminal\nA920-0002,10000001\n").unwrap();
    // It knows its file from then on.
    rig.reload().unwrap();
    std::fs::write(rig.file("devices.csv"), "serial,terminal\nA920-0003,10000001\n").unwrap();
    let done = ask(&rig, &json!({"do": "reload", "check": false, "actor": "alice", "reason": "broken screen"}));
    assert_eq!(done["ok"], true, "{done}");
    assert_eq!(old.ask(Kind::Sale, 10_00, CARD_A).code, Some(ResponseCode::SignInRequired));
    let sign_in = old.terminal.sign_in(super::rig::now()).unwrap();
    assert_eq!(old.exchange(&sign_in).code, FORBIDDEN, "the old device");
    let mut new = listed(&rig, device("A920-0003"));
    new.sign_in();
    assert_eq!(rig.live_batch(new.terminal.setup().terminal), batch);
}

#[test]
fn a_start_is_no_way_out_of_a_pin() {
    let rows = "terminal,merchant,network\n10000001,898110054110001,pin\n10000002,898110054110002,\n\
                10000009,898110054110009,\n";
    let mut rig = Rig::of(&Recipe { tables: KEPT, lists: &[("terminals.csv", rows)], ..Recipe::default() });
    let (mut pinned, mut other) = (rig.signed_in(TERMINAL), rig.signed_in(TERMINAL + 1));
    for till in [&mut pinned, &mut other] {
        assert_eq!(till.ask(Kind::Sale, 10_00, CARD_A).code, APPROVED);
    }
    rig.stop();
    let kept = rig.file("ledger").join("callers");
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "tollgate callers 1\n127.0.0.1 10000001\n");
    assert_eq!(std::fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600, "its owner's alone");
    rig.start_again();
    rig.await_links();
    for (till, codes) in [(&mut pinned, [FORBIDDEN, APPROVED]), (&mut other, [APPROVED; 2])] {
        till.line = connect(rig.door("pos"));
        let codes_of = ["127.0.0.2", "127.0.0.1"].map(|source| {
            till.calls_from(source);
            till.ask(Kind::Sale, 10_00, CARD_A).code
        });
        assert_eq!(codes_of, codes);
    }
    rig.stop();
    std::fs::write(&kept, "tollgate callers 1\n127.0.0.1\n").unwrap();
    rig.start_again();
    rig.await_links();
    pinned.line = connect(rig.door("pos"));
    pinned.calls_from("127.0.0.2");
    assert_eq!(pinned.ask(Kind::Sale, 10_00, CARD_A).code, APPROVED, "what cannot be believed pins nobody");
    await_that("its new place is kept while the station runs", || {
        std::fs::read_to_string(&kept).is_ok_and(|text| text == "tollgate callers 1\n127.0.0.2 10000001\n")
    });
}

#[test]
fn who_is_suspended_by_the_lists_is_told_which_row_to_change() {
    let terminals = "# the lists\nterminal,merchant,template,standing\n10000001,898110054110001,,suspended\n\
        10000002,898110054110002,idle,\n10000009,898110054110009,,\n10000003,898110054110003,,\n";
    let merchants = include_str!("../../../specs/demo/merchants.csv").replace("cut_off,region", "cut_off,region,state");
    let merchants: String = merchants
        .lines()
        .map(|line| match line {
            line if line.starts_with("898110054110003,") => format!("{line},suspended\n"),
            line if line.starts_with("898") => format!("{line},\n"),
            line => format!("{line}\n"),
        })
        .collect();
    let templates = "[[template]]\ntemplate = \"idle\"\n\nstanding = \"suspended\"\n";
    let lists = [("terminals.csv", terminals), ("templates.toml", templates), ("merchants.csv", &*merchants)];
    let files = "templates = [\"templates.toml\"]\n";
    let rig = Rig::of(&Recipe { tables: KEPT, files, lists: &lists, ..Recipe::default() });
    rig.reload().unwrap();
    let resume = |whose: &str, id: &str| {
        let said = ask(&rig, &json!({"do": "step", whose: id, "step": "resume", "actor": "alice", "reason": "r"}));
        assert_eq!(said["ok"], false, "{said}");
        said["error"].as_str().unwrap().to_owned()
    };
    let said = resume("terminal", "10000001");
    assert!(said.contains("the registry suspends it") && said.contains("terminals.csv:3"), "{said}");
    assert!(said.contains("tollgate reload"), "{said}");
    let said = resume("terminal", "10000002");
    assert!(said.contains("template idle") && said.contains("templates.toml:4"), "{said}");
    let said = resume("terminal", "10000003");
    assert!(said.contains("its merchant 898110054110003") && said.contains("merchants.csv:6"), "{said}");
    let said = resume("merchant", "898110054110003");
    assert!(said.contains("the registry suspends it") && said.contains("merchants.csv:6"), "{said}");
    assert_eq!(resume("terminal", "10000009"), "it is not suspended");
    // Both suspend it: the step is taken, and what stands against it still is told.
    step(&rig, "suspend");
    let resumed = step(&rig, "resume");
    assert_eq!(resumed["ladder"]["standing"], "active");
    assert!(resumed["ladder"]["but"].as_str().unwrap().contains("terminals.csv:3"), "{resumed}");
    step(&rig, "terminate");
    assert_eq!(resume("terminal", "10000001"), "it is terminated, which is for good");
}
