//! Vectors of keys that are derived for one transaction or one card, and of what issuers check.

use super::CTX;
use super::Vector;
use super::aes_kind;
use super::des_kind;
use super::hex;
use super::hsm;
use super::name;
use super::now;
use super::scripted;
use super::unhex;
use tollgate::hsm::BdKey;
use tollgate::hsm::BlockKek;
use tollgate::hsm::CvKey;
use tollgate::hsm::Cvc3Key;
use tollgate::hsm::Direction;
use tollgate::hsm::DukptKey;
use tollgate::hsm::Hsm;
use tollgate::hsm::HsmError;
use tollgate::hsm::IbmRule;
use tollgate::hsm::ImkKey;
use tollgate::hsm::Kek;
use tollgate::hsm::KeyAlgorithm;
use tollgate::hsm::KeyFault;
use tollgate::hsm::KeyName;
use tollgate::hsm::KeyRef;
use tollgate::hsm::KeyUsage;
use tollgate::hsm::OffsetKey;
use tollgate::hsm::PinKey;
use tollgate::hsm::PinMethod;
use tollgate::hsm::PinOrigin;
use tollgate::hsm::PinReference;
use tollgate::hsm::PinSource;
use tollgate::hsm::ReferenceMethod;
use tollgate::hsm::ScriptKey;
use tollgate::hsm::Verdict;
use tollgate::hsm::calculator;
use tollgate::hsm::calculator::CipherKey;
use tollgate::hsm::calculator::ClearPin;
use tollgate::hsm::calculator::Fill;
use tollgate::hsm::calculator::ibm::DecimalizationTable;
use tollgate::hsm::calculator::keys;
use tollgate::hsm::calculator::keys::KcvMethod;
use tollgate::hsm::calculator::tr31::Header;
use tollgate::hsm::emv::ArpcSpec;
use tollgate::hsm::emv::Cvn;
use tollgate::hsm::emv::EmvCard;
use tollgate::hsm::emv::EmvScheme;
use tollgate::hsm::emv::EmvTransaction;
use tollgate::hsm::emv::MasterKeyOption;
use tollgate::hsm::emv::ScriptKeyMethod;
use tollgate::hsm::emv::SessionKeyMethod;
use tollgate::hsm::software::SoftwareHsm;
use tollgate::model::EncryptedPinBlock;
use tollgate::model::Ksn;
use tollgate::model::MacAlgorithm;
use tollgate::model::MacOutput;
use tollgate::model::MacScheme;
use tollgate::model::Padding;
use tollgate::model::Pan;
use tollgate::model::PinFormat;
use zeroize::Zeroizing;

const KEK: [u8; 32] = [0x77; 32];

/// The kind of a base key, by the serial number's length.
fn base_kind(v: Vector<'_>) -> KeyAlgorithm {
    let base = v.bytes("bdk");
    if v.text("ksn").len() == 24 { aes_kind(&base) } else { des_kind(&base) }
}

fn ksn(v: Vector<'_>) -> Ksn {
    Ksn::new(&v.bytes("ksn")).unwrap()
}

/// Whether the working key is the one that this HSM derives: as long as the base key.
fn as_long_as_the_base(v: Vector<'_>) -> bool {
    let bits = 8 * v.bytes("bdk").len();
    v.given("working_key").is_none_or(|kind| kind == format!("AES{bits}"))
}

pub(super) fn initial_key(v: Vector<'_>) {
    let base = v.bytes("bdk");
    let kek = [0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10];
    let hsm = hsm(
        &[],
        &[("bdk", KeyUsage::Bdk, KeyAlgorithm::Tdes2, &base), ("kek", KeyUsage::Kek, KeyAlgorithm::Tdes2, &kek)],
    );
    let kek_ref = Kek(name("kek"));
    let (wrapped, _) = now(hsm.dukpt_initial_key(&CTX, &BdKey(name("bdk")), &ksn(v), &kek_ref)).unwrap();
    let kek = CipherKey::new(KeyAlgorithm::Tdes2, &kek).unwrap();
    assert_eq!(hex(&keys::unwrap_ecb(&kek, wrapped.as_bytes()).unwrap()), v.expected("ik"));
}

