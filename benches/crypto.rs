//! What every operation of the software HSM costs.
//!
//! * `cargo bench --bench crypto` times each against one block of its cipher, interleaved, and prints the median of
//!   the ratios: the machine's speed cancels out. Nanoseconds and operations a second and core stand beside them, for
//!   this machine and this moment.
//! * `-- --instructions` runs itself under valgrind and prints the instructions of one operation: the difference
//!   between 2,000 and 1,000 of them. They repeat exactly. Exit code 2 without valgrind.
//! * `-- --count NAME N` does operation NAME N times and ends.
//! * `-- --test`, and `cargo test --bench crypto`: everything once, to see that it runs.
//!
//! `sign-in` is what a terminal's sign-in asks of an HSM: a PIN key and a MAC key, drawn, each under the master key of
//! the terminal and as a block for the switch, with check values. Behind the table stand whole sign-ins: through a
//! station with its ledger on disk (`TMPDIR` says where), and on a modelled HSM that takes its time, with a line that
//! says who is the limit.

#![expect(clippy::expect_used, clippy::panic, reason = "a bench that cannot run has nobody to answer to")]

#[path = "crypto/keys.rs"]
mod keys;
#[path = "crypto/sign_ins.rs"]
mod sign_ins;

use futures_util::FutureExt;
use std::hint::black_box;
use std::process::Command;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;
use tollgate::hsm::BdKey;
use tollgate::hsm::Ctx;
use tollgate::hsm::CvKey;
use tollgate::hsm::Direction;
use tollgate::hsm::DukptKey;
use tollgate::hsm::Hsm;
use tollgate::hsm::IbmRule;
use tollgate::hsm::ImkKey;
use tollgate::hsm::KeyAlgorithm;
use tollgate::hsm::KeyAlgorithm::Aes128;
use tollgate::hsm::KeyAlgorithm::Aes256;
use tollgate::hsm::KeyAlgorithm::Tdes2;
use tollgate::hsm::KeyName;
use tollgate::hsm::KeyRef;
use tollgate::hsm::KeyUsage;
use tollgate::hsm::MacKey;
use tollgate::hsm::OffsetKey;
use tollgate::hsm::PinKey;
use tollgate::hsm::PinMethod;
use tollgate::hsm::PinOrigin;
use tollgate::hsm::PinSource;
use tollgate::hsm::PvKey;
use tollgate::hsm::ScriptKey;
use tollgate::hsm::calculator;
use tollgate::hsm::calculator::CipherKey;
use tollgate::hsm::calculator::ClearPin;
use tollgate::hsm::calculator::Fill;
use tollgate::hsm::emv::ArpcSpec;
use tollgate::hsm::emv::Cvn;
use tollgate::hsm::emv::EmvCard;
use tollgate::hsm::emv::EmvTransaction;
use tollgate::hsm::software::SoftwareHsm;
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
/// Rounds whose median counts.
const ROUNDS: usize = 101;
/// Operations of a round.
const TIMES: u32 = 50;
/// The HSM's part of a sign-in.
const SIGN_IN: &str = "sign-in";
/// Terminals that sign in through a whole station.
const TERMINALS: u32 = 12_000;
/// A message as long as a sale.
const MESSAGE: [u8; 200] = [0x31; 200];

/// Fast, and no good for anything else.
struct Cheap(AtomicU64);

impl Entropy for Cheap {
    fn fill(&self, out: &mut [u8]) {
        for part in out.chunks_mut(8) {
            let word = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            let mixed = (word ^ (word >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9).to_le_bytes();
            part.iter_mut().zip(mixed).for_each(|(to, from)| *to = from);
        }
    }
}

fn named(name: &str) -> KeyRef {
    KeyRef::Named(KeyName::parse(name).expect("a name"))
}

fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("the software HSM never waits")
}

