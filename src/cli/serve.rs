//! `tollgate serve`: the switch.

use super::{Exit, Failure, Outcome};
use crate::channel;
use crate::flow::DataKeyFault;
use crate::hsm::HsmError;
use crate::hsm::HsmProfile;
use crate::ledger::journal::Fault;
use crate::model::Breach;
use crate::ops::alarms::AlarmPlan;
use crate::ops::alarms::AlarmThread;
use crate::ops::metrics::MetricsPlan;
use crate::ops::metrics::MetricsThread;
use crate::server::Ending;
use crate::server::config;
use crate::server::config::{HsmKind, Loaded, StationProfile};
use crate::server::hsm;
use crate::server::hsm::Checked;
use crate::server::hsm::HsmFault;
use crate::server::logging;
use crate::server::memory;
use crate::server::reload_on_hangup;
use crate::server::run::Running;
use crate::server::run::StartFault;
use crate::server::station::BuildFault;
use crate::server::stop_on_signals;
use clap::Args;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Run the switch.
///
/// Doors, issuers, terminals, routes and limits are in the station's file and the lists it names.
/// SIGTERM answers what is in flight and ends; a second one ends at once. SIGHUP, and tollgate reload, read merchants,
/// terminals, devices, routes and risk limits again; if they have a breach, the log says so and nothing changes.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  tollgate serve -c specs/demo/station.toml\n  tollgate serve -c station.toml --check\n\n\
    Exit codes: 0 drained, 1 stopped with requests in flight, 3 the file has breaches, its HSM may not do what\n\
    its profile wants or has other keys than the lists say, 4 a door could not be opened or no HSM\n\
    answers, 6 another process uses the ledger's folder,\n\
    7 the ledger is damaged or its folder cannot be used (nothing was changed; the message names file,\n\
    byte and the command to run), 8 the master key is missing or another one than the ledger's, or a token is\n\
    not to be had, 9 the ledger failed and the station stopped itself: start it again once the\n\
    disk is well."
)]
pub(super) struct Serve {
    /// The station's file
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// Read the file and everything it names, say what is wrong, and end
    #[arg(long)]
    check: bool,
    /// What is logged: off, error, warn, info, debug, trace, or per module
    #[arg(long, default_value = "info", env = "TOLLGATE_LOG")]
    log: String,
}

impl Serve {
    /// Serves until it is told to stop, or only checks.
    ///
    /// # Errors
    /// Breaches of the files; a door that cannot be opened.
    pub(super) fn run(self, out: &mut dyn Write) -> Outcome {
        let loaded = load(&self.config)?;
        let folder = self.config.parent().unwrap_or(Path::new("")).to_owned();
        let alarms = alarms(&loaded, &folder)?;
        if self.check {
            return self.checked(loaded, &folder, out);
        }
        // Only a second start in one process could fail, and then the first one's logging stands.
        let _ = logging::start(logging::Form::of_stderr(), &self.log);
        if loaded.config.profile == StationProfile::Production {
            // Whatever the environment asks for.
            memory::keep_private();
        }
        if loaded.config.test_keys {
            tracing::warn!(event = "test-keys", "this station runs on published TEST KEYS");
        }
        let drain = loaded.config.drain;
        let metrics = metrics(&loaded)?;
        let running = Running::start(loaded, &folder).map_err(|fault| start_failure(&fault))?;
        stop_on_signals(running.stopper())?;
        let watched = AlarmThread::start(alarms, &running)?;
        let metrics = metrics.map(|plan| MetricsThread::start(plan, &running, Some(&watched))).transpose()?;
        reload_on_hangup(running.reload(self.config))?;
        for door in running.doors() {
            writeln!(out, "door {} listens on {}, profile {}", door.name, door.listen, door.profile.name)?;
        }
        if let Some(metrics) = &metrics {
            writeln!(out, "metrics at http://{}/metrics", metrics.address())?;
        }
        out.flush()?;
        // What a kept ledger owes goes on after the next start.
        let patience = if running.is_durable() { Duration::ZERO } else { drain };
        match running.wait(patience) {
            Ok(Ending::Drained) => Ok(Exit::Ok),
            Ok(Ending::Forced) => Ok(Exit::No),
            Err(stopped) => Err(Failure::new(Exit::LedgerFailed, stopped.to_string())),
        }
    }

