//! `[hsm]`: which HSM the station asks, and how it is reached. Names and places only, never a secret.

use super::StationProfile;
use crate::hsm::HsmProfile;
use crate::hsm::KeyName;
use crate::hsm::payshield::KeyTypes;
use crate::registry::Breaches;
use crate::registry::Document;
use crate::registry::Row;
use std::time::Duration;

/// Which of the three.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum HsmKind {
    /// In this process: tests and demonstrations.
    #[default]
    Software,
    /// Host commands over TCP or TLS.
    Payshield,
    /// A PKCS#11 token.
    Pkcs11,
}

impl HsmKind {
    /// Its word in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Software => "software",
            Self::Payshield => "payshield",
            Self::Pkcs11 => "pkcs11",
        }
    }

    /// What it may be trusted with.
    #[must_use]
    pub fn profile(self) -> HsmProfile {
        match self {
            Self::Software => HsmProfile::Test,
            Self::Payshield => HsmProfile::PinCertified,
            Self::Pkcs11 => HsmProfile::MacOnly,
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Software, Self::Payshield, Self::Pkcs11].into_iter().find(|kind| kind.name() == word)
    }

    /// The keys of the table that are this kind's.
    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Software => &[
                "master",
                "master_env",
                "legacy_single_des",
                "odd_parity",
                "library",
                "token",
                "pin_file",
                "pin_env",
                "token_key",
            ],
            Self::Payshield => &[
                "addresses",
                "connections",
                "in_flight",
                "header",
                "lmk",
                "lmk_check",
                "ca",
                "server_name",
                "certificate",
                "private_key",
                "connect_ms",
                "probe_after_ms",
                "probe_within_ms",
                "trip_after",
                "cool_down_ms",
                "key_blocks",
                "key_types",
                "legacy_single_des",
                "long_check_values",
                "trailers",
                "sealing_key",
                "sealing_mac",
            ],
            Self::Pkcs11 => &["library", "token", "pin_file", "pin_env", "token_key", "workers", "queue"],
        }
    }
}

/// The HSM of a station. Paths are relative to the station's file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HsmSetup {
    /// In this process.
    Software(SoftwareSetup),
    /// On the network.
    Payshield(Box<HostSetup>),
    /// A token.
    Pkcs11(TokenSetup),
}

/// The software HSM.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SoftwareSetup {
    /// Where its master key is. Without one it is made anew at every start, which only a ledger in memory
    /// can do with.
    pub master: Option<MasterPlace>,
    /// Whether single DES may protect PINs and tracks too.
    pub legacy_single_des: bool,
    /// Whether DES family keys that come in must have odd parity.
    pub odd_parity: bool,
}

/// Where a master key comes from; never the command line, which others see.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MasterPlace {
    /// A file with 64 hex digits.
    File(String),
    /// An environment variable with 64 hex digits.
    Variable(String),
    /// A file with the key wrapped under a key of a token.
    Token(String, TokenSetup),
}

/// A PKCS#11 token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenSetup {
    /// The manufacturer's library.
    pub library: String,
    /// The token's label.
    pub token: String,
    /// Where its user's PIN is.
    pub pin: PinPlace,
    /// The key in it that keeps master keys and sealing keys.
    pub key: KeyName,
    /// Threads with a session each.
    pub workers: usize,
    /// Calls that may wait for one.
    pub queue: usize,
}

/// Where a token's PIN is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PinPlace {
    /// The first line of a file.
    File(String),
    /// An environment variable.
    Variable(String),
}

/// A payShield-style HSM.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostSetup {
    /// `host:port` of each, all with the same master key.
    pub addresses: Vec<String>,
    /// Connections to each.
    pub connections: usize,
    /// Calls at once on one connection.
    pub in_flight: usize,
    /// Characters of the header.
    pub header: usize,
    /// LMK identifier sent with every command.
    pub lmk: Option<u8>,
    /// The check value its master key must have.
    pub lmk_check: Option<String>,
    /// TLS, if it is spoken.
    pub tls: Option<HostTlsFiles>,
    /// For a connection, a handshake, the first diagnostics.
    pub connect: Duration,
    /// Silence after which it is asked whether it lives.
    pub probe_after: Duration,
    /// For the answer.
    pub probe_within: Duration,
    /// Failures in a row that take a connection out.
    pub trip_after: u32,
    /// How long it stays out.
    pub cool_down: Duration,
    /// It keeps its keys in key blocks.
    pub key_blocks: bool,
    /// What it calls the keys of each role.
    pub key_types: KeyTypes,
    /// Whether single DES may protect PINs and tracks too.
    pub legacy_single_des: bool,
    /// It gives check values of more than three bytes.
    pub long_check_values: bool,
    /// Every command carries a trailer that must come back.
    pub trailers: bool,
    /// The named data key that keeps sealing keys.
    pub sealing_key: KeyName,
    /// The named MAC key that authenticates them.
    pub sealing_mac: KeyName,
}