fn hsm() -> SoftwareHsm {
    let double = (0x10_u8..0x20).collect::<Vec<_>>();
    let keys: &[(&str, KeyUsage, KeyAlgorithm)] = &[
        ("tak", KeyUsage::Mac, Tdes2),
        ("tak-aes", KeyUsage::Mac, Aes128),
        ("tpk", KeyUsage::Pin, Tdes2),
        ("zpk", KeyUsage::Pin, Tdes2),
        ("zpk-aes", KeyUsage::Pin, Aes128),
        ("pvk", KeyUsage::Pvv, Tdes2),
        ("offset", KeyUsage::IbmPin, Tdes2),
        ("cvk", KeyUsage::Cvv, Tdes2),
        ("imk", KeyUsage::EmvCryptogram, Tdes2),
        ("smi", KeyUsage::EmvIntegrity, Tdes2),
        ("dynamic", KeyUsage::EmvDynamic, Tdes2),
        ("tdk", KeyUsage::Data, Tdes2),
        ("bdk", KeyUsage::Bdk, Tdes2),
        ("bdk-aes", KeyUsage::Bdk, Aes128),
        ("tmk", KeyUsage::Kek, Tdes2),
    ];
    let start = SoftwareHsm::builder(Arc::new(Cheap(AtomicU64::new(1))), Zeroizing::new([7; 32])).cached(1);
    let kbpk = (0x20_u8..0x40).collect::<Vec<_>>();
    let start = start.key(KeyName::parse("kbpk").expect("a name"), KeyUsage::KeyBlock, Aes256, Zeroizing::new(kbpk));
    let add = |builder: tollgate::hsm::software::SoftwareHsmBuilder, key: &(&str, KeyUsage, KeyAlgorithm)| {
        builder.key(KeyName::parse(key.0).expect("a name"), key.1, key.2, Zeroizing::new(double.clone()))
    };
    keys.iter().fold(start, add).build().expect("keys that fit")
}

/// An operation by its name; whether its cipher is AES.
struct Operation {
    name: &'static str,
    aes: bool,
    run: Box<dyn Fn()>,
}

fn operation(name: &'static str, aes: bool, run: impl Fn() + 'static) -> Operation {
    Operation { name, aes, run: Box::new(run) }
}

fn scheme(algorithm: MacAlgorithm) -> MacScheme {
    MacScheme { algorithm, padding: Padding::Zeros, output: MacOutput::Binary, length: 8 }
}

fn block_of(algorithm: KeyAlgorithm) -> impl Fn() {
    let key = CipherKey::new(algorithm, &[0x5D; 16]).expect("a key");
    move || {
        let mut block = [0; 16];
        let used = if algorithm == Tdes2 { 8 } else { 16 };
        key.encrypt_ecb(black_box(&mut block[..used])).expect("whole blocks");
        black_box(&block);
    }
}

fn macs(hsm: &Arc<SoftwareHsm>, all: &mut Vec<Operation>) {
    for (name, key, algorithm) in [
        ("MAC alg 1, TDES", "tak", MacAlgorithm::Alg1),
        ("MAC X9.19", "tak", MacAlgorithm::X919),
        ("MAC UnionPay", "tak", MacAlgorithm::CupEcb),
        ("MAC TDES-CMAC", "tak", MacAlgorithm::TdesCmac),
        ("MAC AES-CMAC", "tak-aes", MacAlgorithm::AesCmac),
    ] {
        let (hsm, key) = (Arc::clone(hsm), MacKey(named(key)));
        all.push(operation(name, algorithm == MacAlgorithm::AesCmac, move || {
            black_box(now(hsm.mac_generate(&CTX, &key, &scheme(algorithm), black_box(&MESSAGE))).expect("a MAC"));
        }));
    }
    for (name, base, ksn, algorithm) in [
        (
            "MAC DUKPT TDES, 1 bit",
            "bdk",
            vec![0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0, 0, 1],
            MacAlgorithm::X919,
        ),
        (
            "MAC DUKPT TDES, 10 bits",
            "bdk",
            vec![0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0, 3, 0xFF],
            MacAlgorithm::X919,
        ),
        ("MAC DUKPT AES, 1 bit", "bdk-aes", vec![1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 1], MacAlgorithm::AesCmac),
    ] {
        let (hsm, base, ksn) = (Arc::clone(hsm), BdKey(named(base)), Ksn::new(&ksn).expect("a serial number"));
        all.push(operation(name, algorithm == MacAlgorithm::AesCmac, move || {
            let (key, scheme) = (DukptKey { base: &base, ksn: &ksn }, scheme(algorithm));
            let made = hsm.mac_generate_dukpt(&CTX, key, Direction::Request, &scheme, &MESSAGE);
            black_box(now(made).expect("a MAC"));
        }));
    }
}

