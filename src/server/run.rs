//! A station that runs: workers behind the doors, and one thread for what is owed and who watches.

use super::behind::{Behind, InHand};
use super::config::Config;
use super::config::Loaded;
use super::control::{Control, Lists};
use super::crash::CrashOnPanic;
use super::days;
use super::descriptors;
use super::desk::Desk;
use super::desk::DeskPlace;
use super::expiry;
use super::gauges::Gauges;
use super::hsm;
use super::keeper::Keeper;
use super::reload::Reload;
use super::station::{BuildFault, Built, IssuerAsks, LateAnswers, Real};
use super::tls;
use super::trace;
use super::whereabouts;
use super::{Door, Ending, Plan, Server, Stopper, Tap};
use crate::flow;
use crate::flow::Parts;
use crate::flow::Station;
use crate::ledger::Found;
use crate::ledger::Ledger;
use crate::model::IssuerName;
use futures_util::future::join_all;
use std::collections::HashMap;
use std::future::Future;
use std::future::pending;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

/// Why a station cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    /// It cannot be put together.
    #[error(transparent)]
    Build(#[from] BuildFault),
    /// A door's certificates.
    #[error("door {door}: {fault}")]
    Tls {
        /// Which door.
        door: Box<str>,
        /// What is wrong.
        fault: tls::TlsFault,
    },
    /// An issuer that is owed messages has no row: they would never go.
    #[error(
        "the ledger owes {count} messages to issuer {issuer}, which the station's file does not have: bring its row back"
    )]
    Stranded {
        /// The issuer.
        issuer: IssuerName,
        /// How many messages.
        count: usize,
    },
    /// A port or a thread.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// How often a stop looks whether everything owed is delivered.
const OWED_LOOK: Duration = Duration::from_millis(20);

/// What a start found, and did about it.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// What was in the ledger's folder; `None` if it is in memory.
    pub found: Option<Found>,
    /// Requests of the last run that were decided timed out.
    pub open: usize,
    /// Messages that are owed to issuers.
    pub owed: usize,
    /// How long it took from the file to here.
    pub took: Duration,
}

/// A running station.
pub struct Running {
    server: Server,
    built: Arc<Built>,
    keeper: Option<Keeper>,
    recovered: Recovered,
    config: Config,
    rest: JoinHandle<()>,
    stop_rest: CancellationToken,
    lists: Arc<Lists>,
    desk: DeskPlace,
    gauges: Gauges,
}

impl Running {
    /// Builds and starts a station. Paths of certificates are relative to `folder`.
    ///
    /// # Errors
    /// What kept it from starting; nothing runs then.
    pub fn start(loaded: Loaded, folder: &Path) -> Result<Self, StartFault> {
        let (config, began) = (loaded.config.clone(), Instant::now());
        let listening = config.doors.iter().map(|row| listening(row, folder)).collect::<Result<Vec<_>, _>>()?;
        let doors = config.doors.iter().map(super::station::door).collect::<Result<Vec<_>, _>>()?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (mut built, kept) = runtime.block_on(Built::new(loaded, folder))?;
        let (keeper, found) = kept.unzip();
        let open = runtime.block_on(built.recover()).map_err(BuildFault::from)?;
        if let Some((issuer, count)) = stranded(&built) {
            return Err(StartFault::Stranded { issuer, count });
        }
        let recovered = Recovered { found, open, owed: built.owed(), took: began.elapsed() };
        recovered.log();
        let keys = built.take_keys();
        let built = Arc::new(built);
        let place = config.keeping.folder.as_ref().map(|place| folder.join(place));
        if let Some(place) = &place {
            whereabouts::restore(place, &built.parts().registry.load(), built.parts().sessions.callers());
            runtime.spawn(whereabouts::keep(place.clone(), Arc::clone(&built)));
        }
        runtime.spawn(close_days(&built, &config));
        runtime.spawn(expiry::watch(certificates(&config.doors, folder)));
        if let Some(keys) = keys {
            runtime.spawn(hsm::watch(Arc::clone(&built.parts().hsm), keys, Arc::clone(built.meter())));
        }
        let trace = config.trace.map(|port| runtime.block_on(trace::open(port))).transpose()?;
        let tap = Tap::new();
        let (workers, drain) = (config.workers, config.drain);
        let ceilings = descriptors::within(config.ceilings, descriptors(&built, workers, doors.len()));
        let plan = Plan { doors: listening, ceilings, workers, drain, tap: tap.clone() };
        let counted = (ceilings.in_flight_per_terminal, config.metrics.measures());
        let server = Server::start(plan, worker(&built, doors.clone(), counted))?;
        let stop_rest = CancellationToken::new();
        let watched = trace.map(|listener| (listener, sources(&built, tap, &doors)));
        let lists = Arc::new(Lists::new());
        let control = place.as_ref().and_then(|place| runtime.block_on(control(place)));
        let (desk, certificates) = (DeskPlace::default(), certificates(&config.doors, folder));
        let gauges = Gauges { built: Arc::clone(&built), place, certificates, stopper: server.stopper() };
        let control = control.map(|control| (control, Arc::clone(&lists), Arc::clone(&desk)));
        let rest = rest(runtime, &built, (watched, control), server.stopper(), stop_rest.clone())?;
        Ok(Self { server, built, keeper, recovered, config, rest, stop_rest, lists, desk, gauges })
    }

