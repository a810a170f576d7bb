//! What the HSM refuses, and that its refusals say nothing.

use futures_util::FutureExt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tollgate::hsm::Ctx;
use tollgate::hsm::DataKey;
use tollgate::hsm::DataKeyPurpose;
use tollgate::hsm::DataKeySealer;
use tollgate::hsm::GeneratedKey;
use tollgate::hsm::Hsm;
use tollgate::hsm::HsmError;
use tollgate::hsm::HsmProfile;
use tollgate::hsm::Kcv;
use tollgate::hsm::Kek;
use tollgate::hsm::KeyAlgorithm;
use tollgate::hsm::KeyBlock;
use tollgate::hsm::KeyFault;
use tollgate::hsm::KeyName;
use tollgate::hsm::KeyRef;
use tollgate::hsm::KeyRing;
use tollgate::hsm::KeyUsage;
use tollgate::hsm::MacKey;
use tollgate::hsm::PinError;
use tollgate::hsm::PinKey;
use tollgate::hsm::PinSource;
use tollgate::hsm::PvKey;
use tollgate::hsm::TranslationPolicy;
use tollgate::hsm::Verdict;
use tollgate::hsm::WrappedKey;
use tollgate::hsm::calculator;
use tollgate::hsm::calculator::CipherKey;
use tollgate::hsm::calculator::ClearPin;
use tollgate::hsm::calculator::DesKey;
use tollgate::hsm::calculator::Fill;
use tollgate::hsm::calculator::keys;
use tollgate::hsm::software::SoftwareHsm;
use tollgate::hsm::software::SoftwareHsmBuilder;
use tollgate::model::BusinessDate;
use tollgate::model::EncryptedPinBlock;
use tollgate::model::Entropy;
use tollgate::model::MacAlgorithm;
use tollgate::model::MacOutput;
use tollgate::model::MacScheme;
use tollgate::model::Padding;
use tollgate::model::Pan;
use tollgate::model::PinFormat;
use tollgate::model::SealFault;
use tollgate::model::SealedPan;
use tollgate::model::Sealer;
use tollgate::model::Track2;
use zeroize::Zeroizing;

const CTX: Ctx = Ctx { within: Duration::from_secs(1) };
const FORMATS: [PinFormat; 5] = [PinFormat::Iso0, PinFormat::Iso1, PinFormat::Iso2, PinFormat::Iso3, PinFormat::Iso4];
const TMK: &str = "0123456789ABCDEFFEDCBA9876543210";
const ZPK: &str = "89E88CF7931444F334BD7547FC3F380C";
const AES: &str = "00112233445566778899AABBCCDDEEFF";
const PIK: &str = "1A2B3C4D5E6F708192A3B4C5D6E7F809";
const TDK: &str = "13579BDF02468ACEECA86420FDB97531";
const CARD: &[u8] = b"6225000000000253";
const X919: MacScheme =
    MacScheme { algorithm: MacAlgorithm::X919, padding: Padding::Zeros, output: MacOutput::Binary, length: 8 };
const FOLD: MacScheme =
    MacScheme { algorithm: MacAlgorithm::CupEcb, padding: Padding::Zeros, output: MacOutput::AsciiHex, length: 8 };

/// A fixed pseudo-random stream.
struct Stream(AtomicU64);

impl Entropy for Stream {
    fn fill(&self, out: &mut [u8]) {
        for byte in out {
            let mut z = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            *byte = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) as u8;
        }
    }
}

/// Gives zeros for the first `.0` bytes: weak keys.
struct Zeros(AtomicU64, Stream);

impl Entropy for Zeros {
    fn fill(&self, out: &mut [u8]) {
        let before = self.0.load(Ordering::Relaxed);
        self.0.store(before.saturating_sub(out.len() as u64), Ordering::Relaxed);
        if before > 0 { out.fill(0) } else { self.1.fill(out) }
    }
}

fn entropy() -> Arc<dyn Entropy> {
    Arc::new(Stream(AtomicU64::new(7)))
}

fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().unwrap()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn named(name: &str) -> KeyRef {
    KeyRef::Named(KeyName::parse(name).unwrap())
}

fn with(
    builder: SoftwareHsmBuilder,
    name: &str,
    usage: KeyUsage,
    algorithm: KeyAlgorithm,
    key: &str,
) -> SoftwareHsmBuilder {
    builder.key(KeyName::parse(name).unwrap(), usage, algorithm, Zeroizing::new(unhex(key)))
}

