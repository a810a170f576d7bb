//! `tollgate hsm` as a user calls it.

use super::rig::CTX;
use super::rig::connected;
use super::rig::mac;
use super::rig::setup;
use std::io::BufRead;
use std::io::BufReader;
use std::process::Command;
use std::process::Stdio;
use tollgate::cli::Exit;
use tollgate::cli::run_from;
use tollgate::hsm::Hsm;
use tollgate::hsm::payshield::key::HostKey;

fn tollgate(arguments: &[&str]) -> (Exit, String) {
    let mut out = Vec::new();
    let outcome = run_from([&["tollgate", "hsm"], arguments].concat(), &mut out);
    let text = String::from_utf8(out).unwrap();
    match outcome {
        Ok(exit) => (exit, text),
        Err(failure) => (failure.exit, text + &failure.message),
    }
}

/// Ends the process it is given, whatever the test does.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_served_hsm_says_where_and_how_fast_it_is_and_answers() {
    let arguments = ["hsm", "serve", "--listen", "127.0.0.1:0", "--delay", "exp:1ms", "--engines", "4"];
    let child = Command::new(env!("CARGO_BIN_EXE_tollgate")).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut running = Running(child);
    let mut lines = BufReader::new(running.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().contains("TEST MASTER KEY"));
    let listens = lines.next().unwrap();
    let address = listens.split_whitespace().nth(3).unwrap().trim_end_matches(',').parse().unwrap();
    assert!(lines.any(|line| line.trim() == "at most 4000 commands a second"));
    let hsm = connected(setup(&[address])).await;
    assert!(mac(&hsm, b"x").await.is_ok());
    assert_eq!(hsm.diagnostics(&CTX).await.unwrap().product, "payshield 0000-TEST");
}

#[tokio::test]
async fn a_served_hsm_says_at_its_end_whether_it_was_the_limit() {
    for (engines, at_once, limits) in [("1", 40, true), ("64", 20, false)] {
        let arguments = ["hsm", "serve", "--listen", "127.0.0.1:0", "--delay", "2ms", "--engines", engines];
        let child =
            Command::new(env!("CARGO_BIN_EXE_tollgate")).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut running = Running(child);
        let mut lines = BufReader::new(running.0.stdout.take().unwrap()).lines().map(Result::unwrap);
        let listens = lines.find(|line| line.starts_with("hsm listens on ")).unwrap();
        let address = listens.split_whitespace().nth(3).unwrap().trim_end_matches(',').parse().unwrap();
        let hsm = connected(setup(&[address])).await;
        let asked = (0..at_once).map(|_| mac(&hsm, b"x"));
        assert!(futures_util::future::join_all(asked).await.iter().all(Result::is_ok));
        let told = Command::new("kill").args(["-TERM", &running.0.id().to_string()]).status().unwrap();
        assert!(told.success());
        let said: Vec<String> = lines.collect();
        let limit = "this HSM, not who asks it, is the limit at 500/s";
        assert_eq!(said.iter().any(|line| line == limit), limits, "{said:?}");
        assert!(said.iter().any(|line| line.ends_with(" waited until an engine was free")), "{said:?}");
    }
}

#[test]
fn a_list_of_clear_keys_comes_out_as_the_hsm_takes_them() {
    let (exit, said) = tollgate(&["keys", concat!(env!("CARGO_MANIFEST_DIR"), "/specs/demo/keys.csv")]);
    assert_eq!(exit, Exit::Ok);
    let rows: Vec<Vec<&str>> = said.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let keys = rows.iter().filter(|row| row.len() == 5);
    assert!(keys.clone().all(|row| HostKey::parse(row[4]).is_some()));
    let of = |name: &str| keys.clone().find(|row| row[0] == name).unwrap()[1..4].join(" ");
    assert_eq!(of("terminal/10000001/tmk"), "kek tdes2 002");
    assert_eq!(of("bank-a/zpk"), "pin tdes2 001");
    assert_eq!(of("bank-a/zak"), "mac aes128 008");
    let block = keys.clone().find(|row| row[0] == "bank-a/zak").unwrap()[4];
    assert!(HostKey::parse(block).unwrap().is_aes(), "AES keys are in key blocks");
}

#[test]
fn a_key_that_is_not_well_known_is_not_printed_under_a_key_that_everybody_has() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("keys.csv");
    let drawn = "7C0FA2D15E9B3384E6617A0BD84C2F95";
    let test = "a/zak,mac,tdes2,0123456789ABCDEFFEDCBA9876543210";
    std::fs::write(&list, format!("name,usage,algorithm,key\n{test}\na/zpk,pin,tdes2,{drawn}\n")).unwrap();
    let list = list.to_str().unwrap();
    let (exit, said) = tollgate(&["keys", list]);
    assert_eq!(exit, Exit::Usage);
    assert!(said.contains("key a/zpk") && !said.contains(drawn) && !said.contains("a/zak"), "{said}");
    let (exit, said) = tollgate(&["keys", "--test-keys", list]);
    assert!(exit == Exit::Ok && said.contains("a/zpk,pin,tdes2,001,U"), "{said}");
}

#[test]
fn options_that_make_no_sense_are_refused() {
    for wrong in [["--delay", "fast"], ["--drop", "1.5"], ["--error", "00"], ["--header", "0"], ["--engines", "0"]] {
        assert_eq!(tollgate(&[&["serve"], &wrong[..]].concat()).0, Exit::Usage, "{wrong:?}");
    }
}
