//! Asking an issuer: PIN under its key, its dialect, its MAC, and what its silence means.

use super::asking::Asking;
use super::authentic::{Authentic, Proven};
use super::exchange::{Exchange, Stop};
use super::issuer::Issuer;
use super::issuer_message;
use super::station::{Station, World};
use super::walk::Stage;
use crate::hsm::DukptKey;
use crate::hsm::Hsm;
use crate::hsm::PinError;
use crate::hsm::PinSource;
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
use crate::model::TerminalId;
use crate::mutant;
use crate::mutant::Mutant;
use crate::risk::Refusal;
use smallvec::SmallVec;

/// What came of asking one issuer.
enum Asked {
    /// It answered.
    Decided(Decision),
    /// The switch's own answer: a decline while nothing was sent, 68 once nobody knows.
    Own(ResponseCode),
    /// Not one byte left: somebody else may be asked.
    NotSent,
}

/// How a fresh request was decided.
pub(super) struct Fresh {
    /// What stands.
    pub(super) decided: Decided,
    /// Who was asked last, or is told afterwards.
    pub(super) issuer: Option<IssuerName>,
    /// The rule that decided, if no issuer did.
    pub(super) rule: Option<&'static str>,
}

impl<W: World> Station<W> {
    /// Asks issuers until one got the request, and decides. Where none did, the card's own issuer may be
    /// stood in for.
    pub(super) async fn decide(
        &self,
        intent: &Intent,
        asking: &Asking,
        authentic: &Authentic,
        exchange: &Exchange<'_>,
    ) -> Result<Fresh, Stop> {
        let mut tried: SmallVec<[IssuerName; 2]> = SmallVec::new();
        let mut outbound = intent.outbound.clone();
        let decision = loop {
            let Some(way) = &outbound else {
                if let Some(fresh) = self.stand_in_after(intent, &asking.request, tried.last()).await? {
                    return Ok(fresh);
                }
                break own(intent, ResponseCode::IssuerInoperative);
            };
            match self.ask(intent, way, asking, authentic, exchange).await {
                Asked::Decided(decision) => break decision,
                Asked::Own(code) => break own(intent, code),
                Asked::NotSent => tried.push(way.issuer.clone()),
            }
            outbound = self.another_way(asking, way, &tried);
            if let Some(another) = &outbound
                && let Some(decided) = self.reroute(intent, another.clone()).await?
            {
                return Ok(Fresh { decided, issuer: tried.pop(), rule: None });
            }
        };
        let decided = self.record(intent, decision).await?;
        Ok(Fresh { decided, issuer: outbound.map(|way| way.issuer).or_else(|| tried.pop()), rule: None })
    }

    /// What was decided meanwhile, if it was: then nothing may be sent.
    pub(super) async fn reroute(&self, intent: &Intent, another: Outbound) -> Result<Option<Decided>, Stop> {
        self.parts.ledger.reroute(intent.id, another).await.map_err(|fault| self.ledger_stop(&fault))
    }

    /// What stands once `decision` was brought.
    pub(super) async fn record(&self, intent: &Intent, decision: Decision) -> Result<Decided, Stop> {
        self.parts.ledger.decide(intent.id, decision).await.map_err(|fault| self.ledger_stop(&fault))
    }

    /// A follow-up has no other way than to the issuer of its original.
    fn another_way(&self, asking: &Asking, way: &Outbound, tried: &[IssuerName]) -> Option<Outbound> {
        if asking.original.is_some() {
            return None;
        }
        let issuer = self.route(&asking.request, tried).ok()?;
        Some(Outbound { issuer: issuer.name().clone(), stan: issuer.link.next_stan(), ..way.clone() })
    }