fn builder() -> SoftwareHsmBuilder {
    let start = SoftwareHsm::builder(entropy(), Zeroizing::new([0x42; 32]));
    let start = with(start, "tmk", KeyUsage::Kek, KeyAlgorithm::Tdes2, TMK);
    let start = with(start, "zpk", KeyUsage::Pin, KeyAlgorithm::Tdes2, ZPK);
    let start = with(start, "tpk", KeyUsage::Pin, KeyAlgorithm::Tdes2, PIK);
    let start = with(start, "aes", KeyUsage::Pin, KeyAlgorithm::Aes128, AES);
    let start = with(start, "tak", KeyUsage::Mac, KeyAlgorithm::Tdes2, TMK);
    with(start, "tdk", KeyUsage::Data, KeyAlgorithm::Tdes2, TDK)
}

fn hsm() -> SoftwareHsm {
    builder().build().unwrap()
}

fn tmk() -> Kek {
    Kek(named("tmk"))
}

fn faulty<T>(outcome: Result<T, HsmError>) -> KeyFault {
    match outcome.err() {
        Some(HsmError::Key { fault, .. }) => fault,
        Some(other) => panic!("another error: {other}"),
        None => panic!("no error"),
    }
}

/// What a PIN pad sends: a block for `format` under the key of that name.
fn pin_block(format: PinFormat, key: &str, pan: &[u8]) -> EncryptedPinBlock {
    let bytes = unhex(key);
    let kind = if format == PinFormat::Iso4 { KeyAlgorithm::Aes128 } else { KeyAlgorithm::Tdes2 };
    let fill = Fill::draw(format, &*entropy()).unwrap();
    let pin = ClearPin::parse(b"123456").unwrap();
    let key = CipherKey::new(kind, &bytes).unwrap();
    calculator::encrypt_pin(&key, format, &pin, &Pan::parse(pan).unwrap(), &fill).unwrap()
}

fn translate(
    hsm: &SoftwareHsm,
    from: PinFormat,
    to: PinFormat,
    block: &EncryptedPinBlock,
    pan: &[u8],
) -> Result<EncryptedPinBlock, PinError> {
    let name = |format, des| PinKey(named(if format == PinFormat::Iso4 { "aes" } else { des }));
    let (from_key, to_key) = (name(from, "tpk"), name(to, "zpk"));
    let (from, to) = (PinSource { key: &from_key, format: from }, PinSource { key: &to_key, format: to });
    now(hsm.pin_translate(&CTX, from, to, block, &Pan::parse(pan).unwrap()))
}

#[test]
fn it_says_that_it_is_for_tests() {
    assert_eq!(hsm().capabilities().profile, HsmProfile::Test);
    assert!(!hsm().capabilities().pin_formats.contains(&PinFormat::Iso2));
}

#[test]
fn a_key_of_another_usage_is_refused_before_the_data_are_looked_at() {
    let hsm = hsm();
    let pan = Pan::parse(CARD).unwrap();
    let garbage = EncryptedPinBlock::new(&[0; 8]).unwrap();
    for wrong in ["tmk", "zpk", "tdk"] {
        assert_eq!(faulty(now(hsm.mac_generate(&CTX, &MacKey(named(wrong)), &X919, b"data"))), KeyFault::Usage);
        assert_eq!(faulty(now(hsm.mac_verify(&CTX, &MacKey(named(wrong)), &X919, b"data", b"x"))), KeyFault::Usage);
    }
    for wrong in ["tmk", "tak", "tdk"] {
        let (bad, good) = (PinKey(named(wrong)), PinKey(named("zpk")));
        for (from, to) in [(&bad, &good), (&good, &bad)] {
            let format = PinFormat::Iso0;
            let sides = (PinSource { key: from, format }, PinSource { key: to, format });
            let outcome = now(hsm.pin_translate(&CTX, sides.0, sides.1, &garbage, &pan));
            assert!(matches!(outcome.err(), Some(PinError::Hsm(HsmError::Key { fault: KeyFault::Usage, .. }))));
        }
    }
    for wrong in ["zpk", "tak", "tdk"] {
        assert_eq!(faulty(now(hsm.key_export(&CTX, &named("zpk"), &Kek(named(wrong))))), KeyFault::Usage);
    }
    assert_eq!(faulty(now(hsm.track_decrypt(&CTX, &DataKey(named("zpk")), &[0; 17], 34))), KeyFault::Usage);
    assert_eq!(faulty(now(hsm.key_check_value(&CTX, &named("nobody"), 3))), KeyFault::Missing);
}

