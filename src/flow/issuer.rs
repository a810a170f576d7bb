//! One issuer as flows see it: its wire, its keys, its link.

use crate::channel::Profile;
use crate::hsm::MacKey;
use crate::hsm::PinKey;
use crate::link::IssuerLink;
use crate::model::IssuerName;
use std::sync::Arc;
use std::time::Duration;

/// The zone keys shared with an issuer, as the station's files name them: what is used until they change on the wire.
/// MAC and PIN keys differ (PCI PIN 19).
#[derive(Clone, Debug)]
pub struct IssuerKeys {
    /// ZAK: makes and checks MACs.
    pub mac: MacKey,
    /// ZPK: enciphers PIN blocks.
    pub pin: PinKey,
}

/// An issuer and the way to it.
pub struct Issuer<K> {
    /// Its wire conventions.
    pub profile: Arc<Profile>,
    /// The keys shared with it.
    pub keys: IssuerKeys,
    /// How long the switch waits for its answer.
    pub timeout: Duration,
    /// The connection.
    pub link: Arc<K>,
}

impl<K: IssuerLink> Issuer<K> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &IssuerName {
        self.link.issuer()
    }
}
