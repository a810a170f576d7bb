//! Puts a station together: HSM, ledger, sealer, registry and links, as its file says.

use super::clock::SystemClock;
use super::config;
use super::config::Loaded;
use super::config::NamedKey;
use super::entropy::SystemEntropy;
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
use crate::hsm::DataKeySealer;
use crate::hsm::HsmError;
use crate::hsm::KeyRef;
use crate::hsm::MacKey;
use crate::hsm::PinKey;
use crate::hsm::software::SoftwareHsm;
use crate::ledger::EmbeddedLedger;
use crate::ledger::Ledger;
use crate::ledger::LedgerFault;
use crate::link::StanSpace;
use crate::link::tcp::TcpLink;
use crate::link::tcp::TcpLinkSetup;
use crate::model::Clock;
use crate::model::Entropy;
use crate::model::IssuerName;
use crate::model::Stan;
use crate::registry;
use crate::registry::Sessions;
use arc_swap::ArcSwap;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// Records that the ledger in memory keeps before it is full: some 1 KiB each.
pub const LEDGER_RECORDS: usize = 2_000_000;
/// Late answers that may wait to be noted; further ones are counted and dropped.
const LATE_WAITING: usize = 1024;

/// An issuer and the answers it gives too late.
pub type LateAnswers = (IssuerName, mpsc::Receiver<Received>);

/// The real world: what `serve` and `demo` run.
pub struct Real;

impl World for Real {
    type Hsm = SoftwareHsm;
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
    /// The HSM refused its keys.
    #[error(transparent)]
    Hsm(#[from] HsmError),
    /// No keys to seal card numbers with.
    #[error(transparent)]
    DataKey(#[from] DataKeyFault),
    /// The ledger could not recover.
    #[error(transparent)]
    Ledger(#[from] LedgerFault),
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
}

impl Built {
    /// Opens the HSM, makes the sealing keys and takes the registry.
    ///
    /// # Errors
    /// The HSM's, if a key is unusable; a profile that is not there.
    pub async fn new(loaded: Loaded) -> Result<Self, BuildFault> {
        let entropy = Arc::new(SystemEntropy);
        let hsm = Arc::new(open_hsm(Arc::clone(&entropy), loaded.keys)?);
        let ledger = Arc::new(EmbeddedLedger::volatile(LEDGER_RECORDS));
        let sealer = Arc::new(open_sealer(&*hsm, &*ledger, entropy).await?);
        let sessions = Arc::new(Sessions::default());
        sessions.refill(ledger.terminals());
        let first = first_stan();
        let side = |row: &Arc<registry::Issuer>| {
            let profile = profile(&row.profile)?;
            Ok(IssuerSide { row: Arc::clone(row), profile, stans: Arc::new(StanSpace::starting_at(first)) })
        };
        let issuers = loaded.registry.issuers().map(side).collect::<Result<Vec<_>, BuildFault>>()?;
        Ok(Self {
            issuers,
            in_flight: loaded.config.ceilings.in_flight_per_link,
            parts: Parts {
                hsm,
                ledger,
                clock: Arc::new(SystemClock::start()),
                sealer,
                witness: Arc::new(Watch::default()),
                registry: Arc::new(ArcSwap::from_pointee(loaded.registry)),
                sessions,
                failed: CancellationToken::new(),
            },
        })
    }

    /// What the station's threads share.
    #[must_use]
    pub fn parts(&self) -> &Parts<Real> {
        &self.parts
    }

    /// One worker's station with links of its own, driven by the current runtime. Late answers come to
    /// the receivers.
    #[must_use]
    pub fn station(&self) -> (Station<Real>, Vec<LateAnswers>) {
        let (mut issuers, mut noted) = (Vec::new(), Vec::new());
        for side in &self.issuers {
            let (late, answers) = mpsc::channel(LATE_WAITING);
            issuers.push(self.issuer(side, late));
            noted.push((side.row.name.clone(), answers));
        }
        (Station::new(self.parts.clone(), issuers), noted)
    }

    fn issuer(&self, side: &IssuerSide, late: mpsc::Sender<Received>) -> Issuer<TcpLink> {
        let IssuerSide { row, profile, stans } = side;
        let (name, address) = (row.name.clone(), row.address.to_string());
        let mut setup = TcpLinkSetup::new(name, address, Arc::clone(profile), Arc::clone(stans));
        setup.connections = usize::from(row.connections);
        setup.in_flight = self.in_flight;
        setup.idle = row.echo;
        setup.late = Some(late);
        let keys = IssuerKeys {
            mac: MacKey(KeyRef::Named(row.mac_key.clone())),
            pin: PinKey(KeyRef::Named(row.pin_key.clone())),
        };
        Issuer { profile: Arc::clone(profile), keys, timeout: row.timeout, link: Arc::new(TcpLink::start(setup)) }
    }

    /// Decides what an earlier run left open. Before the first door opens.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn recover(&self) -> Result<usize, LedgerFault> {
        Station::<Real>::new(self.parts.clone(), Vec::new()).recover().await
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
/// If its profile is not there.
pub fn door(row: &config::Door) -> Result<Door, BuildFault> {
    let keys = match (&row.mac_key, &row.pin_key) {
        (Some(mac), Some(pin)) => {
            DoorKeys::Fixed { mac: MacKey(KeyRef::Named(mac.clone())), pin: PinKey(KeyRef::Named(pin.clone())) }
        }
        _ => DoorKeys::Issued,
    };
    let profile = profile(&row.profile)?;
    Ok(Door { name: row.name.to_string(), profile, keys })
}

/// A built-in profile.
pub(super) fn profile(name: &str) -> Result<Arc<Profile>, BuildFault> {
    channel::builtin::profile(name).ok_or_else(|| BuildFault::Profile(name.to_owned()))
}

fn open_hsm(entropy: Arc<SystemEntropy>, keys: Vec<NamedKey>) -> Result<SoftwareHsm, HsmError> {
    let mut master = Zeroizing::new([0; 32]);
    entropy.fill(&mut *master);
    let builder = SoftwareHsm::builder(entropy, master).legacy_single_des();
    keys.into_iter().fold(builder, |builder, key| builder.key(key.name, key.usage, key.algorithm, key.key)).build()
}

/// Where the links' STANs start: not where the last start of today did, most likely.
fn first_stan() -> Stan {
    let seconds = SystemClock::start().wall().0 / 1_000_000;
    u32::try_from(seconds.rem_euclid(86_400) * 11 + 1).ok().and_then(Stan::new).unwrap_or(Stan::FIRST)
}
