//! Bytes that no terminal sends: the answer or the close, and nobody else disturbed.

use super::CARD_A;
use super::rig::{Rig, Till, connect, receive};
use std::io::{Read, Write};
use std::time::Duration;
use tollgate::channel::builtin::profile;
use tollgate::iso8583::Role;
use tollgate::model::Kind;
use tollgate::model::ResponseCode;

/// Sends `bytes` on a line of their own; what comes back, or `None` for a close.
fn answer_to(rig: &Rig, bytes: &[u8]) -> Option<String> {
    let mut line = connect(rig.door("pos"));
    line.write_all(bytes).unwrap();
    let unit = receive(&mut line)?;
    let profile = profile("pos").unwrap();
    let message = profile.decode(&profile.split(unit).unwrap()).ok()?;
    message.role(Role::ResponseCode).map(|code| code.as_str().unwrap().to_owned())
}

fn sells(till: &mut Till) {
    assert_eq!(till.ask(Kind::Sale, 1_00, CARD_A).code, Some(ResponseCode::Approved));
}

#[test]
fn an_unknown_terminal_is_97() {
    let rig = Rig::start(5_000);
    let sign_in = rig.terminal(10_000_001).terminal.sign_in(super::rig::now()).unwrap().unit;
    let at = sign_in.windows(8).position(|window| window == b"10000001").unwrap();
    let mut stranger = sign_in.to_vec();
    stranger[at..at + 8].copy_from_slice(b"99999999");
    assert_eq!(answer_to(&rig, &stranger).as_deref(), Some("97"));
}

#[test]
fn not_signed_in_is_77() {
    let rig = Rig::start(5_000);
    let sale = rig.signed_in(10_000_001).prepare(Kind::Sale, 1_00, CARD_A).unit;
    let at = sale.windows(8).position(|window| window == b"10000001").unwrap();
    let mut other = sale.to_vec();
    other[at..at + 8].copy_from_slice(b"10000002");
    assert_eq!(answer_to(&rig, &other).as_deref(), Some("77"));
}

#[test]
fn an_unreadable_element_is_30_and_an_unreadable_head_a_close() {
    let rig = Rig::start(5_000);
    let sale = rig.signed_in(10_000_001).prepare(Kind::Sale, 1_00, CARD_A).unit;
    // Cut inside the last element, the length put right: MTI and STAN can still be read.
    let mut cut = sale[..sale.len() - 3].to_vec();
    let length = u16::try_from(cut.len() - 2).unwrap();
    cut[..2].copy_from_slice(&length.to_be_bytes());
    assert_eq!(answer_to(&rig, &cut).as_deref(), Some("30"));
    let mut headless = sale.to_vec();
    headless[13..15].copy_from_slice(&[0xFF, 0xFF]);
    assert_eq!(answer_to(&rig, &headless), None);
    assert_eq!(answer_to(&rig, b"\x00\x10GET / HTTP/1.1\r\n"), None);
}

#[test]
fn a_length_above_the_cap_is_a_close_and_zero_is_a_keep_alive() {
    let rig = Rig::start(5_000);
    assert_eq!(answer_to(&rig, &[0xFF, 0xFF, 0x60]), None);
    let mut till = rig.signed_in(10_000_001);
    till.send(&[0, 0, 0, 0]);
    sells(&mut till);
}

#[test]
fn answers_nobody_asked_for_are_not_answered() {
    let rig = Rig::start(5_000);
    let mut till = rig.signed_in(10_000_001);
    let mut response = till.prepare(Kind::Sale, 1_00, CARD_A).unit.to_vec();
    response[13..15].copy_from_slice(&[0x02, 0x10]);
    till.send(&response);
    // The next thing on the line is the answer to the next request.
    let mut other = rig.signed_in(10_000_002);
    sells(&mut other);
    till.line.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut byte = [0];
    assert!(till.line.read(&mut byte).is_err(), "silence, and the line is still there");
}

#[test]
fn bytes_one_at_a_time_make_a_sale_and_half_a_frame_disturbs_nobody() {
    let rig = Rig::start(5_000);
    let mut half = rig.terminal(10_000_003);
    half.send(&[0x00, 0x5B, 0x60]);
    let mut till = rig.signed_in(10_000_001);
    let sale = till.prepare(Kind::Sale, 1_00, CARD_A);
    for byte in &sale.unit {
        till.send(&[*byte]);
    }
    let unit = till.receive().unwrap();
    assert_eq!(till.judge(&sale, unit).code, Some(ResponseCode::Approved));
    assert!(half.receive().is_none(), "the rest never came: closed");
}
