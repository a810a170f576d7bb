//! A process that is told by a signal to read its lists again.

use super::process::Station;
use crate::switch::rig::await_that;
use std::process::Command;

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
    std::fs::write(station.file("terminals.csv"), rows + "20000001,898110054119999\n").unwrap();
    hang_up();
    await_that("the log says why not", || station.log().contains("reload-refused"));
}