/// TLS towards an HSM.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostTlsFiles {
    /// PEM file of the authority that is trusted.
    pub ca: String,
    /// The name in the HSM's certificate.
    pub server_name: String,
    /// PEM files of this side's certificate chain and its key, if the HSM asks for them.
    pub identity: Option<(String, String)>,
}

const COLUMNS: &[&str; 33] = &[
    "kind",
    "master",
    "master_env",
    "library",
    "token",
    "pin_file",
    "pin_env",
    "token_key",
    "workers",
    "queue",
    "addresses",
    "connections",
    "in_flight",
    "header",
    "lmk",
    "lmk_check",
    "ca",
    "server_name",
    "certificate",
    "private_key",
    "connect_ms",
    "probe_after_ms",
    "probe_within_ms",
    "trip_after",
    "cool_down_ms",
    "key_blocks",
    "key_types",
    "legacy_single_des",
    "odd_parity",
    "long_check_values",
    "trailers",
    "sealing_key",
    "sealing_mac",
];

type Cells<'a> = Row<'a, 33>;

impl Default for HsmSetup {
    fn default() -> Self {
        Self::Software(SoftwareSetup { master: None, legacy_single_des: true, odd_parity: false })
    }
}

impl HsmSetup {
    /// Which of the three.
    #[must_use]
    pub fn kind(&self) -> HsmKind {
        match self {
            Self::Software(_) => HsmKind::Software,
            Self::Payshield(_) => HsmKind::Payshield,
            Self::Pkcs11(_) => HsmKind::Pkcs11,
        }
    }

    /// The file that keeps a master key, if one does.
    #[must_use]
    pub fn master_file(&self) -> Option<&str> {
        match self {
            Self::Software(SoftwareSetup {
                master: Some(MasterPlace::File(file) | MasterPlace::Token(file, _)),
                ..
            }) => Some(file),
            _ => None,
        }
    }

    /// Reads the `[hsm]` table of a station of this profile.
    pub(super) fn read(document: &Document<'_>, profile: StationProfile, breaches: &mut Breaches) -> Option<Self> {
        let row = document.table("hsm", COLUMNS, breaches);
        let kind = row.optional("kind", "software, payshield or pkcs11", HsmKind::parse, breaches);
        let kind = if row.has("kind") { kind? } else { HsmKind::default() };
        if profile == StationProfile::Production
            && let Err(why) = kind.profile().fit_for_production()
        {
            let kind = kind.name();
            breaches.add(
                row.file(),
                row.line(),
                format!("kind: {kind} may not handle PINs, which a station in profile production does: it {why}"),
            );
        }
        let stranger = |column: &&&str| **column != "kind" && !kind.columns().contains(*column) && row.has(column);
        for column in COLUMNS.iter().filter(stranger) {
            breaches.add(row.file(), row.line(), format!("{column}: is nothing to kind {}", kind.name()));
        }
        match kind {
            HsmKind::Software => software(&row, profile, breaches).map(Self::Software),
            HsmKind::Payshield => host(&row, breaches).map(|host| Self::Payshield(Box::new(host))),
            HsmKind::Pkcs11 => token(&row, breaches).map(Self::Pkcs11),
        }
    }
}

fn text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn variable(name: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (!name.is_empty() && name.bytes().all(plain)).then(|| name.to_owned())
}

fn truth(row: &Cells<'_>, column: &str, default: bool, breaches: &mut Breaches) -> bool {
    row.optional(column, "true or false", |text| text.parse().ok(), breaches).unwrap_or(default)
}

fn count(row: &Cells<'_>, column: &str, default: u64, most: u64, breaches: &mut Breaches) -> Option<usize> {
    usize::try_from(row.bounded(column, default, 1..=most, breaches)?).ok()
}

fn software(row: &Cells<'_>, profile: StationProfile, breaches: &mut Breaches) -> Option<SoftwareSetup> {
    let file = row.optional("master", "a path", text, breaches);
    let named = row.optional("master_env", "the name of an environment variable", variable, breaches);
    let in_token = ["library", "token", "pin_file", "pin_env", "token_key"].iter().any(|column| row.has(column));
    let master = match (file, named) {
        (Some(_), Some(_)) => {
            breaches.add(row.file(), row.line(), "master and master_env: one of them");
            None
        }
        (Some(file), None) if in_token => Some(MasterPlace::Token(file, token(row, breaches)?)),
        (file, named) => {
            if in_token {
                breaches.add(row.file(), row.line(), "token: needs master, the file with the wrapped key");
            }
            file.map(MasterPlace::File).or(named.map(MasterPlace::Variable))
        }
    };
    let legacy_single_des = truth(row, "legacy_single_des", profile == StationProfile::Test, breaches);
    let odd_parity = truth(row, "odd_parity", false, breaches);
    Some(SoftwareSetup { master, legacy_single_des, odd_parity })
}