pub(super) fn mac(v: Vector<'_>, algorithm: MacAlgorithm) -> bool {
    if !as_long_as_the_base(v) {
        return false;
    }
    let base = v.bytes("bdk");
    let hsm = hsm(&[], &[("bdk", KeyUsage::Bdk, base_kind(v), &base)]);
    let (bdk, ksn, data) = (BdKey(name("bdk")), ksn(v), v.bytes("data"));
    let key = DukptKey { base: &bdk, ksn: &ksn };
    for (direction, expected) in [(Direction::Request, "request_mac"), (Direction::Response, "response_mac")] {
        let expected = unhex(v.expected(expected));
        let length = u8::try_from(expected.len()).unwrap();
        let scheme = MacScheme { algorithm, padding: Padding::Zeros, output: MacOutput::Binary, length };
        let made = now(hsm.mac_generate_dukpt(&CTX, key, direction, &scheme, &data)).unwrap();
        assert_eq!(hex(&made), hex(&expected));
        let verdict = |mac: &[u8]| now(hsm.mac_verify_dukpt(&CTX, key, direction, &scheme, (&data, mac))).unwrap();
        assert_eq!(verdict(&expected), Verdict::Match);
        assert_eq!(verdict(&expected[1..]), Verdict::NoMatch);
    }
    true
}

/// A block under a transaction's key becomes the block of the same PIN under a zone key.
pub(super) fn pin(v: Vector<'_>, format: PinFormat) -> bool {
    if !as_long_as_the_base(v) {
        return false;
    }
    let (base, zpk) = (v.bytes("bdk"), [0x5D; 16]);
    let hsm =
        hsm(&[], &[("bdk", KeyUsage::Bdk, base_kind(v), &base), ("zpk", KeyUsage::Pin, KeyAlgorithm::Aes128, &zpk)]);
    let (bdk, ksn, zpk_ref) = (BdKey(name("bdk")), ksn(v), PinKey(name("zpk")));
    let block = EncryptedPinBlock::new(&unhex(v.expected("enciphered"))).unwrap();
    let to = PinSource { key: &zpk_ref, format: PinFormat::Iso4 };
    let key = DukptKey { base: &bdk, ksn: &ksn };
    let out = now(hsm.pin_translate_dukpt(&CTX, (key, format), to, &block, &v.pan())).unwrap();
    let zpk = CipherKey::new(KeyAlgorithm::Aes128, &zpk).unwrap();
    let clear = calculator::decipher(&zpk, PinFormat::Iso4, &out, &v.pan()).unwrap();
    let pin = calculator::decode(PinFormat::Iso4, &clear, &v.pan()).unwrap();
    assert_eq!(pin.clear().as_slice(), v.text("pin").as_bytes());
    true
}

pub(super) fn translate(v: Vector<'_>) {
    let (base, out_key) = (v.bytes("bdk"), v.bytes("out_key"));
    let to = v.format("out_format");
    let out_kind = if to == PinFormat::Iso4 { aes_kind(&out_key) } else { des_kind(&out_key) };
    let script = unhex(v.given("out_fill").unwrap_or_default());
    let hsm = hsm(&script, &[("bdk", KeyUsage::Bdk, base_kind(v), &base), ("out", KeyUsage::Pin, out_kind, &out_key)]);
    let (bdk, ksn, out) = (BdKey(name("bdk")), ksn(v), PinKey(name("out")));
    let block = EncryptedPinBlock::new(&v.bytes("in_block")).unwrap();
    let from = (DukptKey { base: &bdk, ksn: &ksn }, v.format("in_format"));
    let to = PinSource { key: &out, format: to };
    let out = now(hsm.pin_translate_dukpt(&CTX, from, to, &block, &v.pan())).unwrap();
    assert_eq!(hex(out.as_bytes()), v.expected("out_block"));
}

