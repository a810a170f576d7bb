//! Cards that prove themselves: stripes, chips and PINs at the mock issuers, and the chip in the terminal that wants
//! its issuer's answer.
//!
//! Oracles: verification values and offset of psec 1.3.0, cryptograms of pyemv 1.5.0, over the demo's keys.

use crate::sample_terminal::{noon, pad, setup, signed_in_at, unhex};
use crate::switch::rig::Rig;
use crate::switch_side::{Ask, SwitchSide, demo_bank, demo_keys, now};
use crate::terminal_batch::{answer_to, hear, switched_on_again};
use crate::terminal_switch::run_at;
use std::sync::Arc;
use tollgate::cli::Exit;
use tollgate::hsm::calculator::ClearPin;
use tollgate::hsm::calculator::DesKey;
use tollgate::hsm::calculator::emv::answer_key;
use tollgate::hsm::calculator::emv::arpc;
use tollgate::hsm::calculator::emv::card_cryptogram;
use tollgate::hsm::calculator::emv::master_key;
use tollgate::hsm::emv::ArpcSpec;
use tollgate::hsm::emv::CRYPTOGRAM_TAGS;
use tollgate::hsm::emv::Cvn;
use tollgate::hsm::emv::EmvCard;
use tollgate::hsm::emv::EmvTransaction;
use tollgate::hsm::software::SoftwareHsm;
use tollgate::iso8583::Builder;
use tollgate::iso8583::Message;
use tollgate::iso8583::Role;
use tollgate::iso8583::tlv;
use tollgate::model::Amount;
use tollgate::model::ApprovalCode;
use tollgate::model::Kind;
use tollgate::model::Timestamp;
use tollgate::sim::cards;
use tollgate::sim::cards::TestCard;
use tollgate::sim::issuer::Act;
use tollgate::sim::issuer::Bank;
use tollgate::sim::terminal::Card;
use tollgate::sim::terminal::ChipCheck;
use tollgate::sim::terminal::Entry;
use tollgate::sim::terminal::Memory;
use tollgate::sim::terminal::Purchase;
use tollgate::sim::terminal::Sent;
use tollgate::sim::terminal::Terminal;

/// 2026-11-21, noon in Greenwich.
const NOON: Timestamp = Timestamp(1_795_262_400_000_000);
const VISITOR_A: &str = "6225000000000253";
const VISITOR_B: &str = "4111111111111111";
const VISITOR_C: &str = "5555555555554444";

/// Cards of the demo, issuer application data, request cryptogram, and authentication data of an approval: over the
/// objects of [`chip`], counter 0007.
const CRYPTOGRAMS: [(&str, &str, &str, &str); 7] = [
    (VISITOR_A, "06010A03A0A000", "4E355C1A1A30DC4B", "0ED9E0EFBB6107DC3030"),
    (VISITOR_B, "06011203A0A000", "01EA0CE67944BD83", "63E11B1C00800000"),
    ("4111111100000010", "06011603A0A000", "AFAA1E293D25C6DF", "65F50DAF00800000"),
    ("5555555500000006", "0110A5000302000000000102030405060708", "CC21DCD0D93AFB7B", "ED441E62E3E2ACB60010"),
    (VISITOR_C, "0111A5000302000000000102030405060708", "AC3802862ACEA041", "32DD877D56A082870010"),
    ("5555555500000014", "0114A5000302000000000102030405060708", "44D4DF0EFC55C856", "2638C643210ADAEF0010"),
    ("5555555500000022", "0115A5000302000000000102030405060708", "DE8445976973358A", "BA3F4DCDC29BDADD0010"),
];

/// A bank and the switch's side of its wire.
struct Table {
    bank: Arc<Bank<SoftwareHsm>>,
    side: SwitchSide,
}

impl Table {
    fn of(pan: &str) -> Self {
        let name = if pan == VISITOR_A { "bank-a" } else { "bank-b" };
        Self { bank: demo_bank(name), side: SwitchSide::new(name) }
    }

