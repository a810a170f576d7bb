//! Doors for DUKPT devices: a key for each transaction, serial numbers that only go up, also over a restart.

use super::rig::{KEPT, Recipe, Rig, Till, await_that, connect, now};
use super::{CARD_A, CARD_B};
use std::sync::Arc;
use tollgate::channel::builtin::profile;
use tollgate::hsm::Direction;
use tollgate::iso8583::Role;
use tollgate::ledger::Ledger;
use tollgate::model::DeviceId;
use tollgate::model::Kind;
use tollgate::model::Ksn;
use tollgate::model::ResponseCode;
use tollgate::model::Stan;
use tollgate::model::TerminalId;
use tollgate::server::SystemEntropy;
use tollgate::server::run::StartFault;
use tollgate::server::station::BuildFault;
use tollgate::sim::terminal::MacCheck;
use tollgate::sim::terminal::Memory;
use tollgate::sim::terminal::PinPad;
use tollgate::sim::terminal::Sent;
use tollgate::sim::terminal::Setup;
use tollgate::sim::terminal::demo_device;
use tollgate::sim::terminal::demo_dukpt_pad;

const SALE: Kind = Kind::Sale;
const APPROVED: Option<ResponseCode> = Some(ResponseCode::Approved);
const MAC_FAILURE: Option<ResponseCode> = Some(ResponseCode::MacFailure);
/// Such a door.
pub(super) const DOOR: &str = "[[door]]\nname = \"dukpt\"\nlisten = \"127.0.0.1:0\"\nprofile = \"dukpt\"\n\
    dukpt_key = \"dukpt/bdk\"\n";

fn id(number: u32) -> TerminalId {
    TerminalId::parse(number.to_string().as_bytes()).unwrap()
}

fn device(number: u32) -> DeviceId {
    demo_device(id(number)).unwrap()
}

fn pad(number: u32) -> PinPad {
    demo_dukpt_pad(id(number), Arc::new(SystemEntropy)).unwrap().unwrap()
}

/// A station with such a door.
fn rig() -> Rig {
    Rig::of(&Recipe { tables: DOOR, ..Recipe::default() })
}

/// A terminal that is a device, as it came from its maker.
fn till(rig: &Rig, number: u32) -> Till {
    Till::new(rig, number, "dukpt")
}

/// A copy of a terminal's device that remembers nothing but these numbers.
fn copied(rig: &Rig, of: &Till, serial: Option<Ksn>, stan: u32) -> Till {
    let number = of.terminal.setup().terminal.as_str().parse().unwrap();
    of.again(rig, "dukpt", pad(number), Memory { serial, next_stan: Stan::new(stan), ..Memory::default() })
}

/// The highest serial number that the switch knows of a terminal's device.
fn mark(rig: &Rig, number: u32) -> Option<Ksn> {
    rig.facts(id(number)).serial.map(|mark| mark.ksn)
}

/// The same on the ledger's record.
fn kept(rig: &Rig, number: u32) -> Option<Ksn> {
    rig.ledger().terminal(id(number)).and_then(|facts| facts.serial).map(|mark| mark.ksn)
}

fn serial(sent: &Sent) -> Ksn {
    Ksn::read(&sent.message.role(Role::Ksn).unwrap()).unwrap()
}

/// The same message with another serial number in it, under the MAC that it had.
fn with_serial(sent: &Sent, value: Option<&str>) -> Vec<u8> {
    let profile = profile("dukpt").unwrap();
    let mut message = profile.dialect.build(sent.mti);
    let de = profile.dialect.role(Role::Ksn).unwrap().de;
    for element in sent.message.elements().filter(|element| *element != de) {
        message.copy(element, &sent.message).unwrap();
    }
    if let Some(value) = value {
        message.set(de, value.as_bytes()).unwrap();
    }
    profile.enclose(&message.finish().unwrap(), None).unwrap().to_vec()
}

