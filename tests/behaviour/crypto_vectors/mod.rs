//! Published vectors, run through the public HSM trait where it has the operation. An operation nobody
//! knows is a failure; one that only calculators have is on a list and counted.

mod derived;

use futures_util::FutureExt;
use serde_json::Value;
use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use tollgate::hsm::Ctx;
use tollgate::hsm::Hsm;
use tollgate::hsm::HsmError;
use tollgate::hsm::Kcv;
use tollgate::hsm::Kek;
use tollgate::hsm::KeyAlgorithm;
use tollgate::hsm::KeyName;
use tollgate::hsm::KeyRef;
use tollgate::hsm::KeyUsage;
use tollgate::hsm::MacKey;
use tollgate::hsm::PinError;
use tollgate::hsm::PinKey;
use tollgate::hsm::PinSource;
use tollgate::hsm::PvKey;
use tollgate::hsm::TranslationPolicy;
use tollgate::hsm::Verdict;
use tollgate::hsm::calculator;
use tollgate::hsm::calculator::CipherKey;
use tollgate::hsm::calculator::ClearBlock;
use tollgate::hsm::calculator::ClearPin;
use tollgate::hsm::calculator::Fill;
use tollgate::hsm::calculator::PinBlockFault;
use tollgate::hsm::calculator::keys;
use tollgate::hsm::calculator::keys::KcvMethod;
use tollgate::hsm::calculator::tr31;
use tollgate::hsm::software::SoftwareHsm;
use tollgate::model::EncryptedPinBlock;
use tollgate::model::Entropy;
use tollgate::model::MacAlgorithm;
use tollgate::model::MacOutput;
use tollgate::model::MacScheme;
use tollgate::model::Padding;
use tollgate::model::Pan;
use tollgate::model::PinFormat;
use zeroize::Zeroizing;

/// Operations that no HSM gives to a caller: keys on their way, and what only a calculator shows. They are run by
/// `tollgate crypto vectors`, as all others are.
const CALCULATORS_ONLY: &[&str] = &[
    "dukpt.aes.derive_ik",
    "dukpt.aes.derive_txn_key",
    "dukpt.aes.derive_update_key",
    "dukpt.aes.derive_working_keys",
    "dukpt.aes.hmac",
    "dukpt.tdes.derive_txn_key",
    "emv.derive_icc_mk",
    "emv.derive_sk_tree",
    "emv.generate_arpc",
    "lmk.encrypt_key",
];

/// Frames of a host protocol, shown where that protocol is.
const ELSEWHERE: &[&str] = &["payshield.frame"];

const CTX: Ctx = Ctx { within: Duration::from_secs(1) };

/// Yields the given bytes first, then a fixed pseudo-random stream.
struct Scripted(Mutex<(VecDeque<u8>, u64)>);

impl Entropy for Scripted {
    fn fill(&self, out: &mut [u8]) {
        let (script, state) = &mut *self.0.lock().unwrap();
        for byte in out {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = script.pop_front().unwrap_or((*state >> 56) as u8);
        }
    }
}

fn scripted(bytes: &[u8]) -> Arc<dyn Entropy> {
    Arc::new(Scripted(Mutex::new((bytes.iter().copied().collect(), 1))))
}

/// One vector's inputs and expectations.
#[derive(Clone, Copy)]
struct Vector<'a>(&'a Value);

