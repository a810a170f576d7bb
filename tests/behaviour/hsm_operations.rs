//! What the software HSM does beyond terminals' keys: devices with a key a transaction, issuers' checks, chip
//! cards, key blocks of peers; and what it refuses.

use futures_util::FutureExt;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tollgate::hsm::BdKey;
use tollgate::hsm::BlockKek;
use tollgate::hsm::Ctx;
use tollgate::hsm::CvKey;
use tollgate::hsm::Direction;
use tollgate::hsm::DukptKey;
use tollgate::hsm::Generations;
use tollgate::hsm::Hsm;
use tollgate::hsm::HsmError;
use tollgate::hsm::IbmRule;
use tollgate::hsm::ImkKey;
use tollgate::hsm::Kcv;
use tollgate::hsm::Kek;
use tollgate::hsm::KeyAlgorithm;
use tollgate::hsm::KeyAlgorithm::Aes128;
use tollgate::hsm::KeyAlgorithm::Aes256;
use tollgate::hsm::KeyAlgorithm::Tdes2;
use tollgate::hsm::KeyFault;
use tollgate::hsm::KeyName;
use tollgate::hsm::KeyRef;
use tollgate::hsm::KeyUsage;
use tollgate::hsm::MacKey;
use tollgate::hsm::OffsetKey;
use tollgate::hsm::PinError;
use tollgate::hsm::PinKey;
use tollgate::hsm::PinMethod;
use tollgate::hsm::PinOrigin;
use tollgate::hsm::PinReference;
use tollgate::hsm::PinSource;
use tollgate::hsm::PvKey;
use tollgate::hsm::ReferenceMethod;
use tollgate::hsm::Verdict;
use tollgate::hsm::WrappedKey;
use tollgate::hsm::calculator;
use tollgate::hsm::calculator::CipherKey;
use tollgate::hsm::calculator::ClearPin;
use tollgate::hsm::calculator::Fill;
use tollgate::hsm::calculator::ibm::DecimalizationTable;
use tollgate::hsm::calculator::tr31::Form;
use tollgate::hsm::calculator::tr31::Header;
use tollgate::hsm::calculator::tr31::KeyBlockKey;
use tollgate::hsm::emv::ArpcSpec;
use tollgate::hsm::emv::Cvn;
use tollgate::hsm::emv::EmvCard;
use tollgate::hsm::emv::EmvTransaction;
use tollgate::hsm::software::SoftwareHsm;
use tollgate::hsm::software::SoftwareHsmBuilder;
use tollgate::model::EncryptedPinBlock;
use tollgate::model::Entropy;
use tollgate::model::Ksn;
use tollgate::model::MacAlgorithm;
use tollgate::model::MacOutput;
use tollgate::model::MacScheme;
use tollgate::model::Padding;
use tollgate::model::Pan;
use tollgate::model::PinFormat;
use zeroize::Zeroizing;

const CTX: Ctx = Ctx { within: Duration::from_secs(1) };
const SCHEME: MacScheme =
    MacScheme { algorithm: MacAlgorithm::X919, padding: Padding::Zeros, output: MacOutput::Binary, length: 8 };
const BDK: &str = "0123456789ABCDEFFEDCBA9876543210";
const KBPK: &str = "88E1AB2A2E3DD38C1FA039A536500CC8A87AB9D62DC92C01058FA79F44657DE6";
const KEY: &str = "3F419E1CB7079442AA37474C2EFBF8B8";
const PAN: &[u8] = b"4012345678909";

/// Counts up: enough for fills and paddings.
pub(crate) struct Counter(pub(crate) AtomicU8);

impl Entropy for Counter {
    fn fill(&self, out: &mut [u8]) {
        out.iter_mut().for_each(|byte| *byte = self.0.fetch_add(37, Ordering::Relaxed));
    }
}

pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().unwrap()
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

pub(crate) fn named(text: &str) -> KeyRef {
    KeyRef::Named(KeyName::parse(text).unwrap())
}

