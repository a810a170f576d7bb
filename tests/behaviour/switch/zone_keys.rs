//! Zone keys change on the wire: both sides use the new one, and wherever it breaks off they can still talk.

use super::peer::{Peer, answer};
use super::rig::{KEPT, OpenBank, Recipe, Rig, await_that};
use super::{CARD_A, CARD_B};
use crate::switch_side::SwitchSide;
use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;
use tollgate::hsm::KeyAlgorithm;
use tollgate::hsm::KeyUsage;
use tollgate::hsm::WrappedKey;
use tollgate::hsm::ZoneKeyText;
use tollgate::hsm::calculator::CipherKey;
use tollgate::hsm::calculator::keys::KcvMethod;
use tollgate::hsm::calculator::keys::check_value;
use tollgate::hsm::calculator::keys::wrap_ecb;
use tollgate::iso8583::Mti;
use tollgate::iso8583::Role;
use tollgate::model::IssuerName;
use tollgate::model::Kind;
use tollgate::model::ResponseCode;
use tollgate::model::ZoneFacts;
use tollgate::registry::Breaches;
use tollgate::registry::Source;
use tollgate::server::config::key_rows;
use tollgate::sim::issuer;

const APPROVED: Option<ResponseCode> = Some(ResponseCode::Approved);
const OVERLAP: &str = "master_key = \"bank-a/zmk\"\n";

/// A station whose banks take new keys.
fn rig() -> Rig {
    Rig::of(&Recipe { tables: KEPT, bank_a: OVERLAP, bank_b: "master_key = \"bank-b/zmk\"\n", ..Recipe::default() })
}

/// What the station says to an operator who wants a new key.
fn change(rig: &Rig, issuer: &str, which: &str) -> Value {
    let order = format!(
        "{{\"do\":\"change-key\",\"issuer\":\"{issuer}\",\"which\":\"{which}\",\"actor\":\"alice\",\"reason\":\"r\"}}\n"
    );
    let mut stream = UnixStream::connect(rig.file("ledger").join("control.sock")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(order.as_bytes()).unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    serde_json::from_str(&answer).unwrap()
}

/// The change, once the link of the station's own worker is up.
fn changed(rig: &Rig, issuer: &str, which: &str) -> Value {
    let mut said = Value::Null;
    await_that("the key is changed", || {
        said = change(rig, issuer, which);
        said["ok"] == true
    });
    said
}

fn facts(rig: &Rig, issuer: &str) -> ZoneFacts {
    use tollgate::ledger::Ledger;
    let name = IssuerName::parse(issuer).unwrap();
    rig.ledger().zones().into_iter().find(|(known, _)| *known == name).map(|(_, facts)| facts).unwrap_or_default()
}

fn failures(bank: &OpenBank) -> u64 {
    bank.0.stats().mac_failures
}

#[test]
fn both_keys_of_both_banks_change_and_trade_goes_on_without_a_wrong_mac_or_pin() {
    let rig = rig();
    let mut till = rig.signed_in(10_000_001);
    for (issuer, bank, card) in [("bank-a", &rig.bank_a, CARD_A), ("bank-b", &rig.bank_b, CARD_B)] {
        for (which, round) in [("mac", 1), ("pin", 1), ("mac", 2), ("pin", 2)] {
            let said = changed(&rig, issuer, which);
            assert_eq!(said["generation"], round, "{issuer} {which}");
            assert_eq!(said["check"].as_str().unwrap().len(), 6);
            assert_eq!(till.ask(Kind::Sale, 100, card).code, APPROVED, "{issuer} {which}");
        }
        assert_eq!(failures(bank), 0, "{issuer}");
        let facts = facts(&rig, issuer);
        for line in [facts.mac.unwrap(), facts.pin.unwrap()] {
            assert_eq!((line.current.generation, line.pending), (2, None));
        }
    }
}

#[test]
fn a_new_key_lasts_over_a_restart() {
    let mut rig = rig();
    changed(&rig, "bank-a", "mac");
    changed(&rig, "bank-a", "pin");
    rig.stop();
    rig.start_again();
    rig.await_links();
    let mut till = rig.signed_in(10_000_001);
    assert_eq!(till.ask(Kind::Sale, 100, CARD_A).code, APPROVED);
    assert_eq!(failures(&rig.bank_a), 0);
}

#[test]
fn an_unanswered_change_is_tried_again_with_the_same_key_and_the_old_one_is_used_until_then() {
    let silent = Peer::start(|_, _, _| Vec::new());
    let rig = Rig::of(&Recipe {
        timeout_ms: 500,
        tables: KEPT,
        bank_a: OVERLAP,
        in_place_of_a: Some(silent.address),
        ..Recipe::default()
    });
    await_that("it was sent", || {
        change(&rig, "bank-a", "mac")["error"].as_str().unwrap().contains("no answer that verifies")
    });
    let first = facts(&rig, "bank-a").mac.unwrap();
    assert_eq!(first.current.generation, 0);
    let pending = first.pending.clone().unwrap();
    assert_eq!(pending.generation, 1);
    assert_eq!(change(&rig, "bank-a", "mac")["ok"], false);
    let again = facts(&rig, "bank-a").mac.unwrap().pending.unwrap();
    assert_eq!(again, pending, "no key after key for an issuer that does not answer");
}

#[test]
fn an_issuer_that_lost_its_answer_on_the_way_is_understood_under_the_new_key() {
    let mut rig = rig();
    changed(&rig, "bank-a", "mac");
    // The answer did not come: as if the switch had died before it.
    let name = IssuerName::parse("bank-a").unwrap();
    let known = facts(&rig, "bank-a");
    let mut line = known.mac.clone().unwrap();
    line.pending = Some(std::mem::replace(&mut line.current, line.before.take().unwrap()));
    line.before_until = None;
    let lost = ZoneFacts { version: known.version + 1, mac: Some(line), ..known };
    rig.note_zone(&name, lost);
    rig.stop();
    rig.start_again();
    rig.await_links();
    let mut till = rig.signed_in(10_000_001);
    assert_eq!(till.ask(Kind::Sale, 100, CARD_A).code, APPROVED);
    let line = facts(&rig, "bank-a").mac.unwrap();
    assert_eq!((line.current.generation, line.pending), (1, None), "its own MAC proved it");
}

/// A MAC key that bank A made, under the demo's ZMK; nobody's secret.
const OFFERED: [u8; 16] = *b"an issuer's zak!";

/// How a bank's key change is spoilt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Spoilt {
    No,
    /// Its element is none.
    Element,
    /// The check value is another key's.
    Check,
    /// It is a good key, of the other family than the MACs of this zone are made with.
    Algorithm,
    /// Of the right family and another length.
    Length,
    /// It has no MAC.
    Unsigned,
    /// Its MAC does not hold.
    WrongMac,
}

