//! Asking an issuer: PIN under its key, its dialect, its MAC, and what its silence means.

use super::authentic::Authentic;
use super::exchange::{Exchange, Stop};
use super::issuer::Issuer;
use super::issuer_message;
use super::station::{Station, World};
use crate::channel::CorrelationKey;
use crate::hsm::Hsm;
use crate::hsm::PinError;
use crate::hsm::PinSource;
use crate::hsm::Verdict;
use crate::iso8583::Builder;
use crate::iso8583::EncodeError;
use crate::iso8583::Message;
use crate::ledger::Answer;
use crate::ledger::Decided;
use crate::ledger::Decision;
use crate::ledger::Intent;
use crate::ledger::Ledger;
use crate::ledger::Outbound;
use crate::ledger::Outcome;
use crate::link::IssuerLink;
use crate::link::LinkReply;
use crate::model::Clock;
use crate::model::EncryptedPinBlock;
use crate::model::IssuerName;
use crate::model::Request;
use crate::model::ResponseCode;
use bytes::Bytes;
use smallvec::SmallVec;

/// A message as it will leave.
struct Signed {
    /// What its answer will be known by.
    key: CorrelationKey,
    /// The whole unit.
    unit: Bytes,
}

/// What came of asking one issuer.
enum Asked {
    /// It answered.
    Decided(Decision),
    /// The switch's own answer: a decline while nothing was sent, 68 once nobody knows.
    Own(ResponseCode),
    /// Not one byte left: somebody else may be asked.
    NotSent,
}

impl<W: World> Station<W> {
    /// Asks issuers until one got the request, and decides. Also says who was asked last.
    pub(super) async fn decide(
        &self,
        intent: &Intent,
        request: &Request,
        authentic: &Authentic,
        exchange: &Exchange<'_>,
    ) -> Result<(Decided, Option<IssuerName>), Stop> {
        let mut tried: SmallVec<[IssuerName; 2]> = SmallVec::new();
        let mut outbound = intent.outbound.clone();
        let decision = loop {
            let Some(way) = &outbound else { break own(intent, ResponseCode::IssuerInoperative) };
            match self.ask(intent, way, request, authentic, exchange).await {
                Asked::Decided(decision) => break decision,
                Asked::Own(code) => break own(intent, code),
                Asked::NotSent => tried.push(way.issuer.clone()),
            }
            outbound = self.another_way(request, way, &tried);
            if let Some(another) = &outbound {
                let rerouted = self.parts.ledger.reroute(intent.id, another.clone()).await;
                if let Some(decided) = rerouted.map_err(|fault| self.ledger_stop(&fault))? {
                    return Ok((decided, tried.pop()));
                }
            }
        };
        let decided = self.parts.ledger.decide(intent.id, decision).await.map_err(|fault| self.ledger_stop(&fault))?;
        Ok((decided, outbound.map(|way| way.issuer).or_else(|| tried.pop())))
    }

    fn another_way(&self, request: &Request, way: &Outbound, tried: &[IssuerName]) -> Option<Outbound> {
        let issuer = self.route(request, tried).ok()?;
        Some(Outbound { issuer: issuer.name().clone(), stan: issuer.link.next_stan(), ..way.clone() })
    }

    async fn ask(
        &self,
        intent: &Intent,
        way: &Outbound,
        request: &Request,
        authentic: &Authentic,
        exchange: &Exchange<'_>,
    ) -> Asked {
        let Some(issuer) = self.issuer(&way.issuer) else { return Asked::NotSent };
        let pin = match self.translate_pin(request, authentic, exchange, issuer).await {
            Ok(pin) => pin,
            Err(code) => return Asked::Own(code),
        };
        let builder = issuer_message::request(&issuer.profile.dialect, intent, way, request, pin.as_ref());
        let Some(signed) = self.sign_for(issuer, builder).await else { return Asked::Own(ResponseCode::SystemFailure) };
        // The HSM took its time, and a reversal may have come: its message must not be overtaken by this one.
        // Who decides now loses the race and reads what stands.
        let open = self.parts.ledger.find(intent.id).is_some_and(|record| record.decided.is_none());
        if !open {
            return Asked::Own(ResponseCode::Timeout);
        }
        match self.deliver(issuer, signed).await {
            LinkReply::NotSent => Asked::NotSent,
            LinkReply::Unknown => Asked::Own(ResponseCode::Timeout),
            LinkReply::Answer(answer) => {
                issuer_message::decision(&answer, intent).map_or(Asked::Own(ResponseCode::Timeout), Asked::Decided)
            }
        }
    }

