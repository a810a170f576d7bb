//! What the calculators of `tollgate crypto` show of cards and PINs, and what they do not.

use crate::crypto_command::tollgate;
use serde_json::Value;
use std::fs;
use tollgate::cli::Exit;

/// A well-known test key.
const KEY: &str = "0123456789ABCDEFFEDCBA9876543210";
/// Drawn for these tests: no well-known key.
const DRAWN: &str = "7C0FA2D15E9B3384E6617A0BD84C2F95";
/// A well-known test number.
const TEST_CARD: &str = "4111111111111111";
/// Made up for these tests: nobody's number, and on no list.
const CARD: &str = "6225880137046219";
const MASKED: &str = "622588******6219";
const PIN: &str = "482915";

/// What a calculation says as text and as JSON; none of `secrets` is in either.
#[track_caller]
fn hidden(arguments: &[&str], expected: Exit, secrets: &[&str]) -> String {
    let mut all = String::new();
    for json in [&[][..], &["--json"]] {
        let (exit, said) = tollgate(&[arguments, json].concat());
        assert_eq!(exit, expected, "{said}");
        for secret in secrets {
            assert!(!said.contains(secret), "{secret} in {said}");
        }
        all.push_str(&said);
    }
    all
}

/// The report of a calculation.
#[track_caller]
fn report(arguments: &[&str]) -> Value {
    let (_, said) = tollgate(&[arguments, &["--json"]].concat());
    serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"))
}

/// A folder, and a file in it.
fn file(content: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    fs::write(&file, content).unwrap();
    let path = file.to_str().unwrap().to_owned();
    (folder, path)
}

#[test]
fn told_of_real_keys_nothing_secret_is_shown_whether_or_not_one_is_given() {
    let (_folder, pin) = file(PIN);
    let block = ["pinblock", "--format", "0", "--pan", TEST_CARD, "--real-keys"];
    let (exit, said) = tollgate(&[&block[..], &["--pin", PIN]].concat());
    assert_eq!(exit, Exit::Usage, "{said}");
    assert!(said.contains("command line") && !said.contains(PIN), "{said}");
    let clear = "06483804EEEEEEEE";
    for key in [&[][..], &["--key", KEY]] {
        let said = hidden(&[&block[..], key, &["--pin", &pin]].concat(), Exit::Ok, &[PIN, TEST_CARD, clear, KEY]);
        assert!(said.contains("411111******1111"), "{said}");
    }
    let open = [&block[..], &["--block", clear]].concat();
    hidden(&open, Exit::Usage, &[PIN, TEST_CARD, clear]);
    let (_folder, clear_file) = file(clear);
    hidden(&[&block[..], &["--block", &clear_file]].concat(), Exit::Ok, &[PIN, TEST_CARD, clear]);
    let (exit, said) = tollgate(&["kcv", "--key", KEY, "--real-keys"]);
    assert!(exit == Exit::Ok && !said.contains(KEY) && said.contains("08D7B4"), "{said}");
    let (_folder, key) = file(DRAWN);
    let mac = ["mac", "--algorithm", "x919", "--text", CARD, "--real-keys", "--key", &key];
    hidden(&mac, Exit::Ok, &[CARD, "36323235383830313337303436323139", DRAWN]);
    let cvv = ["cvv", "--pan", CARD, "--expiry", "2901", "--real-keys", "--verify", "738", "--cvk", &key];
    hidden(&cvv, Exit::No, &["\"738\"", " 738\n", CARD]);
    assert_eq!(tollgate(&["kcv", "--key", KEY, "--real-keys", "--unmask"]).0, Exit::Usage);
}

#[test]
fn without_a_key_nothing_proves_that_a_pin_and_a_card_are_test_data() {
    let (_folder, pin) = file(PIN);
    let block = ["pinblock", "--format", "0", "--pan", TEST_CARD];
    let clear = "06483804EEEEEEEE";
    let argued = [&block[..], &["--pin", PIN]].concat();
    let said = hidden(&argued, Exit::Usage, &[PIN, TEST_CARD]);
    assert!(said.contains("--unmask"), "{said}");
    let read = [&block[..], &["--pin", &pin]].concat();
    hidden(&read, Exit::Ok, &[PIN, TEST_CARD, clear]);
    hidden(&["pinblock", "--format", "1", "--pin", &pin], Exit::Ok, &[PIN]);
    let open = [&block[..], &["--block", clear]].concat();
    let told = report(&[&open[..], &["--unmask"]].concat());
    assert_eq!(told["outputs"]["pin"], PIN, "{told:#}");
    for arguments in [argued, read] {
        let told = report(&[&arguments[..], &["--unmask"]].concat());
        assert_eq!((&told["inputs"]["card_number"], &told["inputs"]["pin"]), (&TEST_CARD.into(), &PIN.into()));
        assert_eq!(told["outputs"]["clear_block"], clear);
    }
}

