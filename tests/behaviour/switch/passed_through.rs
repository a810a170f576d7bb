//! What the switch hands on as it is, from a cn-pos door to the issuer: plans of instalments, reservations, and what
//! a chip made of a script.

use super::CARD_A;
use super::peer::{Peer, answer};
use super::rig::{Recipe, Rig};
use super::slip::{APPROVAL, Slip, last, selling};
use parking_lot::Mutex;
use std::sync::Arc;
use tollgate::iso8583::Role;
use tollgate::ledger::Effect;
use tollgate::model::Kind;
use tollgate::model::ResponseCode::Approved;

const PLAN: &[u8] = b"12PROJECT0000000000000000000000";
/// Script results, verification results, and a card number that goes nowhere.
const CHIP: &[u8] = &[0xDF, 0x31, 5, 0x20, 1, 2, 3, 4, 0x95, 5, 0, 0, 4, 8, 0, 0x5A, 2, 0x62, 0x25];

/// What the bank was told: kind, and these elements.
type Told = Arc<Mutex<Vec<(Kind, Vec<Option<Vec<u8>>>)>>>;

/// A station whose bank A says yes and writes these elements down.
fn station(roles: &'static [Role]) -> (Rig, Peer, Told) {
    let told = Told::default();
    let notes = Arc::clone(&told);
    let peer = Peer::start(move |side, message, _| {
        let values = roles.iter().map(|role| message.role(*role).map(|value| value.to_vec())).collect();
        notes.lock().push((message.dialect().kind_of(message).unwrap(), values));
        vec![answer(side, message, "00", &[(Role::ApprovalCode, APPROVAL)])]
    });
    let rig = Rig::of(&Recipe { in_place_of_a: Some(peer.address), ..Recipe::default() });
    (rig, peer, told)
}

/// What the bank was told of these kinds.
fn of_kinds(told: &Told, kinds: &[Kind]) -> Vec<(Kind, Vec<Option<Vec<u8>>>)> {
    told.lock().iter().filter(|(kind, _)| kinds.contains(kind)).cloned().collect()
}

fn sale(stan: u32, condition: &'static [u8]) -> Slip<'static> {
    Slip::new(Kind::Sale, stan, 60_00).says(Role::Pan, CARD_A.as_bytes()).says(Role::ConditionCode, condition)
}

fn void<'a>(stan: u32, condition: &'a [u8], of: &'a [u8]) -> Slip<'a> {
    Slip::new(Kind::SaleVoid, stan, 60_00)
        .says(Role::Pan, CARD_A.as_bytes())
        .says(Role::ConditionCode, condition)
        .says(Role::OriginalRrn, of)
}

#[test]
fn a_sale_in_instalments_is_a_sale_whose_plan_reaches_the_issuer() {
    let (rig, _peer, told) = station(&[Role::ConditionCode, Role::InstalmentData]);
    let mut till = selling(&rig, 10_000_001);
    let answer = sale(901, b"64").says(Role::InstalmentData, PLAN).send(&mut till);
    assert_eq!((answer.code, answer.valid), (Some(Approved), true));
    let rrn = answer.rrn.unwrap();
    let undo = void(902, b"64", rrn.as_bytes()).says(Role::InstalmentData, PLAN);
    assert_eq!(undo.code(&mut till), Approved);
    assert_eq!(last(&rig, Kind::Sale).effect, Effect::Voided);
    let both = vec![Some(b"64".to_vec()), Some(PLAN.to_vec())];
    let kinds = [Kind::Sale, Kind::SaleVoid];
    assert_eq!(of_kinds(&told, &kinds), kinds.map(|kind| (kind, both.clone())));
}

#[test]
fn a_sale_of_a_reservation_is_a_sale_and_voided_as_one() {
    let (rig, _peer, told) = station(&[Role::ConditionCode]);
    let mut till = selling(&rig, 10_000_001);
    let answer = sale(901, b"67").says(Role::MessageTypeCode, b"54").send(&mut till);
    assert_eq!((answer.code, answer.valid), (Some(Approved), true));
    let rrn = answer.rrn.unwrap();
    let undo = void(902, b"67", rrn.as_bytes()).says(Role::MessageTypeCode, b"53");
    assert_eq!(undo.code(&mut till), Approved);
    assert_eq!(last(&rig, Kind::Sale).effect, Effect::Voided);
    let kinds = [Kind::Sale, Kind::SaleVoid];
    assert_eq!(of_kinds(&told, &kinds), kinds.map(|kind| (kind, vec![Some(b"67".to_vec())])));
}

/// Elements 2 3 4 11 22 23 37 38 41 42 49 55 60 61 and 64.
#[test]
fn what_a_chip_made_of_a_script_is_told_with_the_sale_it_belongs_to() {
    let (rig, peer, told) = station(&[Role::Icc, Role::CardSequence, Role::Amount]);
    let mut till = selling(&rig, 10_000_001);
    let sent = sale(900, b"00").signed(&till);
    let sold = till.exchange(&sent);
    let (rrn, batch) = (sold.rrn.unwrap(), sent.message.role(Role::Batch).unwrap().to_vec());
    let notice = Slip::new(Kind::ScriptNotice, 901, 60_00)
        .says(Role::Pan, CARD_A.as_bytes())
        .says(Role::CardSequence, b"001")
        .says(Role::OriginalRrn, rrn.as_bytes())
        .says(Role::ApprovalCode, APPROVAL)
        .says(Role::OriginalBatch, &batch)
        .says(Role::OriginalStan, b"000900")
        .says(Role::Icc, CHIP);
    let (first, again) = (notice.send(&mut till), notice.send(&mut till));
    assert_eq!((first.code, first.valid), (Some(Approved), true));
    assert_eq!(first.message.mti().unwrap().to_string(), "0630");
    assert_eq!(first.rrn, again.rrn, "a copy is the same notice");
    rig.await_undone();
    let expected = vec![Some(CHIP[..15].to_vec()), Some(b"001".to_vec()), Some(b"000000006000".to_vec())];
    assert_eq!(of_kinds(&told, &[Kind::ScriptNotice]), [(Kind::ScriptNotice, expected)]);
    let seen = |kind| peer.seen().into_iter().find(|seen| seen.kind == kind).unwrap();
    assert_eq!(seen(Kind::ScriptNotice).original_stan, Some(seen(Kind::Sale).stan));
    assert_eq!(last(&rig, Kind::Sale).effect, Effect::Live, "it moves nothing");
    let of_another = Slip::new(Kind::ScriptNotice, 902, 0).says(Role::Pan, CARD_A.as_bytes()).says(Role::Icc, CHIP);
    assert_eq!(of_another.code(&mut till), Approved, "what names no sale is told too");
}
