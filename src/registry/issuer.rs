//! Issuers: where they are, how they speak, which keys they share with us.

use super::table::{Breaches, Row};
use crate::model::IssuerName;
use crate::model::KeyName;
use std::time::Duration;

/// The columns of an issuer's row.
pub(super) const COLUMNS: &[&str; 8] =
    &["name", "address", "profile", "pin_key", "mac_key", "timeout_ms", "connections", "echo_s"];

/// One issuer as the switch uses it.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// Its name in routes, links and queues.
    pub name: IssuerName,
    /// `host:port` of its host.
    pub address: Box<str>,
    /// The profile of the link.
    pub profile: Box<str>,
    /// The zone PIN key (ZPK); `NAME/zpk` unless the row says otherwise.
    pub pin_key: KeyName,
    /// The zone MAC key (ZAK); `NAME/zak` unless the row says otherwise.
    pub mac_key: KeyName,
    /// How long the switch waits for an answer. 500 ms to 60 s; 5 s unless the row says otherwise.
    pub timeout: Duration,
    /// Connections of each worker, 1 to 16; 1 unless the row says otherwise.
    pub connections: u8,
    /// How long a link may be silent before it is asked whether anybody is there. 5 s to 1 h; 10 s
    /// unless the row says otherwise.
    pub echo: Duration,
}

impl Issuer {
    /// Reads one row; `None` if it has a breach.
    pub(super) fn read<const N: usize>(
        row: &Row<'_, N>,
        profile_known: &dyn Fn(&str) -> bool,
        breaches: &mut Breaches,
    ) -> Option<Self> {
        let form = "1 to 32 lower-case letters, digits or hyphens";
        let name = row.required("name", form, IssuerName::parse, breaches);
        let address = row.required("address", "host:port", address, breaches);
        let profile =
            row.required("profile", "a profile", |name| profile_known(name).then(|| Box::from(name)), breaches);
        let mut key = |column: &str, suffix: &str| match row.has(column) {
            true => row.optional(column, "a key name", KeyName::parse, breaches),
            false => KeyName::parse(&format!("{}/{suffix}", name.as_ref()?.as_str())),
        };
        let (pin_key, mac_key) = (key("pin_key", "zpk"), key("mac_key", "zak"));
        let timeout = row.bounded("timeout_ms", 5_000, 500..=60_000, breaches);
        let connections = row.bounded("connections", 1, 1..=16, breaches);
        let echo = row.bounded("echo_s", 10, 5..=3_600, breaches);
        Some(Self {
            name: name?,
            address: address?,
            profile: profile?,
            pin_key: pin_key?,
            mac_key: mac_key?,
            timeout: Duration::from_millis(timeout?),
            connections: u8::try_from(connections?).ok()?,
            echo: Duration::from_secs(echo?),
        })
    }
}

fn address(text: &str) -> Option<Box<str>> {
    let (host, port) = text.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    (!host.is_empty() && port != 0).then(|| text.into())
}