/// The vector's data are a track in text, filled up with zeros.
pub(super) fn track(v: Vector<'_>) -> bool {
    if !as_long_as_the_base(v) {
        return false;
    }
    let base = v.bytes("bdk");
    let hsm = hsm(&[], &[("bdk", KeyUsage::Bdk, base_kind(v), &base)]);
    let (bdk, ksn) = (BdKey(name("bdk")), ksn(v));
    let cipher = unhex(v.expected("request_ciphertext"));
    let key = DukptKey { base: &bdk, ksn: &ksn };
    let track = now(hsm.track_decrypt_dukpt(&CTX, key, &v.bytes("iv"), &cipher)).unwrap().unwrap();
    let text = String::from_utf8(v.bytes("data")).unwrap();
    assert_eq!(track.clear(), text.trim_end_matches('\0').replace('D', "=").as_bytes());
    true
}

pub(super) fn ksn_valid(v: Vector<'_>) {
    let long = v.text("ksn").len() == 24;
    let kind = if long { KeyAlgorithm::Aes128 } else { KeyAlgorithm::Tdes2 };
    let hsm = hsm(&[], &[("bdk", KeyUsage::Bdk, kind, &(1..=16).collect::<Vec<u8>>())]);
    let algorithm = if long { MacAlgorithm::AesCmac } else { MacAlgorithm::X919 };
    let scheme = MacScheme { algorithm, padding: Padding::Zeros, output: MacOutput::Binary, length: 4 };
    let (bdk, ksn) = (BdKey(name("bdk")), ksn(v));
    let key = DukptKey { base: &bdk, ksn: &ksn };
    let outcome = now(hsm.mac_generate_dukpt(&CTX, key, Direction::Request, &scheme, b"x"));
    match outcome {
        Ok(_) => assert!(v.expects_true()),
        Err(error) => {
            assert!(!v.expects_true());
            assert_eq!(error, HsmError::Key { name: "bdk".into(), fault: KeyFault::Ksn });
        }
    }
}

pub(super) fn cvv(v: Vector<'_>) {
    let cvk = v.bytes("cvk");
    let hsm = hsm(&[], &[("cvk", KeyUsage::Cvv, KeyAlgorithm::Tdes2, &cvk)]);
    let cvk = CvKey(name("cvk"));
    let (expiry, code) = (v.text("expiry").as_bytes(), v.text("service_code").as_bytes());
    let (expiry, code) = (expiry.try_into().unwrap(), code.try_into().unwrap());
    let given = v.given("cvv");
    let value: [u8; 3] = given.unwrap_or_else(|| v.expected("cvv")).as_bytes().try_into().unwrap();
    let verdict = now(hsm.cvv_verify(&CTX, &cvk, &v.pan(), (expiry, code), &value)).unwrap();
    assert_eq!(verdict == Verdict::Match, given.is_none() || v.expects_true());
    if given.is_none() {
        assert_eq!(now(hsm.cvv_generate(&CTX, &cvk, &v.pan(), expiry, code)).unwrap(), value);
    }
}

pub(super) fn cvc3(v: Vector<'_>) {
    let key = v.bytes("imk_cvc3");
    let hsm = hsm(&[], &[("imk", KeyUsage::EmvDynamic, KeyAlgorithm::Tdes2, &key)]);
    let track = v.bytes("track");
    let transaction = EmvTransaction {
        atc: v.bytes("atc").try_into().unwrap(),
        unpredictable: v.bytes("un").try_into().unwrap(),
        data: &track,
    };
    let key = Cvc3Key(name("imk"));
    let check = |value: &str| now(hsm.cvc3_verify(&CTX, &key, &card(v), &transaction, value.as_bytes())).unwrap();
    assert_eq!(check(v.expected("cvc3")), Verdict::Match);
    assert_eq!(check("000"), Verdict::NoMatch);
}

