//! `kill -9` at any moment, again and again: terminals, ledger and issuers agree to the cent.

use super::process::Station;
use super::traffic::Traffic;
use std::collections::BTreeMap;
use std::time::Duration;
use std::time::SystemTime;
use tollgate::model::Rrn;
use tollgate::sim::load::Belief;

/// How often the process dies: by itself few times, for an hour's watch many.
const ROUNDS: &str = "TOLLGATE_KILL_ROUNDS";
/// Where the moments come from, to repeat a run as far as a real machine repeats anything.
const SEED: &str = "TOLLGATE_KILL_SEED";

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn a_station_that_is_killed_again_and_again_loses_nothing() {
    let rounds = number(ROUNDS).unwrap_or(10);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let mut seed = number(SEED).unwrap_or(now.as_secs());
    println!("{ROUNDS}={rounds} {SEED}={seed} cargo test --test behaviour killed_again -- --nocapture");
    let mut station = Station::kept();
    station.start();
    let traffic = Traffic::start(station.door(), 120.0, seed);
    for round in 0..rounds {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_millis(300 + (seed >> 33) % 1_200));
        station.kill();
        if round % 5 == 0 {
            verified(&station);
        }
        station.start();
    }
    let (sent, approved) = traffic.so_far();
    let beliefs = traffic.finish();
    station.await_finished();
    assert!(station.stop().success());
    verified(&station);
    agree(&station, &beliefs);
    println!("{rounds} kills, {sent} sales sent, {approved} approved: terminals, ledger and issuers agree");
    assert!(approved > rounds, "there was traffic");
}

pub(super) fn verified(station: &Station) {
    let verdict = station.ledger("verify", &[]);
    let (said, why) = (String::from_utf8_lossy(&verdict.stdout), String::from_utf8_lossy(&verdict.stderr));
    assert!(verdict.status.success(), "{said}{why}");
}

/// Three records of the same sales, kept by three parties, of which one died again and again.
pub(super) fn agree(station: &Station, beliefs: &[Belief]) {
    let standing = station.standing();
    let ours: BTreeMap<Rrn, u64> = standing.iter().map(|(rrn, (_, amount))| (*rrn, *amount)).collect();
    assert_eq!(ours, station.booked(), "ledger and issuers");
    let mut believed = BTreeMap::new();
    for belief in beliefs {
        assert!(!belief.unresolved, "terminal {} has a reversal that nobody took", belief.terminal);
        for (rrn, amount) in &belief.sales {
            believed.insert(*rrn, (belief.terminal.to_string(), amount.minor()));
        }
    }
    assert_eq!(standing, believed, "ledger and terminals");
}