const KEYS: &[(&str, KeyUsage, KeyAlgorithm, &str)] = &[
    ("bdk", KeyUsage::Bdk, Tdes2, BDK),
    ("bdk-aes", KeyUsage::Bdk, Aes128, "FEDCBA9876543210F1F1F1F1F1F1F1F1"),
    ("tak", KeyUsage::Mac, Tdes2, "AAAAAAAAAAAAAAAABBBBBBBBBBBBBBBB"),
    ("tak-old", KeyUsage::Mac, Tdes2, "ABABABABABABABABBCBCBCBCBCBCBCBC"),
    ("zpk", KeyUsage::Pin, Tdes2, KEY),
    ("zpk-aes", KeyUsage::Pin, Aes128, KEY),
    ("pvk", KeyUsage::Pvv, Tdes2, BDK),
    ("offset", KeyUsage::IbmPin, Tdes2, BDK),
    ("cvk", KeyUsage::Cvv, Tdes2, BDK),
    ("imk", KeyUsage::EmvCryptogram, Tdes2, BDK),
    ("kek", KeyUsage::Kek, Tdes2, "11223344556677888877665544332211"),
    ("kbpk", KeyUsage::KeyBlock, Aes256, KBPK),
    ("kbpk-tdes", KeyUsage::KeyBlock, Tdes2, "DD7515F2BFC17F85CE48F3CA25CB21F6"),
];

fn builder() -> SoftwareHsmBuilder {
    let start = SoftwareHsm::builder(Arc::new(Counter(AtomicU8::new(1))), Zeroizing::new([0x42; 32]));
    KEYS.iter().fold(start, |builder, (name, usage, algorithm, key)| {
        builder.key(KeyName::parse(name).unwrap(), *usage, *algorithm, Zeroizing::new(unhex(key)))
    })
}

fn hsm() -> SoftwareHsm {
    builder().build().unwrap()
}

fn pan() -> Pan {
    Pan::parse(PAN).unwrap()
}

fn fault<T>(outcome: Result<T, HsmError>) -> KeyFault {
    match outcome {
        Err(HsmError::Key { fault, .. }) => fault,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("was accepted"),
    }
}

/// A PIN under `zpk`.
fn block_of(pin: &str) -> EncryptedPinBlock {
    let key = CipherKey::new(Tdes2, &unhex(KEY)).unwrap();
    let pin = ClearPin::parse(pin.as_bytes()).unwrap();
    calculator::encrypt_pin(&key, PinFormat::Iso0, &pin, &pan(), &Fill::NONE).unwrap()
}

fn mac_under(hsm: &SoftwareHsm, base: &str, ksn: &str) -> Result<Vec<u8>, HsmError> {
    let (base, ksn) = (BdKey(named(base)), Ksn::new(&unhex(ksn)).unwrap());
    let scheme =
        if ksn.as_bytes().len() == 10 { SCHEME } else { MacScheme { algorithm: MacAlgorithm::AesCmac, ..SCHEME } };
    let key = DukptKey { base: &base, ksn: &ksn };
    now(hsm.mac_generate_dukpt(&CTX, key, Direction::Request, &scheme, b"0200")).map(|mac| mac.to_vec())
}

#[test]
fn a_serial_number_that_no_device_uses_is_the_keys_fault() {
    let hsm = hsm();
    for (base, ksn) in [
        ("bdk", "FFFF9876543210E00000"),         // the counter is zero
        ("bdk", "FFFF9876543210EFFC01"),         // eleven one bits
        ("bdk", "123456789012345600000001"),     // the other family
        ("bdk-aes", "FFFF9876543210E00001"),     // the other family
        ("bdk-aes", "123456789012345600000000"), // the counter is zero
        ("bdk-aes", "12345678901234560001FFFF"), // seventeen one bits
    ] {
        assert_eq!(fault(mac_under(&hsm, base, ksn)), KeyFault::Ksn, "{base} {ksn}");
    }
    assert!(mac_under(&hsm, "bdk", "FFFF9876543210EFF801").is_ok());
    assert!(mac_under(&hsm, "bdk-aes", "12345678901234560001FFFE").is_ok());
    assert_eq!(fault(mac_under(&hsm, "tak", "FFFF9876543210E00001")), KeyFault::Usage);
}

