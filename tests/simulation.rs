//! The seeded world: the whole switch, thousands of times, with everything going wrong.
// A test says what it found by panicking; the lints' own exception does not reach what tests share.
#![allow(clippy::unwrap_used)]

use tollgate::sim::world;

#[test]
fn replay() {
    let Ok(seed) = std::env::var("TOLLGATE_SEED") else { return };
    let seed = u64::from_str_radix(seed.trim_start_matches("0x"), 16).unwrap();
    let plan = world::seeded(seed);
    println!("{plan:#?}");
    let report = world::run(&plan);
    println!("{}", report.trace.join("\n"));
    assert!(report.breaches.is_empty(), "{}", report.breaches.join("\n"));
}

#[test]
fn seeds() {
    let start = std::time::Instant::now();
    let n: u64 = std::env::var("N").ok().and_then(|n| n.parse().ok()).unwrap_or(100);
    let mut bad = 0;
    let mut coverage = world::Coverage::default();
    for seed in 0..n {
        let at = std::time::Instant::now();
        let report = world::run(&world::seeded(seed));
        if at.elapsed().as_millis() > 500 {
            println!("slow {seed:#x} {:?}", at.elapsed());
        }
        coverage.add(&report.coverage);
        if !report.breaches.is_empty() {
            bad += 1;
            if bad < 30 {
                println!("seed {seed:#x}: {}", report.breaches.iter().take(4).cloned().collect::<Vec<_>>().join("; "));
            }
        }
    }
    println!("{bad} of {n} bad, {:?} each", start.elapsed() / u32::try_from(n).unwrap());
    for (what, count) in coverage.counts() {
        println!("{count:>8} {}", what.text());
    }
}

#[test]
fn matrix() {
    let mut count = 0;
    let start = std::time::Instant::now();
    for scenario in world::scenarios() {
        let at = std::time::Instant::now();
        let calm = world::run(&scenario.plan);
        println!("{}: effects {:?} {:?}", scenario.name, calm.effects, calm.breaches);
        let mut bad = 0;
        let all = world::crashes(&scenario, &calm);
        for (name, plan) in &all {
            let report = world::run(plan);
            count += 1;
            if !report.breaches.is_empty() {
                bad += 1;
                if bad < 6 {
                    println!("   {name}: {}", report.breaches.iter().take(3).cloned().collect::<Vec<_>>().join("; "));
                }
            }
        }
        println!("    {bad} of {} bad in {:?}", all.len(), at.elapsed());
    }
    println!("{count} crashes in {:?}", start.elapsed());
}