/// The rule and the PAN of an IBM vector; validation data alone are taken as a PAN of their own.
fn ibm_rule(v: Vector<'_>) -> (IbmRule, Pan) {
    let Some(pad) = v.given("pan_pad") else {
        let pan = Pan::parse(v.text("validation_data").as_bytes()).unwrap();
        return (IbmRule { start: 0, length: 16, pad: 0 }, pan);
    };
    let pad = u8::from_str_radix(pad, 16).unwrap();
    (IbmRule { start: v.number("pan_verify_offset"), length: v.number("pan_verify_length"), pad }, v.pan())
}

pub(super) fn ibm(v: Vector<'_>) {
    let (zpk, pvk) = ([0x5D; 16], v.bytes("pvk"));
    let key = |text: &str| KeyName::parse(text).unwrap();
    let hsm = SoftwareHsm::builder(scripted(&[]), Zeroizing::new([0x5A; 32]))
        .decimalization(DecimalizationTable::parse(v.text("dec_table").as_bytes()).unwrap())
        .key(key("zpk"), KeyUsage::Pin, KeyAlgorithm::Aes128, Zeroizing::new(zpk.to_vec()))
        .key(key("pvk"), KeyUsage::IbmPin, KeyAlgorithm::Tdes2, Zeroizing::new(pvk))
        .build()
        .unwrap();
    let (rule, pan) = ibm_rule(v);
    let cipher = CipherKey::new(KeyAlgorithm::Aes128, &zpk).unwrap();
    let pin = ClearPin::parse(v.text("pin").as_bytes()).unwrap();
    let block = calculator::encrypt_pin(&cipher, PinFormat::Iso4, &pin, &pan, &Fill::NONE).unwrap();
    let (zpk, pvk) = (PinKey(name("zpk")), OffsetKey(name("pvk")));
    let from = PinOrigin::Static(PinSource { key: &zpk, format: PinFormat::Iso4 });
    let offset = v.given("offset").unwrap_or_else(|| v.expected("offset")).as_bytes();
    let method = PinMethod::Ibm { key: &pvk, rule, offset };
    let verdict = now(hsm.pin_verify(&CTX, from, &block, &pan, method)).unwrap();
    assert_eq!(verdict == Verdict::Match, v.given("offset").is_none() || v.expects_true());
    if v.given("offset").is_none() {
        let method = ReferenceMethod::Ibm { key: &pvk, rule, check: pin.length() };
        let made = now(hsm.pin_reference(&CTX, from, &block, &pan, method)).unwrap();
        assert_eq!(made, PinReference::Offset(offset.into()));
    }
}

fn card(v: Vector<'_>) -> EmvCard {
    EmvCard { pan: v.pan(), sequence: v.text("psn").parse().unwrap() }
}

/// Checks the cryptogram, asks for an answer, and checks that a wrong cryptogram gets none.
fn arqc(v: Vector<'_>, scheme: &EmvScheme, data: &[u8], arqc: &str, answer: Option<(ArpcSpec, &str)>) {
    let imk = v.bytes("imk");
    let hsm = hsm(&[], &[("imk", KeyUsage::EmvCryptogram, KeyAlgorithm::Tdes2, &imk)]);
    let tag = |name: &str| v.0["inputs"]["tags"][name].as_str().map(unhex);
    let transaction = EmvTransaction {
        atc: tag("tag_9f36").unwrap_or_else(|| v.bytes("atc")).try_into().unwrap(),
        unpredictable: tag("tag_9f37").or_else(|| v.given("un").map(unhex)).unwrap_or(vec![0; 4]).try_into().unwrap(),
        data,
    };
    let spec = answer.as_ref().map(|(spec, _)| spec);
    let ask = |cryptogram: &[u8; 8]| {
        let of = (scheme, &card(v));
        now(hsm.arqc_verify(&CTX, &ImkKey(name("imk")), of, &transaction, cryptogram, spec)).unwrap()
    };
    let mut cryptogram: [u8; 8] = unhex(arqc).try_into().unwrap();
    let right = ask(&cryptogram);
    assert_eq!(right.verdict, Verdict::Match);
    assert_eq!(right.arpc.map(|arpc| hex(&arpc)), answer.as_ref().map(|(_, arpc)| (*arpc).to_owned()));
    cryptogram[7] ^= 1;
    let wrong = ask(&cryptogram);
    assert_eq!((wrong.verdict, wrong.arpc), (Verdict::NoMatch, None));
}