impl<'a> Vector<'a> {
    fn text(self, name: &str) -> &'a str {
        self.given(name).unwrap_or_else(|| panic!("{name} is missing"))
    }

    fn given(self, name: &str) -> Option<&'a str> {
        self.0["inputs"][name].as_str()
    }

    fn bytes(self, name: &str) -> Vec<u8> {
        unhex(self.text(name))
    }

    fn number(self, name: &str) -> usize {
        usize::try_from(self.0["inputs"][name].as_u64().unwrap()).unwrap()
    }

    fn expected(self, name: &str) -> &'a str {
        self.0["expected"][name].as_str().unwrap_or_else(|| panic!("expected {name} is missing"))
    }

    fn expects_true(self) -> bool {
        self.0["expected"]["valid"].as_bool().unwrap()
    }

    fn fails(self) -> bool {
        self.0["expected"].get("error").is_some()
    }

    fn pan(self) -> Pan {
        Pan::parse(self.text("pan").as_bytes()).unwrap_or_else(|| Pan::parse(b"5555555551234567").unwrap())
    }

    fn format(self, name: &str) -> PinFormat {
        [PinFormat::Iso0, PinFormat::Iso1, PinFormat::Iso2, PinFormat::Iso3, PinFormat::Iso4][self.number(name)]
    }

    fn nibbles(self, name: &str) -> Vec<u8> {
        let digit = |c: char| u8::try_from(c.to_digit(16).unwrap()).unwrap();
        self.given(name).unwrap_or_default().chars().map(digit).collect()
    }
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn des_kind(key: &[u8]) -> KeyAlgorithm {
    match key.len() {
        8 => KeyAlgorithm::Des,
        16 => KeyAlgorithm::Tdes2,
        24 => KeyAlgorithm::Tdes3,
        other => panic!("no DES key has {other} bytes"),
    }
}

fn aes_kind(key: &[u8]) -> KeyAlgorithm {
    match key.len() {
        16 => KeyAlgorithm::Aes128,
        24 => KeyAlgorithm::Aes192,
        32 => KeyAlgorithm::Aes256,
        other => panic!("no AES key has {other} bytes"),
    }
}

fn name(text: &str) -> KeyRef {
    KeyRef::Named(KeyName::parse(text).unwrap())
}

/// An HSM with these named keys and this scripted randomness.
fn hsm(script: &[u8], keys: &[(&str, KeyUsage, KeyAlgorithm, &[u8])]) -> SoftwareHsm {
    let start = SoftwareHsm::builder(scripted(script), Zeroizing::new([0x5A; 32]));
    let add = |builder: tollgate::hsm::software::SoftwareHsmBuilder, key: &(&str, KeyUsage, KeyAlgorithm, &[u8])| {
        builder.key(KeyName::parse(key.0).unwrap(), key.1, key.2, Zeroizing::new(key.3.to_vec()))
    };
    keys.iter().fold(start, add).build().unwrap()
}

fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().unwrap()
}

fn check_value(v: Vector<'_>) {
    let key = v.bytes("key");
    let algorithm = if v.0["algorithm"].as_str().unwrap().contains("AES") { aes_kind(&key) } else { des_kind(&key) };
    let method = match v.text("method") {
        "encrypt_zeros" => KcvMethod::EncryptZeros,
        "cmac_zeros" => KcvMethod::CmacZeros,
        other => panic!("method {other}"),
    };
    let cipher = CipherKey::new(algorithm, &key).unwrap();
    let length = v.number("length");
    assert_eq!(keys::check_value(&cipher, method, length).unwrap().to_string(), v.expected("kcv"));
    if method == KcvMethod::usual(&cipher) {
        let hsm = hsm(&[], &[("k", KeyUsage::Mac, algorithm, &key)]);
        assert_eq!(now(hsm.key_check_value(&CTX, &name("k"), length)).unwrap().to_string(), v.expected("kcv"));
    }
}

fn components(v: Vector<'_>) {
    let parts: Vec<Vec<u8>> =
        v.0["inputs"]["components"].as_array().unwrap().iter().map(|part| unhex(part.as_str().unwrap())).collect();
    let aes = v.text("key_type") == "AES";
    let kcv = |key: &[u8], like: &str| {
        let cipher = CipherKey::new(if aes { aes_kind(key) } else { des_kind(key) }, key).unwrap();
        keys::check_value(&cipher, KcvMethod::usual(&cipher), like.len() / 2).unwrap().to_string()
    };
    for (part, expected) in parts.iter().zip(v.0["expected"]["component_kcvs"].as_array().unwrap()) {
        assert_eq!(kcv(part, expected.as_str().unwrap()), expected.as_str().unwrap());
    }
    let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    let mut key = keys::combine(&slices).unwrap();
    assert_eq!(hex(&key), v.expected("key"));
    assert_eq!(kcv(&key, v.expected("kcv")), v.expected("kcv"));
    if !aes {
        keys::set_odd_parity(&mut key);
        assert_eq!(hex(&key), v.expected("key_odd_parity"));
    }
}