    /// What the station was started as.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// A look at it while it runs.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        self.gauges.clone()
    }

    /// Cancelled when it has come to its end.
    #[must_use]
    pub fn ending(&self) -> CancellationToken {
        self.stop_rest.clone()
    }

    /// Lets `desk` answer the orders on the operator's socket that the station does not know. There is one such place;
    /// whether it was free.
    #[must_use]
    pub fn attend(&self, desk: Arc<dyn Desk>) -> bool {
        self.desk.set(desk).is_ok()
    }

    /// The doors, with the addresses they really have.
    #[must_use]
    pub fn doors(&self) -> &[Door] {
        self.server.doors()
    }

    /// What the start found.
    #[must_use]
    pub fn recovered(&self) -> &Recovered {
        &self.recovered
    }

    /// Reads the lists again when asked to; `file` is the station's, with which it was started. Operators may ask for it
    /// from then on.
    #[must_use]
    pub fn reload(&self, file: PathBuf) -> Arc<Reload> {
        let make = || Arc::new(Reload::new(file, self.config.clone(), self.parts()));
        Arc::clone(self.lists.get_or_init(make))
    }

    /// Stops it, from anywhere.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.server.stopper()
    }

    /// What the station's threads share: ledger, witness, registry.
    #[must_use]
    pub fn parts(&self) -> &Parts<Real> {
        self.built.parts()
    }

    /// Messages that store-and-forward still owes.
    #[must_use]
    pub fn owed(&self) -> usize {
        self.built.owed()
    }

    /// Drains, and waits until what is owed to issuers is delivered, or `patience` is over.
    ///
    /// # Errors
    /// As [`Running::wait`].
    pub fn finish(self, patience: Duration) -> Result<Ending, LedgerStopped> {
        self.server.stopper().drain();
        self.wait(patience)
    }

    /// Whether the ledger is kept, and what is owed with it.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        self.keeper.is_some()
    }

    /// Waits, blocking, until a stop has come to its end; then up to `patience` until what is owed to issuers
    /// is delivered, which a ledger in memory forgets with the process. At last the ledger is closed.
    ///
    /// # Errors
    /// The ledger failed and the station stopped itself: what it would have answered is not known to be
    /// kept.
    pub fn wait(self, patience: Duration) -> Result<Ending, LedgerStopped> {
        let stopper = self.server.stopper();
        let mut ending = self.server.wait();
        if !stopper.is_forced() {
            settle(&self.built, &stopper, patience);
        }
        let owed = self.built.owed();
        if owed > 0 && self.keeper.is_some() {
            tracing::info!(event = "owed", count = owed, "what is owed to issuers stays in the ledger");
        } else if owed > 0 {
            tracing::error!(event = "owed", count = owed, "reversals are still owed to issuers");
            ending = Ending::Forced;
        }
        self.stop_rest.cancel();
        if let Err(panic) = self.rest.join() {
            std::panic::resume_unwind(panic);
        }
        if let Some(place) = &self.gauges.place {
            whereabouts::save(place, self.built.parts().sessions.callers());
        }
        hsm::conclude(&self.built.parts().hsm);
        let why = self.keeper.and_then(Keeper::close);
        match why {
            Some(why) => Err(LedgerStopped(why)),
            None if self.built.parts().failed.is_cancelled() => {
                Err(LedgerStopped("what it holds contradicts itself".to_owned()))
            }
            None => Ok(ending),
        }
    }
}