#[test]
fn a_key_whose_length_is_not_its_algorithms_is_refused() {
    let of = |algorithm, key| faulty(with(builder(), "k", KeyUsage::Mac, algorithm, key).build());
    assert_eq!(of(KeyAlgorithm::Tdes2, "0123456789ABCDEF"), KeyFault::Length);
    assert_eq!(of(KeyAlgorithm::Aes256, TMK), KeyFault::Length);
    assert_eq!(of(KeyAlgorithm::Des, ""), KeyFault::Length);
}

#[test]
fn single_des_makes_macs_and_nothing_else() {
    let des = "0123456789ABCDEF";
    for usage in [KeyUsage::Pin, KeyUsage::Data, KeyUsage::Kek, KeyUsage::Pvv] {
        assert_eq!(faulty(with(builder(), "k", usage, KeyAlgorithm::Des, des).build()), KeyFault::Algorithm);
        assert_eq!(faulty(now(hsm().key_generate(&CTX, usage, KeyAlgorithm::Des, None))), KeyFault::Algorithm);
    }
    assert!(with(builder(), "k", KeyUsage::Mac, KeyAlgorithm::Des, des).build().is_ok());
    let legacy = builder().legacy_single_des().build().unwrap();
    assert!(now(legacy.key_generate(&CTX, KeyUsage::Pin, KeyAlgorithm::Des, Some(&tmk()))).is_ok());
    assert!(now(legacy.key_generate(&CTX, KeyUsage::Kek, KeyAlgorithm::Des, None)).is_err());
}

#[test]
fn a_terminal_and_the_switch_agree_on_downloaded_working_keys() {
    let hsm = hsm();
    let made = now(hsm.key_generate(&CTX, KeyUsage::Mac, KeyAlgorithm::Des, Some(&tmk()))).unwrap();
    let kek = CipherKey::new(KeyAlgorithm::Tdes2, &unhex(TMK)).unwrap();
    let clear = keys::unwrap_ecb(&kek, made.wrapped.as_ref().unwrap().as_bytes()).unwrap();
    let terminal = CipherKey::new(KeyAlgorithm::Des, &clear).unwrap();
    assert_eq!(keys::check_value(&terminal, keys::KcvMethod::EncryptZeros, 4).unwrap(), made.kcv);
    let mac = calculator::mac_as(&terminal, &FOLD, b"0200 and so on").unwrap();
    let key = MacKey(KeyRef::Block(made.block.clone()));
    assert_eq!(now(hsm.mac_verify(&CTX, &key, &FOLD, b"0200 and so on", &mac)).unwrap(), Verdict::Match);
    assert_eq!(now(hsm.mac_verify(&CTX, &key, &FOLD, b"0200 and so off", &mac)).unwrap(), Verdict::NoMatch);
    let again = now(hsm.key_export(&CTX, &key.0, &tmk())).unwrap();
    assert_eq!(Some(again), made.wrapped);
}

#[test]
fn the_sample_terminals_working_keys_come_in() {
    let hsm = hsm();
    let take = |usage, algorithm, cipher: &str, kcv: &str| {
        let wrapped = WrappedKey::new(unhex(cipher).into());
        now(hsm.key_import(&CTX, usage, algorithm, &tmk(), &wrapped, Kcv::new(&unhex(kcv)).as_ref()))
    };
    assert!(take(KeyUsage::Pin, KeyAlgorithm::Tdes2, "41B1F3D154C3079A2CB4F6D696EB21E9", "E8934A67").is_ok());
    assert!(take(KeyUsage::Mac, KeyAlgorithm::Des, "B49E864CE594CACF", "0FBB6331").is_ok());
    assert!(take(KeyUsage::Data, KeyAlgorithm::Tdes2, "0F67E2EB76A5259C93AD0D927A7712E4", "3ABB5F40").is_ok());
    assert_eq!(faulty(take(KeyUsage::Mac, KeyAlgorithm::Des, "B49E864CE594CACF", "0FBB6330")), KeyFault::CheckValue);
    assert_eq!(faulty(take(KeyUsage::Mac, KeyAlgorithm::Des, "B49E864CE594CA", "0FBB6331")), KeyFault::Length);
    assert_eq!(
        faulty(take(KeyUsage::Mac, KeyAlgorithm::Aes128, "41B1F3D154C3079A2CB4F6D696EB21E9", "")),
        KeyFault::NotExportable
    );
}

