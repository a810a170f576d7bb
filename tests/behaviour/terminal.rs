//! The POS terminal: what it sends, what it believes, and what it undoes.
//!
//! Oracle: frames and keys made by another encoder (tests/golden/cn_pos_samples.json holds all of them).

use crate::sample_terminal::{Counting, KEYS_40, KEYS_60, TMK, card, noon, pad, setup, signed_in_at, unhex};
use bytes::Bytes;
use std::io::Read;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use tollgate::channel::Deframer;
use tollgate::channel::Profile;
use tollgate::channel::builtin::profile;
use tollgate::hsm::calculator::ClearPin;
use tollgate::iso8583::Message;
use tollgate::iso8583::Role;
use tollgate::model::Amount;
use tollgate::model::Expiry;
use tollgate::model::Kind;
use tollgate::model::Pan;
use tollgate::model::ResponseCode;
use tollgate::model::Stan;
use tollgate::model::Track2;
use tollgate::sim::terminal::Answer;
use tollgate::sim::terminal::Card;
use tollgate::sim::terminal::Entry;
use tollgate::sim::terminal::Heard;
use tollgate::sim::terminal::MacCheck;
use tollgate::sim::terminal::Memory;
use tollgate::sim::terminal::MemoryFault;
use tollgate::sim::terminal::PadFault;
use tollgate::sim::terminal::PinPad;
use tollgate::sim::terminal::Purchase;
use tollgate::sim::terminal::Sent;
use tollgate::sim::terminal::Setup;
use tollgate::sim::terminal::Terminal;
use tollgate::sim::terminal::TerminalFault;
use tollgate::sim::terminal::Unexpected;
use tollgate::sim::terminal::drive::Driver;
use tollgate::sim::terminal::drive::Outcome;
use tollgate::sim::terminal::drive::Target;
use tollgate::sim::terminal::receipt;

/// Frames of the samples.
const SALE: &str = "011260000300006031003107300200702406C020C09A111662250000000002530000000000000001230000023012051000010012346225000000000253D301220100000000003132333435363738313233343536373839303132333435313536F2E25CC662837D8A260000000000000001459F2608F1899CEABC7BFF1B9F2701809F101307000103A0A012010A0100000888003D92DE959F3704041E5C729F3602004A9505000004E8009A032611219C01009F02060000000001235F2A02015682027C009F1A0201569F03060000000000009F3303E0E1C89F34034203009F3501229F1E084E65776C616E64318408A0000003330101019F090200209F4104000000470013220000010006003234414539314141";
const APPROVED: &str = "00A960000000036031003107300210703E02810ED08213166225000000000253000000000000000123000002101730112130121121000100081234567831303137333030303030303241313233343530303132333435363738313233343536373839303132333435223031303230303030202020313233343536373820202031353600179F3602004A910A1122334455667788303000132200000100060000034355503530303830463544";
const DECLINED: &str = "008160000000036031003107300210303800810AD08013000000000000000123000003101830112100081234567831303138333030303030303335353132333435363738313233343536373839303132333435223031303230303030202020313233343536373820202031353600132200000100060000034355503041384642433637";
const REVERSAL: &str = "008D600003000060310031073004007024068002C08211166225000000000253000000000000000123000002301205100001003938313233343536373831323334353637383930313233343531353600459505000004E8009F1E084E65776C616E64319F101307000103A0A012010A0100000888003D92DE959F3602004A0013220000010006004338414135304534";
const REVERSED: &str = "008B60000000036031003107300410703E02810AD0801116622500000000025300000000000000012300000210183511213012112100010008123456783130313733303030303030323030313233343536373831323334353637383930313233343522303130323030303020202031323334353637382020203135360013220000010006004433453944333031";

fn decode(profile: &Arc<Profile>, unit: &[u8]) -> Message {
    let frame = profile.split(Bytes::copy_from_slice(&unit[2..])).unwrap();
    profile.decode(&frame).unwrap()
}

/// A terminal where the samples' sale begins: signed in, batch 1, next number 2.
fn signed_in() -> Terminal {
    signed_in_at(2)
}

fn host() -> Terminal {
    let zak = unhex("89ABCDEF0123456776543210FEDCBA98");
    let pad = PinPad::with_zone_keys(&unhex(TMK), &zak, Arc::new(Counting)).unwrap();
    Terminal::new(setup("host"), pad, Memory::default()).unwrap()
}