fn pins(hsm: &Arc<SoftwareHsm>, all: &mut Vec<Operation>) {
    let pan = Pan::parse(b"4012345678909").expect("a number");
    let key = CipherKey::new(Tdes2, &(0x10_u8..0x20).collect::<Vec<_>>()).expect("a key");
    let pin = ClearPin::parse(b"1234").expect("a PIN");
    let block = Arc::new(calculator::encrypt_pin(&key, PinFormat::Iso0, &pin, &pan, &Fill::NONE).expect("a block"));
    for (name, to, format) in [
        ("PIN 0 to 0", "zpk", PinFormat::Iso0),
        ("PIN 0 to 3", "zpk", PinFormat::Iso3),
        ("PIN 0 to 4", "zpk-aes", PinFormat::Iso4),
    ] {
        let (hsm, block) = (Arc::clone(hsm), Arc::clone(&block));
        let (from, to) = (PinKey(named("tpk")), PinKey(named(to)));
        all.push(operation(name, false, move || {
            let from = PinSource { key: &from, format: PinFormat::Iso0 };
            let out = now(hsm.pin_translate(&CTX, from, PinSource { key: &to, format }, &block, &pan));
            assert!(black_box(&out).is_ok(), "a block");
        }));
    }
    let (pvk, offset) = (PvKey(named("pvk")), OffsetKey(named("offset")));
    let rule = IbmRule { start: 0, length: 12, pad: 15 };
    let (own, same, from) = (Arc::clone(hsm), Arc::clone(&block), PinKey(named("tpk")));
    all.push(operation("PIN check, PVV", false, move || {
        let from = PinOrigin::Static(PinSource { key: &from, format: PinFormat::Iso0 });
        let method = PinMethod::Pvv { key: &pvk, index: b'1', pvv: *b"1234" };
        let _ = black_box(now(own.pin_verify(&CTX, from, &same, &pan, method)).expect("a verdict"));
    }));
    let (own, from) = (Arc::clone(hsm), PinKey(named("tpk")));
    all.push(operation("PIN check, IBM", false, move || {
        let from = PinOrigin::Static(PinSource { key: &from, format: PinFormat::Iso0 });
        let method = PinMethod::Ibm { key: &offset, rule, offset: b"1234" };
        let _ = black_box(now(own.pin_verify(&CTX, from, &block, &pan, method)).expect("a verdict"));
    }));
}

fn cards(hsm: &Arc<SoftwareHsm>, all: &mut Vec<Operation>) {
    let pan = Pan::parse(b"4012345678909").expect("a number");
    let card = EmvCard { pan, sequence: 1 };
    let (own, cvk) = (Arc::clone(hsm), CvKey(named("cvk")));
    all.push(operation("CVV check", false, move || {
        let _ = black_box(now(own.cvv_verify(&CTX, &cvk, &pan, (b"2901", b"101"), b"123")).expect("a verdict"));
    }));
    for (name, cvn) in [("ARQC + ARPC, CVN 10", Cvn::Visa10), ("ARQC + ARPC, CVN 18", Cvn::Visa18)] {
        let issuer = calculator::DesKey::new(&(0x10_u8..0x20).collect::<Vec<_>>()).expect("a key");
        let transaction = EmvTransaction { atc: [0, 1], unpredictable: [1; 4], data: &MESSAGE[..40] };
        let arqc = calculator::emv::card_cryptogram(&issuer, &cvn.scheme(), &card, &transaction).expect("a cryptogram");
        let (own, imk, spec) = (Arc::clone(hsm), ImkKey(named("imk")), ArpcSpec::Method1 { response_code: *b"00" });
        all.push(operation(name, false, move || {
            let of = (&cvn.scheme(), &card);
            let out = now(own.arqc_verify(&CTX, &imk, of, &transaction, &arqc, Some(&spec))).expect("an outcome");
            assert!(black_box(out).arpc.is_some(), "an answer");
        }));
    }
    let (own, smi) = (Arc::clone(hsm), ScriptKey(named("smi")));
    all.push(operation("script MAC", false, move || {
        let of = (&Cvn::Visa18.scheme(), &card);
        black_box(now(own.script_mac(&CTX, &smi, of, ([0, 1], [2; 8]), &MESSAGE[..21])).expect("a MAC"));
    }));
}

