//! `tollgate terminal` against a host that knows one terminal: what it prints, how it ends.

use crate::pos_host::Books;
use std::net::TcpListener;
use std::path::Path;
use tollgate::cli::Exit;
use tollgate::cli::run_from;

fn run(address: &str, state: &Path, arguments: &[&str]) -> (Exit, String) {
    let common = ["tollgate", "terminal", "--timeout", "1", "--connect", address, "--state", state.to_str().unwrap()];
    let mut out = Vec::new();
    let ended = run_from(common.iter().chain(arguments), &mut out);
    (ended.unwrap_or_else(|failure| failure.exit), String::from_utf8(out).unwrap())
}

#[test]
fn a_sale_signs_in_by_itself_and_prints_a_masked_receipt() {
    let (address, folder) = (Books::default().host(), tempfile::tempdir().unwrap());
    let state = folder.path().join("terminal.json");
    let (exit, out) = run(&address, &state, &["sale", "12.00"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    for wanted in [
        "TEST KEYS",
        "-> 0800 sign-in",
        "-> 0200 sale  12.00  622500******0253  STAN 000002  entry 051  PIN  MAC",
        "<- 0210 00 approved 交易成功  STAN 000002  RRN 632600000001  MAC ok",
        "BATCH: 000007",
        "RMB 12.00",
    ] {
        assert!(out.contains(wanted), "{wanted} in {out}");
    }
    let (exit, out) = run(&address, &state, &["sale", "12.51", "--card", "visitor-b", "--entry", "swipe", "-v"]);
    assert_eq!(exit, Exit::No, "{out}");
    assert!(out.contains("insufficient funds") && out.contains("STAN 000003") && out.contains("entry 021"), "{out}");
    assert!(!out.contains("0800"), "the keys are remembered");
    for secret in ["6225000000000253", "4111111111111111", "123456"] {
        assert!(!out.contains(secret), "{secret} in {out}");
    }
}

#[test]
fn silence_is_5_and_its_reversal_goes_before_the_next_sale() {
    let (address, folder) = (Books::default().host(), tempfile::tempdir().unwrap());
    let state = folder.path().join("terminal.json");
    assert_eq!(run(&address, &state, &["sale", "666.02"]).0, Exit::Timeout);
    assert!(std::fs::read_to_string(&state).unwrap().contains("\"reason\": \"98\""));
    let (exit, out) = run(&address, &state, &["sale", "1.00"]);
    assert_eq!(exit, Exit::Ok);
    let (reversal, sale) = (out.find("-> 0400 reversal  666.02"), out.find("-> 0200 sale  1.00"));
    assert!(reversal.is_some() && reversal < sale, "{out}");
    assert!(std::fs::read_to_string(&state).unwrap().contains("\"pending\": null"));
}

#[test]
fn the_last_sale_can_be_undone_once() {
    let (address, folder) = (Books::default().host(), tempfile::tempdir().unwrap());
    let state = folder.path().join("terminal.json");
    assert_eq!(run(&address, &state, &["sale", "2.00"]).0, Exit::Ok);
    let (exit, out) = run(&address, &state, &["reversal"]);
    assert_eq!(exit, Exit::Ok);
    assert!(out.contains("-> 0400 reversal  2.00"), "{out}");
    let (exit, out) = run(&address, &state, &["reversal"]);
    assert_eq!((exit, out.contains("0400")), (Exit::Ok, false));
}

#[test]
fn no_switch_is_4_and_bad_words_are_2() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("terminal.json");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    assert_eq!(run(&nobody, &state, &["sale", "1.00"]).0, Exit::NoConnection);
    assert_eq!(run(&nobody, &state, &["sale", "1.0"]).0, Exit::Usage);
    assert_eq!(run("192.0.2.1:1", &state, &["echo"]).0, Exit::Usage, "test keys stay on this machine");
}

#[test]
fn troublemakers_do_what_they_say() {
    let (address, folder) = (Books::default().host(), tempfile::tempdir().unwrap());
    let state = folder.path().join("terminal.json");
    let (_, out) = run(&address, &state, &["sale", "3.00", "--repeat"]);
    assert_eq!(out.matches("-> 0200 sale  3.00").count(), 2, "{out}");
    assert_eq!(run(&address, &state, &["sale", "3.00", "--drop-answer"]).0, Exit::Timeout);
    assert!(run(&address, &state, &["echo"]).1.contains("-> 0820 echo"));
}
