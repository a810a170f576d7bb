//! The seeded world: the whole switch, thousands of times, with everything going wrong.
//!
//! * a failing seed: `TOLLGATE_SEED=0x2a cargo test --test simulation replay -- --nocapture`
//! * a failing crash: `TOLLGATE_CRASH='sale approved, down after effect 33, All lost' cargo test ...`
//! * what catches which known bug: `cargo test --features mutants --test simulation mutants -- --nocapture`
// A test says what it found by panicking; the lints' own exception does not reach what tests share.
#![allow(clippy::unwrap_used)]

use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::SystemTime;
use tollgate::sim::world;
use tollgate::sim::world::Coverage;
use tollgate::sim::world::Plan;
use tollgate::sim::world::Report;

/// Seeds that are always run; what must happen now and then must happen among them.
const FIXED: u64 = 2_000;
/// Seeds that nobody has seen, unless `TOLLGATE_FRESH_SEEDS` says otherwise.
const FRESH: u64 = 500;
/// Each so-manieth of them is run twice.
const TWICE: u64 = 20;
/// Failures that are shown.
const SHOWN: usize = 10;

/// Calls `each` with every number below `count`, on as many threads as there are cores.
fn on_all_cores<T: Send>(count: usize, each: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(count)));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= count {
                        return;
                    }
                    let result = each(at);
                    done.lock().unwrap().push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Lets a world happen; a panic in it is a breach like any other.
fn run(plan: &Plan) -> Result<Report, String> {
    let report = std::panic::catch_unwind(|| world::run(plan)).map_err(|_| "it panicked".to_owned())?;
    match report.breaches.is_empty() {
        true => Ok(report),
        false => Err(report.breaches.iter().take(3).cloned().collect::<Vec<_>>().join("; ")),
    }
}

#[track_caller]
fn none(failures: &[String]) {
    let shown = failures.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} failed\n{shown}", failures.len());
}

/// Runs so many seeds from one on.
fn seeds(first: u64, count: u64) -> Coverage {
    let results = on_all_cores(usize::try_from(count).unwrap(), |at| {
        let seed = first.wrapping_add(at as u64);
        let plan = world::seeded(seed);
        let command = format!("TOLLGATE_SEED={seed:#x} cargo test --test simulation replay -- --nocapture");
        let report = run(&plan).map_err(|breaches| format!("{breaches}\n    {command}"))?;
        if seed.is_multiple_of(TWICE) && world::run(&plan).hash != report.hash {
            return Err(format!("the same seed gave two histories\n    {command}"));
        }
        Ok(report.coverage)
    });
    let mut coverage = Coverage::default();
    results.iter().flatten().for_each(|seen| coverage.add(seen));
    none(&results.into_iter().filter_map(Result::err).collect::<Vec<_>>());
    coverage
}

#[test]
fn fixed_seeds_hold_every_invariant_and_see_everything() {
    let coverage = seeds(0, FIXED);
    for (what, count) in coverage.counts() {
        println!("{count:>8} {}", what.text());
    }
    let unseen: Vec<_> = coverage.counts().filter(|(_, count)| *count == 0).map(|(what, _)| what.text()).collect();
    assert!(unseen.is_empty(), "never seen: {}", unseen.join(", "));
}

#[test]
fn fresh_seeds_hold_every_invariant() {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let first = u64::try_from(now.as_nanos() & u128::from(u64::MAX)).unwrap();
    let fresh = std::env::var("TOLLGATE_FRESH_SEEDS").ok().and_then(|count| count.parse().ok()).unwrap_or(FRESH);
    println!("{fresh} seeds from {first:#x}");
    seeds(first, fresh);
}

/// Every scenario without a crash, and with one before and after each of its effects.
fn every_crash(name: &str) -> Vec<(String, Plan)> {
    let mut all = Vec::new();
    for scenario in world::scenarios() {
        if !name.is_empty() && !name.starts_with(scenario.name) {
            continue;
        }
        let calm = world::run(&scenario.plan);
        let crashes = world::crashes(&scenario, &calm);
        all.push((scenario.name.to_owned(), scenario.plan));
        all.extend(crashes);
    }
    all
}

#[test]
fn every_scenario_survives_a_crash_before_and_after_every_effect() {
    let all = every_crash("");
    println!("{} worlds", all.len());
    let failures = on_all_cores(all.len(), |at| {
        let (name, plan) = &all[at];
        let command = format!("TOLLGATE_CRASH='{name}' cargo test --test simulation replay -- --nocapture");
        run(plan).err().map(|breaches| format!("{name}: {breaches}\n    {command}"))
    });
    none(&failures.into_iter().flatten().collect::<Vec<_>>());
}

/// Shows one world in full: that of `TOLLGATE_SEED`, or of `TOLLGATE_CRASH`.
#[test]
fn replay() {
    let seed = std::env::var("TOLLGATE_SEED").ok();
    let crash = std::env::var("TOLLGATE_CRASH").ok();
    let plan = match (seed, crash) {
        (Some(seed), _) => world::seeded(u64::from_str_radix(seed.trim_start_matches("0x"), 16).unwrap()),
        (None, Some(name)) => every_crash(&name).into_iter().find(|(known, _)| *known == name).unwrap().1,
        (None, None) => return,
    };
    println!("{plan:#?}");
    let report = world::run(&plan);
    println!("{}", report.trace.join("\n"));
    none(&report.breaches);
}

/// Says of each known bug what catches it first.
#[cfg(feature = "mutants")]
#[test]
fn mutants_are_caught() {
    use tollgate::mutant;
    use tollgate::mutant::Mutant;
    let only = std::env::var("TOLLGATE_MUTANT").unwrap_or_default();
    let caught = on_all_cores(Mutant::ALL.len(), |at| {
        if !Mutant::ALL.get(at).unwrap().text().contains(&only) {
            return Some(("-".to_owned(), "not asked for".to_owned()));
        }
        mutant::choose(Mutant::ALL.get(at).copied());
        let calm = world::scenarios().into_iter().map(|scenario| (scenario.name.to_owned(), scenario.plan));
        let caught = calm.chain(std::iter::once_with(|| every_crash("")).flatten());
        let caught = caught.into_iter().find_map(|(name, plan)| Some((name, run(&plan).err()?)));
        let caught = caught.or_else(|| {
            (0..FIXED).find_map(|seed| Some((format!("seed {seed:#x}"), run(&world::seeded(seed)).err()?)))
        });
        mutant::choose(None);
        caught
    });
    let mut free = Vec::new();
    for (mutant, caught) in Mutant::ALL.iter().zip(caught) {
        match caught {
            Some((by, why)) => println!("{}\n    {by}\n    {why}", mutant.text()),
            None => free.push(mutant.text().to_owned()),
        }
    }
    none(&free);
}
