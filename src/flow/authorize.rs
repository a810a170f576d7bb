//! One authorization, once through the house.

use super::authentic::Authentic;
use super::content::{content, identity};
use super::exchange::{Exchange, Stop, put};
use super::issuer::Issuer;
use super::issuer_message;
use super::station::{Station, World};
use super::witness::{Event, Witness};
use crate::hsm::Hsm;
use crate::hsm::PinError;
use crate::hsm::PinSource;
use crate::hsm::Verdict;
use crate::iso8583::Builder;
use crate::iso8583::EncodeError;
use crate::iso8583::Message;
use crate::iso8583::Role;
use crate::iso8583::Unsigned;
use crate::iso8583::tlv;
use crate::ledger::Answer;
use crate::ledger::Decided;
use crate::ledger::Decision;
use crate::ledger::Intended;
use crate::ledger::Intent;
use crate::ledger::Ledger;
use crate::ledger::Outbound;
use crate::ledger::Outcome;
use crate::link::IssuerLink;
use crate::link::LinkReply;
use crate::model::Clock;
use crate::model::EncryptedPinBlock;
use crate::model::Icc;
use crate::model::IssuerName;
use crate::model::Kind;
use crate::model::Request;
use crate::model::ResponseCode;
use crate::model::Sealer;
use crate::model::TerminalFacts;
use crate::risk;
use crate::risk::Refusal;
use crate::route;
use bytes::Bytes;

/// What of DE 55 a reversal may carry: verification results, cryptogram data, script results.
/// Source: UnionPay practice, `95 9F10 9F1E 9F36 DF31`.
const REVERSAL_TAGS: [&[u8]; 5] = [&[0x95], &[0x9F, 0x10], &[0x9F, 0x1E], &[0x9F, 0x36], &[0xDF, 0x31]];

impl<W: World> Station<W> {
    /// Sale, authorization, balance inquiry: intent, issuer, decision, answer.
    pub(super) async fn authorize(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        kind: Kind,
        authentic: &Authentic,
    ) -> Result<Bytes, Stop> {
        let started = self.parts.clock.monotonic();
        let request = self.read_request(exchange, facts, kind, authentic).await?;
        let intent = self.intent(exchange, facts, &request)?;
        let rule = intent.refusal.map(|refusal| refusal.rule);
        let issuer = intent.outbound.as_ref().map(|outbound| outbound.issuer.clone());
        let (decided, repeat) = match self.intend(intent.clone()).await? {
            Intended::Fresh => (self.decide(&intent, &request, authentic, exchange).await?, false),
            Intended::Declined(decided) => (decided, false),
            Intended::Duplicate(decided) => (decided, true),
            Intended::Running(id) => {
                let decided = self.parts.ledger.decided(id).await;
                (decided.map_err(|fault| self.ledger_stop(&fault))?, true)
            }
            Intended::Mismatch => {
                tracing::warn!(event = "duplicate-mismatch", terminal = %facts.terminal, "same number, other content");
                return Err(Stop::code(ResponseCode::DuplicateMismatch, "duplicate-mismatch"));
            }
        };
        let took = self.parts.clock.monotonic().saturating_sub(started);
        let (outcome, code, rrn) = (decided.outcome, decided.answer.code, decided.rrn);
        let event = Event::Decided { kind, outcome, code, rrn, rule, issuer: issuer.as_ref(), repeat, took };
        self.parts.witness.note(Some(&facts.terminal), &event);
        self.answer_decided(exchange, facts, authentic, &decided).await
    }

    /// The intent: numbers, verdict, reservations and route, all decided before anything is sent.
    fn intent(&self, exchange: &Exchange<'_>, facts: &TerminalFacts, request: &Request) -> Result<Intent, Stop> {
        let date = exchange.received.date(facts.offset_minutes);
        let assessment = risk::assess(request, facts, date);
        let route = self.route(request);
        let refusal = self.batch_refusal(facts, request).or(assessment.refusal).or(route.as_ref().err().copied());
        let outbound = route.ok().filter(|_| refusal.is_none()).map(|issuer| Outbound {
            issuer: issuer.name().clone(),
            stan: issuer.link.next_stan(),
            sent: exchange.received,
            icc: request.icc.as_ref().and_then(reversal_icc),
        });
        let (id, rrn) = self.parts.ledger.number(date);
        Ok(Intent {
            id,
            rrn,
            identity: identity(exchange, facts)?,
            content: content(exchange.message, &*self.parts.sealer),
            kind: request.kind,
            merchant: request.merchant,
            acquirer: request.acquirer,
            test_mode: facts.test_mode,
            date,
            received: exchange.received,
            offset_minutes: facts.offset_minutes,
            processing_code: request.processing_code,
            amount: request.amount,
            currency: request.currency,
            entry_mode: request.entry_mode,
            card_sequence: request.card_sequence,
            condition_code: request.condition_code,
            expiry: request.expiry,
            pan: self.parts.sealer.seal(&request.pan, &id.0.to_be_bytes()),
            token: self.parts.sealer.token(&request.pan),
            masked: request.pan.masked(),
            refusal,
            reservations: assessment.reservations,
            outbound,
        })
    }