/// Bank A's key change: its new MAC key, signed under the one in use.
fn offer(side: &SwitchSide, spoilt: Spoilt) -> Bytes {
    let keys = key_rows(Source { file: "keys.csv", text: issuer::DEMO_KEYS }, &mut Breaches::default());
    let zmk = keys.iter().find(|key| key.name.as_str() == "bank-a/zmk").unwrap();
    let kek = CipherKey::new(KeyAlgorithm::Aes256, &zmk.key).unwrap();
    let long = [OFFERED, *b"and half as long"].concat();
    let (algorithm, offered) = match spoilt {
        Spoilt::Algorithm => (KeyAlgorithm::Tdes2, &OFFERED[..]),
        Spoilt::Length => (KeyAlgorithm::Aes256, &long[..]),
        _ => (KeyAlgorithm::Aes128, &OFFERED[..]),
    };
    let key = CipherKey::new(algorithm, offered).unwrap();
    let text = ZoneKeyText {
        usage: KeyUsage::Mac,
        algorithm,
        wrapped: WrappedKey::new(wrap_ecb(&kek, offered).unwrap().into()),
        check: check_value(&key, KcvMethod::usual(&key), 3).unwrap(),
    };
    let mut builder = side.profile.dialect.build(Mti::parse(b"0800").unwrap());
    builder.role(Role::Stan, b"000777").unwrap();
    builder.role(Role::TransmissionTime, b"1122103000").unwrap();
    builder.role(Role::NetworkCode, b"161").unwrap();
    let mut text = text.write().unwrap();
    match spoilt {
        Spoilt::Element => text = text.replacen("M0A16", "M0A32", 1),
        Spoilt::Check => text.replace_range(text.len() - 6.., "000000"),
        Spoilt::No | Spoilt::Algorithm | Spoilt::Length | Spoilt::Unsigned | Spoilt::WrongMac => {}
    }
    builder.role(Role::ZoneKey, text.as_bytes()).unwrap();
    let unit = match spoilt {
        Spoilt::Unsigned => side.sign(builder),
        Spoilt::WrongMac => side.sign_wrongly(builder),
        _ => side.sign_always(builder),
    };
    side.profile.enclose(&unit, None).unwrap()
}

