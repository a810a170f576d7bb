//! The station's configuration: one TOML file, and the lists it names.
//!
//! [`parse`] is pure; [`load`] reads the files and joins everything. Both report every breach of every
//! file at once, with its line; an unknown key is a breach.

mod alarms;
mod door;
mod field;
mod files;
mod hsm;
mod keeping;
mod kept;
mod keys;
mod metrics;
mod needs;

pub use crate::model::Network;
pub use alarms::{Alarms, Thresholds, TokenPlace, Webhook};
pub use door::{ClientCertificates, Door, DoorTls};
pub use files::{Loaded, Look, load, load_as};
pub use hsm::{HostSetup, HostTlsFiles, HsmKind, HsmSetup, MasterPlace, PinPlace, SoftwareSetup, TokenSetup};
pub use keeping::Keeping;
pub use kept::{KeptKey, KeyState, kept_rows};
pub use keys::{KeyList, NamedBlock, NamedKey, TokenKey, key_rows};
pub use metrics::Metrics;
pub use needs::{Need, StatedKey};

use crate::model::Acquirer;
use crate::model::Amount;
use crate::model::Breach;
use crate::model::Currency;
use crate::model::Limits;
use crate::registry::ACQUIRER;
use crate::registry::Breaches;
use crate::registry::Days;
use crate::registry::Defaults;
use crate::registry::Document;
use crate::registry::List;
use crate::registry::Row;
use crate::registry::Rules;
use crate::registry::Source;
use std::time::Duration;

/// A station as its file describes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// Its name in logs.
    pub name: Box<str>,
    /// Whether it handles PINs of real cards.
    pub profile: StationProfile,
    /// The keys are published test keys: said at every start.
    pub test_keys: bool,
    /// Worker threads; 0 is one for each core.
    pub workers: usize,
    /// How long `SIGTERM` waits for what is in flight.
    pub drain: Duration,
    /// The port of the trace door on loopback, if it has one.
    pub trace: Option<u16>,
    /// Its listeners, at least one.
    pub doors: Vec<Door>,
    /// What it never goes beyond.
    pub ceilings: Ceilings,
    /// When a person is told.
    pub alarms: Alarms,
    /// Where it tells its figures.
    pub metrics: Metrics,
    /// Where and how the ledger is kept.
    pub keeping: Keeping,
    /// Which HSM it asks.
    pub hsm: HsmSetup,
    /// What rows of merchants and terminals inherit; its limits are the `[risk]` table.
    pub defaults: Defaults,
    /// What holds for all terminals.
    pub rules: Rules,
    /// The lists, as paths relative to the file.
    pub lists: Lists,
}

/// What a station is for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum StationProfile {
    /// Test cards and test keys.
    #[default]
    Test,
    /// Real cards and their PINs: only with an HSM that may do PINs.
    Production,
}

/// The files a station's file names.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Lists {
    /// Merchants.
    pub merchants: Vec<String>,
    /// Terminals.
    pub terminals: Vec<String>,
    /// Devices.
    pub devices: Vec<String>,
    /// What rows of terminals are filled from.
    pub templates: Vec<String>,
    /// What terminals have in common.
    pub groups: Vec<String>,
    /// Names of regions.
    pub regions: Vec<String>,
    /// Issuers.
    pub issuers: Vec<String>,
    /// Card number prefixes.
    pub bins: Vec<String>,
    /// Keys.
    pub keys: Vec<String>,
    /// What merchants pay.
    pub fees: Vec<String>,
    /// When banks do not work.
    pub holidays: Vec<String>,
    /// Operators of terminals.
    pub operators: Vec<String>,
    /// Parameters of terminals.
    pub parameters: Option<String>,
    /// Public keys of certification authorities.
    pub capks: Option<String>,
    /// The rules that judge requests, from `[risk]`.
    pub rules: Option<String>,
    /// Rules that only count, from `[risk]`.
    pub shadow: Option<String>,
    /// Applications of chips.
    pub applications: Option<String>,
    /// Parameters of contactless kernels.
    pub contactless: Option<String>,
}

impl Lists {
    /// The files of one of the lists that are exported and imported.
    #[must_use]
    pub fn of(&self, list: List) -> &[String] {
        match list {
            List::Merchants => &self.merchants,
            List::Terminals => &self.terminals,
            List::Devices => &self.devices,
            List::Templates => &self.templates,
            List::Groups => &self.groups,
            List::Regions => &self.regions,
        }
    }
}

/// Limits of the whole server; every one has a default.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ceilings {
    /// Sessions in all.
    pub sessions: usize,
    /// Sessions from one address.
    pub sessions_per_address: usize,
    /// TLS handshakes at once.
    pub handshakes: usize,
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long a new connection may stay without a whole frame.
    pub first_frame: Duration,
    /// How long a frame may stall between two bytes.
    pub inter_byte: Duration,
    /// Requests of one terminal at once.
    pub in_flight_per_terminal: usize,
    /// Requests on one issuer connection at once.
    pub in_flight_per_link: usize,
    /// Bytes that wait to be written to one session.
    pub write_buffer: usize,
}

