//! The terminal as a DUKPT device: its keys are those of the standard's annex, its serial numbers are never used twice.
//!
//! Oracle: ANSI X9.24-1:2009, annex A.4 (base key 0123456789ABCDEFFEDCBA9876543210, device FFFF9876543210E00000).

use crate::sample_terminal::{Counting, card, noon, setup, unhex};
use crate::switch::rig::{await_that, receive};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tollgate::channel::Profile;
use tollgate::channel::builtin;
use tollgate::channel::builtin::profile;
use tollgate::channel::profile_file;
use tollgate::channel::profile_file::Shelf;
use tollgate::hsm::Direction;
use tollgate::hsm::calculator::ClearPin;
use tollgate::hsm::calculator::dukpt;
use tollgate::hsm::calculator::dukpt::Purpose;
use tollgate::hsm::calculator::mac_as;
use tollgate::iso8583;
use tollgate::iso8583::Role;
use tollgate::model::Amount;
use tollgate::model::DeviceId;
use tollgate::model::Kind;
use tollgate::model::Ksn;
use tollgate::model::MacAlgorithm;
use tollgate::model::MacOutput;
use tollgate::model::MacScheme;
use tollgate::model::Padding;
use tollgate::model::Pan;
use tollgate::model::PinFormat;
use tollgate::sim::terminal::Entry;
use tollgate::sim::terminal::Memory;
use tollgate::sim::terminal::PadFault;
use tollgate::sim::terminal::PinPad;
use tollgate::sim::terminal::Purchase;
use tollgate::sim::terminal::Sent;
use tollgate::sim::terminal::Setup;
use tollgate::sim::terminal::Terminal;
use tollgate::sim::terminal::TerminalFault;
use tollgate::sim::terminal::drive::Attendant;
use tollgate::sim::terminal::drive::Driver;
use tollgate::sim::terminal::drive::Event;
use tollgate::sim::terminal::drive::Target;

const DEVICE: &str = "FFFF9876543210E00000";
/// Its initial key, annex A.4.
const INITIAL: &str = "6AC292FAA1315B4D858AB3A3D7D5933A";

fn ksn(digits: &str) -> Ksn {
    Ksn::read(digits.as_bytes()).unwrap()
}

fn pad() -> PinPad {
    let device = DeviceId::parse(DEVICE).unwrap();
    PinPad::with_initial_key(&unhex(INITIAL), device, Arc::new(Counting)).unwrap()
}

fn terminal(serial: Option<&str>) -> Terminal {
    let memory = Memory { serial: serial.map(ksn), ..Memory::default() };
    Terminal::new(setup("dukpt"), pad(), memory).unwrap()
}

fn sell(terminal: &mut Terminal) -> Result<Sent, TerminalFault> {
    let pin = ClearPin::parse(b"123456").unwrap();
    let amount = Amount::new(1_00).unwrap();
    let purchase = Purchase { kind: Kind::Sale, amount, card: &card(), entry: Entry::Swipe, pin: Some(&pin) };
    terminal.purchase(&purchase, noon())
}

fn serial(sent: &Sent) -> Ksn {
    Ksn::read(&sent.message.role(Role::Ksn).unwrap()).unwrap()
}

#[test]
fn pin_blocks_and_macs_are_those_of_the_annex() {
    let (pad, pin, pan) = (pad(), ClearPin::parse(b"1234").unwrap(), Pan::parse(b"4012345678909").unwrap());
    let scheme =
        MacScheme { algorithm: MacAlgorithm::X919, padding: Padding::Zeros, output: MacOutput::Binary, length: 4 };
    for (number, block, request, response) in [
        ("FFFF9876543210E00001", "1B9C1845EB993A7A", "9CCC7817", "20364223"),
        ("FFFF9876543210E00002", "10A01C8D02C69107", "F608A9BC", "D1FCA6BE"),
        ("FFFF9876543210E00003", "18DC07B94797B466", "20B59A4F", "BAD4CC9C"),
        ("FFFF9876543210EFF800", "33365F5CC6F23C35", "23E3CB62", "5776C376"),
    ] {
        let serial = ksn(number);
        let made = pad.pin_block_of(Some(&serial), (PinFormat::Iso0, &pin), &pan).unwrap();
        assert_eq!(made.as_bytes(), unhex(block), "{number}");
        for (direction, mac) in [(Direction::Request, request), (Direction::Response, response)] {
            let made = pad.mac_of(Some((&serial, direction)), &scheme, b"4012345678909D987").unwrap();
            assert_eq!(made.as_slice(), unhex(mac), "{number}");
        }
    }
}