impl Recovered {
    fn log(&self) {
        let Self { found, open, owed, took } = self;
        if let Some(Found { is_new, transactions, groups, torn, snapshot, refused }) = found {
            let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            let snapshot = snapshot.unwrap_or(0);
            tracing::info!(
                event = "ledger",
                is_new,
                transactions,
                snapshot,
                groups,
                open,
                owed,
                millis,
                "the ledger is open"
            );
            for fault in refused {
                tracing::error!(event = "snapshot-refused", fault, "a snapshot was not used: more was read instead");
            }
            if let Some(torn) = torn {
                let (file, offset, bytes) = (&torn.place.file, torn.place.offset, torn.bytes);
                tracing::warn!(
                    event = "torn",
                    file,
                    offset,
                    bytes,
                    "an unfinished group at the end was cut: nobody was told of it"
                );
            }
        }
        if *open > 0 {
            tracing::warn!(event = "recovered", open, "requests of the last run are decided timed out");
        }
    }
}

/// Decides what the drain left open, and waits until what is owed is delivered.
fn settle(built: &Built, stopper: &Stopper, patience: Duration) {
    match Builder::new_current_thread().build().map(|runtime| runtime.block_on(built.recover())) {
        Ok(Ok(0)) => {}
        Ok(Ok(open)) => tracing::warn!(event = "recovered", open, "requests still running are decided timed out"),
        Ok(Err(fault)) => tracing::error!(event = "ledger-failed", fault = %fault, "the ledger failed while stopping"),
        Err(error) => tracing::error!(event = "stop", fault = %error, "no runtime to decide what is open"),
    }
    let started = Instant::now();
    while built.owed() > 0 && !stopper.is_forced() && started.elapsed() < patience {
        std::thread::sleep(OWED_LOOK);
    }
}

/// The ledger failed, and the station stopped itself: why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the ledger failed, and the station stopped itself: {0}")]
pub struct LedgerStopped(String);

/// An issuer that is owed messages and has no row.
fn stranded(built: &Built) -> Option<(IssuerName, usize)> {
    let registry = built.parts().registry.load();
    built.parts().ledger.owed().into_iter().find(|(issuer, _)| registry.issuer(issuer).is_none())
}

/// The certificate files of all doors.
fn certificates(doors: &[super::config::Door], folder: &Path) -> Vec<PathBuf> {
    let files = doors.iter().filter_map(|door| door.tls.as_ref());
    let files = files.flat_map(|tls| [Some(&tls.certificate), tls.client_ca.as_ref()]);
    files.flatten().map(|file| folder.join(file)).collect()
}

/// File descriptors that a running station has besides those for sessions and of the ledger.
fn descriptors(built: &Built, workers: usize, doors: usize) -> usize {
    /// Of a worker's runtime, and one for a connection that is refused.
    const OF_A_WORKER: usize = 6;
    let workers = if workers == 0 { std::thread::available_parallelism().map_or(1, usize::from) } else { workers };
    let links: usize = built.parts().registry.load().issuers().map(|issuer| usize::from(issuer.connections)).sum();
    // Store-and-forward has links of its own.
    workers * (OF_A_WORKER + doors + links) + links
}

fn listening(row: &super::config::Door, folder: &Path) -> Result<Door, StartFault> {
    let tls = row.tls.as_ref().map(|files| tls::door(folder, files)).transpose();
    let tls = tls.map_err(|fault| StartFault::Tls { door: row.name.clone(), fault })?;
    let profile = super::station::profile(&row.profile)?;
    Ok(Door { name: row.name.clone(), listen: row.listen, profile, allow: row.allow.clone(), tls })
}