/// The same message without one element, under the MAC that it then has.
fn without(till: &Till, sent: &Sent, role: Role) -> Vec<u8> {
    let profile = profile("dukpt").unwrap();
    let mut message = profile.dialect.build(sent.mti);
    let de = profile.dialect.role(role).unwrap().de;
    for element in sent.message.elements().filter(|element| *element != de) {
        message.copy(element, &sent.message).unwrap();
    }
    let unsigned = message.finish_unsigned().unwrap();
    let transaction = Some((&serial(sent), Direction::Request));
    let mac = till.terminal.pad().mac_of(transaction, &profile.mac.scheme, unsigned.mac_input()).unwrap();
    profile.enclose(&unsigned.sign(&mac).unwrap(), None).unwrap().to_vec()
}

#[test]
fn a_device_sells_without_a_sign_in_under_a_key_for_each_transaction() {
    let rig = rig();
    let mut till = till(&rig, 10_000_001);
    for (card, count) in [(CARD_A, 1), (CARD_B, 2)] {
        let sent = till.prepare(SALE, 12_00, card);
        assert_eq!(serial(&sent).counter(), Some(count));
        let answer = till.exchange(&sent);
        assert_eq!(
            (answer.code, answer.mac),
            (APPROVED, MacCheck::Ok),
            "the bank knows the PIN, the device the answer"
        );
        assert_eq!(mark(&rig, 10_000_001), Some(serial(&sent)));
        assert_eq!(kept(&rig, 10_000_001), Some(serial(&sent)), "durable with the intent");
    }
    let wrong = till.prepare_with(SALE, 12_00, CARD_A, "999999");
    assert_eq!(till.exchange(&wrong).code, Some(ResponseCode::PinWrong));
    assert_eq!((Rig::booked(&rig.bank_a), Rig::booked(&rig.bank_b)), (12_00, 12_00));
}

#[test]
fn an_exact_repeat_gets_the_recorded_answer() {
    let rig = rig();
    let mut till = till(&rig, 10_000_001);
    let sent = till.prepare(SALE, 15_00, CARD_A);
    till.send(&sent.unit);
    let first = till.receive().unwrap();
    till.send(&sent.unit);
    assert_eq!(till.receive().unwrap(), first);
    assert_eq!((Rig::booked(&rig.bank_a), mark(&rig, 10_000_001)), (15_00, Some(serial(&sent))));
}

#[test]
fn a_repeat_under_the_next_serial_number_gets_the_recorded_answer_too() {
    let rig = rig();
    let mut till = till(&rig, 10_000_001);
    assert_eq!(till.ask(SALE, 15_00, CARD_A).code, APPROVED);
    assert!(till.terminal.undo_last());
    let (first, again) =
        (till.terminal.reversal(now()).unwrap().unwrap(), till.terminal.reversal(now()).unwrap().unwrap());
    assert_eq!(serial(&first).next(), Some(serial(&again)));
    assert_eq!(till.exchange(&first).code, APPROVED);
    assert_eq!(till.exchange(&again).code, APPROVED);
    rig.await_undone();
    assert_eq!(Rig::booked(&rig.bank_a), 0);
}

#[test]
fn a_serial_number_is_not_used_again_for_something_else() {
    let rig = rig();
    let mut till = till(&rig, 10_000_001);
    assert_eq!(till.ask(SALE, 10_00, CARD_A).code, APPROVED);
    let records = rig.records().len();
    let mut copy = copied(&rig, &till, None, 100);
    assert_eq!(copy.ask(SALE, 99_00, CARD_A).code, MAC_FAILURE, "the serial number of the mark");
    assert_eq!(rig.records().len(), records, "and nothing on record");
    assert_eq!(till.ask(SALE, 10_00, CARD_A).code, APPROVED, "the device itself goes on");
}

#[test]
fn a_step_back_is_refused_and_nothing_is_recorded() {
    let rig = rig();
    let mut till = till(&rig, 10_000_001);
    let old = till.prepare(SALE, 10_00, CARD_A);
    assert_eq!(till.exchange(&old).code, APPROVED);
    assert_eq!(till.ask(SALE, 20_00, CARD_A).code, APPROVED);
    let (records, before) = (rig.records().len(), mark(&rig, 10_000_001));
    till.send(&old.unit);
    let replayed = till.receive().unwrap();
    assert_eq!(till.judge(&old, replayed).code, MAC_FAILURE);
    let mut copy = copied(&rig, &till, None, 100);
    assert_eq!(copy.ask(SALE, 99_00, CARD_A).code, MAC_FAILURE);
    assert_eq!((rig.records().len(), mark(&rig, 10_000_001)), (records, before));
    assert_eq!(Rig::booked(&rig.bank_a), 30_00);
}

