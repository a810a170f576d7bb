//! Store-and-forward against issuers that refuse, keep silent, or have never heard of it.

use super::CARD_A;
use super::peer::{Peer, Seen, answer};
use super::rig::{Recipe, Rig, await_that};
use tollgate::iso8583::Role;
use tollgate::ledger::Effect;
use tollgate::ledger::Ledger;
use tollgate::ledger::Owed;
use tollgate::model::Kind;
use tollgate::model::ResponseCode;

const SALE: Kind = Kind::Sale;

/// The reversals of one terminal, in the order in which they came.
fn reversals(peer: &Peer, terminal: &str) -> Vec<Seen> {
    peer.seen().into_iter().filter(|seen| seen.kind == Kind::Reversal && seen.terminal == terminal).collect()
}

/// A station whose bank A never answers a sale, and answers reversals as `code` says of terminal and how many
/// came of it before.
fn silent_but(code: impl Fn(&str, usize) -> Option<&'static str> + Send + Sync + 'static) -> (Rig, Peer) {
    let peer = Peer::start(move |side, message, before| {
        if message.dialect().kind_of(message) != Some(Kind::Reversal) {
            return Vec::new();
        }
        let terminal = message.role(Role::Terminal).unwrap();
        let terminal = terminal.as_str().unwrap();
        let earlier = before.iter().filter(|seen| seen.kind == Kind::Reversal && seen.terminal == terminal).count();
        code(terminal, earlier).map(|code| answer(side, message, code, &[])).into_iter().collect()
    });
    let rig = Rig::of(&Recipe { timeout_ms: 500, in_place_of_a: Some(peer.address), ..Recipe::default() });
    (rig, peer)
}

#[test]
fn what_is_refused_for_ever_is_a_dead_letter_and_what_must_wait_holds_nobody_else_back() {
    let (rig, peer) = silent_but(|terminal, _| {
        Some(match terminal {
            "10000021" => "30",
            "10000022" => "ZZ",
            "10000023" => "91",
            _ => "00",
        })
    });
    for number in [10_000_021, 10_000_022, 10_000_023, 10_000_024] {
        let mut till = rig.signed_in(number);
        await_that("the link is up", || till.ask(SALE, 10_00, CARD_A).code == Some(ResponseCode::Timeout));
    }
    await_that("only what must wait is owed", || rig.owed() == 1);
    let mut dead: Vec<_> = rig
        .ledger()
        .dead_letters()
        .iter()
        .map(|letter| (letter.original.identity.terminal.to_string(), letter.what, letter.code))
        .collect();
    dead.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(
        dead,
        [
            ("10000021".to_owned(), Owed::Reversal, ResponseCode::FormatError),
            ("10000022".to_owned(), Owed::Reversal, ResponseCode::NotAuthenticated)
        ]
    );
    await_that("what must wait goes again", || reversals(&peer, "10000023").len() > 2);
    assert_eq!((reversals(&peer, "10000021").len(), reversals(&peer, "10000022").len()), (1, 1), "dead is dead");
    let effects = rig.records().into_iter().filter(|record| record.intent.kind == SALE).map(|record| record.effect);
    let expected = [Effect::DeadLetter, Effect::DeadLetter, Effect::Reversing, Effect::Reversed];
    assert!(effects.eq(expected), "kept for settlement");
}

#[test]
fn a_repeat_has_its_mark_and_the_numbers_of_what_it_repeats() {
    // Silence, an original that is not found yet, the wrong moment, at last accepted.
    let (rig, peer) = silent_but(|_, earlier| [None, Some("25"), Some("96"), Some("00")][earlier.min(3)]);
    let mut till = rig.signed_in(10_000_021);
    await_that("the link is up", || till.ask(SALE, 10_00, CARD_A).code == Some(ResponseCode::Timeout));
    rig.await_undone();
    let sent = reversals(&peer, "10000021");
    let marks: Vec<&str> = sent.iter().map(|seen| seen.mti.as_str()).collect();
    assert_eq!(marks, ["0420", "0421", "0421", "0421"]);
    for repeat in &sent[1..] {
        assert_eq!(Seen { mti: "0420".to_owned(), ..repeat.clone() }, sent[0], "one identity");
    }
    let original = peer.seen().into_iter().find(|seen| seen.kind == SALE).unwrap();
    assert_eq!((sent[0].original_stan.as_ref(), &sent[0].rrn), (Some(&original.stan), &original.rrn));
}

#[test]
fn duplicate_means_that_a_repeat_has_arrived_before() {
    let (rig, peer) = silent_but(|_, earlier| [None, Some("94")][earlier.min(1)]);
    let mut till = rig.signed_in(10_000_021);
    await_that("the link is up", || till.ask(SALE, 10_00, CARD_A).code == Some(ResponseCode::Timeout));
    rig.await_undone();
    assert_eq!(reversals(&peer, "10000021").len(), 2);
    assert!(rig.ledger().dead_letters().is_empty());
}

#[test]
fn one_terminals_messages_go_in_the_order_of_their_transactions() {
    let (rig, peer) = silent_but(|_, earlier| [None, Some("91"), Some("00")][earlier.min(2)]);
    let mut till = rig.signed_in(10_000_021);
    await_that("the link is up", || till.ask(SALE, 10_00, CARD_A).code == Some(ResponseCode::Timeout));
    for _ in 0..3 {
        assert_eq!(till.ask(SALE, 10_00, CARD_A).code, Some(ResponseCode::Timeout));
    }
    rig.await_undone();
    let sales: Vec<String> = peer.seen().into_iter().filter(|seen| seen.kind == SALE).map(|seen| seen.rrn).collect();
    let mut undone: Vec<String> = reversals(&peer, "10000021").into_iter().map(|seen| seen.rrn).collect();
    undone.dedup();
    assert_eq!(undone, sales);
}
