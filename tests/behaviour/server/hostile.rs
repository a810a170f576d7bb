//! Bad input: the answer or the close of the house, one log line, nobody else disturbed.

use super::{Client, PATIENCE, Props, Stage, pos_with, request};
use std::io::Write;
use std::time::{Duration, Instant};
use tollgate::server::Direction;
use tollgate::server::config::Ceilings;

const SHORT: Duration = Duration::from_millis(150);

fn impatient() -> Props {
    let ceilings = Ceilings { first_frame: 4 * SHORT, inter_byte: SHORT, ..Ceilings::default() };
    Props { ceilings, ..Props::default() }
}

/// Sends `bytes` to a stage, expects the close, and gives the reason logged.
#[track_caller]
fn reason_of(stage: &Stage, bytes: &[u8]) -> String {
    let mut client = stage.connect();
    client.stream.write_all(bytes).unwrap();
    client.closed();
    stage.reason(client.address())
}

#[test]
fn bytes_that_are_no_frame_close_the_session_with_one_line() {
    let stage = Stage::new();
    let mut bystander = stage.connect();
    bystander.send(&[request(1, "10000001", 1)]);
    assert_eq!(bystander.answer().unwrap().2, 1);
    for (bytes, reason) in [
        (&b"\xff\xff"[..], "length 65535 exceeds 4096"),
        (b"\x10\x01", "length 4097 exceeds 4096"),
        (b"\x00\x03\x60\x00\x03", "unit ends inside the TPDU"),
        (b"\x00\x0b\x02ABCDEFGHIJ", "TPDU does not begin with 60"),
        (b"\x00\x07\x60\x00\x03\x00\x00\x60\x31", "unit ends inside the header"),
        (b"GET / HTTP/1.1\r\n\r\n", "length 18245 exceeds 4096"),
    ] {
        assert_eq!(reason_of(&stage, bytes), reason);
    }
    bystander.send(&[request(1, "10000001", 2)]);
    assert_eq!(bystander.answer().unwrap().2, 2);
}

#[test]
fn a_message_whose_number_cannot_be_read_closes_and_one_whose_number_can_is_answered_30() {
    let stage = Stage::new();
    let garbage = b"\x00\x10\x60\x00\x03\x00\x00\x60\x31\x00\x31\x07\x30\xff\xff\xff\xff\xff";
    let reason = reason_of(&stage, garbage);
    assert!(reason.starts_with("MTI"), "{reason}");
    let mut cut = request(1, "10000001", 5);
    let shorter = cut.len() - 6;
    cut.truncate(shorter);
    cut[1] = u8::try_from(shorter - 2).unwrap();
    let mut client = stage.connect();
    client.send(&[cut, request(1, "10000001", 6)]);
    assert_eq!(client.answer(), Some((1, "10000001".to_owned(), 5, "30".to_owned())));
    assert_eq!(client.answer().unwrap().2, 6, "the session goes on");
}

#[test]
fn what_came_before_the_bad_bytes_is_still_answered() {
    let stage = Stage::new();
    let mut client = stage.connect();
    client.send(&[request(1, "SLOW0001", 1), request(1, "SLOW0001", 2), vec![0xff; 40]]);
    stage.began();
    stage.echo.gate.add_permits(2);
    assert_eq!([client.answer().unwrap().2, client.answer().unwrap().2], [1, 2]);
    assert_eq!(client.answer(), None);
    assert_eq!(stage.reason(client.address()), "length 65535 exceeds 4096");
}

#[test]
fn a_zero_length_is_a_sign_of_life_or_a_fault_as_the_profile_says() {
    let stage = Stage::new();
    let mut client = stage.connect();
    client.send(&[vec![0, 0], vec![0, 0], request(1, "10000001", 1), vec![0, 0]]);
    assert_eq!(client.answer().unwrap().2, 1);
    let profile = pos_with("[framing]\nzero-length = \"refuse\"");
    let strict = Stage::with(Props { profile, ..Props::default() });
    assert_eq!(reason_of(&strict, &[0, 0]), "length is zero");
}

#[test]
fn one_byte_at_a_time_is_read_like_any_other() {
    let stage = Stage::new();
    let mut client = stage.connect();
    for byte in request(1, "10000001", 1).iter().chain(&request(1, "10000001", 2)) {
        client.stream.write_all(&[*byte]).unwrap();
    }
    assert_eq!([client.answer().unwrap().2, client.answer().unwrap().2], [1, 2]);
}

#[test]
fn half_a_frame_then_silence_is_closed_after_the_inter_byte_time() {
    let stage = Stage::with(impatient());
    let whole = request(1, "10000001", 1);
    let began = Instant::now();
    assert_eq!(reason_of(&stage, &whole[..20]), "silence inside a frame");
    assert!(began.elapsed() >= SHORT);
    let mut later = stage.connect();
    later.send(&[whole.clone(), whole[..1].to_vec()]);
    assert_eq!(later.answer().unwrap().2, 1);
    later.closed();
    assert_eq!(stage.reason(later.address()), "silence inside a frame");
    stage.serves_others();
}

