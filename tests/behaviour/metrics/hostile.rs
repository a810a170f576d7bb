//! Whoever reaches the port of figures can do no harm there.

use super::{ask, figures, get, measured};
use crate::switch::CARD_A;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tollgate::model::Kind;
use tollgate::model::ResponseCode;

#[test]
fn what_is_no_question_of_ours_is_refused() {
    let (_rig, address) = measured("");
    for (question, status) in [
        (&b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"[..], 404),
        (b"GET /metrics/../etc/passwd HTTP/1.1\r\nHost: h\r\n\r\n", 404),
        (b"POST /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999999\r\n\r\n", 405),
        (b"DELETE /readyz HTTP/1.1\r\nHost: h\r\n\r\n", 405),
        (b"GET /metrics?x=1 HTTP/1.1\r\nHost: h\r\n\r\n", 200),
        (b"GET /livez HTTP/1.0\r\n\r\n", 200),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello \r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    ] {
        assert_eq!(ask(address, question).0, status, "{}", String::from_utf8_lossy(question));
    }
    let long = format!("GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(1 << 20));
    assert!(matches!(ask(address, long.as_bytes()).0, 431 | 0));
    let many = format!("GET /metrics HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(40));
    assert_eq!(ask(address, many.as_bytes()).0, 431);
    assert_eq!(get(address, "/livez").0, 200);
}

#[test]
fn slow_and_silent_askers_are_sent_away_and_terminals_do_not_notice() {
    let (rig, address) = measured("");
    let began = Instant::now();
    let mut slow: Vec<TcpStream> = (0..16).map(|_| TcpStream::connect(address).unwrap()).collect();
    for stream in &mut slow {
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(b"GET /metr").unwrap();
    }
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(get(address, "/livez").0, 0, "the seventeenth is closed unheard");
    let mut till = rig.signed_in(10_000_001);
    assert_eq!(till.ask(Kind::Sale, 12_00, CARD_A).code, Some(ResponseCode::Approved));
    for stream in &mut slow {
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        assert!(!said.starts_with(b"HTTP/1.1 200"));
    }
    assert!(began.elapsed() >= Duration::from_secs(4) && began.elapsed() < Duration::from_secs(30));
    crate::switch::rig::await_that("there is room again", || get(address, "/livez").0 == 200);
    assert!(figures(address).sum("tollgate_transactions_total", &["kind=\"sale\"", "rc=\"00\""]) >= 1.0);
}
