//! The codec against its physical limit, as ratios and as instruction counts.
//!
//! * `cargo bench --bench limits` times decode and encode against the hand-written scan of `yardstick`,
//!   interleaved, and prints the medians of the ratios. The machine's speed cancels out.
//! * `cargo bench --bench limits -- --instructions` runs itself under valgrind and prints instructions and heap
//!   allocations of one decode and one encode. Both repeat exactly: they are the difference between a run of 2,000
//!   and one of 1,000 operations, divided by 1,000. The exit code is 1 if a limit is exceeded, 2 without valgrind.
//! * `-- --count NAME N` does operation NAME (`decode`, `encode`, `scan`, `pack`) N times and ends.

#![expect(clippy::expect_used, clippy::panic, reason = "a bench that cannot run has nobody to answer to")]

mod auth;
mod yardstick;

use auth::AUTH;
use bytes::Bytes;
use std::hint::black_box;
use std::process::Command;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use tollgate::iso8583::Dialect;
use tollgate::iso8583::Mti;
use tollgate::iso8583::builtin;

/// Decode and encode may cost so much more than the hand-written code.
const RATIO: f64 = 1.5;
/// Instructions of one decode.
const INSTRUCTIONS: u64 = 3_500;
/// Rounds whose median counts: many and short, so that most of them are not interrupted.
const ROUNDS: usize = 501;

const MTI: &[u8; 4] = b"0100";

fn encode(dialect: &Arc<Dialect>) -> Bytes {
    let mut builder = dialect.build(Mti::parse(MTI).expect("four digits"));
    for (de, value) in black_box(AUTH) {
        builder.set(*de, value).expect("a legal value");
    }
    builder.finish().expect("a whole message")
}

fn decode(dialect: &Arc<Dialect>, body: &Bytes) {
    let message = dialect.decode(black_box(body).clone());
    assert!(black_box(&message).is_ok(), "a whole message");
}

fn scan(body: &Bytes) {
    let scan = yardstick::scan(black_box(body));
    assert!(black_box(&scan).is_some(), "a whole message");
}

/// Does one operation `times` times.
fn repeat(name: &str, times: usize) {
    let dialect = builtin::dialect("iso87-ascii").expect("a built-in dialect");
    let body = encode(&dialect);
    assert_eq!(yardstick::pack(MTI, AUTH).as_deref(), Some(&*body), "yardstick and codec write the same bytes");
    let (mine, theirs) = (yardstick::scan(&body).expect("a message"), dialect.decode(body.clone()).expect("a message"));
    assert_eq!(mine.present.count_ones() as usize, theirs.elements().count(), "they read the same elements");
    for de in theirs.elements() {
        let (start, length) = mine.spans[usize::from(de)];
        assert_eq!(theirs.span(de), Some(start.into()..(start + length).into()), "and the same spans");
    }
    for _ in 0..times {
        match name {
            "decode" => decode(&dialect, &body),
            "encode" => _ = black_box(&encode(&dialect)),
            "scan" => scan(&body),
            "pack" => _ = black_box(&yardstick::pack(MTI, black_box(AUTH))),
            _ => panic!("decode, encode, scan or pack"),
        }
    }
}

/// Nanoseconds an operation.
fn time(mut operation: impl FnMut()) -> f64 {
    const TIMES: u32 = 100;
    let start = Instant::now();
    (0..TIMES).for_each(|_| operation());
    start.elapsed().as_secs_f64() * 1e9 / f64::from(TIMES)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Times codec and yardstick in turns; prints both and the median ratio.
fn compare(name: &str, bytes: usize, mut codec: impl FnMut(), mut yardstick: impl FnMut()) -> bool {
    let rounds: Vec<(f64, f64)> = (0..ROUNDS).map(|_| (time(&mut codec), time(&mut yardstick))).collect();
    let ratio = median(rounds.iter().map(|(codec, yardstick)| codec / yardstick).collect());
    let codec = median(rounds.iter().map(|(codec, _)| *codec).collect());
    let yardstick = median(rounds.iter().map(|(_, yardstick)| *yardstick).collect());
    println!("{name}: {bytes} bytes, codec {codec:.0} ns, by hand {yardstick:.0} ns, ratio {ratio:.2} (limit {RATIO})");
    ratio <= RATIO
}

fn ratios() -> bool {
    let dialect = builtin::dialect("iso87-ascii").expect("a built-in dialect");
    let body = encode(&dialect);
    let decode = compare("decode", body.len(), || decode(&dialect, &body), || scan(&body));
    let encode = compare(
        "encode",
        body.len(),
        || _ = black_box(&encode(&dialect)),
        || _ = black_box(&yardstick::pack(MTI, black_box(AUTH))),
    );
    decode && encode
}

/// The number before `word` in what valgrind prints for so many operations.
fn valgrind(tool: &[&str], word: &str, name: &str, times: usize) -> Option<u64> {
    let this = std::env::current_exe().ok()?;
    let run =
        Command::new("valgrind").args(tool).arg(this).args(["--count", name, &times.to_string()]).output().ok()?;
    let text = String::from_utf8(run.stderr).ok()?;
    let line = text.lines().find_map(|line| line.split_once(word))?.1;
    let digits: String =
        line.trim().chars().take_while(|c| c.is_ascii_digit() || *c == ',').filter(|c| *c != ',').collect();
    digits.parse().ok()
}

/// What one more operation adds, times 1,000.
fn marginal(tool: &[&str], word: &str, name: &str) -> Option<u64> {
    Some(valgrind(tool, word, name, 2_000)? - valgrind(tool, word, name, 1_000)?)
}

fn counts() -> Option<bool> {
    let mut good = true;
    for name in ["decode", "scan", "encode", "pack"] {
        let callgrind = &["--tool=callgrind", "--callgrind-out-file=/dev/null"];
        let instructions = marginal(callgrind, "Collected :", name)? / 1_000;
        let allocations = marginal(&["--tool=memcheck", "--undef-value-errors=no"], "total heap usage:", name)? as f64;
        println!("{name}: {instructions} instructions, {} allocations", allocations / 1_000.0);
        good &= name != "decode" || (instructions <= INSTRUCTIONS && allocations == 0.0);
    }
    println!("limits of decode: {INSTRUCTIONS} instructions, 0 allocations");
    Some(good)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["--count", name, times] => {
            repeat(name, times.parse().expect("a number"));
            ExitCode::SUCCESS
        }
        ["--instructions"] => match counts() {
            Some(good) => ExitCode::from(u8::from(!good)),
            None => {
                eprintln!("valgrind did not run");
                ExitCode::from(2)
            }
        },
        // `cargo test --benches` only wants to know that it runs.
        ["--test"] => {
            ["decode", "encode", "scan", "pack"].iter().for_each(|name| repeat(name, 1));
            ExitCode::SUCCESS
        }
        _ => ExitCode::from(u8::from(!ratios())),
    }
}
