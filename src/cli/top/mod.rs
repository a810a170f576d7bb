//! `tollgate top`: a running station's figures, every second.

mod fetch;
mod figures;
mod screen;

use super::{Exit, Failure, Outcome};
use clap::Args;
use figures::Reading;
use std::io::Write;
use std::time::Duration;
use std::time::Instant;

/// Between two readings.
const EVERY: Duration = Duration::from_secs(1);

/// Watch a running station: rate, time by stage, answers, links, queues.
///
/// Reads /metrics of the station every second; its file says where that is (`listen` of its metrics). Figures are those of the
/// last second, and of all the time where nothing happened in it. q, Esc or Ctrl-C ends it.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  tollgate top\n  tollgate top --once\n  tollgate top --url http://10.0.0.7:9464\n\n\
    Exit codes: 0 ended by its user, 1 what answers has no figures of a station, 4 nobody listens there,\n\
    5 no answer in time."
)]
pub(super) struct Top {
    /// Where the station tells its figures
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9464", env = "TOLLGATE_METRICS")]
    url: String,
    /// Print the figures of one second as text, and end
    #[arg(long)]
    once: bool,
}

impl Top {
    /// Shows figures until somebody has seen enough.
    ///
    /// # Errors
    /// Nobody there, or nobody who has figures.
    pub(super) fn run(self, out: &mut dyn Write) -> Outcome {
        let place = fetch::Place::of(&self.url)?;
        let first = read(&place)?;
        if !self.once {
            return screen::watch(&place, first);
        }
        std::thread::sleep(EVERY);
        for line in figures::view(&first, &read(&place)?).lines() {
            writeln!(out, "{line}")?;
        }
        Ok(Exit::Ok)
    }
}

fn read(place: &fetch::Place) -> Result<Reading, Failure> {
    let page = place.get("/metrics")?;
    let reading = Reading::of(&page, Instant::now());
    reading.ok_or_else(|| Failure::new(Exit::No, format!("{place} answers, but not with figures of a station")))
}
