//! A message to an issuer: written, signed, enclosed; then sent, and its answer proved.

use super::issuer::Issuer;
use super::station::{Station, World};
use crate::channel::CorrelationKey;
use crate::hsm::Hsm;
use crate::hsm::Verdict;
use crate::iso8583::Builder;
use crate::iso8583::EncodeError;
use crate::iso8583::Message;
use crate::link::IssuerLink;
use crate::link::LinkReply;
use crate::model::Clock;
use bytes::Bytes;

/// A unit that may go as it is, and what will pair its answer with it.
pub(super) struct Outgoing {
    key: CorrelationKey,
    unit: Bytes,
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
    ) -> Result<Outgoing, Unready> {
        let unwritable = |error: EncodeError| {
            tracing::error!(event = "encode-fault", issuer = %issuer.name(), fault = %error, "a message could not be written");
            Unready::Unwritable
        };
        let unsigned = builder.and_then(Builder::finish_unsigned).map_err(unwritable)?;
        let scheme = &issuer.profile.mac.scheme;
        let mac = self.parts.hsm.mac_generate(&Self::ctx(), &issuer.keys.mac, scheme, unsigned.mac_input()).await;
        let mac = mac.map_err(|fault| {
            tracing::error!(event = "hsm-fault", fault = %fault, "a MAC could not be made");
            Unready::Hsm
        })?;
        let body = unsigned.sign(&mac).map_err(unwritable)?;
        let outgoing = || {
            let written = issuer.profile.dialect.decode(body.clone()).ok()?;
            let key = issuer.profile.correlation_key(&written)?;
            Some(Outgoing { key, unit: issuer.profile.enclose(&body, None).ok()? })
        };
        outgoing().ok_or_else(|| {
            tracing::error!(event = "encode-fault", issuer = %issuer.name(), "a message does not read back or fit its frame");
            Unready::Unwritable
        })
    }

    /// Sends a message and waits for its answer; one whose MAC does not verify says nothing.
    pub(super) async fn send(&self, issuer: &Issuer<W::Link>, outgoing: Outgoing) -> LinkReply<Message> {
        let deadline = self.parts.clock.deadline(issuer.timeout);
        match issuer.link.request(outgoing.key, outgoing.unit, deadline).await {
            LinkReply::Answer(received) if self.issuer_authentic(issuer, &received.message).await => {
                LinkReply::Answer(received.message)
            }
            LinkReply::Answer(_) | LinkReply::Unknown => LinkReply::Unknown,
            LinkReply::NotSent => LinkReply::NotSent,
        }
    }

    /// Whether the issuer's MAC verifies. If it does not, nobody knows what the issuer did.
    pub(super) async fn issuer_authentic(&self, issuer: &Issuer<W::Link>, message: &Message) -> bool {
        let (Some(data), Some(mac)) = (message.mac_input(), message.mac()) else { return false };
        let scheme = &issuer.profile.mac.scheme;
        let verdict = self.parts.hsm.mac_verify(&Self::ctx(), &issuer.keys.mac, scheme, data, &mac).await;
        match verdict {
            Ok(Verdict::Match) => return true,
            Ok(Verdict::NoMatch) => {
                tracing::warn!(event = "issuer-mac", issuer = %issuer.name(), "an issuer's answer has a wrong MAC");
            }
            Err(fault) => tracing::error!(event = "hsm-fault", fault = %fault, "an issuer's MAC could not be verified"),
        }
        false
    }
}
