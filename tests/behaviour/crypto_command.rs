//! `tollgate crypto` as a user calls it, in process.

use serde_json::Value;
use serde_json::json;
use std::fs;
use tollgate::cli::Exit;
use tollgate::cli::run_from;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/crypto.json");
/// Chips of more versions and their scripts: published values, and some of pyemv 1.5.0 where nothing is published.
const CHIPS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/chips.json");

/// Runs the command and gives its exit code and what it printed.
pub(crate) fn tollgate(arguments: &[&str]) -> (Exit, String) {
    let mut out = Vec::new();
    let outcome = run_from([&["tollgate", "crypto"], arguments].concat(), &mut out);
    let text = String::from_utf8(out).unwrap();
    match outcome {
        Ok(exit) => (exit, text),
        Err(failure) => (failure.exit, text + &failure.message),
    }
}

/// The published vectors.
fn golden() -> Value {
    read(GOLDEN)
}

fn read(file: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

/// Runs a set, and gives the exit code and the report.
fn vectors(set: &Value) -> (Exit, Value) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("set.json");
    fs::write(&file, set.to_string()).unwrap();
    let (exit, said) = tollgate(&["vectors", "--json", file.to_str().unwrap()]);
    (exit, serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}")))
}

/// The vectors of some operations only.
fn only(keep: impl Fn(&str) -> bool) -> Value {
    let mut set = golden();
    let vectors = set["vectors"].as_array_mut().unwrap();
    vectors.retain(|vector| keep(vector["op"].as_str().unwrap()));
    set["count"] = vectors.len().into();
    set
}

#[test]
fn every_published_vector_holds() {
    let (_, said) = tollgate(&["vectors", GOLDEN]);
    println!("{said}");
    let (exit, report) = vectors(&golden());
    assert_eq!((exit, report["failed"].as_u64()), (Exit::Ok, Some(0)), "{report:#}");
    assert!(report["held"].as_u64().unwrap() >= 352, "vectors went missing");
}

#[test]
fn vectors_of_chips_of_more_versions_hold() {
    let (exit, report) = vectors(&read(CHIPS));
    assert_eq!((exit, report["held"].as_u64(), report["failed"].as_u64()), (Exit::Ok, Some(18), Some(0)), "{report:#}");
}

/// The first piece of text that is hex, digits or a verdict, changed.
fn spoilt(value: &Value) -> Value {
    match value {
        Value::Bool(truth) => (!truth).into(),
        Value::Number(number) => (number.as_u64().unwrap() + 1).into(),
        Value::Array(list) => list.iter().map(spoilt).collect(),
        Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), spoilt(value))).collect(),
        Value::String(text) if text.is_empty() => "00".into(),
        Value::String(text) => {
            let last = if text.ends_with('0') { '1' } else { '0' };
            format!("{}{last}", &text[..text.len() - 1]).into()
        }
        Value::Null => Value::Null,
    }
}

#[test]
fn no_expectation_of_any_vector_goes_unnoticed_when_it_is_wrong() {
    for file in [GOLDEN, CHIPS] {
        let mut set = read(file);
        let mut wrong = Vec::new();
        for vector in set["vectors"].as_array().unwrap() {
            for (name, value) in vector["expected"].as_object().unwrap() {
                let mut copy = vector.clone();
                copy["id"] = format!("{}/{name}", vector["id"].as_str().unwrap()).into();
                copy["expected"][name] = spoilt(value);
                wrong.push(copy);
            }
        }
        let count = wrong.len();
        set["count"] = count.into();
        set["vectors"] = wrong.into();
        let (exit, report) = vectors(&set);
        let found = (exit, report["failed"].as_u64(), report["held"].as_u64());
        assert_eq!(found, (Exit::No, Some(count as u64), Some(0)), "{file}");
    }
}

#[test]
fn an_operation_nobody_knows_is_a_failure() {
    let vector = json!({ "id": "x", "op": "mac.of.tomorrow", "inputs": {}, "expected": { "mac": "00" } });
    let (exit, report) = vectors(&json!({ "vectors": [vector] }));
    assert_eq!((exit, report["failures"][0]["why"].as_str()), (Exit::No, Some("unknown operation")));
}

