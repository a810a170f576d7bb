//! Card secrets and keys never reach a disk, a log or a screen, however noisy the day and however talkative the log.

use super::kill::verified;
#[cfg(target_os = "linux")]
use super::memory::Memory;
use super::process::Station;
use super::sweep::Sweeper;
use super::traffic::Traffic;
use crate::switch::CARD_A;
use crate::switch::CARD_B;
use crate::switch::rig::Till;
use crate::switch::rig::await_that;
use crate::switch::rig::connect;
use crate::switch::rig::now;
use bytes::Bytes;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::thread::JoinHandle;
use tollgate::channel::builtin::profile;
use tollgate::hsm::KeyAlgorithm;
use tollgate::hsm::calculator::CipherKey;
use tollgate::hsm::calculator::keys::unwrap_ecb;
use tollgate::iso8583::Role;
use tollgate::iso8583::tlv;
use tollgate::model::Kind;
use tollgate::registry::Breaches;
use tollgate::registry::Source;
use tollgate::server::config::key_rows;
use tollgate::sim::cards;
use tollgate::sim::issuer::DEMO_KEYS;
use tollgate::sim::terminal::Entry;
use tollgate::sim::terminal::Sent;

/// A PIN long enough to be looked for; no card has it.
const LONG_PIN: &str = "907315284661";
/// Track 1 of a card, for EMV tag 56.
const TRACK_1: &[u8] = b"B6225000000000253^CANARY/TOLLGATE^30122010000000";
/// Discretionary data that only chips hold: tags 9F1F and 9F20.
const DISCRETIONARY: [&[u8]; 2] = [b"canary-of-track-1", b"\x81\x72\x63\x54\x45\x36\x27\x18"];

/// All that must not be found, from the test's own lists; what a day adds comes later.
fn sweeper() -> Sweeper {
    let mut sweeper = pins_and_keys();
    for card in cards::demo() {
        let masked = &card.pan.clear()[card.pan.clear().len() - 4..];
        sweeper.text(&format!("card ..{masked}"), card.pan.clear());
        sweeper.text(&format!("track 2 of ..{masked}"), &card.track2());
        sweeper.text(&format!("track 2 of the chip of ..{masked}"), &card.track2_equivalent());
    }
    sweeper.bytes("track 1", TRACK_1);
    for data in DISCRETIONARY {
        sweeper.bytes("a chip's discretionary data", data);
    }
    sweeper
}

/// What no memory may hold either that is not locked.
fn pins_and_keys() -> Sweeper {
    let mut sweeper = Sweeper::default();
    for card in cards::demo() {
        let masked = &card.pan.clear()[card.pan.clear().len() - 4..];
        sweeper.bytes(&format!("clear PIN block of ..{masked}"), &clear_block(card.pin(), card.pan.clear()));
    }
    sweeper.text("the long PIN", LONG_PIN);
    sweeper.bytes("the long PIN's clear block", &clear_block(LONG_PIN, CARD_A));
    for row in key_rows(Source { file: "keys.csv", text: DEMO_KEYS }, &mut Breaches::default()) {
        sweeper.bytes(&format!("key {}", row.name.as_str()), &row.key);
        for half in row.key.chunks(8) {
            sweeper.bytes(&format!("a part of key {}", row.name.as_str()), half);
        }
    }
    sweeper
}

/// ISO 9564-1 format 0.
fn clear_block(pin: &str, pan: &str) -> [u8; 8] {
    let nibbles = |text: &str| u64::from_str_radix(text, 16).unwrap();
    let pin = nibbles(&format!("{:F<16}", format!("0{:X}{pin}", pin.len())));
    let account = nibbles(&format!("0000{}", &pan[pan.len() - 13..pan.len() - 1]));
    (pin ^ account).to_be_bytes()
}