    fn checked(&self, loaded: Loaded, folder: &Path, out: &mut dyn Write) -> Outcome {
        let summary = summary(&loaded);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let checked = runtime.block_on(hsm::check(&loaded.config, (loaded.keys, &loaded.stated), folder));
        let Checked { warnings, unasked } = checked
            .map_err(|fault| Failure::new(hsm_failure(&fault), format!("{}: {fault}", self.config.display())))?;
        for warning in &warnings {
            writeln!(out, "warning: {warning}; nobody needs it")?;
        }
        writeln!(out, "{summary}")?;
        if let Some(why) = unasked {
            writeln!(out, "the HSM was not asked for its keys: {why}")?;
        }
        Ok(Exit::Ok)
    }
}

/// What the alarms need besides the station.
pub(super) fn alarms(loaded: &Loaded, folder: &Path) -> Result<AlarmPlan, Failure> {
    AlarmPlan::read(&loaded.config, folder).map_err(|fault| Failure::new(Exit::Config, fault.to_string()))
}

/// Where its figures are to be had.
pub(super) fn metrics(loaded: &Loaded) -> Result<Option<MetricsPlan>, Failure> {
    MetricsPlan::open(&loaded.config.metrics).map_err(|fault| Failure::new(Exit::NoConnection, fault.to_string()))
}

/// Why a station does not start, as scripts see it.
pub(super) fn start_failure(fault: &StartFault) -> Failure {
    let exit = match fault {
        StartFault::Io(_) => Exit::NoConnection,
        StartFault::Tls { .. } | StartFault::Stranded { .. } => Exit::Config,
        StartFault::Build(fault) => build_failure(fault),
    };
    Failure::new(exit, fault.to_string())
}

fn build_failure(fault: &BuildFault) -> Exit {
    match fault {
        BuildFault::Profile(_) | BuildFault::DoorKeys(_) => Exit::Config,
        BuildFault::Hsm(fault) => hsm_failure(fault),
        BuildFault::Journal(fault) if matches!(fault.fault, Fault::InUse) => Exit::LedgerInUse,
        BuildFault::Journal(_) | BuildFault::Keeper { .. } => Exit::Ledger,
        BuildFault::DataKey(DataKeyFault::Ledger(_)) | BuildFault::Ledger(_) => Exit::LedgerFailed,
        BuildFault::DataKey(DataKeyFault::Hsm(HsmError::Unavailable | HsmError::Timeout | HsmError::Busy)) => {
            Exit::NoConnection
        }
        BuildFault::Foreign { .. } | BuildFault::DataKey(_) => Exit::Keys,
    }
}

pub(super) fn hsm_failure(fault: &HsmFault) -> Exit {
    match fault {
        HsmFault::Master(_) | HsmFault::Token { .. } | HsmFault::Pin(_) => Exit::Keys,
        HsmFault::Silent(_) => Exit::NoConnection,
        HsmFault::Key(_)
        | HsmFault::Keys(_)
        | HsmFault::Tls(_)
        | HsmFault::ServerName
        | HsmFault::Setup(_)
        | HsmFault::Unfit(_) => Exit::Config,
    }
}

/// A station from its file; breaches become one failure, a line each.
pub(super) fn load(file: &Path) -> Result<Loaded, Failure> {
    let known = |name: &str| channel::builtin::profile(name).is_some();
    config::load(file, &known).map_err(|breaches| {
        let lines: Vec<String> = breaches.iter().map(Breach::to_string).collect();
        Failure::new(Exit::Config, format!("{} cannot be used\n{}", file.display(), lines.join("\n")))
    })
}

fn summary(loaded: &Loaded) -> String {
    let doors: Vec<String> = loaded.config.doors.iter().map(|door| format!("{} {}", door.name, door.listen)).collect();
    let issuers: Vec<&str> = loaded.registry.issuers().map(|issuer| issuer.name.as_str()).collect();
    format!(
        "station {} is in order: doors {}; {} terminals; issuers {}; {} keys; HSM {}",
        loaded.config.name,
        doors.join(", "),
        loaded.registry.terminals().count(),
        issuers.join(", "),
        loaded.keys.names().len(),
        hsm_in_words(loaded.config.hsm.kind())
    )
}

/// What an HSM is good for, in a word.
fn hsm_in_words(kind: HsmKind) -> String {
    let good_for = match kind.profile() {
        HsmProfile::Test => "for test cards only",
        HsmProfile::MacOnly => "no PINs: requests with one are declined",
        HsmProfile::PinCertified => "PINs of real cards if the device is certified",
    };
    format!("{} ({good_for})", kind.name())
}