#[test]
fn a_block_to_open_that_is_clear_is_a_pin() {
    let (exit, said) = tollgate(&["pinblock", "--format", "0", "--pan", TEST_CARD, "--block", "06483804EEEEEEEE"]);
    assert_eq!(exit, Exit::Usage, "{said}");
    assert!(said.contains("command line") && said.contains("--unmask"), "{said}");
}

#[test]
fn a_card_that_is_no_well_known_test_card_is_masked_by_every_calculator() {
    let (_folder, pin) = file(PIN);
    let chip = ["--imk", KEY, "--pan", CARD, "--atc", "001C", "--cvn", "visa10"];
    for (arguments, of_test_cards) in [
        (vec!["pinblock", "--format", "0", "--pan", CARD, "--key", KEY, "--pin", &pin], "clear_block"),
        (vec!["pinblock", "--format", "4", "--pan", CARD, "--key", KEY, "--pin", &pin], "clear_block"),
        (vec!["pvv", "--pvk", KEY, "--pan", CARD, "--pin", &pin], "pvv"),
        (vec!["offset", "--pvk", KEY, "--pan", CARD, "--pin", &pin], "natural_pin"),
        (vec!["cvv", "--cvk", KEY, "--pan", CARD, "--expiry", "2901"], "cvv_of_this_service_code"),
        ([&["arqc"], &chip[..], &["--data", "00"]].concat(), "card_master_key"),
        ([&["arpc"], &chip[..], &["--arqc", "0011223344556677", "--arc", "3030"]].concat(), "card_master_key"),
    ] {
        let unmasked = report(&[&arguments[..], &["--unmask"]].concat());
        assert_eq!(unmasked["inputs"]["card_number"], CARD, "{unmasked:#}");
        let secret = unmasked["outputs"][of_test_cards].as_str().unwrap();
        assert!(!secret.contains("not shown"), "{unmasked:#}");
        // A key makes no secret of a card that it is known with: what it makes of the card is hidden with it.
        let said = hidden(&arguments, Exit::Ok, &[CARD, PIN, &format!("{secret}\n"), &format!("\"{secret}\"")]);
        assert!(said.contains(MASKED), "{said}");
        let own: Vec<&str> = arguments.iter().map(|word| if *word == CARD { TEST_CARD } else { *word }).collect();
        assert_eq!(report(&own)["inputs"]["card_number"], TEST_CARD, "a well-known card is shown");
    }
}

#[test]
fn calculators_without_keys_mask_every_card() {
    for card in [CARD, TEST_CARD] {
        let track = format!("{card}=29012010000048213377");
        hidden(&["luhn", card], if card == CARD { Exit::No } else { Exit::Ok }, &[card]);
        hidden(&["track2", &track], Exit::Ok, &[card, "48213377"]);
        hidden(&["tlv", &format!("5A08{card}")], Exit::Ok, &[card]);
    }
}

#[test]
fn chip_data_hide_numbers_tracks_names_and_pins() {
    let track = format!("{CARD}D29012010000048213377F");
    let name = "48554245522F414E4E41"; // HUBER/ANNA
    for (data, secrets) in [
        (format!("5A08{CARD}"), [CARD, "013704"]),
        (format!("5A0A{CARD}FFFF"), [CARD, "013704"]),
        (format!("70155A08{CARD}5F2403290131DF0102ABCD"), [CARD, "013704"]),
        (format!("5713{track}"), [CARD, "48213377"]),
        (format!("9F6B13{track}"), [CARD, "48213377"]),
        ("9F200448213377".into(), ["48213377", "48213377"]),
        ("9F1F0448213377".into(), ["48213377", "48213377"]),
        (format!("990A1111{CARD}"), [CARD, "013704"]),
        (format!("5F200A{name}"), [name, "48554245"]),
        (format!("561442{CARD}5E{name}"), [CARD, name]),
    ] {
        let spaced = format!("{} {}", &data[..2], &data[2..]);
        for given in [&data, &data.to_lowercase(), &spaced] {
            let secrets = secrets.map(str::to_lowercase).into_iter().chain(secrets.map(str::to_owned));
            let secrets: Vec<String> = secrets.collect();
            let (exit, _) = tollgate(&["tlv", given]);
            hidden(&["tlv", given], exit, &secrets.iter().map(String::as_str).collect::<Vec<_>>());
        }
        assert!(tollgate(&["tlv", &data, "--unmask"]).1.contains(&data), "told to, it shows them");
    }
    let said = hidden(&["tlv", &format!("5713{track}5F2403290131DF0102ABCD9F36020007")], Exit::Ok, &[CARD]);
    assert!(said.contains("622588******6219D2901201"), "{said}");
    assert!(said.contains("290131") && said.contains("ABCD") && said.contains("0007"), "{said}");
    // A number that is cut off, or wrapped in what breaks, is not echoed either.
    for data in [format!("5A09{CARD}"), format!("70095A0A{CARD}"), format!("9F3602000757FF{CARD}")] {
        let said = hidden(&["tlv", &data], Exit::No, &[CARD, &CARD[..8], &CARD[8..]]);
        assert!(said.contains("fault"), "{said}");
    }
}
