//! A code that the customer shows is the card: routed by its digits, named by its voucher afterwards.

use super::peer::{Peer, answer};
use super::rig::{Recipe, Rig};
use super::slip::{APPROVAL, Slip, last, selling};
use tollgate::iso8583::Role;
use tollgate::ledger::Effect;
use tollgate::model::Kind;
use tollgate::model::Product;
use tollgate::model::ResponseCode::{
    Approved, CardInvalid, FormatError, IssuerUnknown, OriginalNotFound, RelatedInvalid,
};

const CODE: &[u8] = b"62212345678901234567";
const VOUCHER: &[u8] = b"20261122000000000007";
const BINS: &str =
    "prefix,issuer,fallback,product,organisation\n62212,bank-a,,qr,\n62,bank-a,,debit,\n4,bank-b,,credit,VIS\n";

/// A station whose bank A gives a voucher for a code that it was given whole.
fn station() -> (Rig, Peer) {
    let peer = Peer::start(|side, message, _| {
        let code = message.role(Role::PaymentCode);
        let voucher: &[(Role, &[u8])] = &[(Role::ApprovalCode, APPROVAL), (Role::Voucher, VOUCHER)];
        match message.dialect().kind_of(message) {
            Some(Kind::Sale) if code.is_some_and(|code| code.as_bytes() == CODE) => {
                vec![answer(side, message, "00", voucher)]
            }
            Some(Kind::SaleVoid | Kind::Refund) => {
                let known = message.role(Role::Voucher).is_some_and(|voucher| voucher.as_bytes() == VOUCHER);
                vec![answer(side, message, if known { "00" } else { "25" }, &[(Role::ApprovalCode, APPROVAL)])]
            }
            _ => vec![answer(side, message, "00", &[(Role::ApprovalCode, APPROVAL)])],
        }
    });
    let rig = Rig::of(&Recipe { in_place_of_a: Some(peer.address), bins: BINS, ..Recipe::default() });
    (rig, peer)
}

fn scanned(stan: u32, minor: u64) -> Slip<'static> {
    Slip::new(Kind::Sale, stan, minor).says(Role::EntryMode, b"032").says(Role::PaymentCode, CODE)
}

fn of_voucher(kind: Kind, stan: u32, minor: u64) -> Slip<'static> {
    Slip::new(kind, stan, minor).says(Role::EntryMode, b"032").says(Role::Voucher, VOUCHER)
}

#[test]
fn a_scanned_code_is_sold_on_and_voided_by_its_voucher() {
    let (rig, _peer) = station();
    let mut till = selling(&rig, 10_000_001);
    let told = scanned(901, 8_00).send(&mut till);
    assert_eq!(told.code, Some(Approved));
    assert_eq!(told.message.role(Role::Voucher).unwrap().as_bytes(), VOUCHER, "the terminal prints it");
    let sale = last(&rig, Kind::Sale);
    assert_eq!(sale.intent.card.product, Product::Qr);
    assert!(!format!("{sale:?}").contains("2345678901"), "a code is kept as a card number is");
    assert_eq!(of_voucher(Kind::SaleVoid, 902, 8_00).code(&mut till), Approved);
    assert_eq!(last(&rig, Kind::Sale).effect, Effect::Voided);
    assert_eq!(of_voucher(Kind::Refund, 903, 1_00).code(&mut till), RelatedInvalid, "it is voided");
}

#[test]
fn a_payment_by_code_is_refunded_by_its_voucher_and_by_no_other() {
    let (rig, _peer) = station();
    let mut till = selling(&rig, 10_000_001);
    assert_eq!(scanned(901, 8_00).code(&mut till), Approved);
    let unknown = Slip::new(Kind::Refund, 902, 1_00).says(Role::EntryMode, b"032").says(Role::Voucher, b"1234567890");
    assert_eq!(unknown.code(&mut till), OriginalNotFound);
    assert_eq!(of_voucher(Kind::Refund, 903, 5_00).code(&mut till), Approved);
    assert_eq!(of_voucher(Kind::Refund, 904, 3_00).code(&mut till), Approved);
}

#[test]
fn a_code_that_is_none_or_that_nobody_issued_is_refused() {
    let (rig, _peer) = station();
    let mut till = selling(&rig, 10_000_001);
    let of = |code: &'static [u8], stan| Slip::new(Kind::Sale, stan, 8_00).says(Role::PaymentCode, code);
    assert_eq!(of(b"1234", 901).code(&mut till), FormatError);
    assert_eq!(of(b"28123456789012345678", 902).code(&mut till), IssuerUnknown);
    assert_eq!(of(b"6225000000000253000", 903).code(&mut till), CardInvalid, "a bank card's number is no code");
}