/// Vectors that spell their scheme out; a free diversifier is for the calculators only.
pub(super) fn cryptogram(v: Vector<'_>) -> bool {
    let session = match v.text("sk_method") {
        _ if v.given("r").is_some() => return false,
        "VSDC" => SessionKeyMethod::Master,
        "MCHIP" => SessionKeyMethod::MChip,
        "CSK" => SessionKeyMethod::Common,
        other => panic!("session key {other}"),
    };
    let master = if v.text("mk_option") == "A" { MasterKeyOption::A } else { MasterKeyOption::B };
    let padding = [Padding::Zeros, Padding::Bit][v.number("padding") - 1];
    let scheme = EmvScheme { master, session, padding, script: ScriptKeyMethod::Common };
    if v.given("arqc").is_some() {
        let hsm = hsm(&[], &[("imk", KeyUsage::EmvCryptogram, KeyAlgorithm::Tdes2, &v.bytes("imk"))]);
        let data = v.bytes("data");
        let transaction =
            EmvTransaction { atc: v.bytes("atc").try_into().unwrap(), unpredictable: [0; 4], data: &data };
        let given = v.bytes("arqc").try_into().unwrap();
        let of = (&scheme, &card(v));
        let outcome = now(hsm.arqc_verify(&CTX, &ImkKey(name("imk")), of, &transaction, &given, None)).unwrap();
        assert_eq!(outcome.verdict == Verdict::Match, v.expects_true());
    } else {
        arqc(v, &scheme, &v.bytes("data"), v.expected("ac"), None);
    }
    true
}

pub(super) fn by_version(v: Vector<'_>) {
    let cvn = match v.text("cvn") {
        "visa10" => Cvn::Visa10,
        "visa18" => Cvn::Visa18,
        "visa22" => Cvn::Visa22,
        "mc16" => Cvn::Mastercard16,
        "mc17" => Cvn::Mastercard17,
        "mc20" => Cvn::Mastercard20,
        "mc21" => Cvn::Mastercard21,
        other => panic!("version {other}"),
    };
    let spec = match v.given("csu") {
        Some(status) => {
            ArpcSpec::Method2 { status_update: unhex(status).try_into().unwrap(), proprietary: Default::default() }
        }
        None => ArpcSpec::Method1 { response_code: v.bytes("arc").try_into().unwrap() },
    };
    arqc(v, &cvn.scheme(), &unhex(v.expected("ac_input")), v.expected("arqc"), Some((spec, v.expected("arpc"))));
    // Cards tell it in their application data; the vectors of the first versions give their parts only.
    let told = match (cvn, v.given("cvr")) {
        (Cvn::Visa10, Some(results)) => format!("06010A{results}"),
        (Cvn::Mastercard16, Some(results)) => format!("0110{results}00000000000000000000"),
        (Cvn::Mastercard20, Some(results)) => format!("0114{results}0000000000000000000000FF"),
        (Cvn::Mastercard17, Some(results)) => format!("0111{results}0000{}", v.text("counters")),
        (Cvn::Mastercard21, Some(results)) => format!("0115{results}0000{}", v.text("counters")),
        _ => v.text("iad").to_owned(),
    };
    let tail = cvn.tail(&unhex(&told)).expect("application data of this version");
    assert!(v.expected("ac_input").ends_with(&hex(&tail)) && tail.len() > 3, "{told}");
    let parts = ["cvr", "counters", "iad"].map(|part| v.given(part).map_or(0, |part| part.len() / 2));
    assert_eq!(tail.len(), parts.iter().sum::<usize>());
}

