//! Terminals that are not where, or what, they should be.

use super::Asked;
use super::desk;
use super::sale;
use tollgate::model::Firmware;
use tollgate::model::Mcc;
use tollgate::model::Region;
use tollgate::risk::Fate;
use tollgate::risk::Signs;

#[test]
fn a_terminal_in_two_regions_within_the_window_jumps_and_at_its_very_end_does_not() {
    let mut desk = desk(&["kind = \"region-jump\""]);
    assert_eq!(desk.sell(&sale(0).region(1_100)), None);
    let shanghai = |micros| Asked { at: sale(0).at + micros, ..sale(0).card(2).region(2_900) };
    assert_eq!(desk.refused(&shanghai(1_800 * 1_000_000 - 1)), Some("59"));
    assert_eq!(desk.refused(&shanghai(1_800 * 1_000_000)), None, "half an hour is long enough");
    assert_eq!(desk.refused(&sale(1).card(2).region(1_100)), None);
    assert_eq!(desk.refused(&sale(1).card(2)), None, "nobody knows where");
    assert_eq!(desk.evidence(&shanghai(60_000_000)), "terminal 00000001: region 2900, and 1100 60 s before");
}

#[test]
fn a_card_in_two_regions_jumps_too_and_what_was_undone_or_declined_is_no_place_to_jump_from() {
    let mut both = desk(&["kind = \"region-jump\"\nwithin_s = 600"]);
    let mut machine = desk(&["kind = \"region-jump\"\nwithin_s = 600\nper = [\"terminal\"]"]);
    let beijing = sale(0).region(1_100);
    let shanghai = sale(60).terminal(2).region(2_900);
    for desk in [&mut both, &mut machine] {
        assert_eq!(desk.sell(&beijing), None);
    }
    assert_eq!((both.refused(&shanghai), machine.refused(&shanghai)), (Some("59"), None));
    both.memory.change(&beijing.situation(), Fate::Live, Fate::Undone);
    assert_eq!(both.refused(&shanghai), None);
    both.memory.note(&sale(61).region(1_100).situation(), Fate::Declined { pin: false });
    assert_eq!(both.refused(&sale(62).terminal(2).region(2_900)), None);
}

#[test]
fn a_terminal_away_from_home_is_noticed_at_any_distance_of_time() {
    let desk = desk(&["kind = \"region-change\""]);
    let at = |region: u16, home: Option<u16>| {
        let mut asked = sale(0).region(region);
        asked.scene.home = home.and_then(Region::new);
        asked
    };
    assert_eq!(desk.refused(&at(2_900, Some(1_100))), Some("03"));
    assert_eq!(desk.refused(&at(1_100, Some(1_100))), None);
    assert_eq!(desk.refused(&at(1_100, None)), None);
    assert_eq!(desk.evidence(&at(2_900, Some(1_100))), "region 2900, registered in 1100");
}

#[test]
fn a_message_may_not_trade_in_what_its_merchant_does_not() {
    let desk = desk(&["kind = \"mcc-jump\""]);
    let mut asked = sale(0);
    asked.scene.mcc = Mcc::new(5_541);
    assert_eq!(desk.refused(&asked), None, "nothing is registered");
    asked.scene.registered_mcc = Mcc::new(5_812);
    assert_eq!(desk.refused(&asked), Some("03"));
    assert_eq!(desk.evidence(&asked), "category 5541, registered for 5812");
    asked.scene.mcc = Mcc::new(5_812);
    assert_eq!(desk.refused(&asked), None);
}