#[test]
fn every_transaction_and_every_way_has_its_own_mac() {
    let hsm = hsm();
    let macs: Vec<Vec<u8>> =
        (1..=8).map(|counter| mac_under(&hsm, "bdk", &format!("FFFF9876543210E0000{counter}")).unwrap()).collect();
    for (at, mac) in macs.iter().enumerate() {
        assert!(!macs[..at].contains(mac));
    }
    let (base, ksn) = (BdKey(named("bdk")), Ksn::new(&unhex("FFFF9876543210E00001")).unwrap());
    let key = DukptKey { base: &base, ksn: &ksn };
    let answer = (b"0200".as_slice(), macs[0].as_slice());
    let verdict = now(hsm.mac_verify_dukpt(&CTX, key, Direction::Response, &SCHEME, answer)).unwrap();
    assert_eq!(verdict, Verdict::NoMatch);
    let verdict = now(hsm.mac_verify_dukpt(&CTX, key, Direction::Request, &SCHEME, answer)).unwrap();
    assert_eq!(verdict, Verdict::Match);
}

#[test]
fn a_pin_block_under_the_key_of_another_transaction_does_not_verify() {
    let hsm = hsm();
    let block = EncryptedPinBlock::new(&unhex("1B9C1845EB993A7A")).unwrap();
    let (base, zpk) = (BdKey(named("bdk")), PinKey(named("zpk")));
    let to = PinSource { key: &zpk, format: PinFormat::Iso0 };
    for (ksn, expected) in [("FFFF9876543210E00001", true), ("FFFF9876543210E00002", false)] {
        let ksn = Ksn::new(&unhex(ksn)).unwrap();
        let key = DukptKey { base: &base, ksn: &ksn };
        let outcome = now(hsm.pin_translate_dukpt(&CTX, (key, PinFormat::Iso0), to, &block, &pan()));
        assert_eq!(outcome.map(|out| out.as_bytes() == block_of("1234").as_bytes()).ok(), expected.then_some(true));
        let moved = Pan::parse(b"4012345678917").unwrap();
        let outcome = now(hsm.pin_translate_dukpt(&CTX, (key, PinFormat::Iso0), to, &block, &moved));
        assert_eq!(outcome.err(), Some(PinError::Block));
        let forbidden = PinSource { key: &zpk, format: PinFormat::Iso1 };
        let outcome = now(hsm.pin_translate_dukpt(&CTX, (key, PinFormat::Iso0), forbidden, &block, &pan()));
        assert!(matches!(outcome, Err(PinError::Hsm(HsmError::Policy(_)))));
    }
}

/// The eight enciphered bytes are those of the annex's data, "40123456", under its data key.
///
/// Oracle: ANSI X9.24-1:2009, annex A.4.2, data encryption, request.
#[test]
fn a_packed_track_under_a_transactions_data_key_is_read() {
    let hsm = hsm();
    let base = BdKey(named("bdk"));
    let packed = unhex("6225000000000253D250FC0D53B7EA1FDA9E70");
    let read = |ksn: &str, packed: &[u8], digits| {
        let ksn = Ksn::new(&unhex(ksn)).unwrap();
        now(hsm.packed_track_decrypt_dukpt(&CTX, DukptKey { base: &base, ksn: &ksn }, packed, digits))
    };
    let track = read("FFFF9876543210E00001", &packed, 37).unwrap().unwrap();
    assert_eq!(track.clear(), b"6225000000000253=25034303132333435367");
    assert!(read("FFFF9876543210E00002", &packed, 37).unwrap().is_none(), "a key for each transaction");
    for (bytes, digits) in [(&packed[..], 35), (&packed[..8], 16), (&[0; 40][..], 80), (&[][..], 0)] {
        assert!(read("FFFF9876543210E00001", bytes, digits).unwrap().is_none());
    }
    assert_eq!(fault(read("FFFF9876543210E00000", &packed, 37).map(drop)), KeyFault::Ksn);
}

