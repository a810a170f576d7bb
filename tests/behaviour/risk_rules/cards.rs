//! What cards do, and what is done with them.

use super::desk;
use super::sale;
use super::token;
use tollgate::model::Kind;
use tollgate::risk::Fate;
use tollgate::risk::Signs;

#[test]
fn a_chip_card_by_its_stripe_where_chips_are_read_is_a_fallback() {
    let here = desk(&["kind = \"fallback\""]);
    let anywhere = desk(&["kind = \"fallback\"\nanywhere = true"]);
    let chip_card = Signs::CHIP_CARD;
    let both = chip_card.with(Signs::CHIP_TERMINAL);
    for stripe in ["021", "901", "801"] {
        assert_eq!(here.refused(&sale(0).entry(stripe).signs(both)), Some("45"), "{stripe}");
        assert_eq!(here.refused(&sale(0).entry(stripe).signs(chip_card)), None);
        assert_eq!(anywhere.refused(&sale(0).entry(stripe).signs(chip_card)), Some("45"));
        assert_eq!(anywhere.refused(&sale(0).entry(stripe).signs(Signs::CHIP_TERMINAL)), None);
    }
    assert_eq!(here.refused(&sale(0).entry("051").signs(both)), None);
}

#[test]
fn an_entry_mode_beyond_the_terminals_is_refused() {
    let desk = desk(&["kind = \"entry-mode\""]);
    assert_eq!(desk.refused(&sale(0).signs(Signs::BEYOND_CAPABILITIES)), Some("58"));
    assert_eq!(desk.refused(&sale(0)), None);
    assert_eq!(desk.evidence(&sale(0).signs(Signs::BEYOND_CAPABILITIES)), "DE 22 051 is beyond what the terminal can");
}

#[test]
fn taps_without_pin_have_a_ceiling_each_and_together() {
    let mut desk = desk(&["kind = \"contactless-no-pin\"\nmost = 10000\nwithin_s = 3600\nsum = 15000\ncount = 3"]);
    let tap = |second, amount| sale(second).entry("072").amount(amount).signs(Signs::default());
    assert_eq!(desk.refused(&tap(0, 10_001)), Some("61"));
    assert_eq!(desk.refused(&tap(0, 10_001).signs(Signs::PIN)), None);
    assert_eq!(desk.refused(&tap(0, 10_001).entry("051")), None);
    assert_eq!(desk.sell(&tap(0, 10_000)), None);
    assert_eq!(desk.sell(&tap(1, 50_000).signs(Signs::PIN)), None);
    assert_eq!(desk.sell(&tap(2, 5_000)), None, "the sum is reached; what had a PIN is not in it");
    assert_eq!(desk.refused(&tap(3, 1)), Some("61"));
    assert_eq!(desk.refused(&tap(3, 1).card(2)), None);
    assert_eq!(desk.refused(&tap(3_600, 10_000)), None);
    desk.memory.change(&tap(0, 10_000).situation(), Fate::Live, Fate::Undone);
    assert_eq!((desk.sell(&tap(4, 1)), desk.sell(&tap(5, 1))), (None, None));
    assert_eq!(desk.refused(&tap(6, 1)), Some("65"));
}

#[test]
fn step_up_asks_for_the_pin_and_is_content_with_it() {
    let desk = desk(&["kind = \"contactless-no-pin\"\naction = \"step-up\"\nmost = 10000"]);
    let tap = sale(0).entry("072").amount(10_001);
    assert_eq!(desk.refused(&tap.clone().signs(Signs::default())), Some("70"));
    assert!(desk.judge(&tap).note.is_none(), "it brought one");
}

#[test]
fn many_cards_with_small_amounts_and_declines_at_one_terminal_are_tested_cards() {
    let mut desk = desk(&["kind = \"card-testing\"\ncards = 4\nwithin_s = 600\nmost = 500\ndeclines = 2"]);
    let small = |second: u8| sale(i64::from(second)).card(second).amount(500);
    desk.memory.note(&small(1).situation(), Fate::Declined { pin: false });
    desk.memory.note(&small(2).situation(), Fate::Live);
    desk.memory.note(&sale(3).card(3).amount(501).situation(), Fate::Declined { pin: false });
    assert_eq!(desk.refused(&small(5)), None, "three small cards");
    desk.memory.note(&small(4).situation(), Fate::Live);
    assert_eq!(desk.refused(&small(5)), None, "one small decline");
    desk.memory.change(&small(4).situation(), Fate::Live, Fate::Declined { pin: false });
    assert_eq!(desk.refused(&small(5)), Some("59"));
    assert_eq!(desk.refused(&small(4)), None, "a card that was seen is no fourth");
    assert_eq!(desk.refused(&small(5).amount(501)), None);
    assert_eq!(desk.refused(&small(5).terminal(2)), None);
    assert_eq!(desk.evidence(&small(5)), "terminal 00000001: 4 cards for 5.00 or less within 600 s, 2 declined");
}

#[test]
fn wrong_pins_follow_the_card_from_terminal_to_terminal() {
    let mut desk = desk(&["kind = \"pin-tries\"\ncount = 2\nwithin_s = 3600"]);
    let wrong = Fate::Declined { pin: true };
    desk.memory.note(&sale(0).situation(), wrong);
    desk.memory.note(&sale(1).terminal(2).kind(Kind::Balance).situation(), Fate::Declined { pin: false });
    assert_eq!(desk.refused(&sale(2).terminal(3)), None);
    desk.memory.note(&sale(2).terminal(2).kind(Kind::Balance).situation(), wrong);
    assert_eq!(desk.refused(&sale(3).terminal(3)), Some("75"));
    assert_eq!(desk.refused(&sale(3).card(2)), None);
    assert_eq!(desk.refused(&sale(3_600)), None, "the first is an hour old");
    assert_eq!(desk.evidence(&sale(3)), "card 010101010101: 2 wrong PINs within 3600 s");
}

#[test]
fn lists_decline_until_their_entries_expire_and_allow_before_all_other_rules() {
    let hex: String = token(7).0.iter().map(|byte| format!("{byte:02X}")).collect();
    let desk = desk(&[
        "kind = \"list\"\naction = \"allow\"\nof = \"terminal\"\nlist = [\"00000009\"]",
        &format!(
            "kind = \"list\"\ncode = \"43\"\nof = \"card\"\nlist = [{{ value = \"{hex}\", until = 2026-11-23T01:00:00Z }}]"
        ),
        "kind = \"list\"\nof = \"bin\"\nlist = [\"400000\"]",
        "kind = \"list\"\nof = \"merchant\"\nlist = [\"000000000000002\"]",
    ]);
    assert_eq!(desk.refused(&sale(0)), None);
    assert_eq!(desk.refused(&sale(3_599).card(7)), Some("43"));
    assert_eq!(desk.refused(&sale(3_600).card(7)), None, "expired");
    assert_eq!(desk.refused(&super::Asked { merchant: 2, ..sale(0) }), Some("03"));
    let white = sale(0).card(7).terminal(9);
    assert_eq!(desk.refused(&white), None);
    assert_eq!(desk.evidence(&white), "terminal 00000009 is listed");
    assert_eq!(desk.evidence(&sale(0).card(7)), "card 070707070707 is listed until 2026-11-23T01:00:00.000000Z");
}
