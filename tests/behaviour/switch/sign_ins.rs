//! What strangers cannot do with sign-ins and sign-offs, and how keys follow each other.

use super::CARD_A;
use super::rig::{KEPT, Recipe, Rig, Till, connect, now};
use super::slip::Slip;
use bytes::Bytes;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConnection, StreamOwned};
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;
use tollgate::channel::builtin::profile;
use tollgate::iso8583::Mti;
use tollgate::iso8583::Role;
use tollgate::model::Kind;
use tollgate::model::ResponseCode;
use tollgate::server::tls;
use tollgate::server::tls::Identity;
use tollgate::sim::certificates;

const SALE: Kind = Kind::Sale;
const APPROVED: Option<ResponseCode> = Some(ResponseCode::Approved);
const REFUSED: Option<ResponseCode> = Some(ResponseCode::MacFailure);
const BAD: Option<ResponseCode> = Some(ResponseCode::PinFormat);
const LIMITED: Option<ResponseCode> = Some(ResponseCode::CountLimit);

/// A line to the door pos from another address of this machine.
fn line_from(rig: &Rig, address: [u8; 4]) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(IpAddr::from(address), 0).into()).unwrap();
    socket.connect(&rig.door("pos").into()).unwrap();
    let line = TcpStream::from(socket);
    line.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    line
}

/// A stranger who writes a terminal's numbers.
fn stranger(rig: &Rig, number: u32, address: [u8; 4]) -> Till {
    let mut till = rig.terminal(number);
    till.line = line_from(rig, address);
    till
}

/// A sign-in of this operator, and the code of its answer.
fn sign_in_as(till: &mut Till, operator: &str) -> Option<ResponseCode> {
    till.terminal.set_operator(operator);
    let sent = till.terminal.sign_in(now()).unwrap();
    till.exchange(&sent).code
}

#[test]
fn strangers_who_sign_in_do_not_shut_a_terminal_out() {
    let rig = Rig::start(5_000);
    for number in [10_000_001, 10_000_002] {
        let mut till = rig.terminal(number);
        // One of them has keys in use, the other one has none yet.
        if number == 10_000_001 {
            till.sign_in();
            assert_eq!(till.ask(SALE, 10_00, CARD_A).code, APPROVED);
        }
        assert_eq!(sign_in_as(&mut till, "05"), APPROVED);
        let mut other = stranger(&rig, number, [127, 0, 0, 2]);
        let answers: Vec<_> = (10..99).map(|operator| sign_in_as(&mut other, &operator.to_string())).collect();
        assert_eq!(answers.iter().filter(|code| **code == APPROVED).count(), 3);
        assert!(answers.iter().skip(3).all(|code| *code == LIMITED));
        let sold = till.ask(SALE, 11_00, CARD_A);
        assert_eq!((sold.code, sold.valid), (APPROVED, true));
        assert_eq!(sign_in_as(&mut till, "06"), APPROVED, "the stranger's bound is not the terminal's");
        assert_eq!(till.ask(SALE, 12_00, CARD_A).code, APPROVED);
    }
}

#[test]
fn unused_keys_survive_a_restart_beside_those_of_strangers() {
    let mut rig = Rig::kept(5_000);
    let mut till = rig.signed_in(10_000_001);
    let mut other = stranger(&rig, 10_000_001, [127, 0, 0, 2]);
    assert_eq!(["91", "92", "93"].map(|operator| sign_in_as(&mut other, operator)), [APPROVED; 3]);
    rig.stop();
    rig.start_again();
    rig.await_links();
    till.line = connect(rig.door("pos"));
    assert_eq!(till.ask(SALE, 10_00, CARD_A).code, APPROVED);
    assert_eq!(rig.facts(till.terminal.setup().terminal).unused.len(), 2, "what was handed out since waits on");
}

#[test]
fn a_sign_in_that_comes_again_gets_the_same_keys_until_they_are_used() {
    let rig = Rig::start(5_000);
    let mut till = rig.terminal(10_000_001);
    let mut keys = || {
        let sent = till.terminal.sign_in(now()).unwrap();
        let answer = till.exchange(&sent);
        assert_eq!(answer.code, APPROVED);
        answer.message.role(Role::KeyData).unwrap().to_vec()
    };
    // More often than there may be new ones.
    let first = keys();
    assert!((0..9).all(|_| keys() == first));
    assert_eq!(till.ask(SALE, 10_00, CARD_A).code, APPROVED);
    let mut keys = || {
        let sent = till.terminal.sign_in(now()).unwrap();
        till.exchange(&sent).message.role(Role::KeyData).unwrap().to_vec()
    };
    let second = keys();
    assert!(second != first && keys() == second);
}

#[test]
fn one_source_gets_new_keys_only_so_often() {
    let rig = Rig::of(&Recipe { tables: "[keys]\nsign_ins_per_source = 2\n", ..Recipe::default() });
    let from = |number, last| sign_in_as(&mut stranger(&rig, number, [127, 0, 0, last]), "07");
    assert_eq!([1, 2, 3, 4].map(|serial| from(10_000_000 + serial, 3)), [APPROVED, APPROVED, LIMITED, LIMITED]);
    assert_eq!(from(10_000_003, 4), APPROVED, "from elsewhere");
}

