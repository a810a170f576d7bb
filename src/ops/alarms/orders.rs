//! What an operator asks about alarms at the station's socket. A console uses the same; `specs/schemas/alarm.json` is
//! the JSON of all answers.
//!
//! `{"do":"alarms","all":true}`
//! `{"do":"alarms-since","sequence":17}` waits up to [`LONG_POLL`] until something changes
//! `{"do":"acknowledge","alarm":3,"actor":"alice","reason":"the bank is on it"}`

use super::board::Alarm;
use super::run::Shared;
use crate::server::Desk;
use crate::server::control::signed;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::future::ready;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How long is waited for something to change.
pub const LONG_POLL: Duration = Duration::from_secs(5);
/// Who may wait at once; others are answered as it is.
const WAITING: usize = 16;
/// The words by which these orders are known.
const WORDS: [&str; 3] = ["alarms", "alarms-since", "acknowledge"];

/// What is asked.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum AlarmOrder {
    /// The live alarms.
    Alarms {
        /// Also the last ones that are over.
        #[serde(default)]
        all: bool,
    },
    /// What changed after a number, as soon as something did.
    AlarmsSince {
        /// The number that the last answer gave.
        sequence: u64,
    },
    /// Somebody knows.
    Acknowledge {
        /// Its number.
        alarm: u64,
        /// Who says so.
        actor: String,
        /// What they say.
        reason: String,
    },
}

/// Answers orders about alarms.
pub(super) struct AlarmDesk {
    shared: Arc<Shared>,
    waiting: Arc<Semaphore>,
}

impl AlarmDesk {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, waiting: Arc::new(Semaphore::new(WAITING)) }
    }
}

impl Desk for AlarmDesk {
    fn answer(&self, line: &str) -> Option<BoxFuture<'static, Value>> {
        let order: Value = serde_json::from_str(line).ok()?;
        let word = order.get("do")?.as_str()?;
        if !WORDS.contains(&word) {
            return None;
        }
        let shared = Arc::clone(&self.shared);
        Some(match serde_json::from_value(order) {
            Ok(AlarmOrder::Alarms { all }) => ready(list(&shared, all)).boxed(),
            Ok(AlarmOrder::AlarmsSince { sequence }) => {
                let waiting = Arc::clone(&self.waiting);
                async move { since(&shared, &waiting, sequence).await }.boxed()
            }
            Ok(AlarmOrder::Acknowledge { alarm, actor, reason }) => {
                ready(match acknowledge(&shared, alarm, (&actor, &reason)) {
                    Ok(alarm) => json!({ "ok": true, "alarm": alarm }),
                    Err(why) => refused(&why),
                })
                .boxed()
            }
            Err(_) => ready(refused("not an order that this station knows")).boxed(),
        })
    }
}

fn refused(why: &str) -> Value {
    json!({ "ok": false, "error": why })
}

fn list(shared: &Shared, all: bool) -> Value {
    shared.with(|watchman| {
        let board = watchman.board();
        let cleared = board.cleared().filter(|_| all);
        let alarms: Vec<&Alarm> = board.live().chain(cleared).collect();
        json!({ "ok": true, "run": shared.run, "sequence": board.sequence(), "alarms": alarms })
    })
}

async fn since(shared: &Shared, waiting: &Semaphore, sequence: u64) -> Value {
    if let Ok(_place) = waiting.try_acquire() {
        let mut changed = shared.changed.subscribe();
        // In time or not, what there is is answered.
        let _ = timeout(LONG_POLL, changed.wait_for(|last| *last != sequence)).await;
    }
    let events = shared.with(|watchman| watchman.board().since(sequence));
    json!({
        "ok": true, "run": shared.run, "sequence": events.sequence, "missed": events.missed, "events": events.events,
    })
}

fn acknowledge(shared: &Shared, alarm: u64, (actor, reason): (&str, &str)) -> Result<Alarm, String> {
    signed(actor, reason)?;
    let at = shared.now();
    let known = shared.with(|watchman| watchman.board_mut().acknowledge(alarm, (actor, reason), at));
    let known = known.map_err(|fault| fault.to_string())?;
    tracing::warn!(event = "control", actor, reason, alarm, "an operator acknowledges an alarm");
    Ok(known)
}
