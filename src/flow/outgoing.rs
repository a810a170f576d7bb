//! A message to an issuer: written, signed, enclosed; then sent, and its answer proved.

use super::issuer::Issuer;
use super::station::{Station, World};
use super::walk::{Stage, Walk};
use crate::channel::CorrelationKey;
use crate::hsm::Hsm;
use crate::hsm::MacKey;
use crate::iso8583::Builder;
use crate::iso8583::EncodeError;
use crate::iso8583::Message;
use crate::iso8583::Role;
use crate::iso8583::Unsigned;
use crate::link::IssuerLink;
use crate::link::LinkReply;
use crate::model::Clock;
use crate::model::ResponseCode;
use bytes::Bytes;
use smallvec::SmallVec;
use std::time::Duration;

/// A unit that may go as it is, and what will pair its answer with it.
pub(super) struct Outgoing {
    key: CorrelationKey,
    unit: Bytes,
    /// The same under the MAC key before, while that is good: for an issuer that has not got the new one.
    before: Option<Box<(MacKey, Unsigned)>>,
}

/// Why a message is not ready to go. Nothing was sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unready {
    /// The issuer's dialect cannot say it: it never will be ready.
    Unwritable,
    /// Its MAC could not be made: it is when the HSM is.
    Hsm,
}

impl<W: World> Station<W> {
    /// Encodes a message to an issuer, puts its MAC in and encloses it. What fails here is our fault, and
    /// logged.
    pub(super) async fn prepare(
        &self,
        issuer: &Issuer<W::Link>,
        builder: Result<Builder, EncodeError>,
        walk: &Walk,
    ) -> Result<Outgoing, Unready> {
        let clock = || self.parts.clock.monotonic();
        let unwritable = |error: EncodeError| {
            tracing::error!(event = "encode-fault", issuer = %issuer.name(), fault = %error, "a message could not be written");
            Unready::Unwritable
        };
        let unsigned = builder.and_then(Builder::finish_unsigned).map_err(unwritable)?;
        let scheme = &issuer.profile.mac.scheme;
        let key = self.zone_mac(issuer);
        walk.ends(Stage::Encode, clock);
        let mac = self.parts.hsm.mac_generate(&Self::ctx(), &key, scheme, unsigned.mac_input()).await;
        let mac = mac.map_err(|fault| {
            tracing::error!(event = "hsm-fault", fault = %fault, "a MAC could not be made");
            Unready::Hsm
        })?;
        walk.ends(Stage::Hsm, clock);
        let before = self.zone_mac_before(issuer).map(|key| Box::new((key, unsigned.clone())));
        let body = unsigned.sign(&mac).map_err(unwritable)?;
        let outgoing = || {
            let written = issuer.profile.dialect.decode(body.clone()).ok()?;
            let key = issuer.profile.correlation_key(&written)?;
            Some((key, issuer.profile.enclose(&body, None).ok()?))
        };
        let outgoing = outgoing().map(|(key, unit)| Outgoing { key, unit, before });
        outgoing.ok_or_else(|| {
            tracing::error!(event = "encode-fault", issuer = %issuer.name(), "a message does not read back or fit its frame");
            Unready::Unwritable
        })
    }

    /// Sends a message and waits for its answer; one whose MAC does not verify says nothing. An issuer that does not
    /// know our MAC key is asked once more under the one before, while that is good: it has not done anything.
    pub(super) async fn send(&self, issuer: &Issuer<W::Link>, outgoing: Outgoing, walk: &Walk) -> LinkReply<Message> {
        let Outgoing { key, unit, before } = outgoing;
        let Some(before) = before else { return self.sent(issuer, (key, unit), issuer.timeout, walk).await };
        let begun = self.parts.clock.monotonic();
        let reply = self.sent(issuer, (key.clone(), unit), issuer.timeout, walk).await;
        let LinkReply::Answer(answer) = &reply else { return reply };
        let code = answer.role(Role::ResponseCode).and_then(|code| answer.dialect().code(&code));
        if code.is_none_or(|row| row.code != ResponseCode::MacFailure) {
            return reply;
        }
        tracing::warn!(event = "zone-key-before", issuer = %issuer.name(), "an issuer does not know our newest MAC key");
        let left = issuer.timeout.saturating_sub(self.parts.clock.monotonic().saturating_sub(begun));
        let (mac_key, unsigned) = *before;
        let scheme = &issuer.profile.mac.scheme;
        let mac = self.parts.hsm.mac_generate(&Self::ctx(), &mac_key, scheme, unsigned.mac_input()).await;
        let body = mac.ok().and_then(|mac| unsigned.sign(&mac).ok());
        match body.and_then(|body| issuer.profile.enclose(&body, None).ok()) {
            Some(unit) => self.sent(issuer, (key, unit), left, walk).await,
            None => reply,
        }
    }

    async fn sent(
        &self,
        issuer: &Issuer<W::Link>,
        (key, unit): (CorrelationKey, Bytes),
        within: Duration,
        walk: &Walk,
    ) -> LinkReply<Message> {
        let deadline = self.parts.clock.deadline(within);
        let clock = || self.parts.clock.monotonic();
        walk.ends(Stage::Encode, clock);
        let reply = issuer.link.request(key, unit, deadline).await;
        let took = walk.ends(Stage::Issuer, clock);
        if let (LinkReply::Answer(_), Some(took)) = (&reply, took) {
            issuer.link.took(took);
        }
        match reply {
            LinkReply::Answer(received) if self.issuer_authentic(issuer, &received.message).await => {
                walk.ends(Stage::Hsm, clock);
                LinkReply::Answer(received.message)
            }
            LinkReply::Answer(_) | LinkReply::Unknown => LinkReply::Unknown,
            LinkReply::NotSent => LinkReply::NotSent,
        }
    }

    /// Whether the issuer's MAC verifies. If it does not, nobody knows what the issuer did.
    pub(super) async fn issuer_authentic(&self, issuer: &Issuer<W::Link>, message: &Message) -> bool {
        self.issuer_mac(issuer, message).await.is_some()
    }

    /// The MAC key that a message of the issuer verifies under.
    pub(super) async fn issuer_mac(&self, issuer: &Issuer<W::Link>, message: &Message) -> Option<MacKey> {
        let (data, mac) = (message.mac_input()?, message.mac()?);
        let scheme = &issuer.profile.mac.scheme;
        let good = self.zone_macs(issuer);
        let keys: SmallVec<[&MacKey; 3]> = good.iter().map(|(_, key)| key).collect();
        let proven = match self.parts.hsm.mac_verify_any(&Self::ctx(), &keys, scheme, data, &mac).await {
            Ok(proven) => proven,
            Err(fault) => {
                tracing::error!(event = "hsm-fault", fault = %fault, "an issuer's MAC could not be verified");
                return None;
            }
        };
        if let Some((generation, key)) = good.iter().find(|(_, key)| Some(key) == proven) {
            self.zone_verified(issuer, *generation).await;
            return Some(key.clone());
        }
        tracing::error!(event = "issuer-mac", issuer = %issuer.name(), "an issuer's message has a wrong MAC");
        None
    }
}