const STATION: &[&str; 11] = &[
    "name",
    "profile",
    "test_keys",
    "workers",
    "drain_s",
    "trace",
    "acquirer",
    "currency",
    "offset_minutes",
    "zone",
    "cut_over",
];
const LIMITS: &[&str; 9] = &[
    "sessions",
    "sessions_per_address",
    "handshakes",
    "handshake_ms",
    "first_frame_ms",
    "inter_byte_ms",
    "in_flight_per_terminal",
    "in_flight_per_link",
    "write_buffer",
];
const RISK: &[&str; 6] = &["least", "most", "daily_amount", "daily_count", "rules", "shadow"];
const FILES: &[&str; 16] = &[
    "merchants",
    "terminals",
    "devices",
    "templates",
    "groups",
    "regions",
    "issuers",
    "bins",
    "keys",
    "fees",
    "holidays",
    "operators",
    "parameters",
    "capks",
    "applications",
    "contactless",
];

/// Reads a station's file. `profile_known` says whether there is a profile of a name.
///
/// # Errors
/// Every breach, with its line.
pub fn parse(source: Source<'_>, profile_known: &dyn Fn(&str) -> bool) -> Result<Config, Vec<Breach>> {
    let mut breaches = Breaches::default();
    let document = Document::parse(source, &mut breaches);
    document.only(
        &[
            "station",
            "acquirer",
            "door",
            "ledger",
            "hsm",
            "limits",
            "risk",
            "alarms",
            "metrics",
            "follow_ups",
            "operators",
            "keys",
            "files",
        ],
        &mut breaches,
    );
    let mut doors: Vec<Door> = Vec::new();
    document.tables("door", door::COLUMNS, &mut breaches, |row, breaches| {
        let Some(door) = Door::read(row, profile_known, breaches) else { return };
        if doors.iter().any(|other| other.name == door.name) {
            breaches.add(row.file(), row.line(), "name: another door has it");
        }
        doors.push(door);
    });
    if doors.is_empty() {
        breaches.add(source.file, 1, "no [[door]] that can be used");
    }
    let station = document.table("station", STATION, &mut breaches);
    let mut days = Days::read(&station, &mut breaches);
    document.tables("acquirer", ACQUIRER, &mut breaches, |row, breaches| days.add(row, breaches));
    let ceilings = ceilings(&document.table("limits", LIMITS, &mut breaches), &mut breaches);
    let risk_table = document.table("risk", RISK, &mut breaches);
    let limits = risk(&risk_table, &mut breaches);
    let mut rules_in =
        |column: &str| risk_table.optional(column, "a path", |path| Some(path.to_owned()), &mut breaches);
    let (rules_file, shadow_file) = (rules_in("rules"), rules_in("shadow"));
    let lists = lists(&document.table("files", FILES, &mut breaches), &mut breaches);
    let lists = Lists { rules: rules_file, shadow: shadow_file, ..lists };
    let rules = field::rules(&document, &mut breaches);
    let station = self::station(&station, limits, days, &mut breaches);
    let profile = station.as_ref().map(|station| station.profile).unwrap_or_default();
    for door in doors.iter().filter(|door| door.legacy_single_des && profile == StationProfile::Production) {
        let what = format!("door {}: legacy_single_des: not in profile production", door.name);
        breaches.add(source.file, 1, what);
    }
    let hsm = HsmSetup::read(&document, profile, &mut breaches);
    let keeping = Keeping::read(&document, hsm.as_ref(), &mut breaches);
    let alarms = Alarms::read(&document, &mut breaches);
    let metrics = Metrics::read(&document, &mut breaches);
    let config = station.zip(ceilings).zip(keeping.zip(hsm).zip(alarms));
    let config = config.map(|((station, ceilings), ((keeping, hsm), alarms))| Config {
        alarms,
        metrics,
        doors,
        ceilings,
        keeping,
        hsm,
        rules,
        lists,
        ..station
    });
    match breaches.or(config)? {
        Some(config) => Ok(config),
        None => Err(vec![Breach::new(source.file, 1, "cannot be used")]),
    }
}