#[test]
fn a_jump_is_served_and_the_mark_rises_to_it() {
    let rig = rig();
    let mut till = till(&rig, 10_000_001);
    assert_eq!(till.ask(SALE, 10_00, CARD_A).code, APPROVED);
    let far = Ksn::read(b"FFFF9810000001E08000").unwrap();
    let mut ahead = copied(&rig, &till, Some(far), 100);
    assert_eq!(ahead.ask(SALE, 10_00, CARD_A).code, APPROVED);
    assert_eq!(mark(&rig, 10_000_001), far.next());
    assert_eq!(till.ask(SALE, 10_00, CARD_A).code, MAC_FAILURE, "what is behind it now is a step back");
}

#[test]
fn a_serial_number_rises_only_after_its_mac_verified() {
    let rig = rig();
    let mut till = till(&rig, 10_000_001);
    assert_eq!(till.ask(SALE, 10_00, CARD_A).code, APPROVED);
    let before = mark(&rig, 10_000_001);
    let sent = till.prepare(SALE, 10_00, CARD_A);
    till.send(&with_serial(&sent, Some("FFFF9810000001E0FF80")));
    let refused = till.receive().unwrap();
    assert_eq!(till.judge(&sent, refused).code, MAC_FAILURE);
    assert_eq!(mark(&rig, 10_000_001), before);
    assert_eq!(till.exchange(&sent).code, APPROVED);
}

#[test]
fn serial_numbers_that_no_device_has_are_refused() {
    let rig = rig();
    let mut till = till(&rig, 10_000_001);
    let sent = till.prepare(SALE, 10_00, CARD_A);
    for (value, code) in [
        (Some("FFFF9810000001E00000"), ResponseCode::MacFailure), // counter zero
        (Some("FFFF9810000001E007FF"), ResponseCode::MacFailure), // eleven one bits
        (Some("123456789012345600000001"), ResponseCode::FormatError), // of the other family
        (Some("FFFF9810000001E000"), ResponseCode::FormatError),
        (Some("FFFF9810000001E0000G"), ResponseCode::FormatError),
        (None, ResponseCode::FormatError),
    ] {
        till.send(&with_serial(&sent, value));
        let refused = till.receive().unwrap();
        assert_eq!(till.judge(&sent, refused).code, Some(code), "{value:?}");
    }
    assert_eq!(mark(&rig, 10_000_001), None);
    assert!(!rig.records().iter().any(|record| record.intent.kind == SALE));
}

#[test]
fn a_device_belongs_to_the_terminal_that_used_it_first() {
    let rig = rig();
    let mut first = till(&rig, 10_000_001);
    assert_eq!(first.ask(SALE, 10_00, CARD_A).code, APPROVED);
    let second = till(&rig, 10_000_002);
    let mut thief = second.again(
        &rig,
        "dukpt",
        pad(10_000_001),
        Memory { serial: first.terminal.memory().serial, ..Memory::default() },
    );
    assert_eq!(thief.ask(SALE, 10_00, CARD_A).code, MAC_FAILURE, "the first terminal's device");
    let mut swapped =
        first.again(&rig, "dukpt", pad(10_000_003), Memory { next_stan: Stan::new(50), ..Memory::default() });
    assert_eq!(swapped.ask(SALE, 10_00, CARD_A).code, MAC_FAILURE, "another device than it had");
    let mut second = second;
    assert_eq!(second.ask(SALE, 10_00, CARD_A).code, APPROVED, "its own device");
}

/// The lists of the demo's terminals 1 to 9, the first with a device of the given number.
fn terminals(device: u32) -> String {
    let rows = (1..=9).map(|serial| {
        let ksn = if serial == 1 { format!("FFFF98{device}E00000") } else { String::new() };
        format!("1000000{serial},89811005411000{serial},{ksn}\n")
    });
    format!("terminal,merchant,ksn\n{}", rows.collect::<String>())
}