/// Signs in, and adds the working keys that came, in clear and as they came, to what is looked for.
fn sign_in(till: &mut Till, sweeper: &mut Sweeper) {
    let sent = till.terminal.sign_in(now()).unwrap();
    till.send(&sent.unit);
    let unit = till.receive().unwrap();
    let pos = profile("pos").unwrap();
    let Ok(message) = pos.decode(&pos.split(unit.clone()).unwrap()) else { panic!("no answer to a sign-in") };
    let keys = message.role(Role::KeyData).unwrap().to_vec();
    let name = format!("terminal/{}/tmk", till.terminal.setup().terminal);
    let rows = key_rows(Source { file: "keys.csv", text: DEMO_KEYS }, &mut Breaches::default());
    let master = rows.iter().find(|row| row.name.as_str() == name).unwrap();
    let algorithm = if master.key.len() == 24 { KeyAlgorithm::Tdes3 } else { KeyAlgorithm::Tdes2 };
    let master = CipherKey::new(algorithm, &master.key).unwrap();
    for (slot, what) in keys.chunks(keys.len() / 2).zip(["TPK", "TAK"]) {
        let cipher = slot.split_last_chunk::<4>().unwrap().0;
        let half = cipher.get(8..).is_some_and(|rest| rest.iter().all(|byte| *byte == 0));
        let cipher = if half { &cipher[..8] } else { cipher };
        sweeper.bytes(&format!("{what} of {name}"), &unwrap_ecb(&master, cipher).unwrap());
    }
    till.judge(&sent, unit);
}

/// Sends a request and drops its answer; the PIN block it carries is looked for from now on.
fn ask(till: &mut Till, sent: &Sent, sweeper: &mut Sweeper) {
    if let Some(block) = sent.message.role(Role::PinBlock) {
        sweeper.bytes("a PIN block as it came", &block);
    }
    if let Some(track) = sent.message.role(Role::Track2).filter(|_| sent.message.enciphered(35)) {
        sweeper.bytes("a track as it came", &track);
    }
    till.send(&sent.unit);
    if let Some(unit) = till.receive() {
        till.judge(sent, unit);
    }
    let undo = till.terminal.reversal(now()).unwrap();
    if let Some(undo) = undo {
        till.exchange(&undo);
    }
}

/// Tags of a chip's data that no terminal should send: tracks, discretionary data, the card's number.
fn forbidden_tags() -> [(&'static [u8], Vec<u8>); 6] {
    let card = cards::demo().into_iter().find(|card| card.pan.clear() == CARD_A).unwrap();
    let (track_2, number) = (unhex(&(card.track2().replace('=', "D") + "F")), unhex(CARD_A));
    [
        (&[0x56], TRACK_1.to_vec()),
        (&[0x57], track_2.clone()),
        (&[0x5A], number),
        (&[0x9F, 0x6B], track_2),
        (&[0x9F, 0x1F], DISCRETIONARY[0].to_vec()),
        (&[0x9F, 0x20], DISCRETIONARY[1].to_vec()),
    ]
}

/// The same sale with one more tag in its chip data, signed again.
fn with_tag(till: &Till, sent: &Sent, tag: &[u8], value: &[u8]) -> Bytes {
    let setup = till.terminal.setup();
    let mut chip = sent.message.role(Role::Icc).unwrap().to_vec();
    assert!(tlv::write(tag, value, &mut chip));
    let mut message = setup.profile.dialect.build(sent.mti);
    for de in sent.message.elements().filter(|de| ![64, 128].contains(de)) {
        message.copy(de, &sent.message).unwrap();
    }
    message.role(Role::Icc, &chip).unwrap();
    let unsigned = message.finish_unsigned().unwrap();
    let mac = till.terminal.pad().mac(&setup.profile.mac.scheme, unsigned.mac_input()).unwrap();
    setup.profile.enclose(&unsigned.sign(&mac).unwrap(), None).unwrap()
}

/// Frames that break off, contradict themselves, or are signed wrongly: made of a good one with a card in it.
fn hostile(unit: &[u8]) -> Vec<Vec<u8>> {
    let framed = |body: &[u8]| [&u16::try_from(body.len()).unwrap().to_be_bytes(), body].concat();
    let body = &unit[2..];
    let mut frames: Vec<Vec<u8>> = (1..12).map(|part| framed(&body[..body.len() * part / 12])).collect();
    for at in [5, 12, 13, 14, 16, 20, 24, 30, 40, body.len() - 1] {
        let mut changed = body.to_vec();
        changed[at] ^= 0xFF;
        frames.push(framed(&changed));
    }
    frames.push(framed(&body.repeat(20)));
    frames.push(body.to_vec());
    frames
}

/// Follows the trace door into a file, until the station ends.
fn follow(door: SocketAddr, file: &Path) -> JoinHandle<()> {
    let mut line = connect(door);
    line.set_read_timeout(None).unwrap();
    line.write_all(b"*\n").unwrap();
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 65_536];
        while let Ok(read @ 1..) = line.read(&mut buffer) {
            file.write_all(&buffer[..read]).unwrap();
        }
    })
}

