//! The lists are read again while the station runs; and certificates are spoken of before they end.

use crate::switch::rig::Rig;
use tollgate::model::Breach;
use tollgate::model::Kind;
use tollgate::model::ResponseCode;
use tollgate::server::ReloadFault;
use tollgate::server::expiry::DAYS_AHEAD;
use tollgate::server::expiry::endings;

const CARD: &str = "6225000000000253";

fn change(rig: &Rig, file: &str, from: &str, to: &str) {
    let text = std::fs::read_to_string(rig.file(file)).unwrap();
    assert!(text.contains(from), "{file} has {from}");
    std::fs::write(rig.file(file), text.replace(from, to)).unwrap();
}

#[test]
fn new_limits_hold_from_the_next_request_on() {
    let rig = Rig::start(5_000);
    let mut till = rig.signed_in(10_000_001);
    assert_eq!(till.ask(Kind::Sale, 20_000, CARD).code, Some(ResponseCode::Approved));
    change(&rig, "station.toml", "[risk]", "[risk]\nmost = 15000");
    rig.reload().unwrap();
    assert_eq!(till.ask(Kind::Sale, 20_000, CARD).code, Some(ResponseCode::AmountLimit));
    assert_eq!(till.ask(Kind::Sale, 10_000, CARD).code, Some(ResponseCode::Approved));
}

#[test]
fn a_breach_leaves_the_lists_as_they_were() {
    let rig = Rig::start(5_000);
    let mut till = rig.signed_in(10_000_001);
    change(&rig, "terminals.csv", "10000001", "1000");
    let fault = rig.reload().unwrap_err();
    assert!(matches!(&fault, ReloadFault::Breaches(breaches) if !breaches.is_empty()), "{fault}");
    assert!(fault.to_string().contains("terminals.csv:"), "{fault}");
    assert_eq!(till.ask(Kind::Sale, 20_000, CARD).code, Some(ResponseCode::Approved));
}

#[test]
fn what_needs_a_restart_is_refused_whole() {
    let rig = Rig::start(5_000);
    change(&rig, "issuers.toml", "timeout_ms = 5000", "timeout_ms = 6000");
    change(&rig, "station.toml", "[risk]", "[risk]\nmost = 1");
    assert!(matches!(rig.reload(), Err(ReloadFault::NeedsRestart("an issuer"))));
    let mut till = rig.signed_in(10_000_001);
    assert_eq!(till.ask(Kind::Sale, 20_000, CARD).code, Some(ResponseCode::Approved), "also the limits wait");
}

#[test]
fn a_terminal_does_not_vanish_with_what_it_may_still_undo() {
    let rig = Rig::start(5_000);
    let rows = std::fs::read_to_string(rig.file("terminals.csv")).unwrap();
    let left: Vec<&str> = rows.lines().filter(|row| !row.contains("10000001")).collect();
    std::fs::write(rig.file("terminals.csv"), left.join("\n")).unwrap();
    assert!(matches!(rig.reload(), Err(ReloadFault::TerminalGone(_))));
    assert_eq!(rig.signed_in(10_000_001).ask(Kind::Sale, 20_000, CARD).code, Some(ResponseCode::Approved));
}

#[test]
fn a_certificate_is_spoken_of_from_thirty_days_before_its_end() {
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2026, 12, 31);
    let pem = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem();
    let end = 1_798_675_200; // 2026-12-31T00:00:00Z
    let days = |now: i64| endings("server.pem", pem.as_bytes(), now).first().map(|ending| ending.days);
    assert_eq!(days(end - DAYS_AHEAD * 86_400), None);
    assert_eq!(days(end - DAYS_AHEAD * 86_400 + 1), Some(DAYS_AHEAD - 1));
    assert_eq!(days(end + 1), Some(-1));
    assert_eq!(days(end + 86_401), Some(-2));
    assert_eq!(endings("server.pem", b"no certificate", end), []);
}

#[test]
fn of_many_breaches_the_log_has_the_first_and_how_many_more_there_are() {
    let breaches = |many: usize, what: &str| {
        ReloadFault::Breaches((1..=many).map(|line| Breach::new("terminals.csv", line, what)).collect()).to_string()
    };
    let said = breaches(20_000, "merchant 898110054119999 is not listed");
    assert!(said.starts_with("terminals.csv:1: ") && said.contains("; terminals.csv:20: "), "{said}");
    assert!(said.ends_with("; and 19980 more") && said.len() < 4096 / 2 + 64, "{said}");
    assert_eq!(breaches(2, "x"), "terminals.csv:1: x; terminals.csv:2: x");
    assert!(breaches(50, &"x".repeat(900)).ends_with("; and 48 more"));
    assert_eq!(breaches(3, &"x".repeat(9_000)), "3 in all");
}
