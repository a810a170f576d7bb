//! A PKCS#11 token: SoftHSM2, in a process of its own, for its library reads its folder from the
//! environment and is loaded once a process.
//!
//! The tests that talk to a token are `#[ignore]`d here and run by `a_token_does_what_it_can` in a child
//! with a fresh token.

use crate::switch::rig::now as rig_now;
use crate::switch::rig::{Recipe, Rig, Till, await_that};
use crate::switch::{CARD_A, CARD_B};
use cryptoki::context::Pkcs11;
use cryptoki::object::Attribute;
use cryptoki::object::ObjectClass;
use cryptoki::session::Session;
use cryptoki::slot::Slot;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tollgate::hsm::Ctx;
use tollgate::hsm::DataKeyPurpose;
use tollgate::hsm::Hsm;
use tollgate::hsm::HsmError;
use tollgate::hsm::HsmProfile;
use tollgate::hsm::Kek;
use tollgate::hsm::KeyAlgorithm;
use tollgate::hsm::KeyFault;
use tollgate::hsm::KeyName;
use tollgate::hsm::KeyRef;
use tollgate::hsm::KeyUsage;
use tollgate::hsm::Mac;
use tollgate::hsm::MacKey;
use tollgate::hsm::PinError;
use tollgate::hsm::PinKey;
use tollgate::hsm::PinSource;
use tollgate::hsm::PvKey;
use tollgate::hsm::Verdict;
use tollgate::hsm::pkcs11::Pkcs11Fault;
use tollgate::hsm::pkcs11::Pkcs11Hsm;
use tollgate::hsm::pkcs11::Pkcs11Setup;
use tollgate::hsm::software::SoftwareHsm;
use tollgate::model::EncryptedPinBlock;
use tollgate::model::KeyBlock;
use tollgate::model::Kind;
use tollgate::model::MacAlgorithm;
use tollgate::model::MacOutput;
use tollgate::model::MacScheme;
use tollgate::model::Padding;
use tollgate::model::Pan;
use tollgate::model::PinFormat;
use tollgate::model::ResponseCode;
use tollgate::registry::Breaches;
use tollgate::registry::Source;
use tollgate::server::SystemEntropy;
use tollgate::server::config::key_rows;
use tollgate::sim::issuer::DEMO_KEYS;
use tollgate::sim::terminal::Entry;
use zeroize::Zeroizing;

const LIBRARIES: &[&str] = &[
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
];
const CTX: Ctx = Ctx { within: Duration::from_secs(20) };
const PIN: &str = "598271";
/// Set in the child only.
const CHILD: &str = "TOLLGATE_TEST_TOKEN";

fn library() -> Option<&'static str> {
    LIBRARIES.iter().copied().find(|path| Path::new(path).exists())
}

