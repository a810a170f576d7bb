//! Profiles: what the files say, and what they do to frames.

use bytes::Bytes;
use std::sync::Arc;
use tollgate::channel::Frame;
use tollgate::channel::Profile;
use tollgate::channel::builtin;
use tollgate::channel::profile_file::load;
use tollgate::iso8583::Message;
use tollgate::iso8583::Mti;

fn profile(name: &str) -> Arc<Profile> {
    builtin::profile(name).unwrap()
}

/// What the loader says of a text, one line a breach.
fn breaches(text: &str) -> Vec<String> {
    let loaded = load("mine", text, &builtin::shelf());
    loaded.err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

fn message(profile: &Profile, mti: &str, elements: &[(u8, &str)]) -> Message {
    let mut builder = profile.dialect.build(Mti::parse(mti.as_bytes()).unwrap());
    for (de, value) in elements {
        builder.set(*de, value.as_bytes()).unwrap();
    }
    let Ok(message) = profile.dialect.decode(builder.finish().unwrap()) else { panic!("cannot be read back") };
    message
}

#[test]
fn every_profile_that_comes_with_the_program_loads() {
    for name in builtin::names() {
        let loaded = load(name, builtin::text(name).unwrap(), &builtin::shelf());
        assert_eq!(loaded.err(), None, "{name}");
        assert_eq!(*profile(name).name, **name);
    }
}

#[test]
fn the_header_of_the_pos_profile_is_copied_and_its_tpdu_swapped() {
    let pos = profile("pos");
    let unit = Bytes::from_static(b"\x60\x00\x03\x12\x34\x60\x32\x20\x32\x05\x01body");
    let request = pos.split(unit.clone()).unwrap();
    assert_eq!(request.tpdu.unwrap().to_string(), "6000031234");
    assert_eq!(&request.body[..], b"body");
    let answer = pos.enclose(b"back", Some(&request)).unwrap();
    assert_eq!(&answer[..], b"\x00\x0f\x60\x12\x34\x00\x03\x60\x32\x20\x32\x05\x01back");
    assert_eq!(pos.enclose_frame(&request).unwrap().slice(2..), unit);
    assert_eq!(&pos.enclose(b"", None).unwrap()[..], b"\x00\x0b\x60\x00\x03\x00\x00\x60\x31\x00\x31\x07\x30");
}

#[test]
fn a_unit_that_ends_inside_its_headers_is_no_frame() {
    let pos = profile("pos");
    let fault = |unit: &'static [u8]| pos.split(Bytes::from_static(unit)).err().unwrap().to_string();
    assert_eq!(fault(b"\x60\x00\x03"), "unit ends inside the TPDU");
    assert_eq!(fault(b"\x02\x00\x03\x00\x00......"), "TPDU does not begin with 60");
    assert_eq!(fault(b"\x60\x00\x03\x00\x00....."), "unit ends inside the header");
    assert!(pos.enclose(&[0; 4086], None).is_err(), "above the cap");
}

#[test]
fn the_messages_without_a_mac_are_those_of_the_file() {
    let pos = profile("pos");
    let required = |mti: &str| pos.mac_required(Mti::parse(mti.as_bytes()).unwrap());
    assert!(["0100", "0200", "0210", "0400", "0410"].into_iter().all(required));
    assert!(!["0320", "0500", "0800", "0810", "0820"].into_iter().any(required));
}

#[test]
fn request_and_answer_have_one_key_and_a_stranger_is_told_by_what_differs() {
    let bank = profile("bank-a");
    let key = |mti: &str, stan: &str, rrn: &str| {
        let rest = [(7, "1121101500"), (41, "10000001")];
        bank.correlation_key(&message(&bank, mti, &[&rest[..], &[(11, stan), (37, rrn)]].concat())).unwrap()
    };
    let request = key("0200", "000001", "632500000001");
    assert!(request == key("0210", "000001", "632500000001"));
    let differing = |other| bank.key_differences(&request, &other).collect::<Vec<_>>();
    assert_eq!(differing(key("0210", "000002", "632500000001")), ["stan"]);
    assert_eq!(differing(key("0210", "000001", "632500000009")), ["rrn"]);
    assert_eq!(differing(key("0410", "000001", "632500000001")), ["mti"]);
    let bare = message(&bank, "0810", &[(7, "1121101500")]);
    assert!(bank.correlation_key(&bare).is_none(), "an answer without a STAN answers nothing");
}

#[test]
fn an_absent_element_is_another_key_than_any_value() {
    let bank = profile("bank-a");
    let key =
        |rrn: &[(u8, &str)]| bank.correlation_key(&message(&bank, "0200", &[&[(11, "000001")], rrn].concat())).unwrap();
    assert!(key(&[]) != key(&[(37, "000000000000")]));
    assert!(key(&[]) == key(&[]));
}

#[test]
fn terminals_of_one_connection_are_told_apart_by_tpdu_source_and_de_41() {
    let pos = profile("pos");
    let lane = |source: [u8; 2], terminal: &str| {
        let message = message(&pos, "0820", &[(41, terminal)]);
        let tpdu = pos.tpdu.map(|tpdu| tollgate::channel::Tpdu { source, ..tpdu });
        let frame = Frame { tpdu, header: pos.header.clone(), body: message.body().clone() };
        pos.lane(&frame, &message)
    };
    assert_eq!(lane([0, 1], "10000001"), lane([0, 1], "10000001"));
    assert_ne!(lane([0, 1], "10000001"), lane([0, 2], "10000001"));
    assert_ne!(lane([0, 1], "10000001"), lane([0, 1], "10000002"));
}

#[test]
fn a_profile_takes_over_what_it_does_not_say_itself() {
    let text = "name = \"mine\"\nextends = \"pos\"\nidle-seconds = 3\n[header]\ntpdu = \"none\"\n";
    let Ok(mine) = load("mine", text, &builtin::shelf()) else { panic!("{:?}", breaches(text)) };
    assert_eq!((mine.idle.as_secs(), mine.tpdu, mine.header.len()), (3, None, 6));
    assert_eq!(mine.mak_length, 8);
}

#[test]
fn a_bad_profile_is_refused_with_all_its_breaches() {
    let text = r#"name = "yours"
extends = "pos"
colour = "red"
idle-seconds = 0
dialect = "cn-pso"

[framing]
length = "3-bytes"
cap = "many"

[header]
tpdu = "6100030000"

[mac]
lenght = 8
algorithm = "x9.19"
without = ["08x"]

[keys]
pin-format = "2"
mak-length = 12

[switches]
de60-digits = 12

[extra]
key = 1
"#;
    let expected = [
        "mine:1: name: is not the name of the file",
        "mine:3: unknown key colour",
        "mine:4: idle-seconds: expected 1 to 86400",
        "mine:5: dialect: expected the name of a dialect without breaches",
        "mine:8: [framing] length: expected binary-2-be, binary-2-le, binary-4-be, binary-4-le, bcd-2, ascii-4",
        "mine:9: [framing] cap: expected 64 to 65535",
        "mine:12: [header] tpdu: expected ten hex digits beginning with 60, or \"none\"",
        "mine:15: unknown key [mac] lenght",
        "mine:16: [mac] algorithm: expected alg1, x919, aes-cmac, tdes-cmac or cup-ecb",
        "mine:17: [mac] without: expected a list of MTIs; x is any digit",
        "mine:20: [keys] pin-format: expected \"0\", \"1\", \"3\" or \"4\"",
        "mine:21: [keys] mak-length: expected 8 or 16",
        "mine:24: [switches] de60-digits: expected 11, 13, 14, 17 or 19",
        "mine:26: unknown key extra",
    ];
    let mut got = breaches(text);
    got.sort_by_key(|line| line.split(':').nth(1).and_then(|number| number.parse::<u32>().ok()));
    assert_eq!(got, expected);
}

#[test]
fn what_a_profile_says_must_be_sayable_in_its_dialect() {
    let mine = |rest: &str| breaches(&format!("name = \"mine\"\nextends = \"host\"\n{rest}"));
    assert_eq!(
        mine("[keys]\nsign-in = true\n[mac]\nlength = 4\n"),
        [
            "mine:6: [mac] length: is not the length of the dialect's DE 64",
            "mine:4: [keys] sign-in: the dialect has no sign-in that carries keys",
        ]
    );
    assert_eq!(
        mine("[mac]\noutput = \"ascii-hex\"\nlength = 4\n")[..1],
        ["mine:5: [mac] length: is less than 8 characters, which are 4 bytes"]
    );
    let alone = mine("[correlation]\nroles = [\"stan\"]\n");
    assert_eq!(alone, ["mine:4: [correlation] roles: needs the STAN and something that is not the STAN"]);
    let lacking = mine("[correlation]\nroles = [\"stan\", \"batch\"]\n");
    assert_eq!(lacking, ["mine:4: [correlation] roles: names a role that the dialect does not have"]);
    let long = mine("[framing]\nlength = \"ascii-4\"\ncap = 20000\n");
    assert_eq!(long, ["mine:5: [framing] cap: is more than the length header can state"]);
}

#[test]
fn a_profile_for_dukpt_devices_has_a_place_for_serial_numbers_and_keys_of_their_kind() {
    let mine = |of: &str, rest: &str| breaches(&format!("name = \"mine\"\nextends = \"{of}\"\n{rest}"));
    assert_eq!(
        mine("pos", "[keys]\ndukpt = \"tdes\"\n"),
        [
            "mine:4: [keys] dukpt: the dialect has no key serial number",
            "mine:4: [keys] dukpt: terminals that sign in have no DUKPT keys",
        ]
    );
    assert_eq!(
        mine("host", "[keys]\ndukpt = \"aes\"\npin-format = \"0\"\n[mac]\nalgorithm = \"x919\"\n"),
        [
            "mine:7: [mac] algorithm: is not one for these DUKPT keys",
            "mine:5: [keys] pin-format: is not one for these DUKPT keys",
        ]
    );
    let wrong = mine("host", "[keys]\ndukpt = \"3des\"\n");
    assert_eq!(wrong, ["mine:4: [keys] dukpt: expected \"tdes\", \"aes\" or \"none\""]);
    assert_eq!(mine("dukpt", "[keys]\ndukpt = \"none\"\n"), [""; 0]);
    assert_eq!(profile("dukpt").dukpt, profile("nac-dukpt").dukpt);
    assert!(profile("host").dukpt.is_none() && profile("dukpt").dukpt.is_some());
}

#[test]
fn broken_chains_of_files_are_breaches() {
    assert_eq!(breaches("name = \"mine\"\nextends = \"mine\"\n")[0], "mine:2: extends: this profile extends itself");
    assert_eq!(breaches("extends = \"nobody\"\n")[0], "mine:1: extends: there is no such profile");
    let syntax = breaches("name = \"mine\"\n[framing\n");
    assert!(syntax[0].starts_with("mine:2: "), "{syntax:?}");
}