#[test]
fn what_an_issuer_keeps_of_a_new_pin_checks_that_pin_and_no_other() {
    let hsm = hsm();
    let (zpk, pvk, offset) = (PinKey(named("zpk")), PvKey(named("pvk")), OffsetKey(named("offset")));
    let from = PinOrigin::Static(PinSource { key: &zpk, format: PinFormat::Iso0 });
    let rule = IbmRule { start: 0, length: 12, pad: 15 };
    let block = block_of("48201");
    let made = |method| now(hsm.pin_reference(&CTX, from, &block, &pan(), method)).unwrap();
    let PinReference::Pvv(pvv) = made(ReferenceMethod::Pvv { key: &pvk, index: b'2' }) else { panic!() };
    let PinReference::Offset(kept) = made(ReferenceMethod::Ibm { key: &offset, rule, check: 4 }) else { panic!() };
    assert_eq!(kept.len(), 4);
    let checks = |pin: &str, method| now(hsm.pin_verify(&CTX, from, &block_of(pin), &pan(), method)).unwrap();
    let methods =
        [PinMethod::Pvv { key: &pvk, index: b'2', pvv }, PinMethod::Ibm { key: &offset, rule, offset: &kept }];
    for method in methods {
        assert_eq!(checks("48201", method), Verdict::Match);
        assert_eq!(checks("48311", method), Verdict::NoMatch);
    }
    // A PIN with fewer digits than are checked is a wrong PIN, not a fault.
    let long = PinMethod::Ibm { key: &offset, rule, offset: b"123456" };
    assert_eq!(checks("48201", long), Verdict::NoMatch);
}

#[test]
fn a_malformed_reference_is_our_fault_before_any_key_is_used() {
    let hsm = hsm();
    let (zpk, pvk, offset) = (PinKey(named("zpk")), PvKey(named("pvk")), OffsetKey(named("offset")));
    let from = PinOrigin::Static(PinSource { key: &zpk, format: PinFormat::Iso0 });
    let rule = IbmRule { start: 0, length: 12, pad: 15 };
    for method in [
        PinMethod::Pvv { key: &pvk, index: b'7', pvv: *b"1234" },
        PinMethod::Pvv { key: &pvk, index: b'1', pvv: *b"12A4" },
        PinMethod::Ibm { key: &offset, rule, offset: b"123" },
        PinMethod::Ibm { key: &offset, rule, offset: b"12x4" },
        PinMethod::Ibm { key: &offset, rule, offset: b"1234567890123" },
        PinMethod::Ibm { key: &offset, rule: IbmRule { start: 8, ..rule }, offset: b"1234" },
        PinMethod::Ibm { key: &offset, rule: IbmRule { start: usize::MAX, ..rule }, offset: b"1234" },
        PinMethod::Ibm { key: &offset, rule: IbmRule { pad: 16, ..rule }, offset: b"1234" },
    ] {
        let outcome = now(hsm.pin_verify(&CTX, from, &block_of("1234"), &pan(), method));
        assert!(matches!(outcome, Err(PinError::Hsm(HsmError::Input(_)))));
    }
}

#[test]
fn a_decimalization_table_that_gives_pins_away_is_refused() {
    for (table, accepted) in [
        ("0123456789012345", true),
        ("0000000000000000", false),
        ("0000000000000001", false),
        ("0123456700000000", false),
    ] {
        let table = DecimalizationTable::parse(table.as_bytes()).unwrap();
        let outcome = builder().decimalization(table).build();
        assert_eq!(outcome.is_ok(), accepted);
        assert!(outcome.err().is_none_or(|error| matches!(error, HsmError::Policy(_))));
    }
}

