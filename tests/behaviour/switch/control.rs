//! The operators' socket of a running station.

use super::CARD_A;
use super::rig::{KEPT, Recipe, Rig, Till};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;
use tollgate::model::Kind;
use tollgate::model::ResponseCode;

fn socket(rig: &Rig) -> PathBuf {
    rig.file("ledger").join("control.sock")
}

/// One line, and the line that comes back; empty if the station closes the connection.
fn ask(rig: &Rig, line: &str) -> String {
    let mut stream = UnixStream::connect(socket(rig)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // A station that has read enough may close while this is written.
    let _ = stream.write_all(line.as_bytes());
    let mut answer = String::new();
    let _ = BufReader::new(stream).read_line(&mut answer);
    answer
}

#[test]
fn only_its_owner_may_open_it_and_it_goes_with_the_station() {
    let mut rig = Rig::kept(5_000);
    let mode = std::fs::metadata(socket(&rig)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    rig.drain();
    assert!(!socket(&rig).exists());
    rig.start_again();
    assert!(socket(&rig).exists());
}

#[test]
fn what_is_no_order_is_refused_and_the_next_one_is_served() {
    let rig = Rig::kept(5_000);
    let long = format!("{{\"do\":\"{}\"}}\n", "x".repeat(100_000));
    let order = |actor: &str, more: &str| {
        format!("{{\"do\":\"close-batch\",\"terminal\":\"10000001\",\"actor\":\"{actor}\",\"reason\":\"r\"{more}}}\n")
    };
    let nobody = order("alice", "");
    let orders = [
        ("\n".to_owned(), "not an order"),
        ("close it\n".to_owned(), "not an order"),
        ("{\"do\":\"stop\"}\n".to_owned(), "not an order"),
        (order("alice", ",\"force\":true"), "not an order"),
        (order("", ""), "an actor has"),
        (order(&"x".repeat(65), ""), "an actor has"),
        (order("alice", ",\"batch\":1000000"), "up to six digits"),
        (nobody, "no such batch"),
    ];
    ask(&rig, &long);
    for (order, why) in orders {
        let answer = ask(&rig, &order);
        assert!(answer.contains("\"ok\":false") && answer.contains(why), "{order}: {answer}");
    }
}

#[test]
fn a_dukpt_device_that_settled_nothing_has_no_batch_to_close() {
    let tables = format!("{}{KEPT}", super::dukpt::DOOR);
    let rig = Rig::of(&Recipe { tables: &tables, ..Recipe::default() });
    let mut till = Till::new(&rig, 10_000_001, "dukpt");
    assert_eq!(till.ask(Kind::Sale, 10_00, CARD_A).code, Some(ResponseCode::Approved));
    let order = "{\"do\":\"close-batch\",\"terminal\":\"10000001\",\"actor\":\"alice\",\"reason\":\"r\"}\n";
    let answer = ask(&rig, order);
    assert!(answer.contains("\"ok\":false") && answer.contains("no such batch"), "{answer}");
}
