//! `tollgate bench run` against hosts that answer right, wrong, late, twice and not at all.

mod host;
mod list;
mod station;

use host::{Host, Reply};
use serde_json::Value;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;
use tollgate::cli::Exit;
use tollgate::cli::run_from;
use tollgate::iso8583::Role;

/// Exit code, and the summary or what was said instead.
fn bench(address: SocketAddr, arguments: &str) -> (Exit, Value) {
    let address = address.to_string();
    let common = ["tollgate", "bench", "run", &address, "--profile", "host", "--json", "--warmup", "0s"];
    let mut out = Vec::new();
    match run_from(common.into_iter().chain(arguments.split_whitespace()), &mut out) {
        Ok(exit) => (exit, serde_json::from_slice(&out).unwrap()),
        Err(failure) => (failure.exit, Value::String(failure.message)),
    }
}

fn fault(summary: &Value, name: &str) -> u64 {
    summary["faults"][name].as_u64().unwrap_or_else(|| panic!("{name} is counted in {summary}"))
}

/// A host that answers one request in ten otherwise than it should.
fn now_and_then(reply: Reply) -> Host {
    Host::start(move |asked| if asked.before % 10 == 3 { reply.clone() } else { Reply::Right })
}

#[test]
fn a_schedule_is_kept_and_every_right_answer_is_found_right() {
    let host = Host::start(|_| Reply::Right);
    let (exit, summary) = bench(host.address, "--rate 100/s --duration 2s --terminals 20");
    assert_eq!(exit, Exit::Ok, "{summary}");
    let requests = &summary["requests"];
    assert_eq!((&requests["scheduled"], &requests["answered"]), (&Value::from(200), &Value::from(200)), "{summary}");
    assert_eq!(summary["codes"]["00"], 200);
    let came = host.came.lock().unwrap();
    let half = came.iter().filter(|at| at.duration_since(came[0]) < Duration::from_secs(1)).count();
    assert!((60..=140).contains(&half), "{half} of 200 came in the first of two seconds");
}

#[test]
fn a_host_that_stalls_does_not_slow_down_the_ruler() {
    let stall = Duration::from_millis(500)..Duration::from_millis(1_500);
    let host = Host::start(move |asked| match stall.contains(&asked.since) {
        true => Reply::Late(stall.end - asked.since),
        false => Reply::Right,
    });
    let (_, summary) = bench(host.address, "--rate 100/s --duration 3s --terminals 4");
    let p90 = |from: &str| summary["latency_us"][from]["p90"].as_u64().unwrap();
    let (schedule, send) = (p90("from_schedule"), p90("from_send"));
    assert!(schedule > 500_000, "a tenth of what was due waited half a second: {schedule} us");
    assert!(
        send < schedule / 3,
        "four requests were under way meanwhile: {send} us from send, {schedule} from schedule"
    );
    assert_eq!(summary["requests"]["scheduled"], 300, "the schedule did not wait");
    assert!(summary["requests"]["starved"].as_u64().unwrap() > 50, "{summary}");
}

#[test]
fn two_terminals_answers_swapped_are_caught() {
    let host = Host::start(|asked| if (4..6).contains(&asked.before) { Reply::Swap } else { Reply::Right });
    let (exit, summary) = bench(host.address, "--rate 50/s --duration 1s --terminals 10 --timeout 1s");
    assert_eq!(exit, Exit::No);
    assert_eq!((fault(&summary, "other-connection"), fault(&summary, "no-answer")), (2, 2), "{summary}");
    assert_eq!(summary["elements"]["terminal"], 2, "{summary}");
}

#[test]
fn answers_swapped_on_a_connection_that_terminals_share_are_right_because_they_say_whose_they_are() {
    let host = Host::start(|asked| if (4..6).contains(&asked.before) { Reply::Swap } else { Reply::Right });
    let (exit, summary) = bench(host.address, "--rate 50/s --duration 1s --terminals 10 --connections 1 --timeout 1s");
    assert_eq!(exit, Exit::Ok, "{summary}");
}

#[test]
fn an_answer_that_does_not_match_names_the_element() {
    for (role, value) in [
        (Role::Amount, "000000000001"),
        (Role::ProcessingCode, "999999"),
        (Role::Merchant, "000000000000000"),
        (Role::Currency, "840"),
        (Role::TransmissionTime, "0101000000"),
        (Role::LocalTime, "000001"),
    ] {
        let host = now_and_then(Reply::With(role, value));
        let (exit, summary) = bench(host.address, "--rate 50/s --duration 1s --terminals 10 --timeout 1s");
        assert_eq!(exit, Exit::No, "{role:?}");
        assert_eq!((fault(&summary, "differs"), fault(&summary, "no-answer")), (5, 0), "{role:?} {summary}");
        assert_eq!(summary["elements"][role.as_str()], 5, "{summary}");
    }
}

