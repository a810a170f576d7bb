//! Too many at once: storms of terminals, more work than the banks take, too few file descriptors, and restarts in
//! the middle of it.

use super::counter::Counter;
use super::kill::agree;
use super::kill::verified;
use super::process::Station;
use super::traffic::Traffic;
use crate::switch::CARD_A;
use crate::switch::rig::Till;
use crate::switch::rig::await_that;
use crate::switch::rig::connect;
use crate::switch::rig::now;
use crate::switch::rig::receive;
use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;
use tollgate::model::Kind;
use tollgate::model::ResponseCode;
use tollgate::sim::terminal::Sent;

const KEPT: &str = "[ledger]\nfolder = \"ledger\"\nsegment_bytes = 262144\nanchor_ms = 20\n";
/// Terminals of the storm: nearly all of the demo's lists.
const STORM: u32 = 180;
/// Connections that each of them opens at once; it speaks on the last.
const CALLS: usize = 3;

#[test]
fn hundreds_of_terminals_that_come_back_at_once_are_all_served() {
    let mut station = Station::new(KEPT);
    station.start();
    let mut tills: Vec<Till> =
        (10..10 + STORM).map(|serial| Till::at(station.door(), 10_000_000 + serial, "pos")).collect();
    for till in &mut tills {
        till.sign_in();
    }
    station.await_links();
    for _ in 0..2 {
        station.kill();
        station.start();
        station.await_links();
        let calls = |_: &mut Till| (0..CALLS).map(|_| connect(station.door())).collect::<Vec<_>>();
        let mut lines: Vec<Vec<TcpStream>> = tills.iter_mut().map(calls).collect();
        // Everybody speaks before anybody listens.
        let sent: Vec<Sent> = tills.iter_mut().map(|till| till.prepare(Kind::Sale, 10_00, CARD_A)).collect();
        for (lines, sent) in lines.iter_mut().zip(&sent) {
            lines.last_mut().unwrap().write_all(&sent.unit).unwrap();
        }
        let mut codes: BTreeMap<String, u32> = BTreeMap::new();
        for ((till, sent), lines) in tills.iter_mut().zip(&sent).zip(&mut lines) {
            let unit = receive(lines.last_mut().unwrap()).expect("an answer");
            *codes.entry(till.judge(sent, unit).wire_code).or_default() += 1;
        }
        assert_eq!(codes, BTreeMap::from([("00".to_owned(), STORM)]), "nobody signed in again, everybody sold");
    }
    assert!(station.stop().success());
    verified(&station);
    assert_eq!(station.standing().len(), 2 * STORM as usize);
    assert_eq!(
        station.standing().into_iter().map(|(rrn, (_, amount))| (rrn, amount)).collect::<BTreeMap<_, _>>(),
        station.booked()
    );
}

#[test]
fn more_than_the_banks_take_is_refused_at_once_and_what_was_taken_is_decided_in_time() {
    const TAKEN: usize = 8;
    const ASKED: u32 = 40;
    let mut station = Station::new(&format!("{KEPT}[limits]\nin_flight_per_link = {}\n", TAKEN / 2));
    station.start();
    let mut tills: Vec<Till> =
        (10..10 + ASKED).map(|serial| Till::at(station.door(), 10_000_000 + serial, "pos")).collect();
    for till in &mut tills {
        till.sign_in();
    }
    station.await_links();
    // The bank answers none of them; five times as many as its links take are asked for at once.
    let sent: Vec<Sent> = tills.iter_mut().map(|till| till.prepare(Kind::Sale, 66_602, CARD_A)).collect();
    for (till, sent) in tills.iter_mut().zip(&sent) {
        till.line.write_all(&sent.unit).unwrap();
    }
    let mut codes: BTreeMap<Option<ResponseCode>, usize> = BTreeMap::new();
    for (till, sent) in tills.iter_mut().zip(&sent) {
        let unit = till.receive().expect("an answer");
        *codes.entry(till.judge(sent, unit).code).or_default() += 1;
    }
    let decided = codes.get(&Some(ResponseCode::Timeout)).copied().unwrap_or_default();
    let refused: usize = codes.values().sum::<usize>() - decided;
    assert!((1..=TAKEN).contains(&decided) && decided + refused == ASKED as usize, "{codes:?}");
    assert!(!codes.contains_key(&Some(ResponseCode::Approved)), "{codes:?}");
    // And then all is as before.
    for till in &mut tills {
        await_that("sales are approved again", || {
            till.ask(Kind::Sale, 10_00, CARD_A).code == Some(ResponseCode::Approved)
        });
    }
    station.await_finished();
    assert!(station.stop().success());
    verified(&station);
    assert_eq!(station.booked().len(), ASKED as usize);
}

#[test]
fn a_station_that_is_drained_and_started_again_under_load_breaks_nothing() {
    let mut station = Station::kept();
    station.start();
    let traffic = Traffic::start(station.door(), 100.0, 34);
    for _ in 0..4 {
        let (_, before) = traffic.so_far();
        await_that("terminals sell", || traffic.so_far().1 > before + 40);
        let status = station.stop();
        assert!(status.success(), "everything in flight was answered: {status}\n{}", station.log());
        verified(&station);
        station.start();
    }
    let beliefs = traffic.finish();
    station.await_finished();
    assert!(station.stop().success());
    verified(&station);
    agree(&station, &beliefs);
}

#[test]
fn few_file_descriptors_cost_sessions_and_never_the_ledger() {
    // Segments so small that new files are needed all the time.
    let mut station = Station::new("[ledger]\nfolder = \"ledger\"\nsegment_bytes = 16384\nanchor_ms = 20\n");
    let serve = station.command();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 128; exec \"$0\" \"$@\""]).arg(serve.get_program()).args(serve.get_args());
    station.start_as(command);
    assert!(station.log().contains("\"descriptors\""), "{}", station.log());
    let mut counter = Counter::open(&station, 10_000_001);
    station.await_links();
    let crowd: Vec<TcpStream> = (0..200).map(|_| connect(station.door())).collect();
    for amount in 1..=60 {
        assert!(counter.sell(amount * 100).unwrap().approved, "who is inside is served on: {}", station.log());
    }
    let refused = crowd.iter().filter(|line| is_closed(line)).count();
    assert!((100..200).contains(&refused), "{refused} of 200 were refused");
    drop(crowd);
    await_that("who could not come in before can now", || {
        let mut till = Till::at(station.door(), 10_000_002, "pos");
        let sign_in = till.terminal.sign_in(now()).unwrap();
        till.line.write_all(&sign_in.unit).is_ok() && till.receive().is_some()
    });
    assert!(station.runs());
    station.await_finished();
    assert!(station.stop().success());
    verified(&station);
    agree(&station, &[counter.belief()]);
}

/// Whether the other side has closed.
fn is_closed(line: &TcpStream) -> bool {
    line.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    !matches!(line.peek(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}
