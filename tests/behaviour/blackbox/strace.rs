//! A disk that fails or is slow, put under the real binary by strace.

use super::counter::Counter;
use super::kill::agree;
use super::kill::verified;
use super::means::leave_out;
use super::process::Station;
use super::trace::Call;
use super::trace::calls;
use super::traffic::Habits;
use super::traffic::Traffic;
use crate::switch::rig::await_that;
use serde_json::Value;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;
use tollgate::channel::builtin::profile;
use tollgate::iso8583::Role;
use tollgate::model::ResponseCode;

/// Segments so small that many are begun; the anchor is written seldom, so that the writer's calls are the ones
/// that are counted.
const SMALL: &str = "[ledger]\nfolder = \"ledger\"\nsegment_bytes = 16384\nanchor_ms = 60000\n";
/// The exit code of a station whose ledger failed.
const LEDGER_FAILED: Option<i32> = Some(9);
/// Within this, in seconds, it has ended after the fault.
const ENDED_WITHIN: f64 = 1.0;

/// Whether strace can be used here: some containers forbid it.
fn usable(test: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("trace");
    let mut tried = Command::new("strace");
    tried.args(["-D", "-f", "-o"]).arg(&log).args(["-e", "trace=exit_group", "true"]);
    let why = match tried.stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Err(_) => "there is no strace",
        Ok(_) => {
            // The tracer ends after what it traced.
            let until = Instant::now() + Duration::from_secs(5);
            while Instant::now() < until {
                if std::fs::read_to_string(&log).is_ok_and(|text| text.contains("exit_group")) {
                    return true;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            "strace may not trace here"
        }
    };
    leave_out(test, why);
    false
}

/// The command that serves, with `inject` on its calls: the tracer is beside it, so that the process that is
/// started, signalled and awaited is the station itself. Calls are counted by thread.
fn under(station: &Station, inject: &str) -> Command {
    let serve = station.command();
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "-q", "-ttt", "-yy", "-s", "65536", "-o"]).arg(station.file("trace"));
    command.args(["-e", "trace=fdatasync,fsync,pwrite64,sendto,sendmsg,write,writev"]);
    command.args(["-e", &format!("inject={inject}")]);
    command.arg(serve.get_program()).args(serve.get_args());
    command
}

/// That the station ended in time after the fault, and that nobody was told anything any more that was not durable
/// before it. Its trace is gone then.
fn ended_in_silence(station: &Station, what: &str) {
    let trace = station.file("trace");
    let ended = || calls(&trace).into_iter().rfind(|call| call.text.contains("+++ exited with 9 +++"));
    let mut end = None;
    await_that("the trace ends", || {
        end = ended();
        end.is_some()
    });
    let calls = calls(&trace);
    let fault = calls.iter().find(|call| call.is_deadly()).unwrap_or_else(|| panic!("{what}: no fault was injected"));
    let took = end.unwrap().at - fault.at;
    assert!(took < ENDED_WITHIN, "{what}: it ended {took} s after the fault");
    let answers = |call: &Call| call.units(station.door());
    let before = calls.iter().filter(|call| call.at <= fault.at).map(|call| answers(call).len()).sum::<usize>();
    assert!(before > 0, "{what}: the trace shows what is said");
    // What was let go just before the fault may still have been on its way.
    let rows = station.rows();
    for unit in calls.iter().filter(|call| call.at > fault.at).flat_map(answers) {
        let pos = profile("pos").unwrap();
        let Ok(message) = pos.decode(&pos.split(unit).unwrap()) else { panic!("{what}: no message") };
        let text = |role| message.role(role).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
        let (terminal, stan, code) = (text(Role::Terminal), text(Role::Stan), text(Role::ResponseCode));
        let kept = |row: &&Value| row["terminal"] == terminal && row["stan"] == stan && row["code"] == code;
        assert!(rows.iter().any(|row| kept(&row)), "{what}: {terminal} {stan} was told {code}, and nobody knows of it");
    }
    std::fs::remove_file(trace).unwrap();
}

/// Life after life under a fault each, and a last one without; everybody agrees in the end.
fn dies_of(tables: &str, faults: &[&str]) {
    let mut station = Station::new(tables);
    station.start();
    let mut counter = Counter::open(&station, 10_000_001);
    station.await_links();
    assert!(counter.sell(10_00).unwrap().approved);
    assert!(station.stop().success());
    for fault in faults {
        station.start_as(under(&station, fault));
        counter.call(&station);
        // The last life ended in the middle of a sale.
        let mut goes_on = counter.try_settle();
        for amount in 1..500 {
            goes_on = goes_on && counter.sell(amount * 100).is_some();
            if !goes_on {
                break;
            }
        }
        assert!(!goes_on, "{fault}: it sells on");
        assert_eq!(station.ended().code(), LEDGER_FAILED, "{fault}: {}", station.log());
        ended_in_silence(&station, fault);
        verified(&station);
    }
    station.start();
    counter.call(&station);
    counter.settle();
    station.await_links();
    assert!(counter.sell(20_00).unwrap().approved);
    station.await_finished();
    assert!(station.stop().success());
    verified(&station);
    agree(&station, &[counter.belief()]);
}