#[test]
fn what_a_host_does_wrong_is_counted_under_its_own_name() {
    let late = Reply::Late(Duration::from_millis(900));
    for (reply, name, unanswered) in [
        (Reply::WrongMac, "wrong-mac", 0),
        (Reply::NoMac, "no-mac", 0),
        (Reply::Code("51"), "code", 0),
        (Reply::Twice, "twice", 0),
        (Reply::Garbage, "garbage", 5),
        (Reply::NoFrame, "garbage", 5),
        (Reply::Silence, "no-answer", 5),
        (Reply::Close, "closed", 5),
        (Reply::With(Role::Stan, "999998"), "unmatched", 5),
        (Reply::With(Role::Terminal, "99999999"), "other-terminal", 5),
        (late, "late", 5),
    ] {
        let host = now_and_then(reply);
        let (exit, summary) = bench(host.address, "--rate 50/s --duration 1s --terminals 10 --timeout 600ms");
        assert_eq!(exit, Exit::No, "{name}: {summary}");
        assert_eq!(fault(&summary, name), 5, "{name}: {summary}");
        assert_eq!(summary["requests"]["unanswered"], unanswered, "{name}: {summary}");
        assert_eq!(summary["requests"]["answered"], 50 - unanswered, "{name}: {summary}");
    }
}

#[test]
fn what_was_not_answered_is_undone() {
    let host = now_and_then(Reply::Silence);
    let (_, summary) = bench(host.address, "--rate 50/s --duration 2s --terminals 10 --timeout 300ms");
    assert!(summary["requests"]["reversed"].as_u64().unwrap() >= 7, "{summary}");
}

#[test]
fn codes_and_silence_may_be_allowed() {
    let host = now_and_then(Reply::Silence);
    let allowed =
        "--rate 50/s --duration 1s --terminals 10 --timeout 300ms --threshold unanswered<=10% --threshold p50<290ms";
    let (exit, summary) = bench(host.address, allowed);
    assert_eq!(exit, Exit::Ok, "{summary}");
    let host = now_and_then(Reply::Code("51"));
    let (exit, summary) = bench(host.address, "--rate 50/s --duration 1s --terminals 10 --allow 00 --allow 51");
    assert_eq!(exit, Exit::Ok, "{summary}");
}

#[test]
fn a_threshold_that_was_not_kept_is_said_first_and_fails_the_run() {
    let host = Host::start(|_| Reply::Late(Duration::from_millis(50)));
    let (exit, summary) = bench(host.address, "--rate 50/s --duration 1s --terminals 20 --threshold p50<10ms");
    assert_eq!((exit, &summary["passed"]), (Exit::No, &Value::Bool(false)));
    assert_eq!(
        (&summary["thresholds"][0]["threshold"], &summary["thresholds"][0]["kept"]),
        (&"p50<10ms".into(), &false.into())
    );
}

#[test]
fn a_target_that_refuses_and_one_that_says_nothing_are_told_apart() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (exit, said) = bench(nobody, "--duration 1s --terminals 3 --timeout 300ms");
    assert_eq!(exit, Exit::NoConnection);
    assert!(said.as_str().unwrap().contains("refused"), "{said}");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let arguments = ["tollgate", "bench", "run", &address, "--terminals", "3", "--timeout", "300ms"];
    let failure = run_from(arguments, &mut Vec::new()).unwrap_err();
    assert_eq!(failure.exit, Exit::Timeout, "{}", failure.message);
    assert!(failure.message.contains("no answer to its sign-in"), "{}", failure.message);
}

#[test]
fn a_closed_loop_has_so_many_under_way_and_no_more() {
    let host = Host::start(|_| Reply::Late(Duration::from_millis(100)));
    let (exit, summary) = bench(host.address, "--closed -c 5 --duration 2s --terminals 20");
    let sent = summary["requests"]["sent"].as_u64().unwrap();
    assert_eq!(exit, Exit::Ok, "{summary}");
    assert!((40..=105).contains(&sent), "five at once, ten each a second: {sent}");
}

#[test]
fn test_keys_do_not_leave_the_machine() {
    let arguments = ["tollgate", "bench", "run", "192.0.2.1:8583"];
    let failure = run_from(arguments, &mut Vec::new()).unwrap_err();
    assert_eq!(failure.exit, Exit::Usage);
    assert!(failure.message.contains("--terminal-list"), "{}", failure.message);
}