#[test]
fn a_key_of_one_purpose_serves_no_other() {
    let hsm = hsm();
    let card = EmvCard { pan: pan(), sequence: 0 };
    let transaction = EmvTransaction { atc: [0, 1], unpredictable: [0; 4], data: b"" };
    for other in ["tak", "zpk", "pvk", "offset", "bdk", "kek", "imk"] {
        let cvk = CvKey(named(other));
        assert_eq!(fault(now(hsm.cvv_generate(&CTX, &cvk, &pan(), b"2901", b"101"))), KeyFault::Usage, "{other}");
    }
    for other in ["tak", "zpk", "pvk", "offset", "bdk", "kek", "cvk"] {
        let imk = ImkKey(named(other));
        let outcome = now(hsm.arqc_verify(&CTX, &imk, (&Cvn::Visa10.scheme(), &card), &transaction, &[0; 8], None));
        assert_eq!(fault(outcome), KeyFault::Usage, "{other}");
    }
    let pvk = PvKey(named("offset"));
    let zpk = PinKey(named("zpk"));
    let from = PinOrigin::Static(PinSource { key: &zpk, format: PinFormat::Iso0 });
    let method = PinMethod::Pvv { key: &pvk, index: b'1', pvv: *b"1234" };
    let outcome = now(hsm.pin_verify(&CTX, from, &block_of("1234"), &pan(), method));
    assert!(matches!(outcome, Err(PinError::Hsm(HsmError::Key { fault: KeyFault::Usage, .. }))));
}

#[test]
fn a_cryptogram_of_another_card_counter_or_amount_does_not_match() {
    let hsm = hsm();
    let imk = ImkKey(named("imk"));
    for cvn in Cvn::ALL {
        let scheme = cvn.scheme();
        let card = EmvCard { pan: Pan::parse(b"12345678901234567").unwrap(), sequence: 1 };
        let transaction = EmvTransaction { atc: [0, 7], unpredictable: [1, 2, 3, 4], data: b"amount and the rest" };
        let issuer = calculator::DesKey::new(&unhex(BDK)).unwrap();
        let arqc = calculator::emv::card_cryptogram(&issuer, &scheme, &card, &transaction).unwrap();
        let spec = ArpcSpec::Method1 { response_code: *b"00" };
        let ask = |card: EmvCard, transaction: EmvTransaction<'_>| {
            now(hsm.arqc_verify(&CTX, &imk, (&scheme, &card), &transaction, &arqc, Some(&spec))).unwrap()
        };
        let right = ask(card, transaction);
        assert_eq!((right.verdict, right.arpc.map(|arpc| arpc.len())), (Verdict::Match, Some(8)));
        let mut others = vec![
            ask(EmvCard { sequence: 2, ..card }, transaction),
            ask(EmvCard { pan: pan(), ..card }, transaction),
            ask(card, EmvTransaction { data: b"amount and the lest", ..transaction }),
        ];
        if cvn != Cvn::Visa10 {
            others.push(ask(card, EmvTransaction { atc: [0, 8], ..transaction }));
        }
        assert!(others.iter().all(|other| other.verdict == Verdict::NoMatch && other.arpc.is_none()), "{cvn:?}");
    }
}

#[test]
fn what_is_too_long_for_a_cryptogram_is_refused() {
    let hsm = hsm();
    let card = EmvCard { pan: pan(), sequence: 0 };
    let data = vec![0; 1025];
    let transaction = EmvTransaction { atc: [0, 1], unpredictable: [0; 4], data: &data };
    let of = (&Cvn::Visa10.scheme(), &card);
    let outcome = now(hsm.arqc_verify(&CTX, &ImkKey(named("imk")), of, &transaction, &[0; 8], None));
    assert!(matches!(outcome, Err(HsmError::Input(_))));
    let spec = ArpcSpec::Method2 { status_update: [0; 4], proprietary: [0; 9].as_slice().into() };
    assert!(calculator::emv::arpc(&[1; 16], [0; 8], &spec).is_err());
}

/// A block that a peer wrote under `kbpk` (D) or `kbpk-tdes` (the others).
fn peers_block(form: Form, attributes: &str, key: &str) -> String {
    let attributes = attributes.as_bytes();
    let header = Header {
        form,
        usage: [attributes[0], attributes[1]],
        algorithm: attributes[2],
        mode: attributes[3],
        version: *b"00",
        exportability: attributes[4],
        optional_count: 0,
        optional: String::new(),
    };
    let protection = unhex(if form == Form::D { KBPK } else { "DD7515F2BFC17F85CE48F3CA25CB21F6" });
    let key = unhex(key);
    let padding = vec![0x3C; header.padding(key.len())];
    KeyBlockKey::with_form(form, &protection).unwrap().wrap(&header, &key, &padding).unwrap()
}

