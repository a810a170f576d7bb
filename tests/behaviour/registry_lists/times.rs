//! Rows that take effect at an instant.

use super::{Texts, at, facts, terminal};
use proptest::prelude::*;
use tollgate::model::Amount;
use tollgate::model::Timestamp;

const TERMINALS: &str = "terminal,merchant,from,most\n\
    10000001,898110054110001,2026-12-01T00:00:00Z,300\n\
    10000001,898110054110001,,100\n\
    10000001,898110054110001,2026-11-01T00:00:00Z,200\n\
    10000002,898110054110001,2027-01-01T00:00:00+08:00,\n";

fn most(when: &str) -> Option<u64> {
    let registry = Texts { terminals: TERMINALS, at: Some(at(when)), ..Texts::default() }.loaded();
    facts(&registry, "10000001").limits.most.map(Amount::minor)
}

#[test]
fn of_several_rows_the_latest_that_has_come_holds_from_its_very_instant() {
    assert_eq!(most("2026-10-31T23:59:59.999999Z"), Some(100));
    assert_eq!(most("2026-11-01T00:00:00Z"), Some(200));
    assert_eq!(most("2026-11-30T23:59:59.999999Z"), Some(200));
    assert_eq!(most("2026-12-01T00:00:00Z"), Some(300));
}

#[test]
fn a_terminal_is_not_there_before_its_first_row_and_the_next_change_is_known() {
    let look = |when: &str| Texts { terminals: TERMINALS, at: Some(at(when)), ..Texts::default() }.loaded();
    let early = look("2026-10-01T00:00:00Z");
    assert!(early.terminal(terminal("10000002")).is_none());
    assert_eq!(early.next_change(at("2026-10-01T00:00:00Z")), Some(at("2026-11-01T00:00:00Z")));
    assert_eq!(early.next_change(at("2026-11-01T00:00:00Z")), Some(at("2026-12-01T00:00:00Z")));
    let late = look("2026-12-31T16:00:00Z");
    assert!(late.terminal(terminal("10000002")).is_some());
    assert_eq!(late.next_change(at("2026-12-31T16:00:00Z")), None);
}

#[test]
fn rows_that_come_later_are_checked_now() {
    let terminals = "terminal,merchant,from,most\n\
        10000001,898110054110009,2027-01-01T00:00:00Z,\n\
        10000002,898110054110001,2027-01-01T00:00:00Z,many\n\
        10000003,898110054110001,2027-01-01T00:00:00Z,\n\
        10000003,898110054110001,2027-01-01T08:00:00+08:00,\n\
        10000004,898110054110001,,\n\
        10000004,898110054110001,,\n";
    let texts = Texts { terminals, at: Some(at("2026-11-22T00:00:00Z")), ..Texts::default() };
    assert_eq!(
        texts.breaches(),
        [
            "t.csv:2: merchant 898110054110009 is not listed",
            "t.csv:3: most: is not an amount in minor units, or none",
            "t.csv:5: terminal 10000003 is listed twice",
            "t.csv:7: terminal 10000004 is listed twice",
        ]
    );
}

#[test]
fn a_terminal_does_not_begin_before_its_merchant() {
    let merchants = "merchant,name,from\n898110054110001,A,2027-01-01T00:00:00Z\n";
    let terminals = "terminal,merchant,from\n10000001,898110054110001,2027-01-01T00:00:00Z\n\
        10000002,898110054110001,\n10000003,898110054110001,2026-12-31T00:00:00Z\n";
    let when = |instant: &str| Texts { merchants, terminals, at: Some(at(instant)), ..Texts::default() };
    let later = "merchant 898110054110001 begins later than its terminal";
    assert_eq!(when("2026-11-22T00:00:00Z").breaches(), [format!("t.csv:3: {later}"), format!("t.csv:4: {later}")]);
    assert_eq!(when("2027-01-01T00:00:00Z").loaded().terminals().count(), 3);
}

#[test]
fn two_terminals_may_change_their_devices_at_one_instant() {
    let devices = "serial\nA-1\nA-2\n";
    let terminals = "terminal,merchant,from,device\n\
        10000001,898110054110001,,A-1\n10000002,898110054110001,,A-2\n\
        10000001,898110054110001,2027-01-01T00:00:00Z,A-2\n10000002,898110054110001,2027-01-01T00:00:00Z,A-1\n";
    let device = |when: &str| {
        let registry = Texts { terminals, devices, at: Some(at(when)), ..Texts::default() }.loaded();
        ["10000001", "10000002"].map(|id| facts(&registry, id).site.hardware.as_ref().unwrap().serial.to_string())
    };
    assert_eq!(device("2026-12-31T00:00:00Z"), ["A-1", "A-2"]);
    assert_eq!(device("2027-01-01T00:00:00Z"), ["A-2", "A-1"]);
}