    /// A batch other than the terminal's open one: it must sign in again (77).
    fn batch_refusal(&self, facts: &TerminalFacts, request: &Request) -> Option<Refusal> {
        let batch = request.batch?;
        let session = self.session(&facts.terminal)?;
        (batch != session.batch).then_some(Refusal { code: ResponseCode::SignInRequired, rule: "batch" })
    }

    /// The issuer to ask: the longest BIN's or its fallback, of those whose link is up.
    fn route(&self, request: &Request) -> Result<&Issuer<W::Link>, Refusal> {
        let registry = self.parts.registry.load();
        let up = |name: &IssuerName| self.issuer(name).is_some_and(|issuer| issuer.link.is_up());
        let route = route::choose(registry.bins(), &request.pan, up);
        let code = route.decline().unwrap_or(ResponseCode::IssuerInoperative);
        route.issuer().and_then(|name| self.issuer(name)).ok_or(Refusal { code, rule: "route" })
    }

    pub(super) fn issuer(&self, name: &IssuerName) -> Option<&Issuer<W::Link>> {
        self.issuers.iter().find(|issuer| issuer.name() == name)
    }

    async fn intend(&self, intent: Intent) -> Result<Intended, Stop> {
        self.parts.ledger.intend(intent).await.map_err(|fault| self.ledger_stop(&fault))
    }

    async fn decide(
        &self,
        intent: &Intent,
        request: &Request,
        authentic: &Authentic,
        exchange: &Exchange<'_>,
    ) -> Result<Decided, Stop> {
        let decision = match self.ask(intent, request, authentic, exchange).await {
            Ok(decision) => decision,
            Err(code) => Decision { outcome: outcome_of(code), answer: Answer::of(code, intent.received) },
        };
        self.parts.ledger.decide(intent.id, decision).await.map_err(|fault| self.ledger_stop(&fault))
    }

