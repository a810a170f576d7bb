//! The station of a world: the real flows over the real ledger, on a disk, links, an HSM and a clock that are not.

use super::chance::SimEntropy;
use super::coverage::Sometimes;
use super::disk::SimDisk;
use super::executor::Realm;
use super::host::Host;
use super::journal;
use super::keeping;
use super::nature::SimClock;
use super::outside::Outside;
use super::vault::Vault;
use super::watch::Watcher;
use super::wire::SimLink;
use crate::flow::Issuer;
use crate::flow::IssuerKeys;
use crate::flow::Parts;
use crate::flow::Station;
use crate::flow::World;
use crate::flow::open_sealer;
use crate::hsm::DataKeySealer;
use crate::hsm::KeyRef;
use crate::hsm::MacKey;
use crate::hsm::PinKey;
use crate::ledger::EmbeddedLedger;
use crate::ledger::FollowTerms;
use crate::ledger::Ledger;
use crate::ledger::LedgerFault;
use crate::ledger::OpenedLedger;
use crate::ledger::journal::Fault;
use crate::ledger::journal::JournalId;
use crate::ledger::journal::Options;
use crate::model::Entropy;
use crate::model::LadderEntry;
use crate::model::LadderStep;
use crate::model::Stan;
use crate::model::Subject;
use crate::model::TerminalId;
use crate::model::Timestamp;
use crate::registry::Registry;
use crate::registry::Sessions;
use crate::risk::Checks;
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio_util::sync::CancellationToken;

/// Transactions that a world's ledger takes: more than any world has.
pub(super) const CAPACITY: usize = 10_000;
/// Small segments, so that there are several.
pub(super) const SEGMENT_BYTES: u64 = 12 << 10;
/// How far trace numbers jump at a restart.
const STAN_JUMP: u32 = 10_000;

/// The simulated world, as flows see it.
pub struct SimWorld;

impl World for SimWorld {
    type Hsm = Vault;
    type Ledger = EmbeddedLedger;
    type Link = SimLink;
    type Clock = SimClock;
    type Sealer = DataKeySealer;
    type Witness = Watcher;
}

/// What is the station's and outlives its process, besides its disk.
pub(super) struct Ground {
    pub(super) hsm: Arc<Vault>,
    pub(super) registry: Arc<Registry>,
    /// The rules by which requests are judged.
    pub(super) checks: Arc<Checks>,
    pub(super) entropy: Arc<SimEntropy>,
}

/// How the ledger is opened.
fn options(entropy: &SimEntropy) -> Options {
    let mut id = [0; 16];
    entropy.fill(&mut id);
    Options { segment_bytes: SEGMENT_BYTES, ..Options::new(JournalId(id)) }
}

/// Starts the station for the so-manieth time: it is at the front once it has recovered. Ends with its process.
pub(super) async fn boot(outside: Arc<Outside>, ground: Arc<Ground>, life: u32) {
    let failed = CancellationToken::new();
    let Some(ledger) = open(&outside, &ground, &failed) else { return };
    let Some(parts) = parts(&outside, &ground, (ledger, life), failed.clone()).await else {
        return outside.nature.cut_now();
    };
    let issuers = issuers(&outside, &ground, &parts, life);
    let names: Vec<_> = issuers.iter().map(|issuer| issuer.name().clone()).collect();
    let station = Arc::new(Station::new(parts, issuers));
    match station.recover().await {
        Ok(open) => outside.nature.say(&format!("station: started, {open} open intents decided")),
        Err(fault) => {
            outside.nature.say(&format!("station: cannot recover: {fault}"));
            return outside.nature.cut_now();
        }
    }
    if station.ledger().ladders().is_empty() && warn_somebody(station.ledger()).await.is_err() {
        return outside.nature.cut_now();
    }
    for name in names {
        let station = Arc::clone(&station);
        outside.spawner.spawn(Realm::Station, async move { station.forward(&name).await });
    }
    if outside.keeping.closes {
        outside.spawner.spawn(Realm::Station, keeping::close_days(Arc::clone(&outside), Arc::clone(&station)));
    }
    *outside.front.lock() = Some(station);
    failed.cancelled().await;
    outside.nature.say("station: the ledger failed, the process ends");
    outside.nature.cut_now();
}

/// So that there is something on the ladder to be forgotten.
async fn warn_somebody(ledger: &EmbeddedLedger) -> Result<(), LedgerFault> {
    let Some(terminal) = TerminalId::parse(b"99999999") else { return Ok(()) };
    let (actor, reason, at) = ("the world".into(), "to be remembered".into(), Timestamp(0));
    let entry = LadderEntry { subject: Subject::Terminal(terminal), step: LadderStep::Warn, actor, reason, at };
    ledger.step(entry).await.map(drop)
}

