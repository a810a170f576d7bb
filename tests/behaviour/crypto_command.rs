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
fn tollgate(arguments: &[&str]) -> (Exit, String) {
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