    /// Asks the issuer. An `Err` is the switch's own answer: a decline while nothing was sent, 68 once
    /// nobody knows.
    async fn ask(
        &self,
        intent: &Intent,
        request: &Request,
        authentic: &Authentic,
        exchange: &Exchange<'_>,
    ) -> Result<Decision, ResponseCode> {
        let outbound = intent.outbound.as_ref().ok_or(ResponseCode::SystemFailure)?;
        let issuer = self.issuer(&outbound.issuer).ok_or(ResponseCode::IssuerInoperative)?;
        let pin = self.translate_pin(request, authentic, exchange, issuer).await?;
        let builder = issuer_message::request(&issuer.profile.dialect, intent, outbound, request, pin.as_ref());
        let body = self.sign_for(issuer, builder).await.ok_or(ResponseCode::SystemFailure)?;
        let sent = issuer.profile.dialect.decode(body.clone()).map_err(|_| ResponseCode::SystemFailure)?;
        let key = issuer.profile.correlation_key(&sent).ok_or(ResponseCode::SystemFailure)?;
        let unit = issuer.profile.enclose(&body, None).map_err(|_| ResponseCode::SystemFailure)?;
        let deadline = self.parts.clock.deadline(issuer.timeout);
        match issuer.link.request(key, unit, deadline).await {
            LinkReply::NotSent => Err(ResponseCode::IssuerInoperative),
            LinkReply::Unknown => Err(ResponseCode::Timeout),
            LinkReply::Answer(received) => {
                let authentic = self.issuer_authentic(issuer, &received.message).await;
                authentic
                    .then(|| issuer_message::decision(&received.message, intent))
                    .flatten()
                    .ok_or(ResponseCode::Timeout)
            }
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
    pub(super) async fn sign_for(
        &self,
        issuer: &Issuer<W::Link>,
        builder: Result<Builder, EncodeError>,
    ) -> Option<Bytes> {
        let unsigned = builder.and_then(Builder::finish_unsigned);
        let unsigned = unsigned.inspect_err(|error| {
            tracing::error!(event = "encode-fault", issuer = %issuer.name(), fault = %error, "a message could not be written");
        });
        let unsigned = unsigned.ok()?;
        let scheme = &issuer.profile.mac.scheme;
        let mac = self.parts.hsm.mac_generate(&Self::ctx(), &issuer.keys.mac, scheme, unsigned.mac_input()).await;
        let mac =
            mac.inspect_err(|fault| tracing::error!(event = "hsm-fault", fault = %fault, "a MAC could not be made"));
        unsigned.sign(&mac.ok()?).ok()
    }

    /// Whether the issuer's MAC verifies. If it does not, nobody knows what the issuer did.
    pub(super) async fn issuer_authentic(&self, issuer: &Issuer<W::Link>, message: &Message) -> bool {
        let (Some(data), Some(mac)) = (message.mac_input(), message.mac()) else { return false };
        let scheme = &issuer.profile.mac.scheme;
        let verdict = self.parts.hsm.mac_verify(&Self::ctx(), &issuer.keys.mac, scheme, data, &mac).await;
        let authentic = matches!(verdict, Ok(Verdict::Match));
        if !authentic {
            tracing::warn!(event = "issuer-mac", issuer = %issuer.name(), "an issuer's answer has a wrong MAC");
        }
        authentic
    }

    /// Writes what the ledger says stands, signs it under the generation that asked, and encloses it.
    pub(super) async fn answer_decided(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        authentic: &Authentic,
        decided: &Decided,
    ) -> Result<Bytes, Stop> {
        let unwritable = |_: EncodeError| Stop::Silent("the answer cannot be written");
        let unsigned = self.write_decided(exchange, facts, decided).map_err(unwritable)?;
        let scheme = &exchange.door.profile.mac.scheme;
        let mac = self.parts.hsm.mac_generate(&Self::ctx(), &authentic.mac, scheme, unsigned.mac_input()).await;
        let mac = mac.map_err(|_| Stop::Silent("the answer's MAC cannot be made"))?;
        let body = unsigned.sign(&mac).map_err(unwritable)?;
        exchange.enclose(&body).ok_or(Stop::Silent("the answer cannot be enclosed"))
    }

    fn write_decided(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        decided: &Decided,
    ) -> Result<Unsigned, EncodeError> {
        let answer = &decided.answer;
        let mut builder = exchange.response(answer.code)?;
        exchange.stamp(&mut builder, facts, answer.stamped)?;
        put(&mut builder, Role::Acquirer, facts.acquirer.as_str().as_bytes())?;
        put(&mut builder, Role::Rrn, decided.rrn.as_bytes())?;
        if let Some(amount) = answer.amount {
            put(&mut builder, Role::Amount, &amount.digits())?;
        }
        if let Some(approval) = &answer.approval {
            put(&mut builder, Role::ApprovalCode, approval.as_bytes())?;
        }
        if let Some(date) = answer.settlement {
            put(&mut builder, Role::SettlementDate, &date.month_day())?;
        }
        if let Some(balance) = &answer.balance {
            put(&mut builder, Role::AdditionalAmounts, balance)?;
        }
        if let Some(icc) = &answer.icc {
            put(&mut builder, Role::Icc, icc)?;
        }
        builder.finish_unsigned()
    }
}

/// The parts of the chip data that a reversal may repeat; `None` where there are none.
fn reversal_icc(icc: &Icc) -> Option<Bytes> {
    let mut kept = Vec::new();
    let mut objects = tlv::Reader::new(icc.as_bytes()).map_while(Result::ok);
    let wanted = |object: &tlv::Tlv<'_>| REVERSAL_TAGS.contains(&object.tag);
    let written = objects.by_ref().filter(wanted).all(|object| tlv::write(object.tag, object.value, &mut kept));
    (written && !kept.is_empty()).then(|| Bytes::from(kept))
}

/// Only a timeout leaves the outcome open; every other code of our own is given with nothing sent.
fn outcome_of(code: ResponseCode) -> Outcome {
    if code == ResponseCode::Timeout { Outcome::TimedOut } else { Outcome::Declined }
}