    async fn ask(
        &self,
        intent: &Intent,
        way: &Outbound,
        asking: &Asking,
        authentic: &Authentic,
        exchange: &Exchange<'_>,
    ) -> Asked {
        let Some(issuer) = self.issuer(&way.issuer) else { return Asked::NotSent };
        let later =
            mutant::is(Mutant::StanAfterIntent).then(|| Outbound { stan: issuer.link.next_stan(), ..way.clone() });
        let way = later.as_ref().unwrap_or(way);
        let pin = match self.translate_pin(&asking.request, authentic, exchange, issuer).await {
            Ok(pin) => pin,
            Err(code) => return Asked::Own(code),
        };
        self.ended(exchange, Stage::Hsm);
        let builder = issuer_message::request(&issuer.profile.dialect, intent, way, asking, pin.as_ref());
        let Ok(outgoing) = self.prepare(issuer, builder, exchange.walk).await else {
            return Asked::Own(ResponseCode::SystemFailure);
        };
        // The HSM took its time, and a reversal may have come: its message must not be overtaken by this one.
        // Who decides now loses the race and reads what stands.
        let open = self.parts.ledger.find(intent.id).is_some_and(|record| record.decided.is_none());
        if !open && !mutant::is(Mutant::LeavesAfterReversal) {
            return Asked::Own(ResponseCode::Timeout);
        }
        match self.send(issuer, outgoing, exchange.walk).await {
            LinkReply::NotSent => Asked::NotSent,
            LinkReply::Unknown => Asked::Own(ResponseCode::Timeout),
            LinkReply::Answer(answer) => {
                issuer_message::decision(&answer, intent).map_or(Asked::Own(ResponseCode::Timeout), Asked::Decided)
            }
        }
    }

    /// Refuses a PIN that the HSM can do nothing with, before anything is recorded.
    pub(super) fn pin_can_be_served(&self, exchange: &Exchange<'_>, asking: &Asking) -> Result<(), Stop> {
        let formats = &self.parts.hsm.capabilities().pin_formats;
        if asking.request.pin_block.is_none() || formats.contains(&exchange.door.profile.pin_format) {
            return Ok(());
        }
        tracing::error!(
            event = "hsm-no-pins",
            door = exchange.door.name,
            hsm = self.parts.hsm.capabilities().product,
            "the HSM has no PINs of this door's format: a request with one is declined"
        );
        Err(Stop::code(ResponseCode::SystemFailure, "hsm-no-pins"))
    }

    /// Refuses PINs under keys with which too many PIN blocks were wrong: who has the MAC key must not try them out. The
    /// code is the same, so that nothing is learnt; a terminal whose keys are out of step signs in again.
    pub(super) fn pin_refusal(&self, request: &Request, authentic: &Authentic) -> Option<Refusal> {
        request.pin_block.as_ref()?;
        let most = self.parts.registry.load().key_terms().pin_errors;
        let (errors, now) = (self.parts.sessions.pin_errors(), self.parts.clock.monotonic());
        let refused = errors.too_many(request.terminal, authentic.generation, now, most);
        refused.then(|| Refusal { code: ResponseCode::PinFormat, rule: "pin-errors".into() })
    }

    fn count_pin_error(&self, terminal: TerminalId, authentic: &Authentic) {
        let most = self.parts.registry.load().key_terms().pin_errors;
        let (errors, now) = (self.parts.sessions.pin_errors(), self.parts.clock.monotonic());
        if errors.count(terminal, authentic.generation, now, most) {
            tracing::error!(
                event = "pin-errors", terminal = %terminal, generation = authentic.generation, count = most,
                "so many PIN blocks were none: PINs under these keys are refused for an hour, or until new ones are used"
            );
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
        let (ctx, hsm, format) = (Self::ctx(), &self.parts.hsm, exchange.door.profile.pin_format);
        let zone = self.zone_pin(issuer);
        let to = PinSource { key: &zone, format: issuer.profile.pin_format };
        let translated = match &authentic.keys {
            Proven::Lasting { pin, .. } => {
                hsm.pin_translate(&ctx, PinSource { key: pin, format }, to, block, &request.pan).await
            }
            Proven::Transaction { base, ksn } => {
                hsm.pin_translate_dukpt(&ctx, (DukptKey { base, ksn }, format), to, block, &request.pan).await
            }
        };
        match translated {
            Ok(block) => Ok(Some(block)),
            Err(PinError::Block) => {
                self.count_pin_error(request.terminal, authentic);
                Err(ResponseCode::PinFormat)
            }
            Err(PinError::Hsm(fault)) => {
                tracing::error!(event = "hsm-fault", fault = %fault, "a PIN block could not be translated");
                Err(ResponseCode::SystemFailure)
            }
        }
    }
}

/// The switch's own answer. Only a timeout leaves the outcome open; every other code of ours is given
/// with nothing sent.
fn own(intent: &Intent, code: ResponseCode) -> Decision {
    let outcome = if code == ResponseCode::Timeout { Outcome::TimedOut } else { Outcome::Declined };
    Decision::of(outcome, Answer::of(code, intent.received))
}