fn bring(hsm: &SoftwareHsm, what: (KeyUsage, KeyAlgorithm), block: &str) -> Result<String, HsmError> {
    let under = BlockKek(named(if block.starts_with('D') { "kbpk" } else { "kbpk-tdes" }));
    now(hsm.key_import_block(&CTX, what, &under, block, None)).map(|block| block.as_str()[..16].to_owned())
}

#[test]
fn a_peers_key_block_keeps_what_it_may_do_and_never_does_more() {
    let hsm = hsm();
    for (attributes, what, kept) in [
        ("P0TEE", (KeyUsage::Pin, Tdes2), "D0112P0TE00E0000"),
        ("P0TBN", (KeyUsage::Pin, Tdes2), "D0112P0TB00N0000"),
        ("M3TVN", (KeyUsage::Mac, Tdes2), "D0112M3TV00N0000"),
        ("D0TBS", (KeyUsage::Data, Tdes2), "D0112D0TD00S0000"),
        ("B0TXN", (KeyUsage::Bdk, Tdes2), "D0112B0TX00N0000"),
    ] {
        for form in [Form::B, Form::D] {
            assert_eq!(bring(&hsm, what, &peers_block(form, attributes, KEY)).as_deref(), Ok(kept));
        }
    }
    for (attributes, what, refused) in [
        ("P0TNE", (KeyUsage::Pin, Tdes2), KeyFault::Usage), // no restriction at all
        ("P0TXE", (KeyUsage::Pin, Tdes2), KeyFault::Usage), // a mode of another usage
        ("P0TBE", (KeyUsage::Mac, Tdes2), KeyFault::Usage), // not what was expected
        ("P0ABE", (KeyUsage::Pin, Tdes2), KeyFault::Algorithm), // AES where TDES was expected
        ("K0DBE", (KeyUsage::Kek, Tdes2), KeyFault::Length), // DES with 16 bytes
        ("Z9TBE", (KeyUsage::Pin, Tdes2), KeyFault::Usage), // unheard of
        ("V2AVE", (KeyUsage::Pvv, Aes128), KeyFault::Algorithm),
    ] {
        assert_eq!(fault(bring(&hsm, what, &peers_block(Form::D, attributes, KEY))), refused, "{attributes}");
    }
}

#[test]
fn a_key_block_that_was_touched_anywhere_does_not_come_in() {
    let hsm = hsm();
    for form in [Form::B, Form::D] {
        let block = peers_block(form, "P0TBE", KEY);
        for at in 0..block.len() {
            let mut bytes = block.clone().into_bytes();
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
            let touched = String::from_utf8(bytes).unwrap();
            let under = BlockKek(named(if form == Form::D { "kbpk" } else { "kbpk-tdes" }));
            let outcome = now(hsm.key_import_block(&CTX, (KeyUsage::Pin, Tdes2), &under, &touched, None));
            assert!(matches!(fault(outcome), KeyFault::Block | KeyFault::Format), "{form:?} at {at}");
            let cut = &block[..at];
            let outcome = now(hsm.key_import_block(&CTX, (KeyUsage::Pin, Tdes2), &under, cut, None));
            assert_eq!(fault(outcome), KeyFault::Format, "{form:?} cut at {at}");
        }
        // In the key itself, where only the MAC can tell.
        let place = block.len() - 40;
        let other = if &block[place..=place] == "0" { "1" } else { "0" };
        let touched = format!("{}{other}{}", &block[..place], &block[place + 1..]);
        assert_eq!(fault(bring(&hsm, (KeyUsage::Pin, Tdes2), &touched)), KeyFault::Block, "{form:?}");
    }
}

#[test]
fn withdrawn_forms_come_in_only_where_the_policy_says_so() {
    for form in [Form::A, Form::C] {
        let block = peers_block(form, "P0TBE", KEY);
        assert!(matches!(bring(&hsm(), (KeyUsage::Pin, Tdes2), &block), Err(HsmError::Policy(_))));
        let willing = builder().variant_blocks().build().unwrap();
        assert_eq!(bring(&willing, (KeyUsage::Pin, Tdes2), &block).as_deref(), Ok("D0112P0TB00E0000"));
    }
}