/// One terminal's day: every way to read a card, every trouble, reversals, and frames that are no messages.
fn day(station: &Station, number: u32, sweeper: &mut Sweeper) {
    let mut till = Till::at(station.door(), number, "pos");
    sign_in(&mut till, sweeper);
    for (card, pin) in [(CARD_A, LONG_PIN), (CARD_B, LONG_PIN)] {
        let wrong = till.prepare_with(Kind::Sale, 10_00, card, pin);
        ask(&mut till, &wrong, sweeper);
    }
    for amount in [10_00, 20_51, 66_603, 66_605, 66_606, 66_607, 66_608, 66_609, 66_610, 66_611] {
        let sale = till.prepare(Kind::Sale, amount, if amount % 2 == 0 { CARD_A } else { CARD_B });
        ask(&mut till, &sale, sweeper);
    }
    for entry in [Entry::Swipe, Entry::Tap, Entry::Chip] {
        let hold = till.prepare_without_pin(Kind::Authorization, 30_00, CARD_A, entry);
        ask(&mut till, &hold, sweeper);
    }
    for (tag, value) in forbidden_tags() {
        for amount in [40_00, 66_603] {
            let sale = till.prepare(Kind::Sale, amount, CARD_A);
            till.send(&with_tag(&till, &sale, tag, &value));
            let unit = till.receive().expect("an answer to a sale with a track in its chip data");
            till.judge(&sale, unit);
            if let Some(undo) = till.terminal.reversal(now()).unwrap() {
                till.exchange(&undo);
            }
        }
    }
    let mut approved = till.prepare(Kind::Sale, 50_00, CARD_B);
    ask(&mut till, &approved, sweeper);
    if till.terminal.undo_last() {
        let undo = till.terminal.reversal(now()).unwrap().unwrap();
        till.exchange(&undo);
    }
    approved = till.prepare_without_pin(Kind::Sale, 60_00, CARD_A, Entry::Swipe);
    for frame in hostile(&approved.unit) {
        let mut line = TcpStream::connect(station.door()).unwrap();
        // Most of these end the line at once, some wait for more.
        let _ = line.write_all(&frame);
        let _ = line.shutdown(std::net::Shutdown::Write);
        let _ = line.read_to_end(&mut Vec::new());
    }
}

#[test]
fn card_secrets_and_keys_are_nowhere_on_disk_in_logs_or_on_screens() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut station = Station::kept();
    station.edit("workers = 2\n", &format!("workers = 2\ntrace = {}\n", port.port()));
    station.says("trace");
    let mut sweeper = sweeper();
    let said = station.file("said");
    std::fs::create_dir(&said).unwrap();
    let mut followers = Vec::new();
    for round in 0..2 {
        station.start();
        followers.push(follow(port, &said.join("trace-door")));
        station.await_links();
        let traffic = Traffic::start(station.door(), 60.0, round);
        day(&station, 10_000_001 + u32::try_from(round).unwrap(), &mut sweeper);
        await_that("terminals sell", || traffic.so_far().1 > 30);
        station.kill();
        station.start();
        followers.push(follow(port, &said.join("trace-door")));
        await_that("terminals sell again", || traffic.so_far().1 > 60);
        traffic.finish();
        station.await_finished();
        assert!(station.stop().success());
    }
    followers.into_iter().for_each(|follower| follower.join().unwrap());
    verified(&station);
    outputs(&station, &said);
    sweeper.bytes("the master key", &master_key(&station));
    let keys = |path: &Path| path.ends_with("keys.csv") || path.ends_with("master.key");
    let root = station.file("");
    let (found, read) = sweeper.sweep(&root, &keys);
    assert!(found.is_empty(), "{} finds\n{}", found.len(), found.join("\n"));
    println!("{read} bytes looked through for {} forms of secrets", sweeper.len());
    assert!(read > 5_000_000, "there was something to look through: {read} bytes");
    // The same sweeper finds what is planted, in every form, and also in the middle of a ledger's file.
    let planted = station.file("planted");
    std::fs::create_dir(&planted).unwrap();
    assert_eq!(sweeper.missed(&planted), Vec::<String>::new());
    std::fs::remove_dir_all(&planted).unwrap();
    let segment = std::fs::read_dir(station.file("ledger")).unwrap().map(|entry| entry.unwrap().path());
    let segment = segment.filter(|path| path.to_string_lossy().ends_with(".tgj")).min().unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[5_001..5_009].copy_from_slice(&[0x62, 0x25, 0, 0, 0, 0, 0x02, 0x53]);
    std::fs::write(&segment, bytes).unwrap();
    assert_eq!(sweeper.sweep(&root, &keys).0.len(), 1);
}