#[test]
fn serial_numbers_skip_what_the_standard_skips_and_come_to_an_end() {
    for (from, to) in [
        ("FFFF9876543210E00001", Some("FFFF9876543210E00002")),
        ("FFFF9876543210E003FF", Some("FFFF9876543210E00400")),
        ("FFFF9876543210E007FE", Some("FFFF9876543210E00800")), // eleven one bits between
        ("FFFF9876543210EFF800", Some("FFFF9876543210EFF801")), // annex A.4.3
        ("FFFF9876543210EFF801", Some("FFFF9876543210EFF802")),
        ("FFFF9876543210FFF800", None),
        ("1234567890123456FFFF0000", None),
        ("123456789012345600000001", Some("123456789012345600000002")),
        ("12345678901234560001FFFE", Some("123456789012345600020000")),
    ] {
        assert_eq!(ksn(from).next(), to.map(ksn), "after {from}");
    }
    let Err(worn) = sell(&mut terminal(Some("FFFF9876543210FFF800"))) else { panic!("a number that there is not") };
    assert_eq!(worn, TerminalFault::Pad(PadFault::Worn));
}

#[test]
fn each_message_has_a_serial_number_of_its_own() {
    let mut terminal = terminal(None);
    let sale = sell(&mut terminal).unwrap();
    let reversal = terminal.reversal(noon()).unwrap().unwrap();
    let again = terminal.reversal(noon()).unwrap().unwrap();
    assert_eq!([&sale, &reversal, &again].map(|sent| serial(sent).counter()), [Some(1), Some(2), Some(3)]);
    let echo = terminal.echo(noon()).unwrap();
    assert!(echo.message.role(Role::Ksn).is_none(), "what has no MAC uses none up");
    assert_eq!(terminal.memory().serial, Some(serial(&again)));
}

#[test]
fn the_state_file_goes_on_where_the_device_was() {
    let mut before = terminal(None);
    for _ in 0..3 {
        let sent = sell(&mut before).unwrap();
        before.not_sent(&sent);
    }
    let text = before.to_json();
    let memory = Memory::from_json(&text, before.setup().owner(), &pad()).unwrap();
    let mut after = Terminal::new(setup("dukpt"), pad(), memory).unwrap();
    assert_eq!(serial(&sell(&mut after).unwrap()).counter(), Some(4));
    let other = DeviceId::parse("FFFF9876543211000000").unwrap();
    let other = PinPad::with_initial_key(&unhex(INITIAL), other, Arc::new(Counting)).unwrap();
    let mut swapped =
        Terminal::new(setup("dukpt"), other, Memory { serial: after.memory().serial, ..Memory::default() });
    let first = serial(&sell(swapped.as_mut().ok().unwrap()).unwrap());
    assert_eq!(first, ksn("FFFF9876543211000001"), "another device begins anew");
}

/// Base key of the supplement's test vectors.
const AES_BASE: &str = "FEDCBA9876543210F1F1F1F1F1F1F1F1";

/// The profile of AES devices in a dialect of one's own: DE 52 has room for format 4, DE 57 is bytes.
fn aes_profile() -> Profile {
    let text = r#"
name = "mine"
title = "AES DUKPT"
extends = "iso87-binary"
source = "a test's"
oracle = "none"

[element]
52 = { name = "Personal identification number data", kind = "b", length = 16, sensitivity = "pin" }
57 = { name = "Key serial number", kind = "b", prefix = "LL", max = 12, sensitivity = "plain" }
"#;
    let parent = |name: &str| iso8583::builtin::text(name).map(str::to_owned);
    let mine = iso8583::spec_file::load("mine", text, &parent).map(Arc::new);
    let mine = mine.unwrap_or_else(|breaches| panic!("{}", breaches[0]));
    let shelf = Shelf {
        dialect: &|name| if name == "mine" { Some(Arc::clone(&mine)) } else { iso8583::builtin::dialect(name) },
        profile: &|name| builtin::text(name).map(str::to_owned),
    };
    let text = "name = \"aes\"\nextends = \"host\"\ndialect = \"mine\"\n\
        [keys]\ndukpt = \"aes\"\npin-format = \"4\"\n[mac]\nalgorithm = \"aes-cmac\"\n";
    profile_file::load("aes", text, &shelf).unwrap_or_else(|breaches| panic!("{}", breaches[0]))
}