#[test]
fn a_double_length_key_with_equal_halves_does_not_come_in_for_pins() {
    let kek = CipherKey::new(KeyAlgorithm::Tdes2, &unhex(TMK)).unwrap();
    let wrapped = WrappedKey::new(keys::wrap_ecb(&kek, &unhex("0723C80DB5F4CD3D0723C80DB5F4CD3D")).unwrap().into());
    let take = |usage| now(hsm().key_import(&CTX, usage, KeyAlgorithm::Tdes2, &tmk(), &wrapped, None));
    assert_eq!(faulty(take(KeyUsage::Pin)), KeyFault::Masquerade);
    assert!(take(KeyUsage::Mac).is_ok());
}

#[test]
fn a_key_travels_only_under_one_as_strong() {
    let hsm = hsm();
    for algorithm in [KeyAlgorithm::Tdes3, KeyAlgorithm::Aes128, KeyAlgorithm::Aes192, KeyAlgorithm::Aes256] {
        let outcome = now(hsm.key_generate(&CTX, KeyUsage::Mac, algorithm, Some(&tmk())));
        assert_eq!(faulty(outcome), KeyFault::NotExportable);
        let made = now(hsm.key_generate(&CTX, KeyUsage::Mac, algorithm, None)).unwrap();
        assert_eq!(faulty(now(hsm.key_export(&CTX, &KeyRef::Block(made.block), &tmk()))), KeyFault::NotExportable);
    }
}

#[test]
fn key_encrypting_keys_and_imported_keys_do_not_leave_again() {
    let hsm = hsm();
    assert_eq!(faulty(now(hsm.key_export(&CTX, &named("tmk"), &tmk()))), KeyFault::NotExportable);
    let wrapped = now(hsm.key_export(&CTX, &named("zpk"), &tmk())).unwrap();
    let block = now(hsm.key_import(&CTX, KeyUsage::Pin, KeyAlgorithm::Tdes2, &tmk(), &wrapped, None)).unwrap();
    assert_eq!(faulty(now(hsm.key_export(&CTX, &KeyRef::Block(block), &tmk()))), KeyFault::NotExportable);
}

#[test]
fn weak_keys_are_drawn_again() {
    let source = Arc::new(Zeros(AtomicU64::new(64), Stream(AtomicU64::new(1))));
    let hsm = SoftwareHsm::builder(source, Zeroizing::new([1; 32])).build().unwrap();
    let made = now(hsm.key_generate(&CTX, KeyUsage::Mac, KeyAlgorithm::Des, None)).unwrap();
    let zeros = CipherKey::new(KeyAlgorithm::Des, &[0; 8]).unwrap();
    assert_ne!(keys::check_value(&zeros, keys::KcvMethod::EncryptZeros, 4).unwrap(), made.kcv);
    let broken = Arc::new(Zeros(AtomicU64::new(u64::MAX), Stream(AtomicU64::new(1))));
    let hsm = SoftwareHsm::builder(broken, Zeroizing::new([1; 32])).build().unwrap();
    let outcome = now(hsm.key_generate(&CTX, KeyUsage::Mac, KeyAlgorithm::Des, None));
    assert!(matches!(outcome, Err(HsmError::Backend(_))));
    for weak in ["0101010101010101", "FEFEFEFEFEFEFEFE", "1F1F1F1F0E0E0E0E", "01E001E001F101F1", "E0FEE0FEF1FEF1FE"] {
        assert!(keys::is_weak(KeyAlgorithm::Des, &unhex(weak)), "{weak}");
    }
    assert!(!keys::is_weak(KeyAlgorithm::Des, &unhex("0123456789ABCDEF")));
}

#[test]
fn a_block_that_was_touched_anywhere_is_refused() {
    let hsm = hsm();
    let made = now(hsm.key_generate(&CTX, KeyUsage::Pin, KeyAlgorithm::Tdes2, None)).unwrap();
    let block = made.block.as_str();
    for at in 0..block.len() {
        let mut touched = block.as_bytes().to_vec();
        touched[at] = if touched[at] == b'0' { b'1' } else { b'0' };
        let touched = KeyBlock::new(std::str::from_utf8(&touched).unwrap());
        assert_eq!(faulty(now(hsm.key_check_value(&CTX, &KeyRef::Block(touched), 3))), KeyFault::Block, "at {at}");
    }
    for odd in ["", "D", &block[..40], &format!("{block}00"), "D0016P0TB00S0000", "ÄÖÜ", &"D".repeat(20_000)] {
        let odd = KeyRef::Block(KeyBlock::new(odd));
        assert_eq!(faulty(now(hsm.key_check_value(&CTX, &odd, 3))), KeyFault::Block);
    }
    let stranger = SoftwareHsm::builder(entropy(), Zeroizing::new([0x43; 32])).build().unwrap();
    assert_eq!(faulty(now(stranger.key_check_value(&CTX, &KeyRef::Block(made.block), 3))), KeyFault::Block);
}