pub(super) fn script_mac(v: Vector<'_>) {
    let hsm = hsm(&[], &[("smi", KeyUsage::EmvIntegrity, KeyAlgorithm::Tdes2, &v.bytes("imk_smi"))]);
    let request = (v.bytes("atc").try_into().unwrap(), v.bytes("arqc").try_into().unwrap());
    let cvn = match (v.given("method"), v.given("mk_option")) {
        (None | Some("VSDC"), None) => Cvn::Visa10,
        (Some("VSDC"), Some("B")) => Cvn::Visa18,
        (Some("CSK"), None) => Cvn::Mastercard20,
        (Some("CSK"), Some("B")) => Cvn::Visa22,
        other => panic!("keys of scripts {other:?}"),
    };
    let of = (&cvn.scheme(), &card(v));
    let mac = now(hsm.script_mac(&CTX, &ScriptKey(name("smi")), of, request, &v.bytes("command"))).unwrap();
    assert_eq!(hex(&mac), v.expected("mac"));
}

/// The usage that a header names, if it is one of ours.
fn usage(header: &Header) -> KeyUsage {
    match &header.usage {
        b"P0" => KeyUsage::Pin,
        b"M3" => KeyUsage::Mac,
        b"K0" => KeyUsage::Kek,
        b"B0" => KeyUsage::Bdk,
        b"D0" => KeyUsage::Data,
        other => panic!("usage {other:?}"),
    }
}

/// A peer's block comes in, unless its attributes are wider than any key's here.
pub(super) fn key_block(v: Vector<'_>) {
    let (kbpk, text) = (v.bytes("kbpk"), v.text("key_block"));
    let form_d = text.starts_with('D');
    let kind = if form_d { aes_kind(&kbpk) } else { des_kind(&kbpk) };
    let key = |text: &str| KeyName::parse(text).unwrap();
    let hsm = SoftwareHsm::builder(scripted(&[]), Zeroizing::new([0x5A; 32]))
        .variant_blocks()
        .key(key("kbpk"), KeyUsage::KeyBlock, kind, Zeroizing::new(kbpk))
        .key(key("kek"), KeyUsage::Kek, KeyAlgorithm::Aes256, Zeroizing::new(KEK.to_vec()))
        .build()
        .unwrap();
    let under = BlockKek(name("kbpk"));
    let Ok((header, _)) = Header::parse(text) else {
        let bring = now(hsm.key_import_block(&CTX, (KeyUsage::Kek, KeyAlgorithm::Tdes2), &under, text, None));
        assert!(v.fails());
        assert_eq!(bring, Err(HsmError::Key { name: "block".into(), fault: KeyFault::Format }));
        return;
    };
    let bytes = if v.fails() { vec![0; 16] } else { unhex(v.expected("key")) };
    let algorithm = match (header.algorithm, bytes.len()) {
        (b'A', _) => aes_kind(&bytes),
        (_, 8) => KeyAlgorithm::Des,
        _ => des_kind(&bytes),
    };
    let bring = now(hsm.key_import_block(&CTX, (usage(&header), algorithm), &under, text, None));
    let fault = |fault| Err(HsmError::Key { name: "block".into(), fault });
    if v.fails() {
        assert_eq!(bring, fault(KeyFault::Block));
    } else if header.algorithm == b'T' && bytes.len() == 8 {
        assert_eq!(bring, fault(KeyFault::Length), "single DES under the name of TDES");
    } else if header.mode == b'N' {
        assert_eq!(bring, fault(KeyFault::Usage), "a key without restrictions");
    } else if keys::is_short(&bytes) && header.usage != *b"M3" {
        assert_eq!(bring, fault(KeyFault::Masquerade));
    } else {
        let cipher = CipherKey::new(algorithm, &bytes).unwrap();
        let expected = keys::check_value(&cipher, KcvMethod::usual(&cipher), 3).unwrap();
        let block = bring.unwrap();
        assert!(block.as_str().starts_with('D'), "at rest in version D only");
        assert_eq!(now(hsm.key_check_value(&CTX, &KeyRef::Block(block), 3)).unwrap(), expected);
    }
}