fn sell(terminal: &mut Terminal, entry: Entry, minor: u64) -> Sent {
    let pin = ClearPin::parse(b"123456").unwrap();
    let purchase =
        Purchase { kind: Kind::Sale, amount: Amount::new(minor).unwrap(), card: &card(), entry, pin: Some(&pin) };
    terminal.purchase(&purchase, noon()).unwrap()
}

fn hear(terminal: &mut Terminal, sent: &Sent, unit: &[u8]) -> Heard {
    terminal.on_answer(sent, Bytes::copy_from_slice(&unit[2..]))
}

fn answered(heard: Heard) -> Answer {
    match heard {
        Heard::Answer(answer) => *answer,
        Heard::Other(unexpected) => panic!("{unexpected}"),
    }
}

/// Every element but those named must be the same.
fn same_but(one: &Message, other: &Message, except: &[u8]) {
    assert_eq!(one.mti(), other.mti());
    let elements = |message: &Message| message.elements().filter(|de| !except.contains(de)).collect::<Vec<_>>();
    assert_eq!(elements(one), elements(other));
    for de in elements(one) {
        assert!(one.raw(de) == other.raw(de), "DE {de} differs");
    }
}

#[test]
fn a_sale_by_chip_with_pin_is_the_samples_sale() {
    let mut terminal = signed_in();
    let sent = sell(&mut terminal, Entry::Chip, 123);
    let sample = decode(&terminal.setup().profile, &unhex(SALE));
    // The chip's cryptogram and serial number, and so the MAC, are another card's and device's.
    same_but(&sent.message, &sample, &[55, 64]);
    assert_eq!(sent.message.role(Role::PinBlock).unwrap().to_vec(), unhex("F2E25CC662837D8A"));
    assert_eq!(&sent.unit[2..13], &unhex(SALE)[2..13], "TPDU and header");
}

#[test]
fn macs_are_those_of_the_samples() {
    let terminal = signed_in();
    let profile = &terminal.setup().profile;
    for sample in [SALE, APPROVED, DECLINED, REVERSAL] {
        let message = decode(profile, &unhex(sample));
        let made = terminal.pad().mac(&profile.mac.scheme, message.mac_input().unwrap()).unwrap();
        assert_eq!(made.as_slice(), &*message.mac().unwrap());
    }
}

#[test]
fn an_enciphered_track_is_the_samples_track() {
    let mut pad = pad();
    pad.load(&unhex(KEYS_60)).unwrap();
    let track = Track2::parse(b"6225000000000253=30121010000000000").unwrap();
    assert_eq!(pad.encrypted_track(&track).as_deref(), Ok("62250000000002535A9A03AF62DAB47700"));
    let mut memory = Memory { key_data: Some(unhex(KEYS_60)), ..Memory::default() };
    memory.next_stan = Stan::new(4);
    let mut terminal =
        Terminal::new(Setup { encrypt_tracks: true, ..setup("pos") }, crate::sample_terminal::pad(), memory).unwrap();
    let sent = sell(&mut terminal, Entry::Swipe, 10_000);
    assert_eq!(sent.message.role(Role::SecurityControl).unwrap().to_vec(), b"2610000000000000");
    assert_eq!(sent.message.role(Role::EntryMode).unwrap().to_vec(), b"021");
    assert_eq!(sent.message.role(Role::Track2).unwrap().len(), 34);
    assert!(!sent.message.body().windows(9).any(|bytes| bytes == [0x62, 0x25, 0, 0, 0, 0, 0x02, 0x53, 0xD3]));
}

#[test]
fn keys_under_another_master_key_are_refused_by_their_check_value() {
    let mut other = PinPad::with_master_key(&[7; 16], Arc::new(Counting)).unwrap();
    assert_eq!(other.load(&unhex(KEYS_40)), Err(PadFault::CheckValue("PIN")));
    assert!(!other.is_keyed());
    assert_eq!(other.load(&[0; 41]), Err(PadFault::Layout(41)));
    assert_eq!(pad().master_check_value().as_deref(), Some("08D7B4"));
}