#[test]
fn templates_groups_and_devices_take_effect_at_their_time_too() {
    let templates = "template,from,group,most\nbase,,shop,100\nbase,2027-01-01T00:00:00Z,shop,200\n";
    let groups = "group,from,class\nshop,2026-12-01T00:00:00Z,mobile\nshop,,fixed\n";
    let devices = "serial,from,firmware,terminal\nA-1,,1.0,10000001\nA-1,2027-02-01T00:00:00Z,2.0,\n\
        A-2,,1.0,\nA-2,2027-02-01T00:00:00Z,1.0,10000001\n";
    let terminals = "terminal,merchant,template\n10000001,898110054110001,base\n";
    let look = |when: &str| {
        let registry = Texts { terminals, templates, groups, devices, at: Some(at(when)), ..Texts::default() }.loaded();
        let facts = facts(&registry, "10000001");
        let device = facts.site.hardware.as_ref().unwrap();
        let seen = (
            facts.site.class.unwrap().name(),
            facts.limits.most.unwrap().minor(),
            device.serial.to_string(),
            device.firmware.unwrap().to_string(),
        );
        (seen, registry.next_change(at(when)))
    };
    let seen = |class, most, device: &str, firmware: &str| (class, most, device.to_owned(), firmware.to_owned());
    assert_eq!(look("2026-11-30T00:00:00Z"), (seen("fixed", 100, "A-1", "1.0.0"), Some(at("2026-12-01T00:00:00Z"))));
    assert_eq!(look("2026-12-01T00:00:00Z"), (seen("mobile", 100, "A-1", "1.0.0"), Some(at("2027-01-01T00:00:00Z"))));
    assert_eq!(look("2027-01-01T00:00:00Z"), (seen("mobile", 200, "A-1", "1.0.0"), Some(at("2027-02-01T00:00:00Z"))));
    assert_eq!(look("2027-02-01T00:00:00Z"), (seen("mobile", 200, "A-2", "1.0.0"), None));
}

#[test]
fn what_is_filled_from_a_template_a_group_or_a_device_does_not_begin_before_it() {
    let templates = "template,from,inherits,group\nlater,2027-01-01T00:00:00Z,,\nsoon,,later,\n\
        also,2027-01-01T00:00:00Z,later,new\nold,,,new\n";
    let groups = "group,from\nnew,2027-01-01T00:00:00Z\n";
    let devices = "serial,from,terminal\nA-1,2027-01-01T00:00:00Z,\nA-2,2027-01-01T00:00:00Z,99999999\n";
    let terminals = "terminal,merchant,from,template,group,device\n\
        10000001,898110054110001,,later,,\n10000002,898110054110001,,,new,\n10000003,898110054110001,,,,A-1\n\
        10000004,898110054110001,2027-01-01T00:00:00Z,later,new,A-1\n";
    let when = |instant: &str| {
        Texts { terminals, templates, groups, devices, at: Some(at(instant)), ..Texts::default() }.breaches()
    };
    assert_eq!(
        when("2026-11-22T00:00:00Z"),
        [
            "tp.csv:3: inherits: template later begins later than this one",
            "tp.csv:5: group new begins later than its template",
            "t.csv:2: template later begins later than its terminal",
            "t.csv:3: group new begins later than its terminal",
            "t.csv:4: device A-1 begins later than its terminal",
            "d.csv:3: terminal 99999999 is not listed",
        ]
    );
    let twice = "template,from\na,2027-01-01T00:00:00Z\na,2027-01-01T08:00:00+08:00\n";
    let devices = "serial,from\nA,2027-01-01T00:00:00Z\nA,2027-01-01T00:00:00Z\nA,\n";
    assert_eq!(
        Texts { templates: twice, devices, groups: "group\ng\ng\n", ..Texts::default() }.breaches(),
        [
            "g.csv:3: group g is listed twice",
            "tp.csv:3: template a is listed twice",
            "d.csv:3: device A is listed twice"
        ]
    );
}

#[test]
fn a_circle_that_closes_later_is_told_now() {
    let templates = "template,from,inherits\na,,b\nb,,\nb,2027-01-01T00:00:00Z,a\n";
    let breaches = Texts { templates, at: Some(at("2026-11-22T00:00:00Z")), ..Texts::default() }.breaches();
    assert_eq!(breaches, ["tp.csv:4: inherits: goes round in a circle"]);
}

proptest! {
    /// Whatever the order of the rows and wherever one looks from.
    #[test]
    fn which_row_holds_does_not_depend_on_where_it_stands(
        mut rows in proptest::collection::btree_map(proptest::option::of(0..50i64), 1..1_000u64, 1..8)
            .prop_map(|rows| rows.into_iter().collect::<Vec<_>>()).prop_shuffle(),
        now in 0..50i64,
    ) {
        let text = |second: i64| format!("2026-11-22T00:00:{second:02}Z");
        let mut terminals = String::from("terminal,merchant,from,most\n");
        for (from, most) in &rows {
            terminals += &format!("10000001,898110054110001,{},{most}\n", from.map(text).unwrap_or_default());
        }
        let registry = Texts { terminals: &terminals, at: Some(at(&text(now))), ..Texts::default() }.loaded();
        rows.sort_unstable();
        let holds = rows.iter().rev().find(|(from, _)| from.is_none_or(|from| from <= now)).map(|(_, most)| *most);
        let seen = registry.terminal(terminal("10000001")).map(|facts| facts.limits.most.unwrap().minor());
        prop_assert_eq!(seen, holds);
        let next: Option<Timestamp> = rows.iter().find_map(|(from, _)| from.filter(|from| *from > now)).map(|from| at(&text(from)));
        prop_assert_eq!(registry.next_change(at(&text(now))), next);
    }
}
