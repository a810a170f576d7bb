//! A station tells its figures: to Prometheus, to who asks whether it is ready, and to `tollgate top`.

mod hostile;
mod page;

use crate::switch::rig::{KEPT, Recipe, Rig, await_that};
use crate::switch::{CARD_A, CARD_B};
use page::Page;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use tollgate::cli;
use tollgate::cli::Exit;
use tollgate::model::Kind;
use tollgate::model::ResponseCode;
use tollgate::ops::metrics::MetricsPlan;
use tollgate::server::config::Metrics;

const LISTEN: &str = "[metrics]\nlisten = \"127.0.0.1:0\"\n";

/// A kept station that tells its figures, and where.
fn measured(table: &str) -> (Rig, SocketAddr) {
    let tables = format!("{KEPT}{LISTEN}{table}[alarms]\ndisk_free_mb = 1\nlink_down_s = 1\n");
    let mut rig = Rig::of(&Recipe { tables: &tables, ..Recipe::default() });
    rig.watch_over();
    let address = rig.measure();
    (rig, address)
}

/// Status and body of what is answered to these bytes.
fn ask(address: SocketAddr, bytes: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // It may have heard enough before all of it is said.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0), body.to_owned())
}

fn get(address: SocketAddr, path: &str) -> (u16, String) {
    ask(address, format!("GET {path} HTTP/1.1\r\nHost: here\r\n\r\n").as_bytes())
}

fn figures(address: SocketAddr) -> Page {
    let (status, text) = get(address, "/metrics");
    assert_eq!(status, 200);
    Page::read(&text)
}

fn sells(rig: &Rig) {
    let mut till = rig.signed_in(10_000_001);
    for _ in 0..3 {
        assert_eq!(till.ask(Kind::Sale, 12_00, CARD_A).code, Some(ResponseCode::Approved));
    }
    assert_eq!(till.ask(Kind::Sale, 12_51, CARD_B).code, Some(ResponseCode::FundsInsufficient));
    let sent = till.prepare(Kind::Sale, 12_00, CARD_A);
    let first = till.exchange(&sent);
    assert_eq!(till.exchange(&sent).code, first.code, "a repeat");
    let sent = till.prepare(Kind::Sale, 10_00, CARD_A).with_wrong_mac();
    assert_eq!(till.exchange(&sent).code, Some(ResponseCode::MacFailure));
}

#[test]
fn a_page_of_figures_is_well_formed_and_agrees_with_what_was_sold() {
    let (rig, address) = measured("");
    let before = figures(address);
    sells(&rig);
    // The last answer is read before the worker knows that it was written.
    let written = |page: &Page| page.sum("tollgate_stage_duration_seconds_count", &["stage=\"write\""]);
    await_that("all is counted", || {
        let page = figures(address);
        written(&page) - written(&before) >= 8.0 && page.sum("tollgate_links_up", &[]) >= 9.0
    });
    let after = figures(address);
    let more = |name: &str, with: &[&str]| after.sum(name, with) - before.sum(name, with);
    let sales = |rc: &str| more("tollgate_transactions_total", &["kind=\"sale\"", "door=\"pos\"", rc]);
    assert_eq!((sales("rc=\"00\""), sales("rc=\"51\""), sales("rc=\"A0\""), sales("rc=")), (5.0, 1.0, 1.0, 7.0));
    assert_eq!(more("tollgate_transactions_total", &["outcome=\"declined\""]), 1.0);
    assert_eq!(more("tollgate_transactions_total", &["kind=\"sign-in\"", "outcome=\"approved\""]), 1.0);
    assert_eq!(more("tollgate_duplicate_requests_total", &["door=\"pos\""]), 1.0);
    assert_eq!(more("tollgate_connections_opened_total", &["door=\"pos\""]), 1.0);
    assert_eq!(more("tollgate_frames_total", &[]), 8.0);
    let links = |link: &str| more("tollgate_link_answers_total", &[link]);
    assert!(links("link=\"bank-a\"") >= 4.0 && links("link=\"bank-b\"") >= 1.0, "echoes are answered too");
    assert_eq!(more("tollgate_link_response_duration_seconds_count", &["link=\"bank-a\""]), 4.0);
    let stage = |name: &str| more("tollgate_stage_duration_seconds_count", &[&format!("stage=\"{name}\"")]);
    assert_eq!((stage("issuer"), stage("decision"), stage("route")), (5.0, 5.0, 6.0), "a repeat is not asked again");
    assert_eq!((stage("decode"), stage("queue"), stage("encode")), (8.0, 8.0, 8.0));
    assert_eq!((stage("read"), stage("write")), (8.0, 8.0));
    assert_eq!(more("tollgate_transaction_duration_seconds_count", &[]), 8.0);
    assert!(more("tollgate_journal_groups_total", &[]) >= 10.0, "two a sale");
    assert_eq!(after.sum("tollgate_requests_in_flight", &[]), 0.0);
    assert_eq!(after.sum("tollgate_terminals", &[]), rig.running().gauges().registry().terminals().count() as f64);
    let up = |name: &str| after.sum(name, &[]);
    assert_eq!((up("tollgate_link_up"), up("tollgate_links_up"), up("tollgate_links")), (3.0, 9.0, 9.0));
    assert_eq!((up("tollgate_ready"), up("tollgate_hsm_up"), up("tollgate_journal_up")), (1.0, 1.0, 1.0));
    assert!(up("process_resident_memory_bytes") > 1e6 && up("process_open_fds") > 10.0);
}

