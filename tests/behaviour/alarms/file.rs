//! `[alarms]` of a station's file, and the schema of what is told.

use serde_json::Value;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;
use tollgate::ops::alarms::AlarmKind;
use tollgate::ops::alarms::Board;
use tollgate::registry::Source;
use tollgate::server::config::Alarms;
use tollgate::server::config::Thresholds;
use tollgate::server::config::TokenPlace;
use tollgate::server::config::parse;

const REST: &str = "[station]\nname = \"s\"\nacquirer = \"1\"\ncurrency = \"156\"\noffset_minutes = 480\n\
                    [[door]]\nname = \"pos\"\nlisten = \"127.0.0.1:1\"\nprofile = \"pos\"\n";

fn read(table: &str) -> Result<Alarms, Vec<String>> {
    let text = format!("{REST}{table}");
    let found = parse(Source { file: "station.toml", text: &text }, &|_| true);
    found.map(|config| config.alarms).map_err(|breaches| breaches.iter().map(ToString::to_string).collect())
}

#[test]
fn what_is_left_out_has_the_written_default_and_nobody_is_told_but_the_log() {
    assert_eq!(read("").unwrap(), Alarms::default());
    assert_eq!(read("[alarms]\n").unwrap(), Alarms { thresholds: Thresholds::default(), webhook: None });
}

#[test]
fn what_the_demos_file_shows_commented_are_the_defaults() {
    let demo = include_str!("../../../specs/demo/station.toml");
    let table = demo.split("\n[alarms]\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let shown = table.lines().filter_map(|line| line.strip_prefix("# ")).filter(|line| !line.starts_with("webhook"));
    let shown: String = shown.map(|line| format!("{line}\n")).collect();
    assert_eq!(shown.lines().count(), 12, "each threshold is shown: {shown}");
    assert_eq!(read(&format!("[alarms]\n{shown}")).unwrap(), Alarms::default());
}

#[test]
fn thresholds_and_a_webhook_are_taken_as_written() {
    let alarms = read(
        "[alarms]\nlink_down_s = 5\nsilent_s = 60\nowed_growth_m = 2\ndisk_free_mb = 10\n\
         webhook = \"https://ops.example:8443/hook?x=1\"\nwebhook_ca = \"ca.pem\"\nwebhook_token_env = \"HOOK\"\n",
    );
    let alarms = alarms.unwrap();
    let Thresholds { link_down, silent, owed_growth, disk_free, .. } = alarms.thresholds;
    assert_eq!((link_down, silent), (Duration::from_secs(5), Some(Duration::from_secs(60))));
    assert_eq!((owed_growth, disk_free), (Duration::from_secs(120), 10 << 20));
    let webhook = alarms.webhook.unwrap();
    assert!(webhook.is_secure() && webhook.authority.as_deref() == Some("ca.pem"));
    assert_eq!(webhook.token, Some(TokenPlace::Variable("HOOK".to_owned())));
}

#[test]
fn everything_wrong_with_the_table_is_said_at_once_with_its_line() {
    let breaches = read(
        "[alarms]\nlink_down_s = 0\ndecline_percent = 101\nmac_failures = \"many\"\ncertificate_days = 31\n\
         webhook = \"ftp://example/\"\nthreshold = 3\n",
    );
    let expected = [
        "station.toml:16: unknown key \"threshold\"",
        "station.toml:11: link_down_s: is not a whole number from 1 to 86400",
        "station.toml:12: decline_percent: is not a whole number from 1 to 100",
        "station.toml:13: mac_failures: is not a whole number from 1 to 1000000",
        "station.toml:14: certificate_days: is not a whole number from 1 to 30",
        "station.toml:15: webhook: is not http://HOST:PORT/PATH or https://, without a name or password",
    ];
    let (found, expected): (BTreeSet<String>, BTreeSet<String>) =
        (breaches.unwrap_err().into_iter().collect(), expected.map(str::to_owned).into());
    assert_eq!(found, expected);
}

#[test]
fn a_secret_does_not_cross_a_network_in_the_clear() {
    let breaches = |lines: &str| read(&format!("[alarms]\n{lines}")).err().unwrap_or_default().concat();
    let token = "webhook_token = \"hook.token\"\n";
    for (lines, why) in [
        (format!("webhook = \"http://ops.example/hook\"\n{token}"), "in the clear"),
        (format!("webhook = \"http://10.0.0.1/hook\"\n{token}"), "in the clear"),
        ("webhook = \"http://alice:pw@127.0.0.1/\"\n".to_owned(), "without a name or password"),
        ("webhook = \"https://ops.example/hook\"\n".to_owned(), "webhook_ca: https needs"),
        ("webhook = \"http://127.0.0.1/\"\nwebhook_ca = \"a\"\n".to_owned(), "only https"),
        (token.to_owned(), "webhook: is missing"),
        (format!("webhook = \"http://127.0.0.1/\"\n{token}webhook_token_env = \"T\"\n"), "one of them"),
    ] {
        let said = breaches(&lines);
        assert!(said.contains(why), "{lines}: {said}");
    }
    for here in ["http://127.0.0.1:9000/hook", "http://[::1]:9000/hook", "http://localhost/"] {
        assert_eq!(breaches(&format!("webhook = \"{here}\"\n{token}")), "");
    }
}

#[test]
fn the_schema_has_every_kind_and_every_member_of_an_alarm() {
    let schema: Value = serde_json::from_str(include_str!("../../../specs/schemas/alarm.json")).unwrap();
    let names = |value: &Value| -> BTreeSet<String> {
        match value {
            Value::Array(list) => list.iter().map(|name| name.as_str().unwrap().to_owned()).collect(),
            Value::Object(map) => map.keys().cloned().collect(),
            _ => panic!("{value}"),
        }
    };
    let mut board = Board::new(Duration::ZERO);
    for kind in AlarmKind::ALL {
        board.raise(kind, "s", "s", super::s(0));
    }
    let alarm = &schema["$defs"]["alarm"];
    let kinds: BTreeSet<String> = board.live().map(|alarm| json!(alarm)["kind"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names(&alarm["properties"]["kind"]["enum"]), kinds);
    assert_eq!(kinds, AlarmKind::ALL.map(|kind| kind.name().to_owned()).into());
    let id = board.live().next().unwrap().id;
    board.acknowledge(id, ("alice", "r"), super::s(1)).unwrap();
    for event in board.since(0).events {
        let event = json!(event);
        assert_eq!(names(&event), names(&schema["$defs"]["event"]["required"]));
        assert_eq!(names(&event["alarm"]), names(&alarm["required"]));
        assert_eq!(names(&alarm["properties"]), names(&alarm["required"]));
        assert!(names(&alarm["properties"]["state"]["enum"]).contains(event["alarm"]["state"].as_str().unwrap()));
        assert!(
            names(&schema["$defs"]["event"]["properties"]["change"]["enum"])
                .contains(event["change"].as_str().unwrap())
        );
    }
}
