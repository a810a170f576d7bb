//! `tollgate decode`, `encode` and `spec` as a user calls them, in process.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tollgate::cli::Exit;
use tollgate::cli::run_from;
use tollgate::iso8583::builtin;

/// Runs the command and gives its exit code and what it printed.
fn tollgate(arguments: &[&str]) -> (Exit, String) {
    let mut out = Vec::new();
    let outcome = run_from([&["tollgate"], arguments].concat(), &mut out);
    let text = String::from_utf8(out).unwrap();
    match outcome {
        Ok(exit) => (exit, text),
        Err(failure) => (failure.exit, text + &failure.message),
    }
}

/// The frames of the cn-pos samples, as hex.
fn samples() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/cn_pos_samples.json");
    let samples: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    samples.as_array().unwrap().iter().map(|sample| sample["hex"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn decoding_to_json_and_encoding_again_is_the_identity() {
    let folder = tempfile::tempdir().unwrap();
    for hex in samples() {
        let (exit, json) = tollgate(&["decode", "--profile", "pos", "--json", "--unmask", &hex]);
        assert_eq!(exit, Exit::Ok);
        let file = folder.path().join("message.json");
        fs::write(&file, json).unwrap();
        let (exit, again) = tollgate(&["encode", "--profile", "pos", file.to_str().unwrap()]);
        assert_eq!((exit, again.trim_end()), (Exit::Ok, &*hex));
    }
}

#[test]
fn what_was_masked_is_not_encoded() {
    let folder = tempfile::tempdir().unwrap();
    let (_, json) = tollgate(&["decode", "-p", "pos", "--json", &samples()[3]]);
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["masked"], true);
    let file = folder.path().join("message.json");
    fs::write(&file, json).unwrap();
    let (exit, said) = tollgate(&["encode", "-p", "pos", file.to_str().unwrap()]);
    assert_eq!(exit, Exit::No);
    assert!(said.contains("--unmask"), "{said}");
}

#[test]
fn a_wire_said_singly_reads_like_its_profile() {
    let hex = &samples()[4];
    let whole = tollgate(&["decode", "--profile", "pos", hex]);
    let single = tollgate(&["decode", "--dialect", "cn-pos", "--framing", "len2be", "--header", "tpdu+6", hex]);
    assert_eq!(whole, single);
    assert_eq!(tollgate(&["decode", hex]), whole, "and is guessed if nothing is said");
    assert_eq!(tollgate(&["decode", "-d", "cn-pos", &hex[26..]]).0, Exit::Ok);
    assert_eq!(tollgate(&["decode", "-d", "cn-pos", "-f", "len3", hex]).0, Exit::Usage);
    assert_eq!(tollgate(&["decode", "-d", "cn-pos", "-H", "tpdu+x", hex]).0, Exit::Usage);
    assert_eq!(tollgate(&["decode", "-p", "nowhere", hex]).0, Exit::Config);
}

#[test]
fn every_length_header_is_written_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("echo.json");
    fs::write(&file, r#"{"mti":"0800","fields":{"7":"1121000000","11":"000001","70":"301"}}"#).unwrap();
    // MTI 4, bitmaps 32, values 19: 55 bytes.
    let wanted = [
        ("none", ""),
        ("len2be", "0037"),
        ("len2be-incl", "0039"),
        ("len4be", "00000037"),
        ("len2le", "3700"),
        ("len4le", "37000000"),
        ("len2bcd", "0055"),
        ("len4ascii", "30303535"),
        ("len4ascii-incl", "30303539"),
    ];
    for (framing, length) in wanted {
        let (_, hex) = tollgate(&["encode", "-d", "iso87-ascii", "-f", framing, file.to_str().unwrap()]);
        assert!(hex.starts_with(&format!("{length}30383030")), "{framing} {hex}");
        assert_eq!(tollgate(&["decode", "-d", "iso87-ascii", "-f", framing, hex.trim_end()]).0, Exit::Ok);
    }
}

#[test]
fn a_fault_is_told_with_element_offset_and_what_came_before() {
    let hex = &samples()[3];
    let cut = &hex[26..hex.len() - 20];
    let (exit, text) = tollgate(&["decode", "-d", "cn-pos", cut]);
    assert_eq!(exit, Exit::No);
    assert!(text.contains("622500******0253"), "{text}");
    assert!(text.contains("error: DE 60 at byte 248: message ends inside the element"), "{text}");
    let (exit, json) = tollgate(&["decode", "-d", "cn-pos", "--json", cut]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(exit, Exit::No);
    assert_eq!(json["error"]["path"], "DE 60");
    assert_eq!(json["error"]["offset"], 248);
    assert_eq!(json["fields"]["49"], "156");
}

/// PCI DSS 3.4.1: nothing of PAN (but six and four), tracks, PIN blocks, expiry and keys.
#[test]
fn nothing_secret_is_shown_without_being_asked_for() {
    let secrets = ["6225000000000253", "3012201", "F2E25CC662837D8A", "41B1F3D154C3079A", "5A9A03AF62DAB477"];
    for hex in samples() {
        for cut in (26..=hex.len()).step_by(2) {
            for json in [&[][..], &["--json"]] {
                let arguments = [&["decode", "-p", "pos"], json, &[&hex[..cut]]].concat();
                let (_, text) = tollgate(&arguments);
                let shown = secrets.iter().find(|secret| text.contains(**secret));
                assert_eq!(shown, None, "{text}");
            }
        }
    }
}

#[test]
fn a_bad_dialect_is_told_with_every_breach_and_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    let rows = "name = \"mine\"\ntitle = \"t\"\nextends = \"cn-pos\"\n[element]\n37 = { name = \"RRN\", kind = \"q\", length = 12 }\n[echo]\n\"0210\" = [99]\n";
    fs::write(&file, rows).unwrap();
    let (exit, text) = tollgate(&["spec", "check", file.to_str().unwrap()]);
    assert_eq!(exit, Exit::Config);
    assert!(text.contains("mine.toml:5: "), "{text}");
    assert!(text.contains("mine.toml:7: element 99 is not defined"), "{text}");
    fs::write(&file, rows.replace("\"q\"", "\"an\"").replace("[99]", "[37]")).unwrap();
    let (exit, text) = tollgate(&["spec", "check", file.to_str().unwrap()]);
    assert_eq!(exit, Exit::Ok, "{text}");
    assert_eq!(tollgate(&["decode", "-d", file.to_str().unwrap(), &samples()[3][26..]]).0, Exit::Ok);
}

#[test]
fn built_in_dialects_are_listed_and_shown() {
    let (exit, list) = tollgate(&["spec", "list"]);
    assert_eq!(exit, Exit::Ok);
    for name in builtin::names() {
        assert!(list.contains(name), "{list}");
        let (exit, text) = tollgate(&["spec", "show", name]);
        assert_eq!(exit, Exit::Ok);
        assert!(text.contains("Primary account number"), "{text}");
    }
    assert_eq!(tollgate(&["spec", "show", "nowhere"]).0, Exit::Config);
    assert_eq!(tollgate(&["spec", "frobnicate"]).0, Exit::Usage);
}
