//! The calculators of `tollgate crypto`: published results, what they refuse, and what they never show.

use crate::crypto_command::tollgate;
use serde_json::Value;
use std::fs;
use tollgate::cli::Exit;

const KEY: &str = "0123456789ABCDEFFEDCBA9876543210";
/// Drawn for these tests: no well-known key.
const DRAWN: &str = "7C0FA2D15E9B3384E6617A0BD84C2F95";

/// The outputs of a calculation, and how it ended.
fn outputs(arguments: &[&str]) -> (Exit, Value) {
    let (exit, said) = tollgate(&[arguments, &["--json"]].concat());
    let report: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"));
    assert!(report["inputs"].as_object().is_some_and(|inputs| !inputs.is_empty()), "inputs are shown");
    (exit, report["outputs"].clone())
}

/// One output of a calculation that succeeds.
#[track_caller]
fn output(arguments: &[&str], name: &str) -> String {
    let (exit, outputs) = outputs(arguments);
    assert_eq!(exit, Exit::Ok, "{outputs}");
    outputs[name].as_str().unwrap_or_else(|| panic!("{name}: {outputs:#}")).to_owned()
}

/// Chip arguments of the published Visa and Mastercard samples.
const CHIP: &[&str] = &["--imk", KEY, "--pan", "1234567890123456", "--atc", "001C"];
const VISA_10: &str = "0000000040000000000000000124800004800001241911050152BF45851800001C03A06010";
const MC_17: &str = "00000000999900000000000001248000000000012420990600ABCDEF121800001CA0000322000000000000000322FF";

#[test]
fn published_results_come_out() {
    assert_eq!(output(&["kcv", "--key", KEY], "check_value_zeros"), "08D7B4");
    let aes = output(&["kcv", "--aes", "--key", "2B7E151628AED2A6ABF7158809CF4F3C"], "check_value_zeros");
    assert_eq!(aes, "7DF76B");
    let pin_block = &["pinblock", "--format", "0", "--pin", "1234", "--pan", "4012345678909", "--key", KEY];
    assert_eq!(output(pin_block, "clear_block"), "041274EDCBA9876F");
    assert_eq!(output(pin_block, "enciphered_block"), "C03D21CDBCB0C58B");
    let open = &["pinblock", "--format", "0", "--block", "C03D21CDBCB0C58B", "--pan", "4012345678909", "--key", KEY];
    assert_eq!(output(open, "pin"), "1234");
    let dukpt = &["dukpt", "--bdk", KEY, "--ksn", "FFFF9876543210E00001"];
    assert_eq!(output(dukpt, "initial_key"), "6AC292FAA1315B4D858AB3A3D7D5933A");
    assert_eq!(output(dukpt, "transaction_key"), "042666B49184CFA368DE9628D0397BC9");
    assert_eq!(output(dukpt, "pin_key"), "042666B49184CF5C68DE9628D0397B36");
    let dukpt = &["dukpt", "--bdk", "FEDCBA9876543210F1F1F1F1F1F1F1F1", "--ksn", "123456789012345600000001"];
    assert_eq!(output(dukpt, "pin_key"), "AF8CB133A78F8DC2D1359F18527593FB");
    assert_eq!(output(dukpt, "mac_key_request"), "A2DC23DE6FDE0824A2BC321E08E4B8B7");
    let cvv = &["cvv", "--cvk", KEY, "--pan", "4123456789012345", "--expiry", "8701"];
    assert_eq!(output(cvv, "cvv_of_this_service_code"), "561");
    assert_eq!(output(cvv, "icvv_service_code_999"), "651");
    assert_eq!(output(&["pvv", "--pvk", KEY, "--pan", "1122334455667788", "--pin", "4524"], "pvv"), "8523");
    let offset = &["offset", "--pvk", KEY, "--pan", "1122334455667788", "--pin", "1234", "--table", "1234567890123456"];
    assert_eq!(output(offset, "natural_pin"), "4524");
    assert_eq!(output(offset, "offset"), "7710");
    let mac = &["mac", "--key", "2B7E151628AED2A6ABF7158809CF4F3C", "--algorithm", "aes-cmac", "--data", ""];
    assert_eq!(output(mac, "mac"), "BB1D6929E95937287FA37D129B756746");
    let mac = &["mac", "--key", "0123456789ABCDEF", "--algorithm", "alg1", "--text", "7654321 Now is the time for "];
    assert_eq!(output(mac, "first_4_bytes"), "F1D30F68");
}

