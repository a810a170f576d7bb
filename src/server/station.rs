//! Puts a station together: HSM, ledger, sealer, registry and links, as its file says.

use super::clock::SystemClock;
use super::config;
use super::config::Keeping;
use super::config::Loaded;
use super::ended;
use super::entropy::SystemEntropy;
use super::gauges::Links;
use super::hsm;
use super::hsm::{HsmFault, OpenHsm, Opening, Watched};
use super::in_force::InForce;
use super::keeper;
use super::keeper::Keeper;
use super::keeper::KeeperFault;
use super::meter::JournalMeter;
use super::meter::StationMeter;
use super::standing_said;
use super::watch::Watch;
use crate::channel;
use crate::channel::Profile;
use crate::channel::Received;
use crate::flow::DataKeyFault;
use crate::flow::Door;
use crate::flow::DoorKeys;
use crate::flow::Issuer;
use crate::flow::IssuerKeys;
use crate::flow::Parts;
use crate::flow::Station;
use crate::flow::World;
use crate::flow::open_sealer;
use crate::hsm::Backend;
use crate::hsm::BdKey;
use crate::hsm::DataKeySealer;
use crate::hsm::KeyRef;
use crate::hsm::MacKey;
use crate::hsm::PinKey;
use crate::ledger::EmbeddedLedger;
use crate::ledger::Found;
use crate::ledger::Ledger;
use crate::ledger::LedgerFault;
use crate::ledger::journal::JournalFault;
use crate::link::IssuerLink;
use crate::link::StanSpace;
use crate::link::tcp::Asked;
use crate::link::tcp::TcpLink;
use crate::link::tcp::TcpLinkSetup;
use crate::model::Clock;
use crate::model::IssuerName;
use crate::model::KeyName;
use crate::model::RateTable;
use crate::model::Stan;
use crate::model::ZoneFacts;
use crate::model::ZoneUse;
use crate::registry;
use crate::registry::Registry;
use crate::registry::Sessions;
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Weak;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Late answers that may wait to be noted; further ones are counted and dropped.
const LATE_WAITING: usize = 1024;
/// Requests of one issuer that wait to be served; more are ignored.
const ASKS_WAITING: usize = 64;

/// An issuer and the answers it gives too late.
pub type LateAnswers = (IssuerName, mpsc::Receiver<Received>);
/// Requests that an issuer makes of us.
pub type IssuerAsks = (IssuerName, mpsc::Receiver<Asked>);

/// The real world: what `serve` and `demo` run.
pub struct Real;

impl World for Real {
    type Hsm = Backend;
    type Ledger = EmbeddedLedger;
    type Link = TcpLink;
    type Clock = SystemClock;
    type Sealer = DataKeySealer;
    type Witness = Watch;
}

