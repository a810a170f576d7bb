//! Terminals of a list with keys of their own.

use super::bench;
use super::host::{Host, Reply};
use serde_json::Value;
use tollgate::cli::Exit;

/// The demo's keys of the door `host`, which the made-up host knows.
const KEYS: &str = include_str!("../../../specs/demo/keys.csv");

fn key(name: &str) -> &'static str {
    let row = KEYS.lines().find(|line| line.starts_with(name)).unwrap();
    row.rsplit(',').next().unwrap()
}

fn run(list: &str) -> (Exit, Value) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("terminals.csv");
    std::fs::write(&path, list).unwrap();
    let host = Host::start(|_| Reply::Right);
    bench(host.address, &format!("--rate 30/s --duration 1s --terminal-list {}", path.display()))
}

#[test]
fn a_list_says_who_the_terminals_are_and_what_their_keys_are() {
    let (zpk, zak) = (key("host/zpk"), key("host/zak"));
    let list = format!(
        "terminal,merchant,zpk,zak\nSHOP0001,MERCHANT0000001,{zpk},{zak}\nSHOP0002,MERCHANT0000001,{zpk},{zak}\n"
    );
    let (exit, summary) = run(&list);
    assert_eq!(exit, Exit::Ok, "{summary}");
    assert_eq!((&summary["plan"]["terminals"], &summary["requests"]["answered"]), (&2.into(), &30.into()), "{summary}");
}

#[test]
fn a_wrong_key_is_a_wrong_mac_on_every_answer() {
    let (zpk, zak) = (key("host/zpk"), "0123456789ABCDEFFEDCBA9876543210");
    let (exit, summary) = run(&format!("terminal,merchant,zpk,zak\nSHOP0001,MERCHANT0000001,{zpk},{zak}\n"));
    assert_eq!(exit, Exit::No);
    assert!(summary["faults"]["wrong-mac"].as_u64() > Some(0), "{summary}");
    assert_eq!(summary["requests"]["approved"], 0, "{summary}");
}

#[test]
fn what_is_wrong_with_a_list_is_said_with_its_line_and_without_its_keys() {
    let good = format!("SHOP0001,MERCHANT0000001,{0},{0}", key("host/zpk"));
    for (rows, why) in [
        (String::new(), "no terminals"),
        ("SHOP0001,MERCHANT0000001,0123,0123\n".to_owned(), "terminals.csv:2"),
        ("SHOP0001,MERCHANT0000001,QQ,QQ\n".to_owned(), "zpk: not pairs of hex digits"),
        ("SHOP00001,MERCHANT0000001,00,00\n".to_owned(), "terminal: 8 characters"),
        (format!("{good}\n{good}\n"), "terminals.csv:3: the terminal of line 2 again"),
    ] {
        let (exit, said) = run(&format!("terminal,merchant,zpk,zak\n{rows}"));
        let said = said.as_str().unwrap();
        assert_eq!(exit, Exit::Config, "{said}");
        assert!(said.contains(why) && !said.contains(key("host/zpk")), "{said}");
    }
}