#[test]
fn published_chip_results_come_out() {
    let chip = |version: &[&'static str], rest: &[&'static str]| [version, CHIP, rest].concat();
    let arqc = chip(&["arqc", "--cvn", "visa10"], &["--data", VISA_10, "--un", "52BF4585"]);
    assert_eq!(output(&arqc, "arqc"), "29CCA15AE665FA2E");
    let arqc = chip(&["arqc", "--cvn", "mc17"], &["--data", MC_17, "--un", "ABCDEF12"]);
    assert_eq!(output(&arqc, "arqc"), "EAE8A620A75648D8");
    let arpc = chip(&["arpc", "--cvn", "visa10"], &["--arqc", "29CCA15AE665FA2E", "--arc", "3030"]);
    assert_eq!(output(&arpc, "arpc"), "28993816AFAE4AEB");
    // Computed with pyemv 1.5.0 (VisaCVN18, VisaCVN22), same elements, application data 06011203A0B800.
    let data = format!("{}06011203A0B800", &VISA_10[..VISA_10.len() - 8]);
    for (version, pan, arqc, arpc) in [
        ("visa18", "1234567890123456", "59A3DE05C58CB5B3", "769FECD3"),
        ("visa22", "12345678901234567", "FBEFE9064A51E5FD", "DB18120A"),
    ] {
        let chip = ["--cvn", version, "--imk", KEY, "--pan", pan, "--atc", "001C", "--sequence", "1"];
        let made = output(&[&["arqc"], chip.as_slice(), &["--data", &data, "--un", "52BF4585"]].concat(), "arqc");
        assert_eq!(made, arqc);
        let answer = ["--arqc", &made, "--csu", "00820000", "--proprietary", "0102"];
        assert_eq!(output(&[&["arpc"], chip.as_slice(), answer.as_slice()].concat(), "arpc"), arpc);
    }
}

#[test]
fn key_blocks_are_read_and_written() {
    let kbpk = "88E1AB2A2E3DD38C1FA039A536500CC8A87AB9D62DC92C01058FA79F44657DE6";
    let block = "D0112P0AE00E0000B82679114F470F540165EDFBF7E250FCEA43F810D215F8D207E2E417C07156A27E8E31DA05F7425509593D03A457DC34";
    assert_eq!(output(&["tr31", "read", block], "usage"), "P0 (PIN encryption)");
    assert_eq!(output(&["tr31", "read", block, "--kbpk", kbpk], "key"), "3F419E1CB7079442AA37474C2EFBF8B8");
    let (exit, said) = outputs(&["tr31", "read", block, "--kbpk", &"11".repeat(32)]);
    assert_eq!((exit, said["fault"].as_str()), (Exit::No, Some("key block MAC")));
    let write = [
        "tr31",
        "write",
        "--kbpk",
        kbpk,
        "--key",
        "3F419E1CB7079442AA37474C2EFBF8B8",
        "--attributes",
        "P0AEE",
        "--padding",
        "1C2965473CE206BB855B01533782",
    ];
    assert_eq!(output(&write, "key_block"), block);
    let drawn = output(&write[..8], "key_block");
    assert_ne!(drawn, output(&write[..8], "key_block"), "the padding is drawn");
    assert_eq!(output(&["tr31", "read", &drawn, "--kbpk", kbpk], "check_value"), output(&write, "check_value"));
}