/// The `[station]` table, as a station without doors.
fn station<const N: usize>(row: &Row<'_, N>, limits: Limits, days: Days, breaches: &mut Breaches) -> Option<Config> {
    let name = row.required("name", "a name", |text| Some(Box::from(text)), breaches);
    let truth = |text: &str| text.parse().ok();
    let profile = row.optional("profile", "test or production", StationProfile::parse, breaches).unwrap_or_default();
    let test_keys = row.optional("test_keys", "true or false", truth, breaches).unwrap_or(false);
    if test_keys && profile == StationProfile::Production {
        breaches.add(row.file(), row.line(), "test_keys: a station in profile production has none");
    }
    let workers = row.bounded("workers", 0, 0..=256, breaches);
    let drain = row.bounded("drain_s", 30, 1..=600, breaches);
    let trace = row.optional("trace", "a port", |text| text.parse().ok(), breaches);
    let acquirer = row.required("acquirer", "1 to 11 digits", |text| Acquirer::parse(text.as_bytes()), breaches);
    let currency = row.required("currency", "3 digits of ISO 4217", |text| Currency::parse(text.as_bytes()), breaches);
    let within = |text: &str| text.parse().ok().filter(|minutes| (-840..=840).contains(minutes));
    let offset_minutes = row.required("offset_minutes", "-840 to 840 minutes east of UTC", within, breaches);
    Some(Config {
        name: name?,
        profile,
        test_keys,
        workers: usize::try_from(workers?).ok()?,
        drain: Duration::from_secs(drain?),
        trace,
        doors: Vec::new(),
        ceilings: Ceilings::default(),
        alarms: Alarms::default(),
        metrics: Metrics::default(),
        keeping: Keeping::default(),
        hsm: HsmSetup::default(),
        defaults: Defaults { acquirer: acquirer?, currency: currency?, offset_minutes: offset_minutes?, days, limits },
        rules: Rules::default(),
        lists: Lists::default(),
    })
}

impl StationProfile {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "test" => Some(Self::Test),
            "production" => Some(Self::Production),
            _ => None,
        }
    }
}

impl Default for Ceilings {
    fn default() -> Self {
        Self {
            sessions: 20_000,
            sessions_per_address: 4_096,
            handshakes: 64,
            handshake: Duration::from_secs(5),
            first_frame: Duration::from_secs(10),
            inter_byte: Duration::from_secs(5),
            in_flight_per_terminal: 4,
            in_flight_per_link: 1_024,
            write_buffer: 64 * 1024,
        }
    }
}

fn ceilings<const N: usize>(row: &Row<'_, N>, breaches: &mut Breaches) -> Option<Ceilings> {
    let usual = Ceilings::default();
    let mut count = |column: &str, default: usize, most: u64| {
        let count = row.bounded(column, u64::try_from(default).ok()?, 1..=most, breaches)?;
        usize::try_from(count).ok()
    };
    let sessions = count("sessions", usual.sessions, 10_000_000);
    let sessions_per_address = count("sessions_per_address", usual.sessions_per_address, 10_000_000);
    let handshakes = count("handshakes", usual.handshakes, 65_536);
    let in_flight_per_terminal = count("in_flight_per_terminal", usual.in_flight_per_terminal, 1_024);
    let in_flight_per_link = count("in_flight_per_link", usual.in_flight_per_link, 65_536);
    let write_buffer = count("write_buffer", usual.write_buffer, 16 * 1024 * 1024);
    let mut time = |column: &str, default: Duration| {
        let default = u64::try_from(default.as_millis()).ok()?;
        row.bounded(column, default, 10..=600_000, breaches).map(Duration::from_millis)
    };
    Some(Ceilings {
        handshake: time("handshake_ms", usual.handshake)?,
        first_frame: time("first_frame_ms", usual.first_frame)?,
        inter_byte: time("inter_byte_ms", usual.inter_byte)?,
        sessions: sessions?,
        sessions_per_address: sessions_per_address?,
        handshakes: handshakes?,
        in_flight_per_terminal: in_flight_per_terminal?,
        in_flight_per_link: in_flight_per_link?,
        write_buffer: write_buffer?,
    })
}

fn risk<const N: usize>(row: &Row<'_, N>, breaches: &mut Breaches) -> Limits {
    let mut amount = |column: &str| {
        row.optional(column, "an amount in minor units", |text| Amount::parse(text.as_bytes()), breaches)
    };
    let (least, most, daily_amount) = (amount("least"), amount("most"), amount("daily_amount"));
    let daily_count = row.optional("daily_count", "a count", |text| text.parse().ok(), breaches);
    if least.zip(most).is_some_and(|(least, most)| least > most) {
        breaches.add(row.file(), row.line(), "least: is above most");
    }
    Limits { least, most, daily_amount, daily_count }
}

fn lists<const N: usize>(row: &Row<'_, N>, breaches: &mut Breaches) -> Lists {
    let mut one = |column: &str| row.optional(column, "a path", |path| Some(path.to_owned()), breaches);
    let (parameters, capks) = (one("parameters"), one("capks"));
    let (applications, contactless) = (one("applications"), one("contactless"));
    let mut list = |column: &str| row.list(column, "a path", |path| Some(path.to_owned()), breaches);
    Lists {
        merchants: list("merchants"),
        terminals: list("terminals"),
        devices: list("devices"),
        templates: list("templates"),
        groups: list("groups"),
        regions: list("regions"),
        issuers: list("issuers"),
        bins: list("bins"),
        keys: list("keys"),
        fees: list("fees"),
        holidays: list("holidays"),
        operators: list("operators"),
        parameters,
        capks,
        applications,
        contactless,
        ..Lists::default()
    }
}