/// Why a station cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildFault {
    /// A profile that is not there.
    #[error("no profile {0:?}")]
    Profile(String),
    /// A door's keys are not those of its profile.
    #[error("door {0}: dukpt_key and a profile for DUKPT devices go together")]
    DoorKeys(String),
    /// The HSM is not to be had, or refused its keys.
    #[error(transparent)]
    Hsm(#[from] HsmFault),
    /// The ledger's folder: another process has it, or what is in it cannot be believed.
    #[error("{0}")]
    Journal(Box<JournalFault>),
    /// No room or no threads for the ledger.
    #[error("the ledger cannot be kept in {}: {fault}", folder.display())]
    Keeper {
        /// Its folder.
        folder: PathBuf,
        /// What the operating system said.
        fault: io::Error,
    },
    /// The ledger's keys are another HSM's, or under another master key.
    #[error("the ledger in {} is not under the keys of {keeper}: {fault}; \
        name its own master key as [hsm] master, or the HSM that it was made with", folder.display())]
    Foreign {
        /// The ledger's folder.
        folder: PathBuf,
        /// Whose keys were tried.
        keeper: String,
        /// Which key does not open.
        fault: DataKeyFault,
    },
    /// No keys to seal card numbers with.
    #[error(transparent)]
    DataKey(DataKeyFault),
    /// The ledger could not recover.
    #[error(transparent)]
    Ledger(#[from] LedgerFault),
}

impl From<JournalFault> for BuildFault {
    fn from(fault: JournalFault) -> Self {
        Self::Journal(Box::new(fault))
    }
}

/// What all links to one issuer share.
struct IssuerSide {
    row: Arc<registry::Issuer>,
    profile: Arc<Profile>,
    stans: Arc<StanSpace>,
}

/// A station without its threads: what all workers share.
pub struct Built {
    parts: Parts<Real>,
    issuers: Vec<IssuerSide>,
    in_flight: usize,
    /// The links of all workers, for those who look.
    links: Mutex<Vec<Weak<TcpLink>>>,
    meter: Arc<StationMeter>,
    /// Keys that the HSM is asked for behind the start, until somebody takes them.
    keys: Option<Watched>,
}

/// The ledger as it was opened: with its threads and what was found, if it is kept.
struct Memory {
    ledger: Arc<EmbeddedLedger>,
    kept: Option<(Keeper, Found)>,
    /// Its folder, if it is kept.
    place: Option<PathBuf>,
}

impl Built {
    /// Opens the ledger and the HSM, the sealing keys, and takes the registry. Paths are relative to `folder`.
    /// A ledger that is kept comes with its threads and what was found in it.
    ///
    /// # Errors
    /// A ledger that cannot be believed or is another's; a key that is unusable or not to be had; a profile
    /// that is not there.
    pub async fn new(loaded: Loaded, folder: &Path) -> Result<(Self, Option<(Keeper, Found)>), BuildFault> {
        let (entropy, failed) = (Arc::new(SystemEntropy), CancellationToken::new());
        let meter = Arc::<StationMeter>::default();
        let keeping = &loaded.config.keeping;
        let Memory { ledger, kept, place } = open_ledger(keeping, folder, &failed, &meter.journal)?;
        // The token key is the first thing that is kept: without it there is nothing under any master key.
        let is_new = ledger.data_keys().is_empty();
        let ledger_place = (place.as_deref().unwrap_or(Path::new("")), is_new);
        let opening = Opening { folder, ledger: ledger_place, entropy: &entropy };
        let OpenHsm { backend, keys } = hsm::open(&loaded.config, (loaded.keys, loaded.stated), &opening).await?;
        let hsm = Arc::new(backend);
        let keeper = || hsm::keeper(&loaded.config.hsm, folder);
        let sealer = open_sealer(&*hsm, &*ledger, Arc::clone(&entropy) as Arc<_>).await;
        let sealer = sealer.map_err(|fault| match (fault, place) {
            (fault @ DataKeyFault::Foreign { .. }, Some(folder)) => {
                BuildFault::Foreign { folder, keeper: keeper(), fault }
            }
            (fault, _) => BuildFault::DataKey(fault),
        })?;
        let sessions = Arc::new(Sessions::default());
        sessions.refill(ledger.terminals());
        sessions.refill_zones(ledger.zones());
        tell_zones(&loaded.registry, &sessions);
        let in_force = InForce { registry: &loaded.registry, digest: loaded.digest, checks: &loaded.checks };
        in_force.note(&*ledger, "switch", "the station's start").await;
        let at = loaded.registry.at().unwrap_or_else(|| SystemClock::start().wall());
        let files = standing_said::Files { folder: folder.to_owned(), lists: loaded.config.lists.clone(), at };
        ended::note(&loaded.registry, &*ledger, |subjects| files.places(subjects)).await;
        let side = |row: &Arc<registry::Issuer>| {
            let stans = Arc::new(stans(ledger.last_stan(&row.name)));
            Ok(IssuerSide { row: Arc::clone(row), profile: profile(&row.profile)?, stans })
        };
        let issuers = loaded.registry.issuers().map(side).collect::<Result<Vec<_>, BuildFault>>()?;
        let built = Self {
            issuers,
            links: Mutex::default(),
            meter,
            keys: Some(keys),
            in_flight: loaded.config.ceilings.in_flight_per_link,
            parts: Parts {
                hsm,
                ledger,
                clock: Arc::new(SystemClock::start()),
                sealer: Arc::new(sealer),
                witness: Arc::new(Watch::default()),
                registry: Arc::new(ArcSwap::from_pointee(loaded.registry)),
                checks: Arc::new(ArcSwap::from_pointee(loaded.checks)),
                rates: Arc::new(ArcSwap::from_pointee(RateTable(Some(Box::new(loaded.fees))))),
                sessions,
                failed,
            },
        };
        Ok((built, kept))
    }

    /// The keys that the HSM is still to be asked for; once.
    pub(super) fn take_keys(&mut self) -> Option<Watched> {
        self.keys.take()
    }

    /// What the station's threads share.
    #[must_use]
    pub fn parts(&self) -> &Parts<Real> {
        &self.parts
    }

    /// One worker's station with links of its own, driven by the current runtime. Late answers come to
    /// the receivers.
    #[must_use]
    pub fn station(&self) -> (Station<Real>, Vec<LateAnswers>, Vec<IssuerAsks>) {
        let (mut issuers, mut noted, mut served) = (Vec::new(), Vec::new(), Vec::new());
        for side in &self.issuers {
            let (late, answers) = mpsc::channel(LATE_WAITING);
            let (asked, asks) = mpsc::channel(ASKS_WAITING);
            issuers.push(self.issuer(side, late, asked));
            served.push((side.row.name.clone(), asks));
            noted.push((side.row.name.clone(), answers));
        }
        (Station::new(self.parts.clone(), issuers), noted, served)
    }

    fn issuer(&self, side: &IssuerSide, late: mpsc::Sender<Received>, asked: mpsc::Sender<Asked>) -> Issuer<TcpLink> {
        let IssuerSide { row, profile, stans } = side;
        let (name, address) = (row.name.clone(), row.address.to_string());
        let mut setup = TcpLinkSetup::new(name, address, Arc::clone(profile), Arc::clone(stans));
        setup.connections = usize::from(row.connections);
        setup.in_flight = self.in_flight;
        setup.idle = row.echo;
        setup.sign_on = row.sign_on;
        setup.late = Some(late);
        setup.asked = Some(asked);
        let keys = IssuerKeys {
            mac: MacKey(KeyRef::Named(row.mac_key.clone())),
            pin: PinKey(KeyRef::Named(row.pin_key.clone())),
        };
        let link = Arc::new(TcpLink::start(setup));
        self.links.lock().push(Arc::downgrade(&link));
        Issuer { profile: Arc::clone(profile), keys, timeout: row.timeout, link }
    }

    /// The links to each issuer as they are now.
    #[must_use]
    pub fn links(&self) -> Vec<Links> {
        let links = self.every_link();
        let of = |side: &IssuerSide| {
            let own = links.iter().filter(|link| *link.issuer() == side.row.name);
            let (up, of) = own.fold((0, 0), |(up, of), link| (up + usize::from(link.is_up()), of + 1));
            Links { issuer: side.row.name.clone(), up, of }
        };
        self.issuers.iter().map(of).collect()
    }

    /// What is counted of the station.
    #[must_use]
    pub fn meter(&self) -> &Arc<StationMeter> {
        &self.meter
    }

    /// Every link there is, of all workers and of store-and-forward.
    pub(super) fn every_link(&self) -> Vec<Arc<TcpLink>> {
        self.links.lock().iter().filter_map(Weak::upgrade).collect()
    }

    /// Decides what an earlier run left open. Before the first door opens.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn recover(&self) -> Result<usize, LedgerFault> {
        Station::<Real>::new(self.parts.clone(), Vec::new()).recover().await
    }

    /// The issuers' trace numbers, as all workers' links use them.
    #[must_use]
    pub fn spaces(&self) -> Vec<(IssuerName, Arc<StanSpace>)> {
        self.issuers.iter().map(|side| (side.row.name.clone(), Arc::clone(&side.stans))).collect()
    }

    /// Messages that store-and-forward still owes.
    #[must_use]
    pub fn owed(&self) -> usize {
        self.parts.ledger.owed().iter().map(|(_, count)| count).sum()
    }
}