#[test]
#[cfg(target_os = "linux")]
fn a_stations_memory_holds_no_pin_and_no_key_when_it_idles() {
    const PLANTED: &str = "7C0FA2D15E9B3384E6617A0BD84C2F95";
    let mut station = Station::kept();
    let mut sweeper = pins_and_keys();
    let mut command = station.command();
    command.env("TOLLGATE_TRACEABLE", "1").env("PLANTED", PLANTED);
    station.start_as(command);
    station.await_links();
    let traffic = Traffic::start(station.door(), 60.0, 0);
    day(&station, 10_000_001, &mut sweeper);
    await_that("terminals sell", || traffic.so_far().1 > 60);
    traffic.finish();
    station.await_finished();
    sweeper.bytes("the master key", &master_key(&station));
    sweeper.bytes("what is planted", &unhex(PLANTED));

    let memory = Memory::of(station.id());
    let (mut found, mut read) = (Vec::new(), 0);
    memory.each(false, |from, bytes| {
        read += bytes.len();
        // What is enciphered says nothing without its key.
        let finds = sweeper.find(bytes).into_iter().filter(|find| !find.contains("as it came"));
        found.extend(finds.map(|find| format!("{from:x} {find}")));
    });
    println!("{read} bytes looked through for {} forms of secrets", sweeper.len());
    let (planted, found): (Vec<_>, Vec<_>) = found.into_iter().partition(|find| find.contains("planted"));
    assert!(read > 5_000_000 && !planted.is_empty(), "what is there is found");
    assert!(found.is_empty(), "{} finds\n{}", found.len(), found.join("\n"));
}

fn master_key(station: &Station) -> Vec<u8> {
    let file = std::fs::read_to_string(station.file("master.key")).unwrap();
    unhex(file.lines().find(|line| !line.starts_with('#')).unwrap().trim())
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Keeps in `said` what every command prints about the ledger.
fn outputs(station: &Station, said: &Path) {
    let rows = station.rows();
    let rrn = |at: usize| rows[at % rows.len()]["rrn"].as_str().unwrap().to_owned();
    let some: Vec<String> = (0..rows.len()).step_by(rows.len().div_ceil(8)).map(rrn).collect();
    let backup = said.join("backup");
    let mut commands: Vec<(&str, Vec<&str>)> = vec![
        ("verify", vec![]),
        ("stat", vec![]),
        ("stat", vec!["--json"]),
        ("find", vec!["--terminal", "10000001"]),
        ("find", vec!["--card-ends", "0253", "--json"]),
        ("export", vec![]),
        ("export", vec!["--format", "csv"]),
        ("rebuild-archive", vec![]),
        ("find", vec!["--terminal", "10000001", "--json"]),
        ("export", vec![]),
        ("backup", vec![backup.to_str().unwrap()]),
    ];
    for rrn in &some {
        commands.push(("show", vec![rrn]));
        commands.push(("show", vec![rrn, "--json", "--scan"]));
    }
    for (number, (verb, more)) in commands.iter().enumerate() {
        let output = station.ledger(verb, more);
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "ledger {verb} {more:?}: {why}");
        std::fs::write(said.join(format!("{number}-{verb}")), [output.stdout, output.stderr].concat()).unwrap();
    }
}
