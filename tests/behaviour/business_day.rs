//! Business dates: where they begin, whatever the clocks of the zone do.

use proptest::prelude::*;
use std::time::Duration;
use tollgate::model::BusinessDate;
use tollgate::model::CutOver;
use tollgate::model::DayRule;
use tollgate::model::Timestamp;
use tollgate::model::Zone;

const MINUTE: i64 = 60_000_000;
const DAY: i64 = 24 * 60 * MINUTE;

fn rule(zone: &str, cut_over: &str) -> DayRule {
    DayRule::new(Zone::parse(zone).unwrap(), CutOver::parse(cut_over).unwrap())
}

/// An instant from RFC 3339.
fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
}

fn date(year: i16, month: i8, day: i8) -> BusinessDate {
    BusinessDate::new(year, month, day).unwrap()
}

#[test]
fn an_evening_cut_over_begins_the_next_date_to_the_microsecond() {
    let shanghai = rule("Asia/Shanghai", "23:00");
    assert_eq!(shanghai.date(at("2026-11-22T22:59:59.999999+08:00")), date(2026, 11, 22));
    assert_eq!(shanghai.date(at("2026-11-22T23:00:00+08:00")), date(2026, 11, 23));
    assert_eq!(shanghai.date(at("2026-12-31T23:00:00+08:00")), date(2027, 1, 1));
    assert_eq!(shanghai.next_cut_over(at("2026-11-22T22:59:59+08:00")), Some(at("2026-11-22T23:00:00+08:00")));
    assert_eq!(shanghai.next_cut_over(at("2026-11-22T23:00:00+08:00")), Some(at("2026-11-23T23:00:00+08:00")));
}

#[test]
fn a_cut_over_in_the_night_leaves_the_small_hours_to_the_day_before() {
    let shanghai = rule("Asia/Shanghai", "02:30");
    assert_eq!(shanghai.date(at("2026-11-23T02:29:59+08:00")), date(2026, 11, 22));
    assert_eq!(shanghai.date(at("2026-11-23T02:30:00+08:00")), date(2026, 11, 23));
}

#[test]
fn an_hour_that_comes_twice_does_not_bring_the_date_back() {
    // On 1 November 2026 New York's clocks go from 02:00 to 01:00.
    let new_york = rule("America/New_York", "01:30");
    assert_eq!(new_york.date(at("2026-11-01T01:29:00-04:00")), date(2026, 10, 31));
    assert_eq!(new_york.date(at("2026-11-01T01:30:00-04:00")), date(2026, 11, 1));
    assert_eq!(new_york.date(at("2026-11-01T01:10:00-05:00")), date(2026, 11, 1), "01:10 for the second time");
}

#[test]
fn a_cut_over_that_the_clocks_jump_over_comes_as_much_later() {
    // On 8 March 2026 New York's clocks go from 02:00 to 03:00.
    let new_york = rule("America/New_York", "02:30");
    assert_eq!(new_york.date(at("2026-03-08T03:29:00-04:00")), date(2026, 3, 7));
    assert_eq!(new_york.date(at("2026-03-08T03:30:00-04:00")), date(2026, 3, 8));
    assert_eq!(new_york.begins(date(2026, 3, 8)), Some(at("2026-03-08T03:30:00-04:00")));
}

#[test]
fn a_date_that_a_country_left_out_has_no_transactions() {
    // Samoa went from 29 to 31 December 2011.
    let apia = rule("Pacific/Apia", "00:00");
    assert_eq!(apia.date(at("2011-12-29T23:59:59-10:00")), date(2011, 12, 29));
    assert_eq!(apia.date(at("2011-12-31T00:00:00+14:00")), date(2011, 12, 31));
    assert_eq!(apia.next_cut_over(at("2011-12-29T23:59:59-10:00")), Some(at("2011-12-31T00:00:00+14:00")));
}

#[test]
fn what_is_no_time_of_day_and_no_zone_is_refused() {
    for text in ["", "24:00", "23:60", "9:00", "09:0", "-1:00", "23.00", "23:00:00"] {
        assert!(CutOver::parse(text).is_none(), "{text}");
    }
    assert_eq!(CutOver::parse("23:05").unwrap().to_string(), "23:05");
    for name in ["", "Asia", "Asia/Beijng", "../etc/passwd", "/usr/share/zoneinfo/UTC", "+08:00"] {
        assert!(Zone::parse(name).is_none(), "{name}");
    }
}