fn export_ecb(v: Vector<'_>) {
    let (kek, key) = (v.bytes("kek"), v.bytes("key"));
    let algorithm = des_kind(&key);
    let usage = if algorithm == KeyAlgorithm::Des { KeyUsage::Mac } else { KeyUsage::Pin };
    let hsm = hsm(&[], &[("kek", KeyUsage::Kek, des_kind(&kek), &kek), ("key", usage, algorithm, &key)]);
    let kek = Kek(name("kek"));
    let wrapped = now(hsm.key_export(&CTX, &name("key"), &kek)).unwrap();
    assert_eq!(hex(wrapped.as_bytes()), v.expected("enciphered"));
    let kcv = Kcv::new(&unhex(v.expected("kcv"))).unwrap();
    assert_eq!(now(hsm.key_check_value(&CTX, &name("key"), 4)).unwrap(), kcv);
    let block = now(hsm.key_import(&CTX, usage, algorithm, &kek, &wrapped, Some(&kcv))).unwrap();
    assert_eq!(now(hsm.key_check_value(&CTX, &KeyRef::Block(block), 4)).unwrap(), kcv);
}

/// A MAC key and its scheme, through generate and verify.
fn mac(key: &[u8], kind: KeyAlgorithm, scheme: MacScheme, data: &[u8], expected: &[u8]) {
    let hsm = hsm(&[], &[("mak", KeyUsage::Mac, kind, key)]);
    let mak = MacKey(name("mak"));
    let made = now(hsm.mac_generate(&CTX, &mak, &scheme, data)).unwrap();
    assert_eq!(hex(&made), hex(expected));
    assert_eq!(now(hsm.mac_verify(&CTX, &mak, &scheme, data, expected)).unwrap(), Verdict::Match);
    assert_eq!(now(hsm.mac_verify(&CTX, &mak, &scheme, data, &expected[1..])).unwrap(), Verdict::NoMatch);
}

fn padding(v: Vector<'_>) -> Padding {
    [Padding::Zeros, Padding::Bit, Padding::Length][v.number("padding") - 1]
}

fn iso_mac(v: Vector<'_>, algorithm: MacAlgorithm) {
    let (key, expected) = (v.bytes("key"), unhex(v.expected("mac")));
    let padding = if v.0["inputs"].get("padding").is_some() { padding(v) } else { Padding::Zeros };
    let kind = if algorithm == MacAlgorithm::AesCmac { aes_kind(&key) } else { des_kind(&key) };
    let length = u8::try_from(expected.len()).unwrap();
    mac(&key, kind, MacScheme { algorithm, padding, output: MacOutput::Binary, length }, &v.bytes("data"), &expected);
}

fn cup_mac(v: Vector<'_>, algorithm: MacAlgorithm, block: &str, text: &str) {
    let (key, data) = (v.bytes("key"), v.bytes("mab"));
    let binary = MacScheme { algorithm, padding: Padding::Zeros, output: MacOutput::Binary, length: 8 };
    mac(&key, des_kind(&key), binary, &data, &unhex(v.expected(block)));
    let ascii = MacScheme { output: MacOutput::AsciiHex, ..binary };
    mac(&key, des_kind(&key), ascii, &data, &unhex(v.expected(text)));
}

fn mac_verify(v: Vector<'_>) {
    assert_eq!(v.text("scheme"), "alg3");
    let key = v.bytes("key");
    let hsm = hsm(&[], &[("mak", KeyUsage::Mac, KeyAlgorithm::Tdes2, &key)]);
    let length = u8::try_from(v.number("mac_length")).unwrap();
    let scheme = MacScheme { algorithm: MacAlgorithm::X919, padding: padding(v), output: MacOutput::Binary, length };
    let verdict = now(hsm.mac_verify(&CTX, &MacKey(name("mak")), &scheme, &v.bytes("data"), &v.bytes("mac"))).unwrap();
    assert_eq!(verdict == Verdict::Match, v.expects_true());
}