#[test]
fn what_was_noticed_of_name_address_and_device_is_told_by_rules_of_their_own() {
    for (kind, sign, code) in [
        ("merchant-name", Signs::OTHER_NAME, "03"),
        ("source-change", Signs::SOURCE_CHANGED, "58"),
        ("device", Signs::DEVICE_UNKNOWN, "58"),
        ("device", Signs::DEVICE_DIFFERS, "58"),
        ("device", Signs::CERTIFICATION_EXPIRED, "58"),
    ] {
        let desk = desk(&[&format!("kind = \"{kind}\"")]);
        assert_eq!(desk.refused(&sale(0).signs(sign)), Some(code), "{kind}");
        assert_eq!(desk.refused(&sale(0).signs(Signs::OTHER_MERCHANT)), None, "{kind}");
    }
    let desk = desk(&["kind = \"device\"\nwhen = [\"differs\"]"]);
    assert_eq!(desk.refused(&sale(0).signs(Signs::CERTIFICATION_EXPIRED)), None);
}

#[test]
fn numbers_of_the_scene_have_bounds() {
    let desk = desk(&[
        "id = \"fee\"\nkind = \"fee-floor\"\nleast = 38",
        "id = \"mac\"\nkind = \"mac-failures\"\ncount = 3",
        "id = \"silent\"\nkind = \"silent\"\nfor_s = 86400",
        "id = \"old\"\nkind = \"firmware\"\nleast = \"2.1\"",
    ]);
    let by = |change: &dyn Fn(&mut Asked)| {
        let mut asked = sale(0);
        change(&mut asked);
        desk.judge(&asked).refusal.map(|refusal| refusal.rule.into_owned())
    };
    assert_eq!(by(&|_| ()), None);
    assert_eq!(by(&|asked| asked.scene.fee = Some(38)), None);
    assert_eq!(by(&|asked| asked.scene.fee = Some(37)).as_deref(), Some("fee"));
    assert_eq!(by(&|asked| asked.scene.mac_failures = 2), None);
    assert_eq!(by(&|asked| asked.scene.mac_failures = 3).as_deref(), Some("mac"));
    assert_eq!(by(&|asked| asked.scene.silent = Some(86_399)), None);
    assert_eq!(by(&|asked| asked.scene.silent = Some(86_400)).as_deref(), Some("silent"));
    assert_eq!(by(&|asked| asked.scene.firmware = Firmware::parse("2.1.0")), None);
    assert_eq!(by(&|asked| asked.scene.firmware = Firmware::parse("2.0.9")).as_deref(), Some("old"));
}

#[test]
fn a_shop_sells_while_it_is_open_by_its_own_clock_also_past_midnight() {
    let day = desk(&["kind = \"hours\"\nopen = \"08:30\"\nclose = \"22:00\"\ndays = [\"mon\", \"tue\"]"]);
    let night = desk(&["kind = \"hours\"\nopen = \"18:00\"\nclose = \"02:00\"\ndays = [\"mon\"]"]);
    // Local time is eight hours ahead of UTC.
    let at = |day: i64, hour: i64, minute: i64| Asked {
        offset_minutes: 480,
        ..sale(day * 86_400 + (hour - 8) * 3_600 + minute * 60)
    };
    let (mon, tue, wed) = (0, 1, 2);
    assert_eq!(day.refused(&at(mon, 8, 29)), Some("58"));
    assert_eq!(day.refused(&at(mon, 8, 30)), None);
    assert_eq!(day.refused(&at(tue, 21, 59)), None);
    assert_eq!(day.refused(&at(tue, 22, 0)), Some("58"));
    assert_eq!(day.refused(&at(wed, 12, 0)), Some("58"));
    assert_eq!(day.evidence(&at(wed, 12, 5)), "wed 12:05, open from 08:30 to 22:00");
    assert_eq!(night.refused(&at(mon, 23, 0)), None);
    assert_eq!(night.refused(&at(tue, 1, 59)), None, "it is still Monday's night");
    assert_eq!(night.refused(&at(tue, 2, 0)), Some("58"));
    assert_eq!(night.refused(&at(mon, 1, 0)), Some("58"), "Sunday's night was not open");
    assert_eq!(night.refused(&at(tue, 19, 0)), Some("58"));
}