#[test]
fn components_give_their_key_and_all_check_values() {
    let parts = ["E09B073B4007541FAB76B04370451031", "4CBF5D51EA8525EF045EFED6E386D9D9", &"00".repeat(16)];
    let arguments = ["component", "--component", parts[0], "--component", parts[1], "--component", parts[2]];
    let (exit, said) = outputs(&arguments);
    assert_eq!(exit, Exit::Ok);
    assert_eq!(said["key"], "AC245A6AAA8271F0AF284E9593C3C9E8");
    assert_eq!((&said["check_value"], &said["check_value_of_component_2"]), (&"40D522".into(), &"01A4D8".into()));
    assert_eq!(tollgate(&arguments[..3]).0, Exit::Usage, "one component is none");
}

#[test]
fn calculators_without_keys_do_their_sums() {
    assert_eq!(outputs(&["luhn", "4111111111111111"]).0, Exit::Ok);
    let (exit, said) = outputs(&["luhn", "4111111111111112"]);
    assert_eq!((exit, said["check_digit"].as_u64()), (Exit::No, Some(1)));
    assert_eq!(output(&["bcd", "12345"], "bytes"), "012345");
    assert_eq!(output(&["bcd", "12345", "--left"], "bytes"), "123450");
    assert_eq!(output(&["bcd", "123450", "--decode", "--left", "--digits", "5"], "digits"), "12345");
    assert_eq!(output(&["bcd", "012345", "--decode", "--digits", "5"], "digits"), "12345");
    assert_eq!(output(&["ebcdic", "AB 12"], "ebcdic"), "C1C240F1F2");
    assert_eq!(output(&["ebcdic", "C1C240F1F2", "--decode"], "text"), "AB 12");
    let (exit, said) = tollgate(&["tlv", "6F0A8407A0000000031010950101"]);
    assert_eq!(exit, Exit::No, "the outer object ends inside an inner one: {said}");
    let (exit, said) = tollgate(&["tlv", "70039F360212349F1A020156"]);
    assert_eq!(exit, Exit::No, "{said}");
    let (exit, said) = tollgate(&["tlv", "70059F360212349F1A020156"]);
    assert_eq!(exit, Exit::Ok);
    assert!(said.contains(". 9F36") && said.contains("1234") && said.contains("9F1A"), "{said}");
    let track = ["track2", ";4111111111111111=29012010000000000001?"];
    assert_eq!(output(&[track.as_slice(), &["--unmask"]].concat(), "number"), "4111111111111111");
    let (_, said) = outputs(&track);
    assert_eq!(said["number"], "411111******1111");
    assert_eq!((&said["service_code"], &said["discretionary_data"]), (&"201".into(), &"not shown".into()));
}

#[test]
fn comparisons_end_as_the_answer_is() {
    for (arguments, right, wrong) in [
        (["cvv", "--cvk", KEY, "--pan", "4123456789012345", "--expiry", "8701"].as_slice(), "561", "562"),
        (&["pvv", "--pvk", KEY, "--pan", "1122334455667788", "--pin", "4524"], "8523", "8524"),
        (&["mac", "--key", "0123456789ABCDEF", "--algorithm", "alg1", "--data", "00"], "D5D44FF7", "D5D44FF8"),
        (
            &["offset", "--pvk", KEY, "--pan", "1122334455667788", "--pin", "4524", "--table", "1234567890123456"],
            "0000",
            "0001",
        ),
    ] {
        assert_eq!(outputs(&[arguments, &["--verify", right]].concat()).0, Exit::Ok);
        assert_eq!(outputs(&[arguments, &["--verify", wrong]].concat()).0, Exit::No);
    }
}

