//! A process that is told by a signal to read its lists again.

use super::process::Station;
use crate::switch::rig::await_that;
use std::process::Command;
use std::time::Duration;
use tollgate::cli::Exit;
use tollgate::cli::run_from;
use tollgate::model::Clock;
use tollgate::server::SystemClock;

#[test]
fn a_signal_has_the_lists_read_again_and_the_log_shows_what_differs() {
    let mut station = Station::kept();
    station.says("info");
    station.start();
    station.edit("[risk]\n", "[risk]\nmost = 15000\n");
    let hang_up =
        || assert!(Command::new("kill").args(["-HUP", &station.id().to_string()]).status().unwrap().success());
    hang_up();
    await_that("the log says it", || {
        let log = station.log();
        log.contains("reloaded") && log.contains("400 changed") && log.contains("898110054110001  most - -> 15000")
    });
    let rows = std::fs::read_to_string(station.file("terminals.csv")).unwrap();
    std::fs::write(station.file("terminals.csv"), rows + "20000001,898110054119999,\n").unwrap();
    hang_up();
    await_that("the log says why not", || station.log().contains("reload-refused"));
}

#[test]
fn a_row_that_is_read_takes_effect_at_its_time() {
    let mut station = Station::kept();
    station.says("info");
    station.start();
    let rows = std::fs::read_to_string(station.file("terminals.csv")).unwrap();
    let rows: String = rows
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| match line {
            head if head.starts_with("terminal,") => format!("{head},from,most\n"),
            row => format!("{row},,\n"),
        })
        .collect();
    let due = SystemClock::start().wall().later(Duration::from_secs(4));
    let later = format!("10000001,898110054110001,,{due},500\n");
    std::fs::write(station.file("terminals.csv"), rows + &later).unwrap();
    // The station looks seldom where nothing lies ahead; an operator's reload, on another thread, wakes it.
    let data = station.file("ledger").display().to_string();
    let words = ["tollgate", "reload", "--data", &data, "--actor", "alice", "--reason", "a test"];
    let mut said = Vec::new();
    assert!(matches!(run_from(words, &mut said), Ok(Exit::Ok)));
    assert!(String::from_utf8(said).unwrap().ends_with(&format!("1 row takes effect later, at {due}\n")));
    assert!(station.log().contains("1 row takes effect later, at"), "and the log says so too");
    await_that("it takes effect", || station.log().contains("10000001  most - -> 500"));
    let late = SystemClock::start().wall().since(due);
    assert!(late < Duration::from_millis(1_500), "{late:?} late");
}
