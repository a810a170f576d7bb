//! The thread that watches over a station: it hears the flows, looks around every second, and tells what changed.

use super::board::AlarmEvent;
use super::board::Change;
use super::board::Moment;
use super::ears::Ears;
use super::kind::Severity;
use super::orders::AlarmDesk;
use super::post::HookFault;
use super::post::Post;
use super::watchman::Noted;
use super::watchman::Sample;
use super::watchman::Watchman;
use crate::model::Clock;
use crate::server::Gauges;
use crate::server::SystemClock;
use crate::server::config::Config;
use crate::server::run::Running;
use parking_lot::Mutex;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Every so many looks it is seen which terminals are silent.
const SILENCE_EVERY: u64 = 10;
/// Every so many looks the certificates are read.
const CERTIFICATES_EVERY: u64 = 3_600;
/// Rare events that are looked at in one go.
const AT_ONCE: usize = 256;

/// What the thread and the operator's desk share.
pub(super) struct Shared {
    /// The watchman, and the last change that was told.
    watchman: Mutex<(Watchman, u64)>,
    /// The number of the last change.
    pub(super) changed: watch::Sender<u64>,
    /// Names this run of the station: its changes are numbered from 1.
    pub(super) run: Box<str>,
    clock: SystemClock,
    post: Option<Post>,
}

impl Shared {
    /// Now, by both clocks.
    pub(super) fn now(&self) -> Moment {
        Moment { wall: self.clock.wall(), mono: self.clock.monotonic() }
    }

    /// Does something with the watchman, and tells what changed by it.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Watchman) -> T) -> T {
        let mut inner = self.watchman.lock();
        let (watchman, told) = &mut *inner;
        let done = act(watchman);
        let before = *told;
        while *told < watchman.board().sequence() {
            let events = watchman.board().since(*told);
            for event in events.events {
                log(&event);
                self.post.iter().for_each(|post| post.push(event.clone()));
            }
            *told = events.sequence;
        }
        if *told != before {
            self.changed.send_replace(*told);
        }
        done
    }
}

/// What the alarms of a station need besides the station: read before it starts.
pub struct AlarmPlan {
    shared: Arc<Shared>,
    config: Config,
}

impl AlarmPlan {
    /// Reads what the webhook needs. Paths are relative to `folder`.
    ///
    /// # Errors
    /// Its secret or its authorities are not to be had.
    pub fn read(config: &Config, folder: &Path) -> Result<Self, HookFault> {
        let clock = SystemClock::start();
        let run: Box<str> = clock.wall().to_string().into();
        let post = config.alarms.webhook.as_ref().map(|webhook| Post::new(webhook, folder, (&config.name, &run)));
        let shared = Shared {
            watchman: Mutex::new((Watchman::new(config.alarms.thresholds), 0)),
            changed: watch::Sender::new(0),
            post: post.transpose()?,
            run,
            clock,
        };
        Ok(Self { shared: Arc::new(shared), config: config.clone() })
    }
}

/// Watches over a running station, until it ends or this is dropped.
pub struct AlarmThread {
    shared: Arc<Shared>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl AlarmThread {
    /// Begins to hear and to look, and answers operators' orders about alarms.
    ///
    /// # Errors
    /// No thread.
    pub fn start(plan: AlarmPlan, running: &Running) -> io::Result<Self> {
        let AlarmPlan { shared, config } = plan;
        let (gauges, stop) = (running.gauges(), running.ending().child_token());
        let issuers = gauges.links().into_iter().map(|links| links.issuer);
        let (ears, noted) = Ears::new(issuers, config.alarms.thresholds.silent.is_some());
        let ears = Arc::new(ears);
        let is_first = running.parts().witness.tell_too(Arc::clone(&ears) as Arc<_>)
            && running.attend(Arc::new(AlarmDesk::new(Arc::clone(&shared))));
        if !is_first {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "somebody watches over this station already"));
        }
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (own, stopped) = (Arc::clone(&shared), stop.clone());
        let body = async move {
            let watch = keep_watch(&own, (&ears, noted), &gauges);
            let post = async {
                match &own.post {
                    Some(post) => post.serve().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stopped.cancelled() => {}
                () = watch => {}
                () = post => {}
            }
        };
        let thread = std::thread::Builder::new().name("alarms".to_owned()).spawn(move || runtime.block_on(body))?;
        Ok(Self { shared, stop, thread: Some(thread) })
    }

    /// How many alarms are not over, as long as this lives.
    #[must_use]
    pub fn counts(&self) -> AlarmCounts {
        AlarmCounts(Arc::clone(&self.shared))
    }

    /// Takes something that was noted elsewhere: a hit of a rule of risk. Tells at once what changed.
    pub fn note(&self, noted: &Noted) {
        let at = self.shared.now();
        self.shared.with(|watchman| watchman.noted(noted, at));
    }
}

/// How many alarms are not over, for who counts them.
#[derive(Clone)]
pub struct AlarmCounts(Arc<Shared>);

impl AlarmCounts {
    /// How many there are of each severity.
    #[must_use]
    pub fn open(&self) -> [(Severity, usize); 2] {
        self.0.with(|watchman| {
            let of = |severity| watchman.board().live().filter(|alarm| alarm.severity == severity).count();
            [Severity::Critical, Severity::Warning].map(|severity| (severity, of(severity)))
        })
    }
}

impl Drop for AlarmThread {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join)
            && !std::thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

async fn keep_watch(shared: &Shared, (ears, mut noted): (&Ears, mpsc::Receiver<Noted>), gauges: &Gauges) {
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut count, mut rare) = (0_u64, Vec::with_capacity(AT_ONCE));
    loop {
        tokio::select! {
            _ = looks.tick() => {
                look(shared, ears, gauges, count);
                count += 1;
            }
            _ = noted.recv_many(&mut rare, AT_ONCE) => {
                let at = shared.now();
                shared.with(|watchman| rare.drain(..).for_each(|noted| watchman.noted(&noted, at)));
            }
        }
    }
}

fn look(shared: &Shared, ears: &Ears, gauges: &Gauges, count: u64) {
    let at = shared.now();
    ears.set_now(at.mono);
    let sample = Sample {
        links: gauges.links(),
        owed: gauges.owed(),
        counted: ears.counted(),
        disk_free: gauges.disk_free(),
        endings: count.is_multiple_of(CERTIFICATES_EVERY).then(|| gauges.endings(at.wall.0 / 1_000_000)),
        heard: if count.is_multiple_of(SILENCE_EVERY) { ears.heard() } else { None },
    };
    let missed = ears.missed();
    if missed > 0 {
        tracing::warn!(event = "alarms-missed", missed, "more happened at once than could be looked at");
    }
    shared.with(|watchman| watchman.sampled(&sample, at));
}

/// One line a change; its level says whether a person should look.
fn log(AlarmEvent { sequence, change, alarm }: &AlarmEvent) {
    let (kind, severity, state, change_name) =
        (alarm.kind.name(), alarm.severity.name(), alarm.state.name(), change.name());
    let (id, subject, count, sentence) = (alarm.id, &*alarm.subject, alarm.count, &*alarm.sentence);
    let actor = alarm.acknowledged.as_ref().map(|known| known.actor.as_str());
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                event = "alarm",
                kind,
                subject,
                state,
                count,
                change = change_name,
                severity,
                alarm = id,
                actor,
                sequence,
                "{sentence}"
            )
        };
    }
    match (change, alarm.severity) {
        (Change::Acknowledged | Change::Cleared, _) => line!(info),
        (_, Severity::Warning) => line!(warn),
        (_, Severity::Critical) => line!(error),
    }
}