/// A door as flows see it.
///
/// # Errors
/// If its profile is not there, or its keys are of another kind.
pub fn door(row: &config::Door) -> Result<Door, BuildFault> {
    let profile = profile(&row.profile)?;
    let named = |name: &KeyName| KeyRef::Named(name.clone());
    let keys = match (&row.dukpt_key, profile.dukpt, row.mac_key.as_ref().zip(row.pin_key.as_ref())) {
        (Some(base), Some(scheme), _) => DoorKeys::Dukpt { base: BdKey(named(base)), scheme },
        (None, None, Some((mac, pin))) => DoorKeys::Fixed { mac: MacKey(named(mac)), pin: PinKey(named(pin)) },
        (None, None, None) => DoorKeys::Issued,
        _ => return Err(BuildFault::DoorKeys(row.name.to_string())),
    };
    Ok(Door { name: row.name.to_string(), profile, keys, legacy_single_des: row.legacy_single_des })
}

/// A built-in profile.
pub(super) fn profile(name: &str) -> Result<Arc<Profile>, BuildFault> {
    channel::builtin::profile(name).ok_or_else(|| BuildFault::Profile(name.to_owned()))
}

/// The ledger that the file asks for: kept in a folder, or in memory.
fn open_ledger(
    keeping: &Keeping,
    folder: &Path,
    failed: &CancellationToken,
    meter: &Arc<JournalMeter>,
) -> Result<Memory, BuildFault> {
    let Some(place) = &keeping.folder else {
        tracing::warn!(event = "volatile", "the ledger is in memory: it ends with this process");
        let ledger = Arc::new(EmbeddedLedger::volatile(keeping.capacity));
        ledger.set_follow_terms(keeping.follow_ups);
        return Ok(Memory { ledger, kept: None, place: None });
    };
    let place = folder.join(place);
    let opened = keeper::open(&place, keeping, &SystemEntropy)?;
    let started = Keeper::start_counting(opened, &place, keeping, failed.clone(), Arc::clone(meter));
    let (ledger, found, keeper) = started.map_err(|fault| match fault {
        KeeperFault::Journal(fault) => BuildFault::from(fault),
        KeeperFault::Io(fault) => BuildFault::Keeper { folder: place.clone(), fault },
    })?;
    ledger.set_follow_terms(keeping.follow_ups);
    Ok(Memory { ledger: Arc::new(ledger), kept: Some((keeper, found)), place: Some(place) })
}

/// A link's STANs: on from the last one on record, or from where the last start of today most likely did not.
fn stans(last: Option<Stan>) -> StanSpace {
    let seconds = SystemClock::start().wall().0 / 1_000_000;
    let by_clock = || u32::try_from(seconds.rem_euclid(86_400) * 11 + 1).ok().and_then(Stan::new);
    last.map_or_else(|| StanSpace::starting_at(by_clock().unwrap_or(Stan::FIRST)), StanSpace::resuming)
}

/// Says which issuers' keys are not those of the files any more: a key list looks as if they were.
fn tell_zones(registry: &Registry, sessions: &Sessions) {
    for row in registry.issuers() {
        for (which, key) in [(ZoneUse::Pin, &row.pin_key), (ZoneUse::Mac, &row.mac_key)] {
            let generation = |facts: &ZoneFacts| facts.line(which, key).current.generation;
            let changed = sessions.read_zone(&row.name, generation).filter(|generation| *generation > 0);
            if let Some(generation) = changed {
                tracing::info!(event = "zone-key", issuer = %row.name, key = key.as_str(), generation, "was changed on the wire: the key of that name in the files is not in use");
            }
        }
    }
}