#[test]
fn a_key_does_not_come_in_under_a_weaker_one() {
    let hsm = hsm();
    let block = peers_block(Form::B, "P0ABE", KEY);
    let under = BlockKek(named("kbpk-tdes"));
    let outcome = now(hsm.key_import_block(&CTX, (KeyUsage::Pin, Aes128), &under, &block, None));
    assert_eq!(fault(outcome), KeyFault::NotExportable);
}

#[test]
fn a_check_value_or_a_parity_that_does_not_agree_keeps_a_key_out() {
    let under = BlockKek(named("kbpk"));
    let block = peers_block(Form::D, "P0TBE", KEY);
    let what = (KeyUsage::Pin, Tdes2);
    let wrong = Kcv::new(&[0; 3]).unwrap();
    let outcome = now(hsm().key_import_block(&CTX, what, &under, &block, Some(&wrong)));
    assert_eq!(fault(outcome), KeyFault::CheckValue);
    let strict = builder().odd_parity().build().unwrap();
    assert_eq!(fault(now(strict.key_import_block(&CTX, what, &under, &block, None))), KeyFault::Parity);
    let wrapped = WrappedKey::new(unhex(KEY).into());
    let outcome = now(strict.key_import(&CTX, KeyUsage::Pin, Tdes2, &Kek(named("kek")), &wrapped, None));
    assert_eq!(fault(outcome), KeyFault::Parity);
    let odd = peers_block(Form::D, "P0TBE", BDK);
    assert!(now(strict.key_import_block(&CTX, what, &under, &odd, None)).is_ok());
    let aes = peers_block(Form::D, "P0ABE", KEY);
    assert!(now(strict.key_import_block(&CTX, (KeyUsage::Pin, Aes128), &under, &aes, None)).is_ok());
}

#[test]
fn a_single_key_in_a_double_ones_coat_does_not_come_in() {
    let block = peers_block(Form::D, "P0TBE", "0123456789ABCDEF0422456789ABCDEF");
    assert!(bring(&hsm(), (KeyUsage::Pin, Tdes2), &block).is_ok());
    let block = peers_block(Form::D, "P0TBE", "0123456789ABCDEF0122456789ABCDEF");
    assert_eq!(fault(bring(&hsm(), (KeyUsage::Pin, Tdes2), &block)), KeyFault::Masquerade);
    // A double one in a triple one's coat.
    let block = peers_block(Form::D, "K0TBN", "0123456789ABCDEF23456789ABCDEF010123456789ABCDEF");
    assert_eq!(fault(bring(&hsm(), (KeyUsage::Kek, KeyAlgorithm::Tdes3), &block)), KeyFault::Masquerade);
}

#[test]
fn a_key_leaves_in_a_block_with_its_own_attributes_if_it_may_leave() {
    let hsm = hsm();
    let under = BlockKek(named("kbpk"));
    let out = now(hsm.key_export_block(&CTX, &named("zpk"), &under)).unwrap();
    let (header, key) = KeyBlockKey::new(&unhex(KBPK)).unwrap().unwrap(&out).unwrap();
    assert_eq!((&out[..16], key.as_slice()), ("D0112P0TB00S0000", unhex(KEY).as_slice()));
    assert_eq!(header.form, Form::D);
    for stays in ["bdk", "imk", "kek", "kbpk"] {
        assert_eq!(fault(now(hsm.key_export_block(&CTX, &named(stays), &under))), KeyFault::NotExportable, "{stays}");
    }
    assert_eq!(
        fault(now(hsm.key_export_block(&CTX, &named("zpk"), &BlockKek(named("kbpk-tdes"))))),
        KeyFault::Algorithm,
        "version D needs an AES key"
    );
    assert_eq!(fault(now(hsm.key_export_block(&CTX, &named("zpk"), &BlockKek(named("kek"))))), KeyFault::Usage);
}

fn newest_first(keys: &Generations<MacKey>) -> Vec<&MacKey> {
    keys.newest_first().collect()
}

