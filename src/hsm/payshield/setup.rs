//! What a payShield-style HSM and its pool are told at start.

use super::code::KeyType;
use super::frame::HEADER_MOST;
use super::key::HostKey;
use super::key_types::KeyTypes;
use crate::hsm::KeyAlgorithm;
use crate::hsm::KeyName;
use crate::hsm::KeyUsage;
use crate::hsm::TranslationPolicy;
use crate::hsm::calculator::ibm::DecimalizationTable;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::sync::Arc;
use std::time::Duration;

/// The usual port for host commands.
pub const PORT: u16 = 1500;

/// TLS towards an HSM: whom to trust, what to show, and which name its certificate must have.
#[derive(Clone)]
pub struct HostTls {
    /// Trusted authorities, and the certificate of this side if the HSM asks for one.
    pub config: Arc<ClientConfig>,
    /// The name in the HSM's certificate.
    pub name: ServerName<'static>,
}

/// A key that is configured by name: what the HSM gave out under its LMK.
#[derive(Clone)]
pub struct NamedHostKey {
    /// Its name in this house.
    pub name: KeyName,
    /// What this house uses it for. The HSM itself cannot tell a TMK, a TPK and a PVK apart.
    pub usage: KeyUsage,
    /// What the HSM takes it for: `001` ZPK, `002` TMK, TPK and PVK, `003` TAK, `008` ZAK, `000` ZMK … unless
    /// [`PayshieldSetup::key_types`] says otherwise.
    /// Also of a key in a key block, whose commands say `FFF` instead.
    pub key_type: KeyType,
    /// Algorithm and length.
    pub algorithm: KeyAlgorithm,
    /// The key under the LMK.
    pub key: HostKey,
}

impl NamedHostKey {
    /// Reads one row of a list: name, key type of three digits, key field, all as text.
    ///
    /// # Errors
    /// The column that does not hold; never its value.
    pub fn parse(
        name: &str,
        usage: KeyUsage,
        algorithm: KeyAlgorithm,
        (key_type, key): (&str, &str),
    ) -> Result<Self, &'static str> {
        Ok(Self {
            name: KeyName::parse(name).ok_or("name")?,
            usage,
            key_type: KeyType::parse(key_type).ok_or("type")?,
            algorithm,
            key: HostKey::parse(key).ok_or("key")?,
        })
    }
}

/// Where the HSMs are and how long anything may take. Every time is a bound.
#[derive(Clone)]
pub struct PayshieldSetup {
    /// `host:port` of each HSM, all with the same LMK; at least one.
    pub addresses: Vec<String>,
    /// Connections to each HSM, 1 to 64.
    pub connections: usize,
    /// Calls at once on one connection, 1 to 1,024. More are [`Busy`](crate::hsm::HsmError::Busy).
    pub in_flight: usize,
    /// Characters of the header, as the HSM is set: 1 to 255, and room for twice `in_flight` numbers in hex.
    pub header: usize,
    /// LMK identifier sent with every command, if the HSM has several.
    pub lmk: Option<u8>,
    /// The check value its LMK must have, 16 hex digits; a connection to another HSM is not used.
    pub lmk_check: Option<String>,
    /// Every command carries a trailer of its own that must come back: an answer that the HSM, or something before
    /// it, gave to another call of the same kind is found out. Off for an HSM that gives no trailers back.
    pub trailers: bool,
    /// TLS, if the HSM speaks it.
    pub tls: Option<HostTls>,
    /// For a TCP connection, a TLS handshake and the first diagnostics, each.
    pub connect_within: Duration,
    /// After so long without an answer the HSM is asked for its diagnostics.
    pub probe_after: Duration,
    /// For the answer to that; then the connection is closed.
    pub probe_within: Duration,
    /// An answer that is missing for so long after its call was given up will not come: the connection is made again.
    pub missing_after: Duration,
    /// Pause before the second attempt to connect; doubles, half of it chance.
    pub back_off: Duration,
    /// Longest pause.
    pub back_off_most: Duration,
    /// Failures in a row that take a connection out.
    pub trip_after: u32,
    /// How long it stays out before it is probed.
    pub cool_down: Duration,
    /// The HSM keeps its keys in key blocks: new ones are asked for as such.
    pub key_blocks: bool,
    /// What it calls the keys of each role.
    pub key_types: KeyTypes,
    /// Lets single DES protect PINs and tracks too, against PCI PIN 2-3.
    pub legacy_single_des: bool,
    /// The HSM gives check values of more than 3 bytes, in its answers whole ones of 8. Terminals that want 4 at sign-in
    /// need it; off, as such an HSM should be set, unless it is said.
    pub long_check_values: bool,
    /// Which PIN block format may become which; asked before the HSM is.
    pub policy: TranslationPolicy,
    /// The decimalization table of IBM 3624 PINs, sent with every check.
    pub decimalization: DecimalizationTable,
    /// Keys by name.
    pub keys: Vec<NamedHostKey>,
    /// Which named data key (00B) and MAC key (008 or 003) keep the sealing keys of card numbers.
    pub sealing: Option<SealingKeys>,
}

/// The named keys that protect sealing keys at rest.
#[derive(Clone)]
pub struct SealingKeys {
    /// Enciphers them: TDES, type 00B.
    pub data: KeyName,
    /// Authenticates what was enciphered: double-length TDES.
    pub mac: KeyName,
}

/// Why a setup cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("payshield: {0}")]
pub struct SetupFault(pub &'static str);

impl PayshieldSetup {
    /// One HSM on a plain connection, with the usual bounds.
    #[must_use]
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            addresses: vec![address.into()],
            connections: 4,
            in_flight: 64,
            header: 4,
            lmk: None,
            lmk_check: None,
            trailers: true,
            tls: None,
            connect_within: Duration::from_secs(3),
            probe_after: Duration::from_secs(5),
            probe_within: Duration::from_secs(1),
            missing_after: Duration::from_secs(30),
            back_off: Duration::from_millis(200),
            back_off_most: Duration::from_secs(5),
            trip_after: 5,
            cool_down: Duration::from_secs(2),
            key_blocks: false,
            key_types: KeyTypes::default(),
            legacy_single_des: false,
            long_check_values: false,
            policy: TranslationPolicy::default(),
            decimalization: DecimalizationTable::USUAL,
            keys: Vec::new(),
            sealing: None,
        }
    }

    /// Whether every number is in its range.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<(), SetupFault> {
        // Sixteen to the fourth is more than any permitted number of calls.
        let digits = u32::try_from(self.header.min(4)).unwrap_or(4);
        let rules = [
            (!self.addresses.is_empty(), "no address"),
            ((1..=64).contains(&self.connections), "connections: 1 to 64"),
            ((1..=1024).contains(&self.in_flight), "in_flight: 1 to 1024"),
            ((1..=HEADER_MOST).contains(&self.header), "header: 1 to 255 characters"),
            (2 * self.in_flight <= 16_usize.pow(digits), "header: too short for so many calls in flight"),
            (self.lmk.is_none_or(|lmk| lmk <= 99), "lmk: 0 to 99"),
            (self.decimalization.is_balanced(), "decimalization: too few different digits"),
            (self.trip_after >= 1, "trip_after: at least 1"),
            (self.missing_after >= Duration::from_millis(4), "missing_after: at least 4 ms"),
            (!self.back_off.is_zero() && self.back_off <= self.back_off_most, "back_off: above its longest"),
        ];
        rules.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, what)| Err(SetupFault(what)))
    }
}