#[test]
fn a_key_that_is_not_well_known_does_not_belong_on_a_command_line() {
    let (exit, said) = tollgate(&["kcv", "--key", DRAWN]);
    assert_eq!(exit, Exit::Usage);
    assert!(said.contains("--test-keys") && !said.contains(DRAWN), "{said}");
    assert_eq!(tollgate(&["kcv", "--key", DRAWN, "--real-keys"]).0, Exit::Usage, "real keys come from files");
    assert_eq!(tollgate(&["kcv", "--key", DRAWN, "--test-keys"]).0, Exit::Ok);
    assert_eq!(tollgate(&["kcv", "--key", DRAWN, "--test-keys", "--real-keys"]).0, Exit::Usage);
}

#[test]
fn a_real_key_comes_from_a_file_and_neither_it_nor_what_it_protects_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.hex");
    fs::write(&file, format!("{} {}\n", &DRAWN[..16], &DRAWN[16..])).unwrap();
    let file = file.to_str().unwrap();
    let (exit, said) = tollgate(&["kcv", "--key", file]);
    assert_eq!(exit, Exit::Usage);
    assert!(said.contains("--real-keys") && !said.contains(DRAWN), "{said}");
    let (exit, said) = tollgate(&["kcv", "--key", file, "--test-keys"]);
    assert!(exit == Exit::Ok && said.contains(DRAWN), "{said}");

    let (pan, pin) = ("4012345678909", "482915");
    let pin_file = folder.path().join("pin");
    fs::write(&pin_file, format!("{pin}\n")).unwrap();
    let pin_file = pin_file.to_str().unwrap();
    let pvv = ["pvv", "--pan", "4012345678909012", "--pvk", file, "--real-keys", "--pin"];
    let (exit, said) = tollgate(&[&pvv[..], &[pin]].concat());
    assert_eq!(exit, Exit::Usage, "a real PIN does not stand on a command line either");
    assert!(said.contains("command line") && !said.contains(pin), "{said}");
    let shown = ["pvv", "--pan", "4012345678909012", "--pvk", file, "--test-keys", "--unmask", "--pin", pin];
    let shown = tollgate(&shown).1;
    let value = shown.lines().find(|line| line.trim_start().starts_with("PVV")).unwrap().split_whitespace().last();
    let (exit, said) = tollgate(&[&pvv[..], &[pin_file]].concat());
    assert!(exit == Exit::Ok && !said.contains(value.unwrap()), "the PVV of a real key is not shown: {said}");
    for arguments in [
        ["kcv", "--key"].as_slice(),
        &["pinblock", "--format", "0", "--pin", pin_file, "--pan", pan, "--key"],
        &["offset", "--pan", "4012345678909012", "--pin", pin_file, "--pvk"],
        &["cvv", "--pan", pan, "--expiry", "2901", "--cvk"],
        &["dukpt", "--ksn", "FFFF9876543210E00001", "--bdk"],
        &[
            "arpc",
            "--cvn",
            "visa18",
            "--pan",
            pan,
            "--atc",
            "0001",
            "--arqc",
            "0011223344556677",
            "--csu",
            "00000000",
            "--imk",
        ],
    ] {
        for json in [&["--real-keys"][..], &["--real-keys", "--json"]] {
            let (exit, said) = tollgate(&[arguments, &[file], json].concat());
            assert_eq!(exit, Exit::Ok, "{said}");
            assert!(said.contains("check value") || said.contains("check_value"), "{said}");
            for secret in [DRAWN, pin, pan, "401234567890"] {
                assert!(!said.contains(secret), "{secret} in {said}");
            }
            // No derived key either: nothing of 32 hex digits in a row.
            let runs = said.split(|character: char| !character.is_ascii_hexdigit());
            assert!(runs.map(str::len).max().unwrap() < 32, "{said}");
        }
    }
    let parts = ["component", "--component", file, "--component", file, "--real-keys"];
    assert_eq!(tollgate(&parts).0, Exit::Usage, "nobody holds two real components");
}