#[test]
fn a_connection_that_says_nothing_is_closed_after_the_first_frame_time() {
    let stage = Stage::with(impatient());
    let began = Instant::now();
    assert_eq!(reason_of(&stage, b""), "no frame came");
    assert!(began.elapsed() >= 4 * SHORT);
}

#[test]
fn a_trickle_does_not_outlive_the_first_frame_time() {
    let ceilings = Ceilings { first_frame: 4 * SHORT, ..Ceilings::default() };
    let stage = Stage::with(Props { ceilings, ..Props::default() });
    let mut client = stage.connect();
    let began = Instant::now();
    // Never silent for long, never a whole frame.
    let whole = request(1, "10000001", 1);
    for byte in whole.iter().take(whole.len() - 1) {
        if client.stream.write_all(&[*byte]).is_err() || began.elapsed() > PATIENCE {
            break;
        }
        std::thread::sleep(SHORT / 3);
    }
    assert_eq!(stage.reason(client.address()), "no frame came");
}

#[test]
fn a_connection_that_ends_inside_a_frame_leaves_a_line() {
    let stage = Stage::new();
    let mut client = stage.connect();
    client.stream.write_all(&request(1, "10000001", 1)[..30]).unwrap();
    client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    client.closed();
    assert_eq!(stage.reason(client.address()), "the connection ended inside a frame");
}

#[test]
fn an_idle_session_is_closed_after_its_profile_says_so_and_not_before() {
    let stage = Stage::with(Props { profile: pos_with("idle-seconds = 1"), ..Props::default() });
    let mut client = stage.connect();
    client.send(&[request(1, "SLOW0001", 1)]);
    stage.began();
    // Waiting for an issuer is not idling.
    std::thread::sleep(Duration::from_millis(1200));
    stage.echo.gate.add_permits(1);
    assert_eq!(client.answer().unwrap().2, 1);
    let answered = Instant::now();
    client.closed();
    assert!(answered.elapsed() >= Duration::from_millis(950));
    stage.serves_others();
}

/// Floods a stage with requests for long answers, and reads none, until the server closes.
#[track_caller]
fn reason_of_a_flood(stage: &Stage) -> String {
    let mut client = stage.connect();
    let many: Vec<_> = (0..100).map(|stan| request(1, "BIG00001", stan)).collect();
    let until = Instant::now() + PATIENCE;
    while client.stream.write_all(&many.concat()).is_ok() {
        assert!(Instant::now() < until, "it is still taken");
    }
    stage.reason(client.address())
}

#[test]
fn answers_that_nobody_reads_are_bounded() {
    let ceilings = Ceilings { in_flight_per_terminal: 1024, inter_byte: 10 * PATIENCE, ..Ceilings::default() };
    let stage = Stage::with(Props { ceilings, ..Props::default() });
    assert_eq!(reason_of_a_flood(&stage), "unread answers pile up");
    stage.serves_others();
}

#[test]
fn a_peer_that_stops_reading_its_answers_is_closed() {
    let write_buffer = 1 << 30;
    let ceilings =
        Ceilings { in_flight_per_terminal: 1024, write_buffer, inter_byte: 4 * SHORT, ..Ceilings::default() };
    let stage = Stage::with(Props { ceilings, ..Props::default() });
    let mut client = stage.connect();
    // 20 MB of answers: more than the kernel keeps for a connection.
    for stan in 0..5000 {
        client.send(&[request(1, "BIG00001", stan)]);
    }
    assert_eq!(stage.reason(client.address()), "the peer does not read its answers");
    stage.serves_others();
}

#[test]
fn answers_are_not_lost_because_more_came_than_was_read() {
    let stage = Stage::new();
    let mut seen = stage.tap.listen();
    // A narrow pipe: the answers are still on the server's side when it closes.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&stage.address().into()).unwrap();
    let mut client = Client::of(socket.into());
    client.send(&(0..15).map(|line| request(line, "SLOWBIG1", 1)).collect::<Vec<_>>());
    client.send(&[vec![0xff; 2]]);
    assert_eq!(stage.reason(client.address()), "length 65535 exceeds 4096");
    client.send(&[vec![0xff; 50_000]]);
    stage.echo.gate.add_permits(15);
    let mut answered = 0;
    while answered < 15 {
        answered += usize::from(seen.blocking_recv().unwrap().direction == Direction::Out);
    }
    assert!((0..15).all(|_| client.unit().is_some()));
    assert_eq!(client.unit(), None, "an orderly end, not a reset");
}
