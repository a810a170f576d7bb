//! What becomes of a key's own attributes: its parity, its strength, the header of its block.

use crate::hsm_operations::Counter;
use crate::hsm_operations::named;
use crate::hsm_operations::now;
use crate::hsm_operations::unhex;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::time::Duration;
use tollgate::hsm::BlockKek;
use tollgate::hsm::Ctx;
use tollgate::hsm::Hsm;
use tollgate::hsm::HsmError;
use tollgate::hsm::Kek;
use tollgate::hsm::KeyAlgorithm;
use tollgate::hsm::KeyAlgorithm::Tdes2;
use tollgate::hsm::KeyFault;
use tollgate::hsm::KeyName;
use tollgate::hsm::KeyRef;
use tollgate::hsm::KeyUsage;
use tollgate::hsm::MacKey;
use tollgate::hsm::WrappedKey;
use tollgate::hsm::calculator::CipherKey;
use tollgate::hsm::calculator::keys;
use tollgate::hsm::calculator::tr31::Form;
use tollgate::hsm::calculator::tr31::Header;
use tollgate::hsm::calculator::tr31::KeyBlockKey;
use tollgate::hsm::software::SoftwareHsm;
use tollgate::hsm::software::SoftwareHsmBuilder;
use tollgate::model::MacAlgorithm;
use tollgate::model::MacOutput;
use tollgate::model::MacScheme;
use tollgate::model::Padding;
use zeroize::Zeroizing;

const CTX: Ctx = Ctx { within: Duration::from_secs(1) };
const SCHEME: MacScheme =
    MacScheme { algorithm: MacAlgorithm::X919, padding: Padding::Zeros, output: MacOutput::Binary, length: 8 };
const TMK: &str = "0123456789ABCDEFFEDCBA9876543210";
const KEY: &str = "3F419E1CB7079442AA37474C2EFBF8B8";
const KBPK: &str = "88E1AB2A2E3DD38C1FA039A536500CC8A87AB9D62DC92C01058FA79F44657DE6";
const KBPK_TDES: &str = "DD7515F2BFC17F85CE48F3CA25CB21F6";

fn tmk() -> Kek {
    Kek(named("tmk"))
}

fn builder() -> SoftwareHsmBuilder {
    let start = SoftwareHsm::builder(Arc::new(Counter(AtomicU8::new(1))), Zeroizing::new([0x42; 32]));
    let keys = [
        ("tmk", KeyUsage::Kek, Tdes2, TMK),
        ("aes", KeyUsage::Pin, KeyAlgorithm::Aes128, KEY),
        ("kbpk", KeyUsage::KeyBlock, KeyAlgorithm::Aes256, KBPK),
        ("kbpk-tdes", KeyUsage::KeyBlock, Tdes2, KBPK_TDES),
    ];
    keys.into_iter().fold(start, |builder, (name, usage, algorithm, key)| {
        builder.key(KeyName::parse(name).unwrap(), usage, algorithm, Zeroizing::new(unhex(key)))
    })
}

fn hsm() -> SoftwareHsm {
    builder().build().unwrap()
}

fn fault<T>(outcome: Result<T, HsmError>) -> KeyFault {
    match outcome {
        Err(HsmError::Key { fault, .. }) => fault,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("was accepted"),
    }
}

/// The header of a peer's key.
fn header(form: Form, attributes: &str, optional: &str, optional_count: u8) -> Header {
    let attributes = attributes.as_bytes();
    Header {
        form,
        usage: [attributes[0], attributes[1]],
        algorithm: attributes[2],
        mode: attributes[3],
        version: *b"12",
        exportability: attributes[4],
        optional_count,
        optional: optional.into(),
    }
}

/// A block that a peer wrote.
fn peers_block(header: &Header) -> String {
    let (key, protection) = (unhex(KEY), unhex(if header.form == Form::D { KBPK } else { KBPK_TDES }));
    let padding = vec![0x3C; header.padding(key.len())];
    KeyBlockKey::with_form(header.form, &protection).unwrap().wrap(header, &key, &padding).unwrap()
}

#[test]
fn a_triple_length_key_whose_ends_are_equal_is_a_double_length_one() {
    let (one, two, three) = ("0123456789ABCDEF", "23456789ABCDEF01", "456789ABCDEF0123");
    let short = |parts: [&str; 3]| keys::is_short(&unhex(&parts.concat()));
    assert!(short([one, two, one]) && short([one, one, two]) && short([two, one, one]));
    assert!(short([one, two, "0022456789ABCDEE"]), "parity bits do not count");
    assert!(!short([one, two, three]));
}

