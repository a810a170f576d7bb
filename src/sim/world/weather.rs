//! What goes wrong in a world, and for how long.

use super::coverage::Sometimes;
use super::executor::Realm;
use super::executor::Spawner;
use super::nature::Nature;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// Rates in a thousand unless said otherwise; 0 is never.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    /// Messages between terminals and station that are lost.
    pub(super) lost: u32,
    /// The longest way between terminal and station, in milliseconds.
    pub(super) way_ms: u64,
    /// The longest way between station and issuer, in milliseconds.
    pub(super) issuer_way_ms: u64,
    /// Requests that the link of the first issuer does not take, although it is up.
    pub(super) not_taken: u32,
    /// Requests in the middle of which the connection is reset.
    pub(super) torn: u32,
    /// Requests that an issuer never sees.
    pub(super) vanished: u32,
    /// Answers of issuers that never go out.
    pub(super) silent: u32,
    /// Answers of issuers that come after the deadline.
    pub(super) late: u32,
    /// Answers of issuers that come twice.
    pub(super) twice: u32,
    /// Answers of issuers with another STAN.
    pub(super) wrong_stan: u32,
    /// Answers of issuers with another amount.
    pub(super) wrong_amount: u32,
    /// Answers of issuers that are none.
    pub(super) garbage: u32,
    /// Answers of issuers whose MAC is wrong.
    pub(super) wrong_mac: u32,
    /// Reversals and advices that an issuer answers with 96 and does not book.
    pub(super) owed_later: u32,
    /// Of all transactions, those whose reversal or advice an issuer refuses for good.
    pub(super) owed_never: u32,
    /// Whether issuers answer 25 to reversals of what they have not seen, and remember nothing.
    pub(super) forgetful: bool,
    /// Issuer connections reset, half of them while a request is being written.
    pub(super) resets: u32,
    /// Issuer connections that swallow what is written, until somebody notices.
    pub(super) half_open: u32,
    /// Times no issuer can be reached.
    pub(super) links_down: u32,
    /// The longest HSM call, in milliseconds.
    pub(super) hsm_slow_ms: u64,
    /// MACs that come out garbled.
    pub(super) garbled_mac: u32,
    /// Times the HSM goes down.
    pub(super) hsm_outages: u32,
    /// The longest sync, in milliseconds.
    pub(super) sync_ms: u64,
    /// Disk writes and syncs that fail.
    pub(super) disk_errors: u32,
    /// Times the disk fills up.
    pub(super) disk_full: u32,
    /// Times the wall clock jumps.
    pub(super) clock_steps: u32,
}

/// The faults that rage now.
#[derive(Default)]
pub(super) struct Weather(Mutex<Now>);

#[derive(Default)]
struct Now {
    faults: Faults,
    hsm_down: bool,
    disk_full: bool,
    links_down: bool,
    calm: bool,
}

impl Weather {
    pub(super) fn of(faults: Faults) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Now { faults, ..Now::default() })))
    }

    pub(super) fn faults(&self) -> Faults {
        self.0.lock().faults.clone()
    }

    pub(super) fn hsm_is_down(&self) -> bool {
        self.0.lock().hsm_down
    }

    pub(super) fn disk_is_full(&self) -> bool {
        self.0.lock().disk_full
    }

    pub(super) fn set_hsm_down(&self, down: bool) {
        let mut now = self.0.lock();
        now.hsm_down = down && !now.calm;
    }

    pub(super) fn set_disk_full(&self, full: bool) {
        let mut now = self.0.lock();
        now.disk_full = full && !now.calm;
    }

    pub(super) fn links_are_down(&self) -> bool {
        self.0.lock().links_down
    }

    pub(super) fn set_links_down(&self, down: bool) {
        let mut now = self.0.lock();
        now.links_down = down && !now.calm;
    }

    pub(super) fn is_calm(&self) -> bool {
        self.0.lock().calm
    }

    /// Every fault stops, for ever.
    pub(super) fn calm_down(&self) {
        let mut now = self.0.lock();
        let (way_ms, issuer_way_ms) = (now.faults.way_ms.min(200), now.faults.issuer_way_ms.min(200));
        // Whoever refuses for good goes on refusing: that is no fault of the moment.
        let owed_never = now.faults.owed_never;
        let faults = Faults { way_ms, issuer_way_ms, owed_never, ..Faults::default() };
        *now = Now { faults, calm: true, ..Now::default() };
    }
}

/// Starts whoever makes the weather.
pub(super) fn rage(weather: &Arc<Weather>, nature: &Arc<Nature>, spawner: &Spawner) {
    let faults = weather.faults();
    for _ in 0..faults.hsm_outages {
        let (weather, nature) = (Arc::clone(weather), Arc::clone(nature));
        spawner.spawn(Realm::Outside, async move {
            pass(&nature, 100_000).await;
            nature.say("the HSM goes down");
            weather.set_hsm_down(true);
            pass(&nature, 20_000).await;
            nature.say("the HSM is back");
            weather.set_hsm_down(false);
        });
    }
    for _ in 0..faults.links_down {
        let (weather, nature) = (Arc::clone(weather), Arc::clone(nature));
        spawner.spawn(Realm::Outside, async move {
            pass(&nature, 60_000).await;
            let down = nature.draw(|chance| chance.millis(1_000, 40_000));
            links_down(&weather, &nature, down).await;
        });
    }
    for _ in 0..faults.disk_full {
        let (weather, nature) = (Arc::clone(weather), Arc::clone(nature));
        spawner.spawn(Realm::Outside, async move {
            pass(&nature, 20_000).await;
            nature.say("the disk is full");
            weather.set_disk_full(true);
            pass(&nature, 60_000).await;
            nature.say("the disk has room");
            weather.set_disk_full(false);
        });
    }
    for _ in 0..faults.clock_steps {
        let (weather, nature) = (Arc::clone(weather), Arc::clone(nature));
        spawner.spawn(Realm::Outside, async move {
            pass(&nature, 100_000).await;
            let by = nature.draw(|chance| chance.pick(&[60, -60, 61, -59, 480]).copied());
            if !weather.is_calm() {
                nature.step_wall(by.unwrap_or(60));
            }
        });
    }
}

/// No issuer can be reached for so long.
pub(super) async fn links_down(weather: &Weather, nature: &Arc<Nature>, down: Duration) {
    nature.say("no issuer can be reached");
    weather.set_links_down(true);
    nature.after(down).await;
    nature.say("issuers can be reached");
    weather.set_links_down(false);
}

async fn pass(nature: &Arc<Nature>, most_ms: u64) {
    let after = nature.draw(|chance| chance.millis(0, most_ms));
    nature.after(after).await;
}

/// Notes a fault that was drawn.
pub(super) fn hit(nature: &Nature, rate: u32, what: Option<Sometimes>) -> bool {
    let hit = nature.draw(|chance| chance.per_mille(rate));
    if hit && let Some(what) = what {
        nature.sometimes(what);
    }
    hit
}

/// How long something on its way takes.
pub(super) fn way(nature: &Nature, most_ms: u64) -> Duration {
    nature.draw(|chance| chance.millis(1, most_ms.max(2)))
}