#[test]
fn the_list_says_which_device_a_terminal_has_and_may_say_another() {
    let lists = [("terminals.csv", terminals(10_000_002))];
    let lists = lists.each_ref().map(|(name, text)| (*name, text.as_str()));
    let rig = Rig::of(&Recipe { tables: DOOR, lists: &lists, ..Recipe::default() });
    let mut own = till(&rig, 10_000_001);
    assert_eq!(own.ask(SALE, 10_00, CARD_A).code, MAC_FAILURE, "the list gives it another device");
    let mut listed = own.again(&rig, "dukpt", pad(10_000_002), Memory::default());
    assert_eq!(listed.ask(SALE, 10_00, CARD_A).code, APPROVED);
    let mut other = till(&rig, 10_000_002);
    assert_eq!(other.ask(SALE, 10_00, CARD_A).code, MAC_FAILURE, "the list gives this device to the first");
    std::fs::write(rig.file("terminals.csv"), terminals(10_000_001)).unwrap();
    rig.reload().unwrap();
    let mut own = own.again(&rig, "dukpt", pad(10_000_001), Memory { next_stan: Stan::new(50), ..Memory::default() });
    assert_eq!(own.ask(SALE, 10_00, CARD_A).code, APPROVED, "the new device");
    assert_eq!(mark(&rig, 10_000_001), Some(device(10_000_001).first()));
    assert_eq!(listed.ask(SALE, 10_00, CARD_A).code, MAC_FAILURE, "the old one is not the terminal's any more");
}

#[test]
fn marks_outlive_the_switch() {
    let tables = format!("{DOOR}{KEPT}");
    let mut rig = Rig::of(&Recipe { tables: &tables, ..Recipe::default() });
    let mut till = till(&rig, 10_000_001);
    assert_eq!(till.ask(SALE, 10_00, CARD_A).code, APPROVED);
    let sent = till.prepare(SALE, 20_00, CARD_A);
    till.send(&sent.unit);
    let first = till.receive().unwrap();
    assert_eq!(till.judge(&sent, first.clone()).code, APPROVED);
    rig.stop();
    rig.start_again();
    rig.await_links();
    assert_eq!(mark(&rig, 10_000_001), Some(serial(&sent)));
    till.line = connect(rig.door("dukpt"));
    till.send(&sent.unit);
    assert_eq!(till.receive().unwrap(), first, "an exact repeat is answered from the record");
    let mut copy = copied(&rig, &till, None, 100);
    assert_eq!(copy.ask(SALE, 99_00, CARD_A).code, MAC_FAILURE, "a step back");
    let second = Till::new(&rig, 10_000_002, "dukpt");
    let mut thief =
        second.again(&rig, "dukpt", pad(10_000_001), Memory { serial: Some(serial(&sent)), ..Memory::default() });
    assert_eq!(thief.ask(SALE, 10_00, CARD_A).code, MAC_FAILURE, "whose it is outlives the switch too");
    assert_eq!(till.ask(SALE, 30_00, CARD_A).code, APPROVED);
    assert_eq!(Rig::booked(&rig.bank_a), 60_00);
}

#[test]
fn a_reversal_and_a_refused_message_leave_a_durable_mark() {
    let rig = rig();
    let mut till = till(&rig, 10_000_001);
    assert_eq!(till.ask(SALE, 10_00, CARD_A).code, APPROVED);
    assert!(till.terminal.undo_last());
    let reversal = till.terminal.reversal(now()).unwrap().unwrap();
    assert_eq!(till.exchange(&reversal).code, APPROVED);
    assert_eq!(kept(&rig, 10_000_001), Some(serial(&reversal)));
    // Without a currency it is no request: refused before anything is recorded, but its key is used up.
    let sent = till.prepare(SALE, 10_00, CARD_A);
    till.send(&without(&till, &sent, Role::Currency));
    let refused = till.receive().unwrap();
    assert_eq!(till.judge(&sent, refused).code, Some(ResponseCode::FormatError));
    assert_eq!(kept(&rig, 10_000_001), Some(serial(&sent)));
    await_that("the sale is undone", || Rig::booked(&rig.bank_a) == 0);
}