fn encode(v: Vector<'_>) {
    let pin = ClearPin::parse(v.text("pin").as_bytes()).unwrap();
    let pan = v.given("pan").map_or_else(|| Pan::parse(b"00000000").unwrap(), |_| v.pan());
    let fill = Fill::new(&v.nibbles("fill")).unwrap();
    let block = calculator::encode(v.format("format"), &pin, &pan, &fill).unwrap();
    assert_eq!(hex(block.clear()), v.expected("block"));
}

fn decode(v: Vector<'_>) {
    let (format, pan) = (v.format("format"), v.pan());
    let decoded = calculator::decode(format, &ClearBlock::new(&v.bytes("block")).unwrap(), &pan);
    match decoded {
        Ok(pin) => {
            let again = calculator::encode(format, &pin, &pan, &Fill::NONE).unwrap();
            let same = ClearPin::parse(v.expected("pin").as_bytes()).unwrap();
            let expected = calculator::encode(format, &same, &pan, &Fill::NONE).unwrap();
            assert_eq!(hex(again.clear()), hex(expected.clear()));
        }
        Err(fault) => {
            let expected = match v.expected("error") {
                "format" => PinBlockFault::Format,
                "pin_length" => PinBlockFault::PinLength,
                "pin_digit" => PinBlockFault::PinDigit,
                "fill" => PinBlockFault::Fill,
                other => panic!("error {other}"),
            };
            assert_eq!(fault, expected);
        }
    }
}

fn encipher_format_4(v: Vector<'_>) {
    let key = v.bytes("key");
    let cipher = CipherKey::new(aes_kind(&key), &key).unwrap();
    let pin = ClearPin::parse(v.text("pin").as_bytes()).unwrap();
    let fill = Fill::new(&v.nibbles("random_tail")).unwrap();
    let clear = calculator::encode(PinFormat::Iso4, &pin, &v.pan(), &fill).unwrap();
    assert_eq!(hex(clear.clear()), v.expected("pin_field"));
    let block = calculator::encipher(&cipher, PinFormat::Iso4, &clear, &v.pan()).unwrap();
    assert_eq!(hex(block.as_bytes()), v.expected("enciphered"));
    let back = calculator::decipher(&cipher, PinFormat::Iso4, &block, &v.pan()).unwrap();
    assert_eq!(hex(back.clear()), v.expected("pin_field"));
    assert!(calculator::decode(PinFormat::Iso4, &back, &v.pan()).is_ok());
}

fn pin_kind(format: PinFormat, key: &[u8]) -> KeyAlgorithm {
    if format == PinFormat::Iso4 { aes_kind(key) } else { des_kind(key) }
}

fn translate(v: Vector<'_>) {
    let (from, to) = (v.format("in_format"), v.format("out_format"));
    let (in_key, out_key) = (v.bytes("in_key"), v.bytes("out_key"));
    let script = unhex(v.given("out_fill").unwrap_or_default());
    let hsm = hsm(
        &script,
        &[
            ("in", KeyUsage::Pin, pin_kind(from, &in_key), &in_key),
            ("out", KeyUsage::Pin, pin_kind(to, &out_key), &out_key),
        ],
    );
    let block = EncryptedPinBlock::new(&v.bytes("in_block")).unwrap();
    let (in_key, out_key) = (PinKey(name("in")), PinKey(name("out")));
    let (from, to) = (PinSource { key: &in_key, format: from }, PinSource { key: &out_key, format: to });
    match now(hsm.pin_translate(&CTX, from, to, &block, &v.pan())) {
        Ok(out) => assert_eq!(hex(out.as_bytes()), v.expected("out_block")),
        Err(error) => assert!(v.fails() && error == PinError::Block, "{error}"),
    }
}

fn translate_policy(v: Vector<'_>) {
    let (from, to) = (v.format("in_format"), v.format("out_format"));
    let change = v.0["inputs"]["pan_change"].as_bool().unwrap();
    let outcome = TranslationPolicy::default().check(from, to, change);
    assert!(v.fails() && matches!(outcome, Err(HsmError::Policy(_))), "{outcome:?}");
}