#[test]
fn a_sign_in_brings_keys_and_batch() {
    let mut terminal = Terminal::new(setup("pos"), pad(), Memory::default()).unwrap();
    assert!(terminal.needs_sign_in());
    let sent = terminal.sign_in(noon()).unwrap();
    let sample = "005B600003000060310031073008000020000000C0001600000131323334353637383132333435363738393031323334350011000000000030002953657175656E6365204E6F3136503331323541303030303030303030310003303120";
    same_but(&sent.message, &decode(&terminal.setup().profile, &unhex(sample)), &[62]);
    let answer = "007960000000036031003107300810003800010AC0001400000110150011210812345678313031353030303030303031303031323334353637383132333435363738393031323334350011000000010030004041B1F3D154C3079A2CB4F6D696EB21E9E8934A67B49E864CE594CACF00000000000000000FBB6331";
    let answer = answered(hear(&mut terminal, &sent, &unhex(answer)));
    assert!(answer.approved && answer.valid && answer.keys.is_none());
    assert!(!terminal.needs_sign_in());
    assert_eq!(terminal.memory().batch.value(), 1);
}

#[test]
fn an_approval_ends_the_request_and_prints_a_masked_receipt() {
    let mut terminal = signed_in();
    let sent = sell(&mut terminal, Entry::Chip, 123);
    assert!(terminal.memory().pending.is_some(), "the reversal is there before the request leaves");
    let answer = answered(hear(&mut terminal, &sent, &unhex(APPROVED)));
    assert!(answer.approved && answer.valid);
    assert_eq!((answer.mac, answer.code), (MacCheck::Ok, Some(ResponseCode::Approved)));
    assert!(terminal.memory().pending.is_none());
    let slip = receipt::text(&terminal, "示范商店", Entry::Chip, &sent, &answer);
    for wanted in [
        "示范商店",
        "123456789012345",
        "12345678",
        "622500******0253",
        "000001",
        "000002",
        "A12345",
        "101730000002",
        "11/21 10:17:30",
        "RMB 1.23",
    ] {
        assert!(slip.contains(wanted), "{wanted} in {slip}");
    }
    assert!(!slip.contains("6225000000000253"));
}

#[test]
fn a_decline_ends_the_request_too() {
    let mut terminal = signed_in_at(3);
    let sent = sell(&mut terminal, Entry::Chip, 123);
    let answer = answered(hear(&mut terminal, &sent, &unhex(DECLINED)));
    assert!(!answer.approved && answer.valid);
    assert_eq!(answer.code, Some(ResponseCode::PinWrong));
    assert!(terminal.memory().pending.is_none());
}

#[test]
fn an_approval_with_a_wrong_mac_is_reversed_with_reason_a0() {
    let mut terminal = signed_in();
    let sent = sell(&mut terminal, Entry::Chip, 123);
    let mut unit = unhex(APPROVED);
    *unit.last_mut().unwrap() = b'0';
    let answer = answered(hear(&mut terminal, &sent, &unit));
    assert!(answer.approved && !answer.valid);
    assert_eq!(answer.mac, MacCheck::Wrong);
    let reversal = terminal.reversal(noon()).unwrap().unwrap();
    assert_eq!(reversal.message.role(Role::ResponseCode).unwrap().to_vec(), b"A0");
    assert_eq!(reversal.message.role(Role::ApprovalCode).unwrap().to_vec(), b"A12345");
}

#[test]
fn an_unanswered_sale_is_undone_by_the_samples_reversal_before_anything_else() {
    let mut terminal = signed_in();
    let _sale = sell(&mut terminal, Entry::Chip, 123);
    let pin = ClearPin::parse(b"123456").unwrap();
    let amount = Amount::new(1).unwrap();
    let next = Purchase { kind: Kind::Sale, amount, card: &card(), entry: Entry::Tap, pin: Some(&pin) };
    assert!(matches!(terminal.purchase(&next, noon()), Err(TerminalFault::ReversalFirst)));
    let reversal = terminal.reversal(noon()).unwrap().unwrap();
    same_but(&reversal.message, &decode(&terminal.setup().profile, &unhex(REVERSAL)), &[55, 64]);
    let tags: Vec<u8> = reversal.message.role(Role::Icc).unwrap()[..2].to_vec();
    assert_eq!(tags, [0x95, 5], "the subset of the chip data, in the sample's order");
    let repeat = terminal.reversal(noon()).unwrap().unwrap();
    assert_eq!(repeat.unit, reversal.unit, "a repeat is the same message");
}