#[test]
fn the_stages_of_requests_are_all_of_their_time() {
    let (rig, address) = measured("");
    sells(&rig);
    let page = figures(address);
    let sum = |with: &[&str]| page.sum("tollgate_stage_duration_seconds_sum", with);
    let parts = sum(&[]) - sum(&["stage=\"read\""]) - sum(&["stage=\"write\""]);
    let whole = page.sum("tollgate_transaction_duration_seconds_sum", &[]);
    assert!(whole > 0.0 && (parts - whole).abs() < 1e-6, "{parts} of {whole}");
}

#[test]
fn no_figure_names_a_terminal_a_merchant_or_a_card() {
    let (rig, address) = measured("");
    sells(&rig);
    let (_, text) = get(address, "/metrics");
    let said = format!("{text}{}{}", get(address, "/links").1, get(address, "/readyz").1);
    for secret in ["10000001", "898110054110001", CARD_A, CARD_B, &CARD_A[..6], &CARD_A[CARD_A.len() - 4..]] {
        let hit = said.lines().find(|line| line.split(['"', '{', '}']).any(|word| word == secret));
        assert_eq!(hit, None, "{secret}");
    }
    let long = |value: &String| value.len() > 6 && value.bytes().all(|byte| byte.is_ascii_digit());
    assert!(!Page::read(&text).values().iter().any(long), "no label is a long number");
    assert!(text.lines().count() < 2_000, "as many lines however many terminals there are");
}

#[test]
fn a_station_whose_stages_are_not_measured_counts_all_the_same() {
    let (rig, address) = measured("stages = false\n");
    sells(&rig);
    let page = figures(address);
    assert!(
        !page.has("tollgate_stage_duration_seconds_count") && !page.has("tollgate_transaction_duration_seconds_sum")
    );
    assert_eq!(page.sum("tollgate_link_response_duration_seconds_count", &[]), 0.0);
    assert_eq!(page.sum("tollgate_transactions_total", &["kind=\"sale\"", "rc=\"00\""]), 5.0);
    assert!(page.has("tollgate_journal_append_duration_seconds_sum"));
}

#[test]
fn a_station_is_ready_until_its_last_bank_goes_down_and_again_when_one_is_back() {
    let (mut rig, address) = measured("");
    assert_eq!(get(address, "/readyz"), (200, "ready\nstation: ok\njournal: ok\nhsm: ok\nlinks: ok\n".to_owned()));
    assert_eq!(get(address, "/livez"), (200, "alive\n".to_owned()));
    let at = rig.bank_a.1.take().unwrap().address();
    await_that("bank-a is missed", || get(address, "/readyz").1.contains("links: ok but for bank-a\n"));
    assert_eq!(get(address, "/readyz").0, 200, "the others' cards are served");
    let links: Value = serde_json::from_str(&get(address, "/links").1).unwrap();
    let of =
        |name: &str| links["links"].as_array().unwrap().iter().find(|link| link["issuer"] == name).unwrap().clone();
    assert_eq!((of("bank-a")["is_up"].as_bool(), of("bank-b")["is_up"].as_bool()), (Some(false), Some(true)));
    assert_eq!(figures(address).sum("tollgate_link_up", &["link=\"bank-a\""]), 0.0);
    drop((rig.bank_b.1.take(), rig.wallets.1.take()));
    await_that("it is not ready", || get(address, "/readyz").0 == 503);
    let (_, said) = get(address, "/readyz");
    assert!(said.starts_with("not ready\n") && said.contains("links: no issuer can be reached: bank-a, bank-b, qr-a"));
    assert_eq!(get(address, "/livez").0, 200, "nobody should restart it for that");
    await_that("alarms", || figures(address).sum("tollgate_alarms", &["severity=\"critical\""]) >= 3.0);
    Rig::reopen(&mut rig.bank_a, at);
    await_that("it is ready again", || get(address, "/readyz").0 == 200);
}

fn top(url: &str) -> (Exit, String) {
    let mut out = Vec::new();
    match cli::run_from(["tollgate", "top", "--once", "--url", url], &mut out) {
        Ok(exit) => (exit, String::from_utf8(out).unwrap()),
        Err(failure) => (failure.exit, failure.message),
    }
}

#[test]
fn top_prints_rate_stages_answers_and_links_once() {
    let (rig, address) = measured("");
    sells(&rig);
    let (exit, said) = top(&format!("http://{address}"));
    assert_eq!(exit, Exit::Ok);
    for start in
        ["tollgate 0.1.0  ready  2 workers", "whole ", "issuer ", "(journal) ", "approved  00    sale ", "bank-a "]
    {
        assert!(said.lines().any(|line| line.starts_with(start)), "{start}: {said}");
    }
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (exit, said) = top(&format!("http://{nobody}"));
    assert!(exit == Exit::NoConnection && said.contains(&nobody.to_string()), "{said}");
    assert_eq!(top("ftp://x").0, Exit::Usage);
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", other.local_addr().unwrap());
    let answers = std::thread::spawn(move || {
        let (mut stream, _) = other.accept().unwrap();
        let _ = stream.read(&mut [0; 512]);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\ngo_goroutines 7\n").unwrap();
    });
    assert_eq!(top(&url).0, Exit::No, "not a station's");
    answers.join().unwrap();
}

#[test]
fn a_port_in_use_is_told_before_the_station_starts_and_without_one_nothing_listens() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let metrics = Metrics { listen: Some(taken.local_addr().unwrap()), stages: true };
    let said = MetricsPlan::open(&metrics).err().unwrap().to_string();
    assert!(said.starts_with(&format!("metrics at {}: ", taken.local_addr().unwrap())), "{said}");
    assert!(MetricsPlan::open(&Metrics::default()).unwrap().is_none());
    assert!(!Metrics::default().measures(), "what nobody can read is not measured");
}