#[test]
fn a_key_block_is_written_only_of_attributes_that_go_together() {
    let (single, double) = ("0123456789ABCDEF", KEY);
    let triple = "0123456789ABCDEFFEDCBA98765432101122334455667788";
    let write = |attributes: &str, key: &str, more: &[&str]| {
        let arguments = ["tr31", "write", "--kbpk", KEY, "--test-keys", "--attributes", attributes, "--key", key];
        tollgate(&[&arguments[..], more].concat())
    };
    for (attributes, key) in [
        ("P0TBE", double),
        ("P0TEE", triple),
        ("M3TCE", double),
        ("D0DBN", single),
        ("M7HGN", &"01".repeat(32)),
        ("K1ABS", &"01".repeat(32)),
        ("P0AEE", "0123456789ABCDEFFEDCBA98765432100123456789ABCDEF"),
        ("B0TXS", double),
        ("E0TXN", double),
        ("V2TCE", double),
        ("10T1E", double),
    ] {
        let (exit, said) = write(attributes, key, &[]);
        assert_eq!(exit, Exit::Ok, "{attributes}: {said}");
    }
    for (attributes, key, word) in [
        ("ZZZZZ", double, "usage"),
        ("Q0TBE", double, "usage"),
        ("B9TXE", double, "usage"),
        ("P0ZBE", double, "algorithm"),
        ("P0RBE", double, "algorithm"),
        ("S0TSE", double, "asymmetric"),
        ("P0TZE", double, "mode of use"),
        ("P01BE", double, "algorithm"),
        ("P0TGE", double, "encrypt (E)"),
        ("M3TBE", double, "generate (G)"),
        ("B0TEE", double, "derive"),
        ("P0TBZ", double, "exportability"),
        ("M7TGE", double, "HMAC"),
        ("P0HBE", double, "HMAC"),
        ("M3ACE", double, "retail"),
        ("P0TBE", single, "T 16 or 24"),
        ("D0DBE", double, "D 8 bytes"),
        ("P0TBE", &"01".repeat(32), "length"),
        ("P0ABE", single, "length"),
        ("M7HGE", single, "length"),
        ("P0TB", double, "five"),
        ("P0TB ", double, "five"),
        ("P0T\u{1b}E", double, "five"),
    ] {
        let (exit, said) = write(attributes, key, &[]);
        assert_eq!(exit, Exit::Usage, "{attributes}: {said}");
        assert!(said.contains(word) && !said.contains(key), "{attributes}: {said}");
    }
    let block = write("P0TBE", KEY, &["--key-version", "c1", "--json"]).1;
    assert!(block.contains("P0TBc1E"), "{block}");
    for version in ["1", "123", "cx", "--", "\u{1b}1"] {
        let (exit, said) = write("P0TBE", KEY, &[&format!("--key-version={version}")]);
        assert!(exit == Exit::Usage && said.contains("key version"), "{said}");
    }
}

#[test]
fn an_offset_uses_the_digits_that_a_card_number_has() {
    for (pan, all) in [("4012345678909", "13"), ("378282246310005", "15"), ("1122334455667788", "16")] {
        let offset = ["offset", "--pvk", KEY, "--pan", pan, "--pin", "1234"];
        let (exit, said) = outputs(&offset);
        assert_eq!(exit, Exit::Ok, "{said}");
        assert_eq!(said, outputs(&[&offset[..], &["--length", all]].concat()).1);
    }
    // IBM 3624 wants sixteen characters: of nineteen digits these are the first.
    let long = ["offset", "--pvk", KEY, "--pan", "1234567890123456789", "--pin", "1234"];
    assert_eq!(outputs(&long), outputs(&[&long[..], &["--length", "16"]].concat()));
    assert!(tollgate(&long).1.contains("16 from 0, then F"));
    let behind = ["offset", "--pvk", KEY, "--pan", "1122334455667788", "--pin", "1234", "--start", "12"];
    assert!(tollgate(&behind).1.contains("4 from 12, then F"));
}