    /// A sale of 12.00 with these elements on top.
    fn sale(&self, stan: u32, pan: &str, pin: Option<&str>, more: &[(Role, &[u8])]) -> Message {
        let ask = Ask { kind: Kind::Sale, stan, minor: 12_00, pan, expiry: "3012", pin };
        let mut builder: Builder = self.side.compose(ask);
        for (role, value) in more {
            builder.role(*role, value).unwrap();
        }
        self.answer(builder)
    }

    /// The same without card number and expiry but for those in chip data.
    fn sale_by_chip_data(&self, stan: u32, icc: &[u8]) -> Message {
        let ask = Ask { kind: Kind::Sale, stan, minor: 12_00, pan: VISITOR_A, expiry: "3012", pin: None };
        let mut builder: Builder = self.side.compose(ask);
        builder.clear(2).clear(14).role(Role::Icc, icc).unwrap();
        self.answer(builder)
    }

    fn answer(&self, builder: Builder) -> Message {
        let effects = now(self.bank.handle(self.side.sign(builder), NOON));
        let [effect] = &effects[..] else { panic!("not one answer") };
        let Act::Send(bytes) = &effect.act else { panic!("not sent") };
        self.side.read(&self.side.units(bytes).remove(0))
    }

    fn code(&self, answer: &Message) -> &'static str {
        self.side.code(answer).0.code()
    }
}

/// Chip data of a sale of `amount`, twelve digits.
fn chip(amount: &str, application_data: &str, arqc: &str) -> Vec<u8> {
    let objects = [
        ("9F26", arqc),
        ("9F27", "80"),
        ("9F10", application_data),
        ("9F37", "01020304"),
        ("9F36", "0007"),
        ("95", "00000004E8"),
        ("9A", "261121"),
        ("9C", "00"),
        ("9F02", amount),
        ("5F2A", "0156"),
        ("82", "7C00"),
        ("9F1A", "0156"),
        ("9F03", "000000000000"),
    ];
    let mut icc = Vec::new();
    for (tag, value) in objects {
        assert!(tlv::write(&unhex(tag), &unhex(value), &mut icc));
    }
    icc
}

const CHIP: (Role, &[u8]) = (Role::EntryMode, b"051");
const STRIPE: (Role, &[u8]) = (Role::EntryMode, b"021");
const SEQUENCE: (Role, &[u8]) = (Role::CardSequence, b"001");

fn authentication(answer: &Message) -> Option<Vec<u8>> {
    Some(tlv::Reader::new(&answer.role(Role::Icc)?).find(&[0x91])?.to_vec())
}

#[test]
fn cryptograms_of_another_make_are_believed_and_answered() {
    for (pan, application_data, arqc, said) in CRYPTOGRAMS {
        let table = Table::of(pan);
        let icc = chip("000000001200", application_data, arqc);
        let answer = table.sale(1, pan, None, &[CHIP, SEQUENCE, (Role::Icc, &icc)]);
        assert_eq!(table.code(&answer), "00", "{pan}");
        assert_eq!(authentication(&answer), Some(unhex(said)), "{pan}");
    }
}

#[test]
fn a_cryptogram_over_something_else_is_declined_and_not_answered() {
    for (pan, application_data, arqc, _) in CRYPTOGRAMS {
        let table = Table::of(pan);
        let other_amount = chip("000000001300", application_data, arqc);
        let incomplete = other_amount[..other_amount.len() - 9].to_vec();
        let other_card = (Role::CardSequence, b"002".as_slice());
        let right = chip("000000001200", application_data, arqc);
        for (stan, icc, sequence) in [(1, &other_amount, SEQUENCE), (2, &incomplete, SEQUENCE), (3, &right, other_card)]
        {
            let answer = table.sale(stan, pan, None, &[CHIP, sequence, (Role::Icc, icc)]);
            assert_eq!((table.code(&answer), authentication(&answer)), ("05", None), "{pan}, {stan}");
        }
        assert!(table.bank.books().iter().all(|posting| !posting.code.is_approval()));
    }
}