/// Sends a sign-off; the code of its answer.
pub(super) fn sign_off(till: &mut Till, signed: Option<bool>) -> Option<ResponseCode> {
    till.send(&sign_off_unit(till, signed));
    code_of(till.receive().unwrap())
}

/// 0820 with network code 002, with a MAC under the terminal's key or a wrong one.
fn sign_off_unit(till: &Till, signed: Option<bool>) -> Bytes {
    let profile = profile("pos").unwrap();
    let setup = till.terminal.setup().clone();
    let mut message = profile.dialect.build(Mti::parse(b"0820").unwrap());
    message.role(Role::Stan, b"900001").unwrap();
    message.role(Role::Terminal, setup.terminal.as_bytes()).unwrap();
    message.role(Role::Merchant, setup.merchant.as_bytes()).unwrap();
    message.role(Role::MessageTypeCode, b"00").unwrap();
    message.role(Role::NetworkCode, b"002").unwrap();
    let body = match signed {
        None => message.finish().unwrap(),
        Some(right) => {
            let unsigned = message.finish_unsigned().unwrap();
            let mut mac = till.terminal.pad().mac(&profile.mac.scheme, unsigned.mac_input()).unwrap();
            if !right {
                mac[0] = if mac[0] == b'0' { b'1' } else { b'0' };
            }
            unsigned.sign(&mac).unwrap()
        }
    };
    profile.enclose(&body, None).unwrap()
}

#[test]
fn a_sign_off_that_anybody_could_write_changes_nothing() {
    let rig = Rig::start(5_000);
    let mut till = rig.signed_in(10_000_001);
    assert_eq!(till.ask(SALE, 10_00, CARD_A).code, APPROVED);
    assert_eq!(sign_off(&mut till, None), APPROVED);
    assert_eq!(till.ask(SALE, 11_00, CARD_A).code, APPROVED);
    assert_eq!(sign_off(&mut till, Some(false)), REFUSED);
    assert_eq!(till.ask(SALE, 12_00, CARD_A).code, APPROVED);
    assert_eq!(sign_off(&mut till, Some(true)), APPROVED);
    assert_eq!(till.ask(SALE, 13_00, CARD_A).code, Some(ResponseCode::SignInRequired));
}

#[test]
fn messages_under_the_keys_before_are_served_for_a_while_and_answered_under_them() {
    let mut rig = Rig::kept(5_000);
    let mut old = rig.signed_in(10_000_001);
    assert_eq!(old.ask(SALE, 10_00, CARD_A).code, APPROVED);
    let mut new = rig.terminal(10_000_001);
    // Its numbers must not be those that the other one used.
    (0..9).for_each(|_| new.sign_in());
    assert_eq!(new.ask(Kind::Balance, 0, CARD_A).code, APPROVED);
    let late = old.ask(SALE, 11_00, CARD_A);
    assert_eq!((late.code, late.valid), (APPROVED, true), "PIN and MACs under the keys before");
    rig.stop();
    rig.start_again();
    rig.await_links();
    (old.line, new.line) = (connect(rig.door("pos")), connect(rig.door("pos")));
    let late = old.ask(SALE, 12_00, CARD_A);
    assert_eq!((late.code, late.valid), (APPROVED, true));
    assert_eq!(new.ask(Kind::Balance, 0, CARD_A).code, APPROVED, "that changes nothing");
}

#[test]
fn keys_before_end_with_their_overlap() {
    let tables = format!("{KEPT}[keys]\nkey_overlap_s = 1\n");
    let rig = Rig::of(&Recipe { tables: &tables, ..Recipe::default() });
    let mut old = rig.signed_in(10_000_001);
    assert_eq!(old.ask(SALE, 10_00, CARD_A).code, APPROVED);
    let mut new = rig.terminal(10_000_001);
    (0..9).for_each(|_| new.sign_in());
    assert_eq!(new.ask(Kind::Balance, 0, CARD_A).code, APPROVED);
    super::rig::await_that("the keys before end", || {
        let sent = old.prepare(Kind::Balance, 0, CARD_A);
        old.exchange(&sent).code == REFUSED
    });
}

/// A door with TLS beside the others.
const TLS_DOOR: &str = "[[door]]\nname = \"tls\"\nlisten = \"127.0.0.1:0\"\nprofile = \"pos\"\n\
    certificate = \"server.pem\"\nprivate_key = \"server.key\"\nclient_ca = \"ca.pem\"\n\
    client_certificates = \"optional\"\n";

