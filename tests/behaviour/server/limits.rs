//! Who may come in, and how many.

use super::{PATIENCE, Props, Stage, request};
use std::net::TcpStream;
use std::time::Instant;
use tollgate::server::Door;
use tollgate::server::Plan;
use tollgate::server::Server;
use tollgate::server::Tap;
use tollgate::server::config::Ceilings;

#[test]
fn an_address_that_is_not_on_the_list_is_closed_at_once() {
    let stage = Stage::with(Props { allow: vec!["10.0.0.0/8", "2001:db8::/32"], ..Props::default() });
    let mut client = stage.connect();
    client.closed();
    assert_eq!(stage.reason(client.address()), "the address is not admitted");
    let stage = Stage::with(Props { allow: vec!["10.0.0.0/8", "127.0.0.0/8"], ..Props::default() });
    stage.serves_others();
}

#[test]
fn too_many_sessions_are_refused_at_once_and_a_seat_is_free_again_after_a_close() {
    for (ceilings, reason) in [
        (Ceilings { sessions_per_address: 2, ..Ceilings::default() }, "too many sessions from this address"),
        (Ceilings { sessions: 2, ..Ceilings::default() }, "too many sessions"),
    ] {
        let stage = Stage::with(Props { ceilings, ..Props::default() });
        let mut inside = [stage.connect(), stage.connect()];
        for client in &mut inside {
            client.send(&[request(1, "10000001", 1)]);
            assert_eq!(client.answer().unwrap().2, 1);
        }
        let mut third = stage.connect();
        third.closed();
        assert_eq!(stage.reason(third.address()), reason);
        drop(inside);
        let until = Instant::now() + PATIENCE;
        loop {
            let mut next = stage.connect();
            use std::io::Write;
            let sent = next.stream.write_all(&request(1, "10000001", 2));
            if sent.is_ok() && matches!(next.stream.peek(&mut [0]), Ok(1)) {
                break;
            }
            assert!(Instant::now() < until, "no seat came free");
        }
    }
}

#[test]
fn a_port_where_somebody_listens_is_not_shared_by_mistake() {
    let stage = Stage::new();
    let door = Door { listen: stage.address(), ..stage.server.doors()[0].clone() };
    let plan = Plan { doors: vec![door], ceilings: Ceilings::default(), workers: 2, drain: PATIENCE, tap: Tap::new() };
    let echo = std::sync::Arc::clone(&stage.echo);
    let second = Server::start(plan, move |_| std::sync::Arc::clone(&echo));
    assert_eq!(second.err().map(|error| error.kind()), Some(std::io::ErrorKind::AddrInUse));
}

#[test]
fn two_workers_share_a_door() {
    let stage = Stage::new();
    let door = Door { listen: "127.0.0.1:0".parse().unwrap(), ..stage.server.doors()[0].clone() };
    let plan = Plan { doors: vec![door], ceilings: Ceilings::default(), workers: 2, drain: PATIENCE, tap: Tap::new() };
    let (made_in, made) = std::sync::mpsc::channel();
    let echo = std::sync::Arc::clone(&stage.echo);
    let server = Server::start(plan, move |worker| {
        made_in.send((worker, std::thread::current().id())).unwrap();
        std::sync::Arc::clone(&echo)
    });
    let server = server.unwrap();
    let (one, other) = (made.recv_timeout(PATIENCE).unwrap(), made.recv_timeout(PATIENCE).unwrap());
    assert!(one.0 != other.0 && one.1 != other.1);
    for stan in 1..=32 {
        let mut client = super::Client::of(TcpStream::connect(server.doors()[0].listen).unwrap());
        client.send(&[request(1, "10000001", stan)]);
        assert_eq!(client.answer().unwrap().2, stan);
    }
    server.stopper().drain();
    assert_eq!(server.wait(), tollgate::server::Ending::Drained);
}