#[test]
fn a_decline_of_a_true_chip_is_answered_too() {
    let table = Table::of(VISITOR_A);
    let icc = chip("000000001200", CRYPTOGRAMS[0].1, CRYPTOGRAMS[0].2);
    let too_much = (Role::Amount, b"000010000151".as_slice());
    let no_more = (Role::Amount, b"000000001200".as_slice());
    for (stan, pin, amount, code) in [(1, "654321", no_more, "55"), (2, "123456", too_much, "51")] {
        let answer = table.sale(stan, VISITOR_A, Some(pin), &[CHIP, SEQUENCE, amount, (Role::Icc, &icc)]);
        assert_eq!(table.code(&answer), code);
        let said = authentication(&answer).expect("an answer to the chip");
        assert_eq!(&said[8..], b"05", "which declines");
        assert_ne!(said[..8], unhex(CRYPTOGRAMS[0].3)[..8]);
    }
}

#[test]
fn a_track_is_believed_as_it_was_read() {
    for (pan, cvv, icvv) in [(VISITOR_A, "196", "430"), (VISITOR_B, "518", "816"), (VISITOR_C, "232", "719")] {
        let table = Table::of(pan);
        let track = |value: &str| format!("{pan}=301220100000{value}0").into_bytes();
        let (stripe, copied, nothing) = (track(cvv), track(icvv), track("000"));
        let short = format!("{pan}=3012201").into_bytes();
        let unreliable = (Role::EntryMode, b"951".as_slice());
        let tap = (Role::EntryMode, b"071".as_slice());
        let rows = [
            (STRIPE, &stripe, "00"),
            (STRIPE, &copied, "59"),
            (STRIPE, &nothing, "59"),
            (STRIPE, &short, "59"),
            (CHIP, &copied, "00"),
            (tap, &copied, "00"),
            (CHIP, &stripe, "59"),
            (unreliable, &nothing, "00"),
        ];
        for (stan, (mode, track, code)) in (1..).zip(rows) {
            let answer = table.sale(stan, pan, None, &[mode, (Role::Track2, track)]);
            assert_eq!(table.code(&answer), code, "{pan}, row {stan}");
        }
    }
}

#[test]
fn where_there_is_no_track_the_chips_equivalent_counts() {
    let table = Table::of(VISITOR_A);
    for (stan, value, code) in [(1, "430", "00"), (2, "196", "59")] {
        let mut icc = Vec::new();
        let packed = unhex(&format!("{VISITOR_A}D301220100000{value}0F"));
        assert!(tlv::write(&[0x57], &packed, &mut icc));
        let answer = table.sale(stan, VISITOR_A, None, &[CHIP, (Role::Icc, &icc)]);
        assert_eq!(table.code(&answer), code, "{value}");
    }
}

#[test]
fn what_a_chip_tells_of_its_card_stands_for_number_and_expiry() {
    let table = Table::of(VISITOR_A);
    let objects = |list: &[(&str, &str)]| {
        let mut icc = Vec::new();
        assert!(list.iter().all(|(tag, value)| tlv::write(&unhex(tag), &unhex(value), &mut icc)));
        icc
    };
    let equivalent = format!("{VISITOR_A}D3012201000004300F");
    let rows: [(&[(&str, &str)], &str); 5] = [
        (&[("57", equivalent.as_str())], "00"),
        (&[("5A", VISITOR_A), ("5F24", "301231")], "00"),
        (&[("5A", VISITOR_A), ("5F24", "291231")], "54"),
        (&[("5A", "6225000000000261"), ("5F24", "301231")], "14"),
        (&[("5F24", "301231")], "30"),
    ];
    for (stan, (list, code)) in (1..).zip(rows) {
        let answer = table.sale_by_chip_data(stan, &objects(list));
        assert_eq!(table.code(&answer), code, "row {stan}");
    }
}