#[test]
fn a_sync_that_fails_ends_the_process_and_nothing_is_answered_after_it() {
    if usable("a_sync_that_fails_ends_the_process_and_nothing_is_answered_after_it") {
        let sync = ["EIO:when=3", "EIO:when=4", "ENOSPC:when=7", "EIO:when=12", "EDQUOT:when=21"];
        dies_of(SMALL, &sync.map(|fault| format!("fdatasync:error={fault}")).each_ref().map(String::as_str));
    }
}

#[test]
fn a_write_that_fails_ends_the_process_and_nothing_is_answered_after_it() {
    if usable("a_write_that_fails_ends_the_process_and_nothing_is_answered_after_it") {
        let write = ["EIO:when=3", "ENOSPC:when=5", "EIO:when=8", "EIO:when=13"];
        dies_of(SMALL, &write.map(|fault| format!("pwrite64:error={fault}")).each_ref().map(String::as_str));
    }
}

#[test]
fn a_folder_or_an_anchor_that_cannot_be_synced_ends_the_process() {
    if usable("a_folder_or_an_anchor_that_cannot_be_synced_ends_the_process") {
        dies_of(SMALL, &["fsync:error=EIO:when=3", "fsync:error=EIO:when=4"]);
        let anchor = "[ledger]\nfolder = \"ledger\"\nsegment_bytes = 4194304\nanchor_ms = 5\n";
        dies_of(anchor, &["fdatasync:error=EIO:when=9", "pwrite64:error=EIO:when=9"]);
    }
}

#[test]
fn a_disk_that_fails_at_the_start_is_said_and_the_next_start_is_well() {
    if !usable("a_disk_that_fails_at_the_start_is_said_and_the_next_start_is_well") {
        return;
    }
    let mut station = Station::new(SMALL);
    station.start();
    let mut counter = Counter::open(&station, 10_000_001);
    station.await_links();
    assert!(counter.sell(10_00).unwrap().approved);
    station.kill();
    let refused = station.try_start_as(under(&station, "fdatasync:error=EIO:when=1"));
    assert_eq!(refused.map_err(|status| status.code()), Err(Some(7)));
    assert!(station.log().contains("see to the disk, then start again"), "{}", station.log());
    station.start();
    counter.call(&station);
    station.await_links();
    assert!(counter.sell(20_00).unwrap().approved);
    assert!(station.stop().success());
    agree(&station, &[counter.belief()]);
}

#[test]
fn a_disk_that_fails_under_load_loses_nothing() {
    if !usable("a_disk_that_fails_under_load_loses_nothing") {
        return;
    }
    let mut station = Station::new(SMALL);
    station.start();
    assert!(station.stop().success());
    station.start_as(under(&station, "fdatasync:error=EIO:when=60"));
    let traffic = Traffic::start(station.door(), 100.0, 9);
    assert_eq!(station.ended().code(), LEDGER_FAILED);
    ended_in_silence(&station, "under load");
    station.start();
    let (_, before) = traffic.so_far();
    await_that("terminals sell again", || traffic.so_far().1 > before + 50);
    let beliefs = traffic.finish();
    station.await_finished();
    assert!(station.stop().success());
    verified(&station);
    agree(&station, &beliefs);
}

#[test]
fn a_slow_disk_makes_answers_late_and_loses_none() {
    if !usable("a_slow_disk_makes_answers_late_and_loses_none") {
        return;
    }
    let mut station = Station::new("[ledger]\nfolder = \"ledger\"\nsegment_bytes = 262144\n");
    station.start();
    assert!(station.stop().success());
    station.start_as(under(&station, "fdatasync:delay_enter=500000"));
    let mut counter = Counter::open(&station, 10_000_001);
    station.await_links();
    let patient = Habits { rate: 60.0, trouble: 0, patience: Duration::from_secs(25), ..Habits::default() };
    let traffic = Traffic::of(station.door(), &patient);
    await_that("terminals sell", || traffic.so_far().1 >= 60);
    // The bank never answers this one: its deadline holds, whatever else waits for the disk.
    let began = Instant::now();
    assert_eq!(counter.sell(66_602).unwrap().code, Some(ResponseCode::Timeout));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let silent = traffic.silent();
    let mut beliefs = traffic.finish();
    assert_eq!(silent, 0, "every sale had its answer in time");
    station.await_finished();
    assert!(station.stop().success(), "{}", station.log());
    verified(&station);
    beliefs.push(counter.belief());
    agree(&station, &beliefs);
    let stat = station.stat();
    let (groups, records) = (stat["groups"].as_u64().unwrap(), stat["records"].as_u64().unwrap());
    assert!(records > 3 * groups, "what waits for a sync shares the next one: {records} records, {groups} groups");
}