#[test]
fn an_issuer_sends_a_new_key_itself_and_is_answered_once_it_is_kept() {
    let codes: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = Arc::clone(&codes);
    let bank = Peer::start(move |side, message, _| {
        if message.mti().unwrap().is_response() {
            let code = message.role(Role::ResponseCode).unwrap();
            heard.lock().push(code.as_str().unwrap().to_owned());
            return Vec::new();
        }
        // Twice: its own repeat of what was not answered in time.
        vec![answer(side, message, "00", &[]), offer(side, Spoilt::No), offer(side, Spoilt::No)]
    });
    let recipe = Recipe { tables: KEPT, bank_a: OVERLAP, in_place_of_a: Some(bank.address), ..Recipe::default() };
    let rig = Rig::of(&recipe);
    let mut till = rig.signed_in(10_000_001);
    await_that("it was asked", || till.ask(Kind::Balance, 0, CARD_A).code == APPROVED);
    await_that("both were answered", || codes.lock().len() >= 2);
    assert!(codes.lock().iter().all(|code| code == "00"), "{:?}", codes.lock());
    let line = facts(&rig, "bank-a").mac.unwrap();
    assert_eq!((line.current.generation, line.before.unwrap().generation), (1, 0), "the same key again is no new one");
}

#[test]
fn what_cannot_be_changed_is_said() {
    let rig = Rig::kept(5_000);
    for (issuer, which, why) in [
        ("bank-a", "mac", "no master_key"),
        ("bank-x", "mac", "no such issuer"),
        ("bank-a", "data", "a pin key and a mac key"),
        ("BANK A", "pin", "an issuer's name"),
    ] {
        let said = change(&rig, issuer, which);
        assert_eq!(said["ok"], false);
        assert!(said["error"].as_str().unwrap().contains(why), "{said}");
    }
}

#[test]
fn an_issuers_key_that_is_none_is_refused_and_one_without_a_mac_is_not_even_answered() {
    for (spoilt, codes) in [
        (Spoilt::Element, &["30", "00"][..]),
        (Spoilt::Check, &["A7", "00"]),
        (Spoilt::Algorithm, &["A7", "00"]),
        (Spoilt::Length, &["A7", "00"]),
        (Spoilt::Unsigned, &["00"]),
        (Spoilt::WrongMac, &["00"]),
    ] {
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = Arc::clone(&heard);
        let bank = Peer::start(move |side, message, _| {
            if message.mti().unwrap().is_response() {
                let code = message.role(Role::ResponseCode).unwrap();
                noted.lock().push(code.as_str().unwrap().to_owned());
                return Vec::new();
            }
            // Behind the spoilt one a right one: when that is answered, the first was as far as it gets.
            vec![answer(side, message, "00", &[]), offer(side, spoilt), offer(side, Spoilt::No)]
        });
        let recipe = Recipe { tables: KEPT, bank_a: OVERLAP, in_place_of_a: Some(bank.address), ..Recipe::default() };
        let rig = Rig::of(&recipe);
        let mut till = rig.signed_in(10_000_001);
        await_that("it was asked", || till.ask(Kind::Balance, 0, CARD_A).code == APPROVED);
        await_that("the right one was answered", || heard.lock().iter().any(|code| code == "00"));
        assert_eq!(*heard.lock(), codes, "{spoilt:?}");
        assert_eq!(facts(&rig, "bank-a").mac.unwrap().current.generation, 1, "{spoilt:?}");
    }
}

#[test]
fn a_key_that_the_issuer_refuses_is_dropped_and_the_old_one_stays() {
    refused_with("A7", "another master key");
}

#[test]
fn an_issuer_that_changes_no_keys_is_told_by_what_it_lacks() {
    refused_with("40", "NAME/zmk");
}