#[test]
fn an_offset_knows_every_digit_of_a_pin_and_a_pvv_four() {
    let table = Table::of(VISITOR_A);
    for (stan, pin, code) in [(1, "123456", "00"), (2, "123457", "55"), (3, "1234", "55"), (4, "12345678", "55")] {
        assert_eq!(table.code(&table.sale(stan, VISITOR_A, Some(pin), &[])), code, "{stan}");
    }
    let table = Table::of(VISITOR_B);
    for (stan, pin, code) in [(1, "1234", "00"), (2, "9999", "55"), (3, "123456", "00")] {
        assert_eq!(table.code(&table.sale(stan, VISITOR_B, Some(pin), &[])), code, "{stan}");
    }
}

#[test]
fn a_forged_card_learns_nothing_of_the_pin() {
    let table = Table::of(VISITOR_A);
    let icc = chip("000000001200", CRYPTOGRAMS[0].1, "0011223344556677");
    for (stan, pin) in [(1, "123456"), (2, "999999")] {
        let answer = table.sale(stan, VISITOR_A, Some(pin), &[CHIP, SEQUENCE, (Role::Icc, &icc)]);
        assert_eq!(table.code(&answer), "05");
    }
}

#[test]
fn the_demos_tracks_have_the_values_of_another_make() {
    for (pan, cvv, icvv) in [(VISITOR_A, "196", "430"), (VISITOR_B, "518", "816"), (VISITOR_C, "232", "719")] {
        let card = visitor(pan);
        assert_eq!(card.track2(), format!("{pan}=301220100000{cvv}0"));
        assert_eq!(card.track2_equivalent(), format!("{pan}=301220100000{icvv}0"));
    }
}

fn visitor(pan: &str) -> TestCard {
    cards::demo().into_iter().find(|card| card.pan.clear() == pan).unwrap()
}

fn sell(terminal: &mut Terminal, card: &Card, entry: Entry) -> Sent {
    let (amount, pin) = (Amount::new(12_00).unwrap(), ClearPin::parse(b"123456").unwrap());
    let purchase = Purchase { kind: Kind::Sale, amount, card, entry, pin: Some(&pin) };
    terminal.purchase(&purchase, noon()).unwrap()
}

/// An object of a request's chip data.
fn object(sent: &Sent, tag: &str) -> Vec<u8> {
    let icc = sent.message.role(Role::Icc).unwrap();
    tlv::Reader::new(&icc).find(&unhex(tag)).unwrap().to_vec()
}

/// The master key of the chip of visitor A, who has CVN 10.
fn master() -> ([u8; 16], EmvCard) {
    let keys = demo_keys();
    let imk = keys.iter().find(|key| key.name.as_str() == "bank-a/imk").unwrap();
    let card = EmvCard { pan: visitor(VISITOR_A).pan, sequence: 1 };
    (*master_key(&DesKey::new(&imk.key).unwrap(), Cvn::Visa10.scheme().master, &card).unwrap(), card)
}

/// What bank A says to the chip that asked.
fn said_to(sent: &Sent, code: [u8; 2]) -> Vec<u8> {
    let atc = object(sent, "9F36").try_into().unwrap();
    let key = answer_key(&Cvn::Visa10.scheme(), &master().0, atc).unwrap();
    let arqc = object(sent, "9F26").try_into().unwrap();
    let made = arpc(&key, arqc, &ArpcSpec::Method1 { response_code: code }).unwrap();
    let mut icc = Vec::new();
    assert!(tlv::write(&[0x91], &[&made[..], &code].concat(), &mut icc));
    icc
}

