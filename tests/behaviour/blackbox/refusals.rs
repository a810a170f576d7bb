//! A start that is refused says why, where and what to run; scripts see it by the exit code. Who does not listen is no
//! reason to end.

use super::process::Station;
use crate::switch::rig::Till;
use std::io::BufRead;
use std::io::BufReader;
use std::process::Stdio;

/// The exit code of another start, and what it said.
fn refused(station: &Station) -> (Option<i32>, String) {
    let output = station.command().output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_refused_start_has_an_exit_code_of_its_own_and_changes_nothing() {
    let mut station = Station::kept();
    station.start();
    let (code, said) = refused(&station);
    assert_eq!(code, Some(6), "{said}");
    assert!(said.contains("another process uses this folder"), "{said}");
    station.kill();

    let segment = station.file("ledger/segment-00000000000000000001.tgj");
    let whole = std::fs::read(&segment).unwrap();
    let mut hurt = whole.clone();
    hurt[0] ^= 1;
    std::fs::write(&segment, &hurt).unwrap();
    let (code, said) = refused(&station);
    assert_eq!(code, Some(7), "{said}");
    for word in ["segment-00000000000000000001.tgj", "at byte 0", "tollgate ledger verify"] {
        assert!(said.contains(word), "{said}");
    }
    assert_eq!(std::fs::read(&segment).unwrap(), hurt);
    std::fs::write(&segment, &whole).unwrap();

    let (master, aside) = (station.file("master.key"), station.file("aside.key"));
    std::fs::rename(&master, &aside).unwrap();
    let (code, said) = refused(&station);
    assert_eq!(code, Some(8), "{said}");
    assert!(said.contains("master.key") && said.contains("[hsm] master"), "{said}");
    std::fs::rename(&aside, &master).unwrap();

    station.start();
    assert_eq!(station.stop().code(), Some(0));
}

#[test]
fn a_station_whose_log_nobody_reads_serves_all_the_same() {
    let mut station = Station::kept();
    station.says("trace");
    let mut child = station.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let is_open = lines.any(|line| line.starts_with("door pos "));
    if is_open {
        Till::at(station.door(), 10_000_001, "pos").sign_in();
    }
    let ended = child.try_wait().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(is_open && ended.is_none(), "{ended:?}");
}