#[test]
fn an_expectation_that_nobody_compares_is_a_failure() {
    let mut set = only(|op| op == "cvv.generate");
    set["vectors"][0]["expected"]["colour"] = "blue".into();
    let (exit, report) = vectors(&set);
    assert_eq!((exit, report["failed"].as_u64()), (Exit::No, Some(1)));
}

#[test]
fn an_input_that_the_operation_does_not_read_is_a_failure() {
    let mut set = only(|op| op == "mac.cmac.aes");
    set["vectors"][0]["inputs"]["direction"] = "response".into();
    let (exit, report) = vectors(&set);
    assert_eq!((exit, report["failures"][0]["why"].as_str()), (Exit::No, Some("input direction was not read")));
    // What may be left out is read where it is given.
    for (op, name, value) in [
        ("dukpt.tdes.mac", "padding", json!(2)),
        ("emv.script_mac", "mk_option", json!("B")),
        ("emv.script_mac", "method", json!("CSK")),
    ] {
        let mut set = only(|other| other == op);
        set["vectors"].as_array_mut().unwrap().truncate(1);
        set["count"] = 1.into();
        set["vectors"][0]["inputs"][name] = value;
        let (exit, report) = vectors(&set);
        let why = report["failures"][0]["why"].as_str().unwrap_or_default();
        // Option B is option A for a PAN this short.
        let same = name == "mk_option" && exit == Exit::Ok;
        assert!(same || (exit == Exit::No && why.ends_with("differs")), "{op} {name}: {why}");
    }
}

#[test]
fn vectors_are_counted_by_algorithm_too() {
    let (_, report) = vectors(&only(|op| op.starts_with("mac.cmac")));
    let held = |name: &str| report["algorithms"][name]["held"].as_u64();
    assert_eq!((held("AES-128-CMAC"), held("TDES-CMAC (3-key)")), (Some(4), Some(1)));
    assert_eq!(report["operations"]["mac.cmac.aes"]["held"].as_u64(), Some(8));
}

#[test]
fn a_pin_block_that_is_to_be_refused_may_be_expected() {
    let mut set = only(|op| op == "pin.verify_pvv_block");
    set["vectors"][0]["inputs"]["in_block"] = "0000000000000000".into();
    set["vectors"][0]["expected"] = json!({ "error": "pin_block_error" });
    assert_eq!(vectors(&set).0, Exit::Ok);
}

#[test]
fn a_file_that_is_cut_off_or_no_vector_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("set.json");
    let mut cut = golden();
    cut["vectors"].as_array_mut().unwrap().pop();
    for (content, exit) in [
        (cut.to_string(), Exit::No),
        ("{}".into(), Exit::Usage),
        ("{".into(), Exit::Usage),
        (String::new(), Exit::Usage),
    ] {
        fs::write(&file, content).unwrap();
        assert_eq!(tollgate(&["vectors", file.to_str().unwrap()]).0, exit);
    }
}

/// The same set with its expectations written otherwise, but for text in which a letter's case means something.
fn rewritten(mut set: Value, change: fn(&str) -> String) -> Value {
    fn all(value: &mut Value, change: fn(&str) -> String) {
        match value {
            Value::String(text) => *text = change(text),
            Value::Array(list) => list.iter_mut().for_each(|value| all(value, change)),
            Value::Object(map) => {
                let hex = |name: &String| !["response_text", "header_fields", "key_block"].contains(&name.as_str());
                map.iter_mut().filter(|(name, _)| hex(name)).for_each(|(_, value)| all(value, change));
            }
            _ => {}
        }
    }
    for vector in set["vectors"].as_array_mut().unwrap() {
        all(&mut vector["expected"], change);
    }
    set
}

