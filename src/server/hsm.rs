//! Opens the HSM that the station's file asks for, and watches whether it is there.

use super::config::{Config, HostSetup, HsmSetup, KeyList, PinPlace, SoftwareSetup, StationProfile, TokenSetup};
use super::config::{Need, StatedKey};
use super::entropy::SystemEntropy;
use super::master::{MasterFault, Token, key_of};
use super::meter::StationMeter;
use super::probe;
use super::probe::Found;
use super::secret::{SecretFault, secret_file, secret_variable};
use super::tls;
use super::tls::{Identity, TlsFault};
use crate::hsm::Backend;
use crate::hsm::Ctx;
use crate::hsm::Hsm;
use crate::hsm::HsmCounts;
use crate::hsm::HsmError;
use crate::hsm::Which;
use crate::hsm::payshield::HostTls;
use crate::hsm::payshield::PayshieldHsm;
use crate::hsm::payshield::PayshieldSetup;
use crate::hsm::payshield::SealingKeys;
use crate::hsm::payshield::SetupFault;
use crate::hsm::payshield::counterpart;
use crate::hsm::pkcs11::Pkcs11Fault;
use crate::hsm::pkcs11::Pkcs11Hsm;
use crate::hsm::pkcs11::Pkcs11Setup;
use crate::hsm::software::SoftwareHsm;
use crate::model::Breach;
use rustls::pki_types::ServerName;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// How often is looked whether the HSM is there.
const LOOK: Duration = Duration::from_secs(1);
/// For a call at start, and for one look.
const CTX: Ctx = Ctx { within: Duration::from_secs(10) };