    /// Signs and sends a message and waits for the answer; one whose MAC does not verify says nothing.
    /// `None`: it could not be written, and nothing was sent.
    pub(super) async fn exchange_with(
        &self,
        issuer: &Issuer<W::Link>,
        builder: Result<Builder, EncodeError>,
    ) -> Option<LinkReply<Message>> {
        let signed = self.sign_for(issuer, builder).await?;
        Some(self.deliver(issuer, signed).await)
    }

    /// Sends a message and waits for the answer; one whose MAC does not verify says nothing.
    async fn deliver(&self, issuer: &Issuer<W::Link>, signed: Signed) -> LinkReply<Message> {
        let deadline = self.parts.clock.deadline(issuer.timeout);
        match issuer.link.request(signed.key, signed.unit, deadline).await {
            LinkReply::Answer(received) if self.issuer_authentic(issuer, &received.message).await => {
                LinkReply::Answer(received.message)
            }
            LinkReply::Answer(_) | LinkReply::Unknown => LinkReply::Unknown,
            LinkReply::NotSent => LinkReply::NotSent,
        }
    }

    async fn translate_pin(
        &self,
        request: &Request,
        authentic: &Authentic,
        exchange: &Exchange<'_>,
        issuer: &Issuer<W::Link>,
    ) -> Result<Option<EncryptedPinBlock>, ResponseCode> {
        let Some(block) = &request.pin_block else { return Ok(None) };
        let from = PinSource { key: &authentic.pin, format: exchange.door.profile.pin_format };
        let to = PinSource { key: &issuer.keys.pin, format: issuer.profile.pin_format };
        match self.parts.hsm.pin_translate(&Self::ctx(), from, to, block, &request.pan).await {
            Ok(block) => Ok(Some(block)),
            Err(PinError::Block) => Err(ResponseCode::PinFormat),
            Err(PinError::Hsm(fault)) => {
                tracing::error!(event = "hsm-fault", fault = %fault, "a PIN block could not be translated");
                Err(ResponseCode::SystemFailure)
            }
        }
    }

    /// Encodes a message to an issuer and puts its MAC in; `None` is our fault, and logged.
    async fn sign_for(&self, issuer: &Issuer<W::Link>, builder: Result<Builder, EncodeError>) -> Option<Signed> {
        let unsigned = builder.and_then(Builder::finish_unsigned);
        let unsigned = unsigned.inspect_err(|error| {
            tracing::error!(event = "encode-fault", issuer = %issuer.name(), fault = %error, "a message could not be written");
        });
        let unsigned = unsigned.ok()?;
        let scheme = &issuer.profile.mac.scheme;
        let mac = self.parts.hsm.mac_generate(&Self::ctx(), &issuer.keys.mac, scheme, unsigned.mac_input()).await;
        let mac =
            mac.inspect_err(|fault| tracing::error!(event = "hsm-fault", fault = %fault, "a MAC could not be made"));
        let body = unsigned.sign(&mac.ok()?).ok()?;
        let sent = issuer.profile.dialect.decode(body.clone()).ok()?;
        Some(Signed { key: issuer.profile.correlation_key(&sent)?, unit: issuer.profile.enclose(&body, None).ok()? })
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

/// The switch's own answer. Only a timeout leaves the outcome open; every other code of ours is given
/// with nothing sent.
fn own(intent: &Intent, code: ResponseCode) -> Decision {
    let outcome = if code == ResponseCode::Timeout { Outcome::TimedOut } else { Outcome::Declined };
    Decision::of(outcome, Answer::of(code, intent.received))
}