/// Oracle of the MACs: ANSI X9.24-3:2017, supplement, test vectors of an AES-128 base key.
#[test]
fn an_aes_device_has_12_bytes_of_serial_number_and_a_pin_block_of_16() {
    let device = DeviceId::parse("123456789012345600000000").unwrap();
    let initial = dukpt::initial_key(&unhex(AES_BASE), &device.first()).unwrap();
    let pad = PinPad::with_initial_key(&initial, device, Arc::new(Counting)).unwrap();
    let scheme =
        MacScheme { algorithm: MacAlgorithm::AesCmac, padding: Padding::Zeros, output: MacOutput::Binary, length: 16 };
    for (direction, mac) in [
        (Direction::Request, "A2EB5C1C35809E58404E873C3C411E31"),
        (Direction::Response, "DD4E1895FD9BF53D8DAF25568ABF551D"),
    ] {
        let made = pad.mac_of(Some((&device.first(), direction)), &scheme, b"4012345678909D987").unwrap();
        assert_eq!(made.as_slice(), unhex(mac));
    }
    let profile = Arc::new(aes_profile());
    let mut terminal =
        Terminal::new(Setup { profile: Arc::clone(&profile), ..setup("dukpt") }, pad, Memory::default()).unwrap();
    let sale = sell(&mut terminal).unwrap().message;
    assert_eq!(sale.raw(57), Some(device.first().as_bytes()));
    assert_eq!(sale.role(Role::PinBlock).map(|block| block.len()), Some(16));
    let purpose = Purpose::Mac(Direction::Request);
    let key = dukpt::working_key(&unhex(AES_BASE), &device.first(), purpose).unwrap();
    let expected = mac_as(&key, &profile.mac.scheme, sale.mac_input().unwrap()).unwrap();
    assert_eq!(sale.mac().unwrap().to_vec(), expected.as_slice());
}

/// Holds what was kept last, and looks whether a message that leaves was in it.
#[derive(Default)]
struct Keeper {
    kept: Option<Ksn>,
    left: Vec<Ksn>,
}

impl Attendant for Keeper {
    fn keep(&mut self, terminal: &Terminal) -> std::io::Result<()> {
        self.kept = terminal.memory().serial;
        Ok(())
    }

    fn see(&mut self, event: Event<'_>) {
        if let Event::Sending(sent) = event {
            assert_eq!(self.kept, Some(serial(sent)), "on record before it leaves");
            self.left.push(serial(sent));
        }
    }
}

#[tokio::test]
async fn a_serial_number_is_kept_before_its_message_leaves() {
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = door.local_addr().unwrap().to_string();
    let host = std::thread::spawn(move || drop(door.accept().unwrap()));
    let target =
        Target { address, tls: None, connect_within: Duration::from_secs(5), answer_within: Duration::from_secs(5) };
    let mut driver = Driver::new(terminal(None), target, Keeper::default());
    let sent = sell(driver.terminal_mut()).unwrap();
    driver.send(&sent).await.unwrap();
    host.join().unwrap();
    assert_eq!(driver.attendant_mut().left, [serial(&sent)]);
    assert_eq!(driver.terminal().memory().serial, Some(serial(&sent)));
}

/// Starts a sale of the demo's terminal 1 at `address`; waits for its message, kills the terminal, and says under which
/// serial number it was.
fn killed_while_it_waits(door: &TcpListener, state: &Path) -> Ksn {
    let address = door.local_addr().unwrap().to_string();
    let common = ["terminal", "--door", "dukpt", "--connect", &address, "--state", state.to_str().unwrap()];
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    let mut terminal = command.args(common).args(["sale", "1.00"]).stdout(Stdio::null()).spawn().unwrap();
    let mut line = None;
    await_that("the terminal calls", || {
        line = door.accept().ok();
        line.is_some()
    });
    let (mut line, _) = line.unwrap();
    line.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let unit = receive(&mut line).unwrap();
    terminal.kill().unwrap();
    terminal.wait().unwrap();
    let profile = profile("dukpt").unwrap();
    let Ok(message) = profile.decode(&profile.split(unit).unwrap()) else { panic!("no message") };
    Ksn::read(&message.role(Role::Ksn).unwrap()).unwrap()
}

#[test]
fn a_terminal_that_was_killed_never_uses_a_serial_number_again() {
    let folder = tempfile::tempdir().unwrap();
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    door.set_nonblocking(true).unwrap();
    let used = [(); 3].map(|()| killed_while_it_waits(&door, &folder.path().join("terminal.json")).counter());
    assert_eq!(used, [Some(1), Some(2), Some(3)]);
}

#[test]
fn a_pad_takes_only_a_key_of_its_devices_family() {
    let device = DeviceId::parse(DEVICE).unwrap();
    assert!(PinPad::with_initial_key(&[7; 8], device, Arc::new(Counting)).is_err());
    assert!(PinPad::with_initial_key(&[7; 24], device, Arc::new(Counting)).is_err());
    let aes = DeviceId::parse("123456789012345600000000").unwrap();
    assert!(PinPad::with_initial_key(&unhex(INITIAL), aes, Arc::new(Counting)).is_ok());
    for digits in ["FFFF9876543210E00001", "FFFF9876543210E0000", "123456789012345600000001", "no hex digits at all"] {
        assert!(DeviceId::parse(digits).is_none(), "{digits}");
    }
}