#[test]
fn a_reversal_is_over_when_the_host_has_it_or_knows_of_nothing() {
    for (code, done) in [(b"00", true), (b"12", true), (b"25", true), (b"96", false), (b"A0", false)] {
        let mut terminal = signed_in();
        let _sale = sell(&mut terminal, Entry::Chip, 123);
        let reversal = terminal.reversal(noon()).unwrap().unwrap();
        let unit = answer_to(&terminal, &reversal, code);
        let answer = answered(hear(&mut terminal, &reversal, &unit));
        assert!(answer.valid);
        assert_eq!(terminal.memory().pending.is_none(), done, "{:?}", answer.code);
    }
    let mut terminal = signed_in();
    let _sale = sell(&mut terminal, Entry::Chip, 123);
    let reversal = terminal.reversal(noon()).unwrap().unwrap();
    assert!(answered(hear(&mut terminal, &reversal, &unhex(REVERSED))).valid, "the sample's answer");
    assert!(terminal.memory().pending.is_none());
}

#[test]
fn an_answer_to_something_else_is_named_and_not_believed() {
    let mut terminal = signed_in();
    let sent = sell(&mut terminal, Entry::Chip, 123);
    let Heard::Other(other) = hear(&mut terminal, &sent, &unhex(DECLINED)) else { panic!("STAN 3 is not ours") };
    assert_eq!(other, Unexpected::Differs(vec!["stan"]));
    let Heard::Other(Unexpected::Unreadable(_)) =
        terminal.on_answer(&sent, Bytes::from_static(&[0x60, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6, 9, 9]))
    else {
        panic!("no message")
    };
    assert!(terminal.memory().pending.is_some());
}

#[test]
fn its_memory_holds_no_card_number_and_no_clear_key() {
    let mut terminal = signed_in();
    let _sale = sell(&mut terminal, Entry::Swipe, 123);
    let json = terminal.to_json();
    assert!(!json.contains("6225000000000253") && !json.contains("1A2B3C4D5E6F7081"));
    assert!(!json.to_uppercase().contains("363232353030303030303030303235"), "nor as hex of its digits");
    let same = setup("pos");
    let owner = same.owner();
    let memory = Memory::from_json(&json, owner, terminal.pad()).unwrap();
    let mut again = Terminal::new(same.clone(), pad(), memory).unwrap();
    assert_eq!(again.to_json(), json);
    assert_eq!(again.reversal(noon()).unwrap().unwrap().unit, terminal.reversal(noon()).unwrap().unwrap().unit);
    let other = ["pos", "87654321", "123456789012345"];
    assert_eq!(Memory::from_json(&json, other, terminal.pad()).err(), Some(MemoryFault::Other));
    assert_eq!(Memory::from_json("{}", owner, terminal.pad()).err(), Some(MemoryFault::Form));
}

#[test]
fn entry_modes_say_how_the_card_was_read() {
    for (entry, mode, track, chip) in [
        (Entry::Chip, b"051", true, true),
        (Entry::Swipe, b"021", true, false),
        (Entry::Tap, b"071", true, true),
        (Entry::Manual, b"011", false, false),
        (Entry::Qr, b"031", false, false),
    ] {
        let sent = sell(&mut signed_in(), entry, 100);
        assert_eq!(sent.message.role(Role::EntryMode).unwrap().to_vec(), mode);
        assert_eq!((sent.message.role(Role::Track2).is_some(), sent.message.role(Role::Icc).is_some()), (track, chip));
    }
}

#[test]
fn a_balance_inquiry_leaves_nothing_to_undo() {
    let mut terminal = signed_in();
    let purchase = Purchase { kind: Kind::Balance, amount: Amount::ZERO, card: &card(), entry: Entry::Chip, pin: None };
    let sent = terminal.purchase(&purchase, noon()).unwrap();
    assert!(sent.message.role(Role::Amount).is_none() && terminal.memory().pending.is_none());
}

#[test]
fn on_the_host_door_a_reversal_names_its_original() {
    let mut terminal = host();
    assert!(!terminal.needs_sign_in());
    let sale = sell(&mut terminal, Entry::Chip, 500);
    assert_eq!(sale.message.mac().unwrap().len(), 8);
    let reversal = terminal.reversal(noon()).unwrap().unwrap();
    let role = |role| String::from_utf8(reversal.message.role(role).unwrap().to_vec()).unwrap();
    assert_eq!(reversal.mti.as_str(), "0420");
    assert_eq!((role(Role::OriginalMti), role(Role::OriginalStan)), ("0200".into(), "000001".into()));
    assert_eq!(role(Role::Stan), "000002");
    let sent_at = String::from_utf8(sale.message.role(Role::TransmissionTime).unwrap().to_vec()).unwrap();
    assert_eq!(role(Role::OriginalTransmissionTime), sent_at);
    let repeat = terminal.reversal(noon()).unwrap().unwrap();
    assert_eq!(repeat.mti.as_str(), "0421");
    assert_eq!(repeat.message.role(Role::Stan).unwrap().to_vec(), b"000002");
}