#[test]
fn a_block_says_what_its_key_is_for() {
    let hsm = hsm();
    let head =
        |usage, algorithm| now(hsm.key_generate(&CTX, usage, algorithm, None)).unwrap().block.as_str()[..16].to_owned();
    assert_eq!(head(KeyUsage::Pin, KeyAlgorithm::Tdes2), "D0112P0TB00S0000");
    assert_eq!(head(KeyUsage::Mac, KeyAlgorithm::Des), "D0112M1DC00S0000");
    assert_eq!(head(KeyUsage::Mac, KeyAlgorithm::Aes128), "D0144M6AC00S0000");
    assert_eq!(head(KeyUsage::Kek, KeyAlgorithm::Aes256), "D0144K0AB00N0000");
    assert_eq!(head(KeyUsage::Data, KeyAlgorithm::Tdes3), "D0112D0TD00S0000");
    assert_eq!(head(KeyUsage::Pvv, KeyAlgorithm::Tdes2), "D0112V2TC00S0000");
}

#[test]
fn opened_keys_are_kept_but_never_more_than_allowed() {
    let hsm = builder().cached(4).build().unwrap();
    let made: Vec<GeneratedKey> =
        (0..10).map(|_| now(hsm.key_generate(&CTX, KeyUsage::Mac, KeyAlgorithm::Tdes2, None)).unwrap()).collect();
    for _ in 0..2 {
        for key in &made {
            assert_eq!(now(hsm.key_check_value(&CTX, &KeyRef::Block(key.block.clone()), 4)).unwrap(), key.kcv);
            assert!(hsm.cached_keys() <= 4);
        }
    }
}

#[test]
fn a_mac_of_another_length_is_no_match() {
    let hsm = hsm();
    let key = MacKey(named("tak"));
    let mac = now(hsm.mac_generate(&CTX, &key, &X919, b"data")).unwrap();
    let longer = [mac.as_slice(), &[0]].concat();
    for other in [&mac[..0], &mac[..4], &mac[..7], &longer] {
        assert_eq!(now(hsm.mac_verify(&CTX, &key, &X919, b"data", other)).unwrap(), Verdict::NoMatch);
    }
    assert_eq!(now(hsm.mac_verify(&CTX, &key, &X919, b"data", &mac)).unwrap(), Verdict::Match);
}

#[test]
fn a_scheme_that_cannot_be_is_our_own_fault() {
    let hsm = hsm();
    let key = MacKey(named("tak"));
    for length in [0, 3, 9, 16, 17] {
        let outcome = now(hsm.mac_generate(&CTX, &key, &MacScheme { length, ..X919 }, b"data"));
        assert!(matches!(outcome, Err(HsmError::Input(_))), "{length}");
    }
    for length in [4, 6, 7] {
        let odd = MacScheme { output: MacOutput::AsciiHex, length, ..X919 };
        let outcome = now(hsm.mac_generate(&CTX, &key, &odd, b"data"));
        assert!(matches!(outcome, Err(HsmError::Input(_))), "{length} characters are too few bytes, or none");
    }
    let aes = MacScheme { algorithm: MacAlgorithm::AesCmac, ..X919 };
    assert_eq!(faulty(now(hsm.mac_generate(&CTX, &key, &aes, b"data"))), KeyFault::Algorithm);
}

#[test]
fn every_pair_of_formats_does_what_the_matrix_says() {
    // Rows in, columns out, formats 0 to 4.
    let permitted = ["x..xx", "x..xx", ".....", "x..xx", "x..xx"];
    let hsm = hsm();
    for (from, row) in FORMATS.into_iter().zip(permitted) {
        for (to, cell) in FORMATS.into_iter().zip(row.bytes()) {
            let key = if from == PinFormat::Iso4 { AES } else { PIK };
            let outcome = translate(&hsm, from, to, &pin_block(from, key, CARD), CARD);
            match cell {
                b'x' => assert!(outcome.is_ok(), "{from:?} to {to:?}"),
                _ => assert!(matches!(outcome.err(), Some(PinError::Hsm(HsmError::Policy(_)))), "{from:?} to {to:?}"),
            }
            assert_eq!(TranslationPolicy::default().check(from, to, false).is_ok(), cell == b'x');
            assert!(TranslationPolicy::default().check(from, to, true).is_err());
        }
    }
}

