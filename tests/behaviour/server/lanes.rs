//! Many terminals on one connection.

use super::{Client, Stage, request};
use std::collections::HashMap;
use tollgate::server::Direction;

#[test]
fn five_hundred_terminals_share_a_connection_and_each_keeps_its_order() {
    let stage = Stage::new();
    let mut client = stage.connect();
    let mut requests = Vec::new();
    for stan in 1..=3 {
        requests.extend((0..500).map(|line| request(line, &format!("{:08}", 10_000_000 + u32::from(line)), stan)));
    }
    let mut writer = Client::of(client.stream.try_clone().unwrap());
    let writing = std::thread::spawn(move || writer.send(&requests));
    let mut seen: HashMap<(u16, String), Vec<u32>> = HashMap::new();
    for _ in 0..1500 {
        let (line, terminal, stan, code) = client.answer().unwrap();
        assert_eq!((terminal.parse(), code.as_str()), (Ok(10_000_000 + u32::from(line)), "00"));
        seen.entry((line, terminal)).or_default().push(stan);
    }
    writing.join().unwrap();
    assert_eq!(seen.len(), 500);
    assert!(seen.values().all(|stans| stans == &[1, 2, 3]));
}

#[test]
fn a_slow_terminal_holds_up_nobody_else_on_its_connection() {
    let stage = Stage::new();
    let mut client = stage.connect();
    client.send(&[request(1, "SLOW0001", 1), request(1, "SLOW0001", 2), request(2, "10000002", 1)]);
    assert_eq!(client.answer().unwrap().1, "10000002");
    // The same terminal number on another line is another lane.
    client.send(&[request(3, "10000002", 9)]);
    assert_eq!(client.answer().unwrap().2, 9);
    // The slow one's second request has not begun.
    let began: Vec<_> = stage.began.try_iter().map(|(terminal, _)| terminal).collect();
    assert_eq!(began, ["SLOW0001", "10000002", "10000002"]);
    stage.echo.gate.add_permits(2);
    assert_eq!([client.answer().unwrap().2, client.answer().unwrap().2], [1, 2]);
}

#[test]
fn a_fifth_request_in_flight_is_refused_at_once_and_the_four_are_still_answered() {
    let stage = Stage::new();
    let mut client = stage.connect();
    client.send(&(1..=5).map(|stan| request(1, "SLOW0001", stan)).collect::<Vec<_>>());
    assert_eq!(client.answer(), Some((1, "SLOW0001".to_owned(), 5, "96".to_owned())));
    stage.echo.gate.add_permits(4);
    let order: Vec<_> = (0..4).map(|_| client.answer().unwrap()).map(|(_, _, stan, code)| (stan, code)).collect();
    assert_eq!(order, [1, 2, 3, 4].map(|stan| (stan, "00".to_owned())));
    client.send(&[request(1, "10000001", 6)]);
    assert_eq!(client.answer().unwrap().3, "00", "there is room again");
}

#[test]
fn one_connection_cannot_be_filled_with_terminals_without_end() {
    let stage = Stage::new();
    let mut client = stage.connect();
    let slow = |number: u16| request(number, &format!("SLOW{number:04}"), 1);
    client.send(&(0..2050).map(slow).collect::<Vec<_>>());
    let refused = [client.answer().unwrap(), client.answer().unwrap()];
    assert_eq!(refused.map(|answer| (answer.0, answer.3)), [(2048, "96".to_owned()), (2049, "96".to_owned())]);
    stage.echo.gate.add_permits(2048);
    assert!((0..2048).all(|_| client.answer().unwrap().3 == "00"));
}

#[test]
fn answers_are_finished_for_a_peer_that_sends_no_more() {
    let stage = Stage::new();
    let mut client = stage.connect();
    client.send(&[request(1, "SLOW0001", 1), request(1, "SLOW0001", 2)]);
    client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    stage.began();
    stage.echo.gate.add_permits(2);
    assert_eq!([client.answer().unwrap().2, client.answer().unwrap().2], [1, 2]);
    assert_eq!(client.answer(), None);
}

#[test]
fn what_was_taken_is_served_even_if_the_peer_resets_the_connection() {
    let stage = Stage::new();
    let mut client = stage.connect();
    client.send(&[request(1, "SLOW0001", 1), request(1, "SLOW0001", 2)]);
    assert_eq!(stage.began(), "SLOW0001");
    // A reset, not a goodbye.
    socket2::SockRef::from(&client.stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    let address = client.address();
    drop(client);
    assert_eq!(stage.lines("lost", address).len(), 1);
    stage.echo.gate.add_permits(2);
    assert_eq!(stage.began(), "SLOW0001");
    stage.server.stopper().drain();
    assert_eq!(stage.server.wait(), tollgate::server::Ending::Drained);
    assert_eq!(stage.echo.gate.available_permits(), 0, "both were served to their end");
}

#[test]
fn a_tap_sees_both_ways_and_why_a_frame_was_refused() {
    let stage = Stage::new();
    let mut seen = stage.tap.listen();
    let mut client = stage.connect();
    let sent = request(7, "10000007", 3);
    client.send(&[sent.clone(), b"\x00\x0b\x02ABCDEFGHIJ".to_vec()]);
    client.answer().unwrap();
    client.closed();
    let (first, second, third) = (seen.try_recv().unwrap(), seen.try_recv().unwrap(), seen.try_recv().unwrap());
    assert_eq!((first.direction, &first.unit[..]), (Direction::In, &sent[2..]));
    assert_eq!(first.lane.unwrap().terminal.unwrap().as_str(), "10000007");
    // The second frame was read before the first was answered.
    assert_eq!((second.direction, second.reject.as_deref()), (Direction::In, Some("TPDU does not begin with 60")));
    assert_eq!((third.direction, third.lane, third.peer), (Direction::Out, first.lane, client.address()));
    assert_eq!(&third.unit[..5], &[0x60, 0x00, 0x07, 0x00, 0x03]);
}
