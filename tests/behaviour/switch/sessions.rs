//! Who may speak: sign-in, keys, MACs, terminals and merchants.

use super::CARD_A;
use super::rig::{Rig, Till, now};
use tollgate::model::Kind;
use tollgate::model::MerchantId;
use tollgate::model::ResponseCode;
use tollgate::sim::terminal::Setup;

const SALE: Kind = Kind::Sale;

#[test]
fn an_echo_is_answered_before_any_sign_in() {
    let rig = Rig::start(5_000);
    let mut till = rig.terminal(10_000_001);
    let echo = till.terminal.echo(now()).unwrap();
    assert_eq!(till.exchange(&echo).code, Some(ResponseCode::Approved));
}

#[test]
fn a_wrong_mac_is_a0_and_nothing_is_recorded() {
    let rig = Rig::start(5_000);
    let mut till = rig.signed_in(10_000_001);
    let before = rig.records().len();
    let sent = till.prepare(SALE, 10_00, CARD_A).with_wrong_mac();
    assert_eq!(till.exchange(&sent).code, Some(ResponseCode::MacFailure));
    assert_eq!((rig.records().len(), Rig::booked(&rig.bank_a)), (before, 0));
}

#[test]
fn keys_of_the_sign_in_before_serve_until_the_new_ones_are_used() {
    let rig = Rig::start(5_000);
    let mut old = rig.signed_in(10_000_001);
    assert_eq!(old.ask(SALE, 10_00, CARD_A).code, Some(ResponseCode::Approved));
    // Anyone can send a sign-in: it carries no MAC. The terminal must not be locked out by it.
    let mut new = rig.terminal(10_000_001);
    // Four times: its numbers must not be those that the other one used.
    (0..4).for_each(|_| new.sign_in());
    assert_eq!(old.ask(SALE, 10_00, CARD_A).code, Some(ResponseCode::Approved));
    // The new keys in use end the old ones, after a while.
    assert_eq!(new.ask(Kind::Balance, 0, CARD_A).code, Some(ResponseCode::Approved));
}

#[test]
fn another_terminals_merchant_is_03() {
    let rig = Rig::start(5_000);
    let setup = rig.terminal(10_000_001).terminal.setup().clone();
    let stranger = MerchantId::parse(b"898110054110002").unwrap();
    let mut till = Till::of(&rig, Setup { merchant: stranger, ..setup }, "pos");
    let sent = till.terminal.sign_in(now()).unwrap();
    assert_eq!(till.exchange(&sent).code, Some(ResponseCode::MerchantInvalid));
}

#[test]
fn the_host_door_needs_no_sign_in() {
    let rig = Rig::start(5_000);
    let mut till = Till::new(&rig, 10_000_002, "host");
    let answer = till.ask(SALE, 12_00, CARD_A);
    assert_eq!((answer.code, answer.valid), (Some(ResponseCode::Approved), true));
    assert!(till.terminal.undo_last());
    let advice = till.terminal.reversal(now()).unwrap().unwrap();
    assert_eq!(advice.mti.as_str(), "0420");
    assert_eq!(till.exchange(&advice).code, Some(ResponseCode::Approved));
    rig.await_undone();
    assert_eq!(Rig::booked(&rig.bank_a), 0);
}

#[test]
fn an_authorization_holds_and_a_track_may_come_enciphered() {
    let rig = Rig::start(5_000);
    let setup = Setup { encrypt_tracks: true, ..rig.terminal(10_000_003).terminal.setup().clone() };
    let mut till = Till::of(&rig, setup, "pos");
    till.sign_in();
    assert!(till.terminal.pad().has_track_key());
    assert_eq!(till.ask(Kind::Authorization, 30_00, CARD_A).code, Some(ResponseCode::Approved));
    assert_eq!(Rig::booked(&rig.bank_a), 30_00);
}

#[test]
fn a_sign_off_stops_sales_but_neither_repeats_nor_reversals() {
    let rig = Rig::start(5_000);
    let mut till = rig.signed_in(10_000_001);
    let sale = till.prepare(SALE, 10_00, CARD_A);
    till.send(&sale.unit);
    let first = till.receive().unwrap();
    assert_eq!(till.judge(&sale, first.clone()).code, Some(ResponseCode::Approved));
    sign_off(&mut till);
    till.send(&sale.unit);
    assert_eq!(till.receive().unwrap(), first, "a repeat gets the recorded answer");
    assert_eq!(till.ask(SALE, 11_00, CARD_A).code, Some(ResponseCode::SignInRequired));
    // It does not keep a terminal from undoing.
    let mut other = rig.signed_in(10_000_002);
    other.ask(SALE, 12_00, CARD_A);
    sign_off(&mut other);
    assert!(other.terminal.undo_last());
    let reversal = other.terminal.reversal(now()).unwrap().unwrap();
    assert_eq!(other.exchange(&reversal).code, Some(ResponseCode::Approved));
    rig.await_undone();
    assert_eq!(Rig::booked(&rig.bank_a), 10_00);
}

/// A sign-off that proves itself by a MAC.
pub(super) fn sign_off(till: &mut Till) {
    assert_eq!(super::sign_ins::sign_off(till, Some(true)), Some(ResponseCode::Approved));
}

#[test]
fn anothers_sign_in_does_not_take_a_terminals_first_keys_away() {
    let rig = Rig::start(5_000);
    let mut till = rig.signed_in(10_000_004);
    rig.terminal(10_000_004).sign_in();
    assert_eq!(till.ask(SALE, 10_00, CARD_A).code, Some(ResponseCode::Approved));
}