fn all() -> Vec<Operation> {
    let hsm = Arc::new(hsm());
    let mut all = vec![operation("TDES block", false, block_of(Tdes2)), operation("AES block", true, block_of(Aes128))];
    macs(&hsm, &mut all);
    pins(&hsm, &mut all);
    cards(&hsm, &mut all);
    keys::more(&hsm, &mut all);
    keys::keys(&hsm, &mut all);
    all
}

/// Nanoseconds an operation.
fn time(operation: &dyn Fn()) -> f64 {
    let start = Instant::now();
    (0..TIMES).for_each(|_| operation());
    start.elapsed().as_secs_f64() * 1e9 / f64::from(TIMES)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn ratios() {
    let blocks: [Box<dyn Fn()>; 2] = [Box::new(block_of(Tdes2)), Box::new(block_of(Aes128))];
    let mut of_sign_in = f64::NAN;
    println!("{:34} {:>10} {:>10} {:>12}", "operation", "blocks", "ns", "a second");
    for Operation { name, aes, run } in all() {
        let rounds: Vec<(f64, f64)> = (0..ROUNDS).map(|_| (time(&*run), time(&*blocks[usize::from(aes)]))).collect();
        let ratio = median(rounds.iter().map(|(whole, block)| whole / block).collect());
        let whole = median(rounds.iter().map(|(whole, _)| *whole).collect());
        let cipher = if aes { "AES" } else { "TDES" };
        println!("{name:34} {ratio:>5.1} {cipher:<4} {whole:>10.0} {:>12.0}", 1e9 / whole);
        if name == SIGN_IN {
            of_sign_in = whole;
        }
    }
    println!();
    sign_ins::print(TERMINALS, of_sign_in);
}

/// The instructions of so many operations, as valgrind counts them.
fn instructions(name: &str, times: usize) -> Option<u64> {
    let this = std::env::current_exe().ok()?;
    let tool = ["--tool=callgrind", "--callgrind-out-file=/dev/null"];
    let run =
        Command::new("valgrind").args(tool).arg(this).args(["--count", name, &times.to_string()]).output().ok()?;
    let text = String::from_utf8(run.stderr).ok()?;
    text.lines().find_map(|line| line.split_once("Collected :"))?.1.trim().parse().ok()
}

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = arguments.len();
    arguments.retain(|argument| argument != "--bench");
    // `cargo test --benches`, which gives no arguments, only wants to know that it runs.
    let arguments: Vec<&str> = if given == 0 { vec!["--test"] } else { arguments.iter().map(String::as_str).collect() };
    match arguments.as_slice() {
        ["--count", name, times] => {
            let operations = all();
            let Some(operation) = operations.iter().find(|operation| operation.name == *name) else {
                panic!("no operation of this name");
            };
            (0..times.parse().expect("a number")).for_each(|_: usize| (operation.run)());
        }
        ["--instructions"] => {
            for Operation { name, .. } in all() {
                let (Some(more), Some(less)) = (instructions(name, 2_000), instructions(name, 1_000)) else {
                    eprintln!("valgrind did not run");
                    return ExitCode::from(2);
                };
                println!("{name}: {} instructions", (more - less) / 1_000);
            }
        }
        ["--test"] => {
            all().iter().for_each(|operation| (operation.run)());
            sign_ins::check();
        }
        _ => ratios(),
    }
    ExitCode::SUCCESS
}
