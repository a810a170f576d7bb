//! How a server stops.

use super::{Props, Stage, request};
use std::net::TcpStream;
use std::time::Duration;
use tollgate::server::Ending;

#[test]
fn a_drain_answers_what_is_in_flight_and_takes_nothing_more() {
    let stage = Stage::new();
    let (mut busy, mut idle) = (stage.connect(), stage.connect());
    idle.send(&[request(2, "10000002", 1)]);
    assert_eq!(idle.answer().unwrap().2, 1);
    assert_eq!(stage.began(), "10000002");
    busy.send(&[request(1, "SLOW0001", 1), request(1, "SLOW0001", 2)]);
    assert_eq!(stage.began(), "SLOW0001");
    let address = stage.address();
    stage.server.stopper().drain();
    assert_eq!(idle.answer(), None, "an idle session is closed");
    stage.echo.gate.add_permits(2);
    assert_eq!([busy.answer().unwrap().2, busy.answer().unwrap().2], [1, 2]);
    assert_eq!(busy.answer(), None);
    drop((busy, idle));
    assert_eq!(stage.server.wait(), Ending::Drained);
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[test]
fn a_forced_stop_waits_for_nothing() {
    let stage = Stage::new();
    let mut busy = stage.connect();
    busy.send(&[request(1, "SLOW0001", 1)]);
    assert_eq!(stage.began(), "SLOW0001");
    let stopper = stage.server.stopper();
    stopper.drain();
    stopper.force();
    assert_eq!(stage.server.wait(), Ending::Forced);
}

#[test]
fn a_drain_that_takes_too_long_becomes_a_forced_stop() {
    let stage = Stage::with(Props { drain: Duration::from_millis(100), ..Props::default() });
    let mut busy = stage.connect();
    busy.send(&[request(1, "SLOW0001", 1)]);
    assert_eq!(stage.began(), "SLOW0001");
    stage.server.stopper().drain();
    assert_eq!(stage.server.wait(), Ending::Forced);
}
