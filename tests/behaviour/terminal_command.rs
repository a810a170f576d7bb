//! `tollgate terminal` against a host that knows one terminal: what it prints, how it ends.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use tollgate::channel::Deframer;
use tollgate::channel::Profile;
use tollgate::channel::builtin::profile;
use tollgate::cli::Exit;
use tollgate::cli::run_from;
use tollgate::hsm::KeyAlgorithm;
use tollgate::hsm::calculator::CipherKey;
use tollgate::hsm::calculator::mac_as;
use tollgate::iso8583::Message;
use tollgate::iso8583::Role;

/// Working keys under the demo's master key of terminal 10000001, and the MAC key in clear.
const KEYS: &str = "41B1F3D154C3079A2CB4F6D696EB21E9E8934A67B49E864CE594CACF00000000000000000FBB6331";
const MAK: &str = "8F7E6D5C4B3A2918";

fn unhex(digits: &str) -> Vec<u8> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

/// Cents choose the answer; 666 gets none.
fn answer(profile: &Profile, request: &Message) -> Option<Vec<u8>> {
    let amount = request.role(Role::Amount).map(|amount| String::from_utf8(amount.to_vec()).unwrap());
    let amount = amount.unwrap_or_default();
    let reversal = request.mti()?.as_str() == "0400";
    if amount == "000000066602" && !reversal {
        return None;
    }
    let code = if reversal || amount.is_empty() { "00" } else { &amount[10..] };
    let mti = request.mti()?.response();
    let mut builder = profile.dialect.build(mti);
    for de in profile.dialect.echo(mti) {
        builder.copy(*de, request).unwrap();
    }
    builder.role(Role::ResponseCode, code.as_bytes()).unwrap().role(Role::Rrn, b"632600000001").unwrap();
    let body = if mti.as_str() == "0810" {
        builder.role(Role::Batch, b"000007").unwrap().role(Role::KeyData, &unhex(KEYS)).unwrap();
        builder.finish().unwrap()
    } else {
        let unsigned = builder.finish_unsigned().unwrap();
        let key = CipherKey::new(KeyAlgorithm::Des, &unhex(MAK)).unwrap();
        let mac = mac_as(&key, &profile.mac.scheme, unsigned.mac_input()).unwrap();
        unsigned.sign(&mac).unwrap()
    };
    Some(profile.enclose(&body, None).unwrap().to_vec())
}

fn host() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let profile = profile("pos").unwrap();
        while let Ok((mut stream, _)) = listener.accept() {
            let mut deframer = Deframer::new(profile.framing);
            let mut buffer = [0; 1024];
            while let Ok(read @ 1..) = stream.read(&mut buffer) {
                deframer.push(&buffer[..read]);
                while let Ok(Some(unit)) = deframer.next() {
                    let message = profile.decode(&profile.split(unit).unwrap()).unwrap();
                    let _gone = answer(&profile, &message).map(|unit| stream.write_all(&unit));
                }
            }
        }
    });
    address
}

fn run(address: &str, state: &Path, arguments: &[&str]) -> (Exit, String) {
    let common = ["tollgate", "terminal", "--timeout", "1", "--connect", address, "--state", state.to_str().unwrap()];
    let mut out = Vec::new();
    let ended = run_from(common.iter().chain(arguments), &mut out);
    (ended.unwrap_or_else(|failure| failure.exit), String::from_utf8(out).unwrap())
}

#[test]
fn a_sale_signs_in_by_itself_and_prints_a_masked_receipt() {
    let (address, folder) = (host(), tempfile::tempdir().unwrap());
    let state = folder.path().join("terminal.json");
    let (exit, out) = run(&address, &state, &["sale", "12.00"]);
    assert_eq!(exit, Exit::Ok, "{out}");
    for wanted in [
        "TEST KEYS",
        "-> 0800 sign-in",
        "-> 0200 sale  12.00  622500******0253  STAN 000002  entry 051  PIN  MAC",
        "<- 0210 00 approved 交易成功  STAN 000002  RRN 632600000001  MAC ok",
        "BATCH: 000007",
        "RMB 12.00",
    ] {
        assert!(out.contains(wanted), "{wanted} in {out}");
    }
    let (exit, out) = run(&address, &state, &["sale", "12.51", "--card", "visitor-b", "--entry", "swipe", "-v"]);
    assert_eq!(exit, Exit::No, "{out}");
    assert!(out.contains("insufficient funds") && out.contains("STAN 000003") && out.contains("entry 021"), "{out}");
    assert!(!out.contains("0800"), "the keys are remembered");
    for secret in ["6225000000000253", "4111111111111111", "123456"] {
        assert!(!out.contains(secret), "{secret} in {out}");
    }
}

#[test]
fn silence_is_5_and_its_reversal_goes_before_the_next_sale() {
    let (address, folder) = (host(), tempfile::tempdir().unwrap());
    let state = folder.path().join("terminal.json");
    assert_eq!(run(&address, &state, &["sale", "666.02"]).0, Exit::Timeout);
    assert!(std::fs::read_to_string(&state).unwrap().contains("\"reason\": \"98\""));
    let (exit, out) = run(&address, &state, &["sale", "1.00"]);
    assert_eq!(exit, Exit::Ok);
    let (reversal, sale) = (out.find("-> 0400 reversal  666.02"), out.find("-> 0200 sale  1.00"));
    assert!(reversal.is_some() && reversal < sale, "{out}");
    assert!(std::fs::read_to_string(&state).unwrap().contains("\"pending\": null"));
}

#[test]
fn the_last_sale_can_be_undone_once() {
    let (address, folder) = (host(), tempfile::tempdir().unwrap());
    let state = folder.path().join("terminal.json");
    assert_eq!(run(&address, &state, &["sale", "2.00"]).0, Exit::Ok);
    let (exit, out) = run(&address, &state, &["reversal"]);
    assert_eq!(exit, Exit::Ok);
    assert!(out.contains("-> 0400 reversal  2.00"), "{out}");
    let (exit, out) = run(&address, &state, &["reversal"]);
    assert_eq!((exit, out.contains("0400")), (Exit::Ok, false));
}

#[test]
fn no_switch_is_4_and_bad_words_are_2() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("terminal.json");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    assert_eq!(run(&nobody, &state, &["sale", "1.00"]).0, Exit::NoConnection);
    assert_eq!(run(&nobody, &state, &["sale", "1.0"]).0, Exit::Usage);
    assert_eq!(run("192.0.2.1:1", &state, &["echo"]).0, Exit::Usage, "test keys stay on this machine");
}

#[test]
fn troublemakers_do_what_they_say() {
    let (address, folder) = (host(), tempfile::tempdir().unwrap());
    let state = folder.path().join("terminal.json");
    let (_, out) = run(&address, &state, &["sale", "3.00", "--repeat"]);
    assert_eq!(out.matches("-> 0200 sale  3.00").count(), 2, "{out}");
    assert_eq!(run(&address, &state, &["sale", "3.00", "--drop-answer"]).0, Exit::Timeout);
    assert!(run(&address, &state, &["echo"]).1.contains("-> 0820 echo"));
}
