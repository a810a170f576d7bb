//! Runs without a host: a whole station in child processes, and what is left behind.

use super::bench;
use super::host::{Host, Reply};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use tollgate::cli::Exit;
use tollgate::cli::run_from;

/// The exit code, and what was printed.
fn tollgate(arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    let done = command.args(["bench", "run"]).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    (done.status.code().unwrap_or(-1), said + &String::from_utf8_lossy(&done.stderr))
}

/// Whether `value` is as `schema` says: types, members, nothing missing and nothing besides.
#[track_caller]
fn fits(value: &Value, schema: &Value, whole: &Value, at: &str) {
    let schema = match schema["$ref"].as_str() {
        Some(path) => whole.pointer(path.trim_start_matches('#')).unwrap(),
        None => schema,
    };
    if let Some(only) = schema.get("const") {
        return assert_eq!(value, only, "{at}");
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().map(|kind| kind.as_str().unwrap()).collect(),
        kind => vec![kind.as_str().unwrap_or_else(|| panic!("{at} has no type"))],
    };
    let is = |kind: &&str| match *kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.is_i64() || value.is_u64(),
        _ => value.is_number(),
    };
    assert!(kinds.iter().any(is), "{at} is {value}, not {kinds:?}");
    for name in schema["required"].as_array().into_iter().flatten().filter(|_| value.is_object()) {
        assert!(value.get(name.as_str().unwrap()).is_some(), "{at} has no {name}");
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        let known = schema["properties"].get(name).or(schema.get("additionalProperties"));
        fits(member, known.unwrap_or_else(|| panic!("{at}.{name} is in no schema")), whole, &format!("{at}.{name}"));
    }
    for (place, item) in value.as_array().into_iter().flatten().enumerate() {
        fits(item, &schema["items"], whole, &format!("{at}[{place}]"));
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn a_station_of_its_own_is_driven_and_everybody_agrees_to_the_cent() {
    let folder = tempfile::tempdir().unwrap();
    let (mix, out) = (folder.path().join("mix.toml"), folder.path().join("out"));
    let text = "pin_percent = 70\n[kinds]\nsale = 7\nauthorization = 1\nbalance = 1\nsale-void = 2\n\
                [entry]\nchip = 2\ntap = 1\n\
                [on_purpose]\nrepeats_percent = 8\nreversals_percent = 8\ndisconnects_percent = 4\n";
    std::fs::write(&mix, text).unwrap();
    let (exit, said) = tollgate(&[
        "--rate",
        "40/s",
        "--duration",
        "4s",
        "--terminals",
        "30",
        "--verify",
        "--first-terminal",
        "10000190",
        "--mix",
        mix.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ]);
    assert_eq!(exit, 0, "{said}");
    assert!(said.contains("they agree to the cent"), "{said}");
    let summary: Value = serde_json::from_str(&read(&out.join("summary.json"))).unwrap();
    let schema: Value = serde_json::from_str(include_str!("../../../specs/schemas/bench-summary.json")).unwrap();
    fits(&summary, &schema, &schema, "summary");
    assert_eq!(summary["requests"]["scheduled"], 160);
    assert!(
        summary["requests"]["cut"].as_u64() > Some(0) && summary["requests"]["reversed"].as_u64() > Some(0),
        "{summary}"
    );
    let money = |who: &str| summary["verify"][who].as_i64().unwrap();
    assert!(money("clients") > 0 && money("clients") == money("ledger") && money("ledger") == money("issuers"));
    assert!(summary["cpu"]["switch_s"].as_f64() > Some(0.0), "{summary}");
    assert!(read(&out.join("latency.hgrm")).contains("#[Max"));
    assert!(read(&out.join("intervals.hlog")).lines().filter(|line| line.contains(",HISTFAAA")).count() >= 4);
    assert!(read(&out.join("report.html")).contains("<svg"));
}

#[test]
fn the_knee_of_a_host_is_found() {
    // One terminal, 50 ms an answer: 20 a second.
    let host = Host::start(|_| Reply::Late(Duration::from_millis(50)));
    let search = "--find-knee --rate 4/s --duration 1500ms --terminals 1 --threshold p99<400ms";
    let (_, summary) = bench(host.address, search);
    let knee = summary["knee"]["rate"].as_f64().unwrap_or_else(|| panic!("{summary}"));
    assert!((8.0..=21.0).contains(&knee), "{summary}");
}

#[test]
fn a_bad_wire_is_slower_breaks_and_loses_nothing_that_is_not_counted() {
    let host = Host::start(|_| Reply::Right);
    let wire = "--rate 50/s --duration 2s --terminals 10 --timeout 2s --impair delay=20ms,split=9,reset=3%";
    let (exit, summary) = bench(host.address, wire);
    let count = |name: &str| summary["requests"][name].as_u64().unwrap();
    assert_eq!(exit, Exit::No, "{summary}");
    assert!(summary["latency_us"]["from_send"]["p50"].as_u64() >= Some(40_000), "{summary}");
    assert!(summary["faults"]["closed"].as_u64() > Some(0) && summary["reconnects"].as_u64() > Some(0), "{summary}");
    assert_eq!(count("sent"), count("answered") + count("unanswered"), "{summary}");
}

#[test]
fn a_run_that_is_stopped_reports_what_it_measured() {
    let host = Host::start(|_| Reply::Right);
    let address = host.address.to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.args([
        "bench",
        "run",
        &address,
        "--profile",
        "host",
        "--rate",
        "50/s",
        "--duration",
        "60s",
        "--terminals",
        "5",
    ]);
    let child = command.stdout(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(3));
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let done = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(said.contains("STOPPED after") && said.contains("Response codes") && said.contains("00 x"), "{said}");
}

#[test]
fn two_runs_are_compared_and_too_much_of_a_change_fails() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for (name, wait) in [("before", 10), ("after", 60)] {
        let host = Host::start(move |_| Reply::Late(Duration::from_millis(wait)));
        let (exit, summary) =
            bench(host.address, &format!("--rate 50/s --duration 1s --terminals 20 --out {}", path(name)));
        assert_eq!(exit, Exit::Ok, "{summary}");
    }
    let compare = |bound: &str| {
        let mut out = Vec::new();
        let arguments = ["tollgate", "bench", "compare", &path("before"), &path("after"), "--fail-if", bound];
        (run_from(arguments, &mut out).unwrap(), String::from_utf8(out).unwrap())
    };
    let (exit, said) = compare("p50>+100%");
    assert_eq!(exit, Exit::No, "{said}");
    assert!(said.contains("✗ fail if p50>+100%"), "{said}");
    let (exit, said) = compare("rate<-50%");
    assert_eq!(exit, Exit::Ok, "{said}");
}
