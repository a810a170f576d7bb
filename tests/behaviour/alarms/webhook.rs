//! The webhook: every change, in order, again until it is taken; its secret only where it belongs.

use super::s;
use super::station::watched;
use crate::switch::rig::{KEPT, Recipe, Rig, await_that};
use rustls::{ServerConnection, StreamOwned};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tollgate::ops::alarms::AlarmKind;
use tollgate::ops::alarms::AlarmPlan;
use tollgate::ops::alarms::Board;
use tollgate::ops::alarms::Noted;
use tollgate::ops::alarms::Outgoing;
use tollgate::ops::alarms::WAITING_MOST;
use tollgate::server::config::Alarms;
use tollgate::server::config::ClientCertificates;
use tollgate::server::config::Config;
use tollgate::server::config::TokenPlace;
use tollgate::server::config::Webhook;
use tollgate::server::tls;
use tollgate::server::tls::Identity;
use tollgate::sim::certificates;

const SECRET: &str = "s3cret-of-the-hook";

/// What a request gets.
#[derive(Clone, Copy)]
enum Manner {
    Take,
    Fail,
    Close,
    Hang,
}

type Requests = Arc<Mutex<Vec<(String, Value)>>>;

/// Head and body of each request; the first ones get what `manners` says, all others are taken.
fn listener(manners: &'static [Manner]) -> (u16, Requests) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, requests) = (listener.local_addr().unwrap().port(), Requests::default());
    let kept = Arc::clone(&requests);
    std::thread::spawn(move || {
        let mut hanging = Vec::new();
        for (place, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            kept.lock().unwrap().push(read(&mut stream));
            match manners.get(place).unwrap_or(&Manner::Take) {
                Manner::Take => drop(stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")),
                Manner::Fail => drop(stream.write_all(b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\noh")),
                Manner::Close => {}
                Manner::Hang => hanging.push(stream),
            }
        }
    });
    (port, requests)
}

fn read(stream: &mut impl Read) -> (String, Value) {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        if let Some(bytes) = line.to_lowercase().strip_prefix("content-length:") {
            length = bytes.trim().parse().unwrap();
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (head, serde_json::from_slice(&body).unwrap())
}

fn risk(subject: &str) -> Noted {
    Noted::Risk { rule: "R1".into(), subject: subject.into(), evidence: "two regions".into() }
}

#[test]
fn a_hook_that_fails_closes_and_hangs_gets_each_change_again_until_it_takes_it_in_order() {
    let (port, requests) = listener(&[Manner::Hang, Manner::Fail, Manner::Close, Manner::Take]);
    let address = format!("http://127.0.0.1:{port}/hook?of=demo");
    let rig = hooked(&format!("webhook = \"{address}\"\nwebhook_token = \"hook.token\"\n"), &[("hook.token", SECRET)]);
    ["one", "two", "three"].iter().for_each(|subject| rig.note_alarm(&risk(subject)));
    await_that("all are taken", || requests.lock().unwrap().len() >= 6);
    let requests = requests.lock().unwrap();
    let subject = |(_, body): &(String, Value)| body["alarm"]["subject"].as_str().unwrap().to_owned();
    let of_risk: Vec<String> = requests.iter().map(subject).filter(|subject| subject.starts_with("R1")).collect();
    assert_eq!(of_risk, ["R1 one", "R1 one", "R1 one", "R1 one", "R1 two", "R1 three"]);
    for (head, body) in requests.iter() {
        assert!(head.starts_with("POST /hook?of=demo HTTP/1.1"), "{head}");
        let head = head.to_lowercase();
        assert!(
            head.contains(&format!("authorization: bearer {SECRET}"))
                && head.contains("content-type: application/json")
        );
        assert!(!body.to_string().contains(SECRET));
        assert_eq!((body["station"].as_str(), body["dropped"].as_u64()), (Some("rig"), Some(0)));
    }
    let sequences: Vec<u64> = requests.iter().map(|(_, body)| body["sequence"].as_u64().unwrap()).collect();
    assert!(sequences.is_sorted(), "{sequences:?}");
}

/// A station with a file for its owner alone beside it.
fn hooked(table: &str, lists: &[(&str, &str)]) -> Rig {
    // The file's mode is set before it is read: by then the station runs, and nobody watches yet.
    let tables = format!("{}[alarms]\ndisk_free_mb = 1\n{table}", KEPT);
    let mut rig = Rig::of(&Recipe { tables: &tables, lists, ..Recipe::default() });
    for (name, _) in lists {
        std::fs::set_permissions(rig.file(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    rig.watch_over();
    rig
}

/// A listener with a certificate, what was posted there, and the authority behind it.
fn secure_listener() -> (u16, Requests, String) {
    let folder = tempfile::tempdir().unwrap();
    certificates::write(folder.path()).unwrap();
    let file = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let identity = Identity { certificates: &file("server.pem"), key: &file("server.key") };
    let config = tls::server(identity, ClientCertificates::None, &[]).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, requests) = (listener.local_addr().unwrap().port(), Requests::default());
    let kept = Arc::clone(&requests);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            // Nobody who does not trust it says anything.
            if stream.conn.complete_io(&mut stream.sock).is_ok() && !stream.conn.is_handshaking() {
                kept.lock().unwrap().push(read(&mut stream));
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            }
        }
    });
    (port, requests, String::from_utf8(file("ca.pem")).unwrap())
}

#[test]
fn a_hook_with_a_certificate_is_told_and_one_whose_authority_is_not_trusted_learns_nothing() {
    let (port, requests, authority) = secure_listener();
    let (other_port, other_requests, _) = secure_listener();
    let table = |port: u16| {
        format!("webhook = \"https://localhost:{port}/\"\nwebhook_ca = \"ca.pem\"\nwebhook_token = \"hook.token\"\n")
    };
    let lists = [("hook.token", SECRET), ("ca.pem", authority.as_str())];
    let (rig, strangers) = (hooked(&table(port), &lists), hooked(&table(other_port), &lists));
    strangers.note_alarm(&risk("one"));
    rig.note_alarm(&risk("one"));
    rig.note_alarm(&risk("two"));
    await_that("both are taken", || requests.lock().unwrap().len() >= 2);
    let (head, body) = requests.lock().unwrap()[0].clone();
    assert!(head.to_lowercase().contains(&format!("authorization: bearer {SECRET}")));
    assert_eq!(body["alarm"]["subject"], "R1 one");
    // It is tried again after a second.
    std::thread::sleep(Duration::from_millis(1_500));
    assert!(other_requests.lock().unwrap().is_empty());
}

#[test]
fn a_station_whose_hook_is_not_there_runs_and_ends_as_ever() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut rig = watched(&format!("webhook = \"http://127.0.0.1:{free}/\"\n"), &[]);
    (0..2_000).for_each(|number| rig.note_alarm(&risk(&number.to_string())));
    rig.signed_in(10_000_001);
    let began = std::time::Instant::now();
    rig.drain();
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn the_oldest_of_more_than_a_thousand_that_wait_is_dropped_and_counted() {
    let mut board = Board::new(Duration::from_secs(900));
    let mut outgoing = Outgoing::default();
    for number in 0..WAITING_MOST + 10 {
        board.raise(AlarmKind::Risk, &number.to_string(), "r", s(0));
        let event = board.since(board.sequence() - 1).events.remove(0);
        assert_eq!(outgoing.push(event), number >= WAITING_MOST);
    }
    assert_eq!(outgoing.len(), WAITING_MOST);
    let (front, dropped) = outgoing.front().unwrap();
    assert_eq!((front.sequence, dropped), (11, 10));
    // One that was under way when it was dropped takes no other with it.
    outgoing.delivered(10);
    assert_eq!(outgoing.front().unwrap().0.sequence, 11);
    outgoing.delivered(11);
    assert_eq!((outgoing.front().unwrap().0.sequence, outgoing.is_empty()), (12, false));
}

#[test]
fn a_secret_that_others_may_read_or_a_header_cannot_carry_keeps_a_station_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let read = || {
        let text = "[station]\nname = \"s\"\nacquirer = \"1\"\ncurrency = \"156\"\noffset_minutes = 480\n\
                    [[door]]\nname = \"pos\"\nlisten = \"127.0.0.1:1\"\nprofile = \"pos\"\n";
        let source = tollgate::registry::Source { file: "station.toml", text };
        let config = tollgate::server::config::parse(source, &|_| true).unwrap();
        let address = "http://127.0.0.1:1/".parse().unwrap();
        let webhook = Webhook { address, token: Some(TokenPlace::File("token".to_owned())), authority: None };
        let config = Config { alarms: Alarms { webhook: Some(webhook), ..Alarms::default() }, ..config };
        AlarmPlan::read(&config, folder.path()).err().map(|fault| fault.to_string()).unwrap_or_default()
    };
    assert!(read().contains("token"), "it is not there");
    std::fs::write(&file, SECRET).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(read().contains("others may read it"));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(read(), "");
    std::fs::write(&file, format!("{SECRET}\u{7f}")).unwrap();
    let said = read();
    assert!(said.contains("characters that a header cannot carry") && !said.contains(SECRET), "{said}");
}