#[test]
fn a_key_with_a_weak_part_does_not_come_in_for_anything() {
    let kek = CipherKey::new(Tdes2, &unhex(TMK)).unwrap();
    for weak in ["0101010101010101", "FEFEFEFEFEFEFEFE", "1F1F1F1F0E0E0E0E", "01E001E001F101F1"] {
        let wrapped = WrappedKey::new(keys::wrap_ecb(&kek, &unhex(&format!("{weak}0123456789ABCDEF"))).unwrap().into());
        for usage in [KeyUsage::Pin, KeyUsage::Mac] {
            let taken = now(hsm().key_import(&CTX, usage, Tdes2, &tmk(), &wrapped, None));
            assert_eq!(fault(taken), KeyFault::Weak, "{weak}");
        }
        let clear = Zeroizing::new(unhex(&format!("0123456789ABCDEF{weak}")));
        assert_eq!(fault(hsm().keep(KeyUsage::Pin, Tdes2, &clear)), KeyFault::Weak);
    }
}

#[test]
fn a_key_that_is_made_here_has_odd_parity_and_comes_in_where_that_is_asked_for() {
    let strict = builder().odd_parity().build().unwrap();
    let kek = CipherKey::new(Tdes2, &unhex(TMK)).unwrap();
    for (usage, algorithm) in [(KeyUsage::Mac, KeyAlgorithm::Des), (KeyUsage::Pin, Tdes2)] {
        let made = now(strict.key_generate(&CTX, usage, algorithm, Some(&tmk()))).unwrap();
        let wrapped = made.wrapped.unwrap();
        assert!(keys::has_odd_parity(&keys::unwrap_ecb(&kek, wrapped.as_bytes()).unwrap()));
        assert!(now(strict.key_import(&CTX, usage, algorithm, &tmk(), &wrapped, Some(&made.kcv))).is_ok());
    }
}

#[test]
fn no_check_value_of_enciphered_zeros_is_longer_than_four_bytes() {
    let hsm = hsm();
    assert!(now(hsm.key_check_value(&CTX, &named("tmk"), 4)).is_ok());
    assert!(matches!(now(hsm.key_check_value(&CTX, &named("tmk"), 5)), Err(HsmError::Input(_))));
    assert!(now(hsm.key_check_value(&CTX, &named("aes"), 5)).is_ok(), "a CMAC may have five");
}

#[test]
fn a_peers_key_block_keeps_its_key_version_and_its_optional_blocks() {
    let hsm = hsm();
    let header = header(Form::B, "P0TBE", "KS1800604B120F9292800000PB080000", 2);
    let peers = peers_block(&header);
    let under = BlockKek(named("kbpk-tdes"));
    let kept = now(hsm.key_import_block(&CTX, (KeyUsage::Pin, Tdes2), &under, &peers, None)).unwrap();
    let (at_rest, _) = Header::parse(kept.as_str()).unwrap();
    assert_eq!(at_rest, Header { form: Form::D, ..header.clone() });
    let out = now(hsm.key_export_block(&CTX, &KeyRef::Block(kept), &BlockKek(named("kbpk")))).unwrap();
    assert_eq!(KeyBlockKey::new(&unhex(KBPK)).unwrap().unwrap(&out).unwrap().0, Header { form: Form::D, ..header });
}

#[test]
fn optional_blocks_are_filled_up_for_the_new_form_and_lose_what_told_of_the_old_key() {
    let moved = |optional: &str, count| {
        let moved = header(Form::B, "B0TXS", optional, count).in_form(Form::D).unwrap();
        (moved.optional, moved.optional_count)
    };
    assert_eq!(moved("", 0), (String::new(), 0));
    assert_eq!(moved("KS1800604B120F9292800000", 1), ("KS1800604B120F9292800000PB080000".into(), 2));
    assert_eq!(moved("KS1400604B120F929280PB04", 2), ("KS1400604B120F929280PB0C00000000".into(), 2));
    assert_eq!(moved("KP0C00ABCDEF", 1), (String::new(), 0));
    assert_eq!(moved("TS0E2026112200", 1), ("TS0E2026112200PB12".to_owned() + &"0".repeat(14), 2));
    assert!(header(Form::B, "B0TXS", "KS18", 1).in_form(Form::D).is_err(), "cut off");
}

#[test]
fn a_mac_key_of_a_peer_makes_macs_of_its_own_algorithm_only() {
    let hsm = hsm();
    let under = BlockKek(named("kbpk"));
    let algorithms = [MacAlgorithm::Alg1, MacAlgorithm::X919, MacAlgorithm::TdesCmac, MacAlgorithm::CupEcb];
    for (attributes, makes) in [
        ("M0TCE", [true, false, false, false]),
        ("M1TCE", [true, false, false, true]),
        ("M6TCE", [false, false, true, false]),
        ("M3TCE", [true, true, true, true]), // what keys are called that are made here for any of them
    ] {
        let block = peers_block(&header(Form::D, attributes, "", 0));
        let block = now(hsm.key_import_block(&CTX, (KeyUsage::Mac, Tdes2), &under, &block, None)).unwrap();
        let key = MacKey(KeyRef::Block(block));
        for (algorithm, makes) in algorithms.into_iter().zip(makes) {
            let made = now(hsm.mac_generate(&CTX, &key, &MacScheme { algorithm, ..SCHEME }, b"x"));
            assert_eq!(made.is_ok(), makes, "{attributes} {algorithm:?}");
            if !makes {
                assert_eq!(fault(made), KeyFault::Algorithm);
            }
        }
    }
}