#[test]
fn a_mac_says_how_its_algorithm_pads() {
    for (algorithm, padding, says) in [
        ("x919", "zeros", "method 1"),
        ("x919", "bit", "method 2"),
        ("alg1", "length", "method 3"),
        ("tdes-cmac", "zeros", "CMAC"),
        ("aes-cmac", "bit", "CMAC"),
        ("cup-ecb", "bit", "fold"),
        ("hmac", "length", "SHA-256"),
    ] {
        let mac = ["mac", "--key", KEY, "--algorithm", algorithm, "--padding", padding, "--data", "00", "--json"];
        let (exit, said) = tollgate(&mac);
        let report: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"));
        let told = report["inputs"]["padding"].as_str().unwrap();
        assert!(exit == Exit::Ok && told.contains(says), "{algorithm} {padding}: {told}");
    }
}

#[test]
fn the_fill_of_a_pin_block_is_an_input_and_must_fit() {
    let block = |format: &'static str, fill: &'static str| {
        let key = if format == "4" { "2B7E151628AED2A6ABF7158809CF4F3C" } else { KEY };
        let pan = "4012345678909";
        tollgate(&["pinblock", "--format", format, "--pin", "1234", "--pan", pan, "--key", key, "--fill", fill])
    };
    for (format, fill) in
        [("1", "0123456789"), ("1", "5"), ("3", "ABCDEFABCD"), ("4", "0123456789ABCDEF"), ("3", "abcdefabcd")]
    {
        let (exit, said) = block(format, fill);
        assert_eq!(exit, Exit::Ok, "{said}");
        assert!(said.contains(&format!("  {}\n", fill.to_uppercase())) && said.contains("  fill "), "{said}");
    }
    for (format, fill, says) in [
        ("3", "ABC", "10 hex digits from A to F"),
        ("3", "0123456789", "10 hex digits from A to F"),
        ("3", "ABCDEFABCDE", "room for 10"),
        ("1", "01234567890", "room for 10"),
        ("4", "0123456789ABCDEF0", "room for 16"),
        ("0", "FF", "formats 0 and 2"),
        ("3", "XYZ", "not hex"),
    ] {
        let (exit, said) = block(format, fill);
        assert!(exit == Exit::Usage && said.contains(says), "{format} {fill}: {said}");
    }
}

#[test]
fn text_that_has_no_place_in_a_code_page_is_said_with_its_place() {
    for (text, place) in [
        ("caf\u{e9}", "character 4"),
        ("\u{e9}", "character 1"),
        ("a\u{6c34}b", "character 2"),
        ("a\tb", "character 2"),
    ] {
        for page in [&[][..], &["--1047"]] {
            let (exit, said) = tollgate(&[&["ebcdic", text], page].concat());
            assert_eq!(exit, Exit::Usage, "{said}");
            assert!(said.contains(place) && said.contains("ASCII"), "{said}");
        }
    }
    let (exit, said) = tollgate(&["ebcdic", "--decode", "C151"]);
    assert!(exit == Exit::Usage && said.contains("byte 2"), "{said}");
}

#[test]
fn chip_data_as_json_are_numbers_and_hex() {
    let (exit, said) = outputs(&["tlv", "70059F360212349F1A020156"]);
    assert_eq!(exit, Exit::Ok);
    let row = |name: &str| said[name].clone();
    assert_eq!(row("0_70"), serde_json::json!({ "tag": "70", "depth": 0, "length": 5, "value": null }));
    assert_eq!(row("1_9f36"), serde_json::json!({ "tag": "9F36", "depth": 1, "length": 2, "value": "1234" }));
    assert_eq!(row("2_9f1a"), serde_json::json!({ "tag": "9F1A", "depth": 0, "length": 2, "value": "0156" }));
}