/// Sends a unit over TLS, with the client's certificate or without; the answer's code.
fn over_tls(rig: &Rig, unit: &[u8], shows: bool) -> Option<ResponseCode> {
    let file = |name: &str| std::fs::read(rig.file(name)).unwrap();
    let (certificates, key) = (file("client.pem"), file("client.key"));
    let identity = shows.then_some(Identity { certificates: &certificates, key: &key });
    let config = tls::client(&file("ca.pem"), identity).unwrap();
    let connection = ClientConnection::new(config, ServerName::try_from("localhost").unwrap()).unwrap();
    let mut stream = StreamOwned::new(connection, connect(rig.door("tls")));
    stream.write_all(unit).unwrap();
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer).unwrap();
    code_of(answer.into())
}

fn code_of(unit: Bytes) -> Option<ResponseCode> {
    let profile = profile("pos").unwrap();
    let answer = profile.decode(&profile.split(unit).unwrap()).ok().unwrap();
    ResponseCode::parse(answer.role(Role::ResponseCode).unwrap().as_str().unwrap())
}

#[test]
fn a_terminal_with_a_certificate_signs_in_and_off_with_it_alone() {
    let papers = tempfile::tempdir().unwrap();
    certificates::write(papers.path()).unwrap();
    let paper = |name: &str| (name.to_owned(), std::fs::read_to_string(papers.path().join(name)).unwrap());
    let mut lists: Vec<_> = ["server.pem", "server.key", "ca.pem", "client.pem", "client.key"].map(paper).into();
    let leaf = CertificateDer::from_pem_slice(lists[3].1.as_bytes()).unwrap();
    let hash: String = Sha256::digest(leaf).iter().map(|byte| format!("{byte:02x}")).collect();
    let terminals = "terminal,merchant,certificate\n10000009,898110054110009,\n10000001,898110054110001,";
    lists.push(("terminals.csv".to_owned(), format!("{terminals}{hash}\n")));
    let lists: Vec<_> = lists.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let rig = Rig::of(&Recipe { lists: &lists, tables: TLS_DOOR, ..Recipe::default() });
    let forbidden = Some(ResponseCode::TerminalForbidden);
    let mut till = rig.terminal(10_000_001);
    let sign_in = till.terminal.sign_in(now()).unwrap().unit;
    assert_eq!(sign_in_as(&mut till, "01"), forbidden, "in clear");
    assert_eq!(over_tls(&rig, &sign_in, false), forbidden);
    assert_eq!(over_tls(&rig, &sign_in, true), APPROVED);
    let terminal = till.terminal.setup().terminal;
    assert!(rig.facts(terminal).signed_in);
    let off = sign_off_unit(&till, None);
    assert_eq!((over_tls(&rig, &off, false), rig.facts(terminal).signed_in), (forbidden, true));
    assert_eq!((over_tls(&rig, &off, true), rig.facts(terminal).signed_in), (APPROVED, false));
}

#[test]
fn pin_blocks_that_are_none_are_counted_and_then_no_pin_is_served_under_these_keys() {
    let rig = Rig::of(&Recipe { tables: "[keys]\npin_errors = 3\n", ..Recipe::default() });
    let mut till = rig.signed_in(10_000_001);
    let mut garbled = |number| {
        let slip = Slip::new(SALE, number, 10_00).says(Role::Pan, CARD_A.as_bytes());
        let slip = slip.says(Role::SecurityControl, b"2600000000000000");
        slip.says(Role::PinBlock, &[0x5A; 8]).send(&mut till).code
    };
    assert_eq!([901, 902, 903].map(&mut garbled), [BAD; 3]);
    let rules = |rig: &Rig| {
        let refused = rig.records().into_iter().filter_map(|record| record.intent.refusal.clone());
        refused.filter(|refusal| refusal.rule == "pin-errors").count()
    };
    assert_eq!(rules(&rig), 0);
    let right = till.prepare(SALE, 10_00, CARD_A);
    assert_eq!(till.exchange(&right).code, BAD, "a right one tells nothing either");
    assert_eq!((rules(&rig), Rig::booked(&rig.bank_a)), (1, 0));
    assert_eq!(till.ask_without_pin(SALE, 11_00, CARD_A).code, APPROVED);
    till.sign_in();
    assert_eq!(till.ask(SALE, 12_00, CARD_A).code, APPROVED, "new keys, new count");
}

#[test]
fn a_single_length_sign_in_is_40_where_the_door_has_none_and_no_fault_of_the_hsm() {
    let code = |pos: &str| {
        let rig = Rig::of(&Recipe { pos, ..Recipe::default() });
        let before = rig.hsm();
        let mut till = rig.terminal(10_000_001);
        let sent = till.terminal.sign_in(now()).unwrap();
        let place = sent.unit.windows(2).position(|pair| pair == [0x00, 0x30]).unwrap();
        let mut unit = sent.unit.to_vec();
        unit[place + 1] = 0x10;
        till.send(&unit);
        let (code, after) = (code_of(till.receive().unwrap()), rig.hsm());
        (code, before.faults() == after.faults())
    };
    assert_eq!(code(""), (Some(ResponseCode::FunctionUnsupported), true));
    assert_eq!(code("legacy_single_des = true\n"), (APPROVED, true));
}