#[test]
fn both_generations_of_a_key_are_checked_and_the_newest_signs() {
    let hsm = hsm();
    let (old, new) = (MacKey(named("tak-old")), MacKey(named("tak")));
    let first = Generations::first(old.clone());
    let both = first.clone().followed_by(new.clone());
    assert_eq!((first.newest(), both.newest()), (&old, &new));
    for key in [&old, &new] {
        let mac = now(hsm.mac_generate(&CTX, key, &SCHEME, b"x")).unwrap();
        assert_eq!(now(hsm.mac_verify_any(&CTX, &newest_first(&both), &SCHEME, b"x", &mac)).unwrap(), Some(key));
        let alone = both.clone().settled();
        let found = now(hsm.mac_verify_any(&CTX, &newest_first(&alone), &SCHEME, b"x", &mac)).unwrap();
        assert_eq!(found, (key == &new).then_some(&new));
    }
    assert_eq!(now(hsm.mac_verify_any(&CTX, &newest_first(&both), &SCHEME, b"x", &[0; 8])).unwrap(), None);
}

#[test]
fn a_mac_is_translated_only_if_it_holds() {
    let hsm = hsm();
    let (from, to) = (MacKey(named("tak")), MacKey(named("tak-old")));
    let mac = now(hsm.mac_generate(&CTX, &from, &SCHEME, b"x")).unwrap();
    let out = now(hsm.mac_translate(&CTX, (&from, &SCHEME), &mac, (&to, &SCHEME), b"x")).unwrap();
    assert_eq!(out, Some(now(hsm.mac_generate(&CTX, &to, &SCHEME, b"x")).unwrap()));
    assert_eq!(now(hsm.mac_translate(&CTX, (&from, &SCHEME), &[0; 8], (&to, &SCHEME), b"x")).unwrap(), None);
}

#[test]
fn a_software_hsm_is_not_fit_for_production_and_says_why() {
    let hsm = hsm();
    let why = hsm.capabilities().fit_for_production().unwrap_err();
    assert!(why.contains("software") && why.contains("PTS HSM"), "{why}");
    let status = now(hsm.diagnostics(&CTX)).unwrap();
    assert_eq!(status.opened, Some(0));
    assert_eq!(status.master.map(|kcv| kcv.as_bytes().len()), Some(3));
}

/// A number of this process's status, in kB.
#[cfg(target_os = "linux")]
fn status_number(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn opened_keys_lie_in_locked_memory_and_no_core_is_dumped() {
    let hsm = hsm();
    let made = now(hsm.key_generate(&CTX, KeyUsage::Mac, Tdes2, None)).unwrap();
    now(hsm.mac_generate(&CTX, &MacKey(KeyRef::Block(made.block)), &SCHEME, b"x")).unwrap();
    let status = now(hsm.diagnostics(&CTX)).unwrap();
    assert_eq!(status.opened, Some(1));
    if status.locked == Some(true) {
        assert!(status_number("VmLck:") > 0);
    } else {
        println!("this system lets nobody lock memory");
    }
    let limits = fs::read_to_string("/proc/self/limits").unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
}

#[test]
fn keys_in_use_are_never_waited_for_and_never_dropped_under_their_user() {
    // One place for two keys that a call needs at once, from many threads.
    let hsm = builder().cached(1).build().unwrap();
    let keys: Vec<_> = (0..4).map(|_| now(hsm.key_generate(&CTX, KeyUsage::Pin, Tdes2, None)).unwrap().block).collect();
    let zpk = PinKey(named("zpk"));
    let translate = |from: &PinKey, to: &PinKey, block: &EncryptedPinBlock| {
        let from = PinSource { key: from, format: PinFormat::Iso0 };
        now(hsm.pin_translate(&CTX, from, PinSource { key: to, ..from }, block, &pan())).unwrap()
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for round in 0..200 {
                    let own = |at: usize| PinKey(KeyRef::Block(keys[(round + at) % keys.len()].clone()));
                    let there = translate(&zpk, &own(0), &block_of("1234"));
                    let on = translate(&own(0), &own(1), &there);
                    assert_eq!(translate(&own(1), &zpk, &on).as_bytes(), block_of("1234").as_bytes());
                }
            });
        }
    });
    assert!(hsm.cached_keys() <= 1);
}