/// A unit that answers `sent` with a code, MAC and all.
fn answer_to(terminal: &Terminal, sent: &Sent, code: &[u8; 2]) -> Vec<u8> {
    let profile = &terminal.setup().profile;
    let mti = sent.mti.response();
    let mut builder = profile.dialect.build(mti);
    for de in profile.dialect.echo(mti) {
        builder.copy(*de, &sent.message).unwrap();
    }
    builder.role(Role::ResponseCode, code).unwrap();
    let unsigned = builder.finish_unsigned().unwrap();
    let mac = terminal.pad().mac(&profile.mac.scheme, unsigned.mac_input()).unwrap();
    profile.enclose(&unsigned.sign(&mac).unwrap(), None).unwrap().to_vec()
}

/// A host on a thread: for each unit that comes, `answer` gives what to write back.
fn host_that(answers: impl Fn(&Message) -> Option<Vec<u8>> + Send + 'static) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let profile = profile("pos").unwrap();
        while let Ok((mut stream, _)) = listener.accept() {
            let mut deframer = Deframer::new(profile.framing);
            let mut buffer = [0; 1024];
            while let Ok(read @ 1..) = stream.read(&mut buffer) {
                deframer.push(&buffer[..read]);
                while let Ok(Some(unit)) = deframer.next() {
                    let frame = profile.split(unit).unwrap();
                    if let Some(answer) = answers(&profile.decode(&frame).unwrap()) {
                        stream.write_all(&answer).unwrap();
                    }
                }
            }
        }
    });
    address
}

fn target(address: &str) -> Target {
    Target {
        address: address.into(),
        tls: None,
        connect_within: Duration::from_secs(5),
        answer_within: Duration::from_millis(300),
    }
}

#[tokio::test]
async fn a_silent_host_is_reversed_and_the_next_sale_goes() {
    // It answers nothing but reversals.
    let address = host_that(|message| {
        let terminal = signed_in();
        let mti = message.mti().unwrap();
        let sent = Sent { kind: Kind::Reversal, unit: Bytes::new(), message: message.clone(), mti };
        (mti.as_str() == "0400").then(|| answer_to(&terminal, &sent, b"00"))
    });
    let mut driver = Driver::new(signed_in(), target(&address), ());
    let (card, amount) = (card(), Amount::new(100).unwrap());
    let sale = Purchase { kind: Kind::Sale, amount, card: &card, entry: Entry::Tap, pin: None };
    let (_, outcome) = driver.purchase(&sale).await.unwrap();
    assert!(matches!(outcome, Outcome::Silent));
    assert!(driver.terminal().memory().pending.is_some());
    let settled = driver.make_ready().await.unwrap().unwrap();
    assert!(settled.answer().unwrap().approved);
    assert!(driver.terminal().memory().pending.is_none());
    assert!(driver.purchase(&sale).await.is_ok());
}

#[tokio::test]
async fn without_a_connection_nothing_is_pending() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut driver = Driver::new(signed_in(), target(&address), ());
    let amount = Amount::new(100).unwrap();
    let card = Card::new(Pan::parse(b"4111111111111111").unwrap(), Expiry::parse(b"3012").unwrap());
    let sale = Purchase { kind: Kind::Sale, amount, card: &card, entry: Entry::Chip, pin: None };
    let (_, outcome) = driver.purchase(&sale).await.unwrap();
    assert!(matches!(outcome, Outcome::NoConnection(_)));
    assert!(driver.terminal().memory().pending.is_none());
}

#[tokio::test]
async fn a_unit_that_answers_something_else_is_waited_through() {
    let address = host_that(|message| {
        let terminal = signed_in();
        let mti = message.mti().unwrap();
        let sent = Sent { kind: Kind::Sale, unit: Bytes::new(), message: message.clone(), mti };
        Some([unhex(DECLINED), vec![0, 0], answer_to(&terminal, &sent, b"51")].concat())
    });
    let mut driver = Driver::new(signed_in(), target(&address), ());
    let (card, amount) = (card(), Amount::new(100).unwrap());
    let sale = Purchase { kind: Kind::Sale, amount, card: &card, entry: Entry::Tap, pin: None };
    let (_, outcome) = driver.purchase(&sale).await.unwrap();
    assert_eq!(outcome.answer().unwrap().code, Some(ResponseCode::FundsInsufficient));
}
