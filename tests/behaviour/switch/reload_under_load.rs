//! Lists that are read again while terminals sell: no line is dropped, and every decision is by the old rows or the new.

use super::CARD_A;
use super::rig::{Recipe, Rig, Till};
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use tollgate::model::Kind;
use tollgate::model::ResponseCode;

/// Terminals that sell.
const TILLS: u32 = 6;
/// How often the lists change.
const RELOADS: u32 = 24;

/// Every terminal may sell up to `most` minor units; `broken`: the last line is none.
fn terminals(most: u32, broken: bool) -> String {
    let mut text = "terminal,merchant,most\n".to_owned();
    for serial in 1..=200 {
        writeln!(text, "{},89811005411{serial:04},{most}", 10_000_000 + serial).unwrap();
    }
    if broken {
        text.push_str("10000201,898110054110201,no\n");
    }
    text
}

/// The answer to a sale of so much.
fn sale(till: &mut Till, minor: u64) -> ResponseCode {
    till.ask(Kind::Sale, minor, CARD_A).code.unwrap()
}

#[test]
fn lists_change_under_load_and_no_line_is_dropped_and_no_decision_wrong() {
    let lists = [("terminals.csv", &*terminals(10_00, false))];
    let rig = Rig::of(&Recipe { lists: &lists, ..Recipe::default() });
    let (over, sold) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for number in 0..TILLS {
            let (rig, over, sold) = (&rig, &over, &sold);
            scope.spawn(move || {
                let mut till = rig.signed_in(10_000_010 + number);
                while !over.load(Ordering::Relaxed) {
                    // One line for all of it: what the switch drops ends the test.
                    assert_eq!(sale(&mut till, 5_00), ResponseCode::Approved, "under any of the lists");
                    assert_eq!(sale(&mut till, 25_00), ResponseCode::AmountLimit, "under none of the lists");
                    let between = sale(&mut till, 15_00);
                    assert!(matches!(between, ResponseCode::Approved | ResponseCode::AmountLimit), "{between}");
                    sold.fetch_add(3, Ordering::Relaxed);
                }
            });
        }
        let mut till = rig.signed_in(10_000_001);
        for round in 0..RELOADS {
            let (most, broken) = match round % 3 {
                0 => (20_00, false),
                1 => (20_00, true),
                _ => (10_00, false),
            };
            std::fs::write(rig.file("terminals.csv"), terminals(if broken { 99_00 } else { most }, broken)).unwrap();
            assert_eq!(rig.reload().is_err(), broken);
            let expected = if most == 20_00 { ResponseCode::Approved } else { ResponseCode::AmountLimit };
            assert_eq!(sale(&mut till, 15_00), expected, "round {round}: what was read last counts at once");
        }
        over.store(true, Ordering::Relaxed);
    });
    assert!(sold.load(Ordering::Relaxed) >= TILLS * 3, "the terminals sold meanwhile");
}
