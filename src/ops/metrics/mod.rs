//! A station's figures for who watches it: `GET /metrics` in the text of Prometheus, `/livez`, `/readyz`, `/links`.
//!
//! What is counted is in [`crate::server::meter`], each worker for itself; here it is added up when somebody asks.

mod figures;
mod health;
mod listen;
mod page;
mod process;
mod text;

pub use health::Readiness;
pub use listen::{MetricsPlan, MetricsThread};
pub use text::{Sample, TextFault, read};

use super::alarms::AlarmCounts;
use crate::server::Gauges;

/// What the figures are taken from.
struct Sources {
    gauges: Gauges,
    alarms: Option<AlarmCounts>,
}