/// The ledger, with its journal at work. `None`: the process has ended.
fn open(outside: &Arc<Outside>, ground: &Ground, failed: &CancellationToken) -> Option<EmbeddedLedger> {
    let disk = SimDisk::new(Arc::clone(&outside.platter), Arc::clone(&outside.nature), Arc::clone(&outside.weather));
    let OpenedLedger { ledger, writer, preparer, anchor, housekeeper, found, .. } =
        match EmbeddedLedger::open(disk, &options(&ground.entropy), CAPACITY) {
            Ok(opened) => opened,
            Err(_) if outside.nature.is_down() => return None,
            Err(fault) => {
                outside.nature.say(&format!("station: cannot open its ledger: {fault}"));
                // A disk that refuses is tried again; anything else is a ledger that is lost.
                if !matches!(fault.fault, Fault::Io(..)) {
                    outside.history.breach(format!("I12: the station refuses to start: {fault}"));
                    outside.lost.store(true, Ordering::Relaxed);
                }
                outside.nature.cut_now();
                return None;
            }
        };
    if let Some(torn) = &found.torn {
        outside.nature.say(&format!("station: a torn end was cut: {}, {} bytes", torn.place.file, torn.bytes));
        outside.nature.sometimes(Sometimes::TornGroup);
    }
    if found.snapshot.is_some() {
        outside.nature.sometimes(Sometimes::FromSnapshot);
    }
    // A snapshot has its name once it is synced.
    found.refused.iter().for_each(|refused| outside.history.breach(format!("I12: a snapshot is refused: {refused}")));
    journal::start(outside, writer, preparer, anchor, failed);
    if outside.keeping.snapshots {
        outside.spawner.spawn(Realm::Station, keeping::tidy(Arc::clone(outside), housekeeper));
    }
    // Terminals of a world give money back without a sale at hand.
    ledger.set_follow_terms(FollowTerms { refund_without_original: true, ..FollowTerms::USUAL });
    Some(ledger)
}

async fn parts(
    outside: &Outside,
    ground: &Ground,
    (ledger, life): (EmbeddedLedger, u32),
    failed: CancellationToken,
) -> Option<Parts<SimWorld>> {
    let sealer = open_sealer(&*ground.hsm, &ledger, Arc::clone(&ground.entropy) as Arc<_>).await;
    let sealer = match sealer {
        Ok(sealer) => sealer,
        Err(fault) => {
            outside.nature.say(&format!("station: cannot open its sealer: {fault}"));
            return None;
        }
    };
    let sessions = Sessions::default();
    sessions.refill(ledger.terminals());
    sessions.refill_zones(ledger.zones());
    Some(Parts {
        hsm: Arc::clone(&ground.hsm),
        ledger: Arc::new(ledger),
        clock: Arc::new(SimClock(Arc::clone(&outside.nature))),
        sealer: Arc::new(sealer),
        witness: Arc::new(Watcher { nature: Arc::clone(&outside.nature), history: Arc::clone(&outside.history), life }),
        registry: Arc::new(ArcSwap::new(Arc::clone(&ground.registry))),
        rates: Arc::default(),
        checks: Arc::new(ArcSwap::new(Arc::clone(&ground.checks))),
        sessions: Arc::new(sessions),
        failed,
    })
}

fn issuers(outside: &Arc<Outside>, ground: &Ground, parts: &Parts<SimWorld>, life: u32) -> Vec<Issuer<SimLink>> {
    let issuer = |host: &Arc<Host>| {
        let name = host.name();
        let row = ground.registry.issuer(name)?;
        let last = parts.ledger.last_stan(name).map_or(0, Stan::value);
        let first = Stan::new((last + STAN_JUMP * u32::from(life > 0)) % 999_999 + 1)?;
        let link = SimLink::new(outside, host, life, first);
        outside.spawner.spawn(Realm::Station, link.wire().trouble());
        let keys = IssuerKeys {
            mac: MacKey(KeyRef::Named(row.mac_key.clone())),
            pin: PinKey(KeyRef::Named(row.pin_key.clone())),
        };
        Some(Issuer { profile: Arc::clone(&host.bank().setup().profile), keys, timeout: row.timeout, link })
    };
    outside.hosts.iter().filter_map(issuer).collect()
}