fn refused_with(code: &'static str, why: &str) {
    let bank = Peer::start(move |side, message, _| match message.dialect().kind_of(message) {
        Some(Kind::KeyChange) => {
            let unit = side.sign_always({
                let mti = message.mti().unwrap().response();
                let mut builder = message.dialect().build(mti);
                for de in message.dialect().echo(mti) {
                    builder.copy(*de, message).unwrap();
                }
                builder.role(Role::ResponseCode, code.as_bytes()).unwrap();
                builder
            });
            vec![side.profile.enclose(&unit, None).unwrap()]
        }
        _ => vec![answer(side, message, "00", &[])],
    });
    let recipe = Recipe { tables: KEPT, bank_a: OVERLAP, in_place_of_a: Some(bank.address), ..Recipe::default() };
    let rig = Rig::of(&recipe);
    await_that("it was refused", || {
        let said = change(&rig, "bank-a", "mac");
        let said = said["error"].as_str().unwrap();
        said.contains(&format!("refuses the key: {code}")) && said.contains(why)
    });
    let line = facts(&rig, "bank-a").mac.unwrap();
    assert_eq!((line.current.generation, line.pending, line.before), (0, None, None));
    let mut till = rig.signed_in(10_000_001);
    await_that("it goes on", || till.ask(Kind::Balance, 0, CARD_A).code == APPROVED);
}

#[test]
fn an_issuer_changes_both_keys_again_and_again_and_both_sides_restart_meanwhile() {
    let mut rig = rig();
    let books = rig.file("bank-a.log");
    rig.bank_a.0.keep_books(&books).unwrap();
    let generation = |rig: &Rig, usage: KeyUsage| {
        let facts = facts(rig, "bank-a");
        let line = if usage == KeyUsage::Mac { facts.mac } else { facts.pin };
        line.map_or(0, |line| line.current.generation)
    };
    let give = |rig: &Rig, usage: KeyUsage| {
        let before = generation(rig, usage);
        await_that("the station has the issuer's new key", || {
            rig.bank_a.1.as_ref().unwrap().offer_key(usage);
            generation(rig, usage) > before
        });
    };
    let mut till = rig.signed_in(10_000_001);
    for usage in [KeyUsage::Mac, KeyUsage::Pin, KeyUsage::Mac] {
        give(&rig, usage);
        assert_eq!(till.ask(Kind::Sale, 100, CARD_A).code, APPROVED, "{usage:?}");
    }
    // The station's own change follows the issuer's, and the other way round.
    changed(&rig, "bank-a", "mac");
    changed(&rig, "bank-a", "pin");
    give(&rig, KeyUsage::Pin);
    assert_eq!(till.ask(Kind::Sale, 100, CARD_A).code, APPROVED);
    assert_eq!(failures(&rig.bank_a), 0);
    rig.stop();
    rig.start_again();
    rig.await_links();
    let mut till = rig.signed_in(10_000_002);
    assert_eq!(till.ask(Kind::Sale, 100, CARD_A).code, APPROVED);
    // The issuer's process ends and another goes on with its books.
    let address = rig.bank_a.1.as_ref().unwrap().address();
    rig.bank_a.1 = None;
    rig.bank_a.0 = super::rig::bank("bank-a").0;
    assert!(rig.bank_a.0.keep_books(&books).unwrap() > 0);
    Rig::reopen(&mut rig.bank_a, address);
    await_that("the issuer is there again", || till.ask(Kind::Sale, 100, CARD_A).code == APPROVED);
    assert_eq!(failures(&rig.bank_a), 0, "it knows the newest keys");
    give(&rig, KeyUsage::Mac);
    assert_eq!(till.ask(Kind::Sale, 100, CARD_A).code, APPROVED);
}

#[test]
fn an_issuer_that_lost_its_new_key_is_asked_again_under_the_one_before() {
    let mut rig = rig();
    let mut till = rig.signed_in(10_000_001);
    assert_eq!(till.ask(Kind::Sale, 100, CARD_A).code, APPROVED);
    changed(&rig, "bank-a", "mac");
    // A bank of the same name that keeps no books: it is where it was before the change.
    let address = rig.bank_a.1.as_ref().unwrap().address();
    rig.bank_a.1 = None;
    rig.bank_a.0 = super::rig::bank("bank-a").0;
    Rig::reopen(&mut rig.bank_a, address);
    await_that("it is asked again", || till.ask(Kind::Sale, 100, CARD_A).code == APPROVED);
    assert!(failures(&rig.bank_a) > 0, "under the newest key it was not understood");
}
