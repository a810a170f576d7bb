//! Wire formats as files: hex and what it says. `UPDATE_GOLDEN=1 cargo test` rewrites the text; review the diff like code.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use bytes::Bytes;
use serde_json::Value;
use tollgate::channel;
use tollgate::channel::Deframer;
use tollgate::iso8583::builtin;
use tollgate::iso8583::describe;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap()).collect()
}

/// Every `<dialect>/*.hex` with the text beside it: one whole body, described without its mask, and masked.
#[test]
fn every_golden_message_says_what_its_file_says() {
    let (mut seen, mut wrong) = (0, Vec::new());
    for dialect in builtin::names().iter().map(|name| builtin::dialect(name).unwrap()) {
        let folder = fs::read_dir(golden().join(dialect.name())).unwrap();
        let files: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
        for path in files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "hex")) {
            let body = Bytes::from(unhex(&fs::read_to_string(path).unwrap()));
            let told = match dialect.decode(body) {
                Ok(message) => describe::text(&message, true) + "\nmasked:\n" + &describe::text(&message, false),
                Err(rejected) => describe::text(&*rejected, true) + "\nmasked:\n" + &describe::text(&*rejected, false),
            };
            let text = path.with_extension("txt");
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                fs::write(&text, &told).unwrap();
            }
            if fs::read_to_string(&text).unwrap_or_default() != told {
                wrong.push(text);
            }
            seen += 1;
        }
    }
    assert!(wrong.is_empty(), "differ (UPDATE_GOLDEN=1 rewrites them): {wrong:?}");
    assert!(seen >= 2 * builtin::names().len(), "only {seen} golden messages");
}

/// What another implementation wrote and a third checked, field by field and back to the same bytes.
#[test]
fn all_cn_pos_samples_decode_to_their_values_and_encode_to_the_same_frames() {
    let samples = fs::read_to_string(golden().join("cn_pos_samples.json")).unwrap();
    let samples: Value = serde_json::from_str(&samples).unwrap();
    let samples = samples.as_array().unwrap();
    assert_eq!(samples.len(), 21);
    let profile = channel::builtin::profile("pos").unwrap();
    for sample in samples {
        let name = sample["name"].as_str().unwrap();
        let wire = unhex(sample["hex"].as_str().unwrap());
        let mut deframer = Deframer::new(profile.framing);
        deframer.push(&wire);
        let frame = profile.split(deframer.next().unwrap().unwrap()).unwrap();
        let message = profile.decode(&frame).unwrap_or_else(|rejected| panic!("{name}: {}", rejected.error));
        assert_eq!(message.mti().unwrap().as_str(), sample["mti"].as_str().unwrap(), "{name}");

        let json = describe::json(&message, true);
        let plain = |value: &Value| value.get("value").unwrap_or(value).as_str().unwrap().to_owned();
        let values = |object: &Value| -> Vec<(String, String)> {
            object.as_object().unwrap().iter().map(|(key, value)| (key.clone(), plain(value))).collect()
        };
        let mut found = values(&json["fields"]);
        // The samples leave out the MAC, the last eight characters of the frame.
        let mac = found.pop_if(|(de, _)| de == "64");
        assert!(mac.is_none_or(|(_, mac)| wire.ends_with(mac.as_bytes())), "{name}");
        assert_eq!(found, values(&sample["fields"]), "{name}");

        let mut builder = message.dialect().build(message.mti().unwrap());
        for de in message.elements() {
            builder.set(de, &message.value(de).unwrap()).unwrap();
        }
        let body = builder.finish().unwrap();
        assert_eq!(body, message.body(), "{name}");
        let again = channel::Frame { tpdu: frame.tpdu, header: frame.header.clone(), body };
        assert_eq!(profile.enclose_frame(&again).unwrap(), wire, "{name}");
    }
}

/// The codec's kinds against frames whose names say what they are.
#[test]
fn the_samples_are_of_the_kinds_that_their_names_say() {
    let samples: Value =
        serde_json::from_str(&fs::read_to_string(golden().join("cn_pos_samples.json")).unwrap()).unwrap();
    let dialect = builtin::dialect("cn-pos").unwrap();
    let mut found = Vec::new();
    for sample in samples.as_array().unwrap() {
        let body = Bytes::from(unhex(sample["hex"].as_str().unwrap()).split_off(13));
        let message = dialect.decode(body).unwrap();
        if let Some(kind) = dialect.kind_of(&message) {
            assert_eq!(dialect.missing(&message, Some(kind)), None);
            found.push((sample["name"].as_str().unwrap()[..2].to_owned(), kind.name()));
        }
    }
    let found: Vec<_> = found.iter().map(|(number, kind)| (number.as_str(), *kind)).collect();
    let wanted = [
        ("01", "sign-in"),
        ("04", "sale"),
        ("07", "sale"),
        ("08", "reversal"),
        ("11", "refund"),
        ("13", "completion"),
        ("14", "settlement"),
        ("17", "batch-upload"),
        ("18", "batch-upload"),
        ("20", "echo"),
        ("22", "sign-off"),
        ("24", "download"),
    ];
    assert_eq!(found, wanted);
}