fn pvv(v: Vector<'_>) {
    let pin = ClearPin::parse(v.text("pin").as_bytes()).unwrap();
    let pvk = calculator::DesKey::new(&v.bytes("pvk")).unwrap();
    let value = calculator::pvv(&pvk, v.text("pvki").parse().unwrap(), &pin, &v.pan()).unwrap();
    assert_eq!(std::str::from_utf8(&value).unwrap(), v.expected("pvv"));
}

/// Verifies a block under `key` through the trait.
fn pvv_verdict(v: Vector<'_>, format: PinFormat, key: &[u8], block: &EncryptedPinBlock) -> Verdict {
    let pvk = v.bytes("pvk");
    let hsm = hsm(
        &[],
        &[("zpk", KeyUsage::Pin, KeyAlgorithm::Tdes2, key), ("pvk", KeyUsage::Pvv, KeyAlgorithm::Tdes2, &pvk)],
    );
    let zpk = PinKey(name("zpk"));
    let index_and_pvv: [u8; 5] = [v.text("pvki"), v.text("pvv")].concat().into_bytes().try_into().unwrap();
    let from = PinSource { key: &zpk, format };
    now(hsm.pin_verify_pvv(&CTX, from, block, &v.pan(), &PvKey(name("pvk")), &index_and_pvv)).unwrap()
}

fn verify_pvv(v: Vector<'_>) {
    let zpk: Vec<u8> = (1..=16).collect();
    let cipher = CipherKey::new(KeyAlgorithm::Tdes2, &zpk).unwrap();
    let pin = ClearPin::parse(v.text("pin").as_bytes()).unwrap();
    let block = calculator::encrypt_pin(&cipher, PinFormat::Iso0, &pin, &v.pan(), &Fill::NONE).unwrap();
    assert_eq!(pvv_verdict(v, PinFormat::Iso0, &zpk, &block) == Verdict::Match, v.expects_true());
}

fn verify_pvv_block(v: Vector<'_>) {
    let block = EncryptedPinBlock::new(&v.bytes("in_block")).unwrap();
    assert_eq!(pvv_verdict(v, v.format("in_format"), &v.bytes("zpk"), &block) == Verdict::Match, v.expects_true());
}

fn key_block(v: Vector<'_>) {
    if let Some(header) = v.given("header") {
        let padding = v.bytes("random_pad");
        let total: usize = header[1..5].parse().unwrap();
        let form = if header.starts_with('B') { tr31::Form::B } else { tr31::Form::D };
        let protection = tr31::KeyBlockKey::with_form(form, &v.bytes("kbpk")).unwrap();
        let (header, _) = tr31::Header::parse(&format!("{header:0<total$}")).unwrap();
        let block = protection.wrap(&header, &v.bytes("key"), &padding).unwrap();
        return assert_eq!(block, v.expected("key_block"));
    }
    let protection = tr31::KeyBlockKey::new(&v.bytes("kbpk")).unwrap();
    let block = v.text("key_block");
    match protection.unwrap(block) {
        Ok((header, key)) => {
            assert_eq!(hex(&key), v.expected("key"));
            let padding = unhex(v.expected("random_pad"));
            assert_eq!(protection.wrap(&header, &key, &padding).unwrap(), block);
        }
        Err(fault) => assert_eq!((v.expected("error"), fault), ("mac", tr31::BlockFault::Mac)),
    }
}