#[test]
fn a_sale_that_its_own_reversal_overtook_is_not_served() {
    let rig = rig();
    let mut till = till(&rig, 10_000_001);
    let sale = till.prepare(SALE, 20_00, CARD_A);
    let reversal = till.terminal.reversal(now()).unwrap().unwrap();
    assert_eq!(till.exchange(&reversal).code, APPROVED);
    till.send(&sale.unit);
    let late = till.receive().unwrap();
    assert_eq!(till.judge(&sale, late).code, MAC_FAILURE);
    assert_eq!(Rig::booked(&rig.bank_a), 0);
}

/// A door whose dialect says whether a track is enciphered.
const NAC: &str = "[[door]]\nname = \"nac-dukpt\"\nlisten = \"127.0.0.1:0\"\nprofile = \"nac-dukpt\"\n\
    dukpt_key = \"dukpt/bdk\"\n";

/// A sale of it as it goes behind a NAC, with its own or another track, under the MAC that it then has.
fn behind_nac(till: &Till, sent: &Sent, track: &[u8]) -> Vec<u8> {
    let profile = profile("nac-dukpt").unwrap();
    let mut message = profile.dialect.build(sent.mti);
    for element in sent.message.elements().filter(|element| *element != 35) {
        message.copy(element, &sent.message).unwrap();
    }
    message.set(24, b"003").unwrap();
    message.role(Role::Track2, track).unwrap();
    let unsigned = message.finish_unsigned().unwrap();
    let transaction = Some((&serial(sent), Direction::Request));
    let mac = till.terminal.pad().mac_of(transaction, &profile.mac.scheme, unsigned.mac_input()).unwrap();
    profile.enclose(&unsigned.sign(&mac).unwrap(), None).unwrap().to_vec()
}

fn ask_behind_nac(till: &mut Till, sent: &Sent, track: &[u8]) -> Option<ResponseCode> {
    till.send(&behind_nac(till, sent, track));
    let answer = till.receive().unwrap();
    till.judge(sent, answer).code
}

#[test]
fn a_track_may_come_under_its_transactions_data_key() {
    let rig = Rig::of(&Recipe { tables: NAC, ..Recipe::default() });
    let setup = Till::new(&rig, 10_000_001, "nac-dukpt").terminal.setup().clone();
    let mut till = Till::of(&rig, Setup { encrypt_tracks: true, ..setup }, "nac-dukpt");
    let track = |sent: &Sent| sent.message.role(Role::Track2).unwrap().to_vec();
    let first = till.prepare(SALE, 12_00, CARD_A);
    assert!(first.message.enciphered(35));
    assert_eq!(ask_behind_nac(&mut till, &first, &track(&first)), APPROVED);
    let next = till.prepare(SALE, 12_00, CARD_A);
    assert_ne!(track(&first), track(&next), "a key for each transaction");
    let refused = ask_behind_nac(&mut till, &next, &track(&first));
    assert_eq!(refused, Some(ResponseCode::SecurityFailure), "the track is under another serial number");
    assert_eq!(Rig::booked(&rig.bank_a), 12_00);
}

#[test]
fn a_door_and_its_profile_agree_on_devices_or_the_station_does_not_start() {
    let rig = rig();
    for (was, is) in [
        ("profile = \"dukpt\"", "profile = \"host\""),
        ("dukpt_key = \"dukpt/bdk\"", "pin_key = \"host/zpk\"\nmac_key = \"host/zak\""),
    ] {
        let station = rig.file("station.toml");
        let text = std::fs::read_to_string(&station).unwrap();
        std::fs::write(&station, text.replacen(was, is, 1)).unwrap();
        let fault = rig.try_run().err().unwrap();
        assert!(matches!(fault, StartFault::Build(BuildFault::DoorKeys(_))), "{fault}");
        std::fs::write(&station, text).unwrap();
    }
}
