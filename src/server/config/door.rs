//! A door: where the station listens, how it speaks there, who may come in.

use crate::model::KeyName;
use crate::model::Network;
use crate::registry::Breaches;
use crate::registry::Row;
use std::net::SocketAddr;

/// The columns of a `[[door]]`.
pub(super) const COLUMNS: &[&str; 12] = &[
    "name",
    "listen",
    "profile",
    "allow",
    "pin_key",
    "mac_key",
    "dukpt_key",
    "legacy_single_des",
    "certificate",
    "private_key",
    "client_ca",
    "client_certificates",
];

/// One listener.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Door {
    /// Its name in logs.
    pub name: Box<str>,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Its profile.
    pub profile: Box<str>,
    /// Who may connect; everybody if empty.
    pub allow: Vec<Network>,
    /// The PIN key of a door without sign-in.
    pub pin_key: Option<KeyName>,
    /// The MAC key of a door without sign-in.
    pub mac_key: Option<KeyName>,
    /// The base key of a door for DUKPT devices.
    pub dukpt_key: Option<KeyName>,
    /// Whether a sign-in may ask for a single-length PIN key. Never in profile production.
    pub legacy_single_des: bool,
    /// TLS, if the door has it.
    pub tls: Option<DoorTls>,
}

/// TLS of a door. Paths are relative to the station's file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DoorTls {
    /// PEM file of the server's certificate chain.
    pub certificate: String,
    /// PEM file of its private key.
    pub private_key: String,
    /// PEM file of the authorities whose client certificates count.
    pub client_ca: Option<String>,
    /// Whether clients must show a certificate.
    pub client_certificates: ClientCertificates,
}

/// Whether clients show certificates.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ClientCertificates {
    /// They are not asked for one.
    #[default]
    None,
    /// One that is shown must verify.
    Optional,
    /// No session without one.
    Required,
}

impl Door {
    pub(super) fn read<const N: usize>(
        row: &Row<'_, N>,
        profile_known: &dyn Fn(&str) -> bool,
        breaches: &mut Breaches,
    ) -> Option<Self> {
        let name = row.required("name", "a name", |text| Some(Box::from(text)), breaches);
        let listen = row.required("listen", "address:port", |text| text.parse().ok(), breaches);
        let profile = row.required("profile", "a profile", |text| profile_known(text).then(|| text.into()), breaches);
        let allow = row.list("allow", "a network such as 10.0.0.0/8", Network::parse, breaches);
        let pin_key = row.optional("pin_key", "a key name", KeyName::parse, breaches);
        let mac_key = row.optional("mac_key", "a key name", KeyName::parse, breaches);
        let dukpt_key = row.optional("dukpt_key", "a key name", KeyName::parse, breaches);
        if dukpt_key.is_some() && (pin_key.is_some() || mac_key.is_some()) {
            breaches.add(row.file(), row.line(), "dukpt_key: a door with it has no pin_key and no mac_key");
        }
        let truth = |text: &str| text.parse().ok();
        let single = row.optional("legacy_single_des", "true or false", truth, breaches).unwrap_or(false);
        let tls = DoorTls::read(row, breaches);
        let (name, listen, profile) = (name?, listen?, profile?);
        Some(Self { name, listen, profile, allow, pin_key, mac_key, dukpt_key, legacy_single_des: single, tls })
    }
}

impl DoorTls {
    /// `None` where no column speaks of TLS, or where one of the two files is missing, which is a breach.
    fn read<const N: usize>(row: &Row<'_, N>, breaches: &mut Breaches) -> Option<Self> {
        let columns = ["certificate", "private_key", "client_ca", "client_certificates"];
        if !columns.iter().any(|column| row.has(column)) {
            return None;
        }
        let path = |text: &str| Some(text.to_owned());
        let certificate = row.required("certificate", "a path", path, breaches);
        let private_key = row.required("private_key", "a path", path, breaches);
        let client_ca = row.optional("client_ca", "a path", path, breaches);
        let parse = |text: &str| match text {
            "none" => Some(ClientCertificates::None),
            "optional" => Some(ClientCertificates::Optional),
            "required" => Some(ClientCertificates::Required),
            _ => None,
        };
        let form = "none, optional or required";
        let client_certificates = row.optional("client_certificates", form, parse, breaches).unwrap_or_default();
        if (client_certificates == ClientCertificates::None) != client_ca.is_none() {
            breaches.add(row.file(), row.line(), "client_ca and client_certificates go together");
        }
        Some(Self { certificate: certificate?, private_key: private_key?, client_ca, client_certificates })
    }
}