/// Runs one vector; `false` if only calculators have its operation, or this very key.
fn run(op: &str, v: Vector<'_>) -> bool {
    match op {
        "kcv" => check_value(v),
        "key.combine_components" => components(v),
        "key.export_ecb" => export_ecb(v),
        "mac.alg1.des" | "mac.alg1.tdes" => iso_mac(v, MacAlgorithm::Alg1),
        "mac.alg3" => iso_mac(v, MacAlgorithm::X919),
        "mac.cmac.aes" => iso_mac(v, MacAlgorithm::AesCmac),
        "mac.cmac.tdes" => iso_mac(v, MacAlgorithm::TdesCmac),
        "mac.cup_ecb" => cup_mac(v, MacAlgorithm::CupEcb, "block", "mac_df64_ascii"),
        "mac.cup_cbc" if v.text("variant") == "x919" => cup_mac(v, MacAlgorithm::X919, "mac", "mac_first4_ascii"),
        "mac.cup_cbc" => cup_mac(v, MacAlgorithm::Alg1, "mac", "mac_first4_ascii"),
        "mac.verify" => mac_verify(v),
        "pinblock.encode" => encode(v),
        "pinblock.decode" => decode(v),
        "pinblock.encipher_fmt4" => encipher_format_4(v),
        "pin.translate" => translate(v),
        "pin.translate_policy" => translate_policy(v),
        "pin.pvv" => pvv(v),
        "pin.verify_pvv" => verify_pvv(v),
        "pin.verify_pvv_block" => verify_pvv_block(v),
        "tr31.wrap" => key_block(v),
        "tr31.unwrap" | "tr31.unwrap_and_rewrap" => {
            derived::key_block(v);
            if v.text("key_block").starts_with('D') {
                key_block(v);
            }
        }
        other => return run_derived(other, v),
    }
    true
}

/// The rest of the table.
fn run_derived(op: &str, v: Vector<'_>) -> bool {
    match op {
        "dukpt.tdes.derive_ik" => derived::initial_key(v),
        "dukpt.tdes.mac" => return derived::mac(v, MacAlgorithm::X919),
        "dukpt.tdes.cmac" => return derived::mac(v, MacAlgorithm::TdesCmac),
        "dukpt.aes.cmac" => return derived::mac(v, MacAlgorithm::AesCmac),
        "dukpt.tdes.encrypt_pinblock" => return derived::pin(v, v.format("format")),
        "dukpt.aes.encrypt_pin" => return derived::pin(v, PinFormat::Iso4),
        "dukpt.tdes.encrypt_data" | "dukpt.aes.encrypt_data" => return derived::track(v),
        "dukpt.tdes.ksn_valid" | "dukpt.aes.ksn_valid" => derived::ksn_valid(v),
        "pin.translate_dukpt" => derived::translate(v),
        "pin.ibm_offset" | "pin.verify_ibm" => derived::ibm(v),
        "cvv.generate" | "cvv.verify" => derived::cvv(v),
        "cvc3.generate" => derived::cvc3(v),
        "emv.generate_ac" | "emv.verify_ac" => return derived::cryptogram(v),
        "emv.cvn" => derived::by_version(v),
        "emv.script_mac" => derived::script_mac(v),
        other => {
            assert!(CALCULATORS_ONLY.contains(&other) || ELSEWHERE.contains(&other), "nobody knows {other}");
            return false;
        }
    }
    true
}

#[test]
fn published_vectors_reproduce() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/crypto.json");
    let set: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let vectors = set["vectors"].as_array().unwrap();
    assert_eq!(Some(vectors.len() as u64), set["count"].as_u64());
    let (mut done, mut apart) = (BTreeMap::<&str, u32>::new(), BTreeMap::<&str, u32>::new());
    for vector in vectors {
        let (id, op) = (vector["id"].as_str().unwrap(), vector["op"].as_str().unwrap());
        println!("{id}");
        let counts = if run(op, Vector(vector)) { &mut done } else { &mut apart };
        *counts.entry(op).or_default() += 1;
    }
    done.iter().for_each(|(op, count)| println!("{count:4} {op}"));
    apart.iter().for_each(|(op, count)| println!("{count:4} {op}: calculators only"));
    println!("{:4} through the trait", done.values().sum::<u32>());
    assert!(done.values().sum::<u32>() == 243, "vectors of the trait went missing, or came");
}

#[test]
fn chips_of_more_versions_and_their_scripts_reproduce() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/chips.json");
    let set: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let vectors = set["vectors"].as_array().unwrap();
    assert_eq!((vectors.len(), set["count"].as_u64()), (18, Some(18)));
    for vector in vectors {
        println!("{}", vector["id"].as_str().unwrap());
        assert!(run(vector["op"].as_str().unwrap(), Vector(vector)), "the trait has it");
    }
}
