//! Alarms: what raises and clears them, who acknowledges them, who is told.

mod board;
mod detectors;
mod file;
mod station;
mod webhook;

use std::time::Duration;
use tollgate::model::Timestamp;
use tollgate::ops::alarms::Moment;

/// So many milliseconds after a start at which both clocks were read.
fn ms(after: u64) -> Moment {
    Moment {
        wall: Timestamp(1_795_000_000_000_000 + i64::try_from(after).unwrap() * 1_000),
        mono: Duration::from_millis(after),
    }
}

fn s(after: u64) -> Moment {
    ms(after * 1_000)
}
