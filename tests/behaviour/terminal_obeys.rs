//! What the host asks of a terminal in the header of an answer, and what the terminal does about it.

use crate::sample_terminal::unhex;
use crate::switch::rig::{Recipe, Rig, await_that, now};
use crate::terminal_switch::run;
use std::fmt::Write;
use tollgate::cli::Exit;
use tollgate::model::DownloadSet;
use tollgate::model::TerminalId;
use tollgate::model::Timestamp;

const FILES: &str = "parameters = \"parameters.toml\"\ncapks = \"capks.toml\"\n\
    applications = \"applications.toml\"\ncontactless = \"contactless.toml\"\n";
const PARAMETERS: &str = include_str!("../../specs/demo/parameters.toml");
const APPLICATIONS: &str = include_str!("../../specs/demo/applications.toml");
const CONTACTLESS: &str = include_str!("../../specs/demo/contactless.toml");

/// More public keys than one block names.
fn many_keys(count: usize) -> String {
    let modulus = "C5".repeat(128);
    let mut text = "version = 1\n".to_owned();
    for index in 0..count {
        write!(
            text,
            "[[capk]]\nrid = \"A000000999\"\nindex = \"{index:02X}\"\nexpires = \"2035-12-31\"\nexponent = \"03\"\n\
             modulus = \"{modulus}\"\ncheck = \"{}\"\n",
            check(index, &modulus)
        )
        .unwrap();
    }
    text
}

/// SHA-1 over identifier, index, modulus and exponent.
fn check(index: usize, modulus: &str) -> String {
    use sha1::{Digest, Sha1};
    let digits = format!("A000000999{index:02X}{modulus}03");
    Sha1::digest(unhex(&digits)).iter().map(|byte| format!("{byte:02X}")).collect()
}

/// What the station believes that the terminal has of each list.
fn downloaded(rig: &Rig) -> Vec<u32> {
    let terminal = TerminalId::parse(b"10000001").unwrap();
    let facts = rig.facts(terminal);
    DownloadSet::ALL.into_iter().map(|set| facts.downloaded.of(set)).collect()
}

fn rig(keys: &str) -> Rig {
    let lists = [
        ("parameters.toml", PARAMETERS),
        ("capks.toml", keys),
        ("applications.toml", APPLICATIONS),
        ("contactless.toml", CONTACTLESS),
    ];
    Rig::of(&Recipe { files: FILES, lists: &lists, ..Recipe::default() })
}

#[test]
fn lists_are_fetched_block_by_block_and_kept_whole() {
    let rig = rig(&many_keys(45));
    let folder = tempfile::tempdir().unwrap();
    let (exit, out) = run(&rig, folder.path(), &["download"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    assert!(out.matches("-> 0820 download").count() > 2, "the keys are named in more than one block: {out}");
    assert!(out.matches("-> 0800 download").count() > 45, "each of them is fetched: {out}");
    assert_eq!(downloaded(&rig), [1, 1, 1, 1]);
    let state = std::fs::read_to_string(folder.path().join("terminal.json")).unwrap();
    let state: serde_json::Value = serde_json::from_str(&state).unwrap();
    assert_eq!(state["lists"]["capks"].as_array().unwrap().len(), 45);
    assert_eq!(state["lists"]["parameters"].as_array().unwrap().len(), 1);
    let (exit, out) = run(&rig, folder.path(), &["sale", "1.00"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    assert!(!out.contains("download"), "it has them all: {out}");
}

#[test]
fn a_terminal_fetches_after_its_transaction_what_the_answers_header_asks_for() {
    let rig = rig(&many_keys(3));
    let folder = tempfile::tempdir().unwrap();
    for sale in 0..4 {
        let (exit, out) = run(&rig, folder.path(), &["sale", "1.00"]);
        assert_eq!(exit, Exit::Ok, "{out}");
        let (answered, asked) = (out.find("<- 0210 00"), out.find("download"));
        assert!(answered.is_some() && answered < asked, "sale {sale}: {out}");
    }
    assert_eq!(downloaded(&rig), [1, 1, 1, 1]);
    let (_, out) = run(&rig, folder.path(), &["sale", "1.00"]);
    assert!(!out.contains("download"), "{out}");
    let newer = PARAMETERS.replace("version = 1", "version = 2");
    std::fs::write(rig.file("parameters.toml"), newer).unwrap();
    rig.reload().unwrap();
    let (_, out) = run(&rig, folder.path(), &["sale", "1.00"]);
    assert!(out.contains("-> 0800 download"), "{out}");
    assert_eq!(downloaded(&rig), [2, 1, 1, 1]);
}

#[test]
fn a_terminal_signs_in_after_its_transaction_when_the_answers_header_asks_for_it() {
    let rig = Rig::of(&Recipe { tables: "[keys]\nmax_age_h = 24\n", ..Recipe::default() });
    let folder = tempfile::tempdir().unwrap();
    let (exit, out) = run(&rig, folder.path(), &["sale", "1.00"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    assert_eq!(out.matches("sign-in").count(), 1, "before the sale alone: {out}");
    let at = now();
    await_that("time passes", || now() > Timestamp(at.0 + 1_000));
    let station = std::fs::read_to_string(rig.file("station.toml")).unwrap();
    let forced = station.replace("max_age_h = 24\n", &format!("sign_in_after = \"{at}\"\n"));
    std::fs::write(rig.file("station.toml"), forced).unwrap();
    rig.reload().unwrap();
    let (exit, out) = run(&rig, folder.path(), &["sale", "2.00"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    let (sold, signed_in) = (out.find("<- 0210 00"), out.find("-> 0800 sign-in"));
    assert!(sold.is_some() && sold < signed_in, "the sale first: {out}");
    let (_, out) = run(&rig, folder.path(), &["sale", "3.00"]);
    assert!(!out.contains("sign-in") && out.contains("<- 0210 00"), "the new keys hold: {out}");
}