#[test]
fn a_terminals_chip_makes_the_cryptogram_that_its_key_makes() {
    let mut terminal = signed_in_at(2);
    let sent = sell(&mut terminal, &Card::of(&visitor(VISITOR_A)), Entry::Chip);
    let tags = CRYPTOGRAM_TAGS.map(|tag| tag.iter().map(|byte| format!("{byte:02X}")).collect::<String>());
    let mut data: Vec<u8> = tags.iter().flat_map(|tag| object(&sent, tag)).collect();
    data.extend(Cvn::Visa10.tail(&object(&sent, "9F10")).unwrap());
    let (atc, unpredictable) = (object(&sent, "9F36"), object(&sent, "9F37"));
    assert_eq!((&atc[..], &unpredictable[..]), (&[0, 1][..], &[1, 2, 3, 4][..]), "its first, and the pad's number");
    let transaction =
        EmvTransaction { atc: atc.try_into().unwrap(), unpredictable: unpredictable.try_into().unwrap(), data: &data };
    let keys = demo_keys();
    let imk = keys.iter().find(|key| key.name.as_str() == "bank-a/imk").unwrap();
    let imk = DesKey::new(&imk.key).unwrap();
    let expected = card_cryptogram(&imk, &Cvn::Visa10.scheme(), &master().1, &transaction).unwrap();
    assert_eq!(object(&sent, "9F26"), expected);
    assert_eq!(sent.message.role(Role::CardSequence).unwrap().to_vec(), b"001");
    let track = sent.message.role(Role::Track2).unwrap().to_vec();
    assert_eq!(track, visitor(VISITOR_A).track2_equivalent().into_bytes());
}

#[test]
fn a_chips_counter_rises_over_power_cuts_and_its_number_is_not_in_the_file() {
    let mut terminal = signed_in_at(2);
    let (a, b) = (Card::of(&visitor(VISITOR_A)), Card::of(&visitor(VISITOR_B)));
    let mut counters = Vec::new();
    for (card, entry) in [(&a, Entry::Chip), (&a, Entry::Tap), (&b, Entry::Chip), (&a, Entry::Swipe), (&a, Entry::Chip)]
    {
        let sent = sell(&mut terminal, card, entry);
        if entry != Entry::Swipe {
            counters.push(object(&sent, "9F36")[1]);
        }
        terminal.not_sent(&sent);
        let file = terminal.to_json();
        assert!(!file.contains(VISITOR_A) && !file.contains(VISITOR_B));
        terminal = switched_on_again(&terminal);
    }
    assert_eq!(counters, [1, 2, 1, 3]);
    let older = signed_in_at(2).to_json();
    assert!(!older.contains("chips"), "a terminal without chips writes what it always wrote");
    let memory = Memory::from_json(&older, setup("pos").owner(), &pad()).unwrap();
    assert_eq!(memory.chips.refused, 0);
}

#[test]
fn a_chip_believes_its_issuer() {
    for entry in [Entry::Chip, Entry::Tap] {
        let mut terminal = signed_in_at(2);
        let sent = sell(&mut terminal, &Card::of(&visitor(VISITOR_A)), entry);
        let icc = said_to(&sent, *b"00");
        let unit = answer_to(&terminal, &sent, b"00", &[(Role::Icc, &icc)]);
        let answer = hear(&mut terminal, &sent, &unit);
        let expected = if entry == Entry::Chip { ChipCheck::Ok } else { ChipCheck::None };
        assert_eq!((answer.valid, answer.chip), (true, expected), "a contactless card is gone by then");
        assert!(terminal.memory().pending.is_none());
    }
}

#[test]
fn an_approval_that_the_chip_does_not_believe_is_undone_with_reason_06() {
    let mut terminal = signed_in_at(2);
    let sent = sell(&mut terminal, &Card::of(&visitor(VISITOR_A)), Entry::Chip);
    let mut icc = said_to(&sent, *b"00");
    icc[2] ^= 1;
    let approval = (Role::ApprovalCode, b"A12345".as_slice());
    let unit = answer_to(&terminal, &sent, b"00", &[approval, (Role::Icc, &icc)]);
    let answer = hear(&mut terminal, &sent, &unit);
    assert_eq!((answer.approved, answer.valid, answer.chip), (true, false, ChipCheck::Wrong));
    assert!(terminal.memory().log.slips.is_empty(), "no receipt");
    assert_eq!(terminal.memory().chips.refused, 1);
    let mut terminal = switched_on_again(&terminal);
    assert_eq!(terminal.memory().chips.refused, 1);
    let reversal = terminal.reversal(noon()).unwrap().unwrap();
    assert_eq!(reversal.message.role(Role::ResponseCode).unwrap().to_vec(), b"06");
    assert_eq!(terminal.memory().pending.as_ref().unwrap().approval, ApprovalCode::parse(b"A12345"));
    let unit = answer_to(&terminal, &reversal, b"00", &[]);
    assert!(hear(&mut terminal, &reversal, &unit).valid);
    assert!(terminal.memory().pending.is_none());
}