#[test]
fn the_switches_of_the_matrix_move_one_cell_each() {
    let base = TranslationPolicy::default();
    let strict = TranslationPolicy { mixes_format_4: false, ..base };
    let loose = TranslationPolicy { keeps_format_1: true, ..base };
    let moving = TranslationPolicy { changes_pan_in_format_4: true, ..base };
    for from in FORMATS {
        for to in FORMATS {
            let mixed = (from == PinFormat::Iso4) != (to == PinFormat::Iso4) && from != PinFormat::Iso1;
            let usual = base.check(from, to, false).is_ok();
            assert_eq!(strict.check(from, to, false).is_ok(), usual && !mixed, "{from:?} to {to:?}");
            let both_1 = from == PinFormat::Iso1 && to == PinFormat::Iso1;
            assert_eq!(loose.check(from, to, false).is_ok(), usual || both_1);
            assert_eq!(moving.check(from, to, true).is_ok(), from == PinFormat::Iso4 && to == PinFormat::Iso4);
        }
    }
}

#[test]
fn a_pin_block_moved_to_another_card_does_not_verify() {
    let hsm = hsm();
    // Format 3 sees the move by its fill, so account digits must differ by more than A to F do among
    // themselves; where they do not, another PIN comes out and its verification fails.
    for format in [PinFormat::Iso0, PinFormat::Iso3, PinFormat::Iso4] {
        let key = if format == PinFormat::Iso4 { AES } else { PIK };
        let block = pin_block(format, key, CARD);
        let outcome = translate(&hsm, format, PinFormat::Iso0, &block, b"4999999999999990");
        assert!(matches!(outcome.err(), Some(PinError::Block)), "{format:?}");
    }
}

#[test]
fn every_fault_of_a_block_is_the_same_answer() {
    let hsm = hsm();
    let key = CipherKey::new(KeyAlgorithm::Tdes2, &unhex(PIK)).unwrap();
    for clear in ["140612713176FEDC", "0306127131FFFFFF", "0D06127131FFFFFF", "06A6127131FFFFFF", "0606127131FFFFF0"] {
        let mut bytes = unhex(clear);
        key.encrypt_ecb(&mut bytes).unwrap();
        let block = EncryptedPinBlock::new(&bytes).unwrap();
        assert_eq!(translate(&hsm, PinFormat::Iso0, PinFormat::Iso0, &block, CARD).err(), Some(PinError::Block));
    }
    let wide = EncryptedPinBlock::new(&[0; 16]).unwrap();
    assert_eq!(translate(&hsm, PinFormat::Iso0, PinFormat::Iso0, &wide, CARD).err(), Some(PinError::Block));
    let narrow = EncryptedPinBlock::new(&[0; 8]).unwrap();
    assert_eq!(translate(&hsm, PinFormat::Iso4, PinFormat::Iso0, &narrow, CARD).err(), Some(PinError::Block));
}

#[test]
fn equal_pins_leave_in_different_blocks_where_the_format_has_a_fill() {
    let hsm = hsm();
    let block = pin_block(PinFormat::Iso0, PIK, CARD);
    for to in [PinFormat::Iso3, PinFormat::Iso4] {
        let [first, second] = [(), ()].map(|()| translate(&hsm, PinFormat::Iso0, to, &block, CARD).ok().unwrap());
        assert_ne!(first.as_bytes(), second.as_bytes());
    }
}

#[test]
fn the_published_pin_block_of_the_pos_dialect_is_made() {
    let pin = ClearPin::parse(b"123456").unwrap();
    let pan = Pan::parse(b"1234567890123456").unwrap();
    let block = calculator::encode(PinFormat::Iso0, &pin, &pan, &Fill::NONE).unwrap();
    assert_eq!(block.clear(), unhex("0612713176FEDCBA"));
}