#[test]
fn a_track_that_lacks_its_dates_says_so() {
    for (track, says) in [
        ("4111111111111111=", "nothing behind"),
        ("4111111111111111=29", "no expiry date"),
        ("4111111111111111=2913201", "no expiry date"),
        ("4111111111111111=290120", "no service code"),
    ] {
        let (exit, said) = outputs(&["track2", track]);
        assert_eq!(exit, Exit::No, "{said}");
        assert!(said["fault"].as_str().is_some_and(|fault| fault.contains(says)), "{track}: {said}");
    }
    assert_eq!(outputs(&["track2", "4111111111111111=2901201"]).0, Exit::Ok);
}

#[test]
fn what_cannot_be_calculated_is_refused_without_being_repeated() {
    for arguments in [
        ["kcv", "--key", "0123456789ABCDEFFEDCBA98765432"].as_slice(), // an odd length of key
        &["kcv", "--key", "0123456789ABCDEFFEDCBA987654321x"],
        &["kcv", "--key", &"11".repeat(32)], // too long for DES
        &["dukpt", "--bdk", KEY, "--ksn", "FFFF9876543210E0"],
        &["dukpt", "--bdk", &KEY[..16], "--ksn", "FFFF9876543210E00001"],
        &["pinblock", "--format", "0", "--pin", "123x", "--pan", "4012345678909"],
        &["pinblock", "--format", "0", "--pin", "1234"],
        &["pinblock", "--format", "5", "--pin", "1234", "--pan", "4012345678909"],
        &["pinblock", "--format", "3", "--pin", "1234", "--pan", "4012345678909", "--fill", "123"],
        &["pinblock", "--format", "4", "--pin", "1234", "--pan", "4012345678909", "--key", "0123456789ABCDEF"],
        &["cvv", "--cvk", KEY, "--pan", "41234x6789012345", "--expiry", "8701"],
        &["cvv", "--cvk", KEY, "--pan", "4123456789012345", "--expiry", "87011"],
        &["offset", "--pvk", KEY, "--pan", "1122334455667788", "--pin", "1234", "--table", "12345"],
        &["offset", "--pvk", KEY, "--pan", "1122334455667788", "--pin", "1234", "--start", "16"],
        &["offset", "--pvk", KEY, "--pan", "1122334455667788", "--pin", "1234", "--check", "5"],
        &["mac", "--key", KEY, "--algorithm", "aes-cmac", "--data", "0"],
        &["mac", "--key", "0123456789ABCDEF", "--algorithm", "x919", "--data", "00"],
        &["mac", "--key", KEY, "--algorithm", "x919", "--data", "00", "--verify", "00"],
        &["tr31", "write", "--kbpk", KEY, "--key", KEY, "--attributes", "P0TB"],
        &[
            "arpc",
            "--cvn",
            "visa10",
            "--imk",
            KEY,
            "--pan",
            "4123456789012345",
            "--atc",
            "01",
            "--arqc",
            "00",
            "--arc",
            "3030",
        ],
        &["bcd", "12a"],
        &["bcd", "1F", "--decode"],
        &["track2", "4111111111111111"],
        &["luhn", "41111"],
    ] {
        let (exit, said) = tollgate(arguments);
        assert_eq!(exit, Exit::Usage, "{arguments:?}: {said}");
        for secret in ["0123456789ABCDEF", "123x", "41234x", "4111111111111111"] {
            assert!(!said.contains(secret), "{arguments:?}: {said}");
        }
    }
    let (exit, said) =
        outputs(&["pinblock", "--format", "0", "--block", "141274EDCBA9876F", "--pan", "4012345678909", "--unmask"]);
    assert_eq!((exit, said["fault"].as_str()), (Exit::No, Some("format")));
    let (exit, said) = outputs(&["dukpt", "--bdk", KEY, "--ksn", "FFFF9876543210E00000"]);
    assert_eq!((exit, said["initial_key"].as_str()), (Exit::No, Some("6AC292FAA1315B4D858AB3A3D7D5933A")));
    assert_eq!(tollgate(&["tr31", "read", "D0112P0AE00E0000"]).0, Exit::No);
}