const ZONES: [&str; 10] = [
    "Asia/Shanghai",
    "Asia/Kathmandu",
    "Europe/London",
    "America/New_York",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "Asia/Tehran",
    "Pacific/Apia",
    "Pacific/Kwajalein",
];

fn cut_over() -> impl Strategy<Value = String> {
    (0..24, 0..60).prop_map(|(hour, minute)| format!("{hour:02}:{minute:02}"))
}

fn any_rule() -> impl Strategy<Value = DayRule> {
    (prop::sample::select(&ZONES[..]), cut_over()).prop_map(|(zone, cut_over)| rule(zone, &cut_over))
}

/// 1970 to 2100.
fn instant() -> impl Strategy<Value = Timestamp> {
    (0..47_482 * DAY).prop_map(Timestamp)
}

/// Instants at which the offset of one of the zones changes, and around them.
fn turn_of_the_clocks() -> impl Strategy<Value = Timestamp> {
    (prop::sample::select(&ZONES[..]), instant(), -2 * DAY..2 * DAY).prop_map(|(zone, near, off)| {
        let zone = jiff::tz::TimeZoneDatabase::bundled().get(zone).unwrap();
        let near_it = jiff::Timestamp::from_microsecond(near.0).unwrap();
        let turn = zone.preceding(near_it).next().map_or(near.0, |turn| turn.timestamp().as_microsecond());
        Timestamp(turn.saturating_add(off))
    })
}

proptest! {
    /// Rule of the money, 9: a date is fixed at intent, so that the dates of a ledger must follow its time.
    #[test]
    fn dates_never_go_back(rule in any_rule(), at in prop_oneof![instant(), turn_of_the_clocks()], on in 0..3 * DAY) {
        prop_assert!(rule.date(at) <= rule.date(Timestamp(at.0 + on)));
    }

    #[test]
    fn the_instant_before_a_date_begins_belongs_to_an_earlier_one(
        rule in any_rule(),
        at in prop_oneof![instant(), turn_of_the_clocks()],
    ) {
        let date = rule.date(at);
        let begins = rule.begins(date).unwrap();
        prop_assert!(begins <= at);
        prop_assert_eq!(rule.date(begins), date);
        prop_assert!(rule.date(Timestamp(begins.0 - 1)) < date);
        let next = rule.next_cut_over(at).unwrap();
        prop_assert!(next > at);
        prop_assert!(rule.date(next) > date);
        prop_assert_eq!(rule.date(Timestamp(next.0 - 1)), date);
    }

    /// Where no clock turns, the date is that of a calendar moved by the cut-over.
    #[test]
    fn with_a_fixed_offset_the_date_is_the_shifted_calendar_s(
        offset in -840i16..=840,
        (hour, minute) in (0i64..24, 0i64..60),
        at in instant(),
    ) {
        let cut_over = CutOver::parse(&format!("{hour:02}:{minute:02}")).unwrap();
        let into = (hour * 60 + minute) * MINUTE;
        let moved = if hour >= 12 { Timestamp(at.0 + DAY - into) } else { Timestamp(at.0 - into) };
        prop_assert_eq!(DayRule::new(Zone::fixed(offset), cut_over).date(at), moved.date(offset));
    }

    /// At midnight the business date is the calendar's, in every zone: jiff's own civil date says so.
    #[test]
    fn without_a_cut_over_the_date_is_the_calendar_s(zone in prop::sample::select(&ZONES[..]), at in instant()) {
        let database = jiff::tz::TimeZoneDatabase::bundled();
        let zoned = jiff::Timestamp::from_microsecond(at.0).unwrap().to_zoned(database.get(zone).unwrap());
        let civil = zoned.date();
        // Where midnight itself comes twice, the first one begins the date and the second one does not end it.
        let twice = zoned.time_zone().to_ambiguous_zoned(civil.tomorrow().unwrap().to_datetime(jiff::civil::Time::midnight()));
        prop_assume!(!twice.is_ambiguous());
        prop_assert_eq!(rule(zone, "00:00").date(at), date(civil.year(), civil.month(), civil.day()));
    }

    /// The cut-over minute itself, in every zone, on any day.
    #[test]
    fn the_cut_over_minute_belongs_to_the_new_date(rule in any_rule(), at in instant(), off in 0..60_000_000i64) {
        let cut = rule.next_cut_over(at).unwrap();
        let (before, from) = (rule.date(cut.earlier(Duration::from_micros(1))), rule.date(Timestamp(cut.0 + off)));
        prop_assert!(from > before);
        prop_assert_eq!(rule.date(cut), from);
    }
}