#[test]
fn a_pvv_matches_its_pin_only_and_a_malformed_one_is_our_fault() {
    let hsm = with(builder(), "pvk", KeyUsage::Pvv, KeyAlgorithm::Tdes2, TMK).build().unwrap();
    let (pan, zpk, pvk) = (Pan::parse(CARD).unwrap(), PinKey(named("zpk")), PvKey(named("pvk")));
    let value =
        calculator::pvv(&DesKey::new(&unhex(TMK)).unwrap(), 1, &ClearPin::parse(b"123456").unwrap(), &pan).unwrap();
    let block = pin_block(PinFormat::Iso3, ZPK, CARD);
    let from = PinSource { key: &zpk, format: PinFormat::Iso3 };
    let verify = |given: &[u8; 5]| now(hsm.pin_verify_pvv(&CTX, from, &block, &pan, &pvk, given));
    let [a, b, c, d] = value;
    assert_eq!(verify(&[b'1', a, b, c, d]), Ok(Verdict::Match));
    assert_eq!(verify(&[b'1', a, b, c, b'0' + (d - b'0' + 1) % 10]), Ok(Verdict::NoMatch));
    for malformed in [[b'7', a, b, c, d], [b'1', a, b, c, b'x'], [1, a, b, c, d]] {
        assert!(matches!(verify(&malformed), Err(PinError::Hsm(HsmError::Input(_)))));
    }
}

#[test]
fn a_track_that_came_enciphered_is_read() {
    let hsm = hsm();
    let key = DataKey(named("tdk"));
    let sample = unhex("62250000000002535A9A03AF62DAB47700");
    let track = now(hsm.track_decrypt(&CTX, &key, &sample, 34)).unwrap().unwrap();
    assert_eq!(track.clear(), b"6225000000000253=30121010000000000");
    let tdk = DesKey::new(&unhex(TDK)).unwrap();
    assert_eq!(calculator::encrypt_track(&tdk, &track).unwrap(), sample);
    let odd = Track2::parse(b"6225000000000253=3012101000000000012").unwrap();
    let packed = calculator::encrypt_track(&tdk, &odd).unwrap();
    assert_eq!((packed.len(), packed[17] & 0x0F), (18, 0x02));
    let odd = Track2::parse(b"6225000000000253=301210100000000012").unwrap();
    let packed = calculator::encrypt_track(&tdk, &odd).unwrap();
    assert_eq!((packed.len(), packed[17]), (18, 0x20));
    assert_eq!(now(hsm.track_decrypt(&CTX, &key, &packed, 35)).unwrap().unwrap().clear(), odd.clear());
    for (bytes, digits) in
        [(&sample[..8], 16), (&sample[..], 33 + 2), (&sample[..], 99), (&[0; 17][..], 34), (&[][..], 0)]
    {
        assert!(now(hsm.track_decrypt(&CTX, &key, bytes, digits)).unwrap().is_none());
    }
}

#[test]
fn sealed_card_numbers_open_for_their_own_transaction_and_date_only() {
    let hsm = hsm();
    let (seal_block, seal) = now(hsm.data_key_new(&CTX, DataKeyPurpose::Seal)).unwrap();
    let (token_block, token) = now(hsm.data_key_new(&CTX, DataKeyPurpose::Token)).unwrap();
    let (_, tomorrows) = now(hsm.data_key_new(&CTX, DataKeyPurpose::Seal)).unwrap();
    let [today, tomorrow] = [21, 22].map(|day| BusinessDate::new(2026, 11, day).unwrap());
    let sealer = DataKeySealer::new(&token, entropy()).unwrap();
    let pan = Pan::parse(CARD).unwrap();
    assert_eq!(sealer.seal(today, &pan, b"transaction 1"), Err(SealFault::NoKey));
    sealer.add(today, &seal).unwrap();
    let sealed = sealer.seal(today, &pan, b"transaction 1").unwrap();
    let opened = now(hsm.data_key_open(&CTX, DataKeyPurpose::Token, &token_block)).unwrap();
    let reopened = DataKeySealer::new(&opened, entropy()).unwrap();
    reopened.add(tomorrow, &tomorrows).unwrap();
    reopened.add(today, &now(hsm.data_key_open(&CTX, DataKeyPurpose::Seal, &seal_block)).unwrap()).unwrap();
    assert_eq!(reopened.open(today, &sealed, b"transaction 1"), Ok(pan));
    assert_eq!(reopened.open(today, &sealed, b"transaction 2"), Err(SealFault::Differs));
    assert_eq!(reopened.open(tomorrow, &sealed, b"transaction 1"), Err(SealFault::Differs));
    assert_eq!(sealer.open(tomorrow, &sealed, b"transaction 1"), Err(SealFault::NoKey));
    for at in 0..sealed.as_bytes().len() {
        let mut bytes = sealed.as_bytes().to_vec();
        bytes[at] ^= 1;
        assert!(sealer.open(today, &SealedPan::new(bytes.into()), b"transaction 1").is_err());
    }
    let cut = SealedPan::new(sealed.as_bytes()[..20].to_vec().into());
    assert!(sealer.open(today, &cut, b"transaction 1").is_err());
    assert_ne!(sealer.seal(today, &pan, b"transaction 1").unwrap(), sealed);
    let short = sealer.seal(today, &Pan::parse(b"62250000").unwrap(), b"").unwrap();
    assert_eq!(short.as_bytes().len(), sealed.as_bytes().len());
    assert_eq!(sealer.token(&pan), reopened.token(&pan));
    assert_ne!(sealer.token(&pan), sealer.token(&Pan::parse(b"6225000000000261").unwrap()));
    assert_ne!(sealer.digest(CARD), sealer.token(&pan).0);
}