#[test]
fn hex_is_compared_by_its_value() {
    let lower = |text: &str| {
        let hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if hex { text.to_lowercase() } else { text.to_owned() }
    };
    for file in [GOLDEN, CHIPS] {
        let (exit, report) = vectors(&rewritten(read(file), lower));
        assert_eq!((exit, report["failed"].as_u64()), (Exit::Ok, Some(0)), "{report:#}");
    }
    let mut blocks = only(|op| op == "tr31.wrap");
    for (change, held) in [
        ((|block| format!("{}{}", &block[..16], block[16..].to_lowercase())) as fn(&str) -> String, Exit::Ok),
        (|block| block.to_lowercase(), Exit::No),
        (|block| block[..block.len() - 1].to_owned(), Exit::No),
        (|block| format!("{block}0"), Exit::No),
        (|_| "\u{6c34}".repeat(20), Exit::No),
    ] {
        let vector = &mut blocks["vectors"][0];
        let block = vector["expected"]["key_block"].as_str().unwrap().to_owned();
        vector["expected"]["key_block"] = change(&block).into();
        let one = json!({ "vectors": [vector.clone()] });
        vector["expected"]["key_block"] = block.into();
        let (exit, report) = vectors(&one);
        assert_eq!(exit, held, "{report:#}");
    }
}

#[test]
fn a_vector_without_an_id_of_its_own_does_not_hold() {
    let set = only(|op| op == "mac.cmac.aes");
    for change in [
        (|vectors| drop(vectors[1].as_object_mut().unwrap().remove("id"))) as fn(&mut Vec<Value>),
        |vectors| vectors[1]["id"] = "".into(),
        |vectors| vectors[1]["id"] = 7.into(),
        |vectors| vectors[1]["id"] = vectors[0]["id"].clone(),
    ] {
        let mut set = set.clone();
        change(set["vectors"].as_array_mut().unwrap());
        let (exit, report) = vectors(&set);
        assert_eq!((exit, report["failed"].as_u64()), (Exit::No, Some(1)), "{report:#}");
        assert_eq!(report["failures"][0]["why"], "it has no id of its own");
    }
}

#[test]
fn vectors_that_hold_are_named_when_asked_for() {
    let mut set = only(|op| op == "mac.cmac.aes");
    let id = |set: &Value, at: usize| set["vectors"][at]["id"].as_str().unwrap().to_owned();
    set["vectors"][1]["expected"]["mac"] = "00000000".into();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("set.json");
    fs::write(&file, set.to_string()).unwrap();
    let file = file.to_str().unwrap();
    let (exit, said) = tollgate(&["vectors", "--each", file]);
    assert_eq!(exit, Exit::No);
    assert!(said.contains(&format!("\nheld: {} (mac.cmac.aes)\n", id(&set, 0))), "{said}");
    assert!(said.contains(&format!("\nfailed: {} (mac.cmac.aes): ", id(&set, 1))), "{said}");
    assert_eq!(said.matches("\nheld: ").count(), 7, "{said}");
    let said = tollgate(&["vectors", "--each", "--json", file]).1;
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report["holding"][0], json!({ "id": id(&set, 0), "op": "mac.cmac.aes" }));
    assert!(!tollgate(&["vectors", file]).1.contains("\nheld: "));
}

#[test]
fn words_of_a_file_do_not_steer_the_terminal() {
    let steer = "\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\r\n\u{202e}";
    let vector = json!({ "id": steer, "op": steer, "algorithm": steer, "inputs": {}, "expected": { "mac": "00" } });
    let mut more = only(|op| op == "mac.cmac.aes")["vectors"][0].clone();
    more["inputs"][steer] = "00".into();
    let mut third = only(|op| op == "mac.cmac.aes")["vectors"][1].clone();
    third["expected"][steer] = "00".into();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("set.json");
    fs::write(&file, json!({ "vectors": [vector, more, third] }).to_string()).unwrap();
    for json in [&[][..], &["--json"]] {
        let (exit, said) = tollgate(&[&["vectors", "--each", file.to_str().unwrap()], json].concat());
        assert_eq!(exit, Exit::No);
        let acts = |letter: char| letter != '\n' && letter.is_control() || letter == '\u{202e}';
        assert!(!said.contains(acts), "{said:?}");
        assert!(said.contains("[2J") && said.contains("was not read"), "{said}");
    }
}