#[test]
fn a_chip_without_an_answer_goes_by_the_hosts_word_and_a_decline_leaves_nothing_to_undo() {
    let mut terminal = signed_in_at(2);
    let card = Card::of(&visitor(VISITOR_A));
    let sent = sell(&mut terminal, &card, Entry::Chip);
    let unit = answer_to(&terminal, &sent, b"00", &[]);
    let answer = hear(&mut terminal, &sent, &unit);
    assert_eq!((answer.valid, answer.chip), (true, ChipCheck::Missing));
    let sent = sell(&mut terminal, &card, Entry::Chip);
    let mut icc = said_to(&sent, *b"05");
    icc[2] ^= 1;
    let unit = answer_to(&terminal, &sent, b"51", &[(Role::Icc, &icc)]);
    let answer = hear(&mut terminal, &sent, &unit);
    assert_eq!((answer.approved, answer.valid, answer.chip), (false, true, ChipCheck::Wrong));
    assert!(terminal.memory().pending.is_none());
}

#[test]
fn chips_and_banks_understand_each_other_through_the_switch() {
    for door in ["pos", "host"] {
        let rig = Rig::start(2_000);
        let folder = tempfile::tempdir().unwrap();
        let run = |arguments: &[&str]| run_at(&rig, door, folder.path(), arguments);
        for card in ["visitor-a", "visitor-b", "visitor-c"] {
            let sale = |more: &[&str]| run(&[&["sale", "10.00", "--card", card][..], more].concat());
            let (exit, out) = sale(&[]);
            assert_eq!((exit, out.contains("ARPC ok")), (Exit::Ok, true), "{card} at {door}: {out}");
            for entry in ["swipe", "tap"] {
                let (exit, out) = sale(&["--entry", entry]);
                assert_eq!((exit, out.contains("ARPC")), (Exit::Ok, false), "{card} at {door} by {entry}: {out}");
            }
            let refused: [(&[&str], &str); 5] = [
                (&["--bad-arqc"], " 05 "),
                (&["--bad-arqc", "--entry", "tap"], " 05 "),
                (&["--bad-cvv"], " 59 "),
                (&["--bad-cvv", "--entry", "swipe"], " 59 "),
                (&["--pin", "9999"], " 55 "),
            ];
            for (switches, code) in refused {
                let (exit, out) = sale(switches);
                assert_eq!((exit, out.contains(code)), (Exit::No, true), "{card} at {door}, {switches:?}: {out}");
            }
        }
        rig.await_undone();
        assert_eq!((Rig::booked(&rig.bank_a), Rig::booked(&rig.bank_b)), (3 * 10_00, 6 * 10_00));
    }
}

#[test]
fn what_a_chip_does_not_believe_is_undone_at_its_bank() {
    for door in ["pos", "host"] {
        let rig = Rig::start(2_000);
        let folder = tempfile::tempdir().unwrap();
        let run = |arguments: &[&str]| run_at(&rig, door, folder.path(), arguments);
        for card in ["visitor-a", "visitor-b", "visitor-c"] {
            let (exit, out) = run(&["sale", "666.11", "--card", card]);
            assert_eq!(exit, Exit::No, "{card} at {door}: {out}");
            assert!(out.contains("ARPC WRONG") && out.contains("the chip does not believe"), "{card} at {door}: {out}");
            let (exit, out) = run(&["sale", "1.00", "--card", card]);
            assert_eq!((exit, out.contains("reversal  666.11")), (Exit::Ok, true), "{card} at {door}: {out}");
        }
        let (_, out) = run(&["log"]);
        assert!(out.contains("answers that a chip refused: 3"), "{out}");
        rig.await_undone();
        assert_eq!((Rig::booked(&rig.bank_a), Rig::booked(&rig.bank_b)), (1_00, 2_00), "at {door}");
    }
}