#[test]
fn the_first_sealing_key_of_a_date_stands() {
    let hsm = hsm();
    let (_, token) = now(hsm.data_key_new(&CTX, DataKeyPurpose::Token)).unwrap();
    let (_, first) = now(hsm.data_key_new(&CTX, DataKeyPurpose::Seal)).unwrap();
    let (_, second) = now(hsm.data_key_new(&CTX, DataKeyPurpose::Seal)).unwrap();
    let date = BusinessDate::new(2026, 11, 21).unwrap();
    let sealer = DataKeySealer::new(&token, entropy()).unwrap();
    sealer.add(date, &first).unwrap();
    let sealed = sealer.seal(date, &Pan::parse(CARD).unwrap(), b"1").unwrap();
    sealer.add(date, &second).unwrap();
    assert_eq!(sealer.open(date, &sealed, b"1"), Ok(Pan::parse(CARD).unwrap()));
}

#[test]
fn data_keys_and_wire_keys_do_not_pass_for_each_other() {
    let hsm = hsm();
    let (block, seal) = now(hsm.data_key_new(&CTX, DataKeyPurpose::Seal)).unwrap();
    let (_, token) = now(hsm.data_key_new(&CTX, DataKeyPurpose::Token)).unwrap();
    assert!(DataKeySealer::new(&seal, entropy()).is_err());
    let sealer = DataKeySealer::new(&token, entropy()).unwrap();
    assert!(sealer.add(BusinessDate::new(2026, 11, 21).unwrap(), &token).is_err());
    assert_eq!(faulty(now(hsm.data_key_open(&CTX, DataKeyPurpose::Token, &block))), KeyFault::Usage);
    assert_eq!(faulty(now(hsm.key_export(&CTX, &KeyRef::Block(block), &tmk()))), KeyFault::NotExportable);
    let wire = now(hsm.key_generate(&CTX, KeyUsage::Data, KeyAlgorithm::Aes256, None)).unwrap();
    assert_eq!(faulty(now(hsm.data_key_open(&CTX, DataKeyPurpose::Seal, &wire.block))), KeyFault::Usage);
}

#[test]
fn no_error_and_no_reference_shows_a_secret() {
    let hsm = hsm();
    let made = now(hsm.key_generate(&CTX, KeyUsage::Mac, KeyAlgorithm::Tdes2, Some(&tmk()))).unwrap();
    let block = pin_block(PinFormat::Iso0, PIK, CARD);
    let moved = translate(&hsm, PinFormat::Iso0, PinFormat::Iso0, &block, b"4111111111111111").err().unwrap();
    let mut touched = made.block.as_str().to_owned();
    touched.replace_range(0..1, "E");
    let touched = now(hsm.key_check_value(&CTX, &KeyRef::Block(KeyBlock::new(&touched)), 3)).err().unwrap();
    let missing = now(hsm.key_check_value(&CTX, &named("nobody"), 3)).err().unwrap();
    let shown = format!("{moved} {moved:?} {touched} {touched:?} {missing} {missing:?} {made:?}");
    let hex: String = block.as_bytes().iter().map(|byte| format!("{byte:02X}")).collect();
    let wrapped: String = made.wrapped.unwrap().as_bytes().iter().map(|byte| format!("{byte:02X}")).collect();
    for secret in [TMK, ZPK, PIK, TDK, &hex, &wrapped, &made.block.as_str()[16..48], "6225", "4111", "123456"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