/// Makes a token in a folder of its own and runs the ignored tests against it.
#[test]
fn a_token_does_what_it_can() {
    let Some(library) = library() else {
        assert!(std::env::var_os("TOLLGATE_REQUIRE_ALL").is_none(), "SoftHSM2 is not installed");
        println!("left out: SoftHSM2 is not installed");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    std::fs::create_dir(&tokens).unwrap();
    let file = folder.path().join("softhsm2.conf");
    let text = format!("directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n", tokens.display());
    std::fs::write(&file, text).unwrap();
    let made = Command::new("softhsm2-util")
        .args(["--init-token", "--free", "--label", "tollgate", "--so-pin", "73519264", "--pin", PIN])
        .env("SOFTHSM2_CONF", &file)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    // What pulls the library away under all others has a process of its own.
    for tests in ["pkcs11::token_", "pkcs11::finalized_token_"] {
        let ran = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", tests, "--nocapture"])
            .env("SOFTHSM2_CONF", &file)
            .env(CHILD, library)
            .output()
            .unwrap();
        let said = [ran.stdout, ran.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(ran.status.success() && !said.contains(" 0 passed"), "{said}");
        assert!(!said.contains(PIN), "the token's PIN was said");
    }
}

#[test]
fn a_library_that_is_none_is_a_typed_error() {
    let missing = setup("/nowhere/at/all.so", "tollgate", PIN, 1);
    assert_eq!(Pkcs11Hsm::start(missing).map(|_| ()).unwrap_err(), Pkcs11Fault::Library);
}

fn setup(library: &str, token: &str, pin: &str, workers: usize) -> Pkcs11Setup {
    Pkcs11Setup {
        library: library.into(),
        token: token.into(),
        pin: Zeroizing::new(pin.into()),
        workers,
        queue: 256,
        sealing: KeyName::parse("sealing"),
    }
}

fn name(text: &str) -> KeyName {
    KeyName::parse(text).unwrap()
}

fn mac_key(text: &str) -> MacKey {
    MacKey(KeyRef::Named(name(text)))
}

fn token(workers: usize) -> Option<Pkcs11Hsm> {
    let library = std::env::var(CHILD).ok()?;
    Some(Pkcs11Hsm::start(setup(&library, "tollgate", PIN, workers)).unwrap())
}

fn unhex(text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new((0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect())
}

/// Keys of every length.
const KEYS: &[(&str, KeyAlgorithm, &str)] = &[
    ("single", KeyAlgorithm::Des, "0123456789ABCDEF"),
    ("double", KeyAlgorithm::Tdes2, "0123456789ABCDEFFEDCBA9876543210"),
    ("triple", KeyAlgorithm::Tdes3, "0123456789ABCDEFFEDCBA987654321089ABCDEF01234567"),
    ("aes128", KeyAlgorithm::Aes128, "2B7E151628AED2A6ABF7158809CF4F3C"),
    ("aes256", KeyAlgorithm::Aes256, "603DEB1015CA71BE2B73AEF0857D77811F352C073B6108D72D9810A30914DFF4"),
];

/// The same keys in process, under names with `prefix`.
fn software(prefix: &str) -> SoftwareHsm {
    let start = SoftwareHsm::builder(Arc::new(SystemEntropy), Zeroizing::new([7; 32]));
    let add = |builder: tollgate::hsm::software::SoftwareHsmBuilder, row: &(&str, KeyAlgorithm, &str)| {
        builder.key(name(&format!("{prefix}{}", row.0)), KeyUsage::Mac, row.1, unhex(row.2))
    };
    KEYS.iter().fold(start, add).build().unwrap()
}

async fn install(hsm: &Pkcs11Hsm, prefix: &str) {
    for (key, algorithm, clear) in KEYS {
        hsm.install(&CTX, &name(&format!("{prefix}{key}")), *algorithm, unhex(clear)).await.unwrap();
    }
}

#[tokio::test]
#[ignore = "needs a token: run by a_token_does_what_it_can"]
async fn token_macs_are_those_of_the_software_hsm() {
    let Some(hsm) = token(2) else { return };
    install(&hsm, "a/").await;
    let software = software("a/");
    let mut compared = 0;
    for algorithm in
        [MacAlgorithm::Alg1, MacAlgorithm::X919, MacAlgorithm::TdesCmac, MacAlgorithm::AesCmac, MacAlgorithm::CupEcb]
    {
        for padding in [Padding::Zeros, Padding::Bit, Padding::Length] {
            for (output, length) in [(MacOutput::Binary, 4), (MacOutput::Binary, 8), (MacOutput::AsciiHex, 8)] {
                let scheme = MacScheme { algorithm, padding, output, length };
                for key in KEYS.iter().map(|row| mac_key(&format!("a/{}", row.0))) {
                    for data in [&b""[..], b"8 bytes.", b"0200 4012345678909 and more than one block"] {
                        let expected = software.mac_generate(&CTX, &key, &scheme, data).await;
                        let made = hsm.mac_generate(&CTX, &key, &scheme, data).await;
                        assert_eq!(made, expected, "{scheme:?} {key:?}");
                        let Ok(mac) = made else { continue };
                        assert_eq!(hsm.mac_verify(&CTX, &key, &scheme, data, &mac).await, Ok(Verdict::Match));
                        assert_eq!(hsm.mac_verify(&CTX, &key, &scheme, data, &mac[1..]).await, Ok(Verdict::NoMatch));
                        compared += 1;
                    }
                }
            }
        }
    }
    assert!(compared > 200, "{compared}");
    for (key, ..) in KEYS {
        let key = KeyRef::Named(name(&format!("a/{key}")));
        let expected = software.key_check_value(&CTX, &key, 4).await.unwrap();
        assert_eq!(hsm.key_check_value(&CTX, &key, 4).await.unwrap(), expected);
    }
}

/// RFC 4493, example 2, and a CBC-MAC that another program computed.
#[tokio::test]
#[ignore = "needs a token: run by a_token_does_what_it_can"]
async fn token_reproduces_a_published_cmac() {
    let Some(hsm) = token(1) else { return };
    install(&hsm, "b/").await;
    let scheme =
        MacScheme { algorithm: MacAlgorithm::AesCmac, padding: Padding::Zeros, output: MacOutput::Binary, length: 16 };
    let mac = hsm.mac_generate(&CTX, &mac_key("b/aes128"), &scheme, &unhex("6BC1BEE22E409F96E93D7E117393172A")).await;
    assert_eq!(mac.unwrap().as_slice(), unhex("070A16B46B4D4144F79BDD9DD04A287C").as_slice());
}

#[tokio::test]
#[ignore = "needs a token: run by a_token_does_what_it_can"]
async fn token_keeps_a_master_key_and_sealing_keys_bound_to_their_purpose() {
    let Some(hsm) = token(2) else { return };
    hsm.generate_sealing_key(&CTX, &name("sealing")).await.unwrap();
    let again = hsm.generate_sealing_key(&CTX, &name("sealing")).await;
    assert!(matches!(again, Err(HsmError::Input(_))), "a key is not made over: {again:?}");
    let master = Zeroizing::new([0xA5; 32]);
    let wrapped = hsm.wrap_master(&CTX, &master).await.unwrap();
    assert!(!wrapped.contains("A5A5A5A5"));
    assert!(**hsm.unwrap_master(&CTX, &wrapped).await.unwrap() == *master);
    // What it opens is a software HSM's master key: blocks made under one open under the other.
    let builder = |master| SoftwareHsm::under(Arc::new(SystemEntropy), master).build().unwrap();
    let (block, _) = builder(Box::new(master)).data_key_new(&CTX, DataKeyPurpose::Token).await.unwrap();
    let second = builder(hsm.unwrap_master(&CTX, &wrapped).await.unwrap());
    assert!(second.data_key_open(&CTX, DataKeyPurpose::Token, &block).await.is_ok());
    let last = if wrapped.ends_with('0') { "1" } else { "0" };
    let changed = format!("{}{last}", &wrapped[..wrapped.len() - 1]);
    for bad in [changed.as_str(), "", "pkcs11/master/", "pkcs11/master/00", &wrapped.replace("master", "seal")] {
        let refused = hsm.unwrap_master(&CTX, bad).await.map(|_| ()).unwrap_err();
        assert!(matches!(refused, HsmError::Key { fault: KeyFault::Block, .. }), "{refused}");
    }
    let (block, _) = hsm.data_key_new(&CTX, DataKeyPurpose::Seal).await.unwrap();
    assert!(hsm.data_key_open(&CTX, DataKeyPurpose::Seal, &block).await.is_ok());
    let moved = KeyBlock::new(&block.as_str().replace("/seal/", "/token/"));
    assert!(hsm.data_key_open(&CTX, DataKeyPurpose::Token, &moved).await.is_err());
}

#[tokio::test]
#[ignore = "needs a token: run by a_token_does_what_it_can"]
async fn token_refuses_pins_blocks_and_exports_with_the_reason() {
    let Some(hsm) = token(1) else { return };
    let capabilities = hsm.capabilities();
    assert!(capabilities.profile == HsmProfile::MacOnly && capabilities.pin_formats.is_empty());
    assert!(capabilities.fit_for_production().unwrap_err().contains("PIN"));
    let key = PinKey(KeyRef::Named(name("zpk")));
    let source = PinSource { key: &key, format: PinFormat::Iso0 };
    let (block, pan) = (EncryptedPinBlock::new(&[1; 8]).unwrap(), Pan::parse(b"4123456789012345").unwrap());
    let refused = hsm.pin_translate(&CTX, source, source, &block, &pan).await.map(|_| ()).unwrap_err();
    assert!(matches!(&refused, PinError::Hsm(HsmError::Unsupported(why)) if why.contains("PIN")), "{refused}");
    let pvk = PvKey(KeyRef::Named(name("pvk")));
    let refused = hsm.pin_verify_pvv(&CTX, source, &block, &pan, &pvk, b"11234").await.unwrap_err();
    assert!(matches!(refused, PinError::Hsm(HsmError::Unsupported(_))));
    let kek = Kek(KeyRef::Named(name("zmk")));
    let made = hsm.key_generate(&CTX, KeyUsage::Mac, KeyAlgorithm::Tdes2, Some(&kek)).await.map(|_| ());
    assert!(matches!(made, Err(HsmError::Unsupported(_))));
    let out = hsm.key_export(&CTX, &KeyRef::Named(name("double")), &kek).await;
    assert_eq!(out, Err(HsmError::Key { name: "double".into(), fault: KeyFault::NotExportable }));
    let scheme =
        MacScheme { algorithm: MacAlgorithm::X919, padding: Padding::Zeros, output: MacOutput::Binary, length: 4 };
    let missing = hsm.mac_generate(&CTX, &mac_key("nobody"), &scheme, b"x").await;
    assert_eq!(missing, Err(HsmError::Key { name: "nobody".into(), fault: KeyFault::Missing }));
}

#[tokio::test]
#[ignore = "needs a token: run by a_token_does_what_it_can"]
async fn token_serves_many_callers_with_few_sessions_and_one_context() {
    let Some(first) = token(3) else { return };
    // A second user of the token in the same process shares its context.
    let second = token(2).unwrap();
    first.install(&CTX, &name("c/double"), KeyAlgorithm::Tdes2, unhex(KEYS[1].2)).await.unwrap();
    let scheme =
        MacScheme { algorithm: MacAlgorithm::X919, padding: Padding::Bit, output: MacOutput::Binary, length: 8 };
    let texts: Vec<String> = (0..100).map(|number| format!("message {number}")).collect();
    let key = mac_key("c/double");
    let (key, scheme) = (&key, &scheme);
    async fn ask(hsm: &Pkcs11Hsm, key: &MacKey, scheme: &MacScheme, text: &str) -> Mac {
        hsm.mac_generate(&CTX, key, scheme, text.as_bytes()).await.unwrap()
    }
    let calls = texts.iter().flat_map(|text| [ask(&first, key, scheme, text), ask(&second, key, scheme, text)]);
    let macs = futures_util::future::join_all(calls).await;
    assert!(macs.as_chunks::<2>().0.iter().all(|[one, other]| one == other));
    drop(first);
    assert_eq!(ask(&second, key, scheme, "message 0").await, macs[0], "the context outlives its first user");
    let (library, nobody) = (std::env::var(CHILD).unwrap(), "nobody's token");
    assert_eq!(Pkcs11Hsm::start(setup(&library, nobody, PIN, 1)).map(|_| ()).unwrap_err(), Pkcs11Fault::Token);
    assert!(second.diagnostics(&CTX).await.is_ok());
    let mut drawn = [0; 64];
    second.random(&CTX, &mut drawn).await.unwrap();
    assert!(drawn != [0; 64]);
}

#[tokio::test]
#[ignore = "needs a token: run by a_token_does_what_it_can"]
async fn token_that_is_too_busy_says_so_and_keeps_the_deadline() {
    let Ok(library) = std::env::var(CHILD) else { return };
    let hsm = Pkcs11Hsm::start(Pkcs11Setup { queue: 1, ..setup(&library, "tollgate", PIN, 1) }).unwrap();
    let mut large = vec![0; 4 << 20];
    let none = Ctx { within: Duration::ZERO };
    // The worker may take the first at once; of many, some find the queue full.
    let asked: Vec<_> =
        futures_util::future::join_all((0..20).map(|_| async { hsm.random(&none, &mut vec![0; 4 << 20]).await })).await;
    // Whoever got a place may be served before anybody looks at the time.
    let in_time = |answer: &Result<(), HsmError>| matches!(answer, Ok(()) | Err(HsmError::Timeout | HsmError::Busy));
    assert!(asked.iter().all(in_time), "{asked:?}");
    assert!(asked.contains(&Err(HsmError::Busy)), "{asked:?}");
    large.truncate(8);
    loop {
        // Busy until the worker is through.
        match hsm.random(&CTX, &mut large).await {
            Err(HsmError::Busy | HsmError::Unavailable) => tokio::task::yield_now().await,
            other => return other.unwrap(),
        }
    }
}

/// Somebody else who uses the token in this process: its session is logged in by the first one's.
fn stranger() -> (Pkcs11, Session) {
    let context = Pkcs11::new(std::env::var(CHILD).unwrap()).unwrap();
    let slots = context.get_slots_with_token().unwrap();
    let ours = |slot: &Slot| context.get_token_info(*slot).unwrap().label() == "tollgate";
    let slot = slots.into_iter().find(ours).unwrap();
    let session = context.open_rw_session(slot).unwrap();
    (context, session)
}

fn destroy(session: &Session, label: &str) {
    let template = [Attribute::Class(ObjectClass::SECRET_KEY), Attribute::Label(label.into())];
    for object in session.find_objects(&template).unwrap() {
        session.destroy_object(object).unwrap();
    }
}

const RETAIL: MacScheme =
    MacScheme { algorithm: MacAlgorithm::X919, padding: Padding::Bit, output: MacOutput::Binary, length: 8 };

#[tokio::test]
#[ignore = "needs a token: run by a_token_does_what_it_can"]
async fn token_keys_that_are_made_anew_under_their_label_are_found_again() {
    let Some(hsm) = token(1) else { return };
    let (label, key) = (name("e/double"), mac_key("e/double"));
    hsm.install(&CTX, &label, KeyAlgorithm::Tdes2, unhex(KEYS[1].2)).await.unwrap();
    let before = hsm.mac_generate(&CTX, &key, &RETAIL, b"x").await.unwrap();
    let (_context, session) = stranger();
    destroy(&session, "e/double");
    let gone = hsm.mac_generate(&CTX, &key, &RETAIL, b"x").await;
    assert_eq!(gone, Err(HsmError::Key { name: "e/double".into(), fault: KeyFault::Missing }));
    let half = hsm.install(&CTX, &label, KeyAlgorithm::Tdes2, unhex(KEYS[1].2)).await;
    assert!(matches!(half, Err(HsmError::Input(_))), "a second left half would be no key for ever: {half:?}");
    destroy(&session, "e/double/left");
    let other = unhex("89ABCDEF0123456776543210FEDCBA98");
    hsm.install(&CTX, &label, KeyAlgorithm::Tdes2, other.clone()).await.unwrap();
    let after = hsm.mac_generate(&CTX, &key, &RETAIL, b"x").await.unwrap();
    assert!(after != before);
    // Both at once, while the worker still knows the handles of before.
    destroy(&session, "e/double");
    destroy(&session, "e/double/left");
    let second = token(1).unwrap();
    second.install(&CTX, &label, KeyAlgorithm::Tdes2, other).await.unwrap();
    assert_eq!(hsm.mac_generate(&CTX, &key, &RETAIL, b"x").await, Ok(after));
}

#[tokio::test]
#[ignore = "needs a token: run by a_token_does_what_it_can"]
async fn finalized_token_libraries_are_initialized_again() {
    let Some(hsm) = token(2) else { return };
    let key = mac_key("f/double");
    hsm.install(&CTX, &name("f/double"), KeyAlgorithm::Tdes2, unhex(KEYS[1].2)).await.unwrap();
    let before = hsm.mac_generate(&CTX, &key, &RETAIL, b"x").await.unwrap();
    let (context, session) = stranger();
    drop(session);
    context.finalize().unwrap();
    // One worker finds it out, the other may have to.
    for _ in 0..2 {
        let refused = hsm.mac_generate(&CTX, &key, &RETAIL, b"x").await;
        assert!(refused == Err(HsmError::Unavailable) || refused == Ok(before.clone()), "{refused:?}");
    }
    for _ in 0..4 {
        assert_eq!(hsm.mac_generate(&CTX, &key, &RETAIL, b"x").await.as_ref(), Ok(&before));
    }
}

/// SoftHSM fails now and then where keys are made by two threads at once, and a library whose threads
/// still run when the process ends brings it down: the child's exit shows it.
#[tokio::test]
#[ignore = "needs a token: run by a_token_does_what_it_can"]
async fn token_keys_may_be_made_at_once_and_sessions_end_before_their_process() {
    let Some(first) = token(3) else { return };
    let second = token(3).unwrap();
    let make = |number: usize| {
        let (hsm, key) = (if number.is_multiple_of(2) { &first } else { &second }, format!("d/{number}"));
        async move { hsm.install(&CTX, &name(&key), KeyAlgorithm::Tdes2, unhex(KEYS[1].2)).await.unwrap() }
    };
    futures_util::future::join_all((0..12).map(make)).await;
}

/// The keys of the demo that make MACs at the door `host` and at the banks.
async fn install_zone_keys(hsm: &Pkcs11Hsm) {
    for row in key_rows(Source { file: "keys.csv", text: DEMO_KEYS }, &mut Breaches::default()) {
        if row.name.as_str().ends_with("/zak") {
            hsm.install(&CTX, &row.name, row.algorithm, row.key).await.unwrap();
        }
    }
}

/// The `[hsm]` table of a station on the token.
fn table(kind: &str, library: &str, folder: &Path, key: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let pin = folder.join("token.pin");
    std::fs::write(&pin, format!("{PIN}\n")).unwrap();
    std::fs::set_permissions(&pin, PermissionsExt::from_mode(0o600)).unwrap();
    format!(
        "[hsm]\n{kind}\nlibrary = \"{library}\"\ntoken = \"tollgate\"\npin_file = \"{}\"\ntoken_key = \"{key}\"\n",
        pin.display()
    )
}

#[test]
#[ignore = "needs a token: a_token_does_what_it_can runs it"]
fn token_serves_macs_at_a_door_and_declines_pins() {
    let Ok(library) = std::env::var(CHILD) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let hsm = Pkcs11Hsm::start(setup(&library, "tollgate", PIN, 1)).unwrap();
    runtime.block_on(async {
        install_zone_keys(&hsm).await;
        hsm.generate_sealing_key(&CTX, &name("station/sealing")).await.unwrap();
    });
    let folder = tempfile::tempdir().unwrap();
    let kept = "[ledger]\nfolder = \"ledger\"\nsegment_bytes = 65536\n";
    let tables = format!("{kept}{}", table("kind = \"pkcs11\"", &library, folder.path(), "station/sealing"));
    let listed = DEMO_KEYS.lines().filter(|line| !line.starts_with('#') && !line.starts_with("terminal/"));
    let names: Vec<String> = listed.map(|line| line.split(',').take(3).collect::<Vec<_>>().join(",")).collect();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("specs/demo/terminals.csv");
    let terminals = std::fs::read_to_string(demo).unwrap();
    let rows = terminals.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let (mut header, mut keyless) = (true, String::new());
    for row in rows {
        keyless += &format!("{row},{}\n", if header { "master_key" } else { "none" });
        header = false;
    }
    let (names, pos) = (names.join("\n") + "\n", "pin_key = \"host/zpk\"\nmac_key = \"host/zak\"\n");
    let lists: &[(&str, &str)] = &[("keys.csv", &names), ("terminals.csv", &keyless)];
    let mut rig = Rig::at_once(&Recipe { tables: &tables, lists, pos, ..Recipe::default() });
    let mut till = Till::new(&rig, 10_000_001, "host");
    for card in [CARD_A, CARD_B] {
        await_that("the links are up", || {
            till.ask_without_pin(Kind::Sale, 10_00, card).code == Some(ResponseCode::Approved)
        });
    }
    let before = rig.records().len();
    assert_eq!(till.ask(Kind::Sale, 10_00, CARD_A).code, Some(ResponseCode::SystemFailure), "no PINs here");
    assert_eq!(rig.records().len(), before, "declined before its intent");
    let sale = till.prepare_without_pin(Kind::Sale, 30_00, CARD_B, Entry::Chip);
    till.send(&sale.unit);
    till.receive().expect("an answer, which the terminal does not see");
    let reversal = till.terminal.reversal(rig_now()).unwrap().unwrap();
    assert_eq!(till.exchange(&reversal).code, Some(ResponseCode::Approved));
    rig.await_undone();
    rig.stop();
    rig.start_again();
    assert_eq!(rig.records().len(), before + 1, "what the token sealed, it opens");
    rig.stop();
    let (_context, session) = stranger();
    for label in ["host/zak/left", "bank-b/zak/left", "bank-a/zak"] {
        destroy(&session, label);
    }
    let fault = rig.try_run().err().expect("it does not start without its keys").to_string();
    for words in ["key bank-a/zak: the HSM has no such key", "zak/left: not found"] {
        assert!(fault.contains(words), "{words}: {fault}");
    }
}

#[test]
#[ignore = "needs a token: a_token_does_what_it_can runs it"]
fn token_keeps_the_master_key_of_a_stations_software_hsm() {
    let Ok(library) = std::env::var(CHILD) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let hsm = Pkcs11Hsm::start(setup(&library, "tollgate", PIN, 1)).unwrap();
    runtime.block_on(hsm.generate_sealing_key(&CTX, &name("station/master"))).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let table = table("master = \"master.wrapped\"", &library, folder.path(), "station/master");
    let kept = format!("[ledger]\nfolder = \"ledger\"\nsegment_bytes = 65536\n{table}");
    let mut rig = Rig::of(&Recipe { tables: &kept, ..Recipe::default() });
    let wrapped = std::fs::read_to_string(rig.file("master.wrapped")).unwrap();
    assert!(wrapped.lines().last().unwrap().starts_with("pkcs11/master/"), "not in clear");
    rig.stop();
    rig.start_again();
    rig.await_links();
    rig.stop();
    let last = wrapped.trim_end().chars().last().unwrap();
    let other = if last == '0' { '1' } else { '0' };
    std::fs::write(rig.file("master.wrapped"), format!("{}{other}\n", wrapped.trim_end().trim_end_matches(last)))
        .unwrap();
    let fault = rig.try_run().err().unwrap().to_string();
    assert!(fault.contains("master.wrapped") && fault.contains("the token does not open it"), "{fault}");
    std::fs::write(rig.file("master.wrapped"), wrapped).unwrap();
    rig.start_again();
}