/// An HSM cannot be had. No secret is in any of these.
#[derive(Debug, thiserror::Error)]
pub enum HsmFault {
    /// A key of the list is not usable.
    #[error("[hsm]: {0}")]
    Key(#[from] HsmError),
    /// Keys that doors, issuers or terminals need are not what the lists say.
    #[error("the HSM's keys are not what the lists of keys say\n{}",
        .0.iter().map(Breach::to_string).collect::<Vec<_>>().join("\n"))]
    Keys(Vec<Breach>),
    /// The master key of the software HSM.
    #[error(transparent)]
    Master(#[from] MasterFault),
    /// The token, its library or its PIN.
    #[error("[hsm] token {token}: {fault}")]
    Token {
        /// Its label.
        token: String,
        /// What is wrong.
        fault: Pkcs11Fault,
    },
    /// Where the token's PIN should be.
    #[error("[hsm] the token's PIN: {0}")]
    Pin(SecretFault),
    /// Certificates towards a network HSM.
    #[error("[hsm]: {0}")]
    Tls(#[from] TlsFault),
    /// The name in a network HSM's certificate.
    #[error("[hsm] server_name: is no name")]
    ServerName,
    /// A number of the table.
    #[error("[hsm] {0}")]
    Setup(#[from] SetupFault),
    /// Nobody there.
    #[error("no HSM answers at {}", .0.join(", "))]
    Silent(Vec<String>),
    /// It may not do what a production station does.
    #[error("a station in profile production does not start with this HSM: {0}")]
    Unfit(String),
}

/// What opening needs besides the station's file.
pub(super) struct Opening<'a> {
    /// Paths are relative to it.
    pub(super) folder: &'a Path,
    /// The ledger's folder, and whether nothing is under any master key yet.
    pub(super) ledger: (&'a Path, bool),
    pub(super) entropy: &'a Arc<SystemEntropy>,
}

/// The HSM of a station, and the keys that are still to be asked for.
pub(super) struct OpenHsm {
    pub(super) backend: Backend,
    pub(super) keys: Watched,
}

/// The stated keys that are asked for behind the start.
pub(super) struct Watched {
    /// All that somebody needs.
    needed: Vec<StatedKey>,
    left: VecDeque<StatedKey>,
}

/// Opens the HSM; a network HSM must answer. The keys that doors and issuers need must be what the lists say.
pub(super) async fn open(
    config: &Config,
    (keys, stated): (KeyList, Vec<StatedKey>),
    opening: &Opening<'_>,
) -> Result<OpenHsm, HsmFault> {
    let backend = Backend::new(opened(config, keys, opening).await?);
    if config.profile == StationProfile::Production {
        fit(&backend).await?;
    }
    let Found { faults, warnings, left } = probe::at_start(&backend, &stated).await;
    for Breach { file, line, what } in &warnings {
        tracing::warn!(event = "hsm-key", file, line, fault = what, "a key that nobody needs does not hold");
    }
    if !faults.is_empty() {
        return Err(HsmFault::Keys(faults));
    }
    let needed = stated.into_iter().filter(|key| key.need > Need::Nobody).collect();
    Ok(OpenHsm { backend, keys: Watched { needed, left } })
}

async fn opened(config: &Config, keys: KeyList, opening: &Opening<'_>) -> Result<Which, HsmFault> {
    Ok(match (&config.hsm, keys) {
        (HsmSetup::Payshield(host), KeyList::Payshield(keys)) => {
            let setup = PayshieldSetup { keys, ..host_setup(host, opening.folder)? };
            let hsm = PayshieldHsm::start(setup)?;
            // A connection, perhaps over TLS, and its diagnostics.
            if !hsm.ready(host.connect * 3).await {
                return Err(HsmFault::Silent(host.addresses.clone()));
            }
            Which::Payshield(hsm)
        }
        (HsmSetup::Pkcs11(token), KeyList::Pkcs11(_)) => Which::Pkcs11(open_token(token, opening.folder)?),
        (HsmSetup::Software(software), keys) => Which::Software(open_software(software, keys, opening).await?),
        (HsmSetup::Payshield(_) | HsmSetup::Pkcs11(_), _) => {
            return Err(HsmError::Input("keys of another kind of HSM").into());
        }
    })
}

/// Whether real cards may come to it.
async fn fit(backend: &Backend) -> Result<(), HsmFault> {
    backend.capabilities().fit_for_production().map_err(HsmFault::Unfit)?;
    let master = backend.diagnostics(&CTX).await?.master;
    if master.is_some_and(|check| counterpart::is_test_master(&check)) {
        return Err(HsmFault::Unfit("it is under the published test master key".to_owned()));
    }
    Ok(())
}

/// Looks for everything that `open` will want, and makes nothing.
fn check_files(config: &Config, folder: &Path) -> Result<(), HsmFault> {
    match &config.hsm {
        HsmSetup::Payshield(host) => Ok(host_setup(host, folder)?.check()?),
        HsmSetup::Pkcs11(token) => token_setup(token, folder).map(drop),
        HsmSetup::Software(SoftwareSetup { master: Some(place), .. }) => {
            if let super::config::MasterPlace::Token(_, token) = place {
                token_setup(token, folder)?;
            }
            Ok(super::master::check(place, folder)?)
        }
        HsmSetup::Software(_) => Ok(()),
    }
}

/// What a check found that does not keep a station from starting.
#[derive(Debug, Default)]
pub struct Checked {
    /// Keys that nobody needs and that do not hold.
    pub warnings: Vec<Breach>,
    /// Why the keys were not asked for: no HSM is there now.
    pub unasked: Option<String>,
}

/// Looks for everything that a start will want. Where the HSM is there it is asked for the keys too; nothing is made.
///
/// # Errors
/// The first thing that is missing or wrong, or all keys that are not what the lists say.
pub async fn check(
    config: &Config,
    (keys, stated): (KeyList, &[StatedKey]),
    folder: &Path,
) -> Result<Checked, HsmFault> {
    check_files(config, folder)?;
    let mut config = config.clone();
    if let HsmSetup::Software(SoftwareSetup { master, .. }) = &mut config.hsm
        && let Some(super::config::MasterPlace::File(file) | super::config::MasterPlace::Token(file, _)) = master
        && !folder.join(file).exists()
    {
        // The start will make one, under which no block of the list is.
        *master = None;
    }
    let opening = Opening { folder, ledger: (folder, false), entropy: &Arc::new(SystemEntropy) };
    let which = match opened(&config, keys, &opening).await {
        Ok(which) => which,
        Err(fault @ (HsmFault::Silent(_) | HsmFault::Token { .. })) => {
            return Ok(Checked { warnings: Vec::new(), unasked: Some(fault.to_string()) });
        }
        Err(fault) => return Err(fault),
    };
    let Found { faults, warnings, .. } = probe::at_start(&Backend::new(which), stated).await;
    if faults.is_empty() { Ok(Checked { warnings, unasked: None }) } else { Err(HsmFault::Keys(faults)) }
}

fn host_setup(host: &HostSetup, folder: &Path) -> Result<PayshieldSetup, HsmFault> {
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read(&path).map_err(|error| TlsFault::File { file: path.display().to_string(), error })
    };
    let tls = match &host.tls {
        None => None,
        Some(files) => {
            let identity = match &files.identity {
                None => None,
                Some((certificates, key)) => Some((read(certificates)?, Zeroizing::new(read(key)?))),
            };
            let identity = identity.as_ref().map(|(certificates, key)| Identity { certificates, key });
            let name = ServerName::try_from(files.server_name.clone()).map_err(|_| HsmFault::ServerName)?;
            Some(HostTls { config: tls::client(&read(&files.ca)?, identity)?, name })
        }
    };
    Ok(PayshieldSetup {
        addresses: host.addresses.clone(),
        connections: host.connections,
        in_flight: host.in_flight,
        header: host.header,
        lmk: host.lmk,
        lmk_check: host.lmk_check.clone(),
        tls,
        connect_within: host.connect,
        probe_after: host.probe_after,
        probe_within: host.probe_within,
        trip_after: host.trip_after,
        cool_down: host.cool_down,
        key_blocks: host.key_blocks,
        key_types: host.key_types.clone(),
        legacy_single_des: host.legacy_single_des,
        long_check_values: host.long_check_values,
        trailers: host.trailers,
        sealing: Some(SealingKeys { data: host.sealing_key.clone(), mac: host.sealing_mac.clone() }),
        ..PayshieldSetup::new("")
    })
}

fn token_setup(token: &TokenSetup, folder: &Path) -> Result<Pkcs11Setup, HsmFault> {
    let pin = match &token.pin {
        PinPlace::File(file) => secret_file(&folder.join(file)),
        PinPlace::Variable(name) => secret_variable(name),
    };
    Ok(Pkcs11Setup {
        library: folder.join(&token.library),
        token: token.token.clone(),
        pin: pin.map_err(HsmFault::Pin)?,
        workers: token.workers,
        queue: token.queue,
        sealing: Some(token.key.clone()),
    })
}

pub(super) fn open_token(token: &TokenSetup, folder: &Path) -> Result<Pkcs11Hsm, HsmFault> {
    let opened = Pkcs11Hsm::start(token_setup(token, folder)?);
    opened.map_err(|fault| HsmFault::Token { token: token.token.clone(), fault })
}

async fn open_software(setup: &SoftwareSetup, keys: KeyList, opening: &Opening<'_>) -> Result<SoftwareHsm, HsmFault> {
    let token = match &setup.master {
        Some(super::config::MasterPlace::Token(_, token)) => {
            Some(Token { hsm: open_token(token, opening.folder)?, ctx: CTX })
        }
        _ => None,
    };
    let master = key_of(setup.master.as_ref(), token.as_ref(), opening).await?;
    let mut builder = SoftwareHsm::under(Arc::clone(opening.entropy) as Arc<_>, master).lenient();
    if setup.legacy_single_des {
        builder = builder.legacy_single_des();
    }
    if setup.odd_parity {
        builder = builder.odd_parity();
    }
    if let KeyList::Software { clear, blocks } = keys {
        builder =
            clear.into_iter().fold(builder, |builder, key| builder.key(key.name, key.usage, key.algorithm, key.key));
        builder = blocks.into_iter().fold(builder, |builder, key| builder.block(key.name, key.block));
    }
    Ok(builder.build()?)
}

/// The software HSM of a station that has one, without its keys.
///
/// # Errors
/// The master key is not to be had, or the station has another HSM.
pub async fn software_of(config: &Config, folder: &Path) -> Result<SoftwareHsm, HsmFault> {
    let HsmSetup::Software(setup) = &config.hsm else {
        return Err(HsmError::Unsupported("blocks of its own to another kind than software").into());
    };
    if setup.master.is_none() {
        return Err(HsmError::Policy("the station's [hsm] has no master key that lasts").into());
    }
    let place = config.keeping.folder.as_ref().map(|place| folder.join(place)).unwrap_or_default();
    let opening = Opening { folder, ledger: (&place, !place.exists()), entropy: &Arc::new(SystemEntropy) };
    open_software(setup, KeyList::Software { clear: Vec::new(), blocks: Vec::new() }, &opening).await
}

/// Whose keys the station's ledger is under, for people.
pub(super) fn keeper(setup: &HsmSetup, folder: &Path) -> String {
    use super::config::MasterPlace;
    match setup {
        HsmSetup::Software(SoftwareSetup { master, .. }) => match master {
            Some(MasterPlace::File(file) | MasterPlace::Token(file, _)) => folder.join(file).display().to_string(),
            Some(MasterPlace::Variable(name)) => format!("the variable {name}"),
            None => "this run".to_owned(),
        },
        HsmSetup::Payshield(host) => format!("the HSM at {}", host.addresses.join(", ")),
        HsmSetup::Pkcs11(token) => format!("the token {}", token.token),
    }
}

/// Looks, for as long as it is driven, whether the HSM is there, and says so whenever that changes; asks it for the keys
/// that are left, and for all again once it was away: it may be another one.
pub(super) async fn watch(backend: Arc<Backend>, Watched { needed, mut left }: Watched, meter: Arc<StationMeter>) {
    let mut was = true;
    loop {
        tokio::time::sleep(LOOK).await;
        let is = is_there(&backend).await;
        meter.hsm_is(is);
        if is != was {
            say(&backend, is);
            left = needed.iter().cloned().collect();
        }
        was = is;
        if is && !left.is_empty() {
            probe::behind(&backend, &mut left).await;
        }
    }
}

async fn is_there(backend: &Backend) -> bool {
    match backend.which() {
        Which::Software(_) => true,
        Which::Payshield(hsm) => hsm.connections().iter().any(|connection| connection.up && !connection.open),
        Which::Pkcs11(hsm) => hsm.diagnostics(&CTX).await.is_ok(),
    }
}

fn say(backend: &Backend, is_there: bool) {
    let HsmCounts { calls, unavailable, timed_out, busy, backend: garbage, .. } = backend.counts();
    let faults = backend.counts().faults();
    let hsm = backend.capabilities().product.as_str();
    if is_there {
        tracing::info!(event = "hsm-up", hsm, calls, faults, "the HSM is there again");
    } else {
        tracing::error!(
            event = "hsm-down",
            hsm,
            calls,
            faults,
            unavailable,
            timed_out,
            busy,
            garbage,
            "no HSM can be used: requests are declined, what is owed waits"
        );
    }
}

/// Notes how often the HSM failed, when the station ends.
pub(super) fn conclude(backend: &Backend) {
    let counts = backend.counts();
    let (hsm, calls, faults, pin_blocks) =
        (backend.capabilities().product.as_str(), counts.calls, counts.faults(), counts.pin_blocks);
    tracing::info!(event = "hsm", hsm, calls, faults, pin_blocks, "calls of the HSM in this run");
}