/// What each worker makes for itself: a station with links of its own.
fn worker(
    built: &Arc<Built>,
    doors: Vec<flow::Door>,
    (most, measured): (usize, bool),
) -> impl Fn(usize) -> Arc<Behind> + Clone + Send + 'static {
    let built = Arc::clone(built);
    let in_hand = Arc::new(InHand::default());
    move |_| {
        let (station, late, asks) = built.station();
        let station = Arc::new(station);
        for answers in late {
            tokio::spawn(note_late(Arc::clone(&station), answers));
        }
        for asked in asks {
            tokio::spawn(serve_issuer(Arc::clone(&station), asked));
        }
        let meter = built.meter().worker(doors.iter().map(|door| door.name.as_str()), measured);
        Arc::new(Behind::new(station, &doors, (Arc::clone(&in_hand), most), meter))
    }
}

async fn note_late(station: Arc<Station<Real>>, (issuer, mut answers): LateAnswers) {
    let _crash = CrashOnPanic;
    while let Some(received) = answers.recv().await {
        station.late(&issuer, received).await;
    }
}

/// Serves what an issuer asks of us, one after the other.
async fn serve_issuer(station: Arc<Station<Real>>, (issuer, mut asks): IssuerAsks) {
    let _crash = CrashOnPanic;
    while let Some(asked) = asks.recv().await {
        if let Some(answer) = station.issuer_asks(&issuer, &asked.received).await
            && !asked.answer(answer)
        {
            tracing::warn!(event = "issuer-asks", issuer = %issuer, "the issuer is gone before it was answered");
        }
    }
}

/// Closes old business dates, for as long as it is driven.
fn close_days(built: &Built, config: &Config) -> impl Future<Output = ()> + Send + 'static {
    let (ledger, keeping) = (Arc::clone(&built.parts().ledger), config.keeping.clone());
    let registry = Arc::clone(&built.parts().registry);
    async move { days::close_old_days(&ledger, &keeping, &registry).await }
}

/// The operator's socket; a station without one runs on, and says so.
async fn control(folder: &Path) -> Option<Control> {
    let opened = Control::open(folder);
    if let Err(error) = &opened {
        tracing::error!(event = "control", fault = %error, "no socket for operators: batches cannot be closed for terminals");
    }
    opened.ok()
}

fn sources(built: &Built, tap: Tap, doors: &[flow::Door]) -> Arc<trace::Sources> {
    let profiles = doors.iter().map(|door| (door.name.as_str().into(), Arc::clone(&door.profile)));
    let profiles: HashMap<_, _> = profiles.collect();
    Arc::new(trace::Sources { watch: Arc::clone(&built.parts().witness), tap, profiles })
}

/// The trace door, and what it shows.
type Watched = (TcpListener, Arc<trace::Sources>);
/// The operators' socket, and who answers there what the station does not.
type Attended = (Control, Arc<Lists>, DeskPlace);

/// The thread beside the workers: store-and-forward to every issuer, the trace door, operators' orders, and the watch
/// over the ledger.
fn rest(
    runtime: Runtime,
    built: &Arc<Built>,
    (watched, attended): (Option<Watched>, Option<Attended>),
    stopper: Stopper,
    stop: CancellationToken,
) -> io::Result<JoinHandle<()>> {
    let built = Arc::clone(built);
    let body = async move {
        let _crash = CrashOnPanic;
        let (station, late, asks) = built.station();
        let station = Arc::new(station);
        let names: Vec<_> = late.iter().map(|(name, _)| name.clone()).collect();
        for answers in late {
            tokio::spawn(note_late(Arc::clone(&station), answers));
        }
        for asked in asks {
            tokio::spawn(serve_issuer(Arc::clone(&station), asked));
        }
        if let Some((listener, sources)) = watched {
            tokio::spawn(trace::serve(listener, sources));
        }
        if let Some((control, lists, desk)) = attended {
            tokio::spawn(control.serve(Arc::clone(&station), lists, desk));
        }
        let failed = built.parts().failed.clone();
        tokio::spawn(async move {
            failed.cancelled().await;
            stopper.force();
        });
        let spaces = built.spaces();
        let owed = join_all(names.iter().map(|name| station.forward(name)));
        // What ends of these, without issuers or with a ledger that failed, must not end the watch.
        let work = async { tokio::join!(owed, station.keep_stans(&spaces)) };
        tokio::select! {
            () = stop.cancelled() => {}
            () = async { drop(work.await); pending().await } => {}
        }
    };
    std::thread::Builder::new().name("forward".to_owned()).spawn(move || runtime.block_on(body))
}
