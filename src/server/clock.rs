//! The machine's time.

use crate::model::Clock;
use crate::model::Timestamp;
use std::future::Future;
use std::time::{Duration, Instant, SystemTime};

/// Wall clock and monotonic clock of the machine; deadlines by the runtime that waits for them.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// Its monotonic time begins now.
    #[must_use]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn wall(&self) -> Timestamp {
        let micros = |span: Duration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Timestamp(match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => micros(after),
            Err(before) => -micros(before.duration()),
        })
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn deadline(&self, after: Duration) -> impl Future<Output = ()> + Send + 'static {
        tokio::time::sleep(after)
    }
}
