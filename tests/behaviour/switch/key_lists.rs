//! What a list says of a key is what the HSM has, or the station does not open its doors.

use super::hsms::{HsmHost, Process, demo, ended, keys, tollgate};
use super::rig::await_that;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use tollgate::sim::issuer;

/// A list with the column `check`, in which these keys have this check value.
fn stating(list: &str, stated: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for line in list.lines() {
        let name = line.split(',').next().unwrap();
        let check = stated.iter().find(|(key, _)| *key == name).map_or("", |(_, check)| check);
        let last = if line.starts_with("name,") { "check" } else { check };
        text += &if line.starts_with('#') { format!("{line}\n") } else { format!("{line},{last}\n") };
    }
    text
}

/// Where a key stands in a list.
fn line_of(list: &str, name: &str) -> usize {
    list.lines().position(|line| line.starts_with(&format!("{name},"))).unwrap() + 1
}

/// `serve --check` and `serve`, which says what the check said.
fn refused(folder: &Path) -> String {
    let file = folder.join("station.toml");
    let (code, said) = ended(tollgate(&["serve", "-c"], &file));
    assert_eq!(code, Some(3), "{said}");
    let (code, checked) = ended(tollgate(&["serve", "--check", "-c"], &file));
    assert_eq!(code, Some(3), "{checked}");
    for line in checked.lines().filter(|line| line.contains("keys.csv:")) {
        assert!(said.contains(line), "{line}\n{said}");
    }
    said
}

const OWN: &str = "test_keys = true";
/// Check values by openssl (`enc -des-ede`) over zeros.
const HOST_ZPK: &str = "08D7B4";

#[test]
fn keys_that_are_not_what_the_list_says_end_the_start_all_at_once() {
    let stated = [("host/zpk", HOST_ZPK), ("bank-a/zak", "000000"), ("bank-b/zpk", "0123456789"), ("qr-a/zak", "")];
    let list = stating(issuer::DEMO_KEYS, &stated);
    let folder = demo("[hsm]\n", &list, OWN);
    let said = refused(folder.path());
    for name in ["bank-a/zak", "bank-b/zpk"] {
        let place = format!("keys.csv:{}: key {name}: its check value is another", line_of(&list, name));
        assert!(said.contains(&place), "{place}\n{said}");
    }
    assert_eq!(said.matches("keys.csv:").count(), 2, "the others are as they should be: {said}");
    assert!(!said.contains("000000") && !said.contains("0123456789"), "no value: {said}");
}

#[test]
fn a_terminals_key_too_and_a_key_that_nobody_needs_is_a_warning() {
    let terminals = stating(issuer::DEMO_KEYS, &[("terminal/10000007/tmk", "000000")]);
    let folder = demo("[hsm]\n", &terminals, OWN);
    assert!(refused(folder.path()).contains("key terminal/10000007/tmk"));
    let idle = stating(issuer::DEMO_KEYS, &[("bank-a/pvk", "000000")]);
    let folder = demo("[hsm]\n", &idle, OWN);
    let out = tollgate(&["serve", "--check", "-c"], &folder.path().join("station.toml")).output().unwrap();
    let said = String::from_utf8(out.stdout).unwrap();
    assert!(out.status.success(), "{said}");
    let place = format!("keys.csv:{}: key bank-a/pvk", line_of(&idle, "bank-a/pvk"));
    assert!(said.contains("warning: ") && said.contains(&place), "{said}");
}

#[test]
fn a_key_of_another_kind_than_its_row_ends_the_start() {
    let master = "[hsm]\nmaster = \"master.key\"\n";
    let folder = demo(master, "name,usage,algorithm,key\n", OWN);
    std::fs::write(folder.path().join("clear.csv"), issuer::DEMO_KEYS).unwrap();
    let mut seal = tollgate(&["hsm", "seal", "-c"], &folder.path().join("station.toml"));
    let out = seal.arg(folder.path().join("clear.csv")).output().unwrap();
    let list = String::from_utf8(out.stdout).unwrap();
    let block = |name: &str| list.lines().nth(line_of(&list, name) - 1).unwrap().split(',').nth(3).unwrap().to_owned();
    // The block of a PIN key in a MAC key's row, one of AES in a row of TDES, one that is changed.
    let mut changed = block("host/zpk");
    let last = changed.pop().unwrap();
    changed.push(if last == '0' { '1' } else { '0' });
    let list = list
        .replace(&block("bank-b/zak"), &block("bank-b/zpk"))
        .replace("bank-a/zak,mac,aes128", "bank-a/zak,mac,tdes2")
        .replace(&block("host/zpk"), &changed);
    std::fs::write(folder.path().join("keys.csv"), &list).unwrap();
    let said = refused(folder.path());
    for (name, fault) in [
        ("bank-b/zak", "its block is a key of usage pin, not mac"),
        ("bank-a/zak", "its block is a key of aes128, not tdes2"),
        ("host/zpk", "key block does not verify"),
    ] {
        let place = format!("keys.csv:{}: key {name}: {fault}", line_of(&list, name));
        assert!(said.contains(&place), "{place}\n{said}");
    }
}

#[test]
fn a_network_hsm_is_asked_for_the_keys_before_the_doors_open() {
    let host = HsmHost::start();
    let list = stating(&keys(), &[("bank-b/zak", "000000"), ("sealing/mac", "FFFFFF"), ("host/zpk", HOST_ZPK)]);
    let folder = demo(&host.tables(), &list, OWN);
    let said = refused(folder.path());
    for name in ["bank-b/zak", "sealing/mac"] {
        let place = format!("keys.csv:{}: key {name}: its check value is another", line_of(&list, name));
        assert!(said.contains(&place), "{place}\n{said}");
    }
    assert!(!said.contains("host/zpk"), "{said}");
}

/// What a station says, until it is told to stop.
fn listen(station: &mut Process) -> (Arc<parking_lot::Mutex<String>>, JoinHandle<()>) {
    let (heard, stderr) = (Arc::<parking_lot::Mutex<String>>::default(), station.0.stderr.take().unwrap());
    let noted = Arc::clone(&heard);
    let thread = std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            *noted.lock() += &(line + "\n");
        }
    });
    (heard, thread)
}

#[test]
fn a_network_hsm_is_asked_for_the_keys_of_terminals_behind_the_start() {
    let host = HsmHost::start();
    let list = stating(&keys(), &[("terminal/10000007/tmk", "000000")]);
    let folder = demo(&host.tables(), &list, OWN);
    let mut command = tollgate(&["serve", "-c"], &folder.path().join("station.toml"));
    let mut station = Process(command.spawn().unwrap());
    let (heard, _) = listen(&mut station);
    await_that("the terminal's key is told", || {
        let heard = heard.lock();
        heard.lines().any(|line| line.contains("hsm-key") && line.contains("terminal/10000007/tmk"))
    });
    assert!(heard.lock().lines().filter(|line| line.contains("hsm-key")).count() == 1, "{}", heard.lock());
}