fn token(row: &Cells<'_>, breaches: &mut Breaches) -> Option<TokenSetup> {
    let library = row.required("library", "a path", text, breaches);
    let token = row.required("token", "the label of a token", text, breaches);
    let key = row.required("token_key", "a key name", KeyName::parse, breaches);
    let file = row.optional("pin_file", "a path", text, breaches).map(PinPlace::File);
    let named = row.optional("pin_env", "the name of an environment variable", variable, breaches);
    let named = named.map(PinPlace::Variable);
    if file.is_some() == named.is_some() {
        breaches.add(row.file(), row.line(), "pin_file or pin_env: one of them");
    }
    let workers = count(row, "workers", 4, 256, breaches);
    let queue = count(row, "queue", 1_024, 65_536, breaches);
    Some(TokenSetup {
        library: library?,
        token: token?,
        pin: file.or(named)?,
        key: key?,
        workers: workers?,
        queue: queue?,
    })
}

fn host(row: &Cells<'_>, breaches: &mut Breaches) -> Option<HostSetup> {
    let addresses = row.list("addresses", "host:port", address, breaches);
    if addresses.is_empty() {
        breaches.add(row.file(), row.line(), "addresses: at least one host:port");
    }
    let connections = count(row, "connections", 4, 64, breaches);
    let in_flight = count(row, "in_flight", 64, 1_024, breaches);
    let header = count(row, "header", 4, 255, breaches);
    let lmk = |text: &str| text.parse().ok().filter(|lmk| *lmk <= 99);
    let lmk = row.optional("lmk", "0 to 99", lmk, breaches);
    let lmk_check = row.optional("lmk_check", "16 hex digits", check_value, breaches);
    let tls = tls(row, breaches);
    let mut time =
        |column: &str, default: u64| row.bounded(column, default, 10..=600_000, breaches).map(Duration::from_millis);
    let (connect, cool_down) = (time("connect_ms", 3_000), time("cool_down_ms", 2_000));
    let (probe_after, probe_within) = (time("probe_after_ms", 5_000), time("probe_within_ms", 1_000));
    let trip_after = row.bounded("trip_after", 5, 1..=1_000, breaches);
    let sealing_key = row.required("sealing_key", "a key name", KeyName::parse, breaches);
    let sealing_mac = row.required("sealing_mac", "a key name", KeyName::parse, breaches);
    let key_types = key_types(row, breaches);
    Some(HostSetup {
        key_types,
        key_blocks: truth(row, "key_blocks", false, breaches),
        legacy_single_des: truth(row, "legacy_single_des", false, breaches),
        long_check_values: truth(row, "long_check_values", false, breaches),
        trailers: truth(row, "trailers", true, breaches),
        addresses,
        connections: connections?,
        in_flight: in_flight?,
        header: header?,
        lmk,
        lmk_check,
        tls,
        connect: connect?,
        probe_after: probe_after?,
        probe_within: probe_within?,
        trip_after: u32::try_from(trip_after?).ok()?,
        cool_down: cool_down?,
        sealing_key: sealing_key?,
        sealing_mac: sealing_mac?,
    })
}

/// `role=type`, where the HSM has other types than usual.
fn key_types(row: &Cells<'_>, breaches: &mut Breaches) -> KeyTypes {
    let rows = row.list("key_types", "role=type, such as tpk=70D", |text| text.split_once('='), breaches);
    KeyTypes::with(&rows).unwrap_or_else(|fault| {
        breaches.add(row.file(), row.line(), format!("key_types: {fault}"));
        KeyTypes::default()
    })
}

/// A name or an address, and a port.
fn address(text: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':')?;
    (!host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)).then(|| text.to_owned())
}

fn check_value(text: &str) -> Option<String> {
    (text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| text.to_owned())
}

fn tls(row: &Cells<'_>, breaches: &mut Breaches) -> Option<HostTlsFiles> {
    if !["ca", "server_name", "certificate", "private_key"].iter().any(|column| row.has(column)) {
        return None;
    }
    let ca = row.required("ca", "a path", text, breaches);
    let server_name = row.required("server_name", "a name", text, breaches);
    let certificate = row.optional("certificate", "a path", text, breaches);
    let private_key = row.optional("private_key", "a path", text, breaches);
    if certificate.is_some() != private_key.is_some() {
        breaches.add(row.file(), row.line(), "certificate and private_key go together");
    }
    Some(HostTlsFiles { ca: ca?, server_name: server_name?, identity: certificate.zip(private_key) })
}
